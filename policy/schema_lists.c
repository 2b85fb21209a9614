/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys `lists` and `categories`, and what of a list is so if the policy does not say it. No list is opened here. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/doc.h"
#include "policy/rules.h"
#include "policy/schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS(array, needs, sample) { .keys = array, .n = COUNT(array), .required = needs, .example = sample }

static const char *const format_names[LIST_FORMATS] = {
	[LIST_PLAIN] = "plain", [LIST_HOSTS] = "hosts", [LIST_ADBLOCK] = "adblock", [LIST_DNSMASQ] = "dnsmasq",
	[LIST_UNBOUND] = "unbound", [LIST_RPZ] = "rpz", [LIST_IPSET] = "ipset", [LIST_NFTABLES] = "nftables", [LIST_P2P] = "p2p",
	[LIST_SURICATA] = "suricata", [LIST_WILDCARD] = "wildcard",
};
static const struct doc_words formats = { format_names, COUNT(format_names) };

const char *schema_format(enum list_format format)
{
	return (size_t)format < COUNT(format_names) && format_names[format] ? format_names[format] : "auto";
}

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
	{ "action", "lists: action", read_list_action, offsetof(struct list_rule, action), &schema_detects },
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
	struct doc_key key = { "", "categories", doc_read_word, 0, &schema_detects };
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
int schema_read_categories(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
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
void schema_complete_actions(struct policy *p)
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

const struct doc_list schema_lists = {
	RULES_LISTS_MAX, "a list of lists, such as [{name: starter, file: lists/starter.txt}]", item_list,
};
