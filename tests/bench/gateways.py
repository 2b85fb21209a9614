# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench's bed: one client and one server, and between them several gateways side by side, each in a namespace of its own.
The address that is asked for decides which gateway is passed, so runs alternate without a restart of anything.

    client 198.18.K.2 | 198.18.K.1 gateway K 100.64.K.1 | 100.64.K.2 server, and all of 100.(100+K).0.0/16
    client 2001:db8:1K::2 ... gateway K ... 2001:db8:2K::2 server, and all of 2001:db8:1000+K::/64"""

import ctypes
import ipaddress
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "netns"))
sys.dont_write_bytecode = True
import bed  # noqa: E402

PREFIX = os.environ.get("MINEWALL_BENCH_BED", "mwb")
PORT = 443
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_BIND, MS_REC, MS_SLAVE = 4096, 16384, 1 << 19


class Cpu:
    """CPU time of everything that we start, by a control group of our own; also the largest share of a machine that others use."""

    def __init__(self):
        self.folders, self.counter = [], None
        name = f"minewall-bench-{os.getpid()}"
        for parent, counter in (("/sys/fs/cgroup/cpu", None), ("/sys/fs/cgroup/cpuacct", "cpuacct.usage"),
                                ("/sys/fs/cgroup", "cpu.stat")):
            folder = os.path.join(parent, name)
            try:
                if os.path.exists(os.path.join(parent, "cgroup.procs")):
                    os.makedirs(folder, exist_ok=True)
                    self.write(folder, "cgroup.procs", os.getpid())
                    self.folders.append((parent, folder))
                    if counter and os.path.exists(os.path.join(folder, counter)):
                        self.counter = os.path.join(folder, counter)
                    self.write(folder, "cpu.shares", 262144)
                    self.write(folder, "cpu.weight", 10000)
            except OSError:
                pass

    @staticmethod
    def write(folder, name, value):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, "w", encoding="ascii") as f:
                f.write(str(value))

    def us(self):
        """Microseconds used so far, or None."""
        if not self.counter:
            return None
        with open(self.counter, encoding="ascii") as f:
            text = f.read()
        found = re.search(r"usage_usec (\d+)", text)
        return int(found[1]) if found else int(text) / 1000

    def close(self):
        for parent, folder in self.folders:
            try:
                self.write(parent, "cgroup.procs", os.getpid())
                os.rmdir(folder)
            except OSError:
                pass


class Quiet:
    """Waits until nothing else wants to run, a while each time and not for ever in all."""

    def __init__(self, each_s, all_s):
        self.each_s, self.left_s = each_s, all_s

    def wait(self):
        begin = time.monotonic()
        while time.monotonic() - begin < min(self.each_s, self.left_s):
            with open("/proc/loadavg", encoding="ascii") as f:
                if int(f.read().split()[3].split("/")[0]) <= 1:     # ourselves
                    break
            time.sleep(0.01)
        self.left_s -= time.monotonic() - begin


class Gateway:
    def __init__(self, bench, index, name):
        self.bench, self.index, self.name = bench, index, name
        self.namespace = bed.Namespace(bench, f"{bench.base}g{index}")
        self.process = None

    def address(self, family, offset=0):
        """The server's address behind this gateway, or one further on."""
        first = f"100.{100 + self.index}.0.0" if family == 4 else f"2001:db8:{0x1000 + self.index:x}::"
        return str(ipaddress.ip_address(first) + offset)

    def build(self):
        c, g, s, k = self.bench.client, self.namespace, self.bench.server, self.index
        bed.command("ip", "netns", "add", g.name)
        g.ip("link", "set", "lo", "up")
        bed.command("ip", "link", "add", f"c{k}", "netns", c.name, "type", "veth", "peer", "name", "g0", "netns", g.name)
        bed.command("ip", "link", "add", f"s{k}", "netns", s.name, "type", "veth", "peer", "name", "g1", "netns", g.name)
        g.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for namespace, device, four, six in ((c, f"c{k}", f"198.18.{k}.2", f"2001:db8:{0x10 + k:x}::2"),
                                             (g, "g0", f"198.18.{k}.1", f"2001:db8:{0x10 + k:x}::1"),
                                             (g, "g1", f"100.64.{k}.1", f"2001:db8:{0x20 + k:x}::1"),
                                             (s, f"s{k}", f"100.64.{k}.2", f"2001:db8:{0x20 + k:x}::2")):
            namespace.ip("addr", "add", four + "/24", "dev", device)
            namespace.ip("addr", "add", six + "/64", "dev", device, "nodad")
            namespace.ip("link", "set", device, "up")
        four, six = f"100.{100 + k}.0.0/16", f"2001:db8:{0x1000 + k:x}::/64"
        c.ip("route", "add", four, "via", f"198.18.{k}.1")
        c.ip("-6", "route", "add", six, "via", f"2001:db8:{0x10 + k:x}::1")
        g.ip("route", "add", four, "via", f"100.64.{k}.2")
        g.ip("-6", "route", "add", six, "via", f"2001:db8:{0x20 + k:x}::2")
        s.ip("route", "add", f"198.18.{k}.0/24", "via", f"100.64.{k}.1")
        s.ip("-6", "route", "add", f"2001:db8:{0x10 + k:x}::/64", "via", f"2001:db8:{0x20 + k:x}::1")
        s.ip("route", "add", "local", four, "dev", "lo")
        s.ip("-6", "route", "add", "local", six, "dev", "lo")

    def set_gso(self, on):
        word, c, g, s = "on" if on else "off", self.bench.client, self.namespace, self.bench.server
        for namespace, device in ((c, f"c{self.index}"), (g, "g0"), (g, "g1"), (s, f"s{self.index}")):
            namespace.run("ethtool", "-K", device, "tso", word, "gso", word, "gro", word)

    def write(self, name, text):
        path = os.path.join(self.folder(), name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def folder(self, name=""):
        path = os.path.join(self.bench.tmp, self.name, name)
        os.makedirs(path, exist_ok=True)
        return path

    def start(self, *argv, ready=b"ready", timeout=20):
        """Starts a program in the gateway and waits until it says that it is ready; when it was executed, in ns."""
        said = os.path.join(self.folder(), "stderr")
        state, libc = self.folder("state").encode(), ctypes.CDLL(None, use_errno=True)
        reader, writer = os.pipe()
        place = os.open(f"/run/netns/{self.namespace.name}", os.O_RDONLY)

        def enter():
            libc.prctl(1, signal.SIGKILL)
            if (libc.setns(place, CLONE_NEWNET) or libc.unshare(CLONE_NEWNS) or
                    libc.mount(None, b"/", None, MS_REC | MS_SLAVE, None) or libc.mount(state, b"/var/lib", None, MS_BIND, None)):
                raise OSError(ctypes.get_errno(), "namespace")
            os.write(writer, str(time.monotonic_ns()).encode())

        with open(said, "wb") as err:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, preexec_fn=enter,
                                            start_new_session=True, env={"PATH": "/nonexistent"})
        self.bench.processes.append(self.process)
        begin = int(os.read(reader, 64))
        for fd in (reader, writer, place):
            os.close(fd)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self.process.poll() is None:
            with open(said, "rb") as f:
                if ready in f.read():
                    return begin
            time.sleep(0.002)
        with open(said, encoding="utf-8", errors="replace") as f:
            raise bed.BedError(f"{argv[0]} does not start: {f.read().strip()[:300]}")

    def stop(self, number=signal.SIGTERM):
        """What it wrote to its standard output until its end."""
        self.process.send_signal(number)
        try:
            return self.process.communicate(timeout=20)[0].decode()
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise bed.BedError(f"{self.name}: no end") from None

    def queue_lines(self):
        with open(f"/proc/{self.process.pid}/net/netfilter/nfnetlink_queue", encoding="ascii") as f:
            return f.readlines()

    def queues(self):
        return len(self.queue_lines())

    def queued(self):
        """Packets that were queued so far, all queues together."""
        return sum(int(line.split()[7]) for line in self.queue_lines())

    def user_s(self, name=""):
        """User time of all threads whose name begins so."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/stat", encoding="ascii") as f:
                before, _, rest = f.read().rpartition(")")
            if before.split("(", 1)[1].startswith(name):
                total += int(rest.split()[11])
        return total / os.sysconf("SC_CLK_TCK")

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024

    def rss_parts(self):
        """What of it is the process's own, and what are pages of files, which the kernel takes back when it likes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            parts = dict(re.findall(r"Rss(\w+):\s+(\d+)", f.read()))
        return f"{int(parts['Anon']) / 1024:.1f} MB anonymous, {int(parts['File']) / 1024:.1f} MB of files"

    def wakeups(self):
        """Of all threads and of the processes that it started."""
        pids, total = [self.process.pid], 0
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            pids += map(int, f.read().split())
        for pid in pids:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
                    total += int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", f.read())[1])
        return total


