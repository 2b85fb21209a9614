# SPDX-License-Identifier: GPL-2.0-or-later
"""Tricks with segments, decoys, connections and IP packets: what a miner with raw sockets can do below the bytes that he says.
TRICKS.md says in words what each one is and what must become of it; here is only how it is done."""

import struct

import run  # first: it loads the files of cases in their order
import wire
from cases_edges import (CLEAN_HEAD, CLEAN_HELLO, DEAD, HALF, ISS, LISTED_HELLO, LOGIN, POST, SEGMENT_END, SUBMIT, at, in_bytes,
                         in_fragments, in_pieces, insert, pause)
from wire import ACK, FIN, PSH, RST, SYN, URG


class Raw:
    """A script for raw_client.py. `complete`: the bytes that the server must lack (else all that are sent); `answered`: how the
    server's answer begins where nothing stops it; `lands`: without us the server gets the bytes; `families`: IP versions."""

    tool = "raw"

    def __init__(self, port, complete, steps, answered=b"", lands=True, families=(4, 6), target=None, first=None, last=None,
                 **more):
        self.port, self.complete, self.steps = port, complete, steps
        self.answered, self.lands, self.families, self.target = answered, lands, families, target or port
        self.first, self.last, self.more = first, last or {}, more

    def play(self, source, address, sport):
        common = {"src": source, "dst": address, "sport": sport, "dport": self.port, "wait_ms": 700}
        if self.first:
            parts = [{**common, "wait_ms": 150, **part} for part in self.first]
            return {"sequence": [*parts, {**common, "steps": self.steps, **self.more, **self.last}]}
        return {**common, "steps": self.steps, **self.more}


class Kernel:
    """A script for client.py, whose steps may depend on the address: `steps` is a list, or makes one of an address."""

    tool = "kernel"

    def __init__(self, port, complete, steps, answered=b"", lands=True, families=(4, 6), target=None, needs=None, **more):
        self.port, self.complete, self.steps = port, complete, steps
        self.answered, self.lands, self.families, self.target = answered, lands, families, target or port
        self.needs, self.more = needs, more

    def play(self, _source, address, _sport):
        steps = self.steps(address) if callable(self.steps) else self.steps
        return {"dst": address, "dport": self.port, "steps": steps, "wait_ms": 500, **self.more}


def say(data):
    return {"hex": data.hex()}


def sleep(ms):
    return {"sleep_ms": ms}


def talk(port, *parts, complete=None, gap_ms=0, **more):
    """The parts one after the other, each behind a pause if `gap_ms`."""
    steps = [s for part in parts for s in ((say(part), sleep(gap_ms)) if gap_ms else (say(part),))]
    return Kernel(port, complete or b"".join(parts), steps, **more)


K = LOGIN.index(b"login") + 3
GARBAGE = b"\1" * 20
JUMBO = b'{"id":1,"pad":"' + b"a" * 12000 + b'",' + LOGIN[8:]

