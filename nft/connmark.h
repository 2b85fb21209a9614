/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our bits of the connmark through ctnetlink: set for one flow, cleared for all. */
#ifndef MINEWALL_CONNMARK_H
#define MINEWALL_CONNMARK_H

#include <stdbool.h>
#include <stdint.h>

struct connmark;	/* an open ctnetlink socket */

/* A flow by its original tuple, addresses v4-mapped for family 4, ports in host order. */
struct connmark_tuple {
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
	uint8_t family, proto;
	/* Whom its answers come from: behind a DNAT or redirect of this host another one, and the one that our rules see. Filled for
	 * connmark_wanted only. */
	uint8_t to[16];
	uint16_t to_port;
};

int connmark_open(struct connmark **c);
void connmark_close(struct connmark *c);

/* mark = (mark & ~mask) | value. -ENOENT: no such flow (a first UDP packet is not confirmed yet). */
int connmark_set(struct connmark *c, const struct connmark_tuple *t, uint32_t value, uint32_t mask);

/* The same for a flow that this host's DNAT or redirect leads to t->dst, whatever it was sent to; not where its source is another one
 * there, too (masqueraded). */
int connmark_set_behind(struct connmark *c, const struct connmark_tuple *t, uint32_t value, uint32_t mask);

/* Ends a flow that takes a flowtable's fast way, within a second: its packets come through the chains again, as those of a flow that is
 * older than the table. 0 also if it takes no such way. */
int connmark_tear(struct connmark *c, const struct connmark_tuple *t);

/* Asks `wanted` of every TCP and UDP flow of the connection tracking, with its whole connmark, and calls `each` for those of a family
 * that it wants when all were seen; stops when that returns non-zero and returns it. `each` may call connmark_set with the same `c`. */
typedef bool connmark_wanted(const struct connmark_tuple *t, uint32_t mark, void *arg);
int connmark_each(struct connmark *c, connmark_wanted *wanted, int (*each)(const struct connmark_tuple *t, uint32_t mark, void *arg),
		  void *arg);

/* Takes the bits of `mask` out of every flow's connmark; returns how many flows carried them, or -errno. */
long connmark_clear(struct connmark *c, uint32_t mask);

#endif
