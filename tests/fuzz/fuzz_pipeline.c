// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over pipeline_packet: the bytes are a script of TCP and UDP packets of a few flows, in both directions and with steps of
 * the clock. Checks beside the sanitizers that outcomes are sound, that a block is for good, and that no view outlives its packet.
 *
 * The script: one byte of settings (SCRIPT_*), then records of a flow's byte, a byte of flags (RECORD_*), a byte for the clock and
 * the place in the stream, a length of two bytes (little endian) and so many bytes of payload. tests/fuzz/seeds.py writes such. */
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/pipeline.h"
#include "daemon/score.h"

#define FLOWS 16

enum { SCRIPT_NAMED = 1, SCRIPT_SMALL_TABLE = 2, SCRIPT_SMALL_MEMORY = 4, SCRIPT_IPV6 = 8, SCRIPT_NO_SCORE = 16 };
enum {
	RECORD_REPLY = 1, RECORD_SYN = 2, RECORD_FIN = 4, RECORD_RESET = 8, RECORD_OLDER = 16, RECORD_BAD_SUM = 32, RECORD_CUT = 64,
	RECORD_OTHER = 128,	/* no packet: the flow's byte says what happens instead */
};

/* Server's port of each flow: the first half TCP, the other UDP. */
static const uint16_t ports[FLOWS] = { 3333, 443, 80, 53, 1080, 14433, 8080, 9, 53, 443, 53, 443, 3333, 4433, 80, 9 };

static const char named[] =
	"version: 1\nmode: enforce\nblock:\n  names: [pool.example, split.example, inner.example, \"*.listed.example\"]\n"
	"  addresses: [\"192.0.2.9\", \"[2001:db8::9]:443\"]\nallow:\n  names: [good.listed.example]\n";

struct run {
	const uint8_t *p;
	size_t left;
	struct pipeline *pipeline;
	uint64_t now_ms;
	bool ipv6, lasting;	/* `lasting`: the table holds all flows, so nothing may be forgotten early */
	struct {
		bool blocked;
		uint64_t seen_ms;
		uint32_t seq[2];	/* behind the last byte of each side */
	} flow[FLOWS];
};

static unsigned take(struct run *r)
{
	if (!r->left)
		return 0;
	r->left--;
	return *r->p++;
}

static const struct policy *policy_of(unsigned settings)
{
	static struct policy *builtin, *with_names;

	if (!builtin) {
		struct policy_error error;
		char path[32];
		int fd = memfd_create("policy", 0);

		assert(write(fd, named, sizeof(named) - 1) == sizeof(named) - 1);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		builtin = policy_builtin();
		with_names = policy_load(path, &error);
		assert(builtin && with_names);
		close(fd);
	}
	return settings & SCRIPT_NAMED ? with_names : builtin;
}

static void check_names(const struct facts *f)
{
	static volatile uint8_t sink;

	assert(f && f->n_names <= FACTS_NAMES_MAX);
	for (unsigned i = 0; i < f->n_names; i++) {
		for (size_t n = 0; n < f->names[i].text.len; n++)
			sink = f->names[i].text.p[n];
		for (size_t n = 0; n < f->names[i].host.len; n++)
			sink = f->names[i].host.p[n];
	}
	(void)sink;
}

static void check(struct run *r, unsigned n, const struct outcome *o)
{
	/* Questions to a DNS server are judged one by one. */
	bool was = ports[n] != 53 && r->flow[n].blocked && r->now_ms - r->flow[n].seen_ms < 9 * 60 * 1000;

	check_names(o->facts);
	assert(o->reason < REASON_COUNT && o->verdict <= VERDICT_DROP);
	assert(!o->event || o->decision.action >= ACTION_MONITOR || o->verdict == VERDICT_BLOCK);
	assert(o->verdict == VERDICT_BLOCK || !was || !r->lasting);
	r->flow[n].blocked = o->verdict == VERDICT_BLOCK;
	r->flow[n].seen_ms = r->now_ms;
}

static uint64_t clock_step(unsigned place)
{
	static const uint32_t steps[] = { 0, 1, 20, 300, 5000, 18000, 130000, 1000000 };

	return steps[place & 7];
}

/* Where the segment begins: mostly where the last one ended, sometimes a little or far away. */
static int32_t distance(unsigned place)
{
	unsigned far = place >> 3;

	if (far < 16)
		return 0;
	return far < 24 ? -(int32_t)(far - 15) * 7 : far < 30 ? (int32_t)(far - 23) * 7 : far == 30 ? 60000 : -(32 << 20);
}

