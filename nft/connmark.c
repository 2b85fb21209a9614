// SPDX-License-Identifier: GPL-2.0-or-later
/* Changes our bits of flows' connmarks through ctnetlink, with the kernel's own mask so that nobody else's bits are
 * touched. Never creates a flow, and ends one only where a flowtable would go on with it. */
#include "nft/connmark.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "nft/netlink.h"

struct connmark {
	struct netlink netlink;
};

int connmark_open(struct connmark **out)
{
	struct connmark *c = calloc(1, sizeof(*c));
	int rc;

	*out = NULL;
	if (!c)
		return -ENOMEM;
	rc = netlink_open(&c->netlink, NETLINK_NETFILTER);
	if (rc)
		free(c);
	else
		*out = c;
	return rc;
}

void connmark_close(struct connmark *c)
{
	if (!c)
		return;
	netlink_close(&c->netlink);
	free(c);
}

static struct nlmsghdr *begin(void *buf, uint8_t type, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	return h;
}

static void put_tuple_as(struct nlmsghdr *h, const struct connmark_tuple *t, uint16_t type)
{
	struct nlattr *tuple = mnl_attr_nest_start(h, type), *part;

	part = mnl_attr_nest_start(h, CTA_TUPLE_IP);
	if (t->family == 6) {
		mnl_attr_put(h, CTA_IP_V6_SRC, 16, t->src);
		mnl_attr_put(h, CTA_IP_V6_DST, 16, t->dst);
	} else {
		mnl_attr_put(h, CTA_IP_V4_SRC, 4, t->src + 12);
		mnl_attr_put(h, CTA_IP_V4_DST, 4, t->dst + 12);
	}
	mnl_attr_nest_end(h, part);
	part = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, t->proto);
	mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(t->sport));
	mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(t->dport));
	mnl_attr_nest_end(h, part);
	mnl_attr_nest_end(h, tuple);
}

static void put_tuple(struct nlmsghdr *h, const struct connmark_tuple *t)
{
	put_tuple_as(h, t, CTA_TUPLE_ORIG);
}

/* The kernel computes mark = (mark & ~mask) ^ value. */
static void put_mark(struct nlmsghdr *h, uint32_t value, uint32_t mask)
{
	mnl_attr_put_u32(h, CTA_MARK, htonl(value & mask));
	mnl_attr_put_u32(h, CTA_MARK_MASK, htonl(mask));
}

int connmark_set(struct connmark *c, const struct connmark_tuple *t, uint32_t value, uint32_t mask)
{
	char buf[512] = "";
	struct nlmsghdr *h = begin(buf, IPCTNL_MSG_CT_NEW, t->family == 6 ? AF_INET6 : AF_INET);

	put_tuple(h, t);
	put_mark(h, value, mask);
	return netlink_request(&c->netlink, h);
}

int connmark_set_behind(struct connmark *c, const struct connmark_tuple *t, uint32_t value, uint32_t mask)
{
	struct connmark_tuple answer = { .sport = t->dport, .dport = t->sport, .family = t->family, .proto = t->proto };
	char buf[512] = "";
	struct nlmsghdr *h = begin(buf, IPCTNL_MSG_CT_NEW, t->family == 6 ? AF_INET6 : AF_INET);

	memcpy(answer.src, t->dst, sizeof(answer.src));
	memcpy(answer.dst, t->src, sizeof(answer.dst));
	put_tuple_as(h, &answer, CTA_TUPLE_REPLY);
	put_mark(h, value, mask);
	return netlink_request(&c->netlink, h);
}

static int read_status(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *attr;
	uint32_t *status = arg;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == CTA_STATUS && mnl_attr_get_payload_len(attr) == sizeof(*status))
			*status = ntohl(mnl_attr_get_u32(attr));
	return 0;
}

