/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device is its MAC where that is known, and takes over what was known of its addresses before. Whatever is kept of it has
 * a fixed size, so that a device which tries a thousand pools costs no more than one that tries two. */
#include "daemon/incident.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Weights from which an incident is of the next level. */
static const uint64_t level_from[INCIDENT_LEVELS] = { 0, 50, 500 };

void incident_book_init(struct incident_book *b, size_t max)
{
	*b = (struct incident_book) { .max = max, .next_id = 1 };
}

void incident_book_fini(struct incident_book *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->items[i]);
	free(b->items);
	b->items = NULL;
	b->n = b->room = 0;
}

struct incident *incident_get(struct incident_book *b, uint32_t id)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->items[i]->id == id)
			return b->items[i];
	return NULL;
}

static bool has_address(const struct incident *i, const char *address)
{
	for (size_t k = 0; k < INCIDENT_ADDRESSES && *address; k++)
		if (!strcmp(i->addresses[k], address))
			return true;
	return false;
}

/* An address of one MAC is another device when another MAC uses it. */
struct incident *incident_of(struct incident_book *b, const char *mac, const char *address)
{
	struct incident *found = NULL;

	for (size_t k = 0; k < b->n && *mac; k++)
		if (!strcmp(b->items[k]->mac, mac))
			found = b->items[k];
	if (found)
		return found;
	for (size_t k = 0; k < b->n; k++)
		if (has_address(b->items[k], address) && (!*mac || !*b->items[k]->mac) &&
		    (!found || b->items[k]->last_s >= found->last_s))
			found = b->items[k];
	return found;
}

/* Cleaned ones go first, then those that an admin has seen; within each, whoever was quiet for the longest time. */
static unsigned worth(const struct incident *i)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): of a book's items none is NULL */
	return i->state == INCIDENT_CLEANED ? 0 : i->state == INCIDENT_ACKNOWLEDGED ? 1 : 2;
}

static void drop_one(struct incident_book *b)
{
	size_t least = 0;

	for (size_t k = 1; k < b->n; k++) {
		const struct incident *a = b->items[k], *c = b->items[least];

		if (worth(a) < worth(c) || (worth(a) == worth(c) && a->last_s < c->last_s))
			least = k;
	}
	free(b->items[least]);
	memmove(&b->items[least], &b->items[least + 1], (b->n - least - 1) * sizeof(*b->items));
	b->n--;
	b->dropped++;
}

struct incident *incident_put(struct incident_book *b, uint32_t id)
{
	struct incident *i;

	while (b->n && b->n >= b->max)
		drop_one(b);
	if (b->n == b->room) {
		size_t room = b->room ? b->room * 2 : 16;
		struct incident **more = realloc(b->items, room * sizeof(*more));

		if (!more)
			return NULL;
		b->items = more;
		b->room = room;
	}
	i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->id = id;
	b->next_id = id >= b->next_id ? id + 1 : b->next_id;
	b->items[b->n++] = i;
	return i;
}

/* The one that is used moves to the front; the last one falls off. */
static void use_address(struct incident *i, const char *address)
{
	size_t at = 0;

	if (!*address)
		return;
	while (at < INCIDENT_ADDRESSES - 1 && strcmp(i->addresses[at], address))
		at++;
	memmove(i->addresses[1], i->addresses[0], at * sizeof(i->addresses[0]));
	snprintf(i->addresses[0], sizeof(i->addresses[0]), "%s", address);
}

/* Counts it; where there is no room the one that was not seen for the longest time makes some. */
static void use_item(struct incident_item *items, size_t n, const char *text, uint64_t count, int64_t when_s)
{
	struct incident_item *at = &items[0];

	if (!*text)
		return;
	for (size_t k = 0; k < n; k++) {
		if (!strcmp(items[k].text, text)) {
			at = &items[k];
			break;
		}
		if (*at->text && (!*items[k].text || items[k].last_s < at->last_s))
			at = &items[k];
	}
	if (strcmp(at->text, text)) {
		snprintf(at->text, sizeof(at->text), "%s", text);
		at->count = 0;
	}
	at->count += count;
	at->last_s = when_s > at->last_s ? when_s : at->last_s;
}

uint64_t incident_recent(const struct incident *i, uint32_t within_s, int64_t now_s)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < INCIDENT_SLOTS; k++)
		if (i->slots[k].weight && i->slots[k].from_s > now_s - (int64_t)within_s)
			sum += i->slots[k].weight;
	return sum;
}

