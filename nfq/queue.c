/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFQUEUE by libnetfilter_queue over libmnl. Measured: the GSO flag decides bulk throughput, one send for all
 * verdicts of a batch decides the cost of a packet, and verdicts in order keep the kernel's search short. */
#include "nfq/queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The longest prefix an inspector reads, and the headers before it. */
#define COPY_BYTES (16384 + 256)
/* A message: the packet and its attributes. */
#define MESSAGE_BYTES (COPY_BYTES + 512)
/* The kernel's default holds 157 packets only. */
#define RECEIVE_BUFFER (4 << 20)
/* Room of one verdict message: header 20, verdict 12, mark 8. */
#define VERDICT_BYTES 64
/* Names of interfaces, and the numbers that stand for them lately: a dial-up link gets a new number each time. */
#define INTERFACES_MAX 64

struct queue {
	struct mnl_socket *socket;
	struct queue_config config;
	unsigned shift;
	size_t verdict_len;
	int n;
	struct queued batch[QUEUE_BATCH];
	struct mmsghdr messages[QUEUE_BATCH];
	struct iovec vectors[QUEUE_BATCH];
	char *buffers;
	int64_t now_s;
	unsigned n_names, hand;
	char names[INTERFACES_MAX][IF_NAMESIZE];
	struct { uint32_t index; const char *name; } interfaces[INTERFACES_MAX];
	char verdicts[QUEUE_BATCH * VERDICT_BYTES];
};

uint16_t queue_number(const struct queue *q)
{
	return q->config.number;
}

int queue_fd(const struct queue *q)
{
	return mnl_socket_get_fd(q->socket);
}

static struct nlmsghdr *config_message(const struct queue *q, char *buf)
{
	struct nlmsghdr *h = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, q->config.number);

	h->nlmsg_flags |= NLM_F_ACK;
	return h;
}

static int send_message(struct queue *q, const void *buf, size_t len)
{
	return mnl_socket_sendto(q->socket, buf, len) < 0 ? -errno : 0;
}

/* Bind and all parameters in one datagram, so that no packet comes before they hold. The flags are OR-ed into one
 * attribute: of several the kernel keeps the last. */
