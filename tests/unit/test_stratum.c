// SPDX-License-Identifier: GPL-2.0-or-later
/* Mining dialects: every known first message whole and cut, what JSON lets an evader do, and the look-alikes that
 * must never match. */
#include "tests/unit/feed.h"

#include "inspect/payee.h"
#include "inspect/require.h"
#include "inspect/stratum.h"

#define W10 "4AAAAAAAAA"
#define WALLET W10 W10 W10 W10 W10 W10 W10 W10 W10 "AAAAA"
#define H64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define H40 "00112233445566778899aabbccddeeff00112233"

struct sample {
	const char *text, *dialect, *method, *agent, *login, *algo, *worker;
};

static const struct sample client[] = {
	{ "{\"id\": 0, \"method\": \"mining.subscribe\", \"params\": [\"cgminer/4.11.1\"]}", "stratum-v1",
	  "mining.subscribe", "cgminer/4.11.1", "", "" },
	{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"EWBF 0.3.4b\",null,\"p.example\",\"3333\"]}", "zcash",
	  "mining.subscribe", "EWBF 0.3.4b", "", "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"" WALLET "\",\"pass\":\"x\",\"agent\":"
	  "\"XMRig/6.26.0 (Linux x86_64) libuv/1.51.0 gcc/13.3.0\",\"algo\":[\"rx/0\",\"cn/2\"]}}", "cryptonote", "login",
	  "XMRig/6.26.0 (Linux x86_64) libuv/1.51.0 gcc/13.3.0", WALLET, "rx/0" },
	{ "{\"method\":\"login\",\"params\":{\"login\":\"4AAAA\",\"pass\":\"x\",\"agent\":\"xmr-stak-cpu/1.3.0\"},\"id\":1}",
	  "cryptonote", "login", "xmr-stak-cpu/1.3.0", "4AAAA", "" },
	{ "{\"worker\": \"eth1.0\", \"jsonrpc\": \"2.0\", \"params\": [\"0x" H40 "\", \"x\"], \"id\": 2, "
	  "\"method\": \"eth_submitLogin\"}", "eth-proxy", "eth_submitLogin", "", "0x" H40, "", "eth1.0" },
	{ "{\"worker\": \"\", \"jsonrpc\": \"2.0\", \"params\": [], \"id\": 3, \"method\": \"eth_getWork\"}", "eth-proxy",
	  "eth_getWork", "", "", "" },
	{ "{\"id\":1,\"method\":\"mining.hello\",\"params\":{\"agent\":\"a\",\"host\":\"h\",\"port\":\"4d2\","
	  "\"proto\":\"EthereumStratum/2.0.0\"}}", "ethereum-stratum-2", "mining.hello", "a", "", "" },
	{ "{\"id\":1,\"method\":\"mining.subscribe\"}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{\"id\":0,\"method\":\"mining.subscribe\",\"body\":{\"version\":3,\"publicAddress\":\"abc\"}}", "ironfish",
	  "mining.subscribe", "", "abc", "" },
	{ "{\"id\":\"2\",\"jsonrpc\":\"2.0\",\"method\":\"getjobtemplate\",\"params\":null}", "grin", "getjobtemplate", "", "", "" },
	{ "{\"method\":\"login\", \"api_key\":\"k\", \"id\":\"login\",\"jsonrpc\":\"2.0\"} ", "beam", "login", "", "k", "" },
	{ "{\"method\" : \"solution\", \"id\": \"7\", \"nonce\": \"0011223344556677\", \"output\": \"00\", \"jsonrpc\":\"2.0\" } ",
	  "beam", "solution", "", "", "" },
	{ "{\"id\": \"auth\", \"method\": \"mining.authorize\", \"params\": [\"w\", \"x\"]}", "stratum-v1", "mining.authorize",
	  "", "w", "" },
	{ "{\"id\":1,\"m\\u0065thod\":\"\\u006Dining.subscribe\",\"params\":[\"\\u0061\\/b\"]}", "stratum-v1",
	  "mining.subscribe", "a/b", "", "" },
	{ "{\"method\":\"x\",\"method\":\"mining.subscribe\",\"id\":1,\"params\":[]}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{\"method\":\"mining.subscribe\",\"method\":\"x\",\"id\":1,\"params\":[]}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{\"id\":1,\"METHOD\":\"mining.subscribe\",\"Params\":[]}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "  \r\n{\"id\":1,\"method\" : \"mining.configure\",\"params\":[[\"version-rolling\"],{}]}", "stratum-v1",
	  "mining.configure", "", "", "" },
	{ "[{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}]", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "[{\"id\":1},{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}]", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "96\n{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"4AAAA\",\"pass\":\"x\",\"agent\":\"y\"}}", "cryptonote",
	  "login", "y", "4AAAA", "" },
	{ "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"" WALLET ".rig\",\"pass\":\"x\"}}", "cryptonote", "login", "",
	  WALLET, "", "rig" },
	{ "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"a\",\"pass\":\"x\",\"algo\":\"rx/0\",\"passwd\":\"\"}}",
	  "cryptonote", "login", "", "a", "rx/0" },
	{ "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"a\",\"mode\":\"self-select\"}}", "cryptonote", "login", "", "a", "" },
	{ "{\"id\":7,\"jsonrpc\":\"2.0\",\"method\":\"submit\",\"params\":{\"id\":\"1\",\"job_id\":\"2\",\"nonce\":\"00000000\","
	  "\"result\":\"" H64 "\"}}", "cryptonote", "submit", "", "", "" },
	{ "{\"id\":\"4\",\"jsonrpc\":\"2.0\",\"method\":\"submit\",\"params\":{\"height\":16419,\"job_id\":0,\"nonce\":8,\"pow\":[1,2]}}",
	  "grin", "submit", "", "", "" },
	{ "{\"id\":7,\"jsonrpc\":\"2.0\",\"method\":\"keepalived\",\"params\":{\"id\":\"1\"}}", "cryptonote", "keepalived", "", "", "" },
	{ "{\n  \"id\": 1,\n  \"method\": \"mining.subscribe\",\n  \"params\": []\n}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{/*\"*/\"id\":1,//}\n\"method\":\"mining.subscribe\",\"params\":[],}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{\"id\":1,\"method\":\"mining.ping\"}", "stratum-v1", "mining.ping", "", "", "" },
	{ "{\"id\":1,\"method\":\"x\"}\n\n{\"a\":{}}\r\n{\"id\":1}{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}",
	  "stratum-v1", "mining.subscribe", "", "", "" },
};

static const struct sample server[] = {
	{ "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[8]}", "stratum-v1", "mining.set_difficulty", "", "", "" },
	{ "{\"id\":null,\"method\":\"mining.set_target\",\"params\":[\"00\"]}", "zcash", "mining.set_target", "", "", "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"job\",\"params\":{\"blob\":\"10\",\"job_id\":\"a\",\"target\":\"b88d0600\"}}",
	  "cryptonote", "job", "", "", "" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":[\"0x" H64 "\",\"0x" H64 "\",\"0x" H64 "\"]}", "eth-proxy", "", "", "", "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"error\":null,\"result\":{\"id\":\"r\",\"job\":{\"blob\":\"10\",\"job_id\":\"a\","
	  "\"target\":\"ff\",\"algo\":\"rx/0\"},\"status\":\"OK\"}}", "cryptonote", "", "", "", "rx/0" },
	{ "{\"id\":1,\"result\":[[[\"mining.set_difficulty\",\"1\"],[\"mining.notify\",\"1\"]],\"08000002\",4],\"error\":null}",
	  "stratum-v1", "", "", "", "" },
	{ "{\"id\":1,\"result\":[[\"mining.notify\",\"1\",\"EthereumStratum/1.0.0\"],\"ab\"],\"error\":null}", "ethereum-stratum-1", "", "",
	  "", "" },
	{ "{\"method\":\"job\",\"id\":\"1\",\"input\":\"00\",\"difficulty\":5}", "beam", "job", "", "", "" },
	{ "{\"id\":\"Stratum\",\"jsonrpc\":\"2.0\",\"method\":\"job\",\"params\":{\"height\":1,\"job_id\":0,\"pre_pow\":\"00\"}}",
	  "grin", "job", "", "", "" },
	{ "{\"id\":0,\"method\":\"mining.subscribed\",\"body\":{\"clientId\":1,\"graffiti\":\"x\"}}", "ironfish",
	  "mining.subscribed", "", "", "" },
};

/* Nothing in here is mining, from whatever side it comes. */
static const char *const harmless[] = {
	"{\"id\":0,\"method\":\"server.version\",\"params\":[\"electrum/4.5\",\"1.4\"]}",
	"{\"id\":1,\"method\":\"blockchain.headers.subscribe\",\"params\":[]}",
	"{\"method\":\"echo\",\"id\":\"echo\",\"params\":[]}",
	"{\"id\":0,\"method\":\"monitor\",\"params\":[\"Open_vSwitch\",null,{\"Bridge\":[{\"columns\":[\"name\"]}]}]}",
	"{\"id\":0,\"method\":\"list_dbs\",\"params\":[]}",
	"{\"id\":1,\"method\":\"set_power\",\"params\":[\"on\",\"smooth\",500]}\r",
	"{\"id\":8,\"jsonrpc\":\"2.0\",\"method\":\"Server.GetStatus\"}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"JSONRPC.Ping\",\"id\":1}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"Player.PlayPause\",\"params\":{\"playerid\":0},\"id\":1}",
	"{\"jsonrpc\": \"2.0\", \"method\": \"echo\", \"params\": [\"Hello\"], \"id\": 1}",
	"Content-Length: 60\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mining.subscribe\",\"params\":{}}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}",
	"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"eth_blockNumber\",\"params\":[],\"id\":1}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"net_version\",\"params\":[],\"id\":1}",
	"{\"jsonrpc\":\"1.0\",\"id\":\"curl\",\"method\":\"getblockchaininfo\",\"params\":[]}",
	"{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"aria2.addUri\",\"params\":[[\"http://a.example/f\"]]}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"call\",\"params\":[\"00\",\"session\",\"login\",{\"username\":\"root\"}]}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"user.login\",\"params\":{\"username\":\"Admin\",\"password\":\"z\"},\"id\":1}",
	"{\"method\":\"login\",\"params\":{\"username\":\"u\",\"password\":\"p\"}}",
	"{\"command\":\"summary\"}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"1008@x\",\"passwd\":\"p\",\"sessid\":\"s\"},\"id\":1}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"1008@x\",\"passwd\":\"p\",\"loginParams\":{},"
	"\"userVariables\":{\"agent\":\"x\"},\"sessid\":\"s\"},\"id\":3}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"bob\",\"pass\":\"p\"},\"id\":1}",
	"{\"id\":1,\"method\":\"submit\",\"params\":{\"form\":\"x\"}}",
	"{\"method\":\"job\",\"params\":{\"name\":\"backup\"}}",
	"{\"id\":1,\"method\":\"data.mining.subscribe\",\"params\":[]}",
	"{\"id\":1,\"method\":\"mining.\",\"params\":[]}",
	"{\"id\":1,\"method\":\"Mining.Subscribe\",\"params\":[]}",
	"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":7}",
	"{\"id\":1,\"method\":\"echo\",\"params\":[\"mining.subscribe\"]}",
	"{\"id\":1,\"params\":{\"method\":\"mining.subscribe\",\"params\":[]}}",
	"{\"id\":1,\"method\":[\"mining.subscribe\"],\"params\":[]}",
	"{\"text\":\"{\\\"id\\\":1,\\\"method\\\":\\\"mining.subscribe\\\",\\\"params\\\":[]}\"}",
	"{\"type\":\"auth\",\"params\":{\"token\":\"x\"}}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[\"0x" H64 "\",\"0x" H64 "\",\"0x" H64 "\",\"0x" H64 "\",\"0x" H64 "\"]}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"job\":{\"name\":\"backup\",\"job_id\":4}}}",
	"[\"mining.subscribe\"]",
	"[1,2,{\"method\":\"mining.subscribe\",\"params\":[]}]",
	"[[{\"method\":\"mining.subscribe\",\"params\":[]}]]",
	"<html><title>x</title><pre>\n{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"" WALLET "\",\"pass\":"
	"\"x\",\"agent\":\"XMRig/6.26.0\",\"algo\":[\"rx/0\"]}}\n</pre>",
	"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nDATA\r\n\r\n{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\r\n.\r\n",
	"/* x */{\"id\":1}", "a {color:red}", "{ color: red }", "{\"a\"}", "{]", "\xef\xbb{", "5 {}", "abc",
};

