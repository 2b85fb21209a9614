# SPDX-License-Identifier: GPL-2.0-or-later
"""A site of gateways: each with a client behind it, all of them with the same inside addresses, and outside of them pools, a web server
and the broker, in network namespaces joined by veth, with no way out. A library: it builds, reads and tears down, and judges nothing.

    client 198.18.1.2, 2001:db8:1::2     gateway i 203.0.113.(8i+10)     outside 203.0.113.1 (broker), .2 (a second one), and of pools all of
                                                                         198.19.0.0/16 and 2001:db8:65::/64"""

import base64
import contextlib
import ctypes
import ipaddress
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "netns"))
import bed as beds
import broker as brokers
import mqtt

POOLS = {4: ipaddress.ip_network("198.19.0.0/16"), 6: ipaddress.ip_network("2001:db8:65::/64")}
WEB = "198.19.250.1"                # where steady traffic goes
ALLOWED = "198.19.251.0/24"         # of the policy
BROKER, SECOND = "203.0.113.1", "203.0.113.2"
POOL_PORT = 3333
CLONE_NEWNET = 0x40000000
PREFIX = "mwfl"
LIBC = ctypes.CDLL(None, use_errno=True)

POLICY = """\
version: 1
mode: enforce
queues: {{first: 10, count: 1, length: 4096}}
block: {{names: [pool.listed.example], timeout: {{endpoint: {timeout}}}}}
allow: {{addresses: [{allowed}]}}
control: {folder}/control.sock
log: {{file: {folder}/eve.json}}
state: {folder}/learnt
memory: {{flows: 4096, reassembly: 1MiB, endpoints: {endpoints}}}
fleet:
  broker: mqtts://{broker}:8883
  ca: {ca}
  certificate: {certificate}
  key: {key}
  site: {site}
  gateway: {name}
  role: {role}
  keys: {keys}
  confirm: {confirm}
  rate: {rate}
  hints: {hints}
"""


