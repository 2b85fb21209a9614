/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process beside the daemon, without any right: one that only waits, and one that works and is made again by the first when it ends.
 * They talk by whole messages, and the daemon never waits for any. */
#ifndef MINEWALL_BESIDE_H
#define MINEWALL_BESIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest message. */
#define BESIDE_BYTES_MAX 131072
/* Descriptors that it takes along. */
#define BESIDE_FDS_MAX 8

struct beside_job {
	const char *name;		/* at most 15 bytes */
	/* Before the rights go, in the new process: opens what only root may read. -1: nothing. May be NULL. */
	void (*open)(int fds[BESIDE_FDS_MAX], const void *arg);
	/* Works until the link's end. Its exit code. */
	int (*work)(int link, const int fds[BESIDE_FDS_MAX], const void *arg);
	const void *arg;
	bool executes;			/* programs of the operator, which may be set-user-id as sendmail is: no_new_privs is left off */
	size_t waiting_max;		/* bytes that may wait for room in the link; 0: what it does not take at once is lost */
};

struct beside;

/* Before there is any thread. 0 or -errno. */
int beside_start(struct beside **b, const struct beside_job *job);

/* Ends it, and waits a moment for that. NULL is allowed, here and below. */
void beside_stop(struct beside *b);

/* True once if the one that waits was killed, too: the daemon has no rights left to give to a new one. */
bool beside_gone(struct beside *b);

/* Readable when it has said something; -1: there is none. */
int beside_fd(const struct beside *b);

/* Takes one message: its first byte, and what is behind it, with a NUL at the end, valid until the next call. 0: there is none. */
int beside_hear(struct beside *b, const char **bytes, size_t *len);

/* What has no room in the link waits, in its order, as far as the job lets it. False: it was not taken, which is counted. */
bool beside_say(struct beside *b, char what, const void *bytes, size_t len);
uint64_t beside_lost(const struct beside *b);

/* Does anything wait? When there is room in the link (POLLOUT), sends it. And to forget what waits. */
bool beside_waits(const struct beside *b);
void beside_flush(struct beside *b);
void beside_drop(struct beside *b);

#endif
