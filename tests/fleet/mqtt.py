# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of MQTT 5 as a gateway speaks, and the signature of the fleet's messages: a second, independent reading of both, so that the
beds do not measure minewall by its own library. A library of classes: it speaks to a broker and judges nothing.

Sections are those of the OASIS standard "MQTT Version 5.0"."""

import base64
import collections
import ctypes
import ctypes.util
import json
import os
import select
import socket
import ssl
import struct
import time

SITE = "bed"
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 14
SESSION_EXPIRY, RECEIVE_MAXIMUM, MESSAGE_EXPIRY = 0x11, 0x21, 0x02

Message = collections.namedtuple("Message", "topic payload retain expiry when")


class Refused(Exception):
    """The broker said no, or hung up."""


def sodium():
    """None where it is not installed."""
    name = ctypes.util.find_library("sodium") or "libsodium.so.23"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return None
    return library if library.sodium_init() >= 0 else None


class Signer:
    """A gateway's Ed25519 key, made anew or of a seed."""
    SODIUM = sodium()

    def __init__(self, name, seed=None):
        self.name = name
        public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        self.SODIUM.crypto_sign_seed_keypair(public, secret, seed or os.urandom(32))
        self.public, self.secret = public.raw, secret.raw

    def line(self, more=""):
        """As it stands in the file of the keys."""
        return f"{self.name} {base64.b64encode(self.public).decode()}{more}\n"

    def sign(self, data):
        out = ctypes.create_string_buffer(64)
        self.SODIUM.crypto_sign_detached(out, None, data, ctypes.c_ulonglong(len(data)), self.secret)
        return out.raw


def topic(gateway, address, port, proto="tcp", site=SITE):
    return f"minewall/{site}/{gateway}/endpoint/{proto}/{address}/{port}"


def statement(signer, address, port, proto="tcp", site=SITE, evidence="protocol", dialect="stratum", issued=None, life=3600, **changes):
    """(topic, payload, seconds that the broker keeps it) of a signed endpoint. `changes` of the JSON are made after the signature."""
    issued = int(time.time() if issued is None else issued)
    expires = issued + life
    said = f"minewall-fleet-1\n{site}\n{signer.name}\n{proto}\n{address}\n{port}\n{evidence}\n{dialect}\n{issued}\n{expires}\n"
    sig = base64.b64encode(signer.sign(said.encode())).decode()
    body = {"v": 1, "evidence": evidence, "dialect": dialect, "issued": issued, "expires": expires, "sig": sig, **changes}
    return topic(signer.name, address, port, proto, site), json.dumps(body, separators=(",", ":")).encode(), max(1, expires - int(time.time()))


def text(s):
    raw = s.encode()
    return struct.pack(">H", len(raw)) + raw


