/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who else uses our three mark bits: foreign nftables rules (native and iptables-nft) and `ip rule`s. */
#ifndef MINEWALL_MARKS_H
#define MINEWALL_MARKS_H

#include <stddef.h>
#include <stdint.h>

/* 0 = nobody; 1 = somebody does, and `text` names the rule: 'table inet x, chain y, handle 4: "ct mark set meta mark"' or
 * 'ip rule 100: fwmark 0x2000000/0xe000000'; negative errno if it could not be found out. */
int marks_conflict(uint32_t mask, char *text, size_t size);

/* Warnings that do not stop the start: a foreign flowtable rule (`flow add`) hides flows from every forward chain.
 * 1 and `text` names it, 0 none, negative errno. */
int marks_flowtable(char *text, size_t size);

/* The same for a rule that hands passing connections to a program on this machine (redirect, tproxy): behind it they are the
 * gateway's own, and the client is hidden. */
int marks_redirect(char *text, size_t size);

#endif
