/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon tells the verbs: its state, what is blocked and why, and the deleting of elements. Reads
 * counters and kernel state; decides nothing. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/apply.h"
#include "daemon/quarantine.h"
#include "daemon/confine.h"
#include "daemon/escape.h"
#include "daemon/run.h"

static json_t *queue_json(const struct daemon *d, unsigned i)
{
	struct queue_losses l = { 0 };
	bool bound = queue_losses_read(d->losses, queue_number(d->queues[i]), &l) == 0;

	return json_pack("{s:i, s:b, s:I, s:I, s:I, s:I}", "number", queue_number(d->queues[i]), "bound", bound,
			 "waiting", (json_int_t)l.waiting, "packets", (json_int_t)l.packets, "lost_full", (json_int_t)l.full,
			 "lost_unread", (json_int_t)l.unread);
}

static uint64_t sum(const struct daemon *d, size_t offset)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < d->n_workers; i++)
		total += atomic_load_explicit((const atomic_uint_fast64_t *)
					      ((const char *)worker_counters(d->workers[i]) + offset), memory_order_relaxed);
	return total;
}

#define SUM(d, field) ((json_int_t)sum(d, offsetof(struct worker_counters, field)))

static json_t *reasons_json(const struct daemon *d)
{
	json_t *reasons = json_object();

	for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
		json_object_set_new(reasons, reason_text((enum reason)r),
				    json_integer((json_int_t)sum(d, offsetof(struct worker_counters, reasons) +
								    (size_t)r * sizeof(atomic_uint_fast64_t))));
	return reasons;
}

/* Hosts shown, the worst first: whoever hides is far ahead of the others. */
#define BLIND_SHOWN 32

static json_t *blind_json(const struct daemon *d)
{
	struct blind_host hosts[BLIND_SHOWN];
	unsigned n = blind_hosts(d->shared.blind, hosts, BLIND_SHOWN);
	json_t *all = json_array();

	for (unsigned i = 0; i < n; i++) {
		char text[INET6_ADDRSTRLEN];
		json_t *host = json_object();

		event_address(text, sizeof(text), hosts[i].address, hosts[i].family);
		json_object_set_new(host, "host", json_string(text));
		for (int r = 0; r < REASON_COUNT; r++)
			if (hosts[i].reasons[r])
				json_object_set_new(host, r == REASON_NONE ? "overload" : reason_text((enum reason)r),
						    json_integer((json_int_t)hosts[i].reasons[r]));
		json_array_append_new(all, host);
	}
	return all;
}

static json_t *kernel_json(const struct daemon *d)
{
	struct table_counters c = { 0 };

	table_counters(d->shared.table, &c);
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "queue", table_queue_kind(d->shared.table), "queued", (json_int_t)c.queued,
			 "rejected", (json_int_t)c.rejected, "blocked", (json_int_t)c.blocked, "invalid", (json_int_t)c.invalid,
			 "untracked", (json_int_t)c.untracked, "quarantined", (json_int_t)c.quarantined);
}

static json_t *allowances_json(const struct daemon *d)
{
	json_t *all = json_array();

	for (size_t i = 0; i < d->n_allowances; i++)
		json_array_append_new(all, json_pack("{s:s, s:I}", "what", d->allowances[i].what, "left_s",
						     (json_int_t)(d->allowances[i].until_s - daemon_now_s())));
	return all;
}

static void count_one(const struct element *e, const struct event *why, void *arg)
{
	(void)e;
	(void)why;
	++*(size_t *)arg;
}

/* Endpoints and pairs that the kernel was taught, as far as their lives last. */
static json_int_t taught(const struct daemon *d)
{
	size_t n = 0;

	learnt_each(d->shared.learnt, daemon_now_s(), count_one, &n);
	return (json_int_t)n;
}

/* Those that passed or were dropped unjudged: the queue or its reader's socket was full. */
static json_int_t lost_packets(const json_t *queues)
{
	json_int_t total = 0;
	json_t *queue;
	size_t i;

	json_array_foreach(queues, i, queue)
		total += json_integer_value(json_object_get(queue, "lost_full")) + json_integer_value(json_object_get(queue, "lost_unread"));
	return total;
}

