// SPDX-License-Identifier: GPL-2.0-or-later
/* Goes through everybody else's nftables rules and routing rules and names the first one that uses our mark bits.
 * Reads only. */
#include "nft/marks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <linux/fib_rules.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include "nft/markuse.h"
#include "nft/netlink.h"
#include "nft/sets.h"

struct scan {
	uint32_t mask;
	bool flowtable;	/* looking for flow_offload, not for marks */
	char *text;
	size_t size;
};

static const char *family_name(uint32_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_BRIDGE:
		return "bridge";
	case NFPROTO_NETDEV:
		return "netdev";
	}
	return "?";
}

static bool is_ours(const struct nftnl_rule *r)
{
	const char *table = nftnl_rule_get_str(r, NFTNL_RULE_TABLE);

	return nftnl_rule_get_u32(r, NFTNL_RULE_FAMILY) == NFPROTO_INET && table && !strcmp(table, SETS_TABLE);
}

static bool hits(const struct scan *s, const struct nftnl_rule *r, char *what, size_t size)
{
	if (!s->flowtable)
		return markuse_rule(r, s->mask, what, size);
	snprintf(what, size, "flow add");
	return markuse_has(r, "flow_offload");
}

static int scan_rule(const struct nlmsghdr *h, void *arg)
{
	const struct scan *s = arg;
	struct nftnl_rule *r = nftnl_rule_alloc();
	char what[128];
	int rc = 0;

	if (!r)
		return -ENOMEM;
	/* an expression that this libnftnl does not know makes the rule unreadable: no reason to refuse the start */
	if (!nftnl_rule_nlmsg_parse(h, r) && !is_ours(r) && hits(s, r, what, sizeof(what))) {
		snprintf(s->text, s->size, "table %s %s, chain %s, handle %" PRIu64 ": \"%s\"",
			 family_name(nftnl_rule_get_u32(r, NFTNL_RULE_FAMILY)), nftnl_rule_get_str(r, NFTNL_RULE_TABLE),
			 nftnl_rule_get_str(r, NFTNL_RULE_CHAIN), nftnl_rule_get_u64(r, NFTNL_RULE_HANDLE), what);
		rc = 1;
	}
	nftnl_rule_free(r);
	return rc;
}

static int scan_nftables(struct scan *s)
{
	struct netlink n;
	char buf[256];
	int rc = netlink_open(&n, NETLINK_NETFILTER), tries = 10;

	if (rc)
		return rc;
	do {
		rc = netlink_dump(&n, nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, NFPROTO_UNSPEC, 0, 0), scan_rule, s);
	} while (rc == -EINTR && --tries);
	netlink_close(&n);
	return rc;
}

/* A full mask is only a comparison with one value: `fwmark 0xca6c` is nobody's bit. */
static int scan_route_rule(const struct nlmsghdr *h, void *arg)
{
	const struct scan *s = arg;
	const struct fib_rule_hdr *f = mnl_nlmsg_get_payload(h);
	uint32_t mark = 0, mask = UINT32_MAX, priority = 0;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(*f)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type == FRA_FWMARK)
			mark = mnl_attr_get_u32(attr);
		else if (type == FRA_FWMASK)
			mask = mnl_attr_get_u32(attr);
		else if (type == FRA_PRIORITY)
			priority = mnl_attr_get_u32(attr);
	}
	if (!(mark & s->mask) && (mask == UINT32_MAX || !(mask & s->mask)))
		return 0;
	snprintf(s->text, s->size, "ip %srule %u: fwmark 0x%x/0x%x", f->family == AF_INET6 ? "-6 " : "", priority, mark, mask);
	return 1;
}

static int scan_route_rules(struct scan *s)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct netlink n;
	int rc = netlink_open(&n, NETLINK_ROUTE);

	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(families) && !rc; i++) {
		int tries = 10;

		do {
			char buf[128] = "";
			struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
			struct fib_rule_hdr *f = mnl_nlmsg_put_extra_header(h, sizeof(*f));

			h->nlmsg_type = RTM_GETRULE;
			f->family = families[i];
			rc = netlink_dump(&n, h, scan_route_rule, s);
		} while (rc == -EINTR && --tries);
		if (rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP)	/* a kernel without policy routing */
			rc = 0;
	}
	netlink_close(&n);
	return rc;
}

int marks_conflict(uint32_t mask, char *text, size_t size)
{
	struct scan s = { .mask = mask, .text = text, .size = size };
	int rc = scan_nftables(&s);

	return rc ? rc : scan_route_rules(&s);
}

int marks_flowtable(char *text, size_t size)
{
	struct scan s = { .flowtable = true, .text = text, .size = size };

	return scan_nftables(&s);
}
