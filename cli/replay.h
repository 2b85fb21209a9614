/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall replay`: runs captures through the very core that the daemon uses, without root. */
#ifndef MINEWALL_REPLAY_H
#define MINEWALL_REPLAY_H

/* argv[0] is "replay". Returns the program's exit code: 0, 2 usage, 4 policy, 5 unreadable or unknown link
 * type, 6 truncated capture; of several files the highest one. */
int replay_main(int argc, char **argv);

#endif
