/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adds up. Keys come from the network, so each table is bounded and found by comparing whole keys; which rows stay when one is
 * full is decided by who came first. */
#include "cli/tally.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR_US 3600000000LL

struct tally *tally_new(const struct schedule *hours, int64_t start_us, int64_t step_us)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->hours = hours && hours->set ? hours : NULL;
	t->start_us = start_us;
	t->step_us = step_us;
	t->hour_from_us = -HOUR_US;
	t->devices = calloc(TALLY_DEVICES, sizeof(*t->devices));
	t->pools = calloc(TALLY_POOLS, sizeof(*t->pools));
	t->wallets = calloc(TALLY_WALLETS, sizeof(*t->wallets));
	t->gateways = calloc(TALLY_GATEWAYS, sizeof(*t->gateways));
	if (!t->devices || !t->pools || !t->wallets || !t->gateways) {
		tally_free(t);
		return NULL;
	}
	return t;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	free(t->devices);
	free(t->pools);
	free(t->wallets);
	free(t->gateways);
	free(t);
}

/* At most size - 1 bytes; NULs become blanks, since what is kept is a C string. */
static void copy(char *to, size_t size, struct log_text from)
{
	size_t len = from.len < size ? from.len : size - 1;

	for (size_t i = 0; i < len; i++)
		to[i] = from.p[i] ? from.p[i] : ' ';
	to[len] = '\0';
}

static void copy_lower(char *to, size_t size, struct log_text from)
{
	copy(to, size, from);
	for (; *to; to++)
		*to = (char)tolower((unsigned char)*to);
}

static uint32_t hash_of(const char *key)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (*key)
		h = (h ^ (unsigned char)*key++) * 0x100000001b3ull;
	return (uint32_t)(h ^ h >> 32);
}

/* The place of `key` in items of `size` bytes that begin with their key; a new one if it is not there and there is room. -1: no room. */
static long place(uint32_t *at, size_t slots, void *items, size_t *n, size_t max, size_t size, const char *key)
{
	size_t i = hash_of(key) % slots;

	for (; at[i]; i = i + 1 < slots ? i + 1 : 0)
		if (!strcmp((const char *)items + (at[i] - 1) * size, key))
			return (long)at[i] - 1;
	if (*n == max)
		return -1;
	strcpy((char *)items + *n * size, key);
	at[i] = (uint32_t)++*n;
	return (long)*n - 1;
}

static void count(struct tally_count *c, const struct log_line *line, bool blocked, uint64_t n)
{
	if (blocked)
		c->blocked += n;
	else
		c->allowed += n;
	if (line->when_us < LOG_CLOCK_SET_US)
		return;
	if (!c->first_us || line->when_us < c->first_us)
		c->first_us = line->when_us;
	if (line->when_us > c->last_us)
		c->last_us = line->when_us;
}

static void count_recent(struct tally_recent *r, int64_t when_us, uint64_t n)
{
	int64_t part = when_us / TALLY_RECENT_US;

	if (part - r->newest >= TALLY_RECENT)
		memset(r->parts, 0, sizeof(r->parts));
	else
		for (int64_t p = r->newest + 1; p <= part; p++)
			r->parts[p % TALLY_RECENT] = 0;
	if (part > r->newest)
		r->newest = part;
	if (part > r->newest - TALLY_RECENT)
		r->parts[part % TALLY_RECENT] += n < UINT32_MAX / 2 ? (uint32_t)n : UINT32_MAX / 2;
}

uint64_t tally_last(const struct tally_recent *r, int64_t now_us, unsigned seconds)
{
	int64_t now = now_us / TALLY_RECENT_US;
	uint64_t n = 0;

	for (int64_t p = now - (int64_t)seconds * 1000000 / TALLY_RECENT_US + 1; p <= r->newest; p++)
		if (p > r->newest - TALLY_RECENT && p >= 0)
			n += r->parts[p % TALLY_RECENT];
	return n;
}

static bool see(uint64_t *seen, size_t device)
{
	bool known = seen[device / 64] >> device % 64 & 1;

	seen[device / 64] |= 1ull << device % 64;
	return !known;
}

/* Its place; NULL: the event names none, or there is no room. */
static struct tally_gateway *gateway_of(struct tally *t, const struct log_line *line)
{
	char key[TALLY_GATEWAY];
	long at;

	if (!line->text[LOG_GATEWAY].len)
		return NULL;
	copy(key, sizeof(key), line->text[LOG_GATEWAY]);
	at = place(t->gateway_at, TALLY_GATEWAYS * 2, t->gateways, &t->n_gateways, TALLY_GATEWAYS, sizeof(*t->gateways), key);
	return at < 0 ? NULL : &t->gateways[at];
}

