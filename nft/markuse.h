/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one nftables rule (native or iptables-nft) does with given bits of the packet mark and the connmark. */
#ifndef MINEWALL_MARKUSE_H
#define MINEWALL_MARKUSE_H

#include <stdbool.h>
#include <stdint.h>

struct nftnl_rule;

/* What was found, for the operator: `what` the rule does. `map`: the map whose values it writes into a mark. */
struct markuse {
	char what[128];
	const char *map;	/* lives as long as the rule */
};

enum markuse_answer {
	MARKUSE_NO,
	MARKUSE_YES,	/* the rule reads or changes bits of `mask` */
	MARKUSE_MAP,	/* it does if a value of the map has such bits */
};

enum markuse_answer markuse_rule(const struct nftnl_rule *rule, uint32_t mask, struct markuse *out);

/* True if the rule has an expression, or a target of xtables, of that name. */
bool markuse_has(const struct nftnl_rule *rule, const char *expression);

#endif
