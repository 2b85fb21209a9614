// SPDX-License-Identifier: GPL-2.0-or-later
/* A set-associative table of hosts. A scanner that comes from many addresses pushes out what is oldest, and nothing
 * else depends on it. */
#include "daemon/blind.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mix.h"

#define WAYS 8
#define SETS (BLIND_HOSTS_MAX / WAYS)

struct blind {
	pthread_mutex_t lock;
	uint64_t key[2];
	struct blind_host hosts[SETS * WAYS];	/* set after set; family 0: free */
};

struct blind *blind_new(const uint64_t key[2])
{
	struct blind *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	memcpy(b->key, key, sizeof(b->key));
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

void blind_free(struct blind *b)
{
	if (b)
		pthread_mutex_destroy(&b->lock);
	free(b);
}

bool blind_reason(enum reason r)
{
	switch (r) {
	case REASON_NO_SNI:
	case REASON_ECH:
	case REASON_UNKNOWN:
	case REASON_BUDGET:
	case REASON_MALFORMED:
	case REASON_OLDER:
	case REASON_DEPTH:
	case REASON_QUIC:
		return true;
	case REASON_NONE:
	case REASON_CLEAN:
	case REASON_EXEMPT:
	case REASON_CONTRADICTION:
	case REASON_COUNT:
		break;
	}
	return false;
}

static struct blind_host *place_of(struct blind *b, const uint8_t address[16], uint8_t family)
{
	struct blind_host *set = b->hosts + mix_address(b->key[0], address) % SETS * WAYS, *old = set;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].family == family && !memcmp(set[i].address, address, sizeof(set[i].address)))
			return &set[i];
		if (!set[i].family || (old->family && set[i].seen_s < old->seen_s))
			old = &set[i];
	}
	memset(old, 0, sizeof(*old));
	memcpy(old->address, address, sizeof(old->address));
	old->family = family;
	return old;
}

void blind_count(struct blind *b, const struct subject *who, uint8_t family, enum reason r, uint64_t now_s)
{
	struct blind_host *host;

	pthread_mutex_lock(&b->lock);
	host = place_of(b, who->src, family);
	host->reasons[r]++;
	host->flows++;
	host->seen_s = now_s;
	pthread_mutex_unlock(&b->lock);
}

unsigned blind_hosts(struct blind *b, struct blind_host *out, unsigned max)
{
	unsigned n = 0, i;

	pthread_mutex_lock(&b->lock);
	for (struct blind_host *h = b->hosts; h < b->hosts + SETS * WAYS; h++) {
		if (!h->family || (n == max && h->flows <= out[n - 1].flows))
			continue;
		i = n < max ? n++ : n - 1;
		for (; i && out[i - 1].flows < h->flows; i--)
			out[i] = out[i - 1];
		out[i] = *h;
	}
	pthread_mutex_unlock(&b->lock);
	return n;
}
