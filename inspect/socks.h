/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client's side of a SOCKS prelude: whom it asks the proxy for (PROTOCOLS 3.5). What follows is not SOCKS and is
 * never looked at here. */
#ifndef MINEWALL_SOCKS_H
#define MINEWALL_SOCKS_H

#include "inspect/inspect.h"

#define SOCKS_BEGINS(b) ((b) == 4 || (b) == 5)

/* MATCH: the request of SOCKS 5 (RFC 1928; sign-on none or RFC 1929), 4 or 4a (Y. Lee's memos) for a connection is whole; its
 * target is the one name, again is AGAIN_FRESH. The server's answers stand in the other direction, so greeting, sign-on
 * and request follow each other here. Other commands and sign-ons (BIND, UDP, GSSAPI) are NO. */
enum inspect_result socks_inspect(const struct inspect_input *in, struct facts *out);

#endif
