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
static const char *const format_names[LIST_FORMATS] = {
	[LIST_PLAIN] = "plain", [LIST_HOSTS] = "hosts", [LIST_ADBLOCK] = "adblock", [LIST_DNSMASQ] = "dnsmasq",
	[LIST_UNBOUND] = "unbound", [LIST_RPZ] = "rpz", [LIST_IPSET] = "ipset", [LIST_NFTABLES] = "nftables", [LIST_P2P] = "p2p",
	[LIST_SURICATA] = "suricata", [LIST_WILDCARD] = "wildcard",
};
static const char *const answer_names[] = { "drop", "refused" };	/* as bool dns_refused */
static const char *const wallet_names[] = { "hash", "clear" };	/* as bool log_wallets */

static const struct doc_words modes = { mode_names, COUNT(mode_names) };
static const struct doc_words fails = { fail_names, COUNT(fail_names) };
static const struct doc_words hooks = { hook_names, COUNT(hook_names) };
const struct doc_words schema_scopes = { scope_names, COUNT(scope_names) };
static const struct doc_words detects = { detect_names, COUNT(detect_names) };
static const struct doc_words formats = { format_names, COUNT(format_names) };
static const struct doc_words answers = { answer_names, COUNT(answer_names) };
static const char *const may_names[] = { "read", "change" };	/* as bool control_group_changes */
static const struct doc_words mays = { may_names, COUNT(may_names) };
static const struct doc_words wallets = { wallet_names, COUNT(wallet_names) };

const char *schema_format(enum list_format format)
{
	return (size_t)format < COUNT(format_names) && format_names[format] ? format_names[format] : "auto";
}

/* A file of shared ranges: far more than any operator publishes. */
#define SHARED_FILE_MAX (1u << 20)

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

/* ---- entries of lists ---- */

/* The kernel's rule (dev_valid_name), and no '*': nftables would take it for a pattern. */
static bool is_interface(const char *name)
{
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name == '*' || *name == '"' || (unsigned char)*name <= ' ')
			return false;
	return true;
}

/* One more of the `*n` names in `names`. */
static int add_interface(struct doc *doc, yaml_node_t *value, const struct doc_key *key, char names[][POLICY_IFNAME_MAX], unsigned *n)
{
	const char *name = (const char *)value->data.scalar.value;
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, POLICY_IFNAME_MAX - 1, "an interface name"))
		return -1;
	if (!is_interface(name))
		return doc_fail(doc, value, "%s: %s is no interface name, expected one such as eth0", key->path,
				doc_quote(value, quote));
	for (unsigned i = 0; i < *n; i++)
		if (!strcmp(names[i], name))
			return doc_fail(doc, value, "%s: repeated interface %s, expected it once", key->path,
					doc_quote(value, quote));
	strcpy(names[(*n)++], name);
	return 0;
}

static int item_interface(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct settings *s = &((struct policy *)to)->settings;

	return add_interface(doc, value, key, s->out, &s->n_out);
}

static int item_offload(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct settings *s = &((struct policy *)to)->settings;

	return add_interface(doc, value, key, s->offload_devices, &s->n_offload);
}

/* An allow rule may be as wide as a top-level domain ("lan"); a block rule may not. */
static int item_name(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct policy *p = to;
	bool allow = key->offset == AT(allow_names);
	struct name_entry entry;
	enum name_problem problem;
	char quote[DOC_QUOTE];
	int error;

	if (doc_text(doc, value, key, DOC_BYTES_MAX, "a host name"))
		return -1;
	problem = name_parse_any((const char *)value->data.scalar.value, value->data.scalar.length, &entry);
	if (problem != NAME_GOOD && !(allow && problem == NAME_WIDE))
		return doc_fail(doc, value, "%s: %s is no name to %s: %s; expected one such as pool.example or \"*.pool.example\"",
				key->path, doc_quote(value, quote), allow ? "allow" : "block", name_problem_text(problem));
	error = name_set_add(allow ? p->allow_names : p->block_names, &entry, 0, doc_line(value));
	return error ? schema_no_memory(doc) : 0;
}

