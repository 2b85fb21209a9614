#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The network namespace tests: the real daemon between real clients and servers. What a case asserts is what the
client saw, what the server's own log and wire hold, and what the kernel says; the daemon's words come last.

usage: run.py [--only PATTERN]... [--list] [--log FILE] [build/minewall]"""

import argparse
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.modules["run"] = sys.modules[__name__]  # for the files of cases, which register here
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bed as beds
import wire
from bed import CLIENT, EXEMPT, FOREIGN_MARK, GATEWAY_OUT, STATES

RESET_MS = 50 * beds.SLOW
CASE_SECONDS = int(90 * beds.SLOW)

LISTED = "pool.listed.example"
BELOW = "eu.pool.listed.example"
ALLOWED = "good.pool.listed.example"
FROM_LIST = "miner.from-list.example"
UNLISTED = "www.unlisted.example"

POLICY = """\
version: 1
mode: {mode}
hook: {hook}
fail: {fail}
queues: {{first: 10, count: {queues}, length: 4096}}
{more}
block:
  names: [{listed}, "*.wild.example"]
  addresses: ["100.65.250.0/24", "2001:db8:65:0:ba::/80"]
  reset: {reset}
lists:
  - {{name: bedlist, file: miners.txt, format: hosts, category: pool}}
allow:
  names: [{allowed}]
  hosts: [198.18.1.9, "2001:db8:1::9"]
  addresses: ["100.65.251.0/24", "2001:db8:65:0:a1::/80"]
