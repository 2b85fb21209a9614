/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer: arbitrary lines as the event log that `minewall log` reads. The quick reader and jansson must say the same of each line, and
 * no line may bring a byte to the terminal that is not a visible character. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/event_line.h"
#include "cli/log_line.h"
#include "daemon/escape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line is as long as the log reader lets it be, and each of its bytes becomes four at most; the rest is our own words. */
#define SHOWN_MAX (20000 * ESCAPE_GROWTH + 4096)

static char shown[2][SHOWN_MAX], escaped[2 * SHOWN_MAX];

static void require(bool true_thing)
{
	if (!true_thing)
		abort();
}

/* As it would be printed, "" if it is none of ours. */
static void show(char *to, bool ours, const struct log_line *line)
{
	FILE *out;

	*to = '\0';
	if (!ours || !log_line_is_ours(line))
		return;
	out = fmemopen(to, SHOWN_MAX, "w");
	require(out);
	event_line_print(out, line, log_number(line, LOG_COUNT), 0);
	require(!fclose(out));
}

static void check_shown(const char *text)
{
	size_t len = strlen(text);

	require(len && text[len - 1] == '\n');
	require(escape_text(escaped, sizeof(escaped), ESCAPE_TERMINAL, text, len - 1) == len - 1 && !memcmp(escaped, text, len - 1));
}

static void read_line(const char *text, size_t len)
{
	struct log_scratch scratch = { 0 }, slow_scratch = { 0 };
	struct log_line line, slow;
	bool read = log_line_read(&line, text, len, &scratch), slowly = log_line_read_slowly(&slow, text, len, &slow_scratch);

	show(shown[0], read, &line);
	show(shown[1], slowly, &slow);
	require(read == slowly && !strcmp(shown[0], shown[1]));
	if (*shown[0])
		check_shown(shown[0]);
	log_scratch_free(&scratch);
	log_scratch_free(&slow_scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((newline ? newline : end) - p);
		/* a block of its own, so that a byte read behind the line is found */
		char *line = malloc(len ? len : 1);

		require(line);
		memcpy(line, p, len);
		read_line(line, len);
		free(line);
		p += len + 1;
	}
	return 0;
}
