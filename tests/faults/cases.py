# SPDX-License-Identifier: GPL-2.0-or-later
"""The faults: each harms the daemon, its table, its queue or what it leans on, from outside and under steady traffic, and says what
must hold meanwhile. Registered by being imported; faults.py runs them."""

import json
import os
import signal
import socket
import struct
import subprocess
import time

import bed as beds
from field import need, until

FAULTS = []


class Fault:
    """`passed`: seconds in which a miner may get through, fail-open and fail-closed. `known`: the same for the pool that the kernel
    has learnt. `late`: how many allowed connections may take longer than a second (None: it is not promised). `lost`: of allowed
    connections, always 0. `steady`: on connections that are open already nothing may take longer than a second, whatever `late` says.
    `quick`: the modes in which `make check` runs it."""

    def __init__(self, name, run, passed, known, late, fails, quick, steady=False):
        self.name, self.run, self.fails, self.quick, self.steady = name, run, fails, quick, steady
        self.passed, self.known = dict(zip(("open", "closed"), passed)), known
        self.late = dict(zip(("open", "closed"), late))


def fault(name, passed=(0, 0), known=0, late=(0, 0), fails=("open", "closed"), quick=(), steady=False):
    def register(run):
        FAULTS.append(Fault(name, run, passed, known, late, fails, quick, steady))
        return run
    return register


# -- the process ------------------------------------------------------------------------------------

@fault("killed, away for 2 s", passed=(2.8, 0), late=(0, None))
def killed(f):
    f.start()
    f.begin()
    f.signal(signal.SIGKILL)
    f.died()
    time.sleep(2)
    f.daemon.start()


@fault("killed and restarted, again and again", passed=(60, 0), late=(0, None), quick=("open", "closed"))
def restarts(f):
    times = 5 if f.quick else 100
    gaps = []
    f.start()
    f.begin()
    for _ in range(times):
        f.signal(signal.SIGKILL)
        begin = time.monotonic()
        f.died()
        f.daemon.start()
        gaps.append(time.monotonic() - begin)
        time.sleep(0.15)
    gaps.sort()
    f.note(f"{times} times, back after {gaps[len(gaps) // 2] * 1000:.0f} ms (median), {gaps[-1] * 1000:.0f} ms (longest)")
    need(f.status()["adopted"] >= 2, "what was taught was not adopted")


@fault("crash in any thread", passed=(20, 0), late=(0, None), quick=("open",))
def crash(f):
    f.start(wrap=("prlimit", "--core=0"))
    f.begin()
    count = len(f.daemon.threads())
    for n in range(count):
        threads = f.daemon.threads()
        need(len(threads) == count, f"{len(threads)} threads, {count} before")
        f.crash_thread(threads[n])
        f.died()
        need(f.daemon.process.returncode, "it survived")
        need(until(lambda: not f.bed.kernel.queues(), 0.2), "a queue is still bound 200 ms after the crash")
        f.daemon.start()
        time.sleep(0.15)
    f.note(f"each of {count} threads")


@fault("reader stopped for 2 s", passed=(3.0, 0), late=(0, None), quick=("open", "closed"))
def stopped(f):
    f.start()
    f.begin()
    f.signal(signal.SIGSTOP)
    time.sleep(2)
    f.signal(signal.SIGCONT)
    if f.fail == "open":
        f.said("reader_hung")
        f.note(f"let go {f.status()['watchdog']} times")


@fault("watchdog killed, then the reader stopped", passed=(3.0, 0), late=(0, None), fails=("open",))
def watchdog_killed(f):
    f.start()
    first = f.daemon.watchdog()
    need(first, "there is no watchdog")
    f.begin()
    f.signal(signal.SIGKILL, first)
    begin = time.monotonic()
    need(until(lambda: f.daemon.watchdog() not in (None, first), 1), "no new watchdog within a second")
    f.note(f"a new one after {(time.monotonic() - begin) * 1000:.0f} ms")
    f.signal(signal.SIGSTOP)
    time.sleep(2)
    f.signal(signal.SIGCONT)


# -- the table --------------------------------------------------------------------------------------

OWN = "own_table: false"
DAMAGE = {
    "table deleted": "delete table inet minewall",
    "table flushed": "flush table inet minewall",
    "one rule deleted": None,
    "one chain's rules flushed": "flush chain inet minewall forward_way",
    "sets flushed": "".join(f"flush set inet minewall {name}\n" for name in ("endpoints4", "endpoints6")),
    "nft flush ruleset": "flush ruleset",
}


def one_rule(f):
    """The rule that queues."""
    rules = [e["rule"] for e in f.bed.kernel.table() if "rule" in e and e["rule"]["chain"] == "original"]
    return f"delete rule inet minewall original handle {rules[-1]['handle']}"


