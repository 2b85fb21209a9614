/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsing of address rules, and their search: a binary search for each distinct prefix length, longest first.
 * Policies name a handful of prefix lengths, so a look-up costs well under a microsecond at any size. */
#include "policy/addresses.h"

#include <arpa/inet.h>
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
	unsigned port;

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

int address_set_add(struct address_set *set, const struct network *net, const char *text, size_t len)
{
	struct network *item;

	if (!(set->n & (set->n - 1))) {		/* 0 and powers of two: full */
		struct network *items = reallocarray(set->items, set->n ? set->n * 2 : 1, sizeof(*items));

		if (!items)
			return -ENOMEM;
		set->items = items;
	}
	item = &set->items[set->n];
	*item = *net;
	item->text = strndup(text, len);
	if (!item->text)
		return -ENOMEM;
	set->n++;
	return 0;
}

static int compare_key(const struct network *a, const struct network *b)
{
	int order;

	if (a->prefix != b->prefix)
		return a->prefix > b->prefix ? -1 : 1;
	order = memcmp(a->addr, b->addr, sizeof(a->addr));
	if (order)
		return order;
	return (int)a->port - (int)b->port;
}

static int compare_items(const void *left, const void *right)
{
	const struct network *a = left, *b = right;
	int order = compare_key(a, b);

	if (order)
		return order;
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

void address_set_seal(struct address_set *set)
{
	if (!set->n)
		return;
	qsort(set->items, set->n, sizeof(*set->items), compare_items);
	set->n_prefixes = 0;
	for (size_t i = 0; i < set->n; i++)
		if (!i || set->items[i].prefix != set->items[i - 1].prefix)
			set->prefixes[set->n_prefixes++] = set->items[i].prefix;
}

void address_set_fini(struct address_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free((char *)set->items[i].text);
	free(set->items);
	*set = (struct address_set) { 0 };
}

static const struct network *find_exact(const struct address_set *set, const struct network *key)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_key(&set->items[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->n && !compare_key(&set->items[low], key) ? &set->items[low] : NULL;
}

const struct network *address_set_match(const struct address_set *set, const uint8_t addr[16], uint16_t port)
{
	bool v4;

	if (!set->n_prefixes)	/* most sets, for every flow */
		return NULL;
	v4 = address_is_v4(addr);
	for (unsigned i = 0; i < set->n_prefixes; i++) {
		struct network key = { .prefix = set->prefixes[i], .port = port };
		const struct network *found;

		if (v4 && key.prefix < 96)
			break;		/* shorter ones are IPv6 networks */
		memcpy(key.addr, addr, sizeof(key.addr));
		mask_address(key.addr, key.prefix);
		found = find_exact(set, &key);
		key.port = 0;
		if (!found && port)
			found = find_exact(set, &key);
		if (found)
			return found;
	}
	return NULL;
}
