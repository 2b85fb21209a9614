/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall check`: reads the policy and its lists as the daemon would, and says in a few lines what they mean or in
 * one line what is wrong. Changes nothing and talks to no daemon. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check_diff.h"
#include "cli/cli.h"
#include "cli/event_line.h"
#include "policy/fleet.h"
#include "policy/policy.h"

/* DESIGN section 4. */
enum { CHECK_GOOD = 0, CHECK_FAILED = 1, CHECK_USAGE = 2, CHECK_INVALID = 4, CHECK_DENIED = 5 };

static const char help[] =
	"minewall check [-c POLICY] [--json | --diff]\n\n"
	"Reads the policy and the lists that it names, as `minewall run` would, and\n"
	"says what they mean. It talks to no daemon and changes nothing.\n\n"
	"  -c POLICY  another policy than " CLI_POLICY "\n"
	"  --json     one JSON object instead of text\n"
	"  --diff     which connections of the last 24 hours of the log it would treat\n"
	"             otherwise\n\n"
	"Exit: 0 the policy is good; 4 it is not (one line says where and why); 5 a\n"
	"file may not be read; 2 wrong usage.\n\n"
	"Example: minewall check -c new.yaml --diff\n";

struct options {
	const char *policy;
	bool json;
	bool diff;
	bool help;
};

static bool read_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "json", no_argument, NULL, 'j' }, { "diff", no_argument, NULL, 'd' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	*options = (struct options) { .policy = CLI_POLICY };
	opterr = 0;
	optind = 0;		/* start anew: main may have read options before the verb */
	while ((c = getopt_long(argc, argv, "+c:h", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->policy = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 'd':
			options->diff = true;
			break;
		case 'h':
			options->help = true;
			return true;
		default:
			fprintf(stderr, "minewall check: %s '%s', expected [-c FILE] [--json | --diff] (see --help)\n",
				optopt == 'c' ? "no file after" : "unknown option", argv[optind - 1]);
			return false;
		}
	}
	if (optind == argc)
		return true;
	fprintf(stderr, "minewall check: unexpected '%s', expected [-c FILE] [--json | --diff] (see --help)\n", argv[optind]);
	return false;
}

static const char *mode_text(const struct settings *s)
{
	return s->mode == MODE_ENFORCE ? "enforce" : "monitor";
}

static void print_networks(const char *title, struct networks nets)
{
	if (!nets.n)
		return;
	printf("%s", title);
	for (size_t i = 0; i < nets.n; i++)
		printf(" %s", nets.items[i].text);
	printf("\n");
}

/* "list nocoin (adblock, pool: block): 194 used of 317, 123 skipped: path 100, cosmetic 23, from nocoin.txt" */
static void print_list(const struct list_info *list)
{
	static const char *const actions[] = { [DETECT_OFF] = "off", [DETECT_MONITOR] = "monitor", [DETECT_BLOCK] = "block" };
	char counts[512], file[CLI_SAFE_MAX];

	list_info_print(list, counts, sizeof(counts));
	printf("list %s (%s, %s%s%s): %s, from %s\n", list->name, list->format, list->category, *list->category ? ": " : "",
	       actions[list->action], counts, cli_safe(file, list->file));
	if (list->addresses || list->exceptions)
		printf("     %s: %zu names, %zu addresses, %zu exceptions\n", list->name, list->names, list->addresses, list->exceptions);
}

/* Methods that others have, too: a row needs more than such a name (PROTOCOLS 1.10). */
static bool is_everybodys(const char *method)
{
	static const char *const names[] = { "login", "submit", "job", "auth", "authorize", "subscribe", "status", "keepalive", "result",
					     "call", "echo", "error", "ping", "message", "update" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], method))
			return true;
	return false;
}

static void print_dialects(const struct policy *p)
{
	const struct dialect_table *t = policy_dialects(p);
	size_t n = policy_own_dialects(p);

	if (n)
		printf("dialects:        %zu of its own\n", n);
	for (size_t i = 0; i < n; i++)
		if (t->rows[i].method && !t->rows[i].require && is_everybodys(t->rows[i].method))
			printf("warning: dialects: '%s' takes every message with the method '%s' for mining; give it a 'require'\n",
			       t->rows[i].dialect, t->rows[i].method);
}

static void print_fleet(const struct policy *p)
{
	const struct fleet_policy *f = policy_fleet(p);

	if (!*f->host)
		return;
	printf("fleet:           site %s, broker %s:%u\n", f->site, f->host, f->port);
#ifndef HAVE_FLEET
	printf("warning: fleet: this minewall was built without libmosquitto or libsodium: nothing will be learnt from other gateways\n");
#endif
}

static void print_text(const char *path, const struct policy *p)
{
	const struct settings *s = policy_settings(p);
	const struct list_info *lists;
	const char *const *files;
	size_t n = policy_lists(p, &lists), n_files = policy_files(p, &files);
	char file[CLI_SAFE_MAX];

	printf("%s is good\n", cli_safe(file, path));
	for (size_t i = 1; i < n_files; i++)
		printf("and with it:     %s\n", cli_safe(file, files[i]));
	printf("mode:            %s%s\n", mode_text(s), s->mode == MODE_MONITOR ? " (judges and logs, drops nothing)" : "");
	printf("blocked names:   %zu (policy and lists together)\n", policy_names(p));
	if (policy_list_addresses(p))
		printf("listed networks: %zu\n", policy_list_addresses(p));
	for (size_t i = 0; i < n; i++)
		print_list(&lists[i]);
	if (policy_rules(p))
		printf("rules:           %zu\n", policy_rules(p));
	print_networks("blocked:        ", policy_blocked_addresses(p));
	print_networks("allowed:        ", policy_allowed_addresses(p));
	print_networks("allowed hosts:  ", policy_exempt_hosts(p));
	print_dialects(p);
	print_fleet(p);
}

static json_t *json_networks(struct networks nets)
{
	json_t *array = json_array();

	for (size_t i = 0; i < nets.n; i++)
		json_array_append_new(array, json_string(nets.items[i].text));
	return array;
}

static json_t *json_list(const struct list_info *list)
{
	static const char *const actions[] = { [DETECT_OFF] = "off", [DETECT_MONITOR] = "monitor", [DETECT_BLOCK] = "block" };
	json_t *reasons = json_object();

	for (size_t k = 0; k < LIST_INFO_SKIPS && list->skips[k].n; k++)
		json_object_set_new(reasons, list->skips[k].reason, json_integer((json_int_t)list->skips[k].n));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "name", list->name, "file", list->file,
			 "category", list->category, "format", list->format, "action", actions[list->action],
			 "used", (json_int_t)list->used, "skipped", (json_int_t)list->skipped, "names", (json_int_t)list->names,
			 "addresses", (json_int_t)list->addresses, "exceptions", (json_int_t)list->exceptions, "reasons", reasons);
}

static json_t *json_lists(const struct policy *p)
{
	const struct list_info *lists;
	size_t n = policy_lists(p, &lists);
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_list(&lists[i]));
	return array;
}

static int print_json(const char *path, const struct policy *p)
{
	json_t *object = json_pack("{s:s, s:b, s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "policy", path, "valid", 1,
				   "mode", mode_text(policy_settings(p)), "names", (json_int_t)policy_names(p),
				   "own_dialects", (json_int_t)policy_own_dialects(p),
				   "lists", json_lists(p), "blocked_addresses", json_networks(policy_blocked_addresses(p)),
				   "allowed_addresses", json_networks(policy_allowed_addresses(p)),
				   "allowed_hosts", json_networks(policy_exempt_hosts(p)));
	int result = CHECK_GOOD;

	if (!object || json_dumpf(object, stdout, JSON_COMPACT)) {
		fprintf(stderr, "minewall check: cannot write the result as JSON (no memory, or a path that is not UTF-8)\n");
		result = CHECK_FAILED;
	} else {
		printf("\n");
	}
	json_decref(object);
	return result;
}

static void print_difference(const json_t *event, const struct decision *now, void *arg)
{
	static const char *const words[] = {
		[ACTION_NONE] = "it would pass", [ACTION_ALLOW] = "it would be allowed", [ACTION_MONITOR] = "it would only be logged",
		[ACTION_BLOCK] = "it would be blocked",
	};

	event_print(event);
	printf("    now %s%s%s\n", words[now->action], now->rule ? " by " : "", now->rule ? now->rule : "");
	++*(long *)arg;
}

static int print_diff(const struct policy *p)
{
	const char *log = policy_settings(p)->log_file;
	long different = 0, n = check_diff(p, log, print_difference, &different);

	if (n < 0) {
		fprintf(stderr, "minewall check: %s: %s; %s\n", log, strerror((int)-n),
			n == -EACCES ? "try as root" : "it is the log.file of the policy: has a daemon written one?");
		return n == -EACCES ? CHECK_DENIED : CHECK_FAILED;
	}
	printf("%ld of %ld findings of the last 24 hours would be treated otherwise\n", different, n);
	return CHECK_GOOD;
}

static int exit_code(const struct policy_error *error)
{
	switch (error->kind) {
	case POLICY_INVALID:
		return CHECK_INVALID;
	case POLICY_UNREADABLE:
		return CHECK_DENIED;
	case POLICY_NO_MEMORY:
		break;
	}
	return CHECK_FAILED;
}

int check_main(int argc, char **argv)
{
	struct options options;
	struct policy_error error;
	struct policy *p;
	int result = CHECK_GOOD;

	if (!read_options(argc, argv, &options))
		return CHECK_USAGE;
	if (options.help) {
		fputs(help, stdout);
		return CHECK_GOOD;
	}
	p = policy_load(options.policy, &error);
	if (!p) {
		cli_say_error(&error);
		return exit_code(&error);
	}
	if (options.diff)
		result = print_diff(p);
	else if (options.json)
		result = print_json(options.policy, p);
	else
		print_text(options.policy, p);
	policy_free(p);
	return result;
}
