#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends datagrams as fast as it can, each from a port of its own, to a port where nobody listens.

usage: flood.py ADDRESS DATAGRAMS SIZE"""

import socket
import sys

SOCKETS = 500


def main():
    address, datagrams, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    data = bytes(size)
    for n in range(datagrams):
        try:
            socks[n % SOCKETS].sendto(data, (address, 20000 + n // SOCKETS))
        except OSError:
            pass


if __name__ == "__main__":
    main()
