/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HPACK (RFC 7541): the fields of one direction's header blocks, block after block with one table. Memory is fixed and every
 * byte costs a bounded amount; what a peer with a larger table than the default may say is refused. */
#ifndef MINEWALL_HPACK_H
#define MINEWALL_HPACK_H

#include "inspect/cursor.h"

/* SETTINGS_HEADER_TABLE_SIZE as it is until a server asks for another (RFC 9113 6.5.2), and what an entry counts at least. */
#define HPACK_TABLE_MAX 4096
#define HPACK_ENTRY_COST 32
#define HPACK_ENTRIES_MAX (HPACK_TABLE_MAX / HPACK_ENTRY_COST)

struct hpack_entry {
	uint16_t at;		/* of the name in `bytes`; the value is behind it */
	uint16_t name_len;
	uint16_t value_len;
};

struct hpack {
	size_t limit;		/* as the sender set it last */
	size_t size;		/* of all entries, their cost included */
	unsigned newest, n;	/* entries[newest] has index 62 */
	size_t end;		/* of the strings in `bytes` */
	struct hpack_entry entries[HPACK_ENTRIES_MAX];
	uint8_t bytes[2 * HPACK_TABLE_MAX];	/* twice, so that old strings are moved away seldom */
	uint8_t name[HPACK_TABLE_MAX], value[HPACK_TABLE_MAX];	/* of the field at hand */
};

/* Views live until the next call. A text longer than the table is cut: it is no name of a host. */
struct hpack_field {
	struct view name, value;
};

void hpack_init(struct hpack *h);

/* The next field of the block. MORE: the block has no more (`block->error` if it ended in the middle of one). BAD: nonsense,
 * after which nothing of the connection can be read. */
enum inspect_result hpack_next(struct hpack *h, struct cursor *block, struct hpack_field *out);

#endif
