/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of one direction of a flow in, facts out. The inspectors are pure: they allocate nothing, print
 * nothing, read no clock and keep no state; the caller shows them the stream's prefix again when it has grown. */
#ifndef MINEWALL_INSPECT_H
#define MINEWALL_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an inspector says of the bytes it was shown. */
enum inspect_result {
	INSPECT_NO,	/* not this protocol, whatever follows */
	INSPECT_MATCH,	/* this protocol, and the facts are complete */
	INSPECT_MORE,	/* may be this protocol; show it again when there are more bytes */
	INSPECT_BAD,	/* this protocol, but broken in a way that no server accepts */
};

enum app {
	APP_UNKNOWN,
	APP_TLS,
	APP_QUIC,
	APP_HTTP,
	APP_DNS,
	APP_STRATUM,
	APP_SOCKS,	/* only until what is inside the tunnel is known */
	APP_PROXY,	/* a PROXY header, likewise */
	/* What only follows behind a request of HTTP/1: the flow stays an HTTP one. */
	APP_HTTP_BODY,
	APP_WEBSOCKET,
	APP_HTTP2,	/* in the clear: from its preface on */
};

enum name_kind {
	NAME_TLS_SNI,
	NAME_QUIC_SNI,
	NAME_HTTP_HOST,
	NAME_CONNECT,
	NAME_SOCKS,
	NAME_DNS,
};

/* Which side of the flow the bytes come from. UNSURE: picked up in the middle, so either may be the client. */
enum side {
	SIDE_CLIENT,
	SIDE_SERVER,
	SIDE_UNSURE,
};

/* A view into bytes owned by the caller (the stream or the scratch); never NUL-terminated. */
struct view {
	const uint8_t *p;
	size_t len;
};

/* One name, exactly as sent: case, port and odd bytes included. `matchable` is false where the bytes can
 * be no host name (IP literal, empty, NUL or other bytes outside a host name): listed, never matched by name. */
struct name_fact {
	enum name_kind kind;
	bool matchable;
	struct view text;
	/* the host alone: no port, brackets, user info or one trailing dot; case as sent. Empty where not matchable. */
	struct view host;
	/* CONNECT and SOCKS to an IP literal (never matchable): where the tunnel leads. IPv4 is v4-mapped; port 0: none said. */
	bool addressed;
	uint8_t addr[16];
	uint16_t port;		/* host order */
};

/* Enough for 16 pipelined HTTP heads that each carry two names. */
#define FACTS_NAMES_MAX 32

/* What a dialect row is evidence of. Each kind is a key of the policy's `detect`. */
enum mining_kind {
	MINING_STRATUM,		/* a miner and its pool */
	MINING_GETWORK,		/* work asked of a node over HTTP: solo miners, and some who only run a node */
	MINING_NODE,		/* a node of a coin's network among its peers: no mining by itself */
};

/* What carries a message of JSON. */
enum carrier {
	CARRIER_STREAM,		/* a TCP stream, perhaps behind a proxy's prelude */
	CARRIER_HTTP,		/* a request: its head or its body */
	CARRIER_WEBSOCKET,	/* a message of a WebSocket */
};

/* Stratum and its relatives, from one message. All views may be empty. */
struct stratum_facts {
	enum mining_kind kind;
	enum carrier carrier;
	const char *dialect;	/* static string of the dialect table */
	unsigned sides;		/* who may say this: DIALECT_FROM_CLIENT | DIALECT_FROM_SERVER */
	struct view method;
	struct view agent;
	struct view algo;
	struct view login;	/* wallet or user name alone, without worker and difficulty: hash it, never store it */
	struct view worker;	/* the machine's name among those of one login; never what may be a wallet */
};

/* Records that one DNS message brings for its question. More are cut, which costs only what they would teach. */
#define FACTS_ANSWERS_MAX 32

/* One address record: what the question's name, through its aliases, stands for. IPv4 is v4-mapped. */
struct dns_answer {
	uint8_t addr[16];
	uint32_t ttl_s;
};

/* Of one DNS message. The question's name and the names of its alias chain are in facts.names, in this order. */
struct dns_facts {
	bool response;
	uint16_t id;
	uint16_t type;		/* of the question */
	uint8_t rcode;
	bool recursion;		/* wanted by the client */
	bool edns;		/* it has an OPT record (RFC 6891) */
	struct view question;	/* the question section as sent, if it holds one question; else empty */
	unsigned n_answers;
	struct dns_answer answers[FACTS_ANSWERS_MAX];
};

/* What each message writes stands in the first cache lines, the arrays behind. */
struct facts {
	enum app app;
	unsigned n_names;
	bool names_lost;		/* there were more than FACTS_NAMES_MAX */
	bool tls_ech;			/* outer ClientHello carried an ECH extension (often GREASE) */
	bool tls_alpn;			/* it carried an ALPN extension */
	bool mining;			/* protocol evidence: `stratum` is filled; else it is empty */
	bool tunnelled;			/* the caller's word: it stands behind a CONNECT or SOCKS prelude */
	uint16_t tls_version;		/* highest that the client offers, 0x0304 = TLS 1.3; 0 unless TLS */
	uint32_t quic_version;		/* of APP_QUIC only */
	/* Where `again` is set the caller goes on inspecting behind `consumed`. */
	enum {
		AGAIN_NO,	/* nothing more to learn from this direction */
		AGAIN_SAME,	/* the same protocol goes on behind `consumed` (HTTP keep-alive, next request head) */
		AGAIN_FRESH,	/* a tunnel starts behind `consumed`: inspect from scratch (CONNECT, SOCKS) */
		AGAIN_AS,	/* only the protocol `next` may follow behind `consumed` */
		AGAIN_WHOLE,	/* the protocol `next` goes on, and has to see this message's start again */
	} again;
	enum app next;
	size_t consumed;		/* bytes of this message */
	struct view tls_hello;		/* the ClientHello with its handshake header: what ja4_text reads */
	struct dns_facts dns;		/* of APP_DNS only */
	struct name_fact names[FACTS_NAMES_MAX];
	struct stratum_facts stratum;
};

