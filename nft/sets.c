// SPDX-License-Identifier: GPL-2.0-or-later
/* Describes our sets to the kernel and carries elements there and back. Knows keys and lifetimes, not why an
 * address is in a set. */
#include "nft/sets.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>

/* Data type numbers of the nft command (its datatype.h): what `nft list` prints the parts of a key as. */
enum { TYPE_IP = 7, TYPE_IP6 = 8, TYPE_PROTO = 12, TYPE_PORT = 13, TYPE_BITS = 6 };

#define KEY2(a, b)       ((uint32_t)(a) << TYPE_BITS | (b))
#define KEY3(a, b, c)    (KEY2(a, b) << TYPE_BITS | (c))
#define KEY4(a, b, c, d) (KEY3(a, b, c) << TYPE_BITS | (d))

/* Every part of a key is padded to 4 bytes. */
enum { PART = 4, KEY_MAX = 40 };

/* So that a message stays under the 64 KiB of a nested attribute: an IPv6 pair takes about 100 bytes. */
#define ELEMENTS_A_MESSAGE 500

/* Tries that nobody makes any more are forgotten after an hour; the daemon has read them 360 times by then. */
#define TRIES_LIFE_MS (3600 * 1000)

static const struct shape {
	const char *name;
	uint32_t type, flags;
	uint8_t key_len;
} shapes[SET_COUNT] = {
	[SET_ENDPOINTS4] = { "endpoints4", KEY3(TYPE_IP, TYPE_PROTO, TYPE_PORT), NFT_SET_TIMEOUT, 12 },
	[SET_ENDPOINTS6] = { "endpoints6", KEY3(TYPE_IP6, TYPE_PROTO, TYPE_PORT), NFT_SET_TIMEOUT, 24 },
	[SET_PAIRS4] = { "pairs4", KEY4(TYPE_IP, TYPE_IP, TYPE_PROTO, TYPE_PORT), NFT_SET_TIMEOUT, 16 },
	[SET_PAIRS6] = { "pairs6", KEY4(TYPE_IP6, TYPE_IP6, TYPE_PROTO, TYPE_PORT), NFT_SET_TIMEOUT, 40 },
	[SET_TRIES4] = { "tries4", KEY4(TYPE_IP, TYPE_IP, TYPE_PROTO, TYPE_PORT), NFT_SET_TIMEOUT | NFT_SET_EVAL, 16 },
	[SET_TRIES6] = { "tries6", KEY4(TYPE_IP6, TYPE_IP6, TYPE_PROTO, TYPE_PORT), NFT_SET_TIMEOUT | NFT_SET_EVAL, 40 },
	[SET_EXEMPT4] = { "exempt4", TYPE_IP, NFT_SET_INTERVAL, 4 },
	[SET_EXEMPT6] = { "exempt6", TYPE_IP6, NFT_SET_INTERVAL, 16 },
	[SET_ALLOWED4] = { "allowed4", TYPE_IP, NFT_SET_INTERVAL, 4 },
	[SET_ALLOWED6] = { "allowed6", TYPE_IP6, NFT_SET_INTERVAL, 16 },
	[SET_ALLOWED_PORTS4] = { "allowed_ports4", KEY2(TYPE_IP, TYPE_PORT), NFT_SET_INTERVAL | NFT_SET_CONCAT, 8 },
	[SET_ALLOWED_PORTS6] = { "allowed_ports6", KEY2(TYPE_IP6, TYPE_PORT), NFT_SET_INTERVAL | NFT_SET_CONCAT, 20 },
};

static uint8_t address_len(enum set set)
{
	return set & 1 ? 16 : 4;
}

const char *sets_name(enum set set)
{
	return shapes[set].name;
}

enum set sets_of(const struct element *e)
{
	return (e->pair ? SET_PAIRS4 : SET_ENDPOINTS4) + (e->family == 6);
}

static void put_set(struct netlink_batch *b, struct nftnl_set *s, uint16_t type, uint16_t flags, bool elements)
{
	struct nlmsghdr *h = netlink_batch_put(b, type, NFPROTO_INET, flags);

	if (!h)
		return;
	if (elements)
		nftnl_set_elems_nlmsg_build_payload(h, s);
	else
		nftnl_set_nlmsg_build_payload(h, s);
	netlink_batch_next(b, h);
}

static struct nftnl_set *named(struct netlink_batch *b, enum set set)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s) {
		b->error = -ENOMEM;
		return NULL;
	}
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_str(s, NFTNL_SET_TABLE, SETS_TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, shapes[set].name);
	return s;
}

