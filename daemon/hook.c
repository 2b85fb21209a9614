/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No shell between: the policy's words are the arguments, and what an attacker wrote is on standard input only. The text fits
 * into the pipe at once, so that nobody waits for a command that does not read it. */
#include "daemon/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A pipe of Linux holds this much. */
#define PIPE_BYTES 65536

void hook_tell(struct alert_hook *h, char *text)
{
	if (!text || h->n == HOOK_QUEUE || strlen(text) >= PIPE_BYTES) {
		h->dropped++;
		free(text);
		return;
	}
	h->waiting[h->n++] = text;
}

static void fail(struct alert_hook *h, const char *what, int number)
{
	h->failures++;
	snprintf(h->last_error, sizeof(h->last_error), what, number);
}

static void become(const struct reporting *r, int in, pid_t parent)
{
	static char *const environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	char *argv[REPORTING_ARGS_MAX + 1] = { NULL };
	struct rlimit none = { 0, 0 };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	sigset_t set;

	for (unsigned i = 0; i < r->n_hook; i++)
		argv[i] = (char *)r->hook[i];
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent || null < 0 || dup2(in, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		_exit(126);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	setrlimit(RLIMIT_CORE, &none);
	execve(argv[0], argv, environment);
	_exit(127);
}

/* The text is in the pipe before there is anybody who might not read it: what a command ignores is its own affair. */
static void start(struct alert_hook *h, const struct reporting *r, const char *text, int64_t now_ms)
{
	pid_t parent = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK)) {
		fail(h, "no pipe (%d)", errno);
		return;
	}
	h->runs++;
	if (write(fds[1], text, strlen(text)) != (ssize_t)strlen(text)) {
		fail(h, "the incident did not fit into its pipe (%d)", errno);
	} else {
		fcntl(fds[0], F_SETFL, 0);
		h->pid = fork();
		if (h->pid == 0)
			become(r, fds[0], parent);
		if (h->pid < 0) {
			h->pid = 0;
			fail(h, "it could not be started (%d)", errno);
		}
		h->until_ms = now_ms + (int64_t)r->alert_timeout_s * 1000;
	}
	close(fds[0]);
	close(fds[1]);
}

/* True: it ended. */
static bool reap(struct alert_hook *h)
{
	int status;

	if (waitpid(h->pid, &status, WNOHANG) != h->pid)
		return false;
	kill(-h->pid, SIGKILL);		/* whatever it left behind */
	h->pid = 0;
	if (WIFSIGNALED(status) && !*h->last_error)
		fail(h, "it was ended by signal %d", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		fail(h, "it cannot be executed, or ended with %d", 127);
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		fail(h, "it ended with %d", WEXITSTATUS(status));
	return true;
}

bool hook_tick(struct alert_hook *h, const struct reporting *r, int64_t now_ms)
{
	bool changed = false;
	char *text;

	if (h->pid && now_ms >= h->until_ms && h->until_ms) {
		fail(h, "it took longer than alert.timeout, %d s", (int)r->alert_timeout_s);
		kill(-h->pid, SIGKILL);
		kill(h->pid, SIGKILL);
		h->until_ms = 0;
		changed = true;
	}
	if (h->pid)
		changed |= reap(h);
	if (h->pid || !h->n)
		return changed;
	text = h->waiting[0];
	memmove(&h->waiting[0], &h->waiting[1], --h->n * sizeof(h->waiting[0]));
	h->last_error[0] = '\0';
	if (r->n_hook)
		start(h, r, text, now_ms);
	free(text);
	return true;
}

int hook_due_ms(const struct alert_hook *h, int64_t now_ms)
{
	if (!h->pid)
		return h->n ? 0 : -1;
	if (!h->until_ms)
		return 20;
	return h->until_ms > now_ms ? (int)(h->until_ms - now_ms) : 0;
}

void hook_fini(struct alert_hook *h)
{
	if (h->pid) {
		kill(-h->pid, SIGKILL);
		waitpid(h->pid, NULL, 0);
	}
	for (unsigned i = 0; i < h->n; i++)
		free(h->waiting[i]);
	h->n = 0;
}
