/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watchdog must be a process: SIGSTOP, a page fault on a dead disk or a debugger stop all threads at
 * once. It sleeps in poll while nothing is queued, so an idle gateway is not woken. */
#include "daemon/watchdog.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/sandbox.h"

#define TICK_MS 50
/* Ticks without a packet after which it sleeps in poll again. */
#define IDLE_TICKS 20
/* A machine may be busy when it starts. */
#define START_MS 5000

/* In memory that both processes share. Each queue's reader writes to a cache line of its own. */
struct shared {
	struct {
		_Alignas(64) _Atomic uint64_t beats;
		atomic_bool released;
	} queue[WATCHDOG_QUEUES_MAX];
	_Atomic uint64_t releases;
	_Atomic uint64_t hung_from_ms, hung_until_ms;	/* the first release that is not accounted for (0: none), the last return */
	atomic_bool watching;		/* the child has given away what it does not need */
};

struct watchdog {
	struct shared *shared;
	pid_t child;
	/* the child's */
	struct queue *const *queues;
	unsigned n;
	int losses_fd;
	struct {
		uint64_t beats;
		unsigned stuck_ms;
	} seen[WATCHDOG_QUEUES_MAX];
};

static void nap(unsigned ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000L };

	nanosleep(&t, NULL);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One look at one queue. True: packets move or wait. */
static bool look(struct watchdog *w, unsigned i)
{
	uint64_t beats = atomic_load(&w->shared->queue[i].beats);
	struct queue_losses now;
	bool moved = beats != w->seen[i].beats;

	w->seen[i].beats = beats;
	if (queue_losses_read(w->losses_fd, queue_number(w->queues[i]), &now) || now.waiting == 0 || moved) {
		w->seen[i].stuck_ms = 0;
		return moved;
	}
	w->seen[i].stuck_ms += TICK_MS;
	if (w->seen[i].stuck_ms >= WATCHDOG_PATIENCE_MS && !atomic_load(&w->shared->queue[i].released)) {
		uint64_t none = 0;

		/* In this order: watchdog_hung_ms looks the other way round. */
		atomic_store(&w->shared->queue[i].released, true);
		atomic_compare_exchange_strong(&w->shared->hung_from_ms, &none, now_ms());
		atomic_fetch_add(&w->shared->releases, 1);
		queue_release(w->queues[i]);
		w->seen[i].stuck_ms = 0;
	}
	return true;
}

static void watch(struct watchdog *w)
{
	struct pollfd fds[WATCHDOG_QUEUES_MAX];
	unsigned idle = 0;

	for (unsigned i = 0; i < w->n; i++)
		fds[i] = (struct pollfd){ .fd = queue_fd(w->queues[i]), .events = POLLIN };
	for (;;) {
		bool busy = false;

		if (idle >= IDLE_TICKS)
			poll(fds, w->n, -1);
		nap(TICK_MS);
		for (unsigned i = 0; i < w->n; i++)
			busy |= look(w, i);
		idle = busy ? 0 : idle + 1;
	}
}

/* Another name than the daemon's, so that whoever stops or kills `minewall` by name does not stop its watchdog. */
static void rename_process(void)
{
	static const char name[] = "mw-watchdog";
	size_t room = strlen(program_invocation_name);

	prctl(PR_SET_NAME, name);
	memset(program_invocation_name, 0, room);
	memcpy(program_invocation_name, name, room < sizeof(name) ? room : sizeof(name));
}

static bool is_needed(const struct watchdog *w, int fd)
{
	bool needed = fd <= STDERR_FILENO || fd == w->losses_fd;

	for (unsigned i = 0; i < w->n && !needed; i++)
		needed = fd == queue_fd(w->queues[i]);
	return needed;
}

static int last_needed(const struct watchdog *w)
{
	int last = w->losses_fd > STDERR_FILENO ? w->losses_fd : STDERR_FILENO;

	for (unsigned i = 0; i < w->n; i++)
		last = queue_fd(w->queues[i]) > last ? queue_fd(w->queues[i]) : last;
	return last;
}

/* What the daemon's death gives back at once must not wait for ours: the table that its socket owns, its lock, its address. Before
 * Linux 5.9 each number must be tried: 20,000 calls and more, while the daemon starts. */
