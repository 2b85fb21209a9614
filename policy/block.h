/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for what is large and soon used from its begin to its end: the text of a list, the table made of it. Touched page by page it
 * costs a page fault for each 4 KB, which is half of a big list's time on a virtual machine. */
#ifndef MINEWALL_BLOCK_H
#define MINEWALL_BLOCK_H

#include <stddef.h>

struct block {
	char *at;
	size_t size;		/* bytes that may be used */
};

/* Zeros. All of it is going to be used and kept: its pages are there at once, and none more than it needs. 0 or -ENOMEM. */
int block_new(struct block *b, size_t size);

/* Zeros for a while, of which perhaps only the begin is going to be used. */
int block_new_brief(struct block *b, size_t size);

/* More of the latter; the first `used` bytes stay. On -ENOMEM all stays. */
int block_grow(struct block *b, size_t used, size_t size);

/* Of an empty one, too; it is empty afterwards. */
void block_free(struct block *b);

#endif
