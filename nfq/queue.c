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
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "nfq/interfaces.h"

/* The longest prefix an inspector reads, and the headers before it. */
#define COPY_BYTES (16384 + 256)
/* A message: the packet and its attributes. */
#define MESSAGE_BYTES (COPY_BYTES + 512)
/* The kernel's default holds 157 packets only. */
#define RECEIVE_BUFFER (4 << 20)

/* A verdict as the kernel reads it; without a mark it ends before that. */
struct verdict {
	struct nlmsghdr header;
	struct nfgenmsg to;
	struct nlattr body_attr;
	struct nfqnl_msg_verdict_hdr body;
	struct nlattr mark_attr;
	uint32_t mark;
};

struct queue {
	struct mnl_socket *socket;
	int fd;
	struct queue_config config;
	unsigned shift;
	size_t verdict_len;
	int n;
	struct queued batch[QUEUE_BATCH];
	struct mmsghdr messages[QUEUE_BATCH];
	struct iovec vectors[QUEUE_BATCH];
	char *buffers;
	uint32_t filled[QUEUE_BATCH];	/* bytes of each buffer that were written since the last queue_wipe */
	int64_t now_s;
	uint64_t now_ms, asked_ms;
	struct verdict verdict;		/* what all have in common */
	struct interfaces interfaces;
	_Alignas(struct verdict) char verdicts[QUEUE_BATCH * sizeof(struct verdict)];
};

uint16_t queue_number(const struct queue *q)
{
	return q->config.number;
}

unsigned queue_auto(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 2 ? 1 : cpus > 16 ? 8 : (unsigned)cpus / 2;
}

int queue_fd(const struct queue *q)
{
	return q->fd;
}

static struct nlmsghdr *config_message(const struct queue *q, char *buf)
{
	struct nlmsghdr *h = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, q->config.number);

	h->nlmsg_flags |= NLM_F_ACK;
	return h;
}

static int send_message(struct queue *q, const void *buf, size_t len)
{
	return send(q->fd, buf, len, 0) < 0 ? -errno : 0;
}

/* Bind and all parameters in one datagram, so that no packet comes before they hold. The flags are OR-ed into one
 * attribute: of several the kernel keeps the last. */
int queue_bind(struct queue *q)
{
	char buf[512] = "";
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
	char buf[256] = "";
	struct nlmsghdr *h = config_message(q, buf);

	nfq_nlmsg_cfg_put_cmd(h, AF_UNSPEC, NFQNL_CFG_CMD_UNBIND);
	return send_message(q, h, h->nlmsg_len);
}