static int parse_network(struct doc *doc, yaml_node_t *value, const struct doc_key *key, const char *expected,
			 struct network *net)
{
	char quote[DOC_QUOTE], right[ADDRESS_TEXT_MAX + 1];
	enum address_problem problem;

	if (doc_text(doc, value, key, DOC_BYTES_MAX, expected))
		return -1;
	problem = address_parse((const char *)value->data.scalar.value, value->data.scalar.length, net);
	net->line = doc_line(value);
	doc_quote(value, quote);
	switch (problem) {
	case ADDRESS_GOOD:
		return 0;
	case ADDRESS_SHAPE:
		break;
	case ADDRESS_PREFIX:
		return doc_fail(doc, value, "%s: the prefix of %s is wrong, expected 0 to %d", key->path, quote,
				address_is_v4(net->addr) ? 32 : 128);
	case ADDRESS_PORT:
		return doc_fail(doc, value, "%s: the port of %s is wrong, expected 1 to 65535", key->path, quote);
	case ADDRESS_HOST_BITS:
		address_print(net, right);
		return doc_fail(doc, value, "%s: %s has bits behind its prefix, expected %s", key->path, quote, right);
	}
	return doc_fail(doc, value, "%s: %s is no address, expected %s", key->path, quote, expected);
}

static int add_network(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to,
		       const struct network *net)
{
	struct address_set *set = (struct address_set *)((char *)to + key->offset);

	if (address_set_add(set, net, (const char *)value->data.scalar.value, value->data.scalar.length))
		return schema_no_memory(doc);
	return 0;
}

static const char endpoint_text[] = "one such as 192.0.2.7, 198.51.100.0/24, 192.0.2.7:3333 or \"[2001:db8::7]:3333\"";
static const char network_text[] = "one such as 192.168.1.50, 10.0.9.0/24 or 2001:db8::/32";

int schema_read_endpoint(struct doc *doc, yaml_node_t *value, const struct doc_key *key, struct network *net)
{
	return parse_network(doc, value, key, endpoint_text, net);
}

static int item_endpoint(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct network net;

	if (parse_network(doc, value, key, endpoint_text, &net))
		return -1;
	return add_network(doc, value, key, to, &net);
}

static int item_blocked(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	char quote[DOC_QUOTE];
	struct network net;

	if (parse_network(doc, value, key, endpoint_text, &net))
		return -1;
	if (net.prefix == (address_is_v4(net.addr) ? 96 : 0))
		return doc_fail(doc, value, "%s: %s is every address, expected a smaller network", key->path,
				doc_quote(value, quote));
	return add_network(doc, value, key, to, &net);
}

static int item_network(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	char quote[DOC_QUOTE];
	struct network net;

	if (parse_network(doc, value, key, network_text, &net))
		return -1;
	if (net.port)
		return doc_fail(doc, value, "%s: %s has a port, expected %s", key->path, doc_quote(value, quote), network_text);
	return add_network(doc, value, key, to, &net);
}

/* A network, or a file of them: a path begins with '/' or '.'. */
static int item_shared(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const char *item = value->type == YAML_SCALAR_NODE ? (const char *)value->data.scalar.value : "";
	char path[PATH_MAX], *text = NULL;
	unsigned line;
	size_t len;
	int result;

	if (*item != '/' && *item != '.')
		return item_network(doc, value, key, to);
	if (schema_resolve_path(doc, value, key, path, sizeof(path)))
		return -1;
	result = file_read(path, SHARED_FILE_MAX, &text, &len);
	if (result)
		return doc_fail(doc, value, "shared: %s: %s, expected a readable file of networks", path, strerror(-result));
	result = address_set_read(&((struct policy *)to)->shared, text, len, &line);
	free(text);
	if (result == -EINVAL)
		return doc_fail(doc, value, "shared: %s, line %u: no address, expected %s", path, line, network_text);
	return result ? schema_no_memory(doc) : 0;
}

/* ---- detect ---- */

