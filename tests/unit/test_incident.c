// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/incident, sighting, leases: what is folded into an incident, when it is told, and whose name a device gets. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/incident.h"
#include "daemon/leases.h"
#include "daemon/reporting.h"
#include "daemon/sighting.h"

#define NIGHT 1700000000

static struct incident_book book(size_t max)
{
	struct incident_book b;

	incident_book_init(&b, max);
	b.alert_attempts = 5;
	b.alert_within_s = 600;
	return b;
}

static struct sighting seen(const char *mac, const char *address, int64_t when_s)
{
	struct sighting s = { .when_s = when_s, .blocked = true, .opens = true, .count = 1 };

	strcpy(s.mac, mac);
	strcpy(s.address, address);
	strcpy(s.pool, "pool.example");
	return s;
}

static void opens_once_and_counts(void **state)
{
	struct incident_book b = book(16);
	struct sighting s = seen("02:00:00:00:00:01", "192.0.2.1", NIGHT);
	struct incident_change c = incident_see(&b, &s);

	(void)state;
	assert_true(c.opened);
	assert_int_equal(c.incident->id, 1);
	s.when_s += 10;
	s.count = 3;
	strcpy(s.address, "2001:db8::1");
	strcpy(s.pool, "other.example");
	strcpy(s.payee, "abcd");
	c = incident_see(&b, &s);
	assert_false(c.opened);
	assert_int_equal(b.n, 1);
	assert_int_equal(c.incident->blocked, 4);
	assert_int_equal(c.incident->first_s, NIGHT);
	assert_int_equal(c.incident->last_s, NIGHT + 10);
	assert_string_equal(c.incident->addresses[0], "2001:db8::1");
	assert_string_equal(c.incident->addresses[1], "192.0.2.1");
	assert_string_equal(c.incident->pools[1].text, "other.example");
	assert_int_equal(c.incident->pools[1].count, 3);
	incident_book_fini(&b);
}

/* First by its address alone, then with its MAC; then another device has the address. */
static void a_device_is_its_mac(void **state)
{
	struct incident_book b = book(16);
	struct sighting s = seen("", "192.0.2.1", NIGHT);

	(void)state;
	incident_see(&b, &s);
	s = seen("02:00:00:00:00:01", "192.0.2.1", NIGHT + 1);
	assert_false(incident_see(&b, &s).opened);
	s = seen("02:00:00:00:00:02", "192.0.2.1", NIGHT + 2);
	assert_true(incident_see(&b, &s).opened);
	assert_int_equal(b.n, 2);
	s = seen("", "192.0.2.1", NIGHT + 3);
	assert_int_equal(incident_see(&b, &s).incident->id, 2);
	incident_book_fini(&b);
}

static void what_is_let_pass_opens_nothing(void **state)
{
	struct incident_book b = book(16);
	struct sighting s = seen("", "192.0.2.1", NIGHT);

	(void)state;
	s.opens = s.blocked = false;
	assert_null(incident_see(&b, &s).incident);
	assert_int_equal(b.n, 0);
	incident_book_fini(&b);
}

static void told_once_each_time(void **state)
{
	struct incident_book b = book(16);
	struct sighting s = seen("", "192.0.2.1", NIGHT);
	struct incident *i;

	(void)state;
	for (int k = 0; k < 4; k++, s.when_s++)
		assert_int_equal(incident_see(&b, &s).alert, ALERT_NONE);
	assert_int_equal(incident_see(&b, &s).alert, ALERT_OPENED);
	for (int k = 0; k < 40; k++, s.when_s++)
		assert_int_equal(incident_see(&b, &s).alert, ALERT_NONE);
	i = b.items[0];
	assert_int_equal(incident_level(i), 0);
	s.count = 5;
	assert_int_equal(incident_see(&b, &s).alert, ALERT_ESCALATED);
	assert_int_equal(incident_see(&b, &s).alert, ALERT_NONE);
	assert_int_equal(i->alerts, 2);
	assert_true(incident_acknowledge(i, s.when_s));
	assert_false(incident_acknowledge(i, s.when_s));
	assert_true(incident_clean(i, s.when_s + 5, "new disk"));
	assert_false(incident_clean(i, s.when_s + 5, NULL));
	s.count = 1;
	/* What was done before it was cleaned does not bring it back. */
	assert_false(incident_see(&b, &s).reopened);
	s.when_s += 6;
	assert_true(incident_see(&b, &s).reopened);
	assert_int_equal(i->state, INCIDENT_REOPENED);
	for (int k = 0; k < 3; k++)
		assert_int_equal(incident_see(&b, &s).alert, ALERT_NONE);
	assert_int_equal(incident_see(&b, &s).alert, ALERT_REOPENED);
	assert_int_equal(i->reopened, 1);
	assert_string_equal(i->note, "new disk");
	incident_book_fini(&b);
}

