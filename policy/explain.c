// SPDX-License-Identifier: GPL-2.0-or-later
/* Why a decision is what it is, step by step, for people: the same look-ups as decide.c, in its order. What holds in the end
 * is always asked of policy_decide itself. */
#include <stdarg.h>
#include <stdio.h>

#include "policy/rules.h"

/* More entries that cover one name are passed over. */
#define ENTRIES_TOLD 8

struct telling {
	void (*step)(const char *what, const char *outcome, void *arg);
	void *arg;
};

static void __attribute__((format(printf, 3, 4))) tell(const struct telling *t, const char *what, const char *format, ...)
{
	char outcome[512];
	va_list args;

	va_start(args, format);
	vsnprintf(outcome, sizeof(outcome), format, args);
	va_end(args);
	t->step(what, outcome, t->arg);
}

static void tell_network(const struct telling *t, const char *what, const struct address_set *set, const uint8_t addr[16], uint16_t port)
{
	const struct network *net;

	if (!set->n)
		return;
	net = address_set_match(set, addr, port);
	if (net && net->line)
		tell(t, what, "%s, line %u", net->text, net->line);
	else
		tell(t, what, "%s", net ? net->text : "no");
}

static bool tell_name(const struct telling *t, const char *what, const struct name_set *set, const struct name_fact *name,
		      struct name_hit *hit)
{
	if (!set || !name_set_count(set))
		return false;
	if (!name_set_match(set, name->host.p, name->host.len, hit)) {
		tell(t, what, "no");
		return false;
	}
	return true;
}

static void tell_listed(const struct telling *t, const struct policy *p, const struct name_fact *name, struct sight *sight)
{
	static const char *const actions[] = { [DETECT_OFF] = "off", [DETECT_MONITOR] = "monitor", [DETECT_BLOCK] = "block" };
	struct entry_info entries[ENTRIES_TOLD];
	struct name_hit hit;
	size_t n = policy_entries(p, name->host.p, name->host.len, entries, ENTRIES_TOLD);

	sight->listed = rules_blocked_name(p, name->host.p, name->host.len, &hit);
	sight->lists = rules_lists(p, name->host.p, name->host.len);
	if ((!n || entries[0].exception) && name_set_count(p->block_names)) {
		tell(t, "block.names and lists", "no");
		return;
	}
	for (size_t i = 0; i < n && i < ENTRIES_TOLD; i++) {
		const struct entry_info *e = &entries[i];

		if (e->exception)
			tell(t, "exceptions of lists", "list %s: %s, %s line %u", e->list, e->entry, e->file, e->line);
		else if (e->list)
			tell(t, "block.names and lists", "list %s (%s%s): %s, %s line %u", e->list, actions[e->action],
			     e->important ? ", important" : "", e->entry, e->file, e->line);
		else
			tell(t, "block.names and lists", "%s, line %u", e->entry, e->line);
	}
}

static void tell_listed_address(const struct telling *t, const struct policy *p, const struct subject *who)
{
	const struct network *net = rules_listed_address(p, who->dst, who->dport);

	if (net)
		tell(t, "addresses of lists", "list %s: %s, %s line %u", rules_list(p, net->source)->name, net->text,
		     rules_list(p, net->source)->file, net->line);
	else if (p->list_addresses.n)
		tell(t, "addresses of lists", "no");
}

static void tell_rules(const struct telling *t, const struct policy *p, const struct subject *who, const struct sight *sight)
{
	static const char *const words[] = { "nothing", "allow", "monitor", "block" };
	uint32_t left_s, ever;
	struct rule always;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *r = &p->rules[i];

		always = *r;
		always.when.set = false;
		if (!rule_applies(&always, p->groups, who, &ever))
			tell(t, r->name, "not about this host");
		else if (!rule_applies(r, p->groups, who, &left_s))
			tell(t, r->name, "not at this time");
		else if (!rule_goes_there(r, who->dst, who->dport))
			tell(t, r->name, "not about this address or port");
		else if (sight && rule_needs_sight(r) && !rule_sees(r, sight))
			tell(t, r->name, sight->name ? "not about this name" : "not about this protocol");
		else if (!sight && rule_needs_sight(r))
			tell(t, r->name, "about names or protocols, which an address alone does not show");
		else if (left_s < UINT32_MAX)
			tell(t, r->name, "matches: %s, for another %u s", words[r->action], left_s);
		else
			tell(t, r->name, "matches: %s", words[r->action]);
	}
}

/* What holds where no rule speaks of it. */
static void tell_detector(const struct telling *t, const struct policy *p, const struct sight *sight, bool mining)
{
	static const char *const words[] = { [DETECT_OFF] = "off", [DETECT_MONITOR] = "monitor", [DETECT_BLOCK] = "block" };
	char what[32];

	if (sight->detector >= DETECTORS || !(mining || sight->listed))
		return;
	snprintf(what, sizeof(what), "detect.%s", rules_detector_text(sight->detector));
	tell(t, what, "%s", words[p->detect[sight->detector].action]);
}

static void tell_names(const struct telling *t, const struct policy *p, const struct name_fact *name, struct sight *sight)
{
	const char *telltale = policy_telltale(name->host.p, name->host.len);
	struct name_hit hit;

	if (tell_name(t, "allow --for, names", p->extra_names, name, &hit))
		tell(t, "allow --for, names", "%s", hit.entry);
	if (tell_name(t, "allow.names", p->allow_names, name, &hit))
		tell(t, "allow.names", "%s, line %u", hit.entry, hit.line);
	tell_listed(t, p, name, sight);
	sight->listed |= telltale != NULL;
	if (telltale)
		tell(t, "telltale", "%s, which only a mining program asks for", telltale);
}

void policy_explain(const struct policy *p, const struct subject *who, const struct facts *facts,
		    void (*step)(const char *what, const char *outcome, void *arg), void *arg)
{
	const struct telling t = { step, arg };
	struct sight sight = { 0 };

	tell_network(&t, "allow.hosts", &p->allow_hosts, who->src, 0);
	tell_network(&t, "allow.addresses", &p->allow_addresses, who->dst, who->dport);
	tell_network(&t, "allow --for, addresses", &p->extra_addresses, who->dst, who->dport);
	if (!facts) {
		tell_rules(&t, p, who, NULL);
		tell_network(&t, "block.addresses", &p->block_addresses, who->dst, who->dport);
		tell_listed_address(&t, p, who);
		return;
	}
	sight.detector = rules_detector(facts);
	if (facts->n_names)
		tell_names(&t, p, &facts->names[0], &sight);
	/* What is mining is judged as that, whatever name stands beside it. */
	sight.name = facts->mining ? NULL : &facts->names[0];
	tell_detector(&t, p, &sight, facts->mining);
	tell_rules(&t, p, who, &sight);
	tell_network(&t, "shared", &p->shared, who->dst, 0);
}
