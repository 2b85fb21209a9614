/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of the fleet: certificates, keys and our own seed, held in memory. What root alone may read is opened before the rights go;
 * a reload reads anew what it may. */
#ifndef MINEWALL_FLEET_FILES_H
#define MINEWALL_FLEET_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/fleet_link.h"

enum fleet_file { FLEET_CA, FLEET_CERTIFICATE, FLEET_KEY, FLEET_SEED_FILE, FLEET_KEYS, FLEET_FILES };

struct fleet_files {
	const struct fleet_settings *first;	/* of the start, and what was opened then */
	int opened[FLEET_FILES];
	int now[FLEET_FILES];			/* a copy, -1: there is none; `error` says why */
	int error[FLEET_FILES];
	bool changed;				/* certificate, its key or the authorities */
};

void fleet_files_init(struct fleet_files *f, const int *opened, const struct fleet_settings *first);

/* Reads what these settings name. */
void fleet_files_read(struct fleet_files *f, const struct fleet_settings *s);

const char *fleet_files_path(const struct fleet_settings *s, enum fleet_file which);

/* The bytes of one, with a NUL behind them; the caller frees. NULL: there is none. */
char *fleet_files_text(const struct fleet_files *f, enum fleet_file which, size_t *len);

/* Where a library finds it; "" if there is none. */
void fleet_files_name(const struct fleet_files *f, enum fleet_file which, char *to, size_t size);

#endif
