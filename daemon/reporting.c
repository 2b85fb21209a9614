/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reporter's loop: events in, incidents kept, alerts out. It may wait for the hook's start or a slow verb; the process that
 * judges packets waits for nothing of it. */
#include "daemon/reporting.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/beside.h"
#include "daemon/clients.h"
#include "daemon/log.h"
#include "daemon/reporter.h"
#include "daemon/sighting.h"
#include "policy/policy.h"

/* What changed is written soon, counters alone only now and then: flash wears. */
#define SAVE_URGENT_MS 1000
#define SAVE_EVERY_MS 30000
#define SUMMARY_EVERY_MS 1000
/* How long a scrape waits for the daemon's figures; those from before are shown then. */
#define STATUS_PATIENCE_MS 500
#define FILE_EVERY_MS 15000
/* Messages that are taken before the other ends of the loop get their turn. */
#define MESSAGES_AT_ONCE 256
/* Messages kept until the settings come: more than the link holds while a new reporter is made. */
#define EARLY_MAX 4096

int64_t reporting_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void reporting_changed(struct reporting_loop *l, bool urgent)
{
	l->unsaved = true;
	l->urgent |= urgent;
	l->summary_due = true;
}

void reporting_send(struct reporting_loop *l, char tag, json_t *j)
{
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL, *message = NULL;
	size_t len = text ? strlen(text) : 0;

	message = malloc(len + 1);
	if (message) {
		message[0] = tag;
		if (len)
			memcpy(message + 1, text, len);
		/* The daemon reads when it has time; what it misses comes again with the next. */
		if (send(l->link, message, len + 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			errno = 0;
	}
	free(message);
	free(text);
	json_decref(j);
}

/* ---- names of devices ---- */

static bool leases_changed(struct reporting_loop *l)
{
	const struct reporting *r = &l->settings.reporting;
	bool changed = false;

	for (unsigned i = 0; i < r->n_leases; i++) {
		struct stat st = { 0 };
		int64_t mtime;

		if (stat(r->leases[i], &st))
			st.st_ino = 0;
		mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
		changed |= mtime != l->lease_files[i].mtime_ns || st.st_size != l->lease_files[i].size ||
			   st.st_ino != l->lease_files[i].inode;
		l->lease_files[i].mtime_ns = mtime;
		l->lease_files[i].size = st.st_size;
		l->lease_files[i].inode = st.st_ino;
	}
	return changed;
}

/* A file that cannot be read is said once; that it is not there yet is no fault. */
static void read_leases(struct reporting_loop *l)
{
	const struct reporting *r = &l->settings.reporting;

	leases_fini(&l->leases);
	for (unsigned i = 0; i < r->n_leases; i++) {
		struct stat st;
		size_t len;
		int error;
		char *text = leases_text(r->leases[i], &st, &len, &error);

		if (!error && len && leases_read(&l->leases, text, len) == LEASES_UNKNOWN)
			error = EILSEQ;
		if (error && error != ENOENT && error != l->lease_files[i].error)
			log_info("leases: %s: %s; devices keep their addresses as names", r->leases[i], error == EILSEQ ?
				 "is no lease file of dnsmasq, odhcpd or Kea" : error == EACCES ?
				 "the reporter's user (minewall, else nobody) may not read it" : strerror(error));
		l->lease_files[i].error = error;
		free(text);
	}
}

static void name_device(struct reporting_loop *l, struct sighting *s)
{
	if (!l->settings.reporting.n_leases)
		return;
	if (leases_changed(l))
		read_leases(l);
	snprintf(s->name, sizeof(s->name), "%s", leases_name(&l->leases, s->mac, s->address));
}

/* ---- events ---- */

static void put_campaign(struct reporting_loop *l, const struct incident *i, json_t *o)
{
	uint32_t others[16];
	size_t n = incident_campaign(&l->book, i, others, 16);
	json_t *list = json_array();

	for (size_t k = 0; k < n && k < 16; k++)
		json_array_append_new(list, json_integer(others[k]));
	json_object_set_new(o, "same_payee", list);
}

/* The daemon does it, if the policy wants it. */
static void want_quarantine(struct reporting_loop *l, const struct incident *i, int64_t for_s, bool again)
{
	json_t *addresses = json_array();

	for (size_t k = 0; k < INCIDENT_ADDRESSES; k++)
		if (*i->addresses[k])
			json_array_append_new(addresses, json_string(i->addresses[k]));
	reporting_send(l, REPORTER_WANT_QUARANTINE, json_pack("{s:o, s:s, s:I, s:b}", "addresses", addresses, "mac", i->mac, "for_s",
							      (json_int_t)for_s, "again", again));
}

/* Those that were there before a restart. */
static void bring_back(struct reporting_loop *l)
{
	int64_t now = (int64_t)time(NULL);

	for (size_t k = 0; k < l->book.n; k++)
		if (l->book.items[k]->quarantine_until_s > now)
			want_quarantine(l, l->book.items[k], l->book.items[k]->quarantine_until_s - now, true);
}

static void take_quarantined(struct reporting_loop *l, const char *text, size_t len)
{
	json_t *o = json_loadb(text, len, 0, NULL), *one;
	const char *mac = json_string_value(json_object_get(o, "mac"));
	struct incident *i = mac ? incident_of(&l->book, mac, "") : NULL;
	size_t k;

	json_array_foreach(json_object_get(o, "addresses"), k, one)
		if (!i && json_is_string(one))
			i = incident_of(&l->book, "", json_string_value(one));
	if (i) {
		i->quarantine_until_s = json_integer_value(json_object_get(o, "until_s"));
		reporting_changed(l, true);
	}
	json_decref(o);
}

static void alert(struct reporting_loop *l, const struct incident *i, enum incident_alert kind, int64_t when_s)
{
	const struct reporting *r = &l->settings.reporting;
	json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:o}", "alert", incident_alert_text(kind), "attempts",
			      (json_int_t)incident_recent(i, r->alert_within_s, when_s), "within_s", (json_int_t)r->alert_within_s,
			      "when_s", (json_int_t)when_s, "incident", incident_json(i));

	l->alerts++;
	if (r->quarantine == QUARANTINE_AUTO && i->quarantine_until_s <= (int64_t)time(NULL))
		want_quarantine(l, i, r->quarantine_time_s, false);
	if (o)
		put_campaign(l, i, json_object_get(o, "incident"));
	if (r->n_hook)
		hook_tell(&l->hook, o ? json_dumps(o, JSON_COMPACT) : NULL);
	json_decref(o);
}

