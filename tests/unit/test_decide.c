/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judgements: which rule wins, what it says of itself, and what it teaches the kernel. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/rules.h"

#define V "version: 1\nmode: enforce\n"

/* A policy from text, with the names of `list` as the list "web" of the file's lines. */
static struct policy *policy_of(const char *text, const char *list)
{
	struct policy_error error;
	struct policy *p = rules_new();
	struct list_counts counts;

	assert_non_null(p);
	if (schema_read(p, "p.yaml", "p.yaml", text, strlen(text), &error))
		fail_msg("%s", error.text);
	if (list) {
		p->lists[0].name = strdup("web");
		p->lists[0].action = DETECT_BLOCK;
		p->n_lists = 1;
		assert_int_equal(list_read(p->block_names, 1, LIST_AUTO, list, strlen(list), &counts), 0);
	}
	assert_int_equal(name_set_seal(p->block_names), 0);
	assert_int_equal(name_set_seal(p->allow_names), 0);
	assert_int_equal(name_set_seal(p->excepted_names), 0);
	address_set_seal(&p->block_addresses);
	address_set_seal(&p->allow_addresses);
	address_set_seal(&p->allow_hosts);
	address_set_seal(&p->shared);
	return p;
}

static void set_address(uint8_t to[16], const char *text)
{
	if (inet_pton(AF_INET6, text, to) == 1)
		return;
	memcpy(to, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	assert_int_equal(inet_pton(AF_INET, text, to + 12), 1);
}

static struct subject who(const char *src, const char *dst, uint16_t dport)
{
	struct subject s = { .sport = 40000, .dport = dport, .proto = IPPROTO_TCP };

	set_address(s.src, src);
	set_address(s.dst, dst);
	return s;
}

static void add_name(struct facts *f, enum name_kind kind, const char *text)
{
	struct view view = { (const uint8_t *)text, strlen(text) };

	f->names[f->n_names++] = (struct name_fact) { .kind = kind, .matchable = true, .text = view, .host = view };
}

/* The facts are too big to be made for each line below. */
static struct facts facts;

static const struct facts *named(enum name_kind kind, const char *name)
{
	memset(&facts, 0, sizeof(facts));
	facts.app = kind == NAME_TLS_SNI ? APP_TLS : APP_HTTP;
	add_name(&facts, kind, name);
	return &facts;
}

/* Whatever asks for it, over TLS. */
static struct decision by_name(const struct policy *p, const char *name)
{
	struct subject s = who("192.168.1.7", "203.0.113.9", 443);

	return policy_decide(p, &s, named(NAME_TLS_SNI, name));
}

static const struct facts *mining(void)
{
	memset(&facts, 0, sizeof(facts));
	facts.app = APP_STRATUM;
	facts.mining = true;
	return &facts;
}

static void check(struct decision d, enum action action, enum evidence evidence, enum scope scope, unsigned timeout_s,
		  const char *rule)
{
	assert_int_equal(d.action, action);
	assert_int_equal(d.evidence, evidence);
	assert_int_equal(d.scope, scope);
	assert_int_equal(d.timeout_s, timeout_s);
	if (rule)
		assert_string_equal(d.rule, rule);
	else
		assert_null(d.rule);
}

static void test_addresses(void **state)
{
	struct policy *p = policy_of(V "block: {addresses: [198.51.100.0/24, \"[2001:db8::7]:3333\"]}\n"
				     "allow: {hosts: [192.168.1.50], addresses: [198.51.100.9, \"198.51.100.8:443\"]}\n", NULL);
	struct subject s = who("192.168.1.2", "198.51.100.7", 1);
	struct decision d = policy_decide_address(p, &s);

	(void)state;
	check(d, ACTION_BLOCK, EVIDENCE_ADDRESS, SCOPE_ENDPOINT, 3600, "block.addresses");
	assert_string_equal(d.entry, "198.51.100.0/24");
	assert_int_equal(d.line, 3);
	assert_null(d.list);
	s = who("192.168.1.50", "198.51.100.7", 1);
	check(policy_decide_address(p, &s), ACTION_ALLOW, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "allow.hosts");
	s = who("192.168.1.2", "198.51.100.9", 1);
	check(policy_decide_address(p, &s), ACTION_ALLOW, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "allow.addresses");
	s = who("192.168.1.2", "198.51.100.8", 443);
	check(policy_decide_address(p, &s), ACTION_ALLOW, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "allow.addresses");
	s = who("192.168.1.2", "198.51.100.8", 444);
	check(policy_decide_address(p, &s), ACTION_BLOCK, EVIDENCE_ADDRESS, SCOPE_ENDPOINT, 3600, "block.addresses");
	s = who("2001:db8:1::2", "2001:db8::7", 3333);
	check(policy_decide_address(p, &s), ACTION_BLOCK, EVIDENCE_ADDRESS, SCOPE_ENDPOINT, 3600, "block.addresses");
	s = who("2001:db8:1::2", "2001:db8::7", 3334);
	check(policy_decide_address(p, &s), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	policy_free(p);
}

static void test_names(void **state)
{
	struct policy *p = policy_of(V "block: {names: [pool.example]}\nallow: {names: [mine.pool.example, wide.example]}\n",
				     "web.example\nx.wide.example\n");
	struct subject s = who("192.168.1.2", "203.0.113.7", 443);
	const struct facts *f = named(NAME_TLS_SNI, "A.Pool.example");
	struct decision d = policy_decide(p, &s, f);

	(void)state;
	check(d, ACTION_BLOCK, EVIDENCE_NAME, SCOPE_PAIR, 600, "block.names");
	assert_ptr_equal(d.name, &f->names[0]);
	assert_string_equal(d.entry, "pool.example");
	assert_int_equal(d.line, 3);
	assert_null(d.list);
	d = policy_decide(p, &s, named(NAME_HTTP_HOST, "web.example"));
	check(d, ACTION_BLOCK, EVIDENCE_NAME, SCOPE_PAIR, 600, "list");
	assert_string_equal(d.list, "web");
	assert_int_equal(d.line, 1);
	check(policy_decide(p, &s, named(NAME_SOCKS, "web.example")), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_PAIR, 600, "list");
	check(policy_decide(p, &s, named(NAME_QUIC_SNI, "web.example")), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_PAIR, 600, "list");
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "www.example")), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	/* Allow wins over a block entry above it, and over one below it. */
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "eu.mine.pool.example")), ACTION_ALLOW, EVIDENCE_NAME, SCOPE_FLOW, 0,
	      "allow.names");
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "x.wide.example")), ACTION_ALLOW, EVIDENCE_NAME, SCOPE_FLOW, 0,
	      "allow.names");
	/* ... but only for its own name. */
	named(NAME_HTTP_HOST, "wide.example");
	add_name(&facts, NAME_HTTP_HOST, "pool.example");
	d = policy_decide(p, &s, &facts);
	check(d, ACTION_BLOCK, EVIDENCE_NAME, SCOPE_PAIR, 600, "block.names");
	assert_ptr_equal(d.name, &facts.names[1]);
	/* ... and only for this request where another may follow. */
	named(NAME_HTTP_HOST, "wide.example");
	facts.again = AGAIN_SAME;
	check(policy_decide(p, &s, &facts), ACTION_NONE, EVIDENCE_NAME, SCOPE_FLOW, 0, "allow.names");
	facts.again = AGAIN_FRESH;
	check(policy_decide(p, &s, &facts), ACTION_ALLOW, EVIDENCE_NAME, SCOPE_FLOW, 0, "allow.names");
	named(NAME_TLS_SNI, "pool.example");
	facts.names[0].matchable = false;
	check(policy_decide(p, &s, &facts), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	memset(&facts, 0, sizeof(facts));
	check(policy_decide(p, &s, &facts), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	check(by_name(p, "POOL.example."), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_PAIR, 600, "block.names");
	check(by_name(p, "wide.example"), ACTION_ALLOW, EVIDENCE_NAME, SCOPE_FLOW, 0, "allow.names");
	check(by_name(p, "notpool.example"), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	policy_free(p);
}

static void test_protocol(void **state)
{
	struct policy *p = policy_of(V "block: {names: [pool.example], timeout: {endpoint: 2h}}\n"
				     "allow: {hosts: [192.168.1.50], addresses: [198.51.100.9]}\n", NULL);
	struct subject s = who("192.168.1.2", "203.0.113.7", 443);

	(void)state;
	check(policy_decide(p, &s, mining()), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_ENDPOINT, 7200, "detect.stratum");
	mining();
	add_name(&facts, NAME_HTTP_HOST, "pool.example");
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_ENDPOINT, 7200, "detect.stratum");
	s = who("192.168.1.50", "203.0.113.7", 443);
	check(policy_decide(p, &s, mining()), ACTION_ALLOW, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "allow.hosts");
	s = who("192.168.1.2", "198.51.100.9", 443);
	check(policy_decide(p, &s, mining()), ACTION_ALLOW, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "allow.addresses");
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "pool.example")), ACTION_ALLOW, EVIDENCE_ADDRESS, SCOPE_FLOW, 0,
	      "allow.addresses");
	policy_free(p);
	p = policy_of(V "detect: {stratum: monitor}\nblock: {names: [pool.example]}\n", NULL);
	s = who("192.168.1.2", "203.0.113.7", 443);
	check(policy_decide(p, &s, mining()), ACTION_MONITOR, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.stratum");
	/* A name that blocks is stronger than a protocol that is only watched. */
	mining();
	add_name(&facts, NAME_HTTP_HOST, "pool.example");
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_PAIR, 600, "block.names");
	policy_free(p);
	p = policy_of(V "detect: {stratum: off}\n", NULL);
	check(policy_decide(p, &s, mining()), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	policy_free(p);
}

