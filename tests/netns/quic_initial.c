// SPDX-License-Identifier: GPL-2.0-or-later
/* quic_initial VERSION ID NAME PAD FROM TO NUMBER: prints one UDP payload in hex, a QUIC Initial packet with these bytes of a
 * ClientHello. For the live tests, whose Python has no ciphers. */
#include <stdio.h>

#include "tests/unit/quic_build.h"

int main(int argc, char **argv)
{
	uint8_t hello[4000], frame[4100], packet[6000];
	struct quic_made q = { .dcid_len = 8, .scid_len = 8 };
	size_t len, from, to;

	if (argc != 8) {
		fputs("usage: quic_initial VERSION ID NAME PAD FROM TO NUMBER\n", stderr);
		return 2;
	}
	q.version = (uint32_t)strtoul(argv[1], NULL, 0);
	memset(q.dcid, atoi(argv[2]), sizeof(q.dcid));
	q.number = (uint32_t)strtoul(argv[7], NULL, 0);
	len = strtoul(argv[4], NULL, 0);
	if (strlen(argv[3]) > 200 || len > 3000)
		return 2;
	len = quic_made_hello(hello, argv[3], len);
	from = strtoul(argv[5], NULL, 0);
	to = strtoul(argv[6], NULL, 0);
	to = to < len ? to : len;
	if (from >= to)
		return 2;
	len = quic_make(&q, frame, quic_made_crypto(frame, (uint32_t)from, hello + from, to - from), 1200, packet);
	for (size_t i = 0; i < len; i++)
		printf("%02x", packet[i]);
	putchar('\n');
	return 0;
}
