// SPDX-License-Identifier: GPL-2.0-or-later
/* Parses, marks and evaluates the tests of dialect rows. Built so that a hostile message costs one pass
 * over its bytes, however many rows ask. */
#include "inspect/require.h"

#include <limits.h>
#include <string.h>

#include "inspect/json.h"

/* Monero's are 95 and 106 characters, those of its relatives 90 to 110 (PROTOCOLS 2.2). */
#define WALLET_BASE58_MIN 90

/* A path's step or a test's argument: longer than any that JSON of miners holds, and it fits into a byte. */
#define REQUIRE_WORD_MAX 64

/* Brackets inside each other: they are read by recursion. */
#define REQUIRE_BRACKETS_MAX 8

struct require_parser {
	const char *p;
	struct require_set *set;	/* collecting, or NULL */
	const struct require_set *marked;
	size_t next;			/* term of the next test */
	unsigned brackets;		/* open ones */
	bool whole;
	uint8_t *ops;			/* compiling, or NULL */
	size_t n_ops;
	bool strict;			/* words are checked, too: not in the packet's way */
	const char *error;		/* what is wrong; NULL: nothing yet */
	const char *wrong;		/* where */
};

static const char *const require_types[] = { "string", "number", "bool", "null", "array", "object" };
static const char *const require_shapes[] = { "wallet", "hash", "hex", "miner" };
static const char *const require_facts[] = { "agent", "algo", "login", "worker", "payee", "method" };

#define REQUIRE_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The first fault is the one that is told. */
static bool require_fail(struct require_parser *r, const char *at, const char *what)
{
	if (!r->error) {
		r->error = what;
		r->wrong = at;
	}
	return false;
}

static void require_emit(struct require_parser *r, enum require_op op)
{
	if (r->ops && r->n_ops == REQUIRE_OPS_MAX)
		require_fail(r, r->p, "this is longer than 128 operations");
	else if (r->ops)
		r->ops[r->n_ops++] = (uint8_t)op;
}

static bool require_known(const char *const *words, size_t n, const char *word, size_t len)
{
	while (n-- && (strlen(words[n]) != len || memcmp(words[n], word, len)))
		;
	return n != SIZE_MAX;
}

/* 1: of a name, 2: of an argument besides. */
static const uint8_t require_bytes[256] = {
	['a' ... 'z'] = 1, ['A' ... 'Z'] = 1, ['0' ... '9'] = 1, ['_'] = 1, ['-'] = 1, ['.'] = 2, ['/'] = 2, [':'] = 2,
};

static bool require_name_byte(char c)
{
	return require_bytes[(uint8_t)c] == 1;
}

static bool require_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static void require_blanks(struct require_parser *r)
{
	while (require_blank(*r->p))
		r->p++;
}

static bool require_step(struct require_parser *r, struct require_term *t)
{
	struct require_step *s = &t->steps[t->n_steps];
	const char *start = r->p;

	if (t->n_steps == REQUIRE_STEPS_MAX)
		return require_fail(r, start, "a path has at most four steps");
	if (*r->p == '[') {
		if (r->p[1] < '0' || r->p[1] > '9' || r->p[2] != ']')
			return require_fail(r, start, "an index has one digit, such as [0]");
		*s = (struct require_step){ .index = (uint8_t)(r->p[1] - '0') };
		r->p += 3;
	} else {
		while (require_name_byte(*r->p))
			r->p++;
		if (r->p == start)
			return require_fail(r, start, "here a path is expected, such as params.login or result[0]");
		if (r->p - start > REQUIRE_WORD_MAX)
			return require_fail(r, start, "this name is longer than 64 bytes");
		*s = (struct require_step){ .name = start, .len = (uint8_t)(r->p - start) };
	}
	t->n_steps++;
	return true;
}

static bool require_path(struct require_parser *r, struct require_term *t)
{
	do {
		if (*r->p == '.')
			r->p++;
		if (!require_step(r, t))
			return false;
	} while (*r->p == '.' || *r->p == '[');
	return true;
}

