/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds a whole policy out of its file and its lists, or nothing and one message; and lets others look at it. Errors
 * of lists are said at the list's `file:` in the policy, because that is what the operator has to mend. */
#include "policy/policy.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/doc.h"
#include "policy/file.h"
#include "policy/rules.h"

struct policy *rules_new(void)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->settings = (struct settings) {
		.mode = MODE_MONITOR,
		.hook = HOOK_BOTH,
		.fail = FAIL_OPEN,
		.queue_length = 4096,
		.mark_mask = 0x0e000000,
		.endpoint_timeout_s = 3600,
		.pair_timeout_s = 600,
		.scope = SCOPE_AUTO,
		.reset = true,
		.score_report = 60,
		.memory_flows = 65536,
		.memory_reassembly = 16 << 20,
		.memory_endpoints = 65536,
		.own_table = true,
		.control = "/run/minewall/control.sock",
		.state = "/var/lib/minewall",
		.log_file = "/var/log/minewall/eve.json",
		.log_size = 16 << 20,
		.log_keep = 7,
		.log_days = 30,
	};
	reporting_defaults(&p->reporting);
	fleet_policy_defaults(&p->fleet);
	for (unsigned i = 0; i < DETECTORS; i++)
		p->detect[i].action = i == DETECTOR_GETWORK ? DETECT_MONITOR : i == DETECTOR_NODE ? DETECT_OFF : DETECT_BLOCK;
	p->block_names = name_set_new();
	p->allow_names = name_set_new();
	p->excepted_names = name_set_new();
	p->update_names = name_set_new();
	if (!p->block_names || !p->allow_names || !p->excepted_names || !p->update_names) {
		policy_free(p);
		return NULL;
	}
	return p;
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	name_set_free(p->extra_names);
	address_set_fini(&p->extra_addresses);
	if (p->base) {
		free(p);
		return;
	}
	/* one more than there are: it may be half read. The others were never touched, and a look costs a page each. */
	for (size_t i = 0; i <= p->n_lists && i < RULES_LISTS_MAX; i++) {
		free(p->lists[i].name);
		free(p->lists[i].file);
		free(p->lists[i].category);
		free(p->lists[i].url);
		free(p->lists[i].signature);
		free(p->lists[i].public_key);
		free(p->lists[i].ca);
	}
	dialects_free(&p->dialects);
	name_set_free(p->block_names);
	name_set_free(p->allow_names);
	name_set_free(p->excepted_names);
	name_set_free(p->update_names);
	address_set_fini(&p->block_addresses);
	address_set_fini(&p->allow_addresses);
	address_set_fini(&p->allow_hosts);
	address_set_fini(&p->shared);
	address_set_fini(&p->list_addresses);
	address_set_fini(&p->excepted_addresses);
	for (size_t i = 0; i < p->n_files; i++)
		free(p->files[i]);
	for (size_t i = 0; i <= p->n_groups && i < GROUPS_MAX; i++)
		address_set_fini(&p->groups[i].hosts.addresses);
	for (size_t i = 0; i <= p->n_rules && i < RULES_MAX; i++)
		rule_fini(&p->rules[i]);
	free(p);
}

/* What an entry's source is worth, before the sets are sealed. */
static void rank_sources(struct policy *p)
{
	p->rank[0] = RANK_POLICY;
	for (size_t i = 0; i < p->n_lists; i++) {
		bool block = p->lists[i].action == DETECT_BLOCK;

		if (p->lists[i].action == DETECT_OFF) {		/* its entries are only there for the rules that name the list */
			p->rank[i + 1] = p->rank[(i + 1) | LIST_IMPORTANT] = RANK_NONE;
			continue;
		}
		p->rank[i + 1] = block ? RANK_BLOCK : RANK_MONITOR;
		p->rank[(i + 1) | LIST_IMPORTANT] = block ? RANK_BLOCK_IMPORTANT : RANK_MONITOR_IMPORTANT;
	}
	for (unsigned source = 0; source <= NAME_SOURCE_MAX; source++)
		name_set_rank(p->block_names, source, p->rank[source] ? p->rank[source] : RANK_OFF);
}

