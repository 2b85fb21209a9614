// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over QUIC: the bytes are a script of datagrams for one flow, raw ones and such whose frames are the fuzzer's own
 * but which are sealed with the right keys, since no fuzzer guesses a tag. Every hello found goes through JA4, too. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/pipeline.h"
#include "inspect/ja4.h"
#include "tests/unit/quic_build.h"

#define DATAGRAM_MAX 12000

struct script {
	const uint8_t *p;
	size_t left;
};

static unsigned take(struct script *s)
{
	if (!s->left)
		return 0;
	s->left--;
	return *s->p++;
}

static size_t take_bytes(struct script *s, uint8_t *out, size_t len)
{
	len = len < s->left ? len : s->left;
	memcpy(out, s->p, len);
	s->p += len;
	s->left -= len;
	return len;
}

/* A part of a sound hello in a CRYPTO frame, perhaps with a byte of it turned. */
static size_t hello_part(struct script *s, uint8_t *out)
{
	static const char *const names[] = { "pool.example", "www.example.org", NULL };
	uint8_t hello[3000];
	size_t len = quic_made_hello(hello, names[take(s) % 3], take(s) * 8);
	size_t from = take(s) * len / 256, to = from + 1 + take(s) * (len - from - 1) / 255;
	unsigned turned = take(s);

	if (turned & 1)
		hello[turned * len / 256] ^= (uint8_t)(1u << (turned >> 1 & 7));
	return quic_made_crypto(out, (uint32_t)from, hello + from, to - from);
}

static size_t packet_of(struct script *s, uint8_t *out)
{
	static const uint32_t versions[] = { QUIC_V1, QUIC_V2, QUIC_DRAFT(29), QUIC_DRAFT(23), 0x1a1a1a1a, 0x51303436 };
	static const uint8_t kept[20] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	unsigned how = take(s), shape = take(s);
	struct quic_made q = { .version = versions[how % 6], .dcid_len = shape & 32 ? 8 : shape % 21, .number = take(s),
			       .number_len = 1 + (shape >> 6), .greased = how & 64, .type = how & 128 ? take(s) & 3 : 0,
			       .token_len = shape & 16 ? take(s) : 0 };
	uint8_t frames[8000];
	size_t len = 0;

	memset(q.dcid, (int)(take(s) % 4), sizeof(q.dcid));
	if (how & 32) {
		q.key_id = kept;
		q.key_id_len = 8;
	}
	for (unsigned parts = how >> 3 & 3; parts > 0; parts--)
		len += hello_part(s, frames + len);
	len += take_bytes(s, frames + len, take(s) % 64);
	return quic_make(&q, frames, len, shape & 8 ? 1200 : 0, out);
}

static size_t datagram_of(struct script *s, uint8_t *out)
{
	unsigned kind = take(s);
	size_t len = 0;

	if (kind & 1)
		return take_bytes(s, out, take(s) * 8);
	for (unsigned packets = 1 + (kind >> 1 & 3); packets > 0 && len < DATAGRAM_MAX; packets--)
		len += packet_of(s, out + len);
	if (kind & 8 && len)
		out[(take(s) << 8 | take(s)) % len] ^= (uint8_t)take(s);
	return len;
}

static void check(const struct outcome *o, bool *blocked)
{
	char text[JA4_TEXT];

	assert(o->facts && o->facts->n_names <= FACTS_NAMES_MAX && o->reason < REASON_COUNT);
	assert(o->verdict == VERDICT_BLOCK || !*blocked);
	*blocked = o->verdict == VERDICT_BLOCK;
	assert(ja4_text(text, o->facts->tls_hello, true) == strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy *policy;
	static uint8_t datagram[DATAGRAM_MAX + 9000];
	struct pipeline_config config = { .flows = 8, .reassembly = 1, .key = { 1, 2 } };
	struct pipeline *p = pipeline_new(&config);
	struct script s = { data, size };
	bool blocked = false, older = take(&s) & 1;

	if (!policy)
		policy = policy_builtin();
	pipeline_policy(p, policy);
	for (uint64_t now = 0; s.left; now++) {
		unsigned flags = take(&s);
		struct packet k = { .family = 4, .proto = 17, .sport = 9, .dport = 443, .src = { 1 }, .dst = { 2 } };
		uint8_t *block;
		struct outcome o;

		k.origin = older ? ORIGIN_OLDER_ORIGINAL : ORIGIN_ORIGINAL;
		k.checksum = flags & 1 ? CHECKSUM_BAD : CHECKSUM_GOOD;
		k.payload_len = k.payload_wire = datagram_of(&s, datagram);
		block = malloc(k.payload_len ? k.payload_len : 1);
		memcpy(block, datagram, k.payload_len);
		k.payload = block;
		o = pipeline_packet(p, &k, now);
		check(&o, &blocked);
		free(block);
	}
	pipeline_free(p);
	return 0;
}
