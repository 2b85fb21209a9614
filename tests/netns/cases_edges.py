# SPDX-License-Identifier: GPL-2.0-or-later
"""Edges of a stream as a hostile client makes them, flows older than the daemon, and the gateway's own traffic.

The scripts for the raw client are a table; those of one set-up and IP version are played all at once, and each is one
case. The very same scripts run in monitor mode, where the server must get the bytes: so each attack is a real one."""

import json
import os
import random
import select
import subprocess
import time

import bed as beds
import wire
from bed import CLIENT, GATEWAY_OUT, STATES
from run import BLOCKED_ADDRESS, LISTED, UNLISTED, Skipped, families, need, ordinary, own, policy, until
from wire import ACK, FIN, PSH, RST, SYN, URG

DEAD = 2  # a TTL that dies one hop behind the gateway
LOGIN = wire.STRATUM["cryptonote"]
SUBMIT = b'{"id":4,"method":"mining.submit","params":["bed.1","1f","00000000","65a0c0de","1a2b3c4d"]}\n'
NOTIFY = (b'{"id":null,"method":"mining.notify","params":["1f","' + b"ab" * 32 + b'","01000000","ffffffff",["' + b"cd" * 32
          + b'"],"20000000","1903a30c","65a0c0de",true]}\n')
DIFFICULTY = b'{"id":null,"method":"mining.set_difficulty","params":[1024]}\n'
JOB = (b'{"jsonrpc":"2.0","method":"job","params":{"blob":"0e0e' + b"ab" * 74 + b'","job_id":"b1","target":"b88d0600",'
       b'"algo":"rx/0","height":3000000,"seed_hash":"' + b"cd" * 32 + b'"}}\n')
POST = b"POST /a HTTP/1.1\r\nHost: www.unlisted.example\r\nContent-Length: 100000\r\n\r\n"

LISTED_HELLO = wire.client_hello(LISTED)
CLEAN_HELLO = wire.client_hello(UNLISTED)
LISTED_HEAD = wire.http_get(LISTED)
CLEAN_HEAD = wire.http_get(UNLISTED)


def at(off, data=b"", **more):
    return {"off": off, "hex": data.hex(), **more}


def pause(ms=40):
    return {"sleep_ms": ms}


def in_pieces(data, *cuts, off=0, order=None):
    """The bytes as segments cut at these offsets, in this order."""
    borders = [0, *cuts, len(data)]
    parts = [at(off + a, data[a:b]) for a, b in zip(borders, borders[1:])]
    return [parts[n] for n in order] if order else parts


def in_bytes(data, order):
    return [at(n, data[n:n + 1]) for n in order]


def in_fragments(data, *cuts):
    """One segment whose IP packet comes in these fragments: (start, end) of it, or (start, end, other bytes)."""
    return [at(0, data, fragments=[[c[0], c[1], c[2].hex() if len(c) > 2 else None] for c in cuts])]


def keep_alive(heads):
    """Each head when the answer to the one before is there."""
    steps, off, answer = [], 0, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"
    for n, head in enumerate(heads):
        steps += [{"await": n * len(answer)}, at(off, head)]
        off += len(head)
    return steps


def around(data, inner):
    """A segment of which the server takes only the last bytes."""
    return [at(len(inner) - len(data), data)]


class Script:
    """`complete`: the bytes that the server must not get, or must where `passes`. `lands`: without us it would get them.
    `silent`: nothing of it has to end the connection, as what must be lost is lost in any case."""

    def __init__(self, port, complete, steps, passes=False, lands=True, silent=False, **more):
        self.port, self.complete, self.steps = port, complete, steps
        self.passes, self.lands, self.silent, self.more = passes, lands, silent, more

    def play(self, address, family, sport):
        common = {"src": CLIENT[family], "dst": address, "sport": sport, "dport": self.port, "wait_ms": 800}
        if "first" in self.more:
            parts = [{**common, **part, "wait_ms": 100} for part in self.more["first"]]
            return {"sequence": [*parts, {**common, "steps": self.steps, **self.more["last"]}]}
        return {**common, "steps": self.steps, **self.more}


def insert(data, k):
    return data[:k] + b"X" + data[k:]


def heads_until(n):
    return [CLEAN_HEAD] * (n - 1) + [LISTED_HEAD]


HALF = len(LISTED_HELLO) // 2
K = LOGIN.index(b"login") + 3
SEGMENT_END = 65535
ISS = 1 << 30

DATA_IN_SYN = {
    "syn-data/hello": Script(443, LISTED_HELLO, [at(0, LISTED_HELLO)], syn_data=LISTED_HELLO.hex(), insist=True),
    "syn-data/login": Script(3333, LOGIN, [at(0, LOGIN)], syn_data=LOGIN.hex(), insist=True),
    "syn-data/clean-then-listed": Script(443, LISTED_HELLO, [at(0, LISTED_HELLO)], syn_data=CLEAN_HELLO.hex()),
    "syn-data/clean-then-login": Script(3333, LOGIN, [at(0, LOGIN)], syn_data=CLEAN_HEAD.hex()),
    "syn-data/clean-then-login-in-two": Script(3333, LOGIN, in_pieces(LOGIN, 50), syn_data=CLEAN_HELLO.hex()),
    "syn-data/of-another-syn": Script(443, LISTED_HELLO, [at(0, LISTED_HELLO)],
                                      before=[at(-9000, CLEAN_HELLO, flags=SYN, ttl=DEAD), pause()]),
    "syn-data/clean": Script(443, CLEAN_HELLO, [at(0, CLEAN_HELLO)], syn_data=CLEAN_HELLO.hex(), passes=True),
}

