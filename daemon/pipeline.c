/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way of one packet: flow, stream, inspectors, policy, outcome. It decides and remembers; it never
 * touches the system, and every path through it gives exactly one verdict. */
#include "daemon/pipeline.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "nfq/flow.h"

/* Messages read in one direction of a flow: HTTP heads on a kept-alive connection, proxies inside proxies. */
#define HEADS_MAX 16
/* Tunnels inside each other that are entered; each costs a whole look at what is inside, and nobody honest needs more. */
#define TUNNELS_MAX 4
/* Bytes shown to the inspectors, again and again as a message grows, before a flow is held to fewer looks: every segment
 * of a message of 2.8 KB is looked at, even of one byte each. Beyond the second bound its closing bytes no longer count. */
#define WORK_FREE (4u << 20)
#define WORK_CLOSING (6u << 20)
/* Unknown bytes behind which Stratum may start in a segment of its own. */
#define PRELUDE_BYTES_MAX 256
/* Payload packets of a flow picked up in the middle after which it is taken for harmless. */
#define OLDER_SEGMENTS_MAX 16
/* Farther than any window scaled by 14 that a server offers in its first answers. */
#define REUSE_DISTANCE (16 << 20)

struct pipeline {
	struct flow_table *flows;
	const struct policy *policy;
	struct facts found;	/* of the packet at hand, all messages together */
	struct facts message;	/* of the message at hand */
	struct inspect_scratch scratch;
};

/* One packet on its way. */
struct step {
	struct pipeline *p;
	const struct packet *packet;
	struct flow *flow;
	struct flow_side *side;
	uint32_t at;		/* offset of the packet's first byte in the side's stream */
	bool wanted;		/* an inspector waits for more */
	bool news;		/* it brought bytes that were not there */
	struct outcome out;
};

struct pipeline *pipeline_new(const struct pipeline_config *config)
{
	struct pipeline *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->flows = flow_table_new(config->flows, config->reassembly, config->key);
	if (!p->flows) {
		free(p);
		return NULL;
	}
	return p;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	flow_table_free(p->flows);
	free(p);
}

void pipeline_policy(struct pipeline *p, const struct policy *policy)
{
	p->policy = policy;
}

uint32_t pipeline_flows(const struct pipeline *p)
{
	return flow_count(p->flows);
}

const char *reason_text(enum reason r)
{
	switch (r) {
	case REASON_NONE:		return "none";
	case REASON_CLEAN:		return "clean";
	case REASON_EXEMPT:		return "exempt";
	case REASON_NO_SNI:		return "no_sni";
	case REASON_ECH:		return "ech";
	case REASON_UNKNOWN:		return "unknown";
	case REASON_BUDGET:		return "budget";
	case REASON_MALFORMED:		return "malformed";
	case REASON_CONTRADICTION:	return "contradiction";
	case REASON_OLDER:		return "older";
	case REASON_DEPTH:		return "depth";
	case REASON_COUNT:		break;
	}
	return "";
}

static struct flow_key key_of(const struct packet *packet)
{
	bool reply = packet->origin == ORIGIN_OLDER_REPLY;
	struct flow_key key = { .family = packet->family, .proto = packet->proto };

	memcpy(key.src, reply ? packet->dst : packet->src, sizeof(key.src));
	memcpy(key.dst, reply ? packet->src : packet->dst, sizeof(key.dst));
	key.sport = reply ? packet->dport : packet->sport;
	key.dport = reply ? packet->sport : packet->dport;
	return key;
}

void pipeline_forget(struct pipeline *p, const struct packet *packet)
{
	struct flow_key key = key_of(packet);
	struct flow *f = flow_find(p->flows, &key);

	if (f)
		flow_drop(p->flows, f);
}

/* The three ways out. Data in a SYN may block but never clears: the server may ignore it. */

static void leave_clear(struct step *s, enum reason reason)
{
	if (s->packet->tcp_flags & PACKET_SYN) {
		s->side->next = 0;
		s->side->only = APP_UNKNOWN;
		s->side->heads = s->side->tunnels = 0;
		return;
	}
	if (s->flow->state == FLOW_INSPECTING)
		s->out.reason = reason;
	s->side->done = true;
	s->flow->state = FLOW_CLEARED;
	s->out.verdict = VERDICT_CLEAR;
}

