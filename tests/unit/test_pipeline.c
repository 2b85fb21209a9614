// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/pipeline: crafted packets in, outcomes out. Every trick by which a login could reach its pool in spite of
 * the core stands here as one test, beside the harmless traffic that looks like it. */
#include <malloc.h>
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

#define LOGIN "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"4AAAA\",\"pass\":\"x\",\"agent\":\"XMRig/6.26.0\"}}\n"
#define SUBMIT "{\"id\":2,\"method\":\"submit\",\"params\":{\"id\":\"1\",\"job_id\":\"2\",\"nonce\":\"00000000\",\"result\":\"0\"}}\n"
#define NOTIFY "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[8]}\n"
#define ISN 0x7ffffff0u
#define LEN(s) (sizeof(s) - 1)

/* One pipeline and the flow that the tests speak in. */
struct bed {
	struct pipeline *p;
	struct policy *policy;
	struct packet packet;
	struct outcome o;
	uint64_t now;
	unsigned events;
};

static struct policy *policy_of(const char *text)
{
	char path[] = "/tmp/test_pipeline.XXXXXX";
	struct policy_error error;
	struct policy *p;
	int fd;

	if (!text)
		return policy_builtin();
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	p = policy_load(path, &error);
	unlink(path);
	if (!p)
		fail_msg("%s", error.text);
	return p;
}

/* What the kernel would say of where a flow begins, and how often it was asked. */
static bool start_there;
static uint32_t start_at;
static unsigned start_asked;

static bool start_of(void *arg, const struct packet *packet, uint32_t *start)
{
	(void)arg;
	(void)packet;
	start_asked++;
	*start = start_at;
	return start_there;
}

static struct bed *bed_sized(const char *policy, uint32_t flows, uint64_t reassembly)
{
	struct pipeline_config config = { .flows = flows, .reassembly = reassembly, .key = { 1, 2 }, .start = start_of };
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->policy = policy_of(policy);
	b->p = pipeline_new(&config);
	assert_non_null(b->p);
	pipeline_policy(b->p, b->policy);
	b->packet = (struct packet){ .family = 4, .proto = 6, .sport = 40000, .dport = 3333, .tcp_flags = PACKET_ACK,
				     .src = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .dst = { [10] = 0xff, 0xff, 198, 51, 100, 7 } };
	return b;
}

static struct bed *bed_new(const char *policy)
{
	return bed_sized(policy, 1024, 1 << 20);
}

static void bed_free(struct bed *b)
{
	pipeline_free(b->p);
	policy_free(b->policy);
	free(b);
}

/* The payload stands in a heap block of its size, so that a sanitizer sees every overread. */
static enum verdict put(struct bed *b, uint32_t seq, const void *bytes, size_t len)
{
	uint8_t *block = malloc(len ? len : 1);

	assert_non_null(block);
	memcpy(block, bytes, len);
	b->packet.seq = seq;
	b->packet.payload = block;
	b->packet.payload_len = b->packet.payload_wire = len;
	b->o = pipeline_packet(b->p, &b->packet, b->now);
	b->events += b->o.event;
	free(block);
	return b->o.verdict;
}

static enum verdict text(struct bed *b, uint32_t seq, const char *s)
{
	return put(b, seq, s, strlen(s));
}

/* Sends the text in pieces; gives the offset behind the piece that was blocked, or 0. */
static size_t pieces(struct bed *b, uint32_t seq, const char *s, size_t piece)
{
	size_t len = strlen(s);

	for (size_t at = 0; at < len; at += piece) {
		size_t n = piece < len - at ? piece : len - at;

		if (put(b, seq + (uint32_t)at, s + at, n) == VERDICT_BLOCK)
			return at + n;
	}
	return 0;
}

static void another_flow(struct bed *b)
{
	b->packet.sport++;
}

/* Offset at which the login can be told: the brace that closes it. */
static size_t login_tells(void)
{
	return (size_t)(strrchr(LOGIN, '}') - LOGIN) + 1;
}

#define POST_HEAD "POST /a HTTP/1.1\r\nHost: www.unlisted.example\r\nContent-Length: 100000\r\n\r\n"

static struct bed *bed_started(uint32_t start)
{
	start_there = true;
	start_at = start;
	start_asked = 0;
	return bed_new(NULL);
}

static void end_started(struct bed *b)
{
	start_there = false;
	bed_free(b);
}

/* One whole message in one packet is not asked for, and neither is what follows when all is known. */
static void test_start_is_seldom_asked(void **state)
{
	struct bed *b = bed_started(ISN);

	(void)state;
	assert_int_equal(text(b, ISN, "GET / HTTP/1.1\r\nHost: www.unlisted.example\r\n\r\n"), VERDICT_ACCEPT);
	assert_int_equal(start_asked, 0);
	another_flow(b);
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
	assert_int_equal(start_asked, 0);
	another_flow(b);
	assert_int_not_equal(pieces(b, ISN, LOGIN, 10), 0);
	assert_int_equal(start_asked, 1);
	end_started(b);
}

