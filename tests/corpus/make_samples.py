#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Our own small corpus: captures made byte by byte, each with what replay must say of it. The same bytes on every run.

Usage: make_samples.py FOLDER [QUIC_INITIAL]    writes the captures and FOLDER/expect.json
QUIC_INITIAL: the program tests/netns/quic_initial.c; without it there are no captures of QUIC.
"""
import json
import os
import struct
import subprocess
import sys

CLIENT4, SERVER4 = bytes([192, 0, 2, 10]), bytes([198, 51, 100, 20])
CLIENT6 = bytes.fromhex("20010db8000000000000000000000010")
SERVER6 = bytes.fromhex("20010db8000000010000000000000020")
ISN, SERVER_ISN = 0xfffffff0, 7000      # the client's numbers wrap early
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
START_S = 1700000000


# --- payloads ---------------------------------------------------------------------------------------------------

def client_hello(name, pad=0):
    """A TLS 1.3 ClientHello (RFC 8446 4.1.2) that asks for `name`; `pad` bytes of key share make it large."""
    host = name.encode()
    sni = struct.pack("!HBH", len(host) + 3, 0, len(host)) + host
    share = bytes(i & 0xff for i in range(32 + pad))
    shares = struct.pack("!HH", 0x001d if not pad else 0x11ec, len(share)) + share
    extensions = [(0x002b, b"\x02\x03\x04"), (0x000a, b"\x00\x02\x00\x1d"), (0x000d, b"\x00\x04\x04\x03\x08\x04"),
                  (0x0033, struct.pack("!H", len(shares)) + shares), (0x0000, sni)]
    ext = b"".join(struct.pack("!HH", kind, len(body)) + body for kind, body in extensions)
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + b"\x00\x04\x13\x01\x13\x02" + b"\x01\x00"
    body += struct.pack("!H", len(ext)) + ext
    hello = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(hello)) + hello


def http_get(host, eol=b"\r\n"):
    return eol.join([b"GET / HTTP/1.1", b"Host: " + host.encode(), b"Accept: */*", b"", b""])


SUBSCRIBE = b'{"id":1,"method":"mining.subscribe","params":["sampleminer/1.0"]}\n'
AUTHORIZE = b'{"id":2,"method":"mining.authorize","params":["wallet.worker","x"]}\n'
MONERO_WALLET = b"4" + b"8" * 94
LOGIN = (b'{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"' + MONERO_WALLET +
         b'","pass":"x","agent":"sampleminer/6.0","algo":["rx/0","cn/r"]}}\n')
ETH_LOGIN = (b'{"id":1,"jsonrpc":"2.0","method":"eth_submitLogin","params":["0x' + b"ab" * 20 + b'"],"worker":"rig1"}\n')
HARMLESS = {
    "json-login": b'{"jsonrpc":"2.0","method":"login","params":{"login":"1008@phone.example","passwd":"p","sessid":"s"},"id":1}\n',
    "json-submit": b'{"id":1,"method":"submit","params":{"form":"x"}}\n',
    "json-electrum": b'{"id":0,"method":"server.version","params":["wallet 4.5","1.4"]}\n',
    "json-quoted": b'{"id":1,"method":"echo","params":["mining.subscribe"]}\n',
    "language-server": b'Content-Length: 58\r\n\r\n{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}',
    "mail": b'EHLO client.example\r\nMAIL FROM:<a@example.org>\r\n',
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "random": bytes((i * 167 + 13) & 0xff for i in range(300)),
}


ETH_WALLET, HEX64 = b"0x" + b"ab" * 20, b"00112233" * 8
# sample -> what the client says, the dialect that it must be called, the worker
DIALECTS = {
    "configure": (b'{"id": 0, "method": "mining.configure", "params": [["version-rolling"], {}]}\n', "stratum-v1", None),
    "authorize-string-id": (b'{"id": "auth", "method": "mining.authorize", "params": ["wallet.rig", "x"]}\n', "stratum-v1", "rig"),
    "subscribe-authorize": (SUBSCRIBE + AUTHORIZE, "stratum-v1", "worker"),
    "submit-id-last": (b'{"method": "mining.submit", "params": ["w.r", "1", "00", "5f5e1000", "00000000"], "id":4}\n', "stratum-v1", "r"),
    "zcash": (b'{"id":1,"method":"mining.subscribe","params":["m/1",null,"p.example","3333"]}\n', "zcash", None),
    "nicehash": (b'{"id":1,"method":"mining.subscribe","params":["NiceHash/1.0.0"]}\n', "nicehash", None),
    "ethereum-1": (b'{"id":1,"method":"mining.subscribe","params":["m/1","EthereumStratum/1.0.0"]}\n', "ethereum-stratum-1", None),
    "ethereum-2": (b'{"id":1,"method":"mining.hello","params":{"agent":"m","host":"h","port":"4d2","proto":"EthereumStratum/2.0.0"}}\n',
                   "ethereum-stratum-2", None),
    "eth-proxy-last": (b'{"worker": "eth1.0", "jsonrpc": "2.0", "params": ["' + ETH_WALLET + b'", "x"], "id": 2, "method": "eth_submitLogin"}\n',
                       "eth-proxy", "eth1.0"),
    "eth-getwork": (b'{"worker": "", "jsonrpc": "2.0", "params": [], "id": 3, "method": "eth_getWork"}\n', "eth-proxy", None),
    "aleo": (b'{"id":1,"method":"mining.subscribe","params":["m/1","AleoStratum/2.0.0",null]}\n', "aleo", None),
    "kaspa": (b'{"id":2,"method":"mining.authorize","params":["kaspa:qq0123.rig","x"]}\n', "kaspa", "rig"),
    "ironfish": (b'{"id":0,"method":"mining.subscribe","body":{"version":3,"publicAddress":"abc.rig"}}\n', "ironfish", "rig"),
    "alephium": (b'{"id":3,"method":"mining.submit","params":{"jobId":1,"fromGroup":0,"toGroup":3,"nonce":"00","worker":"rig"}}\n',
                 "alephium", "rig"),
    "conflux": (b'{"id":4,"method":"mining.submit","params":["w.rig","j","0x0011223344556677","0x' + HEX64 + b'"]}\n', "conflux", "rig"),
    "cryptonote-wallet": (b'{"id":1,"method":"login","params":{"login":"' + MONERO_WALLET + b'.rig+5000","pass":"x"}}\n', "cryptonote", "rig"),
    "cryptonote-id-last": (b'{"method":"login","params":{"login":"w","pass":"x","agent":"m/1"},"id":"0123456789abcdef"}\n', "cryptonote", None),
    "cryptonote-algo-text": (b'{"id":1,"method":"login","params":{"login":"w","algo":"rx/0"}}\n', "cryptonote", None),
    "cryptonote-self-select": (b'{"id":1,"method":"login","params":{"login":"w","mode":"self-select"}}\n', "cryptonote", None),
    "cryptonote-submit": (b'{"id":7,"method":"submit","params":{"id":"1","job_id":"2","nonce":"00000000","result":"' + HEX64 + b'"}}\n',
                          "cryptonote", None),
    "cryptonote-keepalived": (b'{"method":"keepalived","params":{"id":"1"}}\n', "cryptonote", None),
    "grin": (b'{"id":"2","jsonrpc":"2.0","method":"getjobtemplate","params":null}\n', "grin", None),
    "beam": (b'{"method":"login", "api_key":"k.rig", "id":"login","jsonrpc":"2.0"} \n', "beam", "rig"),
    "beam-solution": (b'{"method" : "solution", "id": "7", "nonce": "0011223344556677", "output": "00", "jsonrpc":"2.0" } \n', "beam", None),
    "duino-coin": (b"FROM,PC Miner,3.5,user,rig\n", "duino-coin", None),
    "repl.it": (b"FROM,user,Repl.it Miner v1.2", "repl.it-miner", None),
    "pan-chan": (b"pan-chan's mining rig hi!\nsharepeer 192.0.2.1\n", "pan-chan", None),
    "protominer": (b"\x01\x27\0\0\x05\0\0\0\x09node" + bytes(14) + b"Protominer", "protominer", None),
    "stratum-v2-plain": (b"\0\0\0\x24\0\0" b"\0\2\0\2\0" b"\0\0\0\0" b"\4host" b"\x34\x12" b"\6vendor" b"\2hw" b"\2fw" b"\6device",
                         "stratum-v2-plain", None),
    # what JSON lets a sender do
    "json-escapes": (b'{"id":1,"\\u006D\\u0065thod":"\\u006dining.subscribe","params":[]}\n', "stratum-v1", None),
    "json-blanks": (b' \t\r\n\n{"id":1,"method" : "mining.subscribe","params":[]}\n', "stratum-v1", None),
    "json-bom": (b'\xef\xbb\xbf{"id":1,"method":"mining.subscribe","params":[]}\n', "stratum-v1", None),
    "json-nul": (b'\0{"id":1,"met\0hod":"mining.\0subscribe","params":[]}\n', "stratum-v1", None),
    "json-length-line": (b'52\n{"id":1,"method":"mining.subscribe","params":[]}\n', "stratum-v1", None),
    "json-twice": (b'{"method":"x","method":"mining.subscribe","method":"y","id":1,"params":[]}\n', "stratum-v1", None),
    "json-key-case": (b'{"ID":1,"METHOD":"mining.subscribe","Params":[]}\n', "stratum-v1", None),
    "json-batch": (b'[{"id":1,"method":"x"},{"id":1,"method":"mining.subscribe","params":[]}]\n', "stratum-v1", None),
    "json-comment": (b'{/*"}*/"id":1,//}\n"method":"mining.subscribe","params":[],}\n', "stratum-v1", None),
    "json-pretty": (b'{\n  "id": 1,\n  "method": "mining.subscribe",\n  "params": []\n}\n', "stratum-v1", None),
    "json-late": (b'{"method":"a"}\n' * 5 + SUBSCRIBE, "stratum-v1", None),
    "json-padding": (b'{' + b'"pad":"' + b"a" * 8192 + b'","method":"mining.subscribe","params":[]}\n', "stratum-v1", None),
}
HARMLESS |= {
    "json-getwork": b'{"id":1,"method":"getwork","params":[]}\n',
    "json-getblocktemplate": b'{"id":1,"method":"getblocktemplate","params":[]}\n',
    "json-auth": b'{"type":"auth","params":{"version":7,"site_key":"k"}}\n',
    "json-job": b'{"method":"job","params":{"name":"backup"}}\n',
    "json-ovsdb": b'{"method":"list_dbs","id":0,"params":[]}',
    "json-yeelight": b'{"id":1,"method":"set_power","params":["on","smooth",500]}\r\n',
    "json-prefix": b'{"id":1,"method":"data.mining.subscribe","params":[]}\n',
    "bitcoin-node": b"\xf9\xbe\xb4\xd9version\0\0\0\0\0\x55\0\0\0" + bytes(89),
    "monero-node": bytes.fromhex("0121010101010101060100000000000001e9030000000000000100000001000000") + bytes(262),
}


# --- packets ----------------------------------------------------------------------------------------------------

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(src, dst, proto, body, ident=1, fragment=0, options=b""):
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, words * 4 + len(body), ident, fragment, 64, proto, 0, src, dst) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def ipv6(src, dst, proto, body):
    return struct.pack("!IHBB16s16s", 0x60000000, len(body), proto, 64, src, dst) + body


class Flow:
    """One connection's ends; makes its packets as IP."""

    def __init__(self, v6=False, cport=50000, sport=443, proto=6):
        self.v6, self.proto, self.cport, self.sport = v6, proto, cport, sport
        self.client, self.server = (CLIENT6, SERVER6) if v6 else (CLIENT4, SERVER4)
        self.opened = ISN       # the client's, as of the last handshake

    def ends(self):
        if self.v6:
            return "2001:db8::10", self.cport, "2001:db8:0:1::20", self.sport
        return "192.0.2.10", self.cport, "198.51.100.20", self.sport

    def ip(self, body, reply=False, proto=None, **more):
        src, dst = (self.server, self.client) if reply else (self.client, self.server)
        return (ipv6 if self.v6 else ipv4)(src, dst, self.proto if proto is None else proto, body, **more)

    def transport(self, head, at, payload, reply, sum_delta):
        """Puts the checksum at offset `at` of the transport header; a delta makes it wrong."""
        src, dst = (self.server, self.client) if reply else (self.client, self.server)
        data = head + payload
        pseudo = src + dst + struct.pack("!II", len(data), self.proto)
        return data[:at] + struct.pack("!H", (checksum(pseudo + data) + sum_delta) & 0xffff) + data[at + 2:]

    def segment(self, flags, offset=0, payload=b"", reply=False, sum_delta=0, isn=None):
        """A TCP segment whose payload begins at `offset` of its stream."""
        isn = (SERVER_ISN if reply else ISN) if isn is None else isn
        seq = (isn + (0 if flags & SYN else 1 + offset)) & 0xffffffff
        heard = (self.opened if reply else SERVER_ISN) + 1 & 0xffffffff
        ports = (self.sport, self.cport) if reply else (self.cport, self.sport)
        options = b"\x02\x04\x05\xb4" if flags & SYN else b"\x01\x01\x01\x00"
        head = struct.pack("!HHIIBBHHH", *ports, seq, heard if flags & ACK else 0, 6 << 4, flags, 64240, 0, 0) + options
        return self.transport(head, 16, payload, reply, sum_delta)

    def tcp(self, flags, offset=0, payload=b"", reply=False, **more):
        return self.ip(self.segment(flags, offset, payload, reply, **more), reply)

    def udp(self, payload, reply=False):
        ports = (self.sport, self.cport) if reply else (self.cport, self.sport)
        head = struct.pack("!HHHH", *ports, 8 + len(payload), 0)
        return self.ip(self.transport(head, 6, payload, reply, 0), reply)

    def handshake(self, isn=None):
        self.opened = ISN if isn is None else isn
        return [self.tcp(SYN, isn=isn), self.tcp(SYN | ACK, reply=True), self.tcp(ACK, isn=isn)]

    def data(self, *parts):
        """Payloads that follow each other."""
        at, out = 0, []
        for part in parts:
            out.append(self.tcp(PSH | ACK, at, part))
            at += len(part)
        return out

    def answer(self, payload=b"\x15\x03\x03\x00\x02\x02\x28"):
        return [self.tcp(PSH | ACK, 0, payload, reply=True)]

    def session(self, *parts):
        return self.handshake() + self.data(*parts) + self.answer()

    def fragments(self, packet, size):
        """The IP packet in fragments of `size` bytes of payload."""
        head, body = (packet[:40], packet[40:]) if self.v6 else (packet[:20], packet[20:])
        out = []
        for at in range(0, len(body), size):
            more = at + size < len(body)
            if self.v6:
                extension = struct.pack("!BBHI", self.proto, 0, at | more, 99)
                out.append(ipv6(self.client, self.server, 44, extension + body[at:at + size]))
            else:
                out.append(ipv4(self.client, self.server, self.proto, body[at:at + size], 99, at // 8 | (0x2000 if more else 0)))
        return out


# --- links and files --------------------------------------------------------------------------------------------

MACS = bytes.fromhex("0200000000010200000000" "02")


def ethertype(ip):
    return b"\x08\x00" if ip[0] >> 4 == 4 else b"\x86\xdd"


def ethernet(ip, tags=b""):
    return MACS + tags + ethertype(ip) + ip


def padded(ip):
    return ethernet(ip).ljust(60, b"\xee")


def ppp_protocol(ip):
    return b"\x00\x21" if ip[0] >> 4 == 4 else b"\x00\x57"


def nflog_attribute(kind, body):
    return struct.pack("<HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


SNAP = b"\xaa\xaa\x03\0\0\0"
WLAN = b"\x08\x01\0\0" + MACS[:6] + MACS[6:] + MACS[:6] + b"\0\0"
WLAN_QOS = b"\x88\x02\0\0" + MACS[:6] + MACS[:6] + MACS[6:] + b"\0\0" + b"\0\0"
LINKS = {
    "ethernet": (1, ethernet),
    "padded": (1, padded),
    "vlan": (1, lambda ip: ethernet(ip, b"\x81\x00\x00\x07")),
    "qinq": (1, lambda ip: ethernet(ip, b"\x88\xa8\x00\x07\x81\x00\x00\x08")),
    "qinq-old": (1, lambda ip: ethernet(ip, b"\x91\x00\x00\x07\x81\x00\x00\x08\x81\x00\x00\x09")),
    "pppoe": (1, lambda ip: MACS + b"\x88\x64\x11\x00\x00\x01" + struct.pack("!H", len(ip) + 2) + ppp_protocol(ip) + ip),
    "mpls": (1, lambda ip: MACS + b"\x88\x47" + b"\x00\x01\x00\x40\x00\x02\x01\x40" + ip),
    "snap": (1, lambda ip: MACS + struct.pack("!H", len(ip) + 8) + SNAP + ethertype(ip) + ip),
    "raw": (101, lambda ip: ip),
    "raw-12": (12, lambda ip: ip),
    "null": (0, lambda ip: struct.pack("<I", 2 if ip[0] >> 4 == 4 else 30) + ip),
    "null-swapped": (0, lambda ip: struct.pack(">I", 2 if ip[0] >> 4 == 4 else 24) + ip),
    "loop": (108, lambda ip: struct.pack(">I", 2 if ip[0] >> 4 == 4 else 28) + ip),
    "sll": (113, lambda ip: b"\0\0\0\1\0\6" + MACS[:6] + b"\0\0" + ethertype(ip) + ip),
    "sll-vlan": (113, lambda ip: b"\0\0\0\1\0\6" + MACS[:6] + b"\0\0\x81\x00\x00\x07" + ethertype(ip) + ip),
    "sll2": (276, lambda ip: ethertype(ip) + b"\0\0\0\0\0\2\0\1\0\6" + MACS[:6] + b"\0\0" + ip),
    "ppp": (9, lambda ip: b"\xff\x03" + ppp_protocol(ip) + ip),
    "ppp-short": (9, lambda ip: ppp_protocol(ip)[1:] + ip),
    "ppp-serial-cisco": (50, lambda ip: b"\x0f\x00" + ethertype(ip) + ip),
    "ppp-ether": (51, lambda ip: b"\x11\x00\x00\x01" + struct.pack("!H", len(ip) + 2) + ppp_protocol(ip) + ip),
    "hdlc": (104, lambda ip: b"\x0f\x00" + ethertype(ip) + ip),
    "frame-relay": (107, lambda ip: b"\x18\x41\x03" + (b"\xcc" if ip[0] >> 4 == 4 else b"\x8e") + ip),
    "nflog": (239, lambda ip: b"\x02\x00\x00\x00" + nflog_attribute(10, b"prefix\0") + nflog_attribute(9, ip)),
    "wlan": (105, lambda ip: WLAN + SNAP + ethertype(ip) + ip),
    "wlan-qos": (105, lambda ip: WLAN_QOS + SNAP + ethertype(ip) + ip),
    "radiotap": (127, lambda ip: b"\0\0\x09\0\x02\0\0\0\0" + WLAN + SNAP + ethertype(ip) + ip),
    "radiotap-pad": (127, lambda ip: b"\0\0\x09\0\x02\0\0\0\x20" + WLAN_QOS + b"\0\0" + SNAP + ethertype(ip) + ip),
}


def pcap(packets, link="ethernet", order="<", magic=0xa1b2c3d4, snap=0):
    dlt, wrap = LINKS[link]
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, dlt)
    for i, packet in enumerate(packets):
        frame = wrap(packet)
        kept = frame[:snap] if snap else frame
        out += struct.pack(order + "IIII", START_S + i // 1000, i % 1000 * 1000, len(kept), len(frame)) + kept
    return out


def pcapng(packets, link="ethernet"):
    def block(kind, body):
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + size + body + size

    dlt, wrap = LINKS[link]
    out = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)) + block(1, struct.pack("<HHI", dlt, 0, 0))
    for i, packet in enumerate(packets):
        frame = wrap(packet)
        stamp = START_S * 1000000 + i * 1000
        out += block(6, struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xffffffff, len(frame), len(frame)) + frame)
    return out


