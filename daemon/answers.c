// SPDX-License-Identifier: GPL-2.0-or-later
/* A set-associative table with a place for each client and address. Both a name and the word that another one lives there
 * stand in one place, so that what excuses an address never gets lost before what speaks against it. */
#include "daemon/answers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mix.h"

/* 8,192 places of 192 bytes: what a few dozen clients resolve in an hour. Losing one costs a verdict that SNI gives mostly anyway. */
#define SETS 1024
#define WAYS 8

struct place {
	uint8_t client[16], address[16];
	uint64_t seen_ms;		/* 0: free */
	uint64_t until_ms;		/* of the name */
	uint64_t shared_until_ms;	/* of other names */
	bool against;
	uint8_t len;
	uint8_t name[ANSWERS_NAME_MAX];
};

struct answers {
	pthread_mutex_t lock;
	uint64_t key[2];
	struct place places[SETS][WAYS];
};

struct answers *answers_new(const uint64_t key[2])
{
	struct answers *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	pthread_mutex_init(&a->lock, NULL);
	memcpy(a->key, key, sizeof(a->key));
	return a;
}

void answers_free(struct answers *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static struct place *set_of(struct answers *a, const uint8_t client[16], const uint8_t address[16])
{
	return a->places[mix_address(mix_address(a->key[0], client) ^ a->key[1], address) % SETS];
}

static struct place *find(struct place *set, const uint8_t client[16], const uint8_t address[16])
{
	for (int i = 0; i < WAYS; i++)
		if (set[i].seen_ms && !memcmp(set[i].client, client, 16) && !memcmp(set[i].address, address, 16))
			return &set[i];
	return NULL;
}

/* A free place or the longest unused one, emptied. */
static struct place *make(struct place *set, const uint8_t client[16], const uint8_t address[16])
{
	struct place *oldest = set;

	for (int i = 1; i < WAYS; i++)
		if (set[i].seen_ms < oldest->seen_ms)
			oldest = &set[i];
	memset(oldest, 0, sizeof(*oldest));
	memcpy(oldest->client, client, 16);
	memcpy(oldest->address, address, 16);
	return oldest;
}

static bool is_name(const struct place *p, struct view name)
{
	for (size_t i = 0; i < name.len && p->len == name.len; i++) {
		uint8_t a = p->name[i], b = name.p[i];

		if (a != b && ((a ^ b) != 0x20 || (a | 0x20) < 'a' || (a | 0x20) > 'z'))
			return false;
	}
	return p->len == name.len;
}

/* The last labels that fit. */
static struct view shorten(struct view name)
{
	while (name.len > ANSWERS_NAME_MAX) {
		const uint8_t *dot = memchr(name.p, '.', name.len);
		size_t label = dot ? (size_t)(dot - name.p) + 1 : name.len;

		name.p += label;
		name.len -= label;
	}
	return name;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A second name: that one stays which something speaks against, and of two such the one that was first. */
static void join(struct place *p, struct view name, bool against, uint64_t until_ms, uint64_t longest_ms)
{
	if (against && p->against) {
		p->until_ms = later(p->until_ms, until_ms);
		return;
	}
	p->shared_until_ms = later(p->shared_until_ms, longest_ms);
	if (!against)
		return;
	p->against = true;
	p->until_ms = until_ms;
	p->len = (uint8_t)name.len;
	memcpy(p->name, name.p, name.len);
}

void answers_note(struct answers *a, const uint8_t client[16], const uint8_t address[16], struct view name, bool against,
		  uint32_t ttl_s, uint64_t now_ms)
{
	uint64_t life_s = ttl_s < ANSWERS_LIFE_MIN_S ? ANSWERS_LIFE_MIN_S : ttl_s > ANSWERS_LIFE_MAX_S ? ANSWERS_LIFE_MAX_S : ttl_s;
	uint64_t until_ms = now_ms + life_s * 1000, longest_ms = now_ms + ANSWERS_LIFE_MAX_S * 1000ull;
	struct place *set = set_of(a, client, address), *p;

	name = shorten(name);
	pthread_mutex_lock(&a->lock);
	p = find(set, client, address);
	if (!p)
		p = make(set, client, address);
	p->seen_ms = later(now_ms, 1);
	if (!name.len) {
		p->shared_until_ms = longest_ms;
	} else if (p->until_ms <= now_ms || is_name(p, name)) {
		p->against = against;
		p->until_ms = later(p->until_ms, until_ms);
		p->len = (uint8_t)name.len;
		memcpy(p->name, name.p, name.len);
	} else {
		join(p, name, against, until_ms, longest_ms);
	}
	pthread_mutex_unlock(&a->lock);
}

size_t answers_get(struct answers *a, const uint8_t client[16], const uint8_t address[16], uint64_t now_ms,
		   uint8_t out[ANSWERS_NAME_MAX], bool *shared)
{
	size_t len = 0;
	struct place *p;

	pthread_mutex_lock(&a->lock);
	p = find(set_of(a, client, address), client, address);
	if (p && p->until_ms > now_ms) {
		len = p->len;
		memcpy(out, p->name, len);
		*shared = p->shared_until_ms > now_ms;
		p->seen_ms = later(now_ms, 1);
	}
	pthread_mutex_unlock(&a->lock);
	return len;
}