SEGMENTS = {
    "segment-one-byte": Raw(3333, LOGIN, in_bytes(LOGIN, range(len(LOGIN)))),
    "segment-one-byte-hello": Raw(443, LISTED_HELLO, in_bytes(LISTED_HELLO, range(len(LISTED_HELLO))), answered=b"\x16"),
    "segment-two-halves": Raw(443, LISTED_HELLO, in_pieces(LISTED_HELLO, HALF), answered=b"\x16"),
    "segment-cut-in-method": Raw(3333, LOGIN, in_pieces(LOGIN, K)),
    "segment-reversed": Raw(3333, LOGIN, in_bytes(LOGIN, range(len(LOGIN) - 1, -1, -1))),
    "segment-out-of-order": Raw(3333, LOGIN, in_bytes(LOGIN, [*range(1, len(LOGIN), 2), *range(0, len(LOGIN), 2)])),
    "segment-overlap-first-wins": Raw(3333, LOGIN, [at(0, LOGIN[:60]), at(40, GARBAGE + LOGIN[60:])]),
    "segment-overlap-last-wins": Raw(3333, LOGIN, [at(60, GARBAGE + LOGIN[80:]), pause(), at(0, LOGIN[:80])]),
    "segment-contradiction": Raw(3333, LOGIN, [at(0, LOGIN[:K]), pause(), at(3, b"whatever"), pause(), at(K, LOGIN[K:])]),
    "segment-keep-alive-garbage": Raw(3333, LOGIN, [at(0, LOGIN[:K]), pause(), at(K - 1, b"X"), pause(), at(K, LOGIN[K:])]),
    "segment-each-twice": Raw(3333, LOGIN, [s for s in in_pieces(LOGIN, 1, 33, 70) for _ in (1, 2)]),
    "segment-tiny-window": Raw(443, LISTED_HELLO, [at(0, LISTED_HELLO, window=1)]),
    "segment-urgent-byte": Raw(3333, LOGIN, [at(0, insert(LOGIN, K), flags=PSH | ACK | URG, urgent=K + 1)]),
    "segment-urgent-announced": Raw(3333, LOGIN, [at(0, flags=ACK | URG, urgent=K + 1), pause(), at(0, insert(LOGIN, K))]),
    "segment-fin-with-the-last": Raw(3333, LOGIN, [at(0, LOGIN[:K]), at(K, LOGIN[K:], flags=FIN | PSH | ACK)]),
    "segment-no-push": Raw(3333, LOGIN, [at(0, LOGIN[:K], flags=ACK), at(K, LOGIN[K:], flags=ACK)]),
    "segment-slow-drip": Kernel(3333, LOGIN, [s for i in range(0, len(LOGIN), 6) for s in (say(LOGIN[i:i + 6]), sleep(160))]),
    "segment-jumbo": talk(3333, JUMBO),
    "half-close": Kernel(3333, LOGIN, [say(LOGIN[:K]), sleep(50), say(LOGIN[K:]), {"shut": True}]),
}

# Options of TCP: an MD5 signature (RFC 2385) that no one asked for; a time stamp (RFC 7323).
MD5 = b"\x13\x12" + bytes(16) + b"\1\1"


def stamp(value):
    return b"\1\1\x08\x0a" + struct.pack("!II", value, 0)


def decoy(*parts, real=LISTED_HELLO, port=443, **more):
    """The parts first, then what the server is to understand."""
    return Raw(port, real, [*parts, pause(), at(0, real)], **more)


