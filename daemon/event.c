/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events: from outcome to EVE JSON line. Runs off the packet path, and writes nothing itself. */
#include "daemon/event.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/escape.h"
#include "daemon/score.h"
#include "inspect/quic.h"

/* Ours in the range that is free for local rules. */
enum { SID_CONTRADICTION = 1000900, SID_ADDRESS, SID_NAME, SID_PROTOCOL, SID_REPEATED, SID_SCORE, SID_TELLTALE, SID_GETWORK = 1000920, SID_NODE, SID_HYGIENE };

/* With its "0x". */
#define ETHEREUM_ADDRESS 42

size_t event_escape(char *out, size_t size, const uint8_t *bytes, size_t len)
{
	return escape_text(out, size, ESCAPE_WIRE, bytes, len);
}

/* "0x" and hex digits in upper or lower case are one address: the case is only a checksum (EIP-55). */
static size_t same_case(uint8_t out[ETHEREUM_ADDRESS], const uint8_t *bytes, size_t len)
{
	if (len != ETHEREUM_ADDRESS || bytes[0] != '0' || (bytes[1] | 0x20) != 'x')
		return 0;
	for (size_t i = 0; i < len; i++)
		out[i] = bytes[i] >= 'A' && bytes[i] <= 'Z' ? bytes[i] | 0x20 : bytes[i];
	return len;
}

/* The keyed hash of a wallet or login: 128 bits of HMAC-SHA-256, as 32 hex digits. */
static void event_hash(char out[EVENT_HASH_MAX], const uint8_t *key, const uint8_t *bytes, size_t len)
{
	struct hmac_sha256_ctx ctx;
	uint8_t digest[16], lower[ETHEREUM_ADDRESS];

	if (same_case(lower, bytes, len))
		bytes = lower;
	hmac_sha256_set_key(&ctx, 32, key);
	hmac_sha256_update(&ctx, len, bytes);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	explicit_bzero(&ctx, sizeof(ctx));
	explicit_bzero(lower, sizeof(lower));
}

/* Under another name first: after a power cut there is a whole key or none. */
static int make_key(const char *path, uint8_t key[32])
{
	char fresh[4096 + 16];
	int fd, err = 0;
	ssize_t n;

	if (getrandom(key, 32, 0) != 32)
		return -EIO;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, key, 32);
	if (n != 32)
		err = n < 0 ? -errno : -ENOSPC;
	else if (fsync(fd) || rename(fresh, path))
		err = -errno;
	close(fd);
	if (err)
		unlink(fresh);
	return err;
}

int event_key(const char *path, uint8_t key[32])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? make_key(path, key) : -errno;
	n = read(fd, key, 32);
	err = n == 32 ? 0 : n < 0 ? -errno : -EINVAL;
	close(fd);
	return err;
}

static void copy_view(char *out, size_t size, struct view v)
{
	escape_text(out, size, ESCAPE_WIRE, v.p, v.len);
}

static void copy_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static void fill_stratum(struct event *e, const struct stratum_facts *s, const uint8_t *key, bool clear)
{
	e->kind = s->kind;
	e->carrier = s->carrier;
	copy_text(e->dialect, sizeof(e->dialect), s->dialect);
	copy_view(e->method, sizeof(e->method), s->method);
	copy_view(e->agent, sizeof(e->agent), s->agent);
	copy_view(e->algo, sizeof(e->algo), s->algo);
	copy_view(e->worker, sizeof(e->worker), s->worker);
	if (s->login.len && key)
		event_hash(e->login, key, s->login.p, s->login.len);
	if (s->login.len && clear)
		copy_view(e->login_clear, sizeof(e->login_clear), s->login);
}

void event_fill(struct event *e, const struct outcome *o, const struct packet *packet, const uint8_t *key, bool clear)
{
	const struct decision *d = &o->decision;
	const struct name_fact *name = d->name ? d->name : o->facts->n_names ? &o->facts->names[0] : NULL;

	memset(e, 0, sizeof(*e));
	e->blocked = o->verdict == VERDICT_BLOCK || o->verdict == VERDICT_DROP;
	e->evidence = d->evidence;
	e->reason = o->reason;
	e->app = o->app;
	e->subject = o->subject;
	e->family = o->family;
	e->older = o->older;
	e->learned = SCOPE_FLOW;
	e->tls_version = o->facts->tls_version;
	e->quic_version = o->facts->quic_version;
	if (o->event)
		ja4_text(e->ja4, o->facts->tls_hello, o->facts->quic_version != 0);
	if (name) {
		e->named = true;
		e->name_kind = name->kind;
		copy_view(e->name, sizeof(e->name), name->text);
		copy_view(e->host, sizeof(e->host), name->host);
	}
	if (o->facts->mining)
		fill_stratum(e, &o->facts->stratum, key, clear);
	copy_text(e->list, sizeof(e->list), d->list);
	copy_text(e->entry, sizeof(e->entry), d->entry);
	copy_text(e->rule, sizeof(e->rule), d->rule);
	e->line = d->line;
	e->marks = o->marks;
	e->telltale = d->telltale;
	e->repeats = o->repeats;
	/* The sender's: of use if the sender is the client. */
	e->mac_known = packet && packet->mac_known && o->turned == (packet->origin == ORIGIN_OLDER_REPLY);
	if (e->mac_known)
		memcpy(e->mac, packet->mac, sizeof(e->mac));
}

