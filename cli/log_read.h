/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event log's events, oldest first, those alone that are asked for: what `log`, `top`, `report`, `explain` and `check --diff`
 * read. */
#ifndef MINEWALL_LOG_READ_H
#define MINEWALL_LOG_READ_H

#include "cli/log_line.h"
#include "policy/policy.h"

/* Each is compared with each event. */
#define LOG_GATEWAYS_MAX 64

/* {0}: every event. */
struct log_query {
	int64_t since_us, until_us;	/* microseconds of the epoch; 0: open */
	const char *host;		/* an inside address, a network, a MAC or a device's name; by log_query_host */
	struct network net;
	uint8_t mac[6];
	enum { LOG_ANY_HOST, LOG_HOST_NET, LOG_HOST_MAC, LOG_HOST_NAME } host_is;
	const char *name;		/* a name, and all below it */
	const char *rule, *list;
	const char *gateway[LOG_GATEWAYS_MAX];	/* one of these wrote it: names, or patterns with * and ? */
	unsigned n_gateways;
	bool here;			/* no other gateway did */
	bool follow;			/* goes on for ever, or until `each` says so */
};

/* What `text` is: address, network, MAC or name. */
void log_query_host(struct log_query *q, const char *text);

/* One more gateway whose events are asked for. False: there are too many. */
bool log_query_gateway(struct log_query *q, const char *pattern);

/* Does the event fit, but for its time? */
bool log_query_fits(const struct log_query *q, const struct log_line *line);

struct log_result {
	size_t too_long;		/* lines that were passed over */
	char broken[256];		/* the file that could not be read to its end, and why; "" if there is none */
	char why[64];
};

/* Calls `each` with every event of ours that fits, until it answers other than 0; `line` lives until it returns. `idle` (may be NULL) is
 * called while `follow` waits. An event of a clock that was not set is one of the time between its neighbours. 0, what `each` or `idle`
 * answered, or -errno (-ENOENT: there is no log). */
int log_read(const char *path, const struct log_query *q, int (*each)(const struct log_line *line, void *arg), int (*idle)(void *arg), void *arg,
	     struct log_result *result);

/* Reads --since and --until (NULL: not given) into the query. -1: go on; else EXIT_USAGE, with its line said. */
int log_times(const char *verb, const char *since, const char *until, struct log_query *q);

/* --gateway: false, or its line is said. */
bool log_bad_gateway(const char *verb, struct log_query *q, const char *pattern);

/* Asks the daemon at this socket, if there is one, to write what it has not written yet. */
void log_flush(const char *control);

/* Says on standard error why there is no log to be read, or what was left out. The exit code: EXIT_NO, EXIT_SYSTEM or EXIT_PARTLY, or
 * EXIT_DONE. */
int log_say(const char *path, int err, const struct log_result *result);

#endif
