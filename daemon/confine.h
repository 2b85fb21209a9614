/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step from root to what the daemon needs: a user of its own, CAP_NET_ADMIN, its own files and some system calls. Every part
 * that fails ends the start; what this kernel or this build does not have is said. */
#ifndef MINEWALL_CONFINE_H
#define MINEWALL_CONFINE_H

#include "daemon/daemon.h"

/* Finds the user of the policy. */
enum exit_code confine_user(struct daemon *d);

/* The group that may ask at the control socket, CONTROL_NO_GROUP if there is none. */
gid_t confine_group(const struct daemon *d);

/* Makes the folder of `path` (without that: /run/minewall) and gives it to the user; what is wrong with it shows when it is used. */
void confine_folder_of(const struct daemon *d, const char *path, mode_t mode);

/* Makes what is missing of the log and the state folder, and gives the user what root, or an earlier version, has left there. */
void confine_hand_over(const struct daemon *d);

/* Takes the step. Before any thread; children made later are inside, too. */
enum exit_code confine(struct daemon *d);

/* Says what of it there is not. */
void confine_say(const struct daemon *d);

/* After a file could not be read: says whose right to read it counts. */
void confine_explain(const struct daemon *d, char *text, size_t size);

/* What there is, for `status`; new reference. */
json_t *confine_json(const struct daemon *d);

#endif
