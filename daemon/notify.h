/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a service manager is told: sd_notify's protocol (its manual page), datagrams to the socket that NOTIFY_SOCKET names. Without
 * that nothing is said. */
#ifndef MINEWALL_NOTIFY_H
#define MINEWALL_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct notify {
	int fd;			/* -1: nobody listens */
	int64_t every_ms;	/* it wants to hear so often that we live; 0: it does not */
	int64_t due_ms;
};

/* Opens the socket, by the environment, which is cleared of it. Before sockets are forbidden. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);

/* One message, lines as in sd_notify(3). */
void notify_say(const struct notify *n, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* READY=1 and the state in words; RELOADING=1 until the next of it. */
void notify_ready(const struct notify *n, const char *state);
void notify_reloading(const struct notify *n);

/* Milliseconds until notify_alive is due, -1: never. */
int notify_due_ms(const struct notify *n, int64_t now_ms);

/* When it is due: says that we live, if we do, and waits for the next time. */
void notify_alive(struct notify *n, int64_t now_ms, bool alive);

#endif
