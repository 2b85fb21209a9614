// SPDX-License-Identifier: GPL-2.0-or-later
/* Judging a UDP flow: QUIC's first packets are opened and the hello in them is put together, over datagrams in any order.
 * A datagram that nobody knows ends the watch only once the server answers. */
#include <string.h>

#include "daemon/step.h"
#include "inspect/gquic.h"
#include "inspect/tls.h"

/* Keys that are worked out for one datagram, and for a flow, as each costs some microseconds. Clients need one; packets of one
 * connection are opened as often as they stand in a datagram. */
#define KEYS_MAX 8
#define WORK_MAX 256
/* Time after which a flow's work counts anew: a client may keep one port for all its connections. */
#define WORK_MS 60000
/* Datagrams after which the rest of a hello is not waited for any longer. */
#define WAIT_MAX 64
/* Datagrams of QUIC that told nothing, after which no more is expected; and such as look like a connection that goes on after
 * the client's address changed: servers answer some of them (RFC 9000 10.3), so one must not end the search. */
#define HELD_MAX 16
#define SHORT_MAX 4
/* What a server may answer a packet of the short form with is no longer than it. */
#define SHORT_LEN_MIN 22
#define QUIC_PORT 443

/* What a datagram turned out to be, the later ones telling more. */
enum datagram_kind {
	DATAGRAM_UNKNOWN,
	DATAGRAM_SHORT,		/* perhaps a QUIC connection that began before or elsewhere */
	DATAGRAM_UNREAD,	/* QUIC, but nothing of it could be read */
	DATAGRAM_READ,
};

static bool is_connection(const struct flow_quic *q, const struct quic_packet *packet)
{
	return q->version == packet->version && q->cid_len == packet->cid.len && !memcmp(q->cid, packet->cid.p, q->cid_len);
}

/* FNV-1a: a mark of the connection, for those that had to give way. */
static uint32_t connection_hash(const struct flow_quic *q)
{
	uint32_t h = 2166136261u ^ q->version;

	for (unsigned i = 0; i < q->cid_len; i++)
		h = (h ^ q->cid[i]) * 16777619u;
	return h;
}

/* Did this connection have a place before? */
static bool comes_back(const struct flow *f, const struct flow_quic *q)
{
	unsigned n = f->n_given_up < FLOW_GIVEN_UP ? f->n_given_up : FLOW_GIVEN_UP;

	for (unsigned i = 0; i < n; i++)
		if (f->given_up[i] == connection_hash(q))
			return true;
	return false;
}

/* A place for another connection: a free one, else one whose hello was judged, else the one not heard of for longer. */
static struct flow_side *place_new(struct step *s, const struct quic_packet *packet)
{
	struct flow *f = s->flow;
	struct flow_side *side = &f->side[!f->recent];

	if (!f->side[f->recent].quic.version || (f->side[f->recent].quic.whole && side->quic.version && !side->quic.whole))
		side = &f->side[f->recent];
	if (side->quic.version)
		f->given_up[f->n_given_up++ % FLOW_GIVEN_UP] = connection_hash(&side->quic);
	stream_clear(flow_streams(s->p->flows), &side->stream);
	memset(side, 0, sizeof(*side));
	side->quic.version = packet->version;
	side->quic.cid_len = (uint8_t)packet->cid.len;
	memcpy(side->quic.cid, packet->cid.p, packet->cid.len);
	return side;
}

/* `place`: where keys are kept until another connection needs it. */
static bool open_as(struct step *s, struct flow_quic *q, int place, const struct quic_packet *packet, struct view *frames)
{
	struct inspect_scratch *room = &s->p->scratch;
	struct view cid = { q->cid, q->cid_len };

	if (quic_keys_of(&s->p->quic[place], q->version, cid))
		s->flow->work++;
	return quic_open(&s->p->quic[place], packet, &q->number, room->bytes, sizeof(room->bytes) - room->used, frames);
}

