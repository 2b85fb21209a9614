/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists that are written as the configuration of another program: dnsmasq, unbound, ipset, nftables. What refuses a name or holds
 * an address is an entry; what says how the program itself works is none. */
#include <string.h>

#include "policy/list_line.h"

/* Without a comment, which '#' begins at the line's begin or behind a blank. */
static struct span without_comment(struct span line)
{
	for (const char *p = line.p; p < line.end; p++)
		if (*p == '#' && (p == line.p || is_blank(p[-1])))
			return span_trim((struct span) { line.p, p });
	return line;
}

static bool is_one_of(struct span word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(word, words[i]))
			return true;
	return false;
}

/* ---- dnsmasq ---- */

/* "/name/name/target": what the target makes of its names. */
static void dnsmasq_names(struct list *list, struct span value, bool address)
{
	const char *slash = memrchr(value.p, '/', span_len(value));
	struct span names = { value.p + 1, slash }, target = { slash + 1, value.end };
	bool sink = span_empty(target), back = span_is(target, "#");
	unsigned flags = back && !address ? LIST_EXCEPT : 0;	/* "server=/x/#": the usual servers, though y.x is refused */

	if (!sink && !back)
		list_is_sink(target, &sink);
	while (!span_empty(names)) {
		struct span name = next_part(&names, '/');

		if (span_empty(name))
			list_skip(list, SKIP_DIRECTIVE);
		else if (!sink && !back)
			list_skip(list, SKIP_REDIRECT);
		else if (span_is(name, "#"))
			list_skip(list, SKIP_WIDE);
		else
			list_name(list, name, flags);
	}
}

void list_dnsmasq_line(struct list *list, struct span line)
{
	static const char *const keys[] = { "address", "server", "local" };
	struct span value = without_comment(line), key = next_part(&value, '=');

	value = span_trim(value);
	if (span_empty(key))
		return;
	if (is_one_of(key, keys, sizeof(keys) / sizeof(keys[0])) && span_len(value) > 2 && *value.p == '/' && value.p[1] != '/' &&
	    memchr(value.p + 1, '/', span_len(value) - 1))
		dnsmasq_names(list, value, span_is(key, "address"));
	else
		list_skip(list, SKIP_DIRECTIVE);
}

/* ---- unbound ---- */

/* A word, or what stands in quotes. */
static struct span quoted(struct span *line)
{
	struct span word = *line = span_trim(*line);
	char quote = span_empty(word) ? '\0' : *word.p;

	if (quote != '"' && quote != '\'') {
		while (line->p < line->end && !is_blank(*line->p))
			line->p++;
		word.end = line->p;
		return word;
	}
	line->p++;
	return next_part(line, quote);
}

static void unbound_zone(struct list *list, struct span value)
{
	static const char *const refusing[] = { "always_nxdomain", "always_nodata", "always_null", "always_refuse", "always_deny",
						"refuse", "deny", "static", "inform_deny" };
	static const char *const passing[] = { "transparent", "always_transparent", "typetransparent" };
	struct span name = quoted(&value), type = quoted(&value);

	if (is_one_of(type, refusing, sizeof(refusing) / sizeof(refusing[0])))
		list_name(list, name, 0);
	else if (is_one_of(type, passing, sizeof(passing) / sizeof(passing[0])))
		list_name(list, name, LIST_EXCEPT);
	else if (!span_is(type, "redirect") && !span_is(type, "inform_redirect"))	/* those say with a local-data where to */
		list_skip(list, SKIP_DIRECTIVE);
}

/* "name [ttl] [IN] A address" */
static void unbound_data(struct list *list, struct span value)
{
	struct span record = quoted(&value), name = next_word(&record, 0), word = next_word(&record, 0);
	bool sink;

	while (span_digits(word) || span_is(word, "IN"))
		word = next_word(&record, 0);
	if (!span_is(word, "A") && !span_is(word, "AAAA")) {
		list_skip(list, SKIP_DIRECTIVE);
		return;
	}
	list_is_sink(next_word(&record, 0), &sink);
	if (sink)
		list_name(list, name, 0);
	else
		list_skip(list, SKIP_REDIRECT);
}

void list_unbound_line(struct list *list, struct span line)
{
	struct span value = without_comment(line), key = next_part(&value, ':');

	if (span_empty(without_comment(line)))
		return;
	value = span_trim(value);
	if (span_is(key, "local-zone"))
		unbound_zone(list, value);
	else if (span_is(key, "local-data"))
		unbound_data(list, value);
	else if (!span_empty(value))
		list_skip(list, SKIP_DIRECTIVE);
	else if (!span_has(line, ":"))
		list_skip(list, SKIP_SYNTAX);
}

