// SPDX-License-Identifier: GPL-2.0-or-later
/* Changes our bits of flows' connmarks through ctnetlink, with the kernel's own mask so that nobody else's bits are
 * touched. Never creates or ends a flow. */
#include "nft/connmark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
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

static void put_tuple(struct nlmsghdr *h, const struct connmark_tuple *t)
{
	struct nlattr *tuple = mnl_attr_nest_start(h, CTA_TUPLE_ORIG), *part;

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

/* The flows found by a dump, as the kernel wrote their original tuples (zone included). */
struct found {
	uint32_t mask;
	struct flow {
		uint8_t family;
		uint16_t len, zone;
		uint8_t tuple[120];
	} *flow;
	size_t n, cap;
};

static int remember(struct found *f, uint8_t family, const struct nlattr *tuple, const struct nlattr *zone)
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
	flow->zone = zone ? mnl_attr_get_u16(zone) : 0;
	memcpy(flow->tuple, mnl_attr_get_payload(tuple), len);
	return 0;
}

static int find(const struct nlmsghdr *h, void *arg)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr, *tuple = NULL, *zone = NULL;
	struct found *f = arg;
	uint32_t mark = 0;

	mnl_attr_for_each(attr, h, sizeof(*g)) {
		switch (mnl_attr_get_type(attr)) {
		case CTA_TUPLE_ORIG:
			tuple = attr;
			break;
		case CTA_ZONE:
			zone = attr;
			break;
		case CTA_MARK:
			mark = ntohl(mnl_attr_get_u32(attr));
			break;
		}
	}
	if (!tuple || !(mark & f->mask))
		return 0;
	return remember(f, g->nfgen_family, tuple, zone);
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