/* "block", or {action: block, scope: endpoint}. The key's offset is that of the struct detect_rule. */
static int read_detect(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct doc_key word = *key;

	if (value->type == YAML_MAPPING_NODE)
		return doc_read_mapping(doc, value, key, to);
	word.offset += offsetof(struct detect_rule, action);
	word.arg = &detects;
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
		{ "action", "detect." #name ".action", doc_read_word, AT(detect[id].action), &detects },	\
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
	{ "action", "detect.dns.action", doc_read_word, AT(detect[DETECTOR_DNS].action), &detects },
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

/* ---- lists ---- */

static struct list_rule *new_list(void *to)
{
	struct policy *p = to;

	return &p->lists[p->n_lists];
}

/* A word that goes into events and commands: no blanks, no control bytes. */
static int read_label(struct doc *doc, yaml_node_t *value, const struct doc_key *key, char **label)
{
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, LABEL_MAX, "a word"))
		return -1;
	for (const char *p = (const char *)value->data.scalar.value; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *p))
			return doc_fail(doc, value, "%s is %s, expected a word of letters, digits, '.', '_' and '-'",
					key->path, doc_quote(value, quote));
	*label = strdup((const char *)value->data.scalar.value);
	return *label ? 0 : schema_no_memory(doc);
}

static int read_list_name(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct policy *p = to;
	struct list_rule *list = new_list(to);

	if (read_label(doc, value, key, &list->name))
		return -1;
	for (size_t i = 0; i < p->n_lists; i++)
		if (!strcmp(p->lists[i].name, list->name))
			return doc_fail(doc, value, "a second list with the name '%s', expected another name", list->name);
	return 0;
}

static int read_list_file(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct list_rule *list = new_list(to);
	char path[PATH_MAX];

	if (schema_resolve_path(doc, value, key, path, sizeof(path)))
		return -1;
	list->file = strdup(path);
	list->at.path = doc->file;
	list->at.line = value->start_mark.line;
	list->at.column = value->start_mark.column;
	return list->file ? 0 : schema_no_memory(doc);
}

static int read_list_format(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const struct { const char *word; enum list_format format; } others[] = {
		{ "domains", LIST_PLAIN }, { "netset", LIST_PLAIN }, { "cidr", LIST_PLAIN }, { "adguard", LIST_ADBLOCK },
	};

	for (size_t i = 0; i < COUNT(others) && value->type == YAML_SCALAR_NODE; i++)
		if (!strcmp((const char *)value->data.scalar.value, others[i].word)) {
			new_list(to)->format = others[i].format;
			return 0;
		}
	return doc_read_word(doc, value, key, new_list(to));
}

static int read_list_action(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	new_list(to)->has_action = true;
	return doc_read_word(doc, value, key, new_list(to));
}

static int read_list_category(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	return read_label(doc, value, key, &new_list(to)->category);
}

/* Longest URL that anybody publishes a list at. */
#define URL_MAX 1024

/* https://host... or http://host..., no name and password in it: policies and listings are shown around. */
static int read_url(struct doc *doc, yaml_node_t *value, const struct doc_key *key, char **url)
{
	static const char expected[] = "a URL such as https://lists.example/miners.txt";
	const char *text = (const char *)value->data.scalar.value, *host;
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, URL_MAX, expected))
		return -1;
	host = !strncmp(text, "https://", 8) ? text + 8 : !strncmp(text, "http://", 7) ? text + 7 : NULL;
	if (!host || !host[strspn(host, ".")] || strchr("/:?#", *host))
		return doc_fail(doc, value, "%s is %s, expected %s", key->path, doc_quote(value, quote), expected);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '\\' || *p == '<' || *p == '>')
			return doc_fail(doc, value, "%s has a byte that no URL has, expected %s", key->path, expected);
	if (memchr(host, '@', strcspn(host, "/?#")))
		return doc_fail(doc, value, "%s has a user name or password, expected %s", key->path, expected);
	*url = strdup(text);
	return *url ? 0 : schema_no_memory(doc);
}

