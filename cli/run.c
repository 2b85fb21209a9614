/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall run`: the daemon, in the foreground; with --tap a listener at a mirror port instead. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/tap.h"

static const char usage[] =
	"minewall run [-c POLICY] [--tap IFACE | --table-only]\n"
	"             [--takeover [--background] [--invited]]\n\n"
	"Judges the traffic of this gateway by the policy, in the foreground, until\n"
	"SIGTERM, SIGINT or `minewall stop`. Says `ready` when the queue is bound.\n"
	"SIGHUP opens the event log anew. Needs root, and goes on as the policy's `user`.\n\n"
	"  --table-only  loads the rules and ends, where the policy says `fail: closed`:\n"
	"                what is to be judged stops until `minewall run` reads it. For\n"
	"                the boot, before the interfaces come up\n"
	"  --takeover    takes the place of the daemon that runs, after an upgrade: no\n"
	"                packet, connection or learnt endpoint is lost. If it cannot, it\n"
	"                says why and the other one goes on\n"
	"  --background  with that: returns when it is done\n"
	"  --invited     with that: does nothing unless `reload --or-invite` says so\n"
	"  --tap IFACE   judges what a switch mirrors to this interface, with the same\n"
	"                policy and log, and only reports: no table, no queue, no\n"
	"                control socket\n\n"
	"Example: minewall run -c /etc/minewall/policy.yaml\n";

/* The child's child becomes the daemon, so that it is the init process's from the beginning; it says its exit code, or 0 when it judges. */
static int takeover_behind(const char *policy)
{
	int ends[2];
	uint8_t code = EXIT_SYSTEM;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) || (child = fork()) < 0) {
		fprintf(stderr, "minewall run: %s\n", strerror(errno));
		return EXIT_SYSTEM;
	}
	if (child == 0) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		close(ends[0]);
		setsid();
		if (null >= 0)
			dup2(null, STDIN_FILENO);
		child = fork();
		_exit(child ? EXIT_SYSTEM : (int)daemon_takeover(policy, ends[1]));
	}
	close(ends[1]);
	waitpid(child, NULL, 0);
	return read(ends[0], &code, 1) == 1 ? code : EXIT_SYSTEM;
}

/* Has `reload --or-invite` left word for us? */
static bool is_invited(const struct cli_args *args, int *code)
{
	char path[4096];
	struct policy *p = cli_policy(args, code);

	if (!p)
		return false;
	cli_ticket(path, sizeof(path), p);
	policy_free(p);
	*code = EXIT_DONE;
	return access(path, F_OK) == 0;
}

int run_main(int argc, char **argv)
{
	struct cli_args args;
	int code = cli_parse(argc, argv, usage, NULL, &args);

	if (code >= 0)
		return code;
	if (args.tap && (args.table_only || args.takeover)) {
		fprintf(stderr, "minewall run: --tap goes with neither --table-only nor --takeover; see minewall run --help\n");
		return EXIT_USAGE;
	}
	if (args.tap)
		return tap_run(args.policy, args.tap);
	if (args.background && !args.takeover) {
		fprintf(stderr, "minewall run: --background goes with --takeover\n");
		return EXIT_USAGE;
	}
	if (args.invited && !args.takeover) {
		fprintf(stderr, "minewall run: --invited goes with --takeover\n");
		return EXIT_USAGE;
	}
	if (args.invited && !is_invited(&args, &code))
		return code;
	if (args.background)
		return takeover_behind(args.policy);
	return (int)(args.table_only ? daemon_table(args.policy) : args.takeover ? daemon_takeover(args.policy, -1) : daemon_run(args.policy));
}
