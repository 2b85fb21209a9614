#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs `minewall replay` over the captures of make_samples.py and compares every line with what it must be.

Usage: check_samples.py [--minewall PROGRAM] [--folder FOLDER]
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ENDS = ("src_ip", "src_port", "dest_ip", "dest_port", "proto")
TIMEOUT_S = 60


def names_fit(want, got):
    """All of them; with `some` only in this order, others between."""
    if not want["some"]:
        return want["names"] == got
    rest = iter(got)
    return all(name in rest for name in want["names"])


def line_fault(want, got):
    """What is wrong with the line, or None."""
    if any(got[key] != want[key] for key in ENDS):
        return "the ends are wrong"
    if not names_fit(want, [[n["kind"], n["name"]] for n in got["names"]]):
        return f"names {got['names']}, expected {want['names']}"
    if got["verdict"]["action"] != want["action"]:
        return f"{got['verdict']}, expected {want['action']}"
    if want["reason"] and got["verdict"].get("reason") != want["reason"]:
        return f"{got['verdict']}, expected reason {want['reason']}"
    evidence = got.get("mining", {}).get("evidence")
    if want["some"] and want["action"] == "drop":
        return None     # which of the two reasons came first is not asked
    if (evidence == "protocol") != bool(want["mining"]):
        return f"evidence {evidence}"
    dialect = got.get("mining", {}).get("dialect")
    if want["mining"] and not (dialect if want["mining"] is True else dialect == want["mining"]):
        return f"dialect {dialect}, expected {want['mining']}"
    if want["worker"] and got["mining"].get("worker") != want["worker"]:
        return f"worker {got['mining'].get('worker')}, expected {want['worker']}"
    return None


def check(program, folder, name, want):
    """A list of faults of one capture."""
    done = subprocess.run([program, "replay", "--flows", "--json", name], cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=TIMEOUT_S)
    lines = [json.loads(text) for text in done.stdout.splitlines()]
    faults = []
    if done.returncode != want["exit"]:
        faults.append(f"exit {done.returncode}, expected {want['exit']}")
    if len(done.stderr.splitlines()) != (1 if want["exit"] else 0):
        faults.append(f"error text {done.stderr!r}")
    if len(lines) != len(want["lines"]):
        return faults + [f"{len(lines)} lines, expected {len(want['lines'])}"]
    return faults + [fault for fault in map(line_fault, want["lines"], lines) if fault]


POLICY = """version: 1
mode: MODE
block:
  names: [split.example]
  addresses: ["[2001:db8:0:1::20]:9", "[2001:db8::77]:443"]
lists:
  - {name: own, file: list.txt, format: plain, category: test}
allow:
  names: [web.example]
"""
# capture -> evidence and entry by that policy
JUDGED = {"tls-halves-v4": ("name", "split.example"), "tls-bytewise-v6": ("name", "split.example"),
          "quic-halves": ("name", "split.example"), "quic-two-ids": ("name", "split.example"),
          "quic-version-negotiation": ("name", "split.example"), "quic-second-connection": ("name", "split.example"),
          "v6-extensions": ("name", "pieces.example"), "fragments-udp-v6": ("address", "[2001:db8:0:1::20]:9"),
          "again-after-fin": (None, None), "http": (None, None),
          "tunnel-socks5-name-tls": ("name", "split.example"), "tunnel-pipelined-connect-tls": ("name", "split.example"),
          "nested-4-tls": ("name", "split.example"), "nested-5-tls": (None, None), "tunnel-socks4a-http": (None, None),
          "tunnel-socks5-v6-http": ("address", "[2001:db8::77]:443"), "tunnel-socks4-http": (None, None)}


def check_policy(program, folder, mode):
    """Names, addresses, a list and an allow rule, in both modes; a broken policy."""
    faults = []
    with open(os.path.join(folder, "policy.yaml"), "w", encoding="utf-8") as f:
        f.write(POLICY.replace("MODE", mode))
    with open(os.path.join(folder, "list.txt"), "w", encoding="utf-8") as f:
        f.write("pieces.example\nweb.example\n")
    call = [program, "replay", "--flows", "--json", "-c", "policy.yaml"]
    for name, (evidence, entry) in JUDGED.items():
        if not os.path.exists(os.path.join(folder, name + ".pcap")):    # of QUIC, without its program
            continue
        done = subprocess.run(call + [name + ".pcap"], cwd=folder, stdout=subprocess.PIPE, timeout=TIMEOUT_S)
        line = json.loads(done.stdout.splitlines()[0])
        got = (line.get("mining", {}).get("evidence"), line.get("mining", {}).get("entry"))
        action = "drop" if evidence and mode == "enforce" else "accept"
        if got != (evidence, entry) or line["verdict"]["action"] != action or done.returncode:
            faults.append(f"{mode} {name}: {line}")
    with open(os.path.join(folder, "policy.yaml"), "a", encoding="utf-8") as f:
        f.write("nonsense: 1\n")
    done = subprocess.run(call + ["http.pcap"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S)
    if done.returncode != 4 or done.stdout or len(done.stderr.splitlines()) != 1:
        faults.append(f"broken policy: exit {done.returncode}, {done.stderr!r}")
    return faults


def check_usage(program):
    """Bad calls give one line and exit 2; help is no error."""
    faults = []
    for arguments, code in ((["--help"], 0), ([], 2), (["--nonsense", "x"], 2), (["/nonexistent.pcap"], 5)):
        done = subprocess.run([program, "replay", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S)
        if done.returncode != code or len(done.stderr.splitlines()) != (1 if code else 0):
            faults.append(f"replay {arguments}: exit {done.returncode}, expected {code}; {done.stderr!r}")
    return faults


def check_pipe(program, folder):
    """Standard input, as a pipe and as a file, gives what the file gives."""
    faults = []
    with open(os.path.join(folder, "tls-halves-v4.pcap"), "rb") as f:
        data = f.read()
        f.seek(0)
        for more in ({"input": data}, {"stdin": f}):
            done = subprocess.run([program, "replay", "--flows", "-"], stdout=subprocess.PIPE, timeout=TIMEOUT_S, **more)
            if done.returncode or b"tls_sni=split.example" not in done.stdout:
                faults.append(f"exit {done.returncode}, {done.stdout!r}")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minewall", default=os.path.join(ROOT, "build", "minewall"))
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "samples"))
    args = parser.parse_args()
    program = os.path.abspath(args.minewall)
    tool = os.path.join(os.path.dirname(program), "tests", "netns", "quic_initial")
    if not os.path.exists(tool):
        print("no captures of QUIC: build/tests/netns/quic_initial is not built (make netns-tools)")
    subprocess.run([sys.executable, os.path.join(HERE, "make_samples.py"), args.folder, *([tool] if os.path.exists(tool) else [])],
                   check=True, timeout=TIMEOUT_S)
    with open(os.path.join(args.folder, "expect.json"), encoding="utf-8") as f:
        expect = json.load(f)
    failed = 0
    for name, want in expect.items():
        faults = check(program, args.folder, name, want)
        failed += bool(faults)
        for fault in faults:
            print(f"FAILED {name}: {fault}")
    more = [("policy", lambda: check_policy(program, args.folder, "enforce")),
            ("policy", lambda: check_policy(program, args.folder, "monitor")), ("usage", lambda: check_usage(program)),
            ("pipe", lambda: check_pipe(program, args.folder))]
    for name, run in more:
        faults = run()
        failed += bool(faults)
        for fault in faults:
            print(f"FAILED {name}: {fault}")
    print(f"samples: {len(expect) + len(more) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
