// SPDX-License-Identifier: GPL-2.0-or-later
/* inspect/dns: messages as resolvers, servers and attackers send them. What belongs to the question is found in any
 * order; what does not, never. */
#include "tests/unit/feed.h"

#include <time.h>

#include "inspect/dns.h"

/* A message in the making. */
struct wire {
	uint8_t bytes[70000];
	size_t len;
};

static struct wire w;
static struct facts facts;
static struct inspect_scratch scratch;

static void u8(unsigned v)
{
	w.bytes[w.len++] = (uint8_t)v;
}

static void u16(unsigned v)
{
	u8(v >> 8);
	u8(v & 0xff);
}

static void header(unsigned flags, unsigned qd, unsigned an, unsigned ar)
{
	w.len = 0;
	u16(0xbeef);
	u16(flags);
	u16(qd);
	u16(an);
	u16(0);
	u16(ar);
}

/* "a.b" as labels; "@12" ends in a pointer to 12. */
static void name(const char *text)
{
	while (*text && *text != '@') {
		size_t n = strcspn(text, ".@");

		u8((unsigned)n);
		memcpy(w.bytes + w.len, text, n);
		w.len += n;
		text += n + (text[n] == '.');
	}
	if (*text == '@')
		u16(0xc000u | (unsigned)atoi(text + 1));
	else
		u8(0);
}

static void question(const char *text, unsigned type)
{
	name(text);
	u16(type);
	u16(1);
}

static size_t record(const char *owner, unsigned type, uint32_t ttl)
{
	name(owner);
	u16(type);
	u16(1);
	u16(ttl >> 16);
	u16(ttl & 0xffff);
	u16(0);
	return w.len;
}

static void record_end(size_t start)
{
	w.bytes[start - 2] = (uint8_t)((w.len - start) >> 8);
	w.bytes[start - 1] = (uint8_t)(w.len - start);
}

static void cname(const char *owner, const char *target)
{
	size_t at = record(owner, 5, 300);

	name(target);
	record_end(at);
}

static void address(const char *owner, unsigned last, uint32_t ttl)
{
	size_t at = record(owner, 1, ttl);

	u8(192);
	u8(0);
	u8(2);
	u8(last);
	record_end(at);
}

/* The message in a heap block of its own size. */
static enum inspect_result read_it(void)
{
	uint8_t *block = malloc(w.len ? w.len : 1);
	enum inspect_result r;

	assert_non_null(block);
	memcpy(block, w.bytes, w.len);
	facts.n_names = 0;
	scratch.used = 0;
	r = dns_message((struct view){ block, w.len }, &scratch, &facts);
	free(block);
	return r;
}

static void is_name(unsigned i, const char *text, bool matchable)
{
	assert_true(i < facts.n_names);
	feed_view(facts.names[i].text, text);
	assert_int_equal(facts.names[i].kind, NAME_DNS);
	assert_int_equal(facts.names[i].matchable, matchable);
}

static void test_query(void **state)
{
	(void)state;
	header(0x0100, 1, 0, 0);
	question("PoOl.Example.cOm", 28);
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_int_equal(facts.n_names, 1);
	is_name(0, "PoOl.Example.cOm", true);
	assert_false(facts.dns.response);
	assert_true(facts.dns.recursion);
	assert_false(facts.dns.edns);
	assert_int_equal(facts.dns.id, 0xbeef);
	assert_int_equal(facts.dns.type, 28);
	assert_int_equal(facts.dns.question.len, w.len - 12);
	assert_int_equal(facts.app, APP_DNS);
	u8(0);		/* a server answers this, too */
	assert_int_equal(read_it(), INSPECT_MATCH);
}

static void test_edns(void **state)
{
	(void)state;
	header(0x0120, 1, 0, 1);
	question("a.example", 1);
	record_end(record("", 41, 0));
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_true(facts.dns.edns);
	assert_int_equal(facts.dns.n_answers, 0);
}

