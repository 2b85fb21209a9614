/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asked in a child, once for each name. What the system asks beyond /etc/passwd (systemd, LDAP) is a library that libc loads into whoever asks and never
 * lets go; in the daemon 0.7 MB of it stayed where the user `minewall` is missing. */
#include "daemon/account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM_FIRST 4096u
#define ROOM_MAX (4u << 20)

/* What is known of a name. */
struct account {
	char name[64];
	bool user, group, group_asked;
	uid_t uid;
	gid_t gid, group_gid;
};

/* A start asks for few names, some of them twice. */
static struct account known[4];
static unsigned n_known;

/* ERANGE: a group may have members without end. */
static int find_in(char *room, size_t size, struct account *a, bool group)
{
	struct passwd user, *pw = NULL;
	struct group one, *g = NULL;
	int err = getpwnam_r(a->name, &user, room, size, &pw);

	if (!err && pw) {
		a->user = true;
		a->uid = pw->pw_uid;
		a->gid = pw->pw_gid;
	}
	a->group_asked = group || !pw;
	if (err != ERANGE && a->group_asked)
		err = getgrnam_r(a->name, &one, room, size, &g);
	if (!err && g) {
		a->group = true;
		a->group_gid = g->gr_gid;
	}
	return err;
}

/* Who is no user may be a group, and whoever asks for one asks for the other soon. */
static void find(struct account *a, bool group)
{
	int err = ERANGE;

	for (size_t size = ROOM_FIRST; err == ERANGE && size <= ROOM_MAX; size *= 4) {
		char *room = malloc(size);

		err = room ? find_in(room, size, a, group) : ENOMEM;
		free(room);
	}
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
static void ask(struct account *a, bool group)
{
	int ends[2];
	bool heard;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC)) {
		find(a, group);
		return;
	}
	child = fork();
	if (child == 0) {
		find(a, group);
		_exit(write(ends[1], a, sizeof(*a)) == (ssize_t)sizeof(*a) ? 0 : 1);
	}
	close(ends[1]);
	heard = child > 0 && hear(ends[0], a);
	close(ends[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (!heard)
		find(a, group);
}

/* No system has a name that does not fit. */
static struct account account(const char *name, bool group)
{
	struct account a = { 0 };
	unsigned i;

	for (i = 0; i < n_known; i++)
		if (!strcmp(known[i].name, name) && (known[i].group_asked || !group))
			return known[i];
	if (strlen(name) >= sizeof(a.name))
		return a;
	strcpy(a.name, name);
	ask(&a, group);
	if (n_known < sizeof(known) / sizeof(known[0]))
		known[n_known++] = a;
	return a;
}

bool account_user(const char *name, uid_t *uid, gid_t *gid)
{
	struct account a = account(name, false);

	*uid = a.uid;
	*gid = a.gid;
	return a.user;
}

bool account_group(const char *name, gid_t *gid)
{
	struct account a = account(name, true);

	*gid = a.group_gid;
	return a.group;
}
