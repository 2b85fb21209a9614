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

/* Where the policy fails closed: loads the table and ends. Nothing that is to be judged passes from then on, until daemon_run reads
 * it. For the boot, before there is a network. */
enum exit_code daemon_table(const char *policy_path);

#endif