# --- the samples ------------------------------------------------------------------------------------------------

class Samples:
    """Collects captures and expectations, and writes them."""

    def __init__(self):
        self.files, self.expect = {}, {}

    def add(self, name, data, lines, code=0):
        """`lines`: what each flow's line must hold, in order."""
        assert name not in self.files
        self.files[name + ".pcap"] = data
        self.expect[name + ".pcap"] = {"exit": code, "lines": lines}

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        for name, data in self.files.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        with open(os.path.join(folder, "expect.json"), "w", encoding="utf-8") as f:
            json.dump(self.expect, f, indent=1)


def line(flow, *names, drop=False, reason=None, dialect=None, worker=None, some=False, kind="tls_sni"):
    """An expected line. `dialect`: its name, or True for any. `names` are all that may be there, in order; with `some` others may stand between them."""
    src, sport, dst, dport = flow.ends()
    want = {"src_ip": src, "src_port": sport, "dest_ip": dst, "dest_port": dport, "proto": "TCP" if flow.proto == 6 else "UDP",
            "names": [n if isinstance(n, list) else [kind, n] for n in names], "some": some,
            "action": "drop" if drop else "accept", "reason": reason, "mining": dialect, "worker": worker}
    return want


def add_links(s):
    for v6 in (False, True):
        flow = Flow(v6)
        for link in LINKS:
            packets = flow.session(client_hello("link.example"))
            s.add(f"link-{link}-{'v6' if v6 else 'v4'}", pcap(packets, link), [line(flow, "link.example")])
    flow, hello = Flow(), client_hello("file.example")
    s.add("file-big-endian", pcap(flow.session(hello), order=">"), [line(flow, "file.example")])
    s.add("file-nanoseconds", pcap(flow.session(hello), magic=0xa1b23c4d), [line(flow, "file.example")])
    s.add("file-pcapng", pcapng(flow.session(hello)), [line(flow, "file.example")])
    whole = pcap(flow.session(hello))
    s.add("file-cut", whole[:-10], [line(flow, "file.example")], code=6)
    s.add("file-cut-in-header", whole[:15], [], code=6)
    s.add("file-empty", b"", [], code=6)
    s.add("file-text", b"this is no capture at all, only a text\n", [], code=5)
    s.add("file-link-unknown", struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 195), [], code=5)
    s.add("file-no-packet", struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1), [])
    s.add("file-snapped", pcap(flow.session(hello), snap=90), [line(flow)])


