# SPDX-License-Identifier: GPL-2.0-or-later
"""The test bed: a client, a gateway and a server in network namespaces of their own, joined by veth, with no way
out. A library of classes for demo.py and run.py: it builds, reads and tears down, and judges nothing.

    client 198.18.1.2, .3, .9    gateway 198.18.1.1 | 100.64.2.1     server 100.64.2.2 and all of 100.65.0.0/16
    client 2001:db8:1::2, ::3, ::9   gateway 2001:db8:1::1 | 2001:db8:2::1   server 2001:db8:2::2 and all of 2001:db8:65::/64

The gateway is a lived-in one: it masquerades, has a policy-drop firewall and two foreign users of packet mark and
connmark. Every name carries our process id; whatever a killed run left behind is swept by the next."""

import ctypes
import ipaddress
import json
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# A root shell of `su` has no sbin in its PATH, and that is where ip and nft live.
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
PYTHON = ("/usr/bin/python3", "-ISB")  # without site-packages: starts faster, needs nothing, leaves no cache behind
PREFIX = os.environ.get("MINEWALL_BED", "mw")
SLOW = float(os.environ.get("MINEWALL_SLOW", "1"))  # how much longer everything may take: under an emulated processor

MARK_MASK = 0x0E000000
MARK_SHIFT = 25
STATES = ("older", "inspecting", "pending", "pass", "blocked")
FOREIGN_MASK = 0x00FF0000
FOREIGN_MARK = 0x00050000

PORTS = {
    "tls": (443, 8443),
    "http": (80, 8080, 8088),
    "pool": (3333, 14433, 53, 40404),
    "mute": (9000, 9001),
    "say": (9100, 9101),
    "web": (8090,),
    "udp": (5300, 4433),
}
# As whom the daemon runs, by its own choice.
DAEMON_USER = next((e.pw_uid, e.pw_gid) for n in ("minewall", "nobody") for e in pwd.getpwall() if e.pw_name == n)
LOAD_PORT = 8088  # HTTP whose bytes are not logged: for many clients

CLIENT = {4: "198.18.1.2", 6: "2001:db8:1::2"}
CLIENT2 = {4: "198.18.1.3", 6: "2001:db8:1::3"}    # another host behind the gateway
EXEMPT = {4: "198.18.1.9", 6: "2001:db8:1::9"}
GATEWAY_IN = {4: "198.18.1.1", 6: "2001:db8:1::1"}
GATEWAY_OUT = {4: "100.64.2.1", 6: "2001:db8:2::1"}
SERVER = {4: "100.64.2.2", 6: "2001:db8:2::2"}
INSIDE = ("198.18.1.", "2001:db8:1:")
POOL_RANGE = {4: "100.65.0.0/16", 6: "2001:db8:65::/64"}

FIREWALL = """
table inet bed_firewall {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname "g0" oifname "g1" accept
	}
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iifname "lo" accept
		meta l4proto { 1, 58 } accept comment "ICMP, by number: /etc/protocols may be missing"
	}
}
# Two users of the marks, each with its own masked bits, as multi-WAN and VPN programs have them.
table inet bed_marks {
	counter lost { }
	chain restore {
		type filter hook prerouting priority mangle; policy accept;
		ct mark & 0x00fc0000 == 0x00040000 meta mark set meta mark & 0xff03ffff | 0x00040000
		ct mark & 0x00030000 == 0x00010000 meta mark set meta mark & 0xfffcffff | 0x00010000
		iifname "g0" ct state new meta mark set meta mark & 0xff03ffff | 0x00040000
		iifname "g0" ct state new meta mark set meta mark & 0xfffcffff | 0x00010000
		meta mark & 0x00fc0000 == 0x00040000 ct mark set ct mark & 0xff03ffff | 0x00040000
		meta mark & 0x00030000 == 0x00010000 ct mark set ct mark & 0xfffcffff | 0x00010000
	}
	chain check {
		type filter hook forward priority 20; policy accept;
		ct state invalid accept comment "it has no connection to restore a mark from"
		meta mark & 0x00ff0000 != 0x00050000 counter name lost
	}
}
"""

