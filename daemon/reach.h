/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What devices in quarantine may reach by name: who they are, as the workers ask it, and which addresses are open by a DNS answer.
 * Decides nothing about a packet, and sends nothing to the kernel. */
#ifndef MINEWALL_REACH_H
#define MINEWALL_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nft/table.h"

struct policy;
struct reach;

/* NULL: no memory. Both accept it. */
struct reach *reach_new(void);
void reach_free(struct reach *r);

/* From now on these devices are kept, by this policy; workers that judge by another one open nothing. None: nothing is asked at all. */
void reach_keep(struct reach *r, const struct policy *p, const struct table_device *devices, size_t n, uint64_t now_ms);

/* A new table is there, and nothing is open in it; or the kernel did not take what was to be opened. */
void reach_forget(struct reach *r);

/* Is this device one of them? `mac` NULL: not known. Without any it is one comparison. From any thread. */
bool reach_is_kept(struct reach *r, const struct policy *p, const uint8_t src[16], const uint8_t mac[6], uint64_t now_ms);

/* A name of the policy stands for this address: is it to be opened, or for longer? For so long is then written into `*life_s`, and it
 * counts as done. False: it is open for as long already, or there are TABLE_ADMITTED_MAX. From any thread. */
bool reach_opens(struct reach *r, const struct policy *p, const uint8_t address[16], uint32_t ttl_s, uint64_t now_ms, uint32_t *life_s);

#endif
