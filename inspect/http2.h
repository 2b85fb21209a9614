/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/2 in the clear (RFC 9113), with prior knowledge or behind an Upgrade: each request's names, and JSON in its data. Only
 * the client's direction is read, and no stream's state is kept. */
#ifndef MINEWALL_HTTP2_H
#define MINEWALL_HTTP2_H

#include "inspect/inspect.h"

#define HTTP2_BEGINS(b) ((b) == 'P')

/* Shown always from the preface on, since all header blocks share one table. MATCH: one more request than `in->seen` is there
 * (AGAIN_WHOLE), or nothing more can be read. */
enum inspect_result http2_inspect(const struct inspect_input *in, struct facts *out);

#endif
