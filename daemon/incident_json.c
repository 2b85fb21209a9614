/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An incident as JSON, for its file, the verbs and the hook alike, and back. What a file says is bounded as what the wire says:
 * it may have been edited by hand. */
#include "daemon/incident.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(json_t *o, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(o, key, json_string(text));
}

static void put_number(json_t *o, const char *key, int64_t n)
{
	if (n)
		json_object_set_new(o, key, json_integer(n));
}

static void put_items(json_t *o, const char *key, const struct incident_item *items, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (*items[i].text)
			json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "text", items[i].text, "count",
							      (json_int_t)items[i].count, "last_s", (json_int_t)items[i].last_s));
	json_object_set_new(o, key, list);
}

static json_t *readings_json(const struct incident *i)
{
	json_t *list = json_array();

	for (unsigned k = 0; k < i->n_readings; k++) {
		const struct reading *r = &i->readings[k];
		json_t *one = json_pack("{s:I, s:i, s:s}", "when_s", (json_int_t)r->when_s, "cpu", r->cpu, "from",
					r->pushed ? "pushed" : "snmp");

		if (r->gpu >= 0)
			json_object_set_new(one, "gpu", json_integer(r->gpu));
		json_array_append_new(list, one);
	}
	return list;
}

/* Those of the alert's span are left out: after a restart it begins anew. */
json_t *incident_json(const struct incident *i)
{
	json_t *addresses = json_array(), *o;

	for (size_t k = 0; k < INCIDENT_ADDRESSES; k++)
		if (*i->addresses[k])
			json_array_append_new(addresses, json_string(i->addresses[k]));
	o = json_pack("{s:I, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "id", (json_int_t)i->id, "state",
		      incident_state_text(i->state), "level", incident_level_text(incident_level(i)), "addresses", addresses, "first_s",
		      (json_int_t)i->first_s, "last_s", (json_int_t)i->last_s, "changed_s", (json_int_t)i->changed_s, "since_s",
		      (json_int_t)i->since_s, "blocked", (json_int_t)i->blocked, "allowed", (json_int_t)i->allowed, "points",
		      (json_int_t)i->points);
	if (!o)
		return NULL;
	put(o, "mac", i->mac);
	put(o, "name", i->name);
	put(o, "note", i->note);
	put_number(o, "blocked_s", i->blocked_s);
	put_number(o, "outside_hours", (int64_t)i->outside);
	put_number(o, "telltales", (int64_t)i->telltales);
	put_number(o, "spreading", (int64_t)i->spreading);
	put_number(o, "reopened", i->reopened);
	put_number(o, "alerts", (int64_t)i->alerts);
	put_number(o, "quarantine_until_s", i->quarantine_until_s);
	json_object_set_new(o, "told", json_boolean(i->told));
	json_object_set_new(o, "level_told", json_integer(i->level_told));
	put_items(o, "pools", i->pools, INCIDENT_POOLS);
	put_items(o, "agents", i->agents, INCIDENT_AGENTS);
	put_items(o, "payees", i->payees, INCIDENT_PAYEES);
	if (i->before >= 0)
		json_object_set_new(o, "load_before", json_integer(i->before));
	if (i->n_readings)
		json_object_set_new(o, "readings", readings_json(i));
	return o;
}

static json_t *others_json(const struct incident_book *b, const struct incident *i)
{
	uint32_t ids[64];
	size_t n = incident_campaign(b, i, ids, 64);
	json_t *list = json_array();

	for (size_t k = 0; k < n && k < 64; k++)
		json_array_append_new(list, json_integer(ids[k]));
	return list;
}

static json_t *load_json(struct incident_load load)
{
	json_t *o = json_pack("{s:s}", "verdict", incident_verdict_text(load.verdict));

	if (load.before >= 0)
		json_object_set_new(o, "before", json_integer(load.before));
	if (load.after >= 0)
		json_object_set_new(o, "after", json_integer(load.after));
	return o;
}

json_t *incident_whole(const struct incident_book *b, const struct incident *i, unsigned threshold, unsigned polls)
{
	json_t *o = incident_json(i);

	if (o)
		json_object_set_new(o, "same_payee", others_json(b, i));
	if (o && i->n_readings)
		json_object_set_new(o, "load", load_json(incident_load_of(i, threshold, polls)));
	return o;
}

