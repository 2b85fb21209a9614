// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks over the frames that are there. The client chooses lengths, masks and compression, so every loop is bounded by the
 * bytes that came, and what they inflate to by a fixed amount. */
#include "inspect/websocket.h"

#include <string.h>
#include <zlib.h>

#include "inspect/cursor.h"
#include "inspect/stratum.h"

/* Of a message as much as this is judged: logins and web miners' greetings have far less. The rest of the scratch is for
 * unescaped texts. */
#define WEBSOCKET_MESSAGE_MAX (INSPECT_BYTES_MAX / 4 * 3)
/* What the messages of one look may inflate to in all, before the rest is left unread. */
#define WEBSOCKET_INFLATE_MAX (32u << 10)
/* Harmless messages before a WebSocket is left alone. One that is no JSON counts for two. */
#define WEBSOCKET_HARMLESS_MAX 4
/* A frame of something else than JSON that ends within this many bytes is waited for, as another message may follow. */
#define WEBSOCKET_SKIP_MAX 2048

#define WEBSOCKET_FIN 0x80
#define WEBSOCKET_RSV1 0x40
#define WEBSOCKET_CONTROL 0x08

struct websocket_frame {
	uint8_t bits;		/* FIN, RSV1 to RSV3 */
	uint8_t opcode;
	bool masked;
	uint8_t mask[4];
	uint64_t len;
	struct view payload;	/* as far as it is there, still masked */
};

struct websocket {
	const struct inspect_input *in;
	struct cursor c;
	uint8_t *message;
	size_t n;
	bool open;		/* a message has begun and not ended */
	bool deflated;		/* it is */
	bool inflating;		/* `z` is in use */
	bool unreadable;	/* ... and stays so: a message could not be inflated, or far too much came of it */
	size_t inflated;
	size_t arena_used;
	unsigned harmless;
	z_stream z;
};

/* zlib's memory comes from the arena. It asks twice, for its state and its window, and gives nothing back. */
static voidpf websocket_alloc(voidpf opaque, uInt items, uInt size)
{
	struct websocket *w = opaque;
	size_t n = ((size_t)items * size + 15) / 16 * 16;
	uint8_t *p = w->in->scratch->arena + w->arena_used;

	if (n > sizeof(w->in->scratch->arena) - w->arena_used)
		return NULL;
	w->arena_used += n;
	return p;
}

static void websocket_free(voidpf opaque, voidpf p)
{
	(void)opaque;
	(void)p;
}

/* Inflates into the message, and beyond its end into nothing: a later message may refer to it. */
static void websocket_inflate(struct websocket *w, const uint8_t *p, size_t len)
{
	uint8_t nothing[256];

	w->z.next_in = (Bytef *)(uintptr_t)p;
	w->z.avail_in = (uInt)len;
	while (!w->unreadable) {
		bool full = w->n == WEBSOCKET_MESSAGE_MAX;
		uInt room = (uInt)(full ? sizeof(nothing) : WEBSOCKET_MESSAGE_MAX - w->n), made;
		int r;

		w->z.next_out = full ? nothing : w->message + w->n;
		w->z.avail_out = room;
		r = inflate(&w->z, Z_SYNC_FLUSH);
		made = room - w->z.avail_out;
		w->inflated += made;
		w->in->scratch->unpacked += made;
		if (!full)
			w->n += made;
		if (r == Z_STREAM_END && inflateReset(&w->z) == Z_OK && w->z.avail_in)
			continue;
		if ((r != Z_OK && r != Z_BUF_ERROR && r != Z_STREAM_END) || w->inflated > WEBSOCKET_INFLATE_MAX)
			w->unreadable = true;
		if (w->z.avail_out)	/* all that came is used */
			return;
	}
}

static bool websocket_begin_inflate(struct websocket *w)
{
	if (!w->inflating) {
		w->z = (z_stream){ .zalloc = websocket_alloc, .zfree = websocket_free, .opaque = w };
		w->inflating = true;
		w->unreadable = inflateInit2(&w->z, -MAX_WBITS) != Z_OK;
	}
	return !w->unreadable;
}

/* Adds a frame's payload to the message. */
static void websocket_add(struct websocket *w, const struct websocket_frame *f)
{
	uint8_t clear[256];
	size_t at = 0, i;

	while (at < f->payload.len) {
		size_t n = f->payload.len - at < sizeof(clear) ? f->payload.len - at : sizeof(clear);

		for (i = 0; i < n; i++)
			clear[i] = f->payload.p[at + i] ^ (f->masked ? f->mask[(at + i) % 4] : 0);
		at += n;
		if (w->deflated) {
			websocket_inflate(w, clear, n);
			continue;
		}
		if (n > WEBSOCKET_MESSAGE_MAX - w->n)
			n = WEBSOCKET_MESSAGE_MAX - w->n;
		memcpy(w->message + w->n, clear, n);
		w->n += n;
	}
}

/* RFC 6455 5.2. NO: a byte that no frame has. MORE: its header is not whole. */
static enum inspect_result websocket_header(struct websocket *w, struct websocket_frame *f)
{
	struct cursor *c = &w->c;
	uint8_t first = cursor_u8(c), second;
	size_t have;

