/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's part of `minewall doctor`: has it what we need, and who else uses marks, queues or a fast path past the firewall?
 * Asks the same questions as the daemon's start, by the same functions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "nfq/queue.h"
#include "nft/marks.h"
#include "nft/table.h"

/* Where a router's own fast path has a module, it takes packets before any firewall rule sees them. */
static const char *const engines[][2] = {
	{ "ecm", "Qualcomm NSS (ECM)" }, { "qca_nss_ecm", "Qualcomm NSS (ECM)" }, { "qca_nss_sfe", "Qualcomm SFE" },
	{ "shortcut_fe", "Qualcomm Shortcut FE" }, { "fast_classifier", "Qualcomm fast classifier" },
	{ "ctf", "Broadcom CTF" }, { "fcache", "Broadcom flow cache" }, { "bcm_flow", "Broadcom flow cache" }, { "pktrunner", "Broadcom Runner" },
	{ "hw_nat", "MediaTek/Ralink HNAT" }, { "mtkhnat", "MediaTek HNAT" }, { "mtk_hnat", "MediaTek HNAT" },
};

void doctor_kernel(struct doctor *d)
{
	struct table_error error;
	struct table *t = NULL;

	if (geteuid() != 0) {
		doctor_say(d, DOCTOR_WARN, "kernel", "try as root", "nf_tables cannot be asked without CAP_NET_ADMIN");
		return;
	}
	if (table_open(&t, &error)) {
		doctor_say(d, DOCTOR_BAD, "kernel", "load the modules nf_tables, nft_ct, nft_reject, nfnetlink_queue (OpenWrt: kmod-nft-queue); "
			   "payload matching needs Linux 5.16", "%s", error.text);
		return;
	}
	doctor_say(d, DOCTOR_OK, "kernel", NULL, "nf_tables matches payload and queues by %s", table_queue_kind(t));
	if (d->settings->own_table && !table_can_own(t))
		doctor_say(d, DOCTOR_WARN, "kernel", "nothing to do: the table comes back within a second if another program flushes it",
			   "a table cannot be owned (Linux 6.9): `own_table` has no effect");
	if (d->settings->guard_offload && !table_can_guard(t))
		doctor_say(d, DOCTOR_BAD, "kernel", "load nf_conntrack_ftp, _sip, _tftp or remove the flowtable",
			   "the helpers of `guard_offload` are missing");
	table_close(t);
}

void doctor_queues(struct doctor *d)
{
	struct queue_losses l;
	int fd = queue_losses_open();
	unsigned n = d->settings->queue_count ? d->settings->queue_count : queue_auto();

	if (fd < 0) {
		doctor_say(d, fd == -EACCES ? DOCTOR_WARN : DOCTOR_BAD, "queues", fd == -EACCES ? "try as root" : "load the module nfnetlink_queue",
			   "/proc/net/netfilter/nfnetlink_queue: %s", strerror(-fd));
		return;
	}
	for (unsigned i = 0; !d->status && i < n; i++)
		if (queue_losses_read(fd, (uint16_t)(d->settings->queue_first + i), &l) == 0) {
			doctor_say(d, DOCTOR_BAD, "queues", "set queues.first to a free range",
				   "queue %u belongs to another program (netlink port %u)", d->settings->queue_first + i, l.owner);
			close(fd);
			return;
		}
	if (d->status)
		doctor_say(d, DOCTOR_OK, "queues", NULL, "%zu in use by the daemon", json_array_size(json_object_get(d->status, "queues")));
	else
		doctor_say(d, DOCTOR_OK, "queues", NULL, "those from %u on are free", d->settings->queue_first);
	close(fd);
}

void doctor_conntrack(struct doctor *d)
{
	long long max = doctor_number("/proc/sys/net/netfilter/nf_conntrack_max");
	long long now = doctor_number("/proc/sys/net/netfilter/nf_conntrack_count");

	if (max < 0 || now < 0)
		doctor_say(d, DOCTOR_WARN, "conntrack", "the daemon's start loads it", "connection tracking is not loaded yet");
	else if (max && now * 10 >= max * 8)
		doctor_say(d, DOCTOR_BAD, "conntrack", "raise net.netfilter.nf_conntrack_max: a full table drops new connections",
			   "%lld of %lld connections", now, max);
	else
		doctor_say(d, DOCTOR_OK, "conntrack", NULL, "%lld of %lld connections", now, max);
}

void doctor_marks(struct doctor *d)
{
	char text[512];
	int found = geteuid() == 0 ? marks_conflict(d->settings->mark_mask, text, sizeof(text)) : -EPERM;

	if (found > 0)
		doctor_say(d, DOCTOR_BAD, "marks", "set mark.mask to three adjacent bits that nobody uses", "our bits 0x%08x are in use: %s",
			   d->settings->mark_mask, text);
	else if (found < 0)
		doctor_say(d, DOCTOR_WARN, "marks", "try as root", "rules of others cannot be read: %s", strerror(-found));
	else
		doctor_say(d, DOCTOR_OK, "marks", NULL, "nobody else uses the bits 0x%08x", d->settings->mark_mask);
}

void doctor_offload(struct doctor *d)
{
	char text[512], path[128];
	int found = geteuid() == 0 ? marks_flowtable(text, sizeof(text)) : -EPERM, engine = 0;

	if (found > 0 && !d->settings->guard_offload)
		doctor_say(d, DOCTOR_BAD, "offload", "set `guard_offload: true`: new flows are kept out of it and forwarded at the usual speed",
			   "a flowtable hides flows from us: %s", text);
	else if (found > 0)
		doctor_say(d, DOCTOR_OK, "offload", NULL, "a flowtable is there, and `guard_offload` keeps new flows out of it: %s", text);
	else if (found < 0)
		doctor_say(d, DOCTOR_WARN, "offload", "try as root", "rules of others cannot be read: %s", strerror(-found));
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", engines[i][0]);
		if (access(path, F_OK))
			continue;
		engine = 1;
		doctor_say(d, DOCTOR_BAD, "offload", "switch it off: it forwards what no firewall rule has seen", "%s is loaded (module %s)",
			   engines[i][1], engines[i][0]);
	}
	if (!found && !engine)
		doctor_say(d, DOCTOR_OK, "offload", NULL, "no flowtable rule and no known fast path");
}
