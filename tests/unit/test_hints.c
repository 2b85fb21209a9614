/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which words of other gateways are believed, one rule after the other: topics and payloads, keys, times, rates, bounds, and when an
 * endpoint is confirmed. A signature here is its key's bytes: the library's part is a live case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/fleet_own.h"
#include "daemon/hints.h"

#define NOW 1800000000
#define LIFE 3600
#define AT "tcp/192.0.2.7/3333"

static struct hints *h;
static int64_t mono_ms, now_s;
static unsigned verified;

static bool verify(const uint8_t signature[64], const void *text, size_t len, const uint8_t key[32])
{
	static const char begin[] = "minewall-fleet-1\nsite\n";

	verified++;
	assert_true(len > sizeof(begin) && !memcmp(text, begin, sizeof(begin) - 1) && ((const char *)text)[len - 1] == '\n');
	return !memcmp(signature, key, 32);
}

static void key_of(unsigned n, uint8_t key[32])
{
	memset(key, (int)n, 32);
}

/* p1 to pN, the one of `revoked` so. */
static void set_keys(unsigned n, unsigned revoked)
{
	char text[8192], b64[HINT_KEY_TEXT];
	uint8_t key[32];
	size_t len = 0;

	for (unsigned i = 1; i <= n; i++) {
		key_of(i, key);
		hint_key_text(b64, key);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "p%u %s%s # one\n", i, b64, i == revoked ? " revoked" : "");
	}
	assert_int_equal(hints_keys(h, text, len), 0);
}

static void configure(unsigned confirm, unsigned rate, unsigned max)
{
	struct hints_config c = { "site", "me", confirm, rate, max };

	hints_configure(h, &c);
}

static int setup(void **state)
{
	static const uint64_t key[2] = { 1, 2 };

	(void)state;
	h = hints_new(verify, key);
	now_s = NOW;
	mono_ms = 1000;
	verified = 0;
	configure(2, 60, 1000);
	set_keys(4, 0);
	return h ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	hints_free(h);
	return 0;
}

/* A gateway's word of an endpoint, signed by key `by`. */
static enum hint_result say_as(unsigned gateway, unsigned by, const char *at, int64_t issued, int64_t expires, bool retained)
{
	char topic[HINT_TOPIC_MAX], payload[HINT_PAYLOAD_MAX];
	struct hint m = { .dialect = "cryptonote", .issued = issued, .expires = expires };
	struct hint_seen seen;

	key_of(by, m.signature);
	m.signature[40] = (uint8_t)issued;	/* of the text, as a real one is */
	snprintf(topic, sizeof(topic), "minewall/site/p%u/endpoint/%s", gateway, at);
	return hints_take(h, topic, payload, hint_write_payload(payload, &m), retained, now_s, mono_ms, &seen);
}

static enum hint_result say(unsigned gateway, const char *at, int64_t issued, int64_t expires)
{
	return say_as(gateway, gateway, at, issued, expires, false);
}

static enum hint_result withdraw(unsigned gateway, const char *at)
{
	char topic[HINT_TOPIC_MAX];
	struct hint_seen seen;

	snprintf(topic, sizeof(topic), "minewall/site/p%u/endpoint/%s", gateway, at);
	return hints_take(h, topic, "", 0, false, now_s, mono_ms, &seen);
}

static struct hint_endpoint endpoint(const char *at)
{
	char topic[HINT_TOPIC_MAX], gateway[FLEET_NAME_MAX];
	struct hint_endpoint e;

	snprintf(topic, sizeof(topic), "minewall/site/p1/endpoint/%s", at);
	assert_int_equal(hint_read_topic(topic, "site", gateway, &e), HINT_TOPIC_ENDPOINT);
	return e;
}

/* The one change that is to be told: until when (0: let go), -1: none. */
static int64_t change(void)
{
	struct hint_change c, more;

	if (!hints_next(h, now_s, &c))
		return -1;
	hints_told(h, &c);
	assert_false(hints_next(h, now_s, &more));
	return c.until_s;
}

