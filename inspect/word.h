/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eight bytes at a time in a word of plain C, so that it is the same on every machine. Nothing here reads a byte that was not
 * lent. */
#ifndef MINEWALL_WORD_H
#define MINEWALL_WORD_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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
