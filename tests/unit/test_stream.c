// SPDX-License-Identifier: GPL-2.0-or-later
/* nfq/stream: segments in any order give the same bytes as one; what was seen is never lost to what comes later,
 * and a pool that is spent takes from its oldest stream and says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nfq/stream.h"

static uint32_t moved;

static enum stream_result add(struct stream_pool *p, struct stream *s, uint32_t seq, const char *bytes, size_t len, bool trusted)
{
	return stream_add(p, s, seq, (const uint8_t *)bytes, len, trusted, &moved);
}

static void is_run(const struct stream *s, uint32_t at, const char *want, size_t want_len)
{
	size_t len;
	const uint8_t *p = stream_run(s, at, &len);

	assert_int_equal(len, want_len);
	assert_memory_equal(p, want, len);
}

/* Every order of pieces, over the wrap of the sequence number, in both sizes of block. */
static void test_orders(void **state)
{
	static char bytes[12000];
	struct stream_pool *p = stream_pool_new(1);

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 251);
	for (uint32_t total = 100; total <= 12000; total += 1700)
		for (uint32_t piece = 1; piece < total; piece = piece * 3 + 1) {
			struct stream s = { 0 };

			for (uint32_t at = (total - 1) / piece * piece;; at -= piece) {
				add(p, &s, 0xfffffff0u + at, bytes + at, piece < total - at ? piece : total - at, true);
				if (!at)
					break;
			}
			is_run(&s, 0, bytes, total);
			assert_int_equal(stream_run_start(&s, total - 1), 0);
			stream_clear(p, &s);
		}
	stream_pool_free(p);
}

static void test_contradiction(void **state)
{
	struct stream_pool *p = stream_pool_new(1);
	struct stream s = { 0 };

	(void)state;
	assert_int_equal(add(p, &s, 5, "abcd", 4, true), STREAM_ADDED);
	assert_int_equal(add(p, &s, 5, "abcd", 4, true), STREAM_KNOWN);
	assert_int_equal(add(p, &s, 7, "cx", 2, true), STREAM_CONTRADICTS);
	assert_int_equal(add(p, &s, 8, "x", 1, true), STREAM_CONTRADICTS);
	assert_int_equal(add(p, &s, 8, "", 1, true), STREAM_KNOWN);		/* a keep-alive */
	assert_int_equal(add(p, &s, 7, "", 1, true), STREAM_CONTRADICTS);	/* none: not the last byte */
	assert_int_equal(add(p, &s, 5, "wxyz", 4, false), STREAM_KNOWN);
	is_run(&s, 0, "abcd", 4);
	stream_clear(p, &s);
	add(p, &s, 5, "wxyz", 4, false);
	assert_int_equal(add(p, &s, 5, "abcd", 4, true), STREAM_ADDED);
	is_run(&s, 0, "abcd", 4);
	stream_clear(p, &s);
	stream_pool_free(p);
}

static void test_window(void **state)
{
	struct stream_pool *p = stream_pool_new(1);
	struct stream s = { 0 };

	(void)state;
	add(p, &s, 100000, "abcd", 4, true);
	assert_int_equal(add(p, &s, 100000 + STREAM_BYTES_MAX, "x", 1, true), STREAM_FAR);
	assert_int_equal(add(p, &s, 100000 - STREAM_BYTES_MAX + 4, "x", 1, true), STREAM_FAR);
	assert_int_equal(add(p, &s, 100000 - STREAM_BYTES_MAX / 2, "x", 1, true), STREAM_FAR);
	assert_int_equal(add(p, &s, 100000 - STREAM_BYTES_MAX / 2 + 4, "x", 1, true), STREAM_ADDED);
	assert_int_equal(moved, STREAM_BYTES_MAX / 2 - 4);
	is_run(&s, moved, "abcd", 4);
	assert_true(stream_touches(&s, 100004));
	assert_false(stream_touches(&s, 100005));
	stream_clear(p, &s);
	stream_pool_free(p);
}

static void test_spent(void **state)
{
	struct stream_pool *p = stream_pool_new(1);
	struct stream s[20] = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(add(p, &s[i], 1, "abc", 3, true), STREAM_ADDED);
	for (int i = 0; i < 20; i++)
		assert_int_equal(s[i].lost, i < 12);
	is_run(&s[19], 0, "abc", 3);
	assert_int_equal(stream_run_start(&s[0], 5), 5);
	for (int i = 0; i < 20; i++)
		stream_clear(p, &s[i]);
	stream_pool_free(p);
}

/* What is given back is overwritten when it is asked for, but not what somebody else has by then; a move leaves nothing behind. */
static void test_wiped(void **state)
{
	struct stream_pool *p = stream_pool_new(1 << 20);
	struct stream s[3] = { 0 };
	const uint8_t *at[3], *small;
	uint8_t large[STREAM_BYTES_SMALL] = { 0 };
	size_t len;

	(void)state;
	for (int i = 0; i < 3; i++) {
		add(p, &s[i], 1, "wallet", 6, true);
		at[i] = stream_run(&s[i], 0, &len);
	}
	stream_clear(p, &s[0]);
	stream_lose(p, &s[1]);
	assert_true(s[1].lost);
	assert_memory_equal(at[0], "wallet", 6);
	stream_pool_wipe(p);
	assert_memory_equal(at[0], "\0\0\0\0\0", 6);
	assert_memory_equal(at[1], "\0\0\0\0\0", 6);
	is_run(&s[2], 0, "wallet", 6);
	stream_clear(p, &s[2]);
	add(p, &s[0], 1, "others", 6, true);		/* takes the place that was given back last */
	stream_pool_wipe(p);
	is_run(&s[0], 0, "others", 6);
	small = stream_run(&s[0], 0, &len);
	add(p, &s[0], 7, (const char *)large, sizeof(large), true);
	assert_true(stream_run(&s[0], 0, &len) != small);
	assert_memory_equal(small, "\0\0\0\0\0", 6);
	assert_memory_equal(stream_run(&s[0], 0, &len), "others", 6);
	stream_clear(p, &s[0]);
	stream_pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_contradiction),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_spent),
		cmocka_unit_test(test_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
