/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stratum and its relatives: JSON messages at the start of a stream, judged by the rows of a dialect table. It
 * never searches inside other text, and any-JSON-RPC is not mining (PROTOCOLS 1.10, 1.12).
 *
 * The language of a row's `require`. A test is a path and perhaps one operator:
 *
 *	params.login		this member is there (null counts as absent)
 *	params:array		it has this type: string number bool null array object
 *	params.mode=self-select	it is this string or number (letters, digits and _ - . / : only)
 *	result[0][0]^mining.	it starts with this
 *	params.login~wallet	it has the shape of a wallet; ~hash: 0x and 64 hex digits; ~hex: 64 hex digits; ~miner: an agent's name
 *
 * A path has at most four steps from the message's own object: names in any case, or one-digit indices. `!` negates,
 * `|` (or) binds closer than `&` (and), brackets group: "params.login & params.agent|params.algo & !params.passwd".
 * Of a repeated member each occurrence counts: a test is true if any of them passes it.
 *
 * `capture` is a list of fact=path, fact being agent, algo, login, worker, method (where `method` is not the member's name) or
 * payee: "wallet.worker" in one, see payee.h. The first string found is taken.
 *
 * A message is judged at its end, so that cutting it changes nothing; one whose end will not come, or that turns out to be
 * no JSON, by what is there, and then a negation is never true. Of the rows that are true the first gives the dialect
 * (rows without a method come before the others). */
#ifndef MINEWALL_STRATUM_H
#define MINEWALL_STRATUM_H

#include "inspect/inspect.h"

/* What may stand before a message; where it was picked up in the middle, all that the rest of a line may hold. */
#define STRATUM_BEGINS(b) (INSPECT_WITHIN(b, 0x20, 0x7e) || (b) == '\0' || (b) == '\t' || (b) == '\n' || (b) == '\r' || (b) == 0xef)

/* MATCH: a message is protocol evidence; `consumed` is its end. Where it does not say the login, those behind it may. MORE: JSON
 * so far, and of an unsure side no more than a few whole messages that are not mining. BAD: a JSON message that never
 * ended. From an unsure side the stream may begin in the middle of a message: then one may also start behind a line that
 * ends like one (`}` LF).
 *
 * What is less than MINING_STRATUM is given only where the bytes hold nothing worse; on a bare stream `again` is AGAIN_SAME
 * then. Only `app`, `mining`, `stratum`, `consumed` and `again` are written, and only on a MATCH. */
enum inspect_result stratum_inspect(const struct inspect_input *in, struct facts *out);

#endif