static void test_topics(void **state)
{
	static const char *const wrong[] = {
		"", "minewall", "minewall/site/p1", "minewall/site/p1/endpoint/tcp/192.0.2.7/3333/", "minewall/site/p1/endpoint/tcp/192.0.2.7/3333/x",
		"minewall/other/p1/endpoint/tcp/192.0.2.7/3333", "minewall/site//endpoint/tcp/192.0.2.7/3333", "minewall/site/p 1/endpoint/tcp/192.0.2.7/3333",
		"minewall/site/p1/endpoint/sctp/192.0.2.7/3333", "minewall/site/p1/endpoint/tcp/192.0.2.07/3333", "minewall/site/p1/endpoint/tcp/192.0.2/3333",
		"minewall/site/p1/endpoint/tcp/2001:DB8::1/3333", "minewall/site/p1/endpoint/tcp/2001:db8:0::1/3333", "minewall/site/p1/endpoint/tcp/::ffff:192.0.2.7/3333",
		"minewall/site/p1/endpoint/tcp/192.0.2.7/0", "minewall/site/p1/endpoint/tcp/192.0.2.7/65536", "minewall/site/p1/endpoint/tcp/192.0.2.7/03333",
		"minewall/site/p1/endpoint/tcp/192.0.2.7/+1", "minewall/site/p1/endpoint/tcp/192.0.2.7", "minewall/site/p1/status/x", "minewall/site/p1/state",
	};
	static const char *const right[] = { "tcp/192.0.2.7/3333", "udp/2001:db8::7/65535", "tcp/8.8.8.8/1" };
	char gateway[FLEET_NAME_MAX], text[HINT_TOPIC_MAX], again[HINT_TOPIC_MAX];
	struct hint_endpoint e;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (hint_read_topic(wrong[i], "site", gateway, &e) != HINT_TOPIC_OTHER)
			fail_msg("%s is taken", wrong[i]);
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		snprintf(text, sizeof(text), "minewall/site/p1/endpoint/%s", right[i]);
		e = endpoint(right[i]);
		hint_write_topic(again, "site", "p1", &e);
		assert_string_equal(text, again);
	}
	assert_int_equal(hint_read_topic("minewall/site/p.1_-A/status", "site", gateway, &e), HINT_TOPIC_STATUS);
	assert_string_equal(gateway, "p.1_-A");
}

static void test_payloads(void **state)
{
	char payload[HINT_PAYLOAD_MAX], other[HINT_PAYLOAD_MAX + 8];
	struct hint m = { .dialect = "zcash", .issued = 1, .expires = 2 }, back;
	size_t len = hint_write_payload(payload, &m);
	static const struct { const char *from, *to; enum hint_payload is; } changes[] = {
		{ "{", " {", HINT_PAYLOAD_GOOD }, { "\"v\":1", "\"v\":2", HINT_PAYLOAD_MALFORMED }, { "\"v\":1,", "", HINT_PAYLOAD_MALFORMED },
		{ "\"v\":1", "\"v\":1,\"w\":1", HINT_PAYLOAD_MALFORMED }, { "\"v\":1", "\"v\":1,\"v\":1", HINT_PAYLOAD_MALFORMED },
		{ "protocol", "name", HINT_PAYLOAD_EVIDENCE }, { "zcash", "z cash", HINT_PAYLOAD_MALFORMED }, { "zcash", "", HINT_PAYLOAD_MALFORMED },
		{ "zcash", "\\u001b[31m", HINT_PAYLOAD_MALFORMED }, { "\"issued\":1", "\"issued\":2", HINT_PAYLOAD_MALFORMED },
		{ "\"issued\":1", "\"issued\":-1", HINT_PAYLOAD_MALFORMED }, { "\"issued\":1", "\"issued\":\"1\"", HINT_PAYLOAD_MALFORMED },
		{ "AAAA", "AAA", HINT_PAYLOAD_MALFORMED }, { "AAAA", "A!AA", HINT_PAYLOAD_MALFORMED }, { "}", "", HINT_PAYLOAD_MALFORMED },
		{ "}", "}}", HINT_PAYLOAD_MALFORMED },
	};

	(void)state;
	assert_int_equal(hint_read_payload(payload, len, &back), HINT_PAYLOAD_GOOD);
	assert_true(back.issued == 1 && back.expires == 2 && !strcmp(back.dialect, "zcash"));
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const char *at = strstr(payload, changes[i].from);

		snprintf(other, sizeof(other), "%.*s%s%s", (int)(at - payload), payload, changes[i].to, at + strlen(changes[i].from));
		if (hint_read_payload(other, strlen(other), &back) != changes[i].is)
			fail_msg("%s", other);
	}
	for (size_t n = 0; n < len; n++)
		assert_int_equal(hint_read_payload(payload, n, &back), HINT_PAYLOAD_MALFORMED);
	memset(other, ' ', sizeof(other));
	memcpy(other, payload, len);
	assert_int_equal(hint_read_payload(other, HINT_PAYLOAD_MAX, &back), HINT_PAYLOAD_GOOD);
	assert_int_equal(hint_read_payload(other, HINT_PAYLOAD_MAX + 1, &back), HINT_PAYLOAD_MALFORMED);
}

