/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state file: one JSON object with the elements. It is written beside itself and renamed, so that a power
 * cut leaves the old one or the new one. Ends are in wall-clock time, as no other clock survives a reboot. */
#include "daemon/state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/apply.h"
#include "daemon/log.h"

#define STATE_VERSION 1
/* Between two writings: so long at least, and so many times what the last one took, as the main loop does nothing else then. */
#define SAVE_PAUSE_S 2
#define SAVE_SHARE 20

static void put(json_t *o, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(o, key, json_string(text));
}

static void get(const json_t *o, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(o, key));

	snprintf(to, size, "%s", text ? text : "");
}

/* The reason as far as a later event needs it. Wallet hashes and agents belong to one connection and stay out. */
static json_t *reason_json(const struct event *why)
{
	json_t *o = json_pack("{s:i, s:i, s:b, s:i, s:i, s:i, s:i}", "evidence", why->evidence, "app", why->app, "named", why->named,
			      "name_kind", why->name_kind, "line", (int)why->line, "marks", (int)why->marks, "kind", why->kind);

	put(o, "name", why->name);
	put(o, "host", why->host);
	put(o, "dialect", why->dialect);
	put(o, "method", why->method);
	put(o, "list", why->list);
	put(o, "entry", why->entry);
	put(o, "rule", why->rule);
	put(o, "fleet", why->fleet);
	return o;
}

static int number(const json_t *o, const char *key, int max)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n < 0 || n > max ? 0 : (int)n;
}

static void read_reason(const json_t *o, struct event *why)
{
	why->evidence = (enum evidence)number(o, "evidence", EVIDENCE_SCORE);
	why->kind = (enum mining_kind)number(o, "kind", MINING_NODE);
	why->app = (enum app)number(o, "app", APP_STRATUM);
	why->named = json_is_true(json_object_get(o, "named"));
	why->name_kind = (enum name_kind)number(o, "name_kind", NAME_DNS);
	why->line = (unsigned)number(o, "line", 1 << 30);
	why->marks = (unsigned)number(o, "marks", (1 << MARK_COUNT) - 1);
	get(o, "name", why->name, sizeof(why->name));
	get(o, "host", why->host, sizeof(why->host));
	get(o, "dialect", why->dialect, sizeof(why->dialect));
	get(o, "method", why->method, sizeof(why->method));
	get(o, "list", why->list, sizeof(why->list));
	get(o, "entry", why->entry, sizeof(why->entry));
	get(o, "rule", why->rule, sizeof(why->rule));
	get(o, "fleet", why->fleet, sizeof(why->fleet));
}

static json_t *element_json(struct daemon *d, const struct element *e)
{
	char dst[INET6_ADDRSTRLEN], src[INET6_ADDRSTRLEN];
	struct event why;
	json_t *o;

	event_address(dst, sizeof(dst), e->dst, e->family);
	o = json_pack("{s:i, s:s, s:i, s:i, s:I}", "family", e->family, "address", dst, "port", e->port, "proto", e->proto, "ends",
		      (json_int_t)time(NULL) + e->timeout_s);
	if (e->pair) {
		event_address(src, sizeof(src), e->src, e->family);
		put(o, "host", src);
	}
	if (learnt_get(d->shared.learnt, e, &why))
		json_object_set_new(o, "why", reason_json(&why));
	return o;
}

static void paths(const struct daemon *d, char *path, char *draft, size_t size)
{
	snprintf(path, size, "%s/learnt.json", d->settings->state);
	snprintf(draft, size, "%s/learnt.json.new", d->settings->state);
}

/* One element after the other: a tree of tens of thousands would take a hundred megabytes for a moment. */
static bool write_elements(struct daemon *d, FILE *f)
{
	size_t n = 0;
	struct element *elements = apply_elements(d, &n);
	bool ok = fprintf(f, "{\"version\":%d,\"learnt\":[", STATE_VERSION) > 0;

	for (size_t i = 0; i < n && ok; i++) {
		json_t *o = element_json(d, &elements[i]);

		ok = (!i || fputc(',', f) != EOF) && json_dumpf(o, f, JSON_COMPACT) == 0;
		json_decref(o);
	}
	free(elements);
	return ok && fputs("]}", f) != EOF;
}

static bool write_file(struct daemon *d, const char *path)
{
	FILE *f = fopen(path, "we");
	bool ok = f && write_elements(d, f);

	if (f && fclose(f))
		ok = false;
	return ok;
}

void state_save(struct daemon *d)
{
	char path[4096 + 32], draft[4096 + 32];
	struct timespec began, done;

	clock_gettime(CLOCK_MONOTONIC, &began);
	paths(d, path, draft, sizeof(path));
	if (!write_file(d, draft) || rename(draft, path)) {
		if (!d->save_failed)
			log_warn(errno, "what was learnt cannot be written to %s", path);
		d->save_failed = true;
		unlink(draft);
	} else {
		d->save_failed = false;
	}
	clock_gettime(CLOCK_MONOTONIC, &done);
	d->saved_s = (uint64_t)done.tv_sec;
	d->save_pause_s = SAVE_PAUSE_S + (uint64_t)((done.tv_sec - began.tv_sec) * SAVE_SHARE +
						    (done.tv_nsec - began.tv_nsec) / (1000000000 / SAVE_SHARE));
	d->unsaved = false;
}

