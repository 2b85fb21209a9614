// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/datagram: QUIC clients, honest and not, against the core. What the server would see is known here, so each trick says
 * whether its name must be caught, and what an honest client does beside it must pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/pipeline.h"
#include "tests/unit/quic_build.h"

#define LISTED "pool.example"
#define OTHER "www.example.org"
#define ENFORCE "version: 1\nmode: enforce\nblock: {names: [" LISTED "]}\n"
#define MONITOR "version: 1\nmode: monitor\nblock: {names: [" LISTED "]}\n"

struct bed {
	struct pipeline *p;
	struct policy *policy;
	struct packet packet;
	struct outcome o;
	uint64_t now;
	unsigned events, reasons[REASON_COUNT];
	char name[64];		/* the last one told */
};

static struct bed *bed;
static struct quic_made q;

static struct policy *policy_of(const char *text)
{
	char path[] = "/tmp/test_datagram.XXXXXX";
	struct policy_error error;
	struct policy *p;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	p = policy_load(path, &error);
	unlink(path);
	if (!p)
		fail_msg("%s", error.text);
	return p;
}

static void end(void)
{
	if (!bed)
		return;
	pipeline_free(bed->p);
	policy_free(bed->policy);
	free(bed);
	bed = NULL;
}

static void begin_sized(const char *policy, uint64_t reassembly)
{
	struct pipeline_config config = { .flows = 64, .reassembly = reassembly, .key = { 1, 2 } };

	end();
	bed = calloc(1, sizeof(*bed));
	assert_non_null(bed);
	bed->policy = policy_of(policy);
	bed->p = pipeline_new(&config);
	assert_non_null(bed->p);
	pipeline_policy(bed->p, bed->policy);
	bed->packet = (struct packet){ .family = 4, .proto = 17, .sport = 40000, .dport = 443, .checksum = CHECKSUM_GOOD,
				       .src = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .dst = { [10] = 0xff, 0xff, 198, 51, 100, 7 } };
	q = (struct quic_made){ .version = QUIC_V1, .dcid_len = 8, .scid_len = 4 };
	memset(q.dcid, 0xd1, sizeof(q.dcid));
}

static void begin(const char *policy)
{
	begin_sized(policy, 1 << 20);
}

static enum verdict put(const void *bytes, size_t len)
{
	uint8_t *block = malloc(len ? len : 1);

	assert_non_null(block);
	memcpy(block, bytes, len);
	bed->packet.payload = block;
	bed->packet.payload_len = bed->packet.payload_wire = len;
	bed->o = pipeline_packet(bed->p, &bed->packet, bed->now);
	bed->events += bed->o.event;
	bed->reasons[bed->o.reason]++;
	if (bed->o.facts->n_names)
		snprintf(bed->name, sizeof(bed->name), "%.*s", (int)bed->o.facts->names[0].text.len, bed->o.facts->names[0].text.p);
	free(block);
	return bed->o.verdict;
}

static void connection(uint8_t id)
{
	memset(q.dcid, id, sizeof(q.dcid));
	q.number = 0;
}

/* The bytes [from, to) of a hello in one Initial. */
static enum verdict part(const char *name, size_t pad, size_t from, size_t to)
{
	uint8_t hello[18000], frame[18000], packet[18000];
	size_t len = quic_made_hello(hello, name, pad);
	enum verdict v;

	to = to > len ? len : to;
	v = put(packet, quic_make(&q, frame, quic_made_crypto(frame, (uint32_t)from, hello + from, to - from), 1200, packet));
	q.number++;
	return v;
}

/* These bytes in one Initial, as that part of the hello. */
static enum verdict crypto(uint32_t offset, const uint8_t *bytes, size_t len)
{
	uint8_t frame[2000], packet[3000];

	return put(packet, quic_make(&q, frame, quic_made_crypto(frame, offset, bytes, len), 1200, packet));
}

static enum verdict whole(const char *name)
{
	return part(name, 0, 0, SIZE_MAX);
}

static void junk(size_t len, uint8_t first)
{
	uint8_t bytes[1500];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 77 + 5);
	bytes[0] = first;
	put(bytes, len);
}

