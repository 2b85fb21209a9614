/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixed inputs through the core, to be counted by callgrind: it counts what `measured` does and writes a profile at each of its
 * ends. Prints the names of the cases in the same order, and how often each was done. See instructions.py.
 * usage: instructions [CASE] */
#include "tests/bench/inputs.h"

#include "nfq/flow.h"
#include "tests/unit/quic_build.h"

#define TIMES 256
#define NAMES 10000
#define TEXT_MAX 2600

static struct pipeline *pipeline;
static struct policy *policy;
static struct name_set *names;
static struct flow_table *flows;
static struct inspect_scratch scratch;
static struct facts facts;
static char asked[TIMES][64];
static uint8_t text[TEXT_MAX], wire[TEXT_MAX];
static size_t text_len, wire_len;
static uint32_t flow;
static uint64_t sink;

static void put(uint32_t i, uint8_t proto, uint16_t port, size_t from, size_t to)
{
	struct packet p = inputs_packet(flow + i, proto, port, text + from, to - from);

	p.seq += (uint32_t)from;
	sink += (unsigned)pipeline_packet(pipeline, &p, 1000).verdict;
}

static void set_text(const char *bytes)
{
	text_len = strlen(bytes);
	memcpy(text, bytes, text_len);
}

static void make_hello(void)
{
	text_len = hello_make(text, UNLISTED, 32, 517, SEED);
}

static void make_large_hello(void)
{
	text_len = hello_make(text, UNLISTED, 1216, 1800, SEED);
}

static void make_nameless_hello(void)
{
	text_len = hello_make(text, NULL, 32, 517, SEED);
}

static void make_request(void)
{
	set_text(REQUEST);
}

static void make_subscribe(void)
{
	set_text(SUBSCRIBE);
}

static void make_login(void)
{
	set_text(LOGIN);
}

