// SPDX-License-Identifier: GPL-2.0-or-later
/* The built-in dialects, as data (PROTOCOLS 1 and 2.1). A row must be false for every look-alike of 1.10; a name
 * that does not decide alone carries its second feature here. */
#include "inspect/inspect.h"

#define C DIALECT_FROM_CLIENT
#define S DIALECT_FROM_SERVER

/* What senders of mining.* put into params; EthereumStratum 2.0 may leave them out. */
#define SHAPE "params:array|params:object|params:string|!params"

static const struct dialect_row dialect_rows[] = {
	/* Iron Fish has SV1's method names, but `body` for `params`; so it stands before them */
	{ "ironfish", "mining.*", C | S, "body:object", "login=body.publicAddress agent=body.agent" },

	{ "ethereum-stratum-2", "mining.hello", C | S, SHAPE, "agent=params.agent" },
	{ "ethereum-stratum-2", "mining.noop", C | S, SHAPE, NULL },
	{ "ethereum-stratum-2", "mining.hashrate", C | S, SHAPE, NULL },
	{ "ethereum-stratum-2", "mining.bye", C | S, SHAPE, NULL },
	{ "ethereum-stratum-2", "mining.set", C | S, SHAPE, "algo=params.algo" },
	{ "ethereum-stratum-2", "mining.reconnect", C | S, SHAPE, NULL },

	{ "zcash", "mining.set_target", S, SHAPE, NULL },

	{ "stratum-v1", "mining.subscribe", C, SHAPE, "agent=params[0]" },
	{ "stratum-v1", "mining.authorize", C, SHAPE, "login=params[0]" },
	{ "stratum-v1", "mining.submit", C, SHAPE, "login=params[0]" },
	{ "stratum-v1", "mining.*", C | S, SHAPE, NULL },
	{ "stratum-v1", NULL, S, "result[0][0][0]^mining.|result[0][1][0]^mining.|result[0][0]^mining.", NULL },

	{ "eth-proxy", "eth_submitLogin", C, "params:array", "login=params[0]" },
	{ "eth-proxy", "eth_getWork", C, "params:array|!params", NULL },
	{ "eth-proxy", "eth_submitWork", C, "params:array", NULL },
	{ "eth-proxy", "eth_submitHashrate", C, "params:array", NULL },
	/* work is pushed without a method: seed, header and target, sometimes the block's number */
	{ "eth-proxy", NULL, S, "result[0]~hash & result[1]~hash & result[2]~hash & !result[4]", NULL },

	/* Verto's login has `passwd` and none of the second features; who adds it to hide still has to send `pass` */
	{ "cryptonote", "login", C,
	  "params.login:string & params.agent:string|params.algo:array|params.algo:string|params.algo-perf:object|"
	  "params.rigid:string|params.mode=self-select|(params.pass & params.login~wallet) & !params.passwd|params.pass",
	  "login=params.login agent=params.agent algo=params.algo algo=params.algo[0]" },
	{ "cryptonote", "submit", C, "params.job_id & params.nonce:string & params.result:string", "algo=params.algo" },
	{ "cryptonote", "keepalived", C, "params.id", NULL },
	{ "cryptonote", "getjob", C, "params.id & params.hi.block_id", NULL },
	{ "cryptonote", "getfullscratchpad", C, "params.id", NULL },
	{ "cryptonote", "job", S, "params.blob:string & params.job_id & params.target:string", "algo=params.algo" },
	{ "cryptonote", "job", S, "params.extra_nonce:string & params.pool_wallet:string", "algo=params.algo" },
	{ "cryptonote", NULL, S, "result.job.blob:string & result.job.job_id & result.job.target:string",
	  "algo=result.job.algo" },
	{ "cryptonote", NULL, S, "result.job.extra_nonce:string & result.job.pool_wallet:string", "algo=result.job.algo" },
	{ "cryptonote", NULL, S, "result.blob:string & result.job_id & result.target:string", "algo=result.algo" },
	{ "cryptonote", NULL, S, "result.status=KEEPALIVED", NULL },

	{ "grin", "getjobtemplate", C, "params:array|params:object|!params", NULL },
	{ "grin", "submit", C, "params.pow[0] & params.job_id|params.height", NULL },
	{ "grin", "job", S, "params.pre_pow:string & params.job_id|params.height", NULL },
	{ "grin", "getjobtemplate", S, "result.pre_pow:string", NULL },

	{ "beam", "login", C, "api_key:string & !params", "login=api_key" },
	{ "beam", "solution", C, "nonce:string & output:string", NULL },
	{ "beam", "job", S, "input:string & difficulty", NULL },
	{ "beam", "result", S, "code:number & nonceprefix|forkheight", NULL },
};

const struct dialect_table dialect_builtin = {
	.rows = dialect_rows,
	.n_rows = sizeof(dialect_rows) / sizeof(dialect_rows[0]),
};
