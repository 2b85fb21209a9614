// SPDX-License-Identifier: GPL-2.0-or-later
/* Our table, the search for mark users and the connmarks against a real kernel, each test in a network namespace of its
 * own. Skipped without root; nothing outside the namespace is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nft/connmark.h"
#include "nft/marks.h"
#include "nft/table.h"

#define MASK 0x0e000000u

static struct table *table;

static void run(const char *command)
{
	int rc = system(command);

	if (rc)
		fail_msg("exit status %d: %s", rc, command);
}

/* What a command prints, at most `size` - 1 bytes of it. */
static const char *output(const char *command, char *buf, size_t size)
{
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	pclose(f);
	return buf;
}

static void load(const char *ruleset)
{
	FILE *f = popen("nft -f -", "w");

	assert_non_null(f);
	fputs(ruleset, f);
	if (pclose(f))
		fail_msg("nft refuses: %s", ruleset);
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
}

static int setup(void **state)
{
	struct table_error error;

	(void)state;
	table = NULL;
	if (geteuid())
		return 0;
	if (unshare(CLONE_NEWNET))
		return -1;
	loopback_up();
	if (table_open(&table, &error)) {
		print_error("%s\n", error.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	table_close(table);
	return 0;
}

#define NEEDS_ROOT()                                          \
	do {                                                  \
		if (!table) {                                 \
			print_message("skipped: needs root\n"); \
			skip();                               \
		}                                             \
	} while (0)

static void address(const char *text, uint8_t out[16])
{
	struct in_addr v4;

	memset(out, 0, 16);
	if (inet_pton(AF_INET, text, &v4) == 1) {
		out[10] = out[11] = 0xff;
		memcpy(out + 12, &v4, 4);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, out), 1);
	}
}

static struct table_network network(const char *text, uint8_t prefix, uint16_t port)
{
	struct table_network n = { .prefix = prefix, .port = port };

	address(text, n.addr);
	return n;
}

static struct element element(const char *src, const char *dst, uint8_t proto, uint16_t port, uint32_t timeout_s)
{
	struct element e = { .proto = proto, .port = port, .timeout_s = timeout_s, .pair = src != NULL };

	e.family = strchr(dst, ':') ? 6 : 4;
	address(dst, e.dst);
	if (src)
		address(src, e.src);
	return e;
}

static const struct table_config plain = {
	.mark_mask = MASK, .forward = true, .output = true, .enforce = true, .reset = true, .bypass = true,
	.queue_count = 1, .set_size = 1024,
};

static size_t install(const struct table_config *config)
{
	struct table_error error;
	size_t adopted = 99;

	if (table_install(table, config, &adopted, &error))
		fail_msg("%s", error.text);
	return adopted;
}

struct seen {
	struct element e[64];
	size_t n;
};

static int remember(const struct element *e, void *arg)
{
	struct seen *seen = arg;

	if (seen->n < 64)
		seen->e[seen->n] = *e;
	seen->n++;
	return 0;
}

/* The one listed element with this destination, protocol and port; a pair if `want` is one. */
static const struct element *find(const struct seen *seen, const struct element *want)
{
	for (size_t i = 0; i < seen->n && i < 64; i++) {
		const struct element *e = &seen->e[i];

		if (!memcmp(e->dst, want->dst, 16) && e->proto == want->proto && e->port == want->port &&
		    e->pair == want->pair && e->family == want->family && !memcmp(e->src, want->src, 16))
			return e;
	}
	return NULL;
}

static struct seen blocked(void)
{
	struct seen seen = { .n = 0 };

	assert_int_equal(table_each_blocked(table, remember, &seen), 0);
	return seen;
}

static void test_probe_leaves_nothing(void **state)
{
	char buf[4096];
	const char *kind;

	(void)state;
	NEEDS_ROOT();
	kind = table_queue_kind(table);
	assert_true(!strcmp(kind, "queue") || !strcmp(kind, "xtables NFQUEUE"));
	assert_string_equal(output("nft list ruleset", buf, sizeof(buf)), "");
}

