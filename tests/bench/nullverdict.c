/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The floor of what any program on a queue costs: reads many packets at a time, looks at nothing and lets every one pass with the
 * given mark, all verdicts of a batch in one send. Says at its end what that took. usage: nullverdict FIRST-QUEUE QUEUES MARK */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define BATCH 32
#define COPY_BYTES 1500
#define MESSAGE_BYTES 2048
#define QUEUES_MAX 64
/* Header, verdict and mark, as the kernel reads them. */
#define VERDICT_BYTES 40

static atomic_bool stop;
static uint32_t mark;

struct reader {
	pthread_t thread;
	struct mnl_socket *socket;
	uint16_t queue;
	uint64_t packets, receives;
	char buffers[BATCH][MESSAGE_BYTES], verdicts[BATCH * VERDICT_BYTES];
};

static struct nlmsghdr *message(void *buf, const struct reader *r, unsigned type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type);
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->version = NFNETLINK_V0;
	g->res_id = htons(r->queue);
	return h;
}

static void talk(struct reader *r, struct nlmsghdr *h)
{
	char answer[8192];
	ssize_t n = mnl_socket_sendto(r->socket, h, h->nlmsg_len);

	if (n >= 0)
		n = mnl_socket_recvfrom(r->socket, answer, sizeof(answer));
	if (n < 0 || mnl_cb_run(answer, (size_t)n, 0, 0, NULL, NULL) < 0) {
		perror("nullverdict");
		exit(1);
	}
}

static void bind_queue(struct reader *r)
{
	struct nfqnl_msg_config_cmd bind = { .command = NFQNL_CFG_CMD_BIND };
	struct nfqnl_msg_config_params params = { .copy_range = htonl(COPY_BYTES), .copy_mode = NFQNL_COPY_PACKET };
	uint32_t flags = htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN);
	struct timeval patience = { .tv_usec = 200000 };
	int room = 4 << 20;
	char buf[512];
	struct nlmsghdr *h;

	r->socket = mnl_socket_open(NETLINK_NETFILTER);
	if (!r->socket || mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		perror("nullverdict");
		exit(1);
	}
	h = message(buf, r, NFQNL_MSG_CONFIG, NLM_F_ACK);
	mnl_attr_put(h, NFQA_CFG_CMD, sizeof(bind), &bind);
	talk(r, h);
	h = message(buf, r, NFQNL_MSG_CONFIG, NLM_F_ACK);
	mnl_attr_put(h, NFQA_CFG_PARAMS, sizeof(params), &params);
	mnl_attr_put_u32(h, NFQA_CFG_FLAGS, flags);
	mnl_attr_put_u32(h, NFQA_CFG_MASK, flags);
	mnl_attr_put_u32(h, NFQA_CFG_QUEUE_MAXLEN, htonl(4096));
	talk(r, h);
	setsockopt(mnl_socket_get_fd(r->socket), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(mnl_socket_get_fd(r->socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* The verdict's message is always the same; only the packet's id differs. */
static void prepare(struct reader *r)
{
	struct nfqnl_msg_verdict_hdr accept = { .verdict = htonl(NF_ACCEPT) };

	for (int i = 0; i < BATCH; i++) {
		struct nlmsghdr *h = message(r->verdicts + i * VERDICT_BYTES, r, NFQNL_MSG_VERDICT, 0);

		mnl_attr_put(h, NFQA_VERDICT_HDR, sizeof(accept), &accept);
		mnl_attr_put_u32(h, NFQA_MARK, htonl(mark));
	}
}

/* The packet's number as it stands in the message; 0: the message brings none. */
static uint32_t packet_id(const struct nlmsghdr *h)
{
	struct nlattr *a;

	if (h->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
		return 0;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == NFQA_PACKET_HDR)
			return ((struct nfqnl_msg_packet_hdr *)mnl_attr_get_payload(a))->packet_id;
	return 0;
}

static void *read_queue(void *arg)
{
	struct reader *r = arg;
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec vectors[BATCH];
	int fd = mnl_socket_get_fd(r->socket);

	prepare(r);
	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){ r->buffers[i], MESSAGE_BYTES };
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		size_t len = 0;

		r->receives += n > 0;
		for (int i = 0; i < n; i++) {
			uint32_t id = packet_id((struct nlmsghdr *)r->buffers[i]);

			if (!id)
				continue;
			/* behind the message's header and the attribute's: the verdict, then the number */
			memcpy(r->verdicts + len + 28, &id, sizeof(id));
			len += VERDICT_BYTES;
			r->packets++;
		}
		if (len && send(fd, r->verdicts, len, 0) < 0)
			perror("nullverdict");
	}
	return NULL;
}

static void on_signal(int number)
{
	(void)number;
	atomic_store(&stop, true);
}

int main(int n, char **v)
{
	static struct reader readers[QUEUES_MAX];
	unsigned count = n == 4 ? (unsigned)atoi(v[2]) : 0;
	uint64_t packets = 0, receives = 0;
	struct rusage used;

	if (count < 1 || count > QUEUES_MAX) {
		fprintf(stderr, "usage: nullverdict FIRST-QUEUE QUEUES MARK\n");
		return 2;
	}
	mark = (uint32_t)strtoul(v[3], NULL, 0);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	for (unsigned i = 0; i < count; i++) {
		readers[i].queue = (uint16_t)(atoi(v[1]) + (int)i);
		bind_queue(&readers[i]);
	}
	for (unsigned i = 0; i < count; i++)
		pthread_create(&readers[i].thread, NULL, read_queue, &readers[i]);
	fprintf(stderr, "ready\n");
	for (unsigned i = 0; i < count; i++) {
		pthread_join(readers[i].thread, NULL);
		packets += readers[i].packets;
		receives += readers[i].receives;
	}
	getrusage(RUSAGE_SELF, &used);
	printf("{\"packets\": %" PRIu64 ", \"receives\": %" PRIu64 ", \"user_us\": %.4f, \"system_us\": %.4f}\n", packets, receives,
	       (double)(used.ru_utime.tv_sec * 1000000 + used.ru_utime.tv_usec) / (double)(packets ? packets : 1),
	       (double)(used.ru_stime.tv_sec * 1000000 + used.ru_stime.tv_usec) / (double)(packets ? packets : 1));
	return 0;
}