static int read_list_url(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	return read_url(doc, value, key, &new_list(to)->url);
}

static int read_list_signature(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	return read_url(doc, value, key, &new_list(to)->signature);
}

/* The second line of a key file of minisign or signify: base64 of "Ed", an id of 8 bytes and the key. */
static int read_list_key(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *text = (const char *)value->data.scalar.value;
	struct list_rule *list = new_list(to);
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, DOC_BYTES_MAX, "a public key of minisign or signify"))
		return -1;
	if (strlen(text) != POLICY_PUBLIC_KEY_TEXT || strspn(text, base64) != POLICY_PUBLIC_KEY_TEXT || strncmp(text, "RW", 2))
		return doc_fail(doc, value, "%s is %s, expected the line of a minisign or signify key file that begins with RW, "
				"%d letters", key->path, doc_quote(value, quote), POLICY_PUBLIC_KEY_TEXT);
	list->public_key = strdup(text);
	return list->public_key ? 0 : schema_no_memory(doc);
}

static int read_list_ca(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	char path[PATH_MAX];

	if (schema_resolve_path(doc, value, key, path, sizeof(path)))
		return -1;
	new_list(to)->ca = strdup(path);
	return new_list(to)->ca ? 0 : schema_no_memory(doc);
}

static int read_list_number(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	return doc_read_number(doc, value, key, new_list(to));
}

/* "50%" */
static int read_list_shrink(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const char *text = (const char *)value->data.scalar.value;
	char quote[DOC_QUOTE], *end;
	unsigned long percent;

	if (doc_text(doc, value, key, DOC_BYTES_MAX, "a share such as 50%"))
		return -1;
	percent = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || percent > 100 || strcmp(end, "%"))
		return doc_fail(doc, value, "%s is %s, expected a share from 0%% to 100%%", key->path, doc_quote(value, quote));
	new_list(to)->max_shrink = (uint8_t)percent;
	return 0;
}

static const struct doc_number refresh_number = {
	NUMBER_DURATION, 300, 365 * 86400, 4, "a duration from 5m to 365d, such as 6h or 1d",
};
static const struct doc_number age_number = { NUMBER_DURATION, 3600, 3650 * 86400, 4, "a duration from 1h to 3650d, such as 30d" };
static const struct doc_number entries_number = { NUMBER_PLAIN, 1, NAME_SET_MAX, 4, "a number from 1 to 2000000" };
_Static_assert(NAME_SET_MAX == 2000000, "the text above says so");

static const struct doc_key list_keys[] = {
	{ "name", "lists: name", read_list_name, 0, NULL },
	{ "file", "lists: file", read_list_file, 0, NULL },
	{ "format", "lists: format", read_list_format, offsetof(struct list_rule, format), &formats },
	{ "category", "lists: category", read_list_category, 0, NULL },
	{ "action", "lists: action", read_list_action, offsetof(struct list_rule, action), &detects },
	{ "url", "lists: url", read_list_url, 0, NULL },
	{ "refresh", "lists: refresh", read_list_number, offsetof(struct list_rule, refresh_s), &refresh_number },
	{ "max_age", "lists: max_age", read_list_number, offsetof(struct list_rule, max_age_s), &age_number },
	{ "min_entries", "lists: min_entries", read_list_number, offsetof(struct list_rule, min_entries), &entries_number },
	{ "max_shrink", "lists: max_shrink", read_list_shrink, 0, NULL },
	{ "public_key", "lists: public_key", read_list_key, 0, NULL },
	{ "signature", "lists: signature", read_list_signature, 0, NULL },
	{ "ca", "lists: ca", read_list_ca, 0, NULL },
};
static const struct doc_keys list_mapping = KEYS(list_keys, 0x1, "{name: starter, file: lists/starter.txt}");

/* How fresh a fetched list has to be. Published lists change about daily; a month without a word from the server means that the
 * list has moved or died. A list that lost half of its names at once was cut short or emptied, and was not mended. */
