/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall run --tap IFACE`: a mirror port is judged by the same core as the gateway's own traffic, and only reported. */
#ifndef MINEWALL_TAP_H
#define MINEWALL_TAP_H

/* Runs until SIGTERM or SIGINT; returns an exit code. */
int tap_run(const char *policy, const char *interface);

#endif
