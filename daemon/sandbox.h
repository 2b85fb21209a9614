/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the process that reads hostile bytes may still ask of the kernel: an allow-list of system calls (seccomp), and of files
 * (Landlock). Entered before the first thread is made, so that it holds for all of them. */
#ifndef MINEWALL_SANDBOX_H
#define MINEWALL_SANDBOX_H

enum sandbox_profile {
	SANDBOX_READER,		/* main loop and workers */
	SANDBOX_WATCHDOG,	/* on top of the reader's: it polls, reads one file and sends one message */
};

/* 0; -ENOSYS: built without libseccomp, or this kernel has no seccomp; -errno. */
int sandbox_calls(enum sandbox_profile profile);

struct sandbox_files;

/* Collects folders and files: paths that are missing are left out. -ENOSYS from sandbox_files_new: no Landlock in this kernel. */
int sandbox_files_new(struct sandbox_files **f);
void sandbox_files_read(struct sandbox_files *f, const char *path);	/* a file, or a folder with all below it */
void sandbox_files_write(struct sandbox_files *f, const char *path);	/* a folder: its files are read, written, made and removed */
/* The version of Landlock, for the operator. */
int sandbox_files_version(const struct sandbox_files *f);
/* Takes everything else away, and frees `f`. 0 or -errno. */
int sandbox_files_enter(struct sandbox_files *f);

#endif
