/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that only root can open, named by the namespace: a lock on the namespace's own file or an abstract socket
 * could be taken by any local user, who would keep the firewall from starting. */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int lock_path(char *path, size_t size)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return -errno;
	snprintf(path, size, "/run/minewall/netns-%" PRIuMAX ".lock", (uintmax_t)st.st_ino);
	return 0;
}

int lock_namespace(void)
{
	char path[64];
	struct stat st = { 0 };
	int fd, err = lock_path(path, sizeof(path));

	if (err)
		return err;
	mkdir("/run/minewall", 0755);
	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
		err = flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &st) ? -errno : 0;
		if (!err && st.st_nlink)
			return fd;
		close(fd);
		if (err)
			return err;
		/* its holder removed it between our open and our lock: the name is another file's by now */
	}
}

void lock_release(int fd)
{
	char path[64];

	if (fd < 0)
		return;
	if (lock_path(path, sizeof(path)) == 0)
		unlink(path);
	close(fd);
}
