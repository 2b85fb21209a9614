/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asked in a child. What the system asks beyond /etc/passwd (systemd, LDAP) is a library that libc loads into whoever asks and never
 * lets go; in the daemon 0.7 MB of it stayed where the user `minewall` is missing. A child for each name cost a start a tenth of its
 * time, so one answers for all that are known to be wanted, and the start goes on beside it. */
#include "daemon/account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
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

/* The child that answers beforehand: its end of the pipe, or -1, and how many answers are to come. */
static struct {
	int fd;
	unsigned left;
	pid_t child;
} ahead = { .fd = -1 };

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

static void await(pid_t child)
{
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* A child that answers one after the other. -1: there can be none. */
static int ask_child(struct account *asked, unsigned n, bool group, pid_t *child)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	*child = fork();
	if (*child == 0) {
		for (unsigned i = 0; i < n; i++) {
			find(&asked[i], group);
			if (write(ends[1], &asked[i], sizeof(asked[i])) != (ssize_t)sizeof(asked[i]))
				_exit(1);
		}
		_exit(0);
	}
	close(ends[1]);
	if (*child > 0)
		return ends[0];
	close(ends[0]);
	return -1;
}

/* Where there can be no child it is asked here. */
static void ask(struct account *a, bool group)
{
	pid_t child;
	int fd = ask_child(a, 1, group, &child);
	bool heard = fd >= 0 && hear(fd, a);

	if (fd >= 0) {
		close(fd);
		await(child);
	}
	if (!heard)
		find(a, group);
}

void account_ahead(const char *const *names, unsigned n)
{
	struct account asked[sizeof(known) / sizeof(known[0])] = { 0 };

	if (ahead.child > 0 || n_known || n > sizeof(known) / sizeof(known[0]))
		return;
	for (unsigned i = 0; i < n; i++)
		snprintf(asked[i].name, sizeof(asked[i].name), "%s", names[i]);
	ahead.left = n;
	ahead.fd = ask_child(asked, n, true, &ahead.child);
}

/* One answer more of what was asked ahead. False: there is none. */
static bool hear_ahead(void)
{
	if (ahead.fd < 0)
		return false;
	if (ahead.left && n_known < sizeof(known) / sizeof(known[0]) && hear(ahead.fd, &known[n_known])) {
		ahead.left--;
		n_known++;
		return true;
	}
	close(ahead.fd);
	ahead.fd = -1;
	return false;
}

void account_end(void)
{
	if (ahead.fd >= 0)
		close(ahead.fd);
	ahead.fd = -1;
	await(ahead.child);
	ahead.child = 0;
}

static const struct account *recall(const char *name, bool group)
{
	for (unsigned i = 0; i < n_known; i++)
		if (!strcmp(known[i].name, name) && (known[i].group_asked || !group))
			return &known[i];
	return NULL;
}

/* No system has a name that does not fit. */
static struct account account(const char *name, bool group)
{
	const struct account *there;
	struct account a = { 0 };

	do
		there = recall(name, group);
	while (!there && hear_ahead());
	if (there)
		return *there;
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
