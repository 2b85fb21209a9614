/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each figure is a row: its name and type by Prometheus' convention, and where it stands in the JSON. A figure that is not there
 * is left out rather than said to be 0. */
#include "daemon/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const kinds[METRICS_KINDS] = { "address", "name", "protocol", "score", "hygiene", "other" };
static const char *const actions[2] = { "blocked", "allowed" };

/* One figure: a member of the status, alone (`key` NULL: `outer` itself is the number) or in an object. */
static const struct figure {
	const char *name, *type, *outer, *key, *help;
} figures[] = {
	{ "minewall_uptime_seconds", "gauge", "uptime_s", NULL, "Time since the daemon started." },
	{ "minewall_policy_generation", "gauge", "generation", NULL, "Policies that were taken since the start, reloads of lists included." },
	{ "minewall_policy_names", "gauge", "names", NULL, "Names that the policy and its lists block." },
	{ "minewall_flows", "gauge", "flows", NULL, "Flows that are remembered now." },
	{ "minewall_endpoints_learnt", "gauge", "learnt", NULL, "Endpoints and pairs that the kernel refuses by itself now." },
	{ "minewall_quarantine_devices", "gauge", "quarantine_devices", NULL, "Devices that are in quarantine now." },
	{ "minewall_findings_total", "counter", "findings", NULL, "Flows that were found to mine." },
	{ "minewall_events_lost_total", "counter", "events_lost", NULL, "Events that could not be written to the log." },
	{ "minewall_reporter_lost_total", "counter", "reporter_lost", NULL, "Events that did not reach the incidents." },
	{ "minewall_not_taught_total", "counter", "not_taught", NULL, "Endpoints that could not be taught to the kernel." },
	{ "minewall_overload_flows_total", "counter", "overload", NULL, "Flows whose first bytes had no room in memory.reassembly." },
	{ "minewall_overruns_total", "counter", "overruns", NULL, "Times the kernel dropped or passed packets as the socket was full." },
	{ "minewall_watchdog_releases_total", "counter", "watchdog", NULL, "Times the reader hung and traffic passed unjudged." },
	{ "minewall_table_restored_total", "counter", "restored", NULL, "Times another program removed the nftables table." },
	{ "minewall_gap_seconds_total", "counter", "gap_s", NULL, "Time in which nobody judged: before this start, pauses, the reader hung." },
	{ "minewall_gap_packets_total", "counter", "gap_packets", NULL, "Packets that a full queue or socket let pass or dropped unjudged." },
	{ "minewall_alerts_total", "counter", "reporter", "alerts", "Alerts that incidents raised." },
	{ "minewall_fleet_connected", "gauge", "fleet", "connected", "1: the fleet's broker is there." },
	{ "minewall_fleet_hints", "gauge", "fleet", "hints", "Hints of other gateways that count now." },
	{ "minewall_fleet_confirmed", "gauge", "fleet", "confirmed", "Endpoints that enough of them have seen." },
	{ "minewall_fleet_accepted_total", "counter", "fleet", "accepted", "Hints that were believed." },
	{ "minewall_fleet_lag_seconds", "gauge", "fleet", "lag_s", "Time from a gateway's word to its coming here, of the last." },
	{ "minewall_fleet_gateways_online", "gauge", "fleet", "online", "Gateways of the fleet that are there." },
	{ "minewall_incidents_dropped_total", "counter", "reporter", "dropped", "Incidents that made room for newer ones." },
};

/* Members of an object, each a value of one label. */
static const struct family {
	const char *name, *type, *outer, *inner, *label, *help;
} families[] = {
	{ "minewall_packets_total", "counter", "packets", NULL, "verdict", "Packets that were judged, by verdict." },
	{ "minewall_flows_let_go_total", "counter", "reasons", NULL, "reason", "Flows that could not be judged, by reason." },
	{ "minewall_kernel_packets_total", "counter", "kernel", NULL, "action", "Packets that the kernel's rules met." },
	{ "minewall_fleet_refused_total", "counter", "fleet", "refused", "reason", "Hints that were not believed, by reason." },
	{ "minewall_incidents", "gauge", "reporter", "incidents", "state", "Devices that tried to mine, by state." },
};

