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

/* `have` may be larger than `len`; only `len` bytes count then. */
struct cursor cursor_make(const uint8_t *p, size_t len, size_t have);

/* Announced bytes not yet read; 0 after an error. */
size_t cursor_left(const struct cursor *c);

/* Big-endian numbers. */
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u24(struct cursor *c);

/* The next `n` bytes; an empty view on error. */
struct view cursor_take(struct cursor *c, size_t n);
void cursor_skip(struct cursor *c, size_t n);

/* A frame of the next `n` announced bytes, which may have arrived in part only; the outer cursor steps over it. */
struct cursor cursor_sub(struct cursor *c, size_t n);

/* Steps over all bytes of this value that come next. */
void cursor_skip_run(struct cursor *c, uint8_t value);

/* One line without its LF and one CR before it. SHORT if no LF has arrived. */
struct view cursor_line(struct cursor *c);

/* The next byte without reading it, or -1. */
int cursor_peek(const struct cursor *c);

#endif
