# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of the daemon's power, seen from outside: as whom each of its processes and threads runs, what it may do, and that everything
that it has to do later is still possible."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import bed as beds
import wire
from bed import DAEMON_USER
from cases_restart import Talk, reload, taught, teach
from run import LISTED, UNLISTED, families, need, own, policy, until

NET_ADMIN = f"{1 << 12:016x}"


def statuses(pid):
    """Of each thread of a process: its lines of /proc/PID/task/TID/status."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as f:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def confined(t, pid, filters, bounds=True):
    """Every thread of it: the user, one capability, no way to more. `bounds`: it had the right to empty the bounding set."""
    told = t.daemon.json("status")["confined"]
    user, group = (" ".join([str(i)] * 4) for i in DAEMON_USER)
    n = 0
    for s in statuses(pid):
        name = s["Name"]
        need(s["Uid"].split() == user.split() and s["Gid"].split() == group.split(), f"{name}: user {s['Uid']}, group {s['Gid']}")
        need(not s["Groups"].split(), f"{name}: groups {s['Groups']}")
        for key, value in (("CapEff", NET_ADMIN), ("CapPrm", NET_ADMIN), ("CapInh", "0" * 16), ("CapBnd", "0" * 16 if bounds else s["CapBnd"]),
                           ("CapAmb", "0" * 16), ("NoNewPrivs", "1")):
            need(s[key] == value, f"{name}: {key} is {s[key]}")
        if told["seccomp"]:
            need(s["Seccomp"] == "2", f"{name}: Seccomp is {s['Seccomp']}")
            need(s.get("Seccomp_filters", str(filters)) == str(filters), f"{name}: {s.get('Seccomp_filters')} lists of calls")
        n += 1
    return n


@own("power/confined", "open", "closed")
def power(t, fail):
    """The main loop, each worker, the adder and the watchdog, also the one that takes the place of a killed one."""
    t.daemon = t.make(policy(fail=fail, queues=2)).start()
    main = t.daemon.process.pid
    need(confined(t, main, 1) >= 4, "fewer threads than a main loop, two workers and an adder")
    dogs = [pid for pid in t.daemon.readers() if pid != main]
    need(len(dogs) == (fail == "open"), f"watchdogs: {dogs}")
    for dog in dogs:
        confined(t, dog, 2)
        os.kill(dog, signal.SIGKILL)
    if dogs:
        fresh = until(lambda: [pid for pid in t.daemon.readers() if pid not in (main, *dogs)], 15)
        need(fresh, "no new watchdog within 15 s")
        until(lambda: next(statuses(fresh[0]))["Name"] == "mw-watchdog", 2)
        confined(t, fresh[0], 2)
    need(t.daemon.stop() == 0, "its exit status is not 0")
    need(not os.path.exists(os.path.join(t.daemon.folder, "control.sock")), "the control socket is still there")


@own("power/after-the-drop")
def after(t):
    """What the daemon does without root: rotate the log, read policies and lists, keep its state, make its table anew."""
    t.daemon = t.make(policy() + "own_table: false\n").start()
    log = os.path.join(t.daemon.folder, "eve.json")
    address = teach(t)
    os.rename(log, log + ".1")
    t.daemon.process.send_signal(signal.SIGHUP)
    need(until(lambda: os.path.exists(log)), "no new log after its rotation")
    need(os.stat(log).st_uid == DAEMON_USER[0], "the new log is not the daemon's")
    os.remove(log)
    need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "no reset")
    need(until(lambda: os.path.exists(log) and os.path.getsize(log)), "an event does not make the log anew")
    t.daemon.write("miners.txt", "0.0.0.0 late.unlisted.example\n")
    reload(t, policy() + "own_table: false\nrules:\n- {name: hours, when: {hours: ['01:00-02:00'], zone: Asia/Tokyo}, "
           "to: {names: [x.unlisted.example]}, action: block}\n")
    for family in families(t):
        got = t.bed.curl(t.fresh(), 443, "late.unlisted.example")
        need(got["code"] != 200, f"IPv{family}: the list that was read after the drop does not count: {got}")
    t.bed.gateway.run("nft", "delete", "table", "inet", "minewall")
    need(until(lambda: taught(t, address), 3), "the table is not back")
    state = os.path.join(t.daemon.state, "minewall", "learnt.json")
    need(until(lambda: os.path.exists(state) and address in open(state, encoding="utf-8").read(), 15), "the state is not written")
    for path in (state, os.path.join(t.daemon.state, "minewall", "key")):
        need(os.stat(path).st_uid == DAEMON_USER[0], f"{path} is not the daemon's")


@own("power/unreadable")
def unreadable(t):
    """A policy or list that the daemon's user may not read: said with the file and the user, and the one that runs goes on."""
    t.daemon = t.make(policy()).start()
    for name in ("policy.yaml", "miners.txt"):
        path = os.path.join(t.daemon.folder, name)
        os.chmod(path, 0o600)
        done = t.daemon.verb("reload")
        need(done.returncode == 5, f"{name}: exit {done.returncode}: {done.stderr.strip()}")
        need(path in done.stderr and "as user" in done.stderr, f"{name}: it says {done.stderr.strip()}")
        os.chmod(path, 0o644)
    need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "the policy that runs is gone")
    need(t.daemon.verb("reload").returncode == 0, "a readable one is not taken")
    need(t.daemon.stop() == 0, "its exit status is not 0")
    os.chmod(t.daemon.policy, 0o600)
    status, text = t.daemon.refused()
    need(status == 5 and len(text.splitlines()) == 1 and t.daemon.policy in text and "as user" in text, f"exit {status}: {text}")
    t.daemon.write("policy.yaml", policy() + "user: no-such-user\n")
    os.chmod(t.daemon.policy, 0o644)
    status, text = t.daemon.refused()
    need(status == 5 and "no-such-user" in text, f"exit {status}: {text}")


