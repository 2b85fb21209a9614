/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of link types, each with a small reader that moves a cursor to the IP header. Every step goes
 * through cut(), so no reader can look behind the captured bytes. */
#include "cli/link.h"

#include <pcap/pcap.h>
#include <string.h>

/* More headers in one frame than any network nests; bounds the work for a hostile frame. */
#define LINK_NESTING_MAX 16

/* The rest of the frame. Reading past its end empties it and sets `over` for good. */
struct cursor {
	const uint8_t *p;
	size_t len;
	bool over;
	struct link_ip *out;
};

/* Takes `n` bytes off the front; a row of zeros if there are fewer (n <= 64). */
static const uint8_t *cut(struct cursor *c, size_t n)
{
	static const uint8_t none[64];
	const uint8_t *p = c->p;

	if (c->over || n > c->len) {
		c->over = true;
		c->len = 0;
		return none;
	}
	c->p += n;
	c->len -= n;
	return p;
}

static void skip(struct cursor *c, size_t n)
{
	if (n > c->len)
		c->over = true;
	else
		cut(c, n);
}

static uint8_t peek(const struct cursor *c, size_t at)
{
	return c->over || at >= c->len ? 0 : c->p[at];
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void sender(struct cursor *c, const uint8_t *mac)
{
	memcpy(c->out->mac, mac, sizeof(c->out->mac));
	c->out->mac_known = true;
}

/* All readers end here: the cursor stands at what should be an IP header. */
static bool ip_here(const struct cursor *c, unsigned version)
{
	unsigned nibble = peek(c, 0) >> 4;

	if (c->over || !c->len || (nibble != 4 && nibble != 6) || (version && nibble != version))
		return false;
	c->out->ip = c->p;
	c->out->len = c->len;
	return true;
}

/* RFC 3032. Only a plain IP payload is read; a pseudowire is a tunnel. */
static bool read_mpls(struct cursor *c)
{
	for (unsigned i = 0; i < LINK_NESTING_MAX && !c->over; i++) {
		if (cut(c, 4)[2] & 1)
			return ip_here(c, 0);
	}
	return false;
}

static bool ppp_protocol(struct cursor *c)
{
	unsigned proto = *cut(c, 1);

	if (!(proto & 1))	/* RFC 1661: an odd first byte is a compressed protocol field */
		proto = proto << 8 | *cut(c, 1);
	switch (proto) {
	case 0x0021:
		return ip_here(c, 4);
	case 0x0057:
		return ip_here(c, 6);
	case 0x0281:
	case 0x0283:
		return read_mpls(c);
	default:
		return false;
	}
}

/* PPPoE session, RFC 2516: version and type, code 0, session, length. */
static bool read_pppoe(struct cursor *c)
{
	const uint8_t *h = cut(c, 6);

	return h[0] == 0x11 && h[1] == 0 && ppp_protocol(c);
}

static bool read_llc(struct cursor *c);

static bool ethertype(struct cursor *c, unsigned type)
{
	for (unsigned i = 0; i < LINK_NESTING_MAX && !c->over; i++) {
		switch (type) {
		case 0x0800:
			return ip_here(c, 4);
		case 0x86dd:
			return ip_here(c, 6);
		case 0x8100:	/* 802.1Q */
		case 0x88a8:	/* 802.1ad */
		case 0x9100:	/* QinQ before the standard */
		case 0x9200:
		case 0x9300:
			type = be16(cut(c, 4) + 2);
			break;
		case 0x8926:	/* VN-Tag of a switch's fabric */
			type = be16(cut(c, 6) + 4);
			break;
		case 0x8847:
		case 0x8848:
			return read_mpls(c);
		case 0x8864:
			return read_pppoe(c);
		default:
			return type <= 1500 && read_llc(c);
		}
	}
	return false;
}

/* IEEE 802.2: SNAP (RFC 1042) or the old IP SAP. */
static bool read_llc(struct cursor *c)
{
	const uint8_t *h = cut(c, 3);
	unsigned oui;

	if (h[0] == 0x06 && h[1] == 0x06 && h[2] == 0x03)
		return ip_here(c, 4);
	if ((h[0] & 0xfe) != 0xaa || (h[1] & 0xfe) != 0xaa || h[2] != 0x03)
		return false;
	h = cut(c, 5);
	oui = (unsigned)h[0] << 16 | be16(h + 1);
	/* plain Ethernet, bridge tunnel encapsulation, and Cisco's */
	if (oui != 0x000000 && oui != 0x0000f8 && oui != 0x00000c)
		return false;
	return be16(h + 3) > 1500 && ethertype(c, be16(h + 3));
}

static bool read_ethernet(struct cursor *c)
{
	const uint8_t *h = cut(c, 14);

	sender(c, h + 6);
	return ethertype(c, be16(h + 12));
}

static bool read_ip(struct cursor *c)
{
	return ip_here(c, 0);
}

/* The address family in the byte order of whoever captured; 10, 24, 28 and 30 are AF_INET6 somewhere. */
static bool read_null(struct cursor *c)
{
	const uint8_t *h = cut(c, 4);
	uint32_t family = le32(h) < 256 ? le32(h) : be32(h);

	if (family == 2)
		return ip_here(c, 4);
	return (family == 10 || family == 23 || family == 24 || family == 28 || family == 30) && ip_here(c, 6);
}

static bool read_sll(struct cursor *c)
{
	const uint8_t *h = cut(c, 16);
	unsigned type = be16(h + 14);

	if (be16(h + 4) == 6)
		sender(c, h + 6);
	return type == 0x0004 ? read_llc(c) : type > 1500 && ethertype(c, type);
}

static bool read_sll2(struct cursor *c)
{
	const uint8_t *h = cut(c, 20);
	unsigned type = be16(h);

	if (h[11] == 6)
		sender(c, h + 12);
	return type == 0x0004 ? read_llc(c) : type > 1500 && ethertype(c, type);
}

/* PPP in HDLC-like framing (RFC 1662), or Cisco HDLC, which the first byte tells apart. */
static bool read_ppp(struct cursor *c)
{
	if (peek(c, 0) == 0x0f || peek(c, 0) == 0x8f)
		return ethertype(c, be16(cut(c, 4) + 2));
	if (peek(c, 0) == 0xff && peek(c, 1) == 0x03)
		cut(c, 2);
	return ppp_protocol(c);
}

/* One byte before the frame says in which direction it went. */
static bool read_ppp_direction(struct cursor *c)
{
	cut(c, 1);
	if (peek(c, 0) == 0x03)		/* the direction stands in place of the address byte */
		cut(c, 1);
	return read_ppp(c);
}

static bool read_hdlc(struct cursor *c)
{
	return ethertype(c, be16(cut(c, 4) + 2));
}

/* RFC 2427, or Cisco's own: an Ethernet type behind the two address bytes. */
static bool read_frame_relay(struct cursor *c)
{
	unsigned left = 4;

	while (left-- && !(*cut(c, 1) & 1))
		;
	if (peek(c, 0) != 0x03)
		return ethertype(c, be16(cut(c, 2)));
	cut(c, 1);
	if (peek(c, 0) == 0)
		cut(c, 1);
	switch (*cut(c, 1)) {
	case 0xcc:
		return ip_here(c, 4);
	case 0x8e:
		return ip_here(c, 6);
	case 0x80:
		return ethertype(c, be16(cut(c, 5) + 3));
	default:
		return false;
	}
}

/* libpcap writes an NFLOG frame's attributes in host order. */
static bool read_nflog(struct cursor *c)
{
	enum { ATTR_PAYLOAD = 9, ATTR_HWADDR = 8 };

	cut(c, 4);
	while (c->len >= 4 && !c->over) {
		uint16_t size, type;
		const uint8_t *h = cut(c, 4);

		memcpy(&size, h, 2);
		memcpy(&type, h + 2, 2);
		if (size < 4 || size - 4u > c->len)
			return false;
		size -= 4;
		if (type == ATTR_PAYLOAD) {
			c->len = size;
			return ip_here(c, 0);
		}
		if (type == ATTR_HWADDR && size >= 10 && be16(c->p) == 6)
			sender(c, c->p + 4);
		skip(c, size);
		skip(c, c->len < (-size & 3u) ? c->len : -size & 3u);
	}
	return false;
}

/* A data frame of IEEE 802.11; `pad`: the header is padded to 32 bits. */
static bool read_80211_data(struct cursor *c, bool pad)
{
	const uint8_t *h = cut(c, 24);
	size_t more = 0;
	bool four = (h[1] & 3) == 3, qos = h[0] & 0x80;
	uint8_t control = 0;

	if ((h[0] & 0x0c) != 0x08 || h[0] & 0x40 || h[1] & 0x40)	/* no data, no payload, or encrypted */
		return false;
	if (h[22] & 0x0f)	/* a later fragment of an 802.11 frame */
		return false;
	if (four)
		more += 6;
	if (qos) {
		control = peek(c, more);
		more += 2;
		more += h[1] & 0x80 ? 4 : 0;	/* HT control */
	}
	if (h[1] & 2)
		sender(c, four ? c->p : h + 16);
	else
		sender(c, h + 10);
	if (pad)
		more += (24 + more) & 2;
	if (c->len < more)
		return false;
	cut(c, more);
	if (control & 0x80)	/* A-MSDU: the first subframe */
		cut(c, 14);
	return read_llc(c);
}

static bool read_80211(struct cursor *c)
{
	return c->len >= 30 && read_80211_data(c, false);
}

/* The flags byte stands behind the presence words and, if present, the 64-bit clock. */
static bool read_radiotap(struct cursor *c)
{
	const uint8_t *start = c->p;
	size_t size = (size_t)peek(c, 3) << 8 | peek(c, 2), at = 4;
	uint32_t present = c->len >= 8 ? le32(c->p + 4) : 0;
	uint8_t flags = 0;

	if (size < 8 || size > c->len)
		return false;
	while (at + 4 <= size && le32(start + at) & 0x80000000u)
		at += 4;
	at += 4;
	if (present & 1)
		at = ((at + 7) & ~(size_t)7) + 8;
	if (present & 2 && at < size)
		flags = start[at];
	skip(c, size);
	return c->len >= 30 && read_80211_data(c, flags & 0x20);
}

/* Prism's header, or the AVS header that libpcap gives the same link type. */
static bool read_prism(struct cursor *c)
{
	uint32_t size;

	if (c->len < 8)
		return false;
	size = (be32(c->p) & 0xfffff000u) == 0x80211000u ? be32(c->p + 4) : 144;
	skip(c, size);
	return read_80211(c);
}

static bool read_fddi(struct cursor *c)
{
	sender(c, cut(c, 13) + 7);
	return read_llc(c);
}

static bool read_token_ring(struct cursor *c)
{
	const uint8_t *h = cut(c, 14);

	sender(c, h + 8);
	if (h[8] & 0x80)	/* source routed */
		skip(c, peek(c, 0) & 0x1f);
	return read_llc(c);
}

static bool read_slip(struct cursor *c)
{
	cut(c, 16);
	return ip_here(c, 0);
}

static bool read_ipoib(struct cursor *c)
{
	return ethertype(c, be16(cut(c, 44) + 40));
}

static bool read_ipnet(struct cursor *c)
{
	cut(c, 24);
	return ip_here(c, 0);
}

/* The header's own length is its first byte, rounded up to four. */
static bool read_pflog(struct cursor *c)
{
	skip(c, (peek(c, 0) + 3u) & ~3u);
	return ip_here(c, 0);
}

static bool read_enc(struct cursor *c)
{
	cut(c, 12);
	return ip_here(c, 0);
}

static bool read_firewire(struct cursor *c)
{
	return ethertype(c, be16(cut(c, 18) + 16));
}

static bool read_fibre_channel(struct cursor *c)
{
	cut(c, 16);
	return read_llc(c);
}

static bool read_netanalyzer(struct cursor *c)
{
	cut(c, 4);
	return read_ethernet(c);
}

/* A switch's tag stands between the addresses and the Ethernet type. */
static bool read_dsa(struct cursor *c)
{
	sender(c, cut(c, 16) + 6);
	return ethertype(c, be16(cut(c, 2)));
}

static bool read_edsa(struct cursor *c)
{
	sender(c, cut(c, 20) + 6);
	return ethertype(c, be16(cut(c, 2)));
}

static bool read_ppi(struct cursor *c);
static bool read_pktap(struct cursor *c);

struct link_row {
	int dlt;
	bool (*read)(struct cursor *c);
};

static const struct link_row link_rows[] = {
	{ DLT_EN10MB, read_ethernet },
	{ DLT_RAW, read_ip },
	{ 14, read_ip },		/* DLT_RAW as OpenBSD numbers it */
	{ 101, read_ip },		/* LINKTYPE_RAW, where a program wrote it as a DLT */
	{ DLT_IPV4, read_ip },
	{ DLT_IPV6, read_ip },
	{ DLT_NULL, read_null },
	{ DLT_LOOP, read_null },
	{ DLT_LINUX_SLL, read_sll },
	{ DLT_LINUX_SLL2, read_sll2 },
	{ DLT_PPP, read_ppp },
	{ DLT_PPP_SERIAL, read_ppp },
	{ DLT_PPP_ETHER, read_pppoe },
	{ DLT_PPP_PPPD, read_ppp_direction },
	{ DLT_PPP_WITH_DIR, read_ppp_direction },
	{ DLT_C_HDLC, read_hdlc },
	{ DLT_FRELAY, read_frame_relay },
	{ DLT_NFLOG, read_nflog },
	{ DLT_IEEE802_11, read_80211 },
	{ DLT_IEEE802_11_RADIO, read_radiotap },
	{ DLT_PRISM_HEADER, read_prism },
	{ DLT_IEEE802_11_RADIO_AVS, read_prism },
	{ DLT_PPI, read_ppi },
	{ DLT_PKTAP, read_pktap },
	{ DLT_FDDI, read_fddi },
	{ DLT_IEEE802, read_token_ring },
	{ DLT_ATM_RFC1483, read_llc },
	{ DLT_SLIP, read_slip },
	{ DLT_IPOIB, read_ipoib },
	{ DLT_IPNET, read_ipnet },
	{ DLT_PFLOG, read_pflog },
	{ DLT_ENC, read_enc },
	{ DLT_APPLE_IP_OVER_IEEE1394, read_firewire },
	{ DLT_IP_OVER_FC, read_fibre_channel },
	{ DLT_MPLS, read_mpls },
	{ DLT_DOCSIS, read_ethernet },
	{ DLT_NETANALYZER, read_netanalyzer },
	{ DLT_DSA_TAG_DSA, read_dsa },
	{ DLT_DSA_TAG_EDSA, read_edsa },
};

static const struct link_row *find_row(int dlt)
{
	for (size_t i = 0; i < sizeof(link_rows) / sizeof(link_rows[0]); i++) {
		if (link_rows[i].dlt == dlt)
			return &link_rows[i];
	}
	return NULL;
}

/* A frame of any other type inside a monitoring header. */
static bool read_inner(struct cursor *c, uint32_t dlt)
{
	const struct link_row *row = dlt > 0xffff ? NULL : find_row((int)dlt);

	/* these two do not nest in practice, and a frame must not recurse at will */
	if (!row || row->read == read_ppi || row->read == read_pktap)
		return false;
	return row->read(c);
}

static bool read_ppi(struct cursor *c)
{
	size_t size = (size_t)peek(c, 3) << 8 | peek(c, 2);
	uint32_t dlt = c->len >= 8 ? le32(c->p + 4) : 0;

	if (size < 8)
		return false;
	skip(c, size);
	return read_inner(c, dlt);
}

static bool read_pktap(struct cursor *c)
{
	uint32_t size, dlt;

	if (c->len < 12)
		return false;
	size = le32(c->p);
	dlt = le32(c->p + 8);
	if (size < 12)
		return false;
	skip(c, size);
	return read_inner(c, dlt);
}

bool link_known(int dlt)
{
	return find_row(dlt) != NULL;
}

bool link_ip(int dlt, const uint8_t *frame, size_t len, struct link_ip *out)
{
	struct cursor c = { .p = frame, .len = len, .out = out };
	const struct link_row *row = find_row(dlt);

	memset(out, 0, sizeof(*out));
	return row && row->read(&c) && !c.over;
}
