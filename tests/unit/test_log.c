/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log's reader: the scanner says what jansson says, whatever the bytes; files come in their order; times, filters, folds. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "cli/event_line.h"
#include "cli/log_files.h"
#include "cli/log_fold.h"
#include "cli/log_line.h"
#include "cli/log_read.h"
#include "cli/when.h"

static const char *const samples[] = {
	"{\"timestamp\":\"2026-11-25T22:51:48.223574+00:00\",\"event_type\":\"alert\",\"src_ip\":\"192.168.1.17\",\"src_port\":40374,\"dest_ip\":"
	"\"100.65.3.1\",\"dest_port\":443,\"proto\":\"TCP\",\"app_proto\":\"tls\",\"tls\":{\"sni\":\"a\\\\x00b\",\"version\":\"TLS 1.3\",\"ja4\":\"t\"},"
	"\"alert\":{\"action\":\"blocked\",\"signature\":\"minewall: mining name\",\"signature_id\":1000902,\"category\":\"Crypto mining\",\"severity\":1},"
	"\"mining\":{\"id\":\"66121ac071256\",\"evidence\":\"name\",\"list\":\"starter\",\"entry\":\"e\",\"rule\":\"list\",\"line\":4,\"telltale\":true,"
	"\"score\":70,\"marks\":[\"no_sni\",\"rhythm\"],\"count\":-3},\"host\":{\"mac\":\"02:00:00:00:00:07\",\"name\":\"t\\u00fcr \\ud83d\\ude00\"}}",
	"{\"timestamp\":\"2026-11-25T22:51:48.223574+00:00\",\"event_type\":\"minewall\",\"minewall\":{\"event\":\"gap\",\"detail\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}}",
	"{ \"event_type\" : \"alert\", \"x\":{\"a\":[1,{\"b\":[]}],\"c\":1.5e3},\"src_ip\":\"::1\",\"mining\":{\"marks\":[1,\"a\",null,[2]],\"count\":1.5}}",
	"{\"mining\":7,\"alert\":null,\"src_port\":\"12\",\"dest_port\":true,\"tls\":{}}",
	"{\"src_ip\":\"a\",\"src_ip\":\"b\",\"mining\":{\"id\":\"1\"},\"mining\":{\"rule\":\"r\"}}",
	"{\"src_ip\":\"\xc3\xbc\",\"dest_port\":9223372036854775807,\"src_port\":0}",
	"{\"event_type\":\"alert\",\"src_ip\":\"10.0.0.1\",\"gateway\":\"mine\",\"mining\":{\"id\":\"1\"},\"gateway\":\"north\\u002d1\"}",
	"{\"app_proto\":\"tls\",\"gateway\":{\"name\":\"x\"}}",
	"{}",
};

static void same_text(const struct log_text t, const json_t *value)
{
	const char *s = json_is_string(value) ? json_string_value(value) : "";

	assert_int_equal(t.len, json_is_string(value) ? json_string_length(value) : 0);
	assert_memory_equal(t.p, s, t.len);
}

static const json_t *at(const json_t *j, const char *outer, const char *key)
{
	return json_object_get(outer ? json_object_get(j, outer) : j, key);
}

