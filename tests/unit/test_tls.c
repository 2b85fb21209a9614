// SPDX-License-Identifier: GPL-2.0-or-later
/* ClientHellos: whole, cut anywhere, over many records, hostile. The base is a hello of OpenSSL 3.0 without
 * SNI; names and key shares are put into it here. */
#include "tests/unit/feed.h"

#define BASE_LEN 293
#define EXT_LEN_AT 136		/* the base's u16 length of all extensions */

static const char base_hex[] =
	"16030101200100011c03030e8ed3417cc410707ed4ef48787536985e451d1dc6cb8c8c3f76566cf9263a632062ef13e1"
	"0f312dff5648ebfd2fc04a23b29b66a4f3acf61b535276070c6c79d9003e130213031301c02cc030009fcca9cca8ccaa"
	"c02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d009c003d003c0035002f00ff01000095"
	"000b000403000102000a00160014001d0017001e0019001801000101010201030104002300000016000000170000000d"
	"002a0028040305030603080708080809080a080b080408050806040105010601030303010302040205020602002b0005"
	"0403040303002d00020101003300260024001d00203bf3087d3c2497a51433459680baed2ff84605c7c2b2b63760dce9"
	"80ceb1ac58";

struct bytes {
	uint8_t b[40000];
	size_t len;
};

static void put(struct bytes *to, const void *p, size_t len)
{
	assert_true(len <= sizeof(to->b) - to->len);
	memcpy(to->b + to->len, p, len);
	to->len += len;
}

static void put16(struct bytes *to, size_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(to, b, 2);
}

static void set16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void base(struct bytes *h)
{
	size_t i;
	unsigned v;

	h->len = 0;
	for (i = 0; i < BASE_LEN; i++) {
		assert_int_equal(sscanf(base_hex + 2 * i, "%2x", &v), 1);
		h->b[h->len++] = (uint8_t)v;
	}
}

/* Makes the three outer lengths fit the extensions as they are now. */
static void fit(struct bytes *h)
{
	set16(h->b + 3, h->len - 5);
	set16(h->b + 7, h->len - 9);
	set16(h->b + EXT_LEN_AT + 6, h->len - EXT_LEN_AT - 8);
}

static void add_ext(struct bytes *h, unsigned type, const void *p, size_t len)
{
	put16(h, type);
	put16(h, len);
	put(h, p, len);
	fit(h);
}

static void add_sni(struct bytes *h, const void *name, size_t len)
{
	struct bytes e = { .len = 0 };

	put16(&e, len + 3);
	put(&e, "", 1);
	put16(&e, len);
	put(&e, name, len);
	add_ext(h, 0, e.b, e.len);
}

static void hello(struct bytes *h, const char *name)
{
	base(h);
	if (name)
		add_sni(h, name, strlen(name));
}

/* The same hello in records of at most `size` bytes. */
static void cut_records(struct bytes *to, const struct bytes *h, size_t size, uint8_t minor)
{
	size_t at, n;

	to->len = 0;
	for (at = 5; at < h->len; at += n) {
		uint8_t head[3] = { 0x16, 3, minor };

		n = h->len - at < size ? h->len - at : size;
		put(to, head, 3);
		put16(to, n);
		put(to, h->b + at, n);
	}
}

/* Every prefix: MORE until the last byte, then the name; ended early: never a wrong name. */
static void every_cut(const struct bytes *h, const char *name)
{
	size_t n;

	for (n = 0; n < h->len; n++) {
		assert_int_equal(feed(h->b, n), INSPECT_MORE);
		assert_int_equal(feed_facts.n_names, 0);
		if (feed_last(h->b, n) == INSPECT_MATCH) {
			assert_int_equal(feed_facts.n_names, 1);
			feed_name(0, NAME_TLS_SNI, name, name);
		}
	}
	assert_int_equal(feed(h->b, h->len), INSPECT_MATCH);
	assert_int_equal(feed_facts.app, APP_TLS);
	assert_int_equal(feed_facts.consumed, h->len);
	assert_int_equal(feed_facts.n_names, name != NULL);
	if (name)
		feed_name(0, NAME_TLS_SNI, name, name);
}

