// SPDX-License-Identifier: GPL-2.0-or-later
/* inspect/quic and gquic: the RFCs' own packets, every version's keys, and datagrams whose lengths lie. All bytes stand in heap
 * blocks of their size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inspect/gquic.h"
#include "inspect/quic.h"
#include "inspect/tls.h"
#include "tests/unit/quic_build.h"

/* The CRYPTO frame of RFC 9001 A.2, which RFC 9369 A.2 sends, too: a hello for example.com. */
static const char rfc_frame[] =
	"060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c000004130113"
	"02010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d00170018001000070005"
	"04616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce1"
	"5d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c0002400100"
	"3900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806"
	"048000ffff";
static const uint8_t rfc_cid[] = { 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08 };

struct reading {
	enum quic_kind kind;
	bool opened;
	enum inspect_result hello;
	struct facts facts;
	uint8_t room[20000];
	uint8_t stream[20000];
	unsigned pieces;
	size_t len;
	struct quic_packet packet;
};

static struct reading *seen;
static struct quic_keys *keys;

static size_t unhex(uint8_t *out, const char *hex)
{
	size_t n = strlen(hex) / 2;
	unsigned v;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

/* Reads the first packet of a datagram, and the hello in it. */
static void show(const uint8_t *bytes, size_t len)
{
	uint8_t *block = malloc(len ? len : 1);
	struct cursor c, frames;
	struct quic_piece piece;
	struct view plain;
	uint64_t number = 0;

	memcpy(block, bytes, len);
	seen->opened = false;
	seen->hello = INSPECT_NO;
	seen->len = seen->pieces = 0;
	c = cursor_make(block, len, len);
	seen->kind = quic_next(&c, &seen->packet);
	if (seen->kind == QUIC_INITIAL) {
		quic_keys_of(keys, seen->packet.version, seen->packet.cid);
		seen->opened = quic_open(keys, &seen->packet, &number, seen->room, sizeof(seen->room), &plain);
	}
	frames = seen->opened ? cursor_make(plain.p, plain.len, plain.len) : cursor_make(NULL, 0, 0);
	while (quic_crypto(&frames, &piece)) {
		if (piece.offset < 16000) {
			memcpy(seen->stream + piece.offset, piece.bytes.p, piece.bytes.len);
			seen->len = piece.offset + piece.bytes.len > seen->len ? piece.offset + piece.bytes.len : seen->len;
		}
		seen->pieces++;
	}
	inspect_reset(&seen->facts);
	if (seen->len)
		seen->hello = tls_handshake((struct view){ seen->stream, seen->len }, NAME_QUIC_SNI, &seen->facts);
	free(block);
}

static void must_name(const char *name)
{
	assert_int_equal(seen->kind, QUIC_INITIAL);
	assert_true(seen->opened);
	assert_int_equal(seen->hello, INSPECT_MATCH);
	assert_int_equal(seen->facts.n_names, 1);
	assert_int_equal(seen->facts.names[0].kind, NAME_QUIC_SNI);
	assert_int_equal(seen->facts.names[0].host.len, strlen(name));
	assert_memory_equal(seen->facts.names[0].host.p, name, strlen(name));
}

/* What the RFCs print of their packets: the first bytes and the tag, which holds for all between. */
static void test_rfc_packets(void **state)
{
	static const struct {
		uint32_t version;
		const char *head, *tag;
	} rfc[] = {
		{ QUIC_V1, "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11", "e221af44860018ab0856972e194cd934" },
		{ QUIC_V2, "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485", "a18b2faa745b6fe189cf772a9f84cbfc" },
	};
	uint8_t frame[300], head[32], tag[16], packet[1300];
	size_t len = unhex(frame, rfc_frame), made;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct quic_made q = { .version = rfc[i].version, .dcid_len = sizeof(rfc_cid), .number = 2 };

		memcpy(q.dcid, rfc_cid, sizeof(rfc_cid));
		unhex(head, rfc[i].head);
		unhex(tag, rfc[i].tag);
		made = quic_make(&q, frame, len, 1200, packet);
		assert_int_equal(made, 1200);
		assert_memory_equal(packet, head, sizeof(head));
		assert_memory_equal(packet + made - 16, tag, sizeof(tag));
		show(packet, made);
		must_name("example.com");
		assert_true(seen->facts.tls_alpn);
		assert_int_equal(seen->facts.tls_version, 0x0304);
	}
}

