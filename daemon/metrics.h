/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures as Prometheus reads them: text out of the daemon's status and the reporter's own counts, served on an address and
 * written to a file. Runs in the reporter's process; no address of a device is ever a label. */
#ifndef MINEWALL_METRICS_H
#define MINEWALL_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/reporting.h"

/* Events by what they are about and what was done: the columns are blocked and allowed. */
enum metrics_kind { METRICS_ADDRESS, METRICS_NAME, METRICS_PROTOCOL, METRICS_SCORE, METRICS_HYGIENE, METRICS_OTHER, METRICS_KINDS };

struct metrics_counts {
	uint64_t events[METRICS_KINDS][2], attempts[METRICS_KINDS][2];
	uint64_t file_failures;
};

/* Counts a line of the event log that is an alert. */
void metrics_count(struct metrics_counts *c, const json_t *event);

/* The text (the caller frees), `*len` bytes; NULL: no memory. `status` may be NULL: what it says is left out then. */
char *metrics_text(const json_t *status, const json_t *summary, const struct metrics_counts *c, size_t *len);

/* Writes it beside `path` and renames it. 0 or -errno. */
int metrics_write(const char *path, const char *text, size_t len);

/* daemon/metrics_http.c: answers GET /metrics with what `render` gives (which is freed). */
struct metrics_server;
int metrics_serve(struct metrics_server **s, const struct reporting *r, char *(*render)(void *arg, size_t *len), void *arg);
void metrics_serve_end(struct metrics_server *s);
/* Readable when there is something to do; -1: no server. */
int metrics_serve_fd(const struct metrics_server *s);
/* Does it; never waits for a client. */
void metrics_serve_run(struct metrics_server *s);
/* When it wants to be run at the latest, in milliseconds; -1: only by its descriptor. */
int metrics_serve_due_ms(const struct metrics_server *s);

#endif
