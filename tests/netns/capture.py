# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture files as lists of IP packets whose addresses can be changed, for playing them on a real wire. It reads
what it understands and leaves the rest out; it judges nothing."""

import ipaddress
import struct

import wire

TCP, UDP = 6, 17
VLAN = (0x8100, 0x88A8, 0x9100)
# Link type -> (bytes before the protocol number, whether there is one). Enough for nearly all captures.
RAW_LINKS = (12, 14, 101, 228, 229)
NULL_LINKS = (0, 108)


class Packet:
    """One IP packet. `l4` is where the transport header begins; `part` is (id, offset, more) of a fragment, else None."""

    def __init__(self, data):
        self.data = data
        self.v6 = data[0] >> 4 == 6
        self.part = None
        self.walk6() if self.v6 else self.walk4()
        size = 16 if self.v6 else 4
        at = 8 if self.v6 else 12
        self.src, self.dst = data[at:at + size], data[at + size:at + 2 * size]

    def walk4(self):
        data = self.data
        if len(data) < 20:
            raise ValueError("short")
        self.l4 = (data[0] & 15) * 4
        self.proto = data[9]
        ident, word = struct.unpack("!HH", data[4:8])
        if word & 0x3FFF:
            self.part = (ident, (word & 0x1FFF) * 8, bool(word & 0x2000))

    def walk6(self):
        data = self.data
        if len(data) < 40:
            raise ValueError("short")
        kind, at = data[6], 40
        while kind in (0, 43, 44, 60) and self.first():
            if len(data) < at + 8:
                raise ValueError("short")
            if kind == 43 and data[at + 3]:
                raise ValueError("source routing")
            if kind == 44:
                word, ident = struct.unpack("!HI", data[at + 2:at + 8])
                if word & 0xFFF9:
                    self.part = (ident, word & 0xFFF8, bool(word & 1))
                kind, at = data[at], at + 8
            else:
                kind, at = data[at], at + (data[at + 1] + 1) * 8
        self.proto, self.l4 = kind, at

    def first(self):
        return not self.part or self.part[1] == 0

    def ports(self):
        return struct.unpack("!HH", self.data[self.l4:self.l4 + 4])

    def datagram(self):
        return self.src, self.dst, self.part[0]

    def transport(self):
        return self.data[self.l4:]

    def sum_at(self):
        return self.l4 + (16 if self.proto == TCP else 6)

    def has_sum(self):
        value = self.data[self.sum_at():self.sum_at() + 2]
        return self.first() and len(value) == 2 and (self.proto == TCP or value != b"\0\0")

    def sum_is_right(self):
        if self.part:
            return True     # the rest of the sum lies in other packets
        body = self.transport()
        return not self.has_sum() or wire.checksum(self.pseudo(len(body)) + body) == 0

    def pseudo(self, size):
        return self.src + self.dst + struct.pack("!II", size, self.proto)

    def flags(self):
        return self.data[self.l4 + 13] if self.proto == TCP and self.first() and len(self.data) > self.l4 + 13 else 0

    def sequence(self):
        """(sequence, acknowledgement) numbers."""
        return struct.unpack("!II", self.data[self.l4 + 4:self.l4 + 12])

    def payload(self):
        """Length of the payload as far as this packet shows it."""
        body = self.transport()
        if not self.first():
            return len(body)
        return max(0, len(body) - (8 if self.proto == UDP else (body[12] >> 4) * 4 if len(body) > 12 else len(body)))

    def moved(self, src, dst, finish=False):
        """The same packet between other addresses, its sum as right or wrong as it was; `finish`: made right."""
        data = bytearray(self.data)
        at, size = (8, 16) if self.v6 else (12, 4)
        data[at:at + size], data[at + size:at + 2 * size] = src, dst
        if self.v6:
            data[7] = 64
            data[4:6] = struct.pack("!H", len(data) - 40)
        else:
            data[8] = 64
            data[2:4] = struct.pack("!H", len(data))
            data[10:12] = b"\0\0"
            data[10:12] = struct.pack("!H", wire.checksum(bytes(data[:(data[0] & 15) * 4])))
        if self.has_sum():
            where = self.sum_at()
            old = struct.unpack("!H", data[where:where + 2])[0]
            data[where:where + 2] = struct.pack("!H", changed_sum(old, self.src + self.dst, src + dst))
        there = Packet(bytes(data))
        return there.finished() if finish and not there.sum_is_right() else there

    def acknowledging(self, ack):
        """The same segment with another acknowledgement number."""
        data, at = bytearray(self.data), self.l4 + 8
        was, now = bytes(data[at:at + 4]), struct.pack("!I", ack & 0xFFFFFFFF)
        data[at:at + 4] = now
        where = self.sum_at()
        old = struct.unpack("!H", data[where:where + 2])[0]
        data[where:where + 2] = struct.pack("!H", changed_sum(old, was, now))
        return Packet(bytes(data))

    def finished(self):
        where, data = self.sum_at(), bytearray(self.data)
        data[where:where + 2] = b"\0\0"
        body = bytes(data[self.l4:])
        data[where:where + 2] = struct.pack("!H", wire.checksum(self.pseudo(len(body)) + body) or 0xFFFF)
        return Packet(bytes(data))


def changed_sum(old, was, now):
    """RFC 1624: the sum after these bytes of the pseudo header have changed."""
    total = (~old & 0xFFFF) + (~wire.checksum(now) & 0xFFFF) + wire.checksum(was)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_of(link, frame):
    """The IP packet in a frame, or None."""
    if link in RAW_LINKS:
        return frame
    if link in NULL_LINKS:
        return frame[4:]
    at = {1: 12, 113: 14, 276: 0}.get(link)
    if at is None:
        return None
    start = {1: 14, 113: 16, 276: 20}[link]
    while len(frame) >= start and struct.unpack("!H", frame[at:at + 2])[0] in VLAN and link == 1:
        at, start = at + 4, start + 4
    kind = frame[at:at + 2]
    return frame[start:] if kind in (b"\x08\x00", b"\x86\xdd") else None


def trimmed(data):
    """Without the link's padding; None if the capture did not keep all of it."""
    if not data or data[0] >> 4 not in (4, 6) or len(data) < 40 - 20 * (data[0] >> 4 == 4):
        return None
    if data[0] >> 4 == 4:
        size = struct.unpack("!H", data[2:4])[0] or len(data)
    else:
        size = 40 + struct.unpack("!H", data[4:6])[0]
    return data[:size] if len(data) >= size else None


