/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What other gateways say is mining, and when to believe it: a bounded table of hints, each an endpoint signed by a gateway. Pure: time,
 * signatures' proof and keys come in from outside; what is to be taught or let go of comes out one change after the other. */
#ifndef MINEWALL_HINTS_H
#define MINEWALL_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/hint.h"

/* Longest life of a hint; how far a clock may be ahead of ours; how long traffic of our own stands for an endpoint. */
#define HINTS_LIFE_S (24 * 3600)
#define HINTS_SKEW_S 120
#define HINTS_OWN_S (24 * 3600)
/* What the daemon had no room for is told again after so long. */
#define HINTS_FULL_S 600
/* The bucket of a gateway holds so many minutes' worth. */
#define HINTS_BURST_MIN 10
/* Gateways that the key file may name. */
#define HINTS_GATEWAYS_MAX 8192
/* Endpoints that own traffic points to and no gateway has named yet. */
#define HINTS_WAITING_MAX 1024
/* "gw1,gw2", with its NUL; own traffic among them is HINTS_OWN. */
#define HINTS_GATEWAYS_TEXT 256
#define HINTS_OWN "+own"

enum hint_result {
	HINT_ACCEPTED,		/* new, or newer than what it said before */
	HINT_KNOWN,		/* the same message again */
	HINT_WITHDRAWN,
	HINT_OWN,		/* our own */
	HINT_STATUS,		/* no hint: a gateway's status */
	HINT_REFUSED,		/* the reasons begin here */
	HINT_MALFORMED = HINT_REFUSED,
	HINT_UNKNOWN_GATEWAY,
	HINT_REVOKED,
	HINT_SIGNATURE,
	HINT_EXPIRED,
	HINT_FUTURE,
	HINT_LIFETIME,
	HINT_REPLAYED,
	HINT_RATE,
	HINT_FULL,
	HINT_EVIDENCE,
	HINT_RESERVED,		/* an address that nobody may share, or one of ours */
	HINT_LOCAL_ALLOW,	/* an allow rule of this gateway */
	HINT_POLICY,		/* another word of its policy */
	HINT_RESULTS
};

/* The word for it, as in log and figures. */
const char *hint_result_text(enum hint_result r);

struct hints_config {
	char site[FLEET_NAME_MAX], gateway[FLEET_NAME_MAX];
	uint32_t confirm, rate, max;
};

/* Is this the signature of the text by the key's owner? */
typedef bool hints_verify(const uint8_t signature[HINT_SIGNATURE_BYTES], const void *text, size_t len, const uint8_t key[HINT_KEY_BYTES]);

struct hint_gateway {
	char name[FLEET_NAME_MAX];
	uint8_t key[HINT_KEY_BYTES];
	bool trusted, revoked;		/* neither: it stood in a key file before */
	bool online;
	bool heard;			/* of its status, or a hint */
	int64_t since_s;		/* it is online, by its own clock */
	int64_t last_s;			/* when it said something last */
	int64_t lag_s;			/* of its last hint that came as it was said; -1: none did */
	uint32_t hints, live;		/* of our table; those that count */
	uint64_t accepted, refused[HINT_RESULTS];
	/* milliseconds' worth in its buckets: of new endpoints, of messages */
	int64_t new_ms, any_ms, filled_ms;
	uint32_t next;			/* in its chain, + 1 */
};

struct hints_figures {
	size_t hints, endpoints;	/* that count; what they are about */
	size_t confirmed, watched;	/* to be blocked; that would be, did we not only watch */
	size_t gateways, online;	/* that are believed; of those */
	uint64_t accepted, refused[HINT_RESULTS];
	int64_t lag_s;			/* of the last; -1 */
};

struct hints;

/* `key`: random, for the table. NULL: no memory. */
struct hints *hints_new(hints_verify *verify, const uint64_t key[2]);
void hints_free(struct hints *h);

/* Another site or name of ours forgets everything. */
void hints_configure(struct hints *h, const struct hints_config *config);

/* Networks that this gateway is in, its addresses, and the broker: nobody else speaks of them, nor do we. IPv4 v4-mapped, prefix + 96;
 * port 0: any. Copied. */
struct hint_network {
	uint8_t addr[16];
	uint8_t prefix;
	uint16_t port;
};
int hints_ours(struct hints *h, const struct hint_network *ours, size_t n);

/* Is it one that nobody may share, or ours? */
bool hints_private(const struct hints *h, const struct hint_endpoint *at);

/* The key file's text takes the place of the one before; hints of gateways that are gone, revoked or have another key do not count
 * from now on. Answers the first line that is wrong (from 1), and nothing has changed; 0; or -ENOMEM. */
int hints_keys(struct hints *h, const char *text, size_t len);

/* What a message was, for the log. */
struct hint_seen {
	char gateway[FLEET_NAME_MAX];	/* "": it cannot be read */
	bool has_endpoint;
	struct hint_endpoint at;
};

/* A message of the broker; `retained`: from its store. `mono_ms` is for rates. */
enum hint_result hints_take(struct hints *h, const char *topic, const char *payload, size_t len, bool retained, int64_t now_s,
			    int64_t mono_ms, struct hint_seen *seen);

/* A gateway is there, or is not. */
void hints_status(struct hints *h, const char *gateway, bool online, int64_t since_s, int64_t now_s);

/* Own traffic points at it, though that alone proves nothing. */
void hints_point(struct hints *h, const struct hint_endpoint *at, int64_t now_s);

/* The operator let go of it: what was said of it until now does not count. */
void hints_mute(struct hints *h, const struct hint_endpoint *at, int64_t now_s);

/* The daemon does not want it (LOCAL_ALLOW, POLICY, FULL, or ACCEPTED: it only watches). It is not told of it until hints_again,
 * or of FULL for HINTS_FULL_S. */
void hints_refuse(struct hints *h, const struct hint_endpoint *at, enum hint_result why);

/* Tells of everything that is confirmed anew. */
void hints_again(struct hints *h);

/* What was confirmed before a restart, by these gateways. */
void hints_restore(struct hints *h, const struct hint_endpoint *at, const char *dialect, const char *gateways, int64_t until_s,
		   int64_t now_s);

/* Every second or so: what expired. */
void hints_tick(struct hints *h, int64_t now_s);

struct hint_change {
	struct hint_endpoint at;
	char dialect[HINT_DIALECT_MAX];
	int64_t until_s;		/* 0: not confirmed any more */
	uint32_t n_gateways;
	char gateways[HINTS_GATEWAYS_TEXT];	/* those whose word lasts longest come first */
};

/* The next thing to tell, until hints_told. False: nothing. */
bool hints_next(struct hints *h, int64_t now_s, struct hint_change *c);
void hints_told(struct hints *h, const struct hint_change *c);

void hints_figures(const struct hints *h, int64_t now_s, struct hints_figures *f);
size_t hints_gateways(const struct hints *h);
const struct hint_gateway *hints_gateway(const struct hints *h, size_t i);

#endif