/* Forged bytes below the start are nothing to the server, and nothing to us. */
static void test_start_below(void **state)
{
	struct bed *b = bed_started(ISN);
	uint32_t post = ISN - (uint32_t)strlen(POST_HEAD);

	(void)state;
	assert_int_not_equal(text(b, post, POST_HEAD), VERDICT_BLOCK);
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
	another_flow(b);
	assert_int_equal(text(b, ISN - 5, "XXXXX" LOGIN), VERDICT_BLOCK);
	another_flow(b);
	assert_int_equal(text(b, post, POST_HEAD LOGIN), VERDICT_BLOCK);	/* one packet */
	another_flow(b);
	assert_int_not_equal(text(b, post, POST_HEAD), VERDICT_BLOCK);
	assert_int_not_equal(pieces(b, ISN, LOGIN, 50), 0);
	another_flow(b);	/* the second half comes first, then the forged bytes */
	assert_int_not_equal(text(b, ISN + 20, LOGIN + 20), VERDICT_BLOCK);
	assert_int_not_equal(text(b, post, POST_HEAD), VERDICT_BLOCK);
	assert_int_equal(put(b, ISN, LOGIN, 20), VERDICT_BLOCK);
	another_flow(b);	/* forged mining harms no clean flow, as far as it comes in pieces */
	assert_int_equal(put(b, ISN - 20, LOGIN, 20), VERDICT_ACCEPT);
	assert_int_not_equal(text(b, ISN, "GET / HTTP/1.1\r\nHost: www.unlisted.example\r\n\r\n"), VERDICT_BLOCK);
	end_started(b);
}

/* A packet that the kernel does not take for judged, behind a flow that is: another connection has come to its ports. */
static void test_start_of_another_connection(void **state)
{
	struct bed *b = bed_started(ISN);
	uint32_t next = ISN + (uint32_t)strlen(POST_HEAD);

	(void)state;
	text(b, ISN, POST_HEAD);
	b->packet.pending = true;
	assert_int_not_equal(text(b, next, "body"), VERDICT_BLOCK);
	b->packet.pending = false;
	start_at = next;
	assert_int_equal(text(b, next, LOGIN), VERDICT_BLOCK);
	end_started(b);
}

/* Where a flow begins is still known when its second place is taken: neither does all that follows count as below it, nor is the
 * data of its SYN forgotten. */
static void test_start_outlives_a_far_segment(void **state)
{
	const uint32_t first = 0xf0000000u;
	struct bed *b = bed_started(first);

	(void)state;
	assert_int_equal(put(b, first, LOGIN, 1), VERDICT_ACCEPT);
	text(b, first + 20000, "far from it");
	assert_int_equal(text(b, first + 1, LOGIN + 1), VERDICT_BLOCK);
	another_flow(b);
	start_at = ISN + 21;
	b->packet.tcp_flags = PACKET_SYN;
	put(b, ISN + 1, LOGIN, 20);
	b->packet.tcp_flags = PACKET_ACK;
	text(b, ISN + 20001, "far from it");
	assert_int_equal(text(b, ISN + 21, LOGIN + 20), VERDICT_BLOCK);
	end_started(b);
}

/* Data in a SYN that the server took belongs to the stream. */
static void test_start_with_syn_data(void **state)
{
	struct bed *b = bed_started(ISN + 20);

	(void)state;
	b->packet.tcp_flags = PACKET_SYN;
	assert_int_equal(put(b, ISN, LOGIN, 20), VERDICT_ACCEPT);
	b->packet.tcp_flags = PACKET_ACK;
	assert_int_equal(text(b, ISN + 20, LOGIN + 20), VERDICT_BLOCK);
	end_started(b);
}

static void test_login(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
	assert_true(b->o.event);
	assert_int_equal(b->o.app, APP_STRATUM);
	assert_int_equal(b->o.decision.evidence, EVIDENCE_PROTOCOL);
	assert_string_equal(b->o.facts->stratum.dialect, "cryptonote");
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);	/* it stays so, and is told once */
	assert_int_equal(text(b, ISN + 500, SUBMIT), VERDICT_BLOCK);
	assert_int_equal(b->events, 1);
	bed_free(b);
}

static void test_pieces(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	for (size_t piece = 1; piece < 60; piece++, another_flow(b)) {
		size_t end = pieces(b, ISN, LOGIN, piece);

		/* the segment that completes the evidence, no later one */
		assert_int_equal(end, (login_tells() + piece - 1) / piece * piece < LEN(LOGIN) ?
				 (login_tells() + piece - 1) / piece * piece : LEN(LOGIN));
	}
	bed_free(b);
}

static void test_reversed(void **state)
{
	struct bed *b = bed_new(NULL);
	size_t i, cut;

	(void)state;
	for (i = LEN(LOGIN); i-- > 0;)
		if (put(b, ISN + (uint32_t)i, LOGIN + i, 1) == VERDICT_BLOCK)
			break;
	assert_int_equal(i, 0);
	another_flow(b);
	for (cut = 1; cut < LEN(LOGIN); cut++, another_flow(b)) {
		put(b, ISN + (uint32_t)cut, LOGIN + cut, LEN(LOGIN) - cut);
		assert_int_equal(put(b, ISN, LOGIN, cut), VERDICT_BLOCK);
	}
	bed_free(b);
}

static void test_overlapped(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	put(b, ISN, LOGIN, 30);
	put(b, ISN + 10, LOGIN + 10, 40);
	put(b, ISN, LOGIN, 45);
	assert_int_equal(b->o.verdict, VERDICT_ACCEPT);
	assert_int_equal(put(b, ISN + 20, LOGIN + 20, LEN(LOGIN) - 20), VERDICT_BLOCK);
	bed_free(b);
}

