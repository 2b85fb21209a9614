/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts in, decision out: the order of the rules and what is taught to the kernel, and nothing else. Allocates
 * nothing and reads no clock: it runs for every flow. */
#include <stddef.h>

#include "policy/rules.h"

const char *evidence_text(enum evidence e)
{
	switch (e) {
	case EVIDENCE_NONE:
		return "none";
	case EVIDENCE_ADDRESS:
		return "address";
	case EVIDENCE_NAME:
		return "name";
	case EVIDENCE_PROTOCOL:
		return "protocol";
	case EVIDENCE_SCORE:
		return "score";
	}
	return "none";
}

const char *scope_text(enum scope s)
{
	switch (s) {
	case SCOPE_AUTO:
		return "auto";
	case SCOPE_FLOW:
		return "flow";
	case SCOPE_PAIR:
		return "pair";
	case SCOPE_ENDPOINT:
		return "endpoint";
	}
	return "auto";
}

static struct decision by_network(enum action action, const char *rule, const struct network *net)
{
	return (struct decision) {
		.action = action, .evidence = EVIDENCE_ADDRESS, .scope = SCOPE_FLOW,
		.rule = rule, .entry = net->text, .line = net->line,
	};
}

/* What a block teaches: `own` is the detector's wish, AUTO if it has none. */
static void teach(const struct policy *p, struct decision *d, enum scope own, enum scope by_evidence)
{
	const struct settings *s = &p->settings;

	d->scope = own != SCOPE_AUTO ? own : s->scope != SCOPE_AUTO ? s->scope : by_evidence;
	/* Monitor teaches nothing: a taught address would be dropped. */
	if (s->mode == MODE_MONITOR && d->action == ACTION_BLOCK)
		d->action = ACTION_MONITOR;
	if (d->action != ACTION_BLOCK)
		d->scope = SCOPE_FLOW;
	d->timeout_s = d->scope == SCOPE_ENDPOINT ? s->endpoint_timeout_s :
		       d->scope == SCOPE_PAIR ? s->pair_timeout_s : 0;
}

/* The flow's own destination, or where its tunnel leads. */
static bool allowed_destination(const struct policy *p, const uint8_t addr[16], uint16_t port, struct decision *d)
{
	const struct network *net = address_set_match(&p->allow_addresses, addr, port, NULL);
	const char *rule = "allow.addresses";

	if (!net) {
		net = address_set_match(&p->extra_addresses, addr, port, NULL);
		rule = "allow --for";
	}
	if (net)
		*d = by_network(ACTION_ALLOW, rule, net);
	return net;
}

/* Exempt hosts first: theirs is the stronger promise. */
static bool allowed_by_address(const struct policy *p, const struct subject *who, struct decision *d)
{
	const struct network *net = address_set_match(&p->allow_hosts, who->src, 0, NULL);

	if (net) {
		*d = by_network(ACTION_ALLOW, "allow.hosts", net);
		return true;
	}
	if (allowed_destination(p, who->dst, who->dport, d))
		return true;
	net = address_set_match(&p->extra_addresses, who->src, 0, NULL);
	if (net)
		*d = by_network(ACTION_ALLOW, "allow --for", net);
	return net;
}

static const struct list_rule *list_of(const struct policy *p, unsigned source)
{
	return &p->lists[(source & ~LIST_IMPORTANT) - 1];
}

/* An entry of a list for the address, unless another list excepts it. */
static const struct network *listed_address(const struct policy *p, const uint8_t addr[16], uint16_t port)
{
	const struct network *net = address_set_match(&p->list_addresses, addr, port, p->rank);

	if (net && !(net->source & LIST_IMPORTANT) && address_set_match(&p->excepted_addresses, addr, port, NULL))
		return NULL;
	return net;
}

/* block.addresses, then the lists. Behind an address of a shared range live others: a stranger's list that names it is only
 * worth a line in the log. */
static bool blocked_destination(const struct policy *p, const uint8_t addr[16], uint16_t port, enum scope by_evidence,
				struct decision *d)
{
	const struct network *net = address_set_match(&p->block_addresses, addr, port, NULL);

	if (net) {
		*d = by_network(ACTION_BLOCK, "block.addresses", net);
	} else {
		net = listed_address(p, addr, port);
		if (!net)
			return false;
		*d = by_network(list_of(p, net->source)->action == DETECT_BLOCK && !address_set_match(&p->shared, addr, 0, NULL) ?
				ACTION_BLOCK : ACTION_MONITOR, "list", net);
		d->list = list_of(p, net->source)->name;
	}
	teach(p, d, SCOPE_AUTO, by_evidence);
	return true;
}