void event_time(char *out, size_t size, const struct timespec *when)
{
	struct tm tm;
	long offset;

	localtime_r(&when->tv_sec, &tm);
	offset = tm.tm_gmtoff / 60;
	snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%06ld%c%02ld:%02ld", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		 tm.tm_hour, tm.tm_min, tm.tm_sec, when->tv_nsec / 1000, offset < 0 ? '-' : '+', labs(offset) / 60,
		 labs(offset) % 60);
}

const char *event_proto(uint8_t proto)
{
	return proto == IPPROTO_UDP ? "UDP" : "TCP";
}

void event_address(char *out, size_t size, const uint8_t address[16], uint8_t family)
{
	if (family == 4)
		inet_ntop(AF_INET, address + 12, out, (socklen_t)size);
	else
		inet_ntop(AF_INET6, address, out, (socklen_t)size);
}

/* What `minewall explain` finds the event by: its time in microseconds, as hex. */
#define EVENT_ID_MAX 17

static void event_id(char out[EVENT_ID_MAX], const struct event *e)
{
	snprintf(out, EVENT_ID_MAX, "%llx", (unsigned long long)e->when.tv_sec * 1000000 + (unsigned long long)e->when.tv_nsec / 1000);
}

bool event_name_below(const char *name, const char *above)
{
	size_t n = strlen(name), m = strlen(above);

	return n >= m && !strcasecmp(name + n - m, above) && (n == m || name[n - m - 1] == '.');
}

static void put(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, json_string(text));
}

static const char *tls_version_text(uint16_t v)
{
	switch (v) {
	case 0x0300:	return "SSLv3";
	case 0x0301:	return "TLS 1.0";
	case 0x0302:	return "TLS 1.1";
	case 0x0303:	return "TLS 1.2";
	case 0x0304:	return "TLS 1.3";
	default:	return NULL;
	}
}

struct alert {
	int id;
	int severity;
	const char *text;
};

static json_t *alert_json(const struct event *e)
{
	static const struct alert kinds[] = {
		[EVIDENCE_NONE] = { SID_CONTRADICTION, 2, "minewall: retransmission contradicts what was seen" },
		[EVIDENCE_ADDRESS] = { SID_ADDRESS, 1, "minewall: blocked address" },
		[EVIDENCE_NAME] = { SID_NAME, 1, "minewall: mining name" },
		[EVIDENCE_SCORE] = { SID_SCORE, 2, "minewall: behaves like a miner" },
	};
	static const struct alert protocols[] = {
		[MINING_STRATUM] = { SID_PROTOCOL, 1, "minewall: mining protocol" },
		[MINING_GETWORK] = { SID_GETWORK, 2, "minewall: work asked of a coin's node" },
		[MINING_NODE] = { SID_NODE, 3, "minewall: node of a coin's network" },
	};
	static const struct alert telltale = { SID_TELLTALE, 1, "minewall: name that only a miner asks for" };
	const struct alert *is = e->telltale ? &telltale : e->evidence == EVIDENCE_PROTOCOL ? &protocols[e->kind] : &kinds[e->evidence];
	bool again = e->count > 0;

	if (e->hygiene)
		return json_pack("{s:s, s:s, s:i, s:s, s:i}", "action", e->blocked ? "blocked" : "allowed", "signature",
				 "minewall: service of the LAN asked of the internet", "signature_id", SID_HYGIENE, "category",
				 "Egress hygiene", "severity", 2);
	return json_pack("{s:s, s:s, s:i, s:s, s:i}", "action", e->blocked ? "blocked" : "allowed",
			 "signature", again ? "minewall: stopped in the kernel" : is->text,
			 "signature_id", again ? SID_REPEATED : is->id, "category", "Crypto mining", "severity", is->severity);
}

/* The sum, and what it is made of. */
static void put_score(json_t *m, unsigned marks)
{
	json_t *words = json_array();

	for (unsigned i = 0; i < MARK_COUNT; i++)
		if (marks & 1u << i)
			json_array_append_new(words, json_string(mark_text((enum mark)i)));
	json_object_set_new(m, "score", json_integer(score_points(marks)));
	json_object_set_new(m, "marks", words);
}

/* Each of the gateways. */
static void put_fleet(json_t *m, const char *gateways)
{
	json_t *all = json_array();

	for (const char *p = gateways; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");

		if (n)
			json_array_append_new(all, json_stringn(p, n));
		p += n;
	}
	json_object_set_new(m, "fleet", all);
}

