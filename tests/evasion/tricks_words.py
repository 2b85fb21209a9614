# SPDX-License-Identifier: GPL-2.0-or-later
"""Tricks with what the bytes say: TLS, JSON, ports, HTTP, WebSocket, proxies, DNS, and what lies beyond a firewall's sight.
TRICKS.md says in words what each one is and what must become of it; here is only how it is done."""

import socket
import struct
import zlib

import run  # first: it loads the files of cases in their order
import quic
import servers
import wire
from cases_edges import CLEAN_HEAD, CLEAN_HELLO, DEAD, LISTED_HEAD, LISTED_HELLO, LOGIN, in_bytes, keep_alive
from cases_tunnels import PASSWORD, PROXY, connect, socks4, socks4a, socks5
from run import LISTED, UNLISTED
from tricks_wire import Kernel, Raw, say, sleep, talk

SUBSCRIBE = wire.STRATUM["stratum-v1"]
WALLET = b"4" + b"A" * 94

# -- TLS ------------------------------------------------------------------------------------------


def vector16(body):
    return struct.pack("!H", len(body)) + body


def extension(kind, body):
    return struct.pack("!H", kind) + vector16(body)


def hello(*names, more=b""):
    """A ClientHello with these names in its server_name list (none: no such extension) and more extensions."""
    base = wire.client_hello("x")           # its server_name stands last, and is 10 bytes
    extensions = base[88:-10] + more
    if names:
        extensions += extension(0, vector16(b"".join(b"\0" + vector16(name.encode()) for name in names)))
    body = base[9:86] + vector16(extensions)
    return b"\x16\x03\x01" + vector16(b"\x01" + struct.pack("!I", len(body))[1:] + body)


def records(data, size, version=b"\x03\x01", empty=False):
    """The same handshake in records of this size, an empty one before each if asked."""
    parts = (data[i:i + size] for i in range(5, len(data), size))
    return b"".join((b"\x16" + version + b"\0\0" if empty else b"") + b"\x16" + version + vector16(p) for p in parts)


def tls(data, **more):
    return talk(443, data, answered=b"\x16\x03", **more)


ECH = extension(0xFE0D, b"\0\0\1\0\1\7" + vector16(bytes(32)) + vector16(bytes(160)))
OTHER_HELLO = hello("www.another.example")
TLS = {
    "tls-one-byte-records": tls(records(LISTED_HELLO, 1)),
    "tls-records-cut-in-name": tls(records(LISTED_HELLO, len(LISTED_HELLO) - 5 - 9)),
    "tls-empty-record-first": tls(b"\x16\x03\x01\0\0" + LISTED_HELLO),
    "tls-odd-record-version": tls(b"\x16\x03\x99" + LISTED_HELLO[3:]),
    "tls-records-in-segments": talk(443, *(records(LISTED_HELLO, 3)[i:i + 5] for i in range(0, len(records(LISTED_HELLO, 3)), 5)),
                                    gap_ms=2, answered=b"\x16\x03"),
    "tls-upper-case": tls(hello(LISTED.upper())),
    "tls-trailing-dot": tls(hello(LISTED + ".")),
    "tls-name-below": tls(hello("a.b.c." + LISTED)),
    "tls-two-names": talk(443, hello(UNLISTED, LISTED)),
    "tls-large-hello": tls(wire.client_hello(LISTED, 1900)),
    "tls-grease": tls(hello(LISTED, more=extension(0x0A0A, b"\0") + extension(0x7A7A, b""))),
    "tls-encrypted-hello": talk(9000, hello(UNLISTED, more=ECH)),
    "tls-front-name": tls(hello(UNLISTED)),
    "tls-no-name": tls(hello()),
    "tls-costume": Kernel(9300, LOGIN, [say(CLEAN_HELLO), {"await": 3}, say(LOGIN)]),
}

# -- DNS ------------------------------------------------------------------------------------------


def question(*labels, kind=1, ident=0x4D57, flags=0x0100, more=b"", extra=0):
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return struct.pack("!6H", ident, flags, 1, 0, 0, extra) + name + struct.pack("!HH", kind, 1) + more


def listed_question(name=LISTED, **more):
    return question(*name.encode().split(b"."), **more)