static void test_listed_and_not(void **state)
{
	static const uint32_t versions[] = { QUIC_V1, QUIC_V2, QUIC_DRAFT(23), QUIC_DRAFT(29), QUIC_DRAFT(34) };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		begin(ENFORCE);
		q.version = versions[i];
		assert_int_equal(whole(LISTED), VERDICT_BLOCK);
		assert_true(bed->o.event);
		assert_int_equal(bed->o.app, APP_QUIC);
		assert_int_equal(bed->o.decision.scope, SCOPE_PAIR);
		assert_int_equal(bed->o.facts->quic_version, versions[i]);
		assert_int_equal(bed->o.facts->names[0].kind, NAME_QUIC_SNI);
		assert_int_equal(whole(LISTED), VERDICT_BLOCK);
		assert_int_equal(bed->events, 1);
		bed->packet.sport++;
		assert_int_equal(whole(OTHER), VERDICT_CLEAR);
		assert_string_equal(bed->name, OTHER);
		assert_int_equal(bed->reasons[REASON_CLEAN], 1);
		bed->packet.sport++;
		assert_int_equal(part(NULL, 0, 0, SIZE_MAX), VERDICT_CLEAR);
		assert_int_equal(bed->reasons[REASON_NO_SNI], 1);
	}
	begin(MONITOR);
	assert_int_equal(whole(LISTED), VERDICT_CLEAR);
	assert_int_equal(bed->events, 1);
	begin(ENFORCE "detect: {quic: off}\n");
	assert_int_equal(whole(LISTED), VERDICT_CLEAR);
	assert_int_equal(bed->events, 0);
}

/* Two datagrams in either order, cut anywhere; the first one alone decides nothing. */
static void test_split(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < 1500; cut += 37)
		for (int order = 0; order < 2; order++) {
			begin(ENFORCE);
			assert_int_equal(order ? part(LISTED, 1500, cut, SIZE_MAX) : part(LISTED, 1500, 0, cut), VERDICT_ACCEPT);
			/* what is not of it says nothing while it is waited for */
			junk(50, 0x11);
			assert_int_equal(bed->o.verdict, VERDICT_ACCEPT);
			assert_int_equal(order ? part(LISTED, 1500, 0, cut) : part(LISTED, 1500, cut, SIZE_MAX), VERDICT_BLOCK);
		}
}

/* A server may have chosen the id of the second datagram; the keys stay. */
static void test_other_id_same_keys(void **state)
{
	static const uint8_t first[] = { 0xd1, 0xd1, 0xd1, 0xd1, 0xd1, 0xd1, 0xd1, 0xd1 };

	(void)state;
	begin(ENFORCE);
	assert_int_equal(part(LISTED, 1500, 0, 700), VERDICT_ACCEPT);
	q.key_id = first;
	q.key_id_len = 8;
	memset(q.dcid, 0x5e, 8);
	assert_int_equal(part(LISTED, 1500, 700, SIZE_MAX), VERDICT_BLOCK);
}

/* After a Retry a server may go on with the id that the client chose first, under the keys of the Retry's id. */
static void test_retry(void **state)
{
	static const uint8_t retried[] = { 9, 9, 9, 9, 9, 9, 9, 9 };

	(void)state;
	for (int listed = 0; listed < 2; listed++) {
		begin(ENFORCE);
		connection(1);
		assert_int_equal(part(OTHER, 1500, 0, 700), VERDICT_ACCEPT);
		connection(9);
		q.number = 1;
		assert_int_equal(part(listed ? LISTED : OTHER, 1500, 0, 700), VERDICT_ACCEPT);
		connection(1);
		q.key_id = retried;
		q.key_id_len = 8;
		q.number = 2;
		part(listed ? LISTED : OTHER, 1500, 700, SIZE_MAX);
		assert_int_equal(bed->o.verdict, listed ? VERDICT_BLOCK : VERDICT_RESUME);
		assert_int_equal(bed->events, listed);
	}
}

