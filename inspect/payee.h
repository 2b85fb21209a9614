/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom a miner mines for, and on which machine: takes apart the one text that pools want both in. Knows the
 * pools' habits of writing, no coin's checksum. */
#ifndef MINEWALL_PAYEE_H
#define MINEWALL_PAYEE_H

#include "inspect/inspect.h"

/* "wallet.worker", "wallet.worker+difficulty", "wallet.paymentid.worker/mail", "COIN.wallet.worker" ... The login is the first part
 * that is long enough for a wallet, or just the first; the worker is the first one behind it that is neither a payment id (16
 * or 64 hex digits) nor a difficulty ('+' or '='). Either may be empty; both are views into `text`. */
void payee_split(struct view text, struct view *login, struct view *worker);

/* Could this be a wallet? As many letters and digits in a row as no machine's name has. */
bool payee_is_wallet(struct view text);

#endif
