/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name set: what an entry covers and what it must never cover, and its size and speed at a million names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "policy/names.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void add(struct name_set *set, const char *text, unsigned source, unsigned line)
{
	struct name_entry entry;

	assert_int_equal(name_parse(text, strlen(text), &entry), NAME_GOOD);
	assert_int_equal(name_set_add(set, &entry, source, line), 0);
}

static struct name_set *set_of(const char *const *entries, size_t n)
{
	struct name_set *set = name_set_new();

	assert_non_null(set);
	for (size_t i = 0; i < n; i++)
		add(set, entries[i], (unsigned)i % 100, (unsigned)i + 1);
	assert_int_equal(name_set_seal(set), 0);
	return set;
}

/* The entry that covers the name, or "-". The name lies at the end of its own block, so that ASan sees an overrun. */
static const char *match(const struct name_set *set, const char *name)
{
	size_t len = strlen(name);
	char *copy = malloc(len ? len : 1);
	struct name_hit hit;
	bool found;

	assert_non_null(copy);
	memcpy(copy, name, len);
	found = name_set_match(set, copy, len, &hit);
	free(copy);
	return found ? hit.entry : "-";
}

static void test_parse(void **state)
{
	static const char label63[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const struct { const char *text; enum name_problem problem; const char *result; } rows[] = {
		{ "pool.example", NAME_GOOD, "pool.example" }, { "Pool.EXAMPLE.", NAME_GOOD, "pool.example" },
		{ "*.Pool.example", NAME_GOOD, "pool.example" }, { "_x._tcp.a-b.example", NAME_GOOD, "_x._tcp.a-b.example" },
		{ "1q2w3.fun", NAME_GOOD, "1q2w3.fun" }, { "xn--e1afmkfd.xn--p1ai", NAME_GOOD, "xn--e1afmkfd.xn--p1ai" },
		{ "", NAME_EMPTY, NULL }, { ".", NAME_EMPTY, NULL }, { "*.", NAME_EMPTY, NULL }, { "*..", NAME_EMPTY, NULL },
		{ "..", NAME_LABEL, NULL }, { ".pool.example", NAME_LABEL, NULL }, { "pool..example", NAME_LABEL, NULL },
		{ "pool.example..", NAME_LABEL, NULL }, { "*", NAME_BYTE, NULL }, { "*.*", NAME_BYTE, NULL },
		{ "a.*.example", NAME_BYTE, NULL }, { "*pool.example", NAME_BYTE, NULL }, { "pool.example:3333", NAME_BYTE, NULL },
		{ "http://pool.example/", NAME_BYTE, NULL }, { "a b.example", NAME_BYTE, NULL }, { "||a.example^", NAME_BYTE, NULL },
		{ "b\xc3\xbc" "cher.example", NAME_UNICODE, NULL },
		{ "192.0.2.1", NAME_ADDRESS, NULL }, { "pool.example.1", NAME_ADDRESS, NULL }, { "42", NAME_ADDRESS, NULL },
		{ "com", NAME_WIDE, "com" }, { "*.com", NAME_WIDE, "com" }, { "com.", NAME_WIDE, "com" }, { "co.uk", NAME_WIDE, "co.uk" },
		{ "*.com.br", NAME_WIDE, "com.br" }, { "x.co.uk", NAME_GOOD, "x.co.uk" }, { "co.example", NAME_GOOD, "co.example" },
		{ "tv.uk", NAME_GOOD, "tv.uk" },
	};
	struct name_entry entry;
	char text[600];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(&entry, 0x55, sizeof(entry));
		if (name_parse(rows[i].text, strlen(rows[i].text), &entry) != rows[i].problem)
			fail_msg("%s: %s", rows[i].text, name_problem_text(rows[i].problem));
		if (rows[i].result)
			assert_string_equal(entry.text, rows[i].result);
	}
	assert_int_equal(name_parse("a\0b.example", 11, &entry), NAME_BYTE);
	snprintf(text, sizeof(text), "%s.example", label63);
	assert_int_equal(name_parse(text, strlen(text), &entry), NAME_GOOD);
	snprintf(text, sizeof(text), "a%s.example", label63);
	assert_int_equal(name_parse(text, strlen(text), &entry), NAME_LABEL);
	snprintf(text, sizeof(text), "%s.%s.%s.%.61s.", label63, label63, label63, label63);
	assert_int_equal(name_parse(text, strlen(text), &entry), NAME_GOOD);	/* 253 without the last dot */
	assert_int_equal(entry.len, NAME_ENTRY_MAX);
	snprintf(text, sizeof(text), "%s.%s.%s.%.62s", label63, label63, label63, label63);
	assert_int_equal(name_parse(text, strlen(text), &entry), NAME_LONG);
	snprintf(text, sizeof(text), "%s.%s.%s.%s.%s.%s", label63, label63, label63, label63, label63, label63);
	assert_int_equal(name_parse(text, strlen(text), &entry), NAME_LONG);
	/* Right up to the last byte of each length, and wrong by it. */
	for (size_t len = 3; len < 40; len++) {
		memset(text, 'z', len);
		text[1] = '.';
		assert_int_equal(name_parse(text, len, &entry), NAME_GOOD);
		assert_int_equal(entry.len, len);
		text[len - 1] = '{';
		assert_int_equal(name_parse(text, len, &entry), NAME_BYTE);
	}
	/* Every byte alone. */
	for (unsigned c = 0; c < 256; c++) {
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';

		snprintf(text, sizeof(text), "abc%c.example", (char)c);
		text[3] = (char)c;
		assert_int_equal(name_parse(text, 12, &entry), good ? NAME_GOOD : c == '.' ? NAME_LABEL : c < 0x80 ? NAME_BYTE : NAME_UNICODE);
	}
	for (enum name_problem p = NAME_GOOD; p <= NAME_WIDE; p++)
		assert_true(*name_problem_text(p));
}