static void test_keys(void **state)
{
	static const char good[] = "# the site\n\n  p9\tAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\r\np8 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=  revoked # gone";
	static const char *const wrong[] = { "p9\n", "p9 AQEB\n", "p/9 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n",
					     "p9 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= revoke\n", "p9 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= revoked x\n" };

	(void)state;
	assert_int_equal(hints_keys(h, good, strlen(good)), 0);
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_UNKNOWN_GATEWAY);	/* those of before are gone */
	assert_int_equal(say_as(9, 1, AT, NOW, NOW + LIFE, false), HINT_ACCEPTED);
	assert_int_equal(say_as(8, 1, AT, NOW, NOW + LIFE, false), HINT_REVOKED);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(hints_keys(h, wrong[i], strlen(wrong[i])), 1);
	assert_int_equal(hints_keys(h, "# one\np9 \0", 10), 2);
	assert_int_equal(say_as(9, 1, AT, NOW + 1, NOW + LIFE, false), HINT_ACCEPTED);	/* a wrong file changes nothing */
}

static void test_confirmed(void **state)
{
	struct hint_change c;

	(void)state;
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_ACCEPTED);
	assert_int_equal(change(), -1);
	assert_int_equal(say(1, AT, NOW + 1, NOW + LIFE), HINT_ACCEPTED);		/* one, however often */
	assert_int_equal(change(), -1);
	assert_int_equal(say(2, "tcp/192.0.2.7/3334", NOW, NOW + LIFE), HINT_ACCEPTED);	/* of another port */
	assert_int_equal(change(), -1);
	assert_int_equal(say(2, AT, NOW, NOW + 100), HINT_ACCEPTED);
	assert_true(hints_next(h, now_s, &c));
	assert_string_equal(c.gateways, "p1,p2");
	assert_string_equal(c.dialect, "cryptonote");
	assert_int_equal(change(), NOW + 100);		/* as long as two of them say so */
	assert_int_equal(say(3, AT, NOW, NOW + 200), HINT_ACCEPTED);
	assert_int_equal(change(), NOW + 200);
	assert_int_equal(withdraw(1, AT), HINT_WITHDRAWN);
	assert_int_equal(change(), NOW + 100);
	now_s += 101;
	hints_tick(h, now_s);
	assert_int_equal(change(), 0);
	assert_int_equal(say(4, AT, now_s, now_s + LIFE), HINT_ACCEPTED);
	assert_int_equal(change(), NOW + 200);
	now_s += 2 * LIFE;
	hints_tick(h, now_s);
	assert_int_equal(change(), 0);
	hints_tick(h, now_s);
	configure(1, 60, 1000);
	assert_int_equal(say(1, AT, now_s, now_s + LIFE), HINT_ACCEPTED);
	assert_int_equal(change(), now_s + LIFE);
	configure(2, 60, 1000);				/* a stricter policy lets go */
	assert_int_equal(change(), 0);
}

