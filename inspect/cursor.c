// SPDX-License-Identifier: GPL-2.0-or-later
/* The bounds-checked cursor of all parsers in this folder. It never reads a byte that was not lent and
 * never goes on after an error. */
#include "inspect/cursor.h"

#include <string.h>

struct cursor cursor_make(const uint8_t *p, size_t len, size_t have)
{
	return (struct cursor){ .base = p, .len = len, .have = have < len ? have : len };
}

size_t cursor_left(const struct cursor *c)
{
	return c->error ? 0 : c->len - c->pos;
}

/* Are `n` more bytes there? A sub-cursor may have moved `pos` beyond `have`, never beyond `len`. */
static bool cursor_need(struct cursor *c, size_t n)
{
	if (c->error)
		return false;
	if (n > c->len - c->pos)
		c->error = CURSOR_BAD;
	else if (c->pos > c->have || n > c->have - c->pos)
		c->error = CURSOR_SHORT;
	return !c->error;
}

uint8_t cursor_u8(struct cursor *c)
{
	if (!cursor_need(c, 1))
		return 0;
	return c->base[c->pos++];
}

uint16_t cursor_u16(struct cursor *c)
{
	if (!cursor_need(c, 2))
		return 0;
	const uint8_t *p = c->base + c->pos;
	c->pos += 2;
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t cursor_u24(struct cursor *c)
{
	if (!cursor_need(c, 3))
		return 0;
	const uint8_t *p = c->base + c->pos;
	c->pos += 3;
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

struct view cursor_take(struct cursor *c, size_t n)
{
	struct view v = { 0 };

	if (!cursor_need(c, n))
		return v;
	v.p = c->base + c->pos;
	v.len = n;
	c->pos += n;
	return v;
}

void cursor_skip(struct cursor *c, size_t n)
{
	cursor_take(c, n);
}

void cursor_skip_run(struct cursor *c, uint8_t value)
{
	while (!c->error && c->pos < c->have && c->base[c->pos] == value)
		c->pos++;
}

struct cursor cursor_sub(struct cursor *c, size_t n)
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

struct view cursor_line(struct cursor *c)
{
	struct view v = { 0 };
	const uint8_t *p, *lf;

	if (c->error)
		return v;
	p = c->base + c->pos;
	lf = c->pos < c->have ? memchr(p, '\n', c->have - c->pos) : NULL;
	if (!lf) {
		c->error = CURSOR_SHORT;
		return v;
	}
	v.p = p;
	v.len = (size_t)(lf - p);
	c->pos += v.len + 1;
	if (v.len && v.p[v.len - 1] == '\r')
		v.len--;
	return v;
}

int cursor_peek(const struct cursor *c)
{
	return !c->error && c->pos < c->have ? c->base[c->pos] : -1;
}
