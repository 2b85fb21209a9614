/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Performs the pipeline's outcomes. The order matters: verdicts leave first, in one send; only then the findings go
 * to the adder, which teaches the kernel and lets the main loop hear of them. */
#include "daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/log.h"
#include "daemon/reach.h"
#include "nft/connmark.h"
#include "nft/starts.h"

_Static_assert(QUEUE_STATE_OLDER_ORIGINAL == STATE_OLDER_ORIGINAL && QUEUE_STATE_OLDER_REPLY == STATE_OLDER_REPLY &&
	       QUEUE_STATE_PENDING == STATE_PENDING && QUEUE_STATE_REPLY == STATE_REPLY,
	       "the rules and the reader agree on the values in the packet mark");

struct worker {
	pthread_t thread;
	const struct worker_shared *shared;
	const struct settings *settings;
	struct queue *queue;
	struct pipeline *pipeline;
	struct connmark *connmark;
	struct starts *starts;
	unsigned index, shift;
	_Atomic(const struct policy *) policy;
	atomic_bool rejudging, again;
	uint32_t cursor;
	atomic_bool stop;
	atomic_uint_fast64_t turns;	/* of its loop */
	uint64_t turns_seen;		/* the main loop's */
	bool refused;		/* the queue cannot be read, and this was said */
	bool interfaces_full;	/* ... and this */
	struct worker_counters counters;
	bool wipe;		/* a wallet may stand in the packets of this batch */
	unsigned n_lessons;	/* for the adder, once the verdicts are sent */
	struct lesson lessons[QUEUE_BATCH];
};

/* One writer each, so no locked instruction is needed. */
static void count(atomic_uint_fast64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* The mark of a packet that this host sends itself steers its route (WireGuard, policy routing): such a packet keeps its
 * mark, and the flow's state goes through ctnetlink. False: it could not be set. */
static bool mark_flow(struct worker *w, const struct outcome *o, enum state state)
{
	struct connmark_tuple t = { .sport = o->subject.sport, .dport = o->subject.dport, .family = o->family,
				    .proto = o->subject.proto };

	if (o->turned) {
		t.sport = o->subject.dport;
		t.dport = o->subject.sport;
	}
	memcpy(t.src, o->turned ? o->subject.dst : o->subject.src, sizeof(t.src));
	memcpy(t.dst, o->turned ? o->subject.src : o->subject.dst, sizeof(t.dst));
	if (connmark_set(w->connmark, &t, (uint32_t)state << w->shift, w->settings->mark_mask) &&
	    connmark_set_behind(w->connmark, &t, (uint32_t)state << w->shift, w->settings->mark_mask))
		return false;
	if (w->settings->offload && state != STATE_PASS)
		connmark_tear(w->connmark, &t);
	return true;
}

/* Exactly one verdict for each packet. A blocked one is accepted with the mark BLOCKED: the late chain drops it there and
 * resets both sides in the same pass. */
static void give_verdict(struct worker *w, const struct queued *packet, const struct outcome *o)
{
	enum state state = o->verdict == VERDICT_BLOCK ? STATE_BLOCKED :
			   o->verdict == VERDICT_CLEAR ? STATE_PENDING :
			   o->verdict == VERDICT_PASS ? STATE_PASS :
			   o->verdict == VERDICT_RESUME ? STATE_INSPECTING : STATE_OLDER;
	bool by_netlink = packet->output && packet->mark != 0 && state != STATE_OLDER, marked = true;

	if (o->verdict == VERDICT_DROP) {
		queue_drop(w->queue, packet);
		if (o->refuse)
			refuse_send(w->shared->refuse, o, packet->interface);
		return;
	}
	if (by_netlink)
		marked = mark_flow(w, o, state);
	if (o->verdict == VERDICT_BLOCK && !marked)
		queue_drop(w->queue, packet);
	else if (by_netlink || (packet->output && state == STATE_OLDER))
		queue_accept(w->queue, packet, 0);
	else	/* the late chain looks at what bears a mark of ours alone: one that says nothing, where there is nothing to say */
		queue_accept(w->queue, packet, state == STATE_OLDER ? STATE_OLDER_ORIGINAL : state);
}

/* An address of a private network (RFC 1918, 3927, 4193, 4291). */
static bool is_private(const uint8_t a[16], uint8_t family)
{
	const uint8_t *b = a + 12;

	if (family == 6)
		return (a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80);
	return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254);
}