/* Many pieces in any order, in many datagrams and in one. */
static void test_pieces(void **state)
{
	uint8_t hello[3000], frames[8000], packet[9000];
	size_t len, n = 0, step = 53, pieces;

	(void)state;
	len = quic_made_hello(hello, LISTED, 900);
	pieces = (len + 9) / 10;
	begin(ENFORCE);
	for (size_t i = 0; i < pieces; i++) {
		size_t at = i * step % pieces * 10;

		n += quic_made_crypto(frames + n, (uint32_t)at, hello + at, len - at < 10 ? len - at : 10);
		frames[n++] = 1;
	}
	assert_int_equal(put(packet, quic_make(&q, frames, n, 1200, packet)), VERDICT_BLOCK);
	begin(ENFORCE);
	for (size_t i = 0; i < 30; i++) {
		size_t at = i * 7 % 30 * 40;

		/* 1200 bytes */
		assert_int_equal(part(LISTED, 1104, at, at + 40), i == 29 ? VERDICT_BLOCK : VERDICT_ACCEPT);
	}
}

static void test_decoys(void **state)
{
	(void)state;
	/* another connection's hello first, which the server never gets */
	begin(ENFORCE);
	assert_int_equal(whole(OTHER), VERDICT_CLEAR);
	connection(2);
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
	assert_int_equal(bed->o.decision.evidence, EVIDENCE_NAME);
	/* the same, and the true hello in two parts: its first part is acknowledged by the server */
	begin(ENFORCE);
	assert_int_equal(whole(OTHER), VERDICT_CLEAR);
	connection(2);
	assert_int_equal(part(LISTED, 1500, 0, 700), VERDICT_RESUME);
	assert_int_equal(part(LISTED, 1500, 700, SIZE_MAX), VERDICT_BLOCK);
	/* the same connection with other bytes */
	begin(ENFORCE);
	assert_int_equal(whole(OTHER), VERDICT_CLEAR);
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
	assert_int_equal(bed->o.reason, REASON_CONTRADICTION);
	/* a true first part, a false second one */
	begin(ENFORCE);
	part(LISTED, 1500, 0, 700);
	assert_int_equal(part(OTHER, 1497, 700, SIZE_MAX), VERDICT_CLEAR);
	assert_int_equal(part(LISTED, 1500, 700, SIZE_MAX), VERDICT_BLOCK);
	assert_int_equal(bed->o.reason, REASON_CONTRADICTION);
}

/* A zero for the last byte that is there is TCP's keep-alive, but not QUIC's. */
static void test_zero_byte(void **state)
{
	uint8_t hello[1000];

	(void)state;
	begin(ENFORCE);
	quic_made_hello(hello, LISTED, 0);
	hello[60] = 7;
	assert_int_equal(crypto(0, hello, 61), VERDICT_ACCEPT);
	hello[60] = 0;
	assert_int_equal(crypto(60, hello + 60, 1), VERDICT_BLOCK);
	assert_int_equal(bed->o.reason, REASON_CONTRADICTION);
}

/* A hello whose first part had to give way to decoys is not forgotten. */
static void test_many_decoys(void **state)
{
	(void)state;
	for (int decoys = 1; decoys < 8; decoys++) {
		begin(ENFORCE);
		connection(1);
		part(LISTED, 1500, 0, 700);
		for (int i = 0; i < decoys; i++) {
			connection((uint8_t)(10 + i));
			if (i % 2)
				whole(OTHER);
			else
				part(OTHER, 1500, 0, 600);
		}
		connection(1);
		q.number = 1;
		part(LISTED, 1500, 700, SIZE_MAX);
		assert_int_equal(bed->o.verdict, VERDICT_BLOCK);
	}
}

/* An honest client that opens many connections from one socket. */
static void test_many_connections(void **state)
{
	(void)state;
	begin(ENFORCE);
	for (int again = 0; again < 3; again++)
		for (int i = 0; i < 8; i++) {
			connection((uint8_t)(1 + i));
			assert_int_equal(whole(OTHER), VERDICT_CLEAR);
		}
	assert_int_equal(bed->events, 0);
	for (int i = 0; i < 2; i++) {
		connection((uint8_t)(100 + i));
		part(OTHER, 1500, 0, 700);
	}
	for (int i = 0; i < 2; i++) {
		connection((uint8_t)(100 + i));
		q.number = 1;
		part(OTHER, 1500, 700, SIZE_MAX);
	}
	assert_int_equal(bed->o.verdict, VERDICT_CLEAR);
	assert_int_equal(bed->events, 0);
}

