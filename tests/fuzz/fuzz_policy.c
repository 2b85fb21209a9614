/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer: arbitrary bytes as a policy's text and as an address.
 * Opens no file: schema_read does not read the lists that a policy names.
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE tests/fuzz/fuzz_policy.c policy/?*.c inspect/dialects.c inspect/require.c inspect/json.c -lyaml */
#include <stdlib.h>
#include <string.h>

#include "policy/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool true_thing)
{
	if (!true_thing)
		abort();
}

static void fuzz_policy(const char *text, size_t len)
{
	struct policy_error error = { .text = "" };
	struct policy *p = rules_new();
	int result;

	require(p);
	result = schema_read(p, "dir/p.yaml", "dir/p.yaml", text, len, &error);
	/* A refusal is one whole line, with the file's name. */
	if (result)
		require(!strncmp(error.text, "dir/p.yaml:", 11) && !strpbrk(error.text, "\r\n\x1b"));
	policy_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct network net;

	fuzz_policy(text, size);
	address_parse(text, size, &net);
	return 0;
}
