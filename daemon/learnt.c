/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One chained hash for three kinds of memory (taught elements, tries counted, hosts seen); entries are
 * allocated for findings only, never per packet, and the oldest makes room when there are too many. */
#include "daemon/learnt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/mix.h"

/* Together some 14 MB at the very worst; an event of a typical pool takes 2 KB. */
#define ENTRIES_MAX 8192
#define BUCKETS 4096
#define FLEET_BUCKETS 8192
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

/* What other gateways taught: no event, since a fleet may teach more than our own traffic ever does. */
struct fleet_entry {
	struct fleet_entry *next;
	struct key key;			/* KIND_ENDPOINT */
	uint64_t expires_s;
	size_t gateways;		/* where they begin in `text`, behind the dialect */
	char text[];
};

struct learnt {
	pthread_mutex_t lock;
	uint64_t hash_key;
	struct fleet_entry *fleet[FLEET_BUCKETS];
	size_t n_fleet;
	struct entry *buckets[BUCKETS];
	struct entry *newest, *oldest;
	size_t n;
};

struct learnt *learnt_new(void)
{
	struct learnt *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	/* early in a boot it may be guessed, which nobody waits for */
	if (getrandom(&l->hash_key, sizeof(l->hash_key), GRND_NONBLOCK) != (ssize_t)sizeof(l->hash_key))
		l->hash_key = (uintptr_t)l;
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

/* Keyed: which endpoints a fleet teaches is chosen by whoever speaks in it. */
static uint64_t hash_of(const struct learnt *l, const struct key *k)
{
	uint64_t rest = (uint64_t)k->port << 48 | (uint64_t)k->proto << 40 | (uint64_t)k->family << 32 | k->kind;

	return mix_address(mix_address(l->hash_key ^ rest, k->dst), k->src);
}

static size_t bucket_of(const struct learnt *l, const struct key *k)
{
	return hash_of(l, k) % BUCKETS;
}

/* Where the fleet's entry of this key is, or would be. */
static struct fleet_entry **find_fleet(struct learnt *l, const struct key *k)
{
	struct fleet_entry **at = &l->fleet[hash_of(l, k) % FLEET_BUCKETS];

	while (*at && memcmp(&(*at)->key, k, sizeof(*k)))
		at = &(*at)->next;
	return at;
}

static void drop_fleet(struct learnt *l, struct fleet_entry **at)
{
	struct fleet_entry *e = *at;

	*at = e->next;
	l->n_fleet--;
	free(e);
}

static struct entry *find(struct learnt *l, const struct key *k)
{
	struct entry *e = l->buckets[bucket_of(l, k)];

	while (e && memcmp(&e->key, k, sizeof(*k)))
		e = e->next;
	return e;
}

static void drop(struct learnt *l, struct entry *e)
{
	struct entry **link = &l->buckets[bucket_of(l, &e->key)];

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
	size_t bucket = bucket_of(l, k);
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
	for (size_t i = 0; i < FLEET_BUCKETS; i++)
		while (l->fleet[i])
			drop_fleet(l, &l->fleet[i]);
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
	struct fleet_entry *fleet;
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = find(l, &pair);
	if (!e || !e->event)
		e = find(l, &endpoint);
	fleet = e && e->event ? NULL : *find_fleet(l, &endpoint);
	if (e && e->event)
		*out = *e->event;
	else if (fleet)
		learnt_fleet_event(element, &(struct learnt_fleet) { fleet->text, fleet->text + fleet->gateways }, out);
	pthread_mutex_unlock(&l->lock);
	return (e && e->event) || fleet;
}

void learnt_forget(struct learnt *l, const struct element *element)
{
	struct key k = key_of(element, element->pair ? KIND_PAIR : KIND_ENDPOINT);
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = find(l, &k);
	if (e)
		drop(l, e);
	if (!element->pair && *find_fleet(l, &k))
		drop_fleet(l, find_fleet(l, &k));
	pthread_mutex_unlock(&l->lock);
}

static struct element element_of_key(const struct key *k, uint64_t expires_s, uint64_t now_s)
{
	struct element out = { .family = k->family, .proto = k->proto, .port = k->port, .pair = k->kind == KIND_PAIR };

