/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report's numbers as JSON: all devices, pools and wallets, not only those that the page has room for. */
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "cli/event_line.h"
#include "cli/report.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* Text of unknown bytes: what is no UTF-8 is not shown at all. */
static json_t *text(const char *s)
{
	json_t *j = json_string(s);

	return j ? j : json_string("?");
}

static json_t *when(int64_t us)
{
	char to[40];
	struct tm tm;
	time_t s = (time_t)(us / 1000000);

	if (!us || !localtime_r(&s, &tm))
		return json_null();
	strftime(to, sizeof(to), "%Y-%m-%dT%H:%M:%S%z", &tm);
	return json_string(to);
}

static json_t *count_json(const struct tally_count *c)
{
	json_t *j = json_object();

	json_object_set_new(j, "attempts", number(tally_attempts(c)));
	json_object_set_new(j, "blocked", number(c->blocked));
	json_object_set_new(j, "allowed", number(c->allowed));
	json_object_set_new(j, "first", when(c->first_us));
	json_object_set_new(j, "last", when(c->last_us));
	return j;
}

/* Its texts were escaped when it was read. */
static json_t *incident_json_of(const json_t *i)
{
	static const char *const keys[] = { "id", "state", "level", "reopened", "note", "same_payee", "quarantine_until_s", "load" };
	json_t *j = json_object();
	char load[INCIDENTS_LOAD_MAX];

	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		if (json_object_get(i, keys[k]))
			json_object_set(j, keys[k], json_object_get(i, keys[k]));
	json_object_set_new(j, "first", when(json_integer_value(json_object_get(i, "first_s")) * 1000000));
	json_object_set_new(j, "last", when(json_integer_value(json_object_get(i, "last_s")) * 1000000));
	if (*incidents_load(load, i))
		json_object_set_new(j, "load_text", text(load));
	return j;
}

/* Where they come from, and what keeps them away. */
static json_t *incidents_json(const struct report *r)
{
	json_t *j = json_object();

	json_object_set_new(j, "from", !r->incidents.list ? json_null() : json_string(r->incidents.from_file ? "file" : "reporter"));
	if (*r->incidents.why)
		json_object_set_new(j, "why", text(r->incidents.why));
	json_object_set_new(j, "others_waiting", number(report_others_waiting(r)));
	return j;
}

static json_t *device_json(const struct report *r, const struct tally_device *d)
{
	const char *advice[REPORT_ADVICE_MAX];
	size_t n = report_advice(r, d, advice);
	const json_t *incident = report_incident(r, d);
	json_t *j = count_json(&d->count), *addresses = json_array(), *pools = json_array(), *todo = json_array();

	json_object_set_new(j, "device", text(d->key));
	if (*d->gateway)
		json_object_set_new(j, "gateway", text(d->gateway));
	if (*d->name || *event_text(incident, NULL, "name"))
		json_object_set_new(j, "name", text(*d->name ? d->name : event_text(incident, NULL, "name")));
	for (unsigned i = 0; i < d->n_addresses; i++)
		json_array_append_new(addresses, text(d->addresses[i]));
	json_object_set_new(j, "addresses", addresses);
	json_object_set_new(j, "outside_hours", number(d->outside));
	json_object_set_new(j, "protocol", number(d->protocol));
	json_object_set_new(j, "named", number(d->named));
	json_object_set_new(j, "telltale", number(d->telltale));
	json_object_set_new(j, "spreading", number(d->spreading));
	json_object_set_new(j, "kernel", number(d->kernel));
	if (*d->agent)
		json_object_set_new(j, "agent", text(d->agent));
	for (int i = 0; i < TALLY_DEVICE_POOLS && d->pools[i].pool; i++)
		json_array_append_new(pools, text(r->tally->pools[d->pools[i].pool - 1].key));
	json_object_set_new(j, "pools", pools);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(todo, json_string(advice[i]));
	json_object_set_new(j, "advice", todo);
	json_object_set_new(j, "incident", incident ? incident_json_of(incident) : json_null());
	return j;
}

static json_t *devices_json(const struct report *r)
{
	uint32_t *order = TALLY_WORST(r->tally, devices);
	json_t *all = json_array();

	for (size_t i = 0; order && i < r->tally->n_devices; i++)
		json_array_append_new(all, device_json(r, &r->tally->devices[order[i]]));
	free(order);
	return all;
}

/* Empty where the log is one machine's. */
static json_t *gateways_json(const struct report *r)
{
	uint32_t *order = TALLY_WORST(r->tally, gateways);
	json_t *all = json_array();

	for (size_t i = 0; order && i < r->tally->n_gateways; i++) {
		const struct tally_gateway *g = &r->tally->gateways[order[i]];
		json_t *j = count_json(&g->count);

		json_object_set_new(j, "gateway", text(g->key));
		json_object_set_new(j, "devices", number(g->devices));
		json_object_set_new(j, "notes", number(g->notes));
		json_object_set_new(j, "unprotected_s", number(g->seconds));
		json_array_append_new(all, j);
	}
	free(order);
	return all;
}

static json_t *pools_json(const struct report *r)
{
	uint32_t *order = TALLY_WORST(r->tally, pools);
	json_t *all = json_array();

	for (size_t i = 0; order && i < r->tally->n_pools; i++) {
		const struct tally_pool *p = &r->tally->pools[order[i]];
		json_t *j = count_json(&p->count);

		json_object_set_new(j, "pool", text(p->key));
		json_object_set_new(j, "devices", number(p->devices));
		json_array_append_new(all, j);
	}
	free(order);
	return all;
}

