/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer: arbitrary bytes as a signature file, as a public key and as the data that were signed. Without the secret key nothing
 * of it may be good, and nothing that is not good may say when it was signed.
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_signature.c cli/signature.c cli/blake2b.c -lhogweed -lnettle */
#include <stdlib.h>
#include <string.h>

#include "cli/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY "RWRseBss1Ax6iv8kTqbXgxjyVqijy2Hx5n6ZiRNxbK17qGQ3bPs0Dbyg"

static void try_one(const char *key, const char *text, size_t len, const void *data, size_t data_len)
{
	uint64_t when = 1;

	if (signature_check(key, text, len, data, data_len, &when) != SIGNATURE_GOOD && when)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] = "untrusted comment: x\nRURseBss1Ax6ipclZr6Bu/i2MkUF9ga6O4a+IOsd4d5QQp52r92MJkh7M/nIRVC/mDvPYgW+oHWbvjVKtsiU8o1baGK83gQK3Q0=\n";
	const char *text = (const char *)data;
	char key[57] = "", whole[4096];
	uint64_t when;

	try_one(KEY, text, size, data, size / 2);
	memcpy(key, text, size < 56 ? size : 56);
	try_one(key, text, size, data, size);
	/* Behind a first line that is right for other data. */
	if (size < sizeof(whole) - sizeof(head)) {
		memcpy(whole, head, sizeof(head) - 1);
		memcpy(whole + sizeof(head) - 1, data, size);
		try_one(KEY, whole, sizeof(head) - 1 + size, data, size);
		/* And for these: only a comment that its owner has signed may be believed. */
		if (signature_check(KEY, whole, sizeof(head) - 1 + size, "0.0.0.0 pool.signed.example\n", 28, &when) == SIGNATURE_GOOD && when)
			abort();
	}
	return 0;
}
