/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log's writer: rotation by size, count, age and budget, lines held back, and clocks that jump or were never set. */
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
#include <utime.h>

#include <cmocka.h>

#include "cli/log_read.h"
#include "daemon/event.h"
#include "daemon/rotate.h"

#define NOW_S 1795609800LL	/* 2026-11-25 */
#define DAY_S 86400

static char folder[] = "/tmp/test_event_log.XXXXXX";

static int folder_begin(void **state)
{
	(void)state;
	return mkdtemp(folder) && !chdir(folder) ? 0 : -1;
}

static int folder_empty(void **state)
{
	(void)state;
	return system("rm -f -- *");
}

static int folder_end(void **state)
{
	(void)state;
	return chdir("/") || rmdir(folder);
}

static void note(struct event_log *log, int number)
{
	char detail[16];
	struct event e;

	snprintf(detail, sizeof(detail), "%d", number);
	event_note(&e, "test", detail);
	event_log_write(log, &e);
}

static int next_number;

static int in_order(const struct log_line *line, void *arg)
{
	(void)arg;
	assert_int_equal(atoi(line->text[LOG_DETAIL].p), next_number);
	next_number++;
	return 0;
}

/* Reads all files back; the events go from `first` to the one before `end`, none missing, none twice. */
static void expect(int first, int end)
{
	struct log_query all = { 0 };
	struct log_result result;

	next_number = first;
	assert_int_equal(log_read("eve.json", &all, in_order, NULL, NULL, &result), 0);
	assert_int_equal(next_number, end);
	assert_string_equal(result.broken, "");
}

static bool there(const char *name)
{
	return access(name, F_OK) == 0;
}

/* Threads of this process; its main one counts. */
static size_t threads(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 && st.st_nlink > 2 ? st.st_nlink - 2 : 1;
}

/* Those that were there before the first log: an emulator has one of its own. */
static size_t threads_before;

/* Ticks, and waits for the thread: while it runs nothing is rotated. It is a nice one, so a busy machine lets it wait. */
static void tick(struct event_log *log, const struct event_log_limits *limits, uint64_t mono_s, int64_t now_s)
{
	event_log_tick(log, limits, mono_s, now_s);
	for (int i = 0; i < 2000 && threads() > threads_before; i++)
		usleep(5 * 1000);
}

/* As after a restart, and whatever the thread had to do is done. */
static void settle(struct event_log **log, const struct event_log_limits *limits)
{
	event_log_close(*log);
	assert_int_equal(event_log_open(log, "eve.json"), 0);
	if (limits)
		tick(*log, limits, 100, NOW_S);
}

static void test_size_and_keep(void **state)
{
	struct event_log_limits limits = { .size = 1000, .keep = 3 };
	struct event_log *log;
	struct stat st;
	int n = 0;

	(void)state;
	assert_int_equal(event_log_open(&log, "eve.json"), 0);
	tick(log, &limits, 100, NOW_S);
	for (; n < 12; n++)
		note(log, n);
	assert_true(there("eve.json.1") || there("eve.json.1.gz"));
	settle(&log, &limits);
	assert_true(there("eve.json.1.gz") && !there("eve.json.1") && !there("eve.json.1.gz.new"));
	expect(0, n);
	for (; n < 100; n++) {
		note(log, n);
		if (n % 10 == 0)
			settle(&log, &limits);
	}
	settle(&log, &limits);
	assert_true(there("eve.json.3.gz") && !there("eve.json.4.gz") && !there("eve.json.4"));
	assert_int_equal(stat("eve.json", &st), 0);
	assert_in_range(st.st_size, 1, 2000);
	/* A smaller `keep` takes effect without a rotation. */
	limits.keep = 1;
	tick(log, &limits, 101, NOW_S);
	assert_true(there("eve.json.1.gz") && !there("eve.json.2.gz"));
	assert_int_equal(event_log_lost(log), 0);
	event_log_close(log);
}

static void test_budget(void **state)
{
	struct event_log_limits limits = { .size = 100000, .keep = 100, .budget = 4000 };
	struct event_log *log;
	uint64_t all = 0;
	struct stat st;

	(void)state;
	assert_int_equal(event_log_open(&log, "eve.json"), 0);
	for (int n = 0; n < 500; n++) {
		note(log, n);
		if (n % 20 == 0)
			settle(&log, &limits);
	}
	settle(&log, &limits);
	event_log_close(log);
	for (int n = 0; n < 120; n++) {
		char name[32];

		snprintf(name, sizeof(name), n ? "eve.json.%d.gz" : "eve.json", n);
		all += stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
	}
	assert_in_range(all, 1000, 4000);
	assert_true(there("eve.json.5.gz"));
}

static void aged(const char *name, int64_t written_s)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs("{}\n", f);
	fclose(f);
	assert_int_equal(utime(name, &(struct utimbuf){ (time_t)written_s, (time_t)written_s }), 0);
}

