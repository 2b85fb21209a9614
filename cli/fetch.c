/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The child asks and passes on bytes in records; the parent adds them up and believes none of them. Redirects are followed by
 * hand, so that a way which once was https never leads through http. */
#include "cli/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_CURL

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>

#define REDIRECTS_MAX 5
#define CONNECT_TIMEOUT_S 20L
/* A server that gives less than this for so long will not come to an end. */
#define SLOW_BYTES 64L
#define SLOW_S 30L
/* Bytes of an answer that is no list: read so that the connection ends well, thrown away. */
#define REST_MAX (1u << 20)
/* The parent's patience beyond the child's. */
#define GRACE_MS 5000
#define URL_MAX 2048
#define RECORD_MAX 65536

/* What a record is. DATA is followed by `len` bytes of the list, END by a struct fetch_answer. */
struct record {
	enum { RECORD_DATA = 1, RECORD_END } what;
	unsigned len;
};

static struct {
	CURLcode (*global_init)(long flags);
	CURL *(*easy_init)(void);
	__typeof__(curl_easy_setopt) *setopt;
	__typeof__(curl_easy_getinfo) *getinfo;
	CURLcode (*perform)(CURL *easy);
	const char *(*strerror)(CURLcode code);
	struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
} api;

const char *fetch_open(void)
{
	void *lib = dlopen("libcurl.so.4", RTLD_NOW);

	if (!lib)
		return "libcurl is not installed (libcurl.so.4 cannot be loaded)";
	/* POSIX lets a data pointer carry a function's address here, ISO C knows no cast for it. */
	*(void **)&api.global_init = dlsym(lib, "curl_global_init");
	*(void **)&api.easy_init = dlsym(lib, "curl_easy_init");
	*(void **)&api.setopt = dlsym(lib, "curl_easy_setopt");
	*(void **)&api.getinfo = dlsym(lib, "curl_easy_getinfo");
	*(void **)&api.perform = dlsym(lib, "curl_easy_perform");
	*(void **)&api.strerror = dlsym(lib, "curl_easy_strerror");
	*(void **)&api.slist_append = dlsym(lib, "curl_slist_append");
	if (!api.global_init || !api.easy_init || !api.setopt || !api.getinfo || !api.perform || !api.strerror || !api.slist_append) {
		dlclose(lib);
		return "libcurl.so.4 lacks functions";
	}
	return NULL;
}

/* One transfer, in the child. */
struct transfer {
	const struct fetch_request *request;
	struct fetch_answer *answer;
	CURL *easy;
	int fd;				/* where the list's bytes go; -1: into answer->signature */
	size_t taken, rest;
	bool too_large;
	char why[CURL_ERROR_SIZE];
	char next[URL_MAX];		/* where a redirect leads */
};

static long status_of(const struct transfer *t)
{
	long status = 0;

	api.getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t take_body(char *p, size_t one, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = one * n;

	if (status_of(t) != 200) {
		t->rest += len;
		return t->rest <= REST_MAX ? len : 0;
	}
	t->too_large = len > (t->fd < 0 ? sizeof(t->answer->signature) : t->request->size_max) - t->taken;
	if (t->too_large)
		return 0;
	if (t->fd < 0)
		memcpy(t->answer->signature + t->taken, p, len);
	for (size_t done = 0; t->fd >= 0 && done < len;) {
		struct record r = { RECORD_DATA, (unsigned)(len - done < RECORD_MAX ? len - done : RECORD_MAX) };

		child_say(t->fd, &r, sizeof(r));
		child_say(t->fd, p + done, r.len);
		done += r.len;
	}
	t->taken += len;
	return len;
}

/* Copies a header's value if this is that header and the value is printable and fits; a longer one counts as none. */
static void take_value(const char *line, size_t len, const char *name, char *to, size_t size)
{
	size_t skip = strlen(name);

	if (len < skip || strncasecmp(line, name, skip))
		return;
	while (skip < len && (line[skip] == ' ' || line[skip] == '\t'))
		skip++;
	while (len > skip && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	if (len - skip >= size)
		return;
	memcpy(to, line + skip, len - skip);
	to[len - skip] = '\0';
}

static size_t take_header(char *line, size_t one, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = one * n;

	/* Only the last answer's count, not those of redirects. */
	if (len > 5 && !strncasecmp(line, "HTTP/", 5))
		t->answer->etag[0] = t->answer->last_modified[0] = '\0';
	take_value(line, len, "ETag:", t->answer->etag, sizeof(t->answer->etag));
	take_value(line, len, "Last-Modified:", t->answer->last_modified, sizeof(t->answer->last_modified));
	return len;
}

static void set_protocols(CURL *easy, bool http_too)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	api.setopt(easy, CURLOPT_PROTOCOLS_STR, http_too ? "http,https" : "https");
#else
	api.setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTPS | (http_too ? CURLPROTO_HTTP : 0)));