/* What was sent again says nothing new. */
static void test_retransmission(void **state)
{
	(void)state;
	begin(ENFORCE);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(part(OTHER, 1500, 0, 700), i ? VERDICT_CLEAR : VERDICT_ACCEPT);
		assert_int_equal(part(OTHER, 1500, 700, SIZE_MAX), VERDICT_CLEAR);
	}
	assert_int_equal(bed->reasons[REASON_CLEAN], 1);
}

/* A version that the server must refuse, or a packet that it answers with a reset, ends nothing. */
static void test_answered_without_a_hello(void **state)
{
	(void)state;
	begin(ENFORCE);
	q.version = 0x1a2a3a4a;
	assert_int_equal(whole(OTHER), VERDICT_ACCEPT);
	junk(60, 0x11);
	assert_int_equal(bed->o.verdict, VERDICT_ACCEPT);
	q.version = QUIC_V1;
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
	begin(ENFORCE);
	junk(60, 0x41);
	assert_int_equal(bed->o.verdict, VERDICT_ACCEPT);
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
	/* early data may overtake the hello */
	begin(ENFORCE);
	q.type = 1;
	assert_int_equal(whole(OTHER), VERDICT_ACCEPT);
	q.type = 0;
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
	/* junk of no known kind costs one packet, as ever */
	begin(ENFORCE);
	junk(100, 0x11);
	assert_int_equal(bed->o.verdict, VERDICT_CLEAR);
	assert_int_equal(bed->reasons[REASON_UNKNOWN], 1);
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
}

/* None of this lasts for ever. */
static void test_ends(void **state)
{
	int n = 1;

	(void)state;
	begin(ENFORCE);
	q.version = 0x1a2a3a4a;
	while (whole(OTHER) == VERDICT_ACCEPT)
		n++;
	assert_int_equal(n, 16);
	assert_int_equal(bed->reasons[REASON_QUIC], 1);
	begin(ENFORCE);
	for (n = 1, junk(60, 0x41); bed->o.verdict == VERDICT_ACCEPT; n++)
		junk(60, 0x41);
	assert_int_equal(n, 4);
	begin(ENFORCE);
	for (n = 1; part(OTHER, 1500, 0, 700) == VERDICT_ACCEPT; n++)
		;
	assert_int_equal(n, 64);
	assert_int_equal(bed->reasons[REASON_BUDGET], 1);
}

/* Fresh connections without end, and datagrams full of them. */
static void test_floods(void **state)
{
	uint8_t packet[60000], hello[1000], frame[1000];
	size_t len, n = 0;

	(void)state;
	begin(ENFORCE);
	for (unsigned i = 0; i < 300; i++) {
		q.dcid[0] = (uint8_t)i;
		q.dcid[1] = (uint8_t)(i >> 8);
		q.number = 0;
		whole(OTHER);
	}
	assert_int_equal(bed->reasons[REASON_BUDGET], 1);
	assert_int_equal(bed->o.verdict, VERDICT_CLEAR);
	/* not for ever: a client may keep its port for hours */
	bed->now += 60000;
	connection(77);
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
	/* of other connections: nobody does that */
	begin(ENFORCE);
	len = quic_made_hello(hello, OTHER, 0);
	len = quic_made_crypto(frame, 0, hello, len);
	for (unsigned i = 0; i < 100; i++) {
		q.dcid[0] = (uint8_t)i;
		n += quic_make(&q, frame, len, 0, packet + n);
	}
	assert_int_equal(put(packet, n), VERDICT_BLOCK);
	assert_int_equal(bed->o.reason, REASON_CONTRADICTION);
	begin(MONITOR);
	assert_int_equal(put(packet, n), VERDICT_CLEAR);
	/* of one connection: the last one counts, too */
	begin(ENFORCE);
	for (n = 0; q.number < 100; q.number++)
		n += quic_make(&q, "\1", 1, 0, packet + n);
	len = quic_made_crypto(frame, 0, hello, quic_made_hello(hello, LISTED, 0));
	n += quic_make(&q, frame, len, 0, packet + n);
	assert_int_equal(put(packet, n), VERDICT_BLOCK);
	assert_int_equal(bed->o.decision.evidence, EVIDENCE_NAME);
}

