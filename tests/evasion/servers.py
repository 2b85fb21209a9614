#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that only the evasion tricks need, beside those of the bed and into the same log: a WebSocket and an h2c upgrade,
servers that speak first or answer everything, DNS whose answers the question itself names, UDP that only listens."""

import argparse
import asyncio
import base64
import ctypes
import hashlib
import os
import signal
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "netns"))
import bed
import server
from server import Logged

GREET, NOTIFY, POLITE, SMTP, MPTCP = 2525, 3334, 9300, 25, 3335
WEBSOCKET, H2C, PAGE = 8081, 8082, 8083
DNS, QUIC = 53, 443
UDP_MUTE = tuple(port for port in (QUIC, 51820, 3333, 5353, 4433) if port not in bed.PORTS["udp"])
TCP_MUTE = (SMTP, 22, 853, 4444)


class Greet(Logged):
    """Speaks first, as a mail server does."""
    kind = "greet"

    def started(self):
        self.transport.write(b"220 mail.example ESMTP\r\n")


class Notify(Logged):
    """A pool that pushes before it is asked."""
    kind = "notify"

    def started(self):
        self.transport.write(b'{"id":null,"method":"client.show_message","params":["hello"]}\n')


class Polite(Logged):
    """Answers whatever comes, so that a flow which was judged is handed to the kernel."""
    kind = "polite"

    def take(self, data):
        self.transport.write(b"ok\n")


class Upgrading(Logged):
    """Answers the first head with 101 and listens from then on."""

    def started(self):
        self.head = b""

    def take(self, data):
        if self.head is None:
            return
        self.head += data
        if b"\r\n\r\n" in self.head:
            self.transport.write(self.answer(self.head.lower(), self.head))
            self.head = None


class WebSocket(Upgrading):
    kind = "websocket"

    @staticmethod
    def answer(low, head):
        at = low.find(b"sec-websocket-key:")
        key = head[at:].split(b":", 1)[1].split(b"\r\n", 1)[0].strip() if at >= 0 else b""
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        deflate = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if b"permessage-deflate" in low else b""
        return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + deflate
                + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")


class H2c(Upgrading):
    kind = "h2c"

    @staticmethod
    def answer(_low, _head):
        return b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


class Page(Logged):
    """A page that says what stands behind its # over a WebSocket; its picture never comes, so that it is never finished."""
    kind = "page"
    TEXT = (b'<script>const s=new WebSocket("ws://"+location.hostname+":%d/proxy");'
            b's.onopen=()=>s.send(decodeURIComponent(location.hash.slice(1)));</script><img src="/picture">' % WEBSOCKET)

    def take(self, data):
        if b"/picture" not in data:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(self.TEXT)
                                 + self.TEXT)


# -- DNS ------------------------------------------------------------------------------------------

LISTED = b"\4pool\6listed\7example\0"


def record(name, kind, data, ttl=300):
    return name + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def dns_answer(question):
    """The answer that the question's first label asks for: aADDRESS has this address (hex), cADDRESS is an alias of the listed
    pool that has it, eADDRESS an alias of an alias. Everything else is silence, as of a server that is far away."""
    if len(question) < 20 or question[12] < 9:
        return None
    label = question[13:13 + question[12]].decode("latin-1")
    try:
        address = bytes.fromhex(label[1:])
    except ValueError:
        return None
    end = question.index(b"\0", 12) + 1
    asked, kind = b"\xc0\x0c", 28 if len(address) == 16 else 1
    hop = b"\3hop\5other\7example\0"
    records = {"a": [record(asked, kind, address)],
               "c": [record(asked, 5, LISTED), record(LISTED, kind, address)],
               "e": [record(asked, 5, hop), record(hop, 5, LISTED), record(LISTED, kind, address)]}.get(label[0])
    if not records:
        return None
    return question[:2] + struct.pack("!5H", 0x8180, 1, len(records), 0, 0) + question[12:end + 4] + b"".join(records)


async def serve():
    loop = asyncio.get_running_loop()
    kinds = {GREET: Greet, NOTIFY: Notify, POLITE: Polite, WEBSOCKET: WebSocket, H2C: H2c, PAGE: Page,
             **dict.fromkeys(TCP_MUTE, Logged)}
    for port, kind in kinds.items():
        for host in ("0.0.0.0", "::"):
            await loop.create_server(kind, host, port, backlog=256)
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            sock = socket.socket(family, socket.SOCK_STREAM, 262)
        except OSError:
            break   # no MPTCP in this kernel: the trick says so
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, MPTCP))
        await loop.create_server(Logged, sock=sock)
    print("ready", flush=True)
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", required=True, help="the log of the bed's servers")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: never outlive the bed
    log = server.Log(options.log)
    Logged.log = log
    for family in (socket.AF_INET, socket.AF_INET6):
        for port, reply in ((DNS, dns_answer), *((port, lambda data: None) for port in UDP_MUTE)):
            threading.Thread(target=server.udp_echo, args=(port, family, log, reply), daemon=True).start()
    asyncio.run(serve())


if __name__ == "__main__":
    main()
