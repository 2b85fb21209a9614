/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall doctor --self-test`: the real daemon with a policy of its own, a client and a pool in network namespaces that have no
 * way out. Nothing of it touches the machine's own network, table or files. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/playground.h"
#include "daemon/control.h"

#define POOL_PORT 14433
#define OTHER_PORT 8080
/* A start takes milliseconds; a busy router needs its time. */
#define PATIENCE_MS 10000

/* What a miner says first, to nobody. */
static const char login[] =
	"{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"self-test\",\"pass\":\"x\",\"agent\":\"minewall-self-test/1\"}}\n";
static const char ordinary[] = "GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n";

enum step { STEP_NAMESPACE, STEP_DAEMON, STEP_ORDINARY, STEP_LOGIN, STEP_SILENT, STEP_AGAIN, STEP_LOG, STEPS };

struct result {
	int done;		/* steps that held, from the first on */
	int error;		/* errno of the one that did not; 0: the kernel or the daemon did otherwise */
	double reset_ms;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, PLAYGROUND_SERVER, &a.sin_addr);
	if (fd >= 0 && (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool write_policy(const char *folder, char *path, size_t size)
{
	FILE *f;

	snprintf(path, size, "%s/policy.yaml", folder);
	f = fopen(path, "we");
	if (!f)
		return false;
	fprintf(f, "version: 1\nmode: enforce\nhook: forward\ninterfaces: {out: [" PLAYGROUND_OUT "]}\n"
		"queues: {count: 1}\ncontrol: %s/run/control.sock\nlog: {file: %s/log/eve.json}\nstate: %s/state\n", folder, folder, folder);
	return fclose(f) == 0;
}

static pid_t start_daemon(const char *policy)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		_exit((int)daemon_run(policy));
	}
	return pid;
}

static bool await_daemon(const char *folder)
{
	char path[128];
	double until = now_ms() + PATIENCE_MS;

	snprintf(path, sizeof(path), "%s/run/control.sock", folder);
	while (now_ms() < until) {
		json_t *reply = NULL;

		if (control_ask(path, json_pack("{s:s}", "verb", "status"), &reply) == 0) {
			bool ok = json_is_true(json_object_get(reply, "ok"));

			json_decref(reply);
			if (ok)
				return true;
		}
		usleep(20000);
	}
	return false;
}

/* The client connects, says it, and waits for what becomes of it: 0 if the connection lived on for `wait_ms`, else its errno. */
static int say(const struct playground *p, uint16_t port, const char *text, int wait_ms)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = playground_enter(p, PLACE_CLIENT) ? -1 : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char c;

	inet_pton(AF_INET, PLAYGROUND_SERVER, &a.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) || send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		err = errno;
	else if (poll(&ready, 1, wait_ms) > 0 && recv(fd, &c, 1, MSG_DONTWAIT) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* Bytes that arrived at this listening socket, over all its connections. */
static ssize_t received(int listener)
{
	ssize_t all = 0, n;
	char buf[512];
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			all += n;
		close(fd);
	}
	return all;
}

static bool logged(const char *folder)
{
	char path[128], line[8192];
	double until = now_ms() + 2000;
	bool found = false;

	snprintf(path, sizeof(path), "%s/log/eve.json", folder);
	while (!found && now_ms() < until) {
		FILE *f = fopen(path, "re");

		while (f && !found && fgets(line, sizeof(line), f))
			found = strstr(line, PLAYGROUND_SERVER) && strstr(line, "\"blocked\"");
		if (f)
			fclose(f);
		if (!found)
			usleep(50000);
	}
	return found;
}

/* The steps in their order; stops at the first that does not hold. */
static void walk(const char *folder, const struct playground *p, int pool, int other, struct result *r)
{
	double begin;

	if (!await_daemon(folder))
		return;
	r->done++;
	r->error = say(p, OTHER_PORT, ordinary, 200);
	if (r->error || received(other) != (ssize_t)strlen(ordinary))
		return;
	r->done++;
	begin = now_ms();
	r->error = say(p, POOL_PORT, login, 3000);
	r->reset_ms = now_ms() - begin;
	if (r->error != ECONNRESET)
		return;
	r->error = 0;
	r->done++;
	if (received(pool) != 0)
		return;
	r->done++;
	r->error = say(p, POOL_PORT, login, 200);
	if (r->error != ECONNREFUSED && r->error != ECONNRESET)
		return;
	r->error = 0;
	r->done++;
	r->done += logged(folder);
}

/* In a child, so that its namespaces end with it. */
static void run_child(const char *folder, int fd)
{
	struct result r = { 0 };
	struct playground p;
	char policy[128];
	int pool = -1, other = -1;
	pid_t daemon = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r.error = -playground_make(&p);
	if (!r.error)
		r.error = -playground_enter(&p, PLACE_SERVER);
	if (!r.error && ((pool = listen_at(POOL_PORT)) < 0 || (other = listen_at(OTHER_PORT)) < 0 ||
			 playground_enter(&p, PLACE_GATEWAY) || !write_policy(folder, policy, sizeof(policy)) ||
			 (daemon = start_daemon(policy)) < 0))
		r.error = errno;
	if (daemon > 0) {
		r.done = STEP_NAMESPACE + 1;
		walk(folder, &p, pool, other, &r);
		kill(daemon, SIGTERM);
		waitpid(daemon, NULL, 0);
	}
	_exit(write(fd, &r, sizeof(r)) == sizeof(r) ? 0 : 1);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

/* Whatever the daemon wrote; links are removed, not followed. */
static void remove_folder(const char *folder)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void tell(struct doctor *d, const struct result *r)
{
	static const char *const what[STEPS] = {
		"network namespaces cannot be made", "the daemon does not start there: try `minewall run`, it says why",
		"an ordinary connection does not pass", "a miner's login is not reset", "bytes of the login reach the pool",
		"the second attempt is not refused by the kernel", "the block is not in the log",
	};

	if (r->done == STEPS)
		doctor_say(d, DOCTOR_OK, "self-test", NULL, "a miner's login was reset after %.1f ms, no byte reached the pool, the kernel refused "
			   "the next attempt alone, an ordinary connection passed", r->reset_ms);
	else
		doctor_say(d, DOCTOR_BAD, "self-test", "report it with the output of `minewall doctor --json`", "%s%s%s", what[r->done],
			   r->error ? ": " : "", r->error ? strerror(r->error) : "");
}

void doctor_selftest(struct doctor *d)
{
	char folder[] = "/tmp/minewall-self-test-XXXXXX";
	struct result r = { .error = ECANCELED };
	int fds[2], status;
	pid_t pid;

	if (geteuid() != 0) {
		doctor_say(d, DOCTOR_WARN, "self-test", "try as root", "it needs a network namespace of its own");
		return;
	}
	if (!mkdtemp(folder) || chmod(folder, 0755) || pipe2(fds, O_CLOEXEC)) {
		doctor_say(d, DOCTOR_BAD, "self-test", "make room in /tmp", "%s: %s", folder, strerror(errno));
		return;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_child(folder, fds[1]);
	close(fds[1]);
	if (pid < 0 || read(fds[0], &r, sizeof(r)) != sizeof(r))
		r.error = r.error ? r.error : errno;
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	remove_folder(folder);
	tell(d, &r);
}
