/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A copy in memory, since the library takes names of files alone, and the right to read some of them is gone by the time that it opens
 * them. */
#include "daemon/fleet_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Eight thousand keys, or some hundred certificates. */
#define BYTES_MAX (1u << 20)

const char *fleet_files_path(const struct fleet_settings *s, enum fleet_file which)
{
	switch (which) {
	case FLEET_CA:		return s->policy.ca;
	case FLEET_CERTIFICATE:	return s->policy.certificate;
	case FLEET_KEY:		return s->policy.key;
	case FLEET_SEED_FILE:	return s->seed;
	case FLEET_KEYS:	return s->policy.keys;
	case FLEET_FILES:	break;
	}
	return "";
}

static char *read_all(int fd, size_t *len)
{
	char *text = malloc(BYTES_MAX + 1);
	ssize_t n = 0, got = 0;

	while (text && got < (ssize_t)BYTES_MAX && (n = pread(fd, text + got, BYTES_MAX - (size_t)got, got)) > 0)
		got += n;
	if (!text || n < 0) {
		free(text);
		return NULL;
	}
	text[got] = '\0';
	*len = (size_t)got;
	return text;
}

/* -errno: it cannot be read. */
static int copy(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), to = -1, err = 0;
	struct stat st;
	size_t len = 0;
	char *text;

	if (from < 0)
		return -errno;
	text = fstat(from, &st) ? NULL : !S_ISREG(st.st_mode) ? NULL : read_all(from, &len);
	close(from);
	if (text)
		to = memfd_create("minewall-fleet", MFD_CLOEXEC);
	if (!text || to < 0)
		err = text ? -errno : -EINVAL;
	else if (write(to, text, len) != (ssize_t)len)
		err = -ENOSPC;
	if (text)
		explicit_bzero(text, len);
	free(text);
	if (err && to >= 0)
		close(to);
	return err ? err : to;
}

void fleet_open_files(int *fds, const void *arg)
{
	for (int i = 0; i < FLEET_FILES; i++) {
		const char *path = fleet_files_path(arg, (enum fleet_file)i);
		int fd = *path ? copy(path) : -1;

		fds[i] = fd >= 0 ? fd : -1;
	}
}

void fleet_files_init(struct fleet_files *f, const int *opened, const struct fleet_settings *first)
{
	f->first = first;
	for (int i = 0; i < FLEET_FILES; i++) {
		f->opened[i] = opened[i];
		f->now[i] = -1;
		f->error[i] = 0;
	}
	f->changed = false;
}

static bool same(int a, int b)
{
	size_t n = 0, m = 0;
	char *x = a >= 0 ? read_all(a, &n) : NULL, *y = b >= 0 ? read_all(b, &m) : NULL;
	bool is = x && y ? n == m && !memcmp(x, y, n) : a < 0 && b < 0;

	if (x)
		explicit_bzero(x, n);
	if (y)
		explicit_bzero(y, m);
	free(x);
	free(y);
	return is;
}

void fleet_files_read(struct fleet_files *f, const struct fleet_settings *s)
{
	f->changed = false;
	for (int i = 0; i < FLEET_FILES; i++) {
		const char *path = fleet_files_path(s, (enum fleet_file)i);
		int fd = *path ? copy(path) : -ENOENT;

		f->error[i] = fd < 0 ? -fd : 0;
		/* what root opened is as good as long as it is the same file */
		if (fd < 0 && *path && f->opened[i] >= 0 && !strcmp(path, fleet_files_path(f->first, (enum fleet_file)i))) {
			fd = fcntl(f->opened[i], F_DUPFD_CLOEXEC, 3);
			f->error[i] = 0;
		}
		/* the number stays, too: somebody knows the file by it */
		if (same(f->now[i], fd)) {
			if (fd >= 0)
				close(fd);
			continue;
		}
		f->changed |= i <= FLEET_KEY;
		if (f->now[i] >= 0)
			close(f->now[i]);
		f->now[i] = fd < 0 ? -1 : fd;
	}
}

char *fleet_files_text(const struct fleet_files *f, enum fleet_file which, size_t *len)
{
	return f->now[which] < 0 ? NULL : read_all(f->now[which], len);
}

void fleet_files_name(const struct fleet_files *f, enum fleet_file which, char *to, size_t size)
{
	if (f->now[which] < 0)
		*to = '\0';
	else
		snprintf(to, size, "/proc/self/fd/%d", f->now[which]);
}
