/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines to events, and which of them are asked for. The order is that of writing: a clock may be wrong, the file is not. */
#include "cli/log_read.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "cli/log_files.h"
#include "policy/addresses.h"

/* Memory for events that wait to learn their time. Beyond it they are taken as of the time before them. */
#define WAITING_MAX (4 * 1024 * 1024)

void log_query_host(struct log_query *q, const char *text)
{
	int end = 0;

	q->host = text;
	memset(&q->net, 0, sizeof(q->net));
	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &q->mac[0], &q->mac[1], &q->mac[2], &q->mac[3], &q->mac[4], &q->mac[5],
		   &end) == 6 && !text[end])
		q->host_is = LOG_HOST_MAC;
	else if (address_parse(text, strlen(text), &q->net) == ADDRESS_GOOD && !q->net.port)
		q->host_is = LOG_HOST_NET;
	else
		q->host_is = LOG_HOST_NAME;
}

static bool in_network(const struct network *net, struct log_text address)
{
	uint8_t bytes[16] = { [10] = 0xff, 0xff };
	char text[INET6_ADDRSTRLEN];
	unsigned whole = net->prefix / 8, rest = net->prefix % 8;

	if (address.len >= sizeof(text))
		return false;
	memcpy(text, address.p, address.len);
	text[address.len] = '\0';
	if (inet_pton(AF_INET, text, bytes + 12) != 1 && inet_pton(AF_INET6, text, bytes) != 1)
		return false;
	return !memcmp(bytes, net->addr, whole) && (!rest || (bytes[whole] >> (8 - rest)) == (net->addr[whole] >> (8 - rest)));
}

