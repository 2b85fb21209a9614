/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Swapping policies. Whatever can fail comes before the swap; workers take the new policy between two
 * batches, and the old one is freed when none of them uses it any more. */
#include "daemon/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/confine.h"
#include "daemon/cut.h"
#include "daemon/log.h"
#include "daemon/reach.h"
#include "policy/fleet.h"
#include "policy/reporting.h"

/* A worker takes a new policy at its next packet or wake-up; longer than this it is hung, and the old policy is left to it. */
#define SWAP_PATIENCE_MS 2000
/* How often a worker that judges old flows anew is woken: 256 flows each time, so 65,536 take some 3 s. */
#define REJUDGE_EVERY_MS 10

/* Networks of the policy, and those of the temporary allowances behind them. The caller frees. */
static struct table_network *table_networks(struct networks a, struct networks b, size_t *n)
{
	struct table_network *out = calloc(a.n + b.n + 1, sizeof(*out));

	*n = out ? a.n + b.n : 0;
	for (size_t i = 0; i < *n; i++) {
		const struct network *from = i < a.n ? &a.items[i] : &b.items[i - a.n];

		memcpy(out[i].addr, from->addr, sizeof(out[i].addr));
		out[i].prefix = from->prefix;
		out[i].port = from->port;
	}
	return out;
}

bool apply_guards(const struct daemon *d)
{
	return d->settings->guard_offload && d->can_guard;
}

/* A guard that this kernel cannot give is said, and the rest goes on: no firewall at all would be worse. */
static bool wants_guard(struct daemon *d, const struct settings *s)
{
	if (!s->guard_offload)
		return false;
	d->can_guard = table_can_guard(d->shared.table);
	if (!d->can_guard)
		log_info("guard_offload is not possible: this kernel lacks nf_conntrack_sane, nf_conntrack_netbios_ns or nf_conntrack_tftp");
	return d->can_guard;
}

/* Those interfaces of the policy that are there and can take part; each is asked for alone. A fast way that this kernel cannot give is
 * said, and everything takes the usual one. */
static bool wants_offload(struct daemon *d, const struct settings *s, const char *devices[POLICY_INTERFACES_MAX + 1])
{
	unsigned n = 0;

	for (unsigned i = 0; s->offload && i < s->n_offload; i++) {
		devices[n] = s->offload_devices[i];
		devices[n + 1] = NULL;
		if (table_can_offload(d->shared.table, &devices[n]))
			n++;
		else
			log_info("offload: interface %s is not there, or this kernel has no flowtables (nft_flow_offload); then `minewall reload`",
				 devices[n]);
	}
	devices[n] = NULL;
	if (s->offload && n == 0)
		log_info("offload is not possible; every flow takes the usual way");
	d->offloads = n > 0;
	return d->offloads;
}

int apply_open_refuse(struct daemon *d)
{
	const struct settings *s = d->settings;
	struct refuse *r;
	int err = refuse_open(&r, (uint32_t)STATE_PASS * (s->mark_mask & -s->mark_mask));

	if (err && s->dns_refused)
		log_warn(err, "detect: {dns: {answer: refused}} needs a raw socket: run as root or with CAP_NET_RAW, or say answer: drop");
	d->shared.refuse = r;
	return s->dns_refused ? err : 0;
}

/* At most as many as hygiene_ports tells. */
static size_t table_services(const struct settings *s, struct table_service *out)
{
	size_t n, used = 0;
	const struct hygiene_port *ports = hygiene_ports(&n);

	for (size_t i = 0; i < n; i++) {
		enum detect wanted = s->hygiene[ports[i].service];

		if (wanted != DETECT_OFF)
			out[used++] = (struct table_service){ ports[i].proto, ports[i].port, wanted == DETECT_BLOCK && s->mode == MODE_ENFORCE };
	}
	return used;
}

