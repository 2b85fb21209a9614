// SPDX-License-Identifier: GPL-2.0-or-later
/* Byte patterns: each whole and cut at every byte, with one byte wrong, and what looks alike. */
#include "tests/unit/feed.h"

#include "inspect/magic.h"

#define ZMTP_GREETING "\xff\0\0\0\0\0\0\0\0\x7f\x03" "\0NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
		      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZMTP_READY "\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB"
#define SETUP "\0\0\0\x24\0\0" "\0\x02\0\x02\0" "\0\0\0\0" "\x04host" "\x34\x12" "\x06vendor" "\x02hw" "\x02" "fw" "\x06" "device"

#define ROW(dialect, kind, decides, bytes) { dialect, kind, bytes, sizeof(bytes) - 1, decides }

/* `decides`: after how many bytes it is known. */
static const struct row {
	const char *dialect;
	enum mining_kind kind;
	const char *bytes;
	size_t len, decides;
} rows[] = {
	ROW("duino-coin", MINING_STRATUM, 14, "FROM,PC Miner,3.5,user,rig"),
	ROW("repl.it-miner", MINING_STRATUM, 27, "FROM,user,Repl.it Miner v1.2"),
	ROW("pan-chan", MINING_STRATUM, 36, "pan-chan's mining rig hi!\nsharepeer 192.0.2.1\n"),
	ROW("protominer", MINING_STRATUM, 37, "\x01\x27\0\0\x05\0\0\0\x09" "node" "\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d" "Protominer1"),
	ROW("stratum-v2-plain", MINING_STRATUM, sizeof(SETUP) - 1, SETUP "\0\0\x10\x01\0\0"),
	ROW("monero-zmq", MINING_GETWORK, 117, ZMTP_GREETING ZMTP_READY "\0\x18\x01json-minimal-chain_main"),
	ROW("monero-zmq", MINING_GETWORK, 137, ZMTP_GREETING ZMTP_READY "\0\x15\x01json-full-chain_main" "\0\x15\x01json-full-miner_data"),
	ROW("monero-p2p", MINING_NODE, 8, "\x01\x21\x01\x01\x01\x01\x01\x01\x06\x01\0\0\0\0\0\0\x01\xe9\x03\0\0"),
	ROW("bitcoin-p2p", MINING_NODE, 16, "\xf9\xbe\xb4\xd9version\0\0\0\0\0\x55\0\0\0"),
	ROW("bitcoin-p2p", MINING_NODE, 16, "\xfa\xbf\xb5\xdaversion\0\0\0\0\0\x55\0\0\0"),
	ROW("bitcoin-p2p", MINING_NODE, 16, "\x0b\x11\x09\x07version\0\0\0\0\0\x55\0\0\0"),
	ROW("bitcoin-p2p", MINING_NODE, 16, "\x0a\x03\xcf\x40version\0\0\0\0\0\x55\0\0\0"),
	ROW("bitcoin-p2p", MINING_NODE, 16, "\xf9\xbe\xb4\xfeversion\0\0\0\0\0\x55\0\0\0"),
};

static void cuts(const struct row *row, enum side side)
{
	struct feed how = { side, false, APP_UNKNOWN, CARRIER_STREAM };
	enum inspect_result r;
	size_t n;

	for (n = 1; n <= row->len; n++) {
		how.ended = false;
		r = feed_as(how, row->bytes, n);
		if (r != (n < row->decides ? INSPECT_MORE : INSPECT_MATCH))
			fail_msg("%s: %u after %zu of %zu bytes", row->dialect, r, n, row->len);
		if (r == INSPECT_MATCH) {
			assert_true(feed_facts.mining);
			assert_string_equal(feed_facts.stratum.dialect, row->dialect);
			assert_int_equal(feed_facts.stratum.kind, row->kind);
			assert_int_equal(feed_facts.app, row->kind == MINING_STRATUM ? APP_STRATUM : APP_UNKNOWN);
			assert_int_equal(feed_facts.consumed, n);
			/* Stratum may follow on what decides nothing */
			assert_int_equal(feed_facts.again, row->kind == MINING_STRATUM ? AGAIN_NO : AGAIN_AS);
		}
		how.ended = true;
		assert_int_equal(feed_as(how, row->bytes, n), n < row->decides ? INSPECT_NO : INSPECT_MATCH);
	}
}

