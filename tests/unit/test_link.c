/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/link: hostile frames of every link type. That the right ones are read shows tests/corpus/make_samples.py,
 * one sample a link type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "cli/link.h"

#define DLT_LAST 300

static const uint8_t ip4[20] = { 0x45, 0, 0, 20 };

static bool read_copy(int dlt, const uint8_t *bytes, size_t len, struct link_ip *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool found;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	found = link_ip(dlt, copy, len, out);
	if (found)
		assert_true(out->ip >= copy && out->len > 0 && out->ip + out->len <= copy + len);
	free(copy);
	return found;
}

static void test_known(void **state)
{
	struct link_ip out;

	(void)state;
	assert_true(link_known(DLT_EN10MB));
	assert_true(link_known(DLT_LINUX_SLL2));
	assert_false(link_known(DLT_IEEE802_15_4));
	assert_false(read_copy(DLT_IEEE802_15_4, ip4, sizeof(ip4), &out));
}

static void test_mac(void **state)
{
	uint8_t frame[34] = { 1, 1, 1, 1, 1, 1, 2, 0, 0, 0, 0, 7, 0x08, 0x00 };
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 7 };
	struct link_ip out;

	(void)state;
	memcpy(frame + 14, ip4, sizeof(ip4));
	assert_true(read_copy(DLT_EN10MB, frame, sizeof(frame), &out));
	assert_int_equal(out.len, 20);
	assert_true(out.mac_known);
	assert_memory_equal(out.mac, mac, 6);
	frame[13] = 0xdd;
	frame[12] = 0x86;	/* says IPv6, carries IPv4 */
	assert_false(read_copy(DLT_EN10MB, frame, sizeof(frame), &out));
}

/* A frame of nothing but VLAN tags, and one of nothing but MPLS labels, ends. */
static void test_nesting_ends(void **state)
{
	static uint8_t frame[4096];
	struct link_ip out;

	(void)state;
	for (size_t i = 12; i + 4 <= sizeof(frame); i += 4)
		memcpy(frame + i, "\x81\x00\x00\x01", 4);
	assert_false(read_copy(DLT_EN10MB, frame, sizeof(frame), &out));
	memset(frame + 12, 0, sizeof(frame) - 12);
	memcpy(frame + 12, "\x88\x47", 2);
	assert_false(read_copy(DLT_EN10MB, frame, sizeof(frame), &out));
}

/* Every link type with bytes of every kind, at every length. */
static void test_noise(void **state)
{
	uint8_t frame[96];
	uint32_t random = 1;
	struct link_ip out;

	(void)state;
	for (int round = 0; round < 60; round++) {
		for (size_t i = 0; i < sizeof(frame); i++) {
			random = random * 1664525 + 1013904223;
			frame[i] = (uint8_t)(round < 3 ? (uint32_t)round * 0x7f : random >> 24);
			/* small numbers make for long headers that fit */
			if (round % 3 == 1)
				frame[i] &= 0x13;
		}
		for (int dlt = 0; dlt < DLT_LAST; dlt++) {
			for (size_t len = 0; link_known(dlt) && len <= sizeof(frame); len++)
				read_copy(dlt, frame, len, &out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_nesting_ends),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