MASQUERADE = """
table inet bed_nat {
	chain post {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "g1" masquerade
	}
}
"""

# Laid over the gateway after the daemon's start: it names the daemon's own mark bits, which a start must refuse.
LEAKS = """
table inet bed_leaks {
	counter leaked { }
	chain forward {
		type filter hook forward priority 20; policy accept;
		meta mark & 0x0e000000 != 0 counter name leaked
	}
	chain out {
		type filter hook postrouting priority 150; policy accept;
		meta mark & 0x0e000000 != 0 counter name leaked
	}
}
"""

# The raw client's connections are unknown to its own kernel, which would reset them.
CLIENT_RULES = """
table inet bed_raw {
	chain out {
		type filter hook output priority filter; policy accept;
		tcp sport 61000-61999 tcp flags & rst == rst meta mark != 0x77 drop
	}
}
"""

# The server's namespace is one hop more than it looks: what would have died on the way is not received.
SERVER_RULES = """
table inet bed_hop {
	chain in {
		type filter hook prerouting priority raw; policy accept;
		ip ttl 1 drop
		ip6 hoplimit 1 drop
	}
}
"""


class BedError(Exception):
    """The bed itself does not work: no verdict about the program under test."""


class Interrupted(SystemExit):
    """A signal asked us to go; cleaning up is on the way."""


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def command(*argv, timeout=10, check=True, text_in=None, env=None):
    """Runs one bounded command; returns the CompletedProcess with text output."""
    try:
        done = subprocess.run(argv, input=text_in, capture_output=True, text=True, errors="replace",
                              timeout=timeout * SLOW, env=env)
    except subprocess.TimeoutExpired as error:
        raise BedError(f"{' '.join(argv[:6])}: no end within {timeout} s") from error
    if check and done.returncode:
        raise BedError(f"{' '.join(argv[:8])}: exit {done.returncode}: {done.stderr.strip()[:300]}")
    return done


def usable():
    """None if namespaces can be made here, else why not."""
    if os.geteuid():
        return "needs root"
    for program in ("ip", "nft", "conntrack", "curl", "openssl"):
        if not shutil.which(program):
            return f"needs the program {program}"
    name = f"{PREFIX}{os.getpid()}t"
    try:
        command("ip", "netns", "add", name)
        command("ip", "netns", "exec", name, "true")
    except BedError as error:
        hint = "; in a chroot, `mount --bind DIR DIR` before entering it" if "make-rslave" in str(error) else ""
        return f"needs network namespaces ({error}{hint})"
    finally:
        command("ip", "netns", "del", name, check=False)
    return None


class Namespace:
    def __init__(self, bed, name):
        self.bed = bed
        self.name = name

    def argv(self, *argv):
        return ("ip", "netns", "exec", self.name, *map(str, argv))

    def run(self, *argv, **options):
        return command(*self.argv(*argv), **options)

    def start(self, *argv, **options):
        """A process in here that ends with the bed at the latest."""
        process = subprocess.Popen(self.argv(*argv), preexec_fn=die_with_parent, start_new_session=True, **options)
        self.bed.processes.append(process)
        return process

    def ip(self, *argv):
        command("ip", "-n", self.name, *argv)

    def nft(self, rules):
        self.run("nft", "-f", "-", text_in=rules)

    def pids(self):
        done = command("ip", "netns", "pids", self.name, check=False)
        return [int(pid) for pid in done.stdout.split()]


