/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy that allows a few names and addresses more than the one it stands on: the help at 3 a.m., until the file
 * itself is changed. Shares everything else, so that it costs nothing to make. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rules.h"

static int fail(struct policy_error *error, int kind, const char *text, const char *why)
{
	snprintf(error->text, sizeof(error->text), "'%.300s' %s", text, why);
	error->kind = kind;
	return -1;
}

/* An address, network or endpoint if it looks like one, else a name. */
static int add(struct policy *p, const char *text, struct policy_error *error)
{
	struct name_entry entry;
	struct network net;
	enum name_problem problem;
	int err;

	memset(&net, 0, sizeof(net));
	if (address_parse(text, strlen(text), &net) == ADDRESS_GOOD) {
		err = address_set_add(&p->extra_addresses, &net, text, strlen(text));
	} else {
		problem = name_parse_any(text, strlen(text), &entry);
		if (problem != NAME_GOOD && problem != NAME_WIDE)
			return fail(error, POLICY_INVALID, text, "is neither a host name nor an address, network or endpoint");
		err = name_set_add(p->extra_names, &entry, 0, 0);
	}
	return err ? fail(error, POLICY_NO_MEMORY, text, "needs more memory than there is") : 0;
}

struct policy *policy_allowing(const struct policy *base, const char *const *allowed, size_t n, struct policy_error *error)
{
	struct policy *p = malloc(sizeof(*p));

	if (!p) {
		fail(error, POLICY_NO_MEMORY, "", "not enough memory");
		return NULL;
	}
	*p = *base;
	p->base = base;
	memset(&p->extra_addresses, 0, sizeof(p->extra_addresses));
	p->extra_names = name_set_new();
	for (size_t i = 0; p->extra_names && i < n; i++)
		if (add(p, allowed[i], error)) {
			policy_free(p);
			return NULL;
		}
	if (!p->extra_names || name_set_seal(p->extra_names) || address_set_seal(&p->extra_addresses)) {
		fail(error, POLICY_NO_MEMORY, "", "not enough memory");
		policy_free(p);
		return NULL;
	}
	return p;
}

struct networks policy_extra_addresses(const struct policy *p)
{
	return (struct networks) { p->extra_addresses.items, p->extra_addresses.n };
}
