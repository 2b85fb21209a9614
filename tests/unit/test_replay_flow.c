/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/replay_flow: who opened a flow, what is a new line, and which packets the rules would have queued. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/replay_flow.h"

enum who { CLIENT, SERVER };

static const struct timeval noon = { 43200, 0 };

static struct packet from(enum who who, uint8_t flags, size_t payload)
{
	struct packet k = { .family = 4, .proto = 6, .tcp_flags = flags, .payload_len = payload, .payload_wire = payload };

	k.src[15] = who == CLIENT ? 1 : 2;
	k.dst[15] = who == CLIENT ? 2 : 1;
	k.sport = who == CLIENT ? 50000 : 443;
	k.dport = who == CLIENT ? 443 : 50000;
	return k;
}

static struct replay_step see(struct replay_table *t, enum who who, uint8_t flags, size_t payload)
{
	struct packet k = from(who, flags, payload);
	struct replay_step step = replay_table_see(t, &k, noon);

	assert_non_null(step.flow);
	step.gone.origin = k.origin;	/* shown to the test; the caller has it in the packet */
	return step;
}

static void handshake(struct replay_table *t)
{
	assert_false(see(t, CLIENT, PACKET_SYN, 0).hand);
	assert_false(see(t, SERVER, PACKET_SYN | PACKET_ACK, 0).hand);
	assert_false(see(t, CLIENT, PACKET_ACK, 0).hand);
}

static void test_ordinary(void **state)
{
	struct replay_table *t = replay_table_new();
	struct replay_step step;

	(void)state;
	handshake(t);
	step = see(t, CLIENT, PACKET_ACK, 10);
	assert_true(step.hand);
	assert_int_equal(step.gone.origin, ORIGIN_ORIGINAL);
	assert_false(see(t, SERVER, PACKET_ACK, 10).hand);	/* undecided: still INSPECTING */
	assert_true(see(t, CLIENT, PACKET_ACK, 10).hand);
	replay_flow_judged(step.flow, VERDICT_CLEAR);
	assert_true(see(t, CLIENT, PACKET_ACK, 10).hand);	/* PENDING: the server may not have seen it */
	assert_false(see(t, SERVER, PACKET_ACK, 0).hand);
	assert_true(see(t, CLIENT, PACKET_ACK, 10).hand);
	assert_false(see(t, SERVER, PACKET_ACK, 10).hand);
	assert_false(see(t, CLIENT, PACKET_ACK, 10).hand);	/* PASS */
	assert_int_equal(replay_table_count(t), 1);
	replay_table_free(t);
}

/* A flow that is undecided again, and QUIC's first packets on one that was let go. */
static void test_quic(void **state)
{
	static const uint8_t initials[][6] = {
		{ 0xc3, 0, 0, 0, 1, 8 }, { 0x81, 0, 0, 0, 1, 8 }, { 0xd0, 0x6b, 0x33, 0x43, 0xcf, 8 },
	};
	static const uint8_t others[][6] = {
		{ 0xd3, 0, 0, 0, 1, 8 }, { 0x43, 0, 0, 0, 1, 8 }, { 0xc3, 0xff, 0, 0, 0x1d, 8 }, { 0xe0, 0, 0, 0, 1, 8 },
	};
	struct replay_table *t = replay_table_new();
	struct packet out = { .family = 4, .proto = 17, .sport = 50000, .dport = 443, .src = { 1 }, .dst = { 2 } }, back = out, k;
	struct replay_flow *flow;

	(void)state;
	out.payload = initials[0];
	out.payload_len = out.payload_wire = back.payload_len = back.payload_wire = 6;
	back.payload = others[0];
	memcpy(back.src, out.dst, sizeof(back.src));
	memcpy(back.dst, out.src, sizeof(back.dst));
	back.sport = 443;
	back.dport = 50000;
	flow = replay_table_see(t, &out, (struct timeval){ 0 }).flow;
	replay_flow_judged(flow, VERDICT_CLEAR);
	replay_flow_judged(flow, VERDICT_RESUME);
	assert_int_equal(flow->state, REPLAY_INSPECTING);
	assert_false(replay_table_see(t, &back, (struct timeval){ 0 }).hand);
	assert_int_equal(flow->state, REPLAY_INSPECTING);
	replay_flow_judged(flow, VERDICT_CLEAR);
	assert_false(replay_table_see(t, &back, (struct timeval){ 0 }).hand);
	for (size_t i = 0; i < 3; i++) {
		k = out;
		k.payload = initials[i];
		assert_true(replay_table_see(t, &k, (struct timeval){ 0 }).hand);
		replay_flow_judged(flow, VERDICT_CLEAR);
		replay_flow_judged(flow, VERDICT_RESUME);
		assert_int_equal(flow->state, REPLAY_PASS);
	}
	for (size_t i = 0; i < 4; i++) {
		k = out;
		k.payload = others[i];
		assert_false(replay_table_see(t, &k, (struct timeval){ 0 }).hand);
	}
	k = back;
	k.payload = initials[0];
	assert_false(replay_table_see(t, &k, (struct timeval){ 0 }).hand);
	replay_table_free(t);
}

