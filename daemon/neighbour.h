/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link address that the kernel knows for a host of the local network. */
#ifndef MINEWALL_NEIGHBOUR_H
#define MINEWALL_NEIGHBOUR_H

#include <stdint.h>

/* Looks `address` (IPv4 v4-mapped) up in the neighbour table (rtnetlink(7)). 0, -ENOENT, -errno. */
int neighbour_mac(const uint8_t address[16], uint8_t family, uint8_t mac[6]);

#endif
