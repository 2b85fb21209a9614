/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way of one packet: flow, stream, inspectors, policy, outcome. It decides and remembers; it never
 * touches the system, and every path through it gives exactly one verdict. */
#include "daemon/pipeline.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/step.h"

/* Farther than any window scaled by 14 that a server offers in its first answers. */
#define REUSE_DISTANCE (16 << 20)

struct pipeline *pipeline_new(const struct pipeline_config *config)
{
	struct pipeline *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->start = config->start;
	p->start_arg = config->start_arg;
	p->flows = flow_table_new(config->flows, config->reassembly, config->key);
	p->suspects = suspects_new(config->score);
	p->lookups = lookups_new(config->key);
	p->answers = config->answers;
	p->reach = config->reach;
	p->score = config->score;
	if (!p->flows || !p->suspects || !p->lookups) {
		pipeline_free(p);
		return NULL;
	}
	return p;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	flow_table_free(p->flows);
	suspects_free(p->suspects);
	lookups_free(p->lookups);
	free(p);
}

void pipeline_policy(struct pipeline *p, const struct policy *policy)
{
	p->policy = policy;
}

void pipeline_wipe(struct pipeline *p)
{
	/* one that is let mine keeps its bytes until its server answers, as any other: it does without them */
	if (p->at_hand && p->at_hand->state == FLOW_CLEARED)
		flow_lose_streams(p->flows, p->at_hand);
	stream_pool_wipe(flow_streams(p->flows));
	explicit_bzero(&p->scratch, sizeof(p->scratch));
}

bool pipeline_wants_memory(struct pipeline *p)
{
	return flow_wants_memory(p->flows);
}

