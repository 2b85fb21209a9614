/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main(): a table of verbs, from which the help is printed, too. Completions and man pages are made of what `--help` says, so a
 * new verb is one row here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/near.h"

#define CONTROL "/run/minewall/control.sock"

static const struct verb {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *text;
} verbs[] = {
	{ "init", init_main, "look at this machine and write a policy for it" },
	{ "run", run_main, "judge the traffic of this gateway until stopped" },
	{ "stop", stop_main, "end the daemon and take everything back" },
	{ "check", check_main, "read a policy and say what is wrong with it" },
	{ "reload", reload_main, "read the policy anew; connections go on" },
	{ "status", status_main, "how the daemon is doing" },
	{ "log", log_main, "what was blocked, and which machine tried" },
	{ "top", top_main, "who tries to mine now, live in the terminal" },
#ifndef MINEWALL_TINY
	{ "report", report_main, "the log of some days as a page, and what to do" },
#endif
	{ "incidents", incidents_main, "the machines that keep trying, one by one" },
#ifndef MINEWALL_TINY
	{ "fleet", fleet_main, "gateways that learn from each other: who, what, how late" },
#endif
	{ "blocked", blocked_main, "what the kernel blocks now, why and until when" },
	{ "unblock", unblock_main, "let go of an address or a name" },
	{ "allow", allow_main, "allow a name or an address for a time" },
	{ "pause", pause_main, "judge and block nothing for a time" },
	{ "explain", explain_main, "why a name, an address or an event is judged so" },
	{ "lists", lists_main, "where the lists stand; `lists update` fetches them" },
	{ "doctor", doctor_main, "is this machine ready, and what is in the way" },
	{ "replay", replay_main, "judge capture files instead of live traffic" },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void help(FILE *out)
{
	fprintf(out, "minewall %s: a firewall against cryptojacking\nminewall VERB [-c POLICY] [...]\n\n", MINEWALL_VERSION);
	for (size_t i = 0; i < VERBS; i++)
		fprintf(out, "  %-9s  %s\n", verbs[i].name, verbs[i].text);
	fprintf(out, "\nEach verb has --help. -c names another policy than %s.\n", CLI_POLICY);
}

/* What one wants next, at each of the three stations on the way: nothing there, a policy there, a daemon there. */
static void next(FILE *out)
{
	static const char *const stations[][3] = {
		{ "minewall init      look at this machine and write a policy that only watches",
		  "minewall doctor    is this machine ready, and what is in the way?",
		  "minewall run       judge traffic by the policy" },
		{ "minewall check     is the policy right?",
		  "minewall run       judge traffic by it",
		  "minewall doctor    is this machine ready, and what is in the way?" },
		{ "minewall log       which machine tried to mine, where and when",
		  "minewall blocked   what the kernel refuses now, and why",
		  "minewall status    how the daemon is doing" },
	};
	int station = access(CONTROL, F_OK) == 0 ? 2 : access(CLI_POLICY, F_OK) == 0 ? 1 : 0;

	fprintf(out, "minewall %s: a firewall against cryptojacking\n\n%s\n\n", MINEWALL_VERSION,
		station == 2 ? "It runs. Next:" : station == 1 ? "There is a policy, and no daemon runs. Next:" :
		"There is no policy yet. Next:");
	for (size_t i = 0; i < 3; i++)
		fprintf(out, "  %s\n", stations[station][i]);
	fprintf(out, "\n`minewall --help` names all verbs.\n");
}

static const struct verb *find(const char *word)
{
	for (size_t i = 0; i < VERBS; i++)
		if (!strcmp(word, verbs[i].name))
			return &verbs[i];
	return NULL;
}

static int unknown(const char *word)
{
	const char *names[VERBS], *meant;

	for (size_t i = 0; i < VERBS; i++)
		names[i] = verbs[i].name;
	meant = near_word(word, names, VERBS);
	if (*word == '-')
		fprintf(stderr, "minewall: '%s' stands before the verb, and options come behind it: minewall VERB %s ...; minewall --help names all verbs\n",
			word, word);
	else if (meant)
		fprintf(stderr, "minewall: there is no verb '%s'; did you mean `minewall %s`? minewall --help names all\n", word, meant);
	else
		fprintf(stderr, "minewall: there is no verb '%s'; minewall --help names all\n", word);
	return EXIT_USAGE;
}

/* A script must not take half a listing for a whole one. */
static int close_output(const char *verb, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "minewall %s: not all of the output could be written: %s\n", verb, strerror(errno));
	return code == EXIT_DONE || code == EXIT_NO ? EXIT_PARTLY : code;
}

/* `minewall help VERB` */
static int help_of(char *word)
{
	char option[] = "--help", *argv[] = { word, option, NULL };
	const struct verb *verb = find(word);

	return verb ? close_output(word, verb->main(2, argv)) : unknown(word);
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		next(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		if (argc > 2)
			return help_of(argv[2]);
		help(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("minewall %s\n", MINEWALL_VERSION);
		return EXIT_DONE;
	}
	verb = find(argv[1]);
	return verb ? close_output(argv[1], verb->main(argc - 1, argv + 1)) : unknown(argv[1]);
}
