/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys about incidents as tables: `leases`, `incidents`, `alert`, `metrics`,
 * `quarantine` and `cpu`. It reads the policy's own text; whether a
 * hook can be executed, or a lease file be read, shows when that is tried. */
#include <stdio.h>
#include <string.h>

#include "policy/reporting.h"
#include "policy/rules.h"
#include "policy/schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS(array, needs, sample) { .keys = array, .n = COUNT(array), .required = needs, .example = sample }
/* Names of update servers; a look-up takes the same time for any number of them. */
#define UPDATE_NAMES_MAX 1024
#define AT(field) offsetof(struct policy, reporting.field)

void reporting_defaults(struct reporting *r)
{
	*r = (struct reporting) { .incidents_max = 512, .alert_attempts = 5, .alert_within_s = 600, .alert_timeout_s = 10,
				   .quarantine_time_s = 3600, .cpu_threshold = 90, .cpu_polls = 3, .cpu_every_s = 60 };
}

const struct reporting *policy_reporting(const struct policy *p)
{
	return p->base ? policy_reporting(p->base) : &p->reporting;
}

bool policy_quarantine_names(const struct policy *p)
{
	return name_set_count(p->update_names) > 0;
}

bool policy_quarantine_name(const struct policy *p, struct view name)
{
	struct name_hit hit;

	return name.len && name_set_match(p->update_names, name.p, name.len, &hit);
}

static struct reporting *reporting_of(void *to)
{
	return &((struct policy *)to)->reporting;
}

/* ---- leases ---- */

static int item_lease(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct reporting *r = reporting_of(to);

	if (r->n_leases == REPORTING_LEASES_MAX)
		return doc_fail(doc, value, "%s has too many entries with those of other files, expected at most %d", key->path,
				REPORTING_LEASES_MAX);
	return schema_resolve_path(doc, value, key, r->leases[r->n_leases++], REPORTING_PATH_MAX);
}

const struct doc_list schema_leases = { REPORTING_LEASES_MAX, "a list of files, such as [/tmp/dhcp.leases]", item_lease };

/* ---- incidents ---- */

static const struct doc_number max_number = { NUMBER_PLAIN, 16, 16384, 4, "a number from 16 to 16384" };
static const struct doc_key incident_keys[] = {
	{ "max", "incidents.max", doc_read_number, AT(incidents_max), &max_number },
};
const struct doc_keys schema_incidents = KEYS(incident_keys, 0, "{max: 512}");

/* ---- alert ---- */

/* The program by its whole path: the daemon's PATH is nobody's business. */
static int item_argument(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct reporting *r = reporting_of(to);
	const char *text = (const char *)value->data.scalar.value;
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, REPORTING_ARG_MAX - 1, "an argument"))
		return -1;
	if (!r->n_hook && *text != '/')
		return doc_fail(doc, value, "%s: the program is %s, expected its whole path, such as /usr/local/bin/tell", key->path,
				doc_quote(value, quote));
	snprintf(r->hook[r->n_hook++], REPORTING_ARG_MAX, "%s", text);
	return 0;
}

/* A drop-in's hook takes the place of the one before. */
static int read_hook(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	reporting_of(to)->n_hook = 0;
	return doc_read_list(doc, value, key, to);
}

static const struct doc_list hook_list = {
	REPORTING_ARGS_MAX, "a list of a program and its arguments, such as [/usr/local/bin/tell, mail]", item_argument,
};
static const struct doc_number attempts_number = { NUMBER_PLAIN, 1, 100000, 4, "a number from 1 to 100000" };
static const struct doc_number within_number = { NUMBER_DURATION, 60, 7 * 86400, 4, "a duration from 1m to 7d, such as 10m" };
static const struct doc_number hook_timeout_number = { NUMBER_DURATION, 1, 300, 4, "a duration from 1s to 5m, such as 10s" };

