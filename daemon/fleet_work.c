/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fleet's process: messages of the broker in, what is confirmed out to the daemon, what the daemon was taught by its own traffic out
 * to the broker. It may wait and fail as it likes: the daemon goes on by what it knows. */
#include "daemon/fleet_work.h"

#ifdef HAVE_FLEET

#include <errno.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "daemon/beside.h"
#include "daemon/fleet_sign.h"
#include "daemon/log.h"
#include "daemon/secret.h"

#define TICK_MS 1000
/* Between two reports; a long one, of a thousand gateways, comes once a second. */
#define REPORT_EVERY_MS 200
#define REPORT_BYTES_A_MS 128
/* The end of the broker's store is its echo of our status; without one, it has ended when nothing more comes. */
#define READING_MS 30000
/* Away for longer than this, the broker may have dropped what it kept for us. */
#define AWAY_MS 600000
/* What was refused as there was too much of it is asked for again. */
#define RATE_AGAIN_MS 600000
#define CLOCK_JUMP_S 30
#define OURS_EVERY_MS 60000
#define OURS_MAX 256
#define MESSAGES_AT_ONCE 256

static struct fleet_work work;

static int64_t mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t wall_s(void)
{
	return (int64_t)time(NULL);
}

/* ---- to the daemon ---- */