/* Bytes that cannot all be true: only in enforce mode, and never of a flow that began before us. */
static bool contradict(struct step *s)
{
	if (policy_settings(s->p->policy)->mode != MODE_ENFORCE || s->flow->older)
		return false;
	s->out.event = !s->flow->reported;
	s->flow->reported = true;
	step_block(s, REASON_CONTRADICTION);
	return true;
}

/* The connection that this packet belongs to, opened. A client begins with an id of its own, and goes on with one that the
 * server chose while the keys stay; after a Retry that may be the client's own first one. So all known keys are tried.
 * NULL: nobody's. */
static struct flow_side *open_packet(struct step *s, const struct quic_packet *packet, struct view *frames)
{
	struct flow_side *sides = s->flow->side, *side = NULL;
	struct flow_quic fresh = { .version = packet->version, .cid_len = (uint8_t)packet->cid.len };

	for (int i = 0; i < 2; i++)
		if (is_connection(&sides[i].quic, packet)) {
			side = &sides[i];
			if (open_as(s, &side->quic, i, packet, frames))
				return side;
		}
	memcpy(fresh.cid, packet->cid.p, packet->cid.len);
	if (!side && open_as(s, &fresh, 2, packet, frames)) {
		side = place_new(s, packet);
		side->quic.number = fresh.number;
		s->p->quic[side - sides] = s->p->quic[2];
		return side;
	}
	for (int i = 0; i < 2; i++)
		if (&sides[i] != side && sides[i].quic.version == packet->version && open_as(s, &sides[i].quic, i, packet, frames))
			return &sides[i];
	/* Of a hello that is not whole no client sends this: its number was chosen so that only the server can read it. */
	if (side && !side->quic.whole && s->packet->checksum == CHECKSUM_GOOD)
		contradict(s);
	return NULL;
}

/* Forgets what is there of a hello: it is read anew. */
static void restart(struct step *s, struct flow_side *side)
{
	stream_clear(flow_streams(s->p->flows), &side->stream);
	side->next = side->told = 0;
	side->quic.whole = false;
}

/* A zero in place of a last byte is a keep-alive to TCP; here it is a contradiction like any other. */
static bool zero_contradicts(const struct flow_side *side, const struct quic_piece *piece)
{
	size_t len;
	const uint8_t *there = stream_run(&side->stream, (uint32_t)piece->offset, &len);

	return piece->bytes.len == 1 && len && *there && !piece->bytes.p[0];
}

/* Adds a piece of the hello. False: it contradicts what is there. */
static bool store_piece(struct step *s, struct flow_side *side, const struct quic_piece *piece)
{
	struct stream_pool *pool = flow_streams(s->p->flows);
	enum stream_result r;
	uint32_t moved;

	if (piece->offset >= STREAM_BYTES_MAX || !piece->bytes.len)
		return true;
	if (side->stream.lost) {
		restart(s, side);
		s->out.overload = s->flow->state == FLOW_INSPECTING;
	}
	if (!side->stream.block)	/* offset 0 is the start, whichever piece comes first */
		stream_add(pool, &side->stream, 0, (const uint8_t *)"", 0, true, &moved);
	if (zero_contradicts(side, piece))
		return false;
	r = stream_add(pool, &side->stream, (uint32_t)piece->offset, piece->bytes.p, piece->bytes.len, true, &moved);
	s->news |= r == STREAM_ADDED;
	return r != STREAM_CONTRADICTS;
}

static bool store_frames(struct step *s, struct flow_side *side, struct view frames)
{
	struct cursor c = cursor_make(frames.p, frames.len, frames.len);
	struct quic_piece piece;

	while (quic_crypto(&c, &piece))
		if (!store_piece(s, side, &piece))
			return false;
	return true;
}

/* Adds all that a packet holds of the hello. False: the flow is blocked for it. */
static bool store_packet(struct step *s, struct flow_side *side, struct view frames)
{
	s->news = false;
	if (store_frames(s, side, frames))
		return true;
	if (contradict(s))
		return false;
	restart(s, side);	/* the newest counts */
	store_frames(s, side, frames);
	return true;
}

