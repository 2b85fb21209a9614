/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three network namespaces for the self-test: a client, a gateway and a server, joined by two pairs of virtual cables and without any
 * way out. They end with the process that made them. */
#ifndef MINEWALL_PLAYGROUND_H
#define MINEWALL_PLAYGROUND_H

#include <stdint.h>

#define PLAYGROUND_SERVER "198.18.1.2"
#define PLAYGROUND_OUT "g1"	/* the gateway's interface to the server */

enum place { PLACE_CLIENT, PLACE_SERVER, PLACE_GATEWAY, PLACES };

struct playground {
	int ns[PLACES];
};

/* Moves the calling process, of one thread, into the gateway. 0 or -errno. It is not moved back. */
int playground_make(struct playground *p);

/* Sockets made from here on are in that place. 0 or -errno. */
int playground_enter(const struct playground *p, enum place place);

#endif
