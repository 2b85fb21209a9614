/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is a list and what is not, and that the question is asked where it can do no harm: the child's rights are looked at from
 * inside. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/judge.h"
#include "cli/signature.h"
#include "policy/names.h"
#include "policy/policy.h"

static struct policy *policy;

static struct judge_result ask(const char *text, size_t len)
{
	struct list_text texts[2] = { { (char *)text, len } };
	struct judge_question q = { .policy = policy, .texts = texts };
	struct judge_result r;

	judge_here(&q, &r);
	return r;
}

static void test_judgements(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		enum judgement judgement;
		unsigned used, skipped;
	} rows[] = {
#define ROW(text, ...) { text, sizeof(text) - 1, __VA_ARGS__ }
		ROW("pool.example\n# c\nnot a name\n", JUDGE_GOOD, 1, 1),
		ROW("\xef\xbb\xbf" "pool.example", JUDGE_GOOD, 1, 0),
		ROW("", JUDGE_EMPTY, 0, 0),
		ROW("\xef\xbb\xbf", JUDGE_EMPTY, 0, 0),
		ROW(" \r\n\t\n\v\f", JUDGE_EMPTY, 0, 0),
		ROW("\0", JUDGE_BINARY, 0, 0),
		ROW("pool.example\npool2.example\n\0", JUDGE_BINARY, 0, 0),
		ROW("<html>\npool.example\n", JUDGE_HTML, 0, 0),
		ROW("\n\n<!DocType html>\npool.example\n", JUDGE_HTML, 0, 0),
		ROW("<?xml version='1.0'?>\npool.example\n", JUDGE_HTML, 0, 0),
		ROW("<", JUDGE_NOTHING, 0, 1),
		ROW("# only words\n", JUDGE_NOTHING, 0, 0),
		ROW("two words\nmore words\n", JUDGE_NOTHING, 0, 2),
		ROW("com\n", JUDGE_NOTHING, 0, 1),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct judge_result r = ask(rows[i].text, rows[i].len);

		if (r.judgement != rows[i].judgement || r.used != rows[i].used || r.skipped != rows[i].skipped)
			fail_msg("row %zu: judgement %d, %lu used, %lu skipped", i, (int)r.judgement, (unsigned long)r.used, (unsigned long)r.skipped);
	}
}

/* A policy that would not load any more is refused before its list is on disk. */
static void test_too_many(void **state)
{
	size_t n = NAME_SET_MAX / 2 + 1, len = n * 11;
	char *halves = malloc(2 * len + 1);
	struct list_text texts[2] = { { halves, len }, { halves + len, len } };
	struct judge_question q = { .policy = policy, .texts = texts };
	struct judge_result r;

	(void)state;
	assert_non_null(halves);
	for (size_t i = 0; i < 2 * n; i++)
		snprintf(halves + 11 * i, 12, "%07zx.zz\n", i);
	judge_here(&q, &r);
	assert_int_equal(r.judgement, JUDGE_TOO_MANY);
	texts[1].text = NULL;
	judge_here(&q, &r);
	assert_int_equal(r.judgement, JUDGE_GOOD);
	assert_int_equal(r.used, n);
	free(halves);
}

static void test_signature_first(void **state)
{
	char text[] = "pool.example\n", page[] = "<html>";
	struct list_text texts[2] = { { NULL, 0 }, { text, strlen(text) } };
	struct judge_question q = { .policy = policy, .list = 1, .texts = texts, .signature = "nonsense", .signature_len = 8 };
	struct judge_result r;

	(void)state;
	judge_here(&q, &r);
	assert_int_equal(r.judgement, JUDGE_SIGNATURE);
	assert_int_equal(r.signature, SIGNATURE_SHAPE);
	assert_int_equal(r.used, 0);	/* not even parsed */
	texts[1] = (struct list_text) { page, strlen(page) };
	judge_here(&q, &r);
	assert_int_equal(r.judgement, JUDGE_HTML);
}

