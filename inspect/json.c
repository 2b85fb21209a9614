// SPDX-License-Identifier: GPL-2.0-or-later
/* The JSON pull scanner. It looks at each byte once; strings are crossed many bytes at a time, so padding is cheap. */
#include "inspect/json.h"

#include <endian.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct json json_make(const uint8_t *p, const uint8_t *end)
{
	return (struct json){ .p = p, .end = end, .want = JSON_WANT_VALUE };
}

static bool json_typed(const struct json *j)
{
	return j->depth <= JSON_DEPTH_TYPED;
}

/* A value may stand here; afterwards a comma is due. */
static bool json_value(struct json *j)
{
	if (!json_typed(j))
		return true;
	if (j->want != JSON_WANT_VALUE)
		return false;
	j->want = JSON_WANT_COMMA;
	return true;
}

static enum json_event json_open(struct json *j, uint8_t c)
{
	uint64_t bit;

	if (!json_value(j))
		return JSON_BAD;
	j->p++;
	if (j->depth < JSON_DEPTH_TYPED) {
		bit = 1ULL << j->depth;
		j->objects = c == '{' ? j->objects | bit : j->objects & ~bit;
		j->want = c == '{' ? JSON_WANT_KEY : JSON_WANT_VALUE;
	}
	j->depth++;
	j->object = c == '{' && json_typed(j);
	return c == '{' ? JSON_OBJECT : JSON_ARRAY;
}

/* Behind a value: takes the comma that mostly follows, so that it costs no turn of its own. */
static void json_behind(struct json *j)
{
	if (j->p < j->end && *j->p == ',' && j->depth && json_typed(j)) {
		j->p++;
		j->want = j->object ? JSON_WANT_KEY : JSON_WANT_VALUE;
	}
}

static enum json_event json_close(struct json *j, uint8_t c)
{
	if (!j->depth || (json_typed(j) && (c == '}') != j->object))
		return JSON_BAD;
	if (j->object && (j->want == JSON_WANT_COLON || j->want == JSON_WANT_VALUE))
		return JSON_BAD;
	j->p++;
	j->depth--;
	j->object = j->depth && json_typed(j) && j->objects >> (j->depth - 1) & 1;
	j->want = JSON_WANT_COMMA;
	json_behind(j);
	return JSON_CLOSE;
}

#define EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Sets the top bit of the first byte that is zero; bytes before it have none set. */
static uint64_t json_zero(uint64_t word)
{
	return (word - EVERY(1)) & ~word & EVERY(0x80);
}

/* The first quote, backslash or NUL, many bytes at a time; `end` if there is none. */
static const uint8_t *json_special(const uint8_t *p, const uint8_t *end)
{
	uint64_t word, found;

#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		int hits = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')), _mm_cmpeq_epi8(v, _mm_setzero_si128()))));

		if (hits)
			return p + __builtin_ctz((unsigned)hits);
	}
#endif
	for (; end - p >= 8; p += 8) {
		memcpy(&word, p, sizeof(word));
		word = le64toh(word);
		found = json_zero(word ^ EVERY('"')) | json_zero(word ^ EVERY('\\')) | json_zero(word);
		if (found)
			return p + (__builtin_ctzll(found) >> 3);
	}
	while (p < end && *p != '"' && *p != '\\' && *p)
		p++;
	return p;
}

/* The closing quote is the first one behind an even number of backslashes; `q`: nothing special stands before it. Rare, and so
 * not a part of json_next. */
__attribute__((noinline)) static const uint8_t *json_quote(const uint8_t *start, const uint8_t *q, const uint8_t *end)
{
	const uint8_t *b;

	while (q < end && (q = memchr(q, '"', (size_t)(end - q)))) {
		for (b = q; b > start && b[-1] == '\\'; b--)
			;
		if ((q - b) % 2 == 0)
			return q;
		q++;
	}
	return NULL;
}

static enum json_event json_string(struct json *j)
{
	const uint8_t *start = j->p + 1, *q = json_special(start, j->end);
	bool key = j->want == JSON_WANT_KEY && j->object;

	j->plain = q < j->end && *q == '"';
	if (!j->plain)
		q = json_quote(start, q, j->end);

	if (key)
		j->want = JSON_WANT_COLON;
	else if (!json_value(j))
		return JSON_BAD;
	if (!q)
		return JSON_SHORT;
	j->text = (struct view){ start, (size_t)(q - start) };
	j->p = q + 1;
	if (!key) {
		json_behind(j);
		return JSON_STRING;
	}
	if (j->p < j->end && *j->p == ':') {
		j->p++;
		j->want = JSON_WANT_VALUE;
	}
	return JSON_KEY;
}

/* What a byte outside of strings is. */
enum json_class { CLASS_OTHER, CLASS_WORD, CLASS_BLANK, CLASS_COMMA, CLASS_COLON, CLASS_OPEN, CLASS_CLOSE, CLASS_SLASH };

static const uint8_t json_classes[256] = {
	['a' ... 'z'] = CLASS_WORD, ['A' ... 'Z'] = CLASS_WORD, ['0' ... '9'] = CLASS_WORD, ['-'] = CLASS_WORD, ['+'] = CLASS_WORD,
	['.'] = CLASS_WORD, [' '] = CLASS_BLANK, ['\t'] = CLASS_BLANK, ['\r'] = CLASS_BLANK, ['\n'] = CLASS_BLANK, ['\0'] = CLASS_BLANK,
	[','] = CLASS_COMMA, [':'] = CLASS_COLON, ['{'] = CLASS_OPEN, ['['] = CLASS_OPEN, ['}'] = CLASS_CLOSE,
	[']'] = CLASS_CLOSE, ['/'] = CLASS_SLASH,
};

