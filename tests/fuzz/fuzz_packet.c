// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer over packet_parse: first byte = whether to verify the checksum, the rest = an IP packet. Checks beside the
 * sanitizers that the payload lies within the packet and that its lengths agree. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nfq/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet out;
	uint8_t *ip;

	if (size < 1)
		return 0;
	ip = malloc(size);
	assert(ip);
	memcpy(ip, data + 1, size - 1);
	if (packet_parse(ip, size - 1, data[0] & 1, &out) == PACKET_OK) {
		assert(out.proto == 6 || out.proto == 17);
		assert(out.payload_wire >= out.payload_len);
		assert(!out.payload_len || (out.payload >= ip && out.payload + out.payload_len <= ip + size - 1));
	}
	free(ip);
	return 0;
}
