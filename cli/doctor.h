/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of `minewall doctor` share. A check looks, changes nothing, and says one or more findings: how it is, and what to do
 * where it is not well. */
#ifndef MINEWALL_DOCTOR_H
#define MINEWALL_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/cli.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_BAD };

struct doctor {
	const struct cli_args *args;
	struct policy *policy;		/* of the file with its lists; the built-in one where that is broken */
	const struct settings *settings;
	json_t *status;			/* what a running daemon says, or NULL */
	json_t *findings;
	enum doctor_level worst;
};

/* `todo`: what to do; NULL where it is well. `text` is a format. */
__attribute__((format(printf, 5, 6)))
void doctor_say(struct doctor *d, enum doctor_level level, const char *check, const char *todo, const char *text, ...);

/* The kernel and those who share it with us (doctor_kernel.c). */
void doctor_kernel(struct doctor *d);
void doctor_queues(struct doctor *d);
void doctor_marks(struct doctor *d);
void doctor_offload(struct doctor *d);
void doctor_conntrack(struct doctor *d);

/* Where traffic goes (doctor_net.c). */
void doctor_forwarding(struct doctor *d);
void doctor_interfaces(struct doctor *d);
void doctor_bridge(struct doctor *d);
void doctor_proxies(struct doctor *d);
void doctor_containers(struct doctor *d);

/* `--self-test`: a daemon, a client and a pool in a network namespace of their own (selftest.c). */
void doctor_selftest(struct doctor *d);

/* The number in the first line of a file of /proc; -1 if there is none. */
long long doctor_number(const char *path);

#endif
