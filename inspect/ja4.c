// SPDX-License-Identifier: GPL-2.0-or-later
/* JA4: what a ClientHello offers, in an order of its own so that clients that shuffle stay the same. Reads one whole hello,
 * keeps nothing, and looks at no name. */
#include "inspect/ja4.h"

#include <nettle/sha2.h>
#include <string.h>

#include "inspect/cursor.h"

#define LIST_MAX 256
#define EXT_SERVER_NAME 0
#define EXT_SIGNATURES 13
#define EXT_ALPN 16
#define EXT_VERSIONS 43

struct ja4_list {
	uint16_t items[LIST_MAX];
	unsigned n;
};

struct ja4_hello {
	uint16_t version;
	bool named;
	unsigned n_extensions;		/* with those that are not hashed */
	struct ja4_list suites, extensions;
	struct cursor signatures;
	struct view alpn;		/* the first one */
	bool too_many;
};

/* RFC 8701: 0x0a0a, 0x1a1a ... */
static bool is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

/* Keeps the list sorted. */
static void list_add(struct ja4_hello *h, struct ja4_list *list, uint16_t v)
{
	unsigned i = list->n;

	if (list->n == LIST_MAX) {
		h->too_many = true;
		return;
	}
	for (; i > 0 && list->items[i - 1] > v; i--)
		list->items[i] = list->items[i - 1];
	list->items[i] = v;
	list->n++;
}

static void read_versions(struct ja4_hello *h, struct cursor ext)
{
	struct cursor list = cursor_sub(&ext, cursor_u8(&ext));
	uint16_t best = 0;

	while (cursor_left(&list)) {
		uint16_t v = cursor_u16(&list);

		if (!is_grease(v) && v > best)
			best = v;
	}
	if (best)
		h->version = best;
}

static void read_alpn(struct ja4_hello *h, struct cursor ext)
{
	struct cursor list = cursor_sub(&ext, cursor_u16(&ext));

	h->alpn = cursor_take(&list, cursor_u8(&list));
}

static void read_extensions(struct ja4_hello *h, struct cursor *exts)
{
	while (cursor_left(exts)) {
		uint16_t type = cursor_u16(exts);
		struct cursor ext = cursor_sub(exts, cursor_u16(exts));

		if (exts->error || is_grease(type))
			continue;
		h->n_extensions++;
		if (type == EXT_SERVER_NAME)
			h->named = true;
		else if (type == EXT_ALPN)
			read_alpn(h, ext);
		if (type == EXT_VERSIONS)
			read_versions(h, ext);
		if (type == EXT_SIGNATURES)
			h->signatures = cursor_sub(&ext, cursor_u16(&ext));
		if (type != EXT_SERVER_NAME && type != EXT_ALPN)
			list_add(h, &h->extensions, type);
	}
}

static bool read_hello(struct ja4_hello *h, struct view hello)
{
	struct cursor c = cursor_make(hello.p, hello.len, hello.len), suites, exts;

	cursor_skip(&c, 4);
	h->version = cursor_u16(&c);
	cursor_skip(&c, 32);
	cursor_skip(&c, cursor_u8(&c));
	suites = cursor_sub(&c, cursor_u16(&c));
	while (cursor_left(&suites)) {
		uint16_t v = cursor_u16(&suites);

		if (!suites.error && !is_grease(v))
			list_add(h, &h->suites, v);
	}
	cursor_skip(&c, cursor_u8(&c));
	if (c.error)
		return false;
	if (!cursor_left(&c))
		return !h->too_many;	/* a hello of TLS 1.2 and before may have no extensions */
	exts = cursor_sub(&c, cursor_u16(&c));
	read_extensions(h, &exts);
	return !h->too_many && !exts.error && !c.error;
}

static char *put_char(char *out, char c)
{
	*out = c;
	return out + 1;
}

static char hex_digit(unsigned v)
{
	return "0123456789abcdef"[v & 15];
}

static char *put_count(char *out, unsigned n)
{
	n = n > 99 ? 99 : n;
	out = put_char(out, (char)('0' + n / 10));
	return put_char(out, (char)('0' + n % 10));
}

static char *put_version(char *out, uint16_t v)
{
	static const struct {
		uint16_t version;
		char text[3];
	} words[] = { { 0x0304, "13" }, { 0x0303, "12" }, { 0x0302, "11" }, { 0x0301, "10" }, { 0x0300, "s3" }, { 0x0002, "s2" } };
	const char *text = "00";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].version == v)
			text = words[i].text;
	memcpy(out, text, 2);
	return out + 2;
}

static bool is_alnum(uint8_t b)
{
	return (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z');
}

/* Its first and last character, or, where one is odd, those of its bytes in hex. */
static char *put_alpn(char *out, struct view alpn)
{
	uint8_t first, last;

	if (!alpn.len) {
		memcpy(out, "00", 2);
		return out + 2;
	}
	first = alpn.p[0];
	last = alpn.p[alpn.len - 1];
	if (is_alnum(first) && is_alnum(last)) {
		out = put_char(out, (char)first);
		return put_char(out, (char)last);
	}
	out = put_char(out, hex_digit(first >> 4));
	return put_char(out, hex_digit(last));
}

/* One value of a list that is hashed, `before` between it and the one before. */
static void hash_value(struct sha256_ctx *sha, char before, uint16_t v)
{
	uint8_t text[5] = { (uint8_t)before, (uint8_t)hex_digit(v >> 12), (uint8_t)hex_digit(v >> 8), (uint8_t)hex_digit(v >> 4),
			    (uint8_t)hex_digit(v) };

	sha256_update(sha, before ? 5 : 4, before ? text : text + 1);
}

static void hash_list(struct sha256_ctx *sha, const struct ja4_list *list)
{
	for (unsigned i = 0; i < list->n; i++)
		hash_value(sha, i ? ',' : '\0', list->items[i]);
}

static void hash_signatures(struct sha256_ctx *sha, struct cursor list)
{
	char before = '_';

	while (cursor_left(&list)) {
		uint16_t v = cursor_u16(&list);

		if (list.error || is_grease(v))
			continue;
		hash_value(sha, before, v);
		before = ',';
	}
}

/* The first 12 digits of the hash; of nothing, zeros. */
static char *put_hash(char *out, struct sha256_ctx *sha, bool empty)
{
	uint8_t digest[6] = { 0 };

	if (!empty)
		sha256_digest(sha, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		out = put_char(out, hex_digit(digest[i] >> 4));
		out = put_char(out, hex_digit(digest[i]));
	}
	return out;
}

size_t ja4_text(char out[JA4_TEXT], struct view hello, bool quic)
{
	struct ja4_hello h;
	struct sha256_ctx sha;
	char *p = out;

	*out = '\0';
	memset(&h, 0, sizeof(h));
	if (!hello.len || !read_hello(&h, hello))
		return 0;
	p = put_char(p, quic ? 'q' : 't');
	p = put_version(p, h.version);
	p = put_char(p, h.named ? 'd' : 'i');
	p = put_count(p, h.suites.n);
	p = put_count(p, h.n_extensions);
	p = put_char(put_alpn(p, h.alpn), '_');
	sha256_init(&sha);
	hash_list(&sha, &h.suites);
	p = put_char(put_hash(p, &sha, h.suites.n == 0), '_');
	sha256_init(&sha);
	hash_list(&sha, &h.extensions);
	hash_signatures(&sha, h.signatures);
	p = put_hash(p, &sha, h.extensions.n == 0);
	*p = '\0';
	return (size_t)(p - out);
}
