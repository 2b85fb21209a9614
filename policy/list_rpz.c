/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Response policy zones (draft-vixie-dnsop-dns-rpz) as master files (RFC 1035 section 5): owners are names to refuse, CNAMEs say
 * how. An owner without a wildcard covers the names below it here, too, as every name of a list does. */
#include <string.h>

#include "policy/list_line.h"

/* Without what ';' begins outside of quotes. Counts open parentheses: a record goes on over lines in them. */
static struct span without_comment(struct list *list, struct span line)
{
	bool quote = false;

	for (const char *p = line.p; p < line.end; p++) {
		if (*p == '"')
			quote = !quote;
		else if (*p == '(' && !quote)
			list->depth++;
		else if (*p == ')' && !quote && list->depth)
			list->depth--;
		else if (*p == ';' && !quote)
			return (struct span) { line.p, p };
	}
	return line;
}

static bool ends_with(struct span s, const char *tail)
{
	size_t len = strlen(tail);

	return span_len(s) > len && span_starts((struct span) { s.end - len, s.end }, tail);
}

/* "name.zone." without the zone, "name." without its dot. */
static struct span relative(const struct list *list, struct span owner)
{
	struct span zone = list->origin;
	size_t len = span_len(zone);

	if (span_empty(owner) || owner.end[-1] != '.')
		return owner;
	if (len > 1 && span_len(owner) > len + 1 && owner.end[-(ptrdiff_t)len - 1] == '.' && !strncasecmp(owner.end - len, zone.p, len))
		owner.end -= len;
	if (span_len(owner) > 1)
		owner.end--;
	return owner;
}

/* The groups of "192.0.2.0" or "2001:db8::1", which an owner has in reverse, "zz" for "::". 0: too long. */
static size_t address_text(struct span groups, char *to, size_t size)
{
	bool v4 = !span_has(groups, "zz") && span_len(groups) <= 15 && !memmem(groups.p, span_len(groups), ":", 1);
	unsigned dots = 0;
	size_t n = 0;

	for (const char *p = groups.p; p < groups.end; p++)
		dots += *p == '.';
	while (!span_empty(groups)) {
		const char *dot = memrchr(groups.p, '.', span_len(groups));
		struct span group = { dot ? dot + 1 : groups.p, groups.end };
		bool zeros = span_is(group, "zz");

		if (n + span_len(group) + 4 > size)
			return 0;
		if (n || zeros)
			to[n++] = v4 && dots == 3 ? '.' : ':';
		if (!zeros) {
			memcpy(to + n, group.p, span_len(group));
			n += span_len(group);
		} else if (!dot) {
			to[n++] = ':';
		}
		groups.end = dot ? dot : groups.p;
	}
	return n;
}

/* "24.0.2.0.192.rpz-ip" is 192.0.2.0/24: an answer with such an address, here the address itself. */
static void read_address(struct list *list, struct span owner, unsigned flags)
{
	char text[ADDRESS_TEXT_MAX + 1];
	struct span groups = owner, prefix = next_part(&groups, '.');
	size_t n = address_text(groups, text, sizeof(text));

	if (!n || !span_digits(prefix) || n + 1 + span_len(prefix) > sizeof(text)) {
		list_skip(list, SKIP_ADDRESS);
		return;
	}
	text[n++] = '/';
	memcpy(text + n, prefix.p, span_len(prefix));
	if (!list_address(list, (struct span) { text, text + n + span_len(prefix) }, 0, flags))
		list_skip(list, SKIP_ADDRESS);
}

/* Whose owner it is: a name, or one of the triggers that end in a label of their own. */
static void read_owner(struct list *list, unsigned flags)
{
	static const char *const others[] = { ".rpz-client-ip", ".rpz-nsip", ".rpz-nsdname" };
	struct span owner = relative(list, list->owner);

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (ends_with(owner, others[i])) {
			list_skip(list, SKIP_DIRECTIVE);
			return;
		}
	if (ends_with(owner, ".rpz-ip"))
		read_address(list, (struct span) { owner.p, owner.end - 7 }, flags);
	else if (span_is(owner, "*"))
		list_skip(list, SKIP_WIDE);
	else
		list_name(list, owner, flags);
}

static bool is_either(struct span word, const char *a, const char *b)
{
	return span_is(word, a) || span_is(word, b);
}

static void read_cname(struct list *list, struct span target)
{
	struct span same = { target.p, target.end - (!span_empty(target) && target.end[-1] == '.') };

	if (is_either(target, ".", "*.") || is_either(target, "rpz-drop.", "rpz-drop"))
		read_owner(list, 0);
	else if (is_either(target, "rpz-passthru.", "rpz-passthru") ||
		 (span_len(same) == span_len(relative(list, list->owner)) && !strncasecmp(same.p, list->owner.p, span_len(same))))
		read_owner(list, LIST_EXCEPT);		/* a name that leads to itself is the old way to say so */
	else if (is_either(target, "rpz-tcp-only.", "rpz-tcp-only"))
		list_skip(list, SKIP_DIRECTIVE);
	else
		list_skip(list, SKIP_REDIRECT);
}

/* "60", "1h30m" */
static bool is_ttl(struct span word)
{
	if (span_empty(word) || !is_digit(*word.p))
		return false;
	for (const char *p = word.p; p < word.end; p++)
		if (!is_digit(*p) && !strchr("smhdwSMHDW", *p))
			return false;
	return true;
}

/* What a record says of list->owner. The zone's own records are no entries. */
static void read_record(struct list *list, struct span rest)
{
	struct span type = next_word(&rest, 0), data;
	bool sink;

	while (is_ttl(type) || is_either(type, "IN", "CH"))
		type = next_word(&rest, 0);
	if (is_either(type, "SOA", "NS") || is_either(list->owner, "@", ""))
		return;
	data = next_word(&rest, 0);
	if (span_is(type, "CNAME") && !span_empty(data)) {
		read_cname(list, data);
	} else if (is_either(type, "A", "AAAA")) {
		list_is_sink(data, &sink);
		if (sink)
			read_owner(list, 0);
		else
			list_skip(list, SKIP_REDIRECT);
	} else {
		list_skip(list, span_empty(data) ? SKIP_SYNTAX : SKIP_DIRECTIVE);
	}
}

static void read_directive(struct list *list, struct span line)
{
	struct span word = next_word(&line, 0);

	if (span_is(word, "$ORIGIN"))
		list->origin = next_word(&line, 0);
	else if (!span_is(word, "$TTL"))
		list_skip(list, SKIP_DIRECTIVE);
}

void list_rpz_line(struct list *list, struct span line)
{
	bool inside = list->depth, named = !is_blank(*line.p);

	line = without_comment(list, line);
	if (inside || span_empty(span_trim(line)))
		return;
	if (*line.p == '$') {
		read_directive(list, line);
		return;
	}
	if (named)
		list->owner = next_word(&line, 0);
	read_record(list, line);
}
