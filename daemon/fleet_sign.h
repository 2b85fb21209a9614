/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ed25519 signatures of the fleet, by libsodium, which the fleet's process loads for itself. */
#ifndef MINEWALL_FLEET_SIGN_H
#define MINEWALL_FLEET_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0; -ELIBACC: the library is not installed; -ENOSYS: built without it. */
int fleet_sign_load(void);

/* As hints_verify of daemon/hints.h. */
bool fleet_sign_verify(const uint8_t signature[64], const void *text, size_t len, const uint8_t key[32]);

/* The key pair of a seed: what is told to others, and what signs. */
void fleet_sign_keys(const uint8_t seed[32], uint8_t key[32], uint8_t secret[64]);
void fleet_sign(uint8_t signature[64], const void *text, size_t len, const uint8_t secret[64]);

#endif
