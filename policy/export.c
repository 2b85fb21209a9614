/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The blocked names and networks, told one by one to somebody who writes them for another program. Who asks and when is
 * unknown there, so only what holds for everybody is told. */
#include <string.h>

#include "policy/rules.h"

struct exporting {
	const struct policy *p;
	const struct export_to *to;
	bool passes;
};

/* For "*.x": is any name below it blocked? One that nobody has excepted by itself. */
static const char *probe(const char *name, size_t *len, bool below, char to[NAME_LEN_MAX + 16])
{
	static const char label[] = "minewall-any.";

	if (!below || *len + sizeof(label) > NAME_LEN_MAX)
		return name;
	memcpy(to, label, sizeof(label) - 1);
	memcpy(to + sizeof(label) - 1, name, *len);
	*len += sizeof(label) - 1;
	return to;
}

static bool is_allowed(const struct policy *p, const char *name, size_t len)
{
	struct name_hit hit;

	return name_set_match(p->allow_names, name, len, &hit);
}

/* By a list that blocks, or by the policy itself; nothing allows or excepts it. */
static bool is_blocked(const struct policy *p, const char *name, size_t len)
{
	struct name_hit hit;

	return !is_allowed(p, name, len) && rules_blocked_name(p, name, len, &hit) &&
	       (!hit.source || rules_list(p, hit.source)->action == DETECT_BLOCK);
}

static int tell_name(const char *name, size_t len, bool below, void *arg)
{
	struct exporting *e = arg;
	char room[NAME_LEN_MAX + 16];
	size_t probed = len;
	const char *text = probe(name, &probed, below, room);
	const char *above = name;

	if (!e->passes)
		return is_blocked(e->p, text, probed) ? e->to->name(name, len, below, false, e->to->arg) : 0;
	if (is_blocked(e->p, text, probed))
		return 0;
	/* It only needs to be said where a name above it is blocked. */
	while ((above = memchr(above, '.', len - (size_t)(above - name)))) {
		above++;
		if (is_blocked(e->p, above, len - (size_t)(above - name)))
			return e->to->name(name, len, below, true, e->to->arg);
	}
	return 0;
}

static bool covers(const struct network *net, const struct network *other)
{
	unsigned whole = net->prefix / 8, rest = net->prefix % 8;

	return net->prefix <= other->prefix && !memcmp(net->addr, other->addr, whole) &&
	       (!rest || (net->addr[whole] ^ other->addr[whole]) >> (8 - rest) == 0);
}

/* The network without what is allowed: in halves, until no part has anything of it. */
static int tell_rest(const struct exporting *e, const struct address_set *allowed[2], struct network net)
{
	bool overlaps = false;
	int answer;

	for (int i = 0; i < 2; i++)
		for (size_t n = 0; n < allowed[i]->n; n++) {
			if (!allowed[i]->items[n].port && covers(&allowed[i]->items[n], &net))
				return 0;
			overlaps |= covers(&net, &allowed[i]->items[n]);
		}
	if (!overlaps)
		return e->to->network(&net, e->to->arg);
	if (net.prefix == 128)
		return 0;	/* one port of it is allowed: all of it is let pass */
	net.prefix++;
	answer = tell_rest(e, allowed, net);
	net.addr[(net.prefix - 1) / 8] |= (uint8_t)(0x80 >> (net.prefix - 1) % 8);
	return answer ? answer : tell_rest(e, allowed, net);
}

static int tell_networks(const struct exporting *e, const struct address_set *set, size_t *left_out)
{
	static const struct address_set none;
	int answer = 0;

	for (size_t i = 0; i < set->n && !answer; i++) {
		const struct network *net = &set->items[i];
		/* What a list excepts is excepted from lists; the admin's own word stands. */
		const struct address_set *allowed[2] = { &e->p->allow_addresses, net->source ? &e->p->excepted_addresses : &none };

		if (net->source && rules_list(e->p, net->source)->action != DETECT_BLOCK)
			continue;
		*left_out += net->port != 0;
		answer = net->port ? 0 : tell_rest(e, allowed, *net);
	}
	return answer;
}

int policy_export(const struct policy *p, const struct export_to *to, size_t *left_out)
{
	struct exporting e = { .p = p, .to = to };
	int answer;

	*left_out = 0;
	answer = name_set_each(p->block_names, tell_name, &e);
	e.passes = true;
	if (!answer)
		answer = name_set_each(p->allow_names, tell_name, &e);
	if (!answer)
		answer = name_set_each(p->excepted_names, tell_name, &e);
	if (!answer)
		answer = tell_networks(&e, &p->block_addresses, left_out);
	return answer ? answer : tell_networks(&e, &p->list_addresses, left_out);
}
