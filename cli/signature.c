/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file formats of minisign and signify over nettle's Ed25519 (RFC 8032). Nothing of the file is believed before its
 * signature is, its comments neither. */
#include "cli/signature.h"

#include <nettle/base64.h>
#include <nettle/eddsa.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/blake2b.h"

#define ID_BYTES 8
#define KEY_BYTES (2 + ID_BYTES + ED25519_KEY_SIZE)
#define SIG_BYTES (2 + ID_BYTES + ED25519_SIGNATURE_SIZE)

static const char untrusted[] = "untrusted comment: ";
static const char trusted[] = "trusted comment: ";

struct line {
	const char *p;
	size_t len;
};

static struct line next_line(const char **p, const char *end)
{
	const char *newline = memchr(*p, '\n', (size_t)(end - *p));
	struct line l = { *p, (size_t)((newline ? newline : end) - *p) };

	*p = newline ? newline + 1 : end;
	if (l.len && l.p[l.len - 1] == '\r')
		l.len--;
	return l;
}

static bool starts(struct line l, const char *with)
{
	return l.len >= strlen(with) && !memcmp(l.p, with, strlen(with));
}

/* Exactly `size` bytes in base64? */
static bool decode(struct line l, uint8_t *to, size_t size)
{
	struct base64_decode_ctx ctx;
	uint8_t room[BASE64_DECODE_LENGTH(128)];
	size_t n = sizeof(room);

	if (l.len > 128)
		return false;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, room, l.len, l.p) || !base64_decode_final(&ctx) || n != size)
		return false;
	memcpy(to, room, size);
	return true;
}

static uint64_t timestamp(struct line comment)
{
	static const char word[] = "timestamp:";
	uint64_t n = 0;

	for (size_t i = 0; i + sizeof(word) - 1 < comment.len; i++) {
		if (memcmp(comment.p + i, word, sizeof(word) - 1))
			continue;
		for (i += sizeof(word) - 1; i < comment.len && comment.p[i] >= '0' && comment.p[i] <= '9' && n < UINT32_MAX; i++)
			n = n * 10 + (uint64_t)(comment.p[i] - '0');
		break;
	}
	return n;
}

static bool is_signed(const uint8_t key[KEY_BYTES], const uint8_t sig[SIG_BYTES], const void *data, size_t len)
{
	uint8_t hash[BLAKE2B_BYTES];

	if (sig[1] == 'D') {
		blake2b_hash(data, len, hash);
		data = hash;
		len = sizeof(hash);
	}
	return ed25519_sha512_verify(key + 2 + ID_BYTES, len, data, sig + 2 + ID_BYTES);
}

/* minisign's second signature binds the comment to the first one. */
static bool comment_is_signed(const uint8_t key[KEY_BYTES], const uint8_t sig[SIG_BYTES], struct line comment,
			      const uint8_t global[ED25519_SIGNATURE_SIZE])
{
	uint8_t both[ED25519_SIGNATURE_SIZE + SIGNATURE_BYTES_MAX];

	memcpy(both, sig + 2 + ID_BYTES, ED25519_SIGNATURE_SIZE);
	memcpy(both + ED25519_SIGNATURE_SIZE, comment.p, comment.len);
	return ed25519_sha512_verify(key + 2 + ID_BYTES, ED25519_SIGNATURE_SIZE + comment.len, both, global);
}

enum signature signature_check(const char *public_key, const char *text, size_t text_len, const void *data, size_t len,
			       uint64_t *signed_at)
{
	uint8_t key[KEY_BYTES], sig[SIG_BYTES], global[ED25519_SIGNATURE_SIZE];
	const char *p = text, *end = text + text_len;
	struct line key_line = { public_key, strlen(public_key) }, first, second, comment;

	*signed_at = 0;
	if (text_len > SIGNATURE_BYTES_MAX || !decode(key_line, key, sizeof(key)))
		return SIGNATURE_SHAPE;
	first = next_line(&p, end);
	second = next_line(&p, end);
	if (!starts(first, untrusted) || !decode(second, sig, sizeof(sig)) || sig[0] != 'E' || (sig[1] != 'd' && sig[1] != 'D'))
		return SIGNATURE_SHAPE;
	if (memcmp(key + 2, sig + 2, ID_BYTES))
		return SIGNATURE_OTHER_KEY;
	if (!is_signed(key, sig, data, len))
		return SIGNATURE_WRONG;
	comment = next_line(&p, end);
	if (!comment.len)
		return SIGNATURE_GOOD;
	if (!starts(comment, trusted) || !decode(next_line(&p, end), global, sizeof(global)))
		return SIGNATURE_SHAPE;
	comment.p += strlen(trusted);
	comment.len -= strlen(trusted);
	if (!comment_is_signed(key, sig, comment, global))
		return SIGNATURE_WRONG;
	*signed_at = timestamp(comment);
	return SIGNATURE_GOOD;
}

const char *signature_text(enum signature s)
{
	switch (s) {
	case SIGNATURE_GOOD:
		return "is right";
	case SIGNATURE_SHAPE:
		return "is none of minisign or signify";
	case SIGNATURE_OTHER_KEY:
		return "was made with another key than public_key";
	case SIGNATURE_WRONG:
		return "is wrong: these are not the bytes that were signed";
	}
	return "";
}
