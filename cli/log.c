/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall log`: the event log for people. It first asks a running daemon to bring in what the kernel
 * counted, so that the last minute is never missing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/event_line.h"
#include "daemon/control.h"
#include "policy/policy.h"

static const char usage[] =
	"minewall log [-c POLICY] [--json]\n\n"
	"Shows the events: when, which machine, what it tried to reach, and the evidence. --json prints the lines as they are.\n"
	"Exit code 1 if there are none.\n";

/* Prints the file's events; returns how many there were. */
static size_t print_file(FILE *f, bool as_json)
{
	char *line = NULL;
	size_t size = 0, n = 0;

	while (getline(&line, &size, f) > 0) {
		json_t *j = json_loads(line, 0, NULL);

		if (!j || strcmp(event_text(j, NULL, "event_type"), "alert")) {
			json_decref(j);
			continue;
		}
		if (as_json)
			fputs(line, stdout);
		else
			event_print(j);
		json_decref(j);
		n++;
	}
	free(line);
	return n;
}

int log_main(int argc, char **argv)
{
	struct cli_args args;
	struct policy_error error;
	struct policy *p;
	json_t *reply = NULL;
	size_t n = 0;
	FILE *f;
	int code = cli_parse(argc, argv, usage, NULL, &args);

	if (code >= 0)
		return code;
	p = policy_load_settings(args.policy, &error);
	if (!p) {
		fprintf(stderr, "%s\n", error.text);
		return error.kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
	}
	if (control_ask(policy_settings(p)->control, json_pack("{s:s}", "verb", "flush"), &reply) == 0)
		json_decref(reply);
	f = fopen(policy_settings(p)->log_file, "re");
	if (!f && errno != ENOENT) {
		fprintf(stderr, "minewall: %s: %s\n", policy_settings(p)->log_file, strerror(errno));
		code = EXIT_SYSTEM;
	} else {
		n = f ? print_file(f, args.json) : 0;
		code = n ? EXIT_DONE : EXIT_NO;
		if (!n)
			fprintf(stderr, "minewall: no event in %s\n", policy_settings(p)->log_file);
	}
	if (f)
		fclose(f);
	policy_free(p);
	return code;
}
