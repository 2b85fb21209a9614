/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table outlives a killed daemon on purpose: what it taught goes on blocking, and the next one adopts it. For
 * the operator who wants it gone there must be a way that needs no daemon; never under one that lives. */
#include "daemon/leftover.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "daemon/watchdog.h"
#include "nfq/queue.h"
#include "nft/connmark.h"
#include "nft/table.h"

static bool has_reader(const struct settings *s)
{
	unsigned n = s->queue_count ? s->queue_count : WATCHDOG_QUEUES_MAX;
	int fd = queue_losses_open();
	struct queue_losses l;
	bool found = false;

	for (unsigned i = 0; fd >= 0 && i < n && !found; i++)
		found = queue_losses_read(fd, (uint16_t)(s->queue_first + i), &l) == 0;
	if (fd >= 0)
		close(fd);
	return found;
}

int leftover_remove(const struct settings *s)
{
	struct connmark *connmark = NULL;
	struct table *table = NULL;
	struct table_error error;
	int err = table_open(&table, &error);

	if (!err)
		err = table_check(table);
	if (err != 1)
		goto out;		/* none, or somebody else's of this name */
	err = has_reader(s) ? -EBUSY : table_remove(table);
	if (err == -EPERM)	/* a hung daemon whose queues its watchdog gave up still owns it */
		err = -EBUSY;
	if (!err)
		err = connmark_open(&connmark);
	if (!err && connmark_clear(connmark, s->mark_mask) < 0)
		err = -EIO;
	if (!err)
		err = 1;
out:
	connmark_close(connmark);
	table_close(table);
	return err;
}
