/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which format a list has, by what most of its first lines look like. A wrong guess costs entries, never makes wrong names: each
 * reader skips what is not of its format. */
#include <string.h>

#include "policy/list_line.h"

/* Lines that decide: enough to outvote an odd head, few enough to cost nothing. */
#define DETECT_LINES 256

static bool starts_with_one(struct span line, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_starts(line, words[i]))
			return true;
	return false;
}

#define STARTS_WITH_ONE(line, words) starts_with_one(line, words, sizeof(words) / sizeof((words)[0]))

/* Beginnings that only one format has. */
static enum list_format by_begin(struct span line)
{
	static const char *const adblock[] = { "||", "@@", "[adblock", "[ublock", "[adguard", "##", "#@#", "#?#", "|http" };
	static const char *const dnsmasq[] = { "address=/", "server=/", "local=/" };
	static const char *const unbound[] = { "local-zone:", "local-data:", "server:" };
	static const char *const rpz[] = { "$ttl", "$origin" };
	static const char *const nftables[] = { "table inet ", "table ip ", "table ip6 ", "add element ", "define ", "set " };
	static const char *const ipset[] = { "create ", "add " };

	if (STARTS_WITH_ONE(line, adblock))
		return LIST_ADBLOCK;
	if (STARTS_WITH_ONE(line, dnsmasq))
		return LIST_DNSMASQ;
	if (STARTS_WITH_ONE(line, unbound))
		return LIST_UNBOUND;
	if (STARTS_WITH_ONE(line, rpz))
		return LIST_RPZ;
	if (STARTS_WITH_ONE(line, nftables))
		return LIST_NFTABLES;
	if (STARTS_WITH_ONE(line, ipset))
		return LIST_IPSET;
	return LIST_AUTO;
}

static bool is_adblock(struct span line)
{
	static const char *const marks[] = { "##", "#@#", "#?#", "^$", "$third-party", "$domain=", "$script", "$doc" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (span_has(line, marks[i]))
			return true;
	return line.end[-1] == '^' || (*line.p == '/' && line.end[-1] == '/' && span_len(line) > 2);
}

/* "name CNAME .", "@ IN SOA ..." */
static bool is_rpz(struct span line)
{
	struct span word = next_word(&line, ';');

	for (unsigned i = 0; i < 4 && !span_empty(word); i++) {
		word = next_word(&line, ';');
		if (span_is(word, "CNAME") || span_is(word, "SOA"))
			return true;
	}
	return false;
}

/* "label:first-last" or "first - last , level , label", first and last of IPv4. */
static bool is_range(struct span line)
{
	struct span rest = line, range = next_part(&rest, ',');
	const char *colon = memrchr(line.p, ':', span_len(line)), *p;
	unsigned dots = 0, dashes = 0;

	if (colon)
		range = (struct span) { colon + 1, line.end };
	else if (rest.p == line.end)
		return false;		/* a range alone is plain */
	for (p = range.p; p < range.end && strchr("0123456789. -", *p) && *p; p++) {
		dots += *p == '.';
		dashes += *p == '-';
	}
	return p == range.end && dots == 6 && dashes == 1;
}

static bool is_dataset(struct span line)
{
	struct span value = next_part(&line, ',');
	struct name_entry entry;
	char text[LIST_LINE_MAX];
	int n = span_len(value) < LIST_LINE_MAX ? list_base64(value, text, sizeof(text)) : -1;

	return n > 0 && name_parse(text, (size_t)n, &entry) == NAME_GOOD;
}

/* What rules for browsers begin with, whatever their first thousand lines are. */
static bool is_adblock_head(struct span line)
{
	static const char *const heads[] = { "[adblock", "! title:", "! expires:" };

	return STARTS_WITH_ONE(line, heads);
}

static enum list_format by_line(struct span line)
{
	enum list_format format = by_begin(line);
	struct span rest = line, word;
	bool sink;

	if (format != LIST_AUTO)
		return format;
	if (is_adblock(line))
		return LIST_ADBLOCK;
	word = next_word(&rest, 0);
	if (span_empty(word) || *word.p == '!' || *word.p == ';' || span_starts(word, "//"))
		return LIST_AUTO;
	if (is_rpz(line))
		return LIST_RPZ;
	if (is_range(line))
		return LIST_P2P;
	if (list_is_sink(word, &sink) && !span_empty(next_word(&rest, ';')))
		return LIST_HOSTS;
	if (is_dataset(line))
		return LIST_SURICATA;
	return span_starts(word, "*.") || (*word.p == '.' && span_len(word) > 1) ? LIST_WILDCARD : LIST_PLAIN;
}

enum list_format list_detect(struct span text)
{
	unsigned votes[LIST_FORMATS] = { 0 }, n = 0;
	enum list_format best = LIST_PLAIN;

	while (text.p < text.end && n < DETECT_LINES) {
		struct span line = span_trim(next_line(&text));
		enum list_format format = span_empty(line) || span_len(line) > 64 * LIST_LINE_MAX ? LIST_AUTO : by_line(line);

		if (format == LIST_NFTABLES)
			return format;
		if (is_adblock_head(line))
			return LIST_ADBLOCK;
		votes[format]++;
		n += format != LIST_AUTO;
	}
	/* "*.x" is of the plain format, too, and means less there: only a list of nothing else says otherwise. */
	if (votes[LIST_PLAIN]) {
		votes[LIST_PLAIN] += votes[LIST_WILDCARD];
		votes[LIST_WILDCARD] = 0;
	}
	votes[LIST_AUTO] = 0;
	for (enum list_format f = LIST_PLAIN; f < LIST_FORMATS; f++)
		if (votes[f] > votes[best])
			best = f;
	return best;
}
