/* SPDX-License-Identifier: GPL-2.0-or-later */
/* List text in many spellings, hostile ones among them; and, where the shared corpus lies beside the tree, real lists:
 * a dozen spellings of one list must give the same names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/file.h"
#include "policy/lists.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CORPUS "../shared/corpus/lists/"

/* The text in a block of exactly its size, so that ASan sees an overrun. */
static int read_text(struct name_set *set, enum list_format format, const char *text, size_t len,
		     struct list_counts *counts)
{
	char *copy = malloc(len ? len : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, text, len);
	result = list_read(set, 3, format, copy, len, counts);
	assert_int_equal(counts->used, counts->names + counts->addresses + counts->exceptions);
	free(copy);
	return result;
}

static bool has(const struct name_set *set, const char *name, struct name_hit *hit)
{
	return name_set_match(set, name, strlen(name), hit);
}

/* Every spelling brings pool.example and second.example, whatever else it brings. */
static void test_spellings(void **state)
{
	static const struct { enum list_format format; size_t used, skipped; const char *text; } rows[] = {
		{ LIST_AUTO, 2, 0, "pool.example\nsecond.example\n" },
		{ LIST_AUTO, 2, 0, "pool.example\nsecond.example" },
		{ LIST_AUTO, 2, 0, "pool.example\r\nsecond.example\r\n" },
		{ LIST_AUTO, 2, 0, "\xef\xbb\xbfpool.example\nsecond.example\n" },
		{ LIST_AUTO, 2, 0, "\xef\xbb\xbf# head\r\n\r\nPOOL.Example.\r\n  second.example\t \r\n" },
		{ LIST_AUTO, 2, 0, "! head\n!pool\npool.example # why\nsecond.example\t#why\n" },
		{ LIST_AUTO, 2, 0, "#\n\n\n   \n\t\npool.example\n\n\nsecond.example\n\n" },
		{ LIST_AUTO, 2, 0, "0.0.0.0 pool.example\n0.0.0.0 second.example\n" },
		{ LIST_AUTO, 2, 0, "127.0.0.1\tpool.example\r\n127.0.0.1\t\tsecond.example\r\n" },
		{ LIST_AUTO, 2, 0, ":: pool.example\n::1 second.example\n" },
		{ LIST_AUTO, 2, 0, "0.0.0.0 pool.example second.example # two\n" },
		{ LIST_AUTO, 2, 0, "127.0.0.1 localhost pool.example\n::1 ip6-localhost ip6-loopback\n0.0.0.0 second.example\n" },
		{ LIST_HOSTS, 2, 0, "127.0.0.1 localhost.localdomain local\n255.255.255.255 broadcasthost\n" },
		{ LIST_HOSTS, 2, 1, "0.0.0.0 pool.example\n0.0.0.0 0.0.0.0\n0.0.0.0 second.example\n" },
		{ LIST_HOSTS, 2, 1, "0.0.0.0 pool.example\n192.168.1.1 router.example\n0.0.0.0 second.example\n" },
		{ LIST_HOSTS, 2, 1, "0.0.0.0 pool.example\nrouter.example\n0.0.0.0 second.example\n" },
		{ LIST_PLAIN, 2, 1, "pool.example\n0.0.0.0 other.example\nsecond.example\n" },
		{ LIST_AUTO, 4, 0, "pool.example\n192.0.2.1\n2001:db8::1\nsecond.example\n" },
		{ LIST_AUTO, 2, 5, "pool.example\ncom\n*\n.\n*.com\nco.uk\nsecond.example\n" },
		{ LIST_AUTO, 2, 2, "pool.example CNAME .\npool.example\n*.pool.example CNAME .\nsecond.example\n" },
		{ LIST_AUTO, 2, 4, "pool.example\n||x.example^\nsite.example##.ad\nhttp://x.example/y\naddress=/x.example/\nsecond.example\n" },
		{ LIST_AUTO, 2, 1, "pool.example\nb\xff" "cher.example\nsecond.example\n" },
		{ LIST_AUTO, 3, 0, "pool.example\nsecond.example\npool.example\n" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct name_set *set = name_set_new();
		struct list_counts counts;
		struct name_hit hit;

		assert_non_null(set);
		assert_int_equal(read_text(set, rows[i].format, rows[i].text, strlen(rows[i].text), &counts), 0);
		assert_int_equal(name_set_seal(set), 0);
		/* The one row of names that are only the machine's own. */
		if (strstr(rows[i].text, "broadcasthost")) {
			assert_int_equal(counts.used + counts.skipped, 0 + 1);
		} else {
			if (counts.used != rows[i].used || counts.skipped != rows[i].skipped)
				fail_msg("row %zu: %zu used, %zu skipped", i, counts.used, counts.skipped);
			assert_true(has(set, "a.pool.example", &hit));
			assert_int_equal(hit.source, 3);
			assert_true(has(set, "second.example", &hit));
		}
		assert_false(has(set, "x.example", &hit));
		assert_false(has(set, "site.example", &hit));
		assert_false(has(set, "other.example", &hit));
		assert_false(has(set, "router.example", &hit));
		assert_false(has(set, "localhost.localdomain", &hit));
		name_set_free(set);
	}
}

static void test_lines(void **state)
{
	static const char text[] = "# one\n\npool.example\r\n0.0.0.0\nsecond.example";
	struct name_set *set = name_set_new();
	struct list_counts counts;
	struct name_hit hit;

	(void)state;
	assert_int_equal(read_text(set, LIST_AUTO, text, sizeof(text) - 1, &counts), 0);
	assert_int_equal(name_set_seal(set), 0);
	assert_true(has(set, "pool.example", &hit));
	assert_int_equal(hit.line, 3);
	assert_true(has(set, "second.example", &hit));
	assert_int_equal(hit.line, 5);
	name_set_free(set);
}

static void test_bounds(void **state)
{
	struct name_set *set = name_set_new();
	struct list_counts counts;
	struct name_hit hit;
	size_t size = LIST_LINE_MAX + 64;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, "long.example", 12);		/* its line goes on with blanks past the limit */
	memcpy(text + LIST_LINE_MAX + 2, "\npool.example\0.example\n", 22);
	assert_int_equal(read_text(set, LIST_AUTO, text, LIST_LINE_MAX + 24, &counts), 0);
	assert_int_equal(counts.used, 0);
	assert_int_equal(counts.skipped, 2);		/* a long line, and one with a NUL */
	text[1] = '#';
	text[0] = ' ';
	assert_int_equal(read_text(set, LIST_AUTO, text, LIST_LINE_MAX + 15, &counts), 0);
	assert_int_equal(counts.used, 1);
	assert_int_equal(counts.skipped, 0);		/* a long comment is a comment */
	assert_int_equal(read_text(set, LIST_AUTO, text, 0, &counts), 0);
	assert_int_equal(counts.used, 0);
	assert_int_equal(name_set_seal(set), 0);
	assert_false(has(set, "long.example", &hit));
	assert_true(has(set, "pool.example", &hit));
	free(text);
	name_set_free(set);
}

