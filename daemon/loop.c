/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main loop: events to the log, what the kernel counted, a table that somebody harmed, signals, those who ask. No packet comes
 * this way, but a reload waits here, so nothing in it takes long. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/apply.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/neighbour.h"
#include "daemon/state.h"
#include "daemon/takeover.h"

/* What was learnt is written soon, but no more often than this; the lives that are left are brought up to date now and then. */
#define SAVE_EVERY_S 60
/* Messages of the reporter that are taken before everybody else gets his turn. */
#define MESSAGES_AT_ONCE 32
/* How often a table that another program took is asked for again: the kernel does not announce that its owner ended. */
#define TABLE_AGAIN_MS 200
/* Places in the poll array before those of the control socket. */
#define FIXED_FDS 7

/* Counted as going nowhere: a service that has no business outside. */
static bool is_service(const struct daemon *d, const struct element *e, struct event *event)
{
	static const uint8_t none[16], none4[16] = { [10] = 0xff, 0xff };
	size_t n;
	const struct hygiene_port *ports = hygiene_ports(&n);

	if (memcmp(e->dst, e->family == 4 ? none4 : none, sizeof(e->dst)))
		return false;
	memset(event, 0, sizeof(*event));
	event->hygiene = true;
	for (size_t i = 0; i < n; i++)
		if (ports[i].port == e->port && ports[i].proto == e->proto) {
			snprintf(event->rule, sizeof(event->rule), "%s", hygiene_text(ports[i].service));
			event->blocked = d->settings->hygiene[ports[i].service] == DETECT_BLOCK && d->settings->mode == MODE_ENFORCE;
		}
	return true;
}

/* One host's attempts at one endpoint, stopped by the kernel alone. */
static int report_try(const struct element *e, void *arg)
{
	struct daemon *d = arg;
	uint64_t growth = learnt_growth(d->shared.learnt, e, daemon_now_s());
	struct event event;

	if (growth == 0)
		return 0;
	/* Not known what taught it: a daemon before us did, and that went with it. */
	if (!is_service(d, e, &event) && !learnt_get(d->shared.learnt, e, &event))
		memset(&event, 0, sizeof(event));
	memcpy(event.subject.src, e->src, sizeof(event.subject.src));
	memcpy(event.subject.dst, e->dst, sizeof(event.subject.dst));
	event.subject.sport = 0;
	event.subject.dport = e->port;
	event.subject.proto = e->proto;
	event.family = e->family;
	event.blocked |= !event.hygiene;
	event.count = growth;
	event.older = false;
	event.learned = SCOPE_FLOW;
	event.agent[0] = event.login[0] = event.login_clear[0] = '\0';	/* another connection's, maybe another host's */
	event.mac_known = learnt_host_get(d->shared.learnt, e->src, e->family, event.mac) ||
			  neighbour_mac(e->src, e->family, event.mac) == 0;
	clock_gettime(CLOCK_REALTIME, &event.when);
	listwatch_hit(d, &event);
	event_log_write(d->log, &event);
	return 0;
}

void daemon_write_events(struct daemon *d)
{
	struct event e;

	/* as many as there can be now: under a flood the ring may never be found empty */
	for (int left = RING_EVENTS; left && ring_take(d->shared.events, &e); left--) {
		bool taught = e.learned != SCOPE_FLOW && !*e.note;

		listwatch_hit(d, &e);
		event_log_write(d->log, &e);
		d->unsaved |= taught;
		if (taught)
			cut_taught(d, &e);
		fleet_event(d, &e);
	}
	if (d->unsaved && daemon_now_s() - d->saved_s >= d->save_pause_s)
		state_save(d);
}

void daemon_note_gap(struct daemon *d, const char *what, const char *detail, uint64_t seconds)
{
	struct event e;

	log_info("%s: %s", what, detail);
	event_note(&e, what, detail);
	e.count = seconds;
	event_log_write(d->log, &e);
	d->unjudged_s += seconds;
}

void daemon_note(struct daemon *d, const char *what, const char *detail)
{
	daemon_note_gap(d, what, detail, 0);
}

