// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/quarantine: which devices are in it after each request. The kernel's table, the policy and the reporter are played here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/apply.h"
#include "daemon/daemon.h"
#include "daemon/quarantine.h"
#include "policy/reporting.h"

static const struct reporting reporting = { .quarantine = QUARANTINE_AUTO, .quarantine_time_s = 3600 };
static const struct settings settings = { .mode = MODE_ENFORCE };

const struct reporting *policy_reporting(const struct policy *p)
{
	(void)p;
	return &reporting;
}

const struct settings *policy_settings(const struct policy *p)
{
	(void)p;
	return &settings;
}

bool policy_quarantine_names(const struct policy *p)
{
	(void)p;
	return true;
}

uint64_t daemon_now_s(void)
{
	return 1000;
}

int apply_table(struct daemon *d)
{
	(void)d;
	return 0;
}

void daemon_note(struct daemon *d, const char *what, const char *detail)
{
	(void)d;
	(void)what;
	(void)detail;
}

void reporter_say_json(struct reporter *r, enum reporter_message what, json_t *j)
{
	(void)r;
	(void)what;
	json_decref(j);
}

void event_address(char *out, size_t size, const uint8_t address[16], uint8_t family)
{
	(void)family;
	snprintf(out, size, "%u.%u.%u.%u", address[12], address[13], address[14], address[15]);
}

/* What is refused now, in a line. */
static const char *refused(const struct daemon *d)
{
	static char text[1024];
	struct table_device all[QUARANTINE_ELEMENTS];
	size_t n = quarantine_devices(d, all), len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, all[i].by_mac ? "mac %u, " : "ip %u, ",
					all[i].by_mac ? all[i].mac[5] : all[i].address[15]);
	return text;
}

#define FIRST "{\"addresses\": [\"192.0.2.1\", \"192.0.2.2\"], \"mac\": \"02:00:00:00:00:01\", \"for_s\": 600}"

/* Another machine that takes the address of one in quarantine does not free that one's other addresses and its MAC. */
static void test_taken_address(void **state)
{
	struct daemon *d = calloc(1, sizeof(*d));

	(void)state;
	quarantine_wanted(d, FIRST);
	assert_string_equal(refused(d), "mac 1, ip 1, ip 2, ");
	quarantine_wanted(d, "{\"addresses\": [\"192.0.2.1\"], \"mac\": \"02:00:00:00:00:02\", \"for_s\": 300}");
	assert_string_equal(refused(d), "mac 1, ip 1, ip 2, mac 2, ");
	free(d);
}

/* Asked for anew by one address alone, it stays known by all. */
static void test_anew_by_address(void **state)
{
	struct daemon *d = calloc(1, sizeof(*d));

	(void)state;
	quarantine_wanted(d, FIRST);
	quarantine_wanted(d, "{\"addresses\": [\"192.0.2.2\"], \"for_s\": 300}");
	assert_string_equal(refused(d), "mac 1, ip 2, ip 1, ");
	assert_int_equal(d->n_quarantined, 1);
	assert_int_equal(d->quarantined[0].until_s, 1300);
	free(d);
}

static void test_release(void **state)
{
	json_t *request = json_loads("{\"addresses\": [\"192.0.2.2\"], \"for_s\": 0}", 0, NULL), *reply;
	struct daemon *d = calloc(1, sizeof(*d));

	(void)state;
	quarantine_wanted(d, FIRST);
	reply = quarantine_answer(d, request);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_string_equal(refused(d), "");
	json_decref(reply);
	json_decref(request);
	free(d);
}

/* From one process to the next. */
static void test_inherited(void **state)
{
	struct daemon *d = calloc(1, sizeof(*d)), *heir = calloc(1, sizeof(*heir));
	json_t *list;

	(void)state;
	quarantine_wanted(d, FIRST);
	list = quarantine_json(d);
	quarantine_inherit(heir, list);
	assert_string_equal(refused(heir), "mac 1, ip 1, ip 2, ");
	assert_int_equal(heir->quarantined[0].until_s, 1600);
	json_decref(list);
	free(d);
	free(heir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken_address),
		cmocka_unit_test(test_anew_by_address),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
