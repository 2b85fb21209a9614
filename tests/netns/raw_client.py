#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP client whose every segment is made by hand on a raw socket: order, overlap, TTL, checksum and data in
the SYN are the caller's. It reads its script as JSON on stdin and says as one JSON object what came back.

Script: {"src", "dst", "sport", "dport", "syn_data": hex, "steps": [STEP, ...], "wait_ms": N}
STEP: {"off": offset in the stream, "hex": bytes, "flags": int (default PSH|ACK), "ttl": N, "bad_checksum": bool} or {"sleep_ms": N}
Answer: {"connected", "reset", "reset_ms" (since the last step), "fin", "acked": bytes, "received": hex, "packets": [...]}
The kernel's own resets for these ports are kept back by a rule of the bed, which lets packets with mark 0x77 out."""

import json
import os
import random
import select
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire


class Raw:
    def __init__(self, script):
        self.src, self.dst = script["src"], script["dst"]
        self.sport, self.dport = script["sport"], script["dport"]
        self.v6 = ":" in self.dst
        self.sock = socket.socket(socket.AF_INET6 if self.v6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.sock.bind((self.src, 0))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x77)
        self.iss = random.randrange(1 << 31)
        self.rcv_nxt = 0
        self.acked = 0
        self.received = b""
        self.reset_at = None
        self.connected = self.fin = False
        self.packets = []

    def send(self, seq, flags, payload=b"", options=b"", ttl=64, bad_checksum=False):
        segment = wire.tcp_segment(self.src, self.dst, self.sport, self.dport, seq, self.rcv_nxt, flags, payload,
                                   options, bad_checksum)
        if self.v6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        self.sock.sendto(segment, (self.dst, 0))

    def listen(self, seconds, until=None):
        """Takes what comes for so long, acknowledging the server's data as a client would."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (until and until()):
            readable, _, _ = select.select([self.sock], [], [], max(0.0, deadline - time.monotonic()))
            if readable:
                self.take(*self.sock.recvfrom(65536))

    def take(self, packet, sender):
        body = packet if self.v6 else packet[(packet[0] & 15) * 4:]
        parsed = wire.parse_tcp(body)
        if not parsed or sender[0] != self.dst or (parsed[0], parsed[1]) != (self.dport, self.sport):
            return
        _, _, seq, ack, flags, payload = parsed
        self.packets.append({"flags": flags, "len": len(payload)})
        if flags & wire.RST:
            self.reset_at = self.reset_at or time.monotonic()
            return
        if flags & wire.ACK:
            self.acked = max(self.acked, (ack - self.iss - 1) & 0xFFFFFFFF)
        if flags & wire.SYN:
            self.rcv_nxt = (seq + 1) & 0xFFFFFFFF
            self.connected = True
            return
        if seq == self.rcv_nxt and (payload or flags & wire.FIN):
            self.received += payload
            self.fin = self.fin or bool(flags & wire.FIN)
            self.rcv_nxt = (seq + len(payload) + bool(flags & wire.FIN)) & 0xFFFFFFFF
            self.send(self.iss + 1 + self.acked, wire.ACK)

    def connect(self, syn_data):
        for _ in range(3):
            self.send(self.iss, wire.SYN, syn_data, b"\x02\x04\x05\xb4")
            self.listen(1.0, lambda: self.connected or self.reset_at)
            if self.connected or self.reset_at:
                break
        if self.connected:
            self.send(self.iss + 1, wire.ACK)
        return self.connected


def main():
    script = json.load(sys.stdin)
    raw = Raw(script)
    last = time.monotonic()
    if raw.connect(bytes.fromhex(script.get("syn_data", ""))):
        for step in script["steps"]:
            if "sleep_ms" in step:
                raw.listen(step["sleep_ms"] / 1000)
                continue
            last = time.monotonic()
            raw.send(raw.iss + 1 + step.get("off", 0), step.get("flags", wire.PSH | wire.ACK),
                     bytes.fromhex(step.get("hex", "")), ttl=step.get("ttl", 64),
                     bad_checksum=step.get("bad_checksum", False))
        raw.listen(script.get("wait_ms", 500) / 1000, lambda: raw.reset_at)
    print(json.dumps({
        "connected": raw.connected, "reset": raw.reset_at is not None,
        "reset_ms": (raw.reset_at - last) * 1000 if raw.reset_at else None, "fin": raw.fin,
        "acked": raw.acked, "received": raw.received.hex(), "packets": raw.packets}))
    raw.send(raw.iss + 1 + raw.acked, wire.RST | wire.ACK)


if __name__ == "__main__":
    main()
