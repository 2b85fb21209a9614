#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Broken policies: `minewall check` must say of each exactly the line of EXPECTED, nothing else, and exit with 4.

usage: run.py [build/minewall]"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    binary = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../build/minewall"))
    with open(os.path.join(HERE, "EXPECTED"), encoding="utf-8") as f:
        expected = {line.split(":")[0]: line for line in f}
    files = sorted(name for name in os.listdir(HERE) if name.endswith(".yaml"))
    failed = 0
    for name in files:
        done = subprocess.run([binary, "check", "-c", name], cwd=HERE, capture_output=True, text=True, timeout=20)
        if (done.returncode, done.stdout, done.stderr) != (4, "", expected.get(name, "a line in EXPECTED\n")):
            print(f"FAIL {name}: exit {done.returncode}\n  said     {done.stderr.strip()}\n  expected {expected.get(name, '').strip()}")
            failed += 1
    for name in sorted(set(expected) - set(files)):
        print(f"FAIL {name}: expected, but there is no such file")
        failed += 1
    print(f"broken policies: {len(files) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
