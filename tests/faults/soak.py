#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon under mixed traffic, reloads and faults for a long time, sampled each second: memory, descriptors, threads, timers and
what its tables hold must stay flat. Writes soak.tsv and, where gnuplot is, soak.png into the build folder.

usage: soak.py [--seconds N] [build/minewall]"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import field as fields
from field import need
import bed as beds

WARM_SHARE = 0.25      # until then caches and pools fill
# Of the fitted line over the measured time, or this share of the mean. Measured over half an hour at 18 MB: -232 KiB; over its first 300 s,
# 620 s, 1,200 s: +276, +207, +82. What swings is the heap, by 500 KiB, as each reload has its holes elsewhere; no mapping grows.
RSS_GROWTH_KB = 1024
RSS_GROWTH_SHARE = 0.03
SET_GROWTH_SHARE = 0.25
WINDOW_S = 15
RELOAD_EVERY_S, FAULT_EVERY_S, SEGMENT_S, BLOCKED_EVERY_S = 7, 40, 30, 5
COLUMNS = ("second", "rss_kb", "descriptors", "threads", "timers", "elements", "flows", "conntrack")
# Small pools and short lives, so that all is full soon and what grows then grows for no reason.
MORE = """memory: {flows: 4096, reassembly: 1MiB, endpoints: 2048}
lists: [{name: miners, file: miners.txt, format: plain, category: pool}]
"""


