// SPDX-License-Identifier: GPL-2.0-or-later
/* policy/rule, policy/schedule, policy/schema_rules, policy/decide: which rule speaks, whom it concerns, when, and what
 * it may teach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "policy/policy.h"
#include "policy/schedule.h"

#define V "version: 1\nmode: enforce\n"

/* A list's file; rules' tests name it absolutely. */
static void write_list(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct policy *load(const char *text, struct policy_error *error)
{
	char path[] = "/tmp/test_rules.XXXXXX";
	int fd = mkstemp(path);
	struct policy *p;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	p = policy_load(path, error);
	unlink(path);
	return p;
}

static struct policy *good(const char *text)
{
	struct policy_error error;
	struct policy *p = load(text, &error);

	if (!p)
		fail_msg("%s", error.text);
	return p;
}

/* What stands behind the file's name in the message. */
static void bad(const char *text, const char *expected)
{
	struct policy_error error;

	assert_null(load(text, &error));
	if (!strstr(error.text, expected))
		fail_msg("\nsaid   %s\nwanted %s", error.text, expected);
}

static void put(uint8_t to[16], const char *address)
{
	memset(to, 0, 16);
	if (strchr(address, ':')) {
		assert_int_equal(inet_pton(AF_INET6, address, to), 1);
	} else {
		to[10] = to[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, address, to + 12), 1);
	}
}

static struct subject from(const char *src, const char *dst, uint16_t port)
{
	struct subject who = { .sport = 40000, .dport = port, .proto = 6, .when_s = 1764000000 };

	put(who.src, src);
	put(who.dst, dst);
	return who;
}

static struct decision name(const struct policy *p, const struct subject *who, const char *text, enum name_kind kind)
{
	struct facts f = { .n_names = 1 };

	f.names[0] = (struct name_fact){ .kind = kind, .matchable = true, .text = { (const uint8_t *)text, strlen(text) },
					 .host = { (const uint8_t *)text, strlen(text) } };
	return policy_decide(p, who, &f);
}

static struct decision stratum(const struct policy *p, const struct subject *who)
{
	struct facts f = { .mining = true };

	return policy_decide(p, who, &f);
}

static void is(struct decision d, enum action action, const char *rule, enum scope scope, uint32_t timeout_s)
{
	assert_int_equal(d.action, action);
	if (rule)
		assert_string_equal(d.rule, rule);
	else
		assert_null(d.rule);
	assert_int_equal(d.scope, scope);
	assert_int_equal(d.timeout_s, timeout_s);
}

