/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reporter asks and goes on; the process beside it waits for the device. Whom to ask is worked out anew each time, so that a
 * device whose incident is cleaned is not asked once more. */
#include "daemon/load.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/process.h"

/* An answer takes at most two tries of a second and a half for each row; a process that is silent for longer is ended. */
#define PATIENCE_MS 20000

struct question {
	uint32_t who;
	char address[INCIDENT_ADDRESS_MAX];
};

struct reply {
	uint32_t who;
	int load;
};

void load_init(struct load *l)
{
	memset(l, 0, sizeof(*l));
	l->fd = -1;
}

void load_end(struct load *l)
{
	if (l->pid > 0) {
		kill(l->pid, SIGKILL);
		waitpid(l->pid, NULL, 0);
	}
	if (l->fd >= 0)
		close(l->fd);
	l->pid = 0;
	l->fd = -1;
	l->asked = 0;
}

void load_hurry(struct load *l)
{
	l->round_ms = 0;
}

static void work(int fd, const struct reporting *r, pid_t parent)
{
	struct question q;
	int err;

	if (process_keep(&fd, 1) || prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	process_name("mw-snmp");
	err = load_snmp_open();
	while (recv(fd, &q, sizeof(q), 0) == sizeof(q)) {
		struct reply reply = { q.who, err };

		q.address[sizeof(q.address) - 1] = '\0';
		if (!err)
			reply.load = load_snmp_ask(r, q.address);
		if (send(fd, &reply, sizeof(reply), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static int spawn(struct load *l, const struct reporting *r)
{
	pid_t parent = getpid();
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	l->pid = fork();
	if (l->pid == 0)
		work(fds[1], r, parent);
	close(fds[1]);
	l->fd = fds[0];
	if (l->pid > 0)
		return 0;
	load_end(l);
	return -EAGAIN;
}

/* IPv4 first: agents often listen there alone. */
static const char *address_of(const struct incident *i)
{
	for (size_t k = 0; k < INCIDENT_ADDRESSES; k++)
		if (*i->addresses[k] && !strchr(i->addresses[k], ':'))
			return i->addresses[k];
	return i->addresses[0];
}

/* The next one of this round; false: the round is over. */
static bool next(struct load *l, const struct reporting *r, const struct incident_book *b, struct question *q)
{
	const struct incident *found = NULL;

	memset(q, 0, sizeof(*q));
	for (size_t k = 0; k < b->n && l->next < LOAD_HOSTS_FROM; k++)
		if (b->items[k]->id > l->next && b->items[k]->id < LOAD_HOSTS_FROM && b->items[k]->state != INCIDENT_CLEANED &&
		    (!found || b->items[k]->id < found->id))
			found = b->items[k];
	if (found) {
		q->who = l->next = found->id;
		memcpy(q->address, address_of(found), sizeof(q->address));
		return *q->address;
	}
	l->next = l->next < LOAD_HOSTS_FROM ? LOAD_HOSTS_FROM : l->next + 1;
	if (l->next - LOAD_HOSTS_FROM >= r->n_cpu_hosts)
		return false;
	q->who = l->next;
	memcpy(q->address, r->cpu_hosts[l->next - LOAD_HOSTS_FROM], sizeof(r->cpu_hosts[0]));
	return true;
}

static void take(struct load *l, const struct reporting *r, struct incident_book *b, const struct reply *reply, int64_t now_s)
{
	struct reading reading = { .when_s = now_s, .cpu = (uint8_t)reply->load, .gpu = -1 };
	struct load_host *host = reply->who >= LOAD_HOSTS_FROM ? &l->hosts[reply->who - LOAD_HOSTS_FROM] : NULL;
	struct incident *i = host ? NULL : incident_get(b, reply->who);

	if (host) {
		host->busy = reading.cpu >= r->cpu_threshold ? host->busy + 1 : 0;
		host->last = reading;
		host->known = true;
	}
	if (i)
		incident_read_load(i, &reading);
}

void load_seed(const struct load *l, const struct reporting *r, struct incident *i)
{
	for (unsigned h = 0; h < r->n_cpu_hosts; h++)
		for (size_t k = 0; k < INCIDENT_ADDRESSES; k++)
			if (l->hosts[h].known && !strcmp(i->addresses[k], r->cpu_hosts[h])) {
				incident_read_load(i, &l->hosts[h].last);
				return;
			}
}

static bool hear(struct load *l, const struct reporting *r, struct incident_book *b, int64_t now_s)
{
	struct reply reply;
	ssize_t len = l->fd < 0 ? -1 : recv(l->fd, &reply, sizeof(reply), MSG_DONTWAIT);

	if (len == 0) {		/* it died: poll would report this end for ever */
		l->failures += l->asked != 0;
		load_end(l);
	}
	if (len != sizeof(reply) || reply.who != l->asked)
		return false;
	l->asked = 0;
	l->polls++;
	if (reply.load >= 0 && reply.load <= 100) {
		take(l, r, b, &reply, now_s);
		return true;
	}
	l->failures++;
	if ((reply.load == -ELIBACC || reply.load == -ENOSYS) && !l->failed)
		log_info("cpu: %s; no device is asked how busy it is", reply.load == -ENOSYS ? "built without net-snmp" :
			 "libnetsnmp.so.40 is not installed");
	l->failed |= reply.load == -ELIBACC || reply.load == -ENOSYS;
	return false;
}

static bool is_on(const struct reporting *r)
{
	return *r->cpu_community || *r->cpu_user;
}

bool load_tick(struct load *l, const struct reporting *r, struct incident_book *b, int64_t now_ms, int64_t now_s)
{
	struct question q;
	uint32_t left_s;
	bool heard;

	if (!is_on(r) || l->failed)
		return false;
	heard = hear(l, r, b, now_s);
	if (l->asked && now_ms - l->asked_ms > PATIENCE_MS) {
		l->failures++;
		load_end(l);
	}
	if (l->asked)
		return heard;
	if (!l->round && (!l->round_ms || now_ms - l->round_ms >= (int64_t)r->cpu_every_s * 1000) &&
	    (!r->cpu_hours.set || schedule_holds(&r->cpu_hours, now_s, &left_s))) {
		l->round = true;
		l->round_ms = now_ms;
		l->next = 0;
	}
	while (l->round && !l->asked) {
		if (!next(l, r, b, &q)) {
			l->round = l->next - LOAD_HOSTS_FROM < r->n_cpu_hosts;
			continue;
		}
		if ((l->fd < 0 && spawn(l, r)) || send(l->fd, &q, sizeof(q), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			load_end(l);
			l->round = false;
			break;
		}
		l->asked = q.who;
		l->asked_ms = now_ms;
	}
	return heard;
}

int load_due_ms(const struct load *l, const struct reporting *r, int64_t now_ms)
{
	int64_t due;

	if (!is_on(r) || l->failed)
		return -1;
	if (l->asked)
		return PATIENCE_MS;
	due = l->round_ms ? l->round_ms + (int64_t)r->cpu_every_s * 1000 - now_ms : 0;
	/* Outside its hours it looks again each minute. */
	return due > 0 ? (int)due : r->cpu_hours.set ? 60000 : 0;
}
