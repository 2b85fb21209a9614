/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of struct policy: seen by the files of this folder that build it and judge by it, by nobody else. */
#ifndef MINEWALL_RULES_H
#define MINEWALL_RULES_H

#include "policy/addresses.h"
#include "policy/dialects.h"
#include "policy/lists.h"
#include "policy/names.h"
#include "policy/policy.h"
#include "policy/rule.h"

/* List ids fit into a name's seven bits, and 0 is the policy file. */
#define RULES_LISTS_MAX 64
_Static_assert(RULES_LISTS_MAX <= 64, "policy_source_union takes a bit for each");

enum detector { DETECTOR_TLS, DETECTOR_QUIC, DETECTOR_HTTP, DETECTOR_DNS, DETECTOR_STRATUM, DETECTOR_GETWORK, DETECTOR_NODE, DETECTORS };

struct detect_rule {
	enum detect action;
	enum scope scope;	/* AUTO: what `block.scope` says */
};

struct list_rule {
	char *name;
	char *file;		/* as it is opened */
	char *category;
	enum list_format format;
	char *url, *signature, *public_key, *ca;
	uint32_t refresh_s, max_age_s, min_entries;
	uint8_t max_shrink;
	struct { const char *path; size_t line, column; } at;	/* of `file:`, 0-based, for what is found when it is read */
};

struct policy {
	char *files[POLICY_FILES_MAX];	/* the policy's own, and its drop-ins in their order */
	size_t n_files;
	struct settings settings;
	struct detect_rule detect[DETECTORS];
	struct name_set *block_names;
	struct name_set *allow_names;
	struct address_set block_addresses, allow_addresses, allow_hosts, shared;
	int64_t read_at_ms;
	uint64_t digest;	/* FNV-1a of the files' bytes, one after the other: told apart are only texts of one author */
	struct list_rule lists[RULES_LISTS_MAX];
	struct list_info infos[RULES_LISTS_MAX];
	struct list_source sources[RULES_LISTS_MAX];
	size_t n_lists;
	struct dialect_rules dialects;
	struct group groups[GROUPS_MAX];
	size_t n_groups;
	struct rule rules[RULES_MAX];
	size_t n_rules;
	bool exceptions;	/* a rule lets some hosts do, or do at times, what others may not */
	/* Of policy_allowing only: what it stands on and shares, and what it allows besides. */
	const struct policy *base;
	struct name_set *extra_names;
	struct address_set extra_addresses;
};

/* A policy with every default of DESIGN section 7 and empty name sets, not yet sealed. NULL: no memory. */
struct policy *rules_new(void);

/* The policy's word for a detector (DETECTORS: score). */
const char *rules_detector_text(unsigned detector);

/* Whose key of `detect:` judges the protocol of a message, else its first name; not below DETECTORS: nobody's. */
unsigned rules_detector(const struct facts *facts);

/* Reads the policy's text or a drop-in's, not its lists. `path` is the file, for messages, and must live as long as the policy;
 * relative paths start at the folder of `base`. Words of a later file take the place of earlier ones, lists are appended.
 * 0, or -1 with `error` filled. */
int schema_read(struct policy *p, const char *base, const char *path, const char *text, size_t len, struct policy_error *error);

/* Once every key is read: the files of fetched lists that name none, and p->sources. 0 or -ENOMEM. */
int sources_complete(struct policy *p);

/* The policy's word for a format, "auto" for none. */
const char *schema_format(enum list_format format);

#endif
