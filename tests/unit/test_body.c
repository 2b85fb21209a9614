// SPDX-License-Identifier: GPL-2.0-or-later
/* Bodies of requests, with lengths and in chunks, and the fields that only miners send. What begins like a login is one;
 * what quotes one further on is not. */
#include "tests/unit/feed.h"

#define LOGIN "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"4AAAA\",\"pass\":\"x\",\"agent\":\"XMRig/6\"}}"
#define SUBSCRIBE "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}"
#define CHUNKED "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
#define FILE_HEAD "POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n"
#define LEN(s) (sizeof(s) - 1)

/* As a flow shows them: the head once more, and what there is of the body. */
static enum inspect_result body(const char *s, size_t len)
{
	return feed_as((struct feed){ .side = SIDE_CLIENT, .only = APP_HTTP_BODY, .seen = 1 }, s, len);
}

static void with_length(void **state)
{
	static const char login[] = "POST /json_rpc HTTP/1.1\r\nHost: a.example\r\nContent-Length: 81\r\n\r\n" LOGIN;
	static const char plain[] = "POST / HTTP/1.1\r\nContent-Length: 16\r\n\r\n{\"method\":\"foo\"}";
	size_t n;

	(void)state;
	assert_int_equal(LEN(LOGIN), 81);
	for (n = LEN(login) - LEN(LOGIN); n < LEN(login) - 2; n++)
		assert_int_equal(body(login, n), INSPECT_MORE);
	assert_int_equal(body(login, LEN(login)), INSPECT_MATCH);
	assert_true(feed_facts.mining);
	assert_int_equal(feed_facts.n_names, 0);
	assert_int_equal(feed_facts.app, APP_HTTP);
	assert_int_equal(feed_facts.stratum.carrier, CARRIER_HTTP);
	feed_view(feed_facts.stratum.agent, "XMRig/6");
	assert_int_equal(feed_facts.consumed, LEN(login));
	assert_int_equal(feed_facts.again, AGAIN_SAME);
	for (n = LEN(plain) - 16; n < LEN(plain); n++)
		assert_int_equal(body(plain, n), INSPECT_MORE);
	assert_int_equal(body(plain, n), INSPECT_MATCH);
	assert_false(feed_facts.mining);
	assert_int_equal(feed_facts.again, AGAIN_SAME);
	assert_int_equal(feed_facts.consumed, LEN(plain));
}

static void agent_of_the_head(void **state)
{
	static const char s[] = "POST / HTTP/1.1\r\nUser-Agent: miner/1\r\nContent-Length: 48\r\n\r\n" SUBSCRIBE;

	(void)state;
	assert_int_equal(LEN(SUBSCRIBE), 48);
	assert_int_equal(body(s, LEN(s)), INSPECT_MATCH);
	feed_view(feed_facts.stratum.agent, "miner/1");
}

/* An upload is left alone at its first byte. */
static void no_json(void **state)
{
	(void)state;
	assert_int_equal(body(FILE_HEAD, LEN(FILE_HEAD)), INSPECT_MORE);
	assert_int_equal(body(FILE_HEAD "f", LEN(FILE_HEAD) + 1), INSPECT_MATCH);
	assert_int_equal(feed_facts.again, AGAIN_NO);
	assert_int_equal(body(FILE_HEAD "{\"", LEN(FILE_HEAD) + 2), INSPECT_MORE);
	assert_int_equal(body(FILE_HEAD "{f", LEN(FILE_HEAD) + 2), INSPECT_MATCH);
	assert_int_equal(feed_facts.again, AGAIN_NO);
	assert_int_equal(body(FILE_HEAD "log=" SUBSCRIBE, LEN(FILE_HEAD "log=" SUBSCRIBE)), INSPECT_MATCH);
	assert_false(feed_facts.mining);
	assert_int_equal(body("GET / HTTP/1.1\r\n", 16), INSPECT_MORE);
	assert_int_equal(body(SUBSCRIBE, LEN(SUBSCRIBE)), INSPECT_NO);
}

static void two_lengths(void **state)
{
	static const char s[] = "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 48\r\n\r\n" SUBSCRIBE;

	(void)state;
	assert_int_equal(body(s, LEN(s)), INSPECT_MATCH);
	assert_true(feed_facts.mining);
	assert_int_equal(feed_facts.again, AGAIN_NO);	/* nobody knows where it ends */
}

static void what_is_behind(void **state)
{
	static const char upgrade[] = "POST / HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx";
	static const char last[] = "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 9\r\n\r\nx";

	(void)state;
	assert_int_equal(body(upgrade, LEN(upgrade)), INSPECT_MATCH);
	assert_int_equal(feed_facts.again, AGAIN_AS);
	assert_int_equal(feed_facts.next, APP_WEBSOCKET);
	assert_int_equal(body(last, LEN(last)), INSPECT_MATCH);
	assert_int_equal(feed_facts.again, AGAIN_NO);
}

