/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reporter: a process beside the one that judges packets, without any right, that keeps the incidents and does whatever may take
 * long or execute a program. The daemon hands it each event and never waits for it: what it does not take is counted. */
#ifndef MINEWALL_REPORTER_H
#define MINEWALL_REPORTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;
struct reporter;

/* The first byte of each message of the link; the rest is JSON unless said otherwise. */
enum reporter_message {
	/* from the daemon */
	REPORTER_EVENT = 'E',		/* a line of the event log */
	REPORTER_SETTINGS = 'P',	/* struct reporter_settings */
	REPORTER_STATUS = 'S',		/* the answer to the verb `status` */
	REPORTER_QUARANTINED = 'Q',	/* {addresses, mac, until_s}; 0: not any more */
	/* from the reporter */
	REPORTER_HELLO = 'H',		/* it is new, and wants the settings; nothing behind it */
	REPORTER_ASK_STATUS = 'A',	/* nothing behind it */
	REPORTER_SUMMARY = 'R',		/* {incidents, alerts, hook} for the verb `status` */
	REPORTER_WANT_QUARANTINE = 'W',	/* {addresses, mac, for_s} */
};

/* Name of the reporter's own control socket, behind that of the daemon; and of its folder in the state folder. */
#define REPORTER_SOCKET ".incidents"
#define REPORTER_FOLDER "incidents"

/* Forks it, before there is any thread and while the rights to make its folder and socket are there. What it lacks is said once and
 * the rest goes on; 0 or -errno. `listening` not -1: the socket of one that still works, as long as reporter_say_settings is not called. */
int reporter_start(struct reporter **r, const struct policy *p, int listening);

/* Lets it write what it knows, and ends it; its socket goes, or is kept for another. NULL is allowed, here and below. */
void reporter_stop(struct reporter *r, bool keep_socket);

/* Its control socket, -1: none. */
int reporter_listening(const struct reporter *r);

/* True once if the one that waits was killed, too: the daemon has no rights left to give to a new one. The socket goes then. */
bool reporter_gone(struct reporter *r);

/* Readable when the reporter has said something; -1: there is none. */
int reporter_fd(const struct reporter *r);

/* Takes one message; `*text` is behind its first byte and ends with a NUL, valid until the next call. 0: there is none. */
int reporter_hear(struct reporter *r, const char **text);

void reporter_say(struct reporter *r, enum reporter_message what, const void *bytes, size_t len);
void reporter_say_json(struct reporter *r, enum reporter_message what, json_t *j);	/* takes the reference over */
void reporter_say_settings(struct reporter *r, const struct policy *p);

/* Messages that it did not take. */
uint64_t reporter_lost(const struct reporter *r);

#endif
