// SPDX-License-Identifier: GPL-2.0-or-later
/* Follows a rule's registers as far as marks go: where a value came from, which of its bits were let through, which
 * constant was laid over it. Reads rules that others wrote; never changes one. */
#include "nft/markuse.h"

#include <stdio.h>
#include <string.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_mark.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

enum { WORDS = 16 };

/* (source & mask) ^ flip, the source moved left by `shift`. A constant has no source and is its flip. */
struct value {
	enum { OTHER, CONSTANT, CT_MARK, PACKET_MARK } source;
	uint32_t mask, flip;
	int shift;
	bool swapped;	/* into network byte order, for < and > */
	const char *map;	/* OTHER: a value of this map */
};

struct reading {
	struct value word[WORDS];
	uint32_t ours;
	char *what;
	size_t size;
	bool found;
	const char *map;
};

/* NFT_REG_1 to 4 are four words each, NFT_REG32_00 and up one. */
static unsigned int word_of(uint32_t reg)
{
	if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15)
		return reg - NFT_REG32_00;
	return reg >= NFT_REG_1 && reg <= NFT_REG_4 ? (reg - NFT_REG_1) * 4 : 0;
}

static uint32_t moved(uint32_t bits, int by)
{
	if (by <= -32 || by >= 32)
		return 0;
	return by >= 0 ? bits << by : bits >> -by;
}

/* The bits of the mark itself that the value depends on. */
static uint32_t read_bits(const struct value *v)
{
	return moved(v->mask, -v->shift);
}

static uint32_t data_of(const struct nftnl_expr *e, uint16_t attr, bool swapped)
{
	uint32_t len, data = 0;
	const void *at = nftnl_expr_get(e, attr, &len);

	if (at)
		memcpy(&data, at, len < sizeof(data) ? len : sizeof(data));
	return swapped ? __builtin_bswap32(data) : data;
}

static void say(struct reading *r, const char *what, uint32_t value, uint32_t mask)
{
	r->found = true;
	snprintf(r->what, r->size, "%s 0x%x/0x%x", what, value, mask);
}

static void say_write(struct reading *r, const char *to, const struct value *v)
{
	static const char *const names[] = { "?", "", "ct mark", "meta mark" };
	int len = snprintf(r->what, r->size, "%s set %s", to, names[v->source]);

	r->found = true;
	if (v->source != CONSTANT && v->mask != UINT32_MAX && len > 0 && (size_t)len < r->size)
		len += snprintf(r->what + len, r->size - (size_t)len, " & 0x%x", v->mask);
	if ((v->source == CONSTANT || v->flip) && len > 0 && (size_t)len < r->size)
		snprintf(r->what + len, r->size - (size_t)len, "%s0x%x",
			 v->source == CONSTANT ? "" : v->flip & v->mask ? " ^ " : " | ", v->flip);
}

static void forget(struct reading *r, uint32_t reg, unsigned int words)
{
	unsigned int first = word_of(reg);

	for (unsigned int i = first; i < first + words && i < WORDS; i++)
		r->word[i] = (struct value) { 0 };
}

static void load(struct reading *r, uint32_t reg, bool is_mark, int source)
{
	forget(r, reg, reg < NFT_REG32_00 ? 4 : 1);
	if (is_mark)
		r->word[word_of(reg)] = (struct value) { .source = source, .mask = UINT32_MAX };
}

/* The connmark is written: bits of ours that are put in, let in or taken out. A plain constant without our bits is
 * the habit of small firewalls at the connection's first packet, before we set ours: tolerated. */
static void write_ct(struct reading *r, const struct value *v)
{
	bool bad = v->flip & r->ours;

	if (v->map && v->mask & r->ours)
		r->map = v->map;
	if (v->source == PACKET_MARK)
		bad |= (v->mask & r->ours) != 0;
	if (v->source == CT_MARK)
		bad |= (v->mask & r->ours) != r->ours || v->shift;
	if (bad)
		say_write(r, "ct mark", v);
}

static void write_packet(struct reading *r, const struct value *v)
{
	bool bad = v->flip & r->ours;

	if (v->map && v->mask & r->ours)
		r->map = v->map;
	if (v->source == CT_MARK)
		bad |= (v->mask & r->ours) != 0;
	if (v->source == PACKET_MARK)
		bad |= (v->mask & r->ours) != r->ours || v->shift;
	if (bad)
		say_write(r, "meta mark", v);
}

/* A comparison of the connmark with our bits in it never holds any more; the packet mark carries them only between our own
 * chains, so there only a rule that asks for them matters. */
static void compare(struct reading *r, const struct value *v, uint32_t with)
{
	if (v->source == CT_MARK && read_bits(v) & r->ours)
		say(r, "compares ct mark", with, v->mask);
	if (v->source == PACKET_MARK && ((with & r->ours) || (v->mask != UINT32_MAX && read_bits(v) & r->ours)))
		say(r, "compares meta mark", with, v->mask);
}