def add_streams(s):
    for v6 in (False, True):
        flow, tag = Flow(v6), "v6" if v6 else "v4"
        hello = client_hello("split.example", pad=1500)
        small = client_hello("split.example")
        start, end = flow.handshake(), flow.answer()
        want = [line(flow, "split.example")]
        halves = flow.data(hello[:1400], hello[1400:])
        thirds = flow.data(hello[:500], hello[500:1100], hello[1100:])
        bytewise = flow.data(*(small[i:i + 1] for i in range(len(small))))
        s.add(f"tls-halves-{tag}", pcap(start + halves + end), want)
        s.add(f"tls-halves-swapped-{tag}", pcap(start + halves[::-1] + end), want)
        s.add(f"tls-thirds-reversed-{tag}", pcap(start + thirds[::-1] + end), want)
        sixths = flow.data(*(hello[i:i + 300] for i in range(0, 1800, 300)), hello[1800:])
        s.add(f"tls-blocks-reversed-{tag}", pcap(start + sixths[4:] + sixths[2:4] + sixths[:2] + end), want)
        s.add(f"tls-older-bytewise-{tag}", pcap(bytewise + end), want)
        s.add(f"tls-bytewise-{tag}", pcap(start + bytewise + end), want)
        s.add(f"tls-bytewise-reversed-{tag}", pcap(start + bytewise[::-1] + end), want)
        twice = [p for part in thirds for p in (part, part)]
        s.add(f"tls-retransmitted-{tag}", pcap(start + twice + end), want)
        overlap = [flow.tcp(PSH | ACK, 0, hello[:900]), flow.tcp(PSH | ACK, 600, hello[600:1500]), flow.tcp(PSH | ACK, 1200, hello[1200:])]
        s.add(f"tls-overlap-{tag}", pcap(start + overlap + end), want)
        s.add(f"tls-in-syn-{tag}", pcap([flow.tcp(SYN, 0, small)] + flow.handshake()[1:] + end), want)
        s.add(f"tls-no-handshake-{tag}", pcap(flow.data(small) + end), want)
        s.add(f"tls-synack-first-{tag}", pcap(start[1:] + flow.data(small) + end), want)
        s.add(f"tls-older-server-first-{tag}",
              pcap([flow.tcp(ACK, reply=False)] + flow.answer(b"220 ready\r\n") + flow.data(small)), want)


