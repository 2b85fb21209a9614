/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The incidents for readers that show devices: asked of the reporter, else read from its file, which outlives it. Whatever is
 * wrong with both is told to the caller, who goes on without them; nothing is printed here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/event_line.h"
#include "cli/incidents.h"
#include "daemon/control.h"
#include "daemon/escape.h"
#include "daemon/incident.h"
#include "daemon/reporter.h"
#include "policy/reporting.h"

/* Above the largest book, 16384 of some 8 KB: the file is of a process without rights, and the reader may be root. */
#define FILE_MAX (256LL << 20)

static int ask(struct incidents_read *to, const char *control)
{
	char path[sizeof(((struct settings *)0)->control) + 16];
	json_t *reply = NULL;
	int err;

	snprintf(path, sizeof(path), "%s" REPORTER_SOCKET, control);
	err = control_ask(path, json_pack("{s:s}", "verb", "list"), &reply);
	if (!err && json_is_array(json_object_get(reply, "incidents")))
		to->list = json_incref(json_object_get(reply, "incidents"));
	to->hangs = err == -EAGAIN || err == -ETIMEDOUT;
	json_decref(reply);
	return err;
}

/* As the reporter would read it: what is broken in it is left out. */
static json_t *list_of(const json_t *root, const struct reporting *r)
{
	struct incident_book book;
	json_t *list = json_array(), *one;
	size_t i;

	incident_book_init(&book, json_array_size(json_object_get(root, "incidents")) + 1);
	json_array_foreach(json_object_get(root, "incidents"), i, one)
		incident_load(&book, one);
	for (i = 0; i < book.n; i++)
		json_array_append_new(list, incident_whole(&book, book.items[i], r->cpu_threshold, r->cpu_polls));
	incident_book_fini(&book);
	if (list)
		escape_json(list);
	return list;
}

static int read_file(struct incidents_read *to, const char *path, const struct reporting *r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), err = 0;
	json_t *root = NULL;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		err = -EINVAL;
	else
		root = json_loadfd(fd, 0, NULL);
	close(fd);
	if (!err && !json_is_array(json_object_get(root, "incidents")))
		err = -EINVAL;
	if (!err)
		to->list = list_of(root, r);
	json_decref(root);
	to->from_file = to->list != NULL;
	return err;
}

void incidents_read(struct incidents_read *to, const struct policy *p)
{
	const struct settings *s = policy_settings(p);
	char path[sizeof(s->state) + 64];
	int asked, err;

	memset(to, 0, sizeof(*to));
	asked = ask(to, s->control);
	if (to->list)
		return;
	snprintf(path, sizeof(path), "%s/" REPORTER_FOLDER "/incidents.json", s->state);
	err = read_file(to, path, policy_reporting(p));
	if (err == -ENOENT && asked == -ECONNREFUSED)
		snprintf(to->why, sizeof(to->why), "no reporter runs, and none has written an incident yet");
	else if (err == -EACCES || asked == -EACCES)
		snprintf(to->why, sizeof(to->why), "they may be read by root alone");
	else if (err)
		snprintf(to->why, sizeof(to->why), "the reporter does not answer, and its file cannot be read: %s",
			 err == -EINVAL ? "it is broken" : strerror(-err));
}

void incidents_read_fini(struct incidents_read *r)
{
	json_decref(r->list);
	r->list = NULL;
}

static bool has_address(const json_t *incident, const char *const *addresses, size_t n)
{
	json_t *one;
	size_t k;

	json_array_foreach(json_object_get(incident, "addresses"), k, one)
		for (size_t i = 0; i < n && json_is_string(one); i++)
			if (!strcmp(json_string_value(one), addresses[i]))
				return true;
	return false;
}

const json_t *incidents_of(const json_t *list, const char *mac, const char *const *addresses, size_t n)
{
	const json_t *found = NULL;
	bool by_mac = false;
	json_t *one;
	size_t k;

	json_array_foreach(list, k, one) {
		const char *its = event_text(one, NULL, "mac");
		bool same_mac = *mac && !strcmp(its, mac);

		if (!same_mac && (by_mac || (*mac && *its) || !has_address(one, addresses, n)))
			continue;
		if (found && by_mac == same_mac &&
		    json_integer_value(json_object_get(one, "last_s")) < json_integer_value(json_object_get(found, "last_s")))
			continue;
		found = one;
		by_mac = same_mac;
	}
	return found;
}

const char *incidents_when(char to[INCIDENTS_WHEN_MAX], json_int_t s)
{
	time_t t = (time_t)s;
	struct tm tm = { 0 };

	localtime_r(&t, &tm);
	strftime(to, INCIDENTS_WHEN_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	return to;
}

const char *incidents_load(char to[INCIDENTS_LOAD_MAX], const json_t *i)
{
	const json_t *load = json_object_get(i, "load");
	const char *verdict = event_text(load, NULL, "verdict");
	long long before = (long long)json_integer_value(json_object_get(load, "before"));
	long long after = (long long)json_integer_value(json_object_get(load, "after"));
	char at[INCIDENTS_WHEN_MAX];
	int n;

	*to = '\0';
	if (!load)
		return to;
	n = snprintf(to, INCIDENTS_LOAD_MAX, "blocked at %s, ", incidents_when(at, json_integer_value(json_object_get(i, "since_s"))));
	to += n;
	if (!strcmp(verdict, "confirmed"))
		snprintf(to, INCIDENTS_LOAD_MAX - (size_t)n, "it fell from %lld %% to %lld %%: confirmed", before, after);
	else if (!strcmp(verdict, "still_busy"))
		snprintf(to, INCIDENTS_LOAD_MAX - (size_t)n, "still %lld %%: it mines another way, or is busy with something else", after);
	else if (!strcmp(verdict, "never_busy"))
		snprintf(to, INCIDENTS_LOAD_MAX - (size_t)n, "it was %lld %% before and is %lld %% now: not confirmed", before, after);
	else if (json_object_get(load, "after"))
		snprintf(to, INCIDENTS_LOAD_MAX - (size_t)n, "it is %lld %% now: nothing is certain yet", after);
	else
		snprintf(to, INCIDENTS_LOAD_MAX - (size_t)n, "it was %lld %% before: nothing is certain yet", before);
	return to - n;
}
