/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts IP fragments of a capture together again, as the kernel's connection tracking does before our rules
 * see a packet (RFC 791, RFC 8200 4.5, RFC 5722). Bounded memory and time. */
#ifndef MINEWALL_DEFRAG_H
#define MINEWALL_DEFRAG_H

#include <stddef.h>
#include <stdint.h>

/* Datagrams in the making at one time; the oldest gives way. 64 KiB each at most, so 16 MiB. */
#define DEFRAG_SLOTS 256

/* As Linux: net.ipv4.ipfrag_time (30 s) and ip6frag_time (60 s); one value is enough here. */
#define DEFRAG_TIMEOUT_MS 60000

struct defrag;

/* NULL: no memory. */
struct defrag *defrag_new(void);
void defrag_free(struct defrag *d);

/* Takes one fragment of `len` captured bytes. Returns the whole packet's length and points *whole to it (valid until
 * the next call), or 0 if it is not complete yet or was given up. A fragment inside what is known is a duplicate;
 * any other overlap gives the datagram up, as Linux does for both families. Fragments cut by the capture are left out. */
size_t defrag_add(struct defrag *d, const uint8_t *ip, size_t len, uint64_t now_ms, const uint8_t **whole);

#endif
