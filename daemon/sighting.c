/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of an EVE line (DESIGN section 5). Where a line lacks one the sighting does, too; nothing is guessed. */
#include "daemon/sighting.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *text(const json_t *j, const char *outer, const char *key)
{
	const char *s = json_string_value(json_object_get(outer ? json_object_get(j, outer) : j, key));

	return s ? s : "";
}

int64_t sighting_time(const char *t)
{
	struct tm tm = { 0 };
	const char *zone;
	int hours = 0, minutes = 0, n = 0;

	if (sscanf(t, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	zone = t + n + strspn(t + n, ".0123456789");
	if (*zone != 'Z' && (strspn(zone, "+-") != 1 || sscanf(zone + 1, "%2d:%2d", &hours, &minutes) != 2))
		return -1;
	return (int64_t)timegm(&tm) - (*zone == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* The name that was asked for, else where it went. */
static void read_pool(struct sighting *s, const json_t *e)
{
	static const char *const names[][2] = { { "tls", "sni" }, { "quic", "sni" }, { "http", "hostname" }, { "dns", "rrname" } };
	const char *to = text(e, NULL, "dest_ip");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (*text(e, names[i][0], names[i][1])) {
			copy(s->pool, sizeof(s->pool), text(e, names[i][0], names[i][1]));
			return;
		}
	if (s->spreading)
		copy(s->pool, sizeof(s->pool), text(e, "mining", "rule"));
	else if (*to)
		snprintf(s->pool, sizeof(s->pool), strchr(to, ':') ? "[%s]:%d" : "%s:%d", to,
			 (int)json_integer_value(json_object_get(e, "dest_port")));
}

/* Something to look into: it was stopped; or would have been, had the policy not said monitor; or behaves like a miner.
 * What a policy that enforces lets pass is what its admin wants to pass. */
static bool opens(const struct sighting *s, const json_t *e, bool monitor)
{
	bool strong = json_integer_value(json_object_get(json_object_get(e, "alert"), "severity")) == 1;

	return s->blocked || (monitor && (strong || s->spreading)) || !strcmp(text(e, "mining", "evidence"), "score");
}

bool sighting_read(struct sighting *s, const json_t *e, bool monitor)
{
	json_int_t n = json_integer_value(json_object_get(json_object_get(e, "mining"), "count"));

	memset(s, 0, sizeof(*s));
	if (strcmp(text(e, NULL, "event_type"), "alert") || !json_object_get(e, "mining") || !*text(e, NULL, "src_ip"))
		return false;
	s->spreading = !strncmp(text(e, "mining", "rule"), "hygiene.", 8);
	if (!s->spreading && !*text(e, "mining", "evidence"))
		return false;
	s->when_s = sighting_time(text(e, NULL, "timestamp"));
	s->blocked = !strcmp(text(e, "alert", "action"), "blocked");
	s->telltale = json_is_true(json_object_get(json_object_get(e, "mining"), "telltale"));
	s->count = n > 1 ? (uint64_t)n : 1;
	s->opens = opens(s, e, monitor);
	copy(s->address, sizeof(s->address), text(e, NULL, "src_ip"));
	copy(s->mac, sizeof(s->mac), text(e, "host", "mac"));
	copy(s->agent, sizeof(s->agent), text(e, "mining", "agent"));
	copy(s->payee, sizeof(s->payee), text(e, "mining", "login_hash"));
	read_pool(s, e);
	return s->when_s >= 0;
}