static json_t *status(struct daemon *d)
{
	const struct settings *s = d->settings;
	json_t *queues = json_array(), *j;
	uint64_t open_s;
	char policy[1024];

	for (unsigned i = 0; i < d->n_queues; i++)
		json_array_append_new(queues, queue_json(d, i));
	/* JSON takes no path that is not UTF-8 */
	escape_text(policy, sizeof(policy), ESCAPE_TERMINAL, d->policy_path, strlen(d->policy_path));
	j = json_pack("{s:b, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o}", "ok", true, "version", MINEWALL_VERSION, "pid",
		      (int)getpid(), "policy", policy, "mode", s->mode == MODE_ENFORCE ? "enforce" : "monitor", "fail",
		      s->fail == FAIL_OPEN ? "open" : "closed", "uptime_s", (json_int_t)(daemon_now_s() - d->started_s), "names",
		      (json_int_t)policy_names(d->policy), "queues", queues, "kernel", kernel_json(d), "reasons", reasons_json(d));
	if (!j)
		return NULL;
	json_object_set_new(j, "packets", json_pack("{s:I, s:I, s:I, s:I}", "judged", SUM(d, packets), "undecided", SUM(d, accepted),
						    "cleared", SUM(d, cleared), "blocked", SUM(d, blocked)));
	json_object_set_new(j, "generation", json_integer(d->generation));
	if (d->fallback)
		json_object_set_new(j, "confirm_s", json_integer((json_int_t)(d->confirm_until_s - daemon_now_s())));
	json_object_set_new(j, "flows", json_integer(SUM(d, flows)));
	json_object_set_new(j, "findings", json_integer(SUM(d, found)));
	json_object_set_new(j, "events_lost", json_integer((json_int_t)ring_lost(d->shared.events) + (json_int_t)event_log_lost(d->log)));
	json_object_set_new(j, "not_taught", json_integer((json_int_t)adder_failed(d->shared.adder)));
	json_object_set_new(j, "overload", json_integer(SUM(d, overload)));
	json_object_set_new(j, "overruns", json_integer(SUM(d, lost)));
	json_object_set_new(j, "watchdog", json_integer((json_int_t)watchdog_releases(d->shared.watchdog)));
	json_object_set_new(j, "restored", json_integer((json_int_t)d->restored));
	json_object_set_new(j, "adopted", json_integer((json_int_t)d->adopted));
	if (d->paused_until_s)
		json_object_set_new(j, "paused_s", json_integer((json_int_t)(d->paused_until_s - daemon_now_s())));
	if (d->offloads)
		json_object_set_new(j, "offload", json_true());
	json_object_set_new(j, "allowed", allowances_json(d));
	json_object_set_new(j, "blind_hosts", blind_json(d));
	json_object_set_new(j, "confined", confine_json(d));
	json_object_set_new(j, "lists_old", listwatch_old(d));
	json_object_set_new(j, "learnt", json_integer(taught(d)));
	open_s = d->paused_until_s ? daemon_now_s() - d->paused_at_s : 0;
	json_object_set_new(j, "gap_s", json_integer((json_int_t)d->unjudged_s + (json_int_t)open_s));
	json_object_set_new(j, "gap_open_s", json_integer((json_int_t)open_s));
	json_object_set_new(j, "gap_packets", json_integer(lost_packets(queues)));
	json_object_set_new(j, "quarantine", quarantine_json(d));
	if (d->fleet)
		json_object_set_new(j, "fleet", fleet_json(d, false));
	json_object_set_new(j, "quarantine_devices", json_integer((json_int_t)d->n_quarantined));
	json_object_set_new(j, "reporter_lost", json_integer((json_int_t)reporter_lost(d->reporter)));
	if (d->reported)
		json_object_set(j, "reporter", d->reported);
	if (d->blind[0])
		json_object_set_new(j, apply_guards(d) ? "guarded" : "blind", json_string(d->blind));
	return j;
}

