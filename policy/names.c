/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name set: every entry lies with its text in the bucket that a keyed hash of its name chose, and a filter of 64 bits a
 * bucket keeps nearly all other names away from there. It compares the whole name on a hit, so a hash never blocks. */
#include "policy/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "policy/block.h"
#include "policy/eight.h"

/* A record: a byte of length, one of source and `below`, the line (7 bits a byte, the last one without its top bit), "*." if
 * below, the name and a NUL. A length of 0 ends a bucket early: repeats were there. */
#define RECORD_BELOW 0x80
#define RECORD_MAX (2 + 5 + 2 + NAME_ENTRY_MAX + 1 + 16)

/* A name of 255 bytes has at most 128 labels. */
#define LABELS_MAX 128

/* Entries a bucket, on average: with four filter bits each about one miss in 150 looks into its bucket. */
#define BUCKET_NAMES 4

/* What the text of a list becomes, guessed for short names alone in their lines: a third more bytes of records, and a name for so many
 * bytes. What is not needed of it is hardly touched. */
#define EXPECT_PART 3
#define EXPECT_LINE 24

/* How far ahead of the work memory is asked for, in entries: one miss an entry is most of what a big list costs. */
#define AHEAD 16

struct bucket {
	uint32_t filter[2];
	uint32_t end;			/* of its records in the arena; they begin where those of the bucket before end */
};

/* In `end`: a name is there more than once, of several sources. Two million names of 270 bytes need 30 bits. */
#define BUCKET_AGAIN 0x80000000u

struct name_set {
	uint64_t seed, key;
	size_t n;			/* entries added; after the seal: distinct names */
	struct block records, hashes;	/* as they were added, until the seal */
	size_t used;			/* of the records */
	struct block sealed;		/* the buckets, then the arena */
	struct bucket *buckets;		/* one more than n_buckets: the first only says where the second begins */
	uint32_t n_buckets;
	char *arena;
	uint64_t depths;		/* bit d: an entry of d labels (63: or more) */
	unsigned depth_max;
	uint8_t rank[NAME_SOURCE_MAX + 1];
};

/* The 128-bit product of two words, both halves folded into one. */
static inline uint64_t fold_product(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
	uint64_t ll = (a & UINT32_MAX) * (b & UINT32_MAX), lh = (a & UINT32_MAX) * (b >> 32);
	uint64_t hl = (a >> 32) * (b & UINT32_MAX), hh = (a >> 32) * (b >> 32);
	uint64_t middle = (ll >> 32) + (lh & UINT32_MAX) + (hl & UINT32_MAX);

	return ((ll & UINT32_MAX) | middle << 32) ^ (hh + (lh >> 32) + (hl >> 32) + (middle >> 32));
#endif
}

/* The hash goes on from label to label, from the right, so that those of all suffixes of a name cost one pass. Its key is secret:
 * nobody can choose names that fall into one bucket; and what falls there is compared as text. The label's length in the top byte
 * of its last word keeps "ab.c" and "a.bc" apart. Reads up to 16 bytes behind the label's begin. */
static inline uint64_t hash_label(const struct name_set *set, uint64_t hash, const char *label, size_t len)
{
	size_t first, second;

	for (; len > 15; label += 8, len -= 8)
		hash = fold_product(hash ^ eight_load(label, 8), set->key);
	/* Two words at once and no branch: a wrong guess for every other label would cost more than the product. */
	first = len < 8 ? len : 8;
	second = len - first;
	return fold_product(hash ^ (eight_load(label, 8) & UINT64_MAX >> (64 - 8 * first)),
			    set->key ^ ((eight_load(label + 8, 8) & ((UINT64_C(1) << 8 * second) - 1)) | (uint64_t)len << 56));
}

static uint64_t depth_bit(unsigned depth)
{
	return UINT64_C(1) << (depth < 63 ? depth : 63);
}

