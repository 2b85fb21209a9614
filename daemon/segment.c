/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of a flow: where a segment belongs, which run of bytes it completes, and from where the inspectors are
 * shown it. An attacker chooses order, overlap and decoys; the cost of each flow is bounded. */
#include <string.h>

#include "daemon/step.h"

/* Bytes shown to the inspectors, again and again as a message grows, before a flow is held to fewer looks: every segment
 * of a message of 2.8 KB is looked at, even of one byte each. Beyond the second bound its closing bytes no longer count. */
#define WORK_FREE (4u << 20)
#define WORK_CLOSING (6u << 20)
/* Payload packets of a flow picked up in the middle after which it is taken for harmless. */
#define OLDER_SEGMENTS_MAX 16

/* Each look at an unfinished message costs its whole length, so a flow that has had many gets the next one when the message
 * has grown by a sixteenth, or with a byte that may end it: the segment that completes the evidence is still the one dropped. */
static bool may_wait(const struct step *s, uint32_t start, const struct inspect_input *in)
{
	const struct packet *packet = s->packet;
	uint32_t work = s->flow->work, shown = s->side->shown;

	if (work <= WORK_FREE || in->ended || start != s->side->shown_at || in->len >= shown + shown / 16)
		return false;
	if (in->only == APP_WEBSOCKET || in->only == APP_HTTP2)	/* masked or packed: any byte may end it */
		return work > WORK_CLOSING;
	return work > WORK_CLOSING || (!memchr(packet->payload, '\n', packet->payload_len) &&
				       !memchr(packet->payload, '}', packet->payload_len));
}

/* Shows the bytes, and counts what that cost. */
static enum inspect_result look(struct step *s, const struct inspect_input *in)
{
	enum inspect_result r;

	in->scratch->unpacked = 0;
	r = inspect_stream(in, &s->p->message);
	if (s->flow->work <= WORK_CLOSING)
		s->flow->work += (uint32_t)(in->len + in->scratch->unpacked);
	return r;
}

