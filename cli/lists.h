/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of the verb `lists` share: its options, and the running daemon if there is one. */
#ifndef MINEWALL_CLI_LISTS_H
#define MINEWALL_CLI_LISTS_H

#include "cli/child.h"
#include "cli/cli.h"

struct lists_options {
	struct cli_args args;
	bool force, due;
	unsigned jitter_s, timeout_s;
	const char *user;		/* whom the fetching child becomes */
	char **names;			/* of `update` */
	int n_names;
};

/* Both print their own lines and return an exit code. */
int lists_show(const struct lists_options *o, const struct policy *p, const struct child_user *user);
int lists_update(const struct lists_options *o, const struct policy *p, const struct child_user *user);

/* `minewall lists export`, from "export" on. */
int lists_export(int argc, char **argv);

/* Asks the daemon of this policy and says nothing if there is none; takes over `request`. 0 with a new reference in `*reply`,
 * -ECONNREFUSED, -errno. */
int lists_ask(const struct policy *p, json_t *request, json_t **reply);

/* "2026-11-23 02:26", local time; "never" for 0. */
void lists_time(char *to, size_t size, int64_t when);

#endif
