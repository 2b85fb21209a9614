/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small process beside the reader. When packets wait and the reader does not move, it lets go of the queue
 * through the socket that it inherited, so that the rules' `bypass` takes over. It reads no packet. */
#ifndef MINEWALL_WATCHDOG_H
#define MINEWALL_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "nfq/queue.h"

/* Queues at most. */
#define WATCHDOG_QUEUES_MAX 64
/* How long packets may wait for a reader that does not move. */
#define WATCHDOG_PATIENCE_MS 250

struct watchdog;

/* Forks. Call before any thread is made. `losses_fd`: queue_losses_open(). 0 or -errno. */
int watchdog_start(struct watchdog **w, struct queue *const *queues, unsigned n, int losses_fd);

/* It watches, or it never will: before packets are queued. NULL is allowed. 0 or -errno. */
int watchdog_await(struct watchdog *w);
void watchdog_stop(struct watchdog *w);

/* Ends the child alone: from here on the readers may stand still. */
void watchdog_blind(struct watchdog *w);

/* Makes a new child if the old one was killed (the kernel's memory killer, a mistaken kill). 1: it was; 0; -errno. */
int watchdog_revive(struct watchdog *w);

/* The reader of queue `i` moved: call for each batch, before its verdicts are sent. NULL is allowed. */
void watchdog_beat(struct watchdog *w, unsigned i);

/* True once after the watchdog let go of queue `i`: bind it again. */
bool watchdog_released(struct watchdog *w, unsigned i);

/* For how long any queue was let go of since this was asked last, once all are read again; 0: it was not, or it goes on. */
uint64_t watchdog_hung_ms(struct watchdog *w);

/* How often it let go of a queue. */
uint64_t watchdog_releases(const struct watchdog *w);

#endif
