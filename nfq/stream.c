/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reassembly of a stream's first bytes in blocks of two sizes, with two bits a byte: seen, and seen with a
 * right checksum. No list of segments, so that a flood of one-byte segments costs no more than one big one. While bytes come in
 * order and right, as nearly all do, there are no bits either: a new flow then touches half as much memory. */
#include "nfq/stream.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "nfq/prefault.h"

struct stream_block {
	struct stream *owner;		/* NULL: free */
	struct stream_block *next;	/* free list */
	uint32_t capacity;
	bool mapped;			/* false: all bytes up to the stream's end are there and right, and the bitmaps hold nothing */
	uint8_t *bytes;			/* capacity bytes, then the two bitmaps of capacity / 8 each */
};

/* Blocks of one size; those from `used` on were never given out, and not touched. When none is free the hand takes the block that was
 * given out longest ago. */
struct block_class {
	struct stream_block *blocks;
	struct stream_block *free;
	uint8_t *memory;
	uint32_t bytes;
	size_t n, used, hand;
	bool wants_memory;
	struct prefault ahead;
};

enum { SMALL, FULL, CLASSES };

/* Blocks that were given back lately and still hold what they held: more than the streams of a flow. */
#define GIVEN 8

struct stream_pool {
	struct block_class class[CLASSES];
	struct stream_block *given[GIVEN];
	unsigned n_given;
};

static const uint32_t class_bytes[CLASSES] = { STREAM_BYTES_SMALL, STREAM_BYTES_MAX };

static uint8_t *seen_map(const struct stream_block *b)
{
	return b->bytes + b->capacity;
}

static uint8_t *trusted_map(const struct stream_block *b)
{
	return b->bytes + b->capacity + b->capacity / 8;
}

static bool bit_get(const uint8_t *map, uint32_t i)
{
	return map[i / 8] >> (i % 8) & 1;
}

static void bit_set(uint8_t *map, uint32_t i, bool value)
{
	map[i / 8] = (uint8_t)((map[i / 8] & ~(1u << (i % 8))) | (unsigned)value << (i % 8));
}

/* 64 bits of a map from bit `i` on, a multiple of 64. The maps are whole words long. */
static uint64_t word_get(const uint8_t *map, uint32_t i)
{
	uint64_t word;

	memcpy(&word, map + i / 8, sizeof(word));
	return le64toh(word);
}

static void word_put(uint8_t *map, uint32_t i, uint64_t bits)
{
	bits = htole64(bits | word_get(map, i));
	memcpy(map + i / 8, &bits, sizeof(bits));
}

/* Sets the bits [from, to), a word at a time. */
static void bits_put(uint8_t *map, uint32_t from, uint32_t to)
{
	while (from < to) {
		uint32_t word = from & ~63u, next = word + 64;
		uint64_t bits = UINT64_MAX << (from - word);

		if (next > to)
			bits &= UINT64_MAX >> (next - to);
		word_put(map, word, bits);
		from = next;
	}
}

/* First offset in [from, to) whose bit is `value`; `to` if none. A word at a time: each packet's bytes are asked for three
 * times. */
static uint32_t bit_find(const uint8_t *map, uint32_t from, uint32_t to, bool value)
{
	while (from < to) {
		uint32_t word = from & ~63u;
		uint64_t bits = word_get(map, word);

		bits = (value ? bits : ~bits) >> (from - word);
		if (bits) {
			from += (uint32_t)__builtin_ctzll(bits);
			return from < to ? from : to;
		}
		from = word + 64;
	}
	return to;
}

/* With its bitmaps. */
static size_t block_size(uint32_t bytes)
{
	return bytes + bytes / 4;
}

static int class_init(struct block_class *c, uint32_t bytes, uint64_t budget)
{
	size_t stride = block_size(bytes);

	/* At least a handful, so that a tiny budget still judges one flow after another. */
	c->n = budget / stride < 8 ? 8 : budget / stride;
	c->blocks = calloc(c->n, sizeof(*c->blocks));
	c->memory = calloc(c->n, stride);
	if (!c->blocks || !c->memory)
		return -1;
	c->bytes = bytes;
	prefault_init(&c->ahead, c->memory, c->n * stride);
	return 0;
}

struct stream_pool *stream_pool_new(uint64_t bytes)
{
	struct stream_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	for (int i = 0; i < CLASSES; i++)
		if (class_init(&pool->class[i], class_bytes[i], bytes / CLASSES)) {
			stream_pool_free(pool);
			return NULL;
		}
	return pool;
}

void stream_pool_free(struct stream_pool *pool)
{
	if (!pool)
		return;
	for (int i = 0; i < CLASSES; i++) {
		free(pool->class[i].blocks);
		free(pool->class[i].memory);
	}
	free(pool);
}

static struct block_class *class_of(struct stream_pool *pool, const struct stream_block *b)
{
	return &pool->class[b->capacity == STREAM_BYTES_SMALL ? SMALL : FULL];
}

/* What an ordinary first flight fills. */
#define FETCH_BYTES 576

