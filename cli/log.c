/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall log`: the event log for people. It first asks a running daemon to bring in what the kernel
 * counted, so that the last minute is never missing. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/event_line.h"
#include "cli/log_fold.h"
#include "cli/log_read.h"
#include "cli/log_render.h"
#include "cli/when.h"
#include "daemon/control.h"
#include "daemon/escape.h"
#include "daemon/leases.h"
#include "policy/reporting.h"

static const char usage[] =
	"minewall log [-c POLICY] [--since TIME] [--until TIME] [--host HOST]\n"
	"             [--gateway NAME] [--name NAME] [--rule RULE] [--list LIST] [--all]\n"
	"             [--follow] [--json] [--format ecs|syslog]\n\n"
	"Shows the events: when, which machine, what it tried to reach, the evidence,\n"
	"the rule, and the number that `minewall explain '#NUMBER'` takes. \"blocked\" was\n"
	"stopped; \"allowed\" was seen and let through, by mode or by a rule that says\n"
	"monitor. What a machine tries again within 10 minutes is one line with a count.\n"
	"Exit code 1 if there are none, 6 if a file could not be read to its end.\n\n"
	"  --since, --until TIME  2h (ago), 02:00, yesterday, 2026-11-24,\n"
	"                         '2026-11-24 03:00', RFC 3339; until a day: all of it\n"
	"  --host HOST            address, network, MAC or name of a device inside\n"
	"  --gateway NAME         in a log of many: of this one, or 'north-*'; repeatable\n"
	"  --name NAME            a name that was asked for, and all below it\n"
	"  --rule RULE            what decided, as in brackets: detect.stratum\n"
	"  --list LIST            a list's name\n"
	"  -a, --all              each attempt on a line of its own\n"
	"  -f, --follow           goes on with what comes, each attempt on its own\n"
	"  -j, --json             the lines as they are, each attempt on its own\n"
	"  --format FORMAT        ecs (Elastic's schema) or syslog (RFC 5424) instead\n\n"
	"Example: minewall log --since 02:00 --host 192.168.1.50\n";

struct arguments {
	const char *policy, *since, *until;
	struct log_query query;
	bool all, json;
	enum { FORMAT_LINE, FORMAT_ECS, FORMAT_SYSLOG } format;
	char machine[256];		/* this one's name, for syslog */
	struct leases leases;		/* the devices' names, as of now */
};

struct printing {
	const struct arguments *args;
	struct log_fold *fold;
	size_t n;
	char mac[18], address[46];	/* whose name it is */
	const char *name;
};

/* One that cannot be read leaves the devices nameless; the reporter says what is wrong with it. */
static void read_leases(struct arguments *a, const struct reporting *r)
{
	for (unsigned i = 0; i < r->n_leases; i++) {
		struct stat st;
		size_t len;
		int error;
		char *text = leases_text(r->leases[i], &st, &len, &error);

		if (!error && len)
			leases_read(&a->leases, text, len);
		free(text);
	}
}

/* By its MAC, or else the address of now, since events have no names: the one that judges reads no lease files. */
static void resolve_host(struct arguments *a)
{
	const struct lease *one = a->query.host_is == LOG_HOST_NAME ? leases_named(&a->leases, a->query.host) : NULL;

	if (!one || (!*one->mac && !*one->address))
		return;
	log_query_host(&a->query, *one->mac ? one->mac : one->address);
	/* Our lease files know our own network; behind another gateway the same address is another device. */
	a->query.here = !*one->mac;
}

static void print_line(struct printing *p, const struct log_line *line, int64_t count, int64_t last_us)
{
	const struct log_text *mac = &line->text[LOG_MAC], *address = &line->text[LOG_SRC];
	struct log_line named;

	if (!p->args->leases.n || line->text[LOG_HOST].len || line->text[LOG_GATEWAY].len || mac->len >= sizeof(p->mac) || address->len >= sizeof(p->address)) {
		event_line_print(stdout, line, count, last_us);
		return;
	}
	if (!p->name || !log_text_is(*mac, p->mac) || !log_text_is(*address, p->address)) {
		snprintf(p->mac, sizeof(p->mac), "%.*s", (int)mac->len, mac->p);
		snprintf(p->address, sizeof(p->address), "%.*s", (int)address->len, address->p);
		p->name = leases_name(&p->args->leases, p->mac, p->address);
	}
	named = *line;
	named.text[LOG_HOST] = (struct log_text){ p->name, strlen(p->name) };
	event_line_print(stdout, &named, count, last_us);
}

static void print_folded(const struct log_line *first, int64_t count, int64_t last_us, void *arg)
{
	print_line(arg, first, count, last_us);
}

/* As it is, but for bytes that a terminal could take for more than a letter: they are written as JSON's escapes. */
static void print_raw(struct log_text raw)
{
	json_t *j = NULL;
	size_t i = 0;

	while (i < raw.len && raw.p[i] >= 0x20 && raw.p[i] < 0x7f)
		i++;
	if (i < raw.len)
		j = json_loadb(raw.p, raw.len, 0, NULL);
	if (!j || json_dumpf(j, stdout, JSON_COMPACT | JSON_ENSURE_ASCII))
		escape_put(stdout, ESCAPE_TERMINAL, raw.p, raw.len);
	putc_unlocked('\n', stdout);
	json_decref(j);
}

static int each(const struct log_line *line, void *arg)
{
	struct printing *p = arg;

	p->n++;
	if (p->args->format == FORMAT_ECS) {
		log_render_ecs(stdout, line);
	} else if (p->args->format == FORMAT_SYSLOG) {
		log_render_syslog(stdout, line, p->args->machine);
	} else if (p->args->json) {
		print_raw(line->raw);
	} else if (p->fold) {
		return log_fold_add(p->fold, line);
	} else {
		print_line(p, line, log_number(line, LOG_COUNT), 0);
	}
	return ferror(stdout) ? -EIO : 0;
}

static int idle(void *arg)
{
	(void)arg;
	return fflush(stdout) ? -EIO : 0;
}

static int read_format(struct arguments *a, const char *word)
{
	if (!strcmp(word, "ecs"))
		a->format = FORMAT_ECS;
	else if (!strcmp(word, "syslog"))
		a->format = FORMAT_SYSLOG;
	else
		fprintf(stderr, "minewall log: --format is '%s', expected ecs or syslog\n", word);
	return a->format == FORMAT_LINE ? EXIT_USAGE : -1;
}

static int read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'c' }, { "since", required_argument, NULL, 's' },
		{ "until", required_argument, NULL, 'u' }, { "host", required_argument, NULL, 'H' },
		{ "gateway", required_argument, NULL, 'g' },
		{ "name", required_argument, NULL, 'n' }, { "rule", required_argument, NULL, 'r' },
		{ "list", required_argument, NULL, 'l' }, { "all", no_argument, NULL, 'a' }, { "follow", no_argument, NULL, 'f' },
		{ "format", required_argument, NULL, 'F' },
		{ "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:afjh", options, NULL)) != -1)
		switch (c) {
		case 'c':	a->policy = optarg; break;
		case 's':	a->since = optarg; break;
		case 'u':	a->until = optarg; break;
		case 'H':	log_query_host(&a->query, optarg); break;
		case 'g':
			if (log_bad_gateway(argv[0], &a->query, optarg))
				return EXIT_USAGE;
			break;
		case 'n':	a->query.name = optarg; break;
		case 'r':	a->query.rule = optarg; break;
		case 'l':	a->query.list = optarg; break;
		case 'a':	a->all = true; break;
		case 'f':	a->query.follow = true; break;
		case 'j':	a->json = true; break;
		case 'F':
			if (read_format(a, optarg) >= 0)
				return EXIT_USAGE;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case ':':
			fprintf(stderr, "minewall log: a value is missing after '%s'; see minewall log --help\n", argv[optind - 1]);
			return EXIT_USAGE;
		default:
			return cli_bad_option(argv);
		}
	if (optind < argc) {
		fprintf(stderr, "minewall log: '%s' is one argument too many; see minewall log --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	if (a->query.follow && a->until) {
		fprintf(stderr, "minewall log: --follow goes on until it is ended; leave out one of it and --until\n");
		return EXIT_USAGE;
	}
	return -1;
}

int log_times(const char *verb, const char *since, const char *until, struct log_query *q)
{
	struct timespec now;
	int64_t now_us;
	const char *wrong = NULL;

	clock_gettime(CLOCK_REALTIME, &now);
	now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	if (since && !(q->since_us = when_read(since, now_us, false, 0)))
		wrong = since;
	if (!wrong && until && !(q->until_us = when_read(until, now_us, true, q->since_us)))
		wrong = until;
	if (wrong) {
		fprintf(stderr, "minewall %s: '%s' is no time; " WHEN_FORMS "\n", verb, wrong);
		return EXIT_USAGE;
	}
	if (since && until && q->until_us < q->since_us) {
		fprintf(stderr, "minewall %s: --until %s is before --since %s\n", verb, until, since);
		return EXIT_USAGE;
	}
	return -1;
}

bool log_bad_gateway(const char *verb, struct log_query *q, const char *pattern)
{
	if (log_query_gateway(q, pattern))
		return false;
	fprintf(stderr, "minewall %s: at most %d gateways can be named; use a pattern such as 'north-*'\n", verb, LOG_GATEWAYS_MAX);
	return true;
}

void log_flush(const char *control)
{
	json_t *reply = NULL;

	if (control_ask(control, json_pack("{s:s}", "verb", "flush"), &reply) == 0)
		json_decref(reply);
}

static int print_log(const char *path, const struct arguments *a)
{
	struct printing p = { .args = a };
	struct log_result result = { 0 };
	int err, code;

	setvbuf(stdout, NULL, _IOFBF, 256 * 1024);
	if (!a->all && !a->json && !a->query.follow && a->format == FORMAT_LINE)
		p.fold = log_fold_new(print_folded, &p);
	do {
		err = log_read(path, &a->query, each, idle, &p, &result);
		/* Its first event makes it. */
	} while (err == -ENOENT && a->query.follow && poll(NULL, 0, 500) == 0);
	log_fold_end(p.fold);
	if (err == -EIO)
		return EXIT_DONE;	/* main says it */
	code = log_say(path, err, &result);
	if (!p.n && code <= EXIT_NO) {
		fprintf(stderr, a->since || a->until || a->query.host || a->query.name || a->query.rule || a->query.list ||
			a->query.n_gateways ?
			"minewall: no such event in %s\n" : "minewall: no event in %s\n", path);
		return EXIT_NO;
	}
	return code;
}

int log_main(int argc, char **argv)
{
	struct arguments a = { .policy = CLI_POLICY };
	struct cli_args args;
	struct policy *p;
	int code = read_arguments(argc, argv, &a);

	if (code < 0)
		code = log_times(argv[0], a.since, a.until, &a.query);
	if (code >= 0)
		return code;
	args = (struct cli_args){ .policy = a.policy };
	p = cli_policy(&args, &code);
	if (!p)
		return code;
	log_flush(policy_settings(p)->control);
	gethostname(a.machine, sizeof(a.machine) - 1);
	read_leases(&a, policy_reporting(p));
	resolve_host(&a);
	code = print_log(policy_settings(p)->log_file, &a);
	leases_fini(&a.leases);
	policy_free(p);
	return code;
}
