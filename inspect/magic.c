// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of byte patterns and their one reader (PROTOCOLS 1.8, 1.9). Every row begins with bytes at offset 0, so that
 * other streams are refused by their first byte. */
#include "inspect/magic.h"

#include <string.h>

#include "inspect/cursor.h"

#define MAGIC_PIECES 3

/* The fields of SetupConnection with five texts of no and of most bytes. */
#define SV2_SETUP_MIN 16
#define SV2_SETUP_MAX (16 + 5 * 255)

#define C DIALECT_FROM_CLIENT
#define S DIALECT_FROM_SERVER

/* Bytes that begin at any offset from `from` to `to`; without bytes: none. */
struct magic_piece {
	uint16_t from, to;
	uint8_t len;
	const char *bytes;
};

struct magic_row {
	const char *dialect;
	enum mining_kind kind;
	unsigned sides;
	struct magic_piece pieces[MAGIC_PIECES];
	enum inspect_result (*more)(struct view all);	/* what bytes alone do not tell; NULL: nothing */
};

#define AT(offset, text) { offset, offset, sizeof(text) - 1, text }
#define WITHIN(from, to, text) { from, to, sizeof(text) - 1, text }

static enum inspect_result magic_sv2(struct view all);

/* The command of a first message, in a field of twelve bytes behind the network's four. */
#define BITCOIN(magic) { "bitcoin-p2p", MINING_NODE, C | S, { AT(0, magic), AT(4, "version\0\0\0\0\0") } }

/* ZMTP's signature and version (its length byte is 0 or 1), as a subscriber to a Monero node begins; the topic follows. */
#define ZMTP AT(0, "\xff\0\0\0\0\0\0\0"), AT(9, "\x7f\x03")

static const struct magic_row magic_rows[] = {
	{ "stratum-v2-plain", MINING_STRATUM, C, { AT(0, "\0\0\0") }, magic_sv2 },
	{ "duino-coin", MINING_STRATUM, C, { AT(0, "FROM,PC Miner,") } },
	{ "repl.it-miner", MINING_STRATUM, C, { AT(0, "FROM,"), WITHIN(5, 27, "Repl.it Miner v1.") } },
	{ "pan-chan", MINING_STRATUM, C, { AT(0, "pan-chan's mining rig hi!\nsharepeer ") } },
	{ "protominer", MINING_STRATUM, C, { AT(0, "\x01\x27\0\0\x05\0\0\0\x09"), AT(27, "Protominer") } },
	/* new blocks asked of a node: solo miners and p2pool do, and few others want these two topics */
	{ "monero-zmq", MINING_GETWORK, C, { ZMTP, WITHIN(64, 250, "json-minimal-chain_main") } },
	{ "monero-zmq", MINING_GETWORK, C, { ZMTP, WITHIN(64, 250, "json-full-miner_data") } },
	{ "monero-p2p", MINING_NODE, C | S, { AT(0, "\x01\x21\x01\x01\x01\x01\x01\x01") } },
	BITCOIN("\xf9\xbe\xb4\xd9"),	/* the main network */
	BITCOIN("\xfa\xbf\xb5\xda"),	/* regtest */
	BITCOIN("\x0b\x11\x09\x07"),	/* testnet3 */
	BITCOIN("\x0a\x03\xcf\x40"),	/* signet */
	BITCOIN("\xf9\xbe\xb4\xfe"),	/* Namecoin */
};

/* Skips a text that has its length in front (STR0_255). */
static void magic_text(struct cursor *c)
{
	cursor_skip(c, cursor_u8(c));
}

/* SetupConnection of Stratum V2 without encryption: u16 extension, u8 type, u24le length; then u8 protocol (0 to 2), u16le versions
 * from 2 to 2, u32 flags, a text, u16 port and four texts that fill the length exactly. */
static enum inspect_result magic_sv2(struct view all)
{
	struct cursor c = cursor_make(all.p, all.len, all.len);
	size_t len, i;
	struct view fixed;

	cursor_skip(&c, 3);
	len = cursor_u8(&c);
	len |= (size_t)cursor_u8(&c) << 8;
	len |= (size_t)cursor_u8(&c) << 16;
	if (c.error)
		return INSPECT_MORE;
	if (len < SV2_SETUP_MIN || len > SV2_SETUP_MAX)
		return INSPECT_NO;
	c = cursor_make(all.p + c.pos, len, all.len - c.pos);
	fixed = cursor_take(&c, 5);
	if (fixed.len && (fixed.p[0] > 2 || memcmp(fixed.p + 1, "\2\0\2", 4)))
		return INSPECT_NO;
	cursor_skip(&c, 4);
	magic_text(&c);
	cursor_skip(&c, 2);
	for (i = 0; i < 4; i++)
		magic_text(&c);
	if (c.error == CURSOR_SHORT)
		return INSPECT_MORE;
	return c.error || cursor_left(&c) ? INSPECT_NO : INSPECT_MATCH;
}

/* Only the last offset tells that it will not come. */
static enum inspect_result magic_piece(const struct magic_piece *piece, struct view all)
{
	size_t at, n;

	for (at = piece->from; at <= piece->to; at++) {
		if (at >= all.len)
			return INSPECT_MORE;
		n = all.len - at < piece->len ? all.len - at : piece->len;
		if (!memcmp(all.p + at, piece->bytes, n))
			return n == piece->len ? INSPECT_MATCH : INSPECT_MORE;
	}
	return INSPECT_NO;
}

static enum inspect_result magic_row(const struct magic_row *row, struct view all)
{
	enum inspect_result r = INSPECT_MATCH;
	size_t i;

	for (i = 0; i < MAGIC_PIECES && row->pieces[i].len && r == INSPECT_MATCH; i++)
		r = magic_piece(&row->pieces[i], all);
	return r == INSPECT_MATCH && row->more ? row->more(all) : r;
}

static bool magic_side(const struct magic_row *row, enum side side)
{
	return side == SIDE_UNSURE || row->sides & (side == SIDE_CLIENT ? C : S);
}

static void magic_fill(const struct inspect_input *in, const struct magic_row *row, struct facts *out)
{
	out->mining = true;
	out->stratum = (struct stratum_facts){ .kind = row->kind, .dialect = row->dialect, .sides = row->sides };
	out->consumed = in->len;
	if (row->kind == MINING_STRATUM) {
		out->app = APP_STRATUM;
		return;
	}
	/* else nothing is decided yet: it may be a prelude to something worse, as any unknown bytes may */
	out->again = AGAIN_AS;
	out->next = APP_STRATUM;
}

enum inspect_result magic_inspect(const struct inspect_input *in, struct facts *out)
{
	const struct view all = { in->p, in->len };
	enum inspect_result best = INSPECT_NO, r;
	size_t i;

	for (i = 0; i < sizeof(magic_rows) / sizeof(magic_rows[0]); i++) {
		const struct magic_row *row = &magic_rows[i];

		if (*in->p != (uint8_t)*row->pieces[0].bytes || !magic_side(row, in->side))
			continue;
		r = magic_row(row, all);
		if (r == INSPECT_MATCH) {
			magic_fill(in, row, out);
			return r;
		}
		if (r == INSPECT_MORE && !in->ended)
			best = r;
	}
	return best;
}
