// SPDX-License-Identifier: GPL-2.0-or-later
/* Users and groups by name. The system's answer is ours: this program's getgrnam_r stands before libc's. */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/account.h"

/* What a group's members take. */
static size_t wanted;

int getgrnam_r(const char *name, struct group *to, char *room, size_t size, struct group **out)
{
	static char *nobody[] = { NULL };

	(void)room;
	*out = NULL;
	if (size < wanted)
		return ERANGE;
	if (strncmp(name, "large", 5))
		return 0;
	*to = (struct group) { .gr_name = "large", .gr_gid = 4711, .gr_mem = nobody };
	*out = to;
	return 0;
}

static void test_large_group(void **state)
{
	static const size_t sizes[] = { 0, 4096, 4097, 1 << 20 };
	static const char *const names[] = { "large0", "large1", "large2", "large3" };	/* what was asked for is remembered */
	gid_t gid;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		wanted = sizes[i];
		gid = 0;
		assert_true(account_group(names[i], &gid));
		assert_int_equal(gid, 4711);
		assert_false(account_group("nobody-knows", &gid));
	}
	wanted = SIZE_MAX;		/* an answer that never fits */
	assert_false(account_group("large", &gid));
}

/* Runs first: it is asked for once, before all others. */
static void test_ahead(void **state)
{
	static const char *const names[] = { "large8", "root", "minewall-no-such-user" };
	uid_t uid = 1;
	gid_t gid = 1;

	(void)state;
	wanted = 0;
	account_ahead(names, 3);
	wanted = SIZE_MAX;		/* the child has begun with what there was; asked now there would be no group */
	assert_true(account_user("root", &uid, &gid));
	assert_int_equal(uid, 0);
	assert_true(account_group("large8", &gid));
	assert_int_equal(gid, 4711);
	assert_false(account_user("large8", &uid, &gid));
	wanted = 0;
	assert_false(account_user("minewall-no-such-user", &uid, &gid));
	assert_true(account_group("large9", &gid));	/* and others as ever */
	account_end();
	account_end();
	assert_true(account_group("large8", &gid));
}

static void test_user(void **state)
{
	uid_t uid = 1;
	gid_t gid = 1;

	(void)state;
	assert_true(account_user("root", &uid, &gid));
	assert_int_equal(uid, 0);
	assert_int_equal(gid, 0);
	assert_false(account_user("minewall-no-such-user", &uid, &gid));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ahead), cmocka_unit_test(test_large_group), cmocka_unit_test(test_user) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
