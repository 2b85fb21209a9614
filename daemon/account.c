/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asked in a child. What the system asks beyond /etc/passwd (systemd, LDAP) is a library that libc loads into whoever asks and never
 * lets go; in the daemon 0.7 MB of it stayed where the user `minewall` is missing. */
#include "daemon/account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct account {
	bool there;
	uid_t uid;
	gid_t gid;
};

static struct account find(const char *name, bool group)
{
	struct account a = { 0 };
	char room[4096];
	struct passwd user, *pw = NULL;
	struct group one, *g = NULL;

	if (group && getgrnam_r(name, &one, room, sizeof(room), &g) == 0 && g)
		a = (struct account){ .there = true, .gid = g->gr_gid };
	else if (!group && getpwnam_r(name, &user, room, sizeof(room), &pw) == 0 && pw)
		a = (struct account){ .there = true, .uid = pw->pw_uid, .gid = pw->pw_gid };
	return a;
}

static bool hear(int fd, struct account *a)
{
	ssize_t n;

	do
		n = read(fd, a, sizeof(*a));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*a);
}

/* Where there can be no child it is asked here. */
static struct account ask(const char *name, bool group)
{
	struct account a;
	int ends[2];
	bool heard;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return find(name, group);
	child = fork();
	if (child == 0) {
		a = find(name, group);
		_exit(write(ends[1], &a, sizeof(a)) == (ssize_t)sizeof(a) ? 0 : 1);
	}
	close(ends[1]);
	heard = child > 0 && hear(ends[0], &a);
	close(ends[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return heard ? a : find(name, group);
}

bool account_user(const char *name, uid_t *uid, gid_t *gid)
{
	struct account a = ask(name, false);

	*uid = a.uid;
	*gid = a.gid;
	return a.there;
}

bool account_group(const char *name, gid_t *gid)
{
	struct account a = ask(name, true);

	*gid = a.gid;
	return a.there;
}