def framed(message):
    return vector16(message)


def two_questions():
    """A harmless question first; RFC 9619 forbids a second one."""
    both = listed_question(UNLISTED) + listed_question()[12:]
    return both[:4] + b"\0\2" + both[6:]


EDNS = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)


def over_udp(message, port=53):
    return Kernel(port, message, [say(message)], kind="udp")


def after_alias(letter):
    """A TLS connection without a name to the address that an answer gave for an unlisted alias of a listed name."""
    nameless = hello()

    def steps(address):
        packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        asked = question(letter + packed.hex().encode(), b"unlisted", b"example", kind=28 if ":" in address else 1)
        return [{"ask": [address, 53], "hex": asked.hex()}, say(nameless)]
    return Kernel(443, nameless, steps)


DNS = {
    "dns-query": over_udp(listed_question()),
    "dns-query-mixed-case": over_udp(listed_question("pOoL.LiStEd.eXaMpLe")),
    "dns-query-edns": over_udp(listed_question(more=EDNS, extra=1)),
    "dns-query-odd-type": over_udp(listed_question(kind=65)),
    "dns-query-name-below": over_udp(listed_question("_8443._https." + LISTED)),
    "dns-query-tcp": talk(53, framed(listed_question())),
    "dns-query-tcp-one-byte": Raw(53, framed(listed_question()), [
        {"off": n, "hex": f"{byte:02x}"} for n, byte in enumerate(framed(listed_question()))]),
    "dns-query-tcp-second": talk(53, framed(listed_question(UNLISTED)), framed(listed_question()), gap_ms=60,
                                 complete=framed(listed_question())),
    "dns-query-tcp-in-one": talk(53, framed(listed_question(UNLISTED)) + framed(listed_question())),
    "dns-query-two-questions": over_udp(two_questions()),
    "dns-query-answered": over_udp(listed_question(flags=0x8180)),
    "dns-query-junk-behind": over_udp(listed_question(more=b"\xa5" * 40)),
    "dns-query-pointer-back": over_udp(listed_question()[:-5] + b"\xc0\x06\0\1\0\1"),
    "dns-query-pointer-ahead": over_udp(listed_question()[:12] + b"\4pool\xc0\x17\0\1\0\1\6listed\7example\0"),
    "dns-query-odd-port": over_udp(listed_question(), port=5353),
    "dns-alias-then-nameless-tls": after_alias(b"c"),
    "dns-alias-chain-then-nameless-tls": after_alias(b"e"),
}

# -- QUIC -----------------------------------------------------------------------------------------

CID, OTHER_CID = bytes(range(0x40, 0x48)), bytes(range(0x60, 0x6C))
QUIC_EXTENSIONS = extension(16, vector16(b"\2h3")) + extension(57, b"\x0f\0\4\4\x80\x10\0\0")


def quic_hello(name, padding=0):
    """The handshake message alone; QUIC has no records."""
    return hello(name, more=QUIC_EXTENSIONS + (extension(21, bytes(padding)) if padding else b""))[5:]


def quic_talk(*datagrams, complete=None, port=servers.QUIC, gap_ms=20):
    return Kernel(port, complete or b"".join(d["data"] if isinstance(d, dict) else d for d in datagrams),
                  [s for d in datagrams for s in (dict(say(d["data"]), ttl=d["ttl"]) if isinstance(d, dict) else dict(say(d), ttl=64),
                                                  sleep(gap_ms))], kind="udp")


