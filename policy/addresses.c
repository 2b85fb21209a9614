/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsing of address rules, and their search: all networks in one order, one binary search for the last that begins at or before
 * the address, and from there outwards along the networks that contain it. */
#include "policy/addresses.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool address_is_v4(const uint8_t addr[16])
{
	return !memcmp(addr, v4_mapped, sizeof(v4_mapped));
}

/* A decimal number of at most `max`, digits only. */
static bool parse_number(const char *text, unsigned max, unsigned *value)
{
	unsigned n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > max)
			return false;
	}
	*value = n;
	return true;
}

static bool parse_address(const char *text, struct network *net)
{
	net->prefix = 128;
	if (inet_pton(AF_INET6, text, net->addr) == 1)
		return true;
	memcpy(net->addr, v4_mapped, sizeof(v4_mapped));
	return inet_pton(AF_INET, text, net->addr + sizeof(v4_mapped)) == 1;
}

static void mask_address(uint8_t addr[16], unsigned prefix)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = prefix > 8 * i ? prefix - 8 * i : 0;

		if (bits < 8)
			addr[i] &= (uint8_t)(0xff00 >> bits);
	}
}

static enum address_problem parse_prefix(const char *text, struct network *net)
{
	bool v4 = address_is_v4(net->addr);
	uint8_t whole[16];
	unsigned prefix;

	if (!parse_number(text, v4 ? 32 : 128, &prefix))
		return ADDRESS_PREFIX;
	net->prefix = (uint8_t)(v4 ? prefix + 96 : prefix);
	memcpy(whole, net->addr, sizeof(whole));
	mask_address(net->addr, net->prefix);
	return memcmp(whole, net->addr, sizeof(whole)) ? ADDRESS_HOST_BITS : ADDRESS_GOOD;
}

static enum address_problem parse_port(const char *text, struct network *net)
{
	unsigned port = 0;

	if (!parse_number(text, 65535, &port) || !port)
		return ADDRESS_PORT;
	net->port = (uint16_t)port;
	return ADDRESS_GOOD;
}

/* "[A]" and "[A]:port". */
static enum address_problem parse_bracket(char *text, struct network *net)
{
	char *close = strchr(text, ']');

	if (!close)
		return ADDRESS_SHAPE;
	*close++ = '\0';
	if (inet_pton(AF_INET6, text + 1, net->addr) != 1)
		return ADDRESS_SHAPE;
	net->prefix = 128;
	if (!*close)
		return ADDRESS_GOOD;
	return *close == ':' ? parse_port(close + 1, net) : ADDRESS_SHAPE;
}

enum address_problem address_parse(const char *text, size_t len, struct network *net)
{
	char copy[ADDRESS_TEXT_MAX + 1];
	char *tail;

	if (len > ADDRESS_TEXT_MAX || memchr(text, '\0', len))
		return ADDRESS_SHAPE;
	memcpy(copy, text, len);
	copy[len] = '\0';
	net->port = 0;
	if (copy[0] == '[')
		return parse_bracket(copy, net);
	tail = strchr(copy, '/');
	if (tail) {
		*tail = '\0';
		return parse_address(copy, net) ? parse_prefix(tail + 1, net) : ADDRESS_SHAPE;
	}
	tail = strchr(copy, ':');
	if (tail && strchr(copy, '.') && !strchr(tail + 1, ':')) {	/* one colon: no IPv6 address */
		*tail = '\0';
		return parse_address(copy, net) ? parse_port(tail + 1, net) : ADDRESS_SHAPE;
	}
	return parse_address(copy, net) ? ADDRESS_GOOD : ADDRESS_SHAPE;
}

void address_print(const struct network *net, char *to)
{
	bool v4 = address_is_v4(net->addr) && net->prefix >= 96;
	unsigned prefix = v4 ? net->prefix - 96u : net->prefix;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? net->addr + 12 : net->addr, text, sizeof(text));
	snprintf(to, ADDRESS_TEXT_MAX + 1, "%s/%u", text, prefix);
}