DECOYS = {
    "decoy-low-ttl": decoy(at(0, CLEAN_HELLO, ttl=DEAD), answered=b"\x16"),
    "decoy-low-ttl-request": decoy(at(0, POST, ttl=DEAD), real=LOGIN, port=3333),
    "decoy-low-ttl-other-borders": Raw(443, LISTED_HELLO, [at(0, CLEAN_HELLO, ttl=DEAD), pause(),
                                                           *in_pieces(LISTED_HELLO, 5, 40, order=(2, 1, 0))]),
    "decoy-low-ttl-one-byte": Raw(3333, LOGIN, [at(0, LOGIN[:K]), at(K, b"X", ttl=DEAD), pause(), at(K, LOGIN[K:K + 1]),
                                                at(K + 1, LOGIN[K + 1:])]),
    "decoy-low-ttl-reset": Raw(3333, LOGIN, [at(0, LOGIN[:9]), at(9, flags=RST, ttl=DEAD), pause(), at(9, LOGIN[9:])]),
    "decoy-low-ttl-fin": Raw(3333, LOGIN, [at(0, LOGIN[:9]), at(9, b"z", flags=FIN | PSH | ACK, ttl=DEAD), pause(),
                                           at(9, LOGIN[9:])]),
    "decoy-reset-out-of-window": Raw(3333, LOGIN, [at(0, LOGIN[:9]), at(2000000, flags=RST), pause(), at(9, LOGIN[9:])]),
    "decoy-reset-bad-checksum": Raw(3333, LOGIN, [at(0, LOGIN[:9]), at(9, flags=RST, bad_checksum=True), pause(),
                                                  at(9, LOGIN[9:])]),
    "decoy-fin-bad-checksum": Raw(3333, LOGIN, [at(0, LOGIN[:9]), at(9, flags=FIN | ACK, bad_checksum=True), pause(),
                                                at(9, LOGIN[9:])]),
    "decoy-bad-checksum": decoy(at(0, CLEAN_HELLO, bad_checksum=True), answered=b"\x16"),
    "decoy-bad-checksum-request": decoy(at(0, CLEAN_HEAD, bad_checksum=True), real=LOGIN, port=3333),
    "decoy-md5-signature": decoy(at(0, CLEAN_HELLO, options=MD5.hex()), answered=b"\x16"),
    "decoy-old-time-stamp": Raw(443, LISTED_HELLO, [
        at(0, CLEAN_HELLO, options=stamp(1).hex()), pause(), at(0, LISTED_HELLO, options=stamp(1 << 30).hex())],
        answered=b"\x16", syn_options=stamp(1 << 30).hex()),
    "decoy-wrong-acknowledgement": decoy(at(0, CLEAN_HELLO, ack=1 << 24), answered=b"\x16"),
    "decoy-without-ack-flag": decoy(at(0, CLEAN_HELLO, flags=PSH), answered=b"\x16"),
    "decoy-old-sequence": decoy(at(-3000, CLEAN_HELLO), answered=b"\x16"),
    "decoy-old-adjacent-hello": decoy(at(-len(CLEAN_HELLO), CLEAN_HELLO), answered=b"\x16"),
    "decoy-old-adjacent-request": decoy(at(-len(POST), POST), real=LOGIN, port=3333),
    "decoy-old-adjacent-body": decoy(at(-len(POST) - 10, POST + b"x" * 10), real=LOGIN, port=3333),
    "decoy-old-overlapping": Raw(3333, LOGIN, [at(-5, b"X" * 5 + LOGIN)]),
    "decoy-above-the-window": decoy(at(1000000, CLEAN_HELLO), answered=b"\x16"),
    "decoy-far-ahead": decoy(at(20000, CLEAN_HELLO, ttl=DEAD), at(45000, CLEAN_HELLO, ttl=DEAD), answered=b"\x16"),
    "decoy-second-syn": Raw(443, LISTED_HELLO, [at(0, LISTED_HELLO)], before=[at(-9000, CLEAN_HELLO, flags=SYN, ttl=DEAD), pause()]),
}

def path(address, *words):
    return {"run": ["ip", "mptcp", "endpoint", *words, "id", "2" if ":" in address else "1"]}


def over_two_paths(address):
    """One half over each path: the first path calls itself a spare one before the second half (see evade.py for the paths)."""
    return [path(address, "change", "nobackup"), say(LOGIN[:K]), sleep(500), path(address, "change", "backup"), sleep(100),
            say(LOGIN[K:]), sleep(300), path(address, "change", "nobackup")]


