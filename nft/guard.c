// SPDX-License-Identifier: GPL-2.0-or-later
/* The helpers are the ones that do least. sane (TCP) reads nothing but 8-byte requests of one kind, and expects one more
 * connection from the same client to the same server; netbios-ns (UDP) acts on broadcasts of this host alone; tftp, where IPv6 has
 * nothing smaller, expects answers of the same server at the same port. None rewrites packets, and none opens a port that the client
 * did not use itself. A helper that the admin gave to a flow stays. */
#include "nft/guard.h"

#include <errno.h>
#include <netinet/in.h>
#include <libnftnl/object.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

static const struct guard {
	const char *object, *helper;
	uint16_t family;	/* NFPROTO_INET: both */
	uint8_t proto;
} guards[GUARDS] = {
	{ "guard_tcp", "sane", NFPROTO_INET, IPPROTO_TCP },
	{ "guard_udp4", "netbios-ns", NFPROTO_IPV4, IPPROTO_UDP },
	{ "guard_udp6", "tftp", NFPROTO_IPV6, IPPROTO_UDP },
};

static void put_object(struct netlink_batch *b, const char *table, const struct guard *g)
{
	struct nftnl_obj *o = nftnl_obj_alloc();
	struct nlmsghdr *h;

	if (!o) {
		b->error = -ENOMEM;
		return;
	}
	nftnl_obj_set_u32(o, NFTNL_OBJ_FAMILY, NFPROTO_INET);
	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, table);
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, g->object);
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_CT_HELPER);
	nftnl_obj_set_str(o, NFTNL_OBJ_CT_HELPER_NAME, g->helper);
	if (g->family != NFPROTO_INET)
		nftnl_obj_set_u16(o, NFTNL_OBJ_CT_HELPER_L3PROTO, g->family);
	nftnl_obj_set_u8(o, NFTNL_OBJ_CT_HELPER_L4PROTO, g->proto);
	h = netlink_batch_put(b, NFT_MSG_NEWOBJ, NFPROTO_INET, NLM_F_CREATE);
	if (h) {
		nftnl_obj_nlmsg_build_payload(h, o);
		netlink_batch_next(b, h);
	}
	nftnl_obj_free(o);
}

void guard_put_objects(struct netlink_batch *b, const char *table)
{
	for (size_t i = 0; i < GUARDS; i++)
		put_object(b, table, &guards[i]);
}

void guard_put_rules(struct writer *w)
{
	for (size_t i = 0; i < GUARDS; i++) {
		struct expr_rule r = writer_begin(w);

		if (!r.rule)
			return;
		if (guards[i].family != NFPROTO_INET)
			writer_match_family(&r, guards[i].family == NFPROTO_IPV6 ? SET_ENDPOINTS6 : SET_ENDPOINTS4);
		writer_match_proto(&r, guards[i].proto);
		writer_match_ct_state(&r, NF_CT_STATE_BIT(IP_CT_NEW) | NF_CT_STATE_BIT(IP_CT_RELATED));
		expr_helper(&r, guards[i].object);
		writer_end(w, &r);
	}
}