DECOYS = {
    "decoy/low-ttl": Script(443, LISTED_HELLO, [at(0, CLEAN_HELLO, ttl=DEAD), pause(), at(0, LISTED_HELLO)]),
    "decoy/low-ttl-at-once": Script(443, LISTED_HELLO, [at(0, CLEAN_HELLO, ttl=DEAD), at(0, LISTED_HELLO)]),
    "decoy/low-ttl-head-login": Script(3333, LOGIN, [at(0, CLEAN_HEAD, ttl=DEAD), pause(), at(0, LOGIN)]),
    "decoy/low-ttl-post-login": Script(3333, LOGIN, [at(0, POST, ttl=DEAD), pause(), *in_pieces(LOGIN, 7)]),
    "decoy/low-ttl-other-borders": Script(443, LISTED_HELLO, [at(0, CLEAN_HELLO, ttl=DEAD), pause(),
                                                              *in_pieces(LISTED_HELLO, 5, 40)]),
    "decoy/low-ttl-other-borders-reversed": Script(443, LISTED_HELLO, [at(0, CLEAN_HELLO, ttl=DEAD), pause(),
                                                                       *in_pieces(LISTED_HELLO, 5, 40, order=(2, 1, 0))]),
    "decoy/low-ttl-longer": Script(443, LISTED_HELLO, [at(0, wire.client_hello(UNLISTED, 1500)[:1400], ttl=DEAD), pause(),
                                                       *in_pieces(LISTED_HELLO, HALF)]),
    "decoy/low-ttl-half": Script(443, LISTED_HELLO, [at(0, CLEAN_HELLO[:HALF], ttl=DEAD), pause(), at(0, LISTED_HELLO)]),
    "decoy/low-ttl-middle": Script(3333, LOGIN, [at(40, b"A" * 40, ttl=DEAD), pause(), at(0, LOGIN)]),
    "decoy/low-ttl-reset": Script(3333, LOGIN, [at(0, flags=RST, ttl=DEAD), pause(), at(0, LOGIN)]),
    "decoy/low-ttl-reset-in-two": Script(3333, LOGIN, [at(0, LOGIN[:9]), at(9, flags=RST, ttl=DEAD), pause(),
                                                       at(9, LOGIN[9:])]),
    "decoy/low-ttl-fin": Script(3333, LOGIN, [at(0, flags=FIN | ACK, ttl=DEAD), pause(), at(0, LOGIN)]),
    "decoy/low-ttl-fin-in-two": Script(3333, LOGIN, [at(0, LOGIN[:9]), at(9, b"z", flags=FIN | PSH | ACK, ttl=DEAD), pause(),
                                                     at(9, LOGIN[9:])]),
    "decoy/one-byte": Script(3333, LOGIN, [at(0, LOGIN[:K]), at(K, b"X", ttl=DEAD), pause(), at(K, LOGIN[K:K + 1]),
                                           at(K + 1, LOGIN[K + 1:])]),
    "decoy/one-zero-byte": Script(3333, LOGIN, [at(0, LOGIN[:K]), at(K, b"\0", ttl=DEAD), pause(), at(K, LOGIN[K:K + 1]),
                                                at(K + 1, LOGIN[K + 1:])]),
    "decoy/one-byte-afterwards": Script(3333, LOGIN, [at(0, LOGIN[:K + 1]), at(K, b"X", ttl=DEAD), pause(),
                                                      at(K + 1, LOGIN[K + 1:])]),
    "decoy/one-zero-byte-afterwards": Script(3333, LOGIN, [at(0, LOGIN[:K + 1]), at(K, b"\0", ttl=DEAD), pause(),
                                                           at(K + 1, LOGIN[K + 1:])]),
    "decoy/without-ack": Script(443, LISTED_HELLO, [at(0, CLEAN_HELLO, flags=PSH), pause(), at(0, LISTED_HELLO)]),
    "decoy/bad-checksum": Script(443, LISTED_HELLO, [at(0, CLEAN_HELLO, bad_checksum=True), pause(), at(0, LISTED_HELLO)]),
    "decoy/bad-checksum-login": Script(3333, LOGIN, [at(0, CLEAN_HEAD, bad_checksum=True), pause(), *in_pieces(LOGIN, 50)]),
    "decoy/bad-checksum-middle": Script(3333, LOGIN, [at(40, b"A" * 40, bad_checksum=True), pause(), at(0, LOGIN)]),
    "decoy/old": Script(443, LISTED_HELLO, [at(-3000, CLEAN_HELLO), pause(), at(0, LISTED_HELLO)]),
    "decoy/old-adjacent": Script(443, LISTED_HELLO, [at(-len(CLEAN_HELLO), CLEAN_HELLO), pause(), at(0, LISTED_HELLO)]),
    "decoy/old-adjacent-in-two": Script(443, LISTED_HELLO, [at(-len(CLEAN_HELLO), CLEAN_HELLO), pause(),
                                                            *in_pieces(LISTED_HELLO, HALF)]),
    "decoy/old-adjacent-reversed": Script(443, LISTED_HELLO, [at(-len(CLEAN_HELLO), CLEAN_HELLO), pause(),
                                                              *in_pieces(LISTED_HELLO, HALF, order=(1, 0))]),
    "decoy/old-post-login": Script(3333, LOGIN, [at(-len(POST), POST), pause(), at(0, LOGIN)]),
    "decoy/old-post-login-in-two": Script(3333, LOGIN, [at(-len(POST), POST), pause(), *in_pieces(LOGIN, K)]),
    "decoy/old-overlapping": Script(3333, LOGIN, [at(-5, b"X" * 5 + LOGIN)]),
    "decoy/old-overlapping-hello": Script(443, LISTED_HELLO, [at(-5, b"X" * 5 + LISTED_HELLO)]),
    "decoy/old-long-body-login": Script(3333, LOGIN, [at(-len(POST) - 3000, POST + b"x" * 1000), at(-2000, b"x" * 1000),
                                                      at(-1000, b"x" * 1000), pause(), *in_pieces(LOGIN, K)]),
    # One whole clean message, within which the server begins to read.
    "decoy/old-around-hello": Script(443, LISTED_HELLO, around(wire.client_hello(UNLISTED, inside=LISTED_HELLO), LISTED_HELLO)),
    "decoy/old-around-head": Script(80, LISTED_HEAD, around(wire.client_hello(UNLISTED, inside=LISTED_HEAD), LISTED_HEAD)),
    "decoy/old-around-login": Script(3333, LOGIN, around(wire.client_hello(UNLISTED, inside=LOGIN), LOGIN)),
    "decoy/old-head-around-head": Script(80, LISTED_HEAD, around(CLEAN_HEAD[:-2] + b"X: " + LISTED_HEAD, LISTED_HEAD)),
    "decoy/old-body-around-login": Script(3333, LOGIN, around(POST + b"body" + LOGIN, LOGIN)),
    "decoy/old-garbage-clean": Script(443, CLEAN_HELLO, [at(-9, b"whatever\n"), pause(), *in_pieces(CLEAN_HELLO, HALF)], passes=True),
    "decoy/old-login-clean": Script(443, CLEAN_HELLO, [at(-5, b"X" * 5 + CLEAN_HELLO)], passes=True),
    "decoy/old-garbage-login": Script(3333, LOGIN, [at(-9, b"whatever\n"), pause(), at(0, LOGIN)]),
    "decoy/old-garbage-login-in-two": Script(3333, LOGIN, [at(-9, b"whatever\n"), pause(), *in_pieces(LOGIN, K)]),
    "decoy/old-garbage-hello-in-two": Script(443, LISTED_HELLO, [at(-9, b"whatever\n"), pause(), *in_pieces(LISTED_HELLO, HALF)]),
    "decoy/far-below": Script(443, LISTED_HELLO, [at(-200000, CLEAN_HELLO), pause(), at(0, LISTED_HELLO)]),
    "decoy/above": Script(443, LISTED_HELLO, [at(20000, CLEAN_HELLO, ttl=DEAD), pause(), at(0, LISTED_HELLO)]),
    "decoy/twice-above": Script(443, LISTED_HELLO, [at(20000, CLEAN_HELLO, ttl=DEAD), at(45000, CLEAN_HELLO, ttl=DEAD),
                                                    pause(), at(0, LISTED_HELLO)]),
    "decoy/far-above": Script(443, LISTED_HELLO, [at(1000000, CLEAN_HELLO), pause(), at(0, LISTED_HELLO)]),
    "decoy/above-between-halves": Script(443, LISTED_HELLO, [
        at(0, LISTED_HELLO[:HALF]), at(20000, b"whatever", ttl=DEAD), at(45000, b"whatever", ttl=DEAD), pause(),
        at(HALF, LISTED_HELLO[HALF:])]),
    "decoy/hellos-above-between-halves": Script(443, LISTED_HELLO, [
        at(0, LISTED_HELLO[:HALF]), at(20000, CLEAN_HELLO[:99], ttl=DEAD), at(45000, CLEAN_HELLO[:99], ttl=DEAD), pause(),
        at(HALF, LISTED_HELLO[HALF:])]),
    "decoy/above-between-halves-login": Script(3333, LOGIN, [
        at(0, LOGIN[:K]), at(20000, b"whatever", ttl=DEAD), at(45000, b"whatever", ttl=DEAD), pause(), at(K, LOGIN[K:])]),
    "decoy/another-connection-before": Script(
        80, LOGIN, [at(0, LOGIN)], first=[{"iss": ISS, "steps": [at(0, POST), {"await": 1}]}],
        last={"iss": ISS + len(POST)}),
    "decoy/another-connection-before-silent": Script(
        443, LISTED_HELLO, [at(-200, b"X" * 200 + LISTED_HELLO)], first=[{"iss": ISS, "steps": []}], last={"iss": ISS + 200}),
}

