/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name set: entries in one arena, and an open-addressing table of (tag, place) found by a keyed hash of every
 * suffix of the name, label by label from the right. It compares the whole name on a hit, so a hash never blocks. */
#include "policy/names.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* An arena entry: a byte of source and `below`, four of line, then "*." if below, the name and a NUL. */
#define ENTRY_HEAD 5
#define ENTRY_BELOW 0x80

/* Slack behind the arena: a compare may look at a whole name, a hash at eight bytes, behind the last entry. */
#define ARENA_PAD (NAME_LEN_MAX + 9)

/* A name of 255 bytes has at most 128 labels. */
#define LABELS_MAX 128

/* Filter bits a name. One 64-bit word holds a name's four bits; with 16 a name about 1 % of the misses go on. */
#define FILTER_NAMES_A_WORD 4

struct slot {
	uint32_t tag;
	uint32_t place;		/* of the arena entry; 0 = empty */
};

/* SipHash-1-3 (Aumasson, Bernstein: SipHash, 2012). The state goes on from label to label, so that the hashes of all
 * suffixes of a name cost one pass. */
struct sip {
	uint64_t v0, v1, v2, v3;
};

struct name_set {
	struct sip seed;
	char *arena;
	size_t used, size;
	size_t n;			/* before the seal: with repeats */
	struct slot *slots;
	uint32_t n_slots;
	uint64_t *filter;
	uint32_t n_words;
	uint64_t depths;		/* bit d: an entry of d labels (63: or more) */
	unsigned depth_max;
};

static inline uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

static uint64_t sip_finish(struct sip s)
{
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* The label's length in the top byte of its last word keeps "ab.c" and "a.bc" apart. Reads up to eight bytes behind. */
static void sip_label(struct sip *s, const char *label, size_t len)
{
	uint64_t word;
	size_t rest = len & 7;

	for (size_t i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, label + i, sizeof(word));
		sip_word(s, le64toh(word));
	}
	memcpy(&word, label + len - rest, sizeof(word));
	word = le64toh(word) & ((UINT64_C(1) << 8 * rest) - 1);
	sip_word(s, word | (uint64_t)len << 56);
}

static uint64_t depth_bit(unsigned depth)
{
	return UINT64_C(1) << (depth < 63 ? depth : 63);
}

/* Spreads a 32-bit hash over n places without a division. */
static uint32_t spread(uint32_t hash, uint32_t n)
{
	return (uint64_t)hash * n >> 32;
}

static uint64_t filter_bits(uint64_t hash)
{
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return UINT64_C(1) << (hash >> 58) | UINT64_C(1) << (hash >> 52 & 63) |
	       UINT64_C(1) << (hash >> 46 & 63) | UINT64_C(1) << (hash >> 40 & 63);
}

/* Bytes that a host name in a list or policy may hold. */
static bool name_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Checks labels from the left, lower-casing into entry->text. `numeric` says whether the last one is a number. */
static enum name_problem parse_labels(const char *text, size_t len, struct name_entry *entry, unsigned *labels,
				      bool *numeric)
{
	size_t label = 0;

	*labels = 1;
	*numeric = true;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = lower(text[i]);

		entry->text[i] = c;
		if (c == '.') {
			if (!label)
				return NAME_LABEL;
			label = 0;
			*numeric = true;
			(*labels)++;
			continue;
		}
		if (c >= 0x80)
			return NAME_UNICODE;
		if (!name_byte(c))
			return NAME_BYTE;
		if (c < '0' || c > '9')
			*numeric = false;
		if (++label > NAME_LABEL_MAX)
			return NAME_LABEL;
	}
	return label ? NAME_GOOD : NAME_LABEL;
}

/* "co.uk", "com.br": second levels that are registries under nearly every country code. */
static bool is_registry(const char *name, size_t len)
{
	static const char *const second[] = { "ac", "co", "com", "edu", "gov", "net", "org" };

	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		size_t n = strlen(second[i]);

		if (len == n + 3 && name[n] == '.' && !memcmp(name, second[i], n))
			return true;
	}
	return false;
}

enum name_problem name_parse(const char *text, size_t len, struct name_entry *entry)
{
	enum name_problem problem;
	unsigned labels;
	bool numeric;

	entry->below = len >= 2 && text[0] == '*' && text[1] == '.';
	if (entry->below) {
		text += 2;
		len -= 2;
	}
	if (len && text[len - 1] == '.')
		len--;
	if (!len)
		return NAME_EMPTY;
	if (len > NAME_LEN_MAX)
		return NAME_LONG;
	problem = parse_labels(text, len, entry, &labels, &numeric);
	if (problem)
		return problem;
	if (numeric)
		return NAME_ADDRESS;
	entry->text[len] = '\0';
	entry->len = len;
	return labels == 1 || is_registry(entry->text, len) ? NAME_WIDE : NAME_GOOD;
}

