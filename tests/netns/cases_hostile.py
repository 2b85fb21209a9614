# SPDX-License-Identifier: GPL-2.0-or-later
"""What strangers send: names that would speak to a terminal, wallets that must be nowhere, and more of everything than there is room
for. Memory stays below what the policy says and a constant, whatever is sent."""

import glob
import json
import os
import re
import signal
import time

import bed as beds
from run import need, own, policy, until

WALLET = "48edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWzYGzKt52XU5xvqgzYnDK9URnRoJMk1j8nLwEVsaSWJ4fhdUyZijBGUicoD"
# Beside flows and reassembly: code, lists, tables of fixed size (answers, score, learnt events), stacks.
CONSTANT_KIB = 48 * 1024
REASSEMBLY_KIB = 4 * 1024

# Sent from inside: hellos that never end, queries for ever new names, first fragments, QUIC's first bytes; each from a port of its own.
FLOOD = r"""
import os, socket, struct, sys, time
server, seconds = sys.argv[1], float(sys.argv[2])
end = time.monotonic() + seconds
udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(64)]
held, n = [], 0
hello = bytes.fromhex("160301020001" "0001fc0303") + os.urandom(32)
quic = bytes.fromhex("c300000001088394c8f03e5157080000449e") + os.urandom(1180)
while time.monotonic() < end:
    n += 1
    name = b"".join(bytes([len(part)]) + part for part in (b"n%d" % n, b"q" * 50, b"example")) + b"\0"
    try:
        udp[n % 64].sendto(struct.pack("!HHHHHH", n & 0xffff, 0x100, 1, 0, 0, 0) + name + b"\0\1\0\1", (server, 53))
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.sendto(quic[:6] + os.urandom(8) + quic[14:], (server, 443))
        s.close()
        if n % 4 == 0:
            s = socket.socket()
            s.settimeout(0.5)
            s.connect((server, 443))
            s.send(hello)
            held.append(s)
            if len(held) > 400:
                held.pop(0).close()
    except OSError:
        pass
print(n)
"""


def processes(t):
    """Those of the daemon: the one that judges, and its children (watchdog, reporter)."""
    found = []
    for pid in t.bed.gateway.pids():
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                parent = int(re.search(r"^PPid:\s+(\d+)", f.read(), re.M)[1])
        except OSError:
            continue
        if t.daemon.process.pid in (int(pid), parent):
            found.append(pid)
    return found


def rss_kib(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))
        except OSError:
            pass
    return total


def contents(folder):
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    yield path, f.read()


@own("hostile/wallet-nowhere")
def wallet_nowhere(t):
    t.daemon = t.make(policy()).start()
    login = {"id": 1, "jsonrpc": "2.0", "method": "login", "params": {"login": WALLET, "pass": "x", "agent": "x\x1b[2J\u202e", "algo": ["rx/0"]}}
    t.bed.send(t.fresh(), 14433, (json.dumps(login) + "\n").encode().hex())
    need(until(lambda: t.daemon.events()), "no event")
    said = "".join(t.daemon.verb(verb, *more).stdout for verb in ("log", "blocked", "status") for more in ((), ("--json",)))
    need("login_hash" in said and WALLET not in said, "a verb shows the wallet")
    need(not re.search(r"[^\n\x20-\x7e]", said), "a verb lets a byte through that is no visible character")
    pids = processes(t)
    need(len(pids) >= 2, f"{len(pids)} processes of the daemon")
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
            uid = re.search(r"^Uid:\s+(\d+)", f.read(), re.M)[1]
        # The files of a process that may be dumped belong to its user; those of one that may not, to root.
        need(uid != "0" and os.stat(f"/proc/{pid}/mem").st_uid == 0, f"process {pid} of user {uid} can be dumped")
    os.kill(t.daemon.process.pid, signal.SIGSEGV)
    t.daemon.process.wait(5)
    for path, data in contents(t.daemon.folder):
        need(WALLET.encode() not in data and WALLET[:24].encode() not in data, f"the wallet is in {path}")
    need(not glob.glob(os.path.join(t.daemon.folder, "**", "core*"), recursive=True), "there is a core dump")


@own("hostile/memory")
def memory(t):
    """Floods of four kinds at once, for some seconds; twice, so that growth shows."""
    t.daemon = t.make(policy(more=f"memory: {{flows: 4096, reassembly: {REASSEMBLY_KIB // 1024}MiB}}\n")).start()
    highest = []
    for _ in range(2):
        flood = t.bed.client.start(*beds.PYTHON, "-c", FLOOD, beds.SERVER[4], "4")
        most = 0
        while flood.poll() is None:
            most = max(most, rss_kib(processes(t)))
            time.sleep(0.1)
        highest.append(most)
    need(t.daemon.process.poll() is None, "the daemon ended")
    print(f"# anonymous memory of all its processes: {highest[0]} and {highest[1]} KiB at most", flush=True)
    need(max(highest) < REASSEMBLY_KIB + CONSTANT_KIB, f"{max(highest)} KiB, more than {REASSEMBLY_KIB} + {CONSTANT_KIB}")
    need(highest[1] < highest[0] + 4096, f"it grows: {highest[0]}, then {highest[1]} KiB")
    need(t.bed.curl(t.fresh(), 443, "www.unlisted.example")["code"] == 200, "an ordinary client is not served afterwards")
