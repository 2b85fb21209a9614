/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network interfaces of this machine: what they are and whether a default route leaves through them. Reads sysfs and the main
 * routing tables of /proc; changes nothing. */
#ifndef MINEWALL_INTERFACES_H
#define MINEWALL_INTERFACES_H

#include <stdbool.h>
#include <stddef.h>

#define INTERFACES_MAX 256

struct interface {
	char name[16];
	bool up;
	bool loopback;
	bool default4, default6;	/* a default route leaves through it, or two halves of one, as VPNs make them */
	bool bridge;
	bool port;			/* of a bridge */
	bool tunnel;			/* a point-to-point one: VPN, PPP */
	bool container;			/* the host's end of a pair into another namespace, or a bridge that is made for such */
	unsigned addresses;		/* but for link-local ones */
};

/* Fills `all` with up to INTERFACES_MAX, in the kernel's order; returns how many. */
size_t interfaces_read(struct interface all[INTERFACES_MAX]);

#endif
