// SPDX-License-Identifier: GPL-2.0-or-later
/* The built-in dialects, as data (PROTOCOLS 1, 2.1 and 4). A row must be false for every look-alike of 1.10; a name
 * that does not decide alone carries its second feature here. */
#include <string.h>

#include "inspect/require.h"

#define C DIALECT_FROM_CLIENT
#define S DIALECT_FROM_SERVER

#define RAW (1u << CARRIER_STREAM)
#define HTTP (1u << CARRIER_HTTP)
#define WEB (1u << CARRIER_WEBSOCKET)

/* What senders of mining.* put into params; EthereumStratum 2.0 may leave them out. */
#define SHAPE "params:array|params:object|params:string|!params"

/* A call as nodes answer it: with a list or nothing. */
#define CALL "params:array|!params"

/* Verto's login has `passwd` and none of the second features; who adds it to hide still has to send `pass`. On a bare stream an
 * agent or an algorithm is enough; logins of web applications may have these, so there they must be a miner's. */
#define LOGIN "params.login:string & !params.passwd|params.pass & "
#define LOGIN_RAW LOGIN "params.agent:string|params.algo:array|params.algo:string|params.algo-perf:object|params.rigid:string|" \
		  "params.mode=self-select|params.extensions:array|(params.pass & params.login~wallet)"
#define LOGIN_WEB LOGIN "params.pass:string|params.agent:string & " \
		  "params.agent~miner|params.algo:array|params.algo-perf:object|params.mode=self-select|params.login~wallet"
#define LOGIN_FACTS "worker=params.rigid payee=params.login agent=params.agent algo=params.algo algo=params.algo[0]"