/* Names stand in the stream's memory, which a later packet of this datagram may take: they move to the end of the scratch. */
static void keep_names(struct step *s, struct facts *m)
{
	struct inspect_scratch *room = &s->p->scratch;

	for (unsigned i = 0; i < m->n_names; i++) {
		struct name_fact *name = &m->names[i];
		uint8_t *to;

		if (room->used + name->text.len > sizeof(room->bytes) / 2)
			return;
		to = room->bytes + sizeof(room->bytes) - room->used - name->text.len;
		memcpy(to, name->text.p, name->text.len);
		if (name->host.len)
			name->host.p = to + (name->host.p - name->text.p);
		name->text.p = to;
		room->used += name->text.len;
	}
}

static void judge(struct step *s, struct flow_side *side, enum inspect_result r)
{
	if (r == INSPECT_MORE)
		return;
	side->quic.whole = true;
	s->side = side;
	s->flow->app = APP_QUIC;
	if (r == INSPECT_MATCH) {
		keep_names(s, &s->p->message);
		step_judge_message(s, side->next);
	} else {
		step_clear(s, REASON_MALFORMED);
	}
}

/* Looks at the hello as far as it is there without a gap, or at the second one, which some servers ask for (RFC 8446 4.1.4). */
static void read_hello(struct step *s, struct flow_side *side)
{
	struct facts *m = &s->p->message;
	struct view got;

	enum inspect_result r;

	got.p = stream_run(&side->stream, side->next, &got.len);
	if (!got.len)
		return;
	inspect_reset(m);
	m->app = APP_QUIC;
	m->quic_version = side->quic.version;
	r = quic_is_google(side->quic.version) ? gquic_hello(got, m) : tls_handshake(got, NAME_QUIC_SNI, m);
	m->consumed = m->tls_hello.len ? m->tls_hello.len : got.len;
	judge(s, side, r);
}

/* A datagram with a wrong checksum reaches no server, but may come from a host that leaves checksums to its network card: it counts
 * until there is a right one. False: this one does not count any more. */
static bool trust(struct step *s, struct flow_side *side)
{
	bool right = s->packet->checksum != CHECKSUM_BAD;

	if (right && !side->quic.trusted) {
		restart(s, side);
		side->quic.trusted = true;
	}
	return right || !side->quic.trusted;
}

/* One Initial packet of the datagram. */
static enum datagram_kind take_initial(struct step *s, const struct quic_packet *packet)
{
	struct flow *f = s->flow;
	struct view frames;
	struct flow_side *side = open_packet(s, packet, &frames);

	f->app = APP_QUIC;
	if (!side || !trust(s, side))
		return DATAGRAM_UNREAD;
	f->recent = (uint8_t)(side - f->side);
	if (!store_packet(s, side, frames))
		return DATAGRAM_READ;
	if (s->news)
		read_hello(s, side);
	/* What gave way comes back only where decoys stood in between. */
	if (f->state != FLOW_BLOCKED && !side->quic.whole && comes_back(f, &side->quic))
		contradict(s);
	return DATAGRAM_READ;
}

static enum datagram_kind take_google(struct step *s, struct view datagram)
{
	struct facts *m = &s->p->message;
	enum inspect_result r;

	inspect_reset(m);
	r = gquic_datagram(datagram, m);
	if (r == INSPECT_NO)
		return DATAGRAM_UNKNOWN;
	s->flow->app = APP_QUIC;
	if (r != INSPECT_MATCH)
		return DATAGRAM_UNREAD;
	step_judge_message(s, s->side->next);
	return DATAGRAM_READ;
}

static bool maybe_short(const struct step *s)
{
	return !s->flow->older && s->packet->dport == QUIC_PORT && s->packet->payload_len >= SHORT_LEN_MIN;
}

