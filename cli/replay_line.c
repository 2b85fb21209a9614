/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turns outcomes into lines. Everything from the wire goes through replay_line_text() or print_text(), so
 * that no byte of a hostile capture reaches the terminal or breaks the JSON. */
#include "cli/replay_line.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/escape.h"
#include "inspect/quic.h"

struct replay_result {
	json_t *names;
	json_t *mining;		/* NULL: nothing found */
	enum app app;
	enum reason reason;
	uint16_t tls_version;
	uint32_t quic_version;
	char ja4[JA4_TEXT];
	bool drop;
};

json_t *replay_line_text(struct view text)
{
	json_t *j = json_stringn((const char *)text.p, text.len);
	char *wide;
	size_t n = 0;

	if (j || !text.len)
		return j ? j : json_string("");
	wide = malloc(text.len * 2);
	if (!wide)
		return NULL;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t b = text.p[i];

		if (b >= 0x80) {
			wide[n++] = (char)(0xc0 | b >> 6);
			b = 0x80 | (b & 0x3f);
		}
		wide[n++] = (char)b;
	}
	j = json_stringn(wide, n);
	free(wide);
	return j;
}

static void set_word(json_t *object, const char *key, const char *word)
{
	if (word)
		json_object_set_new(object, key, json_string(word));
}

static struct replay_result *result_of(struct replay_flow *f)
{
	struct replay_result *r = f->result;

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->names = json_array();
	if (!r->names) {
		free(r);
		return NULL;
	}
	f->result = r;
	return r;
}

/* An answer repeats the name that its query asked for. */
static bool has_name(const struct replay_result *r, const struct name_fact *n)
{
	json_t *entry, *name = replay_line_text(n->text);
	bool found = false;
	size_t i;

	json_array_foreach(r->names, i, entry)
		found |= json_equal(json_object_get(entry, "name"), name);
	json_decref(name);
	return found;
}

static int add_name(struct replay_result *r, const struct name_fact *n)
{
	json_t *entry;

	if (json_array_size(r->names) >= REPLAY_NAMES_MAX)
		return 0;
	entry = json_object();
	set_word(entry, "kind", name_kind_text(n->kind));
	json_object_set_new(entry, "name", replay_line_text(n->text));
	return json_array_append_new(r->names, entry) ? -ENOMEM : 0;
}

static bool is_finding(const struct outcome *o)
{
	return o->decision.action == ACTION_BLOCK || o->decision.action == ACTION_MONITOR;
}

/* A protocol that was recognised but that the policy lets be still is something found. */
static json_t *mining_json(const struct outcome *o, const struct event *e)
{
	json_t *all = event_json(e), *m = json_object_get(all, "mining");

	json_incref(m);
	json_decref(all);
	json_object_del(m, "count");
	if (m && o->facts->mining && !json_object_get(m, "evidence"))
		json_object_set_new(m, "evidence", json_string(evidence_text(EVIDENCE_PROTOCOL)));
	return m;
}

int replay_line_add(struct replay_flow *f, const struct outcome *o, const struct event *e)
{
	/* who is let be with a node does not mine */
	bool found = o->facts->mining && o->facts->stratum.kind != MINING_NODE;
	struct replay_result *r = result_of(f);
	json_t *mining;
	int err = 0;

	if (!r)
		return -ENOMEM;
	for (unsigned i = 0; i < o->facts->n_names && !err; i++)
		if (!o->facts->dns.response || !has_name(r, &o->facts->names[i]))
			err = add_name(r, &o->facts->names[i]);
	if (o->app != APP_UNKNOWN)
		r->app = o->app;
	if (o->reason != REASON_NONE)
		r->reason = o->reason;
	if (o->facts->tls_version && !r->tls_version)
		r->tls_version = o->facts->tls_version;
	if (o->facts->quic_version)
		r->quic_version = o->facts->quic_version;
	if (!r->ja4[0])
		ja4_text(r->ja4, o->facts->tls_hello, o->facts->quic_version != 0);
	r->drop |= o->verdict == VERDICT_BLOCK || o->verdict == VERDICT_DROP;
	if (!found && !(o->event && is_finding(o)))
		return err;
	mining = mining_json(o, e);
	if (!r->mining)
		r->mining = mining;
	else if (mining) {	/* what was said first stands, but for what blocks */
		if (e->blocked)
			json_object_update(r->mining, mining);
		else
			json_object_update_missing(r->mining, mining);
		json_decref(mining);
	}
	return r->mining ? err : -ENOMEM;
}

