/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header that load balancers write in front of a stream to say who their client is (HAProxy's PROXY protocol, versions 1
 * and 2). It names nobody; what is behind it counts. */
#ifndef MINEWALL_PROXY_H
#define MINEWALL_PROXY_H

#include "inspect/inspect.h"

#define PROXY_BEGINS(b) ((b) == 'P' || (b) == '\r')

/* MATCH: a whole header; the stream begins behind it. Facts: none. */
enum inspect_result proxy_inspect(const struct inspect_input *in, struct facts *out);

#endif
