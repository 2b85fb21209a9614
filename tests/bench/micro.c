/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nanoseconds of the core's parts, each the median of many short runs of CPU time, and how the cost of a packet grows with flows,
 * names and endpoints. Prints one JSON object. */
#include <time.h>

#include "daemon/tenants.h"
#include "nfq/flow.h"
#include "tests/bench/inputs.h"

#define RUNS 15
#define SCALES 4
#define TURNS 5
#define QUERIES 65536u

static const uint32_t scales[SCALES] = { 1000, 10000, 100000, 1000000 };
static const uint64_t key[2] = { 1, 2 };
static struct inspect_scratch scratch;
static const struct dialect_table *dialects;
static uint64_t sink;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median of the runs, for one of `n` turns. */
static double timed(void (*run)(void *arg, uint32_t n), void *arg, uint32_t n)
{
	double took[RUNS];

	run(arg, n);
	for (int i = 0; i < RUNS; i++) {
		double begin = now_ns();

		run(arg, n);
		took[i] = (now_ns() - begin) / n;
	}
	qsort(took, RUNS, sizeof(took[0]), by_value);
	return took[RUNS / 2];
}

static double least(double a, double b)
{
	return a > 0 && a < b ? a : b;
}

struct text {
	const uint8_t *p;
	size_t len;
};

static void inspect(void *arg, uint32_t n)
{
	static struct facts facts;
	const struct text *t = arg;
	struct inspect_input in = { .p = t->p, .len = t->len, .side = SIDE_CLIENT, .dialects = dialects, .scratch = &scratch };

	for (uint32_t i = 0; i < n; i++) {
		scratch.used = 0;
		sink += inspect_stream(&in, &facts) == INSPECT_MATCH;
	}
}

/* Questions in an order that no cache foresees. */
struct asked {
	struct name_set *set;
	char (*names)[64];
	uint32_t at;
};

static void match(void *arg, uint32_t n)
{
	struct asked *a = arg;
	struct name_hit hit;

	for (uint32_t i = 0; i < n; i++, a->at = (a->at + 1) % QUERIES)
		sink += name_set_match(a->set, a->names[a->at], strlen(a->names[a->at]), &hit);
}

static double name_ns(struct name_set *set, uint32_t n, bool listed)
{
	struct asked a = { set, calloc(QUERIES, 64), 0 };
	double ns;

	if (!a.names)
		inputs_die("no memory");
	for (uint32_t i = 0; i < QUERIES; i++)
		inputs_name(a.names[i], 64, (uint32_t)((uint64_t)i * 2246822519u % n), listed);
	ns = timed(match, &a, QUERIES / 4);
	free(a.names);
	return ns;
}

static struct flow_key key_of(uint32_t i)
{
	struct packet p = inputs_packet(i, IPPROTO_TCP, 443, NULL, 0);
	struct flow_key k = { .family = 4, .proto = IPPROTO_TCP, .sport = p.sport, .dport = p.dport };

	memcpy(k.src, p.src, sizeof(k.src));
	memcpy(k.dst, p.dst, sizeof(k.dst));
	return k;
}

struct lookup {
	struct flow_table *table;
	struct flow_key *keys;
};

static void look_up(void *arg, uint32_t n)
{
	struct lookup *l = arg;

	for (uint32_t i = 0; i < n; i++)
		sink += flow_find(l->table, &l->keys[i]) != NULL;
}

static double flow_ns(uint32_t flows)
{
	struct lookup l = { flow_table_new(flows, 1 << 20, key), calloc(QUERIES, sizeof(struct flow_key)) };
	bool fresh;
	double ns;

	if (!l.table || !l.keys)
		inputs_die("no memory");
	for (uint32_t i = 0; i < flows; i++) {
		struct flow_key k = key_of(i);

		flow_get(l.table, &k, flow_expect(l.table, &k), 1000, &fresh);
	}
	for (uint32_t i = 0; i < QUERIES; i++)
		l.keys[i] = key_of((uint32_t)((uint64_t)i * 2246822519u % flows));
	ns = timed(look_up, &l, QUERIES);
	flow_table_free(l.table);
	free(l.keys);
	return ns;
}

/* New connections into a table that holds as many already. */
struct visitors {
	struct pipeline *pipeline;
	uint8_t hello[600];
	size_t len;
	uint32_t next;
};

static void connect_new(void *arg, uint32_t n)
{
	struct visitors *s = arg;

	for (uint32_t i = 0; i < n; i++) {
		struct packet p = inputs_packet(s->next++, IPPROTO_TCP, 443, s->hello, s->len);

		pipeline_expect(s->pipeline, &p);
		sink += (unsigned)pipeline_packet(s->pipeline, &p, 1000).verdict;
	}
}

