/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing hash table of flows with the state machine of the connmark. It must stay as small as the
 * rules that it models (nft/): what passes here must pass there. */
#include "cli/replay_flow.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS_FIRST 1024
#define DNS_PORT 53

struct replay_table {
	struct replay_flow **buckets;
	size_t n_buckets;	/* a power of two */
	size_t n_keys;
	size_t n_lines;
	struct replay_flow *first, **last;
	uint64_t secret;	/* so that no capture can choose its collisions */
};

struct replay_table *replay_table_new(void)
{
	struct replay_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->buckets = calloc(BUCKETS_FIRST, sizeof(*t->buckets));
	if (!t->buckets) {
		free(t);
		return NULL;
	}
	t->n_buckets = BUCKETS_FIRST;
	t->last = &t->first;
	if (getrandom(&t->secret, sizeof(t->secret), GRND_NONBLOCK) != sizeof(t->secret))
		t->secret = 0;	/* order and output do not depend on it */
	return t;
}

void replay_table_free(struct replay_table *t)
{
	struct replay_flow *f, *next;

	if (!t)
		return;
	for (f = t->first; f; f = next) {
		next = f->line_next;
		free(f);
	}
	free(t->buckets);
	free(t);
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static uint64_t hash_end(uint64_t secret, const uint8_t addr[16], uint16_t port)
{
	uint64_t word[2];

	memcpy(word, addr, 16);
	return mix(mix(mix(secret, word[0]), word[1]), port);
}

/* The same for both directions. */
static size_t hash_flow(const struct replay_table *t, const struct packet *k)
{
	uint64_t sum = hash_end(t->secret, k->src, k->sport) + hash_end(t->secret, k->dst, k->dport);

	return mix(sum, (uint64_t)k->family << 8 | k->proto) & (t->n_buckets - 1);
}

static bool is_from(const uint8_t addr[16], uint16_t port, const uint8_t other[16], uint16_t other_port)
{
	return port == other_port && !memcmp(addr, other, 16);
}

static bool is_original(const struct replay_flow *f, const struct packet *k)
{
	return is_from(f->src, f->sport, k->src, k->sport) && is_from(f->dst, f->dport, k->dst, k->dport);
}

static bool is_same(const struct replay_flow *f, const struct packet *k)
{
	if (f->family != k->family || f->proto != k->proto)
		return false;
	return is_original(f, k) ||
	       (is_from(f->src, f->sport, k->dst, k->dport) && is_from(f->dst, f->dport, k->src, k->sport));
}

static struct packet as_packet(const struct replay_flow *f)
{
	struct packet k = { .family = f->family, .proto = f->proto, .sport = f->sport, .dport = f->dport };

	memcpy(k.src, f->src, 16);
	memcpy(k.dst, f->dst, 16);
	return k;
}

/* Twice the buckets; without memory the chains just grow longer. */
static void grow(struct replay_table *t)
{
	struct replay_flow **old = t->buckets, *f, *next;
	size_t n = t->n_buckets;

	t->buckets = calloc(n * 2, sizeof(*t->buckets));
	if (!t->buckets) {
		t->buckets = old;
		return;
	}
	t->n_buckets = n * 2;
	for (size_t i = 0; i < n; i++) {
		for (f = old[i]; f; f = next) {
			struct packet k = as_packet(f);
			size_t at = hash_flow(t, &k);

			next = f->chain;
			f->chain = t->buckets[at];
			t->buckets[at] = f;
		}
	}
	free(old);
}

static void swap_ends(struct replay_flow *f)
{
	struct replay_flow was = *f;

	memcpy(f->src, was.dst, 16);
	memcpy(f->dst, was.src, 16);
	f->sport = was.dport;
	f->dport = was.sport;
}

static bool has(const struct packet *k, unsigned flags)
{
	return k->proto == IPPROTO_TCP && (k->tcp_flags & flags) == flags;
}

/* The packet that opens a connection. */
static bool is_syn(const struct packet *k)
{
	return has(k, PACKET_SYN) && !(k->tcp_flags & (PACKET_ACK | PACKET_RST | PACKET_FIN));
}

static struct replay_flow *new_line(struct replay_table *t, const struct packet *k, struct timeval when)
{
	struct replay_flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->when = when;
	f->family = k->family;
	f->proto = k->proto;
	memcpy(f->src, k->src, 16);
	memcpy(f->dst, k->dst, 16);
	f->sport = k->sport;
	f->dport = k->dport;
	if (has(k, PACKET_SYN | PACKET_ACK))
		swap_ends(f);
	*t->last = f;
	t->last = &f->line_next;
	t->n_lines++;
	return f;
}

/* The current line of the packet's 5-tuple, a new one if need be. */
static struct replay_step find_line(struct replay_table *t, const struct packet *k, struct timeval when)
{
	struct replay_flow **at = &t->buckets[hash_flow(t, k)];
	struct replay_step step = { 0 };
	struct replay_flow *f;

	while (*at && !is_same(*at, k))
		at = &(*at)->chain;
	if (*at && !((*at)->closed && is_syn(k))) {
		step.flow = *at;
		return step;
	}
	f = new_line(t, k, when);
	if (!f)
		return step;
	if (*at) {		/* the old line stays in the list, the new one takes its place in the table */
		step.forget = (*at)->handed;
		step.gone = as_packet(*at);
		f->chain = (*at)->chain;
	} else {
		t->n_keys++;
	}
	*at = f;
	step.flow = f;
	return step;
}

/* A SYN says who opened the flow, even if it comes late. */
static void take_syn(struct replay_step *step, const struct packet *k)
{
	struct replay_flow *f = step->flow;

	f->syn = true;
	f->opened = k->seq;
	if (is_original(f, k))
		return;
	step->forget |= f->handed;
	step->gone = as_packet(f);
	f->handed = false;
	swap_ends(f);
}

/* As Linux' connection tracking (tcp_new): a SYN begins a flow, an ACK is picked up in the middle; a SYN-ACK
 * or RST alone makes no entry. A FIN makes none either, but one with payload is worth a look. */
static void begin_tracking(struct replay_flow *f, const struct packet *k)
{
	if (k->proto == IPPROTO_UDP || is_syn(k)) {
		f->state = REPLAY_INSPECTING;
		return;
	}
	if (has(k, PACKET_SYN) || has(k, PACKET_RST) || (has(k, PACKET_FIN) && !k->payload_wire))
		return;
	f->state = REPLAY_OLDER;
	f->older = true;
}

/* A simultaneous open: Linux takes payload for invalid until one side has answered with a SYN-ACK (state SYN_SENT2),
 * and invalid packets are not queued. */
static void follow_handshake(struct replay_flow *f, const struct packet *k)
{
	if (has(k, PACKET_SYN | PACKET_ACK)) {
		f->answered = true;
		/* One that acknowledges something else than the SYN is invalid to connection tracking. */
		if (!is_original(f, k) && f->state == REPLAY_INSPECTING && (!f->syn || k->ack == f->opened)) {
			f->started = true;
			f->start = k->ack;
		}
	}
	if (is_syn(k) && !is_original(f, k) && f->state == REPLAY_INSPECTING)
		f->crossed = true;
	if (f->answered)
		f->crossed = false;
}

/* A datagram that may be a DNS message is queued in every state but BLOCKED: from one port come queries for many names. The
 * third byte is the answer's bit and the kind of query. */
static bool is_lookup(const struct packet *k)
{
	uint8_t bits;

	if (k->proto != IPPROTO_UDP || (k->sport != DNS_PORT && k->dport != DNS_PORT) || k->payload_len < 3)
		return false;
	bits = k->payload[2] & 0xf8;
	return (k->dport == DNS_PORT && bits == 0) || (k->sport == DNS_PORT && bits == 0x80);
}

/* A first packet of QUIC, version 1 or 2: it may begin another connection. */
static bool is_quic_initial(const struct packet *k)
{
	static const uint8_t one[] = { 0x80, 0, 0, 0, 1 }, two[] = { 0x90, 0x6b, 0x33, 0x43, 0xcf };
	uint8_t head[sizeof(one)];

	if (k->proto != IPPROTO_UDP || k->payload_len < sizeof(head))
		return false;
	memcpy(head, k->payload, sizeof(head));
	head[0] &= 0xb0;
	return !memcmp(head, one, sizeof(one)) || !memcmp(head, two, sizeof(two));
}

/* Would the rules queue this packet? Turns PENDING into PASS as the kernel does. */
static bool is_queued(struct replay_flow *f, const struct packet *k)
{
	bool original = is_original(f, k);

	if (!k->payload_wire || (f->crossed && !is_syn(k)))
		return false;
	if (f->state != REPLAY_BLOCKED && f->state != REPLAY_UNTRACKED && is_lookup(k))
		return true;
	switch (f->state) {
	case REPLAY_OLDER:
		return true;
	case REPLAY_INSPECTING:
		return original || (k->proto == IPPROTO_TCP && k->sport == DNS_PORT);
	case REPLAY_PENDING:
		if (!original)
			f->state = REPLAY_PASS;
		return original;
	case REPLAY_PASS:
		return original && is_quic_initial(k);
	case REPLAY_UNTRACKED:
	case REPLAY_BLOCKED:
		break;
	}
	return false;
}

struct replay_step replay_table_glimpse(struct replay_table *t, const struct packet *packet, struct timeval when)
{
	struct replay_step step = find_line(t, packet, when);

	if (t->n_keys > t->n_buckets)
		grow(t);
	if (step.flow)
		step.flow->seen_s = when.tv_sec;
	return step;
}

struct replay_step replay_table_see(struct replay_table *t, struct packet *packet, struct timeval when)
{
	struct replay_step step = replay_table_glimpse(t, packet, when);
	struct replay_flow *f = step.flow;

	if (!f)
		return step;
	if (is_syn(packet) && !f->syn)
		take_syn(&step, packet);
	if (f->state == REPLAY_UNTRACKED)
		begin_tracking(f, packet);
	follow_handshake(f, packet);
	if (has(packet, PACKET_FIN) || has(packet, PACKET_RST))
		f->closed = true;
	/* a payload that the capture left out altogether cannot be shown to the core */
	step.hand = is_queued(f, packet) && packet->payload_len;
	if (step.hand) {
		f->handed = true;
		packet->origin = !f->older ? (is_original(f, packet) ? ORIGIN_ORIGINAL : ORIGIN_REPLY) :
				 is_original(f, packet) ? ORIGIN_OLDER_ORIGINAL : ORIGIN_OLDER_REPLY;
		packet->pending = f->state == REPLAY_PENDING;
	}
	return step;
}

size_t replay_table_expire(struct replay_table *t, int64_t before_s, int64_t closed_s, void (*gone)(void *arg, struct replay_flow *f),
			   void *arg)
{
	struct replay_flow **at, *f;

	/* out of the buckets, which hold one line of each 5-tuple, */
	for (size_t i = 0; i < t->n_buckets; i++) {
		for (at = &t->buckets[i]; (f = *at) != NULL;) {
			if (f->seen_s < before_s + (f->closed ? closed_s : 0)) {
				*at = f->chain;
				t->n_keys--;
			} else {
				at = &f->chain;
			}
		}
	}
	/* then out of the row, which holds all: a line whose 5-tuple has another by now is older than that */
	t->last = &t->first;
	for (at = &t->first; (f = *at) != NULL;) {
		if (f->seen_s < before_s + (f->closed ? closed_s : 0)) {
			*at = f->line_next;
			t->n_lines--;
			gone(arg, f);
			free(f);
		} else {
			at = &f->line_next;
			t->last = at;
		}
	}
	return t->n_lines;
}

void replay_flow_judged(struct replay_flow *f, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_ACCEPT:
	case VERDICT_DROP:
		break;
	case VERDICT_RESUME:
		if (f->state == REPLAY_PENDING)
			f->state = REPLAY_INSPECTING;
		break;
	case VERDICT_PASS:
		f->state = REPLAY_PASS;
		break;
	case VERDICT_CLEAR:
		if (f->state != REPLAY_PASS)
			f->state = REPLAY_PENDING;
		break;
	case VERDICT_BLOCK:
		f->state = REPLAY_BLOCKED;
		break;
	}
}

struct replay_flow *replay_table_first(const struct replay_table *t)
{
	return t->first;
}

size_t replay_table_count(const struct replay_table *t)
{
	return t->n_lines;
}