static bool is_mac(const uint8_t mac[6], struct log_text text)
{
	char ours[18];

	snprintf(ours, sizeof(ours), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return text.len == 17 && !strncasecmp(ours, text.p, 17);
}

static bool same_name(struct log_text text, const char *name)
{
	return strlen(name) == text.len && !strncasecmp(text.p, name, text.len);
}

static bool host_fits(const struct log_query *q, const struct log_line *line)
{
	switch (q->host_is) {
	case LOG_ANY_HOST:	return true;
	case LOG_HOST_NET:	return in_network(&q->net, line->text[LOG_SRC]);
	case LOG_HOST_MAC:	return is_mac(q->mac, line->text[LOG_MAC]);
	case LOG_HOST_NAME:	return same_name(line->text[LOG_HOST], q->host);
	}
	return false;
}

/* An HTTP host has its port behind it. */
static bool below(struct log_text name, const char *above)
{
	size_t len = strlen(above), n = 0;

	while (n < name.len && name.p[n] != ':')
		n++;
	while (n && name.p[n - 1] == '.')
		n--;
	return len && n >= len && !strncasecmp(name.p + n - len, above, len) && (n == len || name.p[n - len - 1] == '.');
}

bool log_query_gateway(struct log_query *q, const char *pattern)
{
	if (q->n_gateways == LOG_GATEWAYS_MAX)
		return false;
	q->gateway[q->n_gateways++] = pattern;
	return true;
}

static bool gateway_fits(const struct log_query *q, struct log_text gateway)
{
	char name[256];

	if (q->here && gateway.len)
		return false;
	if (!q->n_gateways)
		return true;
	if (gateway.len >= sizeof(name) || memchr(gateway.p, '\0', gateway.len))
		return false;
	memcpy(name, gateway.p, gateway.len);
	name[gateway.len] = '\0';
	for (unsigned i = 0; i < q->n_gateways; i++)
		if (!fnmatch(q->gateway[i], name, FNM_CASEFOLD))
			return true;
	return false;
}

bool log_query_fits(const struct log_query *q, const struct log_line *line)
{
	return host_fits(q, line) && gateway_fits(q, line->text[LOG_GATEWAY]) && (!q->name || below(log_line_name(line, NULL), q->name)) &&
	       (!q->rule || log_text_is(line->text[LOG_RULE], q->rule)) && (!q->list || log_text_is(line->text[LOG_LIST], q->list));
}

struct reading {
	const struct log_query *q;
	int (*each)(const struct log_line *line, void *arg);
	void *arg;
	struct log_line line;
	struct log_scratch scratch;
	int64_t last_us;		/* of the last event with a time */
	char *waiting;			/* lines of a clock that was not set, each with its end */
	size_t n_waiting;
};

/* The waiting ones lie between the last time and `next_us`. */
static int give_waiting(struct reading *r, int64_t next_us)
{
	bool wanted = (!r->q->since_us || next_us >= r->q->since_us) && (!r->q->until_us || r->last_us <= r->q->until_us);
	struct log_line line;
	struct log_scratch scratch = { 0 };
	char *p = r->waiting, *end = r->waiting ? r->waiting + r->n_waiting : NULL;
	int answer = 0;

	while (wanted && p < end && !answer) {
		size_t len = strcspn(p, "\n");

		if (log_line_read(&line, p, len, &scratch))
			answer = r->each(&line, r->arg);
		p += len + 1;
	}
	r->n_waiting = 0;
	log_scratch_free(&scratch);
	return answer;
}

static int keep_waiting(struct reading *r)
{
	const struct log_text *raw = &r->line.raw;

	if (r->n_waiting + raw->len + 1 > WAITING_MAX) {
		int answer = give_waiting(r, r->last_us);

		if (answer)
			return answer;
	}
	if (!r->waiting)
		r->waiting = malloc(WAITING_MAX);
	if (!r->waiting)
		return -ENOMEM;
	memcpy(r->waiting + r->n_waiting, raw->p, raw->len);
	r->n_waiting += raw->len;
	r->waiting[r->n_waiting++] = '\n';
	return 0;
}

static int heed(struct reading *r)
{
	const struct log_query *q = r->q;
	int64_t t = r->line.when_us;
	int answer = 0;

	if (t < LOG_CLOCK_SET_US) {
		if (!log_query_fits(q, &r->line))
			return 0;
		return q->follow || (!q->since_us && !q->until_us) ? r->each(&r->line, r->arg) : keep_waiting(r);
	}
	if (r->n_waiting)
		answer = give_waiting(r, t);
	r->last_us = t;
	if (answer || (q->since_us && t < q->since_us) || (q->until_us && t > q->until_us) || !log_query_fits(q, &r->line))
		return answer;
	return r->each(&r->line, r->arg);
}

/* Outside the time that is asked for, told by the line's first bytes alone: most of a long log need not be read. */
static bool out_of_time(struct reading *r, const char *raw, size_t len)
{
	static const char start[] = "{\"timestamp\":\"";
	const char *end;
	int64_t t;

	if (r->n_waiting || len < sizeof(start) || memcmp(raw, start, sizeof(start) - 1))
		return false;
	end = memchr(raw + sizeof(start) - 1, '"', len - (sizeof(start) - 1));
	t = end ? log_time(raw + sizeof(start) - 1, (size_t)(end - raw) - (sizeof(start) - 1)) : 0;
	if (t < LOG_CLOCK_SET_US || (t >= r->q->since_us && (!r->q->until_us || t <= r->q->until_us)))
		return false;
	r->last_us = t;
	return true;
}

int log_read(const char *path, const struct log_query *q, int (*each)(const struct log_line *line, void *arg), int (*idle)(void *arg), void *arg,
	     struct log_result *result)
{
	struct reading r = { .q = q, .each = each, .arg = arg };
	struct log_files *files;
	const char *raw, *broken, *why;
	size_t len;
	int answer = log_files_open(&files, path, q->since_us, q->follow);

	memset(result, 0, sizeof(*result));
	if (answer)
		return answer;
	for (;;) {
		while (!answer && log_files_next(files, &raw, &len))
			if (!out_of_time(&r, raw, len) && log_line_read(&r.line, raw, len, &r.scratch) && log_line_is_ours(&r.line))
				answer = heed(&r);
		if (answer || !q->follow)
			break;
		answer = idle ? idle(arg) : 0;
		if (!answer)
			log_files_wait(files);
	}
	if (!answer && r.n_waiting)
		answer = give_waiting(&r, INT64_MAX);
	result->too_long = log_files_long(files);
	broken = log_files_broken(files, &why);
	if (broken) {
		snprintf(result->broken, sizeof(result->broken), "%s", broken);
		snprintf(result->why, sizeof(result->why), "%s", why);
	}
	free(r.waiting);
	log_scratch_free(&r.scratch);
	log_files_close(files);
	return answer;
}

int log_say(const char *path, int err, const struct log_result *result)
{
	if (err == -ENOENT)
		return EXIT_NO;
	if (err < 0) {
		fprintf(stderr, "minewall: %s: %s%s\n", path,
			err == -EINVAL ? "is no regular file, so its events cannot be read back" : strerror(-err),
			err == -EACCES ? "; try as root" : "");
		return EXIT_SYSTEM;
	}
	if (result->too_long)
		fprintf(stderr, "minewall: %s: %zu lines are longer than any event and were passed over\n", path, result->too_long);
	if (*result->broken)
		fprintf(stderr, "minewall: %.*s%s: %s; its other events are missing here\n",
			strrchr(path, '/') ? (int)(strrchr(path, '/') - path) + 1 : 0, path, result->broken, result->why);
	return *result->broken ? EXIT_PARTLY : EXIT_DONE;
}
