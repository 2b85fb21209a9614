/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keyed hash of the daemon's fixed tables: plain 64-bit arithmetic, quick on 32-bit routers, too. Who does not know the key
 * cannot choose collisions. */
#ifndef MINEWALL_MIX_H
#define MINEWALL_MIX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The finaliser of MurmurHash3. */
static inline uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

/* Goes on from `h` with an address of 16 bytes. */
static inline uint64_t mix_address(uint64_t h, const uint8_t address[16])
{
	uint64_t a, b;

	memcpy(&a, address, sizeof(a));
	memcpy(&b, address + 8, sizeof(b));
	return mix(mix(h ^ a) ^ b);
}

/* Goes on from `h` with a name in any case. */
static inline uint64_t mix_name(uint64_t h, const uint8_t *name, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i];

		word = word << 8 | c;
		if (i % 8 == 7) {
			h = mix(h ^ word);
			word = 0;
		}
	}
	return mix(mix(h ^ word) ^ len);
}

#endif