int queue_wake(struct queue *q)
{
	char buf[256] = "";
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

/* Any socket will do; if_indextoname would open one of its own each time. */
static bool ask_interface(void *arg, uint32_t index, char name[IF_NAMESIZE])
{
	struct ifreq ask = { .ifr_ifindex = (int)index };

	if (ioctl(queue_fd(arg), SIOCGIFNAME, &ask))
		return false;
	memcpy(name, ask.ifr_name, IF_NAMESIZE);
	return true;
}

bool queue_interfaces_full(const struct queue *q)
{
	return q->interfaces.full;
}

/* What a message says of its packet. */
struct fields {
	const struct nfqnl_msg_packet_hdr *header;
	const struct nfqnl_msg_packet_hw *hw;
	const uint8_t *payload;
	size_t payload_len;
	uint32_t info, mark, in, out;	/* the numbers as they are sent */
};

static void read_attribute(struct fields *f, unsigned type, const uint8_t *data, size_t len)
{
	uint32_t number = 0;

	if (len == sizeof(number))
		memcpy(&number, data, sizeof(number));
	switch (type) {
	case NFQA_PACKET_HDR:
		f->header = len >= sizeof(*f->header) ? (const void *)data : NULL;
		break;
	case NFQA_MARK:
		f->mark = number;
		break;
	case NFQA_IFINDEX_INDEV:
		f->in = number;
		break;
	case NFQA_IFINDEX_OUTDEV:
		f->out = number;
		break;
	case NFQA_HWADDR:
		f->hw = len >= sizeof(*f->hw) ? (const void *)data : NULL;
		break;
	case NFQA_SKB_INFO:
		f->info = number;
		break;
	case NFQA_PAYLOAD:
		f->payload = data;
		f->payload_len = len;
		break;
	}
}

/* By itself and not through libmnl: most packets wake us out of the cold, where each call into a library is a line of code that must
 * come from memory. Measured: 1.5 us of 11 a packet. The caller has checked nlmsg_len. */
static void read_attributes(const struct nlmsghdr *h, struct fields *f)
{
	const uint8_t *at = (const uint8_t *)h + NLMSG_LENGTH(sizeof(struct nfgenmsg)), *end = (const uint8_t *)h + h->nlmsg_len;

	memset(f, 0, sizeof(*f));
	while (end - at >= (ptrdiff_t)sizeof(struct nlattr)) {
		const struct nlattr *a = (const void *)at;

		if (a->nla_len < sizeof(*a) || a->nla_len > end - at)
			break;
		read_attribute(f, a->nla_type & NLA_TYPE_MASK, at + sizeof(*a), a->nla_len - sizeof(*a));
		at += NLA_ALIGN(a->nla_len);
	}
}

/* One NFQNL_MSG_PACKET. False: it has no header, so there is nothing to give a verdict to. */
static bool read_packet(struct queue *q, const struct nlmsghdr *h, struct queued *out)
{
	struct fields f;
	uint32_t info, mark, state;

	read_attributes(h, &f);
	if (!f.header)
		return false;
	info = ntohl(f.info);
	mark = ntohl(f.mark);
	state = (mark & q->config.mark_mask) >> q->shift;
	out->id = ntohl(f.header->packet_id);
	out->mark = mark & ~q->config.mark_mask;
	out->output = f.header->hook == NF_INET_LOCAL_OUT;
	out->interface = ntohl(out->output ? f.out : f.in);
	out->parsed = f.payload && packet_parse(f.payload, f.payload_len,
						(info & NFQA_SKB_CSUM_NOTVERIFIED) && !(info & (NFQA_SKB_CSUMNOTREADY | NFQA_SKB_GSO)),
						&out->packet) == PACKET_OK;
	out->packet.origin = origin_of(state);
	out->packet.pending = state == QUEUE_STATE_PENDING;
	out->packet.interface = f.in ? interfaces_name(&q->interfaces, ntohl(f.in), ask_interface, q) : NULL;
	out->packet.when_s = q->now_s;
	out->packet.mac_known = f.hw && ntohs(f.hw->hw_addrlen) == sizeof(out->packet.mac);
	if (out->packet.mac_known)
		memcpy(out->packet.mac, f.hw->hw_addr, sizeof(out->packet.mac));
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

static int read_datagram(struct queue *q, const char *buf, size_t len)
{
	const char *end = buf + len;
	int err = 0;

	while (end - buf >= (ptrdiff_t)NLMSG_LENGTH(sizeof(struct nfgenmsg))) {
		const struct nlmsghdr *h = (const void *)buf;

		if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)) || h->nlmsg_len > (size_t)(end - buf))
			break;
		if (h->nlmsg_type == NLMSG_ERROR)
			err = read_error(h) ? read_error(h) : err;
		else if (h->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) && q->n < QUEUE_BATCH)
			q->n += read_packet(q, h, &q->batch[q->n]);
		buf += NLMSG_ALIGN(h->nlmsg_len);
	}
	return err;
}

/* The day's time is asked for once a second; hours of rules need no more. */
static void read_clocks(struct queue *q)
{
	struct timespec t;
	uint64_t now_ms;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	now_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	if (now_ms - q->asked_ms >= 1000 || !q->asked_ms) {
		q->asked_ms = now_ms;
		clock_gettime(CLOCK_REALTIME_COARSE, &t);
		q->now_s = t.tv_sec;
	}
	q->now_ms = now_ms;
}

uint64_t queue_now_ms(const struct queue *q)
{
	return q->now_ms;
}

