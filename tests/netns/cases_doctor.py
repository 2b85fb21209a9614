# SPDX-License-Identifier: GPL-2.0-or-later
"""`minewall doctor`: what is broken on purpose must be found under its own name, with a word on what to do, and be gone when it is
mended. The gateway of the bed is otherwise in order."""

import json
import os
import time

from bed import command
from run import Skipped, need, own, policy, until

FLOWTABLE = ("table inet bed_offload {\nflowtable fast {\nhook ingress priority 0\ndevices = { g0, g1 }\n}\n"
             "chain forward {\ntype filter hook forward priority -2\nct state established flow add @fast\n}\n}\n")
REDIRECT = "table ip bed_proxy {\nchain pre {\ntype nat hook prerouting priority -100\niifname \"g0\" tcp dport 80 redirect to :3128\n}\n}\n"
MARKS = "table inet bed_clash {\nchain pre {\ntype filter hook prerouting priority -150\nct mark set ct mark | 0x02000000\n}\n}\n"
COVERED = "interfaces: {out: [g1]}\n"


def look(t, daemon=None, *arguments):
    """{check: [finding, ...]} and the exit code."""
    done = (daemon or t.daemon).verb("doctor", "--json", *arguments)
    said = json.loads(done.stdout)
    found = {}
    for one in said["checks"]:
        found.setdefault(one["check"], []).append(one)
        need(one["result"] in ("ok", "warn", "bad") and one["text"], f"no finding: {one}")
        need((one["result"] == "ok") == (one["todo"] is None), f"what to do, or nothing: {one}")
    worst = max((one["result"] for one in said["checks"]), key=["ok", "warn", "bad"].index)
    need(said["worst"] == worst and done.returncode == (1 if worst == "bad" else 0), f"worst {said['worst']}, exit {done.returncode}")
    return found


def finds(t, check, result, text, daemon=None):
    found = look(t, daemon).get(check, [])
    need([f for f in found if f["result"] == result and text in f["text"]], f"{check}: not {result} with {text!r}: {found}")


def is_ok(t, check, daemon=None):
    found = look(t, daemon).get(check, [])
    need(found and all(f["result"] == "ok" for f in found), f"{check}: {found}")


@own("doctor/in-order")
def in_order(t):
    """With everything in place nothing is bad, and each line for people says the same."""
    daemon = t.make(policy(more=COVERED), "doctor")
    t.bed.gateway.ip("route", "add", "default", "via", "100.64.2.2")
    finds(t, "daemon", "bad", "no daemon answers", daemon)
    t.daemon = daemon.start()
    t.bed.gateway.run("nft", "delete", "table", "inet", "bed_leaks", check=False)    # it names our bits on purpose
    found = look(t)
    bad = [f for all in found.values() for f in all if f["result"] == "bad"]
    need(not bad, f"bad in a good house: {bad}")
    for check in ("policy", "daemon", "kernel", "queues", "marks", "offload", "forwarding", "interfaces", "proxies", "log"):
        need(any(f["result"] == "ok" for f in found.get(check, [])), f"{check}: {found.get(check)}")
    done = t.daemon.verb("doctor")
    need(done.returncode == 0 and len([x for x in done.stdout.splitlines() if x[:5].strip()]) == sum(map(len, found.values())),
         f"for people: {done.stdout}")


