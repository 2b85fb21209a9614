/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One bounded read of a whole regular file. A FIFO or device in its place is refused and never waited for. */
#ifndef MINEWALL_FILE_H
#define MINEWALL_FILE_H

#include <stddef.h>

#include "policy/block.h"

/* Fills `text` (to be freed by the caller) and `len`. 0 or -errno: -EFBIG for more than `max` bytes, -EISDIR for a
 * folder, -EINVAL for anything else that is no regular file. */
int file_read(const char *path, size_t max, char **text, size_t *len);

/* The same into a block, which the caller frees: for a list, which is large and gone when it is read. */
int file_read_block(const char *path, size_t max, struct block *text, size_t *len);

#endif
