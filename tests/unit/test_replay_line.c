/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/replay_line: hostile names stay harmless in JSON and on the terminal; a line tells all that was found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/replay_line.h"

static struct view view_of(const char *text, size_t len)
{
	return (struct view){ (const uint8_t *)text, len };
}

static void check_text(const char *bytes, size_t len, const char *json)
{
	json_t *j = replay_line_text(view_of(bytes, len));
	char *dump = json_dumps(j, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

	assert_non_null(dump);
	assert_string_equal(dump, json);
	free(dump);
	json_decref(j);
}

static void test_text(void **state)
{
	(void)state;
	check_text("", 0, "\"\"");
	check_text("plain.example", 13, "\"plain.example\"");
	check_text("a\0b\"", 4, "\"a\\u0000b\\\"\"");
	check_text("gr\xc3\xbc\xc3\x9f", 6, "\"gr\\u00FC\\u00DF\"");
	check_text("\xff\x80x\xc3\xbc", 5, "\"\\u00FF\\u0080x\\u00C3\\u00BC\"");
	check_text("\xed\xa0\x80", 3, "\"\\u00ED\\u00A0\\u0080\"");	/* a lone surrogate is no UTF-8 */
}

/* An outcome with one name and, if asked for, Stratum. */
static void add(struct replay_flow *f, struct facts *facts, const char *name, bool mining)
{
	struct outcome o = { .facts = facts, .app = mining ? APP_STRATUM : APP_TLS, .family = 4 };
	struct packet packet = { .family = 4, .proto = 6 };
	struct event e;

	memset(facts, 0, sizeof(*facts));
	if (name) {
		facts->n_names = 1;
		facts->names[0] = (struct name_fact){ .kind = NAME_TLS_SNI, .text = view_of(name, strlen(name)) };
	}
	if (mining) {
		facts->mining = true;
		facts->stratum.dialect = "stratum-v1";
		facts->stratum.method = view_of("mining.subscribe", 16);
		o.event = true;
		o.verdict = VERDICT_BLOCK;
		o.decision = (struct decision){ .action = ACTION_BLOCK, .evidence = EVIDENCE_PROTOCOL, .rule = "detect.stratum" };
	}
	event_fill(&e, &o, &packet, NULL, false);
	assert_int_equal(replay_line_add(f, &o, &e), 0);
}

static const char *text_at(const json_t *j, const char *outer, const char *inner)
{
	return json_string_value(json_object_get(json_object_get(j, outer), inner));
}

static void test_line(void **state)
{
	struct replay_flow f = { .family = 4, .proto = 6, .sport = 5, .dport = 6, .src = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
				 .dst = { [10] = 0xff, 0xff, 192, 0, 2, 2 }, .when = { 1700000000, 250000 } };
	static struct facts facts;
	json_t *j = replay_line_json(&f, "odd\xff.pcap");

	(void)state;
	assert_string_equal(text_at(j, "verdict", "action"), "accept");
	assert_int_equal(json_array_size(json_object_get(j, "names")), 0);
	assert_null(json_object_get(j, "mining"));
	assert_string_equal(json_string_value(json_object_get(j, "src_ip")), "192.0.2.1");
	json_decref(j);
	add(&f, &facts, "one.example", false);
	add(&f, &facts, "two.example", false);
	add(&f, &facts, NULL, true);
	add(&f, &facts, "three.example", false);
	j = replay_line_json(&f, "x");
	assert_string_equal(text_at(j, "verdict", "action"), "drop");
	assert_string_equal(text_at(j, "tls", "sni"), "one.example");
	assert_string_equal(text_at(j, "mining", "evidence"), "protocol");
	assert_string_equal(text_at(j, "mining", "dialect"), "stratum-v1");
	assert_string_equal(text_at(j, "mining", "rule"), "detect.stratum");
	assert_int_equal(json_array_size(json_object_get(j, "names")), 3);
	json_decref(j);
	replay_line_free(&f);
	assert_null(f.result);
}

static void test_terminal(void **state)
{
	struct replay_flow f = { .family = 6, .proto = 6 };
	static struct facts facts;
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	assert_non_null(to);
	add(&f, &facts, "\x1b[2J\n\xc2\x9b" "31m\\\xc3\xbc", false);
	replay_line_print(to, &f);
	fclose(to);
	assert_non_null(strstr(text, "tls_sni=\\x1b[2J\\x0a\\u009b31m\\x5c\xc3\xbc\n"));
	free(text);
	replay_line_free(&f);
}

static void test_many_names(void **state)
{
	struct replay_flow f = { .family = 4, .proto = 6 };
	static struct facts facts;
	json_t *j;

	(void)state;
	for (int i = 0; i < REPLAY_NAMES_MAX + 10; i++)
		add(&f, &facts, "n", false);
	j = replay_line_json(&f, "x");
	assert_int_equal(json_array_size(json_object_get(j, "names")), REPLAY_NAMES_MAX);
	json_decref(j);
	replay_line_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
