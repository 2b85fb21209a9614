// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes chains and the parts of rules into a batch, with the marks and addresses of our table. Decides nothing. */
#include "nft/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

void writer_add_chain(struct writer *w, const char *name, int hook, int priority)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct nlmsghdr *h;

	if (!c || w->layout->n == RULES_CHAINS_MAX) {
		w->batch->error = -ENOMEM;
		nftnl_chain_free(c);
		return;
	}
	nftnl_chain_set_u32(c, NFTNL_CHAIN_FAMILY, NFPROTO_INET);
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, SETS_TABLE);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
	if (hook >= 0) {
		nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
		nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, (uint32_t)hook);
		nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, priority);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	h = netlink_batch_put(w->batch, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE);
	if (h) {
		nftnl_chain_nlmsg_build_payload(h, c);
		netlink_batch_next(w->batch, h);
	}
	nftnl_chain_free(c);
	w->layout->chain[w->layout->n].name = name;
	w->layout->chain[w->layout->n++].rules = 0;
}

struct expr_rule writer_begin(struct writer *w)
{
	struct expr_rule r = { .rule = nftnl_rule_alloc() };

	if (!r.rule) {
		w->batch->error = -ENOMEM;
		return r;
	}
	nftnl_rule_set_u32(r.rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	nftnl_rule_set_str(r.rule, NFTNL_RULE_TABLE, SETS_TABLE);
	nftnl_rule_set_str(r.rule, NFTNL_RULE_CHAIN, w->chain);
	return r;
}

void writer_end(struct writer *w, struct expr_rule *r)
{
	struct nlmsghdr *h;

	if (!r->rule)
		return;
	if (r->broken)
		w->batch->error = -ENOMEM;
	h = netlink_batch_put(w->batch, NFT_MSG_NEWRULE, NFPROTO_INET, NLM_F_CREATE | NLM_F_APPEND);
	if (h) {
		nftnl_rule_nlmsg_build_payload(h, r->rule);
		netlink_batch_next(w->batch, h);
	}
	nftnl_rule_free(r->rule);
	for (size_t i = 0; i < w->layout->n; i++)
		if (!strcmp(w->layout->chain[i].name, w->chain))
			w->layout->chain[i].rules++;
}

void writer_end_verdict(struct writer *w, struct expr_rule *r, int verdict, const char *chain)
{
	if (r->rule)
		expr_verdict(r, verdict, chain);
	writer_end(w, r);
}

static void writer_match_u8(struct expr_rule *r, uint8_t value)
{
	expr_cmp(r, NFT_CMP_EQ, &value, sizeof(value));
}

void writer_match_family(struct expr_rule *r, enum set set)
{
	expr_meta(r, NFT_META_NFPROTO, 0);
	writer_match_u8(r, set & 1 ? NFPROTO_IPV6 : NFPROTO_IPV4);
}

void writer_match_proto(struct expr_rule *r, uint8_t proto)
{
	expr_meta(r, NFT_META_L4PROTO, 0);
	writer_match_u8(r, proto);
}

void writer_match_other(struct expr_rule *r, uint8_t proto)
{
	expr_meta(r, NFT_META_L4PROTO, 0);
	expr_cmp(r, NFT_CMP_NEQ, &proto, sizeof(proto));
}

/* A name ending in * is a prefix, as in nft. */
void writer_match_interface(struct expr_rule *r, uint32_t key, const char *name)
{
	char padded[16] = "";
	size_t len = strnlen(name, sizeof(padded) - 1);

	memcpy(padded, name, len);
	expr_meta(r, key, 0);
	if (len && name[len - 1] == '*')
		expr_cmp(r, NFT_CMP_EQ, padded, (uint32_t)len - 1);
	else
		expr_cmp(r, NFT_CMP_EQ, padded, sizeof(padded));
}

void writer_match_direction(struct expr_rule *r, uint8_t direction)
{
	expr_ct(r, NFT_CT_DIRECTION, 0);
	writer_match_u8(r, direction);
}

void writer_match_bits(struct expr_rule *r, uint32_t mask, uint32_t op, uint32_t value)
{
	const uint32_t flip = 0;

	expr_bitwise(r, &mask, &flip, sizeof(mask));
	expr_cmp(r, op, &value, sizeof(value));
}

void writer_match_ct_state(struct expr_rule *r, uint32_t states)
{
	expr_ct(r, NFT_CT_STATE, 0);
	writer_match_bits(r, states, NFT_CMP_NEQ, 0);
}

void writer_match_no_ct_state(struct expr_rule *r, uint32_t states)
{
	expr_ct(r, NFT_CT_STATE, 0);
	writer_match_bits(r, states, NFT_CMP_EQ, 0);
}

/* conntrack confirms a flow behind all filters. */
void writer_match_first(struct expr_rule *r)
{
	expr_ct(r, NFT_CT_STATUS, 0);
	writer_match_bits(r, IPS_CONFIRMED, NFT_CMP_EQ, 0);
}

/* RFC 9293: the flags are byte 13. */
static void load_flags(struct expr_rule *r, uint8_t mask)
{
	const uint8_t zero = 0;

	expr_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, 0);
	expr_bitwise(r, &mask, &zero, 1);
}