/* Into the slot of its time, or in place of the oldest one. */
static void use_slot(struct incident *i, uint32_t within_s, int64_t when_s, uint64_t weight)
{
	int64_t part = within_s / INCIDENT_SLOTS;
	size_t at = 0;

	for (size_t k = 0; k < INCIDENT_SLOTS; k++) {
		if (i->slots[k].weight && when_s >= i->slots[k].from_s && when_s <= i->slots[k].from_s + part) {
			i->slots[k].weight += weight;
			return;
		}
		if (i->slots[at].weight && (!i->slots[k].weight || i->slots[k].from_s < i->slots[at].from_s))
			at = k;
	}
	i->slots[at].from_s = when_s;
	i->slots[at].weight = weight;
}

unsigned incident_level(const struct incident *i)
{
	unsigned level = 0;

	while (level + 1 < INCIDENT_LEVELS && i->points >= level_from[level + 1])
		level++;
	return level;
}

/* The agent's figure is the mean of the minute before (RFC 2790): what it says this soon is about the time before the block. */
#define LOAD_LAG_S 30
/* A reading from longer before says nothing about the miner. */
#define LOAD_BEFORE_S 900

static int busier(const struct reading *r)
{
	return r->gpu > r->cpu ? r->gpu : r->cpu;
}

static bool is_before(const struct incident *i, const struct reading *r)
{
	return r->when_s <= i->since_s + (r->pushed ? 0 : LOAD_LAG_S);
}

/* The first readings would fall off, so what they said is kept. */
static void note_before(struct incident *i, const struct reading *r)
{
	if (is_before(i, r) && r->when_s >= i->since_s - LOAD_BEFORE_S && busier(r) > i->before)
		i->before = busier(r);
}

static void begin(struct incident *i, const struct sighting *s, enum incident_state state)
{
	i->state = state;
	i->since_s = i->changed_s = s->when_s;
	i->told = false;
	i->level_told = 0;
	i->points = 0;
	memset(i->slots, 0, sizeof(i->slots));
	i->before = -1;
	for (unsigned k = 0; k < i->n_readings; k++)
		note_before(i, &i->readings[k]);
}

static struct incident *open_one(struct incident_book *b, const struct sighting *s)
{
	struct incident *i = incident_put(b, b->next_id);

	if (!i)
		return NULL;
	i->first_s = s->when_s;
	begin(i, s, INCIDENT_OPEN);
	return i;
}

static uint64_t weight_of(const struct sighting *s)
{
	return s->count * (WEIGHT_ATTEMPT + (s->outside ? WEIGHT_OUTSIDE : 0) + (s->telltale ? WEIGHT_TELLTALE : 0) +
			   (s->spreading ? WEIGHT_SPREADING : 0));
}

static void count(struct incident_book *b, struct incident *i, const struct sighting *s)
{
	uint64_t weight = weight_of(s);

	if (*s->mac)
		snprintf(i->mac, sizeof(i->mac), "%s", s->mac);
	if (*s->name)
		snprintf(i->name, sizeof(i->name), "%s", s->name);
	use_address(i, s->address);
	use_item(i->pools, INCIDENT_POOLS, s->pool, s->count, s->when_s);
	use_item(i->agents, INCIDENT_AGENTS, s->agent, s->count, s->when_s);
	use_item(i->payees, INCIDENT_PAYEES, s->payee, s->count, s->when_s);
	i->last_s = s->when_s > i->last_s ? s->when_s : i->last_s;
	*(s->blocked ? &i->blocked : &i->allowed) += s->count;
	i->outside += s->outside ? s->count : 0;
	i->telltales += s->telltale ? s->count : 0;
	i->spreading += s->spreading ? s->count : 0;
	i->points += weight;
	if (s->blocked) {
		i->blocked_s = s->when_s > i->blocked_s ? s->when_s : i->blocked_s;
		use_slot(i, b->alert_within_s, s->when_s, weight);
	}
}

/* Once for an opening or reopening, and once for each step up after that. */
static enum incident_alert alert_of(const struct incident_book *b, struct incident *i, int64_t when_s)
{
	unsigned level = incident_level(i);
	bool first = !i->told;

	if (!b->alert_attempts || i->state == INCIDENT_CLEANED)
		return ALERT_NONE;
	if (first ? incident_recent(i, b->alert_within_s, when_s) < b->alert_attempts : level <= i->level_told)
		return ALERT_NONE;
	i->told = true;
	i->level_told = level;
	i->alerts++;
	return !first ? ALERT_ESCALATED : i->reopened ? ALERT_REOPENED : ALERT_OPENED;
}

struct incident_change incident_see(struct incident_book *b, const struct sighting *s)
{
	struct incident_change change = { .incident = incident_of(b, s->mac, s->address) };

