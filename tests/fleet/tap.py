#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells when something comes to the broker: a line "NANOSECONDS SOURCE" for each IPv4 TCP segment with payload to that port, on the
monotonic clock that all processes share. It listens in the broker's own namespace, before the broker.

    tap.py PORT"""

import socket
import struct
import sys
import time

ETH_P_IP = 0x0800
SO_TIMESTAMPNS = 35


def main():
    port = int(sys.argv[1])
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)      # when the kernel had it, not when we came to read it
    print("ready", flush=True)
    while True:
        data, more, _, (_, _, kind, *_) = s.recvmsg(65536, 64)
        seconds, part = struct.unpack("=qq", more[0][2])
        when = seconds * 1000000000 + part + time.monotonic_ns() - time.time_ns()
        if kind == socket.PACKET_OUTGOING or len(data) < 40 or data[9] != socket.IPPROTO_TCP:
            continue
        head = (data[0] & 15) * 4
        size = struct.unpack_from(">H", data, 2)[0] - head - (data[head + 12] >> 4) * 4
        if size > 0 and struct.unpack_from(">H", data, head + 2)[0] == port:
            print(when, socket.inet_ntoa(data[12:16]), flush=True)


if __name__ == "__main__":
    main()
