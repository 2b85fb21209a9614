/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One entry of `rules:`: whom, what and when it is about, and what it says. Matching only; the order of rules and what
 * they overrule is decide.c's business. */
#ifndef MINEWALL_RULE_H
#define MINEWALL_RULE_H

#include "policy/addresses.h"
#include "policy/names.h"
#include "policy/policy.h"
#include "policy/schedule.h"

#define RULES_MAX 64
#define GROUPS_MAX 64
#define RULE_PORTS_MAX 32
#define RULE_WORDS_MAX 16
#define HOSTS_MACS_MAX 64
#define HOSTS_INTERFACES_MAX 16

/* Inside hosts: by address, link address or the interface they come in by. */
struct hosts {
	struct address_set addresses;
	size_t n_macs, n_interfaces;
	uint8_t macs[HOSTS_MACS_MAX][6];
	char interfaces[HOSTS_INTERFACES_MAX][POLICY_IFNAME_MAX];
};

/* A word in a rule that names something which the file may define further down. */
struct reference {
	char text[65];
	size_t line, column;
};

struct group {
	struct reference name;
	struct hosts hosts;
};

struct rule {
	char name[72];			/* "rules.NAME", as events say it */
	unsigned line;
	bool from_all;			/* no `from` */
	struct hosts from;
	size_t n_groups;
	uint64_t groups;		/* bit i: the policy's i-th group */
	struct reference group_names[RULE_WORDS_MAX];
	struct name_set *names;		/* NULL: none asked for */
	struct address_set addresses;
	unsigned n_ports;
	struct { uint16_t first, last; } ports[RULE_PORTS_MAX];
	uint64_t lists;			/* bit i: the policy's i-th list */
	size_t n_lists;
	struct reference list_names[RULE_WORDS_MAX];
	unsigned detectors;		/* bits (1 << enum detector) */
	struct schedule when;
	enum action action;
	enum scope scope;		/* AUTO: as without the rule */
	uint32_t timeout_s;		/* 0: as without it */
	bool silent;			/* drop without a reset */
};

/* Of an address or a SOCKS name: no key of `detect` and no word of a rule stands for it. */
#define NO_DETECTOR 31

/* One thing seen in a flow that a rule may be about. */
struct sight {
	unsigned detector;
	const struct name_fact *name;	/* NULL: an address (NO_DETECTOR), evidence of a protocol or a score */
	bool listed;			/* a list or the policy blocks it */
	uint64_t lists;		/* bit i: the policy's i-th list has it; only lists that a rule names */
};

bool hosts_match(const struct hosts *h, const struct subject *who);

/* Does the rule ask for something beside addresses and ports? Then it cannot decide on a flow's first packet. */
bool rule_needs_sight(const struct rule *r);

/* Whom and when. `*left_s`: for how long still. */
bool rule_applies(const struct rule *r, const struct group *groups, const struct subject *who, uint32_t *left_s);

/* Does the flow go where the rule says? */
bool rule_goes_there(const struct rule *r, const uint8_t addr[16], uint16_t port);

/* Does the rule speak of this? A rule without names, lists and detectors speaks of every listed name and every
 * protocol but that of nodes. */
bool rule_sees(const struct rule *r, const struct sight *s);

void rule_fini(struct rule *r);

#endif