Q_LISTED, Q_CLEAN, Q_LARGE = quic_hello(LISTED), quic_hello(UNLISTED), quic_hello(LISTED, 1500)
Q_CUT = Q_LISTED.index(LISTED.encode()) + 5
Q_ONE = quic.initial(quic.crypto(Q_LISTED), CID)
Q_FIRST, Q_SECOND = (quic.initial(quic.crypto(Q_LARGE, a, b), CID, number=n) for n, (a, b) in enumerate(((0, 1000), (1000, None))))
Q_SHUFFLED = b"\1".join(quic.crypto(Q_LISTED, a, b) + bytes(3) for a, b in ((90, 150), (0, 30), (150, None), (30, 90)))
QUIC = {
    "quic-v1": quic_talk(Q_ONE),
    "quic-v2": quic_talk(quic.initial(quic.crypto(Q_LISTED), CID, quic.V2)),
    "quic-draft-29": quic_talk(quic.initial(quic.crypto(Q_LISTED), CID, quic.DRAFT_29)),
    "quic-two-datagrams": quic_talk(Q_FIRST, Q_SECOND),
    "quic-two-datagrams-reversed": quic_talk(Q_SECOND, Q_FIRST),
    "quic-two-datagrams-slowly": quic_talk(Q_FIRST, Q_SECOND, gap_ms=1500),
    "quic-shuffled-frames": quic_talk(quic.initial(Q_SHUFFLED, CID)),
    "quic-many-frames": quic_talk(quic.initial(b"".join(quic.crypto(Q_LISTED, n, n + 3) for n in range(0, len(Q_LISTED), 3)), CID)),
    "quic-repeated-frames": quic_talk(quic.initial(quic.crypto(Q_LISTED, 0, Q_CUT + 4) + quic.crypto(Q_LISTED, Q_CUT - 9), CID)),
    "quic-coalesced": quic_talk(quic.initial(quic.crypto(Q_LISTED, 0, Q_CUT), CID, size=0)
                                + quic.initial(quic.crypto(Q_LISTED, Q_CUT), CID, number=1)),
    "quic-junk-behind": quic_talk(Q_ONE + b"\xa5" * 90),
    "quic-token": quic_talk(quic.initial(quic.crypto(Q_LISTED), CID, token=b"t" * 70)),
    "quic-long-connection-id": quic_talk(quic.initial(quic.crypto(Q_LISTED), CID * 2 + CID[:4], source=OTHER_CID)),
    "quic-high-packet-number": quic_talk(quic.initial(quic.crypto(Q_LISTED), CID, number=70000)),
    "quic-decoy-low-ttl": quic_talk({"data": quic.initial(quic.crypto(Q_CLEAN), CID), "ttl": DEAD}, Q_ONE, complete=Q_ONE),
    "quic-decoy-other-connection": quic_talk(quic.initial(quic.crypto(Q_CLEAN), OTHER_CID), Q_ONE, complete=Q_ONE),
    "quic-decoy-broken": quic_talk(quic.initial(quic.crypto(Q_CLEAN), CID)[:-1] + b"\0", Q_ONE, complete=Q_ONE),
    "quic-decoy-junk": quic_talk(b"whatever", Q_ONE, complete=Q_ONE),
    "quic-decoy-version": quic_talk(quic.initial(quic.crypto(Q_CLEAN), CID, shown=0x1A2A3A4A), Q_ONE, complete=Q_ONE),
    "quic-odd-port": quic_talk(Q_ONE, port=4433),
    "quic-private-version": quic_talk(quic.initial(quic.crypto(Q_LISTED), CID, shown=0x7E577E57)),
    "quic-encrypted-hello": quic_talk(quic.initial(quic.crypto(hello(UNLISTED, more=QUIC_EXTENSIONS + ECH)[5:]), CID)),
}

# -- JSON -----------------------------------------------------------------------------------------


def escaped(line, word, form):
    """Every letter of the word as \\uXXXX."""
    return line.replace(word, "".join(form.format(c) for c in word).encode(), 1)


LOWER, UPPER = "\\u{:04x}", "\\u{:04X}"
REST = LOGIN[LOGIN.index(b'"params"'):]
BARE = b'{"id":1,"method":"login","params":{"login":"%s","pass":"x"}}\n'
SUBMIT = b'{"id":7,"jsonrpc":"2.0","method":"submit","params":{"id":"1","job_id":"2","nonce":"00000000","result":"' + b"ab" * 32 + b'"}}\n'
HELLO_2 = b'{"id":1,"method":"mining.hello","params":{"agent":"a","host":"h","port":"4d2","proto":"EthereumStratum/2.0.0"}}\n'


def gzipped(data):
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


def pool(data, **more):
    return talk(3333, data, **more)


