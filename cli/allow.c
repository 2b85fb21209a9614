/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall allow` and `minewall pause`: quick help that ends by itself. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const char allow_usage[] =
	"minewall allow [-c POLICY] NAME|ADDRESS --for DURATION\n\n"
	"Allows NAME with all below it, or ADDRESS (outside or inside, a network or\n"
	"ADDRESS:PORT, too) at once, and lets go of what was learnt by it. A reload\n"
	"keeps it, the end of the daemon does not. For good: allow.names,\n"
	"allow.addresses or allow.hosts of the policy.\n\n"
	"  --for DURATION  for how long (90s 10m 1h 7d); 0 takes the allowance back\n\n"
	"Example: minewall allow pool.example --for 1h\n";

static const char pause_usage[] =
	"minewall pause [-c POLICY] DURATION|off\n\n"
	"Judges and blocks nothing for DURATION (90s 10m 1h 7d), then goes on by itself\n"
	"with all that was learnt. `off` ends it now.\n\n"
	"Example: minewall pause 10m\n";

static bool is_zero(const char *duration)
{
	size_t n = strspn(duration, "0");

	return n && (!duration[n] || (strchr("smhd", duration[n]) && !duration[n + 1]));
}

int allow_main(int argc, char **argv)
{
	struct cli_args args;
	json_t *reply;
	uint64_t for_s;
	int code = cli_parse(argc, argv, allow_usage, "NAME|ADDRESS", &args);

	if (code >= 0)
		return code;
	for_s = args.duration ? cli_duration(args.duration) : 0;
	if (!for_s && !(args.duration && is_zero(args.duration))) {
		fprintf(stderr, "minewall allow: for how long? for example --for 1h\n");
		return EXIT_USAGE;
	}
	code = cli_ask(&args, json_pack("{s:s, s:s, s:I}", "verb", "allow", "target", args.argument, "for_s", (json_int_t)for_s),
		       &reply);
	if (code >= 0)
		return code;
	json_decref(reply);
	if (for_s)
		printf("%s is allowed for %s\n", args.argument, args.duration);
	else
		printf("%s is not allowed for a time any more\n", args.argument);
	return EXIT_DONE;
}

int pause_main(int argc, char **argv)
{
	struct cli_args args;
	json_t *reply;
	uint64_t for_s;
	int code = cli_parse(argc, argv, pause_usage, "DURATION|off", &args);

	if (code >= 0)
		return code;
	for_s = cli_duration(args.argument);
	if (!for_s && strcmp(args.argument, "off")) {
		fprintf(stderr, "minewall pause: '%s' is no duration; for example 10m, or off\n", args.argument);
		return EXIT_USAGE;
	}
	code = cli_ask(&args, json_pack("{s:s, s:I}", "verb", "pause", "for_s", (json_int_t)for_s), &reply);
	if (code >= 0)
		return code;
	json_decref(reply);
	if (for_s)
		printf("paused for %s: nothing is judged or blocked\n", args.argument);
	else
		printf("judging again\n");
	return EXIT_DONE;
}