def number(n):
    """A variable byte integer (1.5.5)."""
    out = bytearray()
    while True:
        out.append(n & 127 | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            return bytes(out)


class Client:
    """One connection. Blocking where it waits for an answer, else as many bytes as there are; QoS 1 is acknowledged at once."""

    def __init__(self, address, port, name, tls=None, clean=True, session=0, will=None, keepalive=60, window=65535, timeout=10, source=None):
        self.name = name
        self.messages = collections.deque()
        self.acknowledged = 0
        self.published = 0
        self.received = 0
        self.codes = collections.Counter()
        self.ids = 0
        self.buffer = bytearray()
        self.ended = None
        plain = socket.create_connection((address, port), timeout, source_address=source)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(plain, server_hostname=address) if tls else plain
        flags = (2 if clean else 0) | (4 | 1 << 3 | 32 if will else 0)
        properties = struct.pack(">BIBH", SESSION_EXPIRY, session, RECEIVE_MAXIMUM, window)
        body = text("MQTT") + bytes((5, flags)) + struct.pack(">H", keepalive) + number(len(properties)) + properties + text(name)
        if will:
            body += number(0) + text(will[0]) + struct.pack(">H", len(will[1])) + will[1]
        self.send(CONNECT << 4, body)
        kind, flags, data = self.wait_for(CONNACK, timeout)
        if data[1]:
            raise Refused(f"CONNACK with reason {data[1]:#x}")
        self.present = bool(data[0] & 1)

    def send(self, first, body):
        packet = bytes((first,)) + number(len(body)) + body
        try:
            self.socket.settimeout(20)
            self.socket.sendall(packet)
        except (OSError, ssl.SSLError) as error:
            self.ended = str(error)
            raise Refused(self.ended) from error

    def next_id(self):
        self.ids = self.ids % 65535 + 1
        return self.ids

    def publish(self, where, payload, expiry=None, retain=True, qos=1):
        properties = struct.pack(">BI", MESSAGE_EXPIRY, expiry) if expiry is not None else b""
        body = text(where) + (struct.pack(">H", self.next_id()) if qos else b"") + number(len(properties)) + properties + payload
        self.published += 1
        self.send(PUBLISH << 4 | qos << 1 | retain, body)

    def withdraw(self, where):
        self.publish(where, b"")

    def subscribe(self, *filters, qos=1, timeout=20):
        body = struct.pack(">H", self.next_id()) + b"\0" + b"".join(text(f) + bytes((qos,)) for f in filters)
        self.send(SUBSCRIBE << 4 | 2, body)
        _, _, data = self.wait_for(SUBACK, timeout)
        return list(data[3:])

    def ping(self):
        self.send(PINGREQ << 4, b"")

    def fill(self, timeout):
        """Reads what is there, waiting at most `timeout`; False: nothing came."""
        pending = self.socket.pending() if isinstance(self.socket, ssl.SSLSocket) else 0
        if not pending:
            ready = select.poll()       # select() ends at descriptor 1,024
            ready.register(self.socket, select.POLLIN)
            if not ready.poll(max(0, timeout) * 1000):
                return False
        self.socket.settimeout(0)
        try:
            data = self.socket.recv(262144)
        except (ssl.SSLWantReadError, BlockingIOError):
            return True
        except (OSError, ssl.SSLError) as error:
            data, self.ended = b"", str(error)
        if not data:
            self.ended = self.ended or "the broker hung up"
            raise Refused(self.ended)
        self.buffer += data
        return True

    def packets(self):
        """Those that are whole in the buffer: (kind, flags, body)."""
        at, n = 0, len(self.buffer)
        out = []
        while n - at >= 2:
            size = shift = 0
            i = at + 1
            while i < n:
                size |= (self.buffer[i] & 127) << shift
                shift += 7
                i += 1
                if not self.buffer[i - 1] & 128:
                    break
            else:
                break
            if n - i < size:
                break
            out.append((self.buffer[at] >> 4, self.buffer[at] & 15, bytes(self.buffer[i:i + size])))
            at = i + size
        del self.buffer[:at]
        return out

    def take(self, kind, flags, data, when):
        if kind == PUBACK:
            self.acknowledged += 1
            self.codes[data[2] if len(data) > 2 else 0] += 1
        elif kind == DISCONNECT:
            self.ended = f"DISCONNECT with reason {data[0] if data else 0:#x}"
        elif kind == PUBLISH:
            self.received += 1
            end = 2 + struct.unpack_from(">H", data)[0]
            where, qos = data[2:end].decode(), flags >> 1 & 3
            if qos:
                self.send(PUBACK << 4, data[end:end + 2])
                end += 2
            size, expiry = data[end], None      # properties of less than 128 bytes
            properties = data[end + 1:end + 1 + size]
            if size >= 5 and properties[0] == MESSAGE_EXPIRY:
                expiry = struct.unpack_from(">I", properties, 1)[0]
            self.messages.append(Message(where, data[end + 1 + size:], bool(flags & 1), expiry, when))

    def poll(self, timeout=0):
        """Takes what comes within `timeout`, at least one look; how many packets."""
        if not self.fill(timeout):
            return 0
        when = time.monotonic_ns()
        packets = self.packets()
        for packet in packets:
            self.take(*packet, when)
        return len(packets)

    def wait_for(self, kind, timeout):
        end = time.monotonic() + timeout
        found = None
        while not found:
            if time.monotonic() > end or not self.fill(end - time.monotonic()):
                raise Refused(f"no answer of kind {kind} within {timeout} s")
            when = time.monotonic_ns()
            for packet in self.packets():
                if packet[0] == kind and not found:
                    found = packet
                else:
                    self.take(*packet, when)
        return found

    def until(self, question, timeout):
        """Polls until `question` is true; its last answer."""
        end = time.monotonic() + timeout
        while not question() and time.monotonic() < end:
            self.poll(min(0.05, max(0, end - time.monotonic())))
        return question()

    def settle(self, timeout=20):
        """Waits until the broker has acknowledged everything."""
        return self.until(lambda: self.acknowledged >= self.published, timeout)

    def close(self, cleanly=True):
        try:
            if cleanly and not self.ended:
                self.send(DISCONNECT << 4, b"")
        except Refused:
            pass
        self.socket.close()
