// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the ClientHello. Tolerant of the record layer as OpenSSL's server is (PROTOCOLS 7.2), since an
 * evader may cut the hello in any way that the server still accepts; never looks behind the hello. */
#include "inspect/tls.h"

#include <string.h>

#include "inspect/cursor.h"
#include "inspect/name.h"

#define RECORD_CCS 0x14
#define RECORD_ALERT 0x15
#define RECORD_HANDSHAKE 0x16
#define RECORD_DATA 0x17
#define RECORD_HEADER 5
#define RECORD_LEN_MAX 16384		/* RFC 8446 5.1 */
#define RECORD_EXPANSION_MAX 2048	/* of a protected record, RFC 5246 6.2.3 */
#define HANDSHAKE_CLIENT_HELLO 1
#define HANDSHAKE_HEADER 4
#define EXT_SERVER_NAME 0
#define EXT_ALPN 16
#define EXT_SUPPORTED_VERSIONS 43
#define EXT_ECH 0xfe0d

/* The handshake bytes that have arrived, with their header, and where they end in the stream. */
struct tls_hello {
	struct view got;
	bool joined;		/* they stand in the scratch */
	size_t need;		/* header included; 0: not known yet */
	size_t consumed;
};

__attribute__((noinline)) static bool tls_several_names(struct cursor ext, enum name_kind kind, struct facts *out)
{
	struct cursor list = cursor_sub(&ext, cursor_u16(&ext));

	while (cursor_left(&list)) {
		uint8_t type = cursor_u8(&list);
		struct view name = cursor_take(&list, cursor_u16(&list));

		if (!list.error && type == 0)
			name_add_host(out, kind, name);
	}
	return list.error;
}

/* Not a part of the walk, whose state else would leave the registers for it; so is the next one. True: it is broken. */
__attribute__((noinline)) static bool tls_server_names(const uint8_t *p, size_t len, size_t there, enum name_kind kind, struct facts *out)
{
	struct cursor ext = cursor_make(p, len, there), one = ext;
	size_t list = cursor_u16(&one), type = cursor_u8(&one), name = cursor_u16(&one);

	if (one.error || type || list + 2 != there || name + 5 != there || there != len)
		return tls_several_names(ext, kind, out);
	name_add_host(out, kind, (struct view){ p + 5, name });
	return false;
}

/* GREASE values (0x?A?A, RFC 8701) fall out because their major is neither TLS's nor that of the 1.3 drafts. */
__attribute__((noinline)) static void tls_versions(const uint8_t *p, size_t len, size_t there, struct facts *out)
{
	struct cursor ext = cursor_make(p, len, there), list = cursor_sub(&ext, cursor_u8(&ext));
	uint16_t best = 0;

	while (cursor_left(&list)) {
		uint16_t v = cursor_u16(&list);

		if (v >> 8 == 0x7f)
			v = 0x0304;
		if (v >> 8 == 3 && v > best)
			best = v;
	}
	if (best)
		out->tls_version = best;
}

/* Most extensions tell nothing here, and are stepped over at once. */
static bool tls_tells(unsigned type)
{
	const uint64_t low = UINT64_C(1) << EXT_SERVER_NAME | UINT64_C(1) << EXT_ALPN | UINT64_C(1) << EXT_SUPPORTED_VERSIONS;

	return type < 64 ? low >> type & 1 : type == EXT_ECH;
}

/* True: they are broken, or not all there. */
static inline bool tls_extensions(struct cursor_frames exts, enum name_kind kind, struct facts *out)
{
	size_t len, there;
	const uint8_t *p;
	unsigned type;

	while (cursor_frame(&exts, &type, &p, &len, &there)) {
		if (!tls_tells(type))
			continue;
		if (type == EXT_SUPPORTED_VERSIONS)
			tls_versions(p, len, there, out);
		else if (type == EXT_ALPN)
			out->tls_alpn = true;
		else if (type == EXT_ECH)
			out->tls_ech = true;
		else if (tls_server_names(p, len, there, kind, out))
			return true;
	}
	return exts.broken;
}

/* `c`: the body of the hello, which may have arrived in part. True: it is broken, or not all there. Where the compiler knows that it has
 * arrived, half of the comparisons fall out. */
__attribute__((always_inline)) static inline bool tls_body(struct cursor c, enum name_kind kind, struct facts *out)
{
	struct cursor exts;

	out->tls_version = cursor_u16(&c);
	cursor_skip(&c, 32);
	cursor_skip(&c, cursor_u8(&c));
	cursor_skip(&c, cursor_u16(&c));
	cursor_skip(&c, cursor_u8(&c));
	if (c.error || !cursor_left(&c))
		return c.error;	/* TLS 1.2 and before may have no extensions at all */
	exts = cursor_sub(&c, cursor_u16(&c));
	return c.error || tls_extensions(cursor_frames(&exts), kind, out) || cursor_left(&c);
}

