// SPDX-License-Identifier: GPL-2.0-or-later
/* Judging a UDP flow: each datagram is a message of its own. A datagram that nobody knows ends the watch only once the
 * server answers. */
#include "daemon/step.h"

void datagram_take(struct step *s)
{
	step_clear(s, REASON_UNKNOWN);
}
