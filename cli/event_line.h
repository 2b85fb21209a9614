/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event, as read from the log, shown to people. */
#ifndef MINEWALL_EVENT_LINE_H
#define MINEWALL_EVENT_LINE_H

#include <jansson.h>

/* The text at outer.key (outer may be NULL), "" if there is none. Lives as long as `j`. */
const char *event_text(const json_t *j, const char *outer, const char *key);

/* The name that the event is about, "" if none; `*kind` (may be NULL) is how it was asked for: "TLS", "HTTP" ... */
const char *event_named(const json_t *j, const char **kind);

/* Prints the line to standard output. */
void event_print(const json_t *j);

/* The same for one row of the daemon's answer to "blocked". */
void blocked_print(const json_t *row);

#endif