static void check(const struct sample *s, enum inspect_result r)
{
	assert_int_equal(r, INSPECT_MATCH);
	assert_true(feed_facts.mining);
	assert_int_equal(feed_facts.app, APP_STRATUM);
	assert_int_equal(feed_facts.n_names, 0);
	assert_string_equal(feed_facts.stratum.dialect, s->dialect);
	feed_view(feed_facts.stratum.method, s->method);
	feed_view(feed_facts.stratum.agent, s->agent);
	feed_view(feed_facts.stratum.login, s->login);
	feed_view(feed_facts.stratum.algo, s->algo);
	feed_view(feed_facts.stratum.worker, s->worker ? s->worker : "");
}

/* Every prefix is MORE until the message ends; from there on each longer one decides the same way. Where no byte will follow, what
 * is there may be enough before that. */
static void every_cut(const struct sample *s, struct feed how)
{
	size_t n, len = strlen(s->text);
	bool decided = false;

	for (n = 0; n <= len; n++) {
		enum inspect_result r;

		how.ended = false;
		r = feed_as(how, s->text, n);
		assert_int_equal(r, decided || r == INSPECT_MATCH ? INSPECT_MATCH : INSPECT_MORE);
		decided |= r == INSPECT_MATCH;
		if (decided)
			check(s, r);
		how.ended = true;
		r = feed_as(how, s->text, n);
		assert_true(r == INSPECT_MATCH || !decided);
		assert_true(r != INSPECT_MATCH || feed_facts.stratum.dialect);
	}
	assert_true(decided);
}

