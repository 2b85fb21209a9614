/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Detached Ed25519 signatures as minisign and signify write them. It judges bytes in memory; where they come from is its
 * caller's affair. */
#ifndef MINEWALL_SIGNATURE_H
#define MINEWALL_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

/* A signature file is two or four lines: two comments, 74 and 64 bytes in base64. */
#define SIGNATURE_BYTES_MAX 4096

enum signature {
	SIGNATURE_GOOD,
	SIGNATURE_SHAPE,	/* the file is none */
	SIGNATURE_OTHER_KEY,	/* made with another key than this */
	SIGNATURE_WRONG,	/* the data are not those that were signed, or the comment is not */
};

/* Is `text` the signature of `data` by `public_key` (the base64 line of a key file, 56 letters)? Its layout: a line "untrusted
 * comment: ...", base64 of "Ed" (the data are signed) or "ED" (their BLAKE2b-512 is), 8 bytes of key id and 64 of signature;
 * minisign adds a line "trusted comment: ..." and base64 of a signature of the first signature with that comment. `signed_at` gets
 * the time that the trusted comment says (timestamp:SECONDS), 0 if none. */
enum signature signature_check(const char *public_key, const char *text, size_t text_len, const void *data, size_t len,
			       uint64_t *signed_at);

/* "is none of minisign or signify" ... */
const char *signature_text(enum signature s);

#endif
