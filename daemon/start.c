// SPDX-License-Identifier: GPL-2.0-or-later
/* Forged bytes below a flow's first sequence number reach us, but no server reads them: they may look like a clean request, like the
 * beginning of a longer one, or hide that another connection came to the same ports. Asking where a flow begins costs five
 * microseconds, so an ordinary flow, whose one packet is one whole message, is never asked for. */
#include <netinet/in.h>
#include <string.h>

#include "daemon/step.h"

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
		s->flow = flow_get(s->p->flows, &key, now_ms, &ignored);
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
	uint32_t below = s->flow->start - k->seq;

	if (!s->flow->start_known || (int32_t)below <= 0)
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

/* Does `c` stand behind the first byte with bytes behind it that a message begins with? */
static bool hides(const uint8_t *p, size_t len, uint8_t c, bool (*begins)(const uint8_t *at, size_t len))
{
	const uint8_t *end = p + len, *at = len ? p + 1 : end;

	while (at < end && (at = memchr(at, c, (size_t)(end - at))) != NULL) {
		if (begins(at, (size_t)(end - at)))
			return true;
		at++;
	}
	return false;
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

/* Who sends either waits for an answer, or goes on at once with one of the others. Every ClientHello has bytes that begin like them. */
static bool begins_socks4(const uint8_t *at, size_t len)
{
	return len > 8 && at[1] == 1 && memchr(at + 8, 0, len - 8) == at + len - 1;
}

static bool begins_socks5(const uint8_t *at, size_t len)	/* RFC 1928, 3 */
{
	size_t end = len > 1 ? 2u + at[1] : 0;

	return end > 2 && (len == end || (len > end && at[end] == 5));
}

/* A clean message may be forged around another one, at which the server begins to read. */
static bool may_hide(const struct packet *k, bool http)
{
	const uint8_t *p = k->payload;
	size_t len = k->payload_len;
	const uint8_t *own = http ? memmem(p, len, "HTTP/", 5) : NULL;

	if (hides(p, len, 0x16, begins_hello) || hides(p, len, '{', begins_json) || hides(p, len, 4, begins_socks4) ||
	    hides(p, len, 5, begins_socks5))
		return true;
	if (own) {
		len -= (size_t)(own - p);
		p = own;
	}
	return hides(p, len, 'H', begins_version);
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