static void test_own_word(void **state)
{
	struct hint_endpoint at = endpoint(AT);
	struct hint_seen seen;

	(void)state;
	assert_int_equal(hints_take(h, "minewall/site/me/endpoint/" AT, "x", 1, false, now_s, mono_ms, &seen), HINT_OWN);
	hints_point(h, &at, now_s);			/* before anybody named it, and after */
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_ACCEPTED);
	assert_int_equal(change(), NOW + LIFE);
	at = endpoint("tcp/2001:db8::7/443");
	assert_int_equal(say(1, "tcp/2001:db8::7/443", NOW, NOW + LIFE), HINT_ACCEPTED);
	assert_int_equal(change(), -1);
	hints_point(h, &at, now_s);
	assert_int_equal(change(), NOW + LIFE);
	assert_int_equal(withdraw(1, "tcp/2001:db8::7/443"), HINT_WITHDRAWN);
	assert_int_equal(change(), 0);
}

static void test_refused(void **state)
{
	struct hints_figures f;
	struct hint_network ours[3] = { { .prefix = 128 }, { .prefix = 128, .port = 8883 }, { .prefix = 64 } };
	static const char *const reserved[] = { "tcp/10.0.0.1/1", "tcp/172.31.0.1/1", "tcp/192.168.0.1/1", "tcp/169.254.0.1/1", "tcp/127.0.0.1/1",
						"tcp/0.1.2.3/1", "tcp/100.64.0.1/1", "tcp/224.0.0.1/1", "tcp/255.255.255.255/1", "tcp/::1/1",
						"tcp/fe80::1/1", "tcp/fec0::1/1", "tcp/fd00::1/1", "tcp/ff02::1/1", "tcp/::/1", "tcp/64:ff9b:1::1/1",
						"udp/192.0.2.9/99", "tcp/192.0.2.10/8883", "tcp/2001:db8:1::7/3333", "udp/100.127.0.1/1" };
	static const char *const shared[] = { "tcp/192.0.2.10/443", "tcp/2001:db8:1:1::7/1", "tcp/64:ff9b::1/1", "tcp/172.32.0.1/1", "tcp/100.128.0.1/1",
					      "tcp/100.63.0.1/1", "tcp/223.255.0.1/1", "tcp/169.253.0.1/1" };

	(void)state;
	memcpy(ours[0].addr, endpoint("tcp/192.0.2.9/1").addr, 16);
	memcpy(ours[1].addr, endpoint("tcp/192.0.2.10/1").addr, 16);
	memcpy(ours[2].addr, endpoint("tcp/2001:db8:1::1/1").addr, 16);
	assert_int_equal(hints_ours(h, ours, 3), 0);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (say(1, reserved[i], NOW, NOW + LIFE) != HINT_RESERVED)
			fail_msg("%s is taken", reserved[i]);
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if (say(2, shared[i], NOW, NOW + LIFE) != HINT_ACCEPTED)
			fail_msg("%s is not taken", shared[i]);
	assert_int_equal(say(9, AT, NOW, NOW + LIFE), HINT_UNKNOWN_GATEWAY);
	assert_int_equal(say_as(1, 2, AT, NOW, NOW + LIFE, false), HINT_SIGNATURE);
	assert_int_equal(say(1, AT, NOW - LIFE, NOW), HINT_EXPIRED);
	assert_int_equal(say(1, AT, NOW + HINTS_SKEW_S + 1, NOW + LIFE), HINT_FUTURE);
	assert_int_equal(say(1, AT, NOW, NOW + HINTS_LIFE_S + 1), HINT_LIFETIME);
	assert_int_equal(say(1, AT, NOW + HINTS_SKEW_S, NOW + HINTS_SKEW_S + HINTS_LIFE_S), HINT_ACCEPTED);
	hints_figures(h, now_s, &f);
	assert_int_equal(f.refused[HINT_SIGNATURE], 1);
	assert_int_equal(f.refused[HINT_RESERVED], sizeof(reserved) / sizeof(reserved[0]));
	assert_int_equal(f.hints, 1 + sizeof(shared) / sizeof(shared[0]));
	assert_int_equal(f.accepted, f.hints);
	assert_int_equal(change(), -1);
}

