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
	const struct network *net = address_set_match(&p->allow_addresses, addr, port);
	const char *rule = "allow.addresses";

	if (!net) {
		net = address_set_match(&p->extra_addresses, addr, port);
		rule = "allow --for";
	}
	if (net)
		*d = by_network(ACTION_ALLOW, rule, net);
	return net;
}

/* Exempt hosts first: theirs is the stronger promise. */
static bool allowed_by_address(const struct policy *p, const struct subject *who, struct decision *d)
{
	const struct network *net = address_set_match(&p->allow_hosts, who->src, 0);

	if (net) {
		*d = by_network(ACTION_ALLOW, "allow.hosts", net);
		return true;
	}
	if (allowed_destination(p, who->dst, who->dport, d))
		return true;
	net = address_set_match(&p->extra_addresses, who->src, 0);
	if (net)
		*d = by_network(ACTION_ALLOW, "allow --for", net);
	return net;
}

struct decision policy_decide_address(const struct policy *p, const struct subject *who)
{
	struct decision d = { .scope = SCOPE_FLOW };
	const struct network *net;

	if (allowed_by_address(p, who, &d))
		return d;
	net = address_set_match(&p->block_addresses, who->dst, who->dport);
	if (net) {
		d = by_network(ACTION_BLOCK, "block.addresses", net);
		teach(p, &d, SCOPE_AUTO, SCOPE_ENDPOINT);
	}
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

/* Local allow rules win over every block entry, however specific. */
static struct decision judge_text(const struct policy *p, const void *name, size_t len,
				  const struct detect_rule *detect, enum scope by_evidence)
{
	const char *telltale = policy_telltale(name, len);
	struct decision d = { .scope = SCOPE_FLOW };
	struct name_hit hit = { 0 };

	if (p->extra_names && name_set_match(p->extra_names, name, len, &hit)) {
		d.action = ACTION_ALLOW;
		d.rule = "allow --for";
	} else if (name_set_match(p->allow_names, name, len, &hit)) {
		d.action = ACTION_ALLOW;
		d.rule = "allow.names";
	} else if (name_set_match(p->block_names, name, len, &hit)) {
		d.action = detect->action == DETECT_MONITOR ? ACTION_MONITOR : ACTION_BLOCK;
		d.rule = hit.source ? "list" : "block.names";
		d.list = hit.source ? p->lists[hit.source - 1].name : NULL;
	} else if (telltale) {
		d.action = detect->action == DETECT_MONITOR ? ACTION_MONITOR : ACTION_BLOCK;
		d.rule = "telltale";
		hit.entry = telltale;
	} else {
		return d;
	}
	d.telltale = telltale && d.action != ACTION_ALLOW;
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
	const struct network *net;

	if (!allowed_destination(p, name->addr, name->port, &d)) {
		net = address_set_match(&p->block_addresses, name->addr, name->port);
		if (!net)
			return d;
		d = by_network(ACTION_BLOCK, "block.addresses", net);
		teach(p, &d, SCOPE_AUTO, SCOPE_FLOW);
	}
	d.name = name;
	return d;
}

/* Which key of `detect:` rules a kind of name. SOCKS has none of its own: it is judged as names always are. */
static const struct detect_rule *detect_of(const struct policy *p, enum name_kind kind, enum app app)
{
	static const struct detect_rule always = { DETECT_BLOCK, SCOPE_AUTO };

	switch (kind) {
	case NAME_TLS_SNI:
		return &p->detect[DETECTOR_TLS];
	case NAME_QUIC_SNI:
		return &p->detect[DETECTOR_QUIC];
	case NAME_DNS:
		return &p->detect[app == APP_DNS ? DETECTOR_DNS : DETECTOR_TLS];
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
	const struct detect_rule *detect = detect_of(p, name->kind, facts->app);
	struct decision d = { .scope = SCOPE_FLOW };

	if (!name->matchable && name->addressed)
		return judge_target(p, name);
	if (!name->matchable || detect->action == DETECT_OFF)
		return d;
	d = judge_text(p, name->host.p, name->host.len, detect, scope_of(facts, SCOPE_PAIR));
	if (d.action != ACTION_NONE)
		d.name = name;
	/* Behind an address of a shared range live others: the name says nothing of them. A resolver knows all names. */
	if (facts->app == APP_DNS || (d.action == ACTION_BLOCK && address_set_match(&p->shared, who->dst, 0))) {
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
		/* The aliases in an answer are its question's, which comes first. */
		if (i == 0 && d.action == ACTION_ALLOW && facts->app == APP_DNS && facts->dns.response)
			break;
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
	if (d.scope == SCOPE_PAIR && address_set_match(&p->shared, who->dst, 0)) {
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
