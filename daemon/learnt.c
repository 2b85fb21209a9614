/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One chained hash for three kinds of memory (taught elements, tries counted, hosts seen); entries are
 * allocated for findings only, never per packet, and the oldest makes room when there are too many. */
#include "daemon/learnt.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Together some 14 MB at the very worst; an event of a typical pool takes 2 KB. */
#define ENTRIES_MAX 8192
#define BUCKETS 4096
/* Tries and hosts are kept this long after they were last seen. */
#define KEEP_S (24u * 3600)

enum kind { KIND_ENDPOINT, KIND_PAIR, KIND_TRY, KIND_HOST };

struct key {
	uint8_t dst[16], src[16];
	uint16_t port;
	uint8_t proto, family;
	uint32_t kind;
};

struct entry {
	struct entry *next;		/* in its bucket */
	struct entry *newer, *older;	/* in order of putting */
	struct key key;
	uint64_t expires_s;
	uint64_t packets;		/* KIND_TRY */
	uint8_t mac[6];			/* KIND_HOST */
	struct event *event;		/* KIND_ENDPOINT, KIND_PAIR */
};

struct learnt {
	pthread_mutex_t lock;
	struct entry *buckets[BUCKETS];
	struct entry *newest, *oldest;
	size_t n;
};

struct learnt *learnt_new(void)
{
	struct learnt *l = calloc(1, sizeof(*l));

	if (l)
		pthread_mutex_init(&l->lock, NULL);
	return l;
}

static struct key key_of(const struct element *e, enum kind kind)
{
	struct key k;

	memset(&k, 0, sizeof(k));
	memcpy(k.dst, e->dst, sizeof(k.dst));
	if (kind != KIND_ENDPOINT)
		memcpy(k.src, e->src, sizeof(k.src));
	k.port = e->port;
	k.proto = e->proto;
	k.family = e->family;
	k.kind = kind;
	return k;
}

/* FNV-1a: entries come from verdicts and are few, so an unkeyed hash gives nobody a lever. */
static size_t bucket_of(const struct key *k)
{
	const uint8_t *p = (const uint8_t *)k;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(*k); i++)
		h = (h ^ p[i]) * 16777619u;
	return h % BUCKETS;
}

static struct entry *find(struct learnt *l, const struct key *k)
{
	struct entry *e = l->buckets[bucket_of(k)];

	while (e && memcmp(&e->key, k, sizeof(*k)))
		e = e->next;
	return e;
}

static void drop(struct learnt *l, struct entry *e)
{
	struct entry **link = &l->buckets[bucket_of(&e->key)];

	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	*(e->newer ? &e->newer->older : &l->newest) = e->older;
	*(e->older ? &e->older->newer : &l->oldest) = e->newer;
	l->n--;
	free(e->event);
	free(e);
}

/* The entry of `k`, made if missing; NULL: no memory. */
static struct entry *get(struct learnt *l, const struct key *k)
{
	size_t bucket = bucket_of(k);
	struct entry *e = find(l, k);

	if (e)
		return e;
	while (l->n >= ENTRIES_MAX)
		drop(l, l->oldest);	/* NOLINT(clang-analyzer-unix.Malloc): the oldest has no older one, so drop() moves the end */
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key = *k;
	e->next = l->buckets[bucket];
	l->buckets[bucket] = e;
	e->older = l->newest;
	*(l->newest ? &l->newest->newer : &l->oldest) = e;
	l->newest = e;
	l->n++;
	return e;
}

