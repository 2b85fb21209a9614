/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What replay says of a flow: gathers the core's outcomes, and makes lines of them, JSON in the words of
 * Suricata's EVE or plain text. */
#ifndef MINEWALL_REPLAY_LINE_H
#define MINEWALL_REPLAY_LINE_H

#include <jansson.h>
#include <stdio.h>

#include "cli/replay_flow.h"
#include "daemon/event.h"
#include "daemon/pipeline.h"

/* Names kept of one flow; more are only counted out. Far above what the core's heads of one flow can hold. */
#define REPLAY_NAMES_MAX 4096

/* Adds an outcome to f->result (made when first needed); `e` is the same outcome as an event (event_fill). 0 or -ENOMEM. */
int replay_line_add(struct replay_flow *f, const struct outcome *o, const struct event *e);

/* Frees f->result. */
void replay_line_free(struct replay_flow *f);

/* The flow's line, event_type "flow"; `name` is the capture's as given. The caller owns it; NULL: no memory. */
json_t *replay_line_json(const struct replay_flow *f, const char *name);

/* The same for the eye: one line, with whatever bytes a name has made harmless. */
void replay_line_print(FILE *to, const struct replay_flow *f);

/* A finding: as the daemon would have logged it, with `pcap_filename`; and the same for the eye. */
json_t *replay_line_alert(const struct event *e, const char *name);
void replay_line_print_alert(FILE *to, const struct event *e);

/* Bytes from the wire as a JSON string: as they are if they are UTF-8, else each byte as the code point of its value. */
json_t *replay_line_text(struct view text);

#endif