static json_t *element_json(struct daemon *d, const struct element *e)
{
	char text[INET6_ADDRSTRLEN];
	struct event why;
	json_t *j = json_object();

	event_address(text, sizeof(text), e->dst, e->family);
	json_object_set_new(j, "address", json_string(text));
	json_object_set_new(j, "port", json_integer(e->port));
	json_object_set_new(j, "proto", json_string(event_proto(e->proto)));
	if (e->pair) {
		event_address(text, sizeof(text), e->src, e->family);
		json_object_set_new(j, "host", json_string(text));
	}
	json_object_set_new(j, "left_s", json_integer((json_int_t)(e->expires_ms / 1000)));
	json_object_set_new(j, "packets", json_integer((json_int_t)e->packets));
	if (learnt_get(d->shared.learnt, e, &why))
		json_object_set_new(j, "why", event_json(&why));
	return j;
}

static json_t *blocked(struct daemon *d)
{
	json_t *list = json_array();
	size_t n = 0;
	struct element *elements = apply_elements(d, &n);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, element_json(d, &elements[i]));
	free(elements);
	return json_pack("{s:b, s:o}", "ok", true, "blocked", list);
}

/* What an operator names: an address, inside or outside, or a name with all below it. */
struct target {
	const char *name;		/* NULL: by address */
	uint8_t address[16];
};

static struct target read_target(const char *text)
{
	struct target t = { .address = { [10] = 0xff, 0xff } };

	if (inet_pton(AF_INET, text, t.address + 12) != 1 && inet_pton(AF_INET6, text, t.address) != 1)
		t.name = text;
	return t;
}

static bool matches(const struct daemon *d, const struct target *t, const struct element *e)
{
	struct event why;

	if (t->name)
		return learnt_get(d->shared.learnt, e, &why) && why.named && event_name_below(why.host, t->name);
	return !memcmp(e->dst, t->address, sizeof(e->dst)) || (e->pair && !memcmp(e->src, t->address, sizeof(e->src)));
}

static json_t *unblock(struct daemon *d, const char *text)
{
	size_t n = 0, found = 0, deleted = 0;
	struct element *elements;
	struct target target;
	int err;

	if (!text || !*text)
		return json_pack("{s:b, s:s}", "ok", false, "error", "an address or a name is expected");
	if (d->paused_until_s)
		return json_pack("{s:b, s:s}", "ok", false, "error", "nothing is blocked during a pause; `minewall pause off` ends it");
	target = read_target(text);
	elements = apply_elements(d, &n);
	for (size_t i = 0; i < n; i++)
		if (matches(d, &target, &elements[i]))
			elements[found++] = elements[i];
	err = found ? table_delete(d->shared.table, elements, found, &deleted) : 0;
	for (size_t i = 0; i < found && !err; i++)
		learnt_forget(d->shared.learnt, &elements[i]);
	for (size_t i = 0; i < found && !err; i++)
		fleet_unblocked(d, &elements[i]);
	free(elements);
	if (err)
		return json_pack("{s:b, s:s}", "ok", false, "error", "the kernel's sets could not be changed");
	return json_pack("{s:b, s:I}", "ok", true, "unblocked", (json_int_t)deleted);
}

static json_t *failure(const struct policy_error *error)
{
	char text[2 * sizeof(error->text)];

	escape_text(text, sizeof(text), ESCAPE_TERMINAL, error->text, strlen(error->text));
	return json_pack("{s:b, s:s, s:i}", "ok", false, "error", text, "code",
			 error->kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM);
}

static json_t *reload(struct daemon *d, const json_t *request)
{
	json_int_t confirm_s = json_integer_value(json_object_get(request, "confirm_s"));
	struct policy_error error;

	if (json_is_true(json_object_get(request, "lists")))
		return apply_lists(d, &error) ? failure(&error) :
		       json_pack("{s:b, s:I}", "ok", true, "names", (json_int_t)policy_names(d->policy));
	if (json_is_true(json_object_get(request, "keep")) && !apply_confirm(d))
		return json_pack("{s:b, s:s, s:i}", "ok", false, "error", "no policy waits to be confirmed", "code", EXIT_NO);
	if (!json_is_true(json_object_get(request, "keep")) && apply_reload(d, confirm_s > 0 ? (uint64_t)confirm_s : 0, &error))
		return failure(&error);
	return json_pack("{s:b, s:I, s:I}", "ok", true, "names", (json_int_t)policy_names(d->policy), "generation",
			 (json_int_t)d->generation);
}