const char *name_problem_text(enum name_problem problem)
{
	switch (problem) {
	case NAME_GOOD:
		return "it is right";
	case NAME_EMPTY:
		return "it is empty";
	case NAME_LONG:
		return "it has more than 255 bytes";
	case NAME_LABEL:
		return "a label is empty or has more than 63 bytes";
	case NAME_BYTE:
		return "it has a byte that no host name has";
	case NAME_UNICODE:
		return "it is not ASCII: write its xn-- form";
	case NAME_ADDRESS:
		return "it is an address or ends in a number";
	case NAME_WIDE:
		return "it would cover a whole top-level domain or registry";
	}
	return "";
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
	set->seed = (struct sip) {
		key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573),
	};
	set->used = 1;		/* place 0 means an empty slot */
	return set;
}

void name_set_free(struct name_set *set)
{
	if (!set)
		return;
	free(set->arena);
	free(set->slots);
	free(set->filter);
	free(set);
}

static int arena_reserve(struct name_set *set, size_t more)
{
	size_t size = set->size ? set->size : 4096;
	char *arena;

	while (size < set->used + more + ARENA_PAD)
		size *= 2;
	if (size == set->size)
		return 0;
	arena = realloc(set->arena, size);
	if (!arena)
		return -ENOMEM;
	set->arena = arena;
	set->size = size;
	return 0;
}

int name_set_add(struct name_set *set, const struct name_entry *entry, unsigned source, unsigned line)
{
	uint32_t number = line;
	char *to;

	if (set->n >= NAME_SET_MAX)
		return -E2BIG;
	if (arena_reserve(set, ENTRY_HEAD + 2 + entry->len + 1))
		return -ENOMEM;
	to = set->arena + set->used;
	*to++ = (char)((source & NAME_SOURCE_MAX) | (entry->below ? ENTRY_BELOW : 0));
	memcpy(to, &number, sizeof(number));
	to += sizeof(number);
	if (entry->below) {
		*to++ = '*';
		*to++ = '.';
	}
	memcpy(to, entry->text, entry->len + 1);
	set->used = to + entry->len + 1 - set->arena;
	set->n++;
	return 0;
}

static bool entry_below(const struct name_set *set, uint32_t place)
{
	return (unsigned char)set->arena[place] & ENTRY_BELOW;
}

/* The name of an entry, without the "*.". */
static const char *entry_name(const struct name_set *set, uint32_t place)
{
	return set->arena + place + ENTRY_HEAD + (entry_below(set, place) ? 2 : 0);
}

static uint64_t entry_hash(const struct name_set *set, const char *name, size_t len, unsigned *depth)
{
	struct sip state = set->seed;

	*depth = 0;
	while (len) {
		const char *dot = memrchr(name, '.', len);
		const char *label = dot ? dot + 1 : name;

		sip_label(&state, label, name + len - label);
		len = dot ? (size_t)(dot - name) : 0;
		(*depth)++;
	}
	return sip_finish(state);
}

/* The slot that holds this name, or the empty one where it would be. */
static struct slot *slot_find(const struct name_set *set, uint64_t hash, const char *name, size_t len)
{
	uint32_t at = spread(hash >> 32, set->n_slots);

	for (;; at = at + 1 == set->n_slots ? 0 : at + 1) {
		struct slot *slot = &set->slots[at];
		const char *known;

		if (!slot->place)
			return slot;
		if (slot->tag != (uint32_t)hash)
			continue;
		known = entry_name(set, slot->place);
		if (!memcmp(known, name, len) && !known[len])
			return slot;
	}
}

/* An entry on its way into the table: hashed, and its places asked for from memory while others are hashed. One such
 * miss a name is most of what a big list costs at the start. */
struct sealing {
	uint64_t hash;
	uint32_t place;
	unsigned depth;
	size_t len;
};

#define SEAL_BATCH 16

static void seal_entry(struct name_set *set, const struct sealing *e)
{
	struct slot *slot = slot_find(set, e->hash, entry_name(set, e->place), e->len);

	if (slot->place) {
		if (entry_below(set, slot->place) && !entry_below(set, e->place))
			slot->place = e->place;
		return;
	}
	*slot = (struct slot) { .tag = (uint32_t)e->hash, .place = e->place };
	set->filter[spread((uint32_t)e->hash, set->n_words)] |= filter_bits(e->hash);
	set->depths |= depth_bit(e->depth);
	if (e->depth > set->depth_max)
		set->depth_max = e->depth;
	set->n++;
}

