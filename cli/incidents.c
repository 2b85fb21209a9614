/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall incidents`: the machines that keep trying, as the reporter keeps them, and the admin's word about each. It asks;
 * what an incident is was decided where it is kept. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/event_line.h"
#include "cli/incidents.h"
#include "daemon/reporter.h"

static const char usage[] =
	"minewall incidents [-c POLICY] [--json] [list]\n"
	"minewall incidents [-c POLICY] [--json] show ID\n"
	"minewall incidents [-c POLICY] ack ID\n"
	"minewall incidents [-c POLICY] clean ID [--note TEXT]\n"
	"minewall incidents [-c POLICY] quarantine ID [--for DURATION]\n"
	"minewall incidents [-c POLICY] release ID\n"
	"minewall incidents [-c POLICY] reading ID --cpu PERCENT [--gpu PERCENT]\n\n"
	"An incident is a device that tried to mine: open, acknowledged (somebody looks\n"
	"into it), cleaned, and reopened when it tries again after that. `list` shows\n"
	"what waits for somebody first. ID is the incident's number, or the device's\n"
	"address or MAC. Exit code 1 if there is none, or if it is in that state already.\n"
	"In quarantine a device reaches what the policy's `quarantine:` names, no more.\n\n"
	"Example: minewall incidents clean 3 --note \"fresh installation\"\n";

static const struct incidents_action {
	const char *name;
	bool wants_id;
	int (*act)(struct incidents_args *a);
} actions[] = {
	{ "list", false, incidents_list },
	{ "show", true, incidents_show },
	{ "ack", true, incidents_set },
	{ "clean", true, incidents_set },
	{ "quarantine", true, incidents_quarantine },
	{ "reading", true, incidents_reading },
	{ "release", true, incidents_quarantine },
};

int incidents_ask(const struct incidents_args *a, json_t *request, json_t **reply)
{
	json_t *flushed;
	int code = cli_ask(&a->common, json_pack("{s:s}", "verb", "flush"), &flushed);

	if (code >= 0) {
		json_decref(request);
		return code;
	}
	json_decref(flushed);
	return cli_ask_beside(&a->common, REPORTER_SOCKET, request, reply);
}

int incidents_set(struct incidents_args *a)
{
	json_t *reply, *request = json_pack("{s:s, s:s}", "verb", a->action, "which", a->id);
	int code;

	if (a->note && json_object_set_new(request, "note", json_string(a->note))) {
		fprintf(stderr, "minewall incidents: the note is no UTF-8 text\n");
		json_decref(request);
		return EXIT_USAGE;
	}
	code = incidents_ask(a, request, &reply);
	if (code >= 0)
		return code;
	if (a->common.json) {
		cli_print_json(json_incref(json_object_get(reply, "incident")));
	} else {
		incidents_line(json_object_get(reply, "incident"));
	}
	json_decref(reply);
	return EXIT_DONE;
}

static int usage_error(const char *what, const char *which)
{
	fprintf(stderr, "minewall incidents: '%s' %s; see minewall incidents --help\n", which, what);
	return EXIT_USAGE;
}

/* -1: no load. */
static int read_percent(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && n <= 100 ? (int)n : -1;
}

int incidents_reading(struct incidents_args *a)
{
	int cpu = a->cpu ? read_percent(a->cpu) : -1, gpu = a->gpu ? read_percent(a->gpu) : -1, code;
	json_t *reply, *request;

	if (cpu < 0 || (a->gpu && gpu < 0))
		return usage_error("wants --cpu, and a load from 0 to 100", a->action);
	request = json_pack("{s:s, s:s, s:i}", "verb", "reading", "which", a->id, "cpu", cpu);
	if (a->gpu)
		json_object_set_new(request, "gpu", json_integer(gpu));
	code = incidents_ask(a, request, &reply);
	if (code >= 0)
		return code;
	json_decref(reply);
	return EXIT_DONE;
}

/* The reporter knows who it is, the daemon keeps it from the rest. */
int incidents_quarantine(struct incidents_args *a)
{
	json_int_t for_s = !strcmp(a->action, "release") ? 0 : a->duration ? (json_int_t)cli_duration(a->duration) : -1;
	json_t *reply, *one, *request;
	int code;

	if (a->duration && !for_s) {
		fprintf(stderr, "minewall incidents: '%s' is no duration; for example 1h\n", a->duration);
		return EXIT_USAGE;
	}
	code = incidents_ask(a, json_pack("{s:s, s:s}", "verb", "show", "which", a->id), &reply);
	if (code >= 0)
		return code;
	one = json_object_get(reply, "incident");
	request = json_pack("{s:s, s:I, s:O, s:s}", "verb", "quarantine", "for_s", for_s, "addresses", json_object_get(one, "addresses"), "mac",
			    event_text(one, NULL, "mac"));
	json_decref(reply);
	code = cli_ask(&a->common, request, &reply);
	if (code >= 0)
		return code;
	for_s = json_integer_value(json_object_get(reply, "for_s"));
	json_decref(reply);
	if (for_s)
		printf("incident %s is in quarantine for %lld s\n", a->id, (long long)for_s);
	else
		printf("incident %s is released\n", a->id);
	return EXIT_DONE;
}

/* -1: go on. */
static int read_options(int argc, char **argv, struct incidents_args *a)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'c' }, { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
		{ "note", required_argument, NULL, 'n' }, { "for", required_argument, NULL, 'f' },
		{ "cpu", required_argument, NULL, 'C' }, { "gpu", required_argument, NULL, 'G' }, { NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:jh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->common.policy = optarg;
			break;
		case 'j':
			a->common.json = true;
			break;
		case 'n':
			a->note = optarg;
			break;
		case 'f':
			a->duration = optarg;
			break;
		case 'C':
			a->cpu = optarg;
			break;
		case 'G':
			a->gpu = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case ':':
			return usage_error("wants a value", argv[optind - 1]);
		default:
			return cli_bad_option(argv);
		}
	}
	return -1;
}

int incidents_main(int argc, char **argv)
{
	struct incidents_args a = { .common = { .policy = CLI_POLICY }, .action = "list" };
	const struct incidents_action *action = NULL;
	int code = read_options(argc, argv, &a);

	if (code >= 0)
		return code;
	if (optind < argc)
		a.action = argv[optind++];
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(a.action, actions[i].name))
			action = &actions[i];
	if (!action)
		return usage_error("is no action", a.action);
	if (action->wants_id && optind == argc)
		return usage_error("wants the number of an incident", a.action);
	if (action->wants_id)
		a.id = argv[optind++];
	if (optind < argc)
		return usage_error("is one argument too many", argv[optind]);
	if (a.note && strcmp(a.action, "clean"))
		return usage_error("takes no --note", a.action);
	if ((a.cpu || a.gpu) && strcmp(a.action, "reading"))
		return usage_error("takes no --cpu or --gpu", a.action);
	if (a.duration && strcmp(a.action, "quarantine"))
		return usage_error("takes no --for", a.action);
	return action->act(&a);
}
