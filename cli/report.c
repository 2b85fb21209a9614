/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall report`: the log of some days as a page that one can send to somebody or print. Adds up and hands on; it changes
 * nothing and asks nobody but the daemon of this machine. */
#include "cli/report.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/event_line.h"
#include "cli/list_meta.h"
#include "cli/log_read.h"
#include "daemon/control.h"
#include "policy/reporting.h"

static const char usage[] =
	"minewall report [-c POLICY] [--since TIME] [--until TIME] [-o FILE.html]\n"
	"                [--gateway NAME] [--json]\n\n"
	"Makes one page of the event log: attempts over time, by hour and weekday, the\n"
	"devices, their incidents and what to do about each, pools, wallets that several\n"
	"devices mine for, how the lists are, what could not be seen, and for how long\n"
	"nobody judged.\n"
	"The page loads nothing from elsewhere, and can be printed or sent by mail. It\n"
	"goes to standard output unless -o names a file. TIME is as for `minewall log`;\n"
	"without --since it is the last 7 days. Exit code 1 if there is no event in that\n"
	"time; the page is made all the same.\n\n"
	"  -o, --output FILE  where the page goes; a page that is there is replaced\n"
	"  --gateway NAME     in a log of many: this one alone, or 'north-*'; repeatable\n"
	"  -j, --json         the numbers instead of the page\n\n"
	"Example: minewall report --since 30d -o report.html\n";

struct arguments {
	const char *policy, *since, *until, *output;
	struct log_query query;
	bool json;
};

static int read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'c' }, { "since", required_argument, NULL, 's' },
		{ "until", required_argument, NULL, 'u' }, { "output", required_argument, NULL, 'o' },
		{ "gateway", required_argument, NULL, 'g' },
		{ "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:o:jh", options, NULL)) != -1)
		switch (c) {
		case 'c':	a->policy = optarg; break;
		case 's':	a->since = optarg; break;
		case 'u':	a->until = optarg; break;
		case 'o':	a->output = optarg; break;
		case 'g':
			if (log_bad_gateway(argv[0], &a->query, optarg))
				return EXIT_USAGE;
			break;
		case 'j':	a->json = true; break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case ':':
			fprintf(stderr, "minewall report: a value is missing after '%s'; see minewall report --help\n", argv[optind - 1]);
			return EXIT_USAGE;
		default:
			return cli_bad_option(argv);
		}
	if (optind < argc) {
		fprintf(stderr, "minewall report: '%s' is one argument too many; see minewall report --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

/* Parts of the chart: as fine as they can be, in steps that people know. */
static int64_t step_of(int64_t span_us)
{
	static const int64_t steps_s[] = { 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 7 * 86400, 30 * 86400 };

	for (size_t i = 0; i < sizeof(steps_s) / sizeof(steps_s[0]); i++)
		if (span_us / (steps_s[i] * 1000000) < TALLY_SLOTS - 1)
			return steps_s[i] * 1000000;
	return span_us / (TALLY_SLOTS - 1) + 1;
}

/* Local midnight at or before `us`, so that parts of hours and days begin where people say they do. */
static int64_t midnight(int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	localtime_r(&t, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * 1000000;
}

static int add(const struct log_line *line, void *arg)
{
	tally_add(arg, line);
	return 0;
}

/* What the notes say of seconds in which nobody judged; a pause that goes on has none yet, so the daemon says it. */
static uint64_t unprotected(const struct report *r)
{
	json_int_t open_s = json_integer_value(json_object_get(r->status, "gap_open_s")), span_s = (r->until_us - r->since_us) / 1000000;
	uint64_t s = r->until_us >= r->now_us && open_s > 0 ? (uint64_t)(open_s < span_s ? open_s : span_s) : 0;

	for (size_t i = 0; i < r->tally->n_notes; i++)
		s += r->tally->notes[i].seconds;
	return s;
}

struct report_list report_list_of(const struct report *r, const struct list_source *source)
{
	struct report_list l = { .name = source->name, .max_age_s = source->max_age_s, .hits = -1, .age_s = -1 };
	int64_t confirmed = list_confirmed(source->file);
	json_t *one;
	size_t i;

	if (confirmed)
		l.age_s = r->now_us / 1000000 - confirmed;
	l.old = l.age_s < 0 || (l.max_age_s && l.age_s > l.max_age_s);
	json_array_foreach(json_object_get(r->lists, "lists"), i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));

		if (name && !strcmp(name, source->name) && json_is_integer(json_object_get(one, "hits")))
			l.hits = json_integer_value(json_object_get(one, "hits"));
	}
	return l;
}

const json_t *report_incident(const struct report *r, const struct tally_device *d)
{
	const char *addresses[TALLY_ADDRESSES];

	/* The reporter that is asked is this machine's: of what is behind other gateways it knows nothing. */
	if (*d->gateway)
		return NULL;
	for (unsigned i = 0; i < d->n_addresses; i++)
		addresses[i] = d->addresses[i];
	return incidents_of(r->incidents.list, d->has_mac ? d->key : "", addresses, d->n_addresses);
}

size_t report_others_waiting(const struct report *r)
{
	json_t *shown = json_object(), *one;
	size_t waiting = 0, i;
	char id[24];

	for (i = 0; i < r->tally->n_devices; i++) {
		const json_t *its = report_incident(r, &r->tally->devices[i]);

		snprintf(id, sizeof(id), "%lld", (long long)json_integer_value(json_object_get(its, "id")));
		json_object_set_new(shown, id, json_true());
	}
	json_array_foreach(r->incidents.list, i, one) {
		snprintf(id, sizeof(id), "%lld", (long long)json_integer_value(json_object_get(one, "id")));
		waiting += strcmp(event_text(one, NULL, "state"), "cleaned") && !json_object_get(shown, id);
	}
	json_decref(shown);
	return waiting;
}

size_t report_advice(const struct report *r, const struct tally_device *d, const char *advice[REPORT_ADVICE_MAX])
{
	bool program = d->protocol || d->telltale;
	size_t n = 0;

	(void)r;
	if (d->spreading)
		advice[n++] = "Isolate it now: it asks the internet for services of the LAN, as worms do that bring miners along. Look at its "
			      "neighbours, too.";
	if (program)
		advice[n++] = "Isolate it until it is clean: a mining program runs on it and tries again and again. Do not only end the program; "
			      "what started it (a task, a service, a container, a cron job) starts it again.";
	if (program || d->spreading)
		advice[n++] = "Patch its system and what it offers to others, then clean it, or install it anew: whoever brought a miner in may "
			      "have left more than that.";
	if (program && d->outside)
		advice[n++] = "Check the accounts: it worked outside the hours of the house, when nobody should have been at it. Change its "
			      "passwords and keys from another device.";
	else if (program)
		advice[n++] = "Check the accounts on it: change passwords and keys from another device.";
	if (!program && d->named)
		advice[n++] = "Look at its browser first: names alone were asked for, as pages and extensions with miners do. If no page was "
			      "open at these times, treat it as a mining program.";
	if (!program && d->scored && n < REPORT_ADVICE_MAX)
		advice[n++] = "Look into what it runs: nothing was seen in clear, but it behaves like a miner.";
	if (d->count.allowed && n < REPORT_ADVICE_MAX)
		advice[n++] = "Some attempts were let through, by mode or by a rule that says monitor: what is wrong about it must be ended there.";
	return n;
}

static void ask(const char *control, const char *verb, json_t **reply)
{
	if (control_ask(control, json_pack("{s:s}", "verb", verb), reply))
		*reply = NULL;
}

/* Beside the file first: whoever reads the old page never finds half of the new one. */
static int write_page(const struct report *r, const char *output)
{
	char fresh[4096 + 8];
	int failed, err;
	FILE *f;

	snprintf(fresh, sizeof(fresh), "%s.new", output);
	unlink(fresh);
	f = fopen(fresh, "wxe");
	if (!f) {
		fprintf(stderr, "minewall report: %s cannot be written: %s\n", output, strerror(errno));
		return EXIT_SYSTEM;
	}
	fchmod(fileno(f), 0640);	/* it names machines of the house */
	report_page(f, r);
	failed = ferror(f);
	if ((fclose(f) || failed || rename(fresh, output))) {
		err = errno;
		unlink(fresh);
		fprintf(stderr, "minewall report: %s: %s\n", output, strerror(err));
		return EXIT_PARTLY;
	}
	return EXIT_DONE;
}

static int make(const struct arguments *a, struct report *r, const char *path)
{
	struct log_result result = { 0 };
	int err = log_read(path, &a->query, add, NULL, r->tally, &result);
	int code = log_say(path, err, &result), made;

	if (err && err != -ENOENT)
		return code;
	r->unprotected_s = unprotected(r);
	if (a->json)
		made = cli_print_json(report_json(r));
	else if (a->output)
		made = write_page(r, a->output);
	else
		made = (report_page(stdout, r), EXIT_DONE);
	return made != EXIT_DONE ? made : code != EXIT_DONE ? code : r->tally->events ? EXIT_DONE : EXIT_NO;
}

int report_main(int argc, char **argv)
{
	struct arguments a = { .policy = CLI_POLICY };
	struct report r = { 0 };
	json_t *status = NULL, *lists = NULL;
	struct cli_args args;
	struct policy *p;
	struct timespec now;
	int64_t step;
	int code = read_arguments(argc, argv, &a);

	if (code < 0)
		code = log_times(argv[0], a.since ? a.since : "7d", a.until, &a.query);
	if (code >= 0)
		return code;
	args = (struct cli_args){ .policy = a.policy };
	p = cli_policy(&args, &code);
	if (!p)
		return code;
	clock_gettime(CLOCK_REALTIME, &now);
	r.now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	r.since_us = a.query.since_us;
	r.until_us = a.query.until_us ? a.query.until_us : r.now_us;
	r.policy = p;
	gethostname(r.host, sizeof(r.host) - 1);
	log_flush(policy_settings(p)->control);
	ask(policy_settings(p)->control, "status", &status);
	ask(policy_settings(p)->control, "lists", &lists);
	r.status = status;
	r.lists = lists;
	incidents_read(&r.incidents, p);
	step = step_of(r.until_us - r.since_us);
	r.tally = tally_new(&policy_reporting(p)->hours, midnight(r.since_us) + (r.since_us - midnight(r.since_us)) / step * step, step);
	if (r.tally) {
		code = make(&a, &r, policy_settings(p)->log_file);
	} else {
		fprintf(stderr, "minewall report: out of memory\n");
		code = EXIT_SYSTEM;
	}
	tally_free(r.tally);
	incidents_read_fini(&r.incidents);
	json_decref(status);
	json_decref(lists);
	policy_free(p);
	return code;
}
