#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells what the kernel tells of the elements of a network namespace's nftables sets, with the time of each on the monotonic clock that
all processes share: one line "NANOSECONDS add|del TABLE SET KEY-IN-HEX". Asks the kernel alone (NFNLGRP_NFTABLES), and changes nothing."""

import socket
import struct
import sys
import time

NEWSETELEM, DELSETELEM = 10 << 8 | 12, 10 << 8 | 14
SO_RCVBUFFORCE = 33


def attributes(data):
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            return
        yield kind & 0x3fff, data[at + 4:at + size]
        at += size + 3 & ~3


def told(kind, data, when):
    outer = dict(attributes(data[4:]))      # behind struct nfgenmsg: NFTA_SET_ELEM_LIST_TABLE 1, _SET 2, _ELEMENTS 3
    word = "add" if kind == NEWSETELEM else "del"
    for _, element in attributes(outer.get(3, b"")):
        key = dict(attributes(dict(attributes(element)).get(1, b""))).get(1, b"")
        print(when, word, outer[1][:-1].decode(), outer[2][:-1].decode(), key.hex())


def main():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    s.bind((0, 1 << 6))
    print("ready", flush=True)
    while True:
        data = s.recv(1 << 20)
        when = time.monotonic_ns()
        while len(data) >= 16:
            size, kind = struct.unpack_from("=IH", data)
            if size < 16:
                break
            if kind in (NEWSETELEM, DELSETELEM):
                told(kind, data[16:size], when)
            data = data[size + 3 & ~3:]
        sys.stdout.flush()


if __name__ == "__main__":
    main()
