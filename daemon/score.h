/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signs of mining added up for each inside host and outside endpoint. Bounded memory with one lock, touched only by flows that
 * show such a sign; what a sum leads to is the policy's business. */
#ifndef MINEWALL_SCORE_H
#define MINEWALL_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/watch.h"
#include "policy/policy.h"

struct score;

/* NULL: no memory. `key` is the secret of the hash. */
struct score *score_new(const uint64_t key[2]);
void score_free(struct score *s);

/* Adds signs of this host at this endpoint, and returns all that are known of both and of the host itself. They are
 * forgotten a day after the last one. */
unsigned score_add(struct score *s, const struct subject *who, unsigned marks, uint64_t now_ms);

/* A sign of the host itself, whatever it talks to. */
void score_host(struct score *s, const uint8_t host[16], unsigned marks, uint64_t now_ms);

/* A connection begins: MARK_RHYTHM as a bit when the last ones came at equal intervals, as of a program that tries again. */
unsigned score_attempt(struct score *s, const struct subject *who, uint64_t now_ms);

/* What the marks weigh together. 100 is as good as certain. */
unsigned score_points(unsigned marks);

/* The word of a mark in events: "no_sni", "submits" ... */
const char *mark_text(enum mark m);

/* Does a host name speak of mining? Few others do, but some. */
bool score_telling_name(struct view host);

/* A port that pools like, and nothing else that is common uses with TLS. */
bool score_pool_port(uint16_t port);

#endif