static const struct facts *of_kind(enum mining_kind kind)
{
	mining();
	facts.stratum.kind = kind;
	return &facts;
}

/* Work asked of a node is only watched, and nodes are let be, unless the policy says more. */
static void test_kinds(void **state)
{
	struct policy *p = policy_of(V, NULL);
	struct subject s = who("192.168.1.2", "203.0.113.7", 8332);

	(void)state;
	check(policy_decide(p, &s, of_kind(MINING_GETWORK)), ACTION_MONITOR, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.getwork");
	check(policy_decide(p, &s, of_kind(MINING_NODE)), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	policy_free(p);
	p = policy_of(V "detect: {stratum: off, getwork: block, node: {action: block, scope: pair}}\n", NULL);
	check(policy_decide(p, &s, of_kind(MINING_GETWORK)), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_ENDPOINT, 3600, "detect.getwork");
	check(policy_decide(p, &s, of_kind(MINING_NODE)), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_PAIR, 600, "detect.node");
	check(policy_decide(p, &s, of_kind(MINING_STRATUM)), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	policy_free(p);
	/* a rule about mining does not mean nodes, unless it names them */
	p = policy_of(V "rules: [{name: strict, from: [192.168.1.0/24], action: block}]\n", NULL);
	check(policy_decide(p, &s, of_kind(MINING_NODE)), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	policy_free(p);
	p = policy_of(V "rules: [{name: nodes, to: {detectors: [node]}, action: block}]\n", NULL);
	check(policy_decide(p, &s, of_kind(MINING_NODE)), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_ENDPOINT, 3600, "rules.nodes");
	check(policy_decide(p, &s, of_kind(MINING_GETWORK)), ACTION_MONITOR, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.getwork");
	policy_free(p);
	p = policy_of(V "detect: {node: monitor}\n", NULL);
	check(policy_decide(p, &s, of_kind(MINING_NODE)), ACTION_MONITOR, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.node");
	policy_free(p);
}

static void test_detect(void **state)
{
	struct policy *p = policy_of(V "detect: {tls: off, http: {action: monitor, scope: endpoint}}\n"
				     "block: {names: [pool.example]}\n", NULL);
	struct subject s = who("192.168.1.2", "203.0.113.7", 443);

	(void)state;
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "pool.example")), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	check(policy_decide(p, &s, named(NAME_HTTP_HOST, "pool.example")), ACTION_MONITOR, EVIDENCE_NAME, SCOPE_FLOW, 0,
	      "block.names");
	check(policy_decide(p, &s, named(NAME_CONNECT, "pool.example")), ACTION_MONITOR, EVIDENCE_NAME, SCOPE_FLOW, 0,
	      "block.names");
	policy_free(p);
}

/* A DNS message teaches nothing, an answer is its question's, and a name that DNS gave a TLS flow's address is TLS' business. */
static void test_dns(void **state)
{
	struct policy *p = policy_of(V "detect: {tls: monitor, dns: {action: block, answer: refused}}\nallow: {names: [good.example]}\n"
				     "block: {names: [pool.example], scope: endpoint}\n", NULL);
	struct subject s = who("192.168.1.2", "203.0.113.7", 53);
	struct facts m = *named(NAME_DNS, "pool.example");

	(void)state;
	assert_true(p->settings.dns_refused);
	check(policy_decide(p, &s, &m), ACTION_MONITOR, EVIDENCE_NAME, SCOPE_FLOW, 0, "block.names");
	m.app = APP_DNS;
	check(policy_decide(p, &s, &m), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_FLOW, 0, "block.names");
	m.names[1] = m.names[0];
	m.names[0] = named(NAME_DNS, "good.example")->names[0];
	m.n_names = 2;
	check(policy_decide(p, &s, &m), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_FLOW, 0, "block.names");
	m.dns.response = true;
	check(policy_decide(p, &s, &m), ACTION_ALLOW, EVIDENCE_NAME, SCOPE_FLOW, 0, "allow.names");
	policy_free(p);
}

static void test_telltale(void **state)
{
	struct policy *p = policy_of(V "allow: {names: [donate.ssl.xmrig.com]}\n", "donate.v2.xmrig.com\nxmrig.com\n");
	struct subject s = who("192.168.1.2", "203.0.113.7", 443);
	struct decision d = policy_decide(p, &s, named(NAME_TLS_SNI, "Donate.V9.xmrig.com."));

	(void)state;
	check(d, ACTION_BLOCK, EVIDENCE_NAME, SCOPE_PAIR, 600, "list");
	assert_true(d.telltale);
	d = policy_decide(p, &s, named(NAME_TLS_SNI, "www.xmrig.com"));
	assert_true(d.action == ACTION_BLOCK && !d.telltale);
	d = policy_decide(p, &s, named(NAME_TLS_SNI, "donate.ssl.xmrig.com"));
	assert_true(d.action == ACTION_ALLOW && !d.telltale);
	policy_free(p);
	p = policy_of(V, NULL);
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "donate.v2.xmrig.com")), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_PAIR, 600, "telltale");
	assert_non_null(policy_telltale("x.donate.v2.xmrig.com.", 22));
	assert_null(policy_telltale("donate.xmrig.com", 16));
	assert_null(policy_telltale("donate..xmrig.com", 17));
	assert_null(policy_telltale("", 0));
	policy_free(p);
}

static void test_scope(void **state)
{
	struct policy *p = policy_of(V "block: {names: [pool.example], addresses: [198.51.100.7], scope: flow}\n", NULL);
	struct subject s = who("192.168.1.2", "198.51.100.7", 443);

	(void)state;
	check(policy_decide_address(p, &s), ACTION_BLOCK, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "block.addresses");
	check(policy_decide(p, &s, mining()), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.stratum");
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "pool.example")), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_FLOW, 0,
	      "block.names");
	policy_free(p);
	p = policy_of(V "block: {names: [pool.example], addresses: [198.51.100.7], scope: endpoint}\n"
		      "detect: {stratum: {scope: pair}, http: {scope: flow}}\nshared: [203.0.113.0/24]\n", NULL);
	check(policy_decide_address(p, &s), ACTION_BLOCK, EVIDENCE_ADDRESS, SCOPE_ENDPOINT, 3600, "block.addresses");
	check(policy_decide(p, &s, mining()), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_PAIR, 600, "detect.stratum");
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "pool.example")), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_ENDPOINT, 3600,
	      "block.names");
	check(policy_decide(p, &s, named(NAME_HTTP_HOST, "pool.example")), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_FLOW, 0,
	      "block.names");
	/* Shared ranges are never learnt by name, whatever the scope; by protocol they are. */
	s = who("192.168.1.2", "203.0.113.7", 443);
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "pool.example")), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_FLOW, 0,
	      "block.names");
	check(policy_decide(p, &s, mining()), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_PAIR, 600, "detect.stratum");
	policy_free(p);
}

