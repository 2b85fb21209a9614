/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library bounds what a frame may ask for (its window, 128 MiB). Several frames behind one another are one text, as for gzip. */
#include "cli/unzstd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_ZSTD

#include <dlfcn.h>
#include <zstd.h>

#define IN_SIZE (128 * 1024)

struct unzstd {
	ZSTD_DStream *stream;
	int fd;
	size_t len, at;		/* of `in` */
	bool within;		/* a frame */
	bool full;		/* the library had more to give than there was room */
	char in[IN_SIZE];
};

static struct {
	ZSTD_DStream *(*create)(void);
	size_t (*destroy)(ZSTD_DStream *stream);
	size_t (*decompress)(ZSTD_DStream *stream, ZSTD_outBuffer *out, ZSTD_inBuffer *in);
	unsigned (*is_error)(size_t code);
} api;

static bool load(void)
{
	void *lib = api.create ? NULL : dlopen("libzstd.so.1", RTLD_NOW);

	if (lib) {
		*(void **)&api.create = dlsym(lib, "ZSTD_createDStream");
		*(void **)&api.destroy = dlsym(lib, "ZSTD_freeDStream");
		*(void **)&api.decompress = dlsym(lib, "ZSTD_decompressStream");
		*(void **)&api.is_error = dlsym(lib, "ZSTD_isError");
	}
	return api.create && api.destroy && api.decompress && api.is_error;
}

int unzstd_open(struct unzstd **out, int fd)
{
	struct unzstd *u;

	*out = NULL;
	if (!load())
		return -ENOTSUP;
	u = calloc(1, sizeof(*u));
	if (u)
		u->stream = api.create();
	if (!u || !u->stream) {
		free(u);
		return -ENOMEM;
	}
	u->fd = fd;
	*out = u;
	return 0;
}

void unzstd_close(struct unzstd *u)
{
	if (!u)
		return;
	api.destroy(u->stream);
	free(u);
}

/* 1: there is something to decompress. */
static int fill(struct unzstd *u)
{
	ssize_t n;

	if (u->at < u->len || u->full)
		return 1;
	do
		n = read(u->fd, u->in, sizeof(u->in));
	while (n < 0 && errno == EINTR);
	u->at = 0;
	u->len = n > 0 ? (size_t)n : 0;
	return n < 0 ? -errno : n > 0 ? 1 : u->within ? -ENODATA : 0;
}

ssize_t unzstd_read(struct unzstd *u, void *to, size_t size)
{
	ZSTD_outBuffer out = { to, size, 0 };
	int more = 1;

	while (!out.pos && (more = fill(u)) == 1) {
		ZSTD_inBuffer in = { u->in, u->len, u->at };
		size_t left = api.decompress(u->stream, &out, &in);

		if (api.is_error(left))
			return -EBADMSG;
		u->at = in.pos;
		u->within = left != 0;
		u->full = left != 0 && out.pos == out.size;
	}
	return out.pos ? (ssize_t)out.pos : more;
}

#else

int unzstd_open(struct unzstd **out, int fd)
{
	(void)fd;
	*out = NULL;
	return -ENOTSUP;
}

void unzstd_close(struct unzstd *u)
{
	(void)u;
}

ssize_t unzstd_read(struct unzstd *u, void *to, size_t size)
{
	(void)u;
	(void)to;
	(void)size;
	return -ENOTSUP;
}

#endif
