/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The admin's policy file as an immutable value, and the one function that judges facts by it. A reload
 * builds a whole new policy and swaps the pointer; nothing in here changes after policy_load. */
#ifndef MINEWALL_POLICY_H
#define MINEWALL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/inspect.h"

struct policy;

enum mode { MODE_MONITOR, MODE_ENFORCE };
enum fail { FAIL_OPEN, FAIL_CLOSED };
enum hook { HOOK_FORWARD = 1, HOOK_OUTPUT = 2, HOOK_BOTH = 3 };
enum scope { SCOPE_AUTO, SCOPE_FLOW, SCOPE_PAIR, SCOPE_ENDPOINT };
enum detect { DETECT_OFF, DETECT_MONITOR, DETECT_BLOCK };

/* Services of the LAN that have no business with the internet: worms that bring miners spread by them. */
enum hygiene { HYGIENE_SMB, HYGIENE_NETBIOS, HYGIENE_RDP, HYGIENE_COUNT };

struct hygiene_port {
	enum hygiene service;
	uint8_t proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port;
};

/* Their ports, `*n` of them, and the policy's words for them ("hygiene.smb"). */
const struct hygiene_port *hygiene_ports(size_t *n);
const char *hygiene_text(enum hygiene service);

/* One network. IPv4 is kept v4-mapped (::ffff:a.b.c.d, prefix + 96). port 0 = any. */
struct network {
	uint8_t addr[16];
	uint8_t prefix;		/* 0..128 */
	uint8_t source;		/* 0: the policy, 1..: its lists in their order */
	uint16_t port;		/* host order */
	unsigned line;		/* of the policy file or list */
	const char *text;	/* as it stands there */
};

struct networks {
	const struct network *items;
	size_t n;
};

#define POLICY_INTERFACES_MAX 32
#define POLICY_IFNAME_MAX 16
/* A user's or group's name with its NUL. */
#define POLICY_ACCOUNT_MAX 33

/* What the file says beside names and addresses. Durations in seconds, sizes in bytes. */
struct settings {
	uint32_t generation;				/* counts the policies that a daemon has run; 0: none of them */
	enum mode mode;
	enum hook hook;
	enum fail fail;
	unsigned n_out;					/* 0: every interface but loopback */
	char out[POLICY_INTERFACES_MAX][POLICY_IFNAME_MAX];
	bool offload;					/* decided TCP flows take the kernel's fast way between these interfaces */
	unsigned n_offload;
	char offload_devices[POLICY_INTERFACES_MAX][POLICY_IFNAME_MAX];
	uint16_t queue_first;
	uint16_t queue_count;				/* 0 = auto: one a CPU, at most 8 */
	uint32_t queue_length;				/* packets */
	uint32_t mark_mask;				/* three adjacent bits */
	uint32_t endpoint_timeout_s;
	uint32_t pair_timeout_s;
	enum scope scope;
	bool reset;
	bool dns_refused;				/* detect: {dns: {answer: refused}}; default: dropped in silence */
	uint32_t memory_flows;
	uint64_t memory_reassembly;			/* bytes, for all flows of a worker together */
	uint32_t memory_endpoints;			/* elements of each learnt set in the kernel */
	bool own_table;					/* other programs cannot change our table, where the kernel knows how */
	bool guard_offload;				/* new flows are kept out of foreign flowtables */
	enum detect hygiene[HYGIENE_COUNT];
	uint16_t score_report, score_block;		/* points from which a score is a finding; 0: never */
	bool log_wallets;				/* log: {wallets: clear}; default false: keyed hash only */
	char control[108];				/* sun_path */
	char user[POLICY_ACCOUNT_MAX];			/* as whom the daemon runs; "": the first of those that it knows */
	char control_group[POLICY_ACCOUNT_MAX];		/* who may ask; "": the group of the daemon's name, if there is one */
	bool control_group_changes;			/* control_group_may: they may change things, too */
	char state[4096];				/* folder of the key that hashes wallets */
	char log_file[4096];
	uint64_t log_size, log_budget;			/* bytes; 0: it is never rotated by us; no bound */
	uint32_t log_keep, log_days, log_buffer_s;	/* files; 0 days: for ever */
};

