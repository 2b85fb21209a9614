/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Only endpoints leave: address, protocol, port and dialect of what protocol evidence taught. Sends never wait; what was not taken is
 * told again, whole, when there is room. */
#include "daemon/fleet.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/apply.h"
#include "daemon/beside.h"
#include "daemon/daemon.h"
#include "daemon/fleet_link.h"
#include "daemon/log.h"
#include "policy/fleet.h"

/* Bytes for its process that may wait. */
#define WAITING_MAX (4u << 20)
/* Items of one message. */
#define ITEMS_MAX 500
#define REMEMBERED_BYTES 32768
/* Endpoints that are taught in one batch: the kernel's locks are held for less than a millisecond. */
#define BATCH 32
/* Messages that are taken before everybody else gets his turn: some milliseconds' worth. */
#define MESSAGES_AT_ONCE 256
/* What is taught is summed up in one line. */
#define NOTE_EVERY_S 10

struct fleet {
	struct beside *process;
	struct fleet_settings settings;	/* of the start: its copy is the process's */
	bool again;			/* something was not taken: all is told again */
	bool hello;			/* it has asked, and may be told */
	char *report;
	uint64_t taught, let_go, failed;	/* endpoints, ever */
	uint64_t to_note, noted_s;
	struct element batch[BATCH];
	size_t n_batch;
	bool deleting;			/* the batch is of those to be let go of */
};

static struct fleet_settings settings_of(const struct daemon *d)
{
	struct fleet_settings s;

	memset(&s, 0, sizeof(s));
	s.policy = *policy_fleet(d->policy);
	snprintf(s.seed, sizeof(s.seed), "%.4000s/" FLEET_SEED, d->settings->state);
	s.monitor = d->settings->mode == MODE_MONITOR;
	return s;
}

#ifdef HAVE_FLEET

void fleet_start(struct daemon *d)
{
	struct fleet *f = *policy_fleet(d->policy)->host ? calloc(1, sizeof(*f)) : NULL;
	struct beside_job job = { .name = "mw-fleet", .open = fleet_open_files, .work = fleet_work, .waiting_max = WAITING_MAX };
	int err;

	if (!f)
		return;
	f->settings = settings_of(d);
	job.arg = &f->settings;
	err = beside_start(&f->process, &job);
	if (err) {
		log_warn(err, "the fleet's process cannot be started: nothing is learnt from other gateways");
		free(f);
		return;
	}
	d->fleet = f;
}

#else

void fleet_start(struct daemon *d)
{
	if (*policy_fleet(d->policy)->host)
		log_info("fleet: built without libmosquitto or libsodium: nothing is learnt from other gateways");
}

#endif

void fleet_stop(struct daemon *d)
{
	struct fleet *f = d->fleet;

	if (!f)
		return;
	beside_stop(f->process);
	free(f->report);
	free(f);
	d->fleet = NULL;
}

int fleet_fd(const struct daemon *d)
{
	return d->fleet ? beside_fd(d->fleet->process) : -1;
}

/* ---- to the process ---- */

static struct hint_endpoint endpoint_of(const uint8_t address[16], uint8_t family, uint8_t proto, uint16_t port)
{
	struct hint_endpoint at;

	memset(&at, 0, sizeof(at));
	memcpy(at.addr, address, sizeof(at.addr));
	at.family = family;
	at.proto = proto;
	at.port = port;
	return at;
}

static void say(struct fleet *f, char what, const void *bytes, size_t len)
{
	/* it has not asked yet, and is told all then */
	if (f && f->hello && !beside_say(f->process, what, bytes, len))
		f->again = true;
}

static void say_item(struct fleet *f, char what, const struct fleet_item *item)
{
	say(f, what, item, sizeof(*item));
}

/* Is it evidence that others may have? What HTTP carries may be one of many at its address. */
static bool is_shared(const struct event *e)
{
	return e->evidence == EVIDENCE_PROTOCOL && e->kind == MINING_STRATUM && e->carrier == CARRIER_STREAM && !*e->fleet;
}

struct gathering {
	struct fleet *f;
	struct fleet_item items[ITEMS_MAX];
	size_t n;
};

static void send_items(struct gathering *g)
{
	if (g->n)
		say(g->f, FLEET_TAUGHT, g->items, g->n * sizeof(g->items[0]));
	g->n = 0;
}

