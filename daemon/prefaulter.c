// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/prefaulter.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "daemon/watchdog.h"

struct prefaulter {
	pthread_t thread;
	sem_t wanted;
	atomic_bool asked, stop;
	pthread_mutex_t lock;
	struct pipeline *pipelines[WATCHDOG_QUEUES_MAX];
};

static void *run(void *arg)
{
	struct prefaulter *p = arg;

	for (;;) {
		while (sem_wait(&p->wanted))
			;	/* a signal */
		if (atomic_load(&p->stop))
			return NULL;
		/* who asks from here on is heard the next time */
		atomic_store(&p->asked, false);
		pthread_mutex_lock(&p->lock);
		for (unsigned i = 0; i < WATCHDOG_QUEUES_MAX; i++)
			if (p->pipelines[i])
				pipeline_fetch_memory(p->pipelines[i]);
		pthread_mutex_unlock(&p->lock);
	}
}

void prefaulter_ask(struct prefaulter *p)
{
	if (!atomic_exchange(&p->asked, true))
		sem_post(&p->wanted);
}

void prefaulter_watch(struct prefaulter *p, unsigned worker, struct pipeline *pipeline)
{
	pthread_mutex_lock(&p->lock);
	p->pipelines[worker] = pipeline;
	pthread_mutex_unlock(&p->lock);
}

int prefaulter_start(struct prefaulter **out)
{
	struct prefaulter *p = calloc(1, sizeof(*p));
	int err;

	*out = NULL;
	if (!p)
		return -ENOMEM;
	sem_init(&p->wanted, 0, 0);
	pthread_mutex_init(&p->lock, NULL);
	err = -pthread_create(&p->thread, NULL, run, p);
	if (err) {
		free(p);
		return err;
	}
	*out = p;
	return 0;
}

void prefaulter_stop(struct prefaulter *p)
{
	if (!p)
		return;
	atomic_store(&p->stop, true);
	sem_post(&p->wanted);
	pthread_join(p->thread, NULL);
	pthread_mutex_destroy(&p->lock);
	sem_destroy(&p->wanted);
	free(p);
}
