/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events added up: by device, pool, wallet and hour. Of bounded memory, whatever the log holds; what does not fit is counted
 * as others'. Draws and prints nothing. */
#ifndef MINEWALL_TALLY_H
#define MINEWALL_TALLY_H

#include "cli/log_line.h"
#include "policy/schedule.h"

#define TALLY_DEVICES 2048
#define TALLY_POOLS 4096
#define TALLY_WALLETS 512
#define TALLY_NOTES 32
#define TALLY_GATEWAYS 2048
#define TALLY_TEXT 264			/* a name with its port, and a NUL */
#define TALLY_ADDRESSES 4
#define TALLY_DEVICE_POOLS 5
#define TALLY_GATEWAY 128		/* longer names are cut */
/* Parts of the time on the chart, at most. */
#define TALLY_SLOTS 200
/* The last hour, for `top`: parts of 15 s. */
#define TALLY_RECENT 240
#define TALLY_RECENT_US (15 * 1000000LL)

struct tally_count {
	uint64_t blocked, allowed;	/* attempts: an event's count is so many */
	int64_t first_us, last_us;	/* 0: only events of a clock that was not set */
};

struct tally_recent {
	int64_t newest;			/* number of the part that was written last */
	uint32_t parts[TALLY_RECENT];
};

struct tally_device {
	char id[200];			/* key and gateway: the same address behind another one is another device */
	char key[64];			/* its MAC; without one its address */
	char gateway[TALLY_GATEWAY];	/* "": this machine, or the only one */
	bool has_mac;
	char name[64];
	char addresses[TALLY_ADDRESSES][46];
	unsigned n_addresses;		/* of the kept ones */
	struct tally_count count;
	uint64_t outside;		/* attempts outside the hours of the house */
	uint64_t protocol, named, telltale, spreading, scored;	/* attempts by evidence */
	uint64_t kernel;		/* of all: stopped by the kernel alone */
	char agent[TALLY_TEXT], dialect[TALLY_TEXT];	/* the last one seen, "" if none */
	struct { uint32_t pool; uint64_t n; } pools[TALLY_DEVICE_POOLS];	/* pool: place + 1; the first ones seen */
	struct tally_recent recent;
};

struct tally_pool {
	char key[TALLY_TEXT];		/* its name; without one address:port */
	struct tally_count count;
	uint32_t devices;		/* how many, each counted once */
	uint32_t last_device;
	uint64_t seen[TALLY_DEVICES / 64];
	struct tally_recent recent;
};

struct tally_wallet {
	char key[40];			/* the keyed hash */
	struct tally_count count;
	uint64_t seen[TALLY_DEVICES / 64];
	uint32_t devices;
};

/* Of a log that several machines wrote. */
struct tally_gateway {
	char key[TALLY_GATEWAY];
	struct tally_count count;
	uint32_t devices;
	uint64_t notes, seconds;	/* notes about itself, and of what they say: unprotected */
};

struct tally_note {
	char event[64];
	char detail[TALLY_TEXT];	/* the last one */
	struct tally_count count;	/* `allowed`: how many */
	uint64_t seconds;		/* together; unprotected, if the note is of such a kind */
};

struct tally {
	const struct schedule *hours;	/* of the house; NULL: none are said */
	struct tally_count all;
	uint64_t events, findings;	/* lines; of them findings */
	uint64_t undated;		/* attempts of a clock that was not set */
	uint64_t outside, kernel;
	uint64_t week[7][24];		/* attempts by local weekday (0: Sunday) and hour */
	int64_t start_us, step_us;	/* of the chart */
	struct { uint64_t blocked, allowed; } slots[TALLY_SLOTS];
	struct tally_device *devices;
	struct tally_pool *pools;
	struct tally_wallet *wallets;
	struct tally_note notes[TALLY_NOTES];
	struct tally_gateway *gateways;
	size_t n_devices, n_pools, n_wallets, n_notes, n_gateways;
	uint64_t other_devices, other_pools, other_wallets;	/* attempts that had no room */
	uint32_t device_at[TALLY_DEVICES * 2], pool_at[TALLY_POOLS * 2], wallet_at[TALLY_WALLETS * 2];	/* place + 1 by hash */
	uint32_t gateway_at[TALLY_GATEWAYS * 2];
	int64_t hour_from_us;		/* the hour of the last event: its weekday, its hour, and whether it is outside */
	int weekday, hour;
};

/* `hours` may be NULL and must outlive it. The chart goes from `start_us` on in parts of `step_us` (0: none). NULL: no memory. */
struct tally *tally_new(const struct schedule *hours, int64_t start_us, int64_t step_us);
void tally_free(struct tally *t);

void tally_add(struct tally *t, const struct log_line *line);

/* Attempts of the last `seconds` (at most an hour) before `now_us`. */
uint64_t tally_last(const struct tally_recent *r, int64_t now_us, unsigned seconds);

/* Places in order, the most attempts first; the caller frees. NULL: none, or no memory. */
uint32_t *tally_worst(const void *items, size_t n, size_t size, size_t count_offset);
#define TALLY_WORST(t, what) tally_worst((t)->what, (t)->n_##what, sizeof(*(t)->what), offsetof(__typeof__(*(t)->what), count))

static inline uint64_t tally_attempts(const struct tally_count *c)
{
	return c->blocked + c->allowed;
}

#endif