void sets_put(struct netlink_batch *b, enum set set, uint32_t size)
{
	const struct shape *shape = &shapes[set];
	const uint8_t fields[] = { address_len(set), sizeof(uint16_t) };
	struct nftnl_set *s = named(b, set);
	struct nftnl_expr *counter;

	if (!s)
		return;
	nftnl_set_set_u32(s, NFTNL_SET_ID, set + 1);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, shape->flags);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, shape->type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, shape->key_len);
	if (shape->flags & NFT_SET_CONCAT)
		nftnl_set_set_data(s, NFTNL_SET_DESC_CONCAT, fields, sizeof(fields));
	if (set < SET_LEARNT) {
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, size);
		counter = nftnl_expr_alloc("counter");
		if (counter)
			nftnl_set_add_expr(s, counter);
		else
			b->error = -ENOMEM;
	}
	if (shape->flags & NFT_SET_EVAL)
		nftnl_set_set_u64(s, NFTNL_SET_TIMEOUT, TRIES_LIFE_MS);
	put_set(b, s, NFT_MSG_NEWSET, NLM_F_CREATE, false);
	nftnl_set_free(s);
}

static uint8_t *put_address(uint8_t *at, const uint8_t mapped[16], uint8_t len)
{
	memcpy(at, mapped + 16 - len, len);
	return at + len;
}

static const uint8_t *get_address(const uint8_t *at, uint8_t mapped[16], uint8_t len)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	if (len == 4)
		memcpy(mapped, prefix, sizeof(prefix));
	memcpy(mapped + 16 - len, at, len);
	return at + len;
}

static void key_of(enum set set, const struct element *e, uint8_t key[KEY_MAX])
{
	uint16_t port = htons(e->port);
	uint8_t *at = key;

	memset(key, 0, KEY_MAX);
	if (set >= SET_PAIRS4)
		at = put_address(at, e->src, address_len(set));
	at = put_address(at, e->dst, address_len(set));
	*at = e->proto;
	memcpy(at + PART, &port, sizeof(port));
}

static struct nftnl_set_elem *add_elem(struct netlink_batch *b, struct nftnl_set *s, const void *key, uint32_t len)
{
	struct nftnl_set_elem *e = nftnl_set_elem_alloc();

	if (!e) {
		b->error = -ENOMEM;
		return NULL;
	}
	nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, len);
	nftnl_set_elem_add(s, e);
	return e;
}

/* The life left and the packets counted go on: tries may not have been read since the daemon before us ended. */
static void adopt(struct netlink_batch *b, struct nftnl_set_elem *e, const struct element *from)
{
	struct nftnl_expr *counter = nftnl_expr_alloc("counter");

	if (from->expires_ms || from->timeout_s)	/* an expiry of 0 would mean the whole life again */
		nftnl_set_elem_set_u64(e, NFTNL_SET_ELEM_EXPIRATION, from->expires_ms ? from->expires_ms : 1);
	if (!counter) {
		b->error = -ENOMEM;
		return;
	}
	nftnl_expr_set_u64(counter, NFTNL_EXPR_CTR_PACKETS, from->packets);
	nftnl_set_elem_add_expr(e, counter);
}

static void put_message(struct netlink_batch *b, enum set set, enum sets_op op, const struct element *elements, size_t n)
{
	static const uint16_t flags[] = {
		[SETS_ADD] = NLM_F_CREATE, [SETS_NEW] = NLM_F_CREATE | NLM_F_EXCL, [SETS_ADOPT] = NLM_F_CREATE, [SETS_DELETE] = 0,
	};
	struct nftnl_set *s = named(b, set);
	uint8_t key[KEY_MAX];

	if (!s)
		return;
	for (size_t i = 0; i < n; i++) {
		struct nftnl_set_elem *e;

		key_of(set, &elements[i], key);
		e = add_elem(b, s, key, shapes[set].key_len);
		if (!e)
			break;
		if (op != SETS_DELETE && elements[i].timeout_s)
			nftnl_set_elem_set_u64(e, NFTNL_SET_ELEM_TIMEOUT, elements[i].timeout_s * UINT64_C(1000));
		if (op == SETS_ADOPT)
			adopt(b, e, &elements[i]);
	}
	put_set(b, s, op == SETS_DELETE ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM, flags[op], true);
	nftnl_set_free(s);
}

