/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a file that zstd has compressed, bit by bit. Its library is loaded when the first such file is met. */
#ifndef MINEWALL_UNZSTD_H
#define MINEWALL_UNZSTD_H

#include <stddef.h>
#include <sys/types.h>

struct unzstd;

/* Of zstd's frames (RFC 8878). */
#define UNZSTD_MAGIC "\x28\xb5\x2f\xfd"

/* `fd` stays the caller's. -ENOTSUP: the library is not there, or we were built without it; -ENOMEM. */
int unzstd_open(struct unzstd **out, int fd);
void unzstd_close(struct unzstd *u);

/* Up to `size` bytes of the text; 0: its end; -EBADMSG: damaged; -ENODATA: cut short; -errno. */
ssize_t unzstd_read(struct unzstd *u, void *to, size_t size);

#endif
