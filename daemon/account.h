/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users and groups by name, without what the system needs to know them: see daemon/account.c. Only before the first thread. */
#ifndef MINEWALL_ACCOUNT_H
#define MINEWALL_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

/* Begins to ask for these, users and groups; whoever wants one of them waits for it then. At most four, once, and before all others. */
void account_ahead(const char *const *names, unsigned n);

/* Nothing more is asked for: the child that account_ahead made is waited for. */
void account_end(void);

/* False: there is none of this name. */
bool account_user(const char *name, uid_t *uid, gid_t *gid);
bool account_group(const char *name, gid_t *gid);

#endif
