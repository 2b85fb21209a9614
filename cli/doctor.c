/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall doctor`: looks at everything that has kept a gateway from being protected, and says of each what to do. Sends nothing
 * to anybody and changes nothing; the self-test happens in a network namespace of its own. */
#include "cli/doctor.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "cli/list_meta.h"
#include "daemon/control.h"

/* A busy day's events; compressed ones are a tenth of it. */
#define LOG_SPACE_MIN (64ull << 20)
#define TMPFS_MAGIC_NUMBER 0x01021994
/* Before this was written it cannot be. */
#define CLOCK_MIN 1767225600	/* 2026-01-01 */

static const char usage[] =
	"minewall doctor [-c POLICY] [--json] [--self-test]\n\n"
	"Looks at what keeps a gateway from being protected: kernel features, mark bits\n"
	"and queues that others use, offload that hides flows, bridges, proxies,\n"
	"containers, interfaces that are not covered, old lists, a full disk. Each line\n"
	"is ok, warn or bad; a line below it says what to do. It changes nothing.\n\n"
	"  --self-test  shows a block happening: a daemon, a client and a pool in a\n"
	"               network namespace of their own (root; some seconds)\n"
	"  --json       one JSON object: {\"worst\", \"checks\": [{\"check\", \"result\",\n"
	"               \"text\", \"todo\"}]}\n\n"
	"Exit: 0 all is ok, or warnings only; 1 something is bad.\n\n"
	"Example: minewall doctor --self-test\n";

static const char *const level_names[] = { "ok", "warn", "bad" };

void doctor_say(struct doctor *d, enum doctor_level level, const char *check, const char *todo, const char *text, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, text);
	vsnprintf(line, sizeof(line), text, arguments);
	va_end(arguments);
	if (level > d->worst)
		d->worst = level;
	json_array_append_new(d->findings, json_pack("{s:s, s:s, s:s, s:s?}", "check", check, "result", level_names[level], "text", line,
						     "todo", todo));
	if (d->args->json)
		return;
	printf("%-5s %-11s %s\n", level_names[level], check, line);
	if (todo)
		printf("%18s-> %s\n", "", todo);
	fflush(stdout);
}

long long doctor_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long long n = -1;

	if (f && fscanf(f, "%lld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static void check_policy(struct doctor *d)
{
	struct policy_error error;

	d->policy = policy_load(d->args->policy, &error);
	if (d->policy) {
		d->settings = policy_settings(d->policy);
		doctor_say(d, DOCTOR_OK, "policy", NULL, "%s: %s, %zu names", d->args->policy,
			   d->settings->mode == MODE_ENFORCE ? "enforce" : "monitor", policy_names(d->policy));
		if (d->settings->mode == MODE_MONITOR)
			doctor_say(d, DOCTOR_WARN, "policy", "after the first day: read `minewall log`, set `mode: enforce`, `minewall reload`",
				   "mode: monitor only logs, nothing is blocked");
		return;
	}
	doctor_say(d, DOCTOR_BAD, "policy", error.kind == POLICY_UNREADABLE ? "`minewall init` writes one; or name it with -c" :
		   "mend that line; `minewall check` says when it is good", "%s", error.text);
	d->policy = policy_builtin();
	d->settings = d->policy ? policy_settings(d->policy) : NULL;
}

static void check_daemon(struct doctor *d)
{
	const char *blind;
	int err = control_ask(d->settings->control, json_pack("{s:s}", "verb", "status"), &d->status);

	if (err == -EACCES || err == -EPERM) {
		doctor_say(d, DOCTOR_WARN, "daemon", "try as root", "%s may not be asked", d->settings->control);
		return;
	}
	if (err) {
		doctor_say(d, DOCTOR_BAD, "daemon", "`systemctl start minewall`, or `minewall run`", "no daemon answers at %s",
			   d->settings->control);
		return;
	}
	doctor_say(d, DOCTOR_OK, "daemon", NULL, "version %s runs, process %lld",
		   json_string_value(json_object_get(d->status, "version")), json_integer_value(json_object_get(d->status, "pid")));
	blind = json_string_value(json_object_get(d->status, "blind"));
	if (blind)
		doctor_say(d, DOCTOR_BAD, "daemon", "set `guard_offload: true` and reload", "it is blind: %s", blind);
	if (json_object_get(d->status, "paused_s"))
		doctor_say(d, DOCTOR_WARN, "daemon", "`minewall pause off` ends it", "it is paused: nothing is judged or blocked");
	if (json_integer_value(json_object_get(d->status, "events_lost")) > 0)
		doctor_say(d, DOCTOR_WARN, "daemon", "look for a full disk, or a burst of attempts in `minewall log`", "%lld events were lost",
			   json_integer_value(json_object_get(d->status, "events_lost")));
}

static void check_lists(struct doctor *d)
{
	const struct list_source *sources;
	size_t n = policy_sources(d->policy, &sources), old = 0, fetched = 0;
	time_t now = time(NULL);

	for (size_t i = 0; i < n; i++) {
		int64_t when = sources[i].url ? list_confirmed(sources[i].file) : now;
		char age[CLI_AGE_MAX];

		fetched += sources[i].url != NULL;
		if (!when || !sources[i].max_age_s || now - when < sources[i].max_age_s) {
			if (when)
				continue;
			old++;
			doctor_say(d, DOCTOR_BAD, "lists", "`minewall lists update`", "%s was never fetched", sources[i].name);
			continue;
		}
		old++;
		doctor_say(d, DOCTOR_BAD, "lists", "`minewall lists update` says why; is its timer or cron line there?",
			   "%s is %s old, more than its max_age", sources[i].name, cli_age(age, now - when));
	}
	if (n == 0)
		doctor_say(d, DOCTOR_WARN, "lists", "add one under `lists:`; mining protocols are recognised without", "the policy has no list");
	else if (!old)
		doctor_say(d, DOCTOR_OK, "lists", NULL, "%zu of the policy, %zu of them fetched, none is too old", n, fetched);
	if (n && !fetched)
		doctor_say(d, DOCTOR_WARN, "lists", "give one a `url:`; the sample policy shows how",
			   "none is fetched: they stay as old as this installation");
}

static void check_log(struct doctor *d)
{
	char folder[sizeof(d->settings->log_file)];
	struct statvfs v;
	struct statfs f;
	unsigned long long left;

	snprintf(folder, sizeof(folder), "%s", d->settings->log_file);
	dirname(folder);
	if (statvfs(folder, &v) || statfs(folder, &f)) {
		doctor_say(d, DOCTOR_WARN, "log", "the first start makes it; else make it yourself", "%s: %s", folder, strerror(errno));
		return;
	}
	left = (unsigned long long)v.f_bavail * v.f_frsize;
	doctor_say(d, left < LOG_SPACE_MIN ? DOCTOR_BAD : DOCTOR_OK, "log",
		   left < LOG_SPACE_MIN ? "make room, or let `log: {file: ...}` name another place; blocking goes on, events are lost" : NULL,
		   "%s: %llu MiB left", folder, left >> 20);
	if (f.f_type == TMPFS_MAGIC_NUMBER)
		doctor_say(d, DOCTOR_WARN, "log", "copy it elsewhere (syslog, rsync) if it is to outlive the machine's next start",
			   "%s is in memory", folder);
}

static void check_clock(struct doctor *d)
{
	if (time(NULL) < CLOCK_MIN)
		doctor_say(d, DOCTOR_BAD, "clock", "set the time (ntp); rules with hours and the log depend on it", "the clock is in the past");
	else
		doctor_say(d, DOCTOR_OK, "clock", NULL, "it may be right");
}

static int parse(int argc, char **argv, struct cli_args *args, bool *self_test)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'c' }, { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
		{ "self-test", no_argument, NULL, 's' }, { NULL, 0, NULL, 0 },
	};
	int c;

	*args = (struct cli_args) { .policy = CLI_POLICY };
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:jh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			args->policy = optarg;
			break;
		case 'j':
			args->json = true;
			break;
		case 's':
			*self_test = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case ':':
			fprintf(stderr, "minewall doctor: a value is missing after '%s'; see minewall doctor --help\n", argv[optind - 1]);
			return EXIT_USAGE;
		default:
			return cli_bad_option(argv);
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "minewall doctor: '%s' is one argument too many; see minewall doctor --help\n", argv[optind]);
	return EXIT_USAGE;
}

int doctor_main(int argc, char **argv)
{
	static void (*const checks[])(struct doctor *d) = {
		check_daemon, doctor_kernel, doctor_queues, doctor_conntrack, doctor_marks, doctor_offload, doctor_forwarding, doctor_interfaces,
		doctor_bridge, doctor_proxies, doctor_containers, check_lists, check_log, check_clock,
	};
	struct cli_args args;
	struct doctor d = { .args = &args };
	bool self_test = false;
	int code = parse(argc, argv, &args, &self_test);

	if (code >= 0)
		return code;
	d.findings = json_array();
	check_policy(&d);
	for (size_t i = 0; d.policy && i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&d);
	if (self_test)
		doctor_selftest(&d);
	code = d.worst == DOCTOR_BAD ? EXIT_NO : EXIT_DONE;
	if (args.json)
		cli_print_json(json_pack("{s:s, s:O}", "worst", level_names[d.worst], "checks", d.findings));
	json_decref(d.findings);
	json_decref(d.status);
	policy_free(d.policy);
	return code;
}