#define REFRESH_S 86400
#define MAX_AGE_S (30 * 86400)
#define MAX_SHRINK 50

/* The keys that only a fetched list has, and what they are if they are not there. */
static int complete_list(struct doc *doc, yaml_node_t *value, const struct policy *p, struct list_rule *list)
{
	bool fetched = list->refresh_s || list->min_entries || list->max_shrink != UINT8_MAX || list->public_key ||
		       list->signature || list->ca;
	char url[URL_MAX + 16];

	if (!list->url && !list->file)
		return doc_fail(doc, value, "list '%s' has neither file nor url, expected one of them", list->name);
	for (const struct list_rule *other = p->lists; other < list; other++)
		if (list->file && other->file && !strcmp(list->file, other->file) && (list->url || other->url))
			return doc_fail(doc, value, "list '%s' has the file of list '%s', expected one of its own", list->name,
					other->name);
	if (!list->file) {
		list->at.path = doc->file;
		list->at.line = value->start_mark.line;
		list->at.column = value->start_mark.column;
	}
	if (!list->url && fetched)
		return doc_fail(doc, value, "list '%s' has keys of a fetched list, expected a url, too", list->name);
	if (list->signature && !list->public_key)
		return doc_fail(doc, value, "list '%s' has a signature, expected a public_key, too", list->name);
	if (list->public_key && !list->signature) {
		snprintf(url, sizeof(url), "%s.minisig", list->url);
		list->signature = strdup(url);
		if (!list->signature)
			return schema_no_memory(doc);
	}
	list->refresh_s = list->refresh_s ? list->refresh_s : REFRESH_S;
	list->min_entries = list->min_entries ? list->min_entries : 1;
	list->max_shrink = list->max_shrink != UINT8_MAX ? list->max_shrink : MAX_SHRINK;
	if (list->url && !list->max_age_s)
		list->max_age_s = MAX_AGE_S;
	return 0;
}

static int item_list(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const struct doc_key entry = { "", "an entry of lists", NULL, 0, &list_mapping };

	(void)key;
	new_list(to)->max_shrink = UINT8_MAX;	/* not said: 0% has a meaning of its own */
	if (doc_read_mapping(doc, value, &entry, to) || complete_list(doc, value, to, new_list(to)))
		return -1;
	((struct policy *)to)->n_lists++;
	return 0;
}

/* ---- categories ---- */

/* `before`: those of files that were read before this one, which a drop-in may say otherwise. */
static int read_category(struct doc *doc, yaml_node_t *name, yaml_node_t *value, struct policy *p, size_t before)
{
	struct doc_key key = { "", "categories", doc_read_word, 0, &detects };
	struct category *category = &p->categories[p->n_categories];
	char *label = NULL;
	unsigned action;
	size_t i;

	if (name->type != YAML_SCALAR_NODE)
		return doc_fail(doc, name, "categories has a key that is no word, expected a mapping such as {pool: block}");
	if (p->n_categories == RULES_CATEGORIES_MAX)
		return doc_fail(doc, name, "categories has too many entries, expected at most %d", RULES_CATEGORIES_MAX);
	if (read_label(doc, name, &key, &label) || !label)
		return -1;
	strcpy(category->name, label);
	free(label);
	for (i = 0; i < p->n_categories && strcmp(p->categories[i].name, category->name); i++)
		;
	if (i >= before && i < p->n_categories)
		return doc_fail(doc, name, "repeated key '%s', expected it once", category->name);
	if (doc_read_word(doc, value, &key, &action))
		return -1;
	p->categories[i].action = action;
	p->n_categories += i == p->n_categories;
	return 0;
}

/* Any word is a category: which ones there are the lists say. */
static int read_categories(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	size_t before = ((struct policy *)to)->n_categories;
	char quote[DOC_QUOTE];

	if (value->type != YAML_MAPPING_NODE)
		return doc_fail(doc, value, "%s is %s, expected a mapping such as {pool: block, crypto-site: monitor}", key->path,
				value->type == YAML_SCALAR_NODE ? doc_quote(value, quote) : "a list");
	for (yaml_node_pair_t *pair = value->data.mapping.pairs.start; pair < value->data.mapping.pairs.top; pair++)
		if (read_category(doc, yaml_document_get_node(&doc->yaml, pair->key),
				  yaml_document_get_node(&doc->yaml, pair->value), to, before))
			return -1;
	return 0;
}

