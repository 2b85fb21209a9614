/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of the fleet: tells its process what our own traffic taught, and teaches the kernel what enough other gateways
 * have seen. Local allow rules, the mode and what the policy wants come first; nothing of it waits for a broker. */
#ifndef MINEWALL_FLEET_H
#define MINEWALL_FLEET_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/event.h"
#include "nft/table.h"

struct daemon;
struct fleet;

/* Where the policy wants it: makes the process, before the first thread. What it lacks is said, and the rest goes on. */
void fleet_start(struct daemon *d);
void fleet_stop(struct daemon *d);

/* Readable when it has said something; -1: there is none. */
int fleet_fd(const struct daemon *d);
/* Does it want to know when the link has room? */
bool fleet_waits(const struct daemon *d);
void fleet_heed(struct daemon *d);

/* Every ten seconds. */
void fleet_tick(struct daemon *d);

/* The policy is another one, or a pause is over. */
void fleet_settings(struct daemon *d);

/* The process of the daemon before us has ended. */
void fleet_heir(struct daemon *d);

/* An event that was just written. */
void fleet_event(struct daemon *d, const struct event *e);

/* The policy does not want this any more; the operator let go of it. */
void fleet_unjustified(struct daemon *d, const struct element *e);
void fleet_unblocked(struct daemon *d, const struct element *e);

/* How it stands, for `status` and the figures, and with gateways and log for the verb `fleet`; new reference, NULL: there is none. */
json_t *fleet_json(struct daemon *d, bool whole);

#endif