int connmark_tear(struct connmark *c, const struct connmark_tuple *t)
{
	uint8_t family = t->family == 6 ? AF_INET6 : AF_INET;
	char buf[512] = "";
	struct nlmsghdr *h = begin(buf, IPCTNL_MSG_CT_GET, family);
	uint32_t status = 0;
	int rc;

	put_tuple(h, t);
	rc = netlink_ask(&c->netlink, h, read_status, &status);
	if (rc || !(status & IPS_OFFLOAD))
		return rc;
	memset(buf, 0, sizeof(buf));
	h = begin(buf, IPCTNL_MSG_CT_DELETE, family);
	put_tuple(h, t);
	return netlink_request(&c->netlink, h);
}

/* The flows found by a dump, as the kernel wrote their original tuples (zone included). */
struct found {
	uint32_t mask;		/* only flows with one of these bits; 0: all */
	connmark_wanted *wanted;	/* and that are wanted; NULL: any */
	void *arg;
	struct flow {
		uint8_t family;
		uint16_t len, zone;
		uint32_t mark;
		uint8_t tuple[120];
	} *flow;
	size_t n, cap;
};

static int remember(struct found *f, uint8_t family, uint32_t mark, const struct nlattr *tuple, const struct nlattr *zone)
{
	uint16_t len = mnl_attr_get_payload_len(tuple);
	struct flow *flow;

	if (len > sizeof(f->flow->tuple))
		return -EMSGSIZE;
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 256;

		flow = realloc(f->flow, cap * sizeof(*flow));
		if (!flow)
			return -ENOMEM;
		f->flow = flow;
		f->cap = cap;
	}
	flow = &f->flow[f->n++];
	flow->family = family;
	flow->len = len;
	flow->mark = mark;
	flow->zone = zone ? mnl_attr_get_u16(zone) : 0;
	memcpy(flow->tuple, mnl_attr_get_payload(tuple), len);
	return 0;
}

/* One part of a tuple: an attribute's payload if it has the length that is wanted. */
static const void *part_of(const struct nlattr *nest, unsigned type, size_t len)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == type && mnl_attr_get_payload_len(attr) == len)
			return mnl_attr_get_payload(attr);
	return NULL;
}

static bool read_addresses(const struct nlattr *nest, struct connmark_tuple *t)
{
	size_t len = t->family == 6 ? 16 : 4, at = 16 - len;
	const void *src = part_of(nest, t->family == 6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, len);
	const void *dst = part_of(nest, t->family == 6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, len);

	if (!src || !dst)
		return false;
	if (t->family == 4) {
		memset(t->src + 10, 0xff, 2);
		memset(t->dst + 10, 0xff, 2);
	}
	memcpy(t->src + at, src, len);
	memcpy(t->dst + at, dst, len);
	return true;
}

static bool read_ports(const struct nlattr *nest, struct connmark_tuple *t)
{
	const uint8_t *proto = part_of(nest, CTA_PROTO_NUM, 1);
	const void *src = part_of(nest, CTA_PROTO_SRC_PORT, 2), *dst = part_of(nest, CTA_PROTO_DST_PORT, 2);
	uint16_t port;

	if (!proto || (*proto != IPPROTO_TCP && *proto != IPPROTO_UDP) || !src || !dst)
		return false;
	t->proto = *proto;
	memcpy(&port, src, sizeof(port));
	t->sport = ntohs(port);
	memcpy(&port, dst, sizeof(port));
	t->dport = ntohs(port);
	return true;
}

/* False: not TCP or UDP, or not whole. */
static bool read_parts(uint8_t family, const uint8_t *tuple, size_t len, struct connmark_tuple *t)
{
	const struct nlattr *attr, *ip = NULL, *proto = NULL;

	memset(t, 0, sizeof(*t));
	t->family = family == AF_INET6 ? 6 : 4;
	for (attr = (const void *)tuple; mnl_attr_ok(attr, (int)(tuple + len - (const uint8_t *)attr)); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
			ip = attr;
		else if (mnl_attr_get_type(attr) == CTA_TUPLE_PROTO)
			proto = attr;
	}
	return ip && proto && read_addresses(ip, t) && read_ports(proto, t);
}