static void test_replayed(void **state)
{
	unsigned before;

	(void)state;
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_ACCEPTED);
	before = verified;
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_KNOWN);		/* by the broker's store */
	assert_int_equal(verified, before);
	assert_int_equal(say(1, AT, NOW - 1, NOW + 2 * LIFE), HINT_REPLAYED);
	assert_int_equal(say(1, AT, NOW + 1, NOW + 10), HINT_ACCEPTED);
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_REPLAYED);
	assert_int_equal(withdraw(1, AT), HINT_WITHDRAWN);
	assert_int_equal(say(1, AT, NOW + 1, NOW + 10), HINT_REPLAYED);
	/* the shorter one is over, the longer one of before is not: it stays remembered */
	now_s += 60;
	hints_tick(h, now_s);
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_REPLAYED);
	assert_int_equal(say(1, AT, now_s, now_s + LIFE), HINT_ACCEPTED);
	now_s += 3 * LIFE;
	hints_tick(h, now_s);
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_EXPIRED);
}

static void test_revoked(void **state)
{
	(void)state;
	say(1, AT, NOW, NOW + LIFE);
	say(2, AT, NOW, NOW + LIFE);
	assert_int_equal(change(), NOW + LIFE);
	set_keys(4, 2);
	assert_int_equal(change(), 0);
	assert_int_equal(say(2, AT, NOW + 1, NOW + LIFE), HINT_REVOKED);
	set_keys(4, 0);					/* believed again: the broker's store tells it again */
	assert_int_equal(change(), -1);
	assert_int_equal(say(2, AT, NOW, NOW + LIFE), HINT_ACCEPTED);
	assert_int_equal(change(), NOW + LIFE);
	set_keys(1, 0);					/* gone */
	assert_int_equal(change(), 0);
	set_keys(4, 0);
	say(2, AT, NOW + 2, NOW + LIFE);
	assert_int_equal(change(), NOW + LIFE);
	/* another key of the same name, though the name stands there twice */
	assert_int_equal(hints_keys(h, "p2 CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\np2 CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n"
				    "p1 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n", 48 * 3), 0);
	assert_int_equal(change(), 0);
	assert_int_equal(say(2, AT, NOW + 3, NOW + LIFE), HINT_SIGNATURE);
}

static void test_rate(void **state)
{
	char at[64];
	unsigned n, i;

	(void)state;
	configure(2, 2, 1000);
	for (n = 0; n < 100; n++) {
		snprintf(at, sizeof(at), "tcp/192.0.2.%u/3333", n);
		if (say(1, at, NOW, NOW + LIFE) != HINT_ACCEPTED)
			break;
	}
	assert_int_equal(n, 2 * HINTS_BURST_MIN);
	assert_int_equal(say(1, at, NOW, NOW + LIFE), HINT_RATE);
	assert_int_equal(say(2, at, NOW, NOW + LIFE), HINT_ACCEPTED);		/* each has its own */
	assert_int_equal(say(1, "tcp/192.0.2.0/3333", NOW + 1, NOW + LIFE), HINT_ACCEPTED);	/* not new */
	mono_ms += 60000;
	for (i = 0; i < 10 && say(1, at, NOW, NOW + LIFE) == HINT_ACCEPTED; i++)
		snprintf(at, sizeof(at), "tcp/192.0.2.%u/3333", 200 + i);
	assert_int_equal(i, 2);
	mono_ms += 3600 * 1000;
	/* forged ones cost nothing of the bucket of new ones, but there are not more of them than of ten buckets */
	for (i = 0; i < 1000 && say_as(1, 3, "tcp/192.0.2.250/3333", NOW, NOW + LIFE, false) == HINT_SIGNATURE; i++)
		;
	assert_int_equal(i, 2 * HINTS_BURST_MIN * 10);
}