/* Four of a bucket's 64 filter bits, from the half of the hash that did not choose the bucket. */
static uint64_t filter_bits(uint64_t hash)
{
	return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63) |
	       UINT64_C(1) << (hash >> 12 & 63) | UINT64_C(1) << (hash >> 18 & 63);
}

static bool filter_has(const struct bucket *bucket, uint64_t bits)
{
	uint64_t filter;

	memcpy(&filter, bucket->filter, sizeof(filter));
	return (filter & bits) == bits;
}

static void filter_set(struct bucket *bucket, uint64_t bits)
{
	uint64_t filter;

	memcpy(&filter, bucket->filter, sizeof(filter));
	filter |= bits;
	memcpy(bucket->filter, &filter, sizeof(filter));
}

/* The bucket before that of this hash: without a division. */
static struct bucket *bucket_before(const struct name_set *set, uint64_t hash)
{
	return set->buckets + ((hash >> 32) * set->n_buckets >> 32);
}

struct name_set *name_set_new(void)
{
	struct name_set *set = calloc(1, sizeof(*set));
	uint64_t key[2];

	if (!set)
		return NULL;
	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
		free(set);
		return NULL;
	}
	set->seed = key[0];
	set->key = key[1] | 1;		/* never a factor that forgets */
	memset(set->rank, 1, sizeof(set->rank));
	return set;
}

void name_set_free(struct name_set *set)
{
	if (!set)
		return;
	block_free(&set->records);
	block_free(&set->hashes);
	block_free(&set->sealed);
	free(set);
}

void name_set_rank(struct name_set *set, unsigned source, unsigned rank)
{
	set->rank[source & NAME_SOURCE_MAX] = (uint8_t)rank;
}

/* Room for one more record and its hash. */
static int reserve(struct name_set *set)
{
	if (set->used + RECORD_MAX > set->records.size && block_grow(&set->records, set->used, set->records.size * 2 + 4096))
		return -ENOMEM;
	if ((set->n + 1) * sizeof(uint64_t) > set->hashes.size &&
	    block_grow(&set->hashes, set->n * sizeof(uint64_t), set->hashes.size * 2 + 512))
		return -ENOMEM;
	return 0;
}

void name_set_expect(struct name_set *set, size_t len)
{
	size_t used = set->used + len + len / EXPECT_PART, hashes = (set->n + len / EXPECT_LINE) * sizeof(uint64_t);

	if (used > set->records.size)
		block_grow(&set->records, set->used, used);
	if (hashes > set->hashes.size)
		block_grow(&set->hashes, set->n * sizeof(uint64_t), hashes);
}

/* Label by label from the right, as a look-up does. */
static uint64_t entry_hash(const struct name_set *set, const struct name_entry *entry)
{
	uint64_t hash = set->seed;
	size_t end = entry->len;

	for (unsigned i = entry->n_dots; i-- > 0; end = entry->dots[i])
		hash = hash_label(set, hash, entry->text + entry->dots[i] + 1, end - entry->dots[i] - 1);
	return hash_label(set, hash, entry->text, end);
}

int name_set_add(struct name_set *set, const struct name_entry *entry, unsigned source, unsigned line)
{
	unsigned depth = entry->n_dots + 1u;
	char *to;

	if (set->n >= NAME_SET_MAX)
		return -E2BIG;
	if (reserve(set))
		return -ENOMEM;
	to = set->records.at + set->used;
	*to++ = (char)entry->len;
	*to++ = (char)((source & NAME_SOURCE_MAX) | (entry->below ? RECORD_BELOW : 0));
	for (; line > 0x7f; line >>= 7)
		*to++ = (char)(line | 0x80);
	*to++ = (char)line;
	if (entry->below) {
		*to++ = '*';
		*to++ = '.';
	}
	for (size_t i = 0; i < entry->len; i += 16)	/* both have the room; a copy of any length would cost more */
		memcpy(to + i, entry->text + i, 16);
	to[entry->len] = '\0';
	set->used = (size_t)(to + entry->len + 1 - set->records.at);
	((uint64_t *)set->hashes.at)[set->n++] = entry_hash(set, entry);
	set->depths |= depth_bit(depth);
	if (depth > set->depth_max)
		set->depth_max = depth;
	return 0;
}

