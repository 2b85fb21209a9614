/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shows bytes to inspect_stream from a heap block of exactly their size, so that a sanitizer sees every overread.
 * The facts' views stay valid until the next call; for tests of inspect/ only. */
#ifndef MINEWALL_TESTS_FEED_H
#define MINEWALL_TESTS_FEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inspect/inspect.h"

struct feed {
	enum side side;
	bool ended;
	enum app only;
	enum carrier carrier;
	unsigned seen;
	uint16_t port;
};

static struct facts feed_facts;
static struct inspect_scratch *feed_scratch;
static uint8_t *feed_block;
static const struct dialect_table *feed_dialects = &dialect_builtin;

static inline enum inspect_result feed_as(struct feed how, const void *bytes, size_t len)
{
	struct inspect_input in = {
		.len = len, .side = how.side, .ended = how.ended, .only = how.only, .dialects = feed_dialects,
		.carrier = how.carrier, .seen = how.seen, .port = how.port,
	};

	free(feed_block);
	if (!feed_scratch)
		feed_scratch = malloc(sizeof(*feed_scratch));
	feed_block = malloc(len ? len : 1);
	assert_non_null(feed_block);
	assert_non_null(feed_scratch);
	memcpy(feed_block, bytes, len);
	in.p = feed_block;
	in.scratch = feed_scratch;
	feed_scratch->used = 0;
	return inspect_stream(&in, &feed_facts);
}

static inline enum inspect_result feed(const void *bytes, size_t len)
{
	return feed_as((struct feed){ SIDE_CLIENT, false, APP_UNKNOWN }, bytes, len);
}

static inline enum inspect_result feed_last(const void *bytes, size_t len)
{
	return feed_as((struct feed){ SIDE_CLIENT, true, APP_UNKNOWN }, bytes, len);
}

static inline void feed_view(struct view v, const char *want)
{
	assert_int_equal(v.len, strlen(want));
	assert_memory_equal(v.p, want, v.len);
}

static inline void feed_name(unsigned i, enum name_kind kind, const char *text, const char *host)
{
	assert_true(i < feed_facts.n_names);
	assert_int_equal(feed_facts.names[i].kind, kind);
	feed_view(feed_facts.names[i].text, text);
	assert_int_equal(feed_facts.names[i].matchable, host != NULL);
	feed_view(feed_facts.names[i].host, host ? host : "");
}

static inline int feed_done(void **state)
{
	(void)state;
	free(feed_block);
	free(feed_scratch);
	feed_block = NULL;
	feed_scratch = NULL;
	return 0;
}

#endif