static void test_rfc_keys(void **state)
{
	static const uint8_t iv1[] = { 0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c };
	static const uint8_t iv2[] = { 0x91, 0xf7, 0x3e, 0x23, 0x51, 0xd8, 0xfa, 0x91, 0x66, 0x0e, 0x90, 0x9f };
	struct view cid = { rfc_cid, sizeof(rfc_cid) };

	(void)state;
	quic_keys_of(keys, QUIC_V1, cid);
	assert_memory_equal(keys->iv, iv1, sizeof(iv1));
	quic_keys_of(keys, QUIC_V2, cid);
	assert_memory_equal(keys->iv, iv2, sizeof(iv2));
}

static size_t make(const struct quic_made *q, const char *name, size_t pad, size_t min, uint8_t *out)
{
	uint8_t hello[8000], frame[8100];
	size_t len = quic_made_hello(hello, name, pad);

	return quic_make(q, frame, quic_made_crypto(frame, 0, hello, len), min, out);
}

static void test_versions(void **state)
{
	uint8_t packet[2000];

	(void)state;
	for (unsigned draft = 23; draft <= 36; draft++) {
		struct quic_made q = { .version = draft == 35 ? QUIC_V1 : draft == 36 ? QUIC_V2 : QUIC_DRAFT(draft) };

		for (unsigned more = 0; more < 4; more++) {
			q.number_len = (uint8_t)(1 + more);
			q.number = 3 + more;
			q.token_len = (uint16_t)(more * 50);
			q.scid_len = (uint8_t)(more * 5);
			q.dcid_len = (uint8_t)(8 + more * 4);
			q.greased = more == 2;
			show(packet, make(&q, "pool.example", more * 100, 1200, packet));
			must_name("pool.example");
		}
	}
}

static void test_versions_not_known(void **state)
{
	static const uint32_t unknown[] = { 0x0a1a2a3a, 0xbabababa, 0xff000099, 0x12345678 };
	struct quic_made q = { .dcid_len = 8 };
	uint8_t packet[2000];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		q.version = unknown[i];
		show(packet, make(&q, "pool.example", 0, 1200, packet));
		assert_int_equal(seen->kind, QUIC_UNREADABLE);
	}
	/* no first packet is so short, or has so short an id */
	show(packet, make(&q, "pool.example", 0, 0, packet));
	assert_int_equal(seen->kind, QUIC_BROKEN);
	q.dcid_len = 4;
	show(packet, make(&q, "pool.example", 0, 1200, packet));
	assert_int_equal(seen->kind, QUIC_BROKEN);
}

static void test_ids_of_any_length(void **state)
{
	struct quic_made q = { .version = QUIC_V1 };
	uint8_t packet[2000];

	(void)state;
	for (unsigned len = 0; len <= 255; len++) {
		q.dcid_len = (uint8_t)len;
		show(packet, make(&q, "pool.example", 0, 1200, packet));
		if (len <= QUIC_CID_MAX)
			must_name("pool.example");
		else
			assert_int_equal(seen->kind, QUIC_BROKEN);
	}
}

/* Cut anywhere, or with one bit turned: never a name, never a byte too far. */
static void test_cut_and_broken(void **state)
{
	struct quic_made q = { .version = QUIC_V1, .dcid_len = 8, .scid_len = 4, .token_len = 20 };
	uint8_t packet[2000];
	size_t len = make(&q, "pool.example", 0, 300, packet);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		show(packet, cut);
		assert_false(seen->opened);
	}
	for (size_t bit = 0; bit < len * 8; bit++) {
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		show(packet, len);
		assert_false(seen->opened);
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	show(packet, len);
	must_name("pool.example");
}

static void show_frames(const uint8_t *frames, size_t len)
{
	struct quic_made q = { .version = QUIC_V1, .dcid_len = 8 };
	uint8_t packet[8000];

	show(packet, quic_make(&q, frames, len, 1200, packet));
	assert_true(seen->opened);
}

