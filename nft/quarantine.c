// SPDX-License-Identifier: GPL-2.0-or-later
/* A device is known by any of its addresses or by its MAC, so that a new address is no way out. Its packets to an allowed address
 * pass on to the other chains, which judge them as anybody's. */
#include "nft/quarantine.h"

#include <errno.h>
#include <string.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "nft/writer.h"

/* Data type numbers of the nft command (its datatype.h): what `nft list` prints the keys as. */
enum { TYPE_IP = 7, TYPE_IP6 = 8, TYPE_ETHER = 9 };
/* Sets of one batch are told apart by number; those of sets.c count from 1, those of starts.c from 64. */
enum { FIRST_ID = 80 };
/* Ethernet: destination, source. */
enum { MAC_OFFSET = 6, MAC_LEN = 6 };

/* Devices, and behind them what they may reach by name. */
enum kind { BY_IP4, BY_IP6, BY_MAC, DEVICES, OPEN4 = DEVICES, OPEN6, KINDS };

/* Twice what is ever in: elements whose time is over keep their places until the kernel sweeps. */
#define OPEN_SIZE (2 * TABLE_ADMITTED_MAX)

static const struct {
	const char *set;
	uint32_t type;
	uint8_t key_len;
} kinds[KINDS] = {
	[BY_IP4] = { "quarantine4", TYPE_IP, 4 },
	[BY_IP6] = { "quarantine6", TYPE_IP6, 16 },
	[BY_MAC] = { "quarantine_mac", TYPE_ETHER, MAC_LEN },
	[OPEN4] = { "quarantine_open4", TYPE_IP, 4 },
	[OPEN6] = { "quarantine_open6", TYPE_IP6, 16 },
};

static struct nftnl_set *begin(struct netlink_batch *b, enum kind kind)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s) {
		b->error = -ENOMEM;
		return NULL;
	}
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_str(s, NFTNL_SET_TABLE, SETS_TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, kinds[kind].set);
	nftnl_set_set_u32(s, NFTNL_SET_ID, FIRST_ID + kind);
	return s;
}

static void put(struct netlink_batch *b, struct nftnl_set *s, uint16_t type)
{
	struct nlmsghdr *h = netlink_batch_put(b, type, NFPROTO_INET, NLM_F_CREATE);

	if (h) {
		if (type == NFT_MSG_NEWSET)
			nftnl_set_nlmsg_build_payload(h, s);
		else
			nftnl_set_elems_nlmsg_build_payload(h, s);
		netlink_batch_next(b, h);
	}
	nftnl_set_free(s);
}

static void put_set(struct netlink_batch *b, enum kind kind)
{
	struct nftnl_set *s = begin(b, kind);

	if (!s)
		return;
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_TIMEOUT);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, kinds[kind].type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, kinds[kind].key_len);
	if (kind >= DEVICES)
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, OPEN_SIZE);
	put(b, s, NFT_MSG_NEWSET);
}

static void put_element(struct netlink_batch *b, uint16_t type, enum kind kind, const void *key, uint32_t left_s)
{
	struct nftnl_set *s = begin(b, kind);
	struct nftnl_set_elem *e = s ? nftnl_set_elem_alloc() : NULL;

	if (!e) {
		if (s)
			nftnl_set_free(s);
		b->error = -ENOMEM;
		return;
	}
	nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, kinds[kind].key_len);
	if (type == NFT_MSG_NEWSETELEM)
		nftnl_set_elem_set_u64(e, NFTNL_SET_ELEM_TIMEOUT, left_s * UINT64_C(1000));
	nftnl_set_elem_add(s, e);
	put(b, s, type);
}

void quarantine_put_sets(struct netlink_batch *b, const struct table_config *config)
{
	for (enum kind kind = 0; kind < (config->quarantine_names ? KINDS : DEVICES); kind++)
		put_set(b, kind);
	for (size_t i = 0; i < config->n_quarantined && !b->error; i++) {
		const struct table_device *d = &config->quarantined[i];

		if (d->by_mac)
			put_element(b, NFT_MSG_NEWSETELEM, BY_MAC, d->mac, d->left_s);
		else
			put_element(b, NFT_MSG_NEWSETELEM, d->family == 6 ? BY_IP6 : BY_IP4, d->family == 6 ? d->address : d->address + 12,
				    d->left_s);
	}
}

