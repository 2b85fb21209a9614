/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall stop`: ends the daemon and waits until its table and marks are gone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon/leftover.h"

static const char usage[] =
	"minewall stop [-c POLICY]\n\n"
	"Ends the daemon. Its table, what it taught the kernel and its bits of the\n"
	"connmarks are gone when this returns. If a daemon was killed, what it left in\n"
	"the kernel is removed. Exit code 3 if there is neither.\n\n"
	"Example: minewall stop\n";

/* A daemon that was killed could not take its table back. */
static int take_back(const struct cli_args *args)
{
	int code = EXIT_NOT_RUNNING, found;
	struct policy *p = cli_policy(args, &code);

	if (!p)
		return code;
	found = leftover_remove(policy_settings(p));
	if (found == 1) {
		printf("what a daemon that was killed had left in the kernel is gone now\n");
		code = EXIT_DONE;
	} else if (found == -EBUSY) {
		fprintf(stderr, "minewall: the table is in use: a daemon lives behind another control socket (see -c)\n");
	} else if (found < 0 && found != -EPERM) {
		fprintf(stderr, "minewall: what is left in the kernel cannot be removed: %s\n", strerror(-found));
		code = EXIT_SYSTEM;
	}
	policy_free(p);
	return code;
}

int stop_main(int argc, char **argv)
{
	struct cli_args args;
	json_t *reply;
	int code = cli_parse(argc, argv, usage, NULL, &args);

	if (code >= 0)
		return code;
	code = cli_ask(&args, json_pack("{s:s}", "verb", "stop"), &reply);
	if (code == EXIT_NOT_RUNNING)
		return take_back(&args);
	if (code >= 0)
		return code;
	json_decref(reply);
	return EXIT_DONE;
}