static void test_frames(void **state)
{
	static const uint8_t before[] = { 0, 0, 1, 2, 5, 0, 1, 0, 1, 1, 3, 7, 0x40, 9, 0, 2, 1, 2, 3, 0, 1, 1, 1 };
	static const uint8_t closing[] = { 0x1c, 1, 0, 2, 'h', 'i' };
	uint8_t frames[2000], hello[1000];
	size_t len = quic_made_hello(hello, "pool.example", 100), n = sizeof(before);

	(void)state;
	memcpy(frames, before, n);
	for (size_t at = len; at > 0; at -= at > 20 ? 20 : at) {	/* from its end to its start */
		size_t piece = at > 20 ? 20 : at;

		n += quic_made_crypto(frames + n, (uint32_t)(at - piece), hello + at - piece, piece);
		frames[n++] = 1;
	}
	memcpy(frames + n, closing, sizeof(closing));
	show_frames(frames, n + sizeof(closing));
	must_name("pool.example");
	assert_int_equal(seen->pieces, (len + 19) / 20);
	/* nothing is read behind a frame that no Initial may have, or one that reaches too far */
	n = quic_made_crypto(frames, 0, hello, 10);
	frames[n++] = 0x1e;
	n += quic_made_crypto(frames + n, 10, hello + 10, len - 10);
	show_frames(frames, n);
	assert_int_equal(seen->pieces, 1);
	show_frames((const uint8_t *)"\x06\x00\x7f\xff" "abc", 7);
	assert_int_equal(seen->pieces, 0);
	show_frames((const uint8_t *)"\x02\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00", 12);
	assert_int_equal(seen->pieces, 0);
	show_frames((const uint8_t *)"\x06\xff\xff\xff\xff\xff\xff\xff\xff\x01" "a", 11);
	assert_int_equal(seen->pieces, 1);	/* an offset that no window reaches: the caller's business */
}

static void test_packet_numbers(void **state)
{
	struct quic_made q = { .version = QUIC_V1, .dcid_len = 8, .number_len = 1 };
	static const struct {
		uint64_t expected;
		uint32_t sent;
		bool good;
	} numbers[] = {
		{ 0, 255, true }, { 201, 300, true }, { 1000000, 3, true }, { 1000, 1023, true }, { 0, 300, false }, { 5000, 300, false },
	};
	uint8_t packet[2000];
	struct view frames, cid = { q.dcid, 8 };

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t expected = numbers[i].expected;
		struct cursor c;
		size_t len;
		bool good;

		q.number = numbers[i].sent;
		len = make(&q, "pool.example", 0, 1200, packet);
		c = cursor_make(packet, len, len);
		assert_int_equal(quic_next(&c, &seen->packet), QUIC_INITIAL);
		quic_keys_of(keys, QUIC_V1, cid);
		good = quic_open(keys, &seen->packet, &expected, seen->room, sizeof(seen->room), &frames);
		assert_int_equal(good, numbers[i].good);
		if (numbers[i].good)
			assert_true(expected > numbers[i].sent);
		/* no room: refused, not cut */
		assert_false(quic_open(keys, &seen->packet, &expected, seen->room, len - 1, &frames));
	}
}

static void test_coalesced(void **state)
{
	struct quic_made early = { .version = QUIC_V1, .dcid_len = 8, .type = 1 }, q = { .version = QUIC_V1, .dcid_len = 8 };
	uint8_t bytes[6000];
	size_t len = make(&early, "other.example", 0, 0, bytes), at[3];
	struct quic_packet packet;
	struct cursor c;

	(void)state;
	for (int i = 0; i < 3; i++) {
		at[i] = len;
		len += make(&q, "pool.example", 0, 0, bytes + len);
		memset(bytes + len, 0, 5 * (size_t)i);
		len += 5 * (size_t)i;
	}
	bytes[len++] = 0x40;	/* a short one ends it */
	c = cursor_make(bytes, len, len);
	assert_int_equal(quic_next(&c, &packet), QUIC_OTHER);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(quic_next(&c, &packet), QUIC_INITIAL);
		assert_ptr_equal(packet.all.p, bytes + at[i]);
	}
	assert_int_equal(quic_next(&c, &packet), QUIC_END);
}

static void test_no_quic(void **state)
{
	static const char *const others[] = {
		"", "\x40" "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\x16\xfe\xfd" "dtls", "\x80\x60rtp rtp rtp",
		"\xc0\x00\x00\x00\x01\xff", "hello",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		show((const uint8_t *)others[i], i == 5 ? 5 : i == 4 ? 6 : strlen(others[i]));
		assert_int_equal(seen->kind, i == 1 || i == 5 ? QUIC_SHORT : QUIC_BROKEN);
	}
}

static void test_version_text(void **state)
{
	static const struct {
		uint32_t version;
		const char *text;
	} words[] = { { 1, "1" }, { QUIC_V2, "2" }, { 0xff00001d, "draft-29" }, { 0x51303436, "Q046" }, { 0x54303531, "T051" },
		      { 0xfaceb002, "faceb002" }, { 0x0a1a2a3a, "a1a2a3a" }, { 0xffffffff, "ffffffff" }, { 0, "0" } };
	char text[QUIC_VERSION_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		quic_version_text(text, words[i].version);
		assert_string_equal(text, words[i].text);
	}
}

