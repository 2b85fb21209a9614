// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over pipeline_packet: the bytes are a script of segments for a few flows, with a flow table and a reassembly
 * pool that are too small on purpose. Checks beside the sanitizers that outcomes are sound and that a block is for good. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/answers.h"
#include "daemon/pipeline.h"

#define FLOWS 12

/* A query for a name that only miners ask for, over TCP, and the answer to a harmless one. */
#define QUERY "\0\x25\1\2\1\0\0\1\0\0\0\0\0\0\6donate\2v2\5xmrig\3com\0\0\1\0\1"
#define ANSWER "\0\x23\1\2\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"

/* Chunks worth sending, so that the fuzzer need not find them byte by byte. */
static const struct chunk {
	const char *p;
	size_t len;
} dns_chunks[] = { { QUERY, sizeof(QUERY) - 1 }, { ANSWER, sizeof(ANSWER) - 1 } };

static const char *const chunks[] = {
	"{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"4A\",\"pass\":\"x\",\"agent\":\"a\"}}\n",
	"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n", "{\"id\":1,\"method\":\"ping\"}\n", "{\"a\":\"", "\"}\n",
	"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "CONNECT a.example:443 HTTP/1.1\r\n\r\n", "Content-Length: 5\r\n\r\n",
	"POST / HTTP/1.1\r\nContent-Length: 60\r\n\r\n{\"method\":\"mining.submit\",\"params\":[]}", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
	"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "\x81\x2c{\"method\":\"mining.subscribe\",\"params\":[]} ", "\x81\x02{}",
	"\xc1\x03\x02\x01\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x01\x01\x0b\x01\x04\x01\x01\x01\x01\x41\x09" "a.example",
};

struct script {
	const uint8_t *p;
	size_t left;
};

static unsigned take(struct script *s)
{
	if (!s->left)
		return 0;
	s->left--;
	return *s->p++;
}

/* A segment's bytes in a block of their own size; the caller frees it. */
static uint8_t *payload(struct script *s, size_t *len)
{
	unsigned kind = take(s), repeat;
	uint8_t *block;
	size_t from;

	if (kind < 128) {
		const char *chunk = kind % 18 < 16 ? chunks[kind % 18] : dns_chunks[kind % 18 - 16].p;

		*len = kind % 18 < 16 ? strlen(chunk) : dns_chunks[kind % 18 - 16].len;
		from = take(s) % *len;
		*len = 1 + take(s) % (*len - from);
		block = malloc(*len);
		memcpy(block, chunk + from, *len);
		return block;
	}
	repeat = kind > 250 ? 2000 : 1;
	*len = 1 + (kind & 31);
	block = malloc(*len * repeat);
	for (from = 0; from < *len; from++)
		block[from] = (uint8_t)take(s);
	for (from = *len; from < *len * repeat; from++)
		block[from] = block[from - *len];
	*len *= repeat;
	return block;
}

static void check(const struct outcome *o, bool *blocked)
{
	assert(o->facts && o->facts->n_names <= FACTS_NAMES_MAX && o->reason < REASON_COUNT);
	assert(o->verdict == VERDICT_BLOCK || !*blocked);
	*blocked = o->verdict == VERDICT_BLOCK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy *policy;
	struct pipeline_config config = { .flows = FLOWS, .reassembly = 1, .key = { 1, 2 } };
	struct pipeline *p;
	struct script s = { data, size };
	bool blocked[FLOWS] = { false };
	uint64_t now = 0;

	if (!policy)
		policy = policy_builtin();
	config.answers = answers_new(config.key);
	p = pipeline_new(&config);
	pipeline_policy(p, policy);
	while (s.left) {
		unsigned flow = take(&s), flags = take(&s), far = take(&s);
		bool answer = flags & 32, reply = answer || (flags & 8 && flags & 4);
		struct packet k = { .family = 4, .sport = 1 + flow % FLOWS, .dport = flow % FLOWS < 4 ? 53 : 9 };
		uint8_t *block = payload(&s, &k.payload_len);
		struct outcome o;

		k.proto = flow % FLOWS == 0 ? 17 : 6;
		k.tcp_flags = (flags & 1 ? PACKET_SYN : 0) | (flags & 2 ? PACKET_FIN : 0) | PACKET_ACK;
		k.origin = answer ? ORIGIN_REPLY : reply ? ORIGIN_OLDER_REPLY : flags & 4 ? ORIGIN_OLDER_ORIGINAL : ORIGIN_ORIGINAL;
		k.src[15] = reply ? 2 : 1;
		k.dst[15] = reply ? 1 : 2;
		if (reply) {
			k.sport = k.dport;
			k.dport = 1 + flow % FLOWS;
		}
		k.checksum = flags & 16 ? CHECKSUM_BAD : CHECKSUM_GOOD;
		k.seq = 0xfffffff0u + take(&s) + (far > 240 ? (far - 248) * 16000 : far * 3);
		k.payload = block;
		k.payload_wire = k.payload_len;
		o = pipeline_packet(p, &k, now++);
		check(&o, &blocked[flow % FLOWS]);
		free(block);
	}
	assert(pipeline_flows(p) <= FLOWS);
	pipeline_free(p);
	answers_free(config.answers);
	return 0;
}
