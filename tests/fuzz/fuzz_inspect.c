// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over inspect_stream: first byte = side, end and carrier, the rest = the stream. Checks beside the sanitizers that
 * facts point into lent memory, and that a match of a prefix is not taken back by more bytes.
 *
 * clang -std=gnu11 -g -O1 -I. -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover \
 *	-o fuzz_inspect tests/fuzz/fuzz_inspect.c inspect/[a-z]*.c */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/inspect.h"

struct shown {
	uint8_t *block;
	size_t len;
	struct inspect_scratch *scratch;
	struct facts facts;
};

static void check_view(const struct shown *s, struct view v)
{
	if (!v.len)
		return;
	assert((v.p >= s->block && v.p + v.len <= s->block + s->len) ||
	       (v.p >= s->scratch->bytes && v.p + v.len <= s->scratch->bytes + s->scratch->used));
}

static enum inspect_result show(struct shown *s, const uint8_t *data, size_t len, unsigned flags)
{
	struct inspect_input in = {
		.len = len, .side = (flags & 3) % 3, .ended = flags & 4, .only = flags & 8 ? APP_HTTP : APP_UNKNOWN,
		.carrier = (flags >> 4 & 3) % 3, .dialects = &dialect_builtin, .scratch = s->scratch,
	};
	enum inspect_result r;
	unsigned i;

	free(s->block);
	s->block = malloc(len ? len : 1);
	s->len = len;
	memcpy(s->block, data, len);
	in.p = s->block;
	s->scratch->used = 0;
	r = inspect_stream(&in, &s->facts);
	assert(s->facts.n_names <= FACTS_NAMES_MAX);
	assert(r == INSPECT_MATCH || !s->facts.n_names);
	assert(s->facts.consumed <= len);
	for (i = 0; i < s->facts.n_names; i++) {
		check_view(s, s->facts.names[i].text);
		check_view(s, s->facts.names[i].host);
		assert(s->facts.names[i].matchable == (s->facts.names[i].host.len != 0));
	}
	check_view(s, s->facts.stratum.method);
	check_view(s, s->facts.stratum.agent);
	check_view(s, s->facts.stratum.login);
	check_view(s, s->facts.stratum.algo);
	check_view(s, s->facts.stratum.worker);
	assert(!s->facts.mining || (s->facts.stratum.dialect && r == INSPECT_MATCH));
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct shown s;	/* the harness's own memory, reused for speed */
	enum inspect_result part, whole;
	unsigned flags, names;
	size_t cut;

	if (size < 2)
		return 0;
	if (!s.scratch)
		s.scratch = malloc(sizeof(*s.scratch));
	flags = data[0];
	cut = data[1] * (size - 2) / 255;
	part = show(&s, data + 2, cut, flags & ~4u);
	names = s.facts.n_names;
	whole = show(&s, data + 2, size - 2, flags);
	if (cut && part != INSPECT_MORE && size - 2 < INSPECT_BYTES_MAX) {
		assert(part == whole);
		assert(part != INSPECT_MATCH || names == s.facts.n_names);
	}
	return 0;
}
