/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: one JSON request a connection, one JSON reply. Both ends are here, the daemon's and
 * that of the verbs. */
#ifndef MINEWALL_CONTROL_H
#define MINEWALL_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* Longest request or reply in bytes: a reply lists up to 131,072 elements. */
#define CONTROL_BYTES_MAX (64u << 20)

/* Nobody but its owner asks. */
#define CONTROL_NO_GROUP ((gid_t)-1)

/* Listens at `path` (mode 0600, or 0660 for a group; its folder is made if missing). -EADDRINUSE: a daemon answers there already;
 * -EEXIST: something else than a socket is there; -errno. */
int control_listen(const char *path, gid_t group);

/* Sends the reply (its reference is taken over) and closes the connection. */
void control_reply(int fd, json_t *reply);

/* The same with descriptors, which stay the caller's; the reply is short. */
void control_reply_fds(int fd, json_t *reply, const int *fds, size_t n);

/* A verb's side: sends `request` (reference taken over), waits for the reply. -ECONNREFUSED: no daemon is running; -EACCES; -errno. */
int control_ask(const char *path, json_t *request, json_t **reply);

/* The same for an answer that carries descriptors: `*n` is the room, and then how many there are. */
int control_ask_fds(const char *path, json_t *request, json_t **reply, int *fds, size_t *n);

#endif
