/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why the kernel blocks what it blocks: for each endpoint and pair that was taught the event that taught it,
 * and how many attempts each host has made since. Bounded, shared by the workers, guarded by one lock; off the packet path. */
#ifndef MINEWALL_LEARNT_H
#define MINEWALL_LEARNT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/event.h"
#include "nft/table.h"

struct learnt;

/* NULL: no memory. */
struct learnt *learnt_new(void);
void learnt_free(struct learnt *l);

/* Remembers the event for an element taught at `now_s`; the oldest gives way when there are too many. */
void learnt_put(struct learnt *l, const struct element *e, const struct event *event, uint64_t now_s);

/* The event that taught this element, or (for a try) the endpoint or pair that it ran into. False: not known. */
bool learnt_get(struct learnt *l, const struct element *e, struct event *out);

/* Forgets an element that was deleted. */
void learnt_forget(struct learnt *l, const struct element *e);

/* Does the evidence say nothing of others at the same address? So it is with names, and with mining that HTTP or a WebSocket carries:
 * a CDN may stand in front of it. */
bool learnt_has_neighbours(enum evidence evidence, enum app app);

/* Takes out up to `max` elements that such evidence taught at this address, protocol and port; port 0: at any. */
size_t learnt_take_named(struct learnt *l, const uint8_t dst[16], uint8_t proto, uint16_t port, struct element *out, size_t max);

/* What other gateways taught. It stands beside what our own traffic taught of the same endpoint, which says more: learnt_get asks it
 * last, and learnt_each passes over it then. */
struct learnt_fleet {
	const char *dialect, *gateways;	/* by comma */
};
void learnt_put_fleet(struct learnt *l, const struct element *e, const struct learnt_fleet *why, uint64_t now_s);

/* False: it was not there. */
bool learnt_drop_fleet(struct learnt *l, const struct element *e);
bool learnt_is_fleet(struct learnt *l, const struct element *e);
size_t learnt_fleet_count(struct learnt *l);
void learnt_each_fleet(struct learnt *l, uint64_t now_s,
		       void (*each)(const struct element *e, const struct learnt_fleet *why, void *arg), void *arg);

/* As a reason like any other. */
void learnt_fleet_event(const struct element *e, const struct learnt_fleet *why, struct event *out);

/* For how long what our own traffic taught of this very element still holds; 0: it taught nothing. */
uint32_t learnt_left_s(struct learnt *l, const struct element *e, uint64_t now_s);

/* Entries of all kinds. */
size_t learnt_count(struct learnt *l);

/* Calls `each` for every element taught; `event` is its reason, `timeout_s` its remaining life. `each` must not call back. */
void learnt_each(struct learnt *l, uint64_t now_s, void (*each)(const struct element *e, const struct event *event, void *arg),
		 void *arg);

/* Forgets what expired before `now_s`. */
void learnt_expire(struct learnt *l, uint64_t now_s);

/* Attempts of this try element since it was asked last (it says how many there were in all). */
uint64_t learnt_growth(struct learnt *l, const struct element *try, uint64_t now_s);

/* The link address last seen for an inside host. */
void learnt_host(struct learnt *l, const uint8_t address[16], uint8_t family, const uint8_t mac[6], uint64_t now_s);
bool learnt_host_get(struct learnt *l, const uint8_t address[16], uint8_t family, uint8_t mac[6]);

#endif
