/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for findings, adds their elements, then remembers and reports them. Between the verdict and the element a harmless name
 * may be seen at the same address, so that is asked once more behind the adding. */
#include "daemon/adder.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/log.h"
#include "daemon/worker.h"

/* Elements of one batch: the kernel's locks are held for less than a millisecond. */
#define BATCH 32
/* A set that is full is asked again after so long: each refusal costs the kernel some ten milliseconds. */
#define FULL_PAUSE_S 2

struct adder {
	pthread_t thread;
	const struct worker_shared *shared;
	pthread_mutex_t lock;
	pthread_cond_t filled, settled;
	bool stop;
	unsigned first, n;
	uint64_t put, done;	/* lessons ever put here, and done with */
	struct lesson waiting[ADDER_LESSONS];
	/* the thread's own */
	struct lesson batch[BATCH];
	bool taken[BATCH];
	uint64_t full_until_s[4];	/* of each kind of set; 0: it was not full */
	uint64_t said_full_s;
	atomic_uint_fast64_t failed;
};

static uint64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec;
}

/* A set that is full stays so for a while: said once an hour, counted always. */
static void not_taught(struct adder *a)
{
	static const char what[] = "set_full", detail[] = "the kernel takes no more endpoints; each connection is still judged and blocked";
	struct event e;

	atomic_fetch_add_explicit(&a->failed, 1, memory_order_relaxed);
	if (a->said_full_s && now_s() - a->said_full_s < 3600)
		return;
	a->said_full_s = now_s();
	log_info("%s: %s", what, detail);
	event_note(&e, what, detail);
	ring_put(a->shared->events, &e);
}

/* Between the verdict and the lesson a harmless name may have been seen there, by any worker. */
static void heed_tenants(struct adder *a, struct lesson *l)
{
	const struct element *e = &l->element;

	if (!learnt_has_neighbours(l->event.evidence, l->event.app) ||
	    tenants_teach(a->shared->tenants, e->dst, e->proto, e->port))
		return;
	table_delete(a->shared->table, e, 1, NULL);
	learnt_forget(a->shared->learnt, e);
	l->event.learned = SCOPE_FLOW;
}

/* Until when the set that this element belongs into is not to be asked. */
static uint64_t *full_until(struct adder *a, const struct element *e)
{
	return &a->full_until_s[(e->pair ? 2 : 0) + (e->family == 6)];
}

static bool add_one(struct adder *a, const struct element *e)
{
	uint64_t *until = full_until(a, e);
	size_t one = 0;

	if (now_s() < *until)
		return false;
	table_add(a->shared->table, e, 1, &one);
	*until = one ? 0 : now_s() + FULL_PAUSE_S;
	return one;
}

/* All in one batch; where the kernel does not take them all, or did not lately, one after the other tells which. */
static void add(struct adder *a, unsigned n)
{
	struct element elements[BATCH];
	size_t wanted = 0, done = 0;
	bool was_full = false;

	for (unsigned i = 0; i < n; i++) {
		if (!a->batch[i].teach)
			continue;
		elements[wanted++] = a->batch[i].element;
		was_full |= *full_until(a, &a->batch[i].element) != 0;
	}
	if (wanted && !was_full)
		table_add(a->shared->table, elements, wanted, &done);
	for (unsigned i = 0; i < n; i++)
		a->taken[i] = a->batch[i].teach && (done == wanted || add_one(a, &a->batch[i].element));
}

static void finish(struct adder *a, struct lesson *l, bool taken)
{
	if (l->teach && !taken)
		not_taught(a);
	if (taken) {
		l->event.learned = l->element.pair ? SCOPE_PAIR : SCOPE_ENDPOINT;
		learnt_put(a->shared->learnt, &l->element, &l->event, now_s());
		heed_tenants(a, l);
	}
	if (l->event.mac_known)
		learnt_host(a->shared->learnt, l->event.subject.src, l->event.family, l->event.mac, now_s());
	ring_put(a->shared->events, &l->event);
}

/* Says that `done` are done with, waits until there is something, and takes it out. 0: the end. */
static unsigned take(struct adder *a, unsigned done)
{
	unsigned n = 0;

	pthread_mutex_lock(&a->lock);
	a->done += done;
	pthread_cond_broadcast(&a->settled);
	while (!a->n && !a->stop)
		pthread_cond_wait(&a->filled, &a->lock);
	for (; a->n && n < BATCH; n++, a->n--) {
		a->batch[n] = a->waiting[a->first];
		a->first = (a->first + 1) % ADDER_LESSONS;
	}
	pthread_mutex_unlock(&a->lock);
	return n;
}

static void *run(void *arg)
{
	struct adder *a = arg;
	unsigned n = 0;

	while ((n = take(a, n)) > 0) {
		add(a, n);
		for (unsigned i = 0; i < n; i++)
			finish(a, &a->batch[i], a->taken[i]);
	}
	return NULL;
}

void adder_put(struct adder *a, const struct lesson *lessons, size_t n)
{
	size_t i;

	if (!n)
		return;
	pthread_mutex_lock(&a->lock);
	for (i = 0; i < n && a->n < ADDER_LESSONS; i++)
		a->waiting[(a->first + a->n++) % ADDER_LESSONS] = lessons[i];
	a->put += i;
	pthread_cond_signal(&a->filled);
	pthread_mutex_unlock(&a->lock);
	for (; i < n; i++) {
		if (lessons[i].teach)
			atomic_fetch_add_explicit(&a->failed, 1, memory_order_relaxed);
		ring_put(a->shared->events, &lessons[i].event);
	}
}

void adder_settle(struct adder *a)
{
	uint64_t before;

	pthread_mutex_lock(&a->lock);
	before = a->put;	/* what comes meanwhile is not waited for: it may never end */
	while (a->done < before)
		pthread_cond_wait(&a->settled, &a->lock);
	pthread_mutex_unlock(&a->lock);
}

uint64_t adder_failed(const struct adder *a)
{
	return atomic_load_explicit(&a->failed, memory_order_relaxed);
}

int adder_start(struct adder **out, const struct worker_shared *shared)
{
	struct adder *a = calloc(1, sizeof(*a));
	int err;

	*out = NULL;
	if (!a)
		return -ENOMEM;
	a->shared = shared;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->filled, NULL);
	pthread_cond_init(&a->settled, NULL);
	err = -pthread_create(&a->thread, NULL, run, a);
	if (err) {
		free(a);
		return err;
	}
	*out = a;
	return 0;
}

void adder_stop(struct adder *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->filled);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->filled);
	pthread_cond_destroy(&a->settled);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
