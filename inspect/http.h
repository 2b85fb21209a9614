/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/1.x heads (RFC 9112): every name in them, the fields that only miners and their servers send, and what the connection
 * does next. It reads leniently what some server would accept (PROTOCOLS 8); bodies are body.h's. */
#ifndef MINEWALL_HTTP_H
#define MINEWALL_HTTP_H

#include "inspect/cursor.h"
#include "inspect/inspect.h"

/* A token's byte, or one of a blank line before it. */
#define HTTP_BEGINS(b) (INSPECT_WITHIN((b) | 0x20, 'a', 'z') || INSPECT_WITHIN(b, '0', '9') || INSPECT_WITHIN(b, '#', '\'') || \
			INSPECT_WITHIN(b, '^', '`') || (b) == '!' || (b) == '*' || (b) == '+' || (b) == '-' || (b) == '.' || (b) == '|' || \
			(b) == '~' || (b) == '\r' || (b) == '\n')

/* The body's end is not known from the head: chunked, or lengths that contradict. */
#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/* What a request's head says of what follows. */
struct http_head {
	struct view method;
	struct view target;
	struct view agent;	/* User-Agent */
	struct view mining;	/* the name of a field that only miners send */
	uint64_t length;	/* of the body, where one is due */
	bool version_10;
	bool close;
	bool keep_alive;
	bool upgrade;
	bool websocket;
	bool body;
	bool coded;		/* Transfer-Encoding */
	bool chunked;
	bool whole;		/* its blank line is there */
};

/* MATCH: a request head is complete (`consumed` bytes with its blank line; `again` says what follows), or nothing more
 * comes and it held a name already. A response head is a MATCH without names, from the server or an unsure side only. */
enum inspect_result http_inspect(const struct inspect_input *in, struct facts *out);

/* Reads a request head off `c`, as far as it is there, and adds its names. MATCH: these bytes are one. */
enum inspect_result http_head(const struct inspect_input *in, struct cursor *c, struct http_head *head, struct facts *out);

/* Sets `again` and `next` for what follows behind the whole request, its body included. */
void http_behind(const struct http_head *head, struct facts *out);

/* Is it a field that only miners send (PROTOCOLS 1.8, 2.1)? Any case. */
bool http_mining_field(struct view name);

/* Notes that such a field was there; `side`: DIALECT_FROM_CLIENT or DIALECT_FROM_SERVER. */
void http_mining(struct facts *out, struct view field, struct view agent, unsigned side);

#endif
