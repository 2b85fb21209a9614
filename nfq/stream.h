/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first bytes of one direction of a TCP stream, put together from segments in any order. It remembers
 * which bytes it has and which of them came with a right checksum; it judges nothing. */
#ifndef MINEWALL_STREAM_H
#define MINEWALL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest prefix kept of a stream: what an inspector ever looks at (inspect.h). */
#define STREAM_BYTES_MAX 16384
/* What nearly every first flight fits into: a post-quantum ClientHello has about 1.8 KB. */
#define STREAM_BYTES_SMALL 2048

struct stream_pool;	/* memory for all streams of a worker, sized once */
struct stream_block;

/* Zeroed = empty. `base` is the sequence number of offset 0: the lowest one seen. */
struct stream {
	uint32_t base;
	uint32_t end;			/* highest offset seen + 1 */
	bool lost;			/* its memory was taken for a newer stream */
	struct stream_block *block;
};

enum stream_result {
	STREAM_ADDED,			/* at least one byte is new or better */
	STREAM_KNOWN,			/* every byte was there already */
	STREAM_CONTRADICTS,		/* a byte with a right checksum differs from one seen with a right checksum */
	STREAM_FAR,			/* would not lie within STREAM_BYTES_MAX together with what is there: nothing stored */
};

/* NULL: no memory. `bytes` is the total; half goes to small blocks, half to full ones. */
struct stream_pool *stream_pool_new(uint64_t bytes);
void stream_pool_free(struct stream_pool *pool);

/* Adds a segment; bytes beyond the window are left out. A new lowest sequence number moves the base: `*moved` says by
 * how many bytes. `trusted`: its checksum is right. A keep-alive of one zero byte (RFC 9293 3.8.4) contradicts nothing.
 * When the pool is spent the oldest block is taken from its stream, which is then `lost` and empty. */
enum stream_result stream_add(struct stream_pool *pool, struct stream *s, uint32_t seq, const uint8_t *bytes,
			      size_t len, bool trusted, uint32_t *moved);

/* Would a segment belong into this stream's window? True for an empty one. */
bool stream_near(const struct stream *s, uint32_t seq, size_t len);

/* Does a segment at `seq` begin within what is there or right behind it? */
bool stream_touches(const struct stream *s, uint32_t seq);

/* First offset of the gapless run that holds `offset`. */
uint32_t stream_run_start(const struct stream *s, uint32_t offset);

/* The gapless bytes from `offset` on. Valid until the stream is changed. */
const uint8_t *stream_run(const struct stream *s, uint32_t offset, size_t *len);

/* Takes the first `n` bytes away, which turned out not to belong here. */
void stream_cut(struct stream_pool *pool, struct stream *s, uint32_t n);

/* Gives the memory back. */
void stream_clear(struct stream_pool *pool, struct stream *s);

/* The same, as if it were taken for a newer stream. */
void stream_lose(struct stream_pool *pool, struct stream *s);

/* As flow_wants_memory and flow_fetch_memory. */
bool stream_wants_memory(struct stream_pool *pool);
void stream_fetch_memory(struct stream_pool *pool);

/* Overwrites what was given back lately: a flow's bytes, once nobody looks at them any more. */
void stream_pool_wipe(struct stream_pool *pool);

#endif
