/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the names that each client asked for stand for: by it a TLS flow that names nobody is judged. Fixed size, one lock for
 * all workers; forgets what is over, and the longest unused when there is no room. */
#ifndef MINEWALL_ANSWERS_H
#define MINEWALL_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/inspect.h"

struct answers;

/* Longest name that is kept; of a longer one its last labels are, by which it is matched all the same. */
#define ANSWERS_NAME_MAX 128

/* Life of an answer, whatever its TTL says. Browsers and resolvers keep a name for a minute even if it says less, and a miner
 * for half a minute; after an hour an address may well be somebody else's. */
#define ANSWERS_LIFE_MIN_S 60u
#define ANSWERS_LIFE_MAX_S 3600u

/* NULL: no memory. `key` is the secret of the hash. */
struct answers *answers_new(const uint64_t key[2]);
void answers_free(struct answers *a);

/* This client was told that `name` stands for `address`. `against`: the policy has something against the name. A name that it has
 * nothing against excuses the address for the longest life, as it does no harm to believe it; an empty one does that, too. */
void answers_note(struct answers *a, const uint8_t client[16], const uint8_t address[16], struct view name, bool against,
		  uint32_t ttl_s, uint64_t now_ms);

/* The name that stood for this address when the client asked last, into `out`; returns its length, 0 if there is none.
 * `*shared`: others stand for it, too, so a flow there may mean any of them. */
size_t answers_get(struct answers *a, const uint8_t client[16], const uint8_t address[16], uint64_t now_ms,
		   uint8_t out[ANSWERS_NAME_MAX], bool *shared);

#endif