static bool read_address(const json_t *o, const char *key, uint8_t family, uint8_t out[16])
{
	const char *text = json_string_value(json_object_get(o, key));

	if (!text)
		return false;
	if (family == 6)
		return inet_pton(AF_INET6, text, out) == 1;
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	return inet_pton(AF_INET, text, out + 12) == 1;
}

/* False: not whole, or over. No element lives longer than the policy lets a new one live. */
static bool read_element(const struct daemon *d, const json_t *o, struct element *e)
{
	json_int_t ends = json_integer_value(json_object_get(o, "ends")), now = (json_int_t)time(NULL), longest;

	memset(e, 0, sizeof(*e));
	e->family = (uint8_t)number(o, "family", 6);
	e->proto = (uint8_t)number(o, "proto", IPPROTO_UDP);
	e->port = (uint16_t)number(o, "port", UINT16_MAX);
	e->pair = json_object_get(o, "host") != NULL;
	if ((e->family != 4 && e->family != 6) || (e->proto != IPPROTO_TCP && e->proto != IPPROTO_UDP) || ends <= now ||
	    !read_address(o, "address", e->family, e->dst) || (e->pair && !read_address(o, "host", e->family, e->src)))
		return false;
	longest = e->pair ? d->settings->pair_timeout_s : d->settings->endpoint_timeout_s;
	e->timeout_s = (uint32_t)(ends - now < longest ? ends - now : longest);
	return true;
}

/* What the kernel kept is newer than the file: only its reasons are taken from there. */
static void remember_adopted(struct daemon *d)
{
	size_t n = 0;
	struct element *elements = apply_elements(d, &n);
	struct event why;

	for (size_t i = 0; i < n; i++) {
		if (learnt_get(d->shared.learnt, &elements[i], &why))
			continue;
		memset(&why, 0, sizeof(why));
		memcpy(why.subject.dst, elements[i].dst, sizeof(why.subject.dst));
		why.subject.dport = elements[i].port;
		why.subject.proto = elements[i].proto;
		why.family = elements[i].family;
		why.blocked = true;
		learnt_put(d->shared.learnt, &elements[i], &why, daemon_now_s());
	}
	free(elements);
}

static void load_one(struct daemon *d, const json_t *o)
{
	struct element e;
	struct event why;

	memset(&why, 0, sizeof(why));
	if (!read_element(d, o, &e))
		return;
	read_reason(json_object_get(o, "why"), &why);
	memcpy(why.subject.src, e.src, sizeof(e.src));
	memcpy(why.subject.dst, e.dst, sizeof(e.dst));
	why.subject.dport = e.port;
	why.subject.proto = e.proto;
	why.family = e.family;
	why.blocked = true;
	why.learned = e.pair ? SCOPE_PAIR : SCOPE_ENDPOINT;
	if (why.evidence == EVIDENCE_NONE || !apply_justified(d, &e, &why))
		return;
	if (*why.fleet && !e.pair)
		learnt_put_fleet(d->shared.learnt, &e, &(struct learnt_fleet) { why.dialect, why.fleet }, daemon_now_s());
	else
		learnt_put(d->shared.learnt, &e, &why, daemon_now_s());
	if (why.evidence == EVIDENCE_NAME)
		tenants_teach(d->shared.tenants, e.dst, e.proto, e.port);
	if (d->adopted == 0)
		apply_teach(d, &e, 1);
}

void state_load(struct daemon *d)
{
	char path[4096 + 32], draft[4096 + 32];
	json_error_t error;
	json_t *root, *o;
	size_t i;

	paths(d, path, draft, sizeof(path));
	root = json_load_file(path, 0, &error);
	if (!root && json_error_code(&error) != json_error_cannot_open_file)
		log_info("%s is broken and left aside: %s", path, error.text);
	json_array_foreach(json_object_get(root, "learnt"), i, o)
		load_one(d, o);
	json_decref(root);
	if (d->adopted)
		remember_adopted(d);
}

struct gathered {
	struct element *items;
	size_t n, room;
};

static void gather(const struct element *e, const struct event *why, void *arg)
{
	struct gathered *all = arg;

	(void)why;
	if (all->n < all->room)
		all->items[all->n++] = *e;
}

void state_teach(struct daemon *d)
{
	struct gathered all = { .room = learnt_count(d->shared.learnt) };

	all.items = calloc(all.room + 1, sizeof(*all.items));
	if (all.items)
		learnt_each(d->shared.learnt, daemon_now_s(), gather, &all);
	apply_teach(d, all.items, all.n);
	free(all.items);
}

/* Before 2020 no clock was right, and a gap of years is a clock's. */
#define CLOCK_SET_S 1577836800LL
#define GAP_MAX_S (366LL * 86400)

uint64_t state_gap_s(const struct daemon *d)
{
	char path[4096 + 32], draft[4096 + 32];
	int64_t gap_s;
	struct stat st;

	paths(d, path, draft, sizeof(path));
	if (stat(path, &st) || (int64_t)st.st_mtime < CLOCK_SET_S)
		return 0;
	gap_s = (int64_t)time(NULL) - (int64_t)st.st_mtime;
	return gap_s > 0 && gap_s < GAP_MAX_S ? (uint64_t)gap_s : 0;
}
