// SPDX-License-Identifier: GPL-2.0-or-later
/* Says which packets are judged, rejected and queued: chains and rules from the configuration. The order of the
 * rules is the meaning; each function is one chain. */
#include "nft/rules.h"

#include <errno.h>
#include <string.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>

#include "nft/expr.h"
#include "nft/sets.h"

/* After the admin's own filter chains (priority 0), before source NAT: only what they let through is judged. */
enum { PRIORITY_JUDGE = NF_IP_PRI_FILTER + 5, PRIORITY_LATE = NF_IP_PRI_FILTER + 10 };

enum { NEW_OR_RELATED = NF_CT_STATE_BIT(IP_CT_NEW) | NF_CT_STATE_BIT(IP_CT_RELATED) };

const char *const rules_counters[RULES_COUNTERS] = { "queued", "rejected", "blocked", "invalid", "untracked" };

/* Where the rules go, while they are written. */
struct writer {
	struct netlink_batch *batch;
	const struct table_config *config;
	struct rules_layout *layout;
	const char *chain;
	unsigned int shift;	/* of the state within the mark */
	bool xt;
};

enum side { SOURCE, DESTINATION };

static void add_chain(struct writer *w, const char *name, int hook, int priority)
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

static struct expr_rule begin(struct writer *w)
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

static void end(struct writer *w, struct expr_rule *r)
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

static void end_verdict(struct writer *w, struct expr_rule *r, int verdict, const char *chain)
{
	if (r->rule)
		expr_verdict(r, verdict, chain);
	end(w, r);
}

static void match_u8(struct expr_rule *r, uint8_t value)
{
	expr_cmp(r, NFT_CMP_EQ, &value, sizeof(value));
}

static void match_family(struct expr_rule *r, enum set set)
{
	expr_meta(r, NFT_META_NFPROTO, 0);
	match_u8(r, set & 1 ? NFPROTO_IPV6 : NFPROTO_IPV4);
}

static void match_proto(struct expr_rule *r, uint8_t proto)
{
	expr_meta(r, NFT_META_L4PROTO, 0);
	match_u8(r, proto);
}

/* A name ending in * is a prefix, as in nft. */
static void match_interface(struct expr_rule *r, uint32_t key, const char *name)
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

static void match_direction(struct expr_rule *r, uint8_t direction)
{
	expr_ct(r, NFT_CT_DIRECTION, 0);
	match_u8(r, direction);
}

static void match_bits(struct expr_rule *r, uint32_t mask, uint32_t op, uint32_t value)
{
	const uint32_t flip = 0;

	expr_bitwise(r, &mask, &flip, sizeof(mask));
	expr_cmp(r, op, &value, sizeof(value));
}

static void match_ct_state(struct expr_rule *r, uint32_t states)
{
	expr_ct(r, NFT_CT_STATE, 0);
	match_bits(r, states, NFT_CMP_NEQ, 0);
}

static void match_state(struct writer *w, struct expr_rule *r, enum state state)
{
	expr_ct(r, NFT_CT_MARK, 0);
	match_bits(r, w->config->mark_mask, NFT_CMP_EQ, (uint32_t)state << w->shift);
}

static void match_verdict(struct writer *w, struct expr_rule *r, enum state state)
{
	expr_meta(r, NFT_META_MARK, 0);
	match_bits(r, w->config->mark_mask, NFT_CMP_EQ, (uint32_t)state << w->shift);
}

/* The load itself ends the rule where there is no first byte of payload; the comparison is for those who read it. */
static void match_payload(struct expr_rule *r)
{
	const uint8_t zero = 0;

	expr_payload(r, NFT_PAYLOAD_INNER_HEADER, 0, 1, 0);
	expr_cmp(r, NFT_CMP_GTE, &zero, sizeof(zero));
}

static void replace_bits(struct writer *w, struct expr_rule *r, enum state state)
{
	const uint32_t keep = ~w->config->mark_mask, ours = (uint32_t)state << w->shift;

	expr_bitwise(r, &keep, &ours, sizeof(keep));
}

static void set_state(struct writer *w, struct expr_rule *r, enum state state)
{
	expr_ct(r, NFT_CT_MARK, 0);
	replace_bits(w, r, state);
	expr_ct_set(r, NFT_CT_MARK, 0);
}

static void set_packet(struct writer *w, struct expr_rule *r, enum state state)
{
	expr_meta(r, NFT_META_MARK, 0);
	replace_bits(w, r, state);
	expr_meta_set(r, NFT_META_MARK, 0);
}

