/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events on their way from the workers to the main loop: bounded, many writers, one reader. A full ring loses
 * the event and counts it; no worker ever waits for a disk. */
#ifndef MINEWALL_RING_H
#define MINEWALL_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/event.h"

/* Some 0.4 MB: more findings than a busy minute has, since each endpoint that was taught gives no more of them. */
#define RING_EVENTS 256

struct ring;

/* NULL: no memory or no descriptor. */
struct ring *ring_new(void);
void ring_free(struct ring *r);

void ring_put(struct ring *r, const struct event *e);

/* False: empty. */
bool ring_take(struct ring *r, struct event *e);

/* Readable when there are events; ring_take empties it. */
int ring_fd(const struct ring *r);

uint64_t ring_lost(struct ring *r);

#endif
