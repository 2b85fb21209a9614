#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench: minewall beside plain forwarding, a null verdict on the same rules and the peers that are installed, in turns of a
fraction of a second, so that what else the machine does hits all alike. Ratios are taken within a round; a table tells their medians
with 95 % intervals, and BUILD/bench.json has them for programs. usage: bench.py [--rounds N] BUILD"""

import argparse
import json
import math
import os
import platform
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateways import PORT, Bench, Quiet, bed  # noqa: E402
import peers  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Another null verdict to check ours by, where there is one.
FLOOR = os.environ.get("BENCH_NULLQ", os.path.join(ROOT, "..", "sha" + "red", "bench", "nullq.c"))
SLICE = 0.25        # seconds of each run
BUDGET = 420        # seconds in which all rounds are to end; on a slow or busy machine there are fewer of them, and that is said
CLIENTS = 32
NAME, BLOCKED = "www.unlisted.example", "blocked.example"
PENDING = 0x04000000
TAUGHT = 10000
TAUGHT_AT, RESET_AT = 100 << 8, 200 << 8    # offsets of addresses for what is taught, and for what is reset
SIZES = {"10k": 10000, "100k": 100000, "1m": 1000000}
MINEWALLS = ("100k", "1m")
# Who stands beside whom in a round: the ratios owed are those of neighbours, which a machine's other work hits most alike. "plain2" is the
# gateway `plain` once more, so that both of minewall's have it and `null` beside them.
ORDER = {
    "connections": ("plain", "100k", "null", "1m", "plain2", "10k", "conntrack", "floor"),
    "latency": ("plain", "100k", "null", "1m"),
    "bulk": ("100k", "plain", "1m", "null"),
    "bulk_mtu": ("100k", "conntrack", "1m"),
    "stopped": ("plain", "10k"),
}
NEIGHBOUR = {("conns", "1m", "plain"): "plain2", ("cpu", "1m", "plain"): "plain2"}

# name: (what, unit, owed, after, better)
METRICS = {
    "bulk_gso": ("bulk of an unblocked flow / plain, GSO", "ratio", 0.95, 0.98, "higher"),
    "bulk_mtu": ("the same, MTU-sized / conntrack only", "ratio", 0.95, 0.98, "higher"),
    "conns": ("new connections a second / plain", "ratio", 0.90, 0.95, "higher"),
    "cpu_conn": ("CPU a connection / null", "ratio", 1.05, 1.02, "lower"),
    "queued": ("packets queued for a connection", "packets", 1, 1, "lower"),
    "added_p50_us": ("added p50 of a new connection over null", "us", 5, 2, "lower"),
    "added_p99": ("p99 of a new connection / null", "ratio", 1.2, 1.1, "lower"),
    "user_us_10k": ("user time a queued packet, 10k names", "us", 1.5, 0.8, "lower"),
    "user_us_1m": ("user time a queued packet, 1M names", "us", 1.5, 0.8, "lower"),
    "hello_ns": ("whole ClientHello to facts", "ns", 50, 25, "lower"),
    "stratum_ns": ("Stratum line to facts", "ns", 300, 150, "lower"),
    "name_10k": ("name look-up, 10k", "ns", 120, 60, "lower"),
    "name_miss_1m": ("name look-up, 1M, miss", "ns", 120, 80, "lower"),
    "name_hit_1m": ("name look-up, 1M, hit", "ns", 600, 250, "lower"),
    "rss_10k": ("resident memory, 10k names", "MB", 4, 3, "lower"),
    "rss_1m": ("resident memory, 1M names", "MB", 45, 24, "lower"),
    "start_10k": ("start to first verdict, 10k names", "ms", 30, 10, "lower"),
    "start_1m": ("start to first verdict, 1M names", "ms", 300, 120, "lower"),
    "reload_p99": ("p99 of new connections in a reload of 1M names / before", "ratio", 1.5, 1.1, "lower"),
    "element_p50": ("verdict to set element active, p50", "us", 30, 15, "lower"),
    "element_p99": ("verdict to set element active, p99", "us", 100, 40, "lower"),
    "reset_ms": ("blocked client sees its reset", "ms", 1, 0.3, "lower"),
    "failopen": ("reader stopped, connections a second / plain", "ratio", 0.90, 0.95, "higher"),
    "growth": ("user time a packet, 1k to 1M flows, names, endpoints", "ratio", 1.5, 1.2, "lower"),
    "peer_cpu": ("CPU a connection / plain (peers: below)", "ratio", 1.25, 1.18, "lower"),
    "idle": ("wake-ups a second when idle", "1/s", 1, 0.2, "lower"),
}


def median(values):
    good = [v for v in values if v is not None]
    return statistics.median(good) if good else None


def interval(values):
    """95 % interval of the median by order statistics, without any assumption on the noise."""
    good = sorted(v for v in values if v is not None)
    n, below = len(good), 0.0
    if n < 6:
        return (good[0], good[-1]) if good else (None, None)
    for k in range(n // 2):
        below += math.comb(n, k) / 2 ** n
        if below > 0.025:
            return good[max(k - 1, 0) if k else 0], good[n - 1 - (max(k - 1, 0) if k else 0)]
    return good[0], good[-1]


class Figures:
    """Samples of each measure of each gateway, by round."""

    def __init__(self):
        self.samples = {}

    def add(self, measure, gateway, value):
        self.samples.setdefault(measure, {}).setdefault(gateway, []).append(value)

    def of(self, measure, gateway):
        return self.samples.get(measure, {}).get(gateway, [])

    def compared(self, measure, gateway, base, how=lambda a, b: a / b):
        base = NEIGHBOUR.get((measure, gateway, base), base)
        return [how(a, b) for a, b in zip(self.of(measure, gateway), self.of(measure, base)) if a is not None and b]


class Run:
    def __init__(self, bench, build, rounds):
        self.bench, self.build, self.rounds = bench, build, rounds
        self.figures, self.notes = Figures(), {}
        self.values, self.intervals = {}, {}
        self.quiet = Quiet(0.3, 60)
        self.began, self.made = time.monotonic(), {}

    def say(self, text):
        print(f"  {text}", file=sys.stderr, flush=True)

    def tool(self, name):
        return os.path.join(self.build, "tests", "bench", name)

    def stage(self, measure, *args):
        """One part of the bench; what it cannot measure is null in the end, and the rest goes on."""
        try:
            measure(*args)
        except (bed.BedError, OSError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError,
                subprocess.SubprocessError) as error:
            self.notes.setdefault("failed", {})[measure.__name__] = f"{type(error).__name__}: {error}"
            self.say(f"{measure.__name__}: {type(error).__name__}: {error}")

    def gateway(self, name):
        return self.bench.gateways[name.removesuffix("2")]

    def load(self, verb, gateway, family, *options, offset=0, timeout=60):
        g = self.gateway(gateway)
        self.quiet.wait()
        done = self.bench.client.run(self.tool("load"), verb, g.address(family, offset), PORT, *options, check=False, timeout=timeout)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    # -- what stands in the gateways ----------------------------------------------------------

    def names_file(self, count):
        """A list of hosts format, kept for the next run."""
        folder = os.path.join(self.build, "bench")
        path = os.path.join(folder, f"names-{count}.hosts")
        os.makedirs(folder, exist_ok=True)
        if not os.path.exists(path):
            with open(path + ".new", "w", encoding="ascii") as f:
                f.writelines(f"0.0.0.0 pool{i * 2654435761 & 0xffffffff:x}.host{i % 977}.{'com net org info'.split()[i % 4]}\n"
                             for i in range(count))
            os.replace(path + ".new", path)
        return path

    def start_minewall(self, gateway, count):
        g = self.bench.gateways[gateway]
        policy = g.write("policy.yaml", f"""version: 1
