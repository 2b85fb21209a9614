// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/event: whatever a miner writes into his names and texts, the log has one sound JSON line that quotes it
 * harmlessly and never shows a login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/escape.h"
#include "daemon/event.h"

/* One event line of an outcome whose texts are all these bytes; it must parse and hold printable ASCII only. */
static json_t *line_of(const uint8_t *bytes, size_t len, bool clear)
{
	static struct facts facts;
	static const uint8_t key[32] = { 1 };
	struct view v = { bytes, len };
	struct outcome o = { .facts = &facts, .verdict = VERDICT_BLOCK, .event = true, .app = APP_STRATUM, .family = 6 };
	struct event e;
	json_t *j, *again;
	char *dump, *redump;

	facts.n_names = 1;
	facts.names[0] = (struct name_fact){ .kind = NAME_HTTP_HOST, .text = v };
	facts.mining = true;
	facts.stratum = (struct stratum_facts){ .dialect = "cryptonote", .method = v, .agent = v, .algo = v, .login = v, .worker = v };
	o.decision = (struct decision){ .action = ACTION_BLOCK, .evidence = EVIDENCE_PROTOCOL, .rule = "detect.stratum" };
	event_fill(&e, &o, NULL, key, clear);
	j = event_json(&e);
	assert_non_null(j);
	dump = json_dumps(j, JSON_COMPACT);
	assert_non_null(dump);
	for (const char *p = dump; *p; p++)
		assert_true(*p >= 0x20 && *p < 0x7f);
	again = json_loads(dump, 0, NULL);
	redump = json_dumps(again, JSON_COMPACT);
	assert_string_equal(redump, dump);
	json_decref(again);
	free(redump);
	free(dump);
	return j;
}

static const char *mining(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(json_object_get(j, "mining"), key));
}

static void test_every_byte(void **state)
{
	uint8_t bytes[4096];

	(void)state;
	for (size_t len = 0; len < 600; len++) {
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)(i * 37 + len);
		json_decref(line_of(bytes, len, len % 2));
	}
	for (int c = 0; c < 256; c++) {
		memset(bytes, c, sizeof(bytes));
		json_decref(line_of(bytes, sizeof(bytes), true));
	}
}

static void test_quotes(void **state)
{
	static const char text[] = "x\",\"event_type\":\"flow\"}\n{\"\x1b[2J\xff";
	json_t *j = line_of((const uint8_t *)text, sizeof(text) - 1, false);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(j, "event_type")), "alert");
	assert_string_equal(mining(j, "agent"), "x\",\"event_type\":\"flow\"}\\x0a{\"\\x1b[2J\\xff");
	assert_int_equal(strlen(mining(j, "login_hash")), 32);
	assert_null(mining(j, "login"));
	json_decref(j);
}

/* A hello of TLS 1.2 that offers one suite and nothing else. */
static const uint8_t small_hello[] = { 1, 0, 0, 41, 3, 3, [38] = 0, 0, 2, 0x13, 1, 1, 0 };

static json_t *handshake_line(uint32_t quic, enum name_kind kind, bool named, bool event)
{
	static struct facts facts;
	struct outcome o = { .facts = &facts, .verdict = VERDICT_BLOCK, .event = event, .family = 4 };
	struct event e;

	o.app = quic ? APP_QUIC : APP_TLS;
	facts = (struct facts){ .n_names = named, .tls_version = 0x0303, .quic_version = quic,
				.tls_hello = { small_hello, sizeof(small_hello) } };
	facts.names[0] = (struct name_fact){ .kind = kind, .matchable = true, .text = { (const uint8_t *)"a.example", 9 } };
	o.decision = (struct decision){ .action = ACTION_BLOCK, .evidence = EVIDENCE_NAME };
	event_fill(&e, &o, NULL, NULL, false);
	return event_json(&e);
}

static const char *text_of(const json_t *j, const char *outer, const char *key)
{
	const char *s = json_string_value(json_object_get(json_object_get(j, outer), key));

	return s ? s : "";
}