struct record {
	const char *name;		/* without the "*." */
	size_t len;
	unsigned source, line;
	bool below;
};

/* Reads the record, answers where it ends. */
static const char *record_read(const char *at, struct record *r)
{
	unsigned shift = 0;

	r->len = (unsigned char)*at++;
	r->source = (unsigned char)*at & NAME_SOURCE_MAX;
	r->below = (unsigned char)*at++ & RECORD_BELOW;
	for (r->line = 0; *at & 0x80; shift += 7)
		r->line |= (*at++ & 0x7fu) << shift;
	r->line |= (unsigned)*at++ << shift;
	r->name = at + 2 * r->below;
	return r->name + r->len + 1;
}

/* The same without a look at more than is needed. */
static size_t record_size(const char *at)
{
	const char *p = at + 2;

	while (*p & 0x80)
		p++;
	return (size_t)(p - at) + 1 + ((unsigned char)at[1] & RECORD_BELOW ? 2 : 0) + (unsigned char)*at + 1;
}

/* Bytes a bucket, then where each begins. */
static void measure(struct name_set *set)
{
	const uint64_t *hashes = (const uint64_t *)set->hashes.at;
	const char *at = set->records.at;
	uint32_t sum = 0;

	for (size_t i = 0; i < set->n; i++) {
		size_t size = record_size(at);

		if (i + AHEAD < set->n)
			__builtin_prefetch(bucket_before(set, hashes[i + AHEAD]) + 1, 1);
		bucket_before(set, hashes[i])[1].end += (uint32_t)size;
		at += size;
	}
	for (uint32_t i = 0; i <= set->n_buckets; i++) {
		uint32_t size = set->buckets[i].end;

		set->buckets[i].end = sum;
		sum += size;
	}
}

/* Copies each record into its bucket; `end` grows from the bucket's begin to its end. A bucket where a name may be there already
 * is noted in `again`: names that are there once set a filter bit at least, nearly always. */
static void distribute(struct name_set *set, uint64_t *again)
{
	const uint64_t *hashes = (const uint64_t *)set->hashes.at;
	const char *at = set->records.at;

	for (size_t i = 0; i < set->n; i++) {
		uint64_t hash = hashes[i], bits = filter_bits(hash);
		struct bucket *bucket = bucket_before(set, hash) + 1;
		size_t size = record_size(at), b = (size_t)(bucket - set->buckets);

		if (i + 2 * AHEAD < set->n)
			__builtin_prefetch(bucket_before(set, hashes[i + 2 * AHEAD]) + 1, 1);
		if (i + AHEAD < set->n)
			__builtin_prefetch(set->arena + bucket_before(set, hashes[i + AHEAD])[1].end, 1);
		if (filter_has(bucket, bits))
			again[b / 64] |= UINT64_C(1) << b % 64;
		filter_set(bucket, bits);
		memcpy(set->arena + bucket->end, at, size);
		bucket->end += (uint32_t)size;
		at += size;
	}
}

/* Whether the record at `at` says nothing that one before it does not: the same name of the same source. "x" covers all that "*.x"
 * does. Counts names that were there before. */
static bool is_repeat(struct name_set *set, const char *from, const char *at, const struct record *r, bool *several)
{
	bool known = false;

	while (from < at) {
		struct record old;

		from = record_read(from, &old);
		if (old.len != r->len || memcmp(old.name, r->name, r->len))
			continue;
		known = true;
		if (old.source == r->source && (!old.below || r->below)) {
			set->n--;
			return true;
		}
	}
	set->n -= known;
	*several = *several || known;
	return false;
}