static void test_install_check_remove(void **state)
{
	struct table_config config = plain;
	char buf[16384];

	(void)state;
	NEEDS_ROOT();
	run("nft add table inet other");
	assert_int_equal(table_check(table), 0);
	for (int i = 0; i < 64; i++) {
		config.forward = i & 1;
		config.output = i & 2;
		config.enforce = i & 4;
		config.reset = i & 8;
		config.bypass = i & 16;
		config.answers = i & 32;
		config.queue_first = 100;
		config.queue_count = 1 + (i & 3);
		install(&config);
		assert_int_equal(table_check(table), 1);
	}
	assert_int_equal(table_remove(table), 0);
	assert_int_equal(table_check(table), 0);
	assert_int_equal(table_remove(table), 0);
	assert_string_equal(output("nft list tables", buf, sizeof(buf)), "table inet other\n");
}

static void test_check_sees_damage(void **state)
{
	static const char *const damage[] = {
		"nft flush chain inet minewall original",
		"nft insert rule inet minewall forward accept",
		"nft flush chain inet minewall hit4; nft flush chain inet minewall original; nft delete chain inet minewall hit4",
		"nft flush ruleset",
	};

	(void)state;
	NEEDS_ROOT();
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		install(&plain);
		assert_int_equal(table_check(table), 1);
		(void)!system(damage[i]);
		assert_int_equal(table_check(table), 0);
	}
}

static void test_bad_config(void **state)
{
	static const uint32_t masks[] = { 0, 0x07000001, 0x0f000000, 0x06000000, 0x0b000000 };
	struct table_config config = plain;
	struct table_error error = { "" };

	(void)state;
	NEEDS_ROOT();
	install(&plain);
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		config.mark_mask = masks[i];
		assert_int_equal(table_install(table, &config, NULL, &error), -EINVAL);
		assert_true(error.text[0]);
	}
	config = plain;
	config.queue_first = 65535;
	config.queue_count = 2;
	assert_int_equal(table_install(table, &config, NULL, &error), -EINVAL);
	assert_int_equal(table_check(table), 1);
}

static void test_other_masks(void **state)
{
	static const uint32_t masks[] = { 0x7, 0xe0000000, 0x700 };
	struct table_config config = plain;

	(void)state;
	NEEDS_ROOT();
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		config.mark_mask = masks[i];
		install(&config);
		assert_int_equal(table_check(table), 1);
	}
}

static void test_networks_overlap(void **state)
{
	const struct table_network exempt[] = {
		network("10.0.0.0", 104, 0), network("10.1.2.3", 128, 0), network("11.0.0.0", 104, 0),
		network("2001:db8::", 32, 0), network("2001:db8::1", 128, 0),
	};
	const struct table_network allowed[] = {
		network("0.0.0.0", 96, 443), network("192.0.2.1", 128, 443), network("255.255.255.255", 128, 0),
		network("255.255.255.0", 120, 0), network("::", 0, 0), network("2001:db8::7", 128, 3333),
		network("2001:db8::", 64, 3333), network("2001:db8::", 64, 3334),
	};
	struct table_config config = plain;
	char buf[4096];

	(void)state;
	NEEDS_ROOT();
	config.exempt = exempt;
	config.n_exempt = sizeof(exempt) / sizeof(exempt[0]);
	config.allowed = allowed;
	config.n_allowed = sizeof(allowed) / sizeof(allowed[0]);
	install(&config);
	assert_int_equal(table_check(table), 1);
	assert_non_null(strstr(output("nft list set inet minewall exempt4", buf, sizeof(buf)), "10.0.0.0/7"));
	assert_non_null(strstr(output("nft list set inet minewall exempt6", buf, sizeof(buf)), "{ 2001:db8::/32 }"));
	assert_non_null(strstr(output("nft list set inet minewall allowed4", buf, sizeof(buf)), "255.255.255.0"));
	assert_non_null(strstr(output("nft list set inet minewall allowed6", buf, sizeof(buf)), "::"));
	assert_non_null(strstr(output("nft list set inet minewall allowed_ports4", buf, sizeof(buf)), " . 443 }"));
	output("nft list set inet minewall allowed_ports6", buf, sizeof(buf));
	assert_non_null(strstr(buf, "2001:db8::/64 . 3333"));
	assert_non_null(strstr(buf, "2001:db8::/64 . 3334"));
}

