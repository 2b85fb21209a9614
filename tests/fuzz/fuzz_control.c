/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer: arbitrary bytes at the control socket. They go over a real socket through clients_serve and answer; the
 * kernel and the threads behind them are counterfeits at the end of this file, so that nothing here touches a table. Every request that
 * is JSON gets an answer that is JSON, and nothing else is said. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/apply.h"
#include "daemon/clients.h"
#include "daemon/control.h"
#include "daemon/escape.h"
#include "daemon/notify.h"
#include "daemon/quarantine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct daemon d;
static int listening = -1;
static struct clients *clients;
static struct sockaddr_un address = { .sun_family = AF_UNIX };

static void require(bool true_thing)
{
	if (!true_thing)
		abort();
}

static const struct element taught[] = {
	{ .dst = { [10] = 0xff, 0xff, 192, 0, 2, 7 }, .family = 4, .proto = IPPROTO_TCP, .port = 3333, .expires_ms = 60000 },
	{ .src = { 0xfd, [15] = 1 }, .dst = { 0x20, 1, 0xd, 0xb8, [15] = 7 }, .family = 6, .proto = IPPROTO_UDP, .port = 443, .pair = true },
};

static void end(void)
{
	unlink(address.sun_path);
}

static void begin(void)
{
	struct event why = { .named = true, .name = "pool.example", .host = "pool.example", .family = 6 };
	static const uint64_t key[2] = { 1, 2 };

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/minewall-fuzz-%d.sock", (int)getpid());
	unlink(address.sun_path);
	listening = control_listen(address.sun_path, CONTROL_NO_GROUP);
	clients = clients_new(listening);
	d.policy_path = "policy\x1b.yaml";
	d.policy = policy_builtin();
	require(listening >= 0 && clients && d.policy && !atexit(end));
	d.settings = policy_settings(d.policy);
	d.shared.learnt = learnt_new();
	d.shared.blind = blind_new(key);
	require(d.shared.learnt && d.shared.blind);
	learnt_put(d.shared.learnt, &taught[1], &why, 1);
}

/* Who asks may change things every other time. */
static json_t *heed(void *arg, struct client *from, const json_t *request)
{
	unsigned *n = arg;

	require(client_uid(from) == getuid());
	return answer(&d, request, ++*n % 2);
}

/* As the main loop does, until the connection is served or closed. */
static void serve(int client, char *reply, size_t size, size_t *len)
{
	static unsigned n;
	struct pollfd fds[CLIENTS_FDS];
	ssize_t got = -1;

	for (unsigned round = 0; round < 64 && got; round++) {
		clients_poll(clients, fds, 1);
		poll(fds, CLIENTS_FDS, 0);
		clients_serve(clients, fds, 1, heed, &n);
		got = recv(client, reply + *len, size - *len, MSG_DONTWAIT);
		*len += got > 0 ? (size_t)got : 0;
	}
	require(got == 0);
}

static void ask(const uint8_t *data, size_t size)
{
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static char reply[65536];
	size_t len = 0;
	json_t *j;

	require(client >= 0 && !connect(client, (struct sockaddr *)&address, sizeof(address)));
	require(size == 0 || send(client, data, size, MSG_NOSIGNAL) == (ssize_t)size);
	shutdown(client, SHUT_WR);
	serve(client, reply, sizeof(reply), &len);
	if (len) {
		j = json_loadb(reply, len, 0, NULL);
		require(json_is_boolean(json_object_get(j, "ok")));
		escape_json(j);
		json_decref(j);
	}
	close(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (listening < 0)
		begin();
	ask(data, size);
	return 0;
}

/* What asks the kernel or another thread. */

uint64_t daemon_now_s(void) { return 1000; }
void daemon_read_tries(struct daemon *of) { (void)of; }
bool apply_guards(const struct daemon *of) { (void)of; return false; }
bool apply_confirm(struct daemon *of) { return of->fallback != NULL; }
int apply_pause(struct daemon *of, uint64_t for_s) { of->paused_until_s = for_s ? 1000 + for_s : 0; return 0; }

int apply_reload(struct daemon *of, uint64_t confirm_s, struct policy_error *error)
{
	(void)of;
	*error = (struct policy_error){ .kind = POLICY_INVALID, .text = "policy\xff:1:1: broken" };
	return confirm_s % 2 ? -1 : 0;
}

int apply_lists(struct daemon *of, struct policy_error *error) { return apply_reload(of, 1, error); }

/* The target is read as the daemon reads it. */
int apply_allowance(struct daemon *of, const char *what, uint64_t for_s, struct policy_error *error)
{
	struct policy *p = policy_allowing(of->policy, &what, for_s != 0, error);
	int err = p ? 0 : -1;

	policy_free(p);
	return err;
}

struct element *apply_elements(struct daemon *of, size_t *n)
{
	struct element *all = malloc(sizeof(taught));

	(void)of;
	require(all);
	*n = sizeof(taught) / sizeof(taught[0]);
	memcpy(all, taught, sizeof(taught));
	return all;
}

int table_delete(struct table *t, const struct element *elements, size_t n, size_t *deleted)
{
	(void)t;
	require(n && elements->family);
	*deleted = n;
	return 0;
}

int table_counters(struct table *t, struct table_counters *out) { (void)t; (void)out; return 0; }
const char *table_queue_kind(const struct table *t) { (void)t; return "none"; }
json_t *fleet_json(struct daemon *of, bool whole) { (void)of; return whole ? json_object() : NULL; }
void fleet_unblocked(struct daemon *of, const struct element *e) { (void)of; require(e->family); }
json_t *quarantine_json(const struct daemon *of) { (void)of; return json_object(); }
json_t *quarantine_answer(struct daemon *of, const json_t *request) { (void)of; (void)request; return json_pack("{s:b}", "ok", true); }
void notify_reloading(const struct notify *n) { (void)n; }
void daemon_ready(const struct daemon *of) { (void)of; }
json_t *confine_json(void) { return json_object(); }
json_t *listwatch_old(const struct daemon *of) { (void)of; return json_array(); }
json_t *listwatch_answer(const struct daemon *of) { (void)of; return json_pack("{s:b}", "ok", true); }
uint64_t adder_failed(const struct adder *a) { (void)a; return 0; }
uint64_t event_log_lost(const struct event_log *log) { (void)log; return 0; }
void event_log_flush(struct event_log *log) { (void)log; }
uint64_t reporter_lost(const struct reporter *r) { (void)r; return 0; }
uint64_t ring_lost(struct ring *r) { (void)r; return 0; }
uint64_t watchdog_releases(const struct watchdog *w) { (void)w; return 0; }
const struct worker_counters *worker_counters(const struct worker *w) { (void)w; return NULL; }
uint16_t queue_number(const struct queue *q) { (void)q; return 0; }
int queue_losses_read(int fd, uint16_t number, struct queue_losses *out) { (void)fd; (void)number; (void)out; return 0; }