static bool is_v4(const uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };

	return !memcmp(address, mapped, sizeof(mapped));
}

/* Deleting what is not there fails, and on Linux 6.1 adding what is there refreshes nothing: so all three, which are carried out as one. */
void quarantine_put_admitted(struct netlink_batch *b, const struct table_admitted *admitted, size_t n)
{
	static const uint16_t steps[] = { NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM, NFT_MSG_NEWSETELEM };

	for (size_t i = 0; i < n; i++) {
		const struct table_admitted *a = &admitted[i];
		bool four = is_v4(a->address);

		for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]) && !b->error; k++)
			put_element(b, steps[k], four ? OPEN4 : OPEN6, four ? a->address + 12 : a->address, a->timeout_s);
	}
}

static void match_device(struct writer *w, enum kind kind)
{
	enum set like = kind == BY_IP6 ? SET_ENDPOINTS6 : SET_ENDPOINTS4;
	struct expr_rule r = writer_begin(w);
	uint16_t ethernet = ARPHRD_ETHER;

	if (!r.rule)
		return;
	if (kind == BY_MAC) {
		expr_meta(&r, NFT_META_IIFTYPE, 0);
		expr_cmp(&r, NFT_CMP_EQ, &ethernet, sizeof(ethernet));
		expr_payload(&r, NFT_PAYLOAD_LL_HEADER, MAC_OFFSET, MAC_LEN, 0);
	} else {
		writer_match_family(&r, like);
		writer_load_address(&r, like, SOURCE, 0);
	}
	expr_lookup(&r, kinds[kind].set);
	writer_end_verdict(w, &r, NFT_GOTO, QUARANTINE_CHECK);
}

static void mask_of(uint8_t mask[16], unsigned prefix)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = prefix > 8 * i ? prefix - 8 * i : 0;

		mask[i] = bits >= 8 ? 0xff : (uint8_t)(0xff << (8 - bits));
	}
}

static void accept_network(struct writer *w, const struct table_network *n, uint8_t proto)
{
	bool four = n->prefix >= 96 && is_v4(n->addr);
	enum set like = four ? SET_ENDPOINTS4 : SET_ENDPOINTS6;
	uint8_t mask[16], none[16] = { 0 };
	struct expr_rule r = writer_begin(w);
	uint32_t skip = four ? 12 : 0;

	if (!r.rule)
		return;
	mask_of(mask, n->prefix);
	writer_match_family(&r, like);
	writer_load_address(&r, like, DESTINATION, 0);
	expr_bitwise(&r, mask + skip, none, 16 - skip);
	expr_cmp(&r, NFT_CMP_EQ, n->addr + skip, 16 - skip);
	if (proto) {
		writer_match_proto(&r, proto);
		writer_match_port(&r, n->port);
	}
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
}

static void accept_open(struct writer *w, enum kind kind)
{
	enum set like = kind == OPEN6 ? SET_ENDPOINTS6 : SET_ENDPOINTS4;
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_family(&r, like);
	writer_load_address(&r, like, DESTINATION, 0);
	expr_lookup(&r, kinds[kind].set);
	writer_end_verdict(w, &r, NF_ACCEPT, NULL);
}

void quarantine_put_chains(struct writer *w)
{
	struct expr_rule r;

	w->chain = QUARANTINE_BASE;
	for (enum kind kind = 0; kind < DEVICES; kind++)
		match_device(w, kind);
	w->chain = QUARANTINE_CHECK;
	for (size_t i = 0; i < w->config->n_quarantine_allowed; i++) {
		const struct table_network *n = &w->config->quarantine_allowed[i];

		accept_network(w, n, n->port ? IPPROTO_TCP : 0);
		if (n->port)
			accept_network(w, n, IPPROTO_UDP);
	}
	if (w->config->quarantine_names) {
		accept_open(w, OPEN4);
		accept_open(w, OPEN6);
	}
	r = writer_begin(w);
	if (!r.rule)
		return;
	expr_counter(&r, "quarantined");
	writer_end_verdict(w, &r, NFT_JUMP, "refuse");
	r = writer_begin(w);
	writer_end_verdict(w, &r, NF_DROP, NULL);	/* what has no answer of its own */
}