static void leave_block(struct step *s, enum reason reason)
{
	stream_clear(flow_streams(s->p->flows), &s->flow->side[0].stream);
	stream_clear(flow_streams(s->p->flows), &s->flow->side[1].stream);
	if (s->flow->side[s->flow->recent].end_seq == 0)
		s->flow->side[s->flow->recent].end_seq = s->packet->seq + (uint32_t)s->packet->payload_len;
	s->flow->state = FLOW_BLOCKED;
	s->out.reason = reason;
	s->out.verdict = VERDICT_BLOCK;
}

/* Reports the flow's first finding, and blocks it if the decision says so. True: the flow is blocked. */
static bool act_on(struct step *s, const struct decision *d)
{
	if (d->action != ACTION_BLOCK && d->action != ACTION_MONITOR)
		return false;
	if (!s->flow->reported) {
		s->flow->reported = true;
		s->out.event = true;
		s->out.decision = *d;
	}
	if (d->action == ACTION_MONITOR)
		return false;
	leave_block(s, REASON_NONE);
	return true;
}

/* Judges the addresses when a flow is first seen. True: there is nothing more to judge. */
static bool judge_address(struct step *s)
{
	struct decision d = policy_decide_address(s->p->policy, &s->out.subject);

	if (d.action == ACTION_ALLOW) {
		s->flow->state = FLOW_EXEMPT;
		s->out.reason = REASON_EXEMPT;
		s->out.verdict = VERDICT_CLEAR;
		return true;
	}
	return act_on(s, &d);
}

/* Adds the message's names and mining facts to those of the packet; the decision's name moves along. */
static void collect(struct step *s, uint32_t start, struct decision *d)
{
	struct facts *all = &s->p->found, *m = &s->p->message;
	unsigned first = all->n_names, n = start < s->side->told ? 0 : m->n_names;
	ptrdiff_t decided = d->name ? d->name - m->names : -1;

	d->name = NULL;
	for (unsigned i = 0; i < n && all->n_names < FACTS_NAMES_MAX; i++)
		all->names[all->n_names++] = m->names[i];
	all->names_lost |= m->names_lost || first + n > FACTS_NAMES_MAX;
	if (decided >= 0) {
		if (first + decided >= all->n_names || n == 0) {
			/* already told: it still is what decides */
			first = all->n_names < FACTS_NAMES_MAX ? all->n_names : FACTS_NAMES_MAX - 1;
			all->names[first] = m->names[decided];
			decided = 0;
		}
		d->name = &all->names[first + decided];
	}
	all->app = m->app;
	all->tls_version = m->tls_version ? m->tls_version : all->tls_version;
	all->tls_ech |= m->tls_ech;
	if (m->mining && !all->mining) {
		all->mining = true;
		all->stratum = m->stratum;
	}
}

/* A policy that comes later will ask for the names of what was accepted. */
static void remember_names(struct step *s, uint32_t start)
{
	const struct facts *m = &s->p->message;

	for (unsigned i = 0; start >= s->side->told && i < m->n_names; i++)
		if (m->names[i].matchable)
			flow_note_name(s->p->flows, s->flow, (uint8_t)m->names[i].kind, m->names[i].host.p, m->names[i].host.len);
}

static enum reason reason_of(const struct step *s, const struct facts *m)
{
	if (s->flow->older)
		return REASON_OLDER;
	if (m->app == APP_TLS && m->n_names == 0)
		return m->tls_ech ? REASON_ECH : REASON_NO_SNI;
	return REASON_CLEAN;
}

/* An older flow's opener is what connection tracking guessed: a name, or a method that only one side says, tells better. */
static void orient(struct step *s, const struct facts *m)
{
	struct subject *who = &s->out.subject, was = *who;
	bool reply = s->packet->origin == ORIGIN_OLDER_REPLY;
	bool from_client = m->n_names || (m->mining && m->stratum.sides == DIALECT_FROM_CLIENT);
	bool from_server = m->mining && m->stratum.sides == DIALECT_FROM_SERVER;

	if (!s->flow->older || s->out.turned || !((from_client && reply) || (from_server && !reply)))
		return;
	memcpy(who->src, was.dst, sizeof(who->src));
	memcpy(who->dst, was.src, sizeof(who->dst));
	who->sport = was.dport;
	who->dport = was.sport;
	s->out.turned = true;
}