static void test_too_many(void **state)
{
	static const char line[] = "a.example\n";
	size_t n = NAME_SET_MAX + 1, len = sizeof(line) - 1;
	struct name_set *set = name_set_new();
	char *text = malloc(n * len);
	struct list_counts counts;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, line, len);
	assert_int_equal(list_read(set, 1, LIST_AUTO, text, (n - 1) * len, &counts), 0);
	assert_int_equal(counts.used, NAME_SET_MAX);
	assert_int_equal(list_read(set, 1, LIST_AUTO, text, len, &counts), -7 /* E2BIG */);
	free(text);
	name_set_free(set);
}

/* What was made of a list: "hosts names 2 addresses 0 exceptions 0: path 1 redirect 2". */
static const char *told(const struct list_counts *c)
{
	static char text[400];
	size_t skipped = 0;
	int n;

	if (c->alien)
		return list_alien_text(c->alien);
	n = snprintf(text, sizeof(text), "%s %zu+%zu+%zu:", list_format_text(c->format), c->names, c->addresses, c->exceptions);
	for (enum list_reason r = 0; r < SKIP_REASONS; r++) {
		if (c->reasons[r])
			n += snprintf(text + n, sizeof(text) - (size_t)n, " %s %zu", list_reason_text(r), c->reasons[r]);
		skipped += c->reasons[r];
	}
	assert_int_equal(skipped, c->skipped);
	return text;
}

