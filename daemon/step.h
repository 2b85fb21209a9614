/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One packet on its way through the pipeline: what pipeline.c (flows), segment.c (bytes) and step.c (judging)
 * share, and nobody else sees. */
#ifndef MINEWALL_STEP_H
#define MINEWALL_STEP_H

#include "daemon/lookup.h"
#include "daemon/pipeline.h"
#include "daemon/suspect.h"
#include "inspect/quic.h"
#include "nfq/flow.h"

struct pipeline {
	struct flow_table *flows;
	struct flow *at_hand;	/* of the last packet; NULL: it had none */
	const struct policy *policy;
	struct facts found;	/* of the packet at hand, all messages together */
	struct facts message;	/* of the message at hand */
	struct inspect_scratch scratch;
	pipeline_start *start;
	void *start_arg;
	struct suspects *suspects;
	struct lookups *lookups;
	struct answers *answers;
	struct reach *reach;
	struct score *score;
	uint8_t carry[STREAM_BYTES_MAX / 2];	/* a DNS stream's bytes while it moves on */
	struct quic_keys quic[3];	/* of the flow at hand: its two connections, and a fresh one */
};

/* One packet on its way. */
struct step {
	struct pipeline *p;
	const struct packet *packet;
	struct packet rest;	/* `packet` points here when its first bytes were cut off */
	struct flow *flow;
	struct flow_side *side;
	uint64_t now_ms;
	uint32_t at;		/* offset of the packet's first byte in the side's stream */
	bool wanted;		/* an inspector waits for more */
	bool news;		/* it brought bytes that were not there */
	bool body;		/* the body of a request was judged */
	bool telling;		/* the client asked DNS for a name there that speaks of mining */
	struct outcome out;
};

/* The flow as its client opened it, into the outcome. */
void pipeline_describe(struct outcome *out, const struct flow *f, int64_t when_s);

/* Ways out: the flow is judged clean, or it is blocked. Data in a SYN may block but never clears: the server may ignore it. */
void step_clear(struct step *s, enum reason reason);

/* Takes a judgement back, as something else has begun on the flow: it is looked at as before, whatever the server answers. */
void step_resume(struct step *s);

void step_block(struct step *s, enum reason reason);

/* Reports the flow's first finding, and blocks it if the decision says so. True: the flow is blocked. */
bool step_act(struct step *s, const struct decision *d);

/* Judges the addresses when a flow is first seen. True: there is nothing more to judge. */
bool step_judge_address(struct step *s);

/* Judges one whole message that begins at offset `start`. True: go on with the bytes behind it, at the side's `next`. */
bool step_judge_message(struct step *s, uint32_t start);

/* Bytes that no inspector knows. The first such segment is no decision, since it may belong behind another, or be a
 * keep-alive or a greeting that a server puts up with. True: look again at the side's `next`. */
bool step_judge_unknown(struct step *s, uint32_t start, size_t len);

/* Does a tunnel lead through this flow? */
bool step_tunnelled(const struct flow *f);

/* Stores the payload of a TCP packet and looks at what it completes. */
void segment_take(struct step *s);

/* Before a TCP packet of the opener is looked at: what lies below the flow's start goes. False: nothing of it is left. */
bool start_before(struct step *s, bool fresh, uint64_t now_ms);

/* After it was: is there a doubt about the start that matters? True: the packet began below it, and what is left of it, if
 * start_again says that anything is, must be looked at. */
bool start_after(struct step *s, uint64_t now_ms);
bool start_again(struct step *s);

/* Looks at the payload of a UDP packet. */
void datagram_take(struct step *s);

#endif