static int seal_rules(struct policy *p)
{
	for (size_t i = 0; i < p->n_groups; i++)
		if (address_set_seal(&p->groups[i].hosts.addresses))
			return -ENOMEM;
	for (size_t i = 0; i < p->n_rules; i++) {
		struct rule *r = &p->rules[i];

		/* What one host may, another's finding must not take from it. */
		p->exceptions |= r->action != ACTION_BLOCK && !(r->from_all && !r->when.set);
		if (address_set_seal(&r->from.addresses) || address_set_seal(&r->addresses) || (r->names && name_set_seal(r->names)))
			return -ENOMEM;
	}
	return 0;
}

static int seal(struct policy *p)
{
	struct address_set *const addresses[] = {
		&p->block_addresses, &p->allow_addresses, &p->allow_hosts, &p->shared, &p->list_addresses, &p->excepted_addresses,
	};
	struct name_set *const names[] = { p->block_names, p->allow_names, p->excepted_names, p->update_names };

	rank_sources(p);
	if (seal_rules(p))
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (address_set_seal(addresses[i]))
			return -ENOMEM;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (name_set_seal(names[i]))
			return -ENOMEM;
	return dialects_seal(&p->dialects);
}

static int out_of_memory(const char *path, struct policy_error *error)
{
	snprintf(error->text, sizeof(error->text), "%s: not enough memory", path);
	error->kind = POLICY_NO_MEMORY;
	return -1;
}

static bool is_denied(int errnum)
{
	return errnum == EACCES || errnum == EPERM || errnum == EIO || errnum == ENFILE || errnum == EMFILE;
}

static const char *read_problem(int errnum)
{
	switch (errnum) {
	case EISDIR:
		return "is a folder";
	case EINVAL:
		return "is no regular file";
	case EFBIG:
		return "is too large";
	case ENOENT:
		return "does not exist";
	default:
		return strerror(errnum);
	}
}

/* Says what is wrong with a list at the place where the policy names it. */
static int __attribute__((format(printf, 5, 6))) list_fail(const char *path, const struct list_rule *list,
							    struct policy_error *error, int kind, const char *format, ...)
{
	struct doc doc = { .file = path, .error = error };
	yaml_node_t at = { .start_mark = { .line = list->at.line, .column = list->at.column } };
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return doc_fail_kind(&doc, &at, kind, "list '%s': %s %s", list->name, list->file, what);
}

static int compare_skips(const void *left, const void *right)
{
	size_t a = *(const size_t *)left, b = *(const size_t *)right;

	return a > b ? -1 : a < b;
}

static void fill_info(struct policy *p, size_t i, const struct list_counts *counts)
{
	const struct list_rule *list = &p->lists[i];
	struct list_info *info = &p->infos[i];
	struct { size_t n; enum list_reason reason; } skips[SKIP_REASONS];

	*info = (struct list_info) {
		.name = list->name, .file = list->file, .category = list->category ? list->category : "",
		.format = list_format_text(counts->format), .action = list->action, .used = counts->used, .skipped = counts->skipped,
		.names = counts->names, .addresses = counts->addresses, .exceptions = counts->exceptions,
	};
	for (enum list_reason r = 0; r < SKIP_REASONS; r++) {
		skips[r].n = counts->reasons[r];
		skips[r].reason = r;
	}
	qsort(skips, SKIP_REASONS, sizeof(skips[0]), compare_skips);
	for (size_t k = 0; k < LIST_INFO_SKIPS && skips[k].n; k++) {
		info->skips[k].reason = list_reason_text(skips[k].reason);
		info->skips[k].n = skips[k].n;
	}
}

int list_info_print(const struct list_info *info, char *to, size_t size)
{
	int n = snprintf(to, size, "%zu used of %zu, %zu skipped", info->used, info->used + info->skipped, info->skipped);

	for (size_t k = 0; k < LIST_INFO_SKIPS && info->skips[k].n; k++)
		n += snprintf(to + n, (size_t)n < size ? size - (size_t)n : 0, "%s %s %zu", k ? "," : ":", info->skips[k].reason,
			      info->skips[k].n);
	return n;
}