SEGMENTS = {
    "segments/reversed-bytes": Script(3333, LOGIN, in_bytes(LOGIN, range(len(LOGIN) - 1, -1, -1))),
    "segments/odd-then-even-bytes": Script(3333, LOGIN, in_bytes(LOGIN, [*range(1, len(LOGIN), 2), *range(0, len(LOGIN), 2)])),
    "segments/overlapping-halves": Script(3333, LOGIN, [at(0, LOGIN[:60]), at(40, LOGIN[40:])]),
    "segments/overlapping-halves-reversed": Script(3333, LOGIN, [at(40, LOGIN[40:]), at(0, LOGIN[:60])]),
    "segments/each-twice": Script(3333, LOGIN, [s for s in in_pieces(LOGIN, 1, 33, 70) for _ in (1, 2)]),
    "segments/window-of-zero": Script(3333, LOGIN, [at(0, LOGIN[:33], window=0), at(33, LOGIN[33:], window=0)]),
    "segments/window-of-one": Script(443, LISTED_HELLO, [at(0, LISTED_HELLO, window=1)]),
    "segments/fin-with-the-last": Script(3333, LOGIN, [at(0, LOGIN[:K]), at(K, LOGIN[K:], flags=FIN | PSH | ACK)]),
    "segments/urgent-byte": Script(3333, LOGIN, [at(0, insert(LOGIN, K), flags=PSH | ACK | URG, urgent=K + 1)],
                                    silent=True),
    "segments/urgent-byte-hello": Script(443, LISTED_HELLO, [at(0, insert(LISTED_HELLO, HALF), flags=PSH | ACK | URG,
                                                                urgent=HALF + 1)], silent=True),
    "segments/urgent-byte-announced": Script(3333, LOGIN, [at(0, flags=ACK | URG, urgent=K + 1), pause(),
                                                           at(0, insert(LOGIN, K))], silent=True),
    "segments/urgent-byte-announced-by-data": Script(3333, LOGIN, [at(0, LOGIN[:4], flags=PSH | ACK | URG, urgent=K + 1),
                                                                   pause(), at(4, insert(LOGIN, K)[4:])], silent=True),
    "segments/in-order-halves": Script(443, CLEAN_HELLO, in_pieces(CLEAN_HELLO, HALF), passes=True),
    "segments/clean-reversed-bytes": Script(443, CLEAN_HELLO, in_bytes(CLEAN_HELLO, range(len(CLEAN_HELLO) - 1, -1, -1)),
                                            passes=True),
}

