/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel is told what the page is; whoever forks gets one of zeros. Nothing in here looks at a key. */
#include "daemon/secret.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *secret_new(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, size, MADV_DONTDUMP)) {
		munmap(page, size);
		return NULL;
	}
	/* Linux 4.14; before it the watchdog has a copy, under the same user and as little to be dumped */
	madvise(page, size, MADV_WIPEONFORK);
	return page;
}

void secret_free(void *secret)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	if (!secret)
		return;
	explicit_bzero(secret, size);
	munmap(secret, size);
}
