/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request is read whole before anything is changed, and undone if the kernel refuses. The reporter is not trusted: what it asks
 * for is held to the policy's mode, its time, and the room there is. */
#include "daemon/quarantine.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/apply.h"
#include "daemon/daemon.h"
#include "daemon/reach.h"
#include "daemon/run.h"
#include "policy/reporting.h"

/* For so long after the start the reporter may bring back those from before. */
#define AGAIN_S 60
/* A month, as of any other duration of the policy. */
#define TIME_MAX_S (30 * 86400)

bool quarantine_on(const struct policy *p)
{
	return policy_reporting(p)->quarantine != QUARANTINE_OFF && policy_settings(p)->mode == MODE_ENFORCE;
}

static bool same(const struct table_device *a, const struct table_device *b)
{
	return a->by_mac == b->by_mac && (a->by_mac ? !memcmp(a->mac, b->mac, sizeof(a->mac)) :
					  a->family == b->family && !memcmp(a->address, b->address, sizeof(a->address)));
}

static size_t add(struct table_device *out, size_t n, const struct table_device *one)
{
	for (size_t i = 0; i < n; i++)
		if (same(&out[i], one)) {
			out[i].left_s = one->left_s > out[i].left_s ? one->left_s : out[i].left_s;
			return n;
		}
	out[n] = *one;
	return n + 1;
}

size_t quarantine_devices(const struct daemon *d, struct table_device *out)
{
	uint64_t now = daemon_now_s();
	size_t n = 0;

	for (size_t i = 0; i < d->n_quarantined; i++) {
		const struct quarantined *q = &d->quarantined[i];
		struct table_device one = { .by_mac = true };

		if (q->until_s <= now)
			continue;
		one.left_s = (uint32_t)(q->until_s - now);
		memcpy(one.mac, q->mac, sizeof(one.mac));
		if (q->mac_known)
			n = add(out, n, &one);
		one.by_mac = false;
		for (unsigned k = 0; k < q->n_addresses; k++) {
			one.family = q->addresses[k].family;
			memcpy(one.address, q->addresses[k].address, sizeof(one.address));
			n = add(out, n, &one);
		}
	}
	return n;
}

size_t quarantine_reachable(const struct policy *p, struct table_network *out)
{
	const struct reporting *r = policy_reporting(p);

	for (unsigned i = 0; i < r->n_allowed; i++) {
		memcpy(out[i].addr, r->allowed[i].addr, sizeof(out[i].addr));
		out[i].prefix = r->allowed[i].prefix;
		out[i].port = r->allowed[i].port;
	}
	return r->n_allowed;
}

void quarantine_keep(struct daemon *d, const struct policy *p)
{
	struct table_device devices[QUARANTINE_ELEMENTS];
	size_t n = quarantine_on(p) && policy_quarantine_names(p) ? quarantine_devices(d, devices) : 0;

	reach_keep(d->shared.reach, p, devices, n, daemon_now_s() * 1000);
}

static bool read_mac(const char *text, uint8_t mac[6])
{
	unsigned b[6];
	int end = 0;

	if (!text || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 || text[end])
		return false;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return true;
}

static bool read_address(const char *text, uint8_t address[16], uint8_t *family)
{
	static const uint8_t v4[12] = { [10] = 0xff, 0xff };

	memcpy(address, v4, sizeof(v4));
	if (text && inet_pton(AF_INET, text, address + 12) == 1) {
		*family = 4;
		return true;
	}
	*family = 6;
	return text && inet_pton(AF_INET6, text, address) == 1;
}

/* NULL, or what is wrong with it. */
static const char *read_request(const json_t *request, struct quarantined *q)
{
	json_t *addresses = json_object_get(request, "addresses");
	const char *mac = json_string_value(json_object_get(request, "mac"));

	memset(q, 0, sizeof(*q));
	q->mac_known = read_mac(mac, q->mac);
	for (size_t i = 0; i < json_array_size(addresses) && i < QUARANTINE_ADDRESSES; i++) {
		const char *text = json_string_value(json_array_get(addresses, i));

		if (!read_address(text, q->addresses[i].address, &q->addresses[i].family))
			return "an address is expected";
		q->n_addresses++;
	}
	return q->mac_known || q->n_addresses ? NULL : "an address or a MAC address is expected";
}

