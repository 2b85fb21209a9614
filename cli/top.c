/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall top`: who tries to mine now, live in the terminal. It follows the event log and draws what was added up; plain ANSI,
 * and nothing but its own words and escaped text reaches the terminal. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/event_line.h"
#include "cli/incidents.h"
#include "cli/log_read.h"
#include "cli/tally.h"
#include "daemon/control.h"
#include "daemon/escape.h"

static const char usage[] =
	"minewall top [-c POLICY] [--once] [--json]\n\n"
	"Shows the devices that try to mine and the pools they try to reach, live:\n"
	"attempts of the last minute, quarter of an hour and hour, and the devices'\n"
	"incidents (in a terminal of 96 columns or more). q ends it. Where the\n"
	"output is no terminal it prints one picture, as with --once. NO_COLOR in the\n"
	"environment leaves colours out.\n\n"
	"  --once      one picture, and that is it\n"
	"  -j, --json  its numbers\n\n"
	"Example: minewall top --once\n";

#define HOUR_US 3600000000LL
#define DRAW_EVERY_US 1000000
/* The kernel's counting is read, and the daemon's state asked for, so often. */
#define ASK_EVERY_US 5000000
/* Rows of each table where no height is known. */
#define ROWS 20
/* The incident has a column of its own in terminals of this width. */
#define INCIDENT_FROM 96
#define INCIDENT_WIDTH 17

struct top {
	const char *path, *control;
	struct tally *tally;
	const struct policy *policy;
	json_t *status;
	struct incidents_read incidents;
	int64_t drawn_us, asked_us;
	bool live, colour;
	struct termios before;		/* of the terminal, to be put back */
};

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct row {
	uint64_t minute, quarter, hour;
	uint32_t place;
};

static int busiest_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->minute != y->minute)
		return x->minute < y->minute ? 1 : -1;
	if (x->hour != y->hour)
		return x->hour < y->hour ? 1 : -1;
	return x->place < y->place ? -1 : 1;
}

/* Those of the last hour, the busiest first; `*n` of them, the caller frees. */
static struct row *rows_of(const void *items, size_t count, size_t size, size_t recent, int64_t now, size_t *n)
{
	struct row *rows = calloc(count ? count : 1, sizeof(*rows));

	*n = 0;
	if (!rows)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const struct tally_recent *r = (const struct tally_recent *)((const char *)items + i * size + recent);
		struct row row = { tally_last(r, now, 60), tally_last(r, now, 900), tally_last(r, now, 3600), (uint32_t)i };

		if (row.hour)
			rows[(*n)++] = row;
	}
	qsort(rows, *n, sizeof(*rows), busiest_first);
	return rows;
}
#define ROWS_OF(t, what, now, n) \
	rows_of((t)->what, (t)->n_##what, sizeof(*(t)->what), offsetof(__typeof__(*(t)->what), recent), now, n)

struct screen {
	FILE *out;
	int columns, lines;
	bool colour;
};

/* Escaped, then cut or filled to `width`. */
static void column(const struct screen *s, const char *text, int width)
{
	char safe[1024];
	int len = (int)escape_text(safe, sizeof(safe), ESCAPE_WIRE, text, strlen(text));

	fprintf(s->out, "%-*.*s", width, width, safe);
	if (len > width && width > 1)
		fputs("~", s->out);
	else
		fputs(" ", s->out);
}

static void colour(const struct screen *s, const char *code)
{
	if (s->colour)
		fprintf(s->out, "\x1b[%sm", code);
}

/* Three numbers take 27 columns; what is left is the text's. */
static void counts(const struct screen *s, const struct row *r)
{
	fprintf(s->out, "%8llu %8llu %8llu ", (unsigned long long)r->minute, (unsigned long long)r->quarter, (unsigned long long)r->hour);
}

static int text_width(const struct screen *s, int other)
{
	int width = s->columns - 27 - other - 1;

	return width < 16 ? 16 : width > 60 ? 60 : width;
}

static void device_text(const struct tally_device *d, char to[256])
{
	const char *address = d->n_addresses ? d->addresses[0] : "";

	int n = *d->gateway ? snprintf(to, 256, "%s: ", d->gateway) : 0;

	if (*d->name)
		snprintf(to + n, 256 - (size_t)n, "%s %s", d->name, address);
	else
		snprintf(to + n, 256 - (size_t)n, d->has_mac ? "%s %s" : "%s", d->has_mac ? address : d->key, d->key);
}

static const json_t *incident_of_row(const struct top *t, const struct tally_device *d)
{
	const char *addresses[TALLY_ADDRESSES];

	if (*d->gateway)
		return NULL;	/* our reporter knows our own devices */
	for (unsigned i = 0; i < d->n_addresses; i++)
		addresses[i] = d->addresses[i];
	return incidents_of(t->incidents.list, d->has_mac ? d->key : "", addresses, d->n_addresses);
}

static void incident(const struct screen *s, const struct top *t, const struct tally_device *d)
{
	const json_t *its = incident_of_row(t, d);
	char text[64] = "";

	if (its)
		snprintf(text, sizeof(text), "#%lld %s", (long long)json_integer_value(json_object_get(its, "id")), event_text(its, NULL, "state"));
	column(s, text, INCIDENT_WIDTH);
}

static void draw_devices(const struct screen *s, const struct top *t, int64_t now, int most)
{
	size_t n;
	struct row *rows = ROWS_OF(t->tally, devices, now, &n);
	bool wide = s->columns >= INCIDENT_FROM;
	int width = text_width(s, wide ? 18 + INCIDENT_WIDTH + 1 : 18);

	colour(s, "7");
	fprintf(s->out, "%-*s %8s %8s %8s %-17s", width, "DEVICE", "1 MIN", "15 MIN", "1 HOUR", "PROGRAM");
	if (wide)
		fprintf(s->out, "%-*s", INCIDENT_WIDTH + 1, "INCIDENT");
	colour(s, "0");
	fputs("\n", s->out);
	for (size_t i = 0; rows && i < n && (int)i < most; i++) {
		const struct tally_device *d = &t->tally->devices[rows[i].place];
		char text[256];

		device_text(d, text);
		colour(s, rows[i].minute ? "1;31" : "0");
		column(s, text, width);
		counts(s, &rows[i]);
		column(s, *d->agent ? d->agent : d->dialect, 16);
		if (wide)
			incident(s, t, d);
		colour(s, "0");
		fputs("\n", s->out);
	}
	if (!n)
		fputs("nobody within the last hour\n", s->out);
	else if (n > (size_t)most)
		fprintf(s->out, "and %zu more\n", n - (size_t)most);
	free(rows);
}

static void draw_pools(const struct screen *s, const struct top *t, int64_t now, int most)
{
	size_t n;
	struct row *rows = ROWS_OF(t->tally, pools, now, &n);
	int width = text_width(s, 8);

	colour(s, "7");
	fprintf(s->out, "%-*s %8s %8s %8s %7s", width, "POOL", "1 MIN", "15 MIN", "1 HOUR", "DEVICES");
	colour(s, "0");
	fputs("\n", s->out);
	for (size_t i = 0; rows && i < n && (int)i < most; i++) {
		const struct tally_pool *p = &t->tally->pools[rows[i].place];

		column(s, p->key, width);
		counts(s, &rows[i]);
		fprintf(s->out, "%7u\n", p->devices);
	}
	if (n > (size_t)most)
		fprintf(s->out, "and %zu more\n", n - (size_t)most);
	free(rows);
}

static void draw_head(const struct screen *s, const struct top *t, int64_t now)
{
	const char *mode = json_string_value(json_object_get(t->status, "mode"));
	time_t seconds = (time_t)(now / 1000000);
	char clock[24];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	fprintf(s->out, "minewall  %s  ", clock);
	if (mode) {
		fputs(!strcmp(mode, "enforce") ? "enforce" : "monitor: nothing is stopped", s->out);
		fprintf(s->out, "  %lld flows", (long long)json_integer_value(json_object_get(t->status, "flows")));
		if (json_object_get(t->status, "paused_s")) {
			colour(s, "1;31");
			fputs("  PAUSED", s->out);
			colour(s, "0");
		}
	} else {
		colour(s, "1;31");
		fputs("the daemon does not run", s->out);
		colour(s, "0");
	}
	fprintf(s->out, "%s\n\n", t->live ? "  q ends" : "");
}

static void draw_frame(const struct screen *s, const struct top *t)
{
	/* Head, two headings, a blank line, two lines of "more", and the last one stays free. */
	int most = s->lines > 14 ? (s->lines - 9) / 2 : s->lines ? 3 : ROWS;
	int64_t now = now_us();

	draw_head(s, t, now);
	draw_devices(s, t, now, most);
	fputs("\n", s->out);
	draw_pools(s, t, now, most);
}

/* A frame is one write: no half of it is ever seen. Each line ends by clearing what the last frame left behind it. */
static void draw_live(struct top *t)
{
	struct winsize size = { 0 };
	struct screen s = { .columns = 80, .lines = 24, .colour = t->colour };
	char *text = NULL, *p, *line_end;
	size_t len = 0;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		s.columns = size.ws_col;
		s.lines = size.ws_row;
	}
	s.out = open_memstream(&text, &len);
	if (!s.out)
		return;
	draw_frame(&s, t);
	fclose(s.out);
	fputs("\x1b[H", stdout);
	for (p = text; (line_end = strchr(p, '\n')); p = line_end + 1) {
		fwrite(p, 1, (size_t)(line_end - p), stdout);
		fputs("\x1b[K\r\n", stdout);
	}
	fputs("\x1b[J", stdout);
	fflush(stdout);
	free(text);
}

static void ask(struct top *t)
{
	json_t *reply = NULL;

	log_flush(t->control);
	json_decref(t->status);
	t->status = control_ask(t->control, json_pack("{s:s}", "verb", "status"), &reply) == 0 ? reply : NULL;
	if (!t->incidents.hangs) {	/* else each picture would wait for it */
		incidents_read_fini(&t->incidents);
		incidents_read(&t->incidents, t->policy);
	}
	t->asked_us = now_us();
}

static bool wants_out(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char key = 0;

	while (!ended && poll(&in, 1, 0) == 1) {
		if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 3)
			ended = 1;
	}
	return ended;
}

static int idle(void *arg)
{
	struct top *t = arg;
	int64_t now = now_us();

	if (wants_out())
		return 1;
	if (now - t->asked_us >= ASK_EVERY_US || now < t->asked_us)
		ask(t);
	if (now - t->drawn_us >= DRAW_EVERY_US || now < t->drawn_us) {
		draw_live(t);
		t->drawn_us = now_us();
	}
	return 0;
}

/* A clock that was wrong when the event was written must not hide those after it. */
static int each(const struct log_line *line, void *arg)
{
	struct top *t = arg;
	int64_t now = now_us();
	struct log_line of_now;

	if (line->when_us > now || line->when_us < LOG_CLOCK_SET_US) {
		of_now = *line;
		of_now.when_us = now;
		line = &of_now;
	}
	tally_add(t->tally, line);
	return t->live && ended ? 1 : 0;
}

static json_t *row_json(const struct row *r, const char *key, const char *text)
{
	json_t *j = json_pack("{s:I, s:I, s:I}", "minute", (json_int_t)r->minute, "quarter", (json_int_t)r->quarter, "hour", (json_int_t)r->hour);
	json_t *name = json_string(text);

	json_object_set_new(j, key, name ? name : json_string("?"));
	return j;
}

static int print_json(const struct top *t)
{
	json_t *devices = json_array(), *pools = json_array();
	const json_t *its;
	int64_t now = now_us();
	size_t n;
	struct row *rows = ROWS_OF(t->tally, devices, now, &n);

	for (size_t i = 0; rows && i < n; i++) {
		const struct tally_device *d = &t->tally->devices[rows[i].place];
		json_t *j = row_json(&rows[i], "device", d->key);

		if (*d->gateway)
			json_object_set_new(j, "gateway", json_string(d->gateway));
		if (d->n_addresses)
			json_object_set_new(j, "address", json_string(d->addresses[0]));
		its = incident_of_row(t, d);
		if (its)
			json_object_set_new(j, "incident", json_pack("{s:O, s:O}", "id", json_object_get(its, "id"), "state", json_object_get(its, "state")));
		json_array_append_new(devices, j);
	}
	free(rows);
	rows = ROWS_OF(t->tally, pools, now, &n);
	for (size_t i = 0; rows && i < n; i++) {
		json_t *j = row_json(&rows[i], "pool", t->tally->pools[rows[i].place].key);

		json_object_set_new(j, "devices", json_integer(t->tally->pools[rows[i].place].devices));
		json_array_append_new(pools, j);
	}
	free(rows);
	return cli_print_json(json_pack("{s:b, s:o, s:o}", "running", t->status != NULL, "devices", devices, "pools", pools));
}

static int once(struct top *t, bool json)
{
	struct log_query q = { .since_us = now_us() - HOUR_US };
	struct screen s = { .out = stdout, .columns = 100 };
	struct log_result result = { 0 };
	int err = log_read(t->path, &q, each, NULL, t, &result), code = log_say(t->path, err, &result);

	if (err && err != -ENOENT)
		return code;
	if (json)
		return print_json(t);
	draw_frame(&s, t);
	return code == EXIT_NO ? EXIT_DONE : code;
}

/* Keys come at once and unseen; the screen that was there comes back at the end. */
static int live(struct top *t)
{
	struct log_query q = { .since_us = now_us() - HOUR_US, .follow = true };
	struct sigaction action = { .sa_handler = end };
	struct log_result result = { 0 };
	struct termios raw;
	int err;

	if (tcgetattr(STDIN_FILENO, &t->before))
		return once(t, false);
	raw = t->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\x1b[?1049h\x1b[?25l\x1b[2J", stdout);
	do {
		err = log_read(t->path, &q, each, idle, t, &result);
		/* Its first event makes it. */
	} while (err == -ENOENT && !idle(t) && poll(NULL, 0, 200) >= 0);
	fputs("\x1b[?25h\x1b[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
	return err < 0 && err != -ENOENT ? log_say(t->path, err, &result) : EXIT_DONE;
}

static int read_arguments(int argc, char **argv, struct cli_args *args, bool *single)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'c' }, { "once", no_argument, NULL, '1' }, { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:jh", options, NULL)) != -1)
		switch (c) {
		case 'c':	args->policy = optarg; break;
		case '1':	*single = true; break;
		case 'j':	args->json = true; break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case ':':
			fprintf(stderr, "minewall top: a value is missing after '%s'; see minewall top --help\n", argv[optind - 1]);
			return EXIT_USAGE;
		default:
			return cli_bad_option(argv);
		}
	if (optind < argc) {
		fprintf(stderr, "minewall top: '%s' is one argument too many; see minewall top --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

int top_main(int argc, char **argv)
{
	struct cli_args args = { .policy = CLI_POLICY };
	struct top t = { 0 };
	bool single = false;
	struct policy *p;
	const char *no_colour = getenv("NO_COLOR");
	int code = read_arguments(argc, argv, &args, &single);

	if (code >= 0)
		return code;
	p = cli_policy(&args, &code);
	if (!p)
		return code;
	t.path = policy_settings(p)->log_file;
	t.control = policy_settings(p)->control;
	t.policy = p;
	t.live = !single && !args.json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	t.colour = t.live && !(no_colour && *no_colour);
	t.tally = tally_new(NULL, 0, 0);
	if (t.tally) {
		ask(&t);
		code = t.live ? live(&t) : once(&t, args.json);
	} else {
		fprintf(stderr, "minewall top: out of memory\n");
		code = EXIT_SYSTEM;
	}
	tally_free(t.tally);
	json_decref(t.status);
	incidents_read_fini(&t.incidents);
	policy_free(p);
	return code;
}