/* What stands behind an operator. */
static bool require_argument(struct require_parser *r, struct require_term *t)
{
	const char *start = r->p;
	size_t len;

	while (require_bytes[(uint8_t)*r->p])
		r->p++;
	len = (size_t)(r->p - start);
	if (!len)
		return require_fail(r, start, "here a word is expected, of letters, digits and _ - . / : only");
	if (len > REQUIRE_WORD_MAX)
		return require_fail(r, start, "this word is longer than 64 bytes");
	if (r->strict && t->op == ':' && !require_known(require_types, REQUIRE_COUNT(require_types), start, len))
		return require_fail(r, start, "a type is one of string, number, bool, null, array, object");
	if (r->strict && t->op == '~' && !require_known(require_shapes, REQUIRE_COUNT(require_shapes), start, len))
		return require_fail(r, start, "a shape is one of wallet, hash, hex, miner");
	t->arg = start;
	t->arg_len = (uint8_t)len;
	return true;
}

/* path [op argument] */
static bool require_test(struct require_parser *r)
{
	struct require_term t = { .op = '.' };
	size_t index = r->next++;

	if (!require_path(r, &t))
		return false;
	if (*r->p == ':' || *r->p == '=' || *r->p == '^' || *r->p == '~') {
		t.op = *r->p++;
		if (!require_argument(r, &t))
			return false;
	}
	if (r->set) {
		if (r->set->n == REQUIRE_TERMS_MAX)
			return require_fail(r, r->p, "more tests than one row may have");
		r->set->terms[r->set->n++] = t;
		require_emit(r, REQUIRE_TEST);
		return false;
	}
	return index < r->marked->n && r->marked->terms[index].seen;
}

static bool require_all(struct require_parser *r);

static bool require_one(struct require_parser *r)
{
	bool negative = false, v;

	require_blanks(r);
	if (*r->p == '!') {
		negative = true;
		r->p++;
	}
	if (*r->p == '(') {
		r->p++;
		if (++r->brackets > REQUIRE_BRACKETS_MAX)
			return require_fail(r, r->p - 1, "too many brackets inside each other");
		v = require_all(r);
		r->brackets--;
		if (*r->p != ')')
			return require_fail(r, r->p, "here '&', '|' or ')' is expected");
		r->p++;
	} else {
		v = require_test(r);
	}
	require_blanks(r);
	if (negative)
		require_emit(r, REQUIRE_NOT);
	return negative ? r->whole && !v : v;
}

/* one { '|' one }: binds closer than '&', so that lists of alternatives need no brackets. */
static bool require_any(struct require_parser *r)
{
	bool v = require_one(r);

	while (*r->p == '|' && !r->error) {
		r->p++;
		v |= require_one(r);
		require_emit(r, REQUIRE_OR);
	}
	return v;
}

static bool require_all(struct require_parser *r)
{
	bool v = require_any(r);

	while (*r->p == '&' && !r->error) {
		r->p++;
		v &= require_any(r);
		require_emit(r, REQUIRE_AND);
	}
	return v;
}

bool require_add(struct require_set *set, const char *expression)
{
	return !require_check(set, expression, NULL);
}

static const char *require_read(struct require_parser *r, const char *expression)
{
	size_t before = r->set->n;

	r->p = expression;
	if (!expression)
		return NULL;
	require_all(r);
	if (*r->p)
		require_fail(r, r->p, "here '&', '|' or the end is expected");
	if (r->error)
		r->set->n = before;
	return r->error;
}

const char *require_check(struct require_set *set, const char *expression, size_t *at)
{
	struct require_parser r = { .set = set, .strict = at };

	if (require_read(&r, expression) && at)
		*at = (size_t)(r.wrong - expression);
	return r.error;
}

