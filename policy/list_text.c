/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pieces of list text, and addresses in all the spellings that lists have. Nothing here reads behind a piece's end. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "policy/list_line.h"

bool span_starts(struct span s, const char *word)
{
	size_t len = strlen(word);

	return span_len(s) >= len && !strncasecmp(s.p, word, len);
}

bool span_is(struct span s, const char *word)
{
	return span_len(s) == strlen(word) && span_starts(s, word);
}

bool span_digits(struct span s)
{
	for (const char *p = s.p; p < s.end; p++)
		if (!is_digit(*p))
			return false;
	return !span_empty(s);
}

struct span span_trim(struct span s)
{
	while (s.p < s.end && is_blank(*s.p))
		s.p++;
	while (s.end > s.p && is_blank(s.end[-1]))
		s.end--;
	return s;
}

struct span span_find(struct span s, char c)
{
	const char *at = memchr(s.p, c, span_len(s));

	return (struct span) { at ? at : s.end, s.end };
}

bool span_has(struct span s, const char *word)
{
	return memmem(s.p, span_len(s), word, strlen(word));
}

struct span next_line(struct span *text)
{
	const char *newline = memchr(text->p, '\n', span_len(*text));
	struct span line = { text->p, newline ? newline : text->end };

	text->p = newline ? newline + 1 : text->end;
	return line;
}

/* A '#' inside a word is no comment: it is a cosmetic rule ("site.example##.ad") of another list syntax, and the word must not be
 * cut into a good name. */
struct span next_word(struct span *line, char other)
{
	struct span word;

	while (line->p < line->end && is_blank(*line->p))
		line->p++;
	if (line->p < line->end && (*line->p == '#' || (other && *line->p == other)))
		line->p = line->end;
	word.p = line->p;
	while (line->p < line->end && !is_blank(*line->p))
		line->p++;
	word.end = line->p;
	return word;
}

struct span next_part(struct span *line, char separator)
{
	struct span at = span_find(*line, separator), part = { line->p, at.p };

	line->p = at.p < line->end ? at.p + 1 : line->end;
	return span_trim(part);
}

bool list_is_sink(struct span word, bool *sink)
{
	static const char *const sinks[] = { "0.0.0.0", "127.0.0.1", "::", "::1", "0:0:0:0:0:0:0:0", "0:0:0:0:0:0:0:1", "::0" };
	char text[INET6_ADDRSTRLEN];
	uint8_t addr[16];
	size_t len = span_len(word);

	*sink = false;
	/* No name starts with a colon, and a quick look spares inet_pton for nearly all names. */
	if (!len || len >= sizeof(text) || !strchr(":0123456789abcdefABCDEF", *word.p))
		return false;
	memcpy(text, word.p, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, addr) != 1 && inet_pton(AF_INET6, text, addr) != 1)
		return false;
	for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++)
		*sink = *sink || span_is(word, sinks[i]);
	return true;
}

/* What is in no public network: a list that names it is wrong, or about something else (bogons), and would cut the LAN. */
static bool is_public(const struct network *net)
{
	static const struct network v4[] = {
		{ .addr = { [10] = 0xff, 0xff, 0 }, .prefix = 96 + 8 }, { .addr = { [10] = 0xff, 0xff, 10 }, .prefix = 96 + 8 },
		{ .addr = { [10] = 0xff, 0xff, 100, 64 }, .prefix = 96 + 10 }, { .addr = { [10] = 0xff, 0xff, 127 }, .prefix = 96 + 8 },
		{ .addr = { [10] = 0xff, 0xff, 169, 254 }, .prefix = 96 + 16 }, { .addr = { [10] = 0xff, 0xff, 172, 16 }, .prefix = 96 + 12 },
		{ .addr = { [10] = 0xff, 0xff, 192, 168 }, .prefix = 96 + 16 }, { .addr = { [10] = 0xff, 0xff, 224 }, .prefix = 96 + 3 },
	};
	static const struct network global6 = { .addr = { 0x20 }, .prefix = 3 };
	static const struct network nat64 = { .addr = { 0, 0x64, 0xff, 0x9b }, .prefix = 96 };

	if (!address_is_v4(net->addr) || net->prefix < 96)
		return (net->prefix >= 3 && address_overlap(&global6, net)) || (net->prefix >= 96 && address_overlap(&nat64, net));
	for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++)
		if (address_overlap(&v4[i], net))
			return false;
	return true;
}

