/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One NFQUEUE: many packets a read, many verdicts a send, in order. It must never hold a packet back and
 * never judges; every packet of a batch gets exactly one verdict. */
#ifndef MINEWALL_QUEUE_H
#define MINEWALL_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "nfq/packet.h"

struct queue;

/* What our rules put into the mark bits of a packet of an older flow or of a DNS answer, so that the reader knows its direction:
 * nft/table.h has the same values, and daemon/ sees to it that they agree. */
#define QUEUE_STATE_OLDER_ORIGINAL 5u
#define QUEUE_STATE_OLDER_REPLY 6u
#define QUEUE_STATE_REPLY 7u
/* The same of a flow that was judged clean and whose server has not answered. */
#define QUEUE_STATE_PENDING 2u

struct queue_config {
	uint16_t number;
	uint32_t length;	/* packets the kernel holds for us */
	bool fail_open;		/* a full queue lets packets pass */
	uint32_t mark_mask;	/* our bits of the packet mark */
};

/* Most packets one receive gives. */
#define QUEUE_BATCH 32

struct queued {
	uint32_t id;
	uint32_t mark;		/* packet mark without our bits */
	bool output;		/* sent by this host itself (hook output) */
	uint32_t interface;	/* through which it came, or goes if this host sent it; 0: not known */
	bool parsed;		/* false: not TCP or UDP, or broken: accept it */
	struct packet packet;	/* payload is valid until the next receive */
};

/* Binds the queue. -EBUSY: another program has it; -EPERM; -EOPNOTSUPP: no NFQUEUE in this kernel. */
int queue_open(struct queue **q, const struct queue_config *config);
void queue_close(struct queue *q);

/* The same by the socket of a queue that another process has bound like this, and reads no more: what waits in it is not lost. */
int queue_adopt(struct queue **q, const struct queue_config *config, int fd);

/* How many queues are read where the policy leaves it open: one for two processors, as bringing packets to a queue takes the kernel as long
 * as its reader. Two readers on two processors were 6 % more CPU time a connection than one, and 8 % fewer connections. At most 8. */
unsigned queue_auto(void);

/* Waits for packets. Number of packets in `*batch` (0: only a wake-up or a notice), -ENOBUFS: the kernel lost
 * packets for us (read queue_losses), other negative errno: the socket is of no use any more. */
int queue_receive(struct queue *q, struct queued **batch);

/* Overwrites all packets that were received since the last time, those of the last batch, too. */
void queue_wipe(struct queue *q);

/* Did a packet come in by an interface whose name found no room? Then rules that name interfaces do not see it. */
bool queue_interfaces_full(const struct queue *q);

/* Milliseconds of CLOCK_MONOTONIC_COARSE when the last receive came back. */
uint64_t queue_now_ms(const struct queue *q);

/* Appends a verdict; queue_flush sends all of them in one go. `state`: our value for the mark bits, 0 = leave the mark. */
void queue_accept(struct queue *q, const struct queued *packet, unsigned state);
void queue_drop(struct queue *q, const struct queued *packet);
int queue_flush(struct queue *q);

/* Lets go of the queue and takes it again, by the same socket: usable from another process that inherited it. Do not
 * wait for an answer; the reader wakes up by it. Packets held are dropped by the kernel, `bypass` takes the next ones. */
int queue_release(struct queue *q);
int queue_bind(struct queue *q);

/* Wakes a waiting queue_receive, from any thread. */
int queue_wake(struct queue *q);

uint16_t queue_number(const struct queue *q);

/* The netlink socket: readable while packets wait to be received. */
int queue_fd(const struct queue *q);

/* A queue's line of /proc/net/netfilter/nfnetlink_queue. */
struct queue_losses {
	uint32_t waiting;	/* packets held now */
	uint64_t full;		/* dropped, or let through when failing open: queue full */
	uint64_t unread;	/* the same: the socket's buffer was full */
	uint64_t packets;	/* id of the last packet: how many there were since the bind */
	uint32_t owner;		/* netlink port of the reader */
};

/* Opens that file (before privileges go), and reads it: 0, -ENOENT (nobody has this queue), -errno. */
int queue_losses_open(void);
int queue_losses_read(int fd, uint16_t number, struct queue_losses *out);

#endif
