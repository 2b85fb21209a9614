/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two files of `minewall incidents` share: its arguments and actions. */
#ifndef MINEWALL_INCIDENTS_H
#define MINEWALL_INCIDENTS_H

#include <jansson.h>

#include "cli/cli.h"

struct incidents_args {
	struct cli_args common;
	const char *action, *id, *note, *duration, *cpu, *gpu;
};

/* Asks the reporter; as cli_ask. */
int incidents_ask(const struct incidents_args *a, json_t *request, json_t **reply);

/* Has the daemon bring in what the kernel counted. */
void incidents_flush(const struct incidents_args *a);

/* The actions: an exit code each. */
int incidents_list(struct incidents_args *a);
int incidents_show(struct incidents_args *a);
int incidents_set(struct incidents_args *a);
int incidents_reading(struct incidents_args *a);
int incidents_quarantine(struct incidents_args *a);

/* Prints one incident as a line. */
void incidents_line(const json_t *i);

#endif
