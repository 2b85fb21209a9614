// SPDX-License-Identifier: GPL-2.0-or-later
/* Cleans names for matching and appends them to the facts. The text itself stays as it was sent. */
#include "inspect/name.h"

#include <arpa/inet.h>
#include <string.h>

#include "inspect/word.h"

/* Longest name that DNS can hold, with some air for the dots (PROTOCOLS 7.3). */
#define NAME_LEN_MAX 255

/* Letters, digits and what RFC 3986 lets into a reg-name, but no percent sign: nobody decodes it in a Host. */
static const bool name_bytes[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true, ['.'] = true, ['_'] = true, ['~'] = true,
	['!'] = true, ['$'] = true, ['&'] = true, ['\''] = true, ['('] = true, [')'] = true, ['*'] = true, ['+'] = true, [','] = true,
	[';'] = true, ['='] = true,
};

/* Where the last label begins: mostly in the last eight bytes. */
static size_t name_last_label(struct view v)
{
	size_t at = v.len;

	if (at >= 8) {
		uint64_t dots = word_same(word_read(v.p + at - 8), '.');

		if (dots)
			return at - (unsigned)(__builtin_clzll(dots) >> 3);
		at -= 8;
	}
	while (at && v.p[at - 1] != '.')
		at--;
	return at;
}

static bool name_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* A last label of digits or 0x… is an IPv4 literal to every resolver; IPv6 has colons, which name_bytes refuses. */
static bool name_is_address(struct view v)
{
	size_t at = name_last_label(v), i;

	if (at == v.len || __builtin_expect(!name_digit(v.p[at]), 1))
		return false;
	if (v.len - at >= 2 && v.p[at] == '0' && (v.p[at + 1] | 0x20) == 'x')
		return true;
	for (i = at; i < v.len; i++)
		if (!name_digit(v.p[i]))
			return false;
	return true;
}

/* Sets the top bit of those of the eight bytes that are letters, digits, dots and hyphens. */
static inline uint64_t name_plain(const uint8_t *p)
{
	uint64_t word = word_read(p), low = word & ~WORD_TOPS;
	uint64_t other = word_within(low, '-', '9') ^ word_within(low, '/', '/');

	return (word_within(low | WORD_EVERY(0x20), 'a', 'z') | other) & ~word;
}

/* What nearly all names are made of. False: it must be looked at closer. */
static inline bool name_all_plain(struct view v)
{
	uint64_t plain = WORD_TOPS;
	size_t at = 0, last = v.len - 8;

	if (v.len < 8)
		return false;
	for (;;) {
		plain &= name_plain(v.p + at);
		if (at == last)
			return plain == WORD_TOPS;
		at = at + 8 < last ? at + 8 : last;
	}
}

static bool name_matchable(struct view v)
{
	size_t i;

	if (!v.len || v.len > NAME_LEN_MAX)
		return false;
	if (!name_all_plain(v))
		for (i = 0; i < v.len; i++)
			if (!name_bytes[v.p[i]])
				return false;
	return !name_is_address(v);
}

/* An IP literal in all the forms that a proxy's resolver takes; IPv6 with or without brackets. */
static bool name_literal(struct view v, uint8_t addr[16])
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;

	if (v.len > 2 && v.p[0] == '[' && v.p[v.len - 1] == ']')
		v = (struct view){ v.p + 1, v.len - 2 };
	if (!v.len || v.len >= sizeof(text))
		return false;
	memcpy(text, v.p, v.len);
	text[v.len] = '\0';
	if (inet_pton(AF_INET6, text, addr) == 1)
		return true;
	if (!name_is_address(v) || !inet_aton(text, &v4))
		return false;
	memcpy(addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	memcpy(addr + 12, &v4, 4);
	return true;
}

/* Decimal digits up to 65535, or 0. */
static uint16_t name_port(struct view v)
{
	unsigned port = 0;
	size_t i;

	for (i = 0; i < v.len; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return 0;
		port = port * 10 + v.p[i] - '0';
		if (port > 65535)
			return 0;
	}
	return (uint16_t)port;
}

static inline struct name_fact *name_add(struct facts *out, enum name_kind kind, struct view text, struct view host)
{
	struct name_fact *n;

	if (out->n_names == FACTS_NAMES_MAX) {
		out->names_lost = true;
		return NULL;
	}
	if (host.len && host.p[host.len - 1] == '.')
		host.len--;
	n = &out->names[out->n_names++];
	n->kind = kind;
	n->text = text;
	n->matchable = name_matchable(host);
	n->host = n->matchable ? host : (struct view){ 0 };
	n->addressed = false;
	return n;
}

static void name_address(struct name_fact *n, struct view host, uint16_t port)
{
	if (n && !n->matchable && name_literal(host, n->addr)) {
		n->addressed = true;
		n->port = port;
	}
}

void name_add_target(struct facts *out, enum name_kind kind, struct view text, uint16_t port)
{
	name_address(name_add(out, kind, text, text), text, port);
}

void name_add_host(struct facts *out, enum name_kind kind, struct view text)
{
	name_add(out, kind, text, text);
}

/* The last byte that is this one, or NULL. */
static const uint8_t *name_last(struct view v, char c)
{
	return v.len ? memrchr(v.p, c, v.len) : NULL;
}

void name_add_authority(struct facts *out, enum name_kind kind, struct view text)
{
	struct view host = text, port = { 0 };
	const uint8_t *at = name_last(host, '@'), *colon, *bracket;
	struct name_fact *n;

	if (at)
		host = (struct view){ at + 1, host.len - (size_t)(at + 1 - host.p) };
	colon = name_last(host, ':');
	bracket = name_last(host, ']');
	if (colon && (!bracket || colon > bracket)) {
		port = (struct view){ colon + 1, host.len - (size_t)(colon + 1 - host.p) };
		host.len = (size_t)(colon - host.p);
	}
	n = name_add(out, kind, text, host);
	if (kind == NAME_CONNECT)
		name_address(n, host, name_port(port));
}
