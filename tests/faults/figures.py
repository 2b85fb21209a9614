#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the figures of a whole run (`make faults` leaves build/faults.md) into FAULTS.md, shortened to what is promised there. Says which
fault has no row, and which row no figure.

usage: figures.py [build/faults.md]"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PAPER = os.path.join(os.path.dirname(HERE), "FAULTS.md")


def short(measured):
    """Without what is nothing."""
    found = re.match(r"allowed (\d+), lost (\d+), later than 1 s (\d+) \(longest ([\d.]+) s\); miner (\d+), passed (\d+) in ([\d.]+) s; "
                     r"known pool (\d+), passed (\d+)(.*)", measured)
    if not found:
        return measured
    allowed, lost, late, longest, miner, passed, seconds, known, reached, rest = found.groups()
    return (f"allowed {allowed}, lost {lost}, longest {longest} s" + (f" ({late} later than 1 s)" if int(late) else "") +
            f"; miner {miner}, passed {passed}" + (f" in {seconds} s" if int(passed) else "") +
            (f"; known pool {known}, passed {reached}" if int(reached) else "") + rest)


def rows(text):
    """{fault: {fail: measured}} of a table."""
    found = {}
    for line in text.splitlines():
        part = [p.strip() for p in line.strip("|").split("|")]
        if len(part) == 3 and part[1] in ("open", "closed"):
            found.setdefault(part[0], {})[part[1]] = short(part[2])
    return found


def main():
    with open(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "build", "faults.md"), encoding="utf-8") as f:
        measured = rows(f.read())
    with open(PAPER, encoding="utf-8") as f:
        lines = f.read().split("\n")
    without = []
    for i, line in enumerate(lines):
        part = line.strip("|").split(" | ")
        if len(part) != 4 or not re.fullmatch(r"`\w+`", part[2].strip()):
            continue
        figures = measured.pop(part[0].strip(), None)
        if figures is None:
            without.append(part[0].strip())
            continue
        part[3] = "<br>".join(f"{fail}: {text}" for fail, text in figures.items()) + " "
        lines[i] = "|" + " | ".join(part) + "|"
    with open(PAPER, "w", encoding="utf-8") as f:
        f.write("\n".join(lines))
    for name in measured:
        print(f"{name}: no row in FAULTS.md")
    for name in without:
        print(f"{name}: not in this run")
    return 1 if measured or without else 0


if __name__ == "__main__":
    sys.exit(main())
