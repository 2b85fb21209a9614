/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which messages are believed: by whom they are signed, how old they are, how many there are, and what was said before. Whatever is
 * refused has one reason, that the admin can read. */
#include "daemon/hints.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/hint_table.h"
#include "daemon/mix.h"

#define MINUTE_MS 60000
/* Messages that are worth a look at their signature, for each new endpoint that is allowed. */
#define MESSAGES_TIMES 10

const char *hint_result_text(enum hint_result r)
{
	static const char *const words[HINT_RESULTS] = {
		[HINT_ACCEPTED] = "accepted", [HINT_KNOWN] = "known", [HINT_WITHDRAWN] = "withdrawn", [HINT_OWN] = "own",
		[HINT_STATUS] = "status", [HINT_MALFORMED] = "malformed", [HINT_UNKNOWN_GATEWAY] = "unknown-gateway",
		[HINT_REVOKED] = "revoked", [HINT_SIGNATURE] = "signature", [HINT_EXPIRED] = "expired", [HINT_FUTURE] = "future",
		[HINT_LIFETIME] = "lifetime", [HINT_REPLAYED] = "replayed", [HINT_RATE] = "rate", [HINT_FULL] = "full",
		[HINT_EVIDENCE] = "evidence", [HINT_RESERVED] = "reserved", [HINT_LOCAL_ALLOW] = "local-allow", [HINT_POLICY] = "policy",
	};

	return words[r];
}

/* ---- gateways and keys ---- */

static uint32_t *chain_of(struct hints *h, const char *name)
{
	return &h->chains[mix_name(h->hash_key[1], (const uint8_t *)name, strlen(name)) % HINT_TABLE_CHAINS];
}

static struct hint_gateway *find_gateway(struct hints *h, const char *name)
{
	uint32_t i = *chain_of(h, name);

	while (i && strcmp(h->gateways[i - 1].name, name))
		i = h->gateways[i - 1].next;
	return i ? &h->gateways[i - 1] : NULL;
}

static struct hint_gateway *add_gateway(struct hints *h, const char *name)
{
	uint32_t *chain = chain_of(h, name);
	struct hint_gateway *g = &h->gateways[h->n_gateways++], fresh = { .lag_s = -1, .next = *chain };

	*g = fresh;
	snprintf(g->name, sizeof(g->name), "%s", name);
	*chain = (uint32_t)h->n_gateways;
	return g;
}

/* Calls `each` for each line that names a gateway; the first line that is wrong, or 0. */
static int each_key(const char *text, size_t len, void (*each)(void *arg, const char *name, const uint8_t *key, bool revoked), void *arg)
{
	const char *end = text + len;
	char name[FLEET_NAME_MAX];
	uint8_t key[HINT_KEY_BYTES];

	for (int line = 1; text < end; line++) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((eol ? eol : end) - text);
		enum hint_key_line is = hint_read_key(text, n, name, key);

		if (is == HINT_KEY_WRONG)
			return line;
		if (is != HINT_KEY_NONE && each)
			each(arg, name, key, is == HINT_KEY_REVOKED);
		text += n + (eol != NULL);
	}
	return 0;
}

static void count_key(void *arg, const char *name, const uint8_t *key, bool revoked)
{
	(void)name;
	(void)key;
	(void)revoked;
	++*(size_t *)arg;
}

enum key_is { KEY_GONE, KEY_SAME, KEY_OTHER };

struct taking {
	struct hints *h;
	uint8_t *keys;		/* by gateway: an enum key_is */
};

static void take_key(void *arg, const char *name, const uint8_t *key, bool revoked)
{
	struct taking *t = arg;
	struct hint_gateway *g = find_gateway(t->h, name);
	uint8_t *is;

	if (!g)
		g = add_gateway(t->h, name);
	/* a name that stands there twice: what it says last, and revoked stays so */
	is = &t->keys[g - t->h->gateways];
	*is = *is == KEY_OTHER || memcmp(g->key, key, sizeof(g->key)) ? KEY_OTHER : KEY_SAME;
	memcpy(g->key, key, sizeof(g->key));
	g->revoked |= revoked;
	g->trusted = !g->revoked;
}

