/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains that the packets of outbound connections go through, one for each direction, and what they have in common with others
 * of our chains. Puts rules into a batch; the caller adds the chains. */
#ifndef MINEWALL_JUDGE_RULES_H
#define MINEWALL_JUDGE_RULES_H

#include "nft/writer.h"

#define JUDGE_ORIGINAL "original"
#define JUDGE_OPENING "opening"
#define JUDGE_OPENING6 "opening6"
#define JUDGE_INSPECTED "inspected"
#define JUDGE_ORIGINAL_UDP "original_udp"
#define JUDGE_FIRST_UDP "first_udp"
#define JUDGE_ORIGINAL_PAYLOAD "original_payload"
#define JUDGE_LEARNT "learnt"
#define JUDGE_LEARNT6 "learnt6"
#define JUDGE_REPLY "reply"
#define JUDGE_REPLY_INSPECTED "reply_inspected"
#define JUDGE_REPLY_UDP "reply_udp"
#define JUDGE_ANSWERED "answered"

/* Fills all of these chains. */
void judge_put(struct writer *w);

/* At the end of w->chain: exempt hosts and allowed addresses win over everything else; what is BLOCKED is refused. */
void judge_accept_listed(struct writer *w, enum side outside);
void judge_end_blocked(struct writer *w);

#endif