/* What jansson says of the line is what the scanner says, field by field. */
static void compare(const char *raw, size_t len)
{
	static const struct { enum log_field field; const char *outer, *key; } texts[] = {
		{ LOG_TIMESTAMP, NULL, "timestamp" }, { LOG_TYPE, NULL, "event_type" }, { LOG_SRC, NULL, "src_ip" }, { LOG_DST, NULL, "dest_ip" },
		{ LOG_PROTO, NULL, "proto" }, { LOG_APP, NULL, "app_proto" }, { LOG_TLS, "tls", "sni" }, { LOG_ACTION, "alert", "action" },
		{ LOG_SIGNATURE, "alert", "signature" }, { LOG_ID, "mining", "id" }, { LOG_LIST, "mining", "list" },
		{ LOG_RULE, "mining", "rule" }, { LOG_MAC, "host", "mac" }, { LOG_HOST, "host", "name" }, { LOG_EVENT, "minewall", "event" },
		{ LOG_DETAIL, "minewall", "detail" }, { LOG_GATEWAY, NULL, "gateway" },
	}, numbers[] = {
		{ LOG_SPORT, NULL, "src_port" }, { LOG_DPORT, NULL, "dest_port" }, { LOG_SID, "alert", "signature_id" },
		{ LOG_COUNT, "mining", "count" }, { LOG_SCORE, "mining", "score" }, { LOG_ENTRY_LINE, "mining", "line" },
	};
	json_t *j = json_loadb(raw, len, 0, NULL), *mark;
	struct log_scratch scratch = { 0 };
	struct log_line line;
	bool read = log_line_read(&line, raw, len, &scratch);
	size_t i, marks = 0;

	assert_int_equal(read, json_is_object(j));
	for (i = 0; read && i < sizeof(texts) / sizeof(texts[0]); i++)
		same_text(line.text[texts[i].field], at(j, texts[i].outer, texts[i].key));
	for (i = 0; read && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_int_equal(log_number(&line, numbers[i].field), json_integer_value(at(j, numbers[i].outer, numbers[i].key)));
		assert_int_equal(log_has(&line, numbers[i].field), at(j, numbers[i].outer, numbers[i].key) != NULL);
	}
	if (read) {
		assert_int_equal(log_has(&line, LOG_MINING), json_object_get(j, "mining") != NULL);
		json_array_foreach(at(j, "mining", "marks"), i, mark)
			if (json_is_string(mark) && marks < line.n_marks)
				same_text(line.marks[marks++], mark);
		assert_int_equal(marks, line.n_marks);
	}
	json_decref(j);
	log_scratch_free(&scratch);
}

static void test_scanner(void **state)
{
	char copy[2048];
	unsigned seed = 7;

	(void)state;
	for (size_t s = 0; s < sizeof(samples) / sizeof(samples[0]); s++) {
		size_t len = strlen(samples[s]);

		compare(samples[s], len);
		for (size_t cut = 0; cut < len; cut++)
			compare(samples[s], cut);
		for (int i = 0; i < 3000; i++) {
			memcpy(copy, samples[s], len);
			for (int n = 0; n < 1 + i % 3; n++)
				copy[(size_t)rand_r(&seed) % len] = i % 2 ? "\"\\{}[],:01tu-. \n"[rand_r(&seed) % 16] : (char)rand_r(&seed);
			compare(copy, len);
		}
	}
}

static void test_times(void **state)
{
	const int64_t now = log_time("2026-11-25T12:30:00.5Z", 22), hour = 3600LL * 1000000;

	(void)state;
	assert_int_equal(now, 1795609800500000);
	assert_int_equal(log_time("2026-11-25T13:30:00.500000+01:00", 32), now);
	assert_int_equal(log_time("2026-11-25T11:00:00.500000-0130", 31), now);
	assert_int_equal(log_time("1970-01-01T00:03:00Z", 20), 180000000);
	assert_int_equal(log_time("2026-11-25 12:30:00", 19), 0);
	assert_int_equal(log_time("2026-13-25T12:30:00Z", 20), 0);
	assert_int_equal(log_time("2026-11-25T12:30:00", 19), 0);
	assert_int_equal(when_read("2h", now, false, 0), now - 2 * hour);
	assert_int_equal(when_read("now", now, false, 0), now);
	assert_int_equal(when_read("02:00", now, false, 0), log_time("2026-11-25T02:00:00Z", 20));
	assert_int_equal(when_read("22:00", now, false, 0), log_time("2026-11-24T22:00:00Z", 20));
	assert_int_equal(when_read("06:00", now, true, log_time("2026-11-24T22:00:00Z", 20)), log_time("2026-11-25T06:00:00Z", 20));
	assert_int_equal(when_read("yesterday", now, false, 0), log_time("2026-11-24T00:00:00Z", 20));
	assert_int_equal(when_read("yesterday", now, true, 0), log_time("2026-11-25T00:00:00Z", 20) - 1);
	assert_int_equal(when_read("2026-11-24", now, false, 0), log_time("2026-11-24T00:00:00Z", 20));
	assert_int_equal(when_read("2026-11-24", now, true, 0), log_time("2026-11-25T00:00:00Z", 20) - 1);
	assert_int_equal(when_read("2026-11-24 03:00", now, false, 0), log_time("2026-11-24T03:00:00Z", 20));
	assert_int_equal(when_read("2026-11-24T03:00:00+01:00", now, false, 0), log_time("2026-11-24T02:00:00Z", 20));
	assert_int_equal(when_read("noon", now, false, 0), 0);
	assert_int_equal(when_read("25:00", now, false, 0), 0);
	assert_int_equal(when_read("2026-11-24 03", now, false, 0), 0);
	assert_int_equal(when_read("", now, false, 0), 0);
}