static void gather_taught(const struct element *e, const struct event *why, void *arg)
{
	struct gathering *g = arg;
	struct fleet_item *item = &g->items[g->n];

	if (e->pair || !is_shared(why))
		return;
	*item = (struct fleet_item) { .at = endpoint_of(e->dst, e->family, e->proto, e->port), .left_s = e->timeout_s };
	hint_dialect(item->dialect, why->dialect);
	if (++g->n == ITEMS_MAX)
		send_items(g);
}

static void tell_taught(struct daemon *d)
{
	struct gathering *g = calloc(1, sizeof(*g));

	if (!g)
		return;
	g->f = d->fleet;
	say(g->f, FLEET_FIRST, NULL, 0);
	learnt_each(d->shared.learnt, daemon_now_s(), gather_taught, g);
	send_items(g);
	say(g->f, FLEET_LAST, NULL, 0);
	free(g);
}

/* Lessons, one behind the other. */
struct remembering {
	struct fleet *f;
	char bytes[REMEMBERED_BYTES];
	size_t len;
};

static void send_remembered(struct remembering *r)
{
	if (r->len)
		say(r->f, FLEET_REMEMBERED, r->bytes, r->len);
	r->len = 0;
}

static void gather_remembered(const struct element *e, const struct learnt_fleet *why, void *arg)
{
	struct fleet_item item = { .at = endpoint_of(e->dst, e->family, e->proto, e->port), .left_s = e->timeout_s };
	size_t len = strlen(why->gateways) + 1;
	struct remembering *r = arg;

	if (len > HINTS_GATEWAYS_TEXT)
		return;
	if (r->len + sizeof(item) + len > sizeof(r->bytes))
		send_remembered(r);
	hint_dialect(item.dialect, why->dialect);
	memcpy(r->bytes + r->len, &item, sizeof(item));
	memcpy(r->bytes + r->len + sizeof(item), why->gateways, len);
	r->len += sizeof(item) + len;
}

static void tell_remembered(struct daemon *d)
{
	struct remembering *r = calloc(1, sizeof(*r));

	if (!r)
		return;
	r->f = d->fleet;
	learnt_each_fleet(d->shared.learnt, daemon_now_s(), gather_remembered, r);
	send_remembered(r);
	free(r);
}

/* To one that is new, with what the fleet taught before; or to one that knows that. */
static void tell_all(struct daemon *d, bool fresh)
{
	struct fleet_settings s = settings_of(d);
	struct fleet *f = d->fleet;

	f->again = false;
	beside_drop(f->process);	/* it is said again */
	say(f, FLEET_SETTINGS, &s, sizeof(s));
	if (fresh)
		tell_remembered(d);
	tell_taught(d);
}

void fleet_settings(struct daemon *d)
{
	if (d->fleet && d->fleet->hello)
		tell_all(d, false);
}

void fleet_heir(struct daemon *d)
{
	if (d->fleet && d->fleet->hello)
		tell_all(d, true);
}

/* Weaker evidence of our own; a DNS message goes to a resolver. */
static bool points(const struct event *e)
{
	return (e->evidence == EVIDENCE_NAME || e->evidence == EVIDENCE_SCORE) && e->app != APP_DNS && !e->hygiene;
}

void fleet_event(struct daemon *d, const struct event *e)
{
	struct fleet_item item = { .at = endpoint_of(e->subject.dst, e->family, e->subject.proto, e->subject.dport) };
	struct element element = { .family = e->family, .proto = e->subject.proto, .port = e->subject.dport };

	if (!d->fleet || *e->note)
		return;
	if (points(e)) {
		say_item(d->fleet, FLEET_POINTS, &item);
	} else if (e->learned == SCOPE_ENDPOINT && is_shared(e)) {
		memcpy(element.dst, e->subject.dst, sizeof(element.dst));
		item.left_s = learnt_left_s(d->shared.learnt, &element, daemon_now_s());
		hint_dialect(item.dialect, e->dialect);
		if (item.left_s)
			say_item(d->fleet, FLEET_TAUGHT, &item);
	}
}

