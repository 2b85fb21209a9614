/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The value of the policy's `fleet:`. How it is read is schema_fleet.c's business. */
#include "policy/fleet.h"

#include <string.h>

#include "policy/rules.h"

void fleet_policy_defaults(struct fleet_policy *f)
{
	*f = (struct fleet_policy) { .confirm = 2, .rate = 60, .hints = 20000 };
}

const struct fleet_policy *policy_fleet(const struct policy *p)
{
	return p->base ? policy_fleet(p->base) : &p->fleet;
}

bool fleet_name_good(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return n && n < FLEET_NAME_MAX && !name[n];
}
