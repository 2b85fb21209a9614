/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall run`: the daemon, in the foreground. */
#include "cli/cli.h"

static const char usage[] =
	"minewall run [-c POLICY]\n\n"
	"Judges the traffic of this gateway by the policy, in the foreground, until\n"
	"SIGTERM, SIGINT or `minewall stop`. Says `ready` when the queue is bound.\n"
	"SIGHUP opens the event log anew. Needs root (CAP_NET_ADMIN).\n\n"
	"Example: minewall run -c /etc/minewall/policy.yaml\n";

int run_main(int argc, char **argv)
{
	struct cli_args args;
	int code = cli_parse(argc, argv, usage, NULL, &args);

	return code >= 0 ? code : (int)daemon_run(args.policy);
}