static void test_borders(void **state)
{
	static const char *const entries[] = {
		"pool.example", "*.cdn.example", "deep.pool.example", "a.b.c.d.e.f.example", "x_y.example", "abcdefgh.example",
		"abcdefghijklmnop.example",
	};
	static const struct { const char *name, *entry; } rows[] = {
		{ "pool.example", "pool.example" }, { "POOL.Example", "pool.example" }, { "pool.example.", "pool.example" },
		{ "a.pool.example", "pool.example" }, { "a.b.c.pool.example.", "pool.example" },
		{ "notpool.example", "-" }, { "pool.example.org", "-" }, { "ool.example", "-" }, { "example", "-" },
		{ "pool.exampl", "-" }, { "poolexample", "-" }, { "pool-example", "-" }, { "xpool.example", "-" },
		{ "cdn.example", "-" }, { "a.cdn.example", "*.cdn.example" }, { "a.b.CDN.example.", "*.cdn.example" },
		{ "acdn.example", "-" }, { "deep.pool.example", "deep.pool.example" },
		{ "x.deep.pool.example", "deep.pool.example" }, { "xdeep.pool.example", "pool.example" },
		{ "a.b.c.d.e.f.example", "a.b.c.d.e.f.example" }, { "z.a.b.c.d.e.f.example", "a.b.c.d.e.f.example" },
		{ "b.c.d.e.f.example", "-" }, { "x_y.example", "x_y.example" }, { "x-y.example", "-" },
		{ "abcdefgh.example", "abcdefgh.example" }, { "abcdefg.example", "-" }, { "abcdefghi.example", "-" },
		{ "abcdefghijklmnop.example", "abcdefghijklmnop.example" },
		{ "", "-" }, { ".", "-" }, { "..", "-" }, { "pool.example..", "-" }, { ".pool.example", "-" },
		{ "a..pool.example", "-" }, { "pool .example", "-" }, { "a b.pool.example", "-" },
		{ "\xc3\xbc.pool.example", "-" }, { "\x7f.pool.example", "-" }, { "%61.pool.example", "pool.example" },
	};
	struct name_set *set = set_of(entries, COUNT(entries));
	struct name_hit hit;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strcmp(match(set, rows[i].name), rows[i].entry))
			fail_msg("%s: %s, expected %s", rows[i].name, match(set, rows[i].name), rows[i].entry);
	assert_false(name_set_match(set, "a\0.pool.example", 15, &hit));
	assert_true(name_set_match(set, "x.cdn.example", 13, &hit));
	assert_int_equal(hit.source, 1);
	assert_int_equal(hit.line, 2);
	name_set_free(set);
}

