/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of a file that root writes where an unprivileged user may move things about: what is made there is made by the folder's
 * descriptor, and no link of that user leads elsewhere. */
#ifndef MINEWALL_FOLDER_H
#define MINEWALL_FOLDER_H

#include <stdbool.h>

/* The descriptor (O_PATH) of the folder that holds `file`, and in `*name` the file's name in it. Links on the way are followed if root or
 * the caller made them. `make`: the last two folders are made if they are missing. -ELOOP: a link of somebody else; -errno. */
int folder_of(const char *file, bool make, const char **name);

#endif
