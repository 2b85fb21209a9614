#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make newcomer`: the path of somebody who has a fresh Debian and the package, to the first blocked connection that `minewall log` shows.
Each command that he types is run as he types it, and timed; counted are commands, and what he must know that nothing on the way tells him."""

import glob
import os
import subprocess
import sys
import time

import guest as guests
from guest import ROOT, beds

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))

# (command, what he must know to type it that no output before has said)
PATH = (
    ("apt-get install -y ./minewall.deb", "how Debian installs a file"),
    ("minewall init --force", None),        # `minewall` alone and README name it
    ("minewall doctor", None),              # named by `minewall`
    ("sed -i 's/^mode: monitor/mode: enforce/' /etc/minewall/policy.yaml", "that he wants to block at once: the policy says what the word is"),
    ("systemctl restart minewall", "how systemd restarts a service"),
    ("minewall log", None),
)


def prepare(guest, package):
    with open(package, "rb") as f, open(os.path.join(guest.root, "tmp", "minewall.deb"), "wb") as to:
        to.write(f.read())
    guest.chroot("apt-get", "-qq", "update")
    guest.chroot("apt-get", "-qq", "-y", "install", "--download-only", "/tmp/minewall.deb")
    with open(os.path.join(guest.root, "opt", "minewall.deb"), "wb") as to, open(package, "rb") as f:
        to.write(f.read())


def mine(bed):
    """A device of his network tries to mine, at a bare address."""
    return bed.send(bed.fresh(4), 14433, "cryptonote", "--linger", "0.1")


def walk(bed, guest):
    """(seconds, commands, [what to know], the line of the log or '')"""
    begin, known = time.monotonic(), []
    said = ""
    for typed, (command, know) in enumerate(PATH, 1):
        if command == "minewall log":
            print(f"  ... a device logs in to a pool: {mine(bed)['ended']}")
            time.sleep(0.3)
        at = time.monotonic()
        done = guest.shell(f"cd /opt && {command}", check=False, timeout=300)
        said = done.stdout
        print(f"  {typed}. {command}   {time.monotonic() - at:.1f} s, exit {done.returncode}")
        if know:
            known.append(know)
        if done.returncode and command != "minewall doctor":
            raise beds.BedError(f"{command}: {done.stderr[-300:]}")
        if command.startswith("minewall"):
            for line in said.splitlines()[:4]:
                print("     | " + line[:150])
    blocked = next((line for line in said.splitlines() if " blocked " in line), "")
    return time.monotonic() - begin, len(PATH), known, blocked


def main():
    why = guests.usable()
    if why:
        print(f"skipped: {why}\nnewcomer: 0 passed, 0 failed, 1 skipped")
        return 0
    packages = glob.glob(os.path.join(BUILD, "deb", "minewall_*.deb"))
    if not packages:
        subprocess.run(["make", "--no-print-directory", "-C", ROOT, "deb"], check=True)
        packages = glob.glob(os.path.join(BUILD, "deb", "minewall_*.deb"))
    guests.base()
    with beds.Bed() as bed, guests.Guest(bed) as guest:
        bed.gateway.ip("route", "add", "default", "via", "100.64.2.2")
        prepare(guest, packages[0])
        print(f"a fresh Debian, up after {guest.boot():.1f} s")
        print("  0. minewall   " + ("is not there" if guest.shell("command -v minewall", check=False).returncode else "is there already"))
        seconds, commands, known, blocked = walk(bed, guest)
    print(f"\nfirst blocked connection seen: {blocked or 'NONE'}")
    print(f"commands: {commands}   things to know: {len(known)}   seconds: {seconds:.1f} (packages were downloaded before)")
    for know in known:
        print("  to know: " + know)
    print(f"newcomer: {int(bool(blocked))} passed, {int(not blocked)} failed")
    return 0 if blocked else 1


if __name__ == "__main__":
    sys.exit(main())