static void inspect_from(struct step *s, uint32_t start)
{
	struct inspect_input in = {
		.port = s->flow->key.dport,
		.side = s->flow->older ? SIDE_UNSURE : SIDE_CLIENT,
		.dialects = policy_dialects(s->p->policy),
		.scratch = &s->p->scratch,
	};
	unsigned names;
	size_t used;
	bool more;

	s->p->scratch.used = 0;
	if (start < s->side->next)
		s->side->heads = s->side->tunnels = 0;	/* they are counted anew on the way */
	do {
		in.p = stream_run(&s->side->stream, start, &in.len);
		if (!in.len)
			return;
		in.only = start == s->side->next ? s->side->only : APP_UNKNOWN;
		in.seen = start == s->side->next ? s->side->seen : 0;
		in.ended = s->packet->tcp_flags & PACKET_FIN || start + in.len >= STREAM_BYTES_MAX;
		more = false;
		if (may_wait(s, start, &in)) {
			s->wanted = true;
			return;
		}
		s->side->shown_at = start;
		s->side->shown = (uint32_t)in.len;
		names = s->p->found.n_names;
		used = s->p->scratch.used;
		switch (look(s, &in)) {
		case INSPECT_MATCH:
			more = step_judge_message(s, start);
			start = s->side->next;
			/* Any number of queries may come; where nobody holds their names there is room for the next one. */
			if (s->p->message.app == APP_DNS && s->p->found.n_names == names && !s->out.event)
				s->p->scratch.used = used;
			break;
		case INSPECT_MORE:
			s->wanted = true;
			break;
		case INSPECT_BAD:
			s->flow->app = s->p->message.app;
			step_clear(s, REASON_MALFORMED);
			break;
		case INSPECT_NO:
			more = step_judge_unknown(s, start, in.len);
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
	bool anywhere = s->flow->app == APP_TLS || s->flow->app == APP_UNKNOWN;

	if (s->flow->state != FLOW_CLEARED || s->flow->older || !s->news || !(anywhere || side->reading_afresh))
		return;
	s->wanted = false;
	if (side->reading_afresh && side->afresh <= s->at && stream_run_start(&side->stream, s->at) <= side->afresh)
		inspect_from(s, side->afresh);
	if (s->wanted || s->flow->state == FLOW_BLOCKED)
		return;
	side->reading_afresh = false;
	if (!anywhere)
		return;
	side->afresh = s->at;
	side->only = APP_UNKNOWN;
	side->seen = 0;
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
		if (s->wanted && s->flow->state == FLOW_CLEARED) {
			/* other bytes than were judged: they are read to their end */
			side->afresh = run;
			side->reading_afresh = true;
		} else if (s->flow->app == APP_UNKNOWN) {
			inspect_afresh(s);
		}
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
	bool touches;

	if (f->older)
		return s->packet->origin == ORIGIN_OLDER_REPLY ? flow_second(f) : &f->side[0];
	touches = f->two && stream_touches(&other->stream, seq) && !stream_touches(&side->stream, seq);
	if (!touches && (stream_near(&side->stream, seq, s->packet->payload_len) || seq == side->end_seq))
		return side;
	flow_second(f);
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

	if (!n || f->older || f->state != FLOW_INSPECTING || f->seen_ms - f->given_up_ms > FLOW_GIVEN_UP_MS)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (s->packet->seq - f->given_up[i] < STREAM_BYTES_MAX)
			return true;
	return false;
}

/* A resolver's connection goes on for as long as it likes: what was judged of it makes room for what comes. */
static void move_on(struct step *s)
{
	struct flow_side *side = s->side;
	struct stream_pool *pool = flow_streams(s->p->flows);
	uint32_t seq = side->stream.base + side->next, moved;
	size_t len = 0;
	const uint8_t *rest;

	if (s->flow->app != APP_DNS || s->flow->key.dport != LOOKUP_PORT || s->flow->state != FLOW_INSPECTING ||
	    s->flow->older || side->only != APP_DNS || side->next < STREAM_BYTES_MAX - sizeof(s->p->carry))
		return;
	rest = stream_run(&side->stream, side->next, &len);
	/* Not while there are gaps, or bytes beyond what is stored. */
	if (side->next + len != side->stream.end || side->stream.end == STREAM_BYTES_MAX)
		return;
	if (len)
		memcpy(s->p->carry, rest, len);
	stream_clear(pool, &side->stream);
	side->next = side->told = side->shown = side->shown_at = 0;
	side->taken = (uint32_t)len;
	s->flow->work = 0;
	if (len)
		stream_add(pool, &side->stream, seq, s->p->carry, len, true, &moved);
}

/* Stops the search when it has cost enough: bytes a flow, packets of an older one. */
static void spend(struct step *s)
{
	struct flow *f = s->flow;
	uint32_t taken = flow_taken(f);
	unsigned segments = f->side[0].segments + (f->two ? f->side[1].segments : 0);

	if (s->out.verdict != VERDICT_ACCEPT || f->state != FLOW_INSPECTING)
		return;
	if (f->older && segments >= OLDER_SEGMENTS_MAX && !s->wanted)
		step_clear(s, REASON_OLDER);
	else if (taken >= STREAM_BYTES_MAX)
		step_clear(s, REASON_BUDGET);
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
	if (moved && (side->next || side->seen)) {
		side->next += moved;
		side->told += moved;
	}
	side->afresh += moved;
	if (side->stream.lost) {
		/* Its earlier bytes are gone: this segment is judged as a start, which is better than not at all. */
		side->stream.lost = false;
		side->next = side->told = 0;
		side->seen = 0;
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
		step_block(s, REASON_CONTRADICTION);
		return STREAM_CONTRADICTS;
	}
	stream_clear(flow_streams(s->p->flows), &s->side->stream);
	s->side->next = s->side->told = 0;
	s->side->only = APP_UNKNOWN;
	s->side->seen = 0;
	return store(s);
}

/* Without its bytes a judged flow cannot tell a body from a new start, but by where it is; only TLS has no body. */
static bool is_lost_body(const struct step *s)
{
	const struct flow_side *side = s->side;

	if (side->stream.lost && side->only == APP_HTTP_BODY)
		return (int32_t)(s->packet->seq - side->stream.base - side->next) > 0;
	return side->stream.lost && s->flow->state == FLOW_CLEARED && s->flow->app != APP_TLS && side->next &&
	       (int32_t)(s->packet->seq - side->stream.base - side->next) >= 0;
}

void segment_take(struct step *s)
{
	const struct packet *packet = s->packet;
	bool decoys = comes_back(s);
	struct flow_side *side = s->side = side_for(s);
	enum stream_result added;

	if (is_lost_body(s)) {
		s->out.overload = s->flow->state == FLOW_INSPECTING;
		step_clear(s, REASON_BUDGET);
		return;
	}
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
	move_on(s);
	spend(s);
}
