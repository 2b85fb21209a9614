/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets travel over the control socket, and one end of a channel of our own with them. On that four words are said: GO by the new
 * process when it has all that can fail, YOURS by the old one when its workers have stopped, RUNNING when the new one reads, TOLD when the
 * service manager knows whose place is whose. A channel that ends before RUNNING means that the old one goes on. */
#include "daemon/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/apply.h"
#include "daemon/control.h"
#include "daemon/log.h"
#include "daemon/quarantine.h"
#include "daemon/state.h"

enum word { GO = 'G', YOURS = 'Y', RUNNING = 'R', TOLD = 'T' };

/* For each word: the other one may save its state or install the table meanwhile. */
#define PATIENCE_MS 10000
/* From an invitation to the asking: a service manager starts one process after the other. */
#define TICKET_S 60
/* What is handed over beside the queues. */
enum { CHANNEL, MESSAGES, LOCK, CONTROL, TABLE, INCIDENTS, NOTIFY, FIXED };

static void say(int channel, enum word w)
{
	char c = (char)w;

	send(channel, &c, 1, MSG_NOSIGNAL);
}

static bool hear(int channel, enum word w)
{
	struct pollfd p = { .fd = channel, .events = POLLIN };
	char c = 0;

	return poll(&p, 1, PATIENCE_MS) == 1 && recv(channel, &c, 1, 0) == 1 && c == (char)w;
}

/* ---- the new one ---- */

/* What only a start can change must be as it is. */
static const char *differs(const struct daemon *d, const json_t *is)
{
	const struct settings *s = d->settings;
	json_int_t first, n, length, mask;
	int open;
	const char *state, *log;

	if (json_unpack((json_t *)is, "{s:I, s:I, s:I, s:I, s:b, s:s, s:s}", "first", &first, "queues", &n, "length", &length, "mask", &mask,
			"open", &open, "state", &state, "log", &log))
		return "its version";
	return first != s->queue_first || (s->queue_count && n != s->queue_count) || length != s->queue_length ? "queues" :
	       mask != s->mark_mask ? "mark" : open != (s->fail == FAIL_OPEN) ? "fail" : strcmp(state, s->state) ? "state" :
	       strcmp(log, s->log_file) ? "log.file" : NULL;
}

static void join(const char *root, const char *group)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s/cgroup.procs", root, group);
	f = fopen(path, "we");
	if (!f)
		return;
	fprintf(f, "%ld\n", (long)getpid());
	fclose(f);
}

/* Where a service manager counts its processes: beside the one whose place we take, in its group of version 2 and, where systemd still has
 * one of its own beside that, there, too. What fails is no harm without such a manager. */
static void move_beside(long pid)
{
	char path[64], group[400], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/cgroup", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		bool unified = sscanf(line, "0::%399s", group) == 1;

		if ((!unified && sscanf(line, "%*d:name=systemd:%399s", group) != 1) || strstr(group, ".."))
			continue;
		if (unified)
			join("/sys/fs/cgroup", group);
		join(unified ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup/systemd", group);
	}
	if (f)
		fclose(f);
}

static void take_allowances(struct daemon *d, const json_t *all)
{
	json_t *one;
	size_t i;

	json_array_foreach(all, i, one) {
		const char *what = json_string_value(json_object_get(one, "what"));

		if (!what || d->n_allowances == DAEMON_ALLOWANCES_MAX)
			continue;
		snprintf(d->allowances[d->n_allowances].what, sizeof(d->allowances[0].what), "%s", what);
		d->allowances[d->n_allowances++].until_s = daemon_now_s() + (uint64_t)json_integer_value(json_object_get(one, "left_s"));
	}
}

static enum exit_code take(struct daemon *d, const json_t *reply, const int *fds, size_t n)
{
	const char *key = differs(d, reply);

