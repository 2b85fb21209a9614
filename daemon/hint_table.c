/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of hints and what follows from it: which endpoints are confirmed and until when, and what of that somebody has to be told.
 * Knows no message. */
#include "daemon/hint_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mix.h"

/* Of the gateways that name an endpoint those whose word lasts longest are shown and counted: `confirm` is no more than this. */
#define LONGEST_MAX 16
#define SLACK_S 5

static struct endpoint **bucket_of(const struct hints *h, const struct hint_endpoint *at)
{
	uint64_t hash = mix(mix_address(h->hash_key[0] ^ ((uint64_t)at->port << 16 | at->proto), at->addr) ^ h->hash_key[1]);

	return &h->buckets[hash & (h->n_buckets - 1)];
}

struct endpoint *hint_table_find(const struct hints *h, const struct hint_endpoint *at)
{
	struct endpoint *e = *bucket_of(h, at);

	while (e && memcmp(&e->at, at, sizeof(*at)))
		e = e->next;
	return e;
}

/* Twice as many, so that a chain stays short. Without memory they get longer. */
static void grow(struct hints *h)
{
	struct endpoint **before = h->buckets, **after = calloc(h->n_buckets * 2, sizeof(struct endpoint *));
	size_t n = h->n_buckets;

	if (!after)
		return;
	h->buckets = after;
	h->n_buckets *= 2;
	for (size_t i = 0; i < n; i++)
		for (struct endpoint *e = before[i], *next; e; e = next) {
			struct endpoint **to = bucket_of(h, &e->at);

			next = e->next;
			e->next = *to;
			*to = e;
		}
	free(before);
}

struct endpoint *hint_table_get(struct hints *h, const struct hint_endpoint *at)
{
	struct endpoint *e = hint_table_find(h, at), **to;

	if (e)
		return e;
	if (h->n_endpoints >= h->n_buckets)
		grow(h);
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	to = bucket_of(h, at);
	e->at = *at;
	e->next = *to;
	*to = e;
	h->n_endpoints++;
	return e;
}

void hint_table_drop(struct hints *h, struct endpoint *e)
{
	struct endpoint **at = bucket_of(h, &e->at);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	while (e->words)
		hint_table_drop_word(h, &e->words);
	h->n_endpoints--;
	free(e);
}

bool hint_table_idle(const struct endpoint *e, int64_t now_s)
{
	return !e->words && !e->queued && !e->told_s && e->own_s <= now_s && e->muted_s <= now_s;
}

/* ---- words ---- */

struct word *hint_table_word(const struct endpoint *e, uint32_t gateway)
{
	struct word *w = e ? e->words : NULL;

	while (w && w->gateway != gateway)
		w = w->next;
	return w;
}

struct word *hint_table_add_word(struct hints *h, struct endpoint *e, uint32_t gateway)
{
	struct word *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->gateway = gateway;
	w->state = WORD_WITHDRAWN;
	w->next = e->words;
	e->words = w;
	h->n_words++;
	h->gateways[gateway].hints++;
	return w;
}

void hint_table_state(struct hints *h, struct word *w, enum word_state state)
{
	struct hint_gateway *g = &h->gateways[w->gateway];

	if (w->state == WORD_LIVE)
		g->live--;
	if (state == WORD_LIVE)
		g->live++;
	w->state = state;
}

void hint_table_drop_word(struct hints *h, struct word **at)
{
	struct word *w = *at;

	hint_table_state(h, w, WORD_WITHDRAWN);
	h->gateways[w->gateway].hints--;
	h->n_words--;
	*at = w->next;
	free(w);
}

/* ---- what counts ---- */

struct longest {
	const struct word *words[LONGEST_MAX];	/* the longest first */
	unsigned n;
	uint32_t all;
};

bool hint_table_counts(const struct hints *h, const struct word *w, int64_t now_s)
{
	return w->state == WORD_LIVE && w->expires > now_s && h->gateways[w->gateway].trusted;
}

