// SPDX-License-Identifier: GPL-2.0-or-later
/* Takes QUIC's Initial packets apart. Every length is checked by the cursor and every packet by its tag, so that what comes
 * out is what a server would read; it keeps no state of connections. */
#include "inspect/quic.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>

#define TAG_LEN 16
#define SAMPLE_LEN 16
#define SAMPLE_AT 4		/* behind the start of the packet number, however long that is: RFC 9001 5.4.2 */
#define LONG_FORM 0x80
#define FIXED_BIT 0x40		/* set, unless the client greases it: RFC 9287 */
/* A first datagram is filled up to this length: RFC 9000 14.1. A first connection id has 8 bytes at least: 7.2. */
#define FIRST_LEN_MIN 1200
#define FIRST_CID_MIN 8

enum { TYPE_INITIAL, TYPE_0RTT, TYPE_HANDSHAKE, TYPE_RETRY };

enum { FRAME_PADDING, FRAME_PING, FRAME_ACK, FRAME_ACK_ECN, FRAME_CRYPTO = 6, FRAME_GOOGLE_CRYPTO = 8, FRAME_CLOSE = 0x1c };

/* A range of versions that have their keys in common. `labels` stands before " key" and the like: version 2 has its own. */
struct quic_version {
	uint32_t first, last;
	const char *labels;
	uint8_t initial;	/* bits of the packet's type: the four of version 2 are turned by one */
	uint8_t salt[20];
};

/* RFC 9001 5.2, RFC 9369 3.3.1 and draft-ietf-quic-tls of the number; Google's and Facebook's as they are in use. */
static const struct quic_version versions[] = {
	{ 0x00000001, 0x00000001, "quic", 0, { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
					       0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a } },
	{ 0x6b3343cf, 0x6b3343cf, "quicv2", 1, { 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
						 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 } },
	{ 0xff000021, 0xff000022, "quic", 0, { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
					       0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a } },
	{ 0xff00001d, 0xff000020, "quic", 0, { 0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
					       0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99 } },
	{ 0xff000017, 0xff00001c, "quic", 0, { 0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
					       0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02 } },
	{ 0xff000016, 0xff000016, "quic", 0, { 0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a,
					       0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a } },
	{ 0xfaceb001, 0xfaceb001, "quic", 0, { 0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a,
					       0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a } },
	{ 0xfaceb002, 0xfaceb00e, "quic", 0, { 0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
					       0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02 } },
	{ 0x51303530, 0x51303530, "quic", 0, { 0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94,
					       0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45 } },
	{ 0x54303530, 0x54303530, "quic", 0, { 0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80,
					       0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10 } },
	{ 0x54303531, 0x54303531, "quic", 0, { 0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50,
					       0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d } },
};

static const struct quic_version *version_of(uint32_t version)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (version >= versions[i].first && version <= versions[i].last)
			return &versions[i];
	return NULL;
}

bool quic_is_google(uint32_t version)
{
	return version >> 16 == 0x5130;		/* "Q0" */
}

/* A number of 1, 2, 4 or 8 bytes (RFC 9000 16). */
static uint64_t varint(struct cursor *c)
{
	uint64_t first = cursor_u8(c), v = first & 0x3f;

	for (int more = (1 << (first >> 6)) - 1; more > 0; more--)
		v = v << 8 | cursor_u8(c);
	return v;
}

/* A length: never more than what is left. */
static size_t varint_len(struct cursor *c)
{
	uint64_t v = varint(c);

	if (!c->error && v > cursor_left(c))
		c->error = CURSOR_BAD;
	return c->error ? 0 : (size_t)v;
}

/* Bytes of a version that is not known: QUIC (RFC 8999), or something else that begins alike? What a first packet must be
 * tells. */
static enum quic_kind unknown_version(const struct cursor *c, uint8_t first, uint32_t version, size_t cid_len)
{
	bool greased = (version & 0x0f0f0f0f) == 0x0a0a0a0a, draft = version >> 8 == 0xff0000;

	if (c->error)
		return QUIC_BROKEN;
	if (greased || draft)
		return QUIC_UNREADABLE;
	return first & FIXED_BIT && c->len >= FIRST_LEN_MIN && cid_len >= FIRST_CID_MIN ? QUIC_UNREADABLE : QUIC_BROKEN;
}

static enum quic_kind long_packet(struct cursor *c, struct quic_packet *out)
{
	size_t start = c->pos, length;
	uint8_t first = cursor_u8(c);
	uint32_t version = (uint32_t)cursor_u16(c) << 16;
	const struct quic_version *v;
	unsigned type;

