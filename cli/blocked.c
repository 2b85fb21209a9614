/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall blocked` and `minewall unblock`: what the kernel holds, and the way out at 3 a.m. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/event_line.h"

static const char blocked_usage[] =
	"minewall blocked [-c POLICY] [--json]\n\n"
	"Lists what the kernel blocks by itself now: endpoint, the one host it holds for\n"
	"(if not all), life left, packets stopped, and why. Exit code 1 if there is\n"
	"nothing.\n\n"
	"Example: minewall blocked\n";

static const char unblock_usage[] =
	"minewall unblock [-c POLICY] ADDRESS|NAME\n\n"
	"Takes every learnt endpoint at ADDRESS (outside or inside), or that NAME or a\n"
	"name below it taught, out of the kernel. What is listed in the policy will be\n"
	"learnt again at the next attempt: see allow.names, allow.addresses and\n"
	"allow.hosts. Exit code 1 if nothing was blocked.\n\n"
	"Example: minewall unblock 192.0.2.7\n";

static void print_why(const json_t *why)
{
	const char *name = event_named(why, NULL);
	const json_t *fleet, *gateway;
	size_t i;

	printf("%s", event_text(why, "mining", "evidence"));
	if (*name)
		printf(" %s", name);
	if (*event_text(why, "mining", "dialect"))
		printf(" %s", event_text(why, "mining", "dialect"));
	fleet = json_object_get(json_object_get(why, "mining"), "fleet");
	json_array_foreach(fleet, i, gateway)
		printf("%s%s", i ? ", " : " seen by ", strcmp(json_string_value(gateway), "+own") ? json_string_value(gateway) : "own traffic");
	if (*event_text(why, "mining", "list"))
		printf(" (list %s)", event_text(why, "mining", "list"));
	else if (*event_text(why, "mining", "rule"))
		printf(" (%s)", event_text(why, "mining", "rule"));
}

void blocked_print(const json_t *row)
{
	const json_t *why = json_object_get(row, "why");
	json_int_t left = json_integer_value(json_object_get(row, "left_s"));
	char endpoint[80];

	snprintf(endpoint, sizeof(endpoint), strchr(event_text(row, NULL, "address"), ':') ? "[%s]:%lld" : "%s:%lld",
		 event_text(row, NULL, "address"), (long long)json_integer_value(json_object_get(row, "port")));
	printf("%-3s %-44s %-16s %3lldm%02llds %6lld packets  ", event_text(row, NULL, "proto"), endpoint,
	       *event_text(row, NULL, "host") ? event_text(row, NULL, "host") : "everybody", (long long)(left / 60), (long long)(left % 60),
	       (long long)json_integer_value(json_object_get(row, "packets")));
	if (why)
		print_why(why);
	else
		printf("learnt by a daemon before this one");
	putchar('\n');
}

int blocked_main(int argc, char **argv)
{
	struct cli_args args;
	json_t *reply, *rows, *row;
	size_t i, n;
	int code = cli_parse(argc, argv, blocked_usage, NULL, &args);

	if (code >= 0)
		return code;
	code = cli_ask(&args, json_pack("{s:s}", "verb", "blocked"), &reply);
	if (code >= 0)
		return code;
	rows = json_object_get(reply, "blocked");
	n = json_array_size(rows);
	if (args.json) {
		json_incref(rows);
		json_decref(reply);
		cli_print_json(rows);
		return n ? EXIT_DONE : EXIT_NO;
	}
	json_array_foreach(rows, i, row)
		blocked_print(row);
	if (!n)
		fprintf(stderr, "minewall: the kernel blocks no endpoint now\n");
	json_decref(reply);
	return n ? EXIT_DONE : EXIT_NO;
}

int unblock_main(int argc, char **argv)
{
	struct cli_args args;
	json_t *reply;
	json_int_t n;
	int code = cli_parse(argc, argv, unblock_usage, "ADDRESS|NAME", &args);

	if (code >= 0)
		return code;
	code = cli_ask(&args, json_pack("{s:s, s:s}", "verb", "unblock", "target", args.argument), &reply);
	if (code >= 0)
		return code;
	n = json_integer_value(json_object_get(reply, "unblocked"));
	json_decref(reply);
	if (!n) {
		fprintf(stderr, "minewall: nothing is blocked at %s\n", args.argument);
		return EXIT_NO;
	}
	printf("%lld unblocked; the policy may block it again at the next attempt\n", (long long)n);
	return EXIT_DONE;
}
