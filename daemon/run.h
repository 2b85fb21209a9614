/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running process: brings the parts together, in an order in which a failure leaves nothing behind. */
#ifndef MINEWALL_RUN_H
#define MINEWALL_RUN_H

/* Exit codes of DESIGN section 4, for all verbs. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_NO = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_RUNNING = 3,
	EXIT_POLICY = 4,
	EXIT_SYSTEM = 5,	/* permission, kernel feature or link type missing */
	EXIT_PARTLY = 6,
};

/* Runs until SIGTERM, SIGINT or the verb `stop`. Returns an exit code; every failure has said its one line. */
enum exit_code daemon_run(const char *policy_path);

/* The same in place of the daemon that runs, without a packet lost: what that one lacks or what is wrong with the policy is said, and
 * it goes on. `ready` not -1: a byte is written there when it is done, and from then on messages go where those of the other one go. */
enum exit_code daemon_takeover(const char *policy_path, int ready);

/* Where the policy fails closed: loads the table and ends. Nothing that is to be judged passes from then on, until daemon_run reads
 * it. For the boot, before there is a network. */
enum exit_code daemon_table(const char *policy_path);

#endif
