#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs as clients, each in the bed against the real daemon: a listed name or a miner's words must end in the client's own
error, and the server's own log must lack them; an unlisted name or harmless words must pass. A program that is not installed is
skipped with its name. Nothing here mines: the pool of the bed hands out no job, and of npm only the proxy is run.

usage: clients.py [--only PATTERN]... [build/minewall]"""

import argparse
import fnmatch
import json
import os
import shutil
import struct
import subprocess
import sys
import time
import urllib.parse
import zlib

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "netns")]
import bed as beds  # noqa: E402
import run  # noqa: E402
import servers  # noqa: E402
import tricks_words  # noqa: E402
from evade import start_servers  # noqa: E402
from run import ALLOWED_ADDRESS, LISTED, UNLISTED, Skipped, need, until  # noqa: E402

SECONDS = 8
NPM_SECONDS = 60
PROXY_PORT = 8190
PACKAGE = "coin-hive-stratum@1.4.10"
CASES = []


def case(name, *programs, families=(4, 6)):
    def register(function):
        for family in families:
            CASES.append((f"{name}/v{family}", family, function, programs))
        return function
    return register


def bracketed(address):
    return f"[{address}]" if ":" in address else address


def call(t, *argv, where=None, seconds=SECONDS, names=(), text_in=""):
    """Runs a client; `names`: (name, address) pairs that it finds in /etc/hosts. Output and errors come together."""
    if names:
        hosts = os.path.join(t.bed.tmp, "hosts")
        with open(hosts, "w", encoding="ascii") as f:
            f.writelines(f"{address} {name}\n" for name, address in names)
        argv = ("sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, *argv)
    done = (where or t.bed.client).run("timeout", "-k", "1", seconds, *argv, check=False, timeout=seconds + 10, text_in=text_in)
    return done.returncode, done.stdout + done.stderr


def whole_hello(data):
    """Did the server get a complete first TLS record?"""
    return len(data) > 5 and len(data) >= 5 + struct.unpack("!H", data[3:5])[0]


def whole_head(data):
    return b"\r\n\r\n" in data


def listed_and_not(t, port, whole, client):
    """`client(t, name, address)` gives an exit status and what it said: first for the unlisted name, then for the listed one."""
    address = t.fresh()
    status, said = client(t, UNLISTED, address)
    need(status == 0, f"an unlisted name: exit {status}: {said.strip()[-200:]}")
    need(whole(t.log.bytes(address, port)), "an unlisted name: nothing came to the server")
    need(not t.daemon.events(address), "an event about an innocent connection")
    address = t.fresh()
    status, said = client(t, LISTED, address)
    need(status != 0, f"the listed name: exit 0: {said.strip()[-200:]}")
    time.sleep(0.05)
    need(not whole(t.log.bytes(address, port)), "the listed name came to the server")
    need(until(lambda: t.daemon.events(address)), "the listed name: no event")


# -- TLS and HTTP ---------------------------------------------------------------------------------

@case("curl-https", "curl")
def curl_https(t):
    listed_and_not(t, 443, whole_hello, lambda t, name, address: call(
        t, "curl", "-q", "-sSk", "--noproxy", "*", "--resolve", f"{name}:443:{bracketed(address)}", f"https://{name}/"))


@case("curl-http", "curl")
def curl_http(t):
    listed_and_not(t, 80, whole_head, lambda t, name, address: call(
        t, "curl", "-q", "-sS", "--noproxy", "*", "--resolve", f"{name}:80:{bracketed(address)}", f"http://{name}/"))


@case("curl-h2c", "curl")
def curl_h2c(t):
    """HTTP/2 in cleartext: the server of the bed does not answer it, so what came to it tells."""
    if "HTTP2" not in call(t, "curl", "--version")[1].split():
        raise Skipped("this curl speaks no HTTP/2")
    for name, passes in ((UNLISTED, True), (LISTED, False)):
        address = t.fresh()
        status, said = call(t, "curl", "-q", "-sS", "--noproxy", "*", "--http2-prior-knowledge", "--max-time", "1", "--resolve",
                            f"{name}:9000:{bracketed(address)}", f"http://{name}:9000/")
        data = t.log.bytes(address, 9000)
        headers = [at for at in range(24, len(data) - 9) if data[at + 3:at + 5] in (b"\x01\x05", b"\x01\x04")]
        need(bool(headers) == passes, f"{name}: the server got {len(data)} bytes, exit {status}: {said.strip()[:100]}")


@case("openssl-s-client", "openssl")
def openssl(t):
    listed_and_not(t, 443, whole_hello, lambda t, name, address: call(
        t, "openssl", "s_client", "-connect", f"{bracketed(address)}:443", "-servername", name, "-brief"))


@case("gnutls-cli", "gnutls-cli")
def gnutls(t):
    listed_and_not(t, 443, whole_hello, lambda t, name, address: call(
        t, "gnutls-cli", "--no-ca-verification", "--port", "443", "--sni-hostname", name, address))


@case("wget-https", "wget")
def wget_https(t):
    listed_and_not(t, 443, whole_hello, lambda t, name, address: call(
        t, "wget", "-q", "--no-config", "--no-check-certificate", "--tries=1", "-O", "-", f"https://{name}/",
        names=((name, address),)))


@case("wget-http", "wget")
def wget_http(t):
    listed_and_not(t, 80, whole_head, lambda t, name, address: call(
        t, "wget", "-q", "--no-config", "--tries=1", "-O", "-", f"http://{name}/", names=((name, address),)))


NODE_GET = """
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
const [name, address] = process.argv.slice(1);
require("https").get({host: address, servername: name, headers: {Host: name}}, r => { r.resume(); r.on("end", () => process.exit(0)); })
	.on("error", e => { console.error(e.message); process.exit(1); });
