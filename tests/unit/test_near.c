/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/near: distances that are known, and which verb a mistyped one means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cli/near.h"

static const char *const words[] = { "run", "stop", "check", "reload", "status", "log", "blocked", "unblock", "explain", "lists" };

static void assert_meant(const char *typed, const char *meant)
{
	const char *found = near_word(typed, words, sizeof(words) / sizeof(words[0]));

	if (meant) {
		assert_non_null(found);
		assert_string_equal(found, meant);
	} else {
		assert_null(found);
	}
}

static void distances(void **state)
{
	(void)state;
	assert_int_equal(near_distance("", ""), 0);
	assert_int_equal(near_distance("log", ""), 3);
	assert_int_equal(near_distance("log", "log"), 0);
	assert_int_equal(near_distance("log", "lg"), 1);
	assert_int_equal(near_distance("lgo", "log"), 1);	/* neighbours swapped */
	assert_int_equal(near_distance("kitten", "sitting"), 3);
	assert_int_equal(near_distance("ca", "abc"), 3);	/* each place is touched once */
	assert_int_equal(near_distance("stop", "status"), 4);
	assert_int_equal(near_distance("a123456789012345678901234567890123456789", "log"), 40);
}

static void meant(void **state)
{
	(void)state;
	assert_meant("stauts", "status");
	assert_meant("blokced", "blocked");
	assert_meant("bloked", "blocked");
	assert_meant("lgo", "log");
	assert_meant("rn", "run");
	assert_meant("list", "lists");
	assert_meant("unblok", "unblock");
	assert_meant("expl", "explain");	/* its beginning */
	assert_meant("stat", "status");
	assert_meant("frobnicate", NULL);
	assert_meant("", NULL);
	assert_meant("x", NULL);
	assert_meant("st", NULL);
	assert_meant("a123456789012345678901234567890123456789", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(distances), cmocka_unit_test(meant) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
