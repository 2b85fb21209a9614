#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ordinary TCP sockets on strings: one process holds many connections of the kernel's own TCP and does with them what
it is told, a JSON line each way. It decides nothing and knows no protocol.

{"open": NAME, "to": [ADDRESS, PORT], "mark": N}   {"send": NAME, "hex": bytes}   {"close": NAME}
{"read": NAME, "bytes": N, "wait": seconds}: until so many bytes ever came, the end or the time
Answer: {"ok", "error"}, and of the connection: "ended": null|"reset|closed", "received": count, "tail": hex of the last
64 bytes, "source": [ADDRESS, PORT]"""

import json
import select
import socket
import struct
import sys
import time


class Connection:
    def __init__(self, address, port, mark):
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if mark:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        self.ended, self.received, self.tail = None, 0, b""
        self.sock.settimeout(2)
        self.sock.connect((address, port))
        self.source = self.sock.getsockname()[:2]

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            self.ended = "reset"

    def read(self, count, wait):
        deadline = time.monotonic() + wait
        while not self.ended and self.received < count and time.monotonic() < deadline:
            if not select.select([self.sock], [], [], max(0.0, deadline - time.monotonic()))[0]:
                break
            try:
                data = self.sock.recv(1 << 20)
            except ConnectionResetError:
                self.ended = "reset"
                break
            self.received += len(data)
            self.tail = (self.tail + data)[-64:]
            if not data:
                self.ended = "closed"

    def close(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def state(self):
        return {"ok": True, "error": None, "ended": self.ended, "received": self.received, "tail": self.tail.hex(),
                "source": self.source}


def obey(held, order):
    if "open" in order:
        held[order["open"]] = Connection(*order["to"], order.get("mark", 0))
        return held[order["open"]].state()
    if "send" in order:
        held[order["send"]].send(bytes.fromhex(order["hex"]))
        return held[order["send"]].state()
    if "read" in order:
        held[order["read"]].read(order["bytes"], order["wait"])
        return held[order["read"]].state()
    held.pop(order["close"]).close()
    return {"ok": True, "error": None}


def main():
    held = {}
    for line in sys.stdin:
        try:
            answer = obey(held, json.loads(line))
        except OSError as error:
            answer = {"ok": False, "error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
