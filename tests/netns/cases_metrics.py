# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of the figures: served and written as Prometheus wants them, and the same as what the raw events, the kernel's own
counters and the hook's file say."""

import json
import os
import re
import shutil
import signal
import time

import bed as beds
from bed import CLIENT
from cases_incidents import alerts, attempt, incidents, make
from figures import differences, read_metrics, unknown_names
from run import FROM_LIST, LISTED, Skipped, need, own, until

AT = "127.0.0.1:9920"


def scrape(t, path="/metrics", at=AT):
    done = t.bed.gateway.run("curl", "-sS", "--max-time", "5", f"http://{at}{path}", check=False)
    need(done.returncode == 0, f"nothing is served at {at}: {done.stderr.strip()}")
    return done.stdout


def value(text, name, **labels):
    values, _ = read_metrics(text)
    return values.get((name, frozenset(labels.items())))


def events_of(t):
    with open(os.path.join(t.daemon.folder, "eve.json"), encoding="utf-8") as f:
        return f.read().splitlines()


def busy(t):
    """A bit of everything: names, lists, protocols, DNS, SMB, the kernel's own refusals, both families."""
    for family in (4, 6):
        t.family = family
        pool = attempt(t, family)
        for _ in range(3):
            t.bed.send(pool, 3333, "cryptonote", wait=0.5)
        t.bed.curl(t.fresh(), 443, LISTED)
        t.bed.curl(t.fresh(), 443, FROM_LIST)
        t.bed.curl(t.fresh(), 443, "www.unlisted.example")
        t.bed.send(t.fresh(), 445, "00", wait=0.3)


@own("metrics/figures")
def figures(t):
    t.daemon = make(t, f"hygiene: {{smb: monitor}}\nmetrics: {{listen: {AT}}}").start()
    busy(t)
    need(until(lambda: alerts(t)), "no alert")
    t.daemon.verb("log")  # has the kernel's counts brought in
    text = scrape(t)
    found = list(differences(text, events_of(t)))
    need(not found, f"{found[:3]}")
    need(value(text, "minewall_events_total", evidence="protocol", action="blocked") >= 4, "too few events of protocols")
    need(value(text, "minewall_attempts_total", evidence="hygiene", action="allowed") == 2, "not two attempts at SMB")
    states = {s: len([i for i in incidents(t) if i["state"] == s]) for s in ("open", "acknowledged", "cleaned", "reopened")}
    shown = {s: value(text, "minewall_incidents", state=s) for s in states}
    need(shown == states, f"incidents {shown}, not {states}")
    need(value(text, "minewall_hook_runs_total") == len(alerts(t)), "runs of the hook")
    need(value(text, "minewall_alerts_total") == len(alerts(t)) and value(text, "minewall_hook_failures_total") == 0, "alerts")
    blocked = t.daemon.json("blocked")
    need(value(text, "minewall_endpoints_learnt") == len(blocked), f"{value(text, 'minewall_endpoints_learnt')} learnt, not {len(blocked)}")
    for name in ("queued", "rejected", "blocked", "invalid", "untracked"):
        want = t.kernel.counter("minewall", name)
        got = value(text, "minewall_kernel_packets_total", action=name)
        need(got == want, f"kernel's {name}: {got}, nft says {want}")
    want = t.kernel.queues()[10]["sequence"]
    need(value(text, "minewall_queue_packets_total", queue="10") == want, "packets of the queue")
    status = t.daemon.json("status")
    need(value(text, "minewall_packets_total", verdict="blocked") == status["packets"]["blocked"], "packets blocked")
    age = time.time() - os.stat(os.path.join(t.daemon.folder, "miners.txt")).st_mtime
    need(abs(value(text, "minewall_list_age_seconds", list="bedlist") - age) <= 2, "age of the list")
    need(value(text, "minewall_up") == 1 and value(text, "minewall_enforcing") == 1, "up, enforcing")
    for address in (*CLIENT.values(), "100.65", "2001:db8"):
        need(address not in text, f"{address} is in the metrics")


def notes(t):
    """The raw notes' seconds by event, those since the last start first, then all together."""
    told = [e["minewall"] for e in map(json.loads, events_of(t)) if e["event_type"] == "minewall" and "seconds" in e["minewall"]]
    last = max((i for i, note in enumerate(told) if note["event"] == "started"), default=0)
    return {n["event"]: n["seconds"] for n in told[last:]}, sum(n["seconds"] for n in told)