static json_t *wallets_json(const struct report *r)
{
	uint32_t *order = TALLY_WORST(r->tally, wallets);
	json_t *all = json_array();

	for (size_t i = 0; order && i < r->tally->n_wallets; i++) {
		const struct tally_wallet *w = &r->tally->wallets[order[i]];
		json_t *j = count_json(&w->count), *devices = json_array();

		for (size_t d = 0; d < r->tally->n_devices; d++)
			if (w->seen[d / 64] >> d % 64 & 1)
				json_array_append_new(devices, text(r->tally->devices[d].key));
		json_object_set_new(j, "login_hash", text(w->key));
		json_object_set_new(j, "devices", devices);
		json_object_set_new(j, "campaign", json_boolean(report_is_campaign(w)));
		json_array_append_new(all, j);
	}
	free(order);
	return all;
}

static json_t *week_json(const struct tally *t)
{
	json_t *week = json_array();

	for (int day = 0; day < 7; day++) {
		json_t *hours = json_array();

		for (int hour = 0; hour < 24; hour++)
			json_array_append_new(hours, number(t->week[day][hour]));
		json_array_append_new(week, hours);
	}
	return week;
}

static json_t *chart_json(const struct report *r)
{
	const struct tally *t = r->tally;
	json_t *blocked = json_array(), *allowed = json_array(), *j = json_object();

	for (int i = 0; i < TALLY_SLOTS && t->start_us + i * t->step_us <= r->until_us; i++) {
		json_array_append_new(blocked, number(t->slots[i].blocked));
		json_array_append_new(allowed, number(t->slots[i].allowed));
	}
	json_object_set_new(j, "start_s", json_integer(t->start_us / 1000000));
	json_object_set_new(j, "step_s", json_integer(t->step_us / 1000000));
	json_object_set_new(j, "blocked", blocked);
	json_object_set_new(j, "allowed", allowed);
	return j;
}

static json_t *notes_json(const struct tally *t)
{
	json_t *all = json_array();

	for (size_t i = 0; i < t->n_notes; i++) {
		json_t *j = json_object();

		json_object_set_new(j, "event", text(t->notes[i].event));
		json_object_set_new(j, "detail", text(t->notes[i].detail));
		json_object_set_new(j, "times", number(tally_attempts(&t->notes[i].count)));
		json_object_set_new(j, "last", when(t->notes[i].count.last_us));
		json_object_set_new(j, "seconds", number(t->notes[i].seconds));
		json_array_append_new(all, j);
	}
	return all;
}

static json_t *lists_json(const struct report *r)
{
	const struct list_source *sources;
	size_t n = policy_sources(r->policy, &sources);
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++) {
		struct report_list l = report_list_of(r, &sources[i]);
		json_t *j = json_object();

		json_object_set_new(j, "name", text(l.name));
		json_object_set_new(j, "age_s", l.age_s < 0 ? json_null() : json_integer(l.age_s));
		json_object_set_new(j, "max_age_s", json_integer(l.max_age_s));
		json_object_set_new(j, "ok", json_boolean(!l.old));
		if (l.hits >= 0)
			json_object_set_new(j, "hits", json_integer(l.hits));
		json_array_append_new(all, j);
	}
	return all;
}

/* What the daemon says of what it could not see; null: it does not run. */
static json_t *blind_json(const struct report *r)
{
	static const char *const keys[] = { "blind", "guarded", "blind_hosts", "reasons", "events_lost", "overruns", "watchdog" };
	json_t *j = r->status ? json_object() : json_null();

	for (size_t i = 0; r->status && i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(r->status, keys[i]))
			json_object_set(j, keys[i], json_object_get(r->status, keys[i]));
	return j;
}

json_t *report_json(const struct report *r)
{
	const struct tally *t = r->tally;
	json_t *j = count_json(&t->all);

	json_object_set_new(j, "since", when(r->since_us));
	json_object_set_new(j, "until", when(r->until_us));
	json_object_set_new(j, "events", number(t->events));
	json_object_set_new(j, "findings", number(t->findings));
	json_object_set_new(j, "kernel", number(t->kernel));
	json_object_set_new(j, "undated", number(t->undated));
	json_object_set_new(j, "outside_hours", t->hours ? number(t->outside) : json_null());
	json_object_set_new(j, "gateways", gateways_json(r));
	json_object_set_new(j, "devices", devices_json(r));
	json_object_set_new(j, "incidents", incidents_json(r));
	json_object_set_new(j, "pools", pools_json(r));
	json_object_set_new(j, "wallets", wallets_json(r));
	json_object_set_new(j, "week", week_json(t));
	json_object_set_new(j, "chart", chart_json(r));
	json_object_set_new(j, "lists", lists_json(r));
	json_object_set_new(j, "running", json_boolean(r->status));
	json_object_set_new(j, "not_seen", blind_json(r));
	json_object_set_new(j, "notes", notes_json(t));
	json_object_set_new(j, "unprotected_s", number(r->unprotected_s));
	json_object_set_new(j, "beyond", json_pack("{s:I, s:I, s:I}", "devices", (json_int_t)t->other_devices, "pools", (json_int_t)t->other_pools,
						   "wallets", (json_int_t)t->other_wallets));
	return j;
}
