/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writer of the event log. Runs off the packet path; a full disk costs events, which are counted, and never a
 * verdict. What takes long, compressing, is done by daemon/rotate.c in a thread of its own. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/event.h"
#include "daemon/log.h"
#include "daemon/rotate.h"

/* Lines held back, in bytes: then they are written, however young. */
#define BUFFER_MAX (64 * 1024)
/* Retention by days looks so often, and after the start or a jump of the clock not before. One file goes at a time: a clock that is
 * wrong for a while must not cost the whole log. */
#define DAYS_EVERY_S 3600
/* What the clock may be set by without being taken for a jump. */
#define JUMP_S 600

struct event_log {
	char *path;
	int fd;
	uint64_t lost;
	bool failing;			/* the last line was lost, and this has been said */
	struct event_log_limits limits;
	char *buffer;
	size_t used;
	uint64_t held;			/* lines in it */
	uint64_t mono_s, held_since_s;	/* of the last tick; of the first line held */
	int64_t first_s;		/* when the file's first line was written; 0: it has none */
	int64_t skew_s;			/* CLOCK_REALTIME less CLOCK_MONOTONIC, at the last tick */
	uint64_t days_due_s;
	uint64_t retry_s;		/* a rotation failed: not again before */
	struct rotate *rotate;
	void (*tee)(void *arg, const char *line, size_t len);	/* NULL: none */
	void *tee_arg;
};

int event_log_reopen(struct event_log *log)
{
	/* O_NONBLOCK: a pipe that nobody reads must not stop the daemon. */
	int fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);

	if (fd < 0)
		return -errno;
	if (log->fd >= 0)
		close(log->fd);
	log->fd = fd;
	log->first_s = rotate_first_line(log->path);
	return 0;
}

int event_log_open(struct event_log **out, const char *path)
{
	struct event_log *log = calloc(1, sizeof(*log));
	int err = -ENOMEM;

	*out = NULL;
	if (!log)
		return err;
	log->fd = -1;
	log->path = strdup(path);
	log->buffer = malloc(BUFFER_MAX);
	log->rotate = rotate_new(path);
	if (log->path && log->buffer && log->rotate)
		err = event_log_reopen(log);
	if (err) {
		event_log_close(log);
		return err;
	}
	*out = log;
	return 0;
}

void event_log_close(struct event_log *log)
{
	if (!log)
		return;
	event_log_flush(log);
	rotate_free(log->rotate);
	if (log->fd >= 0)
		close(log->fd);
	free(log->buffer);
	free(log->path);
	free(log);
}

void event_log_tee(struct event_log *log, void (*tee)(void *arg, const char *line, size_t len), void *arg)
{
	log->tee = tee;
	log->tee_arg = arg;
}

uint64_t event_log_lost(const struct event_log *log)
{
	return log->lost;
}

/* Has the file been moved or removed under us? Then the line belongs into a new one. */
static bool log_gone(const struct event_log *log)
{
	struct stat ours, there;

	return fstat(log->fd, &ours) || stat(log->path, &there) || ours.st_ino != there.st_ino || ours.st_dev != there.st_dev;
}

/* Lines that a full disk cut short are taken back, so that readers never meet half a line. */
static int write_lines(int fd, const char *lines, size_t len)
{
	off_t start = lseek(fd, 0, SEEK_END);
	ssize_t n = write(fd, lines, len);
	int err = n < 0 ? -errno : -ENOSPC;

	if (n == (ssize_t)len)
		return 0;
	if (n > 0 && start >= 0 && ftruncate(fd, start) == 0)
		lseek(fd, start, SEEK_SET);
	return err;
}

/* Says the beginning and the end of a gap, not every line in it. */
static void say_losses(struct event_log *log, int err, uint64_t lines)
{
	if (err)
		log->lost += lines;
	if (err && !log->failing)
		log_warn(err, "event log %s cannot be written, events are lost; blocking goes on", log->path);
	else if (!err && log->failing)
		log_info("event log %s is written again; %" PRIu64 " events were lost since the start", log->path, log->lost);
	log->failing = err != 0;
}

static int64_t now_real_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec;
}

