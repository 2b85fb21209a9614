/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One IP packet as a value: addresses, ports, sequence number and a view of its payload. Bounds-checked;
 * walks IPv6 extension headers; never copies. */
#ifndef MINEWALL_PACKET_H
#define MINEWALL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where in its flow a packet stands, as our kernel rules (or replay's model of them) know it. */
enum packet_origin {
	ORIGIN_ORIGINAL,	/* from the opener of a flow whose start the table saw */
	ORIGIN_OLDER_ORIGINAL,	/* flow older than the table; conntrack's original direction */
	ORIGIN_OLDER_REPLY,	/* flow older than the table; conntrack's reply direction */
	ORIGIN_REPLY,		/* answer of a DNS server, in a flow whose start the table saw */
};

enum packet_checksum {
	CHECKSUM_GOOD,		/* verified, or vouched for by the kernel */
	CHECKSUM_BAD,
	CHECKSUM_UNKNOWN,	/* the packet was cut short by the capture */
};

#define PACKET_FIN 0x01u
#define PACKET_SYN 0x02u
#define PACKET_RST 0x04u
#define PACKET_ACK 0x10u

struct packet {
	uint8_t family;		/* 4 or 6, as on the wire */
	uint8_t proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t src[16];	/* IPv4 v4-mapped */
	uint8_t dst[16];
	uint16_t sport, dport;	/* host order */
	uint32_t seq;		/* TCP only: of the first payload byte (behind a SYN: ISN + 1) */
	uint32_t ack;		/* TCP only; 0 without the flag */
	uint8_t tcp_flags;
	enum packet_checksum checksum;
	enum packet_origin origin;
	bool pending;		/* the kernel knows that this very connection was judged clean */
	const uint8_t *payload;	/* into the caller's buffer */
	size_t payload_len;	/* captured bytes */
	size_t payload_wire;	/* bytes on the wire; more than payload_len if the capture was cut */
	uint8_t mac[6];		/* sender's link address if mac_known */
	bool mac_known;
	const char *interface;	/* it came in by; lives as long as its queue; NULL: not known */
	int64_t when_s;		/* of the epoch; 0: not known */
	uint32_t flow_hash;	/* of its flow's key, as flow_expect gave it; 0: not asked */
};

enum packet_result {
	PACKET_OK,
	PACKET_OTHER,		/* not TCP or UDP */
	PACKET_FRAGMENT,	/* an IP fragment: defragment first */
	PACKET_BROKEN,		/* lengths that contradict each other */
};

/* Reads the IP packet of `len` captured bytes at `ip`. `verify`: compute the TCP or UDP checksum (else CHECKSUM_GOOD).
 * Fills everything but origin, mac, interface, time and hash; of a first fragment or a broken packet only the ends and flags, and `proto` stays 0
 * if not even they could be read. RFC 791, 8200, 9293, 768. */
enum packet_result packet_parse(const uint8_t *ip, size_t len, bool verify, struct packet *out);

#endif
