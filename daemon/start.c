// SPDX-License-Identifier: GPL-2.0-or-later
/* Forged bytes below a flow's first sequence number reach us, but no server reads them: they may look like a clean request, like the
 * beginning of a longer one, or hide that another connection came to the same ports. Asking where a flow begins costs five
 * microseconds, so an ordinary flow, whose one packet is one whole message, is never asked for. */
#include <netinet/in.h>
#include <string.h>

#include "daemon/step.h"
#include "inspect/word.h"

/* Times that a flow is asked for whose start is not known: the table was made after its SYN, or has no room. */
#define ASKS_MAX 4

static bool is_asked(const struct step *s)
{
	return s->p->start && !s->flow->older && s->packet->proto == IPPROTO_TCP && s->packet->origin == ORIGIN_ORIGINAL &&
	       !(s->packet->tcp_flags & PACKET_SYN);
}

/* A server that took the SYN's data acknowledges it, too: then the stream begins with that. */
static uint32_t with_syn_data(const struct flow *f, uint32_t start)
{
	return f->syn_len && start - f->syn_seq <= f->syn_len ? f->syn_seq : start;
}

/* What was seen below the start was never part of the stream, and so what was judged of it is not judged. */
static void leave_out(struct step *s)
{
	struct flow *f = s->flow;

	for (int i = 0; i < 1 + f->two; i++) {
		struct flow_side *side = &f->side[i];
		int32_t below = (int32_t)(f->start - side->stream.base);
		struct stream kept;

		if (!side->stream.block || below <= 0)
			continue;
		stream_cut(flow_streams(s->p->flows), &side->stream, (uint32_t)below);
		kept = side->stream;
		memset(side, 0, sizeof(*side));
		side->stream = kept;
		if (f->state == FLOW_CLEARED)
			f->state = FLOW_INSPECTING;
	}
}

/* Asks, and brings the flow in line with the answer. False: nobody knows. */
static bool learn(struct step *s, uint64_t now_ms)
{
	struct flow_key key = s->flow->key;
	bool ignored;
	uint32_t start;

	s->flow->start_asked++;
	if (!s->p->start(s->p->start_arg, s->packet, &start))
		return false;
	start = with_syn_data(s->flow, start);
	if (s->flow->start_known && s->flow->start != start) {	/* another connection came to these ports */
		struct flow before = *s->flow;

		flow_drop(s->p->flows, s->flow);
		s->flow = flow_get(s->p->flows, &key, flow_expect(s->p->flows, &key), now_ms, &ignored);
		s->flow->interface = before.interface;
		s->flow->mac_known = before.mac_known;
		memcpy(s->flow->mac, before.mac, sizeof(before.mac));
		s->side = &s->flow->side[0];
	}
	s->flow->start = start;
	s->flow->start_known = true;
	leave_out(s);
	return true;
}

/* What is left of the packet from the start on; false if nothing is. */
static bool cut(struct step *s)
{
	const struct packet *k = s->packet;
	uint32_t below;

	/* asked first, as the start is in a line of memory of its own */
	if (!s->flow->start_known)
		return true;
	below = s->flow->start - k->seq;
	if ((int32_t)below <= 0)
		return true;
	if (below >= k->payload_len)
		return false;
	s->rest = *k;
	s->rest.seq += below;
	s->rest.payload += below;
	s->rest.payload_len -= below;
	s->rest.payload_wire -= below;
	s->packet = &s->rest;
	return true;
}

bool start_before(struct step *s, bool fresh, uint64_t now_ms)
{
	struct flow *f = s->flow;

	if (s->packet->tcp_flags & PACKET_SYN) {
		f->syn_seq = s->packet->seq;
		f->syn_len = (uint32_t)s->packet->payload_len;
	}
	if (!is_asked(s))
		return true;
	if ((f->state == FLOW_CLEARED && !s->packet->pending) || (!fresh && !f->start_known && f->start_asked < ASKS_MAX))
		learn(s, now_ms);
	return cut(s);
}