int queue_bind(struct queue *q)
{
	char buf[512];
	struct nlmsghdr *bind, *params;
	uint32_t flags = NFQA_CFG_F_GSO | (q->config.fail_open ? NFQA_CFG_F_FAIL_OPEN : 0);

	bind = config_message(q, buf);
	nfq_nlmsg_cfg_put_cmd(bind, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	params = config_message(q, buf + MNL_ALIGN(bind->nlmsg_len));
	nfq_nlmsg_cfg_put_params(params, NFQNL_COPY_PACKET, COPY_BYTES);
	nfq_nlmsg_cfg_put_qmaxlen(params, q->config.length);
	mnl_attr_put_u32(params, NFQA_CFG_FLAGS, htonl(flags));
	mnl_attr_put_u32(params, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
	return send_message(q, buf, MNL_ALIGN(bind->nlmsg_len) + params->nlmsg_len);
}

int queue_release(struct queue *q)
{
	char buf[256];
	struct nlmsghdr *h = config_message(q, buf);

	nfq_nlmsg_cfg_put_cmd(h, AF_UNSPEC, NFQNL_CFG_CMD_UNBIND);
	return send_message(q, h, h->nlmsg_len);
}

int queue_wake(struct queue *q)
{
	char buf[256];
	struct nlmsghdr *h = config_message(q, buf);

	/* Says again what holds already; only the answer matters. */
	nfq_nlmsg_cfg_put_qmaxlen(h, q->config.length);
	return send_message(q, h, h->nlmsg_len);
}

static enum packet_origin origin_of(unsigned state)
{
	return state == QUEUE_STATE_OLDER_ORIGINAL ? ORIGIN_OLDER_ORIGINAL :
	       state == QUEUE_STATE_OLDER_REPLY ? ORIGIN_OLDER_REPLY :
	       state == QUEUE_STATE_REPLY ? ORIGIN_REPLY : ORIGIN_ORIGINAL;
}

static uint32_t interface_of(const struct nlattr *attr)
{
	return attr ? ntohl(mnl_attr_get_u32(attr)) : 0;
}

/* The name of an interface, from a memory that never changes what it gave out: flows hold on to it. */
static const char *interface_name(struct queue *q, uint32_t index)
{
	char name[IF_NAMESIZE];
	unsigned i;

	for (i = 0; i < INTERFACES_MAX && q->interfaces[i].index; i++)
		if (q->interfaces[i].index == index)
			return q->interfaces[i].name;
	if (!if_indextoname(index, name))
		return NULL;
	for (i = 0; i < q->n_names && strcmp(q->names[i], name); i++)
		;
	if (i == INTERFACES_MAX)
		return NULL;
	if (i == q->n_names)
		strcpy(q->names[q->n_names++], name);
	q->interfaces[q->hand].index = index;
	q->interfaces[q->hand].name = q->names[i];
	q->hand = (q->hand + 1) % INTERFACES_MAX;
	return q->names[i];
}

/* One NFQNL_MSG_PACKET. False: it has no header, so there is nothing to give a verdict to. */
static bool read_packet(struct queue *q, const struct nlmsghdr *h, struct queued *out)
{
	struct nlattr *attr[NFQA_MAX + 1] = { NULL };
	const struct nfqnl_msg_packet_hdr *header;
	const struct nfqnl_msg_packet_hw *hw;
	uint32_t info = 0, mark = 0;

	if (nfq_nlmsg_parse(h, attr) < 0 || !attr[NFQA_PACKET_HDR])
		return false;
	header = mnl_attr_get_payload(attr[NFQA_PACKET_HDR]);
	if (attr[NFQA_SKB_INFO])
		info = ntohl(mnl_attr_get_u32(attr[NFQA_SKB_INFO]));
	if (attr[NFQA_MARK])
		mark = ntohl(mnl_attr_get_u32(attr[NFQA_MARK]));
	out->id = ntohl(header->packet_id);
	out->mark = mark & ~q->config.mark_mask;
	out->output = header->hook == NF_INET_LOCAL_OUT;
	out->interface = interface_of(attr[out->output ? NFQA_IFINDEX_OUTDEV : NFQA_IFINDEX_INDEV]);
	out->parsed = attr[NFQA_PAYLOAD] &&
		      packet_parse(mnl_attr_get_payload(attr[NFQA_PAYLOAD]), mnl_attr_get_payload_len(attr[NFQA_PAYLOAD]),
				   (info & NFQA_SKB_CSUM_NOTVERIFIED) && !(info & (NFQA_SKB_CSUMNOTREADY | NFQA_SKB_GSO)),
				   &out->packet) == PACKET_OK;
	out->packet.origin = origin_of((mark & q->config.mark_mask) >> q->shift);
	out->packet.pending = (mark & q->config.mark_mask) >> q->shift == QUEUE_STATE_PENDING;
	out->packet.mac_known = false;
	out->packet.interface = attr[NFQA_IFINDEX_INDEV] ? interface_name(q, ntohl(mnl_attr_get_u32(attr[NFQA_IFINDEX_INDEV]))) : NULL;
	out->packet.when_s = q->now_s;
	if (attr[NFQA_HWADDR]) {
		hw = mnl_attr_get_payload(attr[NFQA_HWADDR]);
		if (ntohs(hw->hw_addrlen) == sizeof(out->packet.mac)) {
			memcpy(out->packet.mac, hw->hw_addr, sizeof(out->packet.mac));
			out->packet.mac_known = true;
		}
	}
	return true;
}

/* A refusal of what we configured comes back as an error message; one for a verdict means that the packet is gone. */
static int read_error(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*e) || e->msg.nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG))
		return 0;
	return e->error;
}

static int read_datagram(struct queue *q, const char *buf, int len)
{
	const struct nlmsghdr *h = (const void *)buf;
	int err = 0;

	for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
		if (h->nlmsg_type == NLMSG_ERROR)
			err = read_error(h) ? read_error(h) : err;
		else if (h->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) && q->n < QUEUE_BATCH)
			q->n += read_packet(q, h, &q->batch[q->n]);
	}
	return err;
}

