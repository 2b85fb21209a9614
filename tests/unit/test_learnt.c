// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/tenants and daemon/learnt: neighbours are spared, name evidence is given back and protocol evidence is
 * not, and nothing grows without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/learnt.h"
#include "daemon/tenants.h"

static const uint64_t secret[2] = { 1, 2 };

static void test_neighbours(void **state)
{
	struct tenants *t = tenants_new(secret);
	uint8_t a[16] = { 1 }, b[16] = { 2 }, c[16] = { 3 }, d[16] = { 4 };

	(void)state;
	assert_false(tenants_harmless(t, a, 6, 443));
	assert_false(tenants_teach(t, a, 6, 443));
	assert_true(tenants_teach(t, a, 6, 3333));
	assert_true(tenants_teach(t, b, 6, 443));
	assert_true(tenants_teach(t, b, 6, 443));
	assert_true(tenants_harmless(t, b, 6, 443));	/* what was taught must go */
	assert_false(tenants_harmless(t, b, 6, 443));
	assert_false(tenants_teach(t, b, 6, 443));
	/* what DNS says of an address holds at every port */
	assert_false(tenants_resolved(t, c));
	assert_false(tenants_teach(t, c, 6, 443));
	assert_false(tenants_teach(t, c, 17, 1));
	assert_true(tenants_teach(t, d, 6, 3333));
	assert_true(tenants_resolved(t, d));
	assert_false(tenants_resolved(t, d));
	assert_false(tenants_teach(t, d, 6, 3333));
	tenants_free(t);
}

static void put(struct learnt *l, uint8_t n, enum evidence evidence, bool pair)
{
	struct element e = { .dst = { 9 }, .src = { n }, .family = 4, .proto = 6, .port = 443, .pair = pair, .timeout_s = 60 };
	struct event event = { .evidence = evidence };

	learnt_put(l, &e, &event, 100);
}

static void test_unlearning(void **state)
{
	struct learnt *l = learnt_new();
	struct element out[32];
	uint8_t dst[16] = { 9 };

	(void)state;
	for (uint8_t i = 0; i < 40; i++)
		put(l, i, EVIDENCE_NAME, true);
	put(l, 0, EVIDENCE_PROTOCOL, false);
	assert_int_equal(learnt_take_named(l, dst, 6, 80, out, 32), 0);
	assert_int_equal(learnt_take_named(l, dst, 6, 443, out, 32), 32);
	assert_int_equal(learnt_take_named(l, dst, 6, 443, out, 32), 8);
	assert_int_equal(learnt_take_named(l, dst, 6, 443, out, 32), 0);
	for (uint8_t i = 0; i < 3; i++)
		put(l, i, EVIDENCE_NAME, true);
	assert_int_equal(learnt_take_named(l, dst, 0, 0, out, 32), 3);	/* at any port */
	assert_int_equal(learnt_count(l), 1);
	learnt_expire(l, 161);
	assert_int_equal(learnt_count(l), 0);
	learnt_free(l);
}

/* What HTTP carries may stand behind a CDN; what a stream carries may not. */
static void test_whose_neighbours(void **state)
{
	(void)state;
	assert_true(learnt_has_neighbours(EVIDENCE_NAME, APP_TLS));
	assert_true(learnt_has_neighbours(EVIDENCE_SCORE, APP_TLS));
	assert_true(learnt_has_neighbours(EVIDENCE_PROTOCOL, APP_HTTP));
	assert_false(learnt_has_neighbours(EVIDENCE_PROTOCOL, APP_STRATUM));
	assert_false(learnt_has_neighbours(EVIDENCE_ADDRESS, APP_HTTP));
}

static void test_bounded(void **state)
{
	struct learnt *l = learnt_new();
	uint8_t mac[6] = { 1 }, address[16] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		memcpy(address, &i, sizeof(i));
		learnt_host(l, address, 4, mac, 5);
	}
	assert_true(learnt_count(l) <= 8192);
	assert_true(learnt_host_get(l, address, 4, mac));
	learnt_free(l);
}

static void test_growth(void **state)
{
	struct learnt *l = learnt_new();
	struct element try = { .dst = { 9 }, .src = { 1 }, .family = 4, .proto = 6, .port = 443, .packets = 5 };

	(void)state;
	assert_int_equal(learnt_growth(l, &try, 1), 5);
	assert_int_equal(learnt_growth(l, &try, 2), 0);
	try.packets = 7;
	assert_int_equal(learnt_growth(l, &try, 3), 2);
	try.packets = 3;	/* expired and made anew */
	assert_int_equal(learnt_growth(l, &try, 4), 3);
	learnt_free(l);
}

struct order {
	uint16_t ports[64];
	size_t n;
};

static void note_port(const struct element *e, const struct learnt_fleet *why, void *arg)
{
	struct order *o = arg;

	(void)why;
	o->ports[o->n++] = e->port;
}

/* Each table has a key of its own: who chooses what a fleet teaches cannot choose where it stands. */
static void test_keyed(void **state)
{
	struct learnt_fleet why = { .dialect = "x", .gateways = "a,b" };
	struct order orders[2] = { 0 };

	(void)state;
	for (int t = 0; t < 2; t++) {
		struct learnt *l = learnt_new();

		for (uint16_t port = 1; port <= 64; port++)
			learnt_put_fleet(l, &(struct element) { .dst = { 9 }, .family = 4, .proto = 6, .port = port, .timeout_s = 9 }, &why, 1);
		learnt_each_fleet(l, 1, note_port, &orders[t]);
		learnt_free(l);
	}
	assert_int_equal(orders[0].n, 64);
	assert_int_equal(orders[1].n, 64);
	assert_memory_not_equal(orders[0].ports, orders[1].ports, sizeof(orders[0].ports));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_unlearning),
		cmocka_unit_test(test_whose_neighbours),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_keyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
