#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends what no honest host sends, from its namespace's device to the gateway: packets of ever new senders, or fragments that are late,
overlap, are tiny or never become whole. Paced, as a flood that fills the wire says nothing of memory.

usage: spoof.py hosts|fragments DEVICE MAC SECONDS PACKETS-A-SECOND"""

import ipaddress
import os
import random
import socket
import struct
import sys
import time

SOURCES = {4: int(ipaddress.ip_address("198.19.0.0")), 6: int(ipaddress.ip_address("2001:db8:19::"))}
TARGETS = {4: int(ipaddress.ip_address("100.65.128.0")), 6: int(ipaddress.ip_address("2001:db8:65:0:8000::"))}
ETHER = {4: 0x0800, 6: 0x86DD}
UDP, TCP, FRAGMENT = 17, 6, 44
HELLO = bytes.fromhex("160301020001" "0001fc0303") + os.urandom(600)     # the first bytes of a ClientHello that never ends
QUIC = bytes.fromhex("c300000001088394c8f03e5157080000449e") + os.urandom(1180)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def address(base, family, n):
    return (base[family] + n).to_bytes(4 if family == 4 else 16, "big")


def ip(family, src, dst, proto, body, number=0, flags=0):
    """A packet; `flags`: offset in units of 8 bytes, 0x8000 if more fragments follow."""
    if family == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number, (flags & 0x1FFF) | (0x2000 if flags & 0x8000 else 0), 64, proto, 0)
        head += src + dst
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body
    if flags or number:
        body = struct.pack("!BBHI", proto, 0, (flags & 0x1FFF) << 3 | flags >> 15, number) + body
        proto = FRAGMENT
    return struct.pack("!IHBB", 6 << 28, len(body), proto, 64) + src + dst + body


def transport(family, src, dst, proto, sport, dport, data):
    """A UDP datagram, or a TCP segment in the middle of nowhere."""
    if proto == UDP:
        body, at = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data, 6
    else:
        body, at = struct.pack("!HHIIBBHHH", sport, dport, random.getrandbits(32), 1, 0x50, 0x18, 65535, 0, 0) + data, 16
    pseudo = src + dst + (struct.pack("!BBH", 0, proto, len(body)) if family == 4 else struct.pack("!II", len(body), proto))
    return body[:at] + struct.pack("!H", checksum(pseudo + body) or 0xFFFF) + body[at + 2:]


def question(n):
    name = b"".join(bytes([len(part)]) + part for part in (b"n%d" % n, b"q" * 40, b"example"))
    return struct.pack("!HHHHHH", n & 0xFFFF, 0x100, 1, 0, 0, 0) + name + b"\0\0\1\0\1"


def hosts(n):
    """One packet of a host that was never heard of before."""
    family = 4 if n % 2 else 6
    src, dst = address(SOURCES, family, n % 65000 + 1), address(TARGETS, family, n % 30000 + 1)
    proto, dport, data = ((UDP, 443, QUIC), (TCP, 443, HELLO), (UDP, 53, question(n)), (UDP, 4433, os.urandom(60)))[n // 2 % 4]
    yield family, ip(family, src, dst, proto, transport(family, src, dst, proto, 1024 + n % 60000, dport, data))


def fragments(n):
    """The fragments of one datagram, as nobody sends them by himself."""
    family = 4 if n % 2 else 6
    src, dst = address(SOURCES, family, n % 500 + 1), address(TARGETS, family, n % 30000 + 1)
    body = transport(family, src, dst, UDP, 1024 + n % 60000, 4433, os.urandom(1400))
    cut = {"late": ((704, 1408), (0, 704)), "first": ((0, 704),), "last": ((704, 1408),), "overlap": ((0, 800), (704, 1408)),
           "tiny": tuple((at, at + 8) for at in range(0, 64, 8))}[("late", "first", "last", "overlap", "tiny")[n // 2 % 5]]
    for start, end in cut:
        yield family, ip(family, src, dst, UDP, body[start:end], n & 0xFFFF or 1, start // 8 | (0x8000 if end < len(body) else 0))


def main():
    kind, device, mac, seconds, pace = sys.argv[1:6]
    make = {"hosts": hosts, "fragments": fragments}[kind]
    to = bytes.fromhex(mac.replace(":", ""))
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    begin, sent, n = time.monotonic(), 0, 0
    while time.monotonic() < begin + float(seconds):
        if sent >= (time.monotonic() - begin) * int(pace):
            time.sleep(0.002)
            continue
        n += 1
        for family, packet in make(n):
            try:
                sock.sendto(packet, (device, ETHER[family], 0, 0, to))
                sent += 1
            except OSError:
                pass
    print(sent)


if __name__ == "__main__":
    main()
