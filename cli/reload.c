/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall reload`: the running daemon reads its policy anew. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/takeover.h"
#include "policy/policy.h"

static const char usage[] =
	"minewall reload [-c POLICY] [--confirm DURATION | --keep | --or-invite]\n\n"
	"The daemon reads its policy and lists anew and swaps them in; connections go\n"
	"on. Those that the new policy blocks are cut within 5 seconds, and what it does\n"
	"not want any more is let go. A wrong policy changes nothing (exit code 4).\n\n"
	"  --confirm DURATION  the policy before comes back after DURATION (60, 60s,\n"
	"                      5m), unless the new one is confirmed by then\n"
	"  --keep              confirms it (exit code 1: nothing waits for that)\n"
	"  --or-invite         if the daemon is of another program than this one, as\n"
	"                      after an upgrade, nothing is read: a `run --takeover\n"
	"                      --invited` as its user may take its place within a minute.\n"
	"                      For a service manager\n\n"
	"Example: minewall reload --confirm 5m\n";

static int keep(const struct cli_args *args)
{
	json_t *reply;
	int code = cli_ask(args, json_pack("{s:s, s:b}", "verb", "reload", "keep", true), &reply);

	if (code >= 0)
		return code;
	printf("the new policy stays\n");
	json_decref(reply);
	return EXIT_DONE;
}

static int leave_ticket(const struct cli_args *args, const char *ticket)
{
	char path[4096];
	int code = EXIT_SYSTEM, fd;
	struct policy *p = cli_policy(args, &code);
	size_t len = strlen(ticket);

	if (!p)
		return code;
	cli_ticket(path, sizeof(path), p);
	policy_free(p);
	unlink(path);
	/* root's alone: the heir has CAP_DAC_READ_SEARCH, and others of the daemon's user, its hooks, have not */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	code = fd >= 0 && write(fd, ticket, len) == (ssize_t)len ? EXIT_DONE : EXIT_SYSTEM;
	if (code != EXIT_DONE)
		fprintf(stderr, "minewall reload: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return code;
}

/* -1: it is the same program; else the exit code. */
static int invite(const struct cli_args *args)
{
	char ticket[DAEMON_TICKET_MAX];
	unsigned char random[sizeof(ticket) / 2];
	struct stat program;
	json_t *reply;
	bool same;
	int code;

	if (stat("/proc/self/exe", &program) || getrandom(random, sizeof(random), 0) != sizeof(random))
		return -1;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(ticket + 2 * i, 3, "%02x", random[i]);
	code = cli_ask(args, json_pack("{s:s, s:I, s:I, s:s}", "verb", "invite", "device", (json_int_t)program.st_dev, "file",
				       (json_int_t)program.st_ino, "ticket", ticket), &reply);
	if (code >= 0)
		return code;
	same = json_is_true(json_object_get(reply, "same"));
	json_decref(reply);
	if (same)
		return -1;
	printf("the daemon is of another program than this one: who is invited takes its place, with the policy as it is then\n");
	return leave_ticket(args, ticket);
}

/* A bare number is in seconds here. */
static uint64_t confirm_time(const char *text)
{
	char seconds[16];

	if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return cli_duration(text);
	snprintf(seconds, sizeof(seconds), "%ss", text);
	return cli_duration(seconds);
}

int reload_main(int argc, char **argv)
{
	struct cli_args args;
	struct policy_error error;
	struct policy *p;
	json_t *reply;
	uint64_t confirm_s;
	int code = cli_parse(argc, argv, usage, NULL, &args);

	if (code >= 0)
		return code;
	confirm_s = args.duration ? confirm_time(args.duration) : 0;
	if (args.duration && args.keep) {
		fprintf(stderr, "minewall reload: first --confirm %s, and --keep alone when the new policy has proved good\n", args.duration);
		return EXIT_USAGE;
	}
	if (args.duration && !confirm_s) {
		fprintf(stderr, "minewall reload: '%s' is no duration; for example --confirm 5m\n", args.duration);
		return EXIT_USAGE;
	}
	if (args.keep)
		return keep(&args);
	code = args.or_invite ? invite(&args) : -1;
	if (code >= 0)
		return code;
	/* Said here, since a broken policy does not say where its daemon is. */
	p = policy_load(args.policy, &error);
	if (!p) {
		cli_say_error(&error);
		return error.kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
	}
	policy_free(p);
	code = cli_ask(&args, json_pack("{s:s, s:I}", "verb", "reload", "confirm_s", (json_int_t)confirm_s), &reply);
	if (code >= 0)
		return code;
	printf("the new policy holds: %lld names\n", (long long)json_integer_value(json_object_get(reply, "names")));
	if (confirm_s)
		printf("for %llu s only: `minewall reload --keep` keeps it\n", (unsigned long long)confirm_s);
	json_decref(reply);
	return EXIT_DONE;
}
