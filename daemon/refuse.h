/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers a DNS query that was dropped: REFUSED, in the name of the server that was asked, to nobody but the client that
 * asked. Without it the client tries for seconds. */
#ifndef MINEWALL_REFUSE_H
#define MINEWALL_REFUSE_H

#include <stdint.h>

#include "daemon/pipeline.h"

struct refuse;

/* Opens the raw sockets; `mark`: what our rules know these answers by. -EPERM: no CAP_NET_RAW. */
int refuse_open(struct refuse **r, uint32_t mark);
void refuse_close(struct refuse *r);

/* IP and UDP header, DNS header, the longest question, an OPT record with an extended error. */
#define REFUSE_BYTES_MAX (40 + 8 + 12 + 260 + 17)

/* Writes the answer to the message of `o` (its subject and dns facts) as an IP packet; returns its length, 0 if it has no single
 * question. The question is copied byte by byte, so its case is what the client sent. RFC 1035, 4.1; 6891, 6.1; 8914, 4.16. */
size_t refuse_write(const struct outcome *o, uint8_t out[REFUSE_BYTES_MAX]);

/* Sends it. `interface`: where the client is, for link-local addresses. Thread-safe; 0 or -errno. Without `r` the client
 * waits in vain, as for a drop. */
int refuse_send(struct refuse *r, const struct outcome *o, uint32_t interface);

#endif
