/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a fetched text a list, the publisher's own, and what would the policy use of it? Asked in an unprivileged child without a
 * network (cli/child.h): these are strangers' bytes. */
#ifndef MINEWALL_JUDGE_H
#define MINEWALL_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/child.h"
#include "policy/policy.h"

#define JUDGE_LISTS_MAX 64

enum judgement {
	JUDGE_GOOD,
	JUDGE_EMPTY,		/* nothing but blanks */
	JUDGE_SIGNATURE,	/* `signature` says why */
	JUDGE_HTML,
	JUDGE_BINARY,
	JUDGE_NOTHING,		/* no usable entry in it */
	JUDGE_TOO_MANY,		/* more names than all lists together may have */
	JUDGE_NO_MEMORY,
};

struct judge_result {
	enum judgement judgement;
	int signature;		/* enum signature */
	uint64_t signed_at;	/* s, of the trusted comment; 0: unknown */
	uint64_t used, skipped;
};

struct judge_question {
	const struct policy *policy;
	size_t list;			/* index of policy_sources: the one whose text is new */
	const struct list_text *texts;	/* of all lists: the new text and the copies of the others */
	const char *signature;		/* of the new one; its length; NULL if none is asked for */
	size_t signature_len;
};

/* In this process, as it is. */
void judge_here(const struct judge_question *q, struct judge_result *r);

/* In a child. 0, or -errno: it could not be made or ended early. */
int judge(const struct judge_question *q, const struct child_user *user, struct judge_result *r);

/* What each list holds, and how much of it other lists hold, too. */
struct judge_counts {
	uint64_t used, skipped;
	uint64_t distinct, shared;	/* names and networks, each counted once; those of them that another list has as well */
	bool known;
};

/* For every list of the policy; a text of NULL leaves its counts unknown. In a child, as above. */
int judge_all(const struct policy *policy, const struct list_text *texts, const struct child_user *user,
	      struct judge_counts counts[JUDGE_LISTS_MAX]);

#endif