static bool read_tuple(const struct flow *flow, struct connmark_tuple *t)
{
	return read_parts(flow->family, flow->tuple, flow->len, t);
}

/* Of a million flows few are wanted. */
static bool is_wanted(const struct found *f, const struct flow *flow, const struct nlattr *reply)
{
	struct connmark_tuple t, back;

	if (!read_tuple(flow, &t))
		return false;
	memcpy(t.to, t.dst, sizeof(t.to));
	t.to_port = t.dport;
	if (reply && read_parts(flow->family, mnl_attr_get_payload(reply), mnl_attr_get_payload_len(reply), &back)) {
		memcpy(t.to, back.src, sizeof(t.to));
		t.to_port = back.sport;
	}
	return f->wanted(&t, flow->mark, f->arg);
}

static int find(const struct nlmsghdr *h, void *arg)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr, *tuple = NULL, *reply = NULL, *zone = NULL;
	struct found *f = arg;
	uint32_t mark = 0;
	int rc;

	mnl_attr_for_each(attr, h, sizeof(*g)) {
		switch (mnl_attr_get_type(attr)) {
		case CTA_TUPLE_ORIG:
			tuple = attr;
			break;
		case CTA_TUPLE_REPLY:
			reply = attr;
			break;
		case CTA_ZONE:
			zone = attr;
			break;
		case CTA_MARK:
			mark = ntohl(mnl_attr_get_u32(attr));
			break;
		}
	}
	if (!tuple || (f->mask && !(mark & f->mask)))
		return 0;
	rc = remember(f, g->nfgen_family, mark, tuple, zone);
	if (!rc && f->wanted && !is_wanted(f, &f->flow[f->n - 1], reply))
		f->n--;
	return rc;
}

static int find_all(struct connmark *c, uint8_t family, struct found *f)
{
	char buf[256];
	int rc, tries = 10;

	do {
		struct nlmsghdr *h;

		memset(buf, 0, sizeof(buf));
		h = begin(buf, IPCTNL_MSG_CT_GET, family);
		f->n = 0;
		rc = netlink_dump(&c->netlink, h, find, f);
	} while (rc == -EINTR && --tries);
	return rc;
}

static int clear(struct connmark *c, const struct flow *flow, uint32_t mask)
{
	char buf[512] = "";
	struct nlmsghdr *h = begin(buf, IPCTNL_MSG_CT_NEW, flow->family);

	mnl_attr_put(h, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->len, flow->tuple);
	if (flow->zone)
		mnl_attr_put_u16(h, CTA_ZONE, flow->zone);
	put_mark(h, 0, mask);
	return netlink_request(&c->netlink, h);
}

int connmark_each(struct connmark *c, connmark_wanted *wanted, int (*each)(const struct connmark_tuple *t, uint32_t mark, void *arg),
		  void *arg)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct found found = { .wanted = wanted, .arg = arg };
	struct connmark_tuple t;
	int rc = 0;

	for (size_t i = 0; i < sizeof(families) && !rc; i++) {
		rc = find_all(c, families[i], &found);
		for (size_t k = 0; k < found.n && !rc; k++)
			if (read_tuple(&found.flow[k], &t))
				rc = each(&t, found.flow[k].mark, arg);
	}
	free(found.flow);
	return rc;
}

long connmark_clear(struct connmark *c, uint32_t mask)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct found found = { .mask = mask };
	long cleared = 0;
	int rc = 0;

	for (size_t i = 0; i < sizeof(families) && !rc; i++) {
		rc = find_all(c, families[i], &found);
		for (size_t k = 0; k < found.n && !rc; k++) {
			rc = clear(c, &found.flow[k], mask);
			if (rc == -ENOENT)	/* it ended meanwhile */
				rc = 0;
			else if (!rc)
				cleared++;
		}
	}
	free(found.flow);
	return rc ? rc : cleared;
}