int queue_receive(struct queue *q, const struct queued **batch)
{
	struct timespec now;
	int n = recvmmsg(mnl_socket_get_fd(q->socket), q->messages, QUEUE_BATCH, MSG_WAITFORONE, NULL), err = 0;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	q->now_s = now.tv_sec;
	q->n = 0;
	for (int i = 0; i < n; i++) {
		int e = read_datagram(q, q->vectors[i].iov_base, (int)q->messages[i].msg_len);

		err = e ? e : err;
	}
	*batch = q->batch;
	/* Packets that came along must get their verdicts first; a refusal repeats itself on the next bind. */
	return q->n ? q->n : err;
}

static void put_verdict(struct queue *q, const struct queued *packet, int verdict, unsigned state)
{
	struct nlmsghdr *h = nfq_nlmsg_put(q->verdicts + q->verdict_len, NFQNL_MSG_VERDICT, q->config.number);

	nfq_nlmsg_verdict_put(h, (int)packet->id, verdict);
	if (state)
		nfq_nlmsg_verdict_put_mark(h, packet->mark | state << q->shift);
	q->verdict_len += MNL_ALIGN(h->nlmsg_len);
}

void queue_accept(struct queue *q, const struct queued *packet, unsigned state)
{
	put_verdict(q, packet, NF_ACCEPT, state);
}

void queue_drop(struct queue *q, const struct queued *packet)
{
	put_verdict(q, packet, NF_DROP, 0);
}

int queue_flush(struct queue *q)
{
	size_t len = q->verdict_len;

	q->verdict_len = 0;
	return len ? send_message(q, q->verdicts, len) : 0;
}

/* Reads the answers to queue_bind, which are there as soon as it returns. A packet that is there already (the table of
 * a daemon that died asks for a reader) passes. */
static int await_bind(struct queue *q)
{
	const struct queued *batch = NULL;
	int n = queue_receive(q, &batch);

	if (n < 0)
		return n == -EPERM ? -EBUSY : n;
	for (int i = 0; batch && i < n; i++)
		queue_accept(q, &batch[i], 0);
	return queue_flush(q);
}

int queue_open(struct queue **out, const struct queue_config *config)
{
	struct queue *q = calloc(1, sizeof(*q));
	int err = -ENOMEM, size = RECEIVE_BUFFER;
	struct timeval patience = { .tv_sec = 2 }, none = { 0 };

	if (!q)
		return err;
	q->config = *config;
	q->shift = (unsigned)ffs((int)config->mark_mask) - 1;
	q->buffers = malloc((size_t)QUEUE_BATCH * MESSAGE_BYTES);
	if (!q->buffers)
		goto out;
	for (int i = 0; i < QUEUE_BATCH; i++) {
		q->vectors[i] = (struct iovec){ q->buffers + (size_t)i * MESSAGE_BYTES, MESSAGE_BYTES };
		q->messages[i].msg_hdr.msg_iov = &q->vectors[i];
		q->messages[i].msg_hdr.msg_iovlen = 1;
	}
	q->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!q->socket || mnl_socket_bind(q->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(q->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    setsockopt(mnl_socket_get_fd(q->socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0) {
		err = -errno;
		goto out;
	}
	err = queue_bind(q);
	if (!err)
		err = await_bind(q);
	if (!err && setsockopt(mnl_socket_get_fd(q->socket), SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)) < 0)
		err = -errno;
out:
	if (err) {
		queue_close(q);
		q = NULL;
	}
	*out = q;
	return err;
}

void queue_close(struct queue *q)
{
	if (!q)
		return;
	if (q->socket)
		mnl_socket_close(q->socket);
	free(q->buffers);
	free(q);
}

int queue_losses_open(void)
{
	int fd = open("/proc/net/netfilter/nfnetlink_queue", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Columns (nfnetlink_queue.c, seq_show): number, port, waiting, copy mode, copy range, full, unread, last id, 1. */
int queue_losses_read(int fd, uint16_t number, struct queue_losses *out)
{
	char text[8192], *line, *save = NULL;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	unsigned found;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%u %" SCNu32 " %" SCNu32 " %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64, &found, &out->owner,
			   &out->waiting, &out->full, &out->unread, &out->packets) == 6 && found == number)
			return 0;
	return -ENOENT;
}
