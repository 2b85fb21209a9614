#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A DNS server for the test bed, over UDP and TCP, and a client that asks many names from one socket.

A name's first label says what it stands for: `a64410001` and `q2001...` (hex) are an address, anything else 192.0.2.1 or
2001:db8::1; `cname-N-...` is an alias of `N.pool.listed.example`. Each query is a JSON line in the log.
usage: resolver.py serve LOG TCP-PORT ADDRESS... | resolver.py ask SERVER COUNT NAME..."""

import ipaddress
import json
import select
import socket
import struct
import sys

A, CNAME, AAAA = 1, 5, 28


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def decode(data, at):
    """(name, offset behind it) of a question's name, which is never compressed here."""
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels), at + 1


def query(name, kind=A, ident=1):
    return struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + encode(name) + struct.pack("!2H", kind, 1)


def addresses(name, kind):
    """Packed addresses that the name stands for."""
    first = name.split(".")[0].lower()
    try:
        if first[0] in "aq" and len(first) in (9, 33):
            packed = bytes.fromhex(first[1:])
            return [packed] if len(packed) == (4 if kind == A else 16) else []
    except ValueError:
        pass
    return [ipaddress.ip_address("192.0.2.1" if kind == A else "2001:db8::1").packed]


def answer(data):
    """The whole answer to a query, and (name, type)."""
    name, at = decode(data, 12)
    kind = struct.unpack_from("!H", data, at)[0]
    records, owner, target = [], b"\xc0\x0c", name
    if name.lower().startswith("cname-"):
        target = name.split("-")[1] + ".pool.listed.example"
        records.append(owner + struct.pack("!2HIH", CNAME, 1, 60, len(encode(target))) + encode(target))
        owner = encode(target)
    if kind in (A, AAAA):
        records += [owner + struct.pack("!2HIH", kind, 1, 60, len(a)) + a for a in addresses(target, kind)]
    head = data[:2] + struct.pack("!5H", 0x8180, 1, len(records), 0, 0)
    return head + data[12:at + 4] + b"".join(records), (name, kind)


def serve(log, tcp_port, listen):
    sockets = {}
    for address in listen:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            s = socket.socket(family, kind)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # The bed's ranges are routed to it, but no address of them stands on an interface (IP_FREEBIND, IPV6_FREEBIND).
            s.setsockopt(*((socket.IPPROTO_IPV6, 78) if ":" in address else (socket.IPPROTO_IP, 15)), 1)
            s.bind((address, 53 if kind == socket.SOCK_DGRAM else tcp_port))
            if kind == socket.SOCK_STREAM:
                s.listen(50)
            sockets[s] = "udp" if kind == socket.SOCK_DGRAM else "listen"
    streams = {}
    print("ready", flush=True)
    while True:
        for s in select.select(list(sockets), [], [])[0]:
            if sockets[s] == "listen":
                sockets[s.accept()[0]] = "tcp"
                continue
            try:
                data, peer = s.recvfrom(65536) if sockets[s] == "udp" else (s.recv(65536), None)
                if sockets[s] == "udp":
                    reply = respond(log, "udp", data)
                    if reply:
                        s.sendto(reply, peer)
                    continue
                if not data:
                    raise OSError
                streams[s] = streams.get(s, b"") + data
                while len(streams[s]) > 2 and len(streams[s]) >= 2 + struct.unpack_from("!H", streams[s])[0]:
                    size = 2 + struct.unpack_from("!H", streams[s])[0]
                    message, streams[s] = streams[s][2:size], streams[s][size:]
                    reply = respond(log, "tcp", message)
                    if reply:
                        s.sendall(struct.pack("!H", len(reply)) + reply)
            except OSError:
                if sockets[s] == "tcp":
                    del sockets[s]
                    streams.pop(s, None)
                    s.close()


def respond(log, proto, data):
    """What is no query gets an echo, as some services on this port give."""
    try:
        reply, (name, kind) = answer(data)
    except (IndexError, struct.error):
        return b"junk" + data[:4]
    with open(log, "a", encoding="utf-8") as f:
        f.write(json.dumps({"proto": proto, "name": name, "type": kind}) + "\n")
    return reply


def ask(server, count, names):
    """Asks for the names in turn, all from one port; prints {name: answers}."""
    s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((server, 53))
    got = dict.fromkeys(names, 0)
    waiting = {}
    for i in range(count):
        name = names[i % len(names)]
        waiting[i + 1] = name
        s.send(bytes.fromhex(name[1:]) if name[0] == "!" else query(name, ident=i + 1))
        s.settimeout(0.3 if name[0] == "!" else 1.0 if i == count - 1 else 0.02)
        try:
            while True:
                data = s.recv(65536)
                if data[:4] == b"junk":
                    got["!" + data[4:].hex()] = 1
                else:
                    got[waiting.pop(struct.unpack("!H", data[:2])[0])] += 1
                if not waiting:
                    break
        except socket.timeout:
            pass
    print(json.dumps(got))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    else:
        ask(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
