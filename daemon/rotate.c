/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Renaming is quick and done by the caller; compressing takes a moment and is done by a thread that yields to everybody. A thread
 * and not a process, since the sandbox lets nobody start one; the two never touch the files at the same time. */
#include "daemon/rotate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "daemon/log.h"

/* No policy keeps more (policy/schema.c). */
#define NUMBER_MAX 1000
#define CHUNK (64 * 1024)

struct rotate {
	char *path;
	struct event_log_limits limits;
	int64_t now_s;
	pthread_t thread;
	bool started;
	atomic_bool busy;
};

struct rotate *rotate_new(const char *path)
{
	struct rotate *r = calloc(1, sizeof(*r));

	if (r)
		r->path = strdup(path);
	if (!r || !r->path) {
		free(r);
		return NULL;
	}
	return r;
}

static void join(struct rotate *r)
{
	if (r->started)
		pthread_join(r->thread, NULL);
	r->started = false;
}

void rotate_free(struct rotate *r)
{
	if (!r)
		return;
	join(r);
	free(r->path);
	free(r);
}

bool rotate_due(const struct event_log_limits *limits, uint64_t size)
{
	uint64_t full = limits->budget && limits->budget / 4 < limits->size ? limits->budget / 4 : limits->size;

	return limits->size && size >= full;
}

int64_t rotate_first_line(const char *path)
{
	char start[64];
	struct tm tm = { .tm_isdst = -1 };
	struct stat st;
	ssize_t n = -1;
	int fd = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd >= 0) {
		n = read(fd, start, sizeof(start) - 1);
		close(fd);
	}
	if (n <= 0)
		return 0;
	start[n] = '\0';
	/* The offset is ours: it is our file. Without a time the age is unknown, as before the clock was set. */
	return strptime(start, "{\"timestamp\":\"%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)mktime(&tm) : 1;
}

/* FILE.3 or FILE.3.gz. */
static void numbered(char *to, size_t size, const char *path, unsigned number, bool packed)
{
	snprintf(to, size, "%s.%u%s", path, number, packed ? ".gz" : "");
}

int rotate_shift(const char *path, uint32_t keep)
{
	char from[4096 + 32], to[4096 + 32];

	for (unsigned n = keep < NUMBER_MAX ? keep : NUMBER_MAX; n > 0; n--)
		for (int packed = 0; packed < 2; packed++) {
			numbered(from, sizeof(from), path, n, packed);
			numbered(to, sizeof(to), path, n + 1, packed);
			if ((n >= keep ? unlink(from) : rename(from, to)) && errno != ENOENT)
				return -errno;
		}
	numbered(to, sizeof(to), path, 1, false);
	return rename(path, to) ? -errno : 0;
}

static int pack_into(int from, gzFile to)
{
	char *chunk = malloc(CHUNK);
	ssize_t n = 0;
	int err = chunk ? 0 : -ENOMEM;

	while (!err && (n = read(from, chunk, CHUNK)) > 0)
		if (gzwrite(to, chunk, (unsigned)n) != (int)n)
			err = -ENOSPC;
	free(chunk);
	return n < 0 ? -errno : err;
}

/* Under another name first: half a file never has the right one. It keeps the time of its last line. */
static int pack(const char *path, const char *packed)
{
	char fresh[4096 + 48];
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), fd, err;
	struct stat st;
	gzFile to;

	if (from < 0 || fstat(from, &st)) {
		err = -errno;
		if (from >= 0)
			close(from);
		return err;
	}
	snprintf(fresh, sizeof(fresh), "%s.new", packed);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
	to = fd >= 0 ? gzdopen(fd, "wb") : NULL;
	err = to ? pack_into(from, to) : fd < 0 ? -errno : -ENOMEM;
	if (to && gzclose(to) != Z_OK && !err)
		err = -ENOSPC;
	else if (!to && fd >= 0)
		close(fd);
	close(from);
	if (!err && utimensat(AT_FDCWD, fresh, (const struct timespec[]){ st.st_atim, st.st_mtim }, 0))
		err = -errno;
	if (!err && rename(fresh, packed))
		err = -errno;
	unlink(err ? fresh : path);
	return err;
}

struct aside {
	unsigned number;
	bool packed;
	struct stat st;
};

/* What lies there under our names, the oldest first; other names are others'. */
static size_t list(const char *path, struct aside *to, size_t max)
{
	char name[4096 + 32];
	size_t n = 0;

	for (unsigned number = NUMBER_MAX; number > 0; number--)
		for (int packed = 0; packed < 2 && n < max; packed++) {
			numbered(name, sizeof(name), path, number, packed);
			if (lstat(name, &to[n].st) || !S_ISREG(to[n].st.st_mode))
				continue;
			to[n].number = number;
			to[n++].packed = packed;
		}
	return n;
}

static void drop(const struct rotate *r, const struct aside *a)
{
	char name[4096 + 32];

	numbered(name, sizeof(name), r->path, a->number, a->packed);
	unlink(name);
}

static void pack_all(const struct rotate *r, const struct aside *files, size_t n)
{
	char name[4096 + 32], packed[4096 + 40];
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		if (files[i].packed)
			continue;
		numbered(name, sizeof(name), r->path, files[i].number, false);
		numbered(packed, sizeof(packed), r->path, files[i].number, true);
		err = pack(name, packed);
		if (err)
			break;
	}
	if (err)
		log_warn(err, "%s cannot be compressed; it stays as it is", name);
}

static void drop_surplus(const struct rotate *r, const struct aside *files, size_t n)
{
	uint64_t all = 0;
	struct stat st;
	bool aged = false;

	if (lstat(r->path, &st) == 0)
		all = (uint64_t)st.st_size;
	for (size_t i = 0; i < n; i++)
		all += (uint64_t)files[i].st.st_size;
	for (size_t i = 0; i < n; i++) {
		int64_t written_s = (int64_t)files[i].st.st_mtim.tv_sec;
		bool old = r->now_s && r->limits.days && !aged && written_s >= ROTATE_CLOCK_SET_S &&
			   r->now_s - written_s > (int64_t)r->limits.days * 86400;

		if (files[i].number <= r->limits.keep && (!r->limits.budget || all <= r->limits.budget) && !old)
			continue;
		aged |= old;
		all -= (uint64_t)files[i].st.st_size;
		drop(r, &files[i]);
	}
}

static void *tidy(void *arg)
{
	struct rotate *r = arg;
	struct aside *files = calloc(2 * NUMBER_MAX, sizeof(*files));

	setpriority(PRIO_PROCESS, 0, 19);	/* of this thread alone */
	if (files) {
		pack_all(r, files, list(r->path, files, 2 * NUMBER_MAX));
		drop_surplus(r, files, list(r->path, files, 2 * NUMBER_MAX));
	}
	free(files);
	atomic_store(&r->busy, false);
	return NULL;
}

bool rotate_busy(struct rotate *r)
{
	if (r->started && !atomic_load(&r->busy))
		join(r);
	return r->started;
}

void rotate_tidy(struct rotate *r, const struct event_log_limits *limits, int64_t now_s)
{
	int err;

	/* Without a size the files are somebody else's, logrotate's. */
	if (!limits->size || rotate_busy(r))
		return;
	r->limits = *limits;
	r->now_s = now_s;
	atomic_store(&r->busy, true);
	err = pthread_create(&r->thread, NULL, tidy, r);
	if (err)
		log_warn(err, "files of the event log cannot be compressed");
	r->started = !err;
}
