/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains and rules of our table, as DESIGN section 2 orders them. Puts them into a batch; sends nothing. */
#ifndef MINEWALL_RULES_H
#define MINEWALL_RULES_H

#include "nft/netlink.h"
#include "nft/table.h"

#define RULES_CHAINS_MAX 32

/* What was made, to compare the kernel's table with. */
struct rules_layout {
	struct {
		const char *name;
		unsigned int rules;
	} chain[RULES_CHAINS_MAX];
	size_t n;
};

/* Names of the counters, in the order of struct table_counters. */
#define RULES_COUNTERS 6
extern const char *const rules_counters[RULES_COUNTERS];

/* Table, sets and counters must be in the batch already. `xt`: the kernel has no `queue` expression. */
int rules_put(struct netlink_batch *b, const struct table_config *config, bool xt, struct rules_layout *layout);

#endif
