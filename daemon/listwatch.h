/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each list of the policy has caught since the start, and whether it grows old. Looks at files' times only; it reads and
 * fetches no list. */
#ifndef MINEWALL_LISTWATCH_H
#define MINEWALL_LISTWATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* As many as a policy has. */
#define LISTWATCH_MAX 64
#define LISTWATCH_NAME_MAX 72

struct daemon;
struct event;

/* By name: after a reload a list keeps its count, wherever it stands then. */
struct listwatch {
	struct listwatch_entry {
		char name[LISTWATCH_NAME_MAX];
		uint64_t hits;
		uint64_t said_s;	/* when its age was an event, CLOCK_MONOTONIC; 0: never */
	} entries[LISTWATCH_MAX];
	uint64_t looked_s;		/* 0: never */
};

/* Counts the list of a finding, if a list found it. */
void listwatch_hit(struct daemon *d, const struct event *e);

/* Now and then: an event `list_old` for each list that is over its max_age, once a day. */
void listwatch_tick(struct daemon *d);

/* Those over their max_age: [{name, age_s, max_age_s}]; a new reference. */
json_t *listwatch_old(const struct daemon *d);

/* For the verb `lists`: what was loaded and what it caught; a new reference. */
json_t *listwatch_answer(const struct daemon *d);

#endif