class Bench(bed.Bed):
    """Use as `with Bench(names) as bench:`."""

    def __init__(self, names, load):
        super().__init__()
        self.load = load
        self.base = f"{PREFIX}{os.getpid()}"
        self.client = bed.Namespace(self, self.base + "c")
        self.server = bed.Namespace(self, self.base + "s")
        self.gateways = {name: Gateway(self, k, name) for k, name in enumerate(names)}
        self.cpu = None

    def __enter__(self):
        self.old_signals = {s: signal.signal(s, self.interrupted) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            self.sweep()
            self.cpu = Cpu()
            self.tmp = tempfile.mkdtemp(prefix=f"{self.base}.bed.")
            os.chmod(self.tmp, 0o755)       # the daemon reads its policy as nobody, and some peers their list
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        super().__exit__(*exc)
        for g in self.gateways.values():
            if os.path.exists(f"/run/netns/{g.namespace.name}"):
                bed.remove_namespace(g.namespace.name)
        if self.cpu:
            self.cpu.close()

    @staticmethod
    def sweep():
        """Removes what a killed run left behind."""
        for line in bed.command("ip", "netns", "list", check=False).stdout.splitlines():
            found = re.match(re.escape(PREFIX) + r"(\d+)(?:[cs]|g\d+)\b", line)
            if found and not bed.alive(int(found[1])):
                bed.remove_namespace(line.split()[0])

    def build(self):
        for namespace in (self.client, self.server):
            bed.command("ip", "netns", "add", namespace.name)
            namespace.ip("link", "set", "lo", "up")
            # each optional: an older kernel may not have it
            for setting in ("net.ipv4.ip_local_port_range=1024 65535", "net.core.somaxconn=16384", "net.ipv4.tcp_max_syn_backlog=16384"):
                namespace.run("sysctl", "-qw", setting, check=False)
        for gateway in self.gateways.values():
            gateway.build()
        self.server.start(self.load, "server", PORT)
        for gateway in self.gateways.values():
            self.await_path(gateway)

    def await_path(self, gateway):
        for family in (4, 6):
            for _ in range(50):
                done = self.client.run(self.load, "connections", gateway.address(family), PORT, "www.unlisted.example", 0.02, 1, "tls")
                if '"connections": 0' not in done.stdout:
                    break
                time.sleep(0.05)
            else:
                raise bed.BedError(f"no path through {gateway.name} by IPv{family}")