static void test_repeats(void **state)
{
	static const char *const entries[] = { "*.a.example", "a.example", "b.example", "*.b.example", "c.example", "C.example." };
	struct name_set *set = set_of(entries, COUNT(entries));
	struct name_hit hit;

	(void)state;
	assert_int_equal(name_set_count(set), 3);
	assert_string_equal(match(set, "a.example"), "a.example");
	assert_string_equal(match(set, "x.a.example"), "a.example");
	assert_string_equal(match(set, "b.example"), "b.example");
	assert_true(name_set_match(set, "c.example", 9, &hit));
	assert_int_equal(hit.line, 5);
	name_set_free(set);
}

static void check_hit(const struct name_set *set, const char *name, const char *entry, unsigned source, unsigned line)
{
	struct name_hit hit;

	assert_true(name_set_match(set, name, strlen(name), &hit));
	assert_string_equal(hit.entry, entry);
	assert_int_equal(hit.source, source);
	assert_int_equal(hit.line, line);
}

/* One name from several sources: the rank decides, then the most specific; the others are not forgotten. */
static void test_ranks(void **state)
{
	struct name_set *set = name_set_new();
	struct name_hit hits[8];

	(void)state;
	assert_non_null(set);
	name_set_rank(set, 5, 3);
	name_set_rank(set, 6, 2);
	add(set, "pool.example", 1, 1);
	add(set, "pool.example", 5, 300000);
	add(set, "pool.example", 6, 2000000000);
	add(set, "pool.example", 5, 7);
	add(set, "a.pool.example", 1, 128);
	add(set, "*.b.example", 5, 127);
	add(set, "b.example", 1, 16384);
	add(set, "c.example", 1, 1);
	add(set, "c.example", 2, 2);
	assert_int_equal(name_set_seal(set), 0);
	assert_int_equal(name_set_count(set), 4);
	check_hit(set, "pool.example", "pool.example", 5, 300000);
	check_hit(set, "a.pool.example", "pool.example", 5, 300000);
	check_hit(set, "b.example", "b.example", 1, 16384);
	check_hit(set, "x.b.example", "*.b.example", 5, 127);
	check_hit(set, "c.example", "c.example", 1, 1);
	assert_int_equal(name_set_all(set, "x.A.pool.example.", 17, hits, 8), 4);
	assert_int_equal(hits[0].source, 1);
	assert_int_equal(hits[1].line, 300000);
	assert_int_equal(hits[2].line, 2000000000);
	assert_string_equal(hits[3].entry, "a.pool.example");
	assert_int_equal(name_set_all(set, "x.a.pool.example", 16, hits, 1), 4);
	assert_int_equal(name_set_all(set, "b.example", 9, hits, 8), 1);
	assert_int_equal(name_set_all(set, "d.example", 9, hits, 8), 0);
	name_set_free(set);
}

/* What a hostile list would send: one name again and again, and all in one bucket is none the slower for it. */
static void test_same_name(void **state)
{
	struct name_set *set = name_set_new();
	struct name_hit hit;

	(void)state;
	assert_non_null(set);
	for (unsigned i = 0; i < 300000; i++)
		add(set, i & 1 ? "*.pool.example" : "pool.example", 1 + i % 3, i + 1);
	assert_int_equal(name_set_seal(set), 0);
	assert_int_equal(name_set_count(set), 1);
	assert_true(name_set_match(set, "x.pool.example", 14, &hit));
	assert_int_equal(hit.line, 1);
	name_set_free(set);
}

static void test_long(void **state)
{
	struct name_set *set = name_set_new();
	char name[NAME_LEN_MAX + 3];
	struct name_hit hit;

	(void)state;
	assert_non_null(set);
	add(set, "a.a.a.example", 0, 1);
	memset(name, 'a', sizeof(name));
	for (size_t i = 1; i < NAME_LEN_MAX; i += 2)
		name[i] = '.';			/* 128 labels, the most that there can be; of an entry one less */
	add(set, (name[NAME_LEN_MAX] = '\0', name + 2), 1, 2);
	assert_int_equal(name_set_seal(set), 0);
	assert_true(name_set_match(set, name, NAME_LEN_MAX, &hit));
	assert_int_equal(hit.line, 2);
	name[NAME_LEN_MAX] = '.';
	assert_true(name_set_match(set, name, NAME_LEN_MAX + 1, &hit));
	name[NAME_LEN_MAX + 1] = '.';
	assert_false(name_set_match(set, name, NAME_LEN_MAX + 2, &hit));
	name[NAME_LEN_MAX] = 'a';
	assert_false(name_set_match(set, name, NAME_LEN_MAX + 1, &hit));
	memcpy(name + NAME_LEN_MAX - 13, "a.a.a.example", 13);
	assert_true(name_set_match(set, name, NAME_LEN_MAX, &hit));
	assert_int_equal(hit.line, 1);
	name_set_free(set);
}