"""


@case("node-https", "node")
def node_https(t):
    listed_and_not(t, 443, whole_hello, lambda t, name, address: call(t, "node", "-e", NODE_GET, name, address))


@case("dig", "dig")
def dig(t):
    """The servers' DNS gives the address that the first label names."""
    wanted = "192.0.2.77"
    for name, passes in ((UNLISTED, True), (LISTED, False)):
        address = t.fresh()
        _, said = call(t, "dig", "+short", "+tries=1", "+time=1", f"ac000024d.{name}", "A", f"@{address}")
        need((wanted in said) == passes, f"{name}: dig says {said.strip()[:100]}")
        need(bool(t.log.bytes(address, 53)) == passes, f"{name}: the server got {len(t.log.bytes(address, 53))} bytes")


# -- a browser ------------------------------------------------------------------------------------

def chromium(t, url, *options, seconds=20):
    home = os.path.join(t.bed.tmp, "chromium")
    return call(t, "env", f"HOME={home}", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--no-first-run",
                "--ignore-certificate-errors", "--no-proxy-server", f"--user-data-dir={home}", "--dump-dom", *options, url,
                seconds=seconds)


def browse(t, name, address):
    _, said = chromium(t, f"https://{name}/", f"--host-resolver-rules=MAP {name} {bracketed(address)}")
    return (0 if "hello" in said else 1), said


@case("chromium-https", "chromium")
def chromium_https(t):
    """Its ClientHello has a post-quantum key share: two segments, the name in either."""
    address = t.fresh()
    browse(t, UNLISTED, address)
    data = t.log.bytes(address, 443)
    need(len(data) > 1500 and struct.unpack("!H", data[3:5])[0] > 1500, f"no post-quantum ClientHello: {len(data)} bytes")
    listed_and_not(t, 443, whole_hello, browse)


# -- WebSockets -----------------------------------------------------------------------------------

AUTH = tricks_words.COINHIVE.decode()
HARMLESS = '{"type":"auth","params":{"token":"x"}}'


def messages(data):
    """What a client said over its WebSocket, unmasked and inflated; a message whose end is missing is none."""
    found, at, text = [], data.find(b"\r\n\r\n") + 4, b""
    inflate = zlib.decompressobj(wbits=-15)
    packed = False
    while 4 <= at < len(data) - 1:
        first, size = data[at], data[at + 1] & 127
        at += 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, at = int.from_bytes(data[at:at + wide], "big"), at + wide
        key, body, at = data[at:at + 4], data[at + 4:at + 4 + size], at + 4 + size
        if at > len(data):
            break
        if first & 15 > 2:
            continue
        packed = bool(first & 0x40) if first & 15 else packed
        text += bytes(b ^ key[i % 4] for i, b in enumerate(body))
        if first & 0x80:
            found.append((inflate.decompress(text + b"\0\0\xff\xff") if packed else text).decode())
            text = b""
    return found


def websocket(t, client):
    """`client(t, host, address, message)` opens one to an unlisted host, says the message and stays a while."""
    for message, passes in ((HARMLESS, True), (AUTH, False)):
        address = t.fresh()
        client(t, UNLISTED, address, message)
        said = messages(t.log.bytes(address, servers.WEBSOCKET))
        need((message in said) == passes, f"{message[:40]}: the server got {said}")
        need(bool(t.daemon.events(address)) != passes, "an event about an innocent connection" if passes else "no event")


@case("chromium-websocket", "chromium", families=(4,))
def chromium_websocket(t):
    def client(t, name, address, message):
        page = f"http://{name}:{servers.PAGE}/#{urllib.parse.quote(message)}"
        chromium(t, page, f"--host-resolver-rules=MAP {name} {bracketed(address)}", "--timeout=2000")
    websocket(t, client)


# Stays for a second once the message is said, or until it is answered.
NODE_WS = """
const WebSocket = require("ws"), [url, host, message] = process.argv.slice(1);
const s = new WebSocket(url, {headers: {Host: host}});
s.on("open", () => { s.send(message); setTimeout(() => process.exit(0), 1000); });
s.on("message", m => { console.log(String(m)); process.exit(0); });
s.on("error", e => { console.error(e.message); process.exit(1); });
setTimeout(() => process.exit(2), 8000);
"""


