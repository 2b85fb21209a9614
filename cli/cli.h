/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's verbs: each takes the arguments behind the program's name, its own first, and returns an exit
 * code of daemon/run.h. */
#ifndef MINEWALL_CLI_H
#define MINEWALL_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/run.h"
#include "policy/policy.h"

#define CLI_POLICY "/etc/minewall/policy.yaml"

int init_main(int argc, char **argv);
int run_main(int argc, char **argv);
int stop_main(int argc, char **argv);
int check_main(int argc, char **argv);
int status_main(int argc, char **argv);
int log_main(int argc, char **argv);
int report_main(int argc, char **argv);
int top_main(int argc, char **argv);
int blocked_main(int argc, char **argv);
int unblock_main(int argc, char **argv);
int reload_main(int argc, char **argv);
int allow_main(int argc, char **argv);
int pause_main(int argc, char **argv);
int explain_main(int argc, char **argv);
int replay_main(int argc, char **argv);
int lists_main(int argc, char **argv);
int incidents_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int fleet_main(int argc, char **argv);

/* What most verbs take: -c FILE, --json, --help, up to one argument of their own, and of the rest what their usage names. */
struct cli_args {
	const char *policy;
	bool json;
	const char *argument;
	const char *duration;	/* of --for and --confirm */
	const char *from;	/* --from HOST */
	const char *at;		/* --at TIME */
	bool keep;		/* --keep */
	bool table_only;	/* --table-only */
	bool takeover, background, invited;	/* --takeover, --background, --invited */
	bool or_invite;		/* --or-invite */
	const char *tap;	/* --tap IFACE */
};

/* Reads them. -1: go on; else the exit code (0 after --help, EXIT_USAGE with a line said). `usage` is the text of --help;
 * `argument` names the verb's own argument if it takes one ("ADDRESS|NAME"), else NULL. */
int cli_parse(int argc, char **argv, const char *usage, const char *argument, struct cli_args *out);

/* After getopt_long said '?': names the option and returns EXIT_USAGE. */
int cli_bad_option(char **argv);

/* The policy's settings, its lists unread: where the daemon and its files are. If the policy is broken while something waits
 * at the default socket, this is said and the defaults are taken: an operator must reach a daemon that runs.
 * NULL: the line is said, `*code` is the exit code. The caller frees. */
struct policy *cli_policy(const struct cli_args *args, int *code);

/* Where an invitation to take over lies (daemon/takeover.h). */
void cli_ticket(char *path, size_t size, const struct policy *p);

/* Seconds of "90s 10m 1h 7d"; 0: it is none. */
uint64_t cli_duration(const char *text);

/* An age in few letters: "12m", "30h", "5d". At most 24 bytes with the NUL. */
#define CLI_AGE_MAX 24
const char *cli_age(char to[CLI_AGE_MAX], int64_t seconds);

/* `text` as it may be shown on a terminal (daemon/escape.h), in `to`. */
#define CLI_SAFE_MAX 4096
const char *cli_safe(char to[CLI_SAFE_MAX], const char *text);

/* Says on standard error what is wrong with a policy. */
void cli_say_error(const struct policy_error *error);

/* Prints `j` (its reference is taken over); returns EXIT_DONE. */
int cli_print_json(json_t *j);

/* Asks the daemon of this policy. -1: `*reply` is there (new reference); else the exit code, with its line said. */
int cli_ask(const struct cli_args *args, json_t *request, json_t **reply);

/* The same at the socket of the same path with at most 15 letters behind it. */
int cli_ask_beside(const struct cli_args *args, const char *suffix, json_t *request, json_t **reply);

#endif
