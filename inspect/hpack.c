// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables and the decoder of RFC 7541. It knows no field by name and keeps nothing but the dynamic table. */
#include "inspect/hpack.h"

#include <string.h>

#define HPACK_STATIC_N 61
#define HPACK_CODE_BITS_MAX 30
#define HPACK_SYMBOLS 257	/* the last is EOS */

/* Appendix A. Its values are not needed: nobody names a host with them. */
static const char *const hpack_static[HPACK_STATIC_N] = {
	":authority", ":method", ":method", ":path", ":path", ":scheme", ":scheme", ":status", ":status", ":status",
	":status", ":status", ":status", ":status", "accept-charset", "accept-encoding", "accept-language", "accept-ranges",
	"accept", "access-control-allow-origin", "age", "allow", "authorization", "cache-control", "content-disposition",
	"content-encoding", "content-language", "content-length", "content-location", "content-range", "content-type",
	"cookie", "date", "etag", "expect", "expires", "from", "host", "if-match", "if-modified-since", "if-none-match",
	"if-range", "if-unmodified-since", "last-modified", "link", "location", "max-forwards", "proxy-authenticate",
	"proxy-authorization", "range", "referer", "refresh", "retry-after", "server", "set-cookie",
	"strict-transport-security", "transfer-encoding", "user-agent", "vary", "via", "www-authenticate",
};

/* Appendix B is a canonical code: how many symbols have each length, and all symbols in the order of their codes. */
static const uint8_t hpack_counts[HPACK_CODE_BITS_MAX + 1] = {
	0, 0, 0, 0, 0, 10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 4,
};

static const uint16_t hpack_symbols[HPACK_SYMBOLS] = {
	48, 49, 50, 97, 99, 101, 105, 111, 115, 116, 32, 37, 45, 46, 47, 51, 52, 53, 54, 55, 56, 57, 61, 65, 95, 98, 100,
	102, 103, 104, 108, 109, 110, 112, 114, 117, 58, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82,
	83, 84, 85, 86, 87, 89, 106, 107, 113, 118, 119, 120, 121, 122, 38, 42, 44, 59, 88, 90, 33, 34, 40, 41, 63, 39, 43,
	124, 35, 62, 0, 36, 64, 91, 93, 126, 94, 125, 60, 96, 123, 92, 195, 208, 128, 130, 131, 162, 184, 194, 224, 226, 153,
	161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164,
	169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232, 233, 1, 135, 137, 138, 139, 140, 141, 143, 147,
	149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9, 142, 144, 145,
	148, 159, 171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238,
	240, 242, 243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254, 2,
	3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249, 10, 13,
	22, 256,
};

void hpack_init(struct hpack *h)
{
	h->limit = HPACK_TABLE_MAX;
	h->size = h->end = 0;
	h->newest = h->n = 0;
}

static struct hpack_entry *hpack_entry(struct hpack *h, unsigned age)
{
	return &h->entries[(h->newest + HPACK_ENTRIES_MAX - age) % HPACK_ENTRIES_MAX];
}

static void hpack_evict(struct hpack *h, size_t limit)
{
	while (h->n && h->size > limit) {
		const struct hpack_entry *e = hpack_entry(h, --h->n);

		h->size -= HPACK_ENTRY_COST + e->name_len + e->value_len;
	}
	if (!h->n)
		h->end = 0;
}

/* Moves the strings that are left to the front. */
static void hpack_pack(struct hpack *h)
{
	size_t first = h->n ? hpack_entry(h, h->n - 1)->at : h->end;
	unsigned i;

	memmove(h->bytes, h->bytes + first, h->end - first);
	h->end -= first;
	for (i = 0; i < h->n; i++)
		hpack_entry(h, i)->at -= (uint16_t)first;
}

/* RFC 7541 4.4: what does not fit empties the table. The texts are the field's own, not views into `bytes`. */
static void hpack_insert(struct hpack *h, struct view name, struct view value, size_t size)
{
	if (size > h->limit) {
		hpack_evict(h, 0);
		return;
	}
	hpack_evict(h, h->limit - size);
	if (h->end + name.len + value.len > sizeof(h->bytes))
		hpack_pack(h);
	h->newest = (h->newest + 1) % HPACK_ENTRIES_MAX;
	h->n++;
	h->size += size;
	*hpack_entry(h, 0) = (struct hpack_entry){ (uint16_t)h->end, (uint16_t)name.len, (uint16_t)value.len };
	if (name.len)	/* empty ones may have no address, which memcpy does not take */
		memcpy(h->bytes + h->end, name.p, name.len);
	if (value.len)
		memcpy(h->bytes + h->end + name.len, value.p, value.len);
	h->end += name.len + value.len;
}