def add_checksums(s):
    flow = Flow()
    hello, decoy = client_hello("right.example"), client_hello("decoy.example")
    bad = flow.tcp(PSH | ACK, 0, hello, sum_delta=77)
    s.add("checksum-unfinished", pcap(flow.handshake() + [bad] + flow.answer()), [line(flow, "right.example")])
    decoys = [flow.tcp(PSH | ACK, 0, decoy, sum_delta=77), flow.tcp(PSH | ACK, 0, hello)]
    s.add("checksum-decoy-first", pcap(flow.handshake() + decoys + flow.answer()), [line(flow, "right.example", some=True)])
    cut = 60
    decoys = [flow.tcp(PSH | ACK, 0, decoy[:cut], sum_delta=77), flow.tcp(PSH | ACK, 0, hello[:cut]), flow.tcp(PSH | ACK, cut, hello[cut:])]
    s.add("checksum-decoy-half", pcap(flow.handshake() + decoys + flow.answer()), [line(flow, "right.example")])
    other = bytes(b ^ 0x55 for b in hello[:cut])
    lies = [flow.tcp(PSH | ACK, 0, hello[:cut]), flow.tcp(PSH | ACK, 0, other), flow.tcp(PSH | ACK, cut, hello[cut:])]
    s.add("contradiction", pcap(flow.handshake() + lies + flow.answer()), [line(flow, drop=True, reason="contradiction")])
    keep = [flow.tcp(PSH | ACK, 0, hello[:cut]), flow.tcp(ACK, cut - 1, b"\0"), flow.tcp(PSH | ACK, cut, hello[cut:])]
    s.add("keep-alive-byte", pcap(flow.handshake() + keep + flow.answer()), [line(flow, "right.example")])


