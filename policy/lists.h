/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of names as the world publishes them, plain (one name a line) or hosts format, into a name set. What is no
 * usable name is counted and skipped, never an error: a list of strangers must not stop the daemon. */
#ifndef MINEWALL_LISTS_H
#define MINEWALL_LISTS_H

#include <stddef.h>

#include "policy/names.h"

enum list_format {
	LIST_AUTO,		/* seen from the content */
	LIST_PLAIN,
	LIST_HOSTS,
};

/* Bytes of a line that are looked at; a longer line is skipped whole. */
#define LIST_LINE_MAX 4096

/* Bytes of a list's file: 2,000,000 names of 60 bytes in hosts format are 130 MB. */
#define LIST_FILE_MAX (256u << 20)

struct list_counts {
	size_t used;
	size_t skipped;		/* entries that name nothing usable; comments and localhost lines are no entries */
};

/* Adds every usable name of the text. 0, -ENOMEM, or -E2BIG when the set is full (NAME_SET_MAX). */
int list_read(struct name_set *set, unsigned source, enum list_format format, const char *text, size_t len,
	      struct list_counts *counts);

#endif
