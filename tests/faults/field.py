# SPDX-License-Identifier: GPL-2.0-or-later
"""What a fault's test works with: a bed, a daemon with its folders, steady traffic, and the ways to harm it from outside. It
measures; what is promised stands with each fault."""

import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "netns"))
import bed as beds

LATE_S = 1.0     # an allowed connection that takes longer was delayed
QUIET_S = 0.6    # at the end: nothing may pass any more
SYS_TGKILL = 234 if os.uname().machine == "x86_64" else 131
POOL_PORT = 3333
LEARNT = ("endpoints4", "endpoints6", "pairs4", "pairs6")

POLICY = """\
version: 1
mode: enforce
fail: {fail}
queues: {{first: 10, count: 2, length: {length}}}
block:
  names: [pool.listed.example]
control: {folder}/control.sock
log: {{file: {folder}/log/eve.json}}
state: {folder}/learnt
{more}
"""


class Failed(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Failed(text)


def until(question, seconds=3.0):
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.01)


class Daemon(beds.Daemon):
    """The daemon whose start is watched closely, since its gaps are what is measured."""

    wrap = user = ()

    def launch(self):
        with open(self.stderr, "ab") as err:
            self.said_from = err.tell()
            self.process = self.bed.gateway.start(*self.argv(self.wrap, self.user), stdin=subprocess.DEVNULL, stdout=err, stderr=err)

    def start(self, timeout=10, wrap=()):
        self.launch()
        need(until(lambda: self.is_ready() or self.process.poll() is not None, timeout) and self.is_ready(),
             f"the daemon does not start: {self.said().strip()[-300:]}")
        return self

    def is_ready(self):
        with open(self.stderr, encoding="utf-8", errors="replace") as f:
            f.seek(self.said_from)
            return re.search(r"\bready\b", f.read())

    def threads(self):
        return sorted(int(t) for t in os.listdir(f"/proc/{self.process.pid}/task"))

    @staticmethod
    def name(pid):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                return f.read().strip()
        except OSError:
            return None

    def watchdog(self):
        """The process id of its watchdog, None if there is none."""
        for pid in self.bed.gateway.pids():
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid and fields[0] != "Z" and self.name(pid) == "mw-watchdog":
                return pid
        return None


def figures(rows):
    """Of allowed connections: how many, what became of them, how long the slowest took."""
    ends = [what for _, _, what in rows]
    return {"n": len(rows), "lost": sum(what != "ok" for what in ends), "kinds": sorted({w for w in ends if w != "ok"}),
            "late": sum(what == "ok" and end - begin > LATE_S for begin, end, what in rows),
            "longest": max((end - begin for begin, end, _ in rows), default=0.0)}


def passed(rows):
    """Of a miner's attempts: (tried, how many a pool answered, seconds in which that happened)."""
    spans = []
    for begin, end, what in sorted(rows):
        if what != "passed":
            continue
        if spans and begin - spans[-1][1] < 0.3:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([begin, end])
    return len(rows), sum(what == "passed" for *_, what in rows), sum(end - begin for begin, end in spans)


