/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As whom a process of ours runs, and what it may do: the user, the files that become this user's, the capabilities. Needs root
 * once, before the first thread; what it gave away nothing gives back. */
#ifndef MINEWALL_POWER_H
#define MINEWALL_POWER_H

#include <stdbool.h>
#include <sys/types.h>

/* Taken where the policy names none: the first that exists. */
#define POWER_USER "minewall"
#define POWER_USER_ELSE "nobody"

struct power_user {
	char name[64];
	uid_t uid;
	gid_t gid;
	bool change;		/* we are root; else we stay who we are */
};

/* `wanted`: the policy's `user`, "" if it names none. -ENOENT: there is no such user. */
int power_user(struct power_user *u, const char *wanted);

/* Gives a folder to the user: one that we make now, with `mode`, or one of root's that is `ours` or bears our name. */
int power_folder(const struct power_user *u, const char *path, mode_t mode, bool ours);

/* Gives a file or pipe of root's to the user; `make`: one that is missing is made, empty. Other people's files, links and what has
 * two names stay as they are. 0 or -errno. */
int power_file(const struct power_user *u, const char *path, bool make, mode_t mode);

/* Becomes the user for good, without other groups; of the capabilities CAP_NET_ADMIN is kept, or none. No program that it
 * executes can have more. On -errno `*step` says at what. */
int power_become(const struct power_user *u, bool net_admin, const char **step);

#endif
