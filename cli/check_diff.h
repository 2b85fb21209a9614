/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy would have said of the connections in the log: the answer to "what will this change do?". */
#ifndef MINEWALL_CHECK_DIFF_H
#define MINEWALL_CHECK_DIFF_H

#include <jansson.h>
#include <stdbool.h>

#include "inspect/inspect.h"
#include "policy/policy.h"

/* How far back the log is read. */
#define CHECK_DIFF_S (24 * 3600)

/* Judges each connection that `log` (EVE JSON lines) tells of, not older than CHECK_DIFF_S, by `p`, and calls `each` for those that it
 * would treat otherwise; `now`: what it would do. Returns how many there were in all, or -errno if the log cannot be read. */
long check_diff(const struct policy *p, const char *log, void (*each)(const json_t *event, const struct decision *now, void *arg),
		void *arg);

/* Who and what a finding of the log was about, as the policy judges it; the views in `facts` live as long as the event. False: it is
 * no finding. */
bool check_read(const json_t *event, struct subject *who, struct facts *facts);

/* What `p` says of it. `who` and `facts` are those of check_read, perhaps with another host or time. */
struct decision check_judge(const struct policy *p, const json_t *event, const struct subject *who, const struct facts *facts);

#endif
