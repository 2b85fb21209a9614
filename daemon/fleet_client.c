/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libmosquitto, loaded by the process that uses it. Its loop is ours, but a connection with properties is made only while one waits, for
 * a resolver, a far end and a handshake: that happens in a thread, which has the library for itself meanwhile. */
#include "daemon/fleet_client.h"

#include <errno.h>

#ifdef HAVE_FLEET

#include <dlfcn.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEPALIVE_S 20
/* The broker keeps what we missed for so long. */
#define SESSION_S 86400u
/* Messages that the broker may send before we have answered the first. */
#define RECEIVE_MAX 1000
/* From the first byte to the broker's answer. A thread that waits longer is woken. */
#define CONNECT_MS 15000
#define PAUSE_FIRST_MS 1000
#define PAUSE_MAX_MS 60000
#define MISC_EVERY_MS 1000
/* At the end. */
#define GOODBYE_MS 500

static struct {
	__typeof__(mosquitto_lib_init) *init;
	__typeof__(mosquitto_new) *new;
	__typeof__(mosquitto_destroy) *destroy;
	__typeof__(mosquitto_int_option) *option;
	__typeof__(mosquitto_tls_set) *tls;
	__typeof__(mosquitto_will_set_v5) *will;
	__typeof__(mosquitto_connect_bind_v5) *connect;
	__typeof__(mosquitto_disconnect_v5) *disconnect;
	__typeof__(mosquitto_publish_v5) *publish;
	__typeof__(mosquitto_subscribe_multiple) *subscribe;
	__typeof__(mosquitto_loop_read) *read;
	__typeof__(mosquitto_loop_write) *write;
	__typeof__(mosquitto_loop_misc) *misc;
	__typeof__(mosquitto_want_write) *wants_write;
	__typeof__(mosquitto_socket) *socket;
	__typeof__(mosquitto_connect_v5_callback_set) *on_connect;
	__typeof__(mosquitto_disconnect_v5_callback_set) *on_disconnect;
	__typeof__(mosquitto_message_v5_callback_set) *on_message;
	__typeof__(mosquitto_publish_v5_callback_set) *on_publish;
	__typeof__(mosquitto_subscribe_v5_callback_set) *on_subscribe;
	__typeof__(mosquitto_property_add_int32) *property;
	__typeof__(mosquitto_property_free_all) *free_properties;
	__typeof__(mosquitto_strerror) *error;
	__typeof__(mosquitto_reason_string) *reason;
} api;

enum state { AWAY, PAUSED, CONNECTING, WAITING, THERE };	/* WAITING: for the broker's answer */

struct fleet_client {
	struct fleet_client_calls calls;
	void *arg;
	struct fleet_client_target target;
	struct mosquitto *mosq;
	enum state state;
	bool again;			/* drop this connection, and make one to the target that is new */
	int64_t due_ms;			/* end of a pause, or of patience */
	int64_t misc_ms, now_ms;
	unsigned pause_ms;
	pthread_t thread;
	int done;			/* the thread's word that it has ended */
	int result;
	unsigned on_way;		/* published, and not answered yet */
};

