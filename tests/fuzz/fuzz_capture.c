/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer: arbitrary bytes as a capture file (libpcap, link layers, defragmentation, flows), as `minewall replay --flows` reads one.
 * Every view that comes out must lie in memory, and every flow must have a line. What is inside of packets is fuzz_pipeline's. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/capture.h"
#include "cli/replay_flow.h"
#include "cli/replay_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool true_thing)
{
	if (!true_thing)
		abort();
}

/* Reads each byte of the payload, so that ASan sees where it lies. */
static void check_packet(const struct packet *p)
{
	static volatile uint8_t sum;

	require(p->family == 4 || p->family == 6);
	for (size_t i = 0; i < p->payload_len; i++)
		sum = (uint8_t)(sum + p->payload[i]);
}

static void walk(struct capture *c, struct replay_table *t)
{
	struct capture_packet cp;
	uint64_t before = 0;

	while (capture_next(c, &cp) == CAPTURE_PACKET) {
		struct replay_step step;

		require(cp.now_ms >= before);
		before = cp.now_ms;
		if (!cp.ends_only)
			check_packet(&cp.packet);
		step = cp.ends_only ? replay_table_glimpse(t, &cp.packet, cp.when) : replay_table_see(t, &cp.packet, cp.when);
		require(step.flow);
		if (step.hand)
			replay_flow_judged(step.flow, cp.packet.payload_len % 2 ? VERDICT_ACCEPT : VERDICT_BLOCK);
	}
}

static void print(FILE *out, const struct replay_table *t)
{
	size_t n = 0;

	for (struct replay_flow *f = replay_table_first(t); f; f = f->line_next, n++) {
		json_t *j = replay_line_json(f, "fuzz.pcap");

		require(j);
		json_decref(j);
		replay_line_print(out, f);
	}
	require(n == replay_table_count(t));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[64], error[256];
	static FILE *nowhere;
	struct replay_table *t = replay_table_new();
	struct capture *c = NULL;

	if (fd < 0) {
		fd = memfd_create("capture", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		nowhere = fopen("/dev/null", "w");
	}
	require(t && nowhere && !ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size);
	if (capture_open(path, &c, error) == CAPTURE_PACKET) {
		walk(c, t);
		print(nowhere, t);
	}
	capture_close(c);
	replay_table_free(t);
	return 0;
}
