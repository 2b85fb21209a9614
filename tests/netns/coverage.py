#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints COVERAGE.md with what the cases that ran say of each sentence. It runs nothing itself.

A row is `| sentence | shown by | note |`. What stands between backquotes under `shown by` is a pattern of run.py's case names, or
`unit:FILE:TEST` (tests/unit/test_FILE.c), `replay:SAMPLE` (tests/corpus/make_samples.py) or `part:PROGRAM` (another part of the tests).
usage: coverage.py LOG-OF-RUN.PY"""

import fnmatch
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
WIDTH = 112


def rows():
    """(heading or None, sentence, patterns, note) of each line of the tables."""
    with open(os.path.join(HERE, "COVERAGE.md"), encoding="utf-8") as f:
        for line in f:
            cells = [c.strip() for c in line.strip().strip("|").split("|")]
            if line.startswith("## "):
                yield line[3:].strip(), None, None, None
            elif line.startswith("|") and len(cells) == 3 and cells[0] != "sentence" and not set(cells[0]) <= set("-"):
                yield None, cells[0], re.findall(r"`([^`]+)`", cells[1]), cells[2]


def read_log(path):
    """{case: ok|FAIL|skipped}"""
    with open(path, encoding="utf-8") as f:
        return {name: word for word, name in (line.split(None, 1) for line in f.read().splitlines())}


def has(path, pattern):
    try:
        with open(os.path.join(TESTS, path), encoding="utf-8") as f:
            return re.search(pattern, f.read()) is not None
    except OSError:
        return False


def elsewhere(pattern):
    """Is the test there that another part of `make check` runs? None: the pattern is one of case names."""
    kind, _, rest = pattern.partition(":")
    if kind == "unit":
        name, _, test = rest.partition(":")
        return has(f"unit/test_{name}.c", rf"\b{re.escape(test)}\b")
    if kind == "replay":
        return has("corpus/make_samples.py", re.escape(rest))
    return os.path.exists(os.path.join(TESTS, rest)) if kind == "part" else None


def status(patterns, cases):
    """(word, text) of one row."""
    ran, others, missing = {}, [], []
    for pattern in patterns:
        there = elsewhere(pattern)
        found = {n: w for n, w in cases.items() if fnmatch.fnmatchcase(n, f"*{pattern}*")} if there is None else {}
        if there:
            others.append(pattern)
        elif found:
            ran.update(found)
        else:
            missing.append(pattern)
    failed = sorted(n for n, w in ran.items() if w == "FAIL")
    if failed or missing:
        return "FAILED", ", ".join(failed[:3] + [f"nothing is called {m}" for m in missing])
    passed = sum(w == "ok" for w in ran.values())
    if passed:
        return "passed", f"{passed} cases" + (", " + ", ".join(others) if others else "")
    return ("elsewhere", ", ".join(others)) if others else ("not tested", "skipped here" if ran else "")


def main():
    if len(sys.argv) != 2:
        print(__doc__.splitlines()[-1].rstrip('"'), file=sys.stderr)
        return 2
    cases, counts = read_log(sys.argv[1]), {}
    for heading, sentence, patterns, note in rows():
        if heading:
            print(f"-- {heading}")
            continue
        word, text = status(patterns, cases)
        counts[word] = counts.get(word, 0) + 1
        more = " · ".join(t for t in (text, note if word != "passed" else "") if t)
        print(f"{word:10} {sentence[:WIDTH]}" + (f"\n           {more}" if word != "passed" and more else ""))
    print(", ".join(f"{n} sentences {word}" for word, n in sorted(counts.items())))
    print(f"coverage: {counts.get('passed', 0) + counts.get('elsewhere', 0)} passed, {counts.get('FAILED', 0)} failed, "
          f"{counts.get('not tested', 0)} skipped")
    return 1 if counts.get("FAILED") else 0


if __name__ == "__main__":
    sys.exit(main())
