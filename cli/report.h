/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a report is made of, and the two forms of it: a page, and JSON. Both say the same numbers. */
#ifndef MINEWALL_REPORT_H
#define MINEWALL_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "cli/incidents.h"
#include "cli/tally.h"
#include "policy/policy.h"

/* Rows shown of each table; what is left is counted in a line. */
#define REPORT_ROWS 50

struct report {
	struct tally *tally;
	int64_t since_us, until_us, now_us;
	const struct policy *policy;	/* its settings and sources */
	const json_t *status, *lists;	/* the daemon's answers; NULL: it does not run */
	struct incidents_read incidents;
	uint64_t unprotected_s;		/* nobody judged: while it was stopped or paused, as far as the log says */
	char host[65];			/* this machine's name */
};

/* A list of the policy and how fresh it is. */
struct report_list {
	const char *name;
	int64_t age_s, max_age_s;	/* -1: there is no file; 0: it may be of any age */
	bool old;
	int64_t hits;			/* since the daemon's start; -1: not known */
};
struct report_list report_list_of(const struct report *r, const struct list_source *source);

/* The device's incident; NULL: it has none, or none can be read. */
const json_t *report_incident(const struct report *r, const struct tally_device *d);

/* The incidents of no device of this report that still wait for somebody. */
size_t report_others_waiting(const struct report *r);

/* What to do about a device, the most urgent first; answers how many there are. */
#define REPORT_ADVICE_MAX 6
size_t report_advice(const struct report *r, const struct tally_device *d, const char *advice[REPORT_ADVICE_MAX]);

/* Devices, other than the first, that share a wallet with others: a campaign. */
static inline bool report_is_campaign(const struct tally_wallet *w)
{
	return w->devices > 1;
}

/* New reference; NULL: no memory. */
json_t *report_json(const struct report *r);

/* The whole page. */
void report_page(FILE *out, const struct report *r);

/* Text as it may stand in HTML, in an attribute's quotes, too: nothing in it is markup, turns the direction of writing or is unseen. */
void report_text(FILE *out, const char *text);

/* 1 234 567 */
#define REPORT_NUMBER_MAX 48
const char *report_number(char to[REPORT_NUMBER_MAX], uint64_t n);

/* The pictures (cli/report_svg.c): attempts over time, and by hour and weekday. */
void report_chart(FILE *out, const struct report *r);
void report_week(FILE *out, const struct report *r);

#endif
