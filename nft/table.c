// SPDX-License-Identifier: GPL-2.0-or-later
/* The table `inet minewall` in the kernel: made, replaced, checked and removed in whole batches, its learnt elements
 * kept. Touches no other table, and holds no list of its own of what is in it. */
#include "nft/table.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nft/expr.h"
#include "nft/guard.h"
#include "nft/quarantine.h"
#include "nft/netlink.h"
#include "nft/offload.h"
#include "nft/rules.h"
#include "nft/sets.h"
#include "nft/starts.h"

#define PROBE_TABLE "minewall_probe"
#define PROBE_OWNED "minewall_probe_owned"
/* linux/netfilter/nf_tables.h: the table belongs to the socket that made it, until that is closed (5.12); then it stays, and
 * belongs to nobody (6.9). Owned without staying it would die with us, and what was learnt with it. */
#define OWNED (NFT_TABLE_F_OWNER | 0x4u /* NFT_TABLE_F_PERSIST */)

struct table {
	pthread_mutex_t lock;
	struct netlink netlink;
	struct mnl_socket *watch;
	bool xt;			/* no `queue` expression: the xtables target */
	bool can_own;
	struct rules_layout layout;	/* of the last install; n 0: none */
};

static void put_table(struct netlink_batch *b, const char *name, uint16_t type, uint32_t flags)
{
	struct nlmsghdr *h = netlink_batch_put(b, type, NFPROTO_INET, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, name);
	if (flags)
		mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(flags));
	netlink_batch_next(b, h);
}

static void put_probe_rule(struct netlink_batch *b, void (*fill)(struct expr_rule *r))
{
	struct expr_rule r = { .rule = nftnl_rule_alloc() };
	struct nlmsghdr *h;

	if (!r.rule) {
		b->error = -ENOMEM;
		return;
	}
	nftnl_rule_set_str(r.rule, NFTNL_RULE_TABLE, PROBE_TABLE);
	nftnl_rule_set_str(r.rule, NFTNL_RULE_CHAIN, "probe");
	fill(&r);
	if (r.broken)
		b->error = -ENOMEM;
	h = netlink_batch_put(b, NFT_MSG_NEWRULE, NFPROTO_INET, NLM_F_CREATE | NLM_F_APPEND);
	if (h) {
		nftnl_rule_nlmsg_build_payload(h, r.rule);
		netlink_batch_next(b, h);
	}
	nftnl_rule_free(r.rule);
}

static void probe_payload(struct expr_rule *r)
{
	expr_payload(r, NFT_PAYLOAD_INNER_HEADER, 0, 1, 0);
}

static void probe_queue(struct expr_rule *r)
{
	expr_queue(r, 0, 1, true);
}

static void probe_xt(struct expr_rule *r)
{
	expr_queue_xt(r, 0, 1, true);
}

static int fail(struct table_error *error, int rc, const char *text)
{
	if (error)
		snprintf(error->text, sizeof(error->text), "%s", text);
	return rc;
}

/* A batch without its end: the kernel checks every message and takes none of them. */
static int probe(struct table *t, struct table_error *error)
{
	enum { TABLE, CHAIN, PAYLOAD, QUEUE, XT, OWN, MESSAGES };
	struct netlink_batch b;
	struct nlmsghdr *h;
	int errors[MESSAGES] = { 0 }, rc;

	netlink_batch_init(&b, &t->netlink);
	put_table(&b, PROBE_TABLE, NFT_MSG_NEWTABLE, 0);
	h = netlink_batch_put(&b, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE);
	if (h) {
		mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, PROBE_TABLE);
		mnl_attr_put_strz(h, NFTA_CHAIN_NAME, "probe");
		netlink_batch_next(&b, h);
	}
	put_probe_rule(&b, probe_payload);
	put_probe_rule(&b, probe_queue);
	put_probe_rule(&b, probe_xt);
	put_table(&b, PROBE_OWNED, NFT_MSG_NEWTABLE, OWNED);
	rc = netlink_batch_send(&b, false, errors, MESSAGES);
	netlink_batch_fini(&b);
	if (rc == -EPERM)
		return fail(error, rc, "no permission to change nftables: run as root or with CAP_NET_ADMIN");
	if (rc && !errors[PAYLOAD] && !errors[QUEUE] && !errors[XT] && !errors[OWN])
		return fail(error, -EPROTONOSUPPORT, "this kernel has no nftables with the inet family (CONFIG_NF_TABLES_INET)");
	if (errors[PAYLOAD])
		return fail(error, -EOPNOTSUPP, "this kernel cannot match a packet's payload (@ih): "
			    "Linux 5.16 or newer is needed");
	if (errors[QUEUE] && errors[XT])
		return fail(error, -EOPNOTSUPP, "this kernel can queue no packets: it has neither nft_queue "
			    "nor nft_compat with xt_NFQUEUE");
	t->xt = errors[QUEUE] != 0;
	t->can_own = !errors[OWN];
	return 0;
}