/* The block that is taken next, and whose it was, are far away in memory: they are asked for one flow ahead. */
static void fetch_next(const struct block_class *c)
{
	size_t next = c->hand % c->n;
	const uint8_t *bytes = c->memory + next * block_size(c->bytes);

	for (size_t at = 0; at < FETCH_BYTES; at += 64)
		__builtin_prefetch(bytes + at, 1);
	__builtin_prefetch(c->blocks[next].owner, 1);
}

static struct stream_block *block_take(struct block_class *c, struct stream *owner)
{
	struct stream_block *b = c->free;

	if (b) {
		c->free = b->next;
	} else if (c->used < c->n) {
		b = &c->blocks[c->used];
		b->capacity = c->bytes;
		b->bytes = c->memory + c->used++ * block_size(c->bytes);
		c->wants_memory |= prefault_used(&c->ahead, c->used * block_size(c->bytes));
	} else {
		b = &c->blocks[c->hand++ % c->n];
		b->owner->block = NULL;
		b->owner->end = 0;
		b->owner->lost = true;
		fetch_next(c);
	}
	b->owner = owner;
	b->next = NULL;
	b->mapped = false;
	return b;
}

/* From here on the bitmaps count. */
static void map(const struct stream *s)
{
	struct stream_block *b = s->block;

	if (b->mapped)
		return;
	memset(seen_map(b), 0, b->capacity / 4);
	bits_put(seen_map(b), 0, s->end);
	bits_put(trusted_map(b), 0, s->end);
	b->mapped = true;
}

static void block_give(struct stream_pool *pool, struct stream_block *b)
{
	struct block_class *c = class_of(pool, b);

	b->owner = NULL;
	b->next = c->free;
	c->free = b;
	pool->given[pool->n_given++ % GIVEN] = b;
}

bool stream_wants_memory(struct stream_pool *pool)
{
	bool wants = false;

	for (int i = 0; i < CLASSES; i++) {
		wants |= pool->class[i].wants_memory;
		pool->class[i].wants_memory = false;
	}
	return wants;
}

void stream_fetch_memory(struct stream_pool *pool)
{
	for (int i = 0; i < CLASSES; i++)
		prefault_fetch(&pool->class[i].ahead);
}

void stream_pool_wipe(struct stream_pool *pool)
{
	for (unsigned i = 0; i < GIVEN; i++) {
		struct stream_block *b = pool->given[i];

		if (b && !b->owner)
			explicit_bzero(b->bytes, b->capacity);
		pool->given[i] = NULL;
	}
}

void stream_clear(struct stream_pool *pool, struct stream *s)
{
	if (s->block)
		block_give(pool, s->block);
	s->block = NULL;
	s->base = s->end = 0;
	s->lost = false;
}

void stream_lose(struct stream_pool *pool, struct stream *s)
{
	if (!s->block)
		return;
	block_give(pool, s->block);
	s->block = NULL;
	s->end = 0;
	s->lost = true;
}

/* Copies the first `n` bits of `from`, behind which there are none, to bit `shift` of the zeroed `to`. */
static void bits_move(uint8_t *to, const uint8_t *from, uint32_t n, uint32_t shift)
{
	to += shift / 8;
	shift %= 8;
	for (uint32_t i = 0; i < (n + 7) / 8; i++) {
		to[i] |= (uint8_t)(from[i] << shift);
		if (from[i] >> (8 - shift))
			to[i + 1] |= (uint8_t)(from[i] >> (8 - shift));
	}
}

static void move_maps(struct stream_block *to, const struct stream_block *from, uint32_t n, uint32_t shift)
{
	uint8_t maps[STREAM_BYTES_MAX / 4] = { 0 };
	size_t size = to->capacity / 8;

	bits_move(maps, seen_map(from), n, shift);
	bits_move(maps + size, trusted_map(from), n, shift);
	memcpy(seen_map(to), maps, 2 * size);
	to->mapped = true;
}

/* Makes room for `end` bytes after `shift` new ones in front of what is there. */
static void make_room(struct stream_pool *pool, struct stream *s, uint32_t shift, uint32_t end)
{
	struct stream_block *old = s->block, *b = old;
	uint32_t kept = s->end;

	if (!old || end > old->capacity) {
		b = block_take(&pool->class[end > STREAM_BYTES_SMALL ? FULL : SMALL], s);
		old = s->block;	/* taking may have taken from this very stream */
	} else if (!shift) {
		return;
	}
	if (old) {
		memmove(b->bytes + shift, old->bytes, kept);
		if (old->mapped)
			move_maps(b, old, kept, shift);
		if (old != b) {
			/* it may be long until the flow is judged, and what is found wiped */
			explicit_bzero(old->bytes, kept);
			block_give(pool, old);
		}
	}
	s->end = old ? kept + shift : 0;
	s->block = b;
}

void stream_cut(struct stream_pool *pool, struct stream *s, uint32_t n)
{
	struct stream_block *b = s->block;

	if (!b || n >= s->end) {
		stream_clear(pool, s);
		return;
	}
	memmove(b->bytes, b->bytes + n, s->end - n);
	for (uint32_t i = 0; b->mapped && i < s->end; i++) {
		bit_set(seen_map(b), i, i + n < s->end && bit_get(seen_map(b), i + n));
		bit_set(trusted_map(b), i, i + n < s->end && bit_get(trusted_map(b), i + n));
	}
	s->base += n;
	s->end -= n;
}

