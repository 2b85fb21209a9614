// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds the first messages of a stream and asks the dialect table about each. It knows framing only: what
 * mining is stands in the rows. */
#include "inspect/stratum.h"

#include <string.h>

#include "inspect/code.h"
#include "inspect/json.h"
#include "inspect/payee.h"
#include "inspect/require.h"

/* Whole messages that may be something else before a stream picked up in the middle is left alone. From a client every
 * message is read: servers answer an unknown method with an error and wait for the next line. */
#define STRATUM_MESSAGES_UNSURE 4

/* Starts tried in a stream that was picked up in the middle, so that hostile text stays linear. */
#define STRATUM_RESYNC_MAX 16

/* The rest of one line of a stream picked up in the middle; longer lines are not Stratum's submits and jobs. */
#define STRATUM_TAIL_MAX 4096

/* Rows that are asked together, in one pass over the message. */
#define STRATUM_ASKED_MAX 32

/* Messages behind the one that decides which may tell the login, as "mining.authorize" behind "mining.subscribe". */
#define STRATUM_GATHER_MAX 3

struct stratum_candidate {
	const struct dialect_row *row;
	struct json_string method;
};

/* The rows that its methods name: as many as the table has, or a message could hide one method behind others. */
struct stratum_message {
	const struct inspect_input *in;		/* of a compiled table, as `listed` and `seen` */
	const uint8_t *p;
	const uint8_t *end;	/* as far as it was scanned */
	bool whole;
	size_t n;
	uint64_t listed[DIALECT_ROWS_MAX / 64];	/* rows that are in there, of a compiled table */
	struct code_seen seen;
	struct stratum_candidate rows[DIALECT_ROWS_MAX];
};

/* Where the terms of a candidate stand in the set. */
struct stratum_asked {
	size_t first;
	size_t captures;
	size_t end;
	bool usable;
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

/* Is this method the row's? `plain`: it holds no escapes. */
static bool stratum_names(const struct dialect_row *row, struct view method, bool plain)
{
	size_t n = strlen(row->method);
	bool open = n >= 3 && row->method[n - 1] == '*' && row->method[n - 2] == '.';

	n -= open;
	if (plain)
		return (open ? method.len > n : method.len == n) && !memcmp(method.p, row->method, n);
	return json_same(method, row->method, n, false, true) && open != json_same(method, row->method, n, false, false);
}

static void stratum_candidate(struct stratum_message *m, const struct dialect_row *row, struct view method)
{
	size_t k;

	for (k = 0; k < m->n; k++)
		if (m->rows[k].row == row)
			return;
	m->rows[m->n++] = (struct stratum_candidate){ .row = row, .method = { .text = method } };
}

static struct dialect_table stratum_table(const struct inspect_input *in)
{
	struct dialect_table t = in->dialects ? *in->dialects : dialect_builtin;