/* Doubled when full: 0 and powers of two. */
static int reserve_item(struct address_set *set)
{
	struct network *items;

	if (set->n & (set->n - 1))
		return 0;
	items = reallocarray(set->items, set->n ? set->n * 2 : 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	set->items = items;
	return 0;
}

static int reserve_text(struct address_set *set, size_t len)
{
	size_t size = set->texts_size ? set->texts_size : 64;
	char *texts;

	while (size < set->texts_used + len)
		size *= 2;
	if (size == set->texts_size)
		return 0;
	texts = realloc(set->texts, size);
	if (!texts)
		return -ENOMEM;
	set->texts = texts;
	set->texts_size = size;
	return 0;
}

int address_set_add(struct address_set *set, const struct network *net, const char *text, size_t len)
{
	struct network *item;

	if (reserve_item(set) || reserve_text(set, len + 1))
		return -ENOMEM;
	item = &set->items[set->n++];
	*item = *net;
	item->text = (const char *)(uintptr_t)set->texts_used;	/* the texts move until the seal */
	memcpy(set->texts + set->texts_used, text, len);
	set->texts[set->texts_used + len] = '\0';
	set->texts_used += len + 1;
	return 0;
}

static uint64_t half(const uint8_t *addr)
{
	uint64_t value;

	memcpy(&value, addr, sizeof(value));
	return be64toh(value);
}

static int compare_addr(const uint8_t *a, const uint8_t *b)
{
	uint64_t x = half(a), y = half(b);

	if (x == y) {
		x = half(a + 8);
		y = half(b + 8);
	}
	return x < y ? -1 : x > y;
}

static int compare_net(const struct network *a, const struct network *b)
{
	int order = compare_addr(a->addr, b->addr);

	return order ? order : (int)a->prefix - (int)b->prefix;
}

static int compare_key(const struct network *a, const struct network *b)
{
	int order = compare_net(a, b);

	return order ? order : (int)a->port - (int)b->port;
}

static int compare_items(const void *left, const void *right)
{
	const struct network *a = left, *b = right;
	int order = compare_key(a, b);

	if (order)
		return order;
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

int address_set_read(struct address_set *set, const char *text, size_t len, unsigned *line)
{
	const char *end = text + len, *stop, *last;
	struct network net;

	for (*line = 1; text < end; text = stop + 1, ++*line) {
		stop = memchr(text, '\n', (size_t)(end - text));
		stop = stop ? stop : end;
		last = memchr(text, '#', (size_t)(stop - text));
		last = last ? last : stop;
		while (text < last && (*text == ' ' || *text == '\t'))
			text++;
		while (last > text && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r'))
			last--;
		if (text == last)
			continue;
		memset(&net, 0, sizeof(net));
		if (address_parse(text, (size_t)(last - text), &net) != ADDRESS_GOOD || net.port)
			return -EINVAL;
		net.line = *line;
		if (address_set_add(set, &net, text, (size_t)(last - text)))
			return -ENOMEM;
	}
	return 0;
}

/* A network as it contains another address: every bit of the prefix is the same. IPv4 is only in networks of its own. */
static bool contains(const struct network *net, const uint8_t addr[16], bool v4)
{
	unsigned bytes = net->prefix / 8, rest = net->prefix % 8;

	if (v4 && net->prefix < 96)
		return false;
	return !memcmp(net->addr, addr, bytes) && (!rest || !((net->addr[bytes] ^ addr[bytes]) >> (8 - rest)));
}

bool address_overlap(const struct network *a, const struct network *b)
{
	const struct network *wide = a->prefix < b->prefix ? a : b, *narrow = wide == a ? b : a;

	return contains(wide, narrow->addr, address_is_v4(narrow->addr) && narrow->prefix >= 96);
}

/* The first of equal ones of a source stays. */
static void drop_repeats(struct address_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		if (!n || compare_key(&set->items[n - 1], &set->items[i]) || set->items[n - 1].source != set->items[i].source)
			set->items[n++] = set->items[i];
	set->n = n;
}

int address_set_seal(struct address_set *set)
{
	uint32_t open[130];		/* 1 + an item of each network around the next one; at most one a prefix length */
	unsigned n_open = 0;

	if (!set->n)
		return 0;
	for (size_t i = 0; i < set->n; i++)
		set->items[i].text = set->texts + (uintptr_t)set->items[i].text;
	qsort(set->items, set->n, sizeof(*set->items), compare_items);
	drop_repeats(set);
	set->up = calloc(set->n, sizeof(*set->up));
	if (!set->up)
		return -ENOMEM;
	for (size_t i = 0; i < set->n; i++) {
		const struct network *item = &set->items[i];

		if (i && !compare_net(item, item - 1)) {
			set->up[i] = set->up[i - 1];
			open[n_open - 1] = (uint32_t)i + 1;
			continue;
		}
		while (n_open && !contains(&set->items[open[n_open - 1] - 1], item->addr, false))
			n_open--;
		set->up[i] = n_open ? open[n_open - 1] : 0;
		open[n_open++] = (uint32_t)i + 1;
	}
	return 0;
}

void address_set_fini(struct address_set *set)
{
	free(set->items);
	free(set->up);
	free(set->texts);
	*set = (struct address_set) { 0 };
}

/* How many items come before the key: by address alone, or whole. */
static size_t count_before(const struct address_set *set, size_t high, const struct network *key,
			   int (*compare)(const struct network *item, const struct network *key))
{
	size_t low = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&set->items[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Up to and with the address. */
static int compare_start(const struct network *item, const struct network *key)
{
	return compare_addr(item->addr, key->addr) <= 0 ? -1 : 1;
}

static unsigned rank_of(const struct network *item, const uint8_t *rank)
{
	return rank ? rank[item->source] : 1;
}

/* The best of the items of the network of item `last` that have this port. */
static void match_port(const struct address_set *set, size_t last, uint16_t port, const uint8_t *rank, const struct network **best)
{
	struct network key = set->items[last];

	key.port = port;
	for (size_t i = count_before(set, last + 1, &key, compare_key); i <= last && set->items[i].port == port; i++)
		if (rank_of(&set->items[i], rank) > (*best ? rank_of(*best, rank) : 0))
			*best = &set->items[i];
}

const struct network *address_set_search(const struct address_set *set, const uint8_t addr[16], uint16_t port, const uint8_t *rank)
{
	const struct network *best = NULL;
	struct network key;
	bool v4 = address_is_v4(addr);
	size_t at;

	memcpy(key.addr, addr, sizeof(key.addr));
	for (at = count_before(set, set->n, &key, compare_start); at; at = set->up[at - 1]) {
		if (!contains(&set->items[at - 1], addr, v4))
			continue;
		if (port)
			match_port(set, at - 1, port, rank, &best);
		match_port(set, at - 1, 0, rank, &best);
		if (best && !rank)
			break;
	}
	return best;
}

/* The bit, counted from the left. */
static bool bit_of(const uint8_t *addr, unsigned bit)
{
	return addr[bit / 8] >> (7 - bit % 8) & 1;
}

static bool ends_within(const uint8_t first[16], unsigned prefix, const uint8_t last[16])
{
	uint8_t end[16];

	memcpy(end, first, sizeof(end));
	for (unsigned bit = prefix; bit < 128; bit++)
		end[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return compare_addr(end, last) <= 0;
}

bool address_range(uint8_t first[16], const uint8_t last[16], struct network *net)
{
	unsigned prefix = 128, least = address_is_v4(first) ? 96 : 0;

	while (prefix > least && !bit_of(first, prefix - 1) && ends_within(first, prefix - 1, last))
		prefix--;
	memcpy(net->addr, first, sizeof(net->addr));
	net->prefix = (uint8_t)prefix;
	/* The next one begins behind it. */
	for (unsigned i = prefix; i-- > 0;) {
		first[i / 8] ^= (uint8_t)(0x80 >> i % 8);
		if (bit_of(first, i))
			return compare_addr(first, last) <= 0;
	}
	return false;
}
