#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares `minewall replay --flows --json` with the reference tables of the captures in ../shared/corpus, if they are there.

Every difference that is left must stand in DIFFERENCES.md beside this file, with its reason, and they may be at most
1 % of the rows. Usage: compare.py [--minewall PROGRAM] [--corpus FOLDER] [-v]
"""
import argparse
import collections
import csv
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare_dns import expect_dns  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# Where the evidence lies out of reach of the design (the tables' own words).
OUT_OF_REACH = {"tunnel", "starttls", "link-null+starttls", "over-16K", "over-budget", "opener-is-server", "pipelined",
                "link-or-tunnel-other"}
NAME_KINDS = ("tls_sni", "quic_sni", "http_host")
EXIT_CODES = {0, 5, 6}
FILES_A_CALL = 400
CALL_TIMEOUT_S = 120


def table(path):
    with open(path, encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


class Tally:
    """Counts of one check, and the words for each failure."""

    def __init__(self):
        self.rows = collections.OrderedDict()
        self.failures = []

    def add(self, check, good, text=""):
        passed, failed = self.rows.get(check, (0, 0))
        self.rows[check] = (passed + good, failed + (not good))
        if not good:
            self.failures.append(f"{check}: {text}")


def run_files(program, folder, files, policy=None):
    """All lines of these captures; a list of (file, exit code) that should not be."""
    call = [program, "replay", "--flows", "--json", *(["-c", policy] if policy else []), *files]
    try:
        done = subprocess.run(call, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=CALL_TIMEOUT_S)
        code, out = done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        code, out = "timeout", b""
    if code in EXIT_CODES:
        return [json.loads(line) for line in out.splitlines()], []
    if len(files) == 1:
        return [], [(files[0], code)]
    half = len(files) // 2
    first, second = (run_files(program, folder, part, policy) for part in (files[:half], files[half:]))
    return first[0] + second[0], first[1] + second[1]


def run_all(program, folder, files, policy=None):
    flows, bad = collections.defaultdict(list), []
    for at in range(0, len(files), FILES_A_CALL):
        lines, crashed = run_files(program, folder, files[at:at + FILES_A_CALL], policy)
        bad += crashed
        for line in lines:
            flows[line["pcap_filename"]].append(line)
    return flows, bad


def matching(flows, row):
    """The lines of the row's flow: same opener, same 5-tuple."""
    want = (row["l4"].upper(), row["client"], int(row["cport"]), row["server"], int(row["sport"]))
    return [f for f in flows[row["pcap"]]
            if (f["proto"], f["src_ip"], f["src_port"], f["dest_ip"], f["dest_port"]) == want]


def names_of(lines, kind):
    return [n["name"] for f in lines for n in f["names"] if n["kind"] == kind]


def same_name(value):
    """The reference tables hold names in lower case and without the root's dot; replay gives them as sent."""
    return value.lower().rstrip(".")


def has_name(lines, kind, value):
    return same_name(value) in [same_name(name) for name in names_of(lines, kind)]


def is_mining(line):
    return line.get("mining", {}).get("evidence") == "protocol"


def explained(kinds):
    """(capture, kind, value) of every table row of these kinds in DIFFERENCES.md that gives a reason."""
    rows = set()
    with open(os.path.join(HERE, "DIFFERENCES.md"), encoding="utf-8") as f:
        for line in f:
            cells = [c.strip().strip("`") for c in line.strip().strip("|").split("|")]
            if len(cells) == 4 and cells[1] in kinds and cells[3]:
                rows.add(tuple(cells[:3]))
    return rows


def check_names(tally, rows, flows):
    """At least 99 % of each kind agree, and the others are explained."""
    known, used = explained(NAME_KINDS), set()
    for kind in NAME_KINDS:
        wanted = [r for r in rows if r["kind"] == kind and r["note"] != "disputed" and r["reach"] not in OUT_OF_REACH]
        differ = [r for r in wanted if not has_name(matching(flows, r), kind, r["value"])]
        for r in differ:
            key = (r["pcap"], kind, r["value"])
            used.add(key)
            if key not in known:
                tally.add(f"{kind} rows", False, f"{r['pcap']} {r['client']}:{r['cport']} {r['value']!r} reach={r['reach']}, "
                          f"got {names_of(matching(flows, r), kind)}")
        agree = len(wanted) - len(differ)
        for _ in range(agree):
            tally.add(f"{kind} rows", True)
        share = agree / len(wanted) if wanted else 1
        tally.add(f"{kind} at least 99 %", share >= 0.99, f"{agree} of {len(wanted)} = {share:.2%}")
        print(f"{kind}: {agree} of {len(wanted)} rows agree ({share:.2%})")
    stale(tally, known - used)