@own("metrics/gap")
def gap(t):
    """Metric and report say the same seconds in which nobody judged, and the raw notes: stopped, paused, the reader hung."""
    t.daemon = make(t, f"metrics: {{listen: {AT}}}").start()
    need(t.daemon.stop() == 0, "the daemon did not end well")
    time.sleep(2.1)
    t.daemon.start()
    t.daemon.verb("pause", "1m")
    time.sleep(2.2)
    shown = value(scrape(t), "minewall_gap_seconds_total")
    report = t.daemon.json("report")[0]["unprotected_s"]
    need(shown >= 4 and report - shown in (0, 1), f"in a pause the metric says {shown}, the report {report}")
    t.daemon.verb("pause", "off")
    load = t.bed.load(t.fresh(), 3.5)
    time.sleep(0.5)
    os.kill(t.daemon.process.pid, signal.SIGSTOP)
    try:
        time.sleep(2.6)
    finally:
        os.kill(t.daemon.process.pid, signal.SIGCONT)
    load.communicate(timeout=20)
    need(until(lambda: "reader_back" in notes(t)[0] or not t.daemon.verb("log"), 5), f"nothing is said of the reader that hung: {notes(t)}")
    since_start, all_of_them = notes(t)
    need(set(since_start) == {"started", "resumed", "reader_back"} and all(2 <= s <= 8 for s in since_start.values()), f"the notes say {since_start}")
    shown = value(scrape(t), "minewall_gap_seconds_total")
    need(shown == sum(since_start.values()), f"a gap of {shown} s, the notes say {since_start}")
    report = t.daemon.json("report")[0]
    need(report["unprotected_s"] == all_of_them == shown, f"the report says {report['unprotected_s']}, the notes {all_of_them}")


@own("metrics/convention")
def convention(t):
    tool = shutil.which("promtool")
    if not tool:
        raise Skipped("no promtool here")
    t.daemon = make(t, f"metrics: {{listen: {AT}}}").start()
    busy(t)
    done = beds.command(tool, "check", "metrics", text_in=scrape(t), check=False, timeout=30)
    need(done.returncode == 0 and not done.stdout + done.stderr, f"promtool: {(done.stdout + done.stderr)[:300]}")


@own("metrics/dashboard")
def dashboard(t):
    """Its queries ask for what there is."""
    t.daemon = make(t, f"metrics: {{listen: {AT}}}").start()
    with open(os.path.join(beds.ROOT, "contrib", "grafana", "minewall.json"), encoding="utf-8") as f:
        unknown, asked = unknown_names(json.load(f), scrape(t))
    need(not unknown, f"it asks for {unknown}")
    need(len(asked) > 10, f"it asks for {asked} alone")


@own("metrics/file")
def textfile(t):
    folder = os.path.join(t.bed.tmp, "node")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o777)
    path = os.path.join(folder, "minewall.prom")
    t.daemon = make(t, f"metrics: {{file: {path}}}").start()
    need(until(lambda: os.path.exists(path), 3), "no file")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    need(value(text, "minewall_up") == 1 and text.endswith("\n"), f"it says {text[-200:]}")
    need(os.listdir(folder) == ["minewall.prom"] and os.stat(path).st_mode & 0o777 == 0o644, f"{os.listdir(folder)}")


@own("metrics/trouble", "folder", "port", "http")
def trouble(t, what):
    more = {"folder": f"metrics: {{listen: {AT}, file: /proc/no/minewall.prom}}", "port": f"metrics: {{listen: {AT}}}",
            "http": 'metrics: {listen: "[::1]:9921"}'}[what]
    if what == "port":
        t.bed.gateway.start(*beds.PYTHON, "-c", "import socket,time\ns=socket.create_server(('127.0.0.1',9920))\ntime.sleep(60)")
        time.sleep(0.3)
    t.daemon = make(t, more).start()
    if what == "folder":
        need(until(lambda: value(scrape(t), "minewall_textfile_failures_total") == 1), "the failure is not counted once")
        need("metrics.file" in t.daemon.said(), "it is not said")
    elif what == "port":
        need(until(lambda: re.search(r"metrics.listen.*9920.*in use", t.daemon.said())), f"it is not said: {t.daemon.said()[-200:]}")
    else:
        need("/metrics" in scrape(t, "/", "[::1]:9921"), "another path gives no hint")
        done = t.bed.gateway.run("curl", "-sS", "-g", "-X", "POST", "-d", "x", "-o", "/dev/null", "-w", "%{http_code}",
                                 "http://[::1]:9921/metrics", check=False)
        need(done.stdout == "405", f"a POST gives {done.stdout}")
        # Who connects and says nothing keeps nobody waiting.
        t.bed.gateway.start(*beds.PYTHON, "-c", "import socket,time\n"
                            "s=[socket.create_connection(('::1',9921)) for _ in range(4)]\ntime.sleep(60)")
        time.sleep(0.3)
        need(value(scrape(t, at="[::1]:9921"), "minewall_up") == 1, "no answer while others are silent")
    attempt(t)
