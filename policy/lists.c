/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads list text line by line: comments, CRLF, byte order mark, trailing comments, several names on a hosts line.
 * Anything in another syntax must end as skipped, never as a wrong name. */
#include "policy/lists.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Lines that decide the format: enough to outvote an odd head, few enough to cost nothing. */
#define DETECT_LINES 64

struct span {
	const char *p;
	const char *end;
};

struct list {
	struct name_set *set;
	struct list_counts *counts;
	unsigned source;
	unsigned line;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool span_is(struct span s, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(s.end - s.p) == len && !strncasecmp(s.p, word, len);
}

static struct span next_line(struct span *text)
{
	const char *newline = memchr(text->p, '\n', text->end - text->p);
	struct span line = { text->p, newline ? newline : text->end };

	text->p = newline ? newline + 1 : text->end;
	return line;
}

/* The next word, or an empty span at the line's end or at a comment. A '#' inside a word is no comment: it is a
 * cosmetic rule ("site.example##.ad") of another list syntax, and the word must not be cut into a good name. */
static struct span next_word(struct span *line)
{
	struct span word;

	while (line->p < line->end && is_blank(*line->p))
		line->p++;
	if (line->p < line->end && *line->p == '#')
		line->p = line->end;
	word.p = line->p;
	while (line->p < line->end && !is_blank(*line->p))
		line->p++;
	word.end = line->p;
	return word;
}

static bool is_empty(struct span s)
{
	return s.p == s.end;
}

/* Whether the word is an address, and one of those that hosts files send blocked names to. */
static bool parse_address(struct span word, bool *sink)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t addr[16];
	size_t len = word.end - word.p;

	*sink = false;
	/* No name starts with a colon, and a quick look spares inet_pton for nearly all names. */
	if (len >= sizeof(text) || (*word.p != ':' && !strchr("0123456789abcdefABCDEF", *word.p)))
		return false;
	memcpy(text, word.p, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, addr) != 1 && inet_pton(AF_INET6, text, addr) != 1)
		return false;
	*sink = span_is(word, "0.0.0.0") || span_is(word, "127.0.0.1") || span_is(word, "::") || span_is(word, "::1");
	return true;
}

/* Names that every hosts file has for the machine itself. */
static bool is_local(struct span word)
{
	static const char *const names[] = {
		"localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6",
		"localhost6.localdomain6", "local", "broadcasthost",
	};

	/* They start with one of three letters; the others need not be compared with eight words. */
	if (!strchr("lLbBiI", *word.p))
		return false;
	if (word.end - word.p > 4 && !strncasecmp(word.p, "ip6-", 4))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is(word, names[i]))
			return true;
	return false;
}

static int add_word(struct list *list, struct span word)
{
	struct name_entry entry;
	int error;

	if (is_local(word))
		return 0;
	if (name_parse(word.p, word.end - word.p, &entry) != NAME_GOOD) {
		list->counts->skipped++;
		return 0;
	}
	error = name_set_add(list->set, &entry, list->source, list->line);
	if (!error)
		list->counts->used++;
	return error;
}

static int read_hosts_line(struct list *list, struct span first, struct span rest)
{
	struct span word = next_word(&rest);
	bool sink;

	/* A line that sends a name somewhere real is no block entry. */
	if (!parse_address(first, &sink) || !sink || is_empty(word)) {
		list->counts->skipped++;
		return 0;
	}
	for (; !is_empty(word); word = next_word(&rest)) {
		int error = add_word(list, word);

		if (error)
			return error;
	}
	return 0;
}

static int read_plain_line(struct list *list, struct span first, struct span rest)
{
	/* A second word makes it another format's line ("name CNAME ."), whose meaning we do not know. */
	if (!is_empty(next_word(&rest))) {
		list->counts->skipped++;
		return 0;
	}
	return add_word(list, first);
}

/* Adblock lists write comments with '!' and their head in brackets; neither starts a name. */
static bool is_comment(struct span word)
{
	return is_empty(word) || *word.p == '!';
}

static enum list_format detect(struct span text)
{
	unsigned hosts = 0, plain = 0;

	while (text.p < text.end && hosts + plain < DETECT_LINES) {
		struct span line = next_line(&text);
		struct span word = next_word(&line);
		bool sink;

		if (is_comment(word))
			continue;
		if (parse_address(word, &sink) && !is_empty(next_word(&line)))
			hosts++;
		else
			plain++;
	}
	return hosts > plain ? LIST_HOSTS : LIST_PLAIN;
}

int list_read(struct name_set *set, unsigned source, enum list_format format, const char *text, size_t len,
	      struct list_counts *counts)
{
	struct list list = { .set = set, .counts = counts, .source = source };
	struct span all = { text, text + len };
	int error = 0;

	*counts = (struct list_counts) { 0 };
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		all.p += 3;
	if (format == LIST_AUTO)
		format = detect(all);
	while (all.p < all.end && !error) {
		struct span line = next_line(&all);
		bool too_long = line.end - line.p > LIST_LINE_MAX;
		struct span word = next_word(&line);

		list.line++;
		if (is_comment(word))
			continue;
		if (too_long)
			counts->skipped++;
		else if (format == LIST_HOSTS)
			error = read_hosts_line(&list, word, line);
		else
			error = read_plain_line(&list, word, line);
	}
	return error;
}
