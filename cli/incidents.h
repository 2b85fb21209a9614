/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall incidents`: its arguments and actions; and what others that show a device say of its incident. */
#ifndef MINEWALL_INCIDENTS_H
#define MINEWALL_INCIDENTS_H

#include <jansson.h>

#include "cli/cli.h"

struct incidents_args {
	struct cli_args common;
	const char *action, *id, *note, *duration, *cpu, *gpu;
};

/* Asks the reporter, which has heard by then what the kernel counted; as cli_ask. */
int incidents_ask(const struct incidents_args *a, json_t *request, json_t **reply);

/* The actions: an exit code each. */
int incidents_list(struct incidents_args *a);
int incidents_show(struct incidents_args *a);
int incidents_set(struct incidents_args *a);
int incidents_reading(struct incidents_args *a);
int incidents_quarantine(struct incidents_args *a);

/* For those who read without asking for one of them (cli/incidents_read.c): all incidents as `minewall incidents --json` shows them,
 * of the reporter, or of its file where it does not answer. `list` is NULL if there is neither; `why` then says so in words. */
struct incidents_read {
	json_t *list;
	bool from_file;
	bool hangs;		/* it took the question and said nothing */
	char why[256];
};

void incidents_read(struct incidents_read *to, const struct policy *p);
void incidents_read_fini(struct incidents_read *r);

/* The device's, by its MAC ("" if not known), else by an address where not both have a MAC; NULL. The newest of several. */
const json_t *incidents_of(const json_t *list, const char *mac, const char *const *addresses, size_t n);

#define INCIDENTS_WHEN_MAX 24
const char *incidents_when(char to[INCIDENTS_WHEN_MAX], json_int_t s);

/* "blocked at 2026-03-04 03:12:00, it fell from 98 % to 4 %: confirmed"; "" if its load was never read. */
#define INCIDENTS_LOAD_MAX 160
const char *incidents_load(char to[INCIDENTS_LOAD_MAX], const json_t *i);

/* Prints one incident as a line. */
void incidents_line(const json_t *i);

#endif