static void note(struct tally *t, const struct log_line *line)
{
	struct tally_gateway *gateway = gateway_of(t, line);
	struct tally_note *n = NULL;
	char event[sizeof(n->event)];
	uint64_t seconds = log_number(line, LOG_SECONDS) > 0 ? (uint64_t)log_number(line, LOG_SECONDS) : 0;

	if (gateway) {
		gateway->notes++;
		gateway->seconds += seconds;
	}

	copy(event, sizeof(event), line->text[LOG_EVENT]);
	for (size_t i = 0; i < t->n_notes && !n; i++)
		if (!strcmp(t->notes[i].event, event))
			n = &t->notes[i];
	if (!n && t->n_notes == TALLY_NOTES)
		return;
	if (!n) {
		n = &t->notes[t->n_notes++];
		strcpy(n->event, event);
	}
	copy(n->detail, sizeof(n->detail), line->text[LOG_DETAIL]);
	count(&n->count, line, false, 1);
	n->seconds += seconds;
}

/* Local time changes at most each hour, and asking for it costs more than all the rest. */
static void read_hour(struct tally *t, int64_t when_us)
{
	time_t s = (time_t)(when_us / 1000000);
	struct tm tm;

	if (when_us >= t->hour_from_us && when_us < t->hour_from_us + HOUR_US / 4)
		return;
	localtime_r(&s, &tm);
	t->weekday = tm.tm_wday;
	t->hour = tm.tm_hour;
	/* Offsets of zones are whole quarters of an hour. */
	t->hour_from_us = when_us - when_us % (HOUR_US / 4);
}

static bool is_outside(const struct tally *t, int64_t when_us)
{
	uint32_t left;

	return t->hours && !schedule_holds(t->hours, when_us / 1000000, &left);
}

static void add_time(struct tally *t, const struct log_line *line, bool blocked, uint64_t n)
{
	int64_t slot = t->step_us ? (line->when_us - t->start_us) / t->step_us : -1;

	read_hour(t, line->when_us);
	t->week[t->weekday][t->hour] += n;
	if (line->when_us < t->start_us || slot < 0 || slot >= TALLY_SLOTS)
		return;
	if (blocked)
		t->slots[slot].blocked += n;
	else
		t->slots[slot].allowed += n;
}

static void keep_address(struct tally_device *d, struct log_text address)
{
	char text[sizeof(d->addresses[0])];

	copy(text, sizeof(text), address);
	for (unsigned i = 0; i < d->n_addresses; i++)
		if (!strcmp(d->addresses[i], text))
			return;
	if (d->n_addresses < TALLY_ADDRESSES)
		strcpy(d->addresses[d->n_addresses++], text);
}

static void fill_device(struct tally_device *d, const struct log_line *line, uint64_t n)
{
	struct log_text evidence = line->text[LOG_EVIDENCE];

	d->has_mac = line->text[LOG_MAC].len;
	keep_address(d, line->text[LOG_SRC]);
	if (line->text[LOG_HOST].len)
		copy(d->name, sizeof(d->name), line->text[LOG_HOST]);
	if (line->text[LOG_AGENT].len)
		copy(d->agent, sizeof(d->agent), line->text[LOG_AGENT]);
	if (line->text[LOG_DIALECT].len)
		copy(d->dialect, sizeof(d->dialect), line->text[LOG_DIALECT]);
	d->protocol += log_text_is(evidence, "protocol") ? n : 0;
	d->named += log_text_is(evidence, "name") || log_text_is(evidence, "address") ? n : 0;
	d->scored += log_text_is(evidence, "score") ? n : 0;
	d->telltale += log_number(line, LOG_TELLTALE) ? n : 0;
	d->spreading += log_text_is(line->text[LOG_CATEGORY], "Egress hygiene") ? n : 0;
	d->kernel += log_has(line, LOG_SPORT) ? 0 : n;
}

static void pool_key(char key[TALLY_TEXT], const struct log_line *line)
{
	struct log_text name = log_line_name(line, NULL), dst = line->text[LOG_DST];
	bool v6 = dst.len && memchr(dst.p, ':', dst.len);

	if (name.len) {
		copy_lower(key, TALLY_TEXT, name);
		return;
	}
	if (dst.len > 64)
		dst.len = 64;
	snprintf(key, TALLY_TEXT, v6 ? "[%.*s]:%lld" : "%.*s:%lld", dst.len ? (int)dst.len : 7, dst.len ? dst.p : "outside",
		 (long long)log_number(line, LOG_DPORT));
}

static void device_pool(struct tally_device *d, uint32_t pool, uint64_t n)
{
	for (int i = 0; i < TALLY_DEVICE_POOLS; i++) {
		if (d->pools[i].pool && d->pools[i].pool != pool + 1)
			continue;
		d->pools[i].pool = pool + 1;
		d->pools[i].n += n;
		return;
	}
}