/* Into the sets; a list that is off is read and counted all the same, so that its health shows and rules may name it. */
static int read_list(struct policy *p, size_t i, const char *text, size_t len, struct list_counts *counts)
{
	struct list_target to = { .source = (unsigned)i + 1 };

	if (p->lists[i].action != DETECT_OFF || p->rule_lists >> i & 1) {
		to.names = p->block_names;
		to.addresses = &p->list_addresses;
	}
	if (p->lists[i].action != DETECT_OFF) {
		to.excepted_names = p->excepted_names;
		to.excepted_addresses = &p->excepted_addresses;
	}
	return list_load(&to, p->lists[i].format, text, len, counts);
}

static int load_list(struct policy *p, size_t i, struct policy_error *error)
{
	const struct list_rule *list = &p->lists[i];
	const char *path = list->at.path;
	struct list_counts counts;
	struct block text = { 0 };
	size_t len;
	int result = file_read_block(list->file, LIST_FILE_MAX, &text, &len);

	if (result == -ENOMEM)
		return out_of_memory(path, error);
	if (result == -ENOENT && list->url)
		return list_fail(path, list, error, POLICY_INVALID,
				 "has not been fetched yet, expected a first `minewall lists update %s`", list->name);
	if (result == -EFBIG)
		return list_fail(path, list, error, POLICY_INVALID, "is too large, expected at most %u MiB", LIST_FILE_MAX >> 20);
	if (result)
		return list_fail(path, list, error, is_denied(-result) ? POLICY_UNREADABLE : POLICY_INVALID,
				 "%s, expected a readable list", read_problem(-result));
	result = read_list(p, i, text.at, len, &counts);
	block_free(&text);
	if (result == -E2BIG)
		return list_fail(path, list, error, POLICY_INVALID, "brings the lists over %u names or %u networks, expected at most that many",
				 NAME_SET_MAX, ADDRESS_LISTS_MAX);
	if (result)
		return out_of_memory(path, error);
	if (counts.alien)
		return list_fail(path, list, error, POLICY_INVALID, "%s, expected a list of names or addresses as text",
				 list_alien_text(counts.alien));
	fill_info(p, i, &counts);
	if (!counts.used)
		return list_fail(path, list, error, POLICY_INVALID,
				 "has no usable entry (%zu skipped), expected names or addresses in a format that is known", counts.skipped);
	return 0;
}

static int read_policy(const char *path, char **text, size_t *len, struct policy_error *error)
{
	struct doc doc = { .file = path, .error = error };
	int result = file_read(path, DOC_BYTES_MAX, text, len);

	switch (result) {
	case 0:
		return 0;
	case -ENOMEM:
		return out_of_memory(path, error);
	case -ENOENT:
		return doc_fail(&doc, NULL, "no such policy file, expected one: the line 'version: 1' alone makes a first one "
				"(a sample is contrib/policies/minewall.yaml), or name another with -c");
	case -EFBIG:
		return doc_fail(&doc, NULL, "is too large, expected at most %u KiB (put names into a list file)",
				DOC_BYTES_MAX >> 10);
	default:
		return doc_fail_kind(&doc, NULL, is_denied(-result) ? POLICY_UNREADABLE : POLICY_INVALID,
				     "%s, expected a readable policy file", read_problem(-result));
	}
}

