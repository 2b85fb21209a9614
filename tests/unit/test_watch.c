// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/watch, daemon/score, daemon/suspect: what a flow's lengths give away. The miner's sessions have the lengths of
 * PROTOCOLS 1.9 and 5.3; the harmless ones differ from them in one point each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/pipeline.h"
#include "daemon/score.h"
#include "daemon/watch.h"

#define BIT(m) (1u << (m))

/* A client's side of a flow, packet by packet. */
struct talk {
	struct pipeline *p;
	struct policy *policy;
	struct score *score;
	struct packet packet;
	struct outcome o;
	uint64_t now;
	uint8_t bytes[4096];
	unsigned findings, marks, queued;
};

static struct talk *talk_new(const char *text)
{
	struct talk *t = calloc(1, sizeof(*t));
	uint64_t key[2] = { 1, 2 };
	struct pipeline_config config = { .flows = 64, .reassembly = 1 << 20, .key = { 1, 2 } };

	assert_non_null(t);
	if (text) {
		char path[] = "/tmp/test_watch.XXXXXX";
		struct policy_error error;
		int fd = mkstemp(path);

		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
		close(fd);
		t->policy = policy_load(path, &error);
		unlink(path);
		if (!t->policy)
			fail_msg("%s", error.text);
	} else {
		t->policy = policy_builtin();
	}
	config.score = t->score = score_new(key);
	t->p = pipeline_new(&config);
	assert_non_null(t->p);
	pipeline_policy(t->p, t->policy);
	t->packet = (struct packet){ .family = 4, .proto = 6, .sport = 40000, .dport = 20001, .tcp_flags = PACKET_ACK, .seq = 0xfffffff0u,
				     .ack = 0xffffff00u, .payload = t->bytes, .src = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
				     .dst = { [10] = 0xff, 0xff, 198, 51, 100, 7 } };
	t->now = 1000;
	return t;
}

static void talk_free(struct talk *t)
{
	pipeline_free(t->p);
	policy_free(t->policy);
	score_free(t->score);
	free(t);
}

/* The client sends what is in `bytes`, having heard `heard` more bytes of the server. */
static enum verdict say(struct talk *t, size_t len, uint32_t heard)
{
	t->packet.ack += heard;
	t->packet.payload_len = t->packet.payload_wire = len;
	t->o = pipeline_packet(t->p, &t->packet, t->now);
	t->packet.seq += (uint32_t)len;
	t->queued++;
	if (t->o.event) {
		t->findings++;
		t->marks = t->o.marks;
	}
	return t->o.verdict;
}

/* One record of TLS. */
static enum verdict record(struct talk *t, uint8_t type, uint16_t body, uint32_t heard)
{
	t->bytes[0] = type;
	t->bytes[1] = t->bytes[2] = 3;
	t->bytes[3] = (uint8_t)(body >> 8);
	t->bytes[4] = (uint8_t)body;
	memset(t->bytes + 5, 0xa5, body);
	return say(t, body + 5u, heard);
}

/* A ClientHello without SNI; `alpn` adds h2. */
static enum verdict hello(struct talk *t, bool alpn)
{
	static const uint8_t ext[] = { 0, 16, 0, 5, 0, 3, 2, 'h', '2' };
	uint8_t *b = t->bytes;
	size_t n = alpn ? sizeof(ext) : 0, body = 2 + 32 + 1 + 4 + 2 + 2 + n;

	memset(b, 0, 128);
	b[0] = 0x16;
	b[1] = b[2] = 3;
	b[4] = (uint8_t)(body + 4);
	b[5] = 1;
	b[8] = (uint8_t)body;
	b[9] = b[10] = 3;
	b[9 + 34] = 0;
	b[9 + 35 + 1] = 2;
	b[9 + 35 + 3] = 1;
	b[9 + 39] = 1;
	b[9 + 42] = (uint8_t)n;
	memcpy(b + 9 + 43, ext, n);
	return say(t, 9 + body, 0);
}

#define SUBMIT (187 + 17)
#define ACK (65 + 22)
#define JOB (376 + 22)

static void xmrig_start(struct talk *t)
{
	assert_int_equal(hello(t, false), VERDICT_ACCEPT);
	assert_int_equal(record(t, 0x14, 1, 2000), VERDICT_ACCEPT);
	record(t, 0x17, 69, 0);
	record(t, 0x17, 623 + 17, 0);
	t->now += 9000;
	record(t, 0x17, SUBMIT, 510 + 2 * 255);
}