bool require_compile(struct require_set *set, const char *expression, uint8_t *ops, size_t *n_ops)
{
	struct require_parser r = { .set = set, .ops = ops };

	require_read(&r, expression);
	*n_ops = r.n_ops;
	return !r.error;
}

bool require_true(const struct require_set *set, size_t first, const char *expression, bool whole)
{
	struct require_parser r = { .p = expression, .marked = set, .next = first, .whole = whole };

	return !expression || (require_all(&r) && !r.error);
}

/* fact "=" path */
static bool require_capture(struct require_parser *r)
{
	struct require_term t = { .op = '>', .arg = r->p };
	size_t len;

	while (require_name_byte(*r->p))
		r->p++;
	len = (size_t)(r->p - t.arg);
	if (r->strict && !require_known(require_facts, REQUIRE_COUNT(require_facts), t.arg, len))
		return require_fail(r, t.arg, "a fact is one of agent, algo, login, worker, payee, method");
	t.arg_len = (uint8_t)len;
	if (*r->p != '=')
		return require_fail(r, r->p, "here '=' and a path are expected");
	r->p++;
	if (!require_path(r, &t))
		return false;
	if (*r->p && !require_blank(*r->p))
		return require_fail(r, r->p, "here a blank or the end is expected");
	if (r->set->n == REQUIRE_TERMS_MAX)
		return require_fail(r, t.arg, "more facts than one row may have");
	r->set->terms[r->set->n++] = t;
	return true;
}

bool require_add_captures(struct require_set *set, const char *captures)
{
	return !require_check_captures(set, captures, NULL);
}

const char *require_check_captures(struct require_set *set, const char *captures, size_t *at)
{
	struct require_parser r = { .p = captures ? captures : "", .set = set, .strict = at };
	size_t before = set->n;

	for (require_blanks(&r); *r.p && !r.error; require_blanks(&r))
		require_capture(&r);
	if (!r.error)
		return NULL;
	set->n = before;
	if (at)
		*at = (size_t)(r.wrong - captures);
	return r.error;
}

static bool require_base58(int c)
{
	return (c >= '1' && c <= '9') || (c >= 'A' && c <= 'Z' && c != 'I' && c != 'O') ||
	       (c >= 'a' && c <= 'z' && c != 'l');
}

