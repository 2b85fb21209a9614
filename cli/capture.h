/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A capture file or a mirror port as a row of whole IP packets: libpcap reads them, the link layer is taken off and
 * fragments are put together. Prints nothing; errors are one line of text for the caller. */
#ifndef MINEWALL_CAPTURE_H
#define MINEWALL_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#include "nfq/packet.h"

struct capture;

enum capture_result {
	CAPTURE_PACKET,		/* `packet` is filled */
	CAPTURE_END,
	CAPTURE_NOTHING,	/* cannot be read at all: no such file, no capture, unknown link type */
	CAPTURE_BROKEN,		/* cut or damaged: what came before is good */
	CAPTURE_NO_MEMORY,
	CAPTURE_IDLE,		/* live only: nothing came for a moment, or a signal did */
};

struct capture_packet {
	bool ends_only;		/* a first fragment or a broken packet: shows a flow, but nothing that a rule would queue */
	struct packet packet;	/* origin is not filled; payload is valid until the next call */
	struct timeval when;	/* as captured */
	uint64_t now_ms;	/* the same, but never going back */
};

/* Opens `path`; "-" is standard input. On CAPTURE_PACKET (it can be read) *out is the caller's to close; else
 * `error` holds why, without the path. */
enum capture_result capture_open(const char *path, struct capture **out, char error[256]);

/* Listens at an interface instead (promiscuous, sends nothing). CAPTURE_NOTHING: `error` says why. */
enum capture_result capture_live(const char *interface, struct capture **out, char error[256]);

/* Packets that the kernel had no room for since capture_live. */
uint64_t capture_lost(struct capture *c);

/* The next TCP or UDP packet; all else is passed over. Checksums are verified. */
enum capture_result capture_next(struct capture *c, struct capture_packet *out);

/* Back to the first packet, for a second pass. */
enum capture_result capture_rewind(struct capture *c);

/* Why the last call said BROKEN. */
const char *capture_error(const struct capture *c);

void capture_close(struct capture *c);

#endif