static int install(struct daemon *d, const struct policy *p)
{
	const struct settings *s = policy_settings(p);
	const char *out[POLICY_INTERFACES_MAX + 1] = { NULL }, *fast[POLICY_INTERFACES_MAX + 1];
	struct networks extra = policy_extra_addresses(p);
	struct table_config config = {
		.mark_mask = s->mark_mask, .forward = s->hook & HOOK_FORWARD, .output = s->hook & HOOK_OUTPUT, .out = out,
		.enforce = s->mode == MODE_ENFORCE, .reset = s->reset, .answers = s->dns_refused, .bypass = s->fail == FAIL_OPEN,
		.queue_first = s->queue_first, .queue_count = (uint16_t)d->n_queues, .set_size = s->memory_endpoints,
		.owned = s->own_table, .guard_offload = wants_guard(d, s),
		.offload = wants_offload(d, s, fast) ? fast : NULL,
	};
	struct table_network *exempt = table_networks(policy_exempt_hosts(p), extra, &config.n_exempt);
	struct table_network *allowed = table_networks(policy_allowed_addresses(p), extra, &config.n_allowed);
	struct table_service services[16];
	struct table_device devices[QUARANTINE_ELEMENTS];
	struct table_network reachable[REPORTING_ALLOWED_MAX];
	struct table_error error;
	int err = -EPERM;

	if (s->dns_refused && !d->shared.refuse) {
		log_info("detect: {dns: {answer: refused}} needs a raw socket, which was refused at the start");
		goto out;
	}
	err = -ENOMEM;
	/* An exempt host is exempt with all its ports. */
	for (size_t i = 0; i < config.n_exempt; i++)
		exempt[i].port = 0;
	config.exempt = exempt;
	config.allowed = allowed;
	config.services = services;
	config.n_services = table_services(s, services);
	for (unsigned i = 0; i < s->n_out; i++)
		out[i] = s->out[i];
	config.quarantine = quarantine_on(p);
	config.quarantined = devices;
	config.n_quarantined = quarantine_devices(d, devices);
	config.quarantine_allowed = reachable;
	config.n_quarantine_allowed = quarantine_reachable(p, reachable);
	config.quarantine_names = policy_quarantine_names(p);
	quarantine_keep(d, p);	/* first: what the policy before would open must not get into the new table */
	snprintf(error.text, sizeof(error.text), "no memory for the table");
	if (exempt && allowed)
		err = table_install(d->shared.table, &config, &d->adopted, &error);
	if (err)
		quarantine_keep(d, d->shared.policy);
	else
		reach_forget(d->shared.reach);
	if (err && !d->table_lost)	/* else it is tried again and again, and was said */
		log_info("%s", error.text);
	else if (!err)
		d->table_there = true;
out:
	free(exempt);
	free(allowed);
	return err;
}

int apply_table(struct daemon *d)
{
	return install(d, d->shared.policy);
}

struct collected {
	struct element *items;
	size_t n, room;
};

static int collect(const struct element *e, void *arg)
{
	struct collected *c = arg;

	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 256;
		struct element *more = realloc(c->items, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->items = more;
		c->room = room;
	}
	c->items[c->n] = *e;
	c->items[c->n++].timeout_s = (uint32_t)((e->expires_ms + 999) / 1000);
	return 0;
}

struct element *apply_elements(struct daemon *d, size_t *n)
{
	struct collected c = { 0 };
	uint64_t gone = daemon_now_s() - d->paused_at_s;

	if (!d->paused_until_s) {
		table_each_blocked(d->shared.table, collect, &c);
	} else {
		for (size_t i = 0; i < d->n_aside; i++)
			if (d->aside[i].expires_ms / 1000 > gone && collect(&d->aside[i], &c) == 0) {
				c.items[c.n - 1].expires_ms -= gone * 1000;
				c.items[c.n - 1].timeout_s -= (uint32_t)gone;
			}
	}
	*n = c.n;
	return c.items;
}

void apply_teach(struct daemon *d, const struct element *elements, size_t n)
{
	size_t done = 0;
	int err = n ? table_add(d->shared.table, elements, n, &done) : 0;

	if (err)
		log_warn(err, "%zu of %zu endpoints could not be given back to the kernel", n - done, n);
}

/* The name that taught it, as a fact. */
static struct facts facts_of(const struct event *why)
{
	struct facts f = { .n_names = 1 };

	f.names[0] = (struct name_fact){ .kind = why->name_kind, .matchable = true,
					 .host = { (const uint8_t *)why->host, strlen(why->host) } };
	return f;
}

static struct decision judge_anew(const struct daemon *d, const struct subject *who, const struct event *why)
{
	const struct policy *p = d->shared.policy;
	struct facts facts = facts_of(why);

