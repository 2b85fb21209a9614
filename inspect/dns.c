// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads one DNS message. Records may stand in any order, so they are walked a few times, each walk bounded; names are
 * followed through compression only backwards, so every loop ends. */
#include "inspect/dns.h"

#include <string.h>

#include "inspect/cursor.h"
#include "inspect/name.h"

/* RFC 1035, 2.3.4: a name has at most 255 bytes; as text each may need a backslash. */
#define WIRE_NAME_MAX 255
#define TEXT_NAME_MAX (2 * WIRE_NAME_MAX)
/* Nobody answers more than one question; what claims more is still looked at. */
#define QUESTIONS_MAX 8
/* Records looked at in one walk, and walks: real answers have a dozen records in order, which takes two. */
#define RECORDS_MAX 256
#define WALKS_MAX 8
/* Pointers of one name that lead ahead. RFC 1035 has none, but dnsmasq follows them. */
#define AHEAD_MAX 4
/* Header and the shortest question. */
#define MESSAGE_MIN 17
#define HEADER_BYTES 12

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, TYPE_DNAME = 39, TYPE_OPT = 41, TYPE_SVCB = 64, TYPE_HTTPS = 65 };
enum { CLASS_IN = 1, PARAM_IPV4HINT = 4, PARAM_IPV6HINT = 6 };

struct message {
	struct cursor all;		/* at the message's start */
	struct cursor records;		/* behind the questions */
	unsigned n_records;
	struct inspect_scratch *scratch;
	struct facts *out;
};

struct text {
	uint8_t bytes[TEXT_NAME_MAX];
	size_t len;
};

struct record {
	struct text owner;
	uint16_t type, class;
	uint32_t ttl_s;
	struct cursor data;		/* of the whole message, at the data */
	size_t data_len;
};

/* A label's dots and backslashes are no separators: the name is listed with them escaped, and matches nothing. */
static void put_label(struct text *t, struct view label)
{
	if (t->len)
		t->bytes[t->len++] = '.';
	for (size_t i = 0; i < label.len; i++) {
		if (label.p[i] == '.' || label.p[i] == '\\')
			t->bytes[t->len++] = '\\';
		t->bytes[t->len++] = label.p[i];
	}
}

/* The name at `c`, which steps behind it. Compression (RFC 1035, 4.1.4) leads to an earlier place but for AHEAD_MAX times. False:
 * no name. */
