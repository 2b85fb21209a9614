// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames of every form, cut everywhere: masked, in fragments, between pings, deflated. Harmless sockets are left alone soon, and
 * bytes that are no frames are given back. */
#include "tests/unit/feed.h"

#include <zlib.h>

#define LOGIN "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"4AAAA\",\"pass\":\"x\",\"agent\":\"XMRig/6\"}}"
#define CHAT "{\"type\":\"auth\",\"params\":{\"token\":\"x\"}}"
#define FIN 0x80
#define RSV1 0x40
#define LEN(s) (sizeof(s) - 1)

static const struct feed client = { SIDE_CLIENT, false, APP_WEBSOCKET };
static const struct feed client_ended = { SIDE_CLIENT, true, APP_WEBSOCKET };
static const struct feed unsure = { SIDE_UNSURE, false, APP_UNKNOWN };

/* What a client has sent so far. */
struct sent {
	uint8_t bytes[INSPECT_BYTES_MAX];
	size_t len;
	z_stream z;
	bool deflating;
};

static struct sent *sent_new(void)
{
	struct sent *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	return s;
}

static void sent_free(struct sent *s)
{
	if (s->deflating)
		deflateEnd(&s->z);
	free(s);
}

/* One frame; the length in the shortest form, or in the longest. */
static void frame(struct sent *s, uint8_t first, bool masked, const void *payload, size_t len, bool longest)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t *p = s->bytes + s->len, *start = p;
	const uint8_t *from = payload;
	size_t i;

	*p++ = first;
	if (longest) {
		*p++ = (uint8_t)(masked << 7 | 127);
		for (i = 0; i < 8; i++)
			*p++ = i < 6 ? 0 : (uint8_t)(len >> (7 - i) * 8);
	} else if (len > 125) {
		*p++ = (uint8_t)(masked << 7 | 126);
		*p++ = (uint8_t)(len >> 8);
		*p++ = (uint8_t)len;
	} else {
		*p++ = (uint8_t)(masked << 7 | len);
	}
	if (masked)
		for (i = 0; i < 4; i++)
			*p++ = mask[i];
	for (i = 0; i < len; i++)
		*p++ = from[i] ^ (masked ? mask[i % 4] : 0);
	s->len += (size_t)(p - start);
}

/* A message through permessage-deflate, with the context of those before. */
static size_t deflated(struct sent *s, const void *text, size_t len, uint8_t *out, size_t room, bool final)
{
	if (!s->deflating) {
		assert_int_equal(deflateInit2(&s->z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
		s->deflating = true;
	}
	s->z.next_in = (Bytef *)(uintptr_t)text;
	s->z.avail_in = (uInt)len;
	s->z.next_out = out;
	s->z.avail_out = (uInt)room;
	deflate(&s->z, final ? Z_FINISH : Z_SYNC_FLUSH);
	assert_int_equal(s->z.avail_in, 0);
	return room - s->z.avail_out - (final ? 0 : 4);
}

static void deflated_frame(struct sent *s, const void *text, size_t len)
{
	uint8_t out[8192];

	frame(s, FIN | RSV1 | 1, true, out, deflated(s, text, len, out, sizeof(out), false), false);
}

static void is_login(void)
{
	assert_true(feed_facts.mining);
	assert_int_equal(feed_facts.app, APP_HTTP);
	assert_int_equal(feed_facts.again, AGAIN_NO);
	assert_int_equal(feed_facts.stratum.carrier, CARRIER_WEBSOCKET);
	assert_string_equal(feed_facts.stratum.dialect, "cryptonote");
	feed_view(feed_facts.stratum.agent, "XMRig/6");
}

/* Not before the last byte, and then at once. */
static void only_whole(const struct sent *s)
{
	size_t n;

	for (n = 0; n < s->len; n++)
		assert_int_equal(feed_as(client, s->bytes, n), INSPECT_MORE);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MATCH);
	is_login();
}

static void forms(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++) {
		struct sent *s = sent_new();

		frame(s, FIN | (i & 1 ? 1 : 2), i & 2, LOGIN, LEN(LOGIN), i & 4);
		only_whole(s);
		sent_free(s);
	}
}

static void fragments(void **state)
{
	struct sent *s = sent_new();
	size_t i;

	(void)state;
	for (i = 0; i < LEN(LOGIN); i++) {
		frame(s, (i == LEN(LOGIN) - 1 ? FIN : 0) | (i ? 0 : 1), true, LOGIN + i, 1, false);
		if (i % 7 == 2)
			frame(s, FIN | 9, true, "ping", 4, false);
		if (i % 11 == 2)
			frame(s, 0, true, "", 0, false);
	}
	only_whole(s);
	sent_free(s);
}

