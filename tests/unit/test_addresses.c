/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address rules: every spelling that is taken, every one that is refused, and the search by longest prefix. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/addresses.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_parse(void **state)
{
	static const struct { const char *text; enum address_problem problem; const char *print; uint16_t port; } rows[] = {
		{ "192.0.2.7", ADDRESS_GOOD, "192.0.2.7/32", 0 },
		{ "198.51.100.0/24", ADDRESS_GOOD, "198.51.100.0/24", 0 },
		{ "0.0.0.0/0", ADDRESS_GOOD, "0.0.0.0/0", 0 },
		{ "192.0.2.7/32", ADDRESS_GOOD, "192.0.2.7/32", 0 },
		{ "192.0.2.7:3333", ADDRESS_GOOD, "192.0.2.7/32", 3333 },
		{ "2001:db8::7", ADDRESS_GOOD, "2001:db8::7/128", 0 },
		{ "2001:db8::/32", ADDRESS_GOOD, "2001:db8::/32", 0 },
		{ "::/0", ADDRESS_GOOD, "::/0", 0 },
		{ "[2001:db8::7]", ADDRESS_GOOD, "2001:db8::7/128", 0 },
		{ "[2001:DB8::7]:3333", ADDRESS_GOOD, "2001:db8::7/128", 3333 },
		{ "[2001:db8::7]:65535", ADDRESS_GOOD, "2001:db8::7/128", 65535 },
		{ "::ffff:192.0.2.7", ADDRESS_GOOD, "192.0.2.7/32", 0 },
		{ "10.0.0.5/8", ADDRESS_HOST_BITS, "10.0.0.0/8", 0 },
		{ "192.0.2.129/25", ADDRESS_HOST_BITS, "192.0.2.128/25", 0 },
		{ "1.2.3.4/0", ADDRESS_HOST_BITS, "0.0.0.0/0", 0 },
		{ "2001:db8::7/33", ADDRESS_HOST_BITS, "2001:db8::/33", 0 },
		{ "1.2.3.4/33", ADDRESS_PREFIX, NULL, 0 }, { "2001:db8::/129", ADDRESS_PREFIX, NULL, 0 },
		{ "1.2.3.4/", ADDRESS_PREFIX, NULL, 0 }, { "1.2.3.4/-1", ADDRESS_PREFIX, NULL, 0 },
		{ "1.2.3.4/8x", ADDRESS_PREFIX, NULL, 0 }, { "1.2.3.4/4294967328", ADDRESS_PREFIX, NULL, 0 },
		{ "1.2.3.4:0", ADDRESS_PORT, NULL, 0 }, { "1.2.3.4:99999", ADDRESS_PORT, NULL, 0 },
		{ "1.2.3.4:", ADDRESS_PORT, NULL, 0 }, { "1.2.3.4:+5", ADDRESS_PORT, NULL, 0 },
		{ "[2001:db8::7]:65536", ADDRESS_PORT, NULL, 0 }, { "[2001:db8::7]:", ADDRESS_PORT, NULL, 0 },
		{ "", ADDRESS_SHAPE, NULL, 0 }, { "1.2.3", ADDRESS_SHAPE, NULL, 0 }, { "1.2.3/24", ADDRESS_SHAPE, NULL, 0 },
		{ "1.2.3.04", ADDRESS_SHAPE, NULL, 0 }, { "1.2.3.4 ", ADDRESS_SHAPE, NULL, 0 }, { "256.1.1.1", ADDRESS_SHAPE, NULL, 0 },
		{ "[192.0.2.7]:1", ADDRESS_SHAPE, NULL, 0 }, { "[2001:db8::7", ADDRESS_SHAPE, NULL, 0 },
		{ "[2001:db8::7]3333", ADDRESS_SHAPE, NULL, 0 }, { "fe80::1%eth0", ADDRESS_SHAPE, NULL, 0 },
		{ "pool.example", ADDRESS_SHAPE, NULL, 0 }, { "pool.example:3333", ADDRESS_SHAPE, NULL, 0 },
		{ "1.2.3.4/8:80", ADDRESS_PREFIX, NULL, 0 }, { "2001:db8::1:2:3:4:5:6:7:8", ADDRESS_SHAPE, NULL, 0 },
		{ "1111111111111111111111111111111111111111111111111111111111", ADDRESS_SHAPE, NULL, 0 },
	};
	char text[ADDRESS_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct network net = { 0 };

		if (address_parse(rows[i].text, strlen(rows[i].text), &net) != rows[i].problem)
			fail_msg("%s", rows[i].text);
		if (!rows[i].print)
			continue;
		address_print(&net, text);
		assert_string_equal(text, rows[i].print);
		assert_int_equal(net.port, rows[i].port);
	}
}

