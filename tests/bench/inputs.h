/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the micro-benchmarks and the counting of instructions feed the core with: a policy with many names, packets, messages.
 * The same in each run. */
#ifndef MINEWALL_TESTS_INPUTS_H
#define MINEWALL_TESTS_INPUTS_H

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/pipeline.h"
#include "policy/names.h"
#include "tests/bench/hello.h"

/* Of an ordinary ClientHello: no byte in it looks like the beginning of another message (one in some hundred has such). */
#define SEED 7u
#define UNLISTED "www.unlisted.example"
#define SUBSCRIBE "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cgminer/4.10.0\"]}\n"
#define LOGIN "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"48edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWzYGzki52" \
	"XPs6PVFjgPVdvtr9vyG5hDPAdFmGZqQmNNKPqsMVwDkNoJUrLr\",\"pass\":\"x\",\"agent\":\"XMRig/6.21.0 (Linux x86_64) libuv/1.44.2\"," \
	"\"algo\":[\"rx/0\",\"cn/r\"]}}\n"
#define REQUEST "GET /index.html HTTP/1.1\r\nHost: www.unlisted.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0)\r\n" \
	"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
#define UPGRADE "GET /socket HTTP/1.1\r\nHost: www.unlisted.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static inline void inputs_die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

/* The i-th listed name, and one that is on no list but looks alike. */
static inline size_t inputs_name(char *to, size_t size, uint32_t i, bool listed)
{
	static const char *const tops[] = { "com", "net", "org", "example", "info", "co.uk" };

	return (size_t)snprintf(to, size, "%s%x.host%u.%s", listed ? "pool" : "page", i * 2654435761u, i % 977, tops[i % 6]);
}

/* A policy as it is by default, in mode enforce, with the first `n` names on a list of hosts format. */
static inline struct policy *inputs_policy(uint32_t n)
{
	char folder[] = "/tmp/minewall-bench.XXXXXX", list[64], path[64], name[64];
	struct policy_error error;
	struct policy *p;
	FILE *f;

	if (!mkdtemp(folder))
		inputs_die("no folder in /tmp");
	snprintf(list, sizeof(list), "%s/names", folder);
	snprintf(path, sizeof(path), "%s/policy.yaml", folder);
	f = fopen(list, "w");
	for (uint32_t i = 0; f && i < n; i++) {
		inputs_name(name, sizeof(name), i, true);
		fprintf(f, "0.0.0.0 %s\n", name);
	}
	if (!f || fclose(f))
		inputs_die("the list cannot be written");
	f = fopen(path, "w");
	if (!f || fprintf(f, "version: 1\nmode: enforce\nlists:\n  - {name: bench, file: names, format: hosts}\n") < 0 || fclose(f))
		inputs_die("the policy cannot be written");
	p = policy_load(path, &error);
	if (!p)
		inputs_die(error.text);
	unlink(list);
	unlink(path);
	rmdir(folder);
	return p;
}

static inline struct name_set *inputs_names(uint32_t n)
{
	struct name_set *set = name_set_new();
	struct name_entry entry;
	char name[64];

	for (uint32_t i = 0; set && i < n; i++)
		if (name_parse(name, inputs_name(name, sizeof(name), i, true), &entry) || name_set_add(set, &entry, 1, i + 1))
			inputs_die("a name cannot be added");
	if (!set || name_set_seal(set))
		inputs_die("no memory");
	return set;
}

/* Where a flow begins, which the daemon can ask for: so each packet is looked at for a reason to, and an ordinary one gives none. */
static inline bool inputs_start(void *arg, const struct packet *packet, uint32_t *start)
{
	(void)arg;
	*start = packet->seq;
	return false;
}

/* The first packet of the i-th flow. */
static inline struct packet inputs_packet(uint32_t i, uint8_t proto, uint16_t port, const void *bytes, size_t len)
{
	struct packet p = { .family = 4, .proto = proto, .sport = (uint16_t)(1024 + i % 60000), .dport = port, .tcp_flags = PACKET_ACK,
			    .src = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .dst = { [10] = 0xff, 0xff, 198, 51, 100, 7 },
			    .payload = bytes, .payload_len = len, .payload_wire = len, .seq = 1000 + i };

	p.src[14] = (uint8_t)(i / 60000 >> 8);
	p.src[15] = (uint8_t)(i / 60000);
	p.dst[14] = (uint8_t)(i >> 8);
	p.dst[15] = (uint8_t)i;
	return p;
}

#endif
