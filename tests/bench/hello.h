/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes TLS ClientHellos as browsers send them, for the load and for the micro-benchmarks. Writes bytes and nothing else. */
#ifndef MINEWALL_TESTS_HELLO_H
#define MINEWALL_TESTS_HELLO_H

#include <stdint.h>
#include <string.h>

struct hello_writer {
	uint8_t *p;
	size_t n;
};

static inline void hello_u8(struct hello_writer *w, unsigned v)
{
	w->p[w->n++] = (uint8_t)v;
}

static inline void hello_u16(struct hello_writer *w, unsigned v)
{
	hello_u8(w, v >> 8);
	hello_u8(w, v & 0xff);
}

/* Bytes that look random, and are the same for the same seed. */
static inline void hello_filler(struct hello_writer *w, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		hello_u8(w, (seed = seed * 1103515245u + 12345u) >> 16 & 0xff);
}

static inline void hello_list(struct hello_writer *w, unsigned extension, const uint16_t *values, size_t n)
{
	hello_u16(w, extension);
	hello_u16(w, (unsigned)(2 * n + 2));
	hello_u16(w, (unsigned)(2 * n));
	for (size_t i = 0; i < n; i++)
		hello_u16(w, values[i]);
}

static inline void hello_name(struct hello_writer *w, const char *name)
{
	size_t n = strlen(name);

	hello_u16(w, 0);
	hello_u16(w, (unsigned)n + 5);
	hello_u16(w, (unsigned)n + 3);
	hello_u8(w, 0);
	hello_u16(w, (unsigned)n);
	memcpy(w->p + w->n, name, n);
	w->n += n;
}

static inline void hello_key(struct hello_writer *w, unsigned group, size_t len, unsigned seed)
{
	hello_u16(w, 51);
	hello_u16(w, (unsigned)len + 6);
	hello_u16(w, (unsigned)len + 4);
	hello_u16(w, group);
	hello_u16(w, (unsigned)len);
	hello_filler(w, len, group ^ seed);
}

/* A record with one ClientHello (RFC 8446 4.1.2), padded to `size` bytes at least; `name` NULL: without SNI; `key`: bytes of its
 * key share; `seed`: of what is random in it. Returns its length; `out` has room for `size` and for `key` and `name` with 300 bytes more. */
static inline size_t hello_make(uint8_t *out, const char *name, size_t key, size_t size, unsigned seed)
{
	static const uint16_t suites[] = { 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014 };
	static const uint16_t groups[] = { 0x11ec, 29, 23, 24 }, schemes[] = { 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501 };
	struct hello_writer w = { out, 9 };
	size_t extensions;

	hello_u16(&w, 0x0303);
	hello_filler(&w, 32, 2 * seed + 1);
	hello_u8(&w, 32);
	hello_filler(&w, 32, 3 * seed + 2);
	hello_u16(&w, sizeof(suites));
	for (size_t i = 0; i < sizeof(suites) / 2; i++)
		hello_u16(&w, suites[i]);
	hello_u16(&w, 0x0100);
	extensions = w.n;
	w.n += 2;
	hello_u16(&w, 23);
	hello_u16(&w, 0);
	hello_list(&w, 10, groups, sizeof(groups) / 2);
	if (name)
		hello_name(&w, name);
	hello_u16(&w, 16);
	hello_u16(&w, 14);
	hello_u16(&w, 12);
	memcpy(w.p + w.n, "\2h2\10http/1.1", 12);
	w.n += 12;
	hello_list(&w, 13, schemes, sizeof(schemes) / 2);
	hello_key(&w, key > 32 ? 0x11ec : 29, key, seed);
	hello_u16(&w, 43);
	hello_u16(&w, 5);
	hello_u8(&w, 4);
	hello_u16(&w, 0x0304);
	hello_u16(&w, 0x0303);
	if (w.n + 4 < size) {
		size_t pad = size - w.n - 4;

		hello_u16(&w, 21);
		hello_u16(&w, (unsigned)pad);
		memset(w.p + w.n, 0, pad);
		w.n += pad;
	}
	size = w.n;
	w.n = 0;
	hello_u8(&w, 22);
	hello_u16(&w, 0x0301);
	hello_u16(&w, (unsigned)size - 5);
	hello_u8(&w, 1);
	hello_u8(&w, 0);
	hello_u16(&w, (unsigned)size - 9);
	w.n = extensions;
	hello_u16(&w, (unsigned)(size - extensions - 2));
	return size;
}

#endif