static void test_handshakes(void **state)
{
	json_t *j = handshake_line(0x6b3343cf, NAME_QUIC_SNI, true, true);

	(void)state;
	assert_string_equal(text_of(j, "quic", "sni"), "a.example");
	assert_string_equal(text_of(j, "quic", "version"), "2");
	assert_string_equal(text_of(j, "quic", "ja4"), "q12i010000_0f2cb44170f4_000000000000");
	assert_null(json_object_get(j, "tls"));
	json_decref(j);
	j = handshake_line(0, NAME_TLS_SNI, true, true);
	assert_string_equal(text_of(j, "tls", "sni"), "a.example");
	assert_string_equal(text_of(j, "tls", "version"), "TLS 1.2");
	assert_string_equal(text_of(j, "tls", "ja4"), "t12i010000_0f2cb44170f4_000000000000");
	assert_null(json_object_get(j, "quic"));
	json_decref(j);
	/* without a name the fingerprint is what there is */
	j = handshake_line(0, NAME_TLS_SNI, false, true);
	assert_string_equal(text_of(j, "tls", "ja4"), "t12i010000_0f2cb44170f4_000000000000");
	assert_string_equal(text_of(j, "tls", "sni"), "");
	json_decref(j);
	/* no event, no fingerprint: it is not for every packet */
	j = handshake_line(0, NAME_TLS_SNI, true, false);
	assert_string_equal(text_of(j, "tls", "ja4"), "");
	json_decref(j);
}

/* The alert of one message of this dialect. */
static json_t *said(const struct stratum_facts *stratum)
{
	static struct facts facts;
	static const uint8_t key[32] = { 1 };
	struct outcome o = { .facts = &facts, .verdict = VERDICT_ACCEPT, .event = true, .family = 4 };
	struct event e;

	facts.mining = true;
	facts.stratum = *stratum;
	o.decision = (struct decision){ .action = ACTION_MONITOR, .evidence = EVIDENCE_PROTOCOL, .rule = "detect" };
	event_fill(&e, &o, NULL, key, false);
	return event_json(&e);
}

/* Two machines of one wallet have one hash and their own names; an Ethereum address is one in whatever case. */
static void test_worker(void **state)
{
	static const char *const wallets[] = { "0xAbCdEf0123456789aBcDeF0123456789abCDef01", "0xabcdef0123456789abcdef0123456789abcdef01",
					       "0xabcdef0123456789abcdef0123456789abcdef02" };
	struct stratum_facts f = { .dialect = "eth-proxy" };
	char hash[3][33];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		json_t *j;

		f.login = (struct view){ (const uint8_t *)wallets[i], strlen(wallets[i]) };
		f.worker = (struct view){ (const uint8_t *)"rig\n1" + i, 5 - i };
		j = said(&f);
		strcpy(hash[i], mining(j, "login_hash"));
		assert_string_equal(mining(j, "worker"), i == 0 ? "rig\\x0a1" : i == 1 ? "ig\\x0a1" : "g\\x0a1");
		json_decref(j);
	}
	assert_string_equal(hash[0], hash[1]);
	assert_string_not_equal(hash[0], hash[2]);
}

/* Nodes and work asked of them are not called mining protocols. */
static void test_kinds(void **state)
{
	static const char *const texts[] = {
		[MINING_STRATUM] = "minewall: mining protocol", [MINING_GETWORK] = "minewall: work asked of a coin's node",
		[MINING_NODE] = "minewall: node of a coin's network",
	};

	(void)state;
	for (unsigned kind = MINING_STRATUM; kind <= MINING_NODE; kind++) {
		const struct stratum_facts f = { .dialect = "x", .kind = kind };
		json_t *j = said(&f), *alert = json_object_get(j, "alert");

		assert_string_equal(json_string_value(json_object_get(alert, "signature")), texts[kind]);
		assert_int_equal(json_integer_value(json_object_get(alert, "severity")), kind + 1);
		assert_null(mining(j, "worker"));
		json_decref(j);
	}
}

static void test_escape_ends(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(escape_text(out, sizeof(out), ESCAPE_WIRE, "ab\n\n", 4), 6);
	assert_string_equal(out, "ab\\x0a");
	assert_int_equal(escape_text(out, 1, ESCAPE_WIRE, "ab", 2), 0);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_escape_ends),
		cmocka_unit_test(test_handshakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