static void xmrig_tls(void **state)
{
	struct talk *t = talk_new(NULL);
	static const uint32_t heard[] = { ACK, ACK + JOB, ACK, ACK + 2 * JOB, ACK, ACK + JOB, ACK };

	(void)state;
	xmrig_start(t);
	for (unsigned i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
		t->now += 17000 + i * 900;
		record(t, 0x17, SUBMIT + (i > 3), heard[i]);
	}
	assert_int_equal(t->findings, 1);
	assert_int_equal(t->o.decision.action | ACTION_MONITOR, ACTION_MONITOR);
	assert_true(t->marks & BIT(MARK_SUBMITS));
	assert_true(t->marks & BIT(MARK_ACKS));
	assert_true(score_points(t->marks) >= 60);
	assert_int_equal(record(t, 0x17, SUBMIT, ACK), VERDICT_CLEAR);	/* reported: let go */
	talk_free(t);
}

static void xmrig_blocked(void **state)
{
	struct talk *t = talk_new("version: 1\nmode: enforce\nscore: {report: 30, block: 80}\n");
	unsigned i;

	(void)state;
	xmrig_start(t);
	for (i = 0; i < 12 && t->o.verdict != VERDICT_BLOCK; i++, t->now += 5000)
		record(t, 0x17, SUBMIT, i % 2 ? ACK : ACK + JOB);
	/* Reported at 30, by its login, and watched on. */
	assert_int_equal(t->findings, 2);
	assert_int_equal(t->o.verdict, VERDICT_BLOCK);
	talk_free(t);
	t = talk_new("version: 1\nmode: monitor\nscore: {report: 30, block: 80}\n");
	xmrig_start(t);
	for (i = 0; i < 12; i++, t->now += 5000)
		record(t, 0x17, SUBMIT, i % 2 ? ACK : ACK + JOB);
	assert_int_equal(t->findings, 1);
	assert_int_equal(t->o.verdict, VERDICT_CLEAR);	/* nothing more would change anything */
	talk_free(t);
	t = talk_new("version: 1\nmode: enforce\nscore: {report: off, block: 80}\n");
	xmrig_start(t);
	for (i = 0; i < 12 && t->o.verdict != VERDICT_BLOCK; i++, t->now += 5000)
		record(t, 0x17, SUBMIT, i % 2 ? ACK : ACK + JOB);
	assert_int_equal(t->o.verdict, VERDICT_BLOCK);
	assert_int_equal(t->o.decision.evidence, EVIDENCE_SCORE);
	assert_int_equal(t->o.decision.scope, SCOPE_PAIR);
	/* The next connection has the score already: it ends at its hello. */
	t->packet.sport++;
	assert_int_equal(hello(t, false), VERDICT_BLOCK);
	talk_free(t);
}

/* Harmless TLS without a name. Nobody of them is a finding, and each leaves the queue soon. */
static void harmless_tls(void **state)
{
	struct talk *t = talk_new(NULL);

	(void)state;
	assert_int_equal(hello(t, true), VERDICT_CLEAR);	/* offers HTTP */
	t->packet.sport++;
	t->queued = 0;
	hello(t, false);		/* an upload */
	record(t, 0x17, 69, 2000);
	while (record(t, 0x17, 4000, 0) == VERDICT_ACCEPT)
		;
	assert_in_range(t->queued, 1, 4);
	t->packet.sport++;
	t->queued = 0;
	hello(t, false);		/* a chat: each line has its own length */
	record(t, 0x17, 69, 2000);
	for (unsigned i = 0; i < 40 && t->o.verdict == VERDICT_ACCEPT; i++)
		record(t, 0x17, (uint16_t)(60 + i * 37 % 211), 30 + i * 53 % 300);
	assert_in_range(t->queued, 1, 10);
	t->packet.sport++;
	t->queued = 0;
	hello(t, false);		/* telemetry: constant, but its answers are too short for a pool's */
	record(t, 0x17, 69, 2000);
	for (unsigned i = 0; i < 30; i++) {
		t->now += 30000;
		record(t, 0x17, 150, 26);
	}
	assert_int_equal(t->findings, 0);
	talk_free(t);
}

/* Records cut over segments, retransmissions and a lost packet in between. */
static void records_in_pieces(void **state)
{
	struct packet k = { .payload_len = 100, .payload_wire = 100, .seq = 1000, .ack = 1 };
	uint8_t bytes[4096] = { 0 };
	unsigned marks = 0;
	struct watch w;
	bool over = false;
	size_t n = 0;

	(void)state;
	k.payload = bytes;
	watch_tls(&w, &k, 1000, 0);
	for (unsigned i = 0; i < 6; i++) {
		uint16_t body = i ? SUBMIT : 640;

		memcpy(bytes + n, (uint8_t[]){ 0x17, 3, 3, (uint8_t)(body >> 8), (uint8_t)body }, 5);
		n += 5u + body;
	}
	for (size_t at = 0; at < n; at += 3) {
		k.payload = bytes + at;
		k.payload_len = k.payload_wire = n - at < 3 ? n - at : 3;
		k.seq = 1000 + (uint32_t)at;
		k.ack = 1 + (uint32_t)at;
		marks = watch_packet(&w, &k, 20000, &over);
		assert_false(over);
		watch_packet(&w, &k, 1000, &over);	/* once more */
	}
	assert_int_equal(w.n, 6);
	assert_true(marks & BIT(MARK_SUBMITS));
	bytes[0] = 0x17;
	k.payload = bytes;
	k.payload_len = k.payload_wire = 700;
	k.seq += 1000;
	memcpy(bytes, (uint8_t[]){ 0x17, 3, 3, 0, SUBMIT }, 5);
	watch_packet(&w, &k, 1000, &over);
	assert_true(over || w.n == 7);
}

