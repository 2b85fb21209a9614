/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an encrypted flow gives away by its lengths: only the client's packets are seen, and their acknowledgment numbers tell
 * how many bytes the server sent in between (PROTOCOLS 1.9, 5.3). Counts and compares; weighs nothing. */
#ifndef MINEWALL_WATCH_H
#define MINEWALL_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "nfq/packet.h"

/* Signs of mining that prove nothing alone, as bits (1 << mark). What each weighs stands in score.c. */
enum mark {
	MARK_NO_SNI,		/* a ClientHello without a server name */
	MARK_NO_ALPN,		/* and without ALPN */
	MARK_FINGERPRINT,	/* it has the JA4 of XMRig's usual builds */
	MARK_PORT,		/* a port that pools like */
	MARK_LEARNT_NAME,	/* the client asked DNS for a name there that speaks of mining */
	MARK_RHYTHM,		/* connections to one endpoint at equal intervals */
	MARK_LOGIN,		/* the first message has the size of a login, and so has the answer */
	MARK_SUBMITS,		/* messages of one constant length */
	MARK_ACKS,		/* each answered by one constant length */
	MARK_PUSHES,		/* constant lengths that nobody asked for come in between */
	MARK_NOISE,		/* 64 bytes answered by 234: Stratum V2's handshake */
	MARK_SETUP,		/* then SetupConnection, answered by 44 */
	MARK_TELLTALE,		/* the host asked for a name that only a miner asks for */
	MARK_COUNT,
};

/* Messages remembered of one flow: several of the 15 to 60 seconds that lie between two submits. */
#define WATCH_MESSAGES 16

struct watch {
	enum { WATCH_TLS, WATCH_NOISE } kind;
	uint32_t seq;		/* next byte expected from the client */
	uint32_t ack;		/* server's bytes acknowledged when the last message began */
	uint64_t began_ms;
	uint32_t bytes;		/* of the client since then */
	/* WATCH_TLS: the record at hand, and the data records */
	uint8_t header[5], header_len;
	uint16_t left;
	bool finished;		/* TLS 1.3's Finished, which looks like data, has passed */
	uint8_t n;
	uint16_t len[WATCH_MESSAGES];	/* of each record's body */
	uint32_t answer[WATCH_MESSAGES];	/* server's bytes between this message and the next */
	/* WATCH_NOISE */
	uint8_t acts;		/* messages of the server so far */
	uint32_t said;		/* client's bytes since the last of them */
};

/* Begins behind a ClientHello that ends before sequence number `seq`; `first`: the packet that completed it. */
void watch_tls(struct watch *w, const struct packet *first, uint32_t seq, uint64_t now_ms);

/* Begins with a stream's first packet. False: these bytes do not look like the start of a Noise handshake. */
bool watch_noise(struct watch *w, const struct packet *first, uint64_t now_ms);

/* The client's next packet with payload. The marks that the flow shows now. `*over`: there is nothing more to be learnt. */
unsigned watch_packet(struct watch *w, const struct packet *packet, uint64_t now_ms, bool *over);

#endif