static void test_full(void **state)
{
	char at[64];
	unsigned n[3] = { 0 };

	(void)state;
	configure(2, 10000, 100);
	for (unsigned g = 1; g <= 3; g++)
		for (unsigned i = 0; i < 200; i++) {
			snprintf(at, sizeof(at), "tcp/192.0.%u.%u/3333", g, i);
			n[g - 1] += say(g, at, NOW, NOW + LIFE) == HINT_ACCEPTED;
		}
	/* one gateway takes half of it at most */
	assert_int_equal(n[0], 50);
	assert_int_equal(n[1], 50);
	assert_int_equal(n[2], 0);
	now_s += LIFE;
	hints_tick(h, now_s);
	assert_int_equal(say(3, at, now_s, now_s + LIFE), HINT_ACCEPTED);
}

static void test_daemon_says_no(void **state)
{
	struct hint_endpoint at = endpoint(AT);
	struct hints_figures f;

	(void)state;
	say(1, AT, NOW, NOW + LIFE);
	say(2, AT, NOW, NOW + LIFE);
	assert_int_equal(change(), NOW + LIFE);
	hints_refuse(h, &at, HINT_LOCAL_ALLOW);
	say(3, AT, NOW, NOW + 2 * LIFE);
	assert_int_equal(change(), -1);
	hints_figures(h, now_s, &f);
	assert_true(f.confirmed == 0 && f.watched == 0 && f.refused[HINT_LOCAL_ALLOW] == 1);
	hints_again(h);
	assert_int_equal(change(), NOW + LIFE);
	hints_refuse(h, &at, HINT_ACCEPTED);		/* it only watches */
	hints_figures(h, now_s, &f);
	assert_true(f.confirmed == 0 && f.watched == 1);
	hints_again(h);
	assert_int_equal(change(), NOW + LIFE);
	hints_again(h);					/* told before, and told again */
	assert_int_equal(change(), NOW + LIFE);
}

static void test_muted(void **state)
{
	struct hint_endpoint at = endpoint(AT);

	(void)state;
	say(1, AT, NOW, NOW + LIFE);
	say(2, AT, NOW, NOW + LIFE);
	assert_int_equal(change(), NOW + LIFE);
	hints_mute(h, &at, now_s);
	assert_int_equal(change(), 0);
	say(3, AT, NOW, NOW + 2 * LIFE);		/* what was said until now, and by then, does not count */
	assert_int_equal(change(), -1);
	now_s += LIFE;
	say(4, AT, now_s, now_s + LIFE);
	hints_tick(h, now_s);
	assert_int_equal(change(), NOW + 2 * LIFE);
}

static void test_restored(void **state)
{
	struct hint_endpoint at = endpoint(AT), other = endpoint("tcp/192.0.2.8/1"), single = endpoint("tcp/192.0.2.9/1");

	(void)state;
	hints_restore(h, &at, "zcash", "p1,p2", NOW + LIFE, now_s);
	assert_int_equal(change(), -1);			/* the daemon holds it already */
	hints_restore(h, &other, "zcash", "p1,p9", NOW + LIFE, now_s);
	assert_int_equal(change(), 0);			/* p9 is not believed any more */
	hints_restore(h, &single, "zcash", "p1," HINTS_OWN, NOW + LIFE, now_s);
	assert_int_equal(change(), -1);
	assert_int_equal(say(1, AT, NOW - 10, NOW + LIFE), HINT_ACCEPTED);	/* the store tells it once more */
	assert_int_equal(change(), -1);
	assert_int_equal(withdraw(2, AT), HINT_WITHDRAWN);
	assert_int_equal(change(), 0);
	set_keys(4, 1);
	assert_int_equal(change(), 0);			/* `single` */
}

