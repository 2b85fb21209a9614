/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process beside the daemon does before it begins: another name, no descriptors but its own, no rights. Fails closed: who
 * cannot give something up must not go on. */
#ifndef MINEWALL_PROCESS_H
#define MINEWALL_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* Whom such processes run as: the user minewall where there is one, else nobody. Asked by root only; for others `change` is false. */
struct process_user {
	uid_t uid;
	gid_t gid;
	int change;
};
int process_user(struct process_user *user);

/* Another name than the daemon's, so that whoever stops or kills `minewall` by name does not stop this one. At most 15 bytes. */
void process_name(const char *name);

/* Moves the `n` descriptors (-1 stays -1) to the numbers from 3 on and closes all others but 0, 1 and 2. 0 or -errno. */
int process_keep(int *fds, size_t n);

/* The step from root to a user from whom no way leads back: groups, then ids, and a look whether they are what they should be. 0 or -errno. */
int process_become(uid_t uid, gid_t gid);

/* Becomes that user, without a capability. 0 or -errno. */
int process_drop(const struct process_user *user);

#endif