void daemon_read_tries(struct daemon *d)
{
	daemon_write_events(d);
	table_each_try(d->shared.table, report_try, d);
}

static void count_taught(const struct element *e, const struct event *why, void *arg)
{
	(void)e;
	(void)why;
	++*(size_t *)arg;
}

/* An operator who deletes an element by hand means it; a script that flushes every set does not mean ours. */
static bool sets_emptied(struct daemon *d)
{
	size_t n = 0, known = 0;
	struct element *elements = apply_elements(d, &n);

	free(elements);
	if (n == 0)
		learnt_each(d->shared.learnt, daemon_now_s(), count_taught, &known);
	return known > 1;
}

/* If our table is not whole any more it is made again, endpoints included. */
static void mend_table(struct daemon *d)
{
	if (d->paused_until_s)
		return;
	if (table_check(d->shared.table) == 1) {
		if (sets_emptied(d)) {
			state_teach(d);
			cut_blocked(d);
			daemon_note(d, "sets_restored", "another program emptied our sets; what they held is back");
		}
		return;
	}
	if (apply_table(d)) {
		if (!d->table_lost)
			daemon_note(d, "table_lost", "another program harmed our table, and the kernel refuses a new one; asked for again until it is there");
		d->table_lost = true;
		return;
	}
	d->table_lost = false;
	d->restored++;
	state_teach(d);
	cut_blocked(d);
	daemon_note(d, "table_restored", "another program removed our table or a part of it; it is back with its endpoints");
}

/* Somebody touched our table. */
static void heed_table(struct daemon *d)
{
	if (table_watch_drain(d->shared.table) > 0)
		mend_table(d);
}

/* Without it a reader that stops would stop the traffic, too, so it is missed at once. */
static void heed_watchdog(struct daemon *d)
{
	int rc = watchdog_revive(d->shared.watchdog);

	if (rc == 1)
		log_info("the watchdog had been killed; there is a new one");
	else if (rc < 0 && !d->watchdog_gone)
		daemon_note(d, "watchdog_gone", "the watchdog was killed, and a new one cannot be started: if the reader stops now, traffic stops");
	d->watchdog_gone = rc < 0;
}

static void heed_gone_reporter(struct daemon *d)
{
	if (reporter_gone(d->reporter))
		daemon_note(d, "reporter_gone", "the reporter was killed: no incidents and no alerts until minewall is started anew");
}

