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

/* `len` bytes are announced, the first `have` of them are readable. After an error nothing is: every read gives zero. Where a
 * sub-cursor reached over what has arrived, `have` moves along with `pos`: so no read needs more than one comparison. */
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
	return c->len - c->pos;
}

/* The first error stays, and leaves nothing to read. */
static inline void cursor_fail(struct cursor *c, enum cursor_error error)
{
	if (!c->error)
		c->error = error;
	c->have = c->len = c->pos;
}

/* Are `n` more bytes there? */
static inline bool cursor_need(struct cursor *c, size_t n)
{
	if (__builtin_expect(n <= c->have - c->pos, 1))
		return true;
	cursor_fail(c, n > c->len - c->pos ? CURSOR_BAD : CURSOR_SHORT);
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

static inline uint32_t cursor_u32(struct cursor *c)
{
	const uint8_t *p;

	if (!cursor_need(c, 4))
		return 0;
	p = c->base + c->pos;
	c->pos += 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
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
	struct cursor sub = { .base = c->base + c->pos, .len = n, .have = n, .error = c->error };

	if (__builtin_expect(n <= c->have - c->pos, 1)) {
		c->pos += n;
		return sub;
	}
	if (n > c->len - c->pos) {
		cursor_fail(c, CURSOR_BAD);
		sub.len = sub.have = 0;
		sub.error = c->error;
		return sub;
	}
	sub.have = c->have - c->pos;
	c->have = c->pos += n;
	return sub;
}

/* Frames one behind the other, each with a type and a length of two bytes in front, as TLS has its extensions: nothing else takes so
 * many reads of a hello. */
struct cursor_frames {
	const uint8_t *p;
	size_t have;		/* bytes that are there */
	size_t missing;		/* announced behind them */
	bool broken;		/* the last one was cut, or reached over the end */
};

/* Those that a frame holds. */
static inline struct cursor_frames cursor_frames(const struct cursor *c)
{
	return (struct cursor_frames){ .p = c->base + c->pos, .have = c->have - c->pos, .missing = c->len - c->have, .broken = c->error };
}

/* The next one; `there` of its `len` bytes have arrived, less than that only of the last one. False: no more, or not even its length. */
static inline bool cursor_frame(struct cursor_frames *f, unsigned *type, const uint8_t **p, size_t *len, size_t *there)
{
	const uint8_t *head = f->p;

	if (f->have < 4) {
		f->broken |= f->have + f->missing > 0;
		return false;
	}
	*type = (unsigned)head[0] << 8 | head[1];
	*len = (size_t)head[2] << 8 | head[3];
	*there = *len;
	*p = head + 4;
	f->have -= 4;
	if (__builtin_expect(*len > f->have, 0)) {
		f->broken = true;
		*there = f->have;
		if (*len - f->have > f->missing)
			return false;
	}
	f->p = *p + *there;
	f->have -= *there;
	return true;
}

/* Goes on at another place of the frame; to where nothing has arrived is an error. Not behind a sub-cursor that reached so far. */
static inline void cursor_seek(struct cursor *c, size_t pos)
{
	if (pos > c->have)
		cursor_fail(c, pos > c->len ? CURSOR_BAD : CURSOR_SHORT);
	else if (!c->error)
		c->pos = pos;
}

/* Steps over all bytes of this value that come next. */
void cursor_skip_run(struct cursor *c, uint8_t value);

/* One line without its LF and one CR before it. SHORT if no LF has arrived. */
struct view cursor_line(struct cursor *c);

/* The next byte without reading it, or -1. */
int cursor_peek(const struct cursor *c);

#endif