/* RFC 7541 5.1. Numbers beyond a block's size are nonsense. */
static size_t hpack_number(struct cursor *c, uint8_t first, unsigned bits)
{
	size_t mask = (1u << bits) - 1, n = first & mask;
	unsigned shift = 0;
	uint8_t b;

	if (n < mask)
		return n;
	do {
		b = cursor_u8(c);
		if (shift > 21)
			c->error = CURSOR_BAD;
		n += (size_t)(b & 0x7f) << shift;
		shift += 7;
	} while (b & 0x80 && !c->error);
	return n;
}

/* Appendix B. Returns the text's whole length, of which HPACK_TABLE_MAX bytes are kept; SIZE_MAX if it holds EOS. */
static size_t hpack_huffman(struct view v, uint8_t *to)
{
	uint32_t code = 0, first = 0;
	size_t made = 0, index = 0, i;
	unsigned bits = 0;

	for (i = 0; i < v.len * 8; i++) {
		code = code << 1 | (v.p[i / 8] >> (7 - i % 8) & 1);
		first <<= 1;
		bits++;
		if (code - first < hpack_counts[bits]) {
			uint16_t symbol = hpack_symbols[index + code - first];

			if (symbol == HPACK_SYMBOLS - 1)
				return SIZE_MAX;
			if (made < HPACK_TABLE_MAX)
				to[made] = (uint8_t)symbol;
			made++;
			code = first = bits = 0;
			index = 0;
			continue;
		}
		index += hpack_counts[bits];
		first += hpack_counts[bits];
	}
	return made;
}

/* RFC 7541 5.2. `*size` grows by the text's length, however much of it is kept in `to`. */
static struct view hpack_string(struct cursor *c, uint8_t *to, size_t *size)
{
	uint8_t first = cursor_u8(c);
	size_t n = hpack_number(c, first, 7);
	struct view v = cursor_take(c, n);

	if (c->error)
		return (struct view){ 0 };
	if (first & 0x80) {
		n = hpack_huffman(v, to);
		if (n == SIZE_MAX)
			c->error = CURSOR_BAD;
	} else if (v.len) {
		memcpy(to, v.p, n < HPACK_TABLE_MAX ? n : HPACK_TABLE_MAX);
	}
	*size += n;
	return (struct view){ to, n < HPACK_TABLE_MAX ? n : HPACK_TABLE_MAX };
}

/* The entry of an index from 1 on, RFC 7541 2.3.3. False: there is none. Values of the static table are left empty. */
static bool hpack_lookup(struct hpack *h, size_t index, struct hpack_field *out)
{
	const struct hpack_entry *e;

	*out = (struct hpack_field){ 0 };
	if (!index || index > HPACK_STATIC_N + h->n)
		return false;
	if (index <= HPACK_STATIC_N) {
		const char *name = hpack_static[index - 1];

		out->name = (struct view){ (const uint8_t *)name, strlen(name) };
		return true;
	}
	e = hpack_entry(h, (unsigned)(index - HPACK_STATIC_N - 1));
	out->name = (struct view){ h->bytes + e->at, e->name_len };
	out->value = (struct view){ h->bytes + e->at + e->name_len, e->value_len };
	return true;
}

/* RFC 7541 6.2: a literal, whose name may be an entry's. */
static enum inspect_result hpack_literal(struct hpack *h, struct cursor *c, size_t index, bool keep, struct hpack_field *out)
{
	size_t size = HPACK_ENTRY_COST;

	if (!index) {
		out->name = hpack_string(c, h->name, &size);
	} else if (hpack_lookup(h, index, out)) {
		/* the entry may be evicted by what it names */
		memcpy(h->name, out->name.p, out->name.len);
		out->name.p = h->name;
		size += out->name.len;
	} else {
		return INSPECT_BAD;
	}
	out->value = hpack_string(c, h->value, &size);
	if (c->error)
		return c->error == CURSOR_SHORT ? INSPECT_MORE : INSPECT_BAD;
	if (keep)
		hpack_insert(h, out->name, out->value, size);
	return INSPECT_MATCH;
}

enum inspect_result hpack_next(struct hpack *h, struct cursor *block, struct hpack_field *out)
{
	enum inspect_result r;

	*out = (struct hpack_field){ 0 };
	while (!block->error && cursor_left(block)) {
		uint8_t first = cursor_u8(block);

		if (block->error)
			break;
		if (first >= 0x80) {
			r = hpack_lookup(h, hpack_number(block, first, 7), out) ? INSPECT_MATCH : INSPECT_BAD;
			return block->error == CURSOR_SHORT ? INSPECT_MORE : block->error ? INSPECT_BAD : r;
		}
		if (first >= 0x40)
			return hpack_literal(h, block, hpack_number(block, first, 6), true, out);
		if (first < 0x20)
			return hpack_literal(h, block, hpack_number(block, first, 4), false, out);
		h->limit = hpack_number(block, first, 5);
		if (h->limit > HPACK_TABLE_MAX)
			return INSPECT_BAD;
		hpack_evict(h, h->limit);
	}
	return INSPECT_MORE;
}