/* Names + addresses + exceptions: what is skipped, by reason. Of a line that says what it is, the format is seen. */
static void test_formats(void **state)
{
	static const struct { const char *text, *expected; } rows[] = {
		/* plain */
		{ "a.example\nb.example. # x\n// c\n! d\n; e\n.f.example\n*.g.example\n", "plain 4+0+0:" },
		{ "192.0.2.1\n198.51.100.0/24\n198.51.100.7/24 ; SBL1\n192.0.2.1:3333\n[2001:db8::1]:3333\n2001:db8::/32\n", "plain 0+6+0:" },
		{ "192.0.2.1-192.0.2.9\n2001:db8::1-2001:db8::7\n192.0.2.9-192.0.2.1\n", "plain 0+2+0: address 1" },
		{ "0.0.0.0/0\n::/0\n1.0.0.0/7\n2000::/15\n1.0.0.0-9.255.255.255\n", "plain 0+0+0: wide 5" },
		{ "10.1.2.3\n127.0.0.1\n172.16.0.0/12\n172.0.0.0/8\n192.168.0.1-192.168.0.9\n224.0.0.1\nfe80::1\nfc00::/16\n::1\n169.254.169.254\n100.64.0.1\n"
		  "255.255.255.255\n", "plain 0+0+0: local 12" },
		{ "1.2.3.4/33\n1.2.3/24\n1.2.3.4:99999\n2001:db8::/129\n1.2.3.4.5\n12345\n", "plain 0+0+0: address 6" },
		{ "http://a.example\nhttps://b.example/\nhttp://192.0.2.1/\nhttp://c.example/x.js\nwss://d.example:443\nstratum+tcp://192.0.2.2:3333\n",
		  "plain 2+2+0: path 1 port 1" },
		{ "/x.js\na.example/x\nb.example:3333\nc.*\nm*.example\n*\n-\na,b.example\na b\ncom\nx y z\n", "plain 0+0+0: path 2 pattern 3 port 1 name 1 wide 2 syntax 2" },
		{ "a.example\t99\nb.example 99 x\n", "plain 1+0+0: syntax 1" },
		{ "*.a.example\n.b.example\n", "wildcard 2+0+0:" },
		{ "*.a.example\nb.example\n", "plain 2+0+0:" },
		/* hosts */
		{ "0.0.0.0 a.example b.example\n:: c.example\n127.0.0.1 localhost\n192.0.2.1 d.example\n0.0.0.0 com\n0.0.0.0\n",
		  "hosts 3+0+0: redirect 1 wide 1 syntax 1" },
		{ "0.0.0.0 a.example\n0.0.0.0 b.example c.example\n0.0.0.0 d.example#x\n0.0.0.0 e.example # x\n0.0.0.0\tf.example\n", "hosts 5+0+0: name 1" },
		/* adblock */
		{ "[Adblock Plus 2.0]\n! x\n||a.example^\n||b.example\n||c.example^$third-party\n||d.example^$3p,important\n||e.example^|\n||f.example/\n"
		  "||g.example^$document\n||h.example^$all\n@@||i.example^\n@@||j.example^$important\n||*.k.example^\nl.example\n||192.0.2.1^\n192.0.2.2\n"
		  "||192.0.2.3:3333^\n||[2001:db8::1]^\n0.0.0.0 m.example\n||n.example^$dnsrewrite=NXDOMAIN\n", "adblock 12+4+2:" },
		{ "||a.example^$script\n||b.example^$domain=x.example\n||c.example^$domain=~x.example\n||d.example^$~third-party\n||e.example^$popup\n"
		  "@@||f.example^$document\n||g.example^$dnsrewrite=192.0.2.1\n$csp=x\n||h.example^$third-party,websocket\n||i.example^$denyallow=j.example\n",
		  "adblock 0+0+0: option 10" },
		{ "||a.example/x.js\n/x.js\n-x.js\n|https://b.example^\n||c.example^*.php\n.d.example^\n=x\n||e.example^$\n@@/y\n", "adblock 0+0+0: path 9" },
		{ "||a*.example^\n||b.*^\n||*^\n/x[0-9]/\n/y$/$script\n@@/z/\n||^\n||\n", "adblock 0+0+0: regex 3 pattern 3 syntax 2" },
		{ "##.ad\na.example##.ad\nb.example#@#.ad\nc.example##+js(x)\n#?#d\n[$path=/x]##y\ne.example$$script\n# comment\n#\n##### title\n",
		  "adblock 0+0+0: cosmetic 7" },
		{ "||a.example^\n||a.example^$badfilter\n||b.example^$important,third-party\n||b.example^$third-party,badfilter,important\n"
		  "||c.example^$third-party\n||c.example^$badfilter\n", "adblock 1+0+0: disabled 5" },
		{ "||a.example:8080^\n||com^\n||co.uk^\n||10.0.0.1^\n||a_b-.example^\n", "adblock 1+0+0: port 1 wide 2 local 1" },
		/* dnsmasq */
		{ "address=/a.example/\naddress=/b.example/0.0.0.0\naddress=/c.example/d.example/::\naddress=/e.example/#\nserver=/f.example/\nlocal=/g.example/ # x\n"
		  "server=/h.example/#\n#x\naddress=/i.example/192.0.2.1\nserver=/j.example/192.0.2.53\nserver=192.0.2.53\nno-resolv\naddress=/#/0.0.0.0\n"
		  "ipset=/k.example/s\nlocal=/com/\n", "dnsmasq 7+0+1: redirect 2 directive 3 wide 2" },
		/* unbound */
		{ "server:\n  # x\n  local-zone: \"a.example\" always_nxdomain\n  local-zone: 'b.example.' refuse # y\nlocal-zone: c.example static\n"
		  "local-zone: \"d.example\" redirect\nlocal-data: \"d.example A 0.0.0.0\"\nlocal-data: \"d.example 60 IN AAAA ::\"\n"
		  "local-data: \"e.example A 192.0.2.1\"\nlocal-data: \"f.example TXT x\"\nlocal-zone: \"g.example\" always_transparent\nlocal-zone: \"h.example\" nodefault\n"
		  "verbosity: 1\nx\n", "unbound 5+0+1: redirect 1 directive 3 syntax 1" },
		/* rpz */
		{ "$TTL 60\n$ORIGIN rpz.example.\n@ IN SOA ns.example. x.example. (\n 1 ; serial\n 2 3 4 5 )\n  IN NS ns.example.\n; x\na.example CNAME .\n"
		  "*.a.example CNAME .\nb.example 60 IN CNAME *.\nc.example.rpz.example. CNAME rpz-drop.\nd.example CNAME rpz-passthru.\n"
		  "e.example CNAME e.example.\nf.example CNAME walled.example.\ng.example A 0.0.0.0\n  AAAA ::\nh.example A 192.0.2.1\n"
		  "24.0.2.0.192.rpz-ip CNAME .\n128.1.zz.db8.2001.rpz-ip CNAME .\n32.1.2.0.192.rpz-client-ip CNAME .\nns.x.rpz-nsdname CNAME .\n"
		  "* CNAME .\ni.example CNAME rpz-tcp-only.\nj.example TXT x\nk.example CNAME\n", "rpz 6+2+2: redirect 2 directive 4 wide 1 syntax 1" },
		{ "$TTL 60\n  CNAME .\n\tA 0.0.0.0\na.example CNAME\n$ORIGIN\n$INCLUDE x\nb.example. CNAME .\n. CNAME .\n", "rpz 1+0+0: directive 1 name 1 syntax 1" },
		/* ipset */
		{ "create s hash:net family inet\nadd s 192.0.2.1\nadd s 198.51.100.0/24 timeout 60\nadd s 198.51.100.7 nomatch\nadd s 192.0.2.2,tcp:3333\n"
		  "add s 192.0.2.3-192.0.2.9 comment \"nomatch\"\nadd s 192.0.2.4,tcp:1-9\nadd s 192.0.2.4,tcp:1,192.0.2.5\nadd s x\nadd s\nCOMMIT\nflush s\n",
		  "ipset 0+4+1: directive 1 port 1 address 1 syntax 1" },
		/* nftables */
		{ "table inet f {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 192.0.2.1, 192.0.2.2 timeout 1h,\n\t\t\t198.51.100.0/24 comment \"a, b }\", # c, d }\n"
		  "\t\t\t192.0.2.3-192.0.2.9, 192.0.2.4 . 3333, 192.0.2.5 . tcp . 3333, x, 10.0.0.1 }\n\t}\n}\n", "nftables 0+6+0: address 1 local 1" },
		{ "#!/usr/sbin/nft -f\nadd element inet f s { 192.0.2.1,\n192.0.2.2 }\ndefine d = { 192.0.2.3 }\n", "nftables 0+3+0:" },
		/* address ranges */
		{ "mining:192.0.2.1-192.0.2.9\na:b, c:192.0.2.1-192.0.2.1\nx\n", "p2p 0+2+0: syntax 1" },
		{ "192.000.002.001 - 192.000.002.009 , 000 , a: b\n192.000.002.011 - 192.000.002.019 , 200 , c\n010.000.000.001 - 010.000.000.002 , 1 , d\n",
		  "p2p 0+1+0: directive 1 local 1" },
		/* dataset */
		{ "cG9vbC5leGFtcGxl\ncG9vbC5leGFtcGxl\ncG9vbC5leGFtcGxl\nc2Vjb25kLmV4YW1wbGU=,10\nMTkyLjAuMi4x\n#x\n====\ncG9v\n!\n", "suricata 4+1+0: wide 1 syntax 2" },
		/* no lists */
		{ "", "plain 0+0+0:" },
		{ "\n\n# x\n", "plain 0+0+0:" },
		{ "\x1f\x8b\x08\x00x", "looks like a packed file (gzip or another)" },
		{ "\xff\xfe" "p\x00o\x00", "looks like UTF-16 text" },
		{ "\n <!DOCTYPE html><html>pool.example\n", "looks like a web page" },
		{ "\xef\xbb\xbf<HTML>\npool.example\n", "looks like a web page" },
		{ "<?xml version='1.0'?>\n", "looks like a web page" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct name_set *set = name_set_new();
		struct list_counts counts;

		assert_int_equal(read_text(set, LIST_AUTO, rows[i].text, strlen(rows[i].text), &counts), 0);
		assert_int_equal(name_set_seal(set), 0);
		if (strcmp(told(&counts), rows[i].expected))
			fail_msg("row %zu:\n    is %s\nwanted %s", i, told(&counts), rows[i].expected);
		name_set_free(set);
	}
}

/* Bytes that no list should have; each line of them costs itself and nothing else. */
static void test_broken(void **state)
{
	static const struct { size_t len; const char *text, *expected; } rows[] = {
#define TEXT(t) sizeof(t) - 1, t
		{ TEXT("a.example\nb\0c.example\nd.example\n"), "plain 2+0+0: name 1" },
		{ TEXT("a.example\n\0\0\0\nd.example\n"), "plain 2+0+0: name 1" },
		{ TEXT("p\0o\0o\0l\0.\0e\0x\0"), "looks like UTF-16 text" },
		{ TEXT("\0p\0o\0o\0l\0.\0e\0x"), "looks like UTF-16 text" },
		{ TEXT("\xfe\xff\0p"), "looks like UTF-16 text" },
		{ TEXT("a.example\n\xff\xfe\xfd.example\n\xc3.example\n\xed\xa0\x80.example\nd.example"), "plain 2+0+0: unicode 3" },
		{ TEXT("a.example\r\n\r\nb.example\r\n"), "plain 2+0+0:" },
		{ TEXT("0.0.0.0 a.example\r\n0.0.0.0 b.example\r\n0.0.0.0 c\0.example\r\n"), "hosts 2+0+0: name 1" },
		{ TEXT("\xef\xbb\xbf" "0.0.0.0 a.example\r\n"), "hosts 1+0+0:" },
		{ TEXT("||a.example^\n||b\0.example^\n||\xff.example^\n"), "adblock 1+0+0: path 1 unicode 1" },
	};
	char label[NAME_LABEL_MAX + 2], text[2000];
	struct list_counts counts;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct name_set *set = name_set_new();

		assert_int_equal(read_text(set, LIST_AUTO, rows[i].text, rows[i].len, &counts), 0);
		if (strcmp(told(&counts), rows[i].expected))
			fail_msg("row %zu:\n    is %s\nwanted %s", i, told(&counts), rows[i].expected);
		name_set_free(set);
	}
	memset(label, 'a', sizeof(label) - 1);
	label[NAME_LABEL_MAX + 1] = '\0';
	/* A label of 63 and of 64 bytes; a name of 253 and of 254; a URL of one. */
	snprintf(text, sizeof(text), "%.63s.example\n%.64s.example\n%.63s.%.63s.%.63s.%.61s\n%.63s.%.63s.%.63s.%.62s\n", label, label, label, label,
		 label, label, label, label, label, label);
	assert_int_equal(read_text(NULL, LIST_AUTO, text, strlen(text), &counts), 0);
	assert_string_equal(told(&counts), "plain 2+0+0: name 1 long 1");
}

