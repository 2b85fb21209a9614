/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lists of a policy as things that are fetched and grow old: where each comes from, and what a text would bring. It opens
 * no file and fetches nothing. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rules.h"

/* Where the copy of a fetched list lies unless the policy says so. */
static int default_file(struct policy *p, struct list_rule *list)
{
	char path[PATH_MAX + 128];

	snprintf(path, sizeof(path), "%s/lists/%s.txt", p->settings.state, list->name);
	list->file = strdup(path);
	return list->file ? 0 : -ENOMEM;
}

int sources_complete(struct policy *p)
{
	for (size_t i = 0; i < p->n_lists; i++) {
		struct list_rule *list = &p->lists[i];

		if (!list->file && default_file(p, list))
			return -ENOMEM;
		p->sources[i] = (struct list_source) {
			.name = list->name, .file = list->file, .category = list->category ? list->category : "",
			.format = schema_format(list->format), .url = list->url, .signature = list->signature,
			.public_key = list->public_key, .ca = list->ca,
			.refresh_s = list->refresh_s, .max_age_s = list->max_age_s, .min_entries = list->min_entries,
			.max_shrink = list->max_shrink,
		};
	}
	return 0;
}

size_t policy_sources(const struct policy *p, const struct list_source **sources)
{
	*sources = p->sources;
	return p->n_lists;
}

int policy_source_count(const struct policy *p, size_t i, const char *text, size_t len, size_t *used, size_t *skipped)
{
	struct name_set *set = name_set_new();
	struct address_set addresses = { 0 };
	struct list_target to = { .names = set, .addresses = &addresses, .source = 1 };
	struct list_counts counts = { 0 };
	int err = set ? list_load(&to, p->lists[i].format, text, len, &counts) : -ENOMEM;

	*used = counts.used;
	*skipped = counts.skipped;
	address_set_fini(&addresses);
	name_set_free(set);
	return err;
}

int policy_source_union(const struct policy *p, const struct list_text *texts, uint64_t mask, size_t *names)
{
	struct name_set *set = name_set_new();
	struct address_set addresses = { 0 };
	struct list_target to = { .names = set, .addresses = &addresses, .source = 1 };
	struct list_counts counts;
	int err = set ? 0 : -ENOMEM;

	for (size_t i = 0; i < p->n_lists && !err; i++)
		if (mask >> i & 1 && texts[i].text)
			err = list_load(&to, p->lists[i].format, texts[i].text, texts[i].len, &counts);
	if (!err)
		err = name_set_seal(set) ? -ENOMEM : address_set_seal(&addresses);
	if (!err)
		*names = name_set_count(set) + addresses.n;
	address_set_fini(&addresses);
	name_set_free(set);
	return err;
}