/* What the kernel is to learn from this finding. */
static bool lesson_element(const struct worker *w, const struct outcome *o, const struct packet *packet, struct element *e)
{
	memset(e, 0, sizeof(*e));
	memcpy(e->src, o->subject.src, sizeof(e->src));
	memcpy(e->dst, o->subject.dst, sizeof(e->dst));
	e->family = o->family;
	e->proto = o->subject.proto;
	e->port = o->subject.dport;
	e->timeout_s = o->decision.timeout_s;
	e->pair = o->decision.scope == SCOPE_PAIR;
	/* Anybody can send a SYN in another's name: what it carries says nothing of the address that it goes to. */
	if (packet && packet->tcp_flags & PACKET_SYN)
		return false;
	if (o->verdict != VERDICT_BLOCK || o->decision.action != ACTION_BLOCK || o->decision.scope == SCOPE_FLOW)
		return false;
	/* Without `interfaces.out` a connection from outside to an inside server is judged, too: one line of it must not have the
	 * kernel refuse that server to everybody. */
	if (o->decision.evidence == EVIDENCE_PROTOCOL && w->settings->n_out == 0 && is_private(e->dst, e->family))
		return false;
	/* What says nothing of the neighbours at the same address teaches only while there are none. */
	return !learnt_has_neighbours(o->decision.evidence, o->app) || tenants_teach(w->shared->tenants, e->dst, e->proto, e->port);
}

static void note_finding(struct worker *w, const struct queued *packet, const struct outcome *o)
{
	struct lesson *lesson = &w->lessons[w->n_lessons++];

	event_fill(&lesson->event, o, &packet->packet, w->shared->login_key, w->settings->log_wallets);
	clock_gettime(CLOCK_REALTIME, &lesson->event.when);
	lesson->event.generation = w->settings->generation;
	lesson->teach = lesson_element(w, o, &packet->packet, &lesson->element);
	count(&w->counters.found);
}

static void note_names(struct worker *w, const struct outcome *o)
{
	const struct subject *s = &o->subject;
	struct element pairs[32];
	size_t n;

	if (o->facts->n_names == 0 || o->facts->app == APP_DNS || o->verdict == VERDICT_BLOCK ||
	    !tenants_harmless(w->shared->tenants, s->dst, s->proto, s->dport))
		return;
	/* Rare: a blocked name and a harmless one share an address. What the blocked one taught is given back at once. */
	while ((n = learnt_take_named(w->shared->learnt, s->dst, s->proto, s->dport, pairs, 32)) > 0)
		table_delete(w->shared->table, pairs, n, NULL);
}

/* Before the client hears of it, and so before its SYN: what a blocked name taught about the address of a harmless one, at whatever
 * port, is given back. */
static void note_answers(struct worker *w, const struct outcome *o)
{
	struct element pairs[32];
	size_t n;

	for (unsigned i = 0; i < o->n_harmless; i++) {
		const uint8_t *address = o->harmless[i].addr;

		if (!tenants_resolved(w->shared->tenants, address))
			continue;
		while ((n = learnt_take_named(w->shared->learnt, address, 0, 0, pairs, 32)) > 0)
			table_delete(w->shared->table, pairs, n, NULL);
	}
}

/* Before a device in quarantine hears of it, and so before its SYN, what a name of the policy stands for is opened. */
static void note_opened(struct worker *w, const struct outcome *o, uint64_t now_ms)
{
	const struct policy *p = atomic_load_explicit(&w->policy, memory_order_relaxed);
	struct table_admitted admitted[FACTS_ANSWERS_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < o->n_opened; i++) {
		memcpy(admitted[n].address, o->opened[i].addr, sizeof(admitted[n].address));
		n += reach_opens(w->shared->reach, p, admitted[n].address, o->opened[i].ttl_s, now_ms, &admitted[n].timeout_s);
	}
	if (n && table_admit(w->shared->table, admitted, n))
		reach_forget(w->shared->reach);		/* the next answer tries again */
}

static void account(struct worker *w, const struct outcome *o, uint64_t now_s)
{
	struct worker_counters *c = &w->counters;

	count(o->verdict == VERDICT_BLOCK || o->verdict == VERDICT_DROP ? &c->blocked : 
	      o->verdict == VERDICT_CLEAR || o->verdict == VERDICT_PASS ? &c->cleared : &c->accepted);
	if (o->reason != REASON_NONE)
		count(&c->reasons[o->reason]);
	if (o->overload)
		count(&c->overload);
	if (o->overload || blind_reason(o->reason))
		blind_count(w->shared->blind, &o->subject, o->family, o->overload ? REASON_NONE : o->reason, now_s);
}