static void say_element(struct daemon *d, char what, const struct element *e)
{
	struct fleet_item item = { .at = endpoint_of(e->dst, e->family, e->proto, e->port), .why = HINT_POLICY };

	if (d->fleet && !e->pair)
		say_item(d->fleet, what, &item);
}

void fleet_unjustified(struct daemon *d, const struct element *e)
{
	say_element(d, FLEET_DROPPED, e);
}

void fleet_unblocked(struct daemon *d, const struct element *e)
{
	say_element(d, FLEET_DROPPED, e);
	say_element(d, FLEET_MUTED, e);
}

/* ---- from the process ---- */

/* Nothing of it is written at once: a fleet teaches all the time, and what a power cut takes the broker tells again. */

static struct element element_of(const struct fleet_item *i)
{
	struct element e = { .family = i->at.family, .proto = i->at.proto, .port = i->at.port, .timeout_s = i->left_s };

	memcpy(e.dst, i->at.addr, sizeof(e.dst));
	return e;
}

static void reason_of(const struct daemon *d, const struct fleet_lesson *l, struct event *why)
{
	struct learnt_fleet from = { .dialect = l->item.dialect, .gateways = l->gateways };
	struct element e = element_of(&l->item);

	learnt_fleet_event(&e, &from, why);
	why->generation = d->generation;
	clock_gettime(CLOCK_REALTIME, &why->when);
}

/* ACCEPTED: taught, or it would be. */
static enum hint_result judge(struct daemon *d, const struct element *e, const struct event *why)
{
	struct subject who = { .dport = e->port, .proto = e->proto, .when_s = time(NULL) };
	struct hint_endpoint at = endpoint_of(e->dst, e->family, e->proto, e->port);

	memcpy(who.dst, e->dst, sizeof(who.dst));
	/* its process has judged so already, but that one reads what a broker sends */
	if ((e->family != 4 && e->family != 6) || e->proto != IPPROTO_TCP || hint_reserved(&at))
		return HINT_RESERVED;
	if (policy_decide_address(d->shared.policy, &who).action == ACTION_ALLOW)
		return HINT_LOCAL_ALLOW;
	if (policy_shared_address(d->shared.policy, e->dst) || (d->settings->mode == MODE_ENFORCE && !apply_justified(d, e, why)))
		return HINT_POLICY;
	return HINT_ACCEPTED;
}

static void do_batch(struct daemon *d)
{
	struct fleet *f = d->fleet;
	size_t done = 0;

	if (f->n_batch && f->deleting)
		table_delete(d->shared.table, f->batch, f->n_batch, NULL);
	else if (f->n_batch && table_add(d->shared.table, f->batch, f->n_batch, &done))
		f->failed += f->n_batch - done;
	f->n_batch = 0;
}

/* One kind at a time, as they come: the same element may be let go of and taught anew. */
static void put_batch(struct daemon *d, const struct element *e, bool deleting)
{
	struct fleet *f = d->fleet;

	if (f->n_batch == BATCH || f->deleting != deleting)
		do_batch(d);
	f->deleting = deleting;
	f->batch[f->n_batch++] = *e;
}

static void refuse(struct daemon *d, const struct fleet_item *i, enum hint_result why)
{
	struct fleet_item item = *i;

	item.why = (uint32_t)why;
	say_item(d->fleet, FLEET_REFUSED, &item);
}

/* At most half of the kernel's set: what our own traffic teaches finds room. */
static bool has_room(const struct daemon *d, const struct element *e)
{
	return learnt_fleet_count(d->shared.learnt) < d->settings->memory_endpoints / 2 || learnt_is_fleet(d->shared.learnt, e);
}

static void learn(struct daemon *d, const struct fleet_lesson *l)
{
	struct element e = element_of(&l->item);
	struct learnt_fleet from = { .dialect = l->item.dialect, .gateways = l->gateways };
	uint32_t longest = d->settings->endpoint_timeout_s;
	struct event why;
	enum hint_result is;

	if (d->paused_until_s)		/* its end tells all again */
		return;
	reason_of(d, l, &why);
	is = judge(d, &e, &why);
	if (is == HINT_ACCEPTED && d->settings->mode == MODE_ENFORCE && !has_room(d, &e))
		is = HINT_FULL;
	if (is != HINT_ACCEPTED || d->settings->mode != MODE_ENFORCE) {
		refuse(d, &l->item, is);
		return;
	}
	e.timeout_s = e.timeout_s < longest ? e.timeout_s : longest;
	learnt_put_fleet(d->shared.learnt, &e, &from, daemon_now_s());
	d->fleet->taught++;
	d->fleet->to_note++;
	/* what our own traffic taught lasts at least as long as it said itself */
	if (learnt_left_s(d->shared.learnt, &e, daemon_now_s()) >= e.timeout_s)
		return;
	put_batch(d, &e, false);
	cut_taught(d, &why);
}

