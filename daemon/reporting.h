/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of the reporter's process: its loop, and what the files of this folder that work in it share. Nothing here runs in
 * the process that judges packets. */
#ifndef MINEWALL_REPORTING_LOOP_H
#define MINEWALL_REPORTING_LOOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "daemon/hook.h"
#include "daemon/incident.h"
#include "daemon/leases.h"
#include "daemon/load.h"
#include "daemon/metrics.h"
#include "policy/reporting.h"

/* What the daemon hands over at the start and after each reload. */
struct reporter_settings {
	struct reporting reporting;
	bool monitor;
};

struct reporting_loop {
	int link, folder, signals;
	struct clients *clients;	/* whoever asks by the verb `incidents` */
	struct reporter_settings settings;
	bool has_settings;
	struct reporting_early { char *bytes; size_t len; } *early;	/* what was said before the settings */
	size_t n_early;
	struct incident_book book;
	struct alert_hook hook;
	uint64_t alerts;
	struct load load;
	struct leases leases;
	struct { int64_t mtime_ns; int64_t size; uint64_t inode; int error; } lease_files[REPORTING_LEASES_MAX];
	bool unsaved, urgent, save_failed;	/* urgent: more than counters */
	int64_t saved_ms;
	struct metrics_counts counts;
	struct metrics_server *server;
	bool serve_anew;			/* the settings are new */
	json_t *status;				/* the daemon's, NULL: not heard yet */
	uint64_t statuses;			/* how many were heard */
	int64_t file_ms;			/* when the metrics' file was due last */
	bool file_waits, file_failed;		/* for a status; the last time */
	bool summary_due;
	int64_t summary_ms;
	bool stop;
};

/* Reads messages from the link until its end; `folder` and `listening` may be -1. The process's exit code. */
int reporting_run(int link, int folder, int listening);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t reporting_now_ms(void);

/* Something changed that is to be kept (`urgent`: soon) and told. */
void reporting_changed(struct reporting_loop *l, bool urgent);

void reporting_send(struct reporting_loop *l, char tag, json_t *j);	/* takes the reference over; NULL: the tag alone */

/* Counts by state and of the hook: for the verbs, and for the daemon's status. */
json_t *reporting_summary(const struct reporting_loop *l);

/* daemon/incident_file.c: the file in the folder. */
void incident_file_load(struct reporting_loop *l);
void incident_file_save(struct reporting_loop *l);

/* daemon/incident_answer.c: answers one request of the verb `incidents`; a new reference. */
json_t *incident_answer(struct reporting_loop *l, const json_t *request);

#endif