static bool tunnelled(const struct flow *f)
{
	return f->side[0].tunnels || f->side[1].tunnels;
}

/* Goes on inside, unless the tunnel's end is allowed or it is one too many. */
static bool enter_tunnel(struct step *s, const struct decision *d)
{
	if (d->action == ACTION_ALLOW)
		leave_clear(s, REASON_EXEMPT);
	else if (s->side->tunnels == TUNNELS_MAX)
		leave_clear(s, REASON_DEPTH);
	else
		return ++s->side->tunnels;
	return false;
}

/* Judges one whole message. True: go on with the bytes behind it. */
static bool judge_message(struct step *s, uint32_t start)
{
	struct facts *m = &s->p->message;
	struct decision d;

	orient(s, m);
	m->tunnelled = tunnelled(s->flow);
	d = policy_decide(s->p->policy, &s->out.subject, m);
	collect(s, start, &d);
	remember_names(s, start);
	s->flow->app = m->app;
	if (start + m->consumed > s->side->told)
		s->side->told = start + (uint32_t)m->consumed;
	if (act_on(s, &d))
		return false;
	s->side->next = start + (uint32_t)m->consumed;
	s->side->only = m->again == AGAIN_SAME ? m->app : APP_UNKNOWN;
	if (m->again == AGAIN_FRESH && !enter_tunnel(s, &d))
		return false;
	/* An older flow's client may be heard later: only what a client says ends the search. */
	if (m->again == AGAIN_NO || ++s->side->heads >= HEADS_MAX) {
		if (s->flow->older && m->app == APP_HTTP && m->n_names == 0)
			s->side->done = true;
		else
			leave_clear(s, reason_of(s, m));
		return false;
	}
	return m->consumed > 0;
}

/* Bytes that no inspector knows. The first such segment is no decision, since it may belong behind another, or be a
 * keep-alive or a greeting that a server puts up with. True: look again at the side's next message. */
static bool judge_unknown(struct step *s, uint32_t start, size_t len)
{
	struct flow_side *side = s->side;

	if (s->flow->older)
		side->next = start + (uint32_t)len;
	if (s->flow->older || start != side->next)
		return false;
	if (side->only == APP_HTTP) {	/* a request without a body has ended: anything may follow */
		side->only = APP_UNKNOWN;
		return true;
	}
	if (side->only == APP_UNKNOWN && (!s->news || s->at <= start))
		return false;
	if (side->only == APP_UNKNOWN && s->at - start <= PRELUDE_BYTES_MAX) {
		side->only = APP_STRATUM;
		side->next = s->at;
		return true;
	}
	leave_clear(s, REASON_UNKNOWN);
	return false;
}

/* Each look at an unfinished message costs its whole length, so a flow that has had many gets the next one when the message
 * has grown by a sixteenth, or with a byte that may end it: the segment that completes the evidence is still the one dropped. */
static bool may_wait(const struct step *s, uint32_t start, const struct inspect_input *in)
{
	const struct packet *packet = s->packet;
	uint32_t work = s->flow->work, shown = s->side->shown;

	if (work <= WORK_FREE || in->ended || start != s->side->shown_at || in->len >= shown + shown / 16)
		return false;
	return work > WORK_CLOSING || (!memchr(packet->payload, '\n', packet->payload_len) &&
				       !memchr(packet->payload, '}', packet->payload_len));
}

static void inspect_from(struct step *s, uint32_t start)
{
	struct inspect_input in = {
		.side = s->flow->older ? SIDE_UNSURE : SIDE_CLIENT,
		.dialects = policy_dialects(s->p->policy),
		.scratch = &s->p->scratch,
	};
	bool more;

	s->p->scratch.used = 0;
	if (start < s->side->next)
		s->side->heads = s->side->tunnels = 0;	/* they are counted anew on the way */
	do {
		in.p = stream_run(&s->side->stream, start, &in.len);
		if (!in.len)
			return;
		in.only = start == s->side->next ? s->side->only : APP_UNKNOWN;
		in.ended = s->packet->tcp_flags & PACKET_FIN || start + in.len >= STREAM_BYTES_MAX;
		more = false;
		if (may_wait(s, start, &in)) {
			s->wanted = true;
			return;
		}
		s->side->shown_at = start;
		s->side->shown = (uint32_t)in.len;
		if (s->flow->work <= WORK_CLOSING)
			s->flow->work += (uint32_t)in.len;
		switch (inspect_stream(&in, &s->p->message)) {
		case INSPECT_MATCH:
			more = judge_message(s, start);
			start = s->side->next;
			break;
		case INSPECT_MORE:
			s->wanted = true;
			break;
		case INSPECT_BAD:
			s->flow->app = s->p->message.app;
			leave_clear(s, REASON_MALFORMED);
			break;
		case INSPECT_NO:
			more = judge_unknown(s, start, in.len);
			start = s->side->next;
			break;
		}
	} while (more);
}

