// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over the DNS reader: the bytes as one datagram, and as a stream of framed messages. Checks beside the sanitizers that
 * facts stay within their bounds and point into lent memory. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/dns.h"

static void check(const struct facts *f, const struct inspect_scratch *scratch)
{
	assert(f->n_names <= FACTS_NAMES_MAX && f->dns.n_answers <= FACTS_ANSWERS_MAX);
	for (unsigned i = 0; i < f->n_names; i++) {
		const struct view v = f->names[i].text;

		assert(v.len && v.p >= scratch->bytes && v.p + v.len <= scratch->bytes + scratch->used);
		assert(f->names[i].matchable == (f->names[i].host.len != 0) && f->names[i].kind == NAME_DNS);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct inspect_scratch scratch;
	static struct facts facts;
	struct inspect_input in = { .side = SIDE_CLIENT, .dialects = &dialect_builtin, .scratch = &scratch };
	enum inspect_result r;
	uint8_t *block = malloc(size ? size : 1);

	memcpy(block, data, size);
	scratch.used = facts.n_names = 0;
	if (dns_message((struct view){ block, size }, &scratch, &facts) == INSPECT_MATCH) {
		check(&facts, &scratch);
		assert(!facts.dns.question.len || (facts.dns.question.p == block + 12 && 12 + facts.dns.question.len <= size));
	} else {
		assert(!facts.n_names && !scratch.used);
	}
	in.p = block;
	in.len = size;
	in.ended = size && data[size - 1] & 1;
	do {
		scratch.used = 0;
		r = inspect_stream(&in, &facts);
		if (r != INSPECT_MATCH || facts.app != APP_DNS)
			break;
		check(&facts, &scratch);
		assert(facts.consumed > 0 && facts.consumed <= in.len);
		in.p += facts.consumed;
		in.len -= facts.consumed;
		in.only = APP_DNS;
	} while (facts.again == AGAIN_SAME);
	free(block);
	return 0;
}
