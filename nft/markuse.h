/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one nftables rule (native or iptables-nft) does with given bits of the packet mark and the connmark. */
#ifndef MINEWALL_MARKUSE_H
#define MINEWALL_MARKUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftnl_rule;

/* True if the rule reads or changes bits of `mask`; `what` then says in a few words what it does. */
bool markuse_rule(const struct nftnl_rule *rule, uint32_t mask, char *what, size_t size);

/* True if the rule has an expression of that name. */
bool markuse_has(const struct nftnl_rule *rule, const char *expression);

#endif
