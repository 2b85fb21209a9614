/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the rights are dropped, in an order that the kernel allows and that fails closed: if one step does not succeed the child
 * ends without having looked at a byte. */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/process.h"

/* Beyond what the parent has already: 2,000,000 names, a TLS library, threads that resolve names. */
#define MEMORY_MAX ((rlim_t)1 << 30)
#define CPU_MAX_S 600
#define FILES_MAX 64
/* Where the pipe is in the child; nothing above it stays open. */
#define PIPE_FD 3

int child_user(const char *name, struct child_user *user)
{
	const struct passwd *pw;

	*user = (struct child_user) { .change = geteuid() == 0 };
	if (!user->change)
		return 0;
	pw = getpwnam(name);
	if (!pw || pw->pw_uid == 0 || pw->pw_gid == 0)
		return -ENOENT;
	user->uid = pw->pw_uid;
	user->gid = pw->pw_gid;
	return 0;
}

static void close_above(int last)
{
	if (syscall(SYS_close_range, (unsigned)last + 1, ~0u, 0u) == 0)
		return;
	/* Before Linux 5.9; no descriptor of ours is anywhere near. */
	for (int fd = last + 1; fd < 4096; fd++)
		close(fd);
}

static int keep_only(int fd)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return -errno;
	if (fd != PIPE_FD && dup2(fd, PIPE_FD) < 0)
		return -errno;
	for (int i = 0; i < PIPE_FD; i++)
		if (dup2(null, i) < 0)
			return -errno;
	close_above(PIPE_FD);
	return 0;
}

static int limit(int what, rlim_t to)
{
	struct rlimit l = { to, to };

	return setrlimit(what, &l) ? -errno : 0;
}

/* Bytes of address space in use; 0 where /proc is not there to ask. */
static rlim_t memory_now(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static int drop(const struct child_user *user, bool network)
{
	int err;

	/* A kernel may have been built without network namespaces; then the user alone must do. */
	if (user->change && !network && unshare(CLONE_NEWNET) && errno != EINVAL && errno != EPERM)
		return -errno;
	err = user->change ? process_become(user->uid, user->gid) : 0;
	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	if (limit(RLIMIT_CORE, 0) || limit(RLIMIT_FSIZE, 0) || limit(RLIMIT_NOFILE, FILES_MAX) || limit(RLIMIT_CPU, CPU_MAX_S) ||
	    limit(RLIMIT_AS, memory_now() + MEMORY_MAX))
		return -EPERM;
	return 0;
}

int child_start(struct child *c, const struct child_user *user, bool network, void (*work)(int fd, void *arg), void *arg)
{
	int fds[2];
	pid_t parent = getpid();

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	c->pid = fork();
	if (c->pid < 0) {
		int err = -errno;

		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (c->pid == 0) {
		/* The wish to die with the parent is lost with a change of user: it comes last, and then the parent must still be
		 * there. */
		if (setsid() < 0 || keep_only(fds[1]) || drop(user, network) || prctl(PR_SET_PDEATHSIG, SIGKILL) ||
		    getppid() != parent)
			_exit(1);
		work(PIPE_FD, arg);
		_exit(0);
	}
	close(fds[1]);
	c->fd = fds[0];
	return 0;
}

void child_say(int fd, const void *record, size_t len)
{
	const char *p = record;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		p += n;
		len -= (size_t)n;
	}
}

long long child_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int child_hear(const struct child *c, void *to, size_t len, long long until_ms)
{
	struct pollfd wait = { .fd = c->fd, .events = POLLIN };
	char *p = to;

	while (len) {
		long long left = until_ms - child_now_ms();
		ssize_t n;
		int ready = left > 0 ? poll(&wait, 1, left > 60000 ? 60000 : (int)left) : -1;

		if (left <= 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready <= 0)
			continue;
		n = read(c->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void child_end(struct child *c)
{
	if (c->pid <= 0)
		return;
	close(c->fd);
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL);		/* it may not have had its own group yet */
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
}
