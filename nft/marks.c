// SPDX-License-Identifier: GPL-2.0-or-later
/* Goes through everybody else's nftables rules and routing rules and names the first one that uses our mark bits.
 * Reads only. */
#include "nft/marks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/fib_rules.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include "nft/markuse.h"
#include "nft/netlink.h"
#include "nft/sets.h"

/* A rule that writes the values of a map into a mark; the map is read after the rules. */
struct pending {
	uint32_t family;
	char *table, *map, *text;
};

struct scan {
	uint32_t mask;
	const char *const *others;	/* looking for these expressions or xtables targets, not for marks; NULL-terminated */
	char *text;
	size_t size;
	struct pending *pending;
	size_t n_pending;
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

static void describe(const struct nftnl_rule *r, const char *what, char *text, size_t size)
{
	snprintf(text, size, "table %s %s, chain %s, handle %" PRIu64 ": \"%s\"",
		 family_name(nftnl_rule_get_u32(r, NFTNL_RULE_FAMILY)), nftnl_rule_get_str(r, NFTNL_RULE_TABLE),
		 nftnl_rule_get_str(r, NFTNL_RULE_CHAIN), nftnl_rule_get_u64(r, NFTNL_RULE_HANDLE), what);
}

static int remember(struct scan *s, const struct nftnl_rule *r, const char *map)
{
	struct pending *p = realloc(s->pending, (s->n_pending + 1) * sizeof(*p));
	char text[512];

	if (!p)
		return -ENOMEM;
	s->pending = p;
	p = &p[s->n_pending++];
	describe(r, "a mark set from a map with our bits", text, sizeof(text));
	p->family = nftnl_rule_get_u32(r, NFTNL_RULE_FAMILY);
	p->table = strdup(nftnl_rule_get_str(r, NFTNL_RULE_TABLE));
	p->map = strdup(map);
	p->text = strdup(text);
	return p->table && p->map && p->text ? 0 : -ENOMEM;
}

static void forget(struct scan *s)
{
	for (size_t i = 0; i < s->n_pending; i++) {
		free(s->pending[i].table);
		free(s->pending[i].map);
		free(s->pending[i].text);
	}
	free(s->pending);
	s->pending = NULL;
	s->n_pending = 0;
}

static int judge_rule(struct scan *s, const struct nftnl_rule *r)
{
	struct markuse use;

	for (const char *const *other = s->others; other && *other; other++) {
		if (!markuse_has(r, *other))
			continue;
		describe(r, strcmp(*other, "flow_offload") ? *other : "flow add", s->text, s->size);
		return 1;
	}
	if (s->others)
		return 0;
	switch (markuse_rule(r, s->mask, &use)) {
	case MARKUSE_NO:
		break;
	case MARKUSE_YES:
		describe(r, use.what, s->text, s->size);
		return 1;
	case MARKUSE_MAP:
		return remember(s, r, use.map);
	}
	return 0;
}

static int scan_rule(const struct nlmsghdr *h, void *arg)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	int rc = 0;

	if (!r)
		return -ENOMEM;
	/* an expression that this libnftnl does not know makes the rule unreadable: no reason to refuse the start */
	if (!nftnl_rule_nlmsg_parse(h, r) && !is_ours(r))
		rc = judge_rule(arg, r);
	nftnl_rule_free(r);
	return rc;
}

static int judge_value(struct nftnl_set_elem *e, void *arg)
{
	const uint32_t *mask = arg;
	uint32_t len, value = 0;
	const void *data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_DATA, &len);

	if (data)
		memcpy(&value, data, len < sizeof(value) ? len : sizeof(value));
	return value & *mask ? -1 : 0;
}

static int scan_map(const struct nlmsghdr *h, void *arg)
{
	struct nftnl_set *s = nftnl_set_alloc();
	int rc = 0;

	if (!s)
		return -ENOMEM;
	if (!nftnl_set_elems_nlmsg_parse(h, s) && nftnl_set_elem_foreach(s, judge_value, arg) < 0)
		rc = 1;
	nftnl_set_free(s);
	return rc;
}

static int scan_maps(struct netlink *n, struct scan *s)
{
	char buf[1024] = "";
	int rc = 0;

	for (size_t i = 0; i < s->n_pending && !rc; i++) {
		const struct pending *p = &s->pending[i];
		int tries = 10;

		do {
			struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSETELEM, (uint16_t)p->family, 0, 0);

			mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, p->table);
			mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, p->map);
			rc = netlink_dump(n, h, scan_map, &s->mask);
		} while (rc == -EINTR && --tries);
		if (rc == 1)
			snprintf(s->text, s->size, "%s", p->text);
		if (rc == -ENOENT)	/* it went away with its rule */
			rc = 0;
	}
	return rc;
}

static int scan_nftables(struct scan *s)
{
	struct netlink n;
	char buf[256] = "";
	int rc = netlink_open(&n, NETLINK_NETFILTER), tries = 10;

	if (rc)
		return rc;
	do {
		forget(s);
		rc = netlink_dump(&n, nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, NFPROTO_UNSPEC, 0, 0), scan_rule, s);
	} while (rc == -EINTR && --tries);
	if (!rc)
		rc = scan_maps(&n, s);
	forget(s);
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
	static const char *const names[] = { "flow_offload", NULL };
	struct scan s = { .others = names, .text = text, .size = size };

	return scan_nftables(&s);
}

int marks_redirect(char *text, size_t size)
{
	static const char *const names[] = { "redir", "tproxy", "REDIRECT", "TPROXY", NULL };
	struct scan s = { .others = names, .text = text, .size = size };

	return scan_nftables(&s);
}
