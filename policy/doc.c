/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libyaml's document as positions and messages. Limits are checked on the event stream before the tree is built, so
 * that aliases, depth and number of nodes are bounded whatever libyaml would do with them. */
#include "policy/doc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message is one line: control bytes become '?', C1 controls (UTF-8 c2 80..9f), too. */
static void flatten(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		bool c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;

		if (*p < 0x20 || *p == 0x7f || c1)
			*p = '?';
		if (c1)
			*++p = '?';
	}
}

static int fail_at(struct doc *doc, const yaml_mark_t *mark, int kind, const char *format, va_list args)
{
	struct policy_error *e = doc->error;
	int n;

	if (mark)
		n = snprintf(e->text, sizeof(e->text), "%s:%zu:%zu: ", doc->file, mark->line + 1, mark->column + 1);
	else
		n = snprintf(e->text, sizeof(e->text), "%s: ", doc->file);
	if (n >= 0 && (size_t)n < sizeof(e->text))
		vsnprintf(e->text + n, sizeof(e->text) - n, format, args);
	flatten(e->text);
	e->kind = kind;
	return -1;
}

static int __attribute__((format(printf, 3, 4))) fail_mark(struct doc *doc, const yaml_mark_t *mark,
							    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_at(doc, mark, POLICY_INVALID, format, args);
	va_end(args);
	return -1;
}

int doc_fail(struct doc *doc, const yaml_node_t *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_at(doc, node ? &node->start_mark : NULL, POLICY_INVALID, format, args);
	va_end(args);
	return -1;
}

int doc_fail_kind(struct doc *doc, const yaml_node_t *node, int kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_at(doc, node ? &node->start_mark : NULL, kind, format, args);
	va_end(args);
	return -1;
}

const char *doc_quote(const yaml_node_t *scalar, char *to)
{
	size_t len = scalar->data.scalar.length;
	const unsigned char *p = scalar->data.scalar.value;
	bool cut = len > 60;

	if (cut)
		for (len = 60; len && (p[len] & 0xc0) == 0x80;)
			len--;		/* never in the middle of a character */
	snprintf(to, DOC_QUOTE, "'%.*s%s'", (int)len, (const char *)p, cut ? "..." : "");
	return to;
}

unsigned doc_line(const yaml_node_t *node)
{
	return (unsigned)node->start_mark.line + 1;
}

/* A reader error has no mark, only the offset of the byte. */
static yaml_mark_t mark_of_offset(const char *text, size_t len, size_t offset)
{
	yaml_mark_t mark = { 0 };

	for (size_t i = 0; i < offset && i < len; i++) {
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* What most often is behind the parser's words, and whether the place is that where its context began. */
static const struct {
	const char *problem, *context, *text;
	bool at_context;
} plainer[] = {
	{ "mapping values are not allowed", "", "a key where none can be, expected it below the keys of its mapping, and text with ': ' in quotes", false },
	{ "could not find expected ':'", "", "no 'key: value', expected a blank behind the ':'", true },
	{ "unexpected end of stream", "quoted scalar", "a quote is opened here and never closed, expected it to be", true },
	{ "", "scanning an alias", "a bare '*' makes a YAML alias, expected it in quotes, such as \"*.pool.example\"", true },
};

static int fail_parser(struct doc *doc, const yaml_parser_t *parser, const char *text, size_t len)
{
	const char *problem = parser->problem ? parser->problem : "unreadable";
	yaml_mark_t mark = parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		return doc_fail_kind(doc, NULL, POLICY_NO_MEMORY, "not enough memory");
	if (parser->error == YAML_READER_ERROR) {
		mark = mark_of_offset(text, len, parser->problem_offset);
		return fail_mark(doc, &mark, "%s, expected UTF-8 text", problem);
	}
	if (strstr(problem, "cannot start any token"))
		return fail_mark(doc, &mark,
				 "%s, expected YAML (no tabs for indentation, text with special characters in quotes)", problem);
	for (size_t i = 0; i < sizeof(plainer) / sizeof(plainer[0]); i++)
		if (strstr(problem, plainer[i].problem) && strstr(parser->context ? parser->context : "", plainer[i].context))
			return fail_mark(doc, plainer[i].at_context ? &parser->context_mark : &mark, "%s", plainer[i].text);
	if (parser->context)
		return fail_mark(doc, &mark, "%s (%s that starts at line %zu), expected valid YAML", problem,
				 parser->context, parser->context_mark.line + 1);
	return fail_mark(doc, &mark, "%s, expected valid YAML", problem);
}

struct limits {
	unsigned depth, nodes, aliases, documents;
};

static int check_event(struct doc *doc, const yaml_event_t *event, struct limits *seen)
{
	bool anchor = false;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++seen->documents > 1)
			return fail_mark(doc, &event->start_mark, "a second document, expected only one");
		return 0;
	case YAML_ALIAS_EVENT:
		anchor = true;
		break;
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		seen->depth++;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		seen->depth++;
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		seen->depth--;
		return 0;
	default:
		return 0;
	}
	if (anchor && ++seen->aliases > DOC_ALIASES_MAX)
		return fail_mark(doc, &event->start_mark, "too many anchors and aliases, expected at most %u", DOC_ALIASES_MAX);
	if (seen->depth > DOC_DEPTH_MAX)
		return fail_mark(doc, &event->start_mark, "nested too deeply, expected at most %u levels", DOC_DEPTH_MAX);
	if (++seen->nodes > DOC_NODES_MAX)
		return fail_mark(doc, &event->start_mark, "too many values, expected at most %u (put names into a list file)",
				 DOC_NODES_MAX);
	return 0;
}

