/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One finding as a value, its JSON line as a Suricata EVE reader understands it, and the writer of the log.
 * Wallets and logins enter only as a keyed hash unless the policy says otherwise. */
#ifndef MINEWALL_EVENT_H
#define MINEWALL_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "daemon/pipeline.h"
#include "inspect/ja4.h"

/* Longest of each text, in bytes with the NUL; longer ones are cut. A host name has at most 253 bytes. */
#define EVENT_NAME_MAX 260
#define EVENT_TEXT_MAX 128
#define EVENT_HASH_MAX 33
#define EVENT_FLEET_MAX 256

struct event {
	/* Not empty: no finding, but a word about the daemon itself, such as a gap in the protection; `name` has the detail,
	 * `count` the seconds in which nobody judged (0: it is not about that), and all else but the time is unused. */
	char note[EVENT_TEXT_MAX];
	struct timespec when;		/* CLOCK_REALTIME, or the capture's time */
	bool blocked;			/* false: allowed (mode or detector says monitor) */
	enum evidence evidence;
	enum reason reason;		/* REASON_CONTRADICTION: dropped without mining evidence */
	enum app app;
	enum mining_kind kind;
	enum carrier carrier;		/* of protocol evidence */
	struct subject subject;
	uint8_t family;
	bool older;
	bool named;
	enum name_kind name_kind;
	char name[EVENT_NAME_MAX];	/* as sent, escaped */
	char host[EVENT_NAME_MAX];	/* its host alone */
	uint16_t tls_version;
	uint32_t quic_version;
	char ja4[JA4_TEXT];		/* of the ClientHello, if there was one */
	char dialect[EVENT_TEXT_MAX], method[EVENT_TEXT_MAX], agent[EVENT_TEXT_MAX], algo[EVENT_TEXT_MAX];
	char worker[EVENT_TEXT_MAX];
	char login[EVENT_HASH_MAX];	/* hash, hex */
	char login_clear[EVENT_TEXT_MAX];	/* only if the policy wants it */
	char list[EVENT_TEXT_MAX], entry[EVENT_NAME_MAX], rule[EVENT_TEXT_MAX];
	char fleet[EVENT_FLEET_MAX];	/* the gateways that saw it, by comma; "": our own traffic showed it */
	unsigned line;
	bool telltale;			/* a name that only a miner asks for */
	uint32_t repeats;		/* DNS: the same finding, counted since the last event about it */
	bool hygiene;			/* a service that has no business outside; no address of destination */
	uint32_t generation;		/* of the policy that judged; 0: not a daemon's */
	unsigned marks;			/* EVIDENCE_SCORE: the signs, as bits (daemon/watch.h) */
	enum scope learned;		/* SCOPE_PAIR or SCOPE_ENDPOINT: taught to the kernel; else FLOW */
	uint64_t count;			/* attempts that the kernel stopped by itself; 0: this is a judged one */
	uint8_t mac[6];
	bool mac_known;
};

/* Bytes from the wire as text (ESCAPE_WIRE). Always ends with a NUL; returns its length. */
size_t event_escape(char *out, size_t size, const uint8_t *bytes, size_t len);

/* Fills an event from an outcome that says `event`; `packet` may be NULL. `key` (32 bytes) hashes the login; NULL leaves it out. */
void event_fill(struct event *e, const struct outcome *o, const struct packet *packet, const uint8_t *key, bool clear);

/* Makes a note of now. */
void event_note(struct event *e, const char *what, const char *detail);

/* New reference; NULL: no memory. */
json_t *event_json(const struct event *e);

/* RFC 3339 with offset and microseconds, local time. */
void event_time(char *out, size_t size, const struct timespec *when);

/* Is the host `name` the name `above` or one below it? Any case. */
bool event_name_below(const char *name, const char *above);

/* "udp", "tcp" as EVE writes it ("TCP"), and an address as inet_ntop prints it. */
const char *event_proto(uint8_t proto);
void event_address(char *out, size_t size, const uint8_t address[16], uint8_t family);

/* Makes or reads the 32-byte key file (0600). 0 or -errno. */
int event_key(const char *path, uint8_t key[32]);

/* The log file (daemon/event_log.c). Writing never fails the caller: what could not be written is counted. */
struct event_log;
int event_log_open(struct event_log **log, const char *path);
/* Writes what is held back, and waits for what is being compressed. */
void event_log_close(struct event_log *log);
void event_log_write(struct event_log *log, const struct event *e);
/* Every line besides goes to `tee`, whether the file took it or not; with its length, without its end of line. */
void event_log_tee(struct event_log *log, void (*tee)(void *arg, const char *line, size_t len), void *arg);
/* After rotation: opens the path anew. */
int event_log_reopen(struct event_log *log);
uint64_t event_log_lost(const struct event_log *log);

/* How much the log may be, from the policy; {0}, as after event_log_open: it grows, and each line is written at once. */
struct event_log_limits {
	uint64_t size;		/* bytes from which a file is put aside; 0: never */
	uint32_t keep;		/* files put aside, at most */
	uint32_t days;		/* those that were last written longer ago go; 0: none */
	uint64_t budget;	/* bytes of all files together; 0: no bound */
	uint32_t buffer_s;	/* lines are held back for so long, and written together */
};

/* As the policy's `log:` says. */
struct event_log_limits event_log_limits(const struct settings *s);

/* Call every few seconds: writes what is due, puts files aside and away. `mono_s` and `now_s` are CLOCK_MONOTONIC and CLOCK_REALTIME. */
void event_log_tick(struct event_log *log, const struct event_log_limits *limits, uint64_t mono_s, int64_t now_s);

/* Writes what is held back. */
void event_log_flush(struct event_log *log);

#endif
