/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How busy a device is: asked by SNMP (HOST-RESOURCES-MIB, RFC 2790) in a process of its own, one device at a time, and only those that
 * have an incident or that the policy names. Runs beside the reporter's process. */
#ifndef MINEWALL_LOAD_H
#define MINEWALL_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/incident.h"
#include "policy/reporting.h"

/* A device that the policy names, whether it has an incident or not. */
struct load_host {
	struct reading last;
	uint32_t busy;			/* readings in a row that reached the threshold */
	bool known;
};

struct load {
	pid_t pid;			/* 0: none runs */
	int fd;				/* of its socket */
	uint32_t asked;			/* the incident or, above LOAD_HOSTS_FROM, the named host that is asked for; 0: nobody */
	int64_t asked_ms;
	int64_t round_ms;		/* when the last round began */
	uint32_t next;			/* in this round */
	bool round;
	uint64_t polls, failures;
	bool failed;			/* that it cannot be loaded was said */
	struct load_host hosts[REPORTING_CPU_HOSTS_MAX];
};

#define LOAD_HOSTS_FROM 0xffff0000u

void load_init(struct load *l);
/* Ends the process: the settings are new, or all is over. */
void load_end(struct load *l);

/* A new incident is asked for at once, while the minute's mean still holds the time before it was blocked. */
void load_hurry(struct load *l);

/* What is known of a named device is the first that its new incident knows. */
void load_seed(const struct load *l, const struct reporting *r, struct incident *i);

/* Takes an answer if there is one, asks the next. True: a reading came in. */
bool load_tick(struct load *l, const struct reporting *r, struct incident_book *b, int64_t now_ms, int64_t now_s);
int load_due_ms(const struct load *l, const struct reporting *r, int64_t now_ms);

/* daemon/load_snmp.c: mean of the processors' load in percent; -errno. -ELIBACC: the library is not there; -ENOSYS: built without. */
int load_snmp_open(void);
int load_snmp_ask(const struct reporting *r, const char *address);

#endif
