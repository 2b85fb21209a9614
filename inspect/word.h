/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eight bytes at a time in a word of plain C, the same on every machine, and sixteen where they come for free. Nothing here reads a
 * byte that was not lent. */
#ifndef MINEWALL_WORD_H
#define MINEWALL_WORD_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The same byte eight times. */
#define WORD_EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))
#define WORD_TOPS WORD_EVERY(0x80)

/* Eight bytes, the first one lowest. */
static inline uint64_t word_read(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

/* Sets the top bit of each byte that lies between the two, of bytes below 0x80 alone: others must not be there. */
static inline uint64_t word_within(uint64_t low, unsigned from, unsigned to)
{
	return (low + WORD_EVERY(0x80 - from)) ^ (low + WORD_EVERY(0x7f - to));
}

/* Sets the top bit of each byte that is this one. */
static inline uint64_t word_same(uint64_t word, unsigned byte)
{
	uint64_t other = word ^ WORD_EVERY(byte);

	return ~(((other & ~WORD_TOPS) + ~WORD_TOPS) | other) & WORD_TOPS;
}

/* Sets the top bit of the first byte that is this one; bytes before it have none set, those behind it may. */
static inline uint64_t word_first(uint64_t word, unsigned byte)
{
	uint64_t other = word ^ WORD_EVERY(byte);

	return (other - WORD_EVERY(1)) & ~other & WORD_TOPS;
}

#define WORD_BLOCK 32u

/* Half of a block. */
static inline uint32_t word_any_half(const uint8_t *p, const uint8_t any[4])
{
#ifdef __SSE2__
	__m128i v = _mm_loadu_si128((const __m128i *)p);
	__m128i ab = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)any[0])), _mm_cmpeq_epi8(v, _mm_set1_epi8((char)any[1])));
	__m128i cd = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)any[2])), _mm_cmpeq_epi8(v, _mm_set1_epi8((char)any[3])));

	return (uint32_t)_mm_movemask_epi8(_mm_or_si128(ab, cd));
#else
	uint32_t bits = 0;

	for (unsigned i = 0; i < WORD_BLOCK / 2; i += 8) {
		uint64_t word = word_read(p + i);
		uint64_t tops = word_same(word, any[0]) | word_same(word, any[1]) | word_same(word, any[2]) | word_same(word, any[3]);

		/* the top bits side by side */
		bits |= (uint32_t)((tops >> 7) * UINT64_C(0x0102040810204080) >> 56) << i;
	}
	return bits;
#endif
}

/* Bit n: byte n of a block is one of these. */
static inline uint32_t word_any(const uint8_t *p, const uint8_t any[4])
{
	return word_any_half(p, any) | word_any_half(p + WORD_BLOCK / 2, any) << WORD_BLOCK / 2;
}

/* A to Z in lower case. */
static inline uint64_t word_lower(uint64_t word)
{
	return word | (word_within(word & ~WORD_TOPS, 'A', 'Z') & ~word & WORD_TOPS) >> 2;
}

/* Are all eight bytes ASCII letters and digits? */
static inline bool word_alnum(uint64_t word)
{
	uint64_t low = word & ~WORD_TOPS;

	return ((word_within(low | WORD_EVERY(0x20), 'a', 'z') | word_within(low, '0', '9')) & ~word & WORD_TOPS) == WORD_TOPS;
}

#endif
