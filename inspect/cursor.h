/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one way to walk over hostile bytes: every read is checked, the first failure sticks. It tells bytes that
 * have not arrived yet from lengths that lie, and must never be bypassed by pointer arithmetic in a parser. */
#ifndef MINEWALL_CURSOR_H
#define MINEWALL_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/inspect.h"

enum cursor_error {
	CURSOR_OK,
	CURSOR_SHORT,	/* the field lies within its frame, but its bytes have not arrived */
	CURSOR_BAD,	/* the field reaches over the end of its frame */
};

/* `len` bytes are announced, the first `have` of them are readable. After an error every read gives zero. */
struct cursor {
	const uint8_t *base;
	size_t pos;
	size_t len;
	size_t have;
	enum cursor_error error;
};

/* The small ones stand here so that they melt into the parsers: a ClientHello is some hundred of them. */

/* `have` may be larger than `len`; only `len` bytes count then. */
static inline struct cursor cursor_make(const uint8_t *p, size_t len, size_t have)
{
	return (struct cursor){ .base = p, .len = len, .have = have < len ? have : len };
}

/* Announced bytes not yet read; 0 after an error. */
static inline size_t cursor_left(const struct cursor *c)
{
	return c->error ? 0 : c->len - c->pos;
}

/* Are `n` more bytes there? A sub-cursor may have moved `pos` beyond `have`, never beyond `len`. */
static inline bool cursor_need(struct cursor *c, size_t n)
{
	if (__builtin_expect(!c->error && c->pos <= c->have && n <= c->have - c->pos, 1))
		return true;
	if (!c->error)
		c->error = n > c->len - c->pos ? CURSOR_BAD : CURSOR_SHORT;
	return false;
}

/* Big-endian numbers. */
static inline uint8_t cursor_u8(struct cursor *c)
{
	if (!cursor_need(c, 1))
		return 0;
	return c->base[c->pos++];
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	const uint8_t *p;

	if (!cursor_need(c, 2))
		return 0;
	p = c->base + c->pos;
	c->pos += 2;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t cursor_u24(struct cursor *c)
{
	const uint8_t *p;

	if (!cursor_need(c, 3))
		return 0;
	p = c->base + c->pos;
	c->pos += 3;
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* The next `n` bytes; an empty view on error. */
static inline struct view cursor_take(struct cursor *c, size_t n)
{
	struct view v = { 0 };

	if (!cursor_need(c, n))
		return v;
	v.p = c->base + c->pos;
	v.len = n;
	c->pos += n;
	return v;
}

static inline void cursor_skip(struct cursor *c, size_t n)
{
	if (cursor_need(c, n))
		c->pos += n;
}

/* A frame of the next `n` announced bytes, which may have arrived in part only; the outer cursor steps over it. */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
	struct cursor sub = { .error = c->error };

	if (c->error)
		return sub;
	if (n > c->len - c->pos) {
		c->error = sub.error = CURSOR_BAD;
		return sub;
	}
	if (c->pos < c->have)
		sub = cursor_make(c->base + c->pos, n, c->have - c->pos);
	else
		sub = cursor_make(NULL, n, 0);
	c->pos += n;
	return sub;
}

/* Steps over all bytes of this value that come next. */
void cursor_skip_run(struct cursor *c, uint8_t value);

/* One line without its LF and one CR before it. SHORT if no LF has arrived. */
struct view cursor_line(struct cursor *c);

/* The next byte without reading it, or -1. */
int cursor_peek(const struct cursor *c);

#endif
