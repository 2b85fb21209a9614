/* SPDX-License-Identifier: GPL-2.0-or-later */
/* List text in many spellings, hostile ones among them; and, where the shared corpus lies beside the tree, real lists:
 * seven spellings of one list must give the same names, and other syntaxes must give none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/file.h"
#include "policy/lists.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CORPUS "../shared/corpus/lists/"

/* The text in a block of exactly its size, so that ASan sees an overrun. */
static int read_text(struct name_set *set, enum list_format format, const char *text, size_t len,
		     struct list_counts *counts)
{
	char *copy = malloc(len ? len : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, text, len);
	result = list_read(set, 3, format, copy, len, counts);
	free(copy);
	return result;
}

static bool has(const struct name_set *set, const char *name, struct name_hit *hit)
{
	return name_set_match(set, name, strlen(name), hit);
}

/* Every spelling brings pool.example and second.example, whatever else it brings. */
static void test_spellings(void **state)
{
	static const struct { enum list_format format; size_t used, skipped; const char *text; } rows[] = {
		{ LIST_AUTO, 2, 0, "pool.example\nsecond.example\n" },
		{ LIST_AUTO, 2, 0, "pool.example\nsecond.example" },
		{ LIST_AUTO, 2, 0, "pool.example\r\nsecond.example\r\n" },
		{ LIST_AUTO, 2, 0, "\xef\xbb\xbfpool.example\nsecond.example\n" },
		{ LIST_AUTO, 2, 0, "\xef\xbb\xbf# head\r\n\r\nPOOL.Example.\r\n  second.example\t \r\n" },
		{ LIST_AUTO, 2, 0, "! head\n!pool\npool.example # why\nsecond.example\t#why\n" },
		{ LIST_AUTO, 2, 0, "#\n\n\n   \n\t\npool.example\n\n\nsecond.example\n\n" },
		{ LIST_AUTO, 2, 0, "0.0.0.0 pool.example\n0.0.0.0 second.example\n" },
		{ LIST_AUTO, 2, 0, "127.0.0.1\tpool.example\r\n127.0.0.1\t\tsecond.example\r\n" },
		{ LIST_AUTO, 2, 0, ":: pool.example\n::1 second.example\n" },
		{ LIST_AUTO, 2, 0, "0.0.0.0 pool.example second.example # two\n" },
		{ LIST_AUTO, 2, 0, "127.0.0.1 localhost pool.example\n::1 ip6-localhost ip6-loopback\n0.0.0.0 second.example\n" },
		{ LIST_HOSTS, 2, 0, "127.0.0.1 localhost.localdomain local\n255.255.255.255 broadcasthost\n" },
		{ LIST_HOSTS, 2, 1, "0.0.0.0 pool.example\n0.0.0.0 0.0.0.0\n0.0.0.0 second.example\n" },
		{ LIST_HOSTS, 2, 1, "0.0.0.0 pool.example\n192.168.1.1 router.example\n0.0.0.0 second.example\n" },
		{ LIST_HOSTS, 2, 1, "0.0.0.0 pool.example\nrouter.example\n0.0.0.0 second.example\n" },
		{ LIST_PLAIN, 2, 1, "pool.example\n0.0.0.0 other.example\nsecond.example\n" },
		{ LIST_AUTO, 2, 2, "pool.example\n192.0.2.1\n2001:db8::1\nsecond.example\n" },
		{ LIST_AUTO, 2, 5, "pool.example\ncom\n*\n.\n*.com\nco.uk\nsecond.example\n" },
		{ LIST_AUTO, 2, 2, "pool.example CNAME .\npool.example\n*.pool.example CNAME .\nsecond.example\n" },
		{ LIST_AUTO, 2, 4, "pool.example\n||x.example^\nsite.example##.ad\nhttp://x.example/\naddress=/x.example/\nsecond.example\n" },
		{ LIST_AUTO, 2, 1, "pool.example\nb\xc3\xbc" "cher.example\nsecond.example\n" },
		{ LIST_AUTO, 3, 0, "pool.example\nsecond.example\npool.example\n" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct name_set *set = name_set_new();
		struct list_counts counts;
		struct name_hit hit;

		assert_non_null(set);
		assert_int_equal(read_text(set, rows[i].format, rows[i].text, strlen(rows[i].text), &counts), 0);
		assert_int_equal(name_set_seal(set), 0);
		/* The one row of names that are only the machine's own. */
		if (strstr(rows[i].text, "broadcasthost")) {
			assert_int_equal(counts.used + counts.skipped, 0 + 1);
		} else {
			if (counts.used != rows[i].used || counts.skipped != rows[i].skipped)
				fail_msg("row %zu: %zu used, %zu skipped", i, counts.used, counts.skipped);
			assert_true(has(set, "a.pool.example", &hit));
			assert_int_equal(hit.source, 3);
			assert_true(has(set, "second.example", &hit));
		}
		assert_false(has(set, "x.example", &hit));
		assert_false(has(set, "site.example", &hit));
		assert_false(has(set, "other.example", &hit));
		assert_false(has(set, "router.example", &hit));
		assert_false(has(set, "localhost.localdomain", &hit));
		name_set_free(set);
	}
}

static void test_lines(void **state)
{
	static const char text[] = "# one\n\npool.example\r\n0.0.0.0\nsecond.example";
	struct name_set *set = name_set_new();
	struct list_counts counts;
	struct name_hit hit;

	(void)state;
	assert_int_equal(read_text(set, LIST_AUTO, text, sizeof(text) - 1, &counts), 0);
	assert_int_equal(name_set_seal(set), 0);
	assert_true(has(set, "pool.example", &hit));
	assert_int_equal(hit.line, 3);
	assert_true(has(set, "second.example", &hit));
	assert_int_equal(hit.line, 5);
	name_set_free(set);
}

static void test_bounds(void **state)
{
	struct name_set *set = name_set_new();
	struct list_counts counts;
	struct name_hit hit;
	size_t size = LIST_LINE_MAX + 64;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, "long.example", 12);		/* its line goes on with blanks past the limit */
	memcpy(text + LIST_LINE_MAX + 2, "\npool.example\0.example\n", 22);
	assert_int_equal(read_text(set, LIST_AUTO, text, LIST_LINE_MAX + 24, &counts), 0);
	assert_int_equal(counts.used, 0);
	assert_int_equal(counts.skipped, 2);		/* a long line, and one with a NUL */
	text[1] = '#';
	text[0] = ' ';
	assert_int_equal(read_text(set, LIST_AUTO, text, LIST_LINE_MAX + 15, &counts), 0);
	assert_int_equal(counts.used, 1);
	assert_int_equal(counts.skipped, 0);		/* a long comment is a comment */
	assert_int_equal(read_text(set, LIST_AUTO, text, 0, &counts), 0);
	assert_int_equal(counts.used, 0);
	assert_int_equal(name_set_seal(set), 0);
	assert_false(has(set, "long.example", &hit));
	assert_true(has(set, "pool.example", &hit));
	free(text);
	name_set_free(set);
}