static bool meets(const struct quarantined *a, const struct quarantined *b)
{
	if (a->mac_known && b->mac_known && !memcmp(a->mac, b->mac, sizeof(a->mac)))
		return true;
	for (unsigned i = 0; i < a->n_addresses; i++)
		for (unsigned k = 0; k < b->n_addresses; k++)
			if (!memcmp(&a->addresses[i], &b->addresses[k], sizeof(a->addresses[i])))
				return true;
	return false;
}

/* One address that two MACs have used does not make them one device: else a second machine could free the first by taking its address. */
static bool is_other(const struct quarantined *a, const struct quarantined *b)
{
	return a->mac_known && b->mac_known && memcmp(a->mac, b->mac, sizeof(a->mac));
}

/* What was known of the device stays known, whoever asks for it anew by one of its addresses. */
static void absorb(struct quarantined *to, const struct quarantined *from)
{
	unsigned n = to->n_addresses;

	if (!to->mac_known)
		memcpy(to->mac, from->mac, sizeof(to->mac));
	to->mac_known |= from->mac_known;
	for (unsigned k = 0; k < from->n_addresses && to->n_addresses < QUARANTINE_ADDRESSES; k++) {
		unsigned i = 0;

		while (i < n && memcmp(&to->addresses[i], &from->addresses[k], sizeof(to->addresses[i])))
			i++;
		if (i == n)
			to->addresses[to->n_addresses++] = from->addresses[k];
	}
}

static json_t *device_json(const struct quarantined *q)
{
	json_t *addresses = json_array(), *o = json_pack("{s:o}", "addresses", addresses);
	char text[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < q->n_addresses; i++) {
		event_address(text, sizeof(text), q->addresses[i].address, q->addresses[i].family);
		json_array_append_new(addresses, json_string(text));
	}
	if (q->mac_known) {
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", q->mac[0], q->mac[1], q->mac[2], q->mac[3], q->mac[4], q->mac[5]);
		json_object_set_new(o, "mac", json_string(text));
	}
	return o;
}

/* Into the event log, and to the incidents. */
static void tell(struct daemon *d, const struct quarantined *q, uint64_t for_s, const char *what)
{
	json_t *o = device_json(q);
	const char *mac = json_string_value(json_object_get(o, "mac"));
	const char *address = json_string_value(json_array_get(json_object_get(o, "addresses"), 0));
	char detail[256];

	snprintf(detail, sizeof(detail), for_s ? "%s %s: for %llu s" : "%s %s", mac ? mac : "", address ? address : "",
		 (unsigned long long)for_s);
	daemon_note(d, what, detail + (*detail == ' '));
	json_object_set_new(o, "until_s", json_integer(for_s ? (json_int_t)time(NULL) + (json_int_t)for_s : 0));
	reporter_say_json(d->reporter, REPORTER_QUARANTINED, o);
}

static void drop(struct daemon *d, size_t at)
{
	memmove(&d->quarantined[at], &d->quarantined[at + 1], (d->n_quarantined - at - 1) * sizeof(d->quarantined[0]));
	d->n_quarantined--;
}

