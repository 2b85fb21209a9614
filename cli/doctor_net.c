/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network's part of `minewall doctor`: does the traffic that matters pass our chains, and does it still show who sent it? Reads
 * /proc, sysfs and the rules of others. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/interfaces.h"
#include "nft/marks.h"

/* More namespaces than this are counted, not looked into. */
#define NAMESPACES_MAX 256

void doctor_forwarding(struct doctor *d)
{
	long long v4 = doctor_number("/proc/sys/net/ipv4/ip_forward"), v6 = doctor_number("/proc/sys/net/ipv6/conf/all/forwarding");

	if (d->settings->hook == HOOK_OUTPUT)
		doctor_say(d, DOCTOR_WARN, "forwarding", "say `hook: both` on a gateway", "`hook: output` judges only what this machine sends itself");
	else if (v4 < 1 && v6 < 1)
		doctor_say(d, DOCTOR_WARN, "forwarding", "on a gateway: sysctl net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
			   "this machine forwards nothing: only its own connections can be judged");
	else
		doctor_say(d, DOCTOR_OK, "forwarding", NULL, "IPv4 %s, IPv6 %s", v4 > 0 ? "yes" : "no", v6 > 0 ? "yes" : "no");
}

static bool is_out(const struct settings *s, const char *name)
{
	for (unsigned i = 0; i < s->n_out; i++)
		if (!strcmp(s->out[i], name))
			return true;
	return false;
}

static void find_missing(struct doctor *d, const struct interface *all, size_t n)
{
	for (unsigned o = 0; o < d->settings->n_out; o++) {
		bool there = false;

		for (size_t i = 0; i < n; i++)
			there |= !strcmp(all[i].name, d->settings->out[o]);
		if (!there)
			doctor_say(d, DOCTOR_WARN, "interfaces", "a typing error? `ip link` names them; one that comes later is covered then",
				   "interfaces.out names %s, which is not there", d->settings->out[o]);
	}
}

void doctor_interfaces(struct doctor *d)
{
	struct interface *all = calloc(INTERFACES_MAX, sizeof(*all));
	size_t n = all ? interfaces_read(all) : 0, uncovered = 0, defaults = 0;

	for (size_t i = 0; i < n; i++) {
		defaults += all[i].default4 || all[i].default6;
		if (!(all[i].default4 || all[i].default6) || !d->settings->n_out || is_out(d->settings, all[i].name))
			continue;
		uncovered++;
		doctor_say(d, DOCTOR_BAD, "interfaces", "add it to `interfaces: {out: [...]}`",
			   "a default route leaves through %s, which is not covered", all[i].name);
	}
	find_missing(d, all, n);
	if (!defaults)
		doctor_say(d, DOCTOR_WARN, "interfaces", "is the line up? routes of other tables than main are not looked at", "there is no default route");
	if (!d->settings->n_out)
		doctor_say(d, DOCTOR_WARN, "interfaces", "name those that lead outside: `interfaces: {out: [...]}`; `minewall init` finds them",
			   "every interface is judged, also connections from outside to your servers");
	else if (!uncovered)
		doctor_say(d, DOCTOR_OK, "interfaces", NULL, "every default route is covered");
	free(all);
}

/* A bridge without an address is a switch: what passes it is routed by nobody here. */
void doctor_bridge(struct doctor *d)
{
	struct interface *all = calloc(INTERFACES_MAX, sizeof(*all));
	size_t n = all ? interfaces_read(all) : 0, bad = 0, bridges = 0;
	long long filtered = doctor_number("/proc/sys/net/bridge/bridge-nf-call-iptables");

	for (size_t i = 0; i < n; i++) {
		bridges += all[i].bridge;
		if (!all[i].bridge || all[i].container || all[i].addresses || !all[i].up || filtered == 1)
			continue;
		bad++;
		doctor_say(d, DOCTOR_BAD, "bridge", "route instead, or load br_netfilter and set net.bridge.bridge-nf-call-iptables=1 (and -ip6tables)",
			   "%s is a switch without an address: what crosses it is not seen", all[i].name);
	}
	if (filtered == 1)
		doctor_say(d, DOCTOR_OK, "bridge", NULL, "br_netfilter hands bridged packets to the IP chains, too");
	else if (!bad)
		doctor_say(d, DOCTOR_OK, "bridge", NULL, bridges ? "%zu, each with an address: what leaves them is routed and seen" :
			   "%zu: nothing is bridged here", bridges);
	free(all);
}

