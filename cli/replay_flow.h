/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flows of one capture, and a model of what our kernel rules do with their packets: which state a flow's
 * mark has, and so which packets would be queued. Judges nothing itself; the core's verdicts come in from outside. */
#ifndef MINEWALL_REPLAY_FLOW_H
#define MINEWALL_REPLAY_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "daemon/pipeline.h"
#include "nfq/packet.h"

enum replay_state {
	REPLAY_UNTRACKED,	/* only packets that connection tracking makes no entry for */
	REPLAY_OLDER,		/* picked up in the middle: payload of both directions is queued */
	REPLAY_INSPECTING,	/* begun before our eyes: payload of the original direction is queued */
	REPLAY_PENDING,		/* judged clean, the server has not answered yet: as INSPECTING */
	REPLAY_PASS,		/* nothing is queued */
	REPLAY_BLOCKED,		/* nothing is queued */
};

struct replay_result;

/* One line of output: a 5-tuple from its first packet until a new SYN behind a FIN or RST. */
struct replay_flow {
	struct timeval when;		/* of its first packet */
	int64_t seen_s;			/* of its last one */
	uint8_t family, proto;
	uint8_t src[16], dst[16];	/* src opened it; IPv4 v4-mapped */
	uint16_t sport, dport;
	enum replay_state state;
	bool older;			/* its start was not seen: sets the packets' origin */
	bool syn;			/* a SYN was seen, so src is certain */
	uint32_t opened;		/* sequence number behind its SYN */
	bool closed;			/* FIN or RST seen */
	bool answered;			/* SYN-ACK seen */
	bool started;			/* `start` is what it acknowledged: the opener's first byte */
	uint32_t start;
	bool crossed;			/* both sides sent a SYN: valid only from a SYN-ACK on */
	bool handed;			/* the core knows the flow */
	struct replay_result *result;	/* the caller's: never touched here */
	struct replay_flow *line_next;	/* in the order of first packets */
	struct replay_flow *chain;
};

struct replay_table;

/* What is to be done with a packet. */
struct replay_step {
	struct replay_flow *flow;	/* NULL: no memory */
	bool forget;			/* the 5-tuple means another flow from here on: pipeline_forget(gone) first */
	struct packet gone;		/* its addresses as they were handed on; the rest is empty */
	bool hand;			/* the rules would have queued it; packet->origin is set */
};

/* Grows with the flows; NULL: no memory. */
struct replay_table *replay_table_new(void);
void replay_table_free(struct replay_table *t);

struct replay_step replay_table_see(struct replay_table *t, struct packet *packet, struct timeval when);

/* A packet of which only the ends are known (a fragment, a broken one): it has a line, but changes no state. */
struct replay_step replay_table_glimpse(struct replay_table *t, const struct packet *packet, struct timeval when);

/* The core's verdict on a packet that was handed on. */
void replay_flow_judged(struct replay_flow *f, enum verdict verdict);

/* For traffic without an end: forgets the flows whose last packet came before `before_s`, those that are closed `closed_s` sooner. Each is
 * handed to `gone` first, to be forgotten elsewhere. Returns how many are left. */
size_t replay_table_expire(struct replay_table *t, int64_t before_s, int64_t closed_s, void (*gone)(void *arg, struct replay_flow *f),
			   void *arg);

/* The first line; go on with line_next. */
struct replay_flow *replay_table_first(const struct replay_table *t);
size_t replay_table_count(const struct replay_table *t);

#endif
