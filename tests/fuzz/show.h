/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shows bytes to inspect_stream from a block of their size, and checks beside the sanitizers that facts point into lent memory and that
 * the answer for a prefix is not taken back by more bytes. For the fuzzers of inspect/. */
#ifndef MINEWALL_TESTS_SHOW_H
#define MINEWALL_TESTS_SHOW_H

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

/* How it is shown. */
struct manner {
	enum side side;
	bool ended;
	enum app only;
	enum carrier carrier;
	unsigned seen;
};

static inline void show_view(const struct shown *s, struct view v)
{
	if (!v.len)
		return;
	assert((v.p >= s->block && v.p + v.len <= s->block + s->len) ||
	       (v.p >= s->scratch->bytes && v.p + v.len <= s->scratch->bytes + s->scratch->used));
}

static inline enum inspect_result show(struct shown *s, const uint8_t *data, size_t len, struct manner how)
{
	struct inspect_input in = {
		.len = len, .side = how.side, .ended = how.ended, .only = how.only, .carrier = how.carrier, .seen = how.seen,
		.dialects = &dialect_builtin, .scratch = s->scratch, .port = 53,	/* where DNS is waited for from its first byte */
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
		show_view(s, s->facts.names[i].text);
		show_view(s, s->facts.names[i].host);
		assert(s->facts.names[i].matchable == (s->facts.names[i].host.len != 0));
	}
	show_view(s, s->facts.stratum.method);
	show_view(s, s->facts.stratum.agent);
	show_view(s, s->facts.stratum.login);
	show_view(s, s->facts.stratum.algo);
	show_view(s, s->facts.stratum.worker);
	assert(!s->facts.mining || (s->facts.stratum.dialect && r == INSPECT_MATCH));
	return r;
}

/* The first two bytes say how much is shown at first and how; the rest are the stream. */
static inline void show_twice(const uint8_t *data, size_t size, struct manner how)
{
	static struct shown s;	/* the harness's own memory, reused for speed */
	enum inspect_result part, whole;
	struct manner first = how;
	unsigned names;
	size_t cut;

	if (!s.scratch)
		s.scratch = malloc(sizeof(*s.scratch));
	first.ended = false;
	cut = data[1] * (size - 2) / 255;
	part = show(&s, data + 2, cut, first);
	names = s.facts.n_names;
	whole = show(&s, data + 2, size - 2, how);
	if (cut && part != INSPECT_MORE && size - 2 < INSPECT_BYTES_MAX) {
		assert(part == whole);
		assert(part != INSPECT_MATCH || names == s.facts.n_names);
	}
}

#endif
