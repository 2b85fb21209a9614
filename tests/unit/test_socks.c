// SPDX-License-Identifier: GPL-2.0-or-later
/* SOCKS preludes: every form, every cut, the bytes behind, and what must not be taken for SOCKS. */
#include "tests/unit/feed.h"

#include <arpa/inet.h>

#define GREET "\x05\x01\x00"
#define ASK_NAME "\x05\x01\x00\x03\x0cPool.Example\x0d\x05"
#define ASK_V4 "\x05\x01\x00\x01\xc6\x33\x64\x14\x01\xbb"
#define ASK_V6 "\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x0d\x05"
#define SIGN_ON "\x01\x04user\x06secret"
#define BYTES(s) (s), sizeof(s) - 1

static const struct feed unsure = { SIDE_UNSURE, false, APP_UNKNOWN };

/* Every prefix is MORE and gives nothing, and NO if the stream ends there; the whole matches, with whatever behind it. */
static void every_cut(const char *p, size_t len)
{
	static const char *const behind[] = { "", "{\"id\":1}\n", "\x16\x03\x01", "\x05\x01\x00", "GET / HTTP/1.1\r\n\r\n", "\0\xff" };
	char all[1024];
	size_t n, i;

	for (n = 0; n < len; n++) {
		assert_int_equal(feed(p, n), INSPECT_MORE);
		assert_int_equal(feed_facts.n_names, 0);
		assert_int_equal(feed_facts.app, APP_UNKNOWN);
		assert_int_equal(feed_last(p, n), INSPECT_NO);
		if (n)
			assert_int_equal(feed_as(unsure, p, n), INSPECT_MORE);
	}
	for (i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		memcpy(all, p, len);
		strcpy(all + len, behind[i]);
		assert_int_equal(feed(all, len + strlen(behind[i])), INSPECT_MATCH);
		assert_int_equal(feed_facts.app, APP_SOCKS);
		assert_int_equal(feed_facts.consumed, len);
		assert_int_equal(feed_facts.again, AGAIN_FRESH);
		assert_int_equal(feed_facts.n_names, 1);
		assert_int_equal(feed_facts.names[0].kind, NAME_SOCKS);
	}
}

static void addressed(const char *text, uint16_t port)
{
	uint8_t want[16] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET6, text, want) != 1)
		assert_int_equal(inet_pton(AF_INET, text, want + 12), 1);
	assert_true(feed_facts.names[0].addressed);
	assert_false(feed_facts.names[0].matchable);
	assert_memory_equal(feed_facts.names[0].addr, want, 16);
	assert_int_equal(feed_facts.names[0].port, port);
}

static void socks5(void **state)
{
	(void)state;
	every_cut(BYTES(GREET ASK_NAME));
	feed_name(0, NAME_SOCKS, "Pool.Example", "Pool.Example");
	assert_false(feed_facts.names[0].addressed);
	every_cut(BYTES(GREET ASK_V4));
	feed_name(0, NAME_SOCKS, "198.51.100.20", NULL);
	addressed("198.51.100.20", 443);
	every_cut(BYTES(GREET ASK_V6));
	feed_name(0, NAME_SOCKS, "2001:db8::7", NULL);
	addressed("2001:db8::7", 3333);
	every_cut(BYTES("\x05\x02\x00\x01" ASK_NAME));
	every_cut(BYTES("\x05\x04\x80\x00\x01\xfe" ASK_NAME));
	/* the reserved byte is anything */
	every_cut(BYTES(GREET "\x05\x01\x77\x03\x01x\0\0"));
	feed_name(0, NAME_SOCKS, "x", "x");
}

static void sign_on(void **state)
{
	(void)state;
	every_cut(BYTES("\x05\x01\x02" SIGN_ON ASK_NAME));
	feed_name(0, NAME_SOCKS, "Pool.Example", "Pool.Example");
	every_cut(BYTES("\x05\x03\x00\x01\x02" SIGN_ON ASK_V4));
	every_cut(BYTES("\x05\x02\x00\x02" ASK_NAME));	/* offered, not asked for */
	every_cut(BYTES("\x05\x01\x02\x01\0\0" ASK_NAME));
	assert_int_equal(feed(BYTES(GREET SIGN_ON ASK_NAME)), INSPECT_NO);
}

