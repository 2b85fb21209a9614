/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sets of our table: their shapes, and elements to and from netlink messages. Sends nothing itself. */
#ifndef MINEWALL_SETS_H
#define MINEWALL_SETS_H

#include <stdint.h>

#include "nft/netlink.h"
#include "nft/table.h"

#define SETS_TABLE "minewall"

/* Families alternate: an even set is IPv4, the next one its IPv6 twin. */
enum set {
	SET_ENDPOINTS4, SET_ENDPOINTS6,
	SET_PAIRS4, SET_PAIRS6,
	SET_TRIES4, SET_TRIES6,
	SET_LEARNT,	/* those above; below come from the policy */
	SET_EXEMPT4 = SET_LEARNT, SET_EXEMPT6,
	SET_ALLOWED4, SET_ALLOWED6,
	SET_ALLOWED_PORTS4, SET_ALLOWED_PORTS6,
	SET_COUNT,
};

const char *sets_name(enum set set);

/* The set that an element of endpoints or pairs belongs to. */
enum set sets_of(const struct element *e);

/* The set's definition; `size` counts for the learnt ones. */
void sets_put(struct netlink_batch *b, enum set set, uint32_t size);

enum sets_op {
	SETS_ADD,	/* life of timeout_s */
	SETS_NEW,	/* the same, refused with EEXIST where it is there already */
	SETS_ADOPT,	/* life of timeout_s, of which expires_ms are left; its counter goes on */
	SETS_DELETE,
};

/* `n` elements, all of this set. */
void sets_put_elements(struct netlink_batch *b, enum set set, enum sets_op op, const struct element *elements, size_t n);

/* The networks of the policy, merged, into the sets exempt, allowed and allowed_ports. 0 or -ENOMEM. */
int sets_put_networks(struct netlink_batch *b, const struct table_config *config);

/* Does the policy put nothing into this one of them? */
bool sets_are_empty(enum set set, const struct table_config *config);

/* A growing list of elements. */
struct sets_list {
	struct element *element;
	size_t n, cap;
};

/* Appends what the kernel's set holds, each element once; a set that is not there, or has other keys, holds nothing.
 * `thorough`: asks again until nothing new comes (a single dump of a big set may miss some). 0 or -errno. */
int sets_read(struct netlink *n, enum set set, bool thorough, struct sets_list *list);

#endif
