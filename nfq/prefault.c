// SPDX-License-Identifier: GPL-2.0-or-later
#include "nfq/prefault.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* A daemon that has seen a few flows takes nothing yet. */
#define USED_MIN (16u << 10)
#define AHEAD_MIN (64u << 10)
#define AHEAD_MAX (2u << 20)

static size_t ahead_of(size_t used)
{
	return used < USED_MIN ? 0 : used < AHEAD_MIN ? AHEAD_MIN : used > AHEAD_MAX ? AHEAD_MAX : used;
}

void prefault_init(struct prefault *p, void *base, size_t size)
{
	p->base = base;
	p->size = size;
	atomic_init(&p->used, 0);
	atomic_init(&p->ready, 0);
}

bool prefault_used(struct prefault *p, size_t bytes)
{
	size_t ready = atomic_load_explicit(&p->ready, memory_order_relaxed);

	atomic_store_explicit(&p->used, bytes, memory_order_relaxed);
	return bytes >= USED_MIN && ready < p->size && ready < bytes + ahead_of(bytes) / 2;
}

/* MADV_POPULATE_WRITE gives the pages; the read behind it is for what a hypervisor keeps of them. */
__attribute__((no_sanitize_thread)) static bool touch(char *from, const char *to, size_t page)
{
#ifdef MADV_POPULATE_WRITE
	if (madvise(from, (size_t)(to - from), MADV_POPULATE_WRITE))
		return false;
	for (; from < to; from += page)
		*(volatile char *)from;
	return true;
#else
	(void)from, (void)to, (void)page;
	return false;
#endif
}

/* Whole pages of ours: what is left at both ends shares its page with others. */
static void extend(struct prefault *p, size_t ready, size_t wanted)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *from = (char *)(((uintptr_t)p->base + ready + page - 1) & ~(uintptr_t)(page - 1));
	char *to = (char *)(((uintptr_t)p->base + wanted) & ~(uintptr_t)(page - 1));

	if (from < to && !touch(from, to, page))
		wanted = p->size;	/* before Linux 5.14: pages come when they are used */
	atomic_store_explicit(&p->ready, wanted, memory_order_relaxed);
}

void prefault_fetch(struct prefault *p)
{
	size_t used = atomic_load_explicit(&p->used, memory_order_relaxed), wanted = used + ahead_of(used);
	size_t ready = atomic_load_explicit(&p->ready, memory_order_relaxed);

	if (wanted > p->size)
		wanted = p->size;
	if (ready < used)
		ready = used;
	if (ready < wanted)
		extend(p, ready, wanted);
}

void prefault_whole(struct prefault *p)
{
	size_t ready = atomic_load_explicit(&p->ready, memory_order_relaxed);

	if (ready < p->size)
		extend(p, ready, p->size);
}