/* Moves what stays to the front; the rest becomes zeros. */
static void thin_out(struct name_set *set, uint32_t b)
{
	char *from = set->arena + (set->buckets[b].end & ~BUCKET_AGAIN), *end = set->arena + set->buckets[b + 1].end, *to = from;
	const char *at = from;
	bool several = false;

	while (at < end) {
		struct record r;
		const char *next = record_read(at, &r);
		size_t size = (size_t)(next - at);

		if (!is_repeat(set, from, to, &r, &several)) {
			memmove(to, at, size);
			to += size;
		}
		at = next;
	}
	memset(to, 0, (size_t)(end - to));
	if (several)
		set->buckets[b + 1].end |= BUCKET_AGAIN;
}

int name_set_seal(struct name_set *set)
{
	uint32_t n_buckets = (uint32_t)(set->n / BUCKET_NAMES + 1);
	size_t index = (n_buckets + 1) * sizeof(*set->buckets);
	uint64_t *again = calloc((n_buckets + 1) / 64 + 1, sizeof(*again));

	if (!again || block_new(&set->sealed, index + set->used + 1)) {
		free(again);
		return -ENOMEM;
	}
	set->buckets = (struct bucket *)set->sealed.at;
	set->arena = set->sealed.at + index;
	set->n_buckets = n_buckets;
	measure(set);
	distribute(set, again);
	block_free(&set->records);
	block_free(&set->hashes);
	for (uint32_t b = 1; b <= n_buckets; b++)
		if (again[b / 64] >> b % 64 & 1)
			thin_out(set, b - 1);
	free(again);
	return 0;
}

/* A looked-up name in lower case, and where its labels start. */
struct folded {
	char text[NAME_LEN_MAX + 9 + 8];	/* whole words, and what a hash reads behind the last label */
	size_t len;
	uint8_t labels[LABELS_MAX + 1];
	unsigned n;
};

/* Lower case; sets `dots` to the top bit of each dot, and answers the top bits of bytes that no host name has. */
static uint64_t fold_word(uint64_t *word, uint64_t *dots)
{
	uint64_t low = *word & ~EIGHT_TOPS;
	uint64_t upper = (low + EIGHT(0x80 - 'A')) & ~(low + EIGHT(0x80 - 'Z' - 1)) & EIGHT_TOPS;

	*dots = ~((low ^ EIGHT('.')) + EIGHT(0x7f)) & EIGHT_TOPS;
	*word |= upper >> 2;
	return (*word | ~(low + EIGHT(0x80 - 0x21)) | (low + EIGHT(0x80 - 0x7f))) & EIGHT_TOPS;
}

/* Notes where labels start. An empty label is no server's name, and refusing it bounds `labels`. */
static bool fold_dots(struct folded *f, uint64_t dots, size_t at)
{
	for (; dots; dots &= dots - 1) {
		size_t dot = at + ((unsigned)__builtin_ctzll(dots) >> 3);

		if (dot == f->labels[f->n - 1])
			return false;
		f->labels[f->n++] = (uint8_t)(dot + 1);
	}
	return true;
}

static bool fold(struct folded *f, const unsigned char *host, size_t len)
{
	if (len && host[len - 1] == '.')
		len--;
	if (!len || len > NAME_LEN_MAX)
		return false;
	f->len = len;
	f->n = 1;
	f->labels[0] = 0;
	for (size_t at = 0; at < len; at += 8) {
		size_t rest = len - at < 8 ? len - at : 8;
		uint64_t word = EIGHT('a'), dots;

		if (rest == 8)
			memcpy(&word, host + at, 8);
		else
			memcpy(&word, host + at, rest);		/* 'a's behind the end pass every test */
		word = le64toh(word);
		if (fold_word(&word, &dots) || !fold_dots(f, dots, at))
			return false;
		word = htole64(word);
		memcpy(f->text + at, &word, 8);
	}
	return f->labels[f->n - 1] < len;
}