static bool read_name(struct cursor *c, struct text *t)
{
	struct cursor at = *c;
	size_t wire = 0, lowest = c->pos;
	unsigned ahead = 0;
	bool jumped = false;

	t->len = 0;
	for (;;) {
		uint8_t n = cursor_u8(&at);

		if ((n & 0xc0) == 0xc0) {
			size_t target = (size_t)(n & 0x3f) << 8 | cursor_u8(&at);

			if (at.error || target >= at.len || (target >= lowest && ++ahead > AHEAD_MAX))
				return false;
			if (!jumped)
				*c = at;
			jumped = true;
			lowest = target;
			cursor_seek(&at, target);
			continue;
		}
		wire += n + 1u;
		if (n & 0xc0 || wire > WIRE_NAME_MAX || at.error)
			return false;
		if (!n)
			break;
		put_label(t, cursor_take(&at, n));
		if (at.error)
			return false;
	}
	if (!jumped)
		*c = at;
	if (!t->len)
		t->bytes[t->len++] = '.';
	return true;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool same_text(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

/* Which of the names found so far it is, or -1. */
static int known(const struct facts *out, const struct text *t)
{
	for (unsigned i = 0; i < out->n_names; i++)
		if (out->names[i].text.len == t->len && same_text(out->names[i].text.p, t->bytes, t->len))
			return (int)i;
	return -1;
}

/* True: it is new, and there was room for it. */
static bool add_name(struct message *m, const struct text *t)
{
	struct inspect_scratch *s = m->scratch;
	struct view v = { s->bytes + s->used, t->len };

	if (known(m->out, t) >= 0)
		return false;
	if (sizeof(s->bytes) - s->used < t->len || m->out->n_names == FACTS_NAMES_MAX) {
		m->out->names_lost = true;
		return false;
	}
	memcpy(s->bytes + s->used, t->bytes, t->len);
	s->used += t->len;
	name_add_host(m->out, NAME_DNS, v);
	return true;
}

static bool read_question(struct message *m, bool first)
{
	struct text name;
	uint16_t type;

	if (!read_name(&m->records, &name))
		return false;
	type = cursor_u16(&m->records);
	cursor_u16(&m->records);
	if (m->records.error)
		return false;
	if (first)
		m->out->dns.type = type;
	add_name(m, &name);
	return true;
}

/* Questions behind the header. False: there is not even one. */
static bool read_questions(struct message *m, unsigned n)
{
	size_t start = m->records.pos;
	unsigned i = 0;

	while (i < n && i < QUESTIONS_MAX && read_question(m, i == 0))
		i++;
	if (i < n)
		m->n_records = 0;
	if (i == 1)
		m->out->dns.question = (struct view){ m->all.base + start, m->records.pos - start };
	return i > 0;
}

static bool read_record(struct cursor *c, struct record *r)
{
	if (!read_name(c, &r->owner))
		return false;
	r->type = cursor_u16(c);
	r->class = cursor_u16(c);
	r->ttl_s = (uint32_t)cursor_u16(c) << 16;
	r->ttl_s |= cursor_u16(c);
	if (r->ttl_s >> 31)	/* RFC 2181, 8 */
		r->ttl_s = 0;
	r->data_len = cursor_u16(c);
	r->data = *c;
	cursor_skip(c, r->data_len);
	return !c->error;
}

/* DNAME: the part of a known name that stands above the owner moves to the target. */
static bool substitute(struct message *m, const struct record *r, const struct text *target)
{
	bool grown = false;
	unsigned n = m->out->n_names;

	for (unsigned i = 0; i < n; i++) {
		struct view name = m->out->names[i].text;
		size_t above = name.len > r->owner.len ? name.len - r->owner.len : 0;
		struct text moved;

		if (above < 2 || name.p[above - 1] != '.' || above + target->len > sizeof(moved.bytes) ||
		    !same_text(name.p + above, r->owner.bytes, r->owner.len))
			continue;
		memcpy(moved.bytes, name.p, above);
		memcpy(moved.bytes + above, target->bytes, target->len);
		moved.len = above + target->len;
		grown |= add_name(m, &moved);
	}
	return grown;
}

/* Adds what the record says another name of the question is. True: there was a new one. */
static bool follow(struct message *m, const struct record *r)
{
	struct cursor data = r->data;
	bool service = r->type == TYPE_SVCB || r->type == TYPE_HTTPS;
	struct text target;

	if (r->class != CLASS_IN || (!service && r->type != TYPE_CNAME && r->type != TYPE_DNAME))
		return false;
	if (r->type != TYPE_DNAME && known(m->out, &r->owner) < 0)
		return false;
	if (service)
		cursor_u16(&data);	/* the priority */
	if (!read_name(&data, &target) || data.pos > r->data.pos + r->data_len)
		return false;
	if (r->type == TYPE_DNAME)
		return substitute(m, r, &target);
	if (target.bytes[0] == '.')	/* RFC 9460, 2.5: the owner itself */
		return false;
	return add_name(m, &target);
}

static void add_answer(struct facts *out, const uint8_t *bytes, size_t len, uint32_t ttl_s)
{
	struct dns_answer *a = &out->dns.answers[out->dns.n_answers];

	if (out->dns.n_answers == FACTS_ANSWERS_MAX)
		return;
	memset(a->addr, 0, 10);
	memset(a->addr + 10, 0xff, 2);
	memcpy(a->addr + 16 - len, bytes, len);
	a->ttl_s = ttl_s;
	out->dns.n_answers++;
}

/* RFC 9460, 2.2: parameters behind priority and target, which is never compressed. */
static void add_hints(struct facts *out, const struct record *r)
{
	struct cursor at = r->data, data = cursor_sub(&at, r->data_len);
	uint8_t n;

	cursor_u16(&data);
	while ((n = cursor_u8(&data)) != 0)
		cursor_skip(&data, n);
	while (cursor_left(&data)) {
		uint16_t key = cursor_u16(&data);
		struct view value = cursor_take(&data, cursor_u16(&data));
		size_t size = key == PARAM_IPV4HINT ? 4 : key == PARAM_IPV6HINT ? 16 : 0;

		for (size_t i = 0; size && i + size <= value.len; i += size)
			add_answer(out, value.p + i, size, r->ttl_s);
	}
}

static void take_addresses(struct message *m, const struct record *r)
{
	struct cursor data = r->data;
	struct view bytes;

	if (r->class != CLASS_IN || known(m->out, &r->owner) < 0)
		return;
	bytes = cursor_take(&data, r->data_len);
	if ((r->type == TYPE_A && bytes.len == 4) || (r->type == TYPE_AAAA && bytes.len == 16))
		add_answer(m->out, bytes.p, bytes.len, r->ttl_s);
	else if (r->type == TYPE_SVCB || r->type == TYPE_HTTPS)
		add_hints(m->out, r);
}

/* One walk over the records. Without `addresses` it looks for further names: true if it found one. */
static bool walk(struct message *m, bool addresses)
{
	struct cursor c = m->records;
	bool grown = false;
	struct record r;

	for (unsigned i = 0; i < m->n_records && i < RECORDS_MAX && read_record(&c, &r); i++) {
		m->out->dns.edns |= r.type == TYPE_OPT;
		if (addresses)
			take_addresses(m, &r);
		else
			grown |= follow(m, &r);
	}
	return grown;
}

static void read_records(struct message *m)
{
	unsigned walks = 0;

	if (!m->out->dns.response) {
		walk(m, true);		/* for EDNS only: a query's records say nothing of its name */
		m->out->dns.n_answers = 0;
		return;
	}
	while (walk(m, false) && ++walks < WALKS_MAX)
		;
	walk(m, true);
}

static enum inspect_result read_message(struct cursor all, struct inspect_scratch *scratch, struct facts *out)
{
	struct message m = { .all = all, .records = all, .scratch = scratch, .out = out };
	uint16_t flags, n;

	memset(&out->dns, 0, offsetof(struct dns_facts, answers));
	out->dns.id = cursor_u16(&m.records);
	flags = cursor_u16(&m.records);
	n = cursor_u16(&m.records);
	for (int i = 0; i < 3; i++)
		m.n_records += cursor_u16(&m.records);
	out->dns.response = flags >> 15;
	out->dns.rcode = flags & 0xf;
	out->dns.recursion = flags >> 8 & 1;
	if (m.records.error || (flags & 0x7800) || !read_questions(&m, n))
		return INSPECT_NO;
	read_records(&m);
	out->app = APP_DNS;
	out->consumed = all.len;
	return INSPECT_MATCH;
}

enum inspect_result dns_message(struct view bytes, struct inspect_scratch *scratch, struct facts *out)
{
	size_t used = scratch->used;
	enum inspect_result r = read_message(cursor_make(bytes.p, bytes.len, bytes.len), scratch, out);

	if (r != INSPECT_MATCH) {
		out->n_names = 0;
		scratch->used = used;
	}
	return r;
}

/* May these be the first bytes of a query? Standard query, one question, no answers, at most one authority record (IXFR) and
 * three others: of other protocols that begin with such a length none has these zeros. */
static bool may_be_query(struct cursor c)
{
	static const uint8_t mask[HEADER_BYTES] = { 0, 0, 0xf8, 0x4f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xfc };
	static const uint8_t want[HEADER_BYTES] = { [5] = 1 };

	for (size_t i = 0; i < HEADER_BYTES && c.pos < c.have; i++)
		if ((cursor_u8(&c) & mask[i]) != want[i])
			return false;
	return c.len >= MESSAGE_MIN;
}

/* A message that is not whole, and never will be: its question may be. */
static enum inspect_result inspect_cut(const struct inspect_input *in, struct cursor body, struct facts *out)
{
	enum inspect_result r = read_message(body, in->scratch, out);

	out->consumed = in->len;
	return r;
}

enum inspect_result dns_inspect(const struct inspect_input *in, struct facts *out)
{
	bool open = in->only == APP_DNS;	/* known to be DNS */
	struct cursor c = cursor_make(in->p, SIZE_MAX, in->len), body;
	uint16_t len = cursor_u16(&c);
	enum inspect_result r;

	if (in->side == SIDE_SERVER || (!open && in->port != DNS_PORT))
		return INSPECT_NO;
	if (c.error)
		return in->ended ? INSPECT_NO : INSPECT_MORE;
	body = cursor_sub(&c, len);
	if (!open && !may_be_query(body))
		return INSPECT_NO;
	if (c.pos > in->len)
		return in->ended ? inspect_cut(in, body, out) : INSPECT_MORE;
	r = read_message(body, in->scratch, out);
	if (r != INSPECT_MATCH && !open)
		return INSPECT_NO;
	if (r != INSPECT_MATCH || out->dns.response) {
		out->n_names = out->dns.n_answers = 0;	/* no query: nothing is asked */
		out->dns.response = false;
	}
	out->app = APP_DNS;
	out->consumed = c.pos;
	out->again = AGAIN_SAME;
	return INSPECT_MATCH;
}