/* Sent so that the server never gets it (low TTL), then the truth in its place. */
static void test_decoy_before(void **state)
{
	static const char *const decoys[] = { "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 999\r\n\r\n",
					      "\x16\x03\x01", "SSH-2.0-x\r\n", "{}", "\0\0\0\0" };
	struct bed *b = bed_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(decoys) / sizeof(decoys[0]); i++, another_flow(b)) {
		put(b, ISN, decoys[i], i == 5 ? 4 : strlen(decoys[i]));
		assert_int_not_equal(b->o.verdict, VERDICT_BLOCK);
		assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
	}
	bed_free(b);
}

/* The same, each byte of the login behind a false one: not one of them is a keep-alive. */
static void test_decoy_bytes(void **state)
{
	struct bed *b = bed_new(NULL);
	bool blocked = false;

	(void)state;
	for (size_t i = 0; i < LEN(LOGIN) && !blocked; i++) {
		put(b, ISN + (uint32_t)i, "x", 1);
		blocked = put(b, ISN + (uint32_t)i, LOGIN + i, 1) == VERDICT_BLOCK;
	}
	assert_true(blocked);
	another_flow(b);
	blocked = false;
	for (size_t i = 0; i < LEN(LOGIN) && !blocked; i++) {
		blocked = put(b, ISN + (uint32_t)i, LOGIN + i, 1) == VERDICT_BLOCK;
		if (!blocked)	/* a keep-alive as Windows sends it */
			assert_int_equal(put(b, ISN + (uint32_t)i, "", 1), VERDICT_ACCEPT);
	}
	assert_true(blocked);
	assert_int_equal(b->o.decision.evidence, EVIDENCE_PROTOCOL);
	bed_free(b);
}

static void test_keep_alive(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	text(b, ISN, "SSH-2.0-x\r\n");
	assert_int_equal(put(b, ISN + 10, "", 1), VERDICT_ACCEPT);
	assert_int_equal(put(b, ISN + 10, "\n", 1), VERDICT_ACCEPT);
	bed_free(b);
}

/* A segment far away must not make room by throwing away what was seen of the login. */
static void test_decoys_far(void **state)
{
	static const int32_t far[][2] = { { 20000, 40000 }, { -20000, -40000 }, { 20000, -20000 }, { 40000, 60000 } };
	struct bed *b = bed_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++, another_flow(b)) {
		put(b, ISN, LOGIN, 40);
		text(b, ISN + (uint32_t)far[i][0], "xxxx");
		text(b, ISN + (uint32_t)far[i][1], "yyyy");
		assert_int_equal(put(b, ISN + 40, LOGIN + 40, LEN(LOGIN) - 40), VERDICT_BLOCK);
	}
	bed_free(b);
}

/* Nor must one below it push it out of the window. */
static void test_decoy_below(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	for (uint32_t below = 16383; below > 8000; below -= 20, another_flow(b)) {
		put(b, ISN, LOGIN, 40);
		put(b, ISN - below, "x", 1);
		assert_int_equal(put(b, ISN + 40, LOGIN + 40, LEN(LOGIN) - 40), VERDICT_BLOCK);
	}
	bed_free(b);
}

/* A garbage byte in front, as a keep-alive before the first data or as a short junk line, hides nothing. */
static void test_prelude(void **state)
{
	static const char *const junk[] = { "x", "\x05\x01", "hello\r\n" };
	struct bed *b = bed_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++, another_flow(b)) {
		text(b, ISN, junk[i]);
		assert_int_equal(text(b, ISN + (uint32_t)strlen(junk[i]), LOGIN), VERDICT_BLOCK);
		another_flow(b);
		text(b, ISN, junk[i]);
		assert_int_equal(pieces(b, ISN + (uint32_t)strlen(junk[i]), LOGIN, 1), login_tells());
	}
	bed_free(b);
}

/* Where the bytes of one flow contradict each other but no block is allowed, the newest are judged. */
static void test_contradiction(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	text(b, ISN, "{\"id\":1,\"method\":\"a\"");
	assert_int_equal(text(b, ISN, "{\"id\":1,\"method\":\"b\""), VERDICT_BLOCK);
	assert_int_equal(b->o.reason, REASON_CONTRADICTION);
	assert_true(b->o.event);
	another_flow(b);
	b->packet.origin = ORIGIN_OLDER_ORIGINAL;
	text(b, ISN, "xxxxxxxxxx");
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
	assert_int_equal(b->o.decision.evidence, EVIDENCE_PROTOCOL);
	bed_free(b);
	b = bed_new("version: 1\nmode: monitor\n");
	text(b, ISN, "xxxxxxxxxx");
	assert_int_not_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
	assert_true(b->o.event);
	assert_int_equal(b->o.decision.evidence, EVIDENCE_PROTOCOL);
	bed_free(b);
}

