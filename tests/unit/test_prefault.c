// SPDX-License-Identifier: GPL-2.0-or-later
/* nfq/prefault: pages are there ahead of their use, as many as are in use, and none of a daemon that has just begun. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "nfq/flow.h"
#include "nfq/prefault.h"

#define SIZE (4u << 20)

static size_t page;

static char *fresh(void)
{
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	madvise(memory, SIZE, MADV_NOHUGEPAGE);
	return memory;
}

/* Is the page there that holds this byte? */
static bool is_there(char *memory, size_t byte)
{
	uintptr_t at = ((uintptr_t)memory + byte) & ~(uintptr_t)(page - 1);
	unsigned char there;

	assert_int_equal(mincore((void *)at, page, &there), 0);
	return there & 1;
}

/* An older kernel gives pages when they are touched, and only then. */
static void need_kernel(void)
{
	char *memory = fresh();
	struct prefault p;

	prefault_init(&p, memory, SIZE);
	prefault_whole(&p);
	if (!is_there(memory, 0))
		skip();
	munmap(memory, SIZE);
}

static void test_ahead(void **state)
{
	char *memory = fresh();
	struct prefault p;

	(void)state;
	need_kernel();
	prefault_init(&p, memory, SIZE);
	assert_false(prefault_used(&p, 1000));
	prefault_fetch(&p);
	assert_false(is_there(memory, 0));
	assert_true(prefault_used(&p, 20000));
	prefault_fetch(&p);
	assert_false(is_there(memory, 0));	/* that is the owner's */
	assert_true(is_there(memory, 20000 + page));
	assert_true(is_there(memory, 20000 + 65536 - page));
	assert_false(is_there(memory, 20000 + 65536 + page));
	assert_false(prefault_used(&p, 21000));	/* enough for now */
	assert_true(prefault_used(&p, 60000));
	prefault_fetch(&p);
	assert_true(is_there(memory, 60000 + 65536 - page));
	/* as much again as is in use, and no more than there is */
	assert_true(prefault_used(&p, 1000000));
	prefault_fetch(&p);
	assert_true(is_there(memory, 2000000 - page));
	assert_false(is_there(memory, 2000000 + page));
	assert_true(prefault_used(&p, SIZE - 10000));
	prefault_fetch(&p);
	assert_true(is_there(memory, SIZE - 1));
	assert_false(prefault_used(&p, SIZE));
	munmap(memory, SIZE);
}

/* What is not a page's begin or end is shared with others. */
static void test_edges(void **state)
{
	char *memory = fresh();
	struct prefault p;

	(void)state;
	need_kernel();
	prefault_init(&p, memory + 100, 2 * page);
	prefault_whole(&p);
	assert_false(is_there(memory, 0));
	assert_true(is_there(memory, page));
	assert_false(is_there(memory, 2 * page));
	munmap(memory, SIZE);
}

static void test_flows(void **state)
{
	static const uint64_t secret[2] = { 1, 2 };
	struct flow_table *t = flow_table_new(40000, 4 << 20, secret);
	struct flow_key key = { .dport = 80, .family = 4, .proto = 6 };
	bool made, wanted = false;
	struct flow *f = NULL;

	(void)state;
	need_kernel();
	for (; key.sport < 40; key.sport++)
		f = flow_get(t, &key, flow_expect(t, &key), 0, &made);
	assert_false(flow_wants_memory(t));
	for (; key.sport < 100; key.sport++) {
		f = flow_get(t, &key, flow_expect(t, &key), 0, &made);
		wanted |= flow_wants_memory(t);
	}
	assert_true(wanted);
	assert_false(flow_wants_memory(t));	/* said once */
	flow_fetch_memory(t);
	assert_true(is_there((char *)f, 50000));
	assert_false(is_there((char *)f, 100000));
	flow_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_flows),
	};

	page = (size_t)sysconf(_SC_PAGESIZE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
