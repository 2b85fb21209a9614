/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring of whole events under a lock, and an eventfd that wakes the reader. */
#include "daemon/ring.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct ring {
	pthread_mutex_t lock;
	int fd;
	unsigned first, n;
	uint64_t lost;
	struct event events[RING_EVENTS];
};

struct ring *ring_new(void)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->fd < 0) {
		ring_free(r);
		return NULL;
	}
	return r;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void ring_put(struct ring *r, const struct event *e)
{
	bool first;

	pthread_mutex_lock(&r->lock);
	first = r->n == 0;
	if (r->n == RING_EVENTS)
		r->lost++;
	else
		r->events[(r->first + r->n++) % RING_EVENTS] = *e;
	pthread_mutex_unlock(&r->lock);
	if (first)
		eventfd_write(r->fd, 1);
}

bool ring_take(struct ring *r, struct event *e)
{
	eventfd_t ignored;
	bool any;

	pthread_mutex_lock(&r->lock);
	any = r->n > 0;
	if (any) {
		*e = r->events[r->first];
		r->first = (r->first + 1) % RING_EVENTS;
		r->n--;
	} else {
		eventfd_read(r->fd, &ignored);
	}
	pthread_mutex_unlock(&r->lock);
	return any;
}

int ring_fd(const struct ring *r)
{
	return r->fd;
}

uint64_t ring_lost(struct ring *r)
{
	uint64_t lost;

	pthread_mutex_lock(&r->lock);
	lost = r->lost;
	pthread_mutex_unlock(&r->lock);
	return lost;
}
