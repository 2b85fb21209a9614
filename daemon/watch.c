// SPDX-License-Identifier: GPL-2.0-or-later
/* Two length machines: TLS records of a miner (constant submits, constant answers, constant pushes) and the handshake
 * of Stratum V2. Lengths in PROTOCOLS 5.3 are of plain text; a record adds 17 to 29 bytes to it. */
#include "daemon/watch.h"

#include <string.h>

#define RECORD_HEADER 5
#define RECORD_ALERT 0x15
#define RECORD_DATA 0x17
#define RECORD_BODY_MAX 18432
/* What TLS adds to a text: 17 in version 1.3, 24 in 1.2 with AES-GCM, a header of 5 besides. */
#define BODY_EXTRA_MAX 24
#define WIRE_EXTRA_MIN 21
#define WIRE_EXTRA_MAX 29

/* Bodies of TLS 1.3's Finished: SHA-256 and SHA-384. */
#define FINISHED_SHORT 53
#define FINISHED_LONG 69

#define SUBMIT_MIN 100
#define SUBMIT_MAX 330
#define SUBMIT_SPREAD 4		/* the id grows by a digit now and then */
#define ANSWER_MIN 34
#define ANSWER_MAX 120
#define ANSWER_SPREAD 12
#define PUSH_MIN 240
#define PUSH_MAX 560
#define LOGIN_MIN 150
#define LOGIN_MAX 1400
/* The answer to the login comes with up to two session tickets of some 260 bytes. */
#define FIRST_ANSWER_MAX 1300

/* Signs that a flow is no miner's: a longer message, or more than 10 KB a minute. A bulk flow is let go at once. */
#define MESSAGE_MAX (LOGIN_MAX + BODY_EXTRA_MAX)
#define BYTES_FREE 4096u
#define BYTES_MINUTE 10240u
#define WATCH_MS (30u * 60 * 1000)
/* Requests in quick succession are a program's, not a miner's, which computes for seconds between two submits. */
#define PATTERN_MS (10u * 1000)

#define NOISE_ACT1 64
#define NOISE_ACT2 234
#define SETUP_MIN 54
#define SETUP_MAX (54 + 5 * 255)
#define SETUP_SUCCESS 44

static unsigned bit(enum mark m)
{
	return 1u << m;
}

void watch_tls(struct watch *w, const struct packet *first, uint32_t seq, uint64_t now_ms)
{
	memset(w, 0, sizeof(*w));
	w->kind = WATCH_TLS;
	w->seq = seq;
	w->ack = first->ack;
	w->began_ms = now_ms;
}

/* Text hardly ever sets the highest bit; of uniform bytes half do, and a quarter is missed once in many thousands. */
static bool looks_random(const uint8_t *p, size_t len)
{
	size_t high = 0;

	for (size_t i = 0; i < len; i++)
		high += p[i] >> 7;
	return high * 4 >= len;
}

bool watch_noise(struct watch *w, const struct packet *first, uint64_t now_ms)
{
	size_t len = first->payload_len;

	if (len != first->payload_wire || len < 16 || len > NOISE_ACT1 || !looks_random(first->payload, len))
		return false;
	memset(w, 0, sizeof(*w));
	w->kind = WATCH_NOISE;
	w->seq = first->seq + (uint32_t)len;
	w->ack = first->ack;
	w->began_ms = now_ms;
	w->said = (uint32_t)len;
	return true;
}

/* A message of the client begins: what the server said since the one before is known now. */
static void begin_message(struct watch *w, uint16_t len, uint32_t ack)
{
	if (w->n)
		w->answer[w->n - 1] = ack - w->ack;
	w->ack = ack;
	if (w->n == WATCH_MESSAGES) {	/* the login stays */
		memmove(&w->len[1], &w->len[2], (WATCH_MESSAGES - 2) * sizeof(w->len[0]));
		memmove(&w->answer[1], &w->answer[2], (WATCH_MESSAGES - 2) * sizeof(w->answer[0]));
		w->n--;
	}
	w->len[w->n++] = len;
}

/* The record whose header is whole. False: no record of TLS. */
static bool take_header(struct watch *w, uint32_t ack)
{
	const uint8_t *h = w->header;

	w->left = (uint16_t)(h[3] << 8 | h[4]);
	w->header_len = 0;
	if (h[0] < 0x14 || h[0] > RECORD_DATA || h[1] != 3 || w->left > RECORD_BODY_MAX)
		return false;
	if (h[0] != RECORD_DATA)
		return h[0] != RECORD_ALERT;
	if (!w->finished && !w->n && (w->left == FINISHED_SHORT || w->left == FINISHED_LONG))
		w->finished = true;
	else
		begin_message(w, w->left, ack);
	return w->left <= MESSAGE_MAX;
}

static bool take_bytes(struct watch *w, const uint8_t *p, size_t len, uint32_t ack)
{
	while (len) {
		size_t n = w->left < len ? w->left : len;

		w->left -= (uint16_t)n;
		p += n;
		len -= n;
		while (!w->left && len && w->header_len < RECORD_HEADER) {
			w->header[w->header_len++] = *p++;
			len--;
		}
		if (w->header_len == RECORD_HEADER && !take_header(w, ack))
			return false;
	}
	return true;
}

/* How many messages behind the login have a length like the i-th. */
static unsigned alike(const struct watch *w, unsigned i)
{
	unsigned n = 0;

	for (unsigned k = 1; k < w->n; k++)
		n += w->len[k] <= w->len[i] + SUBMIT_SPREAD && w->len[i] <= w->len[k] + SUBMIT_SPREAD;
	return n;
}