def add_ip(s):
    hello = client_hello("pieces.example", pad=1200)
    for v6 in (False, True):
        flow, tag = Flow(v6), "v6" if v6 else "v4"
        want = [line(flow, "pieces.example")]
        whole = flow.tcp(PSH | ACK, 0, hello)
        pieces = flow.fragments(whole, 504)
        start, end = flow.handshake(), flow.answer()
        s.add(f"fragments-{tag}", pcap(start + pieces + end), want)
        s.add(f"fragments-reversed-{tag}", pcap(start + pieces[::-1] + end), want)
        s.add(f"fragments-twice-{tag}", pcap(start + [p for piece in pieces for p in (piece, piece)] + end), want)
        s.add(f"fragments-missing-{tag}", pcap(start + pieces[:-1] + end), [line(flow)])
        # overlapping pieces: the kernel gives the datagram up, and so no byte reaches the server
        lies = flow.fragments(whole, 504)[:1] + flow.fragments(whole, 488)[1:2] + pieces[1:]
        s.add(f"fragments-overlap-{tag}", pcap(start + lies + end), [line(flow)])
        s.add(f"fragments-udp-{tag}", pcap(Flow(v6, proto=17, sport=9).fragments(Flow(v6, proto=17, sport=9).udp(bytes(1000)), 400)),
              [line(Flow(v6, proto=17, sport=9))])
    flow = Flow(True)
    body = flow.segment(PSH | ACK, 0, hello)
    routing, options = struct.pack("!BBBBI", 6, 0, 0, 0, 0), b"\x3c\x00\x01\x04\0\0\0\0"
    dest = b"\x2b\x00\x01\x04\0\0\0\0"
    chained = [flow.ip(options + dest + routing + body, proto=0)]
    s.add("v6-extensions", pcap(flow.handshake() + chained + flow.answer()), [line(flow, "pieces.example")])
    atomic = [flow.ip(struct.pack("!BBHI", 6, 0, 0, 5) + body, proto=44)]
    s.add("v6-atomic-fragment", pcap(flow.handshake() + atomic + flow.answer()), [line(flow, "pieces.example")])
    flow = Flow()
    with_options = [ipv4(flow.client, flow.server, 6, flow.segment(PSH | ACK, 0, hello), options=b"\x94\x04\0\0")]
    s.add("v4-options", pcap(flow.handshake() + with_options + flow.answer()), [line(flow, "pieces.example")])
    large = flow.tcp(PSH | ACK, 0, hello)
    large = [large[:2] + b"\0\0" + large[4:]]
    s.add("v4-length-0", pcap(flow.handshake() + large + flow.answer()), [line(flow, "pieces.example")])
    tunnel = [ipv4(flow.client, flow.server, 47, b"\0\0\x08\0" + large[0]), ipv4(flow.client, flow.server, 4, large[0])]
    s.add("tunnels", pcap(tunnel), [])