/* ---- ipset ---- */

/* "tcp:3333", "3333" */
static unsigned port_of(struct span text)
{
	struct span rest = text, proto = next_part(&rest, ':');
	unsigned port = 0;

	if (!span_has(text, ":"))
		rest = text;
	else if (!span_is(proto, "tcp") && !span_is(proto, "udp"))
		return 0;
	if (!span_digits(rest) || span_len(rest) > 5)
		return 0;
	for (; rest.p < rest.end; rest.p++)
		port = port * 10 + (unsigned)(*rest.p - '0');
	return port <= 65535 ? port : 0;
}

static void ipset_entry(struct list *list, struct span entry, unsigned flags)
{
	struct span rest = entry, address = next_part(&rest, ','), second = next_part(&rest, ',');
	unsigned port = port_of(second);

	if (!span_empty(rest))
		list_skip(list, SKIP_DIRECTIVE);
	else if (!span_empty(second) && !port)
		list_skip(list, SKIP_PORT);
	else if (!list_address(list, address, port, flags))
		list_skip(list, SKIP_ADDRESS);
}

void list_ipset_line(struct list *list, struct span line)
{
	static const char *const others[] = { "create", "flush", "destroy", "COMMIT" };
	struct span verb = next_word(&line, 0), entry, word;
	unsigned flags = 0;

	if (span_empty(verb) || is_one_of(verb, others, sizeof(others) / sizeof(others[0])))
		return;
	next_word(&line, 0);
	entry = next_word(&line, 0);
	if (!span_is(verb, "add") || span_empty(entry)) {
		list_skip(list, SKIP_SYNTAX);
		return;
	}
	for (word = next_word(&line, 0); !span_empty(word) && !span_is(word, "comment"); word = next_word(&line, 0))
		if (span_is(word, "nomatch"))
			flags = LIST_EXCEPT;
	ipset_entry(list, entry, flags);
}

/* ---- nftables ---- */

/* One element: "address", "first-last", "address . port" or "address . tcp . port", and options that do not matter here. */
static void nftables_element(struct list *list, struct span element)
{
	struct span address = next_word(&element, 0), word = next_word(&element, 0);
	unsigned port = 0;

	if (span_empty(address))
		return;
	while (span_is(word, ".")) {
		word = next_word(&element, 0);
		if (!span_is(word, "tcp") && !span_is(word, "udp"))
			port = port_of(word);
		if (!port && !span_is(word, "tcp") && !span_is(word, "udp")) {
			list_skip(list, SKIP_PORT);
			return;
		}
		word = next_word(&element, 0);
	}
	if (!list_address(list, address, port, 0))
		list_skip(list, SKIP_ADDRESS);
}

/* The elements up to the closing brace; counts lines. A comma ends an element, unless it is in quotes. */
static void nftables_elements(struct list *list, struct span *text)
{
	struct span element = { text->p, text->p };
	bool quote = false;

	for (; text->p < text->end && (quote || *text->p != '}'); text->p++) {
		quote = quote != (*text->p == '"');
		if (*text->p == '\n') {
			quote = false;
			element.end = text->p;
			if (span_empty(span_trim(element)))
				element.p = text->p + 1;
			list->line++;
		} else if (*text->p == ',' && !quote) {
			element.end = text->p;
			nftables_element(list, span_trim(element));
			element.p = text->p + 1;
		} else if (*text->p == '#' && !quote) {
			const char *newline = memchr(text->p, '\n', span_len(*text));

			element.end = text->p;
			if (!span_empty(span_trim(element)))
				nftables_element(list, span_trim(element));
			text->p = newline ? newline - 1 : text->end - 1;
			element.p = text->p + 1;
		}
	}
	element.end = text->p;
	nftables_element(list, span_trim(element));
}

/* Elements stand in braces behind '=' (in a set, or of a define) or behind "add element TABLE SET". */
void list_nftables(struct list *list, struct span text)
{
	const char *begin = text.p;		/* of the statement */
	char last = '\0';			/* the last byte that is no blank */

	list->line = 1;
	for (; text.p < text.end && !list->error; text.p++) {
		char c = *text.p;

		if (c == '#') {
			const char *newline = memchr(text.p, '\n', span_len(text));

			text.p = (newline ? newline : text.end) - 1;
			continue;
		}
		if (c == '{' && (last == '=' || span_has((struct span) { begin, text.p }, "element "))) {
			text.p++;
			nftables_elements(list, &text);
			if (text.p == text.end)
				return;
		}
		list->line += c == '\n';
		if (strchr("{};\n", c) && c)
			begin = text.p + 1;
		last = is_blank(c) || c == '\n' ? last : c;
	}
}
