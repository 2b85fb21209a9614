/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Its folder and socket are made while the rights for that are there, and go along with each process that works (beside.h). */
#include "daemon/reporter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/beside.h"
#include "daemon/control.h"
#include "daemon/log.h"
#include "daemon/process.h"
#include "daemon/reporting.h"
#include "policy/policy.h"

struct reporter {
	struct beside *process;
	int folder, listening;		/* -1: not there */
	char socket[sizeof(((struct settings *)0)->control) + 16];
};

static int open_folder(const char *state)
{
	struct process_user user;
	char path[4096 + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/" REPORTER_FOLDER, state);
	mkdir(path, 0750);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (process_user(&user) || (user.change && fchown(fd, user.uid, user.gid))) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

static void give(int fds[BESIDE_FDS_MAX], const void *arg)
{
	const struct reporter *r = arg;

	fds[0] = r->folder;
	fds[1] = r->listening;
}

static int work(int link, const int *fds, const void *arg)
{
	(void)arg;
	return reporting_run(link, fds[0], fds[1]);
}

int reporter_start(struct reporter **out, const struct policy *p, int listening)
{
	const struct settings *s = policy_settings(p);
	struct reporter *r = calloc(1, sizeof(*r));
	struct beside_job job = { .name = "mw-reporter", .open = give, .work = work, .arg = r, .executes = true };
	int err;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->folder = open_folder(s->state);
	if (r->folder < 0)
		log_warn(r->folder, "%s/" REPORTER_FOLDER ": incidents will not survive a restart", s->state);
	snprintf(r->socket, sizeof(r->socket), "%s" REPORTER_SOCKET, s->control);
	r->listening = listening >= 0 ? listening : control_listen(r->socket, CONTROL_NO_GROUP);
	if (r->listening < 0)
		log_warn(r->listening, "%s: the verb `incidents` will not be answered", r->socket);
	err = beside_start(&r->process, &job);
	if (err) {
		reporter_stop(r, listening >= 0);
		return err;
	}
	if (listening < 0)
		reporter_say_settings(r, p);
	*out = r;
	return 0;
}

static void leave_socket(struct reporter *r)
{
	if (r->listening < 0)
		return;
	unlink(r->socket);
	close(r->listening);
	r->listening = -1;
}

bool reporter_gone(struct reporter *r)
{
	if (!r || !beside_gone(r->process))
		return false;
	leave_socket(r);	/* else whoever asks there waits for an answer that nobody gives */
	return true;
}

int reporter_listening(const struct reporter *r)
{
	return r ? r->listening : -1;
}

void reporter_stop(struct reporter *r, bool keep_socket)
{
	if (!r)
		return;
	beside_stop(r->process);
	if (!keep_socket)
		leave_socket(r);
	else if (r->listening >= 0)
		close(r->listening);
	if (r->folder >= 0)
		close(r->folder);
	free(r);
}

int reporter_fd(const struct reporter *r)
{
	return r ? beside_fd(r->process) : -1;
}

int reporter_hear(struct reporter *r, const char **text)
{
	size_t len;

	return beside_hear(r->process, text, &len);
}

void reporter_say(struct reporter *r, enum reporter_message what, const void *bytes, size_t len)
{
	if (r)
		beside_say(r->process, (char)what, bytes, len);
}

void reporter_say_json(struct reporter *r, enum reporter_message what, json_t *j)
{
	char *text = r && j ? json_dumps(j, JSON_COMPACT) : NULL;

	if (text)
		reporter_say(r, what, text, strlen(text));
	free(text);
	json_decref(j);
}

void reporter_say_settings(struct reporter *r, const struct policy *p)
{
	struct reporter_settings *s = calloc(1, sizeof(*s));

	if (!s || !r) {
		free(s);
		return;
	}
	s->reporting = *policy_reporting(p);
	s->monitor = policy_settings(p)->mode == MODE_MONITOR;
	reporter_say(r, REPORTER_SETTINGS, s, sizeof(*s));
	free(s);
}

uint64_t reporter_lost(const struct reporter *r)
{
	return r ? beside_lost(r->process) : 0;
}