def add_flows(s):
    flow = Flow()
    first, second = client_hello("first.example"), client_hello("second.example")
    fin = [flow.tcp(FIN | ACK, len(first))]
    again = flow.handshake(isn=90000) + [flow.tcp(PSH | ACK, 0, second, isn=90000)] + flow.answer()
    two = [line(flow, "first.example"), line(flow, "second.example")]
    s.add("again-after-fin", pcap(flow.session(first) + fin + again), two)
    s.add("again-after-rst", pcap(flow.session(first) + [flow.tcp(RST, 0, reply=True)] + again), two)
    s.add("syn-repeated", pcap(flow.handshake()[:1] + flow.session(first)), [line(flow, "first.example")])
    udp = Flow(proto=17, sport=53, cport=4000)
    s.add("udp", pcap([udp.udp(b"\x12\x34nothing known"), udp.udp(b"\x12\x34answer", reply=True)] + flow.session(first)),
          [line(udp), line(flow, "first.example")])
    odd = client_hello("bad name\x01.example")
    s.add("name-odd-bytes", pcap(flow.session(odd)), [line(flow, "bad name\x01.example")])


def add_http(s):
    flow = Flow(sport=80)
    answer = flow.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    host = [["http_host", "Web.Example:8080"]]
    get = http_get("Web.Example:8080")
    s.add("http", pcap(flow.handshake() + flow.data(get) + answer), [line(flow, *host)])
    s.add("http-lf", pcap(flow.handshake() + flow.data(http_get("Web.Example:8080", b"\n")) + answer), [line(flow, *host)])
    s.add("http-bytewise", pcap(flow.handshake() + flow.data(*(get[i:i + 1] for i in range(len(get)))) + answer), [line(flow, *host)])
    kept = flow.data(get, http_get("next.example"))
    s.add("http-kept-alive", pcap(flow.handshake() + kept[:1] + answer + kept[1:]), [line(flow, *host, ["http_host", "next.example"])])
    half = len(get) + 9
    late = [flow.tcp(PSH | ACK, half, http_get("next.example")[9:]), flow.tcp(PSH | ACK, len(get), http_get("next.example")[:9])]
    s.add("http-kept-alive-swapped", pcap(flow.handshake() + kept[:1] + answer + late), [line(flow, *host, ["http_host", "next.example"])])
    s.add("http-pipelined", pcap(flow.handshake() + flow.data(get + http_get("next.example")) + answer),
          [line(flow, *host, ["http_host", "next.example"])])
    absolute = b"GET http://target.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n"
    s.add("http-absolute", pcap(flow.handshake() + flow.data(absolute) + answer),
          [line(flow, ["http_host", "target.example"], ["http_host", "host.example"], some=True)])
    connect = b"CONNECT inner.example:443 HTTP/1.1\r\nHost: proxy.example\r\n\r\n"
    tunnel = flow.data(connect, client_hello("deep.example"))
    s.add("http-connect", pcap(flow.handshake() + tunnel[:1] + flow.answer(b"HTTP/1.1 200 OK\r\n\r\n") + tunnel[1:]),
          [line(flow, ["connect", "inner.example:443"], ["http_host", "proxy.example"], ["tls_sni", "deep.example"], some=True)])


