// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over a WebSocket's frames: first byte = side and end, the rest = the frames. With bit 3 they are a script instead: payloads
 * that are put into sound frames, deflated or not, so that inflating is reached. */
#include <zlib.h>

#include "tests/fuzz/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One frame for each run of up to 63 bytes: the byte before them says how. Returns the length. */
static size_t frames(const uint8_t *p, size_t left, uint8_t *out, size_t room)
{
	z_stream z = { 0 };
	size_t at = 0;

	deflateInit2(&z, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	while (left > 1 && room - at > 512) {
		size_t n = p[0] & 63, len;
		bool packed = p[0] & 64, again = p[0] & 128;
		uint8_t *payload = out + at + 4;

		n = n < left - 1 ? n : left - 1;
		if (packed) {
			z.next_in = (Bytef *)(uintptr_t)(p + 1);
			z.avail_in = (uInt)n;
			z.next_out = payload;
			z.avail_out = 400;
			deflate(&z, again ? Z_FULL_FLUSH : Z_SYNC_FLUSH);
			len = 400 - z.avail_out;
			len -= len < 4 ? len : 4;
		} else {
			memcpy(payload, p + 1, n);
			len = n;
		}
		out[at] = (uint8_t)(0x81 | (packed ? 0x40 : 0));
		out[at + 1] = 126;
		out[at + 2] = (uint8_t)(len >> 8);
		out[at + 3] = (uint8_t)len;
		at += 4 + len;
		p += n + 1;
		left -= n + 1;
	}
	deflateEnd(&z);
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t made[20000];
	struct manner how = { 0 };

	if (size < 2)
		return 0;
	how = (struct manner){ .side = (data[0] & 3) % 3, .ended = data[0] & 4, .only = APP_WEBSOCKET };
	if (how.side == SIDE_UNSURE && data[0] & 16)
		how.only = APP_UNKNOWN;
	if (data[0] & 8) {
		memcpy(made, data, 2);
		size = 2 + frames(data + 2, size - 2, made + 2, sizeof(made) - 2);
		data = made;
	}
	show_twice(data, size, how);
	return 0;
}