def damage(what):
    def run(f):
        f.bed.set_masquerade(what != "nft flush ruleset")  # who loses his NAT loses connections, and not by us
        f.start(OWN)
        once = f.teach()
        rules = f.whole()
        f.begin()
        did, why = f.nft(DAMAGE[what] or one_rule(f))
        if what == "nft flush ruleset":
            f.firewall(masquerade=False)
        need(did, f"nft: {why}")
        need(until(lambda: f.whole() == rules), "the table is not whole again")
        need(until(lambda: lives(f, once)), "what was taught is not back")
        f.said("another program")
    return run


for name in DAMAGE:
    # What the kernel forgot for a moment it may let begin: at most a second.
    fault(f"{name} by another program (own_table: false)", passed=(1, 1), known=1, late=(0, 0),
          quick=("closed",) if name == "nft flush ruleset" else ())(damage(name))


@fault("owned table: another program tries all of these")
def owned(f):
    f.bed.set_masquerade(False)
    f.start()
    if "flags owner" not in f.bed.gateway.run("nft", "list", "table", "inet", "minewall").stdout:
        raise beds.BedError("skipped: this kernel has no owned tables (Linux 6.9)")
    handle = f.bed.kernel.handle()
    f.begin()
    for what, text in DAMAGE.items():
        did, _ = f.nft(text or one_rule(f))
        if what == "nft flush ruleset":
            f.firewall(masquerade=False)
        else:
            need(not did, f"{what}: the kernel let it")
    need(f.bed.kernel.handle() == handle, "the table was made anew")
    f.note("refused by the kernel; flush ruleset passes over it")


