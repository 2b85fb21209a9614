/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the event log that are full: FILE becomes FILE.1, what was FILE.1 becomes FILE.2; they are compressed, and the
 * oldest go when there are too many, too much of them, or they are too old. */
#ifndef MINEWALL_ROTATE_H
#define MINEWALL_ROTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/event.h"

/* Before this no clock was right (2020-01-01): a machine without a battery that has not been told the time. Such a file's age is unknown. */
#define ROTATE_CLOCK_SET_S 1577836800LL

struct rotate;
struct rotate *rotate_new(const char *path);
/* Waits for the thread. */
void rotate_free(struct rotate *r);

/* Is a file of this size full? With a budget no file may be more than a quarter of it. */
bool rotate_due(const struct event_log_limits *limits, uint64_t size);

/* When the first line of FILE was written, in seconds of the epoch; 0: there is none. */
int64_t rotate_first_line(const char *path);

/* FILE to FILE.1, and those before it one on; beyond `keep` they go. Not while rotate_busy. 0 or -errno: FILE is where it was. */
int rotate_shift(const char *path, uint32_t keep);

/* Compresses what is not, and removes what is too much: in a thread of low priority. Nothing if it runs still. `now_s` is the time by
 * which files are too old, of which one goes at most; 0: none goes for its age. */
void rotate_tidy(struct rotate *r, const struct event_log_limits *limits, int64_t now_s);
bool rotate_busy(struct rotate *r);

#endif
