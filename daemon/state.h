/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was learnt, in a file of the policy's state folder, so that a reboot forgets nothing that is still alive. */
#ifndef MINEWALL_STATE_H
#define MINEWALL_STATE_H

#include "daemon/daemon.h"

/* Writes the elements taught now, their reasons and when they end. A failure is said and costs nothing else. */
void state_save(struct daemon *d);

/* Gives what is in the file, still alive and still wanted by the policy to the kernel and to the memory of reasons; elements that
 * the kernel kept from a daemon before us are remembered, too. */
void state_load(struct daemon *d);

/* Gives all that is remembered to the kernel again, after somebody emptied our sets. */
void state_teach(struct daemon *d);

/* Seconds since a daemon before us wrote the file, which it does each minute and at its end: nobody judged since then. 0: none did, or
 * the clock cannot tell. */
uint64_t state_gap_s(const struct daemon *d);

#endif
