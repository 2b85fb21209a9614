#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An ordinary UDP socket: sends the datagrams that it is told, one after the other, and says what came back.

Standard input: {"to": [ADDRESS, PORT], "sends": [{"hex": bytes, "ttl": N or null, "wait": seconds for an answer,
"segment": N: the kernel makes datagrams of N bytes of it (UDP_SEGMENT)}]}
Answer: [{"answer": "data|refused|none", "hex": bytes}] for each; refused: an ICMP message said so."""

import json
import select
import socket
import sys


def send(sock, family, one):
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, one.get("ttl") or -1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, one.get("ttl") or 64)
    sock.setsockopt(17, 103, one.get("segment") or 0)
    try:
        sock.send(bytes.fromhex(one["hex"]))
        if not select.select([sock], [], [], one["wait"])[0]:
            return {"answer": "none", "hex": ""}
        return {"answer": "data", "hex": sock.recv(65536).hex()}
    except ConnectionRefusedError:
        return {"answer": "refused", "hex": ""}


def main():
    script = json.load(sys.stdin)
    address, port = script["to"]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        print(json.dumps([send(sock, family, one) for one in script["sends"]]))


if __name__ == "__main__":
    main()