static bool begins_hello(const uint8_t *at, size_t len)	/* RFC 8446, 4 and 5.1 */
{
	return len > 1 && at[1] == 3 && (len < 3 || at[2] <= 4) && (len < 6 || at[5] == 1);
}

static bool begins_json(const uint8_t *at, size_t len)
{
	size_t i = 1;

	while (i < len && (at[i] == ' ' || (at[i] >= '\t' && at[i] <= '\r')))
		i++;
	return i == len || at[i] == '"';
}

static bool begins_version(const uint8_t *at, size_t len)	/* of a request line */
{
	return len > 4 && !memcmp(at, "HTTP/", 5);
}

/* Who sends a SOCKS request either waits for an answer, or goes on at once with one of the others. Every ClientHello has bytes that
 * begin like it. */
static bool begins_socks5(const uint8_t *at, size_t len)	/* RFC 1928, 3 */
{
	size_t end = len > 1 ? 2u + at[1] : 0;

	return end > 2 && (len == end || (len > end && at[end] == 5));
}

/* The request of version 4 behind the first byte, with a text up to the packet's end: so it begins no earlier than that the last NUL
 * before is one of its address. */
static bool hides_socks4(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len, *nul, *at = p + 1;

	if (len < 10 || end[-1])
		return false;
	nul = memrchr(p, 0, len - 1);
	if (nul && nul - at > 7)
		at = nul - 7;
	for (; end - at > 8; at++)
		if (at[0] == 4 && at[1] == 1)
			return true;
	return false;
}

static bool begins(const uint8_t *at, size_t len)
{
	switch (*at) {
	case 0x16:
		return begins_hello(at, len);
	case '{':
		return begins_json(at, len);
	case 5:
		return begins_socks5(at, len);
	default:
		return begins_version(at, len);
	}
}

/* A message, and from where on a version stands that ends another one's request line. */
struct around {
	const uint8_t *end, *version;
};

/* Does a message begin at one of the bytes whose bits are set? */
static bool begins_at(const struct around *a, const uint8_t *p, uint32_t bits)
{
	for (; bits; bits &= bits - 1) {
		const uint8_t *at = p + __builtin_ctz(bits);

		if (begins(at, (size_t)(a->end - at)) && (*at != 'H' || at > a->version))
			return true;
	}
	return false;
}

/* Does another message begin behind the first byte? */
static bool hides(const struct around *a, const uint8_t *p)
{
	static const uint8_t any[4] = { 0x16, '{', 5, 'H' };
	uint8_t last[WORD_BLOCK] = { 0 };
	uint32_t bits;

	for (p++; a->end - p >= (ptrdiff_t)WORD_BLOCK; p += WORD_BLOCK) {
		bits = word_any(p, any);
		if (bits && begins_at(a, p, bits))
			return true;
	}
	if (p < a->end)
		memcpy(last, p, (size_t)(a->end - p));
	return begins_at(a, p, word_any(last, any));
}

/* A clean message may be forged around another one, at which the server begins to read. */
static bool may_hide(const struct packet *k, bool http)
{
	const uint8_t *own = http ? memmem(k->payload, k->payload_len, "HTTP/", 5) : NULL;
	const struct around a = { k->payload + k->payload_len, own ? own : k->payload };

	return k->payload_len && (hides(&a, k->payload) || hides_socks4(k->payload, k->payload_len));
}

bool start_after(struct step *s, uint64_t now_ms)
{
	const struct flow *f = s->flow;
	bool doubt;

	if (!is_asked(s) || f->start_known || f->start_asked >= ASKS_MAX || s->out.verdict == VERDICT_BLOCK)
		return false;
	doubt = f->app == APP_UNKNOWN ? !s->wanted : may_hide(s->packet, f->app == APP_HTTP);
	return doubt && learn(s, now_ms) && (int32_t)(s->flow->start - s->packet->seq) > 0;
}

bool start_again(struct step *s)
{
	s->wanted = false;
	return cut(s);
}