void sets_put_elements(struct netlink_batch *b, enum set set, enum sets_op op, const struct element *elements, size_t n)
{
	while (n && !b->error) {
		size_t some = n < ELEMENTS_A_MESSAGE ? n : ELEMENTS_A_MESSAGE;

		put_message(b, set, op, elements, some);
		elements += some;
		n -= some;
	}
}

/* Networks as ranges: interval sets refuse overlaps, a policy may have them. */
struct range {
	uint16_t port;
	uint8_t lo[16], hi[16];
};

static int compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return memcmp(x->lo, y->lo, sizeof(x->lo));
}

/* addr + 1; false where it wraps around (the last address of the family has no next one). */
static bool next_address(uint8_t addr[16], uint8_t len)
{
	for (int i = 15; i >= 16 - len; i--)
		if (++addr[i])
			return true;
	return false;
}

static bool is_v4(const struct table_network *n)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return n->prefix >= 96 && !memcmp(n->addr, prefix, sizeof(prefix));
}

static bool belongs(const struct table_network *n, enum set set)
{
	return is_v4(n) == !(set & 1) && !!n->port == (set >= SET_ALLOWED_PORTS4);
}

static void range_of(const struct table_network *n, struct range *r)
{
	r->port = n->port;
	for (int i = 0; i < 16; i++) {
		int bits = n->prefix - 8 * i;
		uint8_t mask = bits >= 8 ? 0xff : bits <= 0 ? 0 : (uint8_t)(0xff << (8 - bits));

		r->lo[i] = n->addr[i] & mask;
		r->hi[i] = n->addr[i] | (uint8_t)~mask;
	}
}

/* Those of one family, with ports or without, sorted, with neighbours joined. */
static size_t ranges_of(const struct table_network *networks, size_t n, enum set set, struct range *r)
{
	size_t count = 0, out = 0;

	for (size_t i = 0; i < n; i++)
		if (belongs(&networks[i], set))
			range_of(&networks[i], &r[count++]);
	qsort(r, count, sizeof(*r), compare);
	for (size_t i = 0; i < count; i++) {
		struct range *last = out ? &r[out - 1] : NULL;
		uint8_t after[16];
		bool joins = false;

		if (last && last->port == r[i].port) {
			memcpy(after, last->hi, sizeof(after));
			joins = !next_address(after, address_len(set)) || memcmp(r[i].lo, after, sizeof(after)) <= 0;
		}
		if (!joins)
			r[out++] = r[i];
		else if (memcmp(r[i].hi, last->hi, sizeof(last->hi)) > 0)
			memcpy(last->hi, r[i].hi, sizeof(last->hi));
	}
	return out;
}

static void add_range(struct netlink_batch *b, struct nftnl_set *s, enum set set, struct range *r)
{
	uint8_t len = address_len(set), key[KEY_MAX] = { 0 };
	uint16_t port = htons(r->port);
	struct nftnl_set_elem *e;

	put_address(key, r->lo, len);
	if (shapes[set].flags & NFT_SET_CONCAT) {
		memcpy(key + len, &port, sizeof(port));
		e = add_elem(b, s, key, len + PART);
		put_address(key, r->hi, len);
		if (e)
			nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY_END, key, len + PART);
		return;
	}
	add_elem(b, s, key, len);
	/* the end is an element of its own: the first address that no longer belongs to it */
	if (!next_address(r->hi, len))
		return;
	put_address(key, r->hi, len);
	e = add_elem(b, s, key, len);
	if (e)
		nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
}

static int put_ranges(struct netlink_batch *b, enum set set, const struct table_network *networks, size_t n)
{
	struct range *r = calloc(n ? n : 1, sizeof(*r));
	size_t count, done = 0;

	if (!r)
		return -ENOMEM;
	count = ranges_of(networks, n, set, r);
	while (done < count && !b->error) {
		struct nftnl_set *s = named(b, set);

		if (!s)
			break;
		/* a range is up to two elements */
		for (size_t i = 0; i < ELEMENTS_A_MESSAGE / 2 && done < count; i++)
			add_range(b, s, set, &r[done++]);
		put_set(b, s, NFT_MSG_NEWSETELEM, NLM_F_CREATE, true);
		nftnl_set_free(s);
	}
	free(r);
	return b->error;
}

/* The networks that one of these sets is made of, and others. */
static const struct table_network *networks_for(enum set set, const struct table_config *config, size_t *n)
{
	bool exempt = set == SET_EXEMPT4 || set == SET_EXEMPT6;

	*n = exempt ? config->n_exempt : config->n_allowed;
	return exempt ? config->exempt : config->allowed;
}

