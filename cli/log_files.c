/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All files are opened before the first line is read, so that a rotation in the meantime neither hides a line nor shows one
 * twice. What is found in the folder is not trusted: names decide the order and nothing else. */
#include "cli/log_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/log_line.h"
#include "cli/unzstd.h"

/* More are no rotation but an accident; each costs a descriptor. */
#define FILES_MAX 400
#define READ_SIZE (256 * 1024)
/* How often a file that is followed is looked at. */
#define LOOK_EVERY_MS 200
/* A file written later than it says, or by another clock, is not left out for an hour. */
#define SLACK_S 3600

struct part {
	char *name;		/* in the folder */
	long number;		/* FILE.7: 7; -1: FILE itself; 0: named by date */
	struct stat st;
	int fd;
	gzFile gz;		/* in place of fd */
	struct unzstd *zst;	/* beside it */
};

struct log_files {
	char *folder, *base;
	struct part *parts;
	size_t n, at;
	bool follow;
	char *buffer;
	size_t start, seen, used;	/* lines not given out yet; up to `seen` there is no end of a line */
	bool skipping;			/* in the midst of a line that is too long */
	size_t too_long;
	char broken[256];
	const char *why;
};

/* "eve.json.3.gz" is 3, "eve.json-20261124.gz" and "eve-20261124.json" are 0; -2: not of this log. */
static long rotation_of(const char *name, const char *base)
{
	size_t len = strlen(base), stem = strcspn(base, ".");
	const char *rest;
	char *end;
	long n;

	if (!strcmp(name, base))
		return -1;
	if (!strncmp(name, base, len) && (name[len] == '.' || name[len] == '-'))
		rest = name + len;
	else if (stem && !strncmp(name, base, stem) && name[stem] == '-' && strstr(name, base + stem))
		rest = name + stem;
	else
		return -2;
	if (rest[1] < '0' || rest[1] > '9')
		return -2;
	n = strtol(rest + 1, &end, 10);
	if (*rest == '.' && n > 0 && n < 100000)
		return !*end || !strcmp(end, ".gz") || !strcmp(end, ".zst") ? n : -2;
	/* Dates, with a time or a number behind; what is being made (".new") is not there yet. */
	if (strstr(end, ".new") || strstr(end, ".tmp"))
		return -2;
	return n >= 19700101 ? 0 : -2;
}

/* Numbers fall, dates rise; where both are, the clock must do. FILE is the last. */
static int by_age(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if ((x->number == -1) != (y->number == -1))
		return x->number == -1 ? 1 : -1;
	if (x->number > 0 && y->number > 0 && x->number != y->number)
		return x->number > y->number ? -1 : 1;
	if (!x->number && !y->number)
		return strcmp(x->name, y->name);
	/* The same number twice: FILE.3 and FILE.3.gz. */
	if (x->number == y->number)
		return strlen(x->name) < strlen(y->name) ? -1 : 1;
	return x->st.st_mtime < y->st.st_mtime ? -1 : x->st.st_mtime > y->st.st_mtime;
}

static void part_close(struct part *p)
{
	unzstd_close(p->zst);
	if (p->gz)
		gzclose(p->gz);
	else if (p->fd >= 0)
		close(p->fd);
	free(p->name);
}

static void parts_free(struct part *parts, size_t n)
{
	for (size_t i = 0; parts && i < n; i++)
		part_close(&parts[i]);
	free(parts);
}

static int part_open(int folder, struct part *p, const char *name)
{
	unsigned char magic[4] = { 0 };
	int err;

	/* A pipe under such a name must not keep us waiting. */
	p->fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (p->fd < 0 || fstat(p->fd, &p->st)) {
		err = -errno;
		if (p->fd >= 0)
			close(p->fd);
		return err;
	}
	if (!S_ISREG(p->st.st_mode)) {
		close(p->fd);
		return -EINVAL;
	}
	p->gz = NULL;
	p->zst = NULL;
	if (p->number >= 0 && pread(p->fd, magic, 4, 0) == 4 && !memcmp(magic, UNZSTD_MAGIC, 4)) {
		err = unzstd_open(&p->zst, p->fd);
		if (err) {
			close(p->fd);
			return err;
		}
	}
	if (magic[0] == 0x1f && magic[1] == 0x8b) {
		p->gz = gzdopen(p->fd, "rb");
		if (p->gz)
			gzbuffer(p->gz, 128 * 1024);
	}
	p->name = strdup(name);
	return 0;
}

