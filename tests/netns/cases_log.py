# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of the event log while the daemon writes it: rotation by size, by another program's HUP and by truncation,
with a reader that follows; lines held back; and what the log's filters find."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import formats
import wire
from bed import CLIENT
from run import LISTED, need, own, policy, until

MAKE_LOG = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bench", "make_log.py")


def filled(daemon, lines):
    """The log as days before would have left it."""
    path = os.path.join(daemon.folder, "eve.json")
    with open(path, "wb") as f:
        subprocess.run([sys.executable, MAKE_LOG, str(lines)], check=True, stdout=f)
    return path


def with_log(more):
    """The bed's policy with more keys of `log:`."""
    text = policy()
    need("log: {file: eve.json}" in text, "the bed's policy has another log: than this knows")
    return text.replace("log: {file: eve.json}", f"log: {{file: eve.json, {more}}}")


def attempt(t):
    """One attempt at a pool of its own; its address."""
    address = t.fresh()
    t.bed.send(address, 3333, "stratum-v1")
    return address


def listed(daemon, *more):
    done = daemon.verb("log", "--all", *more)
    need(done.returncode in (0, 1), f"log says {done.returncode}: {done.stderr[:200]}")
    return done.stdout


@own("log/rotation", "size", "hup", "truncated")
def rotation(t, how):
    """A reader that follows sees each attempt once, and afterwards they all are in the log, each once."""
    t.daemon = t.make(with_log("size: 64KiB, keep: 3"), f"rotate-{how}")
    path = filled(t.daemon, 112 if how == "size" else 20)
    t.daemon.start()
    out = os.path.join(t.daemon.folder, "followed")
    with open(out, "wb") as f:
        reader = t.bed.gateway.start(t.daemon.binary, "log", "-c", t.daemon.policy, "--follow", "--json", stdout=f)
    addresses = []
    try:
        for i in range(12):
            if i == 6 and how == "hup":
                os.rename(path, path + ".1")
                t.daemon.process.send_signal(signal.SIGHUP)
            if i == 6 and how == "truncated":
                need(until(lambda: addresses[-1] in open(out).read()), "the reader did not see the last attempt")
                os.truncate(path, 0)
                time.sleep(0.5)
            addresses.append(attempt(t))
        for address in addresses:
            need(until(lambda a=address: open(out).read().count(f'"dest_ip":"{a}"') >= 1, 5), f"the reader missed {address}")
    finally:
        reader.send_signal(signal.SIGTERM)
        reader.wait(5)
    with open(out) as f:
        events = [json.loads(line) for line in f]
    need(len({json.dumps(e) for e in events}) == len(events), "the reader saw an event twice")
    if how == "size":
        need(until(lambda: os.path.exists(path + ".1.gz")), "the log was not rotated and compressed")
        need(not os.path.exists(path + ".1"), "the file that was compressed is still there")
    text = listed(t.daemon)
    kept = addresses[6:] if how == "truncated" else addresses
    for address in kept:
        need(re.search(rf"-> {re.escape(address)}:3333 ", text), f"{address} is not in the log")
    if how != "truncated":
        need(len(text.splitlines()) >= (112 if how == "size" else 20) + 12, "events of before are missing")