/* Words whose gateway is not believed any more, or has another key. */
static void suspend(struct hints *h, const uint8_t *keys)
{
	for (size_t i = 0; i < h->n_buckets; i++)
		for (struct endpoint *e = h->buckets[i]; e; e = e->next) {
			for (struct word *w = e->words; w; w = w->next)
				if (w->state == WORD_LIVE && (!h->gateways[w->gateway].trusted || keys[w->gateway] != KEY_SAME))
					hint_table_state(h, w, WORD_SUSPENDED);
			hint_table_queue(h, e, false);
		}
}

int hints_keys(struct hints *h, const char *text, size_t len)
{
	struct taking t = { .h = h };
	size_t n = 0, room;
	struct hint_gateway *more;
	int wrong = each_key(text, len, count_key, &n);

	if (wrong || n > HINTS_GATEWAYS_MAX)
		return wrong ? wrong : HINTS_GATEWAYS_MAX + 1;
	room = h->n_gateways + n;
	more = realloc(h->gateways, (room + 1) * sizeof(*more));
	if (more)
		h->gateways = more;
	t.keys = more ? calloc(room + 1, 1) : NULL;
	if (!t.keys)
		return -ENOMEM;
	for (size_t i = 0; i < h->n_gateways; i++)
		h->gateways[i].trusted = h->gateways[i].revoked = false;
	each_key(text, len, take_key, &t);
	suspend(h, t.keys);
	free(t.keys);
	return 0;
}

void hints_status(struct hints *h, const char *gateway, bool online, int64_t since_s, int64_t now_s)
{
	struct hint_gateway *g = find_gateway(h, gateway);

	if (!g)
		return;
	g->heard = true;
	g->online = online;
	if (online) {
		g->since_s = since_s;
		g->last_s = now_s;
	}
}

/* ---- messages ---- */

bool hints_private(const struct hints *h, const struct hint_endpoint *at)
{
	for (size_t i = 0; i < h->n_ours; i++)
		if (hint_in_network(at, h->ours[i].addr, h->ours[i].prefix) && (!h->ours[i].port || h->ours[i].port == at->port))
			return true;
	return hint_reserved(at);
}

static void fill(const struct hints *h, struct hint_gateway *g, int64_t mono_ms)
{
	int64_t gone = g->filled_ms ? mono_ms - g->filled_ms : (int64_t)HINTS_BURST_MIN * MINUTE_MS;
	int64_t most = (int64_t)HINTS_BURST_MIN * MINUTE_MS * h->config.rate;

	gone = gone < 0 ? 0 : gone > (int64_t)HINTS_BURST_MIN * MINUTE_MS ? (int64_t)HINTS_BURST_MIN * MINUTE_MS : gone;
	g->new_ms += gone * h->config.rate;
	g->any_ms += gone * h->config.rate * MESSAGES_TIMES;
	g->new_ms = g->new_ms > most ? most : g->new_ms;
	g->any_ms = g->any_ms > most * MESSAGES_TIMES ? most * MESSAGES_TIMES : g->any_ms;
	g->filled_ms = mono_ms ? mono_ms : 1;
}

static enum hint_result withdraw(struct hints *h, struct endpoint *e, struct word *w, int64_t now_s)
{
	if (w) {
		hint_table_state(h, w, WORD_WITHDRAWN);
		hint_table_review(h, e, now_s);
	}
	return HINT_WITHDRAWN;
}

/* Is it what this gateway said last? KNOWN, REPLAYED, or ACCEPTED: it may be news. */
static enum hint_result compare(const struct word *w, const struct hint *m)
{
	bool same = w && w->issued == m->issued && !memcmp(w->proof, m->signature, sizeof(w->proof));

	if (!w || m->issued > w->issued || (same && w->state == WORD_SUSPENDED))
		return HINT_ACCEPTED;
	return same && w->state == WORD_LIVE ? HINT_KNOWN : HINT_REPLAYED;
}

