/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the policy says of the gateways that learn from each other: where their broker is and whom to believe. One plain value of
 * fixed size, so that it can be handed to the process that does so; nothing in it decides about a packet. */
#ifndef MINEWALL_POLICY_FLEET_H
#define MINEWALL_POLICY_FLEET_H

#include <stdbool.h>
#include <stdint.h>

struct policy;

enum fleet_role { FLEET_BOTH, FLEET_TEACH, FLEET_LEARN };

/* With their NUL. A name of a site or gateway is a level of a topic. */
#define FLEET_NAME_MAX 65
#define FLEET_HOST_MAX 254
#define FLEET_PATH_MAX 256

struct fleet_policy {
	char host[FLEET_HOST_MAX];		/* of the broker; "": there is no fleet */
	uint16_t port;
	bool tls;
	char ca[FLEET_PATH_MAX], certificate[FLEET_PATH_MAX], key[FLEET_PATH_MAX];	/* PEM; "" without TLS */
	char keys[FLEET_PATH_MAX];		/* the gateways' public keys */
	char site[FLEET_NAME_MAX];
	char gateway[FLEET_NAME_MAX];		/* our name; "": the host's */
	enum fleet_role role;
	uint32_t confirm;			/* gateways that must have seen an endpoint */
	uint32_t rate;				/* new endpoints a minute, of each of them */
	uint32_t hints;				/* remembered, of all of them together */
};

void fleet_policy_defaults(struct fleet_policy *f);

const struct fleet_policy *policy_fleet(const struct policy *p);

/* Is this [A-Za-z0-9._-]{1,64}? */
bool fleet_name_good(const char *name);

#endif
