// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks the tree of a table along with a message. Names and methods are found by hash, so the number of rows makes no step of it
 * slower; nothing is kept between messages. */
#include "inspect/code.h"

#include <string.h>

#include "inspect/json_step.h"
#include "inspect/require.h"

/* A text without its escapes, as far as a name may be long; a character that no name has is 1. */
static struct view code_unescaped(struct view text, uint8_t to[CODE_NAME_MAX + 8])
{
	struct view out = { to, 0 };
	int c;

	while (out.len < CODE_NAME_MAX + 8 && (c = json_char(&text)) >= 0)
		to[out.len++] = c > 0 && c < 0x80 ? (uint8_t)c : 1;
	return out;
}

static unsigned code_named(const struct dialect_code *code, unsigned parent, const struct json *j)
{
	uint8_t plain[CODE_NAME_MAX + 8];
	struct view name = j->text;
	const uint8_t *end = j->end;

	if (!code->nodes[parent].named)
		return NODE_NONE;
	if (!j->plain) {
		name = code_unescaped(name, plain);
		end = plain + sizeof(plain);
	}
	if (!name.len || name.len > CODE_NAME_MAX)
		return NODE_NONE;
	return code_child(code, parent, word_lower(code_word(name.p, name.len, end)), name.p, name.len)->node;
}

static unsigned code_indexed(const struct dialect_code *code, unsigned parent, unsigned index)
{
	return index > 9 || !code->nodes[parent].indexed ? NODE_NONE : code_child(code, parent, index, NULL, 0)->node;
}

static enum code_type code_type(enum json_event e, struct view v)
{
	switch (e) {
	case JSON_STRING:
		return TYPE_STRING;
	case JSON_OBJECT:
		return TYPE_OBJECT;
	case JSON_ARRAY:
		return TYPE_ARRAY;
	default:
		break;
	}
	switch (v.len ? v.p[0] : 0) {
	case 'n':
		return TYPE_NULL;
	case 't': case 'f':
		return TYPE_BOOL;
	default:
		return TYPE_NUMBER;
	}
}

static bool code_same(const struct code_test *t, const struct json *j)
{
	bool prefix = t->op == '^';

	if (!j->plain)
		return json_same(j->text, t->arg, t->arg_len, false, prefix);
	return (prefix ? j->text.len >= t->arg_len : j->text.len == t->arg_len) && *j->text.p == (uint8_t)*t->arg &&
	       !memcmp(j->text.p, t->arg, t->arg_len);
}

static bool code_test_seen(const struct code_seen *seen, unsigned test)
{
	return seen->tests[test / 64] >> (test % 64) & 1;
}

static void code_test_set(struct code_seen *seen, unsigned test, bool value)
{
	seen->tests[test / 64] |= (uint64_t)value << (test % 64);
}

/* Looks at the shape of the text that waits for it. */
static bool code_shape(struct code_seen *seen, const struct code_test *t, unsigned test)
{
	if (code_has(seen, t->text)) {
		seen->kept[t->text / 64] &= ~(UINT64_C(1) << t->text % 64);
		code_test_set(seen, test, require_shape(t->arg, seen->texts[t->text].text));
	}
	return code_test_seen(seen, test);
}

static void code_keep(struct code_seen *seen, unsigned text, const struct json *j)
{
	seen->kept[text / 64] |= UINT64_C(1) << text % 64;
	seen->texts[text] = (struct json_string){ j->text, j->plain };
}

/* A value at a place that is asked about. */
static void code_mark(const struct dialect_code *code, const struct code_node *node, enum json_event e, const struct json *j,
		      struct code_seen *seen)
{
	enum code_type type = code_type(e, j->text);

	code_test_set(seen, node->types[type], true);
	code_test_set(seen, node->there, type != TYPE_NULL);
	if (e != JSON_STRING && e != JSON_PLAIN)
		return;
	for (unsigned test = node->tests; test; test = code->tests[test].next) {
		const struct code_test *t = &code->tests[test];

		if (t->op != '~')
			code_test_set(seen, test, code_same(t, j));
		else if (e == JSON_STRING && !code_shape(seen, t, test))
			code_keep(seen, t->text, j);
	}
	if (node->text && e == JSON_STRING && j->text.len && !code_has(seen, node->text - 1u))
		code_keep(seen, node->text - 1u, j);
}

