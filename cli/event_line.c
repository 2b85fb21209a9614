/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One event of the log as a line for people; what came from the wire was escaped when the event was made. */
#include "cli/event_line.h"

#include <stdio.h>
#include <string.h>

const char *event_text(const json_t *j, const char *outer, const char *key)
{
	const char *s = json_string_value(json_object_get(outer ? json_object_get(j, outer) : j, key));

	return s ? s : "";
}

const char *event_named(const json_t *j, const char **kind)
{
	static const struct {
		const char *outer, *key, *word;
	} names[] = {
		{ "tls", "sni", "TLS" }, { "quic", "sni", "QUIC" }, { "http", "hostname", "HTTP" }, { "dns", "rrname", "DNS" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = event_text(j, names[i].outer, names[i].key);

		if (kind)
			*kind = names[i].word;
		if (*name)
			return name;
	}
	return "";
}

static void print_score(const json_t *mining)
{
	const json_t *score = json_object_get(mining, "score");
	json_t *mark;
	size_t i;

	if (score)
		printf(" score %lld:", (long long)json_integer_value(score));
	json_array_foreach(json_object_get(mining, "marks"), i, mark)
		printf(" %s", json_string_value(mark));
}

static void print_what(const json_t *j)
{
	const char *kind, *name = event_named(j, &kind);

	if (*name)
		printf(" %s %s", kind, name);
	if (*event_text(j, "mining", "dialect"))
		printf(" %s", event_text(j, "mining", "dialect"));
	if (*event_text(j, "mining", "method") && strcmp(event_text(j, "mining", "method"), event_text(j, "mining", "dialect")))
		printf(" %s", event_text(j, "mining", "method"));
	if (*event_text(j, "mining", "carrier"))
		printf(strcmp(event_text(j, "mining", "carrier"), "websocket") ? " in HTTP" : " in a WebSocket");
	if (*event_text(j, "mining", "agent"))
		printf(" agent \"%s\"", event_text(j, "mining", "agent"));
	if (*event_text(j, "mining", "worker"))
		printf(" worker \"%s\"", event_text(j, "mining", "worker"));
	if (*event_text(j, "mining", "login_hash"))
		printf(" wallet #%.8s", event_text(j, "mining", "login_hash"));
	print_score(json_object_get(j, "mining"));
	if (*event_text(j, "mining", "reason"))
		printf(" %s", event_text(j, "mining", "reason"));
}

void event_print(const json_t *j)
{
	json_int_t count = json_integer_value(json_object_get(json_object_get(j, "mining"), "count"));
	const char *to = event_text(j, NULL, "dest_ip");
	char when[20];

	snprintf(when, sizeof(when), "%s", event_text(j, NULL, "timestamp"));
	if (strlen(when) > 10)
		when[10] = ' ';
	if (!strcmp(event_text(j, NULL, "event_type"), "minewall")) {
		printf("%s  note     %s: %s\n", when, event_text(j, "minewall", "event"), event_text(j, "minewall", "detail"));
		return;
	}
	printf("%s  %-7s  %s", when, event_text(j, "alert", "action"), event_text(j, NULL, "src_ip"));
	if (*event_text(j, "host", "mac"))
		printf(" (%s)", event_text(j, "host", "mac"));
	printf(strchr(to, ':') ? " -> [%s]:%lld" : " -> %s:%lld", *to ? to : "outside",
	       (long long)json_integer_value(json_object_get(j, "dest_port")));
	print_what(j);
	if (*event_text(j, "mining", "list"))
		printf("  [list %s: %s]", event_text(j, "mining", "list"), event_text(j, "mining", "entry"));
	else if (*event_text(j, "mining", "rule"))
		printf("  [%s]", event_text(j, "mining", "rule"));
	if (count > 1 && json_object_get(j, "src_port"))
		printf("  %lld times", (long long)count);
	if (json_integer_value(json_object_get(json_object_get(j, "alert"), "signature_id")) && !json_object_get(j, "src_port"))
		printf("  %s in the kernel, %lld packet%s", strcmp(event_text(j, "alert", "action"), "blocked") ? "counted" : "stopped",
		       (long long)count, count == 1 ? "" : "s");
	printf("  #%s\n", event_text(j, "mining", "id"));
}
