// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/answers and daemon/refuse: what names stand for is remembered a client at a time and forgotten in time; a REFUSED is a
 * whole packet that repeats the question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/answers.h"
#include "daemon/refuse.h"

static const uint64_t secret[2] = { 3, 4 };
static const uint8_t alice[16] = { [15] = 1 }, bob[16] = { [15] = 2 }, here[16] = { [15] = 9 }, there[16] = { [15] = 8 };

static struct view text(const char *s)
{
	return (struct view){ (const uint8_t *)s, strlen(s) };
}

static void is(struct answers *a, const uint8_t *client, const uint8_t *address, uint64_t now_ms, const char *want, bool want_shared)
{
	uint8_t name[ANSWERS_NAME_MAX];
	bool shared = false;
	size_t len = answers_get(a, client, address, now_ms, name, &shared);

	assert_int_equal(len, want ? strlen(want) : 0);
	if (want) {
		assert_memory_equal(name, want, len);
		assert_int_equal(shared, want_shared);
	}
}

static void test_life(void **state)
{
	struct answers *a = answers_new(secret);

	(void)state;
	answers_note(a, alice, here, text("pool.example"), true, 0, 1000);
	is(a, alice, here, 1000 + 59999, "pool.example", false);
	is(a, alice, here, 1000 + 60000, NULL, false);
	is(a, bob, here, 1000, NULL, false);
	is(a, alice, there, 1000, NULL, false);
	answers_note(a, alice, here, text("pool.example"), true, UINT32_MAX, 1000);
	is(a, alice, here, 1000 + 3599999, "pool.example", false);
	is(a, alice, here, 1000 + 3600000, NULL, false);
	answers_free(a);
}

/* Whichever comes first, a harmless neighbour makes the address ambiguous; a second listed name does not. */
static void test_shared(void **state)
{
	struct answers *a = answers_new(secret);

	(void)state;
	answers_note(a, alice, here, text("pool.example"), true, 60, 0);
	answers_note(a, alice, here, text("POOL.example"), true, 60, 0);
	is(a, alice, here, 1, "POOL.example", false);
	answers_note(a, alice, here, text("other-pool.example"), true, 60, 0);
	is(a, alice, here, 1, "POOL.example", false);
	answers_note(a, alice, here, text("www.example"), false, 1, 0);
	is(a, alice, here, 1, "POOL.example", true);
	answers_note(a, alice, there, text("www.example"), false, 60, 0);
	is(a, alice, there, 1, "www.example", false);
	answers_note(a, alice, there, text("pool.example"), true, 300, 0);
	is(a, alice, there, 1, "pool.example", true);
	/* the excuse lives longer than what it excuses */
	answers_note(a, alice, there, text("pool.example"), true, 300, 300000);
	is(a, alice, there, 400000, "pool.example", true);
	answers_note(a, bob, here, text(""), false, 60, 0);
	answers_note(a, bob, here, text("pool.example"), true, 60, 0);
	is(a, bob, here, 1, "pool.example", true);
	answers_free(a);
}

static void test_long_name(void **state)
{
	struct answers *a = answers_new(secret);
	char name[200];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[60] = name[120] = '.';
	memcpy(name + 180, ".pool.example", 14);
	answers_note(a, alice, here, text(name), true, 60, 0);
	is(a, alice, here, 1, name + 121, false);
	answers_free(a);
}

/* A flood forgets others, but never takes more memory, and never splits a name from its excuse. */
static void test_flood(void **state)
{
	struct answers *a = answers_new(secret);
	uint8_t address[16] = { 0 }, name[ANSWERS_NAME_MAX];
	bool shared = false;

	(void)state;
	answers_note(a, alice, here, text("pool.example"), true, 60, 0);
	answers_note(a, alice, here, text("www.example"), false, 60, 0);
	for (uint32_t i = 0; i < 100000; i++) {
		memcpy(address, &i, sizeof(i));
		answers_note(a, bob, address, text("x.example"), true, 60, 1);
	}
	assert_true(!answers_get(a, alice, here, 2, name, &shared) || shared);
	answers_free(a);
}

static unsigned sum16(const uint8_t *p, size_t len, unsigned s)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 ? p[i] : (unsigned)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void test_refuse(void **state)
{
	static const uint8_t question[] = "\4PoOl\7example\0\0\1\0\1";
	static struct facts facts;
	struct outcome o = { .family = 4, .facts = &facts, .subject = { .sport = 40000, .dport = 53 } };
	uint8_t out[REFUSE_BYTES_MAX];
	size_t len;

	(void)state;
	memcpy(o.subject.src + 10, "\xff\xff\xc0\0\2\1", 6);
	memcpy(o.subject.dst + 10, "\xff\xff\x08\x08\x08\x08", 6);
	facts.dns = (struct dns_facts){ .id = 0xbeef, .recursion = true, .question = { question, 18 } };
	len = refuse_write(&o, out);
	assert_int_equal(len, 20 + 8 + 12 + 18);
	assert_memory_equal(out + 12, "\x08\x08\x08\x08\xc0\0\2\1", 8);
	assert_memory_equal(out + 20, "\0\x35\x9c\x40", 4);
	assert_memory_equal(out + 28, "\xbe\xef\x81\x85\0\1\0\0\0\0\0\0", 12);
	assert_memory_equal(out + 40, question, 18);
	assert_int_equal(sum16(out + 12, len - 12, 17 + (unsigned)len - 20), 0xffff);
	o.family = 6;
	facts.dns.edns = true;
	len = refuse_write(&o, out);
	assert_int_equal(len, 40 + 8 + 12 + 18 + 17);
	assert_int_equal(out[48 + 11], 1);
	assert_int_equal(sum16(out + 8, len - 8, 17 + (unsigned)len - 40), 0xffff);
	facts.dns.question.len = 0;
	assert_int_equal(refuse_write(&o, out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life), cmocka_unit_test(test_shared), cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_flood), cmocka_unit_test(test_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