static bool proved(const struct hints *h, const struct hint_gateway *g, const struct hint *m)
{
	char text[HINT_TEXT_MAX];
	size_t len = hint_text(text, h->config.site, g->name, m);

	return len < sizeof(text) && h->verify(m->signature, text, len, g->key);
}

static enum hint_result times(const struct hint *m, int64_t now_s)
{
	if (m->expires <= now_s)
		return HINT_EXPIRED;
	if (m->issued > now_s + HINTS_SKEW_S)
		return HINT_FUTURE;
	return m->expires - m->issued > HINTS_LIFE_S ? HINT_LIFETIME : HINT_ACCEPTED;
}

static bool has_room(const struct hints *h, const struct hint_gateway *g)
{
	return h->n_words < h->config.max && g->hints < h->config.max / 2;
}

static enum hint_result keep(struct hints *h, struct hint_gateway *g, struct endpoint *e, struct word *w, const struct hint *m,
			     int64_t now_s)
{
	if (!e)
		e = hint_table_get(h, &m->at);
	if (e && !w)
		w = hint_table_add_word(h, e, (uint32_t)(g - h->gateways));
	if (!e || !w)
		return HINT_FULL;
	hint_table_state(h, w, WORD_LIVE);
	w->issued = m->issued;
	w->expires = m->expires;
	w->keep_s = m->expires > w->keep_s ? m->expires : w->keep_s;
	memcpy(w->proof, m->signature, sizeof(w->proof));
	memcpy(e->dialect, m->dialect, sizeof(e->dialect));
	hint_table_review(h, e, now_s);
	return HINT_ACCEPTED;
}

/* One that may be read: is it to be believed? */
static enum hint_result judge(struct hints *h, struct hint_gateway *g, const struct hint *m, bool retained, int64_t now_s, int64_t mono_ms)
{
	struct endpoint *e = hint_table_find(h, &m->at);
	struct word *w = hint_table_word(e, (uint32_t)(g - h->gateways));
	enum hint_result is = times(m, now_s);

	if (is == HINT_ACCEPTED)
		is = compare(w, m);
	if (is != HINT_ACCEPTED)
		return is;
	fill(h, g, mono_ms);
	if (g->any_ms < MINUTE_MS || (!w && g->new_ms < MINUTE_MS))
		return HINT_RATE;
	g->any_ms -= MINUTE_MS;
	if (!w && !has_room(h, g))
		return HINT_FULL;
	if (!proved(h, g, m))
		return HINT_SIGNATURE;
	if (!w)
		g->new_ms -= MINUTE_MS;
	if (!retained)
		h->lag_s = g->lag_s = now_s > m->issued ? now_s - m->issued : 0;
	return keep(h, g, e, w, m, now_s);
}

static enum hint_result take(struct hints *h, struct hint_gateway *g, const struct hint_endpoint *at, const char *payload, size_t len,
			     bool retained, int64_t now_s, int64_t mono_ms)
{
	struct hint m = { .at = *at };
	struct endpoint *e;

	if (g->revoked)
		return HINT_REVOKED;
	if (!g->trusted)
		return HINT_UNKNOWN_GATEWAY;
	if (!len) {
		e = hint_table_find(h, at);
		return withdraw(h, e, hint_table_word(e, (uint32_t)(g - h->gateways)), now_s);
	}
	switch (hint_read_payload(payload, len, &m)) {
	case HINT_PAYLOAD_MALFORMED:
		return HINT_MALFORMED;
	case HINT_PAYLOAD_EVIDENCE:
		return HINT_EVIDENCE;
	case HINT_PAYLOAD_GOOD:
		break;
	}
	if (hints_private(h, at))
		return HINT_RESERVED;
	/* Stratum is seen in TCP alone: what would this be but a resolver, a clock or a tunnel that somebody wants ended? */
	if (at->proto != IPPROTO_TCP)
		return HINT_EVIDENCE;
	return judge(h, g, &m, retained, now_s, mono_ms);
}

