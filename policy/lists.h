/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of names and addresses as the world publishes them, in a dozen formats. What a gateway cannot use is counted by its
 * reason and skipped, never an error: a list of strangers must not stop the daemon. */
#ifndef MINEWALL_LISTS_H
#define MINEWALL_LISTS_H

#include <stddef.h>

#include "policy/addresses.h"
#include "policy/names.h"

enum list_format {
	LIST_AUTO,		/* seen from the content */
	LIST_PLAIN,		/* one a line: name, *.name, .name, address, network, address:port, range, URL of a host */
	LIST_HOSTS,		/* 0.0.0.0 name name */
	LIST_ADBLOCK,		/* Adblock Plus, uBlock, AdGuard: ||name^, @@||name^ */
	LIST_DNSMASQ,		/* address=/name/, server=/name/, local=/name/ */
	LIST_UNBOUND,		/* local-zone: "name" always_nxdomain, local-data: "name A 0.0.0.0" */
	LIST_RPZ,		/* a zone file: name CNAME . */
	LIST_IPSET,		/* ipset save: add SET ENTRY */
	LIST_NFTABLES,		/* a set of nftables: elements = { ... } */
	LIST_P2P,		/* label:first-last, and ipfilter.dat: first - last , level , label */
	LIST_SURICATA,		/* a dataset of strings: base64, perhaps with ,reputation */
	LIST_WILDCARD,		/* *.name or .name a line: the name itself, too */
	LIST_FORMATS,
};

/* Why an entry is not used. */
enum list_reason {
	SKIP_PATH,		/* a URL's path, a part of one or of a name: a gateway sees hosts */
	SKIP_COSMETIC,		/* hides elements of pages, scriptlets */
	SKIP_REGEX,
	SKIP_PATTERN,		/* a '*' inside a name */
	SKIP_OPTION,		/* holds only where a gateway cannot look: $script, $domain= */
	SKIP_DISABLED,		/* taken back by $badfilter, and that rule itself */
	SKIP_REDIRECT,		/* sends the name to a real address or another name */
	SKIP_DIRECTIVE,		/* says something else than which names or addresses: another statement of the format */
	SKIP_PORT,		/* one port of a name */
	SKIP_UNICODE,		/* no name of IDNA 2008, or built without libidn2 */
	SKIP_NAME,		/* no host name */
	SKIP_LONG,		/* a name over NAME_ENTRY_MAX bytes, a line over LIST_LINE_MAX */
	SKIP_ADDRESS,		/* a broken address */
	SKIP_WIDE,		/* a whole top-level domain, registry or large part of the internet */
	SKIP_LOCAL,		/* addresses that are in no public network */
	SKIP_SYNTAX,		/* no line of this format */
	SKIP_REASONS,
};

/* Bytes of a line that are looked at; a longer line is skipped whole. */
#define LIST_LINE_MAX 4096

/* Bytes of a list's file: 2,000,000 names of 60 bytes in hosts format are 130 MB. */
#define LIST_FILE_MAX (256u << 20)

/* Networks of lists that are wider than this are a mistake: a thousandth of all addresses each, and more. */
#define LIST_PREFIX_MIN4 8
#define LIST_PREFIX_MIN6 16

/* What a list's text may be instead: nothing in it is an entry then. */
enum list_alien {
	ALIEN_NONE,
	ALIEN_PACKED,		/* gzip, xz, zip ...: "looks like a packed file" */
	ALIEN_WIDE,		/* UTF-16 */
	ALIEN_PAGE,		/* HTML or XML: an error page instead of the list */
};

struct list_counts {
	enum list_format format;	/* as named, or as seen */
	enum list_alien alien;
	size_t used;			/* entries: names, addresses and exceptions together */
	size_t skipped;			/* entries that name nothing usable; comments and localhost lines are no entries */
	size_t names, addresses, exceptions;
	size_t reasons[SKIP_REASONS];	/* together `skipped` */
};

/* Entries of an adblock list that win over its exceptions ($important) have this bit in their source. */
#define LIST_IMPORTANT 0x40u

/* Where entries go; what is NULL is counted only. */
struct list_target {
	struct name_set *names, *excepted_names;
	struct address_set *addresses, *excepted_addresses;
	unsigned source;
};

/* Adds every usable entry of the text. 0, -ENOMEM, or -E2BIG when a set is full (NAME_SET_MAX, ADDRESS_LISTS_MAX). */
int list_load(const struct list_target *to, enum list_format format, const char *text, size_t len, struct list_counts *counts);

/* The same for its names alone; addresses and exceptions are counted. */
int list_read(struct name_set *set, unsigned source, enum list_format format, const char *text, size_t len,
	      struct list_counts *counts);

const char *list_format_text(enum list_format format);		/* "hosts" */
const char *list_reason_text(enum list_reason reason);		/* "path" */
const char *list_alien_text(enum list_alien alien);		/* "looks like a web page" */

#endif
