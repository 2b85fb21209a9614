/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall status`: the daemon's counters for people, or as JSON for scripts. */
#include <stdio.h>

#include "cli/cli.h"

static const char usage[] =
	"minewall status [-c POLICY] [--json]\n\n"
	"Shows how the daemon is doing: mode, queues, what was judged and why flows\n"
	"were let go undecided, what got lost. Exit code 3 if none runs.\n\n"
	"Example: minewall status\n";

static json_int_t number(const json_t *j, const char *outer, const char *key)
{
	return json_integer_value(json_object_get(outer ? json_object_get(j, outer) : j, key));
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static void print_duration(json_int_t s)
{
	printf("up %lldd %02lld:%02lld:%02lld\n", (long long)(s / 86400), (long long)(s / 3600 % 24), (long long)(s / 60 % 60),
	       (long long)(s % 60));
}

static void print_losses(const json_t *j)
{
	static const struct {
		const char *key, *text;
	} losses[] = {
		{ "events_lost", "events could not be written" },
		{ "not_taught", "endpoints could not be taught to the kernel (set full?)" },
		{ "overload", "flows lost their first bytes (memory.reassembly is too small)" },
		{ "overruns", "times the kernel had to drop or pass packets for us" },
		{ "watchdog", "times the reader hung and traffic passed unjudged" },
		{ "restored", "times another program removed our table" },
	};
	char age[CLI_AGE_MAX], most[CLI_AGE_MAX];
	json_t *list;
	size_t i;

	for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		if (number(j, NULL, losses[i].key))
			printf("  %lld %s\n", (long long)number(j, NULL, losses[i].key), losses[i].text);
	json_array_foreach(json_object_get(j, "lists_old"), i, list)
		printf("  list %s is %s old, max_age is %s: `minewall lists` says why\n", text(list, "name"),
		       cli_age(age, number(list, NULL, "age_s")), cli_age(most, number(list, NULL, "max_age_s")));
	if (*text(j, "blind"))
		printf("  blind: %s\n", text(j, "blind"));
	if (json_is_true(json_object_get(j, "offload")))
		puts("  offload: TCP flows that were let go take the fast way; it keeps no count of them");
	if (*text(j, "guarded"))
		printf("  guarded: new flows are kept out of %s\n", text(j, "guarded"));
	if (number(j, "kernel", "untracked"))
		printf("  blind: %lld packets without connection tracking\n", (long long)number(j, "kernel", "untracked"));
}

/* The hosts with the most flows that could not be judged. */
#define BLIND_PRINTED 5

static void print_blind(const json_t *hosts)
{
	const char *reason;
	json_t *host, *value;
	size_t i;

	json_array_foreach(hosts, i, host) {
		if (i == BLIND_PRINTED) {
			printf("  and %zu hosts more, see --json\n", json_array_size(hosts) - i);
			break;
		}
		printf("  not seen into: %s", text(host, "host"));
		json_object_foreach(host, reason, value)
			if (json_is_integer(value))
				printf(" %s %lld", reason, (long long)json_integer_value(value));
		putchar('\n');
	}
}

static void print_reporter(const json_t *j)
{
	const json_t *r = json_object_get(j, "reporter"), *hook = json_object_get(r, "hook");

	if (r)
		printf("incidents: %lld open, %lld acknowledged, %lld cleaned, %lld reopened; %lld alerts\n", (long long)number(r, "incidents", "open"),
		       (long long)number(r, "incidents", "acknowledged"), (long long)number(r, "incidents", "cleaned"),
		       (long long)number(r, "incidents", "reopened"), (long long)number(r, NULL, "alerts"));
	if (number(hook, NULL, "failures") || number(hook, NULL, "dropped"))
		printf("  %lld of %lld runs of the alert hook failed (%s), %lld alerts had no room to wait\n",
		       (long long)number(hook, NULL, "failures"), (long long)number(hook, NULL, "runs"), text(hook, "last_error"),
		       (long long)number(hook, NULL, "dropped"));
	if (number(j, NULL, "reporter_lost"))
		printf("  %lld events did not reach the incidents\n", (long long)number(j, NULL, "reporter_lost"));
}

static void print_fleet(const json_t *f)
{
	if (f)
		printf("fleet: %s, %lld gateways there, %lld hints, %lld endpoints confirmed, %lld blocked; `minewall fleet` says more\n",
		       json_is_true(json_object_get(f, "connected")) ? "connected" : "BROKER NOT THERE", (long long)number(f, NULL, "online"),
		       (long long)number(f, NULL, "hints"), (long long)(number(f, NULL, "confirmed") + number(f, NULL, "watched")),
		       (long long)number(f, NULL, "taught"));
}

/* As whom it runs, and what of the fence there is not. */
static void print_power(const json_t *j)
{
	bool calls = json_is_true(json_object_get(j, "seccomp"));
	json_int_t files = number(j, NULL, "landlock");

	printf("runs as %s with CAP_NET_ADMIN alone; system calls: %s; files: ", text(j, "user"), calls ? "an allow-list" :
	       "NOT RESTRICTED (built without libseccomp, or no seccomp in this kernel)");
	if (files)
		printf("its own (Landlock %lld)\n", (long long)files);
	else
		printf("NOT RESTRICTED (no Landlock in this kernel)\n");
}

static void print_status(const json_t *j)
{
	const char *reason;
	json_t *value, *queue;
	size_t i, n = 0;

	printf("minewall %s, %s, fail-%s, policy %s, pid %lld, ", text(j, "version"), text(j, "mode"), text(j, "fail"),
	       text(j, "policy"), (long long)number(j, NULL, "pid"));
	print_duration(number(j, NULL, "uptime_s"));
	if (number(j, NULL, "paused_s"))
		printf("PAUSED for another %lld s: nothing is judged or blocked\n", (long long)number(j, NULL, "paused_s"));
	json_array_foreach(json_object_get(j, "allowed"), i, queue)
		printf("allowed for a time: %s, %lld s left\n", text(queue, "what"), (long long)number(queue, NULL, "left_s"));
	if (number(j, NULL, "confirm_s"))
		printf("NOT CONFIRMED: the policy before comes back in %lld s; `minewall reload --keep` keeps this one\n",
		       (long long)number(j, NULL, "confirm_s"));
	if (json_object_get(j, "confined"))
		print_power(json_object_get(j, "confined"));
	printf("policy generation: %lld\n", (long long)number(j, NULL, "generation"));
	printf("names: %lld\n", (long long)number(j, NULL, "names"));
	json_array_foreach(json_object_get(j, "queues"), i, queue)
		printf("queue %lld: %s, %lld packets, %lld waiting, %lld lost\n", (long long)number(queue, NULL, "number"),
		       json_is_true(json_object_get(queue, "bound")) ? "bound" : "NOT BOUND", (long long)number(queue, NULL, "packets"),
		       (long long)number(queue, NULL, "waiting"),
		       (long long)(number(queue, NULL, "lost_full") + number(queue, NULL, "lost_unread")));
	printf("packets judged: %lld (%lld cleared, %lld blocked, %lld not decided yet)\n", (long long)number(j, "packets", "judged"),
	       (long long)number(j, "packets", "cleared"), (long long)number(j, "packets", "blocked"),
	       (long long)number(j, "packets", "undecided"));
	printf("stopped in the kernel alone: %lld packets\n", (long long)number(j, "kernel", "rejected"));
	printf("findings: %lld\n", (long long)number(j, NULL, "findings"));
	printf("flows let go:");
	json_object_foreach(json_object_get(j, "reasons"), reason, value)
		if (json_integer_value(value)) {
			printf(" %s %lld", reason, (long long)json_integer_value(value));
			n++;
		}
	puts(n ? "" : " none");
	print_reporter(j);
	print_fleet(json_object_get(j, "fleet"));
	print_blind(json_object_get(j, "blind_hosts"));
	print_losses(j);
}

int status_main(int argc, char **argv)
{
	struct cli_args args;
	json_t *reply;
	int code = cli_parse(argc, argv, usage, NULL, &args);

	if (code >= 0)
		return code;
	code = cli_ask(&args, json_pack("{s:s}", "verb", "status"), &reply);
	if (code >= 0)
		return code;
	if (args.json)
		return cli_print_json(reply);
	print_status(reply);
	json_decref(reply);
	return EXIT_DONE;
}
