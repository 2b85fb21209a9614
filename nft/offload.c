// SPDX-License-Identifier: GPL-2.0-or-later
/* Only TCP: from a UDP port come more DNS queries and more connections of QUIC, which are to be seen although its flow was let go. A
 * flow that is blocked later must be taken out of the connection tracking (connmark_tear), as the fast way asks no mark. */
#include "nft/offload.h"

#include <errno.h>
#include <netinet/in.h>
#include <libnftnl/flowtable.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#define FLOWTABLE "decided"
/* Of the ingress hook, where a packet is looked up; the usual one. */
#define PRIORITY 0

void offload_put_flowtable(struct netlink_batch *b, const char *table, const char *const *devices)
{
	struct nftnl_flowtable *f = nftnl_flowtable_alloc();
	struct nlmsghdr *h;

	if (!f || nftnl_flowtable_set_str(f, NFTNL_FLOWTABLE_TABLE, table) || nftnl_flowtable_set_str(f, NFTNL_FLOWTABLE_NAME, FLOWTABLE) ||
	    nftnl_flowtable_set_data(f, NFTNL_FLOWTABLE_DEVICES, devices, 0)) {
		b->error = -ENOMEM;
		goto out;
	}
	nftnl_flowtable_set_u32(f, NFTNL_FLOWTABLE_FAMILY, NFPROTO_INET);
	nftnl_flowtable_set_u32(f, NFTNL_FLOWTABLE_HOOKNUM, NF_NETDEV_INGRESS);
	nftnl_flowtable_set_s32(f, NFTNL_FLOWTABLE_PRIO, PRIORITY);
	h = netlink_batch_put(b, NFT_MSG_NEWFLOWTABLE, NFPROTO_INET, NLM_F_CREATE);
	if (h) {
		nftnl_flowtable_nlmsg_build_payload(h, f);
		netlink_batch_next(b, h);
	}
out:
	if (f)
		nftnl_flowtable_free(f);
}

void offload_expr(struct expr_rule *r)
{
	expr_offload(r, FLOWTABLE);
}

void offload_put_rule(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_proto(&r, IPPROTO_TCP);
	writer_match_ct_state(&r, NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
	writer_match_state(w, &r, STATE_PASS);
	offload_expr(&r);
	writer_end(w, &r);
}