static const struct dialect_row dialect_rows[] = {
	/* Iron Fish has SV1's method names, but `body` for `params`; so it stands before them */
	{ "ironfish", "mining.*", C | S, "body:object", "payee=body.publicAddress worker=body.name agent=body.agent" },
	{ "ironfish", "mining.wait_for_work", S, "!params", NULL },
	{ "ironfish", "mining.subscribed", S, "!params", NULL },
	{ "ironfish", "mining.submitted", S, "!params", NULL },

	{ "ethereum-stratum-2", "mining.hello", C | S, SHAPE, "agent=params.agent" },
	{ "ethereum-stratum-2", "mining.noop", C | S, SHAPE, NULL },
	{ "ethereum-stratum-2", "mining.hashrate", C | S, SHAPE, NULL },
	{ "ethereum-stratum-2", "mining.bye", C | S, SHAPE, NULL },
	{ "ethereum-stratum-2", "mining.set", C | S, SHAPE, "algo=params.algo" },
	{ "ethereum-stratum-2", "mining.reconnect", C | S, SHAPE, NULL },

	/* SV1's names, told apart by what they bring */
	{ "aleo", "mining.subscribe", C, "params[1]^AleoStratum/", "agent=params[0]" },
	{ "nicehash", "mining.subscribe", C, "params[0]^NiceHash/", "agent=params[0]" },
	{ "ethereum-stratum-1", "mining.subscribe", C, "params[1]^EthereumStratum/1.", "agent=params[0]" },
	/* agent, session, host, port; GMiner writes so for every coin */
	{ "zcash", "mining.subscribe", C, "params[2]:string & params[3] & !params[0]^GMiner", "agent=params[0]" },
	{ "kaspa", "mining.authorize", C, "params[0]^kaspa:|params[0]^kaspatest:", "payee=params[0]" },
	{ "nexa", "mining.authorize", C, "params[0]^nexa:", "payee=params[0]" },
	{ "xelis", "mining.authorize", C, "params[0]^xel:", "payee=params[0]" },
	{ "conflux", "mining.authorize", C, "params[0]^cfx:", "payee=params[0]" },
	{ "kadena", "mining.authorize", C, "params[0]^k:", "payee=params[0]" },
	{ "conflux", "mining.submit", C, "params[2]^0x & params[3]~hash & !params[4]", "payee=params[0]" },
	{ "alephium", "mining.submit", C, "params.fromGroup & params.toGroup & params.nonce", "worker=params.worker" },
	{ "alephium", "mining.notify", S, "params[0].headerBlob:string & params[0].targetBlob:string", NULL },
	{ "kaspa", "mining.notify", S, "params[1][0]:number & params[2]:number", NULL },
	{ "kaspa", "set_extranonce", S, "params[0]:string", NULL },
	{ "kaspa", NULL, S, "result[0]=true & result[1]^EthereumStratum/1.", NULL },
	{ "ethereum-stratum-1", NULL, S, "result[0][0]^mining. & result[0][2]^EthereumStratum/1.", NULL },
	{ "aleo", "mining.set_target", S, "params[0]:number", NULL },
	{ "zcash", "mining.set_target", S, "params[0]:string", NULL },

	{ "stratum-v1", "mining.subscribe", C, SHAPE, "agent=params[0]" },
	{ "stratum-v1", "mining.authorize", C, SHAPE, "payee=params[0]" },
	{ "stratum-v1", "mining.submit", C, SHAPE, "payee=params[0]" },
	{ "stratum-v1", "mining.*", C | S, SHAPE, NULL },
	{ "stratum-v1", NULL, S, "result[0][0][0]^mining.|result[0][1][0]^mining.|result[0][0]^mining.", NULL },

	/* over HTTP these are questions to a node, but for the login */
	{ "eth-proxy", "eth_submitLogin", C, "params:array", "worker=worker payee=params[0]" },
	{ "eth-proxy", "eth_getWork", C, CALL, "worker=worker", 0, RAW | WEB },
	{ "eth-proxy", "eth_submitWork", C, "params:array", "worker=worker", 0, RAW | WEB },
	{ "eth-proxy", "eth_submitHashrate", C, "params:array", "worker=worker", 0, RAW | WEB },
	{ "eth-getwork", "eth_getWork", C, CALL, NULL, MINING_GETWORK, HTTP },
	{ "eth-getwork", "eth_submitWork", C, "params:array", NULL, MINING_GETWORK, HTTP },
	{ "eth-getwork", "eth_submitHashrate", C, "params:array", NULL, MINING_GETWORK, HTTP },
	/* work is pushed without a method: seed, header and target, which is small, sometimes the block's number; wallets get lists of
	 * hashes from a node, too (eth_getFilterChanges) */
	{ "eth-proxy", NULL, S, "result[0]~hash & result[1]~hash & result[2]~hash & result[2]^0x00 & !result[3]~hash & !result[4]", NULL,
	  0, RAW | WEB },

	{ "cryptonote", "login", C, LOGIN_RAW, LOGIN_FACTS, 0, RAW },
	{ "cryptonote", "login", C, LOGIN_WEB, LOGIN_FACTS, 0, HTTP | WEB },
	{ "cryptonote", "submit", C, "params.job_id & params.nonce:string & params.result:string", "algo=params.algo" },
	{ "cryptonote", "keepalived", C, "params.id", NULL },
	{ "cryptonote", "getjob", C, "params.id & params.hi.block_id", NULL },
	{ "cryptonote", "getfullscratchpad", C, "params.id", NULL },
	{ "cryptonote", "block_template", C, "params.job_id & params.blob:string", NULL },
	{ "cryptonote", "job", S, "params.blob:string & params.job_id & params.target:string", "algo=params.algo" },
	{ "cryptonote", "job", S, "params.extra_nonce:string & params.pool_wallet:string", "algo=params.algo" },
	{ "cryptonote", NULL, S, "result.job.blob:string & result.job.job_id & result.job.target:string",
	  "algo=result.job.algo" },
	{ "cryptonote", NULL, S, "result.job.extra_nonce:string & result.job.pool_wallet:string", "algo=result.job.algo" },
	{ "cryptonote", NULL, S, "result.blob:string & result.job_id & result.target:string", "algo=result.algo" },
	{ "cryptonote", NULL, S, "result.status=KEEPALIVED", NULL },

	/* its login is Monero's, and so is called cryptonote */
	{ "grin", "getjobtemplate", C, "params:array|params:object|!params", NULL },
	{ "grin", "submit", C, "params.pow[0] & params.job_id|params.height", NULL },
	{ "grin", "job", S, "params.pre_pow:string & params.job_id|params.height", NULL },
	{ "grin", "getjobtemplate", S, "result.pre_pow:string", NULL },

	{ "beam", "login", C, "api_key:string & !params", "payee=api_key" },
	{ "beam", "solution", C, "nonce:string & output:string", NULL },
	{ "beam", "job", S, "input:string & difficulty", NULL },
	{ "beam", "result", S, "code:number & nonceprefix|forkheight", NULL },

	/* Miners in a web page, and solo miners, who have no `method`. `type: auth` alone is everybody's. */
	{ "coinhive", NULL, C, "type=auth & params.site_key:string|"
	  "(params.version:number & params.userID|params.user & !params.token & !params.password)", "method=type payee=params.site_key", 0, WEB },
	{ "coinhive", NULL, C, "type=submit & params.job_id & params.nonce:string & params.result:string", "method=type", 0, WEB },
	{ "coinhive", NULL, S, "type=job & params.job_id & params.blob:string & params.target:string", "method=type", 0, WEB },
	{ "coinhive", NULL, S, "type=authed & params.token & params.hashes:number", "method=type", 0, WEB },
	{ "coinhive", NULL, S, "type=hash_accepted & params.hashes:number", "method=type", 0, WEB },
	{ "webminerpool", NULL, C, "identifier=handshake & (pool:string & login:string)|loginid", "method=identifier payee=login", 0, WEB },
	{ "webminerpool", NULL, C, "identifier=solved & job_id & nonce & hash", "method=identifier", 0, WEB },
	{ "webminerpool", NULL, S, "identifier=job & job_id & blob:string & target:string", "method=identifier algo=algo", 0, WEB },
	{ "webminerpool", NULL, S, "identifier=hashsolved", "method=identifier", 0, WEB },
	{ "dero", NULL, C, "jobid:string & mbl_blob:string", NULL, 0, WEB },
	{ "dero", NULL, S, "jobid:string & blockhashing_blob:string", NULL, 0, WEB },
	{ "xelis", NULL, C, "miner_work:string", NULL, 0, WEB },
	{ "xelis", NULL, S, "new_job.difficulty & new_job.miner_work:string|new_job.template:string", NULL, 0, WEB },

	/* Work asked of a node. Who only asks how the node is ("getmininginfo") asks for none. */
	{ "getwork", "getwork", C, CALL, NULL, MINING_GETWORK, HTTP },
	{ "getblocktemplate", "getblocktemplate", C, CALL "|params:object", "payee=params.wallet_address", MINING_GETWORK, HTTP },
	{ "getblocktemplate", "get_block_template", C, CALL "|params:object", "payee=params.wallet_address", MINING_GETWORK, HTTP },
	{ "getblocktemplate", "submitblock", C, "params:array", NULL, MINING_GETWORK, HTTP },
	{ "getblocktemplate", "submit_block", C, "params:array", NULL, MINING_GETWORK, HTTP },
	{ "p2pool", "get_miner_data", C, CALL "|params:object", NULL, MINING_GETWORK, HTTP },
};

const struct dialect_table dialect_builtin = {
	.rows = dialect_rows,
	.n_rows = sizeof(dialect_rows) / sizeof(dialect_rows[0]),
};

struct dialect_problem dialect_check(const struct dialect_row *row)
{
	struct dialect_problem problem = { .where = "require" };
	struct require_set set;

	set.n = 0;
	problem.text = require_check(&set, row->require, &problem.at);
	if (problem.text)
		return problem;
	problem.where = "capture";
	problem.text = require_check_captures(&set, row->capture, &problem.at);
	return problem;
}
