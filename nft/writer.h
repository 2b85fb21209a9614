/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vocabulary in which our rules are written: begin a rule, match, load, set, end. Which rules there are is said in
 * nft/rules.c. Without memory the batch's error is set and begin answers a rule that is NULL. */
#ifndef MINEWALL_WRITER_H
#define MINEWALL_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "nft/expr.h"
#include "nft/netlink.h"
#include "nft/rules.h"
#include "nft/sets.h"
#include "nft/table.h"

/* Where the rules go, while they are written. */
struct writer {
	struct netlink_batch *batch;
	const struct table_config *config;
	struct rules_layout *layout;
	const char *chain;
	unsigned int shift;	/* of the state within the mark */
	bool xt;
};

enum side { SOURCE, DESTINATION };	/* of the packet */

/* A base chain at hook NF_INET_*, or a plain one (hook -1). */
void writer_add_chain(struct writer *w, const char *name, int hook, int priority);
/* A rule at the end of w->chain; writer_end puts it into the batch. */
struct expr_rule writer_begin(struct writer *w);
void writer_end(struct writer *w, struct expr_rule *r);
void writer_end_verdict(struct writer *w, struct expr_rule *r, int verdict, const char *chain);

/* Each of these ends the rule where it does not hold; all work in register 0. */
void writer_match_family(struct expr_rule *r, enum set set);
void writer_match_proto(struct expr_rule *r, uint8_t proto);
void writer_match_other(struct expr_rule *r, uint8_t proto);	/* any but this one */
void writer_match_interface(struct expr_rule *r, uint32_t key, const char *name);
void writer_match_direction(struct expr_rule *r, uint8_t direction);
void writer_match_bits(struct expr_rule *r, uint32_t mask, uint32_t op, uint32_t value);
void writer_match_ct_state(struct expr_rule *r, uint32_t states);
void writer_match_no_ct_state(struct expr_rule *r, uint32_t states);
void writer_match_first(struct expr_rule *r);	/* a flow's first packet */
void writer_match_flags(struct expr_rule *r, uint8_t mask, uint8_t value);
void writer_match_any_flag(struct expr_rule *r, uint8_t mask);
void writer_match_state(struct writer *w, struct expr_rule *r, enum state state);
/* A TCP flow that was let go and that both ends speak on, by one comparison for all of it. */
void writer_match_settled(struct writer *w, struct expr_rule *r);
void writer_match_verdict(struct writer *w, struct expr_rule *r, enum state state);
void writer_match_payload(struct expr_rule *r);
/* A payload that begins as a QUIC packet of this type (of the two bits) and version does. */
void writer_match_quic(struct expr_rule *r, uint8_t type, uint32_t version);

/* The port of DNS at this side; the first bytes of a UDP payload as those of a query or of an answer (RFC 1035, 4.1.1). */
void writer_match_dns_port(struct expr_rule *r, enum side side);
void writer_match_dns_header(struct expr_rule *r, bool answer);

/* Takes the TCP flag URG out of the packet. */
void writer_clear_urgent(struct expr_rule *r);

/* (old & ~mask) | state, in the connmark and in the packet mark. */
void writer_set_state(struct writer *w, struct expr_rule *r, enum state state);
/* The same where the bits `among` of the state are all 0; else it ends the rule. */
void writer_set_state_unless(struct writer *w, struct expr_rule *r, uint32_t among, enum state state);
void writer_set_packet(struct writer *w, struct expr_rule *r, enum state state);

/* At register `word`; load_address returns the next one. The key is [inside address .] outside address . protocol . outside port. */
unsigned int writer_load_address(struct expr_rule *r, enum set set, enum side side, unsigned int word);
void writer_load_port(struct expr_rule *r, enum side side, unsigned int word);
void writer_load_key(struct expr_rule *r, enum set set, enum side outside);
/* The same key for an original packet, with the outside address 0. */
void writer_load_service_key(struct expr_rule *r, enum set set);

/* The destination lies in a private network (RFC 1918, 3927, 4193, 4291), of which there are WRITER_PRIVATE; IPv4 before IPv6. */
#define WRITER_PRIVATE 6
void writer_match_private(struct expr_rule *r, unsigned int which);
void writer_match_port(struct expr_rule *r, uint16_t port);

#endif