/* Every packet that the datagram holds. */
static enum datagram_kind take_packets(struct step *s)
{
	const struct packet *udp = s->packet;
	uint32_t start = s->flow->work;
	struct cursor c = cursor_make(udp->payload, udp->payload_len, udp->payload_len);
	enum datagram_kind kind = DATAGRAM_UNKNOWN, one;
	struct quic_packet packet;

	while (s->flow->state != FLOW_BLOCKED) {
		switch (quic_next(&c, &packet)) {
		case QUIC_INITIAL:
			if (s->flow->work - start >= KEYS_MAX) {	/* so that the last one need not be looked at */
				contradict(s);
				return kind;
			}
			one = take_initial(s, &packet);
			kind = one > kind ? one : kind;
			break;
		case QUIC_OTHER:
			kind = kind > DATAGRAM_UNREAD ? kind : DATAGRAM_UNREAD;
			break;
		case QUIC_UNREADABLE:
			return kind > DATAGRAM_UNREAD ? kind : DATAGRAM_UNREAD;
		case QUIC_SHORT:
			return maybe_short(s) ? DATAGRAM_SHORT : DATAGRAM_UNKNOWN;
		case QUIC_BROKEN:
		case QUIC_END:
			return kind;
		}
	}
	return kind;
}

/* Is a hello there of which a part is missing? */
static bool is_waiting(const struct flow *f)
{
	return (f->side[0].quic.version && !f->side[0].quic.whole) || (f->side[1].quic.version && !f->side[1].quic.whole);
}

/* What becomes of the flow when this datagram did not block it. A hello that is not whole yet must be waited for, since the server
 * acknowledges its first part already; so must QUIC that could not be read, since a server answers it with a list of versions. */
static void settle(struct step *s, enum datagram_kind kind)
{
	struct flow *f = s->flow;
	bool waiting = is_waiting(f), unread = kind == DATAGRAM_UNREAD || kind == DATAGRAM_SHORT;
	unsigned wait_max = f->older ? HELD_MAX : WAIT_MAX, held_max = f->app == APP_QUIC ? HELD_MAX : SHORT_MAX;

	if (f->held < UINT8_MAX && (waiting || (f->state == FLOW_INSPECTING && (unread || f->held))))
		f->held++;
	if (waiting && f->held < wait_max)
		step_resume(s);
	else if (waiting)
		step_clear(s, REASON_BUDGET);
	else if (f->state != FLOW_INSPECTING)
		return;
	else if (!f->held)
		step_clear(s, REASON_UNKNOWN);
	else if (f->held >= held_max)
		step_clear(s, f->older ? REASON_OLDER : f->app == APP_QUIC ? REASON_QUIC : REASON_UNKNOWN);
}

/* More was tried than any client gives cause for. */
static void spent(struct step *s)
{
	step_clear(s, REASON_BUDGET);
	if (s->flow->work < UINT32_MAX) {
		s->flow->work = UINT32_MAX;
		s->out.reason = REASON_BUDGET;
	}
}

void datagram_take(struct step *s)
{
	struct view datagram = { s->packet->payload, s->packet->payload_len };
	enum datagram_kind kind, google;

	flow_second(s->flow);
	if (s->now_ms - s->flow->given_up_ms >= WORK_MS) {
		s->flow->given_up_ms = s->now_ms;
		s->flow->work = s->flow->n_given_up = 0;
	}
	if (s->flow->work >= WORK_MAX) {
		spent(s);
		return;
	}
	s->p->scratch.used = 0;
	kind = take_packets(s);
	if (kind == DATAGRAM_UNKNOWN || kind == DATAGRAM_UNREAD) {
		google = take_google(s, datagram);
		kind = google > kind ? google : kind;
	}
	if (kind == DATAGRAM_UNREAD)
		s->flow->app = APP_QUIC;
	if (s->flow->state != FLOW_BLOCKED)
		settle(s, kind);
}