static json_t *reload_said(struct daemon *d, const json_t *request)
{
	json_t *reply;

	notify_reloading(&d->notify);
	reply = reload(d, request);
	daemon_ready(d);
	return reply;
}

static json_t *allow(struct daemon *d, const json_t *request)
{
	const char *target = json_string_value(json_object_get(request, "target"));
	json_int_t for_s = json_integer_value(json_object_get(request, "for_s"));
	struct policy_error error;

	if (!target || for_s < 0)
		return json_pack("{s:b, s:s}", "ok", false, "error", "a name or an address is expected");
	return apply_allowance(d, target, (uint64_t)for_s, &error) ? failure(&error) : json_pack("{s:b}", "ok", true);
}

static json_t *pause_judging(struct daemon *d, const json_t *request)
{
	json_int_t for_s = json_integer_value(json_object_get(request, "for_s"));

	if (for_s < 0 || apply_pause(d, (uint64_t)for_s))
		return json_pack("{s:b, s:s}", "ok", false, "error", "the kernel's table could not be changed");
	return json_pack("{s:b}", "ok", true);
}

json_t *answer_metrics(struct daemon *d)
{
	json_t *j, *all;

	daemon_read_tries(d);
	j = status(d);
	all = listwatch_answer(d);
	json_object_del(j, "blind_hosts");
	json_object_set(j, "lists", json_object_get(all, "lists"));
	json_decref(all);
	return j;
}

static json_t *lists(struct daemon *d)
{
	return listwatch_answer(d);
}

static json_t *fleet(struct daemon *d)
{
	json_t *j = fleet_json(d, true);

	return j ? json_pack("{s:b, s:o}", "ok", true, "fleet", j) :
	       json_pack("{s:b, s:s, s:i}", "ok", false, "error", "the daemon that runs is in no fleet (`fleet:` in its policy when it started)", "code",
			 EXIT_NO);
}

/* The first one has been taken aside. */
static json_t *stop_again(struct daemon *d, const json_t *request)
{
	(void)d;
	(void)request;
	return json_pack("{s:b, s:s}", "ok", false, "error", "it is ending already");
}

static json_t *flush(struct daemon *d)
{
	daemon_read_tries(d);
	event_log_flush(d->log);
	return json_pack("{s:b}", "ok", true);
}

static json_t *unblock_target(struct daemon *d, const json_t *request)
{
	return unblock(d, json_string_value(json_object_get(request, "target")));
}

static const struct {
	const char *verb;
	json_t *(*read)(struct daemon *d);
	json_t *(*change)(struct daemon *d, const json_t *request);
} verbs[] = {
	{ "status", status, NULL },
	{ "blocked", blocked, NULL },
	{ "lists", lists, NULL },
	{ "flush", flush, NULL },
	{ "fleet", fleet, NULL },
	{ "unblock", NULL, unblock_target },
	{ "reload", NULL, reload_said },
	{ "allow", NULL, allow },
	{ "pause", NULL, pause_judging },
	{ "quarantine", NULL, quarantine_answer },
	{ "stop", NULL, stop_again },
};

json_t *answer(struct daemon *d, const json_t *request, bool may_change)
{
	const char *verb = json_string_value(json_object_get(request, "verb"));

	for (size_t i = 0; verb && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verb, verbs[i].verb))
			continue;
		if (verbs[i].read)
			return verbs[i].read(d);
		return may_change ? verbs[i].change(d, request) :
		       json_pack("{s:b, s:s, s:i}", "ok", false, "error", "that is for root, or say `control_group_may: change`", "code",
				 EXIT_SYSTEM);
	}
	return json_pack("{s:b, s:s}", "ok", false, "error", "unknown request");
}
