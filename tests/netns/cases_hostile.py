# SPDX-License-Identifier: GPL-2.0-or-later
"""What strangers send: names that would speak to a terminal, wallets that must be nowhere, and more of everything than there is room
for. Memory stays below what the policy says and a constant, whatever is sent."""

import glob
import json
import os
import re
import shutil
import signal
import struct
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


def writable(pid):
    """The memory that a process may write, by its mapping: read as root does, who is kept out by nothing."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            where, rights, *_ = line.split()
            start, end = (int(n, 16) for n in where.split("-"))
            if rights[1] != "w" or end - start > 1 << 32:     # no memory of ours, but a sanitizer's shadow
                continue
            for at in range(start, end, 8 << 20):     # overlapping, as a text may lie across
                mem.seek(at)
                yield line.strip(), mem.read(min((8 << 20) + 256, end - at))


def memory_of(core):
    """The segments of a core file (ELF, 64 bits); not its notes, as a register may hold 32 bytes of what was compared last."""
    with open(core, "rb") as f:
        data = f.read()
    at, (size, n) = struct.unpack_from("=Q", data, 32)[0], struct.unpack_from("=HH", data, 54)
    heads = [struct.unpack_from("=IIQQQQ", data, at + i * size) for i in range(n)]
    return b"".join(data[offset:offset + length] for kind, _, offset, _, _, length in heads if kind == 1)


def logins():
    """Miners' ways to name their wallet: as text, as escapes, with a worker; in the clear, in a request's body."""
    plain = json.dumps({"id": 1, "jsonrpc": "2.0", "method": "login", "params": {"login": WALLET, "pass": "x", "agent": "a/1"}}) + "\n"
    worker = ('{"id":1,"method":"mining.subscribe","params":["a/1"]}\n'
              f'{{"id":2,"method":"mining.authorize","params":["{WALLET}.rig","x"]}}\n')
    body = f"POST / HTTP/1.1\r\nHost: x.example\r\nContent-Type: application/json\r\nContent-Length: {len(plain)}\r\n\r\n{plain}"
    return {"plain": plain, "escaped": plain.replace(WALLET, "".join(f"\\u{ord(c):04x}" for c in WALLET)), "worker": worker, "body": body,
            "behind-much": worker.replace("a/1", "a" * 3000)}


def findings(pids, texts):
    """Where in the memory of these processes one of the texts stands."""
    return [f"{name} in process {pid}, {where}" for pid in pids for where, data in writable(pid) for name, text in texts.items() if text in data]


@own("hostile/memory-without-wallets", "enforce", "monitor")
def without_wallets(t, mode):
    """After logins of every kind no process of the daemon holds the wallet any more, and a core file of it holds no key."""
    t.daemon = t.make(policy(mode=mode, queues=2)).start()
    wanted = 0
    for name, text in logins().items():
        for how in ((), ("--mode", "bytes"), ("--mode", "cuts", "--cuts", "70,90")):
            # An HTTP connection that is let mine is read on, with its first bytes, for 16 requests.
            if (name == "behind-much" and "bytes" in how) or (name == "body" and mode == "monitor"):
                continue
            wanted += 1
            t.bed.send(t.fresh(), 14433, text.encode().hex(), *how, "--linger", "0.1", wait=5)
            need(until(lambda: len(t.daemon.events()) >= wanted, 4), f"{name} {' '.join(how)}: no event")
    # Byte by byte a subscription is known before the wallet is said.
    hashes = {e["mining"]["login_hash"] for e in t.daemon.events() if "login_hash" in e["mining"]}
    need(len(hashes) == 1, f"one wallet has the hashes {hashes}")
    pids = processes(t)
    with open(os.path.join(t.daemon.state, "minewall", "key"), "rb") as f:
        key = f.read()
    held = findings(pids, {"key": key})
    need(len(held) == 1 and f"process {t.daemon.process.pid}," in held[0], f"the key is not in one place, so this search finds nothing: {held}")
    held = findings(pids, {"wallet": WALLET[30:54].encode()})
    need(not held, "; ".join(held))
    if shutil.which("gcore") and beds.SLOW == 1:
        beds.command("gcore", "-o", os.path.join(t.bed.tmp, "core"), str(t.daemon.process.pid), timeout=60)
        core = memory_of(os.path.join(t.bed.tmp, f"core.{t.daemon.process.pid}"))
        need(hashes.pop()[:8].encode() in core, "the core file holds nothing of what was found")
        need(key not in core, "the core file holds the key")
        need(WALLET[30:54].encode() not in core, "the core file holds the wallet")
        os.remove(os.path.join(t.bed.tmp, f"core.{t.daemon.process.pid}"))


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
