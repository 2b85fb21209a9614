// SPDX-License-Identifier: GPL-2.0-or-later
/* Appends nftables expressions to rules through libnftnl. Decides nothing: which expressions make a rule is said in
 * nft/rules.c. */
#include "nft/expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

static struct nftnl_expr *append(struct expr_rule *r, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (!e) {
		r->broken = true;
		return NULL;
	}
	nftnl_rule_add_expr(r->rule, e);
	return e;
}

static uint32_t reg(unsigned int word)
{
	return NFT_REG32_00 + word;
}

static void load_or_set(struct expr_rule *r, const char *name, uint16_t key_attr, uint32_t key, uint16_t reg_attr,
			unsigned int word)
{
	struct nftnl_expr *e = append(r, name);

	if (!e)
		return;
	nftnl_expr_set_u32(e, key_attr, key);
	nftnl_expr_set_u32(e, reg_attr, reg(word));
}

void expr_meta(struct expr_rule *r, uint32_t key, unsigned int word)
{
	load_or_set(r, "meta", NFTNL_EXPR_META_KEY, key, NFTNL_EXPR_META_DREG, word);
}

void expr_meta_set(struct expr_rule *r, uint32_t key, unsigned int word)
{
	load_or_set(r, "meta", NFTNL_EXPR_META_KEY, key, NFTNL_EXPR_META_SREG, word);
}

void expr_ct(struct expr_rule *r, uint32_t key, unsigned int word)
{
	load_or_set(r, "ct", NFTNL_EXPR_CT_KEY, key, NFTNL_EXPR_CT_DREG, word);
}

void expr_ct_set(struct expr_rule *r, uint32_t key, unsigned int word)
{
	load_or_set(r, "ct", NFTNL_EXPR_CT_KEY, key, NFTNL_EXPR_CT_SREG, word);
}

void expr_payload(struct expr_rule *r, uint32_t base, uint32_t offset, uint32_t len, unsigned int word)
{
	struct nftnl_expr *e = append(r, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg(word));
}

void expr_payload_set(struct expr_rule *r, uint32_t offset, uint32_t len, uint32_t sum, unsigned int word)
{
	struct nftnl_expr *e = append(r, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_SREG, reg(word));
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, sum);
}

void expr_cmp(struct expr_rule *r, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = append(r, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, reg(0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, len);
}

static void bitwise(struct expr_rule *r, unsigned int from, unsigned int to, const void *mask, const void *flip, uint32_t len)
{
	struct nftnl_expr *e = append(r, "bitwise");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, reg(from));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, reg(to));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, flip, len);
}

void expr_bitwise(struct expr_rule *r, const void *mask, const void *flip, uint32_t len)
{
	bitwise(r, 0, 0, mask, flip, len);
}

void expr_bitwise_word(struct expr_rule *r, unsigned int from, unsigned int to, uint32_t mask, uint32_t flip)
{
	bitwise(r, from, to, &mask, &flip, sizeof(mask));
}

void expr_lookup(struct expr_rule *r, const char *set)
{
	struct nftnl_expr *e = append(r, "lookup");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, reg(0));
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
}

void expr_dynset(struct expr_rule *r, uint32_t op, const char *map, unsigned int data)
{
	struct nftnl_expr *e = append(r, "dynset");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, reg(0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_DATA, reg(data));
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, op);
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, map);
}

void expr_update(struct expr_rule *r, const char *set)
{
	struct nftnl_expr *e = append(r, "dynset"), *counter;

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, reg(0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set);
	counter = nftnl_expr_alloc("counter");
	if (!counter) {
		r->broken = true;
		return;
	}
	nftnl_expr_add_expr(e, NFTNL_EXPR_DYNSET_EXPRESSIONS, counter);
}

static void refer(struct expr_rule *r, uint32_t type, const char *name)
{
	struct nftnl_expr *e = append(r, "objref");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, type);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, name);
}

void expr_counter(struct expr_rule *r, const char *name)
{
	refer(r, NFT_OBJECT_COUNTER, name);
}

void expr_helper(struct expr_rule *r, const char *name)
{
	refer(r, NFT_OBJECT_CT_HELPER, name);
}

void expr_offload(struct expr_rule *r, const char *flowtable)
{
	struct nftnl_expr *e = append(r, "flow_offload");

	if (e)
		nftnl_expr_set_str(e, NFTNL_EXPR_FLOW_TABLE_NAME, flowtable);
}

void expr_notrack(struct expr_rule *r)
{
	append(r, "notrack");
}

void expr_zero(struct expr_rule *r, uint32_t len, unsigned int word)
{
	static const uint8_t zeros[16];
	struct nftnl_expr *e = append(r, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG32_00 + word);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, zeros, len);
}

void expr_verdict(struct expr_rule *r, int verdict, const char *chain)
{
	struct nftnl_expr *e = append(r, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

void expr_reject(struct expr_rule *r, uint32_t type, uint8_t code)
{
	struct nftnl_expr *e = append(r, "reject");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, type);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, code);
}

void expr_queue(struct expr_rule *r, uint16_t first, uint16_t count, bool bypass)
{
	struct nftnl_expr *e = append(r, "queue");

	if (!e)
		return;
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_NUM, first);
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_TOTAL, count);
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_FLAGS, bypass ? NFT_QUEUE_FLAG_BYPASS : 0);
}

/* linux/netfilter/xt_NFQUEUE.h, revision 3, padded as x_tables pads (8 bytes). */
void expr_queue_xt(struct expr_rule *r, uint16_t first, uint16_t count, bool bypass)
{
	struct nftnl_expr *e = append(r, "target");
	struct xt_NFQ_info_v3 *info;

	if (!e)
		return;
	info = calloc(1, XT_ALIGN(sizeof(*info)));
	if (!info) {
		r->broken = true;
		return;
	}
	info->queuenum = first;
	info->queues_total = count;
	info->flags = bypass ? NFQ_FLAG_BYPASS : 0;
	nftnl_expr_set_str(e, NFTNL_EXPR_TG_NAME, "NFQUEUE");
	nftnl_expr_set_u32(e, NFTNL_EXPR_TG_REV, 3);
	/* libnftnl keeps the pointer and frees it with the expression */
	nftnl_expr_set(e, NFTNL_EXPR_TG_INFO, info, XT_ALIGN(sizeof(*info)));
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as said */
}
