/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The web server is libmicrohttpd, driven by the reporter's loop without threads. It is loaded when a policy asks for it, so that
 * the process that judges packets has nothing of it; without it the rest goes on. */
#include "daemon/metrics.h"

#include <errno.h>

#ifdef HAVE_MICROHTTPD

#include <dlfcn.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A scraper or two; whoever opens more waits. */
#define CONNECTIONS_MAX 16u
#define TIMEOUT_S 5u

static struct {
	__typeof__(MHD_start_daemon) *start;
	__typeof__(MHD_stop_daemon) *stop;
	__typeof__(MHD_run) *run;
	__typeof__(MHD_get_daemon_info) *info;
	__typeof__(MHD_get_timeout) *timeout;
	__typeof__(MHD_create_response_from_buffer) *response;
	__typeof__(MHD_add_response_header) *header;
	__typeof__(MHD_queue_response) *queue;
	__typeof__(MHD_destroy_response) *destroy;
} api;

struct metrics_server {
	struct MHD_Daemon *daemon;
	int fd;
	char *(*render)(void *arg, size_t *len);
	void *arg;
};

static int load(void)
{
	static const struct {
		void *to;
		const char *name;
	} wanted[] = {
		{ &api.start, "MHD_start_daemon" }, { &api.stop, "MHD_stop_daemon" }, { &api.run, "MHD_run" },
		{ &api.info, "MHD_get_daemon_info" }, { &api.timeout, "MHD_get_timeout" },
		{ &api.response, "MHD_create_response_from_buffer" }, { &api.header, "MHD_add_response_header" },
		{ &api.queue, "MHD_queue_response" }, { &api.destroy, "MHD_destroy_response" },
	};
	void *lib;

	if (api.destroy)
		return 0;
	lib = dlopen("libmicrohttpd.so.12", RTLD_NOW);
	if (!lib)
		return -ELIBACC;
	/* POSIX lets a data pointer carry a function's address here, ISO C knows no cast for it. */
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*(void **)wanted[i].to = dlsym(lib, wanted[i].name);
		if (!*(void **)wanted[i].to)
			return -ELIBBAD;
	}
	return 0;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned code, char *text, size_t len, bool owned)
{
	struct MHD_Response *response = api.response(len, text, owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	api.header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	result = api.queue(connection, code, response);
	api.destroy(response);
	return result;
}

static enum MHD_Result answer_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
				      const char *version, const char *upload, size_t *upload_len, void **state)
{
	static char nothing[] = "minewall: the figures are at /metrics\n";
	struct metrics_server *s = arg;
	size_t len = 0;
	char *text;

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)state;
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, nothing, sizeof(nothing) - 1, false);
	if (strcmp(url, "/metrics"))
		return reply(connection, MHD_HTTP_NOT_FOUND, nothing, sizeof(nothing) - 1, false);
	text = s->render(s->arg, &len);
	return text ? reply(connection, MHD_HTTP_OK, text, len, true) : MHD_NO;
}

static socklen_t put_address(const struct reporting *r, struct sockaddr_storage *to)
{
	static const uint8_t v4[12] = { [10] = 0xff, 0xff };
	struct sockaddr_in *four = (struct sockaddr_in *)to;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (!memcmp(r->metrics_address, v4, sizeof(v4))) {
		four->sin_family = AF_INET;
		four->sin_port = htons(r->metrics_port);
		memcpy(&four->sin_addr, r->metrics_address + 12, 4);
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(r->metrics_port);
	memcpy(&six->sin6_addr, r->metrics_address, 16);
	return sizeof(*six);
}

/* A socket of our own: the library's message for one that is taken would go nowhere. */
static int listen_at(const struct reporting *r)
{
	struct sockaddr_storage address;
	socklen_t len = put_address(r, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, 16)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int metrics_serve(struct metrics_server **out, const struct reporting *r, char *(*render)(void *arg, size_t *len), void *arg)
{
	struct metrics_server *s;
	int err = load(), fd = err ? err : listen_at(r);

	*out = NULL;
	if (fd < 0)
		return fd;
	s = calloc(1, sizeof(*s));
	if (s) {
		s->render = render;
		s->arg = arg;
		s->daemon = api.start(MHD_USE_EPOLL, 0, NULL, NULL, answer_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
				      MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
				      MHD_OPTION_END);
	}
	if (!s || !s->daemon) {
		close(fd);
		free(s);
		return -ENOMEM;
	}
	s->fd = api.info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	*out = s;
	return 0;
}

void metrics_serve_end(struct metrics_server *s)
{
	if (!s)
		return;
	api.stop(s->daemon);
	free(s);
}

int metrics_serve_fd(const struct metrics_server *s)
{
	return s ? s->fd : -1;
}

void metrics_serve_run(struct metrics_server *s)
{
	if (s)
		api.run(s->daemon);
}

int metrics_serve_due_ms(const struct metrics_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	return s && api.timeout(s->daemon, &ms) == MHD_YES ? (int)(ms < 60000 ? ms : 60000) : -1;
}

#else

int metrics_serve(struct metrics_server **out, const struct reporting *r, char *(*render)(void *arg, size_t *len), void *arg)
{
	(void)r;
	(void)render;
	(void)arg;
	*out = NULL;
	return -ENOSYS;
}

void metrics_serve_end(struct metrics_server *s)
{
	(void)s;
}

int metrics_serve_fd(const struct metrics_server *s)
{
	(void)s;
	return -1;
}

void metrics_serve_run(struct metrics_server *s)
{
	(void)s;
}

int metrics_serve_due_ms(const struct metrics_server *s)
{
	(void)s;
	return -1;
}

#endif