static int check_limits(struct doc *doc, const char *text, size_t len)
{
	struct limits seen = { 0 };
	yaml_parser_t parser;
	bool ended = false;
	int error = 0;

	if (!yaml_parser_initialize(&parser))
		return doc_fail_kind(doc, NULL, POLICY_NO_MEMORY, "not enough memory");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (!ended && !error) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			error = fail_parser(doc, &parser, text, len);
			break;
		}
		error = check_event(doc, &event, &seen);
		ended = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return error;
}

int doc_open(struct doc *doc, const char *file, const char *text, size_t len, struct policy_error *error)
{
	yaml_parser_t parser;
	int result = 0;

	*doc = (struct doc) { .file = file, .base = file, .error = error };
	if (len > DOC_BYTES_MAX)
		return doc_fail(doc, NULL, "has %zu bytes, expected at most %u (put names into a list file)", len,
				DOC_BYTES_MAX);
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {	/* libyaml takes it only if it may guess the encoding */
		text += 3;
		len -= 3;
	}
	if (check_limits(doc, text, len))
		return -1;
	if (!yaml_parser_initialize(&parser))
		return doc_fail_kind(doc, NULL, POLICY_NO_MEMORY, "not enough memory");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	doc->open = yaml_parser_load(&parser, &doc->yaml);
	if (!doc->open)
		result = fail_parser(doc, &parser, text, len);
	yaml_parser_delete(&parser);
	return result;
}

void doc_close(struct doc *doc)
{
	if (doc->open)
		yaml_document_delete(&doc->yaml);
	doc->open = false;
}

yaml_node_t *doc_root(struct doc *doc)
{
	return yaml_document_get_root_node(&doc->yaml);
}

static const char *scalar_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* Whether a scalar is this word; a NUL inside makes it none. */
static bool scalar_is(const yaml_node_t *node, const char *word)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.length == strlen(word) &&
	       !memcmp(scalar_text(node), word, node->data.scalar.length);
}

static bool is_null(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!node->data.scalar.length || scalar_is(node, "~") || scalar_is(node, "null"));
}

static const char *kind_text(const yaml_node_t *node, char *quote)
{
	if (node->type == YAML_MAPPING_NODE)
		return "a mapping";
	if (node->type == YAML_SEQUENCE_NODE)
		return "a list";
	return is_null(node) ? "empty" : doc_quote(node, quote);
}