static void socks4(void **state)
{
	(void)state;
	every_cut(BYTES("\x04\x01\x0d\x05\xc6\x33\x64\x14\0"));
	feed_name(0, NAME_SOCKS, "198.51.100.20", NULL);
	addressed("198.51.100.20", 3333);
	every_cut(BYTES("\x04\x01\x0d\x05\xc6\x33\x64\x14" "some user\xc3\xbc\0"));
	every_cut(BYTES("\x04\x01\x01\xbb\0\0\0\x01\0Pool.Example\0"));
	feed_name(0, NAME_SOCKS, "Pool.Example", "Pool.Example");
	every_cut(BYTES("\x04\x01\x01\xbb\0\0\0\xffme\0pool.example.\0"));
	feed_name(0, NAME_SOCKS, "pool.example.", "pool.example");
	assert_int_equal(feed(BYTES("\x04\x01\x0d\x05\xc6\x33\x64\x00\0")), INSPECT_MATCH);
}

/* Names as sent, also those that nobody can match. */
static void odd_names(void **state)
{
	(void)state;
	every_cut(BYTES(GREET "\x05\x01\x00\x03\x0e" "198.51.100.020\x01\xbb"));
	feed_name(0, NAME_SOCKS, "198.51.100.020", NULL);
	addressed("198.51.100.16", 443);	/* octal, as resolvers read it */
	every_cut(BYTES(GREET "\x05\x01\x00\x03\x0b" "2001:db8::7\x01\xbb"));
	addressed("2001:db8::7", 443);
	every_cut(BYTES(GREET "\x05\x01\x00\x03\x03" "a b\x01\xbb"));
	feed_name(0, NAME_SOCKS, "a b", NULL);
	assert_false(feed_facts.names[0].addressed);
	every_cut(BYTES(GREET "\x05\x01\x00\x03\0\x01\xbb"));
	feed_name(0, NAME_SOCKS, "", NULL);
	every_cut(BYTES(GREET "\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x14\x01\xbb"));
	feed_name(0, NAME_SOCKS, "::ffff:198.51.100.20", NULL);
	addressed("198.51.100.20", 443);
}

