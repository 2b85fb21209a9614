/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Landlock by its three system calls, as no library wraps them (linux/landlock.h, whose numbers are part of the kernel's
 * contract). A right that the kernel does not know yet must not be asked for. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/sandbox.h"

/* The same on every architecture. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* Rights of the first version, and those that came later. */
#define FS_EXECUTE (1u << 0)
#define FS_WRITE_FILE (1u << 1)
#define FS_READ_FILE (1u << 2)
#define FS_READ_DIR (1u << 3)
#define FS_REMOVE_FILE (1u << 5)
#define FS_MAKE_REG (1u << 8)
#define FS_FIRST 0x1fffu	/* all of version 1 */
#define FS_REFER (1u << 13)	/* 2 */
#define FS_TRUNCATE (1u << 14)	/* 3 */
#define FS_IOCTL_DEV (1u << 15)	/* 5 */
#define NET_TCP 3u		/* bind and connect: 4 */

#define FS_OF_A_FILE (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct ruleset_attr {
	uint64_t fs, net;
};

struct below_attr {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

struct sandbox_files {
	int version, fd, error;
	uint64_t handled;
};

int sandbox_files_new(struct sandbox_files **out)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u);
	struct ruleset_attr attr = { .fs = FS_FIRST };
	struct sandbox_files *f;

	*out = NULL;
	if (version < 1)
		return version < 0 && errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM ? -errno : -ENOSYS;
	attr.fs |= (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0) | (version >= 5 ? FS_IOCTL_DEV : 0);
	attr.net = version >= 4 ? NET_TCP : 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->version = (int)version;
	f->handled = attr.fs;
	f->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, version >= 4 ? sizeof(attr) : sizeof(attr.fs), 0u);
	if (f->fd < 0) {
		int err = -errno;

		free(f);
		return err;
	}
	*out = f;
	return 0;
}

static void allow(struct sandbox_files *f, const char *path, uint64_t rights)
{
	int fd = f ? open(path, O_PATH | O_CLOEXEC) : -1;
	struct below_attr below = { .parent = fd };
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0) {
		below.allowed = rights & f->handled & (S_ISDIR(st.st_mode) ? ~0ull : FS_OF_A_FILE);
		if (syscall(SYS_landlock_add_rule, f->fd, 1, &below, 0u) && !f->error)
			f->error = -errno;
	}
	close(fd);
}

void sandbox_files_read(struct sandbox_files *f, const char *path)
{
	allow(f, path, FS_READ_FILE | FS_READ_DIR);
}

void sandbox_files_write(struct sandbox_files *f, const char *path)
{
	allow(f, path, FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_REMOVE_FILE);
}

int sandbox_files_version(const struct sandbox_files *f)
{
	return f ? f->version : 0;
}

int sandbox_files_enter(struct sandbox_files *f)
{
	int err;

	if (!f)
		return 0;
	err = f->error;
	if (!err && syscall(SYS_landlock_restrict_self, f->fd, 0u))
		err = -errno;
	close(f->fd);
	free(f);
	return err;
}