/* A listening port outside 127.0.0.0/8 and ::1 of /proc/net/tcp or tcp6. */
static bool listens(const char *path, unsigned port)
{
	FILE *f = fopen(path, "re");
	char line[512], address[33];
	unsigned at, state;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		size_t len;

		if (sscanf(line, "%*d: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", address, &at, &state) != 3 || state != 0x0a || at != port)
			continue;
		len = strlen(address);
		/* printed as words of this machine's byte order: the last two digits (or the first) hold 127 */
		found = len == 8 ? strncmp(address, "7F", 2) && strcmp(address + 6, "7F") : strspn(address, "0") < 24 || strspn(address, "0") == 32;
	}
	if (f)
		fclose(f);
	return found;
}

void doctor_proxies(struct doctor *d)
{
	static const struct {
		unsigned port;
		const char *what;
	} known[] = {
		{ 3128, "squid" }, { 3129, "squid" }, { 8118, "privoxy" }, { 1080, "a SOCKS proxy" }, { 8888, "tinyproxy" }, { 9040, "Tor" },
		{ 9050, "Tor" }, { 12345, "redsocks" },
	};
	char text[512];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!listens("/proc/self/net/tcp", known[i].port) && !listens("/proc/self/net/tcp6", known[i].port))
			continue;
		n++;
		doctor_say(d, d->settings->hook == HOOK_FORWARD ? DOCTOR_BAD : DOCTOR_WARN, "proxies",
			   "`hook: both` judges them; whose they were, the proxy's own log says",
			   "port %u looks like %s: connections through it are the gateway's own", known[i].port, known[i].what);
	}
	if (geteuid() == 0 && marks_redirect(text, sizeof(text)) > 0) {
		n++;
		doctor_say(d, d->settings->hook == HOOK_FORWARD ? DOCTOR_BAD : DOCTOR_WARN, "proxies",
			   "fine for DNS to this machine's resolver; else `hook: both`, and see the proxy's own log",
			   "a rule hands passing connections to a program here: %s", text);
	}
	if (!n)
		doctor_say(d, DOCTOR_OK, "proxies", NULL, "none is known to hide its clients");
}

static bool is_ours(uint32_t address)
{
	struct ifaddrs *list = NULL;
	bool found = (ntohl(address) >> 16) == 0xa9fe;	/* 169.254/16: some engines answer for such a gateway at our end of the pair */

	if (getifaddrs(&list))
		return true;
	for (const struct ifaddrs *a = list; a && !found; a = a->ifa_next)
		found = a->ifa_addr && a->ifa_addr->sa_family == AF_INET &&
			((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr.s_addr == address;
	freeifaddrs(list);
	return found;
}

/* Has the process's network namespace a default route whose gateway is somebody else than this machine? IPv4 tells enough. */
static bool goes_elsewhere(const char *pid)
{
	char path[64], line[256];
	unsigned destination, gateway, mask;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/net/route", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*s %x %x %*s %*s %*s %*s %x", &destination, &gateway, &mask) == 3 && !destination && !mask &&
			gateway && !is_ours(gateway);
	if (f)
		fclose(f);
	return found;
}

void doctor_containers(struct doctor *d)
{
	char ours[64] = "", theirs[64], path[300], seen[NAMESPACES_MAX][sizeof(theirs)];
	size_t n = 0, odd = 0;
	DIR *dir = opendir("/proc");
	struct dirent *e;

	if (readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) < 0)
		ours[0] = '\0';
	while (dir && n < NAMESPACES_MAX && (e = readdir(dir))) {
		bool known = false;
		ssize_t len;

		if (strspn(e->d_name, "0123456789") != strlen(e->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", e->d_name);
		len = readlink(path, theirs, sizeof(theirs) - 1);
		if (len <= 0)
			continue;
		theirs[len] = '\0';
		for (size_t i = 0; i < n; i++)
			known |= !strcmp(seen[i], theirs);
		if (known || !strcmp(theirs, ours))
			continue;
		memcpy(seen[n++], theirs, sizeof(theirs));
		if (!goes_elsewhere(e->d_name))
			continue;
		odd++;
		doctor_say(d, DOCTOR_WARN, "containers", "if it goes out by a macvlan or a card of its own, run minewall in it, too",
			   "process %s lives in a network namespace whose gateway is not this machine", e->d_name);
	}
	if (dir)
		closedir(dir);
	if (!odd)
		doctor_say(d, DOCTOR_OK, "containers", NULL, "%zu other network namespaces; none of them is seen to go out past this one", n);
}