/* A line of 10 MB, in each format: skipped whole, and what follows is read. */
static void test_long_line(void **state)
{
	static const struct { enum list_format format; const char *good, *expected; } rows[] = {
		{ LIST_PLAIN, "\npool.example\n", "plain 1+0+0: long 1" }, { LIST_HOSTS, "\n0.0.0.0 pool.example\n", "hosts 1+0+0: long 1" },
		{ LIST_ADBLOCK, "\n||pool.example^\n", "adblock 1+0+0: long 1" }, { LIST_RPZ, "\npool.example CNAME .\n", "rpz 1+0+0: long 1" },
		{ LIST_DNSMASQ, "\nlocal=/pool.example/\n", "dnsmasq 1+0+0: long 1" }, { LIST_NFTABLES, "\n= {192.0.2.1}\n", "nftables 0+1+0:" },
		{ LIST_SURICATA, "\ncG9vbC5leGFtcGxl\n", "suricata 1+0+0: long 1" }, { LIST_AUTO, "\npool.example\n", "plain 1+0+0: long 1" },
	};
	size_t size = 10u << 20;
	char *text = malloc(size + 64);
	struct list_counts counts;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', size);
	for (size_t i = 0; i < COUNT(rows); i++) {
		strcpy(text + size, rows[i].good);
		assert_int_equal(read_text(NULL, rows[i].format, text, size + strlen(rows[i].good), &counts), 0);
		assert_string_equal(told(&counts), rows[i].expected);
	}
	free(text);
}

