// SPDX-License-Identifier: GPL-2.0-or-later
/* The dispatcher: order, `only`, resets, words. Bytes of many protocols that nobody here knows. */
#include "tests/unit/feed.h"

#include "inspect/dns.h"
#include "inspect/http.h"
#include "inspect/http2.h"
#include "inspect/magic.h"
#include "inspect/proxy.h"
#include "inspect/socks.h"
#include "inspect/stratum.h"
#include "inspect/tls.h"
#include "inspect/websocket.h"

static void dispatch(void **state)
{
	static const char mining[] = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"a\\u0062\"]}\n";
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n";

	(void)state;
	assert_int_equal(feed(mining, sizeof(mining) - 1), INSPECT_MATCH);
	assert_int_equal(feed_facts.app, APP_STRATUM);
	feed_view(feed_facts.stratum.agent, "ab");
	/* nothing of the last message is left */
	assert_int_equal(feed(head, sizeof(head) - 1), INSPECT_MATCH);
	assert_int_equal(feed_facts.app, APP_HTTP);
	assert_false(feed_facts.mining);
	assert_null(feed_facts.stratum.dialect);
	assert_int_equal(feed_facts.stratum.agent.len, 0);
	assert_int_equal(feed_scratch->used, 3);
	assert_int_equal(feed("\x02", 1), INSPECT_NO);
	assert_int_equal(feed_facts.n_names, 0);
	assert_int_equal(feed_facts.app, APP_UNKNOWN);
	assert_int_equal(feed_scratch->used, 0);
}

static void only(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

	(void)state;
	assert_int_equal(feed_as((struct feed){ SIDE_CLIENT, false, APP_TLS }, head, sizeof(head) - 1), INSPECT_NO);
	assert_int_equal(feed_as((struct feed){ SIDE_CLIENT, false, APP_HTTP }, head, sizeof(head) - 1), INSPECT_MATCH);
	assert_int_equal(feed_as((struct feed){ SIDE_CLIENT, false, APP_SOCKS }, head, sizeof(head) - 1), INSPECT_NO);
}

static void nothing(void **state)
{
	(void)state;
	assert_int_equal(feed("", 0), INSPECT_MORE);
	assert_int_equal(feed_last("", 0), INSPECT_NO);
	assert_int_equal(feed("\r\n", 2), INSPECT_MORE);
	assert_int_equal(feed_last("\r\n", 2), INSPECT_NO);
}