void learnt_free(struct learnt *l)
{
	if (!l)
		return;
	while (l->oldest)
		drop(l, l->oldest);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void learnt_put(struct learnt *l, const struct element *element, const struct event *event, uint64_t now_s)
{
	struct key k = key_of(element, element->pair ? KIND_PAIR : KIND_ENDPOINT);
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = get(l, &k);
	if (e && !e->event)
		e->event = malloc(sizeof(*e->event));
	if (e && e->event) {
		*e->event = *event;
		e->expires_s = now_s + element->timeout_s;
	}
	pthread_mutex_unlock(&l->lock);
}

bool learnt_get(struct learnt *l, const struct element *element, struct event *out)
{
	struct key endpoint = key_of(element, KIND_ENDPOINT), pair = key_of(element, KIND_PAIR);
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = find(l, &pair);
	if (!e || !e->event)
		e = find(l, &endpoint);
	if (e && e->event)
		*out = *e->event;
	pthread_mutex_unlock(&l->lock);
	return e && e->event;
}

void learnt_forget(struct learnt *l, const struct element *element)
{
	struct key k = key_of(element, element->pair ? KIND_PAIR : KIND_ENDPOINT);
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = find(l, &k);
	if (e)
		drop(l, e);
	pthread_mutex_unlock(&l->lock);
}

static struct element element_of(const struct entry *e, uint64_t now_s)
{
	struct element out = { .family = e->key.family, .proto = e->key.proto, .port = e->key.port,
			       .pair = e->key.kind == KIND_PAIR };

	memcpy(out.dst, e->key.dst, sizeof(out.dst));
	memcpy(out.src, e->key.src, sizeof(out.src));
	out.timeout_s = e->expires_s > now_s ? (uint32_t)(e->expires_s - now_s) : 0;
	return out;
}

bool learnt_has_neighbours(enum evidence evidence, enum app app)
{
	return evidence == EVIDENCE_NAME || evidence == EVIDENCE_SCORE || (evidence == EVIDENCE_PROTOCOL && app == APP_HTTP);
}

size_t learnt_take_named(struct learnt *l, const uint8_t dst[16], uint8_t proto, uint16_t port, struct element *out, size_t max)
{
	struct entry *e, *newer;
	size_t n = 0;

	pthread_mutex_lock(&l->lock);
	for (e = l->oldest; e && n < max; e = newer) {
		newer = e->newer;
		if (!e->event || !learnt_has_neighbours(e->event->evidence, e->event->app) ||
		    (port && (e->key.port != port || e->key.proto != proto)) ||
		    memcmp(e->key.dst, dst, sizeof(e->key.dst)))
			continue;
		out[n++] = element_of(e, 0);
		drop(l, e);
	}
	pthread_mutex_unlock(&l->lock);
	return n;
}

size_t learnt_count(struct learnt *l)
{
	size_t n;

	pthread_mutex_lock(&l->lock);
	n = l->n;
	pthread_mutex_unlock(&l->lock);
	return n;
}

void learnt_each(struct learnt *l, uint64_t now_s, void (*each)(const struct element *e, const struct event *event, void *arg),
		 void *arg)
{
	pthread_mutex_lock(&l->lock);
	for (struct entry *e = l->oldest; e; e = e->newer)
		if (e->event && e->expires_s > now_s) {
			struct element element = element_of(e, now_s);

			each(&element, e->event, arg);
		}
	pthread_mutex_unlock(&l->lock);
}

void learnt_expire(struct learnt *l, uint64_t now_s)
{
	struct entry *e, *newer;

	pthread_mutex_lock(&l->lock);
	for (e = l->oldest; e; e = newer) {
		newer = e->newer;
		if (e->expires_s < now_s)
			drop(l, e);
	}
	pthread_mutex_unlock(&l->lock);
}

uint64_t learnt_growth(struct learnt *l, const struct element *try, uint64_t now_s)
{
	struct key k = key_of(try, KIND_TRY);
	uint64_t growth = 0;
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = get(l, &k);
	if (e) {
		/* Fewer than before: the element expired and was made anew. */
		growth = try->packets >= e->packets ? try->packets - e->packets : try->packets;
		e->packets = try->packets;
		e->expires_s = now_s + KEEP_S;
	}
	pthread_mutex_unlock(&l->lock);
	return growth;
}

static struct key host_key(const uint8_t address[16], uint8_t family)
{
	struct element e = { .family = family };

	memcpy(e.src, address, sizeof(e.src));
	return key_of(&e, KIND_HOST);
}

void learnt_host(struct learnt *l, const uint8_t address[16], uint8_t family, const uint8_t mac[6], uint64_t now_s)
{
	struct key k = host_key(address, family);
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = get(l, &k);
	if (e) {
		memcpy(e->mac, mac, sizeof(e->mac));
		e->expires_s = now_s + KEEP_S;
	}
	pthread_mutex_unlock(&l->lock);
}

bool learnt_host_get(struct learnt *l, const uint8_t address[16], uint8_t family, uint8_t mac[6])
{
	struct key k = host_key(address, family);
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = find(l, &k);
	if (e)
		memcpy(mac, e->mac, sizeof(e->mac));
	pthread_mutex_unlock(&l->lock);
	return e != NULL;
}
