// SPDX-License-Identifier: GPL-2.0-or-later
/* Request heads: every form of naming a host, every cut, and what must not be taken for HTTP. */
#include "tests/unit/feed.h"

static enum inspect_result text(const char *s)
{
	return feed(s, strlen(s));
}

/* Every prefix is MORE and gives no name; the whole matches. */
static void every_cut(const char *s)
{
	size_t n, len = strlen(s);

	for (n = 0; n < len; n++) {
		assert_int_equal(feed(s, n), INSPECT_MORE);
		assert_int_equal(feed_facts.n_names, 0);
		feed_last(s, n);
	}
	assert_int_equal(feed(s, len), INSPECT_MATCH);
	assert_int_equal(feed_facts.app, APP_HTTP);
	assert_int_equal(feed_facts.consumed, len);
}

static void plain(void **state)
{
	(void)state;
	every_cut("GET / HTTP/1.1\r\nHost: Pool.Example:8080\r\nAccept: */*\r\n\r\n");
	assert_int_equal(feed_facts.n_names, 1);
	feed_name(0, NAME_HTTP_HOST, "Pool.Example:8080", "Pool.Example");
	assert_int_equal(feed_facts.again, AGAIN_SAME);
	assert_false(feed_facts.mining);
}

static void lenient(void **state)
{
	(void)state;
	every_cut("\r\n\n\r\nGET  \t /x y   HTTP/1.1\nhOsT \t:\t a.example \t\n\n");
	feed_name(0, NAME_HTTP_HOST, "a.example", "a.example");
	every_cut("FOO!bar / http/1.1\r\nHost:a.example\r\n\r\n");
	feed_name(0, NAME_HTTP_HOST, "a.example", "a.example");
	every_cut("GET / HTTP/1.1\r\n Host: a.example\r\n\r\n");
	feed_name(0, NAME_HTTP_HOST, "a.example", "a.example");
}

static void folded(void **state)
{
	(void)state;
	every_cut("GET / HTTP/1.1\r\nHost:\r\n\t a.example\r\nX: y\r\n z\r\n\r\n");
	assert_int_equal(feed_facts.n_names, 1);
	feed_name(0, NAME_HTTP_HOST, "a.example", "a.example");
	every_cut("GET / HTTP/1.1\r\nHost: a\r\n b\r\n   \r\n\tc\r\n\r\n");
	feed_name(0, NAME_HTTP_HOST, "a b c", NULL);
	every_cut("GET / HTTP/1.1\r\nConnection:\r\n keep-alive,\r\n Close\r\n\r\n");
	assert_int_equal(feed_facts.again, AGAIN_NO);
}

static void several_names(void **state)
{
	(void)state;
	every_cut("GET http://u:p@A.example:81/x?y HTTP/1.1\r\nHost: b.example\r\nHost: c.example.\r\nHost:\r\n\r\n");
	assert_int_equal(feed_facts.n_names, 3);
	feed_name(0, NAME_HTTP_HOST, "u:p@A.example:81", "A.example");
	feed_name(1, NAME_HTTP_HOST, "b.example", "b.example");
	feed_name(2, NAME_HTTP_HOST, "c.example.", "c.example");
	every_cut("CONNECT pool.example:443 HTTP/1.1\r\nHost: pool.example:443\r\n\r\n");
	assert_int_equal(feed_facts.n_names, 2);
	feed_name(0, NAME_CONNECT, "pool.example:443", "pool.example");
	feed_name(1, NAME_HTTP_HOST, "pool.example:443", "pool.example");
	assert_int_equal(feed_facts.again, AGAIN_FRESH);
}