def sweep():
    """Removes the namespaces and folders of beds whose process is no more."""
    pattern = re.compile(re.escape(PREFIX) + r"(\d+)[cgst]$")
    listed = command("ip", "netns", "list", check=False).stdout.splitlines()
    for name in (line.split()[0] for line in listed if line.strip()):
        found = pattern.match(name)
        if found and not alive(int(found[1])):
            remove_namespace(name)
    pattern = re.compile(re.escape(PREFIX) + r"(\d+)\.bed\.")
    for name in os.listdir(tempfile.gettempdir()):
        found = pattern.match(name)
        if found and not alive(int(found[1])):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)


def alive(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return b"python" in f.read()
    except OSError:
        return False


def alive_process(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def remove_namespace(name):
    done = command("ip", "netns", "pids", name, check=False)
    for pid in done.stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    command("ip", "netns", "del", name, check=False)


class Bed:
    """Use as `with Bed() as bed:`; one at a time in a process, from its main thread."""

    def __init__(self, idle=0):
        self.processes = []
        self.used = 0
        self.idle = idle
        self.tmp = None
        base = f"{PREFIX}{os.getpid()}"
        self.client = Namespace(self, base + "c")
        self.gateway = Namespace(self, base + "g")
        self.server = Namespace(self, base + "s")
        self.kernel = Kernel(self.gateway)

    def __enter__(self):
        self.old_signals = {s: signal.signal(s, self.interrupted)
                            for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            sweep()
            self.tmp = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}.bed.")
            os.chmod(self.tmp, 0o755)
            self.build()
            self.start_servers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for s in self.old_signals:
            signal.signal(s, signal.SIG_IGN)
        for process in self.processes:
            if process.poll() is None:
                process.kill()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        for namespace in (self.client, self.gateway, self.server):
            if os.path.exists(f"/run/netns/{namespace.name}"):
                remove_namespace(namespace.name)
        if self.tmp:
            shutil.rmtree(self.tmp, ignore_errors=True)
        for s, handler in self.old_signals.items():
            signal.signal(s, handler)

    @staticmethod
    def interrupted(number, _frame):
        raise Interrupted(128 + number)

    def build(self):
        c, g, s = self.client, self.gateway, self.server
        for namespace in (c, g, s):
            command("ip", "netns", "add", namespace.name)
            namespace.ip("link", "set", "lo", "up")
            namespace.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
        command("ip", "link", "add", "c0", "netns", c.name, "type", "veth", "peer", "name", "g0", "netns", g.name)
        command("ip", "link", "add", "s0", "netns", s.name, "type", "veth", "peer", "name", "g1", "netns", g.name)
        g.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        # Linux sends one client no more than one ICMP error a second; the cases follow each other faster.
        g.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        for namespace, device, addresses in (
                (c, "c0", (CLIENT, CLIENT2, EXEMPT)), (g, "g0", (GATEWAY_IN,)), (g, "g1", (GATEWAY_OUT,)), (s, "s0", (SERVER,))):
            for address in addresses:
                namespace.ip("addr", "add", address[4] + "/24", "dev", device)
                namespace.ip("addr", "add", address[6] + "/64", "dev", device, "nodad")
            namespace.ip("link", "set", device, "up")
        self.set_gso(True)
        c.ip("route", "add", "default", "via", GATEWAY_IN[4], "src", CLIENT[4])
        c.ip("-6", "route", "add", "default", "via", GATEWAY_IN[6], "src", CLIENT[6])
        s.ip("route", "add", "default", "via", GATEWAY_OUT[4])
        s.ip("-6", "route", "add", "default", "via", GATEWAY_OUT[6])
        # Every address of these ranges is the server's own: each case takes a fresh one.
        s.ip("route", "add", "local", POOL_RANGE[4], "dev", "lo")
        s.ip("-6", "route", "add", "local", POOL_RANGE[6], "dev", "lo")
        g.ip("route", "add", POOL_RANGE[4], "via", SERVER[4])
        g.ip("-6", "route", "add", POOL_RANGE[6], "via", SERVER[6])
        for family in ("-4", "-6"):
            g.ip(family, "rule", "add", "fwmark", "0x10000/0x30000", "lookup", "main", "priority", "30000")
        g.nft(FIREWALL)
        self.set_masquerade(True)
        c.nft(CLIENT_RULES)
        s.nft(SERVER_RULES)

    def set_gso(self, on):
        """Packets larger than the MTU on every link of the bed, or none."""
        for namespace, device in ((self.client, "c0"), (self.gateway, "g0"), (self.gateway, "g1"), (self.server, "s0")):
            word = "on" if on else "off"
            namespace.run("ethtool", "-K", device, "tso", word, "gso", word, "gro", word)

    def set_masquerade(self, on):
        self.gateway.run("nft", "delete", "table", "inet", "bed_nat", check=False)
        if on:
            self.gateway.nft(MASQUERADE)

    def start_servers(self):
        cert, key = os.path.join(self.tmp, "cert.pem"), os.path.join(self.tmp, "key.pem")
        command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=bed", "-days", "2", "-keyout", key, "-out", cert)
        path = os.path.join(self.tmp, "server.jsonl")
        options = [f"--{kind}={','.join(map(str, ports))}" for kind, ports in PORTS.items()]
        process = self.server.start(*PYTHON, os.path.join(HERE, "server.py"), "--log", path, "--cert", cert,
                                    "--key", key, "--interface", "s0", f"--quiet={LOAD_PORT}", f"--idle={self.idle}", *options,
                                    stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        readable, _, _ = select.select([process.stdout], [], [], 10 * SLOW)
        if not readable or process.stdout.readline() != b"ready\n":
            raise BedError("the servers do not start")
        self.log = ServerLog(path)
        for family in (4, 6):
            self.wait_for_path(SERVER[family])

    def wait_for_path(self, address):
        """A refused connection proves the way there and back."""
        for _ in range(50):
            if self.send(address, 9, "00", wait=0.3 * SLOW)["ended"] == "refused":
                return
            time.sleep(0.05)
        raise BedError(f"no path to {address}")

    def fresh(self, family):
        """An address of the server that nobody has talked to yet."""
        self.used += 1
        return str(ipaddress.ip_network(POOL_RANGE[family])[256 + self.used])

    # -- clients ------------------------------------------------------------------------------

    def send(self, address, port, data, *options, wait=3.0, where=None):
        """Runs stratum_client.py with these bytes (hex) or the name of a dialect; returns its JSON."""
        known = ("--dialect", data) if data in ("stratum-v1", "cryptonote", "eth-proxy") else ("--hex", data)
        done = (where or self.client).run(
            *PYTHON, os.path.join(HERE, "stratum_client.py"), address, port, *known, "--wait", wait * SLOW, *options,
            timeout=wait + 20)
        return json.loads(done.stdout)

    def raw(self, script, timeout=20):
        done = self.client.run(*PYTHON, os.path.join(HERE, "raw_client.py"), text_in=json.dumps(script), timeout=timeout)
        return json.loads(done.stdout)

    def load(self, address, seconds, clients=32, host="www.unlisted.example"):
        """Starts many clients in the background; communicate() with the process gives the JSON of load_client.py."""
        return self.client.start(*PYTHON, os.path.join(HERE, "load_client.py"), address, LOAD_PORT, "--seconds", seconds,
                                 "--clients", clients, "--host", host, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def client_mac(self):
        return self.client.run("cat", "/sys/class/net/c0/address").stdout.strip()

    def curl(self, address, port, name, scheme="https", where=None, source=None, timeout=5, extra=()):
        """{"rc", "code", "why", "reset_ms": time from the TCP connection to the end}"""
        bracketed = f"[{address}]" if ":" in address else address
        argv = ["curl", "-q", "-sS", "--noproxy", "*", "-k", "--http1.1", "--max-time", str(timeout * SLOW), "-o", "/dev/null",
                "--resolve", f"{name}:{port}:{bracketed}", "-w", "%{http_code} %{time_connect} %{time_total}"]
        if scheme == "https":
            argv += ["--tlsv1.3"]
        if source:
            argv += ["--interface", source]
        done = (where or self.client).run(*argv, *extra, f"{scheme}://{name}:{port}/", check=False, timeout=timeout + 10)
        code, connect, total = done.stdout.split()
        return {"rc": done.returncode, "code": int(code), "why": done.stderr.strip().removeprefix("curl: "),
                "ms": (float(total) - float(connect)) * 1000, "connected": float(connect) > 0}

    def openssl(self, address, port, name, timeout=5):
        bracketed = f"[{address}]" if ":" in address else address
        begin = time.monotonic()
        done = self.client.run("openssl", "s_client", "-connect", f"{bracketed}:{port}", "-servername", name, "-tls1_3",
                               "-brief", text_in="", check=False, timeout=timeout)
        output = done.stdout + done.stderr
        return {"rc": done.returncode, "shaken": "Protocol version: TLSv1.3" in output,
                "why": next((line for line in output.splitlines() if "rror" in line or "errno" in line), output[:80]),
                "ms": (time.monotonic() - begin) * 1000}


class ServerLog:
    """What the servers wrote down: read anew at each question, so answers are always current."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.events = []
        self.rest = b""

    def read(self):
        with open(self.path, "rb") as f:
            f.seek(self.offset)
            data = f.read()
        self.offset += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.events.extend(json.loads(line) for line in lines)
        return self.events

    @staticmethod
    def key(address, port):
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def connections(self, address, port):
        """One {"peer", "bytes", "ended", "tls"} for each connection accepted there, in order."""
        found, current = [], {}
        for event in self.read():
            if event["local"] != self.key(address, port) or event["kind"] == "wire":
                continue
            peer = event["peer"]
            if event["what"] == "open" or peer not in current:
                current[peer] = {"peer": peer, "bytes": b"", "ended": None, "tls": None}
                found.append(current[peer])
            if event["what"] == "data":
                current[peer]["bytes"] += bytes.fromhex(event["hex"])
            elif event["what"] == "name":
                current[peer]["tls"] = event["version"]
            elif event["what"] in ("closed", "reset"):
                current[peer]["ended"] = event["what"]
        return found

    def bytes(self, address, port):
        """All bytes that the server's program read there."""
        return b"".join(c["bytes"] for c in self.connections(address, port))

    def packets(self, address, port, payload=True):
        """Packets seen on the server's own wire; `payload`: only those that carry bytes."""
        return [e for e in self.read() if e["kind"] == "wire" and e["local"] == self.key(address, port)
                and (e["len"] or not payload)]


# Prints the tables of its network namespace (nfnetlink: NFT_MSG_GETTABLE as a dump, NFTA_TABLE_NAME).
TABLES = """
import socket, struct
families = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.send(struct.pack("=IHHIIBBH", 20, 10 << 8 | 1, 0x301, 0, 0, 0, 0, 0))
kind = 0
while kind not in (2, 3):
    data = s.recv(1 << 16)
    while data:
        size, kind = struct.unpack_from("=IH", data)
        at = 20
        while kind == 10 << 8 and at < size:
            n, what = struct.unpack_from("=HH", data, at)
            if what & 0x3fff == 1:
                print(families.get(data[16], data[16]), data[at + 4:at + n - 1].decode())
            at += n + 3 & ~3
        data = data[size + 3 & ~3:]
"""


class Kernel:
    """What the gateway's kernel says of itself."""

    SETS = ("endpoints4", "endpoints6", "pairs4", "pairs6", "tries4", "tries6")

    def __init__(self, namespace):
        self.namespace = namespace

    def table(self, name="minewall"):
        """The list of objects of `nft -j list table inet NAME`, or None if there is no such table."""
        done = self.namespace.run("nft", "-j", "list", "table", "inet", name, check=False)
        return json.loads(done.stdout)["nftables"] if done.returncode == 0 else None

    def tables(self):
        """All tables, as "FAMILY NAME"; asked without nft, whose 1.0.6 at times aborts here with a corrupted list of its own."""
        return self.namespace.run(*PYTHON, "-c", TABLES).stdout.splitlines()

    def handle(self):
        """The table's handle: a new table, even of the same shape, has a new one."""
        return next((o["table"]["handle"] for o in self.table() or () if "table" in o), None)

    def elements(self, *sets, address=None, port=None):
        """Elements as {"set", "src", "dst", "proto", "port", "timeout", "expires", "packets"}. The side is told by the
        address (the inside of this bed is known), so that the order of a key's fields is the table's own affair."""
        found = []
        for entry in self.table() or ():
            if "set" not in entry or entry["set"]["name"] not in (sets or self.SETS):
                continue
            for element in entry["set"].get("elem", ()):
                one = self.element(entry["set"]["name"], entry["set"]["type"], element)
                if address in (None, one["dst"]) and port in (None, one["port"]):
                    found.append(one)
        return found

    @staticmethod
    def element(name, types, raw):
        about = raw.get("elem", {}) if isinstance(raw, dict) else {}
        value = about.get("val", raw)
        one = {"set": name, "src": None, "dst": None, "proto": None, "port": None, "timeout": about.get("timeout"),
               "expires": about.get("expires"), "packets": about.get("counter", {}).get("packets")}
        fields = value["concat"] if isinstance(value, dict) and "concat" in value else [value]
        for kind, field in zip(types if isinstance(types, list) else [types], fields):
            if kind == "inet_service":
                one["port"] = field
            elif kind == "inet_proto":
                one["proto"] = field
            elif str(field).startswith(INSIDE) or field in GATEWAY_OUT.values():
                one["src"] = field
            else:
                one["dst"] = field
        return one

    def counter(self, table, name):
        for entry in self.table(table) or ():
            if "counter" in entry and entry["counter"]["name"] == name:
                return entry["counter"]["packets"]
        return None

    def queues(self):
        """{queue number: {"portid", "waiting", "dropped", "user_dropped", "sequence"}} of /proc."""
        done = self.namespace.run("cat", "/proc/net/netfilter/nfnetlink_queue")
        rows = (list(map(int, line.split())) for line in done.stdout.splitlines())
        return {r[0]: {"portid": r[1], "waiting": r[2], "dropped": r[5], "user_dropped": r[6], "sequence": r[7]}
                for r in rows}

    def queued(self):
        """How many packets were ever queued, all queues together."""
        return sum(q["sequence"] for q in self.queues().values())

    def flows(self, family, address=None, port=None):
        """conntrack's entries as {"proto", "src", "dst", "sport", "dport", "mark", "state", "foreign"}."""
        done = self.namespace.run("conntrack", "-L", "-f", f"ipv{family}", check=False)
        found = []
        for line in done.stdout.splitlines():
            field = {}
            for key, value in re.findall(r"(\w+)=(\S+)", line):
                field.setdefault(key, value)
            if "dport" not in field:
                continue
            mark = int(field.get("mark", "0"))
            one = {"proto": line.split()[0], "src": field["src"], "dst": field["dst"], "sport": int(field["sport"]),
                   "dport": int(field["dport"]), "mark": mark, "foreign": mark & FOREIGN_MASK,
                   "state": (mark & MARK_MASK) >> MARK_SHIFT, "text": line}
            if address in (None, one["dst"]) and port in (None, one["dport"]):
                found.append(one)
        return found


class Daemon:
    """`minewall run` in the gateway, with everything that it writes in a folder of its own."""

    def __init__(self, bed, binary, policy, name="daemon"):
        self.bed = bed
        self.binary = os.path.abspath(binary)
        self.folder = os.path.join(bed.tmp, name)
        self.state = os.path.join(self.folder, "state")
        os.makedirs(self.state, exist_ok=True)
        # The log and the control socket are in here: as in /var/log/minewall, the daemon's user makes files.
        os.chown(self.folder, *DAEMON_USER)
        self.policy = self.write("policy.yaml", policy)
        self.stderr = os.path.join(self.folder, "stderr")
        self.process = None

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def start(self, timeout=10, wrap=(), more=()):
        """Starts it with a PATH that holds nothing, so that it can execute nothing by name."""
        self.bed.gateway.run("nft", "delete", "table", "inet", "bed_leaks", check=False)
        with open(self.stderr, "wb") as err:
            self.process = self.bed.gateway.start(*self.argv(wrap, more), stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        deadline = time.monotonic() + timeout * SLOW
        while time.monotonic() < deadline:
            if re.search(r"\bready\b", self.said()):
                self.bed.gateway.nft(LEAKS)
                return self
            if self.process.poll() is not None:
                raise BedError(f"minewall run ended with {self.process.returncode}: {self.said().strip()[:300]}")
            time.sleep(0.01)
        raise BedError(f"minewall run is not ready after {timeout} s: {self.said().strip()[:300]}")

    def argv(self, wrap=(), user=()):
        """The whole command line. `ip netns exec` gives it mounts of its own, so /var/lib can be a folder of ours."""
        return ("sh", "-c", 'mount --bind "$0" /var/lib && exec "$@"', self.state, *wrap, "env", "-i", "PATH=/nonexistent",
                *user, self.binary, "run", "-c", self.policy)

    def refused(self, user=(), timeout=10):
        """Runs it expecting that it ends by itself at once: (exit status, what it said)."""
        done = self.bed.gateway.run(*self.argv(user=user), check=False, timeout=timeout)
        return done.returncode, (done.stdout + done.stderr).strip()

    def said(self):
        with open(self.stderr, encoding="utf-8", errors="replace") as f:
            return f.read()

    def verb(self, verb, *arguments, timeout=10):
        """Runs another verb against this daemon; returns the CompletedProcess."""
        return self.bed.gateway.run(self.binary, verb, "-c", self.policy, *arguments, check=False, timeout=timeout)

    def json(self, verb, *arguments):
        """Output of a verb with --json: one value, or one a line."""
        done = self.verb(verb, "--json", *arguments)
        if done.returncode not in (0, 1):
            raise BedError(f"minewall {verb} --json: exit {done.returncode}: {done.stderr.strip()[:200]}")
        text = done.stdout.strip()
        try:
            value = json.loads(text) if text else []
            return value if isinstance(value, list) or verb == "status" else [value]
        except ValueError:
            return [json.loads(line) for line in text.splitlines()]

    def events(self, address=None, port=None):
        return [e for e in self.json("log") if e.get("event_type") == "alert"
                and address in (None, e.get("dest_ip")) and port in (None, e.get("dest_port"))]

    def stop(self):
        """Ends it by SIGTERM and waits; returns its exit status."""
        self.bed.gateway.run("nft", "delete", "table", "inet", "bed_leaks", check=False)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise BedError("minewall did not end within 10 s of SIGTERM")
        return self.process.returncode

    def readers(self):
        """Processes that hold a queue's socket: found by the socket's inode, since a port id is no process id."""
        portids = {q["portid"] for q in self.bed.kernel.queues().values()}
        rows = [line.split() for line in self.bed.gateway.run("cat", "/proc/net/netlink").stdout.splitlines()[1:]]
        wanted = {f"socket:[{row[9]}]" for row in rows if row[1] == "12" and int(row[2]) in portids}
        found = []
        for pid in self.bed.gateway.pids():
            try:
                links = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            except OSError:
                continue
            if links & wanted:
                found.append(pid)
        return found
