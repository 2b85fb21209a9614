/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Topics and payloads come from whoever the broker lets in, so each has one spelling and everything else is malformed. */
#include "daemon/hint.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <netinet/in.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST "minewall"
/* base64 of so many bytes, without the NUL. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
/* A level of a topic, with its NUL: an IPv6 address is shorter than a name may be. */
#define LEVEL_MAX FLEET_NAME_MAX

/* Takes the next level. False: there is none, or it is too long. */
static bool take_level(const char **at, char level[LEVEL_MAX])
{
	size_t n = strcspn(*at, "/");

	if (!n || n >= LEVEL_MAX)
		return false;
	memcpy(level, *at, n);
	level[n] = '\0';
	*at += n + ((*at)[n] == '/');
	return true;
}

static bool read_port(const char *text, uint16_t *port)
{
	size_t n = strspn(text, "0123456789");
	unsigned long value = n && n <= 5 && *text != '0' ? strtoul(text, NULL, 10) : 0;

	*port = (uint16_t)value;
	return !text[n] && value && value <= UINT16_MAX;
}

static void address_text(char to[INET6_ADDRSTRLEN], const struct hint_endpoint *at)
{
	if (at->family == 4)
		inet_ntop(AF_INET, at->addr + 12, to, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, at->addr, to, INET6_ADDRSTRLEN);
}

/* One spelling for each address: that of inet_ntop. */
static bool read_address(const char *text, struct hint_endpoint *at)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	char again[INET6_ADDRSTRLEN];

	at->family = strchr(text, ':') ? 6 : 4;
	if (at->family == 4)
		memcpy(at->addr, mapped, sizeof(mapped));
	if (inet_pton(at->family == 4 ? AF_INET : AF_INET6, text, at->family == 4 ? at->addr + 12 : at->addr) != 1)
		return false;
	if (at->family == 6 && !memcmp(at->addr, mapped, sizeof(mapped)))
		return false;
	address_text(again, at);
	return !strcmp(text, again);
}

static bool read_endpoint(const char *topic, struct hint_endpoint *at)
{
	char proto[LEVEL_MAX], address[LEVEL_MAX], port[LEVEL_MAX];

	memset(at, 0, sizeof(*at));
	if (!take_level(&topic, proto) || !take_level(&topic, address) || !take_level(&topic, port) || *topic)
		return false;
	at->proto = !strcmp(proto, "tcp") ? IPPROTO_TCP : !strcmp(proto, "udp") ? IPPROTO_UDP : 0;
	return at->proto && read_address(address, at) && read_port(port, &at->port);
}

enum hint_topic hint_read_topic(const char *topic, const char *site, char gateway[FLEET_NAME_MAX], struct hint_endpoint *at)
{
	char level[LEVEL_MAX];
	size_t len = strlen(topic);

	/* a slash at the end is one more level, that is empty */
	if (!len || len >= HINT_TOPIC_MAX || topic[len - 1] == '/')
		return HINT_TOPIC_OTHER;
	if (!take_level(&topic, level) || strcmp(level, FIRST) || !take_level(&topic, level) || strcmp(level, site) ||
	    !take_level(&topic, gateway) || !fleet_name_good(gateway) || !take_level(&topic, level))
		return HINT_TOPIC_OTHER;
	if (!strcmp(level, "status"))
		return *topic ? HINT_TOPIC_OTHER : HINT_TOPIC_STATUS;
	return !strcmp(level, "endpoint") && read_endpoint(topic, at) ? HINT_TOPIC_ENDPOINT : HINT_TOPIC_OTHER;
}

static bool decode(const char *text, size_t text_len, uint8_t *to, size_t len)
{
	struct base64_decode_ctx ctx;
	uint8_t room[BASE64_DECODE_LENGTH(BASE64_LEN(HINT_SIGNATURE_BYTES))];
	size_t got = sizeof(room);

	if (text_len != BASE64_LEN(len))
		return false;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &got, room, text_len, text) || !base64_decode_final(&ctx) || got != len)
		return false;
	memcpy(to, room, len);
	return true;
}

static bool dialect_good(const char *text)
{
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-");

	return n && n < HINT_DIALECT_MAX && !text[n];
}

enum hint_payload hint_read_payload(const char *bytes, size_t len, struct hint *h)
{
	json_t *j = len && len <= HINT_PAYLOAD_MAX ? json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *evidence, *dialect, *signature;
	enum hint_payload is = HINT_PAYLOAD_MALFORMED;
	json_int_t version, issued, expires;

	if (!j || json_unpack(j, "{s:I, s:s, s:s, s:I, s:I, s:s !}", "v", &version, "evidence", &evidence, "dialect", &dialect, "issued",
			      &issued, "expires", &expires, "sig", &signature))
		goto out;
	if (version != 1 || issued <= 0 || expires <= issued || !dialect_good(dialect) ||
	    !decode(signature, strlen(signature), h->signature, sizeof(h->signature)))
		goto out;
	snprintf(h->dialect, sizeof(h->dialect), "%s", dialect);
	h->issued = issued;
	h->expires = expires;
	is = strcmp(evidence, "protocol") ? HINT_PAYLOAD_EVIDENCE : HINT_PAYLOAD_GOOD;
out:
	json_decref(j);
	return is;
}

static const char *proto_text(uint8_t proto)
{
	return proto == IPPROTO_UDP ? "udp" : "tcp";
}

