/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start and end of the daemon, and its parts in their order. The table comes last and goes first, so that no packet is queued
 * while there is nobody to judge it. */
#include "daemon/run.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/account.h"
#include "daemon/apply.h"
#include "daemon/confine.h"
#include "daemon/control.h"
#include "daemon/daemon.h"
#include "daemon/lock.h"
#include "daemon/escape.h"
#include "daemon/footprint.h"
#include "daemon/log.h"
#include "daemon/reach.h"
#include "daemon/secret.h"
#include "daemon/state.h"
#include "daemon/takeover.h"
#include "nft/connmark.h"
#include "nft/marks.h"

/* How often the loop looks around. */
#define TICK_S 10

uint64_t daemon_now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec;
}

static enum exit_code use_policy(struct daemon *d, struct policy *p, struct policy_error *error)
{
	char safe[sizeof(error->text) * 2];

	if (!p) {
		confine_explain(d, error->text, sizeof(error->text));
		escape_text(safe, sizeof(safe), ESCAPE_TERMINAL, error->text, strlen(error->text));
		fprintf(stderr, "%s\n", safe);
		return error->kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
	}
	policy_free(d->policy);
	d->policy = p;
	d->settings = policy_settings(p);
	return EXIT_DONE;
}

static bool lists_there(const struct policy *p)
{
	const struct list_source *sources;
	size_t n = policy_sources(p, &sources);

	for (size_t i = 0; i < n; i++)
		if (access(sources[i].file, F_OK))
			return false;
	return true;
}

/* While the policy is read, which names them or does not. */
static enum exit_code ask_users(struct daemon *d)
{
	static const char *const names[] = { POWER_USER, POWER_USER_ELSE };

	(void)d;
	account_ahead(names, sizeof(names) / sizeof(names[0]));
	return EXIT_DONE;
}

/* As root: where things are, and as whom to go on. */
static enum exit_code open_settings(struct daemon *d)
{
	struct policy_error error;
	enum exit_code code = use_policy(d, policy_load_settings(d->policy_path, &error), &error);

	/* a policy that cannot be right is said first */
	if (code == EXIT_DONE && !lists_there(d->policy))
		code = use_policy(d, policy_load(d->policy_path, &error), &error);
	return code == EXIT_DONE ? confine_user(d) : code;
}

/* As the user: lists are other people's bytes. */
static enum exit_code open_policy(struct daemon *d)
{
	struct policy_error error;
	enum exit_code code = use_policy(d, policy_load(d->policy_path, &error), &error);

	if (code != EXIT_DONE)
		return code;
	d->generation = 1;
	policy_stamp(d->policy, d->generation);
	d->shared.policy = apply_effective(d, d->policy, &error);
	if (!d->shared.policy)	/* what another process allowed for a time */
		d->shared.policy = d->policy;
	return EXIT_DONE;
}

static enum exit_code open_kernel(struct daemon *d)
{
	struct table_error error;
	char text[512];
	int err = table_open(&d->shared.table, &error);

	if (err) {
		log_info("%s", error.text);
		return EXIT_SYSTEM;
	}
	err = marks_conflict(d->settings->mark_mask, text, sizeof(text));
	if (err > 0) {
		log_info("the mark bits 0x%08x are in use: %s; set mark.mask to three other bits",
			d->settings->mark_mask, text);
		/* the one whose place we take lives with that, too */
		if (!d->n_queue_fds)
			return EXIT_SYSTEM;
	}
	if (err < 0)
		log_warn(err, "cannot see whether another rule uses the mark bits");
	if (marks_flowtable(text, sizeof(text)) > 0)
		snprintf(d->blind, sizeof(d->blind), "flowtable: %.480s", text);
	return EXIT_DONE;
}

static enum exit_code open_lock(struct daemon *d)
{
	confine_folder_of(d, "/run/minewall/lock", 0755);
	d->lock = lock_namespace();
	if (d->lock == -EWOULDBLOCK) {
		fprintf(stderr, "minewall: it runs already in this network namespace; `minewall stop` ends it\n");
		return EXIT_NO;
	}
	if (d->lock < 0) {
		log_warn(d->lock, "the lock of this network namespace in /run/minewall");
		return EXIT_SYSTEM;
	}
	return EXIT_DONE;
}

