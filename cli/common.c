/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs share: their options and their way to the daemon. */
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/control.h"
#include "daemon/takeover.h"

int cli_bad_option(char **argv)
{
	/* Inside a cluster of letters optind has not moved on yet. */
	const char *before = argv[optind - 1];
	char letter[] = { '-', (char)optopt, '\0' };
	bool whole = !optopt || (!strncmp(before, "--", 2) && strchr(before, '='));

	fprintf(stderr, "minewall %s: '%s' is not understood; see minewall %s --help\n", argv[0], whole ? before : letter, argv[0]);
	return EXIT_USAGE;
}

/* Options that only those verbs take whose usage names them. */
static const struct {
	const char *name;
	size_t field;
	bool value;
} own[] = {
	{ "for", offsetof(struct cli_args, duration), true },
	{ "confirm", offsetof(struct cli_args, duration), true },
	{ "from", offsetof(struct cli_args, from), true },
	{ "at", offsetof(struct cli_args, at), true },
	{ "tap", offsetof(struct cli_args, tap), true },
	{ "keep", offsetof(struct cli_args, keep), false },
	{ "table-only", offsetof(struct cli_args, table_only), false },
	{ "takeover", offsetof(struct cli_args, takeover), false },
	{ "background", offsetof(struct cli_args, background), false },
	{ "invited", offsetof(struct cli_args, invited), false },
	{ "or-invite", offsetof(struct cli_args, or_invite), false },
};

#define OWN (sizeof(own) / sizeof(own[0]))
/* What getopt_long says for the first of them: no letter. */
#define OWN_FIRST 256

static void own_list(struct option to[OWN + 4])
{
	static const struct option all[] = {
		{ "policy", required_argument, NULL, 'c' }, { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
	};

	memcpy(to, all, sizeof(all));
	to += sizeof(all) / sizeof(all[0]);
	for (size_t i = 0; i < OWN; i++)
		to[i] = (struct option){ own[i].name, own[i].value ? required_argument : no_argument, NULL, OWN_FIRST + (int)i };
	to[OWN] = (struct option){ 0 };
}

static int own_option(const char *verb, const char *usage, size_t i, struct cli_args *out)
{
	char option[16];
	void *field = (char *)out + own[i].field;

	snprintf(option, sizeof(option), "--%s", own[i].name);
	if (!strstr(usage, option)) {
		fprintf(stderr, "minewall %s: it takes no %s; see minewall %s --help\n", verb, option, verb);
		return EXIT_USAGE;
	}
	if (own[i].value && *optarg == '-' && optarg[1]) {	/* the next option: none of these values begins so */
		fprintf(stderr, "minewall %s: a value is missing after '%s'; see minewall %s --help\n", verb, option, verb);
		return EXIT_USAGE;
	}
	if (own[i].value)
		*(const char **)field = optarg;
	else
		*(bool *)field = true;
	return -1;
}

static int one_option(int c, char **argv, const char *usage, struct cli_args *out)
{
	switch (c) {
	case 'c':
		out->policy = optarg;
		return -1;
	case 'j':
		out->json = true;
		return -1;
	case 'h':
		fputs(usage, stdout);
		return EXIT_DONE;
	case ':':
		fprintf(stderr, "minewall %s: a value is missing after '%s'; see minewall %s --help\n", argv[0], argv[optind - 1], argv[0]);
		return EXIT_USAGE;
	default:
		return c >= OWN_FIRST ? own_option(argv[0], usage, (size_t)(c - OWN_FIRST), out) : cli_bad_option(argv);
	}
}

int cli_parse(int argc, char **argv, const char *usage, const char *argument, struct cli_args *out)
{
	struct option options[OWN + 4];
	int c, code = -1;

	*out = (struct cli_args){ .policy = CLI_POLICY };
	own_list(options);
	opterr = 0;
	while (code < 0 && (c = getopt_long(argc, argv, ":c:jh", options, NULL)) != -1)
		code = one_option(c, argv, usage, out);
	if (code >= 0)
		return code;
	if (argument && optind < argc)
		out->argument = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "minewall %s: '%s' is one argument too many; see minewall %s --help\n", argv[0], argv[optind], argv[0]);
		return EXIT_USAGE;
	}
	if (argument && (!out->argument || !*out->argument)) {
		fprintf(stderr, "minewall %s: %s is missing; see minewall %s --help\n", argv[0], argument, argv[0]);
		return EXIT_USAGE;
	}
	return -1;
}

