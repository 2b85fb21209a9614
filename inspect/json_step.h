/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One step of the JSON pull scanner, to be melted into a loop: its state then stays in registers. For json.c and for the walk over
 * a compiled table alone; everybody else calls json_next. */
#ifndef MINEWALL_JSON_STEP_H
#define MINEWALL_JSON_STEP_H

#include "inspect/json.h"
#include "inspect/word.h"

/* What a byte outside of strings is, where it is no bracket, comma or colon. */
enum json_class { JSON_CLASS_OTHER, JSON_CLASS_WORD, JSON_CLASS_BLANK, JSON_CLASS_COMMA, JSON_CLASS_COLON, JSON_CLASS_SLASH };

extern const uint8_t json_classes[256];

/* The closing quote of a string from `start` on in which a backslash or a NUL stands before the first quote, at `q`; NULL: none. */
const uint8_t *json_quote(const uint8_t *start, const uint8_t *q, const uint8_t *end);

/* Where the comment at `p` ends; NULL: not here; `p`: it is none. */
const uint8_t *json_comment(const uint8_t *p, const uint8_t *end);

static inline bool json_typed(const struct json *j)
{
	return j->depth <= JSON_DEPTH_TYPED;
}

/* A value may stand here; afterwards a comma is due. Where containers are no longer told apart JSON_WANT_COMMA stays. */
static inline bool json_value(struct json *j)
{
	if (j->want != JSON_WANT_VALUE)
		return !json_typed(j);
	j->want = JSON_WANT_COMMA;
	return true;
}

static inline enum json_event json_open(struct json *j, bool object)
{
	uint64_t bit;

	if (!json_value(j))
		return JSON_BAD;
	j->p++;
	j->again = JSON_WANT_COMMA;
	if (j->depth < JSON_DEPTH_TYPED) {
		bit = UINT64_C(1) << j->depth;
		j->objects = object ? j->objects | bit : j->objects & ~bit;
		j->again = j->want = object ? JSON_WANT_KEY : JSON_WANT_VALUE;
	}
	j->depth++;
	return object ? JSON_OBJECT : JSON_ARRAY;
}

/* Behind a value: takes the comma that mostly follows, so that it costs no turn of its own. */
static inline void json_behind(struct json *j)
{
	if (j->p < j->end && *j->p == ',' && j->again != JSON_WANT_COMMA) {
		j->p++;
		j->want = j->again;
	}
}

static inline enum json_event json_close(struct json *j, bool object)
{
	if (!j->depth || (json_typed(j) && object != (j->again == JSON_WANT_KEY)))
		return JSON_BAD;
	if (j->again == JSON_WANT_KEY && (j->want == JSON_WANT_COLON || j->want == JSON_WANT_VALUE))
		return JSON_BAD;
	j->p++;
	j->want = j->again = JSON_WANT_COMMA;
	j->depth--;
	if (j->depth && json_typed(j))
		j->again = j->objects >> (j->depth - 1) & 1 ? JSON_WANT_KEY : JSON_WANT_VALUE;
	json_behind(j);
	return JSON_CLOSE;
}

/* The first quote, backslash or NUL, many bytes at a time; `end` if there is none. */
static inline const uint8_t *json_special(const uint8_t *p, const uint8_t *end)
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
		word = word_read(p);
		found = word_first(word, '"') | word_first(word, '\\') | word_first(word, 0);
		if (found)
			return p + (__builtin_ctzll(found) >> 3);
	}
	while (p < end && *p != '"' && *p != '\\' && *p)
		p++;
	return p;
}

static inline enum json_event json_quoted(struct json *j)
{
	const uint8_t *start = j->p + 1, *q = json_special(start, j->end);
	bool key = j->want == JSON_WANT_KEY;

	j->plain = q < j->end && *q == '"';
	if (__builtin_expect(!j->plain, 0))
		q = json_quote(start, q, j->end);
	if (!key && !json_value(j))
		return JSON_BAD;
	if (key)
		j->want = JSON_WANT_COLON;
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

/* Numbers and words. One that the bytes end in may go on, so it is no event yet. */
static inline enum json_event json_plain(struct json *j)
{
	const uint8_t *start = j->p;

	if (!json_value(j))
		return JSON_BAD;
	while (j->p < j->end && json_classes[*j->p] == JSON_CLASS_WORD)
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

static inline bool json_colon(struct json *j)
{
	if (!json_typed(j))
		return true;
	if (j->want != JSON_WANT_COLON)
		return false;
	j->want = JSON_WANT_VALUE;
	return true;
}

static inline bool json_comma(struct json *j)
{
	if (!json_typed(j))
		return true;
	if (!j->depth || j->want != JSON_WANT_COMMA)
		return false;
	j->want = j->again;
	return true;
}

/* As json_next. */
static inline enum json_event json_step(struct json *j)
{
	const uint8_t *behind;

	for (; j->p < j->end; j->p++) {
		uint8_t c = *j->p;

		if (c == '"')
			return json_quoted(j);
		if ((c | 0x20) == '{')		/* and the square one */
			return json_open(j, c == '{');
		if ((c | 0x20) == '}')
			return json_close(j, c == '}');
		switch ((enum json_class)json_classes[c]) {
		case JSON_CLASS_BLANK:
			break;
		case JSON_CLASS_COMMA:
			if (!json_comma(j))
				return JSON_BAD;
			break;
		case JSON_CLASS_COLON:
			if (!json_colon(j))
				return JSON_BAD;
			break;
		case JSON_CLASS_SLASH:
			behind = json_comment(j->p, j->end);
			if (!behind || behind == j->p)
				return behind ? JSON_BAD : JSON_SHORT;
			j->p = behind - 1;
			break;
		case JSON_CLASS_WORD: case JSON_CLASS_OTHER:
			return json_plain(j);
		}
	}
	return JSON_SHORT;
}

#endif
