/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One hint of the fleet on the wire: an endpoint in a topic, its proof in the payload, and the text that is signed. Pure: bytes to a
 * value and back. The format is in contrib/fleet/README.md. */
#ifndef MINEWALL_HINT_H
#define MINEWALL_HINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/fleet.h"

#define HINT_KEY_BYTES 32
#define HINT_SIGNATURE_BYTES 64
#define HINT_PAYLOAD_MAX 512
#define HINT_TOPIC_MAX 256
#define HINT_TEXT_MAX 512
/* With its NUL. */
#define HINT_DIALECT_MAX 32

/* IPv4 v4-mapped; port in host order. Without padding, as it is hashed and compared whole. */
struct hint_endpoint {
	uint8_t addr[16];
	uint8_t family, proto;
	uint16_t port;
};

struct hint {
	struct hint_endpoint at;
	char dialect[HINT_DIALECT_MAX];
	int64_t issued, expires;	/* seconds of the epoch */
	uint8_t signature[HINT_SIGNATURE_BYTES];
};

enum hint_topic { HINT_TOPIC_OTHER, HINT_TOPIC_ENDPOINT, HINT_TOPIC_STATUS };

/* Reads "minewall/SITE/GATEWAY/..." of this site. OTHER: nothing that we know, or not written as we write it. */
enum hint_topic hint_read_topic(const char *topic, const char *site, char gateway[FLEET_NAME_MAX], struct hint_endpoint *at);

enum hint_payload { HINT_PAYLOAD_GOOD, HINT_PAYLOAD_MALFORMED, HINT_PAYLOAD_EVIDENCE };

/* Reads a payload into all of `h` but its endpoint. EVIDENCE: of another kind than the protocol's. */
enum hint_payload hint_read_payload(const char *bytes, size_t len, struct hint *h);

/* Writers; their length. */
size_t hint_write_topic(char to[HINT_TOPIC_MAX], const char *site, const char *gateway, const struct hint_endpoint *at);
size_t hint_write_payload(char to[HINT_PAYLOAD_MAX], const struct hint *h);

/* What is signed. */
size_t hint_text(char to[HINT_TEXT_MAX], const char *site, const char *gateway, const struct hint *h);

/* "tcp 192.0.2.7:3333", "udp [2001:db8::7]:443" */
#define HINT_ENDPOINT_TEXT 64
const char *hint_endpoint_text(char to[HINT_ENDPOINT_TEXT], const struct hint_endpoint *at);

/* A dialect as others take it: bytes that have no place in it become '_'; "other" for none. */
void hint_dialect(char to[HINT_DIALECT_MAX], const char *name);

/* Is it in this network? IPv4 v4-mapped, prefix + 96. */
bool hint_in_network(const struct hint_endpoint *at, const uint8_t network[16], unsigned prefix);

/* Nobody shares these: private (RFC 1918, 3927, 4193, 4291, 6598, 8215), this host's, of groups, or none at all. */
bool hint_reserved(const struct hint_endpoint *at);

/* A line of the key file: "GATEWAY BASE64 [revoked]". */
enum hint_key_line { HINT_KEY_NONE, HINT_KEY_GOOD, HINT_KEY_REVOKED, HINT_KEY_WRONG };
enum hint_key_line hint_read_key(const char *line, size_t len, char gateway[FLEET_NAME_MAX], uint8_t key[HINT_KEY_BYTES]);

/* base64 of a key, as in such a line. */
#define HINT_KEY_TEXT 45
void hint_key_text(char to[HINT_KEY_TEXT], const uint8_t key[HINT_KEY_BYTES]);

#endif