int fleet_client_load(void)
{
	static const struct {
		void *to;
		const char *name;
	} wanted[] = {
		{ &api.init, "mosquitto_lib_init" }, { &api.new, "mosquitto_new" }, { &api.destroy, "mosquitto_destroy" },
		{ &api.option, "mosquitto_int_option" }, { &api.tls, "mosquitto_tls_set" }, { &api.will, "mosquitto_will_set_v5" },
		{ &api.connect, "mosquitto_connect_bind_v5" }, { &api.disconnect, "mosquitto_disconnect_v5" },
		{ &api.publish, "mosquitto_publish_v5" }, { &api.subscribe, "mosquitto_subscribe_multiple" },
		{ &api.read, "mosquitto_loop_read" }, { &api.write, "mosquitto_loop_write" }, { &api.misc, "mosquitto_loop_misc" },
		{ &api.wants_write, "mosquitto_want_write" }, { &api.socket, "mosquitto_socket" },
		{ &api.on_connect, "mosquitto_connect_v5_callback_set" }, { &api.on_disconnect, "mosquitto_disconnect_v5_callback_set" },
		{ &api.on_message, "mosquitto_message_v5_callback_set" }, { &api.on_publish, "mosquitto_publish_v5_callback_set" },
		{ &api.on_subscribe, "mosquitto_subscribe_v5_callback_set" }, { &api.property, "mosquitto_property_add_int32" },
		{ &api.free_properties, "mosquitto_property_free_all" }, { &api.error, "mosquitto_strerror" },
		{ &api.reason, "mosquitto_reason_string" },
	};
	void *lib = dlopen("libmosquitto.so.1", RTLD_NOW);

	if (!lib)
		return -ELIBACC;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*(void **)wanted[i].to = dlsym(lib, wanted[i].name);
		if (!*(void **)wanted[i].to)
			return -ELIBBAD;
	}
	return api.init() == MOSQ_ERR_SUCCESS ? 0 : -EIO;
}

/* A signal only has to end what the thread waits in. */
static void woken(int number)
{
	(void)number;
}

struct fleet_client *fleet_client_new(const struct fleet_client_calls *calls, void *arg)
{
	struct sigaction act = { .sa_handler = woken };
	struct fleet_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->calls = *calls;
	c->arg = arg;
	c->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->done < 0 || sigaction(SIGUSR1, &act, NULL)) {
		free(c);
		return NULL;
	}
	return c;
}

/* ---- pauses ---- */

/* Half of the pause and up to as much again: a thousand gateways do not come back in the same moment. */
static void pause_now(struct fleet_client *c)
{
	uint32_t chance = 0;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != sizeof(chance))
		chance = (uint32_t)c->now_ms;
	c->pause_ms = !c->pause_ms ? PAUSE_FIRST_MS : c->pause_ms >= PAUSE_MAX_MS / 2 ? PAUSE_MAX_MS : c->pause_ms * 2;
	c->due_ms = c->now_ms + c->pause_ms / 2 + chance % c->pause_ms;
	c->state = PAUSED;
}

static void end(struct fleet_client *c, const char *why)
{
	if (c->mosq)
		api.destroy(c->mosq);
	c->mosq = NULL;
	c->on_way = 0;
	pause_now(c);
	c->calls.lost(c->arg, why);
}

/* ---- what the library calls ---- */

static void on_connect(struct mosquitto *mosq, void *arg, int code, int flags, const mosquitto_property *properties)
{
	struct fleet_client *c = arg;

	(void)mosq;
	(void)properties;
	c->result = code;
	if (code)
		return;
	c->state = THERE;
	c->pause_ms = 0;
	c->target.clean = false;
	c->calls.connected(c->arg, flags & 1);
}

static void on_disconnect(struct mosquitto *mosq, void *arg, int code, const mosquitto_property *properties)
{
	struct fleet_client *c = arg;

	(void)mosq;
	(void)properties;
	if (!c->result)
		c->result = code;
}

static void on_message(struct mosquitto *mosq, void *arg, const struct mosquitto_message *m, const mosquitto_property *properties)
{
	struct fleet_client *c = arg;

	(void)mosq;
	(void)properties;
	c->calls.message(c->arg, m->topic, m->payload, (size_t)m->payloadlen, m->retain);
}

static void on_publish(struct mosquitto *mosq, void *arg, int id, int code, const mosquitto_property *properties)
{
	struct fleet_client *c = arg;

	(void)mosq;
	(void)properties;
	if (c->on_way)
		c->on_way--;
	c->calls.published(c->arg, id, code < 128);
}

static void on_subscribe(struct mosquitto *mosq, void *arg, int id, int n, const int *granted, const mosquitto_property *properties)
{
	struct fleet_client *c = arg;

	(void)mosq;
	(void)id;
	(void)n;
	(void)granted;
	(void)properties;
	c->calls.subscribed(c->arg);
}

/* ---- connecting ---- */