@own("power/files-of-root")
def files_of_root(t):
    """What an earlier version has left as root's goes on working; what is not the daemon's stays whose it is."""
    t.daemon = t.make(policy()).start()
    address = teach(t)
    need(t.daemon.stop() == 0, "its exit status is not 0")
    state = os.path.join(t.daemon.state, "minewall")
    log = os.path.join(t.daemon.folder, "eve.json")
    size = os.path.getsize(log)
    for path in (state, *(os.path.join(state, n) for n in os.listdir(state)), log):
        os.chown(path, 0, 0)
        os.chmod(path, 0o750 if path == state else 0o600)
    other = os.path.join(t.bed.tmp, "others")
    with open(other, "wb"):
        pass
    os.link(other, os.path.join(state, "learnt.json.new"))
    t.daemon.start()
    need(taught(t, address), "what was learnt is not back")
    need(os.stat(other).st_uid == 0, "a file that has another name elsewhere was given away")
    need(os.path.getsize(log) >= size and os.stat(log).st_uid == DAEMON_USER[0], "the log is not the daemon's")
    need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "no reset")
    need(until(lambda: os.path.getsize(log) > size), "no event")


ASK = """
import socket, sys
q = b"\\x12\\x34\\1\\0\\0\\1" + bytes(6) + b"".join(bytes([len(l)]) + l.encode() for l in sys.argv[2].split(".")) + b"\\0\\0\\1\\0\\1"
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect((sys.argv[1], 53))
s.send(q)
print(s.recv(512)[3] & 15)
"""


@own("power/raw-socket-for-later")
def raw_later(t):
    """The socket for REFUSED was opened before the drop: a later reload may ask for it."""
    t.daemon = t.make(policy()).start()
    reload(t, policy(more="detect: {dns: {action: block, answer: refused}}"))
    for family in families(t):
        done = t.bed.client.run(*beds.PYTHON, "-c", ASK, t.fresh(), LISTED, check=False)
        need(done.stdout.strip() == "5", f"IPv{family}: the answer is {done.stdout.strip()!r} {done.stderr.strip()[-200:]}")


def ask(t, path, request, user=()):
    done = t.bed.gateway.run(*user, *beds.PYTHON, "-c", "import socket, sys\n"
                             "s = socket.socket(socket.AF_UNIX)\ns.settimeout(5)\ns.connect(sys.argv[1])\n"
                             "s.sendall(sys.argv[2].encode())\ns.shutdown(1)\nout = b''\n"
                             "while b := s.recv(65536): out += b\nprint(out.decode())", path, request, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1:]