	switch (why->evidence) {
	case EVIDENCE_NAME:
		return policy_decide(p, who, &facts);
	case EVIDENCE_SCORE:
		return policy_decide_score(p, who, score_points(why->marks));
	case EVIDENCE_PROTOCOL:
		facts.n_names = 0;
		facts.mining = true;
		facts.stratum.kind = why->kind;
		return policy_decide(p, who, &facts);
	case EVIDENCE_ADDRESS:
	case EVIDENCE_NONE:
		break;
	}
	return policy_decide_address(p, who);
}

bool apply_justified(const struct daemon *d, const struct element *e, const struct event *why)
{
	struct subject who = { .dport = e->port, .proto = e->proto, .when_s = time(NULL) };
	struct decision now;

	if (policy_settings(d->shared.policy)->mode != MODE_ENFORCE)
		return false;
	memcpy(who.src, e->src, sizeof(who.src));
	memcpy(who.dst, e->dst, sizeof(who.dst));
	who.mac_known = e->pair && learnt_host_get(d->shared.learnt, e->src, e->family, who.mac);
	if (policy_decide_address(d->shared.policy, &who).action == ACTION_ALLOW || (e->pair && policy_may_spare(d->shared.policy, &who)))
		return false;
	if (*why->fleet && policy_shared_address(d->shared.policy, who.dst))
		return false;
	now = judge_anew(d, &who, why);
	return why->evidence == EVIDENCE_NONE || (now.action == ACTION_BLOCK && (e->pair || now.scope == SCOPE_ENDPOINT));
}

/* Lets go of what the policy does not want any more. */
static void forget_unjustified(struct daemon *d)
{
	size_t n = 0;
	struct element *elements = apply_elements(d, &n);
	struct event why;

	for (size_t i = 0; i < n; i++)
		if (learnt_get(d->shared.learnt, &elements[i], &why) && !apply_justified(d, &elements[i], &why)) {
			table_delete(d->shared.table, &elements[i], 1, NULL);
			learnt_forget(d->shared.learnt, &elements[i]);
			fleet_unjustified(d, &elements[i]);
		}
	free(elements);
}

static void nap_ms(unsigned ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000L };

	nanosleep(&t, NULL);
}

/* All workers judge by `now`? */
static bool all_took(const struct daemon *d, const struct policy *now)
{
	for (unsigned i = 0; i < d->n_workers; i++)
		if (worker_policy(d->workers[i]) != now)
			return false;
	return true;
}

/* Hands `now` to the workers and waits until the policy before it is nobody's any more. */
static bool swap(struct daemon *d, const struct policy *now)
{
	atomic_store(&d->shared.policy, now);
	for (int waited = 0; waited < SWAP_PATIENCE_MS; waited++) {
		if (all_took(d, now))
			return true;
		if (waited % 50 == 0)
			for (unsigned i = 0; i < d->n_workers; i++)
				worker_wake(d->workers[i]);
		nap_ms(1);
	}
	log_info("a worker hangs; the policy before is kept in memory for it");
	return false;
}

const struct policy *apply_effective(const struct daemon *d, const struct policy *base, struct policy_error *error)
{
	const char *texts[DAEMON_ALLOWANCES_MAX];

	for (size_t i = 0; i < d->n_allowances; i++)
		texts[i] = d->allowances[i].what;
	return d->n_allowances ? policy_allowing(base, texts, d->n_allowances, error) : base;
}

/* Makes `base` and the allowances the policy that runs. On failure nothing has changed; `base` stays the caller's. */
static int become(struct daemon *d, struct policy *base, struct policy_error *error)
{
	const struct policy *before = d->shared.policy, *now;
	struct policy *old_base = d->policy;

	if (base != old_base)
		policy_stamp(base, d->generation + 1);
	now = apply_effective(d, base, error);
	if (!now)
		return -1;
	/* What was refused until now was refused by the policy before. */
	if (d->policy && !d->paused_until_s)
		daemon_read_tries(d);
	if (!d->paused_until_s && install(d, now)) {
		snprintf(error->text, sizeof(error->text), "the kernel refused the new table; the policy that runs stays");
		error->kind = POLICY_UNREADABLE;
		if (now != base)
			policy_free((struct policy *)now);
		return -1;
	}
	d->policy = base;
	d->settings = policy_settings(base);
	d->generation = d->settings->generation;
	reporter_say_settings(d->reporter, base);
	if (swap(d, now)) {
		if (before != old_base)
			policy_free((struct policy *)before);
		if (old_base != base && old_base != d->fallback)
			policy_free(old_base);
	}
	if (!d->paused_until_s) {	/* else when the pause ends */
		adder_settle(d->shared.adder);
		forget_unjustified(d);
		cut_blocked(d);
	}
	fleet_settings(d);
	return 0;
}

