/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 7693, sections 2 and 3, with 64 bytes of digest and no key. Not constant in time over the length: what is hashed here is
 * public. */
#include "cli/blake2b.h"

#include <string.h>

#define BLOCK 128
#define ROUNDS 12

/* Section 2.6: the fractional bits of the square roots of the first eight primes. */
static const uint64_t iv[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Section 2.7: which word goes where in each round; rounds 10 and 11 begin anew. */
static const uint8_t sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x >> n | x << (64 - n);
}

static uint64_t load(const uint8_t *p)
{
	uint64_t x = 0;

	for (int i = 7; i >= 0; i--)
		x = x << 8 | p[i];
	return x;
}

static void mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y)
{
	*a += *b + x;
	*d = rotate(*d ^ *a, 32);
	*c += *d;
	*b = rotate(*b ^ *c, 24);
	*a += *b + y;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 63);
}

/* Section 3.2. `total` bytes have been taken with this block; no message here has 2^64. */
static void compress(uint64_t h[8], const uint8_t *block, uint64_t total, int last)
{
	uint64_t v[16], m[16];

	memcpy(v, h, 64);
	memcpy(v + 8, iv, 64);
	v[12] ^= total;
	if (last)
		v[14] = ~v[14];
	for (int i = 0; i < 16; i++)
		m[i] = load(block + 8 * i);
	for (int round = 0; round < ROUNDS; round++) {
		const uint8_t *s = sigma[round % 10];

		for (int i = 0; i < 4; i++)
			mix(&v[i], &v[4 + i], &v[8 + i], &v[12 + i], m[s[2 * i]], m[s[2 * i + 1]]);
		for (int i = 0; i < 4; i++)
			mix(&v[i], &v[4 + (i + 1) % 4], &v[8 + (i + 2) % 4], &v[12 + (i + 3) % 4], m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
	}
	for (int i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[8 + i];
}

void blake2b_hash(const void *data, size_t len, uint8_t digest[BLAKE2B_BYTES])
{
	const uint8_t *p = data;
	uint8_t last[BLOCK] = { 0 };
	uint64_t h[8], total = 0;

	memcpy(h, iv, sizeof(h));
	h[0] ^= 0x01010000 | BLAKE2B_BYTES;
	for (; len > BLOCK; p += BLOCK, len -= BLOCK)
		compress(h, p, total += BLOCK, 0);
	if (len)
		memcpy(last, p, len);
	compress(h, last, total + len, 1);
	for (int i = 0; i < BLAKE2B_BYTES; i++)
		digest[i] = (uint8_t)(h[i / 8] >> 8 * (i % 8));
}