/* A list's own action, else its category's. Sites about coins are no miners: exchanges and wallets that people use. */
static void complete_actions(struct policy *p)
{
	for (size_t i = 0; i < p->n_lists; i++) {
		struct list_rule *list = &p->lists[i];
		const char *category = list->category ? list->category : "";

		if (list->has_action)
			continue;
		list->action = strcmp(category, "crypto-site") ? DETECT_BLOCK : DETECT_MONITOR;
		for (size_t k = 0; k < p->n_categories; k++)
			if (!strcmp(p->categories[k].name, category))
				list->action = p->categories[k].action;
	}
}

/* ---- the tables ---- */

/* libyaml's node count bounds a list anyway; these say it in words of the key. */
#define NAMES_MAX 32768

static const struct doc_list names = { NAMES_MAX, "a list of names, such as [pool.example]", item_name };
static const struct doc_list blocked = { ADDRESS_SET_MAX, "a list of addresses, such as [192.0.2.7]", item_blocked };
static const struct doc_list endpoints = { ADDRESS_SET_MAX, "a list of addresses, such as [192.0.2.7]", item_endpoint };
static const struct doc_list shared_ranges = { ADDRESS_SET_MAX, "a list of networks or files, such as [203.0.113.0/24]", item_shared };
static const struct doc_list networks = { ADDRESS_SET_MAX, "a list of addresses, such as [10.0.9.0/24]", item_network };
static const struct doc_list interface_list = {
	POLICY_INTERFACES_MAX, "a list of interfaces, such as [eth0]", item_interface,
};
static const struct doc_list offload_list = {
	POLICY_INTERFACES_MAX, "a list of interfaces, such as [eth0, eth1]", item_offload,
};
static const struct doc_list list_list = {
	RULES_LISTS_MAX, "a list of lists, such as [{name: starter, file: lists/starter.txt}]", item_list,
};

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
	{ "smb", "hygiene.smb", doc_read_word, AT(settings.hygiene[HYGIENE_SMB]), &detects },
	{ "netbios", "hygiene.netbios", doc_read_word, AT(settings.hygiene[HYGIENE_NETBIOS]), &detects },
	{ "rdp", "hygiene.rdp", doc_read_word, AT(settings.hygiene[HYGIENE_RDP]), &detects },
};
static const struct doc_key score_keys[] = {
	{ "report", "score.report", read_or_off, AT(settings.score_report), &points_number },
	{ "block", "score.block", read_or_off, AT(settings.score_block), &points_number },
};
static const struct doc_key interface_keys[] = {
	{ "out", "interfaces.out", doc_read_list, 0, &interface_list },
	{ "offload", "interfaces.offload", doc_read_list, 0, &offload_list },
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
	{ "names", "allow.names", doc_read_list, AT(allow_names), &names },
	{ "hosts", "allow.hosts", doc_read_list, AT(allow_hosts), &networks },
	{ "addresses", "allow.addresses", doc_read_list, AT(allow_addresses), &endpoints },
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
	{ "names", "block.names", doc_read_list, AT(block_names), &names },
	{ "addresses", "block.addresses", doc_read_list, AT(block_addresses), &blocked },
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
	{ "lists", "lists", doc_read_list, 0, &list_list },
	{ "categories", "categories", read_categories, 0, NULL },
	{ "allow", "allow", doc_read_mapping, 0, &allow },
	{ "shared", "shared", doc_read_list, AT(shared), &shared_ranges },
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
	complete_actions(p);
	if (!result)
		result = check_offload(&doc, root, &p->settings);
	if (!result)
		result = schema_resolve(&doc, p, rules_before);
out:
	doc_close(&doc);
	return result;
}
