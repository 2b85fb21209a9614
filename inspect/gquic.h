/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client's hello (CHLO) of Google's QUIC before it used TLS: versions Q024 to Q046 send it in clear, Q050 in CRYPTO frames. It
 * reads the name asked for and nothing else; no current client speaks it. */
#ifndef MINEWALL_GQUIC_H
#define MINEWALL_GQUIC_H

#include "inspect/inspect.h"

/* A datagram. MATCH: it holds a whole CHLO, `out` is filled (no name: it names nobody). MORE: it is of such a version, but
 * holds none. NO: it is something else. */
enum inspect_result gquic_datagram(struct view datagram, struct facts *out);

/* The message itself, which may have arrived in part: MORE. */
enum inspect_result gquic_hello(struct view message, struct facts *out);

#endif
