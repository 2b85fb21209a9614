/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall lists`: what the daemon has loaded and caught, what the files hold and how their last update ended, side by side.
 * Changes nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/judge.h"
#include "cli/list_meta.h"
#include "cli/lists.h"
#include "policy/file.h"
#include "policy/lists.h"

/* All that is known of one list. */
struct shown {
	const struct list_source *source;
	struct list_meta meta;
	struct judge_counts counts;	/* of the file as it lies there */
	const json_t *loaded;		/* the daemon's word, NULL if it has none */
	int64_t age_s;			/* -1: no file */
	bool old;
};

static const json_t *loaded_as(const json_t *reply, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(reply, "lists"), i, one) {
		const char *its = json_string_value(json_object_get(one, "name"));

		if (its && !strcmp(its, name))
			return one;
	}
	return NULL;
}

/* What the file holds is nice to know: without it, the rest is shown all the same. */
static void count_files(const struct policy *p, const struct child_user *user, struct judge_counts counts[JUDGE_LISTS_MAX])
{
	struct list_text texts[JUDGE_LISTS_MAX] = { 0 };
	const struct list_source *sources;
	size_t n = policy_sources(p, &sources);

	for (size_t i = 0; i < n; i++)
		if (file_read(sources[i].file, LIST_FILE_MAX, &texts[i].text, &texts[i].len))
			texts[i].text = NULL;
	memset(counts, 0, sizeof(*counts) * JUDGE_LISTS_MAX);
	if (judge_all(p, texts, user, counts))
		fprintf(stderr, "minewall lists: the files could not be read to their end\n");
	for (size_t i = 0; i < n; i++)
		free(texts[i].text);
}

static void collect(const struct list_source *source, const struct judge_counts *counts, const json_t *reply, struct shown *s)
{
	int64_t confirmed = list_confirmed(source->file), now = (int64_t)time(NULL);

	s->source = source;
	s->counts = *counts;
	s->loaded = loaded_as(reply, source->name);
	list_meta_read(&s->meta, source->file);
	s->age_s = !confirmed ? -1 : confirmed > now ? 0 : now - confirmed;
	s->old = source->max_age_s && s->age_s > (int64_t)source->max_age_s;
}

/* The daemon's number, else the file's if it is known. */
static json_t *number(const json_t *loaded, bool known, uint64_t otherwise)
{
	return loaded ? json_integer(json_integer_value(loaded)) : known ? json_integer((json_int_t)otherwise) : json_null();
}

static json_t *shown_json(const struct shown *s)
{
	const struct list_source *l = s->source;
	const struct list_meta *m = &s->meta;
	json_t *update, *j = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:b, s:b}", "name", l->name, "category", l->category, "format",
				       l->format, "file", l->file, "url", l->url, "loaded", s->loaded != NULL, "old", s->old);

	json_object_set_new(j, "age_s", s->age_s < 0 ? json_null() : json_integer(s->age_s));
	json_object_set_new(j, "max_age_s", l->max_age_s ? json_integer(l->max_age_s) : json_null());
	json_object_set_new(j, "used", number(json_object_get(s->loaded, "used"), s->counts.known, s->counts.used));
	json_object_set_new(j, "skipped", number(json_object_get(s->loaded, "skipped"), s->counts.known, s->counts.skipped));
	json_object_set_new(j, "names", number(NULL, s->counts.known, s->counts.distinct));
	json_object_set_new(j, "in_others", number(NULL, s->counts.known, s->counts.shared));
	json_object_set_new(j, "hits", number(json_object_get(s->loaded, "hits"), false, 0));
	if (!l->url)
		return j;
	update = json_pack("{s:s, s:I, s:I, s:I, s:i, s:s, s:b}", "result", m->result, "tried", (json_int_t)m->tried,
			   "changed", (json_int_t)m->changed_ms / 1000, "due", (json_int_t)list_due(l, m), "failures", (int)m->failures,
			   "published", m->last_modified, "signed", l->public_key != NULL);
	json_object_set_new(j, "update", update);
	return j;
}

static void print_number(const json_t *loaded, bool known, uint64_t otherwise)
{
	if (loaded)
		printf(" %9lld", (long long)json_integer_value(loaded));
	else if (known)
		printf(" %9" PRIu64, otherwise);
	else
		printf(" %9s", "-");
}

static void print_update(const struct shown *s)
{
	char tried[32], due[32], age[CLI_AGE_MAX], most[CLI_AGE_MAX], result[CLI_SAFE_MAX];

	if (s->source->url && !s->meta.tried) {
		printf("    never updated: `minewall lists update %s`\n", s->source->name);
	} else if (s->source->url) {
		int64_t when = list_due(s->source, &s->meta);

		lists_time(tried, sizeof(tried), s->meta.tried);
		lists_time(due, sizeof(due), when);
		printf("    %s %s; next %s\n", tried, cli_safe(result, s->meta.result), when <= (int64_t)time(NULL) ? "now" : due);
	}
	if (s->meta.failures > 1)
		printf("    %u updates in a row have failed\n", s->meta.failures);
	if (s->old)
		printf("    OLD: nothing fresh for %s, max_age is %s\n", cli_age(age, s->age_s),
		       cli_age(most, s->source->max_age_s));
}

static void print_shown(const struct shown *s)
{
	const struct list_source *l = s->source;
	char age[CLI_AGE_MAX], file[CLI_SAFE_MAX];

	printf("%-20s %-12s %-9s", l->name, *l->category ? l->category : "-", l->format);
	printf("%8s", s->age_s < 0 ? "-" : cli_age(age, s->age_s));
	print_number(json_object_get(s->loaded, "used"), s->counts.known, s->counts.used);
	print_number(json_object_get(s->loaded, "skipped"), s->counts.known, s->counts.skipped);
	print_number(NULL, s->counts.known, s->counts.shared);
	print_number(json_object_get(s->loaded, "hits"), false, 0);
	putchar('\n');
	if (s->age_s < 0)
		printf("    %s is missing\n", cli_safe(file, l->file));
	print_update(s);
}

int lists_show(const struct lists_options *o, const struct policy *p, const struct child_user *user)
{
	struct judge_counts counts[JUDGE_LISTS_MAX];
	const struct list_source *sources;
	size_t n = policy_sources(p, &sources);
	json_t *reply = NULL, *all = json_array();
	bool running = lists_ask(p, json_pack("{s:s}", "verb", "lists"), &reply) == 0;

	if (n)
		count_files(p, user, counts);
	if (!o->args.json && n)
		printf("%-20s %-12s %-9s%8s %9s %9s %9s %9s\n", "LIST", "CATEGORY", "FORMAT", "AGE", "USED", "SKIPPED", "IN OTHERS",
		       "HITS");
	for (size_t i = 0; i < n; i++) {
		struct shown s;

		collect(&sources[i], &counts[i], reply, &s);
		if (o->args.json)
			json_array_append_new(all, shown_json(&s));
		else
			print_shown(&s);
	}
	if (!o->args.json && !n)
		puts("the policy names no list");
	else if (!o->args.json && !running)
		puts("no daemon is running: entries are those of the files, hits are unknown");
	json_decref(reply);
	if (o->args.json)
		return cli_print_json(all);
	json_decref(all);
	return EXIT_DONE;
}