static void add(struct address_set *set, const char *text, unsigned line)
{
	struct network net = { .line = line };

	assert_int_equal(address_parse(text, strlen(text), &net), ADDRESS_GOOD);
	assert_int_equal(address_set_add(set, &net, text, strlen(text)), 0);
}

static const char *match(const struct address_set *set, const char *text, uint16_t port)
{
	const struct network *found;
	struct network net;

	assert_int_equal(address_parse(text, strlen(text), &net), ADDRESS_GOOD);
	found = address_set_match(set, net.addr, port);
	return found ? found->text : "-";
}

static void test_match(void **state)
{
	static const char *const entries[] = {
		"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "10.1.2.3:3333", "10.1.2.3:4444", "192.0.2.0/24", "2001:db8::/32",
		"[2001:db8::7]:3333", "::/0", "192.0.2.0/24",
	};
	struct address_set set = { 0 };
	struct network v4 = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(entries); i++)
		add(&set, entries[i], (unsigned)i + 1);
	address_set_seal(&set);
	assert_string_equal(match(&set, "10.9.9.9", 1), "10.0.0.0/8");
	assert_string_equal(match(&set, "10.255.255.255", 0), "10.0.0.0/8");
	assert_string_equal(match(&set, "11.0.0.0", 0), "-");
	assert_string_equal(match(&set, "9.255.255.255", 0), "-");
	assert_string_equal(match(&set, "10.1.255.1", 5), "10.1.0.0/16");
	assert_string_equal(match(&set, "10.1.2.3", 80), "10.1.2.3");
	assert_string_equal(match(&set, "10.1.2.3", 3333), "10.1.2.3:3333");
	assert_string_equal(match(&set, "10.1.2.3", 4444), "10.1.2.3:4444");
	assert_string_equal(match(&set, "10.1.2.4", 4444), "10.1.0.0/16");
	assert_string_equal(match(&set, "2001:db8::7", 3333), "[2001:db8::7]:3333");
	assert_string_equal(match(&set, "2001:db8::7", 3334), "2001:db8::/32");
	assert_string_equal(match(&set, "2001:db9::", 1), "::/0");
	assert_string_equal(match(&set, "203.0.113.1", 1), "-");	/* ::/0 is no IPv4 network */
	assert_int_equal(address_parse("192.0.2.9", 9, &v4), ADDRESS_GOOD);
	assert_int_equal(address_set_match(&set, v4.addr, 1)->line, 6);	/* the first of two equal ones */
	address_set_fini(&set);
	assert_null(address_set_match(&set, v4.addr, 1));
	address_set_fini(&set);
}

static void test_read(void **state)
{
	static const char good[] = "# head\n\n 203.0.113.0/24 # a note\r\n2001:db8::/32\n192.0.2.1";
	static const char bad[] = "203.0.113.0/24\n203.0.113.1:80\n";
	struct address_set set = { 0 };
	uint8_t address[16] = { [10] = 0xff, 0xff, 203, 0, 113, 9 };
	unsigned line;

	(void)state;
	assert_int_equal(address_set_read(&set, good, sizeof(good) - 1, &line), 0);
	address_set_seal(&set);
	assert_int_equal(set.n, 3);
	assert_non_null(address_set_match(&set, address, 443));
	address_set_fini(&set);
	memset(&set, 0, sizeof(set));
	assert_int_equal(address_set_read(&set, bad, sizeof(bad) - 1, &line), -EINVAL);
	assert_int_equal(line, 2);
	address_set_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