static void positives(const struct sample *s, size_t count, enum side side)
{
	const struct feed how = { side, false, APP_UNKNOWN };
	char buf[4096];
	size_t i;
	int n;

	for (i = 0; i < count; i++) {
		check(&s[i], feed_as(how, s[i].text, strlen(s[i].text)));
		every_cut(&s[i], how);
		n = snprintf(buf, sizeof(buf), "%s\r\n", s[i].text);
		check(&s[i], feed_as(how, buf, (size_t)n));
		n = snprintf(buf, sizeof(buf), "%s\n%s\n", s[i].text, s[i].text);
		check(&s[i], feed_as(how, buf, (size_t)n));
	}
}

static void from_client(void **state)
{
	(void)state;
	positives(client, sizeof(client) / sizeof(client[0]), SIDE_CLIENT);
	positives(client, sizeof(client) / sizeof(client[0]), SIDE_UNSURE);
}

static void from_server(void **state)
{
	const struct feed last = { SIDE_CLIENT, true, APP_UNKNOWN };
	size_t i;

	(void)state;
	positives(server, sizeof(server) / sizeof(server[0]), SIDE_SERVER);
	/* rows of the server's side count for the server only, unless the method is decisive on both */
	for (i = 0; i < sizeof(server) / sizeof(server[0]); i++)
		if (!strstr(server[i].text, "\"mining."))
			assert_int_equal(feed_as(last, server[i].text, strlen(server[i].text)), INSPECT_NO);
	assert_int_equal(feed_as((struct feed){ SIDE_SERVER, true, APP_UNKNOWN }, client[2].text, strlen(client[2].text)),
			 INSPECT_NO);
}

