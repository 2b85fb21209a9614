// SPDX-License-Identifier: GPL-2.0-or-later
/* The examples of RFC 7541, appendix C, and what a hostile encoder may send: numbers without end, indices of nothing, tables that
 * are filled and shrunk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inspect/hpack.h"

static struct hpack table;

/* Reads a block given in hex; gives its fields as "name=value\n" and the last answer. */
static enum inspect_result fields(const char *hex, char *text)
{
	size_t n = strlen(hex) / 2, i;
	uint8_t *bytes = malloc(n ? n : 1);
	struct hpack_field f;
	struct cursor block;
	enum inspect_result r;

	assert_non_null(bytes);
	for (i = 0; i < n; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &bytes[i]), 1);
	block = cursor_make(bytes, n, n);
	*text = 0;
	while ((r = hpack_next(&table, &block, &f)) == INSPECT_MATCH)
		text += sprintf(text, "%.*s=%.*s\n", (int)f.name.len, (const char *)f.name.p, (int)f.value.len,
				f.value.len ? (const char *)f.value.p : "");
	free(bytes);
	return r;
}

static void gives(const char *hex, const char *want)
{
	char text[8192];

	assert_int_equal(fields(hex, text), INSPECT_MORE);
	assert_string_equal(text, want);
}

static void refuses(const char *hex)
{
	char text[8192];

	assert_int_equal(fields(hex, text), INSPECT_BAD);
}

/* C.3 and C.4: three requests on one connection, plain and with Huffman's code. */
static void requests(void **state)
{
	static const char *const blocks[2][3] = {
		{ "828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
		  "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565" },
		{ "828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf" },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		hpack_init(&table);
		gives(blocks[i][0], ":method=\n:scheme=\n:path=\n:authority=www.example.com\n");
		assert_int_equal(table.size, 57);
		gives(blocks[i][1], ":method=\n:scheme=\n:path=\n:authority=www.example.com\ncache-control=no-cache\n");
		assert_int_equal(table.size, 110);
		gives(blocks[i][2], ":method=\n:scheme=\n:path=\n:authority=www.example.com\ncustom-key=custom-value\n");
		assert_int_equal(table.size, 164);
		assert_int_equal(table.n, 3);
	}
}

/* C.5: responses, with a table of 256 bytes that evicts. */
static void eviction(void **state)
{
	(void)state;
	hpack_init(&table);
	gives("3fe101" "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
	      "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
	      ":status=302\ncache-control=private\ndate=Mon, 21 Oct 2013 20:13:21 GMT\nlocation=https://www.example.com\n");
	assert_int_equal(table.size, 222);
	gives("4803333037c1c0bf", ":status=307\ncache-control=private\ndate=Mon, 21 Oct 2013 20:13:21 GMT\nlocation=https://www.example.com\n");
	assert_int_equal(table.size, 222);
	assert_int_equal(table.n, 4);
	gives("20", "");
	assert_int_equal(table.n, 0);
	refuses("be");
}

/* Every octet through Huffman's code, which has lengths from 5 to 30 bits. */
static void all_octets(void **state)
{
	static const char hex[] =
		"000178ffc803ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffeb"
		"fffffecfffffedfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3fffffe7fffffe"
		"bfffffed4fe3f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58f265cd9f469d5af66dddbf87"
		"1e5f9cff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9ffffa3fff"
		"d3ffff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffbfffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1f"
		"fffe4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeeffffbdffffe1f"
		"ffdfffff7fffff5ffffecffff07fff87fffe0ffff17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbffff37ffff1fff"
		"ff83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8fffffe6f"
		"ffffc1fffff87ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcffffb7fffcdffff4fff"
		"f9ffffd1ffffcffffeaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fffffd3ffff"
		"fabfffff5fffffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf";
	uint8_t bytes[sizeof(hex) / 2] = { 0 };
	struct cursor block = cursor_make(bytes, sizeof(bytes), sizeof(bytes));
	struct hpack_field f;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &bytes[i]), 1);
	hpack_init(&table);
	assert_int_equal(hpack_next(&table, &block, &f), INSPECT_MATCH);
	assert_int_equal(f.value.len, 256);
	for (i = 0; i < 256; i++)
		assert_int_equal(f.value.p[i], i);
	assert_int_equal(hpack_next(&table, &block, &f), INSPECT_MORE);
	assert_int_equal(block.error, CURSOR_OK);
}

static void nonsense(void **state)
{
	(void)state;
	hpack_init(&table);
	refuses("80");					/* index 0 */
	refuses("be");					/* of an empty table */
	refuses("7f00");				/* literal, name 63 */
	refuses("ffffffffffffffff7f");			/* a number without end */
	refuses("3fe21f");				/* a table of 4097 */
	refuses("410a61");				/* longer than the block */
	refuses("0001788fffffffffffffffffffffffffffffff");	/* EOS */
	gives("3fe11f", "");
	gives("", "");
}

/* Entries without text, then many, then one that is too long: the indices stay right. */
static void tables(void **state)
{
	static char hex[9000], text[8192];
	size_t i, n = 0;

	(void)state;
	hpack_init(&table);
	for (i = 0; i < 1000; i++)
		n += (size_t)sprintf(hex + n, "400000");
	fields(hex, text);
	assert_int_equal(table.n, HPACK_ENTRIES_MAX);
	assert_int_equal(table.size, HPACK_TABLE_MAX);
	gives("4001610162", "a=b\n");
	assert_int_equal(table.n, HPACK_ENTRIES_MAX - 1);
	gives("be", "a=b\n");
	gives("7e0163", "a=c\n");	/* its name is taken before it goes */
	gives("bebf", "a=c\na=b\n");
	for (i = 0; i < 600; i++) {
		char one[64];

		snprintf(one, sizeof(one), "4004%08zx0830303030%08zx", i + 0x30303030, i + 0x30303030);
		assert_int_equal(fields(one, text), INSPECT_MORE);
		assert_true(table.size <= HPACK_TABLE_MAX);
	}
	assert_int_equal(table.n, HPACK_TABLE_MAX / (HPACK_ENTRY_COST + 12));
	n = (size_t)sprintf(hex, "4000ffffffff0f");
	refuses(hex);
	n = (size_t)sprintf(hex, "40007fe11e");		/* 4064 octets fit just so */
	for (i = 0; i < 4064 && n + 2 < sizeof(hex); i++)
		n += (size_t)sprintf(hex + n, "61");
	assert_int_equal(fields(hex, text), INSPECT_MORE);
	assert_int_equal(table.n, 1);
	assert_int_equal(table.size, HPACK_TABLE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests), cmocka_unit_test(eviction), cmocka_unit_test(all_octets), cmocka_unit_test(nonsense),
		cmocka_unit_test(tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
