/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that teaches the kernel: findings wait here, so that no packet waits for netlink. As many as have gathered go in one
 * batch; each is remembered and told once it is known whether the kernel took it. */
#ifndef MINEWALL_ADDER_H
#define MINEWALL_ADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/event.h"
#include "nft/table.h"

struct worker_shared;

/* Findings that wait at most: some milliseconds' worth of a miners' storm. Of more than that the event alone is kept. */
#define ADDER_LESSONS 128

/* A finding, and what the kernel is to learn from it. */
struct lesson {
	bool teach;
	struct element element;
	struct event event;
};

struct adder;

/* `shared` must be complete but for the adder itself, and outlive it. 0 or -errno. */
int adder_start(struct adder **a, const struct worker_shared *shared);

/* Does what still waits, then ends; NULL is accepted. No worker may run any more. */
void adder_stop(struct adder *a);

/* Hands over `n` lessons, copied; from any thread, never waits for the kernel. */
void adder_put(struct adder *a, const struct lesson *lessons, size_t n);

/* Waits until all that was handed over so far is done: what a policy before taught is then known to be taught. */
void adder_settle(struct adder *a);

/* Lessons that the kernel did not take, as a set was full, it refused, or there were too many at a time. */
uint64_t adder_failed(const struct adder *a);

#endif