static void test_many_networks(void **state)
{
	static struct table_network allowed[6000];
	struct table_config config = plain;
	char text[32], buf[64];

	(void)state;
	NEEDS_ROOT();
	for (int i = 0; i < 6000; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.1", i / 250, i % 250);
		allowed[i] = network(text, 128, i & 1 ? 443 : 0);
	}
	config.allowed = allowed;
	config.n_allowed = 6000;
	install(&config);
	output("nft list set inet minewall allowed4 | grep -o '10[.][0-9.]*' | wc -l", buf, sizeof(buf));
	assert_int_equal(atoi(buf), 3000);
	output("nft list set inet minewall allowed_ports4 | grep -o '10[.][0-9.]* . 443' | wc -l", buf, sizeof(buf));
	assert_int_equal(atoi(buf), 3000);
}

static void test_elements_round_trip(void **state)
{
	const struct element e[] = {
		element(NULL, "192.0.2.7", IPPROTO_TCP, 3333, 60),
		element(NULL, "2001:db8::7", IPPROTO_UDP, 443, 3600),
		element("10.0.0.5", "192.0.2.8", IPPROTO_TCP, 1, 600),
		element("2001:db8:1::5", "2001:db8::8", IPPROTO_TCP, 65535, 600),
	};
	char buf[4096];
	size_t n = 99;
	struct seen seen;

	(void)state;
	NEEDS_ROOT();
	install(&plain);
	assert_int_equal(table_add(table, e, 4, &n), 0);
	assert_int_equal(n, 4);
	seen = blocked();
	assert_int_equal(seen.n, 4);
	for (int i = 0; i < 4; i++) {
		const struct element *found = find(&seen, &e[i]);

		assert_non_null(found);
		assert_int_equal(found->timeout_s, e[i].timeout_s);
		assert_in_range(found->expires_ms, e[i].timeout_s * 1000 - 5000, e[i].timeout_s * 1000);
		assert_int_equal(found->packets, 0);
	}
	assert_non_null(strstr(output("nft -p list set inet minewall endpoints4", buf, sizeof(buf)), "192.0.2.7 . 6 . 3333"));
	assert_non_null(strstr(output("nft -p list set inet minewall pairs6", buf, sizeof(buf)),
			       "2001:db8:1::5 . 2001:db8::8 . 6 . 65535"));
	assert_int_equal(table_delete(table, e, 3, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(table_delete(table, e, 4, &n), 0);	/* three are gone already */
	assert_int_equal(n, 1);
	assert_int_equal(blocked().n, 0);
	assert_int_equal(table_delete(table, e, 0, &n), 0);
	assert_int_equal(table_add(table, e, 0, &n), 0);
}

static void test_refresh(void **state)
{
	const struct element e = element(NULL, "192.0.2.7", IPPROTO_TCP, 3333, 60);
	struct seen before, after;

	(void)state;
	NEEDS_ROOT();
	install(&plain);
	assert_int_equal(table_add(table, &e, 1, NULL), 0);
	usleep(1200 * 1000);
	before = blocked();
	assert_int_equal(table_add(table, &e, 1, NULL), 0);
	after = blocked();
	assert_int_equal(after.n, 1);
	assert_true(before.e[0].expires_ms < 59000);
	assert_true(after.e[0].expires_ms > 59500);
}

static void test_expiry(void **state)
{
	const struct element e = element(NULL, "192.0.2.7", IPPROTO_TCP, 3333, 1);

	(void)state;
	NEEDS_ROOT();
	install(&plain);
	assert_int_equal(table_add(table, &e, 1, NULL), 0);
	assert_true(table_watch_fd(table) >= 0);
	usleep(1500 * 1000);
	assert_int_equal(blocked().n, 0);
	assert_int_equal(table_watch_drain(table), 0);
}

static void test_set_full(void **state)
{
	struct table_config config = plain;
	struct element e[12];
	char text[32];
	size_t n = 99;

	(void)state;
	NEEDS_ROOT();
	config.set_size = 10;
	install(&config);
	for (int i = 0; i < 12; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d", i);
		e[i] = element(NULL, text, IPPROTO_TCP, 3333, 60);
	}
	assert_int_equal(table_add(table, e, 12, &n), -ENFILE);
	assert_int_equal(n, 10);
	assert_int_equal(table_add(table, e, 10, &n), 0);	/* a full set can still be refreshed */
	assert_int_equal(n, 10);
	assert_int_equal(table_add(table, &e[11], 1, &n), -ENFILE);
	assert_int_equal(n, 0);
	assert_int_equal(blocked().n, 10);
	/* a smaller set takes over what fits */
	config.set_size = 4;
	assert_int_equal(install(&config), 4);
	assert_int_equal(blocked().n, 4);
}

static void test_adoption(void **state)
{
	const struct element e[] = {
		element(NULL, "192.0.2.7", IPPROTO_TCP, 3333, 60),
		element("2001:db8:1::5", "2001:db8::8", IPPROTO_TCP, 65535, 600),
	};
	struct table_config monitor = plain;
	struct seen seen = { .n = 0 };

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(install(&plain), 0);
	assert_int_equal(table_add(table, e, 2, NULL), 0);
	run("nft add element inet minewall tries4 { 10.0.0.5 . 192.0.2.7 . tcp . 3333 counter packets 7 bytes 420 }");
	usleep(1500 * 1000);
	monitor.enforce = false;
	assert_int_equal(install(&monitor), 2);
	assert_int_equal(table_each_try(table, remember, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.e[0].packets, 7);
	assert_int_equal(seen.e[0].port, 3333);
	seen = blocked();
	assert_int_equal(seen.n, 2);
	assert_int_equal(find(&seen, &e[0])->timeout_s, 60);
	assert_in_range(find(&seen, &e[0])->expires_ms, 50000, 58700);
	assert_in_range(find(&seen, &e[1])->expires_ms, 590000, 598700);
}

static void test_many_elements(void **state)
{
	const size_t n = 5000;
	struct element *e = calloc(n, sizeof(*e));
	struct table_config config = plain;
	struct seen seen = { .n = 0 };
	char src[32], dst[32];
	size_t done;

	(void)state;
	assert_non_null(e);
	if (!table)
		free(e);
	NEEDS_ROOT();
	config.set_size = 65536;
	install(&config);
	for (size_t i = 0; i < n; i++) {
		snprintf(src, sizeof(src), "2001:db8:1::%zx", i);
		snprintf(dst, sizeof(dst), "2001:db8:2::%zx", i);
		e[i] = element(i & 1 ? src : NULL, dst, IPPROTO_TCP, 3333, 600);
	}
	/* runs of one element, then of thousands */
	assert_int_equal(table_add(table, e, 10, &done), 0);
	for (size_t i = 0; i < n; i++)
		e[i].pair = true;
	assert_int_equal(table_add(table, e, n, &done), 0);
	assert_int_equal(done, n);
	assert_int_equal(install(&config), n + 5);
	assert_int_equal(table_each_blocked(table, remember, &seen), 0);
	assert_int_equal(seen.n, n + 5);
	assert_int_equal(table_delete(table, e, n, &done), 0);
	assert_int_equal(done, n);
	free(e);
}

static int stop_at_once(const struct element *e, void *arg)
{
	/* the callback may change the set */
	(void)arg;
	assert_int_equal(table_delete(table, e, 1, NULL), 0);
	return 42;
}

static void test_each_stops(void **state)
{
	const struct element e[] = {
		element(NULL, "192.0.2.7", IPPROTO_TCP, 3333, 60), element(NULL, "192.0.2.8", IPPROTO_TCP, 3333, 60),
	};

	(void)state;
	NEEDS_ROOT();
	install(&plain);
	assert_int_equal(table_add(table, e, 2, NULL), 0);
	assert_int_equal(table_each_blocked(table, stop_at_once, NULL), 42);
	assert_int_equal(blocked().n, 1);
}

static void *add_and_delete(void *arg)
{
	struct element e = element(NULL, "192.0.2.1", IPPROTO_TCP, (uint16_t)(uintptr_t)arg, 60);

	for (int i = 0; i < 200; i++)
		if (table_add(table, &e, 1, NULL) || (i < 199 && table_delete(table, &e, 1, NULL)))
			return "failed";
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t thread[4];

	(void)state;
	NEEDS_ROOT();
	install(&plain);
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, add_and_delete, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(thread[i], &result);
		assert_null(result);
	}
	assert_int_equal(blocked().n, 4);
}

static void test_watch(void **state)
{
	const struct element e = element(NULL, "192.0.2.7", IPPROTO_TCP, 3333, 60);
	struct pollfd p = { .events = POLLIN };

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(table_watch_drain(table), -EBADF);
	install(&plain);
	p.fd = table_watch_fd(table);
	assert_true(p.fd >= 0);
	assert_int_equal(table_watch_fd(table), p.fd);
	assert_int_equal(table_watch_drain(table), 0);
	install(&plain);
	assert_int_equal(table_add(table, &e, 1, NULL), 0);
	assert_int_equal(table_watch_drain(table), 0);
	run("nft add table inet other; nft add chain inet other c; nft add rule inet other c accept; nft delete table inet other");
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_int_equal(table_watch_drain(table), 0);
	run("nft flush ruleset");
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_int_equal(table_watch_drain(table), 1);
	assert_int_equal(table_watch_drain(table), 0);
	install(&plain);
	run("nft delete table inet minewall");
	assert_int_equal(table_watch_drain(table), 1);
	install(&plain);
	run("nft flush set inet minewall endpoints4; nft add element inet minewall endpoints4 { 192.0.2.9 . tcp . 1 timeout 1h }");
	assert_int_equal(table_watch_drain(table), 1);
}

/* Does this table answer with an error to whatever others try? */
static void try_to_harm(void)
{
	static const char *const harm[] = {
		"nft delete table inet minewall", "nft flush table inet minewall", "nft flush set inet minewall endpoints4",
		"nft add element inet minewall endpoints4 \"{ 192.0.2.9 . tcp . 1 timeout 1h }\"",
		"nft add chain inet minewall x", "nft add table inet minewall '{ flags dormant; }'",
	};
	char command[256];

	for (size_t i = 0; i < sizeof(harm) / sizeof(harm[0]); i++) {
		snprintf(command, sizeof(command), "%s 2> /dev/null", harm[i]);
		if (system(command) == 0)
			fail_msg("done: %s", harm[i]);
	}
	run("nft flush ruleset");
}

static void test_owned(void **state)
{
	const struct element e = element(NULL, "192.0.2.7", IPPROTO_TCP, 3333, 60);
	struct table_config config = plain;
	struct table_error error = { "" };
	struct table *other;
	size_t adopted = 0;
	struct seen seen;

	(void)state;
	NEEDS_ROOT();
	if (!table_can_own(table)) {
		print_message("skipped: no owned tables in this kernel\n");
		skip();
	}
	config.owned = true;
	install(&config);
	assert_int_equal(table_add(table, &e, 1, NULL), 0);
	try_to_harm();
	assert_int_equal(table_check(table), 1);
	seen = blocked();
	assert_int_equal(seen.n, 1);
	assert_int_equal(install(&config), 1);

	assert_int_equal(table_open(&other, &error), 0);
	assert_int_equal(table_install(other, &config, NULL, &error), -EPERM);
	assert_non_null(strstr(error.text, "belongs to another process"));
	assert_int_equal(table_remove(other), -EPERM);

	/* without its owner it stays, and anybody may have it */
	table_close(table);
	table = other;
	assert_int_equal(table_check(table), 1);
	assert_int_equal(table_install(table, &config, &adopted, &error), 0);
	assert_int_equal(adopted, 1);
	try_to_harm();
	assert_int_equal(table_check(table), 1);
	config.owned = false;
	assert_int_equal(install(&config), 1);
	run("nft delete table inet minewall");
	install(&plain);
	config.owned = true;
	install(&config);
	assert_int_equal(table_remove(table), 0);
	assert_int_equal(table_check(table), 0);
}

/* Each outbound flow gets a helper; the kernel offloads none that has one. */
static void test_guard(void **state)
{
	static const struct table_network six = { .addr = { 0x20, 1, 0xd, 0xb8 }, .prefix = 32 };
	struct table_config config = plain;
	char buf[16384];

	(void)state;
	NEEDS_ROOT();
	install(&plain);
	assert_null(strstr(output("nft list ruleset", buf, sizeof(buf)), "ct helper"));
	if (!table_can_guard(table)) {
		print_message("skipped: no connection tracking helpers in this kernel\n");
		skip();
	}
	config.guard_offload = true;
	config.allowed = &six;
	config.n_allowed = 1;
	install(&config);
	assert_int_equal(table_check(table), 1);
	output("nft list chain inet minewall original", buf, sizeof(buf));
	assert_non_null(strstr(buf, "meta l4proto tcp ct state related,new ct helper set \"guard_tcp\""));
	assert_non_null(strstr(buf, "meta nfproto ipv4 meta l4proto udp ct state related,new ct helper set \"guard_udp4\""));
	assert_non_null(strstr(buf, "meta nfproto ipv6 meta l4proto udp ct state related,new ct helper set \"guard_udp6\""));
	assert_non_null(strstr(buf, "@allowed6"));
	assert_true(strstr(buf, "guard_tcp") > strstr(buf, "@allowed6"));	/* what is allowed may be offloaded */
	output("nft list ct helpers table inet minewall", buf, sizeof(buf));
	assert_non_null(strstr(buf, "type \"sane\" protocol tcp"));
	assert_non_null(strstr(buf, "type \"netbios-ns\" protocol udp"));
	assert_non_null(strstr(buf, "type \"tftp\" protocol udp"));
	install(&plain);
	assert_null(strstr(output("nft list ruleset", buf, sizeof(buf)), "ct helper"));
	assert_int_equal(table_check(table), 1);
}

/* What was let go may go fast; the rule for it stands behind all that judges, in the forward hook alone, and for TCP alone. */
static void test_offload(void **state)
{
	static const char *const devices[] = { "lo", NULL };
	struct table_config config = plain;
	char buf[16384];

	(void)state;
	NEEDS_ROOT();
	install(&plain);
	assert_null(strstr(output("nft list ruleset", buf, sizeof(buf)), "flow add"));
	if (!table_can_offload(table, devices)) {
		print_message("skipped: no flowtables in this kernel\n");
		skip();
	}
	config.offload = devices;
	install(&config);
	assert_int_equal(table_check(table), 1);
	output("nft list chain inet minewall late_forward", buf, sizeof(buf));
	assert_non_null(strstr(buf, "meta l4proto tcp ct state established ct mark & 0x0e000000 == 0x06000000 flow add @decided"));
	assert_null(strstr(output("nft list chain inet minewall late_output", buf, sizeof(buf)), "flow add"));
	install(&plain);
	assert_null(strstr(output("nft list ruleset", buf, sizeof(buf)), "flow add"));
}

static void test_counters(void **state)
{
	struct table_counters c;

	(void)state;
	NEEDS_ROOT();
	install(&plain);
	assert_int_equal(table_counters(table, &c), 0);
	assert_int_equal(c.queued + c.rejected + c.blocked + c.invalid + c.untracked, 0);
	assert_int_equal(table_remove(table), 0);
	assert_int_equal(table_counters(table, &c), 0);
}

static void test_marks_native(void **state)
{
	static const struct {
		int conflict;
		const char *rule;
	} cases[] = {
		{ 1, "ct mark set meta mark" },
		{ 1, "ct mark set 0x2000000" },
		{ 1, "ct mark set ct mark | 0x4000000" },
		{ 1, "ct mark set ct mark & 0xff | 0x1" },
		{ 0, "ct mark set ct mark & 0xffffff00 | 0x1" },
		{ 0, "ct mark set ct mark | 0x1" },
		{ 0, "ct mark set 0x1" },
		{ 0, "ct mark set meta mark & 0xff" },
		{ 1, "ct mark set meta mark & 0xff000000" },
		{ 1, "ct mark 0x1 accept" },
		{ 0, "ct mark & 0xff == 0x1 accept" },
		{ 1, "ct mark & 0xff000000 == 0x1000000 accept" },
		{ 1, "ct mark { 1, 2 } accept" },
		{ 1, "ct mark > 5 accept" },
		{ 1, "ip saddr . ct mark { 192.0.2.4 . 5 } accept" },
		{ 1, "ct mark vmap { 1: accept, 2: drop }" },
		{ 1, "meta mark set ct mark" },
		{ 0, "meta mark set ct mark & 0xff" },
		{ 0, "meta mark set 0x1" },
		{ 1, "meta mark set 0x8000001" },
		{ 0, "meta mark set meta mark | 0x10" },
		{ 1, "meta mark set meta mark | 0x2000000" },
		{ 0, "meta mark 0x1 accept" },
		{ 0, "meta mark > 5 accept" },
		{ 1, "meta mark 0x2000001 accept" },
		{ 1, "meta mark & 0x0f000000 == 0x01000000 accept" },
		{ 0, "meta mark & 0xff == 0x1 accept" },
		{ 1, "ct mark set meta mark << 24" },
		{ 0, "ct mark & 0xff == 0x1 rt classid 5 accept" },
		{ 0, "ct mark set ip saddr map { 192.0.2.1 : 0x1, 192.0.2.2 : 0x100 }" },
		{ 1, "ct mark set ip saddr map { 192.0.2.1 : 0x1, 192.0.2.2 : 0x4000000 }" },
		{ 0, "meta mark set numgen inc mod 2 map { 0 : 0x100, 1 : 0x200 }" },
		{ 1, "meta mark set numgen inc mod 2 map { 0 : 0x100, 1 : 0x2000000 }" },

	};
	char ruleset[512], text[256];

	(void)state;
	NEEDS_ROOT();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run("nft flush ruleset");
		install(&plain);	/* ours is no conflict */
		snprintf(ruleset, sizeof(ruleset), "table inet x { chain y { type filter hook forward priority 0; %s; }\n}\n",
			 cases[i].rule);
		load(ruleset);
		text[0] = '\0';
		if (marks_conflict(MASK, text, sizeof(text)) != cases[i].conflict)
			fail_msg("%s: '%s'", cases[i].rule, text);
		if (cases[i].conflict)
			assert_non_null(strstr(text, "table inet x, chain y, handle "));
	}
}

static void test_marks_iptables(void **state)
{
	static const struct {
		int conflict;
		const char *rule;
	} cases[] = {
		{ 1, "-j CONNMARK --save-mark" },
		{ 1, "-j CONNMARK --restore-mark" },
		{ 0, "-j CONNMARK --save-mark --mask 0xff" },
		{ 0, "-j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000" },
		{ 1, "-j CONNMARK --restore-mark --nfmask 0xff000000 --ctmask 0xff000000" },
		{ 0, "-j CONNMARK --set-mark 0x1" },
		{ 1, "-j CONNMARK --set-xmark 0x2000000/0x2000000" },
		{ 0, "-j MARK --set-mark 0x1" },
		{ 0, "-j MARK --or-mark 0x40000" },
		{ 1, "-j MARK --or-mark 0x4000000" },
		{ 0, "-m mark --mark 0x1 -j ACCEPT" },
		{ 1, "-m mark --mark 0x2000000/0x2000000 -j ACCEPT" },
		{ 1, "-m connmark --mark 0x1 -j ACCEPT" },
		{ 0, "-m connmark --mark 0x1/0xff -j ACCEPT" },
	};
	char command[256], text[256];

	(void)state;
	NEEDS_ROOT();
	if (!strlen(output("command -v iptables-nft", text, sizeof(text)))) {
		print_message("skipped: no iptables-nft here\n");
		skip();
	}
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *ip = i & 1 ? "ip6" : "ip";

		run("nft flush ruleset");
		snprintf(command, sizeof(command), "%stables-nft -t mangle -A FORWARD %s", ip, cases[i / 2].rule);
		run(command);
		text[0] = '\0';
		if (marks_conflict(MASK, text, sizeof(text)) != cases[i / 2].conflict)
			fail_msg("%s: '%s'", command, text);
		snprintf(command, sizeof(command), "table %s mangle, chain FORWARD, handle ", ip);
		if (cases[i / 2].conflict)
			assert_non_null(strstr(text, command));
	}
}