static bool require_hex(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* How many characters at the start of the text are of the alphabet. */
static size_t require_run(struct view v, bool (*in)(int c))
{
	size_t n = 0;

	while (in(json_char(&v)))
		n++;
	return n;
}

/* "0x" and exactly `digits` hex digits; more text may follow where `open`. */
static bool require_0x(struct view v, size_t digits, bool open)
{
	if (json_char(&v) != '0' || json_char(&v) != 'x' ||  /* NOLINT(misc-redundant-expression): each call takes a letter */
	    require_run(v, require_hex) != digits)
		return false;
	while (digits--)
		json_char(&v);
	return open || json_char(&v) < 0;
}

static bool require_starts(struct view v, const char *const *starts, size_t n, bool nocase)
{
	while (n--)
		if (json_same(v, starts[n], strlen(starts[n]), nocase, true))
			return true;
	return false;
}

static bool require_wallet(struct view v)
{
	static const char *const prefixes[] = { "kaspa:", "nexa:", "xel:", "bc1q", "bc1p" };

	return require_0x(v, 40, true) || require_run(v, require_base58) >= WALLET_BASE58_MIN ||
	       (v.len >= 40 && require_starts(v, prefixes, REQUIRE_COUNT(prefixes), false));
}

/* The agent of a known miner or pool proxy (PROTOCOLS 2.2). Malware renames it freely, so its absence says nothing. */
static bool require_miner(struct view v)
{
	static const char *const miners[] = {
		"xmrig", "xmr-stak", "srbminer", "cpuminer", "ccminer", "cgminer", "bfgminer", "bmminer", "nbminer", "gminer",
		"lolminer", "t-rex/", "teamredminer", "phoenixminer", "rigel/", "bzminer", "ethminer", "kawpowminer", "nicehash/",
		"whatsminer", "bosminer", "xminer-", "meta miner", "deepminer", "webminerpool", "miniz/", "ewbf", "onezerominer",
	};

	return require_starts(v, miners, REQUIRE_COUNT(miners), true);
}

/* Exactly 64 hex digits. */
static bool require_hex64(struct view v)
{
	size_t n = 0;
	int c;

	while (require_hex(c = json_char(&v)))
		n++;
	return n == 64 && c < 0;
}

static bool require_word(const struct require_term *t, const char *word)
{
	return t->arg_len == strlen(word) && !memcmp(t->arg, word, t->arg_len);
}

static const char *require_type(enum json_event e, struct view v)
{
	switch (e) {
	case JSON_STRING:
		return "string";
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	default:
		break;
	}
	switch (v.len ? v.p[0] : 0) {
	case 'n':
		return "null";
	case 't': case 'f':
		return "bool";
	default:
		return "number";
	}
}

bool require_shape(const char *shape, struct view v)
{
	switch (shape[0]) {
	case 'w':
		return require_wallet(v);
	case 'm':
		return require_miner(v);
	default:	/* "hash" and "hex" */
		return shape[1] == 'a' ? require_0x(v, 64, false) : require_hex64(v);
	}
}

static void require_mark(struct require_term *t, enum json_event e, struct view v)
{
	bool string = e == JSON_STRING;

	switch (t->op) {
	case ':':
		t->seen |= require_word(t, require_type(e, v));
		break;
	case '=': case '^':
		t->seen |= (string || e == JSON_PLAIN) && json_same(v, t->arg, t->arg_len, false, t->op == '^');
		break;
	case '~':
		t->seen |= string && require_shape(t->arg, v);
		break;
	case '>':
		if (string && !t->seen && v.len) {
			t->seen = true;
			t->value = v;
		}
		break;
	default:
		/* null stands for absent */
		t->seen |= e != JSON_PLAIN || v.len == 0 || v.p[0] != 'n';
	}
}

/* Where the scan stands: one key or index a level. */
struct require_place {
	struct view key;
	unsigned index;		/* of the last value; UINT_MAX before the first */
	bool object;
};

/* Is the value of a path of `depth` steps, as many as the term has, the one that the term asks for? */
static bool require_here(const struct require_term *t, const struct require_place *at, size_t depth)
{
	size_t i;

	for (i = depth; i--;) {
		const struct require_step *s = &t->steps[i];

		if (at[i].object != (s->name != NULL))
			return false;
		if (s->name ? !json_same(at[i].key, s->name, s->len, true, false) : at[i].index != s->index)
			return false;
	}
	return true;
}

void require_scan(struct require_set *set, const uint8_t *p, const uint8_t *end)
{
	struct require_place at[REQUIRE_STEPS_MAX + 1] = { 0 };
	struct json j = json_make(p, end);
	size_t depth, i;

	do {
		enum json_event e = json_next(&j);
		bool open = e == JSON_OBJECT || e == JSON_ARRAY;

		if (e == JSON_SHORT || e == JSON_BAD)
			return;
		if (open && j.depth <= REQUIRE_STEPS_MAX)
			at[j.depth - 1] = (struct require_place){ .index = UINT_MAX, .object = e == JSON_OBJECT };
		depth = j.depth - open;		/* of the container that holds this value */
		if (e == JSON_CLOSE || !depth || depth > REQUIRE_STEPS_MAX)
			continue;
		if (e == JSON_KEY) {
			at[depth - 1].key = j.text;
			continue;
		}
		at[depth - 1].index++;
		for (i = 0; i < set->n; i++)
			if (set->terms[i].n_steps == depth && require_here(&set->terms[i], at, depth))
				require_mark(&set->terms[i], e, j.text);
	} while (j.depth);
}