static void deflate_forms(void **state)
{
	struct sent *s = sent_new();
	uint8_t out[1024];
	size_t n, i;

	(void)state;
	deflated_frame(s, LOGIN, LEN(LOGIN));
	only_whole(s);
	sent_free(s);
	/* the second message refers to the first, and comes in fragments of three bytes */
	s = sent_new();
	deflated_frame(s, CHAT, LEN(CHAT));
	n = deflated(s, LOGIN, LEN(LOGIN), out, sizeof(out), false);
	for (i = 0; i < n; i += 3)
		frame(s, (i ? 0 : RSV1 | 2) | (i + 3 >= n ? FIN : 0), true, out + i, n - i < 3 ? n - i : 3, false);
	only_whole(s);
	sent_free(s);
	/* RFC 7692 7.2.3.4: a block that says it is the last */
	s = sent_new();
	n = deflated(s, LOGIN, LEN(LOGIN), out, sizeof(out), true);
	frame(s, FIN | RSV1 | 1, true, out, n, false);
	only_whole(s);
	sent_free(s);
	/* an uncompressed one between compressed ones */
	s = sent_new();
	deflated_frame(s, CHAT, LEN(CHAT));
	frame(s, FIN | 1, true, CHAT, LEN(CHAT), false);
	deflated_frame(s, LOGIN, LEN(LOGIN));
	only_whole(s);
	sent_free(s);
}

/* Padding costs the sender little; what lies behind it is read as far as the memory goes. */
static void bombs(void **state)
{
	static uint8_t big[1 << 20];
	uint8_t out[4096];
	struct sent *s = sent_new();
	size_t n;

	(void)state;
	memset(big, ' ', sizeof(big));
	memcpy(big + 10000, LOGIN, LEN(LOGIN));
	deflated_frame(s, big, 10000 + LEN(LOGIN));
	only_whole(s);
	sent_free(s);
	s = sent_new();
	memset(big, 'a', sizeof(big));
	big[0] = '{';
	n = deflated(s, big, sizeof(big), out, sizeof(out), false);
	frame(s, FIN | RSV1 | 1, true, out, n, false);
	frame(s, FIN | 1, true, CHAT, LEN(CHAT), false);
	assert_int_not_equal(feed_as(client, s->bytes, s->len), INSPECT_NO);
	assert_false(feed_facts.mining);
	sent_free(s);
	s = sent_new();
	frame(s, FIN | RSV1 | 1, true, "\xff\xff\xff\xff", 4, false);
	frame(s, FIN | RSV1 | 1, true, "\xff\xff\xff\xff", 4, false);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MATCH);
	assert_false(feed_facts.mining);
	sent_free(s);
}

static void harmless(void **state)
{
	static const uint8_t file[300] = "GIF89a";
	struct sent *s = sent_new();
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++)
		frame(s, FIN | 1, true, CHAT, LEN(CHAT), false);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MORE);
	frame(s, FIN | 1, true, CHAT, LEN(CHAT), false);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MATCH);
	assert_false(feed_facts.mining);
	assert_int_equal(feed_facts.n_names, 0);
	assert_int_equal(feed_facts.again, AGAIN_NO);
	s->len = 0;
	frame(s, FIN | 1, true, "hello", 5, false);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MORE);
	frame(s, FIN | 2, true, file, sizeof(file), false);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MATCH);
	assert_false(feed_facts.mining);
	/* a large upload is known by its first bytes */
	s->len = 0;
	memset(s->bytes + 8000, 'x', 8000);
	frame(s, FIN | 2, true, s->bytes + 8000, 8000, true);
	assert_int_equal(feed_as(client, s->bytes, 15), INSPECT_MATCH);
	assert_false(feed_facts.mining);
	/* text about mining */
	s->len = 0;
	frame(s, FIN | 1, true, "say " LOGIN "\n" LOGIN, LEN("say " LOGIN "\n" LOGIN), false);
	frame(s, FIN | 1, true, "say " LOGIN, LEN("say " LOGIN), false);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MATCH);
	assert_false(feed_facts.mining);
	sent_free(s);
}

/* A message that is never whole decides where the reading ends. */
static void endless(void **state)
{
	struct sent *s = sent_new();

	(void)state;
	frame(s, 1, true, LOGIN, LEN(LOGIN), false);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MORE);
	assert_int_equal(feed_as(client_ended, s->bytes, s->len), INSPECT_MATCH);
	is_login();
	memcpy(s->bytes, "\x81\xff\x00\x00\x00\x10\x00\x00\x00\x00\0\0\0\0" LOGIN, 14 + LEN(LOGIN));
	s->len = 14 + LEN(LOGIN);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MORE);
	assert_int_equal(feed_as(client_ended, s->bytes, s->len), INSPECT_MATCH);
	is_login();
	sent_free(s);
}

