/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other words for the same facts: nothing is added to what the event says, and what has no word there stays under our own. */
#include "cli/log_render.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/event_line.h"
#include "daemon/escape.h"

/* Structured data of an enterprise without a number of its own: RFC 5612 gives this one to examples. */
#define SD_ID "minewall@32473"

/* RFC 5424 6.2.1: local0, and warning or notice. */
enum { FACILITY = 16, WARNING = 4, NOTICE = 5 };

static json_t *text_json(struct log_text t)
{
	json_t *j = json_stringn(t.p, t.len);

	return j ? j : json_string("?");
}

static void put(json_t *to, const char *key, struct log_text t)
{
	if (t.len)
		json_object_set_new(to, key, text_json(t));
}

/* The object at `key`, made if it is not there. */
static json_t *inner(json_t *to, const char *key)
{
	json_t *j = json_object_get(to, key);

	if (j)
		return j;
	json_object_set_new(to, key, json_object());
	return json_object_get(to, key);
}

static void put_port(json_t *to, const struct log_line *line, enum log_field field)
{
	if (log_number(line, field) > 0)
		json_object_set_new(to, "port", json_integer(log_number(line, field)));
}

/* "00-00-5E-00-53-23", as ECS wants it. */
static void put_mac(json_t *to, struct log_text mac)
{
	char text[18];

	if (mac.len != 17)
		return;
	for (size_t i = 0; i < 17; i++)
		text[i] = mac.p[i] == ':' ? '-' : mac.p[i] >= 'a' && mac.p[i] <= 'f' ? (char)(mac.p[i] - 'a' + 'A') : mac.p[i];
	put(to, "mac", (struct log_text){ text, 17 });
}

static void put_name(json_t *ecs, const struct log_line *line)
{
	const struct log_text *t = line->text;
	struct log_text version = t[LOG_TLS_VERSION];

	put(inner(ecs, "destination"), "domain", log_line_name(line, NULL));
	if (t[LOG_TLS].len || t[LOG_QUIC].len)
		put(inner(inner(ecs, "tls"), "client"), "server_name", t[LOG_TLS].len ? t[LOG_TLS] : t[LOG_QUIC]);
	if (version.len == 7 && !memcmp(version.p, "TLS ", 4)) {
		put(inner(ecs, "tls"), "version", (struct log_text){ version.p + 4, 3 });
		json_object_set_new(inner(ecs, "tls"), "version_protocol", json_string("tls"));
	}
	if (t[LOG_DNS].len)
		put(inner(inner(ecs, "dns"), "question"), "name", t[LOG_DNS]);
	if (t[LOG_HTTP].len)
		put(inner(ecs, "url"), "domain", t[LOG_HTTP]);
	if (t[LOG_AGENT].len)
		put(inner(ecs, "user_agent"), "original", t[LOG_AGENT]);
}

static void put_network(json_t *ecs, const struct log_line *line)
{
	const struct log_text *t = line->text;
	json_t *network = inner(ecs, "network");

	if (t[LOG_PROTO].len)
		json_object_set_new(network, "transport", json_string(log_text_is(t[LOG_PROTO], "UDP") ? "udp" : "tcp"));
	if (t[LOG_APP].len && !log_text_is(t[LOG_APP], "unknown"))
		put(network, "protocol", t[LOG_APP]);
	json_object_set_new(network, "type", json_string(memchr(t[LOG_SRC].p, ':', t[LOG_SRC].len) ? "ipv6" : "ipv4"));
	json_object_set_new(network, "direction", json_string("outbound"));
}

static void put_finding(json_t *ecs, const struct log_line *line)
{
	const struct log_text *t = line->text;
	bool blocked = log_text_is(t[LOG_ACTION], "blocked");
	json_t *event = inner(ecs, "event"), *source = inner(ecs, "source"), *destination = inner(ecs, "destination"), *rule = inner(ecs, "rule");
	json_t *raw = json_loadb(line->raw.p, line->raw.len, 0, NULL);

	json_object_set_new(event, "kind", json_string("alert"));
	json_object_set_new(event, "category", json_pack("[s, s]", "network", "intrusion_detection"));
	json_object_set_new(event, "type", json_pack("[s, s]", "connection", blocked ? "denied" : "allowed"));
	put(event, "action", t[LOG_ACTION]);
	put(event, "id", t[LOG_ID]);
	json_object_set_new(event, "severity", json_integer(log_number(line, LOG_SEVERITY)));
	put(source, "ip", t[LOG_SRC]);
	put_port(source, line, LOG_SPORT);
	put_mac(source, t[LOG_MAC]);
	put(source, "domain", t[LOG_HOST]);
	put(destination, "ip", t[LOG_DST]);
	put_port(destination, line, LOG_DPORT);
	put_network(ecs, line);
	put_name(ecs, line);
	put(rule, "name", t[LOG_RULE]);
	put(rule, "ruleset", t[LOG_LIST]);
	put(rule, "description", t[LOG_SIGNATURE]);
	put(rule, "category", t[LOG_CATEGORY]);
	/* For pools, wallets and signs ECS has no words. */
	json_object_set(ecs, "minewall", json_object_get(raw, "mining"));
	json_decref(raw);
}

