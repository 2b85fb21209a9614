/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flows of one worker in a table of fixed size: keyed hash, least recently used flow gives way. A flow
 * is a place to remember; what to think of it is the pipeline's business. */
#ifndef MINEWALL_FLOW_H
#define MINEWALL_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "inspect/inspect.h"
#include "nfq/stream.h"

/* A flow in conntrack's original direction. All bytes count in the hash, so zero it first. */
struct flow_key {
	uint8_t src[16], dst[16];	/* IPv4 v4-mapped */
	uint16_t sport, dport;
	uint8_t family, proto;
	uint8_t zero[2];
};

enum flow_state {
	FLOW_INSPECTING,
	FLOW_CLEARED,		/* judged clean; the server has not answered yet */
	FLOW_EXEMPT,		/* an allow rule won: nothing is looked at again */
	FLOW_BLOCKED,
};

/* A QUIC connection of a flow: the client's first connection id, from which its keys follow. */
struct flow_quic {
	uint64_t number;	/* packet number expected next */
	uint32_t version;	/* 0: no connection */
	uint8_t cid[20];
	uint8_t cid_len;
	bool whole;		/* its hello was judged */
	bool trusted;		/* what is there of it came with right checksums */
};

/* What the pipeline remembers of one stream of bytes: of TCP, or of the TLS inside a QUIC connection. */
struct flow_side {
	struct stream stream;
	uint32_t next;		/* offset where the next message starts */
	uint32_t told;		/* names of messages that start below this offset were given already */
	union {
		struct {
			uint32_t taken;		/* payload bytes seen, retransmissions left out */
			uint32_t afresh;	/* offset of a segment that may be the true start, if `reading_afresh` */
			uint32_t shown, shown_at;	/* what the inspectors saw last: bytes, from this offset on */
			uint32_t end_seq;	/* sequence number behind the last byte that came in order */
			uint16_t segments;
		};
		struct flow_quic quic;	/* UDP */
	};
	uint8_t heads;		/* messages read: HTTP request heads, tunnel preludes */
	uint8_t tunnels;	/* tunnels entered: how deep `next` stands */
	uint8_t seen;		/* messages judged of those that begin at `next` (AGAIN_WHOLE) */
	enum app only : 8;	/* just this protocol may follow (AGAIN_SAME), or Stratum behind unknown bytes */
	bool done;		/* nothing more to learn here */
	bool reading_afresh;
};

/* Places remembered, and for how long: well below the time after which a port is used again. */
#define FLOW_GIVEN_UP 8
#define FLOW_GIVEN_UP_MS 30000

/* A new flow touches the first three cache lines, one that is looked up or gives way the first. What stands behind is not cleared
 * before it is used: see flow_second. */
struct flow {
	_Alignas(64) struct flow_key key;
	uint32_t hash, lru_newer, lru_older;
	enum flow_state state : 8;
	enum app app : 8;
	bool reported;		/* its event was given: one a connection */
	bool older;
	uint64_t seen_ms;
	uint64_t names;		/* the last name noted; see flow_note_name */
	const char *interface;	/* it came in by, or NULL */
	bool ruled;		/* a name or a protocol of it was judged, and with it every rule */
	bool turned;		/* an older one whose opener is the key's other end */
	bool silent;		/* blocked without a reset: each of its packets is dropped here */
	bool two;		/* side[1] is in use */
	bool start_known;
	uint8_t start_asked;
	bool mac_known;
	uint8_t recent;		/* ordinary flow: the place used last */
	uint8_t mac[6];		/* the client's */
	uint16_t watch;		/* not 0: its place among the flows watched, see daemon/suspect.h */
	uint32_t heard;		/* acknowledgment number of its first packet: more than that is an answer */
	uint32_t work;		/* bytes shown to the inspectors, each time counted; UDP: keys that had to be worked out */
	uint32_t syn_len;	/* data that came with its SYN */
	uint8_t n_given_up;	/* wraps, which only forgets */
	uint8_t held;		/* UDP: datagrams that told nothing while more were waited for */
	/* An ordinary flow: two places for the opener's bytes, since a segment far from the first ones may be a decoy or
	 * may be the truth. An older flow: one for each direction. UDP: two connections of QUIC. */
	struct flow_side side[2];
	uint32_t given_up[FLOW_GIVEN_UP];	/* where places began that gave way to a third one; UDP: hashes of their ids */
	uint64_t given_up_ms;	/* when the last of them did; UDP: since when `work` and they count */
	uint32_t start;		/* sequence number of the opener's first byte, if start_known */
	uint32_t syn_seq;	/* of the SYN's data, if there is any */
};

