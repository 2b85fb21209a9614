/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket is connected once, while that is allowed; systemd keeps it as long as it runs. What it does not take at once is lost:
 * nobody waits for a service manager. */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* We say that we live this many times in the time that is allowed. */
#define BEATS 3

void notify_open(struct notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;

	*n = (struct notify){ .fd = -1 };
	if (len > 1 && len < sizeof(to.sun_path) && (*path == '/' || *path == '@')) {
		memcpy(to.sun_path, path, len);
		if (*path == '@')	/* no file: a name of its own kind */
			to.sun_path[0] = '\0';
		n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (n->fd >= 0 && connect(n->fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)))
			notify_close(n);
	}
	if (n->fd >= 0 && usec && (!pid || strtol(pid, NULL, 10) == (long)getpid()))
		n->every_ms = (int64_t)(strtoull(usec, NULL, 10) / 1000 / BEATS);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
	n->every_ms = 0;
}

void notify_say(const struct notify *n, const char *format, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n->fd >= 0 && len > 0)
		send(n->fd, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void notify_ready(const struct notify *n, const char *state)
{
	notify_say(n, "READY=1\nSTATUS=%.400s", state);
}

void notify_reloading(const struct notify *n)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	notify_say(n, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

int notify_due_ms(const struct notify *n, int64_t now_ms)
{
	if (!n->every_ms)
		return -1;
	return n->due_ms <= now_ms ? 0 : n->due_ms - now_ms > INT32_MAX ? INT32_MAX : (int)(n->due_ms - now_ms);
}

void notify_alive(struct notify *n, int64_t now_ms, bool alive)
{
	if (alive)
		notify_say(n, "WATCHDOG=1");
	n->due_ms = now_ms + n->every_ms;
}
