#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP client whose every segment is made by hand on a raw socket: order, overlap, TTL, checksum and data in
the SYN are the caller's. It reads its script as JSON on stdin and says as one JSON object what came back.

Script: {"src", "dst", "sport", "dport", "syn_data": hex, "steps": [STEP, ...], "wait_ms": N, "iss": first sequence number,
"before": steps ahead of the handshake, "insist": go on after a refused handshake}. A list of scripts: all at once, a list of
answers. {"sequence": [SCRIPT, ...]}: one after the other, the last one's answer.
STEP: {"off": offset in the stream, "hex": bytes, "flags": int (default PSH|ACK), "ttl": N, "bad_checksum": bool, "window": N,
"urgent": N, "ack": added to the acknowledgement number, "options": hex of the TCP options, "ip_options": hex (IPv4), "ext":
[[number, hex without the first byte], ...] (IPv6 headers), "fragments": [[start, end, hex or null], ...]}
or {"sleep_ms": N} or {"await": bytes received, at most 1 s}. "syn_options": TCP options of the SYN behind its MSS.
Answer: {"connected", "reset", "reset_ms" (since the last step), "fin", "acked": bytes, "received": hex, "packets": [...]}, or {"error"}
The kernel's own resets for these ports are kept back by a rule of the bed, which lets packets with mark 0x77 out."""

import json
import os
import random
import select
import socket
import sys
import threading
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
        self.sock.connect((self.dst, 0))  # no packets but this server's: a hundred scripts share one machine
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x77)
        self.iss = script.get("iss", random.randrange(1 << 31))
        self.rcv_nxt = 0
        self.acked = 0
        self.received = b""
        self.reset_at = None
        self.connected = self.fin = False
        self.packets = []

    def send(self, seq, flags, payload=b"", options=b"", ttl=64, cuts=None, ack=0, head=None, **more):
        segment = wire.tcp_segment(self.src, self.dst, self.sport, self.dport, seq, self.rcv_nxt + ack, flags, payload,
                                   options, **more)
        if cuts:
            return self.send_bare(wire.fragments(self.src, self.dst, segment, cuts, random.randrange(1, 1 << 16)))
        if head:
            return self.send_bare([wire.long_headed(self.src, self.dst, socket.IPPROTO_TCP, segment, head)])
        if self.v6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        self.sock.send(segment)

    def send_bare(self, packets):
        family = socket.AF_INET6 if self.v6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x77)  # else a fragment's bytes may look like a reset of ours
            for packet in packets:
                sock.sendto(packet, (self.dst, 0))

    def step(self, step):
        if "sleep_ms" in step:
            return self.listen(step["sleep_ms"] / 1000)
        if "await" in step:
            return self.listen(1.0, lambda: len(self.received) >= step["await"] or self.reset_at)
        cuts = [(a, b, other and bytes.fromhex(other)) for a, b, other in step.get("fragments", ())]
        self.send(self.iss + 1 + step.get("off", 0), step.get("flags", wire.PSH | wire.ACK), bytes.fromhex(step.get("hex", "")),
                  ttl=step.get("ttl", 64), cuts=cuts, bad_checksum=step.get("bad_checksum", False),
                  window=step.get("window", 64240), urgent=step.get("urgent", 0), ack=step.get("ack", 0),
                  options=bytes.fromhex(step.get("options", "")), head=self.head(step))

    def head(self, step):
        """IPv4's options or IPv6's extension headers of the step, as wire.long_headed wants them."""
        if self.v6:
            return [(number, bytes.fromhex(body)) for number, body in step.get("ext", ())]
        return bytes.fromhex(step.get("ip_options", ""))

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

    def connect(self, syn_data, syn_options):
        for _ in range(3):
            self.send(self.iss, wire.SYN, syn_data, b"\x02\x04\x05\xb4" + syn_options)
            self.listen(1.0, lambda: self.connected or self.reset_at)
            if self.connected or self.reset_at:
                break
        if self.connected:
            self.send(self.iss + 1, wire.ACK)
        return self.connected


def play(script):
    if "sequence" in script:
        return [play(part) for part in script["sequence"]][-1]
    raw = Raw(script)
    for step in script.get("before", ()):
        raw.step(step)
    last = time.monotonic()
    if raw.connect(bytes.fromhex(script.get("syn_data", "")), bytes.fromhex(script.get("syn_options", ""))) or script.get("insist"):
        for step in script["steps"]:
            last = time.monotonic() if "hex" in step else last
            raw.step(step)
        raw.listen(script.get("wait_ms", 500) / 1000, lambda: raw.reset_at)
    raw.send(raw.iss + 1 + raw.acked, wire.RST | wire.ACK)
    raw.sock.close()
    return {"connected": raw.connected, "reset": raw.reset_at is not None,
            "reset_ms": (raw.reset_at - last) * 1000 if raw.reset_at else None, "fin": raw.fin,
            "acked": raw.acked, "received": raw.received.hex(), "packets": raw.packets}


def main():
    scripts = json.load(sys.stdin)
    if not isinstance(scripts, list):
        print(json.dumps(play(scripts)))
        return
    answers = [None] * len(scripts)

    def one(n):
        try:
            answers[n] = play(scripts[n])
        except OSError as err:  # of this client's own kernel: the others' answers count
            answers[n] = {"error": repr(err)}

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(scripts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
