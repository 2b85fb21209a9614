#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`minewall lists export`: each format is read back by our own reader and says the same again, and the programs that it is for take
it: dnsmasq answers by it, nft holds it. Allow rules and a list's exceptions are honoured everywhere.

    export.py --minewall build/minewall"""

import argparse
import base64
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

POLICY = """version: 1
block: {names: [own.example, "*.below.example"], addresses: [203.0.113.0/24, "198.51.100.7:3333", "2001:db8:7::/48"]}
allow: {names: [ok.own.example, ok.list.example, whole.example], addresses: [203.0.113.8/30, "2001:db8:7::1"]}
lists:
  - {name: l, file: l.txt, category: pool}
  - {name: m, file: m.txt, category: crypto-site}
categories: {crypto-site: monitor}
"""
LIST = "||list.example^\n||whole.example^\n||dup.example^\n||own.example^\n@@||fine.list.example^\n||9.9.9.9^\n"
NAMES = {"own.example", "list.example", "dup.example"}
BLOCKED = ("own.example", "a.own.example", "list.example", "a.list.example", "dup.example", "a.below.example")
PASSES = ("ok.own.example", "a.ok.own.example", "ok.list.example", "fine.list.example", "whole.example", "exchange.example", "below.example", "other.example")
IN_SET = ("203.0.113.1", "203.0.113.7", "203.0.113.12", "203.0.113.255", "9.9.9.9")
NOT_IN_SET = ("203.0.113.8", "203.0.113.11", "203.0.114.1", "198.51.100.7")


class Wrong(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Wrong(text)


class Bench:
    def __init__(self, minewall, folder):
        self.minewall = minewall
        self.folder = folder
        self.write("policy.yaml", POLICY)
        self.write("l.txt", LIST)
        self.write("m.txt", "exchange.example\n")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as f:
            f.write(text)
        return os.path.join(self.folder, name)

    def export(self, form, policy="policy.yaml", code=0):
        done = subprocess.run([self.minewall, "lists", "export", form, "-c", os.path.join(self.folder, policy)], capture_output=True, text=True,
                              check=False)
        need(done.returncode == code, f"export {form}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def again(self, form, text):
        """What a policy says that has nothing but this text as its list."""
        self.write(f"{form}.out", text)
        self.write(f"{form}.yaml", f"version: 1\nlists:\n  - {{name: back, file: {form}.out, category: pool}}\n")
        return self.export(form, f"{form}.yaml")


def names_of(form, text):
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    if form == "suricata":
        return {base64.b64decode(line).decode() for line in lines}
    return {line.split()[1] for line in lines}


def query(port, name):
    """The answer's code; 0 with answers means an address came."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.connect(("127.0.0.1", port))
        s.send(struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!2H", 1, 1))
        return s.recv(2048)[3] & 15


def inside(bench):
    """In a network namespace of its own."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if shutil.which("dnsmasq"):
        with subprocess.Popen(["dnsmasq", "-k", "-p", "5399", "-C", os.path.join(bench.folder, "dnsmasq.out"), "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1",
                               "--bind-interfaces", "--pid-file=", "--user=root"], stderr=subprocess.PIPE, text=True) as process:
            try:
                time.sleep(0.5)
                need(process.poll() is None, f"dnsmasq does not take it: {process.stderr.read()[:200] if process.poll() is not None else ''}")
                for name in BLOCKED:
                    need(query(5399, name) == 3, f"dnsmasq lets {name} pass")
                for name in PASSES:
                    need(query(5399, name) == 5, f"dnsmasq blocks {name}")     # REFUSED: it has nobody to ask
            finally:
                process.terminate()
        print("ok export/dnsmasq/answers")
    else:
        print("skipped: no dnsmasq here")
    subprocess.run(["nft", "-f", os.path.join(bench.folder, "nft.out")], check=True)
    for address in IN_SET + NOT_IN_SET:
        done = subprocess.run(["nft", "get", "element", "inet", "mining", "pools4", "{ " + address + " }"], capture_output=True, check=False)
        need((done.returncode == 0) == (address in IN_SET), f"nft: {address} is wrong")
    for address, there in (("2001:db8:7::2", True), ("2001:db8:7::1", False)):
        done = subprocess.run(["nft", "get", "element", "inet", "mining", "pools6", "{ " + address + " }"], capture_output=True, check=False)
        need((done.returncode == 0) == there, f"nft: {address} is wrong")
    print("ok export/nft/elements")


def run(bench):
    for form in ("hosts", "suricata"):
        text = bench.export(form)
        need(names_of(form, text) == NAMES, f"{form} holds {names_of(form, text)}")
        need(bench.again(form, text) == text, f"{form} is read back as something else")
        print(f"ok export/{form}")
    text = bench.export("dnsmasq")
    need("address=/*.below.example/" in text and "server=/fine.list.example/#" in text, f"dnsmasq holds {text}")
    back = bench.again("dnsmasq", text)
    for line in text.splitlines():
        if line.startswith("address=/"):
            need(line.replace("*.", "") in back.replace("*.", ""), f"dnsmasq: {line} is not read back")
    print("ok export/dnsmasq")
    text = bench.export("nft")
    back = bench.again("nft", text)
    need("9.9.9.9/32" in back, f"nft is read back as {back[:200]}")     # documentation ranges are nothing that a list may block
    print("ok export/nft")
    bench.write("empty.yaml", "version: 1\n")
    bench.export("hosts", "empty.yaml", 1)
    need(subprocess.run([bench.minewall, "lists", "export", "csv"], capture_output=True, check=False).returncode == 2, "a format that is none is taken")


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--minewall", default="build/minewall")
    parse.add_argument("--inside")
    a = parse.parse_args()
    folder = a.inside or tempfile.mkdtemp(prefix="minewall-export.")
    failed = 0
    try:
        bench = Bench(os.path.abspath(a.minewall), folder)
        if a.inside:
            inside(bench)
            return 0
        run(bench)
        if os.geteuid() or not shutil.which("nft") or not shutil.which("unshare"):
            print("skipped: root, nft and unshare are needed to load it")
        else:
            done = subprocess.run(["unshare", "-n", sys.executable, __file__, "--minewall", a.minewall, "--inside", folder], check=False)
            failed = int(done.returncode != 0)
    except Wrong as wrong:
        print(f"FAIL export: {wrong}")
        failed = 1
    finally:
        if not a.inside:
            shutil.rmtree(folder, ignore_errors=True)
    if not a.inside:
        print(f"export: {1 - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