/* The key of the first setting that only a restart can change, or NULL. */
static const char *needs_restart(const struct settings *a, const struct settings *b)
{
	return a->queue_first != b->queue_first || a->queue_count != b->queue_count || a->queue_length != b->queue_length ? "queues" :
	       a->mark_mask != b->mark_mask ? "mark" : a->fail != b->fail ? "fail" :
	       a->memory_flows != b->memory_flows || a->memory_reassembly != b->memory_reassembly ? "memory" :
	       strcmp(a->control, b->control) ? "control" : strcmp(a->user, b->user) ? "user" :
	       strcmp(a->control_group, b->control_group) ? "control_group" : strcmp(a->state, b->state) ? "state" :
	       strcmp(a->log_file, b->log_file) ? "log.file" : NULL;
}

/* The doubt is over: the policy before is not needed any more. */
static void forget_fallback(struct daemon *d)
{
	if (d->fallback != d->policy)
		policy_free(d->fallback);
	d->fallback = NULL;
	d->confirm_until_s = 0;
}

bool apply_confirm(struct daemon *d)
{
	bool asked = d->fallback;

	forget_fallback(d);
	return asked;
}

/* Nobody confirmed the new policy: perhaps it has locked its author out. */
static void roll_back(struct daemon *d)
{
	struct policy *before = d->fallback;
	struct policy_error error;

	d->fallback = NULL;
	d->confirm_until_s = 0;
	if (become(d, before, &error)) {
		log_info("%s", error.text);
		policy_free(before);
		return;
	}
	daemon_note(d, "rolled_back", "nobody confirmed the new policy in time: the one before is back; the file is as it was left");
}

int apply_reload(struct daemon *d, uint64_t confirm_s, struct policy_error *error)
{
	struct policy *p = policy_load(d->policy_path, error);
	const char *key = p ? needs_restart(d->settings, policy_settings(p)) : NULL;

	/* its process needs rights that are gone */
	if (p && !key && !d->fleet && *policy_fleet(p)->host && !*policy_fleet(d->policy)->host)
		key = "fleet";
	if (key) {
		snprintf(error->text, sizeof(error->text), "%.900s: %s has changed, which needs a restart; the policy that runs stays",
			 d->policy_path, key);
		error->kind = POLICY_INVALID;
	}
	if (confirm_s && p && !key && !d->fallback)
		d->fallback = d->policy;
	if (!p)
		confine_explain(d, error->text, sizeof(error->text));
	if (!p || key || become(d, p, error)) {
		policy_free(p);
		if (d->fallback == d->policy)
			d->fallback = NULL;
		return -1;
	}
	if (confirm_s)
		d->confirm_until_s = daemon_now_s() + confirm_s;
	else
		forget_fallback(d);
	daemon_note(d, "reloaded", d->settings->mode == MODE_ENFORCE ? "the policy was read anew: enforce" : "the policy was read anew: monitor");
	return 0;
}

int apply_lists(struct daemon *d, struct policy_error *error)
{
	struct policy *p = d->fallback ? NULL : policy_load(d->policy_path, error);
	const char *why = d->fallback ? "a policy waits to be confirmed; `minewall reload` takes the lists, too" :
			  p && policy_digest(p) != policy_digest(d->policy) ?
			  "the policy was changed since it was read; `minewall reload` takes it and the lists" : NULL;

	if (why) {
		snprintf(error->text, sizeof(error->text), "%s", why);
		error->kind = POLICY_INVALID;
	}
	if (!p && !why)
		confine_explain(d, error->text, sizeof(error->text));
	if (!p || why || become(d, p, error)) {
		policy_free(p);
		return -1;
	}
	daemon_note(d, "lists_reloaded", "the lists were read anew, the policy is as before");
	return 0;
}

static void drop_allowance(struct daemon *d, size_t i)
{
	d->allowances[i] = d->allowances[--d->n_allowances];
}

