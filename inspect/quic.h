/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QUIC's client Initial packets (RFC 9000 17.2, RFC 9001 5, RFC 9369): from a datagram to the pieces of TLS that they carry.
 * Their keys follow from the packet itself, so anybody on the way can read them; nothing behind them can be read, or is. */
#ifndef MINEWALL_QUIC_H
#define MINEWALL_QUIC_H

#include <nettle/aes.h>
#include <nettle/gcm.h>

#include "inspect/cursor.h"

/* Longest connection id of the versions that are read. */
#define QUIC_CID_MAX 20

enum quic_kind {
	QUIC_END,		/* no further packet in this datagram that could be told apart */
	QUIC_INITIAL,		/* `out` is filled: it may be opened */
	QUIC_OTHER,		/* a 0-RTT or Handshake packet: stepped over */
	QUIC_SHORT,		/* the first packet is of the short form: a connection that began elsewhere */
	QUIC_UNREADABLE,	/* QUIC of a version that is not known, or a Retry */
	QUIC_BROKEN,		/* no QUIC: lengths that do not fit, or a first byte that none has */
};

/* A packet as it came, still protected. The views are into the datagram. */
struct quic_packet {
	uint32_t version;
	struct view cid;	/* destination connection id, at most QUIC_CID_MAX bytes */
	struct view all;	/* from its first byte to its tag */
	size_t number_at;	/* offset of the packet number in `all` */
};

/* The next packet of the datagram; versions 1, 2, drafts 22 to 34, Google's Q050, T050 and T051 and Facebook's. Begin with a
 * cursor over the whole payload. Zeros between packets are passed over, as senders fill datagrams up with them. */
enum quic_kind quic_next(struct cursor *datagram, struct quic_packet *out);

/* Keys of a client's Initial packets. Zeroed: none yet. */
struct quic_keys {
	uint32_t version;
	uint8_t cid[QUIC_CID_MAX];
	uint8_t cid_len;
	uint8_t iv[12];
	struct aes128_ctx mask;		/* header protection */
	struct gcm_aes128_ctx seal;
};

/* The keys that follow from the connection id of the client's first packet. False: they were there already; else it cost some
 * microseconds. `version`: one that quic_next gave; `cid`: at most QUIC_CID_MAX bytes. */
bool quic_keys_of(struct quic_keys *keys, uint32_t version, struct view cid);

/* Takes the protection off, the tag checked, into `room` (as many bytes as the packet has, at least). `*number` is the packet
 * number expected next, and becomes the one behind this packet's. False: these are not its keys, or it is broken. */
bool quic_open(struct quic_keys *keys, const struct quic_packet *packet, uint64_t *number, uint8_t *room, size_t size,
	       struct view *frames);

/* Bytes of the TLS stream of this packet number space. */
struct quic_piece {
	uint64_t offset;
	struct view bytes;
};

/* The next CRYPTO frame. False: there is none; frames->error tells whether one was met that an Initial may not have. */
bool quic_crypto(struct cursor *frames, struct quic_piece *out);

/* Does the version carry Google's own handshake (inspect/gquic.h) in its CRYPTO frames, and not TLS? */
bool quic_is_google(uint32_t version);

/* The word of a version for events, as Suricata has it for Google's: "1", "2", "draft-29", "Q046", else hex digits. */
#define QUIC_VERSION_TEXT 12
void quic_version_text(char out[QUIC_VERSION_TEXT], uint32_t version);

#endif
