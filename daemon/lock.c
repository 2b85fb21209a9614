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

int lock_namespace(void)
{
	char path[64];
	struct stat st;
	int fd, err;

	if (stat("/proc/self/ns/net", &st))
		return -errno;
	mkdir("/run/minewall", 0755);
	snprintf(path, sizeof(path), "/run/minewall/netns-%" PRIuMAX ".lock", (uintmax_t)st.st_ino);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}
