// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole packets by raw sockets, since their source is the server's address. The kernel's rules do not track them: tracked, they
 * would pass for a connection that the server has opened. */
#include "daemon/refuse.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define UDP_HEADER 8
#define HOPS 64
#define RCODE_REFUSED 5
#define FLAG_RESPONSE 0x80
#define FLAG_RECURSION_WANTED 0x01
#define FLAG_RECURSION_OFFERED 0x80

struct refuse {
	int v4, v6;
};

/* Bytes in the making. */
struct out {
	uint8_t *p;
	size_t len;
};

static void put(struct out *o, const void *bytes, size_t len)
{
	memcpy(o->p + o->len, bytes, len);
	o->len += len;
}

static void put_u16(struct out *o, unsigned v)
{
	o->p[o->len++] = (uint8_t)(v >> 8);
	o->p[o->len++] = (uint8_t)v;
}

/* An OPT record of 1,232 bytes and the extended error "Blocked". */
static const uint8_t opt[] = { 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, 15 };

static void put_message(struct out *o, const struct dns_facts *dns)
{
	put_u16(o, dns->id);
	put_u16(o, (FLAG_RESPONSE | (dns->recursion ? FLAG_RECURSION_WANTED : 0)) << 8 | FLAG_RECURSION_OFFERED | RCODE_REFUSED);
	put_u16(o, 1);
	put_u16(o, 0);
	put_u16(o, 0);
	put_u16(o, dns->edns);
	put(o, dns->question.p, dns->question.len);
	if (dns->edns)
		put(o, opt, sizeof(opt));
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return s;
}

static void put_sum(uint8_t *at, uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	s = ~s & 0xffff;
	at[0] = (uint8_t)(s >> 8);
	at[1] = (uint8_t)s;
}

/* RFC 791 and 8200. The kernel fills in IPv4's id and checksum. */
static void put_ip(struct out *o, const struct outcome *of, size_t payload)
{
	const struct subject *who = &of->subject;

	memset(o->p, 0, IPV6_HEADER);
	if (of->family == 4) {
		o->p[0] = 0x45;
		o->p[2] = (uint8_t)((IPV4_HEADER + payload) >> 8);
		o->p[3] = (uint8_t)(IPV4_HEADER + payload);
		o->p[8] = HOPS;
		o->p[9] = IPPROTO_UDP;
		memcpy(o->p + 12, who->dst + 12, 4);
		memcpy(o->p + 16, who->src + 12, 4);
		o->len = IPV4_HEADER;
		return;
	}
	o->p[0] = 0x60;
	o->p[4] = (uint8_t)(payload >> 8);
	o->p[5] = (uint8_t)payload;
	o->p[6] = IPPROTO_UDP;
	o->p[7] = HOPS;
	memcpy(o->p + 8, who->dst, 16);
	memcpy(o->p + 24, who->src, 16);
	o->len = IPV6_HEADER;
}

size_t refuse_write(const struct outcome *of, uint8_t out[REFUSE_BYTES_MAX])
{
	const struct dns_facts *dns = &of->facts->dns;
	size_t header = of->family == 4 ? IPV4_HEADER : IPV6_HEADER, at = of->family == 4 ? 12 : 8;
	size_t payload = UDP_HEADER + 12 + dns->question.len + (dns->edns ? sizeof(opt) : 0);
	struct out o = { out, 0 };
	uint32_t s;

	if (!dns->question.len || header + payload > REFUSE_BYTES_MAX)
		return 0;
	put_ip(&o, of, payload);
	put_u16(&o, of->subject.dport);
	put_u16(&o, of->subject.sport);
	put_u16(&o, (unsigned)payload);
	put_u16(&o, 0);
	put_message(&o, dns);
	/* the addresses stand at the end of either header; RFC 768, RFC 8200 8.1 */
	s = sum(IPPROTO_UDP + (uint32_t)payload, out + at, o.len - at);
	put_sum(out + header + 6, s);
	if (!out[header + 6] && !out[header + 7])
		out[header + 6] = out[header + 7] = 0xff;
	return o.len;
}

int refuse_send(struct refuse *r, const struct outcome *of, uint32_t interface)
{
	const struct subject *who = &of->subject;
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	uint8_t packet[REFUSE_BYTES_MAX];
	size_t len = refuse_write(of, packet);
	ssize_t sent;

	if (!r || !len)
		return r ? -EMSGSIZE : -ENOTCONN;
	memcpy(&v4.sin_addr, who->src + 12, 4);
	memcpy(&v6.sin6_addr, who->src, 16);
	if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr))
		v6.sin6_scope_id = interface;
	sent = of->family == 4 ? sendto(r->v4, packet, len, MSG_DONTWAIT, (struct sockaddr *)&v4, sizeof(v4)) :
				 sendto(r->v6, packet, len, MSG_DONTWAIT, (struct sockaddr *)&v6, sizeof(v6));
	return sent < 0 ? -errno : 0;
}

static int open_raw(int family, uint32_t mark)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), on = 1, err;

	if (fd < 0)
		return -errno;
	/* Of the kind IPPROTO_RAW both families take whole packets; IPv6 learnt to say so later. */
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) ||
	    (family == AF_INET && setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int refuse_open(struct refuse **out, uint32_t mark)
{
	struct refuse *r = calloc(1, sizeof(*r));
	int err;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->v6 = -1;
	r->v4 = err = open_raw(AF_INET, mark);
	if (r->v4 >= 0)
		r->v6 = err = open_raw(AF_INET6, mark);
	/* a kernel without IPv6 has no such clients */
	if (err == -EAFNOSUPPORT && r->v4 >= 0)
		err = 0;
	if (err < 0) {
		refuse_close(r);
		return err;
	}
	*out = r;
	return 0;
}

void refuse_close(struct refuse *r)
{
	if (!r)
		return;
	if (r->v4 >= 0)
		close(r->v4);
	if (r->v6 >= 0)
		close(r->v6);
	free(r);
}