/* What only root opens. */
static enum exit_code open_sockets(struct daemon *d)
{
	d->losses = queue_losses_open();
	if (d->losses == -EACCES) {
		fprintf(stderr, "minewall: no permission to read /proc/net/netfilter/nfnetlink_queue: run as root\n");
		return EXIT_SYSTEM;
	}
	if (d->losses < 0) {
		log_warn(d->losses, "/proc/net/netfilter/nfnetlink_queue cannot be read; is nfnetlink_queue loaded");
		return EXIT_SYSTEM;
	}
	if (apply_open_refuse(d))
		return EXIT_SYSTEM;
	confine_folder_of(d, d->settings->control, 0755);
	if (d->n_queue_fds) {
		confine_hand_over(d);
		return EXIT_DONE;
	}
	d->control = control_listen(d->settings->control, confine_group(d));
	if (d->control == -EADDRINUSE) {
		fprintf(stderr, "minewall: it runs already and answers at %s; `minewall stop` ends it\n", d->settings->control);
		return EXIT_NO;
	}
	if (d->control < 0) {
		log_warn(d->control, "control socket %s%s", d->settings->control,
			 d->control == -ENOENT ? " (its folder's folder is missing)" : d->control == -EEXIST ?
			 " (something else is there: remove it, or name another in `control:`)" : "");
		return EXIT_SYSTEM;
	}
	confine_hand_over(d);
	return EXIT_DONE;
}

static void tell_reporter(void *arg, const char *line, size_t len)
{
	reporter_say(arg, REPORTER_EVENT, line, len);
}

/* Whoever waits for a takeover in the background waits for the end of our output, too: children that stay must not hold it. `aside`
 * keeps it meanwhile; called again with what it holds, it is put back. */
static void swap_messages(const struct daemon *d, int aside[2])
{
	for (int i = 0; i < 2 && d->ready >= 0; i++) {
		int fd = STDOUT_FILENO + i, put_back = aside[i];

		aside[i] = put_back < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
		dup2(put_back < 0 ? d->messages : put_back, fd);
		if (put_back >= 0)
			close(put_back);
	}
}

/* Beside the judging, while there are rights to give up: it goes on without. */
static enum exit_code open_reporter(struct daemon *d)
{
	int aside[2] = { -1, -1 }, err;

	swap_messages(d, aside);
	err = reporter_start(&d->reporter, d->policy, d->incidents);
	fleet_start(d);
	swap_messages(d, aside);
	if (err)
		log_warn(err, "the reporter cannot be started: no incidents, no alerts");
	return EXIT_DONE;
}

static enum exit_code open_files(struct daemon *d)
{
	char key[4096 + 8];
	int err;

	err = event_log_open(&d->log, d->settings->log_file);
	if (err) {
		log_warn(err, "event log %s cannot be opened%s", d->settings->log_file,
			 err == -ENOENT ? " (make its folder)" : err == -ENXIO ? " (a pipe without a reader)" :
			 err == -EACCES ? " (chown its folder to the user it runs as, `user:`)" : "");
		return EXIT_SYSTEM;
	}
	if (d->reporter)
		event_log_tee(d->log, tell_reporter, d->reporter);
	snprintf(key, sizeof(key), "%s/key", d->settings->state);
	d->shared.login_key = secret_new();
	err = d->shared.login_key ? event_key(key, d->shared.login_key) : -ENOMEM;
	if (err) {
		log_warn(err, "the key that hashes wallets, %s, can be neither read nor made%s", key,
			 err == -EINVAL ? " (it has not 32 bytes: remove it, a new one is made)" :
			 err == -EACCES ? " (chown its folder to the user it runs as, `user:`)" : "");
		return EXIT_SYSTEM;
	}
	return EXIT_DONE;
}

