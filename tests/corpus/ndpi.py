#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what `minewall replay` calls mining with what nDPI's ndpiReader calls mining, flow by flow, over the captures in
../shared/corpus, if they are there. Every difference must stand in NDPI.md beside this file, with its reason, and no other.

Usage: ndpi.py [--minewall PROGRAM] [--corpus FOLDER]"""
import argparse
import json
import os
import sys
import tarfile

import compare

HERE = compare.HERE
NOTHING = "-"


def ends(row):
    """A flow's key, whichever side it was seen to open it."""
    return (row["l4"], frozenset(((row["client"], row["cport"]), (row["server"], row["sport"]))))


def flow_text(row):
    def at(host, port):
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{row['l4']} {at(row['client'], row['cport'])} > {at(row['server'], row['sport'])}"


def says_mining(word):
    return any(part == "Mining" for part in word.split("."))


def reference(path):
    """{capture: {flow: (its text, ndpiReader's word)}} of every flow in the reference."""
    found = {}
    with tarfile.open(path, "r:xz") as tar:
        for member in tar:
            if not member.isfile() or not member.name.endswith(".jsonl"):
                continue
            flows = found.setdefault(member.name.split("/", 1)[1].removesuffix(".jsonl"), {})
            for line in tar.extractfile(member):
                row = json.loads(line)
                if row["type"] == "flow" and row["l4"] in ("tcp", "udp"):
                    word = (row.get("ndpi42") or {}).get("proto") or NOTHING
                    old = flows.get(ends(row))
                    if not old or says_mining(word):
                        flows[ends(row)] = (flow_text(row), word)
    return found


def our_words(lines):
    """{flow: (its text, what we say)} of one capture; NOTHING where we see no mining."""
    found = {}
    for f in lines:
        row = {"l4": f["proto"].lower(), "client": f["src_ip"], "cport": f["src_port"], "server": f["dest_ip"],
               "sport": f["dest_port"]}
        mining = f.get("mining", {})
        word = mining.get("dialect") or mining.get("evidence") or NOTHING
        if found.get(ends(row), (0, NOTHING))[1] == NOTHING:
            found[ends(row)] = (flow_text(row), word)
    return found


def differences(theirs, ours):
    """{(capture, flow): (nDPI's word, ours)} where one says mining and the other does not, and the count of agreements."""
    found, agreed = {}, 0
    for capture in sorted(set(theirs) | set(ours)):
        there, here = theirs.get(capture, {}), our_words(ours.get(capture, ()))
        for key in set(there) | set(here):
            text, word = there.get(key, (None, NOTHING))
            our_text, our_word = here.get(key, (None, NOTHING))
            if says_mining(word) != (our_word != NOTHING):
                found[(capture, text or our_text)] = (word, our_word)
            elif our_word != NOTHING:
                agreed += 1
    return found, agreed


def explained():
    """{(capture, flow): (nDPI's word, ours, reason)} of the rows of NDPI.md."""
    rows = {}
    with open(os.path.join(HERE, "NDPI.md"), encoding="utf-8") as f:
        for line in f:
            cells = [c.strip().strip("`") for c in line.strip().strip("|").split("|")]
            if len(cells) == 5 and " > " in cells[1]:
                rows[(cells[0], cells[1])] = tuple(cells[2:])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minewall", default=os.path.join(compare.ROOT, "build", "minewall"))
    parser.add_argument("--corpus", default=os.path.join(compare.ROOT, "..", "shared", "corpus"))
    args = parser.parse_args()
    archive = os.path.join(args.corpus, "truth.tar.xz")
    if not os.path.exists(archive):
        print("skipped: ../shared/corpus is not there")
        return 0
    theirs = reference(archive)
    ours, bad = compare.run_all(os.path.abspath(args.minewall), os.path.join(args.corpus, "pcap"), sorted(theirs))
    found, agreed = differences(theirs, ours)
    known, passed, failed = explained(), agreed, len(bad)
    for capture, flow in sorted(set(found) | set(known)):
        word, our_word = found.get((capture, flow), (None, None))
        reason = known.get((capture, flow))
        if word is None:
            print(f"FAILED {capture} {flow}: explained in NDPI.md but there is no such difference: take it out")
        elif not reason or not reason[2]:
            print(f"FAILED {capture} {flow}: nDPI says {word}, we say {our_word}, and NDPI.md has no reason")
        elif reason[:2] != (word, our_word):
            print(f"FAILED {capture} {flow}: nDPI says {word}, we say {our_word}; NDPI.md says {reason[0]}, {reason[1]}")
        else:
            print(f"{capture}  {flow}: nDPI {word}, here {our_word}: {reason[2]}")
            passed += 1
            continue
        failed += 1
    for path, code in bad:
        print(f"FAILED {path}: exit {code}")
    flows = sum(map(len, theirs.values()))
    print(f"both call {agreed} flows mining; {len(found)} of {flows} differ")
    print(f"nDPI: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
