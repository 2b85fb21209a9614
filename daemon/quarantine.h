/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices in quarantine: the daemon's list of them, which every new table takes over. The kernel ends each one by itself; who is
 * to be there the admin says, or the reporter where the policy says `auto`. */
#ifndef MINEWALL_QUARANTINE_H
#define MINEWALL_QUARANTINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nft/table.h"

/* Devices at a time: more than a house has infected ones. */
#define QUARANTINE_MAX 64
#define QUARANTINE_ADDRESSES 6
#define QUARANTINE_ELEMENTS (QUARANTINE_MAX * (QUARANTINE_ADDRESSES + 1))

struct quarantined {
	uint64_t until_s;		/* CLOCK_MONOTONIC */
	bool mac_known;
	uint8_t mac[6];
	unsigned n_addresses;
	struct { uint8_t address[16], family; } addresses[QUARANTINE_ADDRESSES];
};

struct daemon;
struct policy;

/* Does the policy have quarantine, and does it stop anything at all? */
bool quarantine_on(const struct policy *p);

/* For the table: each address and MAC once. At most QUARANTINE_ELEMENTS; at most REPORTING_ALLOWED_MAX. */
size_t quarantine_devices(const struct daemon *d, struct table_device *out);
size_t quarantine_reachable(const struct policy *p, struct table_network *out);

/* Tells the workers whose questions open what the policy names. */
void quarantine_keep(struct daemon *d, const struct policy *p);

/* The verb: {addresses: [...], mac, for_s}; for_s 0 releases. A new reference. */
json_t *quarantine_answer(struct daemon *d, const json_t *request);

/* The reporter wants it; what the policy does not want is not done. */
void quarantine_wanted(struct daemon *d, const char *text);

/* Forgets those that are over. */
void quarantine_tick(struct daemon *d);

/* For status, and for the process that takes over: [{addresses, mac, left_s}]; a new reference. */
json_t *quarantine_json(const struct daemon *d);

/* Before there is a table: those that the process before had. */
void quarantine_inherit(struct daemon *d, const json_t *list);

#endif
