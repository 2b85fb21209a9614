// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/blind: counts for each host and reason, and its memory stays bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/blind.h"

static void counts(void **state)
{
	uint64_t key[2] = { 5, 6 };
	struct blind *b = blind_new(key);
	struct blind_host hosts[3];
	struct subject who = { .src = { 1 } };

	(void)state;
	assert_int_equal(blind_hosts(b, hosts, 3), 0);
	for (uint8_t i = 1; i <= 5; i++) {
		who.src[0] = i;
		for (uint8_t k = 0; k < i; k++)
			blind_count(b, &who, 4, REASON_NO_SNI, i);
	}
	blind_count(b, &who, 4, REASON_NONE, 6);
	assert_int_equal(blind_hosts(b, hosts, 3), 3);
	assert_int_equal(hosts[0].address[0], 5);
	assert_int_equal(hosts[0].flows, 6);
	assert_int_equal(hosts[0].reasons[REASON_NO_SNI], 5);
	assert_int_equal(hosts[0].reasons[REASON_NONE], 1);
	assert_int_equal(hosts[1].address[0], 4);
	assert_int_equal(hosts[2].address[0], 3);
	assert_true(blind_reason(REASON_NO_SNI));
	assert_false(blind_reason(REASON_CLEAN));
	blind_free(b);
}

static void flood(void **state)
{
	uint64_t key[2] = { 5, 6 };
	struct blind *b = blind_new(key);
	static struct blind_host hosts[BLIND_HOSTS_MAX + 1];
	struct subject who = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 50000; i++) {
		memcpy(who.src, &i, sizeof(i));
		blind_count(b, &who, 6, REASON_ECH, i);
	}
	assert_in_range(blind_hosts(b, hosts, BLIND_HOSTS_MAX + 1), BLIND_HOSTS_MAX / 2, BLIND_HOSTS_MAX);
	blind_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(counts), cmocka_unit_test(flood) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