static void test_in_a_child(void **state)
{
	char one[] = "a.example\nb.example\nb.example\n", two[] = "b.example\nc.example\nd.example x\n";
	struct list_text texts[2] = { { one, strlen(one) }, { two, strlen(two) } };
	struct judge_question q = { .policy = policy, .texts = texts };
	struct judge_counts counts[JUDGE_LISTS_MAX];
	struct child_user user;
	struct judge_result r;

	(void)state;
	assert_int_equal(child_user("nobody", &user), 0);
	assert_int_equal(judge(&q, &user, &r), 0);
	assert_int_equal(r.judgement, JUDGE_GOOD);
	assert_int_equal(r.used, 3);
	assert_int_equal(judge_all(policy, texts, &user, counts), 0);
	assert_true(counts[0].known && counts[1].known);
	assert_int_equal(counts[0].distinct, 2);
	assert_int_equal(counts[0].shared, 1);
	assert_int_equal(counts[1].used, 2);
	assert_int_equal(counts[1].skipped, 1);
	assert_int_equal(counts[1].shared, 1);
	texts[1].text = NULL;
	assert_int_equal(judge_all(policy, texts, &user, counts), 0);
	assert_false(counts[1].known);
	assert_int_equal(counts[0].shared, 0);
}

/* One bit for each thing that a child must not be able to do. */
static void try_everything(int fd, void *arg)
{
	const int *secret = arg;
	struct rlimit core = { 1, 1 };
	uint32_t can = 0;
	char byte;

	can |= (getuid() == 0 || geteuid() == 0 || getgid() == 0) << 0;
	can |= (setuid(0) == 0 || seteuid(0) == 0) << 1;
	can |= (read(*secret, &byte, 1) == 1) << 2;
	can |= (open("/etc/shadow", O_RDONLY) >= 0) << 3;
	can |= (setrlimit(RLIMIT_CORE, &core) == 0) << 4;
	can |= (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) << 5;
	can |= (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) << 6;
	can |= (getgroups(0, NULL) != 0) << 7;
	child_say(fd, &can, sizeof(can));
}

static void test_rights(void **state)
{
	int secret = open("/proc/self/status", O_RDONLY);
	struct child_user user;
	struct child c;
	uint32_t can = 0;

	(void)state;
	if (geteuid()) {
		printf("skipped: only root has rights to lose\n");
		skip();
	}
	assert_int_equal(child_user("root", &user), -ENOENT);
	assert_int_equal(child_user("no-such-user-here", &user), -ENOENT);
	assert_int_equal(child_user("nobody", &user), 0);
	assert_int_equal(child_start(&c, &user, false, try_everything, &secret), 0);
	assert_int_equal(child_hear(&c, &can, sizeof(can), child_now_ms() + 5000), 0);
	child_end(&c);
	assert_int_equal(can, 0);
	close(secret);
}

static void do_nothing(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

static void do_not_end(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	for (;;)
		pause();
}

static void test_endings(void **state)
{
	struct child_user user;
	long long begin;
	struct child c;
	pid_t pid;
	char byte;

	(void)state;
	assert_int_equal(child_user("nobody", &user), 0);
	assert_int_equal(child_start(&c, &user, true, do_nothing, NULL), 0);
	assert_int_equal(child_hear(&c, &byte, 1, child_now_ms() + 5000), -EPIPE);
	child_end(&c);
	child_end(&c);
	begin = child_now_ms();
	assert_int_equal(child_start(&c, &user, true, do_not_end, NULL), 0);
	pid = c.pid;
	assert_int_equal(child_hear(&c, &byte, 1, child_now_ms() + 100), -ETIMEDOUT);
	child_end(&c);
	assert_true(child_now_ms() - begin < 3000);
	assert_int_equal(kill(pid, 0), -1);
}

static int set_up(void **state)
{
	static const char text[] = "version: 1\nlists:\n  - {name: a, file: a}\n"
				   "  - {name: b, url: \"https://x.example/\", public_key: RWRseBss1Ax6iv8kTqbXgxjyVqijy2Hx5n6ZiRNxbK17qGQ3bPs0Dbyg}\n";
	char path[] = "/tmp/test_judge.XXXXXX";
	struct policy_error error;
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	close(fd);
	policy = policy_load_settings(path, &error);
	unlink(path);
	return policy ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	policy_free(policy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judgements),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_signature_first),
		cmocka_unit_test(test_in_a_child),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_endings),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