class Field:
    fresh = 20000  # addresses that no miner tried yet

    def __init__(self, bed, binary, fail, quick):
        self.bed, self.binary, self.fail, self.quick = bed, binary, fail, quick
        self.folder = os.path.join(bed.tmp, "field")
        self.daemon = self.traffic = None
        self.notes = []
        self.children = []

    # -- set-up ---------------------------------------------------------------------------------

    def policy(self, more="", length=4096):
        return POLICY.format(fail=self.fail, length=length, folder=self.folder, more=more)

    def start(self, more="", length=4096, wrap=(), user=(), files=()):
        self.daemon = Daemon(self.bed, self.binary, self.policy(more, length), "field")
        for name, text in dict(files).items():
            self.daemon.write(name, text)
        self.daemon.wrap, self.daemon.user = wrap, user
        self.daemon.start()
        self.known = (self.bed.fresh(4), self.bed.fresh(6))
        for address in self.known:
            self.bed.send(address, POOL_PORT, "stratum-v1", wait=2)
        need(until(lambda: len(self.bed.kernel.elements(*LEARNT)) >= 2), "nothing was taught")

    def teach(self):
        """An endpoint that is tried once and never again."""
        address = self.bed.fresh(4)
        self.bed.send(address, POOL_PORT, "stratum-v1", wait=2)
        need(until(lambda: self.bed.kernel.elements("endpoints4", address=address)), "nothing was taught")
        return address

    def begin(self, seconds=0.5):
        """Traffic from here on."""
        self.traffic = self.bed.client.start(
            *beds.PYTHON, os.path.join(HERE, "traffic.py"), beds.LOAD_PORT, POOL_PORT, *self.known, Field.fresh,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        readable, _, _ = select.select([self.traffic.stdout], [], [], 10)
        need(readable and self.traffic.stdout.readline() == "going\n", "no traffic")
        time.sleep(seconds)

    def settle(self):
        """The fault is over: what passes from now on is wrong."""
        time.sleep(0.3)
        self.quiet_from = time.monotonic()
        time.sleep(QUIET_S)

    def end(self):
        self.traffic.terminate()
        results = json.loads(self.traffic.communicate(timeout=30)[0])
        Field.fresh = 20000 + (Field.fresh - 20000 + len(results["fresh"]) + 10) % 40000
        return results

    def clear(self):
        """Whatever is left of it goes."""
        for process in (*self.children, self.traffic, self.daemon and self.daemon.process):
            if process and process.poll() is None:
                process.kill()
                process.wait(5)
        for pid in self.bed.gateway.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until(lambda: not self.bed.gateway.pids())
        self.bed.gateway.run("nft", "flush", "ruleset")
        self.firewall()
        self.bed.gateway.run("conntrack", "-F", check=False)
        beds.command("rm", "-rf", self.folder)

    def firewall(self, masquerade=True):
        self.bed.gateway.nft(beds.FIREWALL)
        self.bed.set_masquerade(masquerade)

    def note(self, text):
        self.notes.append(text)

    # -- harm -----------------------------------------------------------------------------------

    def signal(self, number, pid=None):
        os.kill(pid or self.daemon.process.pid, number)

    def crash_thread(self, tid):
        """As an invalid access in that thread would: the kernel ends the whole process."""
        need(ctypes.CDLL(None, use_errno=True).syscall(SYS_TGKILL, self.daemon.process.pid, tid, signal.SIGSEGV) == 0, "tgkill failed")

    def died(self):
        self.daemon.process.wait(5)

    def nft(self, text):
        """(did it, what nft said)"""
        done = self.bed.gateway.run("nft", "-f", "-", text_in=text, check=False)
        return done.returncode == 0, done.stderr.strip()

    def whole(self):
        """How much our table has: lines of its listing without the sets' elements. As text: this nft may not know every flag."""
        done = self.bed.gateway.run("nft", "-t", "list", "table", "inet", "minewall", check=False)
        return len(done.stdout.splitlines()) if "chain" in done.stdout else 0

    def limit(self, *options):
        """As the daemon's own user: another's limits are not root's to change where root lacks CAP_SYS_RESOURCE."""
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as f:
            ids = {line.split(":")[0]: line.split()[1] for line in f if line.startswith(("Uid:", "Gid:"))}
        beds.command("setpriv", f"--reuid={ids['Uid']}", f"--regid={ids['Gid']}", "--clear-groups",
                     "prlimit", "--pid", str(self.daemon.process.pid), *options)

    def flood(self, datagrams, size, background=False):
        """UDP from a new port each time: each datagram is a flow of its own and must be looked at."""
        argv = (*beds.PYTHON, os.path.join(HERE, "flood.py"), self.bed.fresh(4), datagrams, size)
        if not background:
            return self.bed.client.run(*argv, timeout=30)
        self.children.append(self.bed.client.start(*argv, stdout=subprocess.DEVNULL))
        return self.children[-1]

    def spoof(self, what, seconds, pace):
        """Packets of senders that there are not, or fragments; with the most anonymous memory (KiB) of the daemon's processes meanwhile,
        beyond what they had before, and the number of packets."""
        mac = self.bed.gateway.run("cat", "/sys/class/net/g0/address").stdout.strip()
        before = most = self.anonymous_kib()
        flood = self.bed.client.start(*beds.PYTHON, os.path.join(HERE, "spoof.py"), what, "c0", mac, seconds, pace, stdout=subprocess.PIPE)
        self.children.append(flood)
        while flood.poll() is None:
            most = max(most, self.anonymous_kib())
            time.sleep(0.05)
        return most - before, int(flood.stdout.read())

    def anonymous_kib(self):
        total = 0
        for pid in self.bed.gateway.pids():
            try:
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                    about = dict(line.split(":", 1) for line in f if ":" in line)
            except OSError:
                continue
            if about["Name"].strip().startswith(("minewall", "mw-")):
                total += int(about.get("RssAnon", "0 kB").split()[0])
        return total

    def inside(self, path):
        """A path as the daemon sees it: it has mounts of its own."""
        return f"/proc/{self.daemon.process.pid}/root{path}"

    def lines(self):
        """The event log, each line of which must be whole."""
        path = self.inside(f"{self.folder}/log/eve.json")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        need(not text or text.endswith("\n"), "the event log ends within a line")
        try:
            return [json.loads(line) for line in text.splitlines()]
        except ValueError as why:
            raise Failed(f"the event log holds half a line: {why}") from why

    def status(self):
        return self.daemon.json("status")

    def said(self, words, seconds=3.0):
        need(until(lambda: words in self.daemon.said(), seconds), f"the daemon does not say '{words}': {self.daemon.said()[-300:]}")