static void count(struct hints *h, struct hint_gateway *g, enum hint_result is, int64_t now_s)
{
	if (is == HINT_ACCEPTED)
		h->accepted++;
	else if (is >= HINT_REFUSED)
		h->refused[is]++;
	if (!g)
		return;
	g->heard = true;
	if (is == HINT_ACCEPTED) {
		g->accepted++;
		g->last_s = now_s;
	} else if (is >= HINT_REFUSED) {
		g->refused[is]++;
	}
}

enum hint_result hints_take(struct hints *h, const char *topic, const char *payload, size_t len, bool retained, int64_t now_s,
			    int64_t mono_ms, struct hint_seen *seen)
{
	enum hint_topic is = hint_read_topic(topic, h->config.site, seen->gateway, &seen->at);
	struct hint_gateway *g = is != HINT_TOPIC_OTHER ? find_gateway(h, seen->gateway) : NULL;
	enum hint_result result;

	seen->has_endpoint = is == HINT_TOPIC_ENDPOINT;
	if (is == HINT_TOPIC_OTHER)
		seen->gateway[0] = '\0';
	if (is == HINT_TOPIC_STATUS)
		return HINT_STATUS;
	if (is == HINT_TOPIC_ENDPOINT && !strcmp(seen->gateway, h->config.gateway))
		return HINT_OWN;
	result = is == HINT_TOPIC_OTHER ? HINT_MALFORMED : !g ? HINT_UNKNOWN_GATEWAY :
		 take(h, g, &seen->at, payload, len, retained, now_s, mono_ms);
	count(h, g, result, now_s);
	return result;
}

/* ---- what else speaks for an endpoint, or against it ---- */

void hints_point(struct hints *h, const struct hint_endpoint *at, int64_t now_s)
{
	struct endpoint *e = hint_table_find(h, at);

	if (!e && h->n_waiting < HINTS_WAITING_MAX)
		e = hint_table_get(h, at);
	if (!e)
		return;
	h->n_waiting += !e->words && e->own_s <= now_s;
	e->own_s = now_s + HINTS_OWN_S;
	hint_table_review(h, e, now_s);
}

void hints_mute(struct hints *h, const struct hint_endpoint *at, int64_t now_s)
{
	struct endpoint *e = hint_table_find(h, at);

	for (const struct word *w = e ? e->words : NULL; w; w = w->next)
		if (hint_table_counts(h, w, now_s) && w->expires > e->muted_s)
			e->muted_s = w->expires;
	if (!e)
		return;
	e->own_s = 0;
	hint_table_review(h, e, now_s);
}

void hints_restore(struct hints *h, const struct hint_endpoint *at, const char *dialect, const char *gateways, int64_t until_s,
		   int64_t now_s)
{
	struct endpoint *e = until_s > now_s ? hint_table_get(h, at) : NULL;
	char name[FLEET_NAME_MAX];

	if (!e)
		return;
	if (!*e->dialect)
		hint_dialect(e->dialect, dialect);
	e->told_s = until_s;
	for (const char *p = gateways; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");
		struct hint_gateway *g;
		struct word *w;

		snprintf(name, sizeof(name), "%.*s", (int)(n < sizeof(name) ? n : sizeof(name) - 1), p);
		p += n;
		if (!strcmp(name, HINTS_OWN))
			e->own_s = until_s;
		g = find_gateway(h, name);
		if (!g || !g->trusted || hint_table_word(e, (uint32_t)(g - h->gateways)) || !has_room(h, g))
			continue;
		w = hint_table_add_word(h, e, (uint32_t)(g - h->gateways));
		if (!w)
			break;
		hint_table_state(h, w, WORD_LIVE);
		w->expires = w->keep_s = until_s;
	}
	hint_table_queue(h, e, false);
}

static void tick_words(struct hints *h, struct endpoint *e, int64_t now_s)
{
	for (struct word **at = &e->words; *at;) {
		if ((*at)->state == WORD_LIVE && (*at)->expires <= now_s)
			hint_table_state(h, *at, WORD_WITHDRAWN);
		if ((*at)->keep_s <= now_s)
			hint_table_drop_word(h, at);
		else
			at = &(*at)->next;
	}
}