RETRANSMISSIONS = {
    "again/contradicting": Script(443, CLEAN_HELLO, [at(0, CLEAN_HELLO[:HALF]), pause(), at(20, b"\1" * 40), pause(),
                                                     at(HALF, CLEAN_HELLO[HALF:])]),
    "again/contradicting-login": Script(3333, LOGIN, [at(0, LOGIN[:K]), pause(), at(3, b"whatever"), pause(),
                                                      at(K, LOGIN[K:])]),
    "again/identical": Script(443, CLEAN_HELLO, [at(0, CLEAN_HELLO[:HALF]), pause(), at(0, CLEAN_HELLO[:HALF]), pause(),
                                                 at(9, CLEAN_HELLO[9:HALF + 9]), pause(), at(0, CLEAN_HELLO)], passes=True),
    "again/keep-alive": Script(443, CLEAN_HELLO, [at(0, CLEAN_HELLO[:HALF]), pause(), at(HALF - 1, b"\0"), pause(),
                                                  at(HALF - 1, CLEAN_HELLO[HALF - 1:HALF]), pause(), at(HALF - 1, b"\0"),
                                                  at(HALF, CLEAN_HELLO[HALF:])], passes=True),
    "again/keep-alive-afterwards": Script(9000, CLEAN_HELLO, [at(0, CLEAN_HELLO), pause(), at(len(CLEAN_HELLO) - 1, b"\0"),
                                                              pause(), at(len(CLEAN_HELLO) - 1, b"\0")], passes=True),
    "again/bad-checksum-contradiction": Script(443, CLEAN_HELLO, [
        at(0, CLEAN_HELLO[:HALF]), pause(), at(20, b"\1" * 40, bad_checksum=True), pause(), at(HALF, CLEAN_HELLO[HALF:])],
        passes=True),
    "again/ignored-reset": Script(9000, LOGIN, [at(0, LOGIN), pause(100), at(0, LOGIN), at(len(LOGIN), LOGIN), pause(300),
                                                at(0, LOGIN[:9]), at(9, LOGIN[9:]), at(len(LOGIN), SUBMIT)]),
}

PENDING = {
    "pending/hello": Script(9000, LISTED_HELLO, [at(0, CLEAN_HELLO), pause(), at(len(CLEAN_HELLO), LISTED_HELLO)]),
    "pending/hello-in-two": Script(9000, LISTED_HELLO, [at(0, CLEAN_HELLO), pause(),
                                                        *in_pieces(LISTED_HELLO, HALF, off=len(CLEAN_HELLO))]),
    "pending/head": Script(9000, LISTED_HEAD, [at(0, CLEAN_HEAD), pause(), at(len(CLEAN_HEAD), LISTED_HEAD)]),
    "pending/login-behind-hello": Script(9000, LOGIN, [at(0, CLEAN_HELLO), pause(), at(len(CLEAN_HELLO), LOGIN)]),
    "pending/login-behind-unknown": Script(9000, LOGIN, [at(0, b"one\n"), pause(), at(4, b"two\n"), pause(), at(8, LOGIN)]),
}

HEADS = {
    **{f"heads/listed-is-number-{n}": Script(80, LISTED_HEAD, keep_alive(heads_until(n))) for n in (2, 5, 16)},
    "heads/listed-is-number-5-in-two": Script(80, LISTED_HEAD, [
        *keep_alive([CLEAN_HEAD] * 4), pause(), *in_pieces(LISTED_HEAD, 25, off=4 * len(CLEAN_HEAD))]),
    "heads/pipelined": Script(80, LISTED_HEAD, [at(0, CLEAN_HEAD * 2 + LISTED_HEAD)]),
    "heads/pipelined-across-segments": Script(80, LISTED_HEAD, in_pieces(CLEAN_HEAD * 2 + LISTED_HEAD, 50, 2 * len(CLEAN_HEAD) + 30)),
    "heads/twenty-clean": Script(80, CLEAN_HEAD * 20, keep_alive([CLEAN_HEAD] * 20), passes=True),
    "heads/twelve-clean-pipelined": Script(80, CLEAN_HEAD * 12, [at(0, CLEAN_HEAD * 12)], passes=True),
}

OTHER = b"A" * 64
FRAGMENTS = {
    "fragments/login": Script(3333, LOGIN, in_fragments(LOGIN, (0, 64), (64, SEGMENT_END))),
    "fragments/login-reversed": Script(3333, LOGIN, in_fragments(LOGIN, (64, SEGMENT_END), (0, 64))),
    "fragments/hello": Script(443, LISTED_HELLO, in_fragments(LISTED_HELLO, (0, 24), (24, 120), (120, SEGMENT_END))),
    "fragments/hello-reversed": Script(443, LISTED_HELLO, in_fragments(LISTED_HELLO, (120, SEGMENT_END), (24, 120), (0, 24))),
    "fragments/overlapping": Script(3333, LOGIN, in_fragments(LOGIN, (0, 80), (64, SEGMENT_END)), lands=False, silent=True),
    "fragments/overlapping-with-others": Script(3333, LOGIN, in_fragments(LOGIN, (0, 64), (64, 128, OTHER), (64, SEGMENT_END)),
                                                lands=False, silent=True),
    "fragments/overlapping-reversed": Script(3333, LOGIN, in_fragments(LOGIN, (64, SEGMENT_END), (64, 128, OTHER), (0, 64)),
                                             lands=False, silent=True),
    "fragments/clean": Script(443, CLEAN_HELLO, in_fragments(CLEAN_HELLO, (0, 64), (64, SEGMENT_END)), passes=True),
    "fragments/clean-reversed": Script(443, CLEAN_HELLO, in_fragments(CLEAN_HELLO, (64, SEGMENT_END), (0, 64)), passes=True),
}

SCRIPTS = {**DATA_IN_SYN, **DECOYS, **SEGMENTS, **RETRANSMISSIONS, **PENDING, **HEADS, **FRAGMENTS}


class Played:
    """All scripts of one set-up and IP version, played at once when the first of them is asked for."""

    key, answers, addresses = None, {}, {}

    @classmethod
    def of(cls, t, name):
        key = (t.daemon, t.family)
        if cls.key != key:
            cls.addresses = {n: t.fresh() for n in SCRIPTS}
            scripts = [s.play(cls.addresses[n], t.family, 61400 + k) for k, (n, s) in enumerate(SCRIPTS.items())]
            cls.answers = dict(zip(SCRIPTS, t.bed.raw(scripts, timeout=60)))
            cls.key = key
            time.sleep(0.1)
        return cls.addresses[name], cls.answers[name]


def judge_script(t, name):
    script = SCRIPTS[name]
    address, got = Played.of(t, name)
    need("error" not in got, f"the client could not send: {got}")
    arrived = t.log.bytes(address, script.port)
    if script.passes or (not t.enforce and script.lands):
        need(until(lambda: script.complete in t.log.bytes(address, script.port), 1),
             f"the server got {len(arrived)} bytes, not the {len(script.complete)} whole; reset: {got['reset']}")
        need(not got["reset"], "the client was reset")
    elif t.enforce:
        need(script.complete not in arrived, f"the server got all {len(script.complete)} bytes; reset: {got['reset']}")
        need(script.silent or got["reset"], f"the server got {len(arrived)} bytes, but the client saw no reset")


