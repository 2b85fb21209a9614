/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall log`: the event log for people. It first asks a running daemon to bring in what the kernel
 * counted, so that the last minute is never missing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/event_line.h"
#include "daemon/control.h"

static const char usage[] =
	"minewall log [-c POLICY] [--json]\n\n"
	"Shows the events: when, which machine, what it tried to reach, the evidence,\n"
	"the rule, and the number that `minewall explain '#NUMBER'` takes. \"blocked\" was\n"
	"stopped; \"allowed\" was seen and let through, by mode or by a rule that says\n"
	"monitor. --json prints the lines as they are. Exit code 1 if there are none.\n\n"
	"Example: minewall log --json\n";

/* NULL with errno set; 0: it is no file. A pipe or a device would keep us waiting for ever. */
static FILE *open_log(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return NULL;
	if (!S_ISREG(st.st_mode)) {
		errno = 0;
		return NULL;
	}
	return fopen(path, "re");
}

/* Findings, and notes about the protection itself; another program may have written lines of its own. */
static bool is_ours(const json_t *j)
{
	const char *type = event_text(j, NULL, "event_type");

	return !strcmp(type, "minewall") ? *event_text(j, "minewall", "event") :
	       !strcmp(type, "alert") && json_object_get(j, "mining") && *event_text(j, NULL, "src_ip");
}

/* Prints the file's events; returns how many there were. */
static size_t print_file(FILE *f, bool as_json)
{
	char *line = NULL;
	size_t size = 0, n = 0;

	while (getline(&line, &size, f) > 0) {
		json_t *j = json_loads(line, 0, NULL);

		if (j && is_ours(j)) {
			if (as_json)
				fputs(line, stdout);
			else
				event_print(j);
			n++;
		}
		json_decref(j);
	}
	free(line);
	return n;
}

int log_main(int argc, char **argv)
{
	struct cli_args args;
	struct policy *p;
	json_t *reply = NULL;
	size_t n = 0;
	FILE *f;
	int code = cli_parse(argc, argv, usage, NULL, &args);

	if (code >= 0)
		return code;
	p = cli_policy(&args, &code);
	if (!p)
		return code;
	if (control_ask(policy_settings(p)->control, json_pack("{s:s}", "verb", "flush"), &reply) == 0)
		json_decref(reply);
	f = open_log(policy_settings(p)->log_file);
	if (!f && errno != ENOENT) {
		fprintf(stderr, "minewall: %s: %s%s\n", policy_settings(p)->log_file,
			errno ? strerror(errno) : "is no regular file, so its events cannot be read back",
			errno == EACCES ? "; try as root" : "");
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