static void every_row(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cuts(&rows[i], SIDE_CLIENT);
		cuts(&rows[i], SIDE_UNSURE);
	}
}

/* One wrong byte among the first eight, which all rows look at. */
static void wrong_byte(void **state)
{
	char bytes[256];
	size_t i, at;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (at = 0; at < (rows[i].decides < 8 ? rows[i].decides : 8); at++) {
			if (at >= 5 && !strcmp(rows[i].dialect, "repl.it-miner"))
				continue;
			if (at >= 3 && at <= 6 && !strcmp(rows[i].dialect, "stratum-v2-plain"))
				continue;
			memcpy(bytes, rows[i].bytes, rows[i].len);
			bytes[at] ^= 0x55;
			assert_int_not_equal(feed(bytes, rows[i].len), INSPECT_MATCH);
		}
}

static void sides(void **state)
{
	const struct feed server = { SIDE_SERVER, true, APP_UNKNOWN, CARRIER_STREAM };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(feed_as(server, rows[i].bytes, rows[i].len),
				 rows[i].kind == MINING_NODE ? INSPECT_MATCH : INSPECT_NO);
	/* only at a stream's start */
	assert_int_equal(feed_as((struct feed){ SIDE_CLIENT, true, APP_STRATUM, CARRIER_STREAM }, rows[0].bytes, rows[0].len), INSPECT_NO);
}

/* The length must hold exactly what it announces. */
static void setup_connection(void **state)
{
	char bytes[] = SETUP;
	size_t len = sizeof(bytes) - 1;

	(void)state;
	assert_int_equal(feed(bytes, len), INSPECT_MATCH);
	bytes[3]++;
	assert_int_equal(feed(bytes, len + 1), INSPECT_NO);
	bytes[3] -= 2;
	assert_int_equal(feed(bytes, len), INSPECT_NO);
	bytes[3]++;
	bytes[6] = 3;		/* no such protocol */
	assert_int_equal(feed(bytes, len), INSPECT_NO);
	bytes[6] = 2;
	assert_int_equal(feed(bytes, len), INSPECT_MATCH);
	bytes[7] = 3;		/* no such version */
	assert_int_equal(feed(bytes, len), INSPECT_NO);
	bytes[7] = 2;
	bytes[5] = 1;		/* far too long */
	assert_int_equal(feed(bytes, len), INSPECT_NO);
}

static void others(void **state)
{
	static const char subscriber[] = ZMTP_GREETING ZMTP_READY "\0\x07\x01weather";
	static const char explorer[] = ZMTP_GREETING ZMTP_READY "\0\x15\x01json-full-chain_main";
	char zeros[300] = { 0 };

	(void)state;
	assert_int_equal(feed_last(subscriber, sizeof(subscriber) - 1), INSPECT_NO);
	assert_int_equal(feed_last(explorer, sizeof(explorer) - 1), INSPECT_NO);
	memcpy(zeros, subscriber, sizeof(subscriber) - 1);
	assert_int_equal(feed(zeros, sizeof(zeros)), INSPECT_NO);	/* no topic comes so late */
	memset(zeros, 0, sizeof(zeros));
	assert_int_equal(feed_last(zeros, sizeof(zeros)), INSPECT_NO);
	assert_int_equal(feed_last("FROM,nobody to somebody, with love and more text", 48), INSPECT_NO);
	assert_int_equal(feed_last("From: a@mail.example\r\n", 22), INSPECT_NO);
	assert_int_equal(feed("\xf9\xbe\xb4\xd9verack\0\0\0\0\0\0", 16), INSPECT_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row), cmocka_unit_test(wrong_byte), cmocka_unit_test(sides), cmocka_unit_test(setup_connection),
		cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, NULL, feed_done);
}