static const struct figure hook_figures[] = {
	{ "minewall_hook_runs_total", "counter", NULL, "runs", "Runs of the alert hook." },
	{ "minewall_hook_failures_total", "counter", NULL, "failures", "Runs of the alert hook that failed." },
	{ "minewall_hook_dropped_total", "counter", NULL, "dropped", "Alerts that had no room to wait for the hook." },
};

static const struct figure queue_figures[] = {
	{ "minewall_queue_packets_total", "counter", NULL, "packets", "Packets that the queue delivered." },
	{ "minewall_queue_waiting_packets", "gauge", NULL, "waiting", "Packets that wait in the queue." },
	{ "minewall_queue_lost_full_packets_total", "counter", NULL, "lost_full", "Packets that found the queue full." },
	{ "minewall_queue_lost_unread_packets_total", "counter", NULL, "lost_unread", "Packets that the reader's socket had no room for." },
	{ "minewall_queue_bound", "gauge", NULL, "bound", "1: somebody reads the queue." },
};

static const struct figure list_figures[] = {
	{ "minewall_list_entries", "gauge", NULL, "used", "Entries of a list that are used." },
	{ "minewall_list_hits_total", "counter", NULL, "hits", "Findings of a list." },
	{ "minewall_list_age_seconds", "gauge", NULL, "age_s", "Time since the list's file was written or confirmed." },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static bool is_figure(const json_t *value)
{
	return json_is_integer(value) || json_is_boolean(value);
}

static long long figure_of(const json_t *value)
{
	return json_is_boolean(value) ? json_is_true(value) : (long long)json_integer_value(value);
}

/* Quotes, backslashes and line ends are the format's own. */
static void put_label(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', f);
		fputc(*text == '\n' ? ' ' : *text, f);
	}
}

static void put_figures(FILE *f, const json_t *status)
{
	for (size_t i = 0; i < COUNT(figures); i++) {
		const json_t *value = json_object_get(status, figures[i].outer);

		if (figures[i].key)
			value = json_object_get(value, figures[i].key);
		if (!is_figure(value))
			continue;
		head(f, figures[i].name, figures[i].type, figures[i].help);
		fprintf(f, "%s %lld\n", figures[i].name, figure_of(value));
	}
}

static void put_families(FILE *f, const json_t *status)
{
	for (size_t i = 0; i < COUNT(families); i++) {
		json_t *object = json_object_get(status, families[i].outer), *value;
		const char *key;

		if (families[i].inner)
			object = json_object_get(object, families[i].inner);
		if (json_object_size(object))
			head(f, families[i].name, families[i].type, families[i].help);
		json_object_foreach(object, key, value)
			/* The sum of the others is none of them. */
			if (is_figure(value) && strcmp(key, "judged"))
				fprintf(f, "%s{%s=\"%s\"} %lld\n", families[i].name, families[i].label, key, figure_of(value));
	}
}

/* Rows of a list: the same member of each of its objects, told apart by another. */
static void put_rows(FILE *f, const json_t *rows, const struct figure *row, size_t n, const char *label, const char *by)
{
	const json_t *one;
	size_t k;

	for (size_t i = 0; i < n && json_array_size(rows); i++) {
		head(f, row[i].name, row[i].type, row[i].help);
		json_array_foreach(rows, k, one) {
			const json_t *who = json_object_get(one, by), *value = json_object_get(one, row[i].key);

			if (!is_figure(value))
				continue;
			fprintf(f, "%s{%s=\"", row[i].name, label);
			if (json_is_string(who))
				put_label(f, json_string_value(who));
			else
				fprintf(f, "%lld", (long long)json_integer_value(who));
			fprintf(f, "\"} %lld\n", figure_of(value));
		}
	}
}

static void put_counts(FILE *f, const struct metrics_counts *c)
{
	static const char events[] = "minewall_events_total", attempts[] = "minewall_attempts_total";

	head(f, events, "counter", "Events that reached the reporter, by evidence and action.");
	for (int k = 0; k < METRICS_KINDS; k++)
		for (int a = 0; a < 2; a++)
			fprintf(f, "%s{evidence=\"%s\",action=\"%s\"} %llu\n", events, kinds[k], actions[a], (unsigned long long)c->events[k][a]);
	head(f, attempts, "counter", "Attempts of these events: one may stand for many.");
	for (int k = 0; k < METRICS_KINDS; k++)
		for (int a = 0; a < 2; a++)
			fprintf(f, "%s{evidence=\"%s\",action=\"%s\"} %llu\n", attempts, kinds[k], actions[a],
				(unsigned long long)c->attempts[k][a]);
	head(f, "minewall_textfile_failures_total", "counter", "Times the metrics' file could not be written.");
	fprintf(f, "minewall_textfile_failures_total %llu\n", (unsigned long long)c->file_failures);
}

