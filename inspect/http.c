// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads one request head. Where servers differ (two Hosts, blanks, bare LF, folded lines) it takes the
 * reading that yields more names, because the evader picks the server. */
#include "inspect/http.h"

#include <string.h>
#include <strings.h>

#include "inspect/body.h"
#include "inspect/name.h"
#include "inspect/word.h"

/* The longest registered method has 17 letters (IANA); odd ones shall pass, random text shall not. */
#define HTTP_METHOD_MAX 64

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

/* What is not plainly zero announces a body; of two lengths that differ none is believed. */
static void http_length(struct http_head *head, struct view v)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < v.len && v.p[i] >= '0' && v.p[i] <= '9' && n < HTTP_LENGTH_UNKNOWN / 16; i++)
		n = n * 10 + v.p[i] - '0';
	if (i < v.len || (head->body && head->length != n))
		n = HTTP_LENGTH_UNKNOWN;
	head->body |= n > 0;
	head->length = head->body ? n : 0;
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
	size_t i = 0;

	/* eight at a time, as far as there are no control bytes at all */
	for (; line.len - i >= 8; i += 8) {
		uint64_t word = word_read(line.p + i);

		if (~((word & ~WORD_TOPS) + WORD_EVERY(0x80 - 0x20)) & ~word & WORD_TOPS)
			break;
	}
	for (; i < line.len; i++)
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

