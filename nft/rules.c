// SPDX-License-Identifier: GPL-2.0-or-later
/* Says which packets are judged, rejected and queued: chains and rules from the configuration. The order of the
 * rules is the meaning; each function is one chain. */
#include "nft/rules.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>

#include "nft/judge.h"
#include "nft/offload.h"
#include "nft/quarantine.h"
#include "nft/starts.h"
#include "nft/writer.h"

/* After the admin's own filter chains (priority 0), before source NAT: only what they let through is judged. */
enum { PRIORITY_QUARANTINE = NF_IP_PRI_FILTER + 4, PRIORITY_JUDGE = NF_IP_PRI_FILTER + 5, PRIORITY_LATE = NF_IP_PRI_FILTER + 10 };

const char *const rules_counters[RULES_COUNTERS] = { "queued", "rejected", "blocked", "invalid", "untracked", "quarantined" };

static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };

/* Without conntrack there is no direction: our side may be the source or the destination. */
static void fill_stateless(struct writer *w)
{
	struct expr_rule r;

	w->chain = "stateless";
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_other(&r, IPPROTO_TCP);
	writer_match_other(&r, IPPROTO_UDP);
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
	if (w->config->answers) {
		r = writer_begin(w);
		if (!r.rule)
			return;
		writer_match_verdict(w, &r, STATE_PASS);
		writer_end_verdict(w, &r, NF_ACCEPT, NULL);
	}
	judge_accept_listed(w, DESTINATION);
	judge_accept_listed(w, SOURCE);
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_ct_state(&r, NF_CT_STATE_UNTRACKED_BIT);
	expr_counter(&r, "untracked");
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_proto(&r, IPPROTO_TCP);
	writer_match_payload(&r);
	expr_counter(&r, "invalid");
	writer_end_verdict(w, &r, w->config->enforce ? NF_DROP : NF_ACCEPT, NULL);
}

/* Counting and refusing are two rules: a full set breaks off the one that counts. */
static void fill_hit(struct writer *w, enum set tries, const char *chain)
{
	struct expr_rule r;

	w->chain = chain;
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_family(&r, tries);
	writer_load_key(&r, tries, DESTINATION);
	expr_update(&r, sets_name(tries));
	writer_end(w, &r);
	r = writer_begin(w);
	if (!r.rule)
		return;
	expr_counter(&r, "rejected");
	writer_end_verdict(w, &r, NFT_GOTO, "refuse");
}

/* Not the ICMP errors that conntrack counts to the flow: one of them is our own answer to a UDP packet. */
static void fill_blocked(struct writer *w)
{
	w->chain = "blocked";
	for (size_t i = 0; i < sizeof(protos); i++) {
		struct expr_rule r = writer_begin(w);

		if (!r.rule)
			return;
		writer_match_proto(&r, protos[i]);
		expr_counter(&r, "blocked");
		writer_end_verdict(w, &r, NFT_GOTO, "refuse");
	}
}

static void fill_refuse(struct writer *w)
{
	struct expr_rule r;

	w->chain = "refuse";
	r = writer_begin(w);
	if (!w->config->reset)
		writer_end_verdict(w, &r, NF_DROP, NULL);
	if (!w->config->reset || !r.rule)
		return;
	writer_match_proto(&r, IPPROTO_TCP);
	expr_reject(&r, NFT_REJECT_TCP_RST, 0);
	writer_end(w, &r);
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_proto(&r, IPPROTO_UDP);
	expr_reject(&r, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_PORT_UNREACH);
	writer_end(w, &r);
}

static void count_service(struct writer *w, const struct table_service *service, enum set tries)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_family(&r, tries);
	writer_match_proto(&r, service->proto);
	writer_match_port(&r, service->port);
	writer_load_service_key(&r, tries);
	expr_update(&r, sets_name(tries));
	writer_end(w, &r);
}

/* Services that have no business outside: counted for each source, and refused in a rule of its own, as a full set would
 * break off the one that counts. */
static void fill_services(struct writer *w)
{
	w->chain = "services";
	for (unsigned int i = 0; i < WRITER_PRIVATE; i++) {
		struct expr_rule r = writer_begin(w);

		if (!r.rule)
			return;
		writer_match_private(&r, i);
		writer_end_verdict(w, &r, NFT_RETURN, NULL);
	}
	for (size_t i = 0; i < w->config->n_services; i++) {
		const struct table_service *service = &w->config->services[i];
		struct expr_rule r;

		count_service(w, service, SET_TRIES4);
		count_service(w, service, SET_TRIES6);
		if (!service->block)
			continue;
		r = writer_begin(w);
		if (!r.rule)
			return;
		writer_match_proto(&r, service->proto);
		writer_match_port(&r, service->port);
		writer_end_verdict(w, &r, NFT_GOTO, "refuse");
	}
}

