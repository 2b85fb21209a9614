/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reassembly of IP fragments into a slot of up to 64 KiB, with a bit for each 8-byte unit that has arrived.
 * Knows nothing of TCP or UDP. */
#include "cli/defrag.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DATAGRAM_MAX 65535u
#define UNITS (65536u / 8)
/* IPv4's longest header, and room for IPv6's with some extension headers. */
#define HEADER_MAX 256u

/* What tells datagrams apart: addresses, identification and (IPv4) the protocol. */
struct fragment_key {
	uint8_t addrs[32];
	uint32_t id;
	uint8_t family;
	uint8_t proto;
};

struct fragment {
	struct fragment_key key;
	const uint8_t *header;	/* what stands before the payload in the whole packet */
	size_t header_len;
	size_t next_at;		/* IPv6: where in the header the next-header byte stands */
	uint8_t next;		/* IPv6: what it becomes */
	const uint8_t *data;
	size_t offset, len;	/* bytes of the payload */
	bool more;
};

struct slot {
	struct fragment_key key;
	uint64_t born_ms;
	uint8_t *data;		/* HEADER_MAX bytes of room, then the payload; NULL: the slot is free */
	uint8_t have[UNITS / 8];
	size_t header_len;	/* 0: the first fragment is missing */
	size_t held;		/* payload bytes that have arrived */
	size_t total;		/* 0: the last fragment is missing */
};

struct defrag {
	struct slot slots[DEFRAG_SLOTS];
	uint8_t *whole;		/* the last finished packet */
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

struct defrag *defrag_new(void)
{
	struct defrag *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->whole = malloc(HEADER_MAX + DATAGRAM_MAX);
	if (!d->whole) {
		free(d);
		return NULL;
	}
	return d;
}

void defrag_free(struct defrag *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < DEFRAG_SLOTS; i++)
		free(d->slots[i].data);
	free(d->whole);
	free(d);
}

static bool read_v4(const uint8_t *ip, size_t len, struct fragment *f)
{
	size_t total = len < 20 ? 0 : be16(ip + 2);
	unsigned word = len < 20 ? 0 : be16(ip + 6);

	f->header_len = (ip[0] & 0x0fu) * 4u;
	if (total > len || f->header_len < 20 || total <= f->header_len)
		return false;
	f->key.family = 4;
	memcpy(f->key.addrs, ip + 12, 8);
	f->key.id = be16(ip + 4);
	f->key.proto = ip[9];
	f->header = ip;
	f->data = ip + f->header_len;
	f->len = total - f->header_len;
	f->offset = (word & 0x1fffu) * 8u;
	f->more = word & 0x2000;
	return true;
}

/* The part before the fragment header stays; the fragment header itself goes away (RFC 8200 4.5). */
static bool read_v6(const uint8_t *ip, size_t len, struct fragment *f)
{
	size_t at = 40, end = len < 40 ? 0 : 40u + be16(ip + 4);
	uint8_t next;

	if (end > len || end == 0)
		return false;
	next = ip[6];
	f->next_at = 6;
	while (next == 0 || next == 43 || next == 60) {
		if (at + 8 > end)
			return false;
		next = ip[at];
		f->next_at = at;
		at += (ip[at + 1] + 1u) * 8u;
	}
	if (next != 44 || at + 8 >= end || at > HEADER_MAX)
		return false;
	f->key.family = 6;
	memcpy(f->key.addrs, ip + 8, 32);
	memcpy(&f->key.id, ip + at + 4, 4);
	f->next = ip[at];
	f->header = ip;
	f->header_len = at;
	f->offset = be16(ip + at + 2) & 0xfff8u;
	f->more = ip[at + 3] & 1;
	f->data = ip + at + 8;
	f->len = end - at - 8;
	return true;
}

static void slot_clear(struct slot *s)
{
	free(s->data);
	memset(s, 0, sizeof(*s));
}

static struct slot *find_slot(struct defrag *d, const struct fragment *f, uint64_t now_ms)
{
	struct slot *best = NULL;

