// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds the CHLO in a datagram of Google's QUIC and the server's name in it. The packet's checksum is left alone: a
 * hello that the server refuses costs its sender no more than being judged by it. */
#include "inspect/gquic.h"

#include <string.h>

#include "inspect/cursor.h"
#include "inspect/name.h"

#define FLAG_VERSION 0x01
#define FLAG_CID 0x08		/* the connection id has 8 bytes */
#define FLAG_LONG 0x80
#define HASH_LEN 12
#define FRAME_PING 7
#define FRAME_STREAM 0x80
#define TAGS_MAX 128

/* "Q0" and two digits; -1 if it is none. */
static int google_version(uint32_t v)
{
	unsigned tens = (v >> 8 & 0xff) - '0', ones = (v & 0xff) - '0';

	return v >> 16 == 0x5130 && tens < 10 && ones < 10 ? (int)(tens * 10 + ones) : -1;
}

static uint32_t u32(struct cursor *c)
{
	uint32_t high = cursor_u16(c);

	return high << 16 | cursor_u16(c);
}

/* Numbers of the handshake are little-endian. */
static uint32_t u32_little(struct cursor *c)
{
	uint32_t v = u32(c);

	return v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
}

/* Q024 to Q043: flags, connection id, version, packet number, hash. Before Q034 a byte of private flags. */
static int public_header(struct cursor *c, uint8_t flags)
{
	static const uint8_t number_len[] = { 1, 2, 4, 6 };
	int version;

	if ((flags & (FLAG_VERSION | FLAG_CID)) != (FLAG_VERSION | FLAG_CID))
		return -1;
	cursor_skip(c, 8);
	version = google_version(u32(c));
	cursor_skip(c, number_len[flags >> 4 & 3] + HASH_LEN);
	if (version < 34 && cursor_u8(c) & 2)
		cursor_skip(c, 1);	/* offset in a group of error correction */
	return version >= 24 && version <= 43 ? version : -1;
}

/* Q044 to Q046: the long form of an early IETF draft, with both lengths of connection ids in one byte. */
static int long_header(struct cursor *c, uint8_t flags)
{
	int version = google_version(u32(c));
	unsigned lengths = cursor_u8(c), dst = lengths >> 4, src = lengths & 15;

	cursor_skip(c, (dst ? dst + 3 : 0) + (src ? src + 3 : 0));
	cursor_skip(c, (flags & 3) + 1 + HASH_LEN);
	return version >= 44 && version <= 46 ? version : -1;
}

/* The bytes of the first STREAM frame. */
static struct view stream_frame(struct cursor *c, int version)
{
	struct view none = { 0 };
	uint8_t type = cursor_u8(c);
	unsigned offset;
	size_t len;

	while (!c->error && (type == 0 || type == FRAME_PING))
		type = cursor_u8(c);
	if (c->error || !(type & FRAME_STREAM))
		return none;
	offset = type >> 2 & 7;
	cursor_skip(c, (type & 3) + 1u + (offset ? offset + 1 : 0));
	len = cursor_left(c);
	if (type & 0x20) {
		len = cursor_u16(c);
		if (version < 39)
			len = (len >> 8 | len << 8) & 0xffff;
	}
	return cursor_take(c, len);
}

enum inspect_result gquic_hello(struct view message, struct facts *out)
{
	struct cursor c = cursor_make(message.p, message.len, message.len), values;
	struct view tag;
	uint32_t start = 0, end;
	unsigned n;	/* of 16 bits; more than TAGS_MAX nobody has */

	if (message.len && memcmp(message.p, "CHLO", message.len < 4 ? message.len : 4))
		return INSPECT_NO;
	cursor_skip(&c, 4);
	n = cursor_u8(&c);
	if (cursor_u8(&c) || n > TAGS_MAX)
		return INSPECT_BAD;
	cursor_skip(&c, 2);
	values = c;
	cursor_skip(&values, 8 * n);
	out->app = APP_QUIC;
	for (; n > 0 && !c.error; n--, start = end) {
		tag = cursor_take(&c, 4);
		end = u32_little(&c);
		if (!c.error && end < start)
			return INSPECT_BAD;
		if (c.error || memcmp(tag.p, "SNI", 4))
			continue;
		cursor_skip(&values, start);
		tag = cursor_take(&values, end - start);
		if (values.error)
			return INSPECT_MORE;
		name_add_host(out, NAME_QUIC_SNI, tag);
		return INSPECT_MATCH;
	}
	return c.error ? INSPECT_MORE : INSPECT_MATCH;
}

enum inspect_result gquic_datagram(struct view datagram, struct facts *out)
{
	struct cursor c = cursor_make(datagram.p, datagram.len, datagram.len);
	uint8_t flags = cursor_u8(&c);
	int version = flags & FLAG_LONG ? long_header(&c, flags) : public_header(&c, flags);
	struct view bytes;

	if (version < 0)
		return INSPECT_NO;
	bytes = stream_frame(&c, version);
	out->quic_version = 0x51303030u + ((uint32_t)version / 10 << 8) + (uint32_t)version % 10;
	return bytes.len && gquic_hello(bytes, out) == INSPECT_MATCH ? INSPECT_MATCH : INSPECT_MORE;
}
