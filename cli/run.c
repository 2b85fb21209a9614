/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall run`: the daemon, in the foreground. */
#include "cli/cli.h"

static const char usage[] =
	"minewall run [-c POLICY] [--table-only]\n\n"
	"Judges the traffic of this gateway by the policy, in the foreground, until\n"
	"SIGTERM, SIGINT or `minewall stop`. Says `ready` when the queue is bound.\n"
	"SIGHUP opens the event log anew. Needs root, and goes on as the policy's `user`.\n\n"
	"  --table-only  loads the rules and ends, where the policy says `fail: closed`:\n"
	"                what is to be judged stops until `minewall run` reads it. For\n"
	"                the boot, before the interfaces come up\n\n"
	"Example: minewall run -c /etc/minewall/policy.yaml\n";

int run_main(int argc, char **argv)
{
	struct cli_args args;
	int code = cli_parse(argc, argv, usage, NULL, &args);

	if (code >= 0)
		return code;
	return (int)(args.table_only ? daemon_table(args.policy) : daemon_run(args.policy));
}
