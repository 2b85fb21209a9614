/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The body of an HTTP/1 request, if it is JSON: miners ask nodes for work that way (PROTOCOLS 1.8). A body may quote what it
 * likes, so only its start is a place for a message; anything that does not begin like JSON is left alone at once. */
#ifndef MINEWALL_BODY_H
#define MINEWALL_BODY_H

#include "inspect/http.h"

/* Shown the request from its head on (AGAIN_WHOLE). MATCH: the body is judged (`mining`, or nothing), and `again` says what
 * follows behind it; AGAIN_NO, too, where its end is too far away. Its names were the head's, so it gives none. */
enum inspect_result body_inspect(const struct inspect_input *in, struct facts *out);

/* Judges as much of the body as is there behind the head that was read off `c`. True: it is mining, and the facts have it. */
bool body_judge(const struct inspect_input *in, const struct cursor *c, const struct http_head *head, struct facts *out);

#endif
