/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machinery of replay over packets that come in live: no table, no queue, no verdict that anybody hears. What a mirror port shows
 * goes into the policy's event log as "allowed", for `log`, `incidents` and `report`. */
#include "cli/tap.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cli/capture.h"
#include "cli/cli.h"
#include "cli/replay_flow.h"
#include "daemon/answers.h"
#include "daemon/event.h"
#include "daemon/log.h"
#include "daemon/pipeline.h"
#include "daemon/power.h"
#include "daemon/score.h"

#define TICK_S 5
/* An idle flow is kept so long, a closed one for its last packets; less where there are more flows than `memory.flows`. */
#define IDLE_S 3600
#define CLOSED_S 60

struct tap {
	struct policy *policy;
	const struct settings *settings;
	struct capture *capture;
	struct replay_table *table;
	struct pipeline *pipeline;
	struct score *score;
	struct answers *answers;
	struct event_log *log;
	uint8_t key[32];
	const struct replay_flow *at;	/* the flow of the packet at hand */
	uint64_t packets, found, lost;
};

static volatile sig_atomic_t stopped, reopen;

static void heed(int number)
{
	if (number == SIGHUP)
		reopen = 1;
	else
		stopped = 1;
}

static void heed_signals(void)
{
	struct sigaction a = { .sa_handler = heed };

	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
}

/* What the SYN-ACK acknowledged, as our rules keep it on a gateway. */
static bool start_of(void *arg, const struct packet *packet, uint32_t *start)
{
	const struct tap *t = arg;

	(void)packet;
	*start = t->at->start;
	return t->at->started;
}

static void judge(struct tap *t, struct replay_flow *f, const struct capture_packet *cp)
{
	struct outcome o;
	struct event e;

	t->at = f;
	o = pipeline_packet(t->pipeline, &cp->packet, cp->now_ms);
	replay_flow_judged(f, o.verdict);
	if (!o.event)
		return;
	event_fill(&e, &o, &cp->packet, t->key, t->settings->log_wallets);
	e.when.tv_sec = cp->when.tv_sec;
	e.when.tv_nsec = cp->when.tv_usec % 1000000 * 1000;
	/* seen, and nothing else: nobody was stopped, and no kernel has learnt */
	e.blocked = false;
	e.learned = SCOPE_FLOW;
	event_log_write(t->log, &e);
	t->found++;
}

static void forget(void *arg, struct replay_flow *f)
{
	const struct tap *t = arg;
	struct packet k = { .family = f->family, .proto = f->proto, .sport = f->sport, .dport = f->dport };

	memcpy(k.src, f->src, sizeof(k.src));
	memcpy(k.dst, f->dst, sizeof(k.dst));
	if (f->handed)
		pipeline_forget(t->pipeline, &k);
}

static void tick(struct tap *t)
{
	int64_t now = (int64_t)time(NULL), idle = IDLE_S;
	struct event_log_limits limits = event_log_limits(t->settings);
	struct timespec mono;
	uint64_t lost = capture_lost(t->capture);
	char text[96];

	while (replay_table_expire(t->table, now - idle, idle > CLOSED_S ? idle - CLOSED_S : 0, forget, t) > t->settings->memory_flows && idle > 1)
		idle /= 4;
	if (lost > t->lost) {
		struct event e;

		snprintf(text, sizeof(text), "%llu packets of the mirror port came faster than they could be read",
			 (unsigned long long)(lost - t->lost));
		log_info("%s", text);
		event_note(&e, "tap_lost", text);
		event_log_write(t->log, &e);
		t->lost = lost;
	}
	if (reopen) {
		reopen = 0;
		event_log_reopen(t->log);
	}
	clock_gettime(CLOCK_MONOTONIC, &mono);
	event_log_tick(t->log, &limits, (uint64_t)mono.tv_sec, now);
}

