/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of the policy file (DESIGN section 7) as tables: a new key is a row, and a reader where none fits. It
 * reads the policy's own text and opens no other file. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/doc.h"
#include "policy/file.h"
#include "policy/rules.h"
#include "policy/schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS(array, needs, sample) { .keys = array, .n = COUNT(array), .required = needs, .example = sample }
#define AT(field) offsetof(struct policy, field)

/* Words. The index is the enum's value. */
static const char *const mode_names[] = { [MODE_MONITOR] = "monitor", [MODE_ENFORCE] = "enforce" };
static const char *const fail_names[] = { [FAIL_OPEN] = "open", [FAIL_CLOSED] = "closed" };
static const char *const hook_names[] = { [HOOK_FORWARD] = "forward", [HOOK_OUTPUT] = "output", [HOOK_BOTH] = "both" };
static const char *const scope_names[] = {
	[SCOPE_AUTO] = "auto", [SCOPE_FLOW] = "flow", [SCOPE_PAIR] = "pair", [SCOPE_ENDPOINT] = "endpoint",
};
static const char *const detect_names[] = {
	[DETECT_OFF] = "off", [DETECT_MONITOR] = "monitor", [DETECT_BLOCK] = "block",
};
static const char *const answer_names[] = { "drop", "refused" };	/* as bool dns_refused */
static const char *const wallet_names[] = { "hash", "clear" };	/* as bool log_wallets */

static const struct doc_words modes = { mode_names, COUNT(mode_names) };
static const struct doc_words fails = { fail_names, COUNT(fail_names) };
static const struct doc_words hooks = { hook_names, COUNT(hook_names) };
const struct doc_words schema_scopes = { scope_names, COUNT(scope_names) };
const struct doc_words schema_detects = { detect_names, COUNT(detect_names) };
static const struct doc_words answers = { answer_names, COUNT(answer_names) };
static const char *const may_names[] = { "read", "change" };	/* as bool control_group_changes */
static const struct doc_words mays = { may_names, COUNT(may_names) };
static const struct doc_words wallets = { wallet_names, COUNT(wallet_names) };

int schema_no_memory(struct doc *doc)
{
	return doc_fail_kind(doc, NULL, POLICY_NO_MEMORY, "not enough memory");
}

/* ---- scalars with a rule of their own ---- */

static int read_version(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const struct doc_number number = { NUMBER_PLAIN, 1, 1, 4, "1" };
	struct doc_key as = *key;
	uint32_t version;

	(void)to;		/* there is only one, so nobody needs to remember it */
	as.arg = &number;
	as.offset = 0;
	return doc_read_number(doc, value, &as, &version);
}

static int read_mask(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct settings *s = &((struct policy *)to)->settings;
	char quote[DOC_QUOTE];
	uint32_t low;

	if (doc_read_number(doc, value, key, to))
		return -1;
	low = s->mark_mask & -s->mark_mask;
	if (s->mark_mask != (uint64_t)low * 7)
		return doc_fail(doc, value, "%s is %s, expected three adjacent bits, such as 0x0e000000", key->path,
				doc_quote(value, quote));
	return 0;
}

static int read_count(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	if (value->type == YAML_SCALAR_NODE && !strcmp((const char *)value->data.scalar.value, "auto")) {
		((struct policy *)to)->settings.queue_count = 0;
		return 0;
	}
	return doc_read_number(doc, value, key, to);
}

/* Points, or "off". */
static int read_or_off(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct doc_number *number = key->arg;

	if (value->type == YAML_SCALAR_NODE && !strcmp((const char *)value->data.scalar.value, "off")) {
		memset((char *)to + key->offset, 0, number->width);
		return 0;
	}
	return doc_read_number(doc, value, key, to);
}

static int read_queues(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct settings *s = &((struct policy *)to)->settings;
	unsigned count;

	if (doc_read_mapping(doc, value, key, to))
		return -1;
	count = s->queue_count ? s->queue_count : 8;	/* auto is at most 8 */
	if (s->queue_first + count > 65536)
		return doc_fail(doc, value, "queues: first %u and %u queues go past 65535, expected a first of at most %u",
				s->queue_first, count, 65536 - count);
	return 0;
}

