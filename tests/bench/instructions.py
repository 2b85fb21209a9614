#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts by callgrind the instructions that the core takes for fixed inputs and compares them with instructions.txt: more than
5 % more is a failure, so nothing becomes slower unnoticed. Time plays no part. usage: instructions.py PROGRAM [--accept]"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "instructions.txt")
TOLERANCE = 0.05
HEAD = """\
# SPDX-License-Identifier: GPL-2.0-or-later
# Instructions of the core for fixed inputs, each once (make bench-instructions; make bench-instructions-accept writes this file).
# Counts hold for one compiler and its usual options; with another one the comparison is skipped.
"""


def compiler():
    done = subprocess.run([*os.environ.get("CC", "cc").split(), "--version"], capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0]


def counts(program):
    """{case: instructions}: a profile a case, in the order in which the program tells their names."""
    # The library's variants for newer processors would make the counts another machine's affair.
    plain = dict(os.environ, GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-ERMS,-FSRM,-SSE4_2,-SSSE3",
                 NETTLE_FAT_OVERRIDE="intel", LC_ALL="C")
    with tempfile.TemporaryDirectory(prefix="minewall-instructions.") as folder:
        done = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=measured", "--dump-after=measured",
                               f"--callgrind-out-file={folder}/out", program],
                              capture_output=True, text=True, env=plain, timeout=300, check=False)
        if done.returncode:
            sys.exit(f"instructions: {program} under valgrind: exit {done.returncode}: {done.stderr.strip()[-300:]}")
        names = [line.split() for line in done.stdout.splitlines()]
        sums = []
        for path in sorted(glob.glob(f"{folder}/out.*"), key=lambda p: int(p.rsplit(".", 1)[1])):
            with open(path, encoding="ascii", errors="replace") as f:
                text = f.read()
            if "--dump-after=measured" in text:
                sums.append(int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1]))
    if len(sums) != len(names):
        sys.exit(f"instructions: {len(names)} cases, but {len(sums)} profiles")
    return {name: round(total / int(times)) for (name, times), total in zip(names, sums)}


def kept():
    made, found = None, {}
    if os.path.exists(FILE):
        with open(FILE, encoding="utf-8") as f:
            for line in f:
                if line.startswith("# compiler: "):
                    made = line.split(": ", 1)[1].strip()
                elif not line.startswith("#") and line.strip():
                    name, count = line.split()
                    found[name] = int(count)
    return made, found


def accept(now):
    with open(FILE, "w", encoding="utf-8") as f:
        f.write(HEAD + f"# compiler: {compiler()}\n")
        f.writelines(f"{name} {count}\n" for name, count in now.items())
    print(f"instructions: {len(now)} counts written to {os.path.relpath(FILE)}")


def compare(now, before):
    bad = 0
    for name in {**before, **now}:
        was, count = before.get(name), now.get(name)
        if was is None or count is None:
            what = "is new" if was is None else "is gone"
        elif count > was * (1 + TOLERANCE):
            what = f"{count} instructions, {was} before: {100 * (count / was - 1):+.1f} %"
        else:
            if count < was * (1 - TOLERANCE):
                print(f"{name}: {count} instructions, {was} before: accept the gain")
            print(f"ok {name}")
            continue
        bad += 1
        print(f"FAIL {name}: {what}; if it is meant: make bench-instructions-accept")
    print(f"instructions: {len(now) - min(bad, len(now))} passed, {bad} failed")
    return 1 if bad else 0


def main():
    if not shutil.which("valgrind"):
        print("skipped: needs valgrind")
        return 0
    made, before = kept()
    if "--accept" in sys.argv[2:]:
        accept(counts(sys.argv[1]))
        return 0
    if made != compiler():
        print(f"skipped: counts were taken with {made}, this is {compiler()}")
        return 0
    return compare(counts(sys.argv[1]), before)


if __name__ == "__main__":
    sys.exit(main())
