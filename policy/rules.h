/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of struct policy: seen by the files of this folder that build it and judge by it, by nobody else. */
#ifndef MINEWALL_RULES_H
#define MINEWALL_RULES_H

#include "policy/addresses.h"
#include "policy/dialects.h"
#include "policy/fleet.h"
#include "policy/lists.h"
#include "policy/names.h"
#include "policy/policy.h"
#include "policy/reporting.h"
#include "policy/rule.h"

/* List ids fit into a source's bits below LIST_IMPORTANT, and 0 is the policy file. */
#define RULES_LISTS_MAX 63

/* Categories that the policy gives an action; others need no mention. */
#define RULES_CATEGORIES_MAX 64

/* Longest name or category of a list: it goes into every event. */
#define LABEL_MAX 64

/* Which of two sources wins: the admin's own word, then the stronger action, then what excepts cannot take back. */
enum { RANK_NONE, RANK_OFF, RANK_MONITOR, RANK_MONITOR_IMPORTANT, RANK_BLOCK, RANK_BLOCK_IMPORTANT, RANK_POLICY };
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
	enum detect action;	/* complete once all keys are read */
	bool has_action;	/* of its own */
	char *url, *signature, *public_key, *ca;
	uint32_t refresh_s, max_age_s, min_entries;
	uint8_t max_shrink;
	struct { const char *path; size_t line, column; } at;	/* of `file:`, 0-based, for what is found when it is read */
};

struct category {
	char name[LABEL_MAX + 1];
	enum detect action;
};

struct policy {
	char *files[POLICY_FILES_MAX];	/* the policy's own, and its drop-ins in their order */
	size_t n_files;
	struct settings settings;
	struct reporting reporting;
	struct fleet_policy fleet;
	struct detect_rule detect[DETECTORS];
	struct name_set *block_names;
	struct name_set *allow_names;
	struct name_set *excepted_names;		/* of lists: @@ and the like */
	struct name_set *update_names;		/* what a device in quarantine may reach */
	struct address_set block_addresses, allow_addresses, allow_hosts, shared;
	struct address_set list_addresses, excepted_addresses;
	uint8_t rank[NAME_SOURCE_MAX + 1];		/* by source: a list's id, LIST_IMPORTANT set or not */
	struct category categories[RULES_CATEGORIES_MAX];
	size_t n_categories;
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
	uint64_t rule_lists;	/* bit i: a rule names the i-th list, which is read then even if its entries are off */
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

/* The list whose source this is; not 0. */
const struct list_rule *rules_list(const struct policy *p, unsigned source);

/* Whether block.names or a list, its exceptions heeded, has the name; and those of the lists that rules name which
 * have it, their entries' action aside: bit i is the i-th. */
bool rules_blocked_name(const struct policy *p, const void *name, size_t len, struct name_hit *hit);
uint64_t rules_lists(const struct policy *p, const void *name, size_t len);

/* The entry of a list for the address, its exceptions heeded; or NULL. */
const struct network *rules_listed_address(const struct policy *p, const uint8_t addr[16], uint16_t port);

/* Once every key is read: the files of fetched lists that name none, and p->sources. 0 or -ENOMEM. */
int sources_complete(struct policy *p);

/* The policy's word for a format, "auto" for none. */
const char *schema_format(enum list_format format);

#endif
