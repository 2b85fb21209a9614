// SPDX-License-Identifier: GPL-2.0-or-later
/* The cursor: numbers, frames, lines, and that its first error sticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inspect/cursor.h"

static void numbers(void **state)
{
	static const uint8_t b[] = { 1, 2, 3, 4, 5, 6 };
	struct cursor c = cursor_make(b, sizeof(b), sizeof(b));

	(void)state;
	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_u16(&c), 0x0203);
	assert_int_equal(cursor_u24(&c), 0x040506);
	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(c.error, CURSOR_OK);
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(c.error, CURSOR_BAD);
}

static void seeks(void **state)
{
	static const uint8_t b[] = { 1, 2, 3, 4 };
	struct cursor c = cursor_make(b, 10, sizeof(b));

	(void)state;
	cursor_seek(&c, 3);
	assert_int_equal(cursor_u8(&c), 4);
	cursor_seek(&c, 0);
	assert_int_equal(cursor_u32(&c), 0x01020304);
	assert_int_equal(cursor_left(&c), 6);
	cursor_seek(&c, 5);
	assert_int_equal(c.error, CURSOR_SHORT);
	cursor_seek(&c, 0);
	assert_int_equal(cursor_u8(&c), 0);
	c = cursor_make(b, sizeof(b), sizeof(b));
	cursor_seek(&c, 5);
	assert_int_equal(c.error, CURSOR_BAD);
}

static void error_sticks(void **state)
{
	static const uint8_t b[] = { 1, 2, 3 };
	struct cursor c = cursor_make(b, 8, sizeof(b));

	(void)state;
	assert_null(cursor_take(&c, 4).p);
	assert_int_equal(c.error, CURSOR_SHORT);
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(cursor_peek(&c), -1);
	assert_int_equal(cursor_sub(&c, 1).error, CURSOR_SHORT);
	assert_int_equal(c.error, CURSOR_SHORT);
	c = cursor_make(b, sizeof(b), 100);
	assert_int_equal(c.have, 3);
	cursor_skip(&c, SIZE_MAX);
	assert_int_equal(c.error, CURSOR_BAD);
	assert_int_equal(c.pos, 0);
}

static void frames(void **state)
{
	static const uint8_t b[] = { 1, 2, 3, 4 };
	struct cursor c = cursor_make(b, 10, sizeof(b)), s;

	(void)state;
	s = cursor_sub(&c, 6);
	assert_int_equal(cursor_u24(&s), 0x010203);
	assert_int_equal(cursor_u16(&s), 0);
	assert_int_equal(s.error, CURSOR_SHORT);
	assert_int_equal(cursor_left(&c), 4);
	s = cursor_sub(&c, 2);
	assert_int_equal(s.have, 0);
	assert_int_equal(cursor_u8(&s), 0);
	assert_int_equal(s.error, CURSOR_SHORT);
	s = cursor_sub(&c, 3);
	assert_int_equal(s.error, CURSOR_BAD);
	assert_int_equal(c.error, CURSOR_BAD);
}

static void lines(void **state)
{
	static const uint8_t b[] = "a\r\n\nb";
	struct cursor c = cursor_make(b, sizeof(b) - 1, sizeof(b) - 1);

	(void)state;
	assert_int_equal(cursor_line(&c).len, 1);
	assert_int_equal(cursor_line(&c).len, 0);
	assert_int_equal(c.error, CURSOR_OK);
	assert_int_equal(cursor_peek(&c), 'b');
	assert_int_equal(cursor_line(&c).len, 0);
	assert_int_equal(c.error, CURSOR_SHORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(error_sticks),
		cmocka_unit_test(seeks), cmocka_unit_test(frames),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