for script_name in SCRIPTS:
    ordinary(f"edge/{script_name}")(lambda t, n=script_name: judge_script(t, n))


@ordinary("edge/nothing-queued-after-the-answer")
def nothing_after_answer(t):
    """A clean flow queues until the server has spoken, and not one packet more."""
    body = [at(len(POST) + n * 1000, b"x" * 1000) for n in range(20)]
    before = t.kernel.queued()
    address = t.fresh()
    got = t.raw(address, 80, [at(0, POST), {"await": 1}, pause(), body[0], pause(), *body[1:]], wait_ms=100)
    need(got["received"] and not got["reset"], "the server did not answer")
    need(until(lambda: len(t.log.bytes(address, 80)) == len(POST) + 20000), "the server did not get the body")
    queued = t.kernel.queued() - before
    need(queued <= 2, f"{queued} packets were queued: the head, and the body's first one at most")


@ordinary("edge/budget-ends-queueing")
def budget_ends(t):
    """A server that never answers does not keep a long upload in the queue."""
    before = t.kernel.queued()
    address = t.fresh()
    body = [at(len(POST) + n * 1000, b"x" * 1000) for n in range(40)]
    t.raw(address, 9000, [at(0, POST), *body[:18], pause(), *body[18:]], wait_ms=100)
    need(until(lambda: len(t.log.bytes(address, 9000)) == len(POST) + 40000), "the server did not get the body")
    queued = t.kernel.queued() - before
    need(queued <= 20, f"{queued} packets of 41 were queued")


@ordinary("edge/pending-queues-until-the-answer", modes=("enforce",))
def pending_queues(t):
    before = t.kernel.queued()
    address, off = t.fresh(), len(CLEAN_HELLO)
    t.raw(address, 9000, [at(0, CLEAN_HELLO), pause(), at(off, b"x" * 50), pause(), at(off + 50, b"y" * 50)], wait_ms=50)
    queued = t.kernel.queued() - before
    need(queued == 3, f"{queued} packets were queued of a flow that the server never answered, not 3")


UDP_TWICE = """
import socket, sys, time
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect((sys.argv[1], 5300))
for n in range(3):
    try:
        s.send(b"hello")
        print(s.recv(100).decode())
    except ConnectionRefusedError:
        print("unreachable")
    except TimeoutError:
        print("silence")
"""


@ordinary("edge/first-udp-packet")
def first_udp(t):
    t.number += 1
    address = BLOCKED_ADDRESS[t.family].format(t.number)
    said = t.bed.client.run(*beds.PYTHON, "-c", UDP_TWICE, address).stdout.split()
    if not t.enforce:
        need(said == ["hello"] * 3, f"monitor mode: the packets ended as {said}")
        return
    need(said == ["unreachable"] * 3, f"the packets ended as {said}, not by an ICMP port unreachable each")
    t.server_got_nothing(address, 5300)
    need(not t.log.packets(address, 5300), "a packet was on the server's wire")


# -- ordinary sockets on strings ------------------------------------------------------------------

class Puppet:
    """puppet.py in a namespace: each call is one order, and gives its answer."""

    def __init__(self, namespace):
        self.process = namespace.start(*beds.PYTHON, os.path.join(beds.HERE, "puppet.py"), stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, bufsize=1)

    def order(self, **words):
        self.process.stdin.write(json.dumps(words) + "\n")
        if not select.select([self.process.stdout], [], [], 20)[0]:
            raise beds.BedError(f"the puppet does not answer to {words}")
        answer = json.loads(self.process.stdout.readline())
        if not answer["ok"]:
            raise beds.BedError(f"the puppet: {words}: {answer['error']}")
        return answer

    def open(self, name, address, port, mark=0):
        return self.order(open=name, to=[address, port], mark=mark)

    def send(self, name, data):
        return self.order(send=name, hex=data.hex())

    def read(self, name, count=1 << 40, wait=0.5):
        return self.order(read=name, bytes=count, wait=wait)

    def close(self):
        """Its kernel closes the connections; all is over before the next case."""
        self.process.kill()
        self.process.wait(5)


def with_puppet(function):
    """The case gets a puppet in the client's namespace as its second argument."""
    def case(t, *arguments):
        puppet = Puppet(t.bed.client)
        try:
            return function(t, puppet, *arguments)
        finally:
            puppet.close()
    return case


def state_of(t, address, port, sport=None):
    """State of the flow there (from this port), "gone" without one."""
    flows = [f for f in t.kernel.flows(t.family, address, port) if sport in (None, f["sport"])]
    return STATES[flows[0]["state"]] if flows else "gone"


def forget_flow(t, address):
    """Takes the flow's entry out of conntrack."""
    t.bed.gateway.run("conntrack", "-D", "-f", f"ipv{t.family}", "-d", address)
    need(not t.kernel.flows(t.family, address), "conntrack still has the flow")


@own("edge/picked-up-in-the-middle")
@with_puppet
def picked_up(t, puppet):
    """conntrack forgets a clean flow, one in the middle of a login, and one that was clean before it mines."""
    t.daemon = t.make(policy()).start()
    for family in families(t):
        clean, half = t.fresh(), t.fresh()
        puppet.open("clean", clean, 9100)
        puppet.send("clean", b"say 0 6f6b\n")
        need(puppet.read("clean", 2)["received"] == 2, f"IPv{family}: no answer")
        forget_flow(t, clean)
        for n in range(20):
            puppet.send("clean", b"say 0 6f6b\n")
            got = puppet.read("clean", 4 + 2 * n, 3)
            need(got["received"] == 4 + 2 * n, f"IPv{family}: after {n} lines the clean flow ended: {got['ended']}")
        need(state_of(t, clean, 9100) == "pass", f"IPv{family}: the clean flow's state is {state_of(t, clean, 9100)}")
        puppet.open("half", half, 3333)
        puppet.send("half", LOGIN[:K])
        need(until(lambda: t.log.bytes(half, 3333) == LOGIN[:K]), f"IPv{family}: the first half did not arrive")
        forget_flow(t, half)
        puppet.send("half", LOGIN[K:])
        need(puppet.read("half")["ended"] == "reset", f"IPv{family}: the second half of a login was not answered by a reset")
        need(LOGIN not in t.log.bytes(half, 3333), f"IPv{family}: the server got the login")