static void test_another_site(void **state)
{
	struct hints_config c = { "elsewhere", "me", 2, 60, 1000 };

	(void)state;
	say(1, AT, NOW, NOW + LIFE);
	say(2, AT, NOW, NOW + LIFE);
	assert_int_equal(change(), NOW + LIFE);
	hints_configure(h, &c);
	assert_int_equal(change(), 0);
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_MALFORMED);
}

static void test_own_endpoints(void **state)
{
	static const uint64_t key[2] = { 3, 4 };
	struct fleet_own *o = fleet_own_new(key);
	struct hint_endpoint a = endpoint(AT), b = endpoint("tcp/192.0.2.8/1"), c = endpoint("tcp/192.0.2.9/1");
	struct hint m, there = { .dialect = "zcash", .issued = NOW - 5, .expires = NOW + LIFE };
	size_t stored;
	bool gone;

	(void)state;
	fleet_own_first(o);
	fleet_own_put(o, &a, "zcash", NOW + LIFE);
	fleet_own_put(o, &b, "z cash", NOW + LIFE);
	fleet_own_last(o);
	/* the broker has a as a process before us said it, and c, which is ours no more */
	fleet_own_reading(o);
	assert_false(fleet_own_next(o, NOW, &m, &gone));
	fleet_own_stored(o, &a, &there);
	fleet_own_stored(o, &c, &there);
	fleet_own_read(o);
	assert_true(fleet_own_next(o, NOW, &m, &gone) && !gone && !memcmp(&m.at, &b, sizeof(b)));
	assert_string_equal(m.dialect, "z_cash");
	fleet_own_sent(o, &m, 7);
	assert_true(fleet_own_next(o, NOW, &m, &gone) && gone && !memcmp(&m.at, &c, sizeof(c)));
	fleet_own_sent(o, &m, 8);
	assert_false(fleet_own_next(o, NOW, &m, &gone));
	assert_true(fleet_own_answer(o, 7, true) && fleet_own_answer(o, 8, true) && !fleet_own_answer(o, 8, true));
	assert_int_equal(fleet_own_count(o, &stored), 2);
	assert_int_equal(stored, 2);
	/* the same again is no news, a later end is, and is issued later than what was said */
	fleet_own_put(o, &a, "zcash", NOW + LIFE + 10);
	assert_false(fleet_own_next(o, NOW, &m, &gone));
	fleet_own_put(o, &a, "zcash", NOW + 2 * LIFE);
	assert_true(fleet_own_next(o, NOW - 100, &m, &gone) && m.issued == NOW - 4);
	fleet_own_sent(o, &m, 9);
	fleet_own_lost(o);				/* it may not have come */
	assert_true(fleet_own_next(o, NOW, &m, &gone) && !gone && m.issued == NOW);
	fleet_own_sent(o, &m, 10);
	assert_true(fleet_own_answer(o, 10, true));
	fleet_own_drop(o, &a);
	assert_true(fleet_own_next(o, NOW, &m, &gone) && gone);
	fleet_own_sent(o, &m, 11);
	assert_true(fleet_own_answer(o, 11, true));
	fleet_own_put(o, &a, "zcash", NOW + 2 * LIFE);	/* and learnt again within the second */
	assert_true(fleet_own_next(o, NOW, &m, &gone) && !gone && m.issued == NOW + 1);
	fleet_own_sent(o, &m, 12);
	assert_true(fleet_own_answer(o, 12, false));	/* refused: not asked again and again */
	assert_false(fleet_own_next(o, NOW, &m, &gone));
	fleet_own_reading(o);				/* a broker that lost its store */
	fleet_own_read(o);
	for (int id = 13; fleet_own_next(o, NOW, &m, &gone); id++) {
		assert_false(gone);
		fleet_own_sent(o, &m, id);
		assert_true(fleet_own_answer(o, id, true));
		fleet_own_stored(o, &m.at, &m);		/* the echo of that */
	}
	assert_false(fleet_own_next(o, NOW, &m, &gone));
	fleet_own_stored(o, &a, &there);		/* another broker had an older one */
	assert_true(fleet_own_next(o, NOW, &m, &gone) && !gone && !memcmp(&m.at, &a, sizeof(a)));
	fleet_own_sent(o, &m, 20);
	assert_true(fleet_own_answer(o, 20, true));
	fleet_own_stored(o, &c, &there);		/* or one that we took back */
	assert_true(fleet_own_next(o, NOW, &m, &gone) && gone && !memcmp(&m.at, &c, sizeof(c)));
	fleet_own_tick(o, NOW + 3 * LIFE);
	fleet_own_free(o);
}