size_t hint_write_topic(char to[HINT_TOPIC_MAX], const char *site, const char *gateway, const struct hint_endpoint *at)
{
	char address[INET6_ADDRSTRLEN];

	address_text(address, at);
	return (size_t)snprintf(to, HINT_TOPIC_MAX, FIRST "/%s/%s/endpoint/%s/%s/%u", site, gateway, proto_text(at->proto), address, at->port);
}

size_t hint_write_payload(char to[HINT_PAYLOAD_MAX], const struct hint *h)
{
	char signature[BASE64_LEN(HINT_SIGNATURE_BYTES) + 1];

	base64_encode_raw(signature, sizeof(h->signature), h->signature);
	signature[sizeof(signature) - 1] = '\0';
	return (size_t)snprintf(to, HINT_PAYLOAD_MAX,
				"{\"v\":1,\"evidence\":\"protocol\",\"dialect\":\"%s\",\"issued\":%" PRId64 ",\"expires\":%" PRId64 ",\"sig\":\"%s\"}",
				h->dialect, h->issued, h->expires, signature);
}

size_t hint_text(char to[HINT_TEXT_MAX], const char *site, const char *gateway, const struct hint *h)
{
	char address[INET6_ADDRSTRLEN];

	address_text(address, &h->at);
	return (size_t)snprintf(to, HINT_TEXT_MAX, "minewall-fleet-1\n%s\n%s\n%s\n%s\n%u\nprotocol\n%s\n%" PRId64 "\n%" PRId64 "\n", site, gateway,
				proto_text(h->at.proto), address, h->at.port, h->dialect, h->issued, h->expires);
}

const char *hint_endpoint_text(char to[HINT_ENDPOINT_TEXT], const struct hint_endpoint *at)
{
	char address[INET6_ADDRSTRLEN];

	address_text(address, at);
	snprintf(to, HINT_ENDPOINT_TEXT, at->family == 6 ? "%s [%s]:%u" : "%s %s:%u", proto_text(at->proto), address, at->port);
	return to;
}

void hint_dialect(char to[HINT_DIALECT_MAX], const char *name)
{
	snprintf(to, HINT_DIALECT_MAX, "%s", *name ? name : "other");
	for (char *c = to; *c; c++)
		if (!dialect_good((const char[]) { *c, '\0' }))
			*c = '_';
}

/* A network whose addresses are not one machine's everywhere: IPv4 as it is, IPv6 by its first bits. */
static const struct {
	uint8_t family, prefix;
	uint8_t bytes[6];
} reserved[] = {
	{ 4, 8, { 0 } }, { 4, 8, { 10 } }, { 4, 10, { 100, 64 } }, { 4, 8, { 127 } }, { 4, 16, { 169, 254 } }, { 4, 12, { 172, 16 } },
	{ 4, 16, { 192, 168 } }, { 4, 3, { 224 } },
	{ 6, 7, { 0xfc } }, { 6, 9, { 0xfe, 0x80 } }, { 6, 8, { 0xff } }, { 6, 48, { 0, 0x64, 0xff, 0x9b, 0, 1 } },
};

static bool begins(const uint8_t *address, const uint8_t *network, unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;

	return !memcmp(address, network, whole) && (!rest || (address[whole] ^ network[whole]) >> (8 - rest) == 0);
}

bool hint_in_network(const struct hint_endpoint *at, const uint8_t network[16], unsigned prefix)
{
	return begins(at->addr, network, prefix);
}

bool hint_reserved(const struct hint_endpoint *at)
{
	static const uint8_t one[16] = { [15] = 1 }, none[16];

	if (!memcmp(at->addr, one, sizeof(one)) || !memcmp(at->addr, none, sizeof(none)))
		return true;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (reserved[i].family == at->family && begins(at->addr + (at->family == 4 ? 12 : 0), reserved[i].bytes, reserved[i].prefix))
			return true;
	return false;
}

/* Bytes up to the next blank. */
static size_t word_len(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && !strchr(" \t\r", *p))
		p++;
	return (size_t)(p - start);
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r", *p))
		p++;
	return p;
}

enum hint_key_line hint_read_key(const char *line, size_t len, char gateway[FLEET_NAME_MAX], uint8_t key[HINT_KEY_BYTES])
{
	const char *end = memchr(line, '#', len), *p;
	size_t n;

	end = end ? end : line + len;
	if (memchr(line, '\0', (size_t)(end - line)))
		return HINT_KEY_WRONG;
	p = skip_blanks(line, end);
	if (p == end)
		return HINT_KEY_NONE;
	n = word_len(p, end);
	if (n >= FLEET_NAME_MAX)
		return HINT_KEY_WRONG;
	memcpy(gateway, p, n);
	gateway[n] = '\0';
	p = skip_blanks(p + n, end);
	n = word_len(p, end);
	if (!fleet_name_good(gateway) || !decode(p, n, key, HINT_KEY_BYTES))
		return HINT_KEY_WRONG;
	p = skip_blanks(p + n, end);
	if (p == end)
		return HINT_KEY_GOOD;
	n = word_len(p, end);
	return n == 7 && !memcmp(p, "revoked", 7) && skip_blanks(p + n, end) == end ? HINT_KEY_REVOKED : HINT_KEY_WRONG;
}

void hint_key_text(char to[HINT_KEY_TEXT], const uint8_t key[HINT_KEY_BYTES])
{
	base64_encode_raw(to, HINT_KEY_BYTES, key);
	to[HINT_KEY_TEXT - 1] = '\0';
}
