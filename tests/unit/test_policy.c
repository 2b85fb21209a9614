/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy file: every key's value, every default, and for each way to write it wrong the one line that the operator
 * gets, position included. */
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/doc.h"
#include "policy/rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char folder[] = "/tmp/test_policy.XXXXXX";

static void write_bytes(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void write_file(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static struct policy *load_text(const char *text, size_t len, struct policy_error *error)
{
	memset(error, 0x55, sizeof(*error));
	write_bytes("p.yaml", text, len);
	return policy_load("p.yaml", error);
}

static struct policy *load(const char *text)
{
	struct policy_error error;
	struct policy *p = load_text(text, strlen(text), &error);

	if (!p)
		fail_msg("%s", error.text);
	return p;
}

/* The one line without the "p.yaml". */
static void check_error(const char *text, size_t len, const char *expected)
{
	struct policy_error error;
	struct policy *p = load_text(text, len, &error);

	if (p)
		fail_msg("accepted: %s", text);
	if (strncmp(error.text, "p.yaml", 6) || strcmp(error.text + 6, expected))
		fail_msg("\n    is %s\nwanted p.yaml%s\n   for %.200s", error.text, expected, text);
	assert_null(strchr(error.text, '\n'));
	assert_int_equal(error.kind, POLICY_INVALID);
}

static void test_defaults(void **state)
{
	struct policy *p = load("version: 1\n");
	const struct settings *s = policy_settings(p);
	const struct list_info *lists;

	(void)state;
	assert_int_equal(s->mode, MODE_MONITOR);
	assert_int_equal(s->hook, HOOK_BOTH);
	assert_int_equal(s->fail, FAIL_OPEN);
	assert_int_equal(s->n_out, 0);
	assert_int_equal(s->queue_first, 0);
	assert_int_equal(s->queue_count, 0);
	assert_int_equal(s->queue_length, 4096);
	assert_int_equal(s->mark_mask, 0x0e000000);
	assert_int_equal(s->endpoint_timeout_s, 3600);
	assert_int_equal(s->pair_timeout_s, 600);
	assert_int_equal(s->scope, SCOPE_AUTO);
	assert_true(s->reset);
	assert_int_equal(s->memory_flows, 65536);
	assert_int_equal(s->memory_reassembly, 16 << 20);
	assert_int_equal(s->memory_endpoints, 65536);
	assert_true(s->own_table);
	assert_false(s->guard_offload);
	assert_false(s->log_wallets);
	assert_string_equal(s->control, "/run/minewall/control.sock");
	assert_string_equal(s->log_file, "/var/log/minewall/eve.json");
	assert_int_equal(policy_names(p), 0);
	assert_int_equal(policy_lists(p, &lists), 0);
	assert_int_equal(policy_exempt_hosts(p).n + policy_allowed_addresses(p).n + policy_blocked_addresses(p).n, 0);
	assert_ptr_equal(policy_dialects(p)->rows, dialect_builtin.rows);
	policy_free(p);
}

static void test_every_key(void **state)
{
	struct policy *p;
	const struct settings *s;
	const struct list_info *lists;

	(void)state;
	write_file("one.txt", "pool.example\nb.example\n192.0.2.1\n");
	write_file("two.hosts", "0.0.0.0 c.example d.example\n");
	p = load("version: 1\nmode: enforce\nhook: forward\ninterfaces: {out: [eth0, ppp0.7], offload: [eth1, eth0, br-lan]}\nfail: closed\n"
		 "queues: {first: 7, count: 2, length: 1024}\nmark: {mask: 0x00000700}\n"
		 "block:\n  names: [bad.example, \"*.cdn.example\"]\n"
		 "  addresses: [192.0.2.7, 198.51.100.0/24, \"[2001:db8::7]:3333\"]\n"
		 "  timeout: {endpoint: 2d, pair: 90s}\n  scope: pair\n  reset: false\n"
		 "lists:\n  - {name: one, file: one.txt, category: browser}\n  - {name: two, file: ./two.hosts, format: hosts}\n"
		 "allow: {names: [lan, pool.mine.example], hosts: [192.168.1.50, 10.0.9.0/24, 2001:db8:9::/48], addresses: [192.0.2.8:443]}\n"
		 "shared: [203.0.113.0/24]\n"
		 "detect: {tls: monitor, http: off, stratum: {action: monitor, scope: flow}}\n"
		 "control: c.sock\nlog: {file: /var/log/x.json, wallets: clear}\nmemory: {flows: 4096, reassembly: 512KiB, endpoints: 99}\n"
		 "own_table: false\nguard_offload: true\n");
	s = policy_settings(p);
	assert_int_equal(s->mode, MODE_ENFORCE);
	assert_int_equal(s->hook, HOOK_FORWARD);
	assert_int_equal(s->fail, FAIL_CLOSED);
	assert_int_equal(s->n_out, 2);
	assert_string_equal(s->out[1], "ppp0.7");
	assert_int_equal(s->n_offload, 3);
	assert_string_equal(s->offload_devices[2], "br-lan");
	assert_false(s->offload);
	assert_int_equal(s->queue_first, 7);
	assert_int_equal(s->queue_count, 2);
	assert_int_equal(s->queue_length, 1024);
	assert_int_equal(s->mark_mask, 0x700);
	assert_int_equal(s->endpoint_timeout_s, 2 * 86400);
	assert_int_equal(s->pair_timeout_s, 90);
	assert_int_equal(s->scope, SCOPE_PAIR);
	assert_false(s->reset);
	assert_string_equal(s->control, "c.sock");
	assert_string_equal(s->log_file, "/var/log/x.json");
	assert_true(s->log_wallets);
	assert_int_equal(s->memory_flows, 4096);
	assert_int_equal(s->memory_reassembly, 512 << 10);
	assert_int_equal(s->memory_endpoints, 99);
	assert_false(s->own_table);
	assert_true(s->guard_offload);
	assert_int_equal(policy_names(p), 6);
	assert_int_equal(policy_lists(p, &lists), 2);
	assert_string_equal(lists[0].name, "one");
	assert_string_equal(lists[0].file, "one.txt");
	assert_string_equal(lists[0].category, "browser");
	assert_int_equal(lists[0].used, 3);
	assert_int_equal(lists[0].names, 2);
	assert_int_equal(lists[0].addresses, 1);
	assert_int_equal(lists[0].skipped, 0);
	assert_string_equal(lists[0].format, "plain");
	assert_string_equal(lists[1].category, "");
	assert_int_equal(policy_exempt_hosts(p).n, 3);
	assert_int_equal(policy_blocked_addresses(p).n, 3);
	assert_int_equal(policy_allowed_addresses(p).n, 1);
	assert_int_equal(policy_allowed_addresses(p).items[0].port, 443);
	assert_int_equal(policy_allowed_addresses(p).items[0].prefix, 128);
	assert_string_equal(policy_allowed_addresses(p).items[0].text, "192.0.2.8:443");
	assert_int_equal(p->detect[DETECTOR_TLS].action, DETECT_MONITOR);
	assert_int_equal(p->detect[DETECTOR_HTTP].action, DETECT_OFF);
	assert_int_equal(p->detect[DETECTOR_STRATUM].action, DETECT_MONITOR);
	assert_int_equal(p->detect[DETECTOR_STRATUM].scope, SCOPE_FLOW);
	policy_free(p);
}

static void test_yaml(void **state)
{
	static const char *const good[] = {
		"\xef\xbb\xbfversion: 1\n", "version: 1\r\nmode: monitor\r\n", "version: 1", "---\nversion: 1\n...\n", "{version: 1}",
		"# only\n\n\"version\": \"1\"\nmode: 'enforce'\n", "%YAML 1.1\n---\nversion: 1\n",
		"version: 1\nallow: {names: &n [a.example]}\nblock: {names: *n}\n", "version: 1\nblock: {names: []}\nlists: []\n",
		"version: 1\nmark: {mask: 0xe0000000}\n", "version: 1\nmark: {mask: 7}\n", "version: 1\nqueues: {count: auto}\n",
		"version: 1\nblock:\n  timeout:\n    pair: 30d\n    endpoint: 1s\n", "version: 1\nmemory: {reassembly: 1GiB}\n",
		"version: 1\nallow: {hosts: [\"::/0\", 0.0.0.0/0]}\n", "version: 1\nblock: {addresses: [2001:db8::7, 192.0.2.1:1]}\n",
	};
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		policy_free(load(good[i]));
}

#define V "version: 1\n"

static const struct { const char *text, *error; } wrong[] = {
	{ "", ": is empty, expected 'version: 1'" },
	{ "# nothing\n", ": is empty, expected 'version: 1'" },
	{ "mode: monitor\n", ":1:1: the policy has no 'version', expected 'version: 1'" },
	{ "\n\n  mode: monitor\n", ":3:3: the policy has no 'version', expected 'version: 1'" },
	{ "version: 2\n", ":1:10: version is '2', expected 1" },
	{ "version:\n", ":1:9: version is empty, expected 1" },
	{ "version: [1]\n", ":1:10: version is a list, expected 1" },
	{ "minewall\n", ":1:1: the policy is 'minewall', expected a mapping such as 'version: 1'" },
	{ "- version: 1\n", ":1:1: the policy is a list, expected a mapping such as 'version: 1'" },
	{ V "moed: enforce\n", ":2:1: unknown key 'moed', did you mean 'mode'?" },
	{ V "Mode: enforce\n", ":2:1: unknown key 'Mode', did you mean 'mode'?" },
	{ V "memroy: {}\n", ":2:1: unknown key 'memroy', did you mean 'memory'?" },
	{ V "whitelist: {}\n", ":2:1: unknown key 'whitelist', expected one that minewall.yaml(5) explains" },
	{ V "block: {nmaes: []}\n", ":2:9: unknown key 'nmaes' in block, did you mean 'names'?" },
	{ V "block:\n  timeout: {endpiont: 1h}\n", ":3:13: unknown key 'endpiont' in block.timeout, did you mean 'endpoint'?" },
	{ V "mark: {bits: 3}\n", ":2:8: unknown key 'bits' in mark, expected mask" },
	{ V "mode: enforce\nfail: open\nmode: monitor\n", ":4:1: repeated key 'mode', expected it once" },
	{ V "allow: {names: [], names: []}\n", ":2:20: repeated key 'names', expected it once" },
	{ V "mode: enforced\n", ":2:7: mode is 'enforced', expected monitor or enforce" },
	{ V "mode: Enforce\n", ":2:7: mode is 'Enforce', expected monitor or enforce" },
	{ V "mode:\n", ":2:6: mode is empty, expected monitor or enforce" },
	{ V "mode: {enforce: true}\n", ":2:7: mode is a mapping, expected monitor or enforce" },
	{ V "hook: input\n", ":2:7: hook is 'input', expected forward, output or both" },
	{ V "fail: yes\n", ":2:7: fail is 'yes', expected open or closed" },
	{ V "interfaces: [eth0]\n", ":2:13: interfaces is a list, expected a mapping such as {out: [eth0]}" },
	{ V "interfaces: {out: eth0}\n", ":2:19: interfaces.out is 'eth0', expected a list of interfaces, such as [eth0]" },
	{ V "interfaces: {out: [eth0, eth0]}\n", ":2:26: interfaces.out: repeated interface 'eth0', expected it once" },
	{ V "interfaces: {out: [a/b]}\n", ":2:20: interfaces.out: 'a/b' is no interface name, expected one such as eth0" },
	{ V "interfaces: {out: [abcdefghijklmnop]}\n",
	  ":2:20: interfaces.out has 16 bytes, expected an interface name of at most 15" },
	{ V "interfaces: {out: [[eth0]]}\n", ":2:20: interfaces.out is a list, expected an interface name" },
	{ V "queues: {first: -1}\n", ":2:17: queues.first is '-1', expected a number from 0 to 65535" },
	{ V "queues: {first: 65536}\n", ":2:17: queues.first is '65536', expected a number from 0 to 65535" },
	{ V "queues: {first: 65535}\n",
	  ":2:9: queues: first 65535 and 8 queues go past 65535, expected a first of at most 65528" },
	{ V "queues: {count: 0}\n", ":2:17: queues.count is '0', expected auto or a number from 1 to 64" },
	{ V "queues: {count: many}\n", ":2:17: queues.count is 'many', expected auto or a number from 1 to 64" },
	{ V "queues: {length: 4k}\n", ":2:18: queues.length is '4k', expected a number from 16 to 65536" },
	{ V "queues: {length: 99999999999999999999}\n",
	  ":2:18: queues.length is '99999999999999999999', expected a number from 16 to 65536" },
	{ V "mark: {mask: 0x0f000000}\n", ":2:14: mark.mask is '0x0f000000', expected three adjacent bits, such as 0x0e000000" },
	{ V "mark: {mask: 0x0b}\n", ":2:14: mark.mask is '0x0b', expected three adjacent bits, such as 0x0e000000" },
	{ V "mark: {mask: 0xc0000000}\n", ":2:14: mark.mask is '0xc0000000', expected three adjacent bits, such as 0x0e000000" },
	{ V "mark: {mask: 0}\n",
	  ":2:14: mark.mask is '0', expected a 32-bit mask of three adjacent bits, such as 0x0e000000" },
	{ V "mark: {mask: 0x1c0000000}\n",
	  ":2:14: mark.mask is '0x1c0000000', expected a 32-bit mask of three adjacent bits, such as 0x0e000000" },
	{ V "block: {names: pool.example}\n",
	  ":2:16: block.names is 'pool.example', expected a list of names, such as [pool.example]" },
	{ V "block: {names: [pool.example, com]}\n", ":2:31: block.names: 'com' is no name to block: it would cover a whole "
	  "top-level domain or registry; expected one such as pool.example or \"*.pool.example\"" },
	{ V "block: {names: [pool..example]}\n", ":2:17: block.names: 'pool..example' is no name to block: a label is empty or "
	  "has more than 63 bytes; expected one such as pool.example or \"*.pool.example\"" },
	{ V "block: {names: [b\xef\xbf\xbd" "cher.example]}\n", ":2:17: block.names: 'b\xef\xbf\xbd" "cher.example' is no name to block: "
	  "it is not ASCII: write its xn-- form; expected one such as pool.example or \"*.pool.example\"" },
	{ V "block:\n  names:\n    - 192.0.2.1\n", ":4:7: block.names: '192.0.2.1' is no name to block: it is an address or ends "
	  "in a number; expected one such as pool.example or \"*.pool.example\"" },
	{ V "allow: {names: [\"*\"]}\n", ":2:17: allow.names: '*' is no name to allow: it has a byte that no host name has; "
	  "expected one such as pool.example or \"*.pool.example\"" },
	{ V "block: {names: [\"a\\tb\\e[2J\\x9b\"]}\n", ":2:17: block.names: 'a?b?[2J?" "?' is no name to block: it has a byte that no "
	  "host name has; expected one such as pool.example or \"*.pool.example\"" },
	{ V "block: {names: [*.x.example]}\n", ":2:17: a bare '*' makes a YAML alias, expected it in quotes, such as \"*.pool.example\"" },
	{ V "block: {addresses: [10.0.0.5/8]}\n", ":2:21: block.addresses: '10.0.0.5/8' has bits behind its prefix, expected "
	  "10.0.0.0/8" },
	{ V "block: {addresses: [0.0.0.0/0]}\n", ":2:21: block.addresses: '0.0.0.0/0' is every address, expected a smaller network" },
	{ V "block: {addresses: [192.0.2.1:0]}\n", ":2:21: block.addresses: the port of '192.0.2.1:0' is wrong, expected 1 to 65535" },
	{ V "block: {addresses: [2001:db8::/129]}\n",
	  ":2:21: block.addresses: the prefix of '2001:db8::/129' is wrong, expected 0 to 128" },
	{ V "block: {addresses: [pool.example]}\n", ":2:21: block.addresses: 'pool.example' is no address, expected one such as "
	  "192.0.2.7, 198.51.100.0/24, 192.0.2.7:3333 or \"[2001:db8::7]:3333\"" },
	{ V "block: {addresses: [[2001:db8::7]:1]}\n", ":2:21: block.addresses is a mapping, expected one such as 192.0.2.7, "
	  "198.51.100.0/24, 192.0.2.7:3333 or \"[2001:db8::7]:3333\"" },
	{ V "block: {timeout: 1h}\n", ":2:18: block.timeout is '1h', expected a mapping such as {endpoint: 1h, pair: 10m}" },
	{ V "block: {timeout: {pair: 10}}\n",
	  ":2:25: block.timeout.pair is '10', expected a duration from 1s to 30d, such as 90s, 10m, 1h or 7d" },
	{ V "block: {timeout: {pair: 0s}}\n",
	  ":2:25: block.timeout.pair is '0s', expected a duration from 1s to 30d, such as 90s, 10m, 1h or 7d" },
	{ V "block: {timeout: {pair: 31d}}\n",
	  ":2:25: block.timeout.pair is '31d', expected a duration from 1s to 30d, such as 90s, 10m, 1h or 7d" },
	{ V "block: {timeout: {endpoint: 1 h}}\n",
	  ":2:29: block.timeout.endpoint is '1 h', expected a duration from 1s to 30d, such as 90s, 10m, 1h or 7d" },
	{ V "block: {timeout: {endpoint: 300000000000000000d}}\n", ":2:29: block.timeout.endpoint is '300000000000000000d', "
	  "expected a duration from 1s to 30d, such as 90s, 10m, 1h or 7d" },
	{ V "block: {scope: host}\n", ":2:16: block.scope is 'host', expected auto, flow, pair or endpoint" },
	{ V "block: {reset: yes}\n", ":2:16: block.reset is 'yes', expected true or false" },
	{ V "lists: {name: x}\n",
	  ":2:8: lists is a mapping, expected a list of lists, such as [{name: starter, file: lists/starter.txt}]" },
	{ V "lists:\n  - one.txt\n", ":3:5: an entry of lists is 'one.txt', expected a mapping such as {name: starter, file: "
	  "lists/starter.txt}" },
	{ V "lists:\n  - {name: x}\n", ":3:5: list 'x' has neither file nor url, expected one of them" },
	{ V "lists:\n  - {file: one.txt}\n",
	  ":3:5: an entry of lists has no 'name', expected {name: starter, file: lists/starter.txt}" },
	{ V "lists:\n  - {name: x, file: none.txt}\n",
	  ":3:21: list 'x': none.txt does not exist, expected a readable list" },
	{ V "lists:\n  - name: x\n    file: .\n", ":4:11: list 'x': . is a folder, expected a readable list" },
	{ V "lists:\n  - name: x\n    file: fifo\n",
	  ":4:11: list 'x': fifo is no regular file, expected a readable list" },
	{ V "lists:\n  - {name: x, file: empty.txt}\n", ":3:21: list 'x': empty.txt has no usable entry (0 skipped), expected names "
	  "or addresses in a format that is known" },
	{ V "lists:\n  - {name: x, file: page.txt}\n", ":3:21: list 'x': page.txt looks like a web page, expected a list of names or "
	  "addresses as text" },
	{ V "lists:\n  - {name: x, file: one.txt, action: drop}\n", ":3:38: lists: action is 'drop', expected off, monitor or block" },
	{ V "categories: [pool]\n", ":2:13: categories is a list, expected a mapping such as {pool: block, crypto-site: monitor}" },
	{ V "categories: {pool: drop}\n", ":2:20: categories is 'drop', expected off, monitor or block" },
	{ V "categories: {pool: block, pool: off}\n", ":2:27: repeated key 'pool', expected it once" },
	{ V "categories: {a b: block}\n", ":2:14: categories is 'a b', expected a word of letters, digits, '.', '_' and '-'" },
	{ V "lists:\n  - {name: x, file: bad.txt}\n", ":3:21: list 'x': bad.txt has no usable entry (3 skipped), expected names "
	  "or addresses in a format that is known" },
	{ V "lists:\n  - {name: x, file: one.txt}\n  - {name: x, file: one.txt}\n",
	  ":4:12: a second list with the name 'x', expected another name" },
	{ V "lists:\n  - {name: x, file: one.txt, format: abp}\n", ":3:38: lists: format is 'abp', expected plain, hosts, adblock, "
	  "dnsmasq, unbound, rpz, ipset, nftables, p2p, suricata or wildcard" },
	{ V "lists:\n  - {name: x y, file: one.txt}\n",
	  ":3:12: lists: name is 'x y', expected a word of letters, digits, '.', '_' and '-'" },
	{ V "lists:\n  - {name: x, file: }\n", ":3:21: lists: file is empty, expected a path" },
	{ V "lists:\n  - {name: x, flie: one.txt}\n", ":3:15: unknown key 'flie' in an entry of lists, did you mean 'file'?" },
	{ V "allow: {hosts: [192.168.1.0:80]}\n", ":2:17: allow.hosts: '192.168.1.0:80' has a port, expected one such as "
	  "192.168.1.50, 10.0.9.0/24 or 2001:db8::/32" },
	{ V "allow: {hosts: [nas.lan]}\n", ":2:17: allow.hosts: 'nas.lan' is no address, expected one such as 192.168.1.50, "
	  "10.0.9.0/24 or 2001:db8::/32" },
	{ V "shared: [./none.txt]\n", ":2:10: shared: ./none.txt: No such file or directory, expected a readable file of networks" },
	{ V "shared: [104.16.0.1/12]\n", ":2:10: shared: '104.16.0.1/12' has bits behind its prefix, expected 104.16.0.0/12" },
	{ V "detect: {irc: block}\n",
	  ":2:10: unknown key 'irc' in detect, expected one of: tls, quic, http, dns, stratum, getwork, node" },
	{ V "detect: {dns: {answer: nxdomain}}\n", ":2:24: detect.dns.answer is 'nxdomain', expected drop or refused" },
	{ V "detect: {dns: {scope: flow}}\n", ":2:16: unknown key 'scope' in detect.dns, expected one of: action, answer" },
	{ V "detect: {tls: drop}\n", ":2:15: detect.tls is 'drop', expected off, monitor or block" },
	{ V "detect: {tls: [block]}\n", ":2:15: detect.tls is a list, expected off, monitor or block" },
	{ V "detect: {stratum: {action: drop}}\n", ":2:28: detect.stratum.action is 'drop', expected off, monitor or block" },
	{ V "detect: {stratum: {scope: all}}\n", ":2:27: detect.stratum.scope is 'all', expected auto, flow, pair or endpoint" },
	{ V "detect: {stratum: {from: x}}\n", ":2:20: unknown key 'from' in detect.stratum, expected one of: action, scope" },
	{ V "control: ''\n", ":2:10: control is '', expected a path" },
	{ V "control: /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	  ":2:10: control has 108 bytes with its folder, expected a path of at most 107" },
	{ V "log: {wallets: plain}\n", ":2:16: log.wallets is 'plain', expected hash or clear" },
	{ V "log: {file: \"a\\0b\"}\n", ":2:13: log.file has a NUL byte, expected a path" },
	{ V "memory: {endpoints: 0}\n", ":2:21: memory.endpoints is '0', expected a number from 1 to 16777216" },
	{ V "own_table: perhaps\n", ":2:12: own_table is 'perhaps', expected true or false" },
	{ V "memory: {flows: 1}\n", ":2:17: memory.flows is '1', expected a number from 16 to 16777216" },
	{ V "memory: {reassembly: 16MB}\n", ":2:22: memory.reassembly is '16MB', expected a size from 64KiB to 16GiB, such as 512KiB, "
	  "16MiB or 1GiB" },
	{ V "memory: {reassembly: 17179869185GiB}\n", ":2:22: memory.reassembly is '17179869185GiB', expected a size from 64KiB to "
	  "16GiB, such as 512KiB, 16MiB or 1GiB" },
	{ V "dialects: {dialect: x}\n",
	  ":2:11: dialects is a mapping, expected a list such as [{dialect: mine, method: my.subscribe}]" },
	{ V "dialects: [{method: x}]\n", ":2:12: an entry of dialects has no 'dialect', expected {dialect: mine, method: login, from: "
	  "client, require: \"params.agent:string\"}" },
	{ V "dialects: [{dialect: x}]\n", ":2:12: dialects: 'x' has neither 'method' nor 'require', expected one of them (else all JSON "
	  "would be mining)" },
	{ V "dialects: [{dialect: \"x y\", method: z}]\n",
	  ":2:22: dialects: dialect is 'x y', expected a word of letters, digits, '.', '_' and '-'" },
	{ V "dialects: [{dialect: x, method: \"a b\"}]\n",
	  ":2:33: dialects: method is 'a b', expected a name such as login, or \"pool.*\" for all that begin so" },
	{ V "dialects: [{dialect: x, method: \"*\"}]\n",
	  ":2:33: dialects: method is '*', expected a name such as login, or \"pool.*\" for all that begin so" },
	{ V "dialects: [{dialect: x, method: y, from: pool}]\n", ":2:42: dialects: from is 'pool', expected client, server or both" },
	{ V "dialects: [{dialect: x, method: y, in: [udp]}]\n", ":2:41: dialects: in is 'udp', expected stream, http or websocket" },
	{ V "dialects: [{dialect: x, method: y, in: http}]\n",
	  ":2:40: dialects: in is 'http', expected a list such as [stream, websocket]" },
	{ V "dialects: [{dialect: x, method: y, kind: web}]\n", ":2:42: dialects: kind is 'web', expected stratum, getwork or node" },
	{ V "dialects:\n  - dialect: x\n    require: a.b & \n",
	  ":4:19: dialects: require of 'x': here a path is expected, such as params.login or result[0]; there is the end" },
	{ V "dialects:\n  - dialect: x\n    require: \"a.b & c:text\"\n",
	  ":4:23: dialects: require of 'x': a type is one of string, number, bool, null, array, object; there is 'text'" },
	{ V "dialects:\n  - dialect: x\n    require: a.b | (c~gold)\n",
	  ":4:23: dialects: require of 'x': a shape is one of wallet, hash, hex, miner; there is 'gold)'" },
	{ V "dialects:\n  - dialect: x\n    require: a.b.c.d.e\n",
	  ":4:22: dialects: require of 'x': a path has at most four steps; there is 'e'" },
	{ V "dialects:\n  - dialect: x\n    require: a[10]\n",
	  ":4:15: dialects: require of 'x': an index has one digit, such as [0]; there is '[10]'" },
	{ V "dialects:\n  - dialect: x\n    require: (a\n",
	  ":4:16: dialects: require of 'x': here '&', '|' or ')' is expected; there is the end" },
	{ V "dialects:\n  - dialect: x\n    require: a b\n",
	  ":4:16: dialects: require of 'x': here '&', '|' or the end is expected; there is 'b'" },
	{ V "dialects:\n  - dialect: x\n    require: a=\n", ":4:16: dialects: require of 'x': here a word is expected, of letters, digits and "
	  "_ - . / : only; there is the end" },
	{ V "dialects:\n  - dialect: x\n    require: ((((((((((a))))))))))\n",
	  ":4:22: dialects: require of 'x': too many brackets inside each other; there is '((a))))))))))'" },
	{ V "dialects:\n  - {dialect: x, method: y, capture: 'agent=a wallet=b'}\n", ":3:47: dialects: capture of 'x': a fact is one of agent, "
	  "algo, login, worker, payee, method; there is 'wallet=b'" },
	{ V "dialects:\n  - {dialect: x, method: y, capture: agent}\n",
	  ":3:43: dialects: capture of 'x': here '=' and a path are expected; there is the end" },
	{ V "dialects:\n  - {dialect: x, method: y, capture: 'agent=a,b'}\n",
	  ":3:46: dialects: capture of 'x': here a blank or the end is expected; there is ',b'" },
	{ V "dialects:\n  - dialect: x\n    require: |\n      a &\n      b;c\n",
	  ":4:14: dialects: require of 'x': here '&', '|' or the end is expected; there is ';c?'" },
	{ V "dialects_off: [grim]\n", ":2:16: dialects_off: 'grim' is no built-in dialect, expected one such as grin, beam or zcash, as events "
	  "name it" },
	{ V "? [a]\n: b\n", ":2:3: the policy has a key that is no word, expected a mapping such as 'version: 1'" },
	{ V "<<: {mode: enforce}\n", ":2:1: unknown key '<<', expected one that minewall.yaml(5) explains" },
	{ V "---\n" V, ":2:1: a second document, expected only one" },
	{ V "mode: enforce\n  fail: open\n", ":3:7: a key where none can be, expected it below the keys of its mapping, and text "
	  "with ': ' in quotes" },
	{ V "mode:enforce\n", ":2:1: no 'key: value', expected a blank behind the ':'" },
	{ V "block:\n\tnames: []\n", ":3:1: found character that cannot start any token, expected YAML (no tabs for indentation, "
	  "text with special characters in quotes)" },
	{ V "block: {names: [a.example\n", ":3:1: did not find expected ',' or ']' (while parsing a flow sequence that starts at "
	  "line 2), expected valid YAML" },
	{ V "mode: \"enforce\n", ":2:7: a quote is opened here and never closed, expected it to be" },
	{ V "mode: *unknown\n", ":2:7: found undefined alias, expected valid YAML" },
	{ V "mode: enf\xff\n", ":2:10: invalid leading UTF-8 octet, expected UTF-8 text" },
	{ V "mode: \x01\n", ":2:7: control characters are not allowed, expected UTF-8 text" },
	{ V "block: &b {names: *b}\n", ":2:8: block.names is a mapping, expected a list of names, such as [pool.example]" },
	{ V "block: {names: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]}\n",
	  ":2:17: block.names: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' is no name to block: a label is "
	  "empty or has more than 63 bytes; expected one such as pool.example or \"*.pool.example\"" },
};

static void test_dialects(void **state)
{
	static const char text[] = V
		"dialects:\n"
		"  - {dialect: mine, method: \"my.*\", from: both, in: [http, websocket], kind: getwork}\n"
		"  - {dialect: second, require: \"a=b\", capture: \"payee=params.who agent=params.agent\"}\n"
		"dialects_off: [grin, beam]\n";
	struct policy *p = load(text), *wide;
	const struct dialect_table *t = policy_dialects(p);
	struct policy_error error;
	size_t kept = 0;

	(void)state;
	assert_int_equal(policy_own_dialects(p), 2);
	assert_string_equal(t->rows[0].dialect, "mine");
	assert_string_equal(t->rows[0].method, "my.*");
	assert_int_equal(t->rows[0].sides, DIALECT_FROM_CLIENT | DIALECT_FROM_SERVER);
	assert_int_equal(t->rows[0].carriers, 1u << CARRIER_HTTP | 1u << CARRIER_WEBSOCKET);
	assert_int_equal(t->rows[0].kind, MINING_GETWORK);
	assert_null(t->rows[0].require);
	assert_int_equal(t->rows[1].sides, DIALECT_FROM_CLIENT);
	assert_int_equal(t->rows[1].carriers, 0);
	assert_null(t->rows[1].method);
	assert_string_equal(t->rows[1].require, "a=b");
	assert_string_equal(t->rows[1].capture, "payee=params.who agent=params.agent");
	for (size_t i = 0; i < dialect_builtin.n_rows; i++)
		kept += strcmp(dialect_builtin.rows[i].dialect, "grin") && strcmp(dialect_builtin.rows[i].dialect, "beam");
	assert_int_equal(t->n_rows, 2 + kept);
	assert_true(kept && kept < dialect_builtin.n_rows);
	for (size_t i = 0; i < t->n_rows; i++)
		assert_true(strcmp(t->rows[i].dialect, "grin") && strcmp(t->rows[i].dialect, "beam"));
	wide = policy_allowing(p, NULL, 0, &error);
	assert_ptr_equal(policy_dialects(wide)->rows, t->rows);
	policy_free(wide);
	policy_free(p);
}

static void test_errors(void **state)
{
	(void)state;
	write_file("one.txt", "pool.example\n");
	write_file("empty.txt", "# nothing\n");
	write_file("bad.txt", "||x.example^\n192.168.2.1\ncom\n");
	write_file("page.txt", "<!DOCTYPE html>\n<title>404</title>\n");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	for (size_t i = 0; i < COUNT(wrong); i++)
		check_error(wrong[i].text, strlen(wrong[i].text), wrong[i].error);
	check_error("version: 1\nmode: \0enforce\n", 26, ":2:7: control characters are not allowed, expected UTF-8 text");
}

/* Texts that are wrong by their size. `n` times `unit` between head and tail. */
static void check_big(const char *head, const char *unit, size_t n, const char *tail, const char *expected)
{
	size_t len = strlen(head) + n * strlen(unit) + strlen(tail);
	char *text = malloc(len + 1), *to = text;

	assert_non_null(text);
	to = stpcpy(to, head);
	for (size_t i = 0; i < n; i++)
		to = stpcpy(to, unit);
	strcpy(to, tail);
	check_error(text, len, expected);
	free(text);
}

static void test_limits(void **state)
{
	(void)state;
	check_big(V "#", "x", DOC_BYTES_MAX, "\n", ": is too large, expected at most 1024 KiB (put names into a list file)");
	check_big(V "block: ", "[", 100000, "", ":2:23: nested too deeply, expected at most 16 levels");
	check_big(V "block: ", "{a: ", 100000, "", ":2:68: nested too deeply, expected at most 16 levels");
	check_big(V "block: {names: [", "a.example,\n", 70000, "]}\n",
		  ":65531:1: too many values, expected at most 65536 (put names into a list file)");
	check_big(V "block: {names: [", "a.example,\n", 40000, "]}\n", ":2:16: block.names has too many entries, expected at most 32768");
	check_big(V "block: {names: [", "&a a.example,\n", 1000, "]}\n", ":66:1: too many anchors and aliases, expected at most 64");
	check_big(V "lists: [", "{name: a, file: b},\n", 64, "]\n", ":2:8: lists has too many entries, expected at most 63");
	check_big(V "dialects: [{dialect: a, require: ", "a&", 300, "a}]\n",
		  ":2:34: dialects: require has 601 bytes, expected such as \"params.agent:string\" of at most 512");
	check_big(V "dialects: [{dialect: a, require: ", "a&", 64, "a}]\n",
		  ":2:163: dialects: require of 'a': more tests than one row may have; there is the end");
	check_big(V "dialects: [{dialect: a, require: b", "b", 64, "}]\n",
		  ":2:34: dialects: require of 'a': this name is longer than 64 bytes; there is 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb...'");
	check_big(V "interfaces: {out: [", "a,", 33, "]}\n", ":2:19: interfaces.out has too many entries, expected at most 32");
	check_big(V "shared: [", "192.0.2.1,", 16385, "]\n", ":2:9: shared has too many entries, expected at most 16384");
	check_big(V "lists: [{file: a, name: ", "n", 65, "}]\n", ":2:25: lists: name has 65 bytes, expected a word of at most 64");
}

static void test_files(void **state)
{
	struct policy_error error;
	struct policy *p;

	(void)state;
	assert_null(policy_load("none/p.yaml", &error));
	assert_string_equal(error.text, "none/p.yaml: no such policy file, expected one: the line 'version: 1' alone makes a "
					"first one (a sample is contrib/policies/minewall.yaml), or name another with -c");
	assert_int_equal(error.kind, POLICY_INVALID);
	assert_null(policy_load(".", &error));
	assert_string_equal(error.text, ".: is a folder, expected a readable policy file");
	write_file("closed.yaml", V);
	assert_int_equal(chmod("closed.yaml", 0), 0);
	if (geteuid()) {
		assert_null(policy_load("closed.yaml", &error));
		assert_int_equal(error.kind, POLICY_UNREADABLE);
	}
	/* Relative paths start at the policy's folder, wherever we are. */
	assert_int_equal(mkdir("sub", 0700), 0);
	write_file("sub/l.txt", "pool.example\n");
	write_file("sub/p.yaml", V "lists: [{name: l, file: l.txt}]\ncontrol: c\nlog: {file: e}\n");
	p = policy_load("sub/p.yaml", &error);
	assert_non_null(p);
	assert_string_equal(policy_settings(p)->control, "sub/c");
	assert_string_equal(policy_settings(p)->log_file, "sub/e");
	policy_free(p);
	p = policy_builtin();
	assert_non_null(p);
	assert_int_equal(policy_settings(p)->mode, MODE_ENFORCE);
	policy_free(p);
	policy_free(NULL);
}

static char *start;

static void read_text(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, size - 1, f);
	assert_true(n && n < size - 1);
	text[n] = '\0';
	fclose(f);
}

/* Of a text in the tests' folder; its lists are not read. */
static struct policy *settings_of(const char *text)
{
	struct policy_error error;
	struct policy *p;

	write_file("p.yaml", text);
	p = policy_load_settings("p.yaml", &error);
	if (!p)
		fail_msg("%s\n%s", error.text, text);
	return p;
}

/* As it says: what stands there is what holds without it. */
static void is_default(const struct policy *p)
{
	struct policy *bare = settings_of("version: 1\n");
	const struct settings *is = policy_settings(p), *as = policy_settings(bare);

	assert_memory_equal(p->detect, bare->detect, sizeof(p->detect));
	assert_memory_equal(is->hygiene, as->hygiene, sizeof(is->hygiene));
	assert_true(is->mode == as->mode && is->hook == as->hook && is->fail == as->fail && is->n_out == as->n_out);
	assert_true(is->queue_first == as->queue_first && is->queue_count == as->queue_count && is->queue_length == as->queue_length);
	assert_true(is->endpoint_timeout_s == as->endpoint_timeout_s && is->pair_timeout_s == as->pair_timeout_s);
	assert_true(is->scope == as->scope && is->reset == as->reset && is->dns_refused == as->dns_refused);
	assert_true(is->score_report == as->score_report && is->score_block == as->score_block);
	assert_true(is->memory_flows == as->memory_flows && is->memory_reassembly == as->memory_reassembly);
	assert_true(is->memory_endpoints == as->memory_endpoints && is->mark_mask == as->mark_mask);
	assert_true(is->own_table == as->own_table && is->guard_offload == as->guard_offload && is->log_wallets == as->log_wallets);
	assert_string_equal(is->control, as->control);
	assert_string_equal(is->state, as->state);
	assert_string_equal(is->log_file, as->log_file);
	policy_free(bare);
}

static void test_sample(void **state)
{
	struct policy_error error;
	const struct list_info *lists;
	struct policy *p;

	(void)state;
	assert_int_equal(chdir(start), 0);
	p = policy_load("contrib/policies/minewall.yaml", &error);
	if (!p)
		fail_msg("%s", error.text);
	assert_int_equal(policy_settings(p)->mode, MODE_MONITOR);
	assert_int_equal(policy_lists(p, &lists), 1);
	assert_int_equal(lists[0].skipped, 0);
	assert_true(lists[0].used > 100);
	assert_int_equal(chdir(folder), 0);
	is_default(p);
	policy_free(p);
}

/* The sample with all that it offers taken in. */
static void test_sample_whole(void **state)
{
	static char text[32768], path[PATH_MAX];
	const struct list_source *sources;
	struct policy *p;
	char *at;

	(void)state;
	snprintf(path, sizeof(path), "%s/contrib/policies/minewall.yaml", start);
	read_text(path, text, sizeof(text));
	for (char *line = text; line; line = strchr(line + 1, '\n')) {
		char *hash = line + (*line == '\n');

		if (hash[0] == '#' && (hash[1] != ' ' || !strncmp(hash, "#  - ", 5)))
			memmove(hash, hash + 1, strlen(hash));
	}
	at = strstr(text, "../lists/shared.txt");	/* that file is not here */
	assert_non_null(at);
	memcpy(at, "203.0.113.0/24     ", strlen("../lists/shared.txt"));
	p = settings_of(text);
	assert_int_equal(policy_settings(p)->n_out, 1);
	assert_int_equal(policy_sources(p, &sources), 2);
	assert_int_equal(policy_rules(p), 2);
	assert_int_equal(policy_own_dialects(p), 2);
	assert_int_equal(policy_fleet(p)->port, 8883);
	assert_int_equal(policy_fleet(p)->confirm, 2);
	policy_free(p);
}

/* Every policy that the README shows is one. */
static void test_readme(void **state)
{
	static const char begin[] = "\n```yaml\n";
	static char text[65536], path[PATH_MAX];
	char *at = text, *end;
	unsigned n = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/README.md", start);
	read_text(path, text, sizeof(text));
	for (; (at = strstr(at, begin)); n++) {
		at += strlen(begin);
		end = strstr(at, "```\n");
		assert_non_null(end);
		*end = '\0';
		policy_free(settings_of(at));
		at = end + 1;
	}
	assert_true(n >= 5);
}

static int enter(void **state)
{
	(void)state;
	start = realpath(".", NULL);
	return start && mkdtemp(folder) ? chdir(folder) : -1;
}

static int leave(void **state)
{
	static const char *const names[] = { "p.yaml", "one.txt", "two.hosts", "empty.txt", "bad.txt", "page.txt", "fifo", "closed.yaml",
					     "sub/l.txt", "sub/p.yaml" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		unlink(names[i]);
	rmdir("sub");
	free(start);
	return rmdir(folder);
}

static void check_name(const struct policy *p, const char *name, enum action action, const char *rule, const char *list, unsigned line)
{
	static struct facts facts;	/* too big for each line below */
	struct subject who = { .sport = 40000, .dport = 443, .proto = IPPROTO_TCP };
	struct view view = { (const uint8_t *)name, strlen(name) };
	struct decision d;

	memcpy(who.src, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\xa8\1\7", 16);
	memcpy(who.dst, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x09", 16);
	facts = (struct facts){ .app = APP_TLS, .n_names = 1 };
	facts.names[0] = (struct name_fact){ .kind = NAME_TLS_SNI, .matchable = true, .text = view, .host = view };
	d = policy_decide(p, &who, &facts);

	if (d.action != action || d.line != line || (rule ? !d.rule || strcmp(d.rule, rule) : d.rule != NULL) ||
	    (list ? !d.list || strcmp(d.list, list) : d.list != NULL))
		fail_msg("%s: action %d, rule %s, list %s, line %u", name, d.action, d.rule, d.list, d.line);
}

static void check_address(const struct policy *p, const char *address, enum action action, const char *list, unsigned line)
{
	struct subject who = { .proto = 6 };
	struct network net;
	struct decision d;

	assert_int_equal(address_parse(address, strlen(address), &net), ADDRESS_GOOD);
	memcpy(who.dst, net.addr, sizeof(who.dst));
	who.dport = net.port;
	d = policy_decide_address(p, &who);
	if (d.action != action || d.line != line || (list ? !d.list || strcmp(d.list, list) : d.list != NULL))
		fail_msg("%s: action %d, rule %s, list %s, line %u", address, d.action, d.rule, d.list, d.line);
	if (d.action == ACTION_BLOCK)
		assert_int_equal(d.scope, SCOPE_ENDPOINT);
}

/* Several lists, each category with its action; exceptions; addresses. */
static void test_categories(void **state)
{
	struct entry_info entries[8];
	struct policy *p;

	(void)state;
	write_file("one.txt", "# pools\npool.example\nshop.example\n192.0.2.0/24\n198.51.100.7\n203.0.113.9\n203.0.113.10:3333\nown.example\n");
	write_file("two.hosts", "0.0.0.0 shop.example\n0.0.0.0 coin.example\n0.0.0.0 a.pool.example\n");
	write_file("bad.txt", "||ads.example^\n||miner.example^$important\n@@||miner.example^\n@@||b.pool.example^\n@@||198.51.100.7^\n@@||own.example^\n||off.ads.example^\n");
	write_file("empty.txt", "off.example\noff.ads.example\n");
	p = load("version: 1\nmode: enforce\nblock: {names: [own.example]}\nshared: [203.0.113.0/24]\nallow: {names: [ok.ads.example]}\n"
		 "categories: {tracker: monitor, unused: off}\nlists:\n  - {name: pools, file: one.txt, category: pool}\n"
		 "  - {name: sites, file: two.hosts, category: crypto-site}\n  - {name: ads, file: bad.txt, category: tracker}\n"
		 "  - {name: away, file: empty.txt, category: pool, action: off}\n");
	check_name(p, "pool.example", ACTION_BLOCK, "list", "pools", 2);
	check_name(p, "a.pool.example", ACTION_BLOCK, "list", "pools", 2);	/* monitored by the more specific entry */
	check_name(p, "b.pool.example", ACTION_NONE, NULL, NULL, 0);
	check_name(p, "x.b.pool.example", ACTION_NONE, NULL, NULL, 0);
	check_name(p, "shop.example", ACTION_BLOCK, "list", "pools", 3);
	check_name(p, "coin.example", ACTION_MONITOR, "list", "sites", 2);
	check_name(p, "ads.example", ACTION_MONITOR, "list", "ads", 1);
	check_name(p, "off.ads.example", ACTION_MONITOR, "list", "ads", 7);
	check_name(p, "ok.ads.example", ACTION_ALLOW, "allow.names", NULL, 5);
	check_name(p, "miner.example", ACTION_MONITOR, "list", "ads", 2);	/* important: its exception does not count */
	check_name(p, "own.example", ACTION_BLOCK, "block.names", NULL, 3);
	check_name(p, "off.example", ACTION_NONE, NULL, NULL, 0);
	check_address(p, "192.0.2.1:443", ACTION_BLOCK, "pools", 4);
	check_address(p, "198.51.100.7:443", ACTION_NONE, NULL, 0);
	check_address(p, "203.0.113.9:443", ACTION_MONITOR, "pools", 6);	/* a shared address */
	check_address(p, "203.0.113.10:443", ACTION_NONE, NULL, 0);
	assert_true(policy_blocks_addresses(p));
	assert_int_equal(policy_entries(p, "shop.example", 12, entries, 8), 2);
	assert_string_equal(entries[0].list, "pools");
	assert_string_equal(entries[1].list, "sites");
	assert_int_equal(entries[1].action, DETECT_MONITOR);
	assert_int_equal(policy_entries(p, "own.example", 11, entries, 8), 3);
	assert_null(entries[0].list);
	assert_true(entries[2].exception);
	policy_free(p);
}

/* Read by name behind the policy; what ends otherwise is left alone; messages name the file. */
static void test_drop_ins(void **state)
{
	struct policy_error error;
	const struct list_info *lists;
	const char *const *files;
	struct policy *p;

	(void)state;
	assert_int_equal(mkdir("policy.d", 0755), 0);
	write_file("l.txt", "from-list.example\n");
	write_file("policy.d/20-more.yaml", "version: 1\nmode: enforce\nblock: {names: [b.example]}\n"
					   "rules: [{name: kids, from: [kids], action: monitor}]\n");
	write_file("policy.d/10-first.yaml", "version: 1\nlists: [{name: l, file: l.txt}]\nblock: {names: [c.example]}\n");
	write_file("policy.d/30-left.yaml.dpkg-old", "nonsense");
	write_file("policy.d/.30-hidden.yaml", "nonsense");
	p = load("version: 1\nmode: monitor\nblock: {names: [a.example]}\ngroups: {kids: [10.0.0.1]}\n");
	assert_int_equal(policy_files(p, &files), 3);
	assert_string_equal(files[1], "policy.d/10-first.yaml");
	assert_int_equal(policy_settings(p)->mode, MODE_ENFORCE);
	assert_int_equal(policy_names(p), 4);
	assert_int_equal(policy_rules(p), 1);
	assert_int_equal(policy_lists(p, &lists), 1);
	policy_free(p);
	write_file("policy.d/10-first.yaml", "version: 1\nlists: [{name: l, file: gone.txt}]\n");
	write_file("p.yaml", "version: 1\ngroups: {kids: [10.0.0.1]}\n");
	assert_null(policy_load("p.yaml", &error));
	if (!strstr(error.text, "policy.d/10-first.yaml:2:25: list 'l': gone.txt does not exist"))
		fail_msg("%s", error.text);
	write_file("policy.d/10-first.yaml", "mode: enforce\n");
	assert_null(policy_load("p.yaml", &error));
	assert_non_null(strstr(error.text, "policy.d/10-first.yaml:1:1:"));
	remove("l.txt");
	remove("policy.d/10-first.yaml");
	remove("policy.d/20-more.yaml");
	remove("policy.d/30-left.yaml.dpkg-old");
	remove("policy.d/.30-hidden.yaml");
	assert_int_equal(rmdir("policy.d"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_dialects),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_drop_ins),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_sample_whole),
		cmocka_unit_test(test_readme),
		cmocka_unit_test(test_categories),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
