/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall fleet`: how the gateways that learn from each other stand, what of their hints was taken or refused and why, and our own key.
 * It asks and shows; whom to believe was decided where the hints are kept. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <nettle/eddsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/event_line.h"
#include "daemon/fleet_link.h"
#include "daemon/hint.h"
#include "policy/fleet.h"

static const char usage[] =
	"minewall fleet [-c POLICY] [--json] [status]\n"
	"minewall fleet [-c POLICY] [--json] log\n"
	"minewall fleet [-c POLICY] [--json] keys\n"
	"minewall fleet [-c POLICY] keys --new\n\n"
	"Gateways that learn from each other by the policy's `fleet:`. `status` shows the\n"
	"broker and each gateway: is it there, how many of its hints count, were taken or\n"
	"refused, and how late they come. `log` shows the last hints and what became of\n"
	"them. `keys` shows whose word counts; with --new it makes this gateway's own key\n"
	"and prints the line for the others' key files. Exit code 1: there is no fleet.\n\n"
	"Example: minewall fleet keys --new >> gateways.txt\n";

struct fleet_args {
	struct cli_args common;
	bool new_key;
};

/* ---- status and log ---- */

static json_int_t number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static int ask(const struct fleet_args *a, json_t **fleet)
{
	json_t *reply;
	int code = cli_ask(&a->common, json_pack("{s:s}", "verb", "fleet"), &reply);

	if (code >= 0)
		return code;
	*fleet = json_incref(json_object_get(reply, "fleet"));
	json_decref(reply);
	return -1;
}

static void print_refused(const json_t *refused)
{
	const char *reason;
	json_t *n;

	json_object_foreach((json_t *)refused, reason, n)
		if (json_integer_value(n))
			printf(" %s %lld", reason, (long long)json_integer_value(n));
}

static json_int_t sum(const json_t *refused)
{
	json_int_t all = 0;
	const char *reason;
	json_t *n;

	json_object_foreach((json_t *)refused, reason, n)
		all += json_integer_value(n);
	return all;
}

static void print_gateway(const json_t *g)
{
	bool online = json_is_true(json_object_get(g, "online"));
	const char *key = event_text(g, NULL, "key"), *state = strcmp(key, "good") ? key : online ? "online" : "offline";
	char age[CLI_AGE_MAX] = "-", lag[CLI_AGE_MAX] = "-";

	if (json_object_get(g, "lag_s"))
		snprintf(lag, sizeof(lag), "%llds", (long long)number(g, "lag_s"));
	if (number(g, "last_s"))
		cli_age(age, (json_int_t)time(NULL) - number(g, "last_s"));
	printf("  %-24s %-8s %8lld %9lld %8lld %6s %5s", event_text(g, NULL, "name"), state, (long long)number(g, "hints"),
	       (long long)number(g, "accepted"), (long long)sum(json_object_get(g, "refused")), lag, age);
	print_refused(json_object_get(g, "refused"));
	putchar('\n');
}

static void print_broker(const json_t *f)
{
	char age[CLI_AGE_MAX];

	printf("fleet %s, this is %s (%s)\nbroker %s:%lld: ", event_text(f, NULL, "site"), event_text(f, NULL, "gateway"),
	       event_text(f, NULL, "role"), event_text(f, NULL, "broker"), (long long)number(f, "port"));
	if (json_is_true(json_object_get(f, "connected")))
		printf("connected for %s%s", cli_age(age, (json_int_t)time(NULL) - number(f, "since_s")),
		       json_is_true(json_object_get(f, "synced")) ? "" : ", still reading what it keeps");
	else
		printf("NOT CONNECTED%s%s; what is known goes on", *event_text(f, NULL, "error") ? ": " : "", event_text(f, NULL, "error"));
	printf(number(f, "losses") ? "; lost %lld times\n" : "\n", (long long)number(f, "losses"));
}

static int status(const struct fleet_args *a)
{
	json_t *f, *own, *gateways, *one;
	size_t i;
	int code = ask(a, &f);

	if (code >= 0)
		return code;
	if (a->common.json) {
		json_object_del(f, "log");
		return cli_print_json(f);
	}
	own = json_object_get(f, "own");
	gateways = json_object_get(f, "gateways");
	print_broker(f);
	printf("own: %lld endpoints, %lld of them told to the others", (long long)number(own, "endpoints"), (long long)number(own, "published"));
	printf(number(own, "refused") ? ", %lld refused by the broker" : "", (long long)number(own, "refused"));
	puts(json_is_false(json_object_get(f, "own_key")) && strcmp(event_text(f, NULL, "role"), "learn") ?
	     "; NO KEY OF OUR OWN: `minewall fleet keys --new`" : "");
	printf("hints: %lld about %lld endpoints; %lld are confirmed, %lld of these blocked here\n", (long long)number(f, "hints"),
	       (long long)number(f, "endpoints"), (long long)(number(f, "confirmed") + number(f, "watched")), (long long)number(f, "taught"));
	if (json_is_true(json_object_get(f, "monitor")))
		printf("mode is monitor: %lld endpoints would be blocked\n", (long long)number(f, "watched"));
	printf("accepted: %lld; refused:", (long long)number(f, "accepted"));
	print_refused(json_object_get(f, "refused"));
	puts(sum(json_object_get(f, "refused")) ? "" : " none");
	printf("  %-24s %-8s %8s %9s %8s %6s %5s\n", "GATEWAY", "STATE", "HINTS", "ACCEPTED", "REFUSED", "LAG", "LAST");
	json_array_foreach(gateways, i, one)
		print_gateway(one);
	if (number(f, "known") > (json_int_t)json_array_size(gateways))
		printf("  and %lld more\n", (long long)(number(f, "known") - (json_int_t)json_array_size(gateways)));
	json_decref(f);
	return EXIT_DONE;
}

static int show_log(const struct fleet_args *a)
{
	json_t *f, *log, *one;
	size_t i;
	int code = ask(a, &f);

	if (code >= 0)
		return code;
	log = json_object_get(f, "log");
	if (a->common.json) {
		log = log ? json_incref(log) : json_array();
		json_decref(f);
		return cli_print_json(log);
	}
	json_array_foreach(log, i, one) {
		time_t when = (time_t)number(one, "when_s");
		char text[32];
		struct tm tm;

		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&when, &tm));
		printf("%s  %-15s  %-20s  %s\n", text, event_text(one, NULL, "result"),
		       *event_text(one, NULL, "gateway") ? event_text(one, NULL, "gateway") : "-", event_text(one, NULL, "endpoint"));
	}
	json_decref(f);
	return EXIT_DONE;
}

/* ---- keys ---- */

struct own {
	char name[FLEET_NAME_MAX];
	char seed_file[4096 + 16];
	char keys_file[FLEET_PATH_MAX];
	char state[4096];
};

/* -1: go on. */
static int read_own(const struct fleet_args *a, struct own *o)
{
	int code = EXIT_SYSTEM;
	struct policy *p = cli_policy(&a->common, &code);
	const struct fleet_policy *f = p ? policy_fleet(p) : NULL;

	if (!p)
		return code;
	snprintf(o->state, sizeof(o->state), "%s", policy_settings(p)->state);
	snprintf(o->seed_file, sizeof(o->seed_file), "%s/" FLEET_SEED, o->state);
	snprintf(o->keys_file, sizeof(o->keys_file), "%s", f->keys);
	snprintf(o->name, sizeof(o->name), "%s", f->gateway);
	if (!*o->name && (gethostname(o->name, sizeof(o->name)) || !memchr(o->name, '\0', sizeof(o->name)) || !fleet_name_good(o->name))) {
		fprintf(stderr, "minewall fleet: this host's name is none for a gateway: give one by `fleet: {gateway: ...}`\n");
		code = EXIT_POLICY;
	} else {
		code = -1;
	}
	policy_free(p);
	return code;
}

static int fail(const char *path)
{
	char text[CLI_SAFE_MAX];

	fprintf(stderr, "minewall fleet: %s: %s\n", cli_safe(text, path), strerror(errno));
	return EXIT_SYSTEM;
}

static void print_line(const char *name, const uint8_t seed[32])
{
	uint8_t key[HINT_KEY_BYTES];
	char text[HINT_KEY_TEXT];

	ed25519_sha512_public_key(key, seed);
	hint_key_text(text, key);
	printf("%s %s\n", name, text);
}

static int new_key(const struct fleet_args *a)
{
	uint8_t seed[32];
	struct own o;
	int code = read_own(a, &o), fd;
	bool written;

	if (code >= 0)
		return code;
	mkdir(o.state, 0750);
	fd = open(o.seed_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST) {
		fprintf(stderr, "minewall fleet: there is a key already, %s; remove it if it is to be another\n", o.seed_file);
		return EXIT_NO;
	}
	if (fd < 0)
		return fail(o.seed_file);
	written = getrandom(seed, sizeof(seed), 0) == sizeof(seed) && write(fd, seed, sizeof(seed)) == sizeof(seed) && fsync(fd) == 0;
	close(fd);
	if (!written) {
		fail(o.seed_file);
		unlink(o.seed_file);
		return EXIT_SYSTEM;
	}
	print_line(o.name, seed);
	explicit_bzero(seed, sizeof(seed));
	fprintf(stderr, "the line above belongs into the key files of the other gateways; restart minewall here\n");
	return EXIT_DONE;
}

static json_t *key_json(const char *line, size_t len, int number_of_line)
{
	static const char *const words[] = { [HINT_KEY_GOOD] = "good", [HINT_KEY_REVOKED] = "revoked", [HINT_KEY_WRONG] = "wrong" };
	char name[FLEET_NAME_MAX], text[HINT_KEY_TEXT];
	uint8_t key[HINT_KEY_BYTES];
	enum hint_key_line is = hint_read_key(line, len, name, key);

	if (is == HINT_KEY_NONE)
		return NULL;
	if (is == HINT_KEY_WRONG)
		return json_pack("{s:i, s:s}", "line", number_of_line, "state", words[is]);
	hint_key_text(text, key);
	return json_pack("{s:i, s:s, s:s, s:s}", "line", number_of_line, "state", words[is], "name", name, "key", text);
}

/* The gateways that this one believes, as the file says now. NULL: it cannot be read. */
static json_t *read_keys(const char *path)
{
	FILE *f = fopen(path, "re");
	json_t *all = f ? json_array() : NULL;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	for (int at = 1; f && (n = getline(&line, &room, f)) >= 0; at++) {
		json_t *one = key_json(line, (size_t)n - (n && line[n - 1] == '\n'), at);

		if (one)
			json_array_append_new(all, one);
	}
	free(line);
	if (f)
		fclose(f);
	return all;
}

static void print_own(const struct own *o)
{
	uint8_t seed[33];
	int fd = open(o->seed_file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		printf("# own key: %s: %s\n", o->seed_file, errno == ENOENT ? "there is none; `minewall fleet keys --new` makes it" : strerror(errno));
	else if (read(fd, seed, sizeof(seed)) != 32)
		printf("# own key: %s has not 32 bytes\n", o->seed_file);
	else
		print_line(o->name, seed);
	if (fd >= 0)
		close(fd);
	explicit_bzero(seed, sizeof(seed));
}

static int keys(const struct fleet_args *a)
{
	struct own o = { 0 };
	json_t *all, *one;
	size_t i;
	int code = a->new_key ? new_key(a) : read_own(a, &o);

	if (code >= 0)
		return code;
	if (!*o.keys_file) {
		fprintf(stderr, "minewall fleet: the policy has no `fleet:`\n");
		return EXIT_NO;
	}
	all = read_keys(o.keys_file);
	if (!all)
		return fail(o.keys_file);
	if (a->common.json)
		return cli_print_json(all);
	printf("# this gateway\n");
	print_own(&o);
	printf("# whose word counts here (%s)\n", o.keys_file);
	json_array_foreach(all, i, one) {
		const char *state = event_text(one, NULL, "state");

		if (!strcmp(state, "wrong"))
			printf("# line %lld is no key\n", (long long)number(one, "line"));
		else
			printf("%s %s%s\n", event_text(one, NULL, "name"), event_text(one, NULL, "key"), strcmp(state, "good") ? " revoked" : "");
	}
	json_decref(all);
	return EXIT_DONE;
}

static const struct {
	const char *name;
	int (*act)(const struct fleet_args *a);
} actions[] = { { "status", status }, { "log", show_log }, { "keys", keys } };

static int usage_error(const char *what, const char *which)
{
	fprintf(stderr, "minewall fleet: '%s' %s; see minewall fleet --help\n", which, what);
	return EXIT_USAGE;
}

int fleet_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'c' }, { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
		{ "new", no_argument, NULL, 'n' }, { NULL, 0, NULL, 0 },
	};
	struct fleet_args a = { .common = { .policy = CLI_POLICY } };
	const char *action;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:jh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return EXIT_DONE;
		}
		if (c == ':')
			return usage_error("wants a value", argv[optind - 1]);
		if (c == '?')
			return cli_bad_option(argv);
		a.common.policy = c == 'c' ? optarg : a.common.policy;
		a.common.json |= c == 'j';
		a.new_key |= c == 'n';
	}
	action = optind < argc ? argv[optind++] : "status";
	if (optind < argc)
		return usage_error("is one argument too many", argv[optind]);
	if (a.new_key && strcmp(action, "keys"))
		return usage_error("takes no --new", action);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(action, actions[i].name))
			return actions[i].act(&a);
	return usage_error("is no action", action);
}