static void put_hook(FILE *f, const json_t *hook)
{
	for (size_t i = 0; i < COUNT(hook_figures) && hook; i++) {
		head(f, hook_figures[i].name, hook_figures[i].type, hook_figures[i].help);
		fprintf(f, "%s %lld\n", hook_figures[i].name, (long long)json_integer_value(json_object_get(hook, hook_figures[i].key)));
	}
}

static void put_info(FILE *f, const json_t *status)
{
	const char *version = json_string_value(json_object_get(status, "version"));
	const char *mode = json_string_value(json_object_get(status, "mode"));

	head(f, "minewall_build_info", "gauge", "The version that runs.");
	fprintf(f, "minewall_build_info{version=\"%s\"} 1\n", version ? version : MINEWALL_VERSION);
	head(f, "minewall_up", "gauge", "1: the daemon answers.");
	fprintf(f, "minewall_up %d\n", status != NULL);
	if (!status)
		return;
	head(f, "minewall_enforcing", "gauge", "1: what is found is stopped; 0: mode is monitor, or it is paused.");
	fprintf(f, "minewall_enforcing %d\n", mode && !strcmp(mode, "enforce") && !json_object_get(status, "paused_s"));
}

char *metrics_text(const json_t *status, const json_t *summary, const struct metrics_counts *c, size_t *len)
{
	json_t *all = status ? json_copy((json_t *)status) : json_object();
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	if (!f || !all) {
		json_decref(all);
		if (f)
			fclose(f);
		free(text);
		return NULL;
	}
	json_object_set(all, "reporter", (json_t *)summary);	/* newer than what the daemon heard */
	put_info(f, status);
	put_figures(f, all);
	put_families(f, all);
	put_rows(f, json_object_get(all, "queues"), queue_figures, COUNT(queue_figures), "queue", "number");
	put_rows(f, json_object_get(all, "lists"), list_figures, COUNT(list_figures), "list", "name");
	put_counts(f, c);
	put_hook(f, json_object_get(summary, "hook"));
	json_decref(all);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static enum metrics_kind kind_of(const json_t *mining)
{
	const char *evidence = json_string_value(json_object_get(mining, "evidence"));
	const char *rule = json_string_value(json_object_get(mining, "rule"));

	if (rule && !strncmp(rule, "hygiene.", 8))
		return METRICS_HYGIENE;
	for (int k = 0; evidence && k < METRICS_HYGIENE; k++)
		if (!strcmp(evidence, kinds[k]))
			return (enum metrics_kind)k;
	return METRICS_OTHER;
}

void metrics_count(struct metrics_counts *c, const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "event_type"));
	const json_t *mining = json_object_get(event, "mining");
	const char *action = json_string_value(json_object_get(json_object_get(event, "alert"), "action"));
	json_int_t n = json_integer_value(json_object_get(mining, "count"));
	enum metrics_kind kind = kind_of(mining);
	int column = action && !strcmp(action, "blocked") ? 0 : 1;

	if (!type || strcmp(type, "alert") || !mining)
		return;
	c->events[kind][column]++;
	c->attempts[kind][column] += n > 1 ? (uint64_t)n : 1;
}

int metrics_write(const char *path, const char *text, size_t len)
{
	char draft[REPORTING_PATH_MAX + 8];
	int fd, err = 0;
	ssize_t n;

	/* The collector reads *.prom alone: it never meets half a file. */
	snprintf(draft, sizeof(draft), "%s.new", path);
	fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n != (ssize_t)len)
		err = n < 0 ? -errno : -ENOSPC;
	if (!err && fchmod(fd, 0644))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(draft, path))
		err = -errno;
	if (err)
		unlink(draft);
	return err;
}
