// SPDX-License-Identifier: GPL-2.0-or-later
/* The keys of `groups:` and `rules:` as tables. Groups and lists may be defined further down in the file, so a rule's
 * words for them are looked up when all is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "policy/doc.h"
#include "policy/rules.h"
#include "policy/schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS(array, needs, sample) { .keys = array, .n = COUNT(array), .required = needs, .example = sample }

static const char *const action_names[] = { [ACTION_ALLOW] = "allow", [ACTION_MONITOR] = "monitor", [ACTION_BLOCK] = "block" };
static const struct doc_words actions = { action_names, COUNT(action_names) };

static const char *text_of(const yaml_node_t *value)
{
	return value->type == YAML_SCALAR_NODE ? (const char *)value->data.scalar.value : "";
}

static struct rule *new_rule(void *to)
{
	struct policy *p = to;

	return &p->rules[p->n_rules];
}

static void refer(struct reference *r, const yaml_node_t *value)
{
	snprintf(r->text, sizeof(r->text), "%s", text_of(value));
	r->line = value->start_mark.line;
	r->column = value->start_mark.column;
}

/* A word of at most 64 bytes without blanks. */
static int read_word(struct doc *doc, yaml_node_t *value, const struct doc_key *key)
{
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, 64, "a word"))
		return -1;
	if (strspn(text_of(value), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(text_of(value)))
		return 0;
	return doc_fail(doc, value, "%s is %s, expected a word of letters, digits, '.', '_' and '-'", key->path,
			doc_quote(value, quote));
}

/* ---- hosts ---- */

static bool read_mac(const char *text, uint8_t mac[6])
{
	unsigned b[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 || text[end])
		return false;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return true;
}

static const char members_text[] = "an address, a network, a MAC address such as \"02:00:00:00:00:01\", or \"if:br-guest\"";
static const char from_text[] =
	"an address, a network, a MAC address such as \"02:00:00:00:00:01\", \"if:br-guest\" or the name of a group";

/* The network that was meant, if the text has only bits too many. */
static int no_host(struct doc *doc, yaml_node_t *value, const struct doc_key *key, enum address_problem problem,
		   const struct network *net, const char *expected)
{
	char quote[DOC_QUOTE], right[ADDRESS_TEXT_MAX + 1];

	if (problem == ADDRESS_HOST_BITS)
		address_print(net, right);
	return doc_fail(doc, value, "%s: %s %s, expected %s", key->path, doc_quote(value, quote), problem == ADDRESS_HOST_BITS ?
			"has bits behind its prefix" : "is no host", problem == ADDRESS_HOST_BITS ? right : expected);
}

/* One of `from:`, or of a group: `rule` is not NULL where the name of a group may stand. */
static int add_host(struct doc *doc, yaml_node_t *value, const struct doc_key *key, struct hosts *h, struct rule *rule)
{
	const char *text = text_of(value), *expected = rule ? from_text : members_text;
	enum address_problem problem;
	struct network net;

	if (doc_text(doc, value, key, DOC_BYTES_MAX, expected))
		return -1;
	memset(&net, 0, sizeof(net));
	problem = address_parse(text, strlen(text), &net);
	if (problem == ADDRESS_GOOD && !net.port) {
		net.line = doc_line(value);
		return address_set_add(&h->addresses, &net, text, strlen(text)) ? schema_no_memory(doc) : 0;
	}
	if (h->n_macs < HOSTS_MACS_MAX && read_mac(text, h->macs[h->n_macs])) {
		h->n_macs++;
		return 0;
	}
	if (!strncmp(text, "if:", 3) && text[3] && strlen(text + 3) < POLICY_IFNAME_MAX && h->n_interfaces < HOSTS_INTERFACES_MAX) {
		strcpy(h->interfaces[h->n_interfaces++], text + 3);
		return 0;
	}
	if (rule && !strpbrk(text, ":/") && rule->n_groups < COUNT(rule->group_names)) {
		refer(&rule->group_names[rule->n_groups++], value);
		return read_word(doc, value, key);
	}
	return no_host(doc, value, key, problem, &net, expected);
}

static int item_from(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct rule *r = new_rule(to);

	r->from_all = false;
	return add_host(doc, value, key, &r->from, r);
}