/* What HTTP or a WebSocket carries may stand behind a CDN. */
static void test_carried(void **state)
{
	struct policy *p = policy_of(V "shared: [203.0.113.0/24]\nallow: {names: [good.example]}\nblock: {names: [pool.example]}\n", NULL);
	struct subject s = who("192.168.1.2", "198.51.100.7", 443);

	(void)state;
	mining();
	facts.stratum.carrier = CARRIER_WEBSOCKET;
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_PAIR, 600, "detect.stratum");
	facts.tunnelled = true;
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.stratum");
	facts.tunnelled = false;
	s = who("192.168.1.2", "203.0.113.7", 443);
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.stratum");
	facts.stratum.kind = MINING_GETWORK;
	check(policy_decide(p, &s, &facts), ACTION_MONITOR, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.getwork");
	/* the Host of the same request: a listed one is the worse, an allowed one allows */
	add_name(&facts, NAME_HTTP_HOST, "pool.example");
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_FLOW, 0, "block.names");
	mining();
	facts.stratum.carrier = CARRIER_HTTP;
	add_name(&facts, NAME_HTTP_HOST, "good.example");
	check(policy_decide(p, &s, &facts), ACTION_ALLOW, EVIDENCE_NAME, SCOPE_FLOW, 0, "allow.names");
	facts.again = AGAIN_SAME;
	check(policy_decide(p, &s, &facts), ACTION_NONE, EVIDENCE_NAME, SCOPE_FLOW, 0, "allow.names");
	facts.again = AGAIN_WHOLE;
	facts.next = APP_HTTP2;
	check(policy_decide(p, &s, &facts), ACTION_NONE, EVIDENCE_NAME, SCOPE_FLOW, 0, "allow.names");
	facts.next = APP_HTTP_BODY;
	check(policy_decide(p, &s, &facts), ACTION_ALLOW, EVIDENCE_NAME, SCOPE_FLOW, 0, "allow.names");
	policy_free(p);
	p = policy_of(V "detect: {stratum: {scope: endpoint}, getwork: block}\n", NULL);
	mining();
	facts.stratum.carrier = CARRIER_HTTP;
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_ENDPOINT, 3600, "detect.stratum");
	facts.stratum.kind = MINING_GETWORK;
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_PAIR, 600, "detect.getwork");
	policy_free(p);
}