/* The device's place; -1: no room. */
static long add_device(struct tally *t, const struct log_line *line, bool blocked, uint64_t n, bool outside)
{
	struct tally_gateway *gateway = gateway_of(t, line);
	char id[sizeof(t->devices->id)], key[sizeof(t->devices->key)], behind[TALLY_GATEWAY];
	size_t known = t->n_devices;
	long at;

	copy_lower(key, sizeof(key), line->text[line->text[LOG_MAC].len ? LOG_MAC : LOG_SRC]);
	copy(behind, sizeof(behind), line->text[LOG_GATEWAY]);
	snprintf(id, sizeof(id), "%zu %s%s", strlen(key), key, behind);
	at = place(t->device_at, TALLY_DEVICES * 2, t->devices, &t->n_devices, TALLY_DEVICES, sizeof(*t->devices), id);
	if (gateway) {
		count(&gateway->count, line, blocked, n);
		gateway->devices += t->n_devices > known;
	}
	if (at < 0) {
		t->other_devices += n;
		return -1;
	}
	strcpy(t->devices[at].key, key);
	strcpy(t->devices[at].gateway, behind);
	count(&t->devices[at].count, line, blocked, n);
	fill_device(&t->devices[at], line, n);
	t->devices[at].outside += outside ? n : 0;
	count_recent(&t->devices[at].recent, line->when_us, n);
	return at;
}

static void add_pool(struct tally *t, const struct log_line *line, bool blocked, uint64_t n, long device)
{
	char key[TALLY_TEXT];
	long at;

	pool_key(key, line);
	at = place(t->pool_at, TALLY_POOLS * 2, t->pools, &t->n_pools, TALLY_POOLS, sizeof(*t->pools), key);
	if (at < 0) {
		t->other_pools += n;
		return;
	}
	count(&t->pools[at].count, line, blocked, n);
	count_recent(&t->pools[at].recent, line->when_us, n);
	if (device < 0)
		return;
	t->pools[at].devices += see(t->pools[at].seen, (size_t)device);
	device_pool(&t->devices[device], (uint32_t)at, n);
}

static void add_wallet(struct tally *t, const struct log_line *line, bool blocked, uint64_t n, long device)
{
	char key[sizeof(t->wallets->key)];
	long at;

	if (!line->text[LOG_LOGIN].len)
		return;
	copy_lower(key, sizeof(key), line->text[LOG_LOGIN]);
	at = place(t->wallet_at, TALLY_WALLETS * 2, t->wallets, &t->n_wallets, TALLY_WALLETS, sizeof(*t->wallets), key);
	if (at < 0) {
		t->other_wallets += n;
		return;
	}
	count(&t->wallets[at].count, line, blocked, n);
	if (device >= 0)
		t->wallets[at].devices += see(t->wallets[at].seen, (size_t)device);
}

void tally_add(struct tally *t, const struct log_line *line)
{
	int64_t said = log_number(line, LOG_COUNT);
	uint64_t n = said > 0 ? (uint64_t)said : 1;
	bool blocked = log_text_is(line->text[LOG_ACTION], "blocked"), dated = line->when_us >= LOG_CLOCK_SET_US, outside;
	long device;

	t->events++;
	if (log_text_is(line->text[LOG_TYPE], "minewall")) {
		note(t, line);
		return;
	}
	/* One line of a file must not drown all others: so much no kernel counts in ten seconds. */
	if (n > 1000000000)
		n = 1;
	outside = dated && is_outside(t, line->when_us);
	t->findings++;
	t->outside += outside ? n : 0;
	t->kernel += log_has(line, LOG_SPORT) ? 0 : n;
	count(&t->all, line, blocked, n);
	if (dated)
		add_time(t, line, blocked, n);
	else
		t->undated += n;
	device = add_device(t, line, blocked, n, outside);
	add_pool(t, line, blocked, n, device);
	add_wallet(t, line, blocked, n, device);
}

struct rank {
	uint64_t attempts;
	uint32_t place;
};

static int more_first(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	return x->attempts != y->attempts ? (x->attempts < y->attempts ? 1 : -1) : x->place < y->place ? -1 : 1;
}

uint32_t *tally_worst(const void *items, size_t n, size_t size, size_t count_offset)
{
	struct rank *ranks = n ? malloc(n * sizeof(*ranks)) : NULL;
	uint32_t *places = n ? malloc(n * sizeof(*places)) : NULL;

	for (size_t i = 0; ranks && places && i < n; i++)
		ranks[i] = (struct rank){ tally_attempts((const struct tally_count *)((const char *)items + i * size + count_offset)), (uint32_t)i };
	if (ranks && places)
		qsort(ranks, n, sizeof(*ranks), more_first);
	for (size_t i = 0; ranks && places && i < n; i++)
		places[i] = ranks[i].place;
	if (!ranks) {
		free(places);
		places = NULL;
	}
	free(ranks);
	return places;
}