struct decision policy_decide_address(const struct policy *p, const struct subject *who)
{
	struct decision d = { .scope = SCOPE_FLOW };

	if (!allowed_by_address(p, who, &d))
		blocked_destination(p, who->dst, who->dport, SCOPE_ENDPOINT, &d);
	return d;
}

/* What is known of a tunnel says nothing of its proxy: others use that, too. */
static enum scope scope_of(const struct facts *facts, enum scope by_evidence)
{
	return facts->tunnelled || facts->again == AGAIN_FRESH ? SCOPE_FLOW : by_evidence;
}

static struct decision judge_protocol(const struct policy *p, const struct facts *facts)
{
	bool getwork = facts->stratum.kind == MINING_GETWORK;
	const struct detect_rule *rule = &p->detect[getwork ? DETECTOR_GETWORK : DETECTOR_STRATUM];
	struct decision d = { .scope = SCOPE_FLOW };

	if (rule->action == DETECT_OFF)
		return d;
	d.action = rule->action == DETECT_BLOCK ? ACTION_BLOCK : ACTION_MONITOR;
	d.evidence = EVIDENCE_PROTOCOL;
	d.rule = getwork ? "detect.getwork" : "detect.stratum";
	teach(p, &d, rule->scope, scope_of(facts, SCOPE_ENDPOINT));
	return d;
}

/* Of block.names or a list. What a list excepts ("@@") no list blocks, but the admin's own word stands. */
static bool blocked_name(const struct policy *p, const void *name, size_t len, struct name_hit *hit)
{
	struct name_hit exception;

	if (!name_set_match(p->block_names, name, len, hit))
		return false;
	return !hit->source || hit->source & LIST_IMPORTANT || !name_set_match(p->excepted_names, name, len, &exception);
}

/* Local allow rules win over every block entry, however specific. */
static struct decision judge_text(const struct policy *p, const void *name, size_t len,
				  const struct detect_rule *detect, enum scope by_evidence)
{
	struct decision d = { .scope = SCOPE_FLOW };
	struct name_hit hit;

	if (p->extra_names && name_set_match(p->extra_names, name, len, &hit)) {
		d.action = ACTION_ALLOW;
		d.rule = "allow --for";
	} else if (name_set_match(p->allow_names, name, len, &hit)) {
		d.action = ACTION_ALLOW;
		d.rule = "allow.names";
	} else if (blocked_name(p, name, len, &hit)) {
		const struct list_rule *list = hit.source ? list_of(p, hit.source) : NULL;
		bool monitor = detect->action == DETECT_MONITOR || (list && list->action == DETECT_MONITOR);

		d.action = monitor ? ACTION_MONITOR : ACTION_BLOCK;
		d.rule = list ? "list" : "block.names";
		d.list = list ? list->name : NULL;
	} else {
		return d;
	}
	d.evidence = EVIDENCE_NAME;
	d.entry = hit.entry;
	d.line = hit.line;
	if (d.action != ACTION_ALLOW)
		teach(p, &d, detect->scope, by_evidence);
	return d;
}

/* The address at the other end of a tunnel, by the rules that judge a flow's own. */
static struct decision judge_target(const struct policy *p, const struct name_fact *name)
{
	struct decision d = { .scope = SCOPE_FLOW };

	if (!allowed_destination(p, name->addr, name->port, &d) && !blocked_destination(p, name->addr, name->port, SCOPE_FLOW, &d))
		return d;
	d.name = name;
	return d;
}

/* Which key of `detect:` rules a kind of name. SOCKS has none of its own: it is judged as names always are. */
static const struct detect_rule *detect_of(const struct policy *p, enum name_kind kind)
{
	static const struct detect_rule always = { DETECT_BLOCK, SCOPE_AUTO };

	switch (kind) {
	case NAME_TLS_SNI:
		return &p->detect[DETECTOR_TLS];
	case NAME_QUIC_SNI:
		return &p->detect[DETECTOR_QUIC];
	case NAME_DNS:
		return &p->detect[DETECTOR_DNS];
	case NAME_HTTP_HOST:
	case NAME_CONNECT:
		return &p->detect[DETECTOR_HTTP];
	case NAME_SOCKS:
		break;
	}
	return &always;
}

