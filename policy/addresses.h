/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks and endpoints as the policy writes them, and sets of them that are searched by longest prefix.
 * Addresses are 16 bytes, IPv4 v4-mapped; an IPv6 network never covers an IPv4 address, ::/0 included. */
#ifndef MINEWALL_ADDRESSES_H
#define MINEWALL_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

/* Entries of one list of the policy; more than a few hundred belong into a set of the admin's own firewall. */
#define ADDRESS_SET_MAX 16384

/* Longest text of an entry: "[" + 45 of an IPv6 address + "]:65535", or "/128". */
#define ADDRESS_TEXT_MAX 53

enum address_problem {
	ADDRESS_GOOD,
	ADDRESS_SHAPE,		/* no address, network or endpoint */
	ADDRESS_PREFIX,		/* prefix is no number of 0..32 or 0..128 */
	ADDRESS_PORT,		/* port is no number of 1..65535 */
	ADDRESS_HOST_BITS,	/* a network whose address has bits behind the prefix */
};

/* Reads `A`, `A/P`, `A:port` and, for IPv6, `A`, `A/P`, `[A]`, `[A]:port`. Leaves line and text alone. On
 * ADDRESS_HOST_BITS `net` is the network that was probably meant. */
enum address_problem address_parse(const char *text, size_t len, struct network *net);

/* Writes the network as text ("10.0.0.0/8", no port) into a buffer of ADDRESS_TEXT_MAX + 1 bytes. */
void address_print(const struct network *net, char *to);

bool address_is_v4(const uint8_t addr[16]);

/* Networks of all lists together, ranges as the networks that make them up: about 60 MB. */
#define ADDRESS_LISTS_MAX 1000000

struct address_set {
	struct network *items;		/* after address_set_seal: by address, shorter prefixes first, then by port */
	uint32_t *up;			/* for each 1 + the last item of the smallest network around it; 0: none */
	size_t n;
	char *texts;
	size_t texts_used, texts_size;
};

/* Takes a copy of the text; until the seal an item's `text` is no pointer. 0 or -ENOMEM. */
int address_set_add(struct address_set *set, const struct network *net, const char *text, size_t len);

/* Adds each line of a file's text: one address or network, no port; '#' begins a comment. 0, -ENOMEM, or -EINVAL with the
 * number of the line that is none. */
int address_set_read(struct address_set *set, const char *text, size_t len, unsigned *line);

/* Builds the index; of equal entries of one source the first stays. 0 or -ENOMEM. */
int address_set_seal(struct address_set *set);
void address_set_fini(struct address_set *set);

/* As address_set_match_ranked, or without ranks if `rank` is NULL; for a set that is not empty. */
const struct network *address_set_search(const struct address_set *set, const uint8_t addr[16], uint16_t port, const uint8_t *rank);

/* The most specific entry that covers the address and (unless it says none) the port, or NULL. A new flow is looked up in ten sets,
 * most of which are empty. */
static inline const struct network *address_set_match(const struct address_set *set, const uint8_t addr[16], uint16_t port)
{
	return set->n ? address_set_search(set, addr, port, NULL) : NULL;
}

/* The same among those of the highest rank; `rank` has a value for each source. */
static inline const struct network *address_set_match_ranked(const struct address_set *set, const uint8_t addr[16], uint16_t port,
							     const uint8_t *rank)
{
	return set->n ? address_set_search(set, addr, port, rank) : NULL;
}

/* Whether two networks have an address in common. */
bool address_overlap(const struct network *a, const struct network *b);

/* The networks, one after the other, that together are the addresses from `first` to `last`, both of one family. Starts with
 * `first`; after each, `net` is the next one. False: that was the last. */
bool address_range(uint8_t first[16], const uint8_t last[16], struct network *net);

#endif