	memcpy(out.dst, k->dst, sizeof(out.dst));
	memcpy(out.src, k->src, sizeof(out.src));
	out.timeout_s = expires_s > now_s ? (uint32_t)(expires_s - now_s) : 0;
	return out;
}

static struct element element_of(const struct entry *e, uint64_t now_s)
{
	return element_of_key(&e->key, e->expires_s, now_s);
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
	n = l->n + l->n_fleet;
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
	for (size_t i = 0; i < FLEET_BUCKETS; i++)
		for (struct fleet_entry *f = l->fleet[i]; f; f = f->next) {
			struct entry *ours = find(l, &f->key);
			struct element element = element_of_key(&f->key, f->expires_s, now_s);
			struct event why;

			if (f->expires_s <= now_s || (ours && ours->event && ours->expires_s > now_s))
				continue;
			learnt_fleet_event(&element, &(struct learnt_fleet) { f->text, f->text + f->gateways }, &why);
			each(&element, &why, arg);
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
	for (size_t i = 0; i < FLEET_BUCKETS; i++)
		for (struct fleet_entry **at = &l->fleet[i]; *at;)
			if ((*at)->expires_s < now_s)
				drop_fleet(l, at);
			else
				at = &(*at)->next;
	pthread_mutex_unlock(&l->lock);
}

/* ---- what other gateways taught ---- */

void learnt_put_fleet(struct learnt *l, const struct element *element, const struct learnt_fleet *why, uint64_t now_s)
{
	struct key k = key_of(element, KIND_ENDPOINT);
	size_t dialect = strlen(why->dialect) + 1, gateways = strlen(why->gateways) + 1;
	struct fleet_entry *e = malloc(sizeof(*e) + dialect + gateways), **at;

	if (!e)
		return;
	e->key = k;
	e->expires_s = now_s + element->timeout_s;
	e->gateways = dialect;
	memcpy(e->text, why->dialect, dialect);
	memcpy(e->text + dialect, why->gateways, gateways);
	pthread_mutex_lock(&l->lock);
	at = find_fleet(l, &k);
	if (*at)
		drop_fleet(l, at);
	e->next = *at;
	*at = e;
	l->n_fleet++;
	pthread_mutex_unlock(&l->lock);
}

bool learnt_drop_fleet(struct learnt *l, const struct element *element)
{
	struct key k = key_of(element, KIND_ENDPOINT);
	struct fleet_entry **at;
	bool there;

	pthread_mutex_lock(&l->lock);
	at = find_fleet(l, &k);
	there = *at != NULL;
	if (there)
		drop_fleet(l, at);
	pthread_mutex_unlock(&l->lock);
	return there;
}

bool learnt_is_fleet(struct learnt *l, const struct element *element)
{
	struct key k = key_of(element, KIND_ENDPOINT);
	bool there;

	pthread_mutex_lock(&l->lock);
	there = *find_fleet(l, &k) != NULL;
	pthread_mutex_unlock(&l->lock);
	return there;
}

size_t learnt_fleet_count(struct learnt *l)
{
	size_t n;

	pthread_mutex_lock(&l->lock);
	n = l->n_fleet;
	pthread_mutex_unlock(&l->lock);
	return n;
}

void learnt_each_fleet(struct learnt *l, uint64_t now_s,
		       void (*each)(const struct element *e, const struct learnt_fleet *why, void *arg), void *arg)
{
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < FLEET_BUCKETS; i++)
		for (struct fleet_entry *f = l->fleet[i]; f; f = f->next) {
			struct element element = element_of_key(&f->key, f->expires_s, now_s);

			if (f->expires_s > now_s)
				each(&element, &(struct learnt_fleet) { f->text, f->text + f->gateways }, arg);
		}
	pthread_mutex_unlock(&l->lock);
}

void learnt_fleet_event(const struct element *e, const struct learnt_fleet *why, struct event *out)
{
	memset(out, 0, sizeof(*out));
	out->blocked = true;
	out->evidence = EVIDENCE_PROTOCOL;
	out->kind = MINING_STRATUM;
	out->app = APP_STRATUM;
	out->family = e->family;
	memcpy(out->subject.dst, e->dst, sizeof(e->dst));
	out->subject.dport = e->port;
	out->subject.proto = e->proto;
	out->learned = SCOPE_ENDPOINT;
	snprintf(out->dialect, sizeof(out->dialect), "%s", why->dialect);
	snprintf(out->rule, sizeof(out->rule), "fleet");
	snprintf(out->fleet, sizeof(out->fleet), "%s", why->gateways);
}

uint32_t learnt_left_s(struct learnt *l, const struct element *element, uint64_t now_s)
{
	struct key k = key_of(element, element->pair ? KIND_PAIR : KIND_ENDPOINT);
	uint64_t left = 0;
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = find(l, &k);
	if (e && e->event && e->expires_s > now_s)
		left = e->expires_s - now_s;
	pthread_mutex_unlock(&l->lock);
	return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
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
