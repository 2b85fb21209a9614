/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The load of the bench: many short connections, one long one, or blocked ones, each for a bounded time, and the server for all.
 * Prints one JSON object; it measures what a client feels and knows nothing of the gateway between.
 *
 *   load server PORT
 *   load connections ADDRESS PORT NAME SECONDS CLIENTS tls|http
 *   load bulk        ADDRESS PORT NAME SECONDS
 *   load blocked     ADDRESS PORT NAME COUNT tls|stratum      a connection to ADDRESS, one to the next address ...
 *   load first       ADDRESS PORT NAME SECONDS                until the first connection is reset */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/hello.h"

/* Each connection goes to another of these addresses, so that no port is used twice between the same two within a run. */
#define SPREAD 4096
#define CLIENTS_MAX 256
#define SAMPLES_MAX 4000000u
#define CHUNK (256 << 10)
/* Longer than this after the end, a connection counts as failed. */
#define LINGER_NS UINT64_C(2000000000)

struct end {
	struct sockaddr_storage base;
	socklen_t len;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct end end_of(const char *address, const char *port)
{
	struct end e = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *four = (struct sockaddr_in *)&e.base;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&e.base;

	if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)atoi(port));
		return e;
	}
	if (inet_pton(AF_INET6, address, &six->sin6_addr) != 1) {
		fprintf(stderr, "load: no address: %s\n", address);
		exit(2);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)atoi(port));
	e.len = sizeof(*six);
	return e;
}

/* The address `i` behind the first one. */
static struct end end_at(struct end e, uint32_t i)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&e.base;
	uint8_t *low = ((struct sockaddr_in6 *)&e.base)->sin6_addr.s6_addr + 12;

	if (e.base.ss_family == AF_INET) {
		four->sin_addr.s_addr = htonl(ntohl(four->sin_addr.s_addr) + i);
		return e;
	}
	i += (uint32_t)low[0] << 24 | (uint32_t)low[1] << 16 | (uint32_t)low[2] << 8 | low[3];
	for (int k = 0; k < 4; k++)
		low[k] = (uint8_t)(i >> (24 - 8 * k));
	return e;
}

static size_t request(char *to, size_t size, const char *kind, const char *name, unsigned seed)
{
	static const char login[] = "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"48edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWz"
				    "Gzki52XPs6PVFjgPVdvtr9vyG5hDPAdFmGZqQmNNKPqsMVwDkNoJUrLrh\",\"pass\":\"x\",\"agent\":\"XMRig/6.21.0\"}}\n";

	if (!strcmp(kind, "http"))
		return (size_t)snprintf(to, size, "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: load/1.0\r\nAccept: */*\r\n\r\n", name);
	if (!strcmp(kind, "stratum"))
		return (size_t)snprintf(to, size, "%s", login);
	return hello_make((uint8_t *)to, name, 32, 517, seed);
}

/* The server: anything is answered once, the rest is read and thrown away. */
static bool answered[1 << 16];

static void serve_one(int fd, uint32_t events)
{
	static char bytes[CHUNK], page[1400] = "HTTP/1.1 200 OK\r\nContent-Length: 1359\r\n\r\n";
	static char hello[1400] = "\x16\x03\x03\x05\x73\x02\0\x05\x6f\x03\x03";
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN && !(events & (EPOLLERR | EPOLLHUP)))
		return;
	if (n > 0 && answered[fd])
		return;
	if (n <= 0) {
		close(fd);
		return;
	}
	answered[fd] = true;
	if (send(fd, bytes[0] == 'G' ? page : hello, sizeof(page), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		close(fd);
}

static int serve(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)) };
	int one = 1, zero = 0, listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), set = epoll_create1(0);
	struct epoll_event ready[256], e = { .events = EPOLLIN, .data.fd = listener };
	int n;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 8192) ||
	    epoll_ctl(set, EPOLL_CTL_ADD, listener, &e))
		die("load server");
	while ((n = epoll_wait(set, ready, 256, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;

			if (fd != listener) {
				serve_one(fd, ready[i].events);
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
				if (fd >= (int)(sizeof(answered) / sizeof(answered[0]))) {
					close(fd);
					continue;
				}
				answered[fd] = false;
				e.data.fd = fd;
				epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
			}
		}
	}
	return 1;
}

