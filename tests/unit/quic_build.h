/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes QUIC Initial packets as a client would, for the unit tests, the fuzzer and the live tests. The keys are worked out here
 * anew (by nettle's own HKDF), so that reader and writer cannot share a mistake. */
#ifndef MINEWALL_TESTS_QUIC_BUILD_H
#define MINEWALL_TESTS_QUIC_BUILD_H

#include <nettle/aes.h>
#include <nettle/gcm.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define QUIC_V1 0x00000001u
#define QUIC_V2 0x6b3343cfu
#define QUIC_DRAFT(n) (0xff000000u + (n))

struct quic_made {
	uint32_t version;
	uint8_t dcid[255], dcid_len, scid_len;
	const uint8_t *key_id;		/* where the keys follow from another id than `dcid`; NULL: they do not */
	uint8_t key_id_len;
	uint32_t number;
	uint8_t number_len;		/* 0: 4 */
	uint16_t token_len;
	uint8_t type;			/* 0: Initial; 1: 0-RTT, 2: Handshake, 3: Retry */
	bool greased;			/* QUIC bit 0 */
};

static inline void quic_made_hash(const uint8_t *key, size_t key_len, const void *text, size_t len, uint8_t out[32])
{
	struct hmac_sha256_ctx h;

	hmac_sha256_set_key(&h, key_len, key);
	hmac_sha256_update(&h, len, text);
	hmac_sha256_digest(&h, 32, out);
}

static inline void quic_made_label(const uint8_t secret[32], const char *label, uint8_t *out, size_t len)
{
	struct hmac_sha256_ctx h;
	uint8_t info[64] = { 0, (uint8_t)len, (uint8_t)(6 + strlen(label)), 't', 'l', 's', '1', '3', ' ' };

	memcpy(info + 9, label, strlen(label));
	hmac_sha256_set_key(&h, 32, secret);
	hkdf_expand(&h, (void (*)(void *, size_t, const uint8_t *))hmac_sha256_update,
		    (void (*)(void *, size_t, uint8_t *))hmac_sha256_digest, 32, 10 + strlen(label), info, len, out);
}

static inline const char *quic_made_salt(uint32_t version)
{
	if (version == QUIC_V2)
		return "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
	if (version >= QUIC_DRAFT(29) && version <= QUIC_DRAFT(32))
		return "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99";
	if (version >= QUIC_DRAFT(23) && version <= QUIC_DRAFT(28))
		return "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02";
	return "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
}

static inline void quic_made_keys(const struct quic_made *q, uint8_t key[16], uint8_t iv[12], uint8_t hp[16])
{
	bool two = q->version == QUIC_V2;
	uint8_t initial[32], client[32];

	quic_made_hash((const uint8_t *)quic_made_salt(q->version), 20, q->key_id ? q->key_id : q->dcid,
		       q->key_id ? q->key_id_len : q->dcid_len, initial);
	quic_made_label(initial, "client in", client, 32);
	quic_made_label(client, two ? "quicv2 key" : "quic key", key, 16);
	quic_made_label(client, two ? "quicv2 iv" : "quic iv", iv, 12);
	quic_made_label(client, two ? "quicv2 hp" : "quic hp", hp, 16);
}

/* The header up to the packet number, with a length of two bytes for `sealed` bytes behind it. */
static inline size_t quic_made_header(const struct quic_made *q, uint8_t *out, size_t sealed, unsigned number_len)
{
	unsigned type = (q->type + (q->version == QUIC_V2)) & 3;
	size_t n = 0;

	out[n++] = (uint8_t)((q->greased ? 0x80 : 0xc0) | type << 4 | (number_len - 1));
	for (int shift = 24; shift >= 0; shift -= 8)
		out[n++] = (uint8_t)(q->version >> shift);
	out[n++] = q->dcid_len;
	memcpy(out + n, q->dcid, q->dcid_len);
	n += q->dcid_len;
	out[n++] = q->scid_len;
	memset(out + n, 0x5c, q->scid_len);
	n += q->scid_len;
	if (q->type == 0 && q->token_len > 63)
		out[n++] = (uint8_t)(0x40 | q->token_len >> 8);
	if (q->type == 0)
		out[n++] = (uint8_t)q->token_len;
	memset(out + n, 0x70, q->type == 0 ? q->token_len : 0);
	n += q->type == 0 ? q->token_len : 0;
	out[n++] = (uint8_t)(0x40 | (number_len + sealed) >> 8);
	out[n++] = (uint8_t)(number_len + sealed);
	return n;
}

/* One packet around these frames, filled up with PADDING until it has at least `min` bytes; at `out`, which must be large enough
 * (frames and `min` below 16,000). Returns its length. */
static inline size_t quic_make(const struct quic_made *q, const void *frames, size_t len, size_t min, uint8_t *out)
{
	unsigned number_len = q->number_len ? q->number_len : 4;
	uint8_t key[16], iv[12], hp[16], mask[16], plain[16384];
	size_t head = quic_made_header(q, out, 0, number_len) + number_len, at = head - number_len;
	struct gcm_aes128_ctx gcm;
	struct aes128_ctx aes;

	memcpy(plain, frames, len);
	while (len < 4 || head + len + 16 < min)
		plain[len++] = 0;
	quic_made_header(q, out, len + 16, number_len);
	quic_made_keys(q, key, iv, hp);
	for (unsigned i = 0; i < number_len; i++)
		out[at + i] = (uint8_t)(q->number >> 8 * (number_len - 1 - i));
	for (int i = 0; i < 4; i++)
		iv[8 + i] ^= (uint8_t)(q->number >> (24 - 8 * i));
	gcm_aes128_set_key(&gcm, key);
	gcm_aes128_set_iv(&gcm, 12, iv);
	gcm_aes128_update(&gcm, head, out);
	gcm_aes128_encrypt(&gcm, len, out + head, plain);
	gcm_aes128_digest(&gcm, 16, out + head + len);
	aes128_set_encrypt_key(&aes, hp);
	aes128_encrypt(&aes, 16, mask, out + at + 4);
	out[0] ^= mask[0] & 0x0f;
	for (unsigned i = 0; i < number_len; i++)
		out[at + i] ^= mask[1 + i];
	return head + len + 16;
}

/* A CRYPTO frame at `out`: its length is what is returned. */
static inline size_t quic_made_crypto(uint8_t *out, uint32_t offset, const uint8_t *bytes, size_t len)
{
	out[0] = 6;
	out[1] = (uint8_t)(0x80 | offset >> 24);
	out[2] = (uint8_t)(offset >> 16);
	out[3] = (uint8_t)(offset >> 8);
	out[4] = (uint8_t)offset;
	out[5] = (uint8_t)(0x40 | len >> 8);
	out[6] = (uint8_t)len;
	memcpy(out + 7, bytes, len);
	return 7 + len;
}

/* A ClientHello of TLS 1.3 with ALPN "h3" that asks for `name` (NULL: for none), its extensions made larger by `pad` bytes that
 * stand before the name. Returns its length. */
static inline size_t quic_made_hello(uint8_t *out, const char *name, size_t pad)
{
	static const uint8_t rest[] = { 0, 43, 0, 3, 2, 3, 4, 0, 16, 0, 5, 0, 3, 2, 'h', '3', 0, 13, 0, 4, 0, 2, 4, 3 };
	size_t host = name ? strlen(name) : 0, sni = name ? 9 + host : 0;
	size_t ext = 4 + pad + sni + sizeof(rest), body = 2 + 32 + 1 + 4 + 2 + 2 + ext;
	uint8_t *p = out;

	*p++ = 1;
	*p++ = 0;
	*p++ = (uint8_t)(body >> 8);
	*p++ = (uint8_t)body;
	*p++ = 3;
	*p++ = 3;
	for (int i = 0; i < 32; i++)
		*p++ = (uint8_t)(i * 7 + pad);
	memcpy(p, "\0\0\x02\x13\x01\x01\0", 7);
	p += 7;
	*p++ = (uint8_t)(ext >> 8);
	*p++ = (uint8_t)ext;
	*p++ = 0;
	*p++ = 21;		/* padding, RFC 7685 */
	*p++ = (uint8_t)(pad >> 8);
	*p++ = (uint8_t)pad;
	memset(p, 0, pad);
	p += pad;
	if (name) {
		uint8_t head[] = { 0, 0, 0, (uint8_t)(host + 5), 0, (uint8_t)(host + 3), 0, 0, (uint8_t)host };

		memcpy(p, head, 9);
		memcpy(p + 9, name, host);
		p += 9 + host;
	}
	memcpy(p, rest, sizeof(rest));
	return (size_t)(p - out) + sizeof(rest);
}

#endif