/* Short ones are added up: the log and the metrics know whole seconds. */
static void heed_hung(struct daemon *d)
{
	uint64_t ms = watchdog_hung_ms(d->shared.watchdog), seconds = (d->hung_rest_ms + ms) / 1000;
	char detail[96];

	if (!ms)
		return;
	d->hung_rest_ms = (d->hung_rest_ms + ms) % 1000;
	snprintf(detail, sizeof(detail), "judging again: the reader hung, for %llu.%03llu s traffic passed unjudged",
		 (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
	daemon_note_gap(d, "reader_back", detail, seconds);
}

static void heed_signal(struct daemon *d)
{
	struct signalfd_siginfo s;

	while (read(d->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGHUP) {
			int err = event_log_reopen(d->log);

			if (err)
				log_warn(err, "event log %s", d->settings->log_file);
		} else if (s.ssi_signo == SIGCHLD) {
			heed_watchdog(d);
			heed_gone_reporter(d);
		} else {
			d->stop = true;
		}
	}
}

static json_t *heed_request(void *arg, struct client *from, const json_t *request)
{
	struct daemon *d = arg;
	const char *verb = json_string_value(json_object_get(request, "verb"));
	bool may_change = client_uid(from) == 0 || d->settings->control_group_changes;

	if (verb && !strcmp(verb, "stop") && may_change && d->stop_client < 0) {
		d->stop = true;
		d->stop_client = client_take(from);	/* answered when all is undone */
		return NULL;
	}
	if (verb && !strcmp(verb, "takeover"))
		return takeover_offer(d, from, request);
	if (verb && !strcmp(verb, "invite"))
		return takeover_invite(d, from, request);
	return answer(d, request, may_change);
}

static void heed_reporter(struct daemon *d)
{
	const char *text;
	int what;

	for (int left = MESSAGES_AT_ONCE; left && (what = reporter_hear(d->reporter, &text)) != 0; left--) {
		if (what == REPORTER_HELLO && d->n_queue_fds && d->heir >= 0) {
			continue;	/* the one before is still writing what it knows */
		} else if (what == REPORTER_HELLO) {
			reporter_say_settings(d->reporter, d->policy);
		} else if (what == REPORTER_SUMMARY) {
			json_decref(d->reported);
			d->reported = json_loads(text, 0, NULL);
		} else if (what == REPORTER_ASK_STATUS) {
			reporter_say_json(d->reporter, REPORTER_STATUS, answer_metrics(d));
		} else if (what == REPORTER_WANT_QUARANTINE) {
			quarantine_wanted(d, text);
		}
	}
}

void daemon_tick_log(struct daemon *d)
{
	struct event_log_limits limits = event_log_limits(d->settings);

	event_log_tick(d->log, &limits, daemon_now_s(), (int64_t)time(NULL));
}

static void heed_timer(struct daemon *d)
{
	uint64_t ticks;

	if (read(d->timer, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	heed_watchdog(d);
	heed_gone_reporter(d);
	fleet_tick(d);
	daemon_read_tries(d);
	daemon_tick_log(d);
	learnt_expire(d->shared.learnt, daemon_now_s());
	listwatch_tick(d);
	apply_hours(d);
	quarantine_tick(d);
	if (daemon_now_s() - d->saved_s >= (d->unsaved ? d->save_pause_s : SAVE_EVERY_S))
		state_save(d);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int due_ms(const struct daemon *d)
{
	int64_t now = now_ms();
	int due = d->table_lost ? TABLE_AGAIN_MS : cut_due_ms(d, apply_due_ms(d));
	int others[] = { clients_due_ms(d->clients, now), notify_due_ms(&d->notify, now) };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		due = due < 0 || (others[i] >= 0 && others[i] < due) ? others[i] : due;
	return due;
}

/* The main loop is here; what of the workers? */
static bool all_move(struct daemon *d)
{
	bool all = true;

	for (unsigned i = 0; i < d->n_workers; i++)
		all &= worker_moved(d->workers[i]);
	return all;
}

void daemon_loop(struct daemon *d)
{
	struct pollfd fds[FIXED_FDS + CLIENTS_FDS] = {
		{ .fd = d->signals, .events = POLLIN },
		{ .fd = ring_fd(d->shared.events), .events = POLLIN },
		{ .fd = d->timer, .events = POLLIN },
		{ .fd = table_watch_fd(d->shared.table), .events = POLLIN },
		{ .fd = reporter_fd(d->reporter), .events = POLLIN },
	};

	while (!d->stop) {
		fds[5] = (struct pollfd){ .fd = fleet_fd(d), .events = (short)(POLLIN | (fleet_waits(d) ? POLLOUT : 0)) };
		fds[6] = (struct pollfd){ .fd = d->heir, .events = POLLIN };
		clients_poll(d->clients, fds + FIXED_FDS, now_ms());
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), due_ms(d)) < 0)
			continue;
		apply_tick(d);
		heed_hung(d);
		if (d->table_lost)
			mend_table(d);
		if (fds[0].revents)
			heed_signal(d);
		if (fds[1].revents)
			daemon_write_events(d);
		if (fds[2].revents)
			heed_timer(d);
		if (fds[3].revents)
			heed_table(d);
		cut_tick(d);
		if (fds[4].revents)
			heed_reporter(d);
		if (notify_due_ms(&d->notify, now_ms()) == 0)
			notify_alive(&d->notify, now_ms(), all_move(d));
		if (fds[5].revents)
			fleet_heed(d);
		if (fds[6].revents)
			takeover_heed(d);
		clients_serve(d->clients, fds + FIXED_FDS, now_ms(), heed_request, d);
	}
}