static void test_blocked(void **state)
{
	struct replay_table *t = replay_table_new();
	struct replay_step step;

	(void)state;
	handshake(t);
	step = see(t, CLIENT, PACKET_ACK, 10);
	replay_flow_judged(step.flow, VERDICT_BLOCK);
	assert_false(see(t, CLIENT, PACKET_ACK, 10).hand);
	assert_false(see(t, SERVER, PACKET_ACK, 10).hand);
	assert_false(see(t, CLIENT, PACKET_ACK, 10).hand);
	replay_table_free(t);
}

static void test_older(void **state)
{
	struct replay_table *t = replay_table_new();
	struct replay_step step;

	(void)state;
	step = see(t, SERVER, PACKET_ACK, 10);
	assert_true(step.hand);
	assert_int_equal(step.gone.origin, ORIGIN_OLDER_ORIGINAL);
	assert_int_equal(step.flow->sport, 443);
	step = see(t, CLIENT, PACKET_ACK, 10);
	assert_true(step.hand);
	assert_int_equal(step.gone.origin, ORIGIN_OLDER_REPLY);
	replay_flow_judged(step.flow, VERDICT_CLEAR);
	assert_true(see(t, SERVER, PACKET_ACK, 10).hand);
	assert_false(see(t, CLIENT, PACKET_ACK, 10).hand);
	assert_false(see(t, SERVER, PACKET_ACK, 10).hand);
	replay_table_free(t);
}

static void test_synack_first(void **state)
{
	struct replay_table *t = replay_table_new();
	struct replay_step step = see(t, SERVER, PACKET_SYN | PACKET_ACK, 0);

	(void)state;
	assert_int_equal(step.flow->sport, 50000);
	step = see(t, CLIENT, PACKET_ACK, 10);
	assert_true(step.hand);
	assert_int_equal(step.gone.origin, ORIGIN_OLDER_ORIGINAL);
	assert_true(see(t, SERVER, PACKET_ACK, 10).hand);
	replay_table_free(t);
}

/* A leftover of an earlier connection without FIN, then the SYN from the other side. */
static void test_late_syn_turns(void **state)
{
	struct replay_table *t = replay_table_new();
	struct replay_step step = see(t, SERVER, PACKET_ACK, 10);

	(void)state;
	assert_int_equal(step.flow->sport, 443);
	step = see(t, CLIENT, PACKET_SYN, 0);
	assert_true(step.forget);
	assert_int_equal(step.gone.sport, 443);
	assert_int_equal(step.flow->sport, 50000);
	assert_int_equal(replay_table_count(t), 1);
	replay_table_free(t);
}

static void test_new_line_after_fin(void **state)
{
	static const uint8_t ends[] = { PACKET_FIN | PACKET_ACK, PACKET_RST };

	(void)state;
	for (size_t i = 0; i < sizeof(ends); i++) {
		struct replay_table *t = replay_table_new();
		struct replay_step step;

		handshake(t);
		step = see(t, CLIENT, PACKET_ACK, 10);
		replay_flow_judged(step.flow, VERDICT_BLOCK);
		assert_false(see(t, CLIENT, PACKET_SYN, 0).forget);	/* no end yet: the same line */
		assert_int_equal(replay_table_count(t), 1);
		see(t, SERVER, ends[i], 0);
		step = see(t, CLIENT, PACKET_SYN, 0);
		assert_true(step.forget);
		assert_int_equal(step.gone.sport, 50000);
		assert_int_equal(replay_table_count(t), 2);
		assert_ptr_equal(replay_table_first(t)->line_next, step.flow);
		assert_true(see(t, CLIENT, PACKET_ACK, 10).hand);
		replay_table_free(t);
	}
}

