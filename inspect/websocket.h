/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of a WebSocket (RFC 6455, with permessage-deflate of RFC 7692): each message of JSON is shown to the Stratum
 * inspector. It joins fragments, unmasks and inflates within fixed memory, and soon leaves a harmless WebSocket alone. */
#ifndef MINEWALL_WEBSOCKET_H
#define MINEWALL_WEBSOCKET_H

#include "inspect/inspect.h"

/* Picked up in the middle, with a whole text or binary message. */
#define WEBSOCKET_BEGINS(b) (((b) & 0x8f) == 0x81 || ((b) & 0x8f) == 0x82)

/* Shown what stands behind an Upgrade, always from its start, or any bytes of a stream picked up in the middle. MATCH: a
 * message is mining, or enough were seen that are not (without facts, AGAIN_NO). NO: these are no frames. */
enum inspect_result websocket_inspect(const struct inspect_input *in, struct facts *out);

#endif
