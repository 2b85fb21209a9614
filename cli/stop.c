/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall stop`: ends the daemon and waits until its table and marks are gone. */
#include "cli/cli.h"

static const char usage[] =
	"minewall stop [-c POLICY]\n\n"
	"Ends the daemon. Its table, what it taught the kernel and its bits of the connmarks are gone when this returns.\n";

int stop_main(int argc, char **argv)
{
	struct cli_args args;
	json_t *reply;
	int code = cli_parse(argc, argv, usage, NULL, &args);

	if (code >= 0)
		return code;
	code = cli_ask(&args, json_pack("{s:s}", "verb", "stop"), &reply);
	if (code >= 0)
		return code;
	json_decref(reply);
	return EXIT_DONE;
}
