/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work on strangers' bytes in a child process that can do no harm: an unprivileged user without a way back, no files, little
 * memory, and one pipe to its parent. The parent looks at nothing but lengths. */
#ifndef MINEWALL_CHILD_H
#define MINEWALL_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Who the child becomes. Not as root, everybody stays who he is. */
struct child_user {
	uid_t uid;
	gid_t gid;
	bool change;
};

/* 0; -ENOENT: there is no such user, or it is root. */
int child_user(const char *name, struct child_user *user);

struct child {
	pid_t pid;
	int fd;			/* what the child says: records */
};

/* Forks; the child loses its rights and runs work(fd, arg), which writes with child_say. `network`: it may have one.
 * 0 or -errno. */
int child_start(struct child *c, const struct child_user *user, bool network, void (*work)(int fd, void *arg), void *arg);

/* The child's side: one record. Ends the child if nobody listens. */
void child_say(int fd, const void *record, size_t len);

/* The parent's side: exactly `len` bytes before CLOCK_MONOTONIC says `until_ms`. 0; -ETIMEDOUT; -EPIPE: it ended before; -errno. */
int child_hear(const struct child *c, void *to, size_t len, long long until_ms);

long long child_now_ms(void);

/* Ends it, whatever it does, and those that it started. */
void child_end(struct child *c);

#endif
