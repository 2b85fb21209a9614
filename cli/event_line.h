/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event, as read from the log, shown to people. */
#ifndef MINEWALL_EVENT_LINE_H
#define MINEWALL_EVENT_LINE_H

#include <jansson.h>
#include <stdio.h>

#include "cli/log_line.h"

/* The text at outer.key (outer may be NULL), "" if there is none. Lives as long as `j`. */
const char *event_text(const json_t *j, const char *outer, const char *key);

/* The name that the event is about, "" if none; `*kind` (may be NULL) is how it was asked for: "TLS", "HTTP" ... */
const char *event_named(const json_t *j, const char **kind);

/* Prints it as one line. `count`: how often it happened, all in all; `last_us`: when the last time (0: once). */
void event_line_print(FILE *out, const struct log_line *line, int64_t count, int64_t last_us);

/* Prints the event to standard output. */
void event_print(const json_t *j);

/* The same for one row of the daemon's answer to "blocked". */
void blocked_print(const json_t *row);

#endif
