/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to the broker: one MQTT 5 connection, made again after growing pauses, without ever waiting for it. Carries messages of any
 * kind; what they mean is its caller's business. */
#ifndef MINEWALL_FLEET_CLIENT_H
#define MINEWALL_FLEET_CLIENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/fleet.h"

struct fleet_client;

/* What is called from within fleet_client_run. */
struct fleet_client_calls {
	void (*connected)(void *arg, bool session);	/* session: the broker still knows what we subscribed to */
	void (*subscribed)(void *arg);
	void (*message)(void *arg, const char *topic, const char *payload, size_t len, bool retained);
	void (*published)(void *arg, int id, bool taken);	/* taken: by the broker, which answers for it now */
	void (*lost)(void *arg, const char *why);
};

/* 0; -ELIBACC: libmosquitto is not installed; -ENOSYS: built without it. */
int fleet_client_load(void);

struct fleet_client *fleet_client_new(const struct fleet_client_calls *calls, void *arg);

/* Connects to this broker from now on. The paths may be those of descriptors; NULL without TLS. `topic` and `will` are what the
 * broker says for us when we are gone. All is copied. */
struct fleet_client_target {
	char host[FLEET_HOST_MAX];
	uint16_t port;
	char id[FLEET_NAME_MAX + 16];
	char ca[FLEET_PATH_MAX], certificate[FLEET_PATH_MAX], key[FLEET_PATH_MAX];
	char topic[FLEET_NAME_MAX * 2 + 32], will[64];
	bool clean;			/* what the broker knows of us belongs to other settings: it is forgotten */
};
void fleet_client_start(struct fleet_client *c, const struct fleet_client_target *target);

/* Says goodbye and stays away; what was published before is given a moment to leave. */
void fleet_client_stop(struct fleet_client *c);

bool fleet_client_connected(const struct fleet_client *c);

/* Has anything been sent that waits? Then more would only grow the queue. */
bool fleet_client_busy(const struct fleet_client *c);

/* The broker's address as we reach it; false: we do not. */
bool fleet_client_peer(const struct fleet_client *c, uint8_t address[16], uint16_t *port);

/* Retained, QoS 1. `life_s` 0: for ever; `len` 0: takes the topic away. Its number, or -1. */
int fleet_client_publish(struct fleet_client *c, const char *topic, const char *payload, size_t len, uint32_t life_s);

int fleet_client_subscribe(struct fleet_client *c, const char *const *topics, int n);

/* For the loop: what to wait for and how long (milliseconds), and what to do then. */
struct pollfd fleet_client_poll(const struct fleet_client *c);
int fleet_client_due_ms(const struct fleet_client *c, int64_t now_ms);
void fleet_client_run(struct fleet_client *c, short events, int64_t now_ms);

#endif
