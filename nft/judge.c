// SPDX-License-Identifier: GPL-2.0-or-later
/* Says what becomes of an outbound connection's packets, by direction and by the flow's state. The order of the rules is the meaning,
 * and their cost: each packet of a connection crosses them, so what is asked is asked of as few packets as can be. */
#include "nft/judge.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "nft/guard.h"
#include "nft/starts.h"

enum { NEW_OR_RELATED = NF_CT_STATE_BIT(IP_CT_NEW) | NF_CT_STATE_BIT(IP_CT_RELATED), ALL_STATES = 7 };

/* What the policy has nothing for is not asked. */
void judge_accept_listed(struct writer *w, enum side outside)
{
	for (enum set set = SET_LEARNT; set < SET_COUNT; set++) {
		bool exempt = set == SET_EXEMPT4 || set == SET_EXEMPT6;
		enum side inside = outside == SOURCE ? DESTINATION : SOURCE;
		struct expr_rule r;
		unsigned int word;

		if (sets_are_empty(set, w->config))
			continue;
		r = writer_begin(w);
		if (!r.rule)
			return;
		writer_match_family(&r, set);
		word = writer_load_address(&r, set, exempt ? inside : outside, 0);
		if (set >= SET_ALLOWED_PORTS4)
			writer_load_port(&r, outside, word);
		expr_lookup(&r, sets_name(set));
		writer_end_verdict(w, &r, NF_ACCEPT, NULL);
	}
}

/* In monitor mode a flow that an earlier enforce mode blocked goes on, unjudged. */
void judge_end_blocked(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_state(w, &r, STATE_BLOCKED);
	if (w->config->enforce)
		writer_end_verdict(w, &r, NFT_GOTO, "blocked");
	else
		writer_end_verdict(w, &r, NF_ACCEPT, NULL);
}

static void end_queue(struct writer *w, struct expr_rule *r)
{
	const struct table_config *c = w->config;

	expr_counter(r, "queued");
	(w->xt ? expr_queue_xt : expr_queue)(r, c->queue_first, c->queue_count, c->bypass);
	writer_end(w, r);
}

static void queue_state(struct writer *w, enum state state)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_state(w, &r, state);
	end_queue(w, &r);
}

/* The reader is told what the packet itself does not say: the direction of an older flow's; that the flow is the one it judged, and
 * not another that came to its ports since. */
static void mark_packet(struct writer *w, enum state state, enum state mark)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_state(w, &r, state);
	writer_set_packet(w, &r, mark);
	writer_end(w, &r);
}

static void accept_state(struct writer *w, enum state state)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_state(w, &r, state);
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
}

/* A flow whose first packet we see. TCP only from its SYN, whatever state conntrack brought along: what it picks up in the middle is
 * OLDER. */
static void mark_opening(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_flags(&r, TH_SYN | TH_ACK, TH_SYN);
	writer_set_state_unless(w, &r, STATE_BLOCKED, STATE_INSPECTING);
	writer_end_verdict(w, &r, NFT_GOTO, JUDGE_INSPECTED);
}

/* A connection that a helper expected begins with the connmark of the one that announced it, which may have been let go. */
static void mark_expected(struct writer *w, enum state state)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_ct_state(&r, NF_CT_STATE_BIT(IP_CT_RELATED));
	writer_match_first(&r);
	writer_set_state_unless(w, &r, STATE_BLOCKED, state);
	writer_end(w, &r);
}

/* From one port of a resolver come queries for many names, good and bad. So a UDP flow that was judged by something else is still
 * asked for them, and every answer is looked at, whatever its flow's state; over TCP while it is inspected. */
static void queue_query(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_dns_port(&r, DESTINATION);
	writer_match_state(w, &r, STATE_PASS);
	writer_match_dns_header(&r, false);
	end_queue(w, &r);
}

/* Over TCP from a chain of flows that are inspected. */
static void queue_answer(struct writer *w, uint8_t proto)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_dns_port(&r, SOURCE);
	if (proto == IPPROTO_TCP)
		writer_match_payload(&r);
	else
		writer_match_dns_header(&r, true);
	writer_set_packet(w, &r, STATE_REPLY);
	end_queue(w, &r);
}

/* A server takes an urgent byte out of its stream, so what it reads is not what went by; even a bare ACK can announce one. While
 * a flow is undecided its bytes are all in the stream. */
static void clear_urgent(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_flags(&r, TH_URG, TH_URG);
	writer_clear_urgent(&r);
	writer_end(w, &r);
}