static void test_monitor(void **state)
{
	struct policy *p = policy_of("version: 1\nblock: {names: [pool.example], addresses: [198.51.100.7]}\n"
				     "allow: {names: [good.example]}\n", NULL);
	struct subject s = who("192.168.1.2", "198.51.100.7", 443);

	(void)state;
	check(policy_decide_address(p, &s), ACTION_MONITOR, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "block.addresses");
	check(policy_decide(p, &s, mining()), ACTION_MONITOR, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.stratum");
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "pool.example")), ACTION_MONITOR, EVIDENCE_NAME, SCOPE_FLOW, 0,
	      "block.names");
	check(policy_decide(p, &s, named(NAME_TLS_SNI, "good.example")), ACTION_ALLOW, EVIDENCE_NAME, SCOPE_FLOW, 0,
	      "allow.names");
	check(by_name(p, "pool.example"), ACTION_MONITOR, EVIDENCE_NAME, SCOPE_FLOW, 0, "block.names");
	policy_free(p);
	p = policy_builtin();
	check(policy_decide(p, &s, mining()), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_ENDPOINT, 3600, "detect.stratum");
	policy_free(p);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(evidence_text(EVIDENCE_ADDRESS), "address");
	assert_string_equal(evidence_text(EVIDENCE_NAME), "name");
	assert_string_equal(evidence_text(EVIDENCE_PROTOCOL), "protocol");
	assert_string_equal(scope_text(SCOPE_FLOW), "flow");
	assert_string_equal(scope_text(SCOPE_PAIR), "pair");
	assert_string_equal(scope_text(SCOPE_ENDPOINT), "endpoint");
}

