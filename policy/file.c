/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a file whole. read, not mmap: a file that is cut short while it is parsed must not kill the daemon. */
#include "policy/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int check(int fd, size_t max, size_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (uintmax_t)st.st_size > max)
		return -EFBIG;
	*size = (size_t)st.st_size;
	return 0;
}

/* Reads at most `size` bytes: one that grows meanwhile ends where it ended at the start. */
static int read_all(int fd, char *to, size_t size, size_t *len)
{
	*len = 0;
	while (*len < size) {
		ssize_t n = read(fd, to + *len, size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		*len += (size_t)n;
	}
	return 0;
}

static int open_file(const char *path, size_t max, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;

	if (fd < 0)
		return -errno;
	err = check(fd, max, size);
	if (err)
		close(fd);
	return err ? err : fd;
}

int file_read(const char *path, size_t max, char **text, size_t *len)
{
	size_t size = 0;
	int fd = open_file(path, max, &size), err;
	char *buffer;

	if (fd < 0)
		return fd;
	buffer = malloc(size + 1);
	err = buffer ? read_all(fd, buffer, size, len) : -ENOMEM;
	close(fd);
	if (err) {
		free(buffer);
		return err;
	}
	buffer[*len] = '\0';
	*text = buffer;
	return 0;
}

int file_read_block(const char *path, size_t max, struct block *text, size_t *len)
{
	size_t size = 0;
	int fd = open_file(path, max, &size), err;

	if (fd < 0)
		return fd;
	err = block_new_brief(text, size + 1);
	if (!err) {
		err = read_all(fd, text->at, size, len);
		if (err)
			block_free(text);
	}
	close(fd);
	return err;
}