static void test_too_many(void **state)
{
	static const char line[] = "a.example\n";
	size_t n = NAME_SET_MAX + 1, len = sizeof(line) - 1;
	struct name_set *set = name_set_new();
	char *text = malloc(n * len);
	struct list_counts counts;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, line, len);
	assert_int_equal(list_read(set, 1, LIST_AUTO, text, (n - 1) * len, &counts), 0);
	assert_int_equal(counts.used, NAME_SET_MAX);
	assert_int_equal(list_read(set, 1, LIST_AUTO, text, len, &counts), -7 /* E2BIG */);
	free(text);
	name_set_free(set);
}

struct real {
	const char *file;
	size_t used;
};

static void read_real(struct name_set *set, const char *file, struct list_counts *counts)
{
	char path[256];
	char *text;
	size_t len;

	snprintf(path, sizeof(path), CORPUS "%s", file);
	assert_int_equal(file_read(path, LIST_FILE_MAX, &text, &len), 0);
	assert_int_equal(read_text(set, LIST_AUTO, text, len, counts), 0);
	free(text);
}

static void need_corpus(void)
{
	if (!access(CORPUS "MANIFEST.tsv", R_OK))
		return;
	print_message("skipped: no " CORPUS " beside the tree\n");
	skip();
}

static void test_real(void **state)
{
	static const struct real same[] = {
		{ "nocoin/hosts.txt", 313 }, { "derived/nocoin.domains.txt", 313 }, { "derived/nocoin.wildcard.txt", 313 },
		{ "derived/nocoin.hosts-127-multi.txt", 313 }, { "derived/nocoin.hosts-v6.txt", 313 },
		{ "derived/nocoin.crlf-bom-upper.txt", 313 }, { "derived/nocoin.no-final-newline.txt", 313 },
	};
	static const struct real other[] = {
		{ "derived/nocoin.adguard.txt", 0 }, { "derived/nocoin.dnsmasq-address.conf", 0 },
		{ "derived/nocoin.dnsmasq-local.conf", 0 }, { "derived/nocoin.unbound.conf", 0 }, { "derived/nocoin.rpz", 0 },
		{ "derived/nocoin.urls.txt", 0 }, { "derived/nocoin.suricata-dataset", 0 }, { "derived/nocoin.hosts.gz", 0 },
		{ "derived/coinblocker.netset", 0 }, { "derived/coinblocker.nft", 0 }, { "derived/coinblocker.ip-port.txt", 0 },
		{ "derived/coinblocker.ranges.p2p", 0 }, { "derived/coinblocker.ipset-save", 0 },
		{ "coinblocker-2018/MiningServerIPList.txt", 0 }, { "nocoin/nocoin-ublock.txt", 0 },
		{ "ublock-debian/filters.min.txt", 0 }, { "ublock-debian/miner-lines.txt", 0 },
	};
	(void)state;
	need_corpus();
	for (size_t i = 0; i < COUNT(same) + COUNT(other); i++) {
		const struct real *real = i < COUNT(same) ? &same[i] : &other[i - COUNT(same)];
		struct name_set *set = name_set_new();
		struct list_counts counts;

		read_real(set, real->file, &counts);
		assert_int_equal(name_set_seal(set), 0);
		if (counts.used != real->used || name_set_count(set) != real->used)
			fail_msg("%s: %zu used, %zu skipped", real->file, counts.used, counts.skipped);
		name_set_free(set);
	}
}

