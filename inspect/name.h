/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a name as it was sent to the host name that can be matched (PROTOCOLS 7.3 and 8.3). It judges the bytes
 * only, and never resolves, lower-cases or drops a name. */
#ifndef MINEWALL_NAME_H
#define MINEWALL_NAME_H

#include "inspect/inspect.h"

/* Appends a bare name (SNI). `text` must live as long as the facts. */
void name_add_host(struct facts *out, enum name_kind kind, struct view text);

/* Appends an authority (RFC 3986, 3.2): user info, brackets and port are taken off for `host`. With
 * NAME_CONNECT an IP literal is read, too. */
void name_add_authority(struct facts *out, enum name_kind kind, struct view text);

/* Appends the target of a tunnel as SOCKS has it: a host without a port in its text. */
void name_add_target(struct facts *out, enum name_kind kind, struct view text, uint16_t port);

#endif
