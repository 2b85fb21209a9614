// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds the first messages of a stream and asks the dialect table about each. It knows framing only: what
 * mining is stands in the rows. */
#include "inspect/stratum.h"

#include <string.h>

#include "inspect/json.h"
#include "inspect/require.h"

/* Whole messages that may be something else before a stream picked up in the middle is left alone. From a client every
 * message is read: servers answer an unknown method with an error and wait for the next line. */
#define STRATUM_MESSAGES_UNSURE 4

/* Starts tried in a stream that was picked up in the middle, so that hostile text stays linear. */
#define STRATUM_RESYNC_MAX 16

/* The rest of one line of a stream picked up in the middle; longer lines are not Stratum's submits and jobs. */
#define STRATUM_TAIL_MAX 4096

/* Rows that the methods of one message may name. Fewer than this share the methods that do not decide alone. */
#define STRATUM_ROWS_MAX 16

struct stratum_candidate {
	const struct dialect_row *row;
	struct view method;	/* still escaped */
	size_t first;		/* its first term */
	size_t captures;	/* its first capture */
	size_t end;
	bool usable;
};

struct stratum_message {
	const uint8_t *p;
	const uint8_t *end;	/* as far as it was scanned */
	bool whole;
	size_t n;
	struct stratum_candidate rows[STRATUM_ROWS_MAX];
};

static bool stratum_carried(const struct dialect_row *row, enum carrier carrier)
{
	return !row->carriers || row->carriers & 1u << carrier;
}

static bool stratum_side(const struct dialect_row *row, enum side side)
{
	switch (side) {
	case SIDE_CLIENT:
		return row->sides & DIALECT_FROM_CLIENT;
	case SIDE_SERVER:
		return row->sides & DIALECT_FROM_SERVER;
	case SIDE_UNSURE:
		break;
	}
	return true;
}

static bool stratum_names(const struct dialect_row *row, struct view method)
{
	size_t n;
	bool prefix;

	/* most differ in their first letter */
	if (method.len && *method.p && *method.p != '\\' && *method.p != (uint8_t)*row->method)
		return false;
	n = strlen(row->method);
	prefix = n > 2 && !memcmp(row->method + n - 2, ".*", 2);

	if (!prefix)
		return json_same(method, row->method, n, false, false);
	return json_same(method, row->method, n - 1, false, true) &&
	       !json_same(method, row->method, n - 1, false, false);
}

static void stratum_candidates(const struct inspect_input *in, struct stratum_message *m, const struct view *method)
{
	const struct dialect_table *t = in->dialects ? in->dialects : &dialect_builtin;
	size_t i, k, n = t->n_rows < DIALECT_ROWS_MAX ? t->n_rows : DIALECT_ROWS_MAX;

	for (i = 0; i < n && m->n < STRATUM_ROWS_MAX; i++) {
		const struct dialect_row *row = &t->rows[i];

		if (!row->method != !method || !stratum_carried(row, in->carrier) || !stratum_side(row, in->side) || (method && !stratum_names(row, *method)))
			continue;
		for (k = 0; k < m->n && m->rows[k].row != row; k++)
			;
		if (k == m->n)
			m->rows[m->n++] = (struct stratum_candidate){ .row = row, .method = method ? *method : (struct view){ 0 } };
	}
}

/* Crosses the object and notes the rows of every method member. False: not JSON. */
static bool stratum_scan(const struct inspect_input *in, struct stratum_message *m, const uint8_t *end)
{
	struct json j = json_make(m->p, end);
	bool method = false;

	stratum_candidates(in, m, NULL);
	do {
		enum json_event e = json_next(&j);

		m->end = j.p;
		if (e == JSON_SHORT)
			m->end = end;
		if (e == JSON_SHORT || e == JSON_BAD)
			return e == JSON_SHORT;
		if (e == JSON_STRING && method && j.depth == 1)
			stratum_candidates(in, m, &j.text);
		method = e == JSON_KEY && j.depth == 1 && json_same(j.text, "method", 6, true, false);
	} while (j.depth);
	m->whole = true;
	return true;
}