def packages(t):
    """Folder of the npm packages, installed once; without scripts, so nothing but files is taken from there."""
    folder = os.path.join(os.path.dirname(t.binary), "npm")
    if not os.path.isdir(os.path.join(folder, "node_modules", "coin-hive-stratum")):
        os.makedirs(folder, exist_ok=True)
        try:
            done = subprocess.run(("npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund",
                                   "--fetch-retries=0", "--loglevel=error", PACKAGE), capture_output=True, text=True,
                                  timeout=NPM_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Skipped("npm reaches no registry in time") from error
        if done.returncode:
            raise Skipped(f"npm cannot install {PACKAGE}: {(done.stderr.strip() or '?').splitlines()[0][:120]}")
    return os.path.join(folder, "node_modules")


def node_ws(t, url, message, where=None):
    return call(t, "env", f"NODE_PATH={packages(t)}", "node", "-e", NODE_WS, url, UNLISTED, message, where=where, seconds=10)


@case("node-websocket", "node", "npm")
def node_websocket(t):
    websocket(t, lambda t, name, address, message: node_ws(
        t, f"ws://{bracketed(address)}:{servers.WEBSOCKET}/proxy", message))


# -- coin-hive-stratum: a web miner's proxy -------------------------------------------------------

PROXY = """
const [host, port, listen] = process.argv.slice(1);
require("coin-hive-stratum")({host, port: +port, pass: "x", donations: [], log: false}).listen(+listen);
console.log("ready");
"""


class Proxy:
    """The package as its README starts it, but for the donations."""

    def __init__(self, t, where, pool):
        self.process = where.start("env", f"NODE_PATH={packages(t)}", "node", "-e", PROXY, pool, 3333, PROXY_PORT,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
        need(self.process.stdout.readline() == "ready\n", "coin-hive-stratum does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(5)


def allowed(t):
    t.number += 1
    return ALLOWED_ADDRESS[t.family].format(t.number)


def auth(wallet="4" + "A" * 94):
    return json.dumps({"type": "auth", "params": {"version": 7, "site_key": wallet, "type": "anonymous", "user": None, "goal": 0}})


@case("coin-hive-stratum-to-its-pool", "node", "npm")
def proxy_to_pool(t):
    """The proxy runs behind the gateway: its login is what must not leave. To an allowed pool it does, and then it is let in."""
    for pool, passes in ((allowed(t), True), (t.fresh(), False)):
        with Proxy(t, t.bed.client, pool):
            _, said = node_ws(t, f"ws://127.0.0.1:{PROXY_PORT}/", auth(), where=t.bed.client)
        got = t.log.bytes(pool, 3333)
        need((b'"login"' in got) == passes, f"the pool got {got[:120]!r}")
        need(("authed" in said) == passes, f"the browser's side heard {said.strip()[:120]!r}")
        need(passes or until(lambda: t.daemon.events(pool, 3333)), "no event")


@case("coin-hive-stratum-from-its-page", "node", "npm")
def page_to_proxy(t):
    """The proxy is outside: the page's frames to it are what must not leave."""
    pool = "127.0.0.1"
    with Proxy(t, t.bed.server, pool):
        for address, passes in ((allowed(t), True), (t.fresh(), False)):
            before = len(t.log.bytes(pool, 3333))
            _, said = node_ws(t, f"ws://{bracketed(address)}:{PROXY_PORT}/", auth("4" + str(t.number) * 94))
            got = t.log.bytes(pool, 3333)[before:]
            need((b'"login"' in got) == passes, f"the proxy's pool got {got[:120]!r}")
            need(("authed" in said) == passes, f"the page heard {said.strip()[:120]!r}")
            need(passes or until(lambda: t.daemon.events(address, PROXY_PORT)), "no event")


# -- running them ---------------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="PATTERN", help="cases whose name holds this (* and ? allowed)")
    parser.add_argument("binary", nargs="?", default=os.path.join(beds.ROOT, "build", "minewall"))
    options = parser.parse_args()
    why = beds.usable()
    if why:
        print(f"skipped: {why}")
        return 0
    wanted = [c for c in CASES if any(fnmatch.fnmatch(c[0], f"*{p}*") for p in options.only or ("*",))]
    with beds.Bed() as bed:
        t = run.Context(bed, os.path.abspath(options.binary))
        start_servers(t)
        t.daemon = t.make(run.policy(), "clients").start()
        runner = run.Runner(t, None)
        for name, t.family, function, programs in wanted:
            lacking = [p for p in programs if not shutil.which(p)]
            if lacking:
                runner.say("skipped", name, f"{lacking[0]} is not installed")
            else:
                runner.one(name, function)
    print(f"clients: {runner.passed} passed, {runner.failed} failed, {runner.skipped} skipped")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
