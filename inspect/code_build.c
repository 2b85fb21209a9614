// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes the tree of a table: places, tests, methods and what each row requires, in memory of the caller's. It runs when a policy is
 * read, never for a packet. */
#include "inspect/code.h"

#include <string.h>

#include "inspect/require.h"

#define OP(what, arg) ((uint16_t)((what) << 14 | (arg)))

/* Children's places at first; they are doubled when half of them are taken. */
#define CHILDREN_FIRST 64

enum code_fact code_fact(const char *name, size_t len)
{
	static const char *const facts[] = {
		[CODE_AGENT] = "agent", [CODE_ALGO] = "algo", [CODE_METHOD] = "method", [CODE_WORKER] = "worker", [CODE_PAYEE] = "payee",
	};

	for (unsigned i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (facts[i] && strlen(facts[i]) == len && !memcmp(facts[i], name, len))
			return (enum code_fact)i;
	return CODE_LOGIN;
}

static struct code_link *child_of(const struct dialect_code *code, const struct code_node *n)
{
	return code_child(code, n->parent, n->key, (const uint8_t *)n->name, n->len);
}

static void code_link(const struct dialect_code *code, struct code_link *at, unsigned node)
{
	const struct code_node *n = &code->nodes[node];

	*at = (struct code_link){ .key = n->key, .place = code_place(n->parent, n->len), .node = (uint16_t)node };
}

/* The children's hash stands last, so there is room for more. */
static void grow(struct dialect_code *code)
{
	code->child_mask = 2 * code->child_mask + 1;
	memset(code->children, 0, (code->child_mask + 1) * sizeof(*code->children));
	for (size_t i = NODE_METHOD; i < code->n_nodes; i++)
		code_link(code, child_of(code, &code->nodes[i]), (unsigned)i);
}

/* The node of one step, made if it is not there. NODE_NONE: no room. */
static unsigned code_step(struct dialect_code *code, unsigned parent, const struct require_step *s)
{
	const uint8_t *name = (const uint8_t *)s->name;
	struct code_node n = { .name = s->name, .parent = (uint16_t)parent, .len = name ? s->len : 0 };
	struct code_link *at;

	n.key = name ? word_lower(code_word(name, s->len, name + s->len)) : s->index;
	at = child_of(code, &n);
	if (at->node)
		return at->node;
	if (code->n_nodes == CODE_NODES_MAX)
		return NODE_NONE;
	*(name ? &code->nodes[parent].named : &code->nodes[parent].indexed) = true;
	code->nodes[code->n_nodes] = n;
	code_link(code, at, (unsigned)code->n_nodes++);
	if (2 * code->n_nodes > code->child_mask)
		grow(code);
	return (unsigned)code->n_nodes - 1;
}

static unsigned code_walk(struct dialect_code *code, const struct require_term *t)
{
	unsigned node = NODE_MESSAGE;

	for (unsigned i = 0; i < t->n_steps && node; i++)
		node = code_step(code, node, &t->steps[i]);
	return node;
}

static bool code_text(struct dialect_code *code, uint16_t *text)
{
	*text = (uint16_t)code->n_texts;
	return code->n_texts++ < CODE_TEXTS_MAX;
}

static uint8_t code_type_named(const struct require_term *t)
{
	static const char *const types[TYPES] = {
		[TYPE_STRING] = "string", [TYPE_NUMBER] = "number", [TYPE_BOOL] = "bool", [TYPE_NULL] = "null", [TYPE_ARRAY] = "array",
		[TYPE_OBJECT] = "object",
	};
	uint8_t i = 0;

	while (i < TYPES && (strlen(types[i]) != t->arg_len || memcmp(types[i], t->arg, t->arg_len)))
		i++;
	return i;
}

/* Where the place notes which test this is: of those that look at the value, the last one's link. */
static uint16_t *code_noted(struct dialect_code *code, struct code_node *node, const struct require_term *t)
{
	uint16_t *at = &node->tests;
	uint8_t type;

	if (t->op == '.')
		return &node->there;
	if (t->op == ':') {
		type = code_type_named(t);
		return type < TYPES ? &node->types[type] : NULL;
	}
	for (; *at; at = &code->tests[*at].next) {
		const struct code_test *test = &code->tests[*at];

		if (test->op == t->op && test->arg_len == t->arg_len && !memcmp(test->arg, t->arg, t->arg_len))
			break;
	}
	return at;
}

/* The number of a test, made if no row had it before. False: no room. */
static bool code_test(struct dialect_code *code, const struct require_term *t, uint16_t *number)
{
	unsigned place = code_walk(code, t);
	struct code_test *test;
	uint16_t *noted;

	if (!place)
		return false;
	noted = code_noted(code, &code->nodes[place], t);
	if (noted && *noted) {
		*number = *noted;
		return true;
	}
	if (code->n_tests == CODE_TESTS_MAX)
		return false;
	*number = (uint16_t)code->n_tests;
	test = &code->tests[code->n_tests++];
	*test = (struct code_test){ .arg = t->arg, .arg_len = t->arg_len, .op = t->op };
	if (noted)	/* else a type that there is not: nothing has it */
		*noted = *number;
	return t->op != '~' || code_text(code, &test->text);
}

static bool code_capture(struct dialect_code *code, const struct require_term *t)
{
	struct code_node *node;
	unsigned place = code_walk(code, t);
	uint16_t text;

	if (!place)
		return false;
	node = &code->nodes[place];
	if (!node->text) {
		if (!code_text(code, &text))
			return false;
		node->text = text + 1;
	}
	code->captures[code->n_captures++] = (struct code_capture){ node->text - 1, (uint8_t)code_fact(t->arg, t->arg_len) };
	return true;
}

/* From operands before what joins them to steps over what no longer matters: "a, b, or" becomes "a, if true over the next, b". */
static void code_jumps(uint16_t *out, const uint8_t *ops, size_t n_ops, const uint16_t *tests)
{
	size_t starts[REQUIRE_OPS_MAX] = { 0 }, depth = 0, n = 0, b;

	for (size_t i = 0; i < n_ops; i++)
		switch ((enum require_op)ops[i]) {
		case REQUIRE_TEST:
			starts[depth++] = n;
			out[n++] = OP(OP_TEST, *tests++);
			break;
		case REQUIRE_NOT:
			out[n++] = OP(OP_NOT, 0);
			break;
		case REQUIRE_AND: case REQUIRE_OR:
			b = starts[--depth];
			memmove(out + b + 1, out + b, (n - b) * sizeof(*out));
			out[b] = OP(ops[i] == REQUIRE_OR ? OP_IF_TRUE : OP_IF_FALSE, n - b);
			n++;
			break;
		}
	/* a step onto another one goes on at once */
	while (n-- > 0) {
		size_t to = n + 1 + (out[n] & 0x3fff);

		if (out[n] >> 14 < OP_IF_TRUE)
			continue;
		while (to < n_ops && out[to] >> 14 >= OP_IF_TRUE)
			to += 1u + (out[to] >> 14 == out[n] >> 14 ? out[to] & 0x3fffu : 0);
		out[n] = OP(out[n] >> 14, to - n - 1);
	}
}

/* False: no room. An ill-formed row takes none, and is never true. */
static bool code_row(struct dialect_code *code, const struct dialect_row *row, struct code_row *out)
{
	uint16_t tests[REQUIRE_TERMS_MAX] = { 0 };
	uint8_t ops[REQUIRE_OPS_MAX];
	struct require_set set;
	size_t n_tests, n_ops, i;

	*out = (struct code_row){ .op = (uint32_t)code->n_ops, .capture = (uint32_t)code->n_captures };
	set.n = 0;
	if (!require_compile(&set, row->require, ops, &n_ops))
		return true;
	n_tests = set.n;
	if (!require_add_captures(&set, row->capture))
		return true;
	for (i = 0; i < n_tests; i++)
		if (!code_test(code, &set.terms[i], &tests[i]))
			return false;
	for (; i < set.n; i++)
		if (!code_capture(code, &set.terms[i]))
			return false;
	code_jumps(code->ops + code->n_ops, ops, n_ops, tests);
	code->n_ops += n_ops;
	out->n_ops = (uint8_t)n_ops;
	out->n_captures = (uint8_t)(set.n - n_tests);
	out->usable = true;
	return true;
}

static bool code_wild(const char *method)
{
	size_t n = strlen(method);

	return n >= 3 && !strcmp(method + n - 2, ".*");
}

/* Does a row with this method speak of messages with that one? */
static bool code_covers(const char *method, const char *other)
{
	size_t n = strlen(method) - 1;

	return code_wild(method) ? strlen(other) > n && !memcmp(method, other, n) : !strcmp(method, other);
}

static void code_list(struct dialect_code *code, const struct dialect_table *t, const char *method)
{
	size_t len = strlen(method);
	uint32_t at = code_hash(code_word((const uint8_t *)method, len, (const uint8_t *)method + len), (unsigned)len);
	struct code_name *name;

	for (; (name = &code->names[at & code->name_mask])->name; at++)
		if (!strcmp(name->name, method))
			return;
	*name = (struct code_name){ .name = method, .len = (uint8_t)len, .list = (uint16_t)code->n_lists };
	for (size_t i = 0; i < t->n_rows; i++)
		if (t->rows[i].method && code_covers(t->rows[i].method, method))
			code->lists[code->n_lists++] = (uint16_t)i;
	name->n = (uint16_t)(code->n_lists - name->list);
}

static void code_list_nameless(struct dialect_code *code, const struct dialect_table *t, unsigned side, unsigned carrier)
{
	unsigned said_by = side == SIDE_CLIENT ? DIALECT_FROM_CLIENT : side == SIDE_SERVER ? DIALECT_FROM_SERVER : 0;
	size_t first = code->n_lists;

	for (size_t i = 0; i < t->n_rows; i++) {
		const struct dialect_row *row = &t->rows[i];

		if (!row->method && (row->sides & said_by) == said_by && (!row->carriers || row->carriers >> carrier & 1))
			code->lists[code->n_lists++] = (uint16_t)i;
	}
	code->nameless[side][carrier].list = (uint16_t)first;
	code->nameless[side][carrier].n = (uint16_t)(code->n_lists - first);
}

static void code_lists(struct dialect_code *code, const struct dialect_table *t)
{
	for (size_t i = 0; i < t->n_rows; i++) {
		if (t->rows[i].method && code_wild(t->rows[i].method))
			code->wild[code->n_wild++] = (uint16_t)i;
		else if (t->rows[i].method)
			code_list(code, t, t->rows[i].method);
	}
	for (unsigned side = 0; side < SIDES; side++)
		for (unsigned carrier = 0; carrier < CARRIERS; carrier++)
			code_list_nameless(code, t, side, carrier);
}

/* How much of everything there can be at most. */
struct code_most {
	size_t ops, captures, nodes, tests, children, names, lists, wild;
	bool fits;
};

static struct code_most code_most(const struct dialect_table *t)
{
	struct code_most most = { .nodes = NODE_METHOD + 1, .children = CHILDREN_FIRST, .names = 4, .tests = 1, .fits = t->n_rows <= DIALECT_ROWS_MAX };
	size_t n_terms = 0, n_nameless = 0, n_methods = 0;

