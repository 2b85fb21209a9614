// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over inspect_stream, all inspectors: first byte = side, end and carrier, the rest = the stream. */
#include "tests/fuzz/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum app only[4] = { APP_UNKNOWN, APP_HTTP, APP_HTTP_BODY, APP_UNKNOWN };

	if (size >= 2)
		show_twice(data, size, (struct manner){ .side = (data[0] & 3) % 3, .ended = data[0] & 4, .only = only[data[0] >> 3 & 3],
							.carrier = (data[0] >> 5 & 3) % 3 });
	return 0;
}