class Soak:
    def __init__(self, bed, binary, seconds, folder):
        self.f = fields.Field(bed, binary, "open", False)
        self.bed, self.seconds, self.folder = bed, seconds, folder
        self.rows, self.done, self.mixed = [], {}, {}
        self.results = {"short": [], "long": [], "fresh": [], "known": []}
        self.passed = self.failed = 0

    # -- traffic --------------------------------------------------------------------------------

    def policy(self, n=0):
        text = self.f.policy(MORE).replace("block:\n", "block:\n  timeout: {endpoint: 20s, pair: 15s}\n")
        return text.replace("names: [pool.listed.example]", f"names: [pool.listed.example, turn{n % 5}.example]")

    def start(self):
        f = self.f
        f.start(MORE.replace("miners.txt", f"{f.folder}/miners.txt"), files={"miners.txt": "one.miner.example\n"})
        self.write_policy(0)
        need(f.daemon.verb("reload").returncode == 0, "the first reload fails")
        self.bed.gateway.nft('insert rule inet bed_firewall input udp dport 53 accept\n')
        self.bed.gateway.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                               "--pid-file=", "--address=/#/192.0.2.1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.payloads = []
        tool = os.path.join(self.folder, "tests/netns/quic_initial")
        for name in ("www.unlisted.example", "pool.listed.example") if os.path.exists(tool) else ():
            self.payloads.append(os.path.join(self.bed.tmp, name + ".quic"))
            with open(self.payloads[-1], "wb") as file:
                file.write(bytes.fromhex(beds.command(tool, "1", "1", name, "0", "0", "9999", "0").stdout.strip()))

    def write_policy(self, n):
        self.f.daemon.write("policy.yaml", self.policy(n).replace("miners.txt", f"{self.f.folder}/miners.txt"))
        self.f.daemon.write("miners.txt", "".join(f"m{k}.miner.example\n" for k in range(2000 + n % 3 * 500)))

    def begin_segment(self, seconds):
        self.f.begin(0)
        self.mix = self.bed.client.start(*beds.PYTHON, os.path.join(fields.HERE, "mix.py"), seconds, beds.GATEWAY_IN[4], *self.payloads,
                                         stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def end_segment(self):
        for kind, rows in self.f.end().items():
            self.results[kind] += rows
        for key, n in json.loads(self.mix.communicate(timeout=40)[0]).items():
            self.mixed[key] = self.mixed.get(key, 0) + n
        self.bed.processes[:] = [p for p in self.bed.processes if p.poll() is None]
        with open(self.bed.log.path, "r+b") as log:
            log.truncate(0)
        if os.path.getsize(f"{self.f.folder}/log/eve.json") > 8 << 20:
            os.unlink(f"{self.f.folder}/log/eve.json")   # as a rotation would

    # -- what happens meanwhile -----------------------------------------------------------------

    def stop(self):
        self.f.signal(signal.SIGSTOP)
        time.sleep(0.7)
        self.f.signal(signal.SIGCONT)

    def watchdog(self):
        pid = self.f.daemon.watchdog()
        if pid:
            self.f.signal(signal.SIGKILL, pid)

    def flush(self):
        self.f.nft("flush set inet minewall endpoints4")   # an owned table refuses

    def log_deleted(self):
        os.unlink(f"{self.f.folder}/log/eve.json")

    def flood(self):
        self.f.flood(5000, 300, background=True)

    def broken(self):
        self.f.daemon.write("policy.yaml", "version: 1\nmode: perhaps\n")
        need(self.f.daemon.verb("reload").returncode == 4, "a broken policy was taken")
        self.write_policy(0)

    def openssl(self):
        self.bed.openssl(self.bed.fresh(4), 443, "www.unlisted.example")

    def allowance(self):
        self.f.daemon.verb("allow", "some.name.example", "--for", "5s")

    FAULTS = (stop, watchdog, flush, log_deleted, flood, broken, openssl, allowance)

    # -- samples --------------------------------------------------------------------------------

    def sample(self, second):
        pid = self.f.daemon.process.pid
        links = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except OSError:
                pass
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            about = dict(line.split(":", 1) for line in file)
        if second % BLOCKED_EVERY_S == 0 or not self.rows:
            self.elements = len(self.f.daemon.json("blocked"))
        count = self.bed.gateway.run("cat", "/proc/sys/net/netfilter/nf_conntrack_count").stdout
        self.rows.append((second, int(about["VmRSS"].split()[0]), len(links), int(about["Threads"]), sum("timerfd" in x for x in links),
                          self.elements, self.f.status()["flows"], int(count)))

    def run(self):
        begin = time.monotonic()
        second = segment = turn = 0
        self.begin_segment(SEGMENT_S)
        while second < self.seconds:
            self.sample(second)
            if second % RELOAD_EVERY_S == 3:
                turn += 1
                self.write_policy(turn)
                need(self.f.daemon.verb("reload").returncode == 0, f"a reload fails after {second} s")
                self.done["reload"] = self.done.get("reload", 0) + 1
            if second % FAULT_EVERY_S == FAULT_EVERY_S - 5:
                fault = self.FAULTS[second // FAULT_EVERY_S % len(self.FAULTS)]
                fault(self)
                self.done[fault.__name__] = self.done.get(fault.__name__, 0) + 1
            if second - segment >= SEGMENT_S + 2:
                self.end_segment()
                segment = second
                self.begin_segment(SEGMENT_S)
            need(self.f.daemon.process.poll() is None, f"the daemon died after {second} s: {self.f.daemon.said()[-300:]}")
            time.sleep(max(0.0, begin + second + 1 - time.monotonic()))
            second = max(second + 1, int(time.monotonic() - begin))
        self.end_segment()

    # -- verdict --------------------------------------------------------------------------------

    def say(self, good, name, text):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print(f"{'ok' if good else 'FAIL'} {name}{': ' if text else ''}{text}", flush=True)

    def growth(self, column):
        """(growth of the fitted line over the measured time, mean) after the warm-up, of the most in each window: what the allocator
        gives back to the system between two reloads, and takes again, says nothing."""
        most = {}
        for row in self.rows:
            if row[0] >= self.seconds * WARM_SHARE:
                window = row[0] // WINDOW_S
                most[window] = max(most.get(window, 0), row[COLUMNS.index(column)])
        x, y = [window * WINDOW_S for window in most], list(most.values())
        return statistics.linear_regression(x, y).slope * (x[-1] - x[0]), statistics.mean(y)

    def judge(self):
        grown, mean = self.growth("rss_kb")
        bound = max(RSS_GROWTH_KB, RSS_GROWTH_SHARE * mean)
        ends = sum(map(len, self.results.values())) + sum(self.mixed.values())
        self.say(grown <= bound, "memory-is-flat", f"{grown:+.0f} KiB over the measured time, mean {mean:.0f} KiB, bound {bound:.0f} KiB; "
                 f"{grown * 1024 / (ends * (1 - WARM_SHARE)):+.1f} bytes for each of {ends} exchanges")
        warm = [row for row in self.rows if row[0] >= self.seconds * WARM_SHARE]
        for column in ("descriptors", "threads", "timers"):
            values = [row[COLUMNS.index(column)] for row in warm]
            third = max(1, len(values) // 3)
            self.say(max(values[-third:]) <= max(values[:third]), f"{column}-are-flat", f"{min(values)} to {max(values)}")
        for column, most in (("elements", 2 * 2048 * 2), ("flows", 4096)):
            grown, mean = self.growth(column)
            values = [row[COLUMNS.index(column)] for row in warm]
            self.say(max(values) <= most and grown <= max(64, SET_GROWTH_SHARE * mean), f"{column}-are-flat",
                     f"{grown:+.0f} over the measured time, mean {mean:.0f}, most {max(values)} of {most}")
        self.judge_traffic()

    def judge_traffic(self):
        allowed = fields.figures(self.results["short"] + self.results["long"])
        self.say(allowed["lost"] == 0, "no-allowed-connection-lost", f"{allowed['n']}, lost {allowed['lost']}, slowest {allowed['longest']:.2f} s")
        lost = {k: n for k, n in self.mixed.items() if " allowed " in k and not k.endswith(" ok")}
        self.say(not lost, "no-allowed-exchange-lost", f"{sum(n for k, n in self.mixed.items() if k.endswith('allowed ok'))} ok {lost or ''}")
        fresh, known = fields.passed(self.results["fresh"]), fields.passed(self.results["known"])
        hung = self.f.status()["watchdog"]
        most = 1.5 * max(1, hung)
        self.say(fresh[2] <= most, "miners-blocked", f"{fresh[0]} tries, passed {fresh[1]} in {fresh[2]:.1f} s (the reader was let go {hung} times)")
        self.say(known[2] <= most, "known-pools-refused", f"{known[0]} tries, passed {known[1]}")
        wrong = {k: n for k, n in self.mixed.items() if " listed ok" in k}
        listed = sum(n for k, n in self.mixed.items() if " listed " in k)
        self.say(sum(wrong.values()) <= 0.02 * listed, "listed-names-blocked", f"{listed} tries, passed {wrong or 0}")
        print("   happened meanwhile: " + ", ".join(f"{name} {n}" for name, n in sorted(self.done.items())))

    def write(self):
        path = os.path.join(self.folder, "soak.tsv")
        with open(path, "w", encoding="utf-8") as file:
            for row in (COLUMNS, *self.rows):
                file.write("\t".join(map(str, row)) + "\n")
        if not shutil.which("gnuplot"):
            print("   no plot: no gnuplot here")
            return
        picture = os.path.join(self.folder, "soak.png")
        plots = [("rss_kb", "resident KiB"), ("elements", "elements in the sets of the kernel"), ("flows", "flows in memory"),
                 ("descriptors", "descriptors"), ("threads", "threads"), ("conntrack", "flows in the kernel")]
        script = f"set terminal png size 1200,900\nset output '{picture}'\nset multiplot layout 3,2\nset key off\nset offsets graph 0, 0, graph 0.1, 0\nset yrange [0:*]\n"
        for column, title in plots:
            script += f"set title '{title}'\nplot '{path}' using 1:{COLUMNS.index(column) + 1} every ::1 with lines\n"
        beds.command("gnuplot", "-", text_in=script + "unset multiplot\n", timeout=60)
        print(f"   {path}, {picture}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("binary", nargs="?", default=os.path.join(beds.ROOT, "build", "minewall"))
    options = parser.parse_args()
    why = beds.usable() or (None if shutil.which("dnsmasq") else "needs the program dnsmasq")
    if why:
        print(f"skipped: {why}")
        return 0
    binary = os.path.abspath(options.binary)
    with beds.Bed(idle=25) as bed:
        soak = Soak(bed, binary, options.seconds, os.path.dirname(binary))
        try:
            soak.start()
            soak.run()
            soak.judge()
        except (fields.Failed, beds.BedError) as why:
            soak.say(False, "runs-to-the-end", str(why))
        finally:
            if soak.rows:
                soak.write()
            soak.f.clear()
    print(f"soak: {soak.passed} passed, {soak.failed} failed")
    return 1 if soak.failed else 0


if __name__ == "__main__":
    sys.exit(main())
