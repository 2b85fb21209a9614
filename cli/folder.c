/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Step by step by descriptors, so that nothing can be put in the way between a look and a step. It reads no file. */
#include "cli/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 16
#define STEP (O_PATH | O_NOFOLLOW | O_CLOEXEC)

struct walk {
	int fd;				/* the folder reached so far */
	char rest[2 * PATH_MAX];	/* what is still to go */
	unsigned links;
	bool make;
};

static int open_start(const char *path)
{
	return open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* How many more steps there are behind this one. */
static unsigned steps_behind(const char *rest)
{
	unsigned n = 0;

	for (rest += strspn(rest, "/"); *rest; n++) {
		rest += strcspn(rest, "/");
		rest += strspn(rest, "/");
	}
	return n;
}

/* `link` is an open link: what it says comes before the rest. */
static int follow(struct walk *w, int link, const struct stat *st, const char *behind)
{
	char to[PATH_MAX], rest[2 * PATH_MAX];
	ssize_t n;
	int start;

	if ((st->st_uid != 0 && st->st_uid != geteuid()) || ++w->links > LINKS_MAX)
		return -ELOOP;
	n = readlinkat(link, "", to, sizeof(to) - 1);
	if (n < 0)
		return -errno;
	to[n] = '\0';
	if (snprintf(rest, sizeof(rest), "%s/%s", to, behind) >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	if (*to == '/') {
		start = open_start(to);
		if (start < 0)
			return -errno;
		close(w->fd);
		w->fd = start;
	}
	memcpy(w->rest, rest, sizeof(rest));
	return 0;
}

/* One step down. 0 or -errno. */
static int step(struct walk *w)
{
	char *name = w->rest + strspn(w->rest, "/"), *behind = name + strcspn(name, "/");
	char empty[] = "";
	struct stat st;
	int next, err = 0;

	if (*behind)
		*behind++ = '\0';
	else
		behind = empty;
	next = openat(w->fd, name, STEP);
	if (next < 0 && errno == ENOENT && w->make && steps_behind(behind) < 2 &&
	    mkdirat(w->fd, name, steps_behind(behind) ? 0750 : 0755) == 0)
		next = openat(w->fd, name, STEP);
	if (next < 0 || fstat(next, &st)) {
		err = -errno;
	} else if (S_ISLNK(st.st_mode)) {
		err = follow(w, next, &st, behind);
	} else if (!S_ISDIR(st.st_mode)) {
		err = -ENOTDIR;
	} else {
		int before = w->fd;

		w->fd = next;
		next = before;
		memmove(w->rest, behind, strlen(behind) + 1);
	}
	if (next >= 0)
		close(next);
	return err;
}

int folder_of(const char *file, bool make, const char **name)
{
	const char *slash = strrchr(file, '/');
	struct walk w = { .make = make };
	int start, err = 0;

	*name = slash ? slash + 1 : file;
	if (strlen(file) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(w.rest, file, slash ? (size_t)(slash - file) : 0);
	start = open_start(file);
	if (start < 0)
		return -errno;
	w.fd = start;
	while (!err && w.rest[strspn(w.rest, "/")])
		err = step(&w);
	if (!err)
		return w.fd;
	close(w.fd);
	return err;
}
