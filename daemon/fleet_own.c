/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nothing is published that the broker has already: a broker that comes back would otherwise hear everything of everybody at once, and
 * tell it to everybody. */
#include "daemon/fleet_own.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/hints.h"
#include "daemon/mix.h"

#define BUCKETS 4096
/* The broker's word of the same endpoint is as good as ours if it lasts about as long. */
#define SLACK_S 60

enum stage { WAITS, ON_WAY, STORED };

struct own {
	struct own *next;
	struct own *behind;	/* in the line of those that wait */
	struct hint_endpoint at;
	char dialect[HINT_DIALECT_MAX];
	int64_t expires;
	int64_t said;		/* when it was issued last; 0: never */
	bool ours, said_again, seen, in_line;
	enum stage stage;	/* of what is so now: that it is ours, or not */
	int id;
};

struct fleet_own {
	uint64_t key[2];
	struct own *buckets[BUCKETS];
	struct own *first, *last;
	size_t n;
	bool complete;		/* all that is ours has been said */
	bool reading;
};

struct fleet_own *fleet_own_new(const uint64_t key[2])
{
	struct fleet_own *o = calloc(1, sizeof(*o));

	if (o)
		memcpy(o->key, key, sizeof(o->key));
	return o;
}

static struct own **bucket_of(struct fleet_own *o, const struct hint_endpoint *at)
{
	return &o->buckets[mix(mix_address(o->key[0] ^ ((uint64_t)at->port << 16 | at->proto), at->addr) ^ o->key[1]) % BUCKETS];
}

static struct own *find(struct fleet_own *o, const struct hint_endpoint *at)
{
	struct own *one = *bucket_of(o, at);

	while (one && memcmp(&one->at, at, sizeof(*at)))
		one = one->next;
	return one;
}

static struct own *get(struct fleet_own *o, const struct hint_endpoint *at)
{
	struct own *one = find(o, at), **to;

	if (one || o->n >= 2 * FLEET_OWN_MAX)
		return one;
	one = calloc(1, sizeof(*one));
	if (!one)
		return NULL;
	to = bucket_of(o, at);
	one->at = *at;
	one->stage = STORED;
	one->next = *to;
	*to = one;
	o->n++;
	return one;
}

static void wait_in_line(struct fleet_own *o, struct own *one)
{
	one->stage = WAITS;
	if (one->in_line)
		return;
	one->in_line = true;
	one->behind = NULL;
	*(o->last ? &o->last->behind : &o->first) = one;
	o->last = one;
}

void fleet_own_put(struct fleet_own *o, const struct hint_endpoint *at, const char *dialect, int64_t expires_s)
{
	struct own *one = get(o, at);
	char text[HINT_DIALECT_MAX];
	bool same;

	if (!one)
		return;
	hint_dialect(text, dialect);
	same = one->ours && !strcmp(one->dialect, text) && expires_s <= one->expires + SLACK_S && expires_s >= one->expires - SLACK_S;
	one->ours = one->said_again = true;
	if (same)
		return;
	memcpy(one->dialect, text, sizeof(text));
	one->expires = expires_s;
	wait_in_line(o, one);
}

static void take_away(struct fleet_own *o, struct own *one)
{
	if (!one->ours)
		return;
	one->ours = false;
	wait_in_line(o, one);
}

void fleet_own_drop(struct fleet_own *o, const struct hint_endpoint *at)
{
	struct own *one = find(o, at);

	if (one)
		take_away(o, one);
}

#define EACH(o, one) \
	for (size_t i_ = 0; i_ < BUCKETS; i_++) \
		for (struct own *one = (o)->buckets[i_]; one; one = one->next)

void fleet_own_first(struct fleet_own *o)
{
	EACH(o, one)
		one->said_again = false;
}

/* The broker has it, and it is not ours. */
static void take_strays(struct fleet_own *o)
{
	EACH(o, one)
		if (one->seen && !one->ours && one->stage == STORED)
			wait_in_line(o, one);
}

void fleet_own_last(struct fleet_own *o)
{
	EACH(o, one)
		if (!one->said_again)
			take_away(o, one);
	o->complete = true;
	if (!o->reading)
		take_strays(o);
}

