// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over HTTP/2 behind its preface, HPACK included: first byte = requests given before and end, the rest = the frames. With bit 7
 * the bytes are one header block, so that lengths need not fit. */
#include "tests/fuzz/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t made[20000 + 64];
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	struct manner how = { .side = SIDE_CLIENT };
	size_t at = 26;

	if (size < 2 || size > 20000)
		return 0;
	how.seen = data[0] & 7;
	how.ended = data[0] & 8;
	how.only = how.seen ? APP_HTTP2 : APP_UNKNOWN;
	memcpy(made, data, 2);
	memcpy(made + 2, preface, 24);
	if (data[0] & 128) {
		const uint8_t head[9] = { 0, (uint8_t)((size - 2) >> 8), (uint8_t)(size - 2), 1, 4, 0, 0, 0, 1 };

		memcpy(made + at, head, 9);
		at += 9;
	}
	memcpy(made + at, data + 2, size - 2);
	show_twice(made, at + size - 2, how);
	return 0;
}
