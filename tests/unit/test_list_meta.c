/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of a fetched list: written and read back, broken in many ways, and believed only while the copy is the one
 * that it speaks of. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/list_meta.h"

static char folder[] = "/tmp/test_list_meta.XXXXXX";

static void put(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void test_round_trip(void **state)
{
	struct list_meta m, back;

	(void)state;
	memset(&m, 0, sizeof(m));
	strcpy(m.url, "https://x.example/a?b");
	strcpy(m.public_key, "RWx");
	strcpy(m.etag, "W/\"a\\b\"");
	strcpy(m.last_modified, "Mon, 02 Nov 2026 10:00:00 GMT");
	strcpy(m.result, "it is \"empty\"");
	m.size = INT64_C(1) << 40;
	m.mtime_s = 1795406400;
	m.mtime_ns = 999999999;
	m.entries = 2000000;
	m.skipped = 7;
	m.signed_at = 1700000000;
	m.tried = 5;
	m.changed_ms = 6;
	m.failures = 3;
	assert_int_equal(list_meta_write(&m, "l.txt"), 0);
	list_meta_read(&back, "l.txt");
	assert_memory_equal(&m, &back, sizeof(m));
}

static void test_broken(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "null", "{\"size\": -5, \"url\": null, \"etag\": 7, \"failures\": \"x\", \"entries\": 1e3}", "{\"url\": \"a\\u0000b\"}",
		"\xff\xfe", "{\"size\": 99999999999999999999999}",
	};
	struct list_meta m, zero;
	char longer[8192];

	(void)state;
	memset(&zero, 0, sizeof(zero));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put("l.txt.meta", texts[i], strlen(texts[i]));
		list_meta_read(&m, "l.txt");
		assert_memory_equal(&m, &zero, sizeof(m));
	}
	/* What is too long for its place is nothing, not a part of it. */
	snprintf(longer, sizeof(longer), "{\"etag\": \"%04000d\", \"entries\": 5}", 0);
	put("l.txt.meta", longer, strlen(longer));
	list_meta_read(&m, "l.txt");
	assert_string_equal(m.etag, "");
	assert_int_equal(m.entries, 5);
	list_meta_read(&m, "none.txt");
	assert_memory_equal(&m, &zero, sizeof(m));
}

static void test_replace(void **state)
{
	struct stat st;
	char back[16] = "";
	FILE *f;

	(void)state;
	umask(077);
	put("l.txt.new", "left", 4);
	assert_int_equal(list_replace("l.txt", "new\n", 4), 0);
	f = fopen("l.txt", "r");
	assert_non_null(f);
	assert_int_equal(fread(back, 1, sizeof(back), f), 4);
	fclose(f);
	assert_string_equal(back, "new\n");
	assert_int_equal(stat("l.txt", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(access("l.txt.new", F_OK), -1);
	/* A link in the way of the new file leads nowhere. */
	assert_int_equal(symlink("victim", "l.txt.new"), 0);
	assert_int_equal(list_replace("l.txt", "x", 1), 0);
	assert_int_equal(access("victim", F_OK), -1);
	assert_int_equal(list_replace("none/none/none/l.txt", "x", 1), -ENOENT);
	assert_int_equal(list_replace("made/made/l.txt", "x", 1), 0);
	assert_int_equal(list_replace("l.txt/l.txt", "x", 1), -ENOTDIR);
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(list_replace("d", "x", 1), -EISDIR);
	assert_int_equal(access("d.new", F_OK), -1);
}

/* A link is followed if root or we made it; one of another user leads nowhere, wherever on the way it stands. */
static void test_links(void **state)
{
	char here[4096];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here) - 8));
	strcat(here, "/real");
	assert_int_equal(mkdir("real", 0755), 0);
	assert_int_equal(mkdir("real/in", 0755), 0);
	assert_int_equal(symlink("real", "near"), 0);
	assert_int_equal(symlink(here, "far"), 0);
	assert_int_equal(symlink("round", "round"), 0);
	assert_int_equal(list_replace("near/in/a.txt", "a", 1), 0);
	assert_int_equal(list_replace("far/in/../b.txt", "b", 1), 0);
	assert_int_equal(access("real/in/a.txt", F_OK) | access("real/b.txt", F_OK), 0);
	assert_int_equal(list_replace("round/a.txt", "a", 1), -ELOOP);
	assert_int_equal(list_touch("near/in/a.txt"), 0);
	assert_int_equal(list_touch("near/in/none.txt"), -ENOENT);
	if (geteuid())
		skip();
	assert_int_equal(lchown("near", 65534, 65534), 0);
	assert_int_equal(list_replace("near/in/c.txt", "c", 1), -ELOOP);
	assert_int_equal(list_replace("near/c.txt", "c", 1), -ELOOP);
	assert_int_equal(list_touch("near/in/a.txt"), -ELOOP);
	assert_int_equal(access("real/in/c.txt", F_OK), -1);
}

static void test_holds(void **state)
{
	struct list_source s = { .name = "l", .file = "h.txt", .url = "https://x.example/", .refresh_s = 3600 };
	struct timespec times[2];
	struct list_meta m;

	(void)state;
	memset(&m, 0, sizeof(m));
	assert_false(list_meta_holds(&m, &s));
	assert_int_equal(list_confirmed("h.txt"), 0);
	put("h.txt", "abc", 3);
	strcpy(m.url, s.url);
	assert_false(list_meta_holds(&m, &s));
	list_meta_take(&m, "h.txt");
	assert_true(list_meta_holds(&m, &s));
	assert_int_equal(list_due(&s, &m), list_confirmed("h.txt") + 3600 - 360);
	s.public_key = "RWx";
	assert_false(list_meta_holds(&m, &s));
	assert_int_equal(list_due(&s, &m), 0);
	s.public_key = NULL;
	s.url = "https://y.example/";
	assert_false(list_meta_holds(&m, &s));
	s.url = "https://x.example/";
	put("h.txt", "abcd", 4);
	assert_false(list_meta_holds(&m, &s));
	/* A file from the future is due at once. */
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec += 86400;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, "h.txt", times, 0), 0);
	list_meta_take(&m, "h.txt");
	assert_true(list_meta_holds(&m, &s));
	assert_int_equal(list_due(&s, &m), 0);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const left[] = {
		"l.txt", "l.txt.meta", "h.txt", "d", "made/made/l.txt", "made/made", "made", "real/in/a.txt", "real/b.txt", "real/in", "real",
		"near", "far", "round",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		remove(left[i]);
	return chdir("/") || rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_replace), cmocka_unit_test(test_links),
		cmocka_unit_test(test_holds),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