static void without_sni(void **state)
{
	struct bytes h;

	(void)state;
	hello(&h, NULL);
	assert_int_equal(h.len, BASE_LEN);
	every_cut(&h, NULL);
	assert_int_equal(feed_facts.tls_version, 0x0304);
	assert_false(feed_facts.tls_ech);
	assert_false(feed_facts.mining);
	assert_int_equal(feed_facts.again, AGAIN_NO);
	put(&h, "\x14\x03\x03\x00\x01\x01", 6);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
	assert_int_equal(feed_facts.consumed, BASE_LEN);
}

static void with_sni(void **state)
{
	struct bytes h;

	(void)state;
	hello(&h, "pool.example");
	every_cut(&h, "pool.example");
	/* the hello stands in one record: the name is a view into the stream */
	assert_true(feed_facts.names[0].text.p > feed_block && feed_facts.names[0].text.p < feed_block + h.len);
}

static void post_quantum(void **state)
{
	static uint8_t share[1220] = { 0x04, 0xc2, 0x11, 0xec, 0x04, 0xbc };
	struct bytes h;

	(void)state;
	base(&h);
	add_ext(&h, 51, share, sizeof(share));
	add_sni(&h, "pool.example", 12);
	add_ext(&h, 21, share, 200);
	assert_true(h.len > 1700);
	every_cut(&h, "pool.example");
}

static void early_name_when_ended(void **state)
{
	struct bytes h;

	(void)state;
	hello(&h, "pool.example");
	add_ext(&h, 21, feed_facts.names, 300);
	assert_int_equal(feed_last(h.b, h.len - 200), INSPECT_MATCH);
	feed_name(0, NAME_TLS_SNI, "pool.example", "pool.example");
	assert_int_equal(feed_last(h.b, 200), INSPECT_BAD);
	assert_int_equal(feed_last(h.b, 5), INSPECT_NO);
}

static void records(void **state)
{
	static const size_t sizes[] = { 1, 3, 7, 100, 300 };
	struct bytes h, r;
	size_t i;

	(void)state;
	hello(&h, "Pool.Example");
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cut_records(&r, &h, sizes[i], 0x99);
		every_cut(&r, "Pool.Example");
	}
	/* an empty handshake record first, and one in between */
	r.len = 0;
	put(&r, "\x16\x03\x01\0\0\x16\x03\0\0\x03", 10);
	put(&r, h.b + 5, 3);
	put(&r, "\x16\x03\x01\0\0\x16\x03\x03", 8);
	put16(&r, h.len - 8);
	put(&r, h.b + 8, h.len - 8);
	every_cut(&r, "Pool.Example");
}

static void names_in_order(void **state)
{
	static const char two[] = "\0\x12\0\0\x05" "a.one\0\0\x07" "b.two.x";
	struct bytes h;

	(void)state;
	base(&h);
	add_ext(&h, 0, two, sizeof(two) - 1);
	add_sni(&h, "c.three", 7);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
	assert_int_equal(feed_facts.n_names, 3);
	feed_name(0, NAME_TLS_SNI, "a.one", "a.one");
	feed_name(1, NAME_TLS_SNI, "b.two.x", "b.two.x");
	feed_name(2, NAME_TLS_SNI, "c.three", "c.three");
}

static void too_many_names(void **state)
{
	struct bytes h;
	unsigned i;

	(void)state;
	base(&h);
	for (i = 0; i <= FACTS_NAMES_MAX; i++)
		add_sni(&h, "x.example", 9);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
	assert_int_equal(feed_facts.n_names, FACTS_NAMES_MAX);
	assert_true(feed_facts.names_lost);
}

