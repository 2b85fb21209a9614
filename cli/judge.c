/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cheap questions first, and the signature before any parsing. The answers are numbers: no byte of the text goes back to the
 * parent. */
#include "cli/judge.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "cli/signature.h"

/* Two million names take seconds on a small router. */
#define PATIENCE_MS 120000
/* Shorter texts cannot bring the lists over their limits, and need not be read for it: a range of addresses of 9 bytes ("2::1-3::")
 * stands for 130 networks at most, of which a million are too many. */
#define HARMLESS_BYTES (64u << 10)

static bool starts(const char *p, const char *end, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(end - p) >= len && !strncasecmp(p, word, len);
}

/* A page where a list should be: the publisher has moved, or a portal wants a login. */
static bool is_page(const char *p, const char *end)
{
	static const char *const heads[] = {
		"<!doctype", "<html", "<head", "<body", "<?xml", "<!--", "<script", "<meta", "<title",
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (starts(p, end, heads[i]))
			return true;
	return false;
}

static enum judgement look(const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	if (starts(p, end, "\xef\xbb\xbf"))
		p += 3;
	while (p < end && strchr(" \t\r\n\f\v", *p) && *p)
		p++;
	if (p == end)
		return JUDGE_EMPTY;
	if (memchr(text, '\0', len))
		return JUDGE_BINARY;
	return is_page(p, end) ? JUDGE_HTML : JUDGE_GOOD;
}

/* The policy must still load with it, or the next start of the daemon fails. */
static int fits(const struct judge_question *q)
{
	const struct list_source *sources;
	size_t n = policy_sources(q->policy, &sources), names, bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += q->texts[i].text ? q->texts[i].len : 0;
	return bytes < HARMLESS_BYTES ? 0 : policy_source_union(q->policy, q->texts, UINT64_MAX, &names);
}

static enum judgement read_list(const struct judge_question *q, struct judge_result *r)
{
	const struct list_text *new = &q->texts[q->list];
	size_t used = 0, skipped = 0;
	int err = policy_source_count(q->policy, q->list, new->text, new->len, &used, &skipped);

	r->used = used;
	r->skipped = skipped;
	if (!err && !used)
		return JUDGE_NOTHING;
	if (!err)
		err = fits(q);
	return err == -E2BIG ? JUDGE_TOO_MANY : err ? JUDGE_NO_MEMORY : JUDGE_GOOD;
}

void judge_here(const struct judge_question *q, struct judge_result *r)
{
	const struct list_source *sources;
	const struct list_text *new = &q->texts[q->list];

	memset(r, 0, sizeof(*r));
	policy_sources(q->policy, &sources);
	r->judgement = look(new->text, new->len);
	if (r->judgement == JUDGE_EMPTY)
		return;
	if (q->signature)
		r->signature = (int)signature_check(sources[q->list].public_key, q->signature, q->signature_len, new->text,
						    new->len, &r->signed_at);
	/* A page is named as such even where a signature is asked for: that is what the operator has to mend. */
	if (r->judgement == JUDGE_GOOD && r->signature != SIGNATURE_GOOD)
		r->judgement = JUDGE_SIGNATURE;
	if (r->judgement == JUDGE_GOOD)
		r->judgement = read_list(q, r);
}

static void judge_work(int fd, void *arg)
{
	struct judge_result r;

	judge_here(arg, &r);
	child_say(fd, &r, sizeof(r));
}

int judge(const struct judge_question *q, const struct child_user *user, struct judge_result *r)
{
	struct child c;
	int err = child_start(&c, user, false, judge_work, (void *)q);

	if (err)
		return err;
	err = child_hear(&c, r, sizeof(*r), child_now_ms() + PATIENCE_MS);
	child_end(&c);
	return err;
}

struct all {
	const struct policy *policy;
	const struct list_text *texts;
};

static void count_work(int fd, void *arg)
{
	const struct all *all = arg;
	const struct list_source *sources;
	size_t n = policy_sources(all->policy, &sources), every = 0, others = 0;
	bool summed = policy_source_union(all->policy, all->texts, UINT64_MAX, &every) == 0;

	for (size_t i = 0; i < n; i++) {
		const struct list_text *t = &all->texts[i];
		struct judge_counts c = { 0 };
		size_t used = 0, skipped = 0, distinct = 0;

		if (summed && t->text && !policy_source_count(all->policy, i, t->text, t->len, &used, &skipped) &&
		    !policy_source_union(all->policy, all->texts, UINT64_C(1) << i, &distinct) &&
		    !policy_source_union(all->policy, all->texts, ~(UINT64_C(1) << i), &others))
			/* What is lost without this list is its alone. */
			c = (struct judge_counts) { used, skipped, distinct, distinct - (every - others), true };
		child_say(fd, &c, sizeof(c));
	}
}

int judge_all(const struct policy *policy, const struct list_text *texts, const struct child_user *user,
	      struct judge_counts counts[JUDGE_LISTS_MAX])
{
	struct all all = { policy, texts };
	const struct list_source *sources;
	size_t n = policy_sources(policy, &sources);
	struct child c;
	int err = child_start(&c, user, false, count_work, &all);

	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		err = child_hear(&c, &counts[i], sizeof(counts[i]), child_now_ms() + PATIENCE_MS);
	child_end(&c);
	return err;
}