/* Loads one address at register `word`; returns the word after it. Offsets: RFC 791, RFC 8200. */
static unsigned int load_address(struct expr_rule *r, enum set set, enum side side, unsigned int word)
{
	uint32_t len = set & 1 ? 16 : 4, offset = set & 1 ? 8 : 12;

	expr_payload(r, NFT_PAYLOAD_NETWORK_HEADER, side == SOURCE ? offset : offset + len, len, word);
	return word + len / 4;
}

static void load_port(struct expr_rule *r, enum side side, unsigned int word)
{
	expr_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, side == SOURCE ? 0 : 2, 2, word);
}

/* [inside address .] outside address . protocol . outside port */
static void load_key(struct expr_rule *r, enum set set, enum side outside)
{
	unsigned int word = 0;

	if (set >= SET_PAIRS4)
		word = load_address(r, set, outside == SOURCE ? DESTINATION : SOURCE, word);
	word = load_address(r, set, outside, word);
	expr_meta(r, NFT_META_L4PROTO, word);
	load_port(r, outside, word + 1);
}

/* Exempt hosts and allowed addresses win over everything else. */
static void accept_listed(struct writer *w, enum side outside)
{
	for (enum set set = SET_LEARNT; set < SET_COUNT; set++) {
		bool exempt = set == SET_EXEMPT4 || set == SET_EXEMPT6;
		enum side inside = outside == SOURCE ? DESTINATION : SOURCE;
		struct expr_rule r = begin(w);
		unsigned int word;

		if (!r.rule)
			return;
		match_family(&r, set);
		word = load_address(&r, set, exempt ? inside : outside, 0);
		if (set >= SET_ALLOWED_PORTS4)
			load_port(&r, outside, word);
		expr_lookup(&r, sets_name(set));
		end_verdict(w, &r, NF_ACCEPT, NULL);
	}
}

static void refuse_learnt(struct writer *w, enum side outside)
{
	for (enum set set = SET_ENDPOINTS4; set < SET_TRIES4; set++) {
		struct expr_rule r = begin(w);

		if (!r.rule)
			return;
		match_family(&r, set);
		load_key(&r, set, outside);
		expr_lookup(&r, sets_name(set));
		end_verdict(w, &r, NFT_GOTO, outside == SOURCE ? "refuse" : set & 1 ? "hit6" : "hit4");
	}
}

static void end_queue(struct writer *w, struct expr_rule *r)
{
	const struct table_config *c = w->config;

	expr_counter(r, "queued");
	(w->xt ? expr_queue_xt : expr_queue)(r, c->queue_first, c->queue_count, c->bypass);
	end(w, r);
}

/* In monitor mode a flow that an earlier enforce mode blocked goes on, unjudged. */
static void end_blocked(struct writer *w, struct expr_rule *r)
{
	if (w->config->enforce)
		end_verdict(w, r, NFT_GOTO, "blocked");
	else
		end_verdict(w, r, NF_ACCEPT, NULL);
}

static void mark_older(struct writer *w, enum state direction)
{
	struct expr_rule r = begin(w);

	if (!r.rule)
		return;
	match_state(w, &r, STATE_OLDER);
	match_payload(&r);
	set_packet(w, &r, direction);
	end(w, &r);
}

static void judge_state(struct writer *w, enum state state, bool blocked)
{
	struct expr_rule r = begin(w);

	if (!r.rule)
		return;
	match_state(w, &r, state);
	if (blocked)
		end_blocked(w, &r);
	else
		end_verdict(w, &r, NF_ACCEPT, NULL);
}

/* A flow whose first packet we see. TCP only from its SYN: what conntrack picks up in the middle stays OLDER. */
static void mark_new(struct writer *w, uint8_t proto)
{
	const uint8_t syn_ack = 0x12, syn = 0x02, zero = 0;
	struct expr_rule r = begin(w);

	if (!r.rule)
		return;
	match_proto(&r, proto);
	if (proto == IPPROTO_TCP) {
		expr_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, 0);
		expr_bitwise(&r, &syn_ack, &zero, 1);
		match_u8(&r, syn);
	}
	match_ct_state(&r, NEW_OR_RELATED);
	match_state(w, &r, STATE_OLDER);
	set_state(w, &r, STATE_INSPECTING);
	end(w, &r);
}

