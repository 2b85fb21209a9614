/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Retries folded into one: what a device tries again and again at one place, with the same evidence, is one line with a count. */
#ifndef MINEWALL_LOG_FOLD_H
#define MINEWALL_LOG_FOLD_H

#include "cli/log_line.h"

/* A pause as long as this begins a new line. */
#define LOG_FOLD_US (600LL * 1000000)

struct log_fold;

/* `give` gets each folded line: its first event, how often it happened all in all, and the time of the last one. In the order of the first
 * ones. NULL: no memory. */
struct log_fold *log_fold_new(void (*give)(const struct log_line *first, int64_t count, int64_t last_us, void *arg), void *arg);

/* Gives what is left, and frees. */
void log_fold_end(struct log_fold *f);

/* 0 or -ENOMEM. */
int log_fold_add(struct log_fold *f, const struct log_line *line);

#endif