	if (t.n_rows > DIALECT_ROWS_MAX)
		t.n_rows = DIALECT_ROWS_MAX;
	return t;
}

/* The rows that need no method. */
static void stratum_nameless(const struct inspect_input *in, struct stratum_message *m)
{
	const struct dialect_table t = stratum_table(in);
	const struct dialect_row *row;

	for (row = t.rows; row < t.rows + t.n_rows; row++)
		if (!row->method && stratum_side(row, in->side) && stratum_carried(row, in->carrier))
			stratum_candidate(m, row, (struct view){ 0 });
}

/* Over the whole table for every method of a message, however many it has: the first letter refuses most. */
static void stratum_candidates(const struct inspect_input *in, struct stratum_message *m, struct view method)
{
	const struct dialect_table t = stratum_table(in);
	const struct dialect_row *row;
	uint8_t first = method.len && *method.p != '\\' ? *method.p : 0;
	bool plain = !method.len || (!memchr(method.p, '\\', method.len) && !memchr(method.p, 0, method.len));

	for (row = t.rows; row < t.rows + t.n_rows; row++) {
		if (!row->method || (first && first != (uint8_t)*row->method))
			continue;
		if (stratum_side(row, in->side) && stratum_carried(row, in->carrier) && stratum_names(row, method, plain))
			stratum_candidate(m, row, method);
	}
}

/* Crosses the object and notes the rows of every method member. False: not JSON. */
static bool stratum_scan(const struct inspect_input *in, struct stratum_message *m, const uint8_t *end)
{
	struct json j = json_make(m->p, end);
	bool method = false;

	stratum_nameless(in, m);
	do {
		enum json_event e = json_next(&j);

		m->end = j.p;
		if (e == JSON_SHORT)
			m->end = end;
		if (e == JSON_SHORT || e == JSON_BAD)
			return e == JSON_SHORT;
		if (e == JSON_STRING && method && j.depth == 1)
			stratum_candidates(in, m, j.text);
		method = e == JSON_KEY && j.depth == 1 && json_same(j.text, "method", 6, true, false);
	} while (j.depth);
	m->whole = true;
	return true;
}

static void stratum_told(void *arg, struct json_string method, const uint16_t *rows, size_t n)
{
	struct stratum_message *m = arg;
	const struct inspect_input *in = m->in;

	for (size_t i = 0; i < n; i++) {
		const struct dialect_row *row = &in->dialects->rows[rows[i]];
		uint64_t bit = UINT64_C(1) << rows[i] % 64;

		if (m->listed[rows[i] / 64] & bit || !stratum_side(row, in->side) || !stratum_carried(row, in->carrier))
			continue;
		m->listed[rows[i] / 64] |= bit;
		m->rows[m->n++] = (struct stratum_candidate){ .row = row, .method = method };
	}
}

/* The same by the tree of a compiled table, and all that its rows ask for besides. */
static bool stratum_walk(const struct inspect_input *in, struct stratum_message *m, const uint8_t *end)
{
	const struct dialect_code *code = in->dialects->code;
	const uint16_t *rows;
	enum json_event e;
	size_t n;

	m->in = in;
	memset(m->listed, 0, sizeof(m->listed));
	rows = code_nameless(code, in->side, in->carrier, &n);
	stratum_told(m, (struct json_string){ .plain = true }, rows, n);
	e = code_scan(code, m->p, end, &m->seen, stratum_told, m, &m->end);
	if (e == JSON_SHORT)
		m->end = end;
	m->whole = e != JSON_SHORT && e != JSON_BAD;
	return e != JSON_BAD;
}

/* One captured text; what an earlier capture has said stays. */
static void stratum_fact(struct stratum_facts *f, enum code_fact fact, struct view text)
{
	struct view login = text, worker = { 0 };

	switch (fact) {
	case CODE_AGENT:
		f->agent = f->agent.len ? f->agent : text;
		break;
	case CODE_ALGO:
		f->algo = f->algo.len ? f->algo : text;
		break;
	case CODE_METHOD:
		f->method = f->method.len ? f->method : text;
		break;
	case CODE_WORKER:
		/* some write their wallet here */
		if (!f->worker.len && !payee_is_wallet(text))
			f->worker = text;
		break;
	case CODE_LOGIN: case CODE_PAYEE:
		if (f->login.len)
			break;
		if (fact == CODE_PAYEE)
			payee_split(text, &login, &worker);
		f->login = login;
		f->worker = f->worker.len ? f->worker : worker;
	}
}

static void stratum_fill(const struct inspect_input *in, const struct stratum_candidate *c, struct stratum_facts *f)
{
	*f = (struct stratum_facts){ .dialect = c->row->dialect, .kind = c->row->kind, .sides = c->row->sides };
	f->method = json_text(&c->method, in->scratch);
}

/* A row's terms behind those that are there. False: no room, or ill-formed. */
static bool stratum_terms(const struct dialect_row *row, struct stratum_asked *asked, struct require_set *set)
{
	*asked = (struct stratum_asked){ .usable = true, .first = set->n };
	if (!require_add(set, row->require))
		return false;
	asked->captures = set->n;
	if (!require_add_captures(set, row->capture))
		return false;
	asked->end = set->n;
	return true;
}

/* Puts the terms of as many candidates as fit into the set, from `i` on. Returns the first that did not fit. */
static size_t stratum_collect(const struct stratum_message *m, size_t i, struct stratum_asked *asked, struct require_set *set)
{
	size_t start = i;

	set->n = 0;
	for (; i < m->n && i - start < STRATUM_ASKED_MAX; i++, asked++)
		if (!stratum_terms(m->rows[i].row, asked, set))
			break;
	if (i > start || i == m->n)
		return i;
	asked->usable = false;	/* ill-formed: dialect_check would have said so */
	return i + 1;
}

static bool stratum_true(const struct stratum_asked *a, const struct dialect_row *row, const struct require_set *set, bool whole)
{
	return a->usable && require_true(set, a->first, row->require, whole);
}

/* The first candidate that is true: rows without a method, then those of each method, in table order. What is less than Stratum is
 * only taken where nothing else is true, or a miner could hide behind it. */
static bool stratum_judge(const struct inspect_input *in, const struct stratum_message *m, const uint8_t *end, struct stratum_facts *f)
{
	struct stratum_asked asked[STRATUM_ASKED_MAX];
	struct require_set set;
	bool found = false;
	size_t i, k, next;

	for (i = 0; i < m->n; i = next) {
		next = stratum_collect(m, i, asked, &set);
		require_scan(&set, m->p, end);
		for (k = i; k < next; k++) {
			const struct stratum_asked *a = &asked[k - i];
			const struct dialect_row *row = m->rows[k].row;

			if ((found && row->kind != MINING_STRATUM) || !stratum_true(a, row, &set, m->whole))
				continue;
			stratum_fill(in, &m->rows[k], f);
			for (size_t c = a->captures; c < a->end; c++)
				if (set.terms[c].seen)
					stratum_fact(f, code_fact(set.terms[c].arg, set.terms[c].arg_len), json_unescape(set.terms[c].value, in->scratch));
			if (row->kind == MINING_STRATUM)
				return true;
			found = true;
		}
	}
	return found;
}

/* The same by what the walk has shown. */
static bool stratum_decide(const struct inspect_input *in, struct stratum_message *m, struct stratum_facts *f)
{
	const struct dialect_code *code = in->dialects->code;
	const struct code_capture *captures;
	bool found = false;
	size_t n;

	for (size_t i = 0; i < m->n; i++) {
		const struct dialect_row *row = m->rows[i].row;
		size_t number = (size_t)(row - in->dialects->rows);

		if ((found && row->kind != MINING_STRATUM) || !code_true(code, number, &m->seen, m->whole))
			continue;
		stratum_fill(in, &m->rows[i], f);
		captures = code_captures(code, number, &n);
		for (size_t c = 0; c < n; c++) {
			if (code_has(&m->seen, captures[c].text))
				stratum_fact(f, (enum code_fact)captures[c].fact, json_text(&m->seen.texts[captures[c].text], in->scratch));
		}
		if (row->kind == MINING_STRATUM)
			return true;
		found = true;
	}
	return found;
}

/* One object. MATCH or NO: `*p` moves behind it. BAD: not JSON, though it may have been a match before it broke. */
static enum inspect_result stratum_message(const struct inspect_input *in, const uint8_t **p, const uint8_t *end,
					   struct stratum_facts *f)
{
	struct stratum_message m;	/* large, and guarded by counts, so it is not cleared */
	bool compiled = in->dialects && in->dialects->code, json, found = false;