static int aside_count(void)
{
	return there("eve.json.1.gz") + there("eve.json.2.gz") + there("eve.json.3.gz") + there("eve.json.4.gz");
}

static void test_days(void **state)
{
	struct event_log_limits limits = { .size = 100000, .keep = 10, .days = 30 };
	struct event_log *log;

	(void)state;
	aged("eve.json.1", NOW_S - 10 * DAY_S);
	aged("eve.json.2", NOW_S - 40 * DAY_S);
	aged("eve.json.3", NOW_S - 50 * DAY_S);
	aged("eve.json.4", 300);	/* the clock was not set */
	assert_int_equal(event_log_open(&log, "eve.json"), 0);
	tick(log, &limits, 100, NOW_S);
	tick(log, &limits, 3000, NOW_S + 2900);
	assert_int_equal(aside_count(), 4);	/* compressed, none gone: too soon after the start */
	tick(log, &limits, 3800, NOW_S + 3700);
	assert_int_equal(aside_count(), 3);
	assert_false(there("eve.json.3.gz"));	/* one at a time, the oldest whose age is known */
	/* The clock jumps by years: for an hour nothing goes, and then one. */
	tick(log, &limits, 7000, NOW_S + 3650LL * DAY_S);
	tick(log, &limits, 10000, NOW_S + 3650LL * DAY_S + 3000);
	assert_int_equal(aside_count(), 3);
	tick(log, &limits, 10700, NOW_S + 3650LL * DAY_S + 3700);
	assert_int_equal(aside_count(), 2);
	/* And it jumps back. */
	tick(log, &limits, 15000, NOW_S + 8000);
	tick(log, &limits, 19000, NOW_S + 12000);
	assert_int_equal(aside_count(), 2);
	assert_true(there("eve.json.1.gz") && there("eve.json.4.gz"));
	event_log_close(log);
}

/* Few events: the file is put aside for its age, so that the days hold for it, too. */
static void test_old_file(void **state)
{
	struct event_log_limits limits = { .size = 100000, .keep = 7, .days = 30 };
	struct event_log *log;

	(void)state;
	assert_int_equal(event_log_open(&log, "eve.json"), 0);
	note(log, 0);
	settle(&log, NULL);
	tick(log, &limits, 100, (int64_t)time(NULL));
	tick(log, &limits, 3800, (int64_t)time(NULL) + 3700);
	assert_false(there("eve.json.1.gz"));
	tick(log, &limits, 100 + 6 * DAY_S, (int64_t)time(NULL) + 6 * DAY_S);
	settle(&log, NULL);
	assert_true(there("eve.json.1.gz"));
	event_log_close(log);
}

static off_t size_now(void)
{
	struct stat st;

	return stat("eve.json", &st) ? -1 : st.st_size;
}

static void test_buffer(void **state)
{
	struct event_log_limits limits = { .size = 10000000, .keep = 7, .buffer_s = 600 };
	struct event_log *log;

	(void)state;
	assert_int_equal(event_log_open(&log, "eve.json"), 0);
	event_log_tick(log, &limits, 100, NOW_S);
	note(log, 0);
	note(log, 1);
	assert_int_equal(size_now(), 0);
	event_log_tick(log, &limits, 600, NOW_S + 500);
	assert_int_equal(size_now(), 0);
	event_log_tick(log, &limits, 700, NOW_S + 600);
	expect(0, 2);
	note(log, 2);
	event_log_flush(log);	/* as `minewall log` asks for */
	expect(0, 3);
	for (int n = 3; n < 2000; n++)
		note(log, n);
	assert_true(size_now() > 64 * 1024);	/* it is bounded */
	event_log_close(log);
	expect(0, 2000);
}

/* Another program rotates: no line is lost, and nothing of ours is touched. */
static void test_foreign_rotation(void **state)
{
	struct event_log_limits off = { .keep = 7, .days = 30 };
	struct event_log *log;

	(void)state;
	assert_int_equal(event_log_open(&log, "eve.json"), 0);
	tick(log, &off, 100, NOW_S);
	note(log, 0);
	assert_int_equal(rename("eve.json", "eve.json.1"), 0);
	note(log, 1);
	assert_int_equal(rename("eve.json.1", "eve.json.2"), 0);
	assert_int_equal(rename("eve.json", "eve.json.1"), 0);
	assert_int_equal(event_log_reopen(log), 0);
	note(log, 2);
	tick(log, &off, 4000, NOW_S + 3900);
	assert_true(there("eve.json.1") && !there("eve.json.1.gz"));
	expect(0, 3);
	event_log_close(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_size_and_keep, folder_empty), cmocka_unit_test_teardown(test_budget, folder_empty),
		cmocka_unit_test_teardown(test_days, folder_empty), cmocka_unit_test_teardown(test_old_file, folder_empty),
		cmocka_unit_test_teardown(test_buffer, folder_empty), cmocka_unit_test_teardown(test_foreign_rotation, folder_empty),
	};

	threads_before = threads();
	return cmocka_run_group_tests_name("event_log", tests, folder_begin, folder_end);
}
