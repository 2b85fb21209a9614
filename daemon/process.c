/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order is the kernel's: groups before the user, capabilities last. Privileges that only a hook's mail program brings along
 * (a setgid sendmail) stay possible: what it executes is the admin's choice, and it starts with none of ours. */
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/account.h"

/* Above any descriptor that is to be kept, while they are moved. */
#define ASIDE_FD 256

int process_user(struct process_user *user)
{
	bool there;

	*user = (struct process_user) { .change = geteuid() == 0 };
	if (!user->change)
		return 0;
	there = account_user("minewall", &user->uid, &user->gid);
	if (!there || user->uid == 0)
		there = account_user("nobody", &user->uid, &user->gid);
	return there && user->uid != 0 && user->gid != 0 ? 0 : -ENOENT;
}

void process_name(const char *name)
{
	size_t room = strlen(program_invocation_name), len = strlen(name) + 1;

	prctl(PR_SET_NAME, name);
	memset(program_invocation_name, 0, room);
	memcpy(program_invocation_name, name, room < len ? room : len);
}

/* Before Linux 5.9 each number must be tried. */
static void close_from(int first)
{
	long end = sysconf(_SC_OPEN_MAX);

	if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
		return;
	for (int fd = first; fd < (end > 0 && end < 65536 ? end : 65536); fd++)
		close(fd);
}

int process_keep(int *fds, size_t n)
{
	int next = STDERR_FILENO + 1;

	for (size_t i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, ASIDE_FD);
		if (fds[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		if (dup3(fds[i], next, O_CLOEXEC) < 0)
			return -errno;
		fds[i] = next++;
	}
	close_from(next);
	return 0;
}

int process_become(uid_t uid, gid_t gid)
{
	uid_t real, effective, saved;

	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	if (getresuid(&real, &effective, &saved) || real != uid || effective != uid || saved != uid || setuid(0) == 0)
		return -EPERM;
	return 0;
}

int process_drop(const struct process_user *user)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2];
	int err = user->change ? process_become(user->uid, user->gid) : 0;

	if (err)
		return err;
	memset(none, 0, sizeof(none));
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none))
		return -errno;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0;
}
