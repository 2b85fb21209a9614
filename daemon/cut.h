/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends flows that are open already: our rules look up what was taught for the first packets of a flow only, and a flow that goes on is
 * ended by its connmark. Runs on the main thread, never on the packet path. */
#ifndef MINEWALL_CUT_H
#define MINEWALL_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/event.h"
#include "nft/table.h"

/* Endpoints and pairs that wait for their turn; more than these, and all that is taught is compared. */
#define CUT_FRESH_MAX 256

struct daemon;

struct cut {
	struct { struct element element; unsigned left; } fresh[CUT_FRESH_MAX];
	size_t n;
	bool all;
	uint64_t lost;		/* events that never came here */
	uint64_t next_ms;	/* not before this (CLOCK_MONOTONIC) */
};

/* Ends the flows to addresses that the policy blocks, to endpoints and of pairs that the kernel was taught. Their connmark becomes
 * BLOCKED. */
void cut_blocked(struct daemon *d);

/* The flows to what this event taught are ended at the next tick. */
void cut_taught(struct daemon *d, const struct event *e);

/* Milliseconds until cut_tick is due, or `other` if that is sooner; -1 stands for never. */
int cut_due_ms(const struct daemon *d, int other);
void cut_tick(struct daemon *d);

#endif
