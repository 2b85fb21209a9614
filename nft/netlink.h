/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One netlink socket of this folder: batches that the kernel takes whole or not at all, and dumps.
 * Not thread-safe (the table holds a mutex); no call waits longer than NETLINK_WAIT_S. */
#ifndef MINEWALL_NETLINK_H
#define MINEWALL_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/netlink.h>

struct mnl_socket;

struct netlink {
	struct mnl_socket *socket;
	uint32_t portid, seq;
	size_t sndbuf;
	char *buf;	/* NETLINK_BUF bytes: replies */
	char *spare;	/* the last batch's buffer: most batches are one small change, and mapping memory costs more */
	size_t spare_cap;
};

/* A netlink reply is at most 32 KiB; room for twice that. */
#define NETLINK_BUF 65536
#define NETLINK_WAIT_S 5

/* `bus`: NETLINK_NETFILTER or NETLINK_ROUTE. 0 or -errno; then nothing is to be closed. */
int netlink_open(struct netlink *n, int bus);
void netlink_close(struct netlink *n);

/* Goes on by a socket that another process has opened and left to us; ours is closed. 0 or -errno, and nothing has changed. */
int netlink_adopt(struct netlink *n, int fd);
int netlink_fd(const struct netlink *n);

/* Messages between BATCH_BEGIN and BATCH_END (linux/netfilter/nfnetlink.h). Errors stick until the batch is sent. */
struct netlink_batch {
	struct netlink *n;
	char *buf;
	size_t len, cap, last;	/* last: where the last finished message begins */
	uint32_t first_seq, last_seq;
	int error;
};

void netlink_batch_init(struct netlink_batch *b, struct netlink *n);
void netlink_batch_fini(struct netlink_batch *b);

/* A fresh nftables message of type NFT_MSG_*, with room for 64 KiB of attributes; NULL (and b->error) without memory.
 * Valid until netlink_batch_next, which makes it part of the batch. */
struct nlmsghdr *netlink_batch_put(struct netlink_batch *b, uint16_t type, uint16_t family, uint16_t flags);
void netlink_batch_next(struct netlink_batch *b, const struct nlmsghdr *h);

/* Sends the batch and returns 0 or the first error. Without `commit` the kernel checks every message and takes nothing;
 * `errors`, if not NULL, holds one place a message and gets each one's -errno. */
int netlink_batch_send(struct netlink_batch *b, bool commit, int *errors, size_t n_errors);

/* Sends `request` (its sequence number and flags are set here) as a dump and calls `each` for every answer; -EINTR when
 * the kernel's data changed meanwhile: forget what was seen and ask again. A non-zero answer of `each` ends the dump with it. */
typedef int netlink_each(const struct nlmsghdr *h, void *arg);
int netlink_dump(struct netlink *n, struct nlmsghdr *request, netlink_each *each, void *arg);

/* Sends one question, and calls `each` for its one answer: what `each` returns, or -errno. */
int netlink_ask(struct netlink *n, struct nlmsghdr *request, netlink_each *each, void *arg);

/* Sends one request that is acknowledged: 0 or -errno. */
int netlink_request(struct netlink *n, struct nlmsghdr *request);

#endif
