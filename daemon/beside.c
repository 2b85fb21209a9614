/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one that waits never reads a foreign byte, so it is there to make a new worker whatever became of the last, with what was opened
 * before the daemon gave up its own rights. */
#include "daemon/beside.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/process.h"

#define LINK_BUFFER (1 << 20)
/* Between the end of a worker and the next one. */
#define PAUSE_S 1
#define END_PATIENCE_MS 2000

struct waiting {
	struct waiting *next;
	size_t len;
	char bytes[];		/* the first is what it is */
};

struct beside {
	int ours, theirs;		/* the two ends of the link */
	struct process_user user;
	pid_t child;
	uint64_t lost;
	struct waiting *first, *last;
	size_t waiting, waiting_max;	/* bytes */
	char heard[BESIDE_BYTES_MAX + 1];
};

/* Until the daemon is gone (0), or it dies. */
static int work(int link, const int *fds, const struct beside_job *job)
{
	pid_t parent = getpid(), pid = fork();
	int status = 1;

	if (pid == 0) {
		/* asked to end, not killed: it may have something to write */
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent)
			_exit(1);
		_exit(job->work(link, fds, job->arg));
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void supervise(struct beside *b, const struct beside_job *job, pid_t parent)
{
	int all[1 + BESIDE_FDS_MAX];

	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (size_t i = 1; i < sizeof(all) / sizeof(all[0]); i++)
		all[i] = -1;
	all[0] = b->theirs;
	if (job->open)
		job->open(all + 1, job->arg);
	if (process_keep(all, sizeof(all) / sizeof(all[0])) || process_drop(&b->user) ||
	    (!job->executes && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) || prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	process_name(job->name);
	while (work(all[0], all + 1, job))
		nanosleep(&(struct timespec) { .tv_sec = PAUSE_S }, NULL);
	_exit(0);
}

int beside_start(struct beside **out, const struct beside_job *job)
{
	struct beside *b = calloc(1, sizeof(*b));
	int err = b ? process_user(&b->user) : -ENOMEM, fds[2], size = LINK_BUFFER;
	pid_t parent = getpid();

	*out = NULL;
	if (!err && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		err = -errno;
	if (err) {
		free(b);
		return err;
	}
	b->ours = fds[0];
	b->theirs = fds[1];
	b->waiting_max = job->waiting_max;
	for (int i = 0; i < 2; i++)
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
			setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	b->child = fork();
	if (b->child == 0)
		supervise(b, job, parent);
	if (b->child < 0) {
		err = -errno;
		beside_stop(b);
		return err;
	}
	*out = b;
	return 0;
}

bool beside_gone(struct beside *b)
{
	if (!b || b->child <= 0 || waitpid(b->child, NULL, WNOHANG) == 0)
		return false;
	b->child = -1;
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

void beside_stop(struct beside *b)
{
	if (!b)
		return;
	beside_drop(b);
	close(b->ours);		/* the end of the link */
	close(b->theirs);
	if (b->child > 0)
		end_child(b->child);
	free(b);
}

int beside_fd(const struct beside *b)
{
	return b ? b->ours : -1;
}

int beside_hear(struct beside *b, const char **bytes, size_t *len)
{
	ssize_t n = b ? recv(b->ours, b->heard, BESIDE_BYTES_MAX, MSG_DONTWAIT) : 0;

	if (n <= 0)
		return 0;
	b->heard[n] = '\0';
	*bytes = b->heard + 1;
	*len = (size_t)n - 1;
	return b->heard[0];
}

static bool put_behind(struct beside *b, char what, const void *bytes, size_t len)
{
	struct waiting *w = b->waiting + len < b->waiting_max ? malloc(sizeof(*w) + len + 1) : NULL;

	if (!w)
		return false;
	w->next = NULL;
	w->len = len + 1;
	w->bytes[0] = what;
	if (len)
		memcpy(w->bytes + 1, bytes, len);
	*(b->last ? &b->last->next : &b->first) = w;
	b->last = w;
	b->waiting += sizeof(*w) + w->len;
	return true;
}

static void drop_first(struct beside *b)
{
	struct waiting *w = b->first;

	b->first = w->next;
	if (!b->first)
		b->last = NULL;
	b->waiting -= sizeof(*w) + w->len;
	free(w);
}

bool beside_say(struct beside *b, char what, const void *bytes, size_t len)
{
	struct iovec parts[] = { { &what, 1 }, { (void *)bytes, len } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (!b)
		return true;
	beside_flush(b);
	if (len < BESIDE_BYTES_MAX && !b->first && sendmsg(b->ours, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (len < BESIDE_BYTES_MAX && put_behind(b, what, bytes, len))
		return true;
	b->lost++;
	return false;
}

bool beside_waits(const struct beside *b)
{
	return b && b->first;
}

void beside_flush(struct beside *b)
{
	while (b && b->first && send(b->ours, b->first->bytes, b->first->len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		drop_first(b);
}

void beside_drop(struct beside *b)
{
	while (b && b->first)
		drop_first(b);
}

uint64_t beside_lost(const struct beside *b)
{
	return b ? b->lost : 0;
}
