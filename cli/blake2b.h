/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BLAKE2b-512 without a key (RFC 7693), because minisign signs the hash of a file and nettle has none of this kind. Nothing
 * else may be hashed with it: the rest of the program uses nettle. */
#ifndef MINEWALL_BLAKE2B_H
#define MINEWALL_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE2B_BYTES 64

void blake2b_hash(const void *data, size_t len, uint8_t digest[BLAKE2B_BYTES]);

#endif