static void find_longest(const struct hints *h, const struct endpoint *e, int64_t now_s, struct longest *l)
{
	l->n = l->all = 0;
	for (const struct word *w = e->words; w; w = w->next) {
		unsigned i = l->n;

		if (!hint_table_counts(h, w, now_s))
			continue;
		l->all++;
		if (l->n < LONGEST_MAX)
			l->n++;
		else if (l->words[--i]->expires >= w->expires)
			continue;
		for (; i && l->words[i - 1]->expires < w->expires; i--)
			l->words[i] = l->words[i - 1];
		l->words[i] = w;
	}
}

static int64_t confirmed_by(const struct hints *h, const struct endpoint *e, int64_t now_s, struct longest *l)
{
	find_longest(h, e, now_s, l);
	if (e->muted_s > now_s || !l->n)
		return 0;
	if (l->n >= h->config.confirm)
		return l->words[h->config.confirm - 1]->expires;
	if (e->own_s <= now_s)
		return 0;
	return l->words[0]->expires < e->own_s ? l->words[0]->expires : e->own_s;
}

int64_t hint_table_confirmed(const struct hints *h, const struct endpoint *e, int64_t now_s)
{
	struct longest l;

	return confirmed_by(h, e, now_s, &l);
}

/* ---- what is to be told ---- */

void hint_table_queue(struct hints *h, struct endpoint *e, bool again)
{
	e->again |= again;
	if (e->queued)
		return;
	e->queued = true;
	e->behind = NULL;
	*(h->last ? &h->last->behind : &h->first) = e;
	h->last = e;
}

/* A few seconds more or less are not worth a word: the end itself is told when it comes. */
static bool differs(int64_t confirmed, int64_t told)
{
	return !confirmed != !told || confirmed > told + SLACK_S || confirmed < told - SLACK_S;
}

void hint_table_review(struct hints *h, struct endpoint *e, int64_t now_s)
{
	if (!e->refused && differs(hint_table_confirmed(h, e, now_s), e->told_s))
		hint_table_queue(h, e, false);
}

static void take_first(struct hints *h)
{
	struct endpoint *e = h->first;

	h->first = e->behind;
	if (!h->first)
		h->last = NULL;
	e->queued = e->again = false;
}

/* Their names, by comma. */
static void put_gateways(const struct hints *h, const struct longest *l, struct hint_change *c)
{
	size_t len = 0;

	for (unsigned i = 0; i < l->n; i++) {
		const char *name = h->gateways[l->words[i]->gateway].name;

		if (len + strlen(name) + 1 + sizeof("," HINTS_OWN) < sizeof(c->gateways))
			len += (size_t)snprintf(c->gateways + len, sizeof(c->gateways) - len, "%s%s", len ? "," : "", name);
	}
	if (l->n < h->config.confirm)
		snprintf(c->gateways + len, sizeof(c->gateways) - len, "," HINTS_OWN);
}

bool hints_next(struct hints *h, int64_t now_s, struct hint_change *c)
{
	struct endpoint *e;
	struct longest l;

	memset(c, 0, sizeof(*c));
	for (; (e = h->first) != NULL; take_first(h)) {
		c->until_s = e->refused ? 0 : confirmed_by(h, e, now_s, &l);
		if (differs(c->until_s, e->told_s) || (e->again && c->until_s))
			break;
	}
	if (!e)
		return false;
	c->at = e->at;
	memcpy(c->dialect, e->dialect, sizeof(c->dialect));
	if (c->until_s) {
		c->n_gateways = l.all;
		put_gateways(h, &l, c);
	}
	return true;
}

void hints_told(struct hints *h, const struct hint_change *c)
{
	h->first->told_s = c->until_s;
	take_first(h);
}

void hints_again(struct hints *h)
{
	for (size_t i = 0; i < h->n_buckets; i++)
		for (struct endpoint *e = h->buckets[i]; e; e = e->next) {
			e->refused = e->watched = false;
			hint_table_queue(h, e, true);
		}
}

void hints_refuse(struct hints *h, const struct hint_endpoint *at, enum hint_result why)
{
	struct endpoint *e = hint_table_find(h, at);

	if (why >= HINT_REFUSED && why < HINT_RESULTS)
		h->refused[why]++;
	if (!e)
		return;
	e->refused = true;
	e->watched = why < HINT_REFUSED;
	e->full = why == HINT_FULL;
	e->full_s = 0;
	e->told_s = 0;
}
