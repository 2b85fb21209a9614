/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two thirds of what is resident after the start are pages of libraries that only the start has read: symbols, the parser of the policy,
 * what lists are read by. They are the page cache's, but as long as a process maps them the kernel takes others first. */
#include "daemon/footprint.h"

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

/* What cannot be written is as it stands in the file. The kernel's own object (vdso) has none. */
static int trim(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)arg;
	if (info->dlpi_addr == getauxval(AT_SYSINFO_EHDR))
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t begin = (info->dlpi_addr + h->p_vaddr) & ~(page - 1), end = info->dlpi_addr + h->p_vaddr + h->p_memsz;

		if (h->p_type == PT_LOAD && !(h->p_flags & PF_W))
			madvise((void *)begin, end - begin, MADV_DONTNEED);	/* the kernel rounds up */
	}
	return 0;
}

void footprint_trim(void)
{
	dl_iterate_phdr(trim, NULL);
}
