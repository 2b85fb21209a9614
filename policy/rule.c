// SPDX-License-Identifier: GPL-2.0-or-later
/* Comparisons of one rule with one flow. A key that the rule does not have is no condition. */
#include "policy/rule.h"

#include <string.h>

#include "policy/rules.h"

bool hosts_match(const struct hosts *h, const struct subject *who)
{
	if (address_set_match(&h->addresses, who->src, 0))
		return true;
	for (size_t i = 0; who->mac_known && i < h->n_macs; i++)
		if (!memcmp(h->macs[i], who->mac, sizeof(who->mac)))
			return true;
	for (size_t i = 0; who->interface && i < h->n_interfaces; i++)
		if (!strcmp(h->interfaces[i], who->interface))
			return true;
	return false;
}

bool rule_needs_sight(const struct rule *r)
{
	bool there = r->addresses.n || r->n_ports;

	return r->names || r->lists || r->detectors || (!there && r->action != ACTION_ALLOW);
}

bool rule_applies(const struct rule *r, const struct group *groups, const struct subject *who, uint32_t *left_s)
{
	bool whom = r->from_all || hosts_match(&r->from, who);

	for (unsigned i = 0; !whom && i < GROUPS_MAX; i++)
		whom = r->groups >> i & 1 && hosts_match(&groups[i].hosts, who);
	return whom && schedule_holds(&r->when, who->when_s, left_s);
}

bool rule_goes_there(const struct rule *r, const uint8_t addr[16], uint16_t port)
{
	bool known = !r->n_ports;

	for (unsigned i = 0; !known && i < r->n_ports; i++)
		known = port >= r->ports[i].first && port <= r->ports[i].last;
	return known && (!r->addresses.n || address_set_match(&r->addresses, addr, port));
}

bool rule_sees(const struct rule *r, const struct sight *s)
{
	struct name_hit hit;

	/* a node is no miner: only who names it means it */
	if (r->detectors ? !(r->detectors >> s->detector & 1) : s->detector == DETECTOR_NODE)
		return false;
	if (r->lists && !(r->lists & s->lists))
		return false;
	if (r->names)
		return s->name && name_set_match(r->names, s->name->host.p, s->name->host.len, &hit);
	return s->listed || r->lists || (!s->name && s->detector != NO_DETECTOR) || r->addresses.n || r->n_ports;
}

void rule_fini(struct rule *r)
{
	name_set_free(r->names);
	address_set_fini(&r->from.addresses);
	address_set_fini(&r->addresses);
}