int table_open(struct table **out, struct table_error *error)
{
	struct table *t = calloc(1, sizeof(*t));
	int rc;

	*out = NULL;
	if (!t)
		return fail(error, -ENOMEM, "out of memory");
	pthread_mutex_init(&t->lock, NULL);
	rc = netlink_open(&t->netlink, NETLINK_NETFILTER);
	if (rc)
		fail(error, rc, "no netlink socket to netfilter: this kernel has no nfnetlink, or it is forbidden here");
	else
		rc = probe(t, error);
	if (rc) {
		table_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

int table_fd(const struct table *t)
{
	return netlink_fd(&t->netlink);
}

int table_adopt(struct table *t, int fd)
{
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = netlink_adopt(&t->netlink, fd);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

void table_close(struct table *t)
{
	if (!t)
		return;
	if (t->watch)
		mnl_socket_close(t->watch);
	netlink_close(&t->netlink);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

const char *table_queue_kind(const struct table *t)
{
	return t->xt ? "xtables NFQUEUE" : "queue";
}

bool table_can_own(const struct table *t)
{
	return t->can_own;
}

bool table_can_guard(struct table *t)
{
	struct netlink_batch b;
	int rc;

	pthread_mutex_lock(&t->lock);
	netlink_batch_init(&b, &t->netlink);
	put_table(&b, PROBE_TABLE, NFT_MSG_NEWTABLE, 0);
	guard_put_objects(&b, PROBE_TABLE);
	rc = netlink_batch_send(&b, false, NULL, 0);
	netlink_batch_fini(&b);
	pthread_mutex_unlock(&t->lock);
	return rc == 0;
}

bool table_can_offload(struct table *t, const char *const *devices)
{
	struct netlink_batch b;
	struct nlmsghdr *h;
	int rc;

	pthread_mutex_lock(&t->lock);
	netlink_batch_init(&b, &t->netlink);
	put_table(&b, PROBE_TABLE, NFT_MSG_NEWTABLE, 0);
	offload_put_flowtable(&b, PROBE_TABLE, devices);
	h = netlink_batch_put(&b, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE);
	if (h) {
		mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, PROBE_TABLE);
		mnl_attr_put_strz(h, NFTA_CHAIN_NAME, "probe");
		netlink_batch_next(&b, h);
	}
	put_probe_rule(&b, offload_expr);
	rc = netlink_batch_send(&b, false, NULL, 0);
	netlink_batch_fini(&b);
	pthread_mutex_unlock(&t->lock);
	return rc == 0;
}

static void put_counters(struct netlink_batch *b)
{
	for (size_t i = 0; i < RULES_COUNTERS; i++) {
		struct nftnl_obj *o = nftnl_obj_alloc();
		struct nlmsghdr *h;

		if (!o) {
			b->error = -ENOMEM;
			return;
		}
		nftnl_obj_set_u32(o, NFTNL_OBJ_FAMILY, NFPROTO_INET);
		nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, SETS_TABLE);
		nftnl_obj_set_str(o, NFTNL_OBJ_NAME, rules_counters[i]);
		nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
		h = netlink_batch_put(b, NFT_MSG_NEWOBJ, NFPROTO_INET, NLM_F_CREATE);
		if (h) {
			nftnl_obj_nlmsg_build_payload(h, o);
			netlink_batch_next(b, h);
		}
		nftnl_obj_free(o);
	}
}

/* What the present table's learnt sets hold goes into the new ones; a smaller set takes what fits. */
static int put_adopted(struct table *t, struct netlink_batch *b, uint32_t set_size, size_t *adopted)
{
	struct sets_list list = { 0 };
	int rc = 0;

	*adopted = 0;
	for (enum set set = 0; set < SET_LEARNT && !rc; set++) {
		size_t n;

		list.n = 0;
		rc = sets_read(&t->netlink, set, true, &list);
		n = list.n < set_size ? list.n : set_size;
		sets_put_elements(b, set, SETS_ADOPT, list.element, n);
		*adopted += set < SET_TRIES4 ? n : 0;
	}
	free(list.element);
	return rc;
}

static int install(struct table *t, const struct table_config *config, size_t *adopted, struct rules_layout *layout)
{
	struct netlink_batch b;
	int rc;

	/* the dumps of put_adopted run while the batch is being written: it is only numbered, not sent */
	netlink_batch_init(&b, &t->netlink);
	put_table(&b, SETS_TABLE, NFT_MSG_NEWTABLE, 0);	/* so that there is one to delete */
	put_table(&b, SETS_TABLE, NFT_MSG_DELTABLE, 0);
	put_table(&b, SETS_TABLE, NFT_MSG_NEWTABLE, config->owned && t->can_own ? OWNED : 0);
	put_counters(&b);
	if (config->guard_offload)
		guard_put_objects(&b, SETS_TABLE);
	if (config->offload)
		offload_put_flowtable(&b, SETS_TABLE, config->offload);
	for (enum set set = 0; set < SET_COUNT; set++)
		sets_put(&b, set, config->set_size);
	starts_put_maps(&b);
	if (config->quarantine)
		quarantine_put_sets(&b, config);
	rc = sets_put_networks(&b, config);
	if (!rc)
		rc = put_adopted(t, &b, config->set_size, adopted);
	if (!rc)
		rc = rules_put(&b, config, t->xt, layout);
	if (!rc)
		rc = netlink_batch_send(&b, true, NULL, 0);
	netlink_batch_fini(&b);
	return rc;
}

static bool is_mask(uint32_t mask)
{
	return mask && __builtin_popcount(mask) == 3 && mask >> __builtin_ctz(mask) == 7;
}

int table_install(struct table *t, const struct table_config *config, size_t *adopted, struct table_error *error)
{
	struct rules_layout layout;
	size_t n = 0;
	int rc;

	if (!is_mask(config->mark_mask) || !config->set_size || !config->queue_count ||
	    config->queue_first + config->queue_count > 65536)
		return fail(error, -EINVAL, "the mark mask must be three adjacent bits, the queues within 0 and 65535, "
			    "the sets larger than nothing");
	pthread_mutex_lock(&t->lock);
	rc = install(t, config, &n, &layout);
	if (!rc)
		t->layout = layout;
	pthread_mutex_unlock(&t->lock);
	if (adopted)
		*adopted = rc ? 0 : n;
	if (rc == -EPERM)
		fail(error, rc, "the table inet minewall belongs to another process, which `nft list tables` names: end that first");
	else if (rc && error)
		snprintf(error->text, sizeof(error->text), "the kernel refused the table inet minewall: %s", strerror(-rc));
	return rc;
}

int table_remove(struct table *t)
{
	struct netlink_batch b;
	int rc;

	pthread_mutex_lock(&t->lock);
	netlink_batch_init(&b, &t->netlink);
	put_table(&b, SETS_TABLE, NFT_MSG_NEWTABLE, 0);
	put_table(&b, SETS_TABLE, NFT_MSG_DELTABLE, 0);
	rc = netlink_batch_send(&b, true, NULL, 0);
	netlink_batch_fini(&b);
	if (!rc)
		t->layout.n = 0;
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* What a dump of our table found. */
struct census {
	const struct rules_layout *expected;
	unsigned int rules[RULES_CHAINS_MAX];
	bool chain[RULES_CHAINS_MAX], set[SET_COUNT];
	unsigned int foreign;	/* chains that we did not make */
	struct table_counters *counters;
};

/* Attribute 1 is the table's name in every nftables message but NEWGEN. */
static bool is_ours(const struct nlmsghdr *h)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME)
			return !strcmp(mnl_attr_get_str(attr), SETS_TABLE);
	return false;
}

/* The name of an object of our table, NULL if it is in another one. */
static const char *name_of(const struct nlmsghdr *h, uint16_t name_attr)
{
	const struct nlattr *attr;

	if (!is_ours(h))
		return NULL;
	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == name_attr)
			return mnl_attr_get_str(attr);
	return NULL;
}