/* What a broker makes up of our own topics, unsigned, neither lasts nor puts our clock forward. */
static void test_own_forged(void **state)
{
	static const uint64_t key[2] = { 3, 4 };
	struct fleet_own *o = fleet_own_new(key);
	struct hint_endpoint a = endpoint(AT), b = endpoint("tcp/192.0.2.8/1");
	struct hint m, there = { .dialect = "zcash", .issued = INT64_MAX - 1, .expires = INT64_MAX };
	size_t stored;
	bool gone;

	(void)state;
	fleet_own_put(o, &a, "zcash", NOW + LIFE);
	fleet_own_last(o);
	fleet_own_reading(o);
	fleet_own_stored(o, &a, &there);
	fleet_own_stored(o, &b, &there);
	fleet_own_read(o);
	assert_true(fleet_own_next(o, NOW, &m, &gone) && !gone && m.issued == NOW && m.expires == NOW + LIFE);
	fleet_own_sent(o, &m, 1);
	assert_true(fleet_own_answer(o, 1, true));
	assert_true(fleet_own_next(o, NOW, &m, &gone) && gone);
	fleet_own_sent(o, &m, 2);
	assert_true(fleet_own_answer(o, 2, true));
	fleet_own_tick(o, NOW);
	assert_int_equal(fleet_own_count(o, &stored), 1);
	fleet_own_put(o, &b, "zcash", NOW + LIFE);	/* as one that nothing is known of */
	assert_true(fleet_own_next(o, NOW, &m, &gone) && !gone && m.issued == NOW);
	fleet_own_free(o);
}

/* No room in the kernel is not for ever, and a reload asks at once; what the policy does not want waits for one. */
static void test_no_room(void **state)
{
	static const enum hint_result whys[] = { HINT_FULL, HINT_POLICY };
	struct hint_endpoint at = endpoint(AT);

	(void)state;
	assert_int_equal(say(1, AT, NOW, NOW + LIFE), HINT_ACCEPTED);
	assert_int_equal(say(2, AT, NOW, NOW + LIFE), HINT_ACCEPTED);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(change(), NOW + LIFE);
		hints_refuse(h, &at, whys[i]);
		hints_tick(h, NOW + 1);
		hints_tick(h, NOW + 300);
		assert_int_equal(change(), -1);
		hints_tick(h, NOW + 601);
		assert_int_equal(change(), whys[i] == HINT_FULL ? NOW + LIFE : -1);
		hints_again(h);
	}
}

/* Nobody's traffic shows Stratum over UDP: a resolver, a clock or a tunnel cannot be named. */
static void test_udp(void **state)
{
	(void)state;
	assert_int_equal(say(1, "udp/192.0.2.7/53", NOW, NOW + LIFE), HINT_EVIDENCE);
	assert_int_equal(say(2, "udp/192.0.2.7/53", NOW, NOW + LIFE), HINT_EVIDENCE);
	assert_int_equal(change(), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own_forged, setup, teardown), cmocka_unit_test_setup_teardown(test_udp, setup, teardown), cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_topics, setup, teardown), cmocka_unit_test_setup_teardown(test_payloads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys, setup, teardown), cmocka_unit_test_setup_teardown(test_confirmed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_word, setup, teardown), cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replayed, setup, teardown), cmocka_unit_test_setup_teardown(test_revoked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rate, setup, teardown), cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_daemon_says_no, setup, teardown), cmocka_unit_test_setup_teardown(test_muted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restored, setup, teardown), cmocka_unit_test_setup_teardown(test_another_site, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_endpoints, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
