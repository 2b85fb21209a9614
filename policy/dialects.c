/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the admin's dialect rows and joins them with the built-in ones into one table. A wrong row is told at the byte
 * where it is wrong. */
#include "policy/dialects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Longest text of a row. */
#define EXPRESSION_MAX 512
#define WORD_MAX 64

static const char *const side_names[] = {
	[DIALECT_FROM_CLIENT] = "client", [DIALECT_FROM_SERVER] = "server", [DIALECT_FROM_CLIENT | DIALECT_FROM_SERVER] = "both",
};
static const char *const carrier_names[] = {
	[CARRIER_STREAM] = "stream", [CARRIER_HTTP] = "http", [CARRIER_WEBSOCKET] = "websocket",
};
static const char *const kind_names[] = { [MINING_STRATUM] = "stratum", [MINING_GETWORK] = "getwork", [MINING_NODE] = "node" };

static const struct doc_words sides = { side_names, COUNT(side_names) };
static const struct doc_words carriers = { carrier_names, COUNT(carrier_names) };
static const struct doc_words kinds = { kind_names, COUNT(kind_names) };

/* The row at hand, and where its expressions stand. */
struct reading {
	struct dialect_own row;
	const yaml_node_t *require, *capture;
};

static int no_memory(struct doc *doc)
{
	return doc_fail_kind(doc, NULL, POLICY_NO_MEMORY, "not enough memory");
}

static int copy_text(struct doc *doc, const yaml_node_t *value, char **to)
{
	*to = strdup((const char *)value->data.scalar.value);
	return *to ? 0 : no_memory(doc);
}

static bool only(const char *text, const char *good)
{
	return text[strspn(text, good)] == '\0';
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static int read_name(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	char quote[DOC_QUOTE];

	if (doc_text(doc, value, key, WORD_MAX, "a word"))
		return -1;
	if (!only((const char *)value->data.scalar.value, LETTERS))
		return doc_fail(doc, value, "%s is %s, expected a word of letters, digits, '.', '_' and '-'", key->path,
				doc_quote(value, quote));
	return copy_text(doc, value, &((struct reading *)to)->row.dialect);
}

/* As it stands in the JSON, or "start.*". */
static int read_method(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	const char *text = (const char *)value->data.scalar.value;
	char quote[DOC_QUOTE];
	size_t len;

	if (doc_text(doc, value, key, WORD_MAX, "the name of a method"))
		return -1;
	len = strlen(text);
	if (len > 2 && !strcmp(text + len - 2, ".*"))
		len -= 2;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || strchr("*\"\\", text[i]))
			return doc_fail(doc, value, "%s is %s, expected a name such as login, or \"pool.*\" for all that begin so",
					key->path, doc_quote(value, quote));
	return copy_text(doc, value, &((struct reading *)to)->row.method);
}

static int read_expression(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct reading *r = to;
	bool capture = key->arg;

	if (doc_text(doc, value, key, EXPRESSION_MAX, capture ? "such as \"agent=params.agent\"" : "such as \"params.agent:string\""))
		return -1;
	*(capture ? &r->capture : &r->require) = value;
	return copy_text(doc, value, capture ? &r->row.capture : &r->row.require);
}

static int item_carrier(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct doc_key word = *key;
	unsigned carrier = 0;

	word.offset = 0;
	word.arg = &carriers;
	if (doc_read_word(doc, value, &word, &carrier))
		return -1;
	((struct reading *)to)->row.carriers |= 1u << carrier;
	return 0;
}

static const struct doc_list carrier_list = { COUNT(carrier_names), "a list such as [stream, websocket]", item_carrier };

#define ROW(field) offsetof(struct reading, row.field)

static const struct doc_key row_keys[] = {
	{ "dialect", "dialects: dialect", read_name, 0, NULL },
	{ "method", "dialects: method", read_method, 0, NULL },
	{ "from", "dialects: from", doc_read_word, ROW(sides), &sides },
	{ "require", "dialects: require", read_expression, 0, NULL },
	{ "capture", "dialects: capture", read_expression, 0, "" },
	{ "in", "dialects: in", doc_read_list, 0, &carrier_list },
	{ "kind", "dialects: kind", doc_read_word, ROW(kind), &kinds },
};
static const struct doc_keys row_mapping = {
	.keys = row_keys, .n = COUNT(row_keys), .required = 0x1,
	.example = "{dialect: mine, method: login, from: client, require: \"params.agent:string\"}",
};

/* The place of byte `at` of a text that stands on one line as it is. */
static yaml_node_t place(const yaml_node_t *text, size_t at)
{
	yaml_node_t node = *text;
	size_t quotes = text->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 2;

	if (node.start_mark.line == node.end_mark.line &&
	    node.end_mark.column - node.start_mark.column == text->data.scalar.length + quotes)
		node.start_mark.column += quotes / 2 + at;
	return node;
}

static struct dialect_row row_of(const struct dialect_own *own)
{
	return (struct dialect_row) {
		.dialect = own->dialect, .method = own->method, .sides = own->sides, .require = own->require,
		.capture = own->capture, .kind = (enum mining_kind)own->kind, .carriers = own->carriers,
	};
}