/* Four attempts in ten minutes, over and over, are no five. */
static void slow_ones_are_not_told(void **state)
{
	struct incident_book b = book(16);
	struct sighting s = seen("", "192.0.2.1", NIGHT);

	(void)state;
	for (int k = 0; k < 12; k++, s.when_s += 160)
		assert_int_equal(incident_see(&b, &s).alert, ALERT_NONE);
	s.when_s -= 159;
	assert_int_equal(incident_see(&b, &s).alert, ALERT_OPENED);
	incident_book_fini(&b);
}

static void weights(void **state)
{
	struct incident_book b = book(16);
	struct sighting s = seen("", "192.0.2.1", NIGHT);

	(void)state;
	s.outside = true;
	assert_int_equal(incident_see(&b, &s).alert, ALERT_NONE);
	assert_int_equal(incident_see(&b, &s).alert, ALERT_OPENED);
	assert_int_equal(b.items[0]->points, 2 * (WEIGHT_ATTEMPT + WEIGHT_OUTSIDE));
	assert_int_equal(b.items[0]->outside, 2);
	s = seen("", "192.0.2.2", NIGHT);
	s.telltale = s.outside = true;
	assert_int_equal(incident_see(&b, &s).alert, ALERT_OPENED);
	s = seen("", "192.0.2.3", NIGHT);
	s.spreading = true;
	assert_int_equal(incident_see(&b, &s).incident->points, WEIGHT_ATTEMPT + WEIGHT_SPREADING);
	incident_book_fini(&b);
}

static void bounded(void **state)
{
	struct incident_book b = book(4);

	(void)state;
	for (int k = 0; k < 4; k++) {
		struct sighting s = seen("", "", NIGHT + k);

		snprintf(s.address, sizeof(s.address), "192.0.2.%d", k);
		incident_see(&b, &s);
	}
	incident_clean(incident_get(&b, 3), NIGHT + 10, NULL);
	incident_acknowledge(incident_get(&b, 2), NIGHT + 10);
	for (int k = 10; k < 13; k++) {
		struct sighting s = seen("", "", NIGHT + k);

		snprintf(s.address, sizeof(s.address), "192.0.2.%d", k);
		incident_see(&b, &s);
	}
	/* The cleaned one went first, then the one that somebody looks into, then the one that was quiet for the longest time. */
	assert_int_equal(b.n, 4);
	assert_int_equal(b.dropped, 3);
	assert_null(incident_get(&b, 1));
	assert_null(incident_get(&b, 2));
	assert_null(incident_get(&b, 3));
	assert_non_null(incident_get(&b, 4));
	for (int k = 0; k < 1000; k++) {
		struct sighting s = seen("", "192.0.2.12", NIGHT + 20);

		snprintf(s.pool, sizeof(s.pool), "pool%d.example", k);
		incident_see(&b, &s);
	}
	assert_string_equal(incident_of(&b, "", "192.0.2.12")->addresses[0], "192.0.2.12");
	assert_int_equal(incident_of(&b, "", "192.0.2.12")->blocked, 1001);
	incident_book_fini(&b);
}

