// SPDX-License-Identifier: GPL-2.0-or-later
/* Splits logins at the separators that pools use. What may be a wallet never becomes the name of a machine, since
 * those are shown and logged as they are. */
#include "inspect/payee.h"

#include <string.h>

#include "inspect/word.h"

/* The shortest wallets in use (Bitcoin's) have 26 to 35 characters; a host's name rarely has so many without a hyphen. */
#define PAYEE_WALLET_MIN 25

/* What a byte of a login is: 1 a letter or digit, 2 a separator. */
static const uint8_t payee_bytes[256] = {
	['a' ... 'z'] = 1, ['A' ... 'Z'] = 1, ['0' ... '9'] = 1, ['.'] = 2, ['+'] = 2, ['/'] = 2, ['#'] = 2, ['='] = 2,
};

static bool payee_separates(uint8_t c)
{
	return payee_bytes[c] == 2;
}

/* Letters and digits, as many as a wallet has at least. */
static bool payee_run(const uint8_t *p)
{
	return word_alnum(word_read(p)) && word_alnum(word_read(p + 8)) && word_alnum(word_read(p + 16)) &&
	       payee_bytes[p[PAYEE_WALLET_MIN - 1]] == 1;
}

_Static_assert(PAYEE_WALLET_MIN == 25, "three words and one byte");

/* From the end of a place that may be a run back to its start: most texts are looked at in a few bytes. */
bool payee_is_wallet(struct view text)
{
	size_t start = 0, i;

	while (text.len - start >= PAYEE_WALLET_MIN) {
		if (payee_run(text.p + start))
			return true;
		for (i = start + PAYEE_WALLET_MIN; i > start && payee_bytes[text.p[i - 1]] == 1; i--)
			;
		start = i;
	}
	return false;
}

/* Takes the next part off `rest`; `before` is the separator that it stands behind, 0 at the start. False: there is none. */
static bool payee_part(struct view *rest, struct view *part, uint8_t *before)
{
	uint64_t word;
	size_t n = 0;

	if (!rest->len)
		return false;
	*before = 0;
	if (payee_separates(*rest->p)) {
		*before = *rest->p;
		rest->p++;
		rest->len--;
	}
	/* separators lie below the digits, but for one; a word without one is passed over at once */
	for (; rest->len - n >= 8; n += 8) {
		word = word_read(rest->p + n);
		if (((word - WORD_EVERY(0x30)) | ((word ^ WORD_EVERY('=')) - WORD_EVERY(1))) & ~word & WORD_TOPS)
			break;
	}
	while (n < rest->len && !payee_separates(rest->p[n]))
		n++;
	*part = (struct view){ rest->p, n };
	rest->p += n;
	rest->len -= n;
	return true;
}

static bool payee_payment_id(struct view part)
{
	size_t i;

	for (i = 0; i < part.len; i++)
		if (!(part.p[i] >= '0' && part.p[i] <= '9') && !((part.p[i] | 0x20) >= 'a' && (part.p[i] | 0x20) <= 'f'))
			return false;
	return part.len == 16 || part.len == 64;
}

void payee_split(struct view text, struct view *login, struct view *worker)
{
	struct view rest = text, part, behind = { 0 };
	uint8_t before;

	*login = *worker = (struct view){ 0 };
	while (payee_part(&rest, &part, &before)) {
		if (!part.len || (login->len && !payee_is_wallet(part)))
			continue;
		*login = part;
		behind = rest;
		if (payee_is_wallet(part))
			break;
	}
	if (!login->len)
		*login = text;
	while (!worker->len && payee_part(&behind, &part, &before))
		if (before != '+' && before != '=' && !payee_payment_id(part) && !payee_is_wallet(part))
			*worker = part;
}
