/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices that may reach nothing but a few addresses for a time: sets of their addresses and MACs whose elements end by themselves,
 * and the chain that refuses the rest. Puts sets and rules into a batch; sends nothing. */
#ifndef MINEWALL_QUARANTINE_NFT_H
#define MINEWALL_QUARANTINE_NFT_H

#include "nft/netlink.h"
#include "nft/table.h"

struct writer;

/* Chains that quarantine_put_chains fills; the caller adds them: a base chain of forward before all of ours, and a plain one. */
#define QUARANTINE_BASE "quarantine"
#define QUARANTINE_CHECK "quarantine_check"

/* The sets with the devices of the configuration. */
void quarantine_put_sets(struct netlink_batch *b, const struct table_config *config);
void quarantine_put_chains(struct writer *w);

/* Addresses that they may reach for a time; one that is there gets the new time. */
void quarantine_put_admitted(struct netlink_batch *b, const struct table_admitted *admitted, size_t n);

#endif