HELPED = """
table inet bed_helped {
	ct helper ftp { type "ftp" protocol tcp; }
	chain forward {
		type filter hook forward priority filter - 5; policy accept;
		tcp dport 9100 ct helper set "ftp"
	}
}
"""


def ftp_passive(address):
    """The answer to EPSV, which names the port alone (RFC 2428), or to PASV (RFC 959)."""
    if ":" in address:
        return b"229 Passive (|||3333|)\r\n"
    return b"227 Passive (%s,%d,%d)\r\n" % (address.replace(".", ",").encode(), 3333 >> 8, 3333 & 255)


@own("edge/expected-connection")
@with_puppet
def expected(t, puppet):
    """conntrack gives a connection that another one's helper expects the connmark of that other one, which was let go: by the admin's
    helper, or by the one that `guard_offload` gives each flow. It is judged as any other."""
    sane = bytes(6) + (3333).to_bytes(2, "big")     # success, and a port
    for guarded in (False, True):
        t.daemon = t.make(policy(more="guard_offload: true" if guarded else "")).start()
        t.bed.gateway.nft("delete table inet bed_helped" if guarded else HELPED)
        for family in families(t):
            address = t.fresh()
            answer = sane if guarded else ftp_passive(address)
            puppet.open("first", address, 9100)
            puppet.send("first", CLEAN_HELLO + b"\nsay 0 0d0a\n")
            need(puppet.read("first", 2)["received"] == 2, f"IPv{family}: no answer")
            need(state_of(t, address, 9100) == "pass", f"IPv{family}: its state is {state_of(t, address, 9100)}")
            if guarded:
                puppet.send("first", bytes.fromhex("0000000700000000"))     # START
                need(until(lambda a=address: t.log.bytes(a, 9100).endswith(bytes(4))), "START did not arrive")
            puppet.send("first", b"\nsay 0 " + answer.hex().encode() + b"\n")
            need(puppet.read("first", 2 + len(answer), 1)["received"] == 2 + len(answer), f"IPv{family}: no second answer")
            if f"dst={address} " not in t.bed.gateway.run("conntrack", "-L", "expect", "-f", f"ipv{family}", check=False).stdout:
                raise Skipped("this kernel has not the helper")
            got = t.bed.send(address, 3333, "stratum-v1", wait=1)
            need(got["ended"] == "reset", f"IPv{family}: mining on a connection that was expected ended by {got['ended']}")
            need(not t.log.bytes(address, 3333), f"IPv{family}: the server got {t.log.bytes(address, 3333)[:40]}")
            need(puppet.read("first")["ended"] is None, f"IPv{family}: the connection that announced it was ended, too")
        t.daemon.stop()


FLOW_ONLY = "detect: {stratum: {action: block, scope: flow}}"