/* What the packet will need of memory is on its way before it is needed. */
static void expect(struct worker *w, struct queued *packet)
{
	if (!packet->parsed)
		return;
	pipeline_expect(w->pipeline, &packet->packet);
	tenants_expect(w->shared->tenants, packet->packet.dst, packet->packet.proto, packet->packet.dport);
}

static void judge(struct worker *w, const struct queued *packet, uint64_t now_ms)
{
	struct outcome o;

	count(&w->counters.packets);
	if (!packet->parsed) {
		/* The rules queue TCP and UDP with payload only: this one hides it behind headers that no host needs. */
		count(&w->counters.reasons[REASON_MALFORMED]);
		if (w->settings->mode == MODE_ENFORCE)
			queue_drop(w->queue, packet);
		else
			queue_accept(w->queue, packet, 0);
		return;
	}
	o = pipeline_packet(w->pipeline, &packet->packet, now_ms);
	note_answers(w, &o);
	if (o.n_opened)
		note_opened(w, &o, now_ms);
	give_verdict(w, packet, &o);
	account(w, &o, now_ms / 1000);
	if (o.event)
		note_finding(w, packet, &o);
	else
		note_names(w, &o);
	if (o.event && o.facts->mining)
		pipeline_wipe(w->pipeline);
	/* also what a miner says again after it was blocked */
	w->wipe |= o.event || o.verdict == VERDICT_BLOCK || o.verdict == VERDICT_DROP;
}

/* Who looks into our memory later finds no wallet. Only after a finding, so that ordinary traffic does not pay for it. */
static void wipe(struct worker *w)
{
	if (w->wipe)
		queue_wipe(w->queue);
	w->wipe = false;
}

static void note(struct worker *w, const char *what, const char *detail)
{
	struct event e;

	log_info("queue %u: %s: %s", queue_number(w->queue), what, detail);
	event_note(&e, what, detail);
	ring_put(w->shared->events, &e);
}

static void heed_interfaces(struct worker *w)
{
	if (w->interfaces_full || !queue_interfaces_full(w->queue))
		return;
	w->interfaces_full = true;
	note(w, "interfaces_full", "packets came in by more interfaces than there is room for names: rules with `if:` do not see the newest "
	     "until minewall is started anew");
}

static void teach(struct worker *w)
{
	adder_put(w->shared->adder, w->lessons, w->n_lessons);
	w->n_lessons = 0;
}

/* After the watchdog let go of the queue, or another error of the socket. */
static void rebind(struct worker *w)
{
	int err = queue_bind(w->queue);

	if (err)
		log_warn(err, "queue %u could not be bound again", queue_number(w->queue));
	else
		note(w, "reader_hung", "the reader had stopped; traffic passed unjudged until now");
}

static void receive_failed(struct worker *w, int err)
{
	struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };

	if (err == -ENOBUFS) {
		count(&w->counters.lost);
		return;
	}
	if (!w->refused)
		log_warn(err, "queue %u cannot be read, trying again%s", queue_number(w->queue),
			 err == -EPERM ? " (another program has taken it)" : "");
	w->refused = true;
	nanosleep(&pause, NULL);
	queue_bind(w->queue);
}

/* Flows judged anew in one go: well below a millisecond, so that no packet waits for it. */
#define REJUDGE_SLOTS 256

/* The next few flows that were accepted by the policy before: what is blocked now is cut, in the kernel and in our memory. */
static void rejudge(struct worker *w, uint64_t now_ms)
{
	struct outcome o;

	while (w->n_lessons < QUEUE_BATCH && pipeline_rejudge(w->pipeline, &w->cursor, REJUDGE_SLOTS, now_ms, time(NULL), &o)) {
		struct lesson *lesson = &w->lessons[w->n_lessons++];

		/* -ENOENT: it has ended by itself. */
		/* A silent one has its packets come here again. */
		if (!mark_flow(w, &o, o.verdict == VERDICT_DROP ? STATE_INSPECTING : STATE_BLOCKED)) {
			w->n_lessons--;
			continue;
		}
		event_fill(&lesson->event, &o, NULL, w->shared->login_key, w->settings->log_wallets);
		clock_gettime(CLOCK_REALTIME, &lesson->event.when);
		lesson->event.generation = w->settings->generation;
		lesson->teach = lesson_element(w, &o, NULL, &lesson->element);
		count(&w->counters.found);
	}
	if (w->n_lessons < QUEUE_BATCH && w->cursor == 0)
		atomic_store(&w->rejudging, false);
}