static struct decision judge_fact(const struct policy *p, const struct subject *who, const struct facts *facts,
				  const struct name_fact *name)
{
	const struct detect_rule *detect = detect_of(p, name->kind);
	struct decision d = { .scope = SCOPE_FLOW };

	if (!name->matchable && name->addressed)
		return judge_target(p, name);
	if (!name->matchable || detect->action == DETECT_OFF)
		return d;
	d = judge_text(p, name->host.p, name->host.len, detect, scope_of(facts, SCOPE_PAIR));
	if (d.action != ACTION_NONE)
		d.name = name;
	/* Behind an address of a shared range live others: the name says nothing of them. */
	if (d.action == ACTION_BLOCK && address_set_match(&p->shared, who->dst, 0, NULL)) {
		d.scope = SCOPE_FLOW;
		d.timeout_s = 0;
	}
	return d;
}

/* Of the names of one message the worst decides: a client that sends an allowed and a blocked one is blocked. */
static struct decision judge_names(const struct policy *p, const struct subject *who, const struct facts *facts)
{
	struct decision worst = { .scope = SCOPE_FLOW };

	for (unsigned i = 0; i < facts->n_names; i++) {
		struct decision d = judge_fact(p, who, facts, &facts->names[i]);

		if (d.action > worst.action)
			worst = d;
	}
	/* Another request may follow on this connection, with another name: the allowance is only this one's. */
	if (worst.action == ACTION_ALLOW && facts->again == AGAIN_SAME)
		worst.action = ACTION_NONE;
	return worst;
}

struct decision policy_decide(const struct policy *p, const struct subject *who, const struct facts *facts)
{
	struct decision d, names;

	if (allowed_by_address(p, who, &d))
		return d;
	d = (struct decision) { .scope = SCOPE_FLOW };
	if (facts->mining)
		d = judge_protocol(p, facts);
	if (d.action == ACTION_BLOCK)
		return d;
	names = judge_names(p, who, facts);
	return names.action > d.action ? names : d.action ? d : names;
}

bool policy_scores(const struct policy *p)
{
	return p->settings.score_report || p->settings.score_block;
}

struct decision policy_decide_score(const struct policy *p, const struct subject *who, unsigned points)
{
	const struct settings *s = &p->settings;
	struct decision d = { .scope = SCOPE_FLOW };

	if (allowed_by_address(p, who, &d))
		return d;
	if (s->score_block && points >= s->score_block)
		d.action = ACTION_BLOCK;
	else if (s->score_report && points >= s->score_report)
		d.action = ACTION_MONITOR;
	else
		return d;
	d.evidence = EVIDENCE_SCORE;
	d.rule = d.action == ACTION_BLOCK ? "score.block" : "score.report";
	teach(p, &d, SCOPE_AUTO, SCOPE_PAIR);
	/* Behind an address of a shared range live others: one client's habits say nothing of them. */
	if (d.scope == SCOPE_PAIR && address_set_match(&p->shared, who->dst, 0, NULL)) {
		d.scope = SCOPE_FLOW;
		d.timeout_s = 0;
	}
	return d;
}

struct decision policy_decide_name(const struct policy *p, const char *name, size_t len)
{
	static const struct detect_rule always = { DETECT_BLOCK, SCOPE_AUTO };

	return judge_text(p, name, len, &always, SCOPE_PAIR);
}

size_t policy_entries(const struct policy *p, const char *name, size_t len, struct entry_info *to, size_t max)
{
	struct name_hit hits[RULES_LISTS_MAX];
	size_t total = 0, n;

	for (unsigned exceptions = 0; exceptions < 2; exceptions++) {
		n = name_set_all(exceptions ? p->excepted_names : p->block_names, name, len, hits, RULES_LISTS_MAX);
		for (size_t i = 0; i < n && i < RULES_LISTS_MAX && total + i < max; i++) {
			const struct list_rule *list = hits[i].source ? list_of(p, hits[i].source) : NULL;

			to[total + i] = (struct entry_info) {
				.list = list ? list->name : NULL, .entry = hits[i].entry, .line = hits[i].line,
				.action = list ? list->action : DETECT_BLOCK, .exception = exceptions,
				.important = hits[i].source & LIST_IMPORTANT,
			};
		}
		total += n < RULES_LISTS_MAX ? n : RULES_LISTS_MAX;
	}
	return total;
}
