/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in the policy's lists of names, addresses and interfaces: one reader for each kind of entry. Opens no file but those
 * of shared ranges that the policy names. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/doc.h"
#include "policy/file.h"
#include "policy/rules.h"
#include "policy/schema.h"

#define AT(field) offsetof(struct policy, field)

/* A file of shared ranges: far more than any operator publishes. */
#define SHARED_FILE_MAX (1u << 20)

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

/* libyaml's node count bounds a list anyway; these say it in words of the key. */
#define NAMES_MAX 32768

const struct doc_list schema_names = { NAMES_MAX, "a list of names, such as [pool.example]", item_name };
const struct doc_list schema_blocked = { ADDRESS_SET_MAX, "a list of addresses, such as [192.0.2.7]", item_blocked };
const struct doc_list schema_endpoints = { ADDRESS_SET_MAX, "a list of addresses, such as [192.0.2.7]", item_endpoint };
const struct doc_list schema_shared = { ADDRESS_SET_MAX, "a list of networks or files, such as [203.0.113.0/24]", item_shared };
const struct doc_list schema_networks = { ADDRESS_SET_MAX, "a list of addresses, such as [10.0.9.0/24]", item_network };
const struct doc_list schema_interfaces = {
	POLICY_INTERFACES_MAX, "a list of interfaces, such as [eth0]", item_interface,
};
const struct doc_list schema_offload = {
	POLICY_INTERFACES_MAX, "a list of interfaces, such as [eth0, eth1]", item_offload,
};