static void test_marks_ip_rule(void **state)
{
	static const struct {
		const char *rule, *text;
	} cases[] = {
		{ "fwmark 0xca6c", NULL },
		{ "fwmark 0x10000/0xff0000", NULL },
		{ "from all", NULL },
		{ "fwmark 0x2000000", "rule 77: fwmark 0x2000000/0xffffffff" },
		{ "fwmark 0/0xff000000", "rule 77: fwmark 0x0/0xff000000" },
		{ "fwmark 0x2000000/0xe000000", "rule 77: fwmark 0x2000000/0xe000000" },
	};
	char command[128], text[256];

	(void)state;
	NEEDS_ROOT();
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *family = i & 1 ? "-6" : "-4", *want = cases[i / 2].text;

		snprintf(command, sizeof(command), "ip %s rule add %s table 100 prio 77", family, cases[i / 2].rule);
		run(command);
		text[0] = '\0';
		assert_int_equal(marks_conflict(MASK, text, sizeof(text)), want != NULL);
		if (want)
			assert_non_null(strstr(text, want));
		snprintf(command, sizeof(command), "ip %s rule del prio 77", family);
		run(command);
	}
	assert_int_equal(marks_flowtable(text, sizeof(text)), 0);
}

/* A connection over loopback; conntrack sees it as soon as a rule asks for it. */
static int connection(int family, int type, struct connmark_tuple *t)
{
	struct sockaddr_storage a = { .ss_family = (sa_family_t)family }, own;
	struct sockaddr_in *v4 = (void *)&a;
	struct sockaddr_in6 *v6 = (void *)&a;
	socklen_t len = family == AF_INET ? sizeof(*v4) : sizeof(*v6), own_len = sizeof(own);
	int server = socket(family, type, 0), client = socket(family, type, 0);

	if (family == AF_INET)
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		v6->sin6_addr = in6addr_loopback;
	assert_int_equal(bind(server, (void *)&a, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(server, 1), 0);
	assert_int_equal(getsockname(server, (void *)&a, &len), 0);
	assert_int_equal(connect(client, (void *)&a, len), 0);
	assert_int_equal(send(client, "x", 1, 0), 1);
	assert_int_equal(getsockname(client, (void *)&own, &own_len), 0);
	memset(t, 0, sizeof(*t));
	address(family == AF_INET ? "127.0.0.1" : "::1", t->src);
	memcpy(t->dst, t->src, 16);
	t->family = family == AF_INET ? 4 : 6;
	t->proto = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	/* sin_port and sin6_port are at the same place */
	t->dport = ntohs(v4->sin_port);
	t->sport = ntohs(((struct sockaddr_in *)&own)->sin_port);
	close(server);
	return client;
}

static unsigned int mark_of(const struct connmark_tuple *t)
{
	char want[64], line[512];
	unsigned int mark = 0xdead;
	FILE *f = fopen("/proc/self/net/nf_conntrack", "r");

	assert_non_null(f);
	snprintf(want, sizeof(want), " sport=%u dport=%u ", t->sport, t->dport);
	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, want) ? strstr(line, " mark=") : NULL;

		if (at)
			mark = (unsigned int)strtoul(at + 6, NULL, 10);
	}
	fclose(f);
	return mark;
}