static void test_coalesced(void **state)
{
	uint8_t packet[6000], hello[1000], frame[1000];
	size_t n;

	(void)state;
	begin(ENFORCE);
	n = quic_make(&q, frame, quic_made_crypto(frame, 0, hello, quic_made_hello(hello, OTHER, 0)), 0, packet);
	memset(packet + n, 0, 30);
	n += 30;
	q.dcid[0] = 9;
	n += quic_make(&q, frame, quic_made_crypto(frame, 0, hello, quic_made_hello(hello, LISTED, 0)), 0, packet + n);
	assert_int_equal(put(packet, n), VERDICT_BLOCK);
	/* three connections in two places: each name is told as it was sent */
	begin(MONITOR);
	n = 0;
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[] = { "first.example", "second.example", "third.example.org" };

		q.dcid[0] = (uint8_t)(20 + i);
		n += quic_make(&q, frame, quic_made_crypto(frame, 0, hello, quic_made_hello(hello, names[i], 0)), 0, packet + n);
	}
	put(packet, n);
	assert_int_equal(bed->o.facts->n_names, 3);
	assert_memory_equal(bed->o.facts->names[0].host.p, "first.example", 13);
	assert_memory_equal(bed->o.facts->names[1].host.p, "second.example", 14);
	assert_memory_equal(bed->o.facts->names[2].text.p, "third.example.org", 17);
}

/* A packet number that only one who saw what the server saw can read. */
static void test_number_out_of_sight(void **state)
{
	(void)state;
	begin(ENFORCE);
	part(LISTED, 1500, 0, 700);
	q.number = 0x5000;
	q.number_len = 1;
	assert_int_equal(part(LISTED, 1500, 700, SIZE_MAX), VERDICT_BLOCK);
	assert_int_equal(bed->o.reason, REASON_CONTRADICTION);
	/* a decoy far ahead does not lead astray */
	begin(ENFORCE);
	part(LISTED, 1500, 0, 700);
	q.number = 0x1000000;
	part(LISTED, 1500, 0, 10);
	q.number = 1;
	q.number_len = 1;
	assert_int_equal(part(LISTED, 1500, 700, SIZE_MAX), VERDICT_BLOCK);
	assert_int_equal(bed->o.decision.evidence, EVIDENCE_NAME);
}

/* A wrong checksum keeps a datagram from every server, but captures from sending hosts are full of them. */
static void test_checksums(void **state)
{
	(void)state;
	begin(ENFORCE);
	bed->packet.checksum = CHECKSUM_BAD;
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
	begin(ENFORCE);
	bed->packet.checksum = CHECKSUM_BAD;
	assert_int_equal(part(OTHER, 1497, 0, SIZE_MAX), VERDICT_CLEAR);
	bed->packet.checksum = CHECKSUM_GOOD;
	assert_int_equal(part(LISTED, 1500, 0, 700), VERDICT_RESUME);
	bed->packet.checksum = CHECKSUM_BAD;
	part(OTHER, 1497, 0, SIZE_MAX);
	bed->packet.checksum = CHECKSUM_GOOD;
	assert_int_equal(part(LISTED, 1500, 700, SIZE_MAX), VERDICT_BLOCK);
	assert_int_equal(bed->o.decision.evidence, EVIDENCE_NAME);
}

/* The server asked for another hello: it may name somebody else. */
static void test_second_hello(void **state)
{
	uint8_t hello[1000];
	size_t len;

	(void)state;
	begin(ENFORCE);
	assert_int_equal(part(OTHER, 100, 0, SIZE_MAX), VERDICT_CLEAR);
	len = quic_made_hello(hello, OTHER, 100);
	assert_int_equal(crypto((uint32_t)len, hello, len), VERDICT_CLEAR);
	assert_int_equal(bed->o.facts->n_names, 1);
	crypto(2 * (uint32_t)len, hello, quic_made_hello(hello, LISTED, 0));
	assert_int_equal(bed->o.verdict, VERDICT_BLOCK);
	assert_int_equal(bed->o.decision.evidence, EVIDENCE_NAME);
}