class Failed(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Failed(text)


def until(question, seconds=10.0):
    end = time.monotonic() + seconds * beds.SLOW
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


class Lines:
    """A child's lines, read by a thread as they come."""

    def __init__(self, process):
        self.process = process
        self.rows = []
        self.more = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            with self.more:
                self.rows.append(line.rstrip("\n"))
                self.more.notify_all()

    def wait(self, question, seconds):
        """The first answer of `question(rows)` that is true, or None."""
        end = time.monotonic() + seconds * beds.SLOW
        with self.more:
            while not (answer := question(self.rows)):
                if not self.more.wait(max(0, end - time.monotonic())) and time.monotonic() >= end:
                    return None
            return answer


class Gateway:
    """What bed.Daemon calls a bed: a gateway with its client."""

    def __init__(self, site, i):
        self.site, self.i = site, i
        self.name = f"gw{i + 1}"
        self.processes, self.tmp = site.processes, site.tmp
        self.client = beds.Namespace(site, f"{site.base}c{i}")
        self.gateway = beds.Namespace(site, f"{site.base}g{i}")
        self.kernel = beds.Kernel(self.gateway)
        self.signer = mqtt.Signer(self.name, seed := os.urandom(32))
        self.seed = seed
        self.daemon = self.miner = self.watch = None

    def build(self):
        c, g, o, i = self.client, self.gateway, self.site.outside, self.i
        for namespace in (c, g):
            beds.command("ip", "netns", "add", namespace.name)
            namespace.ip("link", "set", "lo", "up")
            namespace.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
        beds.command("ip", "link", "add", "c0", "netns", c.name, "type", "veth", "peer", "name", "g0", "netns", g.name)
        beds.command("ip", "link", "add", f"o{i}", "netns", o.name, "type", "veth", "peer", "name", "g1", "netns", g.name)
        g.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        near, far = f"203.0.113.{8 * i + 9}", f"203.0.113.{8 * i + 10}"
        for namespace, device, four, six in ((c, "c0", "198.18.1.2/24", "2001:db8:1::2/64"), (g, "g0", "198.18.1.1/24", "2001:db8:1::1/64"),
                                             (g, "g1", far + "/30", f"2001:db8:9:{i}::2/64"), (o, f"o{i}", near + "/30", f"2001:db8:9:{i}::1/64")):
            namespace.ip("addr", "add", four, "dev", device)
            namespace.ip("addr", "add", six, "dev", device, "nodad")
            namespace.ip("link", "set", device, "up")
        c.ip("route", "add", "default", "via", "198.18.1.1")
        c.ip("-6", "route", "add", "default", "via", "2001:db8:1::1")
        g.ip("route", "add", "default", "via", near)
        g.ip("-6", "route", "add", "default", "via", f"2001:db8:9:{i}::1")
        g.nft("table inet bed_nat { chain post { type nat hook postrouting priority srcnat; policy accept; oifname \"g1\" masquerade; }; }")

    def start(self, binary, broker=BROKER, more=(), **values):
        """The daemon, with what of the policy is to be another; kept for a start anew."""
        site, folder = self.site, os.path.join(self.tmp, self.name)
        self.values = {"timeout": "1h", "allowed": ALLOWED, "endpoints": 65536, "role": "both", "confirm": 2, "rate": 60, "hints": 20000, "site": mqtt.SITE,
                       "name": self.name, **values}
        text = POLICY.format(folder=folder, broker=broker, ca=site.authority.path("ca.pem"), certificate=site.authority.certificate(self.name),
                             key=site.authority.path("all.key"), keys=os.path.join(folder, "gateways"), **self.values)
        self.daemon = beds.Daemon(self, binary, text, self.name)
        os.makedirs(os.path.join(folder, "learnt"), exist_ok=True)
        os.chown(os.path.join(folder, "learnt"), *beds.DAEMON_USER)
        seed = os.path.join(folder, "learnt", "fleet.key")
        with open(seed, "wb") as f:
            f.write(self.seed)
        os.chmod(seed, 0o600)
        os.chown(seed, *beds.DAEMON_USER)
        self.write_keys()
        self.daemon.start(more=more)
        return self

    def write_keys(self, lines=None):
        """The gateways that it trusts: all of the site, unless said otherwise."""
        text = "".join(lines if lines is not None else [s.line() for s in self.site.signers.values()])
        with open(os.path.join(self.tmp, self.name, "gateways"), "w") as f:
            f.write("# of the bed\n" + text)

    def reload(self):
        done = self.daemon.verb("reload")
        need(done.returncode == 0, f"reload: {done.stderr.strip()}")

    def watching(self):
        """Begins to note what its kernel tells of elements; before the first question."""
        if not self.watch:
            process = self.gateway.start(*beds.PYTHON, os.path.join(HERE, "watch.py"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
            self.watch = Lines(process)
            need(self.watch.wait(lambda rows: rows, 10), "the watcher of nftables does not start")
        return self.watch

    @staticmethod
    def key(address):
        return ipaddress.ip_address(address).packed.hex()

    def seen_ns(self, address, port, seconds=10, word="add", after=0):
        """When its kernel got the element, as that told it; None: it did not."""
        wanted, place = self.key(address), f"{port:04x}"

        def first(rows):
            for row in rows[1:]:
                when, what, table, name, key = row.split()
                if what == word and table == "minewall" and name.startswith("endpoints") and wanted in key and place in key and int(when) > after:
                    return int(when)
            return None

        return self.watching().wait(first, seconds)

    def has(self, address, port):
        return bool(self.kernel.elements("endpoints4", "endpoints6", address=address, port=port))

    def endpoints(self):
        return {(e["dst"], e["port"]) for e in self.kernel.elements("endpoints4", "endpoints6")}

    def mine(self, address, port=POOL_PORT, dialect="stratum-v1", wait=3.0):
        """A device behind it logs in: (how it ended, bytes that the pool answered, when it sent its login)."""
        if not self.miner:
            self.miner = self.client.start(*beds.PYTHON, os.path.join(HERE, "miner.py"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.miner.stdin.write(f"{address} {port} {dialect} {wait * beds.SLOW}\n")
        self.miner.stdin.flush()
        ended, received, sent = self.miner.stdout.readline().split()
        return ended, int(received), int(sent)

    def load(self, seconds, clients=8):
        """Steady traffic that must not be harmed; lost() reads it."""
        return self.client.start(*beds.PYTHON, os.path.join(HERE, "..", "netns", "load_client.py"), WEB, beds.LOAD_PORT, "--seconds", seconds, "--clients", clients,
                                 "--timeout", 5 * beds.SLOW, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def status(self):
        """What `minewall fleet status --json` says."""
        return self.daemon.json("fleet", "status")[0]

    def helper(self):
        """The process id of the one that talks to the broker, told by the library that it has; None if there is none."""
        found = [pid for pid in self.gateway.pids() if self.has_library(pid, "libmosquitto")]
        return found[0] if found else None

    @staticmethod
    def has_library(pid, name):
        try:
            with open(f"/proc/{pid}/maps") as f:
                return name in f.read()
        except OSError:
            return False


class Site:
    """Use as `with Site(3) as site:`."""

    def __init__(self, n, fakes=(), skew=None):
        self.skew = skew    # tests/faults/skew.c: certificates of yesterday, for clocks that are wrong
        self.base = f"{PREFIX}{os.getpid()}"
        self.processes = []
        self.outside = beds.Namespace(self, self.base + "o")
        self.tmp = None
        self.n, self.fakes = n, fakes
        self.brokers = []
        self.used = 0

    def __enter__(self):
        try:
            sweep()
            self.tmp = tempfile.mkdtemp(prefix=self.base + ".")
            os.chmod(self.tmp, 0o755)
            self.gateways = [Gateway(self, i) for i in range(self.n)]
            self.signers = {g.name: g.signer for g in self.gateways} | {name: mqtt.Signer(name) for name in self.fakes}
            self.authority = brokers.Authority(os.path.join(self.tmp, "ca"), self.yesterday() if self.skew else ())
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for one in self.brokers:
            one.kill()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        for namespace in [self.outside] + [n for g in getattr(self, "gateways", ()) for n in (g.client, g.gateway)]:
            if os.path.exists(f"/run/netns/{namespace.name}"):
                beds.remove_namespace(namespace.name)
        if self.tmp:
            shutil.rmtree(self.tmp, ignore_errors=True)

    def build(self):
        o = self.outside
        beds.command("ip", "netns", "add", o.name)
        o.ip("link", "set", "lo", "up")
        o.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
        for address in (BROKER, SECOND):
            o.ip("addr", "add", address + "/32", "dev", "lo")
        o.ip("route", "add", "local", str(POOLS[4]), "dev", "lo")
        o.ip("-6", "route", "add", "local", str(POOLS[6]), "dev", "lo")
        for gateway in self.gateways:
            gateway.build()
        cert, key = os.path.join(self.tmp, "web.pem"), os.path.join(self.tmp, "web.key")
        shutil.copy(self.authority.certificate("web"), cert)
        shutil.copy(self.authority.path("all.key"), key)
        process = o.start(*beds.PYTHON, os.path.join(HERE, "..", "netns", "server.py"), "--log", os.path.join(self.tmp, "server.jsonl"), "--cert", cert, "--key", key,
                          "--interface", "lo", f"--quiet={beds.LOAD_PORT}", f"--http={beds.LOAD_PORT}", f"--pool={POOL_PORT}", "--tls=443", stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL)
        need(select.select([process.stdout], [], [], 10 * beds.SLOW)[0] and process.stdout.readline() == b"ready\n", "the servers do not start")
        self.log = beds.ServerLog(os.path.join(self.tmp, "server.jsonl"))

    def yesterday(self):
        path = os.path.join(self.tmp, "yesterday")
        with open(path, "wb") as f:
            f.write(struct.pack("=q", -2 * 86400))
        return "env", f"LD_PRELOAD={self.skew}", f"SKEW_FILE={path}"

    def broker(self, name="broker", address=BROKER, **how):
        one = brokers.Broker(os.path.join(self.tmp, name), self.authority, address, run=self.outside.argv(), name=name, **how)
        self.brokers.append(one)
        return one

    @contextlib.contextmanager
    def inside(self, namespace=None):
        """What is opened meanwhile by this thread is in that namespace: the outside one."""
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{(namespace or self.outside).name}", os.O_RDONLY)
        try:
            need(LIBC.setns(there, CLONE_NEWNET) == 0, "the namespace cannot be entered")
            yield
        finally:
            LIBC.setns(back, CLONE_NEWNET)
            os.close(back)
            os.close(there)

    def connect(self, name, address=BROKER, client_id=None, **how):
        """A client of that name's certificate, in the outside namespace."""
        with self.inside():
            return mqtt.Client(address, 8883, client_id or f"minewall-{name}", self.authority.context(name), **how)

    def subscriber(self, address=BROKER, name="independent"):
        """One who only reads, and is none of the gateways."""
        client = self.connect(name, address)
        client.subscribe(f"minewall/{mqtt.SITE}/+/endpoint/#", f"minewall/{mqtt.SITE}/+/status")
        return client

    def tap(self):
        """Notes from now on when something comes to the broker."""
        process = self.outside.start(*beds.PYTHON, os.path.join(HERE, "tap.py"), "8883", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        tap = Lines(process)
        need(tap.wait(lambda rows: rows, 10), "the tap at the broker does not start")
        return tap

    @staticmethod
    def came_ns(tap, gateway, after):
        """When the gateway's first segment came that is later than `after`."""
        source = f"203.0.113.{8 * gateway.i + 10}"
        return tap.wait(lambda rows: next((int(row.split()[0]) for row in rows[1:] if row.endswith(" " + source) and int(row.split()[0]) > after), None), 5)

    def fresh(self, family=4):
        """An address of a pool that nobody has talked to yet."""
        self.used += 1
        return str(POOLS[family][256 + self.used])


def sweep():
    """What a killed run left behind."""
    listed = beds.command("ip", "netns", "list", check=False).stdout.split("\n")
    for name in (line.split()[0] for line in listed if line.strip()):
        found = re.match(PREFIX + r"(\d+)[cgo]\d*$", name)
        if found and not beds.alive(int(found[1])):
            beds.remove_namespace(name)
    for name in os.listdir(tempfile.gettempdir()):
        found = re.match(PREFIX + r"(\d+)\.", name)
        if found and not beds.alive(int(found[1])):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)


def usable():
    """None, or why not."""
    return beds.usable() or (None if brokers.Broker.usable() else "needs mosquitto") or (None if mqtt.Signer.SODIUM else "needs libsodium")


def percentile(values, percent):
    """The smallest value that so many of a hundred do not exceed."""
    rows = sorted(values)
    return rows[max(0, -(-len(rows) * percent // 100) - 1)]


def public_text(signer):
    return base64.b64encode(signer.public).decode()