static bool is_wide(const struct network *net)
{
	bool v4 = address_is_v4(net->addr) && net->prefix >= 96;

	return net->prefix < (v4 ? 96 + LIST_PREFIX_MIN4 : LIST_PREFIX_MIN6);
}

/* Counts it, and says whether it may be added. */
static bool count_network(struct list *list, bool wide, bool public, unsigned flags)
{
	if (wide || !public) {
		list_skip(list, wide ? SKIP_WIDE : SKIP_LOCAL);
		return false;
	}
	list->counts->used++;
	if (flags & LIST_EXCEPT)
		list->counts->exceptions++;
	else
		list->counts->addresses++;
	return true;
}

static void add_network(struct list *list, struct network *net, struct span text, unsigned flags)
{
	struct address_set *set = flags & LIST_EXCEPT ? list->to->excepted_addresses : list->to->addresses;

	if (!set || list->error)
		return;
	net->source = (uint8_t)(list->to->source | (flags & LIST_STRONG ? LIST_IMPORTANT : 0));
	net->line = list->line;
	list->error = set->n >= ADDRESS_LISTS_MAX ? -E2BIG : address_set_add(set, net, text.p, span_len(text));
}

/* "first-last", both of one family. */
static bool parse_range(struct span word, struct network *first, struct network *last)
{
	struct span rest = word, low = next_part(&rest, '-'), high = span_trim(rest);

	return address_parse(low.p, span_len(low), first) == ADDRESS_GOOD && address_parse(high.p, span_len(high), last) == ADDRESS_GOOD &&
	       !first->port && !last->port && first->prefix == 128 && last->prefix == 128 &&
	       address_is_v4(first->addr) == address_is_v4(last->addr) && memcmp(first->addr, last->addr, sizeof(first->addr)) <= 0;
}

static void add_range(struct list *list, struct span word, const struct network *first, const struct network *last, unsigned flags)
{
	struct network net = { .port = 0 };
	uint8_t at[16];
	bool wide = false, public = true, more = true;

	memcpy(at, first->addr, sizeof(at));
	while (more) {
		more = address_range(at, last->addr, &net);
		wide = wide || is_wide(&net);
		public = public && is_public(&net);
	}
	if (!count_network(list, wide, public, flags))
		return;
	memcpy(at, first->addr, sizeof(at));
	for (more = true; more;) {
		more = address_range(at, last->addr, &net);
		add_network(list, &net, word, flags);
	}
}

bool list_address(struct list *list, struct span word, unsigned port, unsigned flags)
{
	struct network net = { .port = 0 }, last = { .port = 0 };
	enum address_problem problem = address_parse(word.p, span_len(word), &net);

	if (problem == ADDRESS_SHAPE) {
		if (!parse_range(word, &net, &last))
			return false;
		add_range(list, word, &net, &last, flags);
		return true;
	}
	/* Bits behind the prefix are what ipset and nftables take off, too. */
	if (problem != ADDRESS_GOOD && problem != ADDRESS_HOST_BITS)
		return false;
	if (!net.port)
		net.port = (uint16_t)port;
	if (count_network(list, is_wide(&net), is_public(&net), flags))
		add_network(list, &net, word, flags);
	return true;
}

static int base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int list_base64(struct span s, char *to, size_t size)
{
	size_t n = 0;

	if (span_empty(s) || span_len(s) % 4)
		return -1;
	for (; s.p < s.end; s.p += 4) {
		unsigned pad = s.p + 4 < s.end ? 0 : s.p[2] == '=' && s.p[3] == '=' ? 2 : s.p[3] == '=';
		unsigned bits = 0;

		for (unsigned i = 0; i < 4; i++) {
			int value = i + pad < 4 ? base64_value(s.p[i]) : 0;

			if (value < 0)
				return -1;
			bits = bits << 6 | (unsigned)value;
		}
		for (unsigned i = 0; i + pad < 3; i++) {
			if (n == size)
				return -1;
			to[n++] = (char)(bits >> (16 - 8 * i));
		}
	}
	return (int)n;
}