	if (key) {
		fprintf(stderr, "minewall: %s: %s has changed, which needs a restart; the daemon that runs goes on\n", d->policy_path, key);
		return EXIT_POLICY;
	}
	if (n < FIXED + 1 || n - FIXED > WATCHDOG_QUEUES_MAX || n != FIXED + (size_t)json_integer_value(json_object_get(reply, "queues"))) {
		fprintf(stderr, "minewall: the daemon that runs hands over %zu sockets, which is not all\n", n);
		return EXIT_SYSTEM;
	}
	d->heir = fds[CHANNEL];
	d->messages = fds[MESSAGES];
	d->lock = fds[LOCK];
	d->control = fds[CONTROL];
	d->table_fd = fds[TABLE];
	if (json_is_true(json_object_get(reply, "incidents")))
		d->incidents = fds[INCIDENTS];
	else
		close(fds[INCIDENTS]);
	if (json_is_true(json_object_get(reply, "notify"))) {
		notify_close(&d->notify);
		d->notify.fd = fds[NOTIFY];
		d->notify.every_ms = json_integer_value(json_object_get(reply, "notify_ms"));
		move_beside((long)json_integer_value(json_object_get(reply, "pid")));
	} else {
		close(fds[NOTIFY]);
	}
	for (size_t i = FIXED; i < n; i++)
		d->queue_fds[i - FIXED] = fds[i];
	d->n_queue_fds = (unsigned)(n - FIXED);
	take_allowances(d, json_object_get(reply, "allowed"));
	quarantine_inherit(d, json_object_get(reply, "quarantine"));
	d->others = true;
	return EXIT_DONE;
}

static json_t *asking(const struct daemon *d)
{
	char path[sizeof(d->settings->control) + sizeof(TAKEOVER_TICKET)], ticket[DAEMON_TICKET_MAX] = "";
	ssize_t n;
	int fd;

	if (geteuid() == 0)
		return json_pack("{s:s}", "verb", "takeover");
	snprintf(path, sizeof(path), "%s" TAKEOVER_TICKET, d->settings->control);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	n = fd >= 0 ? read(fd, ticket, sizeof(ticket) - 1) : 0;
	if (fd >= 0)
		close(fd);
	ticket[n > 0 ? n : 0] = '\0';
	unlink(path);
	return json_pack("{s:s, s:s}", "verb", "takeover", "ticket", ticket);
}

enum exit_code takeover_ask(struct daemon *d)
{
	int fds[FIXED + WATCHDOG_QUEUES_MAX];
	size_t n = sizeof(fds) / sizeof(fds[0]);
	json_t *reply = NULL;
	int err = control_ask_fds(d->settings->control, asking(d), &reply, fds, &n);
	enum exit_code code = EXIT_SYSTEM;

	if (err == -ECONNREFUSED) {
		fprintf(stderr, "minewall: no daemon answers at %s; `minewall run` starts one\n", d->settings->control);
		return EXIT_NOT_RUNNING;
	}
	if (err) {
		log_warn(err, "asking the daemon at %s", d->settings->control);
		return EXIT_SYSTEM;
	}
	if (json_is_true(json_object_get(reply, "ok"))) {
		code = take(d, reply, fds, n);
	} else {
		const char *why = json_string_value(json_object_get(reply, "error"));

		fprintf(stderr, "minewall: %s\n", why ? why : "the daemon refused without a reason");
	}
	json_decref(reply);
	return code;
}

enum exit_code takeover_go(struct daemon *d)
{
	say(d->heir, GO);
	if (hear(d->heir, YOURS))
		return EXIT_DONE;
	fprintf(stderr, "minewall: the daemon that runs does not let go; it goes on\n");
	return EXIT_SYSTEM;
}

void takeover_done(struct daemon *d)
{
	d->others = false;
	say(d->heir, RUNNING);
	/* a service manager listens to nobody but the process that it knows */
	hear(d->heir, TOLD);
	log_info("it has taken the place of the process before");
}

/* ---- the old one ---- */

static json_t *offer_json(struct daemon *d)
{
	const struct settings *s = d->settings;
	json_t *all = json_array(), *j;

	for (size_t i = 0; i < d->n_allowances; i++)
		json_array_append_new(all, json_pack("{s:s, s:I}", "what", d->allowances[i].what, "left_s",
						     (json_int_t)(d->allowances[i].until_s - daemon_now_s())));
	j = json_pack("{s:b, s:I, s:I, s:I, s:I, s:b, s:s, s:s, s:o}", "ok", true, "first", (json_int_t)s->queue_first, "queues",
		      (json_int_t)d->n_queues, "length", (json_int_t)s->queue_length, "mask", (json_int_t)s->mark_mask, "open",
		      s->fail == FAIL_OPEN, "state", s->state, "log", s->log_file, "allowed", all);
	if (j) {
		json_object_set_new(j, "pid", json_integer((json_int_t)getpid()));
		json_object_set_new(j, "incidents", json_boolean(reporter_listening(d->reporter) >= 0));
		json_object_set_new(j, "notify", json_boolean(d->notify.fd >= 0));
		json_object_set_new(j, "notify_ms", json_integer((json_int_t)d->notify.every_ms));
		json_object_set_new(j, "quarantine", quarantine_json(d));
	}
	return j;
}