/* Appends a fragment; the first one is used in place, and copied only when a second one follows. */
static bool tls_join(struct tls_hello *h, struct view frag, struct inspect_scratch *s)
{
	if (!frag.len)
		return true;
	if (!h->got.len) {
		h->got = frag;
		return true;
	}
	if (frag.len + (h->joined ? 0 : h->got.len) > sizeof(s->bytes) - s->used)
		return false;
	if (!h->joined) {
		memcpy(s->bytes + s->used, h->got.p, h->got.len);
		h->got.p = s->bytes + s->used;
		s->used += h->got.len;
		h->joined = true;
	}
	memcpy(s->bytes + s->used, frag.p, frag.len);
	s->used += frag.len;
	h->got.len += frag.len;
	return true;
}

/* Types that only a session which is already running begins with. */
static bool tls_session_type(const struct inspect_input *in, uint8_t type)
{
	return in->side != SIDE_CLIENT && type >= RECORD_CCS && type <= RECORD_DATA;
}

/* A record that cannot carry the client's hello. Only the middle of a session is still of use. */
static enum inspect_result tls_midstream(const struct inspect_input *in, uint8_t type, uint16_t len, struct facts *out)
{
	bool plausible = (type == RECORD_CCS && len == 1) ||
			 (type == RECORD_ALERT && len >= 2 && len <= RECORD_LEN_MAX + RECORD_EXPANSION_MAX) ||
			 (type == RECORD_DATA && len && len <= RECORD_LEN_MAX + RECORD_EXPANSION_MAX) ||
			 (type == RECORD_HANDSHAKE && len && len <= RECORD_LEN_MAX + RECORD_EXPANSION_MAX);

	if (in->side == SIDE_CLIENT || !plausible)
		return INSPECT_NO;
	out->app = APP_TLS;
	return INSPECT_MATCH;
}

/* Learns the hello's length as soon as its header is there. */
static enum inspect_result tls_header(struct view got, size_t *need)
{
	struct cursor c = cursor_make(got.p, got.len, got.len);
	uint8_t type = cursor_u8(&c);
	uint32_t len = cursor_u24(&c);

	if (got.len && type != HANDSHAKE_CLIENT_HELLO)
		return INSPECT_NO;
	if (c.error)
		return INSPECT_MORE;
	if (len > INSPECT_BYTES_MAX - HANDSHAKE_HEADER)
		return INSPECT_BAD;
	*need = len + HANDSHAKE_HEADER;
	return got.len < *need ? INSPECT_MORE : INSPECT_MATCH;
}

static enum inspect_result tls_whole(struct view hello, enum name_kind kind, struct facts *out)
{
	size_t len = hello.len - HANDSHAKE_HEADER;

	if (tls_body(cursor_make(hello.p + HANDSHAKE_HEADER, len, len), kind, out) && !out->n_names)
		return INSPECT_BAD;
	out->tls_hello = hello;
	return INSPECT_MATCH;
}

/* Reads the hello, or as much of it as there is. */
__attribute__((noinline)) static enum inspect_result tls_facts(struct view got, size_t need, enum name_kind kind, struct facts *out)
{
	if (got.len >= need)
		return tls_whole((struct view){ got.p, need }, kind, out);
	tls_body(cursor_make(got.p + HANDSHAKE_HEADER, need - HANDSHAKE_HEADER, got.len - HANDSHAKE_HEADER), kind, out);
	return out->n_names ? INSPECT_MATCH : INSPECT_BAD;
}

enum inspect_result tls_handshake(struct view got, enum name_kind kind, struct facts *out)
{
	size_t need = 0;
	enum inspect_result r = tls_header(got, &need);

	return r == INSPECT_MATCH ? tls_facts(got, need, kind, out) : r;
}

/* One record. MATCH: the hello is whole; MORE with a cursor at its end: go on with the next record. */
static enum inspect_result tls_record(const struct inspect_input *in, struct cursor *c, struct tls_hello *h,
				      struct facts *out)
{
	bool first = !h->got.len;
	enum inspect_result broken = first ? INSPECT_NO : INSPECT_BAD, r;
	uint8_t type = cursor_u8(c), major = cursor_u8(c);
	struct cursor frag;
	uint16_t len;

