/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of the event log as its fields. Our own lines are read by a small scanner of fixed cost; whatever is not written as we
 * write it goes through jansson first, so that both ways always say the same. */
#ifndef MINEWALL_LOG_LINE_H
#define MINEWALL_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer ones are none of ours: an event has less than 4 KiB. */
#define LOG_LINE_MAX (64 * 1024)
/* Signs of a score, at most. */
#define LOG_MARKS_MAX 32

enum log_field {
	LOG_TIMESTAMP, LOG_TYPE, LOG_SRC, LOG_DST, LOG_PROTO, LOG_APP, LOG_TLS, LOG_TLS_VERSION, LOG_JA4, LOG_QUIC, LOG_QUIC_VERSION,
	LOG_QUIC_JA4, LOG_HTTP, LOG_DNS, LOG_ACTION, LOG_SIGNATURE, LOG_CATEGORY, LOG_ID, LOG_DIALECT, LOG_METHOD, LOG_AGENT, LOG_ALGO,
	LOG_WORKER, LOG_LOGIN, LOG_LOGIN_CLEAR, LOG_KIND, LOG_CARRIER, LOG_EVIDENCE, LOG_LIST, LOG_ENTRY, LOG_RULE, LOG_LEARNED,
	LOG_REASON, LOG_MAC, LOG_HOST, LOG_GATEWAY, LOG_EVENT, LOG_DETAIL, LOG_TEXTS,
	/* numbers */
	LOG_SPORT = LOG_TEXTS, LOG_DPORT, LOG_SID, LOG_SEVERITY, LOG_COUNT, LOG_SCORE, LOG_ENTRY_LINE, LOG_TELLTALE, LOG_SECONDS,
	/* objects and arrays: whether they are there */
	LOG_MARKS, LOG_MINING, LOG_OTHERS, LOG_FIELDS
};

/* Bytes as they were before JSON's escapes; no NUL behind them, anything may be in them. */
struct log_text {
	const char *p;
	size_t len;
};

struct log_line {
	struct log_text raw;			/* the line; ASCII alone, whatever the file held */
	uint64_t has;				/* a bit for each field that is there, of whatever type */
	struct log_text text[LOG_TEXTS];	/* {"", 0} where there is no text */
	int64_t number[LOG_FIELDS - LOG_TEXTS];	/* 0 where there is no integer */
	struct log_text marks[LOG_MARKS_MAX];
	size_t n_marks;
	int64_t when_us;			/* of the epoch; 0: it says no time */
};

/* Memory of the reading; {0} at the beginning. What a line points to lives until the next one is read. */
struct log_scratch {
	char *text, *normal;
	size_t size, used;
};
void log_scratch_free(struct log_scratch *s);

/* Reads `raw`. False: it is no JSON object. */
bool log_line_read(struct log_line *line, const char *raw, size_t len, struct log_scratch *scratch);

/* The slow way alone, for the test that compares both. */
bool log_line_read_slowly(struct log_line *line, const char *raw, size_t len, struct log_scratch *scratch);

/* A finding, or a note about the protection itself; another program may have written lines of its own. */
bool log_line_is_ours(const struct log_line *line);

static inline int64_t log_number(const struct log_line *line, enum log_field f)
{
	return line->number[f - LOG_TEXTS];
}

static inline bool log_has(const struct log_line *line, enum log_field f)
{
	return line->has >> f & 1;
}

bool log_text_is(struct log_text t, const char *word);

/* The name that was asked for, and by what: "TLS", "QUIC", "HTTP", "DNS"; empty if there is none. */
struct log_text log_line_name(const struct log_line *line, const char **kind);

/* RFC 3339 ("2026-11-23T22:30:00.000000+01:00", also "Z" and an offset without a colon) as microseconds of the epoch; 0: it is none. */
int64_t log_time(const char *text, size_t len);

/* Before this no clock was right: the machine has no battery and had not been told the time yet. */
#define LOG_CLOCK_SET_US (1577836800LL * 1000000)	/* 2020-01-01 */

#endif
