// SPDX-License-Identifier: GPL-2.0-or-later
/* Zones through the C library, which knows the tz database and its rules; windows by plain arithmetic on local minutes. */
#include "policy/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_S 86400
#define WEEK_MINUTES (7 * 24 * 60)
/* From a year before the policy was loaded, for captures, until long after the next reload. */
#define YEARS_BACK 1
#define YEARS_AHEAD 20

static int32_t offset_at(int64_t when_s)
{
	time_t t = (time_t)when_s;
	struct tm tm;

	localtime_r(&t, &tm);
	return (int32_t)tm.tm_gmtoff;
}

/* The second between `low` and `high` at which the offset changes. */
static int64_t change_between(int64_t low, int64_t high)
{
	int32_t before = offset_at(low);

	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (offset_at(middle) == before)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static void find_changes(struct zone *zone, int64_t now_s)
{
	int64_t at = now_s - YEARS_BACK * 366ll * DAY_S, end = now_s + YEARS_AHEAD * 366ll * DAY_S;

	zone->n = 1;
	zone->changes[0] = (struct zone_change) { INT64_MIN, offset_at(at) };
	for (; at < end && zone->n < ZONE_CHANGES_MAX; at += 7 * DAY_S) {
		int32_t offset = offset_at(at + 7 * DAY_S);

		if (offset == offset_at(at))
			continue;
		zone->changes[zone->n++] = (struct zone_change) { change_between(at, at + 7 * DAY_S), offset };
	}
}

/* A wrong name would silently be UTC: the database has a file for each, and a POSIX text begins with letters and a number. */
static bool is_zone(const char *name)
{
	const char *folder = getenv("TZDIR");
	size_t letters = strcspn(name, "+-0123456789");
	char path[512];

	if (strstr(name, "..") || *name == '/' || *name == ':')
		return false;
	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "/usr/share/zoneinfo", name);
	if (!access(path, R_OK))
		return true;
	return !strcmp(name, "UTC") || (letters >= 3 && name[letters] && !memchr(name, '/', letters));
}

bool zone_load(struct zone *zone, const char *name, int64_t now_s)
{
	const char *was = getenv("TZ");
	char *kept = was ? strdup(was) : NULL;
	bool good = !name || is_zone(name);

	if (good) {
		if (name)
			setenv("TZ", name, 1);
		tzset();
		find_changes(zone, now_s);
		if (name && kept)
			setenv("TZ", kept, 1);
		else if (name)
			unsetenv("TZ");
		tzset();
	}
	free(kept);
	return good;
}

static int64_t local(const struct zone *zone, int64_t when_s)
{
	size_t i = zone->n;

	while (i > 1 && when_s < zone->changes[i - 1].from_s)
		i--;
	return when_s + (zone->n ? zone->changes[i - 1].offset_s : 0);
}

/* Minutes of a week, Sunday 0:00 first, for which the window of `day` holds on from `minute`; 0: it does not. */
static unsigned left_of(unsigned day, unsigned from, unsigned to, unsigned minute)
{
	unsigned start = day * 24 * 60 + from, length = (to > from ? to : to + 24 * 60) - from;
	unsigned since = (minute + WEEK_MINUTES - start) % WEEK_MINUTES;

	return since < length ? length - since : 0;
}

/* The longest that any window still lasts from this minute on. */
static unsigned left_at(const struct schedule *s, unsigned minute)
{
	unsigned most = 0;

	for (unsigned day = 0; day < 7; day++) {
		if (!(s->days & 1u << day))
			continue;
		for (unsigned i = 0; i < (s->n ? s->n : 1); i++) {
			unsigned left = left_of(day, s->n ? s->windows[i].from : 0, s->n ? s->windows[i].to : 24 * 60, minute);

			most = left > most ? left : most;
		}
	}
	return most;
}

bool schedule_holds(const struct schedule *s, int64_t when_s, uint32_t *left_s)
{
	int64_t t = local(&s->zone, when_s), second;
	unsigned minute, left, more;

	*left_s = UINT32_MAX;
	if (!s->set)
		return true;
	/* 1 January 1970 was a Thursday. */
	second = ((t + 4 * DAY_S) % (7 * DAY_S) + 7 * DAY_S) % (7 * DAY_S);
	minute = (unsigned)(second / 60);
	left = left_at(s, minute);
	if (!left)
		return false;
	while (left < WEEK_MINUTES && (more = left_at(s, (minute + left) % WEEK_MINUTES)))	/* one window follows on another */
		left += more;
	if (left < WEEK_MINUTES)
		*left_s = left * 60 - (uint32_t)(second % 60);
	return true;
}
