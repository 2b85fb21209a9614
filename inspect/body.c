// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds the body behind a head, takes chunks apart, and shows it to the Stratum inspector. What it says is decided by the
 * dialect rows; this file knows framing only. */
#include "inspect/body.h"

#include <string.h>

#include "inspect/stratum.h"

/* A body that is not mining and ends within this many bytes is waited for, since another head may follow; behind a longer one
 * nothing is read, so that an upload queues no more packets than it does anyway until the server answers. */
#define BODY_SKIP_MAX 2048

/* Left free in the scratch for unescaped texts behind chunks that were joined. */
#define BODY_SCRATCH_FREE 4096

struct body {
	struct view text;	/* as far as it is there, chunks joined */
	size_t end;		/* offset behind it, if `whole` */
	bool whole;
	bool joined;		/* chunks, so the text is in the scratch */
	bool broken;		/* no chunk where one is due */
};

static int body_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* chunk-size [ chunk-ext ] CRLF, RFC 9112 7.1. False: not there, or none. */
static bool body_chunk_size(struct cursor *c, size_t *size, bool *broken)
{
	struct view line = cursor_line(c);
	size_t i;

	*size = 0;
	if (c->error)
		return false;
	for (i = 0; i < line.len && body_digit(line.p[i]) >= 0 && *size < SIZE_MAX / 32; i++)
		*size = *size * 16 + (size_t)body_digit(line.p[i]);
	*broken = !i || (i < line.len && !strchr("; \t", line.p[i]));
	return !*broken;
}

/* Joins the chunks in the scratch, whose `used` stays: who keeps the text moves it. */
static struct body body_chunked(struct cursor c, struct inspect_scratch *s)
{
	size_t room = sizeof(s->bytes) - s->used, size;
	struct body b = { .text = { s->bytes + s->used, 0 }, .joined = true };

	room = room > BODY_SCRATCH_FREE ? room - BODY_SCRATCH_FREE : 0;
	while (body_chunk_size(&c, &size, &b.broken)) {
		size_t have = c.have - c.pos, n = size < have ? size : have;

		if (!size) {
			while (cursor_line(&c).len)
				;	/* trailers */
			b.whole = !c.error;
			b.end = c.pos;
			return b;
		}
		if (n > room - b.text.len)
			n = room - b.text.len;
		memcpy(s->bytes + s->used + b.text.len, c.base + c.pos, n);
		b.text.len += n;
		if (n < size)
			return b;
		cursor_skip(&c, size);
		cursor_line(&c);
	}
	return b;
}

static struct body body_find(const struct cursor *c, const struct http_head *head, struct inspect_scratch *s)
{
	size_t have = c->have - c->pos;
	struct body b = { .text = { c->base + c->pos, have } };

	/* who announces chunks and sends none may be a decoy below the true start */
	if (head->chunked && (!have || body_digit(c->base[c->pos]) >= 0))
		return body_chunked(*c, s);
	if (head->length <= have) {
		b.text.len = (size_t)head->length;
		b.end = c->pos + b.text.len;
		b.whole = true;
	}
	return b;
}

static enum inspect_result body_ask(const struct inspect_input *in, const struct body *b, const struct http_head *head,
				    struct facts *out)
{
	struct inspect_scratch *s = in->scratch;
	struct inspect_input message = *in;
	size_t used = s->used;
	enum inspect_result r;

	message.p = b->text.p;
	message.len = b->text.len;
	message.ended = in->ended || b->whole;
	message.carrier = CARRIER_HTTP;
	if (b->joined)
		s->used += b->text.len;
	r = stratum_inspect(&message, out);
	if (r != INSPECT_MATCH) {
		s->used = used;
		return r;
	}
	out->stratum.carrier = CARRIER_HTTP;
	if (!out->stratum.agent.len)
		out->stratum.agent = head->agent;
	return r;
}

bool body_judge(const struct inspect_input *in, const struct cursor *c, const struct http_head *head, struct facts *out)
{
	struct body b = body_find(c, head, in->scratch);

	return b.text.len && body_ask(in, &b, head, out) == INSPECT_MATCH;
}

/* Is it worth waiting for the end of a body that is not mining? */
static bool body_is_small(const struct body *b, const struct http_head *head)
{
	return !b->broken && b->text.len <= BODY_SKIP_MAX && (head->chunked || head->length <= BODY_SKIP_MAX);
}

enum inspect_result body_inspect(const struct inspect_input *in, struct facts *out)
{
	struct cursor c = cursor_make(in->p, in->len, in->len);
	struct http_head head = { 0 };
	enum inspect_result r;
	struct body b;

	if (in->only != APP_HTTP_BODY)
		return INSPECT_NO;
	r = http_head(in, &c, &head, out);
	if (r != INSPECT_MATCH)
		return r;
	if (!head.whole)
		return in->ended ? INSPECT_NO : INSPECT_MORE;
	out->n_names = 0;
	out->names_lost = false;
	b = body_find(&c, &head, in->scratch);
	r = b.text.len || b.whole ? body_ask(in, &b, &head, out) : b.broken || in->ended ? INSPECT_NO : INSPECT_MORE;
	http_behind(&head, out);
	if (r == INSPECT_MORE || (r != INSPECT_MATCH && !b.whole && !in->ended && out->again != AGAIN_NO &&
				  body_is_small(&b, &head))) {
		out->again = AGAIN_NO;
		return INSPECT_MORE;
	}
	if (!b.whole)
		out->again = AGAIN_NO;
	out->app = APP_HTTP;
	out->consumed = b.whole ? b.end : in->len;
	return INSPECT_MATCH;
}
