/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads times as people say them. Days are the calendar's, so that a night with a change of clocks is as long as it was. */
#include "cli/when.h"

#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/log_line.h"

#define SECOND 1000000LL

/* Local time `days` from the day of `tm`, with its time of day. */
static int64_t local(struct tm tm, int days)
{
	time_t t;

	tm.tm_mday += days;
	tm.tm_isdst = -1;
	t = mktime(&tm);
	return t == -1 ? 0 : (int64_t)t * SECOND;
}

/* "02:00" and "02:00:30". */
static bool read_clock(const char *text, struct tm *tm)
{
	const char *end;

	tm->tm_sec = 0;
	end = strptime(text, "%H:%M", tm);
	if (end && *end == ':')
		end = strptime(end, ":%S", tm);
	return end && !*end;
}

static int64_t clock_time(const struct tm *tm, int64_t now_us, bool end, int64_t after_us)
{
	time_t after = (time_t)(after_us / SECOND);
	struct tm day;
	int64_t t;

	if (end && after_us) {
		localtime_r(&after, &day);
		day.tm_hour = tm->tm_hour;
		day.tm_min = tm->tm_min;
		day.tm_sec = tm->tm_sec;
		t = local(day, 0);
		return t > after_us ? t : local(day, 1);
	}
	t = local(*tm, 0);
	return t <= now_us ? t : local(*tm, -1);
}

int64_t when_read(const char *text, int64_t now_us, bool end, int64_t after_us)
{
	time_t now = (time_t)(now_us / SECOND);
	uint64_t ago = cli_duration(text);
	struct tm tm, midnight;
	const char *rest;

	localtime_r(&now, &tm);
	midnight = tm;
	midnight.tm_hour = midnight.tm_min = midnight.tm_sec = 0;
	if (ago)
		return now_us > (int64_t)ago * SECOND ? now_us - (int64_t)ago * SECOND : 1;
	if (!strcmp(text, "now"))
		return now_us;
	if (!strcmp(text, "today"))
		return end ? local(midnight, 1) - 1 : local(midnight, 0);
	if (!strcmp(text, "yesterday"))
		return end ? local(midnight, 0) - 1 : local(midnight, -1);
	if (log_time(text, strlen(text)))
		return log_time(text, strlen(text));
	if (read_clock(text, &tm))
		return clock_time(&tm, now_us, end, after_us);
	rest = strptime(text, "%Y-%m-%d", &midnight);
	if (!rest || midnight.tm_mday > 31)
		return 0;
	if (!*rest)
		return end ? local(midnight, 1) - 1 : local(midnight, 0);
	if (*rest != ' ' && *rest != 'T')
		return 0;
	return read_clock(rest + 1, &midnight) ? local(midnight, 0) : 0;
}