@own("log/follow-format", "syslog", "ecs")
def follow_format(t, form):
    """What a pipe to another program gets: each event as it comes, in that form, across a rotation; when the pipe closes the reader ends."""
    t.daemon = t.make(policy(), f"follow-{form}").start()
    path, out = os.path.join(t.daemon.folder, "eve.json"), os.path.join(t.daemon.folder, "followed")
    with open(out, "wb") as f:
        reader = t.bed.gateway.start(t.daemon.binary, "log", "-c", t.daemon.policy, "--follow", "--format", form, stdout=f)
    try:
        for i in range(4):
            if i == 2:
                os.rename(path, path + ".1")
                t.daemon.process.send_signal(signal.SIGHUP)
                need(until(lambda: os.path.exists(path), 5), "the log is not opened anew")
            address = attempt(t)
            need(until(lambda a=address: a in open(out).read(), 5), f"{address} does not come")
    finally:
        reader.send_signal(signal.SIGTERM)
        reader.wait(5)
    events = [json.loads(line) for line in t.daemon.verb("log", "--json", "--all").stdout.splitlines()]
    with open(out) as f:
        getattr(formats, "check_" + form)(f.read(), events)
    reader = t.bed.gateway.start(t.daemon.binary, "log", "-c", t.daemon.policy, "--follow", "--format", form, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader.stdout.readline()
    reader.stdout.close()
    attempt(t)
    need(until(lambda: reader.poll() is not None, 5), "it follows though nobody reads")
    need(reader.stderr.read().count(b"\n") <= 1, "it says more than a line about that")


@own("log/held-back")
def held_back(t):
    """With `buffer:` the file is not written for each event; whoever asks sees all, and the end loses none."""
    t.daemon = t.make(with_log("buffer: 1h"), "held").start()
    path = os.path.join(t.daemon.folder, "eve.json")
    first = attempt(t)
    time.sleep(0.3)
    need(os.path.getsize(path) == 0, "the event was written at once")
    need(first in listed(t.daemon), "`minewall log` does not bring in what is held back")
    last = attempt(t)
    need(t.daemon.stop() == 0, "the daemon did not end well")
    with open(path) as f:
        need(last in f.read(), "the daemon's end lost an event")


@own("log/filters")
def filters(t):
    t.daemon = t.make(policy(), "filters").start()
    before = time.strftime("%Y-%m-%d %H:%M:%S")
    address = attempt(t)
    need(until(lambda: address in listed(t.daemon)), "no event")
    for more, found in ((("--host", "198.18.1.2"), True), (("--host", "198.18.1.3"), False), (("--host", "198.18.1.0/24"), True),
                        (("--rule", "detect.stratum"), True), (("--rule", "list"), False), (("--list", "x"), False),
                        (("--since", before), True), (("--since", "1h"), True), (("--until", "1h"), False), (("--name", "a.example"), False)):
        need((address in listed(t.daemon, *more)) == found, f"log {' '.join(more)} is wrong")
    for i in range(3):
        t.bed.send(address, 3333, "stratum-v1")
    done = t.daemon.verb("log")
    need(len([line for line in done.stdout.splitlines() if address in line]) <= 2, f"retries are not folded: {done.stdout[:600]}")
    done = t.daemon.verb("log", "--since", "noon")
    need(done.returncode == 2 and "is no time" in done.stderr, "a time that is none is taken")


@own("log/names")
def names(t):
    """Names of the policy's lease files, as they are now: escaped, by MAC before address, also to ask for."""
    mac = json.loads(t.bed.client.run("ip", "-j", "link", "show", "c0").stdout)[0]["address"]
    t.daemon = t.make(policy(more="leases: [dhcp.leases]\n"), "names",
                      files=(("dhcp.leases", f"1800000000 {mac} {CLIENT[4]} lap\x1btop *\n"),)).start()
    address = attempt(t)
    need(until(lambda: address in listed(t.daemon)), "no event")
    for more in ((), ("--all",), ("--host", "lap\\x1btop")):
        need("(lap\\x1btop, " in listed(t.daemon, *more), f"log {' '.join(more)}: no name in {listed(t.daemon, *more)[:200]}")
    need("\x1b" not in listed(t.daemon), "a name speaks to the terminal")
    path = os.path.join(t.daemon.folder, "dhcp.leases")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"1800000000 {mac} 198.18.1.77 by-mac *\n1800000000 02:00:00:00:00:77 {CLIENT[4]} by-address *\n")
    need("(by-mac, " in listed(t.daemon) and "by-address" not in listed(t.daemon), "the address goes before the MAC")
    need(address not in listed(t.daemon, "--host", "by-address"), "another device's name finds it")
    os.unlink(path)
    need(address in listed(t.daemon), "without the lease file there is no event")


