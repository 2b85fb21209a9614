// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/lookup through the pipeline: each DNS packet judged by itself, answers believed only to questions that were seen, and
 * TLS without a name judged by them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/answers.h"
#include "daemon/pipeline.h"
#include "daemon/reach.h"

#define BLOCK "version: 1\nmode: enforce\nblock: {names: [pool.example]}\n"
#define LEARN BLOCK "detect: {dns: monitor}\n"

static const uint64_t secret[2] = { 5, 6 };

struct bed {
	struct pipeline *p;
	struct policy *policy;
	struct answers *answers;
	struct reach *reach;
	struct packet packet;
	struct outcome o;
	uint64_t now;
	uint8_t bytes[30000];
	size_t len;
};

static struct policy *policy_of(const char *text)
{
	char path[] = "/tmp/test_lookup.XXXXXX";
	struct policy_error error;
	struct policy *p;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	p = policy_load(path, &error);
	unlink(path);
	if (!p)
		fail_msg("%s", error.text);
	return p;
}

static struct bed *bed_new(const char *policy)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct pipeline_config config = { .flows = 256, .reassembly = 1 << 20, .key = { 1, 2 } };

	assert_non_null(b);
	b->policy = policy_of(policy);
	b->answers = config.answers = answers_new(secret);
	b->reach = config.reach = reach_new();
	b->p = pipeline_new(&config);
	assert_non_null(b->p);
	pipeline_policy(b->p, b->policy);
	b->now = 1000000;
	b->packet = (struct packet){ .family = 4, .proto = 17, .sport = 40000, .dport = 53,
				     .src = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .dst = { [10] = 0xff, 0xff, 8, 8, 8, 8 } };
	return b;
}

static void bed_free(struct bed *b)
{
	pipeline_free(b->p);
	policy_free(b->policy);
	answers_free(b->answers);
	reach_free(b->reach);
	free(b);
}

static void u16(struct bed *b, unsigned v)
{
	b->bytes[b->len++] = (uint8_t)(v >> 8);
	b->bytes[b->len++] = (uint8_t)v;
}

static void name(struct bed *b, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");

		b->bytes[b->len++] = (uint8_t)n;
		memcpy(b->bytes + b->len, text, n);
		b->len += n;
		text += n + (text[n] == '.');
	}
	b->bytes[b->len++] = 0;
}

static void question(struct bed *b, unsigned id, unsigned flags, const char *text, unsigned answers)
{
	u16(b, id);
	u16(b, flags);
	u16(b, 1);
	u16(b, answers);
	u16(b, 0);
	u16(b, 0);
	name(b, text);
	u16(b, 1);
	u16(b, 1);
}

/* Hands on what is in `bytes`, from a heap block of its size, in the direction said. */
static enum verdict send(struct bed *b, bool reply)
{
	struct packet k = b->packet;
	uint8_t *block = malloc(b->len);

	assert_non_null(block);
	memcpy(block, b->bytes, b->len);
	if (reply) {
		memcpy(k.src, b->packet.dst, 16);
		memcpy(k.dst, b->packet.src, 16);
		k.sport = b->packet.dport;
		k.dport = b->packet.sport;
		k.origin = ORIGIN_REPLY;
		k.mac_known = false;
	}
	k.payload = block;
	k.payload_len = k.payload_wire = b->len;
	b->o = pipeline_packet(b->p, &k, b->now);
	free(block);
	b->len = 0;
	return b->o.verdict;
}

static enum verdict ask(struct bed *b, unsigned id, const char *text)
{
	b->len = 0;
	question(b, id, 0x0100, text, 0);
	return send(b, false);
}

/* An answer that gives 198.51.100.`last`, through an alias if there is one. */
static void put_answer(struct bed *b, unsigned id, const char *text, const char *alias, unsigned last)
{
	b->len = 0;
	question(b, id, 0x8180, text, alias ? 2 : 1);
	if (alias) {
		name(b, text);
		u16(b, 5);
		u16(b, 1);
		u16(b, 0);
		u16(b, 60);
		u16(b, (unsigned)strlen(alias) + 2);
		name(b, alias);
	}
	name(b, alias ? alias : text);
	u16(b, 1);
	u16(b, 1);
	u16(b, 0);
	u16(b, 60);
	u16(b, 4);
	u16(b, 198 << 8 | 51);
	u16(b, 100 << 8 | last);
}

