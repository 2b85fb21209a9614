/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads events back into what the policy judges by. The log only holds what was a finding: what was never one cannot be
 * told from it. */
#include "cli/check_diff.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/event_line.h"
#include "cli/log_read.h"
#include "daemon/score.h"
#include "policy/addresses.h"

static bool read_address(const json_t *event, const char *key, uint8_t to[16])
{
	const char *text = event_text(event, NULL, key);
	struct network net;

	memset(&net, 0, sizeof(net));
	if (address_parse(text, strlen(text), &net) != ADDRESS_GOOD)
		return false;
	memcpy(to, net.addr, sizeof(net.addr));
	return true;
}

/* The name as it was judged: its host, without a port. */
static void read_name(const json_t *event, struct facts *facts)
{
	static const struct { const char *object, *key; enum name_kind kind; } kinds[] = {
		{ "tls", "sni", NAME_TLS_SNI }, { "quic", "sni", NAME_QUIC_SNI }, { "http", "hostname", NAME_HTTP_HOST },
		{ "dns", "rrname", NAME_DNS },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *name = event_text(event, kinds[i].object, kinds[i].key);
		struct view host = { (const uint8_t *)name, *name == '[' ? 0 : strcspn(name, ":") };

		if (!*name || !host.len)
			continue;
		facts->names[0] = (struct name_fact){ .kind = kinds[i].kind, .matchable = true, .text = host, .host = host };
		facts->n_names = 1;
		return;
	}
}

static unsigned read_marks(const json_t *mining)
{
	unsigned marks = 0;
	json_t *word;
	size_t i;

	json_array_foreach(json_object_get(mining, "marks"), i, word)
		for (unsigned m = 0; m < MARK_COUNT; m++)
			if (json_string_value(word) && !strcmp(json_string_value(word), mark_text((enum mark)m)))
				marks |= 1u << m;
	return marks;
}

static enum mining_kind read_kind(const json_t *event)
{
	const char *kind = event_text(event, "mining", "kind");

	return !strcmp(kind, "getwork") ? MINING_GETWORK : !strcmp(kind, "node") ? MINING_NODE : MINING_STRATUM;
}

static enum carrier read_carrier(const json_t *event)
{
	const char *carrier = event_text(event, "mining", "carrier");

	return !strcmp(carrier, "websocket") ? CARRIER_WEBSOCKET : !strcmp(carrier, "http") ? CARRIER_HTTP : CARRIER_STREAM;
}

bool check_read(const json_t *event, struct subject *who, struct facts *facts)
{
	const char *mac = event_text(event, "host", "mac");

	*who = (struct subject) {
		.sport = (uint16_t)json_integer_value(json_object_get(event, "src_port")),
		.dport = (uint16_t)json_integer_value(json_object_get(event, "dest_port")),
		.proto = strcmp(event_text(event, NULL, "proto"), "UDP") ? IPPROTO_TCP : IPPROTO_UDP,
		.when_s = log_time(event_text(event, NULL, "timestamp"), strlen(event_text(event, NULL, "timestamp"))) / 1000000,
	};
	who->mac_known = sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &who->mac[0], &who->mac[1], &who->mac[2], &who->mac[3],
				&who->mac[4], &who->mac[5]) == 6;
	*facts = (struct facts) {
		.app = strcmp(event_text(event, NULL, "app_proto"), "dns") ? APP_UNKNOWN : APP_DNS,
		.mining = !strcmp(event_text(event, "mining", "evidence"), evidence_text(EVIDENCE_PROTOCOL)),
		.stratum = { .kind = read_kind(event), .carrier = read_carrier(event) },
	};
	read_name(event, facts);
	return *event_text(event, "mining", "evidence") && read_address(event, "src_ip", who->src) &&
	       read_address(event, "dest_ip", who->dst);
}

struct decision check_judge(const struct policy *p, const json_t *event, const struct subject *who, const struct facts *facts)
{
	struct decision d = policy_decide_address(p, who);

	if (d.action == ACTION_ALLOW || d.action == ACTION_BLOCK)
		return d;
	if (!strcmp(event_text(event, "mining", "evidence"), evidence_text(EVIDENCE_SCORE)))
		return policy_decide_score(p, who, score_points(read_marks(json_object_get(event, "mining"))));
	return facts->mining || facts->n_names ? policy_decide(p, who, facts) : d;
}

static bool differs(const json_t *event, const struct decision *now)
{
	bool blocked = !strcmp(event_text(event, "alert", "action"), "blocked");

	return blocked ? now->action != ACTION_BLOCK : now->action != ACTION_MONITOR;
}

struct comparing {
	const struct policy *policy;
	void (*each)(const json_t *event, const struct decision *now, void *arg);
	void *arg;
	long n;
};

/* What the kernel stopped by itself follows from an earlier event; a contradiction is no matter of the policy. */
static int compare(const struct log_line *line, void *arg)
{
	struct comparing *c = arg;
	json_t *event = log_has(line, LOG_SPORT) && line->text[LOG_EVIDENCE].len ? json_loadb(line->raw.p, line->raw.len, 0, NULL) : NULL;
	struct subject who;
	struct facts facts;

	if (event && check_read(event, &who, &facts)) {
		struct decision now = check_judge(c->policy, event, &who, &facts);

		c->n++;
		if (differs(event, &now))
			c->each(event, &now, c->arg);
	}
	json_decref(event);
	return 0;
}

long check_diff(const struct policy *p, const char *log, void (*each)(const json_t *event, const struct decision *now, void *arg),
		void *arg)
{
	struct comparing c = { .policy = p, .each = each, .arg = arg };
	struct log_query q = { .since_us = ((int64_t)time(NULL) - CHECK_DIFF_S) * 1000000 };
	struct log_result result;
	int err = log_read(log, &q, compare, NULL, &c, &result);

	return err ? err : c.n;
}