@fault("table taken by another owner for 1 s (netlink refuses ours)", passed=(2.5, 2.5), known=2.5)
def usurped(f):
    f.start(OWN)
    rules = f.whole()
    f.begin()
    other = f.bed.gateway.start("nft", "-i", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    f.children.append(other)
    other.stdin.write("delete table inet minewall; add table inet minewall { flags owner; }\n")
    other.stdin.flush()
    time.sleep(1)
    if "owner" not in f.bed.gateway.run("nft", "list", "table", "inet", "minewall").stdout:
        raise beds.BedError("skipped: this kernel has no owned tables")
    need(f.whole() == 0, "the other program does not own the table")
    f.said("belongs to another process")
    other.stdin.close()
    other.wait(5)
    begin = time.monotonic()
    need(until(lambda: f.whole() == rules), "the table does not come back")
    f.note(f"back {(time.monotonic() - begin) * 1000:.0f} ms after the other one ended")


# -- the queue --------------------------------------------------------------------------------------

@fault("queue overflow (length 16, flood)", passed=(3, 0), late=(None, None))
def overflow(f):
    f.start(length=16)
    f.begin()
    f.flood(30000, 200)
    queues = f.status()["queues"]
    full = sum(q["lost_full"] for q in queues)
    if f.fail == "open":
        need(full == 0, f"{full} packets were dropped by a full queue, fail-open")
    else:
        need(full > 0, "the queue was never full")
    f.note(f"{sum(q['packets'] for q in queues)} packets queued, {full} dropped as it was full")


@fault("ENOBUFS (receive buffer full while the reader is stopped)", passed=(3, 0), late=(None, None))
def enobufs(f):
    f.start(length=65535)
    f.begin()
    f.signal(signal.SIGSTOP)
    f.flood(20000, 1400)
    time.sleep(0.5)
    f.signal(signal.SIGCONT)
    time.sleep(0.5)
    unread = sum(q["lost_unread"] for q in f.status()["queues"])
    if f.fail == "open":
        need(unread == 0, f"{unread} packets were dropped by a full buffer, fail-open")
    else:
        need(unread > 0, "the buffer was never full")
        need(f.status()["overruns"] > 0, "status does not count it")
    f.note(f"{unread} dropped unread, {f.status()['overruns']} overruns counted")


@fault("queue taken by another program for 1 s (netlink refuses ours)", passed=(4, 0), late=(0, None), fails=("open",))
def queue_taken(f):
    f.start()
    f.begin()
    other = f.bed.gateway.start(*beds.PYTHON, os.path.join(os.path.dirname(os.path.abspath(__file__)), "holder.py"), 10,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    f.children.append(other)
    f.signal(signal.SIGSTOP)
    need(other.stdout.readline() == "mine\n", "the queue could not be taken")
    f.signal(signal.SIGCONT)
    time.sleep(1)
    other.stdin.close()
    other.wait(5)
    begin = time.monotonic()
    need(until(lambda: all(q["bound"] for q in f.status()["queues"]), 3), "the queue is not ours again")
    f.note(f"bound again {(time.monotonic() - begin) * 1000:.0f} ms after the other one ended")


# -- what it writes ---------------------------------------------------------------------------------

@fault("set full", quick=("closed",))
def full(f):
    f.start("memory: {endpoints: 3}")
    f.begin(1.5)
    f.said("set_full")
    need(until(lambda: any(e.get("minewall", {}).get("event") == "set_full" for e in f.lines())), "no event says that the set is full")
    f.note(f"{f.status()['not_taught']} endpoints not taught, each connection still dropped")


@fault("disk full (log and state on 64 KiB)", quick=("open",))
def disk(f):
    f.start(wrap=("sh", "-c", "".join(f"mkdir {f.folder}/{volume} && mount -t tmpfs -o size=64k tmpfs {f.folder}/{volume} && "
                                      for volume in ("log", "learnt")) + 'exec "$@"', "-"))
    f.begin()
    for volume in ("log", "learnt"):
        with open(f.inside(f"{f.folder}/{volume}/ballast"), "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(512))
            except OSError:
                pass
    f.said("cannot be written, events are lost")
    f.said("what was learnt cannot be written", 6)
    time.sleep(1)
    lost = f.status()["events_lost"]
    need(lost > 0, "no lost event is counted")
    for volume in ("log", "learnt"):
        os.unlink(f.inside(f"{f.folder}/{volume}/ballast"))
    f.said("is written again")
    before = len(f.lines())
    need(until(lambda: len(f.lines()) > before), "events are not written again")
    need(until(lambda: os.path.exists(f.inside(f"{f.folder}/learnt/learnt.json")), 6), "the state is not written again")
    f.note(f"{lost} events lost and counted, no half line")


@fault("log deleted")
def log_deleted(f):
    f.start()
    f.begin()
    path = f"{f.folder}/log/eve.json"
    os.unlink(path)
    need(until(lambda: os.path.exists(path)), "no new log")
    need(until(lambda: len(f.lines()) > 3), "nothing is written to the new log")
    need(f.status()["events_lost"] == 0, "events were lost")


@fault("log's folder gone, and back after 1 s")
def log_folder(f):
    f.start()
    f.begin()
    os.rename(f"{f.folder}/log", f"{f.folder}/elsewhere")
    time.sleep(1)
    f.said("cannot be written, events are lost")
    lost = f.status()["events_lost"]
    need(lost > 0, "no lost event is counted")
    os.rename(f"{f.folder}/elsewhere", f"{f.folder}/log")
    f.said("is written again")
    before = len(f.lines())
    need(until(lambda: len(f.lines()) > before), "events are not written again")
    f.note(f"{lost} events lost and counted")


# -- the clock --------------------------------------------------------------------------------------

@fault("clock jumps (a day ahead, two back), and a restart")
def clock(f):
    path, library = os.path.join(f.bed.tmp, "skew"), os.path.join(os.path.dirname(os.path.abspath(f.binary)), "tests/faults/skew.so")
    if not os.path.exists(library):
        raise beds.BedError(f"skipped: {library} is not built (make faults builds it)")

    def skew(seconds):
        with open(path, "r+b" if os.path.exists(path) else "wb", buffering=0) as file:
            file.write(struct.pack("q", seconds))

    skew(0)
    f.start(user=(f"LD_PRELOAD={library}", f"SKEW_FILE={path}"))
    once = f.teach()
    f.begin()
    first = f.lines()[-1]["timestamp"]
    for seconds in (86400, -86400):
        skew(seconds)
        time.sleep(0.8)
        need(until(lambda: f.lines()[-1]["timestamp"][:10] != first[:10]), "the daemon's clock did not jump")
    left = lives(f, *f.known, once)
    need(len(left) == 3 and min(left) > 3500, f"what was taught has aged: {left}")
    skew(0)
    f.daemon.stop()
    skew(-86400)
    f.daemon.start()
    left = lives(f, once)
    need(left and max(left) <= 3600, f"restarted a day earlier: {left}")
    f.daemon.stop()
    skew(86400)
    f.daemon.start()
    need(not lives(f, once), "a day later its hour is not over")
    f.note("an endpoint's hour stays an hour; over a restart no endpoint outlives it")


def lives(f, *addresses):
    """Asked of the daemon: nft begins anew whenever the table changes, which is all the time here."""
    return [row["left_s"] for row in f.daemon.json("blocked") if row.get("address") in addresses]


FAULTS[-1].passed = {"open": 2, "closed": 2}   # a stop takes the table away
FAULTS[-1].known = 2


# -- refusals of the kernel -------------------------------------------------------------------------

@fault("no memory (address space refused) for 2 s")
def memory(f):
    f.start(f"lists:\n  - {{name: many, file: {f.folder}/many.txt, format: plain, category: pool}}", files={"many.txt": "one.example\n"})
    f.daemon.write("many.txt", "".join(f"n{n}.example\n" for n in range(300000)))
    f.begin()
    f.limit("--as=1048576:")
    done = f.daemon.verb("reload", timeout=8)
    time.sleep(2)
    need(f.daemon.process.poll() is None, f"it died of it: {f.daemon.said()[-300:]}")
    need(done.returncode, "300,000 names found room")
    f.limit("--as=unlimited:")
    need(f.daemon.verb("reload").returncode == 0, "it reloads no more")
    f.note("a reload that needs memory is refused: " + done.stderr.strip().rsplit("/", 1)[-1])


@fault("no descriptors for 2 s")
def descriptors(f):
    f.start()
    f.begin()
    have = {int(fd) for fd in os.listdir(f"/proc/{f.daemon.process.pid}/fd")}
    f.limit(f"--nofile={min(set(range(1000)) - have)}:")
    asked = f.bed.gateway.start(f.daemon.binary, "status", "-c", f.daemon.policy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    f.children.append(asked)
    busy = cpu_s(f)
    time.sleep(2)
    busy = cpu_s(f) - busy
    need(asked.poll() is None, "it was not short of descriptors")
    need(busy < 0.25, f"it burns the processor: {busy:.1f} s of 2")
    f.limit("--nofile=1024:")
    need(f.daemon.verb("status").returncode == 0, "it does not answer any more")
    f.note(f"{busy:.2f} s of processor meanwhile")


def cpu_s(f):
    with open(f"/proc/{f.daemon.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Cgroup:
    """A group of processes whose number is bounded; version 1 or 2, whichever is there."""

    def __init__(self, pid):
        base = "/sys/fs/cgroup/pids" if os.path.isdir("/sys/fs/cgroup/pids") else "/sys/fs/cgroup"
        self.path = os.path.join(base, f"minewall-faults-{pid}")
        try:
            os.mkdir(self.path)
            self.write("cgroup.procs", pid)
            self.write("pids.max", "max")
        except OSError as why:
            self.remove()
            raise beds.BedError(f"skipped: no cgroup that bounds processes ({why})") from why

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as f:
            f.write(str(value))

    def remove(self):
        until(lambda: self.removed(), 2)

    def removed(self):
        try:
            os.rmdir(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


@fault("no new processes: the watchdog cannot be revived", fails=("open",))
def forks(f):
    f.start()
    first = f.daemon.watchdog()
    f.begin()
    group = Cgroup(f.daemon.process.pid)
    try:
        group.write("pids.max", 1)
        f.signal(signal.SIGKILL, first)
        f.said("watchdog", 12)
        f.said("cannot be started", 12)
        need(f.daemon.watchdog() is None, "it was revived")
        group.write("pids.max", "max")
        need(until(lambda: f.daemon.watchdog(), 12), "it is not revived afterwards")
        f.note("said at once, revived within 10 s of the end")
    finally:
        f.daemon.process.kill()
        f.daemon.process.wait(5)
        group.remove()
        f.daemon.start()


FAULTS[-1].passed = {"open": 1.5, "closed": 0}   # the test's own restart at its end


# -- reloads ----------------------------------------------------------------------------------------

@fault("reloads while connections run", quick=("open",))
def reloads(f):
    times = 20 if f.quick else 1000
    more = "memory: {endpoints: 300}"  # soon full: else each reload has more to adopt than the one before
    f.start(more)
    once = f.teach()
    f.begin()
    begin = time.monotonic()
    for n in range(times):
        f.daemon.write("policy.yaml", f.policy(more).replace("pool.listed.example", f"pool{n % 7}.listed.example, pool.listed.example"))
        done = f.daemon.verb("reload")
        need(done.returncode == 0, f"reload {n}: exit {done.returncode}: {done.stderr.strip()}")
    left = lives(f, once)
    need(left and left[0] < 3600, f"what was taught lives {left}")
    f.note(f"{times} reloads, {(time.monotonic() - begin) / times * 1000:.0f} ms each")


@fault("broken policies reloaded")
def broken(f):
    f.start()
    f.begin()
    for text in ("version: 1\nmode: perhaps\n", "version: 1\nblock: {names: [", "", "version: 1\nlists: [{name: a, file: none.txt, format: hosts, category: pool}]\n"):
        f.daemon.write("policy.yaml", text)
        answer = ask(f, {"verb": "reload"})
        need(answer.get("ok") is False and answer.get("error"), f"a broken policy was taken: {text!r}: {answer}")
    f.daemon.write("policy.yaml", f.policy())
    need(f.daemon.verb("reload").returncode == 0, "the right policy is not taken afterwards")


def ask(f, request):
    """Past the verb, which would read the broken policy itself."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(5)
        control.connect(f"{f.folder}/control.sock")
        control.sendall(json.dumps(request).encode())
        control.shutdown(socket.SHUT_WR)
        answer = b""
        while more := control.recv(65536):
            answer += more
    return json.loads(answer or b"{}")
