/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a daemon that was killed leaves in the kernel, and the way to take it back without one. */
#ifndef MINEWALL_LEFTOVER_H
#define MINEWALL_LEFTOVER_H

#include "policy/policy.h"

/* Removes our table and our bits of the connmarks. 1: it was there and is gone; 0: there was none; -EBUSY: somebody reads the
 * queues of this policy, so a daemon lives (behind another control socket, maybe); -errno. */
int leftover_remove(const struct settings *s);

#endif