@own("power/control-group", "read", "change")
def control_group(t, may):
    """Root and one group ask; the group reads, and changes if the policy says so; others are turned away."""
    member = ("setpriv", "--reuid", "65533", "--regid", "65533", "--groups", "4")
    other = ("setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups")
    t.daemon = t.make(policy() + "control_group: adm\n" + ("control_group_may: change\n" if may == "change" else "")).start()
    path = os.path.join(t.daemon.folder, "control.sock")
    need(os.stat(path).st_mode & 0o777 == 0o660 and os.stat(path).st_gid == 4, "the socket is not root's and the group's")
    need('"ok":true' in ask(t, path, '{"verb": "status"}', member), "a member cannot read")
    need("PermissionError" in str(ask(t, path, '{"verb": "status"}', other)), "a stranger can ask")
    for verb in ("reload", "pause", "allow", "unblock", "stop"):
        said = ask(t, path, f'{{"verb": "{verb}", "target": "x.unlisted.example", "for_s": 0}}', member)
        need(("is for root" in said) == (may == "read"), f"{verb} by a member: {said}")
    if may == "read":
        need(t.daemon.verb("stop").returncode == 0, "root cannot stop it")
    need(until(lambda: t.daemon.process.poll() is not None, 5), "it still runs")


FLOOD = """
import socket, sys, time
kept = []
for i in range(40):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.2)
    try:
        s.connect(sys.argv[1])
        s.sendall((b"", b"{", b'{"verb":"status"}{"verb":"status"}', b"[" * 70000, b"\\0" * 100)[i % 5])
        if i % 3 == 0:
            s.shutdown(1)
    except OSError:
        pass
    kept.append(s)
print("there", flush=True)
time.sleep(6)
"""


@own("power/control-junk")
def control_junk(t):
    """Clients that say nothing, too much, or nonsense cost the others neither packets nor answers."""
    t.daemon = t.make(policy() + "control_group: adm\n").start()
    path = os.path.join(t.daemon.folder, "control.sock")
    flood = t.bed.gateway.start("setpriv", "--reuid", "65533", "--regid", "65533", "--groups", "4", *beds.PYTHON, "-c", FLOOD, path,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        need(flood.stdout.readline() == b"there\n", "the flood does not start")
        for _ in range(10):
            begin = time.monotonic()
            need(t.daemon.verb("status").returncode == 0, "status is not answered")
            took = time.monotonic() - begin
            need(took < 1, f"status took {took:.2f} s")
            need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "no reset")
        fds = len(os.listdir(f"/proc/{t.daemon.process.pid}/fd"))
        time.sleep(2.2)
        t.daemon.verb("status")
        after = len(os.listdir(f"/proc/{t.daemon.process.pid}/fd"))
        need(after < fds or fds < 40, f"{after} descriptors after {fds}: the silent are kept")
    finally:
        flood.kill()
    need("ok" in ask(t, path, '{"verb": "status"}'), "no answer afterwards")


@own("power/table-only", "closed", "open")
def table_only(t, fail):
    """Before there is a daemon: with `fail: closed` nothing passes that is to be judged, and the daemon takes the table over."""
    t.daemon = t.make(policy(fail=fail))
    done = t.daemon.verb("run", "--table-only")
    need(done.returncode == 0, f"exit {done.returncode}: {done.stderr.strip()}")
    need(("inet minewall" in t.kernel.tables()) == (fail == "closed"), "there is a table, or none")
    for family in families(t):
        got = t.bed.curl(t.fresh(), 443, "www.unlisted.example", timeout=1.5)
        need((got["code"] == 200) == (fail == "open"), f"IPv{family}: before the daemon: {got}")
    t.daemon.start()
    for family in families(t):
        need(t.bed.curl(t.fresh(), 443, "www.unlisted.example")["code"] == 200, f"IPv{family}: with the daemon nothing passes")
        need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", f"IPv{family}: no reset")
    done = t.daemon.verb("run", "--table-only")
    need(done.returncode == (1 if fail == "closed" else 0), f"beside a daemon: exit {done.returncode}: {done.stderr.strip()}")
    t.daemon.process.kill()
    t.daemon.process.wait(5)
    need(t.daemon.verb("stop").returncode == 0 and "inet minewall" not in t.kernel.tables(), "`stop` does not take it away")