@own("edge/starts-are-forgotten")
def starts_forgotten(t):
    """Where a flow began is known while it is undecided, and not for long behind its end, judged clean or not."""
    t.daemon = t.make(policy()).start()

    def known(address):
        return [line for kind in (4, 6) for line in t.bed.gateway.run("nft", "list", "map", "inet", "minewall", f"starts{kind}").stdout.split(",")
                if address in line]

    for family in families(t):
        open_one, ended = t.fresh(), t.fresh()
        client = t.bed.client.start(*beds.PYTHON, "-c", f"import socket, sys\ns = socket.create_connection(('{open_one}', 80))\n"
                                    "print('open', flush=True)\nsys.stdin.read()", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            need(client.stdout.readline() and until(lambda a=open_one: known(a), 2), f"IPv{family}: the start of an open flow is not known")
            got = t.bed.curl(ended, 80, UNLISTED, "http")
            need(got["code"] == 200, f"IPv{family}: {got['why']}")
            need(until(lambda a=ended: not known(a), 2), f"IPv{family}: the start of a flow that has ended is still there")
            need(known(open_one), f"IPv{family}: the start of an open flow is forgotten")
        finally:
            client.kill()
            client.communicate()


@own("edge/ignored-reset", "conntrack", "forgotten")
def ignored_reset(t, how):
    """Scope flow, so that no endpoint helps: the client goes on as if there had been no reset."""
    t.daemon = t.make(policy(more=FLOW_ONLY)).start()
    for family in families(t):
        address, iss = t.fresh(), random.randrange(1 << 30)
        t.sport += 1
        script = {"src": CLIENT[family], "dst": address, "sport": t.sport, "dport": 9000, "iss": iss}
        first = t.bed.raw({**script, "steps": [at(0, LOGIN), pause(60), at(0, LOGIN), at(len(LOGIN), SUBMIT)], "wait_ms": 50})
        need(first["reset"], f"IPv{family}: no reset")
        need(not t.kernel.elements("endpoints4", "endpoints6", "pairs4", "pairs6", address=address), "scope flow taught the kernel")
        if how == "forgotten":
            t.bed.gateway.run("conntrack", "-D", "-f", f"ipv{family}", "-d", address, check=False)
        # Without a handshake: bytes that a client which never heard of the reset would send next.
        again = [step for n in range(5) for step in (at(0, LOGIN), at(len(LOGIN), b"whatever\n" * n + b"!"), pause(20))]
        t.bed.raw({**script, "before": again, "steps": [], "wait_ms": 50})
        time.sleep(0.05)
        need(not t.log.bytes(address, 9000), f"IPv{family}: the server got {t.log.bytes(address, 9000)[:60]!r}")
        need(not t.log.packets(address, 9000), f"IPv{family}: payload on the server's wire: {t.log.packets(address, 9000)[:2]}")


@own("edge/checksums-not-verified-by-the-kernel", "1", "2")
def checksum_off(t, queues):
    """net.netfilter.nf_conntrack_checksum=0: what has a bad checksum comes as far as the daemon."""
    t.bed.gateway.run("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0")
    try:
        t.daemon = t.make(policy(queues=int(queues))).start()
        for family in families(t):
            names = [n for n in SCRIPTS if "bad-checksum" in n]
            addresses = [t.fresh() for _ in names]
            answers = t.bed.raw([SCRIPTS[n].play(a, family, 61300 + k) for k, (n, a) in enumerate(zip(names, addresses))])
            time.sleep(0.05)
            for name, address, got in zip(names, addresses, answers):
                arrived = SCRIPTS[name].complete in t.log.bytes(address, SCRIPTS[name].port)
                need(arrived == SCRIPTS[name].passes, f"IPv{family} {name}: the server got the bytes: {arrived}")
                need(got["reset"] != SCRIPTS[name].passes, f"IPv{family} {name}: reset: {got['reset']}")
    finally:
        t.bed.gateway.run("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=1")


# -- flows older than the daemon ------------------------------------------------------------------

MINING = {  # name -> who speaks, bytes
    "submit": ("client", SUBMIT), "login": ("client", LOGIN), "notify": ("server", NOTIFY),
    "set_difficulty": ("server", DIFFICULTY), "job": ("server", JOB),
}


def forget_all(t):
    t.bed.gateway.run("conntrack", "-F", check=False)


@own("older/mining", "conntrack", "flushed")
@with_puppet
def older_mining(t, puppet, how):
    """Connections made before the daemon: whoever speaks of mining first, both ends get a reset."""
    where = {}
    for family in families(t):
        for what, (who, data) in MINING.items():
            name, address = f"{what}/v{family}", t.fresh()
            where[name] = address
            puppet.open(name, address, 9100)
            puppet.send(name, b"say 1500 %s\nsay 2500 6f6b\n" % (data if who == "server" else b"ok").hex().encode())
    if how == "flushed":
        forget_all(t)
    t.daemon = t.make(policy()).start()
    for name, address in where.items():
        who, data = MINING[name.split("/")[0]]
        if who == "client":
            puppet.send(name, data)
        elif how == "flushed":
            puppet.send(name, b"?")  # with the entry gone the way back must be opened from inside
    deadline = time.monotonic() + 3.2
    for name, address in where.items():
        who, data = MINING[name.split("/")[0]]
        got = puppet.read(name, wait=max(0.05, deadline - time.monotonic()))
        if who == "server" and not got["ended"]:
            puppet.send(name, b"?")  # the client's reset comes at its next packet
            got = puppet.read(name, wait=0.3)
        need(got["ended"] == "reset", f"{name}: the client's connection: {got['ended']}")
        need(data.hex()[-64:] not in got["tail"], f"{name}: the client got the bytes")
        need(data not in t.log.bytes(address, 9100), f"{name}: the server got the bytes")
        events = until(lambda: [e for e in t.daemon.events(address, 9100) if e.get("src_port")])  # not the kernel's attempts
        need(len(events) == 1, f"{name}: {len(events)} events")
        if who == "client" and how == "flushed":
            continue  # its first packet died, so conntrack never knew the flow and masquerade has no way back
        ended = until(lambda: t.log.connections(address, 9100)[-1]["ended"], 3)  # at its next packet
        need(ended == "reset", f"{name}: the server's connection: {ended}")


BENIGN = {  # name -> what the client sends, what the server says
    "tls-data": (b"\x17\x03\x03\x01\x00" + os.urandom(256), b"\x17\x03\x03\x01\x00" + os.urandom(256)),
    "ssh-like": (os.urandom(84), os.urandom(92)),
    "text": (b"PRIVMSG #bed :hello there\r\n", b":server PONG bed\r\n"),
}


@own("older/benign", "conntrack", "flushed")
@with_puppet
def older_benign(t, puppet, how):
    where, got = {}, {}
    for family in families(t):
        for what in BENIGN:
            name = f"{what}/v{family}"
            where[name] = t.fresh()
            puppet.open(name, where[name], 9100)
            puppet.send(name, b"say 0 6f6b\n")
            puppet.read(name, 2)
    if how == "flushed":
        forget_all(t)
    t.daemon = t.make(policy()).start()
    before = t.kernel.queued()
    for name, address in where.items():
        mine, yours = BENIGN[name.split("/")[0]]
        for n in range(10):
            puppet.send(name, mine + b"\nsay 0 %s\n" % yours.hex().encode())
            got = puppet.read(name, 2 + len(yours) * (n + 1), 3)
            need(got["received"] == 2 + len(yours) * (n + 1), f"{name}: after {n} rounds: {got}")
        t.family = int(name[-1])
        need(state_of(t, address, 9100) == "pass", f"{name}: its state is {state_of(t, address, 9100)} after 20 packets")
        need(not t.daemon.events(address), f"{name}: an event")
        queued, before = t.kernel.queued() - before, t.kernel.queued()
        need(queued <= 17, f"{name}: {queued} packets were queued, more than 16 and the last")


DOWNLOAD = 24 << 20


@own("older/download", "gso", "no-gso")
@with_puppet
def older_download(t, puppet, how):
    """A long download that began before the daemon: the second half takes no longer than the first."""
    t.bed.set_gso(how == "gso")
    try:
        for family in families(t):
            address = t.fresh()
            puppet.open(str(family), address, 9100)
            puppet.send(str(family), b"fill %d\n" % DOWNLOAD)
            begin = time.monotonic()
            puppet.read(str(family), DOWNLOAD, 20)
            alone = time.monotonic() - begin
            t.daemon = t.make(policy()).start()
            puppet.send(str(family), b"fill %d\n" % DOWNLOAD)
            begin = time.monotonic()
            got = puppet.read(str(family), 2 * DOWNLOAD, 20)
            judged = time.monotonic() - begin
            need(got["received"] == 2 * DOWNLOAD, f"IPv{family}: {got['received']} bytes came, then {got['ended']}")
            need(judged < 2 * alone + 0.5, f"IPv{family}: {judged:.2f} s with the daemon, {alone:.2f} s without")
            need(state_of(t, address, 9100) == "pass", f"IPv{family}: its state is {state_of(t, address, 9100)}")
            queued = t.kernel.queued()
            # A window full of packets is on its way when the first verdict is given.
            need(queued <= (100 if how == "gso" else 4000), f"IPv{family}: {queued} packets were queued")
            t.daemon.stop()
    finally:
        t.bed.set_gso(True)


@own("older/start-ends-flows", "policy", "adopted", "adopted-pair", "restored", "restored-pair")
@with_puppet
def start_ends(t, puppet, how):
    """A silent flow to what is blocked, older than the daemon: marked right after the start, while it is still silent; then its
    next packet ends it, and no byte more arrives. A flow to another port of the same address goes on."""
    where, sport = {}, {}
    if how != "policy":
        t.daemon = t.make(policy(), "before").start()
    for family in families(t):
        t.number += 1
        address = where[family] = BLOCKED_ADDRESS[family].format(t.number) if how == "policy" else t.fresh()
        sport[family] = puppet.open(str(family), address, 9100)["source"][1]
        puppet.send(str(family), b"say 0 6f6b\n")
        need(puppet.read(str(family), 2)["received"] == 2, f"IPv{family}: no connection before")
        if how != "policy":
            puppet.open(f"other/{family}", address, 9101)
            t.bed.send(address, 9100, LISTED_HEAD.hex() if "pair" in how else LOGIN.hex())
            need(until(lambda: t.kernel.elements(address=address)), f"IPv{family}: nothing was taught")
    if how.startswith("adopted"):
        t.daemon.process.kill()
        t.daemon.process.wait(5)
        t.daemon.start()
    elif how.startswith("restored"):
        need(t.daemon.verb("stop").returncode == 0 and until(lambda: t.daemon.process.poll() is not None, 5), "it does not stop")
        t.daemon.start()
    else:
        t.daemon = t.make(policy()).start()
    for t.family, address in where.items():
        need(until(lambda: state_of(t, address, 9100, sport[t.family]) == "blocked", 0.2), f"IPv{t.family}: right after the start the flow's state is {state_of(t, address, 9100, sport[t.family])}")
        if how != "policy":
            puppet.send(f"other/{t.family}", b"say 0 6f6b\n")
            got = puppet.read(f"other/{t.family}", 2, 1)
            need(got["received"] == 2, f"IPv{t.family}: a flow to another port: {got}")
        before = t.log.bytes(address, 9100)
        puppet.send(str(t.family), b"say 0 6f6b\n")
        got = puppet.read(str(t.family), 3, 1)
        need(got["ended"] == "reset" and got["received"] == 2, f"IPv{t.family}: the client's connection: {got}")
        need(t.log.bytes(address, 9100) == before, f"IPv{t.family}: bytes still arrived at the server")


# -- the gateway's own traffic under routing by mark ----------------------------------------------

SECOND_GATEWAY = {4: "100.64.3.1", 6: "2001:db8:3::1"}
SECOND_SERVER = {4: "100.64.3.2", 6: "2001:db8:3::2"}
VPN_MARK = 0xCA6C
# Every packet of ours to the server's range, by the way that it leaves and by its whole mark.
WITNESS = """
table inet bed_way {
	counter tunnel_bare { }
	counter tunnel_other { }
	counter plain_marked { }
	counter plain_other { }
	chain ways {
		oifname "g2" meta mark 0 counter name tunnel_bare accept
		oifname "g2" counter name tunnel_other accept
		oifname "g1" meta mark 0xca6c counter name plain_marked accept
		oifname "g1" counter name plain_other accept
	}
	chain post {
		type filter hook postrouting priority 300; policy accept;
		ip daddr 100.65.0.0/16 jump ways
		ip6 daddr 2001:db8:65::/64 jump ways
	}
}
"""
WAYS = ("tunnel_bare", "tunnel_other", "plain_marked", "plain_other")


def ways(t):
    return {name: t.kernel.counter("bed_way", name) for name in WAYS}


def second_path(t):
    """A second wire to the server, which everything without the VPN's own mark takes, as wg-quick arranges it."""
    g, s = t.bed.gateway, t.bed.server
    beds.command("ip", "link", "add", "s2", "netns", s.name, "type", "veth", "peer", "name", "g2", "netns", g.name)
    for namespace, device, address in ((g, "g2", SECOND_GATEWAY), (s, "s2", SECOND_SERVER)):
        namespace.ip("addr", "add", address[4] + "/24", "dev", device)
        namespace.ip("addr", "add", address[6] + "/64", "dev", device, "nodad")
        namespace.ip("link", "set", device, "up")
    for v in (4, 6):
        g.ip(f"-{v}", "route", "add", "default", "via", SECOND_SERVER[v], "table", "51820")
        g.ip(f"-{v}", "rule", "add", "not", "fwmark", hex(VPN_MARK), "table", "51820", "priority", "778")
    g.nft(WITNESS)


def end_second_path(t):
    g = t.bed.gateway
    for v in (4, 6):
        g.run("ip", f"-{v}", "rule", "del", "priority", "778", check=False)
    g.run("ip", "link", "del", "g2", check=False)
    g.run("nft", "delete", "table", "inet", "bed_way", check=False)


def own_connection(t, mark):
    """One clean and two mining connections of the gateway itself; their ways and marks."""
    what, way = f"IPv{t.family}, mark {mark:#x}", "plain_marked" if mark else "tunnel_bare"
    before, address = ways(t), t.fresh()
    got = t.bed.send(address, 443, CLEAN_HELLO.hex(), "--linger", "0.1", "--mark", hex(mark), where=t.bed.gateway)
    need(got["ended"] == "done" and got["received"], f"{what}: a clean connection ended as {got['ended']}")
    expected = GATEWAY_OUT if mark else SECOND_GATEWAY
    need(got["source"][0] == expected[t.family], f"{what}: it left from {got['source'][0]}")
    need(state_of(t, address, 443) == "pass", f"{what}: its state is {state_of(t, address, 443)}")
    for data, port in ((LOGIN, 3333), (LISTED_HELLO, 443)):
        address = t.fresh()
        got = t.bed.send(address, port, data.hex(), "--mark", hex(mark), where=t.bed.gateway)
        need(got["ended"] == "reset", f"{what}: a mining connection to port {port} ended as {got['ended']}")
        time.sleep(0.05)
        t.server_got_nothing(address, port)
    moved = {name: count - before[name] for name, count in ways(t).items() if count != before[name]}
    need(set(moved) == {way} and moved[way] > 8, f"{what}: packets left as {moved}")


@own("own/vpn-routing", "1", "2")
def vpn_routing(t, queues):
    second_path(t)
    try:
        t.daemon = t.make(policy(queues=int(queues))).start()
        for family in families(t):
            for mark in (0, VPN_MARK):
                own_connection(t, mark)
    finally:
        end_second_path(t)