static void read_meta_or_ct(struct reading *r, const struct nftnl_expr *e, bool ct)
{
	uint16_t key_attr = ct ? NFTNL_EXPR_CT_KEY : NFTNL_EXPR_META_KEY;
	uint16_t set_attr = ct ? NFTNL_EXPR_CT_SREG : NFTNL_EXPR_META_SREG;
	uint16_t load_attr = ct ? NFTNL_EXPR_CT_DREG : NFTNL_EXPR_META_DREG;
	bool is_mark = nftnl_expr_get_u32(e, key_attr) == (ct ? (uint32_t)NFT_CT_MARK : (uint32_t)NFT_META_MARK);

	if (!nftnl_expr_is_set(e, set_attr)) {
		load(r, nftnl_expr_get_u32(e, load_attr), is_mark, ct ? CT_MARK : PACKET_MARK);
	} else if (is_mark) {
		const struct value *v = &r->word[word_of(nftnl_expr_get_u32(e, set_attr))];

		(ct ? write_ct : write_packet)(r, v);
	}
}

static void read_meta(struct reading *r, const struct nftnl_expr *e)
{
	read_meta_or_ct(r, e, false);
}

static void read_ct(struct reading *r, const struct nftnl_expr *e)
{
	read_meta_or_ct(r, e, true);
}

static void read_immediate(struct reading *r, const struct nftnl_expr *e)
{
	uint32_t reg = nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG);

	if (reg == NFT_REG_VERDICT)
		return;
	forget(r, reg, 4);
	r->word[word_of(reg)] = (struct value) { .source = CONSTANT, .flip = data_of(e, NFTNL_EXPR_IMM_DATA, false) };
}

static void read_bitwise(struct reading *r, const struct nftnl_expr *e)
{
	struct value v = r->word[word_of(nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_SREG))];
	uint32_t op = nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_OP), mask;
	int by = (int)data_of(e, NFTNL_EXPR_BITWISE_DATA, false);

	if (op == NFT_BITWISE_BOOL) {
		mask = data_of(e, NFTNL_EXPR_BITWISE_MASK, v.swapped);
		v.mask &= mask;
		v.flip = (v.flip & mask) ^ data_of(e, NFTNL_EXPR_BITWISE_XOR, v.swapped);
	} else if (op == NFT_BITWISE_LSHIFT || op == NFT_BITWISE_RSHIFT) {
		by = op == NFT_BITWISE_LSHIFT ? by : -by;
		v.mask = moved(v.mask, by);
		v.flip = moved(v.flip, by);
		v.shift += by;
	} else {	/* two registers (Linux 6.13): anything may come through */
		v.mask = UINT32_MAX;
	}
	r->word[word_of(nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_DREG))] = v;
}

static void read_byteorder(struct reading *r, const struct nftnl_expr *e)
{
	struct value v = r->word[word_of(nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_SREG))];

	v.swapped = !v.swapped;
	r->word[word_of(nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_DREG))] = v;
}

static void read_cmp(struct reading *r, const struct nftnl_expr *e)
{
	const struct value *v = &r->word[word_of(nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_SREG))];

	compare(r, v, data_of(e, NFTNL_EXPR_CMP_DATA, v->swapped));
}

static void read_range(struct reading *r, const struct nftnl_expr *e)
{
	const struct value *v = &r->word[word_of(nftnl_expr_get_u32(e, NFTNL_EXPR_RANGE_SREG))];

	compare(r, v, data_of(e, NFTNL_EXPR_RANGE_FROM_DATA, v->swapped) | data_of(e, NFTNL_EXPR_RANGE_TO_DATA, v->swapped));
}

/* The key may be several words; those behind it that still hold a mark were loaded for it in all rules of the nft command. */
static void read_lookup(struct reading *r, const struct nftnl_expr *e)
{
	for (unsigned int i = word_of(nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_SREG)); i < WORDS; i++)
		compare(r, &r->word[i], 0);
	if (!nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_DREG) || nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_DREG) == NFT_REG_VERDICT)
		return;
	forget(r, nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_DREG), 4);
	r->word[word_of(nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_DREG))] = (struct value) {
		.mask = UINT32_MAX, .map = nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET),
	};
}

static void read_payload(struct reading *r, const struct nftnl_expr *e)
{
	if (nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_DREG))
		forget(r, nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_DREG),
		       (nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN) + 3) / 4);
}

static const void *info_of(const struct nftnl_expr *e, uint16_t attr, size_t size)
{
	uint32_t len;
	const void *info = nftnl_expr_get(e, attr, &len);

	return info && len >= size ? info : NULL;
}

/* linux/netfilter/xt_mark.h, xt_connmark.h: the two matches have the same shape, revision 1. */
static void read_match(struct reading *r, const struct nftnl_expr *e)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_MT_NAME);
	const struct xt_mark_mtinfo1 *m = info_of(e, NFTNL_EXPR_MT_INFO, sizeof(*m));
	struct value v;

	if (!name || !m || (strcmp(name, "mark") && strcmp(name, "connmark")))
		return;
	v = (struct value) { .source = strcmp(name, "mark") ? CT_MARK : PACKET_MARK, .mask = m->mask };
	compare(r, &v, m->mark);
}

