/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event of the log as a sighting of a device. Reads the line's JSON only; names and hours are the caller's to fill in. */
#ifndef MINEWALL_SIGHTING_H
#define MINEWALL_SIGHTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/incident.h"

/* False: it is about no device. `monitor`: the policy stops nothing, so what it lets pass makes an incident, too. */
bool sighting_read(struct sighting *s, const json_t *event, bool monitor);

/* Seconds of the epoch of an RFC 3339 time with offset; -1: it is none. */
int64_t sighting_time(const char *text);

#endif