static void say_broken(struct log_files *f, const char *name, const char *why)
{
	if (f->why)
		return;
	snprintf(f->broken, sizeof(f->broken), "%s", name);
	f->why = why;
}

/* Opens what is there now. The number of files, or -errno of FILE itself. */
static int list_parts(struct log_files *f, int64_t since_us, struct part **out)
{
	DIR *folder = opendir(f->folder);
	struct part *parts = calloc(FILES_MAX, sizeof(*parts));
	const struct dirent *entry;
	int n = 0, err = folder ? 0 : -errno;

	while (folder && parts && (entry = readdir(folder)) && n < FILES_MAX) {
		struct part *p = &parts[n];
		int opened;

		p->number = rotation_of(entry->d_name, f->base);
		if (p->number < -1)
			continue;
		opened = part_open(dirfd(folder), p, entry->d_name);
		if (opened && p->number == -1)
			err = opened;
		else if (opened && opened != -ENOENT && opened != -EINVAL)
			say_broken(f, entry->d_name, opened == -ENOTSUP ? "it is compressed by zstd, whose library is not here: unpack it first" : strerror(-opened));
		if (opened)
			continue;
		/* A clock that was never set says nothing about age. */
		if (p->number >= 0 && p->st.st_mtime >= LOG_CLOCK_SET_US / 1000000 && p->st.st_mtime + SLACK_S < since_us / 1000000)
			part_close(p);
		else
			n++;
	}
	if (folder)
		closedir(folder);
	if (err || !parts || !n) {
		parts_free(parts, parts ? (size_t)n : 0);
		return err ? err : parts ? 0 : -ENOMEM;
	}
	qsort(parts, (size_t)n, sizeof(*parts), by_age);
	*out = parts;
	return n;
}

/* Was a file renamed while they were being opened? */
static bool moved(const struct log_files *f)
{
	char path[4096 + 256];
	struct stat st;

	for (size_t i = 0; i < f->n; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->folder, f->parts[i].name);
		if (stat(path, &st) || st.st_ino != f->parts[i].st.st_ino || st.st_dev != f->parts[i].st.st_dev)
			return true;
	}
	return false;
}

/* One of FILE.3 and FILE.3.gz, and one of two names of one file: the first. */
static void drop_doubles(struct log_files *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct part *last = n ? &f->parts[n - 1] : NULL, *p = &f->parts[i];
		size_t len = last ? strlen(last->name) : 0;
		bool same = last && ((last->number > 0 && last->number == p->number) ||
				     (last->st.st_ino == p->st.st_ino && last->st.st_dev == p->st.st_dev) ||
				     (!strncmp(last->name, p->name, len) && (!strcmp(p->name + len, ".gz") || !strcmp(p->name + len, ".zst"))));

		if (same)
			part_close(&f->parts[i]);
		else
			f->parts[n++] = f->parts[i];
	}
	f->n = n;
}

int log_files_open(struct log_files **out, const char *path, int64_t since_us, bool follow)
{
	struct log_files *f = calloc(1, sizeof(*f));
	const char *slash = strrchr(path, '/');
	int n = -ENOMEM;

	*out = NULL;
	if (!f)
		return -ENOMEM;
	f->follow = follow;
	f->folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	f->base = strdup(slash ? slash + 1 : path);
	f->buffer = malloc(LOG_LINE_MAX + READ_SIZE);
	for (int tries = 0; f->folder && f->base && f->buffer && tries < 5; tries++) {
		n = list_parts(f, since_us, &f->parts);
		if (n < 0)
			break;
		f->n = (size_t)n;
		if (!moved(f))
			break;
		if (tries < 4)
			parts_free(f->parts, f->n);
	}
	if (n <= 0) {
		f->n = 0;
		log_files_close(f);
		return n ? n : -ENOENT;
	}
	drop_doubles(f);
	*out = f;
	return 0;
}

void log_files_close(struct log_files *f)
{
	if (!f)
		return;
	if (f->n)
		parts_free(f->parts, f->n);
	free(f->folder);
	free(f->base);
	free(f->buffer);
	free(f);
}

/* Reads on in the file that is open. 0 at its end, for now. */
static size_t read_on(struct log_files *f)
{
	struct part *p = &f->parts[f->at];
	size_t room = LOG_LINE_MAX + READ_SIZE - f->used;
	ssize_t n = p->gz ? gzread(p->gz, f->buffer + f->used, (unsigned)room) : p->zst ? unzstd_read(p->zst, f->buffer + f->used, room) :
		    read(p->fd, f->buffer + f->used, room);
	int err = 0;

	if (n == -ENODATA && p->zst) {
		say_broken(f, p->name, "its compressed text is cut short");
	} else if (n < 0) {
		say_broken(f, p->name, p->gz || p->zst ? "its compressed text is damaged" : strerror(errno));
	} else if (n == 0 && p->gz) {
		if (gzerror(p->gz, &err) && err == Z_BUF_ERROR)
			say_broken(f, p->name, "its compressed text is cut short");
	}
	return n > 0 ? (size_t)n : 0;
}