/* The daemon's verdict becomes the flow's state. It was given before what happened meanwhile: a later state stays
 * (the bit of `unless`), so PENDING never undoes PASS, and nothing undoes BLOCKED. INSPECTING
 * takes back PENDING alone. Where it was written there is nothing more to do with the packet, unless it is the end. */
static void write_state(struct writer *w, enum state state, uint32_t unless)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_verdict(w, &r, state);
	if (unless)
		writer_set_state_unless(w, &r, unless, state);
	else
		writer_set_state(w, &r, state);
	if (state != STATE_BLOCKED) {
		writer_set_packet(w, &r, STATE_OLDER);
		writer_end_verdict(w, &r, NF_ACCEPT, NULL);
	} else {
		writer_end(w, &r);
	}
}

/* What nearly every verdict says comes first. */
static void fill_late(struct writer *w)
{
	struct expr_rule r;

	w->chain = "late";
	write_state(w, STATE_PENDING, STATE_PENDING | STATE_BLOCKED);
	write_state(w, STATE_INSPECTING, STATE_INSPECTING | STATE_BLOCKED);
	write_state(w, STATE_PASS, STATE_BLOCKED);
	write_state(w, STATE_BLOCKED, 0);
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_set_packet(w, &r, STATE_OLDER);
	writer_end(w, &r);
	judge_end_blocked(w);
}

/* A rule of a way, through one interface (NULL: any). */
static struct expr_rule begin_way(struct writer *w, uint32_t key, const char *interface)
{
	struct expr_rule r = writer_begin(w);

	if (r.rule && interface)
		writer_match_interface(&r, key, interface);
	return r;
}

/* Own traffic: loopback is nobody's business, and the resets that our own `reject` sends belong to the blocked flow. */
static void accept_own(struct writer *w, int hook)
{
	struct expr_rule r;

	if (hook == NF_INET_FORWARD)
		return;
	r = begin_way(w, hook == NF_INET_LOCAL_IN ? NFT_META_IIFNAME : NFT_META_OIFNAME, "lo");
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
	if (hook != NF_INET_LOCAL_OUT)
		return;
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_proto(&r, IPPROTO_TCP);
	writer_match_flags(&r, TH_RST, TH_RST);
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
}

/* Nearly every packet leaves after one comparison: it has no mark, ours or another's. A flow may become BLOCKED while a packet of it waits for its verdict; what was
 * forwarded comes back with a mark in any case, and so to `late`, but what this host sends keeps its own. */
static void fill_late_base(struct writer *w, int hook, const char *chain)
{
	const uint32_t none = 0;
	struct expr_rule r;

	w->chain = chain;
	accept_own(w, hook);
	r = writer_begin(w);
	if (!r.rule)
		return;
	expr_meta(&r, NFT_META_MARK, 0);
	expr_cmp(&r, NFT_CMP_NEQ, &none, sizeof(none));
	writer_match_bits(&r, w->config->mark_mask, NFT_CMP_NEQ, 0);
	writer_end_verdict(w, &r, NFT_GOTO, "late");
	if (w->config->enforce && hook != NF_INET_FORWARD)
		judge_end_blocked(w);
	if (hook == NF_INET_FORWARD && w->config->offload)
		offload_put_rule(w);
}

/* A TCP flow that is settled, in both directions: nearly every packet of the gateway ends here. What ends such a flow after all (an
 * endpoint that is taught, another policy) makes its state BLOCKED. Datagrams go on, for what may begin anew among them, and so does
 * what begins with another flow's state. */
static void accept_settled(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_settled(w, &r);
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
}

/* Which packets of a hook belong to outbound connections. What has no direction has no conntrack. What is neither TCP nor UDP is sorted out
 * in the chains behind. */
static void add_way(struct writer *w, int hook, const char *interface)
{
	struct expr_rule r;

	if (hook != NF_INET_LOCAL_IN) {
		r = begin_way(w, NFT_META_OIFNAME, interface);
		if (!r.rule)
			return;
		writer_match_direction(&r, IP_CT_DIR_ORIGINAL);
		writer_end_verdict(w, &r, NFT_GOTO, JUDGE_ORIGINAL);
	}
	if (hook != NF_INET_LOCAL_OUT) {
		r = begin_way(w, NFT_META_IIFNAME, interface);
		if (!r.rule)
			return;
		writer_match_direction(&r, IP_CT_DIR_REPLY);
		writer_end_verdict(w, &r, NFT_GOTO, JUDGE_REPLY);
	}
	if (hook != NF_INET_LOCAL_IN) {
		r = begin_way(w, NFT_META_OIFNAME, interface);
		if (!r.rule)
			return;
		writer_match_ct_state(&r, NF_CT_STATE_INVALID_BIT | NF_CT_STATE_UNTRACKED_BIT);
		writer_end_verdict(w, &r, NFT_GOTO, "stateless");
	}
}