/* A connection that ends with a reset of ours, so that its port is free at once. */
static int open_to(const struct end *e, int flags)
{
	struct linger now = { 1, 0 };
	int one = 1, fd = socket(e->base.ss_family, SOCK_STREAM | flags, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&e->base, e->len) && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double quantile(const uint32_t *sorted, size_t n, double q)
{
	return n ? sorted[(size_t)((double)(n - 1) * q)] / 10.0 : 0;
}

struct client {
	int fd;
	uint64_t begin_ns;
	bool sent;
};

struct run {
	struct end to;
	int set;
	uint32_t used;
	unsigned live;
	struct client clients[CLIENTS_MAX];
	const char *kind, *name;
	char request[2048];
	uint64_t failed;
	uint32_t *tenths;	/* of a microsecond, from connect to the first byte of the answer */
	size_t n;
};

static void begin(struct run *r, unsigned i)
{
	struct client *c = &r->clients[i];
	struct end to = end_at(r->to, r->used++ % SPREAD);
	struct epoll_event e = { .events = EPOLLOUT, .data.u32 = i };

	c->begin_ns = now_ns();
	c->sent = false;
	c->fd = open_to(&to, SOCK_NONBLOCK);
	if (c->fd < 0) {
		r->failed++;
		return;
	}
	r->live++;
	epoll_ctl(r->set, EPOLL_CTL_ADD, c->fd, &e);
}

static void finish(struct run *r, struct client *c, bool good)
{
	if (good && r->n < SAMPLES_MAX)
		r->tenths[r->n++] = (uint32_t)((now_ns() - c->begin_ns) / 100);
	r->failed += !good;
	close(c->fd);
	c->fd = -1;
	r->live--;
}

/* Each ClientHello has random bytes of its own. */
static bool say(struct run *r, struct client *c)
{
	size_t n = request(r->request, sizeof(r->request), r->kind, r->name, r->used * CLIENTS_MAX + (unsigned)(c - r->clients));

	return send(c->fd, r->request, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void go_on(struct run *r, unsigned i, uint32_t events)
{
	struct client *c = &r->clients[i];
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };
	char answer[2048];

	if (c->fd < 0)
		return;
	if (events & (EPOLLERR | EPOLLHUP))
		finish(r, c, false);
	else if (c->sent)
		finish(r, c, recv(c->fd, answer, sizeof(answer), 0) > 0);
	else if (!say(r, c))
		finish(r, c, false);
	else if (!epoll_ctl(r->set, EPOLL_CTL_MOD, c->fd, &e))
		c->sent = true;
}

static int connections(char **v)
{
	static struct run r;
	double seconds = atof(v[3]);
	unsigned clients = (unsigned)atoi(v[4]);
	uint64_t start, end, now;
	struct epoll_event ready[CLIENTS_MAX];

	r.to = end_of(v[0], v[1]);
	r.set = epoll_create1(0);
	r.kind = v[5];
	r.name = v[2];
	r.tenths = malloc(SAMPLES_MAX * sizeof(*r.tenths));
	if (!r.tenths || clients < 1 || clients > CLIENTS_MAX)
		return 2;
	for (unsigned i = 0; i < clients; i++)
		r.clients[i].fd = -1;
	r.used = (uint32_t)getpid() * 7;
	start = now = now_ns();
	end = start + (uint64_t)(seconds * 1e9);
	while (now < end || (r.live && now < end + LINGER_NS)) {
		int n;

		for (unsigned i = 0; now < end && i < clients; i++)
			if (r.clients[i].fd < 0)
				begin(&r, i);
		n = epoll_wait(r.set, ready, CLIENTS_MAX, 20);
		for (int i = 0; i < n; i++)
			go_on(&r, ready[i].data.u32, ready[i].events);
		now = now_ns();
	}
	seconds = (double)(now - start) / 1e9;
	r.failed += r.live;
	qsort(r.tenths, r.n, sizeof(*r.tenths), by_value);
	printf("{\"connections\": %zu, \"failed\": %" PRIu64 ", \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", r.n, r.failed,
	       seconds, quantile(r.tenths, r.n, 0.5), quantile(r.tenths, r.n, 0.99));
	return 0;
}

/* One connection that is judged by its ClientHello, is answered, and then sends as much as goes through. */
static int bulk(char **v)
{
	static char bytes[CHUNK];
	struct end to = end_at(end_of(v[0], v[1]), (uint32_t)getpid() % SPREAD);
	struct timeval patience = { .tv_sec = 5 };
	size_t n = request(bytes, sizeof(bytes), "tls", v[2], (unsigned)getpid());
	int fd = open_to(&to, 0);
	uint64_t start, end, sent = 0;

	if (fd < 0)
		die("connect");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n || recv(fd, bytes, sizeof(bytes), 0) <= 0)
		die("answer");
	start = now_ns();
	end = start + (uint64_t)(atof(v[3]) * 1e9);
	while (now_ns() < end) {
		ssize_t k = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);

		if (k < 0)
			die("send");
		sent += (uint64_t)k;
	}
	/* The server ends when it has read everything. */
	shutdown(fd, SHUT_WR);
	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
	printf("{\"bytes\": %" PRIu64 ", \"gbit_s\": %.4f}\n", sent, (double)sent * 8 / (double)(now_ns() - start));
	return 0;
}