static void campaign(void **state)
{
	struct incident_book b = book(16);
	uint32_t ids[4];

	(void)state;
	for (int k = 0; k < 3; k++) {
		struct sighting s = seen("", "", NIGHT);

		snprintf(s.address, sizeof(s.address), "192.0.2.%d", k);
		strcpy(s.payee, k == 1 ? "feed" : "beef");
		incident_see(&b, &s);
	}
	assert_int_equal(incident_campaign(&b, incident_get(&b, 1), ids, 4), 1);
	assert_int_equal(ids[0], 3);
	assert_int_equal(incident_campaign(&b, incident_get(&b, 2), ids, 4), 0);
	incident_book_fini(&b);
}

static void survives_its_file(void **state)
{
	struct incident_book b = book(16), c = book(16);
	struct sighting s = seen("02:00:00:00:00:01", "192.0.2.1", NIGHT);
	struct reading r = { .when_s = NIGHT + 60, .cpu = 97, .gpu = -1 };
	json_t *first, *second;

	(void)state;
	strcpy(s.name, "laptop");
	strcpy(s.agent, "bed/1.0");
	s.count = 7;
	incident_see(&b, &s);
	incident_read_load(b.items[0], &r);
	incident_clean(b.items[0], NIGHT + 1, "note");
	first = incident_json(b.items[0]);
	assert_true(incident_load(&c, first));
	assert_false(incident_load(&c, first));		/* the number is taken */
	second = incident_json(c.items[0]);
	assert_true(json_equal(first, second));
	assert_int_equal(c.next_id, 2);
	json_decref(first);
	json_decref(second);
	/* Edited by hand. */
	first = json_pack("{s:i, s:s, s:i, s:[i,i], s:[s], s:s}", "id", 9, "state", "gone", "blocked", -4, "addresses", 1, 2, "pools", "x",
			  "mac", "far too long for a MAC address");
	assert_true(incident_load(&c, first));
	assert_int_equal(incident_get(&c, 9)->blocked, 0);
	assert_string_equal(incident_get(&c, 9)->mac, "");
	json_decref(first);
	first = json_pack("{s:i}", "id", -1);
	assert_false(incident_load(&c, first));
	json_decref(first);
	incident_book_fini(&b);
	incident_book_fini(&c);
}

static bool read_event(struct sighting *s, const char *text, bool monitor)
{
	json_t *j = json_loads(text, 0, NULL);
	bool is;

	assert_non_null(j);
	is = sighting_read(s, j, monitor);
	json_decref(j);
	return is;
}

static void events(void **state)
{
	static const char blocked[] =
		"{\"timestamp\":\"2026-11-24T02:00:05.000001+01:00\",\"event_type\":\"alert\",\"src_ip\":\"192.0.2.1\",\"dest_ip\":"
		"\"2001:db8::7\",\"dest_port\":3333,\"alert\":{\"action\":\"blocked\",\"severity\":1},\"mining\":{\"evidence\":"
		"\"protocol\",\"agent\":\"bed/1.0\",\"login_hash\":\"beef\",\"count\":3},\"host\":{\"mac\":\"02:00:00:00:00:01\"}}";
	struct sighting s;

	(void)state;
	assert_true(read_event(&s, blocked, false));
	assert_int_equal(s.when_s, 1795482005);
	assert_true(s.blocked && s.opens && !s.spreading && !s.telltale);
	assert_int_equal(s.count, 3);
	assert_string_equal(s.pool, "[2001:db8::7]:3333");
	assert_string_equal(s.mac, "02:00:00:00:00:01");
	assert_string_equal(s.payee, "beef");
	assert_false(read_event(&s, "{\"event_type\":\"minewall\",\"minewall\":{\"event\":\"reloaded\"}}", false));
	assert_false(read_event(&s, "{\"event_type\":\"alert\",\"src_ip\":\"192.0.2.1\",\"alert\":{},\"mining\":{\"count\":1}}", false));
	assert_true(read_event(&s, "{\"event_type\":\"alert\",\"timestamp\":\"2026-11-24T02:00:05Z\",\"src_ip\":\"192.0.2.1\",\"alert\":"
				   "{\"action\":\"allowed\",\"severity\":1},\"tls\":{\"sni\":\"a.example\"},\"mining\":{\"evidence\":\"name\","
				   "\"telltale\":true}}", true));
	assert_true(s.opens && s.telltale && !s.blocked);
	assert_string_equal(s.pool, "a.example");
	assert_true(read_event(&s, "{\"event_type\":\"alert\",\"timestamp\":\"2026-11-24T02:00:05-05:30\",\"src_ip\":\"192.0.2.1\",\"alert\":"
				   "{\"action\":\"allowed\"},\"mining\":{\"rule\":\"hygiene.smb\",\"count\":40}}", false));
	assert_true(s.spreading && !s.opens);
	assert_int_equal(s.when_s, 1795505405);
	assert_int_equal(sighting_time("yesterday"), -1);
}