int queue_receive(struct queue *q, struct queued **batch)
{
	int n = recvmmsg(q->fd, q->messages, QUEUE_BATCH, MSG_WAITFORONE, NULL), err = 0;

	if (n < 0)
		err = errno == EINTR ? 0 : -errno;
	read_clocks(q);
	if (n < 0)
		return err;
	q->n = 0;
	for (int i = 0; i < n; i++) {
		int e = read_datagram(q, q->vectors[i].iov_base, q->messages[i].msg_len);

		if (q->filled[i] < q->messages[i].msg_len)
			q->filled[i] = q->messages[i].msg_len;
		err = e ? e : err;
	}
	*batch = q->batch;
	/* Packets that came along must get their verdicts first; a refusal repeats itself on the next bind. */
	return q->n ? q->n : err;
}

void queue_wipe(struct queue *q)
{
	for (int i = 0; i < QUEUE_BATCH; i++) {
		explicit_bzero(q->vectors[i].iov_base, q->filled[i] < MESSAGE_BYTES ? q->filled[i] : MESSAGE_BYTES);
		q->filled[i] = 0;
	}
	q->n = 0;
}

static void put_verdict(struct queue *q, const struct queued *packet, unsigned verdict, unsigned state)
{
	struct verdict *v = (void *)(q->verdicts + q->verdict_len);

	*v = q->verdict;
	v->body.id = htonl(packet->id);
	v->body.verdict = htonl(verdict);
	v->mark = htonl(packet->mark | state << q->shift);
	v->header.nlmsg_len = state ? sizeof(*v) : offsetof(struct verdict, mark_attr);
	q->verdict_len += v->header.nlmsg_len;
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
	struct queued *batch = NULL;
	int n = queue_receive(q, &batch);

	if (n < 0)
		return n == -EPERM ? -EBUSY : n;
	for (int i = 0; batch && i < n; i++)
		queue_accept(q, &batch[i], 0);
	return queue_flush(q);
}

static void prepare_verdict(struct queue *q)
{
	q->verdict = (struct verdict){
		.header = { .nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT, .nlmsg_flags = NLM_F_REQUEST },
		.to = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(q->config.number) },
		.body_attr = { .nla_len = NLA_HDRLEN + sizeof(q->verdict.body), .nla_type = NFQA_VERDICT_HDR },
		.mark_attr = { .nla_len = NLA_HDRLEN + sizeof(q->verdict.mark), .nla_type = NFQA_MARK },
	};
}

static struct queue *queue_new(const struct queue_config *config)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->config = *config;
	q->shift = (unsigned)ffs((int)config->mark_mask) - 1;
	prepare_verdict(q);
	q->buffers = malloc((size_t)QUEUE_BATCH * MESSAGE_BYTES);
	if (!q->buffers) {
		free(q);
		return NULL;
	}
	for (int i = 0; i < QUEUE_BATCH; i++) {
		q->vectors[i] = (struct iovec){ q->buffers + (size_t)i * MESSAGE_BYTES, MESSAGE_BYTES };
		q->messages[i].msg_hdr.msg_iov = &q->vectors[i];
		q->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return q;
}

int queue_adopt(struct queue **out, const struct queue_config *config, int fd)
{
	struct queue *q = queue_new(config);
	int err;

	*out = NULL;
	if (!q)
		return -ENOMEM;
	q->socket = mnl_socket_fdopen(fd);
	if (!q->socket) {
		err = -errno;
		queue_close(q);
		return err;
	}
	q->fd = fd;
	*out = q;
	return 0;
}

int queue_open(struct queue **out, const struct queue_config *config)
{
	struct queue *q = queue_new(config);
	int err = -ENOMEM, size = RECEIVE_BUFFER;
	struct timeval patience = { .tv_sec = 2 }, none = { 0 };

	*out = NULL;
	if (!q)
		return err;
	q->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!q->socket || mnl_socket_bind(q->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		goto out;
	}
	q->fd = mnl_socket_get_fd(q->socket);
	if (setsockopt(q->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    setsockopt(q->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0) {
		err = -errno;
		goto out;
	}
	err = queue_bind(q);
	if (!err)
		err = await_bind(q);
	if (!err && setsockopt(q->fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)) < 0)
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