static void make_query(void)
{
	static const uint8_t query[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\3www\10unlisted\7example\0\0\1\0\1";

	text_len = sizeof(query) - 1;
	memcpy(text, query, text_len);
}

static void make_initial(void)
{
	struct quic_made q = { .version = QUIC_V1, .dcid_len = 8, .scid_len = 4, .dcid = "quiccid" };
	static uint8_t hello[1024], frames[1100];

	text_len = quic_make(&q, frames, quic_made_crypto(frames, 0, hello, quic_made_hello(hello, UNLISTED, 200)), 1200, text);
}

static void make_game(void)
{
	for (text_len = 0; text_len < 120; text_len++)
		text[text_len] = (uint8_t)(0x90 + text_len * 7 % 53);
}

/* Flows that were accepted, and what comes behind it before the server has answered. */
static void make_cleared(void)
{
	make_hello();
	for (uint32_t i = 0; i < TIMES; i++)
		put(i, IPPROTO_TCP, 443, 0, text_len);
	memcpy(text + text_len, "\x17\x03\x03\x00\x5f", 5);
	text_len += 100;
}

/* A masked text frame of a pool's protocol behind an Upgrade. */
static void make_frame(void)
{
	size_t n = strlen(SUBSCRIBE);

	set_text(UPGRADE);
	for (uint32_t i = 0; i < TIMES; i++)
		put(i, IPPROTO_TCP, 80, 0, text_len);
	text[text_len++] = 0x81;
	text[text_len++] = (uint8_t)(0x80 | n);
	memcpy(text + text_len, "\x11\x22\x33\x44", 4);
	for (size_t i = 0; i < n; i++)
		text[text_len + 4 + i] = (uint8_t)SUBSCRIBE[i] ^ (uint8_t)(0x11 * (i % 4 + 1));
	text_len += 4 + n;
}

static void whole_tls(uint32_t i)
{
	put(i, IPPROTO_TCP, 443, 0, text_len);
}

static void two_segments(uint32_t i)
{
	put(i, IPPROTO_TCP, 443, 0, 1400);
	put(i, IPPROTO_TCP, 443, 1400, text_len);
}

static void whole_http(uint32_t i)
{
	put(i, IPPROTO_TCP, 80, 0, text_len);
}

static void whole_pool(uint32_t i)
{
	put(i, IPPROTO_TCP, 3333, 0, text_len);
}

static void behind_hello(uint32_t i)
{
	put(i, IPPROTO_TCP, 443, text_len - 100, text_len);
}

static void behind_upgrade(uint32_t i)
{
	put(i, IPPROTO_TCP, 80, strlen(UPGRADE), text_len);
}

static void query(uint32_t i)
{
	put(i, IPPROTO_UDP, 53, 0, text_len);
}

static void initial(uint32_t i)
{
	put(i, IPPROTO_UDP, 443, 0, text_len);
}

static void game(uint32_t i)
{
	put(i, IPPROTO_UDP, 27015, 0, text_len);
}

static void inspect(uint32_t i)
{
	struct inspect_input in = { .p = text, .len = text_len, .side = SIDE_CLIENT, .dialects = policy_dialects(policy), .scratch = &scratch };

	(void)i;
	scratch.used = 0;
	sink += inspect_stream(&in, &facts) == INSPECT_MATCH;
}

static void parse(uint32_t i)
{
	struct packet p;

	(void)i;
	sink += packet_parse(wire, wire_len, false, &p) == PACKET_OK;
}

static void make_wire(void)
{
	static const uint8_t head[40] = { 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7,
					  0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18 };

	make_hello();
	memcpy(wire, head, sizeof(head));
	memcpy(wire + sizeof(head), text, text_len);
	wire_len = sizeof(head) + text_len;
	wire[2] = (uint8_t)(wire_len >> 8);
	wire[3] = (uint8_t)wire_len;
}

static void make_hits(void)
{
	for (uint32_t i = 0; i < TIMES; i++)
		inputs_name(asked[i], sizeof(asked[i]), i * 37 % NAMES, true);
}

static void make_misses(void)
{
	for (uint32_t i = 0; i < TIMES; i++)
		inputs_name(asked[i], sizeof(asked[i]), i * 37, false);
}

static void ask(uint32_t i)
{
	struct name_hit hit;

	sink += name_set_match(names, asked[i], strlen(asked[i]), &hit);
}

static struct flow_key key_of(uint32_t i)
{
	struct packet p = inputs_packet(i, IPPROTO_TCP, 443, NULL, 0);
	struct flow_key key = { .family = 4, .proto = IPPROTO_TCP, .sport = p.sport, .dport = p.dport };

	memcpy(key.src, p.src, sizeof(key.src));
	memcpy(key.dst, p.dst, sizeof(key.dst));
	return key;
}

static void make_flows(void)
{
	bool fresh;

	for (uint32_t i = 0; i < NAMES; i++) {
		struct flow_key key = key_of(i);

		flow_get(flows, &key, flow_expect(flows, &key), 1000, &fresh);
	}
}

static void look_up(uint32_t i)
{
	struct flow_key key = key_of(i * 39);

	sink += flow_find(flows, &key) != NULL;
}

static const struct {
	const char *name;
	void (*make)(void), (*once)(uint32_t i);
} cases[] = {
	{ "parse_packet", make_wire, parse },
	{ "inspect_hello", make_hello, inspect },
	{ "inspect_hello_large", make_large_hello, inspect },
	{ "inspect_request", make_request, inspect },
	{ "inspect_subscribe", make_subscribe, inspect },
	{ "inspect_login", make_login, inspect },
	{ "packet_hello", make_hello, whole_tls },
	{ "packet_hello_large_in_two", make_large_hello, two_segments },
	{ "packet_hello_nameless", make_nameless_hello, whole_tls },
	{ "packet_request", make_request, whole_http },
	{ "packet_subscribe", make_subscribe, whole_pool },
	{ "packet_login", make_login, whole_pool },
	{ "packet_websocket_frame", make_frame, behind_upgrade },
	{ "packet_cleared", make_cleared, behind_hello },
	{ "packet_dns_query", make_query, query },
	{ "packet_quic_initial", make_initial, initial },
	{ "packet_udp_unknown", make_game, game },
	{ "name_hit_10k", make_hits, ask },
	{ "name_miss_10k", make_misses, ask },
	{ "flow_look_up_10k", make_flows, look_up },
};

/* What is counted. */
__attribute__((noinline)) void measured(void (*once)(uint32_t i));

void measured(void (*once)(uint32_t i))
{
	for (uint32_t i = 0; i < TIMES; i++)
		once(i);
}

int main(int n, char **v)
{
	struct pipeline_config config = { .flows = 16384, .reassembly = 32 << 20, .key = { 1, 2 }, .start = inputs_start };
	const uint64_t key[2] = { 1, 2 };

	policy = inputs_policy(NAMES);
	pipeline = pipeline_new(&config);
	names = inputs_names(NAMES);
	flows = flow_table_new(NAMES, 1 << 20, key);
	if (!pipeline || !flows)
		inputs_die("no memory");
	pipeline_policy(pipeline, policy);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (n > 1 && strcmp(v[1], cases[i].name))
			continue;
		/* once before, on flows of their own: whatever is done at first use is done */
		flow = (uint32_t)(2 * i * TIMES);
		cases[i].make();
		for (uint32_t k = 0; k < TIMES; k++)
			cases[i].once(k);
		flow += TIMES;
		cases[i].make();
		measured(cases[i].once);
		printf("%s %d\n", cases[i].name, TIMES);
	}
	pipeline_free(pipeline);
	flow_table_free(flows);
	name_set_free(names);
	policy_free(policy);
	return sink == UINT64_MAX;
}
