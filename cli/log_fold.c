/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of like events in the order of their first ones, of bounded memory: when it is full, the oldest group is given as it
 * stands and what follows begins a new one. Groups are compared byte by byte: who could make two hashes alike would hide. */
#include "cli/log_fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Groups at a time, a power of two, and bytes of their lines. */
#define GROUPS 16384u
#define BYTES_MAX (16u * 1024 * 1024)

struct group {
	char *bytes;		/* the key, then the first event's line */
	size_t key_len, line_len;
	uint64_t hash;
	int64_t count, last_us;
	uint32_t next;		/* in its bucket: place + 1; 0: none */
	bool open;		/* to be found in its bucket */
};

struct log_fold {
	void (*give)(const struct log_line *first, int64_t count, int64_t last_us, void *arg);
	void *arg;
	struct group groups[GROUPS];
	uint32_t buckets[GROUPS];
	uint32_t head, tail;	/* oldest, and behind the newest; they wrap around */
	size_t bytes;
	struct log_line line;
	struct log_scratch scratch;
	char *key;		/* of the event at hand */
	size_t key_len, key_size;
};

struct log_fold *log_fold_new(void (*give)(const struct log_line *first, int64_t count, int64_t last_us, void *arg), void *arg)
{
	struct log_fold *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->give = give;
	f->arg = arg;
	return f;
}

static uint64_t hash_of(const char *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	while (len--)
		h = (h ^ (unsigned char)*p++) * 0x100000001b3ull;
	return h ^ h >> 32;
}

/* Device, target, evidence. What the kernel counted by itself is another thing than what was judged. */
static int make_key(struct log_fold *f, const struct log_line *line)
{
	static const enum log_field parts[] = {
		LOG_GATEWAY, LOG_SRC, LOG_MAC, LOG_DST, LOG_PROTO, LOG_TLS, LOG_QUIC, LOG_HTTP, LOG_DNS, LOG_ACTION, LOG_DIALECT, LOG_METHOD, LOG_AGENT,
		LOG_WORKER, LOG_LOGIN, LOG_CARRIER, LOG_EVIDENCE, LOG_LIST, LOG_ENTRY, LOG_RULE, LOG_REASON, LOG_EVENT, LOG_DETAIL,
	};
	int64_t numbers[] = { log_number(line, LOG_DPORT), log_has(line, LOG_SPORT), log_number(line, LOG_SID), log_number(line, LOG_SCORE) };
	size_t room = line->raw.len + sizeof(parts) / sizeof(parts[0]) + sizeof(numbers);
	char *p;

	if (f->key_size < room) {
		p = realloc(f->key, room);
		if (!p)
			return -ENOMEM;
		f->key = p;
		f->key_size = room;
	}
	memcpy(f->key, numbers, sizeof(numbers));
	p = f->key + sizeof(numbers);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		memcpy(p, line->text[parts[i]].p, line->text[parts[i]].len);
		p += line->text[parts[i]].len;
		*p++ = '\0';
	}
	f->key_len = (size_t)(p - f->key);
	return 0;
}

static void unlink_group(struct log_fold *f, uint32_t at)
{
	uint32_t *link = &f->buckets[f->groups[at].hash % GROUPS];

	while (f->groups[at].open && *link) {
		if (*link == at + 1) {
			*link = f->groups[at].next;
			break;
		}
		link = &f->groups[*link - 1].next;
	}
	f->groups[at].open = false;
}

static void give_head(struct log_fold *f)
{
	uint32_t at = f->head++ % GROUPS;
	struct group *g = &f->groups[at];

	unlink_group(f, at);
	if (log_line_read(&f->line, g->bytes + g->key_len, g->line_len, &f->scratch))
		f->give(&f->line, g->count, g->last_us, f->arg);
	f->bytes -= g->key_len + g->line_len;
	free(g->bytes);
	g->bytes = NULL;
}

static bool over(const struct group *g, int64_t now_us)
{
	int64_t pause = now_us - g->last_us;

	return pause > LOG_FOLD_US || pause < -LOG_FOLD_US;
}

/* The open group of this key, or NULL; one whose pause was too long is closed. */
static struct group *find(struct log_fold *f, uint64_t hash, int64_t now_us)
{
	for (uint32_t i = f->buckets[hash % GROUPS]; i; i = f->groups[i - 1].next) {
		struct group *g = &f->groups[i - 1];

		if (g->hash != hash || g->key_len != f->key_len || memcmp(g->bytes, f->key, f->key_len))
			continue;
		if (!over(g, now_us))
			return g;
		unlink_group(f, i - 1);
		return NULL;
	}
	return NULL;
}

static int begin(struct log_fold *f, const struct log_line *line, uint64_t hash, int64_t count)
{
	struct group *g;
	uint32_t at;

	while (f->tail - f->head == GROUPS || (f->tail != f->head && f->bytes + f->key_len + line->raw.len > BYTES_MAX))
		give_head(f);
	at = f->tail % GROUPS;
	g = &f->groups[at];
	*g = (struct group){ .key_len = f->key_len, .line_len = line->raw.len, .hash = hash, .count = count, .last_us = line->when_us,
			     .next = f->buckets[hash % GROUPS], .open = true };
	g->bytes = malloc(g->key_len + g->line_len);
	if (!g->bytes)
		return -ENOMEM;
	memcpy(g->bytes, f->key, g->key_len);
	memcpy(g->bytes + g->key_len, line->raw.p, g->line_len);
	f->bytes += g->key_len + g->line_len;
	f->buckets[hash % GROUPS] = at + 1;
	f->tail++;
	return 0;
}

int log_fold_add(struct log_fold *f, const struct log_line *line)
{
	int64_t count = log_number(line, LOG_COUNT);
	struct group *g;
	uint64_t hash;

	count = count > 0 ? count : 1;
	if (make_key(f, line))
		return -ENOMEM;
	hash = hash_of(f->key, f->key_len);
	while (f->head != f->tail && over(&f->groups[f->head % GROUPS], line->when_us))
		give_head(f);
	g = find(f, hash, line->when_us);
	if (!g)
		return begin(f, line, hash, count);
	if (__builtin_add_overflow(g->count, count, &g->count))
		g->count = INT64_MAX;
	if (line->when_us > g->last_us)
		g->last_us = line->when_us;
	return 0;
}

void log_fold_end(struct log_fold *f)
{
	if (!f)
		return;
	while (f->head != f->tail)
		give_head(f);
	log_scratch_free(&f->scratch);
	free(f->key);
	free(f);
}
