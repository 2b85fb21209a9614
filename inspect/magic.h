/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mining that speaks no JSON, and the coins' node protocols: known by exact bytes at the start of a stream, as rows
 * of data. What would only be likely is not in here. */
#ifndef MINEWALL_MAGIC_H
#define MINEWALL_MAGIC_H

#include "inspect/inspect.h"

/* The first bytes of its rows. */
#define MAGIC_BEGINS(b) ((b) < 2 || (b) == '\n' || (b) == 0x0b || (b) == 'F' || (b) == 'p' || (b) == 0xf9 || (b) == 0xfa || (b) == 0xff)

/* MATCH: the facts name the dialect and its kind. After a node's or solo miner's start, Stratum is still looked for
 * behind it. Never BAD. */
enum inspect_result magic_inspect(const struct inspect_input *in, struct facts *out);

#endif
