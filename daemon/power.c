/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root's files become the user's through descriptors that follow no link: whoever has been this user before us may have put
 * anything into the user's folders. */
#include "daemon/power.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/account.h"

int power_user(struct power_user *u, const char *wanted)
{
	const char *name = *wanted ? wanted : POWER_USER;
	bool there;

	*u = (struct power_user){ .uid = geteuid(), .gid = getegid(), .change = geteuid() == 0 };
	if (!u->change) {
		snprintf(u->name, sizeof(u->name), "%u", (unsigned)u->uid);
		return 0;
	}
	there = account_user(name, &u->uid, &u->gid);
	if (!there && !*wanted)
		there = account_user(name = POWER_USER_ELSE, &u->uid, &u->gid);
	snprintf(u->name, sizeof(u->name), "%s", there ? name : wanted);
	return there ? 0 : -ENOENT;
}

static int give(const struct power_user *u, int fd, bool folder)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	/* a second name of root's file may stand anywhere */
	if (!u->change || st.st_uid != 0 || !(folder ? S_ISDIR(st.st_mode) : S_ISFIFO(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1)))
		return 0;
	return fchownat(fd, "", u->uid, u->gid, AT_EMPTY_PATH) ? -errno : 0;
}

int power_folder(const struct power_user *u, const char *path, mode_t mode, bool ours)
{
	const char *name = strrchr(path, '/');
	int fd, err;

	if (mkdir(path, mode) == 0)
		ours = true;
	else if (errno != EEXIST)
		return -errno;
	if (!ours && strcmp(name ? name + 1 : path, POWER_USER))
		return 0;
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = give(u, fd, true);
	close(fd);
	return err;
}

int power_file(const struct power_user *u, const char *path, bool make, mode_t mode)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), err;

	if (fd < 0 && errno == ENOENT && make)
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	err = give(u, fd, false);
	close(fd);
	return err;
}

/* Of this thread, which must be the only one. */
static int keep_capabilities(bool net_admin)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 }, { 0 } };

	if (net_admin)
		data[0].permitted = data[0].effective = 1u << CAP_NET_ADMIN;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static int clear_bounds(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 && geteuid() == 0)
			return -errno;
	/* Linux 4.3; before it there was no such set */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
		return -errno;
	return 0;
}

static int change_user(const struct power_user *u)
{
	uid_t real, effective, saved;

	if (!u->change)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) || setresgid(u->gid, u->gid, u->gid) ||
	    setresuid(u->uid, u->uid, u->uid) || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) || getresuid(&real, &effective, &saved))
		return -errno;
	return real == u->uid && effective == u->uid && saved == u->uid ? 0 : -EPERM;
}

int power_become(const struct power_user *u, bool net_admin, const char **step)
{
	int err;

	*step = "clearing the bounding and ambient sets";
	err = clear_bounds();
	if (!err) {
		*step = "taking the user";
		err = change_user(u);
	}
	if (!err) {
		*step = "dropping capabilities";
		err = keep_capabilities(net_admin);
	}
	if (!err) {
		*step = "no_new_privs";
		err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
	}
	/* no core file, which would hold what was seen on the wire, and nobody of the same user looks inside */
	if (!err && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		err = -errno;
	return err;
}