/* Connects, sends the request and waits. True: it was reset; `*ns` is how long that took from the request on. */
static bool is_reset(const struct end *to, const char *bytes, size_t n, uint64_t *ns)
{
	struct timeval patience = { .tv_usec = 300000 };
	int fd = open_to(to, 0);
	char answer[2048];
	uint64_t begin_ns;
	bool reset;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	begin_ns = now_ns();
	reset = (send(fd, bytes, n, MSG_NOSIGNAL) < 0 || recv(fd, answer, sizeof(answer), 0) < 0) && errno == ECONNRESET;
	*ns = now_ns() - begin_ns;
	close(fd);
	return reset;
}

static int blocked(char **v)
{
	struct end first = end_of(v[0], v[1]);
	size_t count = (size_t)atol(v[3]), n = 0;
	uint32_t *tenths = calloc(count ? count : 1, sizeof(*tenths));
	char bytes[2048];
	size_t len = request(bytes, sizeof(bytes), v[4], v[2], (unsigned)getpid());

	for (uint32_t i = 0; tenths && i < count; i++) {
		struct end to = end_at(first, i);
		uint64_t ns;

		if (is_reset(&to, bytes, len, &ns))
			tenths[n++] = (uint32_t)(ns / 100);
	}
	qsort(tenths, n, sizeof(*tenths), by_value);
	printf("{\"reset\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", n, quantile(tenths, n, 0.5), quantile(tenths, n, 0.99));
	free(tenths);
	return 0;
}

static int first(char **v)
{
	struct end base = end_of(v[0], v[1]);
	uint64_t end = now_ns() + (uint64_t)(atof(v[3]) * 1e9), ns;
	struct timespec pause = { .tv_nsec = 300000 };
	char bytes[2048];
	size_t len = request(bytes, sizeof(bytes), "tls", v[2], (unsigned)getpid());

	for (uint32_t i = 0; now_ns() < end; i++) {
		struct end to = end_at(base, i % SPREAD);

		if (is_reset(&to, bytes, len, &ns)) {
			printf("{\"reset_at_ns\": %" PRIu64 "}\n", now_ns());
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	printf("{\"reset_at_ns\": null}\n");
	return 0;
}

int main(int n, char **v)
{
	signal(SIGPIPE, SIG_IGN);
	if (n == 3 && !strcmp(v[1], "server"))
		return serve(v[2]);
	if (n == 8 && !strcmp(v[1], "connections"))
		return connections(v + 2);
	if (n == 6 && !strcmp(v[1], "bulk"))
		return bulk(v + 2);
	if (n == 7 && !strcmp(v[1], "blocked"))
		return blocked(v + 2);
	if (n == 6 && !strcmp(v[1], "first"))
		return first(v + 2);
	fprintf(stderr, "usage: load server|connections|bulk|blocked|first ...\n");
	return 2;
}