static json_t *mining_json(const struct event *e)
{
	json_t *m = json_object();
	char id[EVENT_ID_MAX];

	event_id(id, e);
	put(m, "id", id);
	put(m, "dialect", e->dialect);
	put(m, "method", e->method);
	put(m, "agent", e->agent);
	put(m, "algo", e->algo);
	put(m, "worker", e->worker);
	put(m, "login_hash", e->login);
	put(m, "login", e->login_clear);
	if (e->evidence == EVIDENCE_PROTOCOL)
		put(m, "kind", e->kind == MINING_GETWORK ? "getwork" : e->kind == MINING_NODE ? "node" : "stratum");
	if (e->evidence == EVIDENCE_PROTOCOL && e->carrier != CARRIER_STREAM)
		put(m, "carrier", e->carrier == CARRIER_WEBSOCKET ? "websocket" : "http");
	put(m, "evidence", e->evidence == EVIDENCE_NONE ? NULL : evidence_text(e->evidence));
	put(m, "list", e->list);
	put(m, "entry", e->entry);
	put(m, "rule", e->rule);
	if (e->line)
		json_object_set_new(m, "line", json_integer(e->line));
	if (e->learned == SCOPE_PAIR || e->learned == SCOPE_ENDPOINT)
		put(m, "learned", scope_text(e->learned));
	if (e->evidence == EVIDENCE_SCORE)
		put_score(m, e->marks);
	if (*e->fleet)
		put_fleet(m, e->fleet);
	if (e->telltale)
		json_object_set_new(m, "telltale", json_true());
	if (e->generation)
		json_object_set_new(m, "generation", json_integer(e->generation));
	if (e->older)
		json_object_set_new(m, "older", json_true());
	if (e->reason == REASON_CONTRADICTION)
		put(m, "reason", reason_text(e->reason));
	json_object_set_new(m, "count", json_integer(e->count ? (json_int_t)e->count : 1 + (json_int_t)e->repeats));
	return m;
}

static void put_name(json_t *j, const struct event *e)
{
	bool quic = e->quic_version || (e->named && e->name_kind == NAME_QUIC_SNI);
	bool handshake = e->named ? e->name_kind == NAME_TLS_SNI || e->name_kind == NAME_QUIC_SNI : *e->ja4;
	json_t *o = json_object();
	char version[QUIC_VERSION_TEXT];

	if (handshake) {
		if (e->named)
			put(o, "sni", e->name);
		if (e->quic_version)
			quic_version_text(version, e->quic_version);
		put(o, "version", e->quic_version ? version : quic ? NULL : tls_version_text(e->tls_version));
		put(o, "ja4", e->ja4);
		json_object_set(j, quic ? "quic" : "tls", o);
	} else if (e->named && e->name_kind == NAME_DNS) {
		put(o, "rrname", e->name);
		json_object_set(j, "dns", o);
	} else if (e->named) {
		put(o, "hostname", e->name);
		json_object_set(j, "http", o);
	}
	json_decref(o);
}

void event_note(struct event *e, const char *what, const char *detail)
{
	memset(e, 0, sizeof(*e));
	clock_gettime(CLOCK_REALTIME, &e->when);
	copy_text(e->note, sizeof(e->note), what);
	escape_text(e->name, sizeof(e->name), ESCAPE_TERMINAL, detail, strlen(detail));
}

static json_t *note_json(const struct event *e)
{
	char when[64];

	event_time(when, sizeof(when), &e->when);
	if (e->count)
		return json_pack("{s:s, s:s, s:{s:s, s:s, s:I}}", "timestamp", when, "event_type", "minewall", "minewall", "event", e->note,
				 "detail", e->name, "seconds", (json_int_t)e->count);
	return json_pack("{s:s, s:s, s:{s:s, s:s}}", "timestamp", when, "event_type", "minewall", "minewall", "event", e->note,
			 "detail", e->name);
}

json_t *event_json(const struct event *e)
{
	char when[64], src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], mac[18];
	json_t *j;

	if (*e->note)
		return note_json(e);
	event_time(when, sizeof(when), &e->when);
	event_address(src, sizeof(src), e->subject.src, e->family);
	event_address(dst, sizeof(dst), e->subject.dst, e->family);
	j = json_pack("{s:s, s:s, s:s}", "timestamp", when, "event_type", "alert", "src_ip", src);
	if (!j)
		return NULL;
	if (e->subject.sport)	/* unknown for attempts that only the kernel saw */
		json_object_set_new(j, "src_port", json_integer(e->subject.sport));
	if (!e->hygiene)
		put(j, "dest_ip", dst);
	json_object_set_new(j, "dest_port", json_integer(e->subject.dport));
	put(j, "proto", event_proto(e->subject.proto));
	put(j, "app_proto", app_text(e->app));
	put_name(j, e);
	json_object_set_new(j, "alert", alert_json(e));
	json_object_set_new(j, "mining", mining_json(e));
	if (e->mac_known) {
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", e->mac[0], e->mac[1], e->mac[2], e->mac[3],
			 e->mac[4], e->mac[5]);
		json_object_set_new(j, "host", json_pack("{s:s}", "mac", mac));
	}
	return j;
}
