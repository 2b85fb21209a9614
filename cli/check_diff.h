/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy would have said of the connections in the log: the answer to "what will this change do?". */
#ifndef MINEWALL_CHECK_DIFF_H
#define MINEWALL_CHECK_DIFF_H

#include <jansson.h>

#include "policy/policy.h"

/* How far back the log is read. */
#define CHECK_DIFF_S (24 * 3600)

/* Judges each connection that `log` (EVE JSON lines) tells of, not older than CHECK_DIFF_S, by `p`, and calls `each` for those that it
 * would treat otherwise; `now`: what it would do. Returns how many there were in all, or -errno if the log cannot be read. */
long check_diff(const struct policy *p, const char *log, void (*each)(const json_t *event, const struct decision *now, void *arg),
		void *arg);

#endif