/* What is only watched, or is no mining, hides nothing behind it; the block is told besides. */
static void test_weaker_first(void **state)
{
	static const char *const first[] = { "{\"id\":1,\"method\":\"my.work\"}\n", "\x01\x21\x01\x01\x01\x01\x01\x01\x01" };
	struct bed *b = bed_new("version: 1\nmode: enforce\ndetect: {node: monitor}\n"
				"dialects: [{dialect: own, method: my.work, kind: getwork}]\n");

	(void)state;
	for (size_t i = 0; i < 2; i++, another_flow(b)) {
		assert_int_equal(text(b, ISN, first[i]), VERDICT_ACCEPT);
		assert_true(b->o.event);
		assert_int_equal(b->o.decision.action, ACTION_MONITOR);
		assert_string_equal(b->o.facts->stratum.dialect, i ? "monero-p2p" : "own");
		assert_int_equal(text(b, ISN + (uint32_t)strlen(first[i]), LOGIN), VERDICT_BLOCK);
		assert_true(b->o.event);
		assert_string_equal(b->o.facts->stratum.dialect, "cryptonote");
		another_flow(b);
		assert_int_equal(text(b, ISN, "{\"id\":1,\"method\":\"my.work\"}\n" LOGIN), VERDICT_BLOCK);
		assert_int_equal(b->o.decision.action, ACTION_BLOCK);
		assert_string_equal(b->o.facts->stratum.dialect, "cryptonote");
	}
	bed_free(b);
	/* a row of the policy's own blocks as any, and nodes are let be */
	b = bed_new("version: 1\nmode: enforce\ndialects: [{dialect: own, method: \"my.*\", capture: \"payee=params[0]\"}]\n");
	assert_int_equal(text(b, ISN, "{\"id\":1,\"method\":\"my.work\",\"params\":[\"w.rig\"]}\n"), VERDICT_BLOCK);
	assert_string_equal(b->o.facts->stratum.dialect, "own");
	assert_int_equal(b->o.facts->stratum.worker.len, 3);
	another_flow(b);
	assert_int_equal(text(b, ISN, first[1]), VERDICT_ACCEPT);
	assert_false(b->o.event);
	bed_free(b);
}

