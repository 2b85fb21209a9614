/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting happens in the main loop, where every event passes anyway: the workers know nothing of it. The age of a list is its
 * file's: an update that finds it unchanged sets that time anew. */
#include "daemon/listwatch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/daemon.h"

#define LOOK_EVERY_S 600
#define SAY_EVERY_S 86400

static bool in_policy(const struct daemon *d, const char *name)
{
	const struct list_source *sources;
	size_t n = policy_sources(d->policy, &sources);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(sources[i].name, name))
			return true;
	return false;
}

static const struct listwatch_entry *find(const struct daemon *d, const char *name)
{
	for (size_t i = 0; i < LISTWATCH_MAX; i++)
		if (!strcmp(d->lists.entries[i].name, name))
			return &d->lists.entries[i];
	return NULL;
}

/* That list's entry, a new one in place of a list that is gone if need be. NULL: full of lists that are there. */
static struct listwatch_entry *entry_of(struct daemon *d, const char *name)
{
	struct listwatch_entry *e = (struct listwatch_entry *)find(d, name);

	if (e || strlen(name) >= LISTWATCH_NAME_MAX)
		return e;
	for (size_t i = 0; i < LISTWATCH_MAX; i++) {
		e = &d->lists.entries[i];
		if (*e->name && in_policy(d, e->name))
			continue;
		memset(e, 0, sizeof(*e));
		strcpy(e->name, name);
		return e;
	}
	return NULL;
}

void listwatch_hit(struct daemon *d, const struct event *e)
{
	struct listwatch_entry *entry = *e->note || !*e->list ? NULL : entry_of(d, e->list);

	if (entry)
		entry->hits += e->count ? e->count : 1;
}

static void put_age(json_t *one, const struct daemon *d, const char *name)
{
	const struct list_source *sources;
	size_t n = policy_sources(d->policy, &sources);
	struct stat st;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(sources[i].name, name) && stat(sources[i].file, &st) == 0)
			json_object_set_new(one, "age_s", json_integer((json_int_t)time(NULL) - (json_int_t)st.st_mtim.tv_sec));
}

/* Seconds over which a list's file was neither written nor confirmed, if that is too long; else 0. */
static int64_t too_old(const struct list_source *source)
{
	struct stat st;
	int64_t age;

	if (!source->max_age_s || stat(source->file, &st))
		return 0;
	age = (int64_t)time(NULL) - (int64_t)st.st_mtim.tv_sec;
	return age > (int64_t)source->max_age_s ? age : 0;
}

void listwatch_tick(struct daemon *d)
{
	const struct list_source *sources;
	size_t n = policy_sources(d->policy, &sources);
	uint64_t now = daemon_now_s();

	if (d->lists.looked_s && now - d->lists.looked_s < LOOK_EVERY_S)
		return;
	d->lists.looked_s = now;
	for (size_t i = 0; i < n; i++) {
		int64_t age = too_old(&sources[i]);
		struct listwatch_entry *e = age ? entry_of(d, sources[i].name) : NULL;
		char detail[256];

		if (!e || (e->said_s && now - e->said_s < SAY_EVERY_S))
			continue;
		e->said_s = now;
		snprintf(detail, sizeof(detail), "list %s: nothing fresh for %lld h, max_age is %u h; `minewall lists` says why",
			 e->name, (long long)age / 3600, sources[i].max_age_s / 3600);
		daemon_note(d, "list_old", detail);
	}
}

json_t *listwatch_old(const struct daemon *d)
{
	const struct list_source *sources;
	size_t n = policy_sources(d->policy, &sources);
	json_t *old = json_array();

	for (size_t i = 0; i < n; i++) {
		int64_t age = too_old(&sources[i]);

		if (age)
			json_array_append_new(old, json_pack("{s:s, s:I, s:I}", "name", sources[i].name, "age_s", (json_int_t)age,
							     "max_age_s", (json_int_t)sources[i].max_age_s));
	}
	return old;
}

json_t *listwatch_answer(const struct daemon *d)
{
	const struct list_info *lists;
	size_t n = policy_lists(d->policy, &lists);
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct listwatch_entry *e = find(d, lists[i].name);

		json_t *one = json_pack("{s:s, s:I, s:I, s:I}", "name", lists[i].name, "used", (json_int_t)lists[i].used, "skipped",
					(json_int_t)lists[i].skipped, "hits", (json_int_t)(e ? e->hits : 0));

		put_age(one, d, lists[i].name);
		json_array_append_new(all, one);
	}
	return json_pack("{s:b, s:I, s:o}", "ok", true, "read_at_ms", (json_int_t)policy_read_at_ms(d->policy), "lists", all);
}
