/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps new flows out of other tables' flowtables (software and hardware offload), which would hide them from our chains: the
 * kernel offloads no flow that has a connection tracking helper. Puts objects and rules into a batch; sends nothing. */
#ifndef MINEWALL_GUARD_H
#define MINEWALL_GUARD_H

#include "nft/netlink.h"
#include "nft/writer.h"

/* Helper objects, one message each. */
#define GUARDS 3

void guard_put_objects(struct netlink_batch *b, const char *table);

/* Rules at the end of w->chain: a flow's first packet gets the helper of its protocol. */
void guard_put_rules(struct writer *w);

#endif