static char folder[] = "/tmp/test_log.XXXXXX";

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void write_gz(const char *name, const char *text, size_t cut)
{
	gzFile f = gzopen(name, "wb");
	struct stat st;

	assert_non_null(f);
	gzputs(f, text);
	gzclose(f);
	if (cut) {
		assert_int_equal(stat(name, &st), 0);
		assert_int_equal(truncate(name, st.st_size - (off_t)cut), 0);
	}
}

/* A frame of RFC 8878 with one block that is not compressed, of 256 bytes and more; without its last `cut` bytes. */
static void write_zst(const char *name, const char *mode, const char *text, size_t cut)
{
	size_t len = strlen(text), block = len << 3 | 1, size = len - 256;
	const unsigned char head[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x60, size & 0xff, size >> 8 & 0xff, block & 0xff, block >> 8 & 0xff, block >> 16 };
	FILE *f = fopen(name, mode);

	assert_non_null(f);
	assert_true(len >= 256 && len < 65536);
	fwrite(head, 1, sizeof(head), f);
	fwrite(text, 1, len - cut, f);
	assert_int_equal(fclose(f), 0);
}

/* One event a line: its time, a device and a name. */
static const char *event(const char *when, const char *src, const char *name)
{
	static char text[4][512];
	static int n;
	char *to = text[n++ % 4];

	snprintf(to, 512, "{\"timestamp\":\"%s\",\"event_type\":\"alert\",\"src_ip\":\"%s\",\"src_port\":1,\"dest_ip\":\"192.0.2.1\",\"dest_port\":443,"
		 "\"tls\":{\"sni\":\"%s\"},\"alert\":{\"action\":\"blocked\",\"signature_id\":1000902},\"mining\":{\"id\":\"%s\",\"list\":\"l\",\"rule\":"
		 "\"list\",\"count\":1},\"host\":{\"mac\":\"02:00:00:00:00:0A\",\"name\":\"Laptop\"}}\n", when, src, name, name);
	return to;
}

/* The same, as it comes from another machine. */
static const char *event_of(const char *gateway, const char *when, const char *src, const char *name)
{
	static char text[600];
	const char *plain = event(when, src, name);

	snprintf(text, sizeof(text), "%.*s,\"gateway\":\"%s\"}\n", (int)strlen(plain) - 2, plain, gateway);
	return text;
}

static char read_names[1024];

static int gather(const struct log_line *line, void *arg)
{
	(void)arg;
	snprintf(read_names + strlen(read_names), sizeof(read_names) - strlen(read_names), "%.*s ", (int)line->text[LOG_TLS].len,
		 line->text[LOG_TLS].p);
	return 0;
}