@own("log/unprotected")
def unprotected(t):
    """The seconds in which nobody judged are said by the one that judges again, and added up in the report."""
    t.daemon = t.make(policy(), "unprotected").start()
    need(t.daemon.stop() == 0, "the daemon did not end well")
    time.sleep(2.1)
    t.daemon.start()
    need(until(lambda: "started: judging again" in t.daemon.verb("log").stdout), "the log does not say that nobody judged")
    need(t.daemon.verb("pause", "1h").returncode == 0, "no pause")
    time.sleep(2.1)
    need(t.daemon.verb("pause", "off").returncode == 0, "the pause does not end")
    report = json.loads(t.daemon.verb("report", "--json").stdout)
    gaps = {n["event"]: n["seconds"] for n in report["notes"] if n["seconds"]}
    need(set(gaps) == {"started", "resumed"} and all(2 <= s <= 8 for s in gaps.values()), f"the gaps are {gaps}")
    need(report["unprotected_s"] == sum(gaps.values()), "they are not added up")
    need(report["running"] is True, "the report does not see the daemon")


@own("log/top")
def top(t):
    """One picture without a terminal; in one it draws what comes while it runs, ends by q, and puts the terminal back."""
    t.daemon = t.make(policy(), "top").start()
    need("nobody within the last hour" in t.daemon.verb("top").stdout, "it shows somebody who did nothing")
    first = attempt(t)
    rows = json.loads(t.daemon.verb("top", "--json").stdout)
    need(rows["running"] and rows["devices"][0]["minute"] == 1 and rows["pools"][0]["pool"] == f"{first}:3333", f"its numbers are {rows}")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
    before = termios.tcgetattr(theirs)
    process = t.bed.gateway.start("env", "TERM=xterm", t.daemon.binary, "top", "-c", t.daemon.policy, stdin=theirs, stdout=theirs, stderr=theirs)
    seen = b""

    def shows(word):
        nonlocal seen
        while select.select([ours], [], [], 0)[0]:
            seen += os.read(ours, 65536)
        return word in seen

    try:
        need(until(lambda: shows(first.encode()), 5), f"it does not draw the pool: {seen[-400:]}")
        second = attempt(t)
        need(until(lambda: shows(second.encode()), 5), "it does not draw what comes while it runs")
        os.write(ours, b"q")
        need(until(lambda: process.poll() is not None, 5) and process.returncode == 0, "q does not end it")
        shows(b"")
        need(seen.rstrip().endswith(b"\x1b[?1049l") and termios.tcgetattr(theirs) == before, "the terminal is not as it was")
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)


@own("log/eve-fields")
def eve_fields(t):
    """What the daemon really writes has the names and types of Suricata's schema, and its renderings are right."""
    t.daemon = t.make(policy(), "fields").start()
    address = attempt(t)
    t.bed.send(t.fresh(), 443, wire.client_hello(LISTED).hex())
    t.bed.send(t.fresh(), 80, f"GET / HTTP/1.1\r\nHost: {LISTED}\r\n\r\n".encode().hex())
    t.bed.send(address, 3333, "stratum-v1")
    need(until(lambda: len(t.daemon.json("log")) >= 4), "the events are missing")
    need(t.daemon.verb("pause", "1h").returncode == 0, "no note")
    events = t.daemon.json("log")
    need({"tls", "http", "mining", "minewall"} <= {k for e in events for k in e}, "not every kind of event is there")
    for event in events:
        formats.check_eve(event)
    formats.check_ecs(t.daemon.verb("log", "--format", "ecs").stdout, events)
    formats.check_syslog(t.daemon.verb("log", "--format", "syslog").stdout, events)