static void fill_original(struct writer *w)
{
	struct expr_rule r;

	w->chain = "original";
	accept_listed(w, DESTINATION);
	if (w->config->enforce)
		refuse_learnt(w, DESTINATION);
	judge_state(w, STATE_BLOCKED, true);
	judge_state(w, STATE_PASS, false);
	mark_new(w, IPPROTO_TCP);
	mark_new(w, IPPROTO_UDP);
	mark_older(w, STATE_OLDER_ORIGINAL);
	r = begin(w);
	if (!r.rule)
		return;
	match_payload(&r);
	end_queue(w, &r);
}

static void fill_reply(struct writer *w)
{
	struct expr_rule r;

	w->chain = "reply";
	accept_listed(w, SOURCE);
	if (w->config->enforce)
		refuse_learnt(w, SOURCE);
	judge_state(w, STATE_BLOCKED, true);
	judge_state(w, STATE_PASS, false);
	r = begin(w);
	if (!r.rule)
		return;
	match_state(w, &r, STATE_PENDING);
	match_payload(&r);
	set_state(w, &r, STATE_PASS);
	end_verdict(w, &r, NF_ACCEPT, NULL);
	mark_older(w, STATE_OLDER_REPLY);
	r = begin(w);
	if (!r.rule)
		return;
	match_state(w, &r, STATE_OLDER);
	match_payload(&r);
	end_queue(w, &r);
}

/* Without conntrack there is no direction: our side may be the source or the destination. */
static void fill_stateless(struct writer *w)
{
	struct expr_rule r;

	w->chain = "stateless";
	accept_listed(w, DESTINATION);
	accept_listed(w, SOURCE);
	r = begin(w);
	if (!r.rule)
		return;
	match_ct_state(&r, NF_CT_STATE_UNTRACKED_BIT);
	expr_counter(&r, "untracked");
	end_verdict(w, &r, NF_ACCEPT, NULL);
	r = begin(w);
	if (!r.rule)
		return;
	match_proto(&r, IPPROTO_TCP);
	match_payload(&r);
	expr_counter(&r, "invalid");
	end_verdict(w, &r, w->config->enforce ? NF_DROP : NF_ACCEPT, NULL);
}

/* Counting and refusing are two rules: a full set breaks off the one that counts. */
static void fill_hit(struct writer *w, enum set tries, const char *chain)
{
	struct expr_rule r;

	w->chain = chain;
	r = begin(w);
	if (!r.rule)
		return;
	match_family(&r, tries);
	load_key(&r, tries, DESTINATION);
	expr_update(&r, sets_name(tries));
	end(w, &r);
	r = begin(w);
	if (!r.rule)
		return;
	expr_counter(&r, "rejected");
	end_verdict(w, &r, NFT_GOTO, "refuse");
}

static void fill_refuse(struct writer *w)
{
	struct expr_rule r;

	w->chain = "blocked";
	r = begin(w);
	if (!r.rule)
		return;
	expr_counter(&r, "blocked");
	end_verdict(w, &r, NFT_GOTO, "refuse");

	w->chain = "refuse";
	r = begin(w);
	if (!w->config->reset)
		end_verdict(w, &r, NF_DROP, NULL);
	if (!w->config->reset || !r.rule)
		return;
	match_proto(&r, IPPROTO_TCP);
	expr_reject(&r, NFT_REJECT_TCP_RST, 0);
	end(w, &r);
	r = begin(w);
	if (!r.rule)
		return;
	match_proto(&r, IPPROTO_UDP);
	expr_reject(&r, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_PORT_UNREACH);
	end(w, &r);
}

/* The daemon's verdict becomes the flow's state. It was given before what happened meanwhile: a later state stays
 * (the bit of `unless`), so PENDING never undoes PASS, and nothing undoes BLOCKED. */
static void write_state(struct writer *w, enum state state, uint32_t unless)
{
	struct expr_rule r = begin(w);

	if (!r.rule)
		return;
	match_verdict(w, &r, state);
	if (unless) {
		expr_ct(&r, NFT_CT_MARK, 0);
		match_bits(&r, unless << w->shift, NFT_CMP_EQ, 0);
	}
	set_state(w, &r, state);
	end(w, &r);
}

static void fill_late(struct writer *w)
{
	struct expr_rule r;

	w->chain = "late";
	write_state(w, STATE_PENDING, STATE_PENDING | STATE_BLOCKED);
	write_state(w, STATE_PASS, STATE_BLOCKED);
	write_state(w, STATE_BLOCKED, 0);
	r = begin(w);
	if (!r.rule)
		return;
	set_packet(w, &r, STATE_OLDER);
	end(w, &r);
	judge_state(w, STATE_BLOCKED, true);
}