/* What each record that covers the host name is handed to; `depth` is how many labels it has. */
struct finder {
	const struct name_set *set;
	struct name_hit *hits;
	size_t max, n;
	unsigned rank;			/* of the best one */
	bool all;
};

/* Deeper names come later and win over others of their rank; "x" wins over "*.x". */
static void take(struct finder *finder, const struct record *r, bool *here, bool *below)
{
	unsigned rank = finder->set->rank[r->source];

	if (finder->all) {
		finder->n++;
		if (finder->n > finder->max)
			return;
		finder->hits[finder->n - 1] = (struct name_hit) { .entry = r->name - 2 * r->below, .source = r->source, .line = r->line };
	} else if (rank > finder->rank || (rank == finder->rank && (!*here || (*below && !r->below)))) {
		*finder->hits = (struct name_hit) { .entry = r->name - 2 * r->below, .source = r->source, .line = r->line };
		finder->rank = rank;
		finder->n = 1;
		*here = true;
		*below = r->below;
	}
}

static void find_in(struct finder *finder, const struct bucket *before, const char *name, size_t len, bool deeper)
{
	const char *at = finder->set->arena + (before[0].end & ~BUCKET_AGAIN), *end = finder->set->arena + (before[1].end & ~BUCKET_AGAIN);
	bool here = false, below = false;

	__builtin_prefetch(at + 64);
	while (at < end && *at) {
		size_t size = record_size(at), other = (unsigned char)*at;
		struct record r;

		if (other == len && !memcmp(at + size - 1 - len, name, len)) {
			record_read(at, &r);
			if (!r.below || deeper)
				take(finder, &r, &here, &below);
			if (!(before[1].end & BUCKET_AGAIN))
				return;
		}
		at += size;
	}
}

static void find(struct finder *finder, const void *host, size_t len)
{
	const struct name_set *set = finder->set;
	uint64_t hash = set->seed;
	struct folded f;
	size_t end;

	if (!set->n || !fold(&f, host, len))
		return;
	end = f.len;
	for (unsigned depth = 1; depth <= f.n && depth <= set->depth_max; depth++) {
		const char *name = f.text + f.labels[f.n - depth];
		const struct bucket *before;

		hash = hash_label(set, hash, name, (size_t)(f.text + end - name));
		end = (size_t)(name - f.text) - 1;
		if (!(set->depths & depth_bit(depth)))
			continue;
		before = bucket_before(set, hash);
		if (filter_has(before + 1, filter_bits(hash)))
			find_in(finder, before, name, (size_t)(f.text + f.len - name), depth < f.n);
	}
}

bool name_set_match(const struct name_set *set, const void *host, size_t len, struct name_hit *hit)
{
	struct finder finder = { .set = set, .hits = hit, .max = 1 };

	find(&finder, host, len);
	return finder.n;
}

size_t name_set_all(const struct name_set *set, const void *host, size_t len, struct name_hit *hits, size_t max)
{
	struct finder finder = { .set = set, .hits = hits, .max = max, .all = true };

	find(&finder, host, len);
	return finder.n;
}

int name_set_each(const struct name_set *set, int (*each)(const char *name, size_t len, bool below, void *arg), void *arg)
{
	int answer = 0;

	for (uint32_t b = 0; b < set->n_buckets && !answer; b++) {
		const char *at = set->arena + (set->buckets[b].end & ~BUCKET_AGAIN);
		const char *end = set->arena + (set->buckets[b + 1].end & ~BUCKET_AGAIN);

		while (at < end && *at && !answer) {
			struct record r;

			at = record_read(at, &r);
			answer = each(r.name, r.len, r.below, arg);
		}
	}
	return answer;
}

size_t name_set_count(const struct name_set *set)
{
	return set->n;
}

size_t name_set_bytes(const struct name_set *set)
{
	return sizeof(*set) + set->records.size + set->hashes.size + set->sealed.size;
}