/* Half a line at a file's end is given out as one: whoever reads it sees that it is none. */
static bool take_rest(struct log_files *f, const char **line, size_t *len)
{
	bool any = f->used > f->start && !f->skipping;

	*line = f->buffer + f->start;
	*len = f->used - f->start;
	f->start = f->used = f->seen = 0;
	f->skipping = false;
	return any;
}

static bool take_line(struct log_files *f, const char **line, size_t *len)
{
	char *end;

	while ((end = memchr(f->buffer + f->seen, '\n', f->used - f->seen))) {
		bool whole = !f->skipping && (size_t)(end - f->buffer) - f->start <= LOG_LINE_MAX;

		*line = f->buffer + f->start;
		*len = (size_t)(end - *line);
		f->start = f->seen = (size_t)(end - f->buffer) + 1;
		f->too_long += !whole && !f->skipping;
		f->skipping = false;
		if (whole)
			return true;
	}
	f->seen = f->used;
	return false;
}

/* Room for more: what is left goes to the front, and a line that is too long already is not kept. */
static void make_room(struct log_files *f)
{
	size_t left = f->used - f->start;

	if (left > LOG_LINE_MAX || f->skipping) {
		f->too_long += !f->skipping;
		f->skipping = true;
		left = 0;
	}
	memmove(f->buffer, f->buffer + f->used - left, left);
	f->start = 0;
	f->used = f->seen = left;
}

bool log_files_next(struct log_files *f, const char **line, size_t *len)
{
	while (f->at < f->n) {
		size_t n;

		if (take_line(f, line, len))
			return true;
		make_room(f);
		n = read_on(f);
		f->used += n;
		if (n)
			continue;
		if (f->at + 1 == f->n && f->follow)
			return false;
		f->at++;
		if (take_rest(f, line, len))
			return true;
	}
	return false;
}

/* The file that was read has another name now: those after it, and the new one, come next. */
static void open_newer(struct log_files *f)
{
	struct stat old = f->parts[f->at].st;
	struct part *parts = NULL;
	int n = list_parts(f, 0, &parts);
	size_t first = 0;

	if (n <= 0 || !parts || parts[n - 1].number != -1) {
		if (n > 0)
			parts_free(parts, (size_t)n);
		return;		/* in the midst of a rotation: the next look sees it */
	}
	for (size_t i = 0; i < (size_t)n; i++)
		if (parts[i].st.st_ino == old.st_ino && parts[i].st.st_dev == old.st_dev)
			first = i + 1;
	/* Compressed already, so that it is another file: only the new one is surely unread. */
	if (!first)
		first = (size_t)n - 1;
	if (first == (size_t)n)
		first--;
	for (size_t i = 0; i < first; i++)
		part_close(&parts[i]);
	memmove(parts, parts + first, ((size_t)n - first) * sizeof(*parts));
	parts_free(f->parts, f->n);
	f->parts = parts;
	f->n = (size_t)n - first;
	f->at = 0;
	f->start = f->used = f->seen = 0;
	f->skipping = false;
}

void log_files_wait(struct log_files *f)
{
	struct part *p = &f->parts[f->at];
	char path[4096 + 256];
	struct stat there, here;
	off_t at = p->gz || p->zst ? p->st.st_size : lseek(p->fd, 0, SEEK_CUR);

	poll(NULL, 0, LOOK_EVERY_MS);
	snprintf(path, sizeof(path), "%s/%s", f->folder, f->base);
	if (fstat(p->fd, &here))
		return;
	if (here.st_size > at)
		return;		/* first what is left in it */
	if (here.st_size < at) {
		lseek(p->fd, 0, SEEK_SET);
		f->start = f->used = f->seen = 0;
		f->skipping = false;
		return;
	}
	if (p->number != -1 || (stat(path, &there) == 0 && (there.st_ino != here.st_ino || there.st_dev != here.st_dev)))
		open_newer(f);
}

size_t log_files_long(const struct log_files *f)
{
	return f->too_long;
}

const char *log_files_broken(const struct log_files *f, const char **why)
{
	*why = f->why;
	return f->why ? f->broken : NULL;
}
