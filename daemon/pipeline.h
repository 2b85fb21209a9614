/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core: one packet in, one outcome by value. Performs nothing: no clock, no file, no netlink, so the
 * daemon, `minewall replay`, the unit tests and the fuzzers run the very same code. */
#ifndef MINEWALL_PIPELINE_H
#define MINEWALL_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/inspect.h"
#include "nfq/packet.h"
#include "policy/policy.h"

struct answers;
struct reach;
struct score;

struct pipeline;	/* flow table, reassembly memory, co-tenancy memory of one worker */

enum verdict {
	VERDICT_ACCEPT,		/* let it pass, the flow's state stays (no decision yet) */
	VERDICT_RESUME,		/* let it pass, the flow is undecided again: an answer of the server no longer ends queueing */
	VERDICT_CLEAR,		/* let it pass, the flow becomes PENDING: the server's first payload ends queueing */
	VERDICT_PASS,		/* let it pass, the flow becomes PASS: nothing more of it is queued */
	VERDICT_BLOCK,		/* the flow becomes BLOCKED: drop this packet, reset both sides */
	VERDICT_DROP,		/* drop this packet only, the flow goes on: one DNS message of many, or a flow that ends in silence */
};

/* Why a flow ended without a name or a protocol that decides. */
enum reason {
	REASON_NONE,
	REASON_CLEAN,		/* judged by its name or protocol, nothing against it */
	REASON_EXEMPT,		/* an allow rule */
	REASON_NO_SNI,
	REASON_ECH,
	REASON_UNKNOWN,		/* no inspector knows these bytes */
	REASON_BUDGET,		/* 16 KiB without a decision */
	REASON_MALFORMED,
	REASON_CONTRADICTION,	/* a retransmission that differs from what was seen: dropped */
	REASON_OLDER,		/* older than the daemon, nothing found */
	REASON_DEPTH,		/* more tunnels inside each other than are entered */
	REASON_QUIC,		/* QUIC that could not be read: another version, or its start was not seen */
	REASON_COUNT,
};

struct outcome {
	enum verdict verdict;
	enum reason reason;		/* set when the flow leaves inspection, else REASON_NONE */
	bool event;			/* a new finding (block or monitor) that must be written */
	bool older;			/* the flow was older than the daemon */
	bool overload;			/* its earlier bytes had been given up for newer flows */
	enum app app;			/* best known protocol of the flow */
	/* The flow as its client opened it. `turned`: connection tracking has it the other way round, as it picked the flow up in
	 * the middle, on a packet of the server. */
	struct subject subject;
	bool turned;
	uint8_t family;
	struct decision decision;	/* of the event; action NONE otherwise */
	uint32_t repeats;		/* findings like this one since the last event about it */
	bool refuse;			/* with VERDICT_DROP: the client gets a DNS answer that says REFUSED */
	/* Addresses that a DNS answer gave for a name which nothing speaks against: valid until the next call. */
	const struct dns_answer *harmless;
	unsigned n_harmless;
	/* The same of an answer to a device in quarantine, for a name that it may reach. */
	const struct dns_answer *opened;
	unsigned n_opened;
	unsigned marks;			/* of evidence SCORE: see daemon/watch.h */
	/* All that this packet completed: names in order, Stratum. Views are valid until the next call. Never NULL. */
	const struct facts *facts;
};

/* Where the opener's bytes of this packet's TCP flow begin, as its server acknowledged the SYN. False: not known. Asked only where
 * bytes below the start would make a difference, since each answer costs more than a look at a packet. */
typedef bool pipeline_start(void *arg, const struct packet *packet, uint32_t *start);

struct pipeline_config {
	uint32_t flows;			/* slots of the flow table */
	uint64_t reassembly;		/* bytes */
	uint64_t key[2];		/* secret of the hash */
	pipeline_start *start;		/* NULL: nobody knows */
	void *start_arg;
	struct answers *answers;	/* shared in the same way; NULL: nothing is learnt from DNS answers */
	struct reach *reach;		/* the same; NULL: no device is in quarantine */
	struct score *score;		/* shared by the workers, must outlive the pipeline; NULL: nothing is watched */
};

/* NULL: no memory. Everything is allocated here, nothing per packet. */
struct pipeline *pipeline_new(const struct pipeline_config *config);
void pipeline_free(struct pipeline *p);

/* `policy` must outlive its use; may be called between packets (reload). */
void pipeline_policy(struct pipeline *p, const struct policy *policy);

/* Tells of a packet that pipeline_packet is asked about soon: what it needs of memory is fetched meanwhile. Not needed. */
void pipeline_expect(const struct pipeline *p, struct packet *packet);

/* Judges one packet that the kernel rules queued. `now_ms`: any monotonic clock (a capture's time in replay). */
struct outcome pipeline_packet(struct pipeline *p, const struct packet *packet, uint64_t now_ms);

/* After pipeline_policy, or when a rule's hours begin or end (`when_s`, of the epoch): judges flows that were accepted by the policy before, `n` slots of the table from `*cursor` on. True: `out` tells
 * of a flow that is blocked now; ask again. False: these slots are done; `*cursor` is 0 again when all are. */
bool pipeline_rejudge(struct pipeline *p, uint32_t *cursor, uint32_t n, uint64_t now_ms, int64_t when_s,
		      struct outcome *out);

/* Forgets a flow (replay: its 5-tuple is used again). */
void pipeline_forget(struct pipeline *p, const struct packet *packet);

/* Overwrites what the finding at hand was read from: its stream, and what was unpacked of it. No fact holds any more. */
void pipeline_wipe(struct pipeline *p);

/* As flow_wants_memory and flow_fetch_memory (nfq/flow.h). */
bool pipeline_wants_memory(struct pipeline *p);
void pipeline_fetch_memory(struct pipeline *p);

/* Flows remembered now. */
uint32_t pipeline_flows(const struct pipeline *p);

const char *reason_text(enum reason r);

#endif