static enum verdict tell(struct bed *b, unsigned id, const char *text, const char *alias, unsigned last)
{
	put_answer(b, id, text, alias, last);
	return send(b, true);
}

/* A whole ClientHello without SNI to 198.51.100.`last`. */
static enum verdict hello(struct bed *b, unsigned last)
{
	static const uint8_t record[] = {
		0x16, 3, 1, 0, 0x2d, 1, 0, 0, 0x29, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
		23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0, 2, 0x13, 1, 1, 0,
	};
	struct packet was = b->packet;
	enum verdict v;

	b->packet.proto = 6;
	b->packet.tcp_flags = PACKET_ACK;
	b->packet.dport = 443;
	b->packet.sport = (uint16_t)(50000 + b->now % 1000 + last);
	memcpy(b->packet.dst + 12, "\xc6\x33\x64", 3);
	b->packet.dst[15] = (uint8_t)last;
	memcpy(b->bytes, record, sizeof(record));
	b->len = sizeof(record);
	v = send(b, false);
	b->packet = was;
	return v;
}

static void test_one_socket(void **state)
{
	struct bed *b = bed_new(BLOCK);

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(ask(b, i, "www.example"), VERDICT_ACCEPT);
		assert_int_equal(b->o.facts->n_names, 1);
		assert_int_equal(b->o.app, APP_DNS);
		assert_int_equal(ask(b, i, "Eu.PooL.example"), VERDICT_DROP);
		assert_false(b->o.refuse);
		assert_int_equal(b->o.event, i == 0);
		assert_true(i > 0 || b->o.decision.scope == SCOPE_FLOW);
	}
	assert_int_equal(pipeline_flows(b->p), 0);	/* no place of a flow is taken */
	b->now += 60000;
	assert_int_equal(ask(b, 1, "eu.pool.example"), VERDICT_DROP);
	assert_true(b->o.event);
	assert_int_equal(b->o.repeats, 49);
	b->packet.src[15]++;
	assert_int_equal(ask(b, 1, "eu.pool.example"), VERDICT_DROP);
	assert_true(b->o.event);		/* another host */
	bed_free(b);
}

static void test_refused(void **state)
{
	struct bed *b = bed_new(BLOCK "detect: {dns: {answer: refused}}\n");

	(void)state;
	assert_int_equal(ask(b, 7, "pool.example"), VERDICT_DROP);
	assert_true(b->o.refuse);
	assert_int_equal(b->o.facts->dns.id, 7);
	assert_int_equal(b->o.facts->dns.question.len, 18);
	ask(b, 8, "www.example");
	assert_int_equal(tell(b, 8, "www.example", "pool.example", 1), VERDICT_DROP);
	assert_true(b->o.refuse);
	assert_int_equal(b->o.subject.sport, 40000);
	bed_free(b);
}

/* What is no DNS message goes the way of any UDP flow; a stray answer makes none. */
static void test_other(void **state)
{
	struct bed *b = bed_new(BLOCK);

	(void)state;
	memset(b->bytes, 0xaa, 100);
	b->len = 100;
	assert_int_equal(send(b, false), VERDICT_CLEAR);
	assert_int_equal(pipeline_flows(b->p), 1);
	assert_int_equal(ask(b, 1, "pool.example"), VERDICT_DROP);
	memset(b->bytes, 0x80, 100);
	b->len = 100;
	b->packet.sport++;
	assert_int_equal(send(b, true), VERDICT_ACCEPT);
	assert_int_equal(pipeline_flows(b->p), 1);
	b->packet.dport = 5353;
	assert_int_equal(ask(b, 1, "pool.example"), VERDICT_CLEAR);	/* not its port */
	bed_free(b);
}

