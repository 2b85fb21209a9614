// SPDX-License-Identifier: GPL-2.0-or-later
/* Mining dialects: every known first message whole and cut, what JSON lets an evader do, and the look-alikes that
 * must never match. */
#include "tests/unit/feed.h"

#include "inspect/payee.h"
#include "inspect/require.h"
#include "inspect/stratum.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define W10 "4AAAAAAAAA"
#define WALLET W10 W10 W10 W10 W10 W10 W10 W10 W10 "AAAAA"
#define H62 "112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
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
	/* what a wallet's node answers eth_getFilterChanges: new blocks or transactions */
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[\"0x" H64 "\",\"0x" H64 "\",\"0x" H64 "\",\"0x" H64 "\"]}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[\"0x" H64 "\",\"0x" H64 "\",\"0xa7" H62 "\"]}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"job\":{\"name\":\"backup\",\"job_id\":4}}}",
	"[\"mining.subscribe\"]",
	"[1,2,{\"method\":\"mining.subscribe\",\"params\":[]}]",
	"[[{\"method\":\"mining.subscribe\",\"params\":[]}]]",
	"<html><title>x</title><pre>\n{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"" WALLET "\",\"pass\":"
	"\"x\",\"agent\":\"XMRig/6.26.0\",\"algo\":[\"rx/0\"]}}\n</pre>",
	"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nDATA\r\n\r\n{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\r\n.\r\n",
	"/* x */{\"id\":1}", "a {color:red}", "{ color: red }", "{\"a\"}", "{]", "\xef\xbb{", "5 {}", "abc",
};