static void take_policy(struct worker *w)
{
	const struct policy *now = atomic_load_explicit(&w->shared->policy, memory_order_acquire);

	if (now == atomic_load_explicit(&w->policy, memory_order_relaxed) && !atomic_load_explicit(&w->again, memory_order_relaxed))
		return;
	atomic_store(&w->again, false);
	pipeline_policy(w->pipeline, now);
	w->settings = policy_settings(now);
	w->cursor = 0;
	atomic_store(&w->rejudging, true);
	atomic_store_explicit(&w->policy, now, memory_order_release);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	struct queued *batch;
	char name[16];

	snprintf(name, sizeof(name), "minewall-q%u", queue_number(w->queue));
	pthread_setname_np(pthread_self(), name);
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		int n = queue_receive(w->queue, &batch);
		uint64_t now_ms;

		for (int i = 0; i < n; i++)
			expect(w, &batch[i]);
		count(&w->turns);
		take_policy(w);
		watchdog_beat(w->shared->watchdog, w->index);
		if (watchdog_released(w->shared->watchdog, w->index))
			rebind(w);
		if (n < 0) {
			receive_failed(w, n);
			continue;
		}
		if (w->refused)
			log_info("queue %u is read again", queue_number(w->queue));
		w->refused = false;
		now_ms = queue_now_ms(w->queue);
		for (int i = 0; i < n; i++)
			judge(w, &batch[i], now_ms);
		queue_flush(w->queue);
		teach(w);
		wipe(w);
		heed_interfaces(w);
		if (pipeline_wants_memory(w->pipeline))
			prefaulter_ask(w->shared->prefaulter);
		if (atomic_load_explicit(&w->rejudging, memory_order_relaxed)) {
			rejudge(w, now_ms);
			teach(w);
		}
		atomic_store_explicit(&w->counters.flows, pipeline_flows(w->pipeline), memory_order_relaxed);
	}
	return NULL;
}

static bool start_of(void *arg, const struct packet *packet, uint32_t *start)
{
	const struct worker *w = arg;

	return starts_get(w->starts, packet->family, packet->src, packet->dst, packet->sport, packet->dport, start) == 0;
}

int worker_start(struct worker **out, const struct worker_shared *shared, struct queue *queue, unsigned index, unsigned share)
{
	const struct policy *policy = atomic_load(&shared->policy);
	const struct settings *settings = policy_settings(policy);
	struct pipeline_config config = {
		.flows = settings->memory_flows / share,
		.reassembly = settings->memory_reassembly / share,
		.key = { shared->hash_key[0], shared->hash_key[1] },
		.score = shared->score,
		.answers = shared->answers,
		.reach = shared->reach,
	};
	struct worker *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	*out = NULL;
	if (!w)
		goto out;
	w->shared = shared;
	w->settings = settings;
	w->index = index;
	w->shift = (unsigned)__builtin_ctz(settings->mark_mask);
	config.start = start_of;
	config.start_arg = w;
	w->pipeline = pipeline_new(&config);
	if (!w->pipeline)
		goto out;
	pipeline_policy(w->pipeline, policy);
	atomic_store(&w->policy, policy);
	err = connmark_open(&w->connmark);
	if (!err)
		err = starts_open(&w->starts);
	if (err)
		goto out;
	w->queue = queue;
	err = -pthread_create(&w->thread, NULL, run, w);
	if (!err) {
		prefaulter_watch(shared->prefaulter, index, w->pipeline);
		*out = w;
		return 0;
	}
out:
	if (w) {
		connmark_close(w->connmark);
		starts_close(w->starts);
		pipeline_free(w->pipeline);
	}
	free(w);
	return err;
}

void worker_stop(struct worker *w)
{
	if (!w)
		return;
	atomic_store(&w->stop, true);
	queue_wake(w->queue);
	pthread_join(w->thread, NULL);
	prefaulter_watch(w->shared->prefaulter, w->index, NULL);
	connmark_close(w->connmark);
	starts_close(w->starts);
	pipeline_free(w->pipeline);
	free(w);
}

const struct worker_counters *worker_counters(const struct worker *w)
{
	return &w->counters;
}

void worker_rejudge(struct worker *w)
{
	atomic_store(&w->again, true);
	queue_wake(w->queue);
}

void worker_wake(struct worker *w)
{
	queue_wake(w->queue);
}

bool worker_moved(struct worker *w)
{
	uint64_t turns = atomic_load_explicit(&w->turns, memory_order_relaxed), before = w->turns_seen;

	w->turns_seen = turns;
	queue_wake(w->queue);
	return turns != before;
}

const struct policy *worker_policy(const struct worker *w)
{
	return atomic_load_explicit(&w->policy, memory_order_acquire);
}

bool worker_rejudging(const struct worker *w)
{
	return atomic_load(&w->rejudging);
}