static void test_bad_checksum(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	for (size_t piece = 1; piece < LEN(LOGIN); piece++, another_flow(b)) {
		b->packet.checksum = CHECKSUM_BAD;
		text(b, ISN, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
		b->packet.checksum = CHECKSUM_GOOD;
		assert_true(pieces(b, ISN, LOGIN, piece) >= login_tells());
	}
	b->packet.checksum = CHECKSUM_BAD;
	another_flow(b);
	put(b, ISN + 40, "x\"}\n", 4);
	b->packet.checksum = CHECKSUM_GOOD;
	put(b, ISN, LOGIN, 40);
	assert_int_equal(put(b, ISN + 40, LOGIN + 40, LEN(LOGIN) - 40), VERDICT_BLOCK);
	bed_free(b);
}

static void test_syn_data(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	b->packet.tcp_flags = PACKET_SYN;
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
	another_flow(b);
	assert_int_equal(text(b, ISN, "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n"), VERDICT_ACCEPT);
	b->packet.tcp_flags = PACKET_ACK;
	assert_int_equal(text(b, ISN, "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n"), VERDICT_CLEAR);
	another_flow(b);
	b->packet.tcp_flags = PACKET_SYN;
	text(b, ISN, "GET / HTTP/1.0\r\n\r\n");
	b->packet.tcp_flags = PACKET_ACK;
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
	another_flow(b);
	b->packet.tcp_flags = PACKET_SYN;
	put(b, ISN, LOGIN, 50);
	b->packet.tcp_flags = PACKET_ACK;
	assert_int_equal(put(b, ISN + 50, LOGIN + 50, LEN(LOGIN) - 50), VERDICT_BLOCK);
	bed_free(b);
}

/* The pool's side of a flow that is older than the daemon. */
static void reply(struct bed *b, bool on)
{
	struct packet *k = &b->packet;
	uint8_t address[16];
	uint16_t port = k->sport;

	memcpy(address, k->src, 16);
	memcpy(k->src, k->dst, 16);
	memcpy(k->dst, address, 16);
	k->sport = k->dport;
	k->dport = port;
	k->origin = on ? ORIGIN_OLDER_REPLY : ORIGIN_OLDER_ORIGINAL;
}

static void test_older(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	b->packet.origin = ORIGIN_OLDER_ORIGINAL;
	text(b, ISN, "esult\":\"00\"}}\n");
	assert_int_equal(text(b, ISN + 14, SUBMIT), VERDICT_BLOCK);
	assert_true(b->o.older);
	another_flow(b);
	reply(b, true);
	assert_int_equal(text(b, 77, NOTIFY), VERDICT_BLOCK);
	assert_int_equal(b->o.subject.dport, 3333);
	reply(b, false);
	another_flow(b);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(put(b, ISN + i * 4, "\1\2\3\4", 4), VERDICT_ACCEPT);
	assert_int_equal(put(b, ISN + 60, "\1\2\3\4", 4), VERDICT_CLEAR);
	assert_int_equal(b->o.reason, REASON_OLDER);
	bed_free(b);
}

/* Picked up on a packet of the server: once the client is known, a policy that comes later judges the flow the right way round. */
static void test_older_turned(void **state)
{
	static const char *const policies[] = {
		"version: 1\nmode: enforce\nblock: {names: [pool.example]}\nallow: {hosts: [198.51.100.7]}\n",
		"version: 1\nmode: enforce\nblock: {names: [pool.example]}\n",
	};
	struct bed *b = bed_new("version: 1\nmode: enforce\n");
	struct policy *first = b->policy;
	struct outcome o;
	uint32_t cursor = 0;

	(void)state;
	reply(b, true);		/* from 198.51.100.7, which is the client, to 192.0.2.1 */
	assert_int_equal(text(b, ISN, "GET / HTTP/1.1\r\nHost: pool.example\r\n\r\n"), VERDICT_ACCEPT);
	assert_true(b->o.turned);
	b->policy = policy_of(policies[0]);
	pipeline_policy(b->p, b->policy);
	assert_false(pipeline_rejudge(b->p, &cursor, 1024, b->now, 0, &o));
	policy_free(b->policy);
	b->policy = policy_of(policies[1]);
	pipeline_policy(b->p, b->policy);
	assert_true(pipeline_rejudge(b->p, &cursor, 1024, b->now, 0, &o));
	assert_true(o.turned);
	assert_int_equal(o.subject.src[12], 198);
	assert_int_equal(o.subject.dport, 40000);
	policy_free(first);
	bed_free(b);
}

static void test_budget(void **state)
{
	struct bed *b = bed_new(NULL);
	char block[1024];
	uint32_t at;

	(void)state;
	memset(block, 'a', sizeof(block));
	text(b, ISN, "{\"pad\":\"");
	for (at = 8; at + sizeof(block) < 16384; at += sizeof(block))
		assert_int_equal(put(b, ISN + at, block, sizeof(block)), VERDICT_ACCEPT);
	assert_int_equal(put(b, ISN + at, block, sizeof(block)), VERDICT_CLEAR);
	assert_int_equal(b->o.reason, REASON_MALFORMED);	/* a message without an end */
	bed_free(b);
}

/* Padding before the method, in one piece and byte by byte. */
static void test_padding(void **state)
{
	struct bed *b = bed_new(NULL);
	char message[10240];
	int n = snprintf(message, sizeof(message), "{\"pad\":\"%08000d\",%s", 0, LOGIN + 1);

	(void)state;
	assert_int_equal(text(b, ISN, message), VERDICT_BLOCK);
	another_flow(b);
	/* the last byte that may pass is the brace: a line without it is no login */
	n = (int)pieces(b, ISN, message, 1);
	assert_true(n > 0 && n <= (int)strlen(message) - 1);
	bed_free(b);
}

/* Servers that answer an unknown method with an error wait for the next line. */
static void test_other_messages(void **state)
{
	struct bed *b = bed_new(NULL);
	char message[4096] = "";

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(message, "{\"id\":1,\"method\":\"ping\",\"params\":[]}\n");
	strcat(message, LOGIN);
	assert_int_equal(text(b, ISN, message), VERDICT_BLOCK);
	another_flow(b);
	assert_true(pieces(b, ISN, message, 37) > 0);
	another_flow(b);
	assert_true(pieces(b, ISN, message, 1) > 0);
	bed_free(b);
}

#define HEAD(host) "GET / HTTP/1.1\r\nHost: " host "\r\n\r\n"

static const char names_policy[] = "version: 1\nmode: enforce\nblock:\n  names: [pool.example]\n  addresses: [\"198.51.100.9\"]\n"
				   "allow:\n  hosts: [192.0.2.99]\n";

static void test_heads(void **state)
{
	struct bed *b = bed_new(names_policy);

	(void)state;
	assert_int_equal(text(b, ISN, HEAD("a.example")), VERDICT_ACCEPT);
	assert_int_equal(b->o.facts->n_names, 1);
	assert_int_equal(text(b, ISN + LEN(HEAD("a.example")), HEAD("pool.example")), VERDICT_BLOCK);
	assert_int_equal(b->o.decision.evidence, EVIDENCE_NAME);
	another_flow(b);
	assert_int_equal(text(b, ISN, HEAD("a.example") HEAD("b.example") HEAD("pool.example")), VERDICT_BLOCK);
	another_flow(b);
	for (uint32_t i = 0; i < 15; i++)
		assert_int_equal(text(b, ISN + i * LEN(HEAD("a.example")), HEAD("a.example")), VERDICT_ACCEPT);
	assert_int_equal(text(b, ISN + 15 * LEN(HEAD("a.example")), HEAD("a.example")), VERDICT_CLEAR);
	assert_int_equal(b->o.reason, REASON_CLEAN);
	bed_free(b);
}

/* A request without a body has none: what follows is judged as what it is. */
static void test_login_behind_head(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	assert_int_equal(text(b, ISN, "GET / HTTP/1.1\n\n" LOGIN), VERDICT_BLOCK);
	another_flow(b);
	text(b, ISN, "GET / HTTP/1.1\n\n");
	assert_int_equal(pieces(b, ISN + 16, LOGIN, 1), login_tells());
	bed_free(b);
}

/* A pool's parser may pass over a line or two, and a load balancer writes a header in front. */
static void test_prelude_lines(void **state)
{
	static const uint8_t header[28] = { 0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 'Q', 'U', 'I', 'T', 0x0a, 0x21, 0x11, 0, 12 };
	uint8_t second[28 + LEN(LOGIN)];
	struct bed *b = bed_new(NULL);

	(void)state;
	assert_int_equal(text(b, ISN, "whatever\n" LOGIN), VERDICT_BLOCK);
	another_flow(b);
	assert_int_equal(text(b, ISN, "hello\r\nthere\r\n" LOGIN), VERDICT_BLOCK);
	another_flow(b);
	assert_int_equal(text(b, ISN, "PROXY TCP4 192.0.2.1 192.0.2.2 40000 3333\r\n" LOGIN), VERDICT_BLOCK);
	another_flow(b);
	assert_int_equal(pieces(b, ISN, "PROXY TCP4 192.0.2.1 192.0.2.2 40000 3333\r\n" LOGIN, 1), 43 + login_tells());
	another_flow(b);
	memcpy(second, header, sizeof(header));
	memcpy(second + sizeof(header), LOGIN, LEN(LOGIN));
	assert_int_equal(put(b, ISN, second, sizeof(second)), VERDICT_BLOCK);
	another_flow(b);
	assert_int_not_equal(text(b, ISN, "one\ntwo\nthree\n" LOGIN), VERDICT_BLOCK);
	another_flow(b);
	assert_int_not_equal(text(b, ISN, "\x01\x02\n" LOGIN), VERDICT_BLOCK);
	bed_free(b);
}

/* A body quotes what it likes, but it does not begin with a login. */
static void test_body(void **state)
{
	static const char head[] = "POST /report HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3000\r\n\r\n";
	struct bed *b = bed_new(NULL);

	(void)state;
	assert_int_equal(text(b, ISN, head), VERDICT_ACCEPT);
	assert_int_equal(text(b, ISN + LEN(head), "report="), VERDICT_CLEAR);
	assert_int_equal(b->o.reason, REASON_CLEAN);
	assert_int_not_equal(text(b, ISN + LEN(head) + 7, LOGIN), VERDICT_BLOCK);
	another_flow(b);
	text(b, ISN, head);
	assert_int_equal(text(b, ISN + LEN(head), "[\n" LOGIN "]"), VERDICT_BLOCK);
	another_flow(b);
	text(b, ISN, head);
	assert_int_equal(pieces(b, ISN + LEN(head), LOGIN, 1), login_tells());
	another_flow(b);
	assert_int_equal(text(b, ISN, "POST / HTTP/1.1\r\nContent-Length: 3000\r\n\r\nfile"), VERDICT_CLEAR);
	another_flow(b);
	assert_int_equal(pieces(b, ISN, "HELO a\r\nMAIL FROM:<a@example>\r\nDATA\r\n" LOGIN ".\r\n", 30), 0);
	bed_free(b);
}

#define UPGRADE "GET /proxy HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define CHAT "{\"type\":\"auth\",\"params\":{\"token\":\"x\"}}"

/* A masked frame of text; returns its length. */
static size_t websocket(uint8_t *out, const char *text)
{
	size_t n = strlen(text), at = 2;

	out[0] = 0x81;
	out[1] = (uint8_t)(0x80 | (n > 125 ? 126 : n));
	if (n > 125) {
		out[at++] = (uint8_t)(n >> 8);
		out[at++] = (uint8_t)n;
	}
	memcpy(out + at, "\x37\xfa\x21\x3d", 4);
	for (size_t i = 0; i < n; i++)
		out[at + 4 + i] = (uint8_t)text[i] ^ out[at + i % 4];
	return at + 4 + n;
}

/* The byte that completes the message is the one that is dropped, and only this client loses the address. */
static void test_websocket(void **state)
{
	struct bed *b = bed_new(NULL);
	uint8_t frame[256];
	size_t n = websocket(frame, LOGIN);

	(void)state;
	assert_int_equal(text(b, ISN, UPGRADE), VERDICT_ACCEPT);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(put(b, ISN + LEN(UPGRADE) + (uint32_t)i, frame + i, 1), i + 1 < n ? VERDICT_ACCEPT : VERDICT_BLOCK);
	assert_int_equal(b->o.app, APP_HTTP);
	assert_int_equal(b->o.decision.evidence, EVIDENCE_PROTOCOL);
	assert_int_equal(b->o.decision.scope, SCOPE_PAIR);
	/* a harmless one: four messages, then the queue is left */
	another_flow(b);
	text(b, ISN, UPGRADE);
	n = websocket(frame, CHAT);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(put(b, ISN + LEN(UPGRADE) + (uint32_t)(i * n), frame, n), i < 3 ? VERDICT_ACCEPT : VERDICT_CLEAR);
	assert_int_equal(b->o.reason, REASON_CLEAN);
	assert_int_equal(b->events, 1);
	bed_free(b);
}

/* The server answers an Upgrade as it likes: what follows is judged as what it is. */
static void test_upgrade_refused(void **state)
{
	struct bed *b = bed_new(names_policy);
	static const char h2c[] = "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\n\r\n";
	static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x0e\x01\x04\0\0\0\x01\x41\x0c" "pool.example";

	(void)state;
	text(b, ISN, UPGRADE);
	assert_int_equal(text(b, ISN + LEN(UPGRADE), HEAD("pool.example")), VERDICT_BLOCK);
	another_flow(b);
	text(b, ISN, UPGRADE);
	assert_int_equal(text(b, ISN + LEN(UPGRADE), LOGIN), VERDICT_BLOCK);
	another_flow(b);
	text(b, ISN, h2c);
	assert_int_equal(text(b, ISN + LEN(h2c), HEAD("pool.example")), VERDICT_BLOCK);
	another_flow(b);
	text(b, ISN, h2c);
	assert_int_equal(put(b, ISN + LEN(h2c), hello, LEN(hello)), VERDICT_BLOCK);
	assert_int_equal(b->o.decision.evidence, EVIDENCE_NAME);
	bed_free(b);
}

/* Each request of a connection is judged, and its names are told once. */
static void test_http2(void **state)
{
	static const char first[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" "\0\0\x0b\x01\x04\0\0\0\x01\x41\x09" "a.example";
	static const char second[] = "\0\0\x0e\x01\x04\0\0\0\x03\x41\x0c" "pool.example";
	struct bed *b = bed_new(names_policy);
	uint32_t at = ISN;

	(void)state;
	for (size_t i = 0; i < LEN(first); i++)
		assert_int_equal(put(b, at++, first + i, 1), VERDICT_ACCEPT);
	assert_int_equal(b->o.facts->n_names, 1);
	assert_int_equal(b->o.app, APP_HTTP);
	for (size_t i = 0; i < LEN(second); i++) {
		assert_int_equal(put(b, at++, second + i, 1), i + 1 < LEN(second) ? VERDICT_ACCEPT : VERDICT_BLOCK);
		assert_int_equal(b->o.facts->n_names, i + 1 == LEN(second));
	}
	/* behind a decoy that the server never got */
	another_flow(b);
	put(b, ISN, first, LEN(first));
	assert_int_equal(text(b, ISN - LEN(LOGIN), LOGIN), VERDICT_BLOCK);
	another_flow(b);
	put(b, ISN, first, LEN(first));
	assert_int_equal(text(b, ISN - LEN(HEAD("pool.example")), HEAD("pool.example")), VERDICT_BLOCK);
	/* harmless requests: HTTP stays for 16 */
	another_flow(b);
	put(b, at = ISN, first, LEN(first));
	at += LEN(first);
	for (int i = 0; i < 15; i++, at += 10)
		assert_int_equal(put(b, at, "\0\0\1\1\4\0\0\0\3\xbe", 10), i < 14 ? VERDICT_ACCEPT : VERDICT_CLEAR);
	assert_int_equal(b->o.reason, REASON_CLEAN);
	bed_free(b);
}

#define HEAD_OF_BODY "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3000\r\n\r\n"

/* getwork is only watched, until its detector says otherwise; an allowed Host may ask for work. */
static void test_getwork(void **state)
{
	static const char allow[] = "version: 1\nmode: enforce\nallow: {names: [a.example]}\ndetect: {getwork: block}\n";
	static const char work[] = "POST / HTTP/1.1\r\nHost: a.example\r\nX-Mining-Extensions: y\r\nContent-Length: 3000\r\n\r\n";
	static const char stratum[] = HEAD_OF_BODY LOGIN;
	struct bed *b = bed_new(names_policy);

	(void)state;
	assert_int_equal(text(b, ISN, work), VERDICT_ACCEPT);
	assert_true(b->o.event);
	assert_int_equal(b->o.decision.action, ACTION_MONITOR);
	assert_string_equal(b->o.decision.rule, "detect.getwork");
	assert_int_equal(text(b, ISN + LEN(work), LOGIN), VERDICT_BLOCK);	/* Stratum in its body is not */
	bed_free(b);
	b = bed_new("version: 1\nmode: enforce\ndetect: {getwork: block}\n");
	assert_int_equal(text(b, ISN, work), VERDICT_BLOCK);
	another_flow(b);
	assert_int_equal(text(b, ISN, stratum), VERDICT_BLOCK);
	bed_free(b);
	b = bed_new(allow);
	assert_int_equal(text(b, ISN, work), VERDICT_CLEAR);
	assert_int_equal(b->o.reason, REASON_EXEMPT);
	another_flow(b);
	assert_int_equal(text(b, ISN, stratum), VERDICT_CLEAR);
	another_flow(b);
	assert_int_equal(text(b, ISN, UPGRADE), VERDICT_CLEAR);
	another_flow(b);
	assert_int_equal(text(b, ISN, HEAD_OF_BODY), VERDICT_CLEAR);	/* its body comes before the server's answer */
	assert_int_equal(text(b, ISN + LEN(HEAD_OF_BODY), LOGIN), VERDICT_CLEAR);
	assert_int_equal(b->events, 0);
	bed_free(b);
}

/* Behind a small body another head may follow; a request that was decoyed away is found below it. */
static void test_behind_body(void **state)
{
#define SMALL "POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"
	struct bed *b = bed_new(names_policy);

	(void)state;
	assert_int_equal(text(b, ISN, SMALL), VERDICT_ACCEPT);
	assert_int_equal(b->o.facts->n_names, 1);
	assert_int_equal(text(b, ISN + LEN(SMALL), HEAD("pool.example")), VERDICT_BLOCK);
	another_flow(b);
	assert_int_equal(text(b, ISN, SMALL SMALL HEAD("pool.example")), VERDICT_BLOCK);
	another_flow(b);
	assert_int_equal(pieces(b, ISN, SMALL HEAD("pool.example"), 1), LEN(SMALL HEAD("pool.example")));
	another_flow(b);
	text(b, ISN, "POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n");
	assert_int_equal(text(b, ISN - LEN(LOGIN), LOGIN), VERDICT_BLOCK);
	bed_free(b);
}

/* Taking away the memory of a judged flow does not open it for what lies at its start. */
static void test_memory_taken(void **state)
{
	struct bed *b = bed_sized(NULL, 1024, 1);

	(void)state;
	text(b, ISN, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
	assert_int_equal(b->o.verdict, VERDICT_CLEAR);
	b->packet.sport = 50000;
	for (int i = 0; i < 40; i++, another_flow(b))
		text(b, ISN, "{");
	b->packet.sport = 40000;
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
	another_flow(b);
	text(b, ISN, "POST / HTTP/1.1\r\nContent-Length: 999\r\n\r\n");
	b->packet.sport = 60000;
	for (int i = 0; i < 40; i++, another_flow(b))
		text(b, ISN, "{");
	b->packet.sport = 40001;
	assert_int_equal(text(b, ISN + 40, LOGIN), VERDICT_CLEAR);	/* its body */
	bed_free(b);
}

/* Floods of flows that begin and do not go on: memory stays as it is, and who was judged and goes on is known. */
static void test_floods(void **state)
{
	static const struct { const char *bytes; size_t len; uint8_t proto, flags; uint16_t port; } kinds[] = {
		{ "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half", 15, 6, PACKET_ACK, 443 },
		{ "{\"id\":1,\"meth", 13, 6, PACKET_ACK, 3333 },
		{ "data in a SYN", 13, 6, PACKET_SYN, 443 },
		{ "\x91what no inspector knows", 24, 17, 0, 27015 },
		{ "\xc3\0\0\0\1\x08quiccid!\0\0\x44\x00", 18, 17, 0, 443 },
	};

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct bed *b = bed_new(NULL);
		struct packet known = b->packet;
		size_t before;

		assert_int_equal(text(b, ISN, LOGIN), VERDICT_BLOCK);
		b->packet.sport = 40001;
		assert_int_equal(text(b, ISN, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), VERDICT_CLEAR);
		before = mallinfo2().uordblks + mallinfo2().hblkhd;
		for (uint32_t i = 0; i < 20000; i++) {
			b->packet.src[12] = 10;
			b->packet.src[13] = (uint8_t)(i >> 8);
			b->packet.src[14] = (uint8_t)i;
			b->packet.proto = kinds[k].proto;
			b->packet.tcp_flags = kinds[k].flags;
			b->packet.dport = kinds[k].port;
			b->now += i % 8 == 0;
			put(b, ISN, kinds[k].bytes, kinds[k].len);
			assert_true(pipeline_flows(b->p) <= 1024);
			if (i % 500)
				continue;
			b->packet = known;
			assert_int_equal(text(b, ISN + 400, "more"), VERDICT_BLOCK);
			b->packet.sport = 40001;
			assert_int_equal(text(b, ISN + 400, "more"), VERDICT_CLEAR);
		}
		assert_int_equal(mallinfo2().uordblks + mallinfo2().hblkhd, before);
		bed_free(b);
	}
}

static void test_monitor(void **state)
{
	struct bed *b = bed_new("version: 1\nmode: monitor\nblock:\n  names: [pool.example]\n");

	(void)state;
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_CLEAR);
	assert_true(b->o.event);
	assert_int_equal(b->o.decision.action, ACTION_MONITOR);
	text(b, ISN + LEN(LOGIN), SUBMIT);
	assert_int_equal(b->events, 1);
	another_flow(b);
	text(b, ISN, HEAD("pool.example"));
	text(b, ISN + LEN(HEAD("pool.example")), HEAD("pool.example"));
	assert_int_equal(b->events, 2);
	bed_free(b);
}

static void test_addresses(void **state)
{
	struct bed *b = bed_new(names_policy);

	(void)state;
	b->packet.dst[15] = 9;
	assert_int_equal(text(b, ISN, "x"), VERDICT_BLOCK);
	assert_int_equal(b->o.decision.evidence, EVIDENCE_ADDRESS);
	assert_int_equal(text(b, ISN, "x"), VERDICT_BLOCK);
	assert_int_equal(b->events, 1);
	b->packet.src[15] = 99;
	assert_int_equal(text(b, ISN, LOGIN), VERDICT_CLEAR);
	assert_int_equal(b->o.reason, REASON_EXEMPT);
	assert_int_equal(b->events, 1);
	bed_free(b);
}

/* A port that is used again is a new connection at a sequence number of its own. */
static void test_port_again(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		b->now += 60000;
		assert_int_not_equal(text(b, ISN + i * 20000000, "metric 1 2\n"), VERDICT_BLOCK);
	}
	b->now += 60000;
	assert_int_equal(text(b, ISN + 50 * 20000000u, LOGIN), VERDICT_BLOCK);
	b->now += 16 * 60000;
	assert_int_not_equal(text(b, ISN + 51 * 20000000u, "metric 1 2\n"), VERDICT_BLOCK);
	bed_free(b);
}

