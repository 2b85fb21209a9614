/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main(): a table of verbs, from which the help is printed, too. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct verb {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *text;
} verbs[] = {
	{ "run", run_main, "judge the traffic of this gateway until stopped" },
	{ "stop", stop_main, "end the daemon and take everything back" },
	{ "check", check_main, "read a policy and say what is wrong with it" },
	{ "reload", reload_main, "read the policy anew; connections go on" },
	{ "status", status_main, "how the daemon is doing" },
	{ "log", log_main, "what was blocked, and which machine tried" },
	{ "blocked", blocked_main, "what the kernel blocks now, why and until when" },
	{ "unblock", unblock_main, "let go of an address or a name" },
	{ "allow", allow_main, "allow a name or an address for a time" },
	{ "pause", pause_main, "judge and block nothing for a time" },
	{ "explain", explain_main, "why a name, an address or an event is judged so" },
	{ "lists", lists_main, "where the lists stand; `lists update` fetches them" },
	{ "replay", replay_main, "judge capture files instead of live traffic" },
};

static void help(FILE *out)
{
	fprintf(out, "minewall %s: a firewall against cryptojacking\n\nminewall VERB [-c POLICY] [...]\n\n", MINEWALL_VERSION);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(out, "  %-8s  %s\n", verbs[i].name, verbs[i].text);
	fprintf(out, "\nEach verb has --help. The policy is %s unless -c names another.\n", CLI_POLICY);
}

/* A script must not take half a listing for a whole one. */
static int close_output(const char *verb, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "minewall %s: not all of the output could be written: %s\n", verb, strerror(errno));
	return code == EXIT_DONE || code == EXIT_NO ? EXIT_PARTLY : code;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("minewall %s\n", MINEWALL_VERSION);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return close_output(argv[1], verbs[i].main(argc - 1, argv + 1));
	fprintf(stderr, "minewall: there is no verb '%s'; minewall --help names all\n", argv[1]);
	return EXIT_USAGE;
}
