/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall reload`: the running daemon reads its policy anew. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "policy/policy.h"

static const char usage[] =
	"minewall reload [-c POLICY] [--confirm DURATION | --keep]\n\n"
	"The daemon reads its policy and lists anew and swaps them in; connections go\n"
	"on. Those that the new policy blocks are cut within 5 seconds, and what it does\n"
	"not want any more is let go. A wrong policy changes nothing (exit code 4).\n\n"
	"  --confirm DURATION  the policy before comes back after DURATION (60, 60s,\n"
	"                      5m), unless the new one is confirmed by then\n"
	"  --keep              confirms it (exit code 1: nothing waits for that)\n\n"
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
	if (args.duration && (!confirm_s || args.keep)) {
		fprintf(stderr, "minewall reload: for how long? for example --confirm 60s; then, alone, --keep\n");
		return EXIT_USAGE;
	}
	if (args.keep)
		return keep(&args);
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