def stale(tally, keys):
    for key in sorted(keys):
        tally.add("differences still there", False, f"{key} is explained but agrees: take it out")


# The reference's word for a dialect -> ours, which is finer. The HTTP header of getwork says nothing of the call beside it.
DIALECTS = {"stratum-v1": {"stratum-v1", "zcash"}, "stratum-v1-zec": {"zcash", "stratum-v1"}, "cryptonote": {"cryptonote"},
            "eth-proxy": {"eth-proxy"}, "eth-getwork-http": {"eth-getwork"}, "getwork-http": {"getwork"},
            "getblocktemplate-http": {"getblocktemplate", "getwork"}, "websocket": {"coinhive"}}
NODE_CALLS = {"eth-getwork-http", "getwork-http", "getblocktemplate-http"}


def check_stratum(tally, rows, flows):
    """Every row, whatever carries it: found as its own dialect; work asked of a node is a detector of its own that only reports."""
    known, used = explained(("stratum",)), set()
    for r in rows:
        if r["kind"] != "stratum":
            continue
        rule, action = ("detect.getwork", "accept") if r["value"] in NODE_CALLS else ("detect.stratum", "drop")
        good = any(is_mining(f) and f["mining"].get("dialect") in DIALECTS[r["value"]] and f["mining"].get("rule") == rule
                   and f["verdict"]["action"] == action for f in matching(flows, r))
        key = (r["pcap"], "stratum", r["value"])
        if not good and key in known:
            used.add(key)
            continue
        tally.add("stratum rows", good, f"{r['pcap']} {r['client']}:{r['cport']} {r['value']} {r['note']}: "
                  f"{json.dumps([(f.get('mining'), f['verdict']) for f in matching(flows, r)])[:300]}")
    stale(tally, known - used)


def check_harmless(tally, manifest, flows):
    """Captures without mining (a listed name is no evidence here: no list is loaded)."""
    for m in manifest:
        kinds = [k for k in m["mining_kinds"].split(",") if k and not k.startswith("list-name")]
        if kinds:
            continue
        wrong = [f for f in flows[m["path"]] if f["verdict"]["action"] == "drop" or is_mining(f)]
        tally.add("captures without mining", not wrong, f"{m['path']} {json.dumps(wrong[:1])}")


def expect_tls(text, lines):
    if text == "sni=none":
        return names_of(lines, "tls_sni") == []
    if text.startswith("sni="):
        return all(name in names_of(lines, "tls_sni") for name in text[4:].split(","))
    return text != "SNI in the payload" or names_of(lines, "tls_sni") != []


def expect_http(text, lines):
    hosts = names_of(lines, "http_host")
    if text == "no host":
        return hosts == []
    wanted = [part.split("=", 1)[1] for part in text.replace(",", " ").split() if "=" in part]
    return all(host in hosts for host in wanted)


def expect_mining(text, lines):
    """The words of the table's stratum and websocket rows."""
    wanted = {"cryptonote login": {"cryptonote"}, "zcash stratum": {"zcash", "stratum-v1"}, "eth_getWork over HTTP": {"eth-getwork"},
              "web miner": {"coinhive"}, "stratum inside WebSocket": {"cryptonote"}}
    dialects = wanted.get(text) or ({"stratum-v1"} if text.startswith("stratum v1") else set())
    return any(is_mining(f) and f["mining"].get("dialect") in dialects for f in lines)


def as_expected(r, lines):
    """Does replay give what the row says? None: the row is of no kind that is known here."""
    text = r["expected"]
    if r["kind"] == "dns":
        return bool(lines) and expect_dns(text, lines) and all(f["verdict"]["action"] == "accept" for f in lines)
    if text == "" or text.startswith("no crash"):
        return len(lines) == 1 and lines[0]["verdict"]["action"] == "accept"
    if text == "no mining":
        return bool(lines) and not any(is_mining(f) or f["verdict"]["action"] == "drop" for f in lines)
    if text.startswith("incomplete"):
        return len(lines) == 1 and lines[0]["names"] == [] and lines[0]["verdict"]["action"] == "accept"
    readers = {"tls": expect_tls, "http": expect_http, "stratum": expect_mining, "websocket": expect_mining,
               "quic": lambda text, lines: names_of(lines, "quic_sni") != []}
    return readers[r["kind"]](text, lines) if r["kind"] in readers else None