/* A temporary allowance wins over names, addresses and protocol, and leaves the policy that it stands on as it was. */
static void test_allowing(void **state)
{
	static const char *const allowed[] = { "eu.pool.example", "192.0.2.7", "10.0.0.9" }, *const wrong[] = { "no name" };
	struct policy *p = policy_of(V "block: {names: [pool.example], addresses: [192.0.2.7]}\n", NULL), *q;
	struct subject outside = who("10.0.0.1", "192.0.2.7", 3333), inside = who("10.0.0.9", "198.51.100.1", 3333);
	struct facts mining = { .mining = true };
	struct policy_error error;

	(void)state;
	q = policy_allowing(p, allowed, 3, &error);
	assert_non_null(q);
	assert_int_equal(by_name(q, "a.eu.pool.example").action, ACTION_ALLOW);
	assert_string_equal(by_name(q, "eu.pool.example").rule, "allow --for");
	assert_int_equal(by_name(q, "us.pool.example").action, ACTION_BLOCK);
	assert_int_equal(policy_decide_address(q, &outside).action, ACTION_ALLOW);
	assert_int_equal(policy_decide(q, &inside, &mining).action, ACTION_ALLOW);
	assert_int_equal(policy_extra_addresses(q).n, 2);
	policy_free(q);
	assert_int_equal(by_name(p, "eu.pool.example").action, ACTION_BLOCK);
	assert_int_equal(policy_decide_address(p, &outside).action, ACTION_BLOCK);
	assert_null(policy_allowing(p, wrong, 1, &error));
	assert_string_equal(error.text, "'no name' is neither a host name nor an address, network or endpoint");
	policy_free(p);
}