static bool overwrites(uint32_t value, uint32_t cleared, uint32_t ours)
{
	return (value & ours) || (cleared != UINT32_MAX && cleared & ours);
}

static void read_connmark_target(struct reading *r, const struct nftnl_expr *e)
{
	bool shifts = nftnl_expr_get_u32(e, NFTNL_EXPR_TG_REV) >= 2;
	const struct xt_connmark_tginfo1 *one = info_of(e, NFTNL_EXPR_TG_INFO, sizeof(*one));
	const struct xt_connmark_tginfo2 *two = info_of(e, NFTNL_EXPR_TG_INFO, sizeof(*two));
	uint8_t mode;
	int by = 0;
	uint32_t through;

	if (!one || !two)
		return;
	mode = shifts ? two->mode : one->mode;
	if (shifts)
		by = two->shift_dir == D_SHIFT_LEFT ? two->shift_bits : -two->shift_bits;
	if (mode == XT_CONNMARK_SET) {
		if (overwrites(one->ctmark, one->ctmask, r->ours))
			say(r, "CONNMARK set", one->ctmark, one->ctmask);
		return;
	}
	through = one->ctmask | one->nfmask;
	through |= moved(mode == XT_CONNMARK_SAVE ? one->nfmask : one->ctmask, by);
	if (through & r->ours)
		say(r, mode == XT_CONNMARK_SAVE ? "CONNMARK save, masks" : "CONNMARK restore, masks", one->ctmask, one->nfmask);
}

static void read_target(struct reading *r, const struct nftnl_expr *e)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME);
	const struct xt_mark_tginfo2 *m;

	if (!name)
		return;
	if (!strcmp(name, "CONNMARK"))
		read_connmark_target(r, e);
	if (strcmp(name, "MARK"))
		return;
	m = info_of(e, NFTNL_EXPR_TG_INFO, sizeof(*m));
	if (m && overwrites(m->mark, m->mask, r->ours))
		say(r, "MARK set", m->mark, m->mask);
}

static const struct reader {
	const char *name;
	void (*read)(struct reading *r, const struct nftnl_expr *e);
	uint16_t dreg;	/* without a reader: the attribute of the register that is overwritten */
} readers[] = {
	{ "meta", read_meta, 0 }, { "ct", read_ct, 0 }, { "immediate", read_immediate, 0 },
	{ "bitwise", read_bitwise, 0 }, { "byteorder", read_byteorder, 0 }, { "cmp", read_cmp, 0 },
	{ "range", read_range, 0 }, { "lookup", read_lookup, 0 }, { "payload", read_payload, 0 },
	{ "match", read_match, 0 }, { "target", read_target, 0 },
	{ "rt", NULL, NFTNL_EXPR_RT_DREG }, { "socket", NULL, NFTNL_EXPR_SOCKET_DREG },
	{ "tunnel", NULL, NFTNL_EXPR_TUNNEL_DREG }, { "exthdr", NULL, NFTNL_EXPR_EXTHDR_DREG },
	{ "numgen", NULL, NFTNL_EXPR_NG_DREG }, { "hash", NULL, NFTNL_EXPR_HASH_DREG },
	{ "fib", NULL, NFTNL_EXPR_FIB_DREG }, { "osf", NULL, NFTNL_EXPR_OSF_DREG },
	{ "xfrm", NULL, NFTNL_EXPR_XFRM_DREG },
};

static int read_expr(struct nftnl_expr *e, void *arg)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	struct reading *r = arg;

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (strcmp(readers[i].name, name))
			continue;
		if (readers[i].read)
			readers[i].read(r, e);
		else if (nftnl_expr_is_set(e, readers[i].dreg))
			forget(r, nftnl_expr_get_u32(e, readers[i].dreg), 4);
	}
	return r->found;
}

enum markuse_answer markuse_rule(const struct nftnl_rule *rule, uint32_t mask, struct markuse *out)
{
	struct reading r = { .ours = mask, .what = out->what, .size = sizeof(out->what) };

	out->what[0] = '\0';
	nftnl_expr_foreach((struct nftnl_rule *)rule, read_expr, &r);
	out->map = r.map;
	if (r.found)
		return MARKUSE_YES;
	return r.map ? MARKUSE_MAP : MARKUSE_NO;
}

struct wanted {
	const char *name;
	bool found;
};

static int find_expr(struct nftnl_expr *e, void *arg)
{
	struct wanted *w = arg;

	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

	w->found |= !strcmp(name, w->name);
	if (!strcmp(name, "target") && nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME))
		w->found |= !strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME), w->name);
	return 0;
}

bool markuse_has(const struct nftnl_rule *rule, const char *expression)
{
	struct wanted w = { .name = expression };

	nftnl_expr_foreach((struct nftnl_rule *)rule, find_expr, &w);
	return w.found;
}