	version |= cursor_u16(c);
	v = version_of(version);
	out->version = version;
	out->cid = cursor_take(c, cursor_u8(c));
	cursor_skip(c, cursor_u8(c));
	if (!v)
		return unknown_version(c, first, version, out->cid.len);
	type = ((first >> 4) - v->initial) & 3;
	if (!c->error && type == TYPE_RETRY)
		return QUIC_UNREADABLE;
	if (type == TYPE_INITIAL)
		cursor_skip(c, varint_len(c));		/* token */
	length = varint_len(c);
	out->number_at = c->pos - start;
	cursor_skip(c, length);
	if (c->error || out->cid.len > QUIC_CID_MAX)
		return QUIC_BROKEN;
	out->all = (struct view){ c->base + start, c->pos - start };
	return type == TYPE_INITIAL ? QUIC_INITIAL : QUIC_OTHER;
}

enum quic_kind quic_next(struct cursor *datagram, struct quic_packet *out)
{
	bool begins = datagram->pos == 0;
	int first;

	if (!begins)
		cursor_skip_run(datagram, 0);
	first = cursor_peek(datagram);
	if (first < 0)
		return begins ? QUIC_BROKEN : QUIC_END;
	if (first & LONG_FORM)
		return long_packet(datagram, out);
	if (!begins)
		return QUIC_END;
	return first & FIXED_BIT ? QUIC_SHORT : QUIC_BROKEN;
}

/* HKDF-Expand-Label of TLS 1.3 without a context (RFC 8446 7.1); the label is "quic key" and the like. */
static void expand(const uint8_t secret[32], const char *group, const char *what, uint8_t *out, size_t len)
{
	uint8_t info[40] = { 0, (uint8_t)len };
	struct hmac_sha256_ctx hmac;
	size_t n = 3;

	memcpy(info + n, "tls13 ", 6);
	n += 6;
	memcpy(info + n, group, strlen(group));
	n += strlen(group);
	memcpy(info + n, what, strlen(what));
	n += strlen(what);
	info[2] = (uint8_t)(n - 3);
	info[n++] = 0;
	info[n++] = 1;		/* HKDF-Expand's first block, which is all (RFC 5869 2.3) */
	hmac_sha256_set_key(&hmac, 32, secret);
	hmac_sha256_update(&hmac, n, info);
	hmac_sha256_digest(&hmac, len, out);
}

bool quic_keys_of(struct quic_keys *keys, uint32_t version, struct view cid)
{
	const struct quic_version *v = version_of(version);
	struct hmac_sha256_ctx hmac;
	uint8_t initial[32], client[32], key[16];

	if (keys->version == version && keys->cid_len == cid.len && !memcmp(keys->cid, cid.p, cid.len))
		return false;
	keys->version = version;
	keys->cid_len = (uint8_t)cid.len;
	memcpy(keys->cid, cid.p, cid.len);
	hmac_sha256_set_key(&hmac, sizeof(v->salt), v->salt);
	hmac_sha256_update(&hmac, cid.len, cid.p);
	hmac_sha256_digest(&hmac, sizeof(initial), initial);
	expand(initial, "client in", "", client, sizeof(client));
	expand(client, v->labels, " hp", key, sizeof(key));
	aes128_set_encrypt_key(&keys->mask, key);
	expand(client, v->labels, " key", key, sizeof(key));
	gcm_aes128_set_key(&keys->seal, key);
	expand(client, v->labels, " iv", keys->iv, sizeof(keys->iv));
	return true;
}

/* The number nearest to the expected one that ends in these bits: RFC 9000 A.3. */
static uint64_t whole_number(uint32_t cut, unsigned bits, uint64_t expected)
{
	uint64_t window = 1ull << bits, half = window / 2, n = (expected & ~(window - 1)) | cut;

	if (n + half <= expected && n < (1ull << 62) - window)
		return n + window;
	return n > expected + half && n >= window ? n - window : n;
}

/* Decrypts behind the header, which is in clear at `head`. */
static bool unseal(struct quic_keys *keys, uint64_t number, struct view head, struct view sealed, uint8_t *out)
{
	uint8_t nonce[12], tag[TAG_LEN];
	size_t len = sealed.len - TAG_LEN;

	memcpy(nonce, keys->iv, sizeof(nonce));
	for (int i = 0; i < 8; i++)
		nonce[4 + i] ^= (uint8_t)(number >> (56 - 8 * i));
	gcm_aes128_set_iv(&keys->seal, sizeof(nonce), nonce);
	gcm_aes128_update(&keys->seal, head.len, head.p);
	gcm_aes128_decrypt(&keys->seal, len, out, sealed.p);
	gcm_aes128_digest(&keys->seal, TAG_LEN, tag);
	return memeql_sec(tag, sealed.p + len, TAG_LEN);
}

