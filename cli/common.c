/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs share: their options and their way to the daemon. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/control.h"

/* Known by its address: not given by the operator. */
static const char cli_default_policy[] = CLI_POLICY;

int cli_parse(int argc, char **argv, const char *usage, const char *argument, struct cli_args *out)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*out = (struct cli_args){ .policy = cli_default_policy };
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:jh", options, NULL)) != -1)
		switch (c) {
		case 'c':
			out->policy = optarg;
			break;
		case 'j':
			out->json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case ':':
			fprintf(stderr, "minewall %s: a file is missing after '%s'; see minewall %s --help\n", argv[0], argv[optind - 1],
				argv[0]);
			return EXIT_USAGE;
		default:
			fprintf(stderr, "minewall %s: '%s' is not understood; see minewall %s --help\n", argv[0], argv[optind - 1], argv[0]);
			return EXIT_USAGE;
		}
	if (argument && optind < argc)
		out->argument = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "minewall %s: '%s' is one argument too many; see minewall %s --help\n", argv[0], argv[optind], argv[0]);
		return EXIT_USAGE;
	}
	if (argument && !out->argument) {
		fprintf(stderr, "minewall %s: %s is missing; see minewall %s --help\n", argv[0], argument, argv[0]);
		return EXIT_USAGE;
	}
	return -1;
}

struct policy *cli_policy(const struct cli_args *args, int *code)
{
	struct policy_error error;
	struct policy *p = policy_load_settings(args->policy, &error), *defaults;

	if (p)
		return p;
	*code = error.kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
	defaults = args->policy == cli_default_policy ? policy_builtin() : NULL;
	if (defaults && access(policy_settings(defaults)->control, F_OK) == 0) {
		fprintf(stderr, "minewall: %s; going on with the default paths\n", error.text);
		return defaults;
	}
	fprintf(stderr, "%s\n", error.text);
	policy_free(defaults);
	return NULL;
}

int cli_ask(const struct cli_args *args, json_t *request, json_t **reply)
{
	char path[sizeof(((struct settings *)NULL)->control)];
	int err;
	struct policy *p = cli_policy(args, &err);

	if (!p) {
		json_decref(request);
		return err;
	}
	snprintf(path, sizeof(path), "%s", policy_settings(p)->control);
	policy_free(p);
	err = control_ask(path, request, reply);
	if (err == -ECONNREFUSED) {
		fprintf(stderr, "minewall: no daemon answers at %s; `minewall run` starts one\n", path);
		return EXIT_NOT_RUNNING;
	}
	if (err == -EAGAIN) {
		fprintf(stderr, "minewall: the daemon at %s is there and does not answer; is it stopped or hung?\n", path);
		return EXIT_SYSTEM;
	}
	if (err) {
		fprintf(stderr, "minewall: asking the daemon at %s: %s%s\n", path, strerror(-err),
			err == -EACCES ? "; try as root" : "");
		return EXIT_SYSTEM;
	}
	if (!json_is_true(json_object_get(*reply, "ok"))) {
		fprintf(stderr, "minewall: %s\n", json_string_value(json_object_get(*reply, "error")));
		json_decref(*reply);
		return EXIT_SYSTEM;
	}
	return -1;
}

int cli_print_json(json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
	return EXIT_DONE;
}
