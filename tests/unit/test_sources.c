/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists that are fetched: their keys and defaults, the one line for each way to write them wrong, and the counting of texts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/rules.h"

#define KEY "RWRseBss1Ax6iv8kTqbXgxjyVqijy2Hx5n6ZiRNxbK17qGQ3bPs0Dbyg"
#define ENTRY(more) "version: 1\nlists:\n  - {name: a" more "}\n"

static char folder[] = "/tmp/test_sources.XXXXXX";

static struct policy *read_policy(const char *text, struct policy_error *error)
{
	FILE *f = fopen("p.yaml", "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	return policy_load_settings("p.yaml", error);
}

static struct policy *good(const char *text)
{
	struct policy_error error;
	struct policy *p = read_policy(text, &error);

	if (!p)
		fail_msg("%s", error.text);
	return p;
}

static void test_defaults(void **state)
{
	struct policy *p = good("version: 1\nlists:\n  - {name: a, url: https://lists.example/a.txt}\n  - {name: b, file: b.txt, format: hosts}\n"
				"state: st\n");
	const struct list_source *s;

	(void)state;
	assert_int_equal(policy_sources(p, &s), 2);
	assert_string_equal(s[0].name, "a");
	assert_string_equal(s[0].url, "https://lists.example/a.txt");
	assert_string_equal(s[0].file, "st/lists/a.txt");	/* though `state` comes behind it */
	assert_string_equal(s[0].category, "");
	assert_string_equal(s[0].format, "auto");
	assert_int_equal(s[0].refresh_s, 86400);
	assert_int_equal(s[0].max_age_s, 30 * 86400);
	assert_int_equal(s[0].min_entries, 1);
	assert_int_equal(s[0].max_shrink, 50);
	assert_null(s[0].signature);
	assert_null(s[0].public_key);
	assert_null(s[0].ca);
	assert_null(s[1].url);
	assert_string_equal(s[1].file, "b.txt");
	assert_string_equal(s[1].format, "hosts");
	assert_int_equal(s[1].max_age_s, 0);
	policy_free(p);
	p = good(ENTRY(", url: https://lists.example/a.txt"));
	policy_sources(p, &s);
	assert_string_equal(s[0].file, "/var/lib/minewall/lists/a.txt");
	policy_free(p);
}

static void test_every_key(void **state)
{
	struct policy *p = good(ENTRY(", url: http://lists.example:8080/a?b=c, file: sub/a.txt, refresh: 6h, max_age: 7d, min_entries: 100, "
				      "max_shrink: 0%, public_key: " KEY ", signature: https://other.example/a.sig, ca: my-ca.pem, "
				      "format: plain, category: pool"));
	const struct list_source *s;

	(void)state;
	policy_sources(p, &s);
	assert_string_equal(s->url, "http://lists.example:8080/a?b=c");
	assert_string_equal(s->file, "sub/a.txt");
	assert_string_equal(s->category, "pool");
	assert_string_equal(s->format, "plain");
	assert_string_equal(s->signature, "https://other.example/a.sig");
	assert_string_equal(s->public_key, KEY);
	assert_string_equal(s->ca, "my-ca.pem");
	assert_int_equal(s->refresh_s, 6 * 3600);
	assert_int_equal(s->max_age_s, 7 * 86400);
	assert_int_equal(s->min_entries, 100);
	assert_int_equal(s->max_shrink, 0);
	policy_free(p);
	p = good(ENTRY(", url: https://lists.example/a.txt, public_key: " KEY));
	policy_sources(p, &s);
	assert_string_equal(s->signature, "https://lists.example/a.txt.minisig");
	policy_free(p);
	/* A file of the admin's own may be watched for its age, too. */
	p = good(ENTRY(", file: a.txt, max_age: 90d"));
	policy_sources(p, &s);
	assert_int_equal(s->max_age_s, 90 * 86400);
	policy_free(p);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *more, *error;
	} rows[] = {
		{ "", "3:5: list 'a' has neither file nor url, expected one of them" },
		{ ", file: l.txt}\n  - {name: b, file: l.txt, url: https://x.example/",
		  "4:5: list 'b' has the file of list 'a', expected one of its own" },
		{ ", file: a, refresh: 1d", "3:5: list 'a' has keys of a fetched list, expected a url, too" },
		{ ", file: a, min_entries: 5", "3:5: list 'a' has keys of a fetched list, expected a url, too" },
		{ ", file: a, max_shrink: 50%", "3:5: list 'a' has keys of a fetched list, expected a url, too" },
		{ ", file: a, ca: b", "3:5: list 'a' has keys of a fetched list, expected a url, too" },
		{ ", url: https://x.example/, signature: https://x.example/s", "3:5: list 'a' has a signature, expected a public_key, too" },
		{ ", url: ftp://x.example/a",
		  "3:20: lists: url is 'ftp://x.example/a', expected a URL such as https://lists.example/miners.txt" },
		{ ", url: \"https:///a\"", "3:20: lists: url is 'https:///a', expected a URL such as https://lists.example/miners.txt" },
		{ ", url: \"https://\"", "3:20: lists: url is 'https://', expected a URL such as https://lists.example/miners.txt" },
		{ ", url: \"https://x.example/a b\"",
		  "3:20: lists: url has a byte that no URL has, expected a URL such as https://lists.example/miners.txt" },
		{ ", url: \"https://x.example/\\r\\nX: y\"",
		  "3:20: lists: url has a byte that no URL has, expected a URL such as https://lists.example/miners.txt" },
		{ ", url: https://me:secret@x.example/a",
		  "3:20: lists: url has a user name or password, expected a URL such as https://lists.example/miners.txt" },
		{ ", url: https://x.example/, refresh: 10s",
		  "3:49: lists: refresh is '10s', expected a duration from 5m to 365d, such as 6h or 1d" },
		{ ", url: https://x.example/, max_age: 1m",
		  "3:49: lists: max_age is '1m', expected a duration from 1h to 3650d, such as 30d" },
		{ ", url: https://x.example/, max_shrink: 50",
		  "3:52: lists: max_shrink is '50', expected a share from 0% to 100%" },
		{ ", url: https://x.example/, max_shrink: 101%",
		  "3:52: lists: max_shrink is '101%', expected a share from 0% to 100%" },
		{ ", url: https://x.example/, min_entries: 0",
		  "3:53: lists: min_entries is '0', expected a number from 1 to 2000000" },
		{ ", url: https://x.example/, public_key: RWabc",
		  "3:52: lists: public_key is 'RWabc', expected the line of a minisign or signify key file that begins with RW, 56 letters" },
		{ ", url: [https://x.example/]", "3:20: lists: url is a list, expected a URL such as https://lists.example/miners.txt" },
	};
	char text[512], expected[512];
	struct policy_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), ENTRY("%s"), rows[i].more);
		snprintf(expected, sizeof(expected), "p.yaml:%s", rows[i].error);
		assert_null(read_policy(text, &error));
		assert_string_equal(error.text, expected);
	}
}

