/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces' names: kept as they were given out, found again under another number, and said to be full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nfq/interfaces.h"

/* Every number from 10,000 on is a new link by an old name. */
static bool ask(void *arg, uint32_t index, char name[IF_NAMESIZE])
{
	++*(unsigned *)arg;
	snprintf(name, IF_NAMESIZE, "ppp%u", (unsigned)index % 10000);
	return index != 7;
}

static void test_names(void **state)
{
	struct interfaces *all = calloc(1, sizeof(*all));
	const char *first, *again;
	unsigned asked = 0;

	(void)state;
	assert_non_null(all);
	first = interfaces_name(all, 1, ask, &asked);
	assert_string_equal(first, "ppp1");
	assert_ptr_equal(interfaces_name(all, 1, ask, &asked), first);
	assert_int_equal(asked, 1);
	assert_null(interfaces_name(all, 7, ask, &asked));
	assert_false(all->full);
	for (uint32_t i = 0; i < 3 * INTERFACES_MAX; i++) {	/* many numbers, one name */
		again = interfaces_name(all, 10001 + 10000 * i, ask, &asked);
		assert_ptr_equal(again, first);
	}
	assert_false(all->full);
	for (uint32_t i = 100; all->n_names < INTERFACES_MAX; i++)
		assert_non_null(interfaces_name(all, i, ask, &asked));
	assert_false(all->full);
	assert_null(interfaces_name(all, 9999, ask, &asked));
	assert_true(all->full);
	assert_ptr_equal(interfaces_name(all, 20001, ask, &asked), first);
	assert_string_equal(first, "ppp1");
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