/* Nearly every packet leaves after these two comparisons. */
static void fill_late_base(struct writer *w, const char *chain)
{
	struct expr_rule r;

	w->chain = chain;
	r = begin(w);
	if (!r.rule)
		return;
	expr_meta(&r, NFT_META_MARK, 0);
	match_bits(&r, w->config->mark_mask, NFT_CMP_NEQ, 0);
	end_verdict(w, &r, NFT_GOTO, "late");
	if (w->config->enforce)
		judge_state(w, STATE_BLOCKED, true);
}

/* A rule of a way, through one interface (NULL: any). */
static struct expr_rule begin_way(struct writer *w, uint32_t key, const char *interface)
{
	struct expr_rule r = begin(w);

	if (r.rule && interface)
		match_interface(&r, key, interface);
	return r;
}

/* Which packets of a hook belong to outbound connections. */
static void add_way(struct writer *w, int hook, const char *interface)
{
	struct expr_rule r;

	if (hook != NF_INET_LOCAL_IN) {
		r = begin_way(w, NFT_META_OIFNAME, interface);
		if (!r.rule)
			return;
		match_ct_state(&r, NF_CT_STATE_INVALID_BIT | NF_CT_STATE_UNTRACKED_BIT);
		end_verdict(w, &r, NFT_GOTO, "stateless");
		r = begin_way(w, NFT_META_OIFNAME, interface);
		if (!r.rule)
			return;
		match_direction(&r, IP_CT_DIR_ORIGINAL);
		end_verdict(w, &r, NFT_GOTO, "original");
	}
	if (hook != NF_INET_LOCAL_OUT) {
		r = begin_way(w, NFT_META_IIFNAME, interface);
		if (!r.rule)
			return;
		match_direction(&r, IP_CT_DIR_REPLY);
		end_verdict(w, &r, NFT_GOTO, "reply");
	}
}

static const struct base {
	const char *name, *way, *late;
	int hook;
} bases[] = {
	{ "forward", "forward_way", "late_forward", NF_INET_FORWARD },
	{ "output", "output_way", "late_output", NF_INET_LOCAL_OUT },
	{ "input", "input_way", "late_input", NF_INET_LOCAL_IN },
};

#define BASES (sizeof(bases) / sizeof(bases[0]))

static bool is_on(const struct table_config *config, const struct base *base)
{
	return base->hook == NF_INET_FORWARD ? config->forward : config->output;
}

static void fill_base(struct writer *w, const struct base *base)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	const char *const *out = w->config->out;
	struct expr_rule r;

	w->chain = base->name;
	if (base->hook != NF_INET_FORWARD) {
		r = begin_way(w, base->hook == NF_INET_LOCAL_IN ? NFT_META_IIFNAME : NFT_META_OIFNAME, "lo");
		end_verdict(w, &r, NF_ACCEPT, NULL);
	}
	for (size_t i = 0; i < sizeof(protos); i++) {
		r = begin(w);
		if (!r.rule)
			return;
		match_proto(&r, protos[i]);
		end_verdict(w, &r, NFT_GOTO, base->way);
	}
	w->chain = base->way;
	if (!out || !*out)
		add_way(w, base->hook, NULL);
	else
		for (; *out; out++)
			add_way(w, base->hook, *out);
	fill_late_base(w, base->late);
}

static void add_chains(struct writer *w)
{
	static const char *const plain[] = { "original", "reply", "stateless", "late", "hit4", "hit6", "blocked", "refuse" };

	for (size_t i = 0; i < BASES; i++) {
		if (!is_on(w->config, &bases[i]))
			continue;
		add_chain(w, bases[i].name, bases[i].hook, PRIORITY_JUDGE);
		add_chain(w, bases[i].late, bases[i].hook, PRIORITY_LATE);
		add_chain(w, bases[i].way, -1, 0);
	}
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		add_chain(w, plain[i], -1, 0);
}

int rules_put(struct netlink_batch *b, const struct table_config *config, bool xt, struct rules_layout *layout)
{
	struct writer w = { .batch = b, .config = config, .layout = layout, .xt = xt };

	w.shift = (unsigned int)__builtin_ctz(config->mark_mask);
	layout->n = 0;
	add_chains(&w);
	for (size_t i = 0; i < BASES; i++)
		if (is_on(config, &bases[i]))
			fill_base(&w, &bases[i]);
	fill_original(&w);
	fill_reply(&w);
	fill_stateless(&w);
	fill_late(&w);
	fill_hit(&w, SET_TRIES4, "hit4");
	fill_hit(&w, SET_TRIES6, "hit6");
	fill_refuse(&w);
	return b->error;
}