static void in_chunks(void **state)
{
	static const char whole[] = CHUNKED "30\r\n" SUBSCRIBE "\r\n0\r\nX: y\r\n\r\n";
	char bytes[1024];
	size_t n = LEN(CHUNKED), i;

	(void)state;
	assert_int_equal(body(whole, LEN(whole)), INSPECT_MATCH);
	assert_true(feed_facts.mining);
	assert_int_equal(feed_facts.again, AGAIN_SAME);
	assert_int_equal(feed_facts.consumed, LEN(whole));
	memcpy(bytes, CHUNKED, n);
	for (i = 0; i < LEN(SUBSCRIBE); i++)
		n += (size_t)sprintf(bytes + n, "%s1;x=y\r\n%c\r\n", i % 2 ? "00" : "", SUBSCRIBE[i]);
	for (i = LEN(CHUNKED); i + 40 < n; i++)
		assert_int_equal(body(bytes, i), INSPECT_MORE);
	assert_int_equal(body(bytes, n), INSPECT_MATCH);
	assert_true(feed_facts.mining);
	feed_view(feed_facts.stratum.method, "mining.subscribe");
}

static void odd_chunks(void **state)
{
	(void)state;
	/* announced, but not there: the head may be a decoy */
	assert_int_equal(body(CHUNKED SUBSCRIBE, LEN(CHUNKED SUBSCRIBE)), INSPECT_MATCH);
	assert_true(feed_facts.mining);
	assert_int_equal(body(CHUNKED "3\r\nabc\r\n0\r\n\r\n", LEN(CHUNKED) + 13), INSPECT_MATCH);
	assert_int_equal(feed_facts.again, AGAIN_SAME);
	assert_int_equal(body(CHUNKED "fffffffffff\r\n{", LEN(CHUNKED) + 14), INSPECT_MORE);
	assert_int_equal(body(CHUNKED "ffffffffffffffffffff\r\n{", LEN(CHUNKED) + 23), INSPECT_MATCH);
	assert_int_equal(feed_facts.again, AGAIN_NO);
	assert_int_equal(body(CHUNKED "1\r\na\r\nzz\r\n", LEN(CHUNKED) + 10), INSPECT_MATCH);
	assert_int_equal(feed_facts.again, AGAIN_NO);
}

static void mining_fields(void **state)
{
	static const char field[] = "POST / HTTP/1.1\r\nHost: a.example\r\nx-mining-EXTENSIONS : longpoll\r\nUser-Agent: bfgminer/5\r\n"
				    "Content-Length: 9\r\n\r\n";
	static const char both[] = "POST / HTTP/1.1\r\nX-Mining-Hashrate: 1\r\nContent-Length: 48\r\n\r\n" SUBSCRIBE;

	(void)state;
	for (size_t n = 0; n < LEN(field); n++)
		assert_int_equal(feed(field, n), INSPECT_MORE);
	assert_int_equal(feed(field, LEN(field)), INSPECT_MATCH);
	assert_true(feed_facts.mining);
	assert_int_equal(feed_facts.stratum.kind, MINING_GETWORK);
	assert_int_equal(feed_facts.stratum.carrier, CARRIER_HTTP);
	assert_string_equal(feed_facts.stratum.dialect, "getwork");
	feed_view(feed_facts.stratum.method, "x-mining-EXTENSIONS");
	feed_view(feed_facts.stratum.agent, "bfgminer/5");
	feed_name(0, NAME_HTTP_HOST, "a.example", "a.example");
	assert_int_equal(feed_facts.again, AGAIN_WHOLE);
	assert_int_equal(feed("POST / HTTP/1.1\r\nX-Hash-Difficulty: 1\r\n\r\n", 42), INSPECT_MATCH);
	assert_true(feed_facts.mining);
	assert_int_equal(feed("POST / HTTP/1.1\r\nX: X-Hash-Difficulty: 1\r\n\r\n", 45), INSPECT_MATCH);
	assert_false(feed_facts.mining);
	/* with the body at hand its method is told */
	assert_int_equal(feed(both, LEN(both)), INSPECT_MATCH);
	feed_view(feed_facts.stratum.method, "mining.subscribe");
	assert_int_equal(feed_facts.again, AGAIN_WHOLE);
}

static void mining_servers(void **state)
{
	static const char *const no[] = {
		"HTTP/1.1 200 OK\r\nX-Long-Polling: /lp\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Stratum: yes\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nX-Stratum: stratum+tcp://a:1\r\n\r\n",
	};
	static const char *const yes[] = {
		"HTTP/1.1 200 OK\r\nX-Long-Polling: /lp\r\nX-Roll-NTime: Y\r\n\r\n",
		"HTTP/1.0 401 no\r\nx-stratum: Stratum+tcp://a:1\r\n\r\n",
	};
	const struct feed server = { SIDE_UNSURE, false, APP_UNKNOWN };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(feed_as(server, no[i], strlen(no[i])), INSPECT_MATCH);
		assert_false(feed_facts.mining);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(feed_as(server, yes[i], strlen(yes[i])), INSPECT_MATCH);
		assert_true(feed_facts.mining);
		assert_int_equal(feed_facts.stratum.sides, DIALECT_FROM_SERVER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_length), cmocka_unit_test(agent_of_the_head), cmocka_unit_test(no_json),
		cmocka_unit_test(two_lengths), cmocka_unit_test(what_is_behind), cmocka_unit_test(in_chunks),
		cmocka_unit_test(odd_chunks), cmocka_unit_test(mining_fields), cmocka_unit_test(mining_servers),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
