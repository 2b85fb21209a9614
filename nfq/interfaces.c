/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two lists that are searched from their start, as a machine has few interfaces. What was given out never changes. */
#include "nfq/interfaces.h"

#include <string.h>

const char *interfaces_name(struct interfaces *all, uint32_t index, bool (*ask)(void *arg, uint32_t index, char name[IF_NAMESIZE]), void *arg)
{
	char name[IF_NAMESIZE] = "";
	unsigned i;

	for (i = 0; i < INTERFACES_MAX && all->seen[i].index; i++)
		if (all->seen[i].index == index)
			return all->seen[i].name;
	if (!ask(arg, index, name))
		return NULL;
	for (i = 0; i < all->n_names && strcmp(all->names[i], name); i++)
		;
	if (i == INTERFACES_MAX) {
		all->full = true;
		return NULL;
	}
	if (i == all->n_names)
		memcpy(all->names[all->n_names++], name, sizeof(name));
	all->seen[all->hand].index = index;
	all->seen[all->hand].name = all->names[i];
	all->hand = (all->hand + 1) % INTERFACES_MAX;
	return all->names[i];
}
