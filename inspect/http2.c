// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks over the frames behind the preface, joins header blocks, and takes from their fields what names a host or a miner. */
#include "inspect/http2.h"

#include <string.h>
#include <strings.h>

#include "inspect/hpack.h"
#include "inspect/http.h"
#include "inspect/name.h"
#include "inspect/stratum.h"

/* Names that one request may carry: one is legal, two are a trick, more are rubbish. */
#define HTTP2_AUTHORITIES_MAX 4
/* Of a request's data as much is judged; the rest of the scratch is for names and unescaped texts. */
#define HTTP2_DATA_MAX (INSPECT_BYTES_MAX / 2)

enum http2_type { HTTP2_DATA = 0, HTTP2_HEADERS = 1, HTTP2_CONTINUATION = 9 };
#define HTTP2_END_STREAM 0x01
#define HTTP2_END_HEADERS 0x04
#define HTTP2_PADDED 0x08
#define HTTP2_PRIORITY 0x20

/* What is joined: it lies in the arena. */
struct http2_room {
	struct hpack hpack;
	uint8_t block[INSPECT_BYTES_MAX];
	uint8_t data[HTTP2_DATA_MAX];
};
_Static_assert(sizeof(struct http2_room) <= INSPECT_ARENA_MAX, "the arena holds what HTTP/2 joins");

struct http2 {
	const struct inspect_input *in;
	struct http2_room *room;
	size_t n_block, n_data;
	bool open;		/* a header block has begun and not ended */
	uint32_t data_stream;
	unsigned given;		/* messages passed over, as they were given before */
};

/* What one header block says. */
struct http2_head {
	struct view authorities[HTTP2_AUTHORITIES_MAX];
	unsigned n;
	bool lost;
	bool connect;
	struct view agent, mining;
};

static bool http2_is(struct view v, const char *text)
{
	return v.len == strlen(text) && !strncasecmp((const char *)v.p, text, v.len);
}

/* A text that outlives the decoder's next step. */
static struct view http2_keep(struct inspect_scratch *s, struct view v)
{
	uint8_t *to = s->bytes + s->used;

	if (!v.len || v.len > sizeof(s->bytes) - s->used)
		return (struct view){ 0 };
	memcpy(to, v.p, v.len);
	s->used += v.len;
	return (struct view){ to, v.len };
}

static void http2_field(struct http2 *h, const struct hpack_field *f, struct http2_head *head)
{
	struct inspect_scratch *s = h->in->scratch;

	if (http2_is(f->name, ":authority") || http2_is(f->name, "host")) {
		if (!f->value.len)
			return;
		if (head->n < HTTP2_AUTHORITIES_MAX)
			head->authorities[head->n] = http2_keep(s, f->value);
		if (head->n < HTTP2_AUTHORITIES_MAX && head->authorities[head->n].len)
			head->n++;
		else
			head->lost = true;
	} else if (http2_is(f->name, ":method")) {
		head->connect = http2_is(f->value, "CONNECT");
	} else if (http2_is(f->name, "user-agent")) {
		head->agent = http2_keep(s, f->value);
	} else if (!head->mining.len && http_mining_field(f->name)) {
		head->mining = http2_keep(s, f->name);
	}
}

/* A block, or what is there of it. BAD: its fields cannot be read, nor those of any later one. */
static enum inspect_result http2_block(struct http2 *h, struct facts *out)
{
	struct cursor block = cursor_make(h->room->block, h->n_block, h->n_block);
	struct http2_head head = { 0 };
	struct hpack_field f;
	enum inspect_result r;
	unsigned i;

	while ((r = hpack_next(&h->room->hpack, &block, &f)) == INSPECT_MATCH)
		http2_field(h, &f, &head);
	h->in->scratch->unpacked += h->n_block;
	if (h->given < h->in->seen)
		return r;
	for (i = 0; i < head.n; i++)
		name_add_authority(out, head.connect ? NAME_CONNECT : NAME_HTTP_HOST, head.authorities[i]);
	out->names_lost |= head.lost;
	if (head.mining.len)
		http_mining(out, head.mining, head.agent, DIALECT_FROM_CLIENT);
	return r;
}

/* HEADERS and CONTINUATION: joins the block, and at its end reads it. MATCH: it is the one to be given. */
static enum inspect_result http2_headers(struct http2 *h, struct view part, bool last, struct facts *out)
{
	struct inspect_scratch *s = h->in->scratch;
	size_t used = s->used;
	enum inspect_result r;

	if (part.len)
		memcpy(h->room->block + h->n_block, part.p, part.len);
	h->n_block += part.len;
	h->open = !last;
	if (!last)
		return INSPECT_MORE;
	r = http2_block(h, out);
	if (h->given < h->in->seen) {
		h->given++;
		s->used = used;
		return r;
	}
	return r == INSPECT_BAD && !out->n_names && !out->mining ? r : INSPECT_MATCH;
}

