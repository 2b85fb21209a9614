/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Large memory: zeros of every size, what grows keeps its bytes, and what stays takes no page more than it has bytes for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/block.h"

static const size_t sizes[] = { 0, 1, 4096, 65535, 65536, 65537, 100000, 1 << 20, (1 << 20) + 1, 2 << 20, (2 << 20) + 1, (5 << 20) + 12345 };

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void use(const struct block *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		assert_int_equal(b->at[i], 0);
		b->at[i] = (char)(i % 251);
	}
}

static void test_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		struct block b, brief;

		assert_int_equal(block_new(&b, sizes[i]), 0);
		assert_int_equal(block_new_brief(&brief, sizes[i]), 0);
		assert_true(b.size == sizes[i] && brief.size >= sizes[i]);
		use(&b, b.size);
		use(&brief, brief.size);
		block_free(&b);
		block_free(&brief);
		assert_true(!b.at && !b.size);
		block_free(&b);
	}
}

static void test_grow(void **state)
{
	struct block b = { 0 };
	size_t used = 0;

	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		assert_int_equal(block_grow(&b, used, sizes[i]), 0);
		for (size_t k = 0; k < used; k++)
			assert_int_equal(b.at[k], (char)(k % 251));
		for (; used < sizes[i]; used++)
			b.at[used] = (char)(used % 251);
	}
	assert_int_equal(block_grow(&b, used, SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(b.at[used - 1], (char)((used - 1) % 251));
	block_free(&b);
}

static size_t resident_kb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long whole = 0, resident = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &whole, &resident), 2);
	fclose(f);
	return resident * ((size_t)sysconf(_SC_PAGESIZE) / 1024);
}

static void test_resident(void **state)
{
	size_t size = (2 << 20) + 10000, before;
	struct block b;

	(void)state;
	before = resident_kb();
	assert_int_equal(block_new(&b, size), 0);
	memset(b.at, 1, size);
	assert_true(resident_kb() < before + size / 1024 + 200);
	block_free(&b);
	assert_true(resident_kb() < before + 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_resident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
