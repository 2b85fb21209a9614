/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept is filled with small pages by one call, what is needed briefly has large ones. Both are hints: a kernel that knows neither
 * gives small pages as they are touched. Large pages that were kept made the readers' user time three times as long in a virtual machine
 * with shadowed page tables, and not only where they were read. */
#include "policy/block.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Below it comes from the heap. */
#define MAPPED_MIN (64u << 10)

/* What x86-64 and arm64 call huge, with pages of 4 KB. */
#define LARGE_PAGE (2u << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23		/* Linux 5.14 */
#endif

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* At the begin of a large page if it holds one: not every kernel does this by itself. */
static char *map(size_t size)
{
	size_t slack = size >= LARGE_PAGE ? LARGE_PAGE : 0, whole = round_up(size, page_size());
	char *at = mmap(NULL, whole + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *aligned;

	if (at == MAP_FAILED)
		return NULL;
	if (!slack)
		return at;
	aligned = (char *)round_up((uintptr_t)at, LARGE_PAGE);
	if (aligned > at)
		munmap(at, (size_t)(aligned - at));
	if (at + slack > aligned)
		munmap(aligned + whole, (size_t)(at + slack - aligned));
	return aligned;
}

static int take(struct block *b, size_t size)
{
	char *at = size < MAPPED_MIN ? calloc(1, size ? size : 1) : map(size);

	if (!at)
		return -ENOMEM;
	*b = (struct block) { at, size };
	return 0;
}

static void fill(char *at, size_t size)
{
	if (size)
		madvise(at, size, MADV_POPULATE_WRITE);
}

int block_new(struct block *b, size_t size)
{
	int err = take(b, size);

	if (!err && size >= MAPPED_MIN)
		fill(b->at, size);
	return err;
}

int block_new_brief(struct block *b, size_t size)
{
	int err = take(b, size < LARGE_PAGE / 2 ? size : round_up(size, LARGE_PAGE));

	if (err || size < MAPPED_MIN)
		return err;
#ifdef MADV_HUGEPAGE
	if (b->size >= LARGE_PAGE)
		madvise(b->at, b->size, MADV_HUGEPAGE);
#endif
	if (b->size < LARGE_PAGE)
		fill(b->at, size);
	return 0;
}

int block_grow(struct block *b, size_t used, size_t size)
{
	struct block more;
	int err = block_new_brief(&more, size);

	if (err)
		return err;
	if (used)
		memcpy(more.at, b->at, used);
	block_free(b);
	*b = more;
	return 0;
}

void block_free(struct block *b)
{
	if (b->size < MAPPED_MIN)
		free(b->at);
	else
		munmap(b->at, round_up(b->size, page_size()));
	*b = (struct block) { 0 };
}