static const char *names_of(const struct log_query *q, struct log_result *result)
{
	struct log_result ignored;

	*read_names = '\0';
	assert_int_equal(log_read("eve.json", q, gather, NULL, NULL, result ? result : &ignored), 0);
	return read_names;
}

static int folder_begin(void **state)
{
	(void)state;
	return mkdtemp(folder) && !chdir(folder) ? 0 : -1;
}

static int folder_end(void **state)
{
	(void)state;
	return system("rm -f -- *") || chdir("/") || rmdir(folder);
}

static int folder_empty(void **state)
{
	(void)state;
	return system("rm -f -- *");
}

static void test_files(void **state)
{
	struct log_query all = { 0 };
	struct log_result result;
	struct stat st;

	(void)state;
	write_file("eve.json", event("2026-11-25T05:00:00Z", "10.0.0.1", "e5"));
	write_file("eve.json.1", event("2026-11-25T04:00:00Z", "10.0.0.1", "e4"));
	write_gz("eve.json.2.gz", event("2026-11-25T03:00:00Z", "10.0.0.1", "e3"), 0);
	write_gz("eve.json.10.gz", event("2026-11-25T02:00:00Z", "10.0.0.1", "e2"), 0);
	/* A number twice is one file while it is being compressed; others are none of ours. */
	write_gz("eve.json.1.gz", event("2026-11-25T04:00:00Z", "10.0.0.1", "e4"), 0);
	write_file("eve.json.1.gz.new", event("2026-11-25T04:00:00Z", "10.0.0.1", "no"));
	write_file("eve.json.bak", event("2026-11-25T04:00:00Z", "10.0.0.1", "no"));
	write_file("eve.jsonx", event("2026-11-25T04:00:00Z", "10.0.0.1", "no"));
	assert_string_equal(names_of(&all, NULL), "e2 e3 e4 e5 ");
	/* Cut short: what is there is read, and what is missing is said. */
	write_gz("eve.json.2.gz", event("2026-11-25T03:00:00Z", "10.0.0.1", "e3"), 4);
	names_of(&all, &result);
	assert_string_equal(result.broken, "eve.json.2.gz");
	assert_int_equal(folder_empty(NULL), 0);
	write_file("eve.json", event("2026-11-25T05:00:00Z", "10.0.0.1", "e5"));
	write_file("eve.json-20261124", event("2026-11-24T05:00:00Z", "10.0.0.1", "e4"));
	write_gz("eve.json-20261123.gz", event("2026-11-23T05:00:00Z", "10.0.0.1", "e3"), 0);
	assert_string_equal(names_of(&all, NULL), "e3 e4 e5 ");
	assert_int_equal(utime("eve.json-20261124", &(struct utimbuf){ 1795496400, 1795496400 }), 0);
	all.since_us = log_time("2026-11-25T00:00:00Z", 20);
	assert_string_equal(names_of(&all, NULL), "e5 ");
	assert_int_equal(stat("eve.json-20261124", &st), 0);
	assert_int_equal(unlink("eve.json"), 0);
	assert_int_equal(symlink("/dev/null", "eve.json"), 0);
	assert_int_equal(log_read("eve.json", &all, gather, NULL, NULL, &result), -EINVAL);
	assert_int_equal(log_read("none.json", &all, gather, NULL, NULL, &result), -ENOENT);
}

