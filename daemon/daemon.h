/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the running process, for the files of this folder that wire them together. */
#ifndef MINEWALL_DAEMON_H
#define MINEWALL_DAEMON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/clients.h"
#include "daemon/cut.h"
#include "daemon/fleet.h"
#include "daemon/listwatch.h"
#include "daemon/quarantine.h"
#include "daemon/reporter.h"
#include "daemon/notify.h"
#include "daemon/power.h"
#include "daemon/run.h"
#include "daemon/worker.h"
#include "nft/table.h"

/* Temporary allowances at a time: more belong into the policy. */
#define DAEMON_ALLOWANCES_MAX 64

/* Letters of a ticket, with the NUL. */
#define DAEMON_TICKET_MAX 33

struct allowance {
	char what[300];			/* a name or address, as typed */
	uint64_t until_s;
};

struct daemon {
	const char *policy_path;
	struct policy *policy;		/* of the file; shared.policy has the allowances besides */
	const struct settings *settings;
	struct power_user user;		/* as whom we run */
	bool seccomp;			/* our system calls are an allow-list */
	int landlock;			/* its version, 0: this kernel has none */
	struct worker_shared shared;
	struct event_log *log;
	struct queue *queues[WATCHDOG_QUEUES_MAX];
	struct worker *workers[WATCHDOG_QUEUES_MAX];
	unsigned n_queues, n_workers;
	struct clients *clients;
	struct notify notify;		/* the service manager */
	/* of a takeover, on either side */
	int heir;			/* the channel to the other process; -1: there is none */
	pid_t heir_pid;
	dev_t program_device;		/* the file that we are */
	ino_t program_file;
	char ticket[DAEMON_TICKET_MAX];	/* root gave it to an heir of our own user; "": to nobody */
	uint64_t ticket_until_s;
	bool others;			/* what is bound is the other process's: nothing of it is taken back at the end */
	int messages, table_fd, incidents, queue_fds[WATCHDOG_QUEUES_MAX];	/* what we were handed */
	int ready;			/* somebody waits for a byte there; -1: nobody */
	unsigned n_queue_fds;		/* 0: we have started by ourselves */
	int control, lock, losses, signals, timer;
	bool table_there;
	bool table_lost;		/* somebody harmed it, and it could not be made again yet */
	bool watchdog_gone;		/* it ended, and there could be no new one yet */
	uint64_t saved_s;		/* when the state was written */
	uint64_t save_pause_s;		/* that it is left alone afterwards */
	bool unsaved, save_failed;
	struct listwatch lists;
	struct cut cut;			/* open flows to what was just taught */
	uint64_t started_s;		/* CLOCK_MONOTONIC */
	uint64_t restored;		/* how often the table had to be made again */
	size_t adopted;			/* elements taken over from a daemon before us */
	char blind[512];		/* what hides flows from us, "" if nothing does */
	bool offloads;			/* decided flows take the fast way, since the policy wants it and the kernel can */
	bool can_guard;			/* the kernel has what guard_offload needs; asked where the policy wants it */
	struct allowance allowances[DAEMON_ALLOWANCES_MAX];
	size_t n_allowances;
	uint32_t generation;		/* of the policy that runs */
	struct policy *fallback;	/* comes back unless the one that runs is confirmed; NULL: no such doubt */
	uint64_t confirm_until_s;
	uint64_t hours;			/* policy_hours when it was asked last */
	uint64_t paused_at_s, paused_until_s;	/* 0: not paused */
	uint64_t unjudged_s;		/* the sum of what daemon_note_gap said: stopped before this start, pauses, the reader hung */
	uint64_t hung_rest_ms;		/* of the reader's, what no whole second was made of yet */
	struct element *aside;		/* what was taught when the pause began */
	size_t n_aside;
	bool stop, failed;		/* failed: it stops because it cannot go on */
	struct quarantined quarantined[QUARANTINE_MAX];
	size_t n_quarantined;
	struct fleet *fleet;		/* NULL: none is wanted, or there could be none */
	struct reporter *reporter;
	json_t *reported;		/* what it said of its incidents last; NULL: nothing yet */
	int stop_client;		/* waits for the answer to its `stop` */
};

/* CLOCK_MONOTONIC in seconds. */
uint64_t daemon_now_s(void);

/* The watchdog, the adder and the workers. */
enum exit_code daemon_start_threads(struct daemon *d);
void daemon_stop_threads(struct daemon *d);

/* Until the end is asked for. */
void daemon_loop(struct daemon *d);

/* Writes the events that wait. */
void daemon_write_events(struct daemon *d);

/* Has the log's files looked after, by the policy that runs. */
void daemon_tick_log(struct daemon *d);

/* Tells the service manager that all is as it should be, after a start or a reload. */
void daemon_ready(const struct daemon *d);

/* Brings in what the kernel stopped by itself since last time, as events with a count. */
void daemon_read_tries(struct daemon *d);

/* Says it on standard error and in the event log: what happened to the protection itself. */
void daemon_note(struct daemon *d, const char *what, const char *detail);

/* The same, about an end of `seconds` in which nobody judged; they are added to what the metrics say of it. */
void daemon_note_gap(struct daemon *d, const char *what, const char *detail, uint64_t seconds);

/* Answers one request of the control socket, of somebody who may read or change, too; new reference. */
json_t *answer(struct daemon *d, const json_t *request, bool may_change);

/* The same figures as those of the verb `status`, and of each list, for the reporter; what the kernel counted is brought in before. */
json_t *answer_metrics(struct daemon *d);

#endif
