/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb `replay`: reads captures, hands the core what our rules would have queued, prints what it says.
 * Needs no root and touches no network. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/capture.h"
#include "cli/cli.h"
#include "cli/replay_flow.h"
#include "cli/replay_line.h"
#include "daemon/answers.h"
#include "daemon/event.h"
#include "daemon/pipeline.h"
#include "daemon/score.h"
#include "policy/policy.h"

/* Room for two streams of a flow, in full blocks, which are half of the pool; 1 GiB is enough for any capture
 * whose flows are not all undecided at once. Pages that no flow uses cost nothing. */
#define BYTES_A_FLOW (128u * 1024)
#define BYTES_MAX ((uint64_t)1 << 30)

struct replay {
	bool flows, json;
	struct policy *policy;
	uint8_t key[32];
	bool hashes;		/* `key` is there */
	const char *name;	/* the file at hand, as given */
	struct replay_table *table;
	struct pipeline *pipeline;
	const struct replay_flow *at;	/* the flow of the packet at hand */
	struct score *score;
	struct answers *answers;
	bool lost;		/* a line could not be made */
};

static const char help_text[] =
	"minewall replay [--flows] [--json] [-c POLICY] FILE...\n\n"
	"Runs captures (pcap, pcapng) through the same core as the daemon, and prints\n"
	"what it would have blocked or, in mode monitor, logged. \"-\" is standard input.\n"
	"Needs no root.\n\n"
	"  --flows    one line for every TCP or UDP flow: who, what names, which verdict\n"
	"  --json     JSON lines as a Suricata EVE reader understands them\n"
	"  -c POLICY  judge by this policy; without it: enforce, every detector, no lists\n\n"
	"Exit: 0 done (finding nothing, too); 2 usage; 4 policy; 5 unreadable or unknown\n"
	"link type; 6 the capture is cut or damaged: what came before was printed.\n\n"
	"Example: minewall replay --flows night.pcap\n";

