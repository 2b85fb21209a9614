/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall lists`: its options, and which half of it is meant. */
#include "cli/lists.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/control.h"

/* Enough for a large list over a slow line; a server that takes longer has hung. */
#define TIMEOUT_S 300

static const char usage[] =
	"minewall lists [-c POLICY] [--json]\n"
	"minewall lists update [NAME...] [-c POLICY] [--due] [--force] [--jitter 1h]\n"
	"                      [--timeout 5m] [--user nobody]\n"
	"minewall lists export [-c POLICY] dnsmasq|hosts|nft|suricata\n\n"
	"Shows every list of the policy: its age, what is used of it, what it caught,\n"
	"how much of it others have, too. update fetches those with a `url:` (all, or\n"
	"the ones named). What is empty, no list, wrongly signed or has shrunk a lot is\n"
	"refused; the last good copy stays.\n\n"
	"  --due          only those whose `refresh:` is over: for timers\n"
	"  --force        take it though it has shrunk or has fewer than min_entries\n"
	"  --jitter 1h    wait a while by chance first, up to so long: for timers\n"
	"  --timeout 5m   give a list up after this\n"
	"  --user nobody  who fetches and reads it, when started as root\n\n"
	"Exit: 0 done; 1 not one list could be updated, or another update runs; 6 some\n"
	"could not, or the daemon did not take them; 4 policy invalid; 5 no permission\n"
	"or no libcurl; 2 usage.\n\n"
	"Example: minewall lists update --due\n";

enum { OPT_DUE = 256, OPT_FORCE, OPT_JITTER, OPT_TIMEOUT, OPT_USER };

static int need_duration(const char *option, unsigned *seconds)
{
	uint64_t s = cli_duration(optarg);

	if (s == 0 || s > 7 * 86400) {
		fprintf(stderr, "minewall lists: %s is '%s', expected a duration from 1s to 7d, such as 90s, 10m or 1h\n", option,
			optarg);
		return EXIT_USAGE;
	}
	*seconds = (unsigned)s;
	return -1;
}

static int read_option(int c, char **argv, struct lists_options *o)
{
	switch (c) {
	case 'c':
		o->args.policy = optarg;
		return -1;
	case 'j':
		o->args.json = true;
		return -1;
	case 'h':
		fputs(usage, stdout);
		return EXIT_DONE;
	case OPT_DUE:
		o->due = true;
		return -1;
	case OPT_FORCE:
		o->force = true;
		return -1;
	case OPT_JITTER:
		return need_duration("--jitter", &o->jitter_s);
	case OPT_TIMEOUT:
		return need_duration("--timeout", &o->timeout_s);
	case OPT_USER:
		o->user = optarg;
		return -1;
	case ':':
		fprintf(stderr, "minewall lists: a value is missing after '%s'; see minewall lists --help\n", argv[optind - 1]);
		return EXIT_USAGE;
	default:
		return cli_bad_option(argv);
	}
}

/* -1: go on; else the exit code. `*update`: it is that half. */
static int parse(int argc, char **argv, struct lists_options *o, bool *update)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'c' }, { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { "due", no_argument, NULL, OPT_DUE },
		{ "force", no_argument, NULL, OPT_FORCE }, { "jitter", required_argument, NULL, OPT_JITTER },
		{ "timeout", required_argument, NULL, OPT_TIMEOUT }, { "user", required_argument, NULL, OPT_USER },
		{ NULL, 0, NULL, 0 },
	};
	int c, code = -1;

	*o = (struct lists_options) { .args = { .policy = CLI_POLICY }, .timeout_s = TIMEOUT_S, .user = "nobody" };
	opterr = 0;
	while (code < 0 && (c = getopt_long(argc, argv, ":c:jh", options, NULL)) != -1)
		code = read_option(c, argv, o);
	if (code >= 0)
		return code;
	*update = optind < argc && !strcmp(argv[optind], "update");
	if (!*update && optind < argc)
		fprintf(stderr, "minewall lists: '%s' is not understood, expected update, export or nothing; see minewall lists --help\n",
			argv[optind]);
	else if (!*update && (o->due || o->force || o->jitter_s || o->timeout_s != TIMEOUT_S))
		fprintf(stderr, "minewall lists: --due, --force, --jitter and --timeout are for `lists update`; see --help\n");
	else if (*update && o->args.json)
		fprintf(stderr, "minewall lists: update takes no --json; `minewall lists --json` says how it ended\n");
	else
		code = EXIT_DONE;
	o->names = argv + optind + *update;
	o->n_names = argc - optind - *update;
	return code < 0 ? EXIT_USAGE : -1;
}

int lists_ask(const struct policy *p, json_t *request, json_t **reply)
{
	return control_ask(policy_settings(p)->control, request, reply);
}

void lists_time(char *to, size_t size, int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (when <= 0 || !localtime_r(&t, &tm) || !strftime(to, size, "%Y-%m-%d %H:%M", &tm))
		snprintf(to, size, "never");
}

int lists_main(int argc, char **argv)
{
	struct lists_options o;
	struct policy_error error;
	struct child_user user;
	struct policy *p;
	bool update = false;
	int code;

	if (argc > 1 && !strcmp(argv[1], "export"))
		return lists_export(argc - 1, argv + 1);
	code = parse(argc, argv, &o, &update);
	if (code >= 0)
		return code;
	if (child_user(o.user, &user)) {
		fprintf(stderr, "minewall lists: '%s' is no unprivileged user here; name another with --user\n", o.user);
		return EXIT_SYSTEM;
	}
	p = policy_load_settings(o.args.policy, &error);
	if (!p) {
		cli_say_error(&error);
		return error.kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
	}
	code = update ? lists_update(&o, p, &user) : lists_show(&o, p, &user);
	policy_free(p);
	return code;
}