control: control.sock
log: {{file: eve.json}}
"""
BLOCKED_ADDRESS = {4: "100.65.250.{}", 6: "2001:db8:65:0:ba::{}"}
ALLOWED_ADDRESS = {4: "100.65.251.{}", 6: "2001:db8:65:0:a1::{}"}


class Failed(Exception):
    pass


class TooSlow(Failed):
    """A time that another process on a busy machine may have stolen: the case is measured again."""


class Skipped(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Failed(text)


def in_time(ms):
    if ms >= RESET_MS:
        raise TooSlow(f"reset after {ms:.0f} ms, not within {RESET_MS}")


def policy(mode="enforce", queues=1, fail="open", hook="both", reset="true", more=""):
    return POLICY.format(mode=mode, queues=queues, fail=fail, hook=hook, reset=reset, more=more, listed=LISTED,
                         allowed=ALLOWED)


def until(question, seconds=2.0):
    """Asks again until the answer is true, at most so long; returns the last answer."""
    deadline = time.monotonic() + seconds * beds.SLOW
    while True:
        answer = question()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.02)


class Context:
    """What a case has to work with: the bed, the daemon of its set-up and the IP version."""

    def __init__(self, bed, binary):
        self.bed = bed
        self.binary = binary
        self.kernel = bed.kernel
        self.log = bed.log
        self.daemon = None
        self.family = 4
        self.enforce = True
        self.number = 0
        self.sport = 61000
        self.queues = 1

    def fresh(self):
        return self.bed.fresh(self.family)

    def make(self, text, name=None, files=()):
        self.number += 1
        daemon = beds.Daemon(self.bed, self.binary, text, name or f"own{self.number}")
        daemon.write("miners.txt", f"# of the bed\n0.0.0.0 {FROM_LIST}\n")
        for path, content in files:
            daemon.write(path, content)
        return daemon

    def raw(self, address, port, steps, **script):
        self.sport += 1
        return self.bed.raw({"src": CLIENT[self.family], "dst": address, "sport": self.sport, "dport": port,
                             "steps": steps, **script})

    # -- what must hold of one connection -----------------------------------------------------

    def must_be_blocked(self, address, port, got, complete, learned, evidence):
        """`got`: answer of Bed.send; `complete`: the bytes that complete the evidence; `learned`: sets taught."""
        if not self.enforce:
            return self.must_only_be_logged(address, port, complete, evidence)
        need(got["ended"] == "reset", f"the client saw {got['ended']}, no reset")
        in_time(got["ms"])
        time.sleep(0.05)
        self.server_lacks(address, port, complete)
        until(lambda: self.kernel.elements(address=address), 1)
        sets = {e["set"].rstrip("46") for e in self.kernel.elements("endpoints4", "endpoints6", "pairs4", "pairs6",
                                                                   address=address, port=port)}
        need(sets == learned, f"taught sets {sorted(sets)}, not {sorted(learned)}")
        self.must_be_logged(address, port, "blocked", evidence)

    def must_only_be_logged(self, address, port, complete, evidence):
        arrived = until(lambda: complete in self.log.bytes(address, port))
        need(arrived, "monitor mode: the server did not get the bytes")
        need(not self.kernel.elements(address=address), "monitor mode taught the kernel")
        self.must_be_logged(address, port, "allowed", evidence)

    def server_lacks(self, address, port, complete):
        got = self.log.bytes(address, port)
        need(complete not in got, f"the server got all {len(complete)} bytes")
        wired = {(p["seq"], p["len"]) for p in self.log.packets(address, port)}
        need(sum(size for _, size in wired) < len(complete), f"all {len(complete)} bytes were on the server's wire")

    def server_got_nothing(self, address, port):
        need(not self.log.bytes(address, port), f"the server got {self.log.bytes(address, port)[:80]!r}")
        need(not self.log.packets(address, port), "payload on the server's wire")

    def must_be_logged(self, address, port, action, evidence):
        events = until(lambda: self.daemon.events(address, port))
        need(len(events) == 1, f"{len(events)} events in the log, not 1")
        event = events[0]
        need(event["alert"]["action"] == action, f"the event says {event['alert']['action']}, not {action}")
        need(event["src_ip"] in (CLIENT[self.family], GATEWAY_OUT[self.family]), f"the event's source is {event['src_ip']}")
        need(event["mining"]["evidence"] == evidence, f"the event's evidence is {event['mining']['evidence']}")

    def must_pass(self, address, port, data, got):
        need(got["ended"] in ("done", "timeout"), f"the client saw {got['ended']}")
        arrived = until(lambda: data in self.log.bytes(address, port))
        need(arrived, f"the server got {len(self.log.bytes(address, port))} of {len(data)} bytes")
        need(not self.kernel.elements(address=address), "the kernel was taught an innocent address")


# -- the table of cases ---------------------------------------------------------------------------

ORDINARY = []  # run in every set-up and for both IP versions
OWN = []       # bring their own daemon


def ordinary(name, modes=("enforce", "monitor")):
    def register(function):
        ORDINARY.append((name, function, modes))
        return function
    return register


def own(name, *arguments):
    """`arguments`: one case for each, with its text in the name."""
    def register(function):
        for argument in arguments or (None,):
            label = name if argument is None else f"{name}/{argument}"
            OWN.append((label, function, argument))
        return function
    return register


def every(table, name, modes=("enforce", "monitor")):
    """Registers one ordinary case for each row of a table."""
    def register(function):
        for key, row in table.items():
            ORDINARY.append((f"{name}/{key}", lambda t, row=row: function(t, *row), modes))
        return function
    return register


PAIR, ENDPOINT = {"pairs"}, {"endpoints"}

NAMES = {  # label -> name, port of TLS
    "exact": (LISTED, 443),
    "below": (BELOW, 443),
    "odd-port": (LISTED, 8443),
    "case": ("Pool.LISTED.example", 443),
    "from-list": (FROM_LIST, 443),
    "below-wildcard": ("a.wild.example", 443),
}

PASSING_NAMES = {
    "unlisted": (UNLISTED,),
    "suffix-without-dot": ("not" + LISTED,),
    "wildcard-itself": ("wild.example",),
    "allow-wins": (ALLOWED,),
    "below-allowed": ("x." + ALLOWED,),
}


@every(NAMES, "tls-listed")
def tls_listed(t, name, port):
    address, hello = t.fresh(), wire.client_hello(name)
    got = t.bed.send(address, port, hello.hex(), "--linger", "0.05")
    t.must_be_blocked(address, port, got, hello, PAIR, "name")
    if t.enforce:
        t.server_got_nothing(address, port)


@every(PASSING_NAMES, "tls-passes")
def tls_passes(t, name):
    address = t.fresh()
    got = t.bed.curl(address, 443, name)
    need(got["code"] == 200, f"curl: {got['why']}")
    need([c["tls"] for c in t.log.connections(address, 443)] == ["TLSv1.3"], "no TLS 1.3 at the server")
    need(not t.daemon.events(address), "an event about an innocent connection")


@ordinary("curl-listed")
def curl_listed(t):
    address = t.fresh()
    got = t.bed.curl(address, 443, LISTED)
    if not t.enforce:
        need(got["code"] == 200, f"curl: {got['why']}")
        return
    need(got["rc"] and "reset" in got["why"].lower(), f"curl: exit {got['rc']}, {got['why']}")
    need(got["ms"] < 1000, f"curl's reset took {got['ms']:.0f} ms")
    t.server_got_nothing(address, 443)


@ordinary("openssl-listed")
def openssl_listed(t):
    address = t.fresh()
    got = t.bed.openssl(address, 443, LISTED)
    need(got["shaken"] != t.enforce, f"openssl: {got['why']}")
    if t.enforce:
        t.server_got_nothing(address, 443)


HOSTS = {
    "exact": (LISTED, 80), "with-port": (LISTED + ":8080", 8080), "case": ("POOL.listed.EXAMPLE", 80),
    "from-list": (FROM_LIST, 80),
}


@every(HOSTS, "http-listed")
def http_listed(t, host, port):
    address, head = t.fresh(), wire.http_get(host)
    got = t.bed.send(address, port, head.hex(), "--linger", "0.05")
    t.must_be_blocked(address, port, got, head, PAIR, "name")
    if t.enforce:
        t.server_got_nothing(address, port)


@ordinary("http-bare-lf")
def http_bare_lf(t):
    address, head = t.fresh(), wire.http_get(LISTED).replace(b"\r\n", b"\n")
    got = t.bed.send(address, 80, head.hex(), wait=0.5)
    t.must_be_blocked(address, 80, got, head, PAIR, "name")


@every(PASSING_NAMES, "http-passes")
def http_passes(t, name):
    address = t.fresh()
    got = t.bed.curl(address, 80, name, "http")
    need(got["code"] == 200, f"curl: {got['why']}")
    need(not t.daemon.events(address), "an event about an innocent connection")


STRATUM = {f"{dialect}/{port}": (dialect, port) for dialect in wire.STRATUM for port in (3333, 14433, 53)}


@every(STRATUM, "stratum")
def stratum(t, dialect, port):
    address = t.fresh()
    got = t.bed.send(address, port, dialect, "--linger", "0.05")
    t.must_be_blocked(address, port, got, wire.STRATUM[dialect], ENDPOINT, "protocol")
    if t.enforce:
        t.server_got_nothing(address, port)


@every({d: (d,) for d in wire.STRATUM}, "stratum-byte-by-byte")
def stratum_bytes(t, dialect):
    address = t.fresh()
    got = t.bed.send(address, 40404, dialect, "--mode", "bytes", "--linger", "0.05")
    t.must_be_blocked(address, 40404, got, wire.STRATUM[dialect], ENDPOINT, "protocol")


@every({"in-two": ("30",), "in-three": ("1,57",), "late": ("20",)}, "stratum-cut")
def stratum_cut(t, cuts):
    address = t.fresh()
    got = t.bed.send(address, 3333, "cryptonote", "--mode", "cuts", "--cuts", cuts, "--delay-ms", "80", "--hold-ms", "100",
                     "--linger", "0.05")
    t.must_be_blocked(address, 3333, got, wire.STRATUM["cryptonote"], ENDPOINT, "protocol")


@every({name: (line,) for name, line in wire.NOT_MINING.items()}, "json-passes")
def json_passes(t, line):
    address = t.fresh()
    got = t.bed.send(address, 3333, line.hex(), "--linger", "0.05", wait=0.4)
    t.must_pass(address, 3333, line, got)
    need(not t.daemon.events(address), "an event about an innocent connection")


@ordinary("exempt-host")
def exempt_host(t):
    address, before = t.fresh(), t.kernel.queued()
    got = t.bed.send(address, 3333, "stratum-v1", "--linger", "0.05", "--source", EXEMPT[t.family])
    t.must_pass(address, 3333, wire.STRATUM["stratum-v1"], got)
    need(t.kernel.queued() == before, "a packet of an exempt host was queued")
    got = t.bed.curl(t.fresh(), 443, LISTED, source=EXEMPT[t.family])
    need(got["code"] == 200, f"curl from the exempt host: {got['why']}")


@ordinary("allowed-address")
def allowed_address(t):
    t.number += 1
    address = ALLOWED_ADDRESS[t.family].format(t.number)
    got = t.bed.send(address, 3333, "cryptonote", "--linger", "0.05")
    t.must_pass(address, 3333, wire.STRATUM["cryptonote"], got)
    got = t.bed.curl(address, 443, LISTED)
    need(got["code"] == 200, f"curl: {got['why']}")


@ordinary("blocked-address")
def blocked_address(t):
    t.number += 1
    address = BLOCKED_ADDRESS[t.family].format(t.number)
    data = b"any bytes at all\n"
    got = t.bed.send(address, 9000, data.hex(), wait=0.5)
    if not t.enforce:
        return t.must_only_be_logged(address, 9000, data, "address")
    need(got["ended"] in ("reset", "refused"), f"the client saw {got['ended']}")
    time.sleep(0.05)
    t.server_got_nothing(address, 9000)


@ordinary("one-packet")
def one_packet(t):
    for what, port, scheme in (("TLS", 443, "https"), ("HTTP", 80, "http")):
        address, before = t.fresh(), t.kernel.queued()
        got = t.bed.curl(address, port, UNLISTED, scheme)
        need(got["code"] == 200, f"curl: {got['why']}")
        queued = t.kernel.queued() - before
        need(queued == 1, f"an ordinary {what} connection queued {queued} packets, not 1")


@ordinary("state-ends-in-pass")
def state_ends_in_pass(t):
    address = t.fresh()
    got = t.bed.send(address, 443, wire.client_hello(UNLISTED).hex(), "--linger", "0.2")
    need(got["received"], "no answer of the server")
    flows = t.kernel.flows(t.family, address, 443)
    need(len(flows) == 1, f"{len(flows)} conntrack entries")
    need(STATES[flows[0]["state"]] == "pass", f"the flow's state is {flows[0]['state']} (mark {flows[0]['mark']:#x})")
    need(flows[0]["foreign"] == FOREIGN_MARK, f"the foreign bits are {flows[0]['foreign']:#x}, not {FOREIGN_MARK:#x}")


@ordinary("second-dies-in-kernel", modes=("enforce",))
def second_dies(t):
    address = t.fresh()
    first = t.bed.send(address, 3333, "cryptonote", "--linger", "0.05")
    need(first["ended"] == "reset", f"the first connection: {first['ended']}")
    element = until(lambda: t.kernel.elements("endpoints4", "endpoints6", address=address, port=3333))
    need(element, "no element was taught")
    queued = t.kernel.queued()
    second = t.bed.send(address, 3333, "cryptonote", "--linger", "0.05")
    need(second["ended"] == "refused", f"the second connection: {second['ended']}")
    in_time(second["connect_ms"])
    need(t.kernel.queued() == queued, "the second connection queued packets")
    after = t.kernel.elements(address=address, port=3333)
    moved = sum(e["packets"] or 0 for e in after) - sum(e["packets"] or 0 for e in element)
    need(moved > 0, "no element's counter moved")
    t.server_got_nothing(address, 3333)


@ordinary("name-kills-only-the-pair", modes=("enforce",))
def name_pair(t):
    address = t.fresh()
    got = t.bed.send(address, 443, wire.client_hello(LISTED).hex())
    need(got["ended"] == "reset", f"the first connection: {got['ended']}")
    queued = t.kernel.queued()
    again = t.bed.send(address, 443, wire.client_hello(LISTED).hex())
    need(again["ended"] == "refused", f"the same client's second connection: {again['ended']}")
    need(t.kernel.queued() == queued, "it queued packets")
    other = t.bed.curl(address, 443, UNLISTED, where=t.bed.gateway)
    need(other["code"] == 200, f"another client with an unlisted name: {other['why']}")


HELLO = {"in-order": ((0, 1),), "reversed": ((1, 0),), "in-order-again": ((0, 1, 0),), "reversed-twice": ((1, 1, 0),)}


def split_hello(t, order, name):
    address, hello = t.fresh(), wire.client_hello(name, 1800)
    parts = ((0, hello[:1400]), (1400, hello[1400:]))
    steps = []
    for n in order:
        steps += [{"off": parts[n][0], "hex": parts[n][1].hex()}, {"sleep_ms": 20}]
    return address, hello, t.raw(address, 443, steps, wait_ms=300)


@every(HELLO, "large-hello-listed")
def large_hello_listed(t, order):
    address, hello, got = split_hello(t, order, LISTED)
    need(got["connected"], "no connection")
    if not t.enforce:
        return t.must_only_be_logged(address, 443, hello, "name")
    need(got["reset"], "the client saw no reset")
    in_time(got["reset_ms"])
    need(not got["received"], "the server answered")
    t.server_lacks(address, 443, hello)


@every(HELLO, "large-hello-unlisted")
def large_hello_unlisted(t, order):
    address, hello, got = split_hello(t, order, UNLISTED)
    need(got["connected"] and not got["reset"], "the client was reset")
    need(until(lambda: hello in t.log.bytes(address, 443)), "the server did not get the ClientHello")
    need(got["received"], "the server did not answer")


@ordinary("own-traffic")
def own_traffic(t):
    address, line = t.fresh(), wire.STRATUM["stratum-v1"]
    got = t.bed.send(address, 3333, "stratum-v1", "--linger", "0.05", where=t.bed.gateway)
    t.must_be_blocked(address, 3333, got, line, ENDPOINT, "protocol")
    address, hello = t.fresh(), wire.client_hello(LISTED)
    got = t.bed.send(address, 443, hello.hex(), "--linger", "0.05", where=t.bed.gateway)
    t.must_be_blocked(address, 443, got, hello, PAIR, "name")
    before = t.kernel.queued()
    got = t.bed.curl(t.fresh(), 443, UNLISTED, where=t.bed.gateway)
    need(got["code"] == 200, f"curl from the gateway: {got['why']}")
    need(t.kernel.queued() - before == 1, f"it queued {t.kernel.queued() - before} packets")


@ordinary("loopback-alone")
def loopback_alone(t):
    before = t.kernel.queued()
    local = "127.0.0.1" if t.family == 4 else "::1"
    server = t.bed.gateway.start(*beds.PYTHON, "-c", LOOPBACK_SERVER, local, stdout=subprocess.PIPE)
    need(server.stdout.readline() == b"ready\n", "no server on loopback")
    got = t.bed.send(local, 3333, "stratum-v1", "--linger", "0.05", where=t.bed.gateway)
    need(got["ended"] == "done" and got["received"] == "ok", f"on loopback: {got['ended']}")
    need(t.kernel.queued() == before, "loopback traffic was queued")


LOOPBACK_SERVER = """
import socket, sys
s = socket.create_server((sys.argv[1], 3333), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.settimeout(10)
print("ready", flush=True)
c = s.accept()[0]
c.settimeout(5)
c.recv(4096)
c.sendall(b"ok")
c.recv(1)
"""


@ordinary("udp-passes")
def udp_passes(t):
    address = t.fresh()
    done = t.bed.client.run(*beds.PYTHON, "-c", UDP_CLIENT, address)
    need(done.stdout.strip() == "hello hello", f"UDP echo said {done.stdout.strip()!r}")


UDP_CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect((sys.argv[1], 5300))
out = []
for _ in range(2):
    s.send(b"hello")
    out.append(s.recv(100).decode())
print(*out)
"""


@ordinary("bulk-passes")
def bulk_passes(t):
    """After its verdict a flow is the kernel's alone, however much it carries."""
    address = t.fresh()
    before = t.kernel.queued()
    body = wire.http_get(UNLISTED).replace(b"GET", b"POST").replace(b"Accept: */*", b"Content-Length: 300000")
    got = t.bed.send(address, 80, (body + b"x" * 300000).hex()[:100000], "--linger", "0.1", wait=1)
    need(got["ended"] in ("done", "timeout"), f"the client saw {got['ended']}")
    need(until(lambda: len(t.log.bytes(address, 80)) == 50000), "bytes are missing at the server")
    need(t.kernel.queued() - before <= 40, f"{t.kernel.queued() - before} packets were queued")


@ordinary("foreign-marks")
def foreign_marks(t):
    lost, leaked = t.kernel.counter("bed_marks", "lost"), t.kernel.counter("bed_leaks", "leaked")
    need(lost == 0, f"{lost} forwarded packets had lost the foreign bits of their mark")
    need(leaked == 0, f"{leaked} packets left with our bits in their mark")


# -- cases with a daemon of their own -------------------------------------------------------------

def families(t):
    for t.family in (4, 6):
        yield t.family


@own("attempts-of-the-kernel-are-logged", "at-exit", "while-running")
def attempts_logged(t, when):
    t.daemon = t.make(policy()).start()
    tried = {}
    for family in families(t):
        address = tried[family] = t.fresh()
        t.bed.send(address, 3333, "stratum-v1")
        until(lambda: t.kernel.elements(address=address))
        for _ in range(3):
            need(t.bed.send(address, 3333, "stratum-v1")["ended"] == "refused", "a later connection was not refused")
    if when == "at-exit":
        t.daemon.stop()
    for family in families(t):
        events = until(lambda: [e for e in t.daemon.events(tried[family], 3333) if e["mining"].get("count")], 15)
        need(events, f"IPv{family}: no event counts the attempts that the kernel stopped")
        need(events[0]["src_ip"] == CLIENT[family], f"its device is {events[0]['src_ip']}")
        mac = events[0].get("host", {}).get("mac")
        need(mac == t.bed.client_mac(), f"its device has the link address {mac}")
        need(sum(e["mining"]["count"] for e in events) >= 3, "it counts fewer than the 3 attempts")


@own("stop-leaves-nothing", "verb", "SIGTERM")
def stop_leaves_nothing(t, how):
    t.daemon = t.make(policy()).start()
    for family in families(t):
        t.bed.send(t.fresh(), 443, wire.client_hello(UNLISTED).hex(), "--linger", "0.1")
        t.bed.send(t.fresh(), 3333, "stratum-v1")
    ours = [f for v in (4, 6) for f in t.kernel.flows(v) if f["state"]]
    need(ours, "no flow carried our bits before")
    t.bed.gateway.run("nft", "delete", "table", "inet", "bed_leaks")
    if how == "verb":
        done = t.daemon.verb("stop")
        need(done.returncode == 0, f"stop: exit {done.returncode}: {done.stderr.strip()}")
        need(until(lambda: t.daemon.process.poll() is not None, 5), "the daemon still runs")
    else:
        t.daemon.stop()
    need(t.daemon.process.returncode == 0, f"the daemon's exit status is {t.daemon.process.returncode}")
    need("inet minewall" not in t.kernel.tables(), "the table is still there")
    flows = [f for v in (4, 6) for f in t.kernel.flows(v)]
    need(not [f for f in flows if f["state"]], "flows still carry our bits")
    need([f for f in flows if f["foreign"] == FOREIGN_MARK], "the foreign bits are gone, too")
    need(t.bed.curl(t.fresh(), 443, LISTED)["code"] == 200, "traffic does not pass afterwards")
    need(not os.path.exists(os.path.join(t.daemon.folder, "control.sock")), "the control socket is still there")


HUNG = [f"{fail}/{queues}q/v{family}" for fail in ("open", "closed") for queues in (1, 2) for family in (4, 6)]


@own("hung-reader", *HUNG)
def hung_reader(t, what):
    fail, queues, t.family = what.split("/")[0], int(what.split("/")[1][0]), int(what[-1])
    t.daemon = t.make(policy(fail=fail, queues=queues)).start()
    readers = t.daemon.readers()
    need(readers, "nobody holds the queue's socket")
    # A watchdog may hold the socket, too; the process that we started is the reader.
    reader = t.daemon.process.pid if t.daemon.process.pid in readers else readers[0]
    load = t.bed.load(t.fresh(), 4.5)
    time.sleep(1.5)
    os.kill(reader, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        result = json.loads(load.communicate(timeout=20)[0])
    finally:
        for pid in readers:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
    before = [g for g in result["good"] if g[1] < stopped]
    after = [g for g in result["good"] if g[0] > stopped + 0.05]
    need(len(before) > 100, f"only {len(before)} connections before the stop")
    if fail == "closed":
        need(not after, f"fail-closed, but {len(after)} connections went through")
        return
    need(after, "no connection after the stop")
    need(after[0][1] - stopped < 1.0, f"the first connection after the stop was done after {after[0][1] - stopped:.2f} s")
    late = [b for b in result["bad"] if b[0] > stopped + 1]
    need(not late, f"{len(late)} connections begun a second after the stop failed: {late[:1]}")
    rate = len([g for g in after if g[0] > stopped + 1]) / 2.0
    need(rate > len(before) / 1.5 / 2, f"{rate:.0f} connections a second after the stop, {len(before) / 1.5:.0f} before")


@own("killed-reader", "open", "closed")
def killed_reader(t, fail):
    t.daemon = t.make(policy(fail=fail)).start()
    taught = t.fresh()
    t.bed.send(taught, 3333, "stratum-v1")
    until(lambda: t.kernel.elements(address=taught))
    t.daemon.process.kill()
    t.daemon.process.wait(5)
    need(until(lambda: not t.kernel.queues()), "a queue is still bound after its reader's death")
    again = t.bed.send(taught, 3333, "stratum-v1", wait=0.5)
    need(again["ended"] == "refused", f"the learnt endpoint without a daemon: {again['ended']}")
    for family in families(t):
        got = t.bed.curl(t.fresh(), 443, UNLISTED, timeout=1.5)
        need((got["code"] == 200) == (fail == "open"), f"IPv{family}, fail-{fail}: curl says {got['code']} {got['why']}")
    t.daemon.start()
    need(t.bed.curl(t.fresh(), 443, UNLISTED)["code"] == 200, "traffic does not pass after the restart")
    t.daemon.stop()


@own("hook", "forward", "output")
def hook(t, which):
    t.daemon = t.make(policy(hook=which)).start()
    for family in families(t):
        forwarded = t.bed.send(t.fresh(), 3333, "stratum-v1", "--linger", "0.05")["ended"]
        local = t.bed.send(t.fresh(), 3333, "stratum-v1", "--linger", "0.05", where=t.bed.gateway)["ended"]
        expected = ("reset", "done") if which == "forward" else ("done", "reset")
        need((forwarded, local) == expected, f"IPv{family}: forwarded {forwarded}, the gateway's own {local}")


@own("interfaces", "outbound", "other")
def interfaces(t, which):
    t.daemon = t.make(policy(more=f"interfaces: {{out: [{'g1' if which == 'outbound' else 'nosuch0'}]}}")).start()
    for family in families(t):
        ended = t.bed.send(t.fresh(), 3333, "stratum-v1", "--linger", "0.05")["ended"]
        need(ended == ("reset" if which == "outbound" else "done"), f"IPv{family}: {ended}")


@own("without-masquerade")
def without_masquerade(t):
    t.daemon = t.make(policy()).start()
    t.bed.set_masquerade(False)
    try:
        for family in families(t):
            stratum(t, "cryptonote", 14433)
            tls_listed(t, LISTED, 443)
            tls_passes(t, UNLISTED)
            need(t.log.connections(t.fresh(), 443) == [], "a fresh address was not fresh")
    finally:
        t.bed.set_masquerade(True)


@own("routing-by-mark", "plain", "not")
def routing_by_mark(t, how):
    """As WireGuard routes: the gateway's own packets with a mark take another table. A verdict must not change that."""
    mark, address = "0xca6c", {}
    for family in families(t):
        address[family] = t.fresh()
        v, via = f"-{family}", beds.SERVER[family]
        # What carries the mark reaches the server; everything else would end in the blackhole.
        t.bed.gateway.ip(v, "route", "add", address[family], "via", via, "table", "77" if how == "plain" else "main")
        t.bed.gateway.ip(v, "route", "add", "blackhole", address[family], "table", "main" if how == "plain" else "77")
        words = ("fwmark", mark) if how == "plain" else ("not", "fwmark", mark)
        t.bed.gateway.ip(v, "rule", "add", *words, "lookup", "77", "priority", "777")
    try:
        t.daemon = t.make(policy()).start()
        for family in families(t):
            data = wire.client_hello(UNLISTED)
            got = t.bed.send(address[family], 443, data.hex(), "--linger", "0.2", "--mark", mark, where=t.bed.gateway)
            need(got["ended"] == "done", f"IPv{family}: the marked connection: {got['ended']}")
            flows = t.kernel.flows(family, address[family], 443)
            need(STATES[flows[0]["state"]] == "pass", f"IPv{family}: its state is {flows[0]['state']}")
            got = t.bed.send(address[family], 3333, "stratum-v1", "--mark", mark, where=t.bed.gateway)
            need(got["ended"] in ("reset", "timeout"), f"IPv{family}: a marked Stratum login: {got['ended']}")
            t.server_got_nothing(address[family], 3333)
            got = t.bed.send(address[family], 443, data.hex(), wait=0.5, where=t.bed.gateway)
            need(not got["connected"], f"IPv{family}: the bed routes unmarked packets, too")
    finally:
        for family in families(t):
            v = f"-{family}"
            t.bed.gateway.ip(v, "rule", "del", "priority", "777")
            for table in ("main", "77"):
                t.bed.gateway.ip(v, "route", "del", address[family], "table", table)


@own("verbs")
def verbs(t):
    t.daemon = t.make(policy()).start()
    done = t.daemon.verb("status")
    need(done.returncode == 0 and done.stdout, f"status: exit {done.returncode}")
    need(isinstance(t.daemon.json("status"), dict), "status --json is no object")
    need(t.daemon.verb("log").returncode == 1, "`log` without an event does not say 1")
    for verb in ("run", "stop", "check", "status", "log", "blocked", "unblock", "replay"):
        done = beds.command(t.binary, verb, "--help", check=False)
        need(done.returncode == 0 and verb in done.stdout, f"{verb} --help: exit {done.returncode}")
        done = beds.command(t.binary, verb, "--no-such-option", check=False)
        need(done.returncode == 2 and done.stderr, f"{verb} with a wrong option: exit {done.returncode}")
    for words in ((), ("nosuchverb",)):
        need(beds.command(t.binary, *words, check=False).returncode == 2, f"`minewall {' '.join(words)}` is not exit 2")


@own("silent-drop")
def silent_drop(t):
    t.daemon = t.make(policy(reset="false")).start()
    for family in families(t):
        address = t.fresh()
        got = t.bed.send(address, 3333, "stratum-v1", wait=0.6)
        need(got["ended"] == "timeout", f"IPv{family}: the client saw {got['ended']}")
        t.server_got_nothing(address, 3333)


@own("unblock")
def unblock(t):
    t.daemon = t.make(policy()).start()
    done = t.daemon.verb("blocked")
    need(done.returncode == 1, f"`blocked` with nothing blocked: exit {done.returncode}: {done.stdout}{done.stderr}")
    for family in families(t):
        address = t.fresh()
        t.bed.send(address, 3333, "stratum-v1")
        need(until(lambda: t.kernel.elements(address=address)), "nothing was taught")
        listed = t.daemon.verb("blocked")
        need(listed.returncode == 0 and address in listed.stdout, f"`blocked` does not show {address}")
        need(address in json.dumps(t.daemon.json("blocked")), f"`blocked --json` does not show {address}")
        done = t.daemon.verb("unblock", address)
        need(done.returncode == 0, f"unblock: exit {done.returncode}: {done.stderr.strip()}")
        need(not t.kernel.elements("endpoints4", "endpoints6", "pairs4", "pairs6", address=address), "it is still blocked")
        need(t.daemon.verb("unblock", address).returncode == 1, "unblocking it again does not say 1")
        queued = t.kernel.queued()
        need(t.bed.send(address, 3333, "stratum-v1")["ended"] == "reset", "the next login is not judged anew")
        need(t.kernel.queued() > queued, "it was not queued")


def refusal(t, daemon, code, says, user=()):
    """`run` must end with this code and one line; the table of anybody else stays as it is."""
    handle = t.kernel.handle()
    status, text = daemon.refused(user=user)
    need(status == code, f"exit {status}, not {code}: {text[:200]}")
    need(len(text.splitlines()) == 1, f"{len(text.splitlines())} lines: {text[:300]}")
    need(re.search(says, text), f"the line does not say {says!r}: {text}")
    need(t.kernel.handle() == handle, "the table was touched")


BROKEN = {
    "syntax": ("version: 1\nmode: [enforce\n", r"broken\.yaml:\d+:\d+: "),
    "unknown-key": ("version: 1\nmodus: enforce\n", r"broken\.yaml:2:1: .*modus"),
    "bad-value": ("version: 1\nmode: perhaps\n", r"broken\.yaml:2:7: .*perhaps"),
    "no-version": ("mode: monitor\n", r"broken\.yaml.*version"),
    "bad-address": ('version: 1\nblock:\n  addresses: ["300.1.1.1"]\n', r"broken\.yaml:3:\d+: .*300\.1\.1\.1"),
    "missing-list": ("version: 1\nlists:\n  - {name: gone, file: gone.txt, format: plain}\n", r"gone\.txt"),
}


@own("bad-policy", *BROKEN)
def bad_policy(t, what):
    text, says = BROKEN[what]
    first = t.make(policy()).start()
    broken = t.make("")
    broken.policy = broken.write("broken.yaml", text)
    refusal(t, broken, 4, says)
    done = broken.verb("check")
    need(done.returncode == 4, f"check: exit {done.returncode}")
    need(re.search(says, done.stdout + done.stderr), f"check says: {done.stdout}{done.stderr}")
    need(first.process.poll() is None, "the daemon that ran has ended")
    t.daemon = first
    need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "the daemon that ran no longer blocks")


@own("good-policy-checks")
def good_policy(t):
    done = t.make(policy()).verb("check")
    need(done.returncode == 0, f"check: exit {done.returncode}: {done.stderr.strip()}")


@own("no-permission")
def no_permission(t):
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise Skipped("no setpriv here")
    public = os.path.join(t.bed.tmp, "minewall")
    shutil.copy(t.binary, public)
    daemon = t.make(policy())
    daemon.binary = public
    os.chmod(daemon.folder, 0o777)
    refusal(t, daemon, 5, r"(?i)root|permi|CAP_NET_ADMIN",
            user=(setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"))


@own("not-running", "status", "stop")
def not_running(t, verb):
    done = t.make(policy()).verb(verb)
    need(done.returncode == 3, f"exit {done.returncode}, not 3")
    text = (done.stdout + done.stderr).strip()
    need(len(text.splitlines()) == 1, f"not one line: {text}")


FOREIGN = {
    "read": 'ct mark & 0x02000000 != 0 accept',
    "write": 'meta mark set meta mark & 0xf1ffffff | 0x04000000',
    "save": 'ct mark set meta mark',
    "ip-rule": None,
    "iptables": None,
}


@own("mark-in-use", *FOREIGN)
def mark_in_use(t, what):
    if what == "ip-rule":
        t.bed.gateway.ip("rule", "add", "fwmark", "0x2000000/0x2000000", "lookup", "main", "priority", "2222")
        undo, says = (lambda: t.bed.gateway.ip("rule", "del", "priority", "2222")), r"ip rule.*2222|2222.*ip rule"
    elif what == "iptables":
        tool = shutil.which("iptables-nft")
        if not tool:
            raise Skipped("no iptables-nft here")
        t.bed.gateway.run(tool, "-t", "mangle", "-A", "FORWARD", "-j", "MARK", "--set-xmark", "0x2000000/0x2000000")
        undo, says = (lambda: t.bed.gateway.run("nft", "delete", "table", "ip", "mangle")), r"mangle"
    else:
        t.bed.gateway.nft("table inet foreign_user {\nchain uses_it {\ntype filter hook forward priority -1\n"
                          f"{FOREIGN[what]}\n}}\n}}\n")
        undo, says = (lambda: t.bed.gateway.run("nft", "delete", "table", "inet", "foreign_user")), r"foreign_user.*uses_it"
    try:
        refusal(t, t.make(policy()), 5, says)
        need("inet minewall" not in t.kernel.tables(), "it left a table behind")
    finally:
        undo()


@own("already-running", "same-policy", "other-policy")
def already_running(t, what):
    t.daemon = first = t.make(policy()).start()
    taught = t.fresh()
    t.bed.send(taught, 3333, "stratum-v1")
    need(until(lambda: t.kernel.elements(address=taught)), "nothing was taught")
    handle = t.kernel.handle()
    second = first if what == "same-policy" else t.make(policy())
    status, text = second.refused()
    need(status not in (0, -9), f"a second daemon said {status}: {text[:200]}")
    need(len(text.splitlines()) == 1, f"not one line: {text[:300]}")
    need(t.kernel.handle() == handle, "the first daemon's table was touched")
    need(t.kernel.elements(address=taught), "what it had learnt is gone")
    need(first.process.poll() is None, "the first daemon has ended")
    need(first.verb("status").returncode == 0, "the first daemon does not answer")
    need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "the first daemon no longer blocks")


@own("truncated-capture")
def truncated_capture(t):
    client, server = "198.18.1.2", "198.18.2.2"

    def packet(up, seq, ack, flags, payload=b""):
        a, b, p, q = (client, server, 40000, 3333) if up else (server, client, 3333, 40000)
        return wire.ipv4_packet(a, b, 6, wire.tcp_segment(a, b, p, q, seq, ack, flags, payload))

    line = wire.STRATUM["stratum-v1"]
    capture = wire.pcap_file([
        packet(True, 99, 0, wire.SYN), packet(False, 499, 100, wire.SYN | wire.ACK), packet(True, 100, 500, wire.ACK),
        packet(True, 100, 500, wire.PSH | wire.ACK, line), packet(False, 500, 100 + len(line), wire.ACK)])
    for name, data, code in (("whole", capture, 0), ("cut", capture[:-7], 6)):
        path = os.path.join(t.bed.tmp, name + ".pcap")
        with open(path, "wb") as f:
            f.write(data)
        done = beds.command(t.binary, "replay", "--flows", "--json", path, check=False)
        need(done.returncode == code, f"{name}: exit {done.returncode}, not {code}: {done.stderr.strip()}")
        flows = [json.loads(text) for text in done.stdout.splitlines()]
        need(len(flows) == 1 and flows[0]["verdict"]["action"] == "drop", f"{name}: {done.stdout[:300]}")
        need(len(done.stderr.splitlines()) == (code != 0), f"{name}: stderr {done.stderr!r}")


@own("executes-nothing")
def executes_nothing(t):
    if not shutil.which("strace"):
        raise Skipped("no strace here")
    trace = os.path.join(t.bed.tmp, "trace")
    t.daemon = t.make(policy())
    t.daemon.start(wrap=("strace", "-f", "-qq", "-e", "trace=execve,execveat", "-o", trace))
    for family in families(t):
        t.bed.send(t.fresh(), 3333, "stratum-v1")
        t.bed.curl(t.fresh(), 443, LISTED)
    done = t.daemon.verb("stop")
    need(done.returncode == 0, f"stop: exit {done.returncode}")
    until(lambda: t.daemon.process.poll() is not None, 5)
    with open(trace, encoding="utf-8", errors="replace") as f:
        programs = [m[1] for m in re.finditer(r'execve(?:at)?\("([^"]*)"', f.read())]
    others = [p for p in programs if p != t.daemon.binary and os.path.basename(p) != "env"]
    need(t.daemon.binary in programs, "strace saw nothing")
    need(not others, f"it executed {others}")


# More cases, in files of their own: they say `from run import ...` and must meet this very module.
sys.modules["run"] = sys.modules[__name__]
import cases_admin   # noqa: E402
import cases_restart   # noqa: E402
import cases_teaching  # noqa: E402
import cases_edges  # noqa: E402,F401
import cases_tunnels   # noqa: E402
import cases_web   # noqa: E402
import cases_quic   # noqa: E402,F401
import cases_score   # noqa: E402
import cases_rules   # noqa: E402
import cases_dns   # noqa: E402
import cases_update  # noqa: E402
import cases_lists  # noqa: E402
import cases_trust  # noqa: E402
import cases_incidents  # noqa: E402
import cases_log  # noqa: E402,F401
import cases_power  # noqa: E402,F401
import cases_metrics  # noqa: E402
import cases_hostile  # noqa: E402,F401
import cases_doctor  # noqa: E402,F401
import cases_quarantine  # noqa: E402
import cases_load  # noqa: E402
import cases_tap  # noqa: E402,F401
import cases_init  # noqa: E402,F401
import cases_fleet  # noqa: E402,F401

# -- running them ---------------------------------------------------------------------------------

AGAIN_MAX = 4
OWN_WEIGHT = 8  # a case that starts a daemon of its own takes as long as so many others
SETUPS = {  # name -> mode, queues, GSO
    "enforce-1q": ("enforce", 1, True),
    "enforce-2q": ("enforce", 2, False),
    "monitor-1q": ("monitor", 1, False),
    "monitor-2q": ("monitor", 2, True),
}


def plan(patterns):
    """Every wanted case as (name, set-up or None, family or None, function, argument)."""
    cases = [(f"{setup}/v{family}/{name}", setup, family, function, None)
             for setup, (mode, _, _) in SETUPS.items() for family in (4, 6)
             for name, function, modes in ORDINARY if mode in modes]
    cases += [(f"own/{name}", None, None, function, argument) for name, function, argument in OWN]
    if patterns:
        cases = [c for c in cases if any(fnmatch.fnmatch(c[0], f"*{p}*") for p in patterns)]
    return cases


class Runner:
    def __init__(self, t, log):
        self.t = t
        self.log = log
        self.passed = self.failed = self.skipped = 0
        self.own = False  # is the case one with a daemon of its own?

    def say(self, verdict, name, why=""):
        setattr(self, verdict, getattr(self, verdict) + 1)
        word = {"passed": "ok", "failed": "FAIL"}.get(verdict, verdict)
        print(f"{word} {name}" + (f": {why}" if why else ""), flush=True)
        if self.log:
            print(word, name, file=self.log, flush=True)

    def one(self, name, function, *arguments):
        signal.signal(signal.SIGALRM, self.too_long)
        signal.alarm(CASE_SECONDS)
        try:
            self.measure(function, *arguments)
            self.say("passed", name)
        except Skipped as why:
            self.say("skipped", name, why)
        except (Failed, beds.BedError) as why:
            self.say("failed", name, f"{why}{self.obituary()}")
        except (OSError, ValueError, KeyError, IndexError, TypeError, subprocess.SubprocessError) as why:
            self.say("failed", name, f"{type(why).__name__}: {why}{self.obituary()}")
        finally:
            signal.alarm(0)

    def measure(self, function, *arguments):
        for tries_left in (2, 1, 0):
            before = self.openings()
            try:
                return function(self.t, *arguments)
            except Failed as why:
                if not isinstance(why, TooSlow) and self.openings() == before or not tries_left:
                    raise
                print(f"# measured again: {why}", flush=True)
                if self.own:
                    self.end()  # it starts a daemon of its own again
                time.sleep(0.5)

    def openings(self):
        """How often the watchdog let packets pass: where other processes keep the daemon from running for 250 ms, as promised."""
        daemon = self.t.daemon
        if not daemon or not daemon.process or daemon.process.poll() is not None:
            return 0
        try:
            return daemon.json("status").get("watchdog", 0)
        except (beds.BedError, AttributeError, subprocess.SubprocessError):
            return 0

    @staticmethod
    def too_long(*_):
        raise Failed(f"not done within {CASE_SECONDS} s")

    def obituary(self):
        daemon = self.t.daemon
        if daemon and daemon.process and daemon.process.poll() not in (None, 0):
            return f" [the daemon ended with {daemon.process.returncode}: {daemon.said().strip()[-200:]}]"
        return ""

    def setup(self, name, cases):
        mode, queues, gso = SETUPS[name]
        t = self.t
        t.enforce, t.queues = mode == "enforce", queues
        t.bed.set_gso(gso)
        t.daemon = t.make(policy(mode=mode, queues=queues), name)
        try:
            t.daemon.start()
        except beds.BedError as why:
            for case, _, _, _, _ in cases:
                self.say("failed", case, why)
            self.end()
            return
        for case, _, t.family, function, _ in cases:
            self.one(case, function)
        self.end()

    def alone(self, cases):
        t = self.t
        t.enforce = self.own = True
        for case, _, _, function, argument in cases:
            t.daemon, t.family = None, 4
            self.one(case, *((function,) if argument is None else (function, argument)))
            self.end()

    def end(self):
        """Whatever a case left running or lying about is gone before the next."""
        try:
            if self.t.daemon and self.t.daemon.process:
                self.t.daemon.stop()
            if self.t.daemon and self.t.daemon.process and re.search(r"Sanitizer|runtime error:", self.t.daemon.said()):
                self.say("failed", "a sanitizer's word", self.t.daemon.said()[-3000:])
        except beds.BedError as why:
            print(f"# {why}", flush=True)
        for pid in self.t.bed.gateway.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for table in ("minewall", "bed_leaks"):
            self.t.bed.gateway.run("nft", "delete", "table", "inet", table, check=False)
        self.t.bed.gateway.run("conntrack", "-F", check=False)


def shares(cases, n):
    """The cases in `n` parts that take about as long: a set-up's cases stay together; those with a daemon of their own take longer,
    and fill up what is left."""
    groups = {}
    for i, case in enumerate(cases):
        groups.setdefault(case[1] or i, []).append(case)
    parts = [[0, []] for _ in range(n)]
    for setup, group in sorted(groups.items(), key=lambda g: -len(g[1])):
        least = min(parts, key=lambda part: part[0])
        least[0] += len(group) * (1 if isinstance(setup, str) else OWN_WEIGHT)
        least[1] += group
    return [part[1] for part in parts]


def run_shares(options):
    """Runs itself once for each share, side by side, each with a bed of its own; shows what they say one after the other."""
    files = [tempfile.TemporaryFile("w+") for _ in range(options.jobs)]
    logs = [tempfile.NamedTemporaryFile("w+") for _ in range(options.jobs)]
    patterns = [word for pattern in options.only or [] for word in ("--only", pattern)]
    children = [subprocess.Popen([sys.executable, __file__, "--share", f"{i}/{options.jobs}", "--log", logs[i].name, *patterns,
                                  options.binary], stdout=files[i], stderr=subprocess.STDOUT)
                for i in range(options.jobs)]
    counts, failed, results = [0, 0, 0], {}, []
    try:
        codes = [child.wait() for child in children]
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
    for file, log in zip(files, logs):
        file.seek(0)
        text = file.read()
        last = re.search(r"^netns: (\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M)
        sys.stdout.write(text.replace(last[0] + "\n", "") if last else text)
        counts = [a + int(b) for a, b in zip(counts, last.groups())] if last else [counts[0], counts[1] + 1, counts[2]]
        failed.update(re.findall(r"^FAIL ([^:\n]+): (.*)$", text, re.M))
        results += log.read().splitlines()
    helped = alone_again(options.binary, failed) if counts[1] == len(failed) else set()
    if options.log:
        options.log.writelines(f"ok {line[5:]}\n" if line[5:] in helped else f"{line}\n" for line in results)
    counts = [counts[0] + len(helped), counts[1] - len(helped), counts[2]]
    print(f"netns: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    return 1 if counts[1] or max(codes) > 1 else 0


def alone_again(binary, failed):
    """The cases of `failed` (name: why) that pass when nothing runs beside them. Four beds on two processors hold each other up, and a
    case is about the daemon, not about its neighbours. What got through, a daemon that ended, and more than a few stay failed."""
    names = [n for n, why in failed.items() if not re.search(r"the server got|the daemon ended|Sanitizer|runtime error", why)]
    if not names or len(failed) > AGAIN_MAX:
        return set()
    done = subprocess.run([sys.executable, __file__, *(word for name in names for word in ("--only", name)), binary],
                          stdout=subprocess.PIPE, text=True, check=False)
    passed = set(re.findall(r"^ok ([^:\n]+)$", done.stdout, re.M)) & set(names)
    for name in sorted(passed):
        print(f"# {name} passes alone; beside other beds: {failed[name]}")
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="PATTERN", help="cases whose name holds this (* and ? allowed)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many side by side, each in a bed of its own")
    parser.add_argument("--share", metavar="I/N", help="only the I-th of N shares of the cases")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--log", metavar="FILE", type=argparse.FileType("w"), help="writes a line a case: its result and name")
    parser.add_argument("binary", nargs="?", default=os.path.join(beds.ROOT, "build", "minewall"))
    options = parser.parse_args()
    cases = plan(options.only)
    if options.share:
        number, n = map(int, options.share.split("/"))
        cases = shares(cases, n)[number]
    if options.list:
        print("\n".join(case[0] for case in cases))
        return 0
    why = beds.usable()
    if why:
        print(f"skipped: {why}")
        return 0
    if options.jobs > 1:
        return run_shares(options)
    with beds.Bed() as bed:
        runner = Runner(Context(bed, os.path.abspath(options.binary)), options.log)
        for setup in SETUPS:
            wanted = [c for c in cases if c[1] == setup]
            if wanted:
                runner.setup(setup, wanted)
        runner.alone([c for c in cases if c[1] is None])
    print(f"netns: {runner.passed} passed, {runner.failed} failed, {runner.skipped} skipped")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
