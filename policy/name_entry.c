/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of lists and policies as entries of a name set: what is a host name, in lower case and as the wire has it. It judges
 * the text alone and asks nobody whether the name exists. */
#include "policy/names.h"

#include "policy/eight.h"

#ifdef MINEWALL_IDN
#include <idn2.h>
#endif

/* Top bits of the bytes that a host name in a list or policy may hold; the word is in lower case. */
static inline uint64_t name_bytes(uint64_t word)
{
	uint64_t low = word & ~EIGHT_TOPS;

	return (eight_between(low, 'a', 'z') | eight_between(low, '-', '.') | eight_between(low, '0', '9') |
		eight_between(low, '_', '_')) & ~word;
}

size_t name_scan(const char *text, size_t len, struct name_entry *entry)
{
	size_t at = 0;

	entry->below = false;
	entry->n_dots = 0;
	for (; at < len && at <= NAME_LEN_MAX; at += 8) {
		uint64_t word = eight_lower(len - at < 8 ? eight_load(text + at, len - at) : eight_load(text + at, 8));
		uint64_t bad = ~name_bytes(word) & EIGHT_TOPS;
		uint64_t dots = eight_between(word & ~EIGHT_TOPS, '.', '.');

		eight_store(entry->text + at, word);
		/* Only what lies before the first byte that is none. */
		for (dots &= (bad & -bad) - 1; dots; dots &= dots - 1)
			entry->dots[entry->n_dots++] = (uint8_t)(at + eight_first(dots));
		if (bad) {
			at += eight_first(bad);
			break;
		}
	}
	entry->len = at < len ? at : len;
	return entry->len;
}

/* "co.uk", "com.br": second levels that are registries under nearly every country code. */
static bool is_registry(const char *name, size_t len)
{
	static const char *const second[] = { "ac", "co", "com", "edu", "gov", "net", "org" };

	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		size_t n = strlen(second[i]);

		if (len == n + 3 && name[n] == '.' && !memcmp(name, second[i], n))
			return true;
	}
	return false;
}

static bool is_number(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

enum name_problem name_settle(struct name_entry *entry)
{
	size_t label = 0, len = entry->len;

	if (len && len <= NAME_LEN_MAX && entry->text[len - 1] == '.') {
		entry->len = --len;
		entry->n_dots--;
	}
	if (!len)
		return NAME_EMPTY;
	if (len > NAME_ENTRY_MAX)
		return NAME_LONG;
	for (unsigned i = 0; i < entry->n_dots; i++) {
		if (entry->dots[i] == label || entry->dots[i] - label > NAME_LABEL_MAX)
			return NAME_LABEL;
		label = entry->dots[i] + 1u;
	}
	if (len == label || len - label > NAME_LABEL_MAX)
		return NAME_LABEL;
	if (is_number(entry->text + label, len - label))
		return NAME_ADDRESS;
	entry->text[len] = '\0';
	if (!entry->n_dots || (entry->n_dots == 1 && len <= 6 && is_registry(entry->text, len)))
		return NAME_WIDE;
	return NAME_GOOD;
}

enum name_problem name_parse(const char *text, size_t len, struct name_entry *entry)
{
	bool below = len >= 2 && text[0] == '*' && text[1] == '.';
	enum name_problem problem;
	size_t run;

	if (below) {
		text += 2;
		len -= 2;
	}
	/* The longest that is right has a trailing dot; bytes behind that do not matter. */
	run = name_scan(text, len, entry);
	if (run > NAME_LEN_MAX)
		return NAME_LONG;
	if (run < len)
		return (unsigned char)text[run] >= 0x80 ? NAME_UNICODE : NAME_BYTE;
	problem = name_settle(entry);
	entry->below = below;
	return problem;
}

#ifdef MINEWALL_IDN

/* IDNA 2008 as browsers look names up (UTS 46, non-transitional): what a client sends is what an entry must say. */
enum name_problem name_parse_any(const char *text, size_t len, struct name_entry *entry)
{
	enum name_problem problem = name_parse(text, len, entry);
	char unicode[4 * NAME_LEN_MAX + 1];
	char *ascii = NULL;
	bool below;

	if (problem != NAME_UNICODE || len >= sizeof(unicode) || memchr(text, '\0', len))
		return problem;
	below = len >= 2 && text[0] == '*' && text[1] == '.';
	memcpy(unicode, text + 2 * below, len - 2 * below);
	unicode[len - 2 * below] = '\0';
	if (idn2_to_ascii_8z(unicode, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return NAME_UNICODE;
	problem = name_parse(ascii, strlen(ascii), entry);
	entry->below = below;
	idn2_free(ascii);
	return problem == NAME_BYTE ? NAME_UNICODE : problem;
}

bool name_knows_unicode(void)
{
	return true;
}

#else

enum name_problem name_parse_any(const char *text, size_t len, struct name_entry *entry)
{
	return name_parse(text, len, entry);
}

bool name_knows_unicode(void)
{
	return false;
}

#endif

const char *name_problem_text(enum name_problem problem)
{
	switch (problem) {
	case NAME_GOOD:
		return "it is right";
	case NAME_EMPTY:
		return "it is empty";
	case NAME_LONG:
		return "it has more than 253 bytes";
	case NAME_LABEL:
		return "a label is empty or has more than 63 bytes";
	case NAME_BYTE:
		return "it has a byte that no host name has";
	case NAME_UNICODE:
		return "it is not ASCII: write its xn-- form";
	case NAME_ADDRESS:
		return "it is an address or ends in a number";
	case NAME_WIDE:
		return "it would cover a whole top-level domain or registry";
	}
	return "";
}
