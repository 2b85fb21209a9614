# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes as clients send them, made by hand: ClientHellos, HTTP heads, Stratum lines, TCP segments.

Pure functions without sockets, so that servers, clients and tests agree on what "the complete
line" or "the complete ClientHello" is."""

import os
import socket
import struct
import zlib


def client_hello(name, size=None, inside=b""):
    """A TLS 1.3 ClientHello record for `name` that a real server answers. With `size` it carries a
    post-quantum key share and padding, so that the record is exactly `size` bytes (1500 or more). It ends
    with `inside`, in an extension that servers pass over. Without a name: no SNI."""

    def extension(kind, body):
        return struct.pack("!HH", kind, len(body)) + body

    def vector16(body):
        return struct.pack("!H", len(body)) + body

    host = (name or "").encode()
    shares = b""
    groups = [0x001D, 0x0017]
    if size:
        groups.insert(0, 0x11EC)  # X25519MLKEM768: 1184 + 32 bytes
        shares += struct.pack("!HH", 0x11EC, 1216) + os.urandom(1216)
    shares += struct.pack("!HH", 0x001D, 32) + os.urandom(32)
    extensions = b"".join([
        extension(51, vector16(shares)),
        extension(10, vector16(struct.pack(f"!{len(groups)}H", *groups))),
        extension(13, vector16(struct.pack("!6H", 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0806))),
        extension(43, b"\x02\x03\x04"),
        extension(45, b"\x01\x01"),
        # The name comes late, behind the key share, as in shuffled browser hellos.
        extension(0, vector16(b"\x00" + vector16(host))) if name else b"",
        extension(0xFAFA, inside) if inside else b"",
    ])
    ciphers = vector16(struct.pack("!3H", 0x1301, 0x1302, 0x1303))
    head = b"\x03\x03" + os.urandom(32) + b"\x20" + os.urandom(32) + ciphers + b"\x01\x00"
    if size:
        bare = 5 + 4 + len(head) + 2 + len(extensions)
        extensions = extension(21, bytes(size - bare - 4)) + extensions
    body = head + vector16(extensions)
    handshake = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + vector16(handshake)


def http_get(host, path="/"):
    """A request head as a browser without much to say would send it."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bed\r\nAccept: */*\r\n\r\n".encode()


WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def websocket_upgrade(host, path="/proxy"):
    return (f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n").encode()


def websocket_frame(payload, opcode=1, fin=True, deflated=False, masked=True):
    """RFC 6455 5.2."""
    mask = os.urandom(4) if masked else b""
    first = (0x80 if fin else 0) | (0x40 if deflated else 0) | opcode
    size = len(payload)
    head = (struct.pack("!BB", first, 0x80 * masked | size) if size < 126 else
            struct.pack("!BBH", first, 0x80 * masked | 126, size) if size < 65536 else
            struct.pack("!BBQ", first, 0x80 * masked | 127, size))
    return head + mask + (bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if masked else payload)


def websocket_deflate(*messages):
    """The payloads of messages under permessage-deflate, each with the context of those before (RFC 7692)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return [(packer.compress(m) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4] for m in messages]


def h2_request(authority, stream=1):
    """HEADERS of a GET whose fields are literals that enter the table (RFC 7541 6.2.1)."""
    block = b"\x82\x86\x84\x41" + bytes([len(authority)]) + authority.encode()
    return struct.pack("!I", len(block))[1:] + struct.pack("!BBI", 1, 5, stream) + block


H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


# What the first line of each dialect looks like; the wallets are no real ones.
STRATUM = {
    "stratum-v1": b'{"id": 1, "method": "mining.subscribe", "params": ["bed/1.0"]}\n',
    "cryptonote": b'{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"4' + b"A" * 94
                  + b'","pass":"x","agent":"bed/1.0","algo":["rx/0"]}}\n',
    "eth-proxy": b'{"worker":"bed","jsonrpc":"2.0","params":["0x' + b"ab" * 20
                 + b'","x"],"id":2,"method":"eth_submitLogin"}\n',
}