static void seal_entries(struct name_set *set)
{
	struct sealing batch[SEAL_BATCH];
	unsigned n = 0;

	for (size_t place = 1; place < set->used;) {
		struct sealing *e = &batch[n++];
		const char *name = entry_name(set, (uint32_t)place);

		e->place = (uint32_t)place;
		e->len = strlen(name);
		e->hash = entry_hash(set, name, e->len, &e->depth);
		__builtin_prefetch(&set->slots[spread(e->hash >> 32, set->n_slots)], 1);
		__builtin_prefetch(&set->filter[spread((uint32_t)e->hash, set->n_words)], 1);
		place = name + e->len + 1 - set->arena;
		if (n < SEAL_BATCH && place < set->used)
			continue;
		for (unsigned i = 0; i < n; i++)
			seal_entry(set, &batch[i]);
		n = 0;
	}
}

int name_set_seal(struct name_set *set)
{
	char *trimmed;

	if (arena_reserve(set, 0))
		return -ENOMEM;
	trimmed = realloc(set->arena, set->used + ARENA_PAD);
	if (trimmed) {
		set->arena = trimmed;
		set->size = set->used + ARENA_PAD;
	}
	memset(set->arena + set->used, 0, ARENA_PAD);
	/* At least a quarter stays empty, so that probes end. */
	set->n_slots = (uint32_t)(set->n + set->n / 3 + 8);
	set->n_words = (uint32_t)(set->n / FILTER_NAMES_A_WORD + 1);
	set->slots = calloc(set->n_slots, sizeof(*set->slots));
	set->filter = calloc(set->n_words, sizeof(*set->filter));
	if (!set->slots || !set->filter)
		return -ENOMEM;
	set->n = 0;
	seal_entries(set);
	return 0;
}

/* A looked-up name in lower case, and where its labels start. */
struct folded {
	char text[NAME_LEN_MAX + 9 + 8];	/* whole words, and what a hash reads behind the last label */
	size_t len;
	uint8_t labels[LABELS_MAX + 1];
	unsigned n;
};

/* Eight bytes at a time, as eight numbers of seven bits: adding 0x80 - c to each sets its top bit where it is >= c. */
#define EACH(c) (UINT64_C(0x0101010101010101) * (c))
#define TOPS EACH(0x80)

/* Lower case; sets `dots` to the top bit of each dot, and answers the top bits of bytes that no host name has. */
static uint64_t fold_word(uint64_t *word, uint64_t *dots)
{
	uint64_t low = *word & ~TOPS;
	uint64_t upper = (low + EACH(0x80 - 'A')) & ~(low + EACH(0x80 - 'Z' - 1)) & TOPS;

	*dots = ~((low ^ EACH('.')) + EACH(0x7f)) & TOPS;
	*word |= upper >> 2;
	return (*word | ~(low + EACH(0x80 - 0x21)) | (low + EACH(0x80 - 0x7f))) & TOPS;
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
		uint64_t word = EACH('a'), dots;

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

static void take_hit(const struct name_set *set, uint32_t place, struct name_hit *hit)
{
	uint32_t line;

	memcpy(&line, set->arena + place + 1, sizeof(line));
	hit->source = (unsigned char)set->arena[place] & NAME_SOURCE_MAX;
	hit->line = line;
	hit->entry = set->arena + place + ENTRY_HEAD;
}

bool name_set_match(const struct name_set *set, const void *host, size_t len, struct name_hit *hit)
{
	struct folded f;
	struct sip state = set->seed;
	uint32_t best = 0;
	size_t end;

	if (!set->n || !fold(&f, host, len))
		return false;
	end = f.len;
	for (unsigned depth = 1; depth <= f.n && depth <= set->depth_max; depth++) {
		const char *name = f.text + f.labels[f.n - depth];
		uint64_t hash, bits;
		const struct slot *slot;

		sip_label(&state, name, f.text + end - name);
		end = name - f.text - 1;
		if (!(set->depths & depth_bit(depth)))
			continue;
		hash = sip_finish(state);
		bits = filter_bits(hash);
		if ((set->filter[spread((uint32_t)hash, set->n_words)] & bits) != bits)
			continue;
		slot = slot_find(set, hash, name, f.text + f.len - name);
		if (slot->place && (depth < f.n || !entry_below(set, slot->place)))
			best = slot->place;
	}
	if (best)
		take_hit(set, best, hit);
	return best;
}

size_t name_set_count(const struct name_set *set)
{
	return set->n;
}

size_t name_set_bytes(const struct name_set *set)
{
	return sizeof(*set) + set->size + set->n_slots * sizeof(*set->slots) + set->n_words * sizeof(*set->filter);
}