/* Relative paths start at the policy's folder. */
int schema_resolve_path(struct doc *doc, yaml_node_t *value, const struct doc_key *key, char *to, size_t size)
{
	const char *slash = strrchr(doc->base, '/');
	const char *path;
	int folder, n;

	if (doc_text(doc, value, key, PATH_MAX - 1, "a path"))
		return -1;
	path = (const char *)value->data.scalar.value;
	folder = *path != '/' && slash ? (int)(slash + 1 - doc->base) : 0;
	n = snprintf(to, size, "%.*s%s", folder, doc->base, path);
	if (n < 0 || (size_t)n >= size)
		return doc_fail(doc, value, "%s has %d bytes with its folder, expected a path of at most %zu", key->path, n,
				size - 1);
	return 0;
}

static int read_control(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct settings *s = &((struct policy *)to)->settings;

	return schema_resolve_path(doc, value, key, s->control, sizeof(s->control));
}

static int read_state(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct settings *s = &((struct policy *)to)->settings;

	return schema_resolve_path(doc, value, key, s->state, sizeof(s->state));
}

static int read_log_file(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct settings *s = &((struct policy *)to)->settings;

	return schema_resolve_path(doc, value, key, s->log_file, sizeof(s->log_file));
}

/* The second of two words. */
static int read_second(struct doc *doc, yaml_node_t *value, const struct doc_key *key, bool *to)
{
	struct doc_key as = *key;
	unsigned second = 0;

	as.offset = 0;
	if (doc_read_word(doc, value, &as, &second))
		return -1;
	*to = second;
	return 0;
}

static int read_wallets(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	return read_second(doc, value, key, &((struct policy *)to)->settings.log_wallets);
}

static int read_may(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	return read_second(doc, value, key, &((struct policy *)to)->settings.control_group_changes);
}

/* A user or a group; whether there is one of this name is the daemon's to find out. */
static int read_account(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	const char *name = (const char *)value->data.scalar.value;
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, POLICY_ACCOUNT_MAX - 1, "a name of the system, such as minewall"))
		return -1;
	if (strspn(name, letters) != strlen(name) || *name == '-')
		return doc_fail(doc, value, "%s: %s is no name of the system, expected one such as minewall", key->path,
				doc_quote(value, quote));
	strcpy((char *)to + key->offset, name);
	return 0;
}

/* ---- detect ---- */

/* "block", or {action: block, scope: endpoint}. The key's offset is that of the struct detect_rule. */
static int read_detect(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct doc_key word = *key;

	if (value->type == YAML_MAPPING_NODE)
		return doc_read_mapping(doc, value, key, to);
	word.offset += offsetof(struct detect_rule, action);
	word.arg = &schema_detects;
	return doc_read_word(doc, value, &word, to);
}

static int read_dns_answer(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct doc_key as = *key;
	unsigned clear = 0;

	as.offset = 0;
	if (doc_read_word(doc, value, &as, &clear))
		return -1;
	((struct policy *)to)->settings.dns_refused = clear;
	return 0;
}

