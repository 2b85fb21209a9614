// SPDX-License-Identifier: GPL-2.0-or-later
/* One character after the other: read as UTF-8, judged by a table, written in the form that is asked for. Knows nothing of what the
 * text means and allocates nothing but what jansson needs. */
#include "daemon/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Unicode 15: controls (Cc), formats and bidi marks (Cf), line ends (Zl, Zp), variation selectors and fillers, surrogates, private use,
 * and what is no character. In order. */
static const struct range {
	uint32_t from, to;
} unseen[] = {
	{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x34f, 0x34f }, { 0x600, 0x605 }, { 0x61c, 0x61c }, { 0x6dd, 0x6dd },
	{ 0x70f, 0x70f }, { 0x890, 0x891 }, { 0x8e2, 0x8e2 }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
	{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xd800, 0xf8ff }, { 0xfdd0, 0xfdef },
	{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0x110bd, 0x110bd },
	{ 0x110cd, 0x110cd }, { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0x1fffe, 0x1ffff },
	{ 0x2fffe, 0x2ffff }, { 0x3fffe, 0x10ffff },
};

/* A character as its bytes stand there, or one byte that is none. */
struct piece {
	const uint8_t *p;
	unsigned len;
	uint32_t code;
	bool broken;
};

static bool is_unseen(uint32_t code)
{
	size_t low = 0, high = sizeof(unseen) / sizeof(unseen[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (code > unseen[middle].to)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sizeof(unseen) / sizeof(unseen[0]) && code >= unseen[low].from;
}

/* RFC 3629: the shortest form only, no surrogates, nothing above U+10FFFF. */
static struct piece next_piece(const uint8_t *p, size_t left)
{
	struct piece piece = { .p = p, .len = 1, .code = *p, .broken = *p >= 0x80 };
	unsigned more = *p >= 0xf0 && *p <= 0xf4 ? 3 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xc2 && *p < 0xe0 ? 1 : 0;
	uint32_t code = *p & (0x3fu >> more);
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	if (!more || left <= more)
		return piece;
	for (unsigned i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return piece;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code >= least[more] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff))
		piece = (struct piece){ .p = p, .len = more + 1, .code = code };
	return piece;
}

static size_t hex(char *out, char kind, uint32_t value, unsigned digits)
{
	size_t n = 0;

	out[n++] = '\\';
	out[n++] = kind;
	while (digits--)
		out[n++] = "0123456789abcdef"[value >> 4 * digits & 15];
	return n;
}

static size_t write_as(char *out, const char *text)
{
	size_t n = strlen(text);

	memcpy(out, text, n);
	return n;
}

/* Room for the longest piece: \U and eight digits, with a second backslash. */
#define PIECE_MAX 12

static size_t write_hidden(char *out, const struct piece *c)
{
	if (c->broken || c->code < 0x80)
		return hex(out, 'x', *c->p, 2);
	return c->code > 0xffff ? hex(out, 'U', c->code, 8) : hex(out, 'u', c->code, 4);
}

static size_t write_html(char *out, const struct piece *c)
{
	switch (c->code) {
	case '&':
		return write_as(out, "&amp;");
	case '<':
		return write_as(out, "&lt;");
	case '>':
		return write_as(out, "&gt;");
	case '"':
		return write_as(out, "&quot;");
	case '\'':
		return write_as(out, "&#39;");
	}
	memcpy(out, c->p, c->len);
	return c->len;
}

static size_t write_piece(char out[PIECE_MAX], enum escape_form form, const struct piece *c)
{
	size_t n = 0;

	if (c->broken || is_unseen(c->code)) {
		if (form == ESCAPE_SYSLOG)
			out[n++] = '\\';
		return n + write_hidden(out + n, c);
	}
	if (form == ESCAPE_HTML)
		return write_html(out, c);
	if (form == ESCAPE_SYSLOG && (c->code == '"' || c->code == '\\' || c->code == ']'))
		out[n++] = '\\';
	memcpy(out + n, c->p, c->len);
	return n + c->len;
}

/* `edge`: the text's first or last byte, where a blank would not be seen. */
static size_t write_wire(char out[PIECE_MAX], uint8_t byte, bool edge)
{
	if ((byte <= 0x20 && (byte != ' ' || edge)) || byte >= 0x7f || byte == '\\')
		return hex(out, 'x', byte, 2);
	out[0] = (char)byte;
	return 1;
}

/* The piece at *at as it is to be written; moves *at behind it. */
static size_t write_next(char out[PIECE_MAX], enum escape_form form, const uint8_t *text, size_t len, size_t *at)
{
	struct piece c;

	if (form == ESCAPE_WIRE) {
		size_t i = (*at)++;

		return write_wire(out, text[i], i == 0 || i + 1 == len);
	}
	c = next_piece(text + *at, len - *at);
	*at += c.len;
	return write_piece(out, form, &c);
}

size_t escape_text(char *out, size_t size, enum escape_form form, const void *text, size_t len)
{
	char piece[PIECE_MAX];
	size_t n = 0, at = 0;

	while (at < len) {
		size_t more = write_next(piece, form, text, len, &at);

		if (n + more >= size)
			break;
		memcpy(out + n, piece, more);
		n += more;
	}
	out[n] = '\0';
	return n;
}

/* Printable ASCII that no form writes otherwise: nearly all that there is. */
static size_t plain_run(const uint8_t *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] > 0x20 && text[n] < 0x7f && !memchr("\\\"]&<>'", text[n], 8))
		n++;
	return n;
}

void escape_put(FILE *to, enum escape_form form, const void *text, size_t len)
{
	const uint8_t *p = text;
	char piece[PIECE_MAX];
	size_t at = 0, run;

	while (at < len) {
		run = plain_run(p + at, len - at);
		if (run)
			fwrite_unlocked(p + at, 1, run, to);
		at += run;
		if (at < len)
			fwrite_unlocked(piece, 1, write_next(piece, form, p, len, &at), to);
	}
}

void escape_puts(FILE *to, enum escape_form form, const char *text)
{
	escape_put(to, form, text, strlen(text));
}

static bool is_harmless(const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		struct piece c = next_piece((const uint8_t *)text + at, len - at);

		if (c.broken || is_unseen(c.code))
			return false;
		at += c.len;
	}
	return true;
}

/* Longer than any text and any key of ours; the rest of one is left out. */
#define JSON_TEXT_MAX 4096
#define JSON_KEY_MAX 128

/* Its room must not be part of each level's frame. */
static __attribute__((noinline)) void escape_string(json_t *j)
{
	char text[JSON_TEXT_MAX];

	if (is_harmless(json_string_value(j), json_string_length(j)))
		return;
	escape_text(text, sizeof(text), ESCAPE_TERMINAL, json_string_value(j), json_string_length(j));
	json_string_set(j, text);
}

static void escape_object(json_t *j)
{
	char text[JSON_KEY_MAX];
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(j, next, key, value) {
		escape_json(value);
		if (is_harmless(key, strlen(key)))
			continue;
		escape_text(text, sizeof(text), ESCAPE_TERMINAL, key, strlen(key));
		json_object_set(j, text, value);
		json_object_del(j, key);
	}
}

/* As deep as jansson reads: 2048. */
void escape_json(json_t *j)
{
	json_t *value;
	size_t i;

	if (json_is_string(j))
		escape_string(j);
	else if (json_is_object(j))
		escape_object(j);
	else
		json_array_foreach(j, i, value)
			escape_json(value);
}
