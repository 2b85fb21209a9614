/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Those who ask at the control socket: few at a time, each with a short while to say one request, and nobody waits for them. The
 * main loop polls what clients_poll names and hands it to clients_serve. */
#ifndef MINEWALL_CLIENTS_H
#define MINEWALL_CLIENTS_H

#include <jansson.h>
#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

/* At a time; one that says nothing makes room for the next. */
#define CLIENTS_MAX 16
/* Places in the poll array: the listening socket comes first. */
#define CLIENTS_FDS (CLIENTS_MAX + 1)
/* From its connection to the end of its request, and for taking the reply. */
#define CLIENTS_REQUEST_MS 2000
#define CLIENTS_REPLY_MS 30000

struct clients;
struct client;

/* `listening`: control_listen(), which stays the caller's. NULL: no memory. */
struct clients *clients_new(int listening);
void clients_free(struct clients *c);

/* Fills CLIENTS_FDS places. */
void clients_poll(const struct clients *c, struct pollfd *fds, int64_t now_ms);

/* Milliseconds until somebody's time is up, -1: nobody is there. */
int clients_due_ms(const struct clients *c, int64_t now_ms);

/* The answer to a request, new reference; NULL: there is none, or the connection was taken. */
typedef json_t *clients_answer(void *arg, struct client *from, const json_t *request);

/* After poll: takes connections, reads, answers, writes as much as goes without waiting. */
void clients_serve(struct clients *c, const struct pollfd *fds, int64_t now_ms, clients_answer *answer, void *arg);

/* Who it is, as the kernel says. */
uid_t client_uid(const struct client *from);
pid_t client_pid(const struct client *from);

/* Within clients_answer: the connection becomes the caller's, who replies later (control_reply). It waits at most a second then. */
int client_take(struct client *from);

#endif
