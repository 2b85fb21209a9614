/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scanner for lines as jansson writes them: compact, ASCII, no key twice. The file is not trusted: where a byte is not as
 * expected, jansson decides, and what it accepts is written anew and scanned again. */
#include "cli/log_line.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct field {
	const char *key;
	unsigned len;
	enum log_field field;
};

struct object {
	const char *key;
	unsigned len;
	const struct field *fields;
	unsigned n;
	enum log_field seen;
};

#define FIELD(key, field) { key, sizeof(key) - 1, field }
#define OBJECT(key, fields, seen) { key, sizeof(key) - 1, fields, sizeof(fields) / sizeof((fields)[0]), seen }

static const struct field tls_fields[] = { FIELD("sni", LOG_TLS), FIELD("version", LOG_TLS_VERSION), FIELD("ja4", LOG_JA4) };
static const struct field quic_fields[] = { FIELD("sni", LOG_QUIC), FIELD("version", LOG_QUIC_VERSION), FIELD("ja4", LOG_QUIC_JA4) };
static const struct field http_fields[] = { FIELD("hostname", LOG_HTTP) };
static const struct field dns_fields[] = { FIELD("rrname", LOG_DNS) };
static const struct field alert_fields[] = {
	FIELD("action", LOG_ACTION), FIELD("signature", LOG_SIGNATURE), FIELD("signature_id", LOG_SID), FIELD("category", LOG_CATEGORY),
	FIELD("severity", LOG_SEVERITY),
};
static const struct field mining_fields[] = {
	FIELD("id", LOG_ID), FIELD("dialect", LOG_DIALECT), FIELD("method", LOG_METHOD), FIELD("agent", LOG_AGENT), FIELD("algo", LOG_ALGO),
	FIELD("worker", LOG_WORKER), FIELD("login_hash", LOG_LOGIN), FIELD("login", LOG_LOGIN_CLEAR), FIELD("kind", LOG_KIND),
	FIELD("carrier", LOG_CARRIER), FIELD("evidence", LOG_EVIDENCE), FIELD("list", LOG_LIST), FIELD("entry", LOG_ENTRY),
	FIELD("rule", LOG_RULE), FIELD("line", LOG_ENTRY_LINE), FIELD("learned", LOG_LEARNED), FIELD("score", LOG_SCORE),
	FIELD("marks", LOG_MARKS), FIELD("telltale", LOG_TELLTALE), FIELD("reason", LOG_REASON), FIELD("count", LOG_COUNT),
};
static const struct field host_fields[] = { FIELD("mac", LOG_MAC), FIELD("name", LOG_HOST) };
static const struct field note_fields[] = { FIELD("event", LOG_EVENT), FIELD("detail", LOG_DETAIL), FIELD("seconds", LOG_SECONDS) };

/* In the order in which they are written: the next one is mostly the right one. */
static const struct field top_fields[] = {
	FIELD("timestamp", LOG_TIMESTAMP), FIELD("event_type", LOG_TYPE), FIELD("src_ip", LOG_SRC), FIELD("src_port", LOG_SPORT),
	FIELD("dest_ip", LOG_DST), FIELD("dest_port", LOG_DPORT), FIELD("proto", LOG_PROTO), FIELD("app_proto", LOG_APP),
	/* Which machine wrote it: put there by whoever brings the logs of several together (contrib/rsyslog). */
	FIELD("gateway", LOG_GATEWAY),
};
static const struct object objects[] = {
	OBJECT("tls", tls_fields, LOG_OTHERS), OBJECT("quic", quic_fields, LOG_OTHERS), OBJECT("http", http_fields, LOG_OTHERS),
	OBJECT("dns", dns_fields, LOG_OTHERS), OBJECT("alert", alert_fields, LOG_OTHERS), OBJECT("mining", mining_fields, LOG_MINING),
	OBJECT("host", host_fields, LOG_OTHERS), OBJECT("minewall", note_fields, LOG_OTHERS),
};
#define OBJECTS (sizeof(objects) / sizeof(objects[0]))

struct scan {
	const char *p, *end;
	bool trusted;		/* jansson wrote it: nested values are passed over unread */
	struct log_line *to;
	struct log_scratch *scratch;
	unsigned objects_seen;
};

