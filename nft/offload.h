/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own flowtable: TCP flows that were judged and let go may take the kernel's fast way, past every chain. Undecided ones never do. */
#ifndef MINEWALL_OFFLOAD_H
#define MINEWALL_OFFLOAD_H

#include "nft/writer.h"

/* `devices`: names of interfaces that are there, NULL-terminated. */
void offload_put_flowtable(struct netlink_batch *b, const char *table, const char *const *devices);
/* At the end of w->chain, which must be a base chain of the forward hook. */
void offload_put_rule(struct writer *w);

/* The expression alone, for a probe. */
void offload_expr(struct expr_rule *r);

#endif
