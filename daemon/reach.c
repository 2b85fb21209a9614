// SPDX-License-Identifier: GPL-2.0-or-later
/* Two short lists under one lock, behind a flag that gateways without a quarantine look at alone. An address that is open is not
 * opened again by each answer, so that a device which asks all day costs the kernel little. */
#include "daemon/reach.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/answers.h"
#include "daemon/quarantine.h"

/* An answer from a cache ends when the one before it did, but for the rounding of its TTL. */
#define SLACK_MS 1000

struct reach {
	atomic_bool any;
	pthread_mutex_t lock;
	const struct policy *policy;	/* told apart from others, never looked into */
	uint64_t since_ms;
	size_t n;
	struct table_device devices[QUARANTINE_ELEMENTS];
	size_t n_open;
	struct { uint8_t address[16]; uint64_t until_ms; } open[TABLE_ADMITTED_MAX];
};

struct reach *reach_new(void)
{
	struct reach *r = calloc(1, sizeof(*r));

	if (r)
		pthread_mutex_init(&r->lock, NULL);
	return r;
}

void reach_free(struct reach *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void reach_keep(struct reach *r, const struct policy *p, const struct table_device *devices, size_t n, uint64_t now_ms)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->policy = p;
	r->since_ms = now_ms;
	r->n = n;
	if (n)
		memcpy(r->devices, devices, n * sizeof(*devices));
	pthread_mutex_unlock(&r->lock);
	atomic_store_explicit(&r->any, n > 0, memory_order_release);
}

void reach_forget(struct reach *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->n_open = 0;
	pthread_mutex_unlock(&r->lock);
}

static bool is_it(const struct table_device *d, const uint8_t src[16], const uint8_t mac[6])
{
	return d->by_mac ? mac && !memcmp(d->mac, mac, sizeof(d->mac)) : !memcmp(d->address, src, sizeof(d->address));
}

bool reach_is_kept(struct reach *r, const struct policy *p, const uint8_t src[16], const uint8_t mac[6], uint64_t now_ms)
{
	bool kept = false;

	if (!r || !atomic_load_explicit(&r->any, memory_order_acquire))
		return false;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; r->policy == p && i < r->n && !kept; i++)
		kept = r->since_ms + r->devices[i].left_s * UINT64_C(1000) > now_ms && is_it(&r->devices[i], src, mac);
	pthread_mutex_unlock(&r->lock);
	return kept;
}

/* Its place, else one whose time is over, else a new one, else none: TABLE_ADMITTED_MAX. */
static size_t place_of(const struct reach *r, const uint8_t address[16], uint64_t now_ms)
{
	size_t place = r->n_open;

	for (size_t i = 0; i < r->n_open; i++) {
		if (!memcmp(r->open[i].address, address, sizeof(r->open[i].address)))
			return i;
		if (r->open[i].until_ms <= now_ms)
			place = i;
	}
	return place;
}

bool reach_opens(struct reach *r, const struct policy *p, const uint8_t address[16], uint32_t ttl_s, uint64_t now_ms, uint32_t *life_s)
{
	uint64_t until_ms;
	bool news = false;
	size_t i;

	*life_s = ttl_s < ANSWERS_LIFE_MIN_S ? ANSWERS_LIFE_MIN_S : ttl_s > ANSWERS_LIFE_MAX_S ? ANSWERS_LIFE_MAX_S : ttl_s;
	until_ms = now_ms + *life_s * UINT64_C(1000);
	pthread_mutex_lock(&r->lock);
	i = place_of(r, address, now_ms);
	if (r->policy == p && i < TABLE_ADMITTED_MAX) {
		bool there = i < r->n_open && !memcmp(r->open[i].address, address, sizeof(r->open[i].address));

		news = !there || r->open[i].until_ms + SLACK_MS < until_ms;
		if (news) {
			memcpy(r->open[i].address, address, sizeof(r->open[i].address));
			r->open[i].until_ms = until_ms;
			r->n_open += i == r->n_open;
		}
	}
	pthread_mutex_unlock(&r->lock);
	return news;
}