/* What is cleared of a new flow. */
#define FLOW_HEAD offsetof(struct flow, side[1])

_Static_assert(FLOW_HEAD <= 192 && sizeof(struct flow) == 320, "three cache lines, and five in all");

/* side[1], for use; with it `given_up` may be used. What stands behind these is told by `start_known` and `syn_len`, and may be there. */
static inline struct flow_side *flow_second(struct flow *f)
{
	if (!f->two)
		memset(&f->side[1], 0, offsetof(struct flow, start) - FLOW_HEAD);
	f->two = true;
	return &f->side[1];
}

/* Payload bytes of a TCP flow. */
static inline uint32_t flow_taken(const struct flow *f)
{
	return f->side[0].taken + (f->two ? f->side[1].taken : 0);
}

struct flow_table;

/* `n` flows and `reassembly` bytes for their streams; `key` is the secret of the hash. NULL: no memory. */
struct flow_table *flow_table_new(uint32_t n, uint64_t reassembly, const uint64_t key[2]);
void flow_table_free(struct flow_table *t);

struct stream_pool *flow_streams(struct flow_table *t);

/* Idle time after which a flow is a new one, in ms. A blocked flow is kept longer, because a first UDP packet or a
 * closed TCP entry loses its mark and the kernel asks again. */
#define FLOW_IDLE_MS (10u * 60 * 1000)
#define FLOW_BLOCKED_MS (15u * 60 * 1000)

/* The hash of `key`, never 0. Asks for what stands at it: the earlier it is called, the less flow_get waits for memory. */
uint32_t flow_expect(const struct flow_table *t, const struct flow_key *key);

/* The flow of `key` with its `hash`, made if it is not there (`*fresh` says so); a full table gives up its least recently used flow. */
struct flow *flow_get(struct flow_table *t, const struct flow_key *key, uint32_t hash, uint64_t now_ms, bool *fresh);

/* The flow of `key` or NULL; does not touch its age. */
struct flow *flow_find(struct flow_table *t, const struct flow_key *key);

void flow_drop(struct flow_table *t, struct flow *f);

/* Forgets the bytes of both sides. */
void flow_clear_streams(struct flow_table *t, struct flow *f);

/* The same, as if their memory were taken for newer ones: what was judged stays judged. */
void flow_lose_streams(struct flow_table *t, struct flow *f);

/* Remembers a name of the flow for a policy that comes later. Names of all flows share a ring of fixed size: the oldest are
 * forgotten first. Longer ones than 255 bytes are left out. */
void flow_note_name(struct flow_table *t, struct flow *f, uint8_t kind, const uint8_t *name, size_t len);

/* The name noted at `*position` (begin with f->names) into `out` (255 bytes); `*position` moves to the one noted before. 0: no
 * more, or forgotten. */
size_t flow_name(const struct flow_table *t, uint64_t *position, uint8_t *kind, uint8_t *out);

/* Memory is short that the next flows would be the first to touch: another thread, one at a time, is to call flow_fetch_memory. Says it
 * once. */
bool flow_wants_memory(struct flow_table *t);
void flow_fetch_memory(struct flow_table *t);

/* The flow in slot `i`, or NULL if it is free; slots count from 0 to flow_slots() - 1. */
struct flow *flow_at(struct flow_table *t, uint32_t i);
uint32_t flow_slots(const struct flow_table *t);

/* Flows in the table. */
uint32_t flow_count(const struct flow_table *t);

#endif