static const struct field *find(const struct field *fields, unsigned n, unsigned *hint, struct log_text key)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned at = *hint + i < n ? *hint + i : *hint + i - n;

		if (fields[at].len == key.len && !memcmp(fields[at].key, key.p, key.len)) {
			*hint = at + 1 < n ? at + 1 : 0;
			return &fields[at];
		}
	}
	return NULL;
}

static bool take(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static int hex4(struct scan *s)
{
	int n = 0;

	if (s->end - s->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = *s->p++;
		int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;

		if (digit < 0)
			return -1;
		n = n << 4 | digit;
	}
	return n;
}

/* Behind "\u"; writes UTF-8. NUL and half a pair are for jansson to refuse. */
static bool unescape_unicode(struct scan *s, char **to)
{
	long c = hex4(s), low;

	if (c <= 0 || (c >= 0xdc00 && c < 0xe000))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (!take(s, '\\') || !take(s, 'u'))
			return false;
		low = hex4(s);
		if (low < 0xdc00 || low > 0xdfff)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	if (c < 0x80) {
		*(*to)++ = (char)c;
		return true;
	}
	if (c >= 0x10000) {
		*(*to)++ = (char)(0xf0 | c >> 18);
		*(*to)++ = (char)(0x80 | (c >> 12 & 63));
	} else if (c >= 0x800) {
		*(*to)++ = (char)(0xe0 | c >> 12);
	}
	*(*to)++ = (char)(c >= 0x800 ? 0x80 | (c >> 6 & 63) : 0xc0 | c >> 6);
	*(*to)++ = (char)(0x80 | (c & 63));
	return true;
}

static bool unescape(struct scan *s, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (s->p == s->end)
		return false;
	if (*s->p == 'u') {
		s->p++;
		return unescape_unicode(s, to);
	}
	found = memchr(from, *s->p++, sizeof(from) - 1);
	if (!found)
		return false;
	*(*to)++ = into[found - from];
	return true;
}

/* A whole line of escapes fits: no escape is shorter than what it stands for. */
static char *scratch_room(struct log_scratch *s, size_t len)
{
	if (s->size < len) {
		char *grown = realloc(s->text, len);

		if (!grown)
			return NULL;
		s->text = grown;
		s->size = len;
	}
	return s->text + s->used;
}

static bool read_escaped(struct scan *s, const char *start, struct log_text *out)
{
	/* Sized once for the whole line, before anything points into it. */
	char *base = scratch_room(s->scratch, s->to->raw.len), *to = base;

	if (!base)
		return false;
	memcpy(to, start, (size_t)(s->p - start));
	to += s->p - start;
	while (s->p < s->end && *s->p != '"') {
		unsigned char c = (unsigned char)*s->p++;

		if (c < 0x20 || c >= 0x80)
			return false;
		if (c != '\\')
			*to++ = (char)c;
		else if (!unescape(s, &to))
			return false;
	}
	*out = (struct log_text){ base, (size_t)(to - base) };
	s->scratch->used += out->len;
	return take(s, '"');
}

/* Does one of eight bytes end a text's plain part: a quote, a backslash, a control character or one beyond ASCII? (The usual trick: a
 * byte that is zero borrows from its highest bit.) */
static bool any_special(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101ull, high = 0x8080808080808080ull;
	uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');

	return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w) | w) & high;
}

static bool read_text(struct scan *s, struct log_text *out)
{
	const char *start, *p, *end = s->end;
	uint64_t w;

	if (!take(s, '"'))
		return false;
	for (start = p = s->p; end - p >= 8; p += 8) {
		memcpy(&w, p, sizeof(w));
		if (any_special(w))
			break;
	}
	for (; p < end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\')
			continue;
		s->p = p;
		if (c == '\\')
			return read_escaped(s, start, out);
		if (c != '"')
			return false;
		*out = (struct log_text){ start, (size_t)(p - start) };
		s->p = p + 1;
		return true;
	}
	return false;
}

