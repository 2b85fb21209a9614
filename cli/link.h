/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the IP packet inside a captured frame of any link type that carries IP. Opens links (VLAN tags,
 * PPPoE, MPLS labels, LLC), never tunnels: what an IP packet carries is left alone. */
#ifndef MINEWALL_LINK_H
#define MINEWALL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_ip {
	const uint8_t *ip;	/* into the frame */
	size_t len;		/* captured bytes from there, the link's padding and trailer included */
	uint8_t mac[6];		/* sender's link address if mac_known */
	bool mac_known;
};

/* Is `dlt` (a DLT_ value of libpcap) a link type that link_ip can read? */
bool link_known(int dlt);

/* Fills `out` and returns true if the frame of `len` captured bytes carries an IPv4 or IPv6 packet. */
bool link_ip(int dlt, const uint8_t *frame, size_t len, struct link_ip *out);

#endif