static void get(const json_t *o, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (text && strlen(text) < size)
		strcpy(to, text);
}

static int64_t number(const json_t *o, const char *key, int64_t max)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n < 0 ? 0 : n > max ? max : n;
}

static uint64_t count_of(const json_t *o, const char *key)
{
	return (uint64_t)number(o, key, INT64_MAX / 4096);
}

static void get_items(const json_t *o, const char *key, struct incident_item *items, size_t n)
{
	json_t *list = json_object_get(o, key);

	for (size_t i = 0; i < n && i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		get(one, "text", items[i].text, sizeof(items[i].text));
		items[i].count = count_of(one, "count");
		items[i].last_s = number(one, "last_s", INT64_MAX);
	}
}

static void get_readings(const json_t *o, struct incident *i)
{
	json_t *list = json_object_get(o, "readings");

	for (size_t k = 0; k < INCIDENT_READINGS && k < json_array_size(list); k++) {
		const json_t *one = json_array_get(list, k);
		const char *from = json_string_value(json_object_get(one, "from"));
		struct reading *r = &i->readings[i->n_readings++];

		r->when_s = number(one, "when_s", INT64_MAX);
		r->cpu = (uint8_t)number(one, "cpu", 100);
		r->gpu = json_object_get(one, "gpu") ? (int16_t)number(one, "gpu", 100) : -1;
		r->pushed = from && !strcmp(from, "pushed");
	}
}

static void get_state(const json_t *o, struct incident *i)
{
	const char *state = json_string_value(json_object_get(o, "state"));

	for (int s = 0; state && s < INCIDENT_STATES; s++)
		if (!strcmp(state, incident_state_text((enum incident_state)s)))
			i->state = (enum incident_state)s;
}

static void fill(struct incident *i, const json_t *o)
{
	json_t *addresses = json_object_get(o, "addresses");

	get_state(o, i);
	get(o, "mac", i->mac, sizeof(i->mac));
	get(o, "name", i->name, sizeof(i->name));
	get(o, "note", i->note, sizeof(i->note));
	for (size_t k = 0; k < INCIDENT_ADDRESSES && k < json_array_size(addresses); k++)
		snprintf(i->addresses[k], sizeof(i->addresses[k]), "%s", json_string_value(json_array_get(addresses, k)) ?: "");
	i->first_s = number(o, "first_s", INT64_MAX);
	i->last_s = number(o, "last_s", INT64_MAX);
	i->changed_s = number(o, "changed_s", INT64_MAX);
	i->since_s = number(o, "since_s", INT64_MAX);
	i->blocked_s = number(o, "blocked_s", INT64_MAX);
	i->blocked = count_of(o, "blocked");
	i->allowed = count_of(o, "allowed");
	i->outside = count_of(o, "outside_hours");
	i->telltales = count_of(o, "telltales");
	i->spreading = count_of(o, "spreading");
	i->points = count_of(o, "points");
	i->reopened = (uint32_t)number(o, "reopened", UINT32_MAX);
	i->alerts = count_of(o, "alerts");
	i->told = json_is_true(json_object_get(o, "told"));
	i->level_told = (unsigned)number(o, "level_told", INCIDENT_LEVELS);
	i->quarantine_until_s = number(o, "quarantine_until_s", INT64_MAX);
	get_items(o, "pools", i->pools, INCIDENT_POOLS);
	get_items(o, "agents", i->agents, INCIDENT_AGENTS);
	get_items(o, "payees", i->payees, INCIDENT_PAYEES);
	i->before = json_object_get(o, "load_before") ? (int)number(o, "load_before", 100) : -1;
	get_readings(o, i);
}

bool incident_load(struct incident_book *b, const json_t *j)
{
	json_int_t id = json_integer_value(json_object_get(j, "id"));
	struct incident *i;

	if (id < 1 || id >= UINT32_MAX || incident_get(b, (uint32_t)id))
		return false;
	i = incident_put(b, (uint32_t)id);
	if (!i)
		return false;
	fill(i, j);
	return true;
}