static enum exit_code open_memory(struct daemon *d)
{
	if (getrandom(d->shared.hash_key, sizeof(d->shared.hash_key), 0) != sizeof(d->shared.hash_key)) {
		log_warn(errno, "no random bytes");
		return EXIT_SYSTEM;
	}
	d->clients = clients_new(d->control);
	d->shared.learnt = learnt_new();
	d->shared.tenants = tenants_new(d->shared.hash_key);
	d->shared.score = score_new(d->shared.hash_key);
	d->shared.answers = answers_new(d->shared.hash_key);
	d->shared.reach = reach_new();
	d->shared.blind = blind_new(d->shared.hash_key);
	d->shared.events = ring_new();
	if (!d->clients || !d->shared.learnt || !d->shared.tenants || !d->shared.score || !d->shared.answers || !d->shared.reach || !d->shared.blind || !d->shared.events) {
		log_warn(ENOMEM, "starting");
		return EXIT_SYSTEM;
	}
	return EXIT_DONE;
}

static unsigned queue_count(const struct settings *s)
{
	if (s->queue_count)
		return s->queue_count < WATCHDOG_QUEUES_MAX ? s->queue_count : WATCHDOG_QUEUES_MAX;
	return queue_auto();
}

static enum exit_code open_queues(struct daemon *d)
{
	const struct settings *s = d->settings;
	int err;

	for (unsigned n = d->n_queue_fds ? d->n_queue_fds : queue_count(s); d->n_queues < n; d->n_queues++) {
		struct queue_config config = { .number = (uint16_t)(s->queue_first + d->n_queues), .length = s->queue_length,
					       .fail_open = s->fail == FAIL_OPEN, .mark_mask = s->mark_mask };
		struct queue_losses other = { 0 };

		err = d->n_queue_fds ? queue_adopt(&d->queues[d->n_queues], &config, d->queue_fds[d->n_queues]) :
		      queue_open(&d->queues[d->n_queues], &config);
		if (!err)
			continue;
		if (err == -EBUSY && queue_losses_read(d->losses, config.number, &other) == 0)
			fprintf(stderr, "minewall: queue %u belongs to another program (netlink port %u); set queues.first to a free range\n",
				config.number, other.owner);
		else
			log_warn(err, "queue %u cannot be bound%s", config.number,
				 err == -EPERM ? " (CAP_NET_ADMIN of the host is needed, not of a container)" : "");
		return EXIT_SYSTEM;
	}
	return EXIT_DONE;
}

static enum exit_code watchdog_failed(int err)
{
	log_warn(err, "the watchdog cannot be started");
	return EXIT_SYSTEM;
}

enum exit_code daemon_start_threads(struct daemon *d)
{
	int aside[2] = { -1, -1 }, err = 0;

	if (d->settings->fail == FAIL_OPEN) {
		swap_messages(d, aside);
		err = watchdog_start(&d->shared.watchdog, d->queues, d->n_queues, d->losses);
		swap_messages(d, aside);
	}
	if (err)
		return watchdog_failed(err);
	err = adder_start(&d->shared.adder, &d->shared);
	if (err) {
		log_warn(err, "the adder cannot be started");
		return EXIT_SYSTEM;
	}
	err = prefaulter_start(&d->shared.prefaulter);
	if (err) {
		log_warn(err, "the thread for the workers' memory cannot be started");
		return EXIT_SYSTEM;
	}
	for (; d->n_workers < d->n_queues; d->n_workers++) {
		err = worker_start(&d->workers[d->n_workers], &d->shared, d->queues[d->n_workers], d->n_workers, d->n_queues);
		if (err) {
			log_warn(err, "a worker cannot be started");
			return EXIT_SYSTEM;
		}
	}
	err = watchdog_await(d->shared.watchdog);	/* it became ready beside them */
	return err ? watchdog_failed(err) : EXIT_DONE;
}

void daemon_stop_threads(struct daemon *d)
{
	/* in this order: workers beat, and while they end one after the other nobody may think that they hang */
	watchdog_blind(d->shared.watchdog);
	for (unsigned i = 0; i < d->n_workers; i++)
		worker_stop(d->workers[i]);
	d->n_workers = 0;
	prefaulter_stop(d->shared.prefaulter);
	d->shared.prefaulter = NULL;
	adder_stop(d->shared.adder);
	d->shared.adder = NULL;
	watchdog_stop(d->shared.watchdog);
	d->shared.watchdog = NULL;
}

