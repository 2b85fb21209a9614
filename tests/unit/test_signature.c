/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signatures: files made by minisign 0.11 and signify 31 themselves, every byte of them changed, cut at every length. And the hash
 * that minisign signs, against the vectors of RFC 7693 and of another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/blake2b.h"
#include "cli/signature.h"

static const char data[] = "0.0.0.0 pool.signed.example\n";
static const char minisign_key[] = "RWRseBss1Ax6iv8kTqbXgxjyVqijy2Hx5n6ZiRNxbK17qGQ3bPs0Dbyg";
static const char signify_key[] = "RWSoo0J0BJZsWeLhH+gvWP6VOKtj2O+kuT2QKNNl8a/IuJ9n39iYFapS";
static const char hashed[] =
	"untrusted comment: signature from minisign secret key\n"
	"RURseBss1Ax6ipclZr6Bu/i2MkUF9ga6O4a+IOsd4d5QQp52r92MJkh7M/nIRVC/mDvPYgW+oHWbvjVKtsiU8o1baGK83gQK3Q0=\n"
	"trusted comment: timestamp:1795406400\tfile:d\n"
	"WRdlFMAGFkgykt8cI4XY8xsVSyHrwm5oBejzHlrHwheWHs9t9mWTXiYaZD66lg5ZlOh8JXJ+l5857Gb1gIKEBw==\n";
static const char legacy[] =
	"untrusted comment: signature from minisign secret key\n"
	"RWRseBss1Ax6ik1lR5WT/fTgd1dMHSqTzCrUVF0v4daktF0gE/1AyXlKRYpu7P98N7ST5gvl+lBRSDlCYn9Y4ZGqHObW8wt/iQ8=\n"
	"trusted comment: timestamp:1795408203\tfile:d\n"
	"D6hpuYXDpufFWfbJPKUzomoDnkXiCpv7aD493BNkeS7Jy5afH7upJWtucntf6kEzVG5Wzv6B7oXpfuudbMeFDg==\n";
static const char signify[] =
	"untrusted comment: verify with s.pub\n"
	"RWSoo0J0BJZsWcQIF7AW9I1CVIyDbfV2t/MyEF2IRyEk1qGfM78LFcWg7ZmG5tQchFgdW9FvG9gXBG7TPmYplTb80fU4FopSWwA=\n";

static enum signature check(const char *key, const char *text, size_t len, uint64_t *when)
{
	uint64_t scratch;

	return signature_check(key, text, len, data, strlen(data), when ? when : &scratch);
}

static void test_good(void **state)
{
	uint64_t when = 1;

	(void)state;
	assert_int_equal(check(minisign_key, hashed, strlen(hashed), &when), SIGNATURE_GOOD);
	assert_int_equal(when, 1795406400);
	assert_int_equal(check(minisign_key, legacy, strlen(legacy), &when), SIGNATURE_GOOD);
	assert_int_equal(when, 1795408203);
	assert_int_equal(check(signify_key, signify, strlen(signify), &when), SIGNATURE_GOOD);
	assert_int_equal(when, 0);
}

static void test_other_key(void **state)
{
	(void)state;
	assert_int_equal(check(signify_key, hashed, strlen(hashed), NULL), SIGNATURE_OTHER_KEY);
	assert_int_equal(check(minisign_key, signify, strlen(signify), NULL), SIGNATURE_OTHER_KEY);
	assert_int_equal(check("RW", hashed, strlen(hashed), NULL), SIGNATURE_SHAPE);
}

static void test_other_data(void **state)
{
	char changed[sizeof(data)];
	uint64_t when;

	(void)state;
	for (size_t i = 0; i < strlen(data); i++) {
		memcpy(changed, data, sizeof(data));
		changed[i] ^= 1;
		assert_int_equal(signature_check(minisign_key, hashed, strlen(hashed), changed, strlen(data), &when), SIGNATURE_WRONG);
		assert_int_equal(signature_check(signify_key, signify, strlen(signify), changed, strlen(data), &when), SIGNATURE_WRONG);
	}
	assert_int_equal(signature_check(minisign_key, hashed, strlen(hashed), data, strlen(data) - 1, &when), SIGNATURE_WRONG);
	assert_int_equal(signature_check(minisign_key, hashed, strlen(hashed), "", 0, &when), SIGNATURE_WRONG);
}