/* One message for the operator, already whole: "FILE:LINE:COLUMN: what is wrong, what is expected". */
struct policy_error {
	char text[1024];
	enum { POLICY_INVALID, POLICY_UNREADABLE, POLICY_NO_MEMORY } kind;
};

/* Reasons why entries of a list are skipped: at most so many. */
#define LIST_INFO_SKIPS 16

/* A list of the policy as loaded, for `check` and `lists`. */
struct list_info {
	const char *name;
	const char *file;
	const char *category;	/* "" if none */
	const char *format;	/* as named, or as seen: "hosts" */
	enum detect action;	/* of its entries; OFF: they are read and counted, and do nothing */
	size_t used;		/* names, addresses and exceptions together */
	size_t skipped;
	size_t names, addresses, exceptions;
	struct { const char *reason; size_t n; } skips[LIST_INFO_SKIPS];	/* the most frequent first; n 0: no more */
};

/* "194 used of 317, 123 skipped: path 100, cosmetic 23"; like snprintf. */
int list_info_print(const struct list_info *info, char *to, size_t size);

/* Bytes of a minisign or signify public key as text: 42 bytes in base64. */
#define POLICY_PUBLIC_KEY_TEXT 56

/* An entry of `lists:` as the policy has it, its file unread: where it comes from and how fresh it has to be. */
struct list_source {
	const char *name;
	const char *file;		/* where the copy lies that the policy reads */
	const char *category;		/* "" if none */
	const char *format;		/* the policy's word, "auto" without one */
	const char *url;		/* NULL: the file is the admin's own, nobody fetches it */
	const char *signature;		/* URL of the detached signature; NULL: none is asked for */
	const char *public_key;		/* text, of POLICY_PUBLIC_KEY_TEXT bytes; with `signature` */
	const char *ca;			/* file of the certificates that are trusted, NULL: the system's */
	uint32_t refresh_s;
	uint32_t max_age_s;		/* older than this is an alarm; 0: never */
	uint32_t min_entries;		/* a fetched list with fewer usable entries is refused */
	uint8_t max_shrink;		/* and one that lost more than so many of a hundred */
};

/* Reads `path`, the drop-ins in the folder policy.d beside it (*.yaml, by name), and every list that they name; relative paths start
 * at the policy's folder. Returns NULL and fills `error` if anything is wrong. The caller owns the result. */
struct policy *policy_load(const char *path, struct policy_error *error);

/* The same without its lists: enough for policy_settings, and quick. For verbs that only ask where the daemon is. */
struct policy *policy_load_settings(const char *path, struct policy_error *error);

/* The built-in policy of `minewall replay`: enforce, every detector at its default, no lists. NULL: no memory. */
struct policy *policy_builtin(void);

void policy_free(struct policy *p);

/* A policy that is `base` and besides allows these names (each with all below it) and addresses, networks or endpoints,
 * inside or outside. `base` is shared and must outlive it. NULL and `error` filled if an entry is none of these. */
struct policy *policy_allowing(const struct policy *base, const char *const *allowed, size_t n, struct policy_error *error);

/* The addresses among them. */
struct networks policy_extra_addresses(const struct policy *p);

/* Gives it the number of its generation, before anybody judges by it. */
void policy_stamp(struct policy *p, uint32_t generation);

const struct settings *policy_settings(const struct policy *p);

/* Inside hosts that are never judged (allow.hosts), and outside addresses never blocked (allow.addresses). */
struct networks policy_exempt_hosts(const struct policy *p);
struct networks policy_allowed_addresses(const struct policy *p);

/* Outside addresses that are blocked (block.addresses), as the policy names them. */
struct networks policy_blocked_addresses(const struct policy *p);