static void not_frames(void **state)
{
	static const char *const no[] = {
		"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "{\"id\":1", "[", "\x16\x03\x01", "\x05\x01", "\n{",
		"\x83\x80", "\x80\x80", "\x09\x80", "\x8b\x80", "\x81\xff\x80", "\x89\xfe",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		enum inspect_result r = feed_as(client, no[i], strlen(no[i]));

		if (no[i][1] == '\xff')
			r = feed_as(client, "\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14);
		assert_int_equal(r, INSPECT_NO);
	}
	/* where nobody asked for a WebSocket there is none */
	assert_int_equal(feed("\x81\x02{}", 4), INSPECT_NO);
}

/* Nonsense behind frames that were some: the server ends it. */
static void broken_later(void **state)
{
	struct sent *s = sent_new();

	(void)state;
	frame(s, FIN | 1, true, CHAT, LEN(CHAT), false);
	frame(s, FIN | 0, true, LOGIN, LEN(LOGIN), false);
	assert_int_equal(feed_as(client, s->bytes, s->len), INSPECT_MATCH);
	assert_false(feed_facts.mining);
	sent_free(s);
}

static void in_the_middle(void **state)
{
	static const char job[] = "{\"jsonrpc\":\"2.0\",\"method\":\"job\",\"params\":{\"blob\":\"10\",\"job_id\":\"a\",\"target\":\"b88d0600\"}}";
	struct sent *s = sent_new();
	size_t n;

	(void)state;
	frame(s, FIN | 1, false, job, LEN(job), false);
	for (n = 3; n < s->len; n++)
		assert_int_equal(feed_as(unsure, s->bytes, n), INSPECT_MORE);
	assert_int_equal(feed_as(unsure, s->bytes, s->len), INSPECT_MATCH);
	assert_true(feed_facts.mining);
	assert_int_equal(feed_facts.stratum.sides, DIALECT_FROM_SERVER);
	s->len = 0;
	frame(s, FIN | 2, true, LOGIN, LEN(LOGIN), false);
	assert_int_equal(feed_as(unsure, s->bytes, s->len), INSPECT_MATCH);
	is_login();
	s->len = 0;
	deflated_frame(s, LOGIN, LEN(LOGIN));
	assert_int_equal(feed_as(unsure, s->bytes, s->len), INSPECT_MATCH);
	s->len = 0;
	frame(s, FIN | 1, true, CHAT, LEN(CHAT), false);
	assert_int_equal(feed_as(unsure, s->bytes, s->len), INSPECT_NO);
	assert_int_equal(feed_as(unsure, "\x81\x05hello", 7), INSPECT_NO);
	assert_int_equal(feed_as(unsure, "\x01\x05hello", 7), INSPECT_NO);
	sent_free(s);
}

/* Greetings of miners in web pages (PROTOCOLS 4), as a browser sends them, the second time compressed. */
static void web_miners(void **state)
{
	static const char *const frames[] = {
		"81fc37fa213d4cd85544479f0307159b54495fd80d1f479b535c5a8903074cd857584589485259d81b0a1bd85254439f7e565283030715bb607c76b8637f75b9627e"
		"74be657973bf647872bc677b71bd667a70b269757fd80d1f4383515815c0035c59954f445a95544e15d60348449f531f0d9454515bd6035a589b4d1f0dca5c40",
		"c1e337fa213d03361033b4ca3179e6416dd0b5d4f34bb3fe9978d3982415f1bc7f06a57f9946911bb49ee6c570e796ead96761c23d03cc27011a49604c762608518d"
		"9a12c696ba45bfa3032aaae30328650e868b365ebd976ee80faff231becf25ba120321d499112e",
		"81ed37fa213d4cd84859529455545193444f15c003555694454e5f9b4a5815d6034d58954d1f0dd84c52599f53525899445c59d45249459f405015d60351589d4853"
		"15c0036a76b66d7863d80d1f479b524e4095535915c0031f1bd8544e5288485915c0031f1bd857584589485259d81b054a",
	};
	static const struct dialect_row rows[] = {
		{ "coinhive", NULL, DIALECT_FROM_CLIENT, "type=auth & params.site_key:string", "login=params.site_key", 0,
		  1u << CARRIER_WEBSOCKET },
		{ "webminerpool", NULL, DIALECT_FROM_CLIENT, "identifier=handshake & pool & login", NULL, 0, 1u << CARRIER_WEBSOCKET },
	};
	static const struct dialect_table table = { rows, 2 };
	uint8_t bytes[512];
	size_t i, n;

	(void)state;
	feed_dialects = &table;
	for (i = 0; i < 3; i++) {
		for (n = 0; frames[i][2 * n]; n++)
			assert_int_equal(sscanf(frames[i] + 2 * n, "%2hhx", &bytes[n]), 1);
		assert_int_equal(feed_as(client, bytes, n - 1), INSPECT_MORE);
		assert_int_equal(feed_as(client, bytes, n), INSPECT_MATCH);
		assert_true(feed_facts.mining);
		assert_string_equal(feed_facts.stratum.dialect, i < 2 ? "coinhive" : "webminerpool");
	}
	feed_dialects = &dialect_builtin;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms), cmocka_unit_test(fragments), cmocka_unit_test(deflate_forms), cmocka_unit_test(bombs),
		cmocka_unit_test(harmless), cmocka_unit_test(endless), cmocka_unit_test(not_frames), cmocka_unit_test(broken_later),
		cmocka_unit_test(in_the_middle), cmocka_unit_test(web_miners),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