/* Integers as JSON wants them written. */
static bool read_integer(struct scan *s, int64_t *out)
{
	bool minus = take(s, '-');
	const char *start = s->p;
	uint64_t n = 0;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9' && s->p - start < 19)
		n = n * 10 + (uint64_t)(*s->p++ - '0');
	if (s->p == start || (*start == '0' && s->p - start > 1) || s->p == s->end || !*s->p || !strchr(",]}", *s->p) || n > INT64_MAX)
		return false;
	*out = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

static bool read_word(struct scan *s)
{
	static const struct { const char *word; size_t len; } words[] = { { "true", 4 }, { "false", 5 }, { "null", 4 } };

	for (size_t i = 0; i < 3; i++)
		if ((size_t)(s->end - s->p) > words[i].len && !memcmp(s->p, words[i].word, words[i].len)) {
			s->p += words[i].len;
			return true;
		}
	return false;
}

/* Whatever stands there, in text that is known to be right. */
static bool pass_over(struct scan *s)
{
	struct log_text ignored;
	size_t used = s->scratch->used;
	int depth = 0;

	while (s->p < s->end) {
		if (*s->p == '"') {
			if (!read_text(s, &ignored))
				return false;
			s->scratch->used = used;
			continue;
		}
		if (!depth && strchr(",]}", *s->p))
			return true;
		depth += *s->p == '{' || *s->p == '[' ? 1 : *s->p == '}' || *s->p == ']' ? -1 : 0;
		s->p++;
	}
	return false;
}

/* A number, true, false or null; `number` stays where it is no integer. */
static bool read_plain(struct scan *s, int64_t *number)
{
	const char *start = s->p;

	if (read_integer(s, number))
		return true;
	s->p = start;
	*number = 0;
	return read_word(s) || (s->trusted && pass_over(s));
}

static bool read_array(struct scan *s, bool keep)
{
	struct log_text text;
	int64_t ignored;

	if (!take(s, '['))
		return false;
	if (take(s, ']'))
		return true;
	do {
		if (s->p < s->end && *s->p == '"') {
			if (!read_text(s, &text))
				return false;
			if (keep && s->to->n_marks < LOG_MARKS_MAX)
				s->to->marks[s->to->n_marks++] = text;
		} else if (!read_plain(s, &ignored)) {
			return false;
		}
	} while (take(s, ','));
	return take(s, ']');
}

/* The value of a field (or of a key that we do not know: NULL). */
static bool read_value(struct scan *s, const struct field *f)
{
	struct log_text text = { "", 0 };
	int64_t number = 0;
	const char *start = s->p;

	if (f && log_has(s->to, f->field))
		return false;	/* twice */
	if (s->p == s->end)
		return false;
	if (*s->p == '"') {
		if (!read_text(s, &text))
			return false;
	} else if (*s->p == '[') {
		if (!read_array(s, f && f->field == LOG_MARKS))
			return false;
	} else {
		if (!read_plain(s, &number))
			return false;
		if (f && f->field == LOG_TELLTALE)
			number = *start == 't';
	}
	if (!f)
		return true;
	s->to->has |= 1ull << f->field;
	if (f->field < LOG_TEXTS)
		s->to->text[f->field] = text;
	else
		s->to->number[f->field - LOG_TEXTS] = number;
	return true;
}

static bool read_object(struct scan *s, const struct object *o)
{
	unsigned hint = 0;
	struct log_text key;

	if (!take(s, '{'))
		return read_value(s, NULL);
	if (take(s, '}'))
		return true;
	do {
		if (!read_text(s, &key) || !take(s, ':') || !read_value(s, find(o->fields, o->n, &hint, key)))
			return false;
	} while (take(s, ','));
	return take(s, '}');
}

static const struct object *find_object(struct log_text key)
{
	for (size_t i = 0; i < OBJECTS; i++)
		if (objects[i].len == key.len && !memcmp(objects[i].key, key.p, key.len))
			return &objects[i];
	return NULL;
}

static bool read_top(struct scan *s)
{
	const struct field *f;
	const struct object *o;
	struct log_text key;
	unsigned hint = 0;

	if (!take(s, '{'))
		return false;
	if (take(s, '}'))
		return s->p == s->end;
	do {
		if (!read_text(s, &key) || !take(s, ':'))
			return false;
		f = find(top_fields, sizeof(top_fields) / sizeof(top_fields[0]), &hint, key);
		o = f ? NULL : find_object(key);
		if (!o) {
			/* What others wrote may hold anything; of ours nothing is unknown but plain values. */
			if (!read_value(s, f))
				return false;
			continue;
		}
		if (s->objects_seen & 1u << (o - objects))
			return false;
		s->objects_seen |= 1u << (o - objects);
		s->to->has |= 1ull << o->seen;
		if (!read_object(s, o))
			return false;
	} while (take(s, ','));
	return take(s, '}') && s->p == s->end;
}

static bool scan(struct log_line *line, const char *raw, size_t len, struct log_scratch *scratch, bool trusted)
{
	struct scan s = { .p = raw, .end = raw + len, .trusted = trusted, .to = line, .scratch = scratch };

	line->raw = (struct log_text){ raw, len };
	line->has = 0;
	line->n_marks = 0;
	for (unsigned i = 0; i < LOG_TEXTS; i++)
		line->text[i] = (struct log_text){ "", 0 };
	memset(line->number, 0, sizeof(line->number));
	scratch->used = 0;
	if (!read_top(&s))
		return false;
	line->when_us = log_time(line->text[LOG_TIMESTAMP].p, line->text[LOG_TIMESTAMP].len);
	return true;
}

bool log_line_read_slowly(struct log_line *line, const char *raw, size_t len, struct log_scratch *scratch)
{
	json_t *j = json_loadb(raw, len, 0, NULL);
	char *normal = json_is_object(j) ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	json_decref(j);
	if (!normal)
		return false;
	free(scratch->normal);
	scratch->normal = normal;
	return scan(line, normal, strlen(normal), scratch, true);
}

bool log_line_read(struct log_line *line, const char *raw, size_t len, struct log_scratch *scratch)
{
	while (len && (raw[len - 1] == '\n' || raw[len - 1] == '\r'))
		len--;
	return scan(line, raw, len, scratch, false) || log_line_read_slowly(line, raw, len, scratch);
}

void log_scratch_free(struct log_scratch *s)
{
	free(s->text);
	free(s->normal);
}

bool log_text_is(struct log_text t, const char *word)
{
	return strlen(word) == t.len && !memcmp(word, t.p, t.len);
}

bool log_line_is_ours(const struct log_line *line)
{
	if (log_text_is(line->text[LOG_TYPE], "minewall"))
		return line->text[LOG_EVENT].len;
	return log_text_is(line->text[LOG_TYPE], "alert") && log_has(line, LOG_MINING) && line->text[LOG_SRC].len;
}

struct log_text log_line_name(const struct log_line *line, const char **kind)
{
	static const struct { enum log_field field; const char *word; } names[] = {
		{ LOG_TLS, "TLS" }, { LOG_QUIC, "QUIC" }, { LOG_HTTP, "HTTP" }, { LOG_DNS, "DNS" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!line->text[names[i].field].len)
			continue;
		if (kind)
			*kind = names[i].word;
		return line->text[names[i].field];
	}
	return (struct log_text){ "", 0 };
}

/* `n` digits at `p`; -1: they are none. */
static int digits(const char *p, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + (p[i] - '0');
	}
	return v;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar: years begin in March, so that the leap day comes last. */
static int64_t days(int year, int month, int day)
{
	int64_t y = year - (month <= 2), of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 + of_year - 719468;
}

int64_t log_time(const char *t, size_t len)
{
	int year, month, day, hour, minute, second, oh, om = 0;
	int64_t us = 0, unit = 100000, offset = 0;
	const char *end = t + len;

	if (len < 20 || t[4] != '-' || t[7] != '-' || (t[10] | 0x20) != 't' || t[13] != ':' || t[16] != ':')
		return 0;
	year = digits(t, 4), month = digits(t + 5, 2), day = digits(t + 8, 2);
	hour = digits(t + 11, 2), minute = digits(t + 14, 2), second = digits(t + 17, 2);
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
	    second > 60)
		return 0;
	t += 19;
	if (*t == '.')
		for (t++; t < end && *t >= '0' && *t <= '9'; t++, unit /= 10)
			us += (*t - '0') * unit;
	if (end - t == 1 && (*t | 0x20) == 'z') {
		offset = 0;
	} else {
		if (end - t < 5 || (*t != '+' && *t != '-'))
			return 0;
		oh = digits(t + 1, 2);
		om = end - t == 6 && t[3] == ':' ? digits(t + 4, 2) : end - t == 5 ? digits(t + 3, 2) : -1;
		if (oh < 0 || oh > 23 || om < 0 || om > 59)
			return 0;
		offset = (oh * 3600 + om * 60) * (*t == '-' ? -1 : 1);
	}
	return ((days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset) * 1000000 + us;
}