/* DESIGN: a list that is missing makes the policy invalid; for a fetched one the way out is named. */
static void test_not_fetched_yet(void **state)
{
	struct policy_error error;
	struct policy *p = good(ENTRY(", file: none.txt, url: https://x.example/"));

	(void)state;
	policy_free(p);
	assert_null(policy_load("p.yaml", &error));
	assert_int_equal(error.kind, POLICY_INVALID);
	assert_string_equal(error.text, "p.yaml:3:21: list 'a': none.txt has not been fetched yet, expected a first `minewall lists update a`");
	/* Where no `file:` is written, the entry is where it is said. */
	policy_free(good("version: 1\nstate: none\nlists:\n  - {name: a, url: https://x.example/}\n"));
	assert_null(policy_load("p.yaml", &error));
	assert_string_equal(error.text, "p.yaml:4:5: list 'a': none/lists/a.txt has not been fetched yet, expected a first "
			    "`minewall lists update a`");
}

static void test_counts(void **state)
{
	struct policy *p = good("version: 1\nlists:\n  - {name: a, file: a, format: hosts}\n  - {name: b, file: b}\n  - {name: c, file: c}\n");
	char one[] = "0.0.0.0 x.example\n0.0.0.0 y.example\nno address\n", two[] = "y.example\nz.example\nz.example\n";
	struct list_text texts[3] = { { one, strlen(one) }, { two, strlen(two) } };
	size_t used = 9, skipped = 9, names = 9;

	(void)state;
	assert_int_equal(policy_source_count(p, 0, one, strlen(one), &used, &skipped), 0);
	assert_int_equal(used, 2);
	assert_int_equal(skipped, 1);
	assert_int_equal(policy_source_count(p, 1, "", 0, &used, &skipped), 0);
	assert_int_equal(used + skipped, 0);
	assert_int_equal(policy_source_union(p, texts, UINT64_MAX, &names), 0);
	assert_int_equal(names, 3);
	assert_int_equal(policy_source_union(p, texts, 2, &names), 0);
	assert_int_equal(names, 2);
	assert_int_equal(policy_source_union(p, texts, 4, &names), 0);
	assert_int_equal(names, 0);
	policy_free(p);
}

/* Each file alone is small enough; together they are what a reload refuses. */
/* One more in all than fit. */
#define HALF (ADDRESS_LISTS_MAX / 2 + 1)

static void test_networks(void **state)
{
	struct policy *p = good("version: 1\nlists:\n  - {name: a, file: a, format: plain}\n  - {name: b, file: b, format: plain}\n");
	static char big[2][HALF * 18];
	struct list_text texts[2];
	size_t used = 0, skipped = 0, names = 0;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		texts[i] = (struct list_text){ big[i], 0 };
		for (unsigned k = 0; k < HALF; k++)	/* 20.0.0.0 and 40.0.0.0 on: public, and no two are one */
			texts[i].len += (size_t)snprintf(big[i] + texts[i].len, 18, "%u.%u.%u.%u\n", 20 + 20 * i, k >> 16, k >> 8 & 255,
							 k & 255);
	}
	assert_int_equal(policy_source_union(p, texts, UINT64_MAX, &names), -E2BIG);
	texts[0].len = (size_t)((const char *)memchr(big[0] + 90000, '\n', 100) + 1 - big[0]);	/* fewer: they are sorted, also in an emulator */
	assert_int_equal(policy_source_count(p, 0, big[0], texts[0].len, &used, &skipped), 0);
	assert_int_equal(policy_source_union(p, texts, 1, &names), 0);
	assert_int_equal(names, used);
	texts[1].len = (size_t)snprintf(big[1], 100, "20.0.0.1\nx.example\n40.0.0.0/16\n");
	assert_int_equal(policy_source_union(p, texts, UINT64_MAX, &names), 0);
	assert_int_equal(names, used + 2);
	policy_free(p);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	unlink("p.yaml");
	return chdir("/") || rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_not_fetched_yet),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
