/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The incidents' file in the reporter's folder: written beside itself and renamed, so that a power cut leaves the old one or the
 * new one. A broken one is left aside, not written over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/reporting.h"

#define FILE_VERSION 1
static const char name[] = "incidents.json", draft[] = "incidents.json.new", broken[] = "incidents.json.broken";

void incident_file_load(struct reporting_loop *l)
{
	int fd = l->folder < 0 ? -1 : openat(l->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	json_error_t error;
	json_t *root, *one;
	json_int_t next;
	size_t i;

	if (fd < 0)
		return;
	root = json_loadfd(fd, 0, &error);
	close(fd);
	if (!root || json_integer_value(json_object_get(root, "version")) != FILE_VERSION) {
		log_info("the incidents' file is broken, it is kept as %s: %s", broken, root ? "not version 1" : error.text);
		renameat(l->folder, name, l->folder, broken);
		json_decref(root);
		return;
	}
	json_array_foreach(json_object_get(root, "incidents"), i, one)
		incident_load(&l->book, one);
	next = json_integer_value(json_object_get(root, "next_id"));
	if (next > l->book.next_id && next < UINT32_MAX)
		l->book.next_id = (uint32_t)next;
	l->alerts = (uint64_t)json_integer_value(json_object_get(root, "alerts"));
	json_decref(root);
}

static int write_file(const struct reporting_loop *l, json_t *root)
{
	int fd = openat(l->folder, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640), err = 0;

	if (fd < 0)
		return -errno;
	if (json_dumpfd(root, fd, JSON_COMPACT) || fsync(fd))
		err = errno ? -errno : -EIO;
	close(fd);
	if (!err && renameat(l->folder, draft, l->folder, name))
		err = -errno;
	if (err)
		unlinkat(l->folder, draft, 0);
	return err;
}

void incident_file_save(struct reporting_loop *l)
{
	json_t *list = json_array(), *root;
	int err;

	for (size_t i = 0; i < l->book.n; i++)
		json_array_append_new(list, incident_json(l->book.items[i]));
	root = json_pack("{s:i, s:I, s:I, s:o}", "version", FILE_VERSION, "next_id", (json_int_t)l->book.next_id, "alerts",
			 (json_int_t)l->alerts, "incidents", list);
	err = l->folder < 0 ? 0 : root ? write_file(l, root) : -ENOMEM;
	if (err && !l->save_failed)
		log_warn(err, "the incidents cannot be written");
	l->save_failed = err != 0;
	l->unsaved = err != 0;		/* tried again, but not each second */
	l->urgent = false;
	l->saved_ms = reporting_now_ms();
	json_decref(root);
}
