/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A new process takes the place of the one that runs: it is handed the bound queues, the socket that owns the table, the lock and the
 * control socket as they are, so no packet and nothing learnt is lost. Whatever it lacks shows before; then the old one goes on. */
#ifndef MINEWALL_TAKEOVER_H
#define MINEWALL_TAKEOVER_H

#include "daemon/clients.h"
#include "daemon/daemon.h"
#include "daemon/run.h"

/* Behind the control socket's path: what root leaves there for an heir who is not root. */
#define TAKEOVER_TICKET ".ticket"

/* ---- the new one's steps ---- */

/* Asks the daemon of this policy, and takes what it hands over. Nothing has changed for it yet. Who is not root shows the ticket that
 * an invitation left beside the control socket. */
enum exit_code takeover_ask(struct daemon *d);

/* Everything else is there: has the old one stop reading and save what it knows. From here on nobody reads the queues. */
enum exit_code takeover_go(struct daemon *d);

/* It reads: the old one may go. */
void takeover_done(struct daemon *d);

/* ---- the old one ---- */

/* Root lets somebody of our own user take over who shows this ticket within a minute, as where a service manager starts him; or, if it
 * is of the same program as we are, hears that there is no reason to. */
json_t *takeover_invite(struct daemon *d, const struct client *from, const json_t *request);

/* Answers the verb, and takes the connection: for root, or whoever shows the ticket. */
json_t *takeover_offer(struct daemon *d, struct client *from, const json_t *request);

/* The heir has said something, or is gone. */
void takeover_heed(struct daemon *d);

#endif
