/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of the fleet's process: what its loop and its report share. Nothing here runs in the process that judges packets. */
#ifndef MINEWALL_FLEET_WORK_H
#define MINEWALL_FLEET_WORK_H

#include "daemon/fleet_client.h"
#include "daemon/fleet_files.h"
#include "daemon/fleet_link.h"
#include "daemon/fleet_own.h"
#include "daemon/hints.h"

/* The last judgements that the verb `fleet log` shows. */
#define FLEET_LOG_MAX 200

struct fleet_work {
	int link, signals;
	struct fleet_settings settings;
	bool has_settings;
	struct fleet_files files;
	char gateway[FLEET_NAME_MAX];		/* our name */
	bool has_seed;
	uint8_t *secret;			/* 64 bytes (daemon/secret.h) */
	struct hints *hints;
	struct fleet_own *own;
	struct fleet_client *client;
	char status[96];			/* what we said of ourselves */
	bool fresh, synced, reading;		/* fresh: nothing of the broker's store was read yet */
	int64_t reading_until_ms, again_ms;	/* again: the store is to be read once more then; 0: not */
	int64_t connected_s, lost_ms;		/* since; when the connection was lost, 0: it is there or never was */
	uint64_t losses, refused;		/* connections; own endpoints that the broker refused */
	bool said_lost;
	char error[160];
	uint64_t began_with;			/* bytes of data, before there was anything of the fleet */
	int64_t skew_s;				/* clock of the wall minus that since the start */
	int64_t tick_ms, report_ms, ours_ms;	/* report: not before */
	bool changed, blocked, stop;		/* blocked: the daemon has no room for more */
	size_t n_log;				/* ever */
	struct fleet_log { int64_t when_s; enum hint_result result; struct hint_seen seen; } log[FLEET_LOG_MAX];
};

/* Has the broker tell all that it keeps. */
void fleet_read_store(struct fleet_work *w);

/* daemon/fleet_settings.c: takes what the daemon says, a struct fleet_settings; does this gateway publish? */
void fleet_settings_take(struct fleet_work *w, const char *bytes, size_t len);
bool fleet_teaches(const struct fleet_work *w);

/* daemon/fleet_report.c: the text of FLEET_REPORT; the caller frees. NULL: no memory. */
char *fleet_report(const struct fleet_work *w, int64_t now_s, size_t *len);

#endif
