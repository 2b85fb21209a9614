/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One daemon in a network namespace: its table has one name. A lock that dies with its process. */
#ifndef MINEWALL_LOCK_H
#define MINEWALL_LOCK_H

/* Takes the lock, or the descriptor that holds it until closed. -EWOULDBLOCK: another daemon has it; -errno. */
int lock_namespace(void);

/* Gives it back and removes its file. Negative descriptors are ignored. */
void lock_release(int fd);

#endif