/* Submits: all of one length, but for some of a second one (keepalives). The length's count, or 0. */
static unsigned submits(const struct watch *w)
{
	unsigned best = 0, most = 0, other = 0;

	for (unsigned i = 1; i < w->n; i++) {
		unsigned n = alike(w, i);

		if (n > most) {
			most = n;
			best = i;
		}
	}
	if (!most || w->len[best] < SUBMIT_MIN || w->len[best] > SUBMIT_MAX + BODY_EXTRA_MAX)
		return 0;
	for (unsigned i = 1; i < w->n; i++)
		if (w->len[i] > w->len[best] + SUBMIT_SPREAD || w->len[best] > w->len[i] + SUBMIT_SPREAD) {
			if (other && alike(w, other) != alike(w, i))
				return 0;
			other = i;
		}
	return most + (other ? alike(w, other) : 0) + 1u >= w->n ? most : 0;
}

/* The answers between messages: a constant one, and whole pushes of one length besides. */
static unsigned answers(const struct watch *w)
{
	uint32_t base = UINT32_MAX, push = 0;
	unsigned plain = 0, pushed = 0;

	for (unsigned i = 1; i + 1 < w->n; i++)
		base = w->answer[i] < base ? w->answer[i] : base;
	if (base < ANSWER_MIN + WIRE_EXTRA_MIN || base > ANSWER_MAX + WIRE_EXTRA_MAX)
		return 0;
	for (unsigned i = 1; i + 1 < w->n; i++) {
		uint32_t more = w->answer[i] - base, times;

		if (more <= ANSWER_SPREAD) {
			plain++;
			continue;
		}
		if (!push)	/* the first one may hold several */
			for (times = 1; times < 8 && more / times > PUSH_MAX + WIRE_EXTRA_MAX; times++)
				push = more / (times + 1);
		push = push ? push : more;
		times = (more + push / 2) / push;
		if (push < PUSH_MIN || push > PUSH_MAX + WIRE_EXTRA_MAX || more + ANSWER_SPREAD * (times + 1) < times * push ||
		    more > times * push + ANSWER_SPREAD * (times + 1))
			return 0;
		pushed += times;
	}
	return (plain + pushed >= 3 ? bit(MARK_ACKS) : 0) | (pushed >= 2 ? bit(MARK_PUSHES) : 0);
}

static unsigned tls_marks(const struct watch *w, uint64_t now_ms)
{
	unsigned marks = 0, n = submits(w);

	if (w->n >= 2 && w->len[0] >= LOGIN_MIN && w->len[0] <= MESSAGE_MAX && w->answer[0] >= PUSH_MIN &&
	    w->answer[0] <= FIRST_ANSWER_MAX)
		marks |= bit(MARK_LOGIN);
	if (n < 4 || now_ms - w->began_ms < PATTERN_MS)
		return marks;
	return marks | bit(MARK_SUBMITS) | answers(w);
}

/* Behind five messages that follow no pattern, or more bytes than a miner sends, there is none to wait for. */
static bool tls_over(const struct watch *w, uint64_t now_ms)
{
	uint64_t minutes = (now_ms - w->began_ms) / 60000;

	return now_ms - w->began_ms > WATCH_MS || w->bytes > BYTES_FREE + BYTES_MINUTE * minutes || (w->n >= 6 && !submits(w));
}

static unsigned take_tls(struct watch *w, const struct packet *packet, uint64_t now_ms, bool *over)
{
	uint32_t skip = w->seq - packet->seq;
	unsigned marks;

	if ((int32_t)skip < 0) {	/* a gap: the record's rest is not known, so this must begin one */
		w->left = w->header_len = 0;
		skip = 0;
	}
	if (skip >= packet->payload_len)
		return 0;
	w->seq = packet->seq + (uint32_t)packet->payload_len;
	w->bytes += (uint32_t)packet->payload_len - skip;
	*over = !take_bytes(w, packet->payload + skip, packet->payload_len - skip, packet->ack);
	marks = tls_marks(w, now_ms);
	*over |= tls_over(w, now_ms) || (marks & bit(MARK_PUSHES) && marks & bit(MARK_LOGIN));
	return marks;
}

/* What the server has said since the client spoke last is whole when the client speaks again. */
static unsigned take_noise(struct watch *w, const struct packet *packet, bool *over)
{
	uint32_t said = w->said, heard = packet->ack - w->ack;

	if (packet->seq != w->seq) {
		*over = (int32_t)(packet->seq - w->seq) > 0;
		return 0;
	}
	w->seq += (uint32_t)packet->payload_len;
	w->said += (uint32_t)packet->payload_len;
	if (!heard) {
		*over = w->said > (w->acts ? SETUP_MAX : NOISE_ACT1);
		return 0;
	}
	w->ack = packet->ack;
	w->said = (uint32_t)packet->payload_len;
	if (w->acts++) {
		*over = true;
		return said >= SETUP_MIN && said <= SETUP_MAX && heard == SETUP_SUCCESS ? bit(MARK_NOISE) | bit(MARK_SETUP) : 0;
	}
	*over = said != NOISE_ACT1 || heard != NOISE_ACT2;
	return *over ? 0 : bit(MARK_NOISE);
}

unsigned watch_packet(struct watch *w, const struct packet *packet, uint64_t now_ms, bool *over)
{
	*over = false;
	if (packet->payload_len != packet->payload_wire || packet->checksum == CHECKSUM_BAD)
		return 0;
	switch (w->kind) {
	case WATCH_TLS:
		return take_tls(w, packet, now_ms, over);
	case WATCH_NOISE:
		return take_noise(w, packet, over);
	}
	return 0;
}