void writer_match_flags(struct expr_rule *r, uint8_t mask, uint8_t value)
{
	load_flags(r, mask);
	writer_match_u8(r, value);
}

void writer_match_any_flag(struct expr_rule *r, uint8_t mask)
{
	const uint8_t zero = 0;

	load_flags(r, mask);
	expr_cmp(r, NFT_CMP_NEQ, &zero, sizeof(zero));
}

/* RFC 9293: bytes 12 and 13 are one word of the checksum at 16; 0x20 is URG. */
void writer_clear_urgent(struct expr_rule *r)
{
	const uint8_t keep[2] = { 0xff, 0xff & ~TH_URG }, flip[2] = { 0 };

	expr_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 12, sizeof(keep), 0);
	expr_bitwise(r, keep, flip, sizeof(keep));
	expr_payload_set(r, 12, sizeof(keep), 16, 0);
}

void writer_match_state(struct writer *w, struct expr_rule *r, enum state state)
{
	expr_ct(r, NFT_CT_MARK, 0);
	writer_match_bits(r, w->config->mark_mask, NFT_CMP_EQ, (uint32_t)state << w->shift);
}

void writer_match_settled(struct writer *w, struct expr_rule *r)
{
	const uint32_t want[] = { (uint32_t)STATE_PASS << w->shift, 0, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) };
	uint8_t words[sizeof(want)];

	memcpy(words, want, sizeof(want));
	words[sizeof(want[0])] = IPPROTO_TCP;	/* one byte, at the word's begin */
	expr_ct(r, NFT_CT_MARK, 0);
	expr_bitwise_word(r, 0, 0, w->config->mark_mask, 0);
	expr_meta(r, NFT_META_L4PROTO, 1);
	expr_ct(r, NFT_CT_STATE, 2);
	expr_cmp(r, NFT_CMP_EQ, words, sizeof(words));
}

void writer_match_verdict(struct writer *w, struct expr_rule *r, enum state state)
{
	expr_meta(r, NFT_META_MARK, 0);
	writer_match_bits(r, w->config->mark_mask, NFT_CMP_EQ, (uint32_t)state << w->shift);
}

/* The load itself ends the rule where there is no first byte of payload; the comparison is for those who read it. */
void writer_match_payload(struct expr_rule *r)
{
	const uint8_t zero = 0;

	expr_payload(r, NFT_PAYLOAD_INNER_HEADER, 0, 1, 0);
	expr_cmp(r, NFT_CMP_GTE, &zero, sizeof(zero));
}

void writer_match_dns_port(struct expr_rule *r, enum side side)
{
	const uint8_t port[2] = { 0, 53 };

	writer_load_port(r, side, 0);
	expr_cmp(r, NFT_CMP_EQ, port, sizeof(port));
}

/* The third byte: QR, the opcode, which is 0 of a standard query, and three flags. */
void writer_match_dns_header(struct expr_rule *r, bool answer)
{
	const uint8_t mask = 0xf8, flip = 0;

	expr_payload(r, NFT_PAYLOAD_INNER_HEADER, 2, 1, 0);
	expr_bitwise(r, &mask, &flip, sizeof(mask));
	writer_match_u8(r, answer ? 0x80 : 0);
}

void writer_match_quic(struct expr_rule *r, uint8_t type, uint32_t version)
{
	/* the long form, the type, and not the bit that clients may grease (RFC 9287) */
	static const uint8_t mask[] = { 0xb0, 0xff, 0xff, 0xff, 0xff }, flip[sizeof(mask)] = { 0 };
	const uint8_t head[] = { 0x80 | (uint8_t)(type << 4), (uint8_t)(version >> 24), (uint8_t)(version >> 16),
				 (uint8_t)(version >> 8), (uint8_t)version };

	expr_payload(r, NFT_PAYLOAD_INNER_HEADER, 0, sizeof(head), 0);
	expr_bitwise(r, mask, flip, sizeof(mask));
	expr_cmp(r, NFT_CMP_EQ, head, sizeof(head));
}

