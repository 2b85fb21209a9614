// SPDX-License-Identifier: GPL-2.0-or-later
/* Splits logins at the separators that pools use. What may be a wallet never becomes the name of a machine, since
 * those are shown and logged as they are. */
#include "inspect/payee.h"

/* The shortest wallets in use (Bitcoin's) have 26 to 35 characters; a host's name rarely has so many without a hyphen. */
#define PAYEE_WALLET_MIN 25

static bool payee_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool payee_separates(uint8_t c)
{
	return c == '.' || c == '+' || c == '/' || c == '#' || c == '=';
}

bool payee_is_wallet(struct view text)
{
	size_t i, run = 0;

	for (i = 0; i < text.len && run < PAYEE_WALLET_MIN; i++)
		run = payee_alnum(text.p[i]) ? run + 1 : 0;
	return run == PAYEE_WALLET_MIN;
}

/* Takes the next part off `rest`; `before` is the separator that it stands behind, 0 at the start. False: there is none. */
static bool payee_part(struct view *rest, struct view *part, uint8_t *before)
{
	size_t n = 0;

	if (!rest->len)
		return false;
	*before = 0;
	if (payee_separates(*rest->p)) {
		*before = *rest->p;
		rest->p++;
		rest->len--;
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