static void test_odd_names(void **state)
{
	(void)state;
	header(0, 1, 0, 0);
	question("", 2);
	assert_int_equal(read_it(), INSPECT_MATCH);
	is_name(0, ".", false);
	header(0, 1, 0, 0);
	u8(3);
	u8('a');
	u8('.');
	u8('b');
	name("example");
	u16(1);
	u16(1);
	assert_int_equal(read_it(), INSPECT_MATCH);
	is_name(0, "a\\.b.example", false);
	header(0, 1, 0, 0);
	question("a b.example", 1);
	assert_int_equal(read_it(), INSPECT_MATCH);
	is_name(0, "a b.example", false);
	header(0, 1, 0, 0);
	question("_443._https.pool.example", 65);
	assert_int_equal(read_it(), INSPECT_MATCH);
	is_name(0, "_443._https.pool.example", true);
}

static void test_long_names(void **state)
{
	static const char l63[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char text[300];

	(void)state;
	snprintf(text, sizeof(text), "%s.%s.%s.%.61s", l63, l63, l63, l63);	/* 255 bytes on the wire */
	header(0, 1, 0, 0);
	question(text, 1);
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_int_equal(facts.names[0].text.len, 253);
	snprintf(text, sizeof(text), "%s.%s.%s.%.62s", l63, l63, l63, l63);
	header(0, 1, 0, 0);
	question(text, 1);
	assert_int_equal(read_it(), INSPECT_NO);
	assert_int_equal(facts.n_names, 0);
	assert_int_equal(scratch.used, 0);
}

static void test_no_message(void **state)
{
	(void)state;
	header(0x0100, 0, 0, 0);
	assert_int_equal(read_it(), INSPECT_NO);
	header(0x2800, 1, 0, 0);	/* an update */
	question("a.example", 1);
	assert_int_equal(read_it(), INSPECT_NO);
	header(0x0100, 1, 0, 0);
	name("@12");			/* leads to itself */
	u16(1);
	u16(1);
	assert_int_equal(read_it(), INSPECT_NO);
	header(0x0100, 1, 0, 0);
	name("a@14");
	u16(1);
	u16(1);
	assert_int_equal(read_it(), INSPECT_NO);
	header(0x0100, 1, 0, 0);
	u8(0x40);			/* a label type that never was */
	u16(0);
	u16(0);
	u16(0);
	assert_int_equal(read_it(), INSPECT_NO);
}

/* Every cut of a message is no message or a message, never an overread. */
static void test_cuts(void **state)
{
	size_t whole;

	(void)state;
	header(0x8180, 1, 2, 0);
	question("www.example", 1);
	cname("@12", "pool.example");
	address("pool.example", 1, 60);
	for (whole = w.len; w.len > 0; w.len--)
		assert_int_equal(read_it(), w.len < 12 + 17 ? INSPECT_NO : INSPECT_MATCH);
	w.len = whole;
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_int_equal(facts.dns.n_answers, 1);
}

static void test_several_questions(void **state)
{
	(void)state;
	header(0, 3, 0, 0);
	question("a.example", 1);
	question("pool@14", 1);
	question("c.example", 1);
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_int_equal(facts.n_names, 3);
	is_name(1, "pool.example", true);
	assert_int_equal(facts.dns.question.len, 0);
	header(0, 65535, 0, 0);
	for (int i = 0; i < 1000; i++)
		question("a.example", 1);
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_int_equal(facts.n_names, 1);
}

/* The chain's records in the wrong order, and records that belong to nobody. */
static void test_chain(void **state)
{
	(void)state;
	header(0x8180, 1, 6, 1);
	question("www.example", 1);
	address("pool.test", 7, 0x80000001u);
	address("elsewhere.test", 8, 60);
	cname("elsewhere.test", "evil.test");
	cname("cdn.TEST", "Pool.test");
	cname("@12", "cdn.test");
	address("evil.test", 9, 60);
	address("pool.TEST", 10, 4000000);
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_true(facts.dns.response);
	assert_int_equal(facts.n_names, 3);
	is_name(0, "www.example", true);
	is_name(1, "cdn.test", true);
	is_name(2, "Pool.test", true);
	assert_int_equal(facts.dns.n_answers, 2);
	assert_int_equal(facts.dns.answers[0].addr[15], 7);
	assert_int_equal(facts.dns.answers[0].addr[10], 0xff);
	assert_int_equal(facts.dns.answers[0].ttl_s, 0);
	assert_int_equal(facts.dns.answers[1].addr[15], 10);
	assert_int_equal(facts.dns.answers[1].ttl_s, 4000000);
}

static void test_dname(void **state)
{
	size_t at;

	(void)state;
	header(0x8180, 1, 2, 0);
	question("a.b.example", 1);
	at = record("example", 39, 60);
	name("pool.test");
	record_end(at);
	address("a.b.pool.test", 1, 60);
	assert_int_equal(read_it(), INSPECT_MATCH);
	is_name(1, "a.b.pool.test", true);
	assert_int_equal(facts.dns.n_answers, 1);
}

static void test_https(void **state)
{
	size_t at;

	(void)state;
	header(0x8180, 1, 2, 2);
	question("www.example", 65);
	at = record("@12", 65, 60);
	u16(1);
	name("");
	u16(1);		/* alpn */
	u16(3);
	u8(2);
	u16(0x6832);
	u16(4);
	u16(8);
	for (int i = 1; i <= 8; i++)
		u8((unsigned)i);
	u16(6);
	u16(16);
	for (int i = 1; i <= 16; i++)
		u8((unsigned)i);
	record_end(at);
	at = record("@12", 65, 60);
	u16(0);
	name("svc.test");
	record_end(at);
	address("svc.test", 5, 60);
	address("other.test", 6, 60);
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_int_equal(facts.n_names, 2);
	is_name(1, "svc.test", true);
	assert_int_equal(facts.dns.n_answers, 4);
	assert_int_equal(facts.dns.answers[1].addr[15], 8);
	assert_int_equal(facts.dns.answers[2].addr[0], 1);
	assert_int_equal(facts.dns.answers[3].addr[15], 5);
}

static void test_loops(void **state)
{
	(void)state;
	header(0x8180, 1, 3, 0);
	question("a.example", 1);
	cname("a.example", "b.example");
	cname("b.example", "a.example");
	cname("b.example", "b.example");
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_int_equal(facts.n_names, 2);
}

/* A pointer leads ahead, behind the question, where dnsmasq reads on; two that lead to each other end. */
static void test_ahead(void **state)
{
	static const uint8_t on[] = "\3bad\xc0\x16\0\1\0\1\7example";
	static const uint8_t round[] = "\3bad\xc0\x16\0\1\0\1\xc0\x0c";

	(void)state;
	header(0x0100, 1, 0, 0);
	memcpy(w.bytes + w.len, on, sizeof(on));
	w.len += sizeof(on);
	assert_int_equal(read_it(), INSPECT_MATCH);
	assert_int_equal(facts.n_names, 1);
	is_name(0, "bad.example", true);
	header(0x0100, 1, 0, 0);
	memcpy(w.bytes + w.len, round, sizeof(round) - 1);
	w.len += sizeof(round) - 1;
	assert_int_not_equal(read_it(), INSPECT_MATCH);
}

/* An attacker's server: as many records as fit, a chain backwards, a chain too long. It must cost next to nothing. */
static void test_floods(void **state)
{
	char owner[32], target[32];
	clock_t begin = clock();

	(void)state;
	header(0x8180, 1, 10000, 0);
	question("n0.example", 1);
	for (int i = 250; i > 0; i--) {
		snprintf(owner, sizeof(owner), "n%d.example", i - 1);
		snprintf(target, sizeof(target), "n%d.example", i);
		cname(owner, target);
	}
	while (w.len < 65000)
		address("@12", 1, 60);
	for (int i = 0; i < 100; i++)
		assert_int_equal(read_it(), INSPECT_MATCH);
	assert_true(facts.n_names <= FACTS_NAMES_MAX);
	assert_true(facts.dns.n_answers <= FACTS_ANSWERS_MAX);
	assert_true(clock() - begin < CLOCKS_PER_SEC);	/* 10 ms each; measured: below one */
}

/* -- over TCP ------------------------------------------------------------------------------------------------ */

static void frame(void)
{
	memmove(w.bytes + 2, w.bytes, w.len);
	w.bytes[0] = (uint8_t)(w.len >> 8);
	w.bytes[1] = (uint8_t)w.len;
	w.len += 2;
}

static void test_stream(void **state)
{
	static const struct feed dns = { SIDE_CLIENT, false, APP_DNS }, port = { .port = 53 }, last = { .port = 53, .ended = true };

	(void)state;
	header(0x0120, 1, 0, 1);
	question("pool.example", 1);
	record_end(record("", 41, 0));
	frame();
	for (size_t i = 1; i < w.len; i++)
		assert_int_equal(feed_as(port, w.bytes, i), INSPECT_MORE);
	assert_int_equal(feed("\0\x1d\xab\xcd", 4), INSPECT_NO);	/* elsewhere two bytes hold nothing open */
	assert_int_equal(feed(w.bytes, w.len), INSPECT_NO);
	assert_int_equal(feed_as(port, w.bytes, w.len + 5), INSPECT_MATCH);
	assert_int_equal(feed_facts.consumed, w.len);
	assert_int_equal(feed_facts.again, AGAIN_SAME);
	assert_int_equal(feed_facts.app, APP_DNS);
	feed_name(0, NAME_DNS, "pool.example", "pool.example");
	assert_int_equal(feed_as(dns, w.bytes, w.len), INSPECT_MATCH);
	assert_int_equal(feed_as(dns, "\0\1A\0\0", 5), INSPECT_MATCH);	/* junk between two queries is stepped over */
	assert_int_equal(feed_facts.consumed, 3);
	assert_int_equal(feed_facts.n_names, 0);
	assert_int_equal(feed_as(last, w.bytes, w.len - 3), INSPECT_MATCH);
	assert_int_equal(feed_as(last, w.bytes, 20), INSPECT_NO);
	w.bytes[4] |= 0x80;
	assert_int_equal(feed_as(port, w.bytes, w.len), INSPECT_NO);
	assert_int_equal(feed_as(dns, w.bytes, w.len), INSPECT_MATCH);
	assert_int_equal(feed_facts.n_names, 0);
}

/* A query padded beyond what is ever looked at is judged by its question. */
static void test_padded(void **state)
{
	size_t at;

	(void)state;
	header(0x0100, 1, 0, 1);
	question("pool.example", 1);
	at = record("", 41, 0);
	while (w.len < 60000)
		u8(0);
	record_end(at);
	frame();
	assert_int_equal(feed_as((struct feed){ .port = 53 }, w.bytes, 16000), INSPECT_MORE);
	assert_int_equal(feed_as((struct feed){ .port = 53 }, w.bytes, INSPECT_BYTES_MAX), INSPECT_MATCH);
	feed_name(0, NAME_DNS, "pool.example", "pool.example");
	assert_int_equal(feed_facts.again, AGAIN_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query), cmocka_unit_test(test_edns), cmocka_unit_test(test_odd_names),
		cmocka_unit_test(test_long_names), cmocka_unit_test(test_no_message), cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_several_questions), cmocka_unit_test(test_chain), cmocka_unit_test(test_dname),
		cmocka_unit_test(test_https), cmocka_unit_test(test_loops), cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_stream), cmocka_unit_test(test_padded),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