mode: enforce
lists:
  - {{name: bench, file: {self.names_file(count)}, format: hosts}}
block: {{names: [{BLOCKED}]}}
control: {g.folder()}/control.sock
log: {{file: {g.folder()}/eve.json}}
""")
        return g.start(os.path.join(self.build, "minewall"), "run", "-c", policy)

    def start_null(self, gateway, *program):
        """minewall's own rules with another reader: they stay when it is killed."""
        self.start_minewall(gateway, 10)
        queues = self.bench.gateways[gateway].queues()
        self.bench.gateways[gateway].stop(signal.SIGKILL)
        time.sleep(0.2)
        if program:
            g = self.bench.gateways[gateway]
            g.start("/bin/sh", "-c", 'echo ready >&2; exec "$@"', "sh", program[0], "--nq", str(queues), *program[1:])
            time.sleep(0.3)
        else:
            self.bench.gateways[gateway].start(self.tool("nullverdict"), "0", str(queues), hex(PENDING))

    def start_all(self):
        self.bench.gateways["conntrack"].namespace.nft(
            "table inet bench { chain f { type filter hook forward priority 0; ct state established,related accept; }; }")
        self.start_null("null")
        if "floor" in self.bench.gateways:
            self.start_null("floor", self.tool("nullq"), "--gso", "--range", "1500", "--rcvbuf", "4194304", "--mmsg", "32", "--agg",
                            "--mark", hex(PENDING))
        for size, count in SIZES.items():
            self.start_minewall(size, count)
        for name in list(self.notes.get("peers", ())):
            problem = peers.start(name, self.bench.gateways[name], self.names_file(10000))
            if problem:
                self.notes["peers"][name] = problem
        self.say("gateways are up")

    def teach(self):
        """Miners, each at another endpoint, until the kernel knows them all."""
        for family in (4, 6):
            told = self.load("blocked", "1m", family, NAME, TAUGHT // 2, "stratum", offset=TAUGHT_AT, timeout=120)
            self.notes[f"taught_v{family}"] = told.get("reset")
        self.say(f"endpoints taught: {self.notes['taught_v4']} + {self.notes['taught_v6']}")

    # -- rounds ---------------------------------------------------------------------------------

    def family(self, r):
        return 6 if r % 2 else 4

    def in_turns(self, names, r):
        """Neighbours stay neighbours, in both orders, of IPv4 and of IPv6."""
        names = [n for n in names if n.removesuffix("2") in self.bench.gateways and not isinstance(self.notes.get("peers", {}).get(n), str)]
        return names[::-1] if r // 2 % 2 else names

    def in_rounds(self, what, until, *measures):
        """As many as were asked for, or as there is time for: `until` is a part of the budget."""
        for r in range(self.rounds):
            if time.monotonic() - self.began > BUDGET * until and r >= min(6, self.rounds):
                break
            for measure, *more in measures:
                self.stage(measure, r, *more)
            self.made[what] = r + 1

    def connections(self, r):
        for name in self.in_turns((*ORDER["connections"], *self.notes["peers"]), r):
            g = self.gateway(name)
            reader = g.process is not None and name not in self.notes["peers"]
            queued, begin = g.queued() if reader else 0, self.bench.cpu.us()
            done = self.load("connections", name, self.family(r), NAME, SLICE, CLIENTS, "tls")
            used = self.bench.cpu.us()
            n = done.get("connections", 0)
            self.figures.add("conns", name, n / done["seconds"] if n else None)
            self.figures.add("cpu", name, (used - begin) / n if n and used is not None else None)
            self.figures.add("failed", name, done.get("failed"))
            if reader:
                self.figures.add("queued_tls", name, (g.queued() - queued) / n if n else None)

    def pages(self, r):
        for name in MINEWALLS:
            g = self.bench.gateways[name]
            queued = g.queued()
            done = self.load("connections", name, self.family(r), NAME, SLICE / 3, CLIENTS, "http")
            self.figures.add("queued_http", name, (g.queued() - queued) / done["connections"] if done.get("connections") else None)

    def latency(self, r):
        for name in self.in_turns(ORDER["latency"], r):
            done = self.load("connections", name, self.family(r), NAME, SLICE, 1, "tls")
            self.figures.add("p50", name, done.get("p50_us"))
            self.figures.add("p99", name, done.get("p99_us"))

    def bulk(self, r, measure):
        """Also the CPU time that a byte takes: it stands in where noise does not let the throughput tell."""
        for name in self.in_turns(ORDER[measure], r):
            begin = self.bench.cpu.us()
            done = self.load("bulk", name, self.family(r), NAME, SLICE)
            used = self.bench.cpu.us()
            self.figures.add(measure, name, done.get("gbit_s"))
            self.figures.add(measure + "_cpu", name, (used - begin) * 1e3 / done["bytes"] * 1e3 if done.get("bytes") and used else None)

    def resets(self, r):
        for name in MINEWALLS:
            done = self.load("blocked", name, self.family(r), BLOCKED, 20, "tls", offset=RESET_AT + 20 * r)
            self.figures.add("reset_us", name, done.get("p50_us") if done.get("reset") else None)
            self.figures.add("reset_p99_us", name, done.get("p99_us"))

    def round_all(self):
        readers = ("10k", "100k", "1m")
        begin = {n: (self.bench.gateways[n].user_s(), self.bench.gateways[n].user_s("minewall-q"),
                     self.bench.gateways[n].queued()) for n in readers}
        self.in_rounds("all", 0.68, (self.connections,), (self.latency,), (self.pages,), (self.bulk, "bulk"))
        for n in readers:
            g, (everything, readers_s, queued) = self.bench.gateways[n], begin[n]
            packets = max(1, g.queued() - queued)
            self.values[f"user_us_{n}"] = (g.user_s("minewall-q") - readers_s) * 1e6 / packets
            self.notes.setdefault("user_us_process", {})[n] = round((g.user_s() - everything) * 1e6 / packets, 2)
        self.say("connections, latency, bulk: done")
        self.in_rounds("resets", 0.72, (self.resets,))
        for g in self.bench.gateways.values():
            g.set_gso(False)
        self.in_rounds("bulk_mtu", 0.84, (self.bulk, "bulk_mtu"))
        for g in self.bench.gateways.values():
            g.set_gso(True)
        self.say("bulk with MTU-sized packets: done")

    # -- single measures ----------------------------------------------------------------------

    def starts(self, size, times):
        """From the daemon's exec to the first connection that it resets, with a client that tries all the time."""
        g = self.bench.gateways["spare"]
        for k in range(times):
            client = self.bench.client.start(self.tool("load"), "first", g.address(self.family(k)), PORT, BLOCKED, 30,
                                             stdout=subprocess.PIPE, text=True)
            time.sleep(0.1)
            begin = self.start_minewall("spare", SIZES[size])
            at = json.loads(client.communicate(timeout=60)[0])["reset_at_ns"]
            self.figures.add("start", size, (at - begin) / 1e6 if at else None)
            if k == 0:
                self.values[f"rss_{size}"] = g.rss_mb()
                self.notes.setdefault("rss", {})[size] = g.rss_parts()
            g.stop()
        self.say(f"start with {size} names: {median(self.figures.of('start', size)) or 0:.1f} ms")

    def reloads(self, times):
        """A client before, and one while the list of a million names is read anew."""
        g = self.bench.gateways["1m"]
        argv = (os.path.join(self.build, "minewall"), "reload", "-c", os.path.join(g.folder(), "policy.yaml"))
        begin = time.monotonic()
        g.namespace.run(*argv, timeout=60)
        took = time.monotonic() - begin
        for k in range(times):
            before = self.load("connections", "1m", self.family(k), NAME, took, 1, "tls")
            reload = g.namespace.start(*argv, stdout=subprocess.DEVNULL)
            during = self.load("connections", "1m", self.family(k), NAME, took, 1, "tls")
            reload.wait(60)
            self.figures.add("reload", "before", before.get("p99_us"))
            self.figures.add("reload", "during", during.get("p99_us"))
        self.notes["reload_ms"] = round(took * 1000)
        self.say(f"reload of 1M names: {took * 1000:.0f} ms")

    def stopped(self):
        """The reader is stopped while 32 clients go on; its watchdog lets go of the queue, and all must pass."""
        g = self.bench.gateways["10k"]
        g.process.send_signal(signal.SIGSTOP)
        try:
            self.load("connections", "10k", 4, NAME, 1.0, CLIENTS, "tls")
            self.in_rounds("stopped", 0.94, (self.stopped_round,))
        finally:
            g.process.send_signal(signal.SIGCONT)
        self.say("reader stopped: done")

    def stopped_round(self, r):
        for name in self.in_turns(ORDER["stopped"], r):
            begin = self.bench.cpu.us()
            done = self.load("connections", name, self.family(r), NAME, SLICE, CLIENTS, "tls")
            used, n = self.bench.cpu.us(), done.get("connections", 0)
            self.figures.add("stopped", name, n / done["seconds"] if n else 0)
            self.figures.add("stopped_cpu", name, (used - begin) / n if n and used is not None else None)

    def parts(self):
        """Nanoseconds of the core's parts, while the daemons have nothing to do and their wake-ups are counted."""
        g = self.bench.gateways["100k"]
        time.sleep(2)
        woken, begin = g.wakeups(), time.monotonic()
        done = bed.command(self.tool("micro"), timeout=300)
        self.notes["micro"] = micro = json.loads(done.stdout)
        time.sleep(max(0, 20 - (time.monotonic() - begin)))
        self.values["idle"] = (g.wakeups() - woken) / (time.monotonic() - begin)
        self.values["hello_ns"] = micro["hello_ns"]
        self.values["stratum_ns"] = max(micro["subscribe_ns"], micro["login_ns"])
        self.values["name_10k"] = max(micro["name_hit_10k"], micro["name_miss_10k"])
        for name in ("name_miss_1m", "name_hit_1m"):
            self.values[name] = micro[name]
        self.values["growth"] = max(max(micro["growth"][n][kind] for n in micro["growth"]) / micro["growth"]["1000"][kind]
                                    for kind in ("flows_ns", "names_ns", "endpoints_ns"))
        self.say("parts of the core: done")

    def elements(self, times):
        told = [json.loads(self.bench.gateways["spare"].namespace.run(self.tool("elements"), timeout=60).stdout) for _ in range(times)]
        self.values["element_p50"] = median(t["single_p50_us"] for t in told)
        self.values["element_p99"] = median(t["single_p99_us"] for t in told)
        self.notes["element_batched_us"] = median(t["batched_us"] for t in told)

    def after_load(self):
        self.notes["rss_after"] = {n: self.bench.gateways[n].rss_mb() for n in SIZES}

    def null_costs(self):
        self.notes["null"] = json.loads(self.bench.gateways["null"].stop() or "{}")
        if "floor" in self.bench.gateways:
            ratios = self.figures.compared("conns", "null", "floor")
            cpu = self.figures.compared("cpu", "null", "floor")
            self.notes["null_over_nullq"] = {"conns": median(ratios), "cpu": median(cpu)}
            self.bench.gateways["floor"].stop()

    # -- results ------------------------------------------------------------------------------

    def worse(self, metric, measure, base, how=lambda a, b: a / b):
        """Of minewall with 100,000 and with 1,000,000 names the one that does worse counts."""
        pick = max if METRICS[metric][4] == "lower" else min
        found = {n: self.figures.compared(measure, n, base, how) for n in MINEWALLS}
        name = pick(found, key=lambda n: median(found[n]) or 0)
        self.notes.setdefault("by_size", {})[metric] = {n: median(found[n]) for n in found}
        self.values[metric], self.intervals[metric] = median(found[name]), interval(found[name])

    def conclude(self):
        """Each by itself: what one lacks is no reason for the others to be missing."""
        for metric, measure, base, *how in (("bulk_gso", "bulk", "plain"), ("bulk_mtu", "bulk_mtu", "conntrack"), ("conns", "conns", "plain"),
                                            ("cpu_conn", "cpu", "null"), ("added_p50_us", "p50", "null", lambda a, b: a - b),
                                            ("added_p99", "p99", "null"), ("peer_cpu", "cpu", "plain")):
            self.stage(self.worse, metric, measure, base, *how)
        self.stage(self.conclude_queued)
        self.stage(self.conclude_resets)
        for size in ("10k", "1m"):
            self.put(f"start_{size}", self.figures.of("start", size))
        self.put("reload_p99", self.figures.compared("reload", "during", "before"))
        self.put("failopen", self.figures.compared("stopped", "10k", "plain"))

    def put(self, metric, samples):
        self.values[metric], self.intervals[metric] = median(samples), interval(samples)

    def conclude_queued(self):
        queued = [median(self.figures.of(f"queued_{kind}", n)) for kind in ("tls", "http") for n in MINEWALLS]
        self.values["queued"] = None if None in queued else max(queued)

    def conclude_resets(self):
        resets = {n: self.figures.of("reset_us", n) for n in MINEWALLS}
        slow = max(resets, key=lambda n: median(resets[n]))
        self.put("reset_ms", [v / 1000 for v in resets[slow] if v is not None])

    def reaches(self, metric, figure):
        value, (low, high) = self.values.get(metric), self.intervals.get(metric, (None, None))
        if value is None:
            return False
        if METRICS[metric][4] == "lower":
            return (value if low is None else low) <= figure
        return (value if high is None else high) >= figure

    def print_table(self):
        print("measure                                                     value  95 % interval            owed   after")
        for metric, (what, unit, owed, after, _) in METRICS.items():
            value, (low, high) = self.values.get(metric), self.intervals.get(metric, (None, None))
            text = "-" if value is None else f"{value:.4g}"
            around = "" if low is None else f"{low:.4g} - {high:.4g}"
            marks = ["met" if self.reaches(metric, figure) else "short" for figure in (owed, after)]
            print(f"{what + ', ' + unit:58s} {text:>8s} {around:>17s}  {owed:>6g} {marks[0]:5s} {after:>6g} {marks[1]}")

    def print_ratios(self):
        """What stands in where the throughput does not tell, and how many rounds there were."""
        print(f"\nrounds: {self.made}, of {self.rounds}")
        for what, measure, names, base in (("bulk, GSO: CPU a byte", "bulk_cpu", MINEWALLS, "plain"),
                                           ("bulk, MTU-sized: CPU a byte", "bulk_mtu_cpu", MINEWALLS, "conntrack"),
                                           ("reader stopped: CPU a connection", "stopped_cpu", ("10k",), "plain")):
            for n in names:
                ratios = self.figures.compared(measure, n, base)
                if ratios:
                    print("{}, {} names / {} {:.3f} ({:.3f} - {:.3f})".format(what, n, base, median(ratios), *interval(ratios)))

    def print_medians(self):
        print("\nmedians            conns/s  CPU us/conn   p50 us   p99 us  bulk Gbit/s  bulk MTU")
        for name in (*self.bench.gateways, "plain2"):
            row = [median(self.figures.of(m, name)) for m in ("conns", "cpu", "p50", "p99", "bulk", "bulk_mtu")]
            if any(v is not None for v in row):
                print(f"{name:16s}" + "".join(f"{'-' if v is None else format(v, '.4g'):>11s}" for v in row))
        null, micro = self.notes.get("null", {}), self.notes.get("micro", {"growth": {}})
        print(f"\nnull verdict: {null.get('user_us', 0):.2f} us user, {null.get('system_us', 0):.2f} us system a packet"
              f"; beside nullq: {self.notes.get('null_over_nullq', 'skipped: it is not here')}")
        print(f"elements: batched {self.notes.get('element_batched_us') or 0:.2f} us each; reload of 1M names {self.notes.get('reload_ms')} ms; "
              f"user time at 100k names {self.values.get('user_us_100k') or 0:.2f} us a packet; "
              f"of all threads {self.notes.get('user_us_process')}")
        print("after the load: resident " + ", ".join(f"{n} names {mb:.1f} MB" for n, mb in self.notes.get("rss_after", {}).items()))
        print("at the start: " + "; ".join(f"{n} names {text}" for n, text in self.notes.get("rss", {}).items()))
        print("core, ns: " + ", ".join(f"{k.removesuffix('_ns')} {v:.0f}" for k, v in micro.items() if k.endswith("_ns") or k.startswith("name_")))
        print("cost of a packet, ns:    flows     names endpoints (to 65,536)")
        for n, row in micro["growth"].items():
            print(f"{n:>18s} {row['flows_ns']:10.0f} {row['names_ns']:9.0f} {row['endpoints_ns']:9.0f}")
        print(f"a million flows at a time: {micro['million']['flows']}, {micro['million']['resident_mb']:.0f} MB")
        print("a flood, to a table of 65,536:   known flows, ns: before  during  grown kB  flows")
        for kind, row in micro["floods"].items():
            print(f"{kind:>18s} {row['quiet_ns']:37.0f} {row['during_ns']:7.0f} {row['grown_kb']:9d} {row['flows']:6d}")
        for name, why in self.notes["peers"].items():
            ratio = median(self.figures.compared("cpu", name, "plain"))
            print(f"peer {name}: " + (why if isinstance(why, str) else f"CPU a connection / plain {ratio or 0:.2f}"))
        if not self.notes["peers"]:
            print("peers: none of " + ", ".join(peers.PEERS) + " is installed")

    def write(self):
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
            model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
        metrics = [{"name": m, "value": None if self.values.get(m) is None else round(self.values[m], 4), "unit": unit, "owed": owed,
                    "after": after, "better": better} for m, (_, unit, owed, after, better) in METRICS.items()]
        machine = {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg(), "rounds": self.rounds, "rounds_made": self.made,
                   "intervals": self.intervals, "notes": self.notes}
        with open(os.path.join(self.build, "bench.json"), "w", encoding="utf-8") as f:
            json.dump({"metrics": metrics, "machine": machine}, f, indent=1)
            f.write("\n")


def build_floor(build):
    """The other null verdict, if its source is there."""
    program = os.path.join(build, "tests", "bench", "nullq")
    if not os.path.exists(FLOOR):
        return False
    return subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-O2", "-w", "-o", program, FLOOR, "-lmnl", "-lpthread"], check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("build")
    options = parser.parse_args()
    why = bed.usable() or (None if shutil.which("ethtool") else "needs the program ethtool")
    if why:
        print(f"bench: {why}")
        return 5
    build, rounds = os.path.abspath(options.build), max(1, options.rounds)
    found = [p for p in peers.PEERS if shutil.which(p)]
    names = ["plain", "conntrack", "null", *(["floor"] if build_floor(build) else []), *SIZES, "spare", *found]
    began = time.monotonic()
    with Bench(names, os.path.join(build, "tests", "bench", "load")) as bench:
        run = Run(bench, build, rounds)
        run.notes["peers"] = {p: None for p in found}
        run.stage(run.start_all)
        run.stage(run.teach)
        run.stage(run.round_all)
        run.stage(run.after_load)
        run.stage(run.null_costs)
        run.stage(run.stopped)
        run.stage(run.reloads, min(10, max(3, rounds // 3)))
        run.stage(run.parts)
        run.stage(run.starts, "10k", min(10, max(3, rounds // 3)))
        run.stage(run.starts, "1m", min(6, max(3, rounds // 5)))
        run.stage(run.elements, 5)
        run.stage(run.conclude)
        run.write()
    run.print_table()
    run.stage(run.print_ratios)
    run.stage(run.print_medians)
    print(f"\nbench: {rounds} rounds in {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}; written to {options.build}/bench.json")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except bed.BedError as error:
        sys.exit(f"bench: {error}")