static int item_member(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct policy *p = to;

	return add_host(doc, value, key, &p->groups[p->n_groups].hosts, NULL);
}

static const struct doc_list from_list = { 1024, "a list of hosts, such as [192.168.1.50, kids]", item_from };
static const struct doc_list member_list = { 1024, "a list of hosts, such as [192.168.1.50, \"02:00:00:00:00:01\"]", item_member };

/* `groups: {NAME: [host...]}`: the keys are the admin's own. */
int schema_read_groups(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const struct doc_key members = { "", "groups", NULL, 0, &member_list };
	struct policy *p = to;

	if (value->type != YAML_MAPPING_NODE)
		return doc_fail(doc, value, "%s must be a mapping, such as {kids: [192.168.1.64/28]}", key->path);
	for (yaml_node_pair_t *pair = value->data.mapping.pairs.start; pair < value->data.mapping.pairs.top; pair++) {
		yaml_node_t *name = yaml_document_get_node(&doc->yaml, pair->key);

		if (p->n_groups == GROUPS_MAX)
			return doc_fail(doc, name, "more than %d groups, expected fewer", GROUPS_MAX);
		if (read_word(doc, name, key))
			return -1;
		for (size_t i = 0; i < p->n_groups; i++)
			if (!strcmp(p->groups[i].name.text, text_of(name)))
				return doc_fail(doc, name, "a second group '%s', expected another name", text_of(name));
		refer(&p->groups[p->n_groups].name, name);
		if (doc_read_list(doc, yaml_document_get_node(&doc->yaml, pair->value), &members, to))
			return -1;
		p->n_groups++;
	}
	return 0;
}

/* ---- to ---- */

static int item_rule_name(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct rule *r = new_rule(to);
	struct name_entry entry;
	enum name_problem problem;
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, DOC_BYTES_MAX, "a host name"))
		return -1;
	problem = name_parse_any(text_of(value), value->data.scalar.length, &entry);
	if (problem != NAME_GOOD && !(problem == NAME_WIDE))
		return doc_fail(doc, value, "%s: %s is no name: %s; expected one such as pool.example or \"*.pool.example\"", key->path,
				doc_quote(value, quote), name_problem_text(problem));
	if (!r->names)
		r->names = name_set_new();
	return !r->names || name_set_add(r->names, &entry, 0, doc_line(value)) ? schema_no_memory(doc) : 0;
}

static int item_rule_address(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct network net;

	if (schema_read_endpoint(doc, value, key, &net))
		return -1;
	return address_set_add(&new_rule(to)->addresses, &net, text_of(value), strlen(text_of(value))) ? schema_no_memory(doc) : 0;
}

static int item_port(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct rule *r = new_rule(to);
	unsigned first, last;
	char quote[DOC_QUOTE];
	int end = 0;

	if (sscanf(text_of(value), "%5u%n-%5u%n", &first, &end, &last, &end) == 1)
		last = first;
	if (!end || text_of(value)[end] || !first || first > last || last > 65535)
		return doc_fail(doc, value, "%s: %s is no port, expected one such as 3333 or 4000-4100", key->path,
				doc_quote(value, quote));
	r->ports[r->n_ports].first = (uint16_t)first;
	r->ports[r->n_ports++].last = (uint16_t)last;
	return 0;
}

static int item_list_name(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct rule *r = new_rule(to);

	refer(&r->list_names[r->n_lists++], value);
	return read_word(doc, value, key);
}

static int item_detector(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	char quote[DOC_QUOTE], known[200] = "";
	size_t n = 0;

	for (unsigned i = 0; i <= DETECTORS; i++) {
		if (!strcmp(text_of(value), rules_detector_text(i))) {
			new_rule(to)->detectors |= 1u << i;
			return 0;
		}
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "", rules_detector_text(i));
	}
	return doc_fail(doc, value, "%s: %s is no detector, expected one of: %s", key->path, doc_quote(value, quote), known);
}

static const struct doc_list rule_names = { 4096, "a list of names, such as [pool.example]", item_rule_name };
static const struct doc_list rule_addresses = { 4096, "a list of addresses, such as [192.0.2.7]", item_rule_address };
static const struct doc_list rule_ports = { RULE_PORTS_MAX, "a list of ports, such as [3333, 4000-4100]", item_port };
static const struct doc_list rule_lists = { RULE_WORDS_MAX, "a list of the names of lists, such as [starter]", item_list_name };
static const struct doc_list rule_detectors = { DETECTORS + 1, "a list of detectors, such as [stratum]", item_detector };

