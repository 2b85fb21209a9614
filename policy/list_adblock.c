/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules for browsers (Adblock Plus, uBlock Origin, AdGuard) as a gateway can keep them: it sees which host a connection is for,
 * never the page it came from, the kind of request or the path. A rule of which it could keep only a part is skipped whole. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/list_line.h"

/* A rule in its parts; the pattern is without "@@". */
struct rule {
	struct span pattern, options;
	bool except;
};

static bool starts_options(const char *dollar, const char *end)
{
	char c = dollar + 1 < end ? dollar[1] : '\0';

	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '~' || c == '_';
}

/* Behind the first '$' that a word follows; of a regular expression, which may have such in it, behind the last one. */
static struct rule parse_rule(struct span line)
{
	struct rule rule = { .except = span_starts(line, "@@") };
	const char *at = NULL;

	line.p += rule.except ? 2 : 0;
	for (const char *p = line.p; p < line.end; p++)
		if (*p == '$' && starts_options(p, line.end) && (!at || *line.p == '/'))
			at = p;
	rule.pattern = (struct span) { line.p, at ? at : line.end };
	rule.options = (struct span) { at ? at + 1 : line.end, line.end };
	return rule;
}

/* Separators of rules that change pages; '#' alone begins a comment. */
static bool is_cosmetic(struct span line)
{
	static const char *const marks[] = { "##", "#@#", "#?#", "#$#", "#%#", "#@?#", "#@$#", "#@%#", "#$?#", "#@$?#", "$$", "$@$" };

	if (span_starts(line, "[$"))
		return true;
	if (*line.p == '#' && (span_len(line) < 3 || (line.p[1] == '#' && (line.p[2] == '#' || is_blank(line.p[2])))))
		return false;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (*line.p == '#' ? span_starts(line, marks[i]) : span_has(line, marks[i]))
			return true;
	return false;
}

static bool is_comment(struct span line)
{
	return *line.p == '!' || *line.p == '#' || *line.p == '[';
}

static bool is_one_of(struct span word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(word, words[i]))
			return true;
	return false;
}

/* Whether the gateway keeps what the rule says with this option. "third-party" is kept though it sees no party: a host that
 * others may not load from has nothing for its own visitors either, in the lists that this is for. */
static bool is_kept(struct span option, bool except)
{
	static const char *const always[] = { "third-party", "3p", "strict3p", "strict-third-party", "important", "match-case", "badfilter" };
	static const char *const blocking[] = { "document", "doc", "all" };
	static const char *const refusals[] = { "nxdomain", "refused", "0.0.0.0", "::" };
	struct span value = option, key = next_part(&value, '=');

	if (span_is(key, "dnsrewrite"))
		return !except && is_one_of(value, refusals, sizeof(refusals) / sizeof(refusals[0]));
	if (span_is(key, "reason") || (*key.p == '_' && span_empty(value)))
		return true;		/* a remark, a filler */
	if (key.end != option.end)
		return false;
	return is_one_of(key, always, sizeof(always) / sizeof(always[0])) ||
	       (!except && is_one_of(key, blocking, sizeof(blocking) / sizeof(blocking[0])));
}

/* Answers the flags, or -1 if an option is not kept. */
static int read_options(struct rule *rule, bool *disables)
{
	struct span rest = rule->options;
	int flags = rule->except ? LIST_EXCEPT : 0;

	*disables = false;
	while (!span_empty(rest)) {
		struct span option = next_part(&rest, ',');

		if (span_empty(option) || !is_kept(option, rule->except))
			return -1;
		if (span_is(option, "important"))
			flags |= LIST_STRONG;
		*disables = *disables || span_is(option, "badfilter");
	}
	return flags;
}