static void leases(void **state)
{
	static const char dnsmasq[] =
		"1700000000 02:00:00:00:00:01 192.0.2.1 laptop 01:02:00:00:00:00:01\n"
		"1700000000 02:00:00:00:00:02 192.0.2.2 * *\n"
		"1700000000 02:00:00:00:00:03 192.0.2.3 \x1b[31mred\xff\\ *\n"
		"duid 00:01:00:01\n"
		"1700000000 33554433 2001:db8:0::1 laptop 00:01:00:01:aa\n";
	static const char odhcpd[] =
		"# br-lan 020000000001 ipv4 tv 1700000000 40 32 192.0.2.40/32\n"
		"# br-lan 000100012a 5 printer 1700000000 41 128 2001:db8::41/128\n"
		"2001:db8::41\tprinter\n";
	static const char kea[] =
		"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
		"192.0.2.50,02:00:00:00:00:50,,3600,1700000000,1,0,0,old,0,\n"
		"192.0.2.50,02:00:00:00:00:50,,3600,1700000000,1,0,0,new.lan,0,\n"
		"192.0.2.51,02:00:00:00:00:51\n";
	struct leases l = { NULL, 0, 0 };

	(void)state;
	assert_int_equal(leases_read(&l, dnsmasq, sizeof(dnsmasq) - 1), LEASES_DNSMASQ);
	assert_string_equal(leases_name(&l, "", "192.0.2.1"), "laptop");
	assert_string_equal(leases_name(&l, "02:00:00:00:00:01", "203.0.113.1"), "laptop");
	assert_string_equal(leases_name(&l, "", "192.0.2.2"), "");
	assert_string_equal(leases_name(&l, "", "2001:db8::1"), "laptop");
	assert_string_equal(leases_name(&l, "", "192.0.2.3"), "\\x1b[31mred\\xff\\x5c");
	assert_int_equal(leases_read(&l, odhcpd, sizeof(odhcpd) - 1), LEASES_ODHCPD);
	assert_string_equal(leases_name(&l, "02:00:00:00:00:01", ""), "laptop");
	assert_string_equal(leases_name(&l, "", "192.0.2.40"), "tv");
	assert_string_equal(leases_name(&l, "", "2001:db8::41"), "printer");
	assert_int_equal(leases_read(&l, kea, sizeof(kea) - 1), LEASES_KEA);
	assert_string_equal(leases_name(&l, "02:00:00:00:00:50", ""), "new.lan");
	assert_int_equal(leases_read(&l, "\x7f" "ELF\n", 5), LEASES_UNKNOWN);
	assert_int_equal(leases_read(&l, "", 0), LEASES_UNKNOWN);
	leases_fini(&l);
}

/* Cut anywhere, nothing is read beyond the end. */
static void leases_cut(void **state)
{
	static const char text[] = "# br-lan 020000000001 ipv4 tv 1700000000 40 32 192.0.2.40/32 192.0.2.41/32\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = malloc(n + 1);
		struct leases l = { NULL, 0, 0 };

		memcpy(copy, text, n);
		leases_read(&l, copy, n);
		leases_fini(&l);
		free(copy);
	}
}

static void load(struct incident *i, int64_t when_s, int cpu, int gpu, bool pushed)
{
	struct reading r = { .when_s = when_s, .cpu = (uint8_t)cpu, .gpu = (int16_t)gpu, .pushed = pushed };

	incident_read_load(i, &r);
}

