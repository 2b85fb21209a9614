/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall explain`: asks the same policy code that judges packets, then the daemon what it has learnt, and
 * prints each step. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/check_diff.h"
#include "cli/cli.h"
#include "cli/event_line.h"
#include "cli/log_read.h"
#include "daemon/control.h"
#include "daemon/escape.h"
#include "daemon/event.h"
#include "daemon/neighbour.h"
#include "policy/addresses.h"
#include "policy/names.h"

static const char usage[] =
	"minewall explain [-c POLICY] [--json] [--from HOST] [--at TIME]\n"
	"                 NAME[:PORT]|ADDRESS[:PORT]|'#EVENT'\n\n"
	"Says how the policy judges a name or an address and by which entry, and what\n"
	"the running daemon has learnt about it. #EVENT is the number at the end of a\n"
	"line of `minewall log`. Exit code 0: it is blocked, 1: it is not.\n\n"
	"  --from HOST  as asked by this inside host: an address, a MAC address, or\n"
	"               if:NAME for one behind this interface\n"
	"  --at TIME    at this local time (\"2026-11-23 22:30\", \"22:30\" for today), for\n"
	"               rules with hours\n\n"
	"Example: minewall explain pool.example --from 192.168.1.50\n";

struct question {
	const struct cli_args *args;
	struct policy *policy, *allowing;	/* the second with the daemon's allowances, or NULL */
	const char *what;
	struct network net;		/* if by_address */
	bool by_address;
	char host[EVENT_NAME_MAX];	/* a name without its port */
	json_t *event;			/* the question is about it, or NULL */
	struct subject who;
	struct facts facts;		/* the name, or what the event says */
	json_t *steps;
	struct decision decision;
	struct decision mining;		/* of a mining protocol at this place, spoken in the clear */
	json_t *learnt;			/* rows of the daemon, or NULL: not running */
	json_t *allowed;		/* its temporary allowances */
};

/* An inside host is asked by allow.hosts, an outside one by the other rules. */
static struct decision judge_address(struct question *q, const struct policy *p)
{
	struct subject inside = { .proto = 6, .when_s = q->who.when_s };
	struct decision d;

	memcpy(q->who.dst, q->net.addr, sizeof(q->who.dst));
	q->who.dport = q->net.port;
	memcpy(inside.src, q->net.addr, sizeof(inside.src));
	d = policy_decide_address(p, &q->who);
	if (d.action == ACTION_NONE)
		d = policy_decide_rest(p, &q->who);
	return d.action == ACTION_NONE && !q->args->from ? policy_decide_address(p, &inside) : d;
}

static struct decision judge_name(struct question *q, const struct policy *p)
{
	struct view text = { (const uint8_t *)q->what, strlen(q->what) };

	q->facts = (struct facts) { .app = APP_TLS, .n_names = 1 };
	q->facts.names[0] = (struct name_fact){ .kind = NAME_TLS_SNI, .matchable = true, .text = text, .host = text };
	return policy_decide(p, &q->who, &q->facts);
}

/* It carries no name, so what allows a name does not allow it. */
static struct decision judge_mining(const struct question *q, const struct policy *p)
{
	struct facts stratum = { .app = APP_STRATUM, .mining = true };

	return policy_decide(p, &q->who, &stratum);
}

static void add_step(const char *what, const char *outcome, void *arg)
{
	json_array_append_new(arg, json_pack("{s:s, s:s}", "step", what, "outcome", outcome));
}

/* The host that an event names, without the port of a Host header; "" if none. */
static void event_host(const json_t *event, char *out, size_t size)
{
	snprintf(out, size, "%s", event_named(event, NULL));
	if (*out != '[')
		out[strcspn(out, ":")] = '\0';
}

/* What was learnt from another host holds for that one alone. */
static bool is_of_another(const struct question *q, const json_t *row)
{
	const char *host = event_text(row, NULL, "host");
	char from[64];

	event_address(from, sizeof(from), q->who.src, address_is_v4(q->who.src) ? 4 : 6);
	return (q->event || (q->args->from && !q->who.mac_known)) && *host && strcmp(host, from);
}

static bool concerns(const struct question *q, const json_t *row)
{
	const json_t *why = json_object_get(row, "why");
	char address[64], name[EVENT_NAME_MAX];

	event_host(why, name, sizeof(name));
	if (is_of_another(q, row))
		return false;
	if (!q->by_address)
		return event_name_below(name, q->what);
	event_address(address, sizeof(address), q->net.addr, address_is_v4(q->net.addr) ? 4 : 6);
	return (!strcmp(address, event_text(row, NULL, "address")) || !strcmp(address, event_text(row, NULL, "host"))) &&
	       (!q->net.port || q->net.port == json_integer_value(json_object_get(row, "port")));
}

/* Rows of the daemon's sets that concern the question; NULL if no daemon answers. */
static void ask_daemon(struct question *q)
{
	const char *control = policy_settings(q->policy)->control;
	json_t *reply = NULL, *row;
	size_t i;

	if (control_ask(control, json_pack("{s:s}", "verb", "status"), &reply) == 0) {
		q->allowed = json_incref(json_object_get(reply, "allowed"));
		json_decref(reply);
	}
	if (control_ask(control, json_pack("{s:s}", "verb", "blocked"), &reply))
		return;
	q->learnt = json_array();
	json_array_foreach(json_object_get(reply, "blocked"), i, row)
		if (concerns(q, row))
			json_array_append(q->learnt, row);
	json_decref(reply);
}

/* Judges by the policy and the temporary allowances of the daemon, as it does itself. */
static void judge(struct question *q)
{
	const char *texts[64];
	size_t n = json_array_size(q->allowed);
	struct policy_error error;
	const struct policy *p;

	if (n > sizeof(texts) / sizeof(texts[0]))
		n = sizeof(texts) / sizeof(texts[0]);
	for (size_t i = 0; i < n; i++)
		texts[i] = event_text(json_array_get(q->allowed, i), NULL, "what");
	q->allowing = n ? policy_allowing(q->policy, texts, n, &error) : NULL;
	p = q->allowing ? q->allowing : q->policy;
	q->decision = q->event ? check_judge(p, q->event, &q->who, &q->facts) : q->by_address ? judge_address(q, p) : judge_name(q, p);
	q->mining = judge_mining(q, p);
	q->steps = json_array();
	policy_explain(p, &q->who, q->facts.mining || q->facts.n_names ? &q->facts : NULL, add_step, q->steps);
}

static const char *action_text(enum action a)
{
	switch (a) {
	case ACTION_NONE:	return "not blocked";
	case ACTION_ALLOW:	return "allowed";
	case ACTION_MONITOR:	return "logged, not blocked";
	case ACTION_BLOCK:	return "blocked";
	}
	return "";
}

static const char *list_file(const struct question *q, const char *list)
{
	const struct list_info *infos;
	size_t n = policy_lists(q->policy, &infos);

	for (size_t i = 0; list && i < n; i++)
		if (!strcmp(infos[i].name, list))
			return infos[i].file;
	return q->args->policy;
}

static void print_reason(const struct question *q)
{
	const struct decision *d = &q->decision;
	char file[CLI_SAFE_MAX];

	if (d->rule && (!d->line || !d->entry))
		printf("  by %s%s%s\n", d->rule, d->entry ? ": " : "", d->entry ? d->entry : "");
	else if (d->rule)
		printf("  by %s%s%s: %s  (%s, line %u)\n", d->rule, d->list ? " " : "", d->list ? d->list : "", d->entry,
		       cli_safe(file, list_file(q, d->list)), d->line);
	else if (!q->event)
		printf("  no rule and no list names it\n");
}

/* An allowance that lets less through than its author may think. */
static void print_but(const struct question *q)
{
	const struct decision *d = &q->decision, *mining = &q->mining;
	bool allowed = d->action == ACTION_ALLOW;

	if (!q->event && d->action != ACTION_BLOCK && !(allowed && mining->action == ACTION_ALLOW))
		printf("  a mining protocol spoken there in the clear: %s%s%s%s%s\n", action_text(mining->action),
		       mining->rule ? " (" : "", mining->rule ? mining->rule : "", mining->rule ? ")" : "",
		       allowed ? "; it carries no name, allow its address or the device" : "");
	if (allowed && !q->by_address && !strcmp(d->rule, "allow.hosts") && policy_settings(q->policy)->hook & HOOK_OUTPUT)
		printf("  if the device asks a resolver on this gateway, the query that leads outside is the gateway's own: allow the name\n");
}

static void print_decision(const struct question *q)
{
	const struct decision *d = &q->decision;
	char safe[CLI_SAFE_MAX];
	json_t *step;
	size_t i;

	escape_json(q->steps);
	printf("%s: %s%s\n", cli_safe(safe, q->what), action_text(d->action),
	       d->action != ACTION_BLOCK && json_array_size(q->learnt) ? "; but blocked by what was learnt there" : "");
	print_reason(q);
	json_array_foreach(q->steps, i, step)
		printf("  %zu. %s: %s\n", i + 1, event_text(step, NULL, "step"), event_text(step, NULL, "outcome"));
	print_but(q);
	if (d->action == ACTION_BLOCK && d->scope != SCOPE_FLOW)
		printf("  the kernel is then taught the %s for %u s\n", scope_text(d->scope), d->timeout_s);
	if (policy_settings(q->policy)->mode == MODE_MONITOR)
		printf("  mode is monitor: nothing is blocked\n");
}

static void print_learnt(const struct question *q)
{
	json_t *row;
	size_t i;

	json_array_foreach(q->allowed, i, row)
		printf("  allowed for a time: %s, %lld s left\n", event_text(row, NULL, "what"),
		       (long long)json_integer_value(json_object_get(row, "left_s")));
	if (!q->learnt) {
		printf("  no daemon answers: what was learnt is not known\n");
		return;
	}
	printf(json_array_size(q->learnt) ? "  learnt, blocked in the kernel now:\n" : "  nothing learnt about it\n");
	json_array_foreach(q->learnt, i, row) {
		printf("    ");
		blocked_print(row);
	}
}

static void print_as_json(const struct question *q)
{
	const struct decision *d = &q->decision;
	json_t *j = json_pack("{s:s, s:s}", "target", q->what, "action", action_text(d->action));

	if (d->rule)
		json_object_set_new(j, "by", json_pack("{s:s, s:s*, s:s*, s:i, s:s, s:s}", "rule", d->rule, "list", d->list, "entry",
						       d->entry, "line", (int)d->line, "file", list_file(q, d->list), "evidence",
						       evidence_text(d->evidence)));
	json_object_set(j, "steps", q->steps);
	if (q->learnt)
		json_object_set(j, "learnt", q->learnt);
	cli_print_json(j);
}

static bool read_mac(const char *text, uint8_t mac[6])
{
	int end = 0;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5, &end) == 6 &&
	       !text[end];
}

struct finding {
	const char *id;
	json_t *event;
};

static int is_it(const struct log_line *line, void *arg)
{
	struct finding *f = arg;

	if (!log_text_is(line->text[LOG_ID], f->id))
		return 0;
	f->event = json_loadb(line->raw.p, line->raw.len, 0, NULL);
	return 1;
}

/* The log's event with this id; new reference, or NULL with its line said and the exit code. */
static json_t *find_event(const char *file, const char *id, int *code)
{
	struct finding f = { .id = id };
	struct log_query all = { 0 };
	struct log_result result;
	int err = log_read(file, &all, is_it, NULL, &f, &result);

	*code = EXIT_NO;
	if (err < 0 && err != -ENOENT)
		*code = log_say(file, err, &result);
	else if (!f.event)
		fprintf(stderr, "minewall: no event #%s in %s\n", id, file);
	return f.event;
}

/* A name's port is asked by rules about ports only. */
static void read_port(struct question *q)
{
	const char *colon = strchr(q->what, ':');
	unsigned port;
	int end = 0;

	if (!colon || (size_t)(colon - q->what) >= sizeof(q->host) || sscanf(colon, ":%5u%n", &port, &end) != 1 || colon[end] ||
	    !port || port > UINT16_MAX)
		return;
	snprintf(q->host, sizeof(q->host), "%.*s", (int)(colon - q->what), q->what);
	q->what = q->host;
	q->who.dport = (uint16_t)port;
}

static int explain(struct question *q)
{
	memset(&q->net, 0, sizeof(q->net));
	q->by_address = address_parse(q->what, strlen(q->what), &q->net) == ADDRESS_GOOD;
	ask_daemon(q);
	judge(q);
	if (q->args->json) {
		print_as_json(q);
	} else {
		print_decision(q);
		print_learnt(q);
	}
	return q->decision.action == ACTION_BLOCK || json_array_size(q->learnt) ? EXIT_DONE : EXIT_NO;
}

static int explain_target(struct question *q)
{
	struct name_entry entry;
	struct network net;
	enum name_problem problem;

	memset(&net, 0, sizeof(net));
	if (address_parse(q->what, strlen(q->what), &net) != ADDRESS_GOOD)
		read_port(q);
	problem = name_parse(q->what, strlen(q->what), &entry);
	if (address_parse(q->what, strlen(q->what), &net) == ADDRESS_GOOD || ((problem == NAME_GOOD || problem == NAME_WIDE) && !entry.below))
		return explain(q);
	fprintf(stderr, "minewall explain: '%s' is neither a name nor an address; for example pool.example, 192.0.2.7 or 192.0.2.7:3333\n",
		q->what);
	return EXIT_USAGE;
}

/* A contradiction, or what hygiene stopped: no name, address or protocol was judged. */
static int explain_other(const struct question *q)
{
	const char *rule = event_text(q->event, "mining", "rule");

	if (q->args->json)
		cli_print_json(json_incref(q->event));
	else
		printf("  %s%s%s\n", event_text(q->event, "alert", "signature"), *rule ? ", by " : "", rule);
	return strcmp(event_text(q->event, "alert", "action"), "blocked") ? EXIT_NO : EXIT_DONE;
}

/* An event is explained by what the policy says now of all that the event tells. */
static int explain_event(struct question *q)
{
	struct subject asked = q->who;
	char target[EVENT_NAME_MAX];
	int code;

	q->event = find_event(policy_settings(q->policy)->log_file, q->what + 1, &code);
	if (!q->event)
		return code;
	if (!q->args->json)
		event_print(q->event);
	if (!check_read(q->event, &q->who, &q->facts))
		return explain_other(q);
	if (q->args->from) {
		memcpy(q->who.src, asked.src, sizeof(asked.src));
		memcpy(q->who.mac, asked.mac, sizeof(asked.mac));
		q->who.mac_known = asked.mac_known;
	}
	if (q->args->at)
		q->who.when_s = asked.when_s;
	event_host(q->event, target, sizeof(target));
	if (!*target || q->facts.mining)
		snprintf(target, sizeof(target), strchr(event_text(q->event, NULL, "dest_ip"), ':') ? "[%s]:%lld" : "%s:%lld",
			 event_text(q->event, NULL, "dest_ip"), (long long)json_integer_value(json_object_get(q->event, "dest_port")));
	q->what = target;
	return explain(q);
}

/* "2026-11-23 22:30" or "22:30"; -1: neither. */
static int64_t read_time(const char *text)
{
	time_t now = time(NULL);
	struct tm tm;
	char *end;

	localtime_r(&now, &tm);
	tm.tm_sec = 0;
	end = strptime(text, strchr(text, '-') ? "%Y-%m-%d%n%H:%M" : "%H:%M", &tm);
	tm.tm_isdst = -1;
	return end && !*end ? (int64_t)mktime(&tm) : -1;
}

/* Who asks, and when. -1: go on; else the exit code, with its line said. */
static int read_who(struct question *q)
{
	const char *from = q->args->from;
	struct network net;

	q->who.proto = IPPROTO_TCP;
	q->who.when_s = q->args->at ? read_time(q->args->at) : (int64_t)time(NULL);
	if (q->who.when_s < 0) {
		fprintf(stderr, "minewall explain: '%s' is no time; for example --at 22:30 or --at '2026-11-23 22:30'\n", q->args->at);
		return EXIT_USAGE;
	}
	memset(&net, 0, sizeof(net));
	if (from && read_mac(from, q->who.mac)) {
		q->who.mac_known = true;
	} else if (from && !strncmp(from, "if:", 3) && from[3]) {
		q->who.interface = from + 3;
	} else if (from && address_parse(from, strlen(from), &net) == ADDRESS_GOOD && !net.port && net.prefix == 128) {
		memcpy(q->who.src, net.addr, sizeof(q->who.src));
		q->who.mac_known = neighbour_mac(net.addr, address_is_v4(net.addr) ? 4 : 6, q->who.mac) == 0;
	} else if (from) {
		fprintf(stderr, "minewall explain: '%s' is no host; for example --from 192.168.1.50\n", from);
		return EXIT_USAGE;
	}
	return -1;
}

int explain_main(int argc, char **argv)
{
	struct cli_args args;
	struct policy_error error;
	struct question q = { .args = &args };
	int code = cli_parse(argc, argv, usage, "NAME, ADDRESS or '#EVENT' (in quotes)", &args);

	if (code >= 0)
		return code;
	code = read_who(&q);
	if (code >= 0)
		return code;
	q.policy = policy_load(args.policy, &error);
	if (!q.policy) {
		cli_say_error(&error);
		return error.kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
	}
	q.what = args.argument;
	code = *q.what == '#' ? explain_event(&q) : explain_target(&q);
	json_decref(q.event);
	json_decref(q.learnt);
	json_decref(q.allowed);
	json_decref(q.steps);
	policy_free(q.allowing);
	policy_free(q.policy);
	return code;
}
