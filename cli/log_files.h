/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event log as one stream of lines: the file, and before it those that rotation has put aside, gzip or not, oldest first.
 * Finds files and cuts lines; knows nothing of what is in them. */
#ifndef MINEWALL_LOG_FILES_H
#define MINEWALL_LOG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_files;

/* Opens FILE and FILE.1, FILE.2.gz, FILE-20261124 and the like. Rotated ones that were last written before `since_us` (microseconds of the
 * epoch; 0: all) are left out. `follow`: a line that has no end yet is waited for. 0; -ENOENT: there is none; -EINVAL: FILE is no
 * regular file; -errno. */
int log_files_open(struct log_files **files, const char *path, int64_t since_us, bool follow);
void log_files_close(struct log_files *files);

/* The next line, without its end; it lives until the next call. False: there is none, or none yet. */
bool log_files_next(struct log_files *files, const char **line, size_t *len);

/* Waits for a moment, and looks whether the file was rotated or cut. */
void log_files_wait(struct log_files *files);

/* Lines passed over because they are too long, and the name of a file that could not be read to its end (NULL: none). */
size_t log_files_long(const struct log_files *files);
const char *log_files_broken(const struct log_files *files, const char **why);

#endif