static const struct network *find_address(const struct address_set *set, const char *text)
{
	struct network net;

	assert_int_equal(address_parse(text, strlen(text), &net), ADDRESS_GOOD);
	return address_set_match(set, net.addr, net.port);
}

/* Everything goes where it belongs, with its line and its text. */
static void test_targets(void **state)
{
	static const struct { enum list_format format; const char *text; } rows[] = {
		{ LIST_PLAIN, "# 1\nx.example\npool.example\n\n192.0.2.0/24\n198.51.100.1-198.51.100.6\n" },
		{ LIST_ADBLOCK, "! 1\n||x.example^\n||pool.example^$third-party\n@@||ok.pool.example^\n||192.0.2.0^\n" },
		{ LIST_NFTABLES, "define x = { 198.51.100.9 }\ntable inet f {\n set s {\n  elements = {\n   192.0.2.0/24,\n   198.51.100.1-198.51.100.6 }}}\n" },
		{ LIST_RPZ, "$TTL 60\n@ SOA (\n) x.\n*.x.example CNAME .\n24.0.2.0.192.rpz-ip CNAME .\npool.example CNAME .\nok.pool.example CNAME rpz-passthru.\n" },
		{ LIST_IPSET, "create s hash:net\n\n\n\nadd s 192.0.2.0/24\nadd s 198.51.100.1-198.51.100.6\nadd s 192.0.2.7 nomatch\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address_set addresses = { .n = 0 }, excepted_addresses = { .n = 0 };
		struct list_target to = { name_set_new(), name_set_new(), &addresses, &excepted_addresses, 9 };
		struct list_counts counts;
		struct name_hit hit;

		assert_int_equal(list_load(&to, rows[i].format, rows[i].text, strlen(rows[i].text), &counts), 0);
		assert_int_equal(name_set_seal(to.names) | name_set_seal(to.excepted_names), 0);
		assert_int_equal(address_set_seal(&addresses) | address_set_seal(&excepted_addresses), 0);
		assert_int_equal(find_address(&addresses, "192.0.2.0")->line, 5);
		assert_int_equal(find_address(&addresses, "192.0.2.0")->source, 9);
		assert_null(find_address(&addresses, "192.0.3.0"));
		if (counts.addresses > 1) {
			assert_int_equal(find_address(&addresses, "198.51.100.6")->line, 6);
			assert_string_equal(find_address(&addresses, "198.51.100.1")->text, "198.51.100.1-198.51.100.6");
			assert_null(find_address(&addresses, "198.51.100.7"));
		}
		if (counts.names) {
			assert_true(has(to.names, "a.pool.example", &hit));
			assert_int_equal(hit.line, rows[i].format == LIST_RPZ ? 6 : 3);
			assert_string_equal(hit.entry, "pool.example");
			assert_int_equal(hit.source, 9);
		}
		if (counts.exceptions && counts.names) {
			assert_true(has(to.excepted_names, "ok.pool.example", &hit));
			assert_int_equal(hit.line, rows[i].format == LIST_RPZ ? 7 : 4);
		} else if (counts.exceptions) {
			assert_int_equal(find_address(&excepted_addresses, "192.0.2.7")->line, 7);
		}
		name_set_free(to.names);
		name_set_free(to.excepted_names);
		address_set_fini(&addresses);
		address_set_fini(&excepted_addresses);
	}
}

/* Unicode as a client sends it: in lower case, composed, its xn-- form. */
static void test_unicode(void **state)
{
	static const char text[] = "b\xc3\xbc" "cher.example\nB\xc3\x9c" "CHER2.example\n*.\xd0\xbf\xd1\x83\xd0\xbb.example\nfa\xc3\x9f.example\nxn--bcher-kva.example\n";
	struct name_set *set = name_set_new();
	struct list_counts counts;
	struct name_hit hit;

	(void)state;
	assert_int_equal(read_text(set, LIST_PLAIN, text, sizeof(text) - 1, &counts), 0);
	assert_int_equal(name_set_seal(set), 0);
	if (name_knows_unicode()) {
		assert_string_equal(told(&counts), "plain 5+0+0:");
		assert_int_equal(name_set_count(set), 4);
		assert_true(has(set, "xn--bcher2-3ya.example", &hit));
		assert_true(has(set, "x.xn--k1ahm.example", &hit));
		assert_true(has(set, "xn--fa-hia.example", &hit));
		assert_int_equal(hit.line, 4);
	} else {
		assert_string_equal(told(&counts), "plain 1+0+0: unicode 4");
	}
	assert_true(has(set, "xn--bcher-kva.example", &hit));
	name_set_free(set);
}

struct real {
	const char *file;
	size_t used;
};

static void read_real(struct name_set *set, const char *file, struct list_counts *counts)
{
	char path[256];
	char *text;
	size_t len;

	snprintf(path, sizeof(path), CORPUS "%s", file);
	assert_int_equal(file_read(path, LIST_FILE_MAX, &text, &len), 0);
	assert_int_equal(read_text(set, LIST_AUTO, text, len, counts), 0);
	free(text);
}

static void need_corpus(void)
{
	if (!access(CORPUS "MANIFEST.tsv", R_OK))
		return;
	print_message("skipped: no " CORPUS " beside the tree\n");
	skip();
}

static void test_real(void **state)
{
	static const struct real same[] = {
		{ "nocoin/hosts.txt", 313 }, { "derived/nocoin.domains.txt", 313 }, { "derived/nocoin.wildcard.txt", 313 },
		{ "derived/nocoin.hosts-127-multi.txt", 313 }, { "derived/nocoin.hosts-v6.txt", 313 },
		{ "derived/nocoin.crlf-bom-upper.txt", 313 }, { "derived/nocoin.no-final-newline.txt", 313 },
	};
	static const struct real other[] = {
		{ "derived/nocoin.adguard.txt", 313 }, { "derived/nocoin.dnsmasq-address.conf", 313 },
		{ "derived/nocoin.dnsmasq-local.conf", 313 }, { "derived/nocoin.unbound.conf", 313 },
		{ "derived/nocoin.suricata-dataset", 313 }, { "derived/nocoin.dotprefix.acl", 313 },
		{ "derived/nocoin.urls.txt", 0 }, { "derived/nocoin.hosts.gz", 0 }, { "nocoin/nocoin-ublock.txt", 0 },
	};
	(void)state;
	need_corpus();
	for (size_t i = 0; i < COUNT(same) + COUNT(other); i++) {
		const struct real *real = i < COUNT(same) ? &same[i] : &other[i - COUNT(same)];
		struct name_set *set = name_set_new();
		struct list_counts counts;

		read_real(set, real->file, &counts);
		assert_int_equal(name_set_seal(set), 0);
		if (counts.used != real->used || name_set_count(set) != real->used)
			fail_msg("%s: %zu used, %zu skipped", real->file, counts.used, counts.skipped);
		name_set_free(set);
	}
}

static void test_hostile(void **state)
{
	struct name_set *set;
	struct list_counts counts;
	struct name_hit hit;

	(void)state;
	need_corpus();
	set = name_set_new();
	read_real(set, "derived/hostile.txt", &counts);
	print_message("hostile.txt: %zu used, %zu skipped\n", counts.used, counts.skipped);
	assert_int_equal(name_set_seal(set), 0);
	assert_true(has(set, "last-without-newline.example", &hit));
	assert_false(has(set, "www.bbc.co.uk", &hit));
	assert_false(has(set, "www.wikipedia.com", &hit));
	assert_false(has(set, "site.example", &hit));
	assert_false(has(set, "coinhive.com", &hit));
	assert_false(has(set, "localhost", &hit));
	name_set_free(set);
}

/* The shipped starter list blocks pools and next to nothing that people use. */
static void test_starter(void **state)
{
	struct name_set *set = name_set_new();
	struct list_counts counts;
	struct name_hit hit;
	char *text;
	size_t len, hits = 0, names = 0;

	(void)state;
	assert_int_equal(file_read("contrib/lists/starter.txt", LIST_FILE_MAX, &text, &len), 0);
	assert_int_equal(list_read(set, 1, LIST_PLAIN, text, len, &counts), 0);
	free(text);
	assert_int_equal(counts.skipped, 0);
	assert_int_equal(name_set_seal(set), 0);
	assert_int_equal(name_set_count(set), counts.used);	/* no repeats */
	assert_true(has(set, "donate.v2.xmrig.com", &hit));
	assert_true(has(set, "ws001.coinhive.com", &hit));
	assert_false(has(set, "xmrig.com", &hit));
	assert_false(has(set, "www.nicehash.com", &hit));
	assert_false(has(set, "www.binance.com", &hit));
	assert_false(has(set, "getmonero.org", &hit));
	if (file_read(CORPUS "benign/umbrella-top-100k-union.txt", LIST_FILE_MAX, &text, &len)) {
		print_message("popular names skipped: no " CORPUS " beside the tree\n");
		name_set_free(set);
		return;
	}
	for (char *save, *name = strtok_r(text, "\r\n", &save); name; name = strtok_r(NULL, "\r\n", &save), names++)
		if (has(set, name, &hit)) {
			/* Their Stratum hosts are popular themselves; nothing else that is popular may be listed. */
			if (!strstr(name, ".nicehash.com"))
				fail_msg("popular and listed: %s by %s", name, hit.entry);
			hits++;
		}
	print_message("starter: %zu names, %zu hits in %zu popular names\n", counts.used, hits, names);
	free(text);
	name_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_unicode),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_starter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