static void test_alias(void **state)
{
	struct bed *b = bed_new(BLOCK);

	(void)state;
	assert_int_equal(ask(b, 1, "www.example"), VERDICT_ACCEPT);
	assert_int_equal(tell(b, 1, "www.example", "x.pool.example", 1), VERDICT_DROP);
	assert_true(b->o.event);
	assert_int_equal(b->o.decision.name->text.len, strlen("x.pool.example"));
	assert_int_equal(tell(b, 1, "www.example", "x.pool.example", 1), VERDICT_DROP);
	assert_false(b->o.event);
	bed_free(b);
	b = bed_new(BLOCK "allow: {names: [www.example]}\n");
	ask(b, 1, "www.example");
	assert_int_equal(tell(b, 1, "www.example", "x.pool.example", 1), VERDICT_ACCEPT);
	assert_int_equal(b->o.n_harmless, 1);
	bed_free(b);
}

static void test_learn(void **state)
{
	struct bed *b = bed_new(LEARN);

	(void)state;
	assert_int_equal(hello(b, 7), VERDICT_CLEAR);
	b->now++;
	assert_int_equal(ask(b, 1, "pool.example"), VERDICT_ACCEPT);
	assert_true(b->o.event);
	assert_int_equal(tell(b, 1, "pool.example", NULL, 7), VERDICT_ACCEPT);
	assert_int_equal(b->o.n_harmless, 0);
	assert_int_equal(hello(b, 7), VERDICT_BLOCK);
	assert_true(b->o.event);
	assert_int_equal(b->o.app, APP_TLS);
	assert_int_equal(b->o.decision.name->kind, NAME_DNS);
	assert_int_equal(b->o.decision.scope, SCOPE_PAIR);
	assert_int_equal(hello(b, 8), VERDICT_CLEAR);
	b->packet.src[15]++;
	assert_int_equal(hello(b, 7), VERDICT_CLEAR);	/* another client */
	b->packet.src[15]--;
	b->now += 60002;
	assert_int_equal(hello(b, 7), VERDICT_CLEAR);	/* over */
	bed_free(b);
}

static void test_shared(void **state)
{
	struct bed *b = bed_new(LEARN);

	(void)state;
	ask(b, 1, "pool.example");
	tell(b, 1, "pool.example", NULL, 7);
	ask(b, 2, "www.example");
	assert_int_equal(tell(b, 2, "www.example", NULL, 7), VERDICT_ACCEPT);
	assert_int_equal(b->o.n_harmless, 1);
	assert_int_equal(b->o.harmless[0].addr[15], 7);
	assert_int_equal(hello(b, 7), VERDICT_CLEAR);
	bed_free(b);
}

/* Nobody asked for it, or for something else, or long ago: it teaches nothing and unlearns nothing. */
static void test_unasked(void **state)
{
	struct bed *b = bed_new(LEARN);

	(void)state;
	tell(b, 1, "pool.example", NULL, 7);
	ask(b, 1, "pool.example");
	tell(b, 2, "pool.example", NULL, 7);
	tell(b, 1, "x.pool.example", NULL, 7);
	b->packet.sport++;
	tell(b, 1, "pool.example", NULL, 7);
	b->packet.sport--;
	assert_int_equal(hello(b, 7), VERDICT_CLEAR);
	tell(b, 1, "www.example", NULL, 9);
	assert_int_equal(b->o.n_harmless, 0);
	b->now += 40000;
	tell(b, 1, "pool.example", NULL, 7);
	assert_int_equal(hello(b, 7), VERDICT_CLEAR);
	bed_free(b);
}

/* A name that is listed later cuts what was accepted before. */
static void test_rejudge(void **state)
{
	struct bed *b = bed_new("version: 1\nmode: enforce\n");
	struct policy *old = b->policy;
	struct outcome out;
	uint32_t cursor = 0;

	(void)state;
	ask(b, 1, "pool.example");
	tell(b, 1, "pool.example", NULL, 7);
	assert_int_equal(hello(b, 7), VERDICT_CLEAR);
	b->policy = policy_of(BLOCK);
	pipeline_policy(b->p, b->policy);
	assert_true(pipeline_rejudge(b->p, &cursor, 256, b->now, 0, &out));
	assert_int_equal(out.verdict, VERDICT_BLOCK);
	assert_int_equal(out.subject.dport, 443);
	b->now++;
	assert_int_equal(hello(b, 7), VERDICT_BLOCK);
	policy_free(old);
	bed_free(b);
}

/* ---- TCP ---- */

static void frame(struct bed *b, size_t from)
{
	size_t len = b->len - from;

	memmove(b->bytes + from + 2, b->bytes + from, len);
	b->bytes[from] = (uint8_t)(len >> 8);
	b->bytes[from + 1] = (uint8_t)len;
	b->len += 2;
}