static void look_alikes(void **state)
{
	size_t i, n, len;
	unsigned side;

	(void)state;
	for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		len = strlen(harmless[i]);
		for (side = SIDE_CLIENT; side <= SIDE_UNSURE; side++) {
			struct feed how = { (enum side)side, false, APP_UNKNOWN };

			for (n = 0; n <= len; n++)
				assert_int_not_equal(feed_as(how, harmless[i], n), INSPECT_MATCH);
			how.ended = true;
			assert_int_equal(feed_as(how, harmless[i], len), INSPECT_NO);
		}
	}
}

static void nul_and_bom(void **state)
{
	static const char nul[] = "\0\xEF{\"id\":1,\"met\0hod\":\"mining.\0subscribe\",\0\"params\":[\"a\0b\"]}\n";
	static const char bom[] = "\xef\xbb\xbf{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";

	(void)state;
	assert_int_equal(feed(nul + 2, sizeof(nul) - 3), INSPECT_MATCH);
	feed_view(feed_facts.stratum.method, "mining.subscribe");
	feed_view(feed_facts.stratum.agent, "ab");
	assert_int_equal(feed(nul, sizeof(nul) - 1), INSPECT_NO);
	assert_int_equal(feed(bom, sizeof(bom) - 1), INSPECT_MATCH);
	assert_int_equal(feed(bom, 2), INSPECT_MORE);
}