static uint64_t digest_more(uint64_t digest, const char *text, size_t len)
{
	for (size_t i = 0; i <= len; i++)	/* with the NUL, so that moving bytes from one file to the next shows */
		digest = (digest ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
	return digest;
}

static int read_file(struct policy *p, const char *path, struct policy_error *error)
{
	char *text = NULL, *kept = strdup(path);
	size_t len;
	int result;

	if (!kept)
		return out_of_memory(path, error);
	p->files[p->n_files++] = kept;
	if (read_policy(kept, &text, &len, error))
		return -1;
	p->digest = digest_more(p->digest, text, len);
	result = schema_read(p, p->files[0], kept, text, len, error);
	free(text);
	return result;
}

/* Hidden files, and what editors and package managers leave behind, end otherwise. */
static int is_drop_in(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return *e->d_name != '.' && len > 5 && !strcmp(e->d_name + len - 5, ".yaml");
}

static int read_drop_ins(struct policy *p, struct policy_error *error)
{
	const char *slash = strrchr(p->files[0], '/');
	struct doc doc = { .file = p->files[0], .error = error };
	char folder[PATH_MAX], path[PATH_MAX + 256];
	struct dirent **found;
	int n, result = 0;

	snprintf(folder, sizeof(folder), "%.*spolicy.d", slash ? (int)(slash + 1 - p->files[0]) : 0, p->files[0]);
	n = scandir(folder, &found, is_drop_in, alphasort);
	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 :
		       doc_fail_kind(&doc, NULL, POLICY_UNREADABLE, "%s: %s, expected a readable folder", folder, strerror(errno));
	if (n >= POLICY_FILES_MAX)
		result = doc_fail(&doc, NULL, "%s holds %d files, expected at most %d", folder, n, POLICY_FILES_MAX - 1);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, found[i]->d_name);
		free(found[i]);
		if (!result)
			result = read_file(p, path, error);
	}
	free(found);
	return result;
}

static int load(struct policy *p, const char *path, bool with_lists, struct policy_error *error)
{
	struct timespec now;
	int result;

	clock_gettime(CLOCK_REALTIME, &now);
	p->read_at_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	result = read_file(p, path, error) ? -1 : read_drop_ins(p, error);
	if (!result && sources_complete(p))
		result = out_of_memory(path, error);
	for (size_t i = 0; with_lists && i < p->n_lists && !result; i++)
		result = load_list(p, i, error);
	if (!result && seal(p))
		result = out_of_memory(path, error);
	return result;
}

static struct policy *load_new(const char *path, bool with_lists, struct policy_error *error)
{
	struct policy *p = rules_new();

	if (!p) {
		out_of_memory(path, error);
		return NULL;
	}
	if (load(p, path, with_lists, error)) {
		policy_free(p);
		return NULL;
	}
	return p;
}

struct policy *policy_load(const char *path, struct policy_error *error)
{
	return load_new(path, true, error);
}

struct policy *policy_load_settings(const char *path, struct policy_error *error)
{
	return load_new(path, false, error);
}

struct policy *policy_builtin(void)
{
	struct policy *p = rules_new();

	if (!p)
		return NULL;
	p->settings.mode = MODE_ENFORCE;
	if (seal(p)) {
		policy_free(p);
		return NULL;
	}
	return p;
}

void policy_stamp(struct policy *p, uint32_t generation)
{
	p->settings.generation = generation;
}

const struct settings *policy_settings(const struct policy *p)
{
	return &p->settings;
}

static struct networks networks_of(const struct address_set *set)
{
	return (struct networks) { set->items, set->n };
}

struct networks policy_exempt_hosts(const struct policy *p)
{
	return networks_of(&p->allow_hosts);
}

struct networks policy_allowed_addresses(const struct policy *p)
{
	return networks_of(&p->allow_addresses);
}

struct networks policy_blocked_addresses(const struct policy *p)
{
	return networks_of(&p->block_addresses);
}

size_t policy_files(const struct policy *p, const char *const **files)
{
	*files = (const char *const *)p->files;
	return p->n_files;
}

int64_t policy_read_at_ms(const struct policy *p)
{
	return p->read_at_ms;
}

uint64_t policy_digest(const struct policy *p)
{
	return p->digest;
}

size_t policy_lists(const struct policy *p, const struct list_info **lists)
{
	*lists = p->infos;
	return p->n_lists;
}

size_t policy_names(const struct policy *p)
{
	return name_set_count(p->block_names);
}

size_t policy_list_addresses(const struct policy *p)
{
	return p->list_addresses.n;
}

bool policy_blocks_addresses(const struct policy *p)
{
	return p->block_addresses.n || p->list_addresses.n;
}

const struct dialect_table *policy_dialects(const struct policy *p)
{
	return p->dialects.table.rows ? &p->dialects.table : &dialect_builtin;
}

size_t policy_own_dialects(const struct policy *p)
{
	return p->dialects.n_own;
}