static double packet_ns(const struct policy *policy, uint32_t flows)
{
	struct pipeline_config config = { .flows = flows, .reassembly = 16 << 20, .key = { 1, 2 }, .start = inputs_start };
	struct visitors s = { .pipeline = pipeline_new(&config) };
	double ns;

	if (!s.pipeline)
		inputs_die("no memory");
	s.len = hello_make(s.hello, UNLISTED, 32, 517, SEED);
	pipeline_policy(s.pipeline, policy);
	connect_new(&s, flows);
	ns = timed(connect_new, &s, 20000);
	pipeline_free(s.pipeline);
	return ns;
}

static void endpoint(void *arg, uint32_t n)
{
	struct tenants *t = arg;

	for (uint32_t i = 0; i < n; i++) {
		struct packet p = inputs_packet(i * 7919, IPPROTO_TCP, 443, NULL, 0);

		sink += tenants_harmless(t, p.dst, p.proto, p.dport);
	}
}

static double endpoint_ns(uint32_t endpoints)
{
	struct tenants *t = tenants_new(key);
	double ns;

	if (!t)
		inputs_die("no memory");
	for (uint32_t i = 0; i < endpoints; i++) {
		struct packet p = inputs_packet(i, IPPROTO_TCP, 443, NULL, 0);

		tenants_teach(t, p.dst, p.proto, p.dport);
	}
	ns = timed(endpoint, t, 20000);
	tenants_free(t);
	return ns;
}

/* Per packet: the judging of a new connection and what is asked of the endpoints behind it. */
struct grown {
	double flows, names, endpoints;
};

static void grow(struct grown *g, uint32_t scale, const struct policy *small)
{
	struct policy *p = inputs_policy(scale);

	g->flows = least(g->flows, packet_ns(small, scale));
	g->names = least(g->names, packet_ns(p, 65536));
	g->endpoints = least(g->endpoints, packet_ns(small, 65536) + endpoint_ns(scale < 65536 ? scale : 65536));
	policy_free(p);
}

/* The scales in turn, and the least of the turns of each: what else the machine does only adds, and never to all of them alike. */
static void print_growth(void)
{
	struct policy *small = inputs_policy(10000);
	struct grown g[SCALES] = { 0 };

	for (int turn = 0; turn < TURNS; turn++)
		for (int i = 0; i < SCALES; i++)
			grow(&g[i], scales[i], small);
	printf("\"growth\": {");
	for (int i = 0; i < SCALES; i++)
		printf("%s\"%u\": {\"flows_ns\": %.1f, \"names_ns\": %.1f, \"endpoints_ns\": %.1f}", i ? ", " : "", scales[i], g[i].flows,
		       g[i].names, g[i].endpoints);
	printf("}");
	policy_free(small);
}

/* Flows that begin and never go on, each from another source: what the kernel's rules would queue of such a flood. */
static const struct {
	const char *name, *bytes;
	size_t len;
	uint8_t proto, flags;
	uint16_t port;
} floods[] = {
	{ "syn_data", "data in a SYN", 13, IPPROTO_TCP, PACKET_SYN, 443 },
	{ "udp", "\x91what no inspector knows", 24, IPPROTO_UDP, 0, 27015 },
	{ "half_hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half", 15, IPPROTO_TCP, PACKET_ACK, 443 },
};

#define KNOWN 1000u		/* flows that were judged and go on */
#define FLOOD_STEP 16000u	/* packets between two rounds of them: fewer than the table has room for */
#define FLOOD_ROUNDS 31

