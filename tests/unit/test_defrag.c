/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/defrag: orders, overlaps, bounds, for both families. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/defrag.h"

struct piece {
	unsigned offset, len;	/* bytes */
	bool more;
	uint8_t fill;		/* added to each byte: a lie if not 0 */
};

static uint8_t wire[70000];
static const uint8_t *whole;

/* The datagram's byte at `i`. */
static uint8_t byte_at(unsigned i)
{
	return (uint8_t)(i * 31 + i / 251);
}

static size_t give(struct defrag *d, int family, unsigned id, struct piece p, uint64_t now)
{
	size_t head = family == 4 ? 20 : 48;

	memset(wire, 0, head);
	if (family == 4) {
		wire[0] = 0x45;
		wire[2] = (uint8_t)((head + p.len) >> 8);
		wire[3] = (uint8_t)(head + p.len);
		wire[4] = (uint8_t)(id >> 8);
		wire[5] = (uint8_t)id;
		wire[6] = (uint8_t)((p.more ? 0x20 : 0) | p.offset / 8 >> 8);
		wire[7] = (uint8_t)(p.offset / 8);
		wire[9] = 17;
	} else {
		wire[0] = 0x60;
		wire[4] = (uint8_t)((8 + p.len) >> 8);
		wire[5] = (uint8_t)(8 + p.len);
		wire[6] = 44;
		wire[40] = 17;
		wire[42] = (uint8_t)(p.offset >> 8);
		wire[43] = (uint8_t)((p.offset & 0xf8) | p.more);
		wire[46] = (uint8_t)(id >> 8);
		wire[47] = (uint8_t)id;
	}
	for (unsigned i = 0; i < p.len; i++)
		wire[head + i] = (uint8_t)(byte_at(p.offset + i) + p.fill);
	return defrag_add(d, wire, head + p.len, now, &whole);
}

static void check_whole(int family, size_t made, unsigned len)
{
	size_t head = family == 4 ? 20 : 40;

	assert_int_equal(made, head + len);
	for (unsigned i = 0; i < len; i++)
		assert_int_equal(whole[head + i], byte_at(i));
	assert_int_equal(whole[family == 4 ? 9 : 6], 17);
	if (family == 4)
		assert_int_equal(whole[2] << 8 | whole[3], made);
	else
		assert_int_equal(whole[4] << 8 | whole[5], len);
}

static void test_orders(void **state)
{
	static const struct piece pieces[3] = { { 0, 16, true, 0 }, { 16, 24, true, 0 }, { 40, 5, false, 0 } };
	static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct defrag *d = defrag_new();

	(void)state;
	assert_non_null(d);
	for (int family = 4; family <= 6; family += 2) {
		for (unsigned o = 0; o < 6; o++) {
			assert_int_equal(give(d, family, o, pieces[orders[o][0]], 1), 0);
			assert_int_equal(give(d, family, o, pieces[orders[o][0]], 1), 0);
			assert_int_equal(give(d, family, o, pieces[orders[o][1]], 1), 0);
			check_whole(family, give(d, family, o, pieces[orders[o][2]], 1), 45);
		}
	}
	defrag_free(d);
}

static void test_contained_is_duplicate(void **state)
{
	struct defrag *d = defrag_new();

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		give(d, family, 1, (struct piece){ 0, 64, true, 0 }, 1);
		assert_int_equal(give(d, family, 1, (struct piece){ 8, 16, true, 7 }, 1), 0);
		check_whole(family, give(d, family, 1, (struct piece){ 64, 8, false, 0 }, 1), 72);
	}
	defrag_free(d);
}

static void test_overlap_gives_up(void **state)
{
	struct defrag *d = defrag_new();

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		give(d, family, 1, (struct piece){ 0, 32, true, 0 }, 1);
		assert_int_equal(give(d, family, 1, (struct piece){ 24, 32, true, 7 }, 1), 0);
		assert_int_equal(give(d, family, 1, (struct piece){ 32, 8, false, 0 }, 1), 0);
	}
	defrag_free(d);
}

static void test_two_ends(void **state)
{
	struct defrag *d = defrag_new();

	(void)state;
	give(d, 4, 1, (struct piece){ 32, 8, false, 0 }, 1);
	assert_int_equal(give(d, 4, 1, (struct piece){ 40, 8, false, 0 }, 1), 0);
	assert_int_equal(give(d, 4, 1, (struct piece){ 0, 32, true, 0 }, 1), 0);
	give(d, 4, 2, (struct piece){ 64, 8, true, 0 }, 1);
	assert_int_equal(give(d, 4, 2, (struct piece){ 32, 8, false, 0 }, 1), 0);
	assert_int_equal(give(d, 4, 2, (struct piece){ 0, 32, true, 0 }, 1), 0);
	defrag_free(d);
}

static void test_timeout(void **state)
{
	struct defrag *d = defrag_new();

	(void)state;
	give(d, 4, 1, (struct piece){ 0, 32, true, 0 }, 1);
	assert_int_equal(give(d, 4, 1, (struct piece){ 32, 8, false, 0 }, 2 + DEFRAG_TIMEOUT_MS), 0);
	defrag_free(d);
}

/* A flood of beginnings takes the oldest slot, not more memory; the newest can still be finished. */
static void test_flood(void **state)
{
	struct defrag *d = defrag_new();

	(void)state;
	for (unsigned id = 0; id < DEFRAG_SLOTS * 3; id++)
		give(d, 4, id, (struct piece){ 0, 32, true, 0 }, id);
	assert_int_equal(give(d, 4, 0, (struct piece){ 32, 8, false, 0 }, DEFRAG_SLOTS * 3), 0);
	check_whole(4, give(d, 4, DEFRAG_SLOTS * 3 - 1, (struct piece){ 32, 8, false, 0 }, DEFRAG_SLOTS * 3), 40);
	defrag_free(d);
}

static void test_too_long(void **state)
{
	struct defrag *d = defrag_new();

	(void)state;
	/* "ping of death": the last fragment ends behind 65,535 */
	assert_int_equal(give(d, 4, 1, (struct piece){ 65528, 64, false, 0 }, 1), 0);
	assert_int_equal(give(d, 6, 1, (struct piece){ 65528, 64, false, 0 }, 1), 0);
	/* a fragment in the middle must be a multiple of eight bytes long */
	assert_int_equal(give(d, 4, 2, (struct piece){ 0, 13, true, 0 }, 1), 0);
	assert_int_equal(give(d, 4, 2, (struct piece){ 16, 8, false, 0 }, 1), 0);
	defrag_free(d);
}

/* Headers cut or wrong in every way are left out without harm. */
static void test_every_cut(void **state)
{
	struct defrag *d = defrag_new();

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		give(d, family, 1, (struct piece){ 0, 32, true, 0 }, 1);
		for (size_t len = 0; len < 60; len++)
			assert_int_equal(defrag_add(d, wire, len, 1, &whole), 0);
	}
	defrag_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_contained_is_duplicate),
		cmocka_unit_test(test_overlap_gives_up),
		cmocka_unit_test(test_two_ends),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
