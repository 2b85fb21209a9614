/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts in, decision out: the order of the rules and what is taught to the kernel, and nothing else. Allocates
 * nothing and reads no clock: it runs for every flow. */
#include <stddef.h>
#include <string.h>

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

const char *rules_detector_text(unsigned detector)
{
	static const char *const words[] = {
		[DETECTOR_TLS] = "tls", [DETECTOR_QUIC] = "quic", [DETECTOR_HTTP] = "http", [DETECTOR_DNS] = "dns",
		[DETECTOR_STRATUM] = "stratum", [DETECTOR_GETWORK] = "getwork", [DETECTOR_NODE] = "node",
		[DETECTORS] = "score",
	};

	return words[detector];
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
	if (d->scope == SCOPE_ENDPOINT && p->exceptions)
		d->scope = SCOPE_PAIR;
	d->timeout_s = d->scope == SCOPE_ENDPOINT ? s->endpoint_timeout_s :
		       d->scope == SCOPE_PAIR ? s->pair_timeout_s : 0;
}

static void teach_nothing(struct decision *d)
{
	d->scope = SCOPE_FLOW;
	d->timeout_s = 0;
}

/* What a rule says takes the place of what would be said without it; the evidence stays. Nothing is taught beyond the rule's
 * hosts and hours. */
static void say(const struct policy *p, const struct rule *r, uint32_t left_s, enum scope by_evidence, struct decision *d)
{
	enum scope most = r->from_all ? SCOPE_ENDPOINT : SCOPE_PAIR;

	d->action = r->action;
	d->rule = r->name;
	if (!d->entry)
		d->line = r->line;
	teach(p, d, r->scope, by_evidence > most ? most : by_evidence);
	if (r->silent || d->scope == SCOPE_FLOW) {
		d->silent = r->silent && d->action == ACTION_BLOCK;
		d->scope = SCOPE_FLOW;
		d->timeout_s = 0;
		return;
	}
	if (d->scope > most)
		d->scope = most;
	if (r->timeout_s)
		d->timeout_s = r->timeout_s;
	if (d->timeout_s > left_s)
		d->timeout_s = left_s;
}

/* The first rule about this flow that speaks of what was seen; `sight` NULL: of nothing but addresses. `*waits`: one before it may
 * still speak, of a name or a protocol that is not known yet. */
static const struct rule *first_rule(const struct policy *p, const struct subject *who, const uint8_t addr[16], uint16_t port,
				     const struct sight *sight, uint32_t *left_s, bool *waits)
{
	*waits = false;
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *r = &p->rules[i];

		if (!rule_goes_there(r, addr, port) || !rule_applies(r, p->groups, who, left_s))
			continue;
		if (!rule_needs_sight(r) || (sight && rule_sees(r, sight)))
			return r;
		*waits = true;
	}
	return NULL;
}

/* The rule's word in place of what would be said without it. Allow rules for everybody come before all of them. */
static void overrule(const struct policy *p, const struct subject *who, const struct sight *sight, enum scope by_evidence,
		     struct decision *d)
{
	uint32_t left_s;
	bool waits;
	const struct rule *r = d->action == ACTION_ALLOW ? NULL : first_rule(p, who, who->dst, who->dport, sight, &left_s, &waits);

	/* One that watches addresses has said so at the first packet, if it could. */
	if (!r || (!rule_needs_sight(r) && r->action == ACTION_MONITOR && d->action == ACTION_NONE && !waits))
		return;
	if (d->evidence == EVIDENCE_NONE)
		d->evidence = !rule_needs_sight(r) ? EVIDENCE_ADDRESS : sight->name ? EVIDENCE_NAME : EVIDENCE_PROTOCOL;
	say(p, r, left_s, by_evidence, d);
	if (!rule_needs_sight(r) && waits)
		teach_nothing(d);
}