	if (!c->error && major != 3)
		return broken;
	cursor_skip(c, 1);
	len = cursor_u16(c);
	if (c->error)
		return type == RECORD_HANDSHAKE || (first && tls_session_type(in, type)) ? INSPECT_MORE : broken;
	if (type != RECORD_HANDSHAKE || len > RECORD_LEN_MAX)
		return first ? tls_midstream(in, type, len, out) : broken;
	frag = cursor_make(c->base + c->pos, len, c->have - c->pos);
	if (!tls_join(h, cursor_take(&frag, frag.have), in->scratch))
		return INSPECT_BAD;
	r = tls_header(h->got, &h->need);
	if (r == INSPECT_NO && first)
		return tls_midstream(in, type, len, out);
	h->consumed = c->pos + len;
	cursor_skip(c, len);
	return r;
}

static enum inspect_result tls_collect(const struct inspect_input *in, struct tls_hello *h, struct facts *out)
{
	struct cursor c = cursor_make(in->p, in->len, in->len);
	enum inspect_result r = INSPECT_MORE;

	c.len = SIZE_MAX;	/* the stream's end is not known: a read over what is there is short, not bad */
	while (r == INSPECT_MORE && !c.error && c.pos < c.have)
		r = tls_record(in, &c, h, out);
	if (h->consumed > in->len)
		h->consumed = in->len;
	return r;
}

/* The usual case: one record, that is there and holds a whole hello. Returns the hello's length with its header; else 0. */
static size_t tls_one_record(const struct inspect_input *in)
{
	struct cursor c = cursor_make(in->p, in->len, in->len);
	uint32_t begin = cursor_u24(&c), len = cursor_u16(&c), head = cursor_u32(&c), need = (head & 0xffffff) + HANDSHAKE_HEADER;

	return begin >> 8 == (RECORD_HANDSHAKE << 8 | 3) && head >> 24 == HANDSHAKE_CLIENT_HELLO && need <= len &&
	       len <= RECORD_LEN_MAX && len + RECORD_HEADER <= in->len ? need : 0;
}

/* SSLv2's hello (RFC 5246 E.2) has no extensions. Its three lengths must add up to the record's. */
static enum inspect_result tls_sslv2(const struct inspect_input *in, struct facts *out)
{
	struct cursor c = cursor_make(in->p, in->len, in->len);
	unsigned len = cursor_u16(&c) & 0x7fff, type = cursor_u8(&c), version = cursor_u16(&c);
	unsigned suites = cursor_u16(&c), session = cursor_u16(&c), challenge = cursor_u16(&c);

	if ((in->len > 2 && type != 1) || (in->len > 4 && version != 2 && version >> 8 != 3))
		return INSPECT_NO;
	if (c.error)
		return in->ended ? INSPECT_NO : INSPECT_MORE;
	if (len != 9 + suites + session + challenge || !suites || suites % 3 || challenge < 16 || challenge > 32)
		return INSPECT_NO;
	if (in->len < len + 2u && !in->ended)
		return INSPECT_MORE;
	out->app = APP_TLS;
	out->tls_version = (uint16_t)version;
	out->consumed = in->len < len + 2u ? in->len : len + 2u;
	return INSPECT_MATCH;
}

static enum inspect_result tls_records(const struct inspect_input *in, struct facts *out)
{
	struct tls_hello h = { 0 };
	enum inspect_result r = tls_collect(in, &h, out);

	if (r == INSPECT_NO || r == INSPECT_BAD || out->app == APP_TLS)
		return r;
	if (r == INSPECT_MORE && (!in->ended || !h.got.len))
		return in->ended ? INSPECT_NO : r;
	if (in->side == SIDE_SERVER)
		return INSPECT_NO;
	if (!h.need)
		return INSPECT_BAD;
	out->app = APP_TLS;
	out->consumed = h.consumed;
	return tls_facts(h.got, h.need, NAME_TLS_SNI, out);
}

/* All that is not the usual case. */
__attribute__((noinline)) static enum inspect_result tls_odd(const struct inspect_input *in, struct facts *out)
{
	if (in->len && in->p[0] & 0x80)
		return in->side == SIDE_SERVER ? INSPECT_NO : tls_sslv2(in, out);
	return tls_records(in, out);
}

enum inspect_result tls_inspect(const struct inspect_input *in, struct facts *out)
{
	size_t need = in->side != SIDE_SERVER ? tls_one_record(in) : 0;

	if (!need)
		return tls_odd(in, out);
	out->app = APP_TLS;
	out->consumed = RECORD_HEADER + (size_t)(in->p[3] << 8 | in->p[4]);
	return tls_whole((struct view){ in->p + RECORD_HEADER, need }, NAME_TLS_SNI, out);
}