/* What was judged may have been a decoy just below the true start, or something that the server passed over: then any segment
 * may be the start. The reading from there goes on as long as an inspector asks for more. A request has a body that may hold
 * anything, so not behind one. */
static void inspect_afresh(struct step *s)
{
	struct flow_side *side = s->side;

	if (s->flow->state != FLOW_CLEARED || s->flow->older || !s->news ||
	    (s->flow->app != APP_TLS && s->flow->app != APP_UNKNOWN))
		return;
	s->wanted = false;
	if (side->reading_afresh && side->afresh <= s->at && stream_run_start(&side->stream, s->at) <= side->afresh)
		inspect_from(s, side->afresh);
	if (s->wanted || s->flow->state == FLOW_BLOCKED)
		return;
	side->afresh = s->at;
	side->only = APP_UNKNOWN;
	inspect_from(s, s->at);
	side->reading_afresh = s->wanted;
}

/* Where to look after this segment came in: at the next message, or at the start of a run of its own. */
static void inspect_segment(struct step *s)
{
	struct flow_side *side = s->side;
	uint32_t run = stream_run_start(&side->stream, s->at);

	if (s->flow->state == FLOW_CLEARED && side->done) {
		/* The server has not answered yet, so what was judged may have been a decoy that it never got. What comes
		 * in order behind a request is its body; behind a ClientHello only another one can be meant. */
		if (!s->news)
			return;
		if (side->next && s->at >= side->next && run <= side->next) {
			inspect_afresh(s);
			return;
		}
		if (s->at < side->told)
			side->told = s->at;
		inspect_from(s, run);
		if (s->flow->app == APP_UNKNOWN)
			inspect_afresh(s);
		return;
	}
	if (s->news && s->at < side->told && !(s->packet->tcp_flags & PACKET_SYN))
		side->told = s->at;
	inspect_from(s, s->at >= side->next && run <= side->next ? side->next : run);
	if (s->flow->app == APP_UNKNOWN)
		inspect_afresh(s);
}

/* Gives a place to bytes that are far from all others. What was there is remembered for a while by its start. */
static void give_place(struct step *s, struct flow_side *side)
{
	struct flow *f = s->flow;

	if (side->stream.block) {
		f->given_up[f->n_given_up++ % FLOW_GIVEN_UP] = side->stream.base;
		f->given_up_ms = f->seen_ms;
	}
	stream_clear(flow_streams(s->p->flows), &side->stream);
	memset(side, 0, sizeof(*side));
}

/* The place for this packet's bytes: an older flow has one a direction; another has two for its opener, the second
 * for a segment that is far from the first ones. */
static struct flow_side *side_for(struct step *s)
{
	struct flow *f = s->flow;
	uint32_t seq = s->packet->seq;
	struct flow_side *side = &f->side[f->recent], *other = &f->side[!f->recent];
	bool touches = stream_touches(&other->stream, seq) && !stream_touches(&side->stream, seq);

	if (f->older)
		return &f->side[s->packet->origin == ORIGIN_OLDER_REPLY];
	if (!touches && (stream_near(&side->stream, seq, s->packet->payload_len) || seq == side->end_seq))
		return side;
	if (!other->stream.block || !stream_near(&other->stream, seq, s->packet->payload_len))
		give_place(s, other);
	f->recent ^= 1;
	return other;
}