static void padding(void **state)
{
	static char big[20000];
	size_t n = 1, i;

	(void)state;
	big[0] = '{';
	while (n < 8192)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "\"pad\":\"aaaa\\\"{\",");
	n += (size_t)snprintf(big + n, sizeof(big) - n, "\"method\":\"mining.subscribe\",\"params\":[\"x\"]}");
	assert_int_equal(feed(big, n), INSPECT_MATCH);
	feed_view(feed_facts.stratum.agent, "x");
	/* nesting deeper than the scanner tells types */
	n = (size_t)snprintf(big, sizeof(big), "{\"id\":");
	for (i = 0; i < 3000; i++)
		big[n++] = i % 2 ? '{' : '[', n += (size_t)snprintf(big + n, 8, i % 2 ? "\"a\":" : "");
	for (i = 3000; i--;)
		big[n++] = i % 2 ? '}' : ']';
	n += (size_t)snprintf(big + n, sizeof(big) - n, ",\"method\":\"mining.subscribe\",\"params\":[\"x\"]}");
	assert_int_equal(feed(big, n), INSPECT_MATCH);
	/* more than the budget without a decision */
	n = 1;
	while (n < 17000)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "\"pad\":\"aaaa\",");
	assert_int_equal(feed(big, INSPECT_BYTES_MAX - 1), INSPECT_MORE);
	assert_int_equal(feed(big, n), INSPECT_BAD);
}

static void many_methods(void **state)
{
	static char big[16000];
	size_t n = 1;

	(void)state;
	big[0] = '{';
	while (n < 12000)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "\"method\":\"submit\",\"method\":\"solution\",\"method\":\"getjob\",");
	n += (size_t)snprintf(big + n, sizeof(big) - n, "\"method\":\"login\",\"params\":{\"login\":\"a\",\"agent\":\"b\"}}");
	assert_int_equal(feed(big, n), INSPECT_MATCH);
	assert_string_equal(feed_facts.stratum.dialect, "cryptonote");
}