bool http_mining_field(struct view name)
{
	static const char *const fields[] = { "X-Mining-Extensions", "X-Mining-Hashrate", "X-Hash-Difficulty" };
	size_t i;

	if (name.len < 2 || (name.p[0] | 0x20) != 'x' || name.p[1] != '-')
		return false;
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (http_is(name, fields[i]))
			return true;
	return false;
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
		http_length(head, value);
	} else if (http_is(name, "Transfer-Encoding")) {
		head->coded = true;
		head->chunked |= http_has_token(value, "chunked");
	} else if (http_is(name, "Upgrade")) {
		head->upgrade = true;
		head->websocket |= http_has_token(value, "websocket");
	} else if (http_is(name, "User-Agent")) {
		head->agent = value;
	} else if (!head->mining.len && http_mining_field(name)) {
		head->mining = name;
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

void http_behind(const struct http_head *head, struct facts *out)
{
	out->again = AGAIN_AS;
	if (head->websocket)
		out->next = APP_WEBSOCKET;
	else if (head->upgrade)		/* it may be refused, or begin with bytes that somebody else knows, as h2c does */
		out->next = APP_HTTP;
	else if (head->close || (head->version_10 && !head->keep_alive))
		out->again = AGAIN_NO;
	else
		out->again = AGAIN_SAME;
}

static void http_again(const struct http_head *head, struct facts *out)
{
	if (http_is(head->method, "CONNECT")) {
		out->again = AGAIN_FRESH;
	} else if (head->body) {
		out->again = AGAIN_WHOLE;
		out->next = APP_HTTP_BODY;
	} else {
		http_behind(head, out);
	}
}

void http_mining(struct facts *out, struct view field, struct view agent, unsigned side)
{
	out->mining = true;
	out->stratum = (struct stratum_facts){ .kind = MINING_GETWORK, .carrier = CARRIER_HTTP, .dialect = "getwork",
					       .sides = side, .method = field, .agent = agent };
}

enum inspect_result http_head(const struct inspect_input *in, struct cursor *c, struct http_head *head, struct facts *out)
{
	struct view rest, line;
	enum inspect_result r;

	while (cursor_peek(c) == '\r' || cursor_peek(c) == '\n')
		cursor_skip(c, 1);
	if (!cursor_left(c))
		return in->ended ? INSPECT_NO : INSPECT_MORE;
	rest = (struct view){ c->base + c->pos, c->have - c->pos };
	r = http_method(rest);
	if (r != INSPECT_MATCH)
		return r == INSPECT_MORE && in->ended ? INSPECT_NO : r;
	line = cursor_line(c);
	if (c->error)
		return http_text(rest) && !in->ended ? INSPECT_MORE : INSPECT_NO;
	if (!http_text(line) || !http_request_line(line, head))
		return INSPECT_NO;
	http_target(head, out);
	head->whole = http_fields(c, head, in->scratch, out);
	if (head->coded) {	/* RFC 9112 6.3: it overrides a Content-Length */
		head->body = true;
		head->length = HTTP_LENGTH_UNKNOWN;
	}
	return INSPECT_MATCH;
}

static enum inspect_result http_request(const struct inspect_input *in, struct cursor *c, struct facts *out)
{
	struct http_head head = { 0 };
	enum inspect_result r = http_head(in, c, &head, out);

	if (r != INSPECT_MATCH)
		return r;
	if (!head.whole && !in->ended) {
		out->n_names = 0;	/* nothing is certain before the head ends */
		return INSPECT_MORE;
	}
	if (!head.whole && !out->n_names)
		return INSPECT_BAD;
	if (head.mining.len) {
		/* the body, if it is there, says better what is asked for */
		if (!head.whole || !head.body || !body_judge(in, c, &head, out))
			http_mining(out, head.mining, head.agent, DIALECT_FROM_CLIENT);
	}
	if (head.whole)
		http_again(&head, out);
	out->app = APP_HTTP;
	out->consumed = c->pos;
	return INSPECT_MATCH;
}

/* What a server of work says to its miners (PROTOCOLS 1.8). */
static void http_response_fields(struct cursor *c, struct facts *out)
{
	struct view polling = { 0 };
	bool roll = false;

	for (struct view line = cursor_line(c); !c->error && line.len; line = cursor_line(c)) {
		const uint8_t *colon = memchr(line.p, ':', line.len);
		struct view name = http_trim((struct view){ line.p, colon ? (size_t)(colon - line.p) : 0 });
		struct view value = { 0 };

		if (colon)
			value = http_trim((struct view){ colon + 1, line.len - (size_t)(colon + 1 - line.p) });
		if (http_is(name, "X-Stratum") && value.len > 8 && !strncasecmp((const char *)value.p, "stratum+", 8)) {
			http_mining(out, name, (struct view){ 0 }, DIALECT_FROM_SERVER);
			return;
		}
		if (http_is(name, "X-Long-Polling"))
			polling = name;
		roll |= http_is(name, "X-Roll-Ntime") || http_is(name, "X-Reject-Reason");
	}
	if (polling.len && roll)
		http_mining(out, polling, (struct view){ 0 }, DIALECT_FROM_SERVER);
}

/* "HTTP/1." from the server is enough: a response names nobody. As much of its head is read as is there. */
static enum inspect_result http_response(const struct inspect_input *in, struct facts *out)
{
	struct cursor c = cursor_make(in->p, in->len, in->len);
	size_t n;

	while (cursor_peek(&c) == '\r' || cursor_peek(&c) == '\n')
		cursor_skip(&c, 1);
	n = cursor_left(&c) < 7 ? cursor_left(&c) : 7;
	if (memcmp(c.base + c.pos, "HTTP/1.", n))
		return INSPECT_NO;
	if (n < 7)
		return in->ended ? INSPECT_NO : INSPECT_MORE;
	cursor_line(&c);
	http_response_fields(&c, out);
	out->app = APP_HTTP;
	out->consumed = in->len;
	return INSPECT_MATCH;
}

enum inspect_result http_inspect(const struct inspect_input *in, struct facts *out)
{
	struct cursor c = cursor_make(in->p, in->len, in->len);
	enum inspect_result r = INSPECT_NO;

	if (in->side != SIDE_CLIENT)
		r = http_response(in, out);
	if (r == INSPECT_NO && in->side != SIDE_SERVER)
		r = http_request(in, &c, out);
	return r;
}