/* As logrotate leaves them with `compresscmd zstd`. */
static void test_zstd(void **state)
{
	struct log_query all = { 0 };
	struct log_result result;
	char two[1100], other[1100];

	(void)state;
	snprintf(two, sizeof(two), "%s%s", event("2026-11-25T01:00:00Z", "10.0.0.1", "e1"), event("2026-11-25T02:00:00Z", "10.0.0.1", "e2"));
	snprintf(other, sizeof(other), "%s%s", event("2026-11-25T03:00:00Z", "10.0.0.1", "e3"), event("2026-11-25T04:00:00Z", "10.0.0.1", "e4"));
	write_file("eve.json", event("2026-11-25T05:00:00Z", "10.0.0.1", "e5"));
	write_zst("eve.json.1.zst", "w", two, 0);
	write_zst("eve.json.1.zst", "a", other, 0);
#ifdef HAVE_ZSTD
	assert_string_equal(names_of(&all, &result), "e1 e2 e3 e4 e5 ");
	assert_string_equal(result.broken, "");
	/* there twice while it is being compressed */
	write_file("eve.json.1", two);
	assert_string_equal(names_of(&all, NULL), "e1 e2 e5 ");
	assert_int_equal(unlink("eve.json.1"), 0);
	write_zst("eve.json.1.zst", "w", two, 4);
	names_of(&all, &result);
	assert_string_equal(result.broken, "eve.json.1.zst");
	assert_non_null(strstr(result.why, "cut short"));
	write_zst("eve.json.1.zst", "w", two, 0);
	write_file("eve.json.2.zst", "\x28\xb5\x2f\xfd no frame at all, though it begins like one");
	assert_string_equal(names_of(&all, &result), "e1 e2 e5 ");
	assert_string_equal(result.broken, "eve.json.2.zst");
	assert_non_null(strstr(result.why, "damaged"));
#else
	assert_string_equal(names_of(&all, &result), "e5 ");
	assert_string_equal(result.broken, "eve.json.1.zst");
	assert_non_null(strstr(result.why, "zstd"));
#endif
}

static void test_hostile_file(void **state)
{
	struct log_query all = { 0 };
	struct log_result result;
	FILE *f = fopen("eve.json", "w");

	(void)state;
	assert_non_null(f);
	fputs(event("2026-11-25T01:00:00Z", "10.0.0.1", "e1"), f);
	for (int i = 0; i < 10 * 1024 * 1024; i++)
		putc_unlocked('x', f);
	fputs("\n\n\r\n[1]\nnull\n{\"event_type\":\"alert\"}\n", f);
	fwrite("{\"a\":\"\0\"}\n", 1, 10, f);
	fputs(event("2026-11-25T02:00:00Z", "10.0.0.1", "e2"), f);
	for (int i = 0; i < 100000; i++)
		putc_unlocked('[', f);
	fputs("\n{\"a\":", f);
	for (int i = 0; i < 60000; i++)
		putc_unlocked('[', f);
	putc('\n', f);
	fprintf(f, "%.40s", event("2026-11-25T03:00:00Z", "10.0.0.1", "e3"));
	fclose(f);
	assert_string_equal(names_of(&all, &result), "e1 e2 ");
	assert_int_equal(result.too_long, 2);
}

