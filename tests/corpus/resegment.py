#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Cuts the TCP payloads of ../shared/corpus anew, if it is there, and asks that replay sees the same in them: each
segment in two halves, the halves swapped, and one byte a segment. Usage: resegment.py [--minewall PROGRAM] [--corpus FOLDER] [-v]
"""
import argparse
import os
import struct
import sys
import tempfile

from compare import ROOT, run_all
from make_samples import checksum

# A stream that has lost bytes, or is longer than what is ever kept, may be read differently when it is cut anew.
DIFFER_MAX = 0.001
FILE_MAX = 400000       # bytes; larger captures add time and no new kind of traffic
BYTEWISE_MAX = 400      # bytes of a segment that are cut one by one
PSH, SYN = 8, 2


def tcp_of(frame):
    """(offset of TCP, end, header length) of an unfragmented IPv4 TCP segment with payload on plain Ethernet, or None."""
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[14] >> 4 != 4 or frame[23] != 6:
        return None
    if struct.unpack("!H", frame[20:22])[0] & 0x3fff:
        return None
    at, end = 14 + (frame[14] & 15) * 4, 14 + struct.unpack("!H", frame[16:18])[0]
    if at < 34 or end > len(frame) or end < at + 20:
        return None
    head = (frame[at + 12] >> 4) * 4
    if head < 20 or at + head + 2 > end or frame[at + 13] & SYN:
        return None
    return at, end, head


def pseudo(ip, size):
    return ip[12:20] + struct.pack("!BBH", 0, 6, size)


def rebuild(frame, at, head, payload, offset, last, good):
    """The frame with this part of its payload; a wrong checksum stays wrong."""
    ip, tcp = frame[14:at], frame[at:at + head]
    flags = tcp[13] if last else tcp[13] & ~(PSH | 1)
    seq = (struct.unpack("!I", tcp[4:8])[0] + offset) & 0xffffffff
    segment = tcp[:4] + struct.pack("!I", seq) + tcp[8:13] + bytes([flags]) + tcp[14:16] + b"\0\0" + tcp[18:] + payload
    total = checksum(pseudo(ip, len(segment)) + segment) ^ (0 if good else 0x1111)
    segment = segment[:16] + struct.pack("!H", total) + segment[18:]
    ip = ip[:2] + struct.pack("!H", len(ip) + len(segment)) + ip[4:10] + b"\0\0" + ip[12:]
    return frame[:14] + ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + segment


def cut(frame, mode):
    found = tcp_of(frame)
    if not found:
        return [frame]
    at, end, head = found
    payload, ip, tcp = frame[at + head:end], frame[14:at], frame[at:end]
    good = checksum(pseudo(ip, len(tcp)) + tcp) == 0 and checksum(ip) == 0
    starts = [0, len(payload) // 2] if mode != "bytewise" else list(range(min(len(payload), BYTEWISE_MAX + 1)))
    ends = starts[1:] + [len(payload)]
    parts = [rebuild(frame, at, head, payload[a:b], a, b == len(payload), good) for a, b in zip(starts, ends)]
    return parts[::-1] if mode == "swapped" else parts


def rewrite(data, mode):
    """The capture with all its payloads cut; None if it is of another kind than little-endian Ethernet pcap."""
    if data[:4] != b"\xd4\xc3\xb2\xa1" or data[20:24] != b"\1\0\0\0":
        return None
    out, at = [data[:24]], 24
    while at + 16 <= len(data):
        seconds, micros, kept, wire = struct.unpack("<IIII", data[at:at + 16])
        frame = data[at + 16:at + 16 + kept]
        at += 16 + kept
        for part in cut(frame, mode) if kept == wire else [frame]:
            size = wire if part is frame else len(part)
            out.append(struct.pack("<IIII", seconds, micros, len(part), size) + part)
    return b"".join(out)


def seen(line):
    return {(n["kind"], n["name"]) for n in line["names"]}, line["verdict"]["action"] == "drop"


def lost(before, after):
    """A name or a block that is gone. More of them is no loss: a half may show a name earlier."""
    (names, drop), (more, still) = seen(before), seen(after)
    return (names - more and not still) or (drop and not still)


def compare_mode(program, folder, files, mode, verbose):
    with tempfile.TemporaryDirectory() as made:
        kept = []
        for path in files:
            with open(os.path.join(folder, path), "rb") as f:
                data = rewrite(f.read(), mode)
            if data:
                os.makedirs(os.path.join(made, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(made, path), "wb") as f:
                    f.write(data)
                kept.append(path)
        before, bad = run_all(program, folder, kept)
        after, worse = run_all(program, made, kept)
    flows = sum(len(before[path]) for path in kept)
    differ = [(path, a, b) for path in kept for a, b in zip(before[path], after[path]) if lost(a, b)]
    lines = [path for path in kept if len(before[path]) != len(after[path])]
    for path, a, b in differ if verbose else []:
        print(f"  {path} {a['src_ip']}:{a['src_port']} > {a['dest_port']}: {seen(a)} became {seen(b)} {b['verdict']}")
    good = not bad and not worse and not lines and len(differ) <= flows * DIFFER_MAX
    print(f"{'passed' if good else 'FAILED'} {mode}: {len(kept)} captures, {flows} flows, {len(differ)} see less"
          + "".join(f"\n  other number of lines or a crash: {what}" for what in lines + bad + worse))
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minewall", default=os.path.join(ROOT, "build", "minewall"))
    parser.add_argument("--corpus", default=os.path.join(ROOT, "..", "shared", "corpus"))
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    folder = os.path.join(args.corpus, "pcap")
    if not os.path.isdir(folder):
        print("skipped: ../shared/corpus is not there")
        return 0
    # a decoy below the true start is told as sent only while it is one segment with what follows
    files = sorted(os.path.relpath(os.path.join(d, name), folder) for d, _, names in os.walk(folder) for name in names
                   if not name.startswith("tls-fake-"))
    files = [path for path in files if os.path.getsize(os.path.join(folder, path)) < FILE_MAX]
    program = os.path.abspath(args.minewall)
    results = [compare_mode(program, folder, files, mode, args.verbose) for mode in ("halves", "swapped", "bytewise")]
    print(f"resegment: {sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