static void first_match(void **state)
{
	struct policy *p = good(V "block: {names: [pool.example]}\n"
				"groups: {kids: [192.168.1.64/28, \"02:00:00:00:00:09\"]}\n"
				"rules:\n"
				"- {name: legal, from: [192.168.1.50], to: {names: [pool.example], ports: [3333, 4000-4100]}, action: allow}\n"
				"- {name: watch, from: [kids], action: monitor}\n"
				"- {name: strict, from: [192.168.1.0/24], to: {detectors: [stratum]}, action: block, scope: endpoint, timeout: 2h}\n");
	struct subject who = from("192.168.1.50", "192.0.2.7", 3333);

	(void)state;
	is(name(p, &who, "eu.pool.example", NAME_TLS_SNI), ACTION_ALLOW, "rules.legal", SCOPE_FLOW, 0);
	who.dport = 4050;
	is(name(p, &who, "pool.example", NAME_TLS_SNI), ACTION_ALLOW, "rules.legal", SCOPE_FLOW, 0);
	who.dport = 443;
	is(name(p, &who, "pool.example", NAME_TLS_SNI), ACTION_BLOCK, "block.names", SCOPE_PAIR, 600);
	is(name(p, &who, "www.example", NAME_TLS_SNI), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	/* the rule's hosts only, so never the endpoint for everybody */
	is(stratum(p, &who), ACTION_BLOCK, "rules.strict", SCOPE_PAIR, 7200);
	who = from("192.168.1.70", "192.0.2.7", 443);
	is(name(p, &who, "pool.example", NAME_TLS_SNI), ACTION_MONITOR, "rules.watch", SCOPE_FLOW, 0);
	is(stratum(p, &who), ACTION_MONITOR, "rules.watch", SCOPE_FLOW, 0);
	is(name(p, &who, "www.example", NAME_TLS_SNI), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	who = from("10.0.0.1", "192.0.2.7", 443);
	who.mac_known = true;
	memcpy(who.mac, "\x02\0\0\0\0\x09", 6);
	is(stratum(p, &who), ACTION_MONITOR, "rules.watch", SCOPE_FLOW, 0);
	who.mac[5] = 1;
	/* one host may what another may not: nobody's finding closes the endpoint for all */
	is(stratum(p, &who), ACTION_BLOCK, "detect.stratum", SCOPE_PAIR, 600);
	policy_free(p);
}

static void by_address(void **state)
{
	struct policy *p = good(V "block: {addresses: [192.0.2.0/24]}\n"
				"allow: {names: [fine.example]}\n"
				"rules:\n"
				"- {name: lab, from: [\"if:lab0\"], to: {addresses: [192.0.2.7]}, action: allow}\n"
				"- {name: node, to: {addresses: [198.51.100.7], ports: [18081]}, action: block, reset: false}\n"
				"- {name: guests, from: [10.9.0.0/16], action: allow}\n"
				"- {name: all, to: {names: [\"*.example\"]}, action: block, scope: flow}\n");
	struct subject who = from("10.1.0.1", "192.0.2.7", 443);

	(void)state;
	is(policy_decide_address(p, &who), ACTION_BLOCK, "block.addresses", SCOPE_PAIR, 600);
	assert_true(policy_may_spare(p, &who));
	who.dst[15]++;
	assert_false(policy_may_spare(p, &who));
	who.dst[15]--;
	who.interface = "lab0";
	is(policy_decide_address(p, &who), ACTION_ALLOW, "rules.lab", SCOPE_FLOW, 0);
	assert_false(policy_may_spare(p, &who));
	who = from("10.1.0.1", "198.51.100.7", 18081);
	is(policy_decide_address(p, &who), ACTION_BLOCK, "rules.node", SCOPE_FLOW, 0);
	assert_true(policy_decide_address(p, &who).silent);
	who.dport = 80;
	is(policy_decide_address(p, &who), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	is(name(p, &who, "any.example", NAME_HTTP_HOST), ACTION_BLOCK, "rules.all", SCOPE_FLOW, 0);
	is(name(p, &who, "fine.example", NAME_HTTP_HOST), ACTION_ALLOW, "allow.names", SCOPE_FLOW, 0);
	who = from("10.9.0.1", "192.0.2.9", 80);
	is(policy_decide_address(p, &who), ACTION_ALLOW, "rules.guests", SCOPE_FLOW, 0);
	policy_free(p);
}

/* A rule about addresses does not come before one about names that stands above it; what showed nothing is its in the end. */
static void order(void **state)
{
	struct policy *p = good(V "block: {names: [pool.example]}\nrules:\n"
				"- {name: legal, from: [10.1.0.1], to: {names: [pool.example]}, action: allow}\n"
				"- {name: strict, from: [10.1.0.2], to: {detectors: [stratum]}, action: block}\n"
				"- {name: port, from: [10.1.0.1, 10.1.0.3], to: {ports: [3333]}, action: block}\n"
				"- {name: free, from: [10.1.0.2], action: allow}\n"
				"- {name: last, to: {ports: [3333]}, action: monitor}\n");
	struct subject who = from("10.1.0.1", "192.0.2.7", 3333);

	(void)state;
	is(policy_decide_address(p, &who), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	is(name(p, &who, "pool.example", NAME_TLS_SNI), ACTION_ALLOW, "rules.legal", SCOPE_FLOW, 0);
	is(name(p, &who, "www.example", NAME_TLS_SNI), ACTION_BLOCK, "rules.port", SCOPE_FLOW, 0);
	is(stratum(p, &who), ACTION_BLOCK, "rules.port", SCOPE_FLOW, 0);
	is(policy_decide_rest(p, &who), ACTION_BLOCK, "rules.port", SCOPE_FLOW, 0);
	who.dport = 443;
	is(policy_decide_rest(p, &who), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	/* all but mining */
	who = from("10.1.0.2", "192.0.2.7", 3333);
	is(policy_decide_address(p, &who), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	is(stratum(p, &who), ACTION_BLOCK, "rules.strict", SCOPE_PAIR, 600);
	is(name(p, &who, "pool.example", NAME_TLS_SNI), ACTION_ALLOW, "rules.free", SCOPE_FLOW, 0);
	is(policy_decide_rest(p, &who), ACTION_ALLOW, "rules.free", SCOPE_FLOW, 0);
	/* nothing stands before it */
	who = from("10.1.0.3", "192.0.2.7", 3333);
	is(policy_decide_address(p, &who), ACTION_BLOCK, "rules.port", SCOPE_PAIR, 600);
	is(policy_decide_rest(p, &who), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	/* what is only watched goes on to be, by name, too */
	who = from("10.1.0.4", "192.0.2.7", 3333);
	is(policy_decide_address(p, &who), ACTION_MONITOR, "rules.last", SCOPE_FLOW, 0);
	is(name(p, &who, "pool.example", NAME_TLS_SNI), ACTION_MONITOR, "rules.last", SCOPE_FLOW, 0);
	is(name(p, &who, "www.example", NAME_TLS_SNI), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	policy_free(p);
}

/* Rules that name lists: of names and of addresses, some ports only, with the lists' own action off, monitor or block. */
static void by_list(void **state)
{
	char text[2048];
	struct policy *p;
	struct subject a = from("10.1.0.1", "8.8.4.7", 443), b = from("10.1.0.2", "8.8.4.7", 443);

	(void)state;
	write_list("/tmp/test_rules.pools", "pool.example\n||other.example^\n8.8.4.0/24\n");
	write_list("/tmp/test_rules.spare", "[Adblock Plus 2.0]\n||spare.example^\n||both.example^\n@@||pool.example^\n");
	for (unsigned off = 0; off < 2; off++) {
		snprintf(text, sizeof(text), V "lists:\n- {name: pools, file: /tmp/test_rules.pools, format: plain, category: pool}\n"
			 "- {name: spare, file: /tmp/test_rules.spare, category: extra}\ncategories: {%s: off}\n"
			 "rules:\n- {name: tls, from: [10.1.0.1], to: {lists: [pools], ports: [443]}, action: %s}\n"
			 "- {name: mon, from: [10.1.0.1], to: {lists: [spare]}, action: monitor}\n", off ? "pool" : "extra", off ? "block" : "allow");
		p = good(text);
		/* the list that is off excepts nothing, and blocks nobody but whom a rule says */
		is(name(p, &a, "spare.example", NAME_QUIC_SNI), ACTION_MONITOR, "rules.mon", SCOPE_FLOW, 0);
		if (!off) {
			is(name(p, &b, "spare.example", NAME_TLS_SNI), ACTION_NONE, NULL, SCOPE_FLOW, 0);
			is(name(p, &a, "pool.example", NAME_QUIC_SNI), ACTION_ALLOW, "rules.tls", SCOPE_FLOW, 0);
			is(name(p, &b, "pool.example", NAME_QUIC_SNI), ACTION_BLOCK, "list", SCOPE_PAIR, 600);
			is(policy_decide_address(p, &a), ACTION_ALLOW, "rules.tls", SCOPE_FLOW, 0);
			/* with exceptions in the policy nobody's finding teaches the endpoint */
			is(policy_decide_address(p, &b), ACTION_BLOCK, "list", SCOPE_PAIR, 600);
			a.dport = 80;
			is(policy_decide_address(p, &a), ACTION_BLOCK, "list", SCOPE_PAIR, 600);
			a.dport = 443;
		} else {
			/* spare is on here, and its exception holds for pool.example in every list */
			is(name(p, &a, "pool.example", NAME_QUIC_SNI), ACTION_NONE, NULL, SCOPE_FLOW, 0);
			is(name(p, &b, "spare.example", NAME_TLS_SNI), ACTION_BLOCK, "list", SCOPE_PAIR, 600);
			is(policy_decide_address(p, &a), ACTION_BLOCK, "rules.tls", SCOPE_PAIR, 600);
			is(policy_decide_address(p, &b), ACTION_NONE, NULL, SCOPE_FLOW, 0);
		}
		policy_free(p);
	}
	unlink("/tmp/test_rules.pools");
	unlink("/tmp/test_rules.spare");
}

static void detector_off(void **state)
{
	struct policy *p = good(V "detect: {stratum: off, tls: off}\nblock: {names: [pool.example]}\n"
				"rules:\n- {name: labs, from: [10.0.0.0/8], to: {detectors: [stratum, tls, score]}, action: block}\n");
	struct subject who = from("10.1.0.1", "192.0.2.7", 443), other = from("172.16.0.1", "192.0.2.7", 443);

	(void)state;
	is(stratum(p, &who), ACTION_BLOCK, "rules.labs", SCOPE_PAIR, 600);
	is(stratum(p, &other), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	is(name(p, &who, "pool.example", NAME_TLS_SNI), ACTION_BLOCK, "rules.labs", SCOPE_PAIR, 600);
	is(name(p, &other, "pool.example", NAME_TLS_SNI), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	is(name(p, &who, "other.example", NAME_TLS_SNI), ACTION_NONE, NULL, SCOPE_FLOW, 0);
	is(policy_decide_score(p, &who, 70), ACTION_BLOCK, "rules.labs", SCOPE_PAIR, 600);
	is(policy_decide_score(p, &other, 70), ACTION_MONITOR, "score.report", SCOPE_FLOW, 0);
	policy_free(p);
}

/* Seconds of the epoch of a moment in UTC. */
static int64_t utc(int year, int month, int day, int hour, int minute)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute };

	return timegm(&tm);
}

static void hours(void **state)
{
	struct policy *p = good(V "block: {names: [pool.example]}\n"
				"rules:\n- {name: night, when: {days: [mon-fri], hours: [\"22:00-06:00\"], zone: \"CET-1CEST,M3.5.0,M10.5.0/3\"}, "
				"to: {detectors: [tls]}, action: allow}\n");
	struct subject who = from("10.1.0.1", "192.0.2.7", 443);
	/* Monday is 23 November 2026; in winter Berlin is an hour ahead of UTC. */
	static const struct { int day, hour, minute; bool holds; } moments[] = {
		{ 23, 20, 59, false }, { 23, 21, 0, true }, { 23, 23, 59, true }, { 24, 4, 59, true }, { 24, 5, 0, false },
		{ 27, 22, 0, true }, { 28, 3, 0, true }, { 28, 22, 0, false }, { 29, 3, 0, false }, { 30, 4, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		who.when_s = utc(2026, 11, moments[i].day, moments[i].hour, moments[i].minute);
		is(name(p, &who, "pool.example", NAME_TLS_SNI), moments[i].holds ? ACTION_ALLOW : ACTION_BLOCK,
		   moments[i].holds ? "rules.night" : "block.names", moments[i].holds ? SCOPE_FLOW : SCOPE_PAIR,
		   moments[i].holds ? 0 : 600);
		assert_int_equal(policy_hours(p, who.when_s), moments[i].holds);
	}
	/* and in summer two hours */
	who.when_s = utc(2026, 7, 6, 20, 0);
	assert_int_equal(policy_hours(p, who.when_s), 1);
	assert_int_equal(policy_hours(p, who.when_s - 60), 0);
	policy_free(p);
	p = good(V "rules:\n- {name: day, when: {hours: [\"08:00-18:00\"], zone: UTC}, to: {detectors: [stratum]}, action: block, timeout: 1h}\n");
	who.when_s = utc(2026, 11, 23, 12, 0);
	is(stratum(p, &who), ACTION_BLOCK, "rules.day", SCOPE_ENDPOINT, 3600);
	who.when_s = utc(2026, 11, 23, 17, 50);		/* what is taught ends with the hours */
	is(stratum(p, &who), ACTION_BLOCK, "rules.day", SCOPE_ENDPOINT, 600);
	policy_free(p);
}

static void zones(void **state)
{
	struct zone z;
	struct schedule s = { .set = true, .days = 0x7f };
	uint32_t left;

	(void)state;
	assert_false(zone_load(&z, "Mars/Olympus", 0));
	assert_false(zone_load(&z, "../../etc/passwd", 0));
	assert_true(zone_load(&z, NULL, 1764000000));
	assert_true(schedule_holds(&s, 1764000000, &left));	/* every day, all day: without an end */
	assert_int_equal(left, UINT32_MAX);
	s.n = 2;	/* two windows that follow on each other across midnight */
	s.windows[0].from = 20 * 60;
	s.windows[0].to = 24 * 60;
	s.windows[1].to = 2 * 60;
	s.days = 0x7f;
	assert_true(schedule_holds(&s, utc(2026, 11, 23, 23, 0), &left));
	assert_int_equal(left, 3 * 3600);
	assert_false(schedule_holds(&s, utc(2026, 11, 23, 2, 0), &left));
	s.set = false;
	assert_true(schedule_holds(&s, -5, &left));
}

static void errors(void **state)
{
	(void)state;
	bad(V "rules: [{name: x}]\n", ":3:9: ");
	bad(V "rules: [{action: block}]\n", "'name'");
	bad(V "rules:\n- {name: x, action: drop}\n", ":4:21: rules: action is 'drop', expected");
	bad(V "rules:\n- {name: x, action: block, from: [nobody]}\n", ":4:35: rules: 'nobody' is neither a host nor a group");
	bad(V "rules:\n- {name: x, action: block, to: {lists: [none]}}\n", "rules: 'none' is no list");
	bad(V "rules:\n- {name: x, action: block, to: {ports: [70000]}}\n", "'70000' is no port");
	bad(V "rules:\n- {name: x, action: block, to: {ports: [20-10]}}\n", "'20-10' is no port");
	bad(V "rules:\n- {name: x, action: block, to: {detectors: [smtp]}}\n", "'smtp' is no detector, expected one of: tls, quic,");
	bad(V "rules:\n- {name: x, action: block, when: {days: [someday]}}\n", "'someday' is no day");
	bad(V "rules:\n- {name: x, action: block, when: {hours: [\"25:00-26:00\"]}}\n", "'25:00-26:00' is no window");
	bad(V "rules:\n- {name: x, action: block, when: {zone: Mars/Olympus}}\n", "'Mars/Olympus' is no time zone");
	bad(V "rules:\n- {name: x, action: block}\n- {name: x, action: allow}\n", "a second rule with the name 'x'");
	bad(V "groups: {a: [10.0.0.1], a: [10.0.0.2]}\n", "a second group 'a'");
	bad(V "groups: {a: [\"10.0.0.1:80\"]}\n", "is no host");
	bad(V "groups: {a: [10.0.0.1/24]}\n", "'10.0.0.1/24' has bits behind its prefix, expected 10.0.0.0/24");
	bad(V "groups: {a: [10.0.0.1], b: [a]}\n", "groups: 'a' is no host, expected an address, a network, a MAC address such as "
	    "\"02:00:00:00:00:01\", or \"if:br-guest\"");
	bad(V "groups: [a]\n", "groups must be a mapping");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_match), cmocka_unit_test(by_address), cmocka_unit_test(order), cmocka_unit_test(by_list), cmocka_unit_test(detector_off),
		cmocka_unit_test(hours), cmocka_unit_test(zones), cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
