/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy on its way to the kernel and to the workers: at the start, on reload, for a temporary allowance
 * and a pause. The policy that runs stays until the new one is in. */
#ifndef MINEWALL_APPLY_H
#define MINEWALL_APPLY_H

#include "daemon/daemon.h"

/* Opens what DNS answers of ours are sent by, for this policy or a later one: it needs CAP_NET_RAW. 0, or -errno with its line said,
 * where the policy wants such answers. */
int apply_open_refuse(struct daemon *d);

/* `base` with the allowances that hold now; `base` itself if there are none, NULL with `error` filled. */
const struct policy *apply_effective(const struct daemon *d, const struct policy *base, struct policy_error *error);

/* Makes our table by the policy that runs. 0, or -errno with its line said. */
int apply_table(struct daemon *d);

/* Are new flows kept out of foreign flowtables? */
bool apply_guards(const struct daemon *d);

/* Reads the policy file anew and swaps it in. 0, or -1 with `error` filled: then nothing has changed. `confirm_s` not 0: after so
 * many seconds the policy before comes back, unless apply_confirm is called (false: nothing was to be confirmed). */
int apply_reload(struct daemon *d, uint64_t confirm_s, struct policy_error *error);
bool apply_confirm(struct daemon *d);

/* Reads the lists anew, by the policy that runs: refused if its text has changed since, or waits to be confirmed. As above. */
int apply_lists(struct daemon *d, struct policy_error *error);

/* Allows a name or address for `for_s` seconds (0: takes such an allowance back) and lets go of what it is blocked by. */
int apply_allowance(struct daemon *d, const char *what, uint64_t for_s, struct policy_error *error);

/* When the hours of a rule have begun or ended: lets go of what was taught by it, and has accepted flows judged anew. */
void apply_hours(struct daemon *d);

/* Takes the table away for `for_s` seconds, learnt elements put aside; 0 ends a pause. 0 or -errno. */
int apply_pause(struct daemon *d, uint64_t for_s);

/* Ends allowances and a pause that are over, and helps workers along that judge accepted flows anew. */
void apply_tick(struct daemon *d);

/* Milliseconds until apply_tick is due, -1: nothing to do. */
int apply_due_ms(const struct daemon *d);

/* The elements taught now, in the kernel or put aside by a pause. The caller frees; NULL: none or no memory. */
struct element *apply_elements(struct daemon *d, size_t *n);

/* Does the policy still want what this event taught? */
bool apply_justified(const struct daemon *d, const struct element *e, const struct event *why);

/* Gives elements, with the life they have left, to the kernel. */
void apply_teach(struct daemon *d, const struct element *elements, size_t n);

#endif