/* The first rule about addresses and ports alone, or one that exempts a host. */
static bool rule_by_address(const struct policy *p, const struct subject *who, const uint8_t addr[16], uint16_t port,
			    enum scope by_evidence, struct decision *d)
{
	uint32_t left_s;
	bool waits;
	const struct rule *r = first_rule(p, who, addr, port, NULL, &left_s, &waits);

	if (!r)
		return false;
	*d = (struct decision) { .evidence = EVIDENCE_ADDRESS };
	say(p, r, left_s, by_evidence, d);
	return true;
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

const struct list_rule *rules_list(const struct policy *p, unsigned source)
{
	return &p->lists[(source & ~LIST_IMPORTANT) - 1];
}

/* An entry of a list for the address, unless another list excepts it. */
const struct network *rules_listed_address(const struct policy *p, const uint8_t addr[16], uint16_t port)
{
	const struct network *net = address_set_match_ranked(&p->list_addresses, addr, port, p->rank);

	if (net && !(net->source & LIST_IMPORTANT) && address_set_match(&p->excepted_addresses, addr, port))
		return NULL;
	return net;
}

/* block.addresses, then the lists. Behind an address of a shared range live others: a stranger's list that names it is only
 * worth a line in the log. */
static bool blocked_destination(const struct policy *p, const uint8_t addr[16], uint16_t port, enum scope by_evidence,
				struct decision *d)
{
	const struct network *net = address_set_match(&p->block_addresses, addr, port);

	if (net) {
		*d = by_network(ACTION_BLOCK, "block.addresses", net);
	} else {
		net = rules_listed_address(p, addr, port);
		if (!net)
			return false;
		*d = by_network(rules_list(p, net->source)->action == DETECT_BLOCK && !address_set_match(&p->shared, addr, 0) ?
				ACTION_BLOCK : ACTION_MONITOR, "list", net);
		d->list = rules_list(p, net->source)->name;
	}
	teach(p, d, SCOPE_AUTO, by_evidence);
	return true;
}

/* Those of the lists that rules name which have the address, whatever becomes of their entries otherwise. */
static uint64_t lists_of_address(const struct policy *p, const uint8_t addr[16], uint16_t port)
{
	uint64_t lists = 0;

	for (unsigned i = 0; p->list_addresses.n && i < p->n_lists; i++) {
		uint8_t rank[NAME_SOURCE_MAX + 1] = { 0 };

		rank[i + 1] = rank[(i + 1) | LIST_IMPORTANT] = 1;
		if (p->rule_lists >> i & 1 && address_set_match_ranked(&p->list_addresses, addr, port, rank))
			lists |= UINT64_C(1) << i;
	}
	return lists;
}

struct decision policy_decide_address(const struct policy *p, const struct subject *who)
{
	struct sight address = { .detector = NO_DETECTOR };
	struct decision d = { .scope = SCOPE_FLOW };
	const struct rule *r;
	uint32_t left_s;
	bool waits;

	if (allowed_by_address(p, who, &d))
		return d;
	address.listed = blocked_destination(p, who->dst, who->dport, SCOPE_ENDPOINT, &d);
	address.lists = lists_of_address(p, who->dst, who->dport);
	r = first_rule(p, who, who->dst, who->dport, address.listed || address.lists ? &address : NULL, &left_s, &waits);
	if (!r)
		return d;
	if (!rule_needs_sight(r) || !address.listed)
		d = (struct decision) { .evidence = EVIDENCE_ADDRESS, .scope = SCOPE_FLOW };
	if (waits && !rule_needs_sight(r))	/* first match wins, and that may be another: policy_decide, policy_decide_rest */
		return (struct decision) { .scope = SCOPE_FLOW };
	say(p, r, left_s, SCOPE_ENDPOINT, &d);
	return d;
}

struct decision policy_decide_rest(const struct policy *p, const struct subject *who)
{
	struct decision d = { .scope = SCOPE_FLOW };
	uint32_t left_s;
	bool waits;
	const struct rule *r = first_rule(p, who, who->dst, who->dport, NULL, &left_s, &waits);

