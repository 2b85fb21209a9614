/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long the kernel takes for what it is taught: one element at a time, many in a batch. Makes our table in the network
 * namespace that it is started in, and takes it away again. Prints one JSON object. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nft/table.h"

#define FILLED 10000u
#define SINGLES 2000u
#define BATCH 100u
#define BATCHES 50u

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct element endpoint(uint32_t i)
{
	struct element e = { .dst = { [10] = 0xff, 0xff, 198, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i }, .family = 4,
			     .proto = IPPROTO_TCP, .port = 3333, .timeout_s = 3600 };

	return e;
}

static void add(struct table *t, uint32_t first, uint32_t n)
{
	static struct element elements[FILLED];
	size_t done = 0;

	for (uint32_t i = 0; i < n; i++)
		elements[i] = endpoint(first + i);
	if (table_add(t, elements, n, &done) || done != n) {
		fprintf(stderr, "elements: the kernel did not take them\n");
		exit(1);
	}
}

int main(void)
{
	struct table_config config = { .mark_mask = 0x0e000000, .forward = true, .enforce = true, .reset = true, .bypass = true,
				       .queue_count = 1, .set_size = 65536 };
	static double singles[SINGLES], batches[BATCHES];
	struct table_error error;
	uint32_t used = FILLED;
	struct table *t;

	if (table_open(&t, &error) || table_install(t, &config, NULL, &error)) {
		fprintf(stderr, "elements: %s\n", error.text);
		return 1;
	}
	add(t, 0, FILLED);
	for (unsigned i = 0; i < SINGLES; i++) {
		double begin = now_us();

		add(t, used++, 1);
		singles[i] = now_us() - begin;
	}
	for (unsigned i = 0; i < BATCHES; i++, used += BATCH) {
		double begin = now_us();

		add(t, used, BATCH);
		batches[i] = (now_us() - begin) / BATCH;
	}
	qsort(singles, SINGLES, sizeof(singles[0]), by_value);
	qsort(batches, BATCHES, sizeof(batches[0]), by_value);
	printf("{\"single_p50_us\": %.1f, \"single_p99_us\": %.1f, \"batched_us\": %.2f}\n", singles[SINGLES / 2],
	       singles[SINGLES * 99 / 100], batches[BATCHES / 2]);
	table_remove(t);
	table_close(t);
	return 0;
}
