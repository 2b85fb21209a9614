/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's own voice: one line a message on standard error, where systemd and procd pick it up. */
#ifndef MINEWALL_LOG_H
#define MINEWALL_LOG_H

/* The text of `err` (an errno value, either sign), in any thread. */
#define LOG_REASON_MAX 128
const char *log_reason(int err, char room[LOG_REASON_MAX]);

/* With ": " and the text of `err` (an errno value, either sign) behind it. */
void log_warn(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