/* Tells what is wrong at which byte, and what stands there. */
static int fail_row(struct doc *doc, const yaml_node_t *text, const char *dialect, const struct dialect_problem *problem)
{
	yaml_node_t at = place(text, problem->at);
	char quote[DOC_QUOTE];

	at.data.scalar.value += problem->at;
	at.data.scalar.length -= problem->at;
	return doc_fail(doc, &at, "dialects: %s of '%s': %s; there is %s", problem->where, dialect, problem->text,
			at.data.scalar.length ? doc_quote(&at, quote) : "the end");
}

static int check_row(struct doc *doc, const yaml_node_t *value, const struct reading *r)
{
	const struct dialect_row row = row_of(&r->row);
	struct dialect_problem problem = dialect_check(&row);

	if (!row.method && !row.require)
		return doc_fail(doc, value, "dialects: '%s' has neither 'method' nor 'require', expected one of them (else all JSON "
				"would be mining)", row.dialect);
	return problem.text ? fail_row(doc, *problem.where == 'r' ? r->require : r->capture, row.dialect, &problem) : 0;
}

static void free_own(struct dialect_own *own)
{
	free(own->dialect);
	free(own->method);
	free(own->require);
	free(own->capture);
}

static int add_own(struct doc *doc, struct dialect_rules *d, const struct dialect_own *row)
{
	struct dialect_own *more = realloc(d->own, (d->n_own + 1) * sizeof(*more));

	if (!more)
		return no_memory(doc);
	d->own = more;
	d->own[d->n_own++] = *row;
	return 0;
}

static int item_row(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const struct doc_key entry = { "", "an entry of dialects", NULL, 0, &row_mapping };
	struct dialect_rules *d = (struct dialect_rules *)((char *)to + key->offset);
	struct reading r = { .row = { .sides = DIALECT_FROM_CLIENT } };
	size_t max = DIALECT_ROWS_MAX - dialect_builtin.n_rows;

	if (d->n_own == max)
		return doc_fail(doc, value, "dialects has too many entries, expected at most %zu", max);
	if (!doc_read_mapping(doc, value, &entry, &r) && !check_row(doc, value, &r) && !add_own(doc, d, &r.row))
		return 0;
	free_own(&r.row);
	return -1;
}

/* The built-in text with this name, or NULL. */
static const char *builtin_name(const char *name)
{
	for (size_t i = 0; i < dialect_builtin.n_rows; i++)
		if (!strcmp(dialect_builtin.rows[i].dialect, name))
			return dialect_builtin.rows[i].dialect;
	return NULL;
}

static int item_off(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	struct dialect_rules *d = (struct dialect_rules *)((char *)to + key->offset);
	char quote[DOC_QUOTE];
	const char **more, *name;

	if (doc_text(doc, value, key, WORD_MAX, "the name of a built-in dialect"))
		return -1;
	name = builtin_name((const char *)value->data.scalar.value);
	if (!name)
		return doc_fail(doc, value, "dialects_off: %s is no built-in dialect, expected one such as grin, beam or zcash, as "
				"events name it", doc_quote(value, quote));
	more = realloc(d->off, (d->n_off + 1) * sizeof(*more));
	if (!more)
		return no_memory(doc);
	d->off = more;
	d->off[d->n_off++] = name;
	return 0;
}

static int read_list(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to, const struct doc_list *list)
{
	struct doc_key as = *key;

	as.arg = list;
	return doc_read_list(doc, value, &as, to);
}

int dialects_read(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const struct doc_list list = {
		DIALECT_ROWS_MAX, "a list such as [{dialect: mine, method: my.subscribe}]", item_row,
	};

	return read_list(doc, value, key, to, &list);
}

int dialects_read_off(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to)
{
	static const struct doc_list list = { DIALECT_ROWS_MAX, "a list of names, such as [grin]", item_off };

	return read_list(doc, value, key, to, &list);
}

static bool is_off(const struct dialect_rules *d, const char *dialect)
{
	for (size_t i = 0; i < d->n_off; i++)
		if (!strcmp(d->off[i], dialect))
			return true;
	return false;
}

static int compile(struct dialect_rules *d)
{
	size_t size = dialect_compile(&d->table, NULL, 0);

	if (!size)
		return 0;
	d->code = malloc(size);
	if (!d->code)
		return -ENOMEM;
	if (dialect_compile(&d->table, d->code, size))
		d->table.code = d->code;
	return 0;
}

int dialects_seal(struct dialect_rules *d)
{
	size_t n = 0;

	d->table = dialect_builtin;
	if (!d->n_own && !d->n_off)
		return compile(d);
	d->rows = calloc(d->n_own + dialect_builtin.n_rows, sizeof(*d->rows));
	if (!d->rows)
		return -ENOMEM;
	while (n < d->n_own) {
		d->rows[n] = row_of(&d->own[n]);
		n++;
	}
	for (size_t i = 0; i < dialect_builtin.n_rows; i++)
		if (!is_off(d, dialect_builtin.rows[i].dialect))
			d->rows[n++] = dialect_builtin.rows[i];
	d->table = (struct dialect_table) { .rows = d->rows, .n_rows = n };
	return compile(d);
}

void dialects_free(struct dialect_rules *d)
{
	for (size_t i = 0; i < d->n_own; i++)
		free_own(&d->own[i]);
	free(d->own);
	free(d->off);
	free(d->rows);
	free(d->code);
}
