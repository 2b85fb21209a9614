/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flows of one worker that are watched for signs of mining behind encryption: see watch.h for the signs, score.h for
 * their sums. */
#ifndef MINEWALL_SUSPECT_H
#define MINEWALL_SUSPECT_H

#include "daemon/score.h"

struct step;
struct suspects;

/* NULL: no memory. `score` is shared and must outlive it. */
struct suspects *suspects_new(struct score *score);
void suspects_free(struct suspects *all);

/* After a TCP packet was judged: watches the flow, or goes on doing so. What is watched is accepted, not cleared. */
void suspect_look(struct step *s);

#endif