JUNK = b"x" * 63 + b"\n"
JSON = {
    "json-escaped-value": pool(escaped(LOGIN, b"login", LOWER)),
    "json-escaped-key": pool(escaped(SUBSCRIBE, b"method", UPPER)),
    "json-escaped-value-of-sv1": pool(escaped(SUBSCRIBE, b"mining.subscribe", UPPER)),
    "json-duplicate-key-last": pool(SUBSCRIBE.replace(b'"method"', b'"method":"ping","method"')),
    "json-duplicate-key-first": pool(SUBSCRIBE.replace(b'"params"', b'"method":"ping","params"')),
    "json-duplicate-key-escaped": pool(SUBSCRIBE.replace(b'"method"', b'"method":"ping","m\\u0065thod"')),
    "json-method-last": pool(wire.STRATUM["eth-proxy"]),
    "json-padding-8-KiB": pool(b'{"pad":"' + b"a" * 8192 + b'",' + SUBSCRIBE[1:]),
    "json-padding-nested": pool(b'{"pad":' + b"[" * 40 + b"]" * 40 + b"," + SUBSCRIBE[1:]),
    "json-comment": pool(b"{/* hello */" + SUBSCRIBE[1:]),
    "json-byte-order-mark": pool(b"\xef\xbb\xbf" + LOGIN),
    "json-nul-bytes": pool(b"\0\0" + LOGIN[:20] + b"\0" + LOGIN[20:]),
    "json-blank-lines": pool(b"\r\n \t\n\n" + LOGIN),
    "json-digits-line": pool(b"%d\n" % len(LOGIN) + LOGIN),
    "json-batch": pool(b"[" + SUBSCRIBE[:-1] + b"]\n"),
    "json-batch-second": pool(b'[{"id":1,"method":"ping","params":[]},' + SUBSCRIBE[:-1] + b"]\n"),
    "json-pretty-printed": pool(LOGIN.replace(b",", b",\n  ").replace(b":", b" : ")),
    "json-key-in-other-case": pool(SUBSCRIBE.replace(b"method", b"Method")),
    "json-harmless-line-first": pool(b'{"id":1,"method":"mine.ping"}\n' + LOGIN),
    "json-harmless-segments-first": talk(3333, *[b'{"id":1,"method":"ping"}\n'] * 2, LOGIN, gap_ms=60, complete=LOGIN),
    "json-junk-line-first": talk(3333, b"whatever\n", LOGIN, gap_ms=60, complete=LOGIN),
    "json-junk-line-in-one": talk(3333, b"whatever\n" + LOGIN),
    "json-junk-line-in-bytes": Raw(3333, b"whatever\n" + LOGIN, in_bytes(b"whatever\n" + LOGIN, range(9 + len(LOGIN)))),
    "json-without-line-end": pool(LOGIN[:-1]),
    "json-carriage-return": pool(LOGIN[:-1] + b"\r\n"),
    "json-missing-params": pool(b'{"id":1,"method":"mining.subscribe"}\n'),
    "json-renamed-agent": pool(LOGIN.replace(b"bed/1.0", b"Mozilla/5.0")),
    "json-login-without-agent": pool(BARE % WALLET),
    "json-submit-only": pool(SUBMIT),
    "json-gzip-after-hello": talk(3333, HELLO_2, gzipped(LOGIN), gap_ms=60),
    "json-junk-8-KiB-first": talk(3333, JUNK * 128, LOGIN, gap_ms=60, complete=LOGIN),
    "json-junk-line-answered": Kernel(servers.POLITE, LOGIN, [say(b"whatever\n"), {"await": 3}, say(LOGIN)]),
    "json-junk-lines-answered": Kernel(servers.POLITE, LOGIN, [
        *(s for n in range(6) for s in (say(JUNK * 16), {"await": 3 * (n + 1)}, sleep(30))), say(LOGIN)]),
    "json-padding-20-KiB": pool(b'{"pad":"' + b"a" * 20480 + b'",' + SUBSCRIBE[1:]),
    "json-nameless-login": pool(BARE % b"me"),
    "json-of-its-own": pool(b'{"op":"hello","who":"me","jobs":true}\n'),
    "binary-frame-of-its-own": pool(struct.pack("!I", len(LOGIN)) + LOGIN),
    "bytes-xored": pool(bytes(b ^ 0x5A for b in LOGIN)),
}