@own("doctor/what-is-broken")
def broken(t):
    g = t.bed.gateway
    t.daemon = t.make(policy(more=COVERED), "doctor")
    t.daemon.start()
    g.run("nft", "delete", "table", "inet", "bed_leaks", check=False)
    is_ok(t, "marks")
    g.nft(MARKS)
    finds(t, "marks", "bad", "bed_clash")
    g.run("nft", "delete", "table", "inet", "bed_clash")
    is_ok(t, "marks")
    g.nft(REDIRECT)
    finds(t, "proxies", "warn", "bed_proxy")
    g.run("nft", "delete", "table", "ip", "bed_proxy")
    listener = g.start("/usr/bin/python3", "-c", "import socket,time\ns=socket.socket()\ns.bind(('0.0.0.0',3128))\ns.listen()\ntime.sleep(60)")
    need(until(lambda: "3128" in str(look(t)["proxies"])), "a listening proxy is not found")
    listener.kill()
    need(until(lambda: look(t)["proxies"][0]["result"] == "ok"), "the proxy is gone and still named")
    # a default route by an interface that is not covered
    g.ip("link", "add", "wan2", "type", "veth", "peer", "name", "wan2x")
    g.ip("link", "set", "wan2x", "up")
    g.ip("link", "set", "wan2", "up")
    g.ip("addr", "add", "192.0.2.1/24", "dev", "wan2")
    g.ip("route", "add", "default", "via", "192.0.2.2", "dev", "wan2", "metric", "9")
    finds(t, "interfaces", "bad", "wan2")
    g.ip("link", "del", "wan2")
    bad = [f for f in look(t)["interfaces"] if f["result"] == "bad"]
    need(not bad, f"{bad}")
    g.run("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
    finds(t, "forwarding", "warn", "forwards nothing")
    g.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


@own("doctor/offload")
def offload(t):
    """A flowtable is bad, and well with `guard_offload`."""
    if t.bed.gateway.run("nft", "-f", "-", text_in=FLOWTABLE, check=False).returncode:
        raise Skipped("this kernel has no flowtable")
    try:
        finds(t, "offload", "bad", "bed_offload", t.make(policy(), "blind"))
        guarded = look(t, t.make(policy(more="guard_offload: true"), "guarded"))["offload"]
        need(guarded[0]["result"] == "ok" and "bed_offload" in guarded[0]["text"], f"{guarded}")
    finally:
        t.bed.gateway.run("nft", "delete", "table", "inet", "bed_offload")


@own("doctor/policy-and-lists")
def policy_and_lists(t):
    daemon = t.make("version: 1\nnonsense: 1\n", "broken")
    finds(t, "policy", "bad", "unknown key 'nonsense'", daemon)
    daemon = t.make(policy().replace("file: miners.txt,", "url: \"https://lists.example/x.txt\", file: mine.txt, max_age: 1d,"), "old")
    path = daemon.write("mine.txt", "0.0.0.0 pool.example\n")
    bad = [f for f in look(t, daemon)["lists"] if f["result"] == "bad"]
    need(not bad, f"a fresh list: {bad}")
    os.utime(path, (time.time() - 3 * 86400,) * 2)
    finds(t, "lists", "bad", "bedlist is 3d old", daemon)
    os.unlink(path)
    finds(t, "policy", "bad", "mine", daemon)


@own("doctor/log-space")
def log_space(t):
    daemon = t.make(policy(), "small")
    place = os.path.join(daemon.folder, "full")
    os.mkdir(place)
    command("mount", "-t", "tmpfs", "-o", "size=1m", "bed", place)
    try:
        daemon.write("policy.yaml", policy().replace("eve.json", "full/eve.json"))
        finds(t, "log", "bad", "1 MiB left", daemon)
        finds(t, "log", "warn", "is in memory", daemon)
    finally:
        command("umount", "-l", place)


@own("doctor/bridge")
def bridge(t):
    """A switch without an address is bad, unless br_netfilter hands us what crosses it."""
    g = t.bed.gateway
    g.ip("link", "add", "sw0", "type", "bridge")
    g.ip("link", "set", "sw0", "up")
    try:
        daemon = t.make(policy(), "bridge")
        has = g.run("sysctl", "-n", "net.bridge.bridge-nf-call-iptables", check=False)
        if has.returncode == 0:
            g.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")
            is_ok(t, "bridge", daemon)
            g.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0")
        finds(t, "bridge", "bad", "sw0", daemon)
        g.ip("addr", "add", "192.0.2.1/24", "dev", "sw0")
        is_ok(t, "bridge", daemon)
    finally:
        g.ip("link", "del", "sw0")


@own("doctor/containers")
def containers(t):
    """A namespace whose gateway is another machine is pointed at; one behind this gateway is not."""
    daemon = t.make(policy(), "containers")
    t.bed.gateway.ip("addr", "add", "203.0.113.9/32", "dev", "lo")
    name = t.bed.client.name
    command("ip", "-n", name, "route", "add", "unreachable", "192.0.2.0/24", check=False)
    inside = t.bed.client.start("sleep", "60")
    need(until(lambda: os.path.exists(f"/proc/{inside.pid}/ns/net")), "no process there")
    said = str(look(t, daemon)["containers"])
    need(f"process {inside.pid} " not in said, f"the client's gateway is this machine: {said}")
    t.bed.client.ip("route", "replace", "default", "via", "198.18.1.77")
    try:
        pids = t.bed.client.pids()
        need(until(lambda: any(f"process {pid} " in str(look(t, daemon)["containers"]) for pid in pids)), "a namespace that goes elsewhere is not named")
    finally:
        t.bed.client.ip("route", "replace", "default", "via", "198.18.1.1", "src", "198.18.1.2")


@own("doctor/self-test")
def self_test(t):
    """It shows a block, beside a running daemon, and leaves nothing."""
    t.daemon = t.make(policy()).start()
    handle, namespaces = t.kernel.handle(), command("ip", "netns", "list").stdout
    before = {n for n in os.listdir("/tmp") if "self-test" in n}
    found = look(t, None, "--self-test")["self-test"]
    need(found[0]["result"] == "ok" and "no byte reached the pool" in found[0]["text"], f"{found}")
    need(t.kernel.handle() == handle, "the table of the daemon that runs was touched")
    need(command("ip", "netns", "list").stdout == namespaces, "namespaces are left")
    need({n for n in os.listdir("/tmp") if "self-test" in n} <= before, "a folder is left in /tmp")
    # as nobody it says that it cannot, and the rest is still looked at
    done = t.bed.gateway.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", t.daemon.binary, "doctor", "-c", t.daemon.policy,
                             "--self-test", check=False)
    need("try as root" in done.stdout and "self-test" in done.stdout, f"as nobody: {done.stdout} {done.stderr}")
