/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One event of the log as a line for people; what came from the wire was escaped when the event was made. */
#include "cli/event_line.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/escape.h"

const char *event_text(const json_t *j, const char *outer, const char *key)
{
	const char *s = json_string_value(json_object_get(outer ? json_object_get(j, outer) : j, key));

	return s ? s : "";
}

const char *event_named(const json_t *j, const char **kind)
{
	static const struct {
		const char *outer, *key, *word;
	} names[] = {
		{ "tls", "sni", "TLS" }, { "quic", "sni", "QUIC" }, { "http", "hostname", "HTTP" }, { "dns", "rrname", "DNS" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = event_text(j, names[i].outer, names[i].key);

		if (kind)
			*kind = names[i].word;
		if (*name)
			return name;
	}
	return "";
}

/* The file is not trusted: nothing in it may speak to the terminal. */
static void put(FILE *out, struct log_text t)
{
	escape_put(out, ESCAPE_TERMINAL, t.p, t.len);
}

/* `before` and `after` only where there is something between them. */
static void put_between(FILE *out, const char *before, struct log_text t, const char *after)
{
	if (!t.len)
		return;
	fputs(before, out);
	put(out, t);
	fputs(after, out);
}

static void print_what(FILE *out, const struct log_line *line)
{
	const struct log_text *t = line->text;
	const char *kind = "";
	struct log_text name = log_line_name(line, &kind);

	if (name.len) {
		fprintf(out, " %s", kind);
		put_between(out, " ", name, "");
	}
	put_between(out, " ", t[LOG_DIALECT], "");
	if (t[LOG_METHOD].len != t[LOG_DIALECT].len || memcmp(t[LOG_METHOD].p, t[LOG_DIALECT].p, t[LOG_METHOD].len))
		put_between(out, " ", t[LOG_METHOD], "");
	if (t[LOG_CARRIER].len)
		fputs(log_text_is(t[LOG_CARRIER], "websocket") ? " in a WebSocket" : " in HTTP", out);
	put_between(out, " agent \"", t[LOG_AGENT], "\"");
	put_between(out, " worker \"", t[LOG_WORKER], "\"");
	put_between(out, " wallet #", (struct log_text){ t[LOG_LOGIN].p, t[LOG_LOGIN].len < 8 ? t[LOG_LOGIN].len : 8 }, "");
	if (log_has(line, LOG_SCORE))
		fprintf(out, " score %lld:", (long long)log_number(line, LOG_SCORE));
	for (size_t i = 0; i < line->n_marks; i++)
		put_between(out, " ", line->marks[i], "");
	put_between(out, " ", t[LOG_REASON], "");
}

/* "2026-11-23 22:30:00", as the event says it: in the time of the machine that wrote it. */
static void print_when(FILE *out, const struct log_line *line)
{
	struct log_text when = line->text[LOG_TIMESTAMP];

	if (when.len < 19) {
		fputs("0000-00-00 00:00:00", out);
		return;
	}
	put(out, (struct log_text){ when.p, 10 });
	putc_unlocked(' ', out);
	put(out, (struct log_text){ when.p + 11, 8 });
}

/* When the last of them was; the day only if it is another one. */
static void print_until(FILE *out, const struct log_line *line, int64_t last_us)
{
	time_t last = (time_t)(last_us / 1000000), first = (time_t)(line->when_us / 1000000);
	struct tm a, b;
	char text[32];

	if (last <= first || !localtime_r(&first, &a) || !localtime_r(&last, &b))
		return;
	strftime(text, sizeof(text), a.tm_yday == b.tm_yday && a.tm_year == b.tm_year ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &b);
	fprintf(out, " until %s", text);
}

static void print_end(FILE *out, const struct log_line *line, int64_t count, int64_t last_us)
{
	bool kernel = log_number(line, LOG_SID) && !log_has(line, LOG_SPORT);

	if (kernel)
		fprintf(out, "  %s in the kernel, %lld packet%s", log_text_is(line->text[LOG_ACTION], "blocked") ? "stopped" : "counted",
			(long long)count, count == 1 ? "" : "s");
	else if (count > 1)
		fprintf(out, "  %lld times", (long long)count);
	if (kernel || count > 1)
		print_until(out, line, last_us);
	if (line->when_us < LOG_CLOCK_SET_US)
		fputs("  (clock not set)", out);
}

static void print_note(FILE *out, const struct log_line *line, int64_t count, int64_t last_us)
{
	print_when(out, line);
	fputs("  note     ", out);
	put_between(out, "", line->text[LOG_GATEWAY], ": ");
	put_between(out, "", line->text[LOG_EVENT], ": ");
	put(out, line->text[LOG_DETAIL]);
	print_end(out, line, count, last_us);
	putc_unlocked('\n', out);
}

void event_line_print(FILE *out, const struct log_line *line, int64_t count, int64_t last_us)
{
	const struct log_text *t = line->text;
	bool v6 = t[LOG_DST].len && memchr(t[LOG_DST].p, ':', t[LOG_DST].len);

	if (log_text_is(t[LOG_TYPE], "minewall")) {
		print_note(out, line, count, last_us);
		return;
	}
	print_when(out, line);
	fputs("  ", out);
	put(out, t[LOG_ACTION]);
	fprintf(out, "%*s  ", t[LOG_ACTION].len < 7 ? (int)(7 - t[LOG_ACTION].len) : 0, "");
	put_between(out, "", t[LOG_GATEWAY], ": ");
	put(out, t[LOG_SRC]);
	if (t[LOG_HOST].len || t[LOG_MAC].len) {
		put_between(out, " (", t[LOG_HOST], t[LOG_MAC].len ? ", " : ")");
		put_between(out, t[LOG_HOST].len ? "" : " (", t[LOG_MAC], ")");
	}
	put_between(out, v6 ? " -> [" : " -> ", t[LOG_DST].len ? t[LOG_DST] : (struct log_text){ "outside", 7 }, v6 ? "]" : "");
	fprintf(out, ":%lld", (long long)log_number(line, LOG_DPORT));
	print_what(out, line);
	if (t[LOG_LIST].len) {
		put_between(out, "  [list ", t[LOG_LIST], ": ");
		put(out, t[LOG_ENTRY]);
		putc_unlocked(']', out);
	} else {
		put_between(out, "  [", t[LOG_RULE], "]");
	}
	print_end(out, line, count, last_us);
	fputs("  #", out);
	put(out, t[LOG_ID]);
	putc_unlocked('\n', out);
}

void event_print(const json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII);
	struct log_scratch scratch = { 0 };
	struct log_line line;

	if (text && log_line_read(&line, text, strlen(text), &scratch))
		event_line_print(stdout, &line, log_number(&line, LOG_COUNT), 0);
	log_scratch_free(&scratch);
	free(text);
}
