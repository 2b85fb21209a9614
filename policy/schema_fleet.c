/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of `fleet` as a table. It reads the policy's own text; whether a broker answers or a key file can be read shows when
 * that is tried. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/fleet.h"
#include "policy/rules.h"
#include "policy/schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT(field) offsetof(struct policy, fleet.field)

enum { PORT_TLS = 8883, PORT_PLAIN = 1883 };

static bool is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, host, &four) == 1)
		return (ntohl(four.s_addr) >> 24) == 127;
	return (inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six)) || !strcmp(host, "localhost");
}

/* The host between the slashes and the port, brackets aside. False: none that one could ask for. */
static bool split_host(const char *text, struct fleet_policy *f)
{
	const char *end = *text == '[' ? strchr(text, ']') : text + strcspn(text, ":");
	size_t len = end ? (size_t)(end - text) : 0;
	unsigned long port;
	char *rest;

	if (*text == '[' && len) {
		text++;
		len--;
		end++;
	}
	if (!len || len >= sizeof(f->host))
		return false;
	memcpy(f->host, text, len);
	f->host[len] = '\0';
	if (strspn(f->host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:-_") != len)
		return false;
	f->port = f->tls ? PORT_TLS : PORT_PLAIN;
	if (!*end)
		return true;
	port = *end == ':' && end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, &rest, 10) : 0;
	f->port = (uint16_t)port;
	return port && port <= UINT16_MAX && !*rest;
}

static int read_broker(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct fleet_policy *f = &((struct policy *)to)->fleet;
	const char *text = (const char *)value->data.scalar.value;
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, FLEET_HOST_MAX + 16, "a URL"))
		return -1;
	f->tls = !strncmp(text, "mqtts://", 8);
	if ((!f->tls && strncmp(text, "mqtt://", 7)) || !split_host(text + (f->tls ? 8 : 7), f))
		return doc_fail(doc, value, "%s is %s, expected one such as mqtts://broker.example:8883", key->path, doc_quote(value, quote));
	if (!f->tls && !is_loopback(f->host))
		return doc_fail(doc, value, "%s is %s, which anybody on the way can read and change, expected mqtts:// (mqtt:// is for this machine "
				"alone)", key->path, doc_quote(value, quote));
	return 0;
}

static int read_path(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	return schema_resolve_path(doc, value, key, (char *)to + key->offset, FLEET_PATH_MAX);
}

static int read_name(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, FLEET_NAME_MAX - 1, "a name"))
		return -1;
	if (!fleet_name_good((const char *)value->data.scalar.value))
		return doc_fail(doc, value, "%s is %s, expected letters, digits, '.', '_' and '-'", key->path, doc_quote(value, quote));
	strcpy((char *)to + key->offset, (const char *)value->data.scalar.value);
	return 0;
}

static const char *const role_names[] = { [FLEET_BOTH] = "both", [FLEET_TEACH] = "teach", [FLEET_LEARN] = "learn" };
static const struct doc_words roles = { role_names, COUNT(role_names) };
static const struct doc_number confirm_number = { NUMBER_PLAIN, 1, 16, 4, "a number from 1 to 16" };
static const struct doc_number rate_number = { NUMBER_PLAIN, 1, 100000, 4, "a number from 1 to 100000" };
static const struct doc_number hints_number = { NUMBER_PLAIN, 100, 1000000, 4, "a number from 100 to 1000000" };

static const struct doc_key fleet_keys[] = {
	{ "broker", "fleet.broker", read_broker, 0, NULL },
	{ "site", "fleet.site", read_name, AT(site), NULL },
	{ "keys", "fleet.keys", read_path, AT(keys), NULL },
	{ "ca", "fleet.ca", read_path, AT(ca), NULL },
	{ "certificate", "fleet.certificate", read_path, AT(certificate), NULL },
	{ "key", "fleet.key", read_path, AT(key), NULL },
	{ "gateway", "fleet.gateway", read_name, AT(gateway), NULL },
	{ "role", "fleet.role", doc_read_word, AT(role), &roles },
	{ "confirm", "fleet.confirm", doc_read_number, AT(confirm), &confirm_number },
	{ "rate", "fleet.rate", doc_read_number, AT(rate), &rate_number },
	{ "hints", "fleet.hints", doc_read_number, AT(hints), &hints_number },
};
static const struct doc_keys fleet_mapping = {
	.keys = fleet_keys, .n = COUNT(fleet_keys), .required = 7,
	.example = "{broker: mqtts://broker.example:8883, site: home, keys: fleet.keys}",
};

int schema_read_fleet(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct fleet_policy *f = &((struct policy *)to)->fleet;
	struct doc_key as = *key;

	as.arg = &fleet_mapping;
	if (doc_read_mapping(doc, value, &as, to))
		return -1;
	if (f->tls && (!*f->ca || !*f->certificate || !*f->key))
		return doc_fail(doc, value, "fleet has an mqtts:// broker without %s, expected ca, certificate and key",
				!*f->ca ? "ca" : !*f->certificate ? "certificate" : "key");
	return 0;
}
