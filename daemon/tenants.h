/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Co-tenancy memory: at which address and port was a harmless name seen, or for which address did DNS give one? A blocked name there must not teach
 * the kernel, or its innocent neighbours would be hit. Fixed size, no lock, old places give way. */
#ifndef MINEWALL_TENANTS_H
#define MINEWALL_TENANTS_H

#include <stdbool.h>
#include <stdint.h>

struct tenants;

/* NULL: no memory. `key` is the secret of the hash. */
struct tenants *tenants_new(const uint64_t key[2]);
void tenants_free(struct tenants *t);

/* tenants_harmless will be asked: what stands there is fetched meanwhile. */
void tenants_expect(const struct tenants *t, const uint8_t dst[16], uint8_t proto, uint16_t port);

/* A name that nothing speaks against was seen at `dst`. True: a name was taught there and must be unlearnt now. */
bool tenants_harmless(struct tenants *t, const uint8_t dst[16], uint8_t proto, uint16_t port);

/* DNS said that a name which nothing speaks against stands for `dst`. True: a name was taught there, at some port, and must be
 * unlearnt now. */
bool tenants_resolved(struct tenants *t, const uint8_t dst[16]);

/* May a name teach the kernel at `dst`? If so it is noted that one did. */
bool tenants_teach(struct tenants *t, const uint8_t dst[16], uint8_t proto, uint16_t port);

#endif
