/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dump of the neighbour table for one question; asked only for findings that the kernel made alone. */
#include "daemon/neighbour.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

struct question {
	const uint8_t *address;
	size_t len;
	uint8_t *mac;
	int found;
};

static int read_neighbour(const struct nlmsghdr *h, void *arg)
{
	struct question *q = arg;
	const struct nlattr *attr, *dst = NULL, *mac = NULL;

	mnl_attr_for_each(attr, h, sizeof(struct ndmsg)) {
		if (mnl_attr_get_type(attr) == NDA_DST)
			dst = attr;
		else if (mnl_attr_get_type(attr) == NDA_LLADDR)
			mac = attr;
	}
	if (dst && mac && mnl_attr_get_payload_len(dst) == q->len && mnl_attr_get_payload_len(mac) == 6 &&
	    !memcmp(mnl_attr_get_payload(dst), q->address, q->len)) {
		memcpy(q->mac, mnl_attr_get_payload(mac), 6);
		q->found = 1;
	}
	return MNL_CB_OK;
}

int neighbour_mac(const uint8_t address[16], uint8_t family, uint8_t mac[6])
{
	struct question q = { .address = family == 4 ? address + 12 : address, .len = family == 4 ? 4 : 16, .mac = mac };
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buf[8192];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ndmsg *m;
	int err = 0;
	ssize_t n;

	if (!nl)
		return -errno;
	h->nlmsg_type = RTM_GETNEIGH;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ndm_family = family == 4 ? AF_INET : AF_INET6;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, h, h->nlmsg_len) < 0) {
		err = -errno;
		goto out;
	}
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			err = -errno;
	} while (n > 0 && mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), read_neighbour, &q) > MNL_CB_STOP);
out:
	mnl_socket_close(nl);
	return err ? err : q.found ? 0 : -ENOENT;
}