/* Does the packet come back to a place that was given up for others? No sender does, unless they were decoys. */
static bool comes_back(const struct step *s)
{
	const struct flow *f = s->flow;
	unsigned n = f->n_given_up < FLOW_GIVEN_UP ? f->n_given_up : FLOW_GIVEN_UP;

	if (f->older || f->state != FLOW_INSPECTING || f->seen_ms - f->given_up_ms > FLOW_GIVEN_UP_MS)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (s->packet->seq - f->given_up[i] < STREAM_BYTES_MAX)
			return true;
	return false;
}

/* Stops the search when it has cost enough: bytes a flow, packets of an older one. */
static void spend(struct step *s)
{
	struct flow *f = s->flow;
	uint32_t taken = f->side[0].taken + f->side[1].taken;
	unsigned segments = f->side[0].segments + f->side[1].segments;

	if (s->out.verdict != VERDICT_ACCEPT || f->state != FLOW_INSPECTING)
		return;
	if (f->older && segments >= OLDER_SEGMENTS_MAX && !s->wanted)
		leave_clear(s, REASON_OLDER);
	else if (taken >= STREAM_BYTES_MAX)
		leave_clear(s, REASON_BUDGET);
}

/* Stores the packet's bytes at its side; the places noted there move along. */
static enum stream_result store(struct step *s)
{
	const struct packet *packet = s->packet;
	struct flow_side *side = s->side;
	uint32_t moved;
	enum stream_result added = stream_add(flow_streams(s->p->flows), &side->stream, packet->seq, packet->payload,
					      packet->payload_len, packet->checksum != CHECKSUM_BAD, &moved);

	side->shown_at += moved;
	if (moved && side->next) {
		side->next += moved;
		side->told += moved;
	}
	side->afresh += moved;
	if (side->stream.lost) {
		/* Its earlier bytes are gone: this segment is judged as a start, which is better than not at all. */
		side->stream.lost = false;
		side->next = side->told = 0;
		s->out.overload = s->flow->state == FLOW_INSPECTING;
	}
	s->at = packet->seq - side->stream.base;
	s->news = added == STREAM_ADDED || added == STREAM_FAR;
	return added;
}

/* Bytes that cannot all be true. An older flow, or one that is only watched, is not cut for it: the newest are judged. */
static enum stream_result contradict(struct step *s)
{
	if (policy_settings(s->p->policy)->mode == MODE_ENFORCE && !s->flow->older) {
		s->out.event = !s->flow->reported;
		s->flow->reported = true;
		leave_block(s, REASON_CONTRADICTION);
		return STREAM_CONTRADICTS;
	}
	stream_clear(flow_streams(s->p->flows), &s->side->stream);
	s->side->next = s->side->told = 0;
	s->side->only = APP_UNKNOWN;
	return store(s);
}

/* Without its bytes a judged flow cannot tell a body from a new start, but by where it is; only TLS has no body. */
static bool is_lost_body(const struct step *s)
{
	const struct flow_side *side = s->side;

	return side->stream.lost && s->flow->state == FLOW_CLEARED && s->flow->app != APP_TLS && side->next &&
	       (int32_t)(s->packet->seq - side->stream.base - side->next) >= 0;
}

static void take_tcp(struct step *s)
{
	const struct packet *packet = s->packet;
	bool decoys = comes_back(s);
	struct flow_side *side = s->side = side_for(s);
	enum stream_result added;

	if (is_lost_body(s))
		return;
	added = store(s);
	if (added == STREAM_CONTRADICTS || (decoys && added != STREAM_KNOWN))
		added = contradict(s);
	if (added == STREAM_CONTRADICTS)
		return;
	if (s->news) {
		side->taken += (uint32_t)packet->payload_len;
		side->segments++;
	}
	if (!side->end_seq || packet->seq == side->end_seq)
		side->end_seq = packet->seq + (uint32_t)packet->payload_len;
	if (added != STREAM_FAR)
		inspect_segment(s);
	spend(s);
}

static void take(struct step *s, bool fresh)
{
	struct flow *f = s->flow;

	s->side = &f->side[0];
	switch (f->state) {
	case FLOW_BLOCKED:
		s->out.verdict = VERDICT_BLOCK;
		return;
	case FLOW_EXEMPT:
		s->out.verdict = VERDICT_CLEAR;
		return;
	case FLOW_CLEARED:
		/* Said again, in case the mark was lost. */
		s->out.verdict = VERDICT_CLEAR;
		break;
	case FLOW_INSPECTING:
		if (fresh && judge_address(s))
			return;
		break;
	}
	if (f->key.proto == IPPROTO_TCP)
		take_tcp(s);
	else
		leave_clear(s, REASON_UNKNOWN);
}

