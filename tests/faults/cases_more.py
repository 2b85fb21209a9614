# SPDX-License-Identifier: GPL-2.0-or-later
"""More faults: floods of what no honest host sends, the processes beside the one that judges, and an upgrade that fails."""

import json
import os
import signal
import socket
import time

import bed as beds
from cases import Cgroup, fault
from field import need, until

MEMORY = "memory: {flows: 2048, reassembly: 1MiB}"
# What may come beyond what there was: those two, and the tables of fixed size, which fill by and by. Measured: 2.7 MB; without a bound
# of flows and their bytes 20 MB, or more where the kernel gives huge pages.
GROWTH_KIB = 12 * 1024


# -- floods -----------------------------------------------------------------------------------------

def flooded(f, what):
    f.start(MEMORY)
    f.begin(1.0)
    seconds = 2 if f.quick else 4
    grown, sent = f.spoof(what, seconds, 5000)
    need(sent > 1000 * seconds, f"only {sent} packets were sent")
    need(grown < GROWTH_KIB, f"its memory grew by {grown} KiB")
    f.note(f"{sent} packets, memory grew by {grown} KiB")


@fault("flood by senders that there are not", passed=(3, 0), late=(None, None), steady=True, quick=("open",))
def spoofed_hosts(f):
    flooded(f, "hosts")


@fault("flood of fragments: late, overlapping, tiny, never whole", passed=(3, 0), late=(None, None), steady=True)
def fragments(f):
    flooded(f, "fragments")


# -- the processes beside it ------------------------------------------------------------------------

def reporters(f):
    """The one that waits, the one that works."""
    found = []
    for pid in f.bed.gateway.pids():
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                name, rest = file.read().rsplit(")", 1)
        except OSError:
            continue
        if name.endswith("(mw-reporter") and rest.split()[0] != "Z":
            found.append((int(rest.split()[1]) != f.daemon.process.pid, pid))
    return [pid for _, pid in sorted(found)]


def incidents(f):
    """Exit status of the verb: 0 and 1 are a listing, perhaps an empty one."""
    return f.daemon.verb("incidents").returncode


@fault("reporter killed, then the one that would replace it")
def reporter(f):
    f.start()
    need(until(lambda: len(reporters(f)) == 2 and incidents(f) < 2), "there is no reporter")
    f.begin()
    f.signal(signal.SIGKILL, reporters(f)[1])
    begin = time.monotonic()
    need(until(lambda: len(reporters(f)) == 2, 5) and until(lambda: incidents(f) < 2, 5), "no new reporter")
    f.note(f"a new one after {time.monotonic() - begin:.1f} s")
    for pid in reporters(f):
        f.signal(signal.SIGKILL, pid)
    f.said("reporter_gone")
    need(f.status()["mode"] == "enforce", "status is not answered")
    begin = time.monotonic()
    done = f.daemon.verb("incidents")
    need(time.monotonic() - begin < 2, "the verb waits for nobody's answer")
    need(done.returncode == 3 and "its reporter was killed" in done.stderr, f"the verb: exit {done.returncode}: {done.stderr.strip()}")
    f.note("gone for good: said at once")


@fault("reader and watchdog stopped at once for 2 s", passed=(3.0, 0), late=(None, None), fails=("open",))
def both_stopped(f):
    f.start()
    dog = f.daemon.watchdog()
    f.begin()
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in (dog, f.daemon.process.pid):
            f.signal(number, pid)
        time.sleep(2 if number == signal.SIGSTOP else 0)


# -- an upgrade -------------------------------------------------------------------------------------

def offered(f):
    """As a new process does: asks for all that the old one has. Its channel; the rest is not needed here."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(5)
        control.connect(f"{f.folder}/control.sock")
        control.sendall(b'{"verb": "takeover"}')
        control.shutdown(socket.SHUT_WR)
        said, fds, _, _ = socket.recv_fds(control, 65536, 32)
        while more := control.recv(65536):
            said += more
    need(json.loads(said)["ok"] and fds, f"it offers nothing: {said}")
    for fd in fds[1:]:
        os.close(fd)
    return socket.socket(fileno=fds[0])


@fault("takeover by a process that dies when the old one has let go", passed=(1.5, 0), late=(0, None), quick=("closed",))
def heir_dies(f):
    f.start()
    f.begin()
    with offered(f) as heir:
        heir.settimeout(10)
        heir.send(b"G")
        need(heir.recv(1) == b"Y", "the old one does not let go")
    f.said("this one goes on", 12)
    need(until(lambda: f.daemon.verb("status").returncode == 0, 5), "it does not answer")


@fault("the same, and the old one gets no new threads", passed=(8, 0), late=(0, None))
def heir_dies_without_threads(f):
    f.start()
    f.begin()
    group = Cgroup(f.daemon.process.pid)
    try:
        with offered(f) as heir:
            heir.settimeout(10)
            heir.send(b"G")
            need(heir.recv(1) == b"Y", "the old one does not let go")
            group.write("pids.max", 1)
        f.said("gave_up", 12)
        code = f.daemon.process.wait(10)
        need(code == 1, f"its exit status is {code}: a service manager would not start it again")
        need("inet minewall" in f.bed.kernel.tables(), "the table is gone")
        time.sleep(1)
    finally:
        if f.daemon.process.poll() is None:
            f.daemon.process.kill()
            f.daemon.process.wait(5)
        group.remove()
    f.daemon.start()