static void lines_of_others(void **state)
{
	static const char junk[] = "{\"a\":1}\n{\"a\":1}\n{\"a\":1}\n{\"a\":1}\n{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";

	(void)state;
	assert_int_equal(feed(junk, 24), INSPECT_MORE);
	assert_int_equal(feed_last(junk, 24), INSPECT_NO);
	assert_int_equal(feed_last(junk, 26), INSPECT_BAD);
	assert_int_equal(feed(junk, sizeof(junk) - 1), INSPECT_MATCH);
}

static void picked_up_in_the_middle(void **state)
{
	static const char tail[] = "0011\",\"result\":\"00\"}}\r\n{\"id\":8,\"method\":\"keepalived\",\"params\":{\"id\":\"1\"}}\n";
	static const char html[] = "text\n{\"id\":8,\"method\":\"keepalived\",\"params\":{\"id\":\"1\"}}\n";
	const struct feed unsure = { SIDE_UNSURE, false, APP_UNKNOWN };
	size_t n;

	(void)state;
	for (n = 1; n < 66; n++)
		assert_int_equal(feed_as(unsure, tail, n), INSPECT_MORE);
	assert_int_equal(feed_as(unsure, tail, sizeof(tail) - 1), INSPECT_MATCH);
	assert_string_equal(feed_facts.stratum.dialect, "cryptonote");
	assert_int_equal(feed(tail, sizeof(tail) - 1), INSPECT_NO);
	assert_int_equal(feed_as(unsure, html, sizeof(html) - 1), INSPECT_NO);
	assert_int_equal(feed_as(unsure, "\x01\x02\x03", 3), INSPECT_NO);
	/* what a prefix refused stays refused: found by the fuzzer */
	assert_int_equal(feed_as(unsure, "{\"id\"m\x19", 7), INSPECT_NO);
	assert_int_equal(feed_as(unsure, "{\"id\"m\x19}\n", 9), INSPECT_NO);
	assert_int_equal(feed_as(unsure, "x}\nab", 5), INSPECT_MORE);
	assert_int_equal(feed_as(unsure, "x}\nab}\n{", 8), INSPECT_MORE);
}

static void own_table(void **state)
{
	static const struct dialect_row rows[] = {
		{ "broken", "new", DIALECT_FROM_CLIENT, "(((", NULL },
		{ "new", "new", DIALECT_FROM_CLIENT, "!(a | b:number) & c[1]=x.y | c[1]^/", "login=d.e[1].f" },
	};
	const struct dialect_table table = { rows, 2 }, good = { rows + 1, 1 };
	static const char yes[] = "{\"method\":\"new\",\"b\":\"1\",\"c\":[0,\"x.y\"],\"d\":{\"E\":[0,{\"f\":\"me\"}]}}";
	static const char no[] = "{\"method\":\"new\",\"b\":1,\"c\":[0,\"x.y\"]}";
	struct inspect_scratch scratch;
	struct inspect_input in = { .dialects = &table, .scratch = &scratch, .ended = true };

	(void)state;
	in.p = (const uint8_t *)yes;
	in.len = sizeof(yes) - 1;
	assert_int_equal(inspect_stream(&in, &feed_facts), INSPECT_MATCH);
	assert_string_equal(feed_facts.stratum.dialect, "new");
	feed_view(feed_facts.stratum.login, "me");
	in.p = (const uint8_t *)no;
	in.len = sizeof(no) - 1;
	assert_int_equal(inspect_stream(&in, &feed_facts), INSPECT_NO);
	assert_false(stratum_table_valid(&table));
	assert_true(stratum_table_valid(&good));
	assert_true(stratum_table_valid(&dialect_builtin));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_client), cmocka_unit_test(from_server), cmocka_unit_test(look_alikes),
		cmocka_unit_test(nul_and_bom), cmocka_unit_test(padding), cmocka_unit_test(many_methods),
		cmocka_unit_test(lines_of_others), cmocka_unit_test(picked_up_in_the_middle), cmocka_unit_test(own_table),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
