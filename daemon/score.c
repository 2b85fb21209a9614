// SPDX-License-Identifier: GPL-2.0-or-later
/* The weights, and a set-associative table of hosts and endpoints whose oldest places give way. The weights follow PROTOCOLS
 * 5.3 and 11: what many harmless clients show weighs little, what only a miner shows in a row weighs much. */
#include "daemon/score.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/mix.h"

/* 4,096 places of 64 bytes: hosts that show a sign are few. */
#define SETS 1024
#define WAYS 4
#define KEEP_MS (24u * 3600 * 1000)

/* Retries of miners come every 5 to 60 seconds (PROTOCOLS 3.6). */
#define RETRY_MIN_MS 3000
#define RETRY_MAX_MS 70000
#define RETRY_TIMES 3

static const struct {
	const char *text;
	unsigned points;
} marks_table[MARK_COUNT] = {
	[MARK_NO_SNI] = { "no_sni", 10 },
	[MARK_NO_ALPN] = { "no_alpn", 5 },
	[MARK_FINGERPRINT] = { "fingerprint", 15 },
	[MARK_PORT] = { "port", 10 },
	[MARK_LEARNT_NAME] = { "learnt_name", 20 },
	[MARK_RHYTHM] = { "rhythm", 15 },
	[MARK_LOGIN] = { "login", 10 },
	[MARK_SUBMITS] = { "submits", 20 },
	[MARK_ACKS] = { "acks", 20 },
	[MARK_PUSHES] = { "pushes", 15 },
	[MARK_NOISE] = { "noise", 50 },
	[MARK_SETUP] = { "setup", 50 },
	[MARK_TELLTALE] = { "telltale", 60 },
};

struct place {
	uint8_t host[16], end[16];
	uint16_t port;
	uint8_t proto;
	bool used;
	uint8_t regular;	/* equal intervals in a row */
	uint32_t interval_ms;
	uint32_t marks;
	uint64_t attempt_ms, seen_ms;
};

struct score {
	pthread_mutex_t lock;
	uint64_t key[2];
	struct place places[SETS][WAYS];
};

struct score *score_new(const uint64_t key[2])
{
	struct score *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	memcpy(s->key, key, sizeof(s->key));
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void score_free(struct score *s)
{
	if (s)
		pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct place *set_of(struct score *s, const struct place *p)
{
	uint64_t h = s->key[0] ^ ((uint64_t)p->proto << 16 | p->port);

	return s->places[mix_address(mix_address(h, p->host) ^ s->key[1], p->end) % SETS];
}

/* The place of this host and endpoint, or NULL; `make`: the oldest of its set gives way. */
static struct place *place_of(struct score *s, const struct place *want, bool make, uint64_t now_ms)
{
	struct place *set = set_of(s, want), *old = set;

	for (unsigned i = 0; i < WAYS; i++) {
		struct place *p = &set[i];

		/* another worker's clock may be a little ahead */
		if (p->used && now_ms > p->seen_ms + KEEP_MS)
			p->used = false;
		if (p->used && p->port == want->port && p->proto == want->proto && !memcmp(p->host, want->host, 16) &&
		    !memcmp(p->end, want->end, 16))
			return p;
		if (!p->used || (old->used && p->seen_ms < old->seen_ms))
			old = p;
	}
	if (!make)
		return NULL;
	*old = *want;
	old->used = true;
	old->seen_ms = now_ms;
	return old;
}

static struct place place_at(const struct subject *who)
{
	struct place p = { .port = who->dport, .proto = who->proto };

	memcpy(p.host, who->src, 16);
	memcpy(p.end, who->dst, 16);
	return p;
}

/* A host alone stands at the address of nobody. */
static struct place place_alone(const uint8_t host[16])
{
	struct place p = { 0 };

	memcpy(p.host, host, 16);
	return p;
}

static unsigned add(struct score *s, const struct place *want, unsigned marks, uint64_t now_ms)
{
	struct place *p = place_of(s, want, marks, now_ms);

	if (!p)
		return 0;
	p->marks |= marks;
	if (marks)
		p->seen_ms = now_ms;
	return p->marks;
}

unsigned score_add(struct score *s, const struct subject *who, unsigned marks, uint64_t now_ms)
{
	struct place there = place_at(who), alone = place_alone(who->src);
	unsigned all;

	pthread_mutex_lock(&s->lock);
	all = add(s, &there, marks, now_ms) | add(s, &alone, 0, now_ms);
	pthread_mutex_unlock(&s->lock);
	return all;
}

void score_host(struct score *s, const uint8_t host[16], unsigned marks, uint64_t now_ms)
{
	struct place alone = place_alone(host);

	pthread_mutex_lock(&s->lock);
	add(s, &alone, marks, now_ms);
	pthread_mutex_unlock(&s->lock);
}

unsigned score_attempt(struct score *s, const struct subject *who, uint64_t now_ms)
{
	struct place there = place_at(who), *p;
	uint64_t interval, before;
	unsigned found;

	pthread_mutex_lock(&s->lock);
	p = place_of(s, &there, true, now_ms);
	interval = now_ms - p->attempt_ms;
	before = p->interval_ms;
	if (p->attempt_ms && interval >= RETRY_MIN_MS && interval <= RETRY_MAX_MS) {
		uint64_t apart = interval > before ? interval - before : before - interval;

		p->regular = apart * 20 <= interval && p->regular < UINT8_MAX ? p->regular + 1 : 0;
		p->interval_ms = (uint32_t)interval;
	} else {
		p->regular = 0;
		p->interval_ms = 0;
	}
	p->attempt_ms = p->seen_ms = now_ms;
	found = p->regular >= RETRY_TIMES ? 1u << MARK_RHYTHM : 0;
	pthread_mutex_unlock(&s->lock);
	return found;
}

unsigned score_points(unsigned marks)
{
	unsigned points = 0;

	for (unsigned i = 0; i < MARK_COUNT; i++)
		points += marks & 1u << i ? marks_table[i].points : 0;
	return points;
}

const char *mark_text(enum mark m)
{
	return m < MARK_COUNT ? marks_table[m].text : "";
}

bool score_telling_name(struct view host)
{
	static const char *const words[] = { "xmr", "monero", "miner", "mining", "stratum", "hashrate", "pool." };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);

		for (size_t at = 0; at + n <= host.len; at++)
			if (!strncasecmp((const char *)host.p + at, words[i], n))
				return true;
	}
	return false;
}

/* PROTOCOLS 3.4, without the ports that are common otherwise. */
bool score_pool_port(uint16_t port)
{
	static const uint16_t ports[] = { 3333, 3334, 3335, 4444, 5555, 6666, 7777, 8888, 9999, 14433, 14444, 34254, 45560, 45700 };

	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (ports[i] == port)
			return true;
	return port >= 10001 && port <= 20300;
}