static void odd_authorities(void **state)
{
	(void)state;
	every_cut("CONNECT [2001:db8::7]:443 HTTP/1.0\r\n\r\n");
	feed_name(0, NAME_CONNECT, "[2001:db8::7]:443", NULL);
	assert_int_equal(feed_facts.again, AGAIN_FRESH);
	every_cut("GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n");
	feed_name(0, NAME_HTTP_HOST, "192.0.2.1:80", NULL);
	every_cut("GET / HTTP/1.1\r\nHost: a%2eexample\r\n\r\n");
	feed_name(0, NAME_HTTP_HOST, "a%2eexample", NULL);
	every_cut("GET / HTTP/1.1\r\nHost: :80\r\n\r\n");
	feed_name(0, NAME_HTTP_HOST, ":80", NULL);
	every_cut("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
	feed_name(0, NAME_HTTP_HOST, "x", "x");
	assert_int_equal(feed_facts.n_names, 1);
}

static void what_follows(void **state)
{
	static const struct { const char *head; int again; enum app next; } rows[] = {
		{ "GET / HTTP/1.0\r\n\r\n", AGAIN_NO },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", AGAIN_SAME },
		{ "GET / HTTP/1.1\r\nConnection: foo , close\r\n\r\n", AGAIN_NO },
		{ "GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n", AGAIN_AS, APP_WEBSOCKET },
		{ "GET / HTTP/1.1\r\nUpgrade: h2c, websocket\r\nConnection: close\r\n\r\n", AGAIN_AS, APP_WEBSOCKET },
		{ "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", AGAIN_AS, APP_HTTP },
		{ "POST / HTTP/1.1\r\nContent-Length: 00\r\n\r\n", AGAIN_SAME },
		{ "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n", AGAIN_WHOLE, APP_HTTP_BODY },
		{ "POST / HTTP/1.1\r\nContent-Length: 10\r\nUpgrade: websocket\r\n\r\n", AGAIN_WHOLE, APP_HTTP_BODY },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", AGAIN_WHOLE, APP_HTTP_BODY },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		every_cut(rows[i].head);
		assert_int_equal(feed_facts.again, rows[i].again);
		if (rows[i].next)
			assert_int_equal(feed_facts.next, rows[i].next);
		assert_int_equal(feed_facts.n_names, 0);
	}
}

static void pipelined(void **state)
{
	static const char two[] = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\nGET / HTTP/1.1\r\nHost: b.example\r\n\r\n";
	const struct feed next = { SIDE_CLIENT, false, APP_HTTP };
	size_t first;

	(void)state;
	assert_int_equal(text(two), INSPECT_MATCH);
	feed_name(0, NAME_HTTP_HOST, "a.example", "a.example");
	first = feed_facts.consumed;
	assert_int_equal(feed_as(next, two + first, sizeof(two) - 1 - first), INSPECT_MATCH);
	assert_int_equal(feed_facts.n_names, 1);
	feed_name(0, NAME_HTTP_HOST, "b.example", "b.example");
	assert_int_equal(feed_as(next, "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n", 49), INSPECT_NO);
	assert_int_equal(feed_as(next, "", 0), INSPECT_MORE);
}

static void not_http(void **state)
{
	static const char *const no[] = {
		"GET /\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n", "EHLO mail.example\r\n",
		"HTTP/1.1 200 OK\r\n", "{\"a\"", "\x05\x01\x00", "GET\x01", "GET /\x01", "Content-Length: 5", "<html>",
		" GET / HTTP/1.1\r\n", "GET / HTTP/1.x\r\n", "GET HTTP/1.1\r\n\r\n", ("0123456789012345678901234567890123456789"
		"0123456789012345678901234"), "GET /\x1f HTTP/1.1\r\n\r\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_int_equal(feed_as((struct feed){ SIDE_CLIENT, false, APP_HTTP }, no[i], strlen(no[i])), INSPECT_NO);
	assert_int_equal(text("NICK foo"), INSPECT_MORE);
	assert_int_equal(feed_last("NICK foo", 8), INSPECT_NO);
	assert_int_equal(text("NICK foo\r\n"), INSPECT_NO);
}

static void ended_early(void **state)
{
	static const char cut[] = "GET / HTTP/1.1\r\nHost: a.example\r\nAcc";

	(void)state;
	assert_int_equal(feed_last(cut, sizeof(cut) - 1), INSPECT_MATCH);
	feed_name(0, NAME_HTTP_HOST, "a.example", "a.example");
	assert_int_equal(feed_last(cut, 25), INSPECT_BAD);
	assert_int_equal(feed_facts.n_names, 0);
	assert_int_equal(feed_last(cut, 10), INSPECT_NO);
}

static void largest(void **state)
{
	static char big[20000];
	int n = snprintf(big, sizeof(big), "GET / HTTP/1.1\r\nX: %16000s\r\nHost: a.example\r\n\r\n", "y");

	(void)state;
	assert_int_equal(feed(big, (size_t)n), INSPECT_MATCH);
	feed_name(0, NAME_HTTP_HOST, "a.example", "a.example");
	n = snprintf(big, sizeof(big), "GET / HTTP/1.1\r\nX: %17000s\r\nHost: a.example\r\n\r\n", "y");
	assert_int_equal(feed(big, INSPECT_BYTES_MAX - 1), INSPECT_MORE);
	assert_int_equal(feed(big, (size_t)n), INSPECT_BAD);
}

static void responses(void **state)
{
	const struct feed server = { SIDE_SERVER, false, APP_UNKNOWN }, unsure = { SIDE_UNSURE, false, APP_UNKNOWN };

	(void)state;
	assert_int_equal(feed_as(server, "HTTP/1", 6), INSPECT_MORE);
	assert_int_equal(feed_as(server, "HTTP/1.1 200 OK\r\n", 17), INSPECT_MATCH);
	assert_int_equal(feed_facts.app, APP_HTTP);
	assert_int_equal(feed_facts.n_names, 0);
	assert_int_equal(feed_facts.again, AGAIN_NO);
	assert_int_equal(feed_as(unsure, "HTTP/1.0 4", 10), INSPECT_MATCH);
	assert_int_equal(feed_as(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27), INSPECT_NO);
	assert_int_equal(feed_as(unsure, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27), INSPECT_MATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain), cmocka_unit_test(lenient), cmocka_unit_test(folded),
		cmocka_unit_test(several_names), cmocka_unit_test(odd_authorities), cmocka_unit_test(what_follows),
		cmocka_unit_test(pipelined), cmocka_unit_test(not_http), cmocka_unit_test(ended_early),
		cmocka_unit_test(largest), cmocka_unit_test(responses),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
