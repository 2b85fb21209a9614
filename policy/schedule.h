/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hours of the week in a time zone: does a moment lie within, and for how long still? A zone's offsets are worked out
 * once, when the policy is loaded; asking reads no clock and no file. */
#ifndef MINEWALL_SCHEDULE_H
#define MINEWALL_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Twenty years of two changes a year. */
#define ZONE_CHANGES_MAX 48

struct zone {
	size_t n;
	struct zone_change {
		int64_t from_s;		/* of the epoch */
		int32_t offset_s;	/* east of Greenwich */
	} changes[ZONE_CHANGES_MAX];
};

#define SCHEDULE_WINDOWS_MAX 8

struct schedule {
	bool set;			/* false: always */
	uint8_t days;			/* bit 0: Sunday; a window belongs to the day on which it begins */
	unsigned n;			/* 0: the whole day */
	struct { uint16_t from, to; } windows[SCHEDULE_WINDOWS_MAX];	/* minutes; to <= from: past midnight */
	struct zone zone;
};

/* Fills the zone from a name of the tz database ("Europe/Berlin") or a POSIX TZ text ("CET-1CEST,M3.5.0,M10.5.0/3"); NULL: the
 * system's. Changes the process's TZ for a moment: no other thread may ask for local time meanwhile. False: no such zone. */
bool zone_load(struct zone *zone, const char *name, int64_t now_s);

/* Does `when_s` (of the epoch) lie within? `*left_s`: seconds until it does not any more; UINT32_MAX: never ends. */
bool schedule_holds(const struct schedule *s, int64_t when_s, uint32_t *left_s);

#endif