static void *connect_in_thread(void *arg)
{
	struct fleet_client *c = arg;
	mosquitto_property *properties = NULL;

	api.property(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, SESSION_S);
	c->result = api.connect(c->mosq, c->target.host, c->target.port, KEEPALIVE_S, NULL, properties);
	if (c->result == MOSQ_ERR_ERRNO)
		c->result = -errno;
	api.free_properties(&properties);
	eventfd_write(c->done, 1);
	return NULL;
}

static int prepare(struct fleet_client *c)
{
	const struct fleet_client_target *t = &c->target;
	int err;

	c->mosq = api.new(t->id, t->clean, c);
	if (!c->mosq)
		return MOSQ_ERR_NOMEM;
	api.option(c->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	api.option(c->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, RECEIVE_MAX);
	api.option(c->mosq, MOSQ_OPT_TCP_NODELAY, 1);
	api.on_connect(c->mosq, on_connect);
	api.on_disconnect(c->mosq, on_disconnect);
	api.on_message(c->mosq, on_message);
	api.on_publish(c->mosq, on_publish);
	api.on_subscribe(c->mosq, on_subscribe);
	err = api.will(c->mosq, t->topic, (int)strlen(t->will), t->will, 1, true, NULL);
	if (!err && *t->ca)
		err = api.tls(c->mosq, t->ca, NULL, t->certificate, t->key, NULL);
	return err;
}

/* Reasons are one table up to 127, errors of the library another, and a thread's errno is negative. */
static const char *text_of(int result)
{
	return result < 0 ? strerror(-result) : result >= 128 ? api.reason(result) : result == MOSQ_ERR_SUCCESS ? "it was closed" :
	       api.error(result);
}

static void begin(struct fleet_client *c)
{
	int err = prepare(c);
	sigset_t all, before;

	c->again = false;
	if (err) {
		end(c, text_of(err));
		return;
	}
	/* signals are the loop's, but the one that wakes it */
	sigfillset(&all);
	sigdelset(&all, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&c->thread, NULL, connect_in_thread, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		end(c, text_of(-err));
		return;
	}
	c->state = CONNECTING;
	c->due_ms = c->now_ms + CONNECT_MS;
}

static void thread_done(struct fleet_client *c)
{
	eventfd_t n;

	eventfd_read(c->done, &n);
	pthread_join(c->thread, NULL);
	if (c->result) {
		end(c, text_of(c->result));
		return;
	}
	c->state = WAITING;
	c->due_ms = c->now_ms + CONNECT_MS;
}

/* ---- from outside ---- */

void fleet_client_start(struct fleet_client *c, const struct fleet_client_target *target)
{
	c->target = *target;
	c->again = true;
	c->pause_ms = 0;
	if (c->state == AWAY || c->state == PAUSED) {
		c->state = PAUSED;
		c->due_ms = 0;
	}
}

static void wait_for_thread(struct fleet_client *c)
{
	pthread_kill(c->thread, SIGUSR1);
	pthread_join(c->thread, NULL);
}

static void flush(struct fleet_client *c)
{
	for (int ms = 0; ms < GOODBYE_MS && api.socket(c->mosq) >= 0; ms += 10) {
		struct pollfd p = { .fd = api.socket(c->mosq), .events = (short)(POLLIN | (api.wants_write(c->mosq) ? POLLOUT : 0)) };

		if (!c->on_way && !api.wants_write(c->mosq))
			return;
		if (poll(&p, 1, 10) > 0 && ((p.revents & POLLIN && api.read(c->mosq, 1)) || (p.revents & POLLOUT && api.write(c->mosq, 1))))
			return;
	}
}

void fleet_client_stop(struct fleet_client *c)
{
	if (!c)
		return;
	if (c->state == CONNECTING)
		wait_for_thread(c);
	if (c->state == THERE) {
		flush(c);
		api.disconnect(c->mosq, 0, NULL);
	}
	if (c->mosq)
		api.destroy(c->mosq);
	c->mosq = NULL;
	c->on_way = 0;
	c->state = AWAY;
}

bool fleet_client_connected(const struct fleet_client *c)
{
	return c->state == THERE;
}

bool fleet_client_busy(const struct fleet_client *c)
{
	return c->on_way >= 100;
}

bool fleet_client_peer(const struct fleet_client *c, uint8_t address[16], uint16_t *port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} peer;
	socklen_t len = sizeof(peer);

	memset(&peer, 0, sizeof(peer));
	if (c->state != THERE || getpeername(api.socket(c->mosq), &peer.any, &len))
		return false;
	memset(address, 0, 16);
	if (peer.any.sa_family == AF_INET) {
		memset(address + 10, 0xff, 2);
		memcpy(address + 12, &peer.four.sin_addr, 4);
		*port = ntohs(peer.four.sin_port);
	} else {
		memcpy(address, &peer.six.sin6_addr, 16);
		*port = ntohs(peer.six.sin6_port);
	}
	return true;
}