def classic(data):
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}[data[:4]]
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        kept, size = struct.unpack(order + "II", data[at + 8:at + 16])
        yield link, data[at + 16:at + 16 + kept], kept == size
        at += 16 + kept


def next_generation(data):
    at, order, links = 0, "<", []
    while at + 12 <= len(data):
        kind = data[at:at + 4]
        if kind == b"\x0a\x0d\x0d\x0a":
            order, links = ("<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"), []
        number, size = struct.unpack(order + "II", data[at:at + 8])
        if size < 12:
            return
        body = data[at + 8:at + size - 4]
        if number == 1:
            links.append(struct.unpack(order + "H", body[:2])[0])
        elif number == 6 and len(body) >= 20:
            which, _, _, kept, full = struct.unpack(order + "IIIII", body[:20])
            if which < len(links):
                yield links[which], body[20:20 + kept], kept == full
        at += size


def read(path):
    """All IP packets of a capture file in order; None in the place of one that cannot be played."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        frames = next_generation(data)
    elif data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d") and len(data) >= 24:
        frames = classic(data)
    else:
        return []
    packets = []
    for link, frame, whole in frames:
        ip = ip_of(link, frame)
        ip = trimmed(ip) if ip is not None and whole else None
        try:
            packets.append(Packet(ip) if ip else None)
        except ValueError:
            packets.append(None)
    return packets


def conversations(packets):
    """{(proto, two ends): packets in order} of TCP and UDP; fragments belong to their first one's ports."""
    ports = {p.datagram(): p.ports() for p in packets if p and p.part and p.first() and len(p.transport()) >= 4}
    found = {}
    for p in packets:
        if not p or p.proto not in (TCP, UDP) or len(p.transport()) < 4 and p.first():
            continue
        both = ports.get(p.datagram()) if p.part else p.ports()
        if both:
            ends = frozenset(((text(p.src), both[0]), (text(p.dst), both[1])))
            found.setdefault((p.proto, ends), []).append(p)
    return found


def text(address):
    return str(ipaddress.ip_address(address))
