/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our nftables table `inet minewall`: chains, rules and sets, made in one atomic batch, and the elements in
 * its sets. Speaks addresses and seconds; knows nothing of policies or packets. */
#ifndef MINEWALL_TABLE_H
#define MINEWALL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The flow's state, as a value of the three mark bits (shift it by the mask's lowest bit). */
enum state {
	STATE_OLDER = 0,	/* born before the table, or picked up in the middle */
	STATE_INSPECTING = 1,
	STATE_PENDING = 2,
	STATE_PASS = 3,
	STATE_BLOCKED = 4,
	/* Only ever in the packet mark, between our queue rule and the late chain, so that the reader knows the
	 * direction of an older flow's packet without NFQA_CT: */
	STATE_OLDER_ORIGINAL = 5,
	STATE_OLDER_REPLY = 6,
	STATE_REPLY = 7,	/* a DNS server's answer, whatever state its flow has */
};

/* IPv4 is v4-mapped with prefix + 96. port 0 = any port of TCP and UDP. */
struct table_network {
	uint8_t addr[16];
	uint8_t prefix;
	uint16_t port;
};

/* A service of inside hosts that the outside has no business with. Its new connections are counted in tries4/6 as going to the
 * address 0, so that a host which tries a thousand addresses is one element. */
struct table_service {
	uint8_t proto;
	uint16_t port;
	bool block;		/* else only counted */
};

/* A device that is kept from all but a few addresses, by one of its addresses (IPv4 v4-mapped) or by its MAC. */
struct table_device {
	bool by_mac;
	uint8_t family;
	uint8_t address[16], mac[6];
	uint32_t left_s;	/* not 0 */
};

struct table_config {
	uint32_t mark_mask;		/* three adjacent bits */
	bool forward, output;		/* which hooks */
	const char *const *out;		/* outbound interfaces, NULL-terminated; NULL or empty: all but loopback */
	bool enforce;			/* false: nothing is rejected or dropped */
	bool reset;			/* reject; false: drop in silence */
	bool answers;			/* the daemon answers DNS queries itself, with STATE_PASS in the packet mark: they are not tracked */
	bool bypass;			/* fail-open when nobody listens on the queue */
	uint16_t queue_first, queue_count;
	uint32_t set_size;		/* elements of each learnt set */
	bool owned;			/* nobody else can change the table, where the kernel has that */
	bool guard_offload;		/* new flows get a conntrack helper, which keeps them out of flowtables */
	const char *const *offload;	/* interfaces that are there, NULL-terminated, between which decided TCP flows go fast; NULL: none */
	const struct table_network *exempt;	/* inside hosts */
	size_t n_exempt;
	const struct table_network *allowed;	/* outside addresses */
	size_t n_allowed;
	const struct table_service *services;
	size_t n_services;
	bool quarantine;		/* there may be such devices */
	const struct table_device *quarantined;	/* each once */
	size_t n_quarantined;
	const struct table_network *quarantine_allowed;	/* what they may reach; a port: over TCP and UDP */
	size_t n_quarantine_allowed;
	bool quarantine_names;		/* addresses are admitted later, as DNS answers give them */
};

/* An address that devices in quarantine may reach for a time; IPv4 v4-mapped. */
struct table_admitted {
	uint8_t address[16];
	uint32_t timeout_s;
};

/* At a time, of both families together: some hundred names of update servers with a dozen addresses each are fewer. */
#define TABLE_ADMITTED_MAX 1024

/* One element. Endpoint: `pair` false, src unused. */
struct element {
	uint8_t src[16], dst[16];	/* IPv4 v4-mapped; `family` says which set */
	uint8_t family;			/* 4 or 6 */
	uint8_t proto;			/* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port;			/* host order, of dst */
	bool pair;
	uint32_t timeout_s;		/* when added */
	uint64_t expires_ms;		/* when listed: life left */
	uint64_t packets;		/* when listed: the element's counter */
};

struct table;	/* an open netlink socket and what the kernel can do */

/* What went wrong, one line for the operator that says what to do. */
struct table_error {
	char text[512];
};

/* Opens the netlink socket and probes the kernel: nf_tables, the `queue` expression or the xtables NFQUEUE
 * target, the payload match. -EPERM, -EPROTONOSUPPORT (no nf_tables), -EOPNOTSUPP (no way to queue). */
int table_open(struct table **t, struct table_error *error);
void table_close(struct table *t);

/* "queue" or "xtables NFQUEUE": which way this kernel has. */
const char *table_queue_kind(const struct table *t);

/* Can a table be owned here (Linux 6.9)? */
bool table_can_own(const struct table *t);

/* Asks the kernel for the helpers of guard_offload; it may load modules for them. */
bool table_can_guard(struct table *t);

/* Asks the kernel for a flowtable over these interfaces (`offload` of the configuration); it may load modules. */
bool table_can_offload(struct table *t, const char *const *devices);

/* Replaces the whole table in one batch; elements of the learnt sets that are there go on with the life they have
 * left (`adopted` counts them, may be NULL). Nothing changes on error. An owned table outlives its owner, and then it is everybody's
 * again. -EPERM: it belongs to another process that lives. */
int table_install(struct table *t, const struct table_config *config, size_t *adopted, struct table_error *error);

/* Takes the table away; 0 also if there was none. -EPERM: it belongs to another process that lives. */
int table_remove(struct table *t);

/* 1 there and whole (every chain, rule and set that we made), 0 not, negative errno. */
int table_check(struct table *t);

/* Adds or refreshes (delete and add in one batch). -ENFILE when the set is full: then the elements were retried singly and
 * `*done` says how many are in. Thread-safe. */
int table_add(struct table *t, const struct element *elements, size_t n, size_t *done);

/* Deletes; an element that is not there is no error. `*deleted` counts. Thread-safe. */
int table_delete(struct table *t, const struct element *elements, size_t n, size_t *deleted);

/* Lets devices in quarantine reach these, for so long from now on. A new table has none of them. 0 or -errno. Thread-safe. */
int table_admit(struct table *t, const struct table_admitted *admitted, size_t n);

/* Calls `each` for every element of endpoints4/6 and pairs4/6. Stops when it returns non-zero and returns that. */
int table_each_blocked(struct table *t, int (*each)(const struct element *e, void *arg), void *arg);

/* The same for tries4/6: source, destination, protocol, port, and how many packets were rejected by the kernel alone. */
int table_each_try(struct table *t, int (*each)(const struct element *e, void *arg), void *arg);

/* Named counters of the table that status shows. */
struct table_counters {
	uint64_t queued;	/* packets handed to the queue */
	uint64_t rejected;	/* packets of blocked endpoints and pairs */
	uint64_t blocked;	/* packets of BLOCKED flows */
	uint64_t invalid;	/* payload TCP that conntrack calls invalid */
	uint64_t untracked;	/* packets without conntrack: a blind spot */
	uint64_t quarantined;	/* packets of devices in quarantine */
};
int table_counters(struct table *t, struct table_counters *out);

/* The socket that owns the table in the kernel, and how another process goes on by it, once this one does no more. */
int table_fd(const struct table *t);
int table_adopt(struct table *t, int fd);

/* A descriptor that becomes readable when any nftables change is committed by another program (nfnetlink group
 * NFTABLES); table_watch_drain empties it and returns 1 if our own table was touched by somebody else. -errno if not possible. */
int table_watch_fd(struct table *t);
int table_watch_drain(struct table *t);

#endif