#define DETECTOR(name, id)										\
	static const struct doc_key name##_keys[] = {							\
		{ "action", "detect." #name ".action", doc_read_word, AT(detect[id].action), &schema_detects },	\
		{ "scope", "detect." #name ".scope", doc_read_word, AT(detect[id].scope), &schema_scopes },	\
	};												\
	static const struct doc_keys name##_mapping = KEYS(name##_keys, 0, "{action: block, scope: endpoint}")

DETECTOR(tls, DETECTOR_TLS);
DETECTOR(quic, DETECTOR_QUIC);
DETECTOR(http, DETECTOR_HTTP);
DETECTOR(stratum, DETECTOR_STRATUM);
DETECTOR(getwork, DETECTOR_GETWORK);
DETECTOR(node, DETECTOR_NODE);

/* A DNS message teaches nothing, so it has no scope. */
static const struct doc_key dns_keys[] = {
	{ "action", "detect.dns.action", doc_read_word, AT(detect[DETECTOR_DNS].action), &schema_detects },
	{ "answer", "detect.dns.answer", read_dns_answer, 0, &answers },
};
static const struct doc_keys dns_mapping = KEYS(dns_keys, 0, "{action: block, answer: refused}");

static const struct doc_key detect_keys[] = {
	{ "tls", "detect.tls", read_detect, AT(detect[DETECTOR_TLS]), &tls_mapping },
	{ "quic", "detect.quic", read_detect, AT(detect[DETECTOR_QUIC]), &quic_mapping },
	{ "http", "detect.http", read_detect, AT(detect[DETECTOR_HTTP]), &http_mapping },
	{ "dns", "detect.dns", read_detect, AT(detect[DETECTOR_DNS]), &dns_mapping },
	{ "stratum", "detect.stratum", read_detect, AT(detect[DETECTOR_STRATUM]), &stratum_mapping },
	{ "getwork", "detect.getwork", read_detect, AT(detect[DETECTOR_GETWORK]), &getwork_mapping },
	{ "node", "detect.node", read_detect, AT(detect[DETECTOR_NODE]), &node_mapping },
};
static const struct doc_keys detect = KEYS(detect_keys, 0, "{tls: block, http: block, stratum: block}");

/* ---- the tables ---- */

static const struct doc_list rule_list = {
	RULES_MAX, "a list of rules, such as [{name: kids, from: [192.168.1.64/28], action: block}]", schema_item_rule,
};

static const struct doc_number first_number = { NUMBER_PLAIN, 0, 65535, 2, "a number from 0 to 65535" };
static const struct doc_number count_number = { NUMBER_PLAIN, 1, 64, 2, "auto or a number from 1 to 64" };
static const struct doc_number length_number = { NUMBER_PLAIN, 16, 65536, 4, "a number from 16 to 65536" };
static const struct doc_number mask_number = {
	NUMBER_PLAIN, 1, UINT32_MAX, 4, "a 32-bit mask of three adjacent bits, such as 0x0e000000",
};
const struct doc_number schema_timeout = {
	NUMBER_DURATION, 1, 30 * 86400, 4, "a duration from 1s to 30d, such as 90s, 10m, 1h or 7d",
};
static const struct doc_number flows_number = { NUMBER_PLAIN, 16, 1 << 24, 4, "a number from 16 to 16777216" };
/* One stream's first 16 KiB must fit, with room for a few at once. */
static const struct doc_number reassembly_number = {
	NUMBER_SIZE, 64 << 10, UINT64_C(16) << 30, 8, "a size from 64KiB to 16GiB, such as 512KiB, 16MiB or 1GiB",
};
/* Some 16 bytes of kernel memory each at once, and 100 when it is taught. */
static const struct doc_number endpoints_number = { NUMBER_PLAIN, 1, 1 << 24, 4, "a number from 1 to 16777216" };

static const struct doc_number log_size_number = { NUMBER_SIZE, 64 << 10, UINT64_C(16) << 30, 8, "off or a size from 64KiB to 16GiB, such as 16MiB" };
static const struct doc_number log_budget_number = { NUMBER_SIZE, 256 << 10, UINT64_C(1) << 40, 8, "off or a size from 256KiB to 1024GiB, such as 4MiB" };
static const struct doc_number log_keep_number = { NUMBER_PLAIN, 1, 999, 4, "a number from 1 to 999" };
static const struct doc_number log_days_number = { NUMBER_PLAIN, 1, 36500, 4, "off or a number from 1 to 36500" };
static const struct doc_number log_buffer_number = { NUMBER_DURATION, 1, 3600, 4, "off or a duration from 1s to 1h, such as 10m" };

static const struct doc_number points_number = { NUMBER_PLAIN, 1, 1000, 2, "off or a number from 1 to 1000" };

static const struct doc_key hygiene_keys[] = {
	{ "smb", "hygiene.smb", doc_read_word, AT(settings.hygiene[HYGIENE_SMB]), &schema_detects },
	{ "netbios", "hygiene.netbios", doc_read_word, AT(settings.hygiene[HYGIENE_NETBIOS]), &schema_detects },
	{ "rdp", "hygiene.rdp", doc_read_word, AT(settings.hygiene[HYGIENE_RDP]), &schema_detects },
};
static const struct doc_key score_keys[] = {
	{ "report", "score.report", read_or_off, AT(settings.score_report), &points_number },
	{ "block", "score.block", read_or_off, AT(settings.score_block), &points_number },
};
static const struct doc_key interface_keys[] = {
	{ "out", "interfaces.out", doc_read_list, 0, &schema_interfaces },
	{ "offload", "interfaces.offload", doc_read_list, 0, &schema_offload },
};
static const struct doc_key queue_keys[] = {
	{ "first", "queues.first", doc_read_number, AT(settings.queue_first), &first_number },
	{ "count", "queues.count", read_count, AT(settings.queue_count), &count_number },
	{ "length", "queues.length", doc_read_number, AT(settings.queue_length), &length_number },
};
static const struct doc_key mark_keys[] = {
	{ "mask", "mark.mask", read_mask, AT(settings.mark_mask), &mask_number },
};
static const struct doc_key timeout_keys[] = {
	{ "endpoint", "block.timeout.endpoint", doc_read_number, AT(settings.endpoint_timeout_s), &schema_timeout },
	{ "pair", "block.timeout.pair", doc_read_number, AT(settings.pair_timeout_s), &schema_timeout },
};
static const struct doc_key allow_keys[] = {
	{ "names", "allow.names", doc_read_list, AT(allow_names), &schema_names },
	{ "hosts", "allow.hosts", doc_read_list, AT(allow_hosts), &schema_networks },
	{ "addresses", "allow.addresses", doc_read_list, AT(allow_addresses), &schema_endpoints },
};
static const struct doc_key log_keys[] = {
	{ "file", "log.file", read_log_file, 0, NULL },
	{ "wallets", "log.wallets", read_wallets, 0, &wallets },
	{ "size", "log.size", read_or_off, AT(settings.log_size), &log_size_number },
	{ "keep", "log.keep", doc_read_number, AT(settings.log_keep), &log_keep_number },
	{ "days", "log.days", read_or_off, AT(settings.log_days), &log_days_number },
	{ "budget", "log.budget", read_or_off, AT(settings.log_budget), &log_budget_number },
	{ "buffer", "log.buffer", read_or_off, AT(settings.log_buffer_s), &log_buffer_number },
};
static const struct doc_key memory_keys[] = {
	{ "flows", "memory.flows", doc_read_number, AT(settings.memory_flows), &flows_number },
	{ "reassembly", "memory.reassembly", doc_read_number, AT(settings.memory_reassembly), &reassembly_number },
	{ "endpoints", "memory.endpoints", doc_read_number, AT(settings.memory_endpoints), &endpoints_number },
};

static const struct doc_keys hygiene = KEYS(hygiene_keys, 0, "{smb: block, netbios: block, rdp: monitor}");
static const struct doc_keys score = KEYS(score_keys, 0, "{report: 60, block: off}");
static const struct doc_keys interfaces = KEYS(interface_keys, 0, "{out: [eth0]}");
static const struct doc_keys queues = KEYS(queue_keys, 0, "{first: 0, count: auto, length: 4096}");
static const struct doc_keys mark = KEYS(mark_keys, 0, "{mask: 0x0e000000}");
static const struct doc_keys timeouts = KEYS(timeout_keys, 0, "{endpoint: 1h, pair: 10m}");
static const struct doc_keys allow = KEYS(allow_keys, 0, "{names: [pool.example]}");
static const struct doc_keys logging = KEYS(log_keys, 0, "{file: /var/log/minewall/eve.json}");
static const struct doc_keys memory = KEYS(memory_keys, 0, "{flows: 65536, reassembly: 16MiB, endpoints: 65536}");

static const struct doc_key block_keys[] = {
	{ "names", "block.names", doc_read_list, AT(block_names), &schema_names },
	{ "addresses", "block.addresses", doc_read_list, AT(block_addresses), &schema_blocked },
	{ "timeout", "block.timeout", doc_read_mapping, 0, &timeouts },
	{ "scope", "block.scope", doc_read_word, AT(settings.scope), &schema_scopes },
	{ "reset", "block.reset", doc_read_bool, AT(settings.reset), NULL },
};
static const struct doc_keys block = KEYS(block_keys, 0, "{names: [pool.example]}");

static const struct doc_key root_keys[] = {
	{ "version", "version", read_version, 0, NULL },
	{ "mode", "mode", doc_read_word, AT(settings.mode), &modes },
	{ "hook", "hook", doc_read_word, AT(settings.hook), &hooks },
	{ "interfaces", "interfaces", doc_read_mapping, 0, &interfaces },
	{ "fail", "fail", doc_read_word, AT(settings.fail), &fails },
	{ "queues", "queues", read_queues, 0, &queues },
	{ "mark", "mark", doc_read_mapping, 0, &mark },
	{ "block", "block", doc_read_mapping, 0, &block },
	{ "lists", "lists", doc_read_list, 0, &schema_lists },
	{ "categories", "categories", schema_read_categories, 0, NULL },
	{ "allow", "allow", doc_read_mapping, 0, &allow },
	{ "shared", "shared", doc_read_list, AT(shared), &schema_shared },
	{ "groups", "groups", schema_read_groups, 0, NULL },
	{ "rules", "rules", doc_read_list, 0, &rule_list },
	{ "detect", "detect", doc_read_mapping, 0, &detect },
	{ "dialects", "dialects", dialects_read, AT(dialects), NULL },
	{ "dialects_off", "dialects_off", dialects_read_off, AT(dialects), NULL },
	{ "score", "score", doc_read_mapping, 0, &score },
	{ "hygiene", "hygiene", doc_read_mapping, 0, &hygiene },
	{ "control", "control", read_control, 0, NULL },
	{ "control_group", "control_group", read_account, AT(settings.control_group), NULL },
	{ "control_group_may", "control_group_may", read_may, 0, &mays },
	{ "user", "user", read_account, AT(settings.user), NULL },
	{ "state", "state", read_state, 0, NULL },
	{ "log", "log", doc_read_mapping, 0, &logging },
	{ "memory", "memory", doc_read_mapping, 0, &memory },
	{ "hours", "hours", schema_read_schedule, AT(reporting.hours), &schema_hours },
	{ "leases", "leases", doc_read_list, 0, &schema_leases },
	{ "incidents", "incidents", doc_read_mapping, 0, &schema_incidents },
	{ "alert", "alert", doc_read_mapping, 0, &schema_alert },
	{ "quarantine", "quarantine", doc_read_mapping, 0, &schema_quarantine },
	{ "cpu", "cpu", schema_read_cpu, 0, NULL },
	{ "metrics", "metrics", doc_read_mapping, 0, &schema_metrics },
	{ "fleet", "fleet", schema_read_fleet, 0, NULL },
	{ "own_table", "own_table", doc_read_bool, AT(settings.own_table), NULL },
	{ "guard_offload", "guard_offload", doc_read_bool, AT(settings.guard_offload), NULL },
	{ "offload", "offload", doc_read_bool, AT(settings.offload), NULL },
};
static const struct doc_keys root_mapping = KEYS(root_keys, 0x1, "'version: 1'");

/* Whoever offloads says between which interfaces, in the same file. */
static int check_offload(struct doc *doc, yaml_node_t *root, const struct settings *s)
{
	if (s->offload && s->n_offload < 2)
		return doc_fail(doc, root, "offload needs the interfaces between which flows go, inside and outside, such as "
				"'interfaces: {offload: [eth0, eth1]}'");
	if (s->offload && s->guard_offload)
		return doc_fail(doc, root, "offload and guard_offload exclude each other: a guarded flow is never offloaded, expected one of them");
	return 0;
}

int schema_read(struct policy *p, const char *base, const char *path, const char *text, size_t len, struct policy_error *error)
{
	static const struct doc_key root_key = { "", "", NULL, 0, &root_mapping };
	struct doc doc;
	size_t rules_before = p->n_rules;
	yaml_node_t *root;
	int result = -1;

	if (doc_open(&doc, path, text, len, error))
		goto out;
	doc.base = base;
	root = doc_root(&doc);
	result = root ? doc_read_mapping(&doc, root, &root_key, p) : doc_fail(&doc, NULL, "is empty, expected 'version: 1'");
	schema_complete_actions(p);
	if (!result)
		result = check_offload(&doc, root, &p->settings);
	if (!result)
		result = schema_resolve(&doc, p, rules_before);
out:
	doc_close(&doc);
	return result;
}
