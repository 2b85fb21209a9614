/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is used from its beginning on. The first touch of a page is a fault: half a microsecond of the packet that it hits, and up to
 * thirty in a virtual machine whose page tables are shadowed. So another thread touches pages ahead of their use, as many as are in use:
 * what is taken grows with what is needed. */
#ifndef MINEWALL_PREFAULT_H
#define MINEWALL_PREFAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroed: no memory. */
struct prefault {
	char *base;
	size_t size;
	atomic_size_t used, ready;	/* bytes from `base` on: in use; touched, or never to be */
};

void prefault_init(struct prefault *p, void *base, size_t size);

/* Its owner says how much is in use by now. True: it is time for prefault_fetch. */
bool prefault_used(struct prefault *p, size_t bytes);

/* Touches what comes next. Any thread, one at a time; the owner may go on. */
void prefault_fetch(struct prefault *p);

/* The same of all of it. */
void prefault_whole(struct prefault *p);

#endif
