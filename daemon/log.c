/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to standard error, each written with one call so that threads never mix their lines. */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void log_info(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "minewall: %s\n", text);
}

void log_warn(int err, const char *format, ...)
{
	char text[1024], reason[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "minewall: %s: %s\n", text, strerror_r(abs(err), reason, sizeof(reason)));
}