/* A single flow must not cost more than its bytes are worth, however it is cut. */
static void test_work(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	text(b, ISN, "{\"a\":[");
	for (uint32_t i = 6; i < 16000; i++)
		assert_int_not_equal(put(b, ISN + i, i % 2 ? "," : "1", 1), VERDICT_BLOCK);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_start_is_seldom_asked),
		cmocka_unit_test(test_start_below),
		cmocka_unit_test(test_start_of_another_connection),
		cmocka_unit_test(test_start_outlives_a_far_segment),
		cmocka_unit_test(test_start_with_syn_data),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_reversed),
		cmocka_unit_test(test_overlapped),
		cmocka_unit_test(test_decoy_before),
		cmocka_unit_test(test_decoy_bytes),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_decoys_far),
		cmocka_unit_test(test_decoy_below),
		cmocka_unit_test(test_prelude),
		cmocka_unit_test(test_contradiction),
		cmocka_unit_test(test_weaker_first), cmocka_unit_test(test_bad_checksum),
		cmocka_unit_test(test_syn_data),
		cmocka_unit_test(test_older), cmocka_unit_test(test_older_turned),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_other_messages),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_login_behind_head),
		cmocka_unit_test(test_prelude_lines),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_websocket),
		cmocka_unit_test(test_upgrade_refused),
		cmocka_unit_test(test_http2),
		cmocka_unit_test(test_getwork),
		cmocka_unit_test(test_behind_body),
		cmocka_unit_test(test_memory_taken),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_monitor),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_port_again),
		cmocka_unit_test(test_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