/* One byte with a zero in place of the last one. Any other byte may be the truth behind a decoy. */
static bool is_keep_alive(const struct stream *s, uint32_t at, const uint8_t *bytes, uint32_t len)
{
	return len == 1 && at + 1 == s->end && !bytes[0];
}

static bool contradicts(const struct stream *s, uint32_t at, const uint8_t *bytes, uint32_t len)
{
	uint32_t to = at + len < s->end ? at + len : s->end;

	if (is_keep_alive(s, at, bytes, len))
		return false;
	for (uint32_t i = at; i < to; i++)
		if (s->block->bytes[i] != bytes[i - at] && bit_get(trusted_map(s->block), i))
			return true;
	return false;
}

bool stream_near(const struct stream *s, uint32_t seq, size_t len)
{
	int32_t offset = (int32_t)(seq - s->base);
	int32_t room = STREAM_BYTES_MAX - (int32_t)s->end;

	if (!s->block || offset >= 0)
		return !s->block || offset < STREAM_BYTES_MAX;
	/* Room in front is never made at the cost of what is there; for a byte with a gap behind it, nor of what may come. */
	if (len < (uint32_t)-offset)
		room -= STREAM_BYTES_MAX / 2;
	return -offset <= room;
}

bool stream_touches(const struct stream *s, uint32_t seq)
{
	return s->block && seq - s->base <= s->end;
}

/* Stores [at, at + len): right bytes over wrong ones, wrong ones only where nothing is. */
static enum stream_result store(struct stream *s, uint32_t at, const uint8_t *bytes, uint32_t len, bool trusted)
{
	uint8_t *better = trusted ? trusted_map(s->block) : seen_map(s->block);
	enum stream_result result = STREAM_KNOWN;

	for (uint32_t i = at, to; i < at + len; i = to) {
		i = bit_find(better, i, at + len, false);
		to = bit_find(better, i, at + len, true);
		if (i == to)
			break;
		memcpy(s->block->bytes + i, bytes + (i - at), to - i);
		result = STREAM_ADDED;
	}
	bits_put(seen_map(s->block), at, at + len);
	if (trusted)
		bits_put(trusted_map(s->block), at, at + len);
	return result;
}

/* A right segment that leaves no gap behind others of its kind. What overlaps is there already, or contradicts. */
static enum stream_result append(struct stream *s, uint32_t at, const uint8_t *bytes, uint32_t len)
{
	uint32_t there = s->end - at < len ? s->end - at : len;

	if (there && memcmp(s->block->bytes + at, bytes, there) && !is_keep_alive(s, at, bytes, len))
		return STREAM_CONTRADICTS;
	if (there == len)
		return STREAM_KNOWN;
	memcpy(s->block->bytes + s->end, bytes + there, len - there);
	s->end = at + len;
	return STREAM_ADDED;
}

enum stream_result stream_add(struct stream_pool *pool, struct stream *s, uint32_t seq, const uint8_t *bytes,
			      size_t len, bool trusted, uint32_t *moved)
{
	uint32_t shift = 0, at = 0, n;

	*moved = 0;
	if (!stream_near(s, seq, len))
		return STREAM_FAR;
	if (!s->block) {
		s->base = seq;
		s->end = 0;
	} else if ((int32_t)(seq - s->base) < 0) {
		shift = s->base - seq;
	} else {
		at = seq - s->base;
	}
	n = len > STREAM_BYTES_MAX - at ? STREAM_BYTES_MAX - at : (uint32_t)len;
	if (shift)
		map(s);
	make_room(pool, s, shift, at + n > s->end + shift ? at + n : s->end + shift);
	s->base -= shift;
	*moved = shift;
	if (!s->block->mapped && trusted && at <= s->end)
		return append(s, at, bytes, n);
	map(s);
	if (trusted && contradicts(s, at, bytes, n))
		return STREAM_CONTRADICTS;
	if (at + n > s->end)
		s->end = at + n;
	return store(s, at, bytes, n, trusted);
}

uint32_t stream_run_start(const struct stream *s, uint32_t offset)
{
	const uint8_t *seen = s->block ? seen_map(s->block) : NULL;

	if (!seen || offset > s->end)
		return offset;
	if (!s->block->mapped)
		return 0;
	while (offset > 0) {
		if (offset % 8 == 0 && seen[offset / 8 - 1] == 0xff)
			offset -= 8;
		else if (bit_get(seen, offset - 1))
			offset--;
		else
			break;
	}
	return offset;
}

const uint8_t *stream_run(const struct stream *s, uint32_t offset, size_t *len)
{
	*len = 0;
	if (!s->block || offset >= s->end)
		return NULL;
	*len = (s->block->mapped ? bit_find(seen_map(s->block), offset, s->end, false) : s->end) - offset;
	return s->block->bytes + offset;
}