	m.p = m.end = *p;
	m.whole = false;
	m.n = 0;
	json = compiled ? stratum_walk(in, &m, end) : stratum_scan(in, &m, end);
	*p = m.end;
	if (m.n && (m.whole || !json || in->ended))
		found = compiled ? stratum_decide(in, &m, f) : stratum_judge(in, &m, end, f);
	if (found)
		return INSPECT_MATCH;
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

/* Whom it is for may stand in a message behind the first one; all that is known already stays. */
static void stratum_gather(const struct inspect_input *in, const uint8_t *p, bool batch, struct stratum_facts *f)
{
	const uint8_t *end = in->p + in->len;
	unsigned n;

	for (n = 0; n < STRATUM_GATHER_MAX && !f->login.len; n++) {
		struct stratum_facts more;
		enum inspect_result r;

		if (stratum_border(&p, end, &batch, false) != INSPECT_MATCH)
			return;
		r = stratum_message(in, &p, end, &more);
		if (r == INSPECT_BAD || r == INSPECT_MORE)
			return;
		if (r != INSPECT_MATCH || more.kind != f->kind)
			continue;
		f->login = more.login;
		f->worker = f->worker.len ? f->worker : more.worker;
		f->agent = f->agent.len ? f->agent : more.agent;
		f->algo = f->algo.len ? f->algo : more.algo;
	}
}

/* What was found in a stream so far; `behind` is NULL if nothing. */
struct stratum_find {
	const uint8_t *behind;
	bool batch;
	struct stratum_facts facts;
	struct stratum_facts later;	/* room for those of the next message */
};

/* What is less than Stratum decides nothing on a stream: more may follow. */
static enum inspect_result stratum_found(const struct inspect_input *in, struct stratum_find *find, struct facts *out)
{
	bool weak = find->facts.kind != MINING_STRATUM;