bool quic_open(struct quic_keys *keys, const struct quic_packet *packet, uint64_t *number, uint8_t *room, size_t size,
	       struct view *frames)
{
	const struct view all = packet->all;
	uint8_t mask[SAMPLE_LEN];
	struct view head, sealed;
	uint64_t n;
	uint32_t cut = 0;
	size_t len;

	if (all.len > size || all.len < packet->number_at + SAMPLE_AT + SAMPLE_LEN)
		return false;
	aes128_encrypt(&keys->mask, SAMPLE_LEN, mask, all.p + packet->number_at + SAMPLE_AT);
	memcpy(room, all.p, packet->number_at + SAMPLE_AT);
	room[0] ^= mask[0] & 0x0f;
	len = (room[0] & 3) + 1u;
	for (size_t i = 0; i < len; i++) {
		room[packet->number_at + i] ^= mask[1 + i];
		cut = cut << 8 | room[packet->number_at + i];
	}
	head = (struct view){ room, packet->number_at + len };
	sealed = (struct view){ all.p + head.len, all.len - head.len };
	n = whole_number(cut, (unsigned)len * 8, *number);
	/* A decoy with a far number may have led the expectation astray: the server did not see it. */
	if (!unseal(keys, n, head, sealed, room + head.len) &&
	    (n == cut || !unseal(keys, n = cut, head, sealed, room + head.len)))
		return false;
	if (n >= *number)
		*number = n + 1;
	*frames = (struct view){ room + head.len, sealed.len - TAG_LEN };
	return true;
}

static void skip_ack(struct cursor *c, bool ecn)
{
	uint64_t ranges;

	varint(c);	/* largest */
	varint(c);	/* delay */
	ranges = varint(c);
	varint(c);	/* first range */
	for (; ranges > 0 && !c->error; ranges--) {
		varint(c);
		varint(c);
	}
	for (int i = 0; ecn && i < 3; i++)
		varint(c);
}

/* Why the client gives up; nothing of use follows, but the frame must be whole. */
static void skip_close(struct cursor *c)
{
	varint(c);	/* error */
	varint(c);	/* frame */
	cursor_skip(c, varint_len(c));
}

bool quic_crypto(struct cursor *frames, struct quic_piece *out)
{
	while (cursor_left(frames)) {
		uint64_t type = varint(frames);

		switch (type) {
		case FRAME_PADDING:
			cursor_skip_run(frames, 0);
			break;
		case FRAME_PING:
			break;
		case FRAME_ACK:
		case FRAME_ACK_ECN:
			skip_ack(frames, type == FRAME_ACK_ECN);
			break;
		case FRAME_CLOSE:
			skip_close(frames);
			break;
		case FRAME_CRYPTO:
		case FRAME_GOOGLE_CRYPTO:	/* no Initial of other versions may hold this number */
			out->offset = varint(frames);
			out->bytes = cursor_take(frames, varint_len(frames));
			return !frames->error;
		default:
			frames->error = CURSOR_BAD;
		}
	}
	return false;
}

static void put_hex(char *out, uint32_t v)
{
	static const char hex[] = "0123456789abcdef";
	int shift = 28;

	while (shift > 0 && !(v >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*out++ = hex[v >> shift & 15];
	*out = '\0';
}

void quic_version_text(char out[QUIC_VERSION_TEXT], uint32_t version)
{
	uint8_t low = (uint8_t)version;

	if (version == 0x6b3343cf) {
		memcpy(out, "2", 2);
	} else if (version >> 16 == 0x5130 || version >> 16 == 0x5430) {	/* "Q0", "T0" and two digits */
		for (int i = 0; i < 4; i++)
			out[i] = (char)(version >> (24 - 8 * i));
		out[4] = '\0';
	} else if (version >> 8 == 0xff0000 && low >= 10 && low < 100) {
		memcpy(out, "draft-", 6);
		out[6] = (char)('0' + low / 10);
		out[7] = (char)('0' + low % 10);
		out[8] = '\0';
	} else {
		put_hex(out, version);
	}
}
