/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Unix stream socket that carries one JSON text each way; whoever sent his request shuts his side down.
 * Who listens serves his connections by daemon/clients.c; every wait in here is a verb's, or bounded. */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/escape.h"

/* Descriptors of one message at most. */
#define FDS_MAX 100

static int open_socket(const char *path, struct sockaddr_un *address)
{
	int fd;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memcpy(address->sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static void set_patience(int fd, int seconds)
{
	struct timeval t = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* Reads up to `max` bytes to the end. NULL with errno set on failure; the caller frees. */
static char *read_all(int fd, size_t max, size_t *len)
{
	size_t size = 4096, n = 0;
	char *buf = malloc(size), *more;
	ssize_t got;

	while (buf && (got = read(fd, buf + n, size - n)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			goto bad;
		n += (size_t)got;
		if (n < size)
			continue;
		if (size >= max) {
			errno = EMSGSIZE;
			goto bad;
		}
		more = realloc(buf, size *= 2);
		if (!more)
			goto bad;
		buf = more;
	}
	*len = n;
	return buf;
bad:
	free(buf);
	return NULL;
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_json(int fd, json_t *j)
{
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	int err = text ? write_all(fd, text, strlen(text)) : -ENOMEM;

	free(text);
	json_decref(j);
	return err;
}

int control_listen(const char *path, gid_t group)
{
	struct sockaddr_un address;
	char folder[sizeof(address.sun_path)];
	int fd = open_socket(path, &address), err;
	struct stat there;

	if (fd < 0)
		return fd;
	if (lstat(path, &there) == 0 && !S_ISSOCK(there.st_mode)) {
		close(fd);
		return -EEXIST;		/* somebody's file or folder: not ours to remove */
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		close(fd);
		return -EADDRINUSE;
	}
	/* Nobody answers: what is there is a dead daemon's. */
	if (errno == ECONNREFUSED)
		unlink(path);
	snprintf(folder, sizeof(folder), "%s", path);
	mkdir(dirname(folder), 0755);
	umask(group == CONTROL_NO_GROUP ? 0177 : 0117);
	err = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(022);
	/* the folder may be somebody else's by now: what is at the path is not followed */
	if (!err && group != CONTROL_NO_GROUP && lchown(path, (uid_t)-1, group))
		err = -errno;
	/* not waited at: during a takeover two processes hear of one connection */
	if (!err && (listen(fd, 16) || fcntl(fd, F_SETFL, O_NONBLOCK)))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

void control_reply(int fd, json_t *reply)
{
	write_json(fd, reply);
	close(fd);
}

void control_reply_fds(int fd, json_t *reply, const int *fds, size_t n)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	struct iovec part = { text, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof(int) * n) };

	memset(&control, 0, sizeof(control));
	control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * n) };
	if (text && n <= FDS_MAX) {
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n);
		/* with the first byte, so that they come at once and whole */
		if (sendmsg(fd, &m, MSG_NOSIGNAL) == 1)
			write_all(fd, text + 1, strlen(text + 1));
	}
	free(text);
	json_decref(reply);
	close(fd);
}

/* The first byte, with what came along. */
static int read_fds(int fd, char *first, int *fds, size_t *n)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct iovec part = { first, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = got == 1 ? CMSG_FIRSTHDR(&m) : NULL;
	size_t room = *n;

	*n = 0;
	if (got != 1)
		return got < 0 ? -errno : -EBADMSG;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (*n > room)
			return -EBADMSG;
		memcpy(fds, CMSG_DATA(c), *n * sizeof(int));
	}
	return 0;
}

int control_ask_fds(const char *path, json_t *request, json_t **reply, int *fds, size_t *n)
{
	struct sockaddr_un address;
	int fd = open_socket(path, &address), err = fd < 0 ? fd : 0;
	char first = 0, *rest = NULL, *text = NULL;
	size_t len = 0;

	if (!err)
		set_patience(fd, 30);
	if (!err && connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err = errno == ENOENT ? -ECONNREFUSED : -errno;
	if (err) {
		json_decref(request);
		goto out;
	}
	err = write_json(fd, request);
	if (err)
		goto out;
	shutdown(fd, SHUT_WR);
	err = read_fds(fd, &first, fds, n);
	rest = err ? NULL : read_all(fd, CONTROL_BYTES_MAX, &len);
	text = rest ? malloc(len + 1) : NULL;
	if (text) {
		text[0] = first;
		memcpy(text + 1, rest, len);
	}
	*reply = text ? json_loadb(text, len + 1, 0, NULL) : NULL;
	if (!err && !*reply)
		err = -EBADMSG;
out:
	free(text);
	free(rest);
	if (fd >= 0)
		close(fd);
	return err;
}

int control_ask(const char *path, json_t *request, json_t **reply)
{
	struct sockaddr_un address;
	int fd = open_socket(path, &address), err;
	char *text = NULL;
	size_t len = 0;

	if (fd < 0) {
		json_decref(request);
		return fd;
	}
	set_patience(fd, 30);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = errno == ENOENT ? -ECONNREFUSED : -errno;
		json_decref(request);
		goto out;
	}
	err = write_json(fd, request);
	if (err)
		goto out;
	shutdown(fd, SHUT_WR);
	text = read_all(fd, CONTROL_BYTES_MAX, &len);
	*reply = text ? json_loadb(text, len, 0, NULL) : NULL;
	if (*reply)
		escape_json(*reply);
	else
		err = text ? -EBADMSG : -errno;
out:
	free(text);
	close(fd);
	return err;
}
