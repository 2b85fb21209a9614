#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers of the bed, all in one process inside the server namespace: TLS 1.3, HTTP, a Stratum
pool, a mute byte logger, one that speaks on demand, the web's newer forms, a UDP echo, and a listener on the wire. They write
what they really received as JSON lines; unasked they never speak first.

One line an event: {"t": seconds, "kind": "tls|http|pool|mute|say|web|udp|wire", "local": "ADDR:PORT", "peer": ..., "what":
"open|data|name|closed|reset|packet", ...}. `data` has the bytes as hex, before any protocol saw them."""

import argparse
import asyncio
import base64
import ctypes
import hashlib
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"


class Log:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, **event):
        event["t"] = time.monotonic()
        os.write(self.fd, (json.dumps(event) + "\n").encode())


def endpoint(sockname):
    return f"[{sockname[0]}]:{sockname[1]}" if ":" in sockname[0] else f"{sockname[0]}:{sockname[1]}"


class Logged(asyncio.Protocol):
    """Logs a connection's life and bytes; a kind of server says in take() what it answers."""

    kind = "mute"
    log = None
    quiet = frozenset()  # ports under load, whose bytes nobody reads
    idle = 0.0           # seconds of silence that end a connection: a client that was cut off on the way is never heard of again

    def connection_made(self, transport):
        self.transport = transport
        self.local = endpoint(transport.get_extra_info("sockname"))
        self.peer = endpoint(transport.get_extra_info("peername"))
        self.loud = transport.get_extra_info("sockname")[1] not in self.quiet
        self.say("open")
        self.timer = None
        self.wind()
        self.started()

    def wind(self):
        if self.timer:
            self.timer.cancel()
        if self.idle:
            self.timer = asyncio.get_running_loop().call_later(self.idle, self.transport.abort)

    def say(self, what, **more):
        if self.loud:
            self.log.write(kind=self.kind, local=self.local, peer=self.peer, what=what, **more)

    def data_received(self, data):
        self.wind()
        self.say("data", hex=data.hex())
        self.take(data)

    def connection_lost(self, error):
        if self.timer:
            self.timer.cancel()
        self.say("reset" if error else "closed")

    def started(self):
        pass

    def take(self, data):
        pass


class Http(Logged):
    kind = "http"

    def started(self):
        self.pending = b""

    def take(self, data):
        self.pending += data
        while b"\r\n\r\n" in self.pending:
            self.pending = self.pending.split(b"\r\n\r\n", 1)[1]
            self.transport.write(PAGE)