static void stratum_fact(struct view *fact, const struct require_term *t, struct inspect_scratch *s)
{
	if (t->seen && !fact->len)
		*fact = json_text(t->value, s);
}

static void stratum_fill(const struct inspect_input *in, const struct stratum_message *m,
			 const struct stratum_candidate *c, const struct require_set *set, struct facts *out)
{
	struct stratum_facts *f = &out->stratum;
	size_t i;

	f->dialect = c->row->dialect;
	f->kind = c->row->kind;
	f->sides = c->row->sides;
	f->method = json_text(c->method, in->scratch);
	for (i = c->captures; i < c->end; i++) {
		const struct require_term *t = &set->terms[i];

		if (t->arg_len == 4 && !memcmp(t->arg, "algo", 4))
			stratum_fact(&f->algo, t, in->scratch);
		else if (t->arg_len == 6 && !memcmp(t->arg, "worker", 6))
			stratum_fact(&f->worker, t, in->scratch);
		else if (t->arg[0] == 'a')
			stratum_fact(&f->agent, t, in->scratch);
		else
			stratum_fact(&f->login, t, in->scratch);
	}
	out->app = APP_STRATUM;
	out->mining = true;
	out->consumed = (size_t)(m->end - in->p);
}

/* Puts the terms of as many candidates as fit into the set, from `i` on. Returns the first that did not fit. */
static size_t stratum_collect(struct stratum_message *m, size_t i, struct require_set *set)
{
	size_t start = i;

	set->n = 0;
	for (; i < m->n; i++) {
		struct stratum_candidate *c = &m->rows[i];

		c->usable = true;
		c->first = set->n;
		if (!require_add(set, c->row->require))
			break;
		c->captures = set->n;
		if (!require_add_captures(set, c->row->capture))
			break;
		c->end = set->n;
	}
	if (i == start)
		m->rows[i++].usable = false;	/* ill-formed: stratum_table_valid would have said so */
	return i;
}

/* The first candidate that is true: rows without a method, then those of each method, in table order. */
static bool stratum_judge(const struct inspect_input *in, struct stratum_message *m, struct facts *out)
{
	struct require_set set;
	size_t i = 0, k, next;

	while (i < m->n) {
		next = stratum_collect(m, i, &set);
		require_scan(&set, m->p, m->end);
		for (k = i; k < next; k++) {
			const struct stratum_candidate *c = &m->rows[k];

			if (!c->usable || !require_true(&set, c->first, c->row->require, m->whole))
				continue;
			stratum_fill(in, m, c, &set, out);
			return true;
		}
		i = next;
	}
	return false;
}

/* One object. NO: a whole message of something else, `*p` moves behind it. BAD: not JSON. */
static enum inspect_result stratum_message(const struct inspect_input *in, const uint8_t **p, const uint8_t *end,
					   struct facts *out)
{
	struct stratum_message m;	/* the rows' array is guarded by its count, so it is not cleared */
	bool json;

	m.p = m.end = *p;
	m.whole = false;
	m.n = 0;
	json = stratum_scan(in, &m, end);
	if (m.n && stratum_judge(in, &m, out))
		return INSPECT_MATCH;
	*p = m.end;
	if (!json)
		return INSPECT_BAD;
	return m.whole ? INSPECT_NO : INSPECT_MORE;
}

/* A line of digits alone, as some senders put the length there. MATCH: `*p` is behind it. */
static enum inspect_result stratum_digits(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *q = *p;

	while (q < end && *q >= '0' && *q <= '9')
		q++;
	if (q == *p)
		return INSPECT_NO;
	while (q < end && (*q == ' ' || *q == '\t' || *q == '\r'))
		q++;
	if (q == end)
		return INSPECT_MORE;
	*p = q + 1;
	return *q == '\n' ? INSPECT_MATCH : INSPECT_NO;
}

/* Steps over all that may stand before a message. MATCH: `*p` is at its brace. */
static enum inspect_result stratum_border(const uint8_t **p, const uint8_t *end, bool *batch, bool first)
{
	enum inspect_result r;

