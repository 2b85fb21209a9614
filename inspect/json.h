/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pull scanner over JSON text (RFC 8259) that may end anywhere. Lenient where parsers of pools are (comments,
 * trailing commas, NUL bytes, raw control bytes); no heap, no recursion, no tree, and nothing is converted to numbers. */
#ifndef MINEWALL_JSON_H
#define MINEWALL_JSON_H

#include "inspect/inspect.h"

/* Containers deeper than this are still counted, but keys are no longer told from values there. */
#define JSON_DEPTH_TYPED 64

enum json_event {
	JSON_SHORT,	/* the bytes end before the next event does */
	JSON_BAD,	/* not JSON */
	JSON_KEY,	/* `text`: between the quotes, still escaped */
	JSON_STRING,	/* likewise */
	JSON_PLAIN,	/* a number, true, false or null: `text` */
	JSON_OBJECT,	/* opened */
	JSON_ARRAY,	/* opened */
	JSON_CLOSE,
};

struct json {
	const uint8_t *p;
	const uint8_t *end;
	unsigned depth;		/* open containers */
	uint64_t objects;	/* bit n: the container at depth n + 1 is an object */
	enum json_want { JSON_WANT_KEY, JSON_WANT_COLON, JSON_WANT_VALUE, JSON_WANT_COMMA } want;
	enum json_want again;	/* behind a comma of the innermost one; JSON_WANT_COMMA: outside of all, or it is not known what it is */
	struct view text;
	bool plain;		/* a key or string: no escape and no NUL in it; else true */
};

static inline struct json json_make(const uint8_t *p, const uint8_t *end)
{
	return (struct json){ .p = p, .end = end, .want = JSON_WANT_VALUE, .again = JSON_WANT_COMMA };
}

/* After SHORT or BAD it must not be called again. */
enum json_event json_next(struct json *j);


/* A string as it was found. */
struct json_string {
	struct view text;	/* still escaped */
	bool plain;		/* there is no escape and no NUL in it */
};

/* The next character of a string's text, unescaped; -1 at its end. Takes it off `text`. Bytes from 0x80 come as they
 * are (no UTF-8 decoding), NUL bytes are left out, \u escapes give their code unit. */
int json_char(struct view *text);

/* Does the unescaped text equal `want`, or start with it (`prefix`)? `nocase`: ASCII letters in any case. */
bool json_same(struct view text, const char *want, size_t len, bool nocase, bool prefix);

/* The text in the scratch, unescaped; in place if it holds no escape and no NUL. Empty if there is no room. */
struct view json_unescape(struct view text, struct inspect_scratch *s);

static inline struct view json_text(const struct json_string *string, struct inspect_scratch *s)
{
	return string->plain ? string->text : json_unescape(string->text, s);
}

#endif
