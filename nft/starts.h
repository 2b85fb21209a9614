/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the bytes of each undecided TCP flow begin: the sequence number that its server's SYN-ACK acknowledged, kept by our rules
 * without a packet being queued. A client can send forged bytes below it, which no server reads; this tells them from the stream. */
#ifndef MINEWALL_STARTS_H
#define MINEWALL_STARTS_H

#include <stdint.h>

#include "nft/netlink.h"

struct writer;

/* Chains that starts_put_chains fills, of TCP replies; the caller adds them. */
#define STARTS_LEARN "start_learn"
#define STARTS_FORGET "start_forget"

void starts_put_maps(struct netlink_batch *b);
void starts_put_chains(struct writer *w);

/* At the end of w->chain, of TCP replies to what is inspected: a SYN-ACK says where a flow begins, and leaves for STARTS_LEARN. */
void starts_put_reply(struct writer *w);

/* At the end of w->chain, of TCP replies to what was judged clean: with the server's first payload the start is no longer asked, and
 * the flow is let go. */
void starts_put_settled(struct writer *w);

struct starts;		/* a netlink socket of its own; not thread-safe */

int starts_open(struct starts **s);
void starts_close(struct starts *s);

/* The start of the flow with these ends (IPv4 v4-mapped, ports in host order); allocates nothing, some 5 us. -ENOENT: not known. */
int starts_get(struct starts *s, uint8_t family, const uint8_t src[16], const uint8_t dst[16], uint16_t sport, uint16_t dport,
	       uint32_t *start);

#endif