static const struct doc_key alert_keys[] = {
	{ "attempts", "alert.attempts", doc_read_number, AT(alert_attempts), &attempts_number },
	{ "within", "alert.within", doc_read_number, AT(alert_within_s), &within_number },
	{ "hook", "alert.hook", read_hook, 0, &hook_list },
	{ "timeout", "alert.timeout", doc_read_number, AT(alert_timeout_s), &hook_timeout_number },
};
const struct doc_keys schema_alert = KEYS(alert_keys, 0, "{attempts: 5, within: 10m, hook: [/usr/local/bin/tell]}");

/* ---- metrics ---- */

/* One address with its port. */
static int read_listen(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct reporting *r = reporting_of(to);
	struct network net;
	char quote[DOC_QUOTE];

	if (schema_read_endpoint(doc, value, key, &net))
		return -1;
	if (net.prefix != 128 || !net.port)
		return doc_fail(doc, value, "%s is %s, expected an address and a port, such as 127.0.0.1:9920 or \"[::1]:9920\"", key->path,
				doc_quote(value, quote));
	memcpy(r->metrics_address, net.addr, sizeof(r->metrics_address));
	r->metrics_port = net.port;
	return 0;
}

/* The collector of node_exporter takes files of this ending alone. */
static int read_metrics_file(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct reporting *r = reporting_of(to);
	char quote[DOC_QUOTE];
	size_t len;

	if (schema_resolve_path(doc, value, key, r->metrics_file, sizeof(r->metrics_file)))
		return -1;
	len = strlen(r->metrics_file);
	if (len < 6 || strcmp(r->metrics_file + len - 5, ".prom"))
		return doc_fail(doc, value, "%s is %s, expected a path that ends with .prom", key->path, doc_quote(value, quote));
	return 0;
}

static const struct doc_key metrics_keys[] = {
	{ "listen", "metrics.listen", read_listen, 0, NULL },
	{ "file", "metrics.file", read_metrics_file, 0, NULL },
};
const struct doc_keys schema_metrics = KEYS(metrics_keys, 0, "{listen: 127.0.0.1:9920}");

/* ---- quarantine ---- */

static const char *const quarantine_names[] = {
	[QUARANTINE_OFF] = "off", [QUARANTINE_MANUAL] = "manual", [QUARANTINE_AUTO] = "auto",
};
static const struct doc_words quarantines = { quarantine_names, COUNT(quarantine_names) };

static int item_reachable(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct reporting *r = reporting_of(to);
	struct network net;

	if (schema_read_endpoint(doc, value, key, &net))
		return -1;
	if (r->n_allowed == REPORTING_ALLOWED_MAX)
		return doc_fail(doc, value, "%s has too many entries with those of other files, expected at most %d", key->path,
				REPORTING_ALLOWED_MAX);
	memcpy(r->allowed[r->n_allowed].addr, net.addr, sizeof(net.addr));
	r->allowed[r->n_allowed].prefix = net.prefix;
	r->allowed[r->n_allowed++].port = net.port;
	return 0;
}

static int item_update_name(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct policy *p = to;
	struct name_entry entry;
	enum name_problem problem;
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, NAME_ENTRY_MAX, "a host name"))
		return -1;
	problem = name_parse_any((const char *)value->data.scalar.value, value->data.scalar.length, &entry);
	if (problem != NAME_GOOD)
		return doc_fail(doc, value, "%s: %s is no name to open: %s; expected one such as updates.example or \"*.windowsupdate.com\"",
				key->path, doc_quote(value, quote), name_problem_text(problem));
	return name_set_add(p->update_names, &entry, 0, doc_line(value)) ? schema_no_memory(doc) : 0;
}

static const struct doc_list update_name_list = { UPDATE_NAMES_MAX, "a list of names, such as [updates.example]", item_update_name };
static const struct doc_list reachable_list = {
	REPORTING_ALLOWED_MAX, "a list of addresses, such as [192.0.2.7, \"192.0.2.8:443\"]", item_reachable,
};
static const struct doc_key quarantine_keys[] = {
	{ "mode", "quarantine.mode", doc_read_word, AT(quarantine), &quarantines },
	{ "time", "quarantine.time", doc_read_number, AT(quarantine_time_s), &schema_timeout },
	{ "addresses", "quarantine.addresses", doc_read_list, 0, &reachable_list },
	{ "names", "quarantine.names", doc_read_list, 0, &update_name_list },
};
const struct doc_keys schema_quarantine = KEYS(quarantine_keys, 0, "{mode: manual, time: 1h, addresses: [192.0.2.7]}");