/* The agent's figure is a minute's mean: what it says within 30 s is about the time before the block. */
static void load_verdicts(void **state)
{
	struct incident i;
	struct incident_load l;

	(void)state;
	memset(&i, 0, sizeof(i));
	i.since_s = NIGHT;
	i.before = -1;
	assert_int_equal(incident_load_of(&i, 90, 2).verdict, LOAD_UNKNOWN);
	load(&i, NIGHT + 5, 98, -1, false);
	assert_int_equal(incident_load_of(&i, 90, 2).verdict, LOAD_WAITING);
	load(&i, NIGHT + 90, 4, -1, false);
	l = incident_load_of(&i, 90, 2);
	assert_int_equal(l.verdict, LOAD_CONFIRMED);
	assert_int_equal(l.before, 98);
	assert_int_equal(l.after, 4);
	load(&i, NIGHT + 150, 97, -1, false);
	assert_int_equal(incident_load_of(&i, 90, 2).verdict, LOAD_WAITING);
	load(&i, NIGHT + 210, 97, -1, false);
	l = incident_load_of(&i, 90, 2);
	assert_int_equal(l.verdict, LOAD_STILL_BUSY);
	assert_int_equal(l.after, 97);
	memset(&i, 0, sizeof(i));
	i.since_s = NIGHT;
	i.before = -1;
	load(&i, NIGHT - 1000, 99, -1, true);	/* too long ago */
	load(&i, NIGHT - 10, 20, -1, true);
	load(&i, NIGHT + 1, 15, -1, true);
	load(&i, NIGHT + 2, 15, -1, true);
	assert_int_equal(incident_load_of(&i, 90, 2).verdict, LOAD_NEVER_BUSY);
	/* The processor idles while the graphics card mines. */
	memset(&i, 0, sizeof(i));
	i.since_s = NIGHT;
	i.before = -1;
	load(&i, NIGHT, 3, 99, true);
	load(&i, NIGHT + 1, 2, 1, true);
	l = incident_load_of(&i, 90, 3);
	assert_int_equal(l.verdict, LOAD_CONFIRMED);
	assert_int_equal(l.before, 99);
	/* The oldest go. */
	for (int k = 0; k < 40; k++)
		load(&i, NIGHT + 100 + k, 50, -1, false);
	assert_int_equal(i.n_readings, INCIDENT_READINGS);
	assert_int_equal(i.readings[0].when_s, NIGHT + 139);
	assert_int_equal(incident_load_of(&i, 90, 3).before, 99);
}

/* The clock of the reporter's loop. */
int64_t reporting_now_ms(void)
{
	return 5000;
}

/* What could not be written is still to be written. */
static void full_disk(void **state)
{
	struct reporting_loop *l = calloc(1, sizeof(*l));
	char folder[] = "/tmp/test_incident.XXXXXX";
	struct stat st;

	(void)state;
	l->folder = open("/dev/null", O_RDONLY);	/* no folder at all */
	l->unsaved = l->urgent = l->save_failed = true;	/* it has been said */
	incident_file_save(l);
	assert_true(l->unsaved);
	assert_false(l->urgent);
	close(l->folder);
	assert_non_null(mkdtemp(folder));
	l->folder = open(folder, O_RDONLY | O_DIRECTORY);
	incident_file_save(l);
	assert_false(l->unsaved);
	assert_int_equal(fstatat(l->folder, "incidents.json", &st, 0), 0);
	unlinkat(l->folder, "incidents.json", 0);
	rmdir(folder);
	close(l->folder);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_once_and_counts), cmocka_unit_test(a_device_is_its_mac),
		cmocka_unit_test(what_is_let_pass_opens_nothing), cmocka_unit_test(told_once_each_time),
		cmocka_unit_test(slow_ones_are_not_told), cmocka_unit_test(weights), cmocka_unit_test(bounded), cmocka_unit_test(campaign),
		cmocka_unit_test(survives_its_file), cmocka_unit_test(events), cmocka_unit_test(leases), cmocka_unit_test(leases_cut), cmocka_unit_test(load_verdicts),
		cmocka_unit_test(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