void pipeline_fetch_memory(struct pipeline *p)
{
	flow_fetch_memory(p->flows);
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
	case REASON_QUIC:		return "quic";
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

void pipeline_expect(const struct pipeline *p, struct packet *packet)
{
	struct flow_key key = key_of(packet);

	packet->flow_hash = flow_expect(p->flows, &key);
}

void pipeline_forget(struct pipeline *p, const struct packet *packet)
{
	struct flow_key key = key_of(packet);
	struct flow *f = flow_find(p->flows, &key);

	if (f)
		flow_drop(p->flows, f);
}

/* The bytes of an opener, or of an older flow's one side. */
static void take_segment(struct step *s, bool fresh, uint64_t now_ms)
{
	if (!start_before(s, fresh, now_ms))
		return;
	if (s->flow->state == FLOW_INSPECTING)
		s->out.verdict = VERDICT_ACCEPT;
	segment_take(s);
	if (!start_after(s, now_ms))
		return;
	inspect_reset(&s->p->found);	/* of bytes that nobody reads */
	s->out.verdict = VERDICT_ACCEPT;
	s->out.reason = REASON_NONE;
	if (start_again(s))
		segment_take(s);
}

/* A judged flow is watched until the server answers, but some servers answer late or never: an upload is let go when its budget is
 * spent, or when the server has answered the head that its body came behind. */
static void let_go(struct step *s, bool cleared)
{
	const struct flow *f = s->flow;
	bool answered = s->body && s->packet->ack != f->heard;
	bool spent = cleared && flow_taken(f) >= STREAM_BYTES_MAX;

	if (s->out.verdict == VERDICT_CLEAR && !f->older && !(s->packet->tcp_flags & PACKET_SYN) && (answered || spent))
		s->out.verdict = VERDICT_PASS;
}

static void take(struct step *s, bool fresh, uint64_t now_ms)
{
	struct flow *f = s->flow;
	bool cleared = f->state == FLOW_CLEARED;

	s->side = &f->side[0];
	switch (f->state) {
	case FLOW_BLOCKED:
		s->out.verdict = f->silent ? VERDICT_DROP : VERDICT_BLOCK;
		return;
	case FLOW_EXEMPT:
		s->out.verdict = VERDICT_CLEAR;
		return;
	case FLOW_CLEARED:
		/* Said again, in case the mark was lost. */
		s->out.verdict = VERDICT_CLEAR;
		break;
	case FLOW_INSPECTING:
		if (fresh && step_judge_address(s))
			return;
		break;
	}
	if (f->key.proto == IPPROTO_TCP) {
		take_segment(s, fresh, now_ms);
		let_go(s, cleared);
		suspect_look(s);
	} else {
		datagram_take(s);
	}
}

/* Is this another connection on the ports of a blocked one? Its first sequence number is far from all that the old one can have
 * reached; who goes on with the old connection is not. */
static bool ports_reused(const struct flow *f, const struct packet *packet)
{
	int32_t distance = (int32_t)(packet->seq - f->side[f->recent].end_seq);

	return f->state == FLOW_BLOCKED && f->key.proto == IPPROTO_TCP && packet->origin == ORIGIN_ORIGINAL &&
	       (distance > REUSE_DISTANCE || distance < -REUSE_DISTANCE);
}

void pipeline_describe(struct outcome *out, const struct flow *f, int64_t when_s)
{
	const struct flow_key *key = &f->key;

	memcpy(out->subject.src, f->turned ? key->dst : key->src, sizeof(key->src));
	memcpy(out->subject.dst, f->turned ? key->src : key->dst, sizeof(key->dst));
	out->subject.sport = f->turned ? key->dport : key->sport;
	out->subject.dport = f->turned ? key->sport : key->dport;
	out->turned = f->turned;
	out->subject.proto = key->proto;
	out->subject.mac_known = f->mac_known;
	memcpy(out->subject.mac, f->mac, sizeof(f->mac));
	out->subject.interface = f->interface;
	out->subject.when_s = when_s;
	out->family = key->family;
	out->older = f->older;
	out->app = f->app;
}

/* What the first packet tells of a flow; where it is an answer, link address and interface are the server's. */
static void begin(struct flow *f, const struct packet *packet)
{
	f->older = packet->origin != ORIGIN_ORIGINAL;
	f->heard = packet->ack;
	if (packet->origin == ORIGIN_OLDER_REPLY)
		return;
	f->mac_known = packet->mac_known;
	memcpy(f->mac, packet->mac, sizeof(f->mac));
	f->interface = packet->interface;
}

struct outcome pipeline_packet(struct pipeline *p, const struct packet *packet, uint64_t now_ms)
{
	struct flow_key key = key_of(packet);
	struct step s = { .p = p, .packet = packet, .now_ms = now_ms };
	uint32_t hash;
	bool fresh;

	inspect_reset(&p->found);
	s.out.facts = &p->found;
	p->at_hand = NULL;
	if (lookup_take(&s))
		return s.out;
	hash = packet->flow_hash ? packet->flow_hash : flow_expect(p->flows, &key);
	s.flow = flow_get(p->flows, &key, hash, now_ms, &fresh);
	if (!fresh && ports_reused(s.flow, packet)) {
		flow_drop(p->flows, s.flow);
		s.flow = flow_get(p->flows, &key, hash, now_ms, &fresh);
	}
	if (fresh)
		begin(s.flow, packet);
	pipeline_describe(&s.out, s.flow, packet->when_s);
	take(&s, fresh, now_ms);
	s.out.app = s.flow->app;
	p->at_hand = s.flow;
	return s.out;
}

/* Judges what is remembered of a flow: its addresses, then each of its names. */
static struct decision judge_again(struct pipeline *p, const struct flow *f, const struct subject *who)
{
	struct decision d = policy_decide_address(p->policy, who);
	uint64_t position = f->names;
	struct name_fact *name = &p->found.names[0];
	uint8_t kind;

	inspect_reset(&p->found);
	p->found.tunnelled = step_tunnelled(f);
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
	return d.action == ACTION_NONE && f->state == FLOW_CLEARED && !f->ruled ? policy_decide_rest(p->policy, who) : d;
}

bool pipeline_rejudge(struct pipeline *p, uint32_t *cursor, uint32_t n, uint64_t now_ms, int64_t when_s, struct outcome *out)
{
	for (; n > 0 && *cursor < flow_slots(p->flows); n--) {
		struct flow *f = flow_at(p->flows, (*cursor)++);

		if (!f || f->state == FLOW_BLOCKED)
			continue;
		memset(out, 0, sizeof(*out));
		pipeline_describe(out, f, when_s);
		out->decision = judge_again(p, f, &out->subject);
		if (out->decision.action != ACTION_BLOCK)
			continue;
		flow_clear_streams(p->flows, f);
		f->state = FLOW_BLOCKED;
		f->reported = true;
		f->seen_ms = now_ms;
		out->facts = &p->found;
		f->silent = out->decision.silent;
		out->verdict = f->silent ? VERDICT_DROP : VERDICT_BLOCK;
		out->event = true;
		return true;
	}
	if (*cursor >= flow_slots(p->flows))
		*cursor = 0;
	return false;
}
