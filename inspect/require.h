/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The little language of a dialect row's `require` and `capture` (described in stratum.h), evaluated over one
 * JSON message in one pass. It knows no method and no dialect, and keeps nothing between messages. */
#ifndef MINEWALL_REQUIRE_H
#define MINEWALL_REQUIRE_H

#include "inspect/inspect.h"

/* Steps of one path: result[0][0][0] is the deepest that any dialect needs. */
#define REQUIRE_STEPS_MAX 4

/* Tests and captures that one pass looks for: the rows that share a method need fewer than half of them. */
#define REQUIRE_TERMS_MAX 64

struct require_step {
	const char *name;	/* NULL: array index `index` */
	uint8_t len;
	uint8_t index;
};

struct require_term {
	struct require_step steps[REQUIRE_STEPS_MAX];
	uint8_t n_steps;
	char op;		/* '.' present, ':' type, '=' equal, '^' starts with, '~' shape, '>' capture */
	bool seen;
	uint8_t arg_len;
	const char *arg;	/* of a capture: the fact's name */
	struct view value;	/* of a capture: still escaped */
};

struct require_set {
	struct require_term terms[REQUIRE_TERMS_MAX];
	size_t n;
};

/* Adds the tests of an expression (NULL: none) or of a capture list. False: syntax error or no room; nothing is added then. */
bool require_add(struct require_set *set, const char *expression);
bool require_add_captures(struct require_set *set, const char *captures);

/* The same, saying what is wrong (static text; NULL: nothing), and at which byte of the text. Where `at` is not NULL the names of
 * types, shapes and facts are checked, too. */
const char *require_check(struct require_set *set, const char *expression, size_t *at);
const char *require_check_captures(struct require_set *set, const char *captures, size_t *at);

/* An expression in the order in which it is worked out: operands, then what joins them. */
enum require_op { REQUIRE_TEST, REQUIRE_NOT, REQUIRE_AND, REQUIRE_OR };
#define REQUIRE_OPS_MAX 128

/* As require_add, and the expression's operations, at most REQUIRE_OPS_MAX. */
bool require_compile(struct require_set *set, const char *expression, uint8_t *ops, size_t *n_ops);

/* Marks all terms that the object at `p` fulfils. The bytes may end anywhere. */
void require_scan(struct require_set *set, const uint8_t *p, const uint8_t *end);

/* The value of an expression whose first test is term `first`. `whole`: the object has ended, so that what
 * was not seen is absent; before that a negation is never true, and so a true answer is final. */
bool require_true(const struct require_set *set, size_t first, const char *expression, bool whole);

/* Has the text, still escaped, this shape (stratum.h)? */
bool require_shape(const char *shape, struct view v);

#endif