static struct bed *tcp_bed(const char *policy)
{
	struct bed *b = bed_new(policy);

	b->packet.proto = 6;
	b->packet.tcp_flags = PACKET_ACK;
	b->packet.seq = 1000;
	return b;
}

/* Any number of queries on one connection, far beyond what is kept of a stream; then a listed one, cut in two. */
static void test_stream(void **state)
{
	struct bed *b = tcp_bed(BLOCK);
	uint32_t sent = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		question(b, i, 0x0100, "www.harmless.example", 0);
		frame(b, 0);
		sent += (uint32_t)b->len;
		assert_int_equal(send(b, false), VERDICT_ACCEPT);
		assert_int_equal(b->o.facts->n_names, 1);
		b->packet.seq = 1000 + sent;
	}
	question(b, 1, 0x0100, "pool.example", 0);
	frame(b, 0);
	sent = (uint32_t)b->len;
	b->len = 20;
	assert_int_equal(send(b, false), VERDICT_ACCEPT);
	question(b, 1, 0x0100, "pool.example", 0);
	frame(b, 0);
	memmove(b->bytes, b->bytes + 20, sent - 20);
	b->len = sent - 20;
	b->packet.seq += 20;
	assert_int_equal(send(b, false), VERDICT_BLOCK);
	assert_true(b->o.event);
	assert_int_equal(b->o.decision.scope, SCOPE_FLOW);
	bed_free(b);
}

/* Behind as many queries as fit into a segment a listed one is still found. */
static void test_pipelined(void **state)
{
	struct bed *b = tcp_bed(BLOCK);

	(void)state;
	while (b->len < 15000) {
		size_t at = b->len;
		char text[40];

		snprintf(text, sizeof(text), "n%zu.harmless.example", at);
		question(b, 1, 0x0100, text, 0);
		frame(b, at);
	}
	size_t at = b->len;
	question(b, 1, 0x0100, "pool.example", 0);
	frame(b, at);
	assert_int_equal(send(b, false), VERDICT_BLOCK);
	bed_free(b);
}

static void test_tcp_answers(void **state)
{
	struct bed *b = tcp_bed(LEARN);
	uint32_t seq = 5000;

	(void)state;
	question(b, 1, 0x0100, "pool.example", 0);
	frame(b, 0);
	assert_int_equal(send(b, false), VERDICT_ACCEPT);
	for (unsigned cut = 1; cut < 40; cut += 13) {	/* the answer in two segments */
		size_t whole;

		put_answer(b, 1, "pool.example", NULL, cut);
		frame(b, 0);
		whole = b->len;
		b->len = cut;
		b->packet.seq = seq;
		assert_int_equal(send(b, true), VERDICT_ACCEPT);
		put_answer(b, 1, "pool.example", NULL, cut);
		frame(b, 0);
		memmove(b->bytes, b->bytes + cut, whole - cut);
		b->len = whole - cut;
		b->packet.seq = seq + cut;
		assert_int_equal(send(b, true), VERDICT_ACCEPT);
		seq += (uint32_t)whole;
		assert_int_equal(hello(b, cut), VERDICT_BLOCK);
	}
	bed_free(b);
	b = tcp_bed(BLOCK);
	question(b, 1, 0x0100, "www.example", 0);
	frame(b, 0);
	send(b, false);
	put_answer(b, 1, "www.example", "pool.example", 1);
	frame(b, 0);
	assert_int_equal(send(b, true), VERDICT_BLOCK);
	assert_true(b->o.event);
	bed_free(b);
	/* a rule that ends it in silence: no segment of the server brings a reset */
	b = tcp_bed("version: 1\nmode: enforce\nrules: [{name: quiet, to: {names: [pool.example]}, action: block, reset: false}]\n");
	question(b, 1, 0x0100, "www.example", 0);
	frame(b, 0);
	send(b, false);
	for (unsigned i = 0; i < 2; i++) {
		put_answer(b, 1, "www.example", "pool.example", 1);
		frame(b, 0);
		assert_int_equal(send(b, true), VERDICT_DROP);
		assert_int_equal(b->o.event, i == 0);
	}
	bed_free(b);
}