static enum exit_code start_workers(struct daemon *d)
{
	enum exit_code code = daemon_start_threads(d);

	if (code != EXIT_DONE)
		return code;
	if (apply_table(d))
		return EXIT_SYSTEM;
	if (*d->blind)
		log_info(apply_guards(d) ? "guarded: new flows are kept from what %s offloads" : "blind: flows that %s offloads are not seen",
			 d->blind + strlen("flowtable: "));
	state_load(d);
	cut_blocked(d);
	return EXIT_DONE;
}

static enum exit_code open_loop(struct daemon *d)
{
	struct itimerspec every = { { TICK_S, 0 }, { TICK_S, 0 } };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	notify_open(&d->notify);
	d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->signals < 0 || d->timer < 0 || timerfd_settime(d->timer, 0, &every, NULL)) {
		log_warn(errno, "starting");
		return EXIT_SYSTEM;
	}
	return EXIT_DONE;
}

/* Takes everything back, whatever part of it was reached; our connmark bits, too. Who cannot go on leaves the table as if killed: what
 * was taught goes on blocking, and what must be judged passes or waits as the policy says. */
static void undo(struct daemon *d)
{
	bool remove = d->table_there && !d->others && !d->failed;
	struct connmark *connmark = NULL;

	if (remove) {
		daemon_read_tries(d);
		state_save(d);
		table_remove(d->shared.table);
	}
	daemon_stop_threads(d);
	if (d->shared.events && d->log)
		daemon_write_events(d);
	fleet_stop(d);
	reporter_stop(d->reporter, d->others);
	json_decref(d->reported);
	for (unsigned i = 0; i < d->n_queues; i++)
		queue_close(d->queues[i]);
	if (remove && connmark_open(&connmark) == 0)
		connmark_clear(connmark, d->settings->mark_mask);
	connmark_close(connmark);
	table_close(d->shared.table);
	event_log_close(d->log);
	ring_free(d->shared.events);
	tenants_free(d->shared.tenants);
	score_free(d->shared.score);
	answers_free(d->shared.answers);
	reach_free(d->shared.reach);
	refuse_close(d->shared.refuse);
	blind_free(d->shared.blind);
	learnt_free(d->shared.learnt);
	secret_free(d->shared.login_key);
	notify_close(&d->notify);
	clients_free(d->clients);
	if (d->control >= 0 && !d->others)
		unlink(d->settings->control);
	if (d->control >= 0)
		close(d->control);
	if (d->others && d->lock >= 0)
		close(d->lock);
	else
		lock_release(d->lock);
	if (d->stop_client >= 0)
		control_reply(d->stop_client, json_pack("{s:b}", "ok", true));
	free(d->aside);
	if (d->shared.policy != d->policy)
		policy_free((struct policy *)d->shared.policy);
	policy_free(d->policy);
}

void daemon_ready(const struct daemon *d)
{
	char state[128];

	snprintf(state, sizeof(state), "%s, fail-%s, policy generation %u%s", d->settings->mode == MODE_ENFORCE ? "enforce" : "monitor",
		 d->settings->fail == FAIL_OPEN ? "open" : "closed", d->generation, d->fallback ? ", on trial" : "");
	notify_ready(&d->notify, state);
}

typedef enum exit_code step_fn(struct daemon *d);

static enum exit_code take(struct daemon *d, step_fn *const *steps, size_t n)
{
	enum exit_code code = EXIT_DONE;

#ifdef __GLIBC__
	/* What a list's reading took goes back to the kernel, and the large tables, which fill slowly or never, get untouched pages: by
	 * default glibc raises this bound with each large block that is freed. */
	mallopt(M_MMAP_THRESHOLD, 24 * 1024);
#endif
	umask(022);
	for (size_t i = 0; i < n && code == EXIT_DONE; i++)
		code = steps[i](d);
	return code;
}

/* The socket that owns the table, once the process before does not use it any more. */
static enum exit_code own_table(struct daemon *d)
{
	int err = table_adopt(d->shared.table, d->table_fd);

	if (err)
		log_warn(err, "the table's socket cannot be taken over");
	return err ? EXIT_SYSTEM : EXIT_DONE;
}