	for (size_t i = 0; i < t->n_rows && most.fits; i++) {
		const char *method = t->rows[i].method;
		uint8_t ops[REQUIRE_OPS_MAX];
		struct require_set set;
		size_t n_ops;

		set.n = 0;
		if (require_compile(&set, t->rows[i].require, ops, &n_ops))
			most.ops += n_ops;
		most.tests += set.n;
		require_add_captures(&set, t->rows[i].capture);
		for (size_t k = 0; k < set.n; k++)
			most.nodes += set.terms[k].n_steps;
		n_terms += set.n;
		n_nameless += !method;
		most.wild += method && code_wild(method);
		n_methods += method && !code_wild(method);
		most.fits = !method || strlen(method) <= CODE_NAME_MAX;
	}
	most.captures = n_terms - (most.tests - 1);
	if (most.nodes > CODE_NODES_MAX)
		most.nodes = CODE_NODES_MAX;
	most.lists = SIDES * CARRIERS * n_nameless + n_methods * (n_methods + most.wild);
	most.fits &= most.lists <= UINT16_MAX;
	while (most.children <= 2 * most.nodes)
		most.children *= 2;
	while (most.names < 2 * n_methods)
		most.names *= 2;
	return most;
}

/* Takes room for `n` things from what is there. */
static void *code_take(uint8_t *memory, size_t *used, size_t n, size_t size)
{
	void *at = memory ? memory + *used : NULL;

	*used += (n * size + 15) / 16 * 16;
	return at;
}

/* The hash of the children comes last: of what was taken for it only a part is ever touched. Returns the bytes of all. */
static size_t code_lay_out(struct dialect_code *code, const struct code_most *most, size_t n_rows, void *memory)
{
	size_t used = 0;

	code_take(memory, &used, 1, sizeof(*code));
	code->rows = code_take(memory, &used, n_rows, sizeof(*code->rows));
	code->ops = code_take(memory, &used, most->ops, sizeof(*code->ops));
	code->captures = code_take(memory, &used, most->captures, sizeof(*code->captures));
	code->wild = code_take(memory, &used, most->wild, sizeof(*code->wild));
	code->lists = code_take(memory, &used, most->lists, sizeof(*code->lists));
	code->names = code_take(memory, &used, most->names, sizeof(*code->names));
	code->tests = code_take(memory, &used, most->tests, sizeof(*code->tests));
	code->nodes = code_take(memory, &used, most->nodes, sizeof(*code->nodes));
	code->children = code_take(memory, &used, most->children, sizeof(*code->children));
	return used;
}

size_t dialect_compile(const struct dialect_table *table, void *memory, size_t room)
{
	static const struct require_step method = { .name = "method", .len = 6 };
	const struct code_most most = code_most(table);
	struct dialect_code *code = memory, count;
	size_t need = most.fits ? code_lay_out(&count, &most, table->n_rows, NULL) : 0;

	if (!need || need > room)
		return need;
	memset(memory, 0, need - most.children * sizeof(*code->children));
	code_lay_out(code, &most, table->n_rows, memory);
	code->table = table->rows;
	code->name_mask = (uint32_t)most.names - 1;
	code->child_mask = CHILDREN_FIRST - 1;
	memset(code->children, 0, CHILDREN_FIRST * sizeof(*code->children));
	code->n_nodes = NODE_METHOD;
	code->n_tests = 1;
	code_step(code, NODE_MESSAGE, &method);
	for (size_t i = 0; i < table->n_rows; i++)
		if (!code_row(code, &table->rows[i], &code->rows[i]))
			return 0;
	code_lists(code, table);
	return need;
}
