/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ClientHello of TLS (RFC 8446 4.1.2, RFC 6066 3) over any number of records: its names and versions. It reads
 * what a server would accept (PROTOCOLS 7.2) and does not follow the handshake any further. */
#ifndef MINEWALL_TLS_H
#define MINEWALL_TLS_H

#include "inspect/inspect.h"

/* A hello of SSLv2's form has the top bit set; types of a record besides. */
#define TLS_BEGINS(b) ((b) >= 0x80 || INSPECT_WITHIN(b, 0x14, 0x17))

/* MATCH: the hello is complete (n_names 0: it names nobody), or nothing more comes and its names were already there.
 * A hello that is one of SSLv2's form matches without a name. Records are joined in the scratch where there are several.
 * From a side other than the client, a server's handshake or the record header of a running session (types 20, 21, 23)
 * also is a MATCH, without names: a flow picked up in the middle holds no hello any more and can be cleared at once. */
enum inspect_result tls_inspect(const struct inspect_input *in, struct facts *out);

/* The same without records, as QUIC carries it: `got` is the handshake from its first byte. MORE: the hello is not whole
 * yet; NO: it is none. Fills all but app and consumed; the names are of this kind. */
enum inspect_result tls_handshake(struct view got, enum name_kind kind, struct facts *out);

#endif