void replay_line_free(struct replay_flow *f)
{
	if (!f->result)
		return;
	json_decref(f->result->names);
	json_decref(f->result->mining);
	free(f->result);
	f->result = NULL;
}

static void time_text(char out[64], struct timeval when)
{
	struct timespec ts = { when.tv_sec, when.tv_usec % 1000000 * 1000 };

	event_time(out, 64, &ts);
}

/* The words of Suricata's tls.version. */
static const char *tls_text(uint16_t version)
{
	switch (version) {
	case 0x0002:	return "SSLv2";
	case 0x0300:	return "SSLv3";
	case 0x0301:	return "TLSv1";
	case 0x0302:	return "TLS 1.1";
	case 0x0303:	return "TLS 1.2";
	case 0x0304:	return "TLS 1.3";
	default:	return NULL;
	}
}

static json_t *ends_json(const struct replay_flow *f, struct timeval when, const char *type, const char *name)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], stamp[64];
	struct view file = { (const uint8_t *)name, strlen(name) };
	json_t *j = json_object();

	time_text(stamp, when);
	event_address(src, sizeof(src), f->src, f->family);
	event_address(dst, sizeof(dst), f->dst, f->family);
	set_word(j, "timestamp", stamp);
	set_word(j, "event_type", type);
	json_object_set_new(j, "pcap_filename", replay_line_text(file));
	set_word(j, "src_ip", src);
	json_object_set_new(j, "src_port", json_integer(f->sport));
	set_word(j, "dest_ip", dst);
	json_object_set_new(j, "dest_port", json_integer(f->dport));
	set_word(j, "proto", event_proto(f->proto));
	return j;
}

/* The first name of a kind, at the place that EVE has for it. */
static void set_first(json_t *object, const char *key, const struct replay_result *r, enum name_kind kind)
{
	json_t *entry;
	size_t i;

	json_array_foreach(r->names, i, entry) {
		const char *word = json_string_value(json_object_get(entry, "kind"));

		if (!json_object_get(object, key) && !strcmp(word, name_kind_text(kind)))
			json_object_set(object, key, json_object_get(entry, "name"));
	}
}

static void set_object(json_t *j, const char *key, json_t *object)
{
	if (json_object_size(object))
		json_object_set(j, key, object);
	json_decref(object);
}

static void set_protocol(json_t *j, const struct replay_result *r)
{
	json_t *tls = json_object(), *quic = json_object(), *http = json_object(), *dns = json_object();
	char version[QUIC_VERSION_TEXT];

	set_first(tls, "sni", r, NAME_TLS_SNI);
	set_first(quic, "sni", r, NAME_QUIC_SNI);
	set_first(http, "hostname", r, NAME_HTTP_HOST);
	set_first(dns, "rrname", r, NAME_DNS);
	if (r->quic_version) {
		quic_version_text(version, r->quic_version);
		set_word(quic, "version", version);
	} else {
		set_word(tls, "version", tls_text(r->tls_version));
	}
	set_word(r->quic_version ? quic : tls, "ja4", r->ja4[0] ? r->ja4 : NULL);
	set_object(j, "tls", tls);
	set_object(j, "quic", quic);
	set_object(j, "http", http);
	set_object(j, "dns", dns);
}