static void connect_targets(void **state)
{
	static const struct { const char *head, *address; uint16_t port; } rows[] = {
		{ "CONNECT 198.51.100.20:443 HTTP/1.1\r\n\r\n", "198.51.100.20", 443 },
		{ "CONNECT [2001:db8::7]:3333 HTTP/1.1\r\n\r\n", "2001:db8::7", 3333 },
		{ "CONNECT 0xc6336414:x HTTP/1.1\r\n\r\n", "198.51.100.20", 0 },
		{ "CONNECT 198.51.100.20:65536 HTTP/1.1\r\n\r\n", "198.51.100.20", 0 },
		{ "CONNECT 198.51.100.20 HTTP/1.1\r\n\r\n", "198.51.100.20", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(feed(rows[i].head, strlen(rows[i].head)), INSPECT_MATCH);
		addressed(rows[i].address, rows[i].port);
	}
	assert_int_equal(feed(BYTES("GET / HTTP/1.1\r\nHost: 198.51.100.20\r\n\r\n")), INSPECT_MATCH);
	assert_false(feed_facts.names[0].addressed);	/* says nothing that the flow's own address does not */
}

static void picked_up(void **state)
{
	const struct feed server = { SIDE_SERVER, false, APP_UNKNOWN };

	(void)state;
	assert_int_equal(feed_as(unsure, BYTES(GREET ASK_NAME)), INSPECT_MATCH);
	assert_int_equal(feed_as(unsure, BYTES(ASK_NAME)), INSPECT_MATCH);
	feed_name(0, NAME_SOCKS, "Pool.Example", "Pool.Example");
	assert_int_equal(feed_as(unsure, BYTES(ASK_V6)), INSPECT_MATCH);
	assert_int_equal(feed(BYTES(ASK_NAME)), INSPECT_NO);
	assert_int_equal(feed_as(server, BYTES(GREET ASK_NAME)), INSPECT_NO);
	assert_int_equal(feed_as(server, BYTES("\x05\x01")), INSPECT_NO);
	/* what servers say */
	assert_int_equal(feed_as(unsure, BYTES("\x05\x00")), INSPECT_NO);
	assert_int_equal(feed_as(unsure, BYTES("\x05\x00\x00\x01\0\0\0\0\0\0")), INSPECT_NO);
	assert_int_equal(feed_as(unsure, BYTES("\x05\x02\x01\x00\x05\x00\x00\x01\0\0\0\0\0\0")), INSPECT_NO);
	assert_int_equal(feed_as(unsure, BYTES("\x00\x5a\0\0\0\0\0\0")), INSPECT_NO);
	assert_int_equal(feed_as(unsure, BYTES("\x04\x01\x00\x11\x01\x3a\x01\x00\xfd\x00\x00\xd5\0\0\0\0\0")), INSPECT_NO);
}

static void not_socks(void **state)
{
	static const struct { const char *p; size_t len; } rows[] = {
		{ BYTES("\x05\x00") }, { BYTES("\x05\x01\x01") }, { BYTES("\x05\x02\x01\x03") },	/* no method that we know */
		{ BYTES(GREET "\x05\x02") }, { BYTES(GREET "\x05\x03\x00\x01") }, { BYTES(GREET "\x05\xf0") },
		{ BYTES(GREET "\x05\x01\x00\x02") }, { BYTES(GREET "\x04") }, { BYTES(GREET "\x01") },
		{ BYTES("\x05\x01\x02\x01\x01u\x01p\x04") },
		{ BYTES("\x05\x00\x0b\x03\x10\0\0\0") },	/* DCE/RPC */
		{ BYTES("\x04\x02") }, { BYTES("\x04\x01\0\0\xc6\x33\x64\x14") }, { BYTES("\x04\x01\0\x50\0\0\0\0") },
		{ BYTES("\x04\x01\x00\x50\xc6\x33\x64\x14" "a\nb") }, { BYTES("\x04\x01\x00\x50\0\0\0\x01\0\0") },
		{ BYTES("\x06\x01\x00") }, { BYTES("\x03\x01\x00") },
	};
	static char long_user[600] = "\x04\x01\x00\x50\xc6\x33\x64\x14";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(feed(rows[i].p, rows[i].len), INSPECT_NO);
		assert_int_equal(feed_facts.n_names, 0);
	}
	memset(long_user + 8, 'u', sizeof(long_user) - 8);
	assert_int_equal(feed(long_user, 8 + 512), INSPECT_MORE);
	assert_int_equal(feed(long_user, 8 + 513), INSPECT_NO);
}

/* A tunnel in a tunnel, pipelined: the scratch keeps the text of the first when the second is read. */
static void scratch_stays(void **state)
{
	static const char two[] = GREET ASK_V4 GREET ASK_V6;
	struct inspect_scratch scratch = { .used = 0 };
	struct inspect_input in = { .p = (const uint8_t *)two, .len = sizeof(two) - 1, .dialects = &dialect_builtin, .scratch = &scratch };
	struct view first;

	(void)state;
	assert_int_equal(inspect_stream(&in, &feed_facts), INSPECT_MATCH);
	first = feed_facts.names[0].text;
	in.p += feed_facts.consumed;
	in.len -= feed_facts.consumed;
	assert_int_equal(inspect_stream(&in, &feed_facts), INSPECT_MATCH);
	feed_view(feed_facts.names[0].text, "2001:db8::7");
	feed_view(first, "198.51.100.20");
	in.len = 5;
	assert_int_equal(inspect_stream(&in, &feed_facts), INSPECT_MORE);
	assert_int_equal(scratch.used, strlen("198.51.100.202001:db8::7"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(socks5), cmocka_unit_test(sign_on), cmocka_unit_test(socks4), cmocka_unit_test(odd_names),
		cmocka_unit_test(connect_targets), cmocka_unit_test(picked_up), cmocka_unit_test(not_socks),
		cmocka_unit_test(scratch_stays),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