static const struct sample client_dialects[] = {
	{ "{\"id\": 0, \"method\": \"mining.configure\", \"params\": [[\"version-rolling\"], {\"version-rolling.mask\": \"ffff"
	  "ffff\"}]}", "stratum-v1", "mining.configure", "", "", "" },
	{ "{\"id\": null, \"method\": \"mining.suggest_target\", \"params\": [\"00\"]}",
	  "stratum-v1", "mining.suggest_target", "", "", "" },
	{ "{\"id\":null,\"method\":\"mining.capabilities\",\"params\":[{\"notify\":[]}]}",
	  "stratum-v1", "mining.capabilities", "", "", "" },
	{ "{\"method\": \"mining.submit\", \"params\": [\"w.r1\", \"1\", \"00\", \"5f5e1000\", \"00000000\"], \"id\":4}",
	  "stratum-v1", "mining.submit", "", "w", "", "r1" },
	{ "{\"id\": \"xnsub\", \"method\": \"mining.extranonce.subscribe\", \"params\": []}",
	  "stratum-v1", "mining.extranonce.subscribe", "", "", "" },
	{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"GMiner/2.09\",null,\"p.example\",\"3333\"]}",
	  "stratum-v1", "mining.subscribe", "GMiner/2.09", "", "" },
	{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"NBMiner/39.6\"]}",
	  "stratum-v1", "mining.subscribe", "NBMiner/39.6", "", "" },
	{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"lolMiner 1.76\"]}",
	  "stratum-v1", "mining.subscribe", "lolMiner 1.76", "", "" },
	{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"NiceHash/1.0.0\", 1700000000, \"" H64 "\"]}",
	  "nicehash", "mining.subscribe", "NiceHash/1.0.0", "", "" },
	{ "{\"id\":1,\"method\":\"mining.multi_version\",\"params\":[4]}", "stratum-v1", "mining.multi_version", "", "", "" },
	{ "{\"params\":[\"rhminer/1.0\"],\"id\":0,\"method\":\"mining.subscribe\"}",
	  "stratum-v1", "mining.subscribe", "rhminer/1.0", "", "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"mining.subscribe\",\"params\":[\"XMRig/6.26.0 (Linux x86_64)\"]}",
	  "stratum-v1", "mining.subscribe", "XMRig/6.26.0 (Linux x86_64)", "", "" },
	{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"miner/1\",null,\"p.example\",3333]}",
	  "zcash", "mining.subscribe", "miner/1", "", "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"" WALLET ".rig1+50000\",\"pass\":\"x\","
	  "\"agent\":\"XMRig/6.26.0\",\"rigid\":\"shelf 3\",\"algo\":[\"rx/0\"]}}",
	  "cryptonote", "login", "XMRig/6.26.0", WALLET, "rx/0", "shelf 3" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"" WALLET "+128000\",\"pass\":\"x\",\"age"
	  "nt\":\"XMRig/6.26.0\",\"mode\":\"self-select\"}}", "cryptonote", "login", "XMRig/6.26.0", WALLET, "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"" H64 "\",\"pass\":\"x\",\"agent\":\"XMR"
	  "ig/6.26.0\",\"url\":\"p.example:3333\",\"algo\":[\"rx/0\"],\"diff\":1,\"height\":2,\"seed_hash\":\"00\"}}",
	  "cryptonote", "login", "XMRig/6.26.0", H64, "rx/0" },
	{ "{\"method\":\"login\",\"params\":{\"login\":\"" WALLET "." H64 ".rig/me@mail.example\",\"pass\":\"x\",\"agent\":\"c"
	  "cminer/2.3\"},\"id\":2}", "cryptonote", "login", "ccminer/2.3", WALLET, "", "rig" },
	{ "{\"method\":\"login\",\"params\":{\"login\":\"w\",\"pass\":\"x\",\"hi\":{\"height\":1,\"block_id\":\"00\"},\"agent"
	  "\":\"ccminer/2.3\"},\"id\":2}", "cryptonote", "login", "ccminer/2.3", "w", "" },
	{ "{\"method\":\"getjob\",\"params\":{\"id\":\"1\",\"hi\":{\"height\":1,\"block_id\":\"00\"}},\"id\":2}",
	  "cryptonote", "getjob", "", "", "" },
	{ "{\"method\":\"getfullscratchpad\",\"params\":{\"id\":\"1\",\"agent\":\"x\"},\"id\":2}",
	  "cryptonote", "getfullscratchpad", "", "", "" },
	{ "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"w.rig\",\"pass\":\"x\",\"agent\":\"SRBMiner-MULTI/3.6.9\"}}",
	  "cryptonote", "login", "SRBMiner-MULTI/3.6.9", "w", "", "rig" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"w\",\"pass\":\"x\",\"agent\":\"Meta Mine"
	  "r v4.5\",\"algo\":[\"rx/0\",\"ghostrider\"],\"algo-perf\":{\"rx/0\":1000.5},\"algo-min-time\":0,\"extensions\":[\"m"
	  "o-native\"]}}", "cryptonote", "login", "Meta Miner v4.5", "w", "rx/0" },
	{ "{\"method\":\"login\",\"params\":{\"login\":\"w\",\"pass\":\"x\",\"rigid\":\"\",\"agent\":\"deepMiner\"},\"id\":\"0"
	  "123456789abcdef\"}", "cryptonote", "login", "deepMiner", "w", "" },
	{ "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"w\",\"pass\":\"x\",\"agent\":\"webminerpool.com\"}}",
	  "cryptonote", "login", "webminerpool.com", "w", "" },
	{ "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"" WALLET "\",\"pass\":\"x\"}}",
	  "cryptonote", "login", "", WALLET, "" },
	{ "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"w\",\"algo\":\"rx/0\"}}",
	  "cryptonote", "login", "", "w", "rx/0" },
	{ "{\"id\":null,\"method\":\"login\",\"params\":{\"login\":\"w\",\"extensions\":[\"mo-native\"]}}",
	  "cryptonote", "login", "", "w", "" },
	{ "{\"method\":\"keepalived\",\"params\":{\"id\":\"1\"}}", "cryptonote", "keepalived", "", "", "" },
	{ "{\"id\":9,\"method\":\"block_template\",\"params\":{\"id\":\"1\",\"job_id\":\"2\",\"blob\":\"00\",\"height\":3,\"di"
	  "fficulty\":4,\"prev_hash\":\"00\"}}", "cryptonote", "block_template", "", "", "" },
	{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"ethminer/0.19\",\"EthereumStratum/1.0.0\"]}",
	  "ethereum-stratum-1", "mining.subscribe", "ethminer/0.19", "", "" },
	{ "{\"id\":1,\"method\":\"eth_submitLogin\",\"params\":[\"0x" H40 ".rig\",\"pass\"],\"worker\":\"shelf\"}",
	  "eth-proxy", "eth_submitLogin", "", "0x" H40, "", "shelf" },
	{ "{\"id\":1,\"method\":\"eth_submitLogin\",\"worker\":\"0x" H40 "\",\"params\":[\"0x" H40 "\"]}",
	  "eth-proxy", "eth_submitLogin", "", "0x" H40, "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"eth_submitLogin\",\"worker\":\"eth1.0\",\"params\":[\"0x" H40 "\",\"x\"]"
	  "}", "eth-proxy", "eth_submitLogin", "", "0x" H40, "", "eth1.0" },
	{ "{\"id\":9,\"method\":\"eth_submitHashrate\",\"params\":[\"0x500000\",\"0x" H64 "\"],\"worker\":\"rig\"}",
	  "eth-proxy", "eth_submitHashrate", "", "", "", "rig" },
	{ "{\"id\":4,\"method\":\"eth_submitWork\",\"params\":[\"0x0011223344556677\",\"0x" H64 "\",\"0x" H64 "\"]}",
	  "eth-proxy", "eth_submitWork", "", "", "" },
	{ "{\"id\":0,\"method\":\"mining.hello\",\"params\":{\"agent\":\"a\",\"host\":\"h\",\"port\":\"4d2\",\"proto\":\"Ether"
	  "eumStratum/2.0.0\"}}", "ethereum-stratum-2", "mining.hello", "a", "", "" },
	{ "{\"id\":50,\"method\":\"mining.noop\"}", "ethereum-stratum-2", "mining.noop", "", "", "" },
	{ "{\"id\":16,\"method\":\"mining.hashrate\",\"params\":[\"500000\",\"w-123\"]}",
	  "ethereum-stratum-2", "mining.hashrate", "", "", "" },
	{ "{\"id\":7,\"method\":\"mining.bye\"}", "ethereum-stratum-2", "mining.bye", "", "", "" },
	{ "{\"id\":2,\"method\":\"mining.subscribe\",\"params\":\"s-12345\"}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"w\",\"j\",\"0x0011223344556677\",\"0x" H64 "\"]}",
	  "conflux", "mining.submit", "", "w", "" },
	{ "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"kaspa:qq0123456789.rig\",\"x\"]}",
	  "kaspa", "mining.authorize", "", "kaspa:qq0123456789", "", "rig" },
	{ "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"nexa:nq0123\",\"x\"]}",
	  "nexa", "mining.authorize", "", "nexa:nq0123", "" },
	{ "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"xel:0123.rig\",\"x\"]}",
	  "xelis", "mining.authorize", "", "xel:0123", "", "rig" },
	{ "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"cfx:aa0123.rig\",\"x\"]}",
	  "conflux", "mining.authorize", "", "cfx:aa0123", "", "rig" },
	{ "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"k:" H64 "\",\"x\"]}",
	  "kadena", "mining.authorize", "", "k:" H64, "" },
	{ "{\"id\":3,\"method\":\"mining.submit\",\"params\":{\"jobId\":1,\"fromGroup\":0,\"toGroup\":3,\"nonce\":\"00\",\"wor"
	  "ker\":\"rig\"}}", "alephium", "mining.submit", "", "", "", "rig" },
	{ "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"me.rig\",\"pass\":\"\",\"agent\":\"g"
	  "rin-miner\"}}", "cryptonote", "login", "grin-miner", "me", "", "rig" },
	{ "{\"id\":0,\"method\":\"mining.subscribe\",\"body\":{\"version\":3,\"publicAddress\":\"abc.rig\",\"agent\":\"lolMine"
	  "r 1.9\",\"extend\":[\"mining.submitted\"]}}", "ironfish", "mining.subscribe", "lolMiner 1.9", "abc", "", "rig" },
	{ "{\"id\":1,\"method\":\"mining.submit\",\"body\":{\"miningRequestId\":1,\"randomness\":\"00\"}}",
	  "ironfish", "mining.submit", "", "", "" },
	{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"a/1\",\"AleoStratum/2.0.0\",null]}",
	  "aleo", "mining.subscribe", "a/1", "", "" },
	{ "{\"id\":1,\"\\u006D\\u0065thod\":\"m\\u0069ning.subscribe\",\"params\":[]}",
	  "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{\"id\":1,\"\\u006d\\u0065thod\":\"\\u006dining\\u002Esubscribe\",\"params\":[]}",
	  "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{\"id\":-1,\"mEtHoD\":\"mining.subscribe\",\"PARAMS\":[]}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "\t\t \r\n\n{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{\"params\":[],\"id\":1,\"method\":\"login\",\"method\":\"mining.subscribe\"}",
	  "stratum-v1", "mining.subscribe", "", "", "" },
	{ "[{\"method\":\"x\"},{\"method\":\"y\"},{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]},{\"method\":\"z\"}]",
	  "stratum-v1", "mining.subscribe", "", "", "" },
	{ "{\"id\":1,\"method\":\"mining.ping\"}", "stratum-v1", "mining.ping", "", "", "" },
	{ "{\"method\":\"a\"}\n{\"method\":\"b\"}\n{\"method\":\"c\"}\n{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]"
	  "}", "stratum-v1", "mining.subscribe", "", "", "" },
	{ "120\r\n{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}", "stratum-v1", "mining.subscribe", "", "", "" },
};

static const struct sample server_dialects[] = {
	{ "{\"id\":1,\"result\":[true,\"EthereumStratum/1.0.0\"],\"error\":null}", "kaspa", "", "", "", "" },
	{ "{\"id\":null,\"method\":\"set_extranonce\",\"params\":[\"0011\"]}", "kaspa", "set_extranonce", "", "", "" },
	{ "{\"id\":7,\"method\":\"mining.notify\",\"params\":[\"7\",[1,2,3,4],1700000000]}",
	  "kaspa", "mining.notify", "", "", "" },
	{ "{\"id\":null,\"method\":\"mining.set_target\",\"params\":[12345]}", "aleo", "mining.set_target", "", "", "" },
	{ "{\"id\":null,\"method\":\"mining.notify\",\"params\":[{\"jobId\":\"1\",\"fromGroup\":0,\"toGroup\":1,\"headerBlob\""
	  ":\"00\",\"targetBlob\":\"00\"}]}", "alephium", "mining.notify", "", "", "" },
	{ "{\"id\":null,\"method\":\"mining.set_extranonce\",\"params\":[\"0011\"]}",
	  "stratum-v1", "mining.set_extranonce", "", "", "" },
	{ "{\"id\":null,\"method\":\"mining.set\",\"params\":{\"epoch\":\"dc\",\"target\":\"00\",\"algo\":\"ethash\",\"extrano"
	  "nce\":\"1\"}}", "ethereum-stratum-2", "mining.set", "", "", "ethash" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"job\",\"params\":{\"extra_nonce\":\"00\",\"pool_wallet\":\"4A\"}}",
	  "cryptonote", "job", "", "", "" },
	{ "{\"id\":2,\"jsonrpc\":\"2.0\",\"error\":null,\"result\":{\"status\":\"KEEPALIVED\"}}", "cryptonote", "", "", "", "" },
	{ "{\"id\":1,\"error\":null,\"result\":{\"job\":{\"extra_nonce\":\"00\",\"pool_wallet\":\"4A\",\"algo\":\"rx/0\"}}}",
	  "cryptonote", "", "", "", "rx/0" },
	{ "{\"id\":\"2\",\"jsonrpc\":\"2.0\",\"method\":\"getjobtemplate\",\"result\":{\"difficulty\":1,\"height\":2,\"job_id"
	  "\":3,\"pre_pow\":\"00\"}}", "grin", "getjobtemplate", "", "", "" },
	{ "{\"id\":\"7\",\"method\":\"result\",\"code\":0,\"nonceprefix\":\"00\"}", "beam", "result", "", "", "" },
	{ "{\"id\":1,\"method\":\"mining.wait_for_work\"}", "ironfish", "mining.wait_for_work", "", "", "" },
	{ "{\"id\":2,\"method\":\"mining.submitted\",\"body\":{\"id\":1,\"result\":true}}",
	  "ironfish", "mining.submitted", "", "", "" },
};

/* In the body of a request: work asked of a node. */
static const struct sample by_http[] = {
	{ "{\"method\": \"getwork\", \"params\": [], \"id\":0}\r\n", "getwork", "getwork", "", "", "" },
	{ "{\"id\":1,\"method\":\"getwork\",\"params\":[\"00\"]}", "getwork", "getwork", "", "", "" },
	{ "{\"id\": 0, \"method\": \"getblocktemplate\", \"params\": [{\"capabilities\": [\"coinbasetxn\", \"workid\", \"coinb"
	  "ase/append\"]}]}", "getblocktemplate", "getblocktemplate", "", "", "" },
	{ "{\"id\":0,\"method\":\"getblocktemplate\",\"params\":[{\"rules\":[\"segwit\"]}]}",
	  "getblocktemplate", "getblocktemplate", "", "", "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"getblocktemplate\",\"params\":{\"wallet_address\":\"" WALLET "\",\"extra"
	  "_nonce\":\"0011223344556677\"}}", "getblocktemplate", "getblocktemplate", "", WALLET, "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"get_block_template\",\"params\":{\"wallet_address\":\"" WALLET "\",\"res"
	  "erve_size\":8}}", "getblocktemplate", "get_block_template", "", WALLET, "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"submitblock\",\"params\":[\"00\"]}",
	  "getblocktemplate", "submitblock", "", "", "" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"0\",\"method\":\"submit_block\",\"params\":[\"00\"]}",
	  "getblocktemplate", "submit_block", "", "", "" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"0\",\"method\":\"get_miner_data\"}", "p2pool", "get_miner_data", "", "", "" },
	{ "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"eth_getWork\",\"params\":[]}", "eth-getwork", "eth_getWork", "", "", "" },
	{ "{\"id\":4,\"jsonrpc\":\"2.0\",\"method\":\"eth_submitWork\",\"params\":[\"0x0011223344556677\",\"0x" H64 "\",\"0x"
	  H64 "\"]}", "eth-getwork", "eth_submitWork", "", "", "" },
	{ "{\"id\":6,\"jsonrpc\":\"2.0\",\"method\":\"eth_submitHashrate\",\"params\":[\"0x500000\",\"0x" H64 "\"]}",
	  "eth-getwork", "eth_submitHashrate", "", "", "" },
	{ "[{\"id\":1,\"method\":\"getblockcount\"},{\"id\":2,\"method\":\"getblocktemplate\",\"params\":[]}]",
	  "getblocktemplate", "getblocktemplate", "", "", "" },
};

/* The same in a body and in a message of a WebSocket. */
static const struct sample by_both[] = {
	{ "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"a/1\"]}", "stratum-v1", "mining.subscribe", "a/1", "", "" },
	{ "{\"id\":1,\"method\":\"eth_submitLogin\",\"params\":[\"0x" H40 ".rig\"]}",
	  "eth-proxy", "eth_submitLogin", "", "0x" H40, "", "rig" },
	{ "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"w\",\"pass\":\"x\",\"agent\":\"XMRig/6.26.0\",\"algo\":[\"rx"
	  "/0\"]}}", "cryptonote", "login", "XMRig/6.26.0", "w", "rx/0" },
	{ "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"" WALLET "\",\"pass\":\"x\",\"agent\":\"mine\"}}",
	  "cryptonote", "login", "mine", WALLET, "" },
	{ "{\"id\":7,\"method\":\"submit\",\"params\":{\"id\":\"1\",\"job_id\":\"2\",\"nonce\":\"00000000\",\"result\":\"" H64 ""
	  "\"}}", "cryptonote", "submit", "", "", "" },
	{ "{\"id\":\"2\",\"jsonrpc\":\"2.0\",\"method\":\"getjobtemplate\",\"params\":null}",
	  "grin", "getjobtemplate", "", "", "" },
	{ "[{\"id\":1,\"method\":\"getwork\"},{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"a/1\"]}]",
	  "stratum-v1", "mining.subscribe", "a/1", "", "" },
	{ "{\"id\":1,\"method\":\"getwork\",\"method\":\"mining.subscribe\",\"params\":[\"a/1\"]}",
	  "stratum-v1", "mining.subscribe", "a/1", "", "" },
};

static const struct sample by_web[] = {
	{ "{\"type\":\"auth\",\"params\":{\"version\":7,\"site_key\":\"AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHH\",\"type\":\"anonymous"
	  "\",\"user\":null,\"goal\":0}}", "coinhive", "auth", "", "AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHH", "" },
	{ "{\"type\":\"auth\",\"params\":{\"version\":7,\"userID\":\"abc\"}}", "coinhive", "auth", "", "", "" },
	{ "{\"type\":\"auth\",\"params\":{\"version\":7,\"user\":\"abc\"}}", "coinhive", "auth", "", "", "" },
	{ "{\"params\":{\"site_key\":\"k\"},\"type\":\"a\\u0075th\"}", "coinhive", "auth", "", "k", "" },
	{ "{\"type\":\"submit\",\"params\":{\"version\":7,\"job_id\":\"1\",\"nonce\":\"00000000\",\"result\":\"" H64 "\"}}",
	  "coinhive", "submit", "", "", "" },
	{ "{\"identifier\":\"handshake\",\"pool\":\"p.example:3333\",\"login\":\"" WALLET ".tab\",\"password\":\"\",\"userid\""
	  ":\"\",\"version\":8}", "webminerpool", "handshake", "", WALLET, "", "tab" },
	{ "{\"identifier\":\"handshake\",\"loginid\":\"77\",\"version\":8}", "webminerpool", "handshake", "", "", "" },
	{ "{\"identifier\":\"solved\",\"job_id\":\"1\",\"nonce\":\"00000000\",\"hash\":\"" H64 "\"}",
	  "webminerpool", "solved", "", "", "" },
	{ "{\"jobid\":\"1.0.notified\",\"mbl_blob\":\"00\"}", "dero", "", "", "", "" },
	{ "{\"miner_work\":\"00\"}", "xelis", "", "", "", "" },
	{ "{\"id\":1,\"method\":\"eth_getWork\",\"params\":[]}", "eth-proxy", "eth_getWork", "", "", "" },
};

static const struct sample web_server[] = {
	{ "{\"type\":\"job\",\"params\":{\"job_id\":\"1\",\"blob\":\"00\",\"target\":\"ffffff00\"}}",
	  "coinhive", "job", "", "", "" },
	{ "{\"type\":\"authed\",\"params\":{\"token\":\"\",\"hashes\":0}}", "coinhive", "authed", "", "", "" },
	{ "{\"type\":\"hash_accepted\",\"params\":{\"hashes\":256}}", "coinhive", "hash_accepted", "", "", "" },
	{ "{\"identifier\":\"job\",\"job_id\":\"1\",\"algo\":\"cn\",\"variant\":0,\"blob\":\"00\",\"target\":\"ffffff00\"}",
	  "webminerpool", "job", "", "", "cn" },
	{ "{\"identifier\":\"hashsolved\"}", "webminerpool", "hashsolved", "", "", "" },
	{ "{\"jobid\":\"1\",\"blockhashing_blob\":\"00\",\"difficulty\":\"9\"}", "dero", "", "", "", "" },
	{ "{\"new_job\":{\"algorithm\":\"x\",\"difficulty\":\"1\",\"height\":2,\"template\":\"00\"}}", "xelis", "", "", "", "" },
};

static const char *const not_on_a_stream[] = {
	"{\"id\":1,\"method\":\"getblocktemplate\",\"params\":[]}",
	"{\"id\":1,\"method\":\"getwork\",\"params\":[]}",
	"{\"type\":\"auth\",\"params\":{\"version\":7,\"site_key\":\"k\"}}",
	"{\"identifier\":\"handshake\",\"loginid\":\"1\"}",
	"{\"type\":\"job\",\"params\":{\"job_id\":\"1\",\"blob\":\"0\",\"target\":\"0\"}}",
	"{\"jobid\":\"1\",\"mbl_blob\":\"00\"}",
	"{\"miner_work\":\"00\"}",
};

static const char *const harmless_http[] = {
	"{\"id\":1,\"method\":\"getmininginfo\",\"params\":[]}",
	"{\"id\":1,\"method\":\"getblockcount\",\"params\":[]}",
	"{\"id\":1,\"method\":\"getwork\",\"params\":{\"shift\":4}}",
	"{\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}",
	"{\"id\":1,\"method\":\"eth_call\",\"params\":[]}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"bob\",\"pass\":\"p\",\"agent\":\"Mozilla/5.0 (X11)"
	  "\"},\"id\":1}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"bob\",\"pass\":\"p\",\"algo\":\"sha256\",\"rigid\":"
	  "\"x\"},\"id\":1}",
	"{\"type\":\"auth\",\"params\":{\"version\":7,\"site_key\":\"k\"}}",
	"{\"text\":\"{\\\"method\\\":\\\"getwork\\\"}\"}",
	"<html>{\"method\":\"getwork\"}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"getwork\",\"arguments\":{}}}",
	"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"what is {\\\"method\\\":\\\"mining.subscribe\\\",\\\""
	  "params\\\":[]}?\"}]}",
};

static const char *const harmless_web[] = {
	"{\"type\":\"auth\",\"params\":{\"token\":\"x\"}}",
	"{\"type\":\"auth\",\"params\":{\"version\":1,\"token\":\"x\",\"user\":\"bob\"}}",
	"{\"type\":\"auth\",\"params\":{\"version\":1,\"user\":\"bob\",\"password\":\"p\"}}",
	"{\"type\":\"auth\",\"token\":\"x\"}",
	"{\"type\":\"auth\",\"params\":{\"user\":\"bob\"}}",
	"{\"type\":\"auth\",\"params\":{\"version\":\"1\",\"userID\":7}}",
	"{\"type\":\"job\",\"params\":{\"name\":\"backup\",\"job_id\":1}}",
	"{\"type\":\"submit\",\"params\":{\"form\":\"x\"}}",
	"{\"type\":\"submit\",\"params\":{\"job_id\":1,\"result\":\"ok\"}}",
	"{\"type\":\"authed\",\"params\":{\"user\":\"bob\"}}",
	"{\"type\":\"authed\",\"params\":{\"token\":\"t\"}}",
	"{\"identifier\":\"handshake\"}",
	"{\"identifier\":\"handshake\",\"pool\":\"x\"}",
	"{\"identifier\":\"job\",\"job_id\":7}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"1008@x\",\"passwd\":\"p\",\"loginParams\":{},\"user"
	  "Variables\":{},\"sessid\":\"s\"},\"id\":3}",
	"{\"op\":\"subscribe\",\"args\":[\"mining\"]}",
	"{\"type\":\"chat\",\"text\":\"{\\\"type\\\":\\\"auth\\\",\\\"params\\\":{\\\"site_key\\\":\\\"k\\\"}}\"}",
	"{\"id\":1,\"method\":\"getblocktemplate\",\"params\":[]}",
	"{\"jobid\":\"1\",\"blob\":\"00\"}",
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

static void positives_as(const struct sample *s, size_t count, struct feed how)
{
	char buf[8192];
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

static void positives(const struct sample *s, size_t count, enum side side)
{
	positives_as(s, count, (struct feed){ side, false, APP_UNKNOWN, CARRIER_STREAM });
}

static void from_client(void **state)
{
	(void)state;
	positives(client_dialects, COUNT(client_dialects), SIDE_CLIENT);
	positives(client_dialects, COUNT(client_dialects), SIDE_UNSURE);
	positives(client, sizeof(client) / sizeof(client[0]), SIDE_CLIENT);
	positives(client, sizeof(client) / sizeof(client[0]), SIDE_UNSURE);
}

static void from_server(void **state)
{
	const struct feed last = { SIDE_CLIENT, true, APP_UNKNOWN };
	size_t i;

	(void)state;
	positives(server, sizeof(server) / sizeof(server[0]), SIDE_SERVER);
	positives(server_dialects, COUNT(server_dialects), SIDE_SERVER);
	positives(server_dialects, COUNT(server_dialects), SIDE_UNSURE);
	/* rows of the server's side count for the server only, unless the method is decisive on both */
	for (i = 0; i < sizeof(server) / sizeof(server[0]); i++)
		if (!strstr(server[i].text, "\"mining."))
			assert_int_equal(feed_as(last, server[i].text, strlen(server[i].text)), INSPECT_NO);
	assert_int_equal(feed_as((struct feed){ SIDE_SERVER, true, APP_UNKNOWN }, client[2].text, strlen(client[2].text)),
			 INSPECT_NO);
}

/* No prefix of it is mining, nor the whole. */
static void never(const char *text, struct feed how, bool json)
{
	size_t n, len = strlen(text);

	for (n = 0; n <= len; n++) {
		how.ended = false;
		if (feed_as(how, text, n) == INSPECT_MATCH)
			fail_msg("as %u in %u: %.*s", how.side, how.carrier, (int)n, text);
		how.ended = true;
		if (feed_as(how, text, n) == INSPECT_MATCH)
			fail_msg("as %u in %u at the end: %.*s", how.side, how.carrier, (int)n, text);
	}
	if (json)
		assert_int_equal(feed_as(how, text, len), INSPECT_NO);
}

static void look_alikes(void **state)
{
	struct feed how = { SIDE_CLIENT, false, APP_UNKNOWN, CARRIER_STREAM };
	size_t i;

	(void)state;
	for (how.side = SIDE_CLIENT; how.side <= SIDE_UNSURE; how.side++) {
		for (i = 0; i < COUNT(not_on_a_stream); i++)
			never(not_on_a_stream[i], how, true);
		for (how.carrier = CARRIER_STREAM; how.carrier <= CARRIER_WEBSOCKET; how.carrier++)
			for (i = 0; i < COUNT(harmless); i++)
				never(harmless[i], how, true);
		for (how.carrier = CARRIER_HTTP, i = 0; i < COUNT(harmless_http); i++)
			never(harmless_http[i], how, true);
		for (how.carrier = CARRIER_WEBSOCKET, i = 0; i < COUNT(harmless_web); i++)
			never(harmless_web[i], how, true);
		how.carrier = CARRIER_STREAM;
	}
}

static void kinds(const struct sample *s, size_t n, struct feed how, enum mining_kind kind)
{
	for (; n--; s++) {
		check(s, feed_as(how, s->text, strlen(s->text)));
		assert_int_equal(feed_facts.stratum.kind, kind);
	}
}

/* Bodies and frames are shown by what found them, to this inspector alone. */
static void other_carriers(void **state)
{
	struct feed http = { SIDE_CLIENT, true, APP_STRATUM, CARRIER_HTTP }, web = http, pool = http;

	(void)state;
	web.carrier = pool.carrier = CARRIER_WEBSOCKET;
	pool.side = SIDE_SERVER;
	kinds(by_http, COUNT(by_http), http, MINING_GETWORK);
	kinds(by_both, COUNT(by_both), http, MINING_STRATUM);
	kinds(by_both, COUNT(by_both), web, MINING_STRATUM);
	kinds(by_web, COUNT(by_web), web, MINING_STRATUM);
	kinds(web_server, COUNT(web_server), pool, MINING_STRATUM);
	kinds(client_dialects, 12, web, MINING_STRATUM);
	kinds(server_dialects, COUNT(server_dialects), pool, MINING_STRATUM);
	positives_as(by_web, COUNT(by_web), web);
	/* a batch may still bring worse than what was found in it */
	http.ended = false;
	assert_int_equal(feed_as(http, "[{\"method\":\"getwork\"},", 22), INSPECT_MORE);
	assert_int_equal(feed_as(http, "[{\"method\":\"getwork\"}]", 22), INSPECT_MATCH);
	assert_int_equal(feed_as(http, "{\"method\":\"getwork\"}", 19), INSPECT_MORE);
	assert_int_equal(feed_as(http, "{\"method\":\"getwork\"}", 20), INSPECT_MATCH);
}

/* Who reads bodies and frames asks directly, with facts of his own in the same place. */
static void asked_directly(void **state)
{
	static const char body[] = "[{\"method\":\"getwork\"},{\"method\":\"a\"}]";
	struct inspect_input in = { .p = (const uint8_t *)body, .dialects = NULL, .carrier = CARRIER_HTTP };
	static struct inspect_scratch scratch;
	static struct facts facts;

	(void)state;
	in.scratch = &scratch;
	inspect_reset(&facts);
	facts.app = APP_HTTP;
	facts.n_names = 1;
	facts.again = AGAIN_FRESH;
	for (in.len = 0; in.len < sizeof(body) - 2; in.len++) {
		assert_int_equal(stratum_inspect(&in, &facts), INSPECT_MORE);
		assert_int_equal(facts.app, APP_HTTP);
		assert_false(facts.mining);
		assert_int_equal(facts.again, AGAIN_FRESH);
	}
	in.len++;
	assert_int_equal(stratum_inspect(&in, &facts), INSPECT_MATCH);
	assert_true(facts.mining);
	assert_int_equal(facts.stratum.kind, MINING_GETWORK);
	assert_int_equal(facts.n_names, 1);
	assert_int_equal(facts.again, AGAIN_NO);
	in.carrier = CARRIER_WEBSOCKET;
	in.ended = true;
	assert_int_equal(stratum_inspect(&in, &facts), INSPECT_NO);
}

/* "mining.authorize" behind "mining.subscribe", as far as it is there. */
static void login_of_the_next(void **state)
{
	static const char two[] = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"a/1\"]}\n"
				  "{\"id\":2,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}\n"
				  "{\"id\":3,\"method\":\"mining.authorize\",\"params\":[\"wallet.rig\",\"x\"]}\n";
	size_t first = (size_t)(strchr(two, '\n') - two);

	(void)state;
	assert_int_equal(feed(two, sizeof(two) - 1), INSPECT_MATCH);
	assert_int_equal(feed_facts.consumed, first);
	feed_view(feed_facts.stratum.method, "mining.subscribe");
	feed_view(feed_facts.stratum.agent, "a/1");
	feed_view(feed_facts.stratum.login, "wallet");
	feed_view(feed_facts.stratum.worker, "rig");
	assert_int_equal(feed(two, sizeof(two) - 4), INSPECT_MATCH);
	feed_view(feed_facts.stratum.login, "");
}

/* What a lenient server may still read is judged by what came before it broke. */
static void broken_behind(void **state)
{
	static const char bad[] = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"a/1\"] ; }\n";
	static const char verto[] = "{\"method\":\"login\",\"params\":{\"login\":\"" WALLET "\",\"agent\":\"x\" ; ";

	(void)state;
	assert_int_equal(feed(bad, sizeof(bad) - 1), INSPECT_MATCH);
	feed_view(feed_facts.stratum.agent, "a/1");
	assert_int_equal(feed(verto, sizeof(verto) - 1), INSPECT_NO);	/* `passwd` may stand where it is broken */
}

static void payee(const char *text, const char *login, const char *worker)
{
	struct view l, w;

	payee_split((struct view){ (const uint8_t *)text, strlen(text) }, &l, &w);
	feed_view(l, login);
	feed_view(w, worker);
}

static void payees(void **state)
{
	(void)state;
	payee("", "", "");
	payee("bob", "bob", "");
	payee("bob.rig1", "bob", "rig1");
	payee(".rig1", "rig1", "");
	payee("...", "...", "");
	payee(WALLET, WALLET, "");
	payee(WALLET ".rig", WALLET, "rig");
	payee(WALLET "+5000", WALLET, "");
	payee(WALLET ".rig+5000", WALLET, "rig");
	payee(WALLET "+5000.rig", WALLET, "rig");
	payee(WALLET "=5000", WALLET, "");
	payee(WALLET "/me@mail.example", WALLET, "me@mail");
	payee(WALLET "#rig", WALLET, "rig");
	payee(WALLET ".0011223344556677.rig", WALLET, "rig");
	payee(WALLET "." H64, WALLET, "");
	payee("XMR." WALLET ".rig", WALLET, "rig");
	payee("XMR:" WALLET ".rig#ref", "XMR:" WALLET, "rig");
	payee("0x" H40 ".rig", "0x" H40, "rig");
	payee("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.r-1", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "r-1");
	payee("a." WALLET, WALLET, "");
	payee(WALLET "." WALLET, WALLET, "");	/* a wallet is never shown as a machine */
	assert_true(payee_is_wallet((struct view){ (const uint8_t *)"-1234567890123456789012345", 26 }));
	assert_false(payee_is_wallet((struct view){ (const uint8_t *)"123456789012345678901234-5", 26 }));
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

static bool table_is_valid(const struct dialect_table *table)
{
	for (size_t i = 0; i < table->n_rows; i++)
		if (dialect_check(&table->rows[i]).text)
			return false;
	return table->n_rows <= DIALECT_ROWS_MAX;
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
	assert_false(table_is_valid(&table));
	assert_true(table_is_valid(&good));
	assert_true(table_is_valid(&dialect_builtin));
}

/* Rows whose tests share places, names longer than a word, wildcards, and expressions of every form. */
static const struct dialect_row odd_rows[] = {
	{ "long", "a.method.with.a.long.name", DIALECT_FROM_CLIENT, "averylongmembername & averylongmemberNOT:number", "login=AVeryLongMemberName" },
	{ "wild", "pool.*", DIALECT_FROM_CLIENT, "!(a.b=1|c) & d[2]~wallet|e~miner", "payee=d[2] agent=e" },
	{ "exact", "pool.login", DIALECT_FROM_CLIENT, "a.b=1 & !c|!a.d", "worker=w" },
	{ "shape", "shape", DIALECT_FROM_CLIENT, "x~wallet & (y~hash|!z) & x:string", "login=x" },
	{ "weak", "pool.login", DIALECT_FROM_CLIENT, "f", NULL, MINING_GETWORK },
};
static const char *const odd_texts[] = {
	"{\"method\":\"a.method.with.a.long.name\",\"averyLONGmembername\":\"me\",\"averylongmemberno\":1,\"averylongmembernot\":2}",
	"{\"method\":\"a.method.with.a.long.name\",\"averyLONGmembername\":\"me\",\"averylongmemberno\":1}",
	"{\"method\":\"pool.x\",\"d\":[0,1,\"0x" H40 ".rig\"]}", "{\"method\":\"pool.x\",\"a\":{\"b\":1},\"d\":[0,1,\"0x" H40 "\"]}",
	"{\"method\":\"pool.x\",\"e\":\"no\",\"e\":\"\\u0078mrig\"}", "{\"method\":\"pool.\",\"e\":\"xmrig\"}",
	"{\"method\":\"pool.login\",\"a\":{\"b\":\"1\"},\"w\":\"\\u0065q\"}", "{\"method\":\"pool.login\",\"a\":{\"b\":1,\"d\":1},\"c\":0}",
	"{\"method\":\"pool.login\",\"f\":[]}", "{\"f\":{},\"meth\\u006fd\":\"po\\u006fl.login\",\"c\":1,\"a\":{\"d\":null}}",
	"{\"method\":\"shape\",\"x\":\"0x" H40 "\",\"x\":\"no\"}", "{\"method\":\"shape\",\"x\":\"no\",\"x\":\"0x" H40 "\",\"z\":1}",
	"{\"method\":\"shape\",\"x\":\"0x" H40 "\",\"z\":1,\"y\":\"0x" H64 "\"}", "{\"method\":\"shape\",\"x\":\"0x" H40 "\",\"y\":12%",
	"{\"method\":\"shape\",\"x\":[[[[[\"0x" H40 "\"]]]]],\"x\":{\"x\":\"0x" H40 "\"}}",
};

static void look(const struct dialect_table *table, const char *text, struct stratum_facts *f)
{
	static struct inspect_scratch scratch;
	struct inspect_input in = { .p = (const uint8_t *)text, .len = strlen(text), .dialects = table, .scratch = &scratch, .ended = true };

	scratch.used = 0;
	*f = (struct stratum_facts){ 0 };
	if (inspect_stream(&in, &feed_facts) == INSPECT_MATCH)
		*f = feed_facts.stratum;
}

/* Compiled or not, a table says the same. */
static void compiled_as_parsed(void **state)
{
	const struct dialect_table parsed = { odd_rows, COUNT(odd_rows) };
	size_t size = dialect_compile(&parsed, NULL, 0), matches = 0;
	void *code = malloc(size);
	const struct dialect_table compiled = { odd_rows, COUNT(odd_rows), code };

	(void)state;
	assert_int_equal(dialect_compile(&parsed, code, size), size);
	for (size_t i = 0; i < COUNT(odd_texts); i++) {
		struct stratum_facts one, two;

		look(&parsed, odd_texts[i], &one);
		look(&compiled, odd_texts[i], &two);
		if (one.dialect != two.dialect || one.login.len != two.login.len || one.worker.len != two.worker.len ||
		    one.agent.len != two.agent.len)
			fail_msg("%s: %s, compiled %s", odd_texts[i], one.dialect, two.dialect);
		matches += one.dialect != NULL;
	}
	assert_int_equal(matches, 8);
	free(code);
}

/* A table that asks for more than is kept of a message goes on without. */
static void too_large_to_compile(void **state)
{
	static char texts[DIALECT_ROWS_MAX][64];
	static struct dialect_row rows[DIALECT_ROWS_MAX];
	const struct dialect_table table = { rows, DIALECT_ROWS_MAX };
	size_t size;
	void *code;

	(void)state;
	for (unsigned i = 0; i < DIALECT_ROWS_MAX; i++) {
		snprintf(texts[i], sizeof(texts[i]), "a%u|b%u|c%u|d%u|e%u", i, i, i, i, i);
		rows[i] = (struct dialect_row){ "large", "large", DIALECT_FROM_CLIENT, texts[i], NULL };
	}
	size = dialect_compile(&table, NULL, 0);
	code = malloc(size);
	assert_int_equal(dialect_compile(&table, code, size), 0);
	free(code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compiled_as_parsed), cmocka_unit_test(too_large_to_compile),
		cmocka_unit_test(from_client), cmocka_unit_test(from_server), cmocka_unit_test(look_alikes),
		cmocka_unit_test(nul_and_bom), cmocka_unit_test(padding), cmocka_unit_test(many_methods),
		cmocka_unit_test(lines_of_others), cmocka_unit_test(picked_up_in_the_middle), cmocka_unit_test(own_table), cmocka_unit_test(other_carriers), cmocka_unit_test(asked_directly), cmocka_unit_test(login_of_the_next),
		cmocka_unit_test(broken_behind), cmocka_unit_test(payees),
	};

	static struct dialect_table compiled;
	size_t size;
	void *code;
	int failed = cmocka_run_group_tests_name("parsed", tests, NULL, feed_done);

	/* all once more, by the table as a policy has it */
	compiled = dialect_builtin;
	size = dialect_compile(&compiled, NULL, 0);
	code = malloc(size);
	if (!code || dialect_compile(&compiled, code, size) != size)
		return 1;
	compiled.code = code;
	feed_dialects = &compiled;
	failed += cmocka_run_group_tests_name("compiled", tests, NULL, feed_done);
	free(code);
	return failed;
}
