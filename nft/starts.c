// SPDX-License-Identifier: GPL-2.0-or-later
/* A map from a flow's ends to its start. Rules fill and empty it; the daemon asks for one flow where its bytes leave a doubt. */
#include "nft/starts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nft/writer.h"

/* A flow that has said nothing for so long is judged as if its start were not known. */
#define LIFE_MS (600 * 1000)
/* Data type numbers of the nft command (its datatype.h): what `nft list` prints the parts of a key as. */
enum { TYPE_IP = 7, TYPE_IP6 = 8, TYPE_MARK = 19, TYPE_BITS = 6 };
/* Sets of one batch are told apart by number; those of sets.c count from 1. */
enum { FIRST_ID = 64 };

static const struct kind {
	const char *map;
	enum set like;		/* a set of the same family */
	uint32_t address;
	uint8_t key_len;	/* as they stand in a reply: server and client, and their ports in one word */
} kinds[] = {
	{ "starts4", SET_ENDPOINTS4, TYPE_IP, 12 },
	{ "starts6", SET_ENDPOINTS6, TYPE_IP6, 36 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void put_map(struct netlink_batch *b, const struct kind *k, uint32_t id)
{
	struct nftnl_set *s = nftnl_set_alloc();
	struct nlmsghdr *h;

	if (!s) {
		b->error = -ENOMEM;
		return;
	}
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_str(s, NFTNL_SET_TABLE, SETS_TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, k->map);
	nftnl_set_set_u32(s, NFTNL_SET_ID, id);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_TIMEOUT | NFT_SET_EVAL | NFT_SET_MAP);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, (k->address << TYPE_BITS | k->address) << TYPE_BITS | TYPE_IP);	/* two ports as two bytes each */
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, k->key_len);
	nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, TYPE_MARK);
	nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
	nftnl_set_set_u64(s, NFTNL_SET_TIMEOUT, LIFE_MS);
	h = netlink_batch_put(b, NFT_MSG_NEWSET, NFPROTO_INET, NLM_F_CREATE);
	if (h) {
		nftnl_set_nlmsg_build_payload(h, s);
		netlink_batch_next(b, h);
	}
	nftnl_set_free(s);
}

/* Without a size the hash begins small and grows; the kernel stops at 65535 flows. */
void starts_put_maps(struct netlink_batch *b)
{
	for (size_t i = 0; i < KINDS; i++)
		put_map(b, &kinds[i], FIRST_ID + (uint32_t)i);
}

/* A reply's ends, into words from 0 on; the word behind them. */
static unsigned int load_ends(struct expr_rule *r, const struct kind *k)
{
	unsigned int word;

	writer_match_family(r, k->like);
	word = writer_load_address(r, k->like, SOURCE, 0);
	word = writer_load_address(r, k->like, DESTINATION, word);
	expr_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 4, word);
	return word + 1;
}

/* The start that a SYN-ACK acknowledges (RFC 9293: at offset 8). An update leaves the value of what is there as it is, so an earlier
 * connection's goes first. */
static void put_learn(struct writer *w, const struct kind *k)
{
	struct expr_rule r = writer_begin(w);
	unsigned int word;

	if (!r.rule)
		return;
	word = load_ends(&r, k);
	expr_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 8, 4, word);
	expr_dynset(&r, NFT_DYNSET_OP_DELETE, k->map, word);
	expr_dynset(&r, NFT_DYNSET_OP_UPDATE, k->map, word);
	writer_end(w, &r);
}

/* The value, which does not count, is one of the key's words: the kernel wants one that was loaded. */
static void forget(struct expr_rule *r, const struct kind *k)
{
	expr_dynset(r, NFT_DYNSET_OP_DELETE, k->map, load_ends(r, k) - 1);
}

static void put_forget(struct writer *w, const struct kind *k)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	forget(&r, k);
	writer_end(w, &r);
}

void starts_put_chains(struct writer *w)
{
	for (size_t i = 0; i < KINDS; i++) {
		w->chain = STARTS_LEARN;
		put_learn(w, &kinds[i]);
		w->chain = STARTS_FORGET;
		put_forget(w, &kinds[i]);
	}
}

void starts_put_reply(struct writer *w)
{
	struct expr_rule r = writer_begin(w);

	if (!r.rule)
		return;
	writer_match_flags(&r, TH_SYN | TH_ACK, TH_SYN | TH_ACK);
	writer_end_verdict(w, &r, NFT_GOTO, STARTS_LEARN);
}

void starts_put_settled(struct writer *w)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct expr_rule r = writer_begin(w);

		if (!r.rule)
			return;
		writer_match_payload(&r);
		forget(&r, &kinds[i]);
		writer_set_state(w, &r, STATE_PASS);
		writer_end_verdict(w, &r, NF_ACCEPT, NULL);
	}
}

struct starts {
	struct netlink netlink;
};

int starts_open(struct starts **out)
{
	struct starts *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (!s)
		return -ENOMEM;
	rc = netlink_open(&s->netlink, NETLINK_NETFILTER);
	if (rc)
		free(s);
	else
		*out = s;
	return rc;
}

void starts_close(struct starts *s)
{
	if (!s)
		return;
	netlink_close(&s->netlink);
	free(s);
}

/* The attribute of this type inside `in`, or NULL. */
static const struct nlattr *inside(const struct nlattr *in, uint16_t type)
{
	const struct nlattr *attr;

	if (!in)
		return NULL;
	mnl_attr_for_each_nested(attr, in)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

static int read_start(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *attr, *value = NULL;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_LIST_ELEMENTS)
			value = inside(inside(inside(attr, NFTA_LIST_ELEM), NFTA_SET_ELEM_DATA), NFTA_DATA_VALUE);
	if (!value || mnl_attr_get_payload_len(value) != sizeof(uint32_t))
		return -ENOENT;
	*(uint32_t *)arg = ntohl(mnl_attr_get_u32(value));
	return 0;
}

int starts_get(struct starts *s, uint8_t family, const uint8_t src[16], const uint8_t dst[16], uint16_t sport, uint16_t dport,
	       uint32_t *start)
{
	const struct kind *k = &kinds[family == 6];
	size_t len = family == 6 ? 16 : 4;
	uint16_t ports[] = { htons(dport), htons(sport) };
	uint8_t key[36];
	char buf[512] = "";
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;
	struct nlattr *list, *one, *nest;

	memcpy(key, dst + 16 - len, len);
	memcpy(key + len, src + 16 - len, len);
	memcpy(key + 2 * len, ports, sizeof(ports));
	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = NFPROTO_INET;
	g->version = NFNETLINK_V0;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, SETS_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, k->map);
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, k->key_len, key);
	mnl_attr_nest_end(h, nest);
	mnl_attr_nest_end(h, one);
	mnl_attr_nest_end(h, list);
	return netlink_ask(&s->netlink, h, read_start, start);
}