/* Others expire, so what found no room is told again after a while. */
static void tick_full(struct endpoint *e, int64_t now_s)
{
	if (!e->full)
		return;
	if (!e->full_s)
		e->full_s = now_s + HINTS_FULL_S;
	else if (now_s >= e->full_s)
		e->refused = e->full = false;
}

void hints_tick(struct hints *h, int64_t now_s)
{
	h->n_waiting = 0;
	for (size_t i = 0; i < h->n_buckets; i++)
		for (struct endpoint *e = h->buckets[i], *next; e; e = next) {
			next = e->next;
			tick_words(h, e, now_s);
			tick_full(e, now_s);
			hint_table_review(h, e, now_s);
			if (hint_table_idle(e, now_s))
				hint_table_drop(h, e);
			else
				h->n_waiting += !e->words && e->own_s > now_s;
		}
}

/* ---- whole ---- */

struct hints *hints_new(hints_verify *verify, const uint64_t key[2])
{
	struct hints *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->verify = verify;
	memcpy(h->hash_key, key, sizeof(h->hash_key));
	h->lag_s = -1;
	h->n_buckets = HINT_TABLE_BUCKETS;
	h->buckets = calloc(h->n_buckets, sizeof(struct endpoint *));
	if (h->buckets)
		return h;
	free(h);
	return NULL;
}

void hints_free(struct hints *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n_buckets; i++)
		while (h->buckets[i])
			hint_table_drop(h, h->buckets[i]);
	free(h->buckets);
	free(h->gateways);
	free(h->ours);
	free(h);
}

/* What was told stays in the table until somebody is told that it is over. */
static void forget_all(struct hints *h)
{
	for (size_t i = 0; i < h->n_buckets; i++)
		for (struct endpoint *e = h->buckets[i]; e; e = e->next) {
			while (e->words)
				hint_table_drop_word(h, &e->words);
			e->own_s = e->muted_s = 0;
		}
}

void hints_configure(struct hints *h, const struct hints_config *config)
{
	if (strcmp(h->config.site, config->site) || strcmp(h->config.gateway, config->gateway))
		forget_all(h);
	h->config = *config;
	if (h->config.confirm < 1)
		h->config.confirm = 1;
	for (size_t i = 0; i < h->n_buckets; i++)
		for (struct endpoint *e = h->buckets[i]; e; e = e->next)
			hint_table_queue(h, e, false);
}

int hints_ours(struct hints *h, const struct hint_network *ours, size_t n)
{
	struct hint_network *copy = malloc((n + 1) * sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, ours, n * sizeof(*copy));
	free(h->ours);
	h->ours = copy;
	h->n_ours = n;
	return 0;
}

void hints_figures(const struct hints *h, int64_t now_s, struct hints_figures *f)
{
	*f = (struct hints_figures) { .accepted = h->accepted, .lag_s = h->lag_s };
	memcpy(f->refused, h->refused, sizeof(f->refused));
	for (size_t i = 0; i < h->n_buckets; i++)
		for (const struct endpoint *e = h->buckets[i]; e; e = e->next) {
			size_t before = f->hints;

			for (const struct word *w = e->words; w; w = w->next)
				f->hints += hint_table_counts(h, w, now_s);
			f->endpoints += f->hints > before;
			if (hint_table_confirmed(h, e, now_s)) {
				f->confirmed += !e->refused;
				f->watched += e->watched;
			}
		}
	for (size_t i = 0; i < h->n_gateways; i++) {
		f->gateways += h->gateways[i].trusted;
		f->online += h->gateways[i].trusted && h->gateways[i].online;
	}
}

size_t hints_gateways(const struct hints *h)
{
	return h->n_gateways;
}

const struct hint_gateway *hints_gateway(const struct hints *h, size_t i)
{
	return &h->gateways[i];
}