static void see(struct reporting_loop *l, const char *line, size_t len)
{
	const struct schedule *hours = &l->settings.reporting.hours;
	json_t *event = json_loadb(line, len, 0, NULL);
	struct incident_change change;
	struct sighting s;
	uint32_t left_s;

	if (event)
		metrics_count(&l->counts, event);
	if (event && sighting_read(&s, event, l->settings.monitor)) {
		s.outside = hours->set && !schedule_holds(hours, s.when_s, &left_s);
		name_device(l, &s);
		change = incident_see(&l->book, &s);
		if (change.opened || change.reopened) {
			load_seed(&l->load, &l->settings.reporting, change.incident);
			load_hurry(&l->load);
		}
		if (change.incident)
			reporting_changed(l, change.opened || change.reopened || change.alert != ALERT_NONE);
		if (change.alert != ALERT_NONE)
			alert(l, change.incident, change.alert, s.when_s);
	}
	json_decref(event);
}

static void take_settings(struct reporting_loop *l, const char *bytes, size_t len)
{
	/* The first ones come twice: at the start, and when the new reporter asks. */
	if (len != sizeof(l->settings) || (l->has_settings && !memcmp(&l->settings, bytes, len)))
		return;
	load_end(&l->load);
	load_init(&l->load);
	memcpy(&l->settings, bytes, sizeof(l->settings));
	l->book.max = l->settings.reporting.incidents_max;
	l->book.alert_attempts = l->settings.reporting.alert_attempts;
	l->book.alert_within_s = l->settings.reporting.alert_within_s;
	memset(l->lease_files, 0, sizeof(l->lease_files));
	leases_fini(&l->leases);
	if (!l->has_settings) {
		incident_file_load(l);
		bring_back(l);
	}
	l->has_settings = l->serve_anew = true;
}

/* ---- figures ---- */

static void write_metrics(struct reporting_loop *l)
{
	const char *path = l->settings.reporting.metrics_file;
	json_t *summary = reporting_summary(l);
	size_t len;
	char *text = metrics_text(l->status, summary, &l->counts, &len);
	int err = text ? metrics_write(path, text, len) : -ENOMEM;

	if (err)
		l->counts.file_failures++;
	if (err && !l->file_failed)
		log_warn(err, "metrics.file %s cannot be written by the reporter's user (minewall, else nobody)", path);
	l->file_failed = err != 0;
	l->file_waits = false;
	free(text);
	json_decref(summary);
}

static void take_status(struct reporting_loop *l, const char *text, size_t len)
{
	json_t *status = json_loadb(text, len, 0, NULL);

	if (!status)
		return;
	json_decref(l->status);
	l->status = status;
	l->statuses++;
	if (l->file_waits && *l->settings.reporting.metrics_file)
		write_metrics(l);
}