/* False: there is no room now. */
static bool say(struct fleet_work *w, char what, const void *bytes, size_t len)
{
	struct iovec parts[] = { { &what, 1 }, { (void *)bytes, len } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	return sendmsg(w->link, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

static void tell_changes(struct fleet_work *w)
{
	struct hint_change c;
	int64_t now = wall_s();

	w->blocked = false;
	while (hints_next(w->hints, now, &c)) {
		struct fleet_lesson l = { .item = { .at = c.at, .left_s = c.until_s > now ? (uint32_t)(c.until_s - now) : 0 } };

		memcpy(l.item.dialect, c.dialect, sizeof(l.item.dialect));
		memcpy(l.gateways, c.gateways, sizeof(l.gateways));
		if (!(c.until_s ? say(w, FLEET_LESSON, &l, sizeof(l)) : say(w, FLEET_FORGET, &l.item, sizeof(l.item)))) {
			w->blocked = true;
			return;
		}
		hints_told(w->hints, &c);
		w->changed = true;
	}
}

static void report(struct fleet_work *w, int64_t now_ms)
{
	size_t len = 0;
	char *text;

	if (!w->changed || now_ms < w->report_ms || w->blocked)
		return;
	text = fleet_report(w, wall_s(), &len);
	w->changed = !text || !say(w, FLEET_REPORT, text, len);
	w->report_ms = now_ms + REPORT_EVERY_MS + (int64_t)len / REPORT_BYTES_A_MS;
	free(text);
}

/* ---- the broker's store ---- */

static void publish_status(struct fleet_work *w)
{
	char topic[sizeof(((struct fleet_client_target *)0)->topic)];

	snprintf(topic, sizeof(topic), "minewall/%s/%s/status", w->settings.policy.site, w->gateway);
	fleet_client_publish(w->client, topic, w->status, strlen(w->status), 0);
}

void fleet_read_store(struct fleet_work *w)
{
	char all[FLEET_NAME_MAX * 2 + 40], states[FLEET_NAME_MAX + 24];
	const char *topics[] = { all, states };

	snprintf(all, sizeof(all), "minewall/%s/%s/endpoint/#", w->settings.policy.site,
		 w->settings.policy.role == FLEET_TEACH ? w->gateway : "+");
	snprintf(states, sizeof(states), "minewall/%s/+/status", w->settings.policy.site);
	w->again_ms = 0;
	if (fleet_client_subscribe(w->client, topics, 2))
		return;
	w->reading = true;
	w->reading_until_ms = mono_ms() + READING_MS;
	fleet_own_reading(w->own);
}

static void store_read(struct fleet_work *w)
{
	w->reading = w->fresh = false;
	w->synced = w->changed = true;
	fleet_own_read(w->own);
}

static void on_connected(void *arg, bool session)
{
	struct fleet_work *w = arg;
	bool away = w->lost_ms && mono_ms() - w->lost_ms > AWAY_MS;

	w->connected_s = wall_s();
	w->changed = true;
	w->error[0] = '\0';
	w->ours_ms = 0;
	snprintf(w->status, sizeof(w->status), "{\"v\":1,\"online\":true,\"since\":%lld}", (long long)w->connected_s);
	if (w->said_lost)
		log_info("fleet: the broker %s is there again", w->settings.policy.host);
	w->said_lost = false;
	w->lost_ms = 0;
	if (session && !away && !w->fresh)
		publish_status(w);
	else
		fleet_read_store(w);
}

/* Behind what is retained, in the broker's line for us. */
static void on_subscribed(void *arg)
{
	publish_status(arg);
}

static void on_lost(void *arg, const char *why)
{
	struct fleet_work *w = arg;

	fleet_own_lost(w->own);
	if (!w->lost_ms) {
		w->lost_ms = mono_ms();
		w->losses += w->connected_s != 0;
	}
	w->fresh |= w->reading;		/* half of it was read */
	w->reading = w->synced = false;
	w->changed = true;
	if (!*why)
		return;
	snprintf(w->error, sizeof(w->error), "%s", why);
	if (!w->said_lost)
		log_info("fleet: the broker %s:%u is not there: %s; what is known goes on, and it is asked again", w->settings.policy.host,
			 w->settings.policy.port, why);
	w->said_lost = true;
}

static void on_published(void *arg, int id, bool taken)
{
	struct fleet_work *w = arg;

	if (fleet_own_answer(w->own, id, taken) && !taken && !w->refused++)
		log_info("fleet: the broker refuses what %s publishes: is `gateway` the name in the certificate, and the ACL right?", w->gateway);
	w->changed = true;
}

/* ---- messages of the broker ---- */

static void note(struct fleet_work *w, enum hint_result result, const struct hint_seen *seen)
{
	struct fleet_log *l = &w->log[w->n_log++ % FLEET_LOG_MAX];

	l->when_s = wall_s();
	l->result = result;
	l->seen = *seen;
	w->changed = true;
}

static void take_status(struct fleet_work *w, const char *gateway, const char *payload, size_t len, bool retained)
{
	json_t *j;

	if (!strcmp(gateway, w->gateway)) {
		if (w->reading && !retained && len == strlen(w->status) && !memcmp(payload, w->status, len))
			store_read(w);
		return;
	}
	j = len && len <= HINT_PAYLOAD_MAX ? json_loadb(payload, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	hints_status(w->hints, gateway, json_is_true(json_object_get(j, "online")),
		     (int64_t)json_integer_value(json_object_get(j, "since")), wall_s());
	json_decref(j);
	w->changed = true;
}

static void on_message(void *arg, const char *topic, const char *payload, size_t len, bool retained)
{
	struct fleet_work *w = arg;
	struct hint_seen seen;
	struct hint own = { 0 };
	enum hint_result is = hints_take(w->hints, topic, payload, len, retained, wall_s(), mono_ms(), &seen);

	if (w->reading && retained)
		w->reading_until_ms = mono_ms() + READING_MS;
	switch (is) {
	case HINT_STATUS:
		take_status(w, seen.gateway, payload, len, retained);
		return;
	case HINT_OWN:
		if (hint_read_payload(payload, len, &own) == HINT_PAYLOAD_GOOD)
			fleet_own_stored(w->own, &seen.at, &own);
		return;
	case HINT_KNOWN:
		return;
	case HINT_RATE:
		if (retained && !w->again_ms)
			w->again_ms = mono_ms() + RATE_AGAIN_MS;
		break;
	default:
		break;
	}
	note(w, is, &seen);
}

/* ---- our own word ---- */

static void publish_own(struct fleet_work *w)
{
	char topic[HINT_TOPIC_MAX], payload[HINT_PAYLOAD_MAX], text[HINT_TEXT_MAX];
	struct hint h;
	bool gone;

	while (fleet_client_connected(w->client) && !w->reading && !fleet_client_busy(w->client) &&
	       fleet_own_next(w->own, wall_s(), &h, &gone)) {
		size_t len = 0;
		int id;

		if (!gone) {
			fleet_sign(h.signature, text, hint_text(text, w->settings.policy.site, w->gateway, &h), w->secret);
			len = hint_write_payload(payload, &h);
		}
		hint_write_topic(topic, w->settings.policy.site, w->gateway, &h.at);
		id = fleet_client_publish(w->client, topic, payload, len, gone ? 0 : (uint32_t)(h.expires - h.issued));
		if (id < 0)
			return;
		fleet_own_sent(w->own, &h, id);
	}
}

/* ---- from the daemon ---- */

static void take_item(struct fleet_work *w, char what, const struct fleet_item *i)
{
	int64_t now = wall_s();

	switch ((enum fleet_message)what) {
	case FLEET_TAUGHT:
		if (fleet_teaches(w) && !hints_private(w->hints, &i->at))
			fleet_own_put(w->own, &i->at, i->dialect, now + (i->left_s < HINTS_LIFE_S ? i->left_s : HINTS_LIFE_S));
		break;
	case FLEET_DROPPED:
		fleet_own_drop(w->own, &i->at);
		break;
	case FLEET_POINTS:
		hints_point(w->hints, &i->at, now);
		break;
	case FLEET_MUTED:
		hints_mute(w->hints, &i->at, now);
		break;
	case FLEET_REFUSED: {
		struct hint_seen seen = { .has_endpoint = true, .at = i->at };

		hints_refuse(w->hints, &i->at, (enum hint_result)i->why);
		if (i->why >= HINT_REFUSED && i->why < HINT_RESULTS)
			note(w, (enum hint_result)i->why, &seen);
		break;
	}
	default:
		break;
	}
}

static void take_items(struct fleet_work *w, char what, const char *bytes, size_t len)
{
	struct fleet_item item;

	for (; len >= sizeof(item); bytes += sizeof(item), len -= sizeof(item)) {
		memcpy(&item, bytes, sizeof(item));
		if (what == FLEET_REMEMBERED) {
			const char *gateways = bytes + sizeof(item), *end = memchr(gateways, '\0', len - sizeof(item));

			if (!end)
				break;
			hints_restore(w->hints, &item.at, item.dialect, gateways, wall_s() + item.left_s, wall_s());
			bytes = end + 1 - sizeof(item);
			len -= (size_t)(end + 1 - gateways);
		} else {
			take_item(w, what, &item);
		}
	}
	w->changed = true;
}

/* False: the daemon is gone. */
static bool heed_link(struct fleet_work *w)
{
	static char bytes[BESIDE_BYTES_MAX];

	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		ssize_t n = recv(w->link, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		if (bytes[0] == FLEET_SETTINGS)
			fleet_settings_take(w, bytes + 1, (size_t)n - 1);
		else if (bytes[0] == FLEET_FIRST)
			fleet_own_first(w->own);
		else if (bytes[0] == FLEET_LAST)
			fleet_own_last(w->own);
		else if (w->has_settings)
			take_items(w, bytes[0], bytes + 1, (size_t)n - 1);
	}
	return true;
}

/* ---- the loop ---- */

/* Bits of a mask of these bytes. */
static unsigned mask_bits(const uint8_t *mask, size_t bytes)
{
	unsigned n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += (unsigned)__builtin_popcount(mask[i]);
	return n;
}

/* The network that an interface is in; where its mask says nothing, the address alone. */
static size_t put_ours(struct hint_network *to, size_t n, const struct ifaddrs *a)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)a->ifa_addr, *four_mask = (const struct sockaddr_in *)a->ifa_netmask;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a->ifa_addr, *six_mask = (const struct sockaddr_in6 *)a->ifa_netmask;
	unsigned bits = 0;

	if (!four || n == OURS_MAX || (four->sin_family != AF_INET && four->sin_family != AF_INET6))
		return n;
	memset(&to[n], 0, sizeof(to[n]));
	if (four->sin_family == AF_INET) {
		memset(to[n].addr + 10, 0xff, 2);
		memcpy(to[n].addr + 12, &four->sin_addr, 4);
		bits = four_mask ? mask_bits((const uint8_t *)&four_mask->sin_addr, 4) : 0;
		to[n].prefix = (uint8_t)(bits ? 96 + bits : 128);
	} else {
		memcpy(to[n].addr, &six->sin6_addr, 16);
		bits = six_mask ? mask_bits((const uint8_t *)&six_mask->sin6_addr, 16) : 0;
		to[n].prefix = (uint8_t)(bits ? bits : 128);
	}
	return n + 1;
}

/* This gateway's networks, where inside hosts may have addresses of the whole world, and the way to the broker: whoever could have these
 * blocked would end more than mining. */
static void find_ours(struct fleet_work *w)
{
	struct hint_network ours[OURS_MAX + 1];
	struct ifaddrs *all = NULL;
	size_t n = 0;

	if (getifaddrs(&all))
		return;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		n = put_ours(ours, n, a);
	freeifaddrs(all);
	memset(&ours[n], 0, sizeof(ours[n]));
	ours[n].prefix = 128;
	n += fleet_client_peer(w->client, ours[n].addr, &ours[n].port);
	hints_ours(w->hints, ours, n);
}

/* Refused as too old or too new by a clock that was wrong: it is judged once more. */
static void heed_clock(struct fleet_work *w, int64_t now_ms)
{
	int64_t skew = wall_s() - now_ms / 1000, jump = skew - w->skew_s;

	w->skew_s = skew;
	if ((jump >= CLOCK_JUMP_S || jump <= -CLOCK_JUMP_S) && fleet_client_connected(w->client))
		fleet_read_store(w);
}

static void tick(struct fleet_work *w, int64_t now_ms)
{
	if (now_ms - w->tick_ms < TICK_MS)
		return;
	w->tick_ms = now_ms;
	heed_clock(w, now_ms);
	if (now_ms - w->ours_ms >= OURS_EVERY_MS || !w->ours_ms) {
		w->ours_ms = now_ms;
		find_ours(w);
	}
	if (w->reading && now_ms >= w->reading_until_ms)
		store_read(w);
	if (w->again_ms && now_ms >= w->again_ms && fleet_client_connected(w->client))
		fleet_read_store(w);
	hints_tick(w->hints, wall_s());
	fleet_own_tick(w->own, wall_s());
}

static bool open_signals(struct fleet_work *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return w->signals >= 0;
}

static bool open_work(struct fleet_work *w)
{
	static const struct fleet_client_calls calls = { on_connected, on_subscribed, on_message, on_published, on_lost };
	uint64_t key[2];
	int err = fleet_client_load();

	if (!err)
		err = fleet_sign_load();
	if (err) {
		log_info("fleet: %s: nothing is learnt from other gateways", err == -ELIBACC ?
			 "libmosquitto.so.1 or libsodium.so.23 is not installed" : "libmosquitto or libsodium is of another version");
		return false;
	}
	if (getrandom(key, sizeof(key), 0) != sizeof(key) || !open_signals(w))
		return false;
	w->hints = hints_new(fleet_sign_verify, key);
	w->own = fleet_own_new(key);
	w->secret = secret_new();
	w->client = fleet_client_new(&calls, w);
	return w->hints && w->own && w->secret && w->client;
}

static void goodbye(struct fleet_work *w)
{
	snprintf(w->status, sizeof(w->status), "{\"v\":1,\"online\":false}");
	if (fleet_client_connected(w->client))
		publish_status(w);
	fleet_client_stop(w->client);
	secret_free(w->secret);
	w->secret = NULL;
	w->has_seed = false;
}

/* Without the libraries there is nothing to do; to end would only have it started again and again. */
static void idle(struct fleet_work *w)
{
	struct pollfd fd = { .fd = w->link, .events = POLLIN };

	while (poll(&fd, 1, -1) >= 0 && heed_link(w))
		;
}

static void loop(struct fleet_work *w)
{
	while (!w->stop) {
		int64_t now = mono_ms();
		int due = fleet_client_due_ms(w->client, now);
		struct pollfd fds[] = { { .fd = w->link, .events = (short)(POLLIN | (w->blocked ? POLLOUT : 0)) },
				       { .fd = w->signals, .events = POLLIN }, fleet_client_poll(w->client) };

		if (w->changed && !w->blocked && (due < 0 || w->report_ms - now < due))
			due = w->report_ms > now ? (int)(w->report_ms - now) : 0;
		if (poll(fds, 3, due >= 0 && due < TICK_MS ? due : TICK_MS) < 0 && errno != EINTR)
			break;
		now = mono_ms();
		if (fds[1].revents)
			break;
		if (fds[0].revents && !heed_link(w))
			break;
		fleet_client_run(w->client, fds[2].revents, now);
		tick(w, now);
		tell_changes(w);
		publish_own(w);
		report(w, now);
	}
}

int fleet_work(int link, const int *fds, const void *arg)
{
	struct fleet_work *w = &work;

	*w = (struct fleet_work) { .link = link, .signals = -1, .fresh = true };
	w->skew_s = wall_s() - mono_ms() / 1000;
	fleet_files_init(&w->files, fds, arg);
	if (!open_work(w)) {
		idle(w);
		return 0;
	}
	say(w, FLEET_HELLO, NULL, 0);
	loop(w);
	goodbye(w);
	fleet_own_free(w->own);
	hints_free(w->hints);
	return 0;
}

#endif