/* First bytes of SSH, RDP, SMB, BitTorrent, PostgreSQL, XMPP, MQTT, a DNS answer over TCP, Kafka: no decision is held open. */
static void others(void **state)
{
	static const struct { const char *p; size_t len; } rows[] = {
		{ "SSH-2.0-x\r\n", 11 }, { "\x03\0\0\x13\x0e\xe0", 6 }, { "\0\0\0\x45\xffSMB", 8 },
		{ "\x13" "BitTorrent protocol", 20 }, { "\0\0\0\x08\x04\xd2\x16\x2f", 8 }, { "<?xml version", 13 },
		{ "\x10\x1f\0\x04MQTT", 8 }, { "\0\x1d\xab\xcd\x81\0", 6 }, { "\0\0\0\x2b\0\x12\0\x03\0\0\0\x01", 12 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(feed(rows[i].p, rows[i].len), INSPECT_NO);
		assert_int_not_equal(feed_as((struct feed){ SIDE_UNSURE, false, APP_UNKNOWN }, rows[i].p, rows[i].len),
				     INSPECT_MATCH);
	}
}

#define MESSAGE(text) { text, sizeof(text) - 1 }
#define ROW(name, upper) { #name, upper##_BEGINS(b), name##_inspect }

/* Streams that begin with another byte are not shown to an inspector, so it must not know them: of each protocol a message, with any
 * first byte instead of its own, as much of it as there may be. */
static void begins(void **state)
{
	static const struct { const char *p; size_t len; } messages[] = {
		MESSAGE("\x16\x03\x01\0\x2d\x01\0\0\x29\x03\x03rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\0\0\x02\x13\x01\x01\0"),
		MESSAGE("\x80\x1c\x01\x03\x01\0\x03\0\0\0\x10" "ccccccccccccccccccc"), MESSAGE("\0\x13\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01" "a\0\0\x01\0\x01"),
		MESSAGE("\x05\x01\0\x05\x01\0\x01\x01\x02\x03\x04\0\x50"), MESSAGE("\x04\x01\0\x50\x01\x02\x03\x04\0"),
		MESSAGE("PROXY UNKNOWN\r\n"), MESSAGE("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0"), MESSAGE("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
		MESSAGE("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), MESSAGE("HTTP/1.1 200 OK\r\n\r\n"),
		MESSAGE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
		MESSAGE("\x81\x26{\"id\":1,\"method\":\"mining.subscribe\"  }"),
		MESSAGE("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n"),
		MESSAGE("[{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}]\n"), MESSAGE("\xef\xbb\xbf{\"method\":\"mining.noop\"}\n"),
		MESSAGE("50\n{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n"),
		MESSAGE("x\":1}\n{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n"), MESSAGE("FROM,PC Miner,"),
		MESSAGE("\xf9\xbe\xb4\xd9version\0\0\0\0\0"), MESSAGE("\x01\x21\x01\x01\x01\x01\x01\x01"),
	};
	static struct facts facts;

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (feed_as((struct feed){ .side = SIDE_UNSURE, .ended = true, .port = DNS_PORT }, messages[i].p, messages[i].len) == INSPECT_NO &&
		    feed_as((struct feed){ .side = SIDE_CLIENT, .port = DNS_PORT }, messages[i].p, messages[i].len) == INSPECT_NO)
			fail_msg("message %zu is none", i);
	for (unsigned n = 0; n < 256 * 3 * 2 * 2; n++) {
		const unsigned b = n % 256;
		const struct {
			const char *name;
			bool begins;
			enum inspect_result (*inspect)(const struct inspect_input *in, struct facts *out);
		} rows[] = { ROW(tls, TLS), ROW(dns, DNS), ROW(socks, SOCKS), ROW(proxy, PROXY), ROW(http, HTTP), ROW(http2, HTTP2),
			     ROW(websocket, WEBSOCKET), ROW(stratum, STRATUM), ROW(magic, MAGIC) };
		struct inspect_input in = { .side = n / 256 % 3, .ended = n / 768 % 2, .port = n / 1536 ? DNS_PORT : 443, .scratch = feed_scratch };

		for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
			for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
				for (in.len = 1; in.len <= messages[i].len && !rows[r].begins; in.len++) {
					uint8_t bytes[64];

					memcpy(bytes, messages[i].p, in.len);
					bytes[0] = (uint8_t)b;
					in.p = bytes;
					feed_scratch->used = 0;
					inspect_reset(&facts);
					if (rows[r].inspect(&in, &facts) != INSPECT_NO)
						fail_msg("%s knows 0x%02x, message %zu, %zu bytes, side %d", rows[r].name, b, i, in.len, in.side);
				}
	}
}

/* A PROXY header (version 2) may be cut anywhere, right behind its signature, too: found by the fuzzer. */
static void proxy_cut(void **state)
{
	static const char head[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" "abcdefghijkl";
	size_t n;

	(void)state;
	for (n = 1; n < sizeof(head) - 1; n++)
		assert_int_equal(feed(head, n), INSPECT_MORE);
	assert_int_equal(feed(head, n), INSPECT_MATCH);
	assert_int_equal(feed_facts.again, AGAIN_FRESH);
	assert_int_equal(feed_facts.consumed, n);
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(app_text(APP_TLS), "tls");
	assert_string_equal(app_text(APP_STRATUM), "stratum");
	assert_string_equal(app_text(APP_UNKNOWN), "unknown");
	assert_string_equal(app_text(APP_SOCKS), "unknown");
	assert_string_equal(name_kind_text(NAME_TLS_SNI), "tls_sni");
	assert_string_equal(name_kind_text(NAME_QUIC_SNI), "quic_sni");
	assert_string_equal(name_kind_text(NAME_HTTP_HOST), "http_host");
	assert_string_equal(name_kind_text(NAME_CONNECT), "connect");
	assert_string_equal(name_kind_text(NAME_SOCKS), "socks");
	assert_string_equal(name_kind_text(NAME_DNS), "dns");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dispatch), cmocka_unit_test(only), cmocka_unit_test(nothing), cmocka_unit_test(others),
		cmocka_unit_test(proxy_cut), cmocka_unit_test(words), cmocka_unit_test(begins),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
