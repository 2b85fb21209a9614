#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Recomputes figures from the raw events alone, with nothing of minewall's own code, and says where metrics differ. Also reads
a Grafana dashboard and names the metrics that it asks for and nobody has.

usage: figures.py METRICS EVE.JSON [DASHBOARD]   (prints a line for each difference; exit 1 if there is one)"""

import collections
import json
import re
import sys


def read_metrics(text):
    """{(name, frozenset of labels): value} and {name: type}."""
    values, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            types[name] = kind
        elif line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line).groups()
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
            values[name, frozenset(pairs)] = float(value)
    return values, types


def from_events(lines):
    """What the events say, under the names of the metrics."""
    want = collections.Counter()
    for line in lines:
        event = json.loads(line)
        if event.get("event_type") != "alert" or "mining" not in event:
            continue
        mining = event["mining"]
        evidence = "hygiene" if mining.get("rule", "").startswith("hygiene.") else mining.get("evidence", "other")
        labels = frozenset({("evidence", evidence), ("action", event["alert"]["action"])})
        want["minewall_events_total", labels] += 1
        want["minewall_attempts_total", labels] += max(1, mining.get("count", 1))
        if "list" in mining:
            want["minewall_list_hits_total", frozenset({("list", mining["list"])})] += max(1, mining.get("count", 1))
    return want


def differences(metrics, events):
    values, types = read_metrics(metrics)
    want = from_events(events)
    for key in sorted({k for k in values if k[0] in ("minewall_events_total", "minewall_attempts_total")} | set(want), key=str):
        if values.get(key, 0) != want.get(key, 0):
            yield f"{key[0]} {sorted(key[1])}: {values.get(key)} shown, the events say {want.get(key, 0)}"
    for (name, _), value in values.items():
        if types.get(name) == "counter" and (not name.endswith("_total") or value < 0):
            yield f"{name} is a counter of {value}"
        if types.get(name) == "gauge" and name.endswith("_total") or name not in types:
            yield f"{name} is a {types.get(name)}"


def unknown_names(dashboard, metrics):
    """Names in the dashboard's queries that the metrics do not have."""
    _, types = read_metrics(metrics)
    asked = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            asked |= set(re.findall(r"\bminewall_\w+", target["expr"]))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            asked |= set(re.findall(r"\bminewall_\w+", variable["query"]["query"]))
    return sorted(asked - set(types)), asked


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        metrics = f.read()
    with open(sys.argv[2], encoding="utf-8") as f:
        found = list(differences(metrics, f))
    if len(sys.argv) > 3:
        with open(sys.argv[3], encoding="utf-8") as f:
            found += [f"the dashboard asks for {name}" for name in unknown_names(json.load(f), metrics)[0]]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