/* Stratum and unknown bytes on TCP 53 are judged as anywhere; a server's bytes there decide nothing. */
static void test_tcp_other(void **state)
{
	static const char login[] = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"a\"]}\n";
	struct bed *b = tcp_bed(BLOCK);

	(void)state;
	b->len = sizeof(login) - 1;
	memcpy(b->bytes, login, b->len);
	assert_int_equal(send(b, true), VERDICT_ACCEPT);
	b->len = sizeof(login) - 1;
	memcpy(b->bytes, login, b->len);
	assert_int_equal(send(b, false), VERDICT_BLOCK);
	assert_int_equal(b->o.decision.evidence, EVIDENCE_PROTOCOL);
	bed_free(b);
}

static void test_telltale(void **state)
{
	struct bed *b = bed_new("version: 1\nmode: enforce\n");

	(void)state;
	assert_int_equal(ask(b, 1, "Donate.V2.xmrig.com"), VERDICT_DROP);
	assert_true(b->o.event && b->o.decision.telltale);
	assert_string_equal(b->o.decision.entry, "donate.*.xmrig.com");
	assert_int_equal(ask(b, 1, "a.donate.ssl.xmrig.com"), VERDICT_DROP);
	assert_int_equal(ask(b, 1, "donate.xmrig.com"), VERDICT_ACCEPT);
	assert_int_equal(ask(b, 1, "xdonate.v2.xmrig.com"), VERDICT_ACCEPT);
	assert_int_equal(ask(b, 1, "xmrig.com"), VERDICT_ACCEPT);
	bed_free(b);
	b = bed_new("version: 1\nmode: enforce\nallow: {names: [donate.v2.xmrig.com]}\n");
	assert_int_equal(ask(b, 1, "donate.v2.xmrig.com"), VERDICT_ACCEPT);
	assert_false(b->o.event);
	bed_free(b);
}

/* A host that a rule exempts asks what it likes, and what it learns says nothing of others. */
static void test_exempt(void **state)
{
	struct bed *b = bed_new(BLOCK "rules: [{name: lab, from: [192.0.2.1], action: allow}]\n");

	(void)state;
	assert_int_equal(ask(b, 1, "pool.example"), VERDICT_ACCEPT);
	assert_false(b->o.event);
	assert_int_equal(tell(b, 1, "pool.example", NULL, 7), VERDICT_ACCEPT);
	assert_int_equal(b->o.n_harmless, 0);
	b->packet.src[15]++;
	assert_int_equal(ask(b, 1, "pool.example"), VERDICT_DROP);
	bed_free(b);
}

/* An answer's own packet comes in by the server's interface: the question tells by which one its client did. */
static void test_interface(void **state)
{
	struct bed *b = bed_new(BLOCK "rules: [{name: lab, from: [\"if:lab0\"], action: allow}]\n");

	(void)state;
	b->packet.interface = "lab0";
	assert_int_equal(ask(b, 1, "www.example"), VERDICT_ACCEPT);
	assert_int_equal(tell(b, 1, "www.example", "pool.example", 7), VERDICT_ACCEPT);
	bed_free(b);
	b = bed_new("version: 1\nmode: enforce\n"
		    "rules: [{name: guests, from: [\"if:guest0\"], to: {names: [pool.example]}, action: block}]\n");
	b->packet.interface = "guest0";
	assert_int_equal(ask(b, 1, "www.example"), VERDICT_ACCEPT);
	assert_int_equal(tell(b, 1, "www.example", "pool.example", 7), VERDICT_DROP);
	b->packet.interface = "lan0";
	assert_int_equal(ask(b, 2, "www.example"), VERDICT_ACCEPT);
	assert_int_equal(tell(b, 2, "www.example", "pool.example", 7), VERDICT_ACCEPT);
	bed_free(b);
}

#define KEPT BLOCK "quarantine: {mode: manual, names: [updates.example, \"*.cdn.example\", x.pool.example]}\n"

/* Who is in quarantine: 192.0.2.1 until 600 s later, and a MAC. */
static void keep(struct bed *b)
{
	static const struct table_device devices[] = {
		{ .family = 4, .address = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .left_s = 600 },
		{ .by_mac = true, .mac = { 2, 0, 0, 0, 0, 7 }, .left_s = 600 },
	};

	reach_keep(b->reach, b->policy, devices, 2, b->now);
}

