# SPDX-License-Identifier: GPL-2.0-or-later
"""`minewall init`: what it writes fits the machine that it was written on, is good, and starts a daemon; a file that is there stays."""

import os
import re

from run import need, own, until

MARKS = "table inet bed_clash {\nchain pre {\ntype filter hook prerouting priority -150\nct mark set ct mark | 0x02000000\n}\n}\n"


def write(t, *arguments, code=0):
    done = t.bed.gateway.run(t.binary, "init", *arguments, check=False)
    need(done.returncode == code, f"init {arguments}: exit {done.returncode}: {done.stderr}")
    return done


def settings(text):
    return {line.split(":")[0]: line.split(":", 1)[1].strip() for line in text.splitlines() if re.match(r"[a-z_]+:", line)}


@own("init/fits")
def fits(t):
    """Both default routes' interfaces lead outside; marks and queues are those that nobody else uses; the daemon starts with it."""
    g = t.bed.gateway
    g.run("nft", "delete", "table", "inet", "bed_leaks", check=False)
    g.ip("route", "add", "default", "via", "100.64.2.2")
    g.ip("link", "add", "wan6", "type", "veth", "peer", "name", "wan6x")
    for name in ("wan6", "wan6x"):
        g.ip("link", "set", name, "up")
    g.ip("addr", "add", "2001:db8:77::1/64", "dev", "wan6", "nodad")
    g.ip("-6", "route", "add", "default", "via", "2001:db8:77::2", "dev", "wan6")
    try:
        said = settings(write(t, "-o", "-").stdout)
        need(said["interfaces"] == '{out: ["g1", "wan6"]}' and said["mode"] == "monitor" and said["mark"] == "{mask: 0x0e000000}", f"{said}")
        need(said["guard_offload"] == "false" and said["queues"].startswith("{first: 0,"), f"{said}")
        g.nft(MARKS)
        first = t.make("version: 1\nmode: monitor\nmark: {mask: 0x70000000}\nqueues: {first: 3, count: 1}\ncontrol: control.sock\n"
                       "log: {file: eve.json}\n", "first")
        t.daemon = first.start()
        g.run("nft", "delete", "table", "inet", "bed_leaks", check=False)
        done = write(t, "-o", "-").stdout
        said = settings(done)
        mask = int(said["mark"][len("{mask: "):-1], 16)
        need(not mask & 0x02000000 and bin(mask).count("1") == 3 and "bed_clash" in done, f"marks that are taken: {said['mark']}")
        need(said["queues"].startswith("{first: 4,"), f"queues that are taken: {said['queues']}")
        need(first.stop() == 0, "the first daemon")
        path = os.path.join(first.folder, "made.yaml")
        write(t, "-o", path)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        need(os.stat(path).st_mode & 0o777 == 0o644, "its mode")
        second = t.make(re.sub(r"(?m)^log:.*$", "log: {file: eve.json}\ncontrol: control.sock", text), "second")
        need(second.verb("check").returncode == 0, f"check: {second.verb('check').stderr}")
        t.daemon = second.start()
        g.run("nft", "delete", "table", "inet", "bed_leaks", check=False)
        need(t.daemon.json("status")["mode"] == "monitor", "it runs in another mode")
        need(until(lambda: t.daemon.stop() == 0), "exit")
    finally:
        g.run("nft", "delete", "table", "inet", "bed_clash", check=False)


@own("init/never-overwrites")
def never_overwrites(t):
    folder = t.make("version: 1\n", "init").folder
    path = os.path.join(folder, "mine.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("# mine\n")
    done = write(t, "-o", path, code=1)
    need("--force" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr)
    with open(path, encoding="utf-8") as f:
        need(f.read() == "# mine\n", "it was overwritten")
    write(t, "-o", path, "--force")
    with open(path, encoding="utf-8") as f:
        need("mode: monitor" in f.read(), "--force did not write it")
    need(not [n for n in os.listdir(folder) if ".new-" in n], f"a half is left: {os.listdir(folder)}")
    write(t, "-o", os.path.join(folder, "no", "such", "place.yaml"), code=5)