# JSON-RPC over plain TCP that is not mining; a message in the shape of each well-known speaker.
NOT_MINING = {
    "electrum": b'{"id":0,"method":"server.version","params":["bed","1.4"]}\n',
    "yeelight": b'{"id":1,"method":"set_power","params":["on","smooth",500]}\r\n',
    "ovsdb": b'{"id":"echo","method":"echo","params":[]}',
    "verto": b'{"jsonrpc":"2.0","method":"login","params":{"login":"1008@bed.example",'
             b'"passwd":"none","loginParams":{},"userVariables":{},"sessid":"0"},"id":3}\n',
    "snapcast": b'{"id":8,"jsonrpc":"2.0","method":"Server.GetStatus"}\r\n',
}

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


def checksum(data):
    """The Internet checksum, RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp_segment(src, dst, sport, dport, seq, ack, flags, payload=b"", options=b"", bad_checksum=False,
                window=64240, urgent=0):
    """One TCP segment with its checksum over the pseudo header of IPv4 or IPv6; addresses as text."""
    family = socket.AF_INET6 if ":" in dst else socket.AF_INET
    offset = (20 + len(options)) // 4
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                          offset << 4, flags, window, 0, urgent) + options + payload
    ends = socket.inet_pton(family, src) + socket.inet_pton(family, dst)
    if family == socket.AF_INET:
        pseudo = ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(segment))
    else:
        pseudo = ends + struct.pack("!II", len(segment), socket.IPPROTO_TCP)
    value = checksum(pseudo + segment)
    if bad_checksum:
        value ^= 0x5555
    return segment[:16] + struct.pack("!H", value) + segment[18:]


def parse_tcp(segment):
    """(sport, dport, seq, ack, flags, payload) of a TCP segment, or None if it is cut short."""
    if len(segment) < 20:
        return None
    sport, dport, seq, ack, offset, flags = struct.unpack("!HHIIBB", segment[:14])
    start = (offset >> 4) * 4
    if start < 20 or start > len(segment):
        return None
    return sport, dport, seq, ack, flags, segment[start:]


def ipv4_packet(src, dst, proto, payload):
    """A bare IPv4 packet, for capture files made by hand."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def fragments(src, dst, payload, cuts, ident):
    """The IP packet with this TCP segment as bare fragments, one for each (start, end, bytes or None) of `cuts`, in their
    order; starts are multiples of 8, and bytes given are sent in place of the segment's own. RFC 791, RFC 8200 4.5."""
    out = []
    for start, end, other in cuts:
        end = min(end, len(payload))
        part, more = other if other is not None else payload[start:end], end < len(payload)
        if ":" in dst:
            out.append(struct.pack("!IHBB", 0x60000000, 8 + len(part), 44, 64) + socket.inet_pton(socket.AF_INET6, src)
                       + socket.inet_pton(socket.AF_INET6, dst)
                       + struct.pack("!BBHI", socket.IPPROTO_TCP, 0, start | more, ident) + part)
        else:
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(part), ident & 0xFFFF, start // 8 | more << 13, 64,
                               socket.IPPROTO_TCP, 0, socket.inet_aton(src), socket.inet_aton(dst))
            out.append(head[:10] + struct.pack("!H", checksum(head)) + head[12:] + part)
    return out


def long_headed(src, dst, proto, payload, head):
    """A bare IP packet: `head` is IPv4's options (a multiple of 4 bytes), or IPv6's extension headers as (number, body without
    the next header's number) in their order. RFC 791, RFC 8200 4."""
    if ":" not in dst:
        start = struct.pack("!BBHHHBBH4s4s", 0x45 + len(head) // 4, 0, 20 + len(head) + len(payload), 1, 0, 64, proto, 0,
                            socket.inet_aton(src), socket.inet_aton(dst)) + head
        return start[:10] + struct.pack("!H", checksum(start)) + start[12:] + payload
    chain = b""
    for (_, body), following in zip(head, [*(number for number, _ in head[1:]), proto]):
        chain += bytes([following]) + body
    return (struct.pack("!IHBB", 0x60000000, len(chain) + len(payload), head[0][0] if head else proto, 64)
            + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + chain + payload)


def pcap_file(packets, link_type=101):
    """A classic capture file of raw IP packets (link type 101), a millisecond apart."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link_type)
    for n, packet in enumerate(packets):
        out += struct.pack("<IIII", 1700000000, n * 1000, len(packet), len(packet)) + packet
    return out