static int count_chain(const struct nlmsghdr *h, void *arg)
{
	struct census *c = arg;
	const char *name = name_of(h, NFTA_CHAIN_NAME);
	size_t i;

	if (!name)
		return 0;
	for (i = 0; i < c->expected->n && strcmp(c->expected->chain[i].name, name); i++)
		;
	if (i < c->expected->n)
		c->chain[i] = true;
	else
		c->foreign++;
	return 0;
}

static int count_rule(const struct nlmsghdr *h, void *arg)
{
	struct census *c = arg;
	const char *chain = name_of(h, NFTA_RULE_CHAIN);

	for (size_t i = 0; chain && i < c->expected->n; i++)
		if (!strcmp(c->expected->chain[i].name, chain))
			c->rules[i]++;
	return 0;
}

static int count_set(const struct nlmsghdr *h, void *arg)
{
	struct census *c = arg;
	const char *name = name_of(h, NFTA_SET_NAME);

	for (enum set set = 0; name && set < SET_COUNT; set++)
		if (!strcmp(sets_name(set), name))
			c->set[set] = true;
	return 0;
}

/* Asks for all objects of one kind in our table. */
static int dump(struct table *t, uint16_t type, netlink_each *each, void *arg)
{
	char buf[256] = "";
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, type, NFPROTO_INET, 0, 0);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, SETS_TABLE);
	return netlink_dump(&t->netlink, h, each, arg);
}