struct policy *cli_policy(const struct cli_args *args, int *code)
{
	struct policy_error error;
	struct policy *p = policy_load_settings(args->policy, &error), *defaults;
	char text[CLI_SAFE_MAX];

	if (p)
		return p;
	*code = error.kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
	defaults = error.kind == POLICY_INVALID ? policy_builtin() : NULL;
	if (defaults && access(policy_settings(defaults)->control, F_OK) == 0) {
		fprintf(stderr, "minewall: %s; going on with the default paths\n", cli_safe(text, error.text));
		return defaults;
	}
	cli_say_error(&error);
	policy_free(defaults);
	return NULL;
}

/* Where the daemon of this policy listens. */
static int control_path(const struct cli_args *args, char *path, size_t size)
{
	int code = EXIT_SYSTEM;
	struct policy *p = cli_policy(args, &code);

	if (!p)
		return code;
	snprintf(path, size, "%s", policy_settings(p)->control);
	policy_free(p);
	return -1;
}

void cli_ticket(char *path, size_t size, const struct policy *p)
{
	snprintf(path, size, "%s" TAKEOVER_TICKET, policy_settings(p)->control);
}

/* What the daemon refused, with the exit code that it says. */
static int refused(json_t *reply)
{
	const json_t *code = json_object_get(reply, "code");
	const char *error = json_string_value(json_object_get(reply, "error"));
	int exit_code = code ? (int)json_integer_value(code) : EXIT_SYSTEM;

	fprintf(stderr, "minewall: %s\n", error ? error : "the daemon refused without a reason");
	json_decref(reply);
	return exit_code;
}

int cli_ask(const struct cli_args *args, json_t *request, json_t **reply)
{
	return cli_ask_beside(args, "", request, reply);
}

int cli_ask_beside(const struct cli_args *args, const char *suffix, json_t *request, json_t **reply)
{
	char path[sizeof(((struct settings *)0)->control) + 16];
	int code = control_path(args, path, sizeof(((struct settings *)0)->control)), err;

	if (code >= 0) {
		json_decref(request);
		return code;
	}
	strcat(path, suffix);
	err = control_ask(path, request, reply);
	if (err == -ECONNREFUSED) {
		fprintf(stderr, *suffix ? "minewall: nobody answers at %s: the daemon does not run, or its reporter was killed; start it anew\n" :
			"minewall: no daemon answers at %s; `minewall run` starts one\n", path);
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
	return json_is_true(json_object_get(*reply, "ok")) ? -1 : refused(*reply);
}

/* "90s 10m 1h 7d", as in the policy. 0: none. */
uint64_t cli_duration(const char *text)
{
	static const struct {
		char unit;
		unsigned seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || n == 0 || n > 100000000)
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*end == units[i].unit && end[1] == '\0')
			return (uint64_t)n * units[i].seconds;
	return 0;
}

const char *cli_age(char to[CLI_AGE_MAX], int64_t seconds)
{
	long long s = seconds;

	snprintf(to, CLI_AGE_MAX, "%lld%s", s < 2 * 3600 ? s / 60 : s < 2 * 86400 ? s / 3600 : s / 86400,
		 s < 2 * 3600 ? "m" : s < 2 * 86400 ? "h" : "d");
	return to;
}

int cli_print_json(json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(j);
	return EXIT_DONE;
}