	if (!r || !waits || allowed_by_address(p, who, &d))
		return (struct decision) { .scope = SCOPE_FLOW };
	d = (struct decision) { .evidence = EVIDENCE_ADDRESS };
	say(p, r, left_s, SCOPE_FLOW, &d);
	teach_nothing(&d);
	return d;
}

/* What is known of a tunnel says nothing of its proxy: others use that, too. What HTTP or a WebSocket carries may stand behind a
 * CDN: as a name it says nothing of others there. */
static enum scope scope_of(const struct facts *facts, enum scope by_evidence)
{
	if (facts->tunnelled || facts->again == AGAIN_FRESH)
		return SCOPE_FLOW;
	if (by_evidence == SCOPE_ENDPOINT && facts->stratum.carrier != CARRIER_STREAM)
		return SCOPE_PAIR;
	return by_evidence;
}

/* Behind an address of a shared range live others, and a Host says nothing of them. */
static void spare_shared(const struct policy *p, const struct subject *who, struct decision *d)
{
	if (d->action != ACTION_BLOCK || !address_set_match(&p->shared, who->dst, 0))
		return;
	d->scope = SCOPE_FLOW;
	d->timeout_s = 0;
}

bool policy_shared_address(const struct policy *p, const uint8_t addr[16])
{
	return address_set_match(&p->shared, addr, 0) != NULL;
}

/* Which detector a kind of protocol is. */
static unsigned protocol_detector(enum mining_kind kind)
{
	switch (kind) {
	case MINING_GETWORK:
		return DETECTOR_GETWORK;
	case MINING_NODE:
		return DETECTOR_NODE;
	case MINING_STRATUM:
		break;
	}
	return DETECTOR_STRATUM;
}

static const char *protocol_rule(unsigned detector)
{
	switch (detector) {
	case DETECTOR_GETWORK:
		return "detect.getwork";
	case DETECTOR_NODE:
		return "detect.node";
	default:
		return "detect.stratum";
	}
}

static struct decision judge_protocol(const struct policy *p, const struct subject *who, const struct facts *facts)
{
	struct sight sight = { .detector = protocol_detector(facts->stratum.kind) };
	const struct detect_rule *rule = &p->detect[sight.detector];
	struct decision d = { .scope = SCOPE_FLOW };

