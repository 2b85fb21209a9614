#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds for the fuzzers, out of our own captures, the evasion tricks and the policies that are shipped: each in the form that its
fuzzer reads. A target that is not known here gets the bare streams and datagrams.

Usage: seeds.py FOLDER TARGET...    writes FOLDER/TARGET/*"""

import base64
import glob
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(TESTS)
sys.path[:0] = [os.path.join(TESTS, folder) for folder in ("netns", "evasion")]
import capture  # noqa: E402
import tricks_wire  # noqa: E402
import tricks_words  # noqa: E402

# Of fuzz_pipeline.c: its flags, and the server's port of each of its flows.
REPLY, SYN, FIN, RESET, OLDER, BAD_SUM = 1, 2, 4, 8, 16, 32
NAMED, IPV6 = 1, 8
TCP_PORTS = (3333, 443, 80, 53, 1080, 14433, 8080, 9)
UDP_PORTS = (53, 443, 53, 443, 3333, 4433, 80, 9)


def payload_of(packet):
    body = packet.transport()
    return body[8:] if packet.proto == capture.UDP else body[(body[12] >> 4) * 4:]


def samples():
    """Conversations of our own captures: lists of whole packets, the opener's first."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(TESTS, "corpus", "make_samples.py"), folder], check=True,
                       stdout=subprocess.DEVNULL)
        for path in sorted(glob.glob(os.path.join(folder, "*.pcap"))):
            packets = [p for p in capture.read(path) if p and not p.part]
            for conversation in capture.conversations(packets).values():
                yield [p for p in conversation if len(p.transport()) >= (20 if p.proto == capture.TCP else 8)]


def sent(trick):
    """What the client of a trick says: its bytes one after the other, and whether they are datagrams."""
    steps = trick.steps("192.0.2.1") if callable(trick.steps) else trick.steps
    return [bytes.fromhex(s["hex"]) for s in steps if s.get("hex")], trick.more.get("kind") == "udp"


def tricks():
    return [(trick, *sent(trick)) for trick in {**tricks_wire.TRICKS, **tricks_words.TRICKS}.values()]


def streams(conversations):
    """The client's bytes of each TCP flow."""
    for packets in conversations:
        if packets and packets[0].proto == capture.TCP:
            yield b"".join(payload_of(p) for p in packets if p.src == packets[0].src)
    for _, parts, datagrams in tricks():
        if not datagrams:
            yield b"".join(parts)


def datagrams(conversations):
    for packets in conversations:
        if packets and packets[0].proto == capture.UDP:
            yield from (payload_of(p) for p in packets)
    for _, parts, is_udp in tricks():
        if is_udp:
            yield from parts


def record(flow, flags, data, clock=1):
    return struct.pack("<BBBH", flow, flags, clock, len(data)) + data


def flow_of(udp, port, used):
    ports = UDP_PORTS if udp else TCP_PORTS
    best = [n for n, known in enumerate(ports) if known == port] or range(len(ports))
    return (8 if udp else 0) + next((n for n in best if n not in used), best[0])


def scripts(conversations):
    """Whole conversations, and tricks, in the pipeline fuzzer's language."""
    for packets in conversations:
        if not packets:
            continue
        udp, first = packets[0].proto == capture.UDP, packets[0].src
        flow, text = flow_of(udp, packets[0].ports()[1], ()), bytes([NAMED | (IPV6 if packets[0].v6 else 0)])
        for p in packets:
            bits = p.flags()
            flags = (REPLY if p.src != first else 0) | (SYN if bits & 2 else 0) | (FIN if bits & 1 else 0)
            flags |= (RESET if bits & 4 else 0) | (0 if p.sum_is_right() else BAD_SUM)
            text += record(flow, flags, payload_of(p))
        yield text
        yield text[:1] + b"".join(record(flow, OLDER | (REPLY if p.src != first else 0), payload_of(p)) for p in packets)
    for trick, parts, udp in tricks():
        flow = flow_of(udp, trick.port, ())
        yield bytes([NAMED]) + (b"" if udp else record(flow, SYN, b"")) + b"".join(record(flow, 0, part) for part in parts)


def behind(mark, conversations):
    """What follows the mark in each stream that has it."""
    return (s.split(mark, 1)[1] for s in streams(conversations) if mark in s)


def sealed(conversations):
    """Datagrams as they are, for a fuzzer that otherwise makes its own: it takes their length in units of 8 bytes."""
    for data in datagrams(conversations):
        yield b"\0\0\1" + bytes([min(len(data) // 8, 255)]) + data


def policies():
    """Those that are shipped, without their comments; the examples of the README; and the broken ones."""
    for path in glob.glob(os.path.join(ROOT, "contrib", "policies", "*")) + glob.glob(os.path.join(TESTS, "policy-errors", "*.yaml")):
        with open(path, "rb") as f:
            text = f.read()
        yield re.sub(rb"\s*#.*", b"", text) if "contrib" in path else text
    with open(os.path.join(ROOT, "README.md"), "rb") as f:
        yield from re.findall(rb"```yaml\n(.*?)```", f.read(), re.S)


def lists():
    """A few lines of every format, once to be detected and once by its number (enum list_format)."""
    texts = [b"a.example\n192.0.2.0/24 # x\n*.b.example\n192.0.2.1-192.0.2.9\nhttp://c.example/\n", b"0.0.0.0 a.example b.example # x\n::1 localhost\n",
             b"[Adblock Plus 2.0]\n||a.example^$third-party\n@@||b.example^\n||a.example^$badfilter\nc.example##.x\n/x[0-9]/$script\n",
             b"address=/a.example/0.0.0.0\nserver=/b.example/#\nlocal=/c.example/ # x\n",
             b'server:\n local-zone: "a.example" always_null\n local-data: "b.example 60 IN A 0.0.0.0"\n',
             b"$TTL 60\n$ORIGIN z.\n@ SOA a. b. (1\n2)\na.example CNAME .\n24.0.2.0.192.rpz-ip CNAME .\n128.1.zz.db8.2001.rpz-ip CNAME rpz-passthru.\n",
             b"create s hash:net\nadd s 192.0.2.1,tcp:3333\nadd s 192.0.2.0/24 nomatch\n",
             b'table inet f {\n set s { elements = { 192.0.2.1 . 3333,\n 192.0.2.2-192.0.2.9 comment "a, b" } } }\n',
             b"a:192.0.2.1-192.0.2.9\n192.000.002.001 - 192.000.002.002 , 000 , x\n", b"cG9vbC5leGFtcGxl,1\n", b"*.a.example\n.b.example\n"]
    for number, text in enumerate(texts):
        yield b"\0" + text
        yield bytes([number + 1]) + text


def captures():
    """Our own samples as files, each cut after a few packets, and one of another link type."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(TESTS, "corpus", "make_samples.py"), folder], check=True,
                       stdout=subprocess.DEVNULL)
        for path in sorted(glob.glob(os.path.join(folder, "*.pcap*"))):
            with open(path, "rb") as f:
                yield f.read(3000)
    ip = bytes.fromhex("4500001d00012000401100000a000001c0000207") + b"\x03\xe8\x01\xbb\x00\x09\x00\x00x"
    for link, head in ((1, bytes(12) + b"\x81\x00\x00\x01\x08\x00"), (101, b""), (113, bytes(14) + b"\x08\x00"), (276, b"\x08\x00" + bytes(18)),
                       (0, b"\x02\0\0\0"), (9, b"\xff\x03\x00\x21"), (239, b"\x02\0\0\0" + b"\x21\x00\x09\x00"[:0]), (105, bytes(24) + b"\xaa\xaa\x03\0\0\0\x08\0")):
        body = head + ip
        yield struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link) + 2 * (struct.pack("<IIII", 1, 0, len(body), len(body)) + body)


def events():
    """Lines of the log: of every kind, and as another program might write them."""
    yield (b'{"timestamp":"2026-11-23T22:30:00.000000+0100","event_type":"alert","src_ip":"192.0.2.1","src_port":4000,"dest_ip":"2001:db8::7",'
           b'"dest_port":443,"proto":"TCP","app_proto":"tls","tls":{"sni":"pool.example","version":"TLS 1.3","ja4":"t"},"alert":{"action":'
           b'"blocked","signature_id":1000902,"signature":"s","category":"Crypto mining","severity":1},"mining":{"id":"1","evidence":"name",'
           b'"list":"l","entry":"pool.example","line":3,"learned":"pair"},"host":{"mac":"02:00:00:00:00:01","name":"tv"}}\n')
    yield (b'{"timestamp":"2026-11-23T22:30:00Z","event_type":"alert","src_ip":"192.0.2.1","dest_port":3333,"proto":"TCP","alert":{"action":"allowed",'
           b'"signature_id":7},"mining":{"dialect":"cryptonote","method":"login","agent":"x\\x1b","worker":"w","algo":"a","carrier":"http",'
           b'"login_hash":"0123456789abcdef","score":75,"marks":["port","\\u202e"],"reason":"budget","count":12,"telltale":true}}\n')
    yield b'{"timestamp":"2026-11-23T22:30:00","event_type":"minewall","minewall":{"event":"e","detail":"d"}}\n{"event_type":"flow","a":[1.5,{"b":null}]}\n'
    yield b' { "event_type" : "alert", "mining" : {"marks":[[]]}, "src_ip" : "\\ud83d\\ude00", "x":1e400 }\n'


def requests():
    for text in ('{"verb":"%s"}' % verb for verb in ("status", "blocked", "lists", "flush", "metrics", "incidents", "stop")):
        yield text.encode()
    yield from (b'{"verb":"unblock","target":"192.0.2.7"}', b'{"verb":"unblock","target":"pool.example"}', b'{"verb":"reload","keep":true}',
                b'{"verb":"reload","lists":true}', b'{"verb":"reload","confirm_s":300}', b'{"verb":"pause","for_s":60}',
                b'{"verb":"allow","target":"*.a.example","for_s":3600}', b'{"verb":"allow","target":"[2001:db8::7]:443","for_s":0}')


def words():
    """What other gateways say, in lines as fuzz_hints reads them."""
    sig, start = base64.b64encode(bytes(64)).decode(), 1800000000
    topic = "minewall/s/%s/endpoint/%s"
    said = '{"v":1,"evidence":"%s","dialect":"zcash","issued":%d,"expires":%d,"sig":"' + sig + '"}'
    both = [f"{topic % (g, 'tcp/192.0.2.7/3333')} {said % ('protocol', start, start + 3600)}\n" for g in "ab"]
    yield "".join(both).encode()
    yield "".join(both + [topic % ("a", "tcp/192.0.2.7/3333") + "\n", both[0], ">4000\n", both[1]]).encode()
    yield (topic % ("a", "udp/2001:db8::7/443") + " " + said % ("protocol", start + 1, start + 86401) + "\n+" + topic % ("a", "udp/2001:db8::7/443") +
           "\n!\n-" + topic % ("a", "udp/2001:db8::7/443") + "\n").encode()
    yield ("=" + topic % ("a", "tcp/192.0.2.8/10") + "\nka AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI= revoked\n").encode()
    yield (topic % ("c", "tcp/10.0.0.1/1") + " " + said % ("name", 1, 2) + "\nminewall/s/a/status {}\n").encode()


def bodies():
    """Requests whose body is what is looked at: with a length, in chunks, one behind the other."""
    login = b'{"id":1,"method":"mining.authorize","params":["wallet.rig","x"]}'
    head = b"POST / HTTP/1.1\r\nHost: www.example\r\nContent-Type: application/json\r\n"
    chunks = b"%x\r\n%s\r\n%x;a=b\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (20, login[:20], len(login) - 20, login[20:])
    for body in (b"Content-Length: %d\r\n\r\n%s" % (len(login), login), b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
                 b"Content-Length: 2\r\n\r\n{}" + head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks):
        yield head + body


# Target -> what it reads. A stream goes on from a byte of flags (client, not ended; server, ended) and one for the first cut.
FORMS = {
    "inspect": lambda c: (head + s for s in (*streams(c), *bodies()) for head in (b"\0\x80", b"\5\x40")),
    "packet": lambda c: (b"\1" + p.data for packets in c for p in packets),
    "policy": lambda c: policies(),
    "lists": lambda c: lists(),
    "capture": lambda c: captures(),
    "log": lambda c: events(),
    "control": lambda c: requests(),
    "hints": lambda c: words(),
    "pipeline": scripts,
    "dns": datagrams,
    "quic": sealed,
    "websocket": lambda c: (b"\0\x80" + s for s in behind(b"Version: 13\r\n\r\n", c)),
    "http2": lambda c: (b"\0\x80" + s for s in behind(b"SM\r\n\r\n", c)),
}


def bare(conversations):
    yield from streams(conversations)
    yield from datagrams(conversations)


def main():
    folder, targets = sys.argv[1], sys.argv[2:]
    conversations = list(samples())
    for target in targets:
        there = os.path.join(folder, target)
        shutil.rmtree(there, ignore_errors=True)
        os.makedirs(there)
        for data in FORMS.get(target, bare)(conversations):
            with open(os.path.join(there, hashlib.sha1(data).hexdigest()), "wb") as f:
                f.write(data)
        print(f"{target}: {len(os.listdir(there))} seeds")


if __name__ == "__main__":
    main()