/* Whether the policy or its lists block any address at all. */
bool policy_blocks_addresses(const struct policy *p);

/* The files that it was read from: the policy, then its drop-ins. */
#define POLICY_FILES_MAX 33
size_t policy_files(const struct policy *p, const char *const **files);

/* When it began to be read, with its lists: CLOCK_REALTIME in milliseconds. */
int64_t policy_read_at_ms(const struct policy *p);

/* Of the text of these files, not of the lists: two policies with the same digest say the same. */
uint64_t policy_digest(const struct policy *p);

size_t policy_lists(const struct policy *p, const struct list_info **lists);

/* Every entry of `lists:`, in the policy's order; also of policy_load_settings. */
size_t policy_sources(const struct policy *p, const struct list_source **sources);

/* Reads `text` as the list with this index of policy_sources and counts what the policy would use of it. 0, -ENOMEM, or
 * -E2BIG: alone it has more names or networks than all lists together may have. */
int policy_source_count(const struct policy *p, size_t i, const char *text, size_t len, size_t *used, size_t *skipped);

/* A list's text; `text` NULL: there is none. */
struct list_text {
	char *text;
	size_t len;
};

/* Names and networks that these texts hold together, each counted once: one for each of policy_sources, in that order; those whose bit in
 * `mask` is 0 are left out. 0, -ENOMEM, or -E2BIG: more than all lists together may have. */
int policy_source_union(const struct policy *p, const struct list_text *texts, uint64_t mask, size_t *names);

/* Names that the policy and its lists block, all together; and addresses and networks of its lists. */
size_t policy_names(const struct policy *p);
size_t policy_list_addresses(const struct policy *p);

/* One entry of the policy or a list that speaks of a name. Strings live as long as the policy. */
struct entry_info {
	const char *list;	/* NULL: block.names; and the list's file */
	const char *file;
	const char *entry;
	unsigned line;
	enum detect action;
	bool exception;		/* of a list: other lists' entries do not count, unless they are important */
	bool important;
};

/* All entries that cover the name, at most `max` of them; answers how many there are. The decision names one of them. */
size_t policy_entries(const struct policy *p, const void *name, size_t len, struct entry_info *to, size_t max);

/* What the policy and its lists block whoever asks, for other programs: names (`below`: those below it alone), names that are to pass
 * though one above them is blocked (`passes`), and networks, without what is allowed. Lists whose action is not block are left out, the
 * policy's mode and rules too. Names come in no order and maybe twice; `*left_out` counts addresses with a port. 0, or what a callback
 * answered other than 0. */
struct export_to {
	int (*name)(const char *name, size_t len, bool below, bool passes, void *arg);
	int (*network)(const struct network *net, void *arg);
	void *arg;
};
int policy_export(const struct policy *p, const struct export_to *to, size_t *left_out);

/* The policy's own rows (the first so many), then the built-in ones that it leaves on. */
const struct dialect_table *policy_dialects(const struct policy *p);
size_t policy_own_dialects(const struct policy *p);

/* Who talks to whom. Addresses as in struct network; ports in host order. */
struct subject {
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t sport;
	uint16_t dport;
	uint8_t proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	/* For rules: the client's link address and the interface it came in by (NULL: not known), and the time of the epoch. */
	bool mac_known;
	uint8_t mac[6];
	const char *interface;
	int64_t when_s;
};

enum action {
	ACTION_NONE,		/* nothing speaks against it */
	ACTION_ALLOW,		/* an allow or exempt rule wins: never judge this flow again */
	ACTION_MONITOR,		/* mining, but only to be logged */
	ACTION_BLOCK,
};

enum evidence { EVIDENCE_NONE, EVIDENCE_ADDRESS, EVIDENCE_NAME, EVIDENCE_PROTOCOL, EVIDENCE_SCORE };

/* The judgement and all that an event must say of it. Strings live as long as the policy; `name` is a view
 * into the facts. */
