/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event as other programs want it: Elastic's common schema, or syslog's RFC 5424. */
#ifndef MINEWALL_LOG_RENDER_H
#define MINEWALL_LOG_RENDER_H

#include <stdio.h>

#include "cli/log_line.h"

/* One line of JSON by ECS 8.11: https://www.elastic.co/guide/en/ecs/8.11/ecs-field-reference.html */
void log_render_ecs(FILE *out, const struct log_line *line);

/* One message of RFC 5424 with structured data (6.3), without framing. Facility local0; `host` is this machine's name. */
void log_render_syslog(FILE *out, const struct log_line *line, const char *host);

#endif
