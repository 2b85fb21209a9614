// SPDX-License-Identifier: GPL-2.0-or-later
/* HTTP/2 in the clear: names of each request through padding, priority, CONTINUATION and the dynamic table; JSON in data; floods. */
#include "tests/unit/feed.h"

#define SUBSCRIBE "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}"
#define LEN(s) (sizeof(s) - 1)

enum { DATA, HEADERS, SETTINGS = 4, PING = 6, CONTINUATION = 9 };
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, PRIORITY = 0x20 };

static uint8_t sent[INSPECT_BYTES_MAX * 2];
static size_t sent_len;

static void begin(void)
{
	memcpy(sent, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	sent_len = 24;
}

static void frame(unsigned type, unsigned flags, unsigned stream, const void *payload, size_t len)
{
	const uint8_t head[9] = { (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)type, (uint8_t)flags, 0, 0,
				  (uint8_t)(stream >> 8), (uint8_t)stream };

	memcpy(sent + sent_len, head, 9);
	if (len)
		memcpy(sent + sent_len + 9, payload, len);
	sent_len += 9 + len;
}

static enum inspect_result seen(unsigned n)
{
	return feed_as((struct feed){ .side = SIDE_CLIENT, .only = n ? APP_HTTP2 : APP_UNKNOWN, .seen = n }, sent, sent_len);
}

/* Up to the last byte there are only the requests before; then there is one more. */
static void one_more(unsigned before)
{
	size_t whole = sent_len;

	for (sent_len = 1; sent_len < whole; sent_len++) {
		assert_int_equal(seen(before), INSPECT_MORE);
		assert_int_equal(feed_facts.n_names, 0);
	}
	assert_int_equal(seen(before), INSPECT_MATCH);
	assert_int_equal(feed_facts.app, APP_HTTP);
	assert_int_equal(feed_facts.again, AGAIN_WHOLE);
	assert_int_equal(feed_facts.next, APP_HTTP2);
}

/* RFC 7541 C.4, the first three requests */
#define FIRST "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"
#define SECOND "\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf"

static void requests(void **state)
{
	(void)state;
	begin();
	frame(SETTINGS, 0, 0, "\0\x03\0\0\0\x64", 6);
	frame(HEADERS, END_HEADERS | END_STREAM, 1, FIRST, LEN(FIRST));
	one_more(0);
	assert_int_equal(feed_facts.n_names, 1);
	feed_name(0, NAME_HTTP_HOST, "www.example.com", "www.example.com");
	frame(HEADERS, END_HEADERS | END_STREAM, 3, SECOND, LEN(SECOND));
	one_more(1);
	assert_int_equal(feed_facts.n_names, 1);
	feed_name(0, NAME_HTTP_HOST, "www.example.com", "www.example.com");
	/* a name for `host` that only the table knows */
	frame(HEADERS, END_HEADERS, 5, "\x82\x40\x04host\x01" "a", 9);
	frame(HEADERS, END_HEADERS, 7, "\x82\x7e\x09" "B.example", 12);
	one_more(3);
	feed_name(0, NAME_HTTP_HOST, "B.example", "B.example");
	assert_int_equal(seen(4), INSPECT_MORE);
	assert_int_equal(seen(0), INSPECT_MATCH);
	feed_name(0, NAME_HTTP_HOST, "www.example.com", "www.example.com");
}

static void padded(void **state)
{
	char block[64] = "\x03\x80\0\0\0\x10\x82\x41\x05" "a.exa\0\0\0";

	(void)state;
	begin();
	frame(HEADERS, END_HEADERS | PADDED | PRIORITY, 1, block, 17);
	one_more(0);
	feed_name(0, NAME_HTTP_HOST, "a.exa", "a.exa");
	begin();
	frame(HEADERS, END_HEADERS | PADDED, 1, "\xff\x82", 2);
	assert_int_equal(seen(0), INSPECT_BAD);
	begin();
	frame(HEADERS, END_HEADERS | PRIORITY, 1, "\xff\x82", 2);
	assert_int_equal(seen(0), INSPECT_BAD);
}

static void continued(void **state)
{
	static const char block[] = "\x82\x41\x09" "a.example";
	size_t i;

	(void)state;
	begin();
	frame(HEADERS, 0, 1, block, 1);
	for (i = 1; i < LEN(block); i++) {
		frame(CONTINUATION, 0, 1, block + i, 1);
		frame(CONTINUATION, 0, 1, "", 0);
	}
	frame(CONTINUATION, END_HEADERS, 1, "", 0);
	one_more(0);
	feed_name(0, NAME_HTTP_HOST, "a.example", "a.example");
	begin();
	frame(HEADERS, 0, 1, block, 1);
	frame(PING, 0, 0, "12345678", 8);
	assert_int_equal(seen(0), INSPECT_BAD);
	begin();
	frame(CONTINUATION, 0, 1, block, 1);
	assert_int_equal(seen(0), INSPECT_BAD);
}

static void connects(void **state)
{
	(void)state;
	begin();
	frame(HEADERS, END_HEADERS, 1, "\x41\x0d" "pool.test:443" "\x02\x07" "CONNECT", 24);
	one_more(0);
	feed_name(0, NAME_CONNECT, "pool.test:443", "pool.test");
}

/* Two names in one request: one of them is what some server takes. */
static void two_names(void **state)
{
	char block[128];
	size_t n = 0, i;

	(void)state;
	begin();
	frame(HEADERS, END_HEADERS, 1, "\x41\x05" "a.exa" "\x41\x00" "\x66\x05" "b.exa", 16);
	one_more(0);
	assert_int_equal(feed_facts.n_names, 2);
	feed_name(1, NAME_HTTP_HOST, "b.exa", "b.exa");
	assert_false(feed_facts.names_lost);
	for (i = 0; i < 10; i++, n += 4)
		memcpy(block + n, "\x11\x02" "aa", 4);
	for (i = 0; i < 10; i++)
		block[4 * i] = 0x41;
	begin();
	frame(HEADERS, END_HEADERS, 1, block, n);
	assert_int_equal(seen(0), INSPECT_MATCH);
	assert_int_equal(feed_facts.n_names, 4);
	assert_true(feed_facts.names_lost);
}

static void data(void **state)
{
	(void)state;
	begin();
	frame(HEADERS, END_HEADERS, 1, "\x83\x41\x05" "a.exa", 8);
	frame(DATA, 0, 1, SUBSCRIBE, 10);
	frame(DATA, PADDED, 1, "\x02" "ning\0\0", 7);
	assert_int_equal(seen(1), INSPECT_MORE);
	frame(DATA, END_STREAM, 1, "", 0);
	assert_int_equal(seen(1), INSPECT_MORE);
	begin();
	frame(HEADERS, END_HEADERS, 1, "\x83\x41\x05" "a.exa", 8);
	frame(DATA, 0, 1, SUBSCRIBE, 10);
	frame(DATA, 0, 1, SUBSCRIBE + 10, 5);
	frame(DATA, END_STREAM, 1, SUBSCRIBE + 15, LEN(SUBSCRIBE) - 15);
	one_more(1);
	assert_true(feed_facts.mining);
	assert_int_equal(feed_facts.stratum.carrier, CARRIER_HTTP);
	feed_view(feed_facts.stratum.method, "mining.subscribe");
	frame(HEADERS, END_HEADERS, 3, "\x82\xbe", 2);
	one_more(2);
	assert_false(feed_facts.mining);
	feed_name(0, NAME_HTTP_HOST, "a.exa", "a.exa");
	/* no end in sight */
	begin();
	frame(DATA, 0, 1, SUBSCRIBE, LEN(SUBSCRIBE));
	one_more(0);
	assert_true(feed_facts.mining);
	begin();
	frame(DATA, END_STREAM, 1, "say " SUBSCRIBE, LEN("say " SUBSCRIBE));
	assert_int_equal(seen(0), INSPECT_MORE);
}

static void mining_field(void **state)
{
	(void)state;
	begin();
	frame(HEADERS, END_HEADERS, 1, "\x10\x13x-mining-extensions\x01y\x0f\x2b\x04kx/1", 30);
	one_more(0);
	assert_true(feed_facts.mining);
	assert_int_equal(feed_facts.stratum.kind, MINING_GETWORK);
	feed_view(feed_facts.stratum.method, "x-mining-extensions");
	feed_view(feed_facts.stratum.agent, "kx/1");
}

/* Where the stream ends for us, the part of a block that is there must do. */
static void cut(void **state)
{
	const struct feed ended = { SIDE_CLIENT, true, APP_UNKNOWN };

	(void)state;
	begin();
	assert_int_equal(feed_as(ended, sent, 10), INSPECT_NO);
	assert_int_equal(feed_as(ended, sent, sent_len), INSPECT_MATCH);
	assert_int_equal(feed_facts.again, AGAIN_NO);
	frame(HEADERS, END_HEADERS, 1, "\x82\x41\x05" "a.exa" "\x41\x05" "b.e", 13);
	sent[24 + 2] = 200;
	assert_int_equal(seen(0), INSPECT_MORE);
	assert_int_equal(feed_as(ended, sent, sent_len), INSPECT_MATCH);
	feed_name(0, NAME_HTTP_HOST, "a.exa", "a.exa");
	assert_int_equal(feed_facts.n_names, 1);
	assert_int_equal(feed_facts.again, AGAIN_NO);
}

static void floods(void **state)
{
	static uint8_t block[INSPECT_BYTES_MAX];
	size_t i;

	(void)state;
	/* one entry of 4 KB, named by every byte that follows */
	memset(block, 0xbe, sizeof(block));
	memcpy(block, "\x40\x01x\x7f\xc0\x1e", 6);
	begin();
	frame(HEADERS, END_HEADERS, 1, block, 16000);
	frame(HEADERS, END_HEADERS, 3, "\x41\x05" "a.exa", 7);
	assert_int_equal(seen(1), INSPECT_MATCH);
	feed_name(0, NAME_HTTP_HOST, "a.exa", "a.exa");
	/* empty frames */
	begin();
	for (i = 0; i < 1500; i++)
		frame(i % 2 ? DATA : SETTINGS, 0, 1, "", 0);
	frame(HEADERS, END_HEADERS, 3, "\x41\x05" "a.exa", 7);
	assert_int_equal(seen(0), INSPECT_MATCH);
	/* a request by name and again by name, 16 KiB long */
	memset(block, 0xbe, sizeof(block));
	memcpy(block, "\x41\x05" "a.exa", 7);
	begin();
	frame(HEADERS, END_HEADERS, 1, block, 16000);
	assert_int_equal(seen(0), INSPECT_MATCH);
	assert_int_equal(feed_facts.n_names, 4);
	begin();
	frame(HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff", 5);
	assert_int_equal(seen(0), INSPECT_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests), cmocka_unit_test(padded), cmocka_unit_test(continued), cmocka_unit_test(connects),
		cmocka_unit_test(two_names), cmocka_unit_test(data), cmocka_unit_test(mining_field), cmocka_unit_test(cut),
		cmocka_unit_test(floods),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
