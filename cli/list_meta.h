/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of a fetched list between two updates, in FILE.meta beside its copy FILE; and how both are written so that
 * a crash leaves the old or the new one, never a half. */
#ifndef MINEWALL_LIST_META_H
#define MINEWALL_LIST_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "cli/fetch.h"
#include "policy/policy.h"

struct list_meta {
	/* Of the copy that lies there: what it came with, and by what it is known not to have been changed by hand. */
	char url[1100], public_key[64];
	char etag[FETCH_ETAG_MAX], last_modified[FETCH_DATE_MAX];
	int64_t size, mtime_s, mtime_ns;
	uint64_t entries, skipped, signed_at;
	int64_t changed_ms;		/* when it was put there, since 1970 */
	int64_t tried;			/* the last try, seconds since 1970; 0: never */
	unsigned failures;		/* since the last success */
	char result[FETCH_WHY_MAX];	/* of the last try, a clause */
};

/* All 0 and "" if there is none or it cannot be read: then everything is fetched anew. */
void list_meta_read(struct list_meta *m, const char *file);
int list_meta_write(const struct list_meta *m, const char *file);

/* When a server last confirmed the copy, or when the admin wrote the file: its mtime. 0: there is no file. */
int64_t list_confirmed(const char *file);

/* Does `m` speak of the copy that lies there, from this source? */
bool list_meta_holds(const struct list_meta *m, const struct list_source *source);

/* Takes over size and time of the copy that lies there. */
void list_meta_take(struct list_meta *m, const char *file);

/* Replaces `file`: mode 0644, synced, renamed; its folder is made if it is missing. 0; -ELOOP: a link on the way is somebody's who is
 * neither root nor we (cli/folder.h); -errno. Then nothing has changed. */
int list_replace(const char *file, const char *text, size_t len);

/* The copy that lies there is of now. 0 or -errno, as above. */
int list_touch(const char *file);

/* When the next update is due, as seconds since 1970. 0: now. */
int64_t list_due(const struct list_source *source, const struct list_meta *m);

#endif
