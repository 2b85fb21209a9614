/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goes through the conntrack table and marks BLOCKED what must not go on. A pass costs about a microsecond a flow, so passes keep a
 * distance of many times what the last one took. */
#include "daemon/cut.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/apply.h"
#include "daemon/log.h"
#include "nft/connmark.h"

/* Of the main thread's time passes take a twentieth at most. */
#define PAUSE_TIMES 20
#define PAUSE_MIN_MS 500
/* A flow whose first packet was on its way when its endpoint was taught is found by the second pass. One that is taken off the fast way
 * comes back as a new one with its next packet, which may be a while. */
#define PASSES 2
#define PASSES_OFFLOAD 10

struct pass {
	struct daemon *d;
	struct connmark *connmark;
	const struct element *taught;		/* sorted by compare_elements */
	size_t n_taught;
	bool by_policy;			/* addresses that the policy blocks, besides */
	unsigned shift;
	int64_t when_s;
	size_t cut;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* An endpoint's source is all zero, which no flow's is. */
static int compare_elements(const void *a, const void *b)
{
	const struct element *x = a, *y = b;
	int by_dst = memcmp(x->dst, y->dst, sizeof(x->dst)), by_src = memcmp(x->src, y->src, sizeof(x->src));

	return by_dst ? by_dst : x->port != y->port ? (int)x->port - y->port : x->proto != y->proto ? (int)x->proto - y->proto : by_src;
}

static bool is_taught(const struct pass *c, const struct subject *who)
{
	struct element e = { .port = who->dport, .proto = who->proto };
	bool found;

	memcpy(e.dst, who->dst, sizeof(e.dst));
	found = c->n_taught && bsearch(&e, c->taught, c->n_taught, sizeof(e), compare_elements);
	memcpy(e.src, who->src, sizeof(e.src));
	return found || (c->n_taught && bsearch(&e, c->taught, c->n_taught, sizeof(e), compare_elements));
}

/* A flow that was picked up in the middle, by a packet of its server's: the kernel takes that one for who opened it. */
static void turn(struct subject *who)
{
	struct subject as = *who;

	memcpy(who->src, as.dst, sizeof(who->src));
	memcpy(who->dst, as.src, sizeof(who->dst));
	who->sport = as.dport;
	who->dport = as.sport;
}

static bool must_end(const struct connmark_tuple *t, uint32_t mark, void *arg)
{
	struct pass *c = arg;
	const struct policy *p = c->d->shared.policy;
	struct subject who = { .sport = t->sport, .dport = t->to_port, .proto = t->proto, .when_s = c->when_s };
	enum action action;
	bool taught;

	if ((mark & policy_settings(p)->mark_mask) >> c->shift == STATE_BLOCKED)
		return false;
	memcpy(who.src, t->src, sizeof(who.src));
	memcpy(who.dst, t->to, sizeof(who.dst));	/* as packets look where they are judged */
	taught = is_taught(c, &who);
	if (!taught) {
		turn(&who);
		taught = is_taught(c, &who);
		if (!taught)
			turn(&who);
	}
	if (!taught && !c->by_policy)
		return false;
	action = policy_decide_address(p, &who).action;
	/* Connection tracking knows no link: such flows are the workers', who judge them anew, too. */
	return ((c->by_policy && action == ACTION_BLOCK) || (action != ACTION_ALLOW && taught)) && !policy_may_spare(p, &who);
}

static int end_flow(const struct connmark_tuple *t, uint32_t mark, void *arg)
{
	struct pass *c = arg;
	const struct settings *s = policy_settings(c->d->shared.policy);

	(void)mark;
	if (connmark_set(c->connmark, t, (uint32_t)STATE_BLOCKED << c->shift, s->mark_mask))
		return 0;
	c->cut++;
	if (s->offload)		/* the fast way asks no mark */
		connmark_tear(c->connmark, t);
	return 0;
}

static void end_flows(struct daemon *d, const struct element *taught, size_t n, bool by_policy)
{
	const struct settings *s = policy_settings(d->shared.policy);
	struct pass c = { .d = d, .taught = taught, .n_taught = n, .by_policy = by_policy,
			  .shift = (unsigned)__builtin_ctz(s->mark_mask), .when_s = time(NULL) };

	if (s->mode != MODE_ENFORCE || (!n && !by_policy) || connmark_open(&c.connmark))
		return;
	connmark_each(c.connmark, must_end, end_flow, &c);
	connmark_close(c.connmark);
	if (c.cut)
		log_info("%zu open flows to blocked addresses are ended", c.cut);
}

void cut_blocked(struct daemon *d)
{
	const struct policy *p = d->shared.policy;
	size_t n = 0;
	struct element *taught = apply_elements(d, &n);

	if (n)
		qsort(taught, n, sizeof(*taught), compare_elements);
	/* A table with only allowances and names has nothing to ask of addresses. */
	end_flows(d, taught, n, policy_blocks_addresses(p) || policy_rules(p));
	free(taught);
}

void cut_taught(struct daemon *d, const struct event *e)
{
	struct cut *cut = &d->cut;
	struct element *element;

	if (cut->n == CUT_FRESH_MAX) {
		cut->all = true;
		return;
	}
	element = &cut->fresh[cut->n].element;
	memset(element, 0, sizeof(*element));
	if (e->learned == SCOPE_PAIR)
		memcpy(element->src, e->subject.src, sizeof(element->src));
	memcpy(element->dst, e->subject.dst, sizeof(element->dst));
	element->family = e->family;
	element->pair = e->learned == SCOPE_PAIR;
	element->port = e->subject.dport;
	element->proto = e->subject.proto;
	cut->fresh[cut->n++].left = d->settings->offload ? PASSES_OFFLOAD : PASSES;
}

int cut_due_ms(const struct daemon *d, int other)
{
	uint64_t now = now_ms();
	int due = d->cut.next_ms <= now ? 0 : (int)(d->cut.next_ms - now);

	if (!d->cut.n && !d->cut.all)
		return other;
	return other >= 0 && other < due ? other : due;
}

/* Those that had their turns go. */
static void count_down(struct cut *cut)
{
	size_t kept = 0;

	for (size_t i = 0; i < cut->n; i++)
		if (--cut->fresh[i].left)
			cut->fresh[kept++] = cut->fresh[i];
	cut->n = kept;
}

/* Without what was given back meanwhile, as a harmless name was seen there. */
static void pass(struct daemon *d)
{
	struct element taught[CUT_FRESH_MAX] = { 0 };
	struct event why;
	size_t n = 0;

	for (size_t i = 0; i < d->cut.n; i++)
		if (learnt_get(d->shared.learnt, &d->cut.fresh[i].element, &why))
			taught[n++] = d->cut.fresh[i].element;
	qsort(taught, n, sizeof(taught[0]), compare_elements);
	end_flows(d, taught, n, false);
}

void cut_tick(struct daemon *d)
{
	uint64_t began = now_ms(), took, lost = ring_lost(d->shared.events);

	d->cut.all |= lost != d->cut.lost;
	d->cut.lost = lost;
	if ((!d->cut.n && !d->cut.all) || began < d->cut.next_ms)
		return;
	if (d->cut.all && !d->paused_until_s)
		cut_blocked(d);
	else if (!d->paused_until_s)
		pass(d);
	d->cut.all = false;
	count_down(&d->cut);
	took = (now_ms() - began) * PAUSE_TIMES;
	d->cut.next_ms = began + (took > PAUSE_MIN_MS ? took : PAUSE_MIN_MS);
}
