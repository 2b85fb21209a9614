// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/escape: whatever stands in a text, a terminal, a browser and a syslog server see plain characters only, and the same ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/escape.h"

/* Text that was seen in the wild or is known to fool somebody, and what becomes of it. */
static const struct hostile {
	const char *what, *text, *terminal, *html, *syslog;
} corpus[] = {
	{ "plain", "pool.example", "pool.example", "pool.example", "pool.example" },
	{ "letters of others", "b\xc3\xbc" "cher.example \xe4\xb8\xad", "b\xc3\xbc" "cher.example \xe4\xb8\xad", "b\xc3\xbc" "cher.example \xe4\xb8\xad",
	  "b\xc3\xbc" "cher.example \xe4\xb8\xad" },
	{ "colour and clearing", "\x1b[31m\x1b[2J", "\\x1b[31m\\x1b[2J", "\\x1b[31m\\x1b[2J", "\\\\x1b[31m\\\\x1b[2J" },
	{ "a title", "\x1b]0;owned\x07", "\\x1b]0;owned\\x07", "\\x1b]0;owned\\x07", "\\\\x1b\\]0;owned\\\\x07" },
	{ "C1 as UTF-8", "\xc2\x9b" "31m", "\\u009b31m", "\\u009b31m", "\\\\u009b31m" },
	{ "C1 as a byte", "\x9b" "31m", "\\x9b31m", "\\x9b31m", "\\\\x9b31m" },
	{ "line ends", "a\r\nb\tc", "a\\x0d\\x0ab\\x09c", "a\\x0d\\x0ab\\x09c", "a\\\\x0d\\\\x0ab\\\\x09c" },
	{ "other line ends", "\xc2\x85\xe2\x80\xa8\xe2\x80\xa9", "\\u0085\\u2028\\u2029", "\\u0085\\u2028\\u2029", "\\\\u0085\\\\u2028\\\\u2029" },
	{ "backspace, delete", "ab\x08\x08\x7f", "ab\\x08\\x08\\x7f", "ab\\x08\\x08\\x7f", "ab\\\\x08\\\\x08\\\\x7f" },
	{ "turned about", "moc\xe2\x80\xae" "exe.", "moc\\u202eexe.", "moc\\u202eexe.", "moc\\\\u202eexe." },
	{ "isolates", "\xe2\x81\xa6\xe2\x81\xa9\xd8\x9c", "\\u2066\\u2069\\u061c", "\\u2066\\u2069\\u061c", "\\\\u2066\\\\u2069\\\\u061c" },
	{ "of no width", "p\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf\xc2\xad", "p\\u200b\\u200d\\ufeff\\u00ad", "p\\u200b\\u200d\\ufeff\\u00ad",
	  "p\\\\u200b\\\\u200d\\\\ufeff\\\\u00ad" },
	{ "tags", "\xf3\xa0\x81\x81", "\\U000e0041", "\\U000e0041", "\\\\U000e0041" },
	{ "private use", "\xee\x80\x80", "\\ue000", "\\ue000", "\\\\ue000" },
	{ "too long a form", "\xc0\xaf\xe0\x80\xaf", "\\xc0\\xaf\\xe0\\x80\\xaf", "\\xc0\\xaf\\xe0\\x80\\xaf", "\\\\xc0\\\\xaf\\\\xe0\\\\x80\\\\xaf" },
	{ "half a pair", "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80", "\\\\xed\\\\xa0\\\\x80" },
	{ "beyond the last", "\xf4\x90\x80\x80\xff", "\\xf4\\x90\\x80\\x80\\xff", "\\xf4\\x90\\x80\\x80\\xff", "\\\\xf4\\\\x90\\\\x80\\\\x80\\\\xff" },
	{ "cut short", "a\xe2\x80", "a\\xe2\\x80", "a\\xe2\\x80", "a\\\\xe2\\\\x80" },
	{ "markup", "<script>alert('&\"')</script>", "<script>alert('&\"')</script>",
	  "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;", "<script>alert('&\\\"')</script>" },
	{ "structured data", "a\"] [x y=\"z\\", "a\"] [x y=\"z\\", "a&quot;] [x y=&quot;z\\", "a\\\"\\] [x y=\\\"z\\\\" },
};

