#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the faults of cases.py, each fail-open and fail-closed, under steady traffic, and holds what was measured against what is
promised. Prints a line for each, then the table with the figures of this run.

usage: faults.py [--quick] [--only TEXT]... [--table FILE] [build/minewall]"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import field as fields
from field import Failed, need
import bed as beds
import cases
import cases_more  # noqa: F401


def judge(fault, fail, results, quiet_from):
    """What was measured, as text; Failed if it is not as promised."""
    allowed = fields.figures(results["short"] + results["long"])
    fresh, known = fields.passed(results["fresh"]), fields.passed(results["known"])
    after = [what for begin, _, what in results["fresh"] if begin > quiet_from]
    text = (f"allowed {allowed['n']}, lost {allowed['lost']}, later than 1 s {allowed['late']} (longest {allowed['longest']:.2f} s); "
            f"miner {fresh[0]}, passed {fresh[1]} in {fresh[2]:.2f} s; known pool {known[0]}, passed {known[1]}")
    need(allowed["n"] > 50, f"too little traffic: {text}")
    need(allowed["lost"] == 0, f"allowed connections lost ({', '.join(allowed['kinds'])}): {text}")
    late = fault.late[fail]
    need(late is None or allowed["late"] <= late, f"allowed connections were held up: {text}")
    held = fields.figures(results["long"])
    need(not fault.steady or held["late"] == 0, f"open connections were held up, {held['longest']:.2f} s: {text}")
    need(fresh[2] <= fault.passed[fail] and (fault.passed[fail] or not fresh[1]), f"a miner passed for longer than promised: {text}")
    need(known[2] <= fault.known and (fault.known or not known[1]), f"a known pool was reached: {text}")
    need(len(after) >= 3 and "passed" not in after, f"protection is not back afterwards ({len(after)} tries): {text}")
    return text


def once(bed, binary, fault, fail, quick):
    f = fields.Field(bed, binary, fail, quick)
    try:
        fault.run(f)
        f.settle()
        return judge(fault, fail, f.end(), f.quiet_from) + "".join(f"; {note}" for note in f.notes)
    except Failed as why:
        # On a busy machine the watchdog lets go where nobody stopped the reader.
        why.hung = f.daemon and "reader_hung" in f.daemon.said()
        raise
    finally:
        f.clear()


def run(bed, binary, fault, fail, quick):
    """(result, measured)"""
    for again in (True, False):
        try:
            return "ok", once(bed, binary, fault, fail, quick)
        except Failed as why:
            if again and why.hung and not fault.passed[fail]:
                continue
            return "FAIL", str(why)
        except beds.BedError as why:
            return ("skipped" if str(why).startswith("skipped") else "FAIL"), str(why)
    return "FAIL", "not reached"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="those of `make check`")
    parser.add_argument("--only", action="append", help="faults whose name and mode (NAME/open) hold this")
    parser.add_argument("--table", help="writes the table there, too")
    parser.add_argument("binary", nargs="?", default=os.path.join(beds.ROOT, "build", "minewall"))
    options = parser.parse_args()
    why = beds.usable()
    if why:
        print(f"skipped: {why}")
        return 0
    text = "no fault is called so"
    counts, table = {"ok": 0, "FAIL": 0, "skipped": 0}, []
    with beds.Bed(idle=25) as bed:
        for fault in cases.FAULTS:
            for fail in fault.fails:
                name = f"{fault.name}/{fail}"
                if (options.quick and fail not in fault.quick) or (options.only and not any(text in name for text in options.only)):
                    continue
                result, measured = run(bed, os.path.abspath(options.binary), fault, fail, options.quick)
                counts[result] += 1
                table.append(f"| {fault.name} | {fail} | {'' if result == 'ok' else result + ': '}{measured} |")
                text = "\n".join(["| fault | fail | measured |", "|---|---|---|", *table])
                if options.table:
                    with open(options.table, "w", encoding="utf-8") as f:
                        f.write(text + "\n")
                print(f"{result} {name}{'' if result == 'ok' else ': ' + measured}", flush=True)
    if not options.quick:
        print(text)
    print(f"faults: {counts['ok']} passed, {counts['FAIL']} failed, {counts['skipped']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