def add_dialects(s):
    """Each whole, byte by byte, in two halves that swap, and of a flow that is older."""
    for number, (name, (text, dialect, worker)) in enumerate(DIALECTS.items()):
        flow = Flow(number % 2 == 1, sport=(443, 3333, 80, 25)[number % 4])
        want, plain = [line(flow, drop=True, dialect=dialect, worker=worker)], [line(flow, drop=True, dialect=dialect)]
        halves = flow.data(text[:len(text) // 2], text[len(text) // 2:])
        s.add(f"dialect-{name}", pcap(flow.session(text)), want)
        s.add(f"dialect-{name}-swapped", pcap(flow.handshake() + halves[::-1] + flow.answer(b"{}\n")), want)
        if len(text) < 1000:
            # one message decides when it ends, and what comes behind is not there yet
            s.add(f"dialect-{name}-bytewise", pcap(flow.session(*(text[i:i + 1] for i in range(len(text))))), plain)
        s.add(f"dialect-{name}-older", pcap(flow.data(text)), plain)


def add_mining(s):
    for v6 in (False, True):
        tag = "v6" if v6 else "v4"
        for name, parts in {"stratum-v1": [SUBSCRIBE, AUTHORIZE], "cryptonote": [LOGIN], "ethereum": [ETH_LOGIN]}.items():
            flow = Flow(v6, sport=3333)
            want = [line(flow, drop=True, dialect=True)]
            all_bytes = b"".join(parts)
            middle = len(parts[0]) // 2
            two = flow.data(all_bytes[:middle], all_bytes[middle:])
            s.add(f"{name}-{tag}", pcap(flow.session(*parts)), want)
            s.add(f"{name}-bytewise-{tag}", pcap(flow.session(*(all_bytes[i:i + 1] for i in range(len(all_bytes))))), want)
            s.add(f"{name}-swapped-{tag}", pcap(flow.handshake() + two[::-1] + flow.answer(b"{}\n")), want)
            s.add(f"{name}-older-bytewise-{tag}",
                  pcap(flow.data(*(all_bytes[i:i + 1] for i in range(len(all_bytes))))), want)
            s.add(f"{name}-older-{tag}", pcap(flow.data(*parts)), want)
            s.add(f"{name}-unfinished-sum-{tag}",
                  pcap(flow.handshake() + [flow.tcp(PSH | ACK, 0, all_bytes, sum_delta=9)]), want)
        for name, text in HARMLESS.items():
            flow = Flow(v6, sport=3333)
            s.add(f"harmless-{name}-{tag}", pcap(flow.session(text)), [line(flow)])
    flow, decoy = Flow(sport=3333), client_hello("decoy.example")
    dead = [line(flow, drop=True, some=True)]
    # decoys that the server never takes: below its window, in the SYN, and one that does not live long enough to arrive
    below = [flow.tcp(PSH | ACK, 0, decoy, isn=ISN - 100000), flow.tcp(PSH | ACK, 0, LOGIN)]
    s.add("decoy-below-window", pcap(flow.handshake() + below + flow.answer(b"{}\n")), [line(flow, drop=True, dialect=True, some=True)])
    s.add("decoy-in-syn", pcap([flow.tcp(SYN, 0, decoy)] + flow.handshake()[1:] + flow.data(LOGIN) + flow.answer(b"{}\n")), dead)
    s.add("decoy-short-lived", pcap(flow.handshake() + [flow.tcp(PSH | ACK, 0, decoy), flow.tcp(PSH | ACK, 0, LOGIN)] +
                                    flow.answer(b"{}\n")), dead)
    notify = b'{"id":null,"method":"mining.notify","params":["1","00","01","02",[],"20000000","1d00ffff","5f5e1000",true]}\n'
    s.add("stratum-server-first", pcap(flow.handshake() + flow.answer(notify) + flow.data(SUBSCRIBE, AUTHORIZE)),
          [line(flow, drop=True, dialect=True)])


# --- tunnels ----------------------------------------------------------------------------------------------------

def socks5_ask(kind, address, port=443):
    return b"\x05\x01\x00" + bytes([kind]) + address + struct.pack("!H", port)


def socks5_name(name, port=443):
    return socks5_ask(3, bytes([len(name)]) + name.encode(), port)


def connect_head(authority):
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()


GREETING = b"\x05\x01\x00"
SIGN_ON = b"\x01\x04user\x06secret"
V4_TARGET, V6_TARGET = bytes([198, 51, 100, 20]), bytes.fromhex("20010db8000000000000000000000077")
CONNECT_NAMES = [["connect", "inner.example:443"], ["http_host", "inner.example:443"]]
# What the client says in one go before the stream enters the tunnel, and the names in it.
PRELUDES = {
    "socks5-name": ([GREETING, socks5_name("Inner.example")], [["socks", "Inner.example"]]),
    "socks5-v4": ([GREETING, socks5_ask(1, V4_TARGET)], [["socks", "198.51.100.20"]]),
    "socks5-v6": ([GREETING, socks5_ask(4, V6_TARGET)], [["socks", "2001:db8::77"]]),
    "socks5-password": ([b"\x05\x02\x00\x02", SIGN_ON, socks5_name("inner.example")], [["socks", "inner.example"]]),
    "socks4": ([b"\x04\x01\x01\xbb" + V4_TARGET + b"me\0"], [["socks", "198.51.100.20"]]),
    "socks4a": ([b"\x04\x01\x01\xbb\0\0\0\x01me\0inner.example\0"], [["socks", "inner.example"]]),
    "connect": ([connect_head("inner.example:443")], CONNECT_NAMES),
    "connect-twice": ([connect_head("inner.example:443")] * 2, CONNECT_NAMES * 2),     # the first was answered by 407
}
INSIDE = {"tls": ([client_hello("split.example")], [["tls_sni", "split.example"]], {"reason": "clean"}),
          "stratum": ([SUBSCRIBE, AUTHORIZE], [], {"drop": True, "dialect": True}),
          "http": ([http_get("web.example")], [["http_host", "web.example"]], {}),
          "mail": ([b"EHLO client.example\r\n", *[b"MAIL FROM:<a@example.org>\r\n"] * 4], [], {"reason": "unknown"})}


def talk(flow, parts):
    """Each part is answered before the next one comes, as live."""
    at, packets = 0, flow.handshake()
    for i, part in enumerate(parts):
        packets += [flow.tcp(PSH | ACK, at, part), flow.tcp(PSH | ACK, 2 * i, b"\x05\x00", reply=True)]
        at += len(part)
    return packets


def add_tunnels(s):
    for prelude, (parts, names) in PRELUDES.items():
        for inside, (data, more, end) in INSIDE.items():
            flow, tag = Flow(inside == "tls", sport=1080), f"{prelude}-{inside}"
            want, whole = [line(flow, *names, *more, **end)], b"".join(parts + data)
            s.add(f"tunnel-{tag}", pcap(talk(flow, parts + data)), want)
            s.add(f"tunnel-bytewise-{tag}", pcap(flow.session(*(whole[i:i + 1] for i in range(len(whole))))), want)
            halves = flow.data(whole[:len(whole) // 2], whole[len(whole) // 2:])
            if inside != "mail":        # one segment of bytes that nobody knows is no decision yet
                s.add(f"tunnel-pipelined-{tag}", pcap(flow.session(whole)), want)
                # a whole message of a miner stands in the second half: that is enough, and the first one comes too late
                swapped = [line(flow, **end)] if inside == "stratum" else want
                s.add(f"tunnel-swapped-{tag}", pcap(flow.handshake() + halves[::-1] + flow.answer()), swapped)
    add_nested(s)
    add_no_tunnels(s)


def add_nested(s):
    """Proxies inside proxies: four are entered; the fifth is named, and what is in it is not looked at."""
    kinds = [([GREETING, socks5_name("one.example")], [["socks", "one.example"]]),
             ([connect_head("two.example:1080")], [["connect", "two.example:1080"], ["http_host", "two.example:1080"]]),
             ([b"\x04\x01\x01\xbb" + V4_TARGET + b"\0"], [["socks", "198.51.100.20"]]),
             ([GREETING, socks5_ask(4, SERVER6)], [["socks", "2001:db8:0:1::20"]]),
             ([GREETING, socks5_name("five.example")], [["socks", "five.example"]])]
    for depth in range(1, 6):
        parts = [part for kind in kinds[:depth] for part in kind[0]]
        names = [name for kind in kinds[:depth] for name in kind[1]]
        for inside in ("tls", "stratum"):
            data, more, end = INSIDE[inside]
            flow = Flow(sport=1080)
            want = [line(flow, *names, *more, **end) if depth < 5 else line(flow, *names, reason="depth")]
            s.add(f"nested-{depth}-{inside}", pcap(talk(flow, parts + data)), want)
            s.add(f"nested-{depth}-{inside}-pipelined", pcap(flow.session(b"".join(parts + data))), want)
            if depth < 5:       # repeated segments make a tunnel no deeper
                again = talk(flow, parts) + [packet for _ in range(6) for packet in flow.data(*parts)]
                at = len(b"".join(parts))
                s.add(f"nested-{depth}-{inside}-repeated",
                      pcap(again + [flow.tcp(PSH | ACK, at, b"".join(data))] + flow.answer()), want)


def add_no_tunnels(s):
    flow = Flow(sport=1080)
    for name, parts in {
            "bind": [GREETING, b"\x05\x02\x00\x01" + V4_TARGET + b"\x01\xbb"],
            "udp": [GREETING, b"\x05\x03\x00\x01" + bytes(6)],
            "gssapi": [b"\x05\x01\x01", b"\x01\x01\x00\x04abcd"],
            "bind4": [b"\x04\x02\x01\xbb" + V4_TARGET + b"\0"]}.items():
        s.add(f"no-tunnel-{name}", pcap(talk(flow, parts + [b"inside\n"] * 4)), [line(flow, reason="unknown")])
    s.add("tunnel-older", pcap(flow.data(socks5_name("inner.example"), client_hello("split.example"))),
          [line(flow, ["socks", "inner.example"], ["tls_sni", "split.example"])])


def add_quic(s, tool):
    def initial(name, cid=1, version="1", pad=0, part=(0, 9999), number=0):
        done = subprocess.run([tool, version, str(cid), name, str(pad), str(part[0]), str(part[1]), str(number)],
                              check=True, stdout=subprocess.PIPE, timeout=10)
        return bytes.fromhex(done.stdout.decode())

    def want(*names, **more):
        return [line(flow, *names, kind="quic_sni", **more)]

    versions = {"v1": "1", "v2": "0x6b3343cf", **{f"draft-{n}": hex(0xff000000 + n) for n in (23, 28, 29, 32, 33, 34)}}
    for v6 in (False, True):
        flow = Flow(v6, proto=17)
        answer = flow.udp(b"\xc3 answer", reply=True)
        for word, version in versions.items():
            s.add(f"quic-{word}-{'v6' if v6 else 'v4'}", pcap([flow.udp(initial("split.example", version=version)), answer]),
                  want("split.example", reason="clean"))
    halves = [flow.udp(initial("split.example", pad=1500, part=part, number=n)) for n, part in enumerate(((0, 700), (700, 9999)))]
    s.add("quic-halves", pcap([halves[0], answer, halves[1], answer]), want("split.example"))
    s.add("quic-halves-swapped", pcap([halves[1], answer, halves[0], answer]), want("split.example"))
    s.add("quic-half", pcap([halves[0], answer]), want())
    first, other = flow.udp(initial("first.example")), flow.udp(initial("split.example", cid=2))
    s.add("quic-two-ids", pcap([first, other, answer]), want("first.example", "split.example"))
    s.add("quic-contradiction", pcap([first, flow.udp(initial("split.example")), answer]),
          want("first.example", drop=True, reason="contradiction"))
    s.add("quic-retry", pcap([flow.udp(initial("split.example")), answer, other, answer]), want("split.example", "split.example"))
    s.add("quic-second-connection", pcap([first, answer, flow.udp(b"A" * 100), other]), want("first.example", "split.example"))
    s.add("quic-version-negotiation", pcap([flow.udp(initial("first.example", version="0x1a2a3a4a")), answer, other]),
          want("split.example"))
    s.add("quic-unreadable", pcap([flow.udp(initial("first.example", version="0x1a2a3a4a"))] * 20), want(reason="quic"))
    s.add("quic-no-initial", pcap([flow.udp(b"\x41" + bytes(range(60)))] * 5), want(reason="unknown"))


def main():
    samples = Samples()
    for add in (add_links, add_streams, add_checksums, add_ip, add_flows, add_http, add_mining, add_dialects, add_tunnels):
        add(samples)
    if len(sys.argv) > 2:
        add_quic(samples, sys.argv[2])
    samples.write(sys.argv[1])
    print(f"{len(samples.files)} samples in {sys.argv[1]}")


if __name__ == "__main__":
    main()