static void odd_names(void **state)
{
	static const struct { const char *text, *host; } odd[] = {
		{ "a.example.", "a.example" }, { "a.example..", "a.example." }, { "192.0.2.1", NULL }, { "", NULL },
		{ ".", NULL }, { "2001:db8::1", NULL }, { "a b", NULL }, { "a\xc3\xa9", NULL }, { "_a.x-y.Z", "_a.x-y.Z" },
		{ "xn--a.example", "xn--a.example" }, { "a:443", NULL }, { "0x7f.1", NULL }, { "127.0x1", NULL },
		{ "7.pool9", "7.pool9" }, { "a\x7f", NULL },
	};
	char longest[257];
	struct bytes h;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		hello(&h, odd[i].text);
		assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
		assert_int_equal(feed_facts.n_names, 1);
		feed_name(0, NAME_TLS_SNI, odd[i].text, odd[i].host);
	}
	base(&h);
	add_sni(&h, "pool\0.example", 13);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
	assert_int_equal(feed_facts.names[0].text.len, 13);
	assert_false(feed_facts.names[0].matchable);
	memset(longest, 'a', 256);
	longest[256] = 0;
	hello(&h, longest);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
	assert_false(feed_facts.names[0].matchable);
}

static void versions_and_ech(void **state)
{
	struct bytes h;

	(void)state;
	base(&h);
	h.b[EXT_LEN_AT + 6] = h.b[EXT_LEN_AT + 7] = 0;
	h.len = EXT_LEN_AT + 8;
	fit(&h);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
	assert_int_equal(feed_facts.tls_version, 0x0303);
	add_ext(&h, 43, "\x06\x7a\x7a\x03\x03\x03\x02", 7);
	add_ext(&h, 0xfe0d, "\x01", 1);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
	assert_int_equal(feed_facts.tls_version, 0x0303);
	assert_true(feed_facts.tls_ech);
	/* no extensions at all, as before TLS 1.2 */
	h.len = EXT_LEN_AT + 6;
	set16(h.b + 3, h.len - 5);
	set16(h.b + 7, h.len - 9);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
	assert_int_equal(feed_facts.n_names, 0);
}

static void refused_before_hello(void **state)
{
	static const char *const first[] = {
		"\x14\x03\x03\x00\x01\x01", "\x15\x03\x01\x00\x02\x01\x00", "\x17\x03\x03\x00\x01z",
	};
	struct bytes h, r;
	size_t i;

	(void)state;
	hello(&h, "pool.example");
	for (i = 0; i < 3; i++) {
		r.len = 0;
		put(&r, first[i], 5 + (size_t)first[i][4]);
		put(&r, h.b, h.len);
		assert_int_equal(feed(r.b, r.len), INSPECT_NO);
	}
	h.b[1] = 4;
	assert_int_equal(feed(h.b, h.len), INSPECT_NO);
	h.b[1] = 3;
	h.b[5] = 2;
	assert_int_equal(feed(h.b, h.len), INSPECT_NO);
	/* an alert between two pieces of the hello */
	r.len = 0;
	put(&r, "\x16\x03\x01\0\x02\x01\0\x15\x03\x01\0\x02\x01\0", 14);
	assert_int_equal(feed(r.b, r.len), INSPECT_BAD);
}

static void broken(void **state)
{
	struct bytes h;

	(void)state;
	hello(&h, NULL);
	h.b[6] = 1;
	assert_int_equal(feed(h.b, h.len), INSPECT_BAD);	/* 65 KiB */
	hello(&h, NULL);
	set16(h.b + EXT_LEN_AT + 6, 5000);
	assert_int_equal(feed(h.b, h.len), INSPECT_BAD);
	hello(&h, NULL);
	h.b[43] = 255;
	assert_int_equal(feed(h.b, h.len), INSPECT_BAD);
	hello(&h, NULL);
	set16(h.b + 3, 16385);
	assert_int_equal(feed(h.b, h.len), INSPECT_NO);
}

