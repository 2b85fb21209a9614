/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS on port 53. A resolver asks for everybody's names from one port, so each packet is judged by itself and the flow is never
 * blocked for it; answers to questions that were seen teach what the client's names stand for. */
#ifndef MINEWALL_LOOKUP_H
#define MINEWALL_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect/inspect.h"
#include "policy/policy.h"

#define LOOKUP_PORT 53

struct step;
struct lookups;		/* questions that wait for their answers, answers half received, what was told: of one worker */

/* NULL: no memory. `key` is the secret of the hash. */
struct lookups *lookups_new(const uint64_t key[2]);
void lookups_free(struct lookups *l);

/* A packet of port 53. False: it is no DNS message, or there is something about its address: judge it as any other. */
bool lookup_take(struct step *s);

/* A query in a client's stream that is let pass: its answer may come. */
void lookup_asked(struct step *s, const struct facts *query);

/* Is this finding news? Each client and name once a minute, whatever the number of retries, which `*repeats` counts. A telltale
 * name is put down to the host's score. */
bool lookup_news(struct step *s, const struct decision *d, bool query, uint32_t *repeats);

/* Adds the name to a ClientHello's facts that the client's own questions gave the flow's address. False: there is none, or
 * several. */
bool lookup_name(struct step *s, struct facts *hello);

#endif