/* Where the line with this number begins. */
static size_t line_at(const char *text, unsigned n)
{
	const char *p = text;

	while (n--)
		p = strchr(p, '\n') + 1;
	return (size_t)(p - text);
}

/* Each byte that means something is changed: only the first line is anybody's. */
static void every_byte(const char *key, const char *text)
{
	size_t len = strlen(text);
	char *copy = malloc(len);
	uint64_t when;

	assert_non_null(copy);
	for (size_t i = line_at(text, 1); i < len - 1; i++) {
		memcpy(copy, text, len);
		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		if (copy[i] == text[i])
			continue;
		if (check(key, copy, len, &when) == SIGNATURE_GOOD)
			fail_msg("byte %zu changed, and still good", i);
		assert_int_equal(when, 0);
	}
	free(copy);
}

static void test_every_byte(void **state)
{
	(void)state;
	every_byte(minisign_key, hashed);
	every_byte(minisign_key, legacy);
	every_byte(signify_key, signify);
}

static void test_every_length(void **state)
{
	size_t two = line_at(hashed, 2), all = strlen(hashed);

	(void)state;
	for (size_t len = 0; len < all; len++) {
		/* On the heap, without an end: what reads on is seen by ASan. */
		char *copy = malloc(len + 1);
		enum signature s;

		assert_non_null(copy);
		memcpy(copy, hashed, len);
		s = check(minisign_key, copy, len, NULL);
		/* Without its comment it is what signify would have written; without the last line end it is whole. */
		assert_int_equal(s == SIGNATURE_GOOD, len == two || len == two - 1 || len == all - 1);
		free(copy);
	}
}

static void test_crlf_and_rest(void **state)
{
	char text[1024];
	size_t n = 0;

	(void)state;
	for (const char *p = hashed; *p; p++) {
		if (*p == '\n')
			text[n++] = '\r';
		text[n++] = *p;
	}
	assert_int_equal(check(minisign_key, text, n, NULL), SIGNATURE_GOOD);
	assert_int_equal(check(minisign_key, "", 0, NULL), SIGNATURE_SHAPE);
	memset(text, 'A', sizeof(text));
	assert_int_equal(check(minisign_key, text, sizeof(text), NULL), SIGNATURE_SHAPE);
}

static void must_hash(const void *bytes, size_t len, const char *expected)
{
	uint8_t digest[BLAKE2B_BYTES];
	char hex[2 * BLAKE2B_BYTES + 1];

	blake2b_hash(bytes, len, digest);
	for (int i = 0; i < BLAKE2B_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, expected);
}

static void test_blake2b(void **state)
{
	uint8_t bytes[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	/* RFC 7693, appendix A */
	must_hash("abc", 3,
		  "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
		  "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
	/* Python's hashlib: none, around one block, around two, many */
	must_hash("", 0,
		  "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419"
		  "d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce");
	must_hash(bytes, 127,
		  "b6292669ccd38d5f01caae96ba272c76a879a45743afa0725d83b9ebb26665b7"
		  "31f1848c52f11972b6644f554c064fa90780dbbbf3a89d4fc31f67df3e5857ef");
	must_hash(bytes, 128,
		  "2319e3789c47e2daa5fe807f61bec2a1a6537fa03f19ff32e87eecbfd64b7e0e"
		  "8ccff439ac333b040f19b0c4ddd11a61e24ac1fe0f10a039806c5dcc0da3d115");
	must_hash(bytes, 129,
		  "f59711d44a031d5f97a9413c065d1e614c417ede998590325f49bad2fd444d3e"
		  "4418be19aec4e11449ac1a57207898bc57d76a1bcf3566292c20c683a5c4648f");
	must_hash(bytes, 256,
		  "1ecc896f34d3f9cac484c73f75f6a5fb58ee6784be41b35f46067b9c65c63a67"
		  "94d3d744112c653f73dd7deb6666204c5a9bfa5b46081fc10fdbe7884fa5cbf8");
	must_hash(bytes, 1000,
		  "9fe687126e6566313081b43167cbfa0b4f721b45a5afd4076af327765d63a616"
		  "478ffbd1cd5fbe4033e8638b8bcf8de6b3978b54a30f1d9d8d68fbe66c2b74cf");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_other_data),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_crlf_and_rest),
		cmocka_unit_test(test_blake2b),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
