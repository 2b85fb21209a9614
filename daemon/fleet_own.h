/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this gateway teaches others: the endpoints that its own traffic taught it, and what the broker has of them. Pure: it says what is
 * to be published next, and somebody else does so. */
#ifndef MINEWALL_FLEET_OWN_H
#define MINEWALL_FLEET_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/hint.h"

/* As many as the kernel is taught with their reasons (daemon/learnt.c). */
#define FLEET_OWN_MAX 8192

struct fleet_own;

struct fleet_own *fleet_own_new(const uint64_t key[2]);
void fleet_own_free(struct fleet_own *o);

/* Ours until then; not ours any more. */
void fleet_own_put(struct fleet_own *o, const struct hint_endpoint *at, const char *dialect, int64_t expires_s);
void fleet_own_drop(struct fleet_own *o, const struct hint_endpoint *at);

/* All are said once more: those that are not said between the two are not ours. */
void fleet_own_first(struct fleet_own *o);
void fleet_own_last(struct fleet_own *o);

/* The broker's store is read anew: a topic of ours that is there, with its times; and that was all. What it lacks is published then, what
 * is not ours taken away; so is what comes in at another time. */
void fleet_own_reading(struct fleet_own *o);
void fleet_own_stored(struct fleet_own *o, const struct hint_endpoint *at, const struct hint *there);
void fleet_own_read(struct fleet_own *o);

/* The connection is lost: what was on its way may not have come. */
void fleet_own_lost(struct fleet_own *o);

/* The next one to publish; `*gone`: to take away. `issued` is newer than what was said of it before. False: there is none. */
bool fleet_own_next(struct fleet_own *o, int64_t now_s, struct hint *h, bool *gone);

/* It is on its way under this number; and the answer to it. False: that was none of ours. */
void fleet_own_sent(struct fleet_own *o, const struct hint *h, int id);
bool fleet_own_answer(struct fleet_own *o, int id, bool taken);

/* Those that are over. */
void fleet_own_tick(struct fleet_own *o, int64_t now_s);

/* Ours now, and of those the ones that the broker has. */
size_t fleet_own_count(const struct fleet_own *o, size_t *stored);

#endif