def messages(s, seconds):
    """What comes at the service manager's socket in that time."""
    found, until_s = [], time.monotonic() + seconds
    while time.monotonic() < until_s:
        try:
            found.append(s.recv(4096).decode())
        except BlockingIOError:
            time.sleep(0.02)
    return found


@own("power/notify")
def notify(t):
    """The service manager hears of start, reload and end, and that we live only while every thread moves."""
    path = os.path.join(t.bed.tmp, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        os.chmod(path, 0o666)
        s.setblocking(False)
        t.daemon = t.make(policy(queues=2)).start(more=(f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=900000"))
        said = messages(s, 2)
        need(said and said[0].startswith("READY=1\nSTATUS=enforce"), f"at the start: {said[:2]}")
        need(3 <= said.count("WATCHDOG=1") <= 8, f"{said.count('WATCHDOG=1')} signs of life in 2 s, not one in 0.3 s")
        need(t.daemon.verb("reload").returncode == 0, "reload failed")
        said = [m.split("\n")[0] for m in messages(s, 0.5) if m != "WATCHDOG=1"]
        need(said == ["RELOADING=1", "READY=1"], f"a reload: {said}")
        tid = next(int(i) for i in os.listdir(f"/proc/{t.daemon.process.pid}/task")
                   if open(f"/proc/{t.daemon.process.pid}/task/{i}/comm", encoding="ascii").read() == "minewall-q11\n")
        libc = ctypes.CDLL(None, use_errno=True)
        need(libc.ptrace(16, tid, None, None) == 0, "PTRACE_ATTACH")
        try:
            os.waitpid(tid, 0x40000000)     # __WALL
            messages(s, 0.8)
            said = messages(s, 1)
            need("WATCHDOG=1" not in said, f"with a stopped worker it says {said}")
        finally:
            libc.ptrace(17, tid, None, None)
        need(until(lambda: "WATCHDOG=1" in messages(s, 0.3), 3), "no sign of life after the worker goes on")
        need(t.daemon.stop() == 0, "its exit status is not 0")
        need("STOPPING=1" in messages(s, 0.2), "it does not say that it ends")


def take_over(t, *arguments):
    """Starts the next daemon in the place of the one that runs, as an upgrade does; returns what it said."""
    done = t.bed.gateway.run("sh", "-c", 'mount --bind "$0" /var/lib && exec "$@"', t.daemon.state, t.daemon.binary, "run", "--takeover",
                             "-c", t.daemon.policy, *arguments, check=False, timeout=20)
    return done


class Process:
    """A daemon that is nobody's child here, as far as the bed asks."""

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None and not beds.alive_process(self.pid):
            self.returncode = 0
        return self.returncode

    def wait(self, timeout):
        need(until(lambda: self.poll() is not None, timeout), "it does not end")

    def send_signal(self, number):
        os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


@own("power/takeover", "open", "closed")
def takeover(t, fail):
    """Ten upgrades in place under steady traffic: not one connection is lost or stalls, no mining passes, what was learnt stays."""
    t.family = 4
    t.daemon = t.make(policy(fail=fail, queues=2)).start()
    talk, bad = Talk(t), t.fresh()
    endpoint = teach(t)
    need(t.daemon.verb("allow", "later.unlisted.example", "--for", "1h").returncode == 0, "allow failed")
    try:
        held = [t.fresh() for _ in range(4)]
        for one in held:
            talk.open(one, wire.http_get(UNLISTED))
        steady = t.bed.load(t.fresh(), 8, clients=6)
        listed = t.bed.load(bad, 8, clients=4, host=LISTED)
        time.sleep(0.4)
        pids = [t.daemon.process.pid]
        for _ in range(10):
            first = t.daemon.process
            done = take_over(t, "--background")
            need(done.returncode == 0, f"exit {done.returncode}: {done.stderr.strip()}")
            pid = t.daemon.json("status")["pid"]
            need(pid not in pids, f"{pid} runs as before")
            pids.append(pid)
            need(until(lambda: first.poll() is not None, 5), "the process before is still there")
            need(first.returncode == 0, f"the process before ended with {first.returncode}")
            t.daemon.process = Process(pid)
            time.sleep(0.2)
        steady, listed = (json.loads(p.communicate(timeout=30)[0]) for p in (steady, listed))
        need(len(steady["good"]) > 100 and not steady["bad"], f"{len(steady['good'])} good, bad: {steady['bad'][:3]}")
        slow = max(end - begin for begin, end in steady["good"])
        need(slow < 0.9, f"one of the connections stalled for {slow:.2f} s")   # a lost packet costs a second
        need(len(listed["bad"]) > 50 and not listed["good"], f"{len(listed['good'])} of the listed passed")
        gaps = talk.gaps_ms()
        status = t.daemon.json("status")
        need(taught(t, endpoint), "what was learnt is gone")
        need([a["what"] for a in status["allowed"]] == ["later.unlisted.example"], f"allowed for a time: {status['allowed']}")
        need(all(q["lost_full"] + q["lost_unread"] == 0 and q["bound"] for q in status["queues"]), f"queues: {status['queues']}")
        need(status["watchdog"] == 0, "the watchdog let traffic pass")
        need(endpoint in t.daemon.verb("blocked").stdout and "stratum" in json.dumps(t.daemon.json("blocked")), "the reasons are gone")
        confined(t, t.daemon.process.pid, 1)
        need(t.daemon.json("incidents"), "the incidents are gone")
        need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "no reset afterwards")
    finally:
        talk.close()
    need(len(gaps) == 4 and max(gaps) < 900, f"open connections were silent for {gaps} ms")
    need(t.daemon.verb("stop").returncode == 0, "stop failed")
    need("inet minewall" not in t.kernel.tables(), "the table is still there")


@own("power/takeover-late-word")
def takeover_late_word(t):
    """A pause that is said while the new process still reads its policy is not undone by it."""
    t.daemon = t.make(policy()).start()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(os.path.join(t.daemon.folder, "control.sock"))
        s.sendall(b'{"verb": "takeover"}')
        s.shutdown(socket.SHUT_WR)
        said, channel, _, _ = socket.recv_fds(s, 65536, 32)
        while more := s.recv(65536):
            said += more
    need(json.loads(said)["quarantine"] == [], f"devices in quarantine are not handed over: {said}")
    need(len(channel) >= 8, f"{len(channel)} descriptors")
    for fd in channel[1:]:
        os.close(fd)
    with socket.socket(fileno=channel[0]) as heir:
        heir.settimeout(5)
        need(t.daemon.verb("pause", "10m").returncode == 0, "pause failed")
        heir.send(b"G")
        need(heir.recv(1) == b"", "it lets go during a pause")
    need("paused_s" in t.daemon.json("status") and "inet minewall" not in t.kernel.tables(), "the pause is over")


@own("power/takeover-invited")
def takeover_invited(t):
    """As systemd starts the next program, as the daemon's user with three capabilities: it takes over if root has invited it, and nobody else."""
    t.daemon = t.make(policy()).start()
    endpoint = teach(t)
    ticket = os.path.join(t.daemon.folder, "control.sock.ticket")
    other = os.path.join(t.daemon.folder, "minewall-next")
    shutil.copy(t.daemon.binary, other)
    for path in (t.daemon.folder, os.path.join(t.daemon.folder, "control.sock")):     # RuntimeDirectory= of the unit
        os.chown(path, *DAEMON_USER)

    def heir(capabilities, *options):
        these = ",".join("+" + c for c in capabilities)
        return t.bed.gateway.run("sh", "-c", 'mount --bind "$0" /var/lib && exec "$@"', t.daemon.state, "setpriv", f"--reuid={DAEMON_USER[0]}",
                                 f"--regid={DAEMON_USER[1]}", "--clear-groups", "--inh-caps=-all" + (these and "," + these),
                                 "--ambient-caps=-all" + (these and "," + these), other, "run", "--takeover", "--background", *options, "-c",
                                 t.daemon.policy, check=False, timeout=20)

    def invite(binary):
        return t.bed.gateway.run(binary, "reload", "--or-invite", "-c", t.daemon.policy, check=False, timeout=20)

    full = ("net_admin", "net_raw", "dac_read_search")
    done = invite(t.daemon.binary)
    need(done.returncode == 0 and "names" in done.stdout and not os.path.exists(ticket), f"the same program: {done.stdout}{done.stderr}")
    done = heir(full, "--invited")
    need(done.returncode == 0 and not done.stderr and t.daemon.json("status")["pid"] == t.daemon.process.pid, f"uninvited: {done.stderr}")
    done = heir(full)
    need(done.returncode == 5 and "for root" in done.stderr, f"without a ticket: exit {done.returncode} {done.stderr}")
    done = invite(other)
    need(done.returncode == 0 and oct(os.stat(ticket).st_mode & 0o777) == "0o400", f"another program: {done.stdout}{done.stderr}")
    done = heir((), "--invited")
    need(done.returncode == 5 and "for root" in done.stderr, f"without a right to read the ticket: exit {done.returncode} {done.stderr}")
    need(invite(other).returncode == 0, "no second invitation")
    first = t.daemon.process
    done = heir(full, "--invited")
    need(done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
    pid = t.daemon.json("status")["pid"]
    need(pid != first.pid and os.readlink(f"/proc/{pid}/exe") == other, f"process {pid} is {os.readlink(f'/proc/{pid}/exe')}")
    need(until(lambda: first.poll() is not None, 5) and first.returncode == 0, "the one before has not ended well")
    t.daemon.process = Process(pid)
    confined(t, pid, 1, bounds=False)
    need(not os.path.exists(ticket), "the ticket is still there")
    need(taught(t, endpoint) and t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "it does not block")
    need(heir(full).returncode == 5, "the ticket serves twice")


@own("power/takeover-fails")
def takeover_fails(t):
    """A new process that cannot go on leaves the old one as it is: a broken policy, another queue, a kill at any moment."""
    t.daemon = t.make(policy()).start()
    endpoint = teach(t)
    broken = (("mode: enforce", "mode: perhaps", 4, "perhaps"), ("first: 10", "first: 30", 4, "queues has changed"),
              ("miners.txt", "none.txt", 4, "none.txt"), ("control:", "user: no-such-user\ncontrol:", 5, "no-such-user"))
    for before, after_, code, says in broken:
        t.daemon.write("policy.yaml", policy().replace(before, after_))
        done = take_over(t)
        need(done.returncode == code and says in done.stderr, f"{after_}: exit {done.returncode}: {done.stderr.strip()}")
        t.daemon.write("policy.yaml", policy())
        need(t.daemon.json("status")["pid"] == t.daemon.process.pid, f"{after_}: another process answers")
    need(t.daemon.verb("pause", "10m").returncode == 0, "pause failed")
    done = take_over(t)
    need(done.returncode == 5 and "pause" in done.stderr, f"during a pause: exit {done.returncode}: {done.stderr.strip()}")
    need(t.daemon.verb("pause", "off").returncode == 0, "pause off failed")
    load = t.bed.load(t.fresh(), 6, clients=4)
    for ms in range(0, 60, 4):     # in all of its steps
        p = t.bed.gateway.start(t.daemon.binary, "run", "--takeover", "-c", t.daemon.policy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(ms / 1000)
        p.kill()
        p.wait(5)
        until(lambda: t.daemon.process.poll() is not None or t.daemon.verb("status").returncode == 0, 12)
        if until(lambda: t.daemon.process.poll() is not None, 0.2):     # it had taken over before it was killed: as any daemon that is killed
            need("another process has taken over" in t.daemon.said(), f"the old one ended after {ms} ms: {t.daemon.said()}")
            break
        pid = t.daemon.json("status")["pid"]
        need(pid == t.daemon.process.pid, f"{pid} answers after {ms} ms")
    load = json.loads(load.communicate(timeout=30)[0])
    need(not load["bad"], f"{len(load['good'])} good, bad: {load['bad'][:3]}")
    if t.daemon.process.poll() is None:
        need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "no reset afterwards")
        need(taught(t, endpoint), "what was learnt is gone")
    t.daemon.stop()
    done = take_over(t)
    need(done.returncode == 3, f"without a daemon: exit {done.returncode}")
