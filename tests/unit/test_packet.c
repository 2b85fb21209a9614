/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nfq/packet: headers of every shape, and every cut of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nfq/packet.h"

/* Built at run time: `len` bytes of IP packet. */
struct wire {
	uint8_t bytes[512];
	size_t len;
};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void add(struct wire *w, const void *p, size_t len)
{
	memcpy(w->bytes + w->len, p, len);
	w->len += len;
}

/* An IP header without payload; finish() writes lengths and sums. */
static struct wire start(int family, uint8_t proto)
{
	static const uint8_t v4[20] = { 0x45, [8] = 64, [12] = 192, 0, 2, 10, 198, 51, 100, 20 };
	static const uint8_t v6[40] = { 0x60, [7] = 64, [8] = 0x20, 0x01, [23] = 0x10, [24] = 0x20, 0x01, [39] = 0x20 };
	struct wire w = { .len = 0 };

	if (family == 4)
		add(&w, v4, sizeof(v4));
	else
		add(&w, v6, sizeof(v6));
	w.bytes[family == 4 ? 9 : 6] = proto;
	return w;
}

static void add_tcp(struct wire *w, uint8_t flags, const char *payload)
{
	static const uint8_t head[24] = { 0xc3, 0x50, 0x01, 0xbb, 0, 0, 0, 41, 0, 0, 0, 1, 0x60, 0, 0xff, 0xff, [20] = 1, 1, 1, 0 };

	add(w, head, sizeof(head));
	w->bytes[w->len - 24 + 13] = flags;
	add(w, payload, strlen(payload));
}

static void add_udp(struct wire *w, const char *payload)
{
	uint8_t head[8] = { 0x0f, 0xa0, 0x00, 0x35 };

	put16(head + 4, (unsigned)(8 + strlen(payload)));
	add(w, head, sizeof(head));
	add(w, payload, strlen(payload));
}

/* Lengths and checksums, the transport header being at `at` with its checksum at `sum_at` behind it. */
static void finish(struct wire *w, size_t at, size_t sum_at, uint8_t proto)
{
	bool v4 = w->bytes[0] >> 4 == 4;
	size_t addrs = v4 ? 12 : 8, n = v4 ? 8 : 32;
	uint32_t sum = (uint32_t)(w->len - at) + proto;

	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)w->bytes[addrs + i] << (i % 2 ? 0 : 8);
	put16(w->bytes + at + sum_at, sum_of(w->bytes + at, w->len - at, sum));
	if (!v4) {
		put16(w->bytes + 4, (unsigned)(w->len - 40));
		return;
	}
	put16(w->bytes + 2, (unsigned)w->len);
	put16(w->bytes + 10, 0);
	put16(w->bytes + 10, sum_of(w->bytes, (w->bytes[0] & 15) * 4u, 0));
}

static struct wire tcp(int family, uint8_t flags, const char *payload)
{
	struct wire w = start(family, 6);
	size_t at = w.len;

	add_tcp(&w, flags, payload);
	finish(&w, at, 16, 6);
	return w;
}

static enum packet_result parse(const struct wire *w, size_t len, struct packet *k)
{
	/* an exact copy, so that a sanitizer sees each byte that is read behind the end */
	uint8_t *copy = malloc(len ? len : 1);
	enum packet_result r;

	assert_non_null(copy);
	memcpy(copy, w->bytes, len);
	r = packet_parse(copy, len, true, k);
	if (k->payload)
		k->payload = w->bytes + (k->payload - copy);
	free(copy);
	return r;
}

static void test_tcp(void **state)
{
	static const uint8_t mapped[16] = { [10] = 0xff, 0xff, 192, 0, 2, 10 };
	struct packet k;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		struct wire w = tcp(family, PACKET_ACK, "hello");

		assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
		assert_int_equal(k.family, family);
		assert_int_equal(k.proto, 6);
		assert_int_equal(k.sport, 50000);
		assert_int_equal(k.dport, 443);
		assert_int_equal(k.seq, 41);
		assert_int_equal(k.checksum, CHECKSUM_GOOD);
		assert_int_equal(k.payload_len, 5);
		assert_int_equal(k.payload_wire, 5);
		assert_memory_equal(k.payload, "hello", 5);
		if (family == 4)
			assert_memory_equal(k.src, mapped, 16);
	}
}

static void test_syn_moves_seq(void **state)
{
	struct wire w = tcp(4, PACKET_SYN, "early");
	struct packet k;

	(void)state;
	assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
	assert_int_equal(k.seq, 42);
}

static void test_bad_sums(void **state)
{
	struct wire w = tcp(4, PACKET_ACK, "hello");
	struct packet k;

	(void)state;
	w.bytes[w.len - 1] ^= 1;
	assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
	assert_int_equal(k.checksum, CHECKSUM_BAD);
	assert_int_equal(packet_parse(w.bytes, w.len, false, &k), PACKET_OK);
	assert_int_equal(k.checksum, CHECKSUM_GOOD);
	w = tcp(4, PACKET_ACK, "hello");
	w.bytes[8] = 3;		/* the IP header's own sum no longer fits */
	assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
	assert_int_equal(k.checksum, CHECKSUM_BAD);
}

