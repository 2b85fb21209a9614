/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eight bytes of a name at a time, as eight numbers of seven bits in one word. Plain C: what it saves over one byte at a time is
 * most of the time that a big list takes to read. */
#ifndef MINEWALL_EIGHT_H
#define MINEWALL_EIGHT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* A byte eight times, and the top bit of each of the eight. */
#define EIGHT(c) (UINT64_C(0x0101010101010101) * (c))
#define EIGHT_TOPS EIGHT(0x80)

/* First byte lowest. `n` of 1 to 8 bytes; zeros behind them. */
static inline uint64_t eight_load(const void *from, size_t n)
{
	uint64_t word = 0;

	memcpy(&word, from, n);
	return le64toh(word);
}

static inline void eight_store(void *to, uint64_t word)
{
	word = htole64(word);
	memcpy(to, &word, sizeof(word));
}

/* Top bits of the bytes from `first` to `last`; the word has no top bits set. */
static inline uint64_t eight_between(uint64_t word, unsigned char first, unsigned char last)
{
	return (word + EIGHT(0x80u - first)) & ~(word + EIGHT(0x7fu - last)) & EIGHT_TOPS;
}

/* A to Z in lower case. */
static inline uint64_t eight_lower(uint64_t word)
{
	return word | eight_between(word & ~EIGHT_TOPS, 'A', 'Z') >> 2;
}

/* The byte that the lowest top bit stands for: 0 to 7. */
static inline unsigned eight_first(uint64_t tops)
{
	return (unsigned)__builtin_ctzll(tops) >> 3;
}

#endif