/* On a flow that was let go, as the server has answered, a client may begin another connection of QUIC. Its first packets go
 * on being looked at; an ordinary client sends one or two more of them, to acknowledge. */
static void watch_quic(struct writer *w, uint8_t type, uint32_t version)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_quic(&r, type, version);
	writer_match_state(w, &r, STATE_PASS);
	end_queue(w, &r);
}

static void leave_new(struct writer *w, uint32_t states, int how, const char *chain)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_ct_state(&r, states);
	writer_end_verdict(w, &r, how, chain);
}

/* Only one protocol goes on in this chain. */
static void leave_others(struct writer *w, uint8_t proto, int how, const char *chain)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_other(&r, proto);
	writer_end_verdict(w, &r, how, chain);
}

static void leave_state(struct writer *w, enum state state, const char *chain)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_state(w, &r, state);
	writer_end_verdict(w, &r, NFT_GOTO, chain);
}

static void leave_payload(struct writer *w, const char *chain)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_payload(&r);
	writer_end_verdict(w, &r, NFT_GOTO, chain);
}

static void refuse_learnt(struct writer *w, enum set set)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_load_key(&r, set, DESTINATION);
	expr_lookup(&r, sets_name(set));
	writer_end_verdict(w, &r, NFT_GOTO, set & 1 ? "hit6" : "hit4");
}

static void leave_six(struct writer *w, const char *chain)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_family(&r, SET_ENDPOINTS6);
	writer_end_verdict(w, &r, NFT_GOTO, chain);
}

/* What was taught is asked of the first packets of a flow alone: open flows to it are ended one by one when it is taught, and then
 * their state says so. */
static void fill_learnt(struct writer *w)
{
	w->chain = JUDGE_LEARNT;
	leave_six(w, JUDGE_LEARNT6);
	refuse_learnt(w, SET_ENDPOINTS4);
	refuse_learnt(w, SET_PAIRS4);
	w->chain = JUDGE_LEARNT6;
	refuse_learnt(w, SET_ENDPOINTS6);
	refuse_learnt(w, SET_PAIRS6);
}

static void fill_first(struct writer *w, const char *chain, enum set endpoints, enum set pairs)
{
	w->chain = chain;
	if (w->config->enforce) {
		refuse_learnt(w, endpoints);
		refuse_learnt(w, pairs);
	}
	mark_opening(w);
}

/* The few packets of TCP that bear SYN or URG; they come back unless they open a flow. The look-ups stand here once more, as each chain that
 * is entered costs as much as a rule. */
static void fill_opening(struct writer *w)
{
	struct expr_rule r;

	w->chain = JUDGE_OPENING;
	if (w->config->enforce)
		clear_urgent(w);
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_no_ct_state(&r, NEW_OR_RELATED);
	writer_end_verdict(w, &r, NFT_RETURN, NULL);
	leave_six(w, JUDGE_OPENING6);
	fill_first(w, JUDGE_OPENING, SET_ENDPOINTS4, SET_PAIRS4);
	fill_first(w, JUDGE_OPENING6, SET_ENDPOINTS6, SET_PAIRS6);
}

static void leave_opening(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_any_flag(&r, w->config->enforce ? TH_SYN | TH_URG : TH_SYN);
	writer_end_verdict(w, &r, NFT_JUMP, JUDGE_OPENING);
}

static void queue_inspected(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_state(w, &r, STATE_INSPECTING);
	writer_match_payload(&r);
	end_queue(w, &r);
}

/* Of TCP alone. Nearly all that comes here belongs to a flow that is inspected. */
static void fill_original(struct writer *w)
{
	w->chain = JUDGE_ORIGINAL;
	judge_accept_listed(w, DESTINATION);
	if (w->config->guard_offload)
		guard_put_rules(w);
	leave_others(w, IPPROTO_TCP, NFT_GOTO, JUDGE_ORIGINAL_UDP);
	if (w->config->n_services)
		leave_new(w, NF_CT_STATE_BIT(IP_CT_NEW), NFT_JUMP, "services");
	leave_opening(w);
	queue_inspected(w);
	accept_state(w, STATE_INSPECTING);
	if (w->config->enforce)
		leave_new(w, NEW_OR_RELATED, NFT_JUMP, JUDGE_LEARNT);
	judge_end_blocked(w);
	mark_expected(w, STATE_OLDER);
	leave_payload(w, JUDGE_ORIGINAL_PAYLOAD);
}