static void test_connmark(void **state)
{
	struct connmark_tuple t[4];
	struct connmark *c;
	int fd[4];

	(void)state;
	NEEDS_ROOT();
	if (access("/proc/self/net/nf_conntrack", R_OK)) {
		print_message("skipped: no /proc/net/nf_conntrack here\n");
		skip();
	}
	load("table inet x { chain y { type filter hook output priority 0; ct state new ct mark set 0x50001; }\n}\n");
	for (int i = 0; i < 4; i++)
		fd[i] = connection(i & 1 ? AF_INET6 : AF_INET, i & 2 ? SOCK_DGRAM : SOCK_STREAM, &t[i]);
	assert_int_equal(connmark_open(&c), 0);
	assert_int_equal(connmark_clear(c, MASK), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mark_of(&t[i]), 0x50001);
		assert_int_equal(connmark_set(c, &t[i], 0x08000000, MASK), 0);
		assert_int_equal(mark_of(&t[i]), 0x08050001);
	}
	assert_int_equal(connmark_set(c, &t[0], 0xffffffff, MASK), 0);	/* bits outside the mask are not ours to set */
	assert_int_equal(mark_of(&t[0]), 0x0e050001);
	assert_int_equal(connmark_tear(c, &t[0]), 0);	/* it takes no fast way, so it goes on */
	assert_int_equal(mark_of(&t[0]), 0x0e050001);
	t[3].sport ^= 1;
	assert_int_equal(connmark_tear(c, &t[3]), -ENOENT);
	assert_int_equal(connmark_set(c, &t[3], 0x08000000, MASK), -ENOENT);
	t[3].sport ^= 1;
	assert_int_equal(connmark_clear(c, MASK), 3);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(mark_of(&t[i]), 0x50001);
		close(fd[i]);
	}
	assert_int_equal(connmark_clear(c, MASK), 0);
	connmark_close(c);
	connmark_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_probe_leaves_nothing), TEST(test_install_check_remove), TEST(test_check_sees_damage),
		TEST(test_bad_config), TEST(test_other_masks), TEST(test_networks_overlap), TEST(test_many_networks),
		TEST(test_elements_round_trip), TEST(test_refresh), TEST(test_expiry), TEST(test_set_full),
		TEST(test_adoption), TEST(test_many_elements), TEST(test_each_stops), TEST(test_threads),
		TEST(test_watch), TEST(test_owned), TEST(test_guard), TEST(test_offload), TEST(test_counters), TEST(test_marks_native), TEST(test_marks_iptables),
		TEST(test_marks_ip_rule), TEST(test_connmark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