/* Monitor mode cuts nobody, and reads on. */
static void test_monitor(void **state)
{
	(void)state;
	begin(MONITOR);
	whole(OTHER);
	assert_int_equal(whole(LISTED), VERDICT_CLEAR);
	assert_int_equal(bed->events, 1);
	assert_int_equal(bed->o.facts->n_names, 1);
}

/* A flow whose start we did not see: the client's first packets are read, the rest costs what it always did. */
static void test_older(void **state)
{
	(void)state;
	begin(ENFORCE);
	bed->packet.origin = ORIGIN_OLDER_ORIGINAL;
	junk(100, 0x41);
	assert_int_equal(bed->o.verdict, VERDICT_CLEAR);
	begin(ENFORCE);
	bed->packet.origin = ORIGIN_OLDER_REPLY;	/* connection tracking took the server for the opener */
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
	assert_true(bed->o.turned);
	assert_int_equal(bed->o.subject.sport, 40000);
	begin(ENFORCE);
	bed->packet.origin = ORIGIN_OLDER_ORIGINAL;
	for (int i = 0; i < 16; i++)
		part(OTHER, 1500, 0, 700);
	assert_int_equal(bed->o.verdict, VERDICT_CLEAR);
}

/* Offsets and lengths that no window holds; a hello that is none; one too long to be one. */
static void test_hostile(void **state)
{
	uint8_t packet[2000], bytes[1200] = { 2 };

	(void)state;
	begin(ENFORCE);
	put(packet, quic_make(&q, "\x06\xff\xff\xff\xff\xff\xff\xff\xff\x01" "a", 11, 1200, packet));
	assert_int_equal(bed->o.verdict, VERDICT_ACCEPT);
	assert_int_equal(crypto(16383, bytes, 1000), VERDICT_ACCEPT);
	assert_int_equal(whole(LISTED), VERDICT_BLOCK);
	begin(ENFORCE);
	assert_int_equal(crypto(0, bytes, 1000), VERDICT_CLEAR);
	assert_int_equal(bed->reasons[REASON_MALFORMED], 1);
	begin(ENFORCE);
	memcpy(bytes, "\1\xff\xff\xff", 4);
	assert_int_equal(crypto(0, bytes, 1000), VERDICT_CLEAR);
	assert_int_equal(bed->reasons[REASON_MALFORMED], 1);
}

/* The memory of parts may be taken for newer flows: what is sent again is read anew. */
static void test_memory_lost(void **state)
{
	(void)state;
	begin_sized(ENFORCE, 1);
	part(LISTED, 1500, 0, 700);
	for (int i = 0; i < 40; i++) {
		bed->packet.sport++;
		part(OTHER, 1500, 0, 700);
	}
	bed->packet.sport = 40000;
	q.number = 1;
	assert_int_equal(part(LISTED, 1500, 700, SIZE_MAX), VERDICT_ACCEPT);
	assert_true(bed->o.overload);
	assert_int_equal(part(LISTED, 1500, 0, 700), VERDICT_BLOCK);
}

static int teardown(void **state)
{
	(void)state;
	end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listed_and_not), cmocka_unit_test(test_split),
		cmocka_unit_test(test_other_id_same_keys), cmocka_unit_test(test_retry), cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_decoys), cmocka_unit_test(test_zero_byte), cmocka_unit_test(test_many_decoys),
		cmocka_unit_test(test_many_connections), cmocka_unit_test(test_retransmission),
		cmocka_unit_test(test_answered_without_a_hello), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_floods), cmocka_unit_test(test_coalesced),
		cmocka_unit_test(test_number_out_of_sight), cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_second_hello), cmocka_unit_test(test_monitor), cmocka_unit_test(test_older),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_memory_lost),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
