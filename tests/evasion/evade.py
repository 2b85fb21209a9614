#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays every trick of TRICKS.md against the real daemon, over IPv4 and IPv6, and prints the table with what became of each.
First in monitor mode, where the server must get the bytes, so that each trick is a real one; then in enforce mode, where the
server's own log must lack them, or hold them still where the table calls the trick a limit. A table that says anything else
than what happens fails.

usage: evade.py [--only PATTERN]... [build/minewall]"""

import argparse
import fnmatch
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "netns")]
import bed as beds  # noqa: E402
import run  # noqa: E402
import cases_tunnels  # noqa: E402
import tricks_wire  # noqa: E402
import tricks_words  # noqa: E402
from bed import CLIENT, CLIENT2  # noqa: E402

TRICKS = {**tricks_wire.TRICKS, **tricks_words.TRICKS}
ROW = re.compile(r"^\| `([\w.-]+)` \| (.+) \| (caught|limit: .+) \|$")
TOOLS = {"raw": os.path.join(beds.HERE, "raw_client.py"), "kernel": os.path.join(HERE, "client.py")}
CAUGHT, THROUGH, LOST = "caught", "through", "lost"


def table():
    """{name: (what the client does, expectation)} of TRICKS.md in its order."""
    rows = {}
    with open(os.path.join(HERE, "TRICKS.md"), encoding="utf-8") as f:
        for line in f:
            found = ROW.match(line.rstrip("\n"))
            if found:
                if found[1] in rows:
                    raise SystemExit(f"TRICKS.md has {found[1]} twice")
                rows[found[1]] = (found[2], found[3])
    return rows


class Played:
    """What became of one trick over one IP version in one mode."""

    def __init__(self, name, family, address, script):
        self.name, self.family, self.address, self.script = name, family, address, script
        self.trick, self.answer = TRICKS[name], None

    def arrived(self, heard):
        return self.trick.complete in heard.get(beds.ServerLog.key(self.address, self.trick.target), b"")

    def answered(self):
        return bytes.fromhex(self.answer["received"]).startswith(self.trick.answered)


def heard(log):
    """{server's end: all that its program read there}"""
    found = {}
    for event in log.read():
        if event["kind"] != "wire" and event["what"] == "data":
            found.setdefault(event["local"], {}).setdefault(event["peer"], []).append(event["hex"])
    return {local: b"".join(bytes.fromhex("".join(parts)) for parts in peers.values()) for local, peers in found.items()}


def scripts(t, names):
    sport = 61000
    for name in names:
        trick = TRICKS[name]
        sport += 1
        for family in trick.families:
            address = t.bed.fresh(family)
            yield Played(name, family, address, trick.play(CLIENT[family], address, sport))


def play_tool(t, tool, played):
    mine = [p for p in played if p.trick.tool == tool]
    if not mine:
        return
    done = t.bed.client.run(*beds.PYTHON, TOOLS[tool], text_in=json.dumps([p.script for p in mine]), timeout=60)
    for p, answer in zip(mine, json.loads(done.stdout)):
        p.answer = answer


def play(t, names):
    """All of them at once; each has an address of its own, so that none teaches what another meets."""
    played = list(scripts(t, names))
    threads = [threading.Thread(target=play_tool, args=(t, tool, played)) for tool in TOOLS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.2)
    missing = [p.name for p in played if p.answer is None]
    if missing:
        raise beds.BedError(f"a client ended early: {missing[:3]}")
    return played


def start_servers(t):
    process = t.bed.server.start(*beds.PYTHON, os.path.join(HERE, "servers.py"), "--log", t.log.path,
                                 stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if process.stdout.readline() != b"ready\n":
        raise beds.BedError("the servers of the tricks do not start")
    cases_tunnels.ready(t)


def lay_paths(t):
    """Two addresses of the client for Multipath TCP, where the kernel has it."""
    if not os.path.exists("/proc/sys/net/mptcp/enabled"):
        return
    for namespace in (t.bed.client, t.bed.server):
        namespace.run("ip", "mptcp", "limits", "set", "subflows", "4", check=False)
    for number, address in enumerate((CLIENT[4], CLIENT[6], CLIENT2[4], CLIENT2[6]), 1):
        t.bed.client.run("ip", "mptcp", "endpoint", "add", address, "dev", "c0", "id", str(number), "subflow", check=False)


def outcomes(t, names):
    """{(name, family): (did the complete bytes arrive, was the answer as it should be)}"""
    played = play(t, names)
    got = heard(t.log)
    return {(p.name, p.family): (p.arrived(got), p.answered()) for p in played}


def lost(results):
    return sorted({name for (name, _), result in results.items() if TRICKS[name].lands and not all(result)})


def in_mode(t, mode, names):
    """The outcomes under a daemon in this mode. What a busy machine kept from a server that nobody guards is played once more."""
    t.daemon = t.make(run.policy(mode=mode), f"evasion-{mode}").start()
    try:
        results = outcomes(t, names)
        again = lost(results) if mode == "monitor" else []
        if again:
            results.update(outcomes(t, again))
        return results
    finally:
        t.daemon.stop()


def result(trick, free, guarded):
    """`free`, `guarded`: arrived and answered in monitor and in enforce mode."""
    if trick.lands and not all(free):
        return LOST
    return THROUGH if guarded[0] else CAUGHT


def fault(expected, results):
    """Why this row of the table is wrong, or None."""
    if LOST in results.values():
        return "without a firewall, too, the server does not get it: this is no trick"
    if expected == "caught":
        through = [f"IPv{family}" for family, what in results.items() if what == THROUGH]
        return f"gets through over {' and '.join(through)}" if through else None
    return "is caught: the table is stale" if THROUGH not in results.values() else None


def missing(trick):
    return getattr(trick, "needs", None) and not os.path.exists(trick.needs)


def show(rows, names, free, guarded):
    """Prints the table; (passed, failed, skipped)."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    width = max(map(len, names))
    for name in names:
        what, expected = rows[name]
        trick = TRICKS[name]
        if missing(trick):
            print(f"{name:{width}}  skipped  this machine has no {trick.needs}")
            counts["skipped"] += 1
            continue
        results = {f: result(trick, free[name, f], guarded[name, f]) for f in trick.families}
        why = fault(expected, results)
        counts["failed" if why else "passed"] += 1
        word = "FAIL" if why else "caught" if expected == "caught" else "limit"
        only = f" (IPv{trick.families[0]})" if len(trick.families) == 1 else ""
        reason = f" -- {expected.removeprefix('limit: ')}" if word == "limit" else f" -- {why}" if why else ""
        print(f"{name:{width}}  {word:7}  {what}{only}{reason}")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="PATTERN", help="tricks whose name holds this (* and ? allowed)")
    parser.add_argument("binary", nargs="?", default=os.path.join(beds.ROOT, "build", "minewall"))
    options = parser.parse_args()
    rows = table()
    unequal = set(rows) ^ set(TRICKS)
    for name in sorted(unequal):
        print(f"FAIL {name}: stands in TRICKS.md or is played, not both")
    why = beds.usable()
    if why:
        print(f"skipped: {why}")
        return 1 if unequal else 0
    names = [name for name in rows if name in TRICKS
             and any(fnmatch.fnmatch(name, f"*{p}*") for p in options.only or ("*",))]
    wanted = [name for name in names if not missing(TRICKS[name])]
    with beds.Bed() as bed:
        t = run.Context(bed, os.path.abspath(options.binary))
        start_servers(t)
        lay_paths(t)
        free = in_mode(t, "monitor", wanted)
        guarded = in_mode(t, "enforce", wanted)
    counts = show(rows, names, free, guarded)
    failed = counts["failed"] + len(unequal)
    print(f"evasion: {counts['passed']} passed, {failed} failed, {counts['skipped']} skipped; {len(names)} tricks, "
          f"{sum(rows[n][1] == 'caught' for n in names)} to be caught")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