static void hand_over_sockets(struct daemon *d, int to, int channel)
{
	int fds[FIXED + WATCHDOG_QUEUES_MAX];
	size_t n = FIXED;
	json_t *j = offer_json(d);
	int incidents = reporter_listening(d->reporter);

	fds[CHANNEL] = channel;
	fds[MESSAGES] = STDERR_FILENO;
	fds[LOCK] = d->lock;
	fds[CONTROL] = d->control;
	fds[TABLE] = table_fd(d->shared.table);
	fds[INCIDENTS] = incidents >= 0 ? incidents : channel;
	fds[NOTIFY] = d->notify.fd >= 0 ? d->notify.fd : channel;
	for (unsigned i = 0; i < d->n_queues; i++)
		fds[n++] = queue_fd(d->queues[i]);
	control_reply_fds(to, j, fds, n);
}

json_t *takeover_invite(struct daemon *d, const struct client *from, const json_t *request)
{
	json_int_t device = 0, file = 0;
	const char *ticket = "";

	if (client_uid(from))
		return json_pack("{s:b, s:s}", "ok", false, "error", "that is for root");
	if (json_unpack((json_t *)request, "{s:I, s:I, s:s}", "device", &device, "file", &file, "ticket", &ticket) ||
	    strlen(ticket) != DAEMON_TICKET_MAX - 1)
		return json_pack("{s:b, s:s}", "ok", false, "error", "a program and a ticket are expected");
	if ((dev_t)device == d->program_device && (ino_t)file == d->program_file)
		return json_pack("{s:b, s:b}", "ok", true, "same", true);
	memcpy(d->ticket, ticket, sizeof(d->ticket));
	d->ticket_until_s = daemon_now_s() + TICKET_S;
	return json_pack("{s:b, s:b}", "ok", true, "same", false);
}

/* It serves once, whatever becomes of that. */
static bool shows_ticket(struct daemon *d, const json_t *request)
{
	const char *ticket = json_string_value(json_object_get(request, "ticket"));
	bool good = ticket && *d->ticket && daemon_now_s() < d->ticket_until_s && !strcmp(ticket, d->ticket);

	if (good)
		*d->ticket = '\0';
	return good;
}

json_t *takeover_offer(struct daemon *d, struct client *from, const json_t *request)
{
	const char *why = client_uid(from) && !shows_ticket(d, request) ? "that is for root" : d->paused_until_s ? "not during a pause; `minewall pause off` ends it" :
			  d->fallback ? "a policy waits to be confirmed; `minewall reload --keep` keeps it" :
			  d->heir >= 0 ? "another process is taking over already" : NULL;
	int ends[2];

	if (!why && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		why = "no descriptor is left";
	if (why)
		return json_pack("{s:b, s:s}", "ok", false, "error", why);
	d->heir = ends[0];
	d->heir_pid = client_pid(from);
	hand_over_sockets(d, client_take(from), ends[1]);
	close(ends[1]);
	return NULL;
}

/* Everything that reads or judges stands still, and what it knew is on the disk. */
static void stand_still(struct daemon *d)
{
	if (d->unsaved)
		state_save(d);
	daemon_stop_threads(d);
	daemon_read_tries(d);
	state_save(d);
}

/* So that a service manager starts it again; until then the table does what it does when a daemon is killed. */
static void give_up(struct daemon *d)
{
	d->stop = d->failed = true;
	daemon_note(d, "gave_up", d->settings->fail == FAIL_OPEN ? "it cannot judge any more and ends: traffic passes until it is started anew" :
		    "it cannot judge any more and ends: what must be judged waits until it is started anew");
}

void takeover_heed(struct daemon *d)
{
	char c = 0;

	/* what was said since the offer would be lost: then the channel just ends */
	if (recv(d->heir, &c, 1, MSG_DONTWAIT) == 1 && c == GO && !d->paused_until_s && !d->fallback) {
		stand_still(d);
		say(d->heir, YOURS);
		if (hear(d->heir, RUNNING)) {
			notify_say(&d->notify, "MAINPID=%ld", (long)d->heir_pid);
			say(d->heir, TOLD);
			log_info("another process has taken over");
			d->others = d->stop = true;
			return;
		}
		log_info("the process that was to take over has failed; this one goes on");
		if (daemon_start_threads(d) != EXIT_DONE)
			give_up(d);
		else if (apply_table(d) == 0)	/* the other one may have changed it */
			state_teach(d);
	}
	close(d->heir);
	d->heir = -1;
	/* the reporter of the one before is gone: ours may read what it wrote, and the broker knows nobody of our name */
	reporter_say_settings(d->reporter, d->policy);
	fleet_heir(d);
}