	for (unsigned i = 0; i < DEFRAG_SLOTS; i++) {
		struct slot *s = &d->slots[i];

		if (s->data && now_ms - s->born_ms > DEFRAG_TIMEOUT_MS)
			slot_clear(s);
		/* both were zeroed before they were filled */
		if (s->data && !memcmp(&s->key, &f->key, sizeof(f->key)))  /* NOLINT(bugprone-suspicious-memory-comparison) */
			return s;
		if (!best || (best->data && (!s->data || s->born_ms < best->born_ms)))
			best = s;
	}
	slot_clear(best);
	best->data = malloc(HEADER_MAX + DATAGRAM_MAX);
	if (!best->data)
		return NULL;
	best->key = f->key;
	best->born_ms = now_ms;
	return best;
}

/* How many of the fragment's units have arrived before. */
static size_t units_known(const struct slot *s, size_t first, size_t n)
{
	size_t known = 0;

	for (size_t u = first; u < first + n; u++)
		known += s->have[u / 8] >> u % 8 & 1;
	return known;
}

/* False: the fragment contradicts what has arrived, and the datagram must go. */
static bool slot_put(struct slot *s, const struct fragment *f)
{
	size_t first = f->offset / 8, n = (f->len + 7) / 8, end = f->offset + f->len, known;

	if (end > DATAGRAM_MAX || (f->more && f->len % 8))
		return false;
	known = units_known(s, first, n);
	if (known == n)
		return true;
	if (known || (s->total && (end > s->total || !f->more)))
		return false;
	if (!f->more) {
		/* nothing may be known behind the last fragment */
		if (units_known(s, first + n, UNITS - first - n))
			return false;
		s->total = end;
	}
	memcpy(s->data + HEADER_MAX + f->offset, f->data, f->len);
	for (size_t u = first; u < first + n; u++)
		s->have[u / 8] |= (uint8_t)(1u << u % 8);
	s->held += f->len;
	if (f->offset == 0) {
		memcpy(s->data, f->header, f->header_len);
		s->header_len = f->header_len;
		if (f->key.family == 6)
			s->data[f->next_at] = f->next;
	}
	return true;
}

/* The whole packet carries the first fragment's header with a new length and, in IPv4, a new checksum. */
static size_t slot_finish(const struct slot *s, uint8_t *whole)
{
	size_t len = s->header_len + s->total;
	uint32_t sum = 0;

	memcpy(whole, s->data, s->header_len);
	memcpy(whole + s->header_len, s->data + HEADER_MAX, s->total);
	if (s->key.family == 6) {
		whole[4] = (uint8_t)((len - 40) >> 8);
		whole[5] = (uint8_t)(len - 40);
		return len - 40 > DATAGRAM_MAX ? 0 : len;
	}
	whole[2] = (uint8_t)(len >> 8);
	whole[3] = (uint8_t)len;
	memset(whole + 6, 0, 2);
	memset(whole + 10, 0, 2);
	for (size_t i = 0; i < s->header_len; i += 2)
		sum += be16(whole + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	whole[10] = (uint8_t)(sum >> 8);
	whole[11] = (uint8_t)sum;
	return len > DATAGRAM_MAX ? 0 : len;
}

size_t defrag_add(struct defrag *d, const uint8_t *ip, size_t len, uint64_t now_ms, const uint8_t **whole)
{
	struct fragment f;
	struct slot *s;
	size_t made = 0;

	memset(&f, 0, sizeof(f));	/* the key is compared as bytes */
	if (!len || !((ip[0] >> 4) == 4 ? read_v4(ip, len, &f) : read_v6(ip, len, &f)))
		return 0;
	s = find_slot(d, &f, now_ms);
	if (!s)
		return 0;
	if (!slot_put(s, &f)) {
		slot_clear(s);
		return 0;
	}
	if (s->total && s->header_len && s->held == s->total) {
		made = slot_finish(s, d->whole);
		*whole = d->whole;
		slot_clear(s);
	}
	return made;
}