bool sets_are_empty(enum set set, const struct table_config *config)
{
	size_t n;
	const struct table_network *networks = networks_for(set, config, &n);

	for (size_t i = 0; i < n; i++)
		if (belongs(&networks[i], set))
			return false;
	return true;
}

int sets_put_networks(struct netlink_batch *b, const struct table_config *config)
{
	int rc = 0;

	for (enum set set = SET_LEARNT; set < SET_COUNT && !rc; set++) {
		size_t n;
		const struct table_network *networks = networks_for(set, config, &n);

		rc = put_ranges(b, set, networks, n);
	}
	return rc;
}

struct reading {
	enum set set;
	struct sets_list *list;
};

static struct element *grow(struct sets_list *list)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 256;
		struct element *e = realloc(list->element, cap * sizeof(*e));

		if (!e)
			return NULL;
		list->element = e;
		list->cap = cap;
	}
	return memset(&list->element[list->n++], 0, sizeof(struct element));
}

static int read_elem(struct nftnl_set_elem *from, void *arg)
{
	const struct reading *reading = arg;
	enum set set = reading->set;
	const struct nftnl_expr *counter;
	struct element *e;
	const uint8_t *at;
	uint16_t port;
	uint32_t len;

	at = nftnl_set_elem_get(from, NFTNL_SET_ELEM_KEY, &len);
	if (!at || len != shapes[set].key_len)
		return 0;
	e = grow(reading->list);
	if (!e)
		return -1;
	e->family = set & 1 ? 6 : 4;
	e->pair = set >= SET_PAIRS4;
	if (e->pair)
		at = get_address(at, e->src, address_len(set));
	at = get_address(at, e->dst, address_len(set));
	e->proto = *at;
	memcpy(&port, at + PART, sizeof(port));
	e->port = ntohs(port);
	if (nftnl_set_elem_is_set(from, NFTNL_SET_ELEM_TIMEOUT))
		e->timeout_s = (uint32_t)((nftnl_set_elem_get_u64(from, NFTNL_SET_ELEM_TIMEOUT) + 999) / 1000);
	if (nftnl_set_elem_is_set(from, NFTNL_SET_ELEM_EXPIRATION))
		e->expires_ms = nftnl_set_elem_get_u64(from, NFTNL_SET_ELEM_EXPIRATION);
	counter = nftnl_set_elem_get(from, NFTNL_SET_ELEM_EXPR, &len);
	if (counter && !strcmp(nftnl_expr_get_str(counter, NFTNL_EXPR_NAME), "counter"))
		e->packets = nftnl_expr_get_u64(counter, NFTNL_EXPR_CTR_PACKETS);
	return 0;
}

static int read_message(const struct nlmsghdr *h, void *arg)
{
	struct nftnl_set *s = nftnl_set_alloc();
	int rc = 0;

	if (!s)
		return -ENOMEM;
	if (nftnl_set_elems_nlmsg_parse(h, s) < 0)
		rc = -EBADMSG;
	else if (nftnl_set_elem_foreach(s, read_elem, arg) < 0)
		rc = -ENOMEM;
	nftnl_set_free(s);
	return rc;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct element, timeout_s));	/* grow has zeroed what lies between */
}

static void drop_doubles(struct sets_list *list, size_t from)
{
	size_t out = from;

	if (list->n == from)
		return;
	qsort(&list->element[from], list->n - from, sizeof(struct element), compare_keys);
	for (size_t i = from; i < list->n; i++)
		if (out == from || compare_keys(&list->element[out - 1], &list->element[i]))
			list->element[out++] = list->element[i];
	list->n = out;
}

static int read_once(struct netlink *n, enum set set, struct sets_list *list)
{
	struct reading reading = { .set = set, .list = list };
	char buf[512] = "";
	int rc, tries = 10;

	do {
		struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSETELEM, NFPROTO_INET, 0, 0);

		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, SETS_TABLE);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, shapes[set].name);
		rc = netlink_dump(n, h, read_message, &reading);
	} while (rc == -EINTR && --tries);
	return rc == -ENOENT ? 0 : rc;
}

/* A dump of several messages finds its place again by counting, so an element that expires or a hash table that grows
 * meanwhile makes it miss some and give others twice. */
int sets_read(struct netlink *n, enum set set, bool thorough, struct sets_list *list)
{
	size_t from = list->n, known;
	int rc, passes = thorough ? 8 : 1;

	do {
		known = list->n;
		rc = read_once(n, set, list);
		drop_doubles(list, from);
	} while (!rc && --passes && list->n != known);
	return rc;
}