	if (!change.incident && s->opens) {
		change.incident = open_one(b, s);
		change.opened = change.incident != NULL;
	} else if (change.incident && change.incident->state == INCIDENT_CLEANED && s->opens && s->when_s >= change.incident->changed_s) {
		begin(change.incident, s, INCIDENT_REOPENED);
		change.incident->reopened++;
		change.reopened = true;
	}
	if (!change.incident)
		return change;
	count(b, change.incident, s);
	if (s->blocked)
		change.alert = alert_of(b, change.incident, s->when_s);
	return change;
}

bool incident_acknowledge(struct incident *i, int64_t now_s)
{
	if (i->state == INCIDENT_ACKNOWLEDGED || i->state == INCIDENT_CLEANED)
		return false;
	i->state = INCIDENT_ACKNOWLEDGED;
	i->changed_s = now_s;
	return true;
}

bool incident_clean(struct incident *i, int64_t now_s, const char *note)
{
	if (i->state == INCIDENT_CLEANED)
		return false;
	i->state = INCIDENT_CLEANED;
	i->changed_s = now_s;
	if (note)
		snprintf(i->note, sizeof(i->note), "%s", note);
	return true;
}

void incident_read_load(struct incident *i, const struct reading *r)
{
	memmove(&i->readings[1], &i->readings[0], (INCIDENT_READINGS - 1) * sizeof(i->readings[0]));
	i->readings[0] = *r;
	if (i->n_readings < INCIDENT_READINGS)
		i->n_readings++;
	note_before(i, r);
}

struct incident_load incident_load_of(const struct incident *i, unsigned threshold, unsigned polls)
{
	struct incident_load load = { LOAD_UNKNOWN, i->before, -1 };
	unsigned after = 0, busy = 0;

	for (unsigned k = 0; k < i->n_readings; k++) {
		const struct reading *r = &i->readings[k];

		if (is_before(i, r))
			continue;
		busy += after == busy && busier(r) >= (int)threshold;
		load.after = after++ ? load.after : busier(r);
	}
	if (load.before >= 0 || after)
		load.verdict = LOAD_WAITING;
	if (busy >= polls)
		load.verdict = LOAD_STILL_BUSY;
	else if (load.before >= (int)threshold && after && load.after <= load.before / 2)
		load.verdict = LOAD_CONFIRMED;
	else if (load.before >= 0 && load.before < (int)threshold && after >= polls)
		load.verdict = LOAD_NEVER_BUSY;
	return load;
}

const char *incident_verdict_text(enum incident_verdict v)
{
	switch (v) {
	case LOAD_UNKNOWN:	return "unknown";
	case LOAD_WAITING:	return "waiting";
	case LOAD_CONFIRMED:	return "confirmed";
	case LOAD_STILL_BUSY:	return "still_busy";
	case LOAD_NEVER_BUSY:	return "never_busy";
	}
	return "";
}

static bool same_payee(const struct incident *a, const struct incident *b)
{
	for (size_t i = 0; i < INCIDENT_PAYEES; i++)
		for (size_t k = 0; k < INCIDENT_PAYEES && *a->payees[i].text; k++)
			if (!strcmp(a->payees[i].text, b->payees[k].text))
				return true;
	return false;
}

size_t incident_campaign(const struct incident_book *b, const struct incident *i, uint32_t *to, size_t max)
{
	size_t n = 0;

	for (size_t k = 0; k < b->n; k++) {
		if (b->items[k] == i || !same_payee(i, b->items[k]))
			continue;
		if (n < max)
			to[n] = b->items[k]->id;
		n++;
	}
	return n;
}

const char *incident_state_text(enum incident_state s)
{
	switch (s) {
	case INCIDENT_OPEN:		return "open";
	case INCIDENT_ACKNOWLEDGED:	return "acknowledged";
	case INCIDENT_CLEANED:		return "cleaned";
	case INCIDENT_REOPENED:		return "reopened";
	case INCIDENT_STATES:		break;
	}
	return "";
}

const char *incident_level_text(unsigned level)
{
	static const char *const texts[INCIDENT_LEVELS] = { "noticed", "serious", "severe" };

	return texts[level < INCIDENT_LEVELS ? level : INCIDENT_LEVELS - 1];
}

const char *incident_alert_text(enum incident_alert a)
{
	switch (a) {
	case ALERT_OPENED:	return "opened";
	case ALERT_REOPENED:	return "reopened";
	case ALERT_ESCALATED:	return "escalated";
	case ALERT_NONE:	break;
	}
	return "none";
}