	while (*p < end) {
		switch (**p) {
		case '{':
			return INSPECT_MATCH;
		case ' ': case '\t': case '\r': case '\n': case '\0':
			break;
		case '[':
			if (*batch)
				return INSPECT_NO;
			*batch = true;
			break;
		case ',': case ']':
			if (!*batch || first)
				return INSPECT_NO;
			*batch = **p == ',';
			break;
		default:
			if (*batch)
				return INSPECT_NO;
			r = stratum_digits(p, end);
			if (r != INSPECT_MATCH)
				return r;
			continue;
		}
		++*p;
	}
	return INSPECT_MORE;
}

static enum inspect_result stratum_messages(const struct inspect_input *in, const uint8_t *p, struct facts *out)
{
	const uint8_t *end = in->p + in->len;
	bool batch = false;
	unsigned n;

	for (n = 0; n < STRATUM_MESSAGES_UNSURE || in->side == SIDE_CLIENT; n++) {
		enum inspect_result r = stratum_border(&p, end, &batch, !n);

		if (r == INSPECT_MORE && in->ended)
			return INSPECT_NO;
		if (r != INSPECT_MATCH)
			return r;
		r = stratum_message(in, &p, end, out);
		if (r == INSPECT_MORE && in->ended)
			return INSPECT_BAD;
		if (r == INSPECT_BAD)
			return INSPECT_NO;
		if (r != INSPECT_NO)
			return r;
	}
	return INSPECT_NO;
}

/* Does the line that ends at `lf` end like a message? */
static bool stratum_tail(const uint8_t *start, const uint8_t *lf)
{
	while (lf > start && (lf[-1] == '\r' || lf[-1] == ' '))
		lf--;
	return lf > start && lf[-1] == '}';
}

/* May these bytes be the end of a message, or the start of its end? */
static bool stratum_line(const uint8_t *p, const uint8_t *end)
{
	if (end - p >= STRATUM_TAIL_MAX)
		return false;
	for (; p < end; p++)
		if (*p < 0x20 ? *p != '\t' && *p != '\r' : *p >= 0x7f)
			return false;
	return true;
}

/* The stream may begin in the middle of a message: looks for the next one behind each line that ends like one. */
static enum inspect_result stratum_resync(const struct inspect_input *in, struct facts *out)
{
	const uint8_t *p = in->p, *end = in->p + in->len, *lf;
	enum inspect_result r, best = INSPECT_NO;
	unsigned n;

	for (n = 0; n < STRATUM_RESYNC_MAX; n++, p = lf + 1) {
		lf = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
		if (!stratum_line(p, lf ? lf : end))
			return best;
		if (!lf)
			return in->ended ? best : INSPECT_MORE;
		if (!stratum_tail(p, lf))
			return best;
		r = stratum_messages(in, lf + 1, out);
		if (r == INSPECT_MATCH)
			return r;
		if (r == INSPECT_MORE)
			best = r;
	}
	return best;
}

enum inspect_result stratum_inspect(const struct inspect_input *in, struct facts *out)
{
	static const uint8_t bom[3] = { 0xef, 0xbb, 0xbf };
	size_t n = in->len < sizeof(bom) ? in->len : sizeof(bom);
	enum inspect_result r;

	if (n && !memcmp(in->p, bom, n)) {
		if (n < sizeof(bom))
			return in->ended ? INSPECT_NO : INSPECT_MORE;
		return stratum_messages(in, in->p + n, out);
	}
	r = stratum_messages(in, in->p, out);
	if (in->side == SIDE_UNSURE && in->carrier == CARRIER_STREAM && r != INSPECT_MATCH && r != INSPECT_MORE && in->len)
		r = stratum_resync(in, out);
	return r;
}

bool stratum_table_valid(const struct dialect_table *table)
{
	struct require_set set;
	size_t i;

	for (i = 0; i < table->n_rows; i++) {
		set.n = 0;
		if (!require_add(&set, table->rows[i].require) || !require_add_captures(&set, table->rows[i].capture))
			return false;
	}
	return table->n_rows <= DIALECT_ROWS_MAX;
}