/* Is this another connection on the ports of a blocked one? Its first sequence number is far from all that the old one can have
 * reached; who goes on with the old connection is not. */
static bool ports_reused(const struct flow *f, const struct packet *packet)
{
	int32_t distance = (int32_t)(packet->seq - f->side[f->recent].end_seq);

	return f->state == FLOW_BLOCKED && f->key.proto == IPPROTO_TCP && packet->origin == ORIGIN_ORIGINAL &&
	       (distance > REUSE_DISTANCE || distance < -REUSE_DISTANCE);
}

static void describe(struct outcome *out, const struct flow *f)
{
	const struct flow_key *key = &f->key;

	memcpy(out->subject.src, key->src, sizeof(key->src));
	memcpy(out->subject.dst, key->dst, sizeof(key->dst));
	out->subject.sport = key->sport;
	out->subject.dport = key->dport;
	out->subject.proto = key->proto;
	out->family = key->family;
	out->older = f->older;
	out->app = f->app;
}

static void reset_facts(struct facts *facts)
{
	facts->app = APP_UNKNOWN;
	facts->n_names = 0;
	facts->names_lost = facts->mining = facts->tls_ech = facts->tunnelled = false;
	facts->tls_version = 0;
	facts->again = AGAIN_NO;
}

struct outcome pipeline_packet(struct pipeline *p, const struct packet *packet, uint64_t now_ms)
{
	struct flow_key key = key_of(packet);
	struct step s = { .p = p, .packet = packet };
	bool fresh;

	reset_facts(&p->found);
	s.flow = flow_get(p->flows, &key, now_ms, &fresh);
	if (!fresh && ports_reused(s.flow, packet)) {
		flow_drop(p->flows, s.flow);
		s.flow = flow_get(p->flows, &key, now_ms, &fresh);
	}
	if (fresh)
		s.flow->older = packet->origin != ORIGIN_ORIGINAL;
	describe(&s.out, s.flow);
	s.out.facts = &p->found;
	take(&s, fresh);
	s.out.app = s.flow->app;
	return s.out;
}

/* Judges what is remembered of a flow: its addresses, then each of its names. */
static struct decision judge_again(struct pipeline *p, const struct flow *f, const struct subject *who)
{
	struct decision d = policy_decide_address(p->policy, who);
	uint64_t position = f->names;
	struct name_fact *name = &p->found.names[0];
	uint8_t kind;

	reset_facts(&p->found);
	p->found.tunnelled = tunnelled(f);
	while (d.action == ACTION_NONE) {
		struct view text = { p->scratch.bytes, flow_name(p->flows, &position, &kind, p->scratch.bytes) };

		if (!text.len)
			break;
		*name = (struct name_fact){ .kind = (enum name_kind)kind, .matchable = true, .text = text, .host = text };
		p->found.n_names = 1;
		d = policy_decide(p->policy, who, &p->found);
		if (d.action == ACTION_ALLOW)	/* of this name; another may be blocked */
			d = (struct decision){ .action = ACTION_NONE };
	}
	return d;
}

bool pipeline_rejudge(struct pipeline *p, uint32_t *cursor, uint32_t n, uint64_t now_ms, struct outcome *out)
{
	for (; n > 0 && *cursor < flow_slots(p->flows); n--) {
		struct flow *f = flow_at(p->flows, (*cursor)++);

		if (!f || f->state == FLOW_BLOCKED)
			continue;
		memset(out, 0, sizeof(*out));
		describe(out, f);
		out->decision = judge_again(p, f, &out->subject);
		if (out->decision.action != ACTION_BLOCK)
			continue;
		stream_clear(flow_streams(p->flows), &f->side[0].stream);
		stream_clear(flow_streams(p->flows), &f->side[1].stream);
		f->state = FLOW_BLOCKED;
		f->reported = true;
		f->seen_ms = now_ms;
		out->facts = &p->found;
		out->verdict = VERDICT_BLOCK;
		out->event = true;
		return true;
	}
	if (*cursor >= flow_slots(p->flows))
		*cursor = 0;
	return false;
}