static void set_ends(struct run *r, struct packet *k, unsigned n, bool reply)
{
	k->family = r->ipv6 ? 6 : 4;
	memcpy(k->src, r->ipv6 ? "\x20\x01\x0d\xb8" : "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2", r->ipv6 ? 4 : 15);
	memcpy(k->dst, k->src, sizeof(k->dst));
	k->src[15] = reply ? 9 + (n & 1) : 1;
	k->dst[15] = reply ? 1 : 9 + (n & 1);
	k->sport = reply ? ports[n] : (uint16_t)(40000 + n);
	k->dport = reply ? (uint16_t)(40000 + n) : ports[n];
}

static enum packet_origin origin_of(unsigned n, unsigned flags)
{
	if (flags & RECORD_OLDER)
		return flags & RECORD_REPLY ? ORIGIN_OLDER_REPLY : ORIGIN_OLDER_ORIGINAL;
	return flags & RECORD_REPLY && ports[n] == 53 ? ORIGIN_REPLY : ORIGIN_ORIGINAL;
}

static void packet(struct run *r, unsigned n, unsigned flags)
{
	unsigned place = take(r), len = take(r), side = flags & RECORD_REPLY ? 1 : 0;
	struct packet k = { .proto = n < FLOWS / 2 ? IPPROTO_TCP : IPPROTO_UDP, .origin = origin_of(n, flags) };
	struct outcome o;
	uint8_t *block;

	len |= take(r) << 8;
	len = len < r->left ? len : (unsigned)r->left;
	block = malloc(len ? len : 1);
	memcpy(block, r->p, len);
	r->p += len;
	r->left -= len;
	r->now_ms += clock_step(place);
	set_ends(r, &k, n, side);
	k.payload = block;
	k.payload_len = flags & RECORD_CUT ? len / 2 : len;
	k.payload_wire = len;
	k.checksum = flags & RECORD_BAD_SUM ? CHECKSUM_BAD : flags & RECORD_CUT ? CHECKSUM_UNKNOWN : CHECKSUM_GOOD;
	if (k.proto == IPPROTO_TCP) {
		k.tcp_flags = (flags & RECORD_SYN ? PACKET_SYN : PACKET_ACK) | (flags & RECORD_FIN ? PACKET_FIN : 0) |
			      (flags & RECORD_RESET ? PACKET_RST : 0);
		k.seq = r->flow[n].seq[side] + (uint32_t)distance(place);
		k.ack = flags & RECORD_SYN ? 0 : r->flow[n].seq[!side];
		r->flow[n].seq[side] = k.seq + len;
		if (distance(place) < -1000000)
			r->flow[n].blocked = false;	/* the ports are used again */
	}
	/* Our rules queue answers of DNS servers and older flows only; what the others say is known by its length. */
	if (!side || k.origin != ORIGIN_ORIGINAL) {
		if (len || (k.tcp_flags & (PACKET_SYN | PACKET_FIN | PACKET_RST))) {
			o = pipeline_packet(r->pipeline, &k, r->now_ms);
			check(r, n, &o);
		}
	}
	free(block);
}

/* What else happens to a pipeline: another policy and its second look, a flow's end. */
static void other(struct run *r, unsigned n)
{
	struct packet k = { .proto = n < FLOWS / 2 ? IPPROTO_TCP : IPPROTO_UDP };
	unsigned what = take(r);
	struct outcome o;
	uint32_t cursor = 0;

	if (what & 1) {
		set_ends(r, &k, n, false);
		pipeline_forget(r->pipeline, &k);
		r->flow[n].blocked = false;
		return;
	}
	pipeline_policy(r->pipeline, policy_of(what >> 1));
	do {
		while (pipeline_rejudge(r->pipeline, &cursor, 3, r->now_ms, 1700000000 + (int64_t)(r->now_ms / 1000), &o)) {
			assert(o.verdict == VERDICT_BLOCK && o.decision.action == ACTION_BLOCK);
			check_names(o.facts);
		}
	} while (cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run r;
	struct pipeline_config config = { .key = { 1, 2 } };
	unsigned settings;

	memset(&r, 0, sizeof(r));
	r.p = data;
	r.left = size;
	settings = take(&r);
	r.ipv6 = settings & SCRIPT_IPV6;
	r.lasting = !(settings & SCRIPT_SMALL_TABLE);
	config.flows = r.lasting ? 4 * FLOWS : 3;
	config.reassembly = settings & SCRIPT_SMALL_MEMORY ? 1 : 1 << 20;
	config.score = settings & SCRIPT_NO_SCORE ? NULL : score_new(config.key);
	r.pipeline = pipeline_new(&config);
	assert(r.pipeline);
	pipeline_policy(r.pipeline, policy_of(settings));
	while (r.left) {
		unsigned n = take(&r) % FLOWS, flags = take(&r);

		if (flags & RECORD_OTHER)
			other(&r, n);
		else
			packet(&r, n, flags);
	}
	assert(pipeline_flows(r.pipeline) <= config.flows);
	pipeline_free(r.pipeline);
	score_free(config.score);
	return 0;
}