static void test_udp(void **state)
{
	struct packet k;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		struct wire w = start(family, 17);
		size_t at = w.len;

		add_udp(&w, "odd");
		finish(&w, at, 6, 17);
		assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
		assert_int_equal(k.checksum, CHECKSUM_GOOD);
		assert_int_equal(k.payload_len, 3);
		put16(w.bytes + at + 6, 0);	/* no checksum: RFC 768 allows it, RFC 8200 does not */
		assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
		assert_int_equal(k.checksum, family == 4 ? CHECKSUM_GOOD : CHECKSUM_BAD);
		put16(w.bytes + at + 4, 7);
		assert_int_equal(parse(&w, w.len, &k), PACKET_BROKEN);
		put16(w.bytes + at + 4, 900);
		assert_int_equal(parse(&w, w.len, &k), PACKET_BROKEN);
		assert_int_equal(k.sport, 4000);
	}
}

static void test_padding_and_cut(void **state)
{
	struct wire w = tcp(4, PACKET_ACK, "hello");
	size_t whole = w.len;
	struct packet k;

	(void)state;
	add(&w, "\0\0\0\0\0\0", 6);
	assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
	assert_int_equal(k.payload_len, 5);
	assert_int_equal(k.checksum, CHECKSUM_GOOD);
	assert_int_equal(parse(&w, whole - 2, &k), PACKET_OK);
	assert_int_equal(k.payload_len, 3);
	assert_int_equal(k.payload_wire, 5);
	assert_int_equal(k.checksum, CHECKSUM_UNKNOWN);
}

static void test_length_zero(void **state)
{
	struct packet k;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		struct wire w = tcp(family, PACKET_ACK, "hello");

		put16(w.bytes + (family == 4 ? 2 : 4), 0);
		assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
		assert_int_equal(k.payload_len, 5);
		assert_int_equal(k.payload_wire, 5);
	}
}

static void test_extension_headers(void **state)
{
	static const uint8_t hop[8] = { 43, 0, 1, 4 }, routing[8] = { 60, 0 }, dest[16] = { 51, 1, 1, 12 };
	static const uint8_t auth[16] = { 44, 2 }, atomic[8] = { 6, 0, 0, 0, 0, 0, 0, 9 };
	struct wire w = start(6, 0);
	struct packet k;
	size_t at;

	(void)state;
	add(&w, hop, sizeof(hop));
	add(&w, routing, sizeof(routing));
	add(&w, dest, sizeof(dest));
	add(&w, auth, sizeof(auth));
	add(&w, atomic, sizeof(atomic));
	at = w.len;
	add_tcp(&w, PACKET_ACK, "deep");
	finish(&w, at, 16, 6);
	assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
	assert_int_equal(k.checksum, CHECKSUM_GOOD);
	assert_memory_equal(k.payload, "deep", 4);
	w.bytes[at - 5] = 1;	/* more fragments: a first fragment, whose ports are told */
	assert_int_equal(parse(&w, w.len, &k), PACKET_FRAGMENT);
	assert_int_equal(k.dport, 443);
	w.bytes[at - 6] = 1;	/* a later one */
	assert_int_equal(parse(&w, w.len, &k), PACKET_FRAGMENT);
	assert_int_equal(k.proto, 0);
}

static void test_v4_fragments(void **state)
{
	struct wire w = tcp(4, PACKET_ACK, "hello");
	struct packet k;

	(void)state;
	w.bytes[6] = 0x40;	/* do not fragment: no fragment */
	assert_int_equal(parse(&w, w.len, &k), PACKET_OK);
	w.bytes[6] = 0x20;
	assert_int_equal(parse(&w, w.len, &k), PACKET_FRAGMENT);
	assert_int_equal(k.proto, 6);
	w.bytes[7] = 3;
	assert_int_equal(parse(&w, w.len, &k), PACKET_FRAGMENT);
	assert_int_equal(k.proto, 0);
}

static void test_broken(void **state)
{
	struct wire w = tcp(4, PACKET_ACK, "hello");
	struct packet k;

	(void)state;
	w.bytes[32] = 0x40;	/* a TCP header of 16 bytes */
	assert_int_equal(parse(&w, w.len, &k), PACKET_BROKEN);
	w.bytes[32] = 0xf0;	/* and one longer than the packet */
	assert_int_equal(parse(&w, w.len, &k), PACKET_BROKEN);
	w.bytes[0] = 0x44;
	assert_int_equal(parse(&w, w.len, &k), PACKET_BROKEN);
	w.bytes[0] = 0x55;
	assert_int_equal(parse(&w, w.len, &k), PACKET_OTHER);
	w = start(4, 1);
	add_udp(&w, "ping");
	finish(&w, 20, 6, 1);
	assert_int_equal(parse(&w, w.len, &k), PACKET_OTHER);
}

/* No cut and no changed byte makes it read behind the end, or say more payload than there is. */
static void test_every_cut(void **state)
{
	struct packet k;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		struct wire w = tcp(family, PACKET_ACK, "hello, world");

		for (size_t len = 0; len <= w.len; len++) {
			if (parse(&w, len, &k) == PACKET_OK)
				assert_true(k.payload_len <= len && k.payload_len <= k.payload_wire);
		}
		for (size_t at = 0; at < w.len; at++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				w.bytes[at] ^= (uint8_t)(1u << bit);
				if (parse(&w, w.len, &k) == PACKET_OK)
					assert_true(k.payload_len <= k.payload_wire && k.payload_len < w.len);
				w.bytes[at] ^= (uint8_t)(1u << bit);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_syn_moves_seq),
		cmocka_unit_test(test_bad_sums),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_padding_and_cut),
		cmocka_unit_test(test_length_zero),
		cmocka_unit_test(test_extension_headers),
		cmocka_unit_test(test_v4_fragments),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
