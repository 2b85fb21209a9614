/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall lists update`: one list after the other is fetched and judged in children without rights; here, with the rights of
 * whoever started it, only numbers are compared and files replaced. What fails leaves the last good copy as it was. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/fetch.h"
#include "cli/folder.h"
#include "cli/judge.h"
#include "cli/list_meta.h"
#include "cli/lists.h"
#include "policy/file.h"
#include "policy/lists.h"

#define CA_BYTES_MAX (4u << 20)

/* How one list ended. */
enum ending { END_CHANGED, END_SAME, END_REFUSED, END_DENIED };

struct update {
	const struct lists_options *options;
	const struct policy *policy;
	const struct list_source *sources;
	const struct child_user *user;
	size_t n;
	unsigned tried, changed, failed, denied;
};

/* One list on its way. */
struct job {
	struct update *u;
	size_t i;
	const struct list_source *source;
	struct list_meta meta;
	bool known;			/* meta speaks of the copy that lies there */
	struct fetch_answer answer;
	char *text;
	size_t len;
	struct judge_result verdict;
	char why[FETCH_WHY_MAX];
};

#define REFUSE(j, ...) (snprintf((j)->why, sizeof((j)->why), __VA_ARGS__), END_REFUSED)

/* What would not fit into the memory of a small router when the daemon reads it is not fetched, either. */
static size_t size_max(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t quarter = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 4 : LIST_FILE_MAX;

	return quarter < LIST_FILE_MAX ? (size_t)quarter : LIST_FILE_MAX;
}

static enum ending fetch_one(struct job *j)
{
	const struct list_source *s = j->source;
	bool conditional = j->known && !j->u->options->force;
	struct fetch_request request = {
		.url = s->url, .signature_url = s->signature, .etag = conditional ? j->meta.etag : "",
		.last_modified = conditional ? j->meta.last_modified : "", .size_max = size_max(),
		.timeout_s = j->u->options->timeout_s,
	};
	char *ca = NULL;
	int err = s->ca ? file_read(s->ca, CA_BYTES_MAX, &ca, &request.ca_len) : 0;

	if (err)
		return REFUSE(j, "%.200s: %s", s->ca, strerror(-err));
	request.ca = ca;
	err = fetch_list(&request, j->u->user, &j->answer, &j->text, &j->len);
	free(ca);
	if (err)
		return REFUSE(j, "no process to fetch it: %s", strerror(-err));
	if (j->answer.what == FETCH_SAME)
		return END_SAME;
	return j->answer.what == FETCH_NEW ? END_CHANGED : REFUSE(j, "%s", j->answer.why);
}

/* The copies of the other lists, for the question whether all fit. Freed by free_texts. */
static void read_texts(const struct update *u, size_t except, struct list_text texts[JUDGE_LISTS_MAX])
{
	memset(texts, 0, sizeof(*texts) * JUDGE_LISTS_MAX);
	for (size_t i = 0; i < u->n; i++)
		if (i != except && file_read(u->sources[i].file, LIST_FILE_MAX, &texts[i].text, &texts[i].len))
			texts[i].text = NULL;
}

static void free_texts(struct list_text texts[JUDGE_LISTS_MAX], size_t except)
{
	for (size_t i = 0; i < JUDGE_LISTS_MAX; i++)
		if (i != except)
			free(texts[i].text);
}

static enum ending ask_judge(struct job *j)
{
	struct list_text texts[JUDGE_LISTS_MAX];
	struct judge_question q = { .policy = j->u->policy, .list = j->i, .texts = texts };
	int err;

	if (j->source->signature) {
		q.signature = j->answer.signature;
		q.signature_len = j->answer.signature_len;
	}
	read_texts(j->u, j->i, texts);
	texts[j->i] = (struct list_text) { j->text, j->len };
	err = judge(&q, j->u->user, &j->verdict);
	free_texts(texts, j->i);
	if (err)
		return REFUSE(j, "the process that reads it ended early: %s", strerror(-err));
	switch (j->verdict.judgement) {
	case JUDGE_GOOD:
		return END_CHANGED;
	case JUDGE_EMPTY:
		return REFUSE(j, "it is empty");
	case JUDGE_SIGNATURE:
		return REFUSE(j, "its signature %s", signature_text((enum signature)j->verdict.signature));
	case JUDGE_HTML:
		return REFUSE(j, "it is a web page, no list");
	case JUDGE_BINARY:
		return REFUSE(j, "it is binary, no text");
	case JUDGE_NOTHING:
		return REFUSE(j, "it has no usable entry (%llu skipped)", (unsigned long long)j->verdict.skipped);
	case JUDGE_TOO_MANY:
		return REFUSE(j, "the lists together would have over %u names", NAME_SET_MAX);
	case JUDGE_NO_MEMORY:
		break;
	}
	return REFUSE(j, "not enough memory to read it");
}

/* Usable entries of the copy that lies there, 0 if there is none that can be read. */
static uint64_t entries_before(struct job *j)
{
	struct list_text texts[JUDGE_LISTS_MAX] = { 0 };
	struct judge_question q = { .policy = j->u->policy, .list = j->i, .texts = texts };
	struct judge_result r = { 0 };

	if (j->known && j->meta.entries)
		return j->meta.entries;
	if (file_read(j->source->file, LIST_FILE_MAX, &texts[j->i].text, &texts[j->i].len))
		return 0;
	if (judge(&q, j->u->user, &r))
		r.used = 0;
	free(texts[j->i].text);
	return r.used;
}

/* Is it a likely successor of the copy that lies there? */
static enum ending compare(struct job *j)
{
	const struct list_source *s = j->source;
	bool same_key = s->public_key && !strcmp(j->meta.public_key, s->public_key);
	uint64_t before, now = j->verdict.used;

	/* An old list with its right signature is how names are brought to be forgotten; not even --force takes it. */
	if (same_key && j->verdict.signed_at && j->verdict.signed_at < j->meta.signed_at)
		return REFUSE(j, "its signature is older than that of the copy here");
	if (j->u->options->force)
		return END_CHANGED;
	if (now < s->min_entries)
		return REFUSE(j, "it has %llu usable entries, min_entries is %u (`--force` takes it)", (unsigned long long)now,
			      s->min_entries);
	before = entries_before(j);
	if (now < before && (before - now) * 100 > before * s->max_shrink)
		return REFUSE(j, "it has shrunk from %llu usable entries to %llu, max_shrink is %u%% (`--force` takes it)",
			      (unsigned long long)before, (unsigned long long)now, s->max_shrink);
	return END_CHANGED;
}

static bool is_copy(const struct job *j)
{
	char *text = NULL;
	size_t len = 0;
	bool same = file_read(j->source->file, LIST_FILE_MAX, &text, &len) == 0 && len == j->len && !memcmp(text, j->text, len);

	free(text);
	return same;
}

/* Root writes where the daemon's user may have put links. */
static const char *reason(int err)
{
	return err == -ELOOP ? "a link on the way there is not root's: remove it" : strerror(-err);
}

/* The server stands by the copy that lies there. */
static enum ending confirm(struct job *j)
{
	int err = list_touch(j->source->file);

	if (err == 0)
		return END_SAME;
	snprintf(j->why, sizeof(j->why), "%.200s: %s", j->source->file, reason(err));
	return END_DENIED;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum ending keep(struct job *j)
{
	struct list_meta *m = &j->meta;
	bool same = is_copy(j);
	int err;

	if (same && confirm(j) == END_DENIED)
		return END_DENIED;
	if (!same) {
		err = list_replace(j->source->file, j->text, j->len);
		if (err) {
			snprintf(j->why, sizeof(j->why), "%.200s cannot be written: %s", j->source->file, reason(err));
			return END_DENIED;
		}
		m->changed_ms = now_ms();
	}
	snprintf(m->url, sizeof(m->url), "%s", j->source->url);
	snprintf(m->public_key, sizeof(m->public_key), "%s", j->source->public_key ? j->source->public_key : "");
	memcpy(m->etag, j->answer.etag, sizeof(m->etag));
	memcpy(m->last_modified, j->answer.last_modified, sizeof(m->last_modified));
	m->entries = j->verdict.used;
	m->skipped = j->verdict.skipped;
	m->signed_at = j->verdict.signed_at;
	return same ? END_SAME : END_CHANGED;
}

static enum ending run_job(struct job *j)
{
	enum ending end = fetch_one(j);

	if (end == END_SAME)
		return confirm(j);
	if (end == END_CHANGED)
		end = ask_judge(j);
	if (end == END_CHANGED)
		end = compare(j);
	return end == END_CHANGED ? keep(j) : end;
}

static void say(const struct job *j, enum ending end)
{
	const char *name = j->source->name;
	bool copy = access(j->source->file, F_OK) == 0;
	char when[32], why[CLI_SAFE_MAX];

	switch (end) {
	case END_CHANGED:
		printf("%s: %llu entries used, %llu skipped\n", name, (unsigned long long)j->verdict.used,
		       (unsigned long long)j->verdict.skipped);
		return;
	case END_SAME:
		printf("%s: unchanged\n", name);
		return;
	case END_REFUSED:
	case END_DENIED:
		lists_time(when, sizeof(when), list_confirmed(j->source->file));
		fprintf(stderr, "minewall lists: %s: %s; %s%s%s\n", name, cli_safe(why, j->why), copy ? "the copy of " : "there is no copy of it yet",
			copy ? when : "", copy ? " stays" : "");
	}
}

/* What is remembered of this try; losing it costs a whole fetch next time. */
static void remember(struct job *j, enum ending end)
{
	struct list_meta *m = &j->meta;
	bool good = end == END_CHANGED || end == END_SAME;

	m->tried = (int64_t)time(NULL);
	m->failures = good ? 0 : m->failures + 1;
	snprintf(m->result, sizeof(m->result), "%s", end == END_CHANGED ? "updated" : end == END_SAME ? "unchanged" : j->why);
	if (good)
		list_meta_take(m, j->source->file);
	if (list_meta_write(m, j->source->file) && good)
		fprintf(stderr, "minewall lists: %s: %s.meta cannot be written; it is fetched whole next time\n", j->source->name,
			j->source->file);
}

static void update_one(struct update *u, size_t i)
{
	struct job *j = calloc(1, sizeof(*j));
	enum ending end;

	if (!j) {
		fprintf(stderr, "minewall lists: not enough memory\n");
		u->failed++;
		return;
	}
	j->u = u;
	j->i = i;
	j->source = &u->sources[i];
	list_meta_read(&j->meta, j->source->file);
	j->known = list_meta_holds(&j->meta, j->source);
	if (u->options->due && list_due(j->source, &j->meta) > (int64_t)time(NULL))
		goto out;
	u->tried++;
	if (!strncmp(j->source->url, "http://", 7) && !j->source->public_key)
		fprintf(stderr, "minewall lists: %s: its url is http, so anybody on the way can change it; use https or a "
			"public_key\n", j->source->name);
	end = run_job(j);
	say(j, end);
	remember(j, end);
	u->changed += end == END_CHANGED;
	u->failed += end == END_REFUSED || end == END_DENIED;
	u->denied += end == END_DENIED;
out:
	free(j->text);
	free(j);
}

static bool wanted(const struct update *u, size_t i)
{
	if (u->options->n_names == 0)
		return u->sources[i].url;
	for (int k = 0; k < u->options->n_names; k++)
		if (!strcmp(u->options->names[k], u->sources[i].name))
			return true;
	return false;
}

/* Every name must be that of a list that can be fetched. */
static int check_names(const struct update *u)
{
	for (int k = 0; k < u->options->n_names; k++) {
		const struct list_source *found = NULL;

		for (size_t i = 0; i < u->n; i++)
			if (!strcmp(u->options->names[k], u->sources[i].name))
				found = &u->sources[i];
		if (found && found->url)
			continue;
		fprintf(stderr, "minewall lists: %s '%s'%s\n", found ? "list" : "there is no list", u->options->names[k],
			found ? " has no url; its file is yours to keep" : " in the policy");
		return EXIT_USAGE;
	}
	return -1;
}

static void wait_by_chance(unsigned most_s)
{
	uint32_t chance = 0;
	struct timespec t = { 0 };

	if (!most_s || getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return;
	t.tv_sec = chance % most_s;
	t.tv_nsec = (long)(chance / most_s % 1000) * 1000000;
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* One update at a time. The lock's descriptor, or -1 with the exit code and its line said. */
static int take_lock(const struct policy *p, int *code)
{
	char path[PATH_MAX + 32];
	const char *name;
	int folder, fd, err;

	snprintf(path, sizeof(path), "%s/lists.lock", policy_settings(p)->state);
	folder = folder_of(path, true, &name);
	fd = folder < 0 ? -1 : openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	err = folder < 0 ? folder : fd < 0 ? -errno : 0;
	if (folder >= 0)
		close(folder);
	*code = EXIT_SYSTEM;
	if (err) {
		fprintf(stderr, "minewall lists: %s: %s%s\n", path, reason(err), err == -EACCES ? "; try as root" : "");
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	*code = errno == EWOULDBLOCK ? EXIT_NO : EXIT_SYSTEM;
	fprintf(stderr, "minewall lists: %s\n", errno == EWOULDBLOCK ? "another update is running" : strerror(errno));
	close(fd);
	return -1;
}

/* The running daemon reads them, and them alone: a policy that somebody is about to edit or has on trial is not made to hold by a
 * timer. False: there is a daemon, and it did not. */
static bool tell_daemon(const struct policy *p)
{
	const char *error;
	json_t *reply = NULL;
	int err = lists_ask(p, json_pack("{s:s, s:b}", "verb", "reload", "lists", true), &reply);
	bool taken = err == 0 && json_is_true(json_object_get(reply, "ok"));

	if (err == -ECONNREFUSED) {
		json_decref(reply);
		return true;	/* its next start reads them */
	}
	if (taken) {
		printf("the daemon has taken them: %lld names\n", (long long)json_integer_value(json_object_get(reply, "names")));
	} else {
		error = err ? strerror(-err) : json_string_value(json_object_get(reply, "error"));
		fprintf(stderr, "minewall lists: the daemon did not take them: %s\n", error ? error : "it gave no reason");
	}
	json_decref(reply);
	return taken;
}

/* Has the running daemon an older copy of one than what lies there? From this update, or because it refused at an earlier one. */
static bool daemon_is_behind(const struct update *u)
{
	json_t *reply = NULL;
	bool running = lists_ask(u->policy, json_pack("{s:s}", "verb", "lists"), &reply) == 0;
	json_int_t read_at_ms = json_integer_value(json_object_get(reply, "read_at_ms"));
	bool behind = u->changed > 0;

	for (size_t i = 0; i < u->n && running && read_at_ms; i++) {
		struct list_meta m;

		if (!u->sources[i].url)
			continue;
		list_meta_read(&m, u->sources[i].file);
		behind |= m.changed_ms > read_at_ms;
	}
	json_decref(reply);
	return behind;
}

static int finish(const struct update *u)
{
	bool told = !daemon_is_behind(u) || tell_daemon(u->policy);

	if (u->denied && u->denied == u->tried)
		return EXIT_SYSTEM;
	if (u->failed)
		return u->failed == u->tried ? EXIT_NO : EXIT_PARTLY;
	return told ? EXIT_DONE : EXIT_PARTLY;
}

int lists_update(const struct lists_options *o, const struct policy *p, const struct child_user *user)
{
	struct update u = { .options = o, .policy = p, .user = user };
	const char *why;
	size_t n = 0;
	int lock, code;

	u.n = policy_sources(p, &u.sources);
	code = check_names(&u);
	if (code >= 0)
		return code;
	for (size_t i = 0; i < u.n; i++)
		n += wanted(&u, i);
	if (n == 0) {
		puts("no list of the policy has a url: there is nothing to fetch");
		return EXIT_DONE;
	}
	why = fetch_open();
	if (why) {
		fprintf(stderr, "minewall lists: %s; copy the lists by other means and `minewall reload`\n", why);
		return EXIT_SYSTEM;
	}
	wait_by_chance(o->jitter_s);
	lock = take_lock(p, &code);
	if (lock < 0)
		return code;
	fflush(stdout);
	for (size_t i = 0; i < u.n; i++)
		if (wanted(&u, i))
			update_one(&u, i);
	code = finish(&u);
	close(lock);
	return code;
}
