/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer: arbitrary bytes as a list, in the format that their first byte chooses (detected, or each by name). What was counted
 * must add up, what is in the sets must be found again, and no wide or local network may be among them. */
#include <stdlib.h>
#include <string.h>

#include "policy/lists.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool true_thing)
{
	if (!true_thing)
		abort();
}

static void check_counts(const struct list_counts *c)
{
	size_t skipped = 0;

	for (enum list_reason r = 0; r < SKIP_REASONS; r++)
		skipped += c->reasons[r];
	require(skipped == c->skipped && c->used == c->names + c->addresses + c->exceptions);
	require(!c->alien || c->used + c->skipped == 0);
	require(c->alien || (c->format > LIST_AUTO && c->format < LIST_FORMATS));
}

static void check_addresses(struct address_set *set, size_t lines)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct network *net = &set->items[i];
		bool v4 = address_is_v4(net->addr) && net->prefix >= 96;

		require(net->prefix >= (v4 ? 96 + LIST_PREFIX_MIN4 : LIST_PREFIX_MIN6));
		require(!v4 || (net->addr[12] != 10 && net->addr[12] != 127 && net->addr[12] != 0 && net->addr[12] < 224));
		require(net->line && net->line <= lines);
		require(address_set_match(set, net->addr, net->port ? net->port : 443));
	}
}

/* A host that the entry covers. */
static void check_names(const struct name_set *set, const char *text, size_t len, size_t lines)
{
	struct name_hit hit, all[8];
	struct name_entry entry;
	char host[NAME_LEN_MAX + 3] = "x.";

	if (name_parse(text, len, &entry) == NAME_GOOD && entry.len <= NAME_ENTRY_MAX - 2) {
		memcpy(host + 2, entry.text, entry.len);
		if (name_set_match(set, host, entry.len + 2, &hit)) {
			require(hit.line && hit.line <= lines && (hit.source & ~LIST_IMPORTANT) == 5 && strlen(hit.entry) <= entry.len + 2);
			require(name_set_all(set, host, entry.len + 2, all, 8) >= 1);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct address_set addresses = { .n = 0 }, excepted = { .n = 0 };
	struct list_target to = { name_set_new(), name_set_new(), &addresses, &excepted, 5 };
	struct list_counts counts, again;
	size_t lines = 1, len = size ? size - 1 : 0;

	if (size) {
		enum list_format format = data[0] % LIST_FORMATS;

		require(!list_load(&to, format, text, len, &counts));
		check_counts(&counts);
		require(!name_set_seal(to.names) && !name_set_seal(to.excepted_names) && !address_set_seal(&addresses) && !address_set_seal(&excepted));
		require(name_set_count(to.names) <= counts.names && name_set_count(to.excepted_names) <= counts.exceptions);
		require(!list_read(NULL, 1, format, text, len, &again) && again.used == counts.used && again.skipped == counts.skipped);
		for (size_t i = 0; i < len; i++)
			lines += text[i] == '\n';
		check_addresses(&addresses, lines);
		check_names(to.names, text, len, lines);
		for (const char *line = text; line; line = memchr(line, '\n', (size_t)(text + len - line)), line = line ? line + 1 : NULL) {
			const char *end = memchr(line, '\n', (size_t)(text + len - line));

			check_names(to.names, line, (size_t)((end ? end : text + len) - line), lines);
		}
	}
	name_set_free(to.names);
	name_set_free(to.excepted_names);
	address_set_fini(&addresses);
	address_set_fini(&excepted);
	return 0;
}