/* One method of a Stratum dialect. Data, so that a new dialect is a row and no code. */
struct dialect_row {
	const char *dialect;		/* "stratum-v1", "cryptonote", "eth-proxy" ... */
	/* exact name; one that ends in ".*" is a prefix ("mining.*"); NULL: none needed */
	const char *method;
	unsigned sides;			/* DIALECT_FROM_CLIENT | DIALECT_FROM_SERVER */
	const char *require;		/* NULL, or what else must be there: see stratum.h for the little language */
	const char *capture;		/* NULL, or where the facts stand: "agent=params[0]", see stratum.h */
	enum mining_kind kind;		/* 0: MINING_STRATUM */
	unsigned carriers;		/* where it may stand: bits (1 << enum carrier); 0: everywhere */
};
#define DIALECT_FROM_CLIENT 1u
#define DIALECT_FROM_SERVER 2u

struct dialect_code;	/* what the rows ask for, compiled (code.h) */

struct dialect_table {
	const struct dialect_row *rows;
	size_t n_rows;
	const struct dialect_code *code;	/* of dialect_compile; NULL: rows are parsed for each message that they are asked about */
};

/* The table that is built in. */
extern const struct dialect_table dialect_builtin;

/* Rows of one table, the policy's own ones included. More are not looked at. */
#define DIALECT_ROWS_MAX 256

struct dialect_problem {
	const char *text;		/* static: what is wrong; NULL: nothing */
	const char *where;		/* "require" or "capture" */
	size_t at;			/* which byte of it */
};

/* Compiles all rows into `memory`, which holds pointers to them and to itself, and is for `code`. Returns the bytes that it takes at
 * most; if `room` is less, nothing is written. 0: the table asks for too much and goes on without. */
size_t dialect_compile(const struct dialect_table *table, void *memory, size_t room);

/* Is the row well formed? For rows that do not come with the program. */
struct dialect_problem dialect_check(const struct dialect_row *row);

/* Longest client prefix that is ever looked at, in bytes (PROTOCOLS 1.11: XMRig sends no more than 16,384 at a time). */
#define INSPECT_BYTES_MAX 16384

/* Memory of one call beside that: zlib's state and 32 KiB window (RFC 7692), or a HPACK table and two joined messages. */
#define INSPECT_ARENA_MAX 49152

/* Room lent for joined TLS records, unescaped JSON and addresses as text; facts may point into it. `used` is 0 before a
 * stream's first message; left alone for the next ones it keeps the facts of all of them. What is in `arena` lasts for
 * one call, so no fact points there. */
struct inspect_scratch {
	uint8_t bytes[INSPECT_BYTES_MAX];
	size_t used;
	_Alignas(16) uint8_t arena[INSPECT_ARENA_MAX];
	size_t unpacked;	/* grows by what was inflated or decoded: what a look costs beside the bytes that it is shown */
};

struct inspect_input {
	const uint8_t *p;		/* the stream from its start, or from where the last message said `again` */
	size_t len;
	enum side side;
	uint16_t port;			/* of the server, 0: not known; never evidence, but says how long to wait for it */
	bool ended;			/* no byte will follow (FIN seen, or budget spent) */
	enum app only;			/* APP_UNKNOWN: any protocol; else just this one (AGAIN_SAME, AGAIN_AS) */
	enum carrier carrier;
	const struct dialect_table *dialects;
	struct inspect_scratch *scratch;
	unsigned seen;			/* AGAIN_WHOLE: messages that were given already of those that begin here */
};

/* A protocol. Adding one is one file pair, one row in inspect.c and one corpus folder. Its header has, beside the function, what a
 * stream of it may begin with: PROTOCOL_BEGINS(byte). Shown to any inspector alone, a stream that begins otherwise gives NO. */
struct inspector {
	const char *name;
	enum app app;
	enum inspect_result (*inspect)(const struct inspect_input *in, struct facts *out);
};

#define INSPECT_WITHIN(byte, from, to) ((byte) >= (from) && (byte) <= (to))

/* Makes the facts of no message out of any. */
void inspect_reset(struct facts *out);

/* Shows the bytes to every inspector of a TCP stream. MATCH: `out` is filled by the one that matched; otherwise it is
 * empty, and the scratch as it was. MORE: at least one wants more bytes. BAD: one recognised its protocol broken. NO: nobody knows these bytes,
 * whatever follows. From INSPECT_BYTES_MAX bytes on the stream counts as ended; it may be shown with any length. */
enum inspect_result inspect_stream(const struct inspect_input *in, struct facts *out);

/* The word of EVE's app_proto for it: "tls", "http", "stratum", "unknown" ... */
const char *app_text(enum app app);

/* The word of the replay contract for it: "tls_sni", "http_host", "connect" ... */
const char *name_kind_text(enum name_kind kind);

#endif
