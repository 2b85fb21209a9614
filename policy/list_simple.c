/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats of one entry a line, or of an address and names: plain, wildcard, hosts, address ranges, datasets in base64.
 * Whatever a line has beside its entry must be of the format, else the line is skipped. */
#include <string.h>

#include "policy/list_line.h"

/* The line's only word; a number behind it is a category (nDPI). Empty: nothing to read, which is counted already. */
static struct span only_word(struct list *list, struct span line)
{
	struct span word = next_word(&line, ';'), second = next_word(&line, ';');

	if (span_empty(second) || (span_digits(second) && span_empty(next_word(&line, ';'))))
		return word;
	list_skip(list, SKIP_SYNTAX);
	return (struct span) { word.p, word.p };
}

static bool is_comment(struct span line)
{
	return *line.p == '!' || *line.p == '#' || *line.p == ';' || span_starts(line, "//");
}

/* "name:port": the set has no ports of names, and the whole name would be more than the list says. */
static bool is_name_port(struct span word)
{
	struct span rest = word, host = next_part(&rest, ':');
	struct name_entry entry;

	return span_digits(rest) && name_parse(host.p, span_len(host), &entry) == NAME_GOOD;
}

static void host_or_port(struct list *list, struct span word, unsigned flags)
{
	if (is_name_port(word))
		list_skip(list, SKIP_PORT);
	else
		list_entry(list, word, flags);
}

/* A URL is an entry if it names a host and nothing below. http://192.0.2.1 is that address's port 80. */
static void url(struct list *list, struct span word)
{
	static const struct { const char *scheme; unsigned port; } known[] = { { "http", 80 }, { "ws", 80 }, { "https", 443 }, { "wss", 443 } };
	struct span scheme = { word.p, memmem(word.p, span_len(word), "://", 3) }, host = { scheme.end + 3, word.end }, rest = host;
	const char *at;
	unsigned port = 0;

	while (rest.p < rest.end && !strchr("/?#", *rest.p))
		rest.p++;
	host.end = rest.p;
	if (!span_empty(rest) && !span_is(rest, "/")) {
		list_skip(list, SKIP_PATH);
		return;
	}
	at = memrchr(host.p, '@', span_len(host));
	host.p = at ? at + 1 : host.p;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_is(scheme, known[i].scheme))
			port = known[i].port;
	if (!list_address(list, host, port, 0))
		host_or_port(list, host, 0);
}

void list_plain_line(struct list *list, struct span line)
{
	struct span word;

	if (is_comment(line))
		return;
	word = only_word(list, line);
	if (span_empty(word))
		return;
	if (span_has(word, "://"))
		url(list, word);
	else
		host_or_port(list, word, 0);
}

void list_wildcard_line(struct list *list, struct span line)
{
	struct span word;

	if (is_comment(line))
		return;
	word = only_word(list, line);
	if (!span_empty(word))
		list_entry(list, word, LIST_ITSELF);
}

void list_quick(struct list *list, struct span *text)
{
	size_t prefix = span_len(list->prefix);
	struct name_entry entry;

	while (span_len(*text) > prefix && !list->error && !memcmp(text->p, list->prefix.p, prefix)) {
		const char *name = text->p + prefix, *end = name + name_scan(name, (size_t)(text->end - name), &entry);

		if (end < text->end && *end == '\r')
			end++;
		if (end == text->end || *end != '\n' || entry.len > NAME_LEN_MAX || name_settle(&entry) != NAME_GOOD ||
		    list_is_local(entry.text, entry.len))
			return;
		list->line++;
		list_add_name(list, &entry, 0);
		text->p = end + 1;
	}
}

void list_hosts_line(struct list *list, struct span line)
{
	struct span first, word;
	const char *begin = line.p;
	bool sink, address;

	if (is_comment(line))
		return;
	first = next_word(&line, 0);
	address = list_is_sink(first, &sink);
	word = next_word(&line, 0);
	/* A line that sends a name somewhere real is no block entry. */
	if (!sink || span_empty(word)) {
		if (address && !span_empty(word))
			list_skip(list, list_is_local(word.p, span_len(word)) ? SKIP_LOCAL : SKIP_REDIRECT);
		else
			list_skip(list, SKIP_SYNTAX);
		return;
	}
	list->prefix = (struct span) { begin, word.p };
	for (; !span_empty(word); word = next_word(&line, 0))
		if (!list_is_local(word.p, span_len(word)))
			list_name(list, word, 0);
}

/* Numbers may have zeros in front, which mean nothing there. */
static size_t without_zeros(struct span range, char *to, size_t size)
{
	size_t n = 0;

	for (const char *p = range.p; p < range.end && n < size; p++) {
		bool starts = p == range.p || !is_digit(p[-1]);

		if (*p == '0' && starts)
			while (p + 1 < range.end && *p == '0' && is_digit(p[1]))
				p++;
		if (!is_blank(*p))
			to[n++] = *p;
	}
	return n;
}

static bool add_range(struct list *list, struct span range)
{
	char text[2 * ADDRESS_TEXT_MAX + 1];
	size_t n = without_zeros(range, text, sizeof(text));

	return n < sizeof(text) && memchr(text, '-', n) && list_address(list, (struct span) { text, text + n }, 0, 0);
}

/* ipfilter.dat has a level in its second column: above 127 means that the range is let through. */
static bool is_let_through(struct span rest)
{
	struct span level = next_part(&rest, ',');
	unsigned value = 0;

	if (!span_digits(level))
		return false;
	for (; level.p < level.end && value < 1000; level.p++)
		value = value * 10 + (unsigned)(*level.p - '0');
	return value > 127;
}

void list_p2p_line(struct list *list, struct span line)
{
	struct span rest = line, range = next_part(&rest, ',');
	const char *colon = memrchr(line.p, ':', span_len(line));

	if (is_comment(line))
		return;
	if (is_digit(*range.p) && is_let_through(rest))
		list_skip(list, SKIP_DIRECTIVE);
	else if (!(is_digit(*line.p) && add_range(list, range)) && !(colon && add_range(list, (struct span) { colon + 1, line.end })))
		list_skip(list, SKIP_SYNTAX);
}

void list_suricata_line(struct list *list, struct span line)
{
	struct span value = next_part(&line, ',');
	char text[LIST_LINE_MAX];
	int n;

	if (!span_empty(value) && *value.p == '#')
		return;
	n = list_base64(value, text, sizeof(text));
	if (n <= 0)
		list_skip(list, SKIP_SYNTAX);
	else
		host_or_port(list, (struct span) { text, text + n }, 0);
}
