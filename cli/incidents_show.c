/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Incidents for people: a line each, or one with all that is known of it. What came from the wire or a lease file was escaped
 * before it was kept. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/event_line.h"
#include "cli/incidents.h"

static json_int_t number(const json_t *i, const char *key)
{
	return json_integer_value(json_object_get(i, key));
}

static void print_device(const json_t *i)
{
	const json_t *addresses = json_object_get(i, "addresses");
	json_t *one;
	size_t k;

	if (*event_text(i, NULL, "name"))
		printf(" %s", event_text(i, NULL, "name"));
	if (*event_text(i, NULL, "mac"))
		printf(" (%s)", event_text(i, NULL, "mac"));
	json_array_foreach(addresses, k, one)
		printf(" %s", json_string_value(one));
}

/* As many as fit into a line. */
#define POOLS_IN_LINE 3

void incidents_line(const json_t *i)
{
	const json_t *pools = json_object_get(i, "pools");
	size_t n = json_array_size(pools);
	char first[INCIDENTS_WHEN_MAX], last[INCIDENTS_WHEN_MAX];

	printf("#%-4lld %-12s %-8s", (long long)number(i, "id"), event_text(i, NULL, "state"), event_text(i, NULL, "level"));
	print_device(i);
	printf("  %s - %s  %lld blocked", incidents_when(first, number(i, "first_s")), incidents_when(last, number(i, "last_s")), (long long)number(i, "blocked"));
	if (number(i, "allowed"))
		printf(", %lld let through", (long long)number(i, "allowed"));
	if (number(i, "outside_hours"))
		printf(", %lld outside hours", (long long)number(i, "outside_hours"));
	for (size_t k = 0; k < n && k < POOLS_IN_LINE; k++)
		printf("%s%s", k ? ", " : "  to ", event_text(json_array_get(pools, k), NULL, "text"));
	if (n > POOLS_IN_LINE)
		printf(" and %zu more", n - POOLS_IN_LINE);
	if (number(i, "quarantine_until_s") > (json_int_t)time(NULL))
		printf("  in quarantine");
	if (json_array_size(json_object_get(i, "same_payee")))
		printf("  same payee as %zu other%s", json_array_size(json_object_get(i, "same_payee")),
		       json_array_size(json_object_get(i, "same_payee")) == 1 ? "" : "s");
	putchar('\n');
}

static void print_hook(const json_t *summary)
{
	const json_t *hook = json_object_get(summary, "hook");

	if (number(hook, "failures") || number(hook, "dropped"))
		fprintf(stderr, "minewall: of %lld runs of the alert hook %lld failed (%s), %lld alerts had no room to wait\n",
			(long long)number(hook, "runs"), (long long)number(hook, "failures"),
			*event_text(hook, NULL, "last_error") ? event_text(hook, NULL, "last_error") : "the last one was good",
			(long long)number(hook, "dropped"));
}

static void print_busy(const json_t *list)
{
	json_t *one;
	size_t k;

	json_array_foreach(list, k, one)
		printf("busy  %s: %lld %% for %lld readings in a row\n", event_text(one, NULL, "address"), (long long)number(one, "cpu"),
		       (long long)number(one, "readings"));
}

int incidents_list(struct incidents_args *a)
{
	json_t *reply, *list, *one;
	size_t n, k;
	int code;

	code = incidents_ask(a, json_pack("{s:s}", "verb", "list"), &reply);
	if (code >= 0)
		return code;
	list = json_object_get(reply, "incidents");
	n = json_array_size(list);
	if (a->common.json) {
		cli_print_json(json_incref(list));
	} else {
		json_array_foreach(list, k, one)
			incidents_line(one);
		print_busy(json_object_get(reply, "busy"));
		if (!n)
			fprintf(stderr, "minewall: there is no incident\n");
		print_hook(json_object_get(reply, "summary"));
	}
	json_decref(reply);
	return n ? EXIT_DONE : EXIT_NO;
}

static void print_items(const json_t *i, const char *key, const char *title)
{
	char last[INCIDENTS_WHEN_MAX];
	json_t *one;
	size_t k;

	json_array_foreach(json_object_get(i, key), k, one)
		printf("%-13s %s  (%lld, last %s)\n", k ? "" : title, event_text(one, NULL, "text"), (long long)number(one, "count"),
		       incidents_when(last, number(one, "last_s")));
}

static void print_others(const json_t *i)
{
	json_t *one;
	size_t k;

	if (json_array_size(json_object_get(i, "same_payee")))
		printf("%-13s same payee as incident", "campaign:");
	json_array_foreach(json_object_get(i, "same_payee"), k, one)
		printf(" #%lld", (long long)json_integer_value(one));
	if (json_array_size(json_object_get(i, "same_payee")))
		putchar('\n');
}

static void print_whole(const json_t *i)
{
	char text[INCIDENTS_WHEN_MAX], load[INCIDENTS_LOAD_MAX];

	printf("incident #%lld: %s, %s, since %s\n", (long long)number(i, "id"), event_text(i, NULL, "state"),
	       event_text(i, NULL, "level"), incidents_when(text, number(i, "changed_s")));
	printf("%-13s", "device:");
	print_device(i);
	printf("\n%-13s %s\n", "first seen:", incidents_when(text, number(i, "first_s")));
	printf("%-13s %s\n", "last seen:", incidents_when(text, number(i, "last_s")));
	printf("%-13s %lld blocked, %lld let through; %lld outside hours, %lld for names that only a miner asks for, %lld of a service "
	       "by which worms spread\n", "attempts:", (long long)number(i, "blocked"), (long long)number(i, "allowed"),
	       (long long)number(i, "outside_hours"), (long long)number(i, "telltales"), (long long)number(i, "spreading"));
	printf("%-13s %lld times, told %lld times\n", "reopened:", (long long)number(i, "reopened"), (long long)number(i, "alerts"));
	print_items(i, "pools", "pools:");
	print_items(i, "agents", "agents:");
	print_items(i, "payees", "payees:");
	print_others(i);
	if (number(i, "quarantine_until_s") > (json_int_t)time(NULL))
		printf("%-13s until %s\n", "quarantine:", incidents_when(text, number(i, "quarantine_until_s")));
	if (*incidents_load(load, i))
		printf("%-13s %s\n", "load:", load);
	if (*event_text(i, NULL, "note"))
		printf("%-13s %s\n", "note:", event_text(i, NULL, "note"));
}

int incidents_show(struct incidents_args *a)
{
	json_t *reply;
	int code;

	code = incidents_ask(a, json_pack("{s:s, s:s}", "verb", "show", "which", a->id), &reply);
	if (code >= 0)
		return code;
	if (a->common.json)
		cli_print_json(json_incref(json_object_get(reply, "incident")));
	else
		print_whole(json_object_get(reply, "incident"));
	json_decref(reply);
	return EXIT_DONE;
}
