// SPDX-License-Identifier: GPL-2.0-or-later
/* nfq/flow: the table never holds more than its size, gives up the flow that was not used for longest, and
 * keeps a blocked one for its time, however many others come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nfq/flow.h"

static const uint64_t secret[2] = { 1, 2 };

static struct flow *get(struct flow_table *t, uint16_t port, uint64_t now, bool *fresh)
{
	struct flow_key key = { .sport = port, .dport = 80, .family = 4, .proto = 6 };

	return flow_get(t, &key, flow_expect(t, &key), now, fresh);
}

static void test_least_used(void **state)
{
	struct flow_table *t = flow_table_new(16, 1, secret);
	bool fresh;

	(void)state;
	for (uint16_t port = 1; port <= 16; port++) {
		get(t, port, 0, &fresh);
		assert_true(fresh);
	}
	get(t, 1, 1, &fresh);
	assert_false(fresh);
	get(t, 100, 1, &fresh);		/* takes the place of 2 */
	assert_int_equal(flow_count(t), 16);
	get(t, 1, 1, &fresh);
	assert_false(fresh);
	get(t, 2, 1, &fresh);
	assert_true(fresh);
	flow_table_free(t);
}

static void test_blocked_stays(void **state)
{
	struct flow_table *t = flow_table_new(64, 1, secret);
	bool fresh;

	(void)state;
	get(t, 1, 0, &fresh)->state = FLOW_BLOCKED;
	for (uint16_t port = 2; port < 5000; port++)
		get(t, port, port, &fresh);
	assert_int_equal(get(t, 1, 6000, &fresh)->state, FLOW_BLOCKED);
	assert_false(fresh);
	get(t, 1, FLOW_BLOCKED_MS, &fresh);	/* its use does not make it younger */
	assert_false(fresh);
	get(t, 1, FLOW_BLOCKED_MS + 1, &fresh);
	assert_true(fresh);
	flow_table_free(t);
}

static void test_idle(void **state)
{
	struct flow_table *t = flow_table_new(4, 1, secret);
	bool fresh;

	(void)state;
	get(t, 1, 5, &fresh);
	get(t, 1, 5 + FLOW_IDLE_MS, &fresh);
	assert_false(fresh);
	get(t, 1, 6 + 2 * FLOW_IDLE_MS, &fresh);
	assert_true(fresh);
	assert_int_equal(flow_count(t), 1);
	flow_table_free(t);
}

/* The ring of names may have gone round: what is left is right, and the walk ends. */
static void test_names(void **state)
{
	struct flow_table *t = flow_table_new(16, 1, secret);
	bool fresh;
	struct flow *f = get(t, 1, 0, &fresh);
	uint8_t name[255], kind;
	uint64_t at;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		memset(name, 'a' + (int)(i % 26), sizeof(name));
		flow_note_name(t, f, (uint8_t)(i % 3), name, i % 256);
	}
	for (at = f->names; flow_name(t, &at, &kind, name) > 0; n++)
		assert_true(name[0] >= 'a' && name[0] <= 'z' && kind < 3);
	assert_true(n >= 1 && n < 30);
	flow_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least_used),
		cmocka_unit_test(test_blocked_stays),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
