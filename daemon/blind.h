/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blind spots: how often a flow of an inside host could not be judged, and why. Bounded memory with one lock, touched only by
 * such flows; it says where to look, and decides nothing. */
#ifndef MINEWALL_BLIND_H
#define MINEWALL_BLIND_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/pipeline.h"

struct blind;

struct blind_host {
	uint8_t address[16];
	uint8_t family;
	uint64_t seen_s;
	uint64_t flows;			/* all together */
	uint64_t reasons[REASON_COUNT];	/* REASON_NONE: overload, its first bytes had to be given up */
};

/* Hosts remembered; the one not heard of for longest gives way. */
#define BLIND_HOSTS_MAX 1024

/* NULL: no memory. `key` is the secret of the hash. */
struct blind *blind_new(const uint64_t key[2]);
void blind_free(struct blind *b);

/* Does a flow that ended so leave something unseen? */
bool blind_reason(enum reason r);

/* Counts a flow of this client. REASON_NONE stands for overload. */
void blind_count(struct blind *b, const struct subject *who, uint8_t family, enum reason r, uint64_t now_s);

/* Copies the `max` hosts with the most such flows into `out`, the worst first; returns how many. */
unsigned blind_hosts(struct blind *b, struct blind_host *out, unsigned max);

#endif