static unsigned smallest(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

#define TYPO_LEN_MAX 24

/* Edit distance (insert, delete, replace, swap of neighbours) of two short words; UINT_MAX/2 if one is long. */
static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned d[TYPO_LEN_MAX + 1][TYPO_LEN_MAX + 1];

	if (n > TYPO_LEN_MAX || m > TYPO_LEN_MAX)
		return TYPO_LEN_MAX;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++)
		for (size_t j = 1; j <= m; j++) {
			unsigned cost = a[i - 1] != b[j - 1];

			d[i][j] = smallest(smallest(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = smallest(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[n][m];
}

/* The key that was probably meant, or NULL: two slips at most, and never more than half of the word. */
static const char *nearest(const yaml_node_t *node, const struct doc_keys *known)
{
	size_t len = node->data.scalar.length;
	unsigned best = 3;
	const char *found = NULL;

	for (size_t i = 0; i < known->n; i++) {
		const char *name = known->keys[i].name;
		unsigned d = distance(scalar_text(node), len, name, strlen(name));

		if (d < best && 2 * d <= strlen(name)) {
			best = d;
			found = name;
		}
	}
	return found;
}

/* Keys that one line can name. */
#define LISTED_MAX 16

static int fail_unknown(struct doc *doc, const yaml_node_t *node, const struct doc_keys *known, const char *path)
{
	const char *meant = nearest(node, known);
	char quote[DOC_QUOTE], all[512] = "";
	const char *in = *path ? " in " : "";
	size_t used = 0;

	if (meant)
		return doc_fail(doc, node, "unknown key %s%s%s, did you mean '%s'?", doc_quote(node, quote), in, path, meant);
	if (known->n > LISTED_MAX)
		return doc_fail(doc, node, "unknown key %s%s%s, expected one that minewall.yaml(5) explains", doc_quote(node, quote), in, path);
	for (size_t i = 0; i < known->n && used < sizeof(all); i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", known->keys[i].name);
	return doc_fail(doc, node, "unknown key %s%s%s, expected %s%s", doc_quote(node, quote), in, path,
			known->n > 1 ? "one of: " : "", all);
}

static size_t find_key(const yaml_node_t *node, const struct doc_keys *known)
{
	size_t i = 0;

	while (i < known->n && !scalar_is(node, known->keys[i].name))
		i++;
	return i;
}

int doc_read_mapping(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct doc_keys *known = key->arg;
	const char *what = *key->path ? key->path : "the policy";
	char quote[DOC_QUOTE];
	uint64_t seen = 0;

	if (value->type != YAML_MAPPING_NODE)
		return doc_fail(doc, value, "%s is %s, expected a mapping such as %s", what, kind_text(value, quote),
				known->example);
	for (yaml_node_pair_t *pair = value->data.mapping.pairs.start; pair < value->data.mapping.pairs.top; pair++) {
		yaml_node_t *name = yaml_document_get_node(&doc->yaml, pair->key);
		yaml_node_t *node = yaml_document_get_node(&doc->yaml, pair->value);
		size_t i;

		if (name->type != YAML_SCALAR_NODE)
			return doc_fail(doc, name, "%s has a key that is no word, expected a mapping such as %s", what,
					known->example);
		i = find_key(name, known);
		if (i == known->n)
			return fail_unknown(doc, name, known, key->path);
		if (seen & UINT64_C(1) << i)
			return doc_fail(doc, name, "repeated key '%s', expected it once", known->keys[i].name);
		seen |= UINT64_C(1) << i;
		if (known->keys[i].read(doc, node, &known->keys[i], to))
			return -1;
	}
	for (size_t i = 0; i < known->n; i++)
		if (known->required & UINT64_C(1) << i && !(seen & UINT64_C(1) << i))
			return doc_fail(doc, value, "%s has no '%s', expected %s", what, known->keys[i].name, known->example);
	return 0;
}

int doc_read_list(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct doc_list *list = key->arg;
	char quote[DOC_QUOTE];

	if (value->type != YAML_SEQUENCE_NODE)
		return doc_fail(doc, value, "%s is %s, expected %s", key->path, kind_text(value, quote), list->expected);
	if ((size_t)(value->data.sequence.items.top - value->data.sequence.items.start) > list->max)
		return doc_fail(doc, value, "%s has too many entries, expected at most %zu", key->path, list->max);
	for (yaml_node_item_t *item = value->data.sequence.items.start; item < value->data.sequence.items.top; item++)
		if (list->item(doc, yaml_document_get_node(&doc->yaml, *item), key, to))
			return -1;
	return 0;
}

int doc_read_word(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct doc_words *known = key->arg;
	char quote[DOC_QUOTE], all[256] = "";
	size_t used = 0;

	for (unsigned i = 0; i < known->n; i++)
		if (known->words[i] && scalar_is(value, known->words[i])) {
			memcpy((char *)to + key->offset, &i, sizeof(i));
			return 0;
		}
	for (size_t i = 0; i < known->n && used < sizeof(all); i++)
		if (known->words[i])
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
						 !used ? "" : i + 1 == known->n ? " or " : ", ", known->words[i]);
	return doc_fail(doc, value, "%s is %s, expected %s", key->path, kind_text(value, quote), all);
}

int doc_read_bool(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	bool yes = scalar_is(value, "true");
	char quote[DOC_QUOTE];

	if (!yes && !scalar_is(value, "false"))
		return doc_fail(doc, value, "%s is %s, expected true or false", key->path, kind_text(value, quote));
	memcpy((char *)to + key->offset, &yes, sizeof(yes));
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { NULL, 0 } };
static const struct unit sizes[] = { { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { NULL, 0 } };
static const struct unit plain[] = { { "", 1 }, { NULL, 0 } };

/* "1h", "16MiB", "0x0e000000". strtoull alone would take signs, blanks and octal. */
static bool parse_number(const char *text, const struct unit *units, uint64_t *value)
{
	bool hex = units == plain && text[0] == '0' && text[1] == 'x';
	unsigned long long n;
	char *end;

	if (!strchr(hex ? "0123456789abcdefABCDEF" : "0123456789", text[hex ? 2 : 0]) || !text[hex ? 2 : 0])
		return false;
	errno = 0;
	n = strtoull(text, &end, hex ? 16 : 10);
	if (errno)
		return false;
	while (units->name && strcmp(units->name, end))
		units++;
	if (!units->name || n > UINT64_MAX / units->factor)
		return false;
	*value = n * units->factor;
	return true;
}

int doc_read_number(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const struct doc_number *number = key->arg;
	static const struct unit *const units[] = {
		[NUMBER_PLAIN] = plain, [NUMBER_DURATION] = durations, [NUMBER_SIZE] = sizes,
	};
	char *field = (char *)to + key->offset;
	char quote[DOC_QUOTE];
	uint64_t n;

	if (value->type != YAML_SCALAR_NODE || strlen(scalar_text(value)) != value->data.scalar.length ||
	    !parse_number(scalar_text(value), units[number->unit], &n) || n < number->min || n > number->max)
		return doc_fail(doc, value, "%s is %s, expected %s", key->path, kind_text(value, quote), number->expected);
	if (number->width == 2)
		memcpy(field, &(uint16_t) { (uint16_t)n }, 2);
	else if (number->width == 4)
		memcpy(field, &(uint32_t) { (uint32_t)n }, 4);
	else
		memcpy(field, &n, 8);
	return 0;
}

int doc_text(struct doc *doc, yaml_node_t *value, const struct doc_key *key, size_t max, const char *expected)
{
	char quote[DOC_QUOTE];

	if (value->type != YAML_SCALAR_NODE || is_null(value) || !value->data.scalar.length)
		return doc_fail(doc, value, "%s is %s, expected %s", key->path, kind_text(value, quote), expected);
	if (strlen(scalar_text(value)) != value->data.scalar.length)
		return doc_fail(doc, value, "%s has a NUL byte, expected %s", key->path, expected);
	if (value->data.scalar.length > max)
		return doc_fail(doc, value, "%s has %zu bytes, expected %s of at most %zu", key->path,
				value->data.scalar.length, expected, max);
	return 0;
}
