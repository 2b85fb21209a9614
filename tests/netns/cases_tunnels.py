# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of tunnels: what goes through a SOCKS or CONNECT proxy is judged by its target's name and by what is inside.
The proxy leads every tunnel to its own address, so the servers' log tells what reached the target."""

import os
import socket
import struct
import subprocess
import time

import bed as beds
import wire
from run import BLOCKED_ADDRESS, LISTED, UNLISTED, every, need, ordinary, until

PROXY, PASSWORD = 1080, 1081


def ready(t):
    """Starts the proxy with the first case that wants it."""
    if not getattr(t.bed, "proxy", None):
        t.bed.proxy = t.bed.server.start(*beds.PYTHON, os.path.join(beds.HERE, "proxy.py"), "--port", PROXY,
                                         "--password", PASSWORD, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        need(t.bed.proxy.stdout.readline() == b"ready\n", "the proxy does not start")
    return t.fresh()


def through(t, scheme, name, port=PROXY, user="", **more):
    """curl to https://NAME through the proxy; (address of the proxy and target, what curl says)."""
    address = ready(t)
    host = f"[{address}]" if t.family == 6 else address
    return address, t.bed.curl(address, 443, name, extra=("--noproxy", "", "--proxy", f"{scheme}://{user}{host}:{port}",
                                                           *more.get("extra", ())))


def taught(t, address):
    return t.kernel.elements("endpoints4", "endpoints6", "pairs4", "pairs6", address=address)


def must_die(t, address, got, evidence, port=PROXY):
    if not t.enforce:
        need(got["code"] == 200, f"monitor mode, curl: {got['why']}")
        need(not taught(t, address), "monitor mode taught the kernel")
        t.must_be_logged(address, port, "allowed", evidence)
        return
    need(got["rc"] and got["code"] == 0, f"curl: exit {got['rc']}, {got['code']} {got['why']}")
    time.sleep(0.05)
    need(not [c for c in t.log.connections(address, 443) if c["bytes"]], "the target got bytes")
    need(not taught(t, address), f"the proxy's own endpoint was taught: {taught(t, address)}")
    t.must_be_logged(address, port, "blocked", evidence)


# socks5 alone resolves the name by itself (by curl's --resolve); the others ask the proxy for it.
PROXIES = {"socks5h": ("socks5h", PROXY, ""), "socks4a": ("socks4a", PROXY, ""), "connect": ("http", PROXY, ""),
           "socks5": ("socks5", PROXY, ""), "socks5h-password": ("socks5h", PASSWORD, "u:p@"),
           "connect-password": ("http", PASSWORD, "u:p@")}


@every(PROXIES, "tunnel-curl-listed")
def listed(t, scheme, port, user):
    address, got = through(t, scheme, LISTED, port, user)
    must_die(t, address, got, "name", port)


@every(PROXIES, "tunnel-curl-unlisted")
def unlisted(t, scheme, port, user):
    address, got = through(t, scheme, UNLISTED, port, user)
    need(got["code"] == 200, f"curl: {got['why']}")
    need(t.log.packets(address, port), "it did not go through the proxy")
    need([c["tls"] for c in t.log.connections(address, 443)] == ["TLSv1.3"], "no TLS 1.3 at the target")
    need(not t.daemon.events(address), "an event about an innocent connection")
    need(not t.kernel.elements(address=address), "the kernel was taught the proxy")


@ordinary("tunnel-connect-407")
def connect_407(t):
    """The password is refused at first: the second CONNECT on the connection is what is entered."""
    address, got = through(t, "http", UNLISTED, PASSWORD, "u:p@", extra=("--proxy-anyauth",))
    need(got["code"] == 200, f"curl, unlisted: {got['why']}")
    need(not t.daemon.events(address), "an event about an innocent connection")
    address, got = through(t, "http", LISTED, PASSWORD, "u:p@", extra=("--proxy-anyauth",))
    must_die(t, address, got, "name", PASSWORD)


# -- preludes by hand, each part sent when the answer to the one before has come ---------------------

def socks5(name, port):
    return [b"\x05\x01\x00", b"\x05\x01\x00\x03" + bytes([len(name)]) + name.encode() + struct.pack("!H", port)]


def socks4a(name, port):
    return [b"\x04\x01" + struct.pack("!H", port) + b"\0\0\0\x01me\0" + name.encode() + b"\0"]


def socks4(_name, port):
    return [b"\x04\x01" + struct.pack("!H", port) + b"\xc6\x33\x64\x14me\0"]


def connect(name, port):
    return [f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode()]


KINDS = {"socks5": socks5, "socks4a": socks4a, "socks4": socks4, "connect": connect}
NESTED = ([socks5], [socks5, connect], [connect, socks4a, socks5], [socks5, socks5, connect, socks4a])


def send(t, parts, mode="parts"):
    """The parts one after the other, or all at once; the address, and what the client saw."""
    address, data = ready(t), b"".join(parts)
    cuts = [sum(map(len, parts[:i])) for i in range(1, len(parts))]
    how = ("--mode", "cuts", "--cuts", ",".join(map(str, cuts)), "--delay-ms", "60") if mode == "parts" and cuts else ()
    return address, t.bed.send(address, PROXY, data.hex(), *how, "--linger", "0.15", wait=1.5)


def pool_must_lack(t, address, line, got):
    if not t.enforce:
        need(until(lambda: line in t.log.bytes(address, 3333)), "monitor mode: the pool did not get the line")
        t.must_be_logged(address, PROXY, "allowed", "protocol")
        return
    need(got["ended"] == "reset", f"the client saw {got['ended']}, no reset")
    time.sleep(0.05)
    need(line not in t.log.bytes(address, 3333), "the pool got the line")
    need(not taught(t, address), f"the proxy's own endpoint was taught: {taught(t, address)}")
    t.must_be_logged(address, PROXY, "blocked", "protocol")


STRATUM = {f"{kind}/{mode}": (kind, mode) for kind in KINDS for mode in ("parts", "pipelined")}


@every(STRATUM, "tunnel-stratum")
def stratum(t, kind, mode):
    line = wire.STRATUM["cryptonote"]
    address, got = send(t, [*KINDS[kind]("unknown.example", 3333), line], mode)
    pool_must_lack(t, address, line, got)


@every({kind: (kind,) for kind in KINDS}, "tunnel-hello")
def hello_inside(t, kind):
    """The target is unlisted: what decides is the ClientHello inside."""
    for name in (UNLISTED, LISTED):
        hello = wire.client_hello(name)
        address, got = send(t, [*KINDS[kind]("unknown.example", 443), hello])
        blocked = t.enforce and name == LISTED
        need(got["ended"] == ("reset" if blocked else "done"), f"{name}: the client saw {got['ended']}")
        need((hello in t.log.bytes(address, 443)) != blocked, f"{name}: the target got {len(t.log.bytes(address, 443))} bytes")
        need(not taught(t, address), "the proxy's own endpoint was taught")
        if name == LISTED:
            t.must_be_logged(address, PROXY, "blocked" if blocked else "allowed", "name")
        else:
            need(not t.daemon.events(address), "an event about an innocent connection")


@ordinary("tunnel-to-blocked-address")
def blocked_address(t):
    address = BLOCKED_ADDRESS[t.family].format(7)
    packed = socket.inet_pton(socket.AF_INET if t.family == 4 else socket.AF_INET6, address)
    ask = b"\x05\x01\x00" + (b"\x01" if t.family == 4 else b"\x04") + packed + struct.pack("!H", 9000)
    bracketed = f"[{address}]" if t.family == 6 else address
    for parts in ([b"\x05\x01\x00", ask], connect(bracketed, 9000)):
        proxy, got = send(t, [*parts, b"any bytes at all\n"])
        need((got["ended"] == "reset") == t.enforce, f"the client saw {got['ended']}")
        need(bool(t.log.connections(proxy, 9000)) != t.enforce, "the proxy was asked for it" if t.enforce else "no connection")
        need(not taught(t, proxy), "the proxy's own endpoint was taught")
        t.must_be_logged(proxy, PROXY, "blocked" if t.enforce else "allowed", "address")


@every({str(len(kinds)): (kinds,) for kinds in NESTED}, "tunnel-nested-stratum", modes=("enforce",))
def nested(t, kinds):
    line = wire.STRATUM["cryptonote"]
    parts = [part for kind in kinds[:-1] for part in kind("proxy.example", PROXY)]
    address, got = send(t, [*parts, *kinds[-1]("unknown.example", 3333), line])
    pool_must_lack(t, address, line, got)


@ordinary("tunnel-proxy-stays")
def proxy_stays(t):
    """A miner behind a proxy is cut off; its neighbours, and its own other connections, go on using the proxy."""
    line = wire.STRATUM["cryptonote"]
    address, _ = send(t, [*socks5("unknown.example", 3333), line])
    host = f"[{address}]" if t.family == 6 else address
    for where in (t.bed.client, t.bed.gateway):
        got = t.bed.curl(address, 443, UNLISTED, where=where, extra=("--noproxy", "", "--proxy", f"socks5h://{host}:{PROXY}"))
        need(got["code"] == 200, f"curl through the same proxy: {got['why']}")


@ordinary("tunnel-json-passes")
def json_passes(t):
    for line in wire.NOT_MINING.values():
        address, got = send(t, [*socks5("home.example", 9000), line])
        need(until(lambda: line in t.log.bytes(address, 9000)), f"the target did not get the line, the client saw {got['ended']}")
        need(not t.daemon.events(address), "an event about an innocent connection")