static void replace_bits(struct writer *w, struct expr_rule *r, enum state state)
{
	const uint32_t keep = ~w->config->mark_mask, ours = (uint32_t)state << w->shift;

	expr_bitwise(r, &keep, &ours, sizeof(keep));
}

void writer_set_state(struct writer *w, struct expr_rule *r, enum state state)
{
	expr_ct(r, NFT_CT_MARK, 0);
	replace_bits(w, r, state);
	expr_ct_set(r, NFT_CT_MARK, 0);
}

void writer_set_state_unless(struct writer *w, struct expr_rule *r, uint32_t among, enum state state)
{
	const uint32_t none = 0;

	expr_ct(r, NFT_CT_MARK, 1);
	expr_bitwise_word(r, 1, 0, among << w->shift, 0);
	expr_cmp(r, NFT_CMP_EQ, &none, sizeof(none));
	expr_bitwise_word(r, 1, 1, ~w->config->mark_mask, (uint32_t)state << w->shift);
	expr_ct_set(r, NFT_CT_MARK, 1);
}

void writer_set_packet(struct writer *w, struct expr_rule *r, enum state state)
{
	expr_meta(r, NFT_META_MARK, 0);
	replace_bits(w, r, state);
	expr_meta_set(r, NFT_META_MARK, 0);
}

/* Loads one address at register `word`; returns the word after it. Offsets: RFC 791, RFC 8200. */
unsigned int writer_load_address(struct expr_rule *r, enum set set, enum side side, unsigned int word)
{
	uint32_t len = set & 1 ? 16 : 4, offset = set & 1 ? 8 : 12;

	expr_payload(r, NFT_PAYLOAD_NETWORK_HEADER, side == SOURCE ? offset : offset + len, len, word);
	return word + len / 4;
}

void writer_load_port(struct expr_rule *r, enum side side, unsigned int word)
{
	expr_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, side == SOURCE ? 0 : 2, 2, word);
}

void writer_load_key(struct expr_rule *r, enum set set, enum side outside)
{
	unsigned int word = 0;

	if (set >= SET_PAIRS4)
		word = writer_load_address(r, set, outside == SOURCE ? DESTINATION : SOURCE, word);
	word = writer_load_address(r, set, outside, word);
	expr_meta(r, NFT_META_L4PROTO, word);
	writer_load_port(r, outside, word + 1);
}

void writer_load_service_key(struct expr_rule *r, enum set set)
{
	unsigned int word = writer_load_address(r, set, SOURCE, 0);
	uint32_t len = set & 1 ? 16 : 4;

	expr_zero(r, len, word);
	expr_meta(r, NFT_META_L4PROTO, word + len / 4);
	writer_load_port(r, DESTINATION, word + len / 4 + 1);
}

void writer_match_private(struct expr_rule *r, unsigned int which)
{
	static const struct { uint8_t six, mask[2], want[2]; } nets[WRITER_PRIVATE] = {
		{ 0, { 0xff, 0 }, { 10, 0 } }, { 0, { 0xff, 0xf0 }, { 172, 16 } }, { 0, { 0xff, 0xff }, { 192, 168 } },
		{ 0, { 0xff, 0xff }, { 169, 254 } }, { 1, { 0xfe, 0 }, { 0xfc, 0 } }, { 1, { 0xff, 0xc0 }, { 0xfe, 0x80 } },
	};
	static const uint8_t flip[2];

	writer_match_family(r, nets[which].six ? SET_TRIES6 : SET_TRIES4);
	expr_payload(r, NFT_PAYLOAD_NETWORK_HEADER, nets[which].six ? 24 : 16, 2, 0);
	expr_bitwise(r, nets[which].mask, flip, sizeof(flip));
	expr_cmp(r, NFT_CMP_EQ, nets[which].want, sizeof(nets[which].want));
}

void writer_match_port(struct expr_rule *r, uint16_t port)
{
	const uint8_t bytes[2] = { (uint8_t)(port >> 8), (uint8_t)port };

	writer_load_port(r, DESTINATION, 0);
	expr_cmp(r, NFT_CMP_EQ, bytes, sizeof(bytes));
}