static const struct facts *tunnel_to(const char *address, uint16_t port)
{
	memset(&facts, 0, sizeof(facts));
	facts.app = APP_SOCKS;
	facts.again = AGAIN_FRESH;
	facts.n_names = 1;
	facts.names[0] = (struct name_fact) { .kind = NAME_SOCKS, .addressed = true, .port = port };
	set_address(facts.names[0].addr, address);
	return &facts;
}

/* The proxy's endpoint is nobody's guilt; where the tunnel leads is judged as an address of the flow's own would be. */
static void test_tunnels(void **state)
{
	static const char text[] = V "block: {names: [pool.example], addresses: [198.51.100.0/24, \"[2001:db8::7]:3333\"]}\n"
				     "allow: {addresses: [198.51.100.9]}\n";
	struct policy *p = policy_of(text, NULL), *wide = policy_of(V "block: {names: [pool.example], scope: endpoint}\n", NULL);
	struct subject s = who("192.168.1.2", "203.0.113.7", 1080);
	struct decision d = policy_decide(p, &s, tunnel_to("198.51.100.7", 443));

	(void)state;
	check(d, ACTION_BLOCK, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "block.addresses");
	assert_ptr_equal(d.name, &facts.names[0]);
	assert_string_equal(d.entry, "198.51.100.0/24");
	check(policy_decide(p, &s, tunnel_to("198.51.100.9", 443)), ACTION_ALLOW, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "allow.addresses");
	check(policy_decide(p, &s, tunnel_to("2001:db8::7", 3333)), ACTION_BLOCK, EVIDENCE_ADDRESS, SCOPE_FLOW, 0, "block.addresses");
	check(policy_decide(p, &s, tunnel_to("2001:db8::7", 443)), ACTION_NONE, EVIDENCE_NONE, SCOPE_FLOW, 0, NULL);
	named(NAME_SOCKS, "pool.example");
	facts.again = AGAIN_FRESH;
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_FLOW, 0, "block.names");
	check(policy_decide(wide, &s, &facts), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_ENDPOINT, 3600, "block.names");
	named(NAME_TLS_SNI, "pool.example");
	facts.tunnelled = true;
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_NAME, SCOPE_FLOW, 0, "block.names");
	mining();
	facts.tunnelled = true;
	check(policy_decide(p, &s, &facts), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_FLOW, 0, "detect.stratum");
	check(policy_decide(wide, &s, &facts), ACTION_BLOCK, EVIDENCE_PROTOCOL, SCOPE_ENDPOINT, 3600, "detect.stratum");
	policy_free(p);
	policy_free(wide);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_protocol),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_detect),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_telltale),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_carried),
		cmocka_unit_test(test_monitor),
		cmocka_unit_test(test_allowing),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