/* Behind a SYN, which nearly never has payload: it need not go on where it came from. */
static void fill_inspected(struct writer *w)
{
	struct expr_rule r;

	w->chain = JUDGE_INSPECTED;
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_payload(&r);
	end_queue(w, &r);
	r = writer_begin(w);
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
}

static void fill_original_udp(struct writer *w)
{
	struct expr_rule r;

	w->chain = JUDGE_ORIGINAL_UDP;
	leave_others(w, IPPROTO_UDP, NF_ACCEPT, NULL);
	if (w->config->n_services)
		leave_new(w, NF_CT_STATE_BIT(IP_CT_NEW), NFT_JUMP, "services");
	leave_new(w, NEW_OR_RELATED, NFT_JUMP, JUDGE_FIRST_UDP);
	judge_end_blocked(w);
	queue_query(w);
	watch_quic(w, 0, 0x00000001);	/* RFC 9000 17.2.2 */
	watch_quic(w, 1, 0x6b3343cf);	/* RFC 9369 3.2 */
	accept_state(w, STATE_PASS);
	leave_payload(w, JUDGE_ORIGINAL_PAYLOAD);

	w->chain = JUDGE_FIRST_UDP;
	if (w->config->enforce) {
		r = writer_begin(w);
		writer_end_verdict(w, &r, NFT_JUMP, JUDGE_LEARNT);
	}
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_set_state_unless(w, &r, ALL_STATES, STATE_INSPECTING);
	writer_end(w, &r);
	mark_expected(w, STATE_INSPECTING);
}

static void fill_original_payload(struct writer *w)
{
	struct expr_rule r;

	w->chain = JUDGE_ORIGINAL_PAYLOAD;
	queue_state(w, STATE_INSPECTING);
	mark_packet(w, STATE_OLDER, STATE_OLDER_ORIGINAL);
	mark_packet(w, STATE_PENDING, STATE_PENDING);
	accept_state(w, STATE_PASS);	/* let go before its server has said anything */
	r = writer_begin(w);
	if (r.rule)
		end_queue(w, &r);
}

/* A flow that was never judged clean, as one of HTTP, has its start forgotten with the server's end: the map is bounded. */
static void forget_ended(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_any_flag(&r, TH_FIN | TH_RST);
	writer_end_verdict(w, &r, NFT_GOTO, STARTS_FORGET);
}

static void queue_older_reply(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_state(w, &r, STATE_OLDER);
	writer_match_payload(&r);
	writer_set_packet(w, &r, STATE_OLDER_REPLY);
	end_queue(w, &r);
}

/* Of TCP alone. Of a connection most replies come when it was judged, and the SYN-ACK before. */
static void fill_reply(struct writer *w)
{
	w->chain = JUDGE_REPLY;
	judge_accept_listed(w, SOURCE);
	leave_others(w, IPPROTO_TCP, NFT_GOTO, JUDGE_REPLY_UDP);
	leave_state(w, STATE_PENDING, JUDGE_ANSWERED);
	leave_state(w, STATE_INSPECTING, JUDGE_REPLY_INSPECTED);
	judge_end_blocked(w);
	queue_older_reply(w);

	w->chain = JUDGE_ANSWERED;
	starts_put_settled(w);
	forget_ended(w);

	w->chain = JUDGE_REPLY_INSPECTED;
	starts_put_reply(w);
	queue_answer(w, IPPROTO_TCP);
	forget_ended(w);
	w->chain = STARTS_LEARN;
	queue_answer(w, IPPROTO_TCP);
}

static void fill_reply_udp(struct writer *w)
{
	struct expr_rule r;

	w->chain = JUDGE_REPLY_UDP;
	leave_others(w, IPPROTO_UDP, NF_ACCEPT, NULL);
	judge_end_blocked(w);
	queue_answer(w, IPPROTO_UDP);
	accept_state(w, STATE_PASS);
	r = writer_begin(w);
	if (!r.rule)
		return;
	writer_match_state(w, &r, STATE_PENDING);
	writer_match_payload(&r);
	writer_set_state(w, &r, STATE_PASS);
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
	queue_older_reply(w);
}

void judge_put(struct writer *w)
{
	starts_put_chains(w);
	fill_original(w);
	fill_opening(w);
	fill_inspected(w);
	fill_original_udp(w);
	fill_original_payload(w);
	fill_learnt(w);
	fill_reply(w);
	fill_reply_udp(w);
}