/* Whoever waits is told how it went, once. */
static void tell(int ready, enum exit_code code)
{
	uint8_t byte = (uint8_t)code;

	if (write(ready, &byte, 1) != 1)
		log_info("nobody waits for the end of the takeover any more");
	close(ready);
}

/* Messages go where they went before. */
static void detach(struct daemon *d)
{
	dup2(d->messages, STDOUT_FILENO);
	dup2(d->messages, STDERR_FILENO);
	tell(d->ready, EXIT_DONE);
	d->ready = -1;
}

static enum exit_code run(const char *policy_path, step_fn *const *steps, size_t n, int ready)
{
	struct daemon d = { .policy_path = policy_path, .control = -1, .lock = -1, .losses = -1, .signals = -1, .notify = { .fd = -1 },
			    .timer = -1, .stop_client = -1, .heir = -1, .messages = -1, .table_fd = -1, .incidents = -1, .ready = ready };
	struct stat program;
	enum exit_code code;
	uint64_t gap_s;

	if (stat("/proc/self/exe", &program) == 0) {
		d.program_device = program.st_dev;
		d.program_file = program.st_ino;
	}
	code = take(&d, steps, n);
	account_end();

	if (code == EXIT_DONE) {
		gap_s = d.n_queue_fds ? 0 : state_gap_s(&d);
		d.started_s = daemon_now_s();
		confine_say(&d);
		if (d.n_queue_fds)
			takeover_done(&d);
		log_info("ready: %s, queue%s %u-%u by %s, fail-%s", d.settings->mode == MODE_ENFORCE ? "enforce" : "monitor",
			 d.n_queues > 1 ? "s" : "", d.settings->queue_first, d.settings->queue_first + d.n_queues - 1,
			 table_queue_kind(d.shared.table), d.settings->fail == FAIL_OPEN ? "open" : "closed");
		daemon_tick_log(&d);
		if (gap_s)
			daemon_note_gap(&d, "started", d.settings->mode == MODE_ENFORCE ? "judging again: enforce" : "judging again: monitor", gap_s);
		daemon_ready(&d);
		footprint_trim();
		if (d.ready >= 0)
			detach(&d);
		daemon_loop(&d);
		code = d.failed ? EXIT_NO : code;
		if (!d.others)
			notify_say(&d.notify, "STOPPING=1");
	}
	undo(&d);
	if (d.ready >= 0)
		tell(d.ready, code);
	return code;
}

enum exit_code daemon_run(const char *policy_path)
{
	static step_fn *const steps[] = {
		open_loop, ask_users, open_settings, open_lock, open_sockets, open_reporter, confine,
		open_policy, open_kernel, open_files, open_memory, open_queues, start_workers,
	};

	return run(policy_path, steps, sizeof(steps) / sizeof(steps[0]), -1);
}

enum exit_code daemon_takeover(const char *policy_path, int ready)
{
	static step_fn *const steps[] = {
		open_loop, ask_users, open_settings, takeover_ask, open_sockets, open_reporter, confine,
		open_policy, open_kernel, open_files, open_memory, open_queues, takeover_go, own_table, start_workers,
	};

	return run(policy_path, steps, sizeof(steps) / sizeof(steps[0]), ready);
}

static enum exit_code load_table(struct daemon *d)
{
	d->n_queues = queue_count(d->settings);
	return apply_table(d) ? EXIT_SYSTEM : EXIT_DONE;
}

enum exit_code daemon_table(const char *policy_path)
{
	static step_fn *const steps[] = { open_lock, open_kernel, load_table };
	struct daemon d = { .policy_path = policy_path, .lock = -1 };
	enum exit_code code = open_settings(&d);

	d.shared.policy = d.policy;
	if (code == EXIT_DONE && d.settings->fail == FAIL_OPEN)
		log_info("`fail: open` needs no table before `minewall run`");
	else if (code == EXIT_DONE)
		code = take(&d, steps, sizeof(steps) / sizeof(steps[0]));
	table_close(d.shared.table);
	lock_release(d.lock);
	policy_free(d.policy);
	return code;
}
