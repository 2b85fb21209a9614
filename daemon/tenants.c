/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set-associative table of atomic words: 48 bits of keyed hash, a flag for each of the two facts. Losing a
 * place only costs caution; a wrong match only costs a lesson. */
#include "daemon/tenants.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mix.h"

/* 32,768 places of 8 bytes: more addresses than a small network talks to in a day. */
#define SETS 8192
#define WAYS 4

#define HARMLESS 1u
#define TAUGHT 2u
/* Stands for the address alone; no protocol has this number. */
#define ANY_PROTO 255
#define TAG_MASK (~(uint64_t)3)

struct tenants {
	uint64_t key[2];
	_Atomic uint64_t places[SETS][WAYS];
	atomic_uint hand;
};

struct tenants *tenants_new(const uint64_t key[2])
{
	struct tenants *t = calloc(1, sizeof(*t));

	if (t)
		memcpy(t->key, key, sizeof(t->key));
	return t;
}

void tenants_free(struct tenants *t)
{
	free(t);
}

static uint64_t hash(const struct tenants *t, const uint8_t dst[16], uint8_t proto, uint16_t port)
{
	return mix(mix_address(t->key[0], dst) ^ t->key[1] ^ ((uint64_t)proto << 16 | port)) | 4;
}

/* Adds `flag` to the place of this endpoint, made if missing; returns the flags that were there before. */
static unsigned put(struct tenants *t, uint64_t h, unsigned flag, unsigned clear)
{
	_Atomic uint64_t *set = t->places[(h >> 40) % SETS];
	uint64_t tag = h & TAG_MASK, old;
	int place = -1;

	for (int i = 0; i < WAYS; i++) {
		old = atomic_load_explicit(&set[i], memory_order_relaxed);
		if ((old & TAG_MASK) == tag) {
			if ((old & flag) != flag || old & clear)
				atomic_store_explicit(&set[i], (old | flag) & ~(uint64_t)clear, memory_order_relaxed);
			return old & 3u;
		}
		if (!old)
			place = i;
	}
	if (place < 0)
		place = (int)(atomic_fetch_add_explicit(&t->hand, 1, memory_order_relaxed) % WAYS);
	atomic_store_explicit(&set[place], tag | flag, memory_order_relaxed);
	return 0;
}

void tenants_expect(const struct tenants *t, const uint8_t dst[16], uint8_t proto, uint16_t port)
{
	__builtin_prefetch(t->places[(hash(t, dst, proto, port) >> 40) % SETS], 1);
}

bool tenants_harmless(struct tenants *t, const uint8_t dst[16], uint8_t proto, uint16_t port)
{
	return put(t, hash(t, dst, proto, port), HARMLESS, TAUGHT) & TAUGHT;
}

bool tenants_resolved(struct tenants *t, const uint8_t dst[16])
{
	return tenants_harmless(t, dst, ANY_PROTO, 0);
}

/* The address itself has a place, too: for names that DNS puts there, at whatever port. */
bool tenants_teach(struct tenants *t, const uint8_t dst[16], uint8_t proto, uint16_t port)
{
	uint64_t h = hash(t, dst, proto, port), any = hash(t, dst, ANY_PROTO, 0);

	if ((put(t, h, 0, 0) | put(t, any, 0, 0)) & HARMLESS)
		return false;
	put(t, h, TAUGHT, 0);
	put(t, any, TAUGHT, 0);
	return true;
}