	if (rule->action != DETECT_OFF) {
		d.action = rule->action == DETECT_BLOCK ? ACTION_BLOCK : ACTION_MONITOR;
		d.evidence = EVIDENCE_PROTOCOL;
		d.rule = protocol_rule(sight.detector);
		teach(p, &d, rule->scope, scope_of(facts, SCOPE_ENDPOINT));
	}
	overrule(p, who, &sight, scope_of(facts, SCOPE_ENDPOINT), &d);
	if (facts->stratum.carrier != CARRIER_STREAM)
		spare_shared(p, who, &d);
	return d;
}

uint64_t rules_lists(const struct policy *p, const void *name, size_t len)
{
	struct name_hit hits[RULES_LISTS_MAX], exception;
	size_t n = p->rule_lists ? name_set_all(p->block_names, name, len, hits, RULES_LISTS_MAX) : 0;
	bool excepted = n && name_set_match(p->excepted_names, name, len, &exception);
	uint64_t lists = 0;

	for (size_t i = 0; i < n && i < RULES_LISTS_MAX; i++)
		if (hits[i].source && (!excepted || hits[i].source & LIST_IMPORTANT))
			lists |= UINT64_C(1) << ((hits[i].source & ~LIST_IMPORTANT) - 1);
	return lists;
}

/* Of block.names or a list. What a list excepts ("@@") no list blocks, but the admin's own word stands. */
bool rules_blocked_name(const struct policy *p, const void *name, size_t len, struct name_hit *hit)
{
	struct name_hit exception;

	if (!name_set_match(p->block_names, name, len, hit) || (hit->source && rules_list(p, hit->source)->action == DETECT_OFF))
		return false;
	return !hit->source || hit->source & LIST_IMPORTANT || !name_set_match(p->excepted_names, name, len, &exception);
}

/* Local allow rules win over every block entry, however specific. */
static struct decision judge_text(const struct policy *p, const void *name, size_t len,
				  const struct detect_rule *detect, enum scope by_evidence, struct sight *sight)
{
	const char *telltale = policy_telltale(name, len);
	struct decision d = { .scope = SCOPE_FLOW };
	struct name_hit hit = { 0 };

	sight->lists = rules_lists(p, name, len);
	if (p->extra_names && name_set_match(p->extra_names, name, len, &hit)) {
		d.action = ACTION_ALLOW;
		d.rule = "allow --for";
	} else if (name_set_match(p->allow_names, name, len, &hit)) {
		d.action = ACTION_ALLOW;
		d.rule = "allow.names";
	} else if (rules_blocked_name(p, name, len, &hit)) {
		const struct list_rule *list = hit.source ? rules_list(p, hit.source) : NULL;
		bool monitor = detect->action == DETECT_MONITOR || (list && list->action == DETECT_MONITOR);

		sight->listed = true;
		if (detect->action == DETECT_OFF)
			return d;
		d.action = monitor ? ACTION_MONITOR : ACTION_BLOCK;
		d.rule = list ? "list" : "block.names";
		d.list = list ? list->name : NULL;
	} else if (telltale) {
		sight->listed = true;
		if (detect->action == DETECT_OFF)
			return d;
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
static struct decision judge_target(const struct policy *p, const struct subject *who, const struct name_fact *name)
{
	struct decision d = { .scope = SCOPE_FLOW };

	if (!allowed_destination(p, name->addr, name->port, &d) &&
	    !rule_by_address(p, who, name->addr, name->port, SCOPE_FLOW, &d) &&
	    !blocked_destination(p, name->addr, name->port, SCOPE_FLOW, &d))
		return d;
	d.name = name;
	return d;
}

/* Which key of `detect:` rules a kind of name. SOCKS has none of its own: it is judged as names always are. */
static unsigned detector_of(enum name_kind kind, enum app app)
{
	switch (kind) {
	case NAME_TLS_SNI:
		return DETECTOR_TLS;
	case NAME_QUIC_SNI:
		return DETECTOR_QUIC;
	case NAME_DNS:
		return app == APP_DNS ? DETECTOR_DNS : DETECTOR_TLS;
	case NAME_HTTP_HOST:
	case NAME_CONNECT:
		return DETECTOR_HTTP;
	case NAME_SOCKS:
		break;
	}
	return NO_DETECTOR;
}

unsigned rules_detector(const struct facts *facts)
{
	return facts->mining ? protocol_detector(facts->stratum.kind) :
	       facts->n_names ? detector_of(facts->names[0].kind, facts->app) : NO_DETECTOR;
}

static struct decision judge_fact(const struct policy *p, const struct subject *who, const struct facts *facts,
				  const struct name_fact *name)
{
	static const struct detect_rule always = { DETECT_BLOCK, SCOPE_AUTO };
	struct sight sight = { .detector = detector_of(name->kind, facts->app), .name = name };
	const struct detect_rule *detect = sight.detector < DETECTORS ? &p->detect[sight.detector] : &always;
	struct decision d = { .scope = SCOPE_FLOW };

	if (!name->matchable && name->addressed)
		return judge_target(p, who, name);
	if (!name->matchable)
		return d;
	d = judge_text(p, name->host.p, name->host.len, detect, scope_of(facts, SCOPE_PAIR), &sight);
	overrule(p, who, &sight, scope_of(facts, SCOPE_PAIR), &d);
	if (d.action != ACTION_NONE)
		d.name = name;
	spare_shared(p, who, &d);
	/* A resolver knows all names: nothing is said of its address. */
	if (facts->app == APP_DNS) {
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
	if (worst.action == ACTION_ALLOW &&
	    (facts->again == AGAIN_SAME || (facts->again == AGAIN_WHOLE && facts->next == APP_HTTP2)))
		worst.action = ACTION_NONE;
	return worst;
}

/* Is it an allowance, perhaps of one request only? */
static bool allows(const struct decision *d)
{
	return d->action == ACTION_ALLOW || (d->action == ACTION_NONE && d->rule);
}

struct decision policy_decide(const struct policy *p, const struct subject *who, const struct facts *facts)
{
	struct decision d, names = { .scope = SCOPE_FLOW };

	if (allowed_by_address(p, who, &d))
		return d;
	d = names;
	if (facts->mining)
		d = judge_protocol(p, who, facts);
	/* A name in the same message is that of a request for work: an allowed one allows it. */
	if (facts->n_names)
		names = judge_names(p, who, facts);
	if (d.action == ACTION_BLOCK && !allows(&names))
		return d;
	return allows(&names) || names.action > d.action ? names : d.action ? d : names;
}

size_t policy_rules(const struct policy *p)
{
	return p->n_rules;
}

static bool names_links(const struct hosts *h, const struct subject *who)
{
	return (h->n_interfaces && !who->interface) || (h->n_macs && !who->mac_known);
}

bool policy_may_spare(const struct policy *p, const struct subject *who)
{
	uint32_t left_s;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *r = &p->rules[i];
		bool by_link = names_links(&r->from, who);

		for (unsigned g = 0; g < p->n_groups; g++)
			by_link |= r->groups >> g & 1 && names_links(&p->groups[g].hosts, who);
		if (by_link && r->action != ACTION_BLOCK && rule_goes_there(r, who->dst, who->dport) &&
		    schedule_holds(&r->when, who->when_s, &left_s))
			return true;
	}
	return false;
}

uint64_t policy_hours(const struct policy *p, int64_t when_s)
{
	uint64_t hours = 0;
	uint32_t left_s;

	for (size_t i = 0; i < p->n_rules; i++)
		if (schedule_holds(&p->rules[i].when, when_s, &left_s))
			hours |= (uint64_t)1 << i;
	return hours;
}

bool policy_scores(const struct policy *p)
{
	return p->settings.score_report || p->settings.score_block;
}

struct decision policy_decide_score(const struct policy *p, const struct subject *who, unsigned points)
{
	static const struct sight sight = { .detector = DETECTORS };
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
	overrule(p, who, &sight, SCOPE_PAIR, &d);
	/* Behind an address of a shared range live others: one client's habits say nothing of them. */
	if (d.scope == SCOPE_PAIR && address_set_match(&p->shared, who->dst, 0)) {
		d.scope = SCOPE_FLOW;
		d.timeout_s = 0;
	}
	return d;
}

size_t policy_entries(const struct policy *p, const void *name, size_t len, struct entry_info *to, size_t max)
{
	struct name_hit hits[RULES_LISTS_MAX];
	size_t total = 0, n;

	for (unsigned exceptions = 0; exceptions < 2; exceptions++) {
		n = name_set_all(exceptions ? p->excepted_names : p->block_names, name, len, hits, RULES_LISTS_MAX);
		for (size_t i = 0; i < n && i < RULES_LISTS_MAX && total + i < max; i++) {
			const struct list_rule *list = hits[i].source ? rules_list(p, hits[i].source) : NULL;

			to[total + i] = (struct entry_info){
				.list = list ? list->name : NULL, .file = list ? list->file : NULL,
				.entry = hits[i].entry, .line = hits[i].line,
				.action = list ? list->action : DETECT_BLOCK, .exception = exceptions,
				.important = hits[i].source & LIST_IMPORTANT,
			};
		}
		total += n < RULES_LISTS_MAX ? n : RULES_LISTS_MAX;
	}
	return total;
}
