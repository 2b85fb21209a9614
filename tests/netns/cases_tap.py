# SPDX-License-Identifier: GPL-2.0-or-later
"""`minewall run --tap`: a mirror port is judged by the same core, and only reported. The gateway copies what crosses its inside
interface to a pair of its own, as a switch does; the listener sits at the other end."""

import json
import os
import signal
import subprocess

from bed import CLIENT, command
from run import LISTED, Failed, Skipped, need, own, policy, until

STRATUM_PORT = 14433


def mirror(t):
    """tap0 gets a copy of both directions of g0; tap1 is where one listens."""
    g = t.bed.gateway
    g.ip("link", "add", "tap0", "type", "veth", "peer", "name", "tap1")
    for name in ("tap0", "tap1"):
        g.run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
        g.ip("link", "set", name, "up")
    for what in (("qdisc", "add", "dev", "g0", "clsact"),
                 ("filter", "add", "dev", "g0", "ingress", "protocol", "all", "u32", "match", "u32", "0", "0", "action", "mirred", "egress", "mirror", "dev", "tap0"),
                 ("filter", "add", "dev", "g0", "egress", "protocol", "all", "u32", "match", "u32", "0", "0", "action", "mirred", "egress", "mirror", "dev", "tap0")):
        done = g.run("tc", *what, check=False)
        if done.returncode:
            return f"tc {what[0]}: {done.stderr.strip()[:100]}"
    return None


def listen(t, daemon, interface):
    with open(daemon.stderr, "wb") as err:
        process = t.bed.gateway.start("env", "-i", "PATH=/nonexistent", daemon.binary, "run", "-c", daemon.policy, "--tap", interface,
                                      stderr=err, stdout=err)
    need(until(lambda: "ready" in daemon.said() or process.poll() is not None, 10) and process.poll() is None, f"no listener: {daemon.said()}")
    return process


def events(daemon):
    try:
        with open(os.path.join(daemon.folder, "eve.json"), encoding="utf-8") as f:
            return [json.loads(line) for line in f if '"alert"' in line]
    except FileNotFoundError:
        return []


@own("tap/mirror-port")
def mirror_port(t):
    """A login and a listed name are reported with the device's own address, by a listener that gave root away; nothing is stopped,
    nothing is in the kernel; an ordinary connection is silence."""
    daemon = t.make(policy(more="interfaces: {out: [g1]}"), "tap")
    try:
        why = mirror(t)
        if why:
            raise Skipped(f"this kernel mirrors no port ({why})")
        process = listen(t, daemon, "tap1")
        uid = command("stat", "-c", "%u", f"/proc/{process.pid}").stdout.strip()
        with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
            caps = next(line.split()[1] for line in f if line.startswith("CapEff"))
        need(uid != "0" and int(caps, 16) == 0, f"it listens as user {uid} with capabilities {caps}")
        for family in (4, 6):
            pool, site, plain = (t.bed.fresh(family) for _ in range(3))
            t.bed.send(pool, STRATUM_PORT, "cryptonote", "--linger", "0.1")
            t.bed.curl(site, 443, LISTED)
            got = t.bed.curl(plain, 443, "www.example.org")
            need(got["code"] == 200, f"an ordinary site: {got}")
            need(until(lambda: {pool, site} <= {e["dest_ip"] for e in events(daemon)}, 5), f"not both reported: {events(daemon)} {daemon.said()}")
            need(t.log.bytes(pool, STRATUM_PORT) and t.log.bytes(site, 443), "something was stopped")
            found = [e for e in events(daemon) if e["dest_ip"] in (pool, site, plain)]
            need(len(found) == 2, f"one event a connection, none for the ordinary one: {found}")
            for e in found:
                need(e["alert"]["action"] == "allowed" and e["src_ip"] == CLIENT[family], f"not only reported, or of another: {e}")
                need(e.get("mining", {}).get("learned") in (None, "flow"), f"it says that something was learnt: {e}")
        need(not t.kernel.table(), "there is a table")
        need(daemon.verb("log").returncode == 0 and "allowed" in daemon.verb("log").stdout, "`minewall log` does not tell of it")
        process.send_signal(signal.SIGTERM)
        need(until(lambda: process.poll() is not None, 5) and process.returncode == 0, f"exit {process.returncode}: {daemon.said()}")
        need(" 4 findings, 0 packets lost" in daemon.said(), daemon.said())
    finally:
        t.bed.gateway.run("tc", "qdisc", "del", "dev", "g0", "clsact", check=False)
        t.bed.gateway.run("ip", "link", "del", "tap0", check=False)


@own("tap/refusals")
def refusals(t):
    daemon = t.make(policy(), "tap-refused")
    for interface, code, text in (("nosuch0", 5, "nosuch0"), ("", 5, "")):
        done = daemon.verb("run", "--tap", interface)
        need(done.returncode == code and len(done.stderr.strip().splitlines()) == 1 and text in done.stderr, f"{interface}: {done}")
    daemon = t.make("version: 1\nnonsense: 1\n", "tap-broken")
    done = daemon.verb("run", "--tap", "g0")
    need(done.returncode == 4 and "nonsense" in done.stderr, f"{done}")


@own("tap/link")
def link(t):
    """A link where the log is to be, to a file that is root's alone: whoever was the daemon's user may have put it there."""
    daemon = t.make(policy(), "tap-link")
    target = os.path.join(t.bed.tmp, "roots-own")
    with open(target, "w", encoding="ascii") as f:
        f.write("root's\n")
    os.chmod(target, 0o600)
    os.symlink(target, os.path.join(daemon.folder, "eve.json"))
    process = t.bed.gateway.start(daemon.binary, "run", "-c", daemon.policy, "--tap", "g0", stderr=subprocess.PIPE, text=True)
    try:
        said = process.communicate(timeout=5)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failed("it opened root's file") from None
    need(process.returncode == 5 and "eve.json: Permission denied" in said, f"exit {process.returncode}: {said}")
    need(os.stat(target).st_uid == 0, "root's file is another's now")
