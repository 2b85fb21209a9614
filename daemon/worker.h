/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet loop: a thread for each queue that receives a batch, asks the pipeline, gives the verdicts and,
 * once they are sent, hands the findings on to the adder. */
#ifndef MINEWALL_WORKER_H
#define MINEWALL_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/adder.h"
#include "daemon/answers.h"
#include "daemon/blind.h"
#include "daemon/event.h"
#include "daemon/learnt.h"
#include "daemon/pipeline.h"
#include "daemon/prefaulter.h"
#include "daemon/refuse.h"
#include "daemon/ring.h"
#include "daemon/score.h"
#include "daemon/tenants.h"
#include "daemon/watchdog.h"
#include "nfq/queue.h"
#include "nft/table.h"

/* What all workers share. */
struct worker_shared {
	_Atomic(const struct policy *) policy;	/* swapped by a reload */
	struct table *table;
	struct learnt *learnt;
	struct tenants *tenants;
	struct score *score;
	struct answers *answers;
	struct reach *reach;
	_Atomic(struct refuse *) refuse;	/* NULL: it could not be opened */
	struct blind *blind;
	struct ring *events;
	struct adder *adder;
	struct prefaulter *prefaulter;
	struct watchdog *watchdog;	/* NULL when failing closed */
	uint8_t *login_key;		/* 32 bytes (daemon/secret.h) */
	uint64_t hash_key[2];
};

/* Written by its worker only, read by anybody. */
struct worker_counters {
	atomic_uint_fast64_t packets, accepted, cleared, blocked, found, overload;
	atomic_uint_fast64_t reasons[REASON_COUNT];
	atomic_uint_fast64_t lost;		/* ENOBUFS notices */
	atomic_uint_fast64_t flows;		/* remembered now */
};

struct worker;

/* Reads `queue` until it is stopped. `share`: how many workers there are, as the memory is divided among them. */
int worker_start(struct worker **w, const struct worker_shared *shared, struct queue *queue, unsigned index, unsigned share);

/* Asks it to end; worker_stop waits for that and frees it. */
void worker_stop(struct worker *w);

/* Has it come around since it was asked last? It is woken, so that an idle one has by the next time. */
bool worker_moved(struct worker *w);

/* After shared->policy was swapped: wakes the worker, so that it takes the new one. */
void worker_wake(struct worker *w);

/* The policy that the worker judges by now: the one before may be freed when no worker says it any more. */
const struct policy *worker_policy(const struct worker *w);

/* Has it judge the flows that it accepted anew. */
void worker_rejudge(struct worker *w);

/* Is it still judging flows that it accepted by an earlier policy? Then it wants to be woken now and then. */
bool worker_rejudging(const struct worker *w);

const struct worker_counters *worker_counters(const struct worker *w);

#endif
