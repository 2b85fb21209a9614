// SPDX-License-Identifier: GPL-2.0-or-later
/* Services that belong into the LAN, and their ports (IANA). Data only: the kernel's rules do the rest. */
#include <netinet/in.h>

#include "policy/policy.h"

const struct hygiene_port *hygiene_ports(size_t *n)
{
	static const struct hygiene_port ports[] = {
		{ HYGIENE_SMB, IPPROTO_TCP, 445 },	{ HYGIENE_NETBIOS, IPPROTO_TCP, 139 }, { HYGIENE_NETBIOS, IPPROTO_UDP, 137 },
		{ HYGIENE_NETBIOS, IPPROTO_UDP, 138 },	{ HYGIENE_RDP, IPPROTO_TCP, 3389 },    { HYGIENE_RDP, IPPROTO_UDP, 3389 },
	};

	*n = sizeof(ports) / sizeof(ports[0]);
	return ports;
}

const char *hygiene_text(enum hygiene service)
{
	switch (service) {
	case HYGIENE_SMB:
		return "hygiene.smb";
	case HYGIENE_NETBIOS:
		return "hygiene.netbios";
	case HYGIENE_RDP:
		return "hygiene.rdp";
	case HYGIENE_COUNT:
		break;
	}
	return "";
}
