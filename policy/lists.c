/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads list text line by line and puts what the formats' readers find into the sets, with its line; counts the rest by reason.
 * Anything in another syntax must end as skipped, never as a wrong name. */
#include "policy/lists.h"

#include <errno.h>
#include <string.h>

#include "policy/list_line.h"

static const char *const format_texts[] = {
	[LIST_AUTO] = "auto", [LIST_PLAIN] = "plain", [LIST_HOSTS] = "hosts", [LIST_ADBLOCK] = "adblock", [LIST_DNSMASQ] = "dnsmasq",
	[LIST_UNBOUND] = "unbound", [LIST_RPZ] = "rpz", [LIST_IPSET] = "ipset", [LIST_NFTABLES] = "nftables", [LIST_P2P] = "p2p",
	[LIST_SURICATA] = "suricata", [LIST_WILDCARD] = "wildcard",
};

static const char *const reason_texts[] = {
	[SKIP_PATH] = "path", [SKIP_COSMETIC] = "cosmetic", [SKIP_REGEX] = "regex", [SKIP_PATTERN] = "pattern",
	[SKIP_OPTION] = "option", [SKIP_DISABLED] = "disabled", [SKIP_REDIRECT] = "redirect", [SKIP_DIRECTIVE] = "directive",
	[SKIP_PORT] = "port", [SKIP_UNICODE] = "unicode", [SKIP_NAME] = "name", [SKIP_LONG] = "long", [SKIP_ADDRESS] = "address",
	[SKIP_WIDE] = "wide", [SKIP_LOCAL] = "local", [SKIP_SYNTAX] = "syntax",
};

const char *list_format_text(enum list_format format)
{
	return format_texts[format];
}

const char *list_reason_text(enum list_reason reason)
{
	return reason_texts[reason];
}

const char *list_alien_text(enum list_alien alien)
{
	switch (alien) {
	case ALIEN_NONE:
		return "looks like a list";
	case ALIEN_PACKED:
		return "looks like a packed file (gzip or another)";
	case ALIEN_WIDE:
		return "looks like UTF-16 text";
	case ALIEN_PAGE:
		return "looks like a web page";
	}
	return "";
}

void list_skip(struct list *list, enum list_reason reason)
{
	list->counts->skipped++;
	list->counts->reasons[reason]++;
}

void list_skip_name(struct list *list, struct span word, enum name_problem problem)
{
	switch (problem) {
	case NAME_LONG:
		list_skip(list, SKIP_LONG);
		return;
	case NAME_UNICODE:
		list_skip(list, SKIP_UNICODE);
		return;
	case NAME_WIDE:
		list_skip(list, SKIP_WIDE);
		return;
	case NAME_ADDRESS:
		list_skip(list, SKIP_ADDRESS);
		return;
	case NAME_GOOD:
	case NAME_EMPTY:
	case NAME_LABEL:
	case NAME_BYTE:
		break;
	}
	if (memchr(word.p, '*', span_len(word)))
		list_skip(list, SKIP_PATTERN);
	else if (memchr(word.p, '/', span_len(word)))
		list_skip(list, SKIP_PATH);
	else
		list_skip(list, SKIP_NAME);
}

void list_add_name(struct list *list, const struct name_entry *entry, unsigned flags)
{
	const struct list_target *to = list->to;
	struct name_set *set = flags & LIST_EXCEPT ? to->excepted_names : to->names;
	unsigned source = to->source | (flags & LIST_STRONG ? LIST_IMPORTANT : 0);

	list->counts->used++;
	if (flags & LIST_EXCEPT)
		list->counts->exceptions++;
	else
		list->counts->names++;
	if (set && !list->error)
		list->error = name_set_add(set, entry, source, list->line);
}

/* The names of the machine itself are no entries; a list that excepts them says nothing either. */
bool list_is_local(const char *name, size_t len)
{
	static const char *const names[] = {
		"localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6",
		"localhost6.localdomain6", "local", "broadcasthost",
	};
	struct span s = { name, name + len };

	/* They start with one of three letters; the others need not be compared with eight words. */
	if (!len || ((*name | 0x20) != 'l' && (*name | 0x20) != 'b' && (*name | 0x20) != 'i'))
		return false;
	if (span_starts(s, "ip6-"))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is(s, names[i]))
			return true;
	return false;
}

void list_name(struct list *list, struct span word, unsigned flags)
{
	struct name_entry entry;
	enum name_problem problem;

	if (span_len(word) > 1 && *word.p == '.') {
		word.p++;		/* Squid and others: the name and all below */
	} else if (flags & LIST_ITSELF && span_starts(word, "*.")) {
		word.p += 2;
	}
	problem = name_parse_any(word.p, span_len(word), &entry);
	if (problem == NAME_GOOD)
		list_add_name(list, &entry, flags);
	else
		list_skip_name(list, word, problem);
}