json_t *replay_line_json(const struct replay_flow *f, const char *name)
{
	static const struct replay_result nothing;
	const struct replay_result *r = f->result ? f->result : &nothing;
	json_t *j = ends_json(f, f->when, "flow", name);
	json_t *verdict = json_object();

	set_word(j, "app_proto", app_text(r->app));
	set_word(verdict, "action", r->drop ? "drop" : "accept");
	if (r->reason != REASON_NONE)
		set_word(verdict, "reason", reason_text(r->reason));
	json_object_set_new(j, "verdict", verdict);
	if (r->names) {
		json_object_set(j, "names", r->names);
		set_protocol(j, r);
	} else {
		json_object_set_new(j, "names", json_array());
	}
	if (r->mining)
		json_object_set(j, "mining", r->mining);
	return j;
}

/* Text of a JSON string, where backslashes are shown as \xNN, too: nothing in it was escaped before. */
static void print_text(FILE *to, const char *text, size_t len)
{
	while (len) {
		const char *slash = memchr(text, '\\', len);
		size_t n = slash ? (size_t)(slash - text) : len;

		escape_put(to, ESCAPE_TERMINAL, text, n);
		if (slash)
			fputs("\\x5c", to);
		n += slash != NULL;
		text += n;
		len -= n;
	}
}

static void print_value(FILE *to, const json_t *value)
{
	print_text(to, json_string_value(value), json_string_length(value));
}

static void print_ends(FILE *to, const struct replay_flow *f, struct timeval when)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], stamp[64];

	time_text(stamp, when);
	event_address(src, sizeof(src), f->src, f->family);
	event_address(dst, sizeof(dst), f->dst, f->family);
	fprintf(to, f->family == 4 ? "%s %s %s:%u > %s:%u" : "%s %s [%s]:%u > [%s]:%u", stamp, event_proto(f->proto),
		src, f->sport, dst, f->dport);
}

static void print_mining(FILE *to, json_t *mining)
{
	static const char *const keys[] = { "evidence", "dialect", "method", "agent", "algo", "worker", "list", "entry",
					    "rule" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(mining, keys[i]);

		if (!value)
			continue;
		fprintf(to, " %s=", keys[i]);
		print_value(to, value);
	}
}

void replay_line_print(FILE *to, const struct replay_flow *f)
{
	const struct replay_result *r = f->result;
	json_t *entry;
	size_t i;

	print_ends(to, f, f->when);
	fprintf(to, " %s %s", app_text(r ? r->app : APP_UNKNOWN), r && r->drop ? "drop" : "accept");
	if (r) {
		json_array_foreach(r->names, i, entry) {
			fputc(' ', to);
			print_value(to, json_object_get(entry, "kind"));
			fputc('=', to);
			print_value(to, json_object_get(entry, "name"));
		}
		print_mining(to, r->mining);
	}
	fputc('\n', to);
}

json_t *replay_line_alert(const struct event *e, const char *name)
{
	struct view file = { (const uint8_t *)name, strlen(name) };
	json_t *j = event_json(e);

	if (j)
		json_object_set_new(j, "pcap_filename", replay_line_text(file));
	return j;
}

/* The event's texts are escaped already. */
void replay_line_print_alert(FILE *to, const struct event *e)
{
	struct replay_flow f = { .family = e->family, .proto = e->subject.proto,
				 .sport = e->subject.sport, .dport = e->subject.dport };
	struct timeval when = { e->when.tv_sec, e->when.tv_nsec / 1000 };

	memcpy(f.src, e->subject.src, sizeof(f.src));
	memcpy(f.dst, e->subject.dst, sizeof(f.dst));
	print_ends(to, &f, when);
	fprintf(to, " %s %s", app_text(e->app), e->blocked ? "drop" : "monitor");
	if (e->named)
		fprintf(to, " %s=%s", name_kind_text(e->name_kind), e->name);
	if (e->evidence == EVIDENCE_NONE)
		fprintf(to, " reason=%s", reason_text(e->reason));
	else
		fprintf(to, " evidence=%s", evidence_text(e->evidence));
	if (e->dialect[0])
		fprintf(to, " dialect=%s method=%s agent=%s", e->dialect, e->method, e->agent);
	if (e->list[0])
		fprintf(to, " list=%s", e->list);
	if (e->entry[0])
		fprintf(to, " entry=%s", e->entry);
	if (e->rule[0])
		fprintf(to, " rule=%s", e->rule);
	fputc('\n', to);
}