	if (!weak)
		stratum_gather(in, find->behind, find->batch, &find->facts);
	out->app = APP_STRATUM;
	out->mining = true;
	out->stratum = find->facts;
	out->consumed = (size_t)(find->behind - in->p);
	out->again = weak && in->carrier == CARRIER_STREAM ? AGAIN_SAME : AGAIN_NO;
	return INSPECT_MATCH;
}

/* Reads one message. MATCH: something is found that nothing behind it can outdo; NO: read on. */
static enum inspect_result stratum_next(const struct inspect_input *in, const uint8_t **p, bool batch, struct stratum_find *find)
{
	struct stratum_facts *f = find->behind ? &find->later : &find->facts;
	enum inspect_result r = stratum_message(in, p, in->p + in->len, f);

	if (r != INSPECT_MATCH)
		return r;
	if (!find->behind || f->kind == MINING_STRATUM) {
		if (find->behind)
			find->facts = *f;
		find->behind = *p;
		find->batch = batch;
	}
	return f->kind == MINING_STRATUM ? INSPECT_MATCH : INSPECT_NO;
}

/* Messages from `p` on, one after the other. */
static enum inspect_result stratum_messages(const struct inspect_input *in, const uint8_t *p, struct facts *out)
{
	const uint8_t *end = in->p + in->len;
	struct stratum_find find;	/* large, and guarded by `behind`, so it is not cleared */
	enum inspect_result r = INSPECT_NO;
	bool batch = false;
	unsigned n;

	find.behind = NULL;
	for (n = 0; n < STRATUM_MESSAGES_UNSURE || in->side == SIDE_CLIENT; n++) {
		r = stratum_border(&p, end, &batch, !n);
		/* an array may still bring worse than what was found in it */
		if (r == INSPECT_MORE && !in->ended && (batch || !find.behind))
			return r;
		if (r != INSPECT_MATCH) {
			r = INSPECT_NO;
			break;
		}
		r = stratum_next(in, &p, batch, &find);
		if (r == INSPECT_MORE && !in->ended)
			return r;
		if (r != INSPECT_NO) {
			r = r == INSPECT_BAD ? INSPECT_NO : INSPECT_BAD;	/* no JSON, or JSON without an end */
			break;
		}
	}
	return find.behind ? stratum_found(in, &find, out) : r;
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

	if (n && *in->p == bom[0] && !memcmp(in->p, bom, n)) {
		if (n < sizeof(bom))
			return in->ended ? INSPECT_NO : INSPECT_MORE;
		return stratum_messages(in, in->p + n, out);
	}
	r = stratum_messages(in, in->p, out);
	if (in->side == SIDE_UNSURE && in->carrier == CARRIER_STREAM && r != INSPECT_MATCH && r != INSPECT_MORE && in->len)
		r = stratum_resync(in, out);
	return r;
}
