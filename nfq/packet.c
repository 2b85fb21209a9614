/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads IPv4, IPv6, TCP and UDP headers of one packet into a value. Looks at no byte behind the captured
 * length and decides nothing: broken or foreign packets are only named as such. */
#include "nfq/packet.h"

#include <string.h>

#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define TCP_HEADER 20u
#define UDP_HEADER 8u

enum {
	NEXT_HOP = 0,
	NEXT_TCP = 6,
	NEXT_UDP = 17,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_AUTH = 51,
	NEXT_DEST = 60,
};

/* What the IP header says of its payload. */
struct transport {
	const uint8_t *p;
	size_t len;		/* captured */
	size_t wire;		/* as the header has it; at least len */
	uint8_t proto;
	bool sound;		/* IPv4: the header's own checksum is right */
	bool later;		/* a fragment that is not the first: no transport header here */
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* Ones' complement sum, RFC 1071. 32 bits hold the carries of 65,535 words twice over. */
static uint32_t sum_words(const uint8_t *p, size_t len, uint32_t sum)
{
	for (; len > 1; p += 2, len -= 2) {
		sum += be16(p);
		if (sum & 0x80000000u)
			sum = (sum & 0xffff) + (sum >> 16);
	}
	return len ? sum + (uint32_t)(p[0] << 8) : sum;
}

static bool sum_right(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* The pseudo header's address words are in the packet's own form: IPv4 only its four bytes. */
static bool transport_right(const struct transport *t, const struct packet *k, size_t len)
{
	size_t skip = k->family == 4 ? 12 : 0;
	uint32_t sum = sum_words(k->src + skip, 16 - skip, 0);

	sum = sum_words(k->dst + skip, 16 - skip, sum);
	sum += t->proto + (uint32_t)(len >> 16) + (uint32_t)(len & 0xffff);
	return sum_right(sum_words(t->p, len, sum));
}

static enum packet_checksum judge_checksum(const struct transport *t, const struct packet *k, size_t len)
{
	if (t->len < len)
		return CHECKSUM_UNKNOWN;
	if (!t->sound)
		return CHECKSUM_BAD;
	/* RFC 768: zero means that the sender computed none; RFC 8200 forbids it, and Linux drops it. */
	if (t->proto == NEXT_UDP && k->family == 4 && be16(t->p + 6) == 0)
		return CHECKSUM_GOOD;
	return transport_right(t, k, len) ? CHECKSUM_GOOD : CHECKSUM_BAD;
}

static void map_v4(uint8_t addr[16], const uint8_t *p)
{
	memset(addr, 0, 10);
	addr[10] = addr[11] = 0xff;
	memcpy(addr + 12, p, 4);
}

static enum packet_result read_v4(const uint8_t *ip, size_t len, struct packet *out, struct transport *t)
{
	size_t header, total;

	if (len < IPV4_HEADER)
		return PACKET_BROKEN;
	header = (ip[0] & 0x0fu) * 4u;
	total = be16(ip + 2);
	if (total == 0)		/* taken before segmentation: larger than 16 bits, or not yet filled in */
		total = len;
	if (header < IPV4_HEADER || header > len || total < header)
		return PACKET_BROKEN;
	map_v4(out->src, ip + 12);
	map_v4(out->dst, ip + 16);
	t->proto = ip[9];
	t->p = ip + header;
	t->wire = total - header;
	t->len = (len < total ? len : total) - header;
	t->sound = sum_right(sum_words(ip, header, 0));
	t->later = be16(ip + 6) & 0x1fff;
	return be16(ip + 6) & 0x3fff ? PACKET_FRAGMENT : PACKET_OK;
}

/* Steps over the extension headers that Linux' connection tracking steps over, too (ipv6_skip_exthdr). */
static enum packet_result skip_extensions(struct transport *t)
{
	enum packet_result r = PACKET_OK;

	for (;;) {
		size_t size;

		switch (t->proto) {
		case NEXT_HOP:
		case NEXT_ROUTING:
		case NEXT_DEST:
			size = t->len < 8 ? 8 : (t->p[1] + 1u) * 8u;
			break;
		case NEXT_AUTH:
			size = t->len < 8 ? 8 : (t->p[1] + 2u) * 4u;
			break;
		case NEXT_FRAGMENT:
			size = 8;
			/* RFC 6946: offset 0 and nothing more to come is a whole packet */
			if (t->len >= size && be16(t->p + 2) & 0xfff9)
				r = PACKET_FRAGMENT;
			t->later = t->len >= size && be16(t->p + 2) & 0xfff8;
			break;
		default:
			return r;
		}
		if (t->later)
			return r;
		if (t->len < size)
			return PACKET_BROKEN;
		t->proto = t->p[0];
		t->p += size;
		t->len -= size;
		t->wire -= size;
	}
}

static enum packet_result read_v6(const uint8_t *ip, size_t len, struct packet *out, struct transport *t)
{
	if (len < IPV6_HEADER)
		return PACKET_BROKEN;
	memcpy(out->src, ip + 8, 16);
	memcpy(out->dst, ip + 24, 16);
	t->proto = ip[6];
	t->p = ip + IPV6_HEADER;
	t->len = len - IPV6_HEADER;
	t->wire = be16(ip + 4);
	if (t->wire == 0)	/* a jumbogram (RFC 2675), or taken before segmentation */
		t->wire = t->len;
	if (t->len > t->wire)
		t->len = t->wire;
	t->sound = true;
	return skip_extensions(t);
}

static enum packet_result read_tcp(const struct transport *t, bool verify, struct packet *out)
{
	size_t header;

	if (t->len < TCP_HEADER)
		return PACKET_BROKEN;
	header = (t->p[12] >> 4) * 4u;
	if (header < TCP_HEADER || header > t->wire)
		return PACKET_BROKEN;
	out->seq = be32(t->p + 4) + (out->tcp_flags & PACKET_SYN ? 1 : 0);
	out->ack = out->tcp_flags & PACKET_ACK ? be32(t->p + 8) : 0;
	out->payload_wire = t->wire - header;
	if (t->len > header) {
		out->payload = t->p + header;
		out->payload_len = t->len - header;
	}
	out->checksum = verify ? judge_checksum(t, out, t->wire) : CHECKSUM_GOOD;
	return PACKET_OK;
}

static enum packet_result read_udp(const struct transport *t, bool verify, struct packet *out)
{
	size_t length, captured;

	if (t->len < UDP_HEADER)
		return PACKET_BROKEN;
	length = be16(t->p + 4);
	if (length == 0 && t->wire > 0xffff)	/* RFC 2675: a jumbogram's UDP length is 0 */
		length = t->wire;
	if (length < UDP_HEADER || length > t->wire)
		return PACKET_BROKEN;
	captured = t->len < length ? t->len : length;
	out->payload_wire = length - UDP_HEADER;
	if (captured > UDP_HEADER) {
		out->payload = t->p + UDP_HEADER;
		out->payload_len = captured - UDP_HEADER;
	}
	out->checksum = verify ? judge_checksum(t, out, length) : CHECKSUM_GOOD;
	return PACKET_OK;
}

enum packet_result packet_parse(const uint8_t *ip, size_t len, bool verify, struct packet *out)
{
	struct transport t = { 0 };
	enum packet_result r;

	memset(out, 0, sizeof(*out));
	if (len < 1)
		return PACKET_BROKEN;
	out->family = ip[0] >> 4;
	if (out->family == 4)
		r = read_v4(ip, len, out, &t);
	else if (out->family == 6)
		r = read_v6(ip, len, out, &t);
	else
		return PACKET_OTHER;
	if (r == PACKET_BROKEN || t.later)
		return r;
	if (t.proto != NEXT_TCP && t.proto != NEXT_UDP)
		return r == PACKET_FRAGMENT ? r : PACKET_OTHER;
	if (t.len < 4)
		return r == PACKET_FRAGMENT ? r : PACKET_BROKEN;
	out->proto = t.proto;
	out->sport = be16(t.p);
	out->dport = be16(t.p + 2);
	if (t.proto == NEXT_TCP && t.len >= TCP_HEADER)
		out->tcp_flags = t.p[13];
	if (r == PACKET_FRAGMENT)
		return r;
	return t.proto == NEXT_TCP ? read_tcp(&t, verify, out) : read_udp(&t, verify, out);
}