PORTS = {
    "port-443-cleartext": talk(443, LOGIN),
    "port-80-cleartext": talk(80, LOGIN),
    "port-53-cleartext": talk(53, LOGIN),
    "port-25-cleartext": talk(servers.SMTP, LOGIN),
    "server-speaks-first": Kernel(servers.NOTIFY, LOGIN, [{"await": 1}, say(LOGIN)]),
    "mail-greeting-first": Kernel(servers.GREET, LOGIN, [{"await": 1}, say(LOGIN)]),
    "mail-greeting-and-hello": Kernel(servers.GREET, LOGIN, [{"await": 1}, say(b"EHLO a.example\r\n"), sleep(60), say(LOGIN)]),
    "polite-server": Kernel(servers.POLITE, LOGIN, [say(b'{"id":1,"method":"ping"}\n'), {"await": 3}, say(LOGIN)]),
}

# -- HTTP -----------------------------------------------------------------------------------------


def head(*lines, host=LISTED, target="/", method="GET", body=b""):
    more = "".join(f"{line}\r\n" for line in lines)
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode() + body


def posted(body, *lines, path="/"):
    return head("Content-Type: application/json", f"Content-Length: {len(body)}", *lines, host=UNLISTED, target=path,
                method="POST", body=body)


def chunked(body, *cuts):
    borders = [0, *cuts, len(body)]
    parts = (body[a:b] for a, b in zip(borders, borders[1:]))
    return head("Transfer-Encoding: chunked", host=UNLISTED, method="POST",
                body=b"".join(b"%x;x=y\r\n" % len(part) + part + b"\r\n" for part in parts) + b"0\r\n\r\n")


GETWORK = b'{"method": "getwork", "params": [], "id":0}\r\n'
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
H2_SETTINGS = b"\0\0\0\4\0\0\0\0\0"


def h2_frame(kind, flags, stream, body):
    return struct.pack("!I", len(body))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + body


def authority(name, indexed=b"\x41"):
    """The request's fields GET http / and :authority as a literal (RFC 7541 6.2)."""
    return b"\x82\x86\x84" + indexed + bytes([len(name)]) + name.encode()


HUFFMAN = {  # RFC 7541, appendix B, for the letters of the listed name
    **{c: (code, 5) for c, code in zip("aceiost", (3, 4, 5, 6, 7, 8, 9))},
    ".": (0x17, 6), "d": (0x24, 6), "l": (0x28, 6), "m": (0x29, 6), "n": (0x2A, 6), "p": (0x2B, 6), "x": (0x79, 7)}


def huffman(name):
    bits = "".join(f"{HUFFMAN[c][0]:0{HUFFMAN[c][1]}b}" for c in name)
    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return b"\x82\x86\x84\x41" + bytes([0x80 | len(packed)]) + packed


def h2(fields, flags=5, before=b""):
    return talk(9000, PREFACE + H2_SETTINGS + before + h2_frame(1, flags, 1, fields))