	*f = (struct websocket_frame){ .bits = first & 0xf0, .opcode = first & 0x0f };
	if (c->error)
		return INSPECT_MORE;
	if ((f->opcode > 2 && f->opcode < 8) || f->opcode > 10 || (f->opcode == 0) > w->open ||
	    ((f->opcode == 1 || f->opcode == 2) && w->open) || (f->opcode & WEBSOCKET_CONTROL && !(first & WEBSOCKET_FIN)))
		return INSPECT_NO;
	second = cursor_u8(c);
	f->masked = second & 0x80;
	f->len = second & 0x7f;
	if (f->len > 125 && f->opcode & WEBSOCKET_CONTROL)
		return INSPECT_NO;
	if (f->len == 126) {
		f->len = cursor_u16(c);
	} else if (f->len == 127) {
		f->len = (uint64_t)cursor_u16(c) << 48;
		f->len |= (uint64_t)cursor_u24(c) << 24;
		f->len |= cursor_u24(c);
	}
	if (f->len >> 63)
		return INSPECT_NO;
	if (f->masked && !c->error) {
		struct view mask = cursor_take(c, sizeof(f->mask));

		if (mask.len)
			memcpy(f->mask, mask.p, sizeof(f->mask));
	}
	if (c->error)
		return INSPECT_MORE;
	have = c->have - c->pos;
	f->payload = cursor_take(c, f->len < have ? (size_t)f->len : have);
	return INSPECT_MATCH;
}

/* May the message be JSON, as far as it is there? */
static bool websocket_json(const struct websocket *w)
{
	static const char before[] = " \t\r\n\xef\xbb\xbf";	/* blanks, a byte order mark, NUL */
	size_t i;

	for (i = 0; i < w->n; i++)
		if (!memchr(before, w->message[i], sizeof(before)))
			return w->message[i] == '{' || w->message[i] == '[';
	return true;
}

static bool websocket_judge(struct websocket *w, struct facts *out)
{
	struct inspect_scratch *s = w->in->scratch;
	struct inspect_input message = *w->in;
	size_t used = s->used;

	message.p = w->message;
	message.len = w->n;
	message.ended = true;
	message.carrier = CARRIER_WEBSOCKET;
	s->used += w->n;
	if (w->n && stratum_inspect(&message, out) == INSPECT_MATCH) {
		out->stratum.carrier = CARRIER_WEBSOCKET;
		return true;
	}
	s->used = used;
	return false;
}

/* A whole message. MATCH: mining. NO: it was read in vain, as so many others before that nobody reads on. */
static enum inspect_result websocket_message(struct websocket *w, struct facts *out)
{
	static const uint8_t tail[] = { 0x00, 0x00, 0xff, 0xff };	/* RFC 7692 7.2.2 */

	w->open = false;
	if (w->deflated)
		websocket_inflate(w, tail, sizeof(tail));
	if (websocket_judge(w, out))
		return INSPECT_MATCH;
	w->harmless += websocket_json(w) ? 1 : 2;
	return w->harmless >= WEBSOCKET_HARMLESS_MAX ? INSPECT_NO : INSPECT_MORE;
}

/* One frame. MORE: the next one may be there, or nothing more is, which the cursor tells. NO: nobody reads on. */
static enum inspect_result websocket_frame(struct websocket *w, struct facts *out)
{
	struct websocket_frame f;
	enum inspect_result r = websocket_header(w, &f);
	bool whole;

	if (r != INSPECT_MATCH)
		return r;
	whole = f.payload.len == f.len;
	if (!whole)
		w->c.error = CURSOR_SHORT;
	if (f.opcode & WEBSOCKET_CONTROL)
		return INSPECT_MORE;
	if (!w->open) {
		w->open = true;
		w->n = 0;
		w->deflated = f.bits & WEBSOCKET_RSV1;
		if (w->deflated && !websocket_begin_inflate(w))
			return INSPECT_NO;
	}
	websocket_add(w, &f);
	if (whole && f.bits & WEBSOCKET_FIN)
		return websocket_message(w, out);
	if (!websocket_json(w) && f.len > WEBSOCKET_SKIP_MAX)
		return INSPECT_NO;
	return INSPECT_MORE;
}

/* In the middle of a stream any bytes may stand: only frames that begin with JSON are taken for some. */
static bool websocket_strange(const struct websocket *w)
{
	const struct inspect_input *in = w->in;
	uint8_t opcode = in->p[0] & 0x0f;

	if (in->only == APP_WEBSOCKET)
		return false;
	return !(in->p[0] & WEBSOCKET_FIN) || (opcode != 1 && opcode != 2) || w->harmless || !websocket_json(w);
}

enum inspect_result websocket_inspect(const struct inspect_input *in, struct facts *out)
{
	struct websocket w = { .in = in, .c = cursor_make(in->p, in->len, in->len) };
	enum inspect_result r = INSPECT_MORE;
	size_t used = in->scratch->used;
	bool frames = false;

	if ((in->only != APP_WEBSOCKET && (in->only != APP_UNKNOWN || in->side == SIDE_CLIENT)) ||
	    sizeof(in->scratch->bytes) - used < WEBSOCKET_MESSAGE_MAX)
		return INSPECT_NO;
	w.message = in->scratch->bytes + used;
	while (r == INSPECT_MORE && !w.c.error && w.c.pos < w.c.have) {
		r = websocket_frame(&w, out);
		if (r != INSPECT_MATCH && websocket_strange(&w))
			return INSPECT_NO;
		frames |= r == INSPECT_MORE && !w.c.error;
	}
	/* A part of a message decides only where the rest is not to be seen: no server acts on half a message. */
	if (r == INSPECT_MORE && in->ended && w.open && websocket_judge(&w, out))
		r = INSPECT_MATCH;
	if (r == INSPECT_MORE && !in->ended)
		return r;
	if (r != INSPECT_MATCH && !frames && !w.open && !w.harmless)
		return INSPECT_NO;
	if (r != INSPECT_MATCH && in->only != APP_WEBSOCKET)
		return INSPECT_NO;
	out->app = APP_HTTP;
	out->consumed = in->len;
	out->again = AGAIN_NO;
	return INSPECT_MATCH;
}
