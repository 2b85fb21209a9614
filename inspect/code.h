/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A dialect table compiled: each place in a message that any row asks about is a node of one tree, and each test there a bit, so
 * that one pass over a message answers all rows. It knows JSON and `require`; what mining is stands in the rows. */
#ifndef MINEWALL_CODE_H
#define MINEWALL_CODE_H

#include "inspect/inspect.h"
#include "inspect/json.h"
#include "inspect/word.h"

/* Different tests, and places whose text is kept, of one table: the built-in one has some 150 and 40. A table with more is not
 * compiled, and its rows are parsed for each message. */
#define CODE_TESTS_MAX 1024
#define CODE_TEXTS_MAX 128

/* What one message has shown. Only `tests` and `kept` are cleared; a text counts where its bit of `kept` is set. */
struct code_seen {
	uint64_t tests[CODE_TESTS_MAX / 64];
	uint64_t kept[CODE_TEXTS_MAX / 64];
	struct json_string texts[CODE_TEXTS_MAX];
};

enum code_fact { CODE_AGENT, CODE_ALGO, CODE_METHOD, CODE_WORKER, CODE_LOGIN, CODE_PAYEE };

/* One fact that a row captures. */
struct code_capture {
	uint16_t text;		/* in code_seen.texts */
	uint8_t fact;		/* enum code_fact */
};

/* The fact of this name; unknown ones are a login. */
enum code_fact code_fact(const char *name, size_t len);

/* Told of every text of the member `method`; rows are numbers in the table, in its order, those of any side and carrier. */
typedef void code_method(void *arg, struct json_string method, const uint16_t *rows, size_t n);

/* Crosses the object at `p`. SHORT or BAD: how it broke; else JSON_CLOSE, its end. `*at`: how far it came. */
enum json_event code_scan(const struct dialect_code *code, const uint8_t *p, const uint8_t *end, struct code_seen *seen,
			  code_method *tell, void *arg, const uint8_t **at);

/* The rows without a method, by who may say them and what carries them. */
const uint16_t *code_nameless(const struct dialect_code *code, enum side side, enum carrier carrier, size_t *n);

/* Is what the row requires there? `whole`: see require_true. */
bool code_true(const struct dialect_code *code, size_t row, struct code_seen *seen, bool whole);

const struct code_capture *code_captures(const struct dialect_code *code, size_t row, size_t *n);

/* Is it among those kept? */
static inline bool code_has(const struct code_seen *seen, unsigned text)
{
	return seen->kept[text / 64] >> text % 64 & 1;
}

/* ---- what a table is made into: of code_build.c and code.c alone ---- */

/* Places that a table asks about, at most; for those with more see above. */
#define CODE_NODES_MAX 4096

/* Longest name of a member or a method that a row can have. */
#define CODE_NAME_MAX 64

enum { NODE_NONE, NODE_MESSAGE, NODE_METHOD };

enum code_type { TYPE_STRING, TYPE_NUMBER, TYPE_BOOL, TYPE_NULL, TYPE_ARRAY, TYPE_OBJECT, TYPES };

/* A place in a message. The first three are those named above. Tests are told by number; 0 is one that nobody asks for. */
struct code_node {
	uint64_t key;		/* the name's first bytes in lower case, or the index */
	const char *name;
	uint16_t parent;
	uint16_t tests;		/* the first of those that look at the value */
	uint16_t text;		/* 1 + where its text is kept */
	uint16_t there;		/* the test that it is there at all */
	uint16_t types[TYPES];	/* the test for each type */
	uint8_t len;		/* of the name; 0: an index */
	bool named, indexed;	/* it has such children */
};

struct code_test {
	const char *arg;
	uint16_t next;		/* of the same place */
	uint16_t text;		/* of a shape, which is looked at only when it decides: where its text is kept */
	uint8_t arg_len;
	char op;
};

/* A node by its parent and the step that leads to it. */
struct code_link {
	uint64_t key;
	uint32_t place;		/* of code_place */
	uint16_t node;		/* NODE_NONE: free */
};

/* A method, and the rows that speak of it. */
struct code_name {
	const char *name;	/* NULL: free */
	uint8_t len;
	uint16_t list, n;
};

struct code_row {
	uint32_t op, capture;
	uint8_t n_ops, n_captures;
	bool usable;
};

#define SIDES 3
#define CARRIERS 3

struct dialect_code {
	const struct dialect_row *table;
	struct code_row *rows;
	uint16_t *ops, *lists;
	struct code_capture *captures;
	struct code_node *nodes;
	struct code_test *tests;
	struct code_link *children;	/* by hash of parent and step */
	struct code_name *names;	/* by hash */
	size_t n_nodes, n_tests, n_texts, n_lists, n_captures, n_ops;
	uint16_t *wild;		/* rows whose method ends in ".*" */
	size_t n_wild;
	uint32_t child_mask, name_mask;
	struct { uint16_t list, n; } nameless[SIDES][CARRIERS];
};

/* One word of a row's operations: what to do, and with which test or how far to go. */
enum { OP_TEST, OP_NOT, OP_IF_TRUE, OP_IF_FALSE };

/* Up to eight first bytes of `len`; zeros behind them. */
static inline uint64_t code_word(const uint8_t *p, size_t len, const uint8_t *end)
{
	uint64_t word = 0;

	if (end - p >= 8)
		memcpy(&word, p, 8);
	else
		memcpy(&word, p, len < (size_t)(end - p) ? len : (size_t)(end - p));
	word = le64toh(word);
	return len >= 8 ? word : word & ((UINT64_C(1) << 8 * len) - 1);
}

static inline uint32_t code_hash(uint64_t key, unsigned more)
{
	uint64_t h = (key ^ more * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);

	return (uint32_t)(h >> 32);
}

/* Under a parent, names of each length, and indices. */
static inline uint32_t code_place(unsigned parent, size_t len)
{
	return (uint32_t)(parent << 8 | len);
}

/* Where the node of this step is or belongs among the children. `key`: of the name in lower case. */
static inline struct code_link *code_child(const struct dialect_code *code, unsigned parent, uint64_t key, const uint8_t *name, size_t len)
{
	uint32_t place = code_place(parent, len), i = code_hash(key, place);

	for (;; i++) {
		struct code_link *at = &code->children[i & code->child_mask];

		if (!at->node || (at->key == key && at->place == place &&
				  (len <= 8 || json_same((struct view){ name + 8, len - 8 }, code->nodes[at->node].name + 8, len - 8, true, false))))
			return at;
	}
}

#endif