#endif
}

static void set_trust(const struct transfer *t)
{
	struct curl_blob blob = { (void *)t->request->ca, t->request->ca_len, CURL_BLOB_COPY };

	api.setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 1L);
	api.setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (!t->request->ca)
		return;
	/* Ours alone, not the system's besides. */
	api.setopt(t->easy, CURLOPT_CAPATH, NULL);
	api.setopt(t->easy, CURLOPT_CAINFO, NULL);
	api.setopt(t->easy, CURLOPT_CAINFO_BLOB, &blob);
}

static void set_conditions(const struct transfer *t)
{
	const struct fetch_request *r = t->request;
	char line[FETCH_ETAG_MAX + 32];
	struct curl_slist *headers = NULL;

	if (*r->etag) {
		snprintf(line, sizeof(line), "If-None-Match: %s", r->etag);
		headers = api.slist_append(headers, line);
	}
	if (*r->last_modified) {
		snprintf(line, sizeof(line), "If-Modified-Since: %s", r->last_modified);
		headers = api.slist_append(headers, line);
	}
	api.setopt(t->easy, CURLOPT_HTTPHEADER, headers);
}

/* `left_ms` for this request. */
static void set_up(struct transfer *t, const char *url, long left_ms)
{
	CURL *easy = t->easy;

	api.setopt(easy, CURLOPT_URL, url);
	set_protocols(easy, !strncasecmp(url, "http://", 7));
	set_trust(t);
	api.setopt(easy, CURLOPT_ERRORBUFFER, t->why);
	api.setopt(easy, CURLOPT_NOSIGNAL, 1L);
	api.setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	api.setopt(easy, CURLOPT_TIMEOUT_MS, left_ms);
	api.setopt(easy, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	api.setopt(easy, CURLOPT_LOW_SPEED_TIME, SLOW_S);
	api.setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	api.setopt(easy, CURLOPT_PROXY, "");	/* whatever the environment says */
	api.setopt(easy, CURLOPT_USERAGENT, "minewall/" MINEWALL_VERSION);
	api.setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	api.setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	api.setopt(easy, CURLOPT_WRITEDATA, t);
	api.setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	api.setopt(easy, CURLOPT_HEADERDATA, t);
	if (t->fd >= 0)
		set_conditions(t);
}

#define FAIL(t, ...) (snprintf((t)->answer->why, sizeof((t)->answer->why), __VA_ARGS__), -1)

/* The status of the answer, or -1 with `why`. */
static long request_once(struct transfer *t, const char *url, long left_ms)
{
	CURLcode code;
	const char *next = NULL;
	long status;

	if (left_ms <= 0)
		return FAIL(t, "no answer within %u s", t->request->timeout_s);
	t->rest = 0;
	t->why[0] = t->next[0] = '\0';
	set_up(t, url, left_ms);
	code = api.perform(t->easy);
	status = status_of(t);
	if (t->too_large && t->fd < 0)
		return FAIL(t, "it is too large, expected at most %zu bytes", sizeof(t->answer->signature));
	if (t->too_large)
		return FAIL(t, "it is too large, expected at most %zu MiB", t->request->size_max >> 20);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return FAIL(t, "it did not come within %u s", t->request->timeout_s);
	/* An error page is not read to its end. */
	if (code && !(code == CURLE_WRITE_ERROR && status >= 300))
		return FAIL(t, "%s", *t->why ? t->why : api.strerror(code));
	api.getinfo(t->easy, CURLINFO_REDIRECT_URL, &next);
	if (next && strlen(next) < sizeof(t->next))
		snprintf(t->next, sizeof(t->next), "%s", next);
	return status;
}

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Follows redirects. The last status, 200 or 304, or -1 with `why`. */
static long request(struct transfer *t, const char *first, long long until_ms)
{
	char url[URL_MAX];

	snprintf(url, sizeof(url), "%s", first);
	for (int i = 0; i <= REDIRECTS_MAX; i++) {
		long status = request_once(t, url, (long)(until_ms - child_now_ms()));

		if (status < 0 || status == 200 || (status == 304 && t->fd >= 0 && (*t->request->etag || *t->request->last_modified)))
			return status;
		if (!is_redirect(status))
			return FAIL(t, "the server says HTTP %ld", status);
		if (!*t->next)
			return FAIL(t, "a redirect (HTTP %ld) that leads nowhere", status);
		if (!strncasecmp(url, "https://", 8) && strncasecmp(t->next, "https://", 8))
			return FAIL(t, "a redirect leads away from https");
		snprintf(url, sizeof(url), "%s", t->next);
	}
	return FAIL(t, "over %d redirects", REDIRECTS_MAX);
}

static void fetch_both(struct transfer *t)
{
	const struct fetch_request *r = t->request;
	long long until_ms = child_now_ms() + (long long)r->timeout_s * 1000;
	char etag[FETCH_ETAG_MAX], last_modified[FETCH_DATE_MAX], why[FETCH_WHY_MAX];
	long status = request(t, r->url, until_ms);

	if (status < 0)
		return;
	if (status == 304 || !r->signature_url) {
		t->answer->what = status == 304 ? FETCH_SAME : FETCH_NEW;
		return;
	}
	memcpy(etag, t->answer->etag, sizeof(etag));
	memcpy(last_modified, t->answer->last_modified, sizeof(last_modified));
	t->fd = -1;
	t->taken = 0;
	api.setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
	if (request(t, r->signature_url, until_ms) < 0) {
		memcpy(why, t->answer->why, sizeof(why));
		snprintf(t->answer->why, sizeof(t->answer->why), "its signature: %.300s", why);
		return;
	}
	memcpy(t->answer->etag, etag, sizeof(etag));
	memcpy(t->answer->last_modified, last_modified, sizeof(last_modified));
	t->answer->signature_len = t->taken;
	t->answer->what = FETCH_NEW;
}

static void work(int fd, void *arg)
{
	struct fetch_answer answer = { .what = FETCH_FAILED, .why = "libcurl cannot be started" };
	struct transfer t = { .request = arg, .answer = &answer, .fd = fd };
	struct record end = { RECORD_END, sizeof(answer) };

	t.easy = api.global_init(CURL_GLOBAL_DEFAULT) ? NULL : api.easy_init();
	if (t.easy)
		fetch_both(&t);
	child_say(fd, &end, sizeof(end));
	child_say(fd, &answer, sizeof(answer));
}

/* Printable ASCII with an end, whatever the child wrote. */
static void clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

/* Room for `need` bytes, `most` in the end. */
static int grow(char **text, size_t *room, size_t need, size_t most)
{
	size_t more = *room ? *room : 65536;
	char *bigger;

	while (more < need)
		more *= 2;
	more = more > most ? most : more;
	bigger = more == *room ? *text : realloc(*text, more);
	if (!bigger)
		return -ENOMEM;
	*text = bigger;
	*room = more;
	return 0;
}

static int hear(const struct child *c, const struct fetch_request *request, struct fetch_answer *answer, char **text, size_t *len)
{
	long long until_ms = child_now_ms() + (long long)request->timeout_s * 1000 + GRACE_MS;
	size_t room = 0;
	struct record r;
	int err;

	for (;;) {
		err = child_hear(c, &r, sizeof(r), until_ms);
		if (err)
			return err;
		if (r.what == RECORD_END && r.len == sizeof(*answer))
			return child_hear(c, answer, sizeof(*answer), until_ms);
		if (r.what != RECORD_DATA || r.len > RECORD_MAX || r.len > request->size_max - *len)
			return -EBADMSG;
		err = grow(text, &room, *len + r.len + 1, request->size_max + 1);
		if (!err)
			err = child_hear(c, *text + *len, r.len, until_ms);
		if (err)
			return err;
		*len += r.len;
		(*text)[*len] = '\0';
	}
}

static void failed(struct fetch_answer *answer, const char *why)
{
	answer->what = FETCH_FAILED;
	snprintf(answer->why, sizeof(answer->why), "%s", why);
}

int fetch_list(const struct fetch_request *request, const struct child_user *user, struct fetch_answer *answer, char **text,
	       size_t *len)
{
	struct child c;
	int err;

	memset(answer, 0, sizeof(*answer));
	*text = NULL;
	*len = 0;
	err = child_start(&c, user, true, work, (void *)request);
	if (err)
		return err;
	err = hear(&c, request, answer, text, len);
	child_end(&c);
	if (err)
		failed(answer, err == -ETIMEDOUT ? "it did not come in time" : err == -ENOMEM ? "not enough memory" :
		       "the process that fetched it ended early");
	clean(answer->why, sizeof(answer->why));
	clean(answer->etag, sizeof(answer->etag));
	clean(answer->last_modified, sizeof(answer->last_modified));
	if (answer->signature_len > sizeof(answer->signature))
		answer->signature_len = 0;
	if (answer->what == FETCH_NEW && !*text)
		failed(answer, "it is empty");
	if (answer->what != FETCH_NEW) {
		free(*text);
		*text = NULL;
	}
	return 0;
}

#else

const char *fetch_open(void)
{
	return "minewall was built without libcurl";
}

int fetch_list(const struct fetch_request *request, const struct child_user *user, struct fetch_answer *answer, char **text,
	       size_t *len)
{
	(void)request;
	(void)user;
	memset(answer, 0, sizeof(*answer));
	snprintf(answer->why, sizeof(answer->why), "%s", fetch_open());
	*text = NULL;
	*len = 0;
	return 0;
}

#endif