int apply_allowance(struct daemon *d, const char *what, uint64_t for_s, struct policy_error *error)
{
	struct allowance before[DAEMON_ALLOWANCES_MAX];
	size_t n_before = d->n_allowances;

	memcpy(before, d->allowances, sizeof(before));
	error->kind = POLICY_INVALID;
	for (size_t i = 0; i < d->n_allowances; i++)
		if (!strcmp(d->allowances[i].what, what))
			drop_allowance(d, i--);
	if (for_s == 0 && d->n_allowances == n_before) {
		snprintf(error->text, sizeof(error->text), "'%.300s' is not allowed for a time", what);
		return -1;
	}
	if (for_s && (d->n_allowances == DAEMON_ALLOWANCES_MAX || strlen(what) >= sizeof(d->allowances[0].what))) {
		snprintf(error->text, sizeof(error->text), "at most %d temporary allowances; put it into the policy", DAEMON_ALLOWANCES_MAX);
		return -1;
	}
	if (for_s) {
		struct allowance *a = &d->allowances[d->n_allowances++];

		snprintf(a->what, sizeof(a->what), "%s", what);
		a->until_s = daemon_now_s() + for_s;
	}
	if (become(d, d->policy, error)) {
		memcpy(d->allowances, before, sizeof(before));
		d->n_allowances = n_before;
		return -1;
	}
	return 0;
}

static int resume(struct daemon *d)
{
	size_t n = 0;
	struct element *elements = apply_elements(d, &n);
	uint64_t paused_s = daemon_now_s() - d->paused_at_s;
	int err;

	d->paused_until_s = 0;
	err = apply_table(d);
	if (!err) {
		apply_teach(d, elements, n);
		forget_unjustified(d);
		cut_blocked(d);
		fleet_settings(d);
		daemon_note_gap(d, "resumed", "judging again after a pause", paused_s);
	} else {
		daemon_note_gap(d, "resume_failed", "the pause is over, but the kernel refuses the rules: nothing is judged", paused_s);
	}
	free(elements);
	free(d->aside);
	d->aside = NULL;
	d->n_aside = 0;
	return err;
}

void apply_hours(struct daemon *d)
{
	uint64_t hours = policy_hours(d->shared.policy, time(NULL));

	if (hours == d->hours || d->paused_until_s)
		return;
	d->hours = hours;
	forget_unjustified(d);
	cut_blocked(d);
	for (unsigned i = 0; i < d->n_workers; i++)
		worker_rejudge(d->workers[i]);
}

int apply_pause(struct daemon *d, uint64_t for_s)
{
	char detail[64];
	size_t n = 0;
	int err;

	if (for_s == 0)
		return d->paused_until_s ? resume(d) : 0;
	if (!d->paused_until_s) {
		struct element *elements;

		adder_settle(d->shared.adder);
		elements = apply_elements(d, &n);
		daemon_read_tries(d);
		err = table_remove(d->shared.table);
		if (err) {
			free(elements);
			return err;
		}
		d->aside = elements;
		d->n_aside = n;
		d->paused_at_s = daemon_now_s();
	}
	d->paused_until_s = daemon_now_s() + for_s;
	snprintf(detail, sizeof(detail), "for %llu s nothing is judged or blocked", (unsigned long long)for_s);
	daemon_note(d, "paused", detail);
	return 0;
}

void apply_tick(struct daemon *d)
{
	uint64_t now = daemon_now_s();
	struct policy_error error;
	bool over = false;

	for (unsigned i = 0; i < d->n_workers; i++)
		if (worker_rejudging(d->workers[i]))
			worker_wake(d->workers[i]);
	for (size_t i = 0; i < d->n_allowances; i++)
		if (d->allowances[i].until_s <= now) {
			log_info("%s is not allowed any more", d->allowances[i].what);
			drop_allowance(d, i--);
			over = true;
		}
	if (over && become(d, d->policy, &error))
		log_info("%s", error.text);
	if (d->paused_until_s && d->paused_until_s <= now)
		resume(d);
	if (d->fallback && d->confirm_until_s <= now)
		roll_back(d);
}

int apply_due_ms(const struct daemon *d)
{
	uint64_t due = d->paused_until_s, now = daemon_now_s();

	for (unsigned i = 0; i < d->n_workers; i++)
		if (worker_rejudging(d->workers[i]))
			return REJUDGE_EVERY_MS;
	if (d->fallback && (!due || d->confirm_until_s < due))
		due = d->confirm_until_s;
	for (size_t i = 0; i < d->n_allowances; i++)
		if (!due || d->allowances[i].until_s < due)
			due = d->allowances[i].until_s;
	return !due ? -1 : due <= now ? 0 : due - now > 3600 ? 3600 * 1000 : (int)(due - now) * 1000;
}
