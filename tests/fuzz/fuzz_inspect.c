// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over inspect_stream, all inspectors: first byte = side, end and carrier, the rest = the stream. Rows that are compiled must
 * tell the same as rows that are parsed. */
#include "tests/fuzz/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum inspect_result by_table(struct inspect_input in, const struct dialect_table *t, struct facts *facts)
{
	static struct inspect_scratch scratch;

	scratch.used = 0;
	in.dialects = t;
	in.scratch = &scratch;
	return inspect_stream(&in, facts);
}

static void compare(const uint8_t *data, size_t size, struct inspect_input in)
{
	static struct dialect_table compiled;
	static struct facts one, two;

	if (!compiled.rows) {
		compiled = dialect_builtin;
		compiled.code = malloc(dialect_compile(&compiled, NULL, 0));
		dialect_compile(&compiled, (void *)compiled.code, SIZE_MAX);
	}
	in.p = data + 1;
	in.len = size - 1;
	assert(by_table(in, &dialect_builtin, &one) == by_table(in, &compiled, &two));
	assert(one.mining == two.mining && one.consumed == two.consumed && one.again == two.again);
	assert(one.stratum.dialect == two.stratum.dialect && one.stratum.kind == two.stratum.kind);
	assert(one.stratum.login.len == two.stratum.login.len && one.stratum.agent.len == two.stratum.agent.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum app only[4] = { APP_UNKNOWN, APP_HTTP, APP_HTTP_BODY, APP_UNKNOWN };

	if (size >= 2)
		compare(data, size, (struct inspect_input){ .side = (data[0] & 3) % 3, .ended = data[0] & 4, .only = only[data[0] >> 3 & 3],
							    .carrier = (data[0] >> 5 & 3) % 3 });

	if (size >= 2)
		show_twice(data, size, (struct manner){ .side = (data[0] & 3) % 3, .ended = data[0] & 4, .only = only[data[0] >> 3 & 3],
							.carrier = (data[0] >> 5 & 3) % 3 });
	return 0;
}
