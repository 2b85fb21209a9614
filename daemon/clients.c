/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of connections, none of which is ever waited for. A request ends where its sender shuts his side down, so a long one, a
 * second one behind it or one that never ends costs its sender the connection and nobody else anything. */
#include "daemon/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A request is a verb and its arguments. */
#define REQUEST_BYTES_MAX 65536
#define CHUNK 4096
/* Where no descriptor is left for a connection it waits: to ask again at once would cost a processor. */
#define DEAF_MS 200

struct client {
	int fd;			/* -1: a free place */
	struct ucred peer;
	int64_t until_ms;
	bool writing;
	char *bytes;		/* the request so far, or the reply */
	size_t len, at;		/* at: of the reply, what is sent */
};

struct clients {
	int listening;
	int64_t deaf_until_ms;	/* 0: connections are taken */
	struct client items[CLIENTS_MAX];
};

struct clients *clients_new(int listening)
{
	struct clients *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->listening = listening;
	for (int i = 0; i < CLIENTS_MAX; i++)
		c->items[i].fd = -1;
	return c;
}

static void leave(struct client *k)
{
	if (k->fd >= 0)
		close(k->fd);
	free(k->bytes);
	*k = (struct client){ .fd = -1 };
}

void clients_free(struct clients *c)
{
	for (int i = 0; c && i < CLIENTS_MAX; i++)
		leave(&c->items[i]);
	free(c);
}

void clients_poll(const struct clients *c, struct pollfd *fds, int64_t now_ms)
{
	fds[0] = (struct pollfd){ .fd = now_ms < c->deaf_until_ms ? -1 : c->listening, .events = POLLIN };
	for (int i = 0; i < CLIENTS_MAX; i++)
		fds[i + 1] = (struct pollfd){ .fd = c->items[i].fd, .events = c->items[i].writing ? POLLOUT : POLLIN };
}

int clients_due_ms(const struct clients *c, int64_t now_ms)
{
	int64_t due = now_ms < c->deaf_until_ms ? c->deaf_until_ms : -1;

	for (int i = 0; i < CLIENTS_MAX; i++)
		if (c->items[i].fd >= 0 && (due < 0 || c->items[i].until_ms < due))
			due = c->items[i].until_ms;
	return due < 0 ? -1 : due <= now_ms ? 0 : (int)(due - now_ms);
}

/* A free place; if there is none, that of whoever has been silent longest. Root's is nobody's but root's, and for root a reply that
 * another does not read gives way, too. */
static struct client *place(struct clients *c, const struct ucred *peer)
{
	struct client *oldest = NULL;

	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *k = &c->items[i];

		if (k->fd < 0)
			return k;
		if ((!k->writing || (k->peer.uid && !peer->uid)) && (k->peer.uid || !peer->uid) &&
		    (!oldest || k->until_ms < oldest->until_ms))
			oldest = k;
	}
	if (oldest)
		leave(oldest);
	return oldest;
}

static void enter(struct clients *c, int64_t now_ms)
{
	int fd = accept4(c->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct client *k;

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			c->deaf_until_ms = now_ms + DEAF_MS;
		return;
	}
	k = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ? NULL : place(c, &peer);
	if (!k) {
		close(fd);
		return;
	}
	k->fd = fd;
	k->peer = peer;
	k->until_ms = now_ms + CLIENTS_REQUEST_MS;
}

static void say(struct client *k)
{
	while (k->at < k->len) {
		ssize_t n = send(k->fd, k->bytes + k->at, k->len - k->at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		k->at += (size_t)n;
	}
	leave(k);
}

static void reply(struct client *k, int64_t now_ms, clients_answer *answer, void *arg)
{
	json_t *request = json_loadb(k->bytes ? k->bytes : "", k->len, 0, NULL), *j;
	char *text;

	/* no request is no reason to answer */
	j = json_is_object(request) ? answer(arg, k, request) : NULL;
	json_decref(request);
	text = j && k->fd >= 0 ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	if (!text) {
		leave(k);
		return;
	}
	free(k->bytes);
	k->bytes = text;
	k->len = strlen(text);
	k->at = 0;
	k->writing = true;
	k->until_ms = now_ms + CLIENTS_REPLY_MS;
	say(k);
}

/* What has come, once: who sends on and on gets his next turn with the others. */
static void hear(struct client *k, int64_t now_ms, clients_answer *answer, void *arg)
{
	char *more = k->len < REQUEST_BYTES_MAX ? realloc(k->bytes, k->len + CHUNK) : NULL;
	ssize_t n;

	if (!more) {
		leave(k);
		return;
	}
	k->bytes = more;
	n = recv(k->fd, k->bytes + k->len, CHUNK, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		leave(k);
	else if (n == 0)
		reply(k, now_ms, answer, arg);
	else
		k->len += (size_t)n;
}

void clients_serve(struct clients *c, const struct pollfd *fds, int64_t now_ms, clients_answer *answer, void *arg)
{
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *k = &c->items[i];

		/* the place may have a new owner since the poll: he comes with the next one */
		if (k->fd < 0 || k->fd != fds[i + 1].fd)
			continue;
		if (fds[i + 1].revents && k->writing)
			say(k);
		else if (fds[i + 1].revents)
			hear(k, now_ms, answer, arg);
		if (k->fd >= 0 && k->until_ms <= now_ms)
			leave(k);
	}
	if (fds[0].revents)
		enter(c, now_ms);
}

uid_t client_uid(const struct client *from)
{
	return from->peer.uid;
}

pid_t client_pid(const struct client *from)
{
	return from->peer.pid;
}

int client_take(struct client *from)
{
	struct timeval patience = { .tv_sec = 1 };
	int fd = from->fd;

	from->fd = -1;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}
