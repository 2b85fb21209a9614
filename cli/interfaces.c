/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one sees by looking: names by index, sysfs for what a device is, the routing tables for where it leads. Routes of other tables
 * (policy routing) are not followed. */
#include "cli/interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RTF_UP_BIT 0x1u
#define RTF_REJECT_BIT 0x200u

static struct interface *find(struct interface *all, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i].name, name))
			return &all[i];
	return NULL;
}

static bool in_sysfs(const char *name, const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, what);
	return access(path, F_OK) == 0;
}

/* By the names that container engines give: nothing else tells. */
static bool of_containers(const char *name)
{
	static const char *const starts[] = { "docker", "br-", "veth", "cni", "podman", "lxcbr", "lxdbr", "virbr", "vnet", "cali", "flannel" };
	size_t hex = strspn(name, "br-0123456789abcdef");

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (strncmp(name, starts[i], strlen(starts[i])))
			continue;
		/* Docker's own bridges are br- and twelve hex digits; br-lan is the LAN of OpenWrt */
		return strcmp(starts[i], "br-") || (strlen(name) == 15 && name[hex] == '\0');
	}
	return false;
}

static void read_routes4(struct interface *all, size_t n)
{
	FILE *f = fopen("/proc/self/net/route", "re");
	char line[256], name[16];
	unsigned destination, gateway, flags, mask;

	while (f && fgets(line, sizeof(line), f)) {
		struct interface *at;

		if (sscanf(line, "%15s %x %x %x %*s %*s %*s %x", name, &destination, &gateway, &flags, &mask) != 5)
			continue;
		/* all of it, or 0.0.0.0/1 and 128.0.0.0/1 */
		if (!(flags & RTF_UP_BIT) || (flags & RTF_REJECT_BIT) || (ntohl(mask) & 0x7fffffff) || (ntohl(destination) & 0x7fffffff))
			continue;
		at = find(all, n, name);
		if (at)
			at->default4 = true;
	}
	if (f)
		fclose(f);
}

static void read_routes6(struct interface *all, size_t n)
{
	FILE *f = fopen("/proc/self/net/ipv6_route", "re");
	char line[256], destination[33], name[16];
	unsigned length, flags;

	while (f && fgets(line, sizeof(line), f)) {
		struct interface *at;

		if (sscanf(line, "%32s %x %*s %*x %*s %*s %*s %*s %x %15s", destination, &length, &flags, name) != 4)
			continue;
		/* ::/0, ::/1 with 8000::/1, or 2000::/3, the whole internet */
		if (!(flags & RTF_UP_BIT) || (flags & RTF_REJECT_BIT) || length > 3 || (length == 3 && destination[0] != '2'))
			continue;
		at = find(all, n, name);
		if (at && !at->loopback)
			at->default6 = true;
	}
	if (f)
		fclose(f);
}

static void read_addresses(struct interface *all, size_t n)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list))
		return;
	for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
		struct interface *at = find(all, n, a->ifa_name);

		if (!at)
			continue;
		at->up |= (a->ifa_flags & IFF_UP) != 0;
		at->loopback |= (a->ifa_flags & IFF_LOOPBACK) != 0;
		at->tunnel |= (a->ifa_flags & IFF_POINTOPOINT) != 0;
		if (!a->ifa_addr)
			continue;
		if (a->ifa_addr->sa_family == AF_INET)
			at->addresses++;
		else if (a->ifa_addr->sa_family == AF_INET6)
			at->addresses += !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr);
	}
	freeifaddrs(list);
}

size_t interfaces_read(struct interface all[INTERFACES_MAX])
{
	struct if_nameindex *names = if_nameindex();
	size_t n = 0;

	for (; names && names[n].if_index && n < INTERFACES_MAX; n++) {
		struct interface *i = &all[n];

		memset(i, 0, sizeof(*i));
		snprintf(i->name, sizeof(i->name), "%s", names[n].if_name);
		i->bridge = in_sysfs(i->name, "bridge");
		i->port = in_sysfs(i->name, "brport");
		i->container = of_containers(i->name);
	}
	if (names)
		if_freenameindex(names);
	read_addresses(all, n);
	read_routes4(all, n);
	read_routes6(all, n);
	return n;
}
