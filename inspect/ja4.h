/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JA4, the fingerprint of a TLS client, after FoxIO's public description of it (the BSD-licensed part). It is for those who
 * read events: computed when one is written, never for a flow that is only judged. */
#ifndef MINEWALL_JA4_H
#define MINEWALL_JA4_H

#include "inspect/inspect.h"

#define JA4_TEXT 37

/* `hello`: facts.tls_hello; `quic`: it came in QUIC. An empty text if it is broken or has more suites or extensions than any
 * client. Returns its length. */
size_t ja4_text(char out[JA4_TEXT], struct view hello, bool quic);

#endif