/* ---- cpu ---- */

static const char *const auth_names[] = { [CPU_SHA256] = "sha256", [CPU_SHA] = "sha" };
static const struct doc_words auths = { auth_names, COUNT(auth_names) };

static int read_secret(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	if (doc_text(doc, value, key, REPORTING_SECRET_MAX - 1, "a word"))
		return -1;
	strcpy((char *)to + key->offset, (const char *)value->data.scalar.value);
	return 0;
}

/* RFC 3414, 11.2: a shorter one is no key. */
static int read_password(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	if (read_secret(doc, value, key, to))
		return -1;
	if (strlen((const char *)value->data.scalar.value) < 8)
		return doc_fail(doc, value, "%s is too short, expected at least 8 letters", key->path);
	return 0;
}

static int item_cpu_host(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct reporting *r = reporting_of(to);
	struct network net;
	char quote[DOC_QUOTE];

	if (schema_read_endpoint(doc, value, key, &net))
		return -1;
	if (net.prefix != 128 || net.port || r->n_cpu_hosts == REPORTING_CPU_HOSTS_MAX)
		return doc_fail(doc, value, "%s: %s is too much, expected at most %d single addresses", key->path, doc_quote(value, quote),
				REPORTING_CPU_HOSTS_MAX);
	address_print(&net, quote);
	snprintf(r->cpu_hosts[r->n_cpu_hosts++], sizeof(r->cpu_hosts[0]), "%.*s", (int)strcspn(quote, "/"), quote);
	return 0;
}

static const struct doc_number threshold_number = { NUMBER_PLAIN, 1, 100, 1, "a number from 1 to 100" };
static const struct doc_number polls_number = { NUMBER_PLAIN, 1, 8, 4, "a number from 1 to 8" };
static const struct doc_number every_number = { NUMBER_DURATION, 1, 3600, 4, "a duration from 1s to 1h, such as 60s" };
static const struct doc_list cpu_host_list = { REPORTING_CPU_HOSTS_MAX, "a list of addresses, such as [192.168.1.50]", item_cpu_host };

static const struct doc_key cpu_keys[] = {
	{ "community", "cpu.community", read_secret, AT(cpu_community), NULL },
	{ "user", "cpu.user", read_secret, AT(cpu_user), NULL },
	{ "auth", "cpu.auth", doc_read_word, AT(cpu_auth), &auths },
	{ "password", "cpu.password", read_password, AT(cpu_password), NULL },
	{ "privacy", "cpu.privacy", read_password, AT(cpu_privacy), NULL },
	{ "threshold", "cpu.threshold", doc_read_number, AT(cpu_threshold), &threshold_number },
	{ "polls", "cpu.polls", doc_read_number, AT(cpu_polls), &polls_number },
	{ "every", "cpu.every", doc_read_number, AT(cpu_every_s), &every_number },
	{ "hours", "cpu.hours", schema_read_schedule, AT(cpu_hours), &schema_hours },
	{ "hosts", "cpu.hosts", doc_read_list, 0, &cpu_host_list },
};
static const struct doc_keys cpu_mapping = KEYS(cpu_keys, 0, "{community: public, threshold: 90, polls: 3, every: 60s}");

int schema_read_cpu(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct reporting *r = reporting_of(to);
	struct doc_key as = *key;

	as.arg = &cpu_mapping;
	if (doc_read_mapping(doc, value, &as, to))
		return -1;
	if (*r->cpu_user && !*r->cpu_password)
		return doc_fail(doc, value, "cpu has a user without a password, expected both");
	return 0;
}
