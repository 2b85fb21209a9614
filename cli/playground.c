/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One netlink message a pair of interfaces, the rest by the old ioctls. Nothing here can reach the machine's own network: it is made
 * after that was left. */
#include "cli/playground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct message {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char rest[512];
};

static void *tail(struct message *m)
{
	return (char *)m + NLMSG_ALIGN(m->header.nlmsg_len);
}

static struct rtattr *put(struct message *m, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = tail(m);

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static void end(struct message *m, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((char *)tail(m) - (char *)nest);
}

static int ask(struct message *m)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer = { { 0 }, { 0 } };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = 0;

	if (fd < 0 || send(fd, m, m->header.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), MSG_TRUNC) < (ssize_t)sizeof(answer.header))
		err = errno ? -errno : -EIO;
	else
		err = answer.error.error;
	if (fd >= 0)
		close(fd);
	return err;
}

/* A pair: `name` here, `peer` in the other namespace. */
static int make_pair(const char *name, const char *peer, int ns)
{
	struct message m = { .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = RTM_NEWLINK,
					 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL } };
	struct ifinfomsg none = { 0 };
	struct rtattr *info, *data, *other;

	put(&m, IFLA_IFNAME, name, strlen(name) + 1);
	info = put(&m, IFLA_LINKINFO, NULL, 0);
	put(&m, IFLA_INFO_KIND, "veth", 4);
	data = put(&m, IFLA_INFO_DATA, NULL, 0);
	other = put(&m, VETH_INFO_PEER, &none, sizeof(none));
	put(&m, IFLA_IFNAME, peer, strlen(peer) + 1);
	put(&m, IFLA_NET_NS_FD, &ns, sizeof(ns));
	end(&m, other);
	end(&m, data);
	end(&m, info);
	return ask(&m);
}

static struct sockaddr inet(const char *address)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
	} a = { .in = { .sin_family = AF_INET } };

	inet_pton(AF_INET, address, &a.in.sin_addr);
	return a.any;
}

/* Up, with an address of a /24 if one is given. */
static int set_up(int fd, const char *name, const char *address)
{
	struct ifreq r = { .ifr_flags = 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (address) {
		r.ifr_addr = inet(address);
		if (ioctl(fd, SIOCSIFADDR, &r))
			return -errno;
		r.ifr_netmask = inet("255.255.255.0");
		if (ioctl(fd, SIOCSIFNETMASK, &r))
			return -errno;
	}
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &r) ? -errno : 0;
}

/* One interface and where everything else is; both may be missing. */
static int furnish(const char *name, const char *address, const char *gateway)
{
	struct rtentry route = { .rt_dst = inet("0.0.0.0"), .rt_genmask = inet("0.0.0.0"), .rt_flags = RTF_UP | RTF_GATEWAY };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	err = set_up(fd, "lo", NULL);
	if (!err)
		err = set_up(fd, name, address);
	if (!err && gateway) {
		route.rt_gateway = inet(gateway);
		err = ioctl(fd, SIOCADDRT, &route) ? -errno : 0;
	}
	close(fd);
	return err;
}

static int set_forwarding(void)
{
	int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = write(fd, "1", 1) == 1 ? 0 : -errno;
	close(fd);
	return err;
}

int playground_enter(const struct playground *p, enum place place)
{
	return setns(p->ns[place], CLONE_NEWNET) ? -errno : 0;
}

int playground_make(struct playground *p)
{
	int err = 0;

	for (int i = 0; i < PLACES; i++) {
		if (unshare(CLONE_NEWNET))
			return -errno;
		p->ns[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (p->ns[i] < 0)
			return -errno;
	}
	if ((err = make_pair("g0", "c0", p->ns[PLACE_CLIENT])) || (err = make_pair(PLAYGROUND_OUT, "s0", p->ns[PLACE_SERVER])) ||
	    (err = furnish("g0", "198.18.0.1", NULL)) || (err = furnish(PLAYGROUND_OUT, "198.18.1.1", NULL)) || (err = set_forwarding()) ||
	    (err = playground_enter(p, PLACE_CLIENT)) || (err = furnish("c0", "198.18.0.2", "198.18.0.1")) ||
	    (err = playground_enter(p, PLACE_SERVER)) || (err = furnish("s0", PLAYGROUND_SERVER, "198.18.1.1")))
		return err;
	return playground_enter(p, PLACE_GATEWAY);
}