/* Numbers and words. One that the bytes end in may go on, so it is no event yet. */
static enum json_event json_plain(struct json *j)
{
	const uint8_t *start = j->p;

	if (!json_value(j))
		return JSON_BAD;
	while (j->p < j->end && json_classes[*j->p] == CLASS_WORD)
		j->p++;
	if (j->p == j->end)
		return JSON_SHORT;
	if (j->p == start)
		return JSON_BAD;
	j->text = (struct view){ start, (size_t)(j->p - start) };
	j->plain = true;
	json_behind(j);
	return JSON_PLAIN;
}

static bool json_colon(struct json *j)
{
	if (!json_typed(j))
		return true;
	if (j->want != JSON_WANT_COLON)
		return false;
	j->want = JSON_WANT_VALUE;
	return true;
}

static bool json_comma(struct json *j)
{
	if (!json_typed(j))
		return true;
	if (!j->depth || j->want != JSON_WANT_COMMA)
		return false;
	j->want = j->object ? JSON_WANT_KEY : JSON_WANT_VALUE;
	return true;
}

/* Some servers (jsoncpp) take comments. JSON_CLOSE stands for "skipped". */
__attribute__((noinline)) static enum json_event json_comment(struct json *j)
{
	const uint8_t *q = j->p + 2, *end = j->end;

	if (end - j->p < 2)
		return JSON_SHORT;
	if (j->p[1] == '/') {
		q = memchr(q, '\n', (size_t)(end - q));
		j->p = q ? q + 1 : end;
		return q ? JSON_CLOSE : JSON_SHORT;
	}
	if (j->p[1] != '*')
		return JSON_BAD;
	while (q < end && (q = memchr(q, '*', (size_t)(end - q))) && q + 1 < end) {
		if (q[1] == '/') {
			j->p = q + 2;
			return JSON_CLOSE;
		}
		q++;
	}
	return JSON_SHORT;
}

enum json_event json_next(struct json *j)
{
	enum json_event e;

	while (j->p < j->end) {
		if (*j->p == '"')
			return json_string(j);
		switch ((enum json_class)json_classes[*j->p]) {
		case CLASS_BLANK:
			break;
		case CLASS_COMMA:
			if (!json_comma(j))
				return JSON_BAD;
			break;
		case CLASS_COLON:
			if (!json_colon(j))
				return JSON_BAD;
			break;
		case CLASS_OPEN:
			return json_open(j, *j->p);
		case CLASS_CLOSE:
			return json_close(j, *j->p);
		case CLASS_SLASH:
			e = json_comment(j);
			if (e != JSON_CLOSE)
				return e;
			continue;
		case CLASS_WORD: case CLASS_OTHER:
			return json_plain(j);
		}
		j->p++;
	}
	return JSON_SHORT;
}

static int json_hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `text` stands behind "\u". */
static int json_unicode(struct view *text)
{
	int code = 0, digit, i;

	if (text->len < 4)
		return '?';
	for (i = 0; i < 4; i++) {
		digit = json_hex(text->p[i]);
		if (digit < 0)
			return '?';
		code = code << 4 | digit;
	}
	text->p += 4;
	text->len -= 4;
	return code;
}

static int json_take(struct view *text)
{
	text->len--;
	return *text->p++;
}

int json_char(struct view *text)
{
	int c;

	do {
		if (!text->len)
			return -1;
		c = json_take(text);
	} while (!c);
	if (c != '\\' || !text->len)
		return c;
	c = json_take(text);
	switch (c) {
	case 'u':
		return json_unicode(text);
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return c;
	}
}

static int json_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Escapes and NUL bytes only make a text longer than what it stands for, and no `want` holds one. */
bool json_same(struct view text, const char *want, size_t len, bool nocase, bool prefix)
{
	size_t i;
	int c;

	if (text.len < len)
		return false;
	/* byte by byte as far as they are the same or differ for good, and decoded from the first escape on */
	for (i = 0; i < len; i++) {
		uint8_t byte = text.p[i], other = (uint8_t)want[i];

		if (byte == other || (nocase && json_lower(byte) == json_lower(other)))
			continue;
		if (byte && byte != '\\')
			return false;
		break;
	}
	text.p += i;
	text.len -= i;
	for (; i < len; i++) {
		c = json_char(&text);
		if (c != (uint8_t)want[i] && !(nocase && json_lower(c) == json_lower((uint8_t)want[i])))
			return false;
	}
	return prefix || !text.len || json_char(&text) < 0;
}

/* A code unit as UTF-8 (surrogates one by one: nobody reads wallets in them). */
static size_t json_put(uint8_t *to, int c, bool unit)
{
	if (!unit || c < 0x80) {
		to[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (uint8_t)(0xc0 | c >> 6);
		to[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	to[0] = (uint8_t)(0xe0 | c >> 12);
	to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	to[2] = (uint8_t)(0x80 | (c & 0x3f));
	return 3;
}

struct view json_text(struct view text, struct inspect_scratch *s)
{
	struct view out = { s->bytes + s->used, 0 };

	if (!text.len || (!memchr(text.p, '\\', text.len) && !memchr(text.p, 0, text.len)))
		return text;
	if (text.len > sizeof(s->bytes) - s->used)
		return (struct view){ 0 };
	while (text.len) {
		bool unit = text.p[0] == '\\';
		int c = json_char(&text);

		if (c >= 0)
			out.len += json_put(s->bytes + s->used + out.len, c, unit);
	}
	s->used += out.len;
	return out;
}