static void put(char *out, size_t size, enum escape_form form, const char *text, size_t len)
{
	FILE *f = fmemopen(out, size, "w");

	escape_put(f, form, text, len);
	fclose(f);
}

static void is(const struct hostile *h, enum escape_form form, const char *expected)
{
	char text[256] = "", stream[256] = "";

	assert_int_equal(escape_text(text, sizeof(text), form, h->text, strlen(h->text)), strlen(expected));
	if (strcmp(text, expected))
		print_error("%s\n", h->what);
	assert_string_equal(text, expected);
	put(stream, sizeof(stream), form, h->text, strlen(h->text));
	assert_string_equal(stream, expected);
}

static void test_corpus(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
		is(&corpus[i], ESCAPE_TERMINAL, corpus[i].terminal);
		is(&corpus[i], ESCAPE_HTML, corpus[i].html);
		is(&corpus[i], ESCAPE_SYSLOG, corpus[i].syslog);
	}
}

/* What was escaped once stays as it is on a terminal. */
static void test_twice(void **state)
{
	char once[256], twice[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
		size_t n = escape_text(once, sizeof(once), ESCAPE_TERMINAL, corpus[i].text, strlen(corpus[i].text));

		escape_text(twice, sizeof(twice), ESCAPE_TERMINAL, once, n);
		assert_string_equal(once, twice);
		n = escape_text(once, sizeof(once), ESCAPE_WIRE, corpus[i].text, strlen(corpus[i].text));
		escape_text(twice, sizeof(twice), ESCAPE_TERMINAL, once, n);
		assert_string_equal(once, twice);
	}
}

/* Every text of three bytes: what comes out has no control byte, is UTF-8 (jansson says so) and is no longer than promised. */
static void test_every_byte(void **state)
{
	static const enum escape_form forms[] = { ESCAPE_WIRE, ESCAPE_TERMINAL, ESCAPE_HTML, ESCAPE_SYSLOG };
	char out[64];

	(void)state;
	for (uint32_t i = 0; i < 1u << 20; i++) {
		/* a lead byte of any kind in front, where the third is what it makes of it */
		uint8_t text[3] = { (uint8_t)(i >> 12), (uint8_t)(i >> 4), (uint8_t)(0x7c + (i & 15) * 5) };
		size_t n = escape_text(out, sizeof(out), forms[i % 4], text, sizeof(text));
		json_t *j = i % 64 ? NULL : json_string(out);

		assert_true(n <= sizeof(text) * ESCAPE_GROWTH && out[n] == '\0' && strlen(out) == n);
		for (size_t k = 0; k < n; k++)
			assert_true((uint8_t)out[k] >= 0x20 && out[k] != 0x7f);
		assert_true(i % 64 || j);
		json_decref(j);
	}
}

/* However little room there is, no escape and no character is cut in its middle. */
static void test_room(void **state)
{
	const char *text = "a\x1b\xc3\xbc<";
	static const char *const whole[] = { "", "", "a", "a", "a", "a", "a\\x1b", "a\\x1b", "a\\x1b\xc3\xbc", "a\\x1b\xc3\xbc" };
	char out[32];

	(void)state;
	for (size_t size = 1; size < sizeof(whole) / sizeof(whole[0]); size++) {
		memset(out, '!', sizeof(out));
		escape_text(out, size, ESCAPE_HTML, text, strlen(text));
		assert_string_equal(out, whole[size]);
		assert_int_equal(out[size], '!');
	}
}

static void test_json(void **state)
{
	json_t *j = json_loads("{\"a\":[\"\\u202ex\",{\"k\\u001b\":\"v\"},7],\"b\":\"ok\"}", 0, NULL), *deep = json_array(), *in = deep;
	char *text;

	(void)state;
	escape_json(j);
	text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"a\":[\"\\\\u202ex\",{\"k\\\\x1b\":\"v\"},7],\"b\":\"ok\"}");
	free(text);
	json_decref(j);
	for (int i = 0; i < 2000; i++) {
		json_t *next = i % 2 ? json_array() : json_object();

		if (json_is_array(in))
			json_array_append_new(in, next);
		else
			json_object_set_new(in, "k\x1b", next);
		in = next;
	}
	escape_json(deep);
	json_decref(deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus), cmocka_unit_test(test_twice), cmocka_unit_test(test_every_byte), cmocka_unit_test(test_room),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