static void code_methods(const struct dialect_code *code, const struct json *j, code_method *tell, void *arg)
{
	uint8_t plain[CODE_NAME_MAX + 8];
	struct view m = j->plain ? j->text : code_unescaped(j->text, plain);
	uint32_t i = code_hash(code_word(m.p, m.len, j->plain ? j->end : plain + sizeof(plain)), (unsigned)m.len);
	const struct code_name *name;

	for (; (name = &code->names[i & code->name_mask])->name; i++)
		if (name->len == m.len && !memcmp(name->name, m.p, m.len)) {
			tell(arg, (struct json_string){ j->text, j->plain }, code->lists + name->list, name->n);
			return;
		}
	for (size_t k = 0; k < code->n_wild; k++) {
		const char *method = code->table[code->wild[k]].method;
		size_t n = strlen(method) - 1;

		if (m.len > n && !memcmp(m.p, method, n))
			tell(arg, (struct json_string){ j->text, j->plain }, &code->wild[k], 1);
	}
}

/* The container at one depth. */
struct code_level {
	uint16_t node;
	bool object;
	unsigned index;		/* of the next value */
};

/* Where a value stands: its node, from the container's. */
static unsigned code_enter(const struct dialect_code *code, struct code_level *container, unsigned named)
{
	return container->object ? named : code_indexed(code, container->node, container->index++);
}

enum json_event code_scan(const struct dialect_code *code, const uint8_t *p, const uint8_t *end, struct code_seen *seen,
			  code_method *tell, void *arg, const uint8_t **at)
{
	struct code_level levels[REQUIRE_STEPS_MAX + 1] = { { .object = true } };	/* by depth: the one that holds the message first */
	struct json j = json_make(p, end);
	unsigned node = NODE_MESSAGE;
	enum json_event e;

	memset(seen->tests, 0, sizeof(seen->tests));
	memset(seen->kept, 0, sizeof(seen->kept));
	do {
		e = json_step(&j);
		switch (e) {
		case JSON_KEY:
			if (j.depth <= REQUIRE_STEPS_MAX)
				node = code_named(code, levels[j.depth].node, &j);
			continue;
		case JSON_CLOSE:
			continue;
		case JSON_SHORT: case JSON_BAD:
			*at = j.p;
			return e;
		case JSON_OBJECT: case JSON_ARRAY:
			if (j.depth > REQUIRE_STEPS_MAX + 1)
				continue;
			node = code_enter(code, &levels[j.depth - 1], node);
			if (j.depth <= REQUIRE_STEPS_MAX)
				levels[j.depth] = (struct code_level){ .node = (uint16_t)node, .object = e == JSON_OBJECT };
			break;
		case JSON_STRING: case JSON_PLAIN:
			if (j.depth > REQUIRE_STEPS_MAX)
				continue;
			node = code_enter(code, &levels[j.depth], node);
			if (node == NODE_METHOD && e == JSON_STRING)
				code_methods(code, &j, tell, arg);
			break;
		}
		if (node)
			code_mark(code, &code->nodes[node], e, &j, seen);
	} while (j.depth);
	*at = j.p;
	return e;
}

const uint16_t *code_nameless(const struct dialect_code *code, enum side side, enum carrier carrier, size_t *n)
{
	*n = code->nameless[side][carrier].n;
	return code->lists + code->nameless[side][carrier].list;
}

bool code_true(const struct dialect_code *code, size_t row, struct code_seen *seen, bool whole)
{
	const struct code_row *r = &code->rows[row];
	const uint16_t *op = code->ops + r->op, *end = op + r->n_ops;
	bool v = true;

	for (; op < end; op++) {
		unsigned arg = *op & 0x3fff;

		switch (*op >> 14) {
		case OP_TEST:
			v = code->tests[arg].op == '~' ? code_shape(seen, &code->tests[arg], arg) : code_test_seen(seen, arg);
			break;
		case OP_NOT:
			v = whole && !v;
			break;
		case OP_IF_TRUE:
			op += v ? arg : 0;
			break;
		case OP_IF_FALSE:
			op += v ? 0 : arg;
			break;
		}
	}
	return v && r->usable;
}

const struct code_capture *code_captures(const struct dialect_code *code, size_t row, size_t *n)
{
	*n = code->rows[row].n_captures;
	return code->captures + code->rows[row].capture;
}