/* The file is put aside when it is full, and when it is so old that its events could not go in time. */
static void put_aside(struct event_log *log, bool old)
{
	struct stat st;
	int err;

	if (!log->limits.size || rotate_busy(log->rotate) || log->retry_s > log->mono_s || fstat(log->fd, &st) || !S_ISREG(st.st_mode) ||
	    !st.st_size || (!old && !rotate_due(&log->limits, (uint64_t)st.st_size)))
		return;
	err = rotate_shift(log->path, log->limits.keep);
	if (!err)
		err = event_log_reopen(log);
	if (err) {
		log_warn(err, "event log %s cannot be rotated; it grows on", log->path);
		log->retry_s = log->mono_s + DAYS_EVERY_S;
		return;
	}
	rotate_tidy(log->rotate, &log->limits, 0);
}

void event_log_flush(struct event_log *log)
{
	size_t used = log->used;
	uint64_t held = log->held;
	int err = 0;

	if (!used)
		return;
	log->used = 0;
	log->held = 0;
	if (log->fd < 0 || log_gone(log))
		err = event_log_reopen(log);
	if (!err)
		err = write_lines(log->fd, log->buffer, used);
	if (!err && !log->first_s)
		log->first_s = now_real_s();
	say_losses(log, err, held);
	if (!err)
		put_aside(log, false);
}

void event_log_write(struct event_log *log, const struct event *e)
{
	json_t *j = event_json(e);
	char *line = j ? json_dumps(j, JSON_COMPACT) : NULL;
	size_t len = line ? strlen(line) + 1 : 0;

	json_decref(j);
	if (line && log->tee)
		log->tee(log->tee_arg, line, len - 1);
	if (!line || len > BUFFER_MAX) {
		say_losses(log, -ENOMEM, 1);
		free(line);
		return;
	}
	line[len - 1] = '\n';	/* in place of the NUL */
	if (log->used + len > BUFFER_MAX)
		event_log_flush(log);
	memcpy(log->buffer + log->used, line, len);
	log->used += len;
	if (!log->held++)
		log->held_since_s = log->mono_s;
	if (!log->limits.buffer_s)
		event_log_flush(log);
	free(line);
}

/* Events older than `days` are to go, also where there are few: a file's share of the time is what it may hold. */
static bool too_old(const struct event_log *log, int64_t now_s)
{
	int64_t share_s = (int64_t)log->limits.days * 86400 / (log->limits.keep ? log->limits.keep : 1);

	return log->limits.days && log->first_s >= ROTATE_CLOCK_SET_S && now_s - log->first_s > (share_s > 86400 ? share_s : 86400);
}

struct event_log_limits event_log_limits(const struct settings *s)
{
	return (struct event_log_limits){ .size = s->log_size, .keep = s->log_keep, .days = s->log_days, .budget = s->log_budget,
					  .buffer_s = s->log_buffer_s };
}

static bool same_limits(const struct event_log_limits *a, const struct event_log_limits *b)
{
	return a->size == b->size && a->keep == b->keep && a->days == b->days && a->budget == b->budget && a->buffer_s == b->buffer_s;
}

void event_log_tick(struct event_log *log, const struct event_log_limits *limits, uint64_t mono_s, int64_t now_s)
{
	int64_t skew_s = now_s - (int64_t)mono_s;
	bool jumped = skew_s - log->skew_s > JUMP_S || log->skew_s - skew_s > JUMP_S;

	log->mono_s = mono_s;
	log->skew_s = skew_s;
	if (!same_limits(&log->limits, limits)) {
		log->limits = *limits;
		rotate_tidy(log->rotate, limits, 0);
	}
	if (jumped)	/* the first tick is one, too */
		log->days_due_s = mono_s + DAYS_EVERY_S;
	if (log->held && mono_s - log->held_since_s >= log->limits.buffer_s)
		event_log_flush(log);
	else
		put_aside(log, false);
	if (mono_s < log->days_due_s)
		return;
	log->days_due_s = mono_s + DAYS_EVERY_S;
	if (too_old(log, now_s))
		put_aside(log, true);
	rotate_tidy(log->rotate, &log->limits, now_s);
}