/* -- Google's ------------------------------------------------------------------------------------------------- */

/* A CHLO of three tags. */
static size_t google_hello(uint8_t *out, const char *name)
{
	uint32_t ends[] = { 40, 40 + (uint32_t)strlen(name), 44 + (uint32_t)strlen(name) };
	static const char tags[] = "PAD\0SNI\0VER";
	size_t n = 8;

	memcpy(out, "CHLO\3\0\0\0", 8);
	for (int i = 0; i < 3; i++) {
		memcpy(out + n, tags + 4 * i, 4);
		for (int b = 0; b < 4; b++)
			out[n + 4 + b] = (uint8_t)(ends[i] >> 8 * b);
		n += 8;
	}
	memset(out + n, '-', 40);
	memcpy(out + n + 40, name, strlen(name));
	memcpy(out + n + 40 + strlen(name), "Q043", 4);
	return n + ends[2];
}

static size_t google_datagram(uint8_t *out, int version, const char *name)
{
	uint8_t hello[400];
	size_t len = google_hello(hello, name), n = 0;

	out[n++] = version < 44 ? 0x09 : 0xc3;
	if (version < 44) {
		memset(out + n, 7, 8);
		n += 8;
	}
	out[n++] = 'Q';
	out[n++] = '0';
	out[n++] = (uint8_t)('0' + version / 10);
	out[n++] = (uint8_t)('0' + version % 10);
	if (version >= 44) {
		out[n++] = 0x50;
		memset(out + n, 7, 8);
		n += 8 + 3;
	}
	out[n++] = 1;
	memset(out + n, 0x0d, 12);
	n += 12;
	if (version < 34)
		out[n++] = 1;
	out[n++] = 0xa0;
	out[n++] = 1;
	out[n++] = (uint8_t)(version < 39 ? len : len >> 8);
	out[n++] = (uint8_t)(version < 39 ? len >> 8 : len);
	memcpy(out + n, hello, len);
	return n + len;
}

static enum inspect_result show_google(const uint8_t *bytes, size_t len)
{
	uint8_t *block = malloc(len ? len : 1);
	enum inspect_result r;

	memcpy(block, bytes, len);
	inspect_reset(&seen->facts);
	r = gquic_datagram((struct view){ block, len }, &seen->facts);
	if (seen->facts.n_names) {
		memcpy(seen->room, seen->facts.names[0].text.p, seen->facts.names[0].text.len);
		seen->room[seen->facts.names[0].text.len] = '\0';
	}
	free(block);
	return r;
}

static void test_google(void **state)
{
	static const int versions[] = { 24, 30, 33, 34, 35, 39, 43, 44, 46 };
	uint8_t bytes[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		size_t len = google_datagram(bytes, versions[i], "pool.example");

		assert_int_equal(show_google(bytes, len), INSPECT_MATCH);
		assert_int_equal(seen->facts.n_names, 1);
		assert_string_equal((char *)seen->room, "pool.example");
		assert_int_equal(seen->facts.names[0].kind, NAME_QUIC_SNI);
		assert_int_equal(seen->facts.app, APP_QUIC);
		for (size_t cut = 0; cut < len; cut++)
			assert_true(show_google(bytes, cut) != INSPECT_BAD && !(cut < len - 4 && seen->facts.n_names));
	}
	assert_int_equal(show_google(bytes, google_datagram(bytes, 47, "pool.example")), INSPECT_NO);
	assert_int_equal(show_google(bytes, google_datagram(bytes, 23, "pool.example")), INSPECT_NO);
}

static int setup(void **state)
{
	(void)state;
	seen = calloc(1, sizeof(*seen));
	keys = calloc(1, sizeof(*keys));
	return !seen || !keys;
}

static int teardown(void **state)
{
	(void)state;
	free(seen);
	free(keys);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_packets), cmocka_unit_test(test_rfc_keys), cmocka_unit_test(test_versions),
		cmocka_unit_test(test_versions_not_known), cmocka_unit_test(test_ids_of_any_length),
		cmocka_unit_test(test_cut_and_broken), cmocka_unit_test(test_frames),
		cmocka_unit_test(test_packet_numbers), cmocka_unit_test(test_coalesced), cmocka_unit_test(test_no_quic),
		cmocka_unit_test(test_version_text), cmocka_unit_test(test_google),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
