/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon and its fleet process say to each other: a byte, then values of fixed size, as both are one program. */
#ifndef MINEWALL_FLEET_LINK_H
#define MINEWALL_FLEET_LINK_H

#include "daemon/hints.h"
#include "policy/fleet.h"

enum fleet_message {
	/* from the daemon: a struct fleet_settings, or any number of struct fleet_item */
	FLEET_SETTINGS = 'P',
	FLEET_TAUGHT = 'T',		/* what our own traffic taught by its protocol, for so long */
	FLEET_DROPPED = 'D',		/* not any more */
	FLEET_FIRST = 'B',		/* all that is taught is told now: nothing behind it */
	FLEET_LAST = 'E',		/* that was all; nothing behind it */
	FLEET_POINTS = 'W',		/* weaker evidence of our own traffic */
	FLEET_MUTED = 'U',		/* the operator let go of it */
	FLEET_REFUSED = 'X',		/* not taught, for `why` */
	FLEET_REMEMBERED = 'K',	/* taught by the fleet before: each a struct fleet_item and its gateways with a NUL */
	/* from the fleet's process */
	FLEET_HELLO = 'H',		/* it is new, and wants all of it; nothing behind it */
	FLEET_LESSON = 'L',		/* struct fleet_lesson */
	FLEET_FORGET = 'F',		/* a struct fleet_item */
	FLEET_REPORT = 'R',		/* JSON: how it stands, for the verbs */
};

struct fleet_settings {
	struct fleet_policy policy;
	char seed[4096 + 16];		/* the file of our own key */
	bool monitor;
};

struct fleet_item {
	struct hint_endpoint at;
	uint32_t left_s;
	uint32_t why;			/* of FLEET_REFUSED: an enum hint_result */
	char dialect[HINT_DIALECT_MAX];
};

struct fleet_lesson {
	struct fleet_item item;
	char gateways[HINTS_GATEWAYS_TEXT];
};

/* Name of the seed in the state folder. */
#define FLEET_SEED "fleet.key"

/* daemon/fleet_work.c: what the fleet's process does (struct beside_job). */
int fleet_work(int link, const int *fds, const void *arg);

/* Opens what only root may read: certificate, its key, our own seed. `arg` is the struct fleet_settings. */
void fleet_open_files(int *fds, const void *arg);

#endif
