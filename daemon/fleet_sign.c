/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libsodium refuses the weak keys and the second spellings of a signature that others let pass. It is loaded by the process that
 * needs it, so that the one that judges packets has nothing of it. */
#include "daemon/fleet_sign.h"

#include <errno.h>

#ifdef HAVE_FLEET

#include <dlfcn.h>
#include <sodium.h>

static struct {
	__typeof__(sodium_init) *init;
	__typeof__(crypto_sign_ed25519_verify_detached) *verify;
	__typeof__(crypto_sign_ed25519_detached) *sign;
	__typeof__(crypto_sign_ed25519_seed_keypair) *keys;
} api;

int fleet_sign_load(void)
{
	static const struct {
		void *to;
		const char *name;
	} wanted[] = {
		{ &api.init, "sodium_init" }, { &api.verify, "crypto_sign_ed25519_verify_detached" },
		{ &api.sign, "crypto_sign_ed25519_detached" }, { &api.keys, "crypto_sign_ed25519_seed_keypair" },
	};
	void *lib = dlopen("libsodium.so.23", RTLD_NOW);

	if (!lib)
		lib = dlopen("libsodium.so", RTLD_NOW);
	if (!lib)
		return -ELIBACC;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*(void **)wanted[i].to = dlsym(lib, wanted[i].name);
		if (!*(void **)wanted[i].to)
			return -ELIBBAD;
	}
	return api.init() < 0 ? -EIO : 0;
}

bool fleet_sign_verify(const uint8_t signature[64], const void *text, size_t len, const uint8_t key[32])
{
	return api.verify(signature, text, len, key) == 0;
}

void fleet_sign_keys(const uint8_t seed[32], uint8_t key[32], uint8_t secret[64])
{
	api.keys(key, secret, seed);
}

void fleet_sign(uint8_t signature[64], const void *text, size_t len, const uint8_t secret[64])
{
	unsigned long long n;

	api.sign(signature, &n, text, len, secret);
}

#else

int fleet_sign_load(void)
{
	return -ENOSYS;
}

bool fleet_sign_verify(const uint8_t signature[64], const void *text, size_t len, const uint8_t key[32])
{
	(void)signature;
	(void)text;
	(void)len;
	(void)key;
	return false;
}

void fleet_sign_keys(const uint8_t seed[32], uint8_t key[32], uint8_t secret[64])
{
	(void)seed;
	(void)key;
	(void)secret;
}

void fleet_sign(uint8_t signature[64], const void *text, size_t len, const uint8_t secret[64])
{
	(void)signature;
	(void)text;
	(void)len;
	(void)secret;
}

#endif