static void take_message(struct reporting_loop *l, const char *bytes, size_t len)
{
	if (bytes[0] == REPORTER_EVENT)
		see(l, bytes + 1, len - 1);
	else if (bytes[0] == REPORTER_QUARANTINED)
		take_quarantined(l, bytes + 1, len - 1);
}

/* Without settings nothing can be counted, and what the file knows is not here yet. */
static void keep(struct reporting_loop *l, const char *bytes, size_t len)
{
	struct reporting_early *at;

	if (!l->early)
		l->early = calloc(EARLY_MAX, sizeof(*l->early));
	if (!l->early || l->n_early == EARLY_MAX)
		return;
	at = &l->early[l->n_early];
	at->len = len;
	at->bytes = malloc(len);
	if (!at->bytes)
		return;
	memcpy(at->bytes, bytes, len);
	l->n_early++;
}

static void take_early(struct reporting_loop *l)
{
	for (size_t i = 0; i < l->n_early; i++) {
		if (l->has_settings)
			take_message(l, l->early[i].bytes, l->early[i].len);
		free(l->early[i].bytes);
	}
	free(l->early);
	l->early = NULL;
	l->n_early = 0;
}

/* False: the daemon is gone. */
static bool heed_link(struct reporting_loop *l)
{
	static char bytes[BESIDE_BYTES_MAX];

	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		ssize_t n = recv(l->link, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		if (bytes[0] == REPORTER_SETTINGS)
			take_settings(l, bytes + 1, (size_t)n - 1);
		else if (bytes[0] == REPORTER_STATUS)
			take_status(l, bytes + 1, (size_t)n - 1);
		else if (l->has_settings)
			take_message(l, bytes, (size_t)n);
		else
			keep(l, bytes, (size_t)n);
		if (l->has_settings && l->n_early)
			take_early(l);
	}
	return true;
}

/* For a scrape: asks the daemon, and shows what it said before if it does not answer at once. */
static char *render(void *arg, size_t *len)
{
	struct reporting_loop *l = arg;
	struct pollfd fd = { .fd = l->link, .events = POLLIN };
	int64_t until = reporting_now_ms() + STATUS_PATIENCE_MS;
	uint64_t before = l->statuses;
	json_t *summary;
	char *text;

	reporting_send(l, REPORTER_ASK_STATUS, NULL);
	while (l->statuses == before && reporting_now_ms() < until && !l->stop)
		if (poll(&fd, 1, (int)(until - reporting_now_ms())) > 0 && !heed_link(l))
			l->stop = true;
	summary = reporting_summary(l);
	text = metrics_text(l->status, summary, &l->counts, len);
	json_decref(summary);
	return text;
}

/* Not where the settings come in: that may be in the midst of a scrape. */
static void serve_anew(struct reporting_loop *l)
{
	int err;

	l->serve_anew = false;
	metrics_serve_end(l->server);
	l->server = NULL;
	l->file_ms = 0;
	if (!l->settings.reporting.metrics_port)
		return;
	err = metrics_serve(&l->server, &l->settings.reporting, render, l);
	if (err)
		log_warn(err, "metrics.listen: port %u cannot be served%s", l->settings.reporting.metrics_port,
			 err == -ELIBACC ? " (libmicrohttpd.so.12 is not installed)" : err == -ENOSYS ?
			 " (built without libmicrohttpd)" : "");
}

static json_t *heed_verb(void *arg, struct client *from, const json_t *request)
{
	struct reporting_loop *l = arg;

	(void)from;
	/* What the daemon said before the verb was given comes first. */
	if (!heed_link(l))
		l->stop = true;
	return incident_answer(l, request);
}

static void heed_signals(struct reporting_loop *l)
{
	struct signalfd_siginfo s;

	while (read(l->signals, &s, sizeof(s)) == sizeof(s))
		l->stop |= s.ssi_signo == SIGTERM;
}

json_t *reporting_summary(const struct reporting_loop *l)
{
	size_t n[INCIDENT_STATES] = { 0 };
	json_t *states = json_object(), *hook;

	for (size_t i = 0; i < l->book.n; i++)
		n[l->book.items[i]->state]++;
	for (int s = 0; s < INCIDENT_STATES; s++)
		json_object_set_new(states, incident_state_text((enum incident_state)s), json_integer((json_int_t)n[s]));
	hook = json_pack("{s:b, s:I, s:I, s:I, s:i}", "set", l->settings.reporting.n_hook > 0, "runs", (json_int_t)l->hook.runs,
			 "failures", (json_int_t)l->hook.failures, "dropped", (json_int_t)l->hook.dropped, "waiting",
			 (int)l->hook.n + (l->hook.pid > 0));
	if (hook && *l->hook.last_error)
		json_object_set_new(hook, "last_error", json_string(l->hook.last_error));
	return json_pack("{s:o, s:I, s:I, s:o}", "incidents", states, "dropped", (json_int_t)l->book.dropped, "alerts",
			 (json_int_t)l->alerts, "hook", hook);
}

