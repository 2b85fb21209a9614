/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two processes: one that only waits, and one that works and may be made again by the first. So a reporter that ends after the
 * daemon gave up its own rights comes back with what it had, the right to execute the hook among it. */
#include "daemon/reporter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/log.h"
#include "daemon/process.h"
#include "daemon/reporting.h"
#include "policy/policy.h"

#define LINK_BUFFER (1 << 20)
/* Between the end of a working process and the next one. */
#define PAUSE_S 1
/* For writing its file at the end. */
#define END_PATIENCE_MS 2000

struct reporter {
	int ours, theirs;		/* the two ends of the link */
	int folder, listening;		/* -1: not there */
	char socket[sizeof(((struct settings *)0)->control) + 16];
	struct process_user user;
	pid_t child;
	uint64_t lost;
	char heard[REPORTER_BYTES_MAX + 1];
};

static int open_folder(const struct reporter *r, const char *state)
{
	char path[4096 + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/" REPORTER_FOLDER, state);
	mkdir(path, 0750);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (r->user.change && fchown(fd, r->user.uid, r->user.gid)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* Works until the daemon is gone (0), or dies. */
static int work(struct reporter *r)
{
	pid_t parent = getpid(), pid = fork();
	int status = 1;

	if (pid == 0) {
		/* Asked to end, not killed: what it knows is to be written. */
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent)
			_exit(1);
		_exit(reporting_run(r->theirs, r->folder, r->listening));
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void supervise(struct reporter *r, pid_t parent)
{
	int fds[] = { r->theirs, r->folder, r->listening };

	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (process_keep(fds, 3) || process_drop(&r->user) || prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	r->theirs = fds[0];
	r->folder = fds[1];
	r->listening = fds[2];
	process_name("mw-reporter");
	while (work(r))
		nanosleep(&(struct timespec) { .tv_sec = PAUSE_S }, NULL);
	_exit(0);
}

static int spawn(struct reporter *r)
{
	pid_t parent = getpid();

	r->child = fork();
	if (r->child < 0)
		return -errno;
	if (r->child == 0)
		supervise(r, parent);
	return 0;
}

static int open_link(struct reporter *r)
{
	int fds[2], size = LINK_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	r->ours = fds[0];
	r->theirs = fds[1];
	if (setsockopt(r->ours, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(r->ours, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

int reporter_start(struct reporter **out, const struct policy *p, int listening)
{
	const struct settings *s = policy_settings(p);
	struct reporter *r = calloc(1, sizeof(*r));
	int err = r ? process_user(&r->user) : -ENOMEM;

	*out = NULL;
	if (r)
		r->ours = r->theirs = r->folder = r->listening = -1;
	if (!err)
		err = open_link(r);
	if (err)
		goto out;
	r->folder = open_folder(r, s->state);
	if (r->folder < 0)
		log_warn(r->folder, "%s/" REPORTER_FOLDER ": incidents will not survive a restart", s->state);
	snprintf(r->socket, sizeof(r->socket), "%s" REPORTER_SOCKET, s->control);
	r->listening = listening >= 0 ? listening : control_listen(r->socket, CONTROL_NO_GROUP);
	if (r->listening < 0)
		log_warn(r->listening, "%s: the verb `incidents` will not be answered", r->socket);
	err = spawn(r);
	if (err)
		goto out;
	if (listening < 0)
		reporter_say_settings(r, p);
	*out = r;
	return 0;
out:
	reporter_stop(r, listening >= 0);
	return err;
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
	if (!r || r->child <= 0 || waitpid(r->child, NULL, WNOHANG) == 0)
		return false;
	r->child = -1;
	leave_socket(r);	/* else whoever asks there waits for an answer that nobody gives */
	return true;
}

static void end_child(pid_t child)
{
	for (int ms = 0; ms < END_PATIENCE_MS; ms += 10) {
		if (waitpid(child, NULL, WNOHANG) != 0)
			return;
		nanosleep(&(struct timespec) { .tv_nsec = 10 * 1000000 }, NULL);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int reporter_listening(const struct reporter *r)
{
	return r ? r->listening : -1;
}

void reporter_stop(struct reporter *r, bool keep_socket)
{
	if (!r)
		return;
	if (r->ours >= 0)
		close(r->ours);		/* the reporter's end of the file */
	if (r->theirs >= 0)
		close(r->theirs);
	if (r->child > 0)
		end_child(r->child);
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
	return r ? r->ours : -1;
}

int reporter_hear(struct reporter *r, const char **text)
{
	ssize_t n = recv(r->ours, r->heard, REPORTER_BYTES_MAX, MSG_DONTWAIT);

	if (n <= 0)
		return 0;
	r->heard[n] = '\0';
	*text = r->heard + 1;
	return r->heard[0];
}

void reporter_say(struct reporter *r, enum reporter_message what, const void *bytes, size_t len)
{
	char tag = (char)what;
	struct iovec parts[] = { { &tag, 1 }, { (void *)bytes, len } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (r && (len >= REPORTER_BYTES_MAX || sendmsg(r->ours, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0))
		r->lost++;
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
	return r ? r->lost : 0;
}
