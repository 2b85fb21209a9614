// SPDX-License-Identifier: GPL-2.0-or-later
/* The bounds-checked cursor of all parsers in this folder. It never reads a byte that was not lent and
 * never goes on after an error. */
#include "inspect/cursor.h"

#include <string.h>

void cursor_skip_run(struct cursor *c, uint8_t value)
{
	while (!c->error && c->pos < c->have && c->base[c->pos] == value)
		c->pos++;
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
		cursor_fail(c, CURSOR_SHORT);
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