/* The line for people, without its end. */
static char *message(const struct log_line *line)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	event_line_print(f, line, log_number(line, LOG_COUNT), 0);
	if (fclose(f) || !text)
		return NULL;
	if (len)
		text[len - 1] = '\0';
	return text;
}

void log_render_ecs(FILE *out, const struct log_line *line)
{
	const struct log_text *t = line->text;
	json_t *ecs = json_object(), *event = inner(ecs, "event");
	char *text = message(line);

	put(ecs, "@timestamp", t[LOG_TIMESTAMP]);
	json_object_set_new(inner(ecs, "ecs"), "version", json_string("8.11.0"));
	json_object_set_new(ecs, "message", text ? json_string(text) : json_string("?"));
	json_object_set_new(event, "module", json_string("minewall"));
	json_object_set_new(event, "dataset", json_string("minewall.eve"));
	json_object_set_new(inner(ecs, "observer"), "type", json_string("firewall"));
	json_object_set_new(inner(ecs, "observer"), "product", json_string("minewall"));
	put(inner(ecs, "observer"), "name", t[LOG_GATEWAY]);
	if (log_text_is(t[LOG_TYPE], "minewall")) {
		json_object_set_new(event, "kind", json_string("event"));
		json_object_set_new(event, "category", json_pack("[s]", "network"));
		json_object_set_new(event, "type", json_pack("[s]", "info"));
		put(event, "action", t[LOG_EVENT]);
		put(event, "reason", t[LOG_DETAIL]);
	} else {
		put_finding(ecs, line);
	}
	json_dumpf(ecs, out, JSON_COMPACT | JSON_ENSURE_ASCII);
	putc('\n', out);
	json_decref(ecs);
	free(text);
}

static void parameter(FILE *out, const char *name, struct log_text t)
{
	if (!t.len)
		return;
	fprintf(out, " %s=\"", name);
	escape_put(out, ESCAPE_SYSLOG, t.p, t.len);
	putc('"', out);
}

/* PRINTUSASCII, at most 255 (RFC 5424 6). */
static bool is_hostname(struct log_text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] < '!' || t.p[i] > '~')
			return false;
	return t.len && t.len <= 255;
}

void log_render_syslog(FILE *out, const struct log_line *line, const char *host)
{
	static const struct { const char *name; enum log_field field; } parameters[] = {
		{ "action", LOG_ACTION }, { "id", LOG_ID }, { "src", LOG_SRC }, { "mac", LOG_MAC }, { "device", LOG_HOST }, { "dst", LOG_DST },
		{ "proto", LOG_PROTO }, { "app", LOG_APP }, { "evidence", LOG_EVIDENCE }, { "dialect", LOG_DIALECT }, { "agent", LOG_AGENT },
		{ "login_hash", LOG_LOGIN }, { "rule", LOG_RULE }, { "list", LOG_LIST }, { "gateway", LOG_GATEWAY }, { "event", LOG_EVENT },
	};
	const struct log_text *t = line->text;
	bool urgent = log_text_is(t[LOG_TYPE], "alert");
	char *text = message(line);

	fprintf(out, "<%d>1 ", FACILITY * 8 + (urgent ? WARNING : NOTICE));
	/* What we read as a time is one of RFC 3339 with a colon in its offset, or we wrote none. */
	if (line->when_us && t[LOG_TIMESTAMP].len == 32)
		fwrite(t[LOG_TIMESTAMP].p, 1, t[LOG_TIMESTAMP].len, out);
	else
		putc('-', out);
	putc(' ', out);
	if (is_hostname(t[LOG_GATEWAY]))
		fwrite(t[LOG_GATEWAY].p, 1, t[LOG_GATEWAY].len, out);
	else
		fputs(*host ? host : "-", out);
	fprintf(out, " minewall - %s [" SD_ID, urgent ? "finding" : "note");
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		parameter(out, parameters[i].name, t[parameters[i].field]);
	parameter(out, "name", log_line_name(line, NULL));
	if (log_number(line, LOG_DPORT) > 0)
		fprintf(out, " dport=\"%lld\"", (long long)log_number(line, LOG_DPORT));
	if (urgent)
		fprintf(out, " count=\"%lld\"", (long long)log_number(line, LOG_COUNT));
	fprintf(out, "] %s\n", text ? text : "?");
	free(text);
}