static int take_census(struct table *t, struct census *c)
{
	int rc, tries = 10;

	do {
		memset(c, 0, sizeof(*c));
		c->expected = &t->layout;
		rc = dump(t, NFT_MSG_GETCHAIN, count_chain, c);
		if (!rc)
			rc = dump(t, NFT_MSG_GETRULE, count_rule, c);
		if (!rc)
			rc = dump(t, NFT_MSG_GETSET, count_set, c);
	} while (rc == -EINTR && --tries);
	return rc == -ENOENT ? 0 : rc;
}

int table_check(struct table *t)
{
	struct census c;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = take_census(t, &c);
	for (enum set set = 0; set < SET_COUNT && !rc; set++)
		if (!c.set[set])
			goto out;
	if (rc)
		goto out;
	/* who has not made the table cannot know the rest of it */
	if (t->layout.n && c.foreign)
		goto out;
	for (size_t i = 0; i < t->layout.n; i++)
		if (!c.chain[i] || c.rules[i] != t->layout.chain[i].rules)
			goto out;
	rc = 1;
out:
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* Most are new, and one message is all they take. Deleting what is not there fails, and on Linux 6.1 adding what is there
 * refreshes nothing: so what may be there is added, deleted and added again, which the kernel carries out as one. */
static int add_batch(struct table *t, enum set set, const struct element *elements, size_t n)
{
	struct netlink_batch b;
	int rc;

	netlink_batch_init(&b, &t->netlink);
	sets_put_elements(&b, set, SETS_NEW, elements, n);
	rc = netlink_batch_send(&b, true, NULL, 0);
	netlink_batch_fini(&b);
	if (rc != -EEXIST)
		return rc;
	netlink_batch_init(&b, &t->netlink);
	sets_put_elements(&b, set, SETS_ADD, elements, n);
	sets_put_elements(&b, set, SETS_DELETE, elements, n);
	sets_put_elements(&b, set, SETS_ADD, elements, n);
	rc = netlink_batch_send(&b, true, NULL, 0);
	netlink_batch_fini(&b);
	return rc;
}

static int delete_batch(struct table *t, enum set set, const struct element *elements, size_t n)
{
	struct netlink_batch b;
	int rc;

	netlink_batch_init(&b, &t->netlink);
	sets_put_elements(&b, set, SETS_DELETE, elements, n);
	rc = netlink_batch_send(&b, true, NULL, 0);
	netlink_batch_fini(&b);
	return rc;
}

int table_admit(struct table *t, const struct table_admitted *admitted, size_t n)
{
	struct netlink_batch b;
	int rc;

	pthread_mutex_lock(&t->lock);
	netlink_batch_init(&b, &t->netlink);
	quarantine_put_admitted(&b, admitted, n);
	rc = netlink_batch_send(&b, true, NULL, 0);
	netlink_batch_fini(&b);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

typedef int change_fn(struct table *t, enum set set, const struct element *elements, size_t n);

/* One batch for each run of elements of one set; where the kernel answers `singly`, each element alone. */
static int change(struct table *t, change_fn *fn, int singly, const struct element *elements, size_t n, size_t *done)
{
	int worst = 0;
	size_t i = 0;

	*done = 0;
	while (i < n) {
		enum set set = sets_of(&elements[i]);
		size_t run = 1;
		int rc;

		while (i + run < n && sets_of(&elements[i + run]) == set)
			run++;
		rc = fn(t, set, &elements[i], run);
		if (!rc)
			*done += run;
		else if (rc != singly)
			return rc;
		for (size_t k = 0; rc == singly && k < run; k++) {
			int one = run == 1 ? rc : fn(t, set, &elements[i + k], 1);

			if (one && one != singly)
				return one;
			*done += !one;
			worst = one ? one : worst;
		}
		i += run;
	}
	return worst;
}

int table_add(struct table *t, const struct element *elements, size_t n, size_t *done)
{
	size_t ignored;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = change(t, add_batch, -ENFILE, elements, n, done ? done : &ignored);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

int table_delete(struct table *t, const struct element *elements, size_t n, size_t *deleted)
{
	size_t ignored;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = change(t, delete_batch, -ENOENT, elements, n, deleted ? deleted : &ignored);
	pthread_mutex_unlock(&t->lock);
	return rc == -ENOENT ? 0 : rc;
}

/* The callback runs without the lock, so that it may add and delete. */
static int each_of(struct table *t, enum set from, enum set to, int (*each)(const struct element *, void *), void *arg)
{
	struct sets_list list = { 0 };
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	for (enum set set = from; set < to && !rc; set++)
		rc = sets_read(&t->netlink, set, set < SET_TRIES4, &list);	/* tries are asked for again and again */
	pthread_mutex_unlock(&t->lock);
	for (size_t i = 0; i < list.n && !rc; i++)
		rc = each(&list.element[i], arg);
	free(list.element);
	return rc;
}

int table_each_blocked(struct table *t, int (*each)(const struct element *e, void *arg), void *arg)
{
	return each_of(t, SET_ENDPOINTS4, SET_TRIES4, each, arg);
}

int table_each_try(struct table *t, int (*each)(const struct element *e, void *arg), void *arg)
{
	return each_of(t, SET_TRIES4, SET_LEARNT, each, arg);
}

static int read_counter(const struct nlmsghdr *h, void *arg)
{
	struct table_counters *out = arg;
	uint64_t *const place[RULES_COUNTERS] = {
		&out->queued, &out->rejected, &out->blocked, &out->invalid, &out->untracked, &out->quarantined
	};
	const char *name = name_of(h, NFTA_OBJ_NAME);
	struct nftnl_obj *o;

	if (!name)
		return 0;
	o = nftnl_obj_alloc();
	if (!o)
		return -ENOMEM;
	if (!nftnl_obj_nlmsg_parse(h, o) && nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER)
		for (size_t i = 0; i < RULES_COUNTERS; i++)
			if (!strcmp(rules_counters[i], name))
				*place[i] = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS);
	nftnl_obj_free(o);
	return 0;
}

int table_counters(struct table *t, struct table_counters *out)
{
	int rc, tries = 10;

	pthread_mutex_lock(&t->lock);
	do {
		memset(out, 0, sizeof(*out));
		rc = dump(t, NFT_MSG_GETOBJ, read_counter, out);
	} while (rc == -EINTR && --tries);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

int table_watch_fd(struct table *t)
{
	int group = NFNLGRP_NFTABLES, rc = 0;

	if (t->watch)
		return mnl_socket_get_fd(t->watch);
	t->watch = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!t->watch)
		return -errno;
	if (mnl_socket_bind(t->watch, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(t->watch, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		rc = -errno;
	if (rc) {
		mnl_socket_close(t->watch);
		t->watch = NULL;
		return rc;
	}
	return mnl_socket_get_fd(t->watch);
}

/* The kernel announces what a netlink message changed, under the port of the socket that sent it; elements that expire or
 * that the packet path adds are not announced. */
static bool touches_ours(const struct table *t, const struct nlmsghdr *h)
{
	return h->nlmsg_pid != t->netlink.portid && h->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES &&
	       (h->nlmsg_type & 0xff) != NFT_MSG_NEWGEN && is_ours(h);
}

int table_watch_drain(struct table *t)
{
	char buf[16384];
	int touched = 0;

	if (!t->watch)
		return -EBADF;
	for (;;) {
		ssize_t got = mnl_socket_recvfrom(t->watch, buf, sizeof(buf));
		int len = (int)got;

		if (got < 0 && errno == EAGAIN)
			return touched;
		if (got < 0 && (errno == ENOBUFS || errno == ENOSPC)) {	/* what was lost may have been ours */
			touched = 1;
			continue;
		}
		if (got < 0 && errno != EINTR)
			return -errno;
		for (const struct nlmsghdr *h = (void *)buf; got > 0 && mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len))
			touched |= touches_ours(t, h);
	}
}