def check_derived(tally, rows, flows):
    """Every row: what each made capture must give."""
    known, used, agree = explained(("derived",)), set(), 0
    for r in rows:
        good = as_expected(r, flows[r["path"]])
        key = (r["path"], "derived", r["expected"])
        if not good and key in known:
            used.add(key)
            continue
        agree += bool(good)
        tally.add("derived rows", bool(good), f"{r['path']}: {r['kind']}: {r['expected']}: {json.dumps(flows[r['path']])[:300]}")
    stale(tally, known - used)
    print(f"derived: {agree} of {len(rows)} rows as expected, {len(used)} explained")


LISTS = (("coinblocker-2018/list.txt", "plain"), ("nocoin/hosts.txt", "hosts"))


def check_lists(tally, manifest, derived, program, corpus):
    """With real coin lists: every listed name blocks, and no harmless capture holds one (the corpus' README)."""
    with tempfile.TemporaryDirectory() as folder:
        policy = os.path.join(folder, "policy.yaml")
        with open(policy, "w", encoding="utf-8") as f:
            f.write("version: 1\nmode: enforce\nlists:\n")
            for i, (path, form) in enumerate(LISTS):
                f.write(f'  - {{name: list{i}, file: "{os.path.abspath(os.path.join(corpus, "lists", path))}", format: {form}}}\n')
        flows, bad = run_all(program, os.path.join(corpus, "pcap"), [m["path"] for m in manifest], policy)
    tally.add("lists: no crash", not bad, str(bad))
    built_in = {r["path"]: r["expected"] for r in derived}     # names that a made capture holds on purpose
    for m in manifest:
        kinds = m["mining_kinds"].split(",")
        dropped = [f for f in flows[m["path"]] if f["verdict"]["action"] == "drop"]
        if "list-name:tls" in kinds or "list-name:http" in kinds:
            good = any(f.get("mining", {}).get("evidence") == "name" for f in dropped)
            tally.add("lists: listed name blocked", good, f"{m['path']}")
        elif not m["mining_kinds"]:
            wrong = [f for f in dropped if f.get("mining", {}).get("entry", "\n") not in built_in.get(m["path"], "")]
            tally.add("lists: harmless capture", not wrong, f"{m['path']} {json.dumps(wrong[:1])}")


def show_flow_counts(manifest, flows, verbose):
    """Information only: the reference counts tunnelled flows, and splits connections by its own rules."""
    off = [(m["path"], int(m["flows"] or 0), len(flows[m["path"]])) for m in manifest
           if int(m["flows"] or 0) != len(flows[m["path"]])]
    print(f"flows: {sum(len(f) for f in flows.values())}, reference {sum(int(m['flows'] or 0) for m in manifest)}; "
          f"{len(off)} of {len(manifest)} captures differ (no failure)")
    for path, want, got in off if verbose else []:
        print(f"  {path}: reference {want}, here {got}")


def show_extra_names(rows, flows):
    """Information only: names that the reference does not have."""
    have = {(r["pcap"], r["kind"], same_name(r["value"])) for r in rows}
    for path in sorted(flows):
        for kind in NAME_KINDS:
            for name in sorted(set(names_of(flows[path], kind))):
                if (path, kind, same_name(name)) not in have:
                    print(f"  more than the reference: {path} {kind} {name!r}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minewall", default=os.path.join(ROOT, "build", "minewall"))
    parser.add_argument("--corpus", default=os.path.join(ROOT, "..", "shared", "corpus"))
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    if not os.path.isdir(os.path.join(args.corpus, "pcap")):
        print("skipped: ../shared/corpus is not there")
        return 0
    rows = table(os.path.join(args.corpus, "flows.tsv"))
    manifest = table(os.path.join(args.corpus, "MANIFEST.tsv"))
    derived = table(os.path.join(args.corpus, "derived-expect.tsv"))
    files = [m["path"] for m in manifest]
    flows, bad = run_all(os.path.abspath(args.minewall), os.path.join(args.corpus, "pcap"), files)

    tally = Tally()
    crashed = dict(bad)
    for path in files:
        tally.add("no crash", path not in crashed, f"{path}: exit {crashed.get(path)}")
    check_names(tally, rows, flows)
    check_stratum(tally, rows, flows)
    check_harmless(tally, manifest, flows)
    check_derived(tally, derived, flows)
    check_lists(tally, manifest, derived, os.path.abspath(args.minewall), args.corpus)
    show_flow_counts(manifest, flows, args.verbose)
    if args.verbose:
        show_extra_names(rows, flows)

    for check, (passed, failed) in tally.rows.items():
        print(f"{check:28} {passed:6} passed {failed:4} failed")
    for text in tally.failures:
        print(f"FAILED {text}")
    failed = sum(f for _, f in tally.rows.values())
    print(f"corpus: {sum(p for p, _ in tally.rows.values())} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
