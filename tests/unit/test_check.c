/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall check` as its user meets it: exit code, which stream speaks, and how many lines. */
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
#include <jansson.h>

#include "cli/cli.h"
#include "inspect/inspect.h"

static char folder[] = "/tmp/test_check.XXXXXX";

struct said {
	int code;
	char out[4096];
	char err[4096];
};

static void slurp(const char *name, char *to, size_t size)
{
	FILE *f = fopen(name, "r");

	assert_non_null(f);
	to[fread(to, 1, size - 1, f)] = '\0';
	fclose(f);
}

/* Runs it with its streams in files; stdout and stderr are put back before anything is asserted. */
static struct said run(const char *a, const char *b, const char *c)
{
	char *argv[] = { (char *)"check", (char *)a, (char *)b, (char *)c, NULL };
	int out = dup(1), err = dup(2), argc = 1;
	struct said said;

	while (argv[argc])
		argc++;
	fflush(NULL);
	dup2(open("out", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), 1);
	dup2(open("err", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), 2);
	said.code = check_main(argc, argv);
	fflush(NULL);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	slurp("out", said.out, sizeof(said.out));
	slurp("err", said.err, sizeof(said.err));
	return said;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_good(void **state)
{
	struct said said;
	json_t *object;

	(void)state;
	write_file("l.txt", "pool.example\ncom\n");
	write_file("p.yaml", "version: 1\nlists: [{name: l, file: l.txt}]\nallow: {hosts: [10.0.9.0/24]}\n");
	said = run("-c", "p.yaml", NULL);
	assert_int_equal(said.code, 0);
	assert_string_equal(said.err, "");
	assert_non_null(strstr(said.out, "monitor"));
	assert_non_null(strstr(said.out, "list l (plain, block): 1 used of 2, 1 skipped: wide 1, from l.txt"));
	assert_non_null(strstr(said.out, "10.0.9.0/24"));
	said = run("-c", "p.yaml", "--json");
	assert_int_equal(said.code, 0);
	object = json_loads(said.out, 0, NULL);
	assert_non_null(object);
	assert_int_equal(json_integer_value(json_object_get(object, "names")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(object, "allowed_hosts"), 0)), "10.0.9.0/24");
	json_decref(object);
}

static void test_dialects(void **state)
{
	struct said said;

	(void)state;
	write_file("p.yaml", "version: 1\ndialects:\n  - {dialect: a, method: login}\n  - {dialect: b, method: my.login}\n"
			     "  - {dialect: c, method: login, require: params.agent}\n");
	said = run("-c", "p.yaml", NULL);
	assert_int_equal(said.code, 0);
	assert_non_null(strstr(said.out, "dialects:        3 of its own\nwarning: dialects: 'a' takes every message with the method 'login' for "
				"mining; give it a 'require'\n"));
	assert_null(strstr(said.out, "'b'"));
	assert_null(strstr(said.out, "'c'"));
}

static void test_bad(void **state)
{
	static const char expected[] = "p.yaml:2:1: unknown key 'moed', did you mean 'mode'?\n";
	struct said said;

	(void)state;
	write_file("p.yaml", "version: 1\nmoed: enforce\n");
	said = run("-c", "p.yaml", NULL);
	assert_int_equal(said.code, 4);
	assert_string_equal(said.out, "");
	assert_string_equal(said.err, expected);
	said = run("--json", "-cp.yaml", NULL);
	assert_int_equal(said.code, 4);
	assert_string_equal(said.err, expected);
	said = run("-c", "none.yaml", NULL);
	assert_int_equal(said.code, 4);
	assert_non_null(strstr(said.err, "version: 1"));
	assert_ptr_equal(strchr(said.err, '\n'), said.err + strlen(said.err) - 1);
	if (geteuid()) {
		assert_int_equal(chmod("p.yaml", 0), 0);
		assert_int_equal(run("-c", "p.yaml", NULL).code, 5);
	}
}

/* A finding of each kind, an hour old, and one of the day before yesterday. */
static void write_log(void)
{
	static const char *const events[] = {
		"\"dest_port\":443,\"proto\":\"TCP\",\"app_proto\":\"tls\",\"tls\":{\"sni\":\"pool.example\"},"
		"\"alert\":{\"action\":\"blocked\"},\"mining\":{\"evidence\":\"name\"}",
		"\"dest_port\":3333,\"proto\":\"TCP\",\"app_proto\":\"stratum\",\"alert\":{\"action\":\"blocked\"},"
		"\"mining\":{\"evidence\":\"protocol\",\"kind\":\"stratum\"}",
		"\"dest_port\":9999,\"proto\":\"TCP\",\"app_proto\":\"tls\",\"alert\":{\"action\":\"allowed\"},"
		"\"mining\":{\"evidence\":\"score\",\"marks\":[\"telltale\",\"port\"]}",
		"\"dest_port\":53,\"proto\":\"UDP\",\"app_proto\":\"dns\",\"dns\":{\"rrname\":\"pool.example\"},"
		"\"alert\":{\"action\":\"blocked\"},\"mining\":{\"evidence\":\"name\"}",
		"\"dest_port\":80,\"proto\":\"TCP\",\"app_proto\":\"unknown\",\"alert\":{\"action\":\"blocked\"},"
		"\"mining\":{\"evidence\":\"address\"}",
	};
	FILE *f = fopen("eve.json", "w");
	time_t when = time(NULL) - 3600;
	char text[64];
	struct tm tm;

	assert_non_null(f);
	for (size_t i = 0; i <= sizeof(events) / sizeof(events[0]); i++) {
		if (i == sizeof(events) / sizeof(events[0]))
			when -= 48 * 3600;
		gmtime_r(&when, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000000+00:00", &tm);
		fprintf(f, "{\"timestamp\":\"%s\",\"event_type\":\"alert\",\"src_ip\":\"10.0.0.7\",\"src_port\":4000,"
			"\"dest_ip\":\"192.0.2.7\",%s}\n", text, events[i % (sizeof(events) / sizeof(events[0]))]);
	}
	fclose(f);
}

static void test_diff_kinds(void **state)
{
	static const struct { const char *more; int changed; const char *says; } rows[] = {
		{ "", 0, "0 of 5 findings" },
		{ "detect: {dns: monitor}\n", 1, "now it would only be logged by block.names\n" },
		{ "detect: {tls: off}\n", 1, "now it would pass\n" },
		{ "detect: {stratum: monitor}\n", 1, "now it would only be logged by detect.stratum\n" },
		{ "allow: {names: [pool.example]}\n", 2, "now it would be allowed by allow.names\n" },
		{ "allow: {hosts: [10.0.0.0/8]}\n", 5, "now it would be allowed by allow.hosts\n" },
		{ "rules: [{name: strict, to: {detectors: [score]}, action: block}]\n", 1, "now it would be blocked by rules.strict\n" },
		{ "rules: [{name: lab, to: {addresses: [192.0.2.7], ports: [80]}, action: monitor}]\n", 1, "only be logged by rules.lab\n" },
	};
	char text[1024], counted[32];

	(void)state;
	write_log();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct said said;

		snprintf(text, sizeof(text), "version: 1\nmode: enforce\nlog: {file: eve.json}\n"
			 "block: {names: [pool.example], addresses: [\"192.0.2.7:80\"]}\n%s", rows[i].more);
		write_file("p.yaml", text);
		said = run("-c", "p.yaml", "--diff");
		snprintf(counted, sizeof(counted), "%d of 5 findings", rows[i].changed);
		if (said.code || !strstr(said.out, counted) || !strstr(said.out, rows[i].says))
			fail_msg("%sexit %d\n%s%s", rows[i].more, said.code, said.out, said.err);
	}
	unlink("eve.json");
}

static void test_usage(void **state)
{
	struct said said = run("--help", NULL, NULL);

	(void)state;
	assert_int_equal(said.code, 0);
	assert_non_null(strstr(said.out, "minewall check [-c"));
	assert_int_equal(run("--jsno", NULL, NULL).code, 2);
	assert_int_equal(run("-x", NULL, NULL).code, 2);
	assert_int_equal(run("p.yaml", NULL, NULL).code, 2);
	said = run("-c", NULL, NULL);
	assert_int_equal(said.code, 2);
	assert_string_equal(said.out, "");
	assert_non_null(strstr(said.err, "-c"));
}

/* Each finding is judged by its own detector. */
static void test_diff(void **state)
{
	static const char *const what[] = {
		"\"app_proto\":\"dns\",\"dns\":{\"rrname\":\"pool.example\"},\"mining\":{\"evidence\":\"name\"",
		"\"app_proto\":\"tls\",\"tls\":{\"sni\":\"pool.example\"},\"mining\":{\"evidence\":\"name\"",
		"\"app_proto\":\"stratum\",\"mining\":{\"evidence\":\"protocol\",\"kind\":\"stratum\"",
	};
	static const char *const off[] = { "dns", "tls", "stratum" };
	char text[2048] = "", stamp[40], policy[200];
	time_t now = time(NULL);

	(void)state;
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S.000000+00:00", gmtime(&now));
	for (size_t i = 0; i < 3; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "{\"event_type\":\"alert\",\"timestamp\":\"%s\",\"proto\":\"TCP\","
			 "\"src_ip\":\"10.0.0.2\",\"src_port\":4000,\"dest_ip\":\"192.0.2.7\",\"dest_port\":53,"
			 "\"alert\":{\"action\":\"blocked\"},%s}}\n", stamp, what[i]);
	write_file("l.txt", text);
	for (size_t i = 0; i < 3; i++) {
		snprintf(policy, sizeof(policy), "version: 1\nmode: enforce\nblock: {names: [pool.example]}\nlog: {file: l.txt}\n"
			 "detect: {%s: off}\n", off[i]);
		write_file("p.yaml", policy);
		assert_non_null(strstr(run("-c", "p.yaml", "--diff").out, "\n1 of 3 findings"));
	}
}

static int enter(void **state)
{
	(void)state;
	return mkdtemp(folder) ? chdir(folder) : -1;
}

static int leave(void **state)
{
	static const char *const names[] = { "out", "err", "l.txt", "p.yaml" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_dialects),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_diff_kinds),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