static const struct doc_key to_keys[] = {
	{ "names", "rules: to.names", doc_read_list, 0, &rule_names },
	{ "addresses", "rules: to.addresses", doc_read_list, 0, &rule_addresses },
	{ "ports", "rules: to.ports", doc_read_list, 0, &rule_ports },
	{ "lists", "rules: to.lists", doc_read_list, 0, &rule_lists },
	{ "detectors", "rules: to.detectors", doc_read_list, 0, &rule_detectors },
};
static const struct doc_keys to_mapping = KEYS(to_keys, 0, "{lists: [starter]}");

/* ---- when ---- */

static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

static int day_of(const char *text, size_t len)
{
	for (unsigned i = 0; i < COUNT(day_names); i++)
		if (len == 3 && !strncasecmp(text, day_names[i], 3))
			return (int)i;
	return -1;
}

static int item_day(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const char *text = text_of(value), *dash = strchr(text, '-');
	int first = day_of(text, dash ? (size_t)(dash - text) : strlen(text)), last = dash ? day_of(dash + 1, strlen(dash + 1)) : first;
	struct schedule *s = to;
	char quote[DOC_QUOTE];

	if (first < 0 || last < 0)
		return doc_fail(doc, value, "%s: %s is no day, expected one such as mon or mon-fri", key->path, doc_quote(value, quote));
	for (int day = first;; day = (day + 1) % 7) {
		s->days |= (uint8_t)(1u << day);
		if (day == last)
			return 0;
	}
}

static int item_window(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct schedule *s = to;
	unsigned h1, m1, h2, m2;
	char quote[DOC_QUOTE];
	int end = 0;

	if (sscanf(text_of(value), "%2u:%2u-%2u:%2u%n", &h1, &m1, &h2, &m2, &end) != 4 || text_of(value)[end] || h1 > 23 || m1 > 59 ||
	    h2 > 24 || m2 > 59 || (h2 == 24 && m2))
		return doc_fail(doc, value, "%s: %s is no window, expected one such as \"22:00-06:00\"", key->path, doc_quote(value, quote));
	s->windows[s->n].from = (uint16_t)(h1 * 60 + m1);
	s->windows[s->n++].to = (uint16_t)(h2 * 60 + m2);
	return 0;
}

static int read_zone(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, 128, "a time zone"))
		return -1;
	if (zone_load(&((struct schedule *)to)->zone, text_of(value), time(NULL)))
		return 0;
	return doc_fail(doc, value, "%s: %s is no time zone, expected one such as Europe/Berlin or \"CET-1CEST,M3.5.0,M10.5.0/3\"",
			key->path, doc_quote(value, quote));
}

static const struct doc_list day_list = { 7, "a list of days, such as [mon-fri]", item_day };
static const struct doc_list window_list = { SCHEDULE_WINDOWS_MAX, "a list of windows, such as [\"22:00-06:00\"]", item_window };

static const struct doc_key when_keys[] = {
	{ "days", "rules: when.days", doc_read_list, 0, &day_list },
	{ "hours", "rules: when.hours", doc_read_list, 0, &window_list },
	{ "zone", "rules: when.zone", read_zone, 0, NULL },
};
static const struct doc_keys when_mapping = KEYS(when_keys, 0, "{days: [mon-fri], hours: [\"22:00-06:00\"]}");

static const struct doc_key hours_keys[] = {
	{ "days", "hours.days", doc_read_list, 0, &day_list },
	{ "hours", "hours.hours", doc_read_list, 0, &window_list },
	{ "zone", "hours.zone", read_zone, 0, NULL },
};
const struct doc_keys schema_hours = KEYS(hours_keys, 0, "{days: [mon-fri], hours: [\"07:00-19:00\"]}");

int schema_read_schedule(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct schedule *s = (struct schedule *)((char *)to + key->offset);

	memset(s, 0, sizeof(*s));
	if (doc_read_mapping(doc, value, key, s))
		return -1;
	s->set = true;
	if (!s->days)
		s->days = 0x7f;
	if (!s->zone.n)
		zone_load(&s->zone, NULL, time(NULL));
	return 0;
}

