/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of host names that answers "is this name, or a name above it, in here?" for names that an attacker
 * chose. Built once from lists and then only read; a look-up allocates nothing and its work is bounded. */
#ifndef MINEWALL_NAMES_H
#define MINEWALL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A host name of RFC 1035 has at most 253 bytes as text, and so has an entry; a look-up leaves room for what servers accept. */
#define NAME_ENTRY_MAX 253
#define NAME_LEN_MAX 255
#define NAME_LABEL_MAX 63

/* All names of all lists together: bounds the memory of a policy (about 60 MB at 20 bytes a name). */
#define NAME_SET_MAX 2000000u

/* Where an entry comes from, in seven bits: 0 is the policy file itself, 1.. its lists in their order. */
#define NAME_SOURCE_MAX 127

/* Why a text is no entry. */
enum name_problem {
	NAME_GOOD,
	NAME_EMPTY,		/* "", "." or "*." alone */
	NAME_LONG,		/* over NAME_ENTRY_MAX bytes */
	NAME_LABEL,		/* a label is empty or over NAME_LABEL_MAX bytes */
	NAME_BYTE,		/* a byte that no host name has */
	NAME_UNICODE,		/* not ASCII: the xn-- form is needed */
	NAME_ADDRESS,		/* the last label is a number: an IP address or nothing at all */
	NAME_WIDE,		/* would cover a whole top-level domain or registry: "com", "*.com", "co.uk" */
};

/* An entry, ready for name_set_add: lower case, no trailing dot, and for "*.x" the x with `below` set. */
struct name_entry {
	char text[NAME_LEN_MAX + 17];	/* whole words are written, and read behind its end */
	size_t len;
	uint8_t dots[NAME_LEN_MAX + 17];	/* where they are */
	unsigned n_dots;
	bool below;		/* only names below it, not itself */
};

/* Reads one entry as a list or the policy has it ("Pool.Example.", "*.pool.example"); no blanks around it.
 * Says of NAME_WIDE only after all else is right, and fills `entry` then, too: an allow rule may be that wide. */
enum name_problem name_parse(const char *text, size_t len, struct name_entry *entry);

/* The same for names that may be Unicode (UTF-8): their xn-- form by IDNA 2008, if libidn2 was there when this was built. */
enum name_problem name_parse_any(const char *text, size_t len, struct name_entry *entry);
bool name_knows_unicode(void);

/* The same in two steps, for who does not know yet where the name ends: the first takes the longest run of letters, digits and
 * "-_." and answers its length; the second, only for a run of at most NAME_LEN_MAX, says what is wrong with it. */
size_t name_scan(const char *text, size_t len, struct name_entry *entry);
enum name_problem name_settle(struct name_entry *entry);

/* The problem as a clause: "it has an empty label or one over 63 bytes". */
const char *name_problem_text(enum name_problem problem);

struct name_set;

/* What matched. `entry` lives as long as the set ("*.x" for an entry that only covers names below x). */
struct name_hit {
	const char *entry;
	unsigned source;
	unsigned line;
};

/* Takes its secret hash seed from the kernel. NULL: no memory. */
struct name_set *name_set_new(void);
void name_set_free(struct name_set *set);

/* Entries of a source with a higher rank win over those of a lower one, however specific. 1 to 255; 1 unless said. */
void name_set_rank(struct name_set *set, unsigned source, unsigned rank);

/* Adds a good entry; only before name_set_seal. 0, -ENOMEM, or -E2BIG for more than NAME_SET_MAX. */
int name_set_add(struct name_set *set, const struct name_entry *entry, unsigned source, unsigned line);

/* A list of so many bytes is going to be added: room for it at once, where it would be moved again and again. Without memory for it
 * nothing has changed. */
void name_set_expect(struct name_set *set, size_t len);

/* Builds the index, once. Of equal entries of one source the first added stays, but "x" beats "*.x"; those of other sources are
 * kept beside it. Takes about twice the set's memory while it works. 0 or -ENOMEM. */
int name_set_seal(struct name_set *set);

/* Of the entries that cover the host name (any case, one trailing dot allowed) one of the highest rank, of these the most
 * specific, of these the first added; or false. Names over NAME_LEN_MAX, or with bytes that are blank, control or not ASCII, match
 * nothing. Only after name_set_seal. */
bool name_set_match(const struct name_set *set, const void *host, size_t len, struct name_hit *hit);

/* All entries that cover it, the least specific first, at most `max` of them; answers how many there are. */
size_t name_set_all(const struct name_set *set, const void *host, size_t len, struct name_hit *hits, size_t max);

/* Each entry, in no order; a name that several sources have comes as often. `name` is without the "*." of one that only covers names
 * below (`below`). Only after name_set_seal. What `each` answers other than 0 ends it and is answered. */
int name_set_each(const struct name_set *set, int (*each)(const char *name, size_t len, bool below, void *arg), void *arg);

/* Distinct names, and the bytes that the set holds. */
size_t name_set_count(const struct name_set *set);
size_t name_set_bytes(const struct name_set *set);

#endif