H2_CUT = authority(LISTED)
H2_WHOLE = PREFACE + H2_SETTINGS + h2_frame(1, 5, 1, H2_CUT)
HTTP = {
    "http-second-request": Raw(80, LISTED_HEAD, keep_alive([CLEAN_HEAD, LISTED_HEAD])),
    "http-pipelined": talk(80, CLEAN_HEAD * 2 + LISTED_HEAD),
    "http-absolute-form": talk(80, head(host=UNLISTED, target=f"http://{LISTED}/")),
    "http-two-hosts": talk(80, head(f"Host: {LISTED}", host=UNLISTED)),
    "http-folded-host": talk(80, f"GET / HTTP/1.1\r\nHost:\r\n {LISTED}\r\n\r\n".encode()),
    "http-blank-before-colon": talk(80, f"GET / HTTP/1.1\r\nHost : {LISTED}\r\n\r\n".encode()),
    "http-bare-line-feeds": talk(80, LISTED_HEAD.replace(b"\r\n", b"\n")),
    "http-blank-lines-first": talk(80, b"\r\n\r\n" + LISTED_HEAD),
    "http-odd-method": talk(80, head(method="BREW")),
    "http-late-host": talk(80, b"GET / HTTP/1.1\r\n" + b"X-Pad: " + b"a" * 8000 + b"\r\nHost: " + LISTED.encode() + b"\r\n\r\n"),
    "http-host-with-user-and-port": talk(80, head(host=f"me@{LISTED}.:8080")),
    "http-upper-case-host": talk(80, head(host=LISTED.upper())),
    "http-one-byte": Raw(80, LISTED_HEAD, [{"off": n, "hex": f"{b:02x}"} for n, b in enumerate(LISTED_HEAD)]),
    "http-http-1.0": talk(80, f"GET http://{LISTED}/ HTTP/1.0\r\n\r\n".encode()),
    "http-body-behind-first-request": talk(80, head("Content-Length: 5", host=UNLISTED, method="POST", body=b"hello") + LISTED_HEAD),
    "http-posted-login": talk(80, posted(LOGIN)),
    "http-chunked-login": talk(80, chunked(LOGIN, 7, 30)),
    "http-login-behind-a-word": talk(80, posted(b"hello " + LOGIN)),
    "http-gzipped-login": talk(80, posted(gzipped(LOGIN), "Content-Encoding: gzip")),
    "http-login-when-told-to-go-on": talk(80, posted(LOGIN, "Expect: 100-continue")[:-len(LOGIN)], LOGIN, gap_ms=80),
    "http-login-in-second-body": talk(80, posted(b'{"a":1}') + posted(LOGIN)),
    "http-login-behind-long-body": talk(80, posted(b" " * 3000) + posted(LOGIN)),
    "http-chunked-two-bytes": talk(80, chunked(LOGIN, *range(2, len(LOGIN), 2))),
    "http-get-with-login": talk(80, posted(LOGIN).replace(b"POST", b"GET")),
    "http-two-lengths": talk(80, posted(LOGIN, "Content-Length: 0")),
    "http-mining-header": talk(80, posted(GETWORK, "X-Mining-Extensions: longpoll midstate rollntime submitold")),
    "http-getwork": talk(80, posted(GETWORK)),
    "http-seventeenth-request": Raw(80, LISTED_HEAD, keep_alive([CLEAN_HEAD] * 16 + [LISTED_HEAD])),
    "h2c-prior-knowledge": h2(authority(LISTED)),
    "h2c-huffman": h2(huffman(LISTED)),
    "h2c-never-indexed": h2(authority(LISTED, b"\x11")),
    "h2c-padded-with-priority": h2(b"\3" + b"\0\0\0\0\x10" + authority(LISTED) + bytes(3), flags=5 | 8 | 32),
    "h2c-continuation": talk(9000, PREFACE + H2_SETTINGS + h2_frame(1, 1, 1, H2_CUT[:12]) + h2_frame(9, 4, 1, H2_CUT[12:])),
    "h2c-second-request": talk(9000, PREFACE + H2_SETTINGS + h2_frame(1, 5, 1, authority(UNLISTED)) + h2_frame(1, 5, 3, authority(LISTED))),
    "h2c-host-field": h2(b"\x82\x86\x84\x66" + bytes([len(LISTED)]) + LISTED.encode()),
    "h2c-table-size-first": h2(b"\x3f\xe1\x1f" + authority(LISTED)),
    "h2c-one-byte": Raw(9000, H2_WHOLE, in_bytes(H2_WHOLE, range(len(H2_WHOLE)))),
    "h2c-login-in-data": talk(9000, PREFACE + H2_SETTINGS + h2_frame(1, 4, 1, authority(UNLISTED)), h2_frame(0, 0, 1, LOGIN), gap_ms=60,
                              complete=LOGIN),
    "h2c-upgrade": Kernel(servers.H2C, LISTED.encode(), [
        say(head("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", host=UNLISTED)), {"await": 70},
        say(PREFACE + H2_SETTINGS + h2_frame(1, 5, 3, authority(LISTED)))]),
}

# -- WebSocket ------------------------------------------------------------------------------------

COINHIVE = b'{"type":"auth","params":{"version":7,"site_key":"' + b"A" * 32 + b'","type":"anonymous","user":null,"goal":0}}'
WEBMINER = b'{"identifier":"handshake","pool":"pool.example","login":"' + WALLET + b'","password":"","userid":"","version":8}'