int fleet_client_publish(struct fleet_client *c, const char *topic, const char *payload, size_t len, uint32_t life_s)
{
	mosquitto_property *properties = NULL;
	int id = -1, err;

	if (c->state != THERE)
		return -1;
	if (life_s)
		api.property(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, life_s);
	err = api.publish(c->mosq, &id, topic, (int)len, payload, 1, true, properties);
	api.free_properties(&properties);
	if (err)
		return -1;
	c->on_way++;
	return id;
}

int fleet_client_subscribe(struct fleet_client *c, const char *const *topics, int n)
{
	return c->state == THERE && api.subscribe(c->mosq, NULL, n, (char *const *)topics, 1, 0, NULL) == MOSQ_ERR_SUCCESS ? 0 : -EIO;
}

struct pollfd fleet_client_poll(const struct fleet_client *c)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };

	if (c->state == CONNECTING)
		p.fd = c->done;
	else if (c->mosq)
		p.fd = api.socket(c->mosq);
	if (c->mosq && c->state != CONNECTING && api.wants_write(c->mosq))
		p.events |= POLLOUT;
	return p;
}

int fleet_client_due_ms(const struct fleet_client *c, int64_t now_ms)
{
	int64_t at = c->state == AWAY ? -1 : c->state == THERE ? c->misc_ms + MISC_EVERY_MS : c->due_ms;

	if (c->again && c->state != CONNECTING)
		return 0;
	return at < 0 ? -1 : at <= now_ms ? 0 : (int)(at - now_ms);
}

static void run_socket(struct fleet_client *c, short events)
{
	int err = MOSQ_ERR_SUCCESS;

	c->result = 0;
	if (events & (POLLIN | POLLERR | POLLHUP))
		err = api.read(c->mosq, 1);
	if (!err && events & POLLOUT)
		err = api.write(c->mosq, 1);
	if (!err && c->now_ms - c->misc_ms >= MISC_EVERY_MS) {
		c->misc_ms = c->now_ms;
		err = api.misc(c->mosq);
	}
	if (c->result > 0 || err || api.socket(c->mosq) < 0)
		end(c, text_of(c->result > 0 ? c->result : err));
	else if (c->state == WAITING && c->now_ms >= c->due_ms)
		end(c, "it does not answer");
}

void fleet_client_run(struct fleet_client *c, short events, int64_t now_ms)
{
	c->now_ms = now_ms;
	if (c->state == CONNECTING && !events && now_ms >= c->due_ms) {
		c->due_ms = now_ms + MISC_EVERY_MS;
		pthread_kill(c->thread, SIGUSR1);
	}
	if (c->state == CONNECTING) {
		if (events)
			thread_done(c);
		return;
	}
	if (c->again && c->mosq) {	/* the target has changed */
		fleet_client_stop(c);
		c->state = PAUSED;
		c->due_ms = 0;
		c->calls.lost(c->arg, "");
	}
	if (c->state == PAUSED && now_ms >= c->due_ms)
		begin(c);
	else if (c->mosq)
		run_socket(c, events);
}

#else

int fleet_client_load(void)
{
	return -ENOSYS;
}

struct fleet_client *fleet_client_new(const struct fleet_client_calls *calls, void *arg)
{
	(void)calls;
	(void)arg;
	return NULL;
}

#endif