def h2_frame(kind, flags, stream, payload=b""):
    """RFC 9113 4.1."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


class Web(Logged):
    """HTTP/1.1 that takes bodies, WebSockets (each frame that comes is answered by a short one; /deflate agrees to compression)
    and HTTP/2 in the clear, by Upgrade or at once. It reads heads and lengths, and no header table: any request gets a page."""

    kind = "web"
    PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    def started(self):
        self.pending = b""
        self.take_some = self.head

    def take(self, data):
        self.pending += data
        while self.take_some():
            pass

    def head(self):
        if self.pending.startswith(self.PREFACE):
            self.pending = self.pending[len(self.PREFACE):]
            self.transport.write(h2_frame(4, 0, 0))
            self.take_some = self.http2
            return True
        if b"\r\n\r\n" not in self.pending:
            return False
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(b":") for line in head.split(b"\r\n")[1:])}
        upgrade = fields.get(b"upgrade", b"").lower()
        if upgrade == b"websocket":
            key = base64.b64encode(hashlib.sha1(fields.get(b"sec-websocket-key", b"") + wire.WEBSOCKET_GUID).digest())
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 b"Sec-WebSocket-Accept: " + key + b"\r\n"
                                 + (b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if head.startswith(b"GET /deflate ") else b"")
                                 + b"\r\n")
            self.take_some = self.websocket
        elif upgrade == b"h2c":
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                                 + h2_frame(4, 0, 0) + h2_frame(1, 5, 1, b"\x88"))
        elif fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            self.take_some = self.chunks
        else:
            self.left = int(fields.get(b"content-length", 0))
            self.take_some = self.body
        return True

    def body(self):
        taken = min(self.left, len(self.pending))
        self.pending = self.pending[taken:]
        self.left -= taken
        return self.page() if not self.left else False

    def chunks(self):
        if b"0\r\n\r\n" not in self.pending:
            return False
        self.pending = self.pending.split(b"0\r\n\r\n", 1)[1]
        return self.page()

    def page(self):
        self.transport.write(PAGE)
        self.take_some = self.head
        return True

    def http2(self):
        if len(self.pending) < 9:
            return False
        size = int.from_bytes(self.pending[:3], "big")
        kind, flags, stream = struct.unpack("!BBI", self.pending[3:9])
        if len(self.pending) < 9 + size:
            return False
        self.pending = self.pending[9 + size:]
        if kind == 4 and not flags & 1:
            self.transport.write(h2_frame(4, 1, 0))
        if kind in (1, 9) and flags & 4:
            self.transport.write(h2_frame(1, 5, stream, b"\x88"))
        return True

    def websocket(self):
        if len(self.pending) < 2:
            return False
        size, at = self.pending[1] & 127, 2
        if size > 125:
            at += 2 if size == 126 else 8
            size = int.from_bytes(self.pending[2:at], "big")
        at += 4 if self.pending[1] & 128 else 0
        if len(self.pending) < at + size:
            return False
        opcode = self.pending[0] & 15
        self.pending = self.pending[at + size:]
        self.transport.write(b"\x88\x00" if opcode == 8 else b"\x81\x02ok")
        if opcode == 8:
            self.transport.close()
        return opcode != 8


class Pool(Logged):
    kind = "pool"

    def started(self):
        self.pending = b""

    def take(self, data):
        self.pending += data
        while b"\n" in self.pending:
            line, self.pending = self.pending.split(b"\n", 1)
            try:
                message = json.loads(line)
                answer = {"id": message.get("id"), "error": None, "result": self.result(message.get("method"))}
            except (ValueError, AttributeError):
                continue
            self.transport.write((json.dumps(answer) + "\n").encode())

    @staticmethod
    def result(method):
        if method == "mining.subscribe":
            return [[], "00", 4]
        if method == "login":
            return {"id": "bed", "status": "OK"}
        return True


class Tls(Logged):
    """TLS through memory, so that the raw bytes are logged before OpenSSL sees them."""

    kind = "tls"
    context = None

    def started(self):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.shaken = False
        self.pending = b""

    def take(self, data):
        self.incoming.write(data)
        try:
            if not self.shaken:
                self.tls.do_handshake()
                self.shaken = True
                self.say("name", version=self.tls.version())
            while True:
                plain = self.tls.read(65536)
                if not plain:
                    break
                self.pending += plain
                if b"\r\n\r\n" in self.pending:
                    self.pending = b""
                    self.tls.write(PAGE)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.say("broken", error=str(error))
            self.flush()
            self.transport.close()
            return
        self.flush()

    def flush(self):
        if self.outgoing.pending:
            self.transport.write(self.outgoing.read())


class Say(Logged):
    """Speaks on demand: a line `say MS HEX` makes it send these bytes after so many ms, `fill BYTES` that many at once,
    and the rest is silence."""

    kind = "say"

    def started(self):
        self.pending = b""

    def take(self, data):
        self.pending += data
        *lines, self.pending = self.pending.split(b"\n")
        for words in (line.split() for line in lines):
            if len(words) == 3 and words[0] == b"say":
                data = bytes.fromhex(words[2].decode())
                asyncio.get_running_loop().call_later(int(words[1]) / 1000, self.transport.write, data)
            elif len(words) == 2 and words[0] == b"fill":
                self.transport.write(bytes(int(words[1])))


def udp_echo(port, family, log, reply=lambda data: data):
    """Answers from the very address that was asked: with thousands of local addresses that needs PKTINFO. `reply` makes
    the answer of the question; None is silence."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND: the address is a route's, not an interface's
    else:
        sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO, not named in Python 3.11
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    while True:
        data, ancillary, _, peer = sock.recvmsg(65536, 256)
        local = ("?", port)
        answer = []
        for level, kind, body in ancillary:
            if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
                local = (socket.inet_ntop(socket.AF_INET6, body[:16]), port)
                answer = [(level, kind, body[:16] + struct.pack("I", 0))]
            elif level == socket.IPPROTO_IP and kind == 8:
                local = (socket.inet_ntop(socket.AF_INET, body[8:12]), port)
                answer = [(level, kind, struct.pack("I", 0) + body[8:12] + body[8:12])]
        log.write(kind="udp", local=endpoint(local), peer=endpoint(peer), what="data", hex=data.hex())
        data = reply(data)
        try:
            if data is not None:
                sock.sendmsg([data], answer, 0, peer)
        except OSError:
            pass