/* NULL, or why not. During a pause the table is not there; what is said then holds when it ends. */
static const char *change(struct daemon *d, struct quarantined *q, uint64_t for_s)
{
	struct quarantined before[QUARANTINE_MAX];
	size_t n_before = d->n_quarantined, met = 0;

	memcpy(before, d->quarantined, sizeof(before));
	for (size_t i = d->n_quarantined; i-- > 0;)
		if (meets(&d->quarantined[i], q) && !(for_s && is_other(&d->quarantined[i], q))) {
			if (for_s)
				absorb(q, &d->quarantined[i]);
			drop(d, i);
			met++;
		}
	if (!for_s && !met)
		return "it is not in quarantine";
	if (for_s && d->n_quarantined == QUARANTINE_MAX) {
		memcpy(d->quarantined, before, sizeof(before));
		d->n_quarantined = n_before;
		return "there is no room for another device in quarantine";
	}
	q->until_s = daemon_now_s() + for_s;
	if (for_s)
		d->quarantined[d->n_quarantined++] = *q;
	if (d->paused_until_s || apply_table(d) == 0)
		return NULL;
	memcpy(d->quarantined, before, sizeof(before));
	d->n_quarantined = n_before;
	return "the kernel's table could not be changed";
}

static json_t *refused(const char *why)
{
	return json_pack("{s:b, s:s, s:i}", "ok", false, "error", why, "code", EXIT_NO);
}

json_t *quarantine_answer(struct daemon *d, const json_t *request)
{
	json_int_t for_s = json_integer_value(json_object_get(request, "for_s"));
	struct quarantined q;
	const char *why;

	if (for_s < 0)
		for_s = policy_reporting(d->policy)->quarantine_time_s;
	if (!quarantine_on(d->policy))
		return refused("quarantine is off: the policy needs `quarantine: {mode: manual}` and `mode: enforce`");
	why = for_s > TIME_MAX_S ? "at most 30 days" : read_request(request, &q);
	if (!why)
		why = change(d, &q, (uint64_t)for_s);
	if (why)
		return refused(why);
	tell(d, &q, (uint64_t)for_s, for_s ? "quarantined" : "released");
	return json_pack("{s:b, s:I}", "ok", true, "for_s", for_s);
}

void quarantine_wanted(struct daemon *d, const char *text)
{
	json_t *request = json_loads(text, 0, NULL);
	const struct reporting *r = policy_reporting(d->policy);
	json_int_t for_s = json_integer_value(json_object_get(request, "for_s"));
	bool again = json_is_true(json_object_get(request, "again")) && daemon_now_s() - d->started_s < AGAIN_S;	/* one from before a restart, for what is left of its time */
	struct quarantined q;

	if (for_s > 0 && for_s <= TIME_MAX_S && quarantine_on(d->policy) && (again || r->quarantine == QUARANTINE_AUTO) &&
	    !read_request(request, &q) && !change(d, &q, (uint64_t)for_s))
		tell(d, &q, (uint64_t)for_s, "quarantined");
	json_decref(request);
}

void quarantine_tick(struct daemon *d)
{
	uint64_t now = daemon_now_s();
	size_t before = d->n_quarantined;

	for (size_t i = d->n_quarantined; i-- > 0;) {
		struct quarantined over = d->quarantined[i];

		if (over.until_s > now)
			continue;
		drop(d, i);
		tell(d, &over, 0, "quarantine_over");
	}
	if (d->n_quarantined != before)
		quarantine_keep(d, d->shared.policy);
}

json_t *quarantine_json(const struct daemon *d)
{
	uint64_t now = daemon_now_s();
	json_t *list = json_array();

	for (size_t i = 0; i < d->n_quarantined; i++) {
		json_t *o = device_json(&d->quarantined[i]);
		uint64_t until = d->quarantined[i].until_s;

		json_object_set_new(o, "left_s", json_integer(until > now ? (json_int_t)(until - now) : 0));
		json_array_append_new(list, o);
	}
	return list;
}

void quarantine_inherit(struct daemon *d, const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		json_int_t left_s = json_integer_value(json_object_get(one, "left_s"));
		struct quarantined q;

		if (d->n_quarantined == QUARANTINE_MAX || left_s <= 0 || left_s > TIME_MAX_S || read_request(one, &q))
			continue;
		q.until_s = daemon_now_s() + (uint64_t)left_s;
		d->quarantined[d->n_quarantined++] = q;
	}
}
