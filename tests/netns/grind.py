#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's start, traffic, reloads (good, broken, with lists) and stop under valgrind: no error, and nothing lost.

usage: grind.py [build/grind/minewall]"""

import glob
import os
import re
import shutil
import sys

sys.dont_write_bytecode = True
import bed as beds  # noqa: E402

POLICY = """version: 1
mode: enforce
queues: {first: 0, count: 2}
hook: both
lists: [{name: own, file: own.txt, category: pool}]
block: {names: [pool.example]}
log: {file: eve.json}
control: control.sock
"""


def judge(folder):
    """Each process's log: (what it is, errors, bytes lost for good). The watchdog is killed with its daemon and closes no account, so
    what it had to say until then is counted."""
    for path in sorted(glob.glob(os.path.join(folder, "grind.*"))):
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        errors = re.search(r"ERROR SUMMARY: (\d+) errors", text)
        lost = re.search(r"definitely lost: ([\d,]+) bytes", text)
        command = re.search(r"Command: (.*)", text)
        yield path, command[1] if command else "?", int(errors[1]) if errors else len(re.findall(r"==\d+== (?:Conditional|Syscall param|Invalid|Use of)", text)), int(lost[1].replace(",", "")) if lost else 0, text


def main():
    binary = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/grind/minewall")
    if not shutil.which("valgrind"):
        print("skipped: no valgrind here")
        return 0
    if os.geteuid() != 0:
        print("skipped: namespaces are for root")
        return 0
    checks = []
    with beds.Bed() as bed:
        daemon = beds.Daemon(bed, binary, POLICY)
        daemon.write("own.txt", "".join(f"pool{i}.example\n" for i in range(100)))
        logs = os.path.join(daemon.folder, "grind")
        os.makedirs(logs)
        os.chmod(logs, 0o777)  # a child of another user makes its log there
        wrap = (shutil.which("valgrind"), "--trace-children=yes", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect",
                "--vgdb=no", f"--log-file={logs}/grind.%p")
        daemon.start(timeout=60, wrap=wrap)
        for family in (4, 6):
            bed.curl(beds.SERVER[family], 443, "www.unlisted.example", timeout=20)
            bed.curl(bed.fresh(family), 443, "pool7.example", timeout=20)
            bed.send(bed.fresh(family), 3333, "stratum-v1")
            bed.send(bed.fresh(family), 14433, "cryptonote")
        for _ in range(3):
            checks.append(("reload", daemon.verb("reload", timeout=60).returncode == 0))
        daemon.write("policy.yaml", "version: 7\n")
        checks.append(("a broken reload", daemon.verb("reload", timeout=60).returncode == 4))
        daemon.write("policy.yaml", POLICY)
        for verb in ("status", "blocked", "lists", "log"):
            checks.append((verb, daemon.verb(verb, timeout=60).returncode in (0, 1)))
        checks.append(("stop", daemon.stop() == 0))
        found = list(judge(logs))
    for path, command, errors, lost, text in found:
        good = errors == 0 and lost == 0
        checks.append((f"{os.path.basename(path)} ({command[:60]})", good))
        if not good:
            print("\n".join(line for line in text.splitlines() if "==" in line)[-3000:])
    checks.append(("there was a daemon", any(" run " in command for _, command, _, _, _ in found)))
    for name, good in checks:
        if not good:
            print(f"FAIL {name}")
    failed = sum(not good for _, good in checks)
    print(f"valgrind: {len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