def frame(data, opcode=1, fin=True, rsv1=False, key=b"\x37\xfa\x21\x3d", wide=False):
    """A client's frame, RFC 6455 5.2; `wide`: the length in 8 bytes."""
    first = bytes([(0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode])
    size = len(data)
    length = b"\xff" + struct.pack("!Q", size) if wide else bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
    return first + length + key + bytes(b ^ key[i % 4] for i, b in enumerate(data))


def deflated(data):
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


UPGRADE = ("Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
           "Sec-WebSocket-Version: 13")


def ws(*frames, extensions=(), cuts=None, gap_ms=0, complete=None):
    """Frames behind an upgrade to an unlisted host that the server has accepted; `cuts`: bytes a write."""
    data = b"".join(frames)
    parts = [data[i:i + cuts] for i in range(0, len(data), cuts)] if cuts else list(frames) if gap_ms else [data]
    steps = [s for part in parts for s in (say(part), sleep(gap_ms or 2))]
    return Kernel(servers.WEBSOCKET, complete or data, [say(head(*UPGRADE, *extensions, host=UNLISTED, target="/proxy")),
                                                        {"await": 100}, *steps])


def two_deflated(first, second):
    """Two messages of one compression context: the second leans on the first."""
    packer = zlib.compressobj(wbits=-15)
    return [frame((packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4], rsv1=True) for data in (first, second)]


DEFLATE = ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",)
WEBSOCKET = {
    "websocket-coinhive": ws(frame(COINHIVE)),
    "websocket-webminerpool": ws(frame(WEBMINER)),
    "websocket-stratum": ws(frame(LOGIN)),
    "websocket-fragments": ws(frame(COINHIVE[:20], fin=False), frame(COINHIVE[20:60], 0, fin=False), frame(COINHIVE[60:], 0)),
    "websocket-one-byte-fragments": ws(*(frame(COINHIVE[i:i + 1], 1 if i == 0 else 0, i == len(COINHIVE) - 1)
                                         for i in range(len(COINHIVE)))),
    "websocket-empty-fragments": ws(frame(b"", fin=False), frame(COINHIVE, 0, fin=False), frame(b"", 0)),
    "websocket-control-between": ws(frame(COINHIVE[:30], fin=False), frame(b"ping", 9), frame(COINHIVE[30:], 0)),
    "websocket-binary": ws(frame(LOGIN, 2)),
    "websocket-zero-mask": ws(frame(COINHIVE, key=bytes(4))),
    "websocket-wide-length": ws(frame(COINHIVE, wide=True)),
    "websocket-deflate": ws(frame(deflated(COINHIVE), rsv1=True), extensions=DEFLATE),
    "websocket-deflate-fragments": ws(frame(deflated(COINHIVE)[:25], fin=False, rsv1=True), frame(deflated(COINHIVE)[25:], 0),
                                      extensions=DEFLATE),
    "websocket-one-byte-segments": ws(frame(COINHIVE), cuts=1),
    "websocket-second-message": ws(frame(b'{"type":"hello"}'), frame(COINHIVE), gap_ms=60, complete=frame(COINHIVE)),
    "websocket-deflate-second-message": ws(*two_deflated(b'{"type":"hello","site_key":1}', COINHIVE), extensions=DEFLATE, gap_ms=60),
    "websocket-unmasked": ws(bytes([0x81, 0x7E]) + struct.pack("!H", len(COINHIVE)) + COINHIVE),
    "websocket-behind-a-request": Kernel(servers.WEBSOCKET, frame(COINHIVE), [
        say(CLEAN_HEAD + head(*UPGRADE, host=UNLISTED)), {"await": 100}, say(frame(COINHIVE))]),
    "websocket-odd-upgrade": Kernel(servers.WEBSOCKET, frame(COINHIVE), [
        say(head("upgrade:\tWebSocket", "CONNECTION:foo,\tUPGRADE", *UPGRADE[2:], host=UNLISTED)), {"await": 100}, say(frame(COINHIVE))]),
    "websocket-many-harmless-first": ws(*[frame(b'{"type":"chat","text":"hello"}')] * 40, frame(COINHIVE), complete=frame(COINHIVE)),
    "websocket-20-KiB-first": ws(frame(b"a" * 20480), frame(COINHIVE), gap_ms=100, complete=frame(COINHIVE)),
    "websocket-before-the-answer": talk(servers.WEBSOCKET, head(*UPGRADE, host=UNLISTED, target="/proxy") + frame(COINHIVE)),
}

# -- proxies --------------------------------------------------------------------------------------


def sign_on(name, port):
    ask = socks5(name, port)
    return [b"\x05\x02\x00\x02", b"\x01\x01u\x01p", ask[1]]


def proxied(kinds, data, target, port=PROXY, name="unknown.example"):
    """Proxies in proxies; each part is sent when the one before is answered."""
    parts = [part for kind in kinds[:-1] for part in kind("proxy.example", PROXY)]
    parts += kinds[-1](name, target)
    return Kernel(port, data, [s for part in (*parts, data) for s in (say(part), sleep(60))], target=target)


# HAProxy's protocol in front of what it hands on, in its binary form; and a CONNECT of HTTP/2 (RFC 9113 8.5).
PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 40000, 3333)
H2_CONNECT = b"\x42\7CONNECT\x41" + bytes([len(LISTED) + 5]) + LISTED.encode() + b":3333"
PROXIES = {
    "proxy-connect": proxied([connect], LOGIN, 3333),
    "proxy-connect-listed-name": proxied([connect], CLEAN_HELLO, 443, name=LISTED),
    "proxy-socks4": proxied([socks4], LOGIN, 3333),
    "proxy-socks4a": proxied([socks4a], LOGIN, 3333),
    "proxy-socks5": proxied([socks5], LOGIN, 3333),
    "proxy-socks5-password": proxied([sign_on], LOGIN, 3333, port=PASSWORD),
    "proxy-socks5-listed-hello": proxied([socks5], LISTED_HELLO, 443),
    "proxy-2-deep": proxied([socks5, connect], LOGIN, 3333),
    "proxy-4-deep": proxied([connect, socks4a, socks5, connect], LOGIN, 3333),
    "proxy-pipelined": Kernel(PROXY, LOGIN, [say(b"".join(socks5("unknown.example", 3333)) + LOGIN), sleep(300)], target=3333),
    "proxy-protocol-1": talk(3333, b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 3333\r\n" + LOGIN),
    "proxy-protocol-1-apart": talk(3333, b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 3333\r\n", LOGIN, gap_ms=60, complete=LOGIN),
    "proxy-protocol-2": talk(3333, PROXY_2 + LOGIN),
    "proxy-protocol-2-hello": talk(9000, PROXY_2 + LISTED_HELLO),
    "proxy-h2c-connect": talk(9000, PREFACE + H2_SETTINGS + h2_frame(1, 4, 1, H2_CONNECT)),
    "proxy-5-deep": proxied([socks5, connect, socks4a, socks5, connect], LOGIN, 3333),
}

# -- beyond a firewall's sight --------------------------------------------------------------------

SV2_ACT_1 = bytes((i * 73 + 41) & 0xFF for i in range(64))
SSH = b"SSH-2.0-OpenSSH_9.2\r\n"
BLIND = {
    "dns-over-https": talk(443, hello("dns.another.example", more=extension(16, vector16(b"\2h2"))), answered=b"\x16\x03"),
    "dns-over-tls": talk(853, hello("dns.another.example")),
    "ssh-tunnel": Kernel(22, bytes(b ^ 0xA5 for b in LOGIN), [say(SSH), sleep(50), say(bytes(b ^ 0xA5 for b in LOGIN))]),
    "vpn": Kernel(51820, b"\4\0\0\0" + bytes(b ^ 0xA5 for b in LOGIN), [
        say(b"\1\0\0\0" + bytes(144)), sleep(30), say(b"\4\0\0\0" + bytes(b ^ 0xA5 for b in LOGIN))], kind="udp"),
    "login-over-udp": Kernel(3333, LOGIN, [say(LOGIN)], kind="udp"),
    "stratum-v2": talk(4444, SV2_ACT_1),
}

TRICKS = {**TLS, **DNS, **QUIC, **JSON, **PORTS, **HTTP, **WEBSOCKET, **PROXIES, **BLIND}