struct decision {
	enum action action;
	enum evidence evidence;
	enum scope scope;	/* what to teach the kernel: FLOW (nothing), PAIR or ENDPOINT; never AUTO */
	uint32_t timeout_s;	/* life of what is taught */
	const char *rule;	/* "block.names", "list", "block.addresses", "detect.stratum", "allow.hosts" ... */
	const char *list;	/* the list's name, or NULL */
	const char *entry;	/* the entry as the list or policy has it, or NULL */
	unsigned line;		/* of that entry in its file, 0 = none */
	bool silent;		/* drop without a reset */
	const struct name_fact *name;	/* which name decided, or NULL */
	bool telltale;		/* a name that only a mining program asks for (policy_telltale) */
};

/* Judges by addresses alone: allow.hosts, allow.addresses, block.addresses. Called for a flow's first packet. */
struct decision policy_decide_address(const struct policy *p, const struct subject *who);

/* A rule about addresses and ports alone is put off by policy_decide_address while one before it may still speak of what the flow will
 * show: first match wins. policy_decide asks all rules in their order; this is for a flow that showed nothing. NONE if nothing was put
 * off. Teaches nothing, since the rule before it may spare the next flow. */
struct decision policy_decide_rest(const struct policy *p, const struct subject *who);

/* Judges what an inspector found. Local allow rules and exempt hosts always win; protocol evidence is judged before names.
 * Mining
 * that HTTP or a WebSocket carries teaches the pair at most, and nothing at an address of `shared`, unless a `scope` asks for more;
 * an allowed Host in the same message allows it. In mode monitor a BLOCK becomes MONITOR; what is not BLOCK teaches nothing (scope FLOW, timeout 0). Each name is judged
 * on its own and the worst decides. An allowed name gives ALLOW, or NONE with `rule` set where `again` is AGAIN_SAME: the
 * next request on the connection may name another host. block.addresses is not asked again for the flow itself, but it and
 * allow.addresses judge the end of a tunnel (name_fact.addressed). At a tunnel's start and inside it a block teaches nothing
 * unless a `scope` asks for it: the endpoint is a proxy, which others use, too. A DNS message never teaches: its address is a
 * resolver's. An answer to an allowed question is allowed, whatever its aliases. A name of kind DNS in a flow that is no DNS one is what
 * an answer said of its address: `detect.tls` judges it. */
struct decision policy_decide(const struct policy *p, const struct subject *who, const struct facts *facts);

/* Judges a sum of signs (daemon/score.h). Allow rules win; a block teaches the pair unless a `scope` asks for something else. */
struct decision policy_decide_score(const struct policy *p, const struct subject *who, unsigned points);

/* Is it an address of `shared`, behind which others live? What strangers say of it is not enough to block it for everybody. */
bool policy_shared_address(const struct policy *p, const uint8_t addr[16]);

/* May a rule let this host do what others may not, that knows hosts by link address or interface, where `who` lacks that? Then nothing
 * is to be ended on what `who` says. */
bool policy_may_spare(const struct policy *p, const struct subject *who);

/* Rules of the policy, and a bit for each whose hours hold at `when_s` (of the epoch). */
size_t policy_rules(const struct policy *p);
uint64_t policy_hours(const struct policy *p, int64_t when_s);

/* Are scores wanted at all? */
bool policy_scores(const struct policy *p);

/* Tells each step of judging this flow by its addresses, or by a message of it (not NULL, with a name or mining), as policy_decide goes
 * through them. Steps that the policy leaves empty are passed over. */
void policy_explain(const struct policy *p, const struct subject *who, const struct facts *facts,
		    void (*step)(const char *what, const char *outcome, void *arg), void *arg);

/* The entry of the built-in table of names that only a mining program asks for which covers this name (any case, no port), or NULL.
 * Strong evidence about the host that asks. */
const char *policy_telltale(const void *name, size_t len);

const char *evidence_text(enum evidence e);	/* "address", "name", "protocol", "score" */
const char *scope_text(enum scope s);

#endif