/* Digits, dots, colons and what stands around an address, so that a broken one is not taken for a broken name. */
static bool like_address(struct span word)
{
	bool v4 = true, ended = false, colon = false;

	for (const char *p = word.p; p < word.end; p++) {
		if (!*p || !strchr("0123456789abcdefABCDEF.:/[]-", *p))
			return false;
		colon = colon || *p == ':';
		ended = ended || (p > word.p && strchr("/:-", *p));
		if (!ended && !is_digit(*p) && *p != '.')
			v4 = false;
	}
	return colon || v4;
}

void list_entry(struct list *list, struct span word, unsigned flags)
{
	struct name_entry entry;

	if (!span_empty(word) && !strchr("*.", *word.p)) {
		size_t run = name_scan(word.p, span_len(word), &entry);

		if (run == span_len(word) && run <= NAME_LEN_MAX && name_settle(&entry) == NAME_GOOD) {
			list_add_name(list, &entry, flags);
			return;
		}
		if (list_address(list, word, 0, flags))
			return;
		if (like_address(word)) {
			list_skip(list, SKIP_ADDRESS);
			return;
		}
	}
	list_name(list, word, flags);
}

/* What a text is that is no list at all. */
static enum list_alien alien_of(struct span text)
{
	static const struct { const char *magic; size_t len; enum list_alien alien; } magics[] = {
		{ "\x1f\x8b", 2, ALIEN_PACKED }, { "\xfd" "7zXZ", 5, ALIEN_PACKED }, { "BZh", 3, ALIEN_PACKED },
		{ "PK\x03\x04", 4, ALIEN_PACKED }, { "\x28\xb5\x2f\xfd", 4, ALIEN_PACKED }, { "7z\xbc\xaf", 4, ALIEN_PACKED },
		{ "\xff\xfe", 2, ALIEN_WIDE }, { "\xfe\xff", 2, ALIEN_WIDE },
	};

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (span_len(text) >= magics[i].len && !memcmp(text.p, magics[i].magic, magics[i].len))
			return magics[i].alien;
	while (text.p < text.end && (is_blank(*text.p) || *text.p == '\n'))
		text.p++;
	/* Without a byte order mark: the first of two letters has an empty half. */
	if (span_len(text) >= 4 && (!text.p[0] != !text.p[1]) && !text.p[0] == !text.p[2] && !text.p[1] == !text.p[3])
		return ALIEN_WIDE;
	if (span_starts(text, "<!doctype") || span_starts(text, "<html") || span_starts(text, "<?xml") || span_starts(text, "<head") ||
	    span_starts(text, "<!--"))
		return ALIEN_PAGE;
	return ALIEN_NONE;
}

static void read_line(struct list *list, struct span line, size_t len, enum list_format format)
{
	static void (*const readers[LIST_FORMATS])(struct list *list, struct span line) = {
		[LIST_PLAIN] = list_plain_line, [LIST_HOSTS] = list_hosts_line, [LIST_ADBLOCK] = list_adblock_line,
		[LIST_DNSMASQ] = list_dnsmasq_line, [LIST_UNBOUND] = list_unbound_line, [LIST_RPZ] = list_rpz_line,
		[LIST_IPSET] = list_ipset_line, [LIST_P2P] = list_p2p_line, [LIST_SURICATA] = list_suricata_line,
		[LIST_WILDCARD] = list_wildcard_line,
	};

	/* A comment may be of any length. */
	if (len <= LIST_LINE_MAX)
		readers[format](list, line);
	else if (*line.p != '#' && *line.p != '!' && *line.p != ';')
		list_skip(list, SKIP_LONG);
}

/* A text of lines. RPZ: a blank in front means the owner of the line before. */
static void read_lines(struct list *list, struct span all, enum list_format format)
{
	list->prefix = list->owner = list->origin = (struct span) { all.p, all.p };
	if (format == LIST_ADBLOCK)
		list_adblock_init(list, all);
	while (all.p < all.end && !list->error) {
		struct span line, trimmed;

		if (format == LIST_PLAIN || (format == LIST_HOSTS && !span_empty(list->prefix)))
			list_quick(list, &all);
		line = next_line(&all);
		trimmed = span_trim(line);
		list->line++;
		if (!span_empty(trimmed))
			read_line(list, format == LIST_RPZ ? (struct span) { line.p, trimmed.end } : trimmed, span_len(line), format);
	}
	list_adblock_fini(list);
}

int list_load(const struct list_target *to, enum list_format format, const char *text, size_t len, struct list_counts *counts)
{
	struct list list = { .to = to, .counts = counts };
	struct span all = { text, text + len };

	*counts = (struct list_counts) { .alien = alien_of(all), .format = format };
	if (counts->alien)
		return 0;
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		all.p += 3;
	counts->alien = alien_of(all);
	if (format == LIST_AUTO)
		counts->format = format = list_detect(all);
	if (counts->alien)
		return 0;
	if (to->names)
		name_set_expect(to->names, len);
	if (format == LIST_NFTABLES)
		list_nftables(&list, all);
	else
		read_lines(&list, all, format);
	return list.error;
}

int list_read(struct name_set *set, unsigned source, enum list_format format, const char *text, size_t len,
	      struct list_counts *counts)
{
	struct list_target to = { .names = set, .source = source };

	return list_load(&to, format, text, len, counts);
}