static int read_when(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	return schema_read_schedule(doc, value, key, &new_rule(to)->when);
}

/* ---- one rule ---- */

static int read_rule_name(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct policy *p = to;
	struct rule *r = new_rule(to);

	if (read_word(doc, value, key))
		return -1;
	snprintf(r->name, sizeof(r->name), "rules.%s", text_of(value));
	r->line = doc_line(value);
	for (size_t i = 0; i < p->n_rules; i++)
		if (!strcmp(p->rules[i].name, r->name))
			return doc_fail(doc, value, "a second rule with the name '%s', expected another name", text_of(value));
	return 0;
}

static int read_action(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	unsigned action = ACTION_NONE;
	struct doc_key as = *key;

	as.offset = 0;
	if (doc_read_word(doc, value, &as, &action))
		return -1;
	new_rule(to)->action = (enum action)action;
	return 0;
}

/* The reader's offset counts from the rule at hand. */
static int read_in_rule(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct doc_key *inner = key->arg;

	return inner->read(doc, value, inner, new_rule(to));
}

static int read_reset(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct doc_key as = *key;
	bool reset = true;

	as.offset = 0;
	if (doc_read_bool(doc, value, &as, &reset))
		return -1;
	new_rule(to)->silent = !reset;
	return 0;
}

static const struct doc_key scope_key = { "scope", "rules: scope", doc_read_word, offsetof(struct rule, scope), &schema_scopes };
static const struct doc_key timeout_key = {
	"timeout", "rules: timeout", doc_read_number, offsetof(struct rule, timeout_s), &schema_timeout,
};

static const struct doc_key rule_keys[] = {
	{ "name", "rules: name", read_rule_name, 0, NULL },
	{ "action", "rules: action", read_action, 0, &actions },
	{ "from", "rules: from", doc_read_list, 0, &from_list },
	{ "to", "rules: to", doc_read_mapping, 0, &to_mapping },
	{ "when", "rules: when", read_when, 0, &when_mapping },
	{ "scope", "rules: scope", read_in_rule, 0, &scope_key },
	{ "timeout", "rules: timeout", read_in_rule, 0, &timeout_key },
	{ "reset", "rules: reset", read_reset, 0, NULL },
};
static const struct doc_keys rule_mapping = KEYS(rule_keys, 0x3, "{name: kids, from: [192.168.1.64/28], action: block}");

int schema_item_rule(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const struct doc_key entry = { "", "an entry of rules", NULL, 0, &rule_mapping };
	struct policy *p = to;

	(void)key;
	new_rule(to)->from_all = true;
	if (doc_read_mapping(doc, value, &entry, to))
		return -1;
	p->n_rules++;
	return 0;
}

/* ---- words that are looked up at the end ---- */

static int unknown(struct doc *doc, const struct reference *r, const char *what)
{
	yaml_node_t at = { .start_mark = { .line = r->line, .column = r->column } };

	return doc_fail(doc, &at, "rules: '%s' is %s, expected one that the policy defines", r->text, what);
}

static int resolve_rule(struct doc *doc, struct policy *p, struct rule *r)
{
	for (size_t i = 0, k; i < r->n_groups; i++) {
		for (k = 0; k < p->n_groups && strcmp(p->groups[k].name.text, r->group_names[i].text); k++)
			;
		if (k == p->n_groups)
			return unknown(doc, &r->group_names[i], "neither a host nor a group");
		r->groups |= (uint64_t)1 << k;
	}
	for (size_t i = 0, k; i < r->n_lists; i++) {
		for (k = 0; k < p->n_lists && strcmp(p->lists[k].name, r->list_names[i].text); k++)
			;
		if (k == p->n_lists)
			return unknown(doc, &r->list_names[i], "no list");
		r->lists |= (uint64_t)1 << k;
	}
	p->rule_lists |= r->lists;
	return 0;
}

int schema_resolve(struct doc *doc, struct policy *p, size_t first)
{
	for (size_t i = first; i < p->n_rules; i++)
		if (resolve_rule(doc, p, &p->rules[i]))
			return -1;
	return 0;
}