static void test_data_in_syn(void **state)
{
	struct replay_table *t = replay_table_new();

	(void)state;
	assert_true(see(t, CLIENT, PACKET_SYN, 10).hand);
	assert_false(see(t, SERVER, PACKET_SYN | PACKET_ACK, 10).hand);
	assert_true(see(t, CLIENT, PACKET_ACK, 10).hand);
	replay_table_free(t);
}

static void test_simultaneous_open(void **state)
{
	struct replay_table *t = replay_table_new();

	(void)state;
	assert_true(see(t, CLIENT, PACKET_SYN, 10).hand);
	assert_false(see(t, SERVER, PACKET_SYN, 10).hand);
	assert_false(see(t, CLIENT, PACKET_ACK, 10).hand);
	see(t, CLIENT, PACKET_SYN | PACKET_ACK, 0);
	assert_true(see(t, CLIENT, PACKET_ACK, 10).hand);
	see(t, SERVER, PACKET_SYN, 0);		/* ignored in an established connection */
	assert_true(see(t, CLIENT, PACKET_ACK, 10).hand);
	replay_table_free(t);
}

static void test_no_entry(void **state)
{
	struct replay_table *t = replay_table_new();
	struct replay_step step;

	(void)state;
	assert_false(see(t, CLIENT, PACKET_RST, 10).hand);	/* a RST may carry text for the eye */
	step = see(t, CLIENT, PACKET_FIN | PACKET_ACK, 0);
	assert_int_equal(step.flow->state, REPLAY_UNTRACKED);
	assert_int_equal(replay_table_count(t), 1);
	replay_table_free(t);
}

static void test_udp(void **state)
{
	struct replay_table *t = replay_table_new();
	struct packet ask = from(CLIENT, 0, 10), answer = from(SERVER, 0, 10);

	(void)state;
	ask.proto = answer.proto = 17;
	assert_true(replay_table_see(t, &ask, noon).hand);
	assert_false(replay_table_see(t, &answer, noon).hand);
	ask.payload_len = ask.payload_wire = 0;
	assert_false(replay_table_see(t, &ask, noon).hand);
	assert_int_equal(replay_table_count(t), 1);
	replay_table_free(t);
}

/* DNS over UDP is queued in every state, and its answers, too; of other datagrams on its port nothing more than elsewhere. */
static void test_dns(void **state)
{
	static const uint8_t query[12] = { 1, 2, 1 }, answer[12] = { 1, 2, 0x81 };
	struct replay_table *t = replay_table_new();
	struct packet ask = from(CLIENT, 0, 12), tell = from(SERVER, 0, 12);
	struct replay_step step;

	(void)state;
	ask.proto = tell.proto = 17;
	ask.dport = tell.sport = 53;
	ask.payload = query;
	tell.payload = answer;
	step = replay_table_see(t, &ask, noon);
	assert_true(step.hand);
	assert_int_equal(ask.origin, ORIGIN_ORIGINAL);
	replay_flow_judged(step.flow, VERDICT_DROP);
	assert_true(replay_table_see(t, &tell, noon).hand);
	assert_int_equal(tell.origin, ORIGIN_REPLY);
	replay_flow_judged(step.flow, VERDICT_CLEAR);
	tell.payload = query;
	assert_false(replay_table_see(t, &tell, noon).hand);
	assert_int_equal(step.flow->state, REPLAY_PASS);
	assert_true(replay_table_see(t, &ask, noon).hand);
	ask.payload = answer;
	assert_false(replay_table_see(t, &ask, noon).hand);
	replay_table_free(t);
}

static void test_dns_over_tcp(void **state)
{
	static const uint8_t bytes[12];
	struct replay_table *t = replay_table_new();
	struct packet syn = from(CLIENT, PACKET_SYN, 0), ask = from(CLIENT, PACKET_ACK, 12), tell = from(SERVER, PACKET_ACK, 12);
	struct replay_step step;

	(void)state;
	syn.dport = ask.dport = tell.sport = 53;
	ask.payload = tell.payload = bytes;
	replay_table_see(t, &syn, noon);
	step = replay_table_see(t, &ask, noon);
	assert_true(step.hand);
	assert_true(replay_table_see(t, &tell, noon).hand);
	assert_int_equal(tell.origin, ORIGIN_REPLY);
	replay_flow_judged(step.flow, VERDICT_CLEAR);
	assert_false(replay_table_see(t, &tell, noon).hand);
	assert_int_equal(step.flow->state, REPLAY_PASS);
	replay_table_free(t);
}

