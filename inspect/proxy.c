// SPDX-License-Identifier: GPL-2.0-or-later
/* Passes over the header of the PROXY protocol. A server that expects it takes the stream behind it as its client's own. */
#include "inspect/proxy.h"

#include <string.h>

#include "inspect/cursor.h"

/* The longest line of version 1, CR and LF included. */
#define LINE_MAX_V1 107
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_LEN 12

static enum inspect_result version_1(const struct inspect_input *in, size_t *len)
{
	static const char word[] = "PROXY ";
	size_t n = in->len < sizeof(word) - 1 ? in->len : sizeof(word) - 1;
	const uint8_t *end = memchr(in->p, '\n', in->len < LINE_MAX_V1 ? in->len : LINE_MAX_V1);

	if (memcmp(in->p, word, n))
		return INSPECT_NO;
	if (!end)
		return in->len < LINE_MAX_V1 ? INSPECT_MORE : INSPECT_NO;
	*len = (size_t)(end + 1 - in->p);
	return INSPECT_MATCH;
}

static enum inspect_result version_2(const struct inspect_input *in, size_t *len)
{
	struct cursor c = cursor_make(in->p, in->len, in->len);
	size_t n = in->len < SIGNATURE_LEN ? in->len : SIGNATURE_LEN;
	uint8_t version;

	if (memcmp(in->p, SIGNATURE, n))
		return INSPECT_NO;
	cursor_skip(&c, SIGNATURE_LEN);
	version = cursor_u8(&c);
	if (!c.error && version >> 4 != 2)
		return INSPECT_NO;
	cursor_skip(&c, 1);
	cursor_skip(&c, cursor_u16(&c));
	*len = c.pos;
	return c.error ? INSPECT_MORE : INSPECT_MATCH;
}

enum inspect_result proxy_inspect(const struct inspect_input *in, struct facts *out)
{
	size_t len = 0;
	enum inspect_result r;

	if (in->side == SIDE_SERVER)
		return INSPECT_NO;
	r = in->p[0] == 'P' ? version_1(in, &len) : version_2(in, &len);
	if (r == INSPECT_MORE && in->ended)
		return INSPECT_NO;
	if (r == INSPECT_MATCH) {
		out->app = APP_PROXY;
		out->consumed = len;
		out->again = AGAIN_FRESH;
	}
	return r;
}
