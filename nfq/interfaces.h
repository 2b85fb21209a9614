/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the interfaces that packets come in by, each kept as long as the queue: flows hold on to them. A dial-up link gets a new
 * number each time, and often an old name. */
#ifndef MINEWALL_INTERFACES_H
#define MINEWALL_INTERFACES_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* Names at a time, and numbers that are remembered; a packet of the last one costs a few hundred nanoseconds more than one of the first. */
#define INTERFACES_MAX 1024

struct interfaces {
	unsigned n_names, hand;
	bool full;		/* a name found no room: what comes in there has none */
	char names[INTERFACES_MAX][IF_NAMESIZE];
	struct { uint32_t index; const char *name; } seen[INTERFACES_MAX];
};

/* The name of an interface. `ask` writes it to `name`, false: there is no such interface. NULL: no name, or no room. */
const char *interfaces_name(struct interfaces *all, uint32_t index, bool (*ask)(void *arg, uint32_t index, char name[IF_NAMESIZE]), void *arg);

#endif