void fleet_own_reading(struct fleet_own *o)
{
	o->reading = true;
	EACH(o, one)
		one->seen = false;
}

void fleet_own_stored(struct fleet_own *o, const struct hint_endpoint *at, const struct hint *there)
{
	struct own *one = get(o, at);
	bool older;

	if (!one)
		return;
	older = there->issued < one->said;
	one->seen = true;
	if (!one->ours)
		one->expires = there->expires;
	if (there->issued > one->said)
		one->said = there->issued;
	/* as a process before us said it */
	if (one->ours && one->stage == WAITS && !strcmp(one->dialect, there->dialect) && there->expires >= one->expires - SLACK_S &&
	    there->expires <= one->expires + SLACK_S)
		one->stage = STORED;
	/* later than that: a broker that was cut off from another brings what we have withdrawn, or said better since */
	if (!o->reading && o->complete && one->stage == STORED && (!one->ours || older))
		wait_in_line(o, one);
}

void fleet_own_read(struct fleet_own *o)
{
	o->reading = false;
	EACH(o, one)
		if (one->ours && one->stage == STORED && !one->seen)
			wait_in_line(o, one);
	if (o->complete)
		take_strays(o);
}

void fleet_own_lost(struct fleet_own *o)
{
	o->reading = false;
	EACH(o, one)
		if (one->stage == ON_WAY)
			wait_in_line(o, one);
}

bool fleet_own_next(struct fleet_own *o, int64_t now_s, struct hint *h, bool *gone)
{
	struct own *one;

	if (o->reading)
		return false;
	while ((one = o->first) && (one->stage != WAITS || (one->ours && one->expires <= now_s) || (!one->ours && !one->said && !one->seen))) {
		o->first = one->behind;
		one->in_line = false;
		one->stage = STORED;
	}
	if (!one) {
		o->last = NULL;
		return false;
	}
	memset(h, 0, sizeof(*h));
	h->at = one->at;
	memcpy(h->dialect, one->dialect, sizeof(h->dialect));
	/* what stood there with a time to come nobody has believed, and it may be a broker's own invention */
	h->issued = now_s > one->said || one->said > now_s + HINTS_SKEW_S ? now_s : one->said + 1;
	h->expires = one->expires > h->issued ? one->expires : h->issued + 1;
	*gone = !one->ours;
	return true;
}

void fleet_own_sent(struct fleet_own *o, const struct hint *h, int id)
{
	struct own *one = o->first;

	o->first = one->behind;
	if (!o->first)
		o->last = NULL;
	one->in_line = false;
	one->stage = ON_WAY;
	one->id = id;
	if (one->ours)
		one->said = h->issued;
}

bool fleet_own_answer(struct fleet_own *o, int id, bool taken)
{
	EACH(o, one)
		if (one->stage == ON_WAY && one->id == id) {
			/* what the broker refuses it would refuse again: the next connection tries */
			one->stage = STORED;
			one->seen = taken && one->ours;
			return true;
		}
	return false;
}

void fleet_own_tick(struct fleet_own *o, int64_t now_s)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct own **at = &o->buckets[i]; *at;) {
			struct own *one = *at;

			/* nor does a stranger's word live for ever */
			if (one->in_line || one->stage == ON_WAY ||
			    (one->expires > now_s && (one->ours || one->expires <= now_s + HINTS_LIFE_S))) {
				at = &one->next;
				continue;
			}
			*at = one->next;
			o->n--;
			free(one);
		}
}

size_t fleet_own_count(const struct fleet_own *o, size_t *stored)
{
	size_t n = 0;

	*stored = 0;
	EACH(o, one)
		if (one->ours) {
			n++;
			*stored += one->seen;
		}
	return n;
}

void fleet_own_free(struct fleet_own *o)
{
	for (size_t i = 0; o && i < BUCKETS; i++)
		while (o->buckets[i]) {
			struct own *one = o->buckets[i];

			o->buckets[i] = one->next;
			free(one);
		}
	free(o);
}