static size_t resident_kb(void)
{
	char line[128];
	size_t kb = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %zu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

/* A round of the known flows: nanoseconds a packet. Each must still be known. */
static double known_ns(struct pipeline *p, bool first)
{
	static uint8_t hello[600];
	size_t len = hello_make(hello, UNLISTED, 32, 517, SEED);
	double begin = now_ns();

	for (uint32_t i = 0; i < KNOWN; i++) {
		struct packet k = inputs_packet(i, IPPROTO_TCP, 443, first ? hello : (const uint8_t *)"\x17\x03\x03\0\x5f", first ? len : 5);

		k.seq += first ? 0 : 20000;
		if (pipeline_packet(p, &k, 1000).verdict != VERDICT_CLEAR)
			inputs_die("a known flow was forgotten");
	}
	return (now_ns() - begin) / KNOWN;
}

static void flood(struct pipeline *p, size_t kind, uint32_t from)
{
	for (uint32_t i = from; i < from + FLOOD_STEP; i++) {
		struct packet k = inputs_packet(KNOWN + i, floods[kind].proto, floods[kind].port, floods[kind].bytes, floods[kind].len);

		k.tcp_flags = floods[kind].flags;
		sink += (unsigned)pipeline_packet(p, &k, 1000).verdict;
	}
}

/* What half a million packets of a flood do to the flows that are there, and to memory once the table is full. */
static void print_flood(const struct policy *policy, size_t kind)
{
	struct pipeline_config config = { .flows = 65536, .reassembly = 16 << 20, .key = { 1, 2 }, .start = inputs_start };
	struct pipeline *p = pipeline_new(&config);
	double quiet[FLOOD_ROUNDS], during[FLOOD_ROUNDS];
	size_t full = 0;

	if (!p)
		inputs_die("no memory");
	pipeline_policy(p, policy);
	known_ns(p, true);
	for (int i = 0; i < FLOOD_ROUNDS; i++)
		quiet[i] = known_ns(p, false);
	for (uint32_t i = 0; i < FLOOD_ROUNDS; i++) {
		flood(p, kind, i * FLOOD_STEP);
		during[i] = known_ns(p, false);
		if (i == FLOOD_ROUNDS / 3)
			full = resident_kb();
	}
	qsort(quiet, FLOOD_ROUNDS, sizeof(quiet[0]), by_value);
	qsort(during, FLOOD_ROUNDS, sizeof(during[0]), by_value);
	printf("%s\"%s\": {\"quiet_ns\": %.1f, \"during_ns\": %.1f, \"grown_kb\": %zd, \"flows\": %u}", kind ? ", " : "", floods[kind].name,
	       quiet[FLOOD_ROUNDS / 2], during[FLOOD_ROUNDS / 2], (ssize_t)(resident_kb() - full), pipeline_flows(p));
	pipeline_free(p);
}

static void print_floods(void)
{
	struct policy *policy = inputs_policy(10000);

	printf("\"floods\": {");
	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++)
		print_flood(policy, i);
	printf("}, ");
	policy_free(policy);
}

/* A million flows at a time, all in the memory that the table was given: resident bytes for each of them. */
static void print_million(void)
{
	struct pipeline_config config = { .flows = 1000000, .reassembly = 16 << 20, .key = { 1, 2 }, .start = inputs_start };
	size_t before = resident_kb();
	struct policy *policy = inputs_policy(1000);
	struct visitors s = { .pipeline = pipeline_new(&config) };

	if (!s.pipeline)
		inputs_die("no memory");
	s.len = hello_make(s.hello, UNLISTED, 32, 517, SEED);
	pipeline_policy(s.pipeline, policy);
	connect_new(&s, config.flows);
	if (pipeline_flows(s.pipeline) != config.flows)
		inputs_die("not a million flows");
	printf("\"million\": {\"flows\": %u, \"resident_mb\": %.1f}, ", pipeline_flows(s.pipeline),
	       (double)(resident_kb() - before) / 1024);
	pipeline_free(s.pipeline);
	policy_free(policy);
}

static void print_names(void)
{
	struct name_set *few = inputs_names(10000), *many = inputs_names(1000000);

	printf("\"name_hit_10k\": %.1f, \"name_miss_10k\": %.1f, ", name_ns(few, 10000, true), name_ns(few, 10000, false));
	printf("\"name_hit_1m\": %.1f, \"name_miss_1m\": %.1f, ", name_ns(many, 1000000, true), name_ns(many, 1000000, false));
	name_set_free(few);
	name_set_free(many);
}

/* All in turns, and the least of each, as for the growth. */
static void print_inspectors(void)
{
	static uint8_t hello[600], large[2600];
	struct text whole = { hello, hello_make(hello, UNLISTED, 32, 517, SEED) };
	struct text post_quantum = { large, hello_make(large, UNLISTED, 1216, 1800, SEED) };
	struct text subscribe = { (const uint8_t *)SUBSCRIBE, strlen(SUBSCRIBE) }, login = { (const uint8_t *)LOGIN, strlen(LOGIN) };

	const struct {
		const char *name;
		struct text *text;
		uint32_t n;
	} parts[] = { { "hello", &whole, 20000 }, { "hello_large", &post_quantum, 20000 }, { "subscribe", &subscribe, 5000 }, { "login", &login, 5000 } };
	double ns[sizeof(parts) / sizeof(parts[0])] = { 0 };

	for (int turn = 0; turn < TURNS; turn++)
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			ns[i] = least(ns[i], timed(inspect, parts[i].text, parts[i].n));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		printf("\"%s_ns\": %.1f, ", parts[i].name, ns[i]);
}

int main(void)
{
	struct policy *policy = policy_builtin();

	dialects = policy_dialects(policy);
	printf("{");
	print_inspectors();
	printf("\"flow_ns\": %.1f, ", flow_ns(65536));
	print_names();
	print_million();
	print_floods();
	print_growth();
	printf("}\n");
	policy_free(policy);
	return sink == UINT64_MAX;
}