static void random_bytes(struct talk *t, size_t len)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		t->bytes[i] = (uint8_t)(x >> 24) | (i % 3 ? 0 : 0x80);
	}
	t->bytes[0] = 0xc3;
}

static void stratum_v2(void **state)
{
	struct talk *t = talk_new(NULL);

	(void)state;
	random_bytes(t, 64);
	assert_int_equal(say(t, 64, 0), VERDICT_ACCEPT);
	random_bytes(t, 120);
	assert_int_equal(say(t, 120, 234), VERDICT_ACCEPT);
	random_bytes(t, 90);
	say(t, 90, 44);
	assert_int_equal(t->findings, 1);
	assert_int_equal(score_points(t->marks), 100);
	talk_free(t);
}

/* One number beside the handshake's. */
static void not_stratum_v2(void **state)
{
	static const struct { uint32_t act1, act2, setup, success; } talks[] = {
		{ 63, 234, 120, 44 }, { 64, 235, 120, 44 }, { 64, 234, 40, 44 }, { 64, 234, 120, 45 }, { 64, 234, 1400, 44 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		struct talk *t = talk_new(NULL);

		random_bytes(t, 1500);
		say(t, talks[i].act1, 0);
		say(t, talks[i].setup, talks[i].act2);
		say(t, 90, talks[i].success);
		say(t, 90, 10);
		assert_int_equal(t->findings, 0);
		assert_int_equal(t->o.verdict, VERDICT_CLEAR);
		talk_free(t);
	}
}

static void rhythm(void **state)
{
	uint64_t key[2] = { 3, 4 }, now = 5000;
	struct score *s = score_new(key);
	struct subject who = { .dport = 443, .proto = 6 };

	(void)state;
	for (unsigned i = 0; i < 4; i++, now += 5000 + i * 20)
		assert_int_equal(score_attempt(s, &who, now), 0);
	assert_int_equal(score_attempt(s, &who, now), BIT(MARK_RHYTHM));
	assert_int_equal(score_attempt(s, &who, now + 100), 0);		/* a burst, as browsers make it */
	who.dport = 444;
	for (unsigned i = 0; i < 12; i++, now += 4000 + i * 1500)	/* backing off */
		assert_int_equal(score_attempt(s, &who, now), 0);
	score_free(s);
}

static void sums(void **state)
{
	uint64_t key[2] = { 3, 4 };
	struct score *s = score_new(key);
	struct subject who = { .dport = 443, .proto = 6, .src = { 1 }, .dst = { 2 } };

	(void)state;
	assert_int_equal(score_add(s, &who, BIT(MARK_NO_SNI), 1000), BIT(MARK_NO_SNI));
	assert_int_equal(score_add(s, &who, BIT(MARK_PORT), 2000), BIT(MARK_NO_SNI) | BIT(MARK_PORT));
	score_host(s, who.src, BIT(MARK_TELLTALE), 3000);
	assert_int_equal(score_add(s, &who, 0, 3000), BIT(MARK_NO_SNI) | BIT(MARK_PORT) | BIT(MARK_TELLTALE));
	assert_int_equal(score_add(s, &who, 0, 3000 + 25ull * 3600 * 1000), 0);
	for (uint16_t i = 0; i < 20000; i++) {
		who.dport = i;
		score_add(s, &who, BIT(MARK_NO_SNI), 4000 + i);
	}
	who.dport = 19999;
	assert_true(score_add(s, &who, 0, 24000) & BIT(MARK_NO_SNI));
	assert_true(score_add(s, &who, BIT(MARK_PORT), 23999) & BIT(MARK_NO_SNI));	/* a worker whose batch is older */
	score_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xmrig_tls), cmocka_unit_test(xmrig_blocked), cmocka_unit_test(harmless_tls),
		cmocka_unit_test(records_in_pieces), cmocka_unit_test(stratum_v2), cmocka_unit_test(not_stratum_v2),
		cmocka_unit_test(rhythm), cmocka_unit_test(sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