static void test_hostile(void **state)
{
	struct name_set *set;
	struct list_counts counts;
	struct name_hit hit;

	(void)state;
	need_corpus();
	set = name_set_new();
	read_real(set, "derived/hostile.txt", &counts);
	print_message("hostile.txt: %zu used, %zu skipped\n", counts.used, counts.skipped);
	assert_int_equal(name_set_seal(set), 0);
	assert_true(has(set, "last-without-newline.example", &hit));
	assert_false(has(set, "www.bbc.co.uk", &hit));
	assert_false(has(set, "www.wikipedia.com", &hit));
	assert_false(has(set, "site.example", &hit));
	assert_false(has(set, "coinhive.com", &hit));
	assert_false(has(set, "localhost", &hit));
	name_set_free(set);
}

/* The shipped starter list blocks pools and next to nothing that people use. */
static void test_starter(void **state)
{
	struct name_set *set = name_set_new();
	struct list_counts counts;
	struct name_hit hit;
	char *text;
	size_t len, hits = 0, names = 0;

	(void)state;
	assert_int_equal(file_read("contrib/lists/starter.txt", LIST_FILE_MAX, &text, &len), 0);
	assert_int_equal(list_read(set, 1, LIST_PLAIN, text, len, &counts), 0);
	free(text);
	assert_int_equal(counts.skipped, 0);
	assert_int_equal(name_set_seal(set), 0);
	assert_int_equal(name_set_count(set), counts.used);	/* no repeats */
	assert_true(has(set, "donate.v2.xmrig.com", &hit));
	assert_true(has(set, "ws001.coinhive.com", &hit));
	assert_false(has(set, "xmrig.com", &hit));
	assert_false(has(set, "www.nicehash.com", &hit));
	assert_false(has(set, "www.binance.com", &hit));
	assert_false(has(set, "getmonero.org", &hit));
	if (file_read(CORPUS "benign/umbrella-top-100k-union.txt", LIST_FILE_MAX, &text, &len)) {
		print_message("popular names skipped: no " CORPUS " beside the tree\n");
		name_set_free(set);
		return;
	}
	for (char *save, *name = strtok_r(text, "\r\n", &save); name; name = strtok_r(NULL, "\r\n", &save), names++)
		if (has(set, name, &hit)) {
			/* Their Stratum hosts are popular themselves; nothing else that is popular may be listed. */
			if (!strstr(name, ".nicehash.com"))
				fail_msg("popular and listed: %s by %s", name, hit.entry);
			hits++;
		}
	print_message("starter: %zu names, %zu hits in %zu popular names\n", counts.used, hits, names);
	free(text);
	name_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_starter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
