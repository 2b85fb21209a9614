/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of struct hints: endpoints in a hash table, each with the gateways that named it, and a queue of those whose standing has
 * changed. Seen by hints.c, which judges messages, and by nobody else. */
#ifndef MINEWALL_HINT_TABLE_H
#define MINEWALL_HINT_TABLE_H

#include "daemon/hints.h"

#define HINT_TABLE_CHAINS 1024
#define HINT_TABLE_BUCKETS 256

/* Suspended: by its key; the same message counts again once that is good. */
enum word_state { WORD_LIVE, WORD_WITHDRAWN, WORD_SUSPENDED };

/* What one gateway said last of one endpoint. It is remembered until the last of its messages about it expires, so that none can be
 * said again by somebody else. */
struct word {
	struct word *next;
	uint32_t gateway;
	enum word_state state;
	int64_t issued, expires;	/* of its last message; issued 0: from before a restart */
	int64_t keep_s;			/* when all of its messages have expired */
	uint8_t proof[8];		/* of the signature */
};

struct endpoint {
	struct endpoint *next;		/* in its bucket */
	struct endpoint *behind;	/* in the queue */
	struct word *words;
	struct hint_endpoint at;
	char dialect[HINT_DIALECT_MAX];
	bool queued, again;		/* again: it is told even if nothing has changed */
	bool refused, watched;		/* by the daemon, until hints_again; watched: it would teach it in another mode */
	int64_t told_s;			/* until when, as it was told; 0: it was not */
	int64_t own_s, muted_s;
	bool full;			/* refused as there was no room, which may come: */
	int64_t full_s;			/* until when it waits; 0: since now */
};

struct hints {
	struct hints_config config;
	hints_verify *verify;
	uint64_t hash_key[2];
	struct endpoint **buckets;
	size_t n_buckets, n_endpoints, n_words, n_waiting;
	struct endpoint *first, *last;	/* the queue */
	struct hint_gateway *gateways;
	size_t n_gateways;
	uint32_t chains[HINT_TABLE_CHAINS];	/* index + 1 */
	struct hint_network *ours;
	size_t n_ours;
	uint64_t accepted, refused[HINT_RESULTS];
	int64_t lag_s;
};

/* The endpoint, or NULL; `get` makes one that is missing (NULL: no memory). */
struct endpoint *hint_table_find(const struct hints *h, const struct hint_endpoint *at);
struct endpoint *hint_table_get(struct hints *h, const struct hint_endpoint *at);

/* It must not be queued. */
void hint_table_drop(struct hints *h, struct endpoint *e);

/* Nothing is known of it any more, and nobody is to be told. */
bool hint_table_idle(const struct endpoint *e, int64_t now_s);

/* A gateway's word about it: found (or NULL), added as one that does not count yet (NULL: no memory), taken away. */
struct word *hint_table_word(const struct endpoint *e, uint32_t gateway);
struct word *hint_table_add_word(struct hints *h, struct endpoint *e, uint32_t gateway);
void hint_table_drop_word(struct hints *h, struct word **at);
void hint_table_state(struct hints *h, struct word *w, enum word_state state);

/* Does it count now? */
bool hint_table_counts(const struct hints *h, const struct word *w, int64_t now_s);

/* Until when the endpoint is confirmed; 0: it is not. */
int64_t hint_table_confirmed(const struct hints *h, const struct endpoint *e, int64_t now_s);

/* Its standing may have changed, or is to be told again. */
void hint_table_review(struct hints *h, struct endpoint *e, int64_t now_s);
void hint_table_queue(struct hints *h, struct endpoint *e, bool again);

#endif
