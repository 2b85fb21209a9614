/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flow table: one array, a hash of places that know each flow's hash, and one list in order of use, all by index. The hash is
 * SipHash-1-3 (Aumasson and Bernstein 2012, reduced rounds) because both ends of a flow can be chosen by an attacker. */
#include "nfq/flow.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nfq/prefault.h"

#define NONE UINT32_MAX
/* With fewer the hash is not there as a whole. */
#define FEW_FLOWS 64
/* Room for names, bytes a flow: a name of 20 bytes and its header. */
#define NAME_BYTES 32
/* A table of more flows is met all over, and each place would cost a walk through the page tables besides: it gets large pages (a million
 * flows: a new one takes a tenth less). A smaller one does not, as it fills slowly or never, and would be there whole. */
#define SMALL_PAGES_MAX 131072u
#define LARGE_PAGE (2u << 20)

/* Half of them are free at least, and the next free one ends a search: a look-up stays in one cache line, nearly always, and touches
 * no flow but the one that is meant. */
struct place {
	uint32_t hash;
	uint32_t flow;			/* 1 + its index; 0: free */
};

struct flow_table {
	struct flow *flows;
	struct place *places;
	uint32_t n, mask, used, free;	/* `free` chains through lru_newer; flows from `used` on were never given out */
	uint32_t count;
	uint32_t newest, oldest;
	uint64_t key[2];
	struct stream_pool *streams;
	uint8_t *names;			/* ring of struct name_header and text */
	uint64_t names_size, names_head;	/* a power of two; bytes ever written */
	bool wants_memory;
	struct prefault flows_ahead, names_ahead, places_whole;
};

struct name_header {
	uint64_t before;		/* position of the flow's name before this one */
	uint8_t kind, len;
};

static uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1]; v[1] = rotl(v[1], 13); v[1] ^= v[0]; v[0] = rotl(v[0], 32);
	v[2] += v[3]; v[3] = rotl(v[3], 16); v[3] ^= v[2];
	v[0] += v[3]; v[3] = rotl(v[3], 21); v[3] ^= v[0];
	v[2] += v[1]; v[1] = rotl(v[1], 17); v[1] ^= v[2]; v[2] = rotl(v[2], 32);
}

_Static_assert(sizeof(struct flow_key) == 40, "the key is hashed as five words");

