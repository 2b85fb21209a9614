/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that touches the workers' memory ahead of its use (nfq/prefault.h). */
#ifndef MINEWALL_PREFAULTER_H
#define MINEWALL_PREFAULTER_H

#include "daemon/pipeline.h"

struct prefaulter;

/* 0 or a negative errno. */
int prefaulter_start(struct prefaulter **out);

/* After the workers. */
void prefaulter_stop(struct prefaulter *p);

/* This worker's memory is looked after from now on. NULL: no longer; then nobody touches it when this returns. */
void prefaulter_watch(struct prefaulter *p, unsigned worker, struct pipeline *pipeline);

/* Some pipeline wants memory (pipeline_wants_memory). Does not wait. */
void prefaulter_ask(struct prefaulter *p);

#endif