/* The host of a pattern that is a host and nothing else; or why it is none. */
static bool host_of(struct span pattern, struct span *host, enum list_reason *reason)
{
	static const char *const tails[] = { "^|", "^*", "/*", "^", "|", "/" };
	bool anchored = span_starts(pattern, "||"), whole = true;

	*host = pattern;
	if (span_len(pattern) >= 2 && *pattern.p == '/' && pattern.end[-1] == '/') {
		*reason = SKIP_REGEX;
		return false;
	}
	host->p += anchored ? 2 : 0;
	if (span_empty(*host)) {
		*reason = anchored ? SKIP_SYNTAX : SKIP_OPTION;		/* "$csp=...": for whatever is asked for */
		return false;
	}
	for (size_t i = 0; anchored && i < sizeof(tails) / sizeof(tails[0]); i++) {
		size_t len = strlen(tails[i]);

		if (span_len(*host) >= len && !memcmp(host->end - len, tails[i], len)) {
			host->end -= len;
			break;
		}
	}
	*reason = SKIP_SYNTAX;
	if (span_empty(*host))
		return false;
	for (const char *p = host->p; p < host->end; p++)
		whole = whole && !strchr("/?=&^|,;%", *p) && *p;
	*reason = SKIP_PATH;
	if (!whole || (!anchored && span_has(*host, "*")))
		return false;
	*reason = SKIP_PATTERN;
	if (memchr(host->p + 1, '*', span_len(*host) - 1) || (*host->p == '*' && !span_starts(*host, "*.")))
		return false;
	return true;
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* Without "||" a pattern is a piece of a URL, unless it is a whole host name or address by itself. */
static bool is_bare_host(struct span host)
{
	struct network net;
	struct name_entry entry;
	enum address_problem problem = address_parse(host.p, span_len(host), &net);

	if (problem == ADDRESS_GOOD)
		return net.prefix == 128;
	return is_word_byte(*host.p) && is_word_byte(host.end[-1]) && name_parse(host.p, span_len(host), &entry) == NAME_GOOD;
}

/* Order-free: two writings of the same options give one key. Collisions only matter to the list's own author. */
static uint64_t key_of(const struct rule *rule)
{
	struct span rest = rule->options;
	uint64_t key = rule->except;

	for (const char *p = rule->pattern.p; p < rule->pattern.end; p++)
		key = (key ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	while (!span_empty(rest)) {
		struct span option = next_part(&rest, ',');
		uint64_t one = UINT64_C(0xcbf29ce484222325);

		if (span_is(option, "badfilter"))
			continue;
		for (const char *p = option.p; p < option.end; p++)
			one = (one ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
		key += one;
	}
	return key;
}

static int compare_keys(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static void add_disabled(struct list *list, uint64_t key)
{
	if (!(list->n_disabled & (list->n_disabled - 1))) {
		size_t size = list->n_disabled ? list->n_disabled * 2 : 1;
		uint64_t *keys = reallocarray(list->disabled, size, sizeof(*keys));

		if (!keys) {
			list->error = -ENOMEM;
			return;
		}
		list->disabled = keys;
	}
	list->disabled[list->n_disabled++] = key;
}

void list_adblock_init(struct list *list, struct span text)
{
	if (!span_has(text, "badfilter"))
		return;
	while (text.p < text.end && !list->error) {
		struct span line = span_trim(next_line(&text));
		struct rule rule;
		bool disables;

		if (span_empty(line) || span_len(line) > LIST_LINE_MAX || !span_has(line, "badfilter"))
			continue;
		rule = parse_rule(line);
		if (read_options(&rule, &disables) >= 0 && disables)
			add_disabled(list, key_of(&rule));
	}
	if (list->n_disabled)
		qsort(list->disabled, list->n_disabled, sizeof(*list->disabled), compare_keys);
}

void list_adblock_fini(struct list *list)
{
	free(list->disabled);
	list->disabled = NULL;
	list->n_disabled = 0;
}

static bool is_disabled(const struct list *list, const struct rule *rule)
{
	uint64_t key = key_of(rule);

	return list->n_disabled && bsearch(&key, list->disabled, list->n_disabled, sizeof(key), compare_keys);
}

static bool is_hosts_line(struct span line)
{
	struct span first = next_word(&line, 0);
	bool sink;

	return list_is_sink(first, &sink) && !span_empty(next_word(&line, 0));
}

static void read_rule(struct list *list, struct rule *rule)
{
	enum list_reason reason = SKIP_PATH;
	struct span host;
	bool disables;
	int flags;

	if (!host_of(rule->pattern, &host, &reason)) {
		list_skip(list, reason);
		return;
	}
	if (!span_starts(rule->pattern, "||") && !is_bare_host(host)) {
		list_skip(list, SKIP_PATH);
		return;
	}
	flags = read_options(rule, &disables);
	if (flags < 0)
		list_skip(list, SKIP_OPTION);
	else if (disables || is_disabled(list, rule))
		list_skip(list, SKIP_DISABLED);
	else if (span_has(host, ":") && !list_address(list, host, 0, (unsigned)flags))
		list_skip(list, SKIP_PORT);
	else if (!span_has(host, ":"))
		list_entry(list, host, (unsigned)flags);
}

void list_adblock_line(struct list *list, struct span line)
{
	struct rule rule;

	if (is_cosmetic(line)) {
		list_skip(list, SKIP_COSMETIC);
		return;
	}
	if (is_comment(line))
		return;
	if (is_hosts_line(line)) {
		list_hosts_line(list, line);
		return;
	}
	rule = parse_rule(line);
	read_rule(list, &rule);
}