MPTCP = {"kind": "mptcp", "needs": "/proc/sys/net/mptcp/enabled"}
CONNECTIONS = {
    "syn-data": Raw(443, LISTED_HELLO, [at(0, LISTED_HELLO)], syn_data=LISTED_HELLO.hex(), insist=True),
    "syn-data-decoy": Raw(3333, LOGIN, in_pieces(LOGIN, 50), syn_data=CLEAN_HELLO.hex()),
    "ignored-reset": Raw(9000, LOGIN, [at(0, LOGIN), pause(100), at(0, LOGIN), at(len(LOGIN), LOGIN), pause(300),
                                       at(0, LOGIN[:9]), at(9, LOGIN[9:]), at(len(LOGIN), SUBMIT)]),
    "ignored-reset-hello": Raw(9000, LISTED_HELLO, [at(0, LISTED_HELLO), pause(200), *in_pieces(LISTED_HELLO, 7), pause(200),
                                                    at(0, LISTED_HELLO)]),
    "reused-ports": Raw(9000, LOGIN, [at(0, LOGIN)], first=[{"steps": [at(0, CLEAN_HEAD), pause()]}]),
    "reused-ports-after-block": Raw(9000, LISTED_HELLO, [at(0, LISTED_HELLO)], first=[{"steps": [at(0, LISTED_HELLO), pause()]}]),
    "reused-ports-next-sequence": Raw(80, LOGIN, [at(0, LOGIN)], first=[{"iss": ISS, "steps": [at(0, POST), {"await": 1}]}],
                                      last={"iss": ISS + len(POST)}),
    "hello-then-login": Raw(9000, LOGIN, [at(0, CLEAN_HELLO), pause(), at(len(CLEAN_HELLO), LOGIN)]),
    "hello-then-listed-hello": Raw(9000, LISTED_HELLO, [at(0, CLEAN_HELLO), pause(), at(len(CLEAN_HELLO), LISTED_HELLO)]),
    "mptcp": talk(3335, LOGIN, **MPTCP),
    "mptcp-two-paths": Kernel(3335, LOGIN, over_two_paths, **MPTCP),
}

NOP4 = b"\1\1\1\0"
PAD_OPTION = b"\0\1\4" + bytes(4)       # an extension header of 8 bytes that holds one PadN
LONG_OPTION = b"\x01\x1e\x0c" + bytes(12)     # ... of 16 bytes, with an option that nobody knows and everybody may skip
HOP_BY_HOP, DESTINATION, ROUTING, FRAGMENT = 0, 60, 43, 44


def behind(*chain, data=LOGIN, port=3333):
    return Raw(port, data, [at(0, data, ext=[[number, body.hex()] for number, body in chain])], families=(6,))


def fragmented(*cuts, data=LOGIN, port=3333, **more):
    return Raw(port, data, in_fragments(data, *cuts), **more)


IP = {
    "ip4-options": Raw(3333, LOGIN, [at(0, LOGIN, ip_options=NOP4.hex())], families=(4,)),
    "ip4-record-route": Raw(443, LISTED_HELLO, [at(0, LISTED_HELLO, ip_options=(b"\x07\x0b\x04" + bytes(8) + b"\0").hex())],
                            families=(4,)),
    "ip6-hop-by-hop": behind((HOP_BY_HOP, PAD_OPTION)),
    "ip6-destination-options": behind((DESTINATION, PAD_OPTION)),
    "ip6-many-headers": behind((HOP_BY_HOP, PAD_OPTION), (DESTINATION, LONG_OPTION), (DESTINATION, PAD_OPTION),
                               (DESTINATION, LONG_OPTION)),
    "ip6-headers-hello": behind((HOP_BY_HOP, LONG_OPTION), (DESTINATION, LONG_OPTION), data=LISTED_HELLO, port=443),
    "ip6-atomic-fragment": behind((FRAGMENT, b"\0\0\0\0\0\0\x09")),
    "fragments": fragmented((0, 64), (64, SEGMENT_END)),
    "fragments-reversed": fragmented((120, SEGMENT_END), (24, 120), (0, 24), data=LISTED_HELLO, port=443),
    "fragments-of-8-bytes": fragmented(*((n, n + 8) for n in range(0, 20 + len(LOGIN), 8)), families=(4,)),
    "fragments-of-8-bytes-behind-the-header": fragmented((0, 24), *((n, n + 8) for n in range(24, 20 + len(LOGIN), 8))),
    "fragments-overlapping": fragmented((0, 80), (64, SEGMENT_END), lands=False),
    "fragments-contradicting": fragmented((0, 64), (64, 128, b"A" * 64), (64, SEGMENT_END), lands=False),
}

TRICKS = {**SEGMENTS, **DECOYS, **CONNECTIONS, **IP}
