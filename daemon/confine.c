/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which folders the daemon keeps is known by its policy at the start: a reload that names a list elsewhere needs a restart, and
 * says so. Of the log, state and policy only the folders are held, as files in them come and go. */
#include "daemon/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/account.h"
#include "daemon/control.h"
#include "daemon/fleet_link.h"
#include "daemon/log.h"
#include "daemon/run.h"
#include "daemon/sandbox.h"

enum exit_code confine_user(struct daemon *d)
{
	if (power_user(&d->user, d->settings->user)) {
		fprintf(stderr, "minewall: there is no user %s to run as; make it, or name another with `user:`\n", *d->user.name ?
			d->user.name : POWER_USER " or " POWER_USER_ELSE);
		return EXIT_SYSTEM;
	}
	return EXIT_DONE;
}

gid_t confine_group(const struct daemon *d)
{
	const char *wanted = d->settings->control_group;
	gid_t gid;
	bool there = account_group(*wanted ? wanted : POWER_USER, &gid) && (!geteuid() || gid == getegid());

	if (!there && *wanted)
		log_info("there is no group %s (`control_group`): root alone may ask", wanted);
	return there ? gid : CONTROL_NO_GROUP;
}

static const char *folder_of(char copy[PATH_MAX], const char *path)
{
	snprintf(copy, PATH_MAX, "%s", path);
	return dirname(copy);
}

void confine_folder_of(const struct daemon *d, const char *path, mode_t mode)
{
	char copy[PATH_MAX];

	power_folder(&d->user, folder_of(copy, path), mode, false);
}

/* Whether we wrote what stands there: a folder `lists` or a file `key` may be anybody's. */
static bool written_by_us(const char *path, const char *name)
{
	char pattern[PATH_MAX];
	struct stat st;
	glob_t copies;
	bool found;

	if (lstat(path, &st))
		return false;
	if (S_ISREG(st.st_mode))
		return (strcmp(name, "key") && strcmp(name, FLEET_SEED)) || st.st_size == 32;
	/* `lists update` notes beside each copy whence it came */
	snprintf(pattern, sizeof(pattern), "%.4000s/*.txt.meta", path);
	found = S_ISDIR(st.st_mode) && glob(pattern, GLOB_NOSORT, NULL, &copies) == 0;
	if (found)
		globfree(&copies);
	return found;
}

void confine_hand_over(const struct daemon *d)
{
	static const char *const files[] = { "key", "learnt.json", "learnt.json.new", "lists", FLEET_SEED };
	char path[PATH_MAX];
	bool ours = false;

	confine_folder_of(d, d->settings->log_file, 0750);
	power_file(&d->user, d->settings->log_file, true, 0640);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%.4000s/%s", d->settings->state, files[i]);
		if (!written_by_us(path, files[i]))
			continue;
		ours = true;
		if (strcmp(files[i], FLEET_SEED))	/* root's: it is read before there is another user */
			power_file(&d->user, path, false, 0);
	}
	/* it may be one that the whole machine uses; with something of ours in it, it is not */
	power_folder(&d->user, d->settings->state, 0750, ours);
}

/* The folder of a file as it is named, and the one where it is. */
static void read_folder_of(struct sandbox_files *f, const char *path)
{
	char copy[PATH_MAX], *real = realpath(path, NULL);

	sandbox_files_read(f, folder_of(copy, path));
	if (real)
		sandbox_files_read(f, folder_of(copy, real));
	free(real);
}

static void write_folder_of(struct sandbox_files *f, const char *path)
{
	char copy[PATH_MAX];

	sandbox_files_write(f, folder_of(copy, path));
}

static enum exit_code enter_files(struct daemon *d)
{
	const struct list_source *sources;
	size_t n = policy_sources(d->policy, &sources);
	struct sandbox_files *f;
	char copy[PATH_MAX], path[PATH_MAX];
	int err = sandbox_files_new(&f);

	if (err == -ENOSYS)
		return EXIT_DONE;
	read_folder_of(f, d->policy_path);
	snprintf(path, sizeof(path), "%.4000s/policy.d", folder_of(copy, d->policy_path));
	sandbox_files_read(f, path);
	for (size_t i = 0; i < n; i++)
		read_folder_of(f, sources[i].file);
	/* zones of `when:`, and the machine's own */
	sandbox_files_read(f, "/usr/share/minewall");
	sandbox_files_read(f, getenv("TZDIR") ? getenv("TZDIR") : "/usr/share/zoneinfo");
	sandbox_files_read(f, "/etc/localtime");
	sandbox_files_write(f, d->settings->state);
	write_folder_of(f, d->settings->log_file);
	write_folder_of(f, d->settings->control);
	sandbox_files_write(f, "/run/minewall");
	d->landlock = sandbox_files_version(f);
	if (!err)
		err = sandbox_files_enter(f);
	if (err) {
		log_warn(err, "Landlock is there, but the daemon cannot be kept to its files");
		return EXIT_SYSTEM;
	}
	return EXIT_DONE;
}

void confine_say(const struct daemon *d)
{
	char copy[PATH_MAX];
	const char *folder = folder_of(copy, d->settings->log_file);

	if (d->user.change && !*d->settings->user && strcmp(d->user.name, POWER_USER))
		log_info("there is no user " POWER_USER ": it runs as %s, as other programs may, too", d->user.name);
	if (!d->seccomp)
		log_info("system calls are not restricted: built without libseccomp, or this kernel has no seccomp");
	if (!d->landlock)
		log_info("files are restricted by their owner alone: this kernel has no Landlock");
	if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) && errno == EACCES)
		log_info("%s is not user %s's: when the log there is renamed, a new one cannot be made; give the log a folder of its own",
			 folder, d->user.name);
}

enum exit_code confine(struct daemon *d)
{
	const char *step;
	enum exit_code code;
	int err;

	/* else jansson opens /dev/urandom at its first object, which will be forbidden by then */
	json_object_seed(0);
	tzset();
	err = power_become(&d->user, true, &step);
	if (err) {
		log_warn(err, "cannot become user %s with CAP_NET_ADMIN alone (%s)", d->user.name, step);
		return EXIT_SYSTEM;
	}
	code = enter_files(d);
	if (code != EXIT_DONE)
		return code;
	err = sandbox_calls(SANDBOX_READER);
	if (err && err != -ENOSYS) {
		log_warn(err, "the list of allowed system calls cannot be set");
		return EXIT_SYSTEM;
	}
	d->seccomp = !err;
	return EXIT_DONE;
}

void confine_explain(const struct daemon *d, char *text, size_t size)
{
	char reason[LOG_REASON_MAX];
	size_t len = strlen(text);

	if (len < size && strstr(text, log_reason(EACCES, reason)))
		snprintf(text + len, size - len, "; the daemon reads it as user %s: let that user read it (chgrp, chmod g+r)%s",
			 d->user.name, d->landlock ? ", and restart if its folder is new to the daemon" : "");
}

json_t *confine_json(const struct daemon *d)
{
	return json_pack("{s:s, s:b, s:i}", "user", d->user.name, "seccomp", d->seccomp, "landlock", d->landlock);
}
