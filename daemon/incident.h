/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machines that keep trying, one incident each: what was seen of a device is folded into what is known of it. Values in,
 * a change out: no clock, no file, no process; the caller keeps, tells and asks. */
#ifndef MINEWALL_INCIDENT_H
#define MINEWALL_INCIDENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INCIDENT_TEXT_MAX 128
#define INCIDENT_NOTE_MAX 256
#define INCIDENT_HASH_MAX 33
#define INCIDENT_ADDRESS_MAX 46

/* Kept of each kind for a device, those seen last: a miner has a pool or two and their backups. */
#define INCIDENT_ADDRESSES 6
#define INCIDENT_POOLS 8
#define INCIDENT_AGENTS 4
#define INCIDENT_PAYEES 4
#define INCIDENT_READINGS 16
/* The span of an alert in so many parts: an attempt is forgotten up to one of them early. */
#define INCIDENT_SLOTS 64

/* What an attempt weighs: one, and more for what an honest machine hardly does. */
enum { WEIGHT_ATTEMPT = 1, WEIGHT_OUTSIDE = 2, WEIGHT_TELLTALE = 2, WEIGHT_SPREADING = 1 };

enum incident_state { INCIDENT_OPEN, INCIDENT_ACKNOWLEDGED, INCIDENT_CLEANED, INCIDENT_REOPENED, INCIDENT_STATES };

/* By the sum of weights: 0 "noticed", from 50 on "serious", from 500 on "severe". A step up is told once. */
enum { INCIDENT_LEVELS = 3 };

/* One event of the log, as far as an incident is about it. */
struct sighting {
	int64_t when_s;			/* of the epoch: the event's own time */
	char address[INCIDENT_ADDRESS_MAX], mac[18], name[64];	/* "" if not known */
	bool blocked;			/* else seen and let through */
	bool opens;			/* of a kind that makes an incident, or brings back one that was cleaned */
	bool outside;			/* the hours of the house */
	bool telltale, spreading;	/* a name that only a miner asks for; a service by which worms spread */
	uint64_t count;			/* attempts */
	char pool[INCIDENT_TEXT_MAX], agent[INCIDENT_TEXT_MAX], payee[INCIDENT_HASH_MAX];
};

struct incident_item {
	char text[INCIDENT_TEXT_MAX];
	uint64_t count;
	int64_t last_s;
};

/* How busy the device was, as polled or pushed. */
struct reading {
	int64_t when_s;
	uint8_t cpu;			/* percent */
	int16_t gpu;			/* percent, -1: not known */
	bool pushed;
};

struct incident {
	uint32_t id;
	enum incident_state state;
	char mac[18], name[64];
	char addresses[INCIDENT_ADDRESSES][INCIDENT_ADDRESS_MAX];	/* the last used first */
	int64_t first_s, last_s, changed_s;	/* changed: its state */
	int64_t blocked_s;			/* when the last attempt was blocked */
	int64_t since_s;			/* when it opened or reopened */
	uint64_t blocked, allowed, outside, telltales, spreading;
	uint64_t points;			/* sum of weights since it opened or reopened */
	uint32_t reopened;
	uint64_t alerts;
	bool told;				/* since it opened or reopened */
	unsigned level_told;
	struct incident_item pools[INCIDENT_POOLS], agents[INCIDENT_AGENTS], payees[INCIDENT_PAYEES];
	char note[INCIDENT_NOTE_MAX];
	int64_t quarantine_until_s;		/* 0: it is not */
	struct reading readings[INCIDENT_READINGS];	/* the last first */
	unsigned n_readings;
	int before;				/* how busy it was until it was blocked, percent; -1: not known */
	struct { int64_t from_s; uint64_t weight; } slots[INCIDENT_SLOTS];	/* blocked attempts of the alert's span */
};

enum incident_alert { ALERT_NONE, ALERT_OPENED, ALERT_REOPENED, ALERT_ESCALATED };

/* What a sighting did. */
struct incident_change {
	struct incident *incident;	/* NULL: nothing */
	bool opened, reopened;
	enum incident_alert alert;
};

struct incident_book {
	struct incident **items;	/* by id */
	size_t n, room, max;
	uint32_t next_id;
	uint64_t dropped;		/* left out as there was no room */
	uint32_t alert_attempts;	/* 0: none */
	uint32_t alert_within_s;
};

/* At most `max` incidents, of which the longest cleaned goes first. A smaller one later drops none before room is needed. */
void incident_book_init(struct incident_book *b, size_t max);
void incident_book_fini(struct incident_book *b);

/* Folds it in. */
struct incident_change incident_see(struct incident_book *b, const struct sighting *s);

struct incident *incident_get(struct incident_book *b, uint32_t id);

/* A new, empty one of this id, which must be free; NULL: no memory. */
struct incident *incident_put(struct incident_book *b, uint32_t id);

/* The device's newest incident, by MAC or address; NULL. */
struct incident *incident_of(struct incident_book *b, const char *mac, const char *address);

/* False: it is in no state for that (acknowledged or cleaned already). `note` may be NULL. */
bool incident_acknowledge(struct incident *i, int64_t now_s);
bool incident_clean(struct incident *i, int64_t now_s, const char *note);

/* The newest comes first, the oldest goes. */
void incident_read_load(struct incident *i, const struct reading *r);

/* Weight of the blocked attempts within the alert's span that ends at `now_s`. */
uint64_t incident_recent(const struct incident *i, uint32_t within_s, int64_t now_s);

unsigned incident_level(const struct incident *i);

const char *incident_state_text(enum incident_state s);
const char *incident_level_text(unsigned level);
const char *incident_alert_text(enum incident_alert a);

/* What the load says of it. `threshold`: busy from here on; `polls`: so many readings in a row count. */
enum incident_verdict { LOAD_UNKNOWN, LOAD_WAITING, LOAD_CONFIRMED, LOAD_STILL_BUSY, LOAD_NEVER_BUSY };

struct incident_load {
	enum incident_verdict verdict;
	int before, after;		/* percent, the busier of CPU and GPU; -1: not known */
};

struct incident_load incident_load_of(const struct incident *i, unsigned threshold, unsigned polls);
const char *incident_verdict_text(enum incident_verdict v);

/* Other devices of the same payee: at most `max` ids into `to`; answers how many there are. */
size_t incident_campaign(const struct incident_book *b, const struct incident *i, uint32_t *to, size_t max);

/* daemon/incident_json.c: for files, verbs and hooks; a new reference, NULL without memory. */
json_t *incident_json(const struct incident *i);
/* The same for readers: with `same_payee` (ids of others in the book) and, if its load was read, `load` {verdict, before, after}. */
json_t *incident_whole(const struct incident_book *b, const struct incident *i, unsigned threshold, unsigned polls);
/* Takes one that was written so into the book. False: not whole, or its id is there already. */
bool incident_load(struct incident_book *b, const json_t *j);

#endif
