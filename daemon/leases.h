/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names that devices gave the DHCP server: lease files of dnsmasq, odhcpd and Kea, told apart by their content. A device
 * chooses its name, so it is escaped and cut, and it decides about nothing. */
#ifndef MINEWALL_LEASES_H
#define MINEWALL_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASES_NAME_MAX 64
/* Leases of a large house; more are left out. */
#define LEASES_MAX 8192

enum lease_format { LEASES_UNKNOWN, LEASES_DNSMASQ, LEASES_ODHCPD, LEASES_KEA };

struct lease {
	char mac[18], address[46], name[LEASES_NAME_MAX];	/* "" if not known */
};

struct leases {
	struct lease *items;
	size_t n, room;
};

void leases_fini(struct leases *l);

/* A file's text, which the caller frees, with no NUL behind it; `*error` is 0, an errno, or EFBIG for what is no lease file by its size or kind. */
struct stat;
char *leases_text(const char *path, struct stat *st, size_t *len, int *error);

/* Adds what the text of one file holds; a later line of the same address takes the place of an earlier one. */
enum lease_format leases_read(struct leases *l, const char *text, size_t len);

/* The name for the MAC (first) or the address; "" if there is none. Either may be "". */
const char *leases_name(const struct leases *l, const char *mac, const char *address);

/* The last lease of this name, in any case of letters; NULL. */
const struct lease *leases_named(const struct leases *l, const char *name);

#endif