static void test_filters(void **state)
{
	static const struct { const char *host, *name, *list; bool fits; } cases[] = {
		{ "10.0.0.1", NULL, NULL, true }, { "10.0.0.2", NULL, NULL, false }, { "10.0.0.0/24", NULL, NULL, true },
		{ "10.0.1.0/24", NULL, NULL, false }, { "2001:db8::/32", NULL, NULL, false }, { "02:00:00:00:00:0a", NULL, NULL, true },
		{ "02:00:00:00:00:0b", NULL, NULL, false }, { "laptop", NULL, NULL, true }, { "lap", NULL, NULL, false },
		{ NULL, "pool.example", NULL, true }, { NULL, "EU.pool.example", NULL, true }, { NULL, "ool.example", NULL, false },
		{ NULL, "x.eu.pool.example", NULL, false }, { NULL, NULL, "l", true }, { NULL, NULL, "m", false },
	};

	(void)state;
	write_file("eve.json", event("2026-11-25T01:00:00Z", "10.0.0.1", "eu.pool.example"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct log_query q = { .name = cases[i].name, .list = cases[i].list };

		if (cases[i].host)
			log_query_host(&q, cases[i].host);
		assert_string_equal(names_of(&q, NULL), cases[i].fits ? "eu.pool.example " : "");
	}
}

/* Which of two gateways' events and one without are read: their names are patterns, more than one may be given. */
static void test_gateways(void **state)
{
	static const struct { const char *one, *other; bool here; const char *found; } cases[] = {
		{ NULL, NULL, false, "own a b " }, { "north-1", NULL, false, "a " }, { "NORTH-1", NULL, false, "a " }, { "north-*", NULL, false, "a b " },
		{ "north-?", "x", false, "a b " }, { "north-1", "north-2", false, "a b " }, { "north", NULL, false, "" }, { "*", NULL, false, "own a b " },
		{ "?*", NULL, false, "a b " }, { NULL, NULL, true, "own " }, { "[", NULL, false, "" },
	};
	FILE *f = fopen("eve.json", "w");
	struct log_query many = { 0 };

	(void)state;
	assert_non_null(f);
	fputs(event("2026-11-25T01:00:00Z", "10.0.0.1", "own"), f);
	fputs(event_of("north-1", "2026-11-25T01:00:00Z", "10.0.0.1", "a"), f);
	fputs(event_of("north-2", "2026-11-25T01:00:00Z", "10.0.0.1", "b"), f);
	fclose(f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct log_query q = { .here = cases[i].here };

		assert_true(!cases[i].one || log_query_gateway(&q, cases[i].one));
		assert_true(!cases[i].other || log_query_gateway(&q, cases[i].other));
		assert_string_equal(names_of(&q, NULL), cases[i].found);
	}
	for (int i = 0; i < LOG_GATEWAYS_MAX; i++)
		assert_true(log_query_gateway(&many, "x"));
	assert_false(log_query_gateway(&many, "x"));
}

/* Events of a clock that was not set lie between their neighbours. */
static void test_clock(void **state)
{
	struct log_query q = { 0 };
	FILE *f = fopen("eve.json", "w");

	(void)state;
	assert_non_null(f);
	fputs(event("2026-11-23T01:00:00Z", "10.0.0.1", "e1"), f);
	fputs(event("1970-01-01T00:00:20Z", "10.0.0.1", "boot1"), f);
	fputs(event("2026-11-24T01:00:00Z", "10.0.0.1", "e2"), f);
	fputs(event("2026-11-25T01:00:00Z", "10.0.0.1", "e3"), f);
	fclose(f);
	assert_string_equal(names_of(&q, NULL), "e1 boot1 e2 e3 ");
	q.since_us = log_time("2026-11-23T12:00:00Z", 20);
	assert_string_equal(names_of(&q, NULL), "boot1 e2 e3 ");
	q.since_us = log_time("2026-11-24T12:00:00Z", 20);
	assert_string_equal(names_of(&q, NULL), "e3 ");
	q.since_us = 0;
	q.until_us = log_time("2026-11-22T12:00:00Z", 20);
	assert_string_equal(names_of(&q, NULL), "");
}

static char folded[2048];

static void gather_folded(const struct log_line *first, int64_t count, int64_t last_us, void *arg)
{
	(void)arg;
	snprintf(folded + strlen(folded), sizeof(folded) - strlen(folded), "%.*s %d %d; ", (int)first->text[LOG_TLS].len, first->text[LOG_TLS].p,
		 (int)count, (int)((last_us - first->when_us) / 60000000));
}

static void fold_text(struct log_fold *f, const char *text)
{
	struct log_scratch scratch = { 0 };
	struct log_line line;

	assert_true(log_line_read(&line, text, strlen(text), &scratch));
	assert_int_equal(log_fold_add(f, &line), 0);
	log_scratch_free(&scratch);
}

static void fold(struct log_fold *f, const char *when, const char *src, const char *name)
{
	fold_text(f, event(when, src, name));
}

static void test_fold(void **state)
{
	struct log_fold *f = log_fold_new(gather_folded, NULL);

	(void)state;
	assert_non_null(f);
	fold(f, "2026-11-25T01:00:00Z", "10.0.0.1", "a");
	fold(f, "2026-11-25T01:05:00Z", "10.0.0.2", "a");	/* another device */
	fold(f, "2026-11-25T01:09:00Z", "10.0.0.1", "a");
	fold(f, "2026-11-25T01:10:00Z", "10.0.0.1", "b");	/* another target */
	fold(f, "2026-11-25T01:18:00Z", "10.0.0.1", "a");	/* nine minutes after the one before */
	fold(f, "2026-11-25T01:29:00Z", "10.0.0.1", "a");	/* eleven */
	log_fold_end(f);
	assert_string_equal(folded, "a 3 18; a 1 0; b 1 0; a 1 0; ");
	*folded = '\0';
	f = log_fold_new(gather_folded, NULL);
	fold_text(f, event_of("north", "2026-11-25T01:00:00Z", "10.0.0.1", "a"));
	fold_text(f, event_of("south", "2026-11-25T01:00:00Z", "10.0.0.1", "a"));	/* the same address behind another gateway */
	fold_text(f, event_of("north", "2026-11-25T01:01:00Z", "10.0.0.1", "a"));
	log_fold_end(f);
	assert_string_equal(folded, "a 2 1; a 1 0; ");
	*folded = '\0';
	f = log_fold_new(gather_folded, NULL);
	for (int i = 0; i < 40000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		fold(f, "2026-11-25T01:00:00Z", "10.0.0.1", name);
	}
	log_fold_end(f);
	assert_string_equal(strtok(folded, ";"), "n0 1 0");	/* bounded memory: the oldest were given before the end */
}

static void test_print_gateway(void **state)
{
	const char *text = event_of("north-1\\u001b", "2026-11-25T01:00:00Z", "10.0.0.1", "a");
	char said[1024];
	struct log_scratch scratch = { 0 };
	struct log_line line;
	FILE *f = fmemopen(said, sizeof(said), "w");

	(void)state;
	assert_true(log_line_read(&line, text, strlen(text), &scratch));
	event_line_print(f, &line, 1, 0);
	fclose(f);
	log_scratch_free(&scratch);
	assert_string_equal(said, "2026-11-25 01:00:00  blocked  north-1\\x1b: 10.0.0.1 (Laptop, 02:00:00:00:00:0A) -> 192.0.2.1:443 TLS a  [list l: ]"
			    "  #a\n");
}

/* Nothing of the file reaches the terminal as it is. */
static void test_print(void **state)
{
	const char *text = event("2026-11-25T01:00:00Z", "10.0.0.1", "\\u001b[31m\\u009bx\\u202e");
	char said[1024];
	struct log_scratch scratch = { 0 };
	struct log_line line;
	FILE *f = fmemopen(said, sizeof(said), "w");

	(void)state;
	assert_true(log_line_read(&line, text, strlen(text), &scratch));
	event_line_print(f, &line, 3, line.when_us + 60000000);
	fclose(f);
	log_scratch_free(&scratch);
	assert_string_equal(said, "2026-11-25 01:00:00  blocked  10.0.0.1 (Laptop, 02:00:00:00:00:0A) -> 192.0.2.1:443 TLS \\x1b[31m\\u009bx\\u202e"
			    "  [list l: ]  3 times until 01:01:00  #\\x1b[31m\\u009bx\\u202e\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scanner),
		cmocka_unit_test(test_times),
		cmocka_unit_test_teardown(test_files, folder_empty), cmocka_unit_test_teardown(test_zstd, folder_empty),
		cmocka_unit_test_teardown(test_hostile_file, folder_empty),
		cmocka_unit_test_teardown(test_filters, folder_empty),
		cmocka_unit_test_teardown(test_gateways, folder_empty),
		cmocka_unit_test_teardown(test_clock, folder_empty),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_print_gateway),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests_name("log", tests, folder_begin, folder_end);
}