/* Does an answer for this name open what it gives? */
static bool opens(struct bed *b, const char *text, const char *alias)
{
	ask(b, 9, text);
	tell(b, 9, text, alias, 7);
	assert_true(!b->o.n_opened || (b->o.n_opened == 1 && b->o.opened[0].addr[15] == 7));
	return b->o.n_opened;
}

/* Names of the policy, through their aliases, asked for by a device while it is in quarantine: nothing else opens anything. */
static void test_quarantine(void **state)
{
	struct bed *b = bed_new(KEPT);

	(void)state;
	assert_false(opens(b, "updates.example", NULL));
	ask(b, 1, "updates.example");
	keep(b);
	tell(b, 1, "updates.example", NULL, 7);	/* asked before: of whom, nobody held it to */
	assert_int_equal(b->o.n_opened, 0);
	assert_true(opens(b, "updates.example", NULL));
	assert_true(opens(b, "A.Updates.Example", "edge.harmless.example"));
	assert_true(opens(b, "a.cdn.example", NULL));
	assert_false(opens(b, "cdn.example", NULL));
	assert_false(opens(b, "harmless.example", "updates.example"));
	assert_false(opens(b, "x.pool.example", NULL));	/* blocked all the same */
	assert_false(opens(b, "updates.example", "pool.example"));
	tell(b, 3, "updates.example", NULL, 7);	/* unasked */
	assert_int_equal(b->o.n_opened, 0);
	b->packet.src[15] = 2;
	assert_false(opens(b, "updates.example", NULL));
	b->packet.mac_known = true;
	memcpy(b->packet.mac, "\2\0\0\0\0\7", 6);
	assert_true(opens(b, "updates.example", NULL));
	b->now += 600 * 1000;
	assert_false(opens(b, "updates.example", NULL));
	bed_free(b);
}

/* Once for each address and life, between a minute and an hour, not more than there is room for, by the policy that runs. */
static void test_reach(void **state)
{
	struct bed *b = bed_new(KEPT);
	uint8_t address[16] = { [10] = 0xff, 0xff, 198, 51 };
	uint32_t life;

	(void)state;
	keep(b);
	assert_true(reach_opens(b->reach, b->policy, address, 5, b->now, &life));
	assert_int_equal(life, 60);
	assert_false(reach_opens(b->reach, b->policy, address, 60, b->now + 500, &life));
	assert_true(reach_opens(b->reach, b->policy, address, 86400, b->now, &life));
	assert_int_equal(life, 3600);
	assert_false(reach_opens(b->reach, b->policy, address, 60, b->now, &life));
	assert_false(reach_opens(b->reach, NULL, address, 86400, b->now + 10000, &life));
	assert_false(reach_is_kept(b->reach, NULL, b->packet.src, NULL, b->now));
	reach_forget(b->reach);
	for (unsigned i = 0; i < TABLE_ADMITTED_MAX; i++) {
		address[14] = (uint8_t)(i >> 8);
		address[15] = (uint8_t)i;
		assert_true(reach_opens(b->reach, b->policy, address, 100, b->now, &life));
	}
	address[13]++;
	assert_false(reach_opens(b->reach, b->policy, address, 100, b->now, &life));
	assert_true(reach_opens(b->reach, b->policy, address, 100, b->now + 100 * 1000, &life));
	reach_keep(b->reach, b->policy, NULL, 0, b->now);
	assert_false(reach_is_kept(b->reach, b->policy, b->packet.src, NULL, b->now));
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_socket), cmocka_unit_test(test_refused), cmocka_unit_test(test_other),
		cmocka_unit_test(test_alias), cmocka_unit_test(test_learn), cmocka_unit_test(test_shared),
		cmocka_unit_test(test_unasked), cmocka_unit_test(test_rejudge), cmocka_unit_test(test_stream),
		cmocka_unit_test(test_pipelined), cmocka_unit_test(test_tcp_answers), cmocka_unit_test(test_tcp_other),
		cmocka_unit_test(test_telltale), cmocka_unit_test(test_exempt), cmocka_unit_test(test_interface),
		cmocka_unit_test(test_quarantine), cmocka_unit_test(test_reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