static void forget(struct daemon *d, const struct fleet_item *i)
{
	struct element e = element_of(i);

	if (!learnt_drop_fleet(d->shared.learnt, &e))
		return;
	d->fleet->let_go++;
	if (!learnt_left_s(d->shared.learnt, &e, daemon_now_s()) && !d->paused_until_s)
		put_batch(d, &e, true);
}

static void note_taught(struct daemon *d)
{
	struct fleet *f = d->fleet;
	char detail[96];

	if (!f->to_note || daemon_now_s() - f->noted_s < NOTE_EVERY_S)
		return;
	snprintf(detail, sizeof(detail), "%llu endpoints that other gateways have seen; `minewall fleet log` names them",
		 (unsigned long long)f->to_note);
	daemon_note(d, "fleet_taught", detail);
	f->to_note = 0;
	f->noted_s = daemon_now_s();
}

static void take_report(struct fleet *f, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return;
	free(f->report);
	f->report = copy;
}

static void take(struct daemon *d, int what, const char *bytes, size_t len)
{
	struct fleet_lesson l;
	struct fleet_item i;

	if (what == FLEET_LESSON && len == sizeof(l)) {
		memcpy(&l, bytes, len);
		l.gateways[sizeof(l.gateways) - 1] = l.item.dialect[sizeof(l.item.dialect) - 1] = '\0';
		learn(d, &l);
	} else if (what == FLEET_FORGET && len == sizeof(i)) {
		memcpy(&i, bytes, len);
		forget(d, &i);
	} else if (what == FLEET_REPORT) {
		take_report(d->fleet, bytes);
	}
}

void fleet_heed(struct daemon *d)
{
	const char *bytes;
	size_t len;
	int what;

	for (int left = MESSAGES_AT_ONCE; left && (what = beside_hear(d->fleet->process, &bytes, &len)) != 0; left--) {
		if (what != FLEET_HELLO) {
			take(d, what, bytes, len);
			continue;
		}
		d->fleet->hello = true;
		/* two of one name would throw each other out: it waits for the one before to end */
		if (!d->n_queue_fds || d->heir < 0)
			tell_all(d, true);
	}
	do_batch(d);
	note_taught(d);
	beside_flush(d->fleet->process);
}

bool fleet_waits(const struct daemon *d)
{
	return d->fleet && beside_waits(d->fleet->process);
}

void fleet_tick(struct daemon *d)
{
	if (!d->fleet)
		return;
	if (beside_gone(d->fleet->process))
		daemon_note(d, "fleet_gone", "the fleet's process was killed: nothing is learnt from other gateways until minewall is started anew");
	note_taught(d);
	if (d->fleet->again && !fleet_waits(d))
		tell_all(d, true);
}

json_t *fleet_json(struct daemon *d, bool whole)
{
	struct fleet *f = d->fleet;
	json_t *j;

	if (!f)
		return NULL;
	j = f->report ? json_loads(f->report, 0, NULL) : NULL;
	if (!j)
		j = json_pack("{s:s, s:b}", "broker", f->settings.policy.host, "connected", false);
	if (!whole) {
		json_object_del(j, "gateways");
		json_object_del(j, "log");
	}
	json_object_set_new(j, "monitor", json_boolean(d->settings->mode == MODE_MONITOR));
	json_object_set_new(j, "taught", json_integer((json_int_t)learnt_fleet_count(d->shared.learnt)));
	json_object_set_new(j, "taught_total", json_integer((json_int_t)f->taught));
	json_object_set_new(j, "let_go_total", json_integer((json_int_t)f->let_go));
	json_object_set_new(j, "not_taught", json_integer((json_int_t)f->failed));
	json_object_set_new(j, "lost", json_integer((json_int_t)beside_lost(f->process)));
	return j;
}