/* A glimpse gives a line its place, and leaves its state to the first whole packet. */
static void test_glimpse(void **state)
{
	struct replay_table *t = replay_table_new();
	struct packet piece = from(CLIENT, PACKET_SYN, 0);

	(void)state;
	assert_false(replay_table_glimpse(t, &piece, noon).hand);
	assert_int_equal(replay_table_first(t)->state, REPLAY_UNTRACKED);
	handshake(t);
	assert_int_equal(replay_table_first(t)->state, REPLAY_INSPECTING);
	assert_int_equal(replay_table_count(t), 1);
	replay_table_free(t);
}

/* More flows than buckets: each is found again, in the order of its first packet; families are apart. */
static void test_many(void **state)
{
	struct replay_table *t = replay_table_new();
	struct replay_flow *f;
	unsigned n = 0;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 20000; i++) {
			struct packet k = from(CLIENT, PACKET_SYN, 0);

			k.family = i % 2 ? 4 : 6;
			k.sport = (uint16_t)(i / 2);
			assert_non_null(replay_table_see(t, &k, noon).flow);
		}
	}
	assert_int_equal(replay_table_count(t), 20000);
	for (f = replay_table_first(t); f; f = f->line_next, n++)
		assert_int_equal(f->sport, n / 2);
	assert_int_equal(n, 20000);
	replay_table_free(t);
}

static void count_gone(void *arg, struct replay_flow *f)
{
	(void)f;
	++*(unsigned *)arg;
}

/* Live traffic: what is idle goes, what goes on stays what it was, and the table is as usable as before. */
static void test_expire(void **state)
{
	struct replay_table *t = replay_table_new();
	struct timeval later = { noon.tv_sec + 100, 0 };
	struct packet k = from(CLIENT, PACKET_SYN, 0), other = from(CLIENT, PACKET_SYN, 0);
	struct replay_flow *kept;
	unsigned gone = 0;

	(void)state;
	handshake(t);
	other.sport = 50001;
	kept = replay_table_see(t, &other, noon).flow;
	other.tcp_flags = PACKET_ACK;
	assert_ptr_equal(replay_table_see(t, &other, later).flow, kept);
	assert_int_equal(replay_table_expire(t, noon.tv_sec, 0, count_gone, &gone), 2);
	assert_int_equal(gone, 0);
	assert_int_equal(replay_table_expire(t, noon.tv_sec + 50, 0, count_gone, &gone), 1);
	assert_int_equal(gone, 1);
	assert_ptr_equal(replay_table_first(t), kept);
	assert_ptr_equal(replay_table_see(t, &other, later).flow, kept);
	assert_ptr_not_equal(replay_table_see(t, &k, later).flow, kept);	/* begun anew, at the row's end */
	assert_int_equal(replay_table_count(t), 2);
	/* one that is closed goes sooner */
	other.tcp_flags = PACKET_ACK | PACKET_FIN;
	replay_table_see(t, &other, later);
	assert_int_equal(replay_table_expire(t, later.tv_sec - 50, 60, count_gone, &gone), 1);
	assert_int_equal(gone, 2);
	assert_int_equal(replay_table_expire(t, later.tv_sec + 1, 0, count_gone, &gone), 0);
	assert_null(replay_table_first(t));
	handshake(t);
	assert_int_equal(replay_table_count(t), 1);
	replay_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordinary),
		cmocka_unit_test(test_quic),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_older),
		cmocka_unit_test(test_synack_first),
		cmocka_unit_test(test_late_syn_turns),
		cmocka_unit_test(test_new_line_after_fin),
		cmocka_unit_test(test_data_in_syn),
		cmocka_unit_test(test_simultaneous_open),
		cmocka_unit_test(test_no_entry),
		cmocka_unit_test(test_udp), cmocka_unit_test(test_dns), cmocka_unit_test(test_dns_over_tcp),
		cmocka_unit_test(test_glimpse),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_expire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
