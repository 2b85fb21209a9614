/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to standard error, each written with one call so that threads never mix their lines. */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/escape.h"

/* Paths, rules of other programs and the like stand in it. */
#define SAFE_MAX 2048

static const char *safe_text(char safe[SAFE_MAX], const char *text)
{
	escape_text(safe, SAFE_MAX, ESCAPE_TERMINAL, text, strlen(text));
	return safe;
}

const char *log_reason(int err, char room[LOG_REASON_MAX])
{
#ifdef __GLIBC__	/* its own kind: the text may be elsewhere */
	return strerror_r(abs(err), room, LOG_REASON_MAX);
#else
	return strerror_r(abs(err), room, LOG_REASON_MAX) ? "unknown error" : room;
#endif
}

void log_info(const char *format, ...)
{
	char text[1024], safe[SAFE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "minewall: %s\n", safe_text(safe, text));
}

void log_warn(int err, const char *format, ...)
{
	char text[1024], safe[SAFE_MAX], reason[LOG_REASON_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "minewall: %s: %s\n", safe_text(safe, text), log_reason(err, reason));
}
