/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/1.x request heads (RFC 9112): every name in them, and what the connection does next. It reads leniently what some
 * server would accept (PROTOCOLS 8), and never looks into a body. */
#ifndef MINEWALL_HTTP_H
#define MINEWALL_HTTP_H

#include "inspect/inspect.h"

/* MATCH: a request head is complete (`consumed` bytes with its blank line; `again` says what follows), or nothing more
 * comes and it held a name already. A response head is a MATCH without names, from the server or an unsure side only. */
enum inspect_result http_inspect(const struct inspect_input *in, struct facts *out);

#endif
