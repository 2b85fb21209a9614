/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS messages (RFC 1035): what is asked for, and what an answer says that the name stands for. Strictly bounded; it
 * resolves nothing and believes nothing that does not belong to the message's own question. */
#ifndef MINEWALL_DNS_H
#define MINEWALL_DNS_H

#include "inspect/inspect.h"

/* Any bytes may be a message's length, so elsewhere than on this port unknown protocols must not wait for DNS. */
#define DNS_BEGINS(b) 1
#define DNS_PORT 53

/* One whole message, as a UDP datagram carries it. MATCH fills names and facts.dns; NO otherwise. What stands behind the
 * questions is read as far as it makes sense: servers answer a query with trailing bytes, too. In an answer only those
 * records count that belong to a question through CNAME (RFC 1035), DNAME (RFC 6672), HTTPS and SVCB (RFC 9460), in any order. */
enum inspect_result dns_message(struct view bytes, struct inspect_scratch *scratch, struct facts *out);

/* A client's stream: queries, each behind its length (RFC 7766). As APP_DNS alone it also steps over messages that are no
 * query, as servers do. Only on port 53 is a stream taken for DNS. */
enum inspect_result dns_inspect(const struct inspect_input *in, struct facts *out);

#endif