static void put_json(struct replay *r, json_t *j)
{
	if (j && json_dumpf(j, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	else
		r->lost = true;
	json_decref(j);
}

static int complain(const char *name, const char *text, int code)
{
	fprintf(stderr, "minewall replay: %s: %s\n", name, text);
	return code;
}

static void report(struct replay *r, const struct event *e)
{
	if (r->json)
		put_json(r, replay_line_alert(e, r->name));
	else
		replay_line_print_alert(stdout, e);
}

/* What our rules would have kept of the flow's SYN-ACK. */
static bool start_of(void *arg, const struct packet *packet, uint32_t *start)
{
	const struct replay *r = arg;

	(void)packet;
	*start = r->at->start;
	return r->at->started;
}

/* One packet through the core. 0 or -ENOMEM. */
static int judge(struct replay *r, struct replay_flow *f, const struct capture_packet *cp)
{
	struct outcome o;
	struct event e;

	r->at = f;
	o = pipeline_packet(r->pipeline, &cp->packet, cp->now_ms);
	event_fill(&e, &o, &cp->packet, r->hashes ? r->key : NULL, false);
	e.when.tv_sec = cp->when.tv_sec;
	e.when.tv_nsec = cp->when.tv_usec % 1000000 * 1000;
	replay_flow_judged(f, o.verdict);
	if (o.event && !r->flows)
		report(r, &e);
	return r->flows ? replay_line_add(f, &o, &e) : 0;
}

/* Reads the capture to its end. Without a pipeline it only finds the flows. */
static enum capture_result walk(struct replay *r, struct capture *c)
{
	struct capture_packet cp;
	enum capture_result got;

	while ((got = capture_next(c, &cp)) == CAPTURE_PACKET) {
		struct replay_step step = cp.ends_only ? replay_table_glimpse(r->table, &cp.packet, cp.when) :
							 replay_table_see(r->table, &cp.packet, cp.when);

		if (!step.flow)
			return CAPTURE_NO_MEMORY;
		if (!r->pipeline)
			continue;
		if (step.forget)
			pipeline_forget(r->pipeline, &step.gone);
		if (step.hand && judge(r, step.flow, &cp))
			return CAPTURE_NO_MEMORY;
	}
	return got;
}

static void fini_tables(struct replay *r)
{
	struct replay_flow *f;

	for (f = r->table ? replay_table_first(r->table) : NULL; f; f = f->line_next)
		replay_line_free(f);
	replay_table_free(r->table);
	r->table = NULL;
	pipeline_free(r->pipeline);
	r->pipeline = NULL;
	score_free(r->score);
	r->score = NULL;
	answers_free(r->answers);
	r->answers = NULL;
}

/* The core as large as this capture needs it: nothing may be evicted for want of room. */
static bool make_pipeline(struct replay *r)
{
	size_t flows = replay_table_count(r->table) + 1;
	struct pipeline_config config = { .flows = flows > INT32_MAX ? INT32_MAX : (uint32_t)flows, .start = start_of, .start_arg = r };

	/* the hash's secret: nothing that is printed depends on it */
	if (getrandom(config.key, sizeof(config.key), GRND_NONBLOCK) != sizeof(config.key))
		memset(config.key, 0, sizeof(config.key));
	config.reassembly = config.flows * (uint64_t)BYTES_A_FLOW;
	if (config.reassembly > BYTES_MAX)
		config.reassembly = BYTES_MAX;
	r->score = score_new(config.key);
	r->answers = answers_new(config.key);
	if (!r->score || !r->answers)
		return false;
	config.score = r->score;
	config.answers = r->answers;
	r->pipeline = pipeline_new(&config);
	if (r->pipeline)
		pipeline_policy(r->pipeline, r->policy);
	return r->pipeline != NULL;
}

/* Two passes: the first counts the flows, the second judges them. */
static enum capture_result walk_twice(struct replay *r, struct capture *c)
{
	enum capture_result got;

	r->table = replay_table_new();
	if (!r->table || walk(r, c) == CAPTURE_NO_MEMORY || !make_pipeline(r))
		return CAPTURE_NO_MEMORY;
	replay_table_free(r->table);
	r->table = replay_table_new();
	if (!r->table)
		return CAPTURE_NO_MEMORY;
	got = capture_rewind(c);
	return got == CAPTURE_PACKET ? walk(r, c) : got;
}

static void print_flows(struct replay *r)
{
	struct replay_flow *f;

	for (f = replay_table_first(r->table); f; f = f->line_next) {
		if (r->json)
			put_json(r, replay_line_json(f, r->name));
		else
			replay_line_print(stdout, f);
	}
}

static int replay_file(struct replay *r, const char *name)
{
	struct capture *c = NULL;
	char error[256];
	enum capture_result got = capture_open(name, &c, error);
	int code = EXIT_DONE;

	r->name = name;
	if (got == CAPTURE_PACKET) {
		got = walk_twice(r, c);
		if (r->flows && r->table)
			print_flows(r);
		fflush(stdout);
		snprintf(error, sizeof(error), "%s", capture_error(c));
	}
	switch (got) {
	case CAPTURE_PACKET:
	case CAPTURE_IDLE:
	case CAPTURE_END:
		break;
	case CAPTURE_NOTHING:
		code = complain(name, error, EXIT_SYSTEM);
		break;
	case CAPTURE_BROKEN:
		code = complain(name, error, EXIT_PARTLY);
		break;
	case CAPTURE_NO_MEMORY:
		code = complain(name, strerror(ENOMEM), EXIT_PARTLY);
		break;
	}
	fini_tables(r);
	capture_close(c);
	return code;
}

/* Wallets are hashed only with the daemon's key, and only if it can be read: replay never makes one. */
static int load_policy(struct replay *r, const char *path)
{
	char key[sizeof(((struct settings *)NULL)->state) + 8];
	struct policy_error error;

	r->policy = path ? policy_load(path, &error) : policy_builtin();
	if (!r->policy && !path)
		return complain("policy", strerror(ENOMEM), EXIT_SYSTEM);
	if (!r->policy) {
		cli_say_error(&error);
		return error.kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
	}
	snprintf(key, sizeof(key), "%s/key", policy_settings(r->policy)->state);
	r->hashes = path && access(key, R_OK) == 0 && event_key(key, r->key) == 0;
	return EXIT_DONE;
}

/* -1: go on; else the exit code. */
static int read_arguments(int argc, char **argv, struct replay *r, const char **policy)
{
	static const struct option options[] = {
		{ "flows", no_argument, NULL, 'f' }, { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },  { "policy", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":c:jh", options, NULL)) != -1) {
		switch (opt) {
		case 'f':
			r->flows = true;
			break;
		case 'j':
			r->json = true;
			break;
		case 'c':
			*policy = optarg;
			break;
		case 'h':
			fputs(help_text, stdout);
			return EXIT_DONE;
		case ':':
			fprintf(stderr, "minewall replay: a file is missing after '%s'; see minewall replay --help\n", argv[optind - 1]);
			return EXIT_USAGE;
		default:
			return cli_bad_option(argv);
		}
	}
	if (optind < argc)
		return -1;
	fputs("minewall replay: FILE is missing; see minewall replay --help\n", stderr);
	return EXIT_USAGE;
}

int replay_main(int argc, char **argv)
{
	struct replay r = { 0 };
	const char *policy = NULL;
	int code, worst = read_arguments(argc, argv, &r, &policy);

	if (worst >= 0)
		return worst;
	worst = load_policy(&r, policy);
	for (int i = optind; i < argc && r.policy; i++) {
		code = replay_file(&r, argv[i]);
		worst = code > worst ? code : worst;
	}
	if (r.lost && !ferror(stdout))	/* main() speaks of a full disk */
		worst = complain("output", "not every line could be made", EXIT_PARTLY);
	policy_free(r.policy);
	return worst;
}