static int loop(struct tap *t)
{
	struct capture_packet cp;
	enum capture_result got = CAPTURE_IDLE;
	time_t ticked = 0;

	while (!stopped && (got == CAPTURE_PACKET || got == CAPTURE_IDLE)) {
		struct replay_step step;

		if (time(NULL) - ticked >= TICK_S || reopen) {
			tick(t);
			ticked = time(NULL);
		}
		got = capture_next(t->capture, &cp);
		if (got != CAPTURE_PACKET)
			continue;
		t->packets++;
		step = cp.ends_only ? replay_table_glimpse(t->table, &cp.packet, cp.when) : replay_table_see(t->table, &cp.packet, cp.when);
		if (!step.flow)
			got = CAPTURE_NO_MEMORY;
		if (step.forget)
			pipeline_forget(t->pipeline, &step.gone);
		if (step.flow && step.hand)
			judge(t, step.flow, &cp);
	}
	if (stopped)
		return EXIT_DONE;
	fprintf(stderr, "minewall run: %s\n", got == CAPTURE_NO_MEMORY ? strerror(ENOMEM) : capture_error(t->capture));
	return EXIT_SYSTEM;
}

/* Root gives the user what is to be his, and opens nothing of it: in his folders a link may stand that leads to a file of root's. */
static int give_up_power(const struct settings *s)
{
	char path[4096 + 8], copy[4096 + 8];
	struct power_user user;
	const char *step;
	int err;

	if (power_user(&user, s->user)) {
		fprintf(stderr, "minewall run: there is no user %s to run as; make it, or name another with `user:`\n", user.name);
		return EXIT_SYSTEM;
	}
	snprintf(copy, sizeof(copy), "%s", s->log_file);
	power_folder(&user, dirname(copy), 0750, false);
	power_file(&user, s->log_file, true, 0640);
	snprintf(path, sizeof(path), "%s/key", s->state);
	power_folder(&user, s->state, 0750, access(path, F_OK) == 0);
	power_file(&user, path, false, 0);
	err = power_become(&user, false, &step);
	if (err)
		fprintf(stderr, "minewall run: %s: %s\n", step, strerror(-err));
	return err ? EXIT_SYSTEM : EXIT_DONE;
}

static int open_files(struct tap *t)
{
	char path[4096 + 8];
	const char *what = t->settings->log_file;
	int err = event_log_open(&t->log, what);

	if (!err) {
		what = path;
		snprintf(path, sizeof(path), "%s/key", t->settings->state);
		err = event_key(path, t->key);
	}
	if (err)
		fprintf(stderr, "minewall run: %s: %s\n", what, strerror(-err));
	return err ? EXIT_SYSTEM : EXIT_DONE;
}

static int open_core(struct tap *t)
{
	struct pipeline_config config = { .flows = t->settings->memory_flows, .reassembly = t->settings->memory_reassembly,
					  .start = start_of, .start_arg = t };

	if (getrandom(config.key, sizeof(config.key), 0) != sizeof(config.key))
		return EXIT_SYSTEM;
	t->table = replay_table_new();
	config.score = t->score = score_new(config.key);
	config.answers = t->answers = answers_new(config.key);
	t->pipeline = t->table && t->score && t->answers ? pipeline_new(&config) : NULL;
	if (!t->pipeline) {
		fprintf(stderr, "minewall run: %s\n", strerror(ENOMEM));
		return EXIT_SYSTEM;
	}
	pipeline_policy(t->pipeline, t->policy);
	return EXIT_DONE;
}

static void close_all(struct tap *t)
{
	replay_table_free(t->table);
	pipeline_free(t->pipeline);
	score_free(t->score);
	answers_free(t->answers);
	event_log_close(t->log);
	capture_close(t->capture);
	policy_free(t->policy);
}

int tap_run(const char *policy, const char *interface)
{
	struct tap t = { 0 };
	struct policy_error error;
	char why[256] = "";
	int code;

	t.policy = policy_load(policy, &error);
	if (!t.policy) {
		fprintf(stderr, "%s\n", error.text);
		return error.kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
	}
	t.settings = policy_settings(t.policy);
	heed_signals();
	if (capture_live(interface, &t.capture, why) != CAPTURE_PACKET) {
		fprintf(stderr, "minewall run: %s: %s\n", interface, why);
		code = EXIT_SYSTEM;
	} else {
		code = open_core(&t);
	}
	if (code == EXIT_DONE)
		code = give_up_power(t.settings);
	if (code == EXIT_DONE)
		code = open_files(&t);
	if (code == EXIT_DONE) {
		log_info("ready: listening at %s, nothing is blocked; events go to %s", interface, t.settings->log_file);
		code = loop(&t);
		log_info("%llu packets were seen at %s, %llu findings, %llu packets lost", (unsigned long long)t.packets, interface,
			 (unsigned long long)t.found, (unsigned long long)capture_lost(t.capture));
	}
	close_all(&t);
	return code;
}