/* This host's own resolver: queries that come in, and the answers that it gives, through whatever interface. */
static void add_resolver_way(struct writer *w, int hook)
{
	bool in = hook == NF_INET_LOCAL_IN;
	struct expr_rule r;

	if (hook == NF_INET_FORWARD)
		return;
	if (in) {
		r = writer_begin(w);
		if (!r.rule)
			return;
		writer_match_dns_port(&r, DESTINATION);
		writer_match_ct_state(&r, NF_CT_STATE_INVALID_BIT | NF_CT_STATE_UNTRACKED_BIT);
		writer_end_verdict(w, &r, NFT_GOTO, "stateless");
	}
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_dns_port(&r, in ? DESTINATION : SOURCE);
	writer_match_direction(&r, in ? IP_CT_DIR_ORIGINAL : IP_CT_DIR_REPLY);
	writer_end_verdict(w, &r, NFT_GOTO, in ? JUDGE_ORIGINAL : JUDGE_REPLY);
}

/* The daemon's own answers stand in another's name: as a connection they would be taken for one of that host's. */
static void fill_answers(struct writer *w)
{
	struct expr_rule r;

	w->chain = "answers";
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_verdict(w, &r, STATE_PASS);
	expr_notrack(&r);
	writer_end(w, &r);
}

static const struct base {
	const char *name, *late;
	int hook;
} bases[] = {
	{ "forward", "late_forward", NF_INET_FORWARD },
	{ "output", "late_output", NF_INET_LOCAL_OUT },
	{ "input", "late_input", NF_INET_LOCAL_IN },
};

#define BASES (sizeof(bases) / sizeof(bases[0]))

static bool is_on(const struct table_config *config, const struct base *base)
{
	return base->hook == NF_INET_FORWARD ? config->forward : config->output;
}

static void fill_base(struct writer *w, const struct base *base)
{
	const char *const *out = w->config->out;

	w->chain = base->name;
	accept_own(w, base->hook);
	accept_settled(w);
	add_resolver_way(w, base->hook);
	if (!out || !*out)
		add_way(w, base->hook, NULL);
	else
		for (; *out; out++)
			add_way(w, base->hook, *out);
	fill_late_base(w, base->hook, base->late);
}

static void add_chains(struct writer *w)
{
	static const char *const plain[] = { JUDGE_ORIGINAL, JUDGE_OPENING, JUDGE_OPENING6, JUDGE_INSPECTED, JUDGE_ORIGINAL_UDP, JUDGE_FIRST_UDP,
					      JUDGE_ORIGINAL_PAYLOAD, JUDGE_LEARNT, JUDGE_LEARNT6, JUDGE_REPLY, JUDGE_REPLY_INSPECTED, JUDGE_REPLY_UDP,
					      JUDGE_ANSWERED, "stateless", "late", "hit4", "hit6", "blocked", "refuse", "services",
					      STARTS_LEARN, STARTS_FORGET };

	for (size_t i = 0; i < BASES; i++) {
		if (!is_on(w->config, &bases[i]))
			continue;
		writer_add_chain(w, bases[i].name, bases[i].hook, PRIORITY_JUDGE);
		writer_add_chain(w, bases[i].late, bases[i].hook, PRIORITY_LATE);
	}
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		writer_add_chain(w, plain[i], -1, 0);
	if (w->config->quarantine) {
		writer_add_chain(w, QUARANTINE_BASE, NF_INET_FORWARD, PRIORITY_QUARANTINE);
		writer_add_chain(w, QUARANTINE_CHECK, -1, 0);
	}
	if (w->config->answers)
		writer_add_chain(w, "answers", NF_INET_LOCAL_OUT, NF_IP_PRI_RAW);
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
	if (config->answers)
		fill_answers(&w);
	judge_put(&w);
	fill_stateless(&w);
	fill_late(&w);
	fill_hit(&w, SET_TRIES4, "hit4");
	fill_hit(&w, SET_TRIES6, "hit6");
	fill_blocked(&w);
	fill_refuse(&w);
	fill_services(&w);
	if (config->quarantine)
		quarantine_put_chains(&w);
	return b->error;
}
