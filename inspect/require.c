// SPDX-License-Identifier: GPL-2.0-or-later
/* Parses, marks and evaluates the tests of dialect rows. Built so that a hostile message costs one pass
 * over its bytes, however many rows ask. */
#include "inspect/require.h"

#include <limits.h>
#include <string.h>

#include "inspect/json.h"

/* Monero's are 95 and 106 characters, those of its relatives 90 to 110 (PROTOCOLS 2.2). */
#define WALLET_BASE58_MIN 90

struct require_parser {
	const char *p;
	struct require_set *set;	/* collecting, or NULL */
	const struct require_set *marked;
	size_t next;			/* term of the next test */
	bool whole;
	bool error;
};

static bool require_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static void require_blanks(struct require_parser *r)
{
	while (*r->p == ' ')
		r->p++;
}

static bool require_step(struct require_parser *r, struct require_term *t)
{
	struct require_step *s = &t->steps[t->n_steps];
	const char *start = r->p;

	if (t->n_steps == REQUIRE_STEPS_MAX)
		return false;
	if (*r->p == '[') {
		if (r->p[1] < '0' || r->p[1] > '9' || r->p[2] != ']')
			return false;
		*s = (struct require_step){ .index = (uint8_t)(r->p[1] - '0') };
		r->p += 3;
	} else {
		while (require_name_byte(*r->p))
			r->p++;
		if (r->p == start)
			return false;
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

/* path [op argument] */
static bool require_test(struct require_parser *r)
{
	struct require_term t = { .op = '.' };
	size_t index = r->next++;

	if (!require_path(r, &t)) {
		r->error = true;
		return false;
	}
	if (*r->p && strchr(":=^~", *r->p)) {
		t.op = *r->p++;
		t.arg = r->p;
		while (require_name_byte(*r->p) || *r->p == '.' || *r->p == '/')
			r->p++;
		t.arg_len = (uint8_t)(r->p - t.arg);
	}
	if (r->set) {
		if (r->set->n == REQUIRE_TERMS_MAX)
			r->error = true;
		else
			r->set->terms[r->set->n++] = t;
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
		v = require_all(r);
		if (*r->p == ')')
			r->p++;
		else
			r->error = true;
	} else {
		v = require_test(r);
	}
	require_blanks(r);
	return negative ? r->whole && !v : v;
}

/* one { '|' one }: binds closer than '&', so that lists of alternatives need no brackets. */
static bool require_any(struct require_parser *r)
{
	bool v = require_one(r);

	while (*r->p == '|' && !r->error) {
		r->p++;
		v |= require_one(r);
	}
	return v;
}

static bool require_all(struct require_parser *r)
{
	bool v = require_any(r);

	while (*r->p == '&' && !r->error) {
		r->p++;
		v &= require_any(r);
	}
	return v;
}

bool require_add(struct require_set *set, const char *expression)
{
	struct require_parser r = { .p = expression, .set = set };
	size_t before = set->n;

	if (!expression)
		return true;
	require_all(&r);
	if (r.error || *r.p) {
		set->n = before;
		return false;
	}
	return true;
}

bool require_true(const struct require_set *set, size_t first, const char *expression, bool whole)
{
	struct require_parser r = { .p = expression, .marked = set, .next = first, .whole = whole };

	return !expression || (require_all(&r) && !r.error);
}

/* fact "=" path, separated by blanks. */
bool require_add_captures(struct require_set *set, const char *captures)
{
	struct require_parser r = { .p = captures ? captures : "" };
	size_t before = set->n;

	for (require_blanks(&r); *r.p; require_blanks(&r)) {
		struct require_term t = { .op = '>', .arg = r.p };

		while (require_name_byte(*r.p))
			r.p++;
		t.arg_len = (uint8_t)(r.p - t.arg);
		if (*r.p != '=' || set->n == REQUIRE_TERMS_MAX)
			goto fail;
		r.p++;
		if (!require_path(&r, &t))
			goto fail;
		set->terms[set->n++] = t;
	}
	return true;
fail:
	set->n = before;
	return false;
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
	if (json_char(&v) != '0' || json_char(&v) != 'x' || require_run(v, require_hex) != digits)
		return false;
	while (digits--)
		json_char(&v);
	return open || json_char(&v) < 0;
}

static bool require_wallet(struct view v)
{
	static const char *const prefixes[] = { "kaspa:", "nexa:", "xel:", "bc1q", "bc1p" };
	size_t i;

	if (require_0x(v, 40, true) || require_run(v, require_base58) >= WALLET_BASE58_MIN)
		return true;
	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (v.len >= 40 && json_same(v, prefixes[i], strlen(prefixes[i]), false, true))
			return true;
	return false;
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
		t->seen |= string && (require_word(t, "wallet") ? require_wallet(v) : require_0x(v, 64, false));
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