static void close_others(const struct watchdog *w)
{
	int last = last_needed(w);
	long end = sysconf(_SC_OPEN_MAX);

	for (int fd = 0; fd < last; fd++)
		if (!is_needed(w, fd))
			close(fd);
	if (syscall(SYS_close_range, (unsigned)last + 1, ~0u, 0u) == 0)
		return;
	for (int fd = last + 1; fd < end; fd++)
		close(fd);
}

/* The child is no use before it watches, and its end is the start's. */
static int await(struct watchdog *w)
{
	for (unsigned ms = 0; ms < START_MS; ms++) {
		if (atomic_load(&w->shared->watching))
			return 0;
		if (waitpid(w->child, NULL, WNOHANG) == w->child) {
			w->child = -1;
			return -EPERM;
		}
		nap(1);
	}
	return -ETIMEDOUT;
}

static int spawn(struct watchdog *w)
{
	pid_t parent = getpid();
	int err;

	atomic_store(&w->shared->watching, false);
	memset(w->seen, 0, sizeof(w->seen));
	w->child = fork();
	if (w->child < 0)
		return -errno;
	if (w->child == 0) {
		/* It must not outlive the reader, or the queue would stay bound with nobody to read it. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
			_exit(1);
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		close_others(w);
		rename_process();
		err = sandbox_calls(SANDBOX_WATCHDOG);
		if (err && err != -ENOSYS)
			_exit(1);
		atomic_store(&w->shared->watching, true);
		watch(w);
	}
	return 0;
}

int watchdog_start(struct watchdog **out, struct queue *const *queues, unsigned n, int losses_fd)
{
	struct watchdog *w = calloc(1, sizeof(*w));
	int err;

	*out = NULL;
	if (!w)
		return -ENOMEM;
	w->shared = mmap(NULL, sizeof(*w->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w->shared == MAP_FAILED) {
		free(w);
		return -ENOMEM;
	}
	w->queues = queues;
	w->n = n;
	w->losses_fd = losses_fd;
	err = spawn(w);
	if (err) {
		munmap(w->shared, sizeof(*w->shared));
		free(w);
		return err;
	}
	*out = w;
	return 0;
}

int watchdog_await(struct watchdog *w)
{
	return w ? await(w) : 0;
}

int watchdog_revive(struct watchdog *w)
{
	int err;

	if (!w || (w->child > 0 && waitpid(w->child, NULL, WNOHANG) == 0))
		return 0;
	err = spawn(w);
	if (!err)
		err = await(w);
	return err ? err : 1;
}

void watchdog_blind(struct watchdog *w)
{
	if (w && w->child > 0) {
		kill(w->child, SIGKILL);
		waitpid(w->child, NULL, 0);
		w->child = -1;
	}
}

void watchdog_stop(struct watchdog *w)
{
	if (!w)
		return;
	watchdog_blind(w);
	munmap(w->shared, sizeof(*w->shared));
	free(w);
}

/* Once a batch, so nothing is locked: a queue has one reader, and its release is rare. */
void watchdog_beat(struct watchdog *w, unsigned i)
{
	_Atomic uint64_t *beats;

	if (!w)
		return;
	beats = &w->shared->queue[i].beats;
	atomic_store_explicit(beats, atomic_load_explicit(beats, memory_order_relaxed) + 1, memory_order_relaxed);
}

bool watchdog_released(struct watchdog *w, unsigned i)
{
	if (!w || !atomic_load_explicit(&w->shared->queue[i].released, memory_order_relaxed))
		return false;
	atomic_store(&w->shared->hung_until_ms, now_ms());
	return atomic_exchange(&w->shared->queue[i].released, false);
}

uint64_t watchdog_hung_ms(struct watchdog *w)
{
	uint64_t from = w && atomic_load(&w->shared->hung_from_ms) ? atomic_exchange(&w->shared->hung_from_ms, 0) : 0, until;

	if (!from)
		return 0;
	for (unsigned i = 0; i < w->n; i++)
		if (atomic_load(&w->shared->queue[i].released)) {
			atomic_store(&w->shared->hung_from_ms, from);	/* it goes on */
			return 0;
		}
	until = atomic_load(&w->shared->hung_until_ms);
	return until > from ? until - from : 0;
}

uint64_t watchdog_releases(const struct watchdog *w)
{
	return w ? atomic_load(&w->shared->releases) : 0;
}
