// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads one request head. Where servers differ (two Hosts, blanks, bare LF, folded lines) it takes the
 * reading that yields more names, because the evader picks the server. */
#include "inspect/http.h"

#include <string.h>
#include <strings.h>

#include "inspect/cursor.h"
#include "inspect/name.h"

/* The longest registered method has 17 letters (IANA); odd ones shall pass, random text shall not. */
#define HTTP_METHOD_MAX 64

struct http_head {
	struct view method;
	struct view target;
	bool version_10;
	bool close;
	bool keep_alive;
	bool upgrade;
	bool body;
};

static bool http_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* A token's byte, RFC 9110 5.6.2. */
static bool http_tchar(uint8_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static struct view http_trim(struct view v)
{
	while (v.len && http_blank(v.p[0])) {
		v.p++;
		v.len--;
	}
	while (v.len && http_blank(v.p[v.len - 1]))
		v.len--;
	return v;
}

static bool http_is(struct view v, const char *word)
{
	size_t n = strlen(word);

	return v.len == n && !strncasecmp((const char *)v.p, word, n);
}

/* Is `word` one of the comma-separated tokens? */
static bool http_has_token(struct view v, const char *word)
{
	while (v.len) {
		const uint8_t *comma = memchr(v.p, ',', v.len);
		size_t n = comma ? (size_t)(comma - v.p) : v.len;

		if (http_is(http_trim((struct view){ v.p, n }), word))
			return true;
		n += comma != NULL;
		v.p += n;
		v.len -= n;
	}
	return false;
}

/* A number that is not plainly zero announces a body. */
static bool http_nonzero(struct view v)
{
	size_t i;

	for (i = 0; i < v.len; i++)
		if (v.p[i] != '0')
			return true;
	return false;
}

/* Can these bytes begin a request line? MATCH: the method and its blank are there. */
static enum inspect_result http_method(struct view v)
{
	size_t i;

	for (i = 0; i < v.len && i <= HTTP_METHOD_MAX; i++) {
		if (i && http_blank(v.p[i]))
			return INSPECT_MATCH;
		if (!http_tchar(v.p[i]))
			return INSPECT_NO;
	}
	return i > HTTP_METHOD_MAX ? INSPECT_NO : INSPECT_MORE;
}

/* "HTTP/1." and digits; the case as Apache takes it. */
static bool http_version(struct view v, struct http_head *head)
{
	size_t i;

	if (v.len < 8 || strncasecmp((const char *)v.p, "HTTP/1.", 7))
		return false;
	for (i = 7; i < v.len; i++)
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
	head->version_10 = v.len == 8 && v.p[7] == '0';
	return true;
}

/* Tells text from binary bytes, on a line that may not have ended yet. */
static bool http_text(struct view line)
{
	size_t i;

	for (i = 0; i < line.len; i++)
		if (line.p[i] < 0x20 && line.p[i] != '\t' && line.p[i] != '\r')
			return false;
	return true;
}

/* The first word is the method, the last the version, all between is the target. */
static bool http_request_line(struct view line, struct http_head *head)
{
	size_t first = 0, last;

	line = http_trim(line);
	last = line.len;
	while (first < line.len && !http_blank(line.p[first]))
		first++;
	while (last > first && !http_blank(line.p[last - 1]))
		last--;
	head->method = (struct view){ line.p, first };
	head->target = http_trim((struct view){ line.p + first, last - first });
	return head->target.len && http_version((struct view){ line.p + last, line.len - last }, head);
}

/* scheme "://" authority: RFC 9112 3.2.2. Empty if the target has another form. */
static struct view http_absolute(struct view target)
{
	struct view none = { 0 };
	size_t i = 0, start;

	while (i < target.len && http_tchar(target.p[i]))
		i++;
	if (!i || target.len - i < 3 || memcmp(target.p + i, "://", 3))
		return none;
	start = i += 3;
	while (i < target.len && !strchr("/?#\\", target.p[i]))
		i++;
	return (struct view){ target.p + start, i - start };
}

static void http_target(const struct http_head *head, struct facts *out)
{
	struct view authority;

	if (http_is(head->method, "CONNECT")) {
		name_add_authority(out, NAME_CONNECT, head->target);
		return;
	}
	authority = http_absolute(head->target);
	if (authority.len)
		name_add_authority(out, NAME_HTTP_HOST, authority);
}

/* Joins a folded line's `more` to `v` in the scratch, with the one blank of RFC 9112 5.2. */
static struct view http_join(struct view v, struct view more, struct inspect_scratch *s)
{
	uint8_t *top = s->bytes + s->used;

	if (!more.len)
		return v;
	if (!v.len)
		return more;
	if (v.p + v.len != top) {
		if (v.len > sizeof(s->bytes) - s->used)
			return v;
		memcpy(top, v.p, v.len);
		v.p = top;
		top += v.len;
		s->used += v.len;
	}
	if (more.len + 1 > sizeof(s->bytes) - s->used)
		return v;
	*top = ' ';
	memcpy(top + 1, more.p, more.len);
	s->used += more.len + 1;
	v.len += more.len + 1;
	return v;
}

static void http_field(struct http_head *head, struct view name, struct view value, struct facts *out)
{
	if (http_is(name, "Host")) {
		if (value.len)
			name_add_authority(out, NAME_HTTP_HOST, value);
	} else if (http_is(name, "Connection")) {
		head->close |= http_has_token(value, "close");
		head->keep_alive |= http_has_token(value, "keep-alive");
	} else if (http_is(name, "Content-Length")) {
		head->body |= http_nonzero(value);
	} else if (http_is(name, "Transfer-Encoding")) {
		head->body = true;
	} else if (http_is(name, "Upgrade")) {
		head->upgrade = true;
	}
}

/* Only these fields are worth the joining of folded lines. */
static bool http_wanted(struct view name)
{
	return name.len && strchr("HhCcTtUu", name.p[0]);
}

/* All fields up to the blank line. False: it has not arrived. */
static bool http_fields(struct cursor *c, struct http_head *head, struct inspect_scratch *s, struct facts *out)
{
	for (;;) {
		struct view line = cursor_line(c), name, value;
		const uint8_t *colon;

		if (c->error)
			return false;
		if (!line.len)
			return true;
		colon = memchr(line.p, ':', line.len);
		name = http_trim((struct view){ line.p, colon ? (size_t)(colon - line.p) : 0 });
		value = (struct view){ 0 };
		if (colon)
			value = http_trim((struct view){ colon + 1, line.len - (size_t)(colon + 1 - line.p) });
		while (cursor_peek(c) == ' ' || cursor_peek(c) == '\t') {
			line = http_trim(cursor_line(c));
			if (http_wanted(name))
				value = http_join(value, line, s);
		}
		if (c->error)
			return false;
		http_field(head, name, value, out);
	}
}

static void http_again(const struct http_head *head, struct facts *out)
{
	if (http_is(head->method, "CONNECT"))
		out->again = AGAIN_FRESH;
	else if (head->body || head->upgrade || head->close || (head->version_10 && !head->keep_alive))
		out->again = AGAIN_NO;
	else
		out->again = AGAIN_SAME;
}

static enum inspect_result http_request(const struct inspect_input *in, struct cursor *c, struct facts *out)
{
	struct view rest = { c->base + c->pos, c->have - c->pos }, line;
	struct http_head head = { 0 };
	enum inspect_result r = http_method(rest);

	if (r != INSPECT_MATCH)
		return r == INSPECT_MORE && in->ended ? INSPECT_NO : r;
	line = cursor_line(c);
	if (c->error)
		return http_text(rest) && !in->ended ? INSPECT_MORE : INSPECT_NO;
	if (!http_text(line) || !http_request_line(line, &head))
		return INSPECT_NO;
	http_target(&head, out);
	if (http_fields(c, &head, in->scratch, out)) {
		http_again(&head, out);
	} else if (!in->ended) {
		out->n_names = 0;	/* nothing is certain before the head ends */
		return INSPECT_MORE;
	} else if (!out->n_names) {
		return INSPECT_BAD;
	}
	out->app = APP_HTTP;
	out->consumed = c->pos;
	return INSPECT_MATCH;
}

/* "HTTP/1." from the server is enough: a response names nobody. */
static enum inspect_result http_response(const struct inspect_input *in, struct view v, struct facts *out)
{
	size_t n = v.len < 7 ? v.len : 7;

	if (memcmp(v.p, "HTTP/1.", n))
		return INSPECT_NO;
	if (n < 7)
		return in->ended ? INSPECT_NO : INSPECT_MORE;
	out->app = APP_HTTP;
	out->consumed = in->len;
	return INSPECT_MATCH;
}

enum inspect_result http_inspect(const struct inspect_input *in, struct facts *out)
{
	struct cursor c = cursor_make(in->p, in->len, in->len);
	enum inspect_result r = INSPECT_NO;

	while (cursor_peek(&c) == '\r' || cursor_peek(&c) == '\n')
		cursor_skip(&c, 1);
	if (!cursor_left(&c))
		return in->ended ? INSPECT_NO : INSPECT_MORE;
	if (in->side != SIDE_CLIENT)
		r = http_response(in, (struct view){ c.base + c.pos, c.have - c.pos }, out);
	if (r == INSPECT_NO && in->side != SIDE_SERVER)
		r = http_request(in, &c, out);
	return r;
}