static void largest(void **state)
{
	static uint8_t pad[17000];
	struct bytes h, r;

	(void)state;
	base(&h);
	add_ext(&h, 21, pad, 16000 - h.len);
	add_sni(&h, "pool.example", 12);
	assert_int_equal(feed(h.b, h.len - 1), INSPECT_MORE);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);
	feed_name(0, NAME_TLS_SNI, "pool.example", "pool.example");
	cut_records(&r, &h, 100, 1);
	assert_int_equal(feed(r.b, INSPECT_BYTES_MAX - 1), INSPECT_MORE);
	assert_int_equal(feed(r.b, r.len), INSPECT_BAD);
	base(&h);
	add_sni(&h, "pool.example", 12);
	add_ext(&h, 21, pad, 16384 - 4 - h.len + 5);
	assert_int_equal(feed(h.b, 20), INSPECT_MORE);
	assert_int_equal(feed(h.b, h.len), INSPECT_MATCH);	/* cut by the budget, the name was there */
}

static void sslv2(void **state)
{
	static const uint8_t v2[] = { 0x80, 0x1c, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 5,
				      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	size_t n;

	(void)state;
	for (n = 1; n < sizeof(v2); n++)
		assert_int_equal(feed(v2, n), INSPECT_MORE);
	assert_int_equal(feed(v2, sizeof(v2)), INSPECT_MATCH);
	assert_int_equal(feed_facts.app, APP_TLS);
	assert_int_equal(feed_facts.tls_version, 0x0301);
	assert_int_equal(feed_facts.n_names, 0);
	assert_int_equal(feed("\x80\x1c\x02\x03\x01", 5), INSPECT_NO);
	assert_int_equal(feed("\x80\x1c\x01\x03\x01\0\x04\0\0\0\x10", 11), INSPECT_NO);
}

static void picked_up_in_the_middle(void **state)
{
	const struct feed unsure = { SIDE_UNSURE, false, APP_UNKNOWN }, server = { SIDE_SERVER, false, APP_UNKNOWN };
	struct bytes h;

	(void)state;
	assert_int_equal(feed_as(unsure, "\x17\x03\x03\x00", 4), INSPECT_MORE);
	assert_int_equal(feed_as(unsure, "\x17\x03\x03\x40\x11z", 6), INSPECT_MATCH);
	assert_int_equal(feed_facts.app, APP_TLS);
	assert_int_equal(feed_facts.n_names, 0);
	assert_int_equal(feed_as(unsure, "\x14\x03\x03\x00\x01\x01", 6), INSPECT_MATCH);
	assert_int_equal(feed_as(unsure, "\x15\x03\x03\x00\x1a\x01", 6), INSPECT_MATCH);
	assert_int_equal(feed_as(unsure, "\x17\x03\x03\xff\x11z", 6), INSPECT_NO);
	assert_int_equal(feed_as(unsure, "\x17\x07\x03\x00\x11z", 6), INSPECT_NO);
	assert_int_equal(feed_as(server, "\x16\x03\x03\x00\x7a\x02\x00", 7), INSPECT_MATCH);
	hello(&h, "pool.example");
	assert_int_equal(feed_as(unsure, h.b, h.len), INSPECT_MATCH);
	feed_name(0, NAME_TLS_SNI, "pool.example", "pool.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_sni), cmocka_unit_test(with_sni), cmocka_unit_test(post_quantum),
		cmocka_unit_test(early_name_when_ended), cmocka_unit_test(records), cmocka_unit_test(names_in_order),
		cmocka_unit_test(too_many_names), cmocka_unit_test(odd_names), cmocka_unit_test(versions_and_ech),
		cmocka_unit_test(refused_before_hello), cmocka_unit_test(broken), cmocka_unit_test(largest),
		cmocka_unit_test(sslv2), cmocka_unit_test(picked_up_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
