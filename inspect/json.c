// SPDX-License-Identifier: GPL-2.0-or-later
/* The JSON pull scanner. It looks at each byte once; strings are crossed many bytes at a time, so padding is cheap. */
#include "inspect/json.h"

#include <string.h>

#include "inspect/json_step.h"

const uint8_t json_classes[256] = {
	['a' ... 'z'] = JSON_CLASS_WORD, ['A' ... 'Z'] = JSON_CLASS_WORD, ['0' ... '9'] = JSON_CLASS_WORD, ['-'] = JSON_CLASS_WORD,
	['+'] = JSON_CLASS_WORD, ['.'] = JSON_CLASS_WORD, [' '] = JSON_CLASS_BLANK, ['\t'] = JSON_CLASS_BLANK, ['\r'] = JSON_CLASS_BLANK,
	['\n'] = JSON_CLASS_BLANK, ['\0'] = JSON_CLASS_BLANK, [','] = JSON_CLASS_COMMA, [':'] = JSON_CLASS_COLON, ['/'] = JSON_CLASS_SLASH,
};

/* It is the first one behind an even number of backslashes. */
const uint8_t *json_quote(const uint8_t *start, const uint8_t *q, const uint8_t *end)
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

/* Some servers (jsoncpp) take comments. */
const uint8_t *json_comment(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *q = p + 2;

	if (end - p < 2)
		return NULL;
	if (p[1] == '/') {
		q = memchr(q, '\n', (size_t)(end - q));
		return q ? q + 1 : NULL;
	}
	if (p[1] != '*')
		return p;
	while (q < end && (q = memchr(q, '*', (size_t)(end - q))) && q + 1 < end) {
		if (q[1] == '/')
			return q + 2;
		q++;
	}
	return NULL;
}

enum json_event json_next(struct json *j)
{
	return json_step(j);
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

struct view json_unescape(struct view text, struct inspect_scratch *s)
{
	struct view out = { s->bytes + s->used, 0 };

	/* a quote stands in none but behind a backslash */
	if (!text.len || json_special(text.p, text.p + text.len) == text.p + text.len)
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
