#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Another program that takes a queue for itself: binds it as soon as it can be had, lets every packet pass, and ends at the end of
its input. Prints `mine` when it has it.

usage: holder.py QUEUE"""

import select
import socket
import struct
import sys
import time

NETLINK_NETFILTER, QUEUE_SUBSYSTEM = 12, 3
PACKET, VERDICT, CONFIG = 0, 1, 2
NF_ACCEPT, NLMSG_ERROR = 1, 2


def message(kind, queue, attributes, flags=0x1):
    body = struct.pack("!BBH", 0, 0, queue)
    for number, data in attributes:
        body += struct.pack("HH", len(data) + 4, number) + data + bytes(-len(data) % 4)
    return struct.pack("IHHII", 16 + len(body), QUEUE_SUBSYSTEM << 8 | kind, flags, 0, 0) + body


def bind(sock, queue):
    """True: it is ours."""
    sock.send(message(CONFIG, queue, [(1, struct.pack("!BBH", 1, 0, 0))], flags=0x5))
    answer = sock.recv(65536)
    if struct.unpack_from("H", answer, 4)[0] != NLMSG_ERROR or struct.unpack_from("i", answer, 16)[0]:
        return False
    sock.send(message(CONFIG, queue, [(2, struct.pack("!IB", 0, 1))]))  # the packet's data is not needed
    return True


def main():
    queue = int(sys.argv[1])
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.bind((0, 0))
    while not bind(sock, queue):
        time.sleep(0.002)
    print("mine", flush=True)
    while True:
        readable, _, _ = select.select([sock, sys.stdin], [], [])
        if sys.stdin in readable:
            return
        data = sock.recv(65536)
        if struct.unpack_from("H", data, 4)[0] == QUEUE_SUBSYSTEM << 8 | PACKET:
            packet = struct.unpack_from("!I", data, 24)[0]
            sock.send(message(VERDICT, queue, [(2, struct.pack("!II", NF_ACCEPT, packet))]))


if __name__ == "__main__":
    main()