static void test_empty(void **state)
{
	struct name_set *set = set_of(NULL, 0);

	(void)state;
	assert_string_equal(match(set, "pool.example"), "-");
	assert_int_equal(name_set_count(set), 0);
	name_set_free(set);
	name_set_free(NULL);
}

/* Names as lists have them: 4 to 14 letters, a few endings, some one label deeper; about 18 bytes. */
static void make_name(uint64_t seed, char *to, size_t size)
{
	static const char *const ends[] = { "com", "net", "org", "io", "ru", "xyz", "co.uk", "info" };
	uint64_t x = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	char label[16];
	unsigned n;

	x ^= x >> 29;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 32;
	n = 6 + x % 9;
	for (unsigned i = 0; i < n; i++)
		label[i] = (char)('a' + (x >> (i * 4 + 3)) % 26);
	label[n] = '\0';
	snprintf(to, size, "%s%s%05x.%s", x >> 61 ? "" : "www.", label, (unsigned)(seed & 0xfffff), ends[x >> 58 & 7]);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double time_lookups(const struct name_set *set, const char (*names)[48], size_t n, unsigned *hits)
{
	double start = seconds();
	struct name_hit hit;

	*hits = 0;
	for (size_t i = 0; i < n; i++)
		*hits += name_set_match(set, names[i], strlen(names[i]), &hit);
	return (seconds() - start) * 1e9 / (double)n;
}

static void test_million(void **state)
{
	enum { N = 1000000, TRIES = 200000 };
	struct name_set *set = name_set_new();
	char (*names)[48] = calloc(TRIES, sizeof(*names));
	double start = seconds(), built, miss, hit;
	unsigned hits, misses;
	char name[48];

	(void)state;
	assert_non_null(set);
	assert_non_null(names);
	for (unsigned i = 0; i < N; i++) {
		make_name(i, name, sizeof(name));
		add(set, name, 1, i + 1);
	}
	built = seconds();
	assert_int_equal(name_set_seal(set), 0);
	print_message("1M names: parse+add %.0f ms, seal %.0f ms, %zu distinct, %.1f bytes a name\n", (built - start) * 1e3,
		      (seconds() - built) * 1e3, name_set_count(set), (double)name_set_bytes(set) / (double)name_set_count(set));
	for (unsigned i = 0; i < TRIES; i++) {
		char *to = names[i];

		if (i & 1)
			to += snprintf(to, 8, "www3.");
		make_name((uint64_t)i * 7919 % N, to, sizeof(*names) - 8);
	}
	hit = time_lookups(set, names, TRIES, &hits);
	for (unsigned i = 0; i < TRIES; i++)
		make_name(UINT64_C(1) << 32 | ((uint64_t)i << 20) | i, names[i], sizeof(*names));
	miss = time_lookups(set, names, TRIES, &misses);
	print_message("1M names: %.0f ns a hit, %.0f ns a miss\n", hit, miss);
	assert_int_equal(hits, TRIES);
	assert_int_equal(misses, 0);
	assert_true(name_set_bytes(set) <= 45 * name_set_count(set));
	free(names);
	name_set_free(set);
}

/* Too much, too little, again in the middle, and for nothing at all. */
static void test_expect(void **state)
{
	static const size_t expected[] = { 0, 1, 100, 40000, 3 << 20 };

	(void)state;
	for (size_t i = 0; i < COUNT(expected); i++) {
		struct name_set *set = name_set_new();
		char name[48];

		assert_non_null(set);
		name_set_expect(set, expected[i]);
		for (unsigned k = 0; k < 5000; k++) {
			if (k == 3000)
				name_set_expect(set, expected[COUNT(expected) - 1 - i]);
			make_name(k, name, sizeof(name));
			add(set, name, 1, k + 1);
		}
		assert_int_equal(name_set_seal(set), 0);
		for (unsigned k = 0; k < 5000; k++) {
			make_name(k, name, sizeof(name));
			assert_string_equal(match(set, name), name);
		}
		name_set_free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_same_name),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
