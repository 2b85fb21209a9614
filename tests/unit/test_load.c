// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/load: the process beside the reporter that asks devices, and what becomes of its answers. The answers are the test's. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/load.h"

#define NIGHT 1700000000

static struct reporting policy = { .cpu_community = "public", .cpu_threshold = 90, .cpu_every_s = 3600 };
static bool dies;

int load_snmp_open(void)
{
	return 0;
}

int load_snmp_ask(const struct reporting *r, const char *address)
{
	(void)r;
	(void)address;
	if (dies)
		raise(SIGKILL);
	return 42;
}

bool schedule_holds(const struct schedule *s, int64_t now_s, uint32_t *left_s)
{
	(void)s;
	(void)now_s;
	(void)left_s;
	return true;
}

static void add(struct incident_book *b, uint32_t id)
{
	struct incident *i = incident_put(b, id);

	assert_non_null(i);
	i->since_s = NIGHT;
	strcpy(i->addresses[0], "192.0.2.1");
}

/* Until nobody is waited for any more. True: an answer came in. */
static bool ask_all(struct load *l, struct incident_book *b)
{
	bool heard = load_tick(l, &policy, b, 1000, NIGHT);

	for (int i = 0; i < 10 && l->asked; i++) {
		struct pollfd fd = { .fd = l->fd, .events = POLLIN };

		assert_int_equal(poll(&fd, 1, 5000), 1);
		heard |= load_tick(l, &policy, b, 1000, NIGHT);
	}
	assert_int_equal(l->asked, 0);
	return heard;
}

static void asks(void **state)
{
	struct incident_book b;
	struct load l;

	(void)state;
	dies = false;
	incident_book_init(&b, 16);
	add(&b, 7);
	load_init(&l);
	assert_true(ask_all(&l, &b));
	assert_int_equal(b.items[0]->n_readings, 1);
	assert_int_equal(b.items[0]->readings[0].cpu, 42);
	load_end(&l);
	incident_book_fini(&b);
}

/* An end of a socket that nobody holds any more would wake the reporter's loop again and again, with nobody asked for hours. */
static void heeds_death(void **state)
{
	struct incident_book b;
	struct load l;

	(void)state;
	dies = true;
	incident_book_init(&b, 16);
	add(&b, 7);
	load_init(&l);
	assert_false(ask_all(&l, &b));
	assert_int_equal(l.fd, -1);
	assert_int_equal(l.pid, 0);
	assert_int_equal(l.failures, 1);
	dies = false;
	load_hurry(&l);
	assert_true(ask_all(&l, &b));
	kill(l.pid, SIGKILL);
	assert_int_equal(poll(&(struct pollfd) { .fd = l.fd, .events = POLLIN }, 1, 5000), 1);
	assert_false(load_tick(&l, &policy, &b, 1000, NIGHT));
	assert_int_equal(l.fd, -1);
	load_end(&l);
	incident_book_fini(&b);
}

/* A number from a file that was edited is none of the named hosts. */
static void odd_number(void **state)
{
	struct incident_book b;
	struct load l;

	(void)state;
	dies = false;
	incident_book_init(&b, 16);
	add(&b, LOAD_HOSTS_FROM + REPORTING_CPU_HOSTS_MAX + 1000);
	load_init(&l);
	assert_false(ask_all(&l, &b));
	assert_int_equal(l.polls, 0);
	load_end(&l);
	incident_book_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks),
		cmocka_unit_test(heeds_death),
		cmocka_unit_test(odd_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
