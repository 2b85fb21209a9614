/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times as people say them, on the command line. */
#ifndef MINEWALL_WHEN_H
#define MINEWALL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* The forms, for the error's line. */
#define WHEN_FORMS "for example 2h, 02:00, yesterday, 2026-11-24, '2026-11-24 03:00' or 2026-11-24T03:00:00+01:00"

/* As microseconds of the epoch: "2h" ago, "now", "today" and "yesterday" (their midnight), "02:00" (the last time that it was), a date, a date
 * and a time, RFC 3339; local time where no offset is given. 0: it is none of these.
 * `end`: it is where something ends. A day means its last moment then, and a time of day the first one behind `after_us` (0: as above). */
int64_t when_read(const char *text, int64_t now_us, bool end, int64_t after_us);

#endif