/* A request's data, joined over the frames of one stream. MATCH: mining that was not given before. */
static enum inspect_result http2_data(struct http2 *h, uint32_t stream, struct view part, bool last, struct facts *out)
{
	struct inspect_scratch *s = h->in->scratch;
	struct inspect_input message = *h->in;
	size_t used = s->used;
	struct view text;

	if (stream != h->data_stream)
		h->n_data = 0;
	h->data_stream = stream;
	if (part.len > HTTP2_DATA_MAX - h->n_data)
		part.len = HTTP2_DATA_MAX - h->n_data;
	if (part.len)
		memcpy(h->room->data + h->n_data, part.p, part.len);
	h->n_data += part.len;
	/* what ends a request is judged, and what begins one, for those that never end */
	if ((!last && h->n_data != part.len) || !h->n_data || (h->room->data[0] != '{' && h->room->data[0] != '['))
		return INSPECT_MORE;
	text = http2_keep(s, (struct view){ h->room->data, h->n_data });
	message.p = text.p;
	message.len = text.len;
	message.ended = true;
	message.carrier = CARRIER_HTTP;
	if (!text.len || stratum_inspect(&message, out) != INSPECT_MATCH) {
		s->used = used;
		return INSPECT_MORE;
	}
	h->n_data = 0;
	if (h->given < h->in->seen) {
		h->given++;
		s->used = used;
		out->mining = false;
		out->stratum = (struct stratum_facts){ 0 };
		return INSPECT_MORE;
	}
	out->stratum.carrier = CARRIER_HTTP;
	return INSPECT_MATCH;
}

/* Takes padding and priority off a frame's payload, RFC 9113 6.1 and 6.2. `whole`: all of it is there. */
static struct view http2_payload(struct cursor *c, uint8_t type, uint8_t flags, bool *bad)
{
	bool padded = (type == HTTP2_DATA || type == HTTP2_HEADERS) && flags & HTTP2_PADDED;
	size_t pad = padded ? cursor_u8(c) : 0, n;

	if (type == HTTP2_HEADERS && flags & HTTP2_PRIORITY)
		cursor_skip(c, 5);
	n = cursor_left(c);
	*bad = c->error == CURSOR_BAD || pad > n;
	if (c->error || *bad)
		return (struct view){ 0 };
	n -= pad;
	if (c->pos + n > c->have)	/* the stream ends here, so what is there must do */
		n = c->have - c->pos;
	return cursor_take(c, n);
}

/* One frame, RFC 9113 4.1. MORE: passed over, or not there (`c->error`). */
static enum inspect_result http2_frame(struct http2 *h, struct cursor *c, struct facts *out)
{
	size_t len = cursor_u24(c);
	uint8_t type = cursor_u8(c), flags = cursor_u8(c);
	uint32_t stream = (uint32_t)(cursor_u16(c) & 0x7fff) << 16;
	bool whole, bad;
	struct view part;
	struct cursor body;

	stream |= cursor_u16(c);
	if (c->error)
		return INSPECT_MORE;
	whole = len <= c->have - c->pos;
	if (!whole && !h->in->ended) {
		c->error = CURSOR_SHORT;
		return INSPECT_MORE;
	}
	if (h->open != (type == HTTP2_CONTINUATION))
		return INSPECT_BAD;
	body = cursor_make(c->base + c->pos, len, c->have - c->pos);
	cursor_skip(c, whole ? len : c->have - c->pos);
	part = http2_payload(&body, type, flags, &bad);
	if (bad)
		return INSPECT_BAD;
	if (type == HTTP2_DATA)
		return http2_data(h, stream, part, flags & HTTP2_END_STREAM || !whole, out);
	if (type != HTTP2_HEADERS && type != HTTP2_CONTINUATION)
		return INSPECT_MORE;
	if (type == HTTP2_HEADERS)
		h->n_block = 0;
	return http2_headers(h, part, flags & HTTP2_END_HEADERS || !whole, out);
}

enum inspect_result http2_inspect(const struct inspect_input *in, struct facts *out)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	const size_t n = sizeof(preface) - 1;
	struct http2 h = { .in = in, .room = (void *)in->scratch->arena };
	struct cursor c = cursor_make(in->p, in->len, in->len);
	enum inspect_result r = INSPECT_MORE;

	if (in->side == SIDE_SERVER || memcmp(in->p, preface, in->len < n ? in->len : n))
		return INSPECT_NO;
	if (in->len < n)
		return in->ended ? INSPECT_NO : INSPECT_MORE;
	cursor_skip(&c, n);
	hpack_init(&h.room->hpack);
	while (r == INSPECT_MORE && !c.error && c.pos < c.have)
		r = http2_frame(&h, &c, out);
	if (r == INSPECT_MORE && !in->ended)
		return r;
	if (r == INSPECT_BAD)
		return r;
	out->app = APP_HTTP;
	out->consumed = c.pos;
	out->again = r == INSPECT_MATCH && !in->ended ? AGAIN_WHOLE : AGAIN_NO;
	out->next = APP_HTTP2;
	return INSPECT_MATCH;
}
