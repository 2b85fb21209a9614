/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One nftables expression a function, appended to a rule. A missing piece of memory marks the rule as broken and the
 * rules module refuses it. */
#ifndef MINEWALL_EXPR_H
#define MINEWALL_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftnl_rule;

/* A rule in the making. */
struct expr_rule {
	struct nftnl_rule *rule;
	bool broken;
};

/* Registers are counted in words of 4 bytes, 0 to 15 (NFT_REG32_00 and up). */

void expr_meta(struct expr_rule *r, uint32_t key, unsigned int word);		/* NFT_META_* into a register */
void expr_meta_set(struct expr_rule *r, uint32_t key, unsigned int word);
void expr_ct(struct expr_rule *r, uint32_t key, unsigned int word);		/* NFT_CT_* */
void expr_ct_set(struct expr_rule *r, uint32_t key, unsigned int word);
void expr_payload(struct expr_rule *r, uint32_t base, uint32_t offset, uint32_t len, unsigned int word);
/* Writes a register into the transport header and puts its 16-bit Internet checksum at offset `sum` right. */
void expr_payload_set(struct expr_rule *r, uint32_t offset, uint32_t len, uint32_t sum, unsigned int word);
void expr_cmp(struct expr_rule *r, uint32_t op, const void *data, uint32_t len);	/* of word 0 */
/* word 0 = (word 0 & mask) ^ flip; of one word, from another one into another one. */
void expr_bitwise(struct expr_rule *r, const void *mask, const void *flip, uint32_t len);
void expr_bitwise_word(struct expr_rule *r, unsigned int from, unsigned int to, uint32_t mask, uint32_t flip);
void expr_lookup(struct expr_rule *r, const char *set);			/* words 0 and up are the key */
void expr_dynset(struct expr_rule *r, uint32_t op, const char *map, unsigned int data);	/* NFT_DYNSET_OP_*, the value's word */
void expr_update(struct expr_rule *r, const char *set);
void expr_counter(struct expr_rule *r, const char *name);		/* a named counter of the table */
void expr_helper(struct expr_rule *r, const char *name);			/* a ct helper object; of unconfirmed flows only */
void expr_offload(struct expr_rule *r, const char *flowtable);
void expr_notrack(struct expr_rule *r);
void expr_zero(struct expr_rule *r, uint32_t len, unsigned int word);	/* that many zero bytes */
void expr_verdict(struct expr_rule *r, int verdict, const char *chain);	/* NF_*, NFT_GOTO */
void expr_reject(struct expr_rule *r, uint32_t type, uint8_t code);	/* NFT_REJECT_* */
void expr_queue(struct expr_rule *r, uint16_t first, uint16_t count, bool bypass);
void expr_queue_xt(struct expr_rule *r, uint16_t first, uint16_t count, bool bypass);

#endif