/* The earliest of what is due, in milliseconds; -1: nothing. */
static int due_ms(const struct reporting_loop *l)
{
	int64_t now = reporting_now_ms(), due = -1, at;
	int hook = hook_due_ms(&l->hook, now);

	if (l->unsaved) {
		at = l->saved_ms + (l->urgent ? SAVE_URGENT_MS : SAVE_EVERY_MS) - now;
		due = at > 0 ? at : 0;
	}
	if (l->summary_due) {
		at = l->summary_ms + SUMMARY_EVERY_MS - now;
		at = at > 0 ? at : 0;
		due = due < 0 || at < due ? at : due;
	}
	if (hook >= 0 && (due < 0 || hook < due))
		due = hook;
	if (*l->settings.reporting.metrics_file) {
		at = l->file_ms + FILE_EVERY_MS - now;
		at = at > 0 ? at : 0;
		due = due < 0 || at < due ? at : due;
	}
	at = load_due_ms(&l->load, &l->settings.reporting, now);
	if (at >= 0 && (due < 0 || at < due))
		due = at;
	at = metrics_serve_due_ms(l->server);
	if (at >= 0 && (due < 0 || at < due))
		due = at;
	at = clients_due_ms(l->clients, now);
	if (at >= 0 && (due < 0 || at < due))
		due = at;
	return (int)due;
}

static void tick(struct reporting_loop *l)
{
	int64_t now = reporting_now_ms();

	if (l->serve_anew)
		serve_anew(l);
	if (*l->settings.reporting.metrics_file && now - l->file_ms >= FILE_EVERY_MS) {
		l->file_ms = now;
		l->file_waits = true;
		reporting_send(l, REPORTER_ASK_STATUS, NULL);
	}
	if (load_tick(&l->load, &l->settings.reporting, &l->book, now, (int64_t)time(NULL)))
		reporting_changed(l, true);
	l->summary_due |= hook_tick(&l->hook, &l->settings.reporting, now);
	if (l->unsaved && now - l->saved_ms >= (l->urgent ? SAVE_URGENT_MS : SAVE_EVERY_MS))
		incident_file_save(l);
	if (l->summary_due && now - l->summary_ms >= SUMMARY_EVERY_MS) {
		l->summary_due = false;
		l->summary_ms = now;
		reporting_send(l, REPORTER_SUMMARY, reporting_summary(l));
	}
}

static bool open_signals(struct reporting_loop *l)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals >= 0;
}

int reporting_run(int link, int folder, int listening)
{
	static struct reporting_loop l;
	struct pollfd fds[4 + CLIENTS_FDS] = { { .fd = link, .events = POLLIN }, { .events = POLLIN }, { .events = POLLIN }, { .events = POLLIN } };

	l = (struct reporting_loop) { .link = link, .folder = folder, .clients = clients_new(listening) };
	l.saved_ms = l.summary_ms = reporting_now_ms() - SAVE_EVERY_MS;
	incident_book_init(&l.book, 512);
	load_init(&l.load);
	if (!l.clients || !open_signals(&l))
		return 1;
	fds[1].fd = l.signals;
	reporting_send(&l, REPORTER_HELLO, NULL);
	l.summary_due = true;
	while (!l.stop) {
		fds[2].fd = metrics_serve_fd(l.server);
		fds[3].fd = l.load.fd;
		clients_poll(l.clients, fds + 4, reporting_now_ms());
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), due_ms(&l)) < 0) {
			if (errno != EINTR)
				break;
			continue;
		}
		heed_signals(&l);
		if (fds[0].revents && !heed_link(&l))
			l.stop = true;
		clients_serve(l.clients, fds + 4, reporting_now_ms(), heed_verb, &l);
		metrics_serve_run(l.server);
		tick(&l);
	}
	if (l.unsaved)
		incident_file_save(&l);
	take_early(&l);
	clients_free(l.clients);
	load_end(&l.load);
	metrics_serve_end(l.server);
	json_decref(l.status);
	hook_fini(&l.hook);
	leases_fini(&l.leases);
	incident_book_fini(&l.book);
	return 0;
}
