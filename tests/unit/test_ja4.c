// SPDX-License-Identifier: GPL-2.0-or-later
/* inspect/ja4: fingerprints that others have published for the same hellos, the corners of the description, and hellos that
 * are broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inspect/ja4.h"

/* OpenSSL 3.0 without a name, behind its record header. */
static const char openssl_hex[] =
	"0100011c03030e8ed3417cc410707ed4ef48787536985e451d1dc6cb8c8c3f76566cf9263a632062ef13e1"
	"0f312dff5648ebfd2fc04a23b29b66a4f3acf61b535276070c6c79d9003e130213031301c02cc030009fcca9cca8ccaa"
	"c02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d009c003d003c0035002f00ff01000095"
	"000b000403000102000a00160014001d0017001e0019001801000101010201030104002300000016000000170000000d"
	"002a0028040305030603080708080809080a080b080408050806040105010601030303010302040205020602002b0005"
	"0403040303002d00020101003300260024001d00203bf3087d3c2497a51433459680baed2ff84605c7c2b2b63760dce9"
	"80ceb1ac58";

struct hello {
	uint8_t b[20000];
	size_t len;
};

static struct hello h;

static void put(const void *bytes, size_t len)
{
	memcpy(h.b + h.len, bytes, len);
	h.len += len;
}

static void put16(unsigned v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(b, 2);
}

static void openssl(void)
{
	unsigned v;

	for (h.len = 0; h.len < sizeof(openssl_hex) / 2; h.len++) {
		assert_int_equal(sscanf(openssl_hex + 2 * h.len, "%2x", &v), 1);
		h.b[h.len] = (uint8_t)v;
	}
}

/* A hello of `n` suites from 1 on, and whatever extensions are put behind it. */
static void begin(unsigned n)
{
	h.len = 0;
	put("\1\0\0\0\3\3", 6);
	put(openssl_hex, 32);
	put("", 1);
	put16(2 * n);
	for (unsigned i = 0; i < n; i++)
		put16(i + 1);
	put("\1\0", 2);
}

static const char *text(bool quic)
{
	static char out[JA4_TEXT];
	uint8_t *block = malloc(h.len ? h.len : 1);

	size_t len;

	memcpy(block, h.b, h.len);
	len = ja4_text(out, (struct view){ block, h.len }, quic);
	assert_int_equal(len, strlen(out));
	free(block);
	return out;
}

static void test_openssl(void **state)
{
	(void)state;
	openssl();
	assert_string_equal(text(false), "t13i310900_e8f1e7e78f70_1f22a2ca17c4");
	assert_string_equal(text(true), "q13i310900_e8f1e7e78f70_1f22a2ca17c4");
	h.b[h.len - 0x95 - 1] += 18;	/* the extensions' length: one more of 18 bytes */
	put("\0\0\0\x0e\0\x0c\0\0\x09" "a.example", 18);
	assert_string_equal(text(false), "t13d311000_e8f1e7e78f70_1f22a2ca17c4");
}

/* The hash of the description's own example lists. */
static void test_example(void **state)
{
	static const uint16_t suites[] = { 0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
					   0xc014, 0x009c, 0x009d, 0x002f, 0x0035 };
	static const uint16_t order[] = { 0x2a2a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
					  0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015 };
	size_t at;

	(void)state;
	begin(0);
	h.len -= 4;
	put16(sizeof(suites));
	for (size_t i = 0; i < sizeof(suites) / 2; i++)
		put16(suites[i]);
	put("\1\0", 2);
	at = h.len;
	put16(0);
	for (size_t i = 0; i < sizeof(order) / 2; i++) {
		put16(order[i]);
		if (order[i] == 16)
			put("\0\x0e\0\x0c\2h2\x08http/1.1", 16);
		else if (order[i] == 43)
			put("\0\7\6\x3a\x3a\3\4\3\3", 9);
		else if (order[i] == 13)
			put("\0\x12\0\x10\4\3\x08\4\4\1\5\3\x08\5\5\1\x08\6\6\1", 20);
		else
			put16(0);
	}
	h.b[at + 1] = (uint8_t)(h.len - at - 2);
	h.b[at] = (uint8_t)((h.len - at - 2) >> 8);
	assert_string_equal(text(false), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

static void alpn_is(const char *bytes, size_t len, const char *want)
{
	begin(1);
	put16((unsigned)len + 7);
	put16(16);
	put16((unsigned)len + 3);
	put16((unsigned)len + 1);
	put(&(uint8_t){ (uint8_t)len }, 1);
	put(bytes, len);
	assert_memory_equal(text(false) + 8, want, 2);
}

static void test_alpn(void **state)
{
	(void)state;
	alpn_is("", 0, "00");
	alpn_is("h", 1, "hh");
	alpn_is("h3", 2, "h3");
	alpn_is("http/1.1", 8, "h1");
	alpn_is("\xab", 1, "ab");
	alpn_is(" ", 1, "20");
	alpn_is("\xab\xcd", 2, "ad");
	alpn_is(" a", 2, "21");
	alpn_is("0\xab", 2, "3b");
	alpn_is("a ", 2, "60");
	alpn_is("01\xab\xcd", 4, "3d");
	alpn_is("0\xab\xcd" "1", 4, "01");
}

static void test_corners(void **state)
{
	(void)state;
	begin(1);	/* no extensions, TLS 1.2 */
	assert_string_equal(text(false) + 24, "000000000000");
	assert_memory_equal(text(false), "t12i010000_", 11);
	begin(0);
	assert_memory_equal(text(false), "t12i000000_000000000000_", 24);
	begin(120);
	assert_memory_equal(text(false), "t12i990000_", 11);
	begin(257);	/* nobody offers so many */
	assert_string_equal(text(false), "");
}

static void test_cut(void **state)
{
	size_t len;

	(void)state;
	openssl();
	for (len = h.len, h.len = 0; h.len < len; h.len++)
		if (h.len != len - 0x95 - 2)	/* there it is a hello without extensions */
			assert_string_equal(text(false), "");
	assert_int_equal(strlen(text(false)), 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openssl), cmocka_unit_test(test_example), cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_corners), cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