def watch_wire(interface, log, quiet):
    """Logs each TCP or UDP packet that arrives, as the last witness of what left the gateway."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
    sock.bind((interface, 0x0003))
    while True:
        packet, about = sock.recvfrom(65536)
        if about[2] == socket.PACKET_OUTGOING or len(packet) < 40:
            continue
        if packet[8 if packet[0] >> 4 == 4 else 7] == 1:
            continue  # a hop before us it would have died: see the rule of the bed
        if packet[0] >> 4 == 4:
            start, proto = (packet[0] & 15) * 4, packet[9]
            length = struct.unpack("!H", packet[2:4])[0]
            dst = socket.inet_ntop(socket.AF_INET, packet[16:20])
        elif packet[0] >> 4 == 6:
            start, proto = 40, packet[6]
            length = 40 + struct.unpack("!H", packet[4:6])[0]
            dst = socket.inet_ntop(socket.AF_INET6, packet[24:40])
        else:
            continue
        body = packet[start:length]
        if proto == socket.IPPROTO_TCP:
            parsed = wire.parse_tcp(body)
            if not parsed or parsed[1] in quiet:
                continue
            sport, dport, seq, _, flags, payload = parsed
            log.write(kind="wire", what="packet", proto="tcp", local=endpoint((dst, dport)), sport=sport,
                      seq=seq, flags=flags, len=len(payload), hex=payload[:64].hex())
        elif proto == socket.IPPROTO_UDP and len(body) >= 8:
            sport, dport = struct.unpack("!HH", body[:4])
            log.write(kind="wire", what="packet", proto="udp", local=endpoint((dst, dport)), sport=sport,
                      len=len(body) - 8, hex=body[8:72].hex())


async def serve(options):
    loop = asyncio.get_running_loop()
    for kind, ports in ((Tls, options.tls), (Http, options.http), (Pool, options.pool), (Logged, options.mute),
                        (Say, options.say), (Web, options.web)):
        for port in ports:
            for host in ("0.0.0.0", "::"):
                await loop.create_server(kind, host, port, backlog=1024)
    print("ready", flush=True)
    await asyncio.Event().wait()


def ports(text):
    return [int(p) for p in text.split(",") if p]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--interface", required=True)
    for kind in ("tls", "http", "pool", "mute", "say", "web", "udp", "quiet"):
        parser.add_argument(f"--{kind}", type=ports, default=[])
    parser.add_argument("--idle", type=float, default=0.0)
    options = parser.parse_args()

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: never outlive the bed
    log = Log(options.log)
    Logged.log = log
    Logged.quiet = frozenset(options.quiet)
    Logged.idle = options.idle
    Tls.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Tls.context.minimum_version = ssl.TLSVersion.TLSv1_3
    Tls.context.load_cert_chain(options.cert, options.key)
    threading.Thread(target=watch_wire, args=(options.interface, log, Logged.quiet), daemon=True).start()
    for port in options.udp:
        for family in (socket.AF_INET, socket.AF_INET6):
            threading.Thread(target=udp_echo, args=(port, family, log), daemon=True).start()
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