static uint32_t hash_of(const struct flow_table *t, const struct flow_key *key)
{
	uint64_t v[4] = { t->key[0] ^ 0x736f6d6570736575ull, t->key[1] ^ 0x646f72616e646f6dull,
			  t->key[0] ^ 0x6c7967656e657261ull, t->key[1] ^ 0x7465646279746573ull };
	uint64_t words[6];

	memcpy(words, key, sizeof(*key));
	words[5] = (uint64_t)sizeof(*key) << 56;
	for (int i = 0; i < 6; i++) {
		v[3] ^= words[i];
		sip_round(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	v[0] ^= v[1] ^ v[2] ^ v[3];
	return (uint32_t)v[0] ? (uint32_t)v[0] : 1;
}

static void *room_for(size_t bytes, bool large)
{
	size_t align = large ? LARGE_PAGE : _Alignof(struct flow), whole = (bytes + align - 1) / align * align;
	void *room = aligned_alloc(align, whole);

#ifdef MADV_HUGEPAGE
	if (room && large)
		madvise(room, whole, MADV_HUGEPAGE);	/* a kernel without them takes small ones */
#endif
	return room;
}

static struct place *places_new(uint32_t n, bool large)
{
	struct place *places;

	if (!large)
		return calloc(n, sizeof(*places));
	places = room_for(n * sizeof(*places), true);
	if (places)
		memset(places, 0, n * sizeof(*places));
	return places;
}

struct flow_table *flow_table_new(uint32_t n, uint64_t reassembly, const uint64_t key[2])
{
	struct flow_table *t = calloc(1, sizeof(*t));
	uint32_t slots = 1;

	if (!t)
		return NULL;
	while (slots < n)
		slots <<= 1;
	t->flows = room_for(n * sizeof(*t->flows), n > SMALL_PAGES_MAX);
	t->places = places_new(2 * slots, n > SMALL_PAGES_MAX);
	t->streams = stream_pool_new(reassembly);
	t->names_size = (uint64_t)slots * NAME_BYTES;
	t->names = calloc(slots, NAME_BYTES);
	if (!t->flows || !t->places || !t->streams || !t->names) {
		flow_table_free(t);
		return NULL;
	}
	t->n = n;
	t->mask = 2 * slots - 1;
	t->free = t->newest = t->oldest = NONE;
	memcpy(t->key, key, sizeof(t->key));
	prefault_init(&t->flows_ahead, t->flows, n * sizeof(*t->flows));
	prefault_init(&t->names_ahead, t->names, t->names_size);
	prefault_init(&t->places_whole, t->places, 2 * slots * sizeof(*t->places));
	return t;
}

void flow_table_free(struct flow_table *t)
{
	if (!t)
		return;
	stream_pool_free(t->streams);
	free(t->flows);
	free(t->places);
	free(t->names);
	free(t);
}

struct stream_pool *flow_streams(struct flow_table *t)
{
	return t->streams;
}

uint32_t flow_count(const struct flow_table *t)
{
	return t->count;
}

static void lru_unlink(struct flow_table *t, struct flow *f)
{
	*(f->lru_newer == NONE ? &t->newest : &t->flows[f->lru_newer].lru_older) = f->lru_older;
	*(f->lru_older == NONE ? &t->oldest : &t->flows[f->lru_older].lru_newer) = f->lru_newer;
}

static void lru_put_newest(struct flow_table *t, struct flow *f)
{
	uint32_t i = (uint32_t)(f - t->flows);

	f->lru_newer = NONE;
	f->lru_older = t->newest;
	*(t->newest == NONE ? &t->oldest : &t->flows[t->newest].lru_newer) = i;
	t->newest = i;
}

/* Frees a place; those behind that were pushed on by it move up. */
static void place_free(struct flow_table *t, uint32_t i)
{
	for (uint32_t j = (i + 1) & t->mask; t->places[j].flow; j = (j + 1) & t->mask) {
		uint32_t pushed = (j - t->places[j].hash) & t->mask;

		if (pushed >= ((j - i) & t->mask)) {
			t->places[i] = t->places[j];
			i = j;
		}
	}
	t->places[i].flow = 0;
}

void flow_clear_streams(struct flow_table *t, struct flow *f)
{
	stream_clear(t->streams, &f->side[0].stream);
	if (f->two)
		stream_clear(t->streams, &f->side[1].stream);
}

void flow_lose_streams(struct flow_table *t, struct flow *f)
{
	stream_lose(t->streams, &f->side[0].stream);
	if (f->two)
		stream_lose(t->streams, &f->side[1].stream);
}

void flow_drop(struct flow_table *t, struct flow *f)
{
	uint32_t i = (uint32_t)(f - t->flows), at = f->hash & t->mask;

	while (t->places[at].flow != i + 1)
		at = (at + 1) & t->mask;
	place_free(t, at);
	lru_unlink(t, f);
	flow_clear_streams(t, f);
	f->key.family = 0;	/* no flow: flow_at passes it over */
	f->lru_newer = t->free;
	t->free = i;
	t->count--;
}

/* `*at`: its place, or the free one where it belongs. */
static struct flow *find_at(struct flow_table *t, const struct flow_key *key, uint32_t h, uint32_t *at)
{
	for (*at = h & t->mask; t->places[*at].flow; *at = (*at + 1) & t->mask) {
		struct flow *f = &t->flows[t->places[*at].flow - 1];

		if (t->places[*at].hash == h && !memcmp(&f->key, key, sizeof(*key)))
			return f;
	}
	return NULL;
}

struct flow *flow_find(struct flow_table *t, const struct flow_key *key)
{
	uint32_t at;

	return find_at(t, key, hash_of(t, key), &at);
}

/* The flows that give way next are far away in memory: what is needed of them is asked for one flow ahead. */
static void fetch_oldest(const struct flow_table *t)
{
	const struct flow *next = &t->flows[t->oldest];

	__builtin_prefetch(&t->places[next->hash & t->mask], 1);
	if (next->lru_newer == NONE)
		return;
	for (size_t at = 0; at < FLOW_HEAD; at += 64)
		__builtin_prefetch((const char *)&t->flows[next->lru_newer] + at, 1);
}

static struct flow *never_used(struct flow_table *t)
{
	t->used++;
	t->wants_memory |= prefault_used(&t->flows_ahead, t->used * sizeof(*t->flows));
	return &t->flows[t->used - 1];
}

bool flow_wants_memory(struct flow_table *t)
{
	bool wants = stream_wants_memory(t->streams) || t->wants_memory;

	t->wants_memory = false;
	return wants;
}

/* Names come at the pace of the flows. A hash is met all over. */
void flow_fetch_memory(struct flow_table *t)
{
	size_t flows = atomic_load_explicit(&t->flows_ahead.used, memory_order_relaxed) / sizeof(*t->flows);

	prefault_fetch(&t->flows_ahead);
	prefault_used(&t->names_ahead, flows * NAME_BYTES);
	prefault_fetch(&t->names_ahead);
	if (flows >= FEW_FLOWS)
		prefault_whole(&t->places_whole);
	stream_fetch_memory(t->streams);
}

/* A place for a new flow: one given back, one never used, or the oldest flow's. Blocked flows are passed over a few
 * times, as they must be remembered for FLOW_BLOCKED_MS, but never at the price of a long search. */
static struct flow *flow_place(struct flow_table *t, uint64_t now_ms)
{
	struct flow *f;

	for (int tries = 0; t->free == NONE && t->used == t->n; tries++) {
		f = &t->flows[t->oldest];
		if (f->state == FLOW_BLOCKED && now_ms - f->seen_ms < FLOW_BLOCKED_MS && tries < 8 && t->n > 8) {
			lru_unlink(t, f);
			lru_put_newest(t, f);
		} else {
			flow_drop(t, f);
			if (t->oldest != NONE)
				fetch_oldest(t);
		}
	}
	if (t->free == NONE)
		return never_used(t);
	f = &t->flows[t->free];
	t->free = f->lru_newer;
	return f;
}

uint32_t flow_expect(const struct flow_table *t, const struct flow_key *key)
{
	uint32_t h = hash_of(t, key);

	__builtin_prefetch(&t->places[h & t->mask], 1);
	return h;
}

struct flow *flow_get(struct flow_table *t, const struct flow_key *key, uint32_t hash, uint64_t now_ms, bool *fresh)
{
	uint32_t at;
	struct flow *f = find_at(t, key, hash, &at);

	*fresh = false;
	if (f && now_ms - f->seen_ms > (f->state == FLOW_BLOCKED ? FLOW_BLOCKED_MS : FLOW_IDLE_MS)) {
		flow_drop(t, f);
		f = NULL;
	}
	if (!f) {
		f = flow_place(t, now_ms);
		memset(f, 0, FLOW_HEAD);
		f->key = *key;
		f->hash = hash;
		for (at = hash & t->mask; t->places[at].flow; at = (at + 1) & t->mask)
			;	/* anew: a flow that gave way may have moved others */
		t->places[at] = (struct place){ hash, (uint32_t)(f - t->flows) + 1 };
		t->count++;
		*fresh = true;
	} else {
		lru_unlink(t, f);
	}
	lru_put_newest(t, f);
	/* A blocked flow's life counts from its verdict, so that a port that is used again is judged again. */
	if (*fresh || f->state != FLOW_BLOCKED)
		f->seen_ms = now_ms;
	return f;
}

static void ring_write(struct flow_table *t, const void *bytes, size_t len)
{
	size_t at = t->names_head & (t->names_size - 1), first = len < t->names_size - at ? len : t->names_size - at;

	memcpy(t->names + at, bytes, first);
	memcpy(t->names, (const uint8_t *)bytes + first, len - first);
	t->names_head += len;
}

static void ring_read(const struct flow_table *t, uint64_t at, void *out, size_t len)
{
	size_t from = at & (t->names_size - 1), first = len < t->names_size - from ? len : t->names_size - from;

	memcpy(out, t->names + from, first);
	memcpy((uint8_t *)out + first, t->names, len - first);
}

/* Positions are one more than the offset, so that 0 says "none". */
void flow_note_name(struct flow_table *t, struct flow *f, uint8_t kind, const uint8_t *name, size_t len)
{
	struct name_header h;

	if (len == 0 || len > UINT8_MAX || sizeof(h) + len > t->names_size)
		return;
	memset(&h, 0, sizeof(h));
	h.before = f->names;
	h.kind = kind;
	h.len = (uint8_t)len;
	f->names = t->names_head + 1;
	ring_write(t, &h, sizeof(h));
	ring_write(t, name, len);
}

size_t flow_name(const struct flow_table *t, uint64_t *position, uint8_t *kind, uint8_t *out)
{
	struct name_header h;
	uint64_t at = *position - 1;

	if (*position == 0 || t->names_head - at > t->names_size)
		return 0;
	ring_read(t, at, &h, sizeof(h));
	ring_read(t, at + sizeof(h), out, h.len);
	*position = h.before;
	*kind = h.kind;
	return h.len;
}

struct flow *flow_at(struct flow_table *t, uint32_t i)
{
	return i < t->used && t->flows[i].key.family ? &t->flows[i] : NULL;
}

uint32_t flow_slots(const struct flow_table *t)
{
	return t->used;
}
