/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the reporter answers to the verb `incidents`: the listing, one incident, and the admin's word about it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/reporting.h"
#include "daemon/run.h"

static json_t *failure(enum exit_code code, const char *what)
{
	return json_pack("{s:b, s:s, s:i}", "ok", false, "error", what, "code", code);
}

/* By number ("3", "#3"), MAC or address. */
static struct incident *find(struct reporting_loop *l, const char *which)
{
	const char *digits = *which == '#' ? which + 1 : which;
	struct incident *i;

	if (*digits && strspn(digits, "0123456789") == strlen(digits) && strlen(digits) < 10)
		return incident_get(&l->book, (uint32_t)strtoul(digits, NULL, 10));
	i = incident_of(&l->book, which, "");
	return i ? i : incident_of(&l->book, "", which);
}

/* Named devices that are busy without having tried anything that was seen. */
static json_t *busy_json(const struct reporting_loop *l)
{
	const struct reporting *r = &l->settings.reporting;
	json_t *list = json_array();

	for (unsigned i = 0; i < r->n_cpu_hosts; i++)
		if (l->load.hosts[i].busy >= r->cpu_polls)
			json_array_append_new(list, json_pack("{s:s, s:i, s:I}", "address", r->cpu_hosts[i], "cpu", l->load.hosts[i].last.cpu,
							      "readings", (json_int_t)l->load.hosts[i].busy));
	return list;
}

static json_t *whole(const struct reporting_loop *l, const struct incident *i)
{
	return incident_whole(&l->book, i, l->settings.reporting.cpu_threshold, l->settings.reporting.cpu_polls);
}

/* {which, cpu, gpu}: what the device itself, or whoever watches it, says. */
static json_t *push_reading(struct reporting_loop *l, struct incident *i, const json_t *request)
{
	json_int_t cpu = json_integer_value(json_object_get(request, "cpu")), gpu = -1;
	struct reading r = { .when_s = time(NULL), .pushed = true };

	if (json_object_get(request, "gpu"))
		gpu = json_integer_value(json_object_get(request, "gpu"));
	if (!json_is_integer(json_object_get(request, "cpu")) || cpu < 0 || cpu > 100 || gpu > 100)
		return failure(EXIT_USAGE, "a load from 0 to 100 is expected");
	r.cpu = (uint8_t)cpu;
	r.gpu = gpu < 0 ? -1 : (int16_t)gpu;
	incident_read_load(i, &r);
	reporting_changed(l, true);
	return json_pack("{s:b, s:o}", "ok", true, "incident", whole(l, i));
}

/* What waits for somebody first, the heaviest of it first. */
static int by_need(const void *a, const void *b)
{
	const struct incident *x = *(const struct incident *const *)a, *y = *(const struct incident *const *)b;
	int done_x = x->state == INCIDENT_CLEANED, done_y = y->state == INCIDENT_CLEANED;

	if (done_x != done_y)
		return done_x - done_y;
	if (x->points != y->points)
		return x->points < y->points ? 1 : -1;
	return x->last_s < y->last_s ? 1 : x->last_s > y->last_s ? -1 : 0;
}

static json_t *list_all(struct reporting_loop *l)
{
	struct incident **sorted = calloc(l->book.n + 1, sizeof(*sorted));
	json_t *list = json_array();

	if (sorted && l->book.n) {
		memcpy(sorted, l->book.items, l->book.n * sizeof(*sorted));
		qsort(sorted, l->book.n, sizeof(*sorted), by_need);
		for (size_t i = 0; i < l->book.n; i++)
			json_array_append_new(list, whole(l, sorted[i]));
	}
	free(sorted);
	return json_pack("{s:b, s:o, s:o, s:o}", "ok", true, "incidents", list, "summary", reporting_summary(l), "busy", busy_json(l));
}

/* Control bytes would reach a terminal; a letter of several bytes is not cut in two. */
static void copy_note(char to[INCIDENT_NOTE_MAX], const char *from)
{
	size_t n = strlen(from);

	if (n >= INCIDENT_NOTE_MAX)
		n = INCIDENT_NOTE_MAX - 1;
	while (n && ((unsigned char)from[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? ' ' : from[i];
	to[n] = '\0';
}

static json_t *set_state(struct reporting_loop *l, struct incident *i, const char *verb, const json_t *request)
{
	const char *note = json_string_value(json_object_get(request, "note"));
	bool clean = !strcmp(verb, "clean"), done;
	char text[INCIDENT_NOTE_MAX];

	if (note)
		copy_note(text, note);
	done = clean ? incident_clean(i, time(NULL), note ? text : NULL) : incident_acknowledge(i, time(NULL));
	if (!done)
		return failure(EXIT_NO, clean ? "it is cleaned already" : "it is acknowledged or cleaned already");
	reporting_changed(l, true);
	return json_pack("{s:b, s:o}", "ok", true, "incident", whole(l, i));
}

json_t *incident_answer(struct reporting_loop *l, const json_t *request)
{
	const char *verb = json_string_value(json_object_get(request, "verb"));
	const char *which = json_string_value(json_object_get(request, "which"));
	struct incident *i;

	if (verb && !strcmp(verb, "list"))
		return list_all(l);
	i = which ? find(l, which) : NULL;
	if (!i)
		return failure(EXIT_NO, "there is no such incident; `minewall incidents` lists them");
	if (verb && !strcmp(verb, "show"))
		return json_pack("{s:b, s:o}", "ok", true, "incident", whole(l, i));
	if (verb && (!strcmp(verb, "ack") || !strcmp(verb, "clean")))
		return set_state(l, i, verb, request);
	if (verb && !strcmp(verb, "reading"))
		return push_reading(l, i, request);
	return failure(EXIT_SYSTEM, "unknown request");
}
