/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON beside the list, written by root only and still read with care: a broken one costs a fetch, nothing else. */
#include "cli/list_meta.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/folder.h"
#include "policy/file.h"

#define META_BYTES_MAX 16384
/* A timer is early now and then; an update that is due within this share of `refresh` need not wait for the next one. */
#define EARLY_SHARE 10

static void meta_path(char *path, size_t size, const char *file)
{
	snprintf(path, size, "%s.meta", file);
}

static void get_text(const json_t *j, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(j, key));

	snprintf(to, size, "%s", text && strlen(text) < size ? text : "");
}

static int64_t get_number(const json_t *j, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(j, key));

	return n > 0 ? n : 0;
}

void list_meta_read(struct list_meta *m, const char *file)
{
	char path[PATH_MAX + 8], *text = NULL;
	size_t len = 0;
	json_t *j = NULL;

	memset(m, 0, sizeof(*m));
	meta_path(path, sizeof(path), file);
	if (file_read(path, META_BYTES_MAX, &text, &len) == 0)
		j = json_loadb(text, len, 0, NULL);
	free(text);
	get_text(j, "url", m->url, sizeof(m->url));
	get_text(j, "public_key", m->public_key, sizeof(m->public_key));
	get_text(j, "etag", m->etag, sizeof(m->etag));
	get_text(j, "last_modified", m->last_modified, sizeof(m->last_modified));
	get_text(j, "result", m->result, sizeof(m->result));
	m->size = get_number(j, "size");
	m->mtime_s = get_number(j, "mtime_s");
	m->mtime_ns = get_number(j, "mtime_ns");
	m->entries = (uint64_t)get_number(j, "entries");
	m->skipped = (uint64_t)get_number(j, "skipped");
	m->signed_at = (uint64_t)get_number(j, "signed_at");
	m->tried = get_number(j, "tried");
	m->changed_ms = get_number(j, "changed_ms");
	m->failures = (unsigned)get_number(j, "failures");
	json_decref(j);
}

/* The rename is done: a folder that cannot be synced is no reason to say otherwise. */
static void sync_folder(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int write_new(int folder, const char *name, const char *text, size_t len)
{
	int fd, err = 0;

	/* What a killed update left behind; whoever else updates is kept out by a lock. */
	unlinkat(folder, name, 0);
	fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (len && !err) {
		ssize_t n = write(fd, text, len);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			err = n ? -errno : -EIO;
		}
	}
	if (!err && (fchmod(fd, 0644) || fsync(fd)))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int list_replace(const char *file, const char *text, size_t len)
{
	char fresh[NAME_MAX + 8];
	const char *name;
	int folder = folder_of(file, true, &name), err;

	if (folder < 0)
		return folder;
	err = snprintf(fresh, sizeof(fresh), "%s.new", name) > NAME_MAX ? -ENAMETOOLONG : write_new(folder, fresh, text, len);
	if (!err && renameat(folder, fresh, folder, name))
		err = -errno;
	if (err)
		unlinkat(folder, fresh, 0);
	else
		sync_folder(folder);
	close(folder);
	return err;
}

int list_touch(const char *file)
{
	const char *name;
	int folder = folder_of(file, false, &name), err;

	if (folder < 0)
		return folder;
	err = utimensat(folder, name, NULL, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
	close(folder);
	return err;
}

static void put_number(json_t *j, const char *key, int64_t n)
{
	json_object_set_new(j, key, json_integer((json_int_t)n));
}

int list_meta_write(const struct list_meta *m, const char *file)
{
	char path[PATH_MAX + 8], *text = NULL;
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s}", "url", m->url, "public_key", m->public_key, "etag", m->etag,
			      "last_modified", m->last_modified, "result", m->result);
	int err = -ENOMEM;

	put_number(j, "size", m->size);
	put_number(j, "mtime_s", m->mtime_s);
	put_number(j, "mtime_ns", m->mtime_ns);
	put_number(j, "entries", (int64_t)m->entries);
	put_number(j, "skipped", (int64_t)m->skipped);
	put_number(j, "signed_at", (int64_t)m->signed_at);
	put_number(j, "changed_ms", m->changed_ms);
	put_number(j, "tried", m->tried);
	put_number(j, "failures", m->failures);
	meta_path(path, sizeof(path), file);
	text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
	if (text)
		err = list_replace(path, text, strlen(text));
	free(text);
	json_decref(j);
	return err;
}

int64_t list_confirmed(const char *file)
{
	struct stat st;

	return stat(file, &st) || !S_ISREG(st.st_mode) ? 0 : (int64_t)st.st_mtim.tv_sec;
}

bool list_meta_holds(const struct list_meta *m, const struct list_source *source)
{
	const char *key = source->public_key ? source->public_key : "";
	struct stat st;

	return stat(source->file, &st) == 0 && st.st_size == m->size && st.st_mtim.tv_sec == m->mtime_s &&
	       st.st_mtim.tv_nsec == m->mtime_ns && !strcmp(m->url, source->url ? source->url : "") && !strcmp(m->public_key, key);
}

void list_meta_take(struct list_meta *m, const char *file)
{
	struct stat st;

	if (stat(file, &st))
		return;
	m->size = st.st_size;
	m->mtime_s = st.st_mtim.tv_sec;
	m->mtime_ns = st.st_mtim.tv_nsec;
}

int64_t list_due(const struct list_source *source, const struct list_meta *m)
{
	int64_t confirmed = list_confirmed(source->file), refresh = source->refresh_s;

	/* What somebody else put there, or what comes from the future, says nothing of the server's. */
	if (!list_meta_holds(m, source) || confirmed > (int64_t)time(NULL))
		return 0;
	return confirmed + refresh - refresh / EARLY_SHARE;
}
