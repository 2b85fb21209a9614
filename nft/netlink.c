// SPDX-License-Identifier: GPL-2.0-or-later
/* Sends batches and dumps over one netlink socket and waits for their answers by sequence number. Knows nothing of
 * what the messages mean. */
#include "nft/netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>

/* One message: a nested attribute's length has 16 bits, and its neighbours need a little more. */
#define MESSAGE_ROOM (65536 + 4096)
#define SNDBUF_START (1u << 20)
/* A bigger batch's memory is given back. */
#define SPARE_MAX (1u << 20)

int netlink_fd(const struct netlink *n)
{
	return mnl_socket_get_fd(n->socket);
}

void netlink_close(struct netlink *n)
{
	if (n->socket)
		mnl_socket_close(n->socket);
	free(n->buf);
	free(n->spare);
	memset(n, 0, sizeof(*n));
}

static void grow_sndbuf(struct netlink *n, size_t size)
{
	int want = (int)size;

	if (size <= n->sndbuf || size > INT32_MAX / 2)
		return;
	if (setsockopt(netlink_fd(n), SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
		setsockopt(netlink_fd(n), SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	n->sndbuf = size;
}

int netlink_open(struct netlink *n, int bus)
{
	struct timeval wait = { .tv_sec = NETLINK_WAIT_S };
	int one = 1, rc;

	memset(n, 0, sizeof(*n));
	n->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!n->socket)
		return -errno;
	n->buf = malloc(NETLINK_BUF);
	if (!n->buf) {
		netlink_close(n);
		return -ENOMEM;
	}
	if (mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(netlink_fd(n), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    setsockopt(netlink_fd(n), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0) {
		rc = -errno;
		netlink_close(n);
		return rc;
	}
	/* an error's reply would repeat the whole message otherwise, 64 KiB of elements */
	setsockopt(netlink_fd(n), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	n->portid = mnl_socket_get_portid(n->socket);
	grow_sndbuf(n, SNDBUF_START);
	return 0;
}

int netlink_adopt(struct netlink *n, int fd)
{
	struct mnl_socket *socket = mnl_socket_fdopen(fd);

	if (!socket)
		return -errno;
	mnl_socket_close(n->socket);
	n->socket = socket;
	n->portid = mnl_socket_get_portid(socket);
	return 0;
}

void netlink_batch_init(struct netlink_batch *b, struct netlink *n)
{
	memset(b, 0, sizeof(*b));
	b->n = n;
	b->buf = n->spare;
	b->cap = n->spare_cap;
	n->spare = NULL;
	if (!b->buf) {
		b->cap = 4 * MESSAGE_ROOM;
		b->buf = calloc(1, b->cap);
	}
	if (!b->buf) {
		b->error = -ENOMEM;
		return;
	}
	b->first_seq = b->last_seq = ++n->seq;
	b->len = nftnl_batch_begin(b->buf, b->first_seq)->nlmsg_len;
}

void netlink_batch_fini(struct netlink_batch *b)
{
	if (b->buf && b->cap <= SPARE_MAX && !b->n->spare) {
		b->n->spare = b->buf;
		b->n->spare_cap = b->cap;
	} else {
		free(b->buf);
	}
	b->buf = NULL;
}

struct nlmsghdr *netlink_batch_put(struct netlink_batch *b, uint16_t type, uint16_t family, uint16_t flags)
{
	if (b->error)
		return NULL;
	if (b->cap - b->len < 2 * MESSAGE_ROOM) {
		size_t cap = b->cap * 2;
		char *buf = realloc(b->buf, cap);

		if (!buf) {
			b->error = -ENOMEM;
			return NULL;
		}
		b->buf = buf;
		b->cap = cap;
	}
	b->last_seq = ++b->n->seq;
	return nftnl_nlmsg_build_hdr(b->buf + b->len, type, family, flags, b->last_seq);
}

void netlink_batch_next(struct netlink_batch *b, const struct nlmsghdr *h)
{
	b->last = b->len;
	b->len += NLMSG_ALIGN(h->nlmsg_len);
}

static ssize_t receive(struct netlink *n)
{
	ssize_t len;

	do {
		len = mnl_socket_recvfrom(n->socket, n->buf, NETLINK_BUF);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return len;
}

static int error_of(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	return h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) ? -EBADMSG : e->error;
}

/* The kernel answers every message that fails and the last one, which asks for it; an error of the whole batch comes
 * with the number of its first message. Answers to older calls that gave up waiting are passed over. */
static int batch_answers(struct netlink_batch *b, int *errors, size_t n_errors)
{
	int first = 0;

	for (;;) {
		ssize_t got = receive(b->n);
		int len = (int)got;

		if (got < 0)
			return first ? first : (int)got;
		for (const struct nlmsghdr *h = (void *)b->n->buf; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
			uint32_t i = h->nlmsg_seq - b->first_seq;
			int error;

			if (h->nlmsg_type != NLMSG_ERROR || i > b->last_seq - b->first_seq)
				continue;
			error = error_of(h);
			if (!first)
				first = error;
			if (errors && i && i <= n_errors)
				errors[i - 1] = error;
			if (h->nlmsg_seq == b->last_seq || (!i && error))
				return first;
		}
	}
}

int netlink_batch_send(struct netlink_batch *b, bool commit, int *errors, size_t n_errors)
{
	if (b->error)
		return b->error;
	if (!b->last)
		return 0;
	((struct nlmsghdr *)(b->buf + b->last))->nlmsg_flags |= NLM_F_ACK;
	if (commit)	/* put always leaves room for it */
		b->len += nftnl_batch_end(b->buf + b->len, ++b->n->seq)->nlmsg_len;
	grow_sndbuf(b->n, b->len + 4096);
	if (mnl_socket_sendto(b->n->socket, b->buf, b->len) < 0)
		return -errno;
	return batch_answers(b, errors, n_errors);
}

int netlink_dump(struct netlink *n, struct nlmsghdr *request, netlink_each *each, void *arg)
{
	bool torn = false;
	int rc = 0;

	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = ++n->seq;
	if (mnl_socket_sendto(n->socket, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t got = receive(n);
		int len = (int)got;

		if (got < 0)
			return (int)got;
		for (const struct nlmsghdr *h = (void *)n->buf; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
			if (h->nlmsg_seq != request->nlmsg_seq || h->nlmsg_pid != n->portid)
				continue;
			torn |= h->nlmsg_flags & NLM_F_DUMP_INTR;
			if (h->nlmsg_type == NLMSG_ERROR)
				return error_of(h);
			if (h->nlmsg_type == NLMSG_DONE)
				return torn ? -EINTR : rc;
			if (!rc)	/* the rest is read even then: the socket must be empty for the next call */
				rc = each(h, arg);
		}
	}
}

int netlink_ask(struct netlink *n, struct nlmsghdr *request, netlink_each *each, void *arg)
{
	request->nlmsg_flags = NLM_F_REQUEST;
	request->nlmsg_seq = ++n->seq;
	if (mnl_socket_sendto(n->socket, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t got = receive(n);
		int len = (int)got;

		if (got < 0)
			return (int)got;
		for (const struct nlmsghdr *h = (void *)n->buf; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len))
			if (h->nlmsg_seq == request->nlmsg_seq)
				return h->nlmsg_type == NLMSG_ERROR ? error_of(h) : each(h, arg);
	}
}

int netlink_request(struct netlink *n, struct nlmsghdr *request)
{
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = ++n->seq;
	if (mnl_socket_sendto(n->socket, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t got = receive(n);
		int len = (int)got;

		if (got < 0)
			return (int)got;
		for (const struct nlmsghdr *h = (void *)n->buf; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len))
			if (h->nlmsg_seq == request->nlmsg_seq && h->nlmsg_type == NLMSG_ERROR)
				return error_of(h);
	}
}
