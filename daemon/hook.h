/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The admin's command that is told of an incident: executed one at a time, with the text on its standard input and a limit of time.
 * The only place that executes a program; it is called in the reporter's process alone. */
#ifndef MINEWALL_HOOK_H
#define MINEWALL_HOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "policy/reporting.h"

/* Alerts that wait for the one before. When there are more something is wrong with the hook, not with the house. */
#define HOOK_QUEUE 32

struct alert_hook {
	char *waiting[HOOK_QUEUE];	/* texts, the oldest first */
	unsigned n;
	pid_t pid;			/* 0: none runs */
	int64_t until_ms;
	uint64_t runs, failures, dropped;
	char last_error[96];		/* "" if the last run was good */
};

/* Has it told, soon. The text is taken over; if there is no room, it is counted and freed. */
void hook_tell(struct alert_hook *h, char *text);

/* Starts the next one, notices ends, kills the one that takes too long. True: something changed. */
bool hook_tick(struct alert_hook *h, const struct reporting *r, int64_t now_ms);

/* When hook_tick is wanted next, in milliseconds; -1: not until hook_tell or SIGCHLD. */
int hook_due_ms(const struct alert_hook *h, int64_t now_ms);

void hook_fini(struct alert_hook *h);

#endif
