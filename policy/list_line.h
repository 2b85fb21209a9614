/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the readers of the list formats share: a piece of text, the list that is being read, and where its entries go. For the
 * list_*.c files of this folder alone. */
#ifndef MINEWALL_LIST_LINE_H
#define MINEWALL_LIST_LINE_H

#include <stdbool.h>

#include "policy/lists.h"

struct span {
	const char *p;
	const char *end;
};

/* What an entry means beside its name. */
enum list_flag {
	LIST_EXCEPT = 1,	/* an exception */
	LIST_ITSELF = 2,	/* "*.x" means x, too */
	LIST_STRONG = 4,	/* $important */
};

struct list {
	const struct list_target *to;
	struct list_counts *counts;
	unsigned line;
	int error;		/* sticky: -ENOMEM or -E2BIG */
	struct span prefix;	/* hosts: address and blank of the line before */
	uint64_t *disabled;	/* adblock: keys of the rules that a $badfilter takes back, sorted */
	size_t n_disabled;
	struct span owner, origin;	/* rpz */
	unsigned depth;		/* rpz: open parentheses */
};

static inline size_t span_len(struct span s)
{
	return (size_t)(s.end - s.p);
}

static inline bool span_empty(struct span s)
{
	return s.p == s.end;
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool span_is(struct span s, const char *word);			/* any case */
bool span_starts(struct span s, const char *word);		/* any case */
bool span_digits(struct span s);				/* at least one, nothing else */
struct span span_trim(struct span s);
struct span span_find(struct span s, char c);			/* from the first c on; empty at the end */
bool span_has(struct span s, const char *word);

struct span next_line(struct span *text);

/* The next word, or an empty span at the line's end or at a comment ('#' at a word's start, and `other` if it is not 0). */
struct span next_word(struct span *line, char other);

/* The text up to `separator`, which is skipped; trimmed. */
struct span next_part(struct span *line, char separator);

void list_skip(struct list *list, enum list_reason reason);

/* A name ("*.x" and ".x", too), an address, network, address:port or range: adds it, or counts why not. */
void list_entry(struct list *list, struct span word, unsigned flags);
void list_name(struct list *list, struct span word, unsigned flags);
void list_add_name(struct list *list, const struct name_entry *entry, unsigned flags);

/* With a port for all of it, 0: as the word says. False: no address at all, nothing counted. */
bool list_address(struct list *list, struct span word, unsigned port, unsigned flags);

/* An address, and whether it is one of those where blocked names are sent. */
bool list_is_sink(struct span word, bool *sink);

/* Names that every hosts file has for the machine itself. */
bool list_is_local(const char *name, size_t len);

/* A name whose line says what kind of thing is wrong with it. */
void list_skip_name(struct list *list, struct span word, enum name_problem problem);

/* The readers: one line each, trimmed, not empty; comments are theirs. */
void list_plain_line(struct list *list, struct span line);
/* Reads lines as long as they are of the commonest kind: one good name, in the hosts format behind the same address as in the line
 * before; the rest of the text is left. */
void list_quick(struct list *list, struct span *text);

void list_wildcard_line(struct list *list, struct span line);
void list_hosts_line(struct list *list, struct span line);
void list_adblock_line(struct list *list, struct span line);
void list_dnsmasq_line(struct list *list, struct span line);
void list_unbound_line(struct list *list, struct span line);
void list_rpz_line(struct list *list, struct span line);
void list_ipset_line(struct list *list, struct span line);
void list_p2p_line(struct list *list, struct span line);
void list_suricata_line(struct list *list, struct span line);

/* Adblock: looks through the text for $badfilter. To be freed by list_adblock_fini. */
void list_adblock_init(struct list *list, struct span text);
void list_adblock_fini(struct list *list);

/* This one reads the whole text: a set may be one long line. */
void list_nftables(struct list *list, struct span text);

/* The format that most of the first lines speak for. */
enum list_format list_detect(struct span text);

/* Base64 with its padding into at most `size` bytes; answers how many, or -1. */
int list_base64(struct span s, char *to, size_t size);

#endif
