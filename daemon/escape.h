/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that strangers chose, made harmless for where it is shown: one place for terminal, HTML, syslog and log, so that the same bytes
 * look the same everywhere. Control characters of any kind, marks that turn the direction of writing, characters that nobody sees, and
 * bytes that are no UTF-8 become visible: \x1b, \u202e, \U000e0041. */
#ifndef MINEWALL_ESCAPE_H
#define MINEWALL_ESCAPE_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

enum escape_form {
	ESCAPE_WIRE,		/* into an event: printable ASCII alone stays, each other byte and backslash is \xHH, blanks only inside */
	ESCAPE_TERMINAL,	/* backslashes stay: what was escaped once looks the same afterwards */
	ESCAPE_HTML,		/* the same, and & < > " ' as character references: for text and for quoted values of attributes */
	ESCAPE_SYSLOG,		/* a PARAM-VALUE of RFC 5424 6.3.3, without its quotes: \ before " \ ] */
};

/* Bytes of `out` that one byte of text takes at most, the NUL aside. */
#define ESCAPE_GROWTH 6

/* Writes at most `size` (at least 1) bytes with the NUL; a text too long ends with a whole character. Returns the length. */
size_t escape_text(char *out, size_t size, enum escape_form form, const void *text, size_t len);

/* The same into a stream, whole. */
void escape_put(FILE *to, enum escape_form form, const void *text, size_t len);
void escape_puts(FILE *to, enum escape_form form, const char *text);

/* Every text in `j`, keys too, for the terminal; in place. JSON from another process is read through this once. */
void escape_json(json_t *j);

#endif
